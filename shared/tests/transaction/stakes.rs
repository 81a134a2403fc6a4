//! Templates of the stake program: every small change of each, every discriminator, every order and omission of
//! its instructions, and claims, which never make bytes do more.

use proptest::prelude::*;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana::build::{StakingRequest, staking};
use waiaas_shared::solana::{STAKE_RENT, SolanaError, StakeAccount, StakeSeed, Staking};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{solana_chain, solana_wallet};

const AMOUNT: u64 = 0x0102_0304_0506_0708;

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn lamports(units: u64) -> Amount {
    Amount::from_base_units(units.into())
}

fn seed() -> StakeSeed {
    "june-1".parse().unwrap()
}

fn account() -> StakeAccount {
    StakeAccount::of(solana_wallet(), seed())
}

fn templates() -> [Staking; 3] {
    let amount = lamports(AMOUNT);
    [
        Staking::Delegate {
            validator: address(0xa1),
            amount,
        },
        Staking::Deactivate,
        Staking::Withdraw { amount },
    ]
}

fn build_as(account: &StakeAccount, staking_of: Staking) -> Result<Vec<u8>, SolanaError> {
    staking(&StakingRequest {
        from: solana_wallet(),
        account,
        staking: staking_of,
        blockhash: [0xb2; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 100_000,
    })
}

fn built(staking: Staking) -> Vec<u8> {
    build_as(&account(), staking).unwrap()
}

fn read(bytes: &[u8], seed: Option<&StakeSeed>) -> Result<DecodedTransaction, DecodeError> {
    let known = Known::NOTHING.staking(seed);
    let wallet = Account::Solana(solana_wallet());
    decode(solana_chain(), wallet, bytes, known)
}

fn effects(staking: Staking, fee: u128) -> Vec<Effect> {
    let asset = solana_chain().native_asset();
    let rent = matches!(staking, Staking::Delegate { .. }).then(|| Effect::Rent {
        asset,
        amount: lamports(STAKE_RENT),
    });
    let stake = Effect::Stake {
        asset,
        account: account(),
        staking,
    };
    let max = Amount::from_base_units(fee);
    let fee = Effect::Fee { asset, max };
    rent.into_iter().chain([stake, fee]).collect()
}

#[test]
fn what_is_built_is_read_back_of_stakes() {
    for staking in templates() {
        let bytes = built(staking);
        let decoded = read(&bytes, Some(&seed())).unwrap();
        assert_eq!(decoded.effects(), effects(staking, 5000 + 8000));
        assert_eq!(decoded.bytes(), bytes);
        // What leaves is counted in full, with the rent; what comes back is nothing.
        let leaves: u128 = decoded
            .effects()
            .iter()
            .map(|effect| effect.amount().base_units())
            .sum();
        let staked = match staking {
            Staking::Delegate { .. } => u128::from(AMOUNT + STAKE_RENT),
            _ => 0,
        };
        assert_eq!(leaves, staked + 13_000);
    }
}

/// Every change of one byte is refused, or falls into a field whose every value is described: blockhash, unit
/// limit and price, what is staked or withdrawn, and the validator.
#[test]
fn single_byte_changes_stakes() {
    for staking in templates() {
        let original = built(staking);
        let mut accepted = 0;
        for position in 0..original.len() {
            for value in 0..=255_u8 {
                let mut changed = original.clone();
                changed[position] = value;
                let (Ok(decoded), true) = (read(&changed, Some(&seed())), changed != original)
                else {
                    continue;
                };
                accepted += 1;
                // Whatever is accepted is what the builder makes of the effects that were read.
                let Some(Effect::Stake {
                    account: found,
                    staking: told,
                    ..
                }) = decoded
                    .effects()
                    .iter()
                    .find(|effect| matches!(effect, Effect::Stake { .. }))
                else {
                    panic!("byte {position} became {value}: {:?}", decoded.effects())
                };
                assert_eq!(*found, account(), "byte {position} became {value}");
                assert_eq!(
                    std::mem::discriminant(told),
                    std::mem::discriminant(&staking),
                    "byte {position} became {value}"
                );
                let free = 4 + 32 * usize::from(original[3]);
                let settings = free + 33;
                let of_fee = (free..free + 32).contains(&position)
                    || (settings + 4..settings + 8).contains(&position)
                    || (settings + 12..settings + 20).contains(&position);
                assert!(
                    of_fee != (*told != staking),
                    "byte {position} became {value} and changed nothing, or too much"
                );
            }
        }
        // 32 + 4 + 8 bytes of blockhash, limit and price, most of them free; and the amounts.
        assert!(accepted > 36 * 200, "the free fields are free: {accepted}");
    }
}

#[test]
fn every_truncation_and_extension_of_stakes_is_refused() {
    for staking in templates() {
        let bytes = built(staking);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], Some(&seed())).is_err(), "{length}");
            assert!(read(&bytes[length + 1..], Some(&seed())).is_err());
        }
        for value in 0..=255 {
            assert!(read(&[&bytes[..], &[value]].concat(), Some(&seed())).is_err());
            assert!(read(&[&[value], &bytes[..]].concat(), Some(&seed())).is_err());
        }
    }
}

/// The instructions of a message of ours, each with its program, accounts and data as they stand in the bytes.
struct Parts {
    head: Vec<u8>,
    instructions: Vec<Vec<u8>>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let at = 4 + 32 * usize::from(bytes[3]) + 32;
        let mut rest = &bytes[at + 1..];
        let mut instructions = Vec::new();
        for _ in 0..bytes[at] {
            let accounts = usize::from(rest[1]);
            let length = rest[2 + accounts];
            assert!(length < 0x80, "its length takes one byte");
            let (one, behind) = rest.split_at(3 + accounts + usize::from(length));
            instructions.push(one.to_vec());
            rest = behind;
        }
        assert!(rest.is_empty());
        Self {
            head: bytes[..at].to_vec(),
            instructions,
        }
    }

    fn with(&self, order: &[usize]) -> Vec<u8> {
        let count = u8::try_from(order.len()).unwrap();
        let body = order.iter().flat_map(|place| &self.instructions[*place]);
        self.head
            .iter()
            .copied()
            .chain([count])
            .chain(body.copied())
            .collect()
    }
}

/// Every selection and order of up to five of a template's instructions, settings among them: the template's own
/// instructions must all be there, once, in their order, wherever the settings stand.
#[test]
fn every_other_sequence_of_stakes_is_refused() {
    for staking in templates() {
        let parts = Parts::of(&built(staking));
        let count = parts.instructions.len();
        let template: Vec<usize> = (2..count).collect();
        let mut accepted = 0;
        for length in 0..=count {
            for number in 0..count.pow(u32::try_from(length).unwrap()) {
                let order: Vec<usize> = (0..length)
                    .scan(number, |rest, _| {
                        let place = *rest % count;
                        *rest /= count;
                        Some(place)
                    })
                    .collect();
                let Ok(decoded) = read(&parts.with(&order), Some(&seed())) else {
                    continue;
                };
                accepted += 1;
                let own: Vec<usize> = order.iter().copied().filter(|place| *place >= 2).collect();
                assert_eq!(own, template, "{order:?}");
                assert!(decoded.effects().len() <= 3);
            }
        }
        // Both settings in any place among the template's instructions. Without a setting its program is an
        // account without a use, so one of them at least stands there: n + 1 places for either alone, and
        // (n + 1) (n + 2) for both.
        let places = template.len() + 1;
        assert_eq!(accepted, 2 * places + places * (places + 1));
    }
}

/// All discriminators of the stake program at each place where one stands, each with data lengths up to 120: no
/// other than the template's own passes, and only at its own length.
#[test]
fn all_discriminators_of_stakes() {
    for staking in templates() {
        let parts = Parts::of(&built(staking));
        let first = parts.instructions.len() - if parts.instructions.len() == 5 { 2 } else { 1 };
        for place in first..parts.instructions.len() {
            let own = &parts.instructions[place];
            let accounts = 2 + usize::from(own[1]);
            let own_data = &own[accounts + 1..];
            let numbers = (0..=40_u32).chain([255, 256, 258, 0x0100_0002, 0x8000_0005, u32::MAX]);
            for number in numbers {
                for length in 0..=120_usize {
                    let mut data = number.to_le_bytes().to_vec();
                    data.extend(own_data.get(4..).unwrap_or_default());
                    data.resize(length, 0);
                    let mut changed = Parts {
                        head: parts.head.clone(),
                        instructions: parts.instructions.clone(),
                    };
                    changed.instructions[place] =
                        [&own[..accounts], &[u8::try_from(length).unwrap()], &data].concat();
                    let all: Vec<usize> = (0..parts.instructions.len()).collect();
                    assert_eq!(
                        read(&changed.with(&all), Some(&seed())).is_ok(),
                        data == own_data,
                        "{staking:?}, place {place}: {number} with {length} bytes"
                    );
                }
            }
        }
    }
}

/// Accounts that differ in one bit from the template's. The validator is free: policy says who it may be.
#[test]
fn near_accounts_of_stakes_are_refused() {
    for staking in templates() {
        let original = built(staking);
        for place in 0..usize::from(original[3]) {
            let free = matches!(staking, Staking::Delegate { validator, .. }
                if original[4 + place * 32..].starts_with(validator.as_bytes()));
            for bit in 0..256 {
                let mut bytes = original.clone();
                bytes[4 + place * 32 + bit / 8] ^= 1 << (bit % 8);
                assert_eq!(
                    read(&bytes, Some(&seed())).is_ok(),
                    free,
                    "{place}, bit {bit}"
                );
            }
        }
    }
}

fn asked(action: Action, to: SolanaAddress, amount: u64) -> Claim {
    Claim::of(Transfer {
        action,
        asset: solana_chain().native_asset(),
        to: Account::Solana(to),
        amount: lamports(amount),
        mint: None,
        call: None,
        stake: Some(account()),
        program: None,
    })
}

/// A claim is compared in full; of what comes back it says nothing but out of which account.
#[test]
fn a_stake_is_done_by_nothing_else() {
    let own = account().address();
    let claims = [
        asked(Action::Stake, address(0xa1), AMOUNT),
        asked(Action::Unstake, own, 0),
        asked(Action::WithdrawStake, own, 0),
    ];
    for (place, staking) in templates().into_iter().enumerate() {
        let done = read(&built(staking), Some(&seed())).unwrap();
        for (other, claim) in claims.iter().enumerate() {
            assert_eq!(claim.is_done_by(&done), place == other, "{place} {other}");
        }
    }
    let done = |staking| read(&built(staking), Some(&seed())).unwrap();
    let back = done(Staking::Withdraw {
        amount: lamports(1),
    });
    assert!(claims[2].is_done_by(&back), "however much comes back");
    let (validator, amount) = (address(0xa1), lamports(AMOUNT + 1));
    let more = done(Staking::Delegate { validator, amount });
    assert!(!claims[0].is_done_by(&more));
    let (validator, amount) = (address(0xa2), lamports(AMOUNT));
    let other = done(Staking::Delegate { validator, amount });
    assert!(!claims[0].is_done_by(&other));
    let elsewhere = StakeAccount::of(solana_wallet(), "june-2".parse().unwrap());
    for (claim, staking) in claims.iter().zip(templates()) {
        let bytes = build_as(&elsewhere, staking).unwrap();
        let done = read(&bytes, Some(elsewhere.seed())).unwrap();
        assert!(!claim.is_done_by(&done), "another account");
    }
}

#[test]
fn builders_refuse_what_decoders_refuse_of_stakes() {
    let build = |staking| build_as(&account(), staking).err();
    let stake = |validator, amount| build(Staking::Delegate { validator, amount });
    let back = |amount| build(Staking::Withdraw { amount });
    assert_eq!(
        stake(address(1), lamports(0)),
        Some(SolanaError::StakeAmount)
    );
    let most = u64::MAX - STAKE_RENT;
    assert_eq!(stake(address(1), lamports(most)), None);
    let above = Some(SolanaError::StakeAmount);
    assert_eq!(stake(address(1), lamports(most + 1)), above);
    assert_eq!(stake(address(1), Amount::MAX), above);
    assert_eq!(back(lamports(0)), above);
    assert_eq!(back(Amount::MAX), above);
    let twice = Some(SolanaError::DuplicateAccount);
    assert_eq!(stake(solana_wallet(), lamports(1)), twice);
    assert_eq!(stake(account().address(), lamports(1)), twice);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_stake_is_read_back(
        validator: [u8; 32], amount in 1..u64::MAX - STAKE_RENT, text in "[a-z0-9-]{1,32}",
        other in "[a-z0-9-]{1,32}", kind in 0..3_u8,
    ) {
        let seed: StakeSeed = text.parse().unwrap();
        let account = StakeAccount::of(solana_wallet(), seed.clone());
        let amount = lamports(amount);
        let validator = SolanaAddress::from_bytes(validator);
        let staking = match kind {
            0 => Staking::Delegate { validator, amount },
            1 => Staking::Deactivate,
            _ => Staking::Withdraw { amount },
        };
        let bytes = build_as(&account, staking).unwrap();
        let decoded = read(&bytes, Some(&seed)).unwrap();
        let found = decoded.effects().iter().find(|effect| matches!(effect, Effect::Stake { .. }));
        let expected = Effect::Stake { asset: solana_chain().native_asset(), account, staking };
        prop_assert_eq!(found, Some(&expected));
        // Another seed, or none: what is asked of an account that is there reads as nothing. A stake names its own.
        let other: StakeSeed = other.parse().unwrap();
        let names_its_own = kind == 0 || other == seed;
        prop_assert_eq!(read(&bytes, Some(&other)).is_ok(), names_its_own);
        prop_assert_eq!(read(&bytes, None).is_ok(), kind == 0);
    }
}
