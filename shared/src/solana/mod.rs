//! Solana: messages in, lamports out. `message` reads the wire form and its structure, `instruction`
//! dispatches on the program, one file per program knows that program's instructions, `build` makes
//! messages. Nothing here knows another chain, asks a node or trusts a lookup table. Called by
//! `transaction`; `build` by the gateway and the command line.

pub mod build;
mod compute_budget;
mod error;
mod instruction;
mod message;
mod system;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::address::SolanaAddress;
use crate::amount::Amount;
use crate::transaction::SignatureError;

pub use compute_budget::MAX_COMPUTE_UNITS;
pub use error::SolanaError;
pub use message::MAX_MESSAGE_BYTES;
pub use system::Transfer;

/// Lamports that the chain takes for each required signature.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5000;

/// Everything that one message takes from the wallet.
pub(crate) struct Outflow {
    /// In the order of the instructions; at least one.
    pub(crate) transfers: Vec<Transfer>,
    /// Lamports.
    pub(crate) fee_max: Amount,
}

/// Reads a message of which `wallet` is the only signer. Quantifies over all instructions.
pub(crate) fn decode(wallet: SolanaAddress, unsigned: &[u8]) -> Result<Outflow, SolanaError> {
    let message = message::Message::parse(wallet, unsigned)?;
    let mut transfers = Vec::new();
    let mut budget = compute_budget::Request::default();
    for instruction in message.instructions()? {
        match instruction::parse(wallet, &instruction)? {
            instruction::Parsed::Transfer(transfer) => transfers.push(transfer),
            instruction::Parsed::ComputeBudget(setting) => budget.add(setting)?,
        }
    }
    if transfers.is_empty() {
        return Err(SolanaError::NoTransfer);
    }
    let fee_max = budget.fee_max(transfers.len())?;
    Ok(Outflow { transfers, fee_max })
}

/// The signed transaction: one signature, then the message (a compact array of one element).
pub(crate) fn assemble(
    wallet: SolanaAddress,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<Vec<u8>, SignatureError> {
    VerifyingKey::from_bytes(wallet.as_bytes())
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| SignatureError::Invalid)?;
    Ok([&[1_u8][..], signature, message].concat())
}
