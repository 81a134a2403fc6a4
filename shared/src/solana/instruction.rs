//! Which program an instruction calls, and so which file reads it. The allow-list of programs is the
//! `match` below; a new program is a new file and a new arm. The stake program is not among them, nor are programs
//! that owners registered: `stake` and `program` read messages that call them, as a whole.

use super::associated::{self, Creation};
use super::message::Instruction;
use super::token::{self, TokenProgram, TokenTransfer};
use super::{SolanaError, Transfer, compute_budget, memo, system};
use crate::address::SolanaAddress;
use crate::memo::Memo;
use crate::transaction::Known;

/// What one instruction does.
pub(super) enum Parsed {
    /// Lamports leave the wallet.
    Transfer(Transfer),
    /// Tokens leave the wallet.
    TokenTransfer(TokenTransfer),
    /// A recipient's account for a token is created.
    Creation(Creation),
    /// A text is written to the chain's log.
    Memo(Memo),
    /// The priority fee changes.
    ComputeBudget(compute_budget::Setting),
}

/// Reads one instruction. Dispatch is on the program first: the same data means different things to
/// different programs.
pub(super) fn parse(
    wallet: SolanaAddress,
    instruction: &Instruction<'_>,
    known: Known<'_>,
) -> Result<Parsed, SolanaError> {
    const TOKEN: SolanaAddress = TokenProgram::Token.id();
    const TOKEN_2022: SolanaAddress = TokenProgram::Token2022.id();
    let token_transfer =
        |program| token::parse(wallet, program, instruction, known).map(Parsed::TokenTransfer);
    match instruction.program {
        system::PROGRAM => system::parse(wallet, instruction).map(Parsed::Transfer),
        compute_budget::PROGRAM => compute_budget::parse(instruction).map(Parsed::ComputeBudget),
        memo::PROGRAM => memo::parse(instruction).map(Parsed::Memo),
        TOKEN => token_transfer(TokenProgram::Token),
        TOKEN_2022 => token_transfer(TokenProgram::Token2022),
        associated::PROGRAM => associated::parse(wallet, instruction, known).map(Parsed::Creation),
        _ => Err(SolanaError::UnknownProgram),
    }
}
