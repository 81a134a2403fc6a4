//! What became of a transaction where the nodes do not say the same: none alone ends a payment that was
//! not made, and none can hide one that was.

use std::sync::{Arc, Mutex};

use waiaas_shared::status::Status;

use super::*;

const SIGNED: [u8; 3] = [0x02, 0xc1, 0x80];
const SOLANA_ID: ChainTransactionId = ChainTransactionId::Solana([7; 64]);
const VALIDITY: Validity = Validity::UntilBlockHeight {
    last_valid: 1150,
    fetched_at_slot: 2000,
};

fn evm_id() -> ChainTransactionId {
    ChainTransactionId::Evm(alloy_primitives::keccak256(SIGNED).0)
}

/// What an EVM node says of the transaction: the status of its receipt in block 98, and its head.
#[derive(Clone, Copy)]
enum Says {
    Succeeded,
    Failed,
    Nothing,
    Pooled,
    /// Nothing, and its newest block is below the one in question.
    Lags,
    Down,
}

fn evm_witness(says: Says) -> MockNode {
    evm_node(move |method, _| {
        let receipt = |status: &str| {
            json!({
                "transactionHash": evm_id().to_string(),
                "blockNumber": "0x62",
                "status": status,
                "gasUsed": "0x5208",
                "effectiveGasPrice": "0x2",
            })
        };
        let result = match (method, says) {
            (_, Says::Down) => return Some(Reply::Body(500, Vec::new())),
            ("eth_getTransactionReceipt", Says::Succeeded) => receipt("0x1"),
            ("eth_getTransactionReceipt", Says::Failed) => receipt("0x0"),
            ("eth_getTransactionByHash", Says::Pooled) => json!({ "hash": evm_id().to_string() }),
            ("eth_blockNumber", Says::Lags) => json!("0x61"),
            _ => return None,
        };
        Some(Reply::Result(result))
    })
}

/// What the nodes together say at each of so many looks.
async fn evm_landings(says: &[Says], looks: usize) -> Vec<Landing> {
    let nodes: Vec<MockNode> = says.iter().map(|says| evm_witness(*says)).collect();
    let urls: Vec<String> = nodes.iter().map(MockNode::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let chain = chain_of("eip155:31337", &urls, "confirmations = 3");
    let mut landings = Vec::new();
    for _ in 0..looks {
        let landing = chain
            .status_of(&Sought::named(evm_id(), Validity::Unlimited))
            .await;
        landings.push(landing.expect("a node answers"));
    }
    landings
}

fn is_confirmed(landing: &Landing) -> bool {
    landing.final_status() == Some(Status::Confirmed)
}

fn is_failed(landing: &Landing) -> bool {
    landing.final_status() == Some(Status::Failed)
}

fn is_open(landing: &Landing) -> bool {
    landing.final_status().is_none()
}

#[tokio::test]
async fn no_node_hides_what_two_have_seen_for_longer_than_its_turn() {
    for hides in [Says::Nothing, Says::Pooled, Says::Lags, Says::Down] {
        let landings = evm_landings(&[Says::Succeeded, hides, Says::Succeeded], 3).await;
        assert!(landings.iter().any(is_confirmed), "{landings:?}");
        assert!(!landings.iter().any(is_failed), "{landings:?}");
    }
    // The only node there is.
    let landings = evm_landings(&[Says::Succeeded], 1).await;
    assert!(landings.iter().all(is_confirmed), "{landings:?}");
}

/// A forged receipt of a success would stop the bytes from being sent on, and end whatever has the same nonce.
#[tokio::test]
async fn one_node_alone_makes_no_success_that_another_denies() {
    for denies in [Says::Nothing, Says::Pooled] {
        let landings = evm_landings(&[Says::Succeeded, denies], 6).await;
        assert!(landings.iter().all(is_open), "{landings:?}");
        assert!(landings.contains(&Landing::Disputed), "{landings:?}");
    }
    // Nobody says anything against it: it is believed after a while, and the bytes are sent on until then.
    for silent in [Says::Lags, Says::Down] {
        let landings = evm_landings(&[Says::Succeeded, silent], 4).await;
        assert!(
            landings.iter().all(|it| *it == Landing::Unknown),
            "{landings:?}"
        );
    }
}

#[tokio::test]
async fn one_node_alone_makes_no_failure() {
    // A forged receipt of a failure against everything that another node may say.
    for other in [Says::Nothing, Says::Pooled, Says::Lags, Says::Down] {
        let landings = evm_landings(&[Says::Failed, other], 4).await;
        assert!(landings.iter().all(is_open), "{landings:?}");
    }
    let landings = evm_landings(&[Says::Failed, Says::Succeeded], 4).await;
    assert!(landings.iter().all(is_open), "{landings:?}");
    // Two agree, whatever a third says that has not seen a success.
    for third in [Says::Nothing, Says::Pooled, Says::Lags, Says::Down] {
        let landings = evm_landings(&[Says::Failed, third, Says::Failed], 3).await;
        assert!(landings.iter().any(is_failed), "{landings:?}");
        assert!(!landings.iter().any(is_confirmed), "{landings:?}");
    }
    // The only node there is.
    let landings = evm_landings(&[Says::Failed], 1).await;
    assert!(landings.iter().all(is_failed), "{landings:?}");
}

#[tokio::test]
async fn a_failure_is_not_taken_from_a_node_that_serves_another_chain_by_now() {
    let named = Arc::new(Mutex::new(0));
    let node = evm_node(move |method, _| match method {
        "eth_chainId" => {
            let mut named = named.lock().expect("no panic under it");
            *named += 1;
            let id = if *named == 1 { "0x7a69" } else { "0x1" };
            Some(Reply::Result(json!(id)))
        }
        "eth_getTransactionReceipt" => Some(Reply::Result(json!({
            "transactionHash": evm_id().to_string(),
            "blockNumber": "0x62",
            "status": "0x0",
            "gasUsed": "0x5208",
        }))),
        _ => None,
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let landing = chain
        .status_of(&Sought::named(evm_id(), Validity::Unlimited))
        .await;
    assert_eq!(landing, Err(RpcError::Lies(Lie::Chain).into()));
}

/// What a Solana node knows: a status, and its finalized block height.
#[derive(Debug, Clone)]
struct Knows {
    status: Value,
    height: u64,
}

fn knows(status: Value, height: u64) -> Knows {
    Knows { status, height }
}

fn status(level: &str, err: Value) -> Value {
    json!({ "slot": 2100, "err": err, "confirmationStatus": level })
}

fn solana_witness(knows: Knows) -> MockNode {
    solana_node(move |method, _| {
        let result = match method {
            "getSignatureStatuses" => {
                json!({ "context": { "slot": 2500 }, "value": [knows.status] })
            }
            "getEpochInfo" => json!({ "absoluteSlot": 2500, "blockHeight": knows.height }),
            "getFirstAvailableBlock" => json!(0),
            _ => return None,
        };
        Some(Reply::Result(result))
    })
}

async fn solana_landings(knows: &[Knows], looks: usize) -> Vec<Landing> {
    let nodes: Vec<MockNode> = knows.iter().cloned().map(solana_witness).collect();
    let urls: Vec<String> = nodes.iter().map(MockNode::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let chain = chain_of(DEVNET, &urls, "");
    let mut landings = Vec::new();
    for _ in 0..looks {
        let landing = chain.status_of(&Sought::named(SOLANA_ID, VALIDITY)).await;
        landings.push(landing.expect("a node answers"));
    }
    landings
}

#[tokio::test]
async fn one_node_alone_makes_no_expiry() {
    let is_expired = |landing: &Landing| *landing == Landing::Expired;
    let gone = knows(Value::Null, 1151);
    // Another that has not come as far, or sees it on the chain.
    let landed = status("processed", Value::Null);
    for other in [
        knows(Value::Null, 1150),
        knows(landed.clone(), 1150),
        knows(landed, 1151),
    ] {
        let landings = solana_landings(&[gone.clone(), other.clone()], 4).await;
        assert!(landings.iter().all(is_open), "{other:?}: {landings:?}");
    }
    // One that has it confirmed is contradicted, and no false null hides what two have.
    let confirmed = knows(status("confirmed", Value::Null), 1151);
    let landings = solana_landings(&[gone.clone(), confirmed.clone()], 4).await;
    assert!(landings.iter().all(is_open), "{landings:?}");
    assert!(landings.contains(&Landing::Disputed), "{landings:?}");
    let three = [gone.clone(), confirmed.clone(), confirmed.clone()];
    let landings = solana_landings(&three, 4).await;
    assert!(landings.iter().all(is_confirmed), "{landings:?}");
    // Nor does a forged status make a success that another one's history does not have.
    let young = knows(Value::Null, 1100);
    let landings = solana_landings(&[confirmed, young], 6).await;
    assert!(landings.iter().all(is_open), "{landings:?}");
    let landings = solana_landings(&[gone.clone(), gone.clone()], 1).await;
    assert!(landings.iter().all(is_expired), "{landings:?}");
    let landings = solana_landings(&[gone], 1).await;
    assert!(landings.iter().all(is_expired), "{landings:?}");
}

#[tokio::test]
async fn expiry_is_not_put_together_from_two_nodes() {
    // One lies about the height alone, the other about nothing: neither by itself shows an expiry.
    let height_lies = solana_node(|method, _| match method {
        "getSignatureStatuses" => Some(Reply::Body(500, Vec::new())),
        "getEpochInfo" => Some(Reply::Result(
            json!({ "absoluteSlot": 2500, "blockHeight": 2400 }),
        )),
        "getFirstAvailableBlock" => Some(Reply::Result(json!(0))),
        _ => None,
    });
    let honest = solana_witness(knows(Value::Null, 1100));
    let chain = chain_of(DEVNET, &[&height_lies.url(), &honest.url()], "");
    for _ in 0..4 {
        let landing = chain.status_of(&Sought::named(SOLANA_ID, VALIDITY)).await;
        assert_eq!(landing, Ok(Landing::Unknown));
    }
    // More blocks than slots is a lie that can be seen.
    let impossible = solana_witness(knows(Value::Null, 2501));
    let chain = chain_of(DEVNET, &[&impossible.url()], "");
    let landing = chain.status_of(&Sought::named(SOLANA_ID, VALIDITY)).await;
    assert_eq!(landing, Err(RpcError::Lies(Lie::BlockHeight).into()));
}

#[tokio::test]
async fn the_nodes_are_asked_in_turn_about_what_is_open() {
    let nodes: Vec<MockNode> = (0..3).map(|_| evm_witness(Says::Nothing)).collect();
    let urls: Vec<String> = nodes.iter().map(MockNode::url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let chain = chain_of("eip155:31337", &urls, "");
    for _ in 0..6 {
        let landing = chain
            .status_of(&Sought::named(evm_id(), Validity::Unlimited))
            .await;
        assert_eq!(landing, Ok(Landing::Unknown));
    }
    for node in &nodes {
        assert_eq!(node.count("eth_getTransactionReceipt"), 2);
    }
}

/// Two that contradict each other are asked again; then it is said, of both, until they agree.
#[tokio::test]
async fn a_contradiction_is_shown_until_it_ends() {
    let heals = Arc::new(Mutex::new(false));
    let liar = {
        let heals = Arc::clone(&heals);
        evm_node(move |method, _| {
            let healed = *heals.lock().expect("no panic under it");
            let status = if healed { "0x1" } else { "0x0" };
            (method == "eth_getTransactionReceipt").then(|| {
                Reply::Result(json!({
                    "transactionHash": evm_id().to_string(),
                    "blockNumber": "0x62",
                    "status": status,
                    "gasUsed": "0x5208",
                }))
            })
        })
    };
    let honest = evm_witness(Says::Succeeded);
    let lags = evm_witness(Says::Lags);
    let urls = [liar.url(), honest.url(), lags.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let chain = chain_of("eip155:31337", &urls, "confirmations = 3");
    let look = async || {
        let landing = chain
            .status_of(&Sought::named(evm_id(), Validity::Unlimited))
            .await;
        landing.expect("a node answers")
    };
    assert_eq!(look().await, Landing::Pending, "both are asked again");
    let mut landings = Vec::new();
    for _ in 0..6 {
        landings.push(look().await);
    }
    assert!(landings.contains(&Landing::Disputed), "{landings:?}");
    assert!(landings.iter().all(is_open), "{landings:?}");
    let parties = async || {
        let health = chain.health().await;
        let each = health.endpoints.iter().map(|it| it.contradicts);
        (each.collect::<Vec<_>>(), health.is_contradictory())
    };
    assert_eq!(parties().await, (vec![1, 1, 0], true));
    *heals.lock().expect("no panic under it") = true;
    let mut landings = Vec::new();
    for _ in 0..3 {
        landings.push(look().await);
    }
    assert!(landings.iter().any(is_confirmed), "{landings:?}");
    assert_eq!(parties().await, (vec![0, 0, 0], false));
}

/// Whoever asks at a depth of their own looks aside: the patience and the contradictions of the record stay what they
/// are.
#[tokio::test]
async fn a_look_at_another_depth_leaves_no_trace() {
    // It has the block of the transaction, and none behind it.
    let shallow = evm_node(|method, _| match method {
        "eth_getTransactionReceipt" => Some(Reply::Result(json!({
            "transactionHash": evm_id().to_string(),
            "blockNumber": "0x62",
            "status": "0x1",
            "gasUsed": "0x5208",
            "effectiveGasPrice": "0x2",
        }))),
        "eth_blockNumber" => Some(Reply::Result(json!("0x62"))),
        _ => None,
    });
    let (failed, succeeded) = (evm_witness(Says::Failed), evm_witness(Says::Succeeded));
    let recorded = Sought::named(evm_id(), Validity::Unlimited);
    let aside = recorded.at(Depth::Confirmations(1));
    let contradicts = async |chain: &Chain| {
        let health = chain.health().await;
        let each = health.endpoints.iter().map(|it| it.contradicts);
        each.collect::<Vec<_>>()
    };

    // A contradiction that is only seen aside is an open end, and begins nothing.
    let urls = [failed.url(), succeeded.url()];
    let chain = chain_of(
        "eip155:31337",
        &urls.each_ref().map(String::as_str),
        "confirmations = 3",
    );
    for _ in 0..4 {
        assert_eq!(chain.status_of(&aside).await, Ok(Landing::Pending));
    }
    assert_eq!(contradicts(&chain).await, [0, 0]);
    // Each of the two is asked again, as if nobody had looked.
    for _ in 0..2 {
        assert_eq!(chain.status_of(&recorded).await, Ok(Landing::Pending));
    }
    assert_eq!(chain.status_of(&recorded).await, Ok(Landing::Disputed));

    // What is agreed aside ends no contradiction of the record.
    let urls = [failed.url(), succeeded.url(), shallow.url()];
    let chain = chain_of(
        "eip155:31337",
        &urls.each_ref().map(String::as_str),
        "confirmations = 3",
    );
    for _ in 0..6 {
        let landing = chain.status_of(&recorded).await.expect("a node answers");
        assert!(is_open(&landing), "{landing:?}");
    }
    let before = contradicts(&chain).await;
    assert_eq!(before[..2], [1, 1]);
    for _ in 0..3 {
        let landing = chain.status_of(&aside).await.expect("a node answers");
        assert!(is_confirmed(&landing), "{landing:?}");
    }
    assert_eq!(contradicts(&chain).await, before);
}
