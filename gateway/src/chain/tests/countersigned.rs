//! Transactions that somebody else names: found by the wallet's own signature, and called expired only where everything
//! was read that it could be among.

use waiaas_shared::address::SolanaAddress;

use super::*;

const OWN: [u8; 64] = [7; 64];
const SPONSORS: [u8; 64] = [8; 64];

fn name(signature: [u8; 64]) -> String {
    ChainTransactionId::Solana(signature).to_string()
}

/// The signature of another transaction of the wallet.
fn other(number: u64) -> [u8; 64] {
    let mut signature = [1; 64];
    signature[..8].copy_from_slice(&number.to_le_bytes());
    signature
}

/// What a node knows of a transaction whose blockhash was fetched at slot 2000 and is good up to block 1150.
#[derive(Clone)]
struct Knows {
    /// Names and slots, newest first.
    listed: Vec<([u8; 64], u64)>,
    level: &'static str,
    err: Value,
    finalized_height: u64,
    first_block: u64,
    /// Of any block that is asked for.
    block_height: u64,
    /// Whether a transaction is given that is listed.
    gives: bool,
}

/// All that is needed to call it expired: others of the wallet, and not this one.
fn nothing() -> Knows {
    Knows {
        listed: vec![(other(3), 2300), (other(2), 2001), (other(1), 1999)],
        level: "finalized",
        err: Value::Null,
        finalized_height: 1183,
        first_block: 2000,
        block_height: 0,
        gives: true,
    }
}

fn landed() -> Knows {
    Knows {
        listed: vec![(other(3), 2300), (SPONSORS, 2100), (other(1), 1999)],
        ..nothing()
    }
}

fn node_that(knows: Knows) -> MockNode {
    let names: Vec<(String, u64)> = knows
        .listed
        .iter()
        .map(|(signature, slot)| (name(*signature), *slot))
        .collect();
    solana_node(move |method, params| {
        let result = match method {
            "getEpochInfo" => {
                json!({ "absoluteSlot": 2500, "blockHeight": knows.finalized_height })
            }
            "getFirstAvailableBlock" => json!(knows.first_block),
            "getBlock" => json!({ "blockHeight": knows.block_height }),
            "getSignaturesForAddress" => {
                assert_eq!(params[0], CAROL);
                // A node that lags behind refuses, by the API's own rule.
                assert_eq!(params[1]["minContextSlot"], 2500 - 32);
                let before = params[1]["before"].as_str();
                let older = names
                    .iter()
                    .skip_while(|(name, _)| before.is_some_and(|before| name != before));
                let older = older.skip(usize::from(before.is_some())).take(1000);
                let listed = older.map(|(name, slot)| {
                    json!({
                        "signature": name,
                        "slot": slot,
                        "err": knows.err,
                        "confirmationStatus": knows.level,
                    })
                });
                listed.collect()
            }
            "getTransaction" if !knows.gives => Value::Null,
            "getTransaction" => {
                let first = params[0].as_str().expect("a name");
                let second = if first == name(SPONSORS) {
                    OWN
                } else {
                    other(99)
                };
                json!({ "slot": 2100, "transaction": { "signatures": [first, name(second)] } })
            }
            _ => return None,
        };
        Some(Reply::Result(result))
    })
}

fn sought() -> Sought {
    let validity = Validity::UntilBlockHeight {
        last_valid: 1150,
        fetched_at_slot: 2000,
    };
    let carol: SolanaAddress = CAROL.parse().expect("an address");
    Sought {
        signer: Some(carol),
        ..Sought::named(ChainTransactionId::Solana(OWN), validity)
    }
}

async fn landing(knows: Knows, commitment: &str) -> Result<Landing, ChainError> {
    let node = node_that(knows);
    let more = format!("commitment = \"{commitment}\"");
    let chain = chain_of(DEVNET, &[&node.url()], &more);
    chain.status_of(&sought()).await
}

fn confirmed() -> Landing {
    Landing::Confirmed {
        position: 2100,
        fee: None,
    }
}

#[tokio::test]
async fn it_is_found_by_the_wallets_own_signature() {
    assert_eq!(landing(landed(), "confirmed").await, Ok(confirmed()));
    let voted = Knows {
        level: "confirmed",
        ..landed()
    };
    assert_eq!(landing(voted.clone(), "confirmed").await, Ok(confirmed()));
    assert_eq!(landing(voted, "finalized").await, Ok(Landing::Pending));
    let failed = Knows {
        err: json!({ "InstructionError": [0, "Custom"] }),
        ..landed()
    };
    assert!(matches!(
        landing(failed, "confirmed").await,
        Ok(Landing::Failed { position: 2100, .. })
    ));
    // And what the chain calls it.
    let node = solana_node(|method, _| match method {
        "getSignaturesForAddress" => Some(Reply::Result(json!([{
            "signature": name(SPONSORS), "slot": 2100, "err": null, "confirmationStatus": "finalized",
        }]))),
        "getTransaction" => {
            let signatures = [name(SPONSORS), name(OWN)];
            Some(Reply::Result(
                json!({ "transaction": { "signatures": signatures } }),
            ))
        }
        _ => None,
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let told = chain.name_of(&sought()).await;
    assert_eq!(told, Ok(Some(ChainTransactionId::Solana(SPONSORS))));
}

#[tokio::test]
async fn it_has_expired_only_where_everything_was_read() {
    assert_eq!(landing(nothing(), "confirmed").await, Ok(Landing::Expired));
    let unknown = Ok(Landing::Unknown);
    let young = Knows {
        finalized_height: 1182,
        ..nothing()
    };
    assert_eq!(landing(young, "confirmed").await, unknown);
    let short = Knows {
        first_block: 2001,
        ..nothing()
    };
    assert_eq!(landing(short, "confirmed").await, unknown);
    // More than is read at one look: what was not read does not matter where it came too late.
    let many: Vec<_> = (0..201)
        .rev()
        .map(|number| (other(number), 2000 + number))
        .collect();
    for (block_height, ends) in [(1150, unknown.clone()), (1151, Ok(Landing::Expired))] {
        let busy = Knows {
            listed: many.clone(),
            block_height,
            ..nothing()
        };
        assert_eq!(landing(busy, "confirmed").await, ends);
    }
    // And far more than is listed.
    let crowd: Vec<_> = (0..16_001)
        .rev()
        .map(|number| (other(number), 2000 + number))
        .collect();
    let crowded = Knows {
        listed: crowd,
        ..nothing()
    };
    assert_eq!(landing(crowded, "confirmed").await, unknown);
    // What is listed and not given may be it.
    let withholds = Knows {
        gives: false,
        ..nothing()
    };
    let behind = Err(ChainError::Rpc(RpcError::Behind));
    assert_eq!(landing(withholds, "confirmed").await, behind);
}

/// Dust that others send to the wallet while it is on its way: each look goes on behind what was read before.
#[tokio::test]
async fn dust_delays_a_search_and_never_ends_it() {
    let mut listed: Vec<_> = (0..450).rev().map(|number| (other(number), 2001)).collect();
    listed.insert(0, (SPONSORS, 2002));
    let node = node_that(Knows {
        listed,
        ..nothing()
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    for _ in 0..2 {
        assert_eq!(chain.status_of(&sought()).await, Ok(Landing::Unknown));
    }
    let landing = chain.status_of(&sought()).await;
    assert!(
        matches!(landing, Ok(Landing::Confirmed { position: 2002, .. })),
        "{landing:?}"
    );
    assert_eq!(node.count("getTransaction"), 451);
}

#[tokio::test]
async fn another_transaction_under_its_name_is_none() {
    let node = solana_node(|method, _| match method {
        "getEpochInfo" => Some(Reply::Result(
            json!({ "absoluteSlot": 2500, "blockHeight": 1183 }),
        )),
        "getSignaturesForAddress" => Some(Reply::Result(json!([{
            "signature": name(other(1)), "slot": 2100, "err": null, "confirmationStatus": "finalized",
        }]))),
        "getTransaction" => {
            let signatures = [name(SPONSORS), name(OWN)];
            Some(Reply::Result(
                json!({ "transaction": { "signatures": signatures } }),
            ))
        }
        _ => None,
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let lie = Err(ChainError::Rpc(RpcError::Lies(Lie::Transaction)));
    assert_eq!(chain.status_of(&sought()).await, lie);
}

/// A node that hides it does not make it expire, and what another one has seen is seen.
#[tokio::test]
async fn no_node_alone_makes_it_expire() {
    let (hides, honest) = (node_that(nothing()), node_that(landed()));
    let chain = chain_of(DEVNET, &[&hides.url(), &honest.url()], "");
    for _ in 0..2 {
        let landing = chain.status_of(&sought()).await.expect("a node answers");
        assert_eq!(landing.final_status(), None, "they contradict each other");
    }
    let second = node_that(landed());
    let chain = chain_of(DEVNET, &[&hides.url(), &honest.url(), &second.url()], "");
    for _ in 0..3 {
        assert_eq!(chain.status_of(&sought()).await, Ok(confirmed()));
    }
    let down = solana_node(|_, _| Some(Reply::Body(500, Vec::new())));
    let chain = chain_of(DEVNET, &[&hides.url(), &down.url()], "");
    assert_eq!(chain.status_of(&sought()).await, Ok(Landing::Pending));
    let agrees = node_that(nothing());
    let chain = chain_of(DEVNET, &[&hides.url(), &agrees.url()], "");
    assert_eq!(chain.status_of(&sought()).await, Ok(Landing::Expired));
}
