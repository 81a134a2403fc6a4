//! The stake program, by three templates and nothing else: coins into a new stake account of the wallet's own and
//! delegated to a validator, such an account deactivated, and what lies in it back to the wallet. Whose
//! account it is follows from its address, which is derived from wallet and seed: both its authorities are the
//! wallet, and nothing locks it up. A message that calls this program is one of the templates as a whole; no
//! other instruction of the program, and none of another, stands beside. Source: the programs' interfaces,
//! `StakeInstruction` and `SystemInstruction` (discriminators u32, little endian), and `create_with_seed`.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use sha2::{Digest as _, Sha256};

use super::message::Instruction;
use super::{Outflow, Role, SolanaError, Understood, compute_budget, system};
use crate::address::SolanaAddress;
use crate::amount::Amount;
use crate::transaction::Known;

/// `Stake11111111111111111111111111111111111111`.
pub const PROGRAM: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"Stake11111111111111111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);
pub(super) const CLOCK: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"SysvarC1ock11111111111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);
pub(super) const RENT: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"SysvarRent111111111111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);
pub(super) const HISTORY: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"SysvarStakeHistory1111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);
/// Stands where the program once read its settings; it reads nothing there any more.
pub(super) const CONFIG: SolanaAddress = SolanaAddress::from_bytes(
    bs58::decode(b"StakeConfig11111111111111111111111111111111".as_slice())
        .into_array_const_unwrap(),
);

/// All others hand over control, move stake elsewhere, or have no use here: `Authorize` (1) and its relatives
/// (8, 10, 11), `Split` (3), `SetLockup` (6, 12), `Merge` (7), `MoveStake` (16), `MoveLamports` (17) and more.
const INITIALIZE: u32 = 0;
const DELEGATE: u32 = 2;
const WITHDRAW: u32 = 4;
const DEACTIVATE: u32 = 5;
const UNDERSTOOD: [u32; 4] = [INITIALIZE, DELEGATE, WITHDRAW, DEACTIVATE];

/// Bytes of a stake account.
pub(super) const ACCOUNT_BYTES: u64 = 200;
/// Lamports that a stake account locks up besides what is staked: two years' rent of its bytes and of the 128
/// that the chain counts for any account, on every cluster at most.
pub const STAKE_RENT: u64 = (128 + ACCOUNT_BYTES) * 3480 * 2;

/// A seed, at most, in characters: as the chain has it.
pub const SEED_LIMIT: usize = 32;

/// What tells a stake account from the others of its wallet: 1 to [`SEED_LIMIT`] of `a-z`, `0-9`, `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StakeSeed(String);

/// The text is no seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a seed is 1 to {SEED_LIMIT} of a-z, 0-9 and -")]
pub struct StakeSeedError;

impl StakeSeed {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StakeSeed {
    type Err = StakeSeedError;

    fn from_str(text: &str) -> Result<Self, StakeSeedError> {
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=SEED_LIMIT).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StakeSeedError)
        }
    }
}

impl fmt::Display for StakeSeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<C> Encode<C> for StakeSeed {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for StakeSeed {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let text = decoder.str()?;
        text.parse()
            .map_err(|_| decode::Error::message("not a seed"))
    }
}

/// A stake account of a wallet's own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StakeAccount {
    #[n(0)]
    seed: StakeSeed,
    #[n(1)]
    address: SolanaAddress,
}

impl StakeAccount {
    /// The account of this seed: its address is SHA-256 over wallet, seed and program, as the chain derives it.
    /// Nobody else's signature can make an account there.
    #[must_use]
    pub fn of(wallet: SolanaAddress, seed: StakeSeed) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(wallet.as_bytes());
        hasher.update(seed.as_str());
        hasher.update(PROGRAM.as_bytes());
        Self {
            seed,
            address: SolanaAddress::from_bytes(hasher.finalize().into()),
        }
    }

    /// What it was derived from, beside the wallet.
    #[must_use]
    pub const fn seed(&self) -> &StakeSeed {
        &self.seed
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SolanaAddress {
        self.address
    }
}

/// What is done with a stake account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Staking {
    /// Lamports go into it, new, and are delegated.
    #[n(0)]
    Delegate {
        /// The validator's vote account.
        #[n(0)]
        validator: SolanaAddress,
        /// Lamports, without its rent.
        #[n(1)]
        amount: Amount,
    },
    /// It is delegated no longer once the epoch has ended.
    #[n(1)]
    Deactivate,
    /// Lamports come back to the wallet.
    #[n(2)]
    Withdraw {
        /// How many.
        #[n(0)]
        amount: Amount,
    },
}

/// Whether a message calls the stake program: then all of it must be a template.
pub(super) fn is_called(instructions: &[Instruction<'_>]) -> bool {
    instructions
        .iter()
        .any(|instruction| instruction.program == PROGRAM)
}

/// Reads the instructions of a message that calls the stake program: a template, and settings of its fee.
pub(super) fn parse(
    wallet: SolanaAddress,
    instructions: &[Instruction<'_>],
    mut budget: compute_budget::Request,
    known: Known<'_>,
) -> Result<Understood, SolanaError> {
    let mut others = Vec::new();
    for instruction in instructions {
        if instruction.program == compute_budget::PROGRAM {
            budget.add(compute_budget::parse(instruction)?)?;
        } else {
            others.push(instruction);
        }
    }
    let outflows = match others.as_slice() {
        [create, initialize, delegate] => delegated(wallet, create, initialize, delegate)?,
        [one] => vec![later(wallet, one, known)?],
        _ => return Err(SolanaError::StakeSequence),
    };
    Ok(Understood {
        fee_max: budget.fee_max(others.len())?,
        outflows,
        memo: None,
        role: Role::Payer,
    })
}

/// `CreateAccountWithSeed`, `Initialize`, `DelegateStake`: a new account with the wallet as both authorities.
fn delegated(
    wallet: SolanaAddress,
    create: &Instruction<'_>,
    initialize: &Instruction<'_>,
    delegate: &Instruction<'_>,
) -> Result<Vec<Outflow>, SolanaError> {
    if create.program != system::PROGRAM
        || discriminator(initialize)? != INITIALIZE
        || discriminator(delegate)? != DELEGATE
    {
        return Err(SolanaError::StakeSequence);
    }
    let created = system::CreateWithSeed::parse(create.data)?;
    let seed: StakeSeed = std::str::from_utf8(created.seed)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(SolanaError::StakeSeed)?;
    let account = StakeAccount::of(wallet, seed);
    let address = account.address();
    if created.base != wallet || created.owner != PROGRAM || created.space != ACCOUNT_BYTES {
        return Err(SolanaError::StakeAccount);
    }
    require_accounts(create, &[(wallet, true), (address, true)])?;
    let amount = created.lamports.checked_sub(STAKE_RENT);
    let amount = amount
        .filter(|amount| *amount > 0)
        .ok_or(SolanaError::StakeAmount)?;

    if initialize.data != initialize_data(wallet) {
        return Err(SolanaError::StakeAuthority);
    }
    require_accounts(initialize, &[(address, true), (RENT, false)])?;

    if delegate.data != delegate_data() {
        return Err(SolanaError::InstructionData);
    }
    let validator = delegate
        .accounts
        .get(1)
        .ok_or(SolanaError::StakeAccounts)?
        .address;
    require_accounts(
        delegate,
        &[
            (address, true),
            (validator, false),
            (CLOCK, false),
            (HISTORY, false),
            (CONFIG, false),
            (wallet, true),
        ],
    )?;
    let amount = Amount::from_base_units(amount.into());
    Ok(vec![
        Outflow::Rent(STAKE_RENT),
        Outflow::Stake(account, Staking::Delegate { validator, amount }),
    ])
}

/// `Deactivate`, or `Withdraw` to the wallet itself.
fn later(
    wallet: SolanaAddress,
    instruction: &Instruction<'_>,
    known: Known<'_>,
) -> Result<Outflow, SolanaError> {
    let number = discriminator(instruction)?;
    let seed = known.seed.ok_or(SolanaError::StakeAccount)?;
    let account = StakeAccount::of(wallet, seed.clone());
    let address = account.address();
    let staking = match number {
        DEACTIVATE => {
            if instruction.data != deactivate_data() {
                return Err(SolanaError::InstructionData);
            }
            require_accounts(
                instruction,
                &[(address, true), (CLOCK, false), (wallet, true)],
            )?;
            Staking::Deactivate
        }
        WITHDRAW => {
            let amount = instruction.data.split_first_chunk::<4>();
            let amount: [u8; 8] = amount
                .and_then(|(_, amount)| amount.try_into().ok())
                .ok_or(SolanaError::InstructionData)?;
            // A sixth account would be the custodian of a lockup.
            require_accounts(
                instruction,
                &[
                    (address, true),
                    (wallet, true),
                    (CLOCK, false),
                    (HISTORY, false),
                    (wallet, true),
                ],
            )?;
            let amount = u64::from_le_bytes(amount);
            if amount == 0 {
                return Err(SolanaError::StakeAmount);
            }
            Staking::Withdraw {
                amount: Amount::from_base_units(amount.into()),
            }
        }
        _ => return Err(SolanaError::StakeSequence),
    };
    Ok(Outflow::Stake(account, staking))
}

/// Which instruction of the program it is, if it is one of those that are understood.
fn discriminator(instruction: &Instruction<'_>) -> Result<u32, SolanaError> {
    if instruction.program != PROGRAM {
        return Err(SolanaError::StakeSequence);
    }
    let (number, _) = instruction
        .data
        .split_first_chunk()
        .ok_or(SolanaError::InstructionData)?;
    let number = u32::from_le_bytes(*number);
    if UNDERSTOOD.contains(&number) {
        Ok(number)
    } else {
        Err(SolanaError::StakeInstruction)
    }
}

/// Exactly these accounts in these places, writable or not as said. The first other than the wallet is the
/// stake account.
fn require_accounts(
    instruction: &Instruction<'_>,
    expected: &[(SolanaAddress, bool)],
) -> Result<(), SolanaError> {
    let found = instruction.accounts.iter();
    if found
        .map(|account| (account.address, account.writable))
        .eq(expected.iter().copied())
    {
        Ok(())
    } else {
        Err(SolanaError::StakeAccounts)
    }
}

/// The data of an `Initialize`: staker, withdrawer, and no lockup (no time, no epoch, no custodian).
pub(super) fn initialize_data(wallet: SolanaAddress) -> Vec<u8> {
    let no_lockup = [0; 8 + 8 + 32];
    let authorities = [*wallet.as_bytes(), *wallet.as_bytes()];
    [
        &INITIALIZE.to_le_bytes()[..],
        authorities.as_flattened(),
        &no_lockup,
    ]
    .concat()
}

/// The data of a `DelegateStake`.
pub(super) fn delegate_data() -> Vec<u8> {
    DELEGATE.to_le_bytes().to_vec()
}

/// The data of a `Deactivate`.
pub(super) fn deactivate_data() -> Vec<u8> {
    DEACTIVATE.to_le_bytes().to_vec()
}

/// The data of a `Withdraw`.
pub(super) fn withdraw_data(lamports: u64) -> Vec<u8> {
    [&WITHDRAW.to_le_bytes()[..], &lamports.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_canonical, to_canonical};

    /// Made by solders 0.29.0 (`Pubkey.create_with_seed`).
    #[test]
    fn other_code_derives_the_same() {
        for (wallet, seed, address) in STAKE_ACCOUNTS {
            let wallet = wallet.parse().expect("a wallet");
            let account = StakeAccount::of(wallet, seed.parse().expect("a seed"));
            assert_eq!(account.address().to_string(), address, "{seed}");
            assert_eq!(account.seed().as_str(), seed);
        }
    }

    const STAKE_ACCOUNTS: [(&str, &str, &str); 4] = [
        (
            "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
            "june-1",
            "87MczP7ZrGMvvvGGXNnX3uijAqrmypt1n5Y77bRMGEGn",
        ),
        (
            "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
            "0",
            "5B935HxdKxHmnEfpj3qyauwtE39Fhg1LgPCW7FBjirHf",
        ),
        (
            "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
            "june-1",
            "Dxpcbn3WhYC35rGzvTFsFuq4PKjC8gTfzJrHqwF31Win",
        ),
        (
            "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
            "abcdefghijklmnopqrstuvwxyz-01234",
            "JAP5sjCEnz8bUuzdFkaoAVsuWJgFSBi3Beheu58kc2d6",
        ),
    ];

    /// What a cluster's `getMinimumBalanceForRentExemption` says of 200 bytes.
    #[test]
    fn rent_is_that_of_a_stake_account() {
        assert_eq!(STAKE_RENT, 2_282_880);
    }

    #[test]
    fn seeds_have_one_form() {
        let longest = "s".repeat(SEED_LIMIT);
        for text in ["0", "june-1", "-", &longest] {
            let seed: StakeSeed = text.parse().expect(text);
            assert_eq!(seed.to_string(), text);
            assert_eq!(from_canonical(&to_canonical(&seed)), Ok(seed));
        }
        let too_long = "s".repeat(SEED_LIMIT + 1);
        for text in [
            "", " ", "A", "a b", "a_b", "a.b", "\u{e9}", "a\n", "@a", &too_long,
        ] {
            assert_eq!(text.parse::<StakeSeed>(), Err(StakeSeedError), "{text:?}");
            assert!(from_canonical::<StakeSeed>(&to_canonical(&text)).is_err());
        }
    }
}
