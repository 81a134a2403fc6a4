//! Rules about recipients, first payments, waits, pauses and hours, and documents that a change of owners
//! voided: what was signed against one of them must be seen, and what was signed under it must pass.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::amount::Amount;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{OwnerId, StatementId, TransactionId};
use waiaas_shared::intent::Wait;
use waiaas_shared::owner_change::{KnownKey, OwnerChange};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Cumulative, Limits};
use waiaas_shared::policy::scope::{Hours, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, RunTime};

use super::{document, said};

type Rule = Box<dyn Fn(&mut PolicyDocument)>;

/// Every scope rule of a document: this one.
fn scoped(scope: Scope, change: impl Fn(&mut ScopeRule) + 'static) -> Rule {
    Box::new(move |document| {
        let mut rule = ScopeRule::new(scope.clone());
        change(&mut rule);
        document.scopes = vec![rule];
    })
}

fn recipient(limits: Limits) -> Rule {
    Box::new(move |document| {
        for rule in &mut document.assets {
            rule.recipient = Some(limits.clone());
        }
    })
}

/// A part of every day that this log's payments lie in, or none of them.
fn hours(events: &[Event], around: bool, utc_offset: i16) -> Result<Hours> {
    let wall = events.last().context("an event")?.clocks.wall;
    let minutes = i64::try_from(wall.millis() / 60_000)? + i64::from(utc_offset);
    let minute = u16::try_from(minutes.rem_euclid(1440))?;
    // Of a log that is written around midnight the whole day is the part, or its middle.
    let near = !(10..1430).contains(&minute);
    let (from, to) = match (around, near) {
        (true, true) => (0, 1440),
        (true, false) => (minute - 10, minute + 10),
        (false, true) => (700, 720),
        (false, false) if minute > 720 => (0, 5),
        (false, false) => (1435, 1440),
    };
    Ok(Hours {
        utc_offset,
        days: 0x7f,
        from,
        to,
    })
}

/// An honest log under rules that it breaks, and under ones that it keeps.
pub(super) fn all(events: &[Event]) -> Result<()> {
    let units = Amount::from_base_units;
    let each = |most: u128| Limits {
        per_transaction: Some(units(most)),
        ..Limits::default()
    };
    let day = |most: u128| Limits {
        day: Some(units(most)),
        ..Limits::default()
    };
    let hourly = |most: u32| Limits {
        counts: Counts {
            hour: Some(most),
            ..Counts::default()
        },
        ..Limits::default()
    };
    let sums = move |above: u128| Cumulative {
        window: Window::Hour,
        above: units(above),
        tier: Tier::Approval,
    };
    let cumulative = move |above: u128| -> Rule {
        Box::new(move |document| {
            for rule in &mut document.assets {
                rule.cumulative = vec![sums(above)];
            }
        })
    };
    let at = |around: bool, east: i16| -> Result<Rule> {
        let hours = hours(events, around, east)?;
        Ok(scoped(Scope::Global, move |rule| {
            rule.hours = Some(vec![hours]);
        }))
    };
    let broken: Vec<(&str, &str, Rule)> = vec![
        (
            "one recipient's limit",
            "in one transaction",
            recipient(each(1)),
        ),
        ("one recipient's day", "in one day", recipient(day(1))),
        (
            "how often one recipient is paid",
            "payments in one hour",
            recipient(hourly(1)),
        ),
        (
            "a first payment",
            "is asked for",
            Box::new(|document| document.first_payment = Some(Tier::Approval)),
        ),
        (
            "a first payment of a scope",
            "is asked for",
            scoped(Scope::EverySession, |rule| {
                rule.first_payment = Some(Tier::Approval);
            }),
        ),
        ("the sum of a window", "is asked for", cumulative(1)),
        (
            "payments one upon the other",
            "too soon",
            scoped(Scope::Global, |rule| {
                rule.cool_down = Some(Millis::from_hours(1));
            }),
        ),
        (
            "a longer delay",
            "a delay that is too short",
            Box::new(|document| document.delay = Millis::from_hours(1)),
        ),
        (
            "a scope's longer delay",
            "a delay that is too short",
            scoped(Scope::Global, |rule| {
                rule.delay = Some(Millis::from_hours(1));
            }),
        ),
        (
            "more owners",
            "too few owners",
            Box::new(|document| document.approval.quorum = 2),
        ),
        ("other hours", "outside of its hours", at(false, 0)?),
        (
            "other hours in the west",
            "outside of its hours",
            at(false, -300)?,
        ),
    ];
    for (what, word, rule) in broken {
        let mut events = events.to_vec();
        document(&mut events, rule)?;
        let said = said(&events)?;
        ensure!(said.contains(word), "the judge overlooks {what}: {said}");
    }
    let gap = smallest_gap(events);
    let kept: Vec<(&str, Rule)> = vec![
        ("one recipient's limit", recipient(each(u128::MAX))),
        ("how often one recipient is paid", recipient(hourly(10_000))),
        (
            "a first payment",
            Box::new(|document| document.first_payment = Some(Tier::Instant)),
        ),
        ("the sum of a window", cumulative(u128::MAX)),
        (
            "payments one upon the other",
            scoped(Scope::Global, move |rule| rule.cool_down = Some(gap)),
        ),
        ("these hours", at(true, 0)?),
        ("these hours in the west", at(true, -300)?),
    ];
    for (what, rule) in kept {
        let mut events = events.to_vec();
        document(&mut events, rule)?;
        let said = said(&events)?;
        ensure!(said.is_empty(), "the judge refuses {what}: {said}");
    }
    waits(events)?;
    voided(events)
}

/// The shortest time between two payments of the log.
fn smallest_gap(events: &[Event]) -> Millis {
    let paid = events.iter().filter_map(|event| match &event.body {
        EventBody::SpendCommitted(_) => Some(event.clocks.budget),
        _ => None,
    });
    let gaps = paid.clone().zip(paid.skip(1));
    let gaps = gaps.map(|(earlier, later)| later.since(earlier));
    gaps.min().unwrap_or_default()
}

/// What waited: signed too early, without its owners, or as if it had never waited.
fn waits(events: &[Event]) -> Result<()> {
    let opened = |of_time: bool| -> Result<TransactionId> {
        let found = events.iter().find_map(|event| match &event.body {
            EventBody::IntentOpened(intent)
                if matches!(intent.wait, Wait::Delay { .. }) == of_time
                    && released(events, intent.transaction) =>
            {
                Some(intent.transaction)
            }
            _ => None,
        });
        found.context("a payment that waited and was signed")
    };
    let (delayed, asked) = (opened(true)?, opened(false)?);
    let mut early = events.to_vec();
    for event in &mut early {
        if let EventBody::IntentOpened(intent) = &mut event.body
            && let Wait::Delay { ready } = &mut intent.wait
        {
            *ready = ready.after(Millis::from_hours(1));
        }
    }
    let mut alone = events.to_vec();
    alone.retain(|event| !matches!(event.body, EventBody::IntentApproved { .. }));
    let mut at_once = events.to_vec();
    at_once.retain(
        |event| !matches!(&event.body, EventBody::IntentOpened(intent) if intent.transaction == delayed),
    );
    let mut late = events.to_vec();
    for event in &mut late {
        if let EventBody::IntentApproved {
            transaction, until, ..
        } = &mut event.body
            && *transaction == asked
        {
            *until = RunTime::from_millis(0);
        }
    }
    for (what, word, events) in [
        ("a release before its time", "before its delay", early),
        ("a release without its owners", "without its owners", alone),
        ("a wait that never was", "signed at once", at_once),
        ("an approval that had ended", "its approval had ended", late),
    ] {
        let said = said(&events)?;
        ensure!(said.contains(word), "the judge overlooks {what}: {said}");
    }
    Ok(())
}

fn released(events: &[Event], transaction: TransactionId) -> bool {
    events.iter().any(|event| {
        matches!(&event.body, EventBody::SpendCommitted(spend) if spend.transaction == transaction)
    })
}

const ADOPTED: u64 = 1_000;

/// A document that would let everything pass ends the first one, or not: it was signed by an owner who was
/// removed before it matured. The first is changed so that what was signed afterwards breaks it.
fn voided(events: &[Event]) -> Result<()> {
    let place = events
        .iter()
        .position(|event| matches!(event.body, EventBody::PolicyAdopted { .. }))
        .context("a policy")?;
    let adopted = events.get(place).cloned().context("a policy")?;
    let EventBody::PolicyAdopted { statement, .. } = adopted.body else {
        anyhow::bail!("a policy");
    };
    let drafted = events.iter().find(
        |event| matches!(&event.body, EventBody::StatementIssued { statement: of, .. } if *of == statement),
    );
    let drafted = drafted.cloned().context("its statement")?;
    let leaving = OwnerId::from_bytes([0xee; 16]);
    let change = StatementId::from_bytes([0xed; 16]);
    // The log's own clocks go on a day: a document that was adopted then has matured where they go on.
    let log = |effective: bool, signers: Vec<OwnerId>| -> Result<Vec<Event>> {
        let mut log = events.to_vec();
        document(&mut log, |document| {
            for rule in &mut document.assets {
                rule.hour = Amount::from_base_units(1);
                rule.per_transaction = Amount::from_base_units(1);
            }
        })?;
        let mut again = drafted.clone();
        let mut later = adopted.clone();
        let clocks = adopted.clocks;
        if let (
            EventBody::StatementIssued {
                statement, facts, ..
            },
            EventBody::PolicyAdopted {
                statement: of,
                epoch,
                matures,
                signers: said,
                ..
            },
        ) = (&mut again.body, &mut later.body)
        {
            *statement = StatementId::from_bytes([0xec; 16]);
            *of = *statement;
            *epoch += 1;
            *matures = RunTime::from_millis(clocks.run.millis() + ADOPTED);
            *said = signers;
            if let StatementFacts::AdoptPolicy { document } = facts {
                let mut read = PolicyDocument::from_bytes(document)?;
                read.epoch = *epoch;
                *document = read.to_bytes();
            }
        }
        let removal = OwnerChange::RemoveOwner(KnownKey {
            id: leaving,
            key: waiaas_shared::keys::OwnerKey::Secp256k1(
                waiaas_shared::address::EvmAddress::from_bytes([1; 20]),
            ),
        });
        let scheduled = EventBody::OwnerChangeScheduled {
            change: removal,
            effective: clocks.run,
            statement: change,
            signers: vec![],
        };
        let mut new = vec![
            again,
            later,
            Event {
                clocks,
                body: scheduled,
            },
        ];
        if effective {
            new.push(Event {
                clocks,
                body: EventBody::OwnerChangeEffective { change },
            });
        }
        log.splice(place + 1..place + 1, new);
        // Everything behind it comes after the second document's maturity.
        for event in log.iter_mut().skip(place + 4 + usize::from(effective)) {
            event.clocks.run = event.clocks.run.after(Millis::from_millis(ADOPTED));
            if let EventBody::IntentOpened(intent) = &mut event.body
                && let Wait::Delay { ready } = &mut intent.wait
            {
                *ready = ready.after(Millis::from_millis(ADOPTED));
            }
            if let EventBody::IntentApproved { until, .. } = &mut event.body {
                *until = until.after(Millis::from_millis(ADOPTED));
            }
        }
        Ok(log)
    };
    let matured = said(&log(false, vec![leaving])?)?;
    ensure!(matured.is_empty(), "a document that matured: {matured}");
    let others = said(&log(true, vec![OwnerId::from_bytes([0xef; 16])])?)?;
    ensure!(others.is_empty(), "a document of others: {others}");
    let believed = said(&log(true, vec![leaving])?)?;
    ensure!(
        believed.contains("in one transaction"),
        "the judge believes what a removed owner signed: {believed}"
    );
    Ok(())
}
