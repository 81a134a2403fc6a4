//! Heads that the owner presents with the password (invariant 16): a log that does not go through one is
//! unlocked, and everything in it is paused.

use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::log::{Head, SignedHead};
use waiaas_shared::statement::StatementFacts;

use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::World;
use super::{pay, refused, restart, unlock};
use crate::core::state::Freeze;
use crate::ledger::memory::MemoryLedger;

const RELEASE: StatementFacts = StatementFacts::ReleasePause { wallet: None };

/// A world with notes of its heads, oldest first, and its disk at the first of them.
fn grown() -> (World, Vec<String>, MemoryLedger) {
    let mut world = World::new(1, false);
    let mut notes = vec![world.status().head];
    world.one(Asked::Lock);
    let older = world.disk.0.borrow().clone();
    notes.push(world.status().head);
    unlock(&mut world);
    for place in 0..30 {
        pay(&mut world, &format!("key-{place}"), 1).signed();
        notes.push(world.status().head);
    }
    (world, notes, older)
}

/// The disk as it was, with a process that knows no better.
fn restore(world: &mut World, older: &MemoryLedger) {
    world.crash();
    *world.disk.0.borrow_mut() = older.clone();
    world.forget();
    world.look();
    world.open().expect("an older log, sound in itself");
}

fn present(world: &mut World, note: &str) {
    let answer = world.one(Asked::Present(true, note.to_owned()));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

#[test]
fn invariant_16_a_log_that_goes_through_the_presented_head_is_not_frozen() {
    for snapshots in [None, Some(5)] {
        let (mut world, notes, _) = grown();
        world.take_snapshots(snapshots);
        world.turn_once();
        restart(&mut world);
        for note in &notes {
            present(&mut world, note);
            assert!(!world.status().frozen);
            world.one(Asked::Lock);
        }
        let newest = world.status().head;
        present(&mut world, &newest);
        assert!(!world.status().frozen);
        pay(&mut world, "on", 5).signed();
    }
}

#[test]
fn invariant_16_a_log_older_than_the_presented_head_unlocks_into_frozen() {
    let (mut world, notes, older) = grown();
    let newest = notes.last().expect("a head");
    restore(&mut world, &older);
    present(&mut world, newest);
    let status = world.status();
    assert!(status.unlocked && status.frozen);
    assert_eq!(status.frozen_by, [Freeze::HeadMissed]);
    refused(&pay(&mut world, "a", 1), Code::Frozen);
    // The log says what was presented, with the signature that proves it.
    let signed: SignedHead = newest.parse().expect("a note");
    let head = signed.head_unverified();
    let recorded = world.history.entries.iter().rev().find_map(|entry| {
        let EventBody::HeadMissed {
            sequence,
            hash,
            signature,
        } = &entry.event.body
        else {
            return None;
        };
        Some((*sequence, *hash, signature.clone()))
    });
    let expected = (head.sequence, head.hash, signed.signature().to_vec());
    assert_eq!(recorded, Some(expected));
    // It survives a restart, an unlock without the head does not end it, and the owner resumes.
    restart(&mut world);
    unlock(&mut world);
    refused(&pay(&mut world, "a", 1), Code::Frozen);
    world.say(RELEASE, None).expect("resumed");
    assert!(world.status().frozen_by.is_empty());
    pay(&mut world, "a", 1).signed();
}

/// The restored log went on: it is longer than the kept head, and another.
#[test]
fn invariant_16_a_log_that_left_the_presented_head_aside_unlocks_into_frozen() {
    for snapshots in [None, Some(5)] {
        let (mut world, notes, older) = grown();
        restore(&mut world, &older);
        unlock(&mut world);
        world.take_snapshots(snapshots);
        for place in 0..40 {
            pay(&mut world, &format!("other-{place}"), 2).signed();
        }
        restart(&mut world);
        let kept = notes.last().expect("a head");
        let head = kept
            .parse::<SignedHead>()
            .expect("a note")
            .head_unverified();
        assert!(world.status().sequence > head.sequence);
        present(&mut world, kept);
        assert_eq!(world.status().frozen_by, [Freeze::HeadMissed]);
        // What both have in common does not freeze.
        world.say(RELEASE, None).expect("resumed");
        world.one(Asked::Lock);
        present(&mut world, &notes[0]);
        assert!(!world.status().frozen);
    }
}

/// The limit that docs/threat-model.md names: without a head that somebody kept nothing shows.
#[test]
fn without_a_presented_head_an_older_log_is_believed() {
    let (mut world, _, older) = grown();
    restore(&mut world, &older);
    unlock(&mut world);
    assert!(!world.status().frozen);
    pay(&mut world, "a", 1).signed();
}

#[test]
fn invariant_16_a_head_that_the_log_key_did_not_sign_unlocks_nothing() {
    let (mut world, notes, _) = grown();
    let other = World::new(2, true).status().head;
    let newest: SignedHead = notes.last().expect("a head").parse().expect("a note");
    let head = newest.head_unverified();
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let forged = SignedHead::new(
        Head {
            sequence: 1_000_000,
            ..head
        },
        key.verifying_key().as_bytes(),
        [7; 64],
    );
    world.one(Asked::Lock);
    let sequence = world.status().sequence;
    let mut flipped = notes[0].clone();
    flipped.replace_range(flipped.len() - 12..flipped.len() - 11, "A");
    assert_ne!(flipped, notes[0]);
    for note in [
        other,
        forged.to_string(),
        flipped,
        "a head".to_owned(),
        notes[0].trim_end().to_owned(),
    ] {
        let answer = world.one(Asked::Present(true, note.clone()));
        refused(&answer, Code::HeadSignature);
        let status = world.status();
        assert!(!status.unlocked && status.sequence == sequence, "{note}");
    }
    // The password counts for itself.
    let wrong = world.one(Asked::Present(false, notes[0].clone()));
    refused(&wrong, Code::PasswordWrong);
    present(&mut world, &notes[0]);
}

/// An unlock that could not be written is none, whatever was presented.
#[test]
fn a_missed_head_that_finds_no_room_unlocks_nothing() {
    let (mut world, notes, older) = grown();
    restore(&mut world, &older);
    let fault = crate::ledger::memory::Fault::Refused;
    world.disk.0.borrow_mut().fail_next(fault);
    let newest = notes.last().expect("a head").clone();
    let answer = world.one(Asked::Present(true, newest.clone()));
    refused(&answer, Code::StorageFull);
    assert!(!world.status().unlocked);
    present(&mut world, &newest);
    assert!(world.status().frozen);
}
