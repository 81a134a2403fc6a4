//! How soon a payment should land: the wish reaches whoever builds it, moves no ceiling, and belongs to the body
//! like every other field.

use serde_json::json;
use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;

use crate::chain::Offer;
use crate::testing::{MINUTE, Waits, World, bearer, chain_id, code};

fn offers(world: &World) -> Vec<Offer> {
    world
        .chain
        .offers
        .lock()
        .expect("no panic under it")
        .clone()
}

fn with_speed(world: &World, speed: &str) -> String {
    let said = format!("\"speed\":\"{speed}\",\"amount_base\"");
    world.body().replace("\"amount_base\"", &said)
}

#[tokio::test]
async fn a_speed_is_offered_under_the_same_ceiling() {
    let world = World::new().await;
    for (key, body, speed) in [
        ("a", world.body(), Speed::Normal),
        ("b", with_speed(&world, "slow"), Speed::Slow),
        ("c", with_speed(&world, "fast"), Speed::Fast),
    ] {
        let (status, paid) = world.pay(key, &body).await;
        assert_eq!(status.as_u16(), 201, "{paid}");
        let offer = *offers(&world).last().expect("built");
        let ceiling = Some(Amount::from_base_units(20_000));
        assert_eq!(offer, Offer { ceiling, speed });
    }
    let (status, problem) = world.pay("d", &with_speed(&world, "urgent")).await;
    assert_eq!((status.as_u16(), code(&problem)), (400, "body_malformed"));
}

#[tokio::test]
async fn invariant_19_another_speed_under_a_used_key_is_an_error() {
    let world = World::new().await;
    let (status, _) = world.pay("k", &with_speed(&world, "slow")).await;
    assert_eq!(status.as_u16(), 201);
    for other in [world.body(), with_speed(&world, "fast")] {
        let (status, problem) = world.pay("k", &other).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (409, "idempotency_conflict")
        );
    }
    let (status, again) = world.pay("k", &with_speed(&world, "slow")).await;
    assert_eq!((status.as_u16(), &again["replay"]), (200, &json!(true)));
}

#[tokio::test]
async fn what_waited_goes_at_the_speed_that_was_asked_for() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (status, paid) = world.pay("k", &with_speed(&world, "fast")).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    world.pass(MINUTE);
    assert_eq!(world.ended(&paid).await["status"], "CONFIRMED");
    let speeds: Vec<Speed> = offers(&world).iter().map(|offer| offer.speed).collect();
    assert!(speeds.len() >= 2, "{speeds:?}");
    assert!(
        speeds.iter().all(|speed| *speed == Speed::Fast),
        "{speeds:?}"
    );
}

#[tokio::test]
async fn fees_of_a_network_are_shown_at_three_speeds_under_the_ceiling() {
    let world = World::new().await;
    let target = format!("/v1/networks/{}/fees", chain_id());
    let (status, fees) = world.get(&target, bearer()).await;
    assert_eq!(status.as_u16(), 200, "{fees}");
    assert_eq!(fees["ceiling_base"], "20000");
    for speed in Speed::ALL {
        let told = &fees[speed.as_str()];
        assert_eq!(told["fee_max_base"], "20000", "{fees}");
        assert_eq!(told["above_ceiling"], false);
        assert_eq!(told["micro_lamports_per_compute_unit"], "7");
    }
    for (network, status, reason) in [
        ("eip155:1", 422, "chain_not_configured"),
        ("ethereum", 422, "chain_not_configured"),
        ("eip155:01", 404, "not_found"),
        ("nowhere", 404, "not_found"),
    ] {
        let target = format!("/v1/networks/{network}/fees");
        let (told, problem) = world.get(&target, bearer()).await;
        assert_eq!(
            (told.as_u16(), code(&problem)),
            (status, reason),
            "{network}"
        );
    }
    world
        .chain
        .down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let (status, problem) = world.get(&target, bearer()).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (503, "chain_unreachable")
    );
}
