//! Payments that are sped up and cancelled while the only node dies or lies: one transaction of a nonce lands, what left
//! the wallet is what that one did, and all of it is charged.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::text;
use waiaas_tests::proxy::{Proxy, Turn};
use xtask::chains::Anvil;

use crate::cases::only;
use crate::stage::{Chain, PATIENCE, Stage, is, name};

const SENDS: &str = "eth_sendRawTransaction";

fn turns() -> [(&'static str, Turn); 4] {
    let other = json!(format!("0x{}", "9".repeat(64)));
    [
        ("dies when it has it", Turn::DieAfter),
        ("never has it", Turn::Refuse),
        (
            "says that it is too late",
            Turn::Error(-32000, "nonce too low"),
        ),
        ("names another transaction", Turn::Say(other)),
    ]
}

fn anvil(stage: &Stage) -> Result<&Anvil> {
    match &stage.chain {
        Chain::Evm(anvil) => Ok(anvil),
        Chain::Solana(_) => anyhow::bail!("another chain"),
    }
}

/// Waits until the chain's pool holds a transaction.
fn pooled(stage: &Stage, payment: &Value) -> Result<()> {
    let hash = text(payment, "chain_transaction")?;
    let deadline = Instant::now() + PATIENCE;
    let rpc = anvil(stage)?.rpc();
    while rpc
        .call("eth_getTransactionByHash", json!([hash]))?
        .is_null()
    {
        ensure!(
            Instant::now() < deadline,
            "{hash} is not in the pool\n{}",
            stage.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn changed_while(stage: &mut Stage, proxy: &Proxy, what: &str, turn: Turn) -> Result<()> {
    stage.first_is_back()?;
    let asked = stage.next();
    let answer = stage.ask(&asked, 0)?;
    let payment = answer.json()?;
    ensure!(answer.status == 201, "{payment}");
    pooled(stage, &payment)?;
    proxy.play(only(SENDS, turn));
    let answer = stage.change(name(&payment)?, what)?;
    let said = answer.json()?;
    let by = if what == "cancel" {
        ensure!(answer.status == 202, "{said}");
        stage.cancelled(&asked)?;
        text(&said, "replaced_by")?.to_owned()
    } else {
        ensure!(answer.status == 201, "{said}");
        name(&said)?.to_owned()
    };
    let deadline = Instant::now() + PATIENCE;
    while proxy.spoilt() == 0 {
        ensure!(
            Instant::now() < deadline,
            "it was not played\n{}",
            stage.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    proxy.heal();
    // The same bytes go out until the node has them.
    pooled(stage, &stage.shown(&by)?)?;
    anvil(stage)?.rpc().call("anvil_mine", json!(["0x8"]))?;
    stage.confirmed(&by)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let old = stage.shown(name(&payment)?)?;
        if is(&old, "CANCELLED") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{old}\n{}", stage.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_only_evm_node_fails_or_lies_and_one_of_a_nonce_lands() -> Result<()> {
    let chain = Chain::Evm(Anvil::start_with(&["--no-mining"])?);
    let proxy = Proxy::start(chain.url())?;
    let mut stage = Stage::set_up(chain, &format!("\"{}\"", proxy.url()))?;
    let shop_before = stage.holds(stage.shop)?;
    for (case, turn) in turns() {
        for what in ["speed-up", "cancel"] {
            let told = || format!("{what}: {case}");
            changed_while(&mut stage, &proxy, what, turn.clone()).with_context(told)?;
            stage.arrived_once(shop_before).with_context(told)?;
        }
    }
    Ok(())
}
