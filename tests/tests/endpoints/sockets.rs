//! Websockets of real local chains: a payment is seen when its chain tells of news, and a websocket that is dead or
//! silent holds nothing up. And waiting for a commitment.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::chains::{Anvil, Surfnet};

use super::stage::{Chain, PATIENCE, Stage, is, name};

/// Looked at so seldom that only a websocket makes a payment end sooner: a quarter of it is always waited for.
const SELDOM: Duration = Duration::from_secs(24);

/// Nobody listens there.
const DEAD: &str = "ws://127.0.0.1:9";

/// Whether each websocket is open, by the gateway's own word.
fn open(stage: &Stage) -> Result<Vec<bool>> {
    let state = stage.chain_state()?;
    let sockets = state.get("websockets").and_then(Value::as_array);
    let sockets = sockets.with_context(|| state.to_string())?;
    let open = sockets
        .iter()
        .map(|socket| socket.get("open") == Some(&json!(true)));
    Ok(open.collect())
}

fn until_open(stage: &Stage, expected: &[bool]) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while open(stage)? != expected {
        ensure!(
            Instant::now() < deadline,
            "{:?}\n{}",
            open(stage)?,
            stage.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Pays, and says how long it took until it was confirmed.
fn pay(stage: &mut Stage) -> Result<(Duration, Value)> {
    let payment = stage.next();
    let began = Instant::now();
    let said = stage.ask(&payment, 60)?.json()?;
    ensure!(is(&said, "CONFIRMED"), "{said}\n{}", stage.log());
    Ok((began.elapsed(), said))
}

fn woken(chain: Chain, socket: &str) -> Result<Stage> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let silent = format!("ws://{}", silent.local_addr()?);
    let rpc = format!("\"{}\"", chain.url());
    let lines = format!(
        "ws = [{DEAD:?}, {socket:?}, {silent:?}]\npoll-interval-ms = {}\n",
        SELDOM.as_millis()
    );
    let mut stage = Stage::set_up_with(chain, &rpc, &lines)?;
    let shop_before = stage.chain.balance(stage.shop)?;
    until_open(&stage, &[false, true, false])?;
    for _ in 0..2 {
        let (took, said) = pay(&mut stage)?;
        ensure!(took < SELDOM * 3 / 4, "{took:?}: {said}\n{}", stage.log());
    }
    stage.arrived_once(shop_before)?;
    until_open(&stage, &[false, true, false])?;
    Ok(stage)
}

#[test]
fn a_new_block_of_an_evm_chain_wakes() -> Result<()> {
    let chain = Anvil::start_with(&["--block-time", "1"])?;
    let socket = chain.ws_url().to_owned();
    woken(Chain::Evm(chain), &socket).map(drop)
}

#[test]
fn a_signature_on_solana_wakes() -> Result<()> {
    let chain = Surfnet::start(400)?;
    let socket = chain.ws_url().to_owned();
    woken(Chain::Solana(chain), &socket).map(drop)
}

/// What no websocket tells is seen by looking, as fast as without any.
#[test]
fn sockets_that_are_dead_or_silent_hold_nothing_up() -> Result<()> {
    let chain = Chain::Evm(Anvil::start()?);
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let rpc = format!("\"{}\"", chain.url());
    let lines = format!("ws = [{DEAD:?}, \"ws://{}\"]\n", silent.local_addr()?);
    let mut stage = Stage::set_up_with(chain, &rpc, &lines)?;
    let shop_before = stage.chain.balance(stage.shop)?;
    for _ in 0..3 {
        let (took, said) = pay(&mut stage)?;
        ensure!(
            took < Duration::from_secs(10),
            "{took:?}: {said}\n{}",
            stage.log()
        );
    }
    ensure!(open(&stage)? == [false, false]);
    stage.arrived_once(shop_before)
}

#[test]
fn a_commitment_is_waited_for() -> Result<()> {
    for (chain, words, other) in [
        (
            Chain::Evm(Anvil::start()?),
            ["latest", "safe", "finalized"].as_slice(),
            "confirmed",
        ),
        (
            Chain::Solana(Surfnet::start(400)?),
            &["confirmed", "finalized"],
            "safe",
        ),
    ] {
        let rpc = format!("\"{}\"", chain.url());
        let mut stage = Stage::set_up(chain, &rpc)?;
        let (_, said) = pay(&mut stage)?;
        let payment = format!("/v1/transactions/{}", name(&said)?);
        if let Chain::Evm(chain) = &stage.chain {
            // It is in the newest block, and a block is made when told: no deeper word is true yet.
            let not_yet = stage.get(&format!("{payment}?commitment=safe"))?;
            ensure!(is(&not_yet, "CONFIRMED"), "{not_yet}");
            ensure!(not_yet.get("commitment").is_none(), "{not_yet}");
            // Two epochs are behind the finalized block, one behind the safe one.
            chain.rpc().call("anvil_mine", json!(["0x60"]))?;
        }
        for word in words {
            let shown = stage.get(&format!("{payment}?wait=60&commitment={word}"))?;
            ensure!(
                shown.get("commitment") == Some(&json!(word)),
                "{word}: {shown}"
            );
            ensure!(is(&shown, "CONFIRMED"), "{shown}");
        }
        let refused = stage.get(&format!("{payment}?wait=60&commitment={other}"))?;
        ensure!(
            refused.get("code") == Some(&json!("commitment_unknown")),
            "{refused}"
        );
    }
    Ok(())
}
