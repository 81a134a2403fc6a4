//! The wire form of a message and everything about it that holds whatever its instructions are:
//! version, canonical bytes, who signs and who pays the fee, account list. Knows no program. The only file
//! that uses the chain's own wire types for reading.

use solana_message::VersionedMessage;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::v1::TransactionConfig;
use wincode::config::{self, Configuration};

use super::{Loaded, MAX_COMPUTE_UNITS, SolanaError};
use crate::address::SolanaAddress;
use crate::transaction::Known;

/// Bytes of a transaction in the legacy form and in version 0: one packet.
pub(super) const PACKET_BYTES: usize = 1232;
/// Bytes of a transaction of version 1.
pub(super) const VERSION_ONE_BYTES: usize = 4096;
pub(super) const SIGNATURE_BYTES: usize = 64;
/// The longest message that fits a packet behind one signature and its count.
pub const MAX_MESSAGE_BYTES: usize = PACKET_BYTES - 1 - SIGNATURE_BYTES;

/// First byte of version 0; below stand the signature counts of the legacy form, which has no version.
const VERSION_ZERO: u8 = 0x80;
/// First byte of version 1 (SIMD-0385).
pub(super) const VERSION_ONE: u8 = 0x81;

/// What a lying length may make the decoder set aside: more than any list takes in memory (389 instructions
/// of 56 bytes in [`MAX_MESSAGE_BYTES`]; version 1 counts to 255).
const PREALLOCATION_BYTES: usize = 32 * 1024;

/// What the wallet's signature is for. Follows from the message alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The wallet signs alone and pays the fee.
    Payer,
    /// Somebody else signs first and pays the fee; the wallet signs second, for what leaves it.
    Sponsored,
}

impl Role {
    /// How many signatures the message demands.
    pub(super) const fn signatures(self) -> usize {
        match self {
            Self::Payer => 1,
            Self::Sponsored => 2,
        }
    }

    /// Where the wallet's is among them.
    pub(super) const fn place(self) -> usize {
        self.signatures() - 1
    }
}

/// A message that the wallet signs, alone or behind who pays the fee; every index in range, every account used.
pub(super) struct Message {
    /// Those that it lists, then those that it loads.
    accounts: Vec<SolanaAddress>,
    role: Role,
    /// Of the signers, who come first, those from this index on are read-only.
    first_read_only_signer: usize,
    /// Of the others that it lists, those from this index on are read-only.
    first_read_only: usize,
    /// From this index on accounts are loaded: none of them signs, and none is a program.
    first_loaded: usize,
    /// Of those, those from this index on are read-only.
    first_loaded_read_only: usize,
    instructions: Vec<CompiledInstruction>,
    /// Lamports beside the fee for signatures, of a message that says so in its own header (version 1).
    priority_fee: Option<u64>,
}

/// One account as an instruction names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct AccountUse {
    pub(super) address: SolanaAddress,
    pub(super) writable: bool,
}

/// One instruction with its indices resolved.
pub(super) struct Instruction<'message> {
    pub(super) program: SolanaAddress,
    pub(super) accounts: Vec<AccountUse>,
    pub(super) data: &'message [u8],
}

impl Message {
    /// Reads the bytes and checks everything that does not depend on a program. Of what is known it takes the
    /// lookup tables, and whether somebody else may pay the fee.
    pub(super) fn parse(
        wallet: SolanaAddress,
        bytes: &[u8],
        known: Known<'_>,
    ) -> Result<Self, SolanaError> {
        let message = read(bytes)?;
        let header = *message.header();
        let lookups = message.address_table_lookups().unwrap_or_default();
        let loaded = Loaded::resolve(lookups, known.tables)?;
        let (keys, instructions, priority_fee) = match message {
            VersionedMessage::Legacy(message) => (message.account_keys, message.instructions, None),
            VersionedMessage::V0(message) => (message.account_keys, message.instructions, None),
            VersionedMessage::V1(message) => {
                let fee = priority_fee(&message.config)?;
                (message.account_keys, message.instructions, Some(fee))
            }
        };
        let mut accounts: Vec<SolanaAddress> = keys
            .iter()
            .map(|key| SolanaAddress::from_bytes(key.to_bytes()))
            .collect();

        let role = match header.num_required_signatures {
            1 => Role::Payer,
            2 if known.sponsored => Role::Sponsored,
            _ => return Err(SolanaError::SignerCount),
        };
        if bytes.len() > longest(priority_fee.is_some(), role) {
            return Err(SolanaError::TooLarge);
        }
        let first_read_only_signer = role
            .signatures()
            .checked_sub(header.num_readonly_signed_accounts.into())
            .filter(|writable| *writable >= 1)
            .ok_or(SolanaError::PayerReadOnly)?;
        let first_read_only = accounts
            .len()
            .checked_sub(usize::from(header.num_readonly_unsigned_accounts))
            .filter(|first| *first >= role.signatures())
            .ok_or(SolanaError::Header)?;
        if accounts.get(role.place()) != Some(&wallet) {
            return Err(SolanaError::ForeignPayer);
        }
        if !distinct(&accounts) {
            return Err(SolanaError::DuplicateAccount);
        }
        // As the runtime counts on: what is writable of all tables, then what is only read.
        let first_loaded = accounts.len();
        let first_loaded_read_only = first_loaded.saturating_add(loaded.writable.len());
        if !loaded.is_empty() {
            accounts.extend(loaded.writable);
            accounts.extend(loaded.read_only);
            if !distinct(&accounts) {
                return Err(SolanaError::LookupDuplicate);
            }
        }

        let message = Self {
            accounts,
            role,
            first_read_only_signer,
            first_read_only,
            first_loaded,
            first_loaded_read_only,
            instructions,
            priority_fee,
        };
        message.check_indices()?;
        Ok(message)
    }

    /// What the wallet's signature is for.
    pub(super) const fn role(&self) -> Role {
        self.role
    }

    /// Lamports beside the fee for signatures, where the message says so itself.
    pub(super) const fn priority_fee(&self) -> Option<u64> {
        self.priority_fee
    }

    /// The instructions in order, indices resolved.
    pub(super) fn instructions(&self) -> Result<Vec<Instruction<'_>>, SolanaError> {
        self.instructions
            .iter()
            .map(|instruction| {
                let accounts = instruction
                    .accounts
                    .iter()
                    .map(|index| self.account(*index));
                Ok(Instruction {
                    program: self.account(instruction.program_id_index)?.address,
                    accounts: accounts.collect::<Result<_, _>>()?,
                    data: &instruction.data,
                })
            })
            .collect()
    }

    fn account(&self, index: u8) -> Result<AccountUse, SolanaError> {
        let index = usize::from(index);
        let address = self.accounts.get(index).ok_or(SolanaError::AccountIndex)?;
        Ok(AccountUse {
            address: *address,
            writable: if index < self.role.signatures() {
                index < self.first_read_only_signer
            } else if index < self.first_loaded {
                index < self.first_read_only
            } else {
                index < self.first_loaded_read_only
            },
        })
    }

    /// Every index in range, programs without privileges, no account without a use: an unused one
    /// would be loaded and locked, and its purpose is not understood.
    fn check_indices(&self) -> Result<(), SolanaError> {
        for instruction in &self.instructions {
            for index in &instruction.accounts {
                self.account(*index)?;
            }
            let program = self.account(instruction.program_id_index)?;
            if usize::from(instruction.program_id_index) >= self.first_loaded {
                return Err(SolanaError::LookupProgram);
            }
            let signs = usize::from(instruction.program_id_index) < self.role.signatures();
            if signs || program.writable {
                return Err(SolanaError::PrivilegedProgram);
            }
        }
        // The fee payer's use is the fee.
        for index in 1..self.accounts.len() {
            let used = self.instructions.iter().any(|instruction| {
                usize::from(instruction.program_id_index) == index
                    || instruction
                        .accounts
                        .iter()
                        .any(|account| usize::from(*account) == index)
            });
            if !used {
                return Err(SolanaError::UnusedAccount);
            }
        }
        Ok(())
    }
}

/// Whether no account stands twice.
fn distinct(accounts: &[SolanaAddress]) -> bool {
    let mut sorted = accounts.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() == accounts.len()
}

/// What a message of version 1 says of its fee: lamports in all, however many units it uses. A limit of units is
/// one that the chain grants; a limit for the accounts that are loaded only narrows what may happen, and without
/// one the chain loads none; memory that nothing here needs is not asked for.
fn priority_fee(config: &TransactionConfig) -> Result<u64, SolanaError> {
    if config.heap_size.is_some() {
        return Err(SolanaError::HeaderSetting);
    }
    if config.compute_unit_limit > Some(MAX_COMPUTE_UNITS) {
        return Err(SolanaError::ComputeUnitLimit);
    }
    Ok(config.priority_fee.unwrap_or_default())
}

/// The longest message that its signatures leave room for.
const fn longest(version_one: bool, role: Role) -> usize {
    let signatures = role.signatures() * SIGNATURE_BYTES;
    if version_one {
        VERSION_ONE_BYTES - signatures
    } else {
        PACKET_BYTES - 1 - signatures
    }
}

/// Version and canonical form. INVARIANT 2: encoding what was read gives the identical bytes.
pub(super) fn read(bytes: &[u8]) -> Result<VersionedMessage, SolanaError> {
    let version_one = match bytes.first().copied() {
        None => return Err(SolanaError::Malformed),
        Some(1..=0x7f | VERSION_ZERO) => false,
        Some(VERSION_ONE) => true,
        Some(_) => return Err(SolanaError::UnknownVersion),
    };
    if bytes.len() > longest(version_one, Role::Payer) {
        return Err(SolanaError::TooLarge);
    }
    let limits = Configuration::default().with_preallocation_size_limit::<PREALLOCATION_BYTES>();
    let message: VersionedMessage =
        config::deserialize(bytes, limits).map_err(|_| SolanaError::Malformed)?;
    if encode(&message)? == bytes {
        Ok(message)
    } else {
        Err(SolanaError::NotCanonical)
    }
}

/// The blockhash of a message, which it lives as long as.
///
/// # Errors
/// [`SolanaError`]: no message.
pub fn blockhash(message: &[u8]) -> Result<[u8; 32], SolanaError> {
    read(message).map(|message| message.recent_blockhash().to_bytes())
}

/// The wire form of a message.
pub(super) fn encode(message: &VersionedMessage) -> Result<Vec<u8>, SolanaError> {
    wincode::serialize(message).map_err(|_| SolanaError::Malformed)
}
