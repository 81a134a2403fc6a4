//! Delays: early, said to be over, across restarts, swapped, hoarded, split (T01 to T06).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_client::{ClientError, Paid, SignedPayment, SpendRequest};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Cumulative;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::time::Millis;
use waiaas_tests::agent::{Agent, now};
use waiaas_tests::stage::{EVM, LIMIT};

use super::{Open, invent, mature, open, open_other, spent, sweep, tighten, waits};
use crate::cases::time::FEE;
use crate::cases::{Case, case};
use crate::long::Rounds;
use crate::machine::Clock;
use crate::raw::Random;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::{DELAY, DELAY_UP_TO, DELAYED};

pub(in crate::cases) const CASES: &[Case] = &[
    case("T01", too_early),
    case("T02", said_times),
    case("T03", restarts),
    case("T05", hoarded),
    case("T06", split_payments),
];

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn too_early(rig: &mut Rig, _: &Template) -> Result<String> {
    let (mut refused, mut closest) = (0, u64::MAX);
    let mut left = Vec::new();
    for (session, transfer) in [
        (true, rig.to_evm(DELAYED)),
        (false, rig.to_evm(DELAYED)),
        (true, rig.to_solana(DELAYED)),
        (false, rig.to_solana(DELAYED)),
    ] {
        let open = if session {
            open(rig, &transfer)?
        } else {
            invent(rig, &transfer)?
        };
        let sweep = sweep(rig, &open, DELAY)?;
        refused += sweep.refused;
        closest = closest.min(sweep.last_left);
        // By its name and by its bytes again: what left once, and no second one.
        let again = rig.release(open.transaction, &open.unsigned)?;
        ensure!(
            again.replay && again.raw == sweep.signed.raw,
            "a second one"
        );
        left.push(open);
    }
    ensure!(refused > 0, "every release was asked for too late");
    // A longer wait adopted meanwhile holds for what waits already.
    let transfer = rig.to_evm(DELAYED);
    let waiting = open(rig, &transfer)?;
    tighten(rig, |document| document.delay = Millis::from_hours(1))?;
    let later = open(rig, &transfer)?;
    mature();
    let not_ready = [Code::IntentNotReady];
    for (what, open) in [("before the longer wait", &waiting), ("under it", &later)] {
        rig.unreleased(what, open.transaction, &open.unsigned, &not_ready)?;
    }
    // And for the bytes of what was signed: they are not given once more, as a release or by their name.
    for open in &left {
        rig.unreleased("signed", open.transaction, &open.unsigned, &not_ready)?;
        let gateway = rig.gateway();
        let code = refusal(rig.block(gateway.signed_transaction(open.transaction)))?;
        ensure!(code == Code::IntentNotReady, "by its name: {code}");
    }
    rig.use_up("the delay was made longer");
    Ok(format!(
        "{} delays swept: {refused} refusals, the last with {closest} ms left, then one signature each; a longer delay held for what waited and for what was signed",
        left.len()
    ))
}

fn said_times(rig: &mut Rig, _: &Template) -> Result<String> {
    let agent = rig.agent();
    let mut attempts = Vec::new();
    // As if it passed at once, and as if it waited.
    for amount in [3, DELAYED] {
        let transfer = rig.to_evm(amount);
        let honest = rig.request(&transfer)?;
        said(&mut attempts, &agent, &honest)?;
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
    // An agent that signed two minutes ahead or behind waits as long as anybody.
    let seconds = now().millis() / 1000;
    let mut skewed = 0;
    for created in [seconds - 100, seconds + 100] {
        let transfer = rig.to_evm(DELAYED);
        let honest = rig.request(&transfer)?;
        let view = rig.wait(&signed_at(&agent, &honest, created)?)?;
        ensure!(
            view.ready_in()
                .is_some_and(|left| left.millis() == u64::try_from(DELAY.as_millis()).unwrap_or(0)),
            "{:?} left at once",
            view.ready_in()
        );
        skewed += 1;
    }
    Ok(format!(
        "{} times refused: {counted:?}; {skewed} skewed clocks of agents shortened nothing",
        attempts.len()
    ))
}

fn signed_at(agent: &Agent, honest: &SpendRequest, created: u64) -> Result<SpendRequest> {
    let parts = request_signature::Request {
        method: &honest.method,
        path: &honest.path,
        query: &honest.query,
        body: &honest.body,
        idempotency_key: &honest.idempotency_key,
    };
    let nonce = xtask::agent::fresh()?.parse()?;
    let parameters = Parameters::new(created, nonce, agent.session)?;
    let signed = request_signature::sign_request(&parts, &parameters, |base| {
        use ed25519_dalek::Signer as _;
        agent.key.sign(base).to_bytes()
    })?;
    Ok(SpendRequest {
        signature_input: signed.signature_input,
        signature: signed.signature,
        ..honest.clone()
    })
}

fn said(
    attempts: &mut Vec<(String, SpendRequest)>,
    agent: &Agent,
    honest: &SpendRequest,
) -> Result<()> {
    let body: Value = serde_json::from_slice(&honest.body)?;
    for (field, value) in [
        ("submitted_at", json!("2020-01-01T00:00:00Z")),
        ("created_at", json!(0)),
        ("timezone", json!("Pacific/Kiritimati")),
        ("delay", json!(0)),
        ("delay", json!(-86_400)),
        ("delay_ms", json!(0)),
        ("opened", json!(0)),
        ("ready", json!(0)),
        ("ready_at", json!("1970-01-01T00:00:00Z")),
        ("expires", json!(u64::MAX)),
        ("not_before", json!("1970-01-01")),
        ("tier", json!("INSTANT")),
        ("approved", json!(true)),
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
        if let Ok(request) = signed_at(agent, honest, created) {
            attempts.push((name.to_owned(), request));
        }
    }
    Ok(())
}

fn restarts(rig: &mut Rig, template: &Template) -> Result<String> {
    // A loosening that waits, then ends in every way, with time off between: check O3 compares the
    // signer's clocks with this program's.
    let looser = rig.next_policy(|document| {
        let natives = document
            .assets
            .iter_mut()
            .filter(|rule| rule.fee_ceiling.is_some());
        for rule in natives {
            for limit in [
                &mut rule.per_transaction,
                &mut rule.notify_up_to,
                &mut rule.delay_up_to,
                &mut rule.approve_up_to,
            ] {
                *limit = units(LIMIT * 2);
            }
        }
        document.delay = Millis::from_secs(5);
    })?;
    rig.adopt(&looser)?;
    let delay = Duration::from_secs(5);
    let transfer = rig.to_evm(DELAYED);
    let waiting = open(rig, &transfer)?;
    let asked = rig.record.opened.get(&waiting.transaction).copied();
    let asked = asked.context("when it was asked for")?;
    let (mut rounds, mut early) = (0, 0);
    for off in [0, 2500, 6000] {
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
        // Time off is not waited: what the signer counted is no more than the time that it ran.
        let answer = rig.release(waiting.transaction, &waiting.unsigned);
        let passed = rig.ran() - asked;
        if let Err(left) = super::left(answer)? {
            let counted = delay.saturating_sub(Duration::from_millis(left));
            ensure!(
                counted <= passed + Duration::from_millis(2),
                "{counted:?} counted after {passed:?}"
            );
            early += 1;
        } else {
            ensure!(passed >= delay, "released after {passed:?} of {delay:?}");
            break;
        }
        rounds += 1;
    }
    if waits(rig, waiting.transaction)? {
        sweep(rig, &waiting, delay)?;
    }
    ensure!(early > 0, "every restart took longer than the delay");
    rig.use_up("a looser policy waits to mature");
    let more = restarts_at_many_points(template)?;
    Ok(format!(
        "{more} restarts at points of chance of a delay, no time off counted; {rounds} restarts with time off between: no policy matured, {early} early releases refused, none of the time off counted"
    ))
}

/// Restarts at points of chance of a delay, with time off on the clocks of a machine in this program's hand:
/// what the signer has counted is never more than it ran, and never less than before the restart.
fn restarts_at_many_points(template: &Template) -> Result<u64> {
    let rounds = Rounds::new("T03", 4, 1000);
    let many = rounds.all();
    let delay = Duration::from_secs(3600 * 24);
    Template::aside(template.rig_in_hand()?, |rig| {
        tighten(rig, |document| {
            document.delay = Millis::from_hours(24);
        })?;
        let transfer = rig.to_evm(DELAYED);
        let waiting = invent(rig, &transfer)?;
        let asked = rig.record.opened.get(&waiting.transaction).copied();
        let asked = asked.context("when it was asked for")?;
        let mut random = Random(3);
        let mut counted_before = Duration::ZERO;
        for _ in rounds {
            // Some of it passes while the signer runs, and some while it is off.
            rig.pass(Duration::from_millis(random.next() % 20_000))?;
            let answer = rig.release(waiting.transaction, &waiting.unsigned);
            let seen = left_of(answer, delay)?;
            rig.crash();
            let off = i64::try_from(random.next() % 60_000)?;
            rig.home.machine()?.shift(Clock::All, off)?;
            rig.resume()?;
            let answer = rig.release(waiting.transaction, &waiting.unsigned);
            let counted = left_of(answer, delay)?;
            let passed = rig.ran() - asked;
            ensure!(
                counted <= passed + Duration::from_millis(2),
                "{counted:?} counted after {passed:?}"
            );
            // What no event tells of a run may be lost, and nothing else.
            ensure!(
                counted >= counted_before,
                "{counted:?} counted after {counted_before:?}"
            );
            ensure!(seen <= passed, "{seen:?} counted after {passed:?}");
            // A payment writes the time of this run down.
            let small = rig.to_solana(1);
            let small = rig.invented(&small)?;
            rig.send(&small)?;
            let answer = rig.release(waiting.transaction, &waiting.unsigned);
            counted_before = left_of(answer, delay)?;
        }
        rig.use_up("sessions of another day");
        Ok(())
    })?;
    Ok(many)
}

/// How much of a delay has been counted.
fn left_of(answer: Result<SignedPayment, ClientError>, delay: Duration) -> Result<Duration> {
    match super::left(answer)? {
        Ok(signed) => anyhow::bail!("{} left early", signed.transaction),
        Err(left) => Ok(delay.saturating_sub(Duration::from_millis(left))),
    }
}

fn hoarded(rig: &mut Rig, _: &Template) -> Result<String> {
    // The amounts differ by some base units: together less than one more payment.
    let charge = DELAYED + FEE + 40;
    let (before, most) = (spent(rig)?, 5);
    tighten(rig, |document| {
        for rule in &mut document.assets {
            if rule.asset == EVM.native_asset() {
                (rule.per_transaction, rule.approve_up_to) =
                    (units(DELAY_UP_TO), units(DELAY_UP_TO));
                rule.hour = units((before + most * charge).max(DELAY_UP_TO));
            }
        }
    })?;
    // What another case left waiting has its places.
    let before_them = rig.intents()?.len();
    let mut hoard = Vec::new();
    for number in 0..40 {
        // Each a little different: equal ones are the same payment to nobody.
        let transfer = rig.to_evm(DELAYED + number);
        for session in [true, false] {
            let request = if session {
                rig.request(&transfer)?
            } else {
                rig.invented(&transfer)?
            };
            match rig.ask(&request) {
                Ok(Paid::Waiting { view, .. }) => {
                    hoard.push((view.intent.transaction, request.unsigned));
                }
                Ok(Paid::Signed(signed)) => anyhow::bail!("{} at once", signed.transaction),
                Err(error) => {
                    let code = refusal::<()>(Err(error))?;
                    ensure!(code == Code::IntentTooMany, "{code}");
                }
            }
        }
    }
    let waiting = hoard.len() + before_them;
    ensure!(waiting == 32, "{waiting} wait");
    mature();
    let (mut signed, mut refused) = (0, 0);
    for answer in rig.release_all(&hoard)? {
        match answer {
            Ok(_) => signed += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::HourLimit, "{code}");
                refused += 1;
            }
        }
    }
    ensure!(
        signed == usize::try_from(most)? && signed + refused == hoard.len(),
        "{signed} of {most} signed"
    );
    // What matured and was not released in time has ended for good.
    tighten(rig, |document| {
        document.release_within = Millis::from_millis(300);
    })?;
    let mut late = Vec::new();
    for number in 0..3 {
        late.push(open_other(rig, DELAYED + number)?);
    }
    std::thread::sleep(DELAY + Duration::from_millis(450));
    for Open {
        transaction,
        unsigned,
    } in &late
    {
        let ended = [Code::IntentExpired, Code::IntentUnknown];
        rig.unreleased("too late", *transaction, unsigned, &ended)?;
        rig.unreleased("and again", *transaction, unsigned, &[Code::IntentUnknown])?;
    }
    rig.use_up("the hour is used up");
    Ok(format!(
        "32 of 80 may wait at once; of {} matured ones {signed} fitted the hour, {refused} did not; {} released too late had ended",
        hoard.len(),
        late.len()
    ))
}

fn split_payments(rig: &mut Rig, _: &Template) -> Result<String> {
    // In an hour ten parts at once, ten more after the delay, what goes beyond asks.
    let part = LIMIT / 1000;
    let charge = part + FEE;
    let before = spent(rig)?;
    tighten(rig, |document| {
        for rule in &mut document.assets {
            if rule.asset == EVM.native_asset() {
                rule.cumulative = vec![
                    Cumulative {
                        window: Window::Hour,
                        above: units(before + 10 * charge),
                        tier: Tier::Delay,
                    },
                    Cumulative {
                        window: Window::Day,
                        above: units(before + 20 * charge),
                        tier: Tier::Approval,
                    },
                ];
            }
        }
    })?;
    let mut at_once = 0;
    let mut waiting = Vec::new();
    for _ in 0..24 {
        let transfer = rig.to_evm(part);
        // Two sessions: the sum is the wallet's.
        let request = if at_once % 2 == 0 {
            rig.request(&transfer)?
        } else {
            rig.invented(&transfer)?
        };
        match rig.ask(&request)? {
            Paid::Signed(_) => {
                ensure!(waiting.is_empty(), "at once behind one that waits");
                at_once += 1;
            }
            Paid::Waiting { view, .. } => {
                ensure!(view.intent.tier() == Tier::Delay, "another tier");
                waiting.push((view.intent.transaction, request.unsigned));
            }
        }
    }
    ensure!((1..=10).contains(&at_once), "{at_once} at once");
    mature();
    let (mut released, mut raised) = (0, 0);
    for answer in rig.release_all(&waiting)? {
        match answer {
            Ok(_) => released += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::TierRaised, "{code}");
                raised += 1;
            }
        }
    }
    ensure!((1..=10).contains(&released), "{released} released");
    ensure!(raised > 0, "the day's sum raised nothing");
    // And the next part, however small, asks the owner.
    for crumb in [part, 1] {
        let transfer = rig.to_evm(crumb);
        let request = rig.request(&transfer)?;
        let view = rig.wait(&request)?;
        ensure!(
            crumb == 1 || view.intent.tier() == Tier::Approval,
            "{:?}",
            view.intent.tier()
        );
        let code = [Code::IntentNotApproved, Code::IntentNotReady];
        rig.unreleased("a crumb", view.intent.transaction, &request.unsigned, &code)?;
    }
    rig.use_up("the day's sum asks the owner");
    Ok(format!(
        "{at_once} parts at once, {released} after the delay, {raised} raised beyond it, the rest asks; the sums are the second calculator's"
    ))
}
