//! Generated messages of the stake program: each template as it must be, and what can be wrong with one. A message
//! that is none of them as a whole is refused, so the changes that belong to every message are made here too.

use waiaas_shared::solana::StakeSeed;

use crate::random::Random;
use crate::solana::{Draft, Key, SYSTEM, Told, Use, Version, key, memo, settings};
use crate::verdict::Case;

/// The least that a stake account holds besides what is staked.
const RENT: u64 = 2_282_880;
const STAKE: &str = "Stake11111111111111111111111111111111111111";

fn clock() -> Use {
    Use(key("SysvarC1ock11111111111111111111111111111111"), false)
}

fn rent() -> Use {
    Use(key("SysvarRent111111111111111111111111111111111"), false)
}

fn history() -> Use {
    Use(key("SysvarStakeHistory1111111111111111111111111"), false)
}

fn config() -> Use {
    Use(key("StakeConfig11111111111111111111111111111111"), false)
}

/// SHA-256 over wallet, seed and program, written here once more.
fn account(wallet: Key, seed: &str) -> Key {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    hash.update(wallet);
    hash.update(seed);
    hash.update(key(STAKE));
    hash.finalize().into()
}

fn seed(random: &mut Random) -> String {
    const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-";
    let length = random.pick(&[1, 6, 31, 32]);
    (0..length)
        .map(|_| char::from(random.pick(CHARACTERS)))
        .collect()
}

/// A template, and the seed that is known with it.
fn template(random: &mut Random, wallet: Key) -> (StakeSeed, Vec<Told>) {
    let seed = seed(random);
    let account = account(wallet, &seed);
    let program = key(STAKE);
    let told = match random.below(3) {
        0 => delegate(random, wallet, &seed, account),
        1 => vec![Told {
            program,
            uses: vec![Use(account, true), clock(), Use(wallet, true)],
            data: vec![5, 0, 0, 0],
        }],
        _ => {
            let amount = random.pick(&[1, RENT, 1 << 40, u64::MAX]);
            let own = Use(wallet, true);
            vec![Told {
                program,
                uses: vec![Use(account, true), own.clone(), clock(), history(), own],
                data: [&[4, 0, 0, 0][..], &amount.to_le_bytes()].concat(),
            }]
        }
    };
    let known = if random.chance(95) {
        seed.as_str()
    } else {
        "another"
    };
    (known.parse().unwrap(), told)
}

fn delegate(random: &mut Random, wallet: Key, seed: &str, account: Key) -> Vec<Told> {
    let program = key(STAKE);
    let amount = random.pick(&[1, 1 << 20, 1 << 50, u64::MAX - RENT]);
    let create = [
        &[3, 0, 0, 0][..],
        &wallet,
        &u64::try_from(seed.len()).unwrap().to_le_bytes(),
        seed.as_bytes(),
        &(RENT + amount).to_le_bytes(),
        &200_u64.to_le_bytes(),
        &program,
    ];
    let validator = random.bytes();
    vec![
        Told {
            program: SYSTEM,
            uses: vec![Use(wallet, true), Use(account, true)],
            data: create.concat(),
        },
        Told {
            program,
            uses: vec![Use(account, true), rent()],
            data: [&[0; 4][..], &wallet, &wallet, &[0; 48]].concat(),
        },
        Told {
            program,
            uses: vec![
                Use(account, true),
                Use(validator, false),
                clock(),
                history(),
                config(),
                Use(wallet, true),
            ],
            data: vec![2, 0, 0, 0],
        },
    ]
}

/// A template of the stake program, which the wallet pays for itself but now and then.
pub(crate) fn staked(
    random: &mut Random,
    wallet: Key,
    version: Version,
    sponsor: Option<Key>,
    case: Case,
) -> Draft {
    let (seed, mut told) = template(random, wallet);
    if version != Version::One || random.chance(5) {
        settings(random, &mut told);
    }
    let pool = told
        .iter()
        .flat_map(|one| one.uses.iter().map(|used| used.0));
    let pool = pool.chain([wallet, SYSTEM, memo()]).collect();
    Draft {
        case: Case {
            seed: Some(seed),
            ..case
        },
        wallet,
        pool,
        told,
        unused: Vec::new(),
        version,
        sponsor: sponsor.filter(|_| random.chance(20)),
    }
}

/// Whether the message calls the stake program.
pub(crate) fn is_one(draft: &Draft) -> bool {
    let program = key(STAKE);
    draft.told.iter().any(|told| told.program == program)
}

/// One of what makes a template another: an amount, a size, an owner, an authority, an account, a lockup.
pub(crate) fn change(random: &mut Random, draft: &mut Draft) {
    let any = random.below(draft.told.len().max(1));
    // Mostly where numbers stand: the creation, or the withdrawal.
    let longest = (0..draft.told.len()).max_by_key(|at| draft.told[*at].data.len());
    let at = longest.filter(|_| random.chance(60)).unwrap_or(any);
    let (own, other): (Key, Key) = (draft.wallet, random.bytes());
    let elsewhere = account(own, &seed(random));
    let Some(told) = draft.told.get_mut(at) else {
        return;
    };
    let length = told.data.len();
    match random.below(11) {
        // What it begins with: another instruction, those that hand over among them.
        0 => {
            if let Some(first) = told.data.first_mut() {
                *first = random.byte() % 19;
            }
        }
        // Lamports, size and owner stand at the end of a creation; amount at that of a withdrawal.
        1 | 2 => {
            let ends = if length > 40 { [48, 48, 40] } else { [8; 3] };
            let place = length.saturating_sub(random.pick(&ends));
            let new = random.pick(&[0, 0, 1, 199, 201, RENT, RENT + 1, u64::MAX]);
            if let Some(number) = told.data.get_mut(place..place + 8) {
                number.copy_from_slice(&new.to_le_bytes());
            }
        }
        // Whose: base, staker, withdrawer, custodian, owner.
        3 | 4 => {
            let place = random.pick(&[4, 36, 84, length.saturating_sub(32)]);
            let new = random.pick(&[own, other, SYSTEM, key(STAKE)]);
            if let Some(whose) = told.data.get_mut(place..place + 32) {
                whose.copy_from_slice(&new);
            }
        }
        // A time until which it would be locked up.
        5 => {
            if let Some(byte) = told.data.get_mut(68 + random.below(16)) {
                *byte = random.pick(&[0, 1, 0xff]);
            }
        }
        // The seed as it is written, or how long it is said to be.
        6 => {
            let place = random.pick(&[36, 44, 45]);
            if let Some(byte) = told.data.get_mut(place) {
                *byte = random.pick(&[b'a', b'A', b'_', b'-', 0, 0xc3, 33]);
            }
        }
        // Another account of the wallet's, wherever this one is named.
        7 => {
            let named = draft.told.iter().filter_map(|told| told.uses.first());
            let named = named.map(|used| used.0).find(|key| *key != own);
            for used in draft.told.iter_mut().flat_map(|told| &mut told.uses) {
                if Some(used.0) == named {
                    used.0 = elsewhere;
                }
            }
        }
        8 => draft.case.seed = None,
        // The custodian of a lockup, or anything else behind.
        9 => told.uses.push(Use(other, random.chance(50))),
        _ => {
            let place = random.below(told.uses.len().max(1));
            if let Some(used) = told.uses.get_mut(place) {
                *used = Use(random.pick(&[own, other, SYSTEM]), random.chance(50));
            }
        }
    }
}
