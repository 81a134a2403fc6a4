//! What can be wrong with a Solana message: in what it says (`draft`), and in how it is written (`message`).
//! Some changes leave it legal; which, both calculators must find by themselves.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::solana::TokenProgram;

use crate::random::Random;
use crate::solana::{Draft, Message, SYSTEM, Told, Use, Version, budget, memo};

/// Memos that are none, and some that are.
const TEXTS: [&[u8]; 12] = [
    b"",
    b" a",
    b"a ",
    b"a  b",
    b"a|b",
    b"a\nb",
    b"a\x7f",
    b"a\0",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"~",
    b"a b c",
];

pub(crate) fn draft(random: &mut Random, draft: &mut Draft) {
    let count = draft.told.len();
    let at = random.below(count.max(1));
    match random.below(26) {
        0 => {
            let program = random.pick(&draft.pool);
            one(draft, at, |told| told.program = program);
        }
        1 | 2 => {
            let (place, change) = (random.below(32), random.pick(&[1, 2, 4, 0x80, 0xff]));
            one(draft, at, |told| {
                let length = told.data.len().max(1);
                if let Some(byte) = told.data.get_mut(place % length) {
                    *byte ^= change;
                }
            });
        }
        3 => {
            let more = random.chance(50);
            one(draft, at, |told| {
                if more {
                    told.data.push(0);
                } else {
                    told.data.pop();
                }
            });
        }
        4 if count > 1 => {
            draft.told.remove(at);
        }
        5 => {
            if let Some(told) = draft.told.get(at).cloned() {
                draft.told.insert(random.below(count), told);
            }
        }
        6 => {
            let other = random.below(count.max(1));
            if count > 0 {
                draft.told.swap(at, other);
            }
        }
        7 => one(draft, at, |told| {
            told.uses.pop();
        }),
        8 => {
            let more = Use(random.pick(&draft.pool), random.chance(50));
            one(draft, at, |told| told.uses.push(more));
        }
        9 | 10 => {
            let (place, key) = (random.below(8), random.pick(&draft.pool));
            one(draft, at, |told| {
                let length = told.uses.len().max(1);
                if let Some(used) = told.uses.get_mut(place % length) {
                    used.0 = key;
                }
            });
        }
        11 => {
            let (one, other) = (random.below(8), random.below(8));
            if let Some(told) = draft.told.get_mut(at) {
                let length = told.uses.len().max(1);
                if told.uses.len() > 1 {
                    told.uses.swap(one % length, other % length);
                }
            }
        }
        12..=14 => flip_writable(random, draft, at),
        15 => {
            let unused = Use(random.bytes(), random.chance(50));
            draft.unused.push(unused);
        }
        16 => system(random, draft),
        17 => setting(random, draft),
        18 => {
            // One that is none, or mostly a second one.
            let plain = random.chance(40);
            let text = random.pick(&TEXTS);
            let data = if plain { &b"a b c"[..] } else { text }.to_vec();
            let mut uses = Vec::new();
            if random.chance(20) {
                uses.push(Use(draft.wallet, true));
            }
            let program = memo();
            let place = random.below(count + 1);
            draft.told.insert(
                place,
                Told {
                    program,
                    uses,
                    data,
                },
            );
        }
        19 => draft.told.retain(|told| told.data.len() < 10),
        20 => facts(random, draft),
        21 => {
            let wallet = SolanaAddress::from_bytes(random.pick(&draft.pool));
            draft.case.wallet = Account::Solana(wallet);
        }
        22 => {
            draft.version = random.pick(&[Version::Legacy, Version::Zero, Version::One]);
            if random.chance(30) {
                draft.case.sponsored ^= true;
            }
        }
        // Back to the wallet: as recipient of lamports, or by its own account for a token.
        23 => {
            let wallet = draft.wallet;
            one(draft, at, |told| match told.uses.as_mut_slice() {
                [_, to] => to.0 = wallet,
                [own, _, to, _] => to.0 = own.0,
                _ => {}
            });
        }
        24 => {
            let price = random.pick(&[13_176_245_766_935, 13_176_245_766_936, u64::MAX]);
            let limit = [&[2][..], &1_400_000_u32.to_le_bytes()].concat();
            let price = [&[3][..], &price.to_le_bytes()].concat();
            let program = budget();
            draft.told.retain(|told| told.program != program);
            for data in [limit, price] {
                let uses = vec![];
                draft.told.push(Told {
                    program,
                    uses,
                    data,
                });
            }
        }
        // Long, so that a packet is too small for it.
        _ => {
            let place = random.below(count.max(1));
            if let Some(told) = draft.told.get(place).cloned() {
                let times = random.pick(&[1, 10, 30]);
                draft.told.extend(std::iter::repeat_n(told, times));
            }
        }
    }
}

fn one(draft: &mut Draft, at: usize, change: impl FnOnce(&mut Told)) {
    if let Some(told) = draft.told.get_mut(at) {
        change(told);
    }
}

/// Of one account, wherever it is named.
fn flip_writable(random: &mut Random, draft: &mut Draft, at: usize) {
    let Some(told) = draft.told.get(at) else {
        return;
    };
    if told.uses.is_empty() {
        return;
    }
    let Use(key, writable) = random.pick(&told.uses);
    for told in &mut draft.told {
        for used in &mut told.uses {
            if used.0 == key {
                used.1 = !writable;
            }
        }
    }
}

/// Another instruction of the System program: nonces, assignments, accounts.
fn system(random: &mut Random, draft: &mut Draft) {
    let discriminator = u32::try_from(random.below(14)).unwrap();
    let mut data = discriminator.to_le_bytes().to_vec();
    data.extend(random.bytes::<8>());
    data.truncate(random.pick(&[4, 12, 12]));
    let uses = vec![Use(draft.wallet, true), Use(random.pick(&draft.pool), true)];
    let told = Told {
        program: SYSTEM,
        uses,
        data,
    };
    // A durable nonce is advanced first.
    draft.told.insert(0, told);
}

/// Another setting, or one more.
fn setting(random: &mut Random, draft: &mut Draft) {
    let units = random.pick(&[1, 1_400_000, 1_400_001, u32::MAX]);
    let price = random.pick(&[1, 13_176_245_766_935, 1 << 63, u64::MAX - 5000, u64::MAX]);
    let data = match random.below(4) {
        0 => [&[2][..], &units.to_le_bytes()].concat(),
        1 => [&[3][..], &price.to_le_bytes()].concat(),
        2 => [&[random.byte() % 6][..], &random.bytes::<4>()].concat(),
        _ => vec![random.byte() % 6],
    };
    let program = budget();
    if random.chance(70) {
        // In the place of what it sets.
        let same = |told: &Told| told.program == program && told.data.first() == data.first();
        draft.told.retain(|told| !same(told));
    }
    let uses = vec![];
    draft.told.push(Told {
        program,
        uses,
        data,
    });
}

/// What owners registered, otherwise.
fn facts(random: &mut Random, draft: &mut Draft) {
    let case = &mut draft.case;
    if case.tokens.is_empty() || case.owners.is_empty() {
        return;
    }
    let place = random.below(case.tokens.len());
    if !case.tables.is_empty() && random.chance(50) {
        let place = random.below(case.tables.len());
        let (table, addresses) = &mut case.tables[place];
        match random.below(4) {
            0 => addresses.truncate(random.below(4)),
            1 => addresses.reverse(),
            2 => *table = SolanaAddress::from_bytes(random.bytes()),
            _ => {
                case.tables.remove(place);
            }
        }
        return;
    }
    match random.below(4) {
        0 => case.tokens[place].decimals ^= 1,
        1 => {
            let token = &mut case.tokens[place];
            token.program = match token.program {
                TokenProgram::Token => TokenProgram::Token2022,
                TokenProgram::Token2022 => TokenProgram::Token,
            };
        }
        2 => {
            case.tokens.remove(place);
        }
        _ => {
            case.owners.remove(random.below(case.owners.len()));
        }
    }
}

pub(crate) fn message(random: &mut Random, message: &mut Message) {
    if !message.lookups.is_empty() && random.chance(60) {
        lookups(random, message);
        return;
    }
    let keys = message.keys.len();
    match random.below(12) {
        0 => {
            message.version = random.pick(&[
                vec![],
                vec![0x80],
                vec![0x81],
                vec![0x82],
                vec![0xff],
                vec![0],
                vec![0x80, 0x80],
            ]);
        }
        1 => {
            let place = random.below(3);
            let change = random.pick(&[1, 0xff, 2, 0x40]);
            message.header[place] = message.header[place].wrapping_add(change);
        }
        2 => message.header = [3 - message.header[0].min(2), 0, message.header[2]],
        3 => message.header = [message.header[0], message.header[0], message.header[2]],
        4 => message.keys.swap(random.below(keys), random.below(keys)),
        5 => {
            let (one, other) = (random.below(keys), random.below(keys));
            message.keys[one] = message.keys[other];
        }
        6 => message.long = Some(random.below(2 + 2 * message.instructions.len())),
        7 => {
            // One table, of which an account is written and one is read.
            let table: [u8; 32] = random.bytes();
            message.tail = [&[1][..], &table, &[1, 0, 1, 1]].concat();
        }
        8 => message.tail = random.pick(&[vec![], vec![0], vec![0, 0], vec![0x80, 0]]),
        9 => {
            if let Some(instruction) = message.instructions.first_mut() {
                instruction.0 = random.byte() % 24;
            }
        }
        10 => {
            let mut uses = message.instructions.iter_mut().flat_map(|one| &mut one.1);
            if let Some(index) = uses.next_back() {
                *index = random.byte() % 32;
            }
        }
        _ => message.header[2] = u8::try_from(keys).unwrap(),
    }
}

/// What is looked up, otherwise.
fn lookups(random: &mut Random, message: &mut Message) {
    let place = random.below(message.lookups.len());
    let lookup = &mut message.lookups[place];
    match random.below(9) {
        // An account more, that is loaded already or is not.
        0 => {
            let own = [&lookup.writable[..], &lookup.read_only].concat();
            let index = random.pick(&own);
            lookup.writable.push(index);
        }
        1 => lookup.read_only.push(random.byte() % 8),
        2 => lookup.writable.push(random.byte()),
        // Other rights, or another order.
        3 => std::mem::swap(&mut lookup.writable, &mut lookup.read_only),
        4 => {
            lookup.writable.reverse();
            lookup.read_only.reverse();
        }
        5 => {
            lookup.writable.clear();
            if random.chance(70) {
                lookup.read_only.clear();
            }
        }
        6 => {
            let again = lookup.clone();
            message.lookups.push(again);
        }
        7 => lookup.table[random.below(32)] ^= 1,
        // A listed account is loaded too.
        _ => {
            let listed = random.pick(&message.keys);
            lookup.table = listed;
        }
    }
}
