//! What nodes do wrong: failures that any node may have, at every method and at each alone, and the lies of
//! each family.

use std::time::Duration;

use serde_json::{Value, json};
use waiaas_tests::proxy::{Script, Turn};

/// Longer than the gateway waits for a node in these tests.
const TOO_LONG: Duration = Duration::from_secs(3);

/// Name of a script and what it does.
pub(crate) type Case = (String, Box<Script>);

pub(crate) fn case(
    name: &str,
    script: impl Fn(&str, &Value) -> Turn + Send + Sync + 'static,
) -> Case {
    (name.to_owned(), Box::new(script))
}

/// What any node may do, to every question or to one.
pub(crate) fn failures(methods: &[&'static str]) -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("refuses connections", Turn::Refuse),
        ("dies before each answer", Turn::DieAfter),
        ("dies in each answer", Turn::CutShort),
        ("answers too slowly", Turn::Slow(TOO_LONG)),
        ("limits", Turn::Status(429)),
        ("has an error of its own", Turn::Status(500)),
        ("answers garbage", Turn::Garbage),
        ("answers without end", Turn::Endless),
        ("answers more than fits", Turn::Giant),
        ("refuses everything", Turn::Error(-32603, "internal error")),
    ]
    .into_iter()
    .map(|(name, turn)| case(name, move |_, _| turn.clone()))
    .collect();
    for method in methods {
        let dies = only(method, Turn::DieAfter);
        cases.push(case(&format!("dies after {method}"), dies));
    }
    cases
}

/// A script that spoils one method.
pub(crate) fn only(
    method: &'static str,
    turn: Turn,
) -> impl Fn(&str, &Value) -> Turn + Send + Sync {
    move |asked, _| {
        if asked == method {
            turn.clone()
        } else {
            Turn::Pass
        }
    }
}

pub(crate) const EVM_METHODS: [&str; 7] = [
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_maxPriorityFeePerGas",
    "eth_call",
    "eth_getBalance",
    "eth_sendRawTransaction",
    "eth_getTransactionReceipt",
];

pub(crate) fn evm_lies() -> Vec<Case> {
    let kept = |_: &str, params: &Value| {
        let raw = params.pointer("/0").and_then(Value::as_str);
        let raw = raw.and_then(|raw| hex::decode(raw.trim_start_matches("0x")).ok());
        let hash = alloy_primitives::keccak256(raw.unwrap_or_default());
        Turn::Say(json!(hash.to_string()))
    };
    vec![
        case("knows of no receipt", |asked, _| match asked {
            "eth_getTransactionReceipt" | "eth_getTransactionByHash" => Turn::Say(Value::Null),
            _ => Turn::Pass,
        }),
        case(
            "knows of no receipt but of the transaction",
            only("eth_getTransactionReceipt", Turn::Say(Value::Null)),
        ),
        case(
            "stands still",
            only("eth_blockNumber", Turn::Say(json!("0x0"))),
        ),
        case(
            "refuses what it is sent",
            only(
                "eth_sendRawTransaction",
                Turn::Error(-32000, "nonce too low"),
            ),
        ),
        case("keeps what it is sent", move |asked, params| match asked {
            "eth_sendRawTransaction" => kept(asked, params),
            _ => Turn::Pass,
        }),
        case(
            "names another transaction",
            only(
                "eth_sendRawTransaction",
                Turn::Say(json!(format!("0x{}", "9".repeat(64)))),
            ),
        ),
    ]
}

/// Fees that no node of this chain means: they move a fee under its ceiling, or nothing is signed.
pub(crate) fn evm_fees() -> Vec<Case> {
    let most = format!("0x{}", "f".repeat(16));
    let tips = json!([[most, most, most]]);
    vec![
        case(
            "asks for more than anybody has",
            only(
                "eth_feeHistory",
                Turn::Forge("/baseFeePerGas", json!([most, most])),
            ),
        ),
        case(
            "tells of tips beyond measure",
            only("eth_feeHistory", Turn::Forge("/reward", tips)),
        ),
        case(
            "suggests a tip beyond measure",
            only("eth_maxPriorityFeePerGas", Turn::Say(json!(most))),
        ),
        case(
            "tells of no fees at all",
            only("eth_feeHistory", Turn::Forge("/baseFeePerGas", json!([]))),
        ),
    ]
}

/// The same on Solana, where a cluster's signature has its price and only what is offered beside it can be forged.
pub(crate) fn solana_fees() -> Vec<Case> {
    let paid = json!([{ "slot": 1, "prioritizationFee": u64::MAX }]);
    vec![case(
        "tells of fees beyond measure",
        only("getRecentPrioritizationFees", Turn::Say(paid)),
    )]
}

pub(crate) const SOLANA_METHODS: [&str; 6] = [
    "getRecentPrioritizationFees",
    "getLatestBlockhash",
    "simulateTransaction",
    "sendTransaction",
    "getSignatureStatuses",
    "getTransaction",
];

pub(crate) fn solana_lies() -> Vec<Case> {
    let not_found = "Transaction simulation failed: Blockhash not found";
    vec![
        case(
            "knows of no status",
            only("getSignatureStatuses", Turn::Forge("/value/0", Value::Null)),
        ),
        case("says it is too late", |asked, _| match asked {
            "getSignatureStatuses" => {
                Turn::Say(json!({ "context": { "slot": 2_000_000 }, "value": [null] }))
            }
            "getEpochInfo" => {
                Turn::Say(json!({ "absoluteSlot": 1_000_000, "blockHeight": 999_999 }))
            }
            "getFirstAvailableBlock" => Turn::Say(json!(0)),
            _ => Turn::Pass,
        }),
        case(
            "says it was too late from the start",
            only(
                "getLatestBlockhash",
                Turn::Forge("/value/lastValidBlockHeight", json!(0)),
            ),
        ),
        case(
            "finds no blockhash when sent to",
            only("sendTransaction", Turn::Error(-32002, not_found)),
        ),
        case(
            "finds no blockhash when trying",
            only(
                "simulateTransaction",
                Turn::Forge("/value/err", json!("BlockhashNotFound")),
            ),
        ),
        case(
            "names another transaction",
            only("sendTransaction", Turn::Say(json!("2".repeat(87)))),
        ),
    ]
}
