//! The adapters against a node that lies, stalls and shouts: each ends in a typed error within its
//! bound of time and memory, and no lie makes an end of a transaction out of nothing.

mod batch;
mod calls;
mod countersigned;
mod endpoints;
mod incoming;
mod landing;
mod networks;
mod offers;
mod programs;
mod seconded;
mod staking;
mod tokens;
mod witnesses;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::transaction::{Known, decode};

use super::mock::{MockNode, Reply};
use super::quantity::Quantity;
use super::*;

const TIMEOUT: Duration = Duration::from_millis(400);
const GWEI: u128 = 1_000_000_000;

const ALICE: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const BOB: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const CAROL: &str = "7gNN3zhxJjpS1Xr68HnhTQ6BLUPpb3NxoXZXS6fYd5Vs";
const DAVE: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
const GENESIS: &str = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG";
const DEVNET: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

/// The chain with these nodes; `more` are further lines of its configuration.
fn chain_of(id: &str, nodes: &[&str], more: &str) -> Chain {
    // The second test finds the first one's.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let timeout = TIMEOUT.as_millis();
    let config = format!("id = \"{id}\"\nrpc = {nodes:?}\nrequest-timeout-ms = {timeout}\n{more}");
    Chain::new(toml::from_str(&config).expect("a valid configuration")).expect("no TLS needed")
}

fn account(text: &str) -> Account {
    text.parse().expect("an address")
}

fn coins(units: u128) -> Amount {
    Amount::from_base_units(units)
}

/// An EVM node that says the truth, but where `lie` has something else to say.
fn evm_node(lie: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> MockNode {
    MockNode::start(move |method, params| {
        lie(method, params).unwrap_or_else(|| match method {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_blockNumber" => Reply::Result(json!("0x64")),
            "eth_estimateGas" => Reply::Result(json!("0x5208")),
            "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x3b9aca00")),
            "eth_getBalance" => Reply::Result(json!("0xde0b6b3a7640000")),
            "eth_getTransactionCount" => Reply::Result(json!("0x7")),
            "eth_call" => Reply::Result(json!("0x")),
            "eth_feeHistory" => Reply::Result(json!({
                "oldestBlock": "0x60",
                "baseFeePerGas": ["0x1", "0x2540be400"],
                "gasUsedRatio": [0.5],
                "reward": [["0x1"]],
            })),
            _ => Reply::Result(Value::Null),
        })
    })
}

/// A Solana node that says the truth, but where `lie` has something else to say.
fn solana_node(lie: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static) -> MockNode {
    MockNode::start(move |method, params| {
        lie(method, params).unwrap_or_else(|| match method {
            "getGenesisHash" => Reply::Result(json!(GENESIS)),
            "getSlot" => Reply::Result(json!(2000)),
            "getRecentPrioritizationFees" => Reply::Result(json!([])),
            "getLatestBlockhash" => Reply::Result(json!({
                "context": { "slot": 2000, "apiVersion": "4.2.2" },
                "value": { "blockhash": GENESIS, "lastValidBlockHeight": 1150 },
            })),
            "simulateTransaction" => {
                Reply::Result(json!({ "context": { "slot": 2000 }, "value": { "err": null } }))
            }
            _ => Reply::Result(Value::Null),
        })
    })
}

/// The simplest question of all.
async fn head(chain: &Chain) -> Result<u64, RpcError> {
    let endpoints = chain.endpoints();
    match chain.id() {
        ChainId::Evm(_) => {
            let asked = endpoints.call("eth_blockNumber", json!([]));
            let head: Quantity = asked.await?;
            Ok(u64::try_from(head.value()).expect("a small number"))
        }
        ChainId::Solana(_) => endpoints.call("getSlot", json!([])).await,
    }
}

fn pays(chain: &Chain, to: &str, amount: u128) -> Transfer {
    Transfer {
        action: Action::Transfer,
        asset: chain.id().native_asset(),
        to: account(to),
        amount: coins(amount),
        mint: None,
        call: None,
        stake: None,
        program: None,
    }
}

async fn prepare_evm(chain: &Chain) -> Result<Prepared, ChainError> {
    chain
        .prepare_transfer(
            account(ALICE),
            &pays(chain, BOB, 5),
            None,
            NetworkTerms::default(),
        )
        .await
}

async fn prepare_solana(chain: &Chain) -> Result<Prepared, ChainError> {
    chain
        .prepare_transfer(
            account(CAROL),
            &pays(chain, DAVE, 5),
            None,
            NetworkTerms::default(),
        )
        .await
}

#[tokio::test]
async fn what_is_prepared_is_what_the_signer_reads() {
    let node = evm_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let prepared = prepare_evm(&chain).await.expect("honest node");
    let read = decode(
        chain.id(),
        account(ALICE),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    assert_eq!(read.account_nonce(), Some(0));
    assert_eq!(read.fee_max(), prepared.fee_max);
    assert_eq!(prepared.fee_max, coins(21_000 * 21 * GWEI));
    chain
        .simulate(&prepared.unsigned, account(ALICE), Known::NOTHING)
        .await
        .expect("succeeds");

    let node = solana_node(|_, _| None);
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let prepared = prepare_solana(&chain).await.expect("honest node");
    let read = decode(
        chain.id(),
        account(CAROL),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    assert_eq!(read.fee_max(), coins(5000));
    assert_eq!(
        prepared.validity,
        Validity::UntilBlockHeight {
            last_valid: 1150,
            fetched_at_slot: 2000
        }
    );
    chain
        .simulate(&prepared.unsigned, account(CAROL), Known::NOTHING)
        .await
        .expect("succeeds");
}

#[tokio::test]
async fn a_node_that_misbehaves_ends_in_a_typed_error_in_time() {
    let elsewhere = evm_node(|_, _| None);
    let target = elsewhere.url();
    let html = || b"<html><body>Bad gateway</body></html>".to_vec();
    let reply = |case: &str| match case {
        "html" => Reply::Body(200, html()),
        "html 502" => Reply::Body(502, html()),
        "null id 429" => Reply::Body(
            429,
            br#"{"id":null,"error":{"code":1,"message":""}}"#.to_vec(),
        ),
        "empty" => Reply::Body(200, Vec::new()),
        "cut json" => Reply::Body(200, br#"{"jsonrpc":"2.0","id":1,"resu"#.to_vec()),
        "not utf-8" => Reply::Body(200, vec![0xff; 64]),
        "wrong type" => Reply::Result(json!({ "number": 5 })),
        "a number too large" => Reply::Result(json!(format!("0x{}", "f".repeat(33)))),
        "giant" => Reply::Body(200, vec![b' '; 3 * 1024 * 1024]),
        "endless" => Reply::Endless,
        "silent" => Reply::Silence,
        "dripping" => Reply::Drip,
        "cut off" => Reply::CutOff,
        "wrong id" => Reply::WrongId(json!("0x64")),
        "error" => Reply::Error(-32601, "no such\u{7}method"),
        _ => Reply::Redirect(target.clone()),
    };
    let error = RpcError::Rpc {
        code: -32601,
        message: ChainText::new("no such?method"),
    };
    for (case, expected) in [
        ("html", RpcError::Malformed),
        ("html 502", RpcError::Http(502)),
        ("null id 429", RpcError::Http(429)),
        ("empty", RpcError::Malformed),
        ("cut json", RpcError::Malformed),
        ("not utf-8", RpcError::Malformed),
        ("wrong type", RpcError::Malformed),
        ("a number too large", RpcError::Malformed),
        ("giant", RpcError::TooLarge),
        ("endless", RpcError::TooLarge),
        ("silent", RpcError::Timeout),
        ("dripping", RpcError::Timeout),
        ("cut off", RpcError::Unreachable),
        ("wrong id", RpcError::Lies(Lie::RequestId)),
        ("error", error),
        ("redirect", RpcError::Http(307)),
    ] {
        let body = std::sync::Mutex::new(Some(reply(case)));
        let node = evm_node(move |method, _| {
            let mut body = body.lock().expect("no panic under it");
            (method == "eth_blockNumber").then(|| body.take())?
        });
        let chain = chain_of("eip155:31337", &[&node.url()], "");
        let started = Instant::now();
        assert_eq!(head(&chain).await, Err(expected), "{case}");
        let took = started.elapsed();
        assert!(took < 3 * TIMEOUT, "{case} took {took:?}");
    }
    assert!(elsewhere.calls().is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn a_chain_that_is_down_is_said_to_be() {
    let gone = evm_node(|_, _| None).url();
    let too = format!("{gone}/too");
    let chain = chain_of("eip155:31337", &[&gone, &too], "");
    assert_eq!(head(&chain).await, Err(RpcError::Unreachable));
    assert_eq!(prepare_evm(&chain).await, Err(RpcError::Unreachable.into()));
}

#[tokio::test]
async fn a_node_of_another_chain_is_asked_nothing_else() {
    let node = evm_node(|method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1"))));
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    assert_eq!(
        prepare_evm(&chain).await,
        Err(RpcError::Lies(Lie::Chain).into())
    );
    let sent = chain.send(&[2, 0]).await.expect("has the type byte");
    assert_eq!(sent.taken, Err(RpcError::Lies(Lie::Chain)));
    assert!(
        node.calls()
            .iter()
            .all(|(method, _)| method == "eth_chainId")
    );

    let node =
        solana_node(|method, _| (method == "getGenesisHash").then(|| Reply::Result(json!(DAVE))));
    let chain = chain_of(DEVNET, &[&node.url()], "");
    assert_eq!(
        prepare_solana(&chain).await,
        Err(RpcError::Lies(Lie::Chain).into())
    );
    // A local chain's genesis is new at each start.
    let local = chain_of("solana:localnet", &[&node.url()], "");
    assert_eq!(head(&local).await, Ok(2000));
}

#[tokio::test]
async fn the_chain_is_asked_for_again_after_a_while() {
    let node = evm_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    for _ in 0..3 {
        head(&chain).await.expect("honest");
    }
    assert_eq!(node.count("eth_chainId"), 1);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::time::resume();
    head(&chain).await.expect("honest");
    assert_eq!(node.count("eth_chainId"), 2);
}

#[tokio::test]
async fn inflated_fees_and_gas_are_refused_or_capped() {
    let with = |field: &'static str, value: &'static str| {
        evm_node(move |method, _| {
            let history = json!({ "baseFeePerGas": [value], "reward": [[value]] });
            match (method, field) {
                ("eth_feeHistory", "base") => Some(Reply::Result(history)),
                ("eth_maxPriorityFeePerGas", "tip") => Some(Reply::Result(json!(value))),
                ("eth_estimateGas", "gas") => Some(Reply::Result(json!(value))),
                _ => None,
            }
        })
    };
    let huge = "0xffffffffffffffffffffffffffffffff";
    let limit = coins(21_000 * 30 * GWEI);
    let ask = async |node: &MockNode| {
        let chain = chain_of("eip155:31337", &[&node.url()], "");
        let asked = pays(&chain, BOB, 5);
        let prepared =
            chain.prepare_transfer(account(ALICE), &asked, Some(limit), NetworkTerms::default());
        prepared.await
    };
    assert!(matches!(
        ask(&with("base", huge)).await,
        Err(ChainError::FeeAboveCeiling { ceiling, .. }) if ceiling == limit
    ));
    let tipped = ask(&with("tip", huge)).await.expect("capped");
    assert!(tipped.fee_max <= limit);
    assert!(matches!(
        ask(&with("gas", huge)).await,
        Err(ChainError::GasAboveLimit { .. })
    ));
    assert_eq!(
        ask(&with("gas", "0x1")).await,
        Err(RpcError::Lies(Lie::Gas).into())
    );
    // The configured ceiling holds where the request names none, or a higher one.
    let node = evm_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "max-fee = \"1000\"");
    for ceiling in [None, Some(limit)] {
        let pays = pays(&chain, BOB, 5);
        let asked = chain.prepare_transfer(account(ALICE), &pays, ceiling, NetworkTerms::default());
        assert!(matches!(
            asked.await,
            Err(ChainError::FeeAboveCeiling { .. })
        ));
    }

    let node = solana_node(|method, _| {
        let fees = json!([{ "slot": 1, "prioritizationFee": u64::MAX }]);
        (method == "getRecentPrioritizationFees").then_some(Reply::Result(fees))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "max-fee = \"6000\"");
    let prepared = prepare_solana(&chain).await.expect("capped");
    assert!(prepared.fee_max <= coins(6000));
    let pays = pays(&chain, DAVE, 5);
    let below = chain.prepare_transfer(
        account(CAROL),
        &pays,
        Some(coins(4999)),
        NetworkTerms::default(),
    );
    assert!(matches!(
        below.await,
        Err(ChainError::FeeAboveCeiling { .. })
    ));
}

#[tokio::test]
async fn impossible_numbers_are_lies() {
    let node = evm_node(|method, _| {
        (method == "eth_getTransactionCount").then(|| Reply::Result(json!("0xffffffffffffffff")))
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    assert_eq!(
        chain.account_nonce(account(ALICE)).await,
        Err(RpcError::Lies(Lie::AccountNonce).into())
    );
    // Whatever it says, the bytes carry none.
    let prepared = prepare_evm(&chain).await.expect("asks for no nonce");
    let read = decode(
        chain.id(),
        account(ALICE),
        &prepared.unsigned,
        Known::NOTHING,
    )
    .expect("readable");
    assert_eq!(read.account_nonce(), Some(0));

    let node = solana_node(|method, _| {
        let value = json!({ "blockhash": GENESIS, "lastValidBlockHeight": u64::MAX });
        let told = json!({ "context": { "slot": 2000 }, "value": value });
        (method == "getLatestBlockhash").then_some(Reply::Result(told))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    assert_eq!(
        prepare_solana(&chain).await,
        Err(RpcError::Lies(Lie::BlockHeight).into())
    );
}

#[tokio::test]
async fn a_transaction_that_would_fail_is_not_signed() {
    let node = evm_node(|method, _| match method {
        "eth_estimateGas" => Some(Reply::Error(3, "execution reverted")),
        "eth_getBalance" => Some(Reply::Result(json!("0x0"))),
        _ => None,
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let reason = ChainText::new("execution reverted");
    assert_eq!(
        prepare_evm(&chain).await,
        Err(ChainError::WouldFail { reason })
    );
    let honest = evm_node(|_, _| None);
    let unsigned = prepare_evm(&chain_of("eip155:31337", &[&honest.url()], ""))
        .await
        .expect("honest")
        .unsigned;
    assert!(matches!(
        chain
            .simulate(&unsigned, account(ALICE), Known::NOTHING)
            .await,
        Err(ChainError::InsufficientFunds { .. })
    ));
    assert_eq!(
        chain
            .simulate(&unsigned, account(CAROL), Known::NOTHING)
            .await,
        Err(ChainError::FamilyMismatch)
    );

    let node = solana_node(|method, _| {
        let value = json!({ "err": { "InstructionError": [2, { "Custom": 1 }] } });
        let told = json!({ "context": { "slot": 2000 }, "value": value });
        (method == "simulateTransaction").then_some(Reply::Result(told))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let unsigned = prepare_solana(&chain).await.expect("honest").unsigned;
    let words =
        "the wallet does not hold the amount and what sending costs (instruction 2, error 1)";
    let reason = ChainText::new(words);
    assert_eq!(
        chain
            .simulate(&unsigned, account(CAROL), Known::NOTHING)
            .await,
        Err(ChainError::WouldFail { reason })
    );
}
