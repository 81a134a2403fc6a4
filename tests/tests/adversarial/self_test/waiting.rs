//! Faults planted into what waited, was approved and was signed: each must be seen for what it is.

use anyhow::{Context as _, Result, bail, ensure};
use waiaas_shared::amount::Amount;
use waiaas_shared::event::{Event, EventBody, Origin, Spend};
use waiaas_shared::ids::{OwnerId, TransactionId};
use waiaas_shared::intent::{Intent, IntentEnd, Wait};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{RunTime, WallTime};

use super::judged;
use crate::checks::Checks;
use crate::rig::Rig;
use crate::stand::{ASKED, DELAYED};

/// One payment of each way to end: after its delay, approved, rejected, cancelled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    delayed: TransactionId,
    approved: TransactionId,
    rejected: TransactionId,
    cancelled: TransactionId,
}

pub(super) fn honest(rig: &mut Rig) -> Result<Ways> {
    let (on_solana, on_evm) = (rig.to_solana(DELAYED), rig.to_evm(ASKED));
    let delayed = rig.open(&on_solana)?;
    let approved = rig.open(&on_evm)?;
    let other = rig.to_evm(ASKED + 1);
    let rejected = rig.open(&other)?;
    rig.reject(rejected)?;
    let cancelled = rig.open(&other)?;
    rig.cancel(cancelled)?;
    rig.approve(approved)?;
    rig.release(approved, &waiaas_tests::agent::unsigned(&on_evm)?)?;
    crate::cases::mature();
    rig.release(delayed, &waiaas_tests::agent::unsigned(&on_solana)?)?;
    Ok(Ways {
        delayed,
        approved,
        rejected,
        cancelled,
    })
}

fn place(events: &[Event], is: impl Fn(&EventBody) -> bool) -> Result<usize> {
    let place = events.iter().position(|event| is(&event.body));
    place.context("an event")
}

fn opening(of: TransactionId) -> impl Fn(&EventBody) -> bool {
    move |body| matches!(body, EventBody::IntentOpened(intent) if intent.transaction == of)
}

fn signing(of: TransactionId) -> impl Fn(&EventBody) -> bool {
    move |body| matches!(body, EventBody::SpendCommitted(spend) if spend.transaction == of)
}

fn intent(events: &mut [Event], of: TransactionId) -> Result<&mut Intent> {
    let place = place(events, opening(of))?;
    match &mut events[place].body {
        EventBody::IntentOpened(intent) => Ok(intent),
        _ => bail!("a payment that waits"),
    }
}

fn spend(events: &[Event], of: TransactionId) -> Result<Spend> {
    match &events[place(events, signing(of))?].body {
        EventBody::SpendCommitted(spend) => Ok(spend.clone()),
        _ => bail!("a payment"),
    }
}

fn approval(body: &EventBody) -> bool {
    matches!(body, EventBody::IntentApproved { .. })
}

fn text_of_approval(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::StatementIssued {
            facts: StatementFacts::ApprovePayment { .. },
            ..
        }
    )
}

pub(super) type Change<'a> = Box<dyn FnOnce(&mut Vec<Event>) -> Result<()> + 'a>;

/// O3 and O4 over the log: what is wrong, and the word by which it must be known.
pub(super) fn faults(events: &[Event], ways: Ways) -> Result<()> {
    let mut all = of_waits(ways);
    all.extend(of_decisions(ways));
    all.extend(super::documents::faults());
    for (what, word, change) in all {
        let failures = judged(events, change)?;
        ensure!(
            failures.iter().any(|failure| failure.contains(word)),
            "O2 to O4 overlook {what}: {failures:?}"
        );
    }
    Ok(())
}

fn of_waits<'a>(ways: Ways) -> Vec<(&'static str, &'static str, Change<'a>)> {
    let Ways {
        delayed,
        approved,
        rejected,
        cancelled,
    } = ways;
    vec![
        (
            "a payment that did not wait",
            "not at once",
            Box::new(move |events| {
                let place = place(events, opening(delayed))?;
                events.remove(place);
                Ok(())
            }),
        ),
        (
            "a millisecond too early",
            "too early",
            Box::new(move |events| {
                let Wait::Delay { ready } = intent(events, delayed)?.wait else {
                    bail!("a delay");
                };
                let place = place(events, signing(delayed))?;
                events[place].clocks.run = RunTime::from_millis(ready.millis() - 1);
                Ok(())
            }),
        ),
        (
            "a shorter delay than the policy's",
            "ready after",
            Box::new(move |events| {
                let intent = intent(events, delayed)?;
                let ready = RunTime::from_millis(intent.opened.millis() + 799);
                intent.wait = Wait::Delay { ready };
                Ok(())
            }),
        ),
        (
            "an opening that says another time",
            "opened at another time",
            Box::new(move |events| {
                intent(events, delayed)?.opened = RunTime::from_millis(1);
                Ok(())
            }),
        ),
        (
            "another amount than waited",
            "another effect",
            Box::new(move |events| {
                intent(events, delayed)?.amount = Amount::from_base_units(DELAYED + 1);
                Ok(())
            }),
        ),
        (
            "another request than waited",
            "another request",
            Box::new(move |events| {
                intent(events, delayed)?.body = intent(events, approved)?.body;
                Ok(())
            }),
        ),
        (
            "a higher fee than was agreed",
            "a higher fee",
            Box::new(move |events| {
                intent(events, delayed)?.fee_ceiling = Amount::ZERO;
                Ok(())
            }),
        ),
        (
            "one that had expired",
            "it had expired",
            Box::new(move |events| {
                intent(events, delayed)?.expires = WallTime::from_millis(1);
                Ok(())
            }),
        ),
        (
            "one signed twice",
            "signed twice",
            Box::new(move |events| {
                let again = events[place(events, signing(delayed))?].clone();
                let clocks = events.last().context("an event")?.clocks;
                events.push(Event {
                    clocks,
                    body: again.body,
                });
                Ok(())
            }),
        ),
        (
            "one signed behind its end",
            "had ended",
            Box::new(move |events| {
                let mut spend = spend(events, delayed)?;
                spend.transaction = rejected;
                spend.idempotency = intent(events, rejected)?.idempotency;
                let clocks = events.last().context("an event")?.clocks;
                let body = EventBody::SpendCommitted(spend);
                events.push(Event { clocks, body });
                Ok(())
            }),
        ),
        (
            "an end without a reason",
            "without a reason",
            Box::new(move |events| {
                let place = place(
                    events,
                    |body| matches!(body, EventBody::IntentsEnded { transactions, .. } if *transactions == [cancelled]),
                )?;
                if let EventBody::IntentsEnded { cause, .. } = &mut events[place].body {
                    *cause = IntentEnd::Expired;
                }
                Ok(())
            }),
        ),
        (
            "a signature of a revoked session",
            "of an ended session",
            Box::new(move |events| {
                let place = place(events, signing(delayed))?;
                let session = intent(events, delayed)?.session;
                let body = EventBody::SessionRevoked {
                    session,
                    origin: Origin::Gateway,
                };
                let clocks = events[place].clocks;
                events.insert(place, Event { clocks, body });
                Ok(())
            }),
        ),
        (
            "a signature of a paused wallet",
            "although stopped",
            Box::new(move |events| {
                let place = place(events, signing(delayed))?;
                let body = EventBody::Paused {
                    wallet: Some(intent(events, delayed)?.wallet),
                    origin: Origin::Gateway,
                };
                let clocks = events[place].clocks;
                events.insert(place, Event { clocks, body });
                Ok(())
            }),
        ),
    ]
}

fn of_decisions<'a>(ways: Ways) -> Vec<(&'static str, &'static str, Change<'a>)> {
    let Ways {
        delayed, approved, ..
    } = ways;
    let signers = |word: &'static str, change: fn(&mut Vec<OwnerId>)| {
        let changed: Change<'a> = Box::new(move |events| {
            let place = place(events, approval)?;
            if let EventBody::IntentApproved { signers, .. } = &mut events[place].body {
                change(signers);
            }
            Ok(())
        });
        (word, changed)
    };
    let (nobody, nobodys) = signers("no owner now", |signers| {
        *signers = vec![OwnerId::from_bytes([9; 16])];
    });
    let (twice, twices) = signers("1 of 2 owners", |signers| signers.extend(signers.clone()));
    let (none, nones) = signers("0 of 0 owners", Vec::clear);
    vec![
        ("an approval of nobody's", nobody, nobodys),
        ("one owner counted twice", twice, twices),
        ("an approval without signers", none, nones),
        (
            "a payment that nobody approved",
            "without a decision",
            Box::new(|events| {
                let place = place(events, approval)?;
                events.remove(place);
                Ok(())
            }),
        ),
        (
            "an approval for another payment",
            "another decision",
            Box::new(move |events| {
                let place = place(events, approval)?;
                if let EventBody::IntentApproved { transaction, .. } = &mut events[place].body {
                    *transaction = delayed;
                }
                Ok(())
            }),
        ),
        (
            "one approval used twice",
            "used twice",
            Box::new(|events| {
                let place = place(events, approval)?;
                events.insert(place, events[place].clone());
                Ok(())
            }),
        ),
        (
            "an approval past its end",
            "had expired",
            Box::new(|events| {
                let place = place(events, text_of_approval)?;
                if let EventBody::StatementIssued { expires, .. } = &mut events[place].body {
                    *expires = WallTime::from_millis(1);
                }
                Ok(())
            }),
        ),
        (
            "an approval that was never written",
            "never issued",
            Box::new(|events| {
                let place = place(events, text_of_approval)?;
                events.remove(place);
                Ok(())
            }),
        ),
        (
            "an approval from before a policy",
            "was void",
            Box::new(|events| {
                let adopted = place(events, |body| {
                    matches!(body, EventBody::PolicyAdopted { .. })
                })?;
                let adopted = events[adopted].body.clone();
                let place = place(events, approval)?;
                let clocks = events[place].clocks;
                let body = adopted;
                events.insert(place, Event { clocks, body });
                Ok(())
            }),
        ),
        (
            "an approval of an owner who was suspended since",
            "without a decision",
            Box::new(move |events| {
                let Some(EventBody::IntentApproved { signers, .. }) = events
                    .iter()
                    .map(|event| &event.body)
                    .find(|body| approval(body))
                else {
                    bail!("an approval");
                };
                let body = EventBody::OwnerSuspended {
                    owner: *signers.first().context("a signer")?,
                    policies: Vec::new(),
                    sessions: Vec::new(),
                    changes: Vec::new(),
                    statement: None,
                    signers: Vec::new(),
                };
                let place = place(events, signing(approved))?;
                let clocks = events[place].clocks;
                events.insert(place, Event { clocks, body });
                Ok(())
            }),
        ),
    ]
}

/// O3, O4 and O9 by the rig's own record: a decision that the owner never signed, a wait that began
/// later, an opening that nobody asked for.
pub(super) fn doctored(rig: &mut Rig) -> Result<()> {
    let transfer = rig.to_solana(DELAYED + 1);
    let unsigned = waiaas_tests::agent::unsigned(&transfer)?;
    let mut checks = Checks::new(rig)?;
    let delayed = rig.open(&transfer)?;
    crate::cases::mature();
    rig.release(delayed, &unsigned)?;
    let ran = rig.ran();
    rig.record.opened.insert(delayed, ran);
    seen(rig, &mut checks, "O3")?;
    let asked = rig.to_evm(ASKED + 3);
    let asked = rig.open(&asked)?;
    rig.approve(asked)?;
    rig.record.owner_signed.borrow_mut().clear();
    seen(rig, &mut checks, "O4")?;
    let asked = rig.to_evm(ASKED + 4);
    rig.open(&asked)?;
    rig.record.waiting = 0;
    seen(rig, &mut checks, "O9")?;
    rig.record.opened.remove(&delayed);
    Ok(())
}

fn seen(rig: &mut Rig, checks: &mut Checks, name: &str) -> Result<()> {
    let failures = checks.after(rig);
    ensure!(
        failures.iter().any(|failure| failure.starts_with(name)),
        "{name} overlooks it: {failures:?}"
    );
    Ok(())
}
