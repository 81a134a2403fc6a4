//! Transfers into wallets, by the word of one node and of two.

use super::incoming::{at_block, evm_watched, log, logs_node, solana_history, solana_watched};
use super::*;

/// How many nodes tell of what is found, where these are configured.
async fn told_by(
    nodes: &[&MockNode],
    id: &str,
    watched: &[Watched],
    cursors: &Cursors,
) -> Vec<u32> {
    let urls: Vec<String> = nodes.iter().map(|node| node.url()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let more = if id == DEVNET {
        ""
    } else {
        "confirmations = 3"
    };
    let chain = chain_of(id, &urls, more);
    let seen = chain.incoming(watched, cursors).await.expect("answered");
    seen.found.iter().map(|came| came.nodes).collect()
}

#[tokio::test]
async fn one_nodes_word_is_told_apart_from_that_of_two() {
    // On an EVM chain the first node invents a transfer, or its amount.
    let honest = || logs_node(json!([log(BOB, ALICE, 5, "0x60")]));
    let invents = logs_node(json!([
        log(BOB, ALICE, 5, "0x60"),
        log(BOB, ALICE, 9, "0x61")
    ]));
    let none = logs_node(json!([]));
    let lags = evm_node(|method, _| match method {
        "eth_getLogs" => Some(Reply::Result(json!([log(BOB, ALICE, 5, "0x60")]))),
        "eth_blockNumber" => Some(Reply::Result(json!("0x63"))),
        _ => None,
    });
    let down = evm_node(|_, _| Some(Reply::Body(500, Vec::new())));
    for (case, nodes, words) in [
        ("alone", vec![&honest()], vec![1]),
        ("two", vec![&honest(), &honest()], vec![2]),
        ("three", vec![&honest(), &honest(), &honest()], vec![2]),
        ("invents", vec![&invents, &honest()], vec![2, 1]),
        ("invents all", vec![&honest(), &none], vec![1]),
        ("lags", vec![&honest(), &lags], vec![1]),
        ("down", vec![&honest(), &down], vec![1]),
    ] {
        let told = told_by(&nodes, "eip155:31337", &evm_watched(), &at_block(90)).await;
        assert_eq!(told, words, "{case}");
    }
    // On Solana it has it, has another amount, or does not have it.
    let honest = || solana_history(vec![(1, 700)], vec![]);
    let other = solana_node(|method, params| {
        let told = json!({
            "slot": 700,
            "meta": { "err": null, "preBalances": [1000, 10], "postBalances": [400, 511] },
            "transaction": {
                "signatures": [params[0]],
                "message": { "accountKeys": [DAVE, CAROL] },
            },
        });
        (method == "getTransaction").then_some(Reply::Result(told))
    });
    let none = solana_node(|_, _| None);
    for (case, nodes, words) in [
        ("alone", vec![&honest()], vec![1, 1]),
        ("two", vec![&honest(), &honest()], vec![2, 2]),
        ("another amount", vec![&honest(), &other], vec![1, 1]),
        ("does not have it", vec![&honest(), &none], vec![1, 1]),
    ] {
        let told = told_by(&nodes, DEVNET, &solana_watched(), &Cursors::new()).await;
        assert_eq!(told, words, "{case}");
    }
}
