//! Tokens against a node that says what suits it: a balance, a gas estimate, a token that refuses,
//! keeps a part, or is none.

use waiaas_shared::caip::AssetId;
use waiaas_shared::effect::Effect;

use super::*;

const TOKEN: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

fn asset() -> AssetId {
    format!("eip155:31337/erc20:{TOKEN}")
        .parse()
        .expect("a token")
}

fn payment(units: u128) -> Transfer {
    Transfer {
        action: Action::Transfer,
        asset: asset(),
        to: account(BOB),
        amount: coins(units),
        mint: None,
        call: None,
        stake: None,
        program: None,
    }
}

fn word(number: u128) -> String {
    format!("0x{number:064x}")
}

/// Which method of the token is called.
fn method(params: &Value) -> String {
    let data = params[0]["data"].as_str().unwrap_or_default();
    data.get(..10).unwrap_or_default().to_owned()
}

/// A node with an honest token of which Alice holds a thousand units, but where `lie` says otherwise.
fn token_node(lie: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> MockNode {
    evm_node(move |name, params| {
        lie(name, params).or_else(|| match (name, method(params).as_str()) {
            ("eth_call", "0x70a08231") => Some(Reply::Result(json!(word(1000)))),
            ("eth_call", "0xa9059cbb") => Some(Reply::Result(json!(word(1)))),
            ("eth_call", "0x313ce567") => Some(Reply::Result(json!(word(6)))),
            ("eth_call", "0x95d89b41") => {
                let text = format!("{}{}", "55534443", "0".repeat(56));
                let abi = format!("0x{:064x}{:064x}{text}", 32, 4);
                Some(Reply::Result(json!(abi)))
            }
            ("eth_estimateGas", "0xa9059cbb") => Some(Reply::Result(json!("0xc350"))),
            ("eth_simulateV1", _) => Some(simulated(1000, 1, 1005)),
            _ => None,
        })
    })
}

/// What Bob holds before and after, and whether the transfer succeeded.
fn simulated(before: u128, status: u8, after: u128) -> Reply {
    let look = |held| json!({ "returnData": word(held), "status": "0x1", "gasUsed": "0x1" });
    let moved = json!({ "returnData": word(1), "status": format!("{status:#x}") });
    Reply::Result(json!([{ "number": "0x65", "calls": [look(before), moved, look(after)] }]))
}

async fn prepare(chain: &Chain, units: u128) -> Result<Prepared, ChainError> {
    chain
        .prepare_transfer(
            account(ALICE),
            &payment(units),
            None,
            NetworkTerms::default(),
        )
        .await
}

async fn tried(node: &MockNode) -> Result<(), ChainError> {
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let prepared = prepare(&chain, 5).await?;
    chain
        .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
        .await
}

#[tokio::test]
async fn a_token_payment_is_what_the_signer_reads() {
    let node = token_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let prepared = prepare(&chain, 5).await.expect("an honest node");
    let read = decode(
        chain.id(),
        account(ALICE),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    let moved = Effect::Transfer {
        asset: asset(),
        to: account(BOB),
        amount: coins(5),
    };
    assert_eq!(read.effects().first(), Some(&moved));
    assert_eq!(read.fee_max(), prepared.fee_max);
    // A quarter above the estimate.
    assert_eq!(prepared.fee_max, coins(62_500 * 21 * GWEI));
    chain
        .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
        .await
        .expect("succeeds");
    let calls = node.calls();
    let simulated = calls
        .iter()
        .find(|(method, _)| method == "eth_simulateV1")
        .expect("asked");
    let call = &simulated.1[0]["blockStateCalls"][0]["calls"][1];
    assert_eq!(call["to"], TOKEN);
    assert_eq!(call["value"], "0x0");
}

#[tokio::test]
async fn too_few_tokens_are_said_before_anything_else() {
    let node = token_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    assert_eq!(
        prepare(&chain, 1001).await,
        Err(ChainError::InsufficientTokens {
            asset: Box::new(asset()),
            balance: coins(1000),
            needed: coins(1001)
        })
    );
    assert_eq!(node.count("eth_estimateGas"), 0);
    prepare(&chain, 1000).await.expect("all of it");
}

#[tokio::test]
async fn an_approval_is_built_whatever_the_wallet_holds() {
    let node = token_node(|name, params| {
        (name == "eth_estimateGas" && method(params) == "0x095ea7b3")
            .then(|| Reply::Result(json!("0xb41a")))
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let asked = Transfer {
        action: Action::Approve,
        ..payment(1001)
    };
    let prepared = chain.prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default());
    let prepared = prepared.await.expect("an honest node");
    let read = decode(
        chain.id(),
        account(ALICE),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    assert_eq!(read.effects().first(), asked.effects().first());
    chain
        .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
        .await
        .expect("succeeds");
    assert_eq!(node.count("eth_simulateV1"), 0, "nothing moves");
    // Where there is no token there is nothing to approve.
    let empty = token_node(|method, _| (method == "eth_call").then(|| Reply::Result(json!("0x"))));
    let chain = chain_of("eip155:31337", &[&empty.url()], "");
    assert_eq!(
        chain
            .prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default())
            .await,
        Err(ChainError::NoToken(Box::new(asset())))
    );
}

#[tokio::test]
async fn gas_for_a_token_is_bounded_whatever_a_node_says() {
    for (estimate, limit) in [("0x61a80", None), ("0x61a84", Some(500_000))] {
        let node = token_node(move |method, _| {
            (method == "eth_estimateGas").then(|| Reply::Result(json!(estimate)))
        });
        let chain = chain_of(
            "eip155:31337",
            &[&node.url()],
            "max-fee = \"1000000000000000000\"",
        );
        match (prepare(&chain, 5).await, limit) {
            (Ok(prepared), None) => assert_eq!(prepared.fee_max, coins(500_000 * 21 * GWEI)),
            (Err(ChainError::GasAboveLimit { limit, .. }), Some(most)) => assert_eq!(limit, most),
            (other, _) => panic!("{other:?}"),
        }
    }
    // With less than its bytes alone take, no block holds it, and its nonce stays open.
    for too_little in ["0x5207", "0x5208", "0x53ff"] {
        let node = token_node(move |method, _| {
            (method == "eth_estimateGas").then(|| Reply::Result(json!(too_little)))
        });
        let chain = chain_of("eip155:31337", &[&node.url()], "");
        assert_eq!(
            prepare(&chain, 5).await,
            Err(RpcError::Lies(Lie::Gas).into())
        );
    }
}

#[tokio::test]
async fn an_address_without_a_token_is_said_to_be_none() {
    let node = token_node(|method, _| (method == "eth_call").then(|| Reply::Result(json!("0x"))));
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    assert_eq!(
        prepare(&chain, 5).await,
        Err(ChainError::NoToken(Box::new(asset())))
    );
    assert_eq!(
        chain.token_balance(account(ALICE), asset()).await,
        Err(ChainError::NoToken(Box::new(asset())))
    );
    let facts = chain.token_facts(asset()).await.expect("an answer");
    assert_eq!(facts, TokenFacts::default());
}

#[tokio::test]
async fn a_token_that_refuses_is_told() {
    let refuses = |reply: fn() -> Reply| {
        token_node(move |name, params| {
            (name == "eth_call" && method(params) == "0xa9059cbb").then(reply)
        })
    };
    for (reply, reason) in [
        (
            (|| Reply::Error(3, "execution reverted: frozen")) as fn() -> Reply,
            "execution reverted: frozen",
        ),
        (|| Reply::Result(json!(word(0))), "the token answers false"),
    ] {
        let reason = ChainText::new(reason);
        assert_eq!(
            tried(&refuses(reply)).await,
            Err(ChainError::WouldFail { reason })
        );
    }
    // Some tokens answer nothing when they do what they are told.
    assert_eq!(tried(&refuses(|| Reply::Result(json!("0x")))).await, Ok(()));
    let reverts = token_node(|name, _| (name == "eth_simulateV1").then(|| simulated(9, 0, 9)));
    assert!(matches!(
        tried(&reverts).await,
        Err(ChainError::WouldFail { .. })
    ));
}

#[tokio::test]
async fn a_token_that_keeps_a_part_is_told() {
    let arrives = |before: u128, after: u128| {
        token_node(move |name, _| (name == "eth_simulateV1").then(|| simulated(before, 1, after)))
    };
    assert_eq!(
        tried(&arrives(100, 101)).await,
        Err(ChainError::TokenTakesFee {
            asset: Box::new(asset()),
            sent: coins(5),
            received: coins(1)
        })
    );
    assert!(matches!(
        tried(&arrives(100, 7)).await,
        Err(ChainError::TokenTakesFee { received, .. }) if received == Amount::ZERO
    ));
    // Balances that are kept as shares round.
    assert_eq!(tried(&arrives(100, 103)).await, Ok(()));
    // A node that cannot try it says nothing about it.
    for reply in [
        (|| Reply::Error(-32601, "no such method")) as fn() -> Reply,
        || Reply::Result(json!({ "what": "ever" })),
        || Reply::Result(json!([])),
    ] {
        let node = token_node(move |name, _| (name == "eth_simulateV1").then(reply));
        assert_eq!(tried(&node).await, Ok(()));
    }
}

#[tokio::test]
async fn what_a_token_says_of_itself_changes_no_amount() {
    let node = token_node(|name, params| {
        (name == "eth_call" && method(params) == "0x313ce567")
            .then(|| Reply::Result(json!(word(u128::MAX))))
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let facts = chain.token_facts(asset()).await.expect("an answer");
    assert_eq!(facts.decimals, None);
    assert_eq!(facts.symbol, Some(ChainText::new("USDC")));
    let prepared = prepare(&chain, 5).await.expect("an honest balance");
    let read = decode(
        chain.id(),
        account(ALICE),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    assert_eq!(read.effects()[0].amount(), coins(5));
    assert!(
        node.calls()
            .iter()
            .filter(|(name, _)| name == "eth_call")
            .filter(|(_, params)| method(params) == "0x313ce567")
            .count()
            == 1,
        "no payment asks for decimals"
    );
}

#[tokio::test]
async fn pieces_are_looked_for_one_by_one() {
    let held = |kind: &str, id: u8| -> AssetId {
        format!("eip155:31337/{kind}:{TOKEN}/{id}")
            .parse()
            .expect("a piece")
    };
    // Alice owns piece 1, and three of kind 1.
    let node = evm_node(|name, params| {
        let data = params[0]["data"].as_str().unwrap_or_default();
        let first = data.ends_with(&format!("{:064x}", 1));
        match (name, data.get(..10)) {
            ("eth_call", Some("0x6352211e")) => {
                let owner = if first { ALICE } else { BOB };
                let owner = owner
                    .to_lowercase()
                    .replacen("0x", &format!("0x{:024}", 0), 1);
                Some(Reply::Result(json!(owner)))
            }
            ("eth_call", Some("0x00fdd58e")) => {
                Some(Reply::Result(json!(word(if first { 3 } else { 0 }))))
            }
            ("eth_estimateGas", _) => Some(Reply::Result(json!("0xc350"))),
            _ => None,
        }
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    for (kind, id, units) in [
        ("erc721", 1, 1),
        ("erc721", 2, 0),
        ("erc1155", 1, 3),
        ("erc1155", 2, 0),
    ] {
        let balance = chain.token_balance(account(ALICE), held(kind, id)).await;
        assert_eq!(balance, Ok(coins(units)), "{kind} {id}");
        let asked = Transfer {
            asset: held(kind, id),
            amount: coins(units.max(1)),
            ..payment(1)
        };
        let prepared = chain
            .prepare_transfer(account(ALICE), &asked, None, NetworkTerms::default())
            .await;
        if units == 0 {
            assert!(
                matches!(prepared, Err(ChainError::InsufficientTokens { .. })),
                "{kind} {id}"
            );
            continue;
        }
        let prepared = prepared.expect("an honest node");
        let read = decode(
            chain.id(),
            account(ALICE),
            &prepared.unsigned,
            Known::NOTHING,
        )
        .expect("readable");
        assert_eq!(read.effects().first(), asked.effects().first());
        chain
            .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
            .await
            .expect("succeeds");
    }
}
