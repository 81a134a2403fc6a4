//! Transfers into wallets against nodes that tell the truth, half of it, or something else.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::solana::{Token as Mint, TokenProgram};

use super::*;

const TOKEN: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

fn erc20() -> AssetId {
    format!("eip155:31337/erc20:{TOKEN}")
        .parse()
        .expect("an asset")
}

pub(super) fn evm_watched() -> Vec<Watched> {
    vec![Watched {
        account: account(ALICE),
        tokens: vec![(erc20(), None)],
    }]
}

pub(super) fn at_block(next: u64) -> Cursors {
    Cursors::from([("blocks".to_owned(), next.to_string())])
}

fn topic(address: &str) -> String {
    format!("0x{:0>64}", address[2..].to_ascii_lowercase())
}

pub(super) fn log(from: &str, to: &str, amount: u64, block: &str) -> Value {
    json!({
        "address": TOKEN.to_ascii_lowercase(),
        "topics": [TRANSFER, topic(from), topic(to)],
        "data": format!("0x{amount:064x}"),
        "transactionHash": format!("0x{}", "ab".repeat(32)),
        "logIndex": "0x3",
        "blockNumber": block,
        "removed": false,
    })
}

pub(super) fn logs_node(logs: Value) -> MockNode {
    evm_node(move |method, _| (method == "eth_getLogs").then(|| Reply::Result(logs.clone())))
}

#[tokio::test]
async fn tokens_come_in_from_blocks_that_are_deep_enough() {
    let node = logs_node(json!([
        log(BOB, ALICE, 5, "0x60"),
        log(ALICE, ALICE, 7, "0x60"),
        log(BOB, ALICE, 0, "0x60"),
    ]));
    let chain = chain_of("eip155:31337", &[&node.url()], "confirmations = 3");
    // The first look only remembers where it stands: block 98 has three on it.
    let first = chain
        .incoming(&evm_watched(), &Cursors::new())
        .await
        .expect("answered");
    assert_eq!((first.found.len(), &first.cursors), (0, &at_block(99)));
    assert_eq!(node.count("eth_getLogs"), 0);
    let seen = chain
        .incoming(&evm_watched(), &at_block(90))
        .await
        .expect("answered");
    assert_eq!(seen.cursors, at_block(99));
    assert!(!seen.more && !seen.gap);
    let [came] = &seen.found[..] else {
        panic!("{:?}", seen.found)
    };
    assert_eq!((came.asset, came.amount), (erc20(), coins(5)));
    assert_eq!(
        (came.account, came.from),
        (account(ALICE), Some(account(BOB)))
    );
    assert_eq!((came.position, came.place), (96, 3));
    let asked = node.calls();
    let asked = asked
        .iter()
        .find(|(name, _)| name == "eth_getLogs")
        .expect("asked");
    let filter = &asked.1[0];
    assert_eq!(
        (&filter["fromBlock"], &filter["toBlock"]),
        (&json!("0x5a"), &json!("0x62"))
    );
    assert_eq!(filter["topics"], json!([TRANSFER, null, [topic(ALICE)]]));
    // Nothing is read twice, and nothing that is not deep.
    let again = chain
        .incoming(&evm_watched(), &seen.cursors)
        .await
        .expect("answered");
    assert_eq!(again, Seen::default());
}

#[tokio::test]
async fn logs_of_another_question_are_no_answer() {
    let with = |field: &str, value: Value| {
        let mut log = log(BOB, ALICE, 5, "0x60");
        log[field] = value;
        json!([log])
    };
    let malformed = ChainError::Rpc(RpcError::Malformed);
    for (case, logs, error) in [
        (
            "another recipient",
            json!([log(BOB, BOB, 5, "0x60")]),
            Some(&malformed),
        ),
        (
            "another block",
            json!([log(BOB, ALICE, 5, "0x63")]),
            Some(&malformed),
        ),
        (
            "another token",
            with("address", json!(BOB.to_ascii_lowercase())),
            Some(&malformed),
        ),
        (
            "two topics",
            with("topics", json!([TRANSFER, topic(ALICE)])),
            Some(&malformed),
        ),
        (
            "another event",
            with("topics", json!([topic(ALICE), topic(BOB), topic(ALICE)])),
            Some(&malformed),
        ),
        ("no amount", with("data", json!("0x")), Some(&malformed)),
        ("undone", with("removed", json!(true)), None),
    ] {
        let node = logs_node(logs);
        let chain = chain_of("eip155:31337", &[&node.url()], "confirmations = 3");
        let seen = chain.incoming(&evm_watched(), &at_block(90)).await;
        match error {
            Some(error) => assert_eq!(seen.as_ref(), Err(error), "{case}"),
            None => assert_eq!(seen.expect(case).found, [], "{case}"),
        }
    }
}

#[tokio::test]
async fn what_is_far_behind_is_passed_over_and_said() {
    let node = evm_node(|method, _| match method {
        "eth_blockNumber" => Some(Reply::Result(json!("0xffffff"))),
        "eth_getLogs" => Some(Reply::Result(json!([]))),
        _ => None,
    });
    let chain = chain_of("eip155:31337", &[&node.url()], "confirmations = 1");
    let seen = chain
        .incoming(&evm_watched(), &at_block(5))
        .await
        .expect("answered");
    assert!(seen.gap && seen.more, "{seen:?}");
    let next: u64 = seen.cursors["blocks"].parse().expect("a number");
    assert_eq!(next, 0xff_ffff - 20_000 + 500);
}

#[tokio::test]
async fn coins_come_in_where_blocks_are_read() {
    let moved = |hash: &str, from: &str, to: Value, value: &str| json!({ "hash": format!("0x{}", hash.repeat(32)), "from": from.to_ascii_lowercase(), "to": to, "value": value, "input": "0x" });
    let alice = json!(ALICE.to_ascii_lowercase());
    let beyond = format!("0x{}", "f".repeat(64));
    let transactions = json!([
        moved("01", BOB, alice.clone(), "0x7"),
        moved("02", BOB, alice.clone(), "0x0"),
        moved("03", BOB, json!(BOB.to_ascii_lowercase()), "0x9"),
        moved("04", BOB, Value::Null, &beyond),
        moved("05", ALICE, alice.clone(), "0x9"),
        moved("06", BOB, alice, "0x8"),
    ]);
    let node = evm_node(move |method, params| match method {
        "eth_getBlockByNumber" => Some(Reply::Result(json!({
            "number": params[0],
            "transactions": if params[0] == "0x61" { transactions.clone() } else { json!([]) },
        }))),
        "eth_getTransactionReceipt" => {
            let failed = params[0]
                .as_str()
                .is_some_and(|hash| hash.starts_with("0x06"));
            Some(Reply::Result(json!({
                "transactionHash": params[0],
                "blockNumber": "0x61",
                "status": if failed { "0x0" } else { "0x1" },
                "gasUsed": "0x5208",
            })))
        }
        _ => None,
    });
    let more = "confirmations = 3\nincoming = \"all\"";
    let chain = chain_of("eip155:31337", &[&node.url()], more);
    let watched = vec![Watched {
        account: account(ALICE),
        tokens: vec![],
    }];
    let seen = chain
        .incoming(&watched, &at_block(96))
        .await
        .expect("answered");
    let found: Vec<_> = seen
        .found
        .iter()
        .map(|came| (came.amount, came.position))
        .collect();
    assert_eq!(found, [(coins(7), 97)]);
    assert_eq!(seen.found[0].asset, chain.id().native_asset());
    assert_eq!(node.count("eth_getLogs"), 0, "no token is watched");
}

fn signature(number: u8) -> String {
    ChainTransactionId::Solana([number; 64]).to_string()
}

fn mint() -> Mint {
    Mint {
        mint: SolanaAddress::from_bytes([9; 32]),
        decimals: 6,
        program: TokenProgram::Token,
    }
}

fn carol() -> SolanaAddress {
    CAROL.parse().expect("an address")
}

pub(super) fn solana_watched() -> Vec<Watched> {
    let asset = format!("{DEVNET}/token:{}", mint().mint);
    vec![Watched {
        account: account(CAROL),
        tokens: vec![(asset.parse().expect("an asset"), Some(mint()))],
    }]
}

/// Signatures of the wallet's address (newest first, with a slot each), and of its token account.
pub(super) fn solana_history(own: Vec<(u8, u64)>, of_token: Vec<(u8, u64)>) -> MockNode {
    let token_account = mint().account_of(carol()).to_string();
    solana_node(move |method, params| match method {
        "getSignaturesForAddress" => {
            let list = if params[0] == token_account {
                &of_token
            } else {
                &own
            };
            let until = params[1]["until"].as_str();
            assert_eq!(params[1]["commitment"], "finalized");
            let new = list
                .iter()
                .take_while(|(number, _)| Some(signature(*number).as_str()) != until);
            let listed: Vec<Value> = new
                .map(|(number, slot)| json!({ "signature": signature(*number), "slot": slot, "err": null }))
                .collect();
            Some(Reply::Result(json!(listed)))
        }
        "getTransaction" => {
            let number = (1..=99).find(|number| params[0] == signature(*number));
            let held = |amount: &str| {
                json!({
                    "accountIndex": 2,
                    "mint": mint().mint.to_string(),
                    "owner": CAROL,
                    "uiTokenAmount": { "amount": amount, "decimals": 6 },
                })
            };
            Some(Reply::Result(json!({
                "slot": 700,
                "meta": {
                    "err": null,
                    "preBalances": [1000, 10, 0],
                    "postBalances": [400, 510, 0],
                    "preTokenBalances": [held("5")],
                    "postTokenBalances": [held("12")],
                    "loadedAddresses": { "writable": [], "readonly": [] },
                },
                "transaction": {
                    "signatures": [signature(number.expect("one of the list"))],
                    "message": { "accountKeys": [DAVE, CAROL, mint().account_of(carol()).to_string()] },
                },
            })))
        }
        _ => None,
    })
}

#[tokio::test]
async fn coins_and_tokens_come_in_on_solana() {
    let node = solana_history(vec![(1, 700)], vec![(2, 701)]);
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let seen = chain
        .incoming(&solana_watched(), &Cursors::new())
        .await
        .expect("answered");
    let told: Vec<_> = seen
        .found
        .iter()
        .map(|came| (came.asset.token() == Token::Native, came.amount, came.place))
        .collect();
    // Each of the two transactions is told of both.
    let both = [(true, coins(500), 1), (false, coins(7), 2)];
    assert_eq!(told, [both, both].concat());
    assert_eq!(seen.found[0].from, Some(account(DAVE)));
    assert!(seen.found.iter().all(|came| came.account == account(CAROL)));
    // What was read is not read again.
    let calls = node.count("getTransaction");
    let again = chain
        .incoming(&solana_watched(), &seen.cursors)
        .await
        .expect("answered");
    assert!(
        again.found.is_empty() && again.cursors.is_empty(),
        "{again:?}"
    );
    assert_eq!(node.count("getTransaction"), calls);
}

#[tokio::test]
async fn a_long_list_is_read_from_its_oldest_on() {
    let own: Vec<(u8, u64)> = (1..=40)
        .rev()
        .map(|number| (number, u64::from(number)))
        .collect();
    let node = solana_history(own, vec![]);
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let mut cursors = Cursors::new();
    let mut looks = 0;
    let mut names = Vec::new();
    loop {
        let seen = chain
            .incoming(&solana_watched(), &cursors)
            .await
            .expect("answered");
        let more = seen.more;
        names.extend(seen.found.iter().map(|came| came.transaction.to_string()));
        cursors.extend(seen.cursors);
        looks += 1;
        assert!(looks < 5);
        if !more {
            break;
        }
    }
    names.dedup();
    let expected: Vec<String> = (1..=40).map(signature).collect();
    assert_eq!(names, expected);
    assert_eq!(cursors[CAROL], signature(40));
}

#[tokio::test]
async fn a_transaction_that_no_node_gives_is_waited_for() {
    for (reply, passes) in [
        (Reply::Result(Value::Null), false),
        (
            Reply::Error(-32015, "Transaction version (2) is not supported"),
            true,
        ),
        (Reply::Result(json!({ "slot": 1 })), false),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let node = solana_node(move |method, params| match method {
            "getSignaturesForAddress" if params[0] == CAROL => Some(Reply::Result(
                json!([{ "signature": signature(1), "slot": 7, "err": null }]),
            )),
            "getSignaturesForAddress" => Some(Reply::Result(json!([]))),
            "getTransaction" => reply.lock().expect("no panic under it").take(),
            _ => None,
        });
        let chain = chain_of(DEVNET, &[&node.url()], "");
        let seen = chain
            .incoming(&solana_watched(), &Cursors::new())
            .await
            .expect("the rest");
        let read = seen.cursors.get(CAROL) == Some(&signature(1));
        assert_eq!((read, seen.gap), (passes, passes), "{seen:?}");
        assert!(seen.found.is_empty());
    }
}

#[tokio::test]
async fn a_false_history_is_none() {
    let other = signature(2);
    for listed in [
        json!([{ "signature": "x", "slot": 1, "err": null }]),
        json!([{ "signature": DAVE, "slot": 1, "err": null }]),
        json!({ "signature": other, "slot": 1 }),
        json!(vec![
            json!({ "signature": other, "slot": 1, "err": null });
            51
        ]),
    ] {
        let reply = listed.clone();
        let node = solana_node(move |method, _| {
            (method == "getSignaturesForAddress").then(|| Reply::Result(reply.clone()))
        });
        let chain = chain_of(DEVNET, &[&node.url()], "");
        let seen = chain.incoming(&solana_watched(), &Cursors::new()).await;
        assert_eq!(seen, Err(ChainError::Rpc(RpcError::Malformed)), "{listed}");
    }
}

/// A wallet that holds more than an answer may is asked about one mint; accounts of others are not counted.
#[tokio::test]
async fn one_mint_is_told_of_whatever_else_lies_in_the_wallet() {
    use base64::Engine as _;
    let content = |mint: SolanaAddress, owner: SolanaAddress, amount: u64| {
        let mut bytes = [mint.as_bytes(), owner.as_bytes(), &amount.to_le_bytes()[..]].concat();
        bytes.resize(165, 0);
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let stranger = SolanaAddress::from_bytes([8; 32]);
    let program = TokenProgram::Token.id();
    for (mint_of, owner, by, amount) in [
        (mint().mint, carol(), program, 42),
        (stranger, carol(), program, 0),
        (mint().mint, stranger, program, 0),
        (mint().mint, carol(), stranger, 0),
    ] {
        let data = content(mint_of, owner, 42);
        let node = solana_node(move |method, _| match method {
            "getTokenAccountsByOwner" => Some(Reply::Body(200, vec![b' '; 3 * 1024 * 1024])),
            "getMultipleAccounts" => Some(Reply::Result(json!({
                "context": { "slot": 7 },
                "value": [{ "owner": by.to_string(), "data": [data, "base64"] }, null],
            }))),
            _ => None,
        });
        let chain = chain_of(DEVNET, &[&node.url()], "");
        let all = chain.token_balances(account(CAROL)).await;
        assert_eq!(all, Err(ChainError::Rpc(RpcError::TooLarge)));
        let asset = solana_watched()[0].tokens[0].0;
        let held = chain.token_balance(account(CAROL), asset).await;
        assert_eq!(held, Ok(coins(amount)));
    }
}
