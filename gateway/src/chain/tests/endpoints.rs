//! Several nodes of one chain: who is asked, who is left alone, and what one node's failure, lie or
//! slowness costs where another one does well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

const EVM: &str = "eip155:31337";
const SIGNED: [u8; 3] = [0x02, 0xc1, 0x80];

/// A node that does this instead of telling its head.
fn instead(reply: impl Fn() -> Reply + Send + Sync + 'static) -> MockNode {
    evm_node(move |method, _| (method == "eth_blockNumber").then(&reply))
}

fn urls(nodes: &[&MockNode]) -> Vec<String> {
    nodes.iter().map(|node| node.url()).collect()
}

fn chain_with(nodes: &[&MockNode]) -> Chain {
    let urls = urls(nodes);
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    chain_of(EVM, &urls, "")
}

#[tokio::test]
async fn the_next_node_answers_and_those_that_failed_are_left_alone() {
    let liar = evm_node(|method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1"))));
    let broken = instead(|| Reply::Body(503, Vec::new()));
    let limited = instead(|| Reply::Error(-32005, "limit exceeded"));
    let cut = instead(|| Reply::CutOff);
    let garbage = instead(|| Reply::Body(200, vec![0xff; 64]));
    let honest = evm_node(|_, _| None);
    let chain = chain_with(&[&liar, &broken, &limited, &cut, &garbage, &honest]);
    assert_eq!(head(&chain).await, Ok(100));
    let failed = [&broken, &limited, &cut, &garbage];
    assert!(failed.iter().all(|node| node.count("eth_blockNumber") == 1));
    // While they rest only the last one is asked, and the liar was asked for its name alone.
    let before = Instant::now();
    for _ in 0..3 {
        assert_eq!(head(&chain).await, Ok(100));
    }
    if before.elapsed() < Duration::from_millis(300) {
        assert!(failed.iter().all(|node| node.count("eth_blockNumber") == 1));
    }
    assert_eq!(honest.count("eth_blockNumber"), 4);
    assert_eq!(liar.calls().len(), liar.count("eth_chainId"));
}

#[tokio::test]
async fn a_slow_node_holds_up_one_question_and_no_more() {
    let slow = instead(|| Reply::Silence);
    let honest = evm_node(|_, _| None);
    let chain = chain_with(&[&slow, &honest]);
    let started = Instant::now();
    assert_eq!(head(&chain).await, Ok(100));
    assert!(started.elapsed() >= TIMEOUT);
    let started = Instant::now();
    assert_eq!(head(&chain).await, Ok(100));
    assert!(started.elapsed() < TIMEOUT, "asked again at once");
    // However many are slow, a question has its bound.
    let slow: Vec<MockNode> = (0..5).map(|_| instead(|| Reply::Silence)).collect();
    let chain = chain_with(&slow.iter().collect::<Vec<_>>());
    let started = Instant::now();
    assert_eq!(head(&chain).await, Err(RpcError::Timeout));
    assert!(started.elapsed() < 3 * TIMEOUT, "{:?}", started.elapsed());
    // And those that were not asked are next.
    assert_eq!(head(&chain).await, Err(RpcError::Timeout));
    assert!(slow.iter().filter(|node| !node.calls().is_empty()).count() >= 3);
}

#[tokio::test]
async fn what_one_node_refuses_another_may_answer() {
    let refusing = evm_node(|method, _| {
        (method == "eth_estimateGas").then_some(Reply::Error(-32000, "missing trie node"))
    });
    let honest = evm_node(|_, _| None);
    let chain = chain_with(&[&refusing, &honest]);
    prepare_evm(&chain).await.expect("the other one answers");
    // A refusal is no failure: the first is asked first again.
    assert_eq!(refusing.count("eth_feeHistory"), 1);
    assert_eq!(honest.count("eth_feeHistory"), 0);
    // What all refuse is refused, whether or not another one is down.
    let reverts = || evm_node(|m, _| (m == "eth_estimateGas").then_some(Reply::Error(3, "no")));
    let (one, other, down) = (reverts(), reverts(), evm_node(|_, _| None).url());
    let nodes = [&one.url()[..], &down, &other.url()];
    let refused = prepare_evm(&chain_of(EVM, &nodes, "")).await;
    let reason = ChainText::new("no");
    assert_eq!(refused, Err(ChainError::WouldFail { reason }));
    assert_eq!(one.count("eth_estimateGas"), 1);
    assert_eq!(other.count("eth_estimateGas"), 1);
}

#[tokio::test]
async fn a_node_that_does_not_know_a_fresh_blockhash_refuses_nothing() {
    let lags = || {
        solana_node(|method, _| {
            let told =
                json!({ "context": { "slot": 1990 }, "value": { "err": "BlockhashNotFound" } });
            (method == "simulateTransaction").then_some(Reply::Result(told))
        })
    };
    let (behind, honest) = (lags(), solana_node(|_, _| None));
    let chain = chain_of(DEVNET, &[&behind.url(), &honest.url()], "");
    let unsigned = prepare_solana(&chain).await.expect("honest").unsigned;
    let simulated = chain
        .simulate(&unsigned, account(CAROL), Known::NOTHING)
        .await;
    assert_eq!(simulated, Ok(()));
    // Alone it is no answer: the payment is not said to fail.
    let chain = chain_of(DEVNET, &[&lags().url()], "");
    let unsigned = prepare_solana(&chain_of(DEVNET, &[&honest.url()], ""))
        .await
        .expect("honest")
        .unsigned;
    drop(chain);
    let alone = lags();
    let chain = chain_of(DEVNET, &[&alone.url()], "");
    let simulated = chain
        .simulate(&unsigned, account(CAROL), Known::NOTHING)
        .await;
    assert_eq!(simulated, Err(RpcError::Behind.into()));
}

#[tokio::test]
async fn a_node_that_is_back_is_asked_first_again() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let first = evm_node(move |_, _| {
        is_down
            .load(Ordering::SeqCst)
            .then(|| Reply::Body(500, Vec::new()))
    });
    let second = evm_node(|_, _| None);
    let chain = chain_with(&[&first, &second]);
    assert_eq!(head(&chain).await, Ok(100));
    down.store(false, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(10);
    while first.count("eth_blockNumber") == 0 {
        assert!(Instant::now() < deadline, "it was never asked again");
        // No question fails meanwhile, and none waits for it.
        assert_eq!(head(&chain).await, Ok(100));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = second.count("eth_blockNumber");
    assert_eq!(head(&chain).await, Ok(100));
    assert_eq!(second.count("eth_blockNumber"), asked);
}

#[tokio::test]
async fn the_only_node_is_waited_for_a_moment_and_not_hammered() {
    let failing = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&failing);
    let node = instead(move || {
        let fails = left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        if fails {
            Reply::Body(429, Vec::new())
        } else {
            Reply::Result(json!("0x64"))
        }
    });
    let mut config = chain_with(&[&node]).config().clone();
    config.request_timeout = Duration::from_secs(10);
    let chain = Chain::new(config).expect("as before");
    assert_eq!(head(&chain).await, Err(RpcError::Http(429)));
    // Its first rest is shorter than the patience of a question.
    assert_eq!(head(&chain).await, Ok(100));
    // One that goes on failing is left alone longer, and questions fail at once.
    failing.store(usize::MAX, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(head(&chain).await, Err(RpcError::Http(429)));
    }
    let asked = node.count("eth_blockNumber");
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(head(&chain).await, Err(RpcError::Http(429)));
    }
    if started.elapsed() < Duration::from_millis(900) {
        assert_eq!(node.count("eth_blockNumber"), asked);
    }
    assert_eq!(asked, 5);
}

#[tokio::test]
async fn signed_bytes_go_to_every_node() {
    let hash = ChainTransactionId::Evm(alloy_primitives::keccak256(SIGNED).0).to_string();
    let takes = || {
        let hash = hash.clone();
        evm_node(move |method, _| {
            (method == "eth_sendRawTransaction").then(|| Reply::Result(json!(hash)))
        })
    };
    let answers = |reply: fn() -> Reply| {
        evm_node(move |method, _| (method == "eth_sendRawTransaction").then(reply))
    };
    // The first keeps what it takes to itself; nobody can see that.
    let (keeps, other) = (takes(), takes());
    let sent = chain_with(&[&keeps, &other]).send(&SIGNED).await;
    assert_eq!(sent.expect("bytes").taken, Ok(()));
    let refuses = answers(|| Reply::Error(-32000, "already known"));
    let dies = answers(|| Reply::CutOff);
    let hangs = answers(|| Reply::Silence);
    let third = takes();
    let chain = chain_with(&[&refuses, &dies, &hangs, &third]);
    let started = Instant::now();
    let sent = chain.send(&SIGNED).await.expect("bytes");
    assert_eq!(sent.taken, Ok(()));
    assert!(
        started.elapsed() < TIMEOUT,
        "it waited for the one that hangs"
    );
    // Where none takes them, what is told is a node's own word rather than that another is down.
    let chain = chain_with(&[&dies, &refuses]);
    let sent = chain.send(&SIGNED).await.expect("bytes");
    assert!(matches!(
        sent.taken,
        Err(RpcError::Rpc { code: -32000, .. })
    ));
    let deadline = Instant::now() + Duration::from_secs(10);
    for node in [&keeps, &other, &refuses, &dies, &hangs, &third] {
        while node.count("eth_sendRawTransaction") == 0 {
            assert!(Instant::now() < deadline, "a node was not told");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn health_tells_of_every_node() {
    let liar = evm_node(|method, _| (method == "eth_chainId").then(|| Reply::Result(json!("0x1"))));
    let honest = evm_node(|_, _| None);
    let slow = instead(|| Reply::Silence);
    let gone = evm_node(|_, _| None).url();
    let nodes = [&liar.url()[..], &honest.url(), &slow.url(), &gone];
    let chain = chain_of(EVM, &nodes, "");
    let health = chain.health().await;
    assert_eq!(health.head(), Some(100));
    let heads: Vec<_> = health.endpoints.iter().map(|it| it.head.clone()).collect();
    let expected = [
        Err(RpcError::Lies(Lie::Chain)),
        Ok(100),
        Err(RpcError::Timeout),
        Err(RpcError::Unreachable),
    ];
    assert_eq!(heads, expected);
    let known: Vec<bool> = health
        .endpoints
        .iter()
        .map(|it| it.latency.is_some())
        .collect();
    assert_eq!(known, [false, true, false, false]);
    // While they rest it is told from memory.
    let again = chain.health().await;
    assert_eq!(again.endpoints[0].head, Err(RpcError::Lies(Lie::Chain)));
    let chain = chain_of(EVM, &[&gone], "");
    assert_eq!(chain.health().await.head(), None);
}
