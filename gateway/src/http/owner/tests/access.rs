//! Who may call an owner's route, over the whole list that the description has: nobody but an owner (G16), and what a
//! login alone may do there.

use axum::http::Method;
use serde_json::{Value, json};

use crate::http::openapi;
use crate::testing::{Call, Hand, World, agent_id, bearer, bound, code, wallet};

/// Every owner's route: path, method, and whether it is open.
fn routes() -> Vec<(String, Method, bool)> {
    let document: Value = serde_json::from_str(openapi::text()).expect("JSON");
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if !path.starts_with("/v1/owner/") {
            continue;
        }
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(operation["summary"].is_string(), "{path} has no summary");
            let security = operation["security"].as_array().expect("declared");
            let open = *security == [json!({})];
            assert!(open || *security == [json!({"owner_token": []})], "{path}");
            let method = method.to_uppercase().parse().expect("a method");
            routes.push((path.clone(), method, open));
        }
    }
    assert_eq!(
        routes.len(),
        33,
        "a route that is not described, or not counted here"
    );
    routes
}

fn concrete(path: &str) -> String {
    path.replace("{wallet}", &wallet().to_string())
        .replace("{agent}", &agent_id().to_string())
        .replace("{session}", &bearer().to_string())
        .replace("{transaction}", "tx_00000000000000000000000001")
        .replace("{statement}", "statement_00000000000000000000000001")
        .replace("{epoch}", "1")
        .replace("{channel}", "phone")
}

/// G16: an agent's credential, of either kind and however it is shown, opens no owner's route; nor does anything else
/// in the token's place.
#[tokio::test]
async fn nobody_but_an_owner_opens_an_owners_route() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    let calls = world.signer.with(|inside| inside.calls.len());
    for (path, method, open) in routes() {
        let target = concrete(&path);
        let call = || Call::new(method.clone(), &target);
        if open {
            // A login: without an owner's signature it gives nothing.
            let (status, answer) = world
                .call(call().token(&world.token(bearer())).json("{}"))
                .await;
            assert_eq!(status.as_u16(), 400, "{path} {answer}");
            continue;
        }
        let (status, problem) = world.call(call().json("{}")).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "owner_token_missing"),
            "{method} {path}"
        );
        for session in [bearer(), bound()] {
            let (status, problem) = world
                .call(call().token(&world.token(session)).json("{}"))
                .await;
            assert_eq!(
                (status.as_u16(), code(&problem)),
                (403, "owner_only"),
                "{method} {path}"
            );
        }
        let signed = world.signed(&target, "nonce-nonce-nonce-9", "{}");
        let (status, _) = world
            .call(signed.token(&world.token(bound())).json("{}"))
            .await;
        assert!([403, 405].contains(&status.as_u16()), "{method} {path}");
        for text in ["", "x", &token[1..], &format!("{token}x")] {
            let (status, problem) = world.call(call().token(text).json("{}")).await;
            assert_eq!(
                (status.as_u16(), code(&problem)),
                (401, "owner_token_invalid"),
                "{method} {path} {text}"
            );
        }
        for refused in [
            call().header("authorization", &format!("Basic {token}")),
            call().header("authorization", &token),
            call().token(&token).token(&token),
            call().header("cookie", &format!("token={token}")),
        ] {
            let (status, _) = world.call(refused.json("{}")).await;
            assert!([400, 401].contains(&status.as_u16()), "{method} {path}");
        }
    }
    assert_eq!(
        world.signer.with(|inside| inside.calls.len()),
        calls,
        "the signer was not asked for a stranger"
    );
}

/// An owner's token opens no route of an agent.
#[tokio::test]
async fn an_owners_token_is_no_sessions() {
    let world = World::new().await;
    let token = world.log_in(Hand::Solana).await;
    for (method, target) in [
        (Method::GET, "/v1/session"),
        (Method::GET, "/v1/wallets"),
        (Method::GET, "/v1/transactions"),
        (Method::POST, "/v1/transactions"),
        (Method::POST, "/v1/transactions/dry-run"),
        (Method::POST, "/v1/session/renew"),
        (Method::POST, "/v1/pause"),
        (Method::POST, "/v1/kill"),
    ] {
        let call = Call::new(method, target).token(&token);
        let (status, problem) = world.call(call.json("{}")).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (401, "token_invalid"),
            "{target}"
        );
    }
    assert_eq!(world.signer.count("kill") + world.signer.count("pause"), 0);
}

/// Invariant 15: with a login and no owner's signature over a statement, every route together asks the signer for
/// nothing but to read, to write texts, and to tighten.
#[tokio::test]
async fn invariant_15_a_login_alone_never_loosens() {
    const READS: [&str; 7] = [
        "status",
        "owners",
        "agents",
        "wallets",
        "policy",
        "intents",
        "remaining",
    ];
    const TEXTS: [&str; 1] = ["draft_statement"];
    const TIGHTENS: [&str; 6] = [
        "pause",
        "kill",
        "revoke",
        "cancel",
        "suspend_agent",
        "terminate_agent",
    ];
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    let policy = include_str!("../../../../../docs/examples/policy.toml");
    let bodies = [
        json!({}),
        json!({"kind": "release-pause"}),
        json!({"policy": policy}),
        json!({"after": policy}),
        json!({"decision": "approve"}),
        json!({"wallet": wallet()}),
    ];
    for (path, method, open) in routes() {
        // Logging out would end the test.
        if open || path.ends_with("/logout") {
            continue;
        }
        for body in &bodies {
            let call = Call::new(method.clone(), &concrete(&path)).token(&token);
            let (status, answer) = world.call(call.json(&body.to_string())).await;
            assert!(!status.is_server_error(), "{path} {body} {answer}");
        }
    }
    let known = [&READS[..], &TEXTS[..], &TIGHTENS[..]].concat();
    let calls = world.signer.with(|inside| inside.calls.clone());
    for call in &calls {
        assert!(known.contains(call), "{call} on a login alone");
    }
    for call in TIGHTENS {
        assert!(calls.contains(&call), "{call} was not tried");
    }
    // Signatures that are nobody's carry nothing out.
    let facts = json!({"kind": "release-pause"});
    let (_, draft) = world
        .owner_post(&token, "/v1/owner/statements", &facts)
        .await;
    let body = json!({"signatures": [{"signature": Hand::Evm.sign("anything")}]});
    for (statement, expected) in [
        (
            draft["statement"].as_str().expect("a draft"),
            "statement_signature",
        ),
        ("statement_00000000000000000000000001", "statement_unknown"),
    ] {
        let path = format!("/v1/owner/statements/{statement}/submit");
        let (_, problem) = world.owner_post(&token, &path, &body).await;
        assert_eq!(code(&problem), expected, "{problem}");
    }
}
