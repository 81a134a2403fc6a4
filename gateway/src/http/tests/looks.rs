//! How often nodes are asked about a payment that is under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::chain::Landing;
use crate::database::Database;
use crate::testing::{FakeChain, World, confirmed};

const DAY: u64 = 24 * 3_600_000;

/// A websocket that always rings makes no more than four times as many questions of an old payment.
#[tokio::test]
async fn a_socket_that_always_rings_keeps_nobody_busy() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let (status, paid) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    let signer = world.signer.clone();
    drop(world);

    // A day later the payment is found in the log and sent again; it lands nowhere.
    let chain = Arc::new(FakeChain::default());
    chain.land(Landing::Pending);
    chain.look_slowest.store(400, Ordering::SeqCst);
    chain.loud.store(true, Ordering::SeqCst);
    let fresh = Database::in_memory().expect("opens");
    let world = World::with(signer, chain, fresh).await;
    world.clock.fetch_add(DAY, Ordering::SeqCst);
    let looks = |world: &World| world.chain.sought.lock().expect("no panic under it").len();
    world.until(|world| looks(world) >= 2).await;
    let before = looks(&world);
    sleep(Duration::from_secs(2)).await;
    let looked = looks(&world) - before;
    // Five pauses at least have begun when the time is over.
    assert!((3..=6 * 4).contains(&looked), "{looked}");
}
