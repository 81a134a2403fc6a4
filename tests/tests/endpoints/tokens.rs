//! Payments in tokens while the only node dies or lies: the same promises as of the coin, and what a node says of a
//! token's decimals moves nothing.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::proxy::{Proxy, Turn};
use xtask::chains::{Anvil, Surfnet};

use crate::alone;
use crate::cases::{Case, case, only};
use crate::stage::{Chain, Stage, is};

/// `decimals()`.
const DECIMALS: &str = "0x313ce567";

/// Fails at each of these methods, before and after it is passed on.
fn at_each(methods: &[&'static str]) -> Vec<Case> {
    let each = methods.iter().flat_map(|method| {
        [
            case(
                &format!("dies after {method}"),
                only(method, Turn::DieAfter),
            ),
            case(&format!("refuses {method}"), only(method, Turn::Refuse)),
        ]
    });
    each.collect()
}

fn set_up(chain: Chain) -> Result<(Stage, Proxy)> {
    let proxy = Proxy::start(chain.url())?;
    let rpc = format!("\"{}\"", proxy.url());
    Ok((Stage::set_up_paying(chain, &rpc, "", true)?, proxy))
}

/// What the gateway shows of the token.
fn shown(stage: &Stage) -> Result<Value> {
    let held = stage.get(&format!("/v1/wallets/{}/balances", stage.wallet().0))?;
    let asset = stage.token.as_ref().map(|token| json!(token.asset));
    let balances = held.get("balances").and_then(Value::as_array);
    let mut balances = balances.into_iter().flatten();
    let held_token = balances.find(|balance| balance.get("asset") == asset.as_ref());
    Ok(held_token.with_context(|| held.to_string())?.clone())
}

/// Six places whatever a node says: one and a half of the token is 1,500,000 units.
fn one_and_a_half(stage: &mut Stage) -> Result<()> {
    let before = stage.holds(stage.shop)?;
    let said = stage.pay_in_units("1.5", 1_500_000)?;
    ensure!(is(&said, "CONFIRMED"), "{said}\n{}", stage.log());
    ensure!(stage.holds(stage.shop)? - before == 1_500_000, "{said}");
    // Nobody had any of the token before.
    stage.arrived_once(0)
}

#[test]
fn the_only_evm_node_fails_or_lies_and_tokens_are_paid_once() -> Result<()> {
    let (mut stage, proxy) = set_up(Chain::Evm(Anvil::start()?))?;
    let mut cases = at_each(&[
        "eth_call",
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
    ]);
    let word = |digits: &str| json!(format!("0x{digits:0>64}"));
    cases.extend([
        case(
            "says that there are no tokens",
            only("eth_call", Turn::Say(word("0"))),
        ),
        case(
            "says that there is no contract",
            only("eth_call", Turn::Say(json!("0x"))),
        ),
        case(
            "keeps what it is sent, and knows of it",
            only("eth_getTransactionReceipt", Turn::Say(Value::Null)),
        ),
    ]);
    alone(&mut stage, &proxy, cases)?;
    // Eighteen places, says the node.
    let eighteen = word("12");
    proxy.play(move |method, params| {
        let data = params.pointer("/0/data").or(params.pointer("/0/input"));
        let data = data.and_then(Value::as_str);
        if method == "eth_call" && data.is_some_and(|data| data.starts_with(DECIMALS)) {
            return Turn::Say(eighteen.clone());
        }
        Turn::Pass
    });
    let held = shown(&stage)?;
    ensure!(
        held.pointer("/chain_says/decimals") == Some(&json!(18)),
        "{held}"
    );
    ensure!(held.get("decimals") == Some(&json!(6)), "{held}");
    ensure!(proxy.spoilt() > 0, "it was not played");
    one_and_a_half(&mut stage)
}

#[test]
fn the_only_solana_node_fails_or_lies_and_tokens_are_paid_once() -> Result<()> {
    let (mut stage, proxy) = set_up(Chain::Solana(Surfnet::start(400)?))?;
    let mut cases = at_each(&[
        "simulateTransaction",
        "sendTransaction",
        "getSignatureStatuses",
    ]);
    cases.push(case(
        "knows of no status",
        only("getSignatureStatuses", Turn::Forge("/value/0", Value::Null)),
    ));
    alone(&mut stage, &proxy, cases)?;
    let places = "/value/0/account/data/parsed/info/tokenAmount/decimals";
    proxy.play(only(
        "getTokenAccountsByOwner",
        Turn::Forge(places, json!(9)),
    ));
    let held = shown(&stage)?;
    ensure!(held.get("decimals") == Some(&json!(6)), "{held}");
    ensure!(proxy.spoilt() > 0, "it was not played");
    one_and_a_half(&mut stage)
}
