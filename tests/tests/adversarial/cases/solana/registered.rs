//! A token that the policy has: everything but the one transfer that was asked for. Accounts are derived
//! here a second time, by the runtime's rule. Beside the refused ones the honest transfer must pass, with
//! the recipient's account created and without, so that nothing was refused for another reason.

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::SOLANA_TO;

use super::{AMOUNT, ASSOCIATED, Key, SYSTEM, TOKEN, TOKEN_2022, instruction, named, thief};
use crate::bytes::{Instruction, Message};
use crate::calculator::account_bytes;
use crate::rig::Rig;
use crate::stand::{MINT, mint};

/// Where the accounts stand that every message here has.
const SOURCE: u8 = 1;
const DESTINATION: u8 = 2;
/// The attacker's associated account, and a plain key of the attacker's.
const STOLEN: u8 = 3;
const THIEF: u8 = 4;
/// Read-only from here on.
const MINT_AT: u8 = 5;
const OTHER_MINT: u8 = 6;
const TOKEN_AT: u8 = 7;
const TOKEN_2022_AT: u8 = 8;
const ASSOCIATED_AT: u8 = 9;
const SYSTEM_AT: u8 = 10;
const RECIPIENT: u8 = 11;

fn associated(owner: Key, mint: Key, program: &str) -> Key {
    let on_curve = |key: &Key| VerifyingKey::from_bytes(key).is_ok();
    let derive = |bump: u8| -> Key {
        let seeds = [owner, named(program), mint].concat();
        let tail = [&[bump][..], &named(ASSOCIATED), b"ProgramDerivedAddress"].concat();
        Sha256::digest([seeds, tail].concat()).into()
    };
    let bumps = (0..=255).rev();
    bumps
        .map(derive)
        .find(|key| !on_curve(key))
        .unwrap_or_default()
}

fn checked(amount: u64, decimals: u8) -> Vec<u8> {
    [&[12][..], &amount.to_le_bytes(), &[decimals]].concat()
}

fn transfer(program: u8, accounts: &[u8], data: Vec<u8>) -> Instruction {
    instruction(program, accounts, data)
}

fn honest() -> Instruction {
    transfer(
        TOKEN_AT,
        &[SOURCE, MINT_AT, DESTINATION, 0],
        checked(AMOUNT, 6),
    )
}

fn creation() -> Instruction {
    let accounts = [0, DESTINATION, RECIPIENT, MINT_AT, SYSTEM_AT, TOKEN_AT];
    instruction(ASSOCIATED_AT, &accounts, vec![1])
}

/// Only the keys that the instructions name, in their order: an unused one would be refused for itself.
fn message(rig: &Rig, instructions: Vec<Instruction>) -> Message {
    let wallet: Key = account_bytes(rig.cast.solana.account)
        .try_into()
        .unwrap_or_default();
    let (mint, recipient) = (named(MINT), named(SOLANA_TO));
    let keys = [
        wallet,
        associated(wallet, mint, TOKEN),
        associated(recipient, mint, TOKEN),
        associated(thief(0), mint, TOKEN),
        thief(0),
        mint,
        thief(4),
        named(TOKEN),
        named(TOKEN_2022),
        named(ASSOCIATED),
        named(SYSTEM),
        recipient,
    ];
    let used = |index: u8| {
        index == 0
            || instructions
                .iter()
                .any(|one| one.program == index || one.accounts.contains(&index))
    };
    let kept: Vec<u8> = (0..=RECIPIENT).filter(|index| used(*index)).collect();
    let place = |index: u8| {
        let place = kept.iter().position(|known| *known == index);
        place
            .and_then(|place| u8::try_from(place).ok())
            .unwrap_or(0)
    };
    let read_only = kept.iter().filter(|index| **index >= MINT_AT).count();
    Message {
        version: None,
        header: [1, 0, u8::try_from(read_only).unwrap_or(0)],
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
    }
}

/// The bearer session asks for the token, five base units to the listed recipient, with these bytes.
fn request(rig: &mut Rig, instructions: Vec<Instruction>) -> Result<SpendRequest> {
    let unsigned = message(rig, instructions).bytes();
    let honest = rig.to_solana(AMOUNT.into());
    let request = rig.invented(&honest)?;
    let mut body: Value = serde_json::from_slice(&request.body)?;
    let fields = body.as_object_mut().context("an object")?;
    fields.insert("asset".to_owned(), Value::String(mint().to_string()));
    Ok(SpendRequest {
        body: body.to_string().into_bytes(),
        unsigned,
        ..request
    })
}

fn deny(rig: &mut Rig, drafts: Vec<(String, Vec<Instruction>)>) -> Result<String> {
    for instructions in [vec![honest()], vec![creation(), honest()]] {
        let request = request(rig, instructions)?;
        let gateway = rig.gateway();
        let would = rig.block(gateway.decide(&request));
        ensure!(would.is_ok(), "the honest transfer: {would:?}");
    }
    let mut attempts = Vec::new();
    for (name, instructions) in drafts {
        attempts.push((name, request(rig, instructions)?));
    }
    let codes = [Code::TransactionUndecodable, Code::BodyMismatch];
    let counted = rig.refused(&attempts, &codes)?;
    Ok(format!("{} of a known token {counted:?}", attempts.len()))
}

/// X10: accounts that are not the recipient's own, and accounts for others.
pub(super) fn accounts(rig: &mut Rig) -> Result<String> {
    let of = |accounts: &[u8]| transfer(TOKEN_AT, accounts, checked(AMOUNT, 6));
    let create = |account, owner, mint| {
        let accounts = [0, account, owner, mint, SYSTEM_AT, TOKEN_AT];
        instruction(ASSOCIATED_AT, &accounts, vec![1])
    };
    let mut drafts = Vec::new();
    for (name, accounts) in [
        ("to the attacker's account", [SOURCE, MINT_AT, STOLEN, 0]),
        ("to a plain key", [SOURCE, MINT_AT, THIEF, 0]),
        ("to the wallet's own account", [SOURCE, MINT_AT, SOURCE, 0]),
        (
            "from the attacker's account",
            [STOLEN, MINT_AT, DESTINATION, 0],
        ),
        ("by the attacker", [SOURCE, MINT_AT, DESTINATION, THIEF]),
        ("of another mint", [SOURCE, OTHER_MINT, DESTINATION, 0]),
    ] {
        drafts.push((name.to_owned(), vec![of(&accounts)]));
    }
    for (name, more) in [
        ("a second transfer", of(&[SOURCE, MINT_AT, STOLEN, 0])),
        ("the transfer twice", honest()),
        ("the attacker's account", create(STOLEN, THIEF, MINT_AT)),
        (
            "the attacker as its owner",
            create(DESTINATION, THIEF, MINT_AT),
        ),
        (
            "the recipient as its owner",
            create(STOLEN, RECIPIENT, MINT_AT),
        ),
        (
            "for another mint",
            create(DESTINATION, RECIPIENT, OTHER_MINT),
        ),
        (
            "lamports beside",
            instruction(SYSTEM_AT, &[0, THIEF], crate::bytes::lamports(1)),
        ),
    ] {
        drafts.push((format!("{name}, first"), vec![more.clone(), honest()]));
        drafts.push((format!("{name}, last"), vec![honest(), more]));
    }
    drafts.push((
        "created twice".to_owned(),
        vec![creation(), creation(), honest()],
    ));
    drafts.push(("created too late".to_owned(), vec![honest(), creation()]));
    drafts.push(("created for nothing".to_owned(), vec![creation()]));
    for number in [0, 2, 3, 255] {
        let mut other = creation();
        other.data = vec![number];
        drafts.push((format!("creation {number}"), vec![other, honest()]));
    }
    deny(rig, drafts)
}

/// X07 and X08: every number of both programs over the right accounts, and the wrong decimals, amount and
/// program.
pub(super) fn numbers(rig: &mut Rig) -> Result<String> {
    let accounts = [SOURCE, MINT_AT, DESTINATION, 0];
    let mut drafts = Vec::new();
    for program in [TOKEN_AT, TOKEN_2022_AT] {
        for number in 0..=255_u8 {
            let mut data = checked(AMOUNT, 6);
            if let Some(first) = data.first_mut() {
                *first = number;
            }
            if (program, number) != (TOKEN_AT, 12) {
                let one = transfer(program, &accounts, data.clone());
                drafts.push((format!("{number} alone"), vec![one]));
            }
            let beside = transfer(program, &accounts, data);
            drafts.push((format!("{number} beside"), vec![honest(), beside]));
        }
    }
    for (name, data) in [
        ("other decimals", checked(AMOUNT, 9)),
        ("another amount", checked(AMOUNT + 1, 6)),
        ("the highest amount", checked(u64::MAX, 6)),
        ("a byte too many", [checked(AMOUNT, 6), vec![0]].concat()),
    ] {
        drafts.push((name.to_owned(), vec![transfer(TOKEN_AT, &accounts, data)]));
    }
    let plain = [&[3][..], &AMOUNT.to_le_bytes()].concat();
    let unchecked = transfer(TOKEN_AT, &[SOURCE, DESTINATION, 0], plain);
    drafts.push(("unchecked".to_owned(), vec![unchecked]));
    deny(rig, drafts)
}
