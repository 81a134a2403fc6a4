//! Payments that wait, as people meet them: a real signer, gateway and chain, the agent over REST, the
//! owner on the command line. A delay passes by itself, an approval completes the payment without a
//! second request, and what was rejected, cancelled or killed never arrives.

use std::time::{Duration, Instant};
use std::{slice, thread};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::Anvil;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Wei: above `notify-up-to`, and above `delay-up-to`.
const DELAYED: u128 = 200_000_000_000_000_000;
const ASKED: u128 = 600_000_000_000_000_000;
/// How long the delay is by the policy.
const DELAY: Duration = Duration::from_secs(4);
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\ndelay = \"{}s\"\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"20\"\nday = \"20\"\nweek = \"20\"\nmonth = \"20\"\n\
         instant-up-to = \"0.1\"\nnotify-up-to = \"0.15\"\ndelay-up-to = \"0.5\"\napprove-up-to = \"1\"\n\
         fee-ceiling = \"0.01\"\noutstanding = \"20\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n",
        DELAY.as_secs()
    )
}

/// One wallet, one key-bound session, and an owner with a key file.
struct Stage {
    setting: Setting,
    chain: Anvil,
    agent: Agent,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Anvil::start()?;
        let setting = Setting::start(EVM, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, 100_000_000_000_000_000_000)?;
        setting.home.adopt(&policy(), &setting.owner)?;
        let limit = format!("{EVM}/slip44:60=1/100");
        let agent = setting
            .home
            .agent(&setting.owner, &[&setting.wallet.0], &[&limit], false)?;
        Ok(Self {
            setting,
            chain,
            agent,
        })
    }

    fn transfer(&self, amount: u128) -> Transfer {
        Transfer {
            wallet: self.setting.wallet.0.clone(),
            network: EVM.to_owned(),
            to: TO.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        }
    }

    /// Asks for a payment, which has to wait; its name.
    fn queued(&self, amount: u128, key: &str) -> Result<String> {
        let request = self.agent.transfer(&self.transfer(amount), key, 0)?;
        let answer = self.agent.send(&request)?;
        let said = answer.json()?;
        ensure!(answer.status == 202, "{} {said}", answer.status);
        ensure!(field(&said, "status")? == "QUEUED", "{said}");
        Ok(field(&said, "transaction")?.to_owned())
    }

    fn shown(&self, payment: &str, wait: u32) -> Result<Value> {
        let target = format!("/v1/transactions/{payment}?wait={wait}");
        self.agent.send(&self.agent.get(&target))?.json()
    }

    /// The payment once it has ended.
    fn ended(&self, payment: &str) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown(payment, 30)?;
            if !["QUEUED", "EXECUTING", "SUBMITTED"].contains(&field(&shown, "status")?) {
                return Ok(shown);
            }
            ensure!(Instant::now() < until, "it never ended: {shown}");
        }
    }

    /// What the owner's command line shows as waiting.
    fn waiting(&self) -> Result<Vec<String>> {
        let listed = self.setting.home.cli(&["payment", "list"])?;
        let payments = listed
            .get("payments")
            .and_then(Value::as_array)
            .context("a list")?;
        payments
            .iter()
            .map(|one| Ok(field(one, "transaction")?.to_owned()))
            .collect()
    }

    fn sign(&self, what: &str, payment: &str) -> Result<Value> {
        let key = self.setting.owner.to_str().context("a path")?;
        let key = ["--owner-key", key, "--yes"];
        self.setting
            .home
            .cli(&[&["payment", what, payment], &key[..]].concat())
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

/// Above what the owner is only told of: it arrives by itself, and not before its time.
#[test]
fn a_delayed_payment_arrives_after_its_delay() -> Result<()> {
    let stage = Stage::set_up()?;
    let asked = Instant::now();
    let payment = stage.queued(DELAYED, "one")?;
    let shown = stage.shown(&payment, 0)?;
    ensure!(field(&shown, "tier")? == "DELAY", "{shown}");
    field(&shown, "ready_at")?;
    ensure!(stage.waiting()? == slice::from_ref(&payment));
    ensure!(stage.chain.balance(TO)? == 0, "paid before its time");
    let ended = stage.ended(&payment)?;
    ensure!(field(&ended, "status")? == "CONFIRMED", "{ended}");
    ensure!(asked.elapsed() >= DELAY, "after {:?}", asked.elapsed());
    ensure!(stage.chain.balance(TO)? == DELAYED);
    ensure!(stage.waiting()?.is_empty());
    // The same key tells of it, and pays nothing.
    let request = stage.agent.transfer(&stage.transfer(DELAYED), "one", 0)?;
    let again = stage.agent.send(&request)?;
    ensure!(again.status == 200, "{}", again.status);
    ensure!(field(&again.json()?, "transaction")? == payment);
    ensure!(stage.chain.balance(TO)? == DELAYED);
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

/// The owner's signature completes the payment: no second request of the agent.
#[test]
fn an_approved_payment_is_confirmed_and_a_rejected_one_is_not() -> Result<()> {
    let stage = Stage::set_up()?;
    let approved = stage.queued(ASKED, "approved")?;
    let shown = stage.shown(&approved, 0)?;
    ensure!(
        (field(&shown, "tier")?, field(&shown, "waits_for")?) == ("APPROVAL", "owner"),
        "{shown}"
    );
    let rejected = stage.queued(ASKED + 1, "rejected")?;
    ensure!(stage.waiting()?.len() == 2);
    // Nobody has signed: longer than any delay it does not move.
    thread::sleep(DELAY);
    ensure!(stage.chain.balance(TO)? == 0, "paid without the owner");
    stage.sign("approve", &approved)?;
    let ended = stage.ended(&approved)?;
    ensure!(field(&ended, "status")? == "CONFIRMED", "{ended}");
    ensure!(stage.chain.balance(TO)? == ASKED);
    // Once.
    ensure!(stage.sign("approve", &approved).is_err(), "approved twice");
    stage.sign("reject", &rejected)?;
    let ended = stage.ended(&rejected)?;
    ensure!(field(&ended, "status")? == "CANCELLED", "{ended}");
    ensure!(field(&ended, "detail")?.contains("rejected"), "{ended}");
    // A no is final.
    ensure!(stage.sign("approve", &rejected).is_err(), "a no was undone");
    thread::sleep(Duration::from_secs(1));
    ensure!(stage.chain.balance(TO)? == ASKED);
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

/// The agent and the owner cancel, and a kill ends whatever waits.
#[test]
fn cancelled_and_killed_payments_never_arrive() -> Result<()> {
    let stage = Stage::set_up()?;
    let by_agent = stage.queued(DELAYED, "by-agent")?;
    let by_owner = stage.queued(DELAYED, "by-owner")?;
    let killed = stage.queued(ASKED, "killed")?;
    let path = format!("/v1/transactions/{by_agent}/cancel");
    let cancel = stage.agent.post(&path, &fresh()?, &json!({}))?;
    let answer = stage.agent.send(&cancel)?;
    let said = answer.json()?;
    ensure!(
        answer.status == 200 && field(&said, "status")? == "CANCELLED",
        "{} {said}",
        answer.status
    );
    stage.setting.home.cli(&["payment", "cancel", &by_owner])?;
    let ended = stage.ended(&by_owner)?;
    ensure!(field(&ended, "status")? == "CANCELLED", "{ended}");
    ensure!(stage.waiting()? == slice::from_ref(&killed));
    stage.setting.home.cli(&["kill", "--yes"])?;
    ensure!(stage.waiting()?.is_empty());
    // No session answers any more; the log says what became of it.
    let shown = stage.setting.home.cli(&["audit", "show", "--last", "5"])?;
    ensure!(
        shown.to_string().contains(&killed) && shown.to_string().contains("kill switch"),
        "{shown}"
    );
    thread::sleep(DELAY);
    ensure!(stage.chain.balance(TO)? == 0, "a stopped payment arrived");
    Ok(())
}

/// Both processes die while payments wait: the delay is not forgotten, and the approval still counts.
#[test]
fn a_kill_minus_nine_forgets_no_wait() -> Result<()> {
    let mut stage = Stage::set_up()?;
    let delayed = stage.queued(DELAYED, "delayed")?;
    let asked = stage.queued(ASKED, "asked")?;
    drop(stage.setting.running);
    stage.setting.running = stage.setting.home.start_unlocked()?;
    stage.agent.renew()?;
    ensure!(stage.waiting()?.len() == 2);
    stage.sign("approve", &asked)?;
    for payment in [&asked, &delayed] {
        let ended = stage.ended(payment)?;
        ensure!(field(&ended, "status")? == "CONFIRMED", "{ended}");
    }
    ensure!(stage.chain.balance(TO)? == ASKED + DELAYED);
    // And without gateway.db everything is as it was.
    stage
        .setting
        .running
        .gateway
        .stop(Duration::from_secs(10))?;
    std::fs::remove_file(stage.setting.home.folder().join("gateway/gateway.db"))?;
    stage.setting.running.gateway = stage.setting.home.start_gateway()?;
    stage.agent.renew()?;
    for payment in [&asked, &delayed] {
        let ended = stage.ended(payment)?;
        ensure!(field(&ended, "status")? == "CONFIRMED", "{ended}");
    }
    thread::sleep(Duration::from_secs(1));
    ensure!(stage.chain.balance(TO)? == ASKED + DELAYED, "paid twice");
    Ok(())
}
