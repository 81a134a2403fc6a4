//! The checks over owners, checked on a log in which two of three must sign: each is given a change of owners or a
//! quorum that cannot be.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::OwnerId;
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::time::RunTime;

use super::judged;
use super::waiting::Change;
use crate::checks::Checks;
use crate::runner::Template;
use crate::stand::ASKED;

/// Of an honest log every check holds; of each doctored one something must say what is wrong.
pub(super) fn all(template: &Template) -> Result<()> {
    let mut rig = template.of_three_owners()?.rig()?;
    let mut checks = Checks::new(&rig)?;
    let transfer = rig.to_evm(ASKED);
    let asked = rig.open(&transfer)?;
    rig.approve(asked)?;
    rig.release(asked, &waiaas_tests::agent::unsigned(&transfer)?)?;
    let failures = checks.after(&mut rig);
    ensure!(failures.is_empty(), "an honest log: {failures:?}");
    for (what, word, change) in faults() {
        let failures = judged(&checks.log.events, change)?;
        ensure!(
            failures.iter().any(|failure| failure.contains(word)),
            "the checks overlook {what}: {failures:?}"
        );
    }
    // By this program's own hands: one of the two never signed.
    let other = rig.to_evm(ASKED + 1);
    let other = rig.open(&other)?;
    rig.approve(other)?;
    let second = rig.hand(1)?.id;
    let mut signed = rig.record.owner_signed.borrow_mut();
    signed.retain(|(owner, _)| *owner != second);
    drop(signed);
    let failures = checks.after(&mut rig);
    ensure!(
        failures
            .iter()
            .any(|failure| failure.contains("never signed it")),
        "O4 overlooks a second owner who never signed: {failures:?}"
    );
    Ok(())
}

fn place(events: &[Event], is: impl Fn(&EventBody) -> bool) -> Result<usize> {
    let place = events.iter().position(|event| is(&event.body));
    place.context("an event")
}

fn of<'a>(change: impl FnOnce(&mut Vec<Event>) -> Result<()> + 'a) -> Change<'a> {
    Box::new(change)
}

const fn effective(body: &EventBody) -> bool {
    matches!(body, EventBody::OwnerChangeEffective { .. })
}

const fn scheduled(body: &EventBody) -> bool {
    matches!(body, EventBody::OwnerChangeScheduled { .. })
}

/// Where the first change took effect and where it was asked for, and the owner whom it made.
fn first_change(events: &[Event]) -> Result<(usize, usize, OwnerId)> {
    let at = place(events, effective)?;
    let EventBody::OwnerChangeEffective { change } = events[at].body else {
        anyhow::bail!("a change");
    };
    let asked = place(
        events,
        |body| matches!(body, EventBody::OwnerChangeScheduled { statement, .. } if *statement == change),
    )?;
    match &events[asked].body {
        EventBody::OwnerChangeScheduled {
            change: OwnerChange::AddOwner(new),
            ..
        } => Ok((at, asked, new.id)),
        other => anyhow::bail!("another change: {other:?}"),
    }
}

fn signers(events: &mut [Event], change: impl Fn(&mut Vec<OwnerId>)) -> Result<()> {
    let mut bodies = events.iter_mut().map(|event| &mut event.body);
    let found = bodies.find_map(|body| match body {
        EventBody::IntentApproved { signers, .. } => Some(signers),
        _ => None,
    });
    change(found.context("an approval")?);
    Ok(())
}

fn faults<'a>() -> Vec<(&'static str, &'static str, Change<'a>)> {
    vec![
        (
            "one of two owners",
            "1 of 1 owners",
            of(|events| signers(events, |signers| signers.truncate(1))),
        ),
        (
            "one owner twice",
            "1 of 2 owners",
            of(|events| {
                signers(events, |signers| {
                    let first = signers.first().copied();
                    signers.truncate(1);
                    signers.extend(first);
                })
            }),
        ),
        (
            "a change within its 72 hours",
            "within 72 hours",
            of(|events| {
                let at = place(events, scheduled)?;
                let run = events[at].clocks.run.millis();
                if let EventBody::OwnerChangeScheduled { effective, .. } = &mut events[at].body {
                    *effective = RunTime::from_millis(run + 72 * 3_600_000 - 1);
                }
                Ok(())
            }),
        ),
        (
            "a change before its time",
            "before its time",
            of(|events| {
                let (from, asked, _) = first_change(events)?;
                let clocks = events[asked].clocks;
                let body = events.remove(from).body;
                events.insert(asked + 1, Event { clocks, body });
                Ok(())
            }),
        ),
        (
            "a change that nobody asked for",
            "nobody asked for",
            of(|events| {
                let at = place(events, effective)?;
                let again = events[at].clone();
                events.insert(at, again);
                Ok(())
            }),
        ),
        (
            "an owner who is removed",
            "no owner now",
            of(|events| {
                // Its change never took effect: what it signed is nobody's.
                let (at, _, added) = first_change(events)?;
                events.remove(at);
                signers(events, |signers| {
                    signers.retain(|one| *one != added);
                    signers.truncate(1);
                    signers.push(added);
                })
            }),
        ),
    ]
}
