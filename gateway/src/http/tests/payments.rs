//! Payments: strict bodies, idempotency, and every part of the world missing in turn.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::time::Millis;

use crate::chain::{ChainError, ChainText, Landing};
use crate::testing::{Call, Mood, World, bearer, bound, chain_id, code, confirmed, to_account};

#[tokio::test]
async fn a_payment_is_sent_and_confirmed() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let request = world.payment("/v1/transactions?wait=30", bearer(), "k", &world.body());
    let (status, paid) = world.call(request).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    assert_eq!(paid["status"], "CONFIRMED");
    assert_eq!(
        (&paid["position"], &paid["fee_paid_base"]),
        (&json!(77), &json!("5000"))
    );
    assert_eq!(
        (&paid["to"], &paid["amount_base"]),
        (&json!(to_account()), &json!("5"))
    );
    assert_eq!(
        (&paid["tier"], &paid["replay"]),
        (&json!("INSTANT"), &json!(false))
    );
    assert!(paid.get("signed_transaction").is_none());
    let sent = world.chain.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        paid["chain_transaction"],
        bs58::encode(&sent[0][1..65]).into_string()
    );
    assert_eq!(world.chain.simulated.load(Ordering::SeqCst), 1);
    let target = format!(
        "/v1/transactions/{}",
        paid["transaction"].as_str().expect("text")
    );
    assert_eq!(world.get(&target, bearer()).await.1["status"], "CONFIRMED");
}

#[tokio::test]
async fn ends_other_than_confirmed_are_told() {
    for (landing, status, detail) in [
        (Landing::Expired, "EXPIRED", Value::Null),
        (
            Landing::Failed {
                position: 5,
                reason: ChainText::new("AccountNotFound"),
            },
            "FAILED",
            json!("AccountNotFound"),
        ),
    ] {
        let world = World::new().await;
        world.chain.land(landing);
        let request = world.payment("/v1/transactions?wait=30", bearer(), "k", &world.body());
        let (_, paid) = world.call(request).await;
        assert_eq!(
            (paid["status"].as_str(), &paid["detail"]),
            (Some(status), &detail)
        );
        // An ended payment stays ended: the same key gives it again and nothing is sent.
        let sent = world.chain.sent().len();
        let (code, again) = world.pay("k", &world.body()).await;
        assert_eq!(
            (code.as_u16(), again["status"].as_str()),
            (200, Some(status))
        );
        assert_eq!(world.chain.sent().len(), sent);
    }
}

/// The height up to which it is valid is what one node told when it was built: bytes that a node still takes are not over.
#[tokio::test]
async fn nothing_expires_that_a_node_would_still_take() {
    let world = World::new().await;
    world.chain.land(Landing::Expired);
    world.chain.takes.store(true, Ordering::SeqCst);
    let request = world.payment("/v1/transactions?wait=1", bearer(), "k", &world.body());
    let (_, paid) = world.call(request).await;
    assert_eq!(paid["status"], "SUBMITTED");
    world.chain.takes.store(false, Ordering::SeqCst);
    let id = paid["transaction"].as_str().expect("text");
    let shown = world
        .get(&format!("/v1/transactions/{id}?wait=30"), bearer())
        .await;
    assert_eq!(shown.1["status"], "EXPIRED");
}

#[tokio::test]
async fn without_submit_the_signed_bytes_come_back_and_nothing_is_sent() {
    let world = World::new().await;
    let body = world
        .body()
        .replace("\"amount_base\"", "\"submit\":false,\"amount_base\"");
    let (status, paid) = world.pay("k", &body).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    assert_eq!(paid["status"], "SUBMITTED");
    assert!(
        paid["signed_transaction"]
            .as_str()
            .is_some_and(|text| text.len() > 100)
    );
    assert!(world.chain.sent().is_empty());
    // Signing asks no node to try the bytes.
    assert_eq!(world.chain.simulated.load(Ordering::SeqCst), 0);
    let (status, again) = world.pay("k", &body).await;
    assert_eq!(status.as_u16(), 200);
    assert_eq!(again["signed_transaction"], paid["signed_transaction"]);
    let target = format!(
        "/v1/transactions/{}",
        paid["transaction"].as_str().expect("text")
    );
    let (_, shown) = world.get(&target, bearer()).await;
    assert_eq!(shown["chain_transaction"], paid["chain_transaction"]);
    assert_eq!(shown["status"], "SUBMITTED");
    // The agent sends them; whoever asks learns what became of it.
    use crate::chain_port::ChainPort as _;
    use base64::Engine as _;
    let raw = base64::engine::general_purpose::STANDARD
        .decode(paid["signed_transaction"].as_str().expect("text"))
        .expect("base64");
    world
        .chain
        .send(&raw)
        .await
        .expect("sent")
        .taken
        .expect("taken");
    world.chain.land(confirmed());
    assert_eq!(world.get(&target, bearer()).await.1["status"], "CONFIRMED");
}

/// G11, G12: a key belongs to one body, and gives one payment.
#[tokio::test]
async fn an_idempotency_key_pays_once() {
    let world = World::new().await;
    let body = world.body();
    let (first, second, third) = tokio::join!(
        world.pay("k", &body),
        world.pay("k", &body),
        world.pay("k", &body)
    );
    let ids: Vec<_> = [&first, &second, &third]
        .map(|(_, paid)| paid["transaction"].clone())
        .into();
    assert!(
        ids.iter().all(|id| *id == ids[0] && id.is_string()),
        "{first:?} {second:?} {third:?}"
    );
    assert_eq!(world.signer.with(|inside| inside.signed.len()), 1);
    let (status, problem) = world.pay("k", &body.replace("\"5\"", "\"6\"")).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (409, "idempotency_conflict")
    );
    for key in ["", " ", "a b", &"x".repeat(129), "ä"] {
        let request = Call::new(Method::POST, "/v1/transactions").token(&world.token(bearer()));
        let request = if key == "ä" {
            Request::builder()
                .method("POST")
                .uri("/v1/transactions")
                .header("host", "localhost")
                .header("authorization", format!("Bearer {}", world.token(bearer())))
                .header("idempotency-key", &b"\xc3\xa4"[..])
                .header("content-type", "application/json")
                .body(Body::from(body.clone()))
                .expect("a request")
        } else {
            request.header("idempotency-key", key).json(&body)
        };
        let (status, problem) = world.call(request).await;
        assert_eq!(status.as_u16(), 400, "{key:?} {problem}");
    }
    let none = Call::new(Method::POST, "/v1/transactions")
        .token(&world.token(bearer()))
        .json(&body);
    assert_eq!(code(&world.call(none).await.1), "idempotency_key_invalid");
}

/// Invariant 19: whatever stands in the way now, the earlier payment has its status.
#[tokio::test]
async fn a_replay_is_answered_whatever_stands_in_the_way_now() {
    let world = World::new().await;
    let body = world.body();
    let (_, paid) = world.pay("k", &body).await;
    world.chain.down.store(true, Ordering::SeqCst);
    let (status, again) = world.pay("k", &body).await;
    assert_eq!(
        (status.as_u16(), &again["transaction"]),
        (200, &paid["transaction"])
    );
    world.chain.down.store(false, Ordering::SeqCst);
    world.signer.set(Mood::Denies(Code::Locked.into()));
    let (status, again) = world.pay("k", &body).await;
    assert_eq!(
        (status.as_u16(), &again["transaction"]),
        (200, &paid["transaction"])
    );
    world.signer.set(Mood::Down);
    let (status, again) = world.pay("k", &body).await;
    assert_eq!(
        (status.as_u16(), &again["transaction"]),
        (200, &paid["transaction"])
    );
    let (status, problem) = world.pay("k", &body.replace("\"5\"", "\"6\"")).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (409, "idempotency_conflict")
    );
    // A new key finds no excuse.
    let (status, problem) = world.pay("new", &body).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (503, "signer_unreachable"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_denial_tells_every_rule_and_what_would_pass() {
    let world = World::new().await;
    let asset = chain_id().native_asset();
    let units = Amount::from_base_units;
    let hour = Violation {
        retry_after: Some(Millis::from_millis(61_500)),
        ..Violation::limit(Code::HourLimit, asset, units(5), units(3))
    };
    let total = Violation::limit(Code::SessionTotal, asset, units(5), units(4));
    let denial = Denial::from_violations(vec![hour, total]).expect("two");
    world.signer.set(Mood::Denies(denial));
    let (status, problem) = world.pay("k", &world.body()).await;
    assert_eq!((status.as_u16(), code(&problem)), (403, "hour_limit"));
    assert_eq!(problem["allowed_now"], "3");
    assert_eq!(
        problem["violations"][0],
        json!({
            "code": "hour_limit", "message": Code::HourLimit.message(), "asset": asset.to_string(),
            "observed": "5", "allowed": "3", "retry_after_seconds": 62, "next": "wait"
        })
    );
    assert_eq!(problem["violations"][1]["code"], "session_total");
    assert!(world.chain.sent().is_empty());
}

/// Over a static limit: no node is asked, and the signer's dry run tells the complete reasons.
#[tokio::test]
async fn what_policy_never_allows_is_refused_before_a_node_is_asked() {
    let world = World::new().await;
    world.chain.down.store(true, Ordering::SeqCst);
    let body = world.body().replace("\"5\"", "\"1000001\"");
    let (status, problem) = world.pay("k", &body).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (403, "per_transaction_limit"),
        "{problem}"
    );
    assert_eq!(
        (world.signer.count("decide"), world.signer.count("sign")),
        (1, 0)
    );
    let (_, problem) = world.pay("k", &world.body()).await;
    assert_eq!(code(&problem), "chain_unreachable");
}

#[tokio::test]
async fn states_of_the_signer_are_503() {
    let world = World::new().await;
    for state in [
        Code::Locked,
        Code::Killed,
        Code::Frozen,
        Code::ClockClosed,
        Code::Overloaded,
    ] {
        world.signer.set(Mood::Denies(state.into()));
        let (status, problem) = world.pay("k", &world.body()).await;
        assert_eq!((status.as_u16(), code(&problem)), (503, state.as_str()));
        assert_eq!(
            problem["retry_after_seconds"].is_u64(),
            state == Code::Overloaded,
            "{state}"
        );
    }
    world.signer.set(Mood::Denies(Code::StorageFull.into()));
    assert_eq!(world.pay("k", &world.body()).await.0.as_u16(), 507);
    world.signer.set(Mood::Down);
    let (status, problem) = world.pay("k", &world.body()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (503, "signer_unreachable")
    );
    assert!(
        problem["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("same Idempotency-Key"))
    );
    let (status, ready) = world.call(Call::new(Method::GET, "/ready").empty()).await;
    assert_eq!((status.as_u16(), &ready["ready"]), (503, &json!(false)));
    assert_eq!(
        world
            .call(Call::new(Method::GET, "/health").empty())
            .await
            .0
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn every_node_is_shown_and_none_by_its_address() {
    let world = World::new().await;
    let ready = async || {
        let (status, ready) = world.call(Call::new(Method::GET, "/ready").empty()).await;
        (status.as_u16(), ready["chains"][0].clone())
    };
    let well = json!({ "reachable": true, "head": 9, "latency_ms": 1 });
    let (status, chain) = ready().await;
    assert_eq!((status, &chain["reachable"]), (200, &json!(true)));
    assert_eq!(chain["head"], json!(9));
    assert_eq!(chain["endpoints"], json!([well]));
    world.chain.down.store(true, Ordering::SeqCst);
    let down = json!({ "reachable": false, "latency_ms": 1, "problem": "unreachable" });
    let (status, chain) = ready().await;
    // The other chains go on.
    assert_eq!((status, &chain["reachable"]), (200, &json!(false)));
    assert_eq!(chain["endpoints"], json!([down]));
}

#[tokio::test]
async fn what_the_chain_would_refuse_is_not_signed() {
    let world = World::new().await;
    for (failure, status, expected) in [
        (
            ChainError::WouldFail {
                reason: ChainText::new("no rent"),
            },
            422,
            "would_fail",
        ),
        (
            ChainError::InsufficientFunds {
                balance: Amount::from_base_units(1),
                needed: Amount::from_base_units(9),
            },
            422,
            "insufficient_funds",
        ),
    ] {
        *world.chain.simulation.lock().expect("no panic") = Some(failure);
        let (code_seen, problem) = world.pay("k", &world.body()).await;
        assert_eq!((code_seen.as_u16(), code(&problem)), (status, expected));
    }
    assert_eq!(world.signer.count("sign"), 0);
}

#[tokio::test]
async fn a_dry_run_judges_and_reserves_nothing() {
    let world = World::new().await;
    let dry = |body: &str| {
        // No signature, and no idempotency key, also for a bound session.
        Call::new(Method::POST, "/v1/transactions/dry-run")
            .token(&world.token(bound()))
            .json(body)
    };
    let (status, judged) = world.call(dry(&world.body())).await;
    assert_eq!(status.as_u16(), 200, "{judged}");
    assert_eq!(
        (&judged["allowed"], &judged["tier"]),
        (&json!(true), &json!("INSTANT"))
    );
    assert_eq!(judged["fee_max_base"], "5000");
    assert!(judged.get("chain_problem").is_none(), "{judged}");
    // What a node says to the bytes stands beside the judgement and changes nothing about it.
    let reason = ChainText::new("the token account is frozen");
    *world.chain.simulation.lock().expect("no panic under it") =
        Some(ChainError::WouldFail { reason });
    let (_, judged) = world.call(dry(&world.body())).await;
    assert_eq!(
        (&judged["allowed"], &judged["fee_max_base"]),
        (&json!(true), &json!("5000"))
    );
    assert_eq!(judged["chain_problem"]["code"], "would_fail");
    let told = judged["chain_problem"]["detail"].as_str();
    assert!(told.is_some_and(|told| told.contains("frozen")), "{judged}");
    // Bytes that the agent would send itself are not tried.
    let own = world
        .body()
        .replace("\"amount_base\"", "\"submit\":false,\"amount_base\"");
    let (_, judged) = world.call(dry(&own)).await;
    assert!(judged.get("chain_problem").is_none(), "{judged}");
    world.chain.down.store(true, Ordering::SeqCst);
    let (_, judged) = world.call(dry(&world.body())).await;
    assert_eq!(judged["allowed"], true);
    assert_eq!(judged["chain_problem"]["code"], "chain_unreachable");
    let (_, judged) = world
        .call(dry(&world.body().replace("\"5\"", "\"2000000\"")))
        .await;
    assert_eq!(judged["allowed"], false, "{judged}");
    assert!(
        judged["violations"]
            .as_array()
            .is_some_and(|broken| broken.len() >= 2)
    );
    world.signer.set(Mood::Denies(Code::Locked.into()));
    let (status, problem) = world.call(dry(&world.body())).await;
    assert_eq!((status.as_u16(), code(&problem)), (503, "locked"));
    assert_eq!(world.signer.count("sign"), 0);
}

#[tokio::test]
async fn the_list_pages_backwards() {
    let world = World::new().await;
    let mut made = Vec::new();
    for number in 0..5 {
        let (_, paid) = world.pay(&format!("k{number}"), &world.body()).await;
        made.push(paid["transaction"].clone());
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut target = "/v1/transactions?limit=2".to_owned();
    loop {
        let (_, page) = world.get(&target, bearer()).await;
        let part = page["transactions"].as_array().expect("a list");
        assert!(part.len() <= 2);
        seen.extend(part.iter().map(|one| one["transaction"].clone()));
        match page["next"].as_u64() {
            Some(next) => target = format!("/v1/transactions?limit=2&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

/// A client that hangs up does not leave a payment half-done.
#[tokio::test]
async fn a_client_that_leaves_changes_nothing() {
    let world = World::new().await;
    let request = world.payment("/v1/transactions?wait=60", bearer(), "k", &world.body());
    let call = world.call(request);
    let left = tokio::time::timeout(std::time::Duration::from_millis(300), call).await;
    assert!(
        left.is_err(),
        "it waits for a confirmation that does not come"
    );
    world.chain.land(confirmed());
    let (_, page) = world.get("/v1/transactions", bearer()).await;
    let id = page["transactions"][0]["transaction"]
        .as_str()
        .expect("made")
        .to_owned();
    let (_, shown) = world
        .get(&format!("/v1/transactions/{id}?wait=30"), bearer())
        .await;
    assert_eq!(shown["status"], "CONFIRMED");
}

/// Nodes that contradict each other end nothing, and whoever asks about the payment reads it.
#[tokio::test]
async fn a_payment_that_the_nodes_contradict_each_other_about_needs_attention() {
    let world = World::new().await;
    world.chain.land(Landing::Disputed);
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    let target = format!(
        "/v1/transactions/{}",
        paid["transaction"].as_str().expect("text")
    );
    let mut shown = Value::Null;
    for _ in 0..500 {
        shown = world.get(&target, bearer()).await.1;
        if shown.get("attention").is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(shown["attention"], "nodes_contradict", "{shown}");
    assert_eq!(shown["status"], "SUBMITTED");
    assert!(shown.get("stuck").is_none(), "{shown}");
    let told = shown["detail"].as_str().expect("words");
    assert!(told.contains("contradict") && told.ends_with('.'), "{told}");
    // It ends by what they agree on, and by nothing else.
    world.chain.land(confirmed());
    let (_, ended) = world.get(&format!("{target}?wait=30"), bearer()).await;
    assert_eq!(ended["status"], "CONFIRMED");
    assert!(
        ended.get("attention").is_none() && ended.get("detail").is_none(),
        "{ended}"
    );
}
