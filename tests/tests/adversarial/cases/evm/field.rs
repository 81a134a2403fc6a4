//! The fields of a transaction and their encoding (E01 to E06, E16, E17, E20).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;

use super::{CHAIN, VALUE, brought, deny, honest, legacy, requests, terms, to, with};
use crate::bytes::{Rlp, fields, prefix, typed};
use crate::calculator::account_bytes;
use crate::cases::{Case, case};
use crate::long::Rounds;
use crate::raw::Random;
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("E01", chain_ids),
    case("E02", type_bytes),
    case("E03", fees),
    case("E05", recipients),
    case("E06", second_forms),
    case("E16", access_lists),
    case("E17", signatures),
    case("E20", nonces),
];

fn chain_ids(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut payloads = vec![
        ("legacy without a chain".to_owned(), legacy(&[])),
        ("legacy of chain 0".to_owned(), legacy(&[0, 0, 0])),
        ("legacy of another chain".to_owned(), legacy(&[1, 0, 0])),
        // Read only where policy registers the form, and here it does not.
        ("legacy of this chain".to_owned(), legacy(&[CHAIN, 0, 0])),
        ("legacy of 2^128 - 1".to_owned(), legacy(&[u128::MAX, 0, 0])),
    ];
    for chain in [0, 1, CHAIN - 1, CHAIN + 1, u128::from(u64::MAX), u128::MAX] {
        payloads.push((
            format!("chain {chain}"),
            typed(2, with(0, Rlp::number(chain))),
        ));
    }
    for bytes in [
        vec![0],
        vec![0, 0x7a, 0x69],
        vec![0xff; 32],
        vec![0; 32],
        vec![0x7a, 0x69, 0],
    ] {
        payloads.push((
            format!("chain {bytes:?}"),
            typed(2, with(0, Rlp::Bytes(bytes))),
        ));
    }
    let said = deny(rig, payloads)?;
    let ground = template.on_test_networks()?;
    let registered = Template::aside(ground.rig()?, terms::registered_legacy)?;
    Ok(format!(
        "{said}; {registered} where the form is registered, and that passes"
    ))
}

fn type_bytes(rig: &mut Rig, _: &Template) -> Result<String> {
    let list = Rlp::List(honest()).encode();
    let mut payloads = Vec::new();
    for kind in (0..=255_u8).filter(|kind| *kind != 2) {
        payloads.push((format!("type {kind:#x}"), [&[kind][..], &list].concat()));
        payloads.push((
            format!("{kind:#x} in front"),
            [&[kind][..], &typed(2, honest())].concat(),
        ));
    }
    payloads.push(("without a type".to_owned(), list.clone()));
    payloads.push(("a type alone".to_owned(), vec![2]));
    payloads.push((
        "wrapped in a string".to_owned(),
        Rlp::Bytes(typed(2, honest())).encode(),
    ));
    deny(rig, payloads)
}

fn fees(rig: &mut Rig, template: &Template) -> Result<String> {
    let (tip, fee, gas) = (2, 3, 4);
    let mut payloads = Vec::new();
    for (place, number) in [
        (tip, 1_000_000_001),
        (tip, u128::MAX),
        (fee, 0),
        (fee, u128::MAX),
        (gas, 0),
        (gas, 1),
        (gas, 20_999),
        (gas, 1 << 63),
        (gas, u128::from(u64::MAX)),
        (gas, u128::MAX),
    ] {
        payloads.push((
            format!("field {place} is {number}"),
            typed(2, with(place, Rlp::number(number))),
        ));
    }
    for place in [tip, fee, gas] {
        payloads.push((
            format!("field {place} of 256 bits"),
            typed(2, with(place, Rlp::Bytes(vec![0xff; 32]))),
        ));
    }
    let mut both = with(fee, Rlp::number(1 << 120));
    both.splice(gas..=gas, [Rlp::number(1 << 20)]);
    payloads.push(("a product beyond".to_owned(), typed(2, both)));
    let said = deny(rig, payloads)?;
    // What is understood and too dear is the policy's.
    let dear = typed(2, with(fee, Rlp::number(1_000_000_000_000_000)));
    let attempts = requests(rig, vec![("too dear".to_owned(), dear)])?;
    rig.refused(
        &attempts,
        &[
            Code::FeeCeiling,
            Code::PerTransactionLimit,
            Code::TierNotAvailable,
            Code::HourLimit,
        ],
    )?;
    let ground = template.on_test_networks()?;
    let of_data = Template::aside(ground.rig()?, terms::data_fees)?;
    Ok(format!("{said}; {of_data} by the fee for data"))
}

fn recipients(rig: &mut Rig, _: &Template) -> Result<String> {
    let own = account_bytes(rig.cast.evm.account);
    let mut payloads = vec![
        (
            "nobody".to_owned(),
            typed(2, fields(CHAIN, &[], VALUE, &[])),
        ),
        (
            "nobody, with code".to_owned(),
            typed(2, fields(CHAIN, &[], 0, &[0x60, 0x80])),
        ),
        (
            "the wallet itself".to_owned(),
            typed(2, fields(CHAIN, &own, VALUE, &[])),
        ),
    ];
    for length in [1, 19, 21, 32] {
        payloads.push((
            format!("{length} bytes"),
            typed(2, fields(CHAIN, &vec![0x5a; length], VALUE, &[])),
        ));
    }
    for number in (0..=0x20).chain([0x100, 0x64, 0x65, 0x0800, 0x8000, 0xffff]) {
        let mut address = [0; 20];
        address[18..].copy_from_slice(&u16::to_be_bytes(number));
        payloads.push((
            format!("address {number}"),
            typed(2, fields(CHAIN, &address, VALUE, &[])),
        ));
    }
    payloads.push((
        "a list".to_owned(),
        typed(2, with(5, Rlp::List(vec![Rlp::Bytes(to())]))),
    ));
    deny(rig, payloads)
}

fn second_forms(rig: &mut Rig, _: &Template) -> Result<String> {
    let sound = typed(2, honest());
    let mut payloads = Vec::new();
    for cut in 0..sound.len() {
        payloads.push((
            format!("cut at {cut}"),
            sound.get(..cut).unwrap_or_default().to_vec(),
        ));
    }
    for behind in [&[0][..], &[0x80], &[0xc0], &sound] {
        payloads.push(("bytes behind".to_owned(), [&sound, behind].concat()));
    }
    for place in 0..9 {
        let old = honest().get(place).cloned().context("a field")?;
        if let Rlp::Bytes(bytes) = &old {
            payloads.push((
                format!("field {place} with a zero in front"),
                typed(2, with(place, Rlp::Bytes([&[0][..], bytes].concat()))),
            ));
            let long = [&[0xb8, u8::try_from(bytes.len())?][..], bytes].concat();
            payloads.push((
                format!("field {place} in the long form"),
                typed(2, with(place, Rlp::Raw(long))),
            ));
            let longer = [&[0xb9, 0, u8::try_from(bytes.len())?][..], bytes].concat();
            payloads.push((
                format!("field {place} in a longer form"),
                typed(2, with(place, Rlp::Raw(longer))),
            ));
            payloads.push((
                format!("field {place} as a list"),
                typed(2, with(place, Rlp::List(vec![old.clone()]))),
            ));
            if let [single] = bytes.as_slice() {
                payloads.push((
                    format!("field {place} with a prefix"),
                    typed(2, with(place, Rlp::Raw(vec![0x81, *single]))),
                ));
            }
        }
        let mut without = honest();
        without.remove(place);
        payloads.push((format!("without field {place}"), typed(2, without)));
        let mut doubled = honest();
        doubled.insert(place, old);
        payloads.push((format!("field {place} twice"), typed(2, doubled)));
        payloads.push((
            format!("field {place} of 2^64 bytes"),
            typed(2, with(place, Rlp::Raw([&[0xbf][..], &[0xff; 8]].concat()))),
        ));
    }
    let payload: Vec<u8> = honest().iter().flat_map(Rlp::encode).collect();
    for front in [
        vec![0xf8, u8::try_from(payload.len())?],
        vec![0xf9, 0, u8::try_from(payload.len())?],
        [&[0xff][..], &[0xff; 8]].concat(),
        prefix(0xc0, payload.len() - 1),
        prefix(0xc0, payload.len() + 1),
        prefix(0x80, payload.len()),
    ] {
        payloads.push((
            format!("list's prefix {front:?}"),
            [&[2][..], &front, &payload].concat(),
        ));
    }
    let mut nested = Rlp::List(honest());
    for _ in 0..2000 {
        nested = Rlp::List(vec![nested]);
    }
    payloads.push((
        "lists in lists".to_owned(),
        [&[2][..], &nested.encode()].concat(),
    ));
    // Every single bit: refused, or judged as another payment than the body's, or too dear.
    let mut random = Random(6);
    for bit in 0..sound.len() * 8 {
        let mut changed = sound.clone();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        let place = random.below(changed.len());
        changed.insert(place, 0);
        payloads.push((format!("bit {bit} and a byte"), changed));
    }
    deny(rig, payloads)
}

fn access_lists(rig: &mut Rig, _: &Template) -> Result<String> {
    let entry = |keys: usize| {
        Rlp::List(vec![
            Rlp::Bytes(vec![0xaa; 20]),
            Rlp::List(vec![Rlp::Bytes(vec![1; 32]); keys]),
        ])
    };
    let mut payloads = Vec::new();
    for (entries, keys) in [
        (1, 0),
        (1, 1),
        (1, 100),
        (2, 2),
        (100, 1),
        (2500, 0),
        (10_000, 0),
    ] {
        payloads.push((
            format!("{entries} entries of {keys} keys"),
            typed(2, with(8, Rlp::List(vec![entry(keys); entries]))),
        ));
    }
    for list in [
        Rlp::List(vec![Rlp::List(vec![])]),
        Rlp::List(vec![Rlp::Bytes(vec![1])]),
        Rlp::Bytes(vec![]),
        Rlp::Bytes(vec![1]),
    ] {
        payloads.push((format!("{list:?}"), typed(2, with(8, list))));
    }
    deny(rig, payloads)
}

fn signatures(rig: &mut Rig, _: &Template) -> Result<String> {
    // Many signatures over many digests: `checks` verifies each one (O10), low s and parity included.
    let mut count = 0;
    for _ in Rounds::new("E17", 3, 300) {
        let mut list = Vec::new();
        for number in 0..100 {
            let transfer = rig.to_evm(1 + number);
            list.push(rig.invented(&transfer)?);
        }
        for answer in rig.send_all(&list)? {
            verifies_alone(rig, &answer?.raw)?;
            count += 1;
        }
    }
    Ok(format!(
        "{count} signatures: low s, right parity, the wallet's own"
    ))
}

/// In its one form, and in none beside it.
fn verifies_alone(rig: &Rig, raw: &[u8]) -> Result<()> {
    let account = account_bytes(rig.cast.evm.account);
    crate::bytes::verified(raw, &account)?;
    // The other half of the curve's order, and the other parity, do not verify any more.
    let mut other = raw.to_vec();
    let place = other.len() - 33;
    if let Some(byte) = other.get_mut(place + 10) {
        *byte ^= 1;
    }
    ensure!(
        crate::bytes::verified(&other, &account).is_err(),
        "a changed signature verifies"
    );
    Ok(())
}

fn nonces(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut payloads = Vec::new();
    for nonce in [
        1,
        2,
        3,
        9,
        255,
        256,
        1 << 32,
        u128::from(u64::MAX) - 1,
        u128::from(u64::MAX),
        u128::from(u64::MAX) + 1,
        u128::MAX,
    ] {
        payloads.push((
            format!("nonce {nonce}"),
            typed(2, with(1, Rlp::number(nonce))),
        ));
    }
    for raw in [vec![0], vec![0x81, 0], vec![0x82, 0, 1], vec![0xc0]] {
        payloads.push((format!("nonce {raw:?}"), typed(2, with(1, Rlp::Raw(raw)))));
    }
    let built = deny(rig, payloads)?;
    Ok(format!("{built}; {}", brought::nonces(rig)?))
}
