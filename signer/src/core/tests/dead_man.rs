//! The dead-man time: what is a word from an owner, on which clock it is waited for, and that its pause
//! is an owner's to lift (invariants 10, 11, 16).

use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::policy::alarm::{Subject, Trigger};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::{GuardianStop, StatementFacts};
use waiaas_shared::time::{Clocks, Millis, RunTime};

use super::alarm::{DAY, HOUR, under};
use super::people::{Hand, main_network, three_owners};
use super::world::{World, policy};
use crate::core::command::{Command, UnlockFacts};

pub(super) fn dead_man(after: Millis) -> PolicyDocument {
    PolicyDocument {
        dead_man: Some(after),
        ..policy(2)
    }
}

#[test]
fn invariant_16_without_a_word_from_an_owner_everything_pauses() {
    let mut world = under(&dead_man(DAY));
    world.pass(Millis::from_millis(DAY.millis() - 1));
    assert!(world.bearer_pay("a", 1000).is_ok());
    let left = world.state.dead_man_left(world.clocks.run);
    assert_eq!(left, Some(Millis::from_millis(1)));
    world.pass(Millis::from_millis(1));
    // Whatever comes first is decided after it.
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::Frozen])
    );
    assert!(world.state.dead_man_paused());
    assert!(matches!(
        world.raised()[..],
        [(Trigger::DeadMan { after: DAY }, Subject::Everything)]
    ));
    // Once: the pause stands, and no more is written.
    let written = world.events.len();
    world.pass(DAY);
    world.run(&Command::Watch).expect("nothing");
    assert_eq!(world.events.len(), written);
    // A sign of life resumes nothing; the release does, and the time begins anew.
    world.say(StatementFacts::SignOfLife, false).expect("heard");
    assert!(world.state.frozen());
    world
        .say(StatementFacts::ReleasePause { wallet: None }, false)
        .expect("resumed");
    assert!(!world.state.dead_man_paused());
    assert!(world.bearer_pay("b", 1000).is_ok());
    world.pass(DAY);
    world.bearer_pay("c", 1000).expect_err("silent again");
}

/// Time that passes while nobody asks anything: the loop's own look is enough.
#[test]
fn invariant_16_the_dead_man_pause_needs_nobody_to_ask() {
    let mut world = under(&dead_man(DAY));
    world.pass(DAY);
    assert!(world.state.has_alarms(world.clocks));
    world.run(&Command::Watch).expect("looked");
    assert!(world.state.frozen());
}

/// The run clock alone counts: no step of the wall clock, no sleep and no time off brings the pause, and
/// none of them shortens the time that the signer can sign without a word.
#[test]
fn invariant_11_the_dead_man_time_is_run_time() {
    let mut world = under(&dead_man(DAY));
    let before = world.clocks;
    world.clocks = Clocks {
        wall: before.wall.after(Millis::from_hours(24 * 20)),
        budget: before.budget.after(Millis::from_hours(24 * 20)),
        run: before.run,
    };
    assert!(world.bearer_pay("a", 1000).is_ok());
    assert_eq!(world.state.dead_man_left(world.clocks.run), Some(DAY));
    world.clocks.run = RunTime::from_millis(before.run.millis() + DAY.millis());
    world.bearer_pay("b", 1000).expect_err("a day of running");
}

/// Across restarts: the log alone carries when an owner was heard of, and an unlock is a word.
#[test]
fn invariant_11_the_dead_man_time_survives_restarts_and_an_unlock_is_a_word() {
    let mut world = under(&dead_man(DAY));
    world.pass(Millis::from_hours(20));
    world.bearer_pay("a", 1000).expect("paid");
    // A crash and a start fold the same log: nothing was heard by it.
    world.pass(Millis::from_hours(3));
    assert_eq!(world.state.dead_man_left(world.clocks.run), Some(HOUR));
    let facts = UnlockFacts {
        journal: world.state.journal(),
        vouched: Millis::default(),
        failures: 0,
        journal_lost: false,
        missed: None,
    };
    world.run(&Command::Unlocked(facts)).expect("unlocked");
    assert_eq!(world.state.dead_man_left(world.clocks.run), Some(DAY));
    // While locked nothing is signed and nobody looks: the unlock itself is the word, however late.
    world.pass(Millis::from_hours(24 * 9));
    world.run(&Command::Unlocked(facts)).expect("unlocked");
    assert!(!world.state.frozen());
    assert!(world.bearer_pay("b", 1000).is_ok());
}

#[test]
fn any_accepted_word_of_an_owner_counts_and_no_other() {
    let (mut world, [one, two, three]) = three_owners();
    let guardian = world.add_guardian(9, &[&one, &two]);
    let facts = StatementFacts::AdoptPolicy {
        document: dead_man(DAY).to_bytes(),
    };
    world.say_as(facts, &[&one, &two], true).expect("adopted");
    let left = |world: &World| world.state.dead_man_left(world.clocks.run);
    // Agents, the gateway and guardians say nothing for an owner.
    world.pass(Millis::from_hours(6));
    world.bearer_pay("a", 1000).expect("paid");
    world
        .draft(StatementFacts::SignOfLife, Origin::Gateway)
        .expect("a draft is no word");
    let stop = StatementFacts::GuardianStop {
        stop: GuardianStop::PauseAll,
    };
    world.say_as(stop, &[&guardian], false).expect("paused");
    assert_eq!(left(&world), Some(Millis::from_hours(18)));
    let hands = [&one, &two];
    world
        .say_as(StatementFacts::ReleasePause { wallet: None }, &hands, false)
        .expect("resumed");
    assert_eq!(left(&world), Some(DAY));
    // One owner's sign of life is enough, whatever the quorum; a guardian's or a stranger's is none.
    world.pass(Millis::from_hours(6));
    for (hand, code) in [
        (&guardian, Code::OwnerUnknown),
        (&Hand::new(55), Code::OwnerUnknown),
    ] {
        let said = world.say_as(StatementFacts::SignOfLife, &[hand], true);
        assert_eq!(said.map(drop), Err(vec![code]));
    }
    let nobody = world.say_as(StatementFacts::SignOfLife, &[], true);
    assert_eq!(nobody.map(drop), Err(vec![Code::QuorumMissing]));
    assert_eq!(left(&world), Some(Millis::from_hours(18)));
    world
        .say_as(StatementFacts::SignOfLife, &[&two], false)
        .expect("heard");
    assert_eq!(left(&world), Some(DAY));
    // A suspended key may be a thief's: it keeps nothing alive.
    for owner in [two.id, three.id] {
        world
            .run(&Command::SuspendOwner { owner })
            .expect("suspended");
    }
    world.pass(Millis::from_hours(6));
    let said = world.say_as(StatementFacts::SignOfLife, &[&two], true);
    assert_eq!(said.map(drop), Err(vec![Code::OwnerSuspended]));
    let suspend = StatementFacts::SuspendOwner { owner: three.id };
    world.say_as(suspend, &[&two], false).expect("it may stop");
    assert_eq!(left(&world), Some(Millis::from_hours(18)));
}

/// The shortest time of all binding documents counts: a longer one waits as everything that loosens.
#[test]
fn invariant_10_a_longer_dead_man_time_waits() {
    let mut world = World::new();
    main_network(&mut world);
    world.adopt(&dead_man(DAY), true).expect("adopted");
    let longer = PolicyDocument {
        epoch: 3,
        ..dead_man(Millis::from_hours(240))
    };
    world.adopt(&longer, false).expect("adopted");
    assert_eq!(world.state.dead_man_left(world.clocks.run), Some(DAY));
    world.pass(Millis::from_millis(DAY.millis() - 1));
    world.say(StatementFacts::SignOfLife, false).expect("heard");
    world.pass(Millis::from_millis(1));
    let left = world.state.dead_man_left(world.clocks.run);
    assert_eq!(left, Some(Millis::from_millis(240 * HOUR.millis() - 1)));
}
