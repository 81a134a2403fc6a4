//! While locked: what stops is durable at once and decided again at the next unlock; a journal that is
//! lost freezes; passwords fail alike, and are counted.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::statement::StatementFacts;

use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::World;
use super::{bearer, pay, payment, refused, restart, unlock};
use crate::core::journal::{FAILURES_LIMIT, JournalRow};

/// Locked since its start, which is the journal's first row.
fn locked() -> World {
    let mut world = World::new(1, false);
    restart(&mut world);
    world
}

fn release_kill(world: &mut World) {
    let epoch = world.status().kill_epoch;
    let sessions = vec![bearer(world).id];
    let facts = StatementFacts::ReleaseKill { epoch, sessions };
    world.say(facts, Some(true)).expect("owner and password");
}

#[test]
fn a_kill_while_locked_shows_at_once_and_holds_after_restart_and_unlock() {
    let mut world = locked();
    assert_eq!(world.status().kill, "NORMAL");
    assert!(matches!(
        world.one(Asked::Kill(Origin::Gateway)),
        Answer::Sequence(_)
    ));
    assert_eq!(world.status().kill, "ACTIVATED");
    restart(&mut world);
    assert_eq!(world.status().kill, "ACTIVATED");
    unlock(&mut world);
    assert_eq!(world.status().kill, "ACTIVATED");
    assert_eq!(world.status().kill_epoch, 1);
    refused(&pay(&mut world, "a", 1), Code::SessionRevoked);
    release_kill(&mut world);
    refused(&pay(&mut world, "a", 1), Code::Frozen);
    world
        .say(StatementFacts::ReleasePause { wallet: None }, None)
        .expect("resumed");
    pay(&mut world, "a", 1).signed();
}

#[test]
fn pauses_and_revocations_while_locked_hold_after_restart_and_unlock() {
    let mut world = locked();
    let session = bearer(&world).id;
    for _ in 0..3 {
        assert!(matches!(
            world.one(Asked::Pause(None, Origin::Gateway)),
            Answer::Sequence(_)
        ));
        assert!(matches!(
            world.one(Asked::Revoke(session)),
            Answer::Sequence(_)
        ));
    }
    assert!(world.status().frozen);
    // Once each, and two starts: repeating it does not grow the journal.
    restart(&mut world);
    assert_eq!(world.disk.0.borrow_mut().parts().journal.len(), 4);
    assert!(world.status().frozen);
    unlock(&mut world);
    assert!(world.status().frozen);
    refused(&pay(&mut world, "a", 1), Code::SessionRevoked);
    assert!(world.disk.0.borrow_mut().parts().journal.is_empty());
}

#[test]
fn everything_else_answers_locked() {
    let mut world = locked();
    let entries = world.history.entries.len();
    let session = bearer(&world);
    let sign = payment(&mut world, "a", 1);
    let request = world.request(session, "b", super::EVM, 0, 1);
    for asked in [
        sign,
        Asked::Decide(Box::new(request)),
        Asked::Resend(waiaas_shared::ids::TransactionId::from_bytes([1; 16])),
        Asked::Draft(StatementFacts::ReleasePause { wallet: None }, Origin::Admin),
        Asked::Pause(Some(world.known.evm), Origin::Admin),
        Asked::CreateWallet(true, waiaas_shared::caip::Family::Evm, vec![super::EVM]),
    ] {
        refused(&world.one(asked), Code::Locked);
    }
    refused(&world.one(Asked::Initialize), Code::AlreadyInitialized);
    assert!(matches!(world.one(Asked::Lock), Answer::Done));
    let unknown = waiaas_shared::ids::SessionId::from_bytes([1; 16]);
    refused(&world.one(Asked::Revoke(unknown)), Code::SessionUnknown);
    assert_eq!(world.history.entries.len(), entries);
}

#[test]
fn a_changed_journal_unlocks_into_frozen() {
    let with_pause = |tamper: fn(&mut Vec<JournalRow>)| {
        let mut world = locked();
        let session = bearer(&world).id;
        world.one(Asked::Revoke(session));
        world.crash();
        tamper(world.disk.0.borrow_mut().parts().journal);
        world.open().expect("it starts");
        unlock(&mut world);
        world.status().frozen
    };
    assert!(!with_pause(|_| {}));
    assert!(with_pause(|rows| rows[0].body[1] ^= 1));
    assert!(with_pause(|rows| drop(rows.remove(0))));
    assert!(with_pause(|rows| rows.swap(0, 1)));
    assert!(with_pause(|rows| {
        let row = rows[1].clone();
        rows.push(row);
    }));
}

/// Every byte of every row: the signer still starts, and never unlocks as if nothing had been.
#[test]
fn every_flipped_byte_of_the_journal_freezes_and_no_kill_is_lost() {
    let mut world = locked();
    world.one(Asked::Kill(Origin::Gateway));
    world.crash();
    let before = world.disk.0.borrow().clone();
    let keystore =
        std::fs::read(world.folder.path().join(crate::vault::FILE_NAME)).expect("a keystore");
    let lengths: Vec<usize> = world
        .disk
        .0
        .borrow_mut()
        .parts()
        .journal
        .iter()
        .map(|row| row.body.len())
        .collect();
    for (row, length) in lengths.into_iter().enumerate() {
        for byte in 0..length {
            let mut world = locked_copy(&before, &keystore);
            world.disk.0.borrow_mut().parts().journal[row].body[byte] ^= 1;
            world.open().expect("it starts");
            unlock(&mut world);
            let status = world.status();
            assert!(status.frozen, "row {row} byte {byte}");
            // A kill in the row that was not touched still stands.
            assert!(
                status.kill == "ACTIVATED" || row == 1,
                "row {row} byte {byte}"
            );
        }
    }
}

/// A world over this disk, before its process starts.
fn locked_copy(disk: &crate::ledger::memory::MemoryLedger, keystore: &[u8]) -> World {
    let mut world = World::new(1, false);
    world.crash();
    world.forget();
    super::super::simulation::world::write_keystore(&world.folder, keystore);
    *world.disk.0.borrow_mut() = disk.clone();
    world.look();
    world
}

#[test]
fn a_kill_after_the_journal_was_lost_is_still_a_kill() {
    for restarted in [false, true] {
        let mut world = locked();
        world.crash();
        world.disk.0.borrow_mut().parts().journal[0].hash =
            waiaas_shared::digest::Digest::from_bytes([7; 32]);
        world.open().expect("it starts");
        assert!(matches!(
            world.one(Asked::Kill(Origin::Admin)),
            Answer::Sequence(_)
        ));
        if restarted {
            restart(&mut world);
        }
        unlock(&mut world);
        let status = world.status();
        assert!(status.frozen && status.kill == "ACTIVATED", "{status:?}");
        // A pause release alone opens nothing.
        let answer = world.say(StatementFacts::ReleasePause { wallet: None }, None);
        refused(&answer.expect_err("killed"), Code::Killed);
    }
}

#[test]
fn an_unlock_that_lacks_randomness_or_clocks_takes_nothing_in() {
    for broken in [0, 1] {
        let mut world = locked();
        world.one(Asked::Kill(Origin::Gateway));
        {
            let mut machine = world.machine.borrow_mut();
            machine.entropy_fails = broken == 0;
            machine.clocks_fail = broken == 1;
        }
        let code = [Code::EntropyFailed, Code::ClockClosed][broken];
        refused(&world.one(Asked::Unlock(true, true)), code);
        let status = world.status();
        assert!(!status.unlocked && status.kill == "ACTIVATED");
        {
            let mut machine = world.machine.borrow_mut();
            (machine.entropy_fails, machine.clocks_fail) = (false, false);
        }
        unlock(&mut world);
        assert_eq!(world.status().kill, "ACTIVATED");
        assert_eq!(world.status().kill_epoch, 1);
    }
}

/// Neither a broken clock nor a broken random source keeps anybody from stopping.
#[test]
fn what_stops_needs_neither_clock_nor_randomness() {
    let broken = || {
        let world = World::new(1, false);
        {
            let mut machine = world.machine.borrow_mut();
            (machine.entropy_fails, machine.clocks_fail) = (true, true);
        }
        world
    };
    let mut world = broken();
    refused(&pay(&mut world, "a", 1), Code::EntropyFailed);
    assert!(matches!(
        world.one(Asked::Pause(None, Origin::Gateway)),
        Answer::Sequence(_)
    ));
    let session = bearer(&world).id;
    assert!(matches!(
        world.one(Asked::Revoke(session)),
        Answer::Sequence(_)
    ));
    assert!(matches!(world.one(Asked::Lock), Answer::Done));
    assert!(!world.status().unlocked);
    let mut world = broken();
    assert!(matches!(
        world.one(Asked::Kill(Origin::Gateway)),
        Answer::Sequence(_)
    ));
    assert_eq!(world.status().kill, "ACTIVATED");
    assert!(!world.status().unlocked);
}

#[test]
fn wrong_passwords_are_counted_and_survive_a_restart() {
    let mut world = locked();
    for count in 1..=3 {
        refused(&world.one(Asked::Unlock(false, false)), Code::PasswordWrong);
        assert_eq!(world.status().unlock_failures, count);
    }
    restart(&mut world);
    assert_eq!(world.status().unlock_failures, 3);
    refused(&world.one(Asked::Unlock(false, true)), Code::PasswordWrong);
    unlock(&mut world);
    let counted = world
        .history
        .entries
        .iter()
        .rev()
        .find_map(|entry| match entry.event.body {
            EventBody::Unlocked { failures, .. } => Some(failures),
            _ => None,
        });
    assert_eq!(counted, Some(4));
    assert_eq!(world.status().unlock_failures, 0);
}

#[test]
fn an_open_signer_is_not_unlocked_again() {
    let mut world = locked();
    unlock(&mut world);
    let entries = world.history.entries.len();
    refused(&world.one(Asked::Unlock(true, true)), Code::NotLocked);
    assert_eq!(
        world.history.entries.len(),
        entries,
        "nothing is vouched for"
    );
    assert!(world.status().unlocked);
}

#[test]
fn guessing_fills_no_disk() {
    let mut world = locked();
    let rows = |world: &World| world.disk.0.borrow_mut().parts().journal.len();
    let before = rows(&world);
    for _ in 0..FAILURES_LIMIT + 20 {
        refused(&world.one(Asked::Unlock(false, false)), Code::PasswordWrong);
    }
    assert_eq!(rows(&world), before + FAILURES_LIMIT as usize);
    assert_eq!(world.status().unlock_failures, FAILURES_LIMIT + 20);
}

/// One answer for a wrong password, whatever it was for, and none for whether keys are open.
#[test]
fn wrong_passwords_fail_alike() {
    let mut world = World::new(1, false);
    let facts = StatementFacts::EnrolWithdrawal {
        account: crate::model::people::account(super::EVM, 1),
    };
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let signatures = vec![world.signature(&text)];
    let wallet = Asked::CreateWallet(false, waiaas_shared::caip::Family::Evm, vec![super::EVM]);
    let submit = Asked::Submit(statement, signatures, Origin::Admin, Some(false));
    let enrol = Asked::Enrol(false, statement, vec![0; 64]);
    let entries = world.history.entries.len();
    for asked in [wallet, submit, enrol] {
        refused(&world.one(asked), Code::PasswordWrong);
    }
    assert_eq!(world.status().unlock_failures, 3);
    assert_eq!(world.history.entries.len(), entries);
    world.one(Asked::Lock);
    refused(&world.one(Asked::Unlock(false, true)), Code::PasswordWrong);
}
