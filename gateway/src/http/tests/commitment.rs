//! Waiting for a commitment: the answer says that it is reached, what is recorded stays, and no other network's word is
//! taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chain::{ChainText, Commitment, Depth, Landing};
use crate::testing::{World, bearer, code, confirmed};

const FINALIZED: Depth = Depth::Commitment(Commitment::Finalized);

impl World {
    fn nothing_is_final_yet(&self, yet: bool) {
        *self.chain.deeper.lock().expect("no panic under it") = yet.then_some(FINALIZED);
    }
}

async fn paid(world: &World, query: &str) -> (u16, Value) {
    let target = format!("/v1/transactions{query}");
    let request = world.payment(&target, bearer(), "k", &world.body());
    let (status, answer) = world.call(request).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn a_word_of_another_network_is_refused_before_anything_is_paid() {
    let world = World::new().await;
    for word in ["latest", "safe", "processed", "Confirmed", "", "final"] {
        let (status, answer) = paid(&world, &format!("?wait=1&commitment={word}")).await;
        assert_eq!(
            (status, code(&answer)),
            (422, "commitment_unknown"),
            "{word}"
        );
        let detail = answer["detail"].as_str().expect("it says which are known");
        assert!(detail.ends_with("confirmed, finalized."), "{detail}");
    }
    for query in [
        "?commitment=finalized&commitment=finalized",
        "?commitments=finalized",
    ] {
        let (status, answer) = paid(&world, query).await;
        assert_eq!((status, code(&answer)), (400, "query_malformed"), "{query}");
    }
    assert!(world.signer.with(|inside| inside.signed.is_empty()));
}

#[tokio::test]
async fn a_wait_ends_with_the_commitment_or_with_its_time() {
    let world = Arc::new(World::new().await);
    world.chain.land(confirmed());
    world.nothing_is_final_yet(true);
    let (status, made) = paid(&world, "?wait=30&commitment=confirmed").await;
    assert_eq!(
        (status, &made["commitment"]),
        (201, &json!("confirmed")),
        "{made}"
    );
    let id = made["transaction"].as_str().expect("named").to_owned();
    let target = format!("/v1/transactions/{id}");
    world.get(&format!("{target}?wait=30"), bearer()).await;

    // It is CONFIRMED by the gateway's measure and not final.
    let began = Instant::now();
    let (_, waited) = world
        .get(&format!("{target}?wait=1&commitment=finalized"), bearer())
        .await;
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(waited["status"], "CONFIRMED");
    assert_eq!(waited.get("commitment"), None);

    // It becomes final while somebody waits.
    let waits = tokio::spawn({
        let (world, target) = (
            Arc::clone(&world),
            format!("{target}?wait=30&commitment=finalized"),
        );
        async move { world.get(&target, bearer()).await.1 }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waits.is_finished());
    world.nothing_is_final_yet(false);
    let reached = waits.await.expect("answered");
    assert_eq!(reached["commitment"], "finalized");
    assert_eq!(reached["status"], "CONFIRMED");
    // One look is taken without waiting, and none that was not asked for.
    let (_, looked) = world
        .get(&format!("{target}?commitment=finalized"), bearer())
        .await;
    assert_eq!(looked["commitment"], "finalized");
    assert_eq!(world.get(&target, bearer()).await.1.get("commitment"), None);
}

#[tokio::test]
async fn what_has_ended_without_landing_is_not_waited_for() {
    let world = World::new().await;
    world.chain.land(Landing::Expired);
    let began = Instant::now();
    let (_, answer) = paid(&world, "?wait=30&commitment=finalized").await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(answer["status"], "EXPIRED");
    assert_eq!(answer.get("commitment"), None);

    // A failure stands on the chain as a success does.
    let world = World::new().await;
    world.chain.land(Landing::Failed {
        position: 5,
        reason: ChainText::new("no"),
    });
    let (_, answer) = paid(&world, "?wait=30&commitment=finalized").await;
    assert_eq!(answer["commitment"], "finalized");
}

/// No node answers: whoever waits is not kept longer than asked for, and whoever does not wait hardly at all.
#[tokio::test]
async fn a_look_lasts_no_longer_than_the_wait() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let (_, made) = paid(&world, "?wait=30").await;
    assert_eq!(made["status"], "CONFIRMED");
    let id = made["transaction"].as_str().expect("named");
    world.chain.hangs.store(true, Ordering::SeqCst);
    for (query, longest) in [
        ("wait=2&commitment=finalized", 4),
        ("commitment=finalized", 10),
    ] {
        let began = Instant::now();
        let target = format!("/v1/transactions/{id}?{query}");
        let (status, answer) = world.get(&target, bearer()).await;
        assert_eq!(
            (status.as_u16(), &answer["status"], answer.get("commitment")),
            (200, &json!("CONFIRMED"), None)
        );
        let took = began.elapsed();
        assert!(took < Duration::from_secs(longest), "{query}: {took:?}");
    }
}
