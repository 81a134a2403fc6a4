//! EVM transactions that an agent brings (E20): the nonce in their bytes is the one that the signer issues next, or
//! nothing is signed; and no gateway puts another one into what the agent signed for. The honest one is signed, once,
//! and counted by the checks as what a gateway builds.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_tests::stage::{EVM, EVM_TO};

use super::{CHAIN, TOKEN, VALUE, honest, legacy, selector, sound_call, to, word};
use crate::bytes::{Rlp, fields, read_evm, typed, verified};
use crate::calculator::account_bytes;
use crate::rig::{BROUGHT, Rig};
use crate::stand::DELAYED;

/// The bearer session brings these bytes; the gateway proposes those.
pub(super) fn brings(
    rig: &mut Rig,
    bytes: &[u8],
    proposed: &[u8],
    more: &[(&str, Value)],
) -> Result<SpendRequest> {
    let transfer = rig.to_evm(VALUE);
    let request = rig.invented(&transfer)?;
    let mut body = json!({
        "signer": rig.cast.agent.signer,
        "wallet": rig.cast.evm.wallet,
        "network": EVM,
        "transaction": format!("0x{}", hex::encode(bytes)),
    });
    let known = body.as_object_mut().context("an object")?;
    for (field, value) in more {
        known.insert((*field).to_owned(), value.clone());
    }
    Ok(SpendRequest {
        path: BROUGHT.to_owned(),
        body: body.to_string().into_bytes(),
        unsigned: proposed.to_vec(),
        ..request
    })
}

fn bring(rig: &mut Rig, bytes: &[u8]) -> Result<SpendRequest> {
    brings(rig, bytes, bytes, &[])
}

/// The honest payment, or another list of fields, with this nonce.
fn numbered(mut list: Vec<Rlp>, nonce: Rlp) -> Vec<u8> {
    if let Some(field) = list.get_mut(1) {
        *field = nonce;
    }
    typed(2, list)
}

fn with_nonce(nonce: u64) -> Vec<u8> {
    numbered(honest(), Rlp::number(nonce.into()))
}

/// The nonce that the wallet's next transaction carries, as the last signed one tells.
fn next(rig: &mut Rig) -> Result<u64> {
    let transfer = rig.to_evm(VALUE);
    let signed = rig.pay(&transfer)?;
    Ok(nonce_of(rig, &signed.raw)? + 1)
}

fn nonce_of(rig: &Rig, raw: &[u8]) -> Result<u64> {
    let unsigned = verified(raw, &account_bytes(rig.cast.evm.account))?;
    read_evm(&unsigned)?.nonce.context("a nonce")
}

/// What is signed of what is brought.
pub(super) fn honest_ones(rig: &mut Rig) -> Result<()> {
    let due = next(rig)?;
    passes(rig, due).map(drop)
}

/// Every other number than the next, every other way to write it, and every other bytes than the agent's.
pub(super) fn nonces(rig: &mut Rig) -> Result<String> {
    // Two at least, so that there is a lower one.
    next(rig)?;
    let due = next(rig)?;
    let refused = refused(rig, due)?;
    let passed = passes(rig, due)?;
    Ok(format!(
        "{refused} brought refused beside nonce {due}, {passed} signed"
    ))
}

fn refused(rig: &mut Rig, due: u64) -> Result<usize> {
    let other = [
        ("the first", 0),
        ("lower", due - 2),
        ("equal to the last", due - 1),
        ("one left out", due + 1),
        ("two left out", due + 2),
        ("a thousand left out", due + 1000),
        ("of 32 bits", 1 << 32),
        ("the last one", u64::MAX - 1),
    ];
    let mut attempts = Vec::new();
    for (what, nonce) in other {
        attempts.push((what.to_owned(), bring(rig, &with_nonce(nonce))?));
    }
    let counted = rig.refused(&attempts, &[Code::BroughtNonce])?;
    let count = counted.values().sum::<usize>();
    // Beyond what an account's nonce is, and the right number in another form.
    let mut attempts = Vec::new();
    for number in [
        u128::from(u64::MAX),
        u128::from(u64::MAX) + 1,
        u128::from(u64::MAX) + 1 + u128::from(due),
        u128::MAX,
    ] {
        let bytes = numbered(honest(), Rlp::number(number));
        attempts.push((format!("nonce {number}"), bring(rig, &bytes)?));
    }
    let digits = due.to_be_bytes();
    let short = digits.last().copied().context("a digit")?;
    for raw in [
        [&[0x88][..], &digits].concat(),
        vec![0x82, 0, short],
        vec![0xb8, 1, short],
        vec![0xc1, short],
        vec![0xc0],
    ] {
        let bytes = numbered(honest(), Rlp::Raw(raw.clone()));
        attempts.push((format!("nonce {raw:?}"), bring(rig, &bytes)?));
    }
    attempts.push(("legacy".to_owned(), bring(rig, &legacy(&[CHAIN, 0, 0]))?));
    let of_other = typed(1, honest());
    attempts.push(("of type 1".to_owned(), bring(rig, &of_other)?));
    rig.refused(&attempts, &[Code::TransactionUndecodable])?;
    let count = count + attempts.len();
    // The gateway's own number in the place of the agent's, and the reverse; and a number that is told.
    let mut attempts = Vec::new();
    for (said, proposed) in [
        (due, due + 1),
        (due, due - 1),
        (due, 0),
        (due + 1, due),
        (0, due),
    ] {
        let (said, proposed) = (with_nonce(said), with_nonce(proposed));
        attempts.push(("swapped".to_owned(), brings(rig, &said, &proposed, &[])?));
    }
    let sound = with_nonce(due);
    for (field, value) in [
        ("nonce", json!(due)),
        ("nonce", json!(due + 1)),
        ("next_nonce", json!(0)),
        ("replaces", json!("transaction_00000000000000000000000001")),
        ("recipients", json!([EVM_TO])),
        ("to", json!(EVM_TO)),
    ] {
        let request = brings(rig, &sound, &sound, &[(field, value)])?;
        attempts.push((format!("{field} told"), request));
    }
    rig.refused(&attempts, &[Code::BodyMismatch, Code::BodyMalformed])?;
    let count = count + attempts.len();
    // With the right number: what policy refuses, and what is not understood.
    let stranger = fields(CHAIN, &[0xbb; 20], VALUE, &[]);
    let sweeps = [selector("sweep(address,uint256)"), word(&to()), word(&[5])].concat();
    let unknown = fields(CHAIN, &TOKEN, 0, &sweeps);
    let valued = fields(CHAIN, &TOKEN, VALUE, &sound_call());
    let mut attempts = Vec::new();
    for (what, list) in [
        ("to a stranger", stranger),
        ("an unknown call", unknown),
        ("coins with a token", valued),
    ] {
        let bytes = numbered(list, Rlp::number(due.into()));
        attempts.push((what.to_owned(), bring(rig, &bytes)?));
    }
    rig.refused(
        &attempts,
        &[Code::RecipientNotListed, Code::TransactionUndecodable],
    )?;
    Ok(count + attempts.len())
}

/// The honest ones: each takes the next number, once; one that waits takes none until it is released.
fn passes(rig: &mut Rig, due: u64) -> Result<usize> {
    let bytes = with_nonce(due);
    let request = bring(rig, &bytes)?;
    let signed = rig.send(&request).context("the next nonce")?;
    let unsigned = verified(&signed.raw, &account_bytes(rig.cast.evm.account))?;
    ensure!(unsigned == bytes, "other bytes than were brought");
    let again = rig.send(&request)?;
    ensure!(
        again.replay && again.raw == signed.raw,
        "two for one request"
    );
    let late = bring(rig, &bytes)?;
    rig.refuse(
        "the same bytes under another key",
        late,
        &[Code::BroughtNonce],
    )?;
    // Of a token, by the call that policy reads.
    let of_token = fields(CHAIN, &TOKEN, 0, &sound_call());
    let of_token = numbered(of_token, Rlp::number((due + 1).into()));
    let request = bring(rig, &of_token)?;
    rig.send(&request).context("a token's transfer")?;
    // What has to wait is kept as its effect: its number is somebody else's meanwhile.
    let large = fields(CHAIN, &to(), DELAYED, &[]);
    let waits = numbered(large.clone(), Rlp::number((due + 2).into()));
    let request = bring(rig, &waits)?;
    let transaction = rig.wait(&request)?.intent.transaction;
    let taken = with_nonce(due + 2);
    let request = bring(rig, &taken)?;
    rig.send(&request).context("while another waits")?;
    crate::cases::mature();
    let codes = [Code::NonceNotZero];
    rig.unreleased("with its old number", transaction, &waits, &codes)?;
    let released = rig.release(transaction, &typed(2, large))?;
    ensure!(
        nonce_of(rig, &released.raw)? == due + 3,
        "released under another number"
    );
    Ok(4)
}
