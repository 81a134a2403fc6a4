//! Time, hoarding, asking again (T02 to T11, T16, T17).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::now;
use waiaas_tests::stage::{EVM, EVM_TO, LIMIT};

use super::solana::{durable_nonce, nonce_places};
use super::{Case, case, second_try};
use crate::bytes::{fields, typed};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::MAIN;

pub(super) const CASES: &[Case] = &[
    case("T02", said_times),
    case("T03", restarts),
    case("T06", split_payments),
    case("T07", durable_nonces),
    case("T08", hoarding),
    case("T09", one_nonce),
    case("T10", dropped),
    case("T11", old_blockhash),
    case("T16", before_a_kill),
    case("T17", labels),
];

/// Fee of the payments here: 21,000 gas at 1 gwei.
pub(super) const FEE: u128 = 21_000_000_000_000;

fn said_times(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(3);
    let honest = rig.request(&transfer)?;
    let agent = rig.agent();
    let mut attempts = Vec::new();
    let body: Value = serde_json::from_slice(&honest.body)?;
    for (field, value) in [
        ("submitted_at", json!("2020-01-01T00:00:00Z")),
        ("created_at", json!(0)),
        ("timezone", json!("Pacific/Kiritimati")),
        ("delay", json!(0)),
        ("delay", json!(-86_400)),
        ("not_before", json!("1970-01-01")),
        ("clock", json!("monotonic")),
        ("now", json!(u64::MAX)),
    ] {
        let mut changed = body.clone();
        changed[field] = value;
        let request = SpendRequest {
            body: changed.to_string().into_bytes(),
            ..honest.clone()
        };
        attempts.push((field.to_owned(), agent.sign(request)?));
    }
    // The one time that travels: when the agent signed.
    let seconds = now().millis() / 1000;
    for (name, created) in [
        ("long ago", 1),
        ("yesterday", seconds - 86_400),
        ("three minutes ago", seconds - 180),
        ("in three minutes", seconds + 180),
        ("in a year", seconds + 31_536_000),
        ("at the end of time", i64::MAX.unsigned_abs() / 1000),
    ] {
        let parts = request_signature::Request {
            method: &honest.method,
            path: &honest.path,
            query: &honest.query,
            body: &honest.body,
            idempotency_key: &honest.idempotency_key,
        };
        let nonce = xtask::agent::fresh()?.parse()?;
        let Ok(parameters) = Parameters::new(created, nonce, agent.session) else {
            continue;
        };
        let signed = request_signature::sign_request(&parts, &parameters, |base| {
            use ed25519_dalek::Signer as _;
            agent.key.sign(base).to_bytes()
        })?;
        attempts.push((
            name.to_owned(),
            SpendRequest {
                signature_input: signed.signature_input,
                signature: signed.signature,
                ..honest.clone()
            },
        ));
    }
    let counted = rig.refused(
        &attempts,
        &[
            Code::BodyMalformed,
            Code::RequestTimeSkew,
            Code::RequestSignatureInvalid,
        ],
    )?;
    ensure!(
        counted.contains_key(&Code::RequestTimeSkew),
        "no time was judged"
    );
    Ok(format!("{} times refused: {counted:?}", attempts.len()))
}

fn restarts(rig: &mut Rig, _: &Template) -> Result<String> {
    // A loosening that waits, then ends in every way, with time off between: check O3 compares the
    // signer's clocks with this program's.
    let looser = rig.next_policy(|document| {
        for rule in &mut document.assets {
            for limit in [
                &mut rule.per_transaction,
                &mut rule.notify_up_to,
                &mut rule.delay_up_to,
                &mut rule.approve_up_to,
            ] {
                *limit = Amount::from_base_units(LIMIT * 2);
            }
        }
    })?;
    rig.adopt(&looser)?;
    let mut rounds = 0;
    for off in [0, 2500] {
        rig.crash();
        std::thread::sleep(Duration::from_millis(off));
        rig.resume()?;
        let above = rig.to_evm(LIMIT + LIMIT / 2);
        let above = rig.request(&above)?;
        rig.refuse(
            "above the earlier limit",
            above,
            &[Code::PerTransactionLimit],
        )?;
        let transfer = rig.to_solana(1);
        rig.pay(&transfer)?;
        rounds += 1;
    }
    // The clocks by this program's count only the time in which the signer ran.
    rig.use_up("a looser policy waits to mature");
    Ok(format!(
        "{rounds} restarts: nothing matured, no clock ran ahead"
    ))
}

fn split_payments(rig: &mut Rig, _: &Template) -> Result<String> {
    // Each just under what is signed without a word, until the hour is used up; the rest in crumbs.
    let mut paid = 0_u32;
    let mut refused = 0_u32;
    for part in [LIMIT / 2 - FEE, LIMIT / 20, LIMIT / 1000] {
        for _ in 0..400 {
            let transfer = rig.to_evm(part);
            let request = rig.request(&transfer)?;
            match rig.send(&request) {
                Ok(_) => paid += 1,
                Err(error) => {
                    let code = refusal::<()>(Err(error))?;
                    let window = [
                        Code::HourLimit,
                        Code::DayLimit,
                        Code::WeekLimit,
                        Code::MonthLimit,
                        Code::OutstandingCap,
                    ];
                    ensure!(window.contains(&code), "{code}");
                    refused += 1;
                    break;
                }
            }
        }
    }
    ensure!(
        refused == 3,
        "the window never ended the parts: {paid} paid"
    );
    rig.use_up("the window is used up");
    Ok(format!(
        "{paid} parts were paid, then each size was refused; the sum is the second calculator's"
    ))
}

fn durable_nonces(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut attempts = Vec::new();
    for place in nonce_places() {
        let transfer = rig.to_solana(5);
        let request = rig.invented(&transfer)?;
        for (name, bytes) in durable_nonce(rig, place) {
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
    Ok(format!("{} shapes refused", attempts.len()))
}

fn hoarding(rig: &mut Rig, _: &Template) -> Result<String> {
    let cap = 12 * (1000 + FEE) + 500;
    let tighter = rig.next_policy(|document| {
        for rule in &mut document.assets {
            if rule.asset == EVM.native_asset() {
                rule.outstanding = Some(Amount::from_base_units(cap));
            }
        }
    })?;
    rig.adopt(&tighter)?;
    let (mut kept, mut nonces) = (0, Vec::new());
    for _ in 0..40 {
        let transfer = rig.to_evm(1000);
        let request = rig.request(&transfer)?;
        match rig.send(&request) {
            Ok(signed) => {
                kept += 1;
                let unsigned = crate::bytes::verified(
                    &signed.raw,
                    &crate::calculator::account_bytes(rig.cast.evm.account),
                )?;
                nonces.extend(crate::bytes::read_evm(&unsigned)?.nonce);
            }
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::OutstandingCap, "{code}");
            }
        }
    }
    ensure!(kept <= 12, "{kept} signatures beyond the cap");
    ensure!(
        kept > 0 && nonces.is_sorted_by(|one, other| *other == one + 1),
        "{nonces:?}"
    );
    // What is attested over the gateway is the owner's word and no lower number.
    let lower = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 0,
    };
    let code = refusal(rig.draft(&lower))?;
    ensure!(code == Code::NonceLower, "{code}");
    rig.use_up("the outstanding cap is reached");
    Ok(format!(
        "{kept} signatures in a row of nonces, then none: {cap} wei is the cap"
    ))
}

fn one_nonce(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut attempts = Vec::new();
    let to: [u8; 20] = crate::calculator::account_bytes(EVM_TO.parse()?)
        .try_into()
        .ok()
        .context("an address")?;
    for nonce in [
        1_u128,
        2,
        3,
        7,
        1000,
        u128::from(u64::MAX) - 1,
        u128::from(u64::MAX),
        u128::from(u64::MAX) + 1,
    ] {
        for value in [5, 6] {
            let mut list = fields(31_337, &to, value, &[]);
            if let Some(field) = list.get_mut(1) {
                *field = crate::bytes::Rlp::number(nonce);
            }
            let transfer = rig.to_evm(value);
            let request = SpendRequest {
                unsigned: typed(2, list),
                ..rig.invented(&transfer)?
            };
            attempts.push((format!("nonce {nonce}, value {value}"), request));
        }
    }
    rig.refused(
        &attempts,
        &[Code::NonceNotZero, Code::TransactionUndecodable],
    )?;
    // Ten payments that each claim to be the next: ten nonces, ten charges (O2, O5).
    let mut requests = Vec::new();
    for amount in 0..10 {
        let transfer = rig.to_evm(100 + amount);
        requests.push(rig.invented(&transfer)?);
    }
    for answer in rig.send_all(&requests)? {
        answer?;
    }
    Ok(format!(
        "{} chosen nonces refused; 10 at once took 10 nonces and 10 charges",
        attempts.len()
    ))
}

fn dropped(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_evm(9);
    let request = rig.request(&transfer)?;
    let first = rig.send(&request)?;
    let sequence = rig.status()?.sequence;
    for _ in 0..50 {
        let again = rig.agent().sign(request.clone())?;
        let replay = rig.send(&again)?;
        ensure!(replay.replay && replay.raw == first.raw, "other bytes");
        let gateway = rig.gateway();
        let by_name = rig.block(gateway.signed_transaction(first.transaction))?;
        ensure!(by_name.raw == first.raw, "other bytes by name");
    }
    ensure!(rig.status()?.sequence == sequence, "a claim was charged");
    // The agent's key does not cover what the gateway says became of it.
    let body: Value = serde_json::from_slice(&request.body)?;
    let mut attempts = Vec::new();
    for (field, value) in [
        ("dropped", json!(first.transaction)),
        ("mined", json!(0)),
        ("nonce", json!(0)),
        ("max_fee", json!("9")),
    ] {
        let mut changed = body.clone();
        changed[field] = value;
        let request = SpendRequest {
            body: changed.to_string().into_bytes(),
            ..request.clone()
        };
        attempts.push((
            field.to_owned(),
            rig.agent().sign(SpendRequest {
                idempotency_key: rig.fresh_key(),
                ..request
            })?,
        ));
    }
    rig.refused(&attempts, &[Code::BodyMalformed])?;
    let named = second_try::naming(rig, &transfer, first.transaction, 0)?;
    rig.refuse("a second nonce", named, &[Code::ReplacesEvm])?;
    second_try::on_solana(rig)?;
    Ok(
        "100 times asked again: the same bytes, no charge; no field says what became of it; a second \
         try names the first, once, and is charged"
            .to_owned(),
    )
}

fn old_blockhash(rig: &mut Rig, _: &Template) -> Result<String> {
    let transfer = rig.to_solana(9);
    let request = rig.request(&transfer)?;
    let first = rig.send(&request)?;
    let mut fresh = request.unsigned.clone();
    let place = fresh
        .windows(32)
        .position(|window| window == [7; 32])
        .context("a blockhash")?;
    for round in 0..50_u8 {
        if let Some(byte) = fresh.get_mut(place) {
            *byte = 100 + round;
        }
        let again = rig.agent().sign(SpendRequest {
            unsigned: fresh.clone(),
            ..request.clone()
        })?;
        let replay = rig.send(&again)?;
        ensure!(
            replay.replay && replay.raw == first.raw,
            "a second transaction for one request"
        );
        // Under a key of its own the gateway has no signature of the agent's.
        let other = SpendRequest {
            unsigned: fresh.clone(),
            idempotency_key: rig.fresh_key(),
            ..again
        };
        rig.refuse("another key", other, &[Code::RequestSignatureInvalid])?;
    }
    Ok("50 fresh blockhashes: the first bytes each time, none signed a second time".to_owned())
}

fn before_a_kill(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut kept = Vec::new();
    for number in 0..5 {
        let transfer = rig.to_evm(50 + number);
        kept.push(rig.pay(&transfer)?);
        let transfer = rig.to_solana(50 + number);
        kept.push(rig.pay(&transfer)?);
    }
    rig.kill()?;
    let gateway = rig.gateway();
    for one in &kept {
        let code = refusal(rig.block(gateway.signed_transaction(one.transaction)))?;
        ensure!([Code::Locked, Code::Killed].contains(&code), "{code}");
    }
    let status = rig.status()?;
    ensure!(status.kill == "ACTIVATED" && !status.unlocked, "{status:?}");
    rig.use_up("killed");
    Ok("10 signatures kept outside: nothing is given again; those of EVM stay valid, within the outstanding cap".to_owned())
}

fn labels(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut attempts = Vec::new();
    let transfer = rig.to_solana(5);
    let honest = rig.invented(&transfer)?;
    let text = String::from_utf8(honest.body.clone())?;
    for label in [
        "solana:mainnet",
        "solana:devnet",
        "solana:testnet",
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
        "devnet",
        "eip155:31337",
    ] {
        let body = text.replace("solana:localnet", label);
        ensure!(body != text, "the label was not found in {text}");
        attempts.push((
            label.to_owned(),
            SpendRequest {
                body: body.into_bytes(),
                idempotency_key: rig.fresh_key(),
                ..honest.clone()
            },
        ));
    }
    // The main wallet's bytes under the test network's name, and the reverse.
    let to: [u8; 20] = crate::calculator::account_bytes(EVM_TO.parse()?)
        .try_into()
        .ok()
        .context("an address")?;
    let transfer = rig.to_evm(5);
    let honest = rig.invented(&transfer)?;
    for chain in [1_u128, 0, 31_338, 11_155_111] {
        attempts.push((
            format!("chain {chain}"),
            SpendRequest {
                unsigned: typed(2, fields(chain, &to, 5, &[])),
                idempotency_key: rig.fresh_key(),
                ..honest.clone()
            },
        ));
    }
    let text = String::from_utf8(honest.body.clone())?;
    attempts.push((
        "the main network by name".to_owned(),
        SpendRequest {
            body: text.replace("eip155:31337", &MAIN.to_string()).into_bytes(),
            idempotency_key: rig.fresh_key(),
            ..honest
        },
    ));
    rig.refused(
        &attempts,
        &[
            Code::NetworkNotBound,
            Code::BodyMalformed,
            Code::TransactionUndecodable,
        ],
    )?;
    Ok(format!("{} labels refused", attempts.len()))
}
