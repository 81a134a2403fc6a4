//! Which program an instruction calls, and so which file reads it. The allow-list of programs is the
//! `match` below; a new program is a new file and a new arm.

use super::message::Instruction;
use super::{SolanaError, Transfer, compute_budget, system};
use crate::address::SolanaAddress;

/// What one instruction does.
pub(super) enum Parsed {
    /// Lamports leave the wallet.
    Transfer(Transfer),
    /// The priority fee changes.
    ComputeBudget(compute_budget::Setting),
}

/// Reads one instruction. Dispatch is on the program first: the same data means different things to
/// different programs.
pub(super) fn parse(
    wallet: SolanaAddress,
    instruction: &Instruction<'_>,
) -> Result<Parsed, SolanaError> {
    match instruction.program {
        system::PROGRAM => system::parse(wallet, instruction).map(Parsed::Transfer),
        compute_budget::PROGRAM => compute_budget::parse(instruction).map(Parsed::ComputeBudget),
        _ => Err(SolanaError::UnknownProgram),
    }
}
