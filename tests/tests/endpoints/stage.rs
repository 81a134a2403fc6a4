//! A wallet with an agent on a real chain that is reached through given nodes, and what was paid from it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::{self, Books, Reading, base, charged, text};
use waiaas_tests::foreign;
use waiaas_tests::token::TestToken;
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::{Anvil, Surfnet};
use xtask::home::{Home, Running};
use xtask::http::{Connection, Request, Response};
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const SOLANA: &str = "solana:localnet";
const EVM_SHOP: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA_SHOP: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// What a wallet begins with, of the coin and of the token.
const EVM_BEGINS: u128 = 100_000_000_000_000_000_000;
const SOLANA_BEGINS: u64 = 100_000_000_000;
const TOKENS: u128 = 1_000_000_000;
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

    fn books(&self) -> &dyn books::Chain {
        match self {
            Self::Evm(chain) => chain,
            Self::Solana(chain) => chain,
        }
    }

    /// What a transaction cost on the chain itself; nothing if it is not there.
    pub(crate) fn took(&self, transaction: &str) -> Result<Option<u128>> {
        let record = match self {
            Self::Evm(chain) => chain
                .rpc()
                .call("eth_getTransactionReceipt", json!([transaction]))?,
            Self::Solana(chain) => books::written(chain, transaction)?,
        };
        if record.is_null() {
            return Ok(None);
        }
        self.books().took(transaction).map(Some)
    }

    /// A token with six decimals, so many units of it in the wallet; its name on the chain.
    fn make_token(&self, wallet: &str, shop: &str) -> Result<String> {
        match self {
            Self::Evm(chain) => {
                let token = TestToken::deploy(chain)?;
                token.mint(wallet, TOKENS)?;
                Ok(token.address.to_string())
            }
            Self::Solana(chain) => {
                let amount = TOKENS.to_string();
                let arguments = [chain.url(), chain.payer_secret(), wallet, &amount, shop];
                let made: Value = serde_json::from_str(&foreign::python("tokens.py", &arguments)?)?;
                Ok(text(&made, "token")?.to_owned())
            }
        }
    }

    fn tokens(&self, owner: &str, token: &str) -> Result<u128> {
        match self {
            Self::Evm(chain) => TestToken::at(chain, token.parse()?).balance(owner),
            Self::Solana(chain) => books::tokens(chain, owner, token),
        }
    }
}

/// What is paid in place of the coin.
pub(crate) struct Token {
    /// CAIP-19.
    pub(crate) asset: String,
    /// The contract or mint.
    name: String,
}

/// A wallet with an agent on a chain that is reached through these nodes.
pub(crate) struct Stage {
    pub(crate) chain: Chain,
    home: Home,
    running: Running,
    agent: Agent,
    wallet: (String, String),
    network: &'static str,
    coin: String,
    pub(crate) token: Option<Token>,
    pub(crate) shop: &'static str,
    began: Reading,
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
        Self::set_up_paying(chain, rpc, lines, false)
    }

    /// The same where a token is paid in place of the coin.
    pub(crate) fn set_up_paying(
        chain: Chain,
        rpc: &str,
        lines: &str,
        in_token: bool,
    ) -> Result<Self> {
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
        let outstanding = |most: &str| match chain {
            Chain::Evm(_) => format!("outstanding = \"{most}\"\n"),
            Chain::Solana(_) => String::new(),
        };
        let token = if in_token {
            let name = chain.make_token(&wallet.1, shop)?;
            let kind = if family == "evm" { "erc20" } else { "token" };
            let asset = format!("{network}/{kind}:{name}");
            Some(Token { asset, name })
        } else {
            None
        };
        let listed = token.as_ref().map(|token| {
            format!(
                "[[asset]]\nid = \"{}\"\nsymbol = \"USDX\"\ndecimals = 6\nper-transaction = \"50\"\n\
                 hour = \"900\"\nday = \"900\"\nweek = \"900\"\nmonth = \"900\"\ninstant-up-to = \"50\"\n\
                 notify-up-to = \"50\"\n{}\n",
                token.asset,
                outstanding("1000")
            )
        });
        let listed = listed.unwrap_or_default();
        let outstanding = outstanding("10");
        home.adopt(
            &format!(
                "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{asset}\"\nsymbol = \"{symbol}\"\n\
                 decimals = {decimals}\nper-transaction = \"1\"\nhour = \"3\"\nday = \"3\"\nweek = \"3\"\n\
                 month = \"3\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\
                 {outstanding}\n{listed}[[recipient]]\nname = \"shop\"\naccount = \"{network}:{shop}\"\n"
            ),
            &owner,
        )?;
        let mut limits = vec![format!("{asset}=1/10")];
        limits.extend(token.iter().map(|token| format!("{}=50/1000", token.asset)));
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let agent = home.agent(&owner, &[&wallet.0], &limits, false)?;
        match &chain {
            Chain::Evm(chain) => chain.fund(&wallet.1, EVM_BEGINS)?,
            Chain::Solana(chain) => chain.fund(&wallet.1, SOLANA_BEGINS)?,
        }
        let books = Books {
            chain: chain.books(),
            agent: &agent,
            wallet: &wallet.1,
            coin: &asset,
        };
        let began = books.read()?;
        Ok(Self {
            chain,
            home,
            running,
            agent,
            wallet,
            network,
            coin: asset,
            token,
            shop,
            began,
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
        let query = match wait {
            0 => String::new(),
            seconds => format!("?wait={seconds}"),
        };
        self.post(payment, &query, [])
    }

    /// Asks for a payment, with further fields.
    pub(crate) fn post<const N: usize>(
        &self,
        (transfer, key): &(Transfer, String),
        query: &str,
        more: [(&str, Value); N],
    ) -> Result<Response> {
        let mut body = foreign::with(&self.agent.transfer_body(transfer), more);
        if let Some(token) = &self.token {
            body = foreign::with(&body, [("asset", json!(token.asset))]);
        }
        let target = format!("/v1/transactions{query}");
        self.agent.send(&self.agent.post(&target, key, &body)?)
    }

    /// Pays so much in the asset's unit, which is so many base units.
    pub(crate) fn pay_in_units(&mut self, amount: &str, base_units: u128) -> Result<Value> {
        let (transfer, key) = self.next();
        self.paid = self.paid + base_units - transfer.amount_base.parse::<u128>()?;
        let mut body = self.agent.transfer_body(&transfer);
        let fields = body.as_object_mut().context("a body of fields")?;
        fields.remove("amount_base");
        fields.insert("amount".to_owned(), json!(amount));
        if let Some(token) = &self.token {
            fields.insert("asset".to_owned(), json!(token.asset));
        }
        let request = self.agent.post("/v1/transactions?wait=40", &key, &body)?;
        self.agent.send(&request)?.json()
    }

    /// Has a payment sped up or cancelled.
    pub(crate) fn change(&self, payment: &str, what: &str) -> Result<Response> {
        let target = format!("/v1/transactions/{payment}/{what}");
        let request = self.agent.post(&target, &fresh()?, &json!({}))?;
        self.agent.send(&request)
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
        self.post(payment, "?wait=40", [("speed", speed.into())])
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

    /// What an address holds of what is paid.
    pub(crate) fn holds(&self, address: &str) -> Result<u128> {
        match &self.token {
            None => self.chain.balance(address),
            Some(token) => self.chain.tokens(address, &token.name),
        }
    }

    /// A payment that was asked for was cancelled: nothing of it leaves but a fee.
    pub(crate) fn cancelled(&mut self, payment: &(Transfer, String)) -> Result<()> {
        self.paid -= payment.0.amount_base.parse::<u128>()?;
        Ok(())
    }

    /// Everything that was asked for has arrived, and nothing else; what left the wallet is that and the fees that the
    /// chain wrote down; and all of it was charged.
    pub(crate) fn arrived_once(&self, shop_before: u128) -> Result<()> {
        let arrived = self.holds(self.shop)? - shop_before;
        ensure!(arrived == self.paid, "{arrived} of {}", self.paid);
        if let Chain::Evm(chain) = &self.chain {
            let nonce = chain.next_nonce(&self.wallet.1)?;
            ensure!(nonce == self.payments, "{nonce} nonces are used");
        }
        let (landed, fees) = self.landed()?;
        ensure!(
            landed == self.payments,
            "{landed} of {} landed",
            self.payments
        );
        // The policy's ceiling for one fee.
        let ceiling = match self.chain {
            Chain::Evm(_) => EVM_BEGINS / 10_000,
            Chain::Solana(_) => u128::from(SOLANA_BEGINS) / 10_000,
        };
        ensure!(fees <= self.payments * ceiling, "{fees} as fees");
        let cost = self.books().since(self.began, fees)?;
        let coins = match self.token {
            None => self.paid,
            Some(_) => 0,
        };
        ensure!(cost.left == coins + fees, "{cost:?}, of which {coins} paid");
        if let Some(token) = &self.token {
            ensure!(self.holds(&self.wallet.1)? == TOKENS - self.paid);
            ensure!(charged(&self.agent, &token.asset)? == self.paid);
        }
        Ok(())
    }

    /// How many of the session's transactions the chain has, and what it took for them.
    fn landed(&self) -> Result<(u128, u128)> {
        let deadline = Instant::now() + PATIENCE;
        let listed = loop {
            let listed = self.get("/v1/transactions?limit=100")?;
            let listed = listed
                .get("transactions")
                .and_then(Value::as_array)
                .cloned();
            let listed = listed.context("a list")?;
            // It follows the signer's log, and may be some milliseconds behind.
            if listed.len() as u128 >= self.payments || Instant::now() > deadline {
                break listed;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let (mut count, mut fees) = (0, 0);
        for payment in &listed {
            let name = payment.get("chain_transaction").and_then(Value::as_str);
            let took = name.map(|name| self.chain.took(name)).transpose()?;
            if let Some(took) = took.flatten() {
                count += 1;
                fees += took;
            }
        }
        Ok((count, fees))
    }

    fn books(&self) -> Books<'_> {
        Books {
            chain: self.chain.books(),
            agent: &self.agent,
            wallet: &self.wallet.1,
            coin: &self.coin,
        }
    }

    /// The fee that a payment tells is the one that the chain wrote down.
    pub(crate) fn fee_is_true(&self, payment: &Value) -> Result<u128> {
        let took = self.chain.took(text(payment, "chain_transaction")?)?;
        let told = base(payment, "fee_paid_base")?;
        ensure!(took == Some(told), "{took:?}: {payment}");
        Ok(told)
    }

    /// The most memory that the gateway has had, in KiB.
    pub(crate) fn gateway_peak(&self) -> Result<u64> {
        let status = format!("/proc/{}/status", self.running.gateway.id());
        let status = std::fs::read_to_string(status)?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.trim().strip_suffix(" kB"));
        Ok(peak.context("a peak")?.trim().parse()?)
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
