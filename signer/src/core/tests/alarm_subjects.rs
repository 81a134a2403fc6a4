//! For whom an alarm goes off: a session that is given up to it silences it for no other one (invariant 16).

use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_shared::policy::alarm::{Condition, Remedy, Subject};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::scope::Hours;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::view::SessionState;

use super::alarm::{DAY, HOUR, alarm, under};
use super::world::World;
use crate::core::command::{Command, Outcome};
use crate::core::state::KillPhase;

/// NOW is a Friday, 08:00 UTC: an hour before these begin.
fn office() -> PolicyDocument {
    let hours = vec![Hours {
        utc_offset: 0,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    alarm(Condition::OutsideHours { hours }, Remedy::SuspendSession)
}

fn suspended(result: Result<Outcome, Vec<Code>>) {
    assert_eq!(result.map(drop), Err(vec![Code::SessionSuspended]));
}

fn raised_for(world: &World) -> Vec<Subject> {
    let raised = world.raised().into_iter();
    raised.map(|(_, subject)| subject).collect()
}

fn sessions(sessions: &[SessionId]) -> Vec<Subject> {
    sessions.iter().copied().map(Subject::Session).collect()
}

#[test]
fn invariant_16_a_session_that_is_given_up_silences_no_alarm_for_the_others() {
    // Outside of the hours, and far above what is usual: both would keep silent for a while.
    let velocity = Condition::Velocity {
        times: 10,
        window: HOUR,
    };
    let usual = |document: &PolicyDocument| {
        let mut world = under(document);
        for hour in 0..40 {
            let key = format!("usual-{hour}");
            world.bearer_pay(&key, 1000).expect("paid");
            world.pass(HOUR);
        }
        world
    };
    let worlds = [
        under(&office()),
        usual(&alarm(velocity, Remedy::SuspendSession)),
    ];
    for mut world in worlds {
        suspended(world.bearer_pay("given-up", 250_000));
        suspended(world.agent_pays("meant", 250_000));
        assert_eq!(raised_for(&world), sessions(&[world.bearer, world.keyed]));
        assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
    }
}

/// What owners resume goes on; the same cause sets the alarm off once for it, whatever it pays meanwhile.
#[test]
fn invariant_16_a_resumed_session_is_not_suspended_for_the_same_cause() {
    let mut world = under(&office());
    suspended(world.bearer_pay("a", 1000));
    world.resume(world.bearer).expect("resumed");
    for key in ["a", "b", "c"] {
        world.bearer_pay(key, 1000).expect("the owner means these");
    }
    assert_eq!(world.raised().len(), 1);
    // The next stretch outside of the hours is another cause.
    world.pass(DAY);
    suspended(world.bearer_pay("d", 1000));
    assert_eq!(raised_for(&world), sessions(&[world.bearer; 2]));
}

/// A wallet's payments are counted whoever makes them: the session that asks for one too many stops.
#[test]
fn each_session_that_asks_for_too_many_of_a_wallets_payments_is_suspended() {
    let condition = Condition::Signatures {
        count: 3,
        window: HOUR,
    };
    let mut world = under(&alarm(condition, Remedy::SuspendSession));
    world.bearer_pay("a", 1000).expect("paid");
    world.bearer_pay("b", 1000).expect("paid");
    suspended(world.bearer_pay("c", 1000));
    suspended(world.agent_pays("c", 1000));
    // Resumed, each counts anew from where it was suspended.
    world.resume(world.keyed).expect("resumed");
    world.agent_pays("c", 1000).expect("paid");
    world.agent_pays("d", 1000).expect("paid");
    suspended(world.agent_pays("e", 1000));
    // What it paid counts for the other one as well.
    world.resume(world.bearer).expect("resumed");
    suspended(world.bearer_pay("e", 1000));
    assert_eq!(world.raised().len(), 4);
}

/// A wallet that its owner closed signs nothing for ever: no alarm is left to go off for that.
#[test]
fn a_closed_wallet_is_never_idle() {
    let mut world = under(&alarm(Condition::Idle { after: DAY }, Remedy::Kill));
    world.bearer_pay("a", 1000).expect("paid");
    let close = StatementFacts::CloseWallet {
        wallet: world.evm_wallet,
    };
    world.say(close, false).expect("closed");
    world.pass(DAY);
    assert!(!world.state.has_alarms(world.clocks));
    world.run(&Command::Watch).expect("nothing");
    assert!(world.raised().is_empty());
    assert_eq!(world.state.kill().phase, KillPhase::Normal);
}

/// A wallet that is paused pauses for all of its sessions: one mark for the wallet.
#[test]
fn a_remedy_that_stops_the_wallet_counts_for_the_wallet() {
    let mut document = office();
    document.alarms[0].remedy = Remedy::Tell;
    let mut world = under(&document);
    world.bearer_pay("a", 1000).expect("told");
    world.agent_pays("b", 1000).expect("paid");
    assert_eq!(raised_for(&world), [Subject::Wallet(world.evm_wallet)]);
}
