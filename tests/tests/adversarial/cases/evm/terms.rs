//! Where policy registers what it usually does not take: legacy transactions, and a fee for data beside gas
//! (parts of E01 to E03). The signer judges with them; nothing here is signed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::evm::Form;
use waiaas_shared::policy::document::AssetRule;
use waiaas_tests::stage::EVM;

use super::{CHAIN, DENIED, VALUE, honest, legacy, requests, selector, to, word};
use crate::bytes::{Rlp, typed};
use crate::cases::time::FEE;
use crate::rig::Rig;

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn of_coin(rig: &mut Rig, change: impl Fn(&mut AssetRule)) -> Result<()> {
    let document = rig.next_policy(|document| {
        let rules = document.assets.iter_mut();
        rules
            .filter(|rule| rule.asset == EVM.native_asset())
            .for_each(change);
    })?;
    rig.adopt(&document)?;
    Ok(())
}

/// Would be signed as it stands.
fn passes(rig: &mut Rig, what: &str, unsigned: Vec<u8>) -> Result<u128> {
    let asked = requests(rig, vec![(what.to_owned(), unsigned)])?;
    let (_, request) = asked.first().context("one")?;
    let verdict = rig.block(rig.gateway().decide(request));
    Ok(verdict.with_context(|| what.to_owned())?.fee.base_units())
}

/// Legacy bytes where they are registered: of this chain, unsigned, canonical, to the last byte, or refused.
pub(super) fn registered_legacy(rig: &mut Rig) -> Result<usize> {
    of_coin(rig, |rule| rule.transactions = Some(Form::Legacy))?;
    let sound = legacy(&[CHAIN, 0, 0]);
    let mut payloads = vec![
        ("without a chain".to_owned(), legacy(&[])),
        ("a chain and nothing behind".to_owned(), legacy(&[CHAIN])),
        ("half a signature".to_owned(), legacy(&[CHAIN, 1, 0])),
        ("signed already".to_owned(), legacy(&[CHAIN * 2 + 35, 1, 1])),
        ("signed before EIP-155".to_owned(), legacy(&[27, 1, 1])),
        ("a field more".to_owned(), legacy(&[CHAIN, 0, 0, 0])),
        ("a byte behind".to_owned(), [&sound[..], &[0]].concat()),
        ("twice".to_owned(), [&sound[..], &sound].concat()),
        ("in a string".to_owned(), Rlp::Bytes(sound.clone()).encode()),
        (
            "in a list".to_owned(),
            Rlp::List(vec![Rlp::Raw(sound.clone())]).encode(),
        ),
    ];
    for chain in [0, 1, CHAIN - 1, CHAIN + 1, 1 << 64, u128::MAX] {
        payloads.push((format!("chain {chain}"), legacy(&[chain, 0, 0])));
    }
    for kind in 0..=0x7f_u8 {
        payloads.push((
            format!("{kind:#x} in front"),
            [&[kind][..], &sound].concat(),
        ));
    }
    for cut in 0..sound.len() {
        let cut = sound.get(..cut).unwrap_or_default();
        payloads.push((format!("{} bytes", cut.len()), cut.to_vec()));
    }
    // Each field in another form, and with another content.
    let fields = |place: usize, field: Rlp| {
        let mut list: Vec<Rlp> = [0, 1_000_000_000, 21_000].map(Rlp::number).into();
        list.push(Rlp::Bytes(to()));
        list.extend([VALUE].map(Rlp::number));
        list.push(Rlp::Bytes(vec![]));
        list.extend([CHAIN, 0, 0].map(Rlp::number));
        if let Some(old) = list.get_mut(place) {
            *old = field;
        }
        Rlp::List(list).encode()
    };
    for place in 0..9 {
        payloads.push((
            format!("field {place} a zero byte"),
            fields(place, Rlp::Bytes(vec![0])),
        ));
        payloads.push((
            format!("field {place} a list"),
            fields(place, Rlp::List(vec![])),
        ));
        payloads.push((
            format!("field {place} of 256 bits"),
            fields(place, Rlp::Bytes(vec![0xff; 32])),
        ));
    }
    for nonce in [1, 2, u128::from(u64::MAX)] {
        payloads.push((format!("nonce {nonce}"), fields(0, Rlp::number(nonce))));
    }
    payloads.push((
        "a stranger".to_owned(),
        fields(3, Rlp::Bytes(vec![0xbb; 20])),
    ));
    payloads.push(("a contract".to_owned(), fields(3, Rlp::Bytes(vec![]))));
    payloads.push((
        "another amount".to_owned(),
        fields(4, Rlp::number(VALUE + 1)),
    ));
    let call = [selector("deposit()"), word(&to())].concat();
    payloads.push(("a call".to_owned(), fields(5, Rlp::Bytes(call))));
    let attempts = requests(rig, payloads)?;
    rig.refused(&attempts, &DENIED)?;
    // Nobody was refused for the form itself: it passes, beside the other one.
    passes(rig, "legacy", sound)?;
    passes(rig, "of type 2", typed(2, honest()))?;
    rig.use_up("another policy");
    Ok(attempts.len())
}

/// What a network may take for data counts in every payment, and nobody but the owner says how much it is.
pub(super) fn data_fees(rig: &mut Rig) -> Result<usize> {
    const DATA: u128 = 700_000_000_000;
    let mut tried = 0;
    type Limit = fn(&mut AssetRule, u128);
    let limits: [(&str, Code, Limit); 3] = [
        (
            "per transaction",
            Code::PerTransactionLimit,
            |rule, less| {
                let most = units(VALUE + FEE + DATA - less);
                (rule.instant_up_to, rule.notify_up_to) = (most, most);
                (rule.delay_up_to, rule.approve_up_to) = (most, most);
                rule.per_transaction = most;
                rule.fee_ceiling = Some(units(FEE + DATA));
            },
        ),
        ("the fee's ceiling", Code::FeeCeiling, |rule, less| {
            rule.fee_ceiling = Some(units(FEE + DATA - less));
        }),
        ("what is outstanding", Code::OutstandingCap, |rule, less| {
            let most = units(VALUE + FEE + DATA);
            (rule.instant_up_to, rule.notify_up_to) = (most, most);
            (rule.delay_up_to, rule.approve_up_to) = (most, most);
            (rule.per_transaction, rule.hour) = (most, most);
            rule.fee_ceiling = Some(units(FEE + DATA));
            rule.outstanding = Some(units(VALUE + FEE + DATA - less));
        }),
    ];
    let first = rig.cast.policy.clone();
    for (what, code, limit) in limits {
        for less in [0, 1] {
            let own = first.asset(EVM.native_asset()).context("a rule")?.clone();
            of_coin(rig, |rule| {
                *rule = AssetRule {
                    data_fee: Some(units(DATA)),
                    ..own.clone()
                };
                limit(rule, less);
            })?;
            if less == 0 {
                let fee = passes(rig, what, typed(2, honest()))?;
                ensure!(fee == FEE + DATA, "a fee of {fee}");
                continue;
            }
            let asked = requests(rig, vec![(what.to_owned(), typed(2, honest()))])?;
            let codes = [code, Code::PerTransactionLimit];
            rig.refused(&asked, &codes)?;
            tried += 1;
        }
    }
    // The gateway's own word on it.
    let asked = requests(rig, vec![(String::new(), typed(2, honest()))])?;
    let (_, request) = asked.first().context("one")?;
    let body: Value = serde_json::from_slice(&request.body)?;
    let mut attempts = Vec::new();
    for field in ["data_fee", "l1_fee", "blob_fee", "network", "fee"] {
        let mut changed = body.clone();
        changed[field] = json!("0");
        attempts.push((
            field.to_owned(),
            SpendRequest {
                body: changed.to_string().into_bytes(),
                idempotency_key: rig.fresh_key(),
                ..request.clone()
            },
        ));
    }
    let codes = [Code::BodyMalformed, Code::NetworkNotBound];
    rig.refused(&attempts, &codes)?;
    rig.use_up("another policy");
    Ok(tried + attempts.len())
}
