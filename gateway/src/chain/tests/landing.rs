//! The ends of a sent transaction: what a node must show before one is believed, and that a false or
//! half-true status makes none (ATTACKS N10).

use std::sync::Mutex;

use super::*;

const SIGNED_EVM: [u8; 3] = [0x02, 0xc1, 0x80];

fn evm_hash() -> [u8; 32] {
    alloy_primitives::keccak256(SIGNED_EVM).0
}

fn hex_of(hash: [u8; 32]) -> String {
    ChainTransactionId::Evm(hash).to_string()
}

fn signed_solana() -> Vec<u8> {
    [
        &[1_u8][..],
        &[7; 64],
        // A transfer of a lamport, in full.
        &[1, 0, 1, 3],
        &[7; 32],
        &[9; 32],
        &[0; 32],
        &[5; 32],
        &[1, 2, 2, 0, 1, 12, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat()
}

const SOLANA_ID: ChainTransactionId = ChainTransactionId::Solana([7; 64]);

fn receipt(hash: [u8; 32], block: &str, status: &str) -> Value {
    json!({
        "transactionHash": hex_of(hash),
        "blockNumber": block,
        "status": status,
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
        "logs": [],
    })
}

/// What the chain says of [`SIGNED_EVM`] where a node has this receipt and this pooled transaction,
/// its head being block 100 and three confirmations being asked for.
async fn evm_landing(receipt: Value, pooled: Value) -> Result<Landing, ChainError> {
    let node = evm_node(move |method, _| match method {
        "eth_getTransactionReceipt" => Some(Reply::Result(receipt.clone())),
        "eth_getTransactionByHash" => Some(Reply::Result(pooled.clone())),
        _ => None,
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "confirmations = 3");
    let id = ChainTransactionId::Evm(evm_hash());
    chain
        .status_of(&Sought::named(id, Validity::Unlimited))
        .await
}

#[tokio::test]
async fn an_evm_receipt_counts_when_it_is_deep_enough() {
    let hash = evm_hash();
    let confirmed = Landing::Confirmed {
        position: 98,
        fee: Some(coins(42_000)),
    };
    let failed = Landing::Failed {
        position: 98,
        reason: ChainText::new("execution reverted"),
    };
    for (case, receipt, pooled, landing) in [
        ("deep", receipt(hash, "0x62", "0x1"), Value::Null, confirmed),
        (
            "deep, reverted",
            receipt(hash, "0x62", "0x0"),
            Value::Null,
            failed,
        ),
        (
            "shallow",
            receipt(hash, "0x63", "0x1"),
            Value::Null,
            Landing::Pending,
        ),
        (
            "shallow, reverted",
            receipt(hash, "0x63", "0x0"),
            Value::Null,
            Landing::Pending,
        ),
        (
            "above the head",
            receipt(hash, "0x65", "0x0"),
            Value::Null,
            Landing::Pending,
        ),
        (
            "from the far future",
            receipt(hash, "0xffffffffffffffff", "0x0"),
            Value::Null,
            Landing::Pending,
        ),
        (
            "in the pool",
            Value::Null,
            json!({ "hash": hex_of(hash) }),
            Landing::Pending,
        ),
        ("nowhere", Value::Null, Value::Null, Landing::Unknown),
    ] {
        assert_eq!(evm_landing(receipt, pooled).await, Ok(landing), "{case}");
    }
}

#[tokio::test]
async fn a_false_evm_status_is_no_status() {
    let hash = evm_hash();
    let other = [9; 32];
    let lie = ChainError::Rpc(RpcError::Lies(Lie::Transaction));
    let malformed = ChainError::Rpc(RpcError::Malformed);
    let mut bare = receipt(hash, "0x62", "0x1");
    bare.as_object_mut().expect("an object").remove("status");
    for (case, receipt, pooled, error) in [
        (
            "another's receipt",
            receipt(other, "0x62", "0x0"),
            Value::Null,
            &lie,
        ),
        (
            "another's entry in the pool",
            Value::Null,
            json!({ "hash": hex_of(other) }),
            &lie,
        ),
        (
            "a third status",
            receipt(hash, "0x62", "0x2"),
            Value::Null,
            &malformed,
        ),
        ("no status", bare, Value::Null, &malformed),
        (
            "a padded block",
            receipt(hash, "0x062", "0x1"),
            Value::Null,
            &malformed,
        ),
        ("false", json!(false), Value::Null, &malformed),
    ] {
        assert_eq!(
            evm_landing(receipt, pooled).await,
            Err(error.clone()),
            "{case}"
        );
    }
}

#[tokio::test]
async fn a_refused_evm_transaction_may_have_landed() {
    for refusal in ["already known", "nonce too low", "insufficient funds"] {
        let node = evm_node(move |method, _| match method {
            "eth_sendRawTransaction" => Some(Reply::Error(-32000, refusal)),
            "eth_getTransactionReceipt" => Some(Reply::Result(receipt(evm_hash(), "0x62", "0x1"))),
            _ => None,
        });
        let chain = chain_of("eip155:31337", &[&node.url()], "");
        let sent = chain.send(&SIGNED_EVM).await.expect("the bytes have an id");
        assert_eq!(sent.id, ChainTransactionId::Evm(evm_hash()));
        assert!(matches!(
            sent.taken,
            Err(RpcError::Rpc { code: -32000, .. })
        ));
        let landing = chain
            .status_of(&Sought::named(sent.id, Validity::Unlimited))
            .await;
        assert!(matches!(landing, Ok(Landing::Confirmed { .. })));
    }
}

#[tokio::test]
async fn a_transactions_name_is_not_the_nodes_to_choose() {
    let node = evm_node(|method, _| {
        (method == "eth_sendRawTransaction").then(|| Reply::Result(json!(hex_of([9; 32]))))
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let sent = chain.send(&SIGNED_EVM).await.expect("the bytes have an id");
    assert_eq!(sent.id, ChainTransactionId::Evm(evm_hash()));
    assert_eq!(sent.taken, Err(RpcError::Lies(Lie::Transaction)));

    let node = solana_node(|method, _| {
        let other = ChainTransactionId::Solana([9; 64]).to_string();
        (method == "sendTransaction").then(|| Reply::Result(json!(other)))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let sent = chain.send(&signed_solana()).await.expect("signed");
    assert_eq!(sent.id, SOLANA_ID);
    assert_eq!(sent.taken, Err(RpcError::Lies(Lie::Transaction)));

    for raw in [&[][..], &[1; 64], &[2; 200], &[0; 200]] {
        assert_eq!(chain.send(raw).await, Err(ChainError::NotSigned));
    }
    let evm = chain_of("eip155:31337", &[&node.url()], "");
    for raw in [&[][..], &[0x01, 2], &[0x04], &[0xc0]] {
        assert_eq!(evm.send(raw).await, Err(ChainError::NotSigned));
    }
    assert_eq!(
        evm.status_of(&Sought::named(SOLANA_ID, Validity::Unlimited))
            .await,
        Err(ChainError::FamilyMismatch)
    );
}

#[tokio::test]
async fn preflight_runs_at_the_commitment_of_the_blockhash() {
    let node = solana_node(|method, _| {
        (method == "sendTransaction").then(|| Reply::Result(json!(SOLANA_ID.to_string())))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "commitment = \"finalized\"");
    prepare_solana(&chain).await.expect("honest");
    let sent = chain.send(&signed_solana()).await.expect("signed");
    assert_eq!(sent.taken, Ok(()));
    let asked = |method: &str, pointer: &str| {
        let calls = node.calls();
        let (_, params) = calls
            .iter()
            .find(|(name, _)| name == method)
            .expect("was called");
        params.pointer(pointer).cloned()
    };
    let fetched = asked("getLatestBlockhash", "/0/commitment");
    assert_eq!(fetched, Some(json!("confirmed")));
    assert_eq!(asked("sendTransaction", "/1/preflightCommitment"), fetched);
    assert_eq!(
        asked("sendTransaction", "/1/encoding"),
        Some(json!("base64"))
    );
    assert_eq!(
        asked("sendTransaction", "/1/skipPreflight"),
        Some(json!(false))
    );
}

/// What a Solana node knows of a transaction whose blockhash was fetched at slot 2000 and is good up
/// to block 1150.
#[derive(Clone)]
struct Known {
    recent: Value,
    history: Value,
    status_slot: u64,
    finalized_height: u64,
    first_block: u64,
}

/// All that is needed to call the transaction expired.
fn expired() -> Known {
    Known {
        recent: Value::Null,
        history: Value::Null,
        status_slot: 2500,
        finalized_height: 1151,
        first_block: 2000,
    }
}

async fn solana_landing(known: Known, commitment: &str) -> Result<Landing, ChainError> {
    let known = Mutex::new(known);
    let node = solana_node(move |method, params| {
        let known = known.lock().expect("no panic under it");
        let result = match method {
            "getSignatureStatuses" => {
                let history = params.pointer("/1/searchTransactionHistory");
                let status = match history {
                    Some(Value::Bool(true)) => &known.history,
                    _ => &known.recent,
                };
                json!({ "context": { "slot": known.status_slot }, "value": [status] })
            }
            "getEpochInfo" => {
                json!({ "absoluteSlot": 2500, "blockHeight": known.finalized_height })
            }
            "getFirstAvailableBlock" => json!(known.first_block),
            "getTransaction" => json!({ "slot": 2100, "meta": { "err": null, "fee": 5000 } }),
            _ => return None,
        };
        Some(Reply::Result(result))
    });
    let more = format!("commitment = \"{commitment}\"");
    let chain = chain_of(DEVNET, &[&node.url()], &more);
    let validity = Validity::UntilBlockHeight {
        last_valid: 1150,
        fetched_at_slot: 2000,
    };
    chain.status_of(&Sought::named(SOLANA_ID, validity)).await
}

fn status(level: &str, err: Value) -> Value {
    json!({ "slot": 2100, "confirmations": 1, "err": err, "confirmationStatus": level })
}

fn confirmed() -> Landing {
    Landing::Confirmed {
        position: 2100,
        fee: Some(coins(5000)),
    }
}

#[tokio::test]
async fn expiry_needs_every_piece_of_evidence() {
    assert_eq!(
        solana_landing(expired(), "confirmed").await,
        Ok(Landing::Expired)
    );
    // Each piece taken away on its own.
    let at_its_last_block = Known {
        finalized_height: 1150,
        ..expired()
    };
    let history_cut_off = Known {
        first_block: 2001,
        ..expired()
    };
    for known in [at_its_last_block, history_cut_off] {
        assert_eq!(
            solana_landing(known, "confirmed").await,
            Ok(Landing::Unknown)
        );
    }
    let node_behind = Known {
        status_slot: 2499,
        ..expired()
    };
    assert_eq!(
        solana_landing(node_behind, "confirmed").await,
        Err(RpcError::Behind.into())
    );
    let landed_long_ago = Known {
        history: status("finalized", Value::Null),
        ..expired()
    };
    assert_eq!(
        solana_landing(landed_long_ago, "confirmed").await,
        Ok(confirmed())
    );
}

#[tokio::test]
async fn a_solana_status_counts_at_the_configured_commitment() {
    let error = json!({ "InstructionError": [2, { "Custom": 1 }] });
    let failed = Landing::Failed {
        position: 2100,
        reason: ChainText::new(r#"{"InstructionError":[2,{"Custom":1}]}"#),
    };
    for (level, err, commitment, landing) in [
        ("processed", Value::Null, "confirmed", Landing::Pending),
        ("processed", error.clone(), "confirmed", Landing::Pending),
        ("confirmed", Value::Null, "confirmed", confirmed()),
        ("confirmed", error.clone(), "confirmed", failed.clone()),
        ("confirmed", Value::Null, "finalized", Landing::Pending),
        ("confirmed", error.clone(), "finalized", Landing::Pending),
        ("finalized", Value::Null, "finalized", confirmed()),
        ("finalized", error, "finalized", failed),
    ] {
        // Long past its last block: being on the chain wins over having run out of time.
        let known = Known {
            recent: status(level, err),
            ..expired()
        };
        assert_eq!(
            solana_landing(known, commitment).await,
            Ok(landing),
            "{level} {commitment}"
        );
    }
}

#[tokio::test]
async fn a_false_solana_status_is_no_status() {
    for recent in [
        json!(false),
        json!({}),
        json!({ "slot": 2100, "err": false, "confirmationStatus": "finalized" }),
        json!({ "slot": -1, "err": null, "confirmationStatus": "finalized" }),
        json!({ "slot": 2100, "err": null, "confirmationStatus": "certain" }),
        json!({ "slot": 2100, "err": null }),
    ] {
        let known = Known {
            recent: recent.clone(),
            ..expired()
        };
        assert_eq!(
            solana_landing(known, "confirmed").await,
            Err(RpcError::Malformed.into()),
            "{recent}"
        );
    }
}

#[test]
fn names_of_transactions_have_one_form() {
    for id in [SOLANA_ID, ChainTransactionId::Evm(evm_hash())] {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let hash = hex_of([0xab; 32]);
    for text in [
        "",
        "0x",
        &hash.to_uppercase(),
        &format!("0x{}", "AB".repeat(32)),
        &hash[..64],
        CAROL,
        &"1".repeat(65),
        &"z".repeat(10_000),
    ] {
        assert!(text.parse::<ChainTransactionId>().is_err(), "{text}");
    }
}

#[test]
fn validity_has_one_stored_form() {
    for (validity, text) in [
        (Validity::Unlimited, r#"{"kind":"unlimited"}"#),
        (
            Validity::UntilBlockHeight {
                last_valid: 1,
                fetched_at_slot: 2,
            },
            r#"{"kind":"until-block-height","last-valid":1,"fetched-at-slot":2}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&validity).expect("JSON"), text);
        assert_eq!(
            serde_json::from_str::<Validity>(text).expect("own text"),
            validity
        );
    }
}

/// On a chain that names its own levels, a block is as deep as the node's newest one of that level.
#[tokio::test]
async fn an_evm_receipt_counts_when_the_chain_calls_its_block_final() {
    for (level, newest, counts) in [
        ("finalized", json!({ "number": "0x62" }), true),
        ("finalized", json!({ "number": "0x61" }), false),
        ("safe", json!({ "number": "0x99" }), true),
        ("safe", Value::Null, false),
    ] {
        for status in ["0x1", "0x0"] {
            let block = newest.clone();
            let node = evm_node(move |method, params| match method {
                "eth_getTransactionReceipt" => {
                    Some(Reply::Result(receipt(evm_hash(), "0x62", status)))
                }
                "eth_getBlockByNumber" => {
                    assert_eq!(params, &json!([level, false]));
                    Some(Reply::Result(block.clone()))
                }
                _ => None,
            });
            let more = format!("commitment = \"{level}\"");
            let chain = chain_of("eip155:31337", &[&node.url()], &more);
            let id = ChainTransactionId::Evm(evm_hash());
            let landing = chain
                .status_of(&Sought::named(id, Validity::Unlimited))
                .await;
            let end = landing.expect("a node answers").final_status();
            assert_eq!(end.is_some(), counts, "{level} {newest} {status}");
            assert_eq!(node.count("eth_blockNumber"), 0);
        }
    }
}
