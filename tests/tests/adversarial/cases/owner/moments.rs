//! Decisions past their end, from another time, and across steps of the clock (P05), on a machine in this
//! program's hand.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_tests::agent::now;

use crate::cases::waiting::{Open, approval, invent, rejection, waits};
use crate::cases::{Case, case};
use crate::machine::Clock;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{ASKED, DELAY, DELAYED};

pub(in crate::cases) const CASES: &[Case] = &[case("P05", other_moments)];

const MINUTE: i64 = 60_000;

fn other_moments(_: &mut Rig, template: &Template) -> Result<String> {
    let template = template.on_test_networks()?;
    let late = Template::aside(template.rig_in_hand()?, past_their_end)?;
    // Set at once, and crept in steps of which none is noticed by itself.
    let stepped = Template::aside(template.rig_in_hand()?, |rig| {
        let mut stepped = 0;
        for steps in [
            &[-20 * MINUTE][..],
            &[20 * MINUTE],
            &[-9 * MINUTE, -9 * MINUTE],
            &[14_400 * MINUTE],
            &[-14_400 * MINUTE],
            &[9 * MINUTE, 9 * MINUTE],
        ] {
            stepped += across_steps(rig, steps)?;
        }
        Ok(stepped)
    })?;
    Ok(format!(
        "{late} decisions past their end refused; {stepped} decisions, delays and payments across 6 steps of the wall clock refused until the owner stated the time"
    ))
}

fn ask(rig: &mut Rig, amount: u128) -> Result<Open> {
    let transfer = rig.to_evm(amount);
    invent(rig, &transfer)
}

fn past_their_end(rig: &mut Rig) -> Result<usize> {
    let patient = rig.next_policy(|document| {
        document.approval.lifetime = Millis::from_hours(12);
        document.release_within = Millis::from_hours(3);
    })?;
    rig.adopt(&patient)?;
    rig.use_up("agents' clocks are another time's");
    let (asked, kept) = (ask(rig, ASKED)?, ask(rig, ASKED + 1)?);
    let unread = ask(rig, ASKED + 2)?;
    let mut drafted = Vec::new();
    for facts in [
        approval(asked.transaction),
        rejection(asked.transaction),
        StatementFacts::ReleasePause { wallet: None },
    ] {
        if let Ok(draft) = rig.draft(&facts) {
            let signature = rig.owner_signature(&draft.text)?;
            drafted.push((facts.heading(), draft.statement, signature));
        }
    }
    ensure!(drafted.len() >= 2, "nothing to keep back");
    rig.approve(kept.transaction)?;
    // A text may be signed for an hour.
    rig.pass(Duration::from_secs(3601))?;
    let mut tried = 0;
    for (heading, statement, signature) in &drafted {
        let submitted = rig.submit(*statement, std::slice::from_ref(signature));
        let code = refusal(submitted).with_context(|| *heading)?;
        let ended = [Code::StatementExpired, Code::StatementUnknown];
        ensure!(ended.contains(&code), "{heading}: {code}");
        tried += 1;
    }
    let not_approved = [Code::IntentNotApproved];
    rig.unreleased(
        "approved too late",
        asked.transaction,
        &asked.unsigned,
        &not_approved,
    )?;
    // What was approved in time is released in time, and not behind it; also behind a restart.
    rig.pass(Duration::from_secs(2 * 3600))?;
    let ended = [Code::IntentExpired, Code::IntentUnknown];
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        rig.unreleased(
            "three hours behind its approval",
            kept.transaction,
            &kept.unsigned,
            &ended,
        )?;
        tried += 1;
    }
    // What nobody decided ends with its time, and no new text is written for it.
    rig.pass(Duration::from_secs(10 * 3600))?;
    let code = refusal(rig.draft(&approval(unread.transaction)))?;
    ensure!(ended.contains(&code), "a text for what has ended: {code}");
    rig.unreleased("undecided", unread.transaction, &unread.unsigned, &ended)?;
    ensure!(!waits(rig, unread.transaction)?, "it waits");
    Ok(tried + 3)
}

/// The wall clock moves by so much in all, more than can be explained: nothing is signed, approved before it
/// or not, until the owner states the time; and no delay is shorter for it.
fn across_steps(rig: &mut Rig, steps: &[i64]) -> Result<usize> {
    let transfer = rig.to_evm(DELAYED);
    let (asked, delayed) = (ask(rig, ASKED)?, invent(rig, &transfer)?);
    rig.approve(asked.transaction)?;
    let begun = rig.ran();
    for step in steps {
        rig.home.machine()?.shift(Clock::Wall, *step)?;
        rig.status()?;
        // An honest gateway's ordinary questions are between.
        rig.intents()?;
    }
    let mut tried = 0;
    let closed = [Code::ClockClosed];
    rig.record.accepted += 1;
    rig.unreleased(
        "approved before",
        asked.transaction,
        &asked.unsigned,
        &closed,
    )?;
    let small = rig.to_evm(1);
    let small = rig.invented(&small)?;
    rig.refuse("a payment", small, &closed)?;
    std::thread::sleep(DELAY);
    rig.unreleased(
        "matured meanwhile",
        delayed.transaction,
        &delayed.unsigned,
        &closed,
    )?;
    tried += 3;
    // The clock is put right: what was seen stays closed, without the owner's word.
    let back: i64 = steps.iter().sum();
    rig.home.machine()?.shift(Clock::Wall, -back)?;
    rig.unreleased("put right", asked.transaction, &asked.unsigned, &closed)?;
    tried += 1;
    rig.say_with_password(&StatementFacts::StateTime { wall: now() })?;
    rig.release(asked.transaction, &asked.unsigned)
        .context("approved, and the time stated")?;
    ensure!(rig.ran() - begun >= DELAY, "no delay has passed");
    rig.release(delayed.transaction, &delayed.unsigned)
        .context("its own delay has passed")?;
    let small = rig.to_evm(1);
    let small = rig.invented(&small)?;
    rig.send(&small).context("a payment, the time stated")?;
    // A step that needs no explanation moves the upper bound, and agents' clocks are behind it then.
    rig.use_up("agents' clocks are another time's");
    Ok(tried)
}
