//! Transfer authorizations: passed on as they came, judged by the signer alone, answered in the names of EIP-3009.

use axum::http::Method;
use serde_json::{Value, json};
use waiaas_shared::denial::Code;

use crate::testing::{Call, Mood, World, bearer, bound, code, wallet};

const TARGET: &str = "/v1/messages/transfer-authorization";
const TOKEN: &str = "eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e";

fn body(world: &World) -> Value {
    json!({
        "signer": world.signer.id(),
        "wallet": wallet(),
        "network": "eip155:84532",
        "asset": TOKEN,
        "to": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
        "amount": "0.01",
    })
}

#[tokio::test]
async fn an_authorization_is_passed_on_as_it_came_and_answered_for_any_client() {
    let world = World::new().await;
    let (token, body) = (world.token(bearer()), body(&world).to_string());
    let post = |target: &str, key: &str| {
        Call::new(Method::POST, target)
            .token(&token)
            .header("idempotency-key", key)
            .json(&body)
    };
    let (status, signed) = world.call(post(TARGET, "paid-1")).await;
    assert_eq!(status.as_u16(), 201, "{signed}");
    assert_eq!(
        signed["authorization"],
        json!({
            "from": "0x0101010101010101010101010101010101010101",
            "to": "0x0202020202020202020202020202020202020202",
            "value": "10000",
            "validAfter": "0",
            "validBefore": "1800000300",
            "nonce": format!("0x{}", "03".repeat(32)),
        })
    );
    assert_eq!(
        signed["domain"],
        json!({
            "name": "Test Dollar",
            "version": "1",
            "chainId": 84532,
            "verifyingContract": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        })
    );
    assert_eq!(signed["signature"], format!("0x{}", "07".repeat(65)));
    assert_eq!(
        (&signed["tier"], &signed["replay"], &signed["sequence"]),
        (&json!("INSTANT"), &json!(false), &json!(79))
    );
    let (status, again) = world.call(post(TARGET, "paid-1")).await;
    assert_eq!((status.as_u16(), &again["replay"]), (200, &json!(true)));
    let passed = world.signer.with(|inside| inside.authorizations.clone());
    assert_eq!(passed.len(), 2);
    assert_eq!(
        (passed[0].method.as_str(), passed[0].path.as_str()),
        ("POST", TARGET)
    );
    assert_eq!(passed[0].body, body.as_bytes());
    let keyless = Call::new(Method::POST, TARGET).token(&token).json(&body);
    assert_eq!(
        code(&world.call(keyless).await.1),
        "idempotency_key_invalid"
    );
    let query = format!("{TARGET}?wait=1");
    assert_eq!(
        code(&world.call(post(&query, "paid-2")).await.1),
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
    let passed = world.signer.with(|inside| inside.authorizations.clone());
    assert!(passed[2].signature_input.contains("nonce-nonce-nonce-0"));
}

#[tokio::test]
async fn typed_data_and_other_bodies_never_reach_the_signer() {
    let world = World::new().await;
    let token = world.token(bearer());
    let post = |body: String| {
        Call::new(Method::POST, TARGET)
            .token(&token)
            .header("idempotency-key", "paid-1")
            .json(&body)
    };
    for (field, value, refused) in [
        ("types", json!({}), "typed_data_unsupported"),
        ("primaryType", json!("Permit"), "typed_data_unsupported"),
        ("digest", json!("00"), "body_malformed"),
        ("nonce", json!("0x00"), "body_malformed"),
        ("validBefore", json!("1"), "body_malformed"),
        ("network", json!("eip155:1"), "body_malformed"),
        ("amount_base", json!("1"), "amount_invalid"),
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
    assert_eq!(world.signer.count("authorize_transfer"), 0);
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
        (&json!(true), &json!("INSTANT"))
    );
    let deny = |code: Code| {
        world
            .signer
            .with(|inside| inside.mood = Mood::Denies(code.into()))
    };
    deny(Code::AuthorizationWaits);
    let (status, judged) = world.call(ask()).await;
    assert_eq!((status.as_u16(), &judged["allowed"]), (200, &json!(false)));
    assert_eq!(judged["violations"][0]["code"], "authorization_waits");
    deny(Code::AuthorizationRecipient);
    assert_eq!(world.call(ask()).await.0.as_u16(), 422);
    deny(Code::Frozen);
    assert_eq!(world.call(ask()).await.0.as_u16(), 503);
    assert_eq!(world.signer.count("authorize_transfer"), 0);
}
