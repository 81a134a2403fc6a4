//! Tokens for sessions, and what a session may stop.

use axum::http::Method;
use ed25519_dalek::SigningKey;
use serde_json::json;
use waiaas_shared::session::Renewal;
use waiaas_shared::time::Millis;

use crate::testing::{Call, SECRET, World, bearer, bound, code, session, wallet};

#[tokio::test]
async fn tokens_are_given_for_a_secret_or_a_signature() {
    let world = World::new().await;
    let target = "/v1/session/token";
    let ask = |credential: &str| Call::new(Method::POST, target).token(credential).empty();
    let secret = bs58::encode(SECRET).into_string();
    let (status, given) = world
        .call(ask(&format!("waiaas_{}_{secret}", bearer())))
        .await;
    assert_eq!(status.as_u16(), 200, "{given}");
    assert_eq!(given["expires_in"], 900);
    let token = given["token"].as_str().expect("a token");
    let (status, shown) = world
        .call(Call::new(Method::GET, "/v1/session").token(token).empty())
        .await;
    assert_eq!(
        (status.as_u16(), &shown["session"]),
        (200, &json!(bearer()))
    );

    let wrong = bs58::encode([6; 32]).into_string();
    for credential in [
        format!("waiaas_{}_{wrong}", bearer()),
        format!("waiaas_{}_{secret}", bound()),
        format!("waiaas_{}_{secret}", session(99)),
        format!("waiaas_{}_", bearer()),
        format!(
            "waiaas_{}_{}",
            bearer(),
            bs58::encode([5; 31]).into_string()
        ),
        format!("waiaas_{}_{secret}0", bearer()),
        format!("{}_{secret}", bearer()),
        token.to_owned(),
    ] {
        let (status, problem) = world.call(ask(&credential)).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "credential_invalid"),
            "{credential}"
        );
    }
    let in_query = Call::new(Method::POST, &format!("{target}?secret={secret}")).empty();
    assert_eq!(world.call(in_query).await.0.as_u16(), 400);
    let unknown_body = Call::new(Method::POST, target)
        .token("x")
        .json("{\"session\":1}");
    assert_eq!(world.call(unknown_body).await.0.as_u16(), 400);

    let signed = || world.signed(target, "nonce-nonce-nonce-0", "");
    let (status, given) = world.call(signed().empty()).await;
    assert_eq!(
        (status.as_u16(), &given["session"]),
        (200, &json!(bound())),
        "{given}"
    );
    // S02: the same proof counts once.
    let (status, problem) = world.call(signed().empty()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_nonce_reused")
    );
    let (status, _) = world
        .call(world.signed(target, "nonce-nonce-nonce-1", "").empty())
        .await;
    assert_eq!(status.as_u16(), 200);
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let forged = world
        .signed_by(&stranger, target, "nonce-nonce-nonce-2", "")
        .empty();
    assert_eq!(world.call(forged).await.0.as_u16(), 401);
}

/// S02: also by a gateway that was restarted on the same data.
#[tokio::test]
async fn a_proof_is_not_accepted_again_after_a_restart() {
    let world = World::new().await;
    let signed = |world: &World| {
        world
            .signed("/v1/session/token", "nonce-nonce-nonce-0", "")
            .empty()
    };
    assert_eq!(world.call(signed(&world)).await.0.as_u16(), 200);
    let (signer, chain, database) = (
        world.signer.clone(),
        world.chain.clone(),
        world.app.database.clone(),
    );
    drop(world);
    let world = World::with(signer, chain, database).await;
    let (status, problem) = world.call(signed(&world)).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_nonce_reused")
    );
}

/// The request goes to the signer as it came; the gateway decides nothing but who asks.
#[tokio::test]
async fn a_renewal_is_passed_on_and_shown() {
    let world = World::new().await;
    let target = "/v1/session/renew";
    let body = json!({"signer": world.signer.id()}).to_string();
    let (token, shown) = (world.token(bearer()), || world.get("/v1/session", bearer()));
    let post = |body: &str| {
        Call::new(Method::POST, target)
            .token(&token)
            .header("idempotency-key", "renew-1")
            .json(body)
    };
    // The grant allows none.
    let (status, problem) = world.call(post(&body)).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (403, "session_not_renewable"),
        "{problem}"
    );
    assert_eq!(shown().await.1.get("renewal"), None);
    let until = world.signer.with(|inside| {
        inside.renewals.clear();
        let mut until = None;
        for view in inside.sessions.values_mut() {
            let renewal = Renewal {
                extends: Millis::from_hours(12),
                until: view.grant.expires.after(Millis::from_hours(48)),
                count: 4,
            };
            view.grant.renewal = Some(renewal);
            until = Some(renewal.until);
        }
        until.expect("sessions")
    });
    let (_, before) = shown().await;
    assert_eq!(before["renewal"]["used"], 0);
    assert_eq!(before["renewal"]["extends_seconds"], 12 * 3600);
    assert_ne!(before["expires_at"], before["renewal"]["absolute_end"]);
    let (status, renewed) = world.call(post(&body)).await;
    assert_eq!(status.as_u16(), 200, "{renewed}");
    assert_eq!(renewed["session"], json!(bearer()));
    assert_eq!(renewed["expires_at"], json!(crate::clock::rfc3339(until)));
    let (_, after) = shown().await;
    assert_eq!(after["expires_at"], renewed["expires_at"]);
    assert_eq!(after["renewal"]["used"], 1);
    let passed = world.signer.with(|inside| inside.renewals.clone());
    assert_eq!(passed.len(), 1);
    assert_eq!(
        (passed[0].method.as_str(), passed[0].path.as_str()),
        ("POST", target)
    );
    assert_eq!(passed[0].body, body.as_bytes());
    assert_eq!(passed[0].idempotency_key, "renew-1");

    // A bound session's signature travels along; without it nothing is asked.
    let bound_token = world.token(bound());
    let unsigned = Call::new(Method::POST, target)
        .token(&bound_token)
        .json(&body);
    let (status, problem) = world.call(unsigned).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_signature_missing")
    );
    let signed = world
        .signed(target, "nonce-nonce-nonce-0", &body)
        .token(&bound_token)
        .json(&body);
    assert_eq!(world.call(signed).await.0.as_u16(), 200);
    let passed = world.signer.with(|inside| inside.renewals.clone());
    assert_eq!(passed.len(), 2);
    assert!(passed[1].signature_input.contains("nonce-nonce-nonce-0"));
    assert!(!passed[1].signature.is_empty());

    // A payment's signature does not get past the gateway either.
    let elsewhere = world
        .signed("/v1/transactions", "nonce-nonce-nonce-1", &body)
        .header("x-note", "moved");
    let moved = elsewhere.token(&bound_token).json(&body);
    let (mut parts, moved_body) = moved.into_parts();
    parts.uri = target.parse().expect("a path");
    let moved = axum::http::Request::from_parts(parts, moved_body);
    let (status, problem) = world.call(moved).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_signature_invalid")
    );
    let query = Call::new(Method::POST, &format!("{target}?wait=1"))
        .token(&token)
        .json(&body);
    assert_eq!(world.call(query).await.0.as_u16(), 400);
}

#[tokio::test]
async fn stopping_is_once_and_within_the_session() {
    let world = World::new().await;
    let token = world.token(bound());
    let pause = json!({"wallet": wallet()}).to_string();
    let signed = || {
        world
            .signed("/v1/pause", "nonce-nonce-nonce-0", &pause)
            .token(&token)
            .json(&pause)
    };
    assert_eq!(world.call(signed()).await.0.as_u16(), 200);
    assert_eq!(code(&world.call(signed()).await.1), "request_nonce_reused");
    assert_eq!(world.signer.count("pause"), 1);

    let post = |target: &str, body: &str| {
        Call::new(Method::POST, target)
            .token(&world.token(bearer()))
            .json(body)
    };
    let foreign = json!({"wallet": "wallet_00000000000000000000000009"}).to_string();
    assert_eq!(
        code(&world.call(post("/v1/pause", &foreign)).await.1),
        "session_wallet"
    );
    for body in ["{}", "", "{\"wallet\":\"\"}", "{\"wallet\":null}", "[]"] {
        assert_eq!(
            world.call(post("/v1/pause", body)).await.0.as_u16(),
            400,
            "{body}"
        );
    }
    assert_eq!(
        world
            .call(post("/v1/kill", "{\"force\":true}"))
            .await
            .0
            .as_u16(),
        400
    );
    assert_eq!(
        (world.signer.count("pause"), world.signer.count("kill")),
        (1, 0)
    );
    assert_eq!(world.call(post("/v1/kill", "")).await.0.as_u16(), 200);
    assert_eq!(world.signer.count("kill"), 1);
    assert_eq!(
        world
            .call(post("/v1/session/revoke", "{}"))
            .await
            .0
            .as_u16(),
        200
    );
    assert_eq!(
        code(&world.get("/v1/session", bearer()).await.1),
        "session_revoked"
    );
}
