//! The wire form of a message and everything about it that holds whatever its instructions are:
//! version, canonical bytes, one signer, account list. Knows no program. The only file that uses the
//! chain's own wire types for reading.

use solana_message::VersionedMessage;
use solana_message::compiled_instruction::CompiledInstruction;
use wincode::config::{self, Configuration};

use super::SolanaError;
use crate::address::SolanaAddress;

/// The longest message that fits a packet of 1232 bytes behind one signature and its count.
pub const MAX_MESSAGE_BYTES: usize = 1232 - 1 - 64;

/// First byte of version 0; below stand the signature counts of the legacy form, which has no version.
const VERSION_ZERO: u8 = 0x80;
/// First byte of version 1 (SIMD-0385).
const VERSION_ONE: u8 = 0x81;

/// What a lying length may make the decoder set aside: more than any list in
/// [`MAX_MESSAGE_BYTES`] takes in memory (389 instructions of 56 bytes).
const PREALLOCATION_BYTES: usize = 32 * 1024;

/// A message with the wallet as its only signer, every index in range, every account used.
pub(super) struct Message {
    accounts: Vec<SolanaAddress>,
    /// Accounts from this index on are read-only.
    first_read_only: usize,
    instructions: Vec<CompiledInstruction>,
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
    /// Reads the bytes and checks everything that does not depend on a program.
    pub(super) fn parse(wallet: SolanaAddress, bytes: &[u8]) -> Result<Self, SolanaError> {
        let message = read(bytes)?;
        let header = *message.header();
        let (keys, instructions) = match message {
            VersionedMessage::Legacy(message) => (message.account_keys, message.instructions),
            VersionedMessage::V0(message) if message.address_table_lookups.is_empty() => {
                (message.account_keys, message.instructions)
            }
            VersionedMessage::V0(_) => return Err(SolanaError::LookupTable),
            VersionedMessage::V1(_) => return Err(SolanaError::VersionOne),
        };
        let accounts: Vec<SolanaAddress> = keys
            .iter()
            .map(|key| SolanaAddress::from_bytes(key.to_bytes()))
            .collect();

        if header.num_required_signatures != 1 {
            return Err(SolanaError::SignerCount);
        }
        if header.num_readonly_signed_accounts != 0 {
            return Err(SolanaError::PayerReadOnly);
        }
        let first_read_only = accounts
            .len()
            .checked_sub(usize::from(header.num_readonly_unsigned_accounts))
            .filter(|first| *first >= 1)
            .ok_or(SolanaError::Header)?;
        if accounts.first() != Some(&wallet) {
            return Err(SolanaError::ForeignPayer);
        }
        let mut sorted = accounts.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != accounts.len() {
            return Err(SolanaError::DuplicateAccount);
        }

        let message = Self {
            accounts,
            first_read_only,
            instructions,
        };
        message.check_indices()?;
        Ok(message)
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
            writable: index < self.first_read_only,
        })
    }

    /// Every index in range, programs without privileges, no account without a use: an unused one
    /// would be loaded and locked, and its purpose is not understood.
    fn check_indices(&self) -> Result<(), SolanaError> {
        for instruction in &self.instructions {
            for index in &instruction.accounts {
                self.account(*index)?;
            }
            // The only signer is writable, so this covers "a program is no signer" as well.
            if self.account(instruction.program_id_index)?.writable {
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

/// Version and canonical form. INVARIANT 2: encoding what was read gives the identical bytes.
fn read(bytes: &[u8]) -> Result<VersionedMessage, SolanaError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(SolanaError::TooLarge);
    }
    match bytes.first().copied() {
        None => return Err(SolanaError::Malformed),
        Some(1..=0x7f | VERSION_ZERO) => {}
        Some(VERSION_ONE) => return Err(SolanaError::VersionOne),
        Some(_) => return Err(SolanaError::UnknownVersion),
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

/// The wire form of a message.
pub(super) fn encode(message: &VersionedMessage) -> Result<Vec<u8>, SolanaError> {
    wincode::serialize(message).map_err(|_| SolanaError::Malformed)
}
