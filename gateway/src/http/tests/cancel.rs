//! Cancelling a payment that waits: by the session that asked alone, signed where it is bound, for good.

use axum::http::Method;
use serde_json::json;
use waiaas_shared::denial::Code;

use crate::testing::{Call, MINUTE, Mood, Waits, World, bearer, bound, code, other, text};

#[tokio::test]
async fn the_session_that_asked_cancels() {
    let world = World::waiting(Waits::Owner).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    let target = format!("/v1/transactions/{}/cancel", text(&paid["transaction"]));
    // Another session's payment does not exist.
    let foreign = Call::new(Method::POST, &target).token(&world.token(other()));
    let (status, problem) = world.call(foreign.empty()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (404, "transaction_unknown")
    );
    let body = Call::new(Method::POST, &target).token(&world.token(bearer()));
    let (status, problem) = world.call(body.json("{\"why\":1}")).await;
    assert_eq!((status.as_u16(), code(&problem)), (400, "body_malformed"));
    assert_eq!(world.signer.count("cancel"), 0);
    for _ in 0..2 {
        let (status, cancelled) = world.cancel(&paid).await;
        assert_eq!(status.as_u16(), 200, "{cancelled}");
        assert_eq!(
            (&cancelled["status"], &cancelled["detail"]),
            (
                &json!("CANCELLED"),
                &json!("It was cancelled over the gateway.")
            )
        );
    }
    assert_eq!(world.signer.count("cancel"), 1);
    let unknown = json!({ "transaction": "tx_00000000000000000000000001" });
    assert_eq!(world.cancel(&unknown).await.0.as_u16(), 404);
    assert_eq!(
        world
            .cancel(&json!({ "transaction": "x" }))
            .await
            .0
            .as_u16(),
        404
    );
}

/// Invariant 18 at the gateway: for a bound session the agent itself cancels, once with each signature.
#[tokio::test]
async fn a_bound_sessions_cancellation_is_signed() {
    let world = World::waiting(Waits::Owner).await;
    let pay = world
        .signed("/v1/transactions", "nonce-nonce-nonce-0", &world.body())
        .token(&world.token(bound()))
        .json(&world.body());
    let (status, paid) = world.call(pay).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    let target = format!("/v1/transactions/{}/cancel", text(&paid["transaction"]));
    let bare = Call::new(Method::POST, &target).token(&world.token(bound()));
    let (status, problem) = world.call(bare.empty()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_signature_missing")
    );
    let signed = |nonce| {
        world
            .signed(&target, nonce, "")
            .token(&world.token(bound()))
            .empty()
    };
    let (status, cancelled) = world.call(signed("nonce-nonce-nonce-2")).await;
    assert_eq!(
        (status.as_u16(), &cancelled["status"]),
        (200, &json!("CANCELLED"))
    );
    let (status, problem) = world.call(signed("nonce-nonce-nonce-2")).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (401, "request_nonce_reused")
    );
}

#[tokio::test]
async fn what_was_signed_is_not_cancelled() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    world.pass(MINUTE);
    assert_eq!(world.ended(&paid).await["status"], "CONFIRMED");
    let (status, problem) = world.cancel(&paid).await;
    assert_eq!((status.as_u16(), code(&problem)), (409, "not_waiting"));
    assert_eq!(problem["detail"], "The payment is CONFIRMED.");
    // And not one that never waited.
    world.signer.with(|inside| inside.waits = Waits::Nothing);
    let (_, paid) = world.pay("now", &world.body()).await;
    assert_eq!(world.cancel(&paid).await.0.as_u16(), 409);
    assert_eq!(world.signer.count("cancel"), 0);
}

/// Cancellation and release at once: one of them wins, and both answers say which.
#[tokio::test]
async fn a_cancellation_that_comes_too_late_says_so() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    // Nobody releases it but the agent.
    let body = world
        .body()
        .replace("\"amount_base\"", "\"submit\":false,\"amount_base\"");
    let (_, paid) = world.pay("k", &body).await;
    world.pass(MINUTE);
    let (cancelled, again) = tokio::join!(world.cancel(&paid), world.pay("k", &body));
    assert_eq!(again.0.as_u16(), 200, "{}", again.1);
    match cancelled.0.as_u16() {
        200 => assert!(again.1.get("signed_transaction").is_none(), "{}", again.1),
        409 => assert!(again.1.get("signed_transaction").is_some(), "{}", again.1),
        other => panic!("{other} {}", cancelled.1),
    }
}

#[tokio::test]
async fn a_raised_tier_leaves_it_to_be_cancelled() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    world.signer.set(Mood::Denies(Code::TierRaised.into()));
    world.pass(MINUTE);
    world
        .until_shown(&paid, |shown| shown["detail"].is_string())
        .await;
    world.signer.set(Mood::Fine);
    let (status, cancelled) = world.cancel(&paid).await;
    assert_eq!(
        (status.as_u16(), &cancelled["status"]),
        (200, &json!("CANCELLED"))
    );
    assert!(world.chain.sent().is_empty());
}
