//! Sessions with every constraint, and their renewal inside of the bounds that the owner signed.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, SignerId, WalletId};
use waiaas_shared::policy::document::Recipient;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::{Credential, Operation, Renewal, SessionGrant, SessionRecipients};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};

use super::people::account;
use super::world::{FEE, NOW, RECIPIENT, STRANGER, World, agent_key, key_bound, policy};
use crate::core::command::{Command, Outcome, SessionRequest};

const HOUR: u64 = 3_600_000;

fn bearer() -> Credential {
    Credential::Bearer(hash(Domain::SessionSecret, &[b"renewable"]))
}

/// Ends after 2 hours; a renewal gives 2 more from its request on, at most 3 times, 9 hours in all.
fn renewable(world: &World, credential: Credential) -> SessionGrant {
    SessionGrant {
        expires: WallTime::from_millis(NOW + 2 * HOUR),
        renewal: Some(Renewal {
            extends: Millis::from_hours(2),
            until: WallTime::from_millis(NOW + 9 * HOUR),
            count: 3,
        }),
        ..world.a_grant(credential)
    }
}

fn granted(world: &mut World, grant: SessionGrant) -> Result<SessionId, Vec<Code>> {
    match world.say(StatementFacts::GrantSession { grant }, false)? {
        Outcome::Session(session) => Ok(session),
        other => panic!("{other:?}"),
    }
}

fn unsigned_request(session: SessionId) -> SessionRequest {
    SessionRequest {
        session,
        method: "POST".to_owned(),
        path: "/v1/session/renew".to_owned(),
        query: "?".to_owned(),
        idempotency_key: "renew-1".to_owned(),
        body: format!(r#"{{"signer":"{}"}}"#, SignerId::from_bytes([5; 16])).into_bytes(),
        signature_input: String::new(),
        signature: String::new(),
    }
}

fn signed(request: SessionRequest, key: &SigningKey, nonce: &str, now: WallTime) -> SessionRequest {
    let nonce = format!("{nonce:-<16}").parse().expect("a nonce");
    let parameters = Parameters::new(now.millis() / 1000, nonce, request.session).expect("sound");
    let parts = request_signature::Request {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        body: &request.body,
        idempotency_key: &request.idempotency_key,
    };
    let fields =
        request_signature::sign_request(&parts, &parameters, |base| key.sign(base).to_bytes())
            .expect("a request that can be signed");
    SessionRequest {
        signature_input: fields.signature_input,
        signature: fields.signature,
        ..request
    }
}

fn renew(world: &mut World, request: SessionRequest) -> Result<WallTime, Vec<Code>> {
    match world.run(&Command::Renew(request))? {
        Outcome::Renewed(ends) => Ok(ends),
        other => panic!("{other:?}"),
    }
}

fn renew_bearer(world: &mut World, session: SessionId) -> Result<WallTime, Vec<Code>> {
    renew(world, unsigned_request(session))
}

fn hours(number: u64) -> WallTime {
    WallTime::from_millis(NOW + number * HOUR)
}

/// Identifier, limits and counters stay; only the end moves, never beyond the absolute one.
#[test]
fn invariant_18_a_renewal_keeps_session_and_counters() {
    let mut world = World::new();
    let grant = renewable(&world, bearer());
    let session = granted(&mut world, grant).expect("a session");
    world.bearer = session;
    world.bearer_pay("a", 10_000).expect("a payment");
    let before = world
        .state
        .session_view(session, world.clocks)
        .expect("known");
    world.pass(Millis::from_hours(1));
    assert_eq!(renew_bearer(&mut world, session), Ok(hours(3)));
    let after = world
        .state
        .session_view(session, world.clocks)
        .expect("known");
    assert_eq!(after.usage, before.usage);
    assert_eq!(after.grant, before.grant);
    assert_eq!((after.ends, after.renewals), (hours(3), 1));
    // It lives where it would have ended, and ends where the renewal says.
    world.pass(Millis::from_millis(2 * HOUR - 1));
    world.bearer_pay("b", 10_000).expect("renewed");
    world.pass(Millis::from_millis(1));
    assert_eq!(
        world.bearer_pay("c", 10_000).map(drop),
        Err(vec![Code::SessionExpired])
    );
    // What the payments keep their idempotency keys until is the end that no renewal moves.
    assert!(
        world
            .spends()
            .iter()
            .all(|spend| spend.kept_until == hours(9))
    );
}

#[test]
fn invariant_18_a_renewal_keeps_to_its_bounds() {
    let mut world = World::new();
    let grant = renewable(&world, bearer());
    let session = granted(&mut world, grant.clone()).expect("a session");
    // At once there is nothing to gain, and a flood of renewals fills no log.
    let events = world.events.len();
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRenewalEarly])
    );
    world.pass(Millis::from_millis(HOUR - 1));
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRenewalEarly])
    );
    assert_eq!(world.events.len(), events);
    world.pass(Millis::from_millis(1));
    for end in [3, 4, 5] {
        assert_eq!(renew_bearer(&mut world, session), Ok(hours(end)));
        world.pass(Millis::from_hours(1));
    }
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRenewalCount])
    );
    // Another one, whose absolute end comes first.
    let last = SessionGrant {
        expires: hours(8),
        ..grant
    };
    let session = granted(&mut world, last).expect("a session");
    world.pass(Millis::from_hours(3));
    assert_eq!(renew_bearer(&mut world, session), Ok(hours(9)));
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRenewalEnd])
    );
    world.pass(Millis::from_millis(2 * HOUR - 1));
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRenewalEnd])
    );
}

#[test]
fn what_the_owner_did_not_allow_is_not_renewed() {
    let mut world = World::new();
    world.pass(Millis::from_hours(24 * 39));
    let session = world.bearer;
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionNotRenewable])
    );
}

/// Neither after revocation nor after an expiry that was seen, whatever the clock shows later.
#[test]
fn invariant_11_an_expired_session_is_not_renewed_again() {
    let mut world = World::new();
    let grant = renewable(&world, bearer());
    let session = granted(&mut world, grant.clone()).expect("a session");
    let start = world.clocks;
    world.pass(Millis::from_hours(2));
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionExpired])
    );
    assert_eq!(
        world.events.last(),
        Some(&EventBody::SessionExpired { session })
    );
    world.clocks.wall = start.wall.after(Millis::from_hours(1));
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionExpired])
    );
    let session = granted(&mut world, grant).expect("a session");
    world
        .run(&Command::RevokeSession {
            session,
            origin: Origin::Gateway,
        })
        .expect("revoked");
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRevoked])
    );
}

#[test]
fn invariant_16_nothing_is_renewed_while_stopped() {
    let mut world = World::new();
    let grant = renewable(&world, bearer());
    let session = granted(&mut world, grant).expect("a session");
    world.pass(Millis::from_hours(1));
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("frozen");
    assert_eq!(renew_bearer(&mut world, session), Err(vec![Code::Frozen]));
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    assert_eq!(
        renew_bearer(&mut world, session),
        Err(vec![Code::SessionRevoked])
    );
}

/// A bound session is renewed by its agent's signature over this very route, once.
#[test]
fn invariant_18_a_bound_session_is_renewed_by_its_agent_alone() {
    let mut world = World::new();
    let grant = renewable(&world, key_bound());
    let session = granted(&mut world, grant).expect("a session");
    world.pass(Millis::from_hours(1));
    let now = world.clocks.wall;
    let plain = || unsigned_request(session);
    let sign = |request, nonce: &str| signed(request, &agent_key(), nonce, now);
    let cases = [
        (plain(), Code::RequestSignatureMissing),
        (
            signed(plain(), &SigningKey::from_bytes(&[1; 32]), "a", now),
            Code::RequestSignatureInvalid,
        ),
        (
            sign(
                SessionRequest {
                    session: world.keyed,
                    ..plain()
                },
                "b",
            ),
            Code::SessionNotRenewable,
        ),
        (
            SessionRequest {
                session,
                ..sign(
                    SessionRequest {
                        session: world.keyed,
                        ..plain()
                    },
                    "c",
                )
            },
            Code::RequestSignatureInvalid,
        ),
        (
            signed(
                plain(),
                &agent_key(),
                "d",
                WallTime::from_millis(now.millis() - 121_000),
            ),
            Code::RequestTimeSkew,
        ),
        (
            SessionRequest {
                body: br#"{"signer":"signer_00000000000000000000000001"}"#.to_vec(),
                ..sign(plain(), "e")
            },
            Code::SignerMismatch,
        ),
        (
            SessionRequest {
                body: b"{}".to_vec(),
                ..plain()
            },
            Code::BodyMalformed,
        ),
        (
            SessionRequest {
                idempotency_key: String::new(),
                ..plain()
            },
            Code::IdempotencyKeyInvalid,
        ),
    ];
    for (request, code) in cases {
        assert_eq!(renew(&mut world, request), Err(vec![code]));
    }
    let once = sign(plain(), "once");
    assert_eq!(renew(&mut world, once.clone()), Ok(hours(3)));
    assert_eq!(renew(&mut world, once), Err(vec![Code::RequestNonceReused]));
}

/// Each route is a domain: a payment's signature never renews, and a renewal's never pays.
#[test]
fn invariant_18_a_signature_serves_its_own_route_alone() {
    let mut world = World::new();
    let grant = renewable(&world, key_bound());
    let session = granted(&mut world, grant).expect("a session");
    world.keyed = session;
    world.pass(Millis::from_hours(1));
    let now = world.clocks.wall;
    // The body of a renewal, signed for the payments' route and for others.
    for path in [
        "/v1/transactions",
        "/v1/session/revoke",
        "/v1/session/token",
        "/v1/kill",
    ] {
        let elsewhere = SessionRequest {
            path: path.to_owned(),
            ..unsigned_request(session)
        };
        let stolen = signed(elsewhere, &agent_key(), "p", now);
        assert_eq!(
            renew(&mut world, stolen.clone()),
            Err(vec![Code::RequestSignatureInvalid]),
            "{path} passed on as it was"
        );
        let moved = SessionRequest {
            path: "/v1/session/renew".to_owned(),
            ..stolen
        };
        assert_eq!(
            renew(&mut world, moved),
            Err(vec![Code::RequestSignatureInvalid]),
            "{path} passed off as a renewal"
        );
    }
    // The other way round: a payment's body, signed for the renewals' route.
    let mut payment = world.signed_request("k", 10_000);
    let fields = signed(
        SessionRequest {
            body: payment.body.clone(),
            idempotency_key: payment.idempotency_key.clone(),
            ..unsigned_request(session)
        },
        &agent_key(),
        "q",
        now,
    );
    payment.signature_input = fields.signature_input;
    payment.signature = fields.signature;
    for path in ["/v1/transactions", "/v1/session/renew"] {
        payment.path = path.to_owned();
        assert_eq!(
            world.run(&Command::Spend(payment.clone())).map(drop),
            Err(vec![Code::RequestSignatureInvalid])
        );
    }
    // One nonce counts once, on whatever route.
    let paid = world.signed_request("k", 10_000);
    let nonce = format!("nonce-{:016}", 2);
    assert!(paid.signature_input.contains(&nonce));
    world.run(&Command::Spend(paid)).expect("a payment");
    assert_eq!(
        renew(
            &mut world,
            signed(unsigned_request(session), &agent_key(), &nonce, now)
        ),
        Err(vec![Code::RequestNonceReused])
    );
}

/// The constraints bind beside the policy's rules, at the grant and at each payment.
#[test]
fn recipients_and_operations_of_a_grant_bind() {
    let mut world = World::new();
    let mut document = policy(2);
    document.recipients.push(Recipient {
        account: account(STRANGER),
        name: "stranger".to_owned(),
    });
    document.sort();
    world.adopt(&document, true).expect("two contacts");
    let narrow = |contacts: &[&str]| SessionGrant {
        recipients: Some(SessionRecipients {
            contacts: contacts.iter().map(|name| (*name).to_owned()).collect(),
            accounts: vec![],
        }),
        operations: Some(vec![Operation::NativeTransfer]),
        ..world.a_grant(bearer())
    };
    let (one, unknown) = (narrow(&["hosting"]), narrow(&["nobody"]));
    assert_eq!(
        granted(&mut world, unknown),
        Err(vec![Code::RecipientNotListed])
    );
    let session = granted(&mut world, one).expect("a session");
    let pay = |world: &mut World, key: &str, to: &str| {
        let request = world.request(session, key, 10_000, to);
        world.run(&Command::Spend(request)).map(drop)
    };
    pay(&mut world, "a", RECIPIENT).expect("the contact");
    assert_eq!(
        pay(&mut world, "b", STRANGER),
        Err(vec![Code::SessionRecipient])
    );
    // Both are broken at once, and both are told.
    let request = world.request(session, "c", 450_000 - FEE, STRANGER);
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::SessionPerTransaction, Code::SessionRecipient])
    );
}

#[test]
fn a_grant_of_a_closed_wallet_or_a_strange_agent_is_refused() {
    let mut world = World::new();
    let grant = |world: &World| world.a_grant(bearer());
    let strange = SessionGrant {
        agent: Some(waiaas_shared::ids::AgentId::from_bytes([1; 16])),
        ..grant(&world)
    };
    assert_eq!(granted(&mut world, strange), Err(vec![Code::AgentUnknown]));
    let nowhere = SessionGrant {
        wallets: vec![WalletId::from_bytes([77; 16])],
        ..grant(&world)
    };
    assert_eq!(granted(&mut world, nowhere), Err(vec![Code::WalletUnknown]));
    let wallet = world.solana_wallet;
    world
        .say(StatementFacts::CloseWallet { wallet }, false)
        .expect("closed");
    let closed = grant(&world);
    assert_eq!(granted(&mut world, closed), Err(vec![Code::WalletClosed]));
}

/// What was used counts never again, whichever side of the clock says what: running, across a start, by a clock that
/// was set back, after a stated time, and after its nonce was forgotten.
#[test]
fn invariant_18_no_pair_of_clocks_lets_a_signature_count_twice() {
    let mut world = World::new();
    let grant = renewable(&world, key_bound());
    let session = granted(&mut world, grant).expect("a session");
    world.pass(Millis::from_hours(1));
    let used = signed(
        unsigned_request(session),
        &agent_key(),
        "used",
        world.clocks.wall,
    );
    let created = world.clocks.wall.millis();
    renew(&mut world, used.clone()).expect("renewed");
    let mut seen = [0, 0];
    for ran in [0, 1, 10, 23, 24, 25, 60, 600] {
        // What another request brings: its own nonce is kept, and what is old enough is forgotten.
        for meanwhile in [false, true] {
            for behind in [-121_i64, -120, 0, 600, 3600 * 40] {
                let mut world = world.clone();
                world.pass(Millis::from_secs(60 * ran));
                // By the upper side a renewal would gain enough, were it let through.
                world.clocks.wall = WallTime::from_millis(created + 70 * 60_000);
                world.steady = Some(WallTime::from_millis(created));
                if meanwhile {
                    let own = world.signed_request("meanwhile", 1000);
                    world.run(&Command::Spend(own)).expect("paid");
                    world.commit();
                }
                let steady = created.saturating_add_signed(-behind * 1000);
                world.steady = Some(WallTime::from_millis(steady));
                let codes = renew(&mut world, used.clone()).expect_err("used");
                match codes[..] {
                    [Code::RequestNonceReused] => seen[0] += 1,
                    [Code::RequestTimeSkew] => seen[1] += 1,
                    _ => panic!("{codes:?}"),
                }
            }
        }
    }
    assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
}
