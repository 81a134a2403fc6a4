//! Solana transactions that must never be signed, whatever the decoder can read (X01 to X19). The
//! gateway speaks for a bearer session here, so that only bytes and rules stand in its way.

use anyhow::{Context as _, Result, ensure};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::agent::key;
use waiaas_tests::stage::SOLANA_TO;

use super::{Case, case};
use crate::bytes::{Instruction, Message, compact, lamports, system};
use crate::calculator::account_bytes;
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("X01", many_transfers),
    case("X02", programs),
    case("X03", lookup_tables),
    case("X04", first_bytes),
    case("X05", lengths_and_indices),
    case("X06", doubled_keys),
    case("X07", unchecked_tokens),
    case("X08", token_numbers),
    case("X10", token_accounts),
    case("X11", mints),
    case("X12", system_numbers),
    case("X13", compute_budgets),
    case("X15", roles),
    case("X16", wrapped_coins),
    case("X17", other_programs),
    case("X19", off_chain),
];

/// What the body says in all of these: five lamports to the listed recipient.
const AMOUNT: u64 = 5;
const SYSTEM: &str = "11111111111111111111111111111111";
const COMPUTE_BUDGET: &str = "ComputeBudget111111111111111111111111111111";
const MEMO: &str = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr";
const TOKEN: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const TOKEN_2022: &str = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb";
const ASSOCIATED: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
const STAKE: &str = "Stake11111111111111111111111111111111111111";
const SYSVAR_RECENT_BLOCKHASHES: &str = "SysvarRecentB1ockHashes11111111111111111111";

/// Rules that may refuse a spoilt transaction; the first as a rule.
const DENIED: [Code; 5] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::AssetNotListed,
    Code::RecipientNotListed,
    Code::BodyTooLarge,
];

type Key = [u8; 32];

fn named(text: &str) -> Key {
    let mut bytes = [0; 32];
    let decoded = bs58::decode(text).into_vec().unwrap_or_default();
    bytes
        .iter_mut()
        .zip(decoded)
        .for_each(|(to, from)| *to = from);
    bytes
}

/// A key of the attacker's.
fn thief(number: u8) -> Key {
    key(200 + number).verifying_key().to_bytes()
}

fn instruction(program: u8, accounts: &[u8], data: Vec<u8>) -> Instruction {
    Instruction {
        program,
        accounts: accounts.to_vec(),
        data,
    }
}

/// A message that somebody drafts for the wallet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    name: String,
    message: Message,
}

impl Draft {
    /// Writable accounts behind the payer and the recipient, then read-only ones; the honest transfer
    /// first if its program (System, the first read-only one) is there.
    fn new(
        rig: &Rig,
        name: &str,
        writable: &[Key],
        read_only: &[&str],
        more: Vec<Instruction>,
    ) -> Self {
        let wallet: Key = account_bytes(rig.cast.solana.account)
            .try_into()
            .unwrap_or_default();
        let mut keys = vec![wallet, named(SOLANA_TO)];
        keys.extend(writable);
        let system_at = u8::try_from(keys.len()).unwrap_or(0);
        keys.extend(read_only.iter().map(|text| named(text)));
        let mut instructions = Vec::new();
        if read_only.first() == Some(&SYSTEM) {
            instructions.push(instruction(system_at, &[0, 1], lamports(AMOUNT)));
        }
        instructions.extend(more);
        Self {
            name: name.to_owned(),
            message: Message {
                version: None,
                header: [1, 0, u8::try_from(read_only.len()).unwrap_or(0)],
                keys,
                instructions,
                tail: Vec::new(),
            },
        }
    }

    /// What the wallet would sign if only this were in it.
    fn honest(rig: &Rig) -> Self {
        Self::new(rig, "honest", &[], &[SYSTEM], vec![])
    }

    /// The honest transfer and one more instruction of a program, over payer and recipient.
    fn beside(rig: &Rig, name: &str, program: &str, data: Vec<u8>) -> Self {
        Self::new(
            rig,
            name,
            &[],
            &[SYSTEM, program],
            vec![instruction(3, &[0, 1], data)],
        )
    }

    pub(super) fn memo(rig: &Rig) -> Self {
        Self::beside(rig, "memo", MEMO, b"hello".to_vec())
    }

    pub(super) fn token(rig: &Rig, number: u8) -> Self {
        let data = [&[number][..], &AMOUNT.to_le_bytes(), &[6]].concat();
        Self::new(
            rig,
            "token",
            &[thief(0), thief(1)],
            &[TOKEN],
            vec![instruction(4, &[2, 3, 1, 0], data)],
        )
    }

    pub(super) fn two_transfers(rig: &Rig) -> Self {
        let second = instruction(3, &[0, 2], lamports(1));
        Self::new(rig, "two transfers", &[thief(0)], &[SYSTEM], vec![second])
    }

    fn bytes(self, rig: &mut Rig, bytes: Vec<u8>) -> Result<(String, SpendRequest)> {
        let transfer = rig.to_solana(AMOUNT.into());
        let request = SpendRequest {
            unsigned: bytes,
            ..rig.invented(&transfer)?
        };
        Ok((self.name, request))
    }

    pub(super) fn request(self, rig: &mut Rig) -> Result<(String, SpendRequest)> {
        let bytes = self.message.bytes();
        self.bytes(rig, bytes)
    }

    fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// All of these must be refused; and the honest one must pass, so that they were not refused for it.
fn deny(rig: &mut Rig, drafts: Vec<Draft>) -> Result<String> {
    let mut attempts = Vec::new();
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    deny_requests(rig, &attempts)
}

fn deny_requests(rig: &mut Rig, attempts: &[(String, SpendRequest)]) -> Result<String> {
    let counted = rig.refused(attempts, &DENIED)?;
    let (_, honest) = Draft::honest(rig).request(rig)?;
    rig.send(&honest).context("the honest message")?;
    Ok(format!("{} refused {counted:?}", attempts.len()))
}

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
    deny(rig, drafts)
}

fn programs(rig: &mut Rig, _: &Template) -> Result<String> {
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
    deny(rig, drafts)
}

fn lookup_tables(rig: &mut Rig, _: &Template) -> Result<String> {
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
    deny(rig, drafts)
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

/// A token program's instruction over four accounts, alone and beside the honest transfer.
fn token_instruction(rig: &Rig, program: &str, name: &str, data: Vec<u8>) -> [Draft; 2] {
    let accounts = [thief(0), thief(1)];
    [
        Draft::new(
            rig,
            name,
            &accounts,
            &[program],
            vec![instruction(4, &[2, 3, 1, 0], data.clone())],
        ),
        Draft::new(
            rig,
            name,
            &accounts,
            &[SYSTEM, program],
            vec![instruction(5, &[2, 3, 1, 0], data)],
        ),
    ]
}

fn unchecked_tokens(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for (name, data) in [
            (
                "an unchecked transfer",
                [&[3][..], &AMOUNT.to_le_bytes()].concat(),
            ),
            (
                "six decimals",
                [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat(),
            ),
            (
                "255 decimals",
                [&[12][..], &AMOUNT.to_le_bytes(), &[255]].concat(),
            ),
            ("no decimals", [&[12][..], &AMOUNT.to_le_bytes()].concat()),
            (
                "a byte too many",
                [&[12][..], &AMOUNT.to_le_bytes(), &[6, 0]].concat(),
            ),
            ("nothing", vec![]),
        ] {
            drafts.extend(token_instruction(rig, program, name, data));
        }
    }
    deny(rig, drafts)
}

fn token_numbers(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for number in 0..=255_u8 {
            // With what most of them take: an amount, an authority, another instruction inside.
            let [alone, beside] = token_instruction(
                rig,
                program,
                &format!("{number}"),
                [&[number][..], &AMOUNT.to_le_bytes(), &[6]].concat(),
            );
            drafts.push(alone);
            drafts.push(beside);
            let inner = [
                &[number, 1, 1][..],
                &thief(3),
                &[12],
                &u64::MAX.to_le_bytes(),
                &[6],
            ]
            .concat();
            let [nested, _] = token_instruction(rig, program, &format!("{number} nested"), inner);
            drafts.push(nested);
        }
    }
    deny(rig, drafts)
}

fn token_accounts(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        let mint = bs58::encode(thief(4)).into_string();
        for data in [vec![], vec![0], vec![1], vec![2]] {
            // Payer, new account, its owner, mint, System, the token program: for the attacker.
            let read_only = [SYSTEM, program, ASSOCIATED, mint.as_str()];
            let create = instruction(6, &[0, 2, 3, 7, 4, 5], data.clone());
            drafts.push(Draft::new(
                rig,
                &format!("an account for the attacker, {data:?}"),
                &[thief(0), thief(1)],
                &read_only,
                vec![create],
            ));
            let own = instruction(6, &[0, 2, 1, 7, 4, 5], data);
            drafts.push(Draft::new(
                rig,
                "an account that is not the recipient's",
                &[thief(0), thief(1)],
                &read_only,
                vec![own],
            ));
        }
        let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
        for accounts in [[2, 7, 3, 0], [3, 7, 2, 0], [2, 7, 1, 0], [0, 7, 2, 0]] {
            let transfer = instruction(5, &accounts, data.clone());
            drafts.push(Draft::new(
                rig,
                "to an account of somebody else",
                &[thief(0), thief(1)],
                &[SYSTEM, program, ASSOCIATED, mint.as_str()],
                vec![transfer],
            ));
        }
    }
    deny(rig, drafts)
}

fn mints(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    // Extensions of mints and accounts, with each of their own sub-instructions.
    for extension in [
        26_u8, 27, 28, 29, 30, 31, 33, 34, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    ] {
        for inner in 0..6_u8 {
            let data = [
                &[extension, inner][..],
                &AMOUNT.to_le_bytes(),
                &[6],
                &1_u64.to_le_bytes(),
            ]
            .concat();
            let [alone, beside] = token_instruction(
                rig,
                TOKEN_2022,
                &format!("extension {extension}, {inner}"),
                data,
            );
            drafts.extend([alone, beside]);
        }
    }
    // A checked transfer of a mint that nobody registered, with a hook's accounts behind.
    let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
    let hooked = instruction(5, &[2, 3, 1, 0, 4], data);
    drafts.push(Draft::new(
        rig,
        "a transfer with a hook",
        &[thief(0), thief(1), thief(2)],
        &[TOKEN_2022],
        vec![hooked],
    ));
    deny(rig, drafts)
}

fn system_numbers(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    let owner = thief(2);
    for number in (0..=32).chain([255, 256, 258, 0x0100_0002, 0x8000_0002, u32::MAX]) {
        for rest in [
            vec![],
            AMOUNT.to_le_bytes().to_vec(),
            owner.to_vec(),
            [&AMOUNT.to_le_bytes()[..], &0_u64.to_le_bytes(), &owner].concat(),
            [
                &thief(3)[..],
                &4_u64.to_le_bytes(),
                b"seed",
                &AMOUNT.to_le_bytes(),
                &owner,
            ]
            .concat(),
        ] {
            if number == 2 && rest.len() == 8 {
                continue;
            }
            for accounts in [&[0, 1][..], &[0, 2], &[2, 0, 1]] {
                let more = vec![instruction(3, accounts, system(number, &rest))];
                drafts.push(Draft::new(
                    rig,
                    &format!("{number} with {} bytes", rest.len()),
                    &[thief(0)],
                    &[SYSTEM],
                    more,
                ));
            }
        }
    }
    // A transfer's number with junk around, alone.
    for data in [
        vec![2],
        vec![2, 0, 0],
        vec![2, 0, 0, 0],
        [&lamports(AMOUNT)[..], &[0]].concat(),
        [&[2, 0][..], &AMOUNT.to_le_bytes()].concat(),
    ] {
        let mut draft = Draft::honest(rig).called(format!("{data:?}"));
        draft.message.instructions = vec![instruction(2, &[0, 1], data)];
        drafts.push(draft);
    }
    deny(rig, drafts)
}

fn compute_budgets(rig: &mut Rig, _: &Template) -> Result<String> {
    let budget = |tag: u8, rest: &[u8]| instruction(3, &[], [&[tag][..], rest].concat());
    let (price, limit) = (3, 2);
    let most = u64::MAX.to_le_bytes();
    let mut drafts = Vec::new();
    for (name, more) in [
        (
            "the highest price",
            vec![
                budget(price, &most),
                budget(limit, &1_400_000_u32.to_le_bytes()),
            ],
        ),
        (
            "the highest price without a limit",
            vec![budget(price, &most)],
        ),
        (
            "the highest limit",
            vec![budget(limit, &u32::MAX.to_le_bytes())],
        ),
        (
            "both",
            vec![budget(limit, &u32::MAX.to_le_bytes()), budget(price, &most)],
        ),
        (
            "a price twice",
            vec![
                budget(price, &1_u64.to_le_bytes()),
                budget(price, &2_u64.to_le_bytes()),
            ],
        ),
        (
            "a limit twice",
            vec![
                budget(limit, &450_u32.to_le_bytes()),
                budget(limit, &450_u32.to_le_bytes()),
            ],
        ),
        ("a short price", vec![budget(price, &[1; 7])]),
        ("a long price", vec![budget(price, &[1; 9])]),
        ("an empty one", vec![instruction(3, &[], vec![])]),
    ] {
        drafts.push(Draft::new(rig, name, &[], &[SYSTEM, COMPUTE_BUDGET], more));
    }
    for tag in (0..=255_u8).filter(|tag| ![price, limit].contains(tag)) {
        for length in [4, 8] {
            let more = vec![budget(tag, &[1; 8][..length])];
            drafts.push(Draft::new(
                rig,
                &format!("tag {tag}"),
                &[],
                &[SYSTEM, COMPUTE_BUDGET],
                more,
            ));
        }
    }
    let with_account = instruction(3, &[0], [&[price][..], &1_u64.to_le_bytes()].concat());
    drafts.push(Draft::new(
        rig,
        "with an account",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![with_account],
    ));
    let mut attempts = Vec::new();
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    // A price that can be paid but is above the ceiling is the policy's to refuse.
    let above = Draft::new(
        rig,
        "above the ceiling",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![
            budget(limit, &1_400_000_u32.to_le_bytes()),
            budget(price, &(u64::MAX / 2_000_000).to_le_bytes()),
        ],
    );
    let (_, above) = above.request(rig)?;
    rig.refuse(
        "above the ceiling",
        above,
        &[
            Code::FeeCeiling,
            Code::PerTransactionLimit,
            Code::TierNotAvailable,
            Code::HourLimit,
        ],
    )?;
    // Placed last it counts as well: the second calculator compares the charge (O2).
    let last = Draft::new(
        rig,
        "placed last",
        &[],
        &[SYSTEM, COMPUTE_BUDGET],
        vec![
            budget(limit, &1000_u32.to_le_bytes()),
            budget(price, &1_000_000_u64.to_le_bytes()),
        ],
    );
    let (_, last) = last.request(rig)?;
    rig.send(&last).context("placed last")?;
    deny_requests(rig, &attempts)
}

fn roles(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    let stranger = thief(7);
    // A stranger's transfer, paid by us.
    let mut paid = Draft::new(rig, "we only pay", &[stranger], &[SYSTEM], vec![]);
    paid.message.instructions = vec![instruction(3, &[2, 1], lamports(AMOUNT))];
    drafts.push(paid.clone());
    let mut both = paid.clone().called("two signers");
    both.message.header = [2, 0, 1];
    both.message.keys.swap(1, 2);
    both.message.instructions = vec![
        instruction(3, &[1, 2], lamports(AMOUNT)),
        instruction(3, &[0, 2], lamports(AMOUNT)),
    ];
    drafts.push(both.clone());
    let mut second = both.called("signer, not payer");
    second.message.keys.swap(0, 1);
    drafts.push(second);
    let mut foreign = Draft::honest(rig).called("a stranger's transaction");
    if let Some(payer) = foreign.message.keys.first_mut() {
        *payer = stranger;
    }
    drafts.push(foreign);
    let unknown = bs58::encode(thief(8)).into_string();
    for accounts in [&[0][..], &[1, 0], &[]] {
        drafts.push(Draft::new(
            rig,
            "our key in an unknown program",
            &[],
            &[SYSTEM, &unknown],
            vec![instruction(3, accounts, vec![1])],
        ));
    }
    let mut read_only = Draft::honest(rig).called("a read-only payer");
    read_only.message.header = [1, 1, 1];
    drafts.push(read_only);
    let mut unsigned = Draft::honest(rig).called("no signer");
    unsigned.message.header = [0, 0, 1];
    drafts.push(unsigned);
    deny(rig, drafts)
}

fn wrapped_coins(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [TOKEN, TOKEN_2022] {
        for number in [9, 17, 38] {
            for accounts in [&[2, 3, 0][..], &[2, 0, 0], &[2], &[2, 1, 0]] {
                let one = instruction(5, accounts, vec![number]);
                drafts.push(Draft::new(
                    rig,
                    &format!("{number} over {accounts:?}"),
                    &[thief(0), thief(1)],
                    &[SYSTEM, program],
                    vec![one],
                ));
            }
        }
    }
    deny(rig, drafts)
}

fn other_programs(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut drafts = Vec::new();
    for program in [
        STAKE,
        "Vote111111111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "LoaderV411111111111111111111111111111111111",
        "Config1111111111111111111111111111111111111",
        "AddressLookupTab1e1111111111111111111111111",
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
        "ZkE1Gama1Proof11111111111111111111111111111",
        "SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf",
        "namesLPneVptA9Z5rqUDD9tMTWEJwofgaYwp8cawRkX",
        MEMO,
    ] {
        for number in 0..=16_u32 {
            let data = system(number, &[&AMOUNT.to_le_bytes()[..], &thief(1)].concat());
            drafts.push(Draft::beside(
                rig,
                &format!("{program} {number}"),
                program,
                data,
            ));
        }
    }
    // A multisig's transfer, with signers behind.
    let data = [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat();
    drafts.push(Draft::new(
        rig,
        "a multisig",
        &[thief(0), thief(1), thief(2)],
        &[TOKEN],
        vec![instruction(5, &[2, 3, 1, 4, 0], data)],
    ));
    // Once the memo and stake programs have templates of their own, only other uses stay in this list.
    deny(rig, drafts)
}

fn off_chain(rig: &mut Rig, _: &Template) -> Result<String> {
    let legacy = Draft::honest(rig).message.bytes();
    let mut attempts = Vec::new();
    let header =
        |version: u8, rest: &[u8]| [&b"\xffsolana offchain"[..], &[version], rest].concat();
    for (name, bytes) in [
        ("version 0", header(0, &[0; 60])),
        (
            "version 0 around a transaction",
            header(
                0,
                &[
                    &[7; 32][..],
                    &[0, 1],
                    &[1; 32],
                    &compact(legacy.len()),
                    &legacy,
                ]
                .concat(),
            ),
        ),
        (
            "version 1 around a transaction",
            header(1, &[&[1][..], &[1; 32], &legacy].concat()),
        ),
        ("version 2", header(2, &legacy)),
        ("half a prefix", [&b"\xffsolana off"[..], &legacy].concat()),
        (
            "the prefix without its byte",
            [&b"solana offchain"[..], &[0], &legacy].concat(),
        ),
        ("base58 of a transaction", bs58::encode(&legacy).into_vec()),
        ("base64 of a transaction", {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD
                .encode(&legacy)
                .into_bytes()
        }),
        ("hex of a transaction", hex::encode(&legacy).into_bytes()),
        (
            "a login",
            b"example.com wants you to sign in with your Solana account:\n".to_vec(),
        ),
    ] {
        attempts.push(Draft::honest(rig).called(name).bytes(rig, bytes)?);
    }
    deny_requests(rig, &attempts)
}

// ---- for cases elsewhere ----

/// Where an advance of a durable nonce may stand among the instructions.
pub(super) fn nonce_places() -> [usize; 3] {
    [0, 1, 2]
}

/// Messages with a durable nonce's instruction in that place, in both versions, with each authority.
pub(super) fn durable_nonce(rig: &Rig, place: usize) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    for number in [4, 5, 6, 7, 12] {
        for authority in [0, 2] {
            for version in [None, Some(0x80)] {
                let data = system(number, &[]);
                let advance = instruction(4, &[3, 5, authority], data);
                let mut draft = Draft::new(
                    rig,
                    "",
                    &[thief(0), thief(1)],
                    &[SYSTEM, SYSVAR_RECENT_BLOCKHASHES, COMPUTE_BUDGET],
                    vec![instruction(
                        6,
                        &[],
                        [&[2][..], &450_u32.to_le_bytes()].concat(),
                    )],
                );
                draft.message.instructions.insert(place, advance);
                draft.message.version = version;
                draft.message.tail = version.map(|_| 0).into_iter().collect();
                let name = format!(
                    "nonce instruction {number} at {place}, authority {authority}, {version:?}"
                );
                messages.push((name, draft.message.bytes()));
            }
        }
    }
    messages
}

/// Transactions in which nothing is a transfer.
pub(super) fn no_op_messages(rig: &mut Rig) -> Result<Vec<(String, SpendRequest)>> {
    let budget =
        |program: u8| instruction(program, &[], [&[2][..], &450_u32.to_le_bytes()].concat());
    let mut drafts = vec![
        Draft::new(rig, "nothing", &[], &[], vec![]),
        Draft::new(
            rig,
            "only a budget",
            &[],
            &[COMPUTE_BUDGET],
            vec![budget(2)],
        ),
        Draft::new(
            rig,
            "only a memo",
            &[],
            &[MEMO],
            vec![instruction(2, &[0], b"hi".to_vec())],
        ),
        Draft::new(
            rig,
            "a memo that is empty",
            &[],
            &[MEMO],
            vec![instruction(2, &[], vec![])],
        ),
        Draft::new(
            rig,
            "a budget and a memo",
            &[],
            &[COMPUTE_BUDGET, MEMO],
            vec![budget(2), instruction(3, &[0, 1], vec![1])],
        ),
    ];
    let unknown = bs58::encode(thief(9)).into_string();
    for count in [1, 5, 30] {
        let more = (0..count)
            .map(|number| instruction(2, &[], vec![number]))
            .collect();
        drafts.push(Draft::new(
            rig,
            &format!("{count} of an unknown program"),
            &[],
            &[&unknown],
            more,
        ));
    }
    ensure!(drafts.iter().all(|draft| {
        draft
            .message
            .instructions
            .iter()
            .all(|one| one.data != lamports(AMOUNT))
    }));
    drafts.into_iter().map(|draft| draft.request(rig)).collect()
}

/// Puts another amount into a transfer's bytes; the whole that they then take.
pub(super) fn enlarge(message: &mut [u8]) -> Result<u128> {
    let large = 90_000_000_000_000_001_u64;
    let place = message
        .windows(4)
        .rposition(|window| window == [2, 0, 0, 0])
        .context("a transfer")?;
    let amount = message
        .get_mut(place + 4..place + 12)
        .context("an amount")?;
    amount.copy_from_slice(&large.to_le_bytes());
    Ok(crate::bytes::read_solana(message)?.total() + u128::from(u64::MAX))
}
