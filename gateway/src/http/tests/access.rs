//! Who may call what: Host, Origin, target, token, signature, session.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::view::SessionState;

use crate::http::openapi;
use crate::testing::{
    Call, Mood, SECRET, World, bearer, bound, chain_id, code, other, session, wallet,
};

/// Every route as its own description tells: path, method, and whether it is open.
fn routes() -> Vec<(String, Method, bool)> {
    let document: Value = serde_json::from_str(openapi::text()).expect("JSON");
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // Owners' routes have tests of their own: `http/owner/tests/access.rs`.
        if path.starts_with("/v1/owner/") {
            continue;
        }
        for (method, operation) in methods.as_object().expect("methods") {
            let security = operation["security"]
                .as_array()
                .unwrap_or_else(|| panic!("{path} declares none"));
            let open = security
                .iter()
                .any(|one| one.as_object().is_some_and(serde_json::Map::is_empty));
            let method = method.to_uppercase().parse().expect("a method");
            routes.push((path.clone(), method, open));
        }
    }
    assert_eq!(
        routes.len(),
        28,
        "a route that is not described, or not counted here"
    );
    routes
}

/// A path with its parameters filled in.
fn concrete(path: &str) -> String {
    path.replace("{wallet}", &wallet().to_string())
        .replace("{network}", &chain_id().to_string())
        .replace("{transaction}", "tx_00000000000000000000000001")
}

/// N-, S- and G-cases at once: without a token everything but what is declared open is refused, whatever
/// stands in the token's place.
#[tokio::test]
async fn nothing_but_open_routes_answers_a_stranger() {
    let world = World::new().await;
    let stranger = world
        .app
        .tokens
        .issue(session(99), world.app.clock.now())
        .expect("issued")
        .token;
    let secret = format!("waiaas_{}_{}", bearer(), bs58::encode(SECRET).into_string());
    for (path, method, open) in routes() {
        let target = concrete(&path);
        let call = || Call::new(method.clone(), &target);
        let (status, problem) = world.call(call().json("{}")).await;
        if open {
            assert!(status.is_success(), "{method} {path}: {status} {problem}");
            continue;
        }
        assert_eq!(status.as_u16(), 401, "{method} {path}");
        if path == "/v1/session/token" {
            assert_eq!(code(&problem), "credential_invalid");
            continue;
        }
        assert_eq!(code(&problem), "token_missing", "{method} {path}");
        for (token, expected) in [
            ("", "token_invalid"),
            ("x", "token_invalid"),
            (&*secret, "token_invalid"),
            (&*stranger, "session_unknown"),
        ] {
            let (status, problem) = world.call(call().token(token).json("{}")).await;
            assert_eq!(
                (status.as_u16(), code(&problem)),
                (401, expected),
                "{method} {path} {token}"
            );
        }
        let token = world.token(bearer());
        for refused in [
            call().header("authorization", &format!("Basic {token}")),
            call().header("authorization", &token),
            call().token(&token).token(&token),
            call().header("cookie", &format!("token={token}")),
            call().header("x-http-method-override", "GET"),
        ] {
            let (status, _) = world.call(refused.json("{}")).await;
            assert!(
                [400, 401].contains(&status.as_u16()),
                "{method} {path} {status}"
            );
        }
    }
    assert_eq!(
        world.signer.count("sign") + world.signer.count("kill") + world.signer.count("pause"),
        0
    );
}

/// S07: a session that ended answers nothing, at once, whatever its token's age.
#[tokio::test]
async fn an_ended_session_is_refused_everywhere() {
    let world = World::new().await;
    for (state, expected) in [
        (SessionState::Revoked, "session_revoked"),
        (SessionState::Expired, "session_expired"),
    ] {
        world.signer.with(|inside| {
            inside.sessions.get_mut(&bearer()).expect("there").state = state;
        });
        let sequence = world.signer.append(EventBody::SessionRevoked {
            session: bearer(),
            origin: Origin::Admin,
        });
        world
            .until(|world| world.app.feed().sequence >= sequence)
            .await;
        for (path, method, open) in routes() {
            if open || path == "/v1/session/token" {
                continue;
            }
            let call = Call::new(method, &concrete(&path)).token(&world.token(bearer()));
            let (status, problem) = world.call(call.json("{}")).await;
            assert_eq!((status.as_u16(), code(&problem)), (401, expected), "{path}");
        }
    }
    // Its end by the clock alone, without an event.
    world
        .clock
        .store(crate::testing::NOON + 31 * 24 * 3_600_000, Ordering::SeqCst);
    let (status, problem) = world.get("/v1/session", other()).await;
    assert_eq!((status.as_u16(), code(&problem)), (401, "session_expired"));
}

/// A suspended session pays nothing, and may be read and stop what is its own.
#[tokio::test]
async fn a_suspended_session_pays_nothing_and_is_not_gone() {
    let world = World::new().await;
    world.signer.with(|inside| {
        inside.sessions.get_mut(&bearer()).expect("there").state = SessionState::Suspended;
    });
    let sequence = world
        .signer
        .append(EventBody::SessionSuspended { session: bearer() });
    world
        .until(|world| world.app.feed().sequence >= sequence)
        .await;
    let (status, view) = world.get("/v1/session", bearer()).await;
    assert_eq!(
        (status.as_u16(), view["state"].as_str()),
        (200, Some("suspended"))
    );
    let pay = Call::new(Method::POST, "/v1/transactions")
        .token(&world.token(bearer()))
        .header("idempotency-key", "suspended")
        .json(&world.body());
    let (status, problem) = world.call(pay).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (403, "session_suspended")
    );
    assert_eq!(world.signer.count("sign"), 0);
    let pause = Call::new(Method::POST, "/v1/pause")
        .token(&world.token(bearer()))
        .json(&json!({"wallet": wallet()}).to_string());
    let (status, answer) = world.call(pause).await;
    assert!(status.is_success(), "{answer}");
}

/// S01, S03, S04: a bound session's token alone changes nothing; nor does a signature of something else.
#[tokio::test]
async fn a_bound_session_needs_its_agents_signature() {
    let world = World::new().await;
    let token = world.token(bound());
    let body = world.body();
    let pause = json!({"wallet": wallet()}).to_string();
    let mutating = [
        ("/v1/transactions", body.as_str()),
        ("/v1/session/revoke", "{}"),
        ("/v1/pause", pause.as_str()),
        ("/v1/kill", "{}"),
    ];
    for (target, body) in mutating {
        let bare = Call::new(Method::POST, target)
            .token(&token)
            .header("idempotency-key", "k")
            .json(body);
        let (status, problem) = world.call(bare).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "request_signature_missing"),
            "{target}"
        );

        let stranger = SigningKey::from_bytes(&[77; 32]);
        let wrong_key = world
            .signed_by(&stranger, target, "nonce-nonce-nonce-0", body)
            .token(&token)
            .json(body);
        let (status, problem) = world.call(wrong_key).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "request_signature_invalid"),
            "{target}"
        );
        let expected = problem["expected_signature_base"].as_str().expect("shown");
        assert!(expected.starts_with("\"@method\": POST\n"), "{expected}");
        assert_eq!(problem["server_time_seconds"], crate::testing::NOON / 1000);

        let elsewhere = world.signed("/v1/other", "nonce-nonce-nonce-1", body);
        let moved = retarget(elsewhere.token(&token).json(body), target);
        let (status, problem) = world.call(moved).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "request_signature_invalid"),
            "{target}"
        );

        let other_body = world
            .signed(target, "nonce-nonce-nonce-2", "{\"x\":1}")
            .token(&token)
            .json(body);
        let (status, _) = world.call(other_body).await;
        assert_eq!(status.as_u16(), 401, "{target}");

        let query = world.signed(target, "nonce-nonce-nonce-3", body);
        let queried = retarget(query.token(&token).json(body), &format!("{target}?wait=1"));
        let (status, _) = world.call(queried).await;
        assert_eq!(status.as_u16(), 401, "{target}");

        let twice = world
            .signed(target, "nonce-nonce-nonce-4", body)
            .header("signature", "waiaas=:AAAA:")
            .token(&token)
            .json(body);
        let (status, problem) = world.call(twice).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (400, "header_malformed"),
            "{target}"
        );
    }
    assert_eq!(world.signer.count("kill") + world.signer.count("pause"), 0);
    assert!(world.signer.with(|inside| inside.signed.is_empty()));

    // And the real one passes, with everything that the signer needs to verify it again.
    let target = "/v1/transactions";
    let real = world
        .signed(target, "nonce-nonce-nonce-5", &body)
        .token(&token)
        .json(&body);
    let (status, paid) = world.call(real).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    let seen = world.signer.with(|inside| inside.signed[0].clone());
    assert_eq!(
        (
            seen.method.as_str(),
            seen.path.as_str(),
            seen.query.as_str()
        ),
        ("POST", target, "?")
    );
    assert_eq!(seen.body, body.as_bytes());
    assert!(
        seen.signature_input.contains("nonce-nonce-nonce-5")
            && seen.signature.starts_with("waiaas=:")
    );
}

/// Whatever stands in the way of a payment, it is told to the session's agent only: the signer, which
/// verifies the signature of what it accepts, may refuse for another reason or be away.
#[tokio::test]
async fn a_stranger_learns_nothing_from_a_refused_payment() {
    let world = World::new().await;
    let token = world.token(bound());
    let body = world.body();
    let target = "/v1/transactions";
    let (status, _) = world
        .call(
            world
                .signed(target, "nonce-nonce-nonce-0", &body)
                .token(&token)
                .json(&body),
        )
        .await;
    assert_eq!(status.as_u16(), 201);
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let moods = [
        Mood::Denies(Code::HourLimit.into()),
        Mood::Denies(Code::IdempotencyConflict.into()),
        Mood::Down,
    ];
    for mood in moods {
        world.signer.with(|inside| inside.mood = mood.clone());
        let call = world.signed_by(&stranger, target, "nonce-nonce-nonce-0", &body);
        let (status, problem) = world.call(call.token(&token).json(&body)).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "request_signature_invalid"),
            "{mood:?}"
        );
        let call = world.signed(target, "nonce-nonce-nonce-0", &body);
        let (_, answer) = world.call(call.token(&token).json(&body)).await;
        assert_ne!(answer["code"], "request_signature_invalid", "{mood:?}");
    }
}

fn retarget(mut request: Request<Body>, target: &str) -> Request<Body> {
    *request.uri_mut() = target.parse().expect("a target");
    request
}

#[tokio::test]
async fn signatures_of_another_time_are_refused_with_the_servers() {
    let world = World::new().await;
    let body = world.body();
    for (shift, passes) in [
        (-121_000_i64, false),
        (121_000, false),
        (-119_000, true),
        (119_000, true),
    ] {
        world.clock.store(crate::testing::NOON, Ordering::SeqCst);
        let call = world.signed("/v1/transactions", "nonce-nonce-nonce-0", &body);
        let now = crate::testing::NOON.saturating_add_signed(-shift);
        world.clock.store(now, Ordering::SeqCst);
        let (status, problem) = world
            .call(call.token(&world.token(bound())).json(&body))
            .await;
        assert_eq!(status.is_success(), passes, "{shift}: {problem}");
        if !passes {
            assert_eq!(code(&problem), "request_time_skew");
            assert_eq!(problem["server_time_seconds"], now / 1000);
        }
    }
}

/// A session is not another: a signature by the right key under another session's token.
#[tokio::test]
async fn a_signature_belongs_to_the_session_of_the_token() {
    let world = World::new().await;
    let key = world
        .signer
        .with(|inside| inside.sessions[&bound()].grant.credential);
    world.signer.with(|inside| {
        inside
            .sessions
            .get_mut(&other())
            .expect("there")
            .grant
            .credential = key;
    });
    let body = world.body();
    let call = world.signed("/v1/transactions", "nonce-nonce-nonce-0", &body);
    let (status, problem) = world
        .call(call.token(&world.token(other())).json(&body))
        .await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_signature_invalid")
    );
}

/// G17: what belongs to another session does not exist.
#[tokio::test]
async fn sessions_see_their_own_payments_only() {
    let world = World::new().await;
    let (_, paid) = world.pay("k", &world.body()).await;
    let id = paid["transaction"]
        .as_str()
        .expect("an identifier")
        .to_owned();
    let target = format!("/v1/transactions/{id}");
    assert_eq!(world.get(&target, bearer()).await.0.as_u16(), 200);
    let (status, problem) = world.get(&target, other()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (404, "transaction_unknown")
    );
    let (_, unknown) = world
        .get("/v1/transactions/tx_00000000000000000000000099", other())
        .await;
    assert_eq!(unknown, problem, "a stranger learns that it exists");
    let (_, own) = world.get("/v1/transactions", bearer()).await;
    assert_eq!(own["transactions"][0]["transaction"], id.as_str());
    let (_, none) = world.get("/v1/transactions", other()).await;
    assert_eq!(none["transactions"], json!([]));
    // The same key in another session is another payment.
    let (status, second) = world
        .call(world.payment("/v1/transactions", other(), "k", &world.body()))
        .await;
    assert_eq!(status.as_u16(), 201);
    assert_ne!(second["transaction"], paid["transaction"]);

    let (_, wallets) = world.get("/v1/wallets", bearer()).await;
    assert_eq!(
        wallets["wallets"].as_array().map(Vec::len),
        Some(1),
        "{wallets}"
    );
    let (status, held) = world
        .get(&format!("/v1/wallets/{}/balances", wallet()), bearer())
        .await;
    assert_eq!(status.as_u16(), 200);
    assert_eq!(held["balances"][0]["amount_base"], "123");
    assert_eq!(held["balances"][0]["network"], chain_id().to_string());
    assert_eq!(held["balances"][0]["symbol"], "SOL");
    // A token that policy does not have is shown, without words that only an owner could give it.
    let token = &held["balances"][1];
    assert_eq!(token["amount_base"], "456");
    assert!(token["asset"].as_str().expect("a name").contains("/token:"));
    assert_eq!(token.get("symbol"), None);
    assert_eq!(token["registered"], false);
    assert_eq!(held.get("incomplete"), None);
    let foreign = waiaas_shared::ids::WalletId::from_bytes([6; 16]);
    let (status, _) = world
        .get(&format!("/v1/wallets/{foreign}/balances"), bearer())
        .await;
    assert_eq!(status.as_u16(), 404);
}

/// N09, G26: refusals tell codes and nothing of the machine.
#[tokio::test]
async fn refusals_hold_no_secret_and_no_path() {
    let world = World::new().await;
    let token = world.token(bearer());
    let secret = bs58::encode(SECRET).into_string();
    world.signer.set(Mood::Down);
    let mut seen = String::new();
    for (path, method, _) in routes() {
        let credential = format!("waiaas_{}_{secret}", bearer());
        for authorization in [&token, &credential] {
            let call = Call::new(method.clone(), &concrete(&path)).token(authorization);
            let (_, told) = world.call(call.json("{\"a\":\"<script>\"}")).await;
            seen.push_str(&told.to_string());
        }
    }
    let (token_body, _) = token.rsplit_once('.').expect("a token");
    for needle in [
        &*secret,
        token_body,
        "gateway.sock",
        ".rs",
        "/home/",
        "panicked",
        "<script>",
    ] {
        assert!(!seen.contains(needle), "{needle}");
    }
}
