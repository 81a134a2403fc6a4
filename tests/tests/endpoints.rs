//! A node that dies mid-flight, lies or answers slowly never loses or doubles a payment: a scripted proxy
//! in front of real local chains, alone and beside a node that does well. To the unit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::proxy::{Proxy, Script, Turn};
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
/// Longer than the gateway waits for a node in these tests.
const TOO_LONG: Duration = Duration::from_secs(3);
/// Longer than a node rests after failures, and than a payment takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Name of a script and what it does.
type Case = (String, Box<Script>);

enum Chain {
    Evm(Anvil),
    Solana(Surfnet),
}

impl Chain {
    fn url(&self) -> &str {
        match self {
            Self::Evm(chain) => chain.url(),
            Self::Solana(chain) => chain.url(),
        }
    }

    fn balance(&self, address: &str) -> Result<u128> {
        match self {
            Self::Evm(chain) => chain.balance(address),
            Self::Solana(chain) => Ok(chain.balance(address)?.into()),
        }
    }
}

/// A wallet with an agent on a chain that is reached through these nodes.
struct Stage {
    chain: Chain,
    home: Home,
    _running: Running,
    agent: Agent,
    wallet: (String, String),
    network: &'static str,
    shop: &'static str,
    paid: u128,
    payments: u128,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `rpc` is the value of the configuration's key.
    fn set_up(chain: Chain, rpc: &str) -> Result<Self> {
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
        config.push_str(&format!(
            "\n[[chain]]\nid = \"{network}\"\nrpc = {rpc}\npoll-interval-ms = 100\n\
             request-timeout-ms = 700\n{more}"
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
    fn next(&mut self) -> (Transfer, String) {
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

    fn ask(&self, payment: &(Transfer, String), wait: u32) -> Result<Response> {
        let (transfer, key) = payment;
        self.agent.send(&self.agent.transfer(transfer, key, wait)?)
    }

    fn shown(&self, payment: &str) -> Result<Value> {
        let target = format!("/v1/transactions/{payment}");
        self.agent.send(&self.agent.get(&target))?.json()
    }

    /// Waits until a payment has ended, and well.
    fn confirmed(&self, payment: &str) -> Result<()> {
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

    /// Whether the first node answers, by the gateway's own word.
    fn first_answers(&self) -> Result<bool> {
        let request = Request {
            method: "GET",
            target: "/ready".to_owned(),
            headers: vec![],
            body: vec![],
        };
        let ready = Connection::open(&self.home.url())?.send(&request)?.json()?;
        let reachable = ready.pointer("/chains/0/endpoints/0/reachable");
        let reachable = reachable.and_then(Value::as_bool);
        reachable.with_context(|| ready.to_string())
    }

    /// Waits until the first node is asked again.
    fn first_is_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.first_answers()? {
            ensure!(Instant::now() < deadline, "{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Everything that was asked for has arrived, and nothing else.
    fn arrived_once(&self, shop_before: u128) -> Result<()> {
        let arrived = self.chain.balance(self.shop)? - shop_before;
        ensure!(arrived == self.paid, "{arrived} of {}", self.paid);
        if let Chain::Evm(chain) = &self.chain {
            let nonce = chain.next_nonce(&self.wallet.1)?;
            ensure!(nonce == self.payments, "{nonce} nonces are used");
        }
        Ok(())
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.home.folder().join("gateway.log"));
        log.unwrap_or_default()
    }
}

fn is(payment: &Value, status: &str) -> bool {
    payment.get("status").and_then(Value::as_str) == Some(status)
}

fn is_open(payment: &Value) -> bool {
    is(payment, "EXECUTING") || is(payment, "SUBMITTED")
}

fn name(payment: &Value) -> Result<&str> {
    let name = payment.get("transaction").and_then(Value::as_str);
    name.with_context(|| payment.to_string())
}

fn case(name: &str, script: impl Fn(&str, &Value) -> Turn + Send + Sync + 'static) -> Case {
    (name.to_owned(), Box::new(script))
}

/// What any node may do, to every question or to one.
fn failures(methods: &[&'static str]) -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("refuses connections", Turn::Refuse),
        ("dies before each answer", Turn::DieAfter),
        ("dies in each answer", Turn::CutShort),
        ("answers too slowly", Turn::Slow(TOO_LONG)),
        ("limits", Turn::Status(429)),
        ("has an error of its own", Turn::Status(500)),
        ("answers garbage", Turn::Garbage),
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
fn only(method: &'static str, turn: Turn) -> impl Fn(&str, &Value) -> Turn + Send + Sync {
    move |asked, _| {
        if asked == method {
            turn.clone()
        } else {
            Turn::Pass
        }
    }
}

const EVM_METHODS: [&str; 7] = [
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_maxPriorityFeePerGas",
    "eth_call",
    "eth_getBalance",
    "eth_sendRawTransaction",
    "eth_getTransactionReceipt",
];

fn evm_lies() -> Vec<Case> {
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

const SOLANA_METHODS: [&str; 6] = [
    "getRecentPrioritizationFees",
    "getLatestBlockhash",
    "simulateTransaction",
    "sendTransaction",
    "getSignatureStatuses",
    "getTransaction",
];

fn solana_lies() -> Vec<Case> {
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

/// Whatever the first node does, the second one keeps the service going: every payment is confirmed while
/// the agent waits, once.
fn beside_a_good_node(chain: Chain, cases: Vec<Case>, first: Option<Case>) -> Result<()> {
    let proxy = Proxy::start(chain.url())?;
    let rpc = format!("[\"{}\", \"{}\"]", proxy.url(), chain.url());
    let mut stage = Stage::set_up(chain, &rpc)?;
    let shop_before = stage.chain.balance(stage.shop)?;
    let known = first.is_none();
    for (number, (case, script)) in first.into_iter().chain(cases).enumerate() {
        if known || number > 0 {
            stage.first_is_back().with_context(|| case.clone())?;
            // What was fetched for the payment before is not used again.
            std::thread::sleep(Duration::from_millis(1100));
        }
        proxy.play(script);
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
    let shop_before = stage.chain.balance(stage.shop)?;
    let (mut refused, mut signed) = (0, 0);
    for (case, script) in cases {
        stage.first_is_back().with_context(|| case.clone())?;
        std::thread::sleep(Duration::from_millis(1100));
        proxy.play(script);
        let payment = stage.next();
        let before = stage.chain.balance(stage.shop)?;
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
            ensure!(answer.status >= 422, "{case}: {} {said}", answer.status);
            ensure!(stage.chain.balance(stage.shop)? == before, "{case}: {said}");
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
    Ok(())
}

/// A node that forges a failure beside one that saw the success: neither is believed while they
/// contradict each other, and the payment is never said to have failed.
fn a_forged_failure(chain: Chain, script: Case) -> Result<()> {
    let proxy = Proxy::start(chain.url())?;
    let rpc = format!("[\"{}\", \"{}\"]", proxy.url(), chain.url());
    let mut stage = Stage::set_up(chain, &rpc)?;
    let shop_before = stage.chain.balance(stage.shop)?;
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
    proxy.heal();
    for payment in &payments {
        stage.confirmed(name(payment)?)?;
    }
    stage.arrived_once(shop_before)
}

#[test]
fn an_evm_node_that_fails_or_lies_beside_a_good_one_interrupts_nothing() -> Result<()> {
    let other_chain = case(
        "serves another chain",
        only("eth_chainId", Turn::Say(json!("0x1"))),
    );
    let mut cases = failures(&EVM_METHODS);
    cases.extend(evm_lies());
    let reverts = Turn::Error(3, "execution reverted");
    cases.push(case("says it would fail", only("eth_estimateGas", reverts)));
    beside_a_good_node(Chain::Evm(Anvil::start()?), cases, Some(other_chain))
}

#[test]
fn a_solana_node_that_fails_or_lies_beside_a_good_one_interrupts_nothing() -> Result<()> {
    let mut cases = failures(&SOLANA_METHODS);
    cases.extend(solana_lies());
    beside_a_good_node(Chain::Solana(Surfnet::start(400)?), cases, None)
}

#[test]
fn the_only_evm_node_fails_or_lies_and_no_payment_is_lost_or_doubled() -> Result<()> {
    let mut cases = failures(&EVM_METHODS);
    cases.extend(evm_lies());
    with_no_other_node(Chain::Evm(Anvil::start()?), cases)
}

#[test]
fn the_only_solana_node_fails_or_lies_and_no_payment_is_lost_or_doubled() -> Result<()> {
    let mut cases = failures(&SOLANA_METHODS);
    cases.extend(solana_lies());
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
