//! Solana: messages in, what leaves the wallet out. `message` reads the wire form and its structure, `instruction`
//! dispatches on the program, one file per program knows that program's instructions, `build` makes
//! messages. Nothing here knows another chain, asks a node or takes a lookup table's content from anybody but an
//! owner (`table`). Called by `transaction`; `build` by the gateway and the command line.

mod associated;
pub mod build;
mod compute_budget;
mod error;
mod field;
mod instruction;
mod memo;
mod message;
mod program;
mod reserved;
mod stake;
mod system;
mod table;
mod token;
mod wire;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::address::SolanaAddress;
use crate::amount::Amount;
use crate::memo::Memo;
use crate::transaction::{Known, SignatureError};

pub use associated::{associated_account, derive_associated_account};
pub use compute_budget::MAX_COMPUTE_UNITS;
pub use error::SolanaError;
pub use field::{FieldError, FieldKind, FieldValue};
pub use message::{MAX_MESSAGE_BYTES, Role, blockhash};
pub use program::effects as program_effects;
pub use program::{
    ACCOUNTS_LIMIT, FIELDS_LIMIT, Field, Leaving, ProgramCall, ProgramMethod, TAIL_LIMIT,
};
pub use reserved::reserved;
pub use stake::PROGRAM as STAKE_PROGRAM;
pub use stake::{SEED_LIMIT, STAKE_RENT, StakeAccount, StakeSeed, StakeSeedError, Staking};
pub use system::Transfer;
pub use table::{Loaded, LookupTable, TABLE_LIMIT, fits_listed, loaded};
pub use token::{Token, TokenProgram};
pub use wire::WireTransaction;

/// Lamports that the chain takes for each required signature.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5000;

/// What one instruction takes from the wallet.
pub(crate) enum Outflow {
    /// Lamports to another account.
    Lamports(Transfer),
    /// Base units of a mint to the associated account of an owner.
    Tokens {
        /// The mint.
        mint: SolanaAddress,
        /// The owner.
        to: SolanaAddress,
        /// How many leave.
        amount: u64,
    },
    /// Lamports locked up for an account that is created.
    Rent(u64),
    /// What is done with a stake account of the wallet's own.
    Stake(StakeAccount, Staking),
    /// The call of a program that an owner registered.
    Program(Box<ProgramCall>),
}

/// A message that was understood to the last byte.
pub(crate) struct Understood {
    /// Everything that it takes, in the order of the instructions, with at least one transfer, stake or call.
    pub(crate) outflows: Vec<Outflow>,
    /// What it writes to the chain's log.
    pub(crate) memo: Option<Memo>,
    /// Lamports of its fee at worst, if the wallet pays it.
    pub(crate) fee_max: Amount,
    /// What the wallet's signature is for.
    pub(crate) role: Role,
}

/// The programs that a message calls, one for each instruction. Nothing is compared yet: what calls too many, or
/// nobody's, is refused before it costs anything.
pub(crate) fn called(unsigned: &[u8]) -> Result<Vec<SolanaAddress>, SolanaError> {
    let message = message::read(unsigned)?;
    let keys = message.static_account_keys();
    let programs = message.instructions().iter().map(|instruction| {
        let key = keys.get(usize::from(instruction.program_id_index));
        key.map(|key| SolanaAddress::from_bytes(key.to_bytes()))
            .ok_or(SolanaError::AccountIndex)
    });
    programs.collect()
}

/// The mints that a message moves, by its own word: nothing for a message that `wallet` does not sign. Only of
/// bytes out of the signer's own log, which were compared with what owners registered before they were signed.
pub(crate) fn tokens(wallet: SolanaAddress, unsigned: &[u8], known: Known<'_>) -> Vec<Token> {
    let read = |message: message::Message| Ok(Token::named(&message.instructions()?));
    let message = message::Message::parse(wallet, unsigned, known);
    message.and_then(read).unwrap_or_default()
}

/// Reads a message that `wallet` signs, alone or, where `known` lets somebody else pay the fee, behind that one.
/// Quantifies over all instructions: whoever else signs, each of them is one of the wallet's own.
pub(crate) fn decode(
    wallet: SolanaAddress,
    unsigned: &[u8],
    known: Known<'_>,
) -> Result<Understood, SolanaError> {
    let message = message::Message::parse(wallet, unsigned, known)?;
    let instructions = message.instructions()?;
    let mut budget = compute_budget::Request::stated(message.priority_fee());
    let role = message.role();
    if stake::is_called(&instructions) {
        // A template is the wallet's alone.
        return match role {
            Role::Payer => stake::parse(wallet, &instructions, budget, known),
            Role::Sponsored => Err(SolanaError::StakeSequence),
        };
    }
    if let Some(method) = known.program
        && program::is_called(&instructions, known.program)
    {
        // So is a registered call.
        return match role {
            Role::Payer => program::parse(wallet, &instructions, budget, method),
            Role::Sponsored => Err(SolanaError::ProgramSequence),
        };
    }
    let mut outflows = Vec::new();
    let mut accounts = token::Receiving::default();
    let mut memo = None;
    for instruction in &instructions {
        match instruction::parse(wallet, instruction, known)? {
            instruction::Parsed::Transfer(transfer) => outflows.push(Outflow::Lamports(transfer)),
            instruction::Parsed::TokenTransfer(transfer) => {
                accounts.paid(transfer.account);
                outflows.push(Outflow::Tokens {
                    mint: transfer.mint,
                    to: transfer.to,
                    amount: transfer.amount,
                });
            }
            instruction::Parsed::Creation(creation) => {
                accounts.created(creation.account)?;
                outflows.push(Outflow::Rent(creation.rent));
            }
            instruction::Parsed::Memo(text) => {
                if memo.replace(text).is_some() {
                    return Err(SolanaError::RepeatedMemo);
                }
            }
            instruction::Parsed::ComputeBudget(setting) => budget.add(setting)?,
        }
    }
    accounts.require_all_paid()?;
    if outflows.is_empty() {
        return Err(SolanaError::NoTransfer);
    }
    let others = outflows.len().saturating_add(usize::from(memo.is_some()));
    Ok(Understood {
        // Whoever pays it, it is one that fits.
        fee_max: budget.fee_max(others)?,
        outflows,
        memo,
        role,
    })
}

/// The transaction with the wallet's signature in its place. That of who pays the fee, if it is not the wallet,
/// is left empty.
pub(crate) fn assemble(
    wallet: SolanaAddress,
    message: &[u8],
    role: Role,
    signature: &[u8; 64],
) -> Result<Vec<u8>, SignatureError> {
    VerifyingKey::from_bytes(wallet.as_bytes())
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| SignatureError::Invalid)?;
    let mut signatures = vec![[0; message::SIGNATURE_BYTES]; role.place()];
    signatures.push(*signature);
    Ok(WireTransaction::of(signatures, message.to_vec()).encode())
}
