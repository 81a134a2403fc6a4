//! A second try after an unseen end (invariant 5): passed on, told of on both sides, and refused early
//! where the first try has not ended unseen.

use serde_json::{Value, json};
use waiaas_shared::denial::Code;

use crate::chain::Landing;
use crate::testing::{Mood, Waits, World, bearer, code, confirmed, text};

fn naming(world: &World, earlier: &Value) -> String {
    let named = format!(r#","replaces":"{}"}}"#, text(&earlier["transaction"]));
    world.body().replacen('}', &named, 1)
}

/// A payment that ended as the chain says.
async fn paid(world: &World, landing: Landing, key: &str, body: &str) -> Value {
    world.chain.land(landing);
    let request = world.payment("/v1/transactions?wait=30", bearer(), key, body);
    let (status, paid) = world.call(request).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    paid
}

async fn read(world: &World, payment: &Value) -> Value {
    let target = format!("/v1/transactions/{}", text(&payment["transaction"]));
    world.get(&target, bearer()).await.1
}

#[tokio::test]
async fn both_tries_tell_of_each_other() {
    let world = World::new().await;
    let first = paid(&world, Landing::Expired, "a", &world.body()).await;
    assert_eq!(first["status"], "EXPIRED");
    assert!(first.get("replaces").is_none() && first.get("replaced_by").is_none());
    let second = paid(&world, confirmed(), "b", &naming(&world, &first)).await;
    assert_eq!(
        (&second["status"], &second["replaces"]),
        (&json!("CONFIRMED"), &first["transaction"])
    );
    assert_eq!(
        read(&world, &first).await["replaced_by"],
        second["transaction"]
    );
    assert_eq!(
        read(&world, &second).await["replaces"],
        first["transaction"]
    );
    let (_, page) = world.get("/v1/transactions", bearer()).await;
    assert_eq!(page["transactions"][0]["replaces"], first["transaction"]);
    assert_eq!(
        page["transactions"][1]["replaced_by"],
        second["transaction"]
    );
    // The same key and body are the same second try.
    let (status, again) = world.pay("b", &naming(&world, &first)).await;
    assert_eq!(
        (status.as_u16(), &again["transaction"]),
        (200, &second["transaction"])
    );
}

/// One that waited and ended unsigned took no place.
#[tokio::test]
async fn a_try_that_was_cancelled_replaces_nothing() {
    let world = World::new().await;
    let first = paid(&world, Landing::Expired, "a", &world.body()).await;
    world.signer.with(|inside| inside.waits = Waits::Owner);
    let (status, second) = world.pay("b", &naming(&world, &first)).await;
    assert_eq!(
        (status.as_u16(), &second["replaces"]),
        (202, &first["transaction"])
    );
    // Asking for it by name waits until the log has told of it.
    assert_eq!(read(&world, &second).await["status"], "QUEUED");
    assert_eq!(
        read(&world, &first).await["replaced_by"],
        second["transaction"]
    );
    assert_eq!(world.cancel(&second).await.0.as_u16(), 200);
    assert!(read(&world, &first).await.get("replaced_by").is_none());
}

#[tokio::test]
async fn what_has_not_ended_unseen_is_not_replaced() {
    let world = World::new().await;
    let first = paid(&world, confirmed(), "a", &world.body()).await;
    let signed = world.signer.count("sign");
    let body = naming(&world, &first);
    let (status, problem) = world.pay("b", &body).await;
    assert_eq!(
        (status.as_u16(), code(&problem), &problem["detail"]),
        (
            409,
            "replaces_not_ended",
            &json!("The payment is CONFIRMED.")
        )
    );
    let dry = world.payment("/v1/transactions/dry-run", bearer(), "c", &body);
    let (status, problem) = world.call(dry).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (409, "replaces_not_ended")
    );
    assert_eq!(world.signer.count("sign"), signed);
}

#[tokio::test]
async fn the_signers_refusals_have_their_status() {
    let world = World::new().await;
    let unknown = json!({ "transaction": "tx_00000000000000000000000001" });
    for (refusal, status) in [
        (Code::ReplacesUnknown, 404),
        (Code::ReplacesOther, 422),
        (Code::ReplacesEvm, 422),
        (Code::ReplacesTaken, 409),
        (Code::ReplacesCredited, 409),
        (Code::PaymentReplaced, 409),
    ] {
        world.signer.set(Mood::Denies(refusal.into()));
        let (told, problem) = world.pay("b", &naming(&world, &unknown)).await;
        assert_eq!((told.as_u16(), code(&problem)), (status, refusal.as_str()));
    }
}
