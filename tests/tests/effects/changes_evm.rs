//! What can be wrong with an EVM transaction: its fields, its call data, its form, its type, and what owners
//! registered. Some changes leave it legal; which, both calculators must find by themselves.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::ChainId;

use crate::evm::{Draft, Item, prefix, right, selector, trimmed};
use crate::random::Random;

/// Functions that nobody may call, and some that only begin alike.
const OTHERS: [&str; 12] = [
    "transferFrom(address,address,uint256)",
    "increaseAllowance(address,uint256)",
    "setApprovalForAll(address,bool)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "approve(address,address,uint160,uint48)",
    "multicall(bytes[])",
    "execute(address,uint256,bytes)",
    "safeTransferFrom(address,address,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    "transfer(address,uint256)",
    "approve(address,uint256)",
    "safeTransferFrom(address,address,uint256)",
];

/// Around every width and limit.
const NUMBERS: [u128; 26] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    20_999,
    21_000,
    100_000,
    100_001,
    500_000,
    500_001,
    (1 << 32) - 1,
    1 << 32,
    (1 << 64) - 2,
    (1 << 64) - 1,
    1 << 64,
    (1 << 96) - 1,
    1 << 96,
    1 << 103,
    1 << 109,
    1 << 112,
    1 << 120,
    1 << 127,
    u128::MAX - 1,
    u128::MAX,
];

/// Where numbers stand.
const NUMERIC: [usize; 6] = [0, 1, 2, 3, 4, 6];

pub(crate) fn draft(random: &mut Random, draft: &mut Draft) {
    match random.below(20) {
        0..=2 => {
            let place = random.pick(&NUMERIC);
            set(draft, place, Item::number(random.pick(&NUMBERS)));
        }
        3 => {
            let wide = [&[1][..], &random.bytes::<16>()].concat();
            let place = random.pick(&NUMERIC);
            set(
                draft,
                place,
                Item::Bytes(random.pick(&[wide, vec![0xff; 32]])),
            );
        }
        4 | 5 => recipient(random, draft),
        6..=10 => call_data(random, draft),
        11 => access_list(random, draft),
        12 | 13 => form(random, draft),
        14 => count(random, draft),
        15 | 16 => kind(random, draft),
        17 => draft.tail = random.pick(&[vec![0], vec![0xc0], vec![0x80; 3]]),
        18 => facts(random, draft),
        _ => draft.long = true,
    }
}

fn set(draft: &mut Draft, place: usize, item: Item) {
    if let Some(field) = draft.fields.get_mut(place) {
        *field = item;
    }
}

/// The address of nobody, a precompile, a rollup's own, the first that anybody may have.
fn nobody(random: &mut Random) -> [u8; 20] {
    let number = random.pick(&[0_u32, 1, 9, 0x100, 0x8001, 0xffff, 0x1_0000]);
    let mut address = [0; 20];
    address[16..].copy_from_slice(&number.to_be_bytes());
    address
}

fn recipient(random: &mut Random, draft: &mut Draft) {
    let address = match random.below(6) {
        0 => vec![],
        1 => random.bytes::<19>().to_vec(),
        2 => random.bytes::<21>().to_vec(),
        3 => draft.wallet.to_vec(),
        _ => nobody(random).to_vec(),
    };
    set(draft, 5, Item::Bytes(address));
}

fn call_data(random: &mut Random, draft: &mut Draft) {
    let (wallet, nobody) = (draft.wallet, nobody(random));
    let contract = match draft.fields.get(5) {
        Some(Item::Bytes(contract)) if contract.len() <= 32 => right(contract),
        _ => [0; 32],
    };
    let Some(data) = draft.data() else {
        return;
    };
    let words = data.len().saturating_sub(4) / 32;
    let last = words.saturating_sub(1);
    // Mostly whom it names first, and how much it names last.
    let any = random.below(words.max(1));
    let word = 4 + 32 * random.pick(&[0, 0, last.min(1), last, any]);
    match random.below(16) {
        0 => {
            data.pop();
        }
        1 => data.push(0),
        2 => data.extend(random.pick(&[vec![0_u8; 32], vec![0; 31], vec![1; 64]])),
        3 => data.truncate(random.pick(&[1, 3, 4, 5, 36])),
        4 => {
            if let Some(begins) = data.first_chunk_mut::<4>() {
                *begins = selector(random.pick(&OTHERS));
            }
        }
        5 => {
            let at = random.below(4);
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        // Where an address or a small number has its padding.
        6 | 7 => {
            let at = word + random.below(16);
            if let Some(byte) = data.get_mut(at) {
                *byte = random.pick(&[1, 0x80, 0xff]);
            }
        }
        8..=13 if words > 0 => {
            let none = right(&nobody);
            let (limit, most, beyond) = ((1_u128 << 96) - 1, u128::MAX, [0xff; 17]);
            let new = random.pick(&[
                right(&wallet),
                contract,
                none,
                [0xff; 32],
                [0; 32],
                right(&limit.to_be_bytes()),
                right(&most.to_be_bytes()),
                right(&beyond),
            ]);
            data[word..word + 32].copy_from_slice(&new);
        }
        14 if words > 1 => {
            let other = 4 + 32 * random.below(words);
            for place in 0..32 {
                data.swap(word + place, other + place);
            }
        }
        _ => {
            // A call where there was none, or wei beside one.
            if data.is_empty() {
                data.extend(selector(random.pick(&OTHERS)));
                data.extend(right(&random.bytes::<20>()));
                data.extend(right(&[random.byte()]));
            } else {
                let value = random.pick(&[1, 1 << 40]);
                set(draft, 6, Item::number(value));
            }
        }
    }
}

fn access_list(random: &mut Random, draft: &mut Draft) {
    let entry = Item::List(vec![
        Item::Bytes(random.bytes::<20>().to_vec()),
        Item::List(vec![Item::Bytes(random.bytes::<32>().to_vec())]),
    ]);
    let list = random.pick(&[
        Item::List(vec![entry.clone()]),
        Item::List(vec![entry.clone(), entry]),
        Item::List(vec![Item::List(vec![])]),
        Item::Bytes(vec![]),
        Item::Bytes(vec![1]),
    ]);
    set(draft, 8, list);
}

/// One field in another form.
fn form(random: &mut Random, draft: &mut Draft) {
    let place = random.below(draft.fields.len().max(1));
    let Some(field) = draft.fields.get(place).cloned() else {
        return;
    };
    let content = match &field {
        Item::Bytes(bytes) | Item::Raw(bytes) => bytes.clone(),
        Item::List(_) => vec![],
    };
    let length = content.len();
    let short = u8::try_from(length % 56).unwrap_or_default();
    let new = match random.below(7) {
        // Zeros in front.
        0 => Item::Bytes([&[0][..], &content].concat()),
        1 => Item::Bytes([&[0, 0, 0][..], &content].concat()),
        // A length of its own where none or a shorter one is due.
        2 => Item::Raw([&[0x80 + short.max(1)][..], &content].concat()),
        3 => Item::Raw(
            [
                &[0xb8, u8::try_from(length % 256).unwrap_or_default()][..],
                &content,
            ]
            .concat(),
        ),
        4 => {
            let digits = trimmed(&length.to_be_bytes());
            let size = 0xb7 + 1 + u8::try_from(digits.len()).unwrap_or_default();
            Item::Raw([&[size, 0][..], &digits, &content].concat())
        }
        // A list in its place, or around it.
        5 => Item::List(vec![field]),
        _ => Item::Raw([prefix(0xc0, length), content].concat()),
    };
    set(draft, place, new);
}

/// Fields that are missing, or more than there should be.
fn count(random: &mut Random, draft: &mut Draft) {
    let place = random.below(draft.fields.len().max(1));
    match random.below(4) {
        0 if !draft.fields.is_empty() => {
            draft.fields.remove(place);
        }
        1 => draft.fields.push(Item::number(random.pick(&[0, 1, 27]))),
        // Signed already.
        2 => {
            draft.fields.push(Item::number(1));
            draft
                .fields
                .push(Item::Bytes(random.bytes::<32>().to_vec()));
            draft
                .fields
                .push(Item::Bytes(random.bytes::<32>().to_vec()));
        }
        _ => {
            let other = random.below(draft.fields.len().max(1));
            if !draft.fields.is_empty() {
                draft.fields.swap(place, other);
            }
        }
    }
}

/// The same wish as another type.
fn kind(random: &mut Random, draft: &mut Draft) {
    let [chain, nonce, _, fee, gas, to, value, data, access] = draft.fields.as_slice() else {
        draft.kind = Some(random.byte());
        return;
    };
    let (chain, nonce, fee, gas) = (chain.clone(), nonce.clone(), fee.clone(), gas.clone());
    let (to, value, data, access) = (to.clone(), value.clone(), data.clone(), access.clone());
    draft.legacy = false;
    let legacy = vec![
        nonce.clone(),
        fee.clone(),
        gas.clone(),
        to.clone(),
        value.clone(),
        data.clone(),
    ];
    match random.below(7) {
        // Before EIP-155, and with it.
        0 => (draft.kind, draft.fields) = (None, legacy),
        1 => {
            let replay = [chain, Item::Bytes(vec![]), Item::Bytes(vec![])];
            (draft.kind, draft.fields) = (None, [legacy, replay.to_vec()].concat());
        }
        2 => (draft.kind, draft.fields) = (Some(1), [vec![chain], legacy, vec![access]].concat()),
        3 => {
            let hash = Item::List(vec![Item::Bytes(vec![1; 32])]);
            draft.kind = Some(3);
            draft.fields.extend([fee, hash]);
        }
        4 => {
            draft.kind = Some(4);
            draft.fields.push(Item::List(vec![]));
        }
        5 => draft.kind = None,
        _ => draft.kind = Some(random.pick(&[0, 1, 3, 4, 5, 0x7f, 0x80, 0xbf, 0xc0, 0xff])),
    }
}

/// Another wallet or chain, and what owners registered otherwise.
fn facts(random: &mut Random, draft: &mut Draft) {
    let case = &mut draft.case;
    match random.below(6) {
        0 => case.function = None,
        1 => case.chain = ChainId::Evm(random.pick(&[0, 1, 5, 31_337])),
        2 => case.wallet = Account::Evm(EvmAddress::from_bytes(random.bytes())),
        3 => {
            if let Some(known) = &mut case.function {
                known.contract = EvmAddress::from_bytes(random.bytes());
            }
        }
        4 => {
            if let Some(known) = &mut case.function {
                known.function = random
                    .pick(&["f()", "deposit(uint256)", "many_msg_babbage(bytes1)"])
                    .parse()
                    .unwrap();
                known.spends = vec![None; known.function.parameters().len()];
            }
        }
        _ => {
            if let Some(known) = &mut case.function {
                // An amount that counts, where it is one.
                known.spends.iter_mut().for_each(|asset| *asset = None);
            }
        }
    }
}
