//! The two token programs, SPL Token and Token-2022: `TransferChecked` and nothing else, from the wallet's
//! own associated account to that of a recipient. What is known of a token, its decimals, program and
//! extensions, comes from documents that owners signed, never from bytes or nodes. Source: the programs'
//! interfaces, `TokenInstruction` (discriminator u8; fields little endian).

use super::SolanaError;
use super::associated::associated_account;
use super::message::{AccountUse, Instruction};
use crate::address::{Account, SolanaAddress};
use crate::transaction::Known;

/// `Transfer` (3) names no mint; `batch` (255) nests whole transfers; all others hand over control or
/// move something else.
pub(super) const TRANSFER_CHECKED: u8 = 12;

const TOKEN: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA".as_slice())
        .into_array_const_unwrap(),
);
const TOKEN_2022: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb".as_slice())
        .into_array_const_unwrap(),
);

/// Bytes of an account of SPL Token.
const ACCOUNT_BYTES: u32 = 165;
/// The most that an associated account of Token-2022 has behind that: its kind, `ImmutableOwner`, and the
/// extensions that a mint can force on it, `TransferFeeAmount`, `TransferHookAccount` and
/// `PausableAccount`, each with a header of four bytes. Which of them a mint has, no bytes here tell.
const ACCOUNT_2022_BYTES: u32 = 1 + 4 + (4 + 8) + (4 + 1) + 4;
/// What the chain counts for an account besides its content.
const ACCOUNT_OVERHEAD_BYTES: u32 = 128;
/// Two years' rent of a byte: what frees an account from rent, on every cluster at most.
const RENT_LAMPORTS_PER_BYTE: u64 = 3480 * 2;

/// Which program a mint belongs to.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
pub enum TokenProgram {
    /// SPL Token.
    #[n(0)]
    #[serde(rename = "spl-token")]
    Token,
    /// Token-2022.
    #[n(1)]
    #[serde(rename = "token-2022")]
    Token2022,
}

impl TokenProgram {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Token, Self::Token2022];

    /// The name in policies and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "spl-token",
            Self::Token2022 => "token-2022",
        }
    }

    /// The program's address.
    #[must_use]
    pub const fn id(self) -> SolanaAddress {
        match self {
            Self::Token => TOKEN,
            Self::Token2022 => TOKEN_2022,
        }
    }
}

/// A mint as an owner registered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The mint.
    pub mint: SolanaAddress,
    /// Places between its unit and its base unit.
    pub decimals: u8,
    /// Which program it belongs to.
    pub program: TokenProgram,
}

impl Token {
    /// Lamports that a new associated account locks up, at worst.
    #[must_use]
    pub const fn account_rent(&self) -> u64 {
        let more = match self.program {
            TokenProgram::Token => 0,
            TokenProgram::Token2022 => ACCOUNT_2022_BYTES,
        };
        (ACCOUNT_OVERHEAD_BYTES + ACCOUNT_BYTES + more) as u64 * RENT_LAMPORTS_PER_BYTE
    }

    /// Where `owner` holds it.
    #[must_use]
    pub fn account_of(&self, owner: SolanaAddress) -> SolanaAddress {
        associated_account(owner, self.mint, self.program)
    }

    /// The mints that a message moves, each once, as its own transfers have them.
    pub(super) fn named(instructions: &[Instruction<'_>]) -> Vec<Self> {
        let mut named: Vec<Self> = Vec::new();
        for instruction in instructions {
            let mut programs = TokenProgram::ALL.into_iter();
            let program = programs.find(|program| program.id() == instruction.program);
            if let (Some(program), [_, mint, ..], [TRANSFER_CHECKED, .., decimals]) =
                (program, instruction.accounts.as_slice(), instruction.data)
            {
                let token = Self {
                    mint: mint.address,
                    decimals: *decimals,
                    program,
                };
                if !named.contains(&token) {
                    named.push(token);
                }
            }
        }
        named
    }

    /// What is known of the mint that an instruction names.
    pub(super) fn find<'a>(known: Known<'a>, mint: &AccountUse) -> Result<&'a Self, SolanaError> {
        if mint.writable {
            return Err(SolanaError::MintWritable);
        }
        let mut tokens = known.tokens.iter();
        tokens
            .find(|token| token.mint == mint.address)
            .ok_or(SolanaError::UnknownMint)
    }
}

/// Tokens that leave the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenTransfer {
    pub(super) mint: SolanaAddress,
    /// Whose account receives.
    pub(super) to: SolanaAddress,
    /// The receiving account.
    pub(super) account: SolanaAddress,
    /// Base units that leave; of a mint that keeps a part, fewer arrive.
    pub(super) amount: u64,
}

pub(super) fn parse(
    wallet: SolanaAddress,
    program: TokenProgram,
    instruction: &Instruction<'_>,
    known: Known<'_>,
) -> Result<TokenTransfer, SolanaError> {
    let (discriminator, rest) = instruction
        .data
        .split_first()
        .ok_or(SolanaError::InstructionData)?;
    if *discriminator != TRANSFER_CHECKED {
        return Err(SolanaError::TokenInstruction);
    }
    let fields: [u8; 9] = rest.try_into().map_err(|_| SolanaError::InstructionData)?;
    let [amount @ .., decimals] = fields;
    // A fifth account would be a signer of a multisig authority.
    let [source, mint, destination, authority] = instruction.accounts.as_slice() else {
        return Err(SolanaError::InstructionAccounts);
    };
    let token = Token::find(known, mint)?;
    if token.program != program {
        return Err(SolanaError::TokenProgram);
    }
    if token.decimals != decimals {
        return Err(SolanaError::TokenDecimals);
    }
    if authority.address != wallet || source.address != token.account_of(wallet) {
        return Err(SolanaError::ForeignSource);
    }
    if destination.address == source.address {
        return Err(SolanaError::TransferToSelf);
    }
    let to = owners(known)
        .find(|owner| token.account_of(*owner) == destination.address)
        .ok_or(SolanaError::TokenDestination)?;
    if !source.writable {
        return Err(SolanaError::SourceReadOnly);
    }
    if !destination.writable {
        return Err(SolanaError::RecipientReadOnly);
    }
    Ok(TokenTransfer {
        mint: token.mint,
        to,
        account: destination.address,
        amount: u64::from_le_bytes(amount),
    })
}

/// Whom a token account may belong to.
pub(super) fn owners(known: Known<'_>) -> impl Iterator<Item = SolanaAddress> {
    known.owners.iter().filter_map(|account| match account {
        Account::Solana(owner) => Some(*owner),
        Account::Evm(_) => None,
    })
}

/// The token accounts of one message that are created, each before it is paid into.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    created: Vec<(SolanaAddress, bool)>,
}

impl Receiving {
    pub(super) fn created(&mut self, account: SolanaAddress) -> Result<(), SolanaError> {
        if self.created.iter().any(|(known, _)| *known == account) {
            return Err(SolanaError::RepeatedCreation);
        }
        self.created.push((account, false));
        Ok(())
    }

    pub(super) fn paid(&mut self, account: SolanaAddress) {
        for (known, paid) in &mut self.created {
            *paid |= *known == account;
        }
    }

    pub(super) fn require_all_paid(&self) -> Result<(), SolanaError> {
        if self.created.iter().all(|(_, paid)| *paid) {
            Ok(())
        } else {
            Err(SolanaError::UnusedCreation)
        }
    }
}

/// The data of a `TransferChecked`.
pub(super) fn transfer_data(amount: u64, decimals: u8) -> Vec<u8> {
    [&[TRANSFER_CHECKED][..], &amount.to_le_bytes(), &[decimals]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cluster's `getMinimumBalanceForRentExemption` says of 165 and 191 bytes.
    #[test]
    fn rent_is_that_of_the_largest_account() {
        let rent = |program| {
            let mint = SolanaAddress::from_bytes([1; 32]);
            let token = Token {
                mint,
                decimals: 6,
                program,
            };
            token.account_rent()
        };
        assert_eq!(rent(TokenProgram::Token), 2_039_280);
        assert_eq!(rent(TokenProgram::Token2022), 2_220_240);
    }
}
