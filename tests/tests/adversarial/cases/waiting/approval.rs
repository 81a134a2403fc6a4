//! Approvals against time, owners and stops: given under older rules, by a key that is one no longer,
//! denied and approved (P06, P10, P19).

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_local;
use waiaas_client::Submitted;
use waiaas_shared::denial::Code;
use waiaas_shared::time::Millis;

use super::{Open, approval, invent, open, open_other, rejection, spent, tighten, waits};
use crate::cases::owner::quorum::removed_owner;
use crate::cases::race::ground::on_grounds;
use crate::cases::time::FEE;
use crate::cases::{Case, case};
use crate::long::Rounds;
use crate::raw::Random;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{ASKED, DELAYED};
use waiaas_shared::amount::Amount;
use waiaas_tests::owner::PASSWORD;
use waiaas_tests::stage::EVM;

pub(in crate::cases) const CASES: &[Case] = &[
    case("P06", older_decisions),
    case("P10", denied_and_approved),
    case("P19", overrides_clear_nothing),
];

/// Decisions that race over all sessions and wallets of the ordinary cast.
const RACES: usize = 30;

fn ask(rig: &mut Rig, amount: u128) -> Result<Open> {
    let transfer = rig.to_evm(amount);
    open(rig, &transfer)
}

fn older_decisions(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut tried = 0;
    // Signed under the policy before, kept back, handed in under the next: void with its epoch.
    let kept = ask(rig, ASKED)?;
    let drafted = rig.draft(&approval(kept.transaction))?;
    let signature = rig.owner_signature(&drafted.text)?;
    tighten(rig, |document| {
        document.approval.lifetime = Millis::from_hours(1);
    })?;
    let code = refusal(rig.submit(drafted.statement, &[signature]))?;
    ensure!(code == Code::StatementUnknown, "an older epoch: {code}");
    let not_approved = [Code::IntentNotApproved];
    rig.unreleased(
        "without it",
        kept.transaction,
        &kept.unsigned,
        &not_approved,
    )?;
    tried += 2;
    // Approved under one policy and released under a stricter one: judged again.
    rig.approve(kept.transaction)?;
    let quorum = ask(rig, ASKED + 1)?;
    rig.approve(quorum.transaction)?;
    tighten(rig, |document| document.approval.quorum = 2)?;
    for one in [&kept, &quorum] {
        let raised = [Code::TierRaised];
        rig.unreleased(
            "a quorum of two since",
            one.transaction,
            &one.unsigned,
            &raised,
        )?;
        tried += 1;
    }
    rig.use_up("the policy asks two owners");
    tried += Template::aside(template.rig()?, suspended_owner)?;
    let of_three = template.of_three_owners()?;
    tried += Template::aside(of_three.rig_in_hand()?, removed_owner)?;
    // The lifetime of what nobody approved, and the time to release what somebody did.
    tried += Template::aside(template.rig()?, late_decisions)?;
    Ok(format!(
        "{tried} decisions under older rules, by a suspended or removed owner, or too late release nothing"
    ))
}

/// The owner's key is suspended behind an approval, and again behind a restart.
fn suspended_owner(rig: &mut Rig) -> Result<usize> {
    let approved = ask(rig, ASKED)?;
    let drafted_only = ask(rig, ASKED + 1)?;
    let transfer = rig.to_evm(DELAYED);
    let delayed = open(rig, &transfer)?;
    rig.approve(approved.transaction)?;
    let drafted = rig.draft(&approval(drafted_only.transaction))?;
    let signature = rig.owner_signature(&drafted.text)?;
    let owner = rig.owner_id()?;
    let admin = &rig.owner().admin;
    let ticket = rig.block(admin.put_secret(PASSWORD))?;
    rig.block(admin.suspend_owner(&ticket, owner))?;
    rig.record.accepted += 1;
    super::mature();
    let mut tried = 0;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for one in [&approved, &drafted_only, &delayed] {
            // Its sessions ended with the key, and with them what they had opened.
            let gone = [
                Code::IntentUnknown,
                Code::SessionRevoked,
                Code::IntentNotApproved,
            ];
            rig.unreleased("a suspended owner's", one.transaction, &one.unsigned, &gone)?;
            tried += 1;
        }
        let submitted = rig.submit(drafted.statement, std::slice::from_ref(&signature));
        let code = refusal(submitted)?;
        ensure!(code == Code::StatementUnknown, "{code}");
        tried += 1;
    }
    rig.use_up("its owner is suspended");
    Ok(tried)
}

fn late_decisions(rig: &mut Rig) -> Result<usize> {
    tighten(rig, |document| {
        document.approval.lifetime = Millis::from_millis(1500);
        document.release_within = Millis::from_millis(300);
    })?;
    let unheard = ask(rig, ASKED)?;
    let drafted = rig.draft(&approval(unheard.transaction))?;
    let signature = rig.owner_signature(&drafted.text)?;
    let approved = ask(rig, ASKED + 1)?;
    rig.approve(approved.transaction)?;
    std::thread::sleep(Duration::from_millis(400));
    let ended = [Code::IntentExpired, Code::IntentUnknown];
    rig.unreleased(
        "approved long ago",
        approved.transaction,
        &approved.unsigned,
        &ended,
    )?;
    std::thread::sleep(Duration::from_millis(1300));
    let code = refusal(rig.submit(drafted.statement, &[signature]))?;
    ensure!(ended.contains(&code), "approved too late: {code}");
    rig.unreleased(
        "nobody approved",
        unheard.transaction,
        &unheard.unsigned,
        &ended,
    )?;
    ensure!(!waits(rig, unheard.transaction)?, "it waits");
    rig.use_up("payments end at once");
    Ok(3)
}

fn denied_and_approved(rig: &mut Rig, template: &Template) -> Result<String> {
    // The approval is signed and kept; then the owner says no. And the other way round.
    let mut tried = 0;
    let denied = ask(rig, ASKED)?;
    let yes = rig.draft(&approval(denied.transaction))?;
    let yes_signed = rig.owner_signature(&yes.text)?;
    let no = rig.draft(&rejection(denied.transaction))?;
    let no_signed = rig.owner_signature(&no.text)?;
    rig.submit(no.statement, std::slice::from_ref(&no_signed))?;
    let unknown = [Code::IntentUnknown];
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for (statement, signature) in [(yes.statement, &yes_signed), (no.statement, &no_signed)] {
            let submitted = rig.submit(statement, std::slice::from_ref(signature));
            let code = refusal(submitted)?;
            ensure!(
                [Code::IntentUnknown, Code::StatementUnknown].contains(&code),
                "after a no: {code}"
            );
            tried += 1;
        }
        let code = refusal(rig.draft(&approval(denied.transaction)))?;
        ensure!(code == Code::IntentUnknown, "a new text after a no: {code}");
        rig.unreleased("denied", denied.transaction, &denied.unsigned, &unknown)?;
        tried += 2;
    }
    let approved = ask(rig, ASKED)?;
    rig.approve(approved.transaction)?;
    rig.reject(approved.transaction)?;
    rig.unreleased(
        "approved, then denied",
        approved.transaction,
        &approved.unsigned,
        &unknown,
    )?;
    tried += 1;
    // Both at once, over both sockets, with a release beside them: whatever came first, a no that was
    // acknowledged before the release leaves nothing to release.
    let mut random = Random(10);
    let (mut paid, mut ended) = (0, 0);
    for round in 0..RACES {
        if round % 5 == 0 {
            // What was drafted for payments that ended keeps its place for an hour; a policy clears it.
            tighten(rig, |_| {}).with_context(|| format!("policy before round {round}"))?;
        }
        let payment = match round % 3 {
            0 => ask(rig, ASKED + 1)?,
            1 => {
                let transfer = rig.to_evm(ASKED + 1);
                invent(rig, &transfer)?
            }
            _ => open_other(rig, ASKED + 1)?,
        };
        if race(rig, &payment, &mut random).with_context(|| format!("round {round}"))? {
            paid += 1;
        } else {
            ended += 1;
        }
    }
    let rounds = Rounds::new("P10", 64, 100_000);
    let many = rounds.all();
    let races = on_grounds(template, rounds, |rig, ground| {
        let number = ground.races();
        if number % 5 == 4 {
            tighten(rig, |_| {}).with_context(|| format!("policy at {number}"))?;
        }
        let payment = ground.open(rig, ASKED + 1)?;
        if race(rig, &payment, &mut random).with_context(|| format!("race {number}"))? {
            paid += 1;
        } else {
            ended += 1;
        }
        Ok(())
    })?;
    rig.use_up("policies were adopted");
    ensure!(races == many, "{races} of {many} races");
    Ok(format!(
        "{tried} decisions behind a no refused; of {} races {paid} were paid before the no and {ended} never",
        paid + ended
    ))
}

/// Approval, rejection and release of one payment in one moment, in an order of chance; whether it was
/// paid. A case's checks see that nothing left twice, or without its decision.
fn race(rig: &mut Rig, payment: &Open, random: &mut Random) -> Result<bool> {
    let yes = rig.draft(&approval(payment.transaction))?;
    let admin = &rig.owner().admin;
    let no = rig.block(admin.draft_statement(&rejection(payment.transaction)))?;
    let (yes_signed, no_signed) = (
        rig.owner_signature(&yes.text)?,
        rig.owner_signature(&no.text)?,
    );
    let gateway = rig.gateway();
    let order = random.below(6);
    let requested = Instant::now();
    let (approved, rejected, released) = rig.block(async {
        let pause = |place: usize| async move {
            for _ in 0..place {
                tokio::task::yield_now().await;
            }
        };
        let (first, second, third) = [
            (0, 1, 2),
            (0, 2, 1),
            (1, 0, 2),
            (2, 0, 1),
            (1, 2, 0),
            (2, 1, 0),
        ]
        .get(order)
        .copied()
        .unwrap_or((0, 0, 0));
        let approve = {
            let gateway = Rc::clone(&gateway);
            spawn_local(async move {
                pause(first).await;
                gateway.submit_statement(yes.statement, &[yes_signed]).await
            })
        };
        let release = {
            let gateway = Rc::clone(&gateway);
            let (transaction, unsigned) = (payment.transaction, payment.unsigned.clone());
            spawn_local(async move {
                pause(third).await;
                gateway.release(transaction, &unsigned).await
            })
        };
        pause(second).await;
        let rejected = admin.submit_statement(no.statement, &[no_signed]).await;
        Ok::<_, anyhow::Error>((approve.await?, rejected, release.await?))
    })?;
    let done = |answer: &Result<Submitted, waiaas_client::ClientError>| u64::from(answer.is_ok());
    rig.record.accepted += 1 + done(&approved) + done(&rejected);
    rig.note_release(&payment.unsigned, requested, &released);
    let mut paid = released.is_ok();
    ensure!(!paid || approved.is_ok(), "released without an approval");
    // What was not released in the race is asked for now: an acknowledged no is final.
    let answer = rig.release(payment.transaction, &payment.unsigned);
    if rejected.is_ok() {
        let code = refusal(answer).context("behind a no")?;
        ensure!(code == Code::IntentUnknown && !paid, "{code}");
    } else {
        // The payment had been signed when the no came.
        paid = answer.context("the no was refused")?.replay;
        ensure!(paid, "the no was refused although it waited");
    }
    Ok(paid)
}

fn overrides_clear_nothing(rig: &mut Rig, template: &Template) -> Result<String> {
    // An approved payment is charged like any other; approved ones fit the hour or are refused.
    let before = spent(rig)?;
    let one = ask(rig, ASKED)?;
    rig.approve(one.transaction)?;
    rig.release(one.transaction, &one.unsigned)?;
    let charged = spent(rig)? - before;
    ensure!(charged == ASKED + FEE, "an approved payment took {charged}");
    let (first, second) = (ask(rig, ASKED)?, ask(rig, ASKED + 1)?);
    rig.approve(first.transaction)?;
    rig.approve(second.transaction)?;
    let room = spent(rig)? + ASKED + FEE + ASKED / 2;
    tighten(rig, |document| {
        for rule in &mut document.assets {
            if rule.asset == EVM.native_asset() {
                rule.per_transaction = Amount::from_base_units(ASKED + FEE + 1);
                rule.approve_up_to = rule.per_transaction;
                rule.hour = Amount::from_base_units(room);
            }
        }
    })?;
    rig.release(first.transaction, &first.unsigned)?;
    let hour = [Code::HourLimit];
    rig.unreleased(
        "approved beyond the hour",
        second.transaction,
        &second.unsigned,
        &hour,
    )?;
    let transfer = rig.to_evm(ASKED / 2);
    let request = rig.request(&transfer)?;
    rig.refuse("and no room was made", request, &hour)?;
    rig.use_up("the hour is used up");
    let said = Template::aside(template.rig()?, crate::cases::policy::counter::overrides)?;
    Ok(format!(
        "two approved payments charged in full, a third did not fit the hour; {said}"
    ))
}
