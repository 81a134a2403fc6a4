//! Payments that wait: each arrow into and out of QUEUED, driven over HTTP and by the signer's log.

use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use serde_json::json;
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::event::Origin;
use waiaas_shared::ids::StatementId;
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::time::WallTime;

use crate::chain::{ChainError, ChainText};
use crate::clock::rfc3339;
use crate::testing::{Call, MINUTE, Mood, NOON, Waits, World, bearer, code, id, text, to_account};

#[tokio::test]
async fn a_delayed_payment_is_queued_and_paid_when_its_time_has_come() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    assert_eq!(
        (&paid["status"], &paid["tier"], &paid["replay"]),
        (&json!("QUEUED"), &json!("DELAY"), &json!(false))
    );
    let ready = rfc3339(WallTime::from_millis(NOON + 60_000));
    let ends = rfc3339(WallTime::from_millis(NOON + 3_600_000));
    assert_eq!(
        (&paid["ready_at"], &paid["expires_at"]),
        (&json!(ready), &json!(ends))
    );
    assert!(paid.get("waits_for").is_none(), "{paid}");
    assert_eq!(
        (&paid["to"], &paid["amount_base"], &paid["fee_max_base"]),
        (&json!(to_account()), &json!("5"), &json!("20000"))
    );
    // Shown alike, and the same key gives the same payment.
    let mut again = paid.clone();
    again["replay"] = json!(true);
    assert_eq!(
        world.pay("k", &world.body()).await,
        (StatusCode::OK, again.clone())
    );
    let mut shown = world.shown(&paid).await;
    shown["replay"] = json!(true);
    assert_eq!(shown, again);
    let (status, problem) = world
        .pay("k", &world.body().replace("\"5\"", "\"6\""))
        .await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (409, "idempotency_conflict")
    );
    world.stir();
    world.until(|world| world.app.feed().is_caught_up()).await;
    assert_eq!(world.signer.count("release"), 0);
    assert!(world.chain.sent().is_empty());
    let simulated = world.chain.simulated.load(Ordering::SeqCst);
    world.pass(MINUTE);
    let ended = world.ended(&paid).await;
    assert_eq!(ended["status"], "CONFIRMED", "{ended}");
    assert_eq!(ended["fee_max_base"], "5000");
    assert!(
        ended["sequence"].as_u64() > paid["sequence"].as_u64(),
        "the event that charged it: {ended}"
    );
    for gone in ["ready_at", "expires_at", "waits_for", "detail"] {
        assert!(ended.get(gone).is_none(), "{gone} {ended}");
    }
    assert_eq!(
        (world.chain.sent().len(), world.signer.count("release")),
        (1, 1)
    );
    assert_eq!(
        world.chain.simulated.load(Ordering::SeqCst),
        simulated + 1,
        "the fresh bytes were tried"
    );
}

/// The delay runs on the signer's clock: a gateway whose clock is ahead learns how long it lasts still.
#[tokio::test]
async fn the_signers_clock_counts() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    world
        .clock
        .fetch_add(MINUTE.millis() + 10_000, Ordering::SeqCst);
    world.stir();
    let later = rfc3339(WallTime::from_millis(NOON + 130_000));
    let shown = world
        .until_shown(&paid, |shown| shown["ready_at"] == json!(later))
        .await;
    assert_eq!(shown["status"], "QUEUED");
    assert!(shown.get("detail").is_none(), "{shown}");
    assert!(world.signer.count("release") >= 1);
    assert!(world.chain.sent().is_empty());
    world.pass(MINUTE);
    assert_eq!(world.ended(&paid).await["status"], "CONFIRMED");
}

#[tokio::test]
async fn an_approved_payment_is_paid_without_a_second_request() {
    let world = World::waiting(Waits::Owner).await;
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    assert_eq!(
        (&paid["status"], &paid["tier"], &paid["waits_for"]),
        (&json!("QUEUED"), &json!("APPROVAL"), &json!("owner"))
    );
    assert!(paid.get("ready_at").is_none(), "{paid}");
    world.pass(MINUTE);
    world.until(|world| world.app.feed().is_caught_up()).await;
    assert_eq!(world.signer.count("release"), 0, "nobody has signed");
    // Whoever waits for it is answered when it has ended.
    let target = format!("/v1/transactions/{}?wait=30", text(&paid["transaction"]));
    let (waited, ()) = tokio::join!(world.get(&target, bearer()), async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.signer.approve(id(&paid));
    });
    assert_eq!(waited.1["status"], "CONFIRMED", "{}", waited.1);
    assert_eq!(world.chain.sent().len(), 1);
}

/// QUEUED -> CANCELLED and QUEUED -> EXPIRED: by everybody who may, with a plain reason, for good.
#[tokio::test]
async fn a_wait_that_ends_otherwise_is_told_and_final() {
    let statement = StatementId::from_bytes([1; 16]);
    let admin = IntentEnd::Cancelled {
        origin: Origin::Admin,
    };
    let rejected = IntentEnd::Rejected {
        statement,
        signers: Vec::new(),
    };
    for (cause, status, detail) in [
        (admin, "CANCELLED", "The owner cancelled it."),
        (rejected, "CANCELLED", "An owner rejected it."),
        (IntentEnd::Expired, "EXPIRED", "It waited too long."),
        (
            IntentEnd::SessionEnded,
            "CANCELLED",
            "Its session has ended.",
        ),
        (
            IntentEnd::Killed,
            "CANCELLED",
            "The kill switch was thrown.",
        ),
    ] {
        for waits in [Waits::Owner, Waits::Time(MINUTE)] {
            let world = World::waiting(waits).await;
            let (_, paid) = world.pay("k", &world.body()).await;
            world.signer.end(id(&paid), cause.clone());
            let ended = world.ended(&paid).await;
            assert_eq!(
                (&ended["status"], &ended["detail"]),
                (&json!(status), &json!(detail))
            );
            assert!(ended.get("expires_at").is_none() && ended.get("waits_for").is_none());
            world.pass(MINUTE);
            world.until(|world| world.app.feed().is_caught_up()).await;
            let (answer, again) = world.pay("k", &world.body()).await;
            assert_eq!((answer.as_u16(), &again["status"]), (200, &json!(status)));
            let (answer, problem) = world.cancel(&paid).await;
            match status {
                "CANCELLED" => assert_eq!(answer.as_u16(), 200),
                _ => assert_eq!((answer.as_u16(), code(&problem)), (409, "not_waiting")),
            }
            assert!(world.chain.sent().is_empty());
            // A new request is a new payment.
            let (answer, new) = world.pay("new", &world.body()).await;
            assert_eq!(answer.as_u16(), 202);
            assert_ne!(new["transaction"], paid["transaction"]);
        }
    }
}

#[tokio::test]
async fn a_kill_while_it_waits_ends_it() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    let kill = Call::new(Method::POST, "/v1/kill").token(&world.token(bearer()));
    assert_eq!(world.call(kill.empty()).await.0.as_u16(), 200);
    world.pass(MINUTE);
    let ended = world.ended(&paid).await;
    assert_eq!(
        (&ended["status"], &ended["detail"]),
        (&json!("CANCELLED"), &json!("The kill switch was thrown."))
    );
    assert_eq!(world.signer.count("release"), 0);
    assert!(world.chain.sent().is_empty());
}

/// Whatever stands in the way at the release: the payment stays QUEUED, says why, and goes on once it may.
#[tokio::test]
async fn what_stands_in_the_way_is_told_and_tried_again() {
    let hour = Violation {
        retry_after: Some(MINUTE),
        ..Violation::of(Code::HourLimit)
    };
    for (refusal, words) in [
        (Denial::from(Code::TierRaised), Code::TierRaised.message()),
        (Denial::from(hour), Code::HourLimit.message()),
        (Denial::from(Code::Locked), Code::Locked.message()),
    ] {
        let world = World::waiting(Waits::Time(MINUTE)).await;
        let (_, paid) = world.pay("k", &world.body()).await;
        world.signer.set(Mood::Denies(refusal));
        world.pass(MINUTE);
        let detail = format!("Not signed yet: {words}");
        let shown = world
            .until_shown(&paid, |shown| shown["detail"] == json!(detail))
            .await;
        assert_eq!(shown["status"], "QUEUED");
        assert!(world.chain.sent().is_empty());
        // The same request tells the same, and no refusal.
        let (status, again) = world.pay("k", &world.body()).await;
        assert_eq!((status.as_u16(), &again["detail"]), (200, &json!(detail)));
        world.signer.set(Mood::Fine);
        world.stir();
        let ended = world.ended(&paid).await;
        assert_eq!(ended["status"], "CONFIRMED", "{ended}");
        assert!(ended.get("detail").is_none(), "{ended}");
        assert_eq!(world.chain.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_chain_that_is_away_delays_and_loses_nothing() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (_, paid) = world.pay("k", &world.body()).await;
    world.chain.down.store(true, Ordering::SeqCst);
    world.pass(MINUTE);
    world
        .until_shown(&paid, |shown| {
            shown["detail"]
                .as_str()
                .is_some_and(|detail| detail.starts_with("Not signed yet: "))
        })
        .await;
    assert_eq!(
        world.signer.count("release"),
        0,
        "nothing untried is signed"
    );
    world.chain.down.store(false, Ordering::SeqCst);
    *world.chain.simulation.lock().expect("no panic") = Some(ChainError::WouldFail {
        reason: ChainText::new("no rent"),
    });
    world.stir();
    world
        .until_shown(&paid, |shown| {
            shown["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("no rent"))
        })
        .await;
    assert_eq!(world.signer.count("release"), 0);
    *world.chain.simulation.lock().expect("no panic") = None;
    world.stir();
    assert_eq!(world.ended(&paid).await["status"], "CONFIRMED");
}

/// The agent that sends the bytes itself gets them when it asks again: fresh, once, always the same.
#[tokio::test]
async fn without_submit_the_bytes_are_made_when_the_agent_asks() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let body = world
        .body()
        .replace("\"amount_base\"", "\"submit\":false,\"amount_base\"");
    let (status, paid) = world.pay("k", &body).await;
    assert_eq!((status.as_u16(), &paid["status"]), (202, &json!("QUEUED")));
    assert!(paid.get("signed_transaction").is_none(), "{paid}");
    let (status, early) = world.pay("k", &body).await;
    assert_eq!((status.as_u16(), &early["status"]), (200, &json!("QUEUED")));
    world.pass(MINUTE);
    world.until(|world| world.app.feed().is_caught_up()).await;
    assert_eq!(
        (
            world.signer.count("release"),
            &world.shown(&paid).await["status"]
        ),
        (0, &json!("QUEUED"))
    );
    let (first, second, third) = tokio::join!(
        world.pay("k", &body),
        world.pay("k", &body),
        world.pay("k", &body)
    );
    let bytes: Vec<_> = [&first, &second, &third]
        .into_iter()
        .filter_map(|(_, paid)| paid.get("signed_transaction"))
        .collect();
    assert!(!bytes.is_empty(), "{first:?} {second:?} {third:?}");
    assert!(bytes.iter().all(|one| *one == bytes[0]));
    let (status, again) = world.pay("k", &body).await;
    assert_eq!(
        (
            status.as_u16(),
            &again["status"],
            &again["signed_transaction"]
        ),
        (200, &json!("SUBMITTED"), bytes[0])
    );
    let shown = world
        .until_shown(&paid, |shown| shown["chain_transaction"].is_string())
        .await;
    assert_eq!(shown["status"], "SUBMITTED");
    assert!(world.chain.sent().is_empty(), "the agent sends it");
    let charged = world.signer.with(|inside| {
        let open = inside.kept.len();
        (open, inside.events.len())
    });
    assert_eq!(charged.0, 1, "one payment");
}

/// A payment keeps its place in the list when it is signed.
#[tokio::test]
async fn the_list_pages_backwards_over_payments_that_wait() {
    let world = World::waiting(Waits::Owner).await;
    let mut made = Vec::new();
    for number in 0..4 {
        let body = world
            .body()
            .replace("\"5\"", &format!("\"{}\"", number + 1));
        let (_, paid) = world.pay(&format!("k{number}"), &body).await;
        made.push(paid);
    }
    world.signer.approve(id(&made[0]));
    assert_eq!(world.ended(&made[0]).await["status"], "CONFIRMED");
    let mut expected: Vec<_> = made
        .iter()
        .map(|paid| paid["transaction"].clone())
        .collect();
    expected.reverse();
    let mut seen = Vec::new();
    let mut target = "/v1/transactions?limit=3".to_owned();
    loop {
        let (_, page) = world.get(&target, bearer()).await;
        let part = page["transactions"].as_array().expect("a list");
        seen.extend(part.iter().map(|one| one["transaction"].clone()));
        match page["next"].as_u64() {
            Some(next) => target = format!("/v1/transactions?limit=3&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn refusals_of_waiting_have_their_status_and_advice() {
    let world = World::new().await;
    for (refusal, status, retry) in [
        (Code::IntentTooMany, 429, Some(60)),
        (Code::IntentDuplicate, 409, None),
    ] {
        world.signer.set(Mood::Denies(refusal.into()));
        let (seen, problem) = world.pay("k", &world.body()).await;
        assert_eq!((seen.as_u16(), code(&problem)), (status, refusal.as_str()));
        assert_eq!(problem["retry_after_seconds"].as_u64(), retry);
        assert_eq!(problem["violations"][0]["next"], "wait");
        assert!(text(&problem["hint"]).contains("cancel"), "{problem}");
    }
}
