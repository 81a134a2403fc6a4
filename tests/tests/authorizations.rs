//! Transfers by authorization on a real local chain: an agent asks over REST, somebody else brings what was signed to the
//! token, which moves to the unit, once, and nothing that was altered; eth-account and viem verify it as a facilitator of
//! x402 does.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use waiaas_tests::token::TestCoin;
use xtask::agent::{Agent, fresh};
use xtask::chains::Anvil;
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const ROUTE: &str = "/v1/messages/transfer-authorization";
/// Base units of one whole token.
const WHOLE: u128 = 1_000_000;

/// A wallet with coins and no ether at all, and an agent that may authorize.
struct Stage<'chain> {
    setting: Setting,
    agent: Agent,
    coin: TestCoin<'chain>,
}

impl<'chain> Stage<'chain> {
    fn set_up(chain: &'chain Anvil) -> Result<Self> {
        let setting = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{TO}")])?;
        let coin = TestCoin::deploy(chain)?;
        let asset = coin.asset();
        setting.home.adopt(
            &format!(
                r#"version = 1
epoch = 1

[[asset]]
id = "{asset}"
symbol = "TCOIN"
decimals = 6
per-transaction = "10"
hour = "15"
day = "15"
week = "15"
month = "15"
instant-up-to = "1"
notify-up-to = "5"
delay-up-to = "10"
outstanding = "1000"
authorization = {{ name = "Test Coin", version = "2", valid-for = "5m" }}

[[recipient]]
name = "shop"
account = "{EVM}:{TO}"
"#
            ),
            &setting.owner,
        )?;
        let limits = format!("{asset}=10/1000");
        let operations = ["token-transfer", "transfer-authorization"];
        let operations = operations.map(|name| ["--operation", name]).concat();
        let agent = setting.home.agent_with(
            &setting.owner,
            &[&setting.wallet.0],
            &[&limits],
            false,
            &operations,
        )?;
        coin.mint(&setting.wallet.1, 100 * WHOLE)?;
        Ok(Self {
            setting,
            agent,
            coin,
        })
    }

    fn body(&self, amount: &str) -> Value {
        json!({
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "asset": self.coin.asset(),
            "to": "@shop",
            "amount": amount,
        })
    }

    fn ask(&self, key: &str, body: &Value) -> Result<Response> {
        self.agent.send(&self.agent.post(ROUTE, key, body)?)
    }

    /// What the session's grant has counted of the coin.
    fn charged(&self) -> Result<u128> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("what was spent")?.parse()?)
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

fn refused(answer: &Response, status: u16, code: &str) -> Result<()> {
    let problem = answer.json()?;
    ensure!(
        answer.status == status && field(&problem, "code")? == code,
        "not {status} {code} but {}: {problem}",
        answer.status
    );
    Ok(())
}

fn verified(signed: &Value) -> Result<()> {
    let list = json!([signed]).to_string();
    let python = foreign::python("authorization.py", &[&list])?;
    let node = foreign::node("authorization.mjs", &[&list])?;
    ensure!(
        python == node.replace(':', ": ").replace("{ ", "{"),
        "{python} {node}"
    );
    Ok(())
}

#[test]
fn what_is_authorized_moves_once_to_the_unit_and_nothing_else() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let body = stage.body("0.123456");
    let judged = stage.agent.send(&stage.agent.post(
        &format!("{ROUTE}/dry-run"),
        "dry",
        &body,
    )?)?;
    ensure!(judged.json()?.get("tier") == Some(&json!("INSTANT")));
    ensure!(stage.charged()? == 0, "a dry run reserves nothing");
    let answer = stage.ask("paid-1", &body)?;
    let signed = answer.json()?;
    ensure!(answer.status == 201, "{signed}");
    // Charged although nobody used it yet.
    ensure!(stage.charged()? == 123_456);
    ensure!(stage.coin.balance(TO)? == 0);
    verified(&signed)?;
    let authorization = &signed["authorization"];
    let signature = field(&signed, "signature")?;
    ensure!(field(authorization, "from")? == stage.setting.wallet.1);
    ensure!(field(authorization, "to")? == TO);
    ensure!(field(authorization, "value")? == "123456");
    // An altered field moves nothing.
    for (name, value) in [
        ("value", "123457"),
        ("to", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
        ("validBefore", "99999999999"),
        ("validAfter", "1"),
        (
            "nonce",
            "0x0000000000000000000000000000000000000000000000000000000000000001",
        ),
    ] {
        let mut altered = authorization.clone();
        altered[name] = json!(value);
        ensure!(
            stage.coin.settle(&altered, signature).is_err(),
            "{name} was altered"
        );
    }
    ensure!(stage.coin.balance(&stage.setting.wallet.1)? == 100 * WHOLE);
    // Somebody else brings it to the chain and pays the gas: the wallet has none.
    ensure!(chain.balance(&stage.setting.wallet.1)? == 0);
    let nonce = field(authorization, "nonce")?;
    ensure!(!stage.coin.is_used(&stage.setting.wallet.1, nonce)?);
    stage.coin.settle(authorization, signature)?;
    ensure!(stage.coin.is_used(&stage.setting.wallet.1, nonce)?);
    ensure!(stage.coin.balance(TO)? == 123_456);
    ensure!(stage.coin.balance(&stage.setting.wallet.1)? == 100 * WHOLE - 123_456);
    // Once.
    ensure!(stage.coin.settle(authorization, signature).is_err());
    ensure!(stage.coin.balance(TO)? == 123_456);
    ensure!(stage.charged()? == 123_456, "counted once");
    Ok(())
}

#[test]
fn limits_bind_authorizations_and_a_key_gives_one() -> Result<()> {
    let chain = Anvil::start()?;
    let mut stage = Stage::set_up(&chain)?;
    let first = stage.ask("once", &stage.body("5"))?;
    ensure!(first.status == 201);
    let first = first.json()?;
    ensure!(field(&first, "tier")? == "NOTIFY");
    // The same again, also after a restart: the same nonce, nothing more charged.
    let again = stage.ask("once", &stage.body("5"))?;
    ensure!(again.status == 200 && again.json()?["authorization"] == first["authorization"]);
    refused(
        &stage.ask("once", &stage.body("4"))?,
        409,
        "idempotency_conflict",
    )?;
    drop(stage.setting.running);
    stage.setting.running = stage.setting.home.start_unlocked()?;
    stage.agent.renew()?;
    let again = stage.ask("once", &stage.body("5"))?;
    ensure!(again.status == 200 && again.json()?["signature"] == first["signature"]);
    ensure!(stage.charged()? == 5 * WHOLE);
    // It cannot wait, and more than the hour's limit is no more authorized than paid.
    refused(
        &stage.ask("a", &stage.body("5.000001"))?,
        403,
        "authorization_waits",
    )?;
    stage.ask("b", &stage.body("5"))?;
    stage.ask("c", &stage.body("5"))?;
    refused(&stage.ask("d", &stage.body("0.000001"))?, 403, "hour_limit")?;
    ensure!(stage.charged()? == 15 * WHOLE);
    // Nothing of the caller's making is signed.
    for (name, value, code) in [
        ("nonce", json!("0x00"), (400, "body_malformed")),
        ("validBefore", json!("99999999999"), (400, "body_malformed")),
        (
            "primaryType",
            json!("Permit"),
            (422, "typed_data_unsupported"),
        ),
        ("types", json!({}), (422, "typed_data_unsupported")),
        ("expires_in", json!(0), (400, "body_malformed")),
    ] {
        let mut body = stage.body("0.000001");
        body[name] = value;
        refused(&stage.ask(&fresh()?, &body)?, code.0, code.1)?;
    }
    let mut long = stage.body("0.000001");
    long["expires_in"] = json!(301);
    refused(&stage.ask("e", &long)?, 403, "authorization_validity")?;
    // The owner reads of each in the log.
    let log = stage
        .setting
        .home
        .cli(&["audit", "show", "--kind", "TransferAuthorized"])?;
    let events = log.as_array().or_else(|| log.get("events")?.as_array());
    ensure!(events.is_some_and(|events| events.len() == 3), "{log}");
    Ok(())
}
