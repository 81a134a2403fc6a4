//! The message itself: transfers, programs, tables, versions, lengths, keys (X01 to X06).

use anyhow::{Context as _, Result};

use super::{
    AMOUNT, Draft, SYSTEM, batch, called, deny, deny_requests, instruction, lookups, thief,
};
use crate::bytes::{Instruction, compact, lamports};
use crate::cases::{Case, case};
use crate::rig::Rig;
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("X01", many_transfers),
    case("X02", programs),
    case("X03", lookup_tables),
    case("X04", first_bytes),
    case("X05", lengths_and_indices),
    case("X06", doubled_keys),
];

fn many_transfers(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = vec![Draft::two_transfers(rig)];
    for (name, amounts) in [
        ("large first, small last", vec![(1, u64::MAX / 2), (2, 1)]),
        ("harmless first", vec![(1, 1), (2, u64::MAX / 2)]),
        (
            "sums that leave the range",
            vec![(2, u64::MAX), (2, u64::MAX), (1, 2)],
        ),
        ("64 of them", (0..64).map(|_| (1, 1)).collect()),
        ("the same twice", vec![(1, AMOUNT)]),
        ("zero to a stranger", vec![(2, 0)]),
    ] {
        let more = amounts
            .iter()
            .map(|(to, amount)| instruction(3, &[0, *to], lamports(*amount)));
        drafts.push(Draft::new(
            rig,
            name,
            &[thief(0)],
            &[SYSTEM],
            more.collect(),
        ));
    }
    let one = deny(rig, drafts)?;
    let several = batch::several(rig)?;
    Ok(format!("{one}; {several}"))
}

fn programs(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    // Each byte of the System program's name off by one, in the place of it.
    for place in 0..32 {
        let mut draft = Draft::honest(rig).called(format!("off by one in byte {place}"));
        if let Some(byte) = draft
            .message
            .keys
            .get_mut(2)
            .and_then(|key| key.get_mut(place))
        {
            *byte ^= 1;
        }
        drafts.push(draft);
    }
    let unknown = bs58::encode(thief(5)).into_string();
    drafts.push(Draft::beside(
        rig,
        "an unknown program beside",
        &unknown,
        vec![2, 0, 0, 0],
    ));
    drafts.push(Draft::new(
        rig,
        "only an unknown program",
        &[],
        &[&unknown],
        vec![instruction(2, &[0, 1], lamports(AMOUNT))],
    ));
    for program in 0..=3 {
        let mut draft = Draft::new(rig, "a program with rights", &[thief(0)], &[SYSTEM], vec![]);
        if let Some(first) = draft.message.instructions.first_mut() {
            first.program = if program == 3 { 200 } else { program };
        }
        drafts.push(draft.called(format!("program index {program}")));
    }
    let mut writable = Draft::honest(rig).called("a writable program");
    writable.message.header = [1, 0, 0];
    drafts.push(writable);
    let said = deny(rig, drafts)?;
    let called = called::registered(rig, template)?;
    Ok(format!("{said}; {called}"))
}

fn lookup_tables(rig: &mut Rig, template: &Template) -> Result<String> {
    let table = |writable: &[u8], read_only: &[u8]| {
        [
            &thief(6)[..],
            &compact(writable.len()),
            writable,
            &compact(read_only.len()),
            read_only,
        ]
        .concat()
    };
    let mut drafts = Vec::new();
    for (name, tail) in [
        (
            "one table, one entry",
            [&[1][..], &table(&[0], &[])].concat(),
        ),
        (
            "one table, read-only entry",
            [&[1][..], &table(&[], &[0])].concat(),
        ),
        ("an empty table", [&[1][..], &table(&[], &[])].concat()),
        (
            "two tables",
            [&[2][..], &table(&[0], &[1]), &table(&[2], &[])].concat(),
        ),
        (
            "the same entry twice",
            [&[1][..], &table(&[3, 3], &[])].concat(),
        ),
        (
            "255 entries",
            [&[1][..], &table(&(0..255).collect::<Vec<_>>(), &[])].concat(),
        ),
        ("no list at all", vec![]),
        ("an overlong empty list", vec![0x80, 0x00]),
        ("a list that is not there", vec![1]),
    ] {
        let mut draft = Draft::honest(rig).called(name);
        draft.message.version = Some(0x80);
        draft.message.tail = tail;
        drafts.push(draft);
    }
    // The recipient out of a table: its index lies behind the message's own keys.
    let mut hidden = Draft::honest(rig).called("a recipient from a table");
    hidden.message.version = Some(0x80);
    hidden.message.tail = [&[1][..], &table(&[0], &[])].concat();
    if let Some(first) = hidden.message.instructions.first_mut() {
        first.accounts = vec![0, 3];
    }
    drafts.push(hidden);
    let mut legacy = Draft::honest(rig).called("a list in the legacy form");
    legacy.message.tail = vec![0];
    drafts.push(legacy);
    let unknown = deny(rig, drafts)?;
    let ground = template.on_test_networks()?;
    let pinned = Template::aside(ground.rig()?, lookups::with_a_table)?;
    Template::aside(template.rig()?, lookups::while_it_waits)?;
    Ok(format!("{unknown}; {pinned}, and all while it waits"))
}

fn first_bytes(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut attempts = Vec::new();
    let legacy = Draft::honest(rig).message.bytes();
    for first in 0..=255_u8 {
        // In the place of the first byte, and in front of it with and without a table list behind.
        let mut replaced = legacy.clone();
        if let Some(byte) = replaced.first_mut() {
            *byte = first;
        }
        if first != 1 {
            attempts.push(
                Draft::honest(rig)
                    .called(format!("{first:#x} first"))
                    .bytes(rig, replaced)?,
            );
        }
        if first != 0x80 {
            for tail in [&[][..], &[0]] {
                let bytes = [&[first][..], &legacy, tail].concat();
                attempts.push(
                    Draft::honest(rig)
                        .called(format!("{first:#x} in front"))
                        .bytes(rig, bytes)?,
                );
            }
        }
    }
    // The newest version's own layout under the older version's byte.
    let keys: Vec<u8> = Draft::honest(rig).message.keys.concat();
    let v1 = [
        &[1, 0, 1][..],
        &[0, 0, 0, 0],
        &[7; 32],
        &[1, 3],
        &keys,
        &[2, 2, 12, 0],
        &[0, 1],
        &lamports(AMOUNT),
    ]
    .concat();
    for version in [0x80, 0x82, 0xff] {
        let bytes = [&[version][..], &v1].concat();
        attempts.push(
            Draft::honest(rig)
                .called("another version's layout")
                .bytes(rig, bytes)?,
        );
    }
    let said = deny_requests(rig, &attempts)?;
    // Version 0 without tables is the same transfer in another form, and passes.
    let mut version = Draft::honest(rig);
    version.message.version = Some(0x80);
    version.message.tail = vec![0];
    let (_, request) = version.request(rig)?;
    rig.send(&request).context("version 0")?;
    Ok(said)
}

fn lengths_and_indices(rig: &mut Rig, _: &Template) -> Result<String> {
    let honest = Draft::honest(rig);
    let bytes = honest.message.bytes();
    let mut attempts = Vec::new();
    for cut in 0..bytes.len() {
        attempts.push(
            honest
                .clone()
                .called(format!("cut at {cut}"))
                .bytes(rig, bytes.get(..cut).unwrap_or_default().to_vec())?,
        );
    }
    for behind in [&[0][..], &[0xff], &[0; 100], &bytes] {
        attempts.push(
            honest
                .clone()
                .called("bytes behind")
                .bytes(rig, [&bytes, behind].concat())?,
        );
    }
    let overlong: [fn(usize) -> Vec<u8>; 3] = [
        |length| vec![u8::try_from(length & 0x7f).unwrap_or(0) | 0x80, 0],
        |length| vec![u8::try_from(length & 0x7f).unwrap_or(0) | 0x80, 0x80, 0],
        |length| vec![u8::try_from(length & 0x7f).unwrap_or(0) | 0x80, 0x80, 0x04],
    ];
    for length in overlong {
        attempts.push(
            honest
                .clone()
                .called("overlong lengths")
                .bytes(rig, honest.message.with_lengths(length))?,
        );
    }
    for header in [
        [0, 0, 1],
        [2, 0, 1],
        [1, 1, 1],
        [1, 0, 0],
        [1, 0, 2],
        [1, 0, 3],
        [1, 0, 255],
        [255, 255, 255],
        [3, 0, 0],
        [1, 2, 1],
    ] {
        let mut draft = honest.clone().called(format!("header {header:?}"));
        draft.message.header = header;
        attempts.push(draft.request(rig)?);
    }
    for (program, accounts) in [
        (3, vec![0, 1]),
        (2, vec![0, 3]),
        (2, vec![0, 255]),
        (2, vec![0]),
        (2, vec![]),
        (2, vec![0, 1, 1]),
        (2, vec![1, 0]),
        (2, vec![1, 1]),
        (2, vec![0, 0]),
        (2, vec![0, 2]),
    ] {
        let mut draft = honest
            .clone()
            .called(format!("program {program}, accounts {accounts:?}"));
        draft.message.instructions = vec![Instruction {
            program,
            accounts,
            data: lamports(AMOUNT),
        }];
        attempts.push(draft.request(rig)?);
    }
    // Every single bit of the honest bytes: refused, or it still does what the body says (the made-up
    // blockhash is the gateway's to choose).
    let hash = bytes
        .windows(32)
        .position(|window| window == [7; 32])
        .context("a blockhash")?;
    for bit in (0..bytes.len() * 8).filter(|bit| !(hash..hash + 32).contains(&(bit / 8))) {
        let mut changed = bytes.clone();
        if let Some(byte) = changed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        attempts.push(
            honest
                .clone()
                .called(format!("bit {bit}"))
                .bytes(rig, changed)?,
        );
    }
    deny_requests(rig, &attempts)
}

fn doubled_keys(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for (from, to) in [(0, 1), (0, 2), (1, 2), (2, 1), (1, 0), (2, 0)] {
        let mut draft = Draft::honest(rig).called(format!("key {from} again as key {to}"));
        let copied = draft.message.keys.get(from).copied().unwrap_or_default();
        if let Some(key) = draft.message.keys.get_mut(to) {
            *key = copied;
        }
        drafts.push(draft);
    }
    for (name, again) in [("payer", 0), ("recipient", 1)] {
        let again = Draft::honest(rig)
            .message
            .keys
            .get(again)
            .copied()
            .unwrap_or_default();
        let more = vec![instruction(3, &[0, 2], lamports(1))];
        drafts.push(Draft::new(
            rig,
            &format!("the {name} once more"),
            &[again],
            &[SYSTEM],
            more,
        ));
    }
    drafts.push(Draft::new(
        rig,
        "the program twice",
        &[],
        &[SYSTEM, SYSTEM],
        vec![instruction(3, &[0, 1], lamports(1))],
    ));
    drafts.push(Draft::new(
        rig,
        "an account without a use",
        &[thief(1)],
        &[SYSTEM],
        vec![],
    ));
    deny(rig, drafts)
}
