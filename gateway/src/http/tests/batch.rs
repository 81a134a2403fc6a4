//! Several transfers in one transaction, and memos, over HTTP: one payment, shown whole, kept whole.

use serde_json::json;
use waiaas_shared::transaction::{Known, decode};

use crate::testing::{MINUTE, Waits, World, bearer, chain_id, code, from_account, to_account};

/// Three to the only contact, with a memo.
fn body(world: &World) -> String {
    let items = r#"[{"to":"@hosting","amount_base":"5"},{"to":"@hosting","amount_base":"6"},{"to":"@hosting","amount_base":"7"}]"#;
    let transfers = format!(r#""transfers":{items},"memo":"order 7""#);
    world
        .body()
        .replace(r#""to":"@hosting","amount_base":"5""#, &transfers)
}

fn each(amounts: [&str; 3]) -> serde_json::Value {
    let asset = chain_id().native_asset().to_string();
    let each =
        amounts.map(|amount| json!({ "asset": asset, "to": to_account(), "amount_base": amount }));
    json!(each)
}

#[tokio::test]
async fn several_transfers_are_one_payment_and_shown_whole() {
    let world = World::new().await;
    let (status, paid) = world.pay("k", &body(&world)).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    assert_eq!(paid["transfers"], each(["5", "6", "7"]));
    assert_eq!(paid["memo"], "order 7");
    assert_eq!(paid["amount_base"], "5");
    // As the log tells it, and by the same key.
    let shown = world.shown(&paid).await;
    assert_eq!(shown["transfers"], paid["transfers"]);
    assert_eq!(shown["memo"], "order 7");
    let (status, again) = world.pay("k", &body(&world)).await;
    assert_eq!(status.as_u16(), 200);
    assert_eq!(again["transaction"], paid["transaction"]);
    let other = body(&world).replace("order 7", "order 8");
    let (status, problem) = world.pay("k", &other).await;
    assert_eq!(
        (status.as_u16(), code(&problem)),
        (409, "idempotency_conflict")
    );
    // What was sent is what was asked for.
    let sent = world.chain.sent();
    assert!(sent.iter().all(|again| *again == sent[0]));
    let read = decode(chain_id(), from_account(), &sent[0][65..], Known::NOTHING);
    let read = read.expect("readable");
    let moved = read.effects().iter().filter(|effect| !effect.is_cost());
    let amounts: Vec<_> = moved.map(|effect| effect.amount().base_units()).collect();
    assert_eq!(amounts, [5, 6, 7]);
    assert_eq!(
        read.memo().map(ToString::to_string).as_deref(),
        Some("order 7")
    );
    // A payment of one says nothing of it.
    let (_, one) = world.pay("one", &world.body()).await;
    assert!(one.get("transfers").is_none() && one.get("memo").is_none());
}

#[tokio::test]
async fn one_transfer_may_carry_a_memo() {
    let world = World::new().await;
    let noted = world.body().replacen('{', r#"{"memo":"order 7","#, 1);
    let (status, paid) = world.pay("k", &noted).await;
    assert_eq!(status.as_u16(), 201, "{paid}");
    assert_eq!(paid["memo"], "order 7");
    assert!(paid.get("transfers").is_none(), "{paid}");
}

#[tokio::test]
async fn a_batch_that_waited_is_built_again_whole() {
    let world = World::waiting(Waits::Time(MINUTE)).await;
    let (status, paid) = world.pay("k", &body(&world)).await;
    assert_eq!(status.as_u16(), 202, "{paid}");
    assert_eq!(paid["transfers"], each(["5", "6", "7"]));
    let shown = world.shown(&paid).await;
    assert_eq!(shown["transfers"], paid["transfers"]);
    world.pass(MINUTE);
    let ended = world.ended(&paid).await;
    assert_eq!(ended["status"], "CONFIRMED", "{ended}");
    assert_eq!(ended["transfers"], paid["transfers"]);
    assert_eq!(ended["memo"], "order 7");
}

#[tokio::test]
async fn what_is_no_batch_is_refused_by_code() {
    let world = World::new().await;
    let nine = [r#"{"to":"@hosting","amount_base":"5"}"#; 9].join(",");
    let single = r#""to":"@hosting","amount_base":"5""#;
    let named = world
        .body()
        .replace(single, &format!(r#""transfers":[{nine}]"#));
    for (body, status, expected) in [
        (named, 422, "batch_too_large"),
        (
            body(&world).replace("order 7", "a|b"),
            422,
            "memo_malformed",
        ),
        (
            body(&world).replace(&chain_id().to_string(), "eip155:31337"),
            422,
            "solana_only",
        ),
        (
            body(&world).replace(r#""memo""#, r#""to":"@hosting","memo""#),
            400,
            "body_malformed",
        ),
        (
            body(&world).replacen("@hosting", "@nobody", 1),
            403,
            "recipient_not_listed",
        ),
    ] {
        let (told, problem) = world.pay("k", &body).await;
        assert_eq!((told.as_u16(), code(&problem)), (status, expected));
        let request = world.payment("/v1/transactions/dry-run", bearer(), "k", &body);
        let (told, judged) = world.call(request).await;
        let refused = told.as_u16() == status || judged["allowed"] == false;
        assert!(refused, "{told} {judged}");
    }
    assert!(world.chain.sent().is_empty());
    let request = world.payment("/v1/transactions/dry-run", bearer(), "k", &body(&world));
    let (status, judged) = world.call(request).await;
    assert_eq!((status.as_u16(), &judged["allowed"]), (200, &json!(true)));
}
