//! Logins at web sites: passed on as they came, judged by the signer alone.

use axum::http::Method;
use serde_json::{Value, json};
use waiaas_shared::denial::Code;

use crate::testing::{Call, Mood, World, bearer, bound, chain_id, code, wallet};

const TARGET: &str = "/v1/messages/sign-in";

fn body(world: &World) -> Value {
    json!({
        "signer": world.signer.id(),
        "wallet": wallet(),
        "network": chain_id(),
        "domain": "app.example.org",
        "uri": "https://app.example.org/login",
        "nonce": "oBbLoEldZs",
    })
}

#[tokio::test]
async fn a_login_is_passed_on_as_it_came_and_answered_with_its_signature() {
    let world = World::new().await;
    let (token, body) = (world.token(bearer()), body(&world).to_string());
    let post = |target: &str, key: &str| {
        Call::new(Method::POST, target)
            .token(&token)
            .header("idempotency-key", key)
            .json(&body)
    };
    let (status, signed) = world.call(post(TARGET, "login-1")).await;
    assert_eq!(status.as_u16(), 201, "{signed}");
    assert_eq!(signed["envelope"], "offchain-v1");
    assert_eq!(signed["payload"], "/wE=");
    assert_eq!(signed["signature"], bs58::encode([7; 64]).into_string());
    assert_eq!(
        (&signed["tier"], &signed["replay"]),
        (&json!("NOTIFY"), &json!(false))
    );
    let (status, again) = world.call(post(TARGET, "login-1")).await;
    assert_eq!((status.as_u16(), &again["replay"]), (200, &json!(true)));
    let passed = world.signer.with(|inside| inside.logins.clone());
    assert_eq!(passed.len(), 2);
    assert_eq!(
        (passed[0].method.as_str(), passed[0].path.as_str()),
        ("POST", TARGET)
    );
    assert_eq!(passed[0].body, body.as_bytes());
    // Without a key nothing is asked, and a query is nothing that the signer would see signed.
    let keyless = Call::new(Method::POST, TARGET).token(&token).json(&body);
    assert_eq!(
        code(&world.call(keyless).await.1),
        "idempotency_key_invalid"
    );
    let query = format!("{TARGET}?wait=1");
    assert_eq!(
        code(&world.call(post(&query, "login-2")).await.1),
        "query_malformed"
    );
    // A bound session's signature travels along.
    let bound_token = world.token(bound());
    let unsigned = Call::new(Method::POST, TARGET)
        .token(&bound_token)
        .json(&body);
    assert_eq!(
        code(&world.call(unsigned).await.1),
        "request_signature_missing"
    );
    let signed = world
        .signed(TARGET, "nonce-nonce-nonce-0", &body)
        .token(&bound_token)
        .json(&body);
    assert_eq!(world.call(signed).await.0.as_u16(), 200);
    let passed = world.signer.with(|inside| inside.logins.clone());
    assert!(passed[2].signature_input.contains("nonce-nonce-nonce-0"));
}

#[tokio::test]
async fn what_is_no_login_never_reaches_the_signer() {
    let world = World::new().await;
    let token = world.token(bearer());
    let post = |body: String| {
        Call::new(Method::POST, TARGET)
            .token(&token)
            .header("idempotency-key", "login-1")
            .json(&body)
    };
    for (field, value, refused) in [
        ("message", json!("hello"), "body_malformed"),
        ("digest", json!("00"), "body_malformed"),
        ("domain", json!("user@app.example.org"), "sign_in_malformed"),
        ("statement", json!("two\nlines"), "sign_in_malformed"),
        ("nonce", json!("short"), "sign_in_malformed"),
        (
            "signer",
            json!("signer_00000000000000000000000009"),
            "signer_mismatch",
        ),
        (
            "wallet",
            json!("wallet_00000000000000000000000009"),
            "session_wallet",
        ),
    ] {
        let mut body = body(&world);
        body[field] = value;
        let (status, problem) = world.call(post(body.to_string())).await;
        assert!(status.is_client_error(), "{field}");
        assert_eq!(code(&problem), refused, "{field}");
    }
    assert_eq!(world.signer.count("sign_in"), 0);
}

#[tokio::test]
async fn a_dry_run_tells_every_rule_and_a_state_is_none() {
    let world = World::new().await;
    let target = format!("{TARGET}/dry-run");
    let (token, body) = (world.token(bearer()), body(&world).to_string());
    let ask = || Call::new(Method::POST, &target).token(&token).json(&body);
    let (status, judged) = world.call(ask()).await;
    assert_eq!(status.as_u16(), 200, "{judged}");
    assert_eq!(
        (&judged["allowed"], &judged["tier"]),
        (&json!(true), &json!("NOTIFY"))
    );
    world
        .signer
        .with(|inside| inside.mood = Mood::Denies(Code::SignInNotListed.into()));
    let (status, judged) = world.call(ask()).await;
    assert_eq!((status.as_u16(), &judged["allowed"]), (200, &json!(false)));
    assert_eq!(judged["violations"][0]["code"], "sign_in_not_listed");
    world
        .signer
        .with(|inside| inside.mood = Mood::Denies(Code::Frozen.into()));
    assert_eq!(world.call(ask()).await.0.as_u16(), 503);
    assert_eq!(world.signer.count("sign_in"), 0);
}
