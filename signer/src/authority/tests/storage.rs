//! The disk refuses, or nobody knows: nothing leaves without its record, and nothing is half done.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::super::Fatal;
use super::super::simulation::machine::Passing;
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::{HOUR, World};
use super::{FEE, bound, pay, payment, refused, restart, set_back, unlock};
use crate::core::apply::apply;
use crate::ledger::LedgerError;
use crate::ledger::memory::Fault;

fn fail(world: &World, fault: Fault) {
    world.disk.0.borrow_mut().fail_next(fault);
}

#[test]
fn a_full_disk_refuses_everything_of_the_batch_and_leaves_the_state_as_it_was() {
    let mut world = World::new(1, false);
    let first = pay(&mut world, "a", 1).signed();
    let before = world.signer.as_ref().expect("alive").state.clone();
    let asked = vec![
        payment(&mut world, "b", 2),
        payment(&mut world, "c", 3),
        payment(&mut world, "b", 2),
        payment(&mut world, "a", 1),
    ];
    fail(&world, Fault::Refused);
    for answer in world.deliver(asked.clone(), None) {
        refused(&answer, Code::StorageFull);
    }
    assert!(world.signer.as_ref().expect("alive").state == before);
    // The next commit works; nonces continue where they were.
    let again: Vec<_> = world
        .deliver(asked, None)
        .into_iter()
        .map(Answer::signed)
        .collect();
    assert_eq!(again[0].sequence, first.sequence + 1);
    assert_eq!(again[1].sequence, first.sequence + 2);
    assert!(again[2].replay && again[2].raw == again[0].raw);
    assert!(again[3].replay && again[3].raw == first.raw);
}

/// INVARIANT 4, last step: what was charged is signed, and verified against the wallet's own address before
/// it leaves. Here another address stands in the state than the key's.
#[test]
fn a_signature_of_another_key_never_leaves_and_ends_the_process() {
    let mut world = World::new(1, false);
    pay(&mut world, "a", 5).signed();
    let wallet = world.known.evm;
    let state = &mut world.signer.as_mut().expect("alive").state;
    let mut views = state.wallet_views().into_iter();
    let view = views.find(|view| view.wallet == wallet);
    let rotated = EventBody::WalletRotated {
        wallet,
        path: view.expect("the wallet").path,
        account: Account::Evm(EvmAddress::from_bytes([7; 20])),
        first_nonce: 0,
        statement: StatementId::from_bytes([9; 16]),
        signers: Vec::new(),
    };
    let event = Event {
        clocks: state.clocks(),
        body: rotated,
    };
    apply(state, &event);
    refused(&pay(&mut world, "b", 5), Code::SigningFault);
    assert!(matches!(world.fatal, Some(Fatal::Signing)));
}

#[test]
fn an_unknown_commit_ends_the_process_without_an_answer() {
    for fault in [Fault::UnknownLost, Fault::UnknownWritten] {
        let mut world = World::new(1, false);
        let asked = payment(&mut world, "a", 5);
        fail(&world, fault);
        assert!(matches!(world.one(asked.clone()), Answer::Lost));
        assert!(matches!(
            world.fatal,
            Some(Fatal::Ledger(LedgerError::Unknown))
        ));
        world.open().expect("it starts");
        unlock(&mut world);
        // Asked again: one charge in all, whether it was written or not.
        let signed = world.one(asked.clone()).signed();
        assert_eq!(signed.replay, fault == Fault::UnknownWritten);
        let again = world.one(asked).signed();
        assert!(again.replay && again.raw == signed.raw);
        let left = pay(&mut world, "b", 400_000 - FEE).signed();
        assert_eq!(
            left.sequence,
            signed.sequence + if signed.replay { 2 } else { 1 }
        );
    }
}

#[test]
fn what_stops_uses_the_reserve_or_ends_the_process_unacknowledged() {
    for asked in [
        Asked::Kill(Origin::Gateway),
        Asked::Lock,
        Asked::Pause(None, Origin::Gateway),
    ] {
        let mut world = World::new(1, false);
        fail(&world, Fault::Refused);
        let answer = world.one(asked.clone());
        assert!(
            matches!(answer, Answer::Sequence(_) | Answer::Done),
            "{answer:?}"
        );

        let mut world = World::new(1, false);
        fail(&world, Fault::Refused);
        fail(&world, Fault::Refused);
        assert!(matches!(world.one(asked), Answer::Lost));
        assert!(matches!(world.fatal, Some(Fatal::Undurable)));
        assert!(world.signer.is_none(), "keys are gone with the process");
    }
}

#[test]
fn a_kill_while_locked_is_durable_or_not_acknowledged() {
    for (faults, acknowledged) in [
        (vec![Fault::Refused], true),
        (vec![Fault::Refused, Fault::Refused], false),
        (vec![Fault::UnknownLost], false),
        (vec![Fault::UnknownWritten], false),
    ] {
        let mut world = World::new(1, false);
        world.one(Asked::Lock);
        for fault in &faults {
            fail(&world, *fault);
        }
        let answer = world.one(Asked::Kill(Origin::Gateway));
        assert_eq!(
            matches!(answer, Answer::Sequence(_)),
            acknowledged,
            "{faults:?}"
        );
        restart(&mut world);
        unlock(&mut world);
        let killed = world.status().kill == "ACTIVATED";
        assert_eq!(
            killed,
            acknowledged || faults == [Fault::UnknownWritten],
            "{faults:?}"
        );
    }
}

/// An index that cannot be read is not an unused key.
#[test]
fn an_unreadable_index_ends_the_process_and_signs_nothing_twice() {
    let mut world = World::new(1, false);
    let asked = payment(&mut world, "a", 5);
    let first = world.one(asked.clone()).signed();
    for asked in [asked.clone(), Asked::Resend(first.transaction)] {
        world.disk.0.borrow_mut().set_unreadable(true);
        assert!(matches!(world.one(asked), Answer::Lost));
        assert!(matches!(
            world.fatal,
            Some(Fatal::Ledger(LedgerError::Unreadable(_)))
        ));
        world.open().expect("it starts");
        unlock(&mut world);
    }
    assert_eq!(world.one(asked).signed().raw, first.raw);
}

#[test]
fn an_unlock_that_cannot_be_written_is_no_unlock_and_credits_nothing() {
    let mut world = World::new(1, false);
    for key in ["a", "b"] {
        pay(&mut world, key, 400_000 - FEE).signed();
    }
    pay(&mut world, "c", 200_000 - FEE).signed();
    world.crash();
    world.machine.borrow_mut().gone(3 * HOUR, true);
    world.open().expect("it starts");
    fail(&world, Fault::Refused);
    refused(&world.one(Asked::Unlock(true, true)), Code::StorageFull);
    assert!(!world.status().unlocked);
    refused(&pay(&mut world, "d", 1), Code::Locked);
    // The owner who now does not vouch gets no credit from the attempt before.
    unlock(&mut world);
    refused(&pay(&mut world, "d", 1), Code::HourLimit);
    world.one(Asked::Lock);
    assert!(matches!(world.one(Asked::Unlock(true, true)), Answer::Done));
    pay(&mut world, "d", 1).signed();
}

#[test]
fn a_caller_that_went_away_changes_nothing_for_the_next() {
    let mut world = World::new(1, false);
    let asked = vec![payment(&mut world, "a", 5), payment(&mut world, "b", 6)];
    let answers = world.deliver(asked.clone(), Some(0));
    assert!(matches!(answers[0], Answer::Lost));
    assert!(matches!(answers[1], Answer::Signed(_)));
    let again = world.one(asked[0].clone()).signed();
    assert!(again.replay);
    world.pass(Passing::Running(1));
    assert_eq!(world.one(asked[0].clone()).signed().raw, again.raw);
}

/// A statement that is not in the log moved nothing: neither the bound, by which it would have expired itself, nor
/// the word that closes signing.
#[test]
fn invariant_11_a_stated_time_that_cannot_be_written_moves_no_clock() {
    let mut world = World::new(1, false);
    set_back(&mut world);
    let before = bound(&world);
    let wall = before.after(Millis::from_hours(20 * 24));
    let facts = StatementFacts::StateTime { wall };
    let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
    world.remember(statement, facts, false);
    let signatures = vec![world.signature(&text)];
    let stated = Asked::Submit(statement, signatures, Origin::Admin, None);
    fail(&world, Fault::Refused);
    refused(&world.one(stated.clone()), Code::StorageFull);
    assert_eq!(bound(&world), before);
    refused(&pay(&mut world, "a", 1), Code::ClockClosed);
    assert!(matches!(world.one(stated), Answer::Sequence(_)));
    assert!(bound(&world) >= wall);
}
