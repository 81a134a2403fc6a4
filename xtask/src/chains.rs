//! Real local chains as child processes: Foundry's anvil for EVM, surfpool over LiteSVM for Solana.
//! Both listen on loopback on free ports, hold play money only and end with the handle that started them.
//! Used by the tour and by the process-level tests. They install nothing: `cargo xtask fetch-tools` does.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::Process;
use crate::rpc::Rpc;
use crate::tools;

/// Both start in under a second on an idle machine.
const READY: Duration = Duration::from_secs(60);
/// An airdrop confirms within two slots.
const CONFIRMED: Duration = Duration::from_secs(30);
/// A pool that still holds the next transaction back after this time will not let it go.
const STUCK: Duration = Duration::from_secs(2);
/// How often a waiting loop asks again.
const POLL: Duration = Duration::from_millis(20);

/// A local EVM chain with the Prague rules, mining a block for each transaction. Every start is a new chain.
#[derive(Debug)]
pub struct Anvil {
    rpc: Rpc,
    ws_url: String,
    _process: Process,
}

impl Anvil {
    /// The chain id every such chain has.
    pub const CHAIN_ID: u64 = 31337;

    /// Starts a chain.
    ///
    /// # Errors
    /// When anvil is not installed, does not start, or answers with another chain id.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a chain with further options of anvil, such as `["--block-time", "1"]` (seconds).
    ///
    /// # Errors
    /// As [`Anvil::start`].
    pub fn start_with(options: &[&str]) -> Result<Self> {
        let program = tools::anvil()?;
        once_more(|| Self::try_start(&program, options))
    }

    fn try_start(program: &Path, options: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["--host", "127.0.0.1", "--port", "0", "--hardfork", "prague"])
            .args(["--chain-id", &Self::CHAIN_ID.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = Process::spawn("anvil", &mut command)?;
        let address = process.ready(READY, |line| {
            line.strip_prefix("Listening on ").map(str::to_owned)
        })?;
        let rpc = Rpc::new(&format!("http://{address}"))?;
        let anvil = Self {
            rpc,
            ws_url: format!("ws://{address}"),
            _process: process,
        };
        let chain_id = quantity(&anvil.rpc.call("eth_chainId", json!([]))?)?;
        ensure!(
            chain_id == u128::from(Self::CHAIN_ID),
            "anvil says its chain id is {chain_id}"
        );
        Ok(anvil)
    }

    /// JSON-RPC over HTTP: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.rpc.url()
    }

    /// The same over websocket: `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    /// A client of this chain.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Sets the balance of `address` (0x and 40 hex digits) to `wei`.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn fund(&self, address: &str, wei: u128) -> Result<()> {
        self.rpc
            .call("anvil_setBalance", json!([address, format!("{wei:#x}")]))?;
        Ok(())
    }

    /// The next nonce of `address`, at the newest block.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn next_nonce(&self, address: &str) -> Result<u128> {
        quantity(
            &self
                .rpc
                .call("eth_getTransactionCount", json!([address, "latest"]))?,
        )
    }

    /// Empties the pool if it is stuck, and says whether it was.
    ///
    /// A transaction that arrives while a block with the one before it is made may be queued for ever: the pool
    /// looked up the nonce before that block, and was told of the block before it had the transaction. It refuses
    /// the same bytes a second time, and everything behind them waits (anvil 1.7; about once in 6,000 transactions
    /// that arrive together). No other node does so.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn unstick(&self, address: &str) -> Result<bool> {
        let held_back = || -> Result<Option<u128>> {
            let next = self.next_nonce(address)?;
            let pool = self.rpc.call("txpool_content", json!([]))?;
            let queued = pool.get("queued").and_then(Value::as_object);
            let mut senders = queued.into_iter().flatten();
            let nonces = senders
                .find(|(sender, _)| sender.eq_ignore_ascii_case(address))
                .and_then(|(_, nonces)| nonces.as_object());
            let held = nonces.is_some_and(|nonces| nonces.contains_key(&next.to_string()));
            Ok(held.then_some(next))
        };
        let Some(next) = held_back()? else {
            return Ok(false);
        };
        thread::sleep(STUCK);
        if held_back()? != Some(next) {
            return Ok(false);
        }
        self.rpc.call("anvil_dropAllTransactions", json!([]))?;
        Ok(true)
    }

    /// The balance of `address` in wei, at the newest block.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn balance(&self, address: &str) -> Result<u128> {
        quantity(
            &self
                .rpc
                .call("eth_getBalance", json!([address, "latest"]))?,
        )
    }
}

/// A local Solana chain. Every start is a new chain.
#[derive(Debug)]
pub struct Surfnet {
    rpc: Rpc,
    ready: ReadyLine,
    _process: Process,
}

/// What `tools/surfnet` prints once it serves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadyLine {
    rpc: String,
    ws: String,
    payer: String,
    secret: String,
}

impl Surfnet {
    /// Starts a chain with slots of `slot_ms` milliseconds. With 0 each transaction makes its own block at once
    /// and blockhashes never expire: quickest, but no use for tests of expiry.
    ///
    /// # Errors
    /// When surfnet is not built yet, does not start, or is not healthy.
    pub fn start(slot_ms: u64) -> Result<Self> {
        let program = tools::surfnet()?;
        once_more(|| Self::try_start(&program, slot_ms))
    }

    fn try_start(program: &Path, slot_ms: u64) -> Result<Self> {
        let mut command = Command::new(program);
        // It serves until its standard input closes.
        command
            .arg(slot_ms.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn("surfnet", &mut command)?;
        let ready: ReadyLine = process.ready(READY, |line| serde_json::from_str(line).ok())?;
        let surfnet = Self {
            rpc: Rpc::new(&ready.rpc)?,
            ready,
            _process: process,
        };
        let health = surfnet.rpc.call("getHealth", json!([]))?;
        ensure!(health == "ok", "surfnet says its health is {health}");
        Ok(surfnet)
    }

    /// JSON-RPC over HTTP: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.rpc.url()
    }

    /// Subscriptions, on a port of their own: `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn ws_url(&self) -> &str {
        &self.ready.ws
    }

    /// A client of this chain.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The address (base58) of an account that is rich from the start.
    #[must_use]
    pub fn payer(&self) -> &str {
        &self.ready.payer
    }

    /// The payer's 64-byte key pair (base58): a throw-away key of a throw-away chain.
    #[must_use]
    pub fn payer_secret(&self) -> &str {
        &self.ready.secret
    }

    /// The genesis hash (base58), which names the chain. It comes from the second of the start: a later start has
    /// another one, two chains started together may share it.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn genesis_hash(&self) -> Result<String> {
        text(&self.rpc.call("getGenesisHash", json!([]))?)
    }

    /// Gives `lamports` to `address` (base58) and waits until the chain has confirmed it.
    ///
    /// # Errors
    /// When the chain refuses, does not answer or does not confirm.
    pub fn fund(&self, address: &str, lamports: u64) -> Result<()> {
        let signature = text(
            &self
                .rpc
                .call("requestAirdrop", json!([address, lamports]))?,
        )?;
        let deadline = Instant::now() + CONFIRMED;
        while Instant::now() < deadline {
            let statuses = self
                .rpc
                .call("getSignatureStatuses", json!([[&signature]]))?;
            let status = statuses.pointer("/value/0").unwrap_or(&Value::Null);
            if let Some(error) = status.get("err").filter(|error| !error.is_null()) {
                bail!("the airdrop to {address} failed: {error}");
            }
            match status.get("confirmationStatus").and_then(Value::as_str) {
                Some("confirmed" | "finalized") => return Ok(()),
                _ => thread::sleep(POLL),
            }
        }
        bail!("the airdrop to {address} was not confirmed in {CONFIRMED:?}")
    }

    /// The balance of `address` in lamports, at commitment `confirmed`; 0 for an account that does not exist.
    ///
    /// # Errors
    /// When the chain refuses or does not answer.
    pub fn balance(&self, address: &str) -> Result<u64> {
        let answer = self.rpc.call(
            "getBalance",
            json!([address, { "commitment": "confirmed" }]),
        )?;
        answer
            .pointer("/value")
            .and_then(Value::as_u64)
            .context("getBalance: no number")
    }
}

/// Both chains pick a free port and then bind it, so a neighbour may take it in between.
fn once_more<T>(start: impl Fn() -> Result<T>) -> Result<T> {
    start()
        .or_else(|first| start().with_context(|| format!("tried twice; the first time: {first:#}")))
}

/// Ethereum JSON-RPC's "quantity": 0x and hexadecimal digits.
fn quantity(value: &Value) -> Result<u128> {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("0x"))
        .and_then(|digits| u128::from_str_radix(digits, 16).ok())
        .with_context(|| format!("{value} is no quantity"))
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("{value} is no text"))?
        .to_owned())
}
