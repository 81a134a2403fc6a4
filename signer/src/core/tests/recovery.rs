//! Recovery, guardians, and the end: invariants 16 and 17.

use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::owner_change::{OwnerChange, Standing};
use waiaas_shared::statement::{GuardianStop, StatementFacts};
use waiaas_shared::time::{Millis, WallTime};

use super::intent::{delayed, world as waiting};
use super::people::{Hand, account, main_network, two_owners};
use super::world::{STRANGER, World, policy};
use crate::core::command::{Command, Outcome, Recovery, Submission, UnlockFacts};
use crate::core::state::KillPhase;

const PAUSE: Command = Command::Pause {
    wallet: None,
    origin: Origin::Gateway,
};
const RELEASE: StatementFacts = StatementFacts::ReleasePause { wallet: None };

#[test]
fn invariant_17_a_recovery_waits_72_hours_and_makes_the_new_key_the_only_owner() {
    let (mut world, [one, two]) = two_owners();
    main_network(&mut world);
    let session = world.grant_as(&[&one, &two]).expect("a session");
    world.adopt_as(&policy(2), &[&one, &two]).expect("adopted");
    world.pass(Millis::from_hours(10));
    let mut new = Hand::new(7);
    let change = world.recover(&mut new, &[]).expect("phrase and password");
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world
        .say_as(enrol, &[&one, &two], true)
        .expect("asked after the recovery");
    // The document of before is unmatured at the end of the wait.
    world.pass(Millis::from_hours(71));
    world.adopt_as(&policy(3), &[&one, &two]).expect("adopted");
    world.pays(session).expect("until then all is as before");
    let early = world.say_as(RELEASE, &[&new], false);
    assert_eq!(early.map(drop), Err(vec![Code::NotPaused]));
    world.pass(Millis::from_hours(1));
    // The first command of any kind brings it into effect.
    assert_eq!(world.pays(session), Err(vec![Code::SessionRevoked]));
    assert!(
        world
            .events
            .contains(&EventBody::OwnerChangeEffective { change })
    );
    assert!(world.state.frozen(), "the new owner resumes when ready");
    for owner in [one.id, two.id] {
        assert_eq!(world.standing(owner), Standing::Replaced);
    }
    assert_eq!(world.state.owner_changes(), 0, "what waited is void");
    for (facts, hands) in [(RELEASE, [&one, &two]), (RELEASE, [&two, &new])] {
        let old = world.say_as(facts, &hands, true);
        assert_eq!(old.map(drop), Err(vec![Code::OwnerSuspended]));
    }
    // A stolen key does not undo the recovery: it neither suspends nor cancels any more.
    let suspend = StatementFacts::SuspendOwner { owner: new.id };
    let stolen = world.say_as(suspend, &[&one], false);
    assert_eq!(stolen.map(drop), Err(vec![Code::OwnerSuspended]));
    world
        .say_as(RELEASE, &[&new], false)
        .expect("one is enough");
    world
        .say_as(
            StatementFacts::LiftSuspension { owner: two.id },
            &[&new],
            true,
        )
        .expect("with the password");
    assert_eq!(world.standing(two.id), Standing::Active);
}

/// Its sessions are over: what waits under them could never be released, and takes no place from others.
#[test]
fn invariant_17_a_recovery_ends_what_waits() {
    let mut world = waiting();
    let mut new = Hand::new(7);
    world.recover(&mut new, &[]).expect("begun");
    world.pass(Millis::from_hours(71));
    let waits = delayed(&mut world, "waits");
    world.pass(Millis::from_hours(1));
    assert_eq!(world.heartbeat().waiting, 1);
    world.run(&PAUSE).expect("paused");
    assert_eq!(world.standing(new.id), Standing::Active);
    assert_eq!(world.heartbeat().waiting, 0);
    assert!(world.events.contains(&EventBody::IntentsEnded {
        transactions: vec![waits],
        cause: IntentEnd::SessionEnded,
    }));
}

#[test]
fn invariant_17_a_recovery_begins_on_admin_with_the_new_keys_rehearsal() {
    let (mut world, [one, _]) = two_owners();
    let new = Hand::new(7);
    let facts = StatementFacts::RecoverOwners {
        key: new.owner_key(),
    };
    assert_eq!(
        world.draft(facts.clone(), Origin::Gateway).map(drop),
        Err(vec![Code::AdminOnly])
    );
    // As a statement of owners it is nothing: it takes phrase and password.
    let plain = world.say_as(facts.clone(), &[&one], true);
    assert_eq!(plain.map(drop), Err(vec![Code::QuorumMissing]));
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let begin =
        |world: &mut World, recovery: Recovery| world.run(&Command::Recover(recovery)).map(drop);
    let sound = Recovery {
        rehearsal: new.rehearsal(statement, &text),
        guardians: vec![],
    };
    let mut other_key = sound.clone();
    other_key.rehearsal.signature = one.rehearsal(statement, &text).signature;
    assert_eq!(
        begin(&mut world, other_key),
        Err(vec![Code::StatementSignature])
    );
    // An owner is no guardian, and a false witness refuses the whole.
    let mut witnessed = sound.clone();
    witnessed.guardians = vec![one.signature(&text)];
    assert_eq!(
        begin(&mut world, witnessed),
        Err(vec![Code::GuardianUnknown])
    );
    begin(&mut world, sound.clone()).expect("begun");
    assert_eq!(begin(&mut world, sound), Err(vec![Code::StatementUnknown]));
    let second = StatementFacts::RecoverOwners {
        key: Hand::new(8).owner_key(),
    };
    assert_eq!(
        world.draft(second, Origin::Admin).map(drop),
        Err(vec![Code::RecoveryPending])
    );
    let known = StatementFacts::AddOwner {
        key: new.owner_key(),
    };
    assert_eq!(
        world.draft(known, Origin::Admin).map(drop),
        Err(vec![Code::OwnerKnown])
    );
}

#[test]
fn invariant_17_an_unsuspended_key_or_a_guardian_cancels_a_recovery() {
    let (mut world, [one, two]) = two_owners();
    let guardian = world.add_guardian(5, &[&one, &two]);
    let mut new = Hand::new(7);
    let change = world.recover(&mut new, &[&guardian]).expect("begun");
    let Some(EventBody::OwnerChangeScheduled {
        change: OwnerChange::Recover { guardians, .. },
        ..
    }) = world.events.last()
    else {
        panic!("{:?}", world.events.last())
    };
    assert_eq!(guardians.as_slice(), [guardian.id], "shown");
    world
        .say_as(
            StatementFacts::SuspendOwner { owner: two.id },
            &[&one],
            false,
        )
        .expect("suspended");
    let cancel = StatementFacts::CancelOwnerChange { change };
    let suspended = world.say_as(cancel.clone(), &[&two], false);
    assert_eq!(suspended.map(drop), Err(vec![Code::OwnerSuspended]));
    world.say_as(cancel, &[&one], false).expect("cancelled");
    world.pass(Millis::from_hours(100));
    world.run(&PAUSE).expect("paused");
    assert_eq!(world.standing(one.id), Standing::Active);

    // Nobody is left but a guardian.
    let change = world.recover(&mut new, &[]).expect("begun");
    world
        .run(&Command::SuspendOwner { owner: one.id })
        .expect("suspended");
    assert_eq!(
        world.state.owner_changes(),
        1,
        "a recovery goes with no key"
    );
    let stop = StatementFacts::GuardianStop {
        stop: GuardianStop::CancelChange { change },
    };
    world.say_as(stop, &[&guardian], false).expect("cancelled");
    assert_eq!(world.state.owner_changes(), 0);
    // Nobody stops the next one.
    world.recover(&mut new, &[]).expect("begun");
    world.pass(Millis::from_hours(72));
    world.run(&PAUSE).expect("paused");
    assert_eq!(world.standing(new.id), Standing::Active);
}

#[test]
fn invariant_17_a_kill_keeps_no_recovery_out() {
    let (mut world, _) = two_owners();
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    let mut new = Hand::new(7);
    world.recover(&mut new, &[]).expect("begun while killed");
    world.pass(Millis::from_hours(30));
    let release = |epoch| StatementFacts::ReleaseKill {
        epoch,
        sessions: vec![],
    };
    world.pass(Millis::from_hours(42));
    world
        .say_as(release(1), &[&new], true)
        .expect("the new owner releases");
    assert_eq!(world.state.kill().phase, KillPhase::Recovering);
}

#[test]
fn invariant_17_guardians_stop_and_do_nothing_else() {
    let mut world = World::new();
    let one = Hand::first(&world);
    let guardian = world.add_guardian(5, &[&one]);
    let stop = |stop| StatementFacts::GuardianStop { stop };
    world
        .say_as(stop(GuardianStop::PauseAll), &[&guardian], false)
        .expect("paused");
    assert!(world.state.frozen());
    // A stop of a guardian voids what was released before it, as every stop does.
    let (kept, text) = world.draft(RELEASE, Origin::Gateway).expect("a draft");
    let kept = Submission {
        statement: kept,
        signatures: vec![one.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    world
        .say_as(stop(GuardianStop::PauseAll), &[&guardian], false)
        .expect("once more");
    assert_eq!(
        world.run(&Command::Submit(kept)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    // Its signature is no owner's, whatever it signs; and an owner's is no guardian's.
    let grant = StatementFacts::GrantSession {
        grant: world.a_grant(super::world::key_bound()),
    };
    for facts in [
        RELEASE,
        grant,
        StatementFacts::AdoptPolicy {
            document: policy(2).to_bytes(),
        },
        StatementFacts::SuspendOwner { owner: one.id },
        StatementFacts::SetQuorum { quorum: 1 },
        StatementFacts::EnrolWithdrawal {
            account: account(STRANGER),
        },
        StatementFacts::RemoveGuardian {
            guardian: guardian.id,
        },
        StatementFacts::Retire,
    ] {
        let alone = world.say_as(facts.clone(), &[&guardian], true);
        assert_eq!(alone.map(drop), Err(vec![Code::OwnerUnknown]), "{facts:?}");
    }
    let owner = world.say_as(stop(GuardianStop::PauseAll), &[&one], true);
    assert_eq!(owner.map(drop), Err(vec![Code::GuardianUnknown]));
    let nobody = world.say_as(stop(GuardianStop::PauseAll), &[], true);
    assert_eq!(nobody.map(drop), Err(vec![Code::QuorumMissing]));

    assert!(matches!(
        world.say_as(stop(GuardianStop::Kill), &[&guardian], false),
        Ok(Outcome::WipeKeys)
    ));
    assert_eq!(world.state.kill().phase, KillPhase::Activated);
    assert!(world.events.iter().any(|body| matches!(
        body,
        EventBody::GuardianStopped { guardians, .. } if guardians.as_slice() == [guardian.id]
    )));
}

#[test]
fn invariant_17_guardians_come_and_go_as_owners_do() {
    let mut world = World::new();
    let one = Hand::first(&world);
    let mut guardian = Hand::new(5);
    let add = StatementFacts::AddGuardian {
        key: guardian.owner_key(),
    };
    guardian.id = world.register(add, &[&one], &guardian).expect("asked");
    let stop = StatementFacts::GuardianStop {
        stop: GuardianStop::PauseAll,
    };
    assert_eq!(
        world.draft(stop.clone(), Origin::Admin).map(drop),
        Err(vec![Code::GuardianUnknown])
    );
    world.pass(Millis::from_hours(72));
    world
        .say_as(stop.clone(), &[&guardian], false)
        .expect("a guardian now");
    let remove = StatementFacts::RemoveGuardian {
        guardian: guardian.id,
    };
    let without = world.say_as(remove.clone(), &[&one], false);
    assert_eq!(without.map(drop), Err(vec![Code::AdminOnly]));
    world.say_as(remove, &[&one], true).expect("asked");
    world.pass(Millis::from_hours(72));
    let gone = world.say_as(stop, &[&guardian], false);
    assert_eq!(gone.map(drop), Err(vec![Code::GuardianUnknown]));
}

#[test]
fn invariant_17_a_retired_signer_does_nothing_for_ever() {
    let (mut world, [one, two]) = two_owners();
    let session = world.bearer;
    let without = world.say_as(StatementFacts::Retire, &[&one, &two], false);
    assert_eq!(without.map(drop), Err(vec![Code::AdminOnly]));
    let facts = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world
        .say_as(facts.clone(), &[&one, &two], true)
        .expect("asked");
    assert!(matches!(
        world.say_as(StatementFacts::Retire, &[&one, &two], true),
        Ok(Outcome::WipeKeys)
    ));
    assert!(world.state.retired());
    assert!(matches!(
        world.events.last(),
        Some(EventBody::Retired { .. })
    ));
    let events = world.events.len();
    world.pass(Millis::from_hours(100));
    let request = world.request(session, "a", 1000, super::world::RECIPIENT);
    let unlock = UnlockFacts {
        journal: Digest::from_bytes([3; 32]),
        vouched: Millis::default(),
        failures: 0,
        journal_lost: true,
        missed: None,
    };
    for command in [
        Command::Spend(request),
        Command::Unlocked(unlock),
        Command::Lock(Origin::Admin),
        Command::Kill(Origin::Admin),
        PAUSE,
        Command::RevokeSession {
            session,
            origin: Origin::Admin,
        },
        Command::ClockStepped {
            seen: WallTime::from_millis(1),
        },
        Command::Draft {
            facts,
            origin: Origin::Admin,
        },
        Command::SuspendOwner { owner: one.id },
        Command::CountDenials(vec![(None, Code::Locked, 1)]),
    ] {
        assert_eq!(
            world.run(&command).map(drop),
            Err(vec![Code::Retired]),
            "{command:?}"
        );
    }
    assert_eq!(world.events.len(), events, "the log has ended");
}

/// What a suspension would have taken goes with a removed key, whether or not it was suspended first.
#[test]
fn invariant_17_a_removed_owner_takes_along_what_the_key_signed() {
    let (mut world, [one, two]) = two_owners();
    main_network(&mut world);
    let theirs = world.grant_as(&[&one, &two]).expect("a session");
    let remove = StatementFacts::SetQuorum { quorum: 1 };
    world.say_as(remove, &[&one, &two], true).expect("asked");
    world.pass(Millis::from_hours(72));
    let own = world.grant_as(&[&one]).expect("a session");
    let remove = StatementFacts::RemoveOwner { owner: two.id };
    world.say_as(remove, &[&one], true).expect("asked");
    world.pass(Millis::from_hours(71));
    world.adopt_as(&policy(2), &[&two]).expect("adopted");
    world.pays(theirs).expect("still paying");
    world.pass(Millis::from_hours(1));
    assert_eq!(world.pays(theirs), Err(vec![Code::SessionRevoked]));
    world.pays(own).expect("what the other signed stays");
    // Their document never matures: the one before it binds on.
    world.pass(Millis::from_hours(200));
    assert_eq!(world.state.binding_documents(world.clocks).len(), 2);
}

/// Who cancels another change, which a suspended key may, takes nobody's recovery away; who cancels a recovery takes
/// every text of one with it.
#[test]
fn invariant_17_only_a_cancelled_recovery_voids_the_texts_of_recoveries() {
    let (mut world, [one, two]) = two_owners();
    let recover = |seed| StatementFacts::RecoverOwners {
        key: Hand::new(seed).owner_key(),
    };
    let quorum = StatementFacts::SetQuorum { quorum: 1 };
    let (text, _) = world.draft(recover(7), Origin::Admin).expect("a text");
    let change = match world.say_as(quorum.clone(), &[&one, &two], true) {
        Ok(_) => world.state.owner_views(world.clocks)[0].pending[0].statement,
        other => panic!("{other:?}"),
    };
    let (again, _) = world.draft(quorum, Origin::Admin).expect("a text");
    let cancel = StatementFacts::CancelOwnerChange { change };
    world.say_as(cancel, &[&one], false).expect("cancelled");
    assert!(world.state.statements.contains_key(&text));
    assert!(!world.state.statements.contains_key(&again));
    let mut new = Hand::new(8);
    let change = world.recover(&mut new, &[]).expect("begun");
    let cancel = StatementFacts::CancelOwnerChange { change };
    world.say_as(cancel, &[&one], false).expect("cancelled");
    assert!(!world.state.statements.contains_key(&text));
}
