//! A wallet with an agent on a real chain that is reached through given nodes, and what was paid from it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::agent::{Agent, Transfer};
use xtask::chains::{Anvil, Surfnet};
use xtask::home::{Home, Running};
use xtask::http::{Connection, Request, Response};
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const SOLANA: &str = "solana:localnet";
const EVM_SHOP: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA_SHOP: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Enough for a new account on Solana to be kept.
const AMOUNT: u128 = 1_000_000;
/// Longer than a node rests after failures, and than a payment takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) enum Chain {
    Evm(Anvil),
    Solana(Surfnet),
}

impl Chain {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Evm(chain) => chain.url(),
            Self::Solana(chain) => chain.url(),
        }
    }

    pub(crate) fn balance(&self, address: &str) -> Result<u128> {
        match self {
            Self::Evm(chain) => chain.balance(address),
            Self::Solana(chain) => Ok(chain.balance(address)?.into()),
        }
    }
}

/// A wallet with an agent on a chain that is reached through these nodes.
pub(crate) struct Stage {
    pub(crate) chain: Chain,
    home: Home,
    _running: Running,
    agent: Agent,
    wallet: (String, String),
    network: &'static str,
    pub(crate) shop: &'static str,
    paid: u128,
    payments: u128,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `rpc` is the value of the configuration's key.
    pub(crate) fn set_up(chain: Chain, rpc: &str) -> Result<Self> {
        Self::set_up_with(chain, rpc, "")
    }

    /// The same with further lines of the chain's configuration.
    pub(crate) fn set_up_with(chain: Chain, rpc: &str, lines: &str) -> Result<Self> {
        let (network, shop, family, coin, more) = match chain {
            Chain::Evm(_) => (EVM, EVM_SHOP, "evm", ("ETH", 18, 60), "confirmations = 1\n"),
            Chain::Solana(_) => (SOLANA, SOLANA_SHOP, "solana", ("SOL", 9, 501), ""),
        };
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let home = Home::create(&product, &folder.path().join("home"), &[])?;
        home.set_chains(&[])?;
        let path = home.folder().join("gateway.toml");
        let mut config = std::fs::read_to_string(&path)?;
        let pace = if lines.contains("poll-interval-ms") {
            ""
        } else {
            "poll-interval-ms = 100\n"
        };
        config.push_str(&format!(
            "\n[[chain]]\nid = \"{network}\"\nrpc = {rpc}\nrequest-timeout-ms = 700\n\
             {pace}{more}{lines}"
        ));
        std::fs::write(path, config)?;
        let running = home.start_unlocked()?;
        let owner = home.owner(&[&format!("{network}:{shop}")])?;
        let wallet = home.wallet(family, network)?;
        let (symbol, decimals, number) = coin;
        let asset = format!("{network}/slip44:{number}");
        let outstanding = match chain {
            Chain::Evm(_) => "outstanding = \"10\"\n",
            Chain::Solana(_) => "",
        };
        home.adopt(
            &format!(
                "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{asset}\"\nsymbol = \"{symbol}\"\n\
                 decimals = {decimals}\nper-transaction = \"1\"\nhour = \"3\"\nday = \"3\"\nweek = \"3\"\n\
                 month = \"3\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\
                 {outstanding}\n[[recipient]]\nname = \"shop\"\naccount = \"{network}:{shop}\"\n"
            ),
            &owner,
        )?;
        let agent = home.agent(&owner, &[&wallet.0], &[&format!("{asset}=1/10")], false)?;
        match &chain {
            Chain::Evm(chain) => chain.fund(&wallet.1, 100_000_000_000_000_000_000)?,
            Chain::Solana(chain) => chain.fund(&wallet.1, 100_000_000_000)?,
        }
        Ok(Self {
            chain,
            home,
            _running: running,
            agent,
            wallet,
            network,
            shop,
            paid: 0,
            payments: 0,
            _folder: folder,
        })
    }

    /// The next payment, different from all others, and its key.
    pub(crate) fn next(&mut self) -> (Transfer, String) {
        let amount = AMOUNT + self.payments;
        self.payments += 1;
        self.paid += amount;
        let transfer = Transfer {
            wallet: self.wallet.0.clone(),
            network: self.network.to_owned(),
            to: self.shop.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        };
        (transfer, format!("payment-{}", self.payments))
    }

    pub(crate) fn ask(&self, payment: &(Transfer, String), wait: u32) -> Result<Response> {
        let (transfer, key) = payment;
        self.agent.send(&self.agent.transfer(transfer, key, wait)?)
    }

    pub(crate) fn shown(&self, payment: &str) -> Result<Value> {
        let target = format!("/v1/transactions/{payment}");
        self.agent.send(&self.agent.get(&target))?.json()
    }

    /// Waits until a payment has ended, and well.
    pub(crate) fn confirmed(&self, payment: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown(payment)?;
            if is(&shown, "CONFIRMED") {
                return Ok(());
            }
            ensure!(is_open(&shown), "{shown}\n{}", self.log());
            ensure!(Instant::now() < deadline, "{shown}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Pays at this speed.
    pub(crate) fn ask_at(&self, payment: &(Transfer, String), speed: &str) -> Result<Response> {
        let (transfer, key) = payment;
        let mut body = self.agent.transfer_body(transfer);
        let fields = body.as_object_mut().context("a body of fields")?;
        fields.insert("speed".to_owned(), speed.into());
        let request = self.agent.post("/v1/transactions?wait=40", key, &body)?;
        self.agent.send(&request)
    }

    /// What the gateway answers to this agent.
    pub(crate) fn get(&self, target: &str) -> Result<Value> {
        self.agent.send(&self.agent.get(target))?.json()
    }

    pub(crate) fn wallet(&self) -> (&str, &str) {
        (&self.wallet.0, &self.wallet.1)
    }

    pub(crate) const fn network(&self) -> &'static str {
        self.network
    }

    /// What the gateway says of the first network.
    pub(crate) fn chain_state(&self) -> Result<Value> {
        let ready = self.ready()?;
        let state = ready.pointer("/chains/0").cloned();
        state.with_context(|| ready.to_string())
    }

    fn ready(&self) -> Result<Value> {
        let request = Request {
            method: "GET",
            target: "/ready".to_owned(),
            headers: vec![],
            body: vec![],
        };
        Connection::open(&self.home.url())?.send(&request)?.json()
    }

    /// Whether the first node answers, by the gateway's own word.
    fn first_answers(&self) -> Result<bool> {
        let ready = self.ready()?;
        let reachable = ready.pointer("/chains/0/endpoints/0/reachable");
        let reachable = reachable.and_then(Value::as_bool);
        reachable.with_context(|| ready.to_string())
    }

    /// Waits until the first node is asked again.
    pub(crate) fn first_is_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.first_answers()? {
            ensure!(Instant::now() < deadline, "{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Everything that was asked for has arrived, and nothing else.
    pub(crate) fn arrived_once(&self, shop_before: u128) -> Result<()> {
        let arrived = self.chain.balance(self.shop)? - shop_before;
        ensure!(arrived == self.paid, "{arrived} of {}", self.paid);
        if let Chain::Evm(chain) = &self.chain {
            let nonce = chain.next_nonce(&self.wallet.1)?;
            ensure!(nonce == self.payments, "{nonce} nonces are used");
        }
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.home.folder().join("gateway.log"));
        log.unwrap_or_default()
    }
}

pub(crate) fn is(payment: &Value, status: &str) -> bool {
    payment.get("status").and_then(Value::as_str) == Some(status)
}

pub(crate) fn is_open(payment: &Value) -> bool {
    is(payment, "EXECUTING") || is(payment, "SUBMITTED")
}

pub(crate) fn name(payment: &Value) -> Result<&str> {
    let name = payment.get("transaction").and_then(Value::as_str);
    name.with_context(|| payment.to_string())
}
