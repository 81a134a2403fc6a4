//! The history of a wallet: this session's payments and what came in, in one order, and nobody else's.

use serde_json::{Value, json};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AssetId, Token};
use waiaas_shared::policy::document::AssetRule;

use crate::chain::{ChainTransactionId, Incoming, Seen};
use crate::incoming::look;
use crate::testing::{
    World, bearer, chain_id, code, confirmed, from_account, other, to_account, wallet,
};

fn came(number: u8, asset: AssetId, amount: u128) -> Incoming {
    Incoming {
        account: from_account(),
        transaction: ChainTransactionId::Solana([number; 64]),
        place: 1,
        asset,
        from: Some(to_account()),
        amount: Amount::from_base_units(amount),
        position: 55,
        nodes: 2,
    }
}

async fn sees(world: &World, found: Vec<Incoming>) {
    *world.chain.seen.lock().expect("no panic under it") = Seen {
        found,
        ..Seen::default()
    };
    look(&world.app, &*world.chain).await.expect("stored");
}

fn strange() -> AssetId {
    let mint = Token::Mint(SolanaAddress::from_bytes([77; 32]));
    AssetId::new(chain_id(), mint).expect("one family")
}

fn target(query: &str) -> String {
    format!("/v1/wallets/{}/history{query}", wallet())
}

fn kinds(history: &Value) -> Vec<&str> {
    let entries = history["entries"].as_array().expect("a list");
    entries
        .iter()
        .map(|entry| entry["kind"].as_str().expect("text"))
        .collect()
}

#[tokio::test]
async fn payments_and_what_came_in_stand_in_one_order() {
    let world = World::new().await;
    world.chain.land(confirmed());
    sees(&world, vec![came(1, chain_id().native_asset(), 900)]).await;
    let tick = || {
        world
            .clock
            .fetch_add(1000, std::sync::atomic::Ordering::SeqCst)
    };
    tick();
    let request = world.payment("/v1/transactions?wait=30", bearer(), "k", &world.body());
    let (status, paid) = world.call(request).await;
    assert_eq!(
        (status.as_u16(), &paid["status"]),
        (201, &json!("CONFIRMED"))
    );
    tick();
    sees(
        &world,
        vec![came(2, chain_id().native_asset(), 7), came(3, strange(), 1)],
    )
    .await;
    // The same again is nothing new.
    sees(&world, vec![came(2, chain_id().native_asset(), 7)]).await;
    let (status, history) = world.get(&target(""), bearer()).await;
    assert_eq!(status.as_u16(), 200, "{history}");
    assert_eq!(kinds(&history), ["incoming", "payment", "incoming"]);
    assert!(history.get("next").is_none(), "{history}");
    let newest = &history["entries"][0];
    assert_eq!(
        (
            &newest["amount_base"],
            &newest["symbol"],
            &newest["registered"]
        ),
        (&json!("7"), &json!("SOL"), &json!(true))
    );
    assert_eq!(newest["from"], json!(to_account()));
    assert_eq!(history["entries"][1]["transaction"], paid["transaction"]);
    // Tokens that anybody may send are listed where they are asked for, and have no name.
    let (_, all) = world.get(&target("?unregistered=true"), bearer()).await;
    assert_eq!(kinds(&all).len(), 4);
    let entries = all["entries"].as_array().expect("a list");
    let unknown = entries.iter().find(|entry| entry["registered"] == false);
    let unknown = unknown.expect("listed");
    assert!(unknown.get("symbol").is_none() && unknown.get("decimals").is_none());
    // Page by page.
    let (mut query, mut told) = ("?limit=1&unregistered=true".to_owned(), Vec::new());
    loop {
        let (_, page) = world.get(&target(&query), bearer()).await;
        told.extend(page["entries"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=1&unregistered=true&before={next}");
    }
    assert_eq!(&told, entries);
}

#[tokio::test]
async fn another_sessions_payments_and_wallets_are_not_there() {
    let world = World::new().await;
    world.chain.land(confirmed());
    let (status, _) = world.pay("k", &world.body()).await;
    assert_eq!(status.as_u16(), 201);
    sees(&world, vec![came(1, chain_id().native_asset(), 900)]).await;
    let (_, history) = world.get(&target(""), other()).await;
    assert_eq!(kinds(&history), ["incoming"]);
    let foreign = waiaas_shared::ids::WalletId::from_bytes([6; 16]);
    for named in [foreign.to_string(), "nobody".to_owned()] {
        let (status, problem) = world
            .get(&format!("/v1/wallets/{named}/history"), bearer())
            .await;
        assert_eq!((status.as_u16(), code(&problem)), (404, "wallet_unknown"));
    }
}

#[tokio::test]
async fn only_one_network_and_only_queries_of_the_one_form() {
    let world = World::new().await;
    sees(&world, vec![came(1, chain_id().native_asset(), 900)]).await;
    let (_, here) = world
        .get(&target(&format!("?network={}", chain_id())), bearer())
        .await;
    assert_eq!(kinds(&here).len(), 1);
    let (_, elsewhere) = world.get(&target("?network=base"), bearer()).await;
    assert_eq!(kinds(&elsewhere).len(), 0);
    for query in [
        "?limit=0",
        "?limit=101",
        "?network=nowhere",
        "?before=",
        "?before=5",
        "?before=5.",
        "?before=05.x",
        "?before=x.y",
        "?before=5.a-b",
        "?unregistered=yes",
        "?from=x",
        "?limit=1&limit=2",
    ] {
        let (status, problem) = world.get(&target(query), bearer()).await;
        assert_eq!(
            (status.as_u16(), code(&problem)),
            (400, "query_malformed"),
            "{query}"
        );
    }
}

/// Whoever sends a wallet more tokens than an answer holds hides none of those that count.
#[tokio::test]
async fn a_flood_of_tokens_hides_no_registered_one() {
    let world = World::new().await;
    let six = Decimals::new(6).expect("six");
    let rule = AssetRule::closed(strange(), "USDC", six);
    world
        .signer
        .with(|inside| inside.documents[0].assets.push(rule));
    world
        .chain
        .crowded
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let target = format!("/v1/wallets/{}/balances", wallet());
    let (status, held) = world.get(&target, bearer()).await;
    assert_eq!(status.as_u16(), 200, "{held}");
    let own = &held["balances"][1];
    assert_eq!(
        (
            &own["asset"],
            &own["symbol"],
            &own["amount_base"],
            &own["registered"]
        ),
        (
            &json!(strange()),
            &json!("USDC"),
            &json!("456"),
            &json!(true)
        )
    );
    assert_eq!(
        held["incomplete"][0]["problem"]["code"],
        "chain_unreachable"
    );
}

/// A node that is away costs nothing but what is not seen.
#[tokio::test]
async fn what_cannot_be_seen_now_is_seen_later() {
    let world = World::new().await;
    world
        .chain
        .down
        .store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(look(&world.app, &*world.chain).await.is_err());
    let (status, history) = world.get(&target(""), bearer()).await;
    assert_eq!((status.as_u16(), kinds(&history).len()), (200, 0));
    world
        .chain
        .down
        .store(false, std::sync::atomic::Ordering::SeqCst);
    sees(&world, vec![came(1, chain_id().native_asset(), 900)]).await;
    assert_eq!(kinds(&world.get(&target(""), bearer()).await.1).len(), 1);
}
