//! Payments that wait, over the ends of the gateway's own life: restarts, a lost gateway.db, answers that
//! never came, and a log that is not to be believed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::status::Status;
use waiaas_shared::time::Millis;

use super::*;
use crate::chain::Landing;
use crate::database::Database;
use crate::testing::{FakeChain, FakeSigner, MINUTE, Mood, Waits, World, bearer, confirmed};

/// One life of a gateway: whatever it has under way ends with it, as in a crash.
fn life<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(story)
}

/// What outlives a gateway.
struct Rest {
    signer: Arc<FakeSigner>,
    chain: Arc<FakeChain>,
    database: Database,
}

impl Rest {
    fn of(world: &World) -> Self {
        Self {
            signer: Arc::clone(&world.signer),
            chain: Arc::clone(&world.chain),
            database: world.app.database.clone(),
        }
    }

    async fn world(&self) -> World {
        let (signer, chain) = (Arc::clone(&self.signer), Arc::clone(&self.chain));
        let world = World::with(signer, chain, self.database.clone()).await;
        let run = self.signer.with(|inside| inside.run);
        world.clock.fetch_add(run, Ordering::SeqCst);
        world
    }

    /// Time passes while no gateway runs.
    fn pass(&self, time: Millis) {
        self.signer.with(|inside| inside.run += time.millis());
    }
}

async fn stored(world: &World, id: TransactionId) -> Payment {
    let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
    let stored = world.app.database.run(Durability::Process, find).await;
    stored.expect("runs").expect("there")
}

async fn until(world: &World, id: TransactionId, status: Status) -> Payment {
    for _ in 0..3000 {
        let payment = stored(world, id).await;
        if payment.progress.status == status {
            return payment;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never {status}: {:?}", stored(world, id).await);
}

async fn queued(world: &World, key: &str, amount: u32) -> TransactionId {
    let body = world.body().replace("\"5\"", &format!("\"{amount}\""));
    let (status, paid) = world.pay(key, &body).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    let id = paid["transaction"].as_str().expect("text");
    let id = id.parse().expect("an identifier");
    // The answer is a moment ahead of the log's reader.
    let sequence = paid["sequence"].as_u64().expect("a number");
    world.app.caught_up(sequence).await.expect("in time");
    id
}

#[test]
fn a_restart_forgets_no_wait() {
    let (rest, id) = life(async {
        let world = World::waiting(Waits::Time(MINUTE)).await;
        let id = queued(&world, "k", 5).await;
        (Rest::of(&world), id)
    });
    // Nothing is released before its time by a gateway that starts anew.
    life(async {
        let world = rest.world().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(stored(&world, id).await.progress.status, Status::Queued);
        assert_eq!(rest.signer.count("release"), 0);
    });
    rest.pass(MINUTE);
    life(async {
        let world = rest.world().await;
        until(&world, id, Status::Confirmed).await;
    });
    assert_eq!(rest.chain.sent().len(), 1);
}

/// An approval, a cancellation and an end that came while no gateway ran.
#[test]
fn what_happened_while_it_was_away_is_caught_up_with() {
    let (rest, ids) = life(async {
        let world = World::waiting(Waits::Owner).await;
        let mut ids = Vec::new();
        for amount in 1..=3 {
            ids.push(queued(&world, &format!("k{amount}"), amount).await);
        }
        (Rest::of(&world), ids)
    });
    rest.signer.approve(ids[0]);
    let origin = Origin::Admin;
    rest.signer.end(ids[1], IntentEnd::Cancelled { origin });
    rest.signer.end(ids[2], IntentEnd::Expired);
    life(async {
        let world = rest.world().await;
        until(&world, ids[0], Status::Confirmed).await;
        until(&world, ids[1], Status::Cancelled).await;
        until(&world, ids[2], Status::Expired).await;
    });
    assert_eq!(rest.chain.sent().len(), 1);
}

/// The log alone brings every payment back as it was.
#[test]
fn a_lost_database_brings_every_wait_back() {
    let (rest, before) = life(async {
        let world = World::waiting(Waits::Owner).await;
        let asks = queued(&world, "asks", 1).await;
        let approved = queued(&world, "approved", 2).await;
        let rejected = queued(&world, "cancelled", 3).await;
        let expired = queued(&world, "expired", 4).await;
        world
            .signer
            .with(|inside| inside.waits = Waits::Time(MINUTE));
        let waits = queued(&world, "waits", 6).await;
        world.signer.approve(approved);
        until(&world, approved, Status::Confirmed).await;
        let origin = Origin::Gateway;
        world.signer.end(rejected, IntentEnd::Cancelled { origin });
        world.signer.end(expired, IntentEnd::Expired);
        until(&world, rejected, Status::Cancelled).await;
        until(&world, expired, Status::Expired).await;
        let mut before = Vec::new();
        for id in [asks, approved, rejected, expired, waits] {
            before.push(stored(&world, id).await);
        }
        (Rest::of(&world), before)
    });
    let fresh = Rest {
        database: Database::in_memory().expect("opens"),
        ..rest
    };
    life(async {
        let world = fresh.world().await;
        for known in &before {
            let id = known.facts.id;
            let found = until(&world, id, known.progress.status).await;
            assert_eq!(found.facts, known.facts);
            assert_eq!(found.progress.detail, known.progress.detail);
            assert_eq!(found.progress.waiting, known.progress.waiting);
        }
        let (_, page) = world.get("/v1/transactions", bearer()).await;
        assert_eq!(page["transactions"].as_array().map(Vec::len), Some(5));
    });
    // What was paid was found on the chain, not sent once more.
    assert_eq!(fresh.chain.sent().len(), 1);
}

/// The signer released it and its answer was lost: the log tells, and the payment is sent.
#[tokio::test]
async fn a_release_whose_answer_was_lost_is_sent_from_the_log() {
    let world = World::waiting(Waits::Owner).await;
    let id = queued(&world, "k", 5).await;
    world.signer.set(Mood::DiesAfterCommit);
    world.signer.approve(id);
    world
        .until(|world| world.signer.with(|inside| inside.mood == Mood::Down))
        .await;
    assert!(world.chain.sent().is_empty());
    world.signer.set(Mood::Fine);
    let payment = until(&world, id, Status::Confirmed).await;
    let sent = world.chain.sent();
    assert!(!sent.is_empty() && sent.iter().all(|raw| *raw == sent[0]));
    assert_eq!(
        payment
            .progress
            .chain_transaction
            .map(|name| name.to_string()),
        {
            let name = bs58::encode(&sent[0][1..65]).into_string();
            Some(name)
        }
    );
}

/// The same, and the gateway died with it.
#[test]
fn a_crash_between_release_and_sending_loses_nothing() {
    let (rest, id) = life(async {
        let world = World::waiting(Waits::Owner).await;
        let id = queued(&world, "k", 5).await;
        world.signer.set(Mood::DiesAfterCommit);
        world.signer.approve(id);
        world
            .until(|world| world.signer.with(|inside| inside.mood == Mood::Down))
            .await;
        (Rest::of(&world), id)
    });
    assert!(rest.chain.sent().is_empty());
    rest.signer.set(Mood::Fine);
    life(async {
        let world = rest.world().await;
        until(&world, id, Status::Confirmed).await;
    });
    let sent = rest.chain.sent();
    assert!(!sent.is_empty() && sent.iter().all(|raw| *raw == sent[0]));
}

/// Dead between the write of its name and the chain's word: looked for, and the same bytes again.
#[test]
fn a_crash_after_sending_sends_the_same_bytes() {
    let (rest, id) = life(async {
        let world = World::waiting(Waits::Owner).await;
        world.chain.land(Landing::Unknown);
        let id = queued(&world, "k", 5).await;
        world.signer.approve(id);
        until(&world, id, Status::Submitted).await;
        (Rest::of(&world), id)
    });
    rest.chain.land(confirmed());
    life(async {
        let world = rest.world().await;
        until(&world, id, Status::Confirmed).await;
    });
    let sent = rest.chain.sent();
    assert!(sent.iter().all(|raw| *raw == sent[0]));
    assert_eq!(rest.signer.count("release"), 1);
}

/// A log that goes back stops releases as it stops payments.
#[tokio::test]
async fn nothing_is_released_on_the_word_of_a_faulty_log() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    queued(&world, "k", 5).await;
    let locked = || EventBody::Locked {
        origin: Origin::Admin,
    };
    world.signer.append(locked());
    let sequence = world.signer.append(locked());
    world
        .until(|world| world.app.feed().sequence == sequence)
        .await;
    world.signer.roll_back_to(3);
    world
        .until(|world| world.app.feed().fault().is_some())
        .await;
    world.clock.fetch_add(MINUTE.millis(), Ordering::SeqCst);
    world.signer.with(|inside| inside.run += MINUTE.millis());
    world.app.tracker.signer_changed();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.signer.count("release"), 0);
    assert!(world.chain.sent().is_empty());
}

/// A payment whose bytes the node forgot and a locked signer holds back: the pace between two sendings is for what
/// was sent, so they leave as soon as the signer gives them.
#[test]
fn bytes_that_were_held_back_are_sent_once_they_are_there() {
    let mut rest = life(async {
        let world = World::new().await;
        let (status, paid) = world.pay("k", &world.body()).await;
        assert_eq!(status.as_u16(), 201, "{paid}");
        Rest::of(&world)
    });
    rest.chain = Arc::new(FakeChain::default());
    rest.chain.resend.store(3600, Ordering::SeqCst);
    rest.signer.set(Mood::Denies(Code::Locked.into()));
    life(async {
        let world = rest.world().await;
        world
            .until(|world| world.signer.count("signed_transaction") > 1)
            .await;
        assert!(rest.chain.sent().is_empty());
        rest.signer.set(Mood::Fine);
        world.until(|_| rest.chain.sent().len() == 1).await;
    });
}
