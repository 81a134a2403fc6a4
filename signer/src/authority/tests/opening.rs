//! Starting: a missing, foreign, truncated or edited part means closed, never "start from zero"; the
//! index is only a cache.

use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::log::LogError;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::super::OpenError;
use super::super::simulation::machine::Passing;
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::{DAY, HOUR, World, rule_of, starting_policy, write_keystore};
use super::{FEE, bearer, bound, pay, payment, refused, restart, set_back, unlock};
use crate::ledger::SpendIndex;
use crate::ledger::memory::MemoryLedger;
use crate::model::people::{EVM, MAIN};
use crate::vault::FILE_NAME;

#[test]
fn a_log_without_keystore_or_the_reverse_does_not_start() {
    let mut world = World::new(1, false);
    world.crash();
    let ledger = world.disk.0.replace(MemoryLedger::default());
    assert!(matches!(world.open(), Err(OpenError::LogMissing)));
    world.disk.0.replace(ledger);
    let keystore = world.folder.path().join(FILE_NAME);
    let bytes = std::fs::read(&keystore).expect("a keystore");
    std::fs::remove_file(&keystore).expect("removed");
    assert!(matches!(world.open(), Err(OpenError::KeystoreMissing)));
    write_keystore(&world.folder, &bytes[..bytes.len() - 1]);
    assert!(matches!(world.open(), Err(OpenError::Keystore(_))));
    write_keystore(&world.folder, &bytes);
    world.open().expect("whole again");
}

#[test]
fn a_foreign_keystore_does_not_open_the_log() {
    let mut world = World::new(1, false);
    let other = World::new(1, true);
    world.crash();
    let bytes = std::fs::read(other.folder.path().join(FILE_NAME)).expect("a keystore");
    write_keystore(&world.folder, &bytes);
    assert!(matches!(world.open(), Err(OpenError::Foreign)));
}

/// A log of few events with two heads, and its world without a process.
fn small() -> World {
    let mut world = World::blank(3);
    world.open().expect("an empty folder");
    assert!(matches!(world.one(Asked::Initialize), Answer::Signer(_)));
    world.one(Asked::Pause(None, Origin::Admin));
    world.one(Asked::Lock);
    world.crash();
    world
}

#[test]
fn a_log_with_any_byte_flipped_does_not_open() {
    let mut world = small();
    let sound = world.disk.0.borrow().clone();
    let mut flips = 0;
    let mut refuses = |tamper: &dyn Fn(&mut MemoryLedger) -> bool, what: &str| {
        let mut tampered = sound.clone();
        if tamper(&mut tampered) {
            *world.disk.0.borrow_mut() = tampered;
            assert!(world.open().is_err(), "{what}");
            flips += 1;
        }
    };
    let (events, heads) = {
        let mut copy = sound.clone();
        let parts = copy.parts();
        (parts.events.clone(), parts.heads.clone())
    };
    for (place, event) in events.iter().enumerate() {
        for byte in 0..event.body.len() {
            for bit in [0, 7] {
                let flip = |ledger: &mut MemoryLedger| {
                    ledger.parts().events[place].body[byte] ^= 1 << bit;
                    true
                };
                refuses(&flip, &format!("event {place} byte {byte} bit {bit}"));
            }
        }
        for byte in 0..32 {
            let flip = |ledger: &mut MemoryLedger| {
                let mut hash = *ledger.parts().events[place].hash.as_bytes();
                hash[byte] ^= 1;
                ledger.parts().events[place].hash = waiaas_shared::digest::Digest::from_bytes(hash);
                true
            };
            refuses(&flip, &format!("hash of event {place} byte {byte}"));
        }
    }
    for (place, (_, note)) in heads.iter().enumerate() {
        for byte in 0..note.len() {
            let flip = |ledger: &mut MemoryLedger| {
                let mut bytes = note.clone().into_bytes();
                bytes[byte] ^= 1;
                match String::from_utf8(bytes) {
                    Ok(flipped) => ledger.parts().heads[place].1 = flipped,
                    Err(_) => return false,
                }
                true
            };
            refuses(&flip, &format!("head {place} byte {byte}"));
        }
    }
    assert!(flips > 500, "{flips}");
    *world.disk.0.borrow_mut() = sound;
    world.open().expect("the untouched log opens");
}

#[test]
fn a_truncated_reordered_or_padded_log_does_not_open() {
    type Tamper = fn(&mut MemoryLedger);
    let mut world = small();
    let sound = world.disk.0.borrow().clone();
    let cases: [(&str, Tamper); 7] = [
        ("the first event", |ledger| {
            drop(ledger.parts().events.remove(0))
        }),
        ("one in the middle", |ledger| {
            drop(ledger.parts().events.remove(1))
        }),
        ("all heads", |ledger| ledger.parts().heads.clear()),
        ("the last head", |ledger| drop(ledger.parts().heads.pop())),
        ("two swapped", |ledger| ledger.parts().events.swap(1, 2)),
        ("one doubled", |ledger| {
            let event = ledger.parts().events[0].clone();
            ledger.parts().events.push(event);
        }),
        ("a head at another event", |ledger| {
            ledger.parts().heads[0].0 -= 1
        }),
    ];
    for (case, tamper) in cases {
        let mut tampered = sound.clone();
        tamper(&mut tampered);
        *world.disk.0.borrow_mut() = tampered;
        assert!(world.open().is_err(), "{case}");
    }
    // Cut off inside of a batch: its first event is there and nobody signed for it.
    let mut begun = World::blank(4);
    begun.open().expect("an empty folder");
    begun.one(Asked::Initialize);
    begun.crash();
    begun.disk.0.borrow_mut().parts().events.truncate(1);
    assert!(matches!(
        begun.open(),
        Err(OpenError::Log(LogError::Unsigned))
    ));
}

/// Whole batches cut off at the end are a log that once was: it verifies, and only a head that somebody
/// kept shows it. If a start and an unlock were among them, the locked journal does not fit any more.
#[test]
fn a_log_rolled_back_over_a_start_and_an_unlock_is_frozen() {
    let mut world = World::new(1, false);
    world.one(Asked::Lock);
    let mut older = world.disk.0.borrow().clone();
    restart(&mut world);
    unlock(&mut world);
    world.crash();
    {
        let mut disk = world.disk.0.borrow_mut();
        std::mem::swap(disk.parts().events, older.parts().events);
        std::mem::swap(disk.parts().heads, older.parts().heads);
    }
    world.forget();
    world.look();
    world.open().expect("an older log, sound in itself");
    unlock(&mut world);
    assert!(
        !world.status().frozen,
        "its journal was empty: nothing shows"
    );
    world.crash();

    let mut world = World::new(1, false);
    world.one(Asked::Lock);
    let mut older = world.disk.0.borrow().clone();
    restart(&mut world);
    unlock(&mut world);
    restart(&mut world);
    world.crash();
    {
        let mut disk = world.disk.0.borrow_mut();
        std::mem::swap(disk.parts().events, older.parts().events);
        std::mem::swap(disk.parts().heads, older.parts().heads);
    }
    world.forget();
    world.look();
    world.open().expect("an older log, sound in itself");
    unlock(&mut world);
    assert!(world.status().frozen);
}

#[test]
fn a_lost_or_false_index_is_repaired_and_nothing_is_signed_twice() {
    type Tamper = fn(&mut MemoryLedger);
    let cases: [Tamper; 5] = [
        |ledger| ledger.parts().index.clear(),
        |ledger| {
            ledger.parts().index.pop_first().expect("a row");
        },
        |ledger| {
            let rows = ledger.parts().index.values_mut();
            rows.for_each(|row| row.sequence = 1);
        },
        |ledger| {
            let rows = ledger.parts().index.values_mut();
            rows.for_each(|row| row.transaction = TransactionId::from_bytes([7; 16]));
        },
        // A row for a key that nobody used, in a bucket of its own.
        |ledger| {
            let row = SpendIndex {
                idempotency: Digest::from_bytes([255; 32]),
                transaction: TransactionId::from_bytes([7; 16]),
                sequence: 1,
                hash: Digest::from_bytes([7; 32]),
            };
            ledger.parts().index.insert((row.bucket(), 1), row);
        },
    ];
    for tamper in cases {
        let mut world = World::new(1, false);
        let asked = payment(&mut world, "a", 5);
        let first = world.one(asked.clone()).signed();
        pay(&mut world, "b", 5).signed();
        world.crash();
        tamper(&mut world.disk.0.borrow_mut());
        world.open().expect("the log is sound");
        unlock(&mut world);
        let again = world.one(asked).signed();
        assert!(again.replay && again.raw == first.raw);
        let resent = world.one(Asked::Resend(first.transaction)).signed();
        assert_eq!(resent.raw, first.raw);
    }
}

#[test]
fn a_second_initialize_is_refused_in_every_state() {
    let mut world = World::blank(5);
    world.open().expect("an empty folder");
    let answers = world.deliver(vec![Asked::Initialize, Asked::Initialize], None);
    assert!(matches!(answers[0], Answer::Signer(_)));
    refused(&answers[1], Code::AlreadyInitialized);
    refused(&world.one(Asked::Initialize), Code::AlreadyInitialized);
    world.one(Asked::Lock);
    refused(&world.one(Asked::Initialize), Code::AlreadyInitialized);
    let events = world.history.entries.len();
    restart(&mut world);
    refused(&world.one(Asked::Initialize), Code::AlreadyInitialized);
    assert_eq!(world.history.entries.len(), events);
}

#[test]
fn before_initialize_nothing_is_served_and_nothing_written() {
    let mut world = World::blank(6);
    world.open().expect("an empty folder");
    for asked in [
        Asked::Unlock(true, true),
        Asked::Kill(Origin::Gateway),
        Asked::Pause(None, Origin::Gateway),
        Asked::Lock,
        Asked::Draft(
            waiaas_shared::statement::StatementFacts::ReleasePause { wallet: None },
            Origin::Admin,
        ),
        Asked::CreateWallet(true, waiaas_shared::caip::Family::Evm, vec![EVM]),
    ] {
        refused(&world.one(asked), Code::NotInitialized);
    }
    assert!(world.status().signer.is_none());
    assert!(world.history.entries.is_empty());
    assert!(world.disk.0.borrow_mut().parts().journal.is_empty());
}

#[test]
fn an_initialize_without_randomness_writes_nothing_and_can_be_repeated() {
    let mut world = World::blank(7);
    world.open().expect("an empty folder");
    world.machine.borrow_mut().entropy_fails = true;
    refused(&world.one(Asked::Initialize), Code::EntropyFailed);
    assert!(!world.folder.path().join(FILE_NAME).exists());
    world.machine.borrow_mut().entropy_fails = false;
    assert!(matches!(world.one(Asked::Initialize), Answer::Signer(_)));
}

/// Time off moves budgets if the owner vouches for it at the unlock, and never what waits to mature.
#[test]
fn vouching_moves_budgets_and_never_maturity() {
    let mut world = World::new(1, true);
    let mut tight = starting_policy();
    tight.epoch = 2;
    let rule = rule_of(&mut tight, EVM);
    rule.per_transaction = waiaas_shared::amount::Amount::from_base_units(200_000);
    rule.approve_up_to = rule.per_transaction;
    rule.delay_up_to = rule.per_transaction;
    rule.notify_up_to = rule.per_transaction;
    let mut loose = starting_policy();
    loose.epoch = 3;
    world.adopt(&tight, None).expect("tighter");
    world.adopt(&loose, None).expect("looser");
    for key in ["a", "b", "c", "d", "e"] {
        pay(&mut world, key, 200_000 - FEE).signed();
    }
    refused(&pay(&mut world, "f", 1), Code::HourLimit);
    world.crash();
    world.machine.borrow_mut().gone(25 * HOUR, true);
    world.open().expect("it starts");
    unlock(&mut world);
    refused(&pay(&mut world, "f", 1), Code::HourLimit);
    world.one(Asked::Lock);
    assert!(matches!(world.one(Asked::Unlock(true, true)), Answer::Done));
    pay(&mut world, "f", 200_000 - FEE).signed();
    let codes = pay(&mut world, "g", 200_000).codes();
    assert!(codes.contains(&Code::PerTransactionLimit), "{codes:?}");
    // Vouched for once: the next unlock finds no more time off.
    world.one(Asked::Lock);
    assert!(matches!(world.one(Asked::Unlock(true, true)), Answer::Done));
    let spent = |world: &World| {
        let signer = world.signer.as_ref().expect("alive");
        signer.state.clocks().budget
    };
    let budget = spent(&world);
    pay(&mut world, "h", 1).signed();
    assert_eq!(spent(&world), budget);
    // Running time does mature it.
    world.pass(Passing::Running(DAY));
    pay(&mut world, "i", 200_000).signed();
    let networks = &world.signer.as_ref().expect("alive").state.wallet_views();
    assert!(
        networks.iter().any(|view| view.networks.contains(&MAIN)),
        "documents wait here"
    );
    assert_eq!(bearer(&world).id, world.known.sessions[2].id);
}

/// A step that is seen while nobody asks for anything is in the log: no restart forgets it.
#[test]
fn invariant_11_a_step_of_the_clock_is_durable_before_anybody_asks() {
    let mut world = World::new(1, false);
    pay(&mut world, "a", 1000).signed();
    let before = world.history.entries.len();
    world.pass(Passing::Stepped(i64::try_from(20 * DAY).unwrap()));
    // A read is enough for the loop to look.
    world.status();
    assert_eq!(world.history.entries.len(), before + 1);
    world.status();
    assert_eq!(world.history.entries.len(), before + 1, "once is enough");
    restart(&mut world);
    unlock(&mut world);
    assert!(world.status().clock_closed);
    refused(&pay(&mut world, "b", 1000), Code::ClockClosed);
}

/// What an owner stated outlives the process, with no event behind it: what had ended by it does not come back.
#[test]
fn invariant_11_a_stated_time_outlives_the_process() {
    let mut world = World::new(1, false);
    pay(&mut world, "a", 1000).signed();
    set_back(&mut world);
    let before = bound(&world);
    let wall = before.after(Millis::from_hours(20 * 24));
    world
        .say(StatementFacts::StateTime { wall }, None)
        .expect("stated");
    assert!(bound(&world) >= wall);
    world.crash();
    // The clock shows what it showed before, and nothing else would be strange.
    world.pass(Passing::Stepped(DAY as i64));
    world.open().expect("it starts");
    assert!(bound(&world) >= wall, "{} {wall}", bound(&world));
    unlock(&mut world);
    refused(&pay(&mut world, "b", 1000), Code::ClockClosed);
    restart(&mut world);
    assert!(bound(&world) >= wall);
}
