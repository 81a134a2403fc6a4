//! Who may sign for the owner: quorum, changes that wait, suspension (invariants 14 and 17).

use ed25519_dalek::Signer as _;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::owner_change::{OwnerChange, Standing};
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};
use waiaas_shared::statement::{GuardianStop, StatementFacts};
use waiaas_shared::time::Millis;

use super::people::{Hand, account, main_network, three_owners, two_owners};
use super::world::{EVM, RECIPIENT, STRANGER, World, policy};
use crate::core::command::{Command, Outcome, Submission, UnlockFacts};

const PAUSE: Command = Command::Pause {
    wallet: None,
    origin: Origin::Gateway,
};
const RELEASE: StatementFacts = StatementFacts::ReleasePause { wallet: None };

fn attest(world: &World) -> StatementFacts {
    StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next: 90,
        from: None,
    }
}

#[test]
fn invariant_14_a_quorum_counts_distinct_registered_keys() {
    let (mut world, [one, two]) = two_owners();
    world.run(&PAUSE).expect("paused");
    let (statement, text) = world.draft(RELEASE, Origin::Admin).expect("a draft");
    let mut submit = |signatures: Vec<OwnerSignature>| {
        let submission = Submission {
            statement,
            signatures,
            origin: Origin::Admin,
            with_password: true,
        };
        world.run(&Command::Submit(submission)).map(drop)
    };
    // The same key again, in another envelope: two signatures, one owner.
    let other_form = {
        let envelope = Envelope::Ed25519OffchainV1;
        let bytes = payload(&text, envelope, &one.owner_key()).expect("a statement");
        OwnerSignature {
            owner: one.id,
            envelope,
            signature: one.key.sign(&bytes).to_bytes().to_vec(),
        }
    };
    let mine = one.signature(&text);
    for signatures in [
        vec![],
        vec![mine.clone()],
        vec![mine.clone(), mine.clone()],
        vec![mine.clone(), other_form],
    ] {
        assert_eq!(submit(signatures), Err(vec![Code::QuorumMissing]));
    }
    // My signature under the other's name, and somebody's who is no owner.
    let mut borrowed = mine.clone();
    borrowed.owner = two.id;
    assert_eq!(
        submit(vec![mine.clone(), borrowed]),
        Err(vec![Code::StatementSignature])
    );
    let stranger = Hand::new(99);
    assert_eq!(
        submit(vec![mine.clone(), stranger.signature(&text)]),
        Err(vec![Code::OwnerUnknown])
    );
    submit(vec![mine, two.signature(&text)]).expect("both");
}

#[test]
fn invariant_14_every_kind_of_the_owners_takes_the_quorum() {
    let (mut world, [one, _]) = two_owners();
    world.run(&PAUSE).expect("paused");
    let grant = StatementFacts::GrantSession {
        grant: world.a_grant(super::world::key_bound()),
    };
    for facts in [
        RELEASE,
        grant,
        StatementFacts::AdoptPolicy {
            document: policy(2).to_bytes(),
        },
        StatementFacts::EnrolWithdrawal {
            account: account(STRANGER),
        },
        StatementFacts::SetQuorum { quorum: 1 },
        StatementFacts::Retire,
    ] {
        let alone = world.say_as(facts.clone(), &[&one], true);
        assert_eq!(alone.map(drop), Err(vec![Code::QuorumMissing]), "{facts:?}");
    }
    let new = Hand::new(7);
    for facts in [
        StatementFacts::AddOwner {
            key: new.owner_key(),
        },
        StatementFacts::AddGuardian {
            key: new.owner_key(),
        },
    ] {
        let alone = world.register(facts, &[&one], &new);
        assert_eq!(alone, Err(vec![Code::QuorumMissing]));
    }
}

#[test]
fn invariant_17_a_new_owner_takes_rehearsal_quorum_password_and_72_hours() {
    let mut world = World::new();
    let (one, mut new) = (Hand::first(&world), Hand::new(7));
    let facts = StatementFacts::AddOwner {
        key: new.owner_key(),
    };
    // Without the password, over the gateway's socket, without the key's own signature, or with
    // another key's.
    let refused = |world: &mut World, change: &dyn Fn(&mut Submission)| {
        let (mut submission, rehearsal) = world.key_submission(facts.clone(), &[&one], &new);
        change(&mut submission);
        let command = Command::Register {
            submission,
            rehearsal,
        };
        world.run(&command).map(drop)
    };
    assert_eq!(
        refused(&mut world, &|submission| submission.with_password = false),
        Err(vec![Code::AdminOnly])
    );
    assert_eq!(
        refused(&mut world, &|submission| submission.origin =
            Origin::Gateway),
        Err(vec![Code::AdminOnly])
    );
    let plain = world.say_as(facts.clone(), &[&one], true);
    assert_eq!(plain.map(drop), Err(vec![Code::StatementMismatch]));
    let (submission, mut rehearsal) = world.key_submission(facts.clone(), &[&one], &new);
    rehearsal.signature = submission.signatures[0].signature.clone();
    let command = Command::Register {
        submission,
        rehearsal,
    };
    assert_eq!(
        world.run(&command).map(drop),
        Err(vec![Code::StatementSignature])
    );

    new.id = world.register(facts.clone(), &[&one], &new).expect("asked");
    assert!(matches!(
        world.events.last(),
        Some(EventBody::OwnerChangeScheduled {
            change: OwnerChange::AddOwner(_),
            ..
        })
    ));
    // Twice the same key would count twice.
    assert_eq!(
        world.draft(facts, Origin::Admin).map(drop),
        Err(vec![Code::OwnerKnown])
    );
    // Time that only budgets and expiries see brings nobody closer.
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(100));
    world.clocks.budget = world.clocks.budget.after(Millis::from_hours(100));
    world.run(&PAUSE).expect("paused");
    world.clocks.run = world.clocks.run.after(Millis::from_secs(72 * 3600 - 1));
    assert_eq!(
        world.say_as(RELEASE, &[&new], false).map(drop),
        Err(vec![Code::OwnerUnknown])
    );
    world.pass(Millis::from_secs(1));
    world
        .say_as(RELEASE, &[&new], false)
        .expect("an owner from now on");
}

#[test]
fn invariant_17_removal_and_quorum_wait_72_hours() {
    let (mut world, [one, two]) = two_owners();
    let password_only = world.say_as(
        StatementFacts::SetQuorum { quorum: 1 },
        &[&one, &two],
        false,
    );
    assert_eq!(password_only.map(drop), Err(vec![Code::AdminOnly]));
    world
        .say_as(StatementFacts::SetQuorum { quorum: 1 }, &[&one, &two], true)
        .expect("asked");
    world.run(&PAUSE).expect("paused");
    let early = world.say_as(RELEASE, &[&one], false);
    assert_eq!(early.map(drop), Err(vec![Code::QuorumMissing]));
    let remove = StatementFacts::RemoveOwner { owner: two.id };
    world
        .say_as(remove, &[&one, &two], true)
        .expect("as the quorum is one by then");
    world.pass(Millis::from_hours(72));
    world.run(&PAUSE).expect("paused");
    let gone = world.say_as(RELEASE, &[&two], false);
    assert_eq!(gone.map(drop), Err(vec![Code::OwnerUnknown]));
    world
        .say_as(RELEASE, &[&one], false)
        .expect("one is enough");
}

#[test]
fn invariant_17_the_quorum_stays_in_reach() {
    let (mut world, [one, two]) = two_owners();
    // Removing never lowers the quorum.
    let remove = StatementFacts::RemoveOwner { owner: two.id };
    for (facts, code) in [
        (remove, Code::QuorumRange),
        (StatementFacts::SetQuorum { quorum: 3 }, Code::QuorumRange),
        (StatementFacts::SetQuorum { quorum: 0 }, Code::QuorumRange),
        (
            StatementFacts::SetQuorum { quorum: u32::MAX },
            Code::QuorumRange,
        ),
    ] {
        let asked = world.draft(facts.clone(), Origin::Admin).map(drop);
        assert_eq!(asked, Err(vec![code]), "{facts:?}");
    }
    // A third owner is announced, and a quorum of three with him; without him it fits no more.
    let third = Hand::new(8);
    let add = StatementFacts::AddOwner {
        key: third.owner_key(),
    };
    world.register(add, &[&one, &two], &third).expect("asked");
    let added = world.last_scheduled();
    world
        .say_as(StatementFacts::SetQuorum { quorum: 3 }, &[&one, &two], true)
        .expect("fits what is expected");
    let raised = world.last_scheduled();
    world
        .say_as(
            StatementFacts::CancelOwnerChange { change: added },
            &[&one],
            false,
        )
        .expect("cancelled");
    world.pass(Millis::from_hours(72));
    world.run(&PAUSE).expect("paused");
    assert!(world.events.contains(&EventBody::OwnerChangeVoided {
        change: raised,
        code: Code::QuorumRange
    }));
    world
        .say_as(RELEASE, &[&one, &two], false)
        .expect("two are enough as before");
}

#[test]
fn invariant_17_changes_are_shown_and_any_owner_cancels_them() {
    let (mut world, [one, two]) = two_owners();
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world
        .say_as(enrol.clone(), &[&one, &two], true)
        .expect("asked");
    let change = world.last_scheduled();
    // A second one, signed by both and kept back, must not outlive the cancellation.
    let (kept, text) = world
        .draft(
            StatementFacts::EnrolWithdrawal {
                account: account(RECIPIENT),
            },
            Origin::Gateway,
        )
        .expect("a draft");
    let kept = Submission {
        statement: kept,
        signatures: vec![one.signature(&text), two.signature(&text)],
        origin: Origin::Admin,
        with_password: true,
    };
    for view in world.state.owner_views(world.clocks) {
        assert_eq!(view.pending.len(), 1);
        assert_eq!(view.pending[0].statement, change);
        assert_eq!(
            view.pending[0].effective.since(view.now).millis(),
            72 * 3_600_000
        );
        assert_eq!(view.pending[0].signers.len(), 2);
        assert_eq!(view.quorum, 2);
    }
    assert_eq!(world.state.owner_changes(), 1);
    // One owner is enough, over either socket, without the password.
    let cancel = StatementFacts::CancelOwnerChange { change };
    let (statement, text) = world
        .draft(cancel.clone(), Origin::Gateway)
        .expect("a draft");
    let submission = Submission {
        statement,
        signatures: vec![two.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    world.run(&Command::Submit(submission)).expect("cancelled");
    assert_eq!(
        world.run(&Command::Submit(kept)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    assert_eq!(
        world.draft(cancel, Origin::Admin).map(drop),
        Err(vec![Code::OwnerChangeUnknown])
    );
    world.pass(Millis::from_hours(100));
    assert_eq!(
        world.withdraw_as(STRANGER, 1, &[&one, &two]).map(drop),
        Err(vec![Code::WithdrawalAddress])
    );
    // Nothing of it stands in the way of asking again.
    world
        .say_as(enrol, &[&one, &two], true)
        .expect("asked again");
    world.pass(Millis::from_hours(72));
    world
        .withdraw_as(STRANGER, 1, &[&one, &two])
        .expect("after 72 hours");
}

#[test]
fn invariant_17_a_change_that_took_effect_is_cancelled_no_more() {
    let mut world = World::new();
    let one = Hand::first(&world);
    let facts = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world.say_as(facts, &[&one], true).expect("asked");
    let change = world.last_scheduled();
    world.pass(Millis::from_secs(72 * 3600 - 10));
    let cancel = StatementFacts::CancelOwnerChange { change };
    let (statement, text) = world.draft(cancel, Origin::Admin).expect("a draft");
    world.pass(Millis::from_secs(10));
    let late = Submission {
        statement,
        signatures: vec![one.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    };
    assert_eq!(
        world.run(&Command::Submit(late)).map(drop),
        Err(vec![Code::OwnerChangeUnknown])
    );
    assert!(
        world
            .events
            .contains(&EventBody::OwnerChangeEffective { change })
    );
}

#[test]
fn invariant_17_a_kill_voids_what_waits() {
    let mut world = World::new();
    let one = Hand::first(&world);
    let facts = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world.say_as(facts, &[&one], true).expect("asked");
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    assert_eq!(world.state.owner_changes(), 0);
    world.pass(Millis::from_hours(100));
    assert_eq!(
        world.withdraw(STRANGER, 1).map(drop),
        Err(vec![Code::WithdrawalAddress])
    );
}

/// Thrown while the signer was locked, where no change can take effect: what waited then takes effect at no
/// unlock, although its time has come meanwhile.
#[test]
fn invariant_17_a_kill_thrown_while_locked_voids_what_waited_then() {
    for killed in [true, false] {
        let mut world = World::new();
        let one = Hand::first(&world);
        let facts = StatementFacts::EnrolWithdrawal {
            account: account(STRANGER),
        };
        world.say_as(facts, &[&one], true).expect("asked");
        world.run(&Command::Lock(Origin::Admin)).expect("locked");
        world.pass(Millis::from_hours(72));
        // The unlock, and what the locked journal has.
        let unlock = UnlockFacts {
            journal: Digest::from_bytes([3; 32]),
            vouched: Millis::default(),
            failures: 0,
            journal_lost: false,
            missed: None,
        };
        world.run(&Command::Unlocked(unlock)).expect("unlocked");
        if killed {
            world.run(&Command::Kill(Origin::Gateway)).expect("killed");
            let epoch = 1;
            let sessions = Vec::new();
            let release = StatementFacts::ReleaseKill { epoch, sessions };
            world.say_as(release, &[&one], true).expect("released");
        }
        let paid = world.withdraw(STRANGER, 1).map(drop);
        let void = Err(vec![Code::WithdrawalAddress]);
        assert_eq!(paid, if killed { void } else { Ok(()) });
        assert_eq!(world.state.owner_changes(), 0);
    }
}

#[test]
fn invariant_17_few_changes_wait_at_once() {
    let mut world = World::new();
    let one = Hand::first(&world);
    for number in 0..16 {
        let address = Account::Evm(EvmAddress::from_bytes([number; 20]));
        let account = AccountId::new(EVM, address).expect("an account");
        let facts = StatementFacts::EnrolWithdrawal { account };
        world
            .say_as(facts, &[&one], true)
            .expect("within the bound");
    }
    let more = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    assert_eq!(
        world.draft(more, Origin::Admin).map(drop),
        Err(vec![Code::OwnerChangeTooMany])
    );
    let recover = StatementFacts::RecoverOwners {
        key: Hand::new(7).owner_key(),
    };
    world
        .draft(recover, Origin::Admin)
        .expect("a recovery finds room");
}

#[test]
fn invariant_17_a_suspension_is_immediate_and_takes_with_it_what_the_key_signed() {
    let (mut world, [one, two, three]) = three_owners();
    main_network(&mut world);
    world.adopt_as(&policy(2), &[&one, &two]).expect("adopted");
    world.pass(Millis::from_hours(24));
    let granted = world.grant_as(&[&one, &two]).expect("a session");
    let by_others = world.grant_as(&[&one, &three]).expect("a session");
    // A document that loosens, and a change: signed by two, and waiting.
    let mut loose = policy(3);
    for rule in &mut loose.assets {
        let unit = waiaas_shared::amount::Amount::from_base_units;
        rule.per_transaction = unit(900_000);
        (rule.notify_up_to, rule.delay_up_to, rule.approve_up_to) =
            (unit(900_000), unit(900_000), unit(900_000));
    }
    world.adopt_as(&loose, &[&one, &two]).expect("adopted");
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world.say_as(enrol, &[&one, &two], true).expect("asked");
    let (kept, text) = world.draft(attest(&world), Origin::Admin).expect("a draft");
    let kept = Submission {
        statement: kept,
        signatures: vec![one.signature(&text), two.signature(&text)],
        origin: Origin::Admin,
        with_password: true,
    };

    // One other owner, over the gateway's socket, without the password.
    let suspend = StatementFacts::SuspendOwner { owner: two.id };
    let (statement, text) = world.draft(suspend, Origin::Gateway).expect("a draft");
    let submission = Submission {
        statement,
        signatures: vec![three.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    world.run(&Command::Submit(submission)).expect("suspended");

    let Some(EventBody::OwnerSuspended {
        policies,
        sessions,
        changes,
        ..
    }) = world.events.last()
    else {
        panic!("{:?}", world.events.last())
    };
    assert_eq!((policies.as_slice(), changes.len()), (&[3][..], 1));
    // The sessions of the start were granted by the first owner alone.
    assert_eq!(sessions.as_slice(), [granted]);
    assert_eq!(world.pays(granted), Err(vec![Code::SessionRevoked]));
    world.pays(by_others).expect("granted by the others");
    assert_eq!(world.state.owner_changes(), 0);
    assert_eq!(
        world.run(&Command::Submit(kept.clone())).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    // It signs nothing that loosens, and the quorum is two as before.
    world.run(&PAUSE).expect("paused");
    let both = world.say_as(RELEASE, &[&one, &two], true);
    assert_eq!(both.map(drop), Err(vec![Code::OwnerSuspended]));
    let alone = world.say_as(RELEASE, &[&one], true);
    assert_eq!(alone.map(drop), Err(vec![Code::QuorumMissing]));
    world
        .say_as(RELEASE, &[&one, &three], true)
        .expect("the other two");
    // The document never matures.
    world.pass(Millis::from_hours(100));
    let mut request = world.request(by_others, "big", 600_000, RECIPIENT);
    request.session = by_others;
    let codes = world
        .run(&Command::Spend(request))
        .map(drop)
        .expect_err("looser never comes");
    assert!(codes.contains(&Code::PerTransactionLimit), "{codes:?}");
    // Its epoch was given: the next document has the one after it, and is told apart from the sound one.
    world
        .adopt_as(&policy(4), &[&one, &three])
        .expect("the next one");

    // Lifted: what was signed before stays void.
    world
        .say_as(
            StatementFacts::LiftSuspension { owner: two.id },
            &[&one],
            true,
        )
        .expect("lifted");
    assert_eq!(world.pays(granted), Err(vec![Code::SessionRevoked]));
    assert_eq!(
        world.run(&Command::Submit(kept)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    world.run(&PAUSE).expect("paused");
    world
        .say_as(RELEASE, &[&one, &two], true)
        .expect("may sign again");
}

#[test]
fn invariant_17_a_suspension_loosens_nothing() {
    let (mut world, [one, two, three]) = three_owners();
    main_network(&mut world);
    let session = world.grant_as(&[&one, &three]).expect("a session");
    let mut tight = policy(2);
    for rule in &mut tight.assets {
        let unit = waiaas_shared::amount::Amount::from_base_units;
        (rule.per_transaction, rule.notify_up_to, rule.instant_up_to) =
            (unit(10), unit(10), unit(10));
        (rule.delay_up_to, rule.approve_up_to) = (unit(10), unit(10));
    }
    world.adopt_as(&tight, &[&one, &two]).expect("tighter");
    assert!(world.pays(session).is_err(), "tighter at once");
    // One stolen key must not undo what two signed.
    world
        .say_as(
            StatementFacts::SuspendOwner { owner: two.id },
            &[&three],
            false,
        )
        .expect("suspended");
    assert!(world.pays(session).is_err(), "as tight as before");
    world
        .adopt_as(&policy(3), &[&one, &three])
        .expect("the next");
    assert!(world.pays(session).is_err(), "it waits");
    world.pass(Millis::from_hours(24));
    world
        .pays(session)
        .expect("matured, and the voided is gone");
}

#[test]
fn invariant_17_a_suspended_key_still_stops_and_does_nothing_else() {
    let (mut world, [one, two, three]) = three_owners();
    let facts = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world
        .say_as(
            StatementFacts::SuspendOwner { owner: two.id },
            &[&one],
            false,
        )
        .expect("suspended");
    world
        .say_as(facts, &[&one, &three], true)
        .expect("asked by the others");
    let change = world.last_scheduled();
    world
        .say_as(StatementFacts::CancelOwnerChange { change }, &[&two], false)
        .expect("it cancels");
    // One is enough from here on, and is left.
    world.set_quorum(1, &[&one, &three]);
    world
        .say_as(
            StatementFacts::SuspendOwner { owner: three.id },
            &[&two],
            false,
        )
        .expect("it suspends");
    for owner in [two.id, three.id] {
        let lift = world.say_as(StatementFacts::LiftSuspension { owner }, &[&two], true);
        assert_eq!(lift.map(drop), Err(vec![Code::OwnerSuspended]));
    }
    let own = world.say_as(
        StatementFacts::SuspendOwner { owner: one.id },
        &[&one],
        true,
    );
    assert_eq!(own.map(drop), Err(vec![Code::OwnerItself]));
}

#[test]
fn invariant_14_statements_about_owners_are_used_once() {
    let (mut world, [one, two, _]) = three_owners();
    let guardian = world.add_guardian(5, &[&one, &two]);
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(STRANGER),
    };
    world.say_as(enrol, &[&one, &two], true).expect("asked");
    let change = world.last_scheduled();
    let stop = StatementFacts::GuardianStop {
        stop: GuardianStop::PauseAll,
    };
    for (facts, hands) in [
        (StatementFacts::SetQuorum { quorum: 1 }, vec![&one, &two]),
        (StatementFacts::CancelOwnerChange { change }, vec![&one]),
        (stop, vec![&guardian]),
        (StatementFacts::SuspendOwner { owner: two.id }, vec![&one]),
        (StatementFacts::LiftSuspension { owner: two.id }, vec![&one]),
    ] {
        let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
        let submission = Submission {
            statement,
            signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
            origin: Origin::Admin,
            with_password: true,
        };
        world
            .run(&Command::Submit(submission.clone()))
            .expect("once");
        assert_eq!(
            world.run(&Command::Submit(submission)).map(drop),
            Err(vec![Code::StatementUnknown]),
            "{facts:?}"
        );
    }
}

#[test]
fn invariant_17_the_password_alone_suspends_and_with_an_unsuspended_key_lifts() {
    let (mut world, [one, two]) = two_owners();
    let session = world.bearer;
    world
        .run(&Command::SuspendOwner { owner: one.id })
        .expect("with the password");
    assert_eq!(world.standing(one.id), Standing::Suspended);
    // The first owner granted the sessions of the start.
    assert_eq!(world.pays(session), Err(vec![Code::SessionRevoked]));
    let lift = StatementFacts::LiftSuspension { owner: one.id };
    let without = world.say_as(lift.clone(), &[&two], false);
    assert_eq!(without.map(drop), Err(vec![Code::AdminOnly]));
    let nobody = world.say_as(lift.clone(), &[], true);
    assert_eq!(nobody.map(drop), Err(vec![Code::QuorumMissing]));
    // A lift that is signed and kept back does not undo a later suspension.
    let (kept, text) = world.draft(lift.clone(), Origin::Admin).expect("a draft");
    let kept = Submission {
        statement: kept,
        signatures: vec![two.signature(&text)],
        origin: Origin::Admin,
        with_password: true,
    };
    world
        .run(&Command::SuspendOwner { owner: one.id })
        .expect("once more");
    assert_eq!(
        world.run(&Command::Submit(kept)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    world.say_as(lift.clone(), &[&two], true).expect("lifted");
    assert_eq!(world.standing(one.id), Standing::Active);
    assert_eq!(
        world.draft(lift, Origin::Admin).map(drop),
        Err(vec![Code::NotSuspended])
    );
    let unknown = Command::SuspendOwner {
        owner: Hand::new(9).id,
    };
    assert_eq!(world.run(&unknown).map(drop), Err(vec![Code::OwnerUnknown]));
}

#[test]
fn invariant_14_the_first_owner_alone_comes_without_waiting() {
    let mut world = World::new();
    let facts = StatementFacts::EnrolOwner {
        key: Hand::new(7).owner_key(),
        withdrawals: vec![],
    };
    assert_eq!(
        world.draft(facts, Origin::Admin).map(drop),
        Err(vec![Code::NotFirstOwner])
    );
    let unknown = StatementFacts::CancelOwnerChange {
        change: StatementId::from_bytes([1; 16]),
    };
    assert_eq!(
        world.draft(unknown, Origin::Admin).map(drop),
        Err(vec![Code::OwnerChangeUnknown])
    );
    assert!(matches!(
        world.say(StatementFacts::Retire, true),
        Ok(Outcome::WipeKeys)
    ));
}
