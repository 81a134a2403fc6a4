//! Refused logins and authorizations count as refused payments do: in a row, and as violations that a document
//! escalates. And what the state keeps of logins, it lets go.

use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::policy::alarm::{Action, Alarm, Condition, Escalation, Remedy, may_bring};
use waiaas_shared::policy::document::{PolicyDocument, SignInRule};
use waiaas_shared::time::Millis;
use waiaas_shared::view::SessionState;

use super::logins::{bearer_login, site, with_sites, world_with};
use super::world::World;

fn elsewhere(world: &mut World, number: u32) -> Vec<Code> {
    let more = format!(r#","resources":["https://elsewhere.example/{number}"]"#);
    bearer_login(world, &format!("key-{number}"), &more)
        .map(drop)
        .expect_err("no resource of this site")
}

/// The session that asks for what no site's entry lets is suspended, as one that pays beyond its limits.
#[test]
fn invariant_16_refused_logins_in_a_row_suspend_the_session() {
    let condition = Condition::DenialsInARow { count: 3 };
    let document = PolicyDocument {
        alarms: vec![Alarm {
            condition,
            remedy: Remedy::SuspendSession,
        }],
        ..with_sites(2, vec![site()])
    };
    let mut world = world_with(&document);
    let session = world.bearer;
    for number in 0..2 {
        assert_eq!(elsewhere(&mut world, number), [Code::SignInResource]);
        // The same request once more counts once.
        elsewhere(&mut world, number);
    }
    assert_eq!(world.noted(), 2);
    assert_eq!(world.state_of(session), SessionState::Active);
    elsewhere(&mut world, 2);
    assert_eq!(world.state_of(session), SessionState::Suspended);
    assert_eq!(
        bearer_login(&mut world, "honest", "").map(drop),
        Err(vec![Code::SessionSuspended])
    );
}

/// An escalation names a refusal of a login as it names one of a payment.
#[test]
fn invariant_16_a_refused_login_may_suspend_its_session_at_once() {
    let document = PolicyDocument {
        escalations: vec![Escalation {
            code: Code::SignInResource,
            action: Action::SuspendSession,
        }],
        ..with_sites(2, vec![site()])
    };
    let mut world = world_with(&document);
    let session = world.bearer;
    let more = r#","expires_in":601"#;
    bearer_login(&mut world, "long", more)
        .map(drop)
        .expect_err("too long");
    assert_eq!(world.state_of(session), SessionState::Active);
    elsewhere(&mut world, 1);
    assert_eq!(
        world.events.last(),
        Some(&EventBody::SessionSuspended { session })
    );
}

#[test]
fn documents_may_speak_of_every_such_refusal() {
    for code in [
        Code::SignInNotListed,
        Code::SignInNetwork,
        Code::SignInUri,
        Code::SignInResource,
        Code::SignInValidity,
        Code::SignInCount,
        Code::AuthorizationNotListed,
        Code::AuthorizationValidity,
        Code::AuthorizationWaits,
    ] {
        assert!(may_bring(code, Action::SuspendSession), "{code}");
        assert!(may_bring(code, Action::Tell), "{code}");
        assert!(!may_bring(code, Action::Ask), "{code}");
    }
    // What the gateway's bytes bring about is told of, and suspends nobody.
    assert!(may_bring(Code::DataFeeMissing, Action::Tell));
    assert!(!may_bring(Code::DataFeeMissing, Action::SuspendSession));
}

/// A site's counts are kept as long as a window sees them, and no longer.
#[test]
fn logins_of_long_ago_leave_the_state() {
    let named = |name: &str| SignInRule {
        domain: name.to_owned(),
        ..site()
    };
    let other = "other.example.org";
    let document = with_sites(2, vec![named("app.example.org"), named(other)]);
    let mut world = world_with(&document);
    let sites = |world: &World| world.state.logins.len();
    bearer_login(&mut world, "a", "").expect("signed");
    let at_other = |world: &World| {
        let body = super::logins::body(world, super::world::EVM, "");
        body.replace("app.example.org", other)
    };
    let request = super::logins::request(world.bearer, "b", at_other(&world));
    super::logins::ask(&mut world, request, None).expect("signed");
    assert_eq!(sites(&world), 2);
    // Both are still seen by the month.
    world.pass(Millis::from_hours(24 * 29));
    bearer_login(&mut world, "c", "").expect("signed");
    assert_eq!(sites(&world), 2);
    // The other site is not.
    world.pass(Millis::from_hours(24 * 3));
    bearer_login(&mut world, "d", "").expect("signed");
    assert_eq!(sites(&world), 1);
}
