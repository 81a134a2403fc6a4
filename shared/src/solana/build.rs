//! Builds unsigned messages, in the legacy form: it is shorter by two bytes, and every node, wallet
//! and hardware device reads it. What is built here is read back by `decode` like anyone's bytes.

mod program;
mod stake;

use solana_address::Address;
use solana_hash::Hash;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::{Message, MessageHeader, VersionedMessage};

use super::token::{Token, transfer_data};
use super::{SolanaError, associated, compute_budget, memo, message, system};
use crate::address::{Account, SolanaAddress};
use crate::memo::Memo;
use crate::transaction::Known;

pub use program::{CallRequest, call};
pub use stake::{StakingRequest, staking};

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

/// A transfer of tokens with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenTransferRequest {
    /// The wallet: sole signer, fee payer and owner of the tokens.
    pub from: SolanaAddress,
    /// The recipient: the owner of the account that receives.
    pub to: SolanaAddress,
    /// What moves, as an owner registered it.
    pub token: Token,
    /// Base units that leave the wallet.
    pub amount: u64,
    /// Whether the recipient's account is created first, unless it exists.
    pub create: bool,
    /// A recent blockhash; with it the message expires.
    pub blockhash: [u8; 32],
    /// Compute units.
    pub compute_unit_limit: u32,
    /// Priority fee in millionths of a lamport per compute unit.
    pub micro_lamports_per_compute_unit: u64,
}

/// One transfer of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Lamports.
    Lamports {
        /// The recipient.
        to: SolanaAddress,
        /// How much.
        lamports: u64,
    },
    /// Tokens.
    Tokens {
        /// The recipient: the owner of the account that receives.
        to: SolanaAddress,
        /// What moves, as an owner registered it.
        token: Token,
        /// Base units that leave the wallet.
        amount: u64,
        /// Whether the recipient's account is created first, unless it exists.
        create: bool,
    },
}

/// Transfers in one transaction, in order, and a memo, with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRequest<'a> {
    /// The wallet: sole signer, fee payer and owner of the tokens.
    pub from: SolanaAddress,
    /// What moves.
    pub parts: &'a [Part],
    /// What is written to the chain's log.
    pub memo: Option<&'a Memo>,
    /// A recent blockhash; with it the message expires.
    pub blockhash: [u8; 32],
    /// Compute units.
    pub compute_unit_limit: u32,
    /// Priority fee in millionths of a lamport per compute unit.
    pub micro_lamports_per_compute_unit: u64,
}

/// The unsigned message of a transfer.
///
/// # Errors
/// [`SolanaError`] where `decode` would refuse the message.
pub fn transfer(request: &TransferRequest) -> Result<Vec<u8>, SolanaError> {
    let mut draft = Draft::new(
        &[request.from, request.to],
        &[system::PROGRAM],
        request.compute_unit_limit,
        request.micro_lamports_per_compute_unit,
    );
    draft.add(
        system::PROGRAM,
        &[request.from, request.to],
        system::transfer_data(request.lamports),
    )?;
    let bytes = draft.encode(request.blockhash)?;
    // Whoever asks for something unsignable learns it here and not from the signer.
    super::decode(request.from, &bytes, Known::NOTHING)?;
    Ok(bytes)
}

/// The unsigned message of a transfer of tokens, from the wallet's associated account to the recipient's.
///
/// # Errors
/// [`SolanaError`] where `decode` would refuse the message.
pub fn token_transfer(request: &TokenTransferRequest) -> Result<Vec<u8>, SolanaError> {
    let TokenTransferRequest {
        from, to, token, ..
    } = *request;
    let program = token.program.id();
    let (source, destination) = (token.account_of(from), token.account_of(to));
    let of_creation = [to, system::PROGRAM, associated::PROGRAM];
    let mut read_only = vec![token.mint, program];
    if request.create {
        read_only.extend(of_creation);
    }
    let mut draft = Draft::new(
        &[from, source, destination],
        &read_only,
        request.compute_unit_limit,
        request.micro_lamports_per_compute_unit,
    );
    if request.create {
        draft.add(
            associated::PROGRAM,
            &[from, destination, to, token.mint, system::PROGRAM, program],
            vec![associated::CREATE_IDEMPOTENT],
        )?;
    }
    draft.add(
        program,
        &[source, token.mint, destination, from],
        transfer_data(request.amount, token.decimals),
    )?;
    let bytes = draft.encode(request.blockhash)?;
    let known = Known {
        owners: &[Account::Solana(to)],
        tokens: &[token],
        ..Known::NOTHING
    };
    super::decode(from, &bytes, known)?;
    Ok(bytes)
}

/// The unsigned message of several transfers, or of one with a memo. Accounts are created first, each once;
/// the memo stands before the transfers, where a token account that demands one looks for it.
///
/// # Errors
/// [`SolanaError`] where `decode` would refuse the message.
pub fn batch(request: &BatchRequest<'_>) -> Result<Vec<u8>, SolanaError> {
    let from = request.from;
    let (mut writable, mut read_only) = (vec![from], Vec::new());
    let (mut owners, mut tokens, mut created) = (Vec::new(), Vec::new(), Vec::new());
    for part in request.parts {
        match *part {
            Part::Lamports { to, .. } => {
                add(&mut writable, &[to]);
                add(&mut read_only, &[system::PROGRAM]);
            }
            Part::Tokens {
                to, token, create, ..
            } => {
                let program = token.program.id();
                let destination = token.account_of(to);
                add(&mut writable, &[token.account_of(from), destination]);
                add(&mut read_only, &[token.mint, program]);
                add(&mut owners, &[Account::Solana(to)]);
                add(&mut tokens, &[token]);
                if create {
                    add(&mut read_only, &[to, system::PROGRAM, associated::PROGRAM]);
                    add(&mut created, &[(destination, to, token.mint, program)]);
                }
            }
        }
    }
    add(
        &mut read_only,
        request.memo.map_or(&[], |_| &[memo::PROGRAM]),
    );
    // Whoever is paid lamports is writable, also where an account is created for it.
    read_only.retain(|account| !writable.contains(account));
    let mut draft = Draft::new(
        &writable,
        &read_only,
        request.compute_unit_limit,
        request.micro_lamports_per_compute_unit,
    );
    for (account, owner, mint, program) in created {
        draft.add(
            associated::PROGRAM,
            &[from, account, owner, mint, system::PROGRAM, program],
            vec![associated::CREATE_IDEMPOTENT],
        )?;
    }
    if let Some(memo) = request.memo {
        draft.add(memo::PROGRAM, &[], memo.as_str().as_bytes().to_vec())?;
    }
    for part in request.parts {
        match *part {
            Part::Lamports { to, lamports } => {
                let data = system::transfer_data(lamports);
                draft.add(system::PROGRAM, &[from, to], data)?;
            }
            Part::Tokens {
                to, token, amount, ..
            } => draft.add(
                token.program.id(),
                &[
                    token.account_of(from),
                    token.mint,
                    token.account_of(to),
                    from,
                ],
                transfer_data(amount, token.decimals),
            )?,
        }
    }
    let bytes = draft.encode(request.blockhash)?;
    let known = Known {
        owners: &owners,
        tokens: &tokens,
        ..Known::NOTHING
    };
    super::decode(from, &bytes, known)?;
    Ok(bytes)
}

/// Each once, in the order in which they come.
fn add<T: PartialEq + Copy>(list: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !list.contains(one) {
            list.push(*one);
        }
    }
}

/// A message whose first instructions set limit and price of compute units.
struct Draft {
    accounts: Vec<SolanaAddress>,
    read_only: usize,
    instructions: Vec<CompiledInstruction>,
}

impl Draft {
    fn new(
        writable: &[SolanaAddress],
        read_only: &[SolanaAddress],
        unit_limit: u32,
        unit_price: u64,
    ) -> Self {
        let accounts = [writable, read_only, &[compute_budget::PROGRAM]].concat();
        let settings = [
            compute_budget::Setting::UnitLimit(unit_limit),
            compute_budget::Setting::UnitPrice(unit_price),
        ];
        let program = u8::try_from(accounts.len() - 1).unwrap_or(u8::MAX);
        Self {
            instructions: settings
                .map(|setting| CompiledInstruction {
                    program_id_index: program,
                    accounts: Vec::new(),
                    data: setting.data(),
                })
                .to_vec(),
            read_only: read_only.len() + 1,
            accounts,
        }
    }

    fn add(
        &mut self,
        program: SolanaAddress,
        accounts: &[SolanaAddress],
        data: Vec<u8>,
    ) -> Result<(), SolanaError> {
        let accounts = accounts.iter().map(|account| self.index(*account));
        self.instructions.push(CompiledInstruction {
            accounts: accounts.collect::<Result<_, _>>()?,
            program_id_index: self.index(program)?,
            data,
        });
        Ok(())
    }

    fn index(&self, account: SolanaAddress) -> Result<u8, SolanaError> {
        let place = self.accounts.iter().position(|known| *known == account);
        place
            .and_then(|place| u8::try_from(place).ok())
            .ok_or(SolanaError::AccountIndex)
    }

    fn encode(self, blockhash: [u8; 32]) -> Result<Vec<u8>, SolanaError> {
        let read_only = u8::try_from(self.read_only).map_err(|_| SolanaError::Header)?;
        message::encode(&VersionedMessage::Legacy(Message {
            header: MessageHeader {
                num_required_signatures: 1,
                num_readonly_signed_accounts: 0,
                num_readonly_unsigned_accounts: read_only,
            },
            account_keys: self
                .accounts
                .iter()
                .map(|account| Address::new_from_array(*account.as_bytes()))
                .collect(),
            recent_blockhash: Hash::new_from_array(blockhash),
            instructions: self.instructions,
        }))
    }
}
