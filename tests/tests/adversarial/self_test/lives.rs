//! The checks over lives, checked: each is given a renewal, an agent or a key that cannot be.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::time::Millis;

use super::judged;
use super::waiting::Change;
use crate::cases;
use crate::checks::Checks;
use crate::rig::Rig;
use crate::runner::Template;

/// Of an honest life every check holds; of each doctored one something must say what is wrong.
pub(super) fn all(template: &Template) -> Result<()> {
    let mut rig = template.rig()?;
    let mut checks = Checks::new(&rig)?;
    cases::lived(&mut rig)?;
    let failures = checks.after(&mut rig);
    ensure!(failures.is_empty(), "an honest life: {failures:?}");
    for (what, word, change) in faults() {
        let failures = judged(&checks.log.events, change)?;
        ensure!(
            failures.iter().any(|failure| failure.contains(word)),
            "the checks overlook {what}: {failures:?}"
        );
    }
    closed_address(&rig)
}

/// What is honest is of use to nobody else: the rig goes on with the addresses that it was given.
fn closed_address(rig: &Rig) -> Result<()> {
    let views = rig.block(rig.gateway().wallets())?;
    let closed = views.iter().filter(|view| view.closed).count();
    ensure!(closed == 1, "{closed} closed wallets");
    Ok(())
}

fn place(events: &[Event], is: impl Fn(&EventBody) -> bool) -> Result<usize> {
    let found = events.iter().rposition(|event| is(&event.body));
    found.context("the event")
}

fn of<'a>(change: impl FnOnce(&mut Vec<Event>) -> Result<()> + 'a) -> Change<'a> {
    Box::new(change)
}

const fn renewal(body: &EventBody) -> bool {
    matches!(body, EventBody::SessionRenewed { .. })
}

fn faults<'a>() -> Vec<(&'static str, &'static str, Change<'a>)> {
    vec![
        (
            "a renewal for too long",
            "for too long",
            of(|events| {
                let at = place(events, renewal)?;
                let EventBody::SessionRenewed { ends, .. } = &mut events[at].body else {
                    anyhow::bail!("a renewal");
                };
                *ends = ends.after(Millis::from_secs(1));
                Ok(())
            }),
        ),
        (
            "a renewal beyond its absolute end",
            "absolute end",
            of(|events| {
                let at = place(events, renewal)?;
                let EventBody::SessionRenewed { ends, .. } = &mut events[at].body else {
                    anyhow::bail!("a renewal");
                };
                *ends = ends.after(Millis::from_hours(10));
                Ok(())
            }),
        ),
        (
            "two renewals at once",
            "too soon",
            of(|events| {
                let at = place(events, renewal)?;
                let again = events[at].clone();
                events.insert(at, again);
                Ok(())
            }),
        ),
        (
            "a renewal after a revocation",
            "after its end",
            of(|events| {
                let at = place(events, renewal)?;
                let EventBody::SessionRenewed { session, .. } = events[at].body else {
                    anyhow::bail!("a renewal");
                };
                let revoked = Event {
                    clocks: events[at].clocks,
                    body: EventBody::SessionRevoked {
                        session,
                        origin: Origin::Admin,
                    },
                };
                events.insert(at, revoked);
                Ok(())
            }),
        ),
        (
            "a payment of a suspended session",
            "suspended session",
            of(|events| {
                let at = place(events, renewal)?;
                let EventBody::SessionRenewed { session, .. } = events[at].body else {
                    anyhow::bail!("a renewal");
                };
                let suspended = Event {
                    clocks: events[at].clocks,
                    body: EventBody::SessionSuspended { session },
                };
                events.insert(at + 1, suspended);
                Ok(())
            }),
        ),
        (
            "a payment of a suspended agent",
            "of an agent that is",
            of(|events| {
                let activated = |body: &EventBody| matches!(body, EventBody::AgentActivated { .. });
                let at = place(events, activated)?;
                events.remove(at);
                Ok(())
            }),
        ),
        (
            "an agent that comes back from its end",
            "came back from",
            of(|events| {
                let stopped = |body: &EventBody| matches!(body, EventBody::AgentStopped { .. });
                let at = place(events, stopped)?;
                if let EventBody::AgentStopped { stage, .. } = &mut events[at].body {
                    *stage = AgentStage::Terminating;
                }
                Ok(())
            }),
        ),
        (
            "another first nonce than was signed",
            "another wallet",
            of(|events| {
                let rotated = |body: &EventBody| matches!(body, EventBody::WalletRotated { .. });
                let at = place(events, rotated)?;
                if let EventBody::WalletRotated { first_nonce, .. } = &mut events[at].body {
                    *first_nonce = 77;
                }
                Ok(())
            }),
        ),
        (
            "a key that was given before",
            "given before",
            of(|events| {
                let created = events.iter().find_map(|event| match event.body {
                    EventBody::WalletCreated { account, .. } => Some(account),
                    _ => None,
                });
                let rotated = |body: &EventBody| matches!(body, EventBody::WalletRotated { .. });
                let at = place(events, rotated)?;
                if let EventBody::WalletRotated { account, .. } = &mut events[at].body {
                    *account = created.context("a wallet")?;
                }
                Ok(())
            }),
        ),
        (
            "a payment from a closed wallet",
            "closed wallet",
            of(|events| {
                let of_solana = |body: &EventBody| matches!(body, EventBody::SpendCommitted(spend) if spend.nonce.is_none());
                let at = place(events, of_solana)?;
                let mut again = events[at].clone();
                if let EventBody::SpendCommitted(spend) = &mut again.body {
                    spend.transaction = TransactionId::from_bytes([7; 16]);
                }
                again.clocks = events.last().context("an event")?.clocks;
                events.push(again);
                Ok(())
            }),
        ),
    ]
}
