//! What nobody asked for, through the whole shell: an alarm's kill wipes the keys durably, the dead-man
//! pause comes by itself and survives what ends the process, and the heartbeat is signed only while the
//! log key is there.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::heartbeat::SignedHeartbeat;
use waiaas_shared::policy::alarm::{Alarm, Condition, Remedy};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::super::Vault;
use super::super::simulation::machine::Passing;
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::{DAY, HOUR, World};
use super::{bearer, pay, refused, restart, unlock};
use crate::ledger::memory::Fault;

/// Adopts the document that binds, changed.
fn adopt(world: &mut World, change: impl Fn(&mut PolicyDocument)) {
    let signer = world.signer.as_ref().expect("it runs");
    let now = signer.state.clocks();
    let bytes = signer
        .state
        .binding_documents(now)
        .pop()
        .expect("a document");
    let mut document = PolicyDocument::from_bytes(&bytes).expect("it binds");
    document.epoch += 1;
    change(&mut document);
    let facts = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    world.say(facts, Some(true)).expect("adopted");
}

fn kills_at_the_third(world: &mut World) {
    adopt(world, |document| {
        document.alarms.push(Alarm {
            condition: Condition::Signatures {
                count: 3,
                window: Millis::from_hours(1),
            },
            remedy: Remedy::Kill,
        });
    });
}

#[test]
fn invariant_16_an_alarms_kill_wipes_the_keys_and_survives_a_restart() {
    let mut world = World::new(1, false);
    kills_at_the_third(&mut world);
    pay(&mut world, "a", 1000).signed();
    pay(&mut world, "b", 1000).signed();
    let third = pay(&mut world, "c", 1000);
    refused(&third, Code::Killed);
    let wiped = |world: &World| {
        let signer = world.signer.as_ref().expect("it runs");
        matches!(signer.vault, Vault::Locked(_))
    };
    assert!(wiped(&world), "keys are gone before the answer");
    assert_eq!(world.status().kill, "ACTIVATED");
    refused(&pay(&mut world, "d", 1000), Code::Locked);
    restart(&mut world);
    assert_eq!(world.status().kill, "ACTIVATED");
    unlock(&mut world);
    assert_eq!(world.status().kill, "ACTIVATED");
    refused(&pay(&mut world, "d", 1000), Code::SessionRevoked);
    let killed = world.history.entries.iter().any(|entry| {
        matches!(
            entry.event.body,
            EventBody::Killed {
                origin: Origin::Signer,
                ..
            }
        )
    });
    assert!(killed);
    world.verify_log();
}

/// A full disk does not keep an alarm's kill out: it is worth the reserve, as everybody's is.
#[test]
fn invariant_16_an_alarms_kill_is_durable_on_a_full_disk() {
    let mut world = World::new(1, false);
    kills_at_the_third(&mut world);
    pay(&mut world, "a", 1000).signed();
    pay(&mut world, "b", 1000).signed();
    world.disk.0.borrow_mut().fail_next(Fault::Refused);
    refused(&pay(&mut world, "c", 1000), Code::Killed);
    world.verify_log();
    restart(&mut world);
    assert_eq!(world.status().kill, "ACTIVATED");
}

#[test]
fn invariant_16_the_dead_man_pause_comes_by_itself_and_survives_a_restart() {
    let mut world = World::new(1, false);
    adopt(&mut world, |document| {
        document.dead_man = Some(Millis::from_hours(24));
    });
    world.pass(Passing::Running(DAY - HOUR));
    pay(&mut world, "a", 1000).signed();
    let left = world.status().dead_man_left.map(Millis::millis);
    assert_eq!(left, Some(HOUR));
    // No step, no sleep and no time off brings it about.
    world.pass(Passing::Suspended(9 * DAY));
    pay(&mut world, "b", 1000).signed();
    // A read is enough for the loop to look.
    world.pass(Passing::Running(HOUR));
    let before = world.history.entries.len();
    world.status();
    let status = world.status();
    assert!(status.frozen && status.dead_man_paused, "{status:?}");
    assert_eq!(world.history.entries.len(), before + 2);
    refused(&pay(&mut world, "c", 1000), Code::Frozen);
    restart(&mut world);
    unlock(&mut world);
    // The unlock is a word, and resumes nothing.
    let status = world.status();
    assert!(status.frozen && status.dead_man_paused, "{status:?}");
    refused(&pay(&mut world, "c", 1000), Code::Frozen);
    world
        .say(StatementFacts::ReleasePause { wallet: None }, None)
        .expect("an owner resumes");
    pay(&mut world, "c", 1000).signed();
    assert!(!world.status().dead_man_paused);
    world.verify_log();
}

/// What the gateway follows and an owner credits is the payment's own event, not the alarm's beside it.
#[test]
fn an_answer_names_the_payments_own_event() {
    let mut world = World::new(1, false);
    adopt(&mut world, |document| {
        document.alarms.push(Alarm {
            condition: Condition::Signatures {
                count: 1,
                window: Millis::from_hours(1),
            },
            remedy: Remedy::Tell,
        });
    });
    let signed = pay(&mut world, "a", 1000).signed();
    let mut entries = world.history.entries.iter();
    let named = entries.find(|entry| entry.sequence == signed.sequence);
    let named = named.map(|entry| &entry.event.body);
    assert!(
        matches!(named, Some(EventBody::SpendCommitted(spend)) if spend.transaction == signed.transaction),
        "{named:?}"
    );
    let raised = |body: &EventBody| matches!(body, EventBody::AlarmRaised { .. });
    let mut entries = world.history.entries.iter();
    assert!(entries.any(|entry| raised(&entry.event.body)));
}

#[test]
fn a_suspension_is_durable_and_shown() {
    let mut world = World::new(1, false);
    adopt(&mut world, |document| {
        document.alarms.push(Alarm {
            condition: Condition::DenialsInARow { count: 1 },
            remedy: Remedy::SuspendSession,
        });
    });
    let refusal = pay(&mut world, "a", 90_000_000);
    assert!(!refusal.codes().is_empty(), "{refusal:?}");
    assert_eq!(world.status().suspended, 1);
    restart(&mut world);
    unlock(&mut world);
    refused(&pay(&mut world, "b", 1000), Code::SessionSuspended);
    let session = bearer(&world).id;
    world
        .say(StatementFacts::ResumeSession { session }, None)
        .expect("an owner resumes");
    pay(&mut world, "b", 1000).signed();
    assert_eq!(world.status().suspended, 0);
}

#[test]
fn a_heartbeat_is_signed_by_the_log_key_over_the_newest_head() {
    let mut world = World::new(1, false);
    pay(&mut world, "a", 1000).signed();
    let log_key = match &world.signer.as_ref().expect("it runs").vault {
        Vault::Open(_, unlocked) => unlocked.log_public_key(),
        other => panic!("{other:?}"),
    };
    world.pass(Passing::Running(HOUR));
    let Answer::Note(note) = world.one(Asked::Heartbeat) else {
        panic!("a note")
    };
    let signed: SignedHeartbeat = note.parse().expect("a heartbeat");
    let heartbeat = signed.verify(&log_key).expect("by the log key").clone();
    let last = world.history.entries.last().expect("a log");
    assert_eq!(heartbeat.sequence, last.sequence);
    assert_eq!(heartbeat.hash, last.hash);
    // Signed afresh: its time is now, not the last event's.
    let silence = heartbeat.clocks.wall.since(last.event.clocks.wall);
    assert_eq!(silence.millis(), HOUR);
    assert_eq!((heartbeat.wallets, heartbeat.waiting), (2, 0));
    let entries = world.history.entries.len();
    world.one(Asked::Lock);
    refused(&world.one(Asked::Heartbeat), Code::Locked);
    assert_eq!(
        world.history.entries.len(),
        entries + 1,
        "it leaves no event"
    );
    unlock(&mut world);
    world.one(Asked::Kill(Origin::Admin));
    refused(&world.one(Asked::Heartbeat), Code::Locked);
}
