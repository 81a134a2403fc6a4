//! What waits, and statements: seen, signed by a wallet's key over the signer's own text, carried out.

use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Call, Hand, MINUTE, Waits, World, agent_id, bearer, code, text, wallet};

/// A payment that waits for an owner, and an owner who is in.
async fn asked(hand: Hand) -> (World, String, Value) {
    let world = World::waiting(Waits::Owner).await;
    let token = world.log_in(hand).await;
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    (world, token, paid)
}

async fn draft(world: &World, token: &str, paid: &Value, decision: &str) -> Value {
    let target = format!("/v1/owner/waiting/{}/draft", text(&paid["transaction"]));
    let (status, draft) = world
        .owner_post(token, &target, &json!({ "decision": decision }))
        .await;
    assert_eq!(status.as_u16(), 201, "{draft}");
    draft
}

fn submit_to(draft: &Value) -> String {
    format!("/v1/owner/statements/{}/submit", text(&draft["statement"]))
}

#[tokio::test]
async fn an_owner_sees_signs_and_completes_a_payment() {
    for hand in [Hand::Solana, Hand::Evm] {
        let (world, token, paid) = asked(hand).await;
        let (status, listed) = world.owner_get(&token, "/v1/owner/waiting").await;
        assert_eq!(status.as_u16(), 200, "{listed}");
        let seen = &listed["waiting"][0];
        assert_eq!(seen["transaction"], paid["transaction"]);
        assert_eq!(
            (&seen["tier"], &seen["owners_needed"]),
            (&json!("APPROVAL"), &json!(1))
        );
        assert_eq!(seen["approved"], false);
        assert_eq!(seen["transfers"][0]["amount_base"], "5");
        assert_eq!(seen["title"], "A payment waits for your approval");
        let lines = seen["lines"].to_string();
        assert!(lines.contains("0.000000005 SOL -> @hosting"), "{lines}");

        let draft = draft(&world, &token, &paid, "approve").await;
        assert_eq!(
            (&draft["kind"], &draft["handed_in"]),
            (&json!("APPROVE PAYMENT"), &json!("here"))
        );
        let words = text(&draft["text"]);
        assert!(words.starts_with("WAIaaS APPROVE PAYMENT\n"), "{words}");
        assert!(words.contains(text(&paid["transaction"])));
        assert!(text(&draft["page"]).starts_with("http://127.0.0.1:3100/sign#text="));
        let body = json!({"signatures": [{"signature": hand.sign(words)}]});
        let (status, done) = world.owner_post(&token, &submit_to(&draft), &body).await;
        assert_eq!(status.as_u16(), 200, "{done}");
        assert!(done["sequence"].is_u64() && done.get("session").is_none());
        assert_eq!(world.ended(&paid).await["status"], "CONFIRMED");
        // Once.
        let (status, problem) = world.owner_post(&token, &submit_to(&draft), &body).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (404, "statement_unknown")
        );
    }
}

/// Invariant 13, 14: neither a login's signature nor one over any other text approves; one owner's is not another's.
#[tokio::test]
async fn invariant_14_no_other_signature_approves() {
    let (world, token, paid) = asked(Hand::Evm).await;
    let draft_of = draft(&world, &token, &paid, "approve").await;
    let rejection = draft(&world, &token, &paid, "reject").await;
    let words = text(&draft_of["text"]);
    let login = world.challenge(&Hand::Evm.key().to_string()).await;
    let other = Hand::Solana.owner().to_string();
    for (case, body) in [
        (
            "a login's text",
            json!({"signature": Hand::Evm.sign(text(&login["text"]))}),
        ),
        (
            "the rejection's text",
            json!({"signature": Hand::Evm.sign(text(&rejection["text"]))}),
        ),
        (
            "a byte more",
            json!({"signature": Hand::Evm.sign(&format!("{words}\n"))}),
        ),
        (
            "another owner's key",
            json!({"signature": Hand::Evm.sign(words), "owner": other}),
        ),
        (
            "another's signature",
            json!({"signature": Hand::Solana.sign(words)}),
        ),
        (
            "no owner",
            json!({"signature": Hand::Stranger.sign(words), "owner": "owner_00000000000000000000000001"}),
        ),
        (
            "another envelope",
            json!({"signature": Hand::Solana.sign(words), "owner": other, "envelope": "ed25519-offchain-v1"}),
        ),
    ] {
        let body = json!({ "signatures": [body] });
        let (status, problem) = world.owner_post(&token, &submit_to(&draft_of), &body).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (403, "statement_signature"),
            "{case}"
        );
    }
    for (body, expected) in [
        (json!({"signatures": []}), "body_malformed"),
        (
            json!({"signatures": [{"signature": "x", "weight": 2}]}),
            "body_malformed",
        ),
        (json!({}), "body_malformed"),
    ] {
        let (_, problem) = world.owner_post(&token, &submit_to(&draft_of), &body).await;
        assert_eq!(code(&problem), expected);
    }
    assert_eq!(world.shown(&paid).await["status"], "QUEUED");
    // Another owner may sign what this one handed in.
    let body = json!({"signatures": [{"signature": Hand::Solana.sign(words), "owner": other}]});
    let (status, done) = world.owner_post(&token, &submit_to(&draft_of), &body).await;
    assert_eq!(status.as_u16(), 200, "{done}");
}

#[tokio::test]
async fn an_owner_rejects_for_good_and_cancels_without_a_signature() {
    let (world, token, paid) = asked(Hand::Solana).await;
    let draft = draft(&world, &token, &paid, "reject").await;
    let body = json!({"signatures": [{"signature": Hand::Solana.sign(text(&draft["text"]))}]});
    let (status, done) = world.owner_post(&token, &submit_to(&draft), &body).await;
    assert_eq!(status.as_u16(), 200, "{done}");
    assert_eq!(world.ended(&paid).await["status"], "CANCELLED");

    world
        .signer
        .with(|inside| inside.waits = Waits::Time(MINUTE));
    let (_, delayed) = world.pay("k2", &world.body()).await;
    let target = format!("/v1/owner/waiting/{}", text(&delayed["transaction"]));
    let (status, seen) = world.owner_get(&token, &target).await;
    assert_eq!(
        (status.as_u16(), &seen["ready_in_seconds"]),
        (200, &json!(60)),
        "{seen}"
    );
    let cancel = format!("{target}/cancel");
    let (status, _) = world.owner_post(&token, &cancel, &json!({})).await;
    assert_eq!(status.as_u16(), 200);
    assert_eq!(world.ended(&delayed).await["status"], "CANCELLED");
    for target in [&cancel[..], "/v1/owner/waiting/x/cancel"] {
        let (status, problem) = world.owner_post(&token, target, &json!({})).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (404, "intent_unknown"),
            "{target}"
        );
    }
    let (status, problem) = world.owner_get(&token, &target).await;
    assert_eq!((status.as_u16(), code(&problem)), (404, "intent_unknown"));
}

/// Any other kind goes the same way; what takes the password says where it is handed in, and is refused here.
#[tokio::test]
async fn other_statements_go_the_same_way() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    let write = |facts: Value| {
        let (world, token) = (&world, &token);
        async move {
            world
                .owner_post(token, "/v1/owner/statements", &facts)
                .await
        }
    };
    let grant = json!({"wallets": [wallet()], "limits": [{"asset": "solana:localnet/slip44:501",
        "per_transaction": "5", "total": "50"}], "transactions": 4, "expires_unix": 1_796_000_000_u64,
        "bearer_digest": "00".repeat(32)});
    let (status, draft) = write(json!({"kind": "grant-session", "grant": grant})).await;
    assert_eq!(status.as_u16(), 201, "{draft}");
    let words = text(&draft["text"]);
    assert!(words.contains("Credential: BEARER"), "{words}");
    let body = json!({"signatures": [{"signature": Hand::Evm.sign(words)}]});
    let (status, done) = world.owner_post(&token, &submit_to(&draft), &body).await;
    assert_eq!(status.as_u16(), 200, "{done}");
    assert!(text(&done["session"]).starts_with("session_"), "{done}");
    let (status, listed) = world.owner_get(&token, "/v1/owner/sessions").await;
    assert_eq!(status.as_u16(), 200, "{listed}");

    let (_, draft) = write(json!({"kind": "release-kill", "epoch": 1, "sessions": []})).await;
    assert_eq!(draft["handed_in"], "waiaas statement submit", "{draft}");
    let body = json!({"signatures": [{"signature": Hand::Evm.sign(text(&draft["text"]))}]});
    let (status, problem) = world.owner_post(&token, &submit_to(&draft), &body).await;
    assert_eq!((status.as_u16(), code(&problem)), (403, "admin_only"));
    for facts in [
        json!({"kind": "withdraw"}),
        json!({"kind": "enrol-owner"}),
        json!([]),
        json!({}),
    ] {
        let (status, problem) = write(facts).await;
        assert_eq!((status.as_u16(), code(&problem)), (400, "body_malformed"));
    }
}

/// The tightening routes, each once, and what the signer was asked.
#[tokio::test]
async fn what_tightens_needs_a_login_alone() {
    let world = World::new().await;
    let token = world.log_in(Hand::Evm).await;
    let agent = format!("/v1/owner/agents/{}", agent_id());
    let session = format!("/v1/owner/sessions/{}", bearer());
    for (target, body, call) in [
        (format!("{agent}/suspend"), json!({}), "suspend_agent"),
        (format!("{agent}/terminate"), json!({}), "terminate_agent"),
        (
            "/v1/owner/pause".to_owned(),
            json!({"wallet": wallet()}),
            "pause",
        ),
        ("/v1/owner/pause".to_owned(), json!({}), "pause"),
        (format!("{session}/revoke"), json!({}), "revoke"),
        ("/v1/owner/kill".to_owned(), json!({}), "kill"),
    ] {
        let before = world.signer.count(call);
        let (status, stopped) = world.owner_post(&token, &target, &body).await;
        assert_eq!(status.as_u16(), 200, "{target} {stopped}");
        assert!(stopped["sequence"].is_u64());
        assert_eq!(world.signer.count(call), before + 1, "{target}");
    }
    let (_, shown) = world.owner_get(&token, &agent).await;
    assert_eq!(shown["stage"], "terminating");
    // The session is out at once.
    let call = Call::new(Method::GET, "/v1/session").token(&world.token(bearer()));
    let (status, problem) = world.call(call.empty()).await;
    assert_eq!((status.as_u16(), code(&problem)), (401, "session_revoked"));
    for target in [
        "/v1/owner/agents/x/suspend",
        "/v1/owner/agents/agent_00000000000000000000000001/suspend",
    ] {
        let (status, problem) = world.owner_post(&token, target, &json!({})).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (404, "agent_unknown"),
            "{target}"
        );
    }
    let unknown = "/v1/owner/sessions/session_00000000000000000000000001";
    let (status, problem) = world.owner_get(&token, unknown).await;
    assert_eq!((status.as_u16(), code(&problem)), (404, "not_found"));
}
