//! Alarms over what is signed and what waits, escalated violations, and the heartbeat: each rule on both
//! sides of its edge, and that the log alone gives all of it again.

use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::heartbeat::{Heartbeat, Kill};
use waiaas_shared::ids::SessionId;
use waiaas_shared::log::Head;
use waiaas_shared::policy::alarm::{
    Action, Alarm, Condition, Escalation, Remedy, Subject, Trigger,
};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::scope::Hours;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::view::SessionState;

use super::dead_man::dead_man;
use super::people::main_network;
use super::suspension::denials;
use super::world::{NOW, STRANGER, World, policy};
use crate::core::apply::apply;
use crate::core::command::{Command, Outcome};
use crate::core::state::KillPhase;

pub(super) const HOUR: Millis = Millis::from_hours(1);
pub(super) const DAY: Millis = Millis::from_hours(24);
/// More than any document lets pass in one transaction.
pub(super) const TOO_MUCH: u128 = 900_000;

pub(super) fn alarm(condition: Condition, remedy: Remedy) -> PolicyDocument {
    PolicyDocument {
        alarms: vec![Alarm { condition, remedy }],
        ..policy(2)
    }
}

fn escalation(code: Code, action: Action) -> PolicyDocument {
    PolicyDocument {
        escalations: vec![Escalation { code, action }],
        ..policy(2)
    }
}

/// A world under this document alone.
pub(super) fn under(document: &PolicyDocument) -> World {
    let mut world = World::new();
    world.adopt(document, true).expect("adopted");
    world
}

impl World {
    /// A payment of the session that is bound to an agent's key.
    pub(super) fn agent_pays(&mut self, key: &str, amount: u128) -> Result<Outcome, Vec<Code>> {
        let request = self.signed_request(key, amount);
        self.run(&Command::Spend(request))
    }

    pub(super) fn raised(&self) -> Vec<(&Trigger, Subject)> {
        let raised = self.events.iter().filter_map(|body| match body {
            EventBody::AlarmRaised {
                trigger, subject, ..
            } => Some((trigger, *subject)),
            _ => None,
        });
        raised.collect()
    }

    pub(super) fn noted(&self) -> usize {
        let noted = |body: &&EventBody| matches!(body, EventBody::DenialNoted { .. });
        self.events.iter().filter(noted).count()
    }

    pub(super) fn state_of(&self, session: SessionId) -> SessionState {
        let view = self.state.session_view(session, self.clocks);
        view.expect("a session").state
    }

    pub(super) fn resume(&mut self, session: SessionId) -> Result<Outcome, Vec<Code>> {
        self.say(StatementFacts::ResumeSession { session }, false)
    }

    pub(super) fn heartbeat(&self) -> Heartbeat {
        let head = Head {
            signer: self.state.signer().expect("a signer"),
            sequence: self.events.len() as u64,
            hash: self.state.journal(),
        };
        self.state.heartbeat(head, self.clocks)
    }
}

fn signatures(remedy: Remedy) -> PolicyDocument {
    let condition = Condition::Signatures {
        count: 3,
        window: HOUR,
    };
    alarm(condition, remedy)
}

/// What sets off an alarm that stops is not done: nothing charged, no nonce given.
#[test]
fn signatures_pause_the_wallet_before_one_too_many() {
    let mut world = under(&signatures(Remedy::PauseWallet));
    for key in ["a", "b"] {
        world.bearer_pay(key, 1000).expect("paid");
    }
    let paid = world.spends().len();
    assert_eq!(
        world.bearer_pay("c", 1000).map(drop),
        Err(vec![Code::WalletPaused])
    );
    assert_eq!(world.spends().len(), paid);
    let last: Vec<_> = world.events.iter().rev().take(2).collect();
    assert!(matches!(
        last[..],
        [
            EventBody::Paused { wallet: Some(wallet), origin: Origin::Signer },
            EventBody::AlarmRaised { subject: Subject::Wallet(subject), session: Some(session), .. },
        ] if *wallet == world.evm_wallet && subject == wallet && *session == world.bearer
    ));
    let wallet = Some(world.evm_wallet);
    world
        .say(StatementFacts::ReleasePause { wallet }, false)
        .expect("resumed");
    // It counts anew: two more, and the third pauses again.
    world.bearer_pay("c", 1000).expect("paid");
    world.bearer_pay("d", 1000).expect("paid");
    world.bearer_pay("e", 1000).expect_err("the third again");
    assert_eq!(world.raised().len(), 2);
    // EVM nonces have no gap.
    let nonces: Vec<_> = world
        .spends()
        .iter()
        .filter_map(|spend| spend.nonce)
        .collect();
    assert_eq!(nonces, [0, 1, 2, 3]);
}

#[test]
fn an_alarm_that_tells_lets_the_payment_through() {
    let mut world = under(&signatures(Remedy::Tell));
    for key in ["a", "b", "c", "d", "e"] {
        world.bearer_pay(key, 1000).expect("paid");
    }
    assert_eq!(world.raised().len(), 1, "once for the same three");
    world.bearer_pay("f", 1000).expect("paid");
    assert_eq!(world.raised().len(), 2, "the next three");
    // The payment's event stays the last: answers name its number.
    let last: Vec<_> = world.events.iter().rev().take(2).collect();
    assert!(matches!(
        last[..],
        [EventBody::SpendCommitted(_), EventBody::AlarmRaised { .. }]
    ));
}

#[test]
fn signatures_of_the_session_that_went_too_far_suspend_it_alone() {
    let mut world = under(&signatures(Remedy::SuspendSession));
    world.bearer_pay("a", 1000).expect("paid");
    world.bearer_pay("b", 1000).expect("paid");
    assert_eq!(
        world.agent_pays("c", 1000).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
    assert_eq!(world.state_of(world.bearer), SessionState::Active);
}

#[test]
fn invariant_16_an_alarm_that_kills_wipes_keys_and_is_durable() {
    let mut world = under(&signatures(Remedy::Kill));
    world.bearer_pay("a", 1000).expect("paid");
    world.bearer_pay("b", 1000).expect("paid");
    assert_eq!(
        world.bearer_pay("c", 1000).map(drop),
        Err(vec![Code::Killed])
    );
    assert_eq!(world.state.kill().phase, KillPhase::Activated);
    assert!(world.events.contains(&EventBody::Killed {
        epoch: 1,
        origin: Origin::Signer
    }));
    assert_eq!(world.state_of(world.bearer), SessionState::Revoked);
    // Owner and password release it, as any kill.
    let release = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![world.bearer],
    };
    assert_eq!(
        world.say(release.clone(), false).map(drop),
        Err(vec![Code::AdminOnly])
    );
    world.say(release, true).expect("released");
}

#[test]
fn spending_many_times_the_usual_goes_off() {
    let condition = Condition::Velocity {
        times: 10,
        window: HOUR,
    };
    let mut world = under(&alarm(condition, Remedy::PauseWallet));
    for hour in 0..40 {
        world
            .bearer_pay(&format!("usual-{hour}"), 1000)
            .expect("paid");
        world.pass(HOUR);
    }
    assert!(world.raised().is_empty());
    assert_eq!(
        world.bearer_pay("burst", 250_000).map(drop),
        Err(vec![Code::WalletPaused])
    );
    assert_eq!(world.raised().len(), 1);
}

#[test]
fn a_payment_outside_of_the_hours_goes_off() {
    // NOW is a Friday, 08:00 UTC.
    let hours = vec![Hours {
        utc_offset: 0,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    let document = alarm(Condition::OutsideHours { hours }, Remedy::SuspendSession);
    let mut world = under(&document);
    assert_eq!(world.clocks.wall.millis(), NOW);
    let mut inside = world.clone();
    inside.pass(HOUR);
    assert!(inside.bearer_pay("a", 1000).is_ok());
    assert!(inside.raised().is_empty());
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    // The owner who resumes it means this stretch.
    world.resume(world.bearer).expect("resumed");
    assert!(world.bearer_pay("a", 1000).is_ok());
    assert_eq!(world.raised().len(), 1);
}

#[test]
fn payments_that_wait_go_off_where_their_number_is_reached() {
    let mut document = alarm(Condition::OpenPayments { count: 2 }, Remedy::SuspendSession);
    for rule in &mut document.assets {
        rule.notify_up_to = rule.instant_up_to;
    }
    let mut world = under(&document);
    let first = world.bearer_pay("a", 200_000);
    assert!(matches!(first, Ok(Outcome::Waiting(_))), "{first:?}");
    assert_eq!(
        world.bearer_pay("b", 200_001).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    assert_eq!(world.heartbeat().waiting, 1, "the second was not let in");
}

#[test]
fn a_wallet_that_signs_nothing_for_too_long_goes_off_once() {
    let mut world = under(&alarm(Condition::Idle { after: DAY }, Remedy::PauseWallet));
    world.pass(DAY);
    world.run(&Command::Watch).expect("nothing");
    assert!(world.raised().is_empty(), "it was never used");
    world.bearer_pay("a", 1000).expect("paid");
    world.pass(Millis::from_millis(DAY.millis() - 1));
    assert!(!world.state.has_alarms(world.clocks));
    world.pass(Millis::from_millis(1));
    assert!(world.state.has_alarms(world.clocks));
    world.run(&Command::Watch).expect("looked");
    assert_eq!(world.raised().len(), 1);
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::WalletPaused])
    );
    let wallet = Some(world.evm_wallet);
    world
        .say(StatementFacts::ReleasePause { wallet }, false)
        .expect("resumed");
    world.pass(DAY);
    assert!(!world.state.has_alarms(world.clocks), "the same silence");
    world.bearer_pay("b", 1000).expect("paid");
    world.pass(DAY);
    assert!(world.state.has_alarms(world.clocks), "another one");
}

/// A document that was adopted later does not end the alarms of one that still binds.
#[test]
fn every_binding_documents_alarms_count() {
    let mut world = World::new();
    main_network(&mut world);
    world
        .adopt(&signatures(Remedy::PauseWallet), true)
        .expect("adopted");
    let without = PolicyDocument {
        epoch: 3,
        ..policy(3)
    };
    world.adopt(&without, false).expect("adopted");
    world.bearer_pay("a", 1000).expect("paid");
    world.bearer_pay("b", 1000).expect("paid");
    assert_eq!(
        world.bearer_pay("c", 1000).map(drop),
        Err(vec![Code::WalletPaused])
    );
    assert_eq!(world.raised().len(), 1, "one alarm, one record");
}

#[test]
fn an_escalated_violation_is_told_once_or_suspends() {
    let mut world = under(&escalation(Code::PerTransactionLimit, Action::Tell));
    for number in 0..5_u128 {
        world
            .agent_pays(&format!("a-{number}"), TOO_MUCH + number)
            .expect_err("too much");
    }
    assert_eq!(world.raised().len(), 1);
    world.agent_pays("paid", 1000).expect("not suspended");
    world.agent_pays("b", TOO_MUCH).expect_err("too much");
    assert_eq!(world.raised().len(), 2, "after an accepted request anew");
    // Another violation is not meant.
    let request = world.request(world.bearer, "c", 1000, STRANGER);
    world.run(&Command::Spend(request)).expect_err("a stranger");
    assert_eq!(world.raised().len(), 2);

    let suspends = escalation(Code::RecipientNotListed, Action::SuspendSession);
    let mut world = under(&suspends);
    let request = world.request(world.bearer, "a", 1000, STRANGER);
    let refused = world.run(&Command::Spend(request)).map(drop);
    assert_eq!(refused, Err(vec![Code::RecipientNotListed]));
    assert_eq!(world.state_of(world.bearer), SessionState::Suspended);
    assert_eq!(world.state_of(world.keyed), SessionState::Active);
}

/// Alarms are in the log: a program that only folds it comes to the same state, suspensions, marks and
/// silence included, and nothing of it is decided again.
#[test]
fn a_log_with_alarms_gives_the_same_state_again() {
    let mut document = denials(2, Remedy::SuspendSession);
    document.dead_man = Some(Millis::from_hours(9));
    document.alarms.push(Alarm {
        condition: Condition::Signatures {
            count: 4,
            window: DAY,
        },
        remedy: Remedy::Tell,
    });
    let mut world = World::new();
    let mut again = world.state.clone();
    let mut step = |world: &mut World, act: &dyn Fn(&mut World)| {
        let before = world.events.len();
        act(world);
        for body in &world.events[before..] {
            let event = Event {
                clocks: world.clocks,
                body: body.clone(),
            };
            let read: Event = from_canonical(&to_canonical(&event)).expect("canonical");
            apply(&mut again, &read);
        }
        assert_eq!(again, world.state);
    };
    step(&mut world, &|world| {
        world.adopt(&document, true).expect("adopted");
    });
    for number in 0..6_u128 {
        world.pass(HOUR);
        step(&mut world, &|world| {
            let _paid = world.bearer_pay(&format!("a-{number}"), 1000);
            let _refused = world.agent_pays(&format!("b-{number}"), TOO_MUCH + number);
        });
    }
    assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
    world.pass(Millis::from_hours(3));
    step(&mut world, &|world| {
        world.bearer_pay("late", 1000).expect_err("silent");
    });
    assert!(world.state.dead_man_paused());
    assert_eq!(world.raised().len(), 3);
    step(&mut world, &|world| {
        world.resume(world.keyed).expect("resumed");
        let release = StatementFacts::ReleasePause { wallet: None };
        world.say(release, false).expect("resumed");
    });
}

/// What an older program wrote has none of this: nothing is suspended, nothing counted, nothing due.
#[test]
fn a_log_without_alarms_watches_nothing() {
    let mut world = World::new();
    for number in 0..20_u128 {
        let _refused = world.bearer_pay(&format!("a-{number}"), TOO_MUCH + number);
    }
    world.pass(Millis::from_hours(24 * 900));
    assert!(!world.state.has_alarms(world.clocks));
    assert_eq!(world.noted(), 0);
    assert!(world.raised().is_empty());
    assert_eq!(world.state.dead_man_left(world.clocks.run), None);
}

#[test]
fn the_heartbeat_says_what_the_state_is() {
    let mut document = dead_man(DAY);
    for rule in &mut document.assets {
        rule.notify_up_to = rule.instant_up_to;
    }
    let mut world = under(&document);
    let waits = world.bearer_pay("waits", 200_000);
    let Ok(Outcome::Waiting(view)) = waits else {
        panic!("{waits:?}")
    };
    world
        .run(&Command::CountDenials(vec![(None, Code::DayLimit, 7)]))
        .expect("counted");
    world.pass(HOUR);
    let heartbeat = world.heartbeat();
    assert_eq!(heartbeat.policies, [(2, document.digest())]);
    assert_eq!(heartbeat.policy_epoch, 2);
    assert_eq!(heartbeat.clocks, world.clocks);
    assert_eq!((heartbeat.kill, heartbeat.kill_epoch), (Kill::Normal, 0));
    assert_eq!(heartbeat.dead_man, Some(Millis::from_hours(23)));
    assert_eq!((heartbeat.wallets, heartbeat.sessions), (2, 2));
    assert_eq!((heartbeat.denials, heartbeat.waiting), (7, 1));
    assert_eq!(heartbeat.payments[0].transaction, view.intent.transaction);
    assert_eq!(heartbeat.payments[0].amount, view.intent.amount);
    world.run(&Command::Kill(Origin::Admin)).expect("killed");
    let killed = world.heartbeat();
    assert_eq!((killed.kill, killed.kill_epoch), (Kill::Activated, 1));
    assert_eq!((killed.sessions, killed.waiting), (0, 0));
}

/// A clock that was ahead hides no payment outside of the hours, and the alarm is one for each stretch.
#[test]
fn invariant_11_a_clock_that_was_ahead_silences_no_alarm_over_hours() {
    // NOW is a Friday, 08:00 UTC.
    let hours = vec![Hours {
        utc_offset: 0,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    let mut world = under(&alarm(Condition::OutsideHours { hours }, Remedy::Tell));
    // Saturday 17:00, and Monday 9:00 by the upper side.
    world.pass(Millis::from_hours(33));
    world.steady = Some(world.clocks.wall);
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(40));
    world.bearer_pay("a", 1000).expect("told of");
    assert_eq!(world.raised().len(), 1);
    world.bearer_pay("b", 1000).expect("told of");
    assert_eq!(world.raised().len(), 1, "the same stretch");
    // Five minutes apart, on a Friday at 17:56: closed by the one, open by the other, and so at Monday 8:57.
    let minutes = |number: u64| Millis::from_secs(60 * number);
    let mut world = under(&alarm(
        Condition::OutsideHours {
            hours: vec![Hours {
                utc_offset: 0,
                days: 0x1f,
                from: 540,
                to: 1080,
            }],
        },
        Remedy::Tell,
    ));
    let at = |world: &mut World, later: Millis| {
        world.pass(later);
        world.steady = Some(world.clocks.wall);
        world.clocks.wall = world.clocks.wall.after(minutes(5));
    };
    at(&mut world, minutes(9 * 60 + 56));
    world.bearer_pay("a", 1000).expect("told of");
    assert_eq!(world.raised().len(), 1);
    world.clocks.wall = world.steady.expect("set");
    at(&mut world, minutes(3 * 24 * 60 - 9 * 60 + 1));
    world.bearer_pay("b", 1000).expect("told of");
    assert_eq!(world.raised().len(), 1, "the same stretch");
    world.clocks.wall = world.steady.expect("set");
    at(&mut world, minutes(3));
    world.bearer_pay("c", 1000).expect("within the hours");
    assert_eq!(world.raised().len(), 1);
}
