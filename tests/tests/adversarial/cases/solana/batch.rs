//! Several payments in one transaction, with a memo (X01): everything but what was asked, at once and when
//! what waited is released; what policy refuses of a batch that is asked for; and a batch under another key.
//! Beside the refused ones the honest batch must pass.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::{Paid, SpendRequest};
use waiaas_shared::denial::Code;
use waiaas_tests::stage::{LIMIT, SOLANA_TO};

use super::{Draft, MEMO, SYSTEM, instruction, thief};
use crate::bytes::{Instruction, lamports};
use crate::rig::Rig;
use crate::stand::{ASKED, DELAYED};

const OTHER: [Code; 3] = [
    Code::TransactionUndecodable,
    Code::BodyMismatch,
    Code::PerTransactionLimit,
];

/// What is asked: amounts for the listed recipient or a thief, and a memo.
#[derive(Debug, Clone)]
struct Batch {
    payments: Vec<(Whom, u64)>,
    memo: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Listed,
    Thief,
}

/// Where the keys stand in every message here, of which only those that are used are kept.
const LISTED: u8 = 1;
const THIEF: u8 = 2;

fn honest() -> Batch {
    Batch {
        payments: vec![(Whom::Listed, 5), (Whom::Listed, 7)],
        memo: Some("order 7"),
    }
}

fn pay((whom, amount): (Whom, u64)) -> Instruction {
    let to = match whom {
        Whom::Listed => LISTED,
        Whom::Thief => THIEF,
    };
    instruction(3, &[0, to], lamports(amount))
}

fn memo(text: &str) -> Instruction {
    instruction(4, &[], text.as_bytes().to_vec())
}

fn instructions(batch: &Batch) -> Vec<Instruction> {
    let memo = batch.memo.map(memo);
    let payments = batch.payments.iter().copied().map(pay);
    memo.into_iter().chain(payments).collect()
}

/// The wallet's message of these instructions, and of no other key than they name.
fn message(rig: &Rig, instructions: &[Instruction]) -> Vec<u8> {
    let used = |index: u8| {
        let mut all = instructions.iter();
        all.any(|one| one.program == index || one.accounts.contains(&index))
    };
    // The recipient stands in every draft; the first instruction of a draft is the honest transfer.
    let (stranger, noted) = (used(THIEF), used(4));
    let writable = if stranger { vec![thief(0)] } else { Vec::new() };
    let read_only: &[&str] = if noted { &[SYSTEM, MEMO] } else { &[SYSTEM] };
    let mut draft = Draft::new(rig, "", &writable, read_only, Vec::new());
    let less = u8::from(!stranger);
    draft.message.instructions = instructions
        .iter()
        .map(|one| Instruction {
            program: one.program - less,
            ..one.clone()
        })
        .collect();
    draft.message.bytes()
}

fn body(rig: &Rig, batch: &Batch) -> Vec<u8> {
    let payments = batch.payments.iter().map(|(whom, amount)| {
        let to = match whom {
            Whom::Listed => SOLANA_TO.to_owned(),
            Whom::Thief => bs58::encode(thief(0)).into_string(),
        };
        json!({ "to": to, "amount_base": amount.to_string() })
    });
    let payments: Vec<Value> = payments.collect();
    let transfer = rig.to_solana(1);
    let mut body = json!({
        "signer": rig.cast.agent.signer,
        "wallet": transfer.from.wallet,
        "network": transfer.network,
        "transfers": payments,
        "submit": false,
    });
    if let (Some(memo), Some(fields)) = (batch.memo, body.as_object_mut()) {
        fields.insert("memo".to_owned(), memo.into());
    }
    body.to_string().into_bytes()
}

/// The bearer session asks for a batch, with these instructions.
fn request(rig: &mut Rig, batch: &Batch, with: &[Instruction]) -> Result<SpendRequest> {
    let transfer = rig.to_solana(1);
    let request = rig.invented(&transfer)?;
    Ok(SpendRequest {
        body: body(rig, batch),
        unsigned: message(rig, with),
        ..request
    })
}

/// Instructions that are not the batch's own.
fn spoilt(batch: &Batch) -> Vec<(&'static str, Vec<Instruction>)> {
    let sound = instructions(batch);
    let last = sound.len() - 1;
    let with = |place: usize, one: Instruction| {
        let mut changed = sound.clone();
        changed.splice(place..=place, [one]);
        changed
    };
    let more = |one: Instruction| [sound.clone(), vec![one]].concat();
    let (whom, amount) = batch.payments.last().copied().unwrap_or((Whom::Thief, 9));
    let mut swapped = sound.clone();
    swapped.swap(last - 1, last);
    let mut shorter = sound.clone();
    shorter.pop();
    let mut bare = sound.clone();
    let first = bare.remove(0);
    let sum = batch.payments.iter().map(|(_, amount)| amount).sum();
    let mut all = vec![
        ("one more to a thief", more(pay((Whom::Thief, 1)))),
        ("one more to the recipient", more(pay((Whom::Listed, 1)))),
        ("the last one twice", more(pay((whom, amount)))),
        (
            "the last one to a thief",
            with(last, pay((Whom::Thief, amount))),
        ),
        ("a unit more", with(last, pay((whom, amount + 1)))),
        ("a unit less", with(last, pay((whom, amount - 1)))),
        ("without the last", shorter),
        ("all in one", vec![first, pay((Whom::Listed, sum))]),
        ("without the memo", bare),
        ("another memo", with(0, memo("order 8"))),
        ("an empty memo", with(0, memo(""))),
        ("a longer memo", with(0, memo("order 7 "))),
        ("the memo twice", more(memo("order 7"))),
        (
            "a memo with a signer",
            with(0, instruction(4, &[0], b"order 7".to_vec())),
        ),
    ];
    // Of equal payments every order is the same.
    if swapped != sound {
        all.push(("another order", swapped));
    }
    all
}

pub(super) fn several(rig: &mut Rig) -> Result<String> {
    let asked = honest();
    let mut attempts = Vec::new();
    for (name, with) in spoilt(&asked) {
        attempts.push((name.to_owned(), request(rig, &asked, &with)?));
    }
    // One is asked for and several are paid.
    let one = Batch {
        payments: vec![(Whom::Listed, 5)],
        memo: None,
    };
    for with in [
        instructions(&asked),
        vec![pay((Whom::Listed, 5)), pay((Whom::Thief, 1))],
        vec![memo("order 7"), pay((Whom::Listed, 5))],
    ] {
        attempts.push(("asked for one".to_owned(), request(rig, &one, &with)?));
    }
    let counted = rig.refused(&attempts, &OTHER)?;
    let sound = request(rig, &asked, &instructions(&asked))?;
    let first = rig.send(&sound).context("the honest batch")?;
    let again = rig.send(&sound).context("the same batch again")?;
    ensure!(again.replay && again.raw == first.raw, "signed twice");
    refused_by_policy(rig)?;
    waits(rig)?;
    under_another_key(rig)?;
    Ok(format!("{} batches {counted:?}", attempts.len()))
}

/// What is asked and done alike, and still must not be.
fn refused_by_policy(rig: &mut Rig) -> Result<()> {
    let half = u64::try_from(LIMIT / 2)? + 1;
    for (what, payments, codes) in [
        (
            "the last recipient is not listed",
            vec![(Whom::Listed, 5), (Whom::Thief, 1)],
            &[Code::RecipientNotListed][..],
        ),
        (
            "the sum is above the limit",
            vec![(Whom::Listed, half), (Whom::Listed, half)],
            &[Code::PerTransactionLimit, Code::TierNotAvailable],
        ),
        (
            "more than a batch holds",
            vec![(Whom::Listed, 1); 9],
            &[Code::BatchTooLarge],
        ),
    ] {
        let batch = Batch {
            payments,
            memo: Some("order 7"),
        };
        let asked = request(rig, &batch, &instructions(&batch))?;
        rig.refuse(what, asked, codes)?;
    }
    Ok(())
}

/// Four payments, each of which could be made at once or after a delay: together they wait as their sum does,
/// and only the batch that waited is released.
fn waits(rig: &mut Rig) -> Result<()> {
    for sum in [DELAYED, ASKED] {
        let batch = Batch {
            payments: vec![(Whom::Listed, u64::try_from(sum / 4)?); 4],
            memo: Some("order 7"),
        };
        let asked = request(rig, &batch, &instructions(&batch))?;
        let view = rig.wait(&asked).context("the sum of a batch")?;
        let transaction = view.intent.transaction;
        if sum == ASKED {
            rig.approve(transaction)?;
        }
        crate::cases::mature();
        for (name, with) in spoilt(&batch) {
            let bytes = message(rig, &with);
            rig.unreleased(name, transaction, &bytes, &OTHER)?;
        }
        let bytes = message(rig, &instructions(&batch));
        rig.release(transaction, &bytes)
            .context("the batch that waited")?;
    }
    Ok(())
}

/// What an agent signed for one key is of no use under another.
fn under_another_key(rig: &mut Rig) -> Result<()> {
    let batch = honest();
    let invented = request(rig, &batch, &instructions(&batch))?;
    let agent = rig.agent();
    let signed = agent.sign(SpendRequest {
        session: agent.session,
        ..invented
    })?;
    let paid = rig.ask(&signed).context("the agent's own batch")?;
    ensure!(matches!(paid, Paid::Signed(_)), "it waits");
    for (what, key, bytes) in [
        (
            "another key",
            "another",
            message(rig, &instructions(&batch)),
        ),
        ("a key of the same length", "key-0", signed.unsigned.clone()),
    ] {
        let again = SpendRequest {
            idempotency_key: key.to_owned(),
            unsigned: bytes,
            ..signed.clone()
        };
        let codes = [Code::RequestSignatureInvalid, Code::RequestNonceReused];
        rig.refuse(what, again, &codes)?;
    }
    Ok(())
}
