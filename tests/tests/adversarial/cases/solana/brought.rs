//! Transactions that an agent brings (X15), through a gateway that speaks for a bearer session: what the wallet's
//! signature is for follows from the bytes. Behind somebody else who pays the fee it signs payments of its own, one
//! after the other, and nothing else that this somebody wrote; alone it signs what it would have built.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::{LIMIT, SOLANA_TO, solana};

use super::{
    AMOUNT, ASSOCIATED, COMPUTE_BUDGET, Key, MEMO, STAKE, SYSTEM, instruction, named, thief,
};
use crate::bytes::{Instruction, Message, TOKEN, associated, lamports, system};
use crate::calculator::account_bytes;
use crate::rig::{BROUGHT, Rig};
use crate::stand::MINT;

const REFUSED: [Code; 10] = [
    Code::TransactionUndecodable,
    Code::BroughtTable,
    Code::BroughtRole,
    Code::BroughtRecipient,
    Code::BroughtMalformed,
    Code::BatchTooLarge,
    Code::RecipientNotListed,
    Code::AssetNotListed,
    Code::AmountInvalid,
    Code::BodyTooLarge,
];

/// Accounts of a sponsored message, in their order.
const PAYER: u8 = 0;
const WALLET: u8 = 1;
const SOURCE: u8 = 2;
const DESTINATION: u8 = 3;
const RECIPIENT: u8 = 4;
const STOLEN: u8 = 5;
const THIEF: u8 = 6;
/// Read-only from here on.
const MINT_AT: u8 = 7;
const TOKEN_AT: u8 = 8;
const SYSTEM_AT: u8 = 9;
const MEMO_AT: u8 = 10;
const BUDGET_AT: u8 = 11;
const ASSOCIATED_AT: u8 = 12;
const STAKE_AT: u8 = 13;
const UNKNOWN_AT: u8 = 14;
const LAST: u8 = UNKNOWN_AT;

fn own(rig: &Rig) -> Key {
    let bytes = account_bytes(rig.cast.solana.account);
    bytes.try_into().unwrap_or_default()
}

fn all(rig: &Rig) -> Result<[Key; 15]> {
    let (wallet, mint, recipient) = (own(rig), named(MINT), named(SOLANA_TO));
    Ok([
        thief(30),
        wallet,
        associated(&wallet, &mint, TOKEN)?,
        associated(&recipient, &mint, TOKEN)?,
        recipient,
        associated(&thief(0), &mint, TOKEN)?,
        thief(0),
        mint,
        named(TOKEN),
        named(SYSTEM),
        named(MEMO),
        named(COMPUTE_BUDGET),
        named(ASSOCIATED),
        named(STAKE),
        thief(31),
    ])
}

/// A message with only the accounts that its instructions name, behind so many signers.
fn message(rig: &Rig, signers: &[u8], instructions: &[Instruction]) -> Result<Message> {
    let keys = all(rig)?;
    let used = |index: &u8| {
        let named = |one: &Instruction| one.program == *index || one.accounts.contains(index);
        !signers.contains(index) && instructions.iter().any(named)
    };
    let kept: Vec<u8> = signers
        .iter()
        .copied()
        .chain((0..=LAST).filter(used))
        .collect();
    let place = |index: u8| {
        let place = kept.iter().position(|known| *known == index);
        place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or(200)
    };
    let read_only = kept.iter().filter(|index| **index >= MINT_AT).count();
    Ok(Message {
        version: None,
        header: [u8::try_from(signers.len())?, 0, u8::try_from(read_only)?],
        keys: kept
            .iter()
            .filter_map(|index| keys.get(usize::from(*index)).copied())
            .collect(),
        instructions: instructions
            .iter()
            .map(|one| Instruction {
                program: place(one.program),
                accounts: one.accounts.iter().map(|index| place(*index)).collect(),
                data: one.data.clone(),
            })
            .collect(),
        tail: Vec::new(),
    })
}

fn tokens(amount: u64) -> Instruction {
    let data = [&[12][..], &amount.to_le_bytes(), &[6]].concat();
    instruction(TOKEN_AT, &[SOURCE, MINT_AT, DESTINATION, WALLET], data)
}

fn coins(from: u8, to: u8, amount: u64) -> Instruction {
    instruction(SYSTEM_AT, &[from, to], lamports(amount))
}

/// What x402 brings: a payment to the listed recipient, whose fee a stranger pays.
fn sponsored(rig: &Rig, more: &[Instruction]) -> Result<Vec<u8>> {
    let all = [&[tokens(AMOUNT)], more].concat();
    Ok(message(rig, &[PAYER, WALLET], &all)?.bytes())
}

fn wire(message: &[u8], slots: &[[u8; 64]]) -> String {
    let signatures = slots.as_flattened();
    let bytes = if message.first() == Some(&0x81) {
        [message, signatures].concat()
    } else {
        let count = u8::try_from(slots.len()).unwrap_or(0);
        [&[count][..], signatures, message].concat()
    };
    BASE64.encode(bytes)
}

/// As many empty places as the message has signers.
fn empty(message: &[u8]) -> Vec<[u8; 64]> {
    let at = usize::from(message.first().is_some_and(|first| *first >= 0x80));
    let count = message.get(at).copied().unwrap_or(1);
    vec![[0; 64]; usize::from(count).min(20)]
}

/// The bearer session brings this text; the gateway takes these bytes out of it.
fn brings(
    rig: &mut Rig,
    text: &str,
    unsigned: &[u8],
    more: &[(&str, Value)],
) -> Result<SpendRequest> {
    let transfer = rig.to_solana(AMOUNT.into());
    let request = rig.invented(&transfer)?;
    let mut body = json!({
        "signer": rig.cast.agent.signer,
        "wallet": rig.cast.solana.wallet,
        "network": solana(),
        "transaction": text,
    });
    let fields = body.as_object_mut().context("an object")?;
    for (field, value) in more {
        fields.insert((*field).to_owned(), value.clone());
    }
    Ok(SpendRequest {
        path: BROUGHT.to_owned(),
        body: body.to_string().into_bytes(),
        unsigned: unsigned.to_vec(),
        ..request
    })
}

pub(super) fn bring(rig: &mut Rig, message: &[u8]) -> Result<SpendRequest> {
    let text = wire(message, &empty(message));
    brings(rig, &text, message, &[])
}

/// A transfer of the wallet's own in a message of version 1: settings by their mask, and what they say.
fn version_one(rig: &Rig, mask: u32, settings: &[u8], amount: u64) -> Vec<u8> {
    [
        &[0x81, 1, 0, 1][..],
        &mask.to_le_bytes(),
        &[7; 32],
        &[1, 3],
        &own(rig),
        &named(SOLANA_TO),
        &named(SYSTEM),
        settings,
        &[2, 2, 12, 0],
        &[0, 1],
        &lamports(amount),
    ]
    .concat()
}

fn settings(fee: u64) -> Vec<u8> {
    let limits = [450_u32.to_le_bytes(), 65_536_u32.to_le_bytes()];
    [&fee.to_le_bytes()[..], limits.as_flattened()].concat()
}

/// Instructions that a stranger could write behind an honest payment.
fn behind() -> Vec<(&'static str, Instruction)> {
    let token = |accounts: &[u8], data: Vec<u8>| instruction(TOKEN_AT, accounts, data);
    let amount = AMOUNT.to_le_bytes();
    let checked = [&[12][..], &amount, &[6]].concat();
    vec![
        (
            "our tokens to the thief",
            token(&[SOURCE, MINT_AT, STOLEN, WALLET], checked.clone()),
        ),
        (
            "his authority",
            token(&[SOURCE, MINT_AT, DESTINATION, PAYER], checked.clone()),
        ),
        (
            "his tokens",
            token(&[STOLEN, MINT_AT, DESTINATION, PAYER], checked),
        ),
        (
            "unchecked",
            token(&[SOURCE, STOLEN, WALLET], [&[3][..], &amount].concat()),
        ),
        (
            "a delegate",
            token(&[SOURCE, THIEF, WALLET], [&[4][..], &amount].concat()),
        ),
        ("no delegate", token(&[SOURCE, WALLET], vec![5])),
        (
            "another owner",
            token(&[SOURCE, WALLET], [&[6, 2, 1][..], &thief(0)].concat()),
        ),
        (
            "burnt",
            token(&[SOURCE, MINT_AT, WALLET], [&[8][..], &amount].concat()),
        ),
        ("closed", token(&[SOURCE, THIEF, WALLET], vec![9])),
        ("synchronised", token(&[SOURCE], vec![17])),
        ("our coins to the thief", coins(WALLET, THIEF, AMOUNT)),
        ("his coins to us", coins(PAYER, WALLET, AMOUNT)),
        ("his coins to somebody", coins(PAYER, THIEF, AMOUNT)),
        (
            "our account to a program",
            instruction(SYSTEM_AT, &[WALLET], system(1, &thief(0))),
        ),
        (
            "space in our account",
            instruction(SYSTEM_AT, &[WALLET], system(8, &amount)),
        ),
        (
            "an unknown program with our signature",
            instruction(UNKNOWN_AT, &[WALLET], vec![1]),
        ),
        (
            "an unknown program without it",
            instruction(UNKNOWN_AT, &[THIEF], vec![1]),
        ),
        (
            "an unknown program with nothing",
            instruction(UNKNOWN_AT, &[], vec![]),
        ),
        (
            "the stake program",
            instruction(STAKE_AT, &[THIEF, WALLET], system(5, &[])),
        ),
        (
            "a memo that we sign",
            instruction(MEMO_AT, &[WALLET], b"agreed".to_vec()),
        ),
        (
            "a setting with our account",
            instruction(
                BUDGET_AT,
                &[WALLET],
                [&[2][..], &450_u32.to_le_bytes()].concat(),
            ),
        ),
        (
            "a setting that is none",
            instruction(BUDGET_AT, &[], vec![9]),
        ),
        (
            "an account at our cost",
            instruction(
                ASSOCIATED_AT,
                &[WALLET, STOLEN, THIEF, MINT_AT, SYSTEM_AT, TOKEN_AT],
                vec![1],
            ),
        ),
    ]
}

/// Everything that could be brought and must not be signed; and that the honest ones are.
pub(super) fn roles(rig: &mut Rig) -> Result<String> {
    let mut attempts = Vec::new();
    let mut add = |rig: &mut Rig, what: &str, message: &[u8]| -> Result<()> {
        attempts.push((what.to_owned(), bring(rig, message)?));
        Ok(())
    };
    for (what, more) in behind() {
        let bytes = sponsored(rig, std::slice::from_ref(&more))?;
        add(rig, &format!("{what}, last"), &bytes)?;
        let first = message(rig, &[PAYER, WALLET], &[more.clone(), tokens(AMOUNT)])?;
        add(rig, &format!("{what}, first"), &first.bytes())?;
        let alone = message(rig, &[PAYER, WALLET], &[more])?;
        add(rig, &format!("{what}, alone"), &alone.bytes())?;
    }
    // Who signs, in other orders, numbers and rights.
    let pays = [tokens(AMOUNT)];
    for (what, signers) in [
        ("we pay, and he signs second", &[WALLET, PAYER][..]),
        ("a third signer", &[PAYER, WALLET, THIEF]),
        ("two strangers before us", &[PAYER, THIEF, WALLET]),
        ("he alone", &[PAYER]),
    ] {
        let bytes = message(rig, signers, &pays)?.bytes();
        add(rig, what, &bytes)?;
    }
    let honest = message(rig, &[PAYER, WALLET], &pays)?;
    for (what, header) in [
        ("nobody signs", [0, 0, 3]),
        ("a read-only payer", [2, 2, 3]),
        ("more read-only signers than signers", [2, 3, 3]),
        ("everything signs", [7, 0, 3]),
        ("nothing is writable", [2, 0, 5]),
        ("more read-only than there is", [2, 0, 200]),
    ] {
        let mut changed = honest.clone();
        changed.header = header;
        add(rig, what, &changed.bytes())?;
    }
    let mut both = honest.clone();
    both.keys[0] = own(rig);
    add(rig, "we sign twice", &both.bytes())?;
    let mut other = honest.clone();
    other.keys[1] = account_bytes(rig.cast.other_solana.account)
        .try_into()
        .unwrap_or_default();
    add(rig, "another wallet of the signer's", &other.bytes())?;
    // Trailing bytes, missing ones, other versions, tables.
    let bytes = honest.bytes();
    add(rig, "a byte behind", &[&bytes[..], &[0]].concat())?;
    add(rig, "twice itself", &[&bytes[..], &bytes].concat())?;
    for length in [0, 1, 3, 4, 36, 68, bytes.len() - 1] {
        add(rig, "cut", bytes.get(..length).unwrap_or_default())?;
    }
    let mut table = honest.clone();
    table.version = Some(0x80);
    table.tail = [&[1][..], &thief(6), &[1, 0, 0]].concat();
    add(rig, "with a lookup table", &table.bytes())?;
    for version in (0x82..=0xff_u8).step_by(9) {
        table.version = Some(version);
        add(rig, "of a version to come", &table.bytes())?;
    }
    // Very many.
    for count in [9, 20, 60] {
        let many = vec![coins(WALLET, RECIPIENT, 1); count];
        let bytes = message(rig, &[WALLET], &many)?.bytes();
        add(rig, &format!("{count} instructions"), &bytes)?;
    }
    // Version 1: memory, units beyond the chain's, half of a setting, a stranger who pays, other counts.
    let sound = version_one(rig, 15, &settings(300), AMOUNT);
    let heap = [&settings(300)[..], &32_768_u32.to_le_bytes()].concat();
    let units = [&300_u64.to_le_bytes()[..], &1_400_001_u32.to_le_bytes()].concat();
    for (what, mask, said) in [
        ("memory", 31, heap),
        ("too many units", 7, units),
        ("half a fee", 1, 300_u64.to_le_bytes().to_vec()),
        ("the other half", 2, 300_u64.to_le_bytes().to_vec()),
        ("an unknown setting", 32, vec![]),
        ("every setting", u32::MAX, vec![0; 64]),
        ("a setting that is not there", 15, vec![]),
    ] {
        let bytes = version_one(rig, mask, &said, AMOUNT);
        add(rig, what, &bytes)?;
    }
    add(rig, "a byte behind version 1", &[&sound[..], &[0]].concat())?;
    for (place, byte) in [
        (1, 0),
        (1, 3),
        (2, 1),
        (3, 2),
        (3, 0),
        (40, 0),
        (40, 9),
        (41, 2),
        (41, 4),
    ] {
        let mut changed = sound.clone();
        changed[place] = byte;
        add(
            rig,
            &format!("byte {place} of version 1 is {byte}"),
            &changed,
        )?;
    }
    let mut stolen = sound.clone();
    stolen[74..106].copy_from_slice(&thief(0));
    add(rig, "version 1 to the thief", &stolen)?;
    let counted = rig.refused(&attempts, &REFUSED)?;
    let more = wires(rig, &bytes)? + swapped(rig, &bytes)? + limits(rig)?;
    let passed = honest_ones(rig)?;
    Ok(format!(
        "{} brought refused {counted:?}, {more} by wire, bytes and limits; {passed} signed",
        attempts.len()
    ))
}

/// Texts that are no transaction, and bodies that tell a role.
fn wires(rig: &mut Rig, message: &[u8]) -> Result<usize> {
    let slots = [[0; 64]; 2];
    let text = wire(message, &slots);
    let raw = BASE64.decode(&text)?;
    let longer = [&raw[..], &[0]].concat();
    let mut attempts = Vec::new();
    for (what, text) in [
        ("too few places", wire(message, &slots[..1])),
        ("too many places", wire(message, &[[0; 64]; 3])),
        ("no places", wire(message, &[])),
        ("a byte behind", BASE64.encode(longer)),
        ("cut", BASE64.encode(&raw[..raw.len() - 1])),
        ("the message alone", BASE64.encode(message)),
        ("hex", hex::encode(&raw)),
        ("base58", bs58::encode(&raw).into_string()),
        ("no base64", text.replace('A', "~")),
        ("a space", format!("{text} ")),
        ("nothing", String::new()),
    ] {
        attempts.push((what.to_owned(), brings(rig, &text, message, &[])?));
    }
    let stranger = bs58::encode(thief(0)).into_string();
    for (field, value) in [
        ("role", json!("payer")),
        ("fee_payer", json!(stranger)),
        ("signers", json!([stranger])),
        ("authority", json!(stranger)),
        ("type", json!("call")),
        ("to", json!(SOLANA_TO)),
        ("amount_base", json!("5")),
        ("asset", json!(solana().native_asset())),
        ("effects", json!([])),
        ("tier", json!("INSTANT")),
        ("signature", json!("00".repeat(64))),
        ("sponsored", json!(false)),
        ("submit", json!(true)),
        ("submit", json!("yes")),
    ] {
        let request = brings(rig, &text, message, &[(field, value)])?;
        attempts.push((format!("{field} told"), request));
    }
    let codes = [
        &REFUSED[..],
        &[Code::BodyMalformed, Code::BroughtSubmit, Code::BodyMismatch],
    ]
    .concat();
    rig.refused(&attempts, &codes)?;
    // Who is named can only make a derivation fit: the thief's account stays the thief's.
    let to_thief = instruction(
        TOKEN_AT,
        &[SOURCE, MINT_AT, STOLEN, WALLET],
        [&[12][..], &AMOUNT.to_le_bytes(), &[6]].concat(),
    );
    let stolen = super::brought::message(rig, &[PAYER, WALLET], &[to_thief])?.bytes();
    let text = wire(&stolen, &slots);
    let own = rig.cast.solana.account.to_string();
    for (named, code) in [
        (json!([SOLANA_TO]), Code::BroughtRecipient),
        (json!([own]), Code::BroughtRecipient),
        (json!([stranger]), Code::RecipientNotListed),
        (json!(vec![SOLANA_TO; 9]), Code::BodyMalformed),
    ] {
        let request = brings(rig, &text, &stolen, &[("recipients", named)])?;
        rig.refuse("a recipient that is named", request, &[code])?;
    }
    Ok(attempts.len() + 4)
}

/// The gateway's own bytes beside the agent's text.
fn swapped(rig: &mut Rig, message: &[u8]) -> Result<usize> {
    let text = wire(message, &empty(message));
    let mut attempts = Vec::new();
    for place in 0..message.len() {
        let mut changed = message.to_vec();
        changed[place] ^= 1;
        let request = brings(rig, &text, &changed, &[])?;
        attempts.push((format!("byte {place} swapped"), request));
    }
    let alone = super::brought::message(rig, &[WALLET], &[tokens(AMOUNT)])?.bytes();
    for other in [vec![], alone, [message, &[0]].concat()] {
        attempts.push(("swapped".to_owned(), brings(rig, &text, &other, &[])?));
    }
    rig.refused(&attempts, &[Code::BodyMismatch])?;
    Ok(attempts.len())
}

/// What is understood, and is the policy's to refuse.
fn limits(rig: &mut Rig) -> Result<usize> {
    let large = u64::try_from(LIMIT)?;
    let waits = message(rig, &[PAYER, WALLET], &[tokens(large / 10)])?.bytes();
    let more = message(rig, &[PAYER, WALLET], &[tokens(large + 1)])?.bytes();
    let twice = [tokens(large / 2 + 1), tokens(large / 2 + 1)];
    let twice = message(rig, &[PAYER, WALLET], &twice)?.bytes();
    let dear = version_one(rig, 15, &settings(u64::MAX - 5_000_000), AMOUNT);
    let cases = [
        (
            "nobody else signs what waits",
            waits,
            &[Code::BroughtWaits][..],
        ),
        (
            "above the limit",
            more,
            &[Code::SessionPerTransaction, Code::PerTransactionLimit],
        ),
        (
            "above it together",
            twice,
            &[Code::SessionPerTransaction, Code::PerTransactionLimit],
        ),
        (
            "a fee of version 1",
            dear,
            &[
                Code::FeeCeiling,
                Code::SessionPerTransaction,
                Code::PerTransactionLimit,
                Code::TransactionUndecodable,
            ],
        ),
    ];
    let count = cases.len();
    for (what, bytes, codes) in cases {
        let request = bring(rig, &bytes)?;
        rig.refuse(what, request, codes)?;
    }
    Ok(count)
}

/// Signed, each with only the wallet's own signature, and charged as the second calculator charges them (O2): behind
/// a stranger who pays, of tokens and of coins, with rubbish in the stranger's place; alone; and of version 1.
pub(super) fn honest_ones(rig: &mut Rig) -> Result<usize> {
    let version_one = version_one(rig, 15, &settings(300), AMOUNT);
    let behind = sponsored(rig, &[])?;
    let coins = message(rig, &[PAYER, WALLET], &[coins(WALLET, RECIPIENT, AMOUNT)])?.bytes();
    let both = sponsored(rig, &[self::coins(WALLET, RECIPIENT, AMOUNT)])?;
    let alone = message(rig, &[WALLET], &[tokens(AMOUNT)])?.bytes();
    let mut count = 0;
    for bytes in [&behind[..], &coins, &both, &alone, &version_one] {
        let request = bring(rig, bytes)?;
        let signed = rig.send(&request).context("an honest one")?;
        let again = rig.send(&request)?;
        ensure!(
            again.replay && again.raw == signed.raw,
            "two for one request"
        );
        count += 1;
    }
    for rubbish in [[0xff; 64], [1; 64]] {
        for slots in [[rubbish, [0; 64]], [[0; 64], rubbish], [rubbish; 2]] {
            let text = wire(&behind, &slots);
            let request = brings(rig, &text, &behind, &[])?;
            let signed = rig.send(&request).context("rubbish in a place")?;
            let theirs = signed.raw.get(1..65).context("a place")?;
            ensure!(theirs == [0; 64], "rubbish came out again");
            count += 1;
        }
    }
    Ok(count)
}
