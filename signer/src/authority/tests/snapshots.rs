//! Snapshots: what stands in for the log is believed only where the log says so, and whatever else lies in
//! the ledger costs time and nothing more.

use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::EventBody;

use super::super::fold::{KeptSnapshot, name};
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::World;
use super::super::{Fatal, OpenError};
use super::{pay, payment, refused, restart, unlock};
use crate::core::state::State;
use crate::ledger::memory::{Fault, MemoryLedger};
use crate::ledger::{Ledger as _, LedgerError, StoredSnapshot};

/// A log with a few payments, two kept snapshots and a tail, and its world without a process.
fn grown() -> World {
    let mut world = World::new(1, false);
    world.take_snapshots(Some(5));
    for place in 0..40 {
        pay(&mut world, &format!("key-{place}"), 1 + place).signed();
    }
    world.take_snapshots(Some(u64::MAX));
    pay(&mut world, "tail", 100).signed();
    world.crash();
    assert_eq!(kept(&world).len(), 2, "the newest two");
    world
}

fn kept(world: &World) -> Vec<StoredSnapshot> {
    world.disk.0.borrow_mut().parts().snapshots.clone()
}

/// The snapshot that the running process started from.
fn used(world: &World) -> KeptSnapshot {
    world.signer.as_ref().expect("alive").snapshots.newest()
}

fn state(world: &World) -> State {
    world.signer.as_ref().expect("alive").state.clone()
}

#[test]
fn a_start_from_a_snapshot_is_the_fold_of_the_whole_log() {
    let mut world = grown();
    world.open().expect("it starts");
    let newest = kept(&world).pop().expect("a snapshot");
    assert_eq!(used(&world).sequence, newest.sequence);
    assert!(used(&world).grown > 0, "a tail was folded");
    let quick = world.signer.as_ref().expect("alive").settled.clone();
    world.crash();
    world
        .disk
        .0
        .borrow_mut()
        .forget_snapshots()
        .expect("memory");
    world.open().expect("it starts");
    assert_eq!(used(&world), KeptSnapshot::default());
    let whole = &world.signer.as_ref().expect("alive").settled;
    assert!(whole.folded == quick.folded && whole.head == quick.head);
    assert_eq!(to_canonical(&whole.folded), to_canonical(&quick.folded));
}

/// Nothing before the snapshot is read at the start: the hash in its name answers for it.
#[test]
fn what_a_snapshot_holds_need_not_be_read() {
    let mut world = grown();
    let newest = kept(&world).pop().expect("a snapshot");
    world
        .disk
        .0
        .borrow_mut()
        .parts()
        .events
        .retain(|event| event.sequence > newest.sequence);
    world.open().expect("it starts");
    assert_eq!(used(&world).sequence, newest.sequence);
}

#[test]
fn a_snapshot_of_any_other_byte_version_hash_or_place_is_not_used() {
    let mut world = grown();
    let sound = world.disk.0.borrow().clone();
    world.open().expect("it starts");
    let expected = state(&world);
    let [older, newest] = kept(&world).try_into().expect("two");
    type Tamper = Box<dyn Fn(&mut StoredSnapshot)>;
    let mut cases: Vec<(String, Tamper)> = vec![
        ("version".to_owned(), Box::new(|stored| stored.version += 1)),
        ("place".to_owned(), Box::new(|stored| stored.sequence += 1)),
        (
            "end of the log".to_owned(),
            Box::new(|stored| stored.sequence = u64::MAX),
        ),
        (
            "hash".to_owned(),
            Box::new(|stored| stored.hash = Digest::from_bytes([7; 32])),
        ),
        ("empty".to_owned(), Box::new(|stored| stored.body.clear())),
        ("longer".to_owned(), Box::new(|stored| stored.body.push(0))),
    ];
    for byte in (0..newest.body.len()).step_by(61) {
        let tamper: Tamper = Box::new(move |stored| stored.body[byte] ^= 1);
        cases.push((format!("byte {byte}"), tamper));
    }
    for (case, tamper) in &cases {
        world.crash();
        *world.disk.0.borrow_mut() = sound.clone();
        tamper(
            world
                .disk
                .0
                .borrow_mut()
                .parts()
                .snapshots
                .last_mut()
                .expect("one"),
        );
        world.open().expect("the log is sound");
        assert_eq!(used(&world).sequence, older.sequence, "{case}");
        assert!(state(&world) == expected, "{case}");
    }
    // Both of them: the whole log is folded.
    world.crash();
    *world.disk.0.borrow_mut() = sound;
    for stored in world.disk.0.borrow_mut().parts().snapshots {
        stored.body[3] ^= 1;
    }
    world.open().expect("the log is sound");
    assert_eq!(used(&world), KeptSnapshot::default());
    assert!(state(&world) == expected);
}

/// A whole and sound snapshot of another state, which no event names: a looser one, say.
#[test]
fn a_snapshot_that_no_event_names_is_not_used() {
    let mut world = grown();
    let [older, newest] = kept(&world).try_into().expect("two");
    for sequence in [newest.sequence, newest.sequence + 1, newest.sequence - 1] {
        let hash = world
            .disk
            .0
            .borrow_mut()
            .event(sequence)
            .expect("memory")
            .expect("an event")
            .hash;
        world.crash();
        *world.disk.0.borrow_mut().parts().snapshots = vec![StoredSnapshot {
            sequence,
            hash,
            // What was true earlier, with all that was spent since given back.
            body: older.body.clone(),
            ..newest
        }];
        world.open().expect("the log is sound");
        assert_eq!(used(&world), KeptSnapshot::default(), "{sequence}");
    }
}

/// The event that names a snapshot is one of the log: whoever changes it, with all hashes after it, has no
/// head for it.
#[test]
fn a_naming_event_that_was_changed_is_no_event_of_the_log() {
    let mut world = grown();
    let newest = kept(&world).pop().expect("a snapshot");
    let place = usize::try_from(newest.sequence).expect("small");
    {
        let mut disk = world.disk.0.borrow_mut();
        let forged = StoredSnapshot {
            body: vec![0x80],
            ..newest.clone()
        };
        let digest = name(&forged).digest;
        let parts = disk.parts();
        let mut event: waiaas_shared::event::Event =
            waiaas_shared::codec::from_canonical(&parts.events[place].body).expect("an event");
        let EventBody::SnapshotTaken { digest: named, .. } = &mut event.body else {
            panic!("it names the snapshot")
        };
        *named = digest;
        parts.events[place].body = to_canonical(&event);
        let mut previous = parts.events[place - 1].hash;
        for event in parts.events.iter_mut().skip(place) {
            event.hash = waiaas_shared::log::link(previous, event.sequence, &event.body);
            previous = event.hash;
        }
        parts.snapshots.clear();
        parts.snapshots.push(forged);
    }
    assert!(matches!(world.open(), Err(OpenError::Log(_))));
}

/// A commit that the disk refuses keeps neither snapshot nor name, and the next one comes as if it had.
#[test]
fn a_snapshot_that_finds_no_room_is_left_out() {
    let mut world = World::new(1, false);
    pay(&mut world, "a", 1).signed();
    world.take_snapshots(Some(1));
    let before = state(&world);
    world.disk.0.borrow_mut().fail_next(Fault::Refused);
    world.turn_once();
    assert!(kept(&world).is_empty() && state(&world) == before);
    assert!(!world.disk.0.borrow_mut().forget_faults(), "it was tried");
    // Not again at once: only when the log has grown by as much.
    world.turn_once();
    assert!(kept(&world).is_empty());
    for place in 0..30 {
        pay(&mut world, &format!("key-{place}"), 1).signed();
    }
    assert!(!kept(&world).is_empty());
    restart(&mut world);
    assert!(used(&world).sequence > 0);
}

/// However often events are made, what is kept stays two snapshots, and they are written no faster than the
/// log grows.
#[test]
fn snapshots_are_bounded_by_the_log() {
    let mut world = World::new(1, false);
    world.take_snapshots(Some(1));
    let mut written = 0;
    let mut newest = 0;
    for place in 0..44 {
        pay(&mut world, &format!("key-{place}"), 1).signed();
        let kept = kept(&world);
        assert!(kept.len() <= 2);
        if let Some(last) = kept.last().filter(|last| last.sequence > newest) {
            newest = last.sequence;
            written += last.body.len();
        }
    }
    let mut disk = world.disk.0.borrow_mut();
    let log: usize = disk
        .parts()
        .events
        .iter()
        .map(|event| event.body.len())
        .sum();
    assert!(
        written > 0 && written <= log + 16 * 1024,
        "{written} of {log}"
    );
}

/// invariant_19: a key that was used before the snapshot stays used, though no event of it was read.
#[test]
fn invariant_19_a_key_from_before_the_snapshot_is_not_signed_again() {
    let mut world = grown();
    world.open().expect("it starts");
    assert!(used(&world).sequence > 0);
    unlock(&mut world);
    let again = pay(&mut world, "key-0", 1).signed();
    assert!(again.replay);
    let changed = pay(&mut world, "key-0", 2);
    refused(&changed, Code::IdempotencyConflict);
    let resent = world.one(Asked::Resend(again.transaction)).signed();
    assert_eq!(resent.raw, again.raw);
}

/// A row of the index that is withheld, moved or made up: nothing is signed on it. The process ends, and
/// the next one reads the whole log and puts the index right.
#[test]
fn invariant_19_a_false_index_signs_nothing_after_a_start_from_a_snapshot() {
    type Tamper = fn(&mut MemoryLedger);
    let cases: [(&str, Tamper); 3] = [
        ("withheld", |ledger| ledger.parts().index.clear()),
        ("another event", |ledger| {
            let rows = ledger.parts().index.values_mut();
            rows.for_each(|row| row.sequence = 2);
        }),
        ("another key", |ledger| {
            let rows = ledger.parts().index.values_mut();
            rows.for_each(|row| row.idempotency = other(row.idempotency));
        }),
    ];
    for (case, tamper) in cases {
        let mut world = grown();
        tamper(&mut world.disk.0.borrow_mut());
        world.open().expect("nothing shows yet");
        assert!(used(&world).sequence > 0, "{case}");
        unlock(&mut world);
        let asked = payment(&mut world, "key-0", 1);
        assert!(matches!(world.one(asked.clone()), Answer::Lost), "{case}");
        assert!(
            matches!(world.fatal, Some(Fatal::Ledger(LedgerError::Damaged))),
            "{case}"
        );
        world.open().expect("it starts");
        assert_eq!(used(&world), KeptSnapshot::default(), "{case}");
        unlock(&mut world);
        assert!(world.one(asked).signed().replay, "{case}");
    }
}

/// The same bucket, another key.
fn other(key: Digest) -> Digest {
    let mut bytes = *key.as_bytes();
    bytes[31] ^= 1;
    Digest::from_bytes(bytes)
}

/// An old payment's event that was changed in the file: its bytes are never signed.
#[test]
fn an_event_from_before_the_snapshot_that_was_changed_is_not_believed() {
    let mut world = grown();
    world.open().expect("it starts");
    unlock(&mut world);
    let first = pay(&mut world, "key-0", 1).signed();
    world.crash();
    {
        let mut disk = world.disk.0.borrow_mut();
        let place = usize::try_from(first.sequence).expect("small") - 1;
        let body = &mut disk.parts().events[place].body;
        let middle = body.len() / 2;
        body[middle] ^= 1;
    }
    for resend in [true, false] {
        // A snapshot as after every other start of this log.
        world.open().expect("nothing shows yet");
        unlock(&mut world);
        let snapshots = kept(&world);
        let asked = if resend {
            Asked::Resend(first.transaction)
        } else {
            payment(&mut world, "key-0", 1)
        };
        assert!(matches!(world.one(asked), Answer::Lost));
        assert!(matches!(
            world.fatal,
            Some(Fatal::Ledger(LedgerError::Damaged))
        ));
        assert!(kept(&world).is_empty(), "the next start reads everything");
        *world.disk.0.borrow_mut().parts().snapshots = snapshots;
    }
    world
        .disk
        .0
        .borrow_mut()
        .forget_snapshots()
        .expect("memory");
    assert!(world.open().is_err(), "the log does not verify");
}

#[test]
fn an_audit_folds_the_whole_log_and_finds_what_differs() {
    let mut world = grown();
    world.open().expect("it starts");
    // While locked too.
    let audited = audit(&mut world);
    assert_eq!(audited.problems, Vec::<String>::new());
    assert!(audited.snapshots >= 2, "{audited:?}");
    unlock(&mut world);
    let asked = vec![Asked::Audit, payment(&mut world, "b", 5), Asked::Audit];
    for answer in world.deliver(asked, None) {
        match answer {
            Answer::Audited(audited) => assert_eq!(audited.problems, Vec::<String>::new()),
            Answer::Signed(signed) => assert!(!signed.replay),
            other => panic!("{other:?}"),
        }
    }
    // A snapshot that is not what the log says, and one that no event names.
    world.disk.0.borrow_mut().parts().snapshots[1].body[5] ^= 1;
    assert_eq!(audit(&mut world).problems.len(), 1);
    // An event that was changed behind the snapshot.
    world.disk.0.borrow_mut().parts().snapshots[1].body[5] ^= 1;
    world.disk.0.borrow_mut().parts().events[3].body[9] ^= 1;
    assert_eq!(audit(&mut world).problems.len(), 1);
    world.disk.0.borrow_mut().parts().events[3].body[9] ^= 1;
    assert_eq!(audit(&mut world).problems, Vec::<String>::new());
}

/// A signer whose state is not its log's: the audit says so.
#[test]
fn an_audit_finds_a_state_that_the_log_does_not_lead_to() {
    let mut world = grown();
    world.open().expect("it starts");
    let signer = world.signer.as_mut().expect("alive");
    signer.settled.folded.index = Default::default();
    let audited = audit(&mut world);
    assert_eq!(
        audited.problems,
        ["the signer's state is not the fold of its log"]
    );
}

fn audit(world: &mut World) -> super::super::ask::Audited {
    let mut answers = world.deliver(vec![Asked::Audit], None);
    match answers.pop() {
        Some(Answer::Audited(audited)) => audited,
        other => panic!("{other:?}"),
    }
}

/// Whatever comes due while a snapshot is taken, the event that names it is the very next one: an audit
/// finds nothing, now and for ever.
#[test]
fn nothing_stands_between_a_snapshot_and_its_name() {
    for looks in 0..8 {
        let mut world = World::new(1, false);
        world.take_snapshots(Some(1));
        world.machine.borrow_mut().steps_after = Some(looks);
        for place in 0..8 {
            let _signed_or_closed = pay(&mut world, &format!("key-{place}"), 1 + place);
        }
        assert_eq!(world.machine.borrow().steps_after, None, "it stepped");
        assert_eq!(audit(&mut world).problems, Vec::<String>::new(), "{looks}");
    }
}
