//! Counters across changes, and what no rule mentions (P18, P23 to P25).

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use waiaas_client::SpendRequest;
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_tests::stage::{EVM, LIMIT};

use super::pool::{pools_shed_nothing, prices_of_the_owner};
use super::{limit, units};
use crate::cases::solana::{Draft, no_op_messages};
use crate::cases::time::FEE;
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;

pub(in crate::cases) const CASES: &[Case] = &[
    case("P18", changes_clear_nothing),
    case("P23", nothing_named),
    case("P24", vacuous),
    case("P25", prices),
];

/// Spends until less than one payment of this size is left in the hour; what it came to.
fn spend_up(rig: &mut Rig, amount: u128) -> Result<u32> {
    let mut paid = 0;
    loop {
        let transfer = rig.to_evm(amount);
        let request = rig.request(&transfer)?;
        match rig.send(&request) {
            Ok(_) => paid += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::HourLimit, "{code}");
                return Ok(paid);
            }
        }
        ensure!(paid < 100, "no limit");
    }
}

fn changes_clear_nothing(rig: &mut Rig, template: &Template) -> Result<String> {
    let each = 1_000_000_000_000_000;
    let charge = each + FEE;
    let tighter = rig.next_policy(|document| limit(document, charge, charge * 5))?;
    rig.adopt(&tighter)?;
    let paid = spend_up(rig, each)?;
    ensure!(paid > 0, "nothing was paid");
    let mut tried = 0;
    let changes: [fn(&mut PolicyDocument); 4] = [
        |_| {},
        |document| document.maturity = Millis::from_hours(0),
        |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.counts.day = Some(1000))
        },
        |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.symbol = "OTHER".to_owned())
        },
    ];
    for change in changes {
        let document = rig.next_policy(change)?;
        rig.adopt(&document)?;
        let transfer = rig.to_evm(each);
        let request = rig.request(&transfer)?;
        rig.refuse("after the change", request, &[Code::HourLimit])?;
        tried += 1;
    }
    // Without the asset, and with it again.
    let without = rig.next_policy(|document| {
        document
            .assets
            .retain(|rule| rule.asset != EVM.native_asset());
        // A call carries the coin of its chain.
        document.calls.retain(|rule| rule.target.chain() != EVM);
    })?;
    rig.adopt(&without)?;
    let again = rig.next_policy(|document| {
        document.assets.clone_from(&tighter.assets);
        document.calls.clone_from(&tighter.calls);
        for rule in &mut document.assets {
            if rule.asset != EVM.native_asset() {
                rule.symbol = "OTHER".to_owned();
                rule.counts.day = Some(1000);
            }
        }
    })?;
    rig.adopt(&again)?;
    let transfer = rig.to_evm(each);
    let request = rig.request(&transfer)?;
    rig.refuse(
        "the asset back again",
        request,
        &[Code::HourLimit, Code::AssetNotListed],
    )?;
    rig.use_up("the window is used up");
    let pools = Template::aside(template.on_test_networks()?.rig()?, pools_shed_nothing)?;
    Ok(format!(
        "{paid} payments filled the hour; {} changes freed nothing; {pools}",
        tried + 2
    ))
}

/// What owners may do beside limits opens nothing for an agent.
pub(in crate::cases) fn overrides(rig: &mut Rig) -> Result<String> {
    let each = 1_000_000_000_000_000;
    let charge = each + FEE;
    let tighter = rig.next_policy(|document| limit(document, charge, charge * 3))?;
    rig.adopt(&tighter)?;
    spend_up(rig, each)?;
    // The owner's withdrawal passes outside of limits, and opens nothing for the agent.
    let to = waiaas_tests::stage::EVM_TO.parse()?;
    let facts = StatementFacts::Withdraw {
        wallet: rig.cast.evm.wallet,
        asset: EVM.native_asset(),
        to,
        amount: units(each),
        fee_ceiling: units(FEE),
        nonce: None,
        from: None,
    };
    let transfer = rig.to_evm(each);
    let unsigned = waiaas_tests::agent::unsigned(&transfer)?;
    let admin = &rig.owner().admin;
    let drafted = rig.block(admin.draft_statement(&facts))?;
    let signature = rig.owner_signature(&drafted.text)?;
    let withdrawn = rig.block(admin.withdraw(drafted.statement, &[signature], &unsigned))?;
    rig.record.accepted += 2;
    ensure!(!withdrawn.raw.is_empty());
    let request = rig.request(&transfer)?;
    rig.refuse("after the withdrawal", request, &[Code::HourLimit])?;
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.evm.wallet,
        chain: EVM,
        next: 500,
        from: None,
    };
    rig.say(&attest)?;
    let request = rig.request(&transfer)?;
    rig.refuse("after the attestation", request, &[Code::HourLimit])?;
    // A new session, and another gateway connection, bring no fresh budget either.
    let bearer = rig.invented(&transfer)?;
    rig.refuse("another session", bearer, &[Code::HourLimit])?;
    rig.use_up("the window is used up");
    Ok("withdrawal, attestation and another session: the hour stays used up".to_owned())
}

fn nothing_named(rig: &mut Rig, _: &Template) -> Result<String> {
    let empty = rig.next_policy(|document| {
        document.assets.clear();
        document.calls.clear();
        document.recipients.clear();
    })?;
    rig.adopt(&empty)?;
    let mut attempts = Vec::new();
    for transfer in [rig.to_evm(1), rig.to_solana(1)] {
        attempts.push(("a listed payment".to_owned(), rig.request(&transfer)?));
        attempts.push(("an invented one".to_owned(), rig.invented(&transfer)?));
    }
    let drafts = [
        Draft::memo(rig),
        Draft::token(rig, 12),
        Draft::token(rig, 3),
        Draft::two_transfers(rig),
    ];
    for draft in drafts {
        attempts.push(draft.request(rig)?);
    }
    attempts.extend(crate::cases::evm::every_kind(rig)?);
    let count = attempts.len();
    let counted = rig.refused(
        &attempts,
        &[
            Code::AssetNotListed,
            Code::RecipientNotListed,
            Code::TransactionUndecodable,
            Code::SessionAsset,
            Code::BodyMismatch,
        ],
    )?;
    rig.use_up("the policy is empty");
    Ok(format!(
        "{count} kinds against an empty policy: {counted:?}"
    ))
}

fn vacuous(rig: &mut Rig, _: &Template) -> Result<String> {
    let attempts = no_op_messages(rig)?;
    let count = attempts.len();
    rig.refused(&attempts, &[Code::TransactionUndecodable])?;
    Ok(format!("{count} transactions without a transfer refused"))
}

fn prices(rig: &mut Rig, template: &Template) -> Result<String> {
    let transfer = rig.to_evm(LIMIT);
    let honest = rig.invented(&transfer)?;
    let body: Value = serde_json::from_slice(&honest.body)?;
    let mut attempts = Vec::new();
    for field in [
        "price",
        "price_usd",
        "usd",
        "rate",
        "decimals",
        "unit",
        "oracle",
    ] {
        for value in [json!("0.000001"), json!(0)] {
            let mut changed = body.clone();
            changed[field] = value;
            attempts.push((
                field.to_owned(),
                SpendRequest {
                    body: changed.to_string().into_bytes(),
                    idempotency_key: rig.fresh_key(),
                    ..honest.clone()
                },
            ));
        }
    }
    rig.refused(&attempts, &[Code::BodyMalformed])?;
    rig.refuse(
        "above the limit, whatever it is worth",
        honest,
        &[Code::PerTransactionLimit],
    )?;
    let owners = Template::aside(template.on_test_networks()?.rig()?, prices_of_the_owner)?;
    Ok(format!(
        "{} prices and units in requests refused; {owners}",
        attempts.len()
    ))
}
