//! The System program: `Transfer` and nothing else. Every other instruction either hands over
//! control (`Assign`, nonce authority), creates accounts, or spends in a way not needed here.
//! Source: the program's interface, `SystemInstruction` (discriminator u32, little endian).

use super::SolanaError;
use super::message::Instruction;
use crate::address::SolanaAddress;

/// `11111111111111111111111111111111`.
pub(super) const PROGRAM: SolanaAddress = SolanaAddress::from_bytes([0; 32]);

const TRANSFER: u32 = 2;
/// Advance, withdraw, initialise, authorise, upgrade.
const NONCE_INSTRUCTIONS: [u32; 5] = [4, 5, 6, 7, 12];

/// Lamports that leave the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// The receiving account.
    pub to: SolanaAddress,
    /// How much.
    pub lamports: u64,
}

pub(super) fn parse(
    wallet: SolanaAddress,
    instruction: &Instruction<'_>,
) -> Result<Transfer, SolanaError> {
    let (discriminator, rest) = instruction
        .data
        .split_first_chunk::<4>()
        .ok_or(SolanaError::InstructionData)?;
    match u32::from_le_bytes(*discriminator) {
        TRANSFER => {}
        nonce if NONCE_INSTRUCTIONS.contains(&nonce) => return Err(SolanaError::DurableNonce),
        _ => return Err(SolanaError::SystemInstruction),
    }
    let lamports: [u8; 8] = rest.try_into().map_err(|_| SolanaError::InstructionData)?;
    let [from, to] = instruction.accounts.as_slice() else {
        return Err(SolanaError::InstructionAccounts);
    };
    if from.address != wallet {
        return Err(SolanaError::ForeignSource);
    }
    if to.address == wallet {
        return Err(SolanaError::TransferToSelf);
    }
    if !to.writable {
        return Err(SolanaError::RecipientReadOnly);
    }
    Ok(Transfer {
        to: to.address,
        lamports: u64::from_le_bytes(lamports),
    })
}

/// The data of a `Transfer`.
pub(super) fn transfer_data(lamports: u64) -> Vec<u8> {
    [&TRANSFER.to_le_bytes()[..], &lamports.to_le_bytes()].concat()
}
