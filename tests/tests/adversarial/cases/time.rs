//! Hoarding, asking again, names of networks (T08 to T10, T16, T17). What waits: `waiting`.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::{EVM, EVM_TO};

use super::waiting::{mature, open};
use super::{Case, case, second_try, variants};
use crate::bytes::{fields, typed};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{ASKED, DELAYED, MAIN};

pub(super) const CASES: &[Case] = &[
    case("T08", hoarding),
    case("T09", one_nonce),
    case("T10", dropped),
    case("T16", before_a_kill),
    case("T17", labels),
];

/// Fee of the payments here: 21,000 gas at 1 gwei.
pub(super) const FEE: u128 = 21_000_000_000_000;

fn hoarding(rig: &mut Rig, _: &Template) -> Result<String> {
    let cap = 12 * (1000 + FEE) + 500;
    let tighter = rig.next_policy(|document| {
        for rule in &mut document.assets {
            if rule.asset == EVM.native_asset() {
                rule.outstanding = Some(Amount::from_base_units(cap));
            }
        }
    })?;
    // One that waited under the wider cap is judged by the cap of its release.
    let transfer = rig.to_evm(DELAYED);
    let waiting = open(rig, &transfer)?;
    rig.adopt(&tighter)?;
    mature();
    let capped = [Code::OutstandingCap];
    rig.unreleased(
        "beyond the cap",
        waiting.transaction,
        &waiting.unsigned,
        &capped,
    )?;
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
        from: None,
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
    let again = variants::at_an_issued_nonce(rig)?;
    Ok(format!(
        "{} chosen nonces refused; 10 at once took 10 nonces and 10 charges; at an issued nonce {again} other \
         transactions refused, the same payment for a higher fee and its cancellation charged as one",
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

fn before_a_kill(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut kept = Vec::new();
    for number in 0..5 {
        let transfer = rig.to_evm(50 + number);
        kept.push(rig.pay(&transfer)?);
        let transfer = rig.to_solana(50 + number);
        kept.push(rig.pay(&transfer)?);
    }
    // One whose delay is over and one that the owner approved, both kept back.
    let (delayed, asked) = (rig.to_evm(DELAYED), rig.to_evm(ASKED));
    let waiting = [open(rig, &delayed)?, open(rig, &asked)?];
    let [_, approved] = &waiting;
    rig.approve(approved.transaction)?;
    mature();
    rig.kill()?;
    for open in &waiting {
        let locked = [Code::Locked, Code::Killed];
        rig.unreleased("killed", open.transaction, &open.unsigned, &locked)?;
    }
    let gateway = rig.gateway();
    for one in &kept {
        let code = refusal(rig.block(gateway.signed_transaction(one.transaction)))?;
        ensure!([Code::Locked, Code::Killed].contains(&code), "{code}");
    }
    let status = rig.status()?;
    ensure!(status.kill == "ACTIVATED" && !status.unlocked, "{status:?}");
    // The owner comes back, releases the kill and resumes: what waited is gone for good.
    rig.unlock()?;
    let mut sessions = vec![rig.cast.agent.session];
    sessions.sort();
    rig.say_with_password(&StatementFacts::ReleaseKill { epoch: 1, sessions })?;
    rig.record.kill_ends.push(std::time::Instant::now());
    rig.say_with_password(&StatementFacts::ReleasePause { wallet: None })?;
    for open in &waiting {
        let unknown = [Code::IntentUnknown];
        rig.unreleased("after the kill", open.transaction, &open.unsigned, &unknown)?;
    }
    let transfer = rig.to_evm(1);
    rig.pay(&transfer)?;
    rig.use_up("sessions ended with the kill");
    Ok("10 signatures kept outside: nothing is given again; a matured and an approved payment kept back end with the kill; EVM signatures stay valid, within the outstanding cap".to_owned())
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
