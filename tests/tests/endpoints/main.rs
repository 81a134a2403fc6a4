//! A node that dies mid-flight, lies or answers slowly never loses or doubles a payment: a scripted proxy
//! in front of real local chains, alone and beside a node that does well. To the unit.

mod cases;
mod holdings;
mod shown;
mod sockets;
mod stage;
mod tokens;
mod variants;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::proxy::{Proxy, Turn};
use xtask::chains::{Anvil, Surfnet};

use cases::{
    Case, EVM_METHODS, SOLANA_METHODS, case, evm_fees, evm_lies, failures, only, solana_fees,
    solana_lies,
};
use stage::{Chain, PATIENCE, Stage, is, is_open, name};

/// More than a gateway has with many answers under way, less than it would have with one that never ends.
const GATEWAY_PEAK_KIB: u64 = 128 * 1024;

/// Whatever the first node does, the two others keep the service going: every payment is confirmed while
/// the agent waits, once.
fn beside_good_nodes(chain: Chain, cases: Vec<Case>, first: Option<Case>) -> Result<()> {
    let proxy = Proxy::start(chain.url())?;
    // What a node is asked once, it is asked as soon as the gateway looks at its chain.
    let first = first.map(|(case, script)| {
        proxy.play(script);
        (case, None)
    });
    // No node alone makes a success: two of them tell of it. One does nothing but pass on.
    let third = Proxy::start(chain.url())?;
    let nodes = [proxy.url(), chain.url().to_owned(), third.url()];
    let mut stage = Stage::set_up(chain, &format!("{nodes:?}"))?;
    let shop_before = stage.holds(stage.shop)?;
    let cases = cases.into_iter().map(|(case, script)| (case, Some(script)));
    for (case, script) in first.into_iter().chain(cases) {
        if let Some(script) = script {
            stage.first_is_back().with_context(|| case.clone())?;
            // What was fetched for the payment before is not used again.
            std::thread::sleep(Duration::from_millis(1100));
            proxy.play(script);
        }
        for _ in 0..2 {
            let payment = stage.next();
            let started = Instant::now();
            let answer = stage.ask(&payment, 40)?;
            let (status, said) = (answer.status, answer.json()?);
            ensure!(
                status == 201 && is(&said, "CONFIRMED"),
                "{case}: {status} {said}\n{}",
                stage.log()
            );
            ensure!(started.elapsed() < PATIENCE / 2, "{case}: {said}");
        }
        ensure!(proxy.spoilt() > 0, "{case}: it was not played");
        stage.arrived_once(shop_before).context(case)?;
        proxy.heal();
    }
    Ok(())
}

/// Where there is no other node, each payment is refused before it is signed, and made by the same
/// request later; or it is signed, and confirmed as soon as the node is itself again.
fn with_no_other_node(chain: Chain, cases: Vec<Case>) -> Result<()> {
    let proxy = Proxy::start(chain.url())?;
    let mut stage = Stage::set_up(chain, &format!("\"{}\"", proxy.url()))?;
    alone(&mut stage, &proxy, cases)
}

/// The same on a stage that is set up, on this one node.
fn alone(stage: &mut Stage, proxy: &Proxy, cases: Vec<Case>) -> Result<()> {
    let shop_before = stage.holds(stage.shop)?;
    let (mut refused, mut signed) = (0, 0);
    for (case, script) in cases {
        stage.first_is_back().with_context(|| case.clone())?;
        std::thread::sleep(Duration::from_millis(1100));
        proxy.play(script);
        let payment = stage.next();
        let before = stage.holds(stage.shop)?;
        let answer = stage.ask(&payment, 0)?;
        // The node goes on like that while the payment is under way.
        std::thread::sleep(Duration::from_millis(1500));
        let mut said = answer.json()?;
        if answer.status == 201 {
            signed += 1;
            let shown = stage.shown(name(&said)?)?;
            ensure!(
                is_open(&shown) || is(&shown, "CONFIRMED"),
                "{case}: {shown}\n{}",
                stage.log()
            );
            proxy.heal();
        } else {
            refused += 1;
            // The owner's ceiling stands whatever a node says of fees; all else is the node's.
            let dear = answer.status == 403 && said.get("code") == Some(&json!("fee_ceiling"));
            ensure!(
                dear || answer.status >= 422,
                "{case}: {} {said}",
                answer.status
            );
            ensure!(stage.holds(stage.shop)? == before, "{case}: {said}");
            proxy.heal();
            let deadline = Instant::now() + PATIENCE;
            said = loop {
                let answer = stage.ask(&payment, 0)?;
                if answer.status == 201 {
                    break answer.json()?;
                }
                ensure!(Instant::now() < deadline, "{case}: {}", answer.json()?);
                std::thread::sleep(Duration::from_millis(200));
            };
        }
        stage
            .confirmed(name(&said)?)
            .with_context(|| case.clone())?;
        stage.arrived_once(shop_before).context(case)?;
    }
    ensure!(refused > 0 && signed > 0, "{refused} and {signed}");
    // No answer was taken in that is longer than an answer may be.
    let peak = stage.gateway_peak()?;
    ensure!(peak < GATEWAY_PEAK_KIB, "{peak} KiB");
    Ok(())
}

/// A node that forges a failure beside one that saw the success: neither is believed while they
/// contradict each other, and the payment is never said to have failed.
fn a_forged_failure(chain: Chain, script: Case) -> Result<()> {
    let proxy = Proxy::start(chain.url())?;
    let rpc = format!("[\"{}\", \"{}\"]", proxy.url(), chain.url());
    let mut stage = Stage::set_up(chain, &rpc)?;
    let shop_before = stage.holds(stage.shop)?;
    proxy.play(script.1);
    let payments: Vec<Value> = (0..3)
        .map(|_| {
            let payment = stage.next();
            stage.ask(&payment, 3)?.json()
        })
        .collect::<Result<_>>()?;
    stage.arrived_once(shop_before)?;
    ensure!(proxy.spoilt() > 0, "it was not played");
    for payment in &payments {
        let shown = stage.shown(name(payment)?)?;
        ensure!(is_open(&shown), "{}: {shown}", script.0);
    }
    ensure!(stage.log().contains("contradict"), "{}", stage.log());
    // Whoever asks about one reads it, and the operator reads which nodes.
    let deadline = Instant::now() + PATIENCE;
    for payment in &payments {
        while stage.shown(name(payment)?)?.get("attention") != Some(&json!("nodes_contradict")) {
            ensure!(Instant::now() < deadline, "{}", stage.log());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let state = stage.chain_state()?;
    ensure!(
        state.get("attention") == Some(&json!("nodes_contradict")),
        "{state}"
    );
    for node in ["/endpoints/0/contradicts", "/endpoints/1/contradicts"] {
        let count = state.pointer(node).and_then(Value::as_u64);
        ensure!(count == Some(3), "{state}");
    }
    proxy.heal();
    for payment in &payments {
        stage.confirmed(name(payment)?)?;
        let shown = stage.shown(name(payment)?)?;
        ensure!(shown.get("attention").is_none(), "{shown}");
    }
    let state = stage.chain_state()?;
    ensure!(state.get("attention").is_none(), "{state}");
    stage.arrived_once(shop_before)
}

/// Of two nodes one that is away holds a payment up for a while and no longer: the other one's word counts then.
#[test]
fn one_evm_node_of_two_is_believed_after_a_while() -> Result<()> {
    let chain = Chain::Evm(Anvil::start()?);
    let proxy = Proxy::start(chain.url())?;
    let nodes = [proxy.url(), chain.url().to_owned()];
    let mut stage = Stage::set_up(chain, &format!("{nodes:?}"))?;
    let shop_before = stage.holds(stage.shop)?;
    proxy.play(|_, _| Turn::Refuse);
    let (payment, began) = (stage.next(), Instant::now());
    let said = stage.ask(&payment, 50)?.json()?;
    ensure!(is(&said, "CONFIRMED"), "{said}\n{}", stage.log());
    ensure!(
        began.elapsed() > PATIENCE / 6,
        "{:?}: {said}",
        began.elapsed()
    );
    ensure!(proxy.spoilt() > 0, "it was not played");
    stage.arrived_once(shop_before)
}

/// Nor is a success believed that another node, which has come as far, knows nothing of.
#[test]
fn a_hidden_success_is_not_believed_on_an_evm_chain() -> Result<()> {
    let hides = case("knows of no receipt", |asked, _| match asked {
        "eth_getTransactionReceipt" | "eth_getTransactionByHash" => Turn::Say(Value::Null),
        _ => Turn::Pass,
    });
    a_forged_failure(Chain::Evm(Anvil::start()?), hides)
}

#[test]
fn an_evm_node_that_fails_or_lies_beside_good_ones_interrupts_nothing() -> Result<()> {
    let other_chain = case(
        "serves another chain",
        only("eth_chainId", Turn::Say(json!("0x1"))),
    );
    let mut cases = failures(&EVM_METHODS);
    cases.extend(evm_lies());
    let reverts = Turn::Error(3, "execution reverted");
    cases.push(case("says it would fail", only("eth_estimateGas", reverts)));
    beside_good_nodes(Chain::Evm(Anvil::start()?), cases, Some(other_chain))
}

#[test]
fn a_solana_node_that_fails_or_lies_beside_good_ones_interrupts_nothing() -> Result<()> {
    let mut cases = failures(&SOLANA_METHODS);
    cases.extend(solana_lies());
    beside_good_nodes(Chain::Solana(Surfnet::start(400)?), cases, None)
}

#[test]
fn the_only_evm_node_fails_or_lies_and_no_payment_is_lost_or_doubled() -> Result<()> {
    let mut cases = failures(&EVM_METHODS);
    cases.extend(evm_lies());
    cases.extend(evm_fees());
    with_no_other_node(Chain::Evm(Anvil::start()?), cases)
}

#[test]
fn the_only_solana_node_fails_or_lies_and_no_payment_is_lost_or_doubled() -> Result<()> {
    let mut cases = failures(&SOLANA_METHODS);
    cases.extend(solana_lies());
    cases.extend(solana_fees());
    with_no_other_node(Chain::Solana(Surfnet::start(400)?), cases)
}

#[test]
fn a_forged_failure_is_not_believed_on_an_evm_chain() -> Result<()> {
    let forged = only(
        "eth_getTransactionReceipt",
        Turn::Forge("/status", json!("0x0")),
    );
    let forged = case("forges a failure", forged);
    a_forged_failure(Chain::Evm(Anvil::start()?), forged)
}

#[test]
fn a_forged_failure_is_not_believed_on_solana() -> Result<()> {
    let error = json!({ "InstructionError": [0, "InvalidAccountData"] });
    let forged = only("getSignatureStatuses", Turn::Forge("/value/0/err", error));
    let forged = case("forges a failure", forged);
    a_forged_failure(Chain::Solana(Surfnet::start(400)?), forged)
}
