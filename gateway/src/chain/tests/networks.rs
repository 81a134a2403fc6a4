//! What policy says of an EVM network, as the adapter keeps to it: legacy transactions, and the fee that a
//! rollup takes for data, which only its own oracle tells.

use waiaas_shared::evm::Form;

use super::*;

const ORACLE: &str = "0x420000000000000000000000000000000000000f";

const LEGACY: NetworkTerms = NetworkTerms {
    legacy: true,
    data_fee: None,
};

fn rollup(most: u128) -> NetworkTerms {
    NetworkTerms {
        legacy: false,
        data_fee: Some(coins(most)),
    }
}

/// A node whose chain has an oracle that answers like this: `getL1Fee`, and then `getOperatorFee`.
fn node_with_oracle(fees: [Option<&'static str>; 2], id: &'static str) -> MockNode {
    evm_node(move |method, params| match method {
        "eth_chainId" => Some(Reply::Result(json!(id))),
        "eth_call" => {
            let call = &params[0];
            let to = call["to"].as_str().unwrap_or_default().to_lowercase();
            if to != ORACLE {
                return None;
            }
            let data = call["data"].as_str().unwrap_or_default();
            let of_data = data.starts_with("0x49948e0e");
            assert!(of_data || data.starts_with("0x275aedd2"), "{data}");
            Some(match fees[usize::from(!of_data)] {
                Some(word) => Reply::Result(json!(word)),
                None => Reply::Error(3, "execution reverted"),
            })
        }
        _ => None,
    })
}

async fn prepare(chain: &Chain, network: NetworkTerms) -> Result<Prepared, ChainError> {
    chain
        .prepare_transfer(account(ALICE), &pays(chain, BOB, 5), None, network)
        .await
}

#[tokio::test]
async fn a_legacy_network_is_asked_for_its_gas_price_alone() {
    let node = evm_node(|method, _| match method {
        // 8 gwei.
        "eth_gasPrice" => Some(Reply::Result(json!("0x1dcd65000"))),
        "eth_feeHistory" | "eth_maxPriorityFeePerGas" => Some(Reply::Error(-32601, "no method")),
        _ => None,
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let prepared = prepare(&chain, LEGACY).await.expect("an honest node");
    assert!(prepared.unsigned[0] >= 0xc0, "no type in front");
    let known = Known::NOTHING.on(LEGACY);
    let read = decode(chain.id(), account(ALICE), &prepared.unsigned, known).expect("readable");
    assert_eq!(read.evm_form(), Some(Form::Legacy));
    assert_eq!(read.fee_max(), prepared.fee_max);
    // An eighth above what the node says.
    assert_eq!(prepared.fee_max, coins(21_000 * 9 * GWEI));
    assert_eq!(prepared.data_fee, None);
    chain
        .simulate(&prepared.unsigned, account(ALICE), known)
        .await
        .expect("succeeds");
    assert_eq!(node.count("eth_feeHistory"), 0);
    // Without leave these bytes are nothing that the signer would read.
    let plain = chain.simulate(&prepared.unsigned, account(ALICE), Known::NOTHING);
    assert!(matches!(plain.await, Err(ChainError::Unbuildable(_))));
    let market = chain.fee_market(Form::Legacy).await.expect("answered");
    assert_eq!(market.map(FeeMarket::least), Some(8 * GWEI));
}

#[tokio::test]
async fn signed_legacy_bytes_are_sent_and_others_are_not() {
    let hash = alloy_primitives::keccak256([0xf8, 0x80]).0;
    let name = format!("0x{}", hex::encode(hash));
    let node = evm_node(move |method, _| {
        (method == "eth_sendRawTransaction").then(|| Reply::Result(json!(name)))
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let sent = chain.send(&[0xf8, 0x80]).await.expect("bytes of a list");
    assert_eq!(sent.taken, Ok(()));
    assert_eq!(sent.id, ChainTransactionId::Evm(hash));
    for first in [0, 1, 3, 4, 0x7e, 0xbf, 0xc1, 0xf7, 0xfa, 0xff] {
        let refused = chain.send(&[first, 0x80]).await;
        assert!(matches!(refused, Err(ChainError::NotSigned)), "{first:#x}");
    }
}

#[tokio::test]
async fn what_a_rollup_takes_for_data_is_asked_and_counted() {
    let word = |wei: u128| -> &'static str { Box::leak(format!("0x{wei:064x}").into_boxed_str()) };
    let node = node_with_oracle([Some(word(1000)), Some(word(200))], "0x2105");
    let chain = chain_of("base", &[&node.url()], "");
    let prepared = prepare(&chain, rollup(1500))
        .await
        .expect("a quarter of room");
    // Shown is what it takes, counted what policy lets it.
    assert_eq!(prepared.data_fee, Some(coins(1200)));
    assert_eq!(prepared.fee_max, coins(21_000 * 21 * GWEI + 1500));
    let asked = node.calls();
    let oracle = asked.iter().find(|(method, params)| {
        method == "eth_call"
            && params[0]["data"]
                .as_str()
                .is_some_and(|data| data.starts_with("0x49948e0e"))
    });
    let data = oracle.expect("asked").1[0]["data"]
        .as_str()
        .expect("data")
        .to_owned();
    assert!(
        data.contains(&hex::encode(&prepared.unsigned)),
        "about these bytes"
    );
    let above = prepare(&chain, rollup(1499)).await;
    assert_eq!(
        above,
        Err(ChainError::DataFeeAboveCeiling {
            needed: coins(1500),
            ceiling: coins(1499)
        })
    );
    // Before the upgrade that brought it, nobody takes an operator's fee.
    let node = node_with_oracle([Some(word(1000)), None], "0x2105");
    let chain = chain_of("base", &[&node.url()], "");
    let prepared = prepare(&chain, rollup(1250)).await.expect("within");
    assert_eq!(prepared.data_fee, Some(coins(1000)));
    // Nobody stated the ceiling: fails closed before anything is signed.
    let unstated = prepare(&chain, NetworkTerms::default()).await;
    assert!(
        matches!(unstated, Err(ChainError::Unbuildable(_))),
        "{unstated:?}"
    );
}

#[tokio::test]
async fn an_oracle_that_lies_makes_nothing_cheaper() {
    let huge: &'static str = Box::leak(format!("0x{}", "f".repeat(64)).into_boxed_str());
    let node = node_with_oracle([Some(huge), None], "0x2105");
    let chain = chain_of("base", &[&node.url()], "");
    let refused = prepare(&chain, rollup(1_000_000)).await;
    assert_eq!(
        refused,
        Err(ChainError::DataFeeAboveCeiling {
            needed: coins(u128::MAX),
            ceiling: coins(1_000_000)
        })
    );
    // No oracle where there must be one, and half an answer.
    for said in ["0x", "0x01"] {
        let node = node_with_oracle([Some(said), Some(said)], "0x2105");
        let chain = chain_of("base", &[&node.url()], "");
        let refused = prepare(&chain, rollup(1_000_000)).await;
        assert_eq!(refused, Err(RpcError::Malformed.into()), "{said}");
    }
    // On another network, whose owner counts something for data, there need be none.
    let node = node_with_oracle([Some("0x"), Some("0x")], "0x7a69");
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let prepared = prepare(&chain, rollup(7))
        .await
        .expect("counted all the same");
    assert_eq!(prepared.data_fee, None);
    assert_eq!(prepared.fee_max, coins(21_000 * 21 * GWEI + 7));
}
