//! Associated token accounts: their addresses, derived and never believed, and the one instruction of
//! their program that is accepted, `CreateIdempotent`. Source: the program's interface,
//! `AssociatedTokenAccountInstruction` (discriminator u8), and the runtime's `find_program_address`.

use std::cell::RefCell;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

use super::message::Instruction;
use super::token::{self, Token, TokenProgram};
use super::{SolanaError, system};
use crate::address::SolanaAddress;
use crate::transaction::Known;

/// `ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL`.
pub(super) const PROGRAM: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL".as_slice())
        .into_array_const_unwrap(),
);

/// `Create` (0 or no data) fails where the account exists, and `RecoverNested` (2) moves tokens.
pub(super) const CREATE_IDEMPOTENT: u8 = 1;

/// Addresses that are remembered; a payment needs two.
const REMEMBERED: usize = 256;

/// The account in which `owner` holds the tokens of `mint`, as the associated token account program
/// derives it: the first address off the curve, counted down from bump 255.
///
/// A derivation takes some microseconds, so the last ones are remembered. Never answers otherwise than
/// deriving would.
#[must_use]
pub fn associated_account(
    owner: SolanaAddress,
    mint: SolanaAddress,
    program: TokenProgram,
) -> SolanaAddress {
    thread_local! {
        static ACCOUNTS: RefCell<Vec<Option<Remembered>>> = const { RefCell::new(Vec::new()) };
    }
    let asked = (owner, mint, program);
    let place = place(asked);
    ACCOUNTS.with_borrow_mut(|accounts| {
        accounts.resize(REMEMBERED, None);
        match accounts.get_mut(place) {
            Some(Some(known)) if known.asked == asked => known.account,
            entry => {
                let account = derive_associated_account(owner, mint, program);
                if let Some(entry) = entry {
                    *entry = Some(Remembered { asked, account });
                }
                account
            }
        }
    })
}

#[derive(Clone)]
struct Remembered {
    asked: (SolanaAddress, SolanaAddress, TokenProgram),
    account: SolanaAddress,
}

/// Where an address is remembered. Whoever chooses addresses that share a place costs time and no more.
fn place((owner, mint, program): (SolanaAddress, SolanaAddress, TokenProgram)) -> usize {
    let [one, two, ..] = *owner.as_bytes();
    let [three, four, ..] = *mint.as_bytes();
    let mixed = [one ^ three.rotate_left(3), two ^ four ^ program as u8];
    usize::from(u16::from_le_bytes(mixed)) % REMEMBERED
}

/// The same, derived each time.
#[must_use]
pub fn derive_associated_account(
    owner: SolanaAddress,
    mint: SolanaAddress,
    program: TokenProgram,
) -> SolanaAddress {
    let seeds = [owner, program.id(), mint];
    let derived = (0..=u8::MAX).rev().map(|bump| {
        let mut hasher = Sha256::new();
        for seed in seeds {
            hasher.update(seed.as_bytes());
        }
        hasher.update([bump]);
        hasher.update(PROGRAM.as_bytes());
        hasher.update(b"ProgramDerivedAddress");
        <[u8; 32]>::from(hasher.finalize())
    });
    // All 256 on the curve has a chance of 2^-256; the zero address is then no account of the wallet's.
    let off_curve = derived
        .into_iter()
        .find(|address| VerifyingKey::from_bytes(address).is_err());
    SolanaAddress::from_bytes(off_curve.unwrap_or_default())
}

/// Creates the recipient's account for a token, paid by the wallet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Creation {
    pub(super) account: SolanaAddress,
    /// Lamports at worst.
    pub(super) rent: u64,
}

pub(super) fn parse(
    wallet: SolanaAddress,
    instruction: &Instruction<'_>,
    known: Known<'_>,
) -> Result<Creation, SolanaError> {
    if instruction.data != [CREATE_IDEMPOTENT] {
        return Err(SolanaError::AssociatedInstruction);
    }
    let [payer, account, owner, mint, system_program, token_program] =
        instruction.accounts.as_slice()
    else {
        return Err(SolanaError::InstructionAccounts);
    };
    if payer.address != wallet {
        return Err(SolanaError::ForeignSource);
    }
    if !payer.writable {
        return Err(SolanaError::SourceReadOnly);
    }
    let token = Token::find(known, mint)?;
    if token_program.address != token.program.id() {
        return Err(SolanaError::TokenProgram);
    }
    // Whose account it is follows from its address alone; the owner that the instruction names must
    // be the same.
    if !token::owners(known).any(|known| known == owner.address)
        || account.address != token.account_of(owner.address)
        || system_program.address != system::PROGRAM
    {
        return Err(SolanaError::TokenDestination);
    }
    if !account.writable {
        return Err(SolanaError::RecipientReadOnly);
    }
    Ok(Creation {
        account: account.address,
        rent: token.account_rent(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> SolanaAddress {
        text.parse().expect("an address")
    }

    /// Made by solders 0.29.0 (`Pubkey.find_program_address`), bumps 255, 254 and 252 among them; the
    /// second is an account that any explorer of the main network shows.
    #[test]
    fn other_code_derives_the_same() {
        const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
        const PYUSD: &str = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo";
        use TokenProgram::{Token, Token2022};
        for (owner, mint, program, account) in [
            (
                "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
                USDC,
                Token,
                "9fmAU34wjuR6b6mGCiVWZxQNTnEo2BLabnV72wnSKs7z",
            ),
            (
                "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
                USDC,
                Token,
                "FGETo8T8wMcN2wCjav8VK6eh3dLk63evNDPxzLSJra8B",
            ),
            (
                "11111111111111111111111111111111",
                USDC,
                Token,
                "HJt8Tjdsc9ms9i4WCZEzhzr4oyf3ANcdzXrNdLPFqm3M",
            ),
            (
                "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
                PYUSD,
                Token2022,
                "88LP8tonWW54U3A2CdpakhPwdPPgt3wUpmw5DgLeFVhd",
            ),
            (
                "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
                PYUSD,
                Token2022,
                "897krAvWH3RbymaCYE3o9emopUwocieHuKTUk9nySpq6",
            ),
            (
                "11111111111111111111111111111111",
                PYUSD,
                Token2022,
                "Fn73rNzuBe9wKQ6AzVdWPaHucFSjEUqDbA6CxRAMFMeS",
            ),
        ] {
            let asked = (address(owner), address(mint), program);
            assert_eq!(
                associated_account(asked.0, asked.1, asked.2),
                address(account)
            );
            let other = match program {
                Token => Token2022,
                Token2022 => Token,
            };
            assert_ne!(
                associated_account(asked.0, asked.1, other),
                address(account)
            );
        }
    }

    proptest! {
        #[test]
        fn memory_changes_nothing(owners: [u8; 4], mints: [u8; 4]) {
            // Few different ones, so that they are found again and push each other out.
            for owner in owners {
                for mint in mints {
                    let owner = SolanaAddress::from_bytes([owner & 0x83; 32]);
                    let mint = SolanaAddress::from_bytes([mint & 0x83; 32]);
                    for program in [TokenProgram::Token, TokenProgram::Token2022] {
                        prop_assert_eq!(
                            associated_account(owner, mint, program),
                            derive_associated_account(owner, mint, program)
                        );
                    }
                }
            }
        }
    }
}
