//! What is brought to release a payment that waits: other bytes, durable nonces, again and again
//! (T04, T07, T11, P36).

use anyhow::{Context as _, Result, ensure};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::time::Millis;
use waiaas_tests::stage::{EVM_TO, LIMIT};

use super::{OTHER_BYTES, invent, mature, open, sweep, tighten, waits};
use crate::bytes::{Outflow, Rlp, Tables, fields, read_evm, read_solana, typed};
use crate::calculator::account_bytes;
use crate::cases::solana::{durable_nonce, nonce_places, something_else, with_amount};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{ASKED, DELAY, DELAYED, FEE_CEILING};

pub(in crate::cases) const CASES: &[Case] = &[
    case("T04", swapped),
    case("T07", durable_nonces),
    case("T11", old_blockhash),
    case("P36", older_gateway),
];

/// Each single bit of the bytes changed, but for those that still do the same within the ceiling.
fn bits(unsigned: &[u8], same: impl Fn(&[u8]) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut changed = Vec::new();
    for bit in 0..unsigned.len() * 8 {
        let mut bytes = unsigned.to_vec();
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        if !same(&bytes) {
            changed.push((format!("bit {bit}"), bytes));
        }
    }
    changed
}

/// The EVM bytes with one field changed.
fn other_fields(amount: u128) -> Result<Vec<(String, Vec<u8>)>> {
    let to = account_bytes(EVM_TO.parse()?);
    let honest = || fields(31_337, &to, amount, &[]);
    let mut list = Vec::new();
    let mut with = |name: &str, place: usize, field: Rlp| {
        let mut changed = honest();
        if let Some(old) = changed.get_mut(place) {
            *old = field;
        }
        list.push((name.to_owned(), typed(2, changed)));
    };
    for number in [
        0,
        amount - 1,
        amount + 1,
        amount / 2,
        amount * 2,
        LIMIT,
        u128::MAX,
    ] {
        with(&format!("amount {number}"), 6, Rlp::number(number));
    }
    for chain in [0, 1, 31_336, 31_338, 11_155_111] {
        with(&format!("chain {chain}"), 0, Rlp::number(chain));
    }
    for nonce in [1, 2, 1000, u128::from(u64::MAX)] {
        with(&format!("nonce {nonce}"), 1, Rlp::number(nonce));
    }
    for data in [vec![0], vec![0xa9, 0x05, 0x9c, 0xbb], vec![1; 68]] {
        with("with data", 7, Rlp::Bytes(data));
    }
    for to in [vec![], vec![0xbb; 20], vec![0; 20]] {
        with("to somebody else", 5, Rlp::Bytes(to));
    }
    // The fee: above the ceiling by one unit of gas, by price, by both; a tip above the whole.
    let price = FEE_CEILING / 21_000;
    with("a price above the ceiling", 3, Rlp::number(price + 1));
    with(
        "gas above the ceiling",
        4,
        Rlp::number(FEE_CEILING / 1_000_000_000 + 1),
    );
    with("the highest price", 3, Rlp::number(u128::MAX));
    with("the most gas", 4, Rlp::number(u128::from(u64::MAX)));
    with("a tip above the price", 2, Rlp::number(1_000_000_001));
    with(
        "an access list",
        8,
        Rlp::List(vec![Rlp::List(vec![
            Rlp::Bytes(to.clone()),
            Rlp::List(vec![]),
        ])]),
    );
    for kind in [0_u8, 1, 3, 4] {
        list.push((format!("of type {kind}"), typed(kind, honest())));
    }
    Ok(list)
}

fn swapped(rig: &mut Rig, _: &Template) -> Result<String> {
    let (to_evm, to_solana) = (rig.to_evm(DELAYED), rig.to_solana(DELAYED));
    let (on_evm, on_solana) = (open(rig, &to_evm)?, open(rig, &to_solana)?);
    // Another payment of this session that waits as long: its bytes are none for the first.
    let larger = rig.to_evm(DELAYED + DELAYED / 10);
    let other = invent(rig, &larger)?;
    mature();
    let same = |one: Outflow, honest: &Outflow| {
        (one.transfers, one.told, one.memo)
            == (
                honest.transfers.clone(),
                honest.told.clone(),
                honest.memo.clone(),
            )
            && one.fee <= FEE_CEILING
            && one.nonce == honest.nonce
    };
    let honest = read_evm(&on_evm.unsigned)?;
    let mut attempts = bits(&on_evm.unsigned, |bytes| {
        read_evm(bytes).is_ok_and(|one| same(one, &honest))
    });
    attempts.extend(other_fields(DELAYED)?);
    attempts.push(("another's bytes".to_owned(), other.unsigned.clone()));
    attempts.push(("of another chain".to_owned(), on_solana.unsigned.clone()));
    attempts.push(("nothing".to_owned(), vec![]));
    let evm = attempts.len();
    let proposals = |transaction: TransactionId, attempts: &[(String, Vec<u8>)]| -> Vec<_> {
        attempts
            .iter()
            .map(|(_, bytes)| (transaction, bytes.clone()))
            .collect()
    };
    let asked = proposals(on_evm.transaction, &attempts);
    for ((what, _), answer) in attempts.iter().zip(rig.release_all(&asked)?) {
        let code = refusal(answer).with_context(|| what.clone())?;
        ensure!(OTHER_BYTES.contains(&code), "{what}: {code}");
    }
    let own = account_bytes(rig.cast.solana.account);
    let honest = read_solana(&own, &on_solana.unsigned, &Tables::new())?;
    let mut attempts = bits(&on_solana.unsigned, |bytes| {
        read_solana(&own, bytes, &Tables::new()).is_ok_and(|one| {
            let payer = bytes.get(..37) == on_solana.unsigned.get(..37);
            payer && same(one, &honest)
        })
    });
    attempts.extend(something_else(rig, DELAYED)?);
    attempts.push(("of another chain".to_owned(), on_evm.unsigned.clone()));
    let solana = attempts.len();
    let asked = proposals(on_solana.transaction, &attempts);
    for ((what, _), answer) in attempts.iter().zip(rig.release_all(&asked)?) {
        let code = refusal(answer).with_context(|| what.clone())?;
        ensure!(OTHER_BYTES.contains(&code), "{what}: {code}");
    }
    // Equal effect in fresh bytes passes: a lower fee here, a newer blockhash there.
    let to = account_bytes(EVM_TO.parse()?);
    let mut cheaper = fields(31_337, &to, DELAYED, &[]);
    for place in [2, 3] {
        if let Some(field) = cheaper.get_mut(place) {
            *field = Rlp::number(900_000_000);
        }
    }
    rig.release(on_evm.transaction, &typed(2, cheaper))
        .context("a lower fee")?;
    let mut fresh = on_solana.unsigned.clone();
    let place = fresh.windows(32).position(|window| window == [7; 32]);
    if let Some(byte) = place.and_then(|place| fresh.get_mut(place)) {
        *byte = 8;
    }
    rig.release(on_solana.transaction, &fresh)
        .context("a fresh blockhash")?;
    rig.release(other.transaction, &other.unsigned)?;
    Ok(format!(
        "{evm} other EVM bytes and {solana} other Solana messages refused for what waited; equal effect in fresh bytes passed"
    ))
}

fn durable_nonces(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_solana(DELAYED);
    let waiting = open(rig, &transfer)?;
    let mut attempts = Vec::new();
    let mut proposals = Vec::new();
    for place in nonce_places() {
        let transfer = rig.to_solana(5);
        let request = rig.invented(&transfer)?;
        for (name, bytes) in durable_nonce(rig, place) {
            proposals.push((waiting.transaction, with_amount(bytes.clone(), DELAYED)?));
            attempts.push((
                name,
                SpendRequest {
                    unsigned: bytes,
                    idempotency_key: rig.fresh_key(),
                    ..request.clone()
                },
            ));
        }
    }
    rig.refused(&attempts, &[Code::TransactionUndecodable])?;
    mature();
    for ((name, _), answer) in attempts.iter().zip(rig.release_all(&proposals)?) {
        let code = refusal(answer).with_context(|| name.clone())?;
        ensure!(code == Code::TransactionUndecodable, "{name}: {code}");
    }
    rig.release(waiting.transaction, &waiting.unsigned)
        .context("without a durable nonce")?;
    Ok(format!(
        "{} shapes refused, at once and to release what waited",
        attempts.len()
    ))
}

fn old_blockhash(rig: &mut Rig, _: &Template) -> Result<String> {
    // Signed at once; after a delay; with the owner's approval: one signature each.
    let at_once = rig.to_solana(9);
    let request = rig.request(&at_once)?;
    let first = rig.send(&request)?;
    let place = request
        .unsigned
        .windows(32)
        .position(|window| window == [7; 32])
        .context("a blockhash")?;
    let fresh = |unsigned: &[u8], round: u8| {
        let mut fresh = unsigned.to_vec();
        if let Some(byte) = fresh.get_mut(place) {
            *byte = 100 + round;
        }
        fresh
    };
    let (delayed, asked) = (rig.to_solana(DELAYED), rig.to_solana(ASKED));
    let delayed = open(rig, &delayed)?;
    let request_of_asked = rig.request(&asked)?;
    let asked = rig.wait(&request_of_asked)?.intent.transaction;
    rig.approve(asked)?;
    let after_delay = sweep(rig, &delayed, DELAY)?.signed;
    let approved = rig.release(asked, &request_of_asked.unsigned)?;
    let sequence = rig.status()?.sequence;
    for round in 0..50_u8 {
        let again = rig.agent().sign(SpendRequest {
            unsigned: fresh(&request.unsigned, round),
            ..request.clone()
        })?;
        let replay = rig.send(&again)?;
        ensure!(
            replay.replay && replay.raw == first.raw,
            "a second transaction for one request"
        );
        // Under a key of its own the gateway has no signature of the agent's.
        let other = SpendRequest {
            unsigned: fresh(&request.unsigned, round),
            idempotency_key: rig.fresh_key(),
            ..again
        };
        rig.refuse("another key", other, &[Code::RequestSignatureInvalid])?;
        for (transaction, unsigned, left) in [
            (delayed.transaction, &delayed.unsigned, &after_delay),
            (asked, &request_of_asked.unsigned, &approved),
        ] {
            let replay = rig.release(transaction, &fresh(unsigned, round))?;
            ensure!(
                replay.replay && replay.raw == left.raw && replay.sequence == left.sequence,
                "a second signature for one decision"
            );
        }
    }
    // The agent asks again under its key: the same bytes, also behind a restart.
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        let again = rig.agent().sign(request_of_asked.clone())?;
        let replay = rig.send(&again)?;
        ensure!(replay.raw == approved.raw && replay.transaction == asked);
        let code = refusal(rig.draft(&super::approval(asked)))?;
        ensure!(code == Code::IntentUnknown, "approved once more: {code}");
    }
    let grown = rig.status()?.sequence - sequence;
    // The unlock, and counts of refusals.
    ensure!(grown <= 6, "{grown} events");
    Ok(
        "150 fresh blockhashes for what was signed at once, after its delay, and with the owner's word: the first bytes each time"
            .to_owned(),
    )
}

/// The gateway's database from last week, and what it may still believe.
fn older_gateway(rig: &mut Rig, template: &Template) -> Result<String> {
    crate::cases::audit::older_sessions(rig)?;
    let transfer = rig.to_evm(DELAYED);
    let unknown = [Code::IntentUnknown];
    let mut tried = 0;
    for number in 0..50_u8 {
        let name = TransactionId::from_bytes([number; 16]);
        let bytes = waiaas_tests::agent::unsigned(&transfer)?;
        rig.unreleased("never opened", name, &bytes, &unknown)?;
        for facts in [super::approval(name), super::rejection(name)] {
            let code = refusal(rig.draft(&facts))?;
            ensure!(code == Code::IntentUnknown, "{code}");
        }
        let code = refusal(rig.cancel(name))?;
        ensure!(code == Code::IntentUnknown, "{code}");
        tried += 4;
    }
    // Cancelled, rejected and signed by now, and one of another signer's.
    let cancelled = open(rig, &transfer)?;
    rig.cancel(cancelled.transaction)?;
    let rejected = open(rig, &transfer)?;
    rig.reject(rejected.transaction)?;
    let signed = open(rig, &transfer)?;
    let left = sweep(rig, &signed, DELAY)?.signed;
    let foreign = Template::aside(template.rig()?, |copy| open(copy, &transfer))?;
    tighten(rig, |document| {
        document.release_within = Millis::from_millis(200);
    })?;
    let expired = open(rig, &transfer)?;
    std::thread::sleep(DELAY + std::time::Duration::from_millis(300));
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for (what, old) in [
            ("cancelled", &cancelled),
            ("rejected", &rejected),
            ("another signer's", &foreign),
            ("expired", &expired),
        ] {
            let ended = [Code::IntentUnknown, Code::IntentExpired];
            rig.unreleased(what, old.transaction, &old.unsigned, &ended)?;
            ensure!(!waits(rig, old.transaction)?, "{what}: it waits again");
            tried += 1;
        }
        let again = rig.release(signed.transaction, &signed.unsigned)?;
        ensure!(again.replay && again.raw == left.raw, "a second signature");
    }
    rig.use_up("payments end at once");
    Ok(format!(
        "a revoked session stays revoked; {tried} payments that are unknown, cancelled, rejected, expired or another signer's: the signer's state wins"
    ))
}
