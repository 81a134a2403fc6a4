//! The System program: `Transfer`, and `CreateAccountWithSeed` where it makes the stake account of a template
//! (`stake`). Every other instruction either hands over control (`Assign`, nonce authority), creates accounts,
//! or spends in a way not needed here.
//! Source: the program's interface, `SystemInstruction` (discriminator u32, little endian).

use super::SolanaError;
use super::message::Instruction;
use crate::address::SolanaAddress;

/// `11111111111111111111111111111111`.
pub(super) const PROGRAM: SolanaAddress = SolanaAddress::from_bytes([0; 32]);

const TRANSFER: u32 = 2;
const CREATE_ACCOUNT_WITH_SEED: u32 = 3;
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
    if !from.writable {
        return Err(SolanaError::SourceReadOnly);
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

/// What a `CreateAccountWithSeed` says: an account whose address follows from base, seed and owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CreateWithSeed<'a> {
    pub(super) base: SolanaAddress,
    pub(super) seed: &'a [u8],
    pub(super) lamports: u64,
    /// Bytes of its content.
    pub(super) space: u64,
    /// The program that it belongs to.
    pub(super) owner: SolanaAddress,
}

impl<'a> CreateWithSeed<'a> {
    /// Reads the data of one, and of no other instruction.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, SolanaError> {
        let (discriminator, rest) = data
            .split_first_chunk::<4>()
            .ok_or(SolanaError::InstructionData)?;
        if u32::from_le_bytes(*discriminator) != CREATE_ACCOUNT_WITH_SEED {
            return Err(SolanaError::SystemInstruction);
        }
        let read = || {
            let (base, rest) = rest.split_first_chunk::<32>()?;
            let (length, rest) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (seed, rest) = rest.split_at_checked(length)?;
            let (lamports, rest) = rest.split_first_chunk::<8>()?;
            let (space, owner) = rest.split_first_chunk::<8>()?;
            Some(Self {
                base: SolanaAddress::from_bytes(*base),
                seed,
                lamports: u64::from_le_bytes(*lamports),
                space: u64::from_le_bytes(*space),
                owner: SolanaAddress::from_bytes(owner.try_into().ok()?),
            })
        };
        read().ok_or(SolanaError::InstructionData)
    }

    /// The data of one.
    pub(super) fn data(&self) -> Vec<u8> {
        let length = u64::try_from(self.seed.len()).unwrap_or(u64::MAX);
        [
            &CREATE_ACCOUNT_WITH_SEED.to_le_bytes()[..],
            self.base.as_bytes(),
            &length.to_le_bytes(),
            self.seed,
            &self.lamports.to_le_bytes(),
            &self.space.to_le_bytes(),
            self.owner.as_bytes(),
        ]
        .concat()
    }
}

/// The data of a `Transfer`.
pub(super) fn transfer_data(lamports: u64) -> Vec<u8> {
    [&TRANSFER.to_le_bytes()[..], &lamports.to_le_bytes()].concat()
}
