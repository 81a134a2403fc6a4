//! Agents in their five stages: what each allows, who moves one, and what no stage undoes.

use waiaas_shared::agent::AgentStage;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{AgentId, SessionId, TransactionId};
use waiaas_shared::session::{Credential, Renewal, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::view::SessionState;

use super::world::{FEE, RECIPIENT, World, evm_recipient, policy, unsigned};
use crate::core::AgentStop;
use crate::core::command::{Command, Outcome, Release, SessionRequest, Submission};

/// Waits, by the policy of these tests.
const WAITING: u128 = 200_000 - FEE;

fn world() -> World {
    let mut world = World::new();
    let mut document = policy(2);
    for rule in &mut document.assets {
        rule.notify_up_to = Amount::from_base_units(100_000);
        rule.delay_up_to = Amount::from_base_units(150_000);
    }
    world.adopt(&document, true).expect("a stricter policy");
    world
}

fn register(world: &mut World, active: bool) -> AgentId {
    world
        .say(StatementFacts::RegisterAgent { active }, false)
        .expect("registered");
    match world.events.last() {
        Some(EventBody::AgentRegistered { agent, .. }) => *agent,
        other => panic!("{other:?}"),
    }
}

fn activate(world: &mut World, agent: AgentId) -> Result<(), Vec<Code>> {
    world
        .say(StatementFacts::ActivateAgent { agent }, false)
        .map(drop)
}

fn stop(world: &mut World, agent: AgentId, stop: AgentStop) -> Result<(), Vec<Code>> {
    let command = Command::StopAgent {
        agent,
        stop,
        origin: Origin::Gateway,
    };
    world.run(&command).map(drop)
}

fn grant(world: &mut World, agent: AgentId, secret: &[u8]) -> Result<SessionId, Vec<Code>> {
    let credential = Credential::Bearer(hash(Domain::SessionSecret, &[secret]));
    let grant = SessionGrant {
        agent: Some(agent),
        ..world.a_grant(credential)
    };
    match world.say(StatementFacts::GrantSession { grant }, false)? {
        Outcome::Session(session) => Ok(session),
        other => panic!("{other:?}"),
    }
}

fn pay(world: &mut World, session: SessionId, key: &str) -> Result<(), Vec<Code>> {
    let request = world.request(session, key, 10_000, RECIPIENT);
    world.run(&Command::Spend(request)).map(drop)
}

fn wait(world: &mut World, session: SessionId, key: &str) -> TransactionId {
    let request = world.request(session, key, WAITING, RECIPIENT);
    match world.run(&Command::Spend(request)) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
    }
}

fn stage(world: &World, agent: AgentId) -> AgentStage {
    let views = world.state.agent_views();
    let view = views.iter().find(|view| view.agent == agent);
    view.expect("the agent").stage
}

#[test]
fn a_created_agent_is_granted_to_and_signs_nothing_before_an_owner_activates_it() {
    let mut world = world();
    let agent = register(&mut world, false);
    assert_eq!(stage(&world, agent), AgentStage::Created);
    let session = grant(&mut world, agent, b"a").expect("a session");
    assert_eq!(
        pay(&mut world, session, "a"),
        Err(vec![Code::AgentNotActive])
    );
    // Sessions without an agent are judged by themselves.
    let bearer = world.bearer;
    pay(&mut world, bearer, "b").expect("another session");
    activate(&mut world, agent).expect("activated");
    pay(&mut world, session, "c").expect("active");
    let view = world.state.session_view(session, world.clocks);
    assert_eq!(view.expect("known").stage, Some(AgentStage::Active));
    let at_once = register(&mut world, true);
    assert_eq!(stage(&world, at_once), AgentStage::Active);
    assert_eq!(activate(&mut world, at_once), Err(vec![Code::NotPaused]));
}

/// For all of its sessions, payments that waited included, until an owner activates it again.
#[test]
fn invariant_16_a_suspended_agent_signs_nothing() {
    let mut world = world();
    let agent = register(&mut world, true);
    let (one, two) = (
        grant(&mut world, agent, b"1").expect("a session"),
        grant(&mut world, agent, b"2").expect("a session"),
    );
    pay(&mut world, one, "a").expect("active");
    let waits = wait(&mut world, two, "b");
    world
        .say(StatementFacts::ApprovePayment { transaction: waits }, false)
        .expect("approved");
    stop(&mut world, agent, AgentStop::Suspend).expect("suspended");
    for (session, key) in [(one, "c"), (two, "d"), (one, "a")] {
        assert_eq!(
            pay(&mut world, session, key),
            Err(vec![Code::AgentSuspended]),
            "a replay is judged too: {key}"
        );
    }
    let release = Command::Release(Release {
        transaction: waits,
        unsigned: unsigned(31_337, 0, WAITING, evm_recipient(RECIPIENT)),
        prior: None,
    });
    assert_eq!(
        world.run(&release).map(drop),
        Err(vec![Code::AgentSuspended])
    );
    // Suspending again is no event, and what it did is undone by an owner alone.
    let events = world.events.len();
    stop(&mut world, agent, AgentStop::Suspend).expect("suspended already");
    assert_eq!(world.events.len(), events);
    activate(&mut world, agent).expect("activated");
    world.run(&release).expect("it waited on");
    pay(&mut world, one, "e").expect("active");
}

/// An activation that was signed and kept back never undoes a later suspension.
#[test]
fn invariant_14_a_suspension_voids_activations_that_were_open() {
    let mut world = world();
    let agent = register(&mut world, false);
    let facts = StatementFacts::ActivateAgent { agent };
    let (statement, text) = world
        .draft(facts.clone(), Origin::Gateway)
        .expect("a draft");
    let kept_back = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    stop(&mut world, agent, AgentStop::Suspend).expect("suspended");
    assert_eq!(
        world.run(&Command::Submit(kept_back)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    // Also one that was drafted while it was suspended.
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a draft");
    let signatures = vec![world.signature(&text)];
    stop(&mut world, agent, AgentStop::Suspend).expect("once more");
    let kept_back = Submission {
        statement,
        signatures,
        origin: Origin::Gateway,
        with_password: false,
    };
    assert_eq!(
        world.run(&Command::Submit(kept_back)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    assert_eq!(stage(&world, agent), AgentStage::Suspended);
}

/// Drafting an activation and suspending in turn ends where the open statements end: what a suspension
/// voids keeps its place, so that a gateway does not write to the log without end.
#[test]
fn invariant_14_voided_activations_keep_their_place() {
    let mut world = world();
    let agent = register(&mut world, false);
    let facts = StatementFacts::ActivateAgent { agent };
    for _ in 0..16 {
        world
            .draft(facts.clone(), Origin::Gateway)
            .expect("a draft");
        stop(&mut world, agent, AgentStop::Suspend).expect("suspended");
    }
    let events = world.events.len();
    assert_eq!(
        world.draft(facts.clone(), Origin::Gateway).map(drop),
        Err(vec![Code::StatementTooMany])
    );
    stop(&mut world, agent, AgentStop::Suspend).expect("suspended already");
    assert_eq!(world.events.len(), events, "nothing is written any more");
    // The owner's own socket has its own places.
    activate(&mut world, agent).expect("activated");
}

/// Nothing is signed, granted, renewed or approved; what waits can still be ended, and its end is the
/// agent's.
#[test]
fn invariant_16_a_terminating_agent_ends_with_what_waits() {
    let mut world = world();
    let agent = register(&mut world, true);
    let session = grant(&mut world, agent, b"1").expect("a session");
    let (one, two) = (wait(&mut world, session, "a"), {
        let request = world.request(session, "b", WAITING - 1, RECIPIENT);
        match world.run(&Command::Spend(request)) {
            Ok(Outcome::Waiting(view)) => view.intent.transaction,
            other => panic!("{other:?}"),
        }
    });
    stop(&mut world, agent, AgentStop::Terminate).expect("terminating");
    assert_eq!(stage(&world, agent), AgentStage::Terminating);
    let over = || Err(vec![Code::AgentTerminated]);
    assert_eq!(pay(&mut world, session, "c"), over());
    assert_eq!(grant(&mut world, agent, b"2").map(drop), over());
    assert_eq!(activate(&mut world, agent), over());
    assert_eq!(
        world
            .draft(
                StatementFacts::ApprovePayment { transaction: one },
                Origin::Admin
            )
            .map(drop),
        over()
    );
    let events = world.events.len();
    stop(&mut world, agent, AgentStop::Suspend).expect("nothing to suspend");
    stop(&mut world, agent, AgentStop::Terminate).expect("terminating already");
    assert_eq!(world.events.len(), events);
    world
        .say(StatementFacts::RejectPayment { transaction: one }, false)
        .expect("rejected");
    assert_eq!(stage(&world, agent), AgentStage::Terminating);
    world
        .run(&Command::CancelIntent {
            transaction: two,
            origin: Origin::Gateway,
        })
        .expect("cancelled");
    assert_eq!(
        world.events.last(),
        Some(&EventBody::AgentTerminated {
            agent,
            sessions: vec![session],
        })
    );
    assert_eq!(stage(&world, agent), AgentStage::Terminated);
    let view = world
        .state
        .session_view(session, world.clocks)
        .expect("known");
    assert_eq!(view.state, SessionState::Revoked);
    assert_eq!(
        pay(&mut world, session, "d"),
        Err(vec![Code::SessionRevoked])
    );
    assert_eq!(grant(&mut world, agent, b"3").map(drop), over());
}

#[test]
fn a_terminating_agent_of_which_nothing_waits_ends_at_once() {
    let mut world = world();
    let agent = register(&mut world, true);
    let session = grant(&mut world, agent, b"1").expect("a session");
    stop(&mut world, agent, AgentStop::Terminate).expect("terminated");
    assert_eq!(stage(&world, agent), AgentStage::Terminated);
    // A kill and its release bring nothing of it back.
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    let release = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![session],
    };
    assert_eq!(
        world.draft(release, Origin::Admin).map(drop),
        Err(vec![Code::SessionUnknown])
    );
    // What waited ends at its own time, if nobody ends it.
    let mut world = self::world();
    let agent = register(&mut world, true);
    let session = grant(&mut world, agent, b"1").expect("a session");
    wait(&mut world, session, "a");
    stop(&mut world, agent, AgentStop::Terminate).expect("terminating");
    world.pass(Millis::from_hours(24 * 8));
    world.run(&Command::EndExpired).expect("looked");
    assert_eq!(stage(&world, agent), AgentStage::Terminated);
}

#[test]
fn invariant_18_a_stopped_agents_session_is_not_renewed() {
    let mut world = world();
    let agent = register(&mut world, true);
    let credential = Credential::Bearer(hash(Domain::SessionSecret, &[b"r"]));
    let base = world.a_grant(credential);
    let grant = SessionGrant {
        agent: Some(agent),
        renewal: Some(Renewal {
            extends: Millis::from_hours(24 * 80),
            until: base.expires.after(Millis::from_hours(24 * 300)),
            count: 9,
        }),
        ..base
    };
    let session = match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    };
    let request = SessionRequest {
        session,
        method: "POST".to_owned(),
        path: "/v1/session/renew".to_owned(),
        query: "?".to_owned(),
        idempotency_key: "k".to_owned(),
        body: format!(
            r#"{{"signer":"{}"}}"#,
            waiaas_shared::ids::SignerId::from_bytes([5; 16])
        )
        .into_bytes(),
        signature_input: String::new(),
        signature: String::new(),
    };
    let renew = Command::Renew(request);
    world.clone().run(&renew).expect("the case proves nothing");
    stop(&mut world, agent, AgentStop::Suspend).expect("suspended");
    assert_eq!(world.run(&renew).map(drop), Err(vec![Code::AgentSuspended]));
    stop(&mut world, agent, AgentStop::Terminate).expect("terminated");
    assert_eq!(world.run(&renew).map(drop), Err(vec![Code::SessionRevoked]));
}

#[test]
fn unknown_agents_are_refused() {
    let mut world = world();
    let agent = AgentId::from_bytes([1; 16]);
    let unknown = || Err(vec![Code::AgentUnknown]);
    assert_eq!(activate(&mut world, agent), unknown());
    for what in [AgentStop::Suspend, AgentStop::Terminate] {
        assert_eq!(stop(&mut world, agent, what), unknown());
    }
}
