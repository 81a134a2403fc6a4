//! Builds unsigned messages, in the legacy form: it is shorter by two bytes, and every node, wallet
//! and hardware device reads it. What is built here is read back by `decode` like anyone's bytes.

use solana_address::Address;
use solana_hash::Hash;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::{Message, MessageHeader, VersionedMessage};

use super::{SolanaError, compute_budget, message, system};
use crate::address::SolanaAddress;

/// A transfer of lamports with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRequest {
    /// The wallet: sole signer and fee payer.
    pub from: SolanaAddress,
    /// The recipient.
    pub to: SolanaAddress,
    /// How much.
    pub lamports: u64,
    /// A recent blockhash; with it the message expires.
    pub blockhash: [u8; 32],
    /// Compute units; a transfer with both settings takes 450.
    pub compute_unit_limit: u32,
    /// Priority fee in millionths of a lamport per compute unit.
    pub micro_lamports_per_compute_unit: u64,
}

/// The unsigned message of a transfer.
///
/// # Errors
/// [`SolanaError`] where `decode` would refuse the message.
pub fn transfer(request: &TransferRequest) -> Result<Vec<u8>, SolanaError> {
    const FROM: u8 = 0;
    const TO: u8 = 1;
    const SYSTEM: u8 = 2;
    const COMPUTE_BUDGET: u8 = 3;

    let setting = |setting: compute_budget::Setting| CompiledInstruction {
        program_id_index: COMPUTE_BUDGET,
        accounts: Vec::new(),
        data: setting.data(),
    };
    let bytes = message::encode(&VersionedMessage::Legacy(Message {
        header: MessageHeader {
            num_required_signatures: 1,
            num_readonly_signed_accounts: 0,
            num_readonly_unsigned_accounts: 2,
        },
        account_keys: [
            request.from,
            request.to,
            system::PROGRAM,
            compute_budget::PROGRAM,
        ]
        .map(|account| Address::new_from_array(*account.as_bytes()))
        .to_vec(),
        recent_blockhash: Hash::new_from_array(request.blockhash),
        instructions: vec![
            setting(compute_budget::Setting::UnitLimit(
                request.compute_unit_limit,
            )),
            setting(compute_budget::Setting::UnitPrice(
                request.micro_lamports_per_compute_unit,
            )),
            CompiledInstruction {
                program_id_index: SYSTEM,
                accounts: vec![FROM, TO],
                data: system::transfer_data(request.lamports),
            },
        ],
    }))?;
    // Whoever asks for something unsignable learns it here and not from the signer.
    super::decode(request.from, &bytes)?;
    Ok(bytes)
}
