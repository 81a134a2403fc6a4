//! What the gateway shows of a chain: fees at three speeds, and what came into a wallet. On real local chains, to the
//! unit, also while the node in front lies or fails.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::proxy::{Proxy, Turn};
use xtask::chains::{Anvil, Surfnet};

use crate::cases::only;
use crate::stage::{Chain, PATIENCE, Stage, is};

pub(crate) const WATCHED: &str = "incoming = \"all\"\nincoming-seconds = 1\n";
/// An account whose key anvil has.
const STRANGER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn number(value: &Value, pointer: &str) -> Result<u128> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    let number = text.and_then(|text| text.parse().ok());
    number.with_context(|| format!("{pointer} of {value}"))
}

/// The speeds cost what the gateway says, in order, and never more than the ceiling.
fn each_speed_is_paid(stage: &mut Stage) -> Result<()> {
    let shop_before = stage.chain.balance(stage.shop)?;
    let fees = stage.get(&format!("/v1/networks/{}/fees", stage.network()))?;
    let ceiling = number(&fees, "/ceiling_base")?;
    let mut told = 0;
    let mut before = 0;
    for speed in ["slow", "normal", "fast"] {
        let estimate = number(&fees, &format!("/{speed}/fee_max_base"))?;
        ensure!(told <= estimate && estimate <= ceiling, "{fees}");
        told = estimate;
        let payment = stage.next();
        let answer = stage.ask_at(&payment, speed)?;
        let paid = answer.json()?;
        ensure!(
            answer.status == 201 && is(&paid, "CONFIRMED"),
            "{speed}: {paid}\n{}",
            stage.log()
        );
        let most = number(&paid, "/fee_max_base")?;
        ensure!(stage.fee_is_true(&paid)? <= most, "{paid}");
        ensure!(most <= ceiling, "{paid}");
        // The base fee of an idle local chain only falls between two payments.
        if stage.network().starts_with("solana:") {
            ensure!(before <= most, "{paid}");
        }
        before = most;
    }
    stage.arrived_once(shop_before)
}

/// Waits until the history has so many transfers into the wallet, and gives them, newest first.
fn came_in(stage: &Stage, count: usize) -> Result<Vec<Value>> {
    let target = format!(
        "/v1/wallets/{}/history?network={}",
        stage.wallet().0,
        stage.network()
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        let history = stage.get(&target)?;
        let entries = history.get("entries").and_then(Value::as_array);
        let entries = entries.with_context(|| history.to_string())?;
        let came = entries
            .iter()
            .filter(|entry| entry.get("kind") == Some(&json!("incoming")));
        let came: Vec<Value> = came.cloned().collect();
        ensure!(came.len() <= count, "{history}");
        if came.len() == count {
            return Ok(came);
        }
        ensure!(Instant::now() < deadline, "{history}\n{}", stage.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn anvil(stage: &Stage) -> Result<&Anvil> {
    match &stage.chain {
        Chain::Evm(anvil) => Ok(anvil),
        Chain::Solana(_) => anyhow::bail!("another chain"),
    }
}

/// A transfer from somebody else; its name.
fn sends(stage: &Stage, wei: u128) -> Result<String> {
    let moved = json!({
        "from": STRANGER,
        "to": stage.wallet().1,
        "value": format!("{wei:#x}"),
    });
    let hash = anvil(stage)?
        .rpc()
        .call("eth_sendTransaction", json!([moved]))?;
    let hash = hash.as_str().map(str::to_owned);
    hash.context("a hash")
}

#[test]
fn fees_and_what_came_in_are_shown_on_an_evm_chain() -> Result<()> {
    let chain = Chain::Evm(Anvil::start()?);
    let proxy = Proxy::start(chain.url())?;
    let rpc = format!("\"{}\"", proxy.url());
    let mut stage = Stage::set_up_with(chain, &rpc, WATCHED)?;
    each_speed_is_paid(&mut stage)?;
    // Watched from now on: two looks have gone by.
    std::thread::sleep(Duration::from_secs(4));
    let first = sends(&stage, 123_456_789)?;
    let came = came_in(&stage, 1)?;
    ensure!(number(&came[0], "/amount_base")? == 123_456_789, "{came:?}");
    ensure!(
        came[0].get("chain_transaction") == Some(&json!(first)),
        "{came:?}"
    );
    ensure!(came[0].get("from") == Some(&json!(STRANGER)), "{came:?}");
    // A node that fails or lies hides nothing for longer than it does so, and invents nothing here.
    for turn in [
        Turn::Refuse,
        Turn::Garbage,
        Turn::Say(json!({ "number": "0x1", "transactions": [] })),
    ] {
        proxy.play(only("eth_getBlockByNumber", turn));
        sends(&stage, 5)?;
        let deadline = Instant::now() + PATIENCE;
        // After failures the gateway takes its time.
        while proxy.spoilt() == 0 {
            ensure!(Instant::now() < deadline, "it was not played");
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(Duration::from_secs(1));
        proxy.heal();
    }
    let came = came_in(&stage, 4)?;
    for entry in came.iter().take(3) {
        ensure!(number(entry, "/amount_base")? == 5, "{entry}");
    }
    Ok(())
}

#[test]
fn fees_and_what_came_in_are_shown_on_solana() -> Result<()> {
    let chain = Chain::Solana(Surfnet::start(400)?);
    let rpc = format!("\"{}\"", chain.url());
    let mut stage = Stage::set_up_with(chain, &rpc, WATCHED)?;
    // What funded the wallet came from somebody else.
    let came = came_in(&stage, 1)?;
    ensure!(
        number(&came[0], "/amount_base")? == 100_000_000_000,
        "{came:?}"
    );
    each_speed_is_paid(&mut stage)?;
    // What left the wallet has not come in.
    std::thread::sleep(Duration::from_secs(20));
    came_in(&stage, 1)?;
    Ok(())
}
