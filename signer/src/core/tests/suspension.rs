//! Refusals in a row, and the suspension of a session: what brings it, what it stops, who lifts it; and
//! that denials bring nothing more (invariants 14 and 16).

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::policy::alarm::{Action, Condition, Escalation, Remedy};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::view::SessionState;

use super::alarm::{HOUR, TOO_MUCH, alarm, under};
use super::people::{Hand, two_owners};
use super::world::{STRANGER, World, sign_request};
use crate::core::command::{Command, Outcome, Submission};
use crate::core::state::KillPhase;

pub(super) fn denials(count: u32, remedy: Remedy) -> PolicyDocument {
    alarm(Condition::DenialsInARow { count }, remedy)
}

#[test]
fn invariant_16_denials_in_a_row_suspend_the_session() {
    let mut world = under(&denials(3, Remedy::SuspendSession));
    let keyed = world.keyed;
    for (key, amount) in [("a", TOO_MUCH), ("b", TOO_MUCH + 1)] {
        world.agent_pays(key, amount).expect_err("too much");
    }
    assert_eq!(world.state_of(keyed), SessionState::Active);
    // The third is refused for its own reason, and the session with it.
    let refused = world.agent_pays("c", TOO_MUCH + 2).expect_err("too much");
    assert!(!refused.contains(&Code::SessionSuspended), "{refused:?}");
    assert_eq!(world.state_of(keyed), SessionState::Suspended);
    let last: Vec<_> = world.events.iter().rev().take(3).collect();
    assert!(matches!(
        last[..],
        [
            EventBody::SessionSuspended { session },
            EventBody::AlarmRaised { observed, .. },
            EventBody::DenialNoted { .. },
        ] if *session == keyed && observed.base_units() == 3
    ));
    assert_eq!(
        world.agent_pays("d", 1000).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    // Nobody else stops.
    assert!(world.bearer_pay("e", 1000).is_ok());
    assert!(!world.state.frozen());
    world.resume(keyed).expect("resumed");
    assert!(world.agent_pays("d", 1000).is_ok());
}

#[test]
fn invariant_16_identical_denials_count_once() {
    let mut world = under(&denials(3, Remedy::SuspendSession));
    for number in 0..50 {
        let key = format!("again-{number}");
        world.agent_pays(&key, TOO_MUCH).expect_err("too much");
    }
    assert_eq!(world.noted(), 1);
    assert_eq!(world.state_of(world.keyed), SessionState::Active);
}

/// What waits may be cancelled at once, and costs nothing: whoever probes for a limit does not begin anew so.
#[test]
fn invariant_16_opening_and_cancelling_begins_no_row_anew() {
    let mut document = denials(3, Remedy::SuspendSession);
    for rule in &mut document.assets {
        rule.notify_up_to = rule.instant_up_to;
    }
    let mut world = under(&document);
    for number in 0..2 {
        let refused = world.agent_pays(&format!("probe-{number}"), TOO_MUCH + number);
        refused.expect_err("too much");
        let waits = world.agent_pays(&format!("waits-{number}"), 200_000 + number);
        let Ok(Outcome::Waiting(view)) = waits else {
            panic!("{waits:?}")
        };
        let cancel = Command::CancelIntent {
            transaction: view.intent.transaction,
            origin: Origin::Gateway,
        };
        world.run(&cancel).expect("cancelled");
    }
    world
        .agent_pays("probe-2", TOO_MUCH + 2)
        .expect_err("too much");
    assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
}

#[test]
fn a_signed_payment_begins_the_row_anew() {
    let mut world = under(&denials(3, Remedy::SuspendSession));
    for round in 0..4_u128 {
        for number in 0..2 {
            let key = format!("{round}-{number}");
            world
                .agent_pays(&key, TOO_MUCH + number)
                .expect_err("too much");
        }
        world.agent_pays(&format!("{round}"), 1000).expect("paid");
    }
    assert_eq!(world.state_of(world.keyed), SessionState::Active);
    assert!(world.raised().is_empty());
}

/// A row holds no more than what an alarm waits for: no flood fills the log.
#[test]
fn invariant_16_a_flood_of_denials_writes_no_more_than_the_alarm_waits_for() {
    let mut world = under(&denials(5, Remedy::Tell));
    for number in 0..200_u128 {
        world
            .bearer_pay(&format!("flood-{number}"), TOO_MUCH + number)
            .expect_err("too much");
    }
    assert_eq!(world.noted(), 5);
    assert_eq!(world.raised().len(), 1, "told once");
    assert_eq!(world.state_of(world.bearer), SessionState::Active);
}

/// What a gateway makes of a request is not the agent's: it cannot have a session suspended that is bound
/// to a key, and a bearer's noise is that session's own.
#[test]
fn invariant_16_a_gateway_brings_no_suspension_on_a_bound_session() {
    let mut world = under(&denials(2, Remedy::SuspendSession));
    for number in 0..20_u128 {
        let key = format!("forged-{number}");
        let amount = TOO_MUCH + number;
        // Never signed; signed by another key; changed after it was signed.
        let unsigned = world.request(world.keyed, &key, amount, STRANGER);
        let strange = sign_request(
            unsigned.clone(),
            &super::world::owner_key(),
            &format!("strange-{number:016}"),
            world.clocks.wall.millis() / 1000,
        );
        let mut changed = world.signed_request(&key, amount);
        changed.body = unsigned.body.clone();
        for request in [unsigned, strange, changed] {
            world.run(&Command::Spend(request)).expect_err("no agent");
        }
        // Genuine, and brought with bytes that do something else.
        let mut spoilt = world.signed_request(&format!("spoilt-{number}"), 1000 + number);
        spoilt.unsigned = vec![0];
        world.run(&Command::Spend(spoilt)).expect_err("no bytes");
        // The bearer session's own noise.
        let noise = world.bearer_pay(&format!("noise-{number}"), amount);
        noise.expect_err("too much, or suspended");
    }
    assert_eq!(world.state_of(world.keyed), SessionState::Active);
    assert!(world.agent_pays("own", 1000).is_ok());
    assert_eq!(world.state_of(world.bearer), SessionState::Suspended);
}

/// One genuine request counts once, however often and with whatever bytes a gateway brings it; and one
/// that was paid does not count when it is brought again.
#[test]
fn invariant_16_a_request_that_is_brought_again_counts_once() {
    let mut world = under(&denials(2, Remedy::SuspendSession));
    let request = world.signed_request("one", TOO_MUCH);
    for _ in 0..10 {
        world
            .run(&Command::Spend(request.clone()))
            .expect_err("too much");
    }
    let paid = world.signed_request("paid", 400_000 - super::world::FEE);
    world.run(&Command::Spend(paid.clone())).expect("paid");
    for number in 0..2 {
        let key = format!("more-{number}");
        let _until_a_limit = world.agent_pays(&key, 300_000 + number);
    }
    let before = world.noted();
    assert_eq!(before, 2, "the first one, and one over the hour's limit");
    for _ in 0..10 {
        let _again = world.run(&Command::Spend(paid.clone()));
    }
    assert_eq!(world.noted(), before);
    assert_eq!(world.state_of(world.keyed), SessionState::Active);
}

/// No document gives denials more than a suspension, and no state either.
#[test]
fn invariant_16_denials_reach_suspension_at_most() {
    for remedy in [Remedy::PauseWallet, Remedy::Kill] {
        let mut world = World::new();
        let refused = world.adopt(&denials(1, remedy), true).map(drop);
        assert_eq!(refused, Err(vec![Code::PolicyMalformed]), "{remedy:?}");
    }
    // The strongest that a document can say, all at once.
    let mut document = denials(1, Remedy::SuspendSession);
    document.escalations = [Code::PerTransactionLimit, Code::RecipientNotListed]
        .map(|code| Escalation {
            code,
            action: Action::SuspendSession,
        })
        .to_vec();
    document.sort();
    let mut world = under(&document);
    for number in 0..30_u128 {
        let _refused = world.agent_pays(&format!("a-{number}"), TOO_MUCH + number);
        let request = world.request(
            world.bearer,
            &format!("b-{number}"),
            1000 + number,
            STRANGER,
        );
        let _refused = world.run(&Command::Spend(request));
    }
    assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
    assert_eq!(world.state_of(world.bearer), SessionState::Suspended);
    assert_eq!(world.state.kill().phase, KillPhase::Normal);
    assert!(!world.state.frozen());
    assert!(
        world
            .state
            .wallet_views()
            .iter()
            .all(|wallet| !wallet.paused)
    );
}

#[test]
fn invariant_16_only_owners_resume_a_session() {
    let (mut world, [one, two]) = two_owners();
    let document = denials(1, Remedy::SuspendSession);
    let facts = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    world.say_as(facts, &[&one, &two], true).expect("adopted");
    let session = world.bearer;
    world.bearer_pay("a", TOO_MUCH).expect_err("too much");
    assert_eq!(world.state_of(session), SessionState::Suspended);
    let resume = StatementFacts::ResumeSession { session };
    for (hands, code) in [
        (vec![], Code::QuorumMissing),
        (vec![&one], Code::QuorumMissing),
    ] {
        let said = world.say_as(resume.clone(), &hands, true).map(drop);
        assert_eq!(said, Err(vec![code]));
    }
    let stranger = Hand::new(77);
    assert_eq!(
        world
            .say_as(resume.clone(), &[&one, &stranger], true)
            .map(drop),
        Err(vec![Code::OwnerUnknown])
    );
    world
        .say_as(resume.clone(), &[&one, &two], false)
        .expect("resumed");
    assert_eq!(world.state_of(session), SessionState::Active);
    assert_eq!(
        world.say_as(resume, &[&one, &two], false).map(drop),
        Err(vec![Code::NotSuspended])
    );
}

#[test]
fn invariant_14_a_resumption_that_was_kept_back_never_undoes_a_later_suspension() {
    let mut world = under(&denials(1, Remedy::SuspendSession));
    let session = world.bearer;
    let resume = StatementFacts::ResumeSession { session };
    world.bearer_pay("a", TOO_MUCH).expect_err("too much");
    let (statement, text) = world
        .draft(resume.clone(), Origin::Gateway)
        .expect("a draft");
    let signatures = vec![world.signature(&text)];
    world.say(resume, false).expect("resumed by another");
    world.bearer_pay("b", TOO_MUCH + 1).expect_err("too much");
    assert_eq!(world.state_of(session), SessionState::Suspended);
    let late = Submission {
        statement,
        signatures,
        origin: Origin::Gateway,
        with_password: false,
    };
    assert_eq!(
        world.run(&Command::Submit(late)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    assert_eq!(world.state_of(session), SessionState::Suspended);
}

/// A kill that restores a suspended session does not resume it; an end ends it.
#[test]
fn invariant_16_a_suspension_outlives_a_kill_and_its_release() {
    let mut world = under(&denials(1, Remedy::SuspendSession));
    let session = world.bearer;
    world.bearer_pay("a", TOO_MUCH).expect_err("too much");
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    let release = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![session],
    };
    world.say(release, true).expect("released");
    world
        .say(StatementFacts::ReleasePause { wallet: None }, false)
        .expect("resumed");
    assert_eq!(world.state_of(session), SessionState::Suspended);
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    world.resume(session).expect("resumed");
    assert!(world.bearer_pay("b", 1000).is_ok());
    world
        .run(&Command::RevokeSession {
            session,
            origin: Origin::Gateway,
        })
        .expect("revoked");
    assert_eq!(
        world.resume(session).map(drop),
        Err(vec![Code::SessionRevoked])
    );
}

/// What waits under a suspended session stays, and is not released before an owner resumes it.
#[test]
fn invariant_16_a_suspension_keeps_what_waits_and_releases_none_of_it() {
    let mut document = denials(1, Remedy::SuspendSession);
    for rule in &mut document.assets {
        rule.notify_up_to = rule.instant_up_to;
    }
    let mut world = under(&document);
    let waits = world.bearer_pay("waits", 200_000);
    let Ok(Outcome::Waiting(view)) = waits else {
        panic!("{waits:?}")
    };
    let transaction = view.intent.transaction;
    world.bearer_pay("a", TOO_MUCH).expect_err("too much");
    world.pass(HOUR);
    let release = |world: &World| {
        let unsigned = world
            .request(world.bearer, "x", 200_000, super::world::RECIPIENT)
            .unsigned;
        Command::Release(crate::core::command::Release {
            transaction,
            unsigned,
            prior: None,
        })
    };
    let command = release(&world);
    assert_eq!(
        world.run(&command).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    assert_eq!(world.heartbeat().waiting, 1);
    world.resume(world.bearer).expect("resumed");
    assert!(matches!(world.run(&command), Ok(Outcome::Sign(_))));
}

/// The bytes of an earlier payment are not given again while its session is suspended.
#[test]
fn invariant_16_a_suspension_stops_replays_too() {
    let mut world = under(&denials(1, Remedy::SuspendSession));
    world.bearer_pay("paid", 1000).expect("paid");
    world.bearer_pay("a", TOO_MUCH).expect_err("too much");
    assert_eq!(
        world.bearer_pay("paid", 1000).map(drop),
        Err(vec![Code::SessionSuspended])
    );
}
