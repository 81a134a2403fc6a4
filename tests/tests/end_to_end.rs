//! The whole product as its users run it: set up with the command line, paid over REST as an agent,
//! checked on real local chains.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::{Anvil, Surfnet};
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const EVM_TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA: &str = "solana:localnet";
const SOLANA_TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";

/// One wallet on one chain with one key-bound session.
struct Stage {
    setting: Setting,
    agent: Agent,
    network: &'static str,
    to: &'static str,
}

impl Stage {
    fn set_up(
        family: &str,
        network: &'static str,
        to: &'static str,
        url: &str,
        coin: (&str, u8, &str),
    ) -> Result<Self> {
        let setting = Setting::start(network, url, &[&format!("{network}:{to}")])?;
        let (symbol, decimals, extra) = coin;
        let asset = format!(
            "{network}/slip44:{}",
            if family == "evm" { 60 } else { 501 }
        );
        setting.home.adopt(
            &format!(
                "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{asset}\"\nsymbol = \"{symbol}\"\n\
                 decimals = {decimals}\nper-transaction = \"1\"\nhour = \"3\"\nday = \"3\"\nweek = \"3\"\n\
                 month = \"3\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\n{extra}\n\
                 [[recipient]]\nname = \"shop\"\naccount = \"{network}:{to}\"\n"
            ),
            &setting.owner,
        )?;
        let agent = setting.home.agent(
            &setting.owner,
            &[&setting.wallet.0],
            &[&format!("{asset}=1/10")],
            false,
        )?;
        Ok(Self {
            setting,
            agent,
            network,
            to,
        })
    }

    fn on_evm(chain: &Anvil) -> Result<Self> {
        let extra = "outstanding = \"10\"\nsign-only = true";
        let stage = Self::set_up("evm", EVM, EVM_TO, chain.url(), ("ETH", 18, extra))?;
        chain.fund(&stage.setting.wallet.1, 100_000_000_000_000_000_000)?;
        Ok(stage)
    }

    fn on_solana(chain: &Surfnet) -> Result<Self> {
        let stage = Self::set_up("solana", SOLANA, SOLANA_TO, chain.url(), ("SOL", 9, ""))?;
        chain.fund(&stage.setting.wallet.1, 100_000_000_000)?;
        Ok(stage)
    }

    fn transfer(&self, amount_base: u128) -> Transfer {
        Transfer {
            wallet: self.setting.wallet.0.clone(),
            network: self.network.to_owned(),
            to: self.to.to_owned(),
            amount_base: amount_base.to_string(),
            submit: true,
        }
    }

    fn pay(&self, amount_base: u128, key: &str, wait: u32) -> Result<Response> {
        self.agent.send(
            &self
                .agent
                .transfer(&self.transfer(amount_base), key, wait)?,
        )
    }

    fn post(&self, body: &Value) -> Result<Response> {
        self.agent
            .send(&self.agent.post("/v1/transactions", &fresh()?, body)?)
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

fn codes(problem: &Value) -> Vec<&str> {
    let violations = problem.get("violations").and_then(Value::as_array);
    let each = violations.into_iter().flatten();
    each.filter_map(|violation| violation.get("code").and_then(Value::as_str))
        .collect()
}

#[test]
fn an_agent_pays_on_an_evm_chain_to_the_unit() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::on_evm(&chain)?;
    let (before, to_before) = (
        chain.balance(&stage.setting.wallet.1)?,
        chain.balance(EVM_TO)?,
    );
    let amount = 123_456_789_012_345_678;
    let said = stage.pay(amount, "one", 30)?.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    ensure!(chain.balance(EVM_TO)? - to_before == amount);
    let spent = before - chain.balance(&stage.setting.wallet.1)?;
    let fee = spent - amount;
    ensure!(
        fee > 0 && fee < 10_000_000_000_000_000,
        "a fee of {fee} wei"
    );
    // What the signer charged is at least what the chain took.
    let session = stage.agent.send(&stage.agent.get("/v1/session"))?.json()?;
    let charged: u128 = session
        .pointer("/limits/0/spent")
        .and_then(Value::as_str)
        .context("spent")?
        .parse()?;
    ensure!(
        charged >= spent,
        "charged {charged}, the chain took {spent}"
    );
    // The same key and body: the same payment, no second transfer.
    let again = stage.pay(amount, "one", 30)?.json()?;
    ensure!(
        field(&again, "transaction")? == field(&said, "transaction")?,
        "{again}"
    );
    ensure!(chain.balance(EVM_TO)? - to_before == amount, "paid twice");
    // Another body under the key.
    let conflict = stage.pay(amount + 1, "one", 0)?;
    ensure!(conflict.status == 409, "{}", conflict.status);
    Ok(())
}

#[test]
fn an_agent_pays_on_solana_to_the_unit() -> Result<()> {
    let chain = Surfnet::start(400)?;
    let stage = Stage::on_solana(&chain)?;
    let (before, to_before) = (
        chain.balance(&stage.setting.wallet.1)?,
        chain.balance(SOLANA_TO)?,
    );
    let amount = 123_456_789;
    let said = stage.pay(amount.into(), "one", 60)?.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    ensure!(chain.balance(SOLANA_TO)? - to_before == amount);
    let fee = before - chain.balance(&stage.setting.wallet.1)? - amount;
    ensure!((5000..100_000).contains(&fee), "a fee of {fee} lamports");
    let again = stage.pay(amount.into(), "one", 60)?.json()?;
    ensure!(
        field(&again, "transaction")? == field(&said, "transaction")?,
        "{again}"
    );
    ensure!(
        chain.balance(SOLANA_TO)? - to_before == amount,
        "paid twice"
    );
    Ok(())
}

#[test]
fn refusals_are_typed_and_change_nothing() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::on_evm(&chain)?;
    let sound = stage.agent.transfer_body(&stage.transfer(1000));
    let with = |name: &str, value: Value| {
        let mut body = sound.clone();
        if let Some(object) = body.as_object_mut() {
            object.insert(name.to_owned(), value);
        }
        body
    };
    for (case, body, status, code) in [
        (
            "over the limit",
            with("amount_base", json!("5000000000000000000")),
            403,
            "per_transaction_limit",
        ),
        (
            "a stranger",
            with("to", json!("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")),
            403,
            "recipient_not_listed",
        ),
        (
            "an unknown field",
            with("tier", json!("INSTANT")),
            400,
            "body_malformed",
        ),
        (
            "a number",
            with("amount_base", json!(1000)),
            400,
            "body_malformed",
        ),
        (
            "a negative amount",
            with("amount_base", json!("-1")),
            400,
            "body_malformed",
        ),
        (
            "both amounts",
            with("amount", json!("1")),
            422,
            "amount_invalid",
        ),
        (
            "a bad checksum",
            with("to", json!("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")),
            400,
            "body_malformed",
        ),
        (
            "another signer",
            with("signer", json!("signer_00000000000000000000000000")),
            422,
            "signer_mismatch",
        ),
        (
            "another network",
            with("network", json!("eip155:1")),
            400,
            "",
        ),
    ] {
        let answer = stage.post(&body)?;
        let problem = answer.json()?;
        ensure!(
            (400..500).contains(&answer.status),
            "{case}: {} {problem}",
            answer.status
        );
        if !code.is_empty() {
            ensure!(
                answer.status == status,
                "{case}: {} {problem}",
                answer.status
            );
            ensure!(codes(&problem).contains(&code), "{case}: {problem}");
        }
        ensure!(
            answer
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("application/problem+json")),
            "{case}: {:?}",
            answer.headers
        );
    }
    let doubled = br#"{"signer":"x","signer":"y"}"#.to_vec();
    let answer = stage.agent.send(&stage.agent.post_bytes(
        "/v1/transactions",
        &fresh()?,
        doubled,
    )?)?;
    ensure!(answer.status == 400, "a doubled key: {}", answer.status);
    ensure!(chain.balance(EVM_TO)? == 0, "a refusal moved money");
    Ok(())
}

#[test]
fn a_stopped_signer_and_a_silent_chain_are_said_and_nothing_is_lost() -> Result<()> {
    let chain = Anvil::start()?;
    let mut stage = Stage::on_evm(&chain)?;
    // Locked.
    stage.setting.home.cli(&["lock"])?;
    let answer = stage.pay(1000, "while-locked", 0)?;
    ensure!(
        answer.status == 503 && codes(&answer.json()?).contains(&"locked"),
        "{}",
        answer.status
    );
    stage.setting.home.cli_with_password(&["unlock"])?;
    // Stopped, then back: the same request under the same key goes through once.
    stage.setting.running.signer.stop(Duration::from_secs(10))?;
    let answer = stage.pay(1000, "while-locked", 0)?;
    ensure!(
        answer.status == 503,
        "{} {:?}",
        answer.status,
        answer.json()
    );
    stage.setting.running.signer = stage.setting.home.start_signer()?;
    stage.setting.home.cli_with_password(&["unlock"])?;
    let mut answer = stage.pay(1000, "while-locked", 30)?;
    for _ in 0..50 {
        if answer.status != 503 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
        answer = stage.pay(1000, "while-locked", 30)?;
    }
    let said = answer.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    ensure!(chain.balance(EVM_TO)? == 1000);
    // A chain that is down.
    drop(chain);
    let answer = stage.pay(1000, "no-chain", 0)?;
    ensure!((500..600).contains(&answer.status), "{}", answer.status);
    ensure!(!codes(&answer.json()?).is_empty() || answer.json()?.get("code").is_some());
    Ok(())
}

#[test]
fn the_kill_switch_over_http_wipes_and_only_the_owner_releases() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::on_evm(&chain)?;
    let kill = stage.agent.post_bytes("/v1/kill", &fresh()?, vec![])?;
    let answer = stage.agent.send(&kill)?;
    ensure!(
        answer.status == 200,
        "{} {:?}",
        answer.status,
        answer.json()
    );
    let status = stage.setting.home.cli(&["status"])?;
    ensure!(field(&status, "kill")? == "ACTIVATED", "{status}");
    let answer = stage.pay(1000, "killed", 0)?;
    ensure!(answer.status >= 400, "{}", answer.status);
    ensure!(chain.balance(EVM_TO)? == 0);
    Ok(())
}

#[test]
fn the_owner_withdraws_and_the_log_verifies() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::on_evm(&chain)?;
    stage.pay(1000, "one", 30)?;
    let verified = stage.setting.home.cli(&["audit", "verify"])?;
    ensure!(
        verified
            .get("sequence")
            .and_then(Value::as_u64)
            .is_some_and(|sequence| sequence > 0),
        "{verified}"
    );
    let owner = stage.setting.home.owner(&[])?;
    let owner = owner.to_str().context("a path")?;
    let asset = format!("{EVM}/slip44:60");
    stage.setting.home.cli(&[
        "withdraw",
        "--wallet",
        &stage.setting.wallet.0,
        "--asset",
        &asset,
        "--amount",
        "5",
        "--to",
        EVM_TO,
        "--fee-ceiling",
        "0.01",
        "--owner-key",
        owner,
        "--yes",
        "--rpc",
        chain.url(),
    ])?;
    // Five ether: above every limit of the policy, to the enrolled address.
    for _ in 0..50 {
        if chain.balance(EVM_TO)? == 5_000_000_000_000_001_000 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    anyhow::bail!("the withdrawal did not arrive: {}", chain.balance(EVM_TO)?)
}

/// The log of a real signer, exported, verifies with a program that shares no code with the product, and
/// does not once a byte of it is changed.
#[test]
fn an_exported_log_verifies_with_independent_code() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::on_evm(&chain)?;
    for number in 0..10 {
        stage.pay(1000, &format!("payment-{number}"), 0)?;
    }
    let file = stage.setting.home.folder().join("log.jsonl");
    let path = file.to_str().context("a path")?;
    stage.setting.home.cli(&["audit", "export", path])?;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/verify_log.py");
    let verify = |path: &std::path::Path| -> Result<std::process::Output> {
        Ok(std::process::Command::new("python3")
            .arg(&script)
            .arg(path)
            .output()?)
    };
    let output = verify(&file)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&file)?;
    let changed = text.replacen(
        "\"sequence\":9,\"body\":\"g",
        "\"sequence\":9,\"body\":\"h",
        1,
    );
    ensure!(changed != text, "nothing was changed");
    std::fs::write(&file, changed)?;
    ensure!(
        !verify(&file)?.status.success(),
        "a changed log must not verify"
    );
    Ok(())
}
