//! Logins at web sites: fields in, one message of the signer's own template out, counted before it is
//! signed, and only where session and every binding document let it.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin, SignedIn};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::policy::document::{PolicyDocument, SignInRule};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Counts;
use waiaas_shared::request_signature::{self, Parameters};
use waiaas_shared::session::{Credential, Operation, SessionGrant};
use waiaas_shared::sign_in::SignInMessage;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::transaction::SigningPayload;

use super::world::{EVM, World, agent_key, key_bound, policy, solana};
use crate::core::command::{
    Command, MessageRequest, Outcome, PriorLogin, SessionRequest, SigningOrder, Used,
};

const SITE: &str = "app.example.org";

pub(super) fn site() -> SignInRule {
    let mut networks = vec![EVM, solana()];
    networks.sort_unstable();
    SignInRule {
        domain: SITE.to_owned(),
        networks,
        uri: None,
        tier: Tier::Notify,
        counts: Counts {
            hour: Some(2),
            day: Some(3),
            ..Counts::default()
        },
        valid_for: Millis::from_secs(600),
        resources: vec!["https://app.example.org/tos".to_owned()],
    }
}

pub(super) fn with_sites(epoch: u64, sites: Vec<SignInRule>) -> PolicyDocument {
    PolicyDocument {
        sign_ins: Some(sites),
        ..policy(epoch)
    }
}

/// Signs in under this document, with the site in it, for a session of its own.
pub(super) fn signed_in(world: &mut World, document: PolicyDocument) {
    let document = PolicyDocument {
        sign_ins: Some(vec![site()]),
        ..document
    };
    world.adopt(&document, true).expect("a policy with a site");
    let before = world.bearer;
    let secret = Credential::Bearer(hash(Domain::SessionSecret, &[b"logins"]));
    world.bearer = granted(world, secret, Some(vec![Operation::SignIn]));
    bearer_login(world, "login", "").expect("signed");
    world.bearer = before;
}

/// A world whose policy names the site, and whose two sessions may sign in.
fn world() -> World {
    world_with(&with_sites(2, vec![site()]))
}

/// The same under another document.
pub(super) fn world_with(document: &PolicyDocument) -> World {
    let mut world = World::new();
    world.adopt(document, true).expect("a policy with a site");
    world.keyed = granted(&mut world, key_bound(), Some(vec![Operation::SignIn]));
    let secret = Credential::Bearer(hash(Domain::SessionSecret, &[b"logins"]));
    world.bearer = granted(&mut world, secret, Some(vec![Operation::SignIn]));
    world
}

fn granted(
    world: &mut World,
    credential: Credential,
    operations: Option<Vec<Operation>>,
) -> SessionId {
    let grant = SessionGrant {
        operations,
        ..world.a_grant(credential)
    };
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => session,
        other => panic!("{other:?}"),
    }
}

pub(super) fn body(world: &World, chain: ChainId, more: &str) -> String {
    let wallet = match chain {
        ChainId::Evm(_) => world.evm_wallet,
        ChainId::Solana(_) => world.solana_wallet,
    };
    let signer = SignerId::from_bytes([5; 16]);
    format!(
        r#"{{"signer":"{signer}","wallet":"{wallet}","network":"{chain}","domain":"{SITE}","uri":"https://{SITE}/login","nonce":"oBbLoEldZs"{more}}}"#
    )
}

pub(super) fn request(session: SessionId, key: &str, body: String) -> SessionRequest {
    SessionRequest {
        session,
        method: "POST".to_owned(),
        path: "/v1/messages/sign-in".to_owned(),
        query: "?".to_owned(),
        idempotency_key: key.to_owned(),
        body: body.into_bytes(),
        signature_input: String::new(),
        signature: String::new(),
    }
}

fn signed(world: &World, request: SessionRequest, key: &SigningKey, nonce: &str) -> SessionRequest {
    let nonce = format!("{nonce:-<16}").parse().expect("a nonce");
    let seconds = world.clocks.wall.millis() / 1000;
    let parameters = Parameters::new(seconds, nonce, request.session).expect("sound");
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

type Stop = fn(&World) -> Command;
pub(super) type Order = Box<SigningOrder<SignInMessage>>;

pub(super) fn ask(
    world: &mut World,
    request: SessionRequest,
    used: Option<Used>,
) -> Result<Order, Vec<Code>> {
    let asked = MessageRequest {
        request,
        used,
        dry_run: false,
    };
    match world.run(&Command::SignIn(asked))? {
        Outcome::SignMessage(order) => Ok(order),
        other => panic!("{other:?}"),
    }
}

pub(super) fn bearer_login(world: &mut World, key: &str, more: &str) -> Result<Order, Vec<Code>> {
    let body = body(world, EVM, more);
    let request = request(world.bearer, key, body);
    ask(world, request, None)
}

fn logins(world: &World) -> Vec<&SignedIn> {
    let bodies = world.events.iter();
    bodies
        .filter_map(|body| match body {
            EventBody::SignedIn(entry) => Some(entry),
            _ => None,
        })
        .collect()
}

/// What is signed was in the log before, whole; address and times are the signer's own.
#[test]
fn invariant_04_a_login_is_in_the_log_before_the_order_to_sign() {
    let mut world = world();
    for (chain, prefix) in [
        (EVM, &b"\x19Ethereum"[..]),
        (solana(), b"\xffsolana offchain\x01"),
    ] {
        let body = body(&world, chain, r#","statement":"I accept.","expires_in":60"#);
        let asked = request(world.bearer, &chain.to_string(), body);
        let order = ask(&mut world, asked, None).expect("signed");
        let now = world.clocks.wall;
        let entry = (*logins(&world).last().expect("an event")).clone();
        assert_eq!(order.message().text(), entry.text);
        assert!(order.message().payload().starts_with(prefix));
        match order.payload() {
            SigningPayload::Ed25519Message(bytes) => assert_eq!(bytes, order.message().payload()),
            SigningPayload::Secp256k1Prehash(digest) => assert_eq!(
                digest,
                alloy_primitives::keccak256(order.message().payload()).0
            ),
        }
        assert_eq!(
            (order.sealed().message, order.sealed().replay_of),
            (entry.message, None)
        );
        assert_eq!(
            (order.sealed().tier, entry.tier),
            (Tier::Notify, Tier::Notify)
        );
        assert_eq!(entry.policy_epoch, 2);
        assert_eq!(
            (entry.fields.issued, entry.fields.expires),
            (now, now.after(Millis::from_secs(60)))
        );
        let own = world
            .state
            .keys()
            .find(|(_, account)| *account == entry.fields.account);
        assert_eq!(own.map(|(path, _)| path), Some(order.path()));
        let first = format!("{SITE} wants you to sign in with your ");
        assert!(entry.text.starts_with(&first), "{}", entry.text);
    }
    let view = world
        .state
        .session_view(world.bearer, world.clocks)
        .expect("known");
    // A login counts as one of its transactions, and moves nothing.
    assert_eq!((view.usage.count, view.usage.spent.len()), (2, 0));
}

/// Without an entry for the site, without the operation, without a policy that lets it: no message.
#[test]
fn invariant_08_what_policy_or_grant_does_not_name_is_not_signed() {
    let mut world = World::new();
    // Before any document names a site; and under a grant that names no operations.
    assert_eq!(
        bearer_login(&mut world, "a", "").map(drop),
        Err(vec![Code::SessionOperation, Code::SignInNotListed])
    );
    world
        .adopt(&with_sites(2, vec![site()]), true)
        .expect("a policy with a site");
    for operations in [None, Some(vec![Operation::NativeTransfer, Operation::Call])] {
        let secret = hash(
            Domain::SessionSecret,
            &[format!("{operations:?}").as_bytes()],
        );
        world.bearer = granted(&mut world, Credential::Bearer(secret), operations);
        assert_eq!(
            bearer_login(&mut world, "b", "").map(drop),
            Err(vec![Code::SessionOperation])
        );
    }
    assert!(logins(&world).is_empty());
    let mut world = self::world();
    for (from, to, code) in [
        (SITE, "evil.example", Code::SignInNotListed),
        ("/login", ".evil.com/login", Code::SignInUri),
        (
            r#""nonce":"oBbLoEldZs""#,
            r#""nonce":"oBbLoEldZs","resources":["ipfs://a"]"#,
            Code::SignInResource,
        ),
        (
            r#""nonce":"oBbLoEldZs""#,
            r#""nonce":"oBbLoEldZs","expires_in":601"#,
            Code::SignInValidity,
        ),
        ("eip155:31337", "eip155:1", Code::NetworkNotBound),
        (
            "\"nonce\"",
            "\"text\":\"hello\",\"nonce\"",
            Code::BodyMalformed,
        ),
        ("oBbLoEldZs", "short", Code::SignInMalformed),
        ("signer_", "signer_0", Code::BodyMalformed),
    ] {
        let honest = body(&world, EVM, "");
        let changed = honest.replacen(from, to, 1);
        assert_ne!(changed, honest, "{to}");
        let asked = request(world.bearer, to, changed);
        assert_eq!(
            ask(&mut world, asked, None).map(drop),
            Err(vec![code]),
            "{to}"
        );
    }
    let foreign = body(&world, EVM, "").replace(
        &world.evm_wallet.to_string(),
        "wallet_00000000000000000000000009",
    );
    let asked = request(world.bearer, "foreign", foreign);
    assert_eq!(
        ask(&mut world, asked, None).map(drop),
        Err(vec![Code::WalletUnknown])
    );
    assert!(logins(&world).is_empty());
}

/// A document that tightens binds at once, and one that loosens waits: both must let a login pass.
#[test]
fn invariant_10_every_binding_document_must_let_a_login_pass() {
    let mut world = World::new();
    super::people::main_network(&mut world);
    let epoch = world.state.policy_epoch() + 1;
    world
        .adopt(&with_sites(epoch, vec![site()]), true)
        .expect("adopted");
    world.bearer = {
        let secret = hash(Domain::SessionSecret, &[b"logins"]);
        granted(
            &mut world,
            Credential::Bearer(secret),
            Some(vec![Operation::SignIn]),
        )
    };
    // The document before still binds, and names no site.
    assert_eq!(
        bearer_login(&mut world, "a", "").map(drop),
        Err(vec![Code::SignInNotListed])
    );
    world.pass(Millis::from_hours(25));
    bearer_login(&mut world, "b", "").expect("matured");
    // Shorter, fewer and told: at once.
    let tighter = SignInRule {
        valid_for: Millis::from_secs(60),
        counts: Counts {
            day: Some(1),
            ..Counts::default()
        },
        ..site()
    };
    world
        .adopt(&with_sites(epoch + 1, vec![tighter]), true)
        .expect("adopted");
    assert_eq!(
        bearer_login(&mut world, "c", r#","expires_in":120"#).map(drop),
        Err(vec![Code::SignInValidity, Code::SignInCount])
    );
}

#[test]
fn invariant_09_logins_are_counted_over_rolling_windows() {
    let mut world = world();
    bearer_login(&mut world, "a", "").expect("the first");
    bearer_login(&mut world, "b", "").expect("the second");
    assert_eq!(
        bearer_login(&mut world, "c", "").map(drop),
        Err(vec![Code::SignInCount])
    );
    // Of each wallet: the other one has its own count.
    let body = body(&world, solana(), "");
    let asked = request(world.bearer, "d", body);
    ask(&mut world, asked, None).expect("another wallet");
    // A new document takes nothing from what was counted.
    world
        .adopt(&with_sites(3, vec![site()]), true)
        .expect("the same again");
    assert_eq!(
        bearer_login(&mut world, "e", "").map(drop),
        Err(vec![Code::SignInCount])
    );
    world.pass(Millis::from_secs(61 * 60));
    bearer_login(&mut world, "f", "").expect("an hour later");
    world.pass(Millis::from_secs(61 * 60));
    assert_eq!(
        bearer_login(&mut world, "g", "").map(drop),
        Err(vec![Code::SignInCount])
    );
    world.pass(Millis::from_hours(24));
    bearer_login(&mut world, "h", "").expect("a day later");
}

#[test]
fn a_session_whose_count_is_used_up_signs_in_no_more() {
    let mut world = world();
    let grant = SessionGrant {
        count: 1,
        operations: Some(vec![Operation::SignIn]),
        ..world.a_grant(Credential::Bearer(hash(Domain::SessionSecret, &[b"one"])))
    };
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    bearer_login(&mut world, "a", "").expect("the only one");
    assert_eq!(
        bearer_login(&mut world, "b", "").map(drop),
        Err(vec![Code::SessionCount])
    );
}

/// The same key and body give the same message, whenever; another body is an error.
#[test]
fn invariant_19_a_login_is_signed_once_for_its_key() {
    let mut world = world();
    let first = bearer_login(&mut world, "once", "").expect("signed");
    let entry = logins(&world)[0].clone();
    let events = world.events.len();
    // In the same batch, where the ledger does not know it yet.
    let again = bearer_login(&mut world, "once", "").expect("again");
    assert_eq!(again.message(), first.message());
    assert_eq!(
        bearer_login(&mut world, "once", r#","expires_in":60"#).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    // Later, found by the index: the same text, although the clock went on, and judged without its own
    // count, at its limit.
    world.commit();
    bearer_login(&mut world, "two", "").expect("the second in the hour");
    world.commit();
    world.pass(Millis::from_secs(30));
    let prior = || {
        Some(Used::SignedIn(Box::new(PriorLogin {
            sequence: 7,
            counted_at: world_time(&entry),
            entry: entry.clone(),
        })))
    };
    let own = world.bearer;
    let repeat = |world: &World| request(own, "once", body(world, EVM, ""));
    let asked = repeat(&world);
    let before = world.events.len();
    let late = ask(&mut world, asked, prior()).expect("again");
    assert_eq!(late.message(), first.message());
    assert_eq!(late.sealed().replay_of, Some(7));
    assert_eq!((world.events.len(), before), (before, events + 1));
    // An entry of another key is no answer to this one.
    let other = SignedIn {
        idempotency: hash(Domain::Idempotency, &[b"other"]),
        ..entry.clone()
    };
    let hint = Used::SignedIn(Box::new(PriorLogin {
        sequence: 7,
        counted_at: world_time(&entry),
        entry: other,
    }));
    let asked = repeat(&world);
    assert_eq!(
        ask(&mut world, asked, Some(hint)).map(drop),
        Err(vec![Code::SignInCount])
    );
    // A payment's key is no login's.
    world.pass(Millis::from_hours(2));
    let transfers = granted(
        &mut world,
        Credential::Bearer(hash(Domain::SessionSecret, &[b"both"])),
        Some(vec![Operation::NativeTransfer, Operation::SignIn]),
    );
    world.bearer = transfers;
    world.bearer_pay("shared", 1_000).expect("paid");
    assert_eq!(
        bearer_login(&mut world, "shared", "").map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    bearer_login(&mut world, "login", "").expect("signed");
    assert_eq!(
        world.bearer_pay("login", 1_000).map(drop),
        Err(vec![Code::IdempotencyConflict])
    );
    // The site was taken out: what was signed is not given again.
    world.adopt(&policy(3), true).expect("without the site");
    let asked = repeat(&world);
    assert_eq!(
        ask(&mut world, asked, prior()).map(drop),
        Err(vec![Code::SignInNotListed])
    );
}

fn world_time(_: &SignedIn) -> waiaas_shared::time::BudgetTime {
    waiaas_shared::time::BudgetTime::from_millis(0)
}

/// A bound session's login carries its agent's signature over this route, once (invariant 18).
#[test]
fn invariant_18_a_bound_session_signs_in_by_its_agent_alone() {
    let mut world = world();
    let plain = || request(world.keyed, "login", body(&world, EVM, ""));
    let sign = |request, nonce: &str| signed(&world, request, &agent_key(), nonce);
    let stranger = SigningKey::from_bytes(&[1; 32]);
    let other_path = SessionRequest {
        path: "/v1/transactions".to_owned(),
        ..plain()
    };
    let other_body = SessionRequest {
        body: body(&world, EVM, r#","expires_in":60"#).into_bytes(),
        ..sign(plain(), "c")
    };
    let cases = [
        (plain(), Code::RequestSignatureMissing),
        (
            signed(&world, plain(), &stranger, "a"),
            Code::RequestSignatureInvalid,
        ),
        (sign(other_path, "b"), Code::RequestSignatureInvalid),
        (other_body, Code::RequestSignatureInvalid),
    ];
    let good = sign(plain(), "d");
    let reused = sign(request(world.keyed, "login-2", body(&world, EVM, "")), "d");
    for (asked, code) in cases {
        assert_eq!(
            ask(&mut world, asked, None).map(drop),
            Err(vec![code]),
            "{code}"
        );
    }
    ask(&mut world, good, None).expect("signed");
    assert_eq!(
        ask(&mut world, reused, None).map(drop),
        Err(vec![Code::RequestNonceReused])
    );
    let entry = logins(&world)[0];
    assert!(entry.request_nonce.is_some());
}

#[test]
fn invariant_16_nothing_signs_in_while_stopped() {
    let stops: [(Stop, Code); 4] = [
        (
            |_| Command::Pause {
                wallet: None,
                origin: Origin::Gateway,
            },
            Code::Frozen,
        ),
        (
            |world| Command::Pause {
                wallet: Some(world.evm_wallet),
                origin: Origin::Gateway,
            },
            Code::WalletPaused,
        ),
        (
            |world| Command::RevokeSession {
                session: world.bearer,
                origin: Origin::Gateway,
            },
            Code::SessionRevoked,
        ),
        (|_| Command::Kill(Origin::Gateway), Code::SessionRevoked),
    ];
    for (stop, code) in stops {
        let mut world = world();
        bearer_login(&mut world, "before", "").expect("signed");
        let command = stop(&world);
        world.run(&command).expect("stopped");
        assert_eq!(
            bearer_login(&mut world, "after", "").map(drop),
            Err(vec![code])
        );
        // Nor is what was signed given again.
        assert_eq!(
            bearer_login(&mut world, "before", "").map(drop),
            Err(vec![code])
        );
        assert_eq!(logins(&world).len(), 1);
    }
}

/// An agent that is suspended or terminated signs in no more; its session's end is durable once seen.
#[test]
fn an_ended_session_signs_in_no_more() {
    let mut world = world();
    world.pass(Millis::from_hours(24 * 41));
    assert_eq!(
        bearer_login(&mut world, "late", "").map(drop),
        Err(vec![Code::SessionExpired])
    );
    let session = world.bearer;
    assert_eq!(
        world.events.last(),
        Some(&EventBody::SessionExpired { session })
    );
}

#[test]
fn a_dry_run_reserves_nothing_and_tells_the_tier() {
    let mut world = world();
    let events = world.events.len();
    let mut judge = |more: &str| {
        let asked = MessageRequest {
            request: SessionRequest {
                idempotency_key: String::new(),
                ..request(world.keyed, "", body(&world, EVM, more))
            },
            used: None,
            dry_run: true,
        };
        world.run(&Command::SignIn(asked))
    };
    assert!(matches!(judge(""), Ok(Outcome::WouldSignIn(Tier::Notify))));
    let refused = judge(r#","expires_in":601"#).map(drop);
    assert_eq!(refused, Err(vec![Code::SignInValidity]));
    assert_eq!(world.events.len(), events);
}

/// The wallet moved to a new key: the message names the former one, and is not signed again.
#[test]
fn a_rotated_wallet_signs_no_message_of_its_former_key() {
    let mut world = world();
    bearer_login(&mut world, "once", "").expect("signed");
    let entry = logins(&world)[0].clone();
    world.commit();
    super::rotation::rotate(&mut world, 7).expect("rotated");
    let prior = Used::SignedIn(Box::new(PriorLogin {
        sequence: 7,
        counted_at: world_time(&entry),
        entry,
    }));
    let asked = request(world.bearer, "once", body(&world, EVM, ""));
    assert_eq!(
        ask(&mut world, asked, Some(prior)).map(drop),
        Err(vec![Code::WalletClosed])
    );
    let fresh = bearer_login(&mut world, "new", "").expect("with the new key");
    assert_eq!(fresh.path().index, 1);
}

/// The upper side of the wall clock ends things early: what holds for minutes is granted from the lower side, or a
/// clock that was ahead would make it hold for as much longer at every site with the right time.
#[test]
fn invariant_11_a_clock_that_is_ahead_makes_no_login_last() {
    let mut world = world();
    let before = world.clocks.wall;
    let ahead = before.after(Millis::from_hours(24 * 20));
    (world.clocks.wall, world.steady) = (ahead, Some(before));
    let order = bearer_login(&mut world, "a", "").expect("signed");
    let entry = logins(&world).last().expect("an event").fields.clone();
    assert_eq!(
        (entry.issued, entry.expires),
        (before, before.after(Millis::from_secs(600)))
    );
    assert!(order.message().text().contains(&before.rfc3339()));
    // The same once more is the same, whatever the clock says by then.
    world.steady = Some(ahead);
    let again = bearer_login(&mut world, "a", "").expect("signed");
    assert_eq!(again.message().text(), order.message().text());
}
