//! Payments that no block takes, on a real EVM chain that mines only when told: told as stuck, sped up or
//! cancelled on their nonce, by the agent and by the owner. To the wei.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::Anvil;
use xtask::home::{Home, Running};
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const SHOP: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const AMOUNT: u128 = 12_345_678_901_234_567;
/// Longer than it takes until a payment counts as stuck, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One EVM wallet with one key-bound session, on a chain that mines when told.
struct Stage {
    chain: Anvil,
    home: Home,
    owner: PathBuf,
    running: Option<Running>,
    agent: Agent,
    wallet: (String, String),
    _folder: tempfile::TempDir,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Anvil::start_with(&["--no-mining"])?;
        let Setting {
            home,
            running,
            owner,
            wallet,
            folder,
        } = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{SHOP}")])?;
        home.adopt(
            &format!(
                "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\n\
                 decimals = 18\nper-transaction = \"1\"\nhour = \"3\"\nday = \"3\"\nweek = \"3\"\n\
                 month = \"3\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\
                 outstanding = \"10\"\n\n[[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{SHOP}\"\n"
            ),
            &owner,
        )?;
        let limits = [&format!("{EVM}/slip44:60=1/10")[..]];
        let agent = home.agent(&owner, &[&wallet.0], &limits, false)?;
        chain.fund(&wallet.1, 100_000_000_000_000_000_000)?;
        Ok(Self {
            chain,
            home,
            owner,
            running: Some(running),
            agent,
            wallet,
            _folder: folder,
        })
    }

    fn pay(&self, amount: u128) -> Result<Value> {
        let transfer = Transfer {
            wallet: self.wallet.0.clone(),
            network: EVM.to_owned(),
            to: SHOP.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        };
        let request = self.agent.transfer(&transfer, &fresh()?, 0)?;
        let answer = self.agent.send(&request)?;
        ensure!(answer.status == 201, "{}", answer.json()?);
        answer.json()
    }

    fn change(&self, payment: &Value, what: &str) -> Result<Response> {
        let target = format!("/v1/transactions/{}/{what}", name(payment)?);
        self.agent
            .send(&self.agent.post(&target, &fresh()?, &json!({}))?)
    }

    fn shown(&self, payment: &str) -> Result<Value> {
        let target = format!("/v1/transactions/{payment}");
        self.agent.send(&self.agent.get(&target))?.json()
    }

    fn until(&self, payment: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown(payment)?;
            if holds(&shown) {
                return Ok(shown);
            }
            if Instant::now() > deadline {
                bail!("it never came to that: {shown}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn ended(&self, payment: &str, status: &str) -> Result<Value> {
        self.until(payment, |shown| shown["status"] == status)
    }

    fn mine(&self) -> Result<()> {
        self.chain.rpc().call("anvil_mine", json!(["0x8"]))?;
        Ok(())
    }

    /// Waits until the node's pool holds this transaction.
    fn pooled(&self, payment: &Value) -> Result<()> {
        let hash = text(payment, "chain_transaction")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = self
                .chain
                .rpc()
                .call("eth_getTransactionByHash", json!([hash]))?;
            if !known.is_null() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{hash} is not in the pool");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the chain took for a transaction that has landed.
    fn fee(&self, payment: &Value) -> Result<u128> {
        let hash = text(payment, "chain_transaction")?;
        let receipt = self
            .chain
            .rpc()
            .call("eth_getTransactionReceipt", json!([hash]))?;
        let number = |field: &str| -> Result<u128> {
            let digits = receipt
                .get(field)
                .and_then(Value::as_str)
                .context("a number")?;
            Ok(u128::from_str_radix(digits.trim_start_matches("0x"), 16)?)
        };
        Ok(number("gasUsed")? * number("effectiveGasPrice")?)
    }

    fn spent(&self) -> Result<u128> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("spent")?.parse()?)
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("{field} in {value}"))
}

fn name(payment: &Value) -> Result<&str> {
    text(payment, "transaction")
}

fn base(payment: &Value, field: &str) -> Result<u128> {
    Ok(text(payment, field)?.parse()?)
}

#[test]
fn a_stuck_payment_is_sped_up_and_made_once() -> Result<()> {
    let stage = Stage::set_up()?;
    let (before, shop) = (
        stage.chain.balance(&stage.wallet.1)?,
        stage.chain.balance(SHOP)?,
    );
    let paid = stage.pay(AMOUNT)?;
    stage.pooled(&paid)?;
    let stuck = stage.until(name(&paid)?, |shown| shown["stuck"] == true)?;
    ensure!(text(&stuck, "detail")?.starts_with("Stuck: "), "{stuck}");
    ensure!(stuck["status"] == "SUBMITTED", "{stuck}");
    let answer = stage.change(&paid, "speed-up")?;
    let faster = answer.json()?;
    ensure!(answer.status == 201, "{faster}");
    ensure!(text(&faster, "replaces")? == name(&paid)?, "{faster}");
    let (fee, more) = (base(&paid, "fee_max_base")?, base(&faster, "fee_max_base")?);
    ensure!(more * 10 >= fee * 11, "{fee} and then {more}");
    // Both are charged as one, by the newer.
    ensure!(stage.spent()? == AMOUNT + more, "{}", stage.spent()?);
    stage.pooled(&faster)?;
    // And once more, by the name of the first: the newest is sped up.
    let answer = stage.change(&paid, "speed-up")?;
    let fastest = answer.json()?;
    ensure!(answer.status == 201, "{fastest}");
    ensure!(text(&fastest, "replaces")? == name(&faster)?, "{fastest}");
    stage.pooled(&fastest)?;
    stage.mine()?;
    let landed = stage.ended(name(&fastest)?, "CONFIRMED")?;
    for old in [&paid, &faster] {
        let old = stage.ended(name(old)?, "CANCELLED")?;
        ensure!(text(&old, "detail")?.contains(name(&fastest)?), "{old}");
        ensure!(text(&old, "replaced_by").is_ok(), "{old}");
    }
    ensure!(stage.chain.balance(SHOP)? - shop == AMOUNT, "not once");
    let took = before - stage.chain.balance(&stage.wallet.1)?;
    ensure!(took == AMOUNT + stage.fee(&landed)?, "{took}");
    ensure!(stage.chain.next_nonce(&stage.wallet.1)? == 1);
    // What has ended is not sped up.
    let late = stage.change(&paid, "speed-up")?;
    ensure!(late.status == 409, "{}", late.json()?);
    Ok(())
}

#[test]
fn a_stuck_payment_is_cancelled_and_the_next_goes_through() -> Result<()> {
    let mut stage = Stage::set_up()?;
    let (before, shop) = (
        stage.chain.balance(&stage.wallet.1)?,
        stage.chain.balance(SHOP)?,
    );
    let paid = stage.pay(AMOUNT)?;
    stage.pooled(&paid)?;
    let next = stage.pay(1000)?;
    stage.pooled(&next)?;
    let answer = stage.change(&paid, "cancel")?;
    let cancelled = answer.json()?;
    ensure!(answer.status == 202, "{cancelled}");
    let by = text(&cancelled, "replaced_by")?.to_owned();
    let shown = stage.shown(&by)?;
    ensure!(
        shown["cancels"] == true && shown["amount_base"] == "0",
        "{shown}"
    );
    ensure!(
        text(&shown, "to")?.eq_ignore_ascii_case(&stage.wallet.1),
        "{shown}"
    );
    stage.pooled(&shown)?;
    // Again: it is under way already.
    let again = stage.change(&paid, "cancel")?;
    ensure!(again.status == 202 && again.json()?["replaced_by"] == by[..]);
    // A gateway that starts anew finds all of them.
    drop(stage.running.take());
    stage.running = Some(stage.home.start_unlocked()?);
    stage.agent.renew()?;
    stage.mine()?;
    let landed = stage.ended(&by, "CONFIRMED")?;
    let old = stage.ended(name(&paid)?, "CANCELLED")?;
    ensure!(text(&old, "detail")?.contains(&by), "{old}");
    let made = stage.ended(name(&next)?, "CONFIRMED")?;
    ensure!(stage.chain.balance(SHOP)? - shop == 1000, "the wrong one");
    let took = before - stage.chain.balance(&stage.wallet.1)?;
    let fees = stage.fee(&landed)? + stage.fee(&made)?;
    ensure!(took == 1000 + fees, "{took}");
    Ok(())
}

/// One command each, over `admin.sock`: no node is asked, and a gateway sends what the log tells of.
#[test]
fn an_owner_speeds_up_and_cancels_with_one_command() -> Result<()> {
    let stage = Stage::set_up()?;
    ensure!(stage.owner.exists());
    let shop = stage.chain.balance(SHOP)?;
    let paid = stage.pay(AMOUNT)?;
    stage.pooled(&paid)?;
    let faster = stage.home.cli(&["payment", "speed-up", name(&paid)?])?;
    ensure!(text(&faster, "of")? == name(&paid)?, "{faster}");
    stage.pooled(&faster)?;
    stage.mine()?;
    stage.ended(name(&faster)?, "CONFIRMED")?;
    stage.ended(name(&paid)?, "CANCELLED")?;
    ensure!(stage.chain.balance(SHOP)? - shop == AMOUNT, "not once");
    let paid = stage.pay(AMOUNT)?;
    stage.pooled(&paid)?;
    let cancelled = stage.home.cli(&["payment", "cancel", name(&paid)?])?;
    ensure!(cancelled["cancels"] == true, "{cancelled}");
    stage.pooled(&cancelled)?;
    stage.mine()?;
    stage.ended(name(&cancelled)?, "CONFIRMED")?;
    stage.ended(name(&paid)?, "CANCELLED")?;
    ensure!(
        stage.chain.balance(SHOP)? - shop == AMOUNT,
        "paid after its cancellation"
    );
    Ok(())
}
