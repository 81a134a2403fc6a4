//! The feed as a whole: a log that goes on, one that does not, and what a crash leaves behind.

use super::*;
use crate::database::Database;
use crate::testing::{World, bearer, chain_id, code, confirmed, wallet};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SignerId, TransactionId};
use waiaas_shared::status::Status;

async fn cursor(world: &World) -> Cursor {
    world
        .app
        .database
        .run(Durability::Process, store::cursor)
        .await
        .expect("runs")
        .expect("a cursor")
}

async fn stored(world: &World, id: &str) -> Option<Payment> {
    let id: TransactionId = id.parse().expect("an identifier");
    let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
    world
        .app
        .database
        .run(Durability::Process, find)
        .await
        .expect("runs")
}

async fn settled(world: &World, id: &str, status: Status) {
    for _ in 0..2000 {
        if stored(world, id)
            .await
            .is_some_and(|payment| payment.progress.status == status)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{id} never became {status}: {:?}", stored(world, id).await);
}

#[tokio::test]
async fn the_log_is_followed_event_by_event() {
    let world = World::new().await;
    assert_eq!(cursor(&world).await.sequence, 1);
    let sequence = world.signer.append(EventBody::Paused {
        wallet: Some(wallet()),
        origin: Origin::Admin,
    });
    world
        .until(|world| world.app.feed().sequence == sequence)
        .await;
    assert_eq!(cursor(&world).await.sequence, sequence);
}

/// A log that is shorter than what was seen stops payments, with an alarm; it is not followed back.
#[tokio::test]
async fn a_log_that_was_rolled_back_stops_payments() {
    let world = World::new().await;
    for _ in 0..3 {
        world.signer.append(EventBody::Locked {
            origin: Origin::Admin,
        });
    }
    world.until(|world| world.app.feed().sequence == 4).await;
    world.signer.roll_back_to(2);
    world
        .until(|world| world.app.feed().fault().is_some())
        .await;
    assert_eq!(world.app.feed().fault(), Some(LogFault::RolledBack));
    assert_eq!(cursor(&world).await.sequence, 4);
    let (status, problem) = world.pay("k", &world.body()).await;
    assert_eq!((status.as_u16(), code(&problem)), (503, "log_rolled_back"));
    assert_eq!(world.signer.count("sign"), 0);
    // Also when the log grows again, differently.
    for _ in 0..3 {
        world.signer.append(EventBody::Locked {
            origin: Origin::Gateway,
        });
    }
    world
        .until(|world| world.app.feed().fault() == Some(LogFault::Forked))
        .await;
    assert_eq!(cursor(&world).await.sequence, 4);
    let (status, _) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 503);
}

#[tokio::test]
async fn another_signer_and_forged_heads_are_seen() {
    let world = World::new().await;
    // One letter of an event.
    world.signer.append(EventBody::Locked {
        origin: Origin::Admin,
    });
    world.until(|world| world.app.feed().sequence == 2).await;
    world.signer.with(|inside| {
        inside.log_key = ed25519_dalek::SigningKey::from_bytes(&[66; 32]);
    });
    world.signer.append(EventBody::Locked {
        origin: Origin::Admin,
    });
    world
        .until(|world| world.app.feed().fault() == Some(LogFault::Signature))
        .await;
    assert_eq!(cursor(&world).await.sequence, 2);

    let world = World::new().await;
    world.signer.set(crate::testing::Mood::Down);
    world
        .until(|world| world.app.feed().health == FeedHealth::Unreachable)
        .await;
    world
        .signer
        .with(|inside| inside.id = SignerId::from_bytes([99; 16]));
    world.signer.set(crate::testing::Mood::Fine);
    world
        .until(|world| world.app.feed().fault() == Some(LogFault::OtherSigner))
        .await;
}

#[tokio::test]
async fn a_changed_event_is_seen() {
    let world = World::new().await;
    world.signer.with(|inside| {
        let previous = inside.events[0].clone();
        let mut changed = previous;
        changed.sequence = 2;
        inside.events.push(changed);
    });
    world
        .until(|world| world.app.feed().fault().is_some())
        .await;
    assert_eq!(cursor(&world).await.sequence, 1);
}

/// Deleting gateway.db loses HTTP state only: payments come back from the log, and those that were
/// not confirmed are looked for on the chain, with the signer's bytes.
#[tokio::test]
async fn a_lost_database_is_rebuilt_from_the_log() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    let id = paid["transaction"]
        .as_str()
        .expect("an identifier")
        .to_owned();
    settled(&world, &id, Status::Confirmed).await;
    let before = stored(&world, &id).await.expect("there");
    assert_eq!(world.chain.sent().len(), 1);
    let (signer, chain) = (world.signer.clone(), world.chain.clone());
    drop(world);

    let fresh = Database::in_memory().expect("opens");
    let world = World::with(signer, chain, fresh).await;
    settled(&world, &id, Status::Confirmed).await;
    let after = stored(&world, &id).await.expect("there");
    assert_eq!(after.facts.amount, before.facts.amount);
    assert_eq!(after.facts.idempotency, before.facts.idempotency);
    assert_eq!(
        after.progress.chain_transaction,
        before.progress.chain_transaction
    );
    // It was found, not sent a second time.
    assert_eq!(world.chain.sent().len(), 1);
    let (status, shown) = world.get(&format!("/v1/transactions/{id}"), bearer()).await;
    assert_eq!(
        (status.as_u16(), shown["network"].as_str()),
        (200, Some(&*chain_id().to_string()))
    );
}

/// The signer committed and its answer was lost: the log tells, and the payment is sent.
#[tokio::test]
async fn a_payment_whose_answer_was_lost_is_sent_from_the_log() {
    let world = World::new().await;
    world.chain.land(confirmed());
    world.signer.set(crate::testing::Mood::DiesAfterCommit);
    let (status, problem) = world.pay("k", &world.body()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (503, "signer_interrupted")
    );
    assert!(world.chain.sent().is_empty());
    world.signer.set(crate::testing::Mood::Fine);
    world.until(|world| !world.chain.sent().is_empty()).await;
    let (status, replay) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 200, "{replay}");
    assert_eq!(replay["replay"], true);
    let id = replay["transaction"].as_str().expect("an identifier");
    settled(&world, id, Status::Confirmed).await;
    let sent = world.chain.sent();
    assert!(
        sent.iter().all(|raw| *raw == sent[0]),
        "only ever the same bytes"
    );
    assert_eq!(world.signer.with(|inside| inside.signed.len()), 1);
}

/// A payment that was committed and never sent does not leave after the session was revoked.
#[tokio::test]
async fn what_never_left_is_cancelled_when_the_signer_refuses_for_good() {
    let world = World::new().await;
    world.signer.set(crate::testing::Mood::DiesAfterCommit);
    let (status, _) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 503);
    let revoked = waiaas_shared::denial::Code::SessionRevoked;
    world
        .signer
        .set(crate::testing::Mood::Denies(revoked.into()));
    let mut payments = Vec::new();
    for _ in 0..3000 {
        payments = world
            .app
            .database
            .run(Durability::Process, |connection| {
                store::of_session(connection, bearer(), None, 9)
            })
            .await
            .expect("runs");
        if payments
            .iter()
            .any(|payment| payment.progress.status == Status::Cancelled)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(payments.len(), 1);
    assert_eq!(payments[0].progress.status, Status::Cancelled);
    assert!(world.chain.sent().is_empty());
}
