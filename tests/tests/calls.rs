//! Calls of a contract on a real local chain: an agent puts tokens into a vault and takes them out again, to
//! the unit, and whatever the owner did not register is refused before anything is signed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::setting::Setting;
use waiaas_tests::token::{TestToken, TestVault};
use xtask::agent::{Agent, fresh};
use xtask::chains::Anvil;
use xtask::home::Home;
use xtask::http::Response;
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const STRANGER: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const ETHER: u128 = 1_000_000_000_000_000_000;
const FINNEY: u128 = 1_000_000_000_000_000;
/// Base units of one whole token.
const WHOLE: u128 = 1_000_000;

const DEPOSIT: &str = "deposit(uint256,address)";
const WITHDRAW: &str = "withdraw(uint256)";

/// A wallet with tokens and some ether, a vault that its owner registered, and an agent.
struct Stage<'chain> {
    setting: Setting,
    agent: Agent,
    token: TestToken<'chain>,
    vault: TestVault<'chain>,
    chain: &'chain Anvil,
}

impl<'chain> Stage<'chain> {
    fn set_up(chain: &'chain Anvil) -> Result<Self> {
        let setting = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{STRANGER}")])?;
        let token = TestToken::deploy(chain)?;
        let vault = TestVault::deploy(chain, &token)?;
        let (asset, contract) = (token.asset(), vault.address);
        setting.home.adopt(
            &format!(
                r#"version = 1
epoch = 1

[[asset]]
id = "{EVM}/slip44:60"
symbol = "ETH"
decimals = 18
per-transaction = "0.02"
hour = "0.1"
day = "0.1"
week = "0.1"
month = "0.1"
instant-up-to = "0.02"
notify-up-to = "0.02"
fee-ceiling = "0.01"
outstanding = "1"

[[asset]]
id = "{asset}"
symbol = "USDX"
decimals = 6
per-transaction = "50"
hour = "80"
day = "80"
week = "80"
month = "80"
instant-up-to = "50"
notify-up-to = "50"
approve-up-to = "50"
outstanding = "1000"

[[recipient]]
name = "vault"
account = "{EVM}:{contract}"

[[call]]
target = "{EVM}:{contract}"
function = "{DEPOSIT}"
tier = "INSTANT"
arguments = [{{ max = "30000000", spends = "{asset}" }}, {{ wallet = true }}]

[[call]]
target = "{EVM}:{contract}"
function = "{WITHDRAW}"
arguments = [{{ any = true }}]

[[call]]
target = "{EVM}:{contract}"
function = "pay()"
tier = "INSTANT"
value-up-to = "0.001"
arguments = []

[[call]]
target = "{EVM}:{STRANGER}"
function = "pay()"
tier = "INSTANT"
value-up-to = "0.001"
"#
            ),
            &setting.owner,
        )?;
        let limits = [
            format!("{EVM}/slip44:60=0.02/1"),
            format!("{asset}=50/1000"),
        ];
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let operations = ["token-approval", "call"];
        let operations = operations.map(|name| ["--operation", name]).concat();
        let agent = setting.home.agent_with(
            &setting.owner,
            &[&setting.wallet.0],
            &limits,
            false,
            &operations,
        )?;
        chain.fund(&setting.wallet.1, ETHER)?;
        token.mint(&setting.wallet.1, 100 * WHOLE)?;
        Ok(Self {
            setting,
            agent,
            token,
            vault,
            chain,
        })
    }

    fn call(&self, function: &str, arguments: &[&str], value: u128) -> Result<Response> {
        self.call_of(&self.vault.address.to_string(), function, arguments, value)
    }

    fn call_of(
        &self,
        contract: &str,
        function: &str,
        arguments: &[&str],
        value: u128,
    ) -> Result<Response> {
        self.post(&json!({
            "type": "call",
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "contract": contract,
            "function": function,
            "args": arguments,
            "value": value.to_string(),
        }))
    }

    fn deposit(&self, amount: &str) -> Result<Response> {
        self.call(DEPOSIT, &[amount, &self.setting.wallet.1], 0)
    }

    fn post(&self, body: &Value) -> Result<Response> {
        let path = "/v1/transactions?wait=30";
        self.agent.send(&self.agent.post(path, &fresh()?, body)?)
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.agent.send(&self.agent.get(path))?.json()
    }

    /// The owner's signature for a payment that waits, and then its end.
    fn approve(&self, payment: &str) -> Result<()> {
        let owner = self.setting.home.owner(&[])?;
        let owner = owner.to_str().context("a path")?;
        let key = ["--owner-key", owner, "--yes"];
        self.setting
            .home
            .cli(&[&["payment", "approve", payment], &key[..]].concat())?;
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let shown = self.get(&format!("/v1/transactions/{payment}?wait=30"))?;
            match field(&shown, "status")? {
                "CONFIRMED" => return Ok(()),
                status => ensure!(Instant::now() < until, "{status}: {shown}"),
            }
        }
    }

    /// Leave for the vault to take so much.
    fn let_take(&self, amount: &str) -> Result<()> {
        let asked = self.post(&json!({
            "type": "approve",
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "asset": self.token.asset(),
            "spender": "@vault",
            "amount": amount,
        }))?;
        let said = asked.json()?;
        ensure!(asked.status == 202, "{} {said}", asked.status);
        self.approve(field(&said, "transaction")?)
    }

    /// What the session's grant has counted of an asset.
    fn charged(&self, asset: &str) -> Result<u128> {
        let session = self.get("/v1/session")?;
        let limits = session.get("limits").and_then(Value::as_array);
        let of_asset = limits
            .into_iter()
            .flatten()
            .find(|limit| limit.get("asset") == Some(&json!(asset)))
            .context("the asset's limit")?;
        Ok(field(of_asset, "spent")?.parse()?)
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

fn refused(answer: &Response, status: u16, code: &str) -> Result<Value> {
    let problem = answer.json()?;
    ensure!(
        answer.status == status && field(&problem, "code")? == code,
        "not {status} {code} but {}: {problem}",
        answer.status
    );
    Ok(problem)
}

fn confirmed(answer: &Response) -> Result<Value> {
    let said = answer.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    Ok(said)
}

#[test]
fn an_agent_puts_tokens_into_a_vault_to_the_unit() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let (own, vault) = (
        stage.setting.wallet.1.clone(),
        stage.vault.address.to_string(),
    );
    // Without leave to take them the vault reverts, and nothing is signed.
    let told = refused(&stage.deposit("1")?, 422, "would_fail")?;
    ensure!(field(&told, "detail")?.contains("not approved"), "{told}");
    ensure!(chain.next_nonce(&own)? == 0);
    stage.let_take("40")?;
    ensure!(stage.charged(&stage.token.asset())? == 40 * WHOLE);

    let said = confirmed(&stage.deposit("12345678")?)?;
    ensure!(field(&said, "type")? == "call", "{said}");
    ensure!(field(&said, "to")? == vault, "{said}");
    ensure!(field(&said, "function")? == DEPOSIT, "{said}");
    ensure!(
        said.get("args") == Some(&json!(["12345678", own])),
        "{said}"
    );
    ensure!(stage.token.balance(&vault)? == 12_345_678);
    ensure!(stage.token.balance(&own)? == 100 * WHOLE - 12_345_678);
    ensure!(stage.vault.shares(&own)? == 12_345_678);
    // An amount of the token counts by the token's limits, beside the leave that was given.
    ensure!(stage.charged(&stage.token.asset())? == 40 * WHOLE + 12_345_678);

    // Out again, with the owner's signature over every argument.
    let asked = stage.call(WITHDRAW, &["2000001"], 0)?;
    let said = asked.json()?;
    ensure!(asked.status == 202, "{} {said}", asked.status);
    ensure!(field(&said, "waits_for")? == "owner", "{said}");
    let payment = field(&said, "transaction")?;
    let waiting = stage.setting.home.cli(&["payment", "list"])?;
    let shown = waiting.pointer("/payments/0").context("a payment")?;
    ensure!(field(shown, "function")? == WITHDRAW, "{shown}");
    ensure!(shown.get("args") == Some(&json!(["2000001"])), "{shown}");
    let owner = stage.setting.home.owner(&[])?;
    let owner = owner.to_str().context("a path")?;
    let read = stage
        .setting
        .home
        .command(&["payment", "approve", payment, "--owner-key", owner])
        .stdin(std::process::Stdio::null())
        .output()?;
    let read = [read.stdout, read.stderr].concat();
    let read = String::from_utf8_lossy(&read);
    for line in [
        format!("Contract: {vault}"),
        "The contract is: @vault in your policy".to_owned(),
        format!("Function: {WITHDRAW}"),
        "Argument 1 of 1: uint256 2000001".to_owned(),
    ] {
        ensure!(read.contains(&line), "{line}\n{read}");
    }
    ensure!(stage.vault.shares(&own)? == 12_345_678, "not without a yes");
    stage.approve(payment)?;
    ensure!(stage.vault.shares(&own)? == 10_345_677);
    ensure!(stage.token.balance(&vault)? == 10_345_677);
    ensure!(stage.token.balance(&own)? == 100 * WHOLE - 10_345_677);

    // The chain's coin goes along up to what the owner allowed, and counts.
    let before = stage.charged(&format!("{EVM}/slip44:60"))?;
    let ether = chain.balance(&own)?;
    let said = confirmed(&stage.call("pay()", &[], FINNEY)?)?;
    ensure!(stage.vault.paid(&own)? == FINNEY && chain.balance(&vault)? == FINNEY);
    let took = ether - chain.balance(&own)?;
    let fee: u128 = field(&said, "fee_paid_base")?.parse()?;
    ensure!(took == FINNEY + fee, "{said}");
    let charged = stage.charged(&format!("{EVM}/slip44:60"))? - before;
    ensure!(charged >= took, "charged {charged}, the chain took {took}");
    let shown = stage.setting.home.cli(&["audit", "show"])?.to_string();
    ensure!(shown.contains(&format!("by {DEPOSIT} of 12345678 {own}")));
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

#[test]
fn what_the_owner_did_not_register_is_refused() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let own = stage.setting.wallet.1.clone();
    stage.let_take("45")?;
    let nonce = chain.next_nonce(&own)?;
    // Another function, an argument beyond its limit, somebody else's address.
    refused(
        &stage.call("give(address)", &[STRANGER], 0)?,
        403,
        "call_not_listed",
    )?;
    let told = refused(&stage.deposit("30000001")?, 403, "call_argument_limit")?;
    let broken = told.pointer("/violations/0").context("a reason")?;
    ensure!(field(broken, "observed")? == "30000001", "{told}");
    ensure!(field(broken, "allowed")? == "30000000", "{told}");
    refused(
        &stage.call(DEPOSIT, &["1", STRANGER], 0)?,
        403,
        "call_argument_wallet",
    )?;
    // More wei than the rule allows, or any where it allows none.
    refused(&stage.call("pay()", &[], FINNEY + 1)?, 403, "call_value")?;
    refused(&stage.call(DEPOSIT, &["1", &own], 1)?, 403, "call_value")?;
    // A registered address without code would keep what came along.
    let told = refused(
        &stage.call_of(STRANGER, "pay()", &[], 1)?,
        422,
        "would_fail",
    )?;
    ensure!(field(&told, "detail")?.contains("no contract"), "{told}");
    // Not of their types, too few, and types that are not read.
    for (function, arguments) in [
        (DEPOSIT, vec!["-1", own.as_str()]),
        (DEPOSIT, vec!["1"]),
        (DEPOSIT, vec!["1", "@vault"]),
        ("deposit(uint,address)", vec!["1", own.as_str()]),
        ("deposit(bytes)", vec!["0x00"]),
    ] {
        let answer = stage.call(function, &arguments, 0)?;
        refused(&answer, 400, "body_malformed")?;
    }
    // The window sees what calls spend: 45 of leave, and 30 of the 35 that are left of the hour.
    confirmed(&stage.deposit("30000000")?)?;
    let told = refused(&stage.deposit("5000001")?, 403, "hour_limit")?;
    ensure!(field(&told, "allowed_now")? == "5000000", "{told}");
    confirmed(&stage.deposit("5000000")?)?;
    ensure!(stage.vault.shares(&own)? == 35 * WHOLE);
    ensure!(stage.vault.shares(STRANGER)? == 0 && stage.chain.balance(STRANGER)? == 0);
    ensure!(chain.next_nonce(&own)? == nonce + 2, "two were signed");
    Ok(())
}

/// A policy that would register a method of tokens, or two functions that begin alike, is refused with its reason.
#[test]
fn the_check_of_a_policy_says_why_a_call_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::for_tests()?;
    let home = Home::create(&product, &folder.path().join("home"), &[])?;
    let policy = |calls: &[(&str, &str)]| -> Result<std::process::Output> {
        let mut text = format!(
            r#"version = 1
epoch = 1

[[asset]]
id = "{EVM}/slip44:60"
symbol = "ETH"
decimals = 18
per-transaction = "0.02"
hour = "0.1"
day = "0.1"
week = "0.1"
month = "0.1"
instant-up-to = "0.02"
notify-up-to = "0.02"
outstanding = "1"
"#
        );
        for (function, arguments) in calls {
            text.push_str(&format!(
                "\n[[call]]\ntarget = \"{EVM}:{STRANGER}\"\nfunction = \"{function}\"\narguments = {arguments}\n"
            ));
        }
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, text)?;
        let file = file.to_str().context("a path")?;
        Ok(home.command(&["policy", "check", file]).output()?)
    };
    let said = policy(&[(DEPOSIT, "[{ max = \"5\" }, { wallet = true }]")])?;
    let words = String::from_utf8_lossy(&said.stdout);
    ensure!(said.status.success(), "{said:?}");
    for word in [
        "deposit(uint256,address)",
        "argument 1 (uint256)",
        "up to 5",
        "this wallet's address",
    ] {
        ensure!(words.contains(word), "{word}\n{words}");
    }
    for (calls, why) in [
        (
            vec![(
                "transfer(address,uint256)",
                "[{ any = true }, { any = true }]",
            )],
            "a transfer or an approval is asked for as such",
        ),
        (
            vec![("many_msg_babbage(bytes1)", "[{ any = true }]")],
            "a transfer or an approval is asked for as such",
        ),
        (
            vec![
                ("burn(uint256)", "[{ any = true }]"),
                ("collate_propagate_storage(bytes16)", "[{ any = true }]"),
            ],
            "the same selector",
        ),
        (vec![(DEPOSIT, "[{ max = \"5\" }]")], "each argument"),
        (vec![(DEPOSIT, "[{ max = \"5\" }, {}]")], "each argument"),
        (vec![("deposit(bytes)", "[{ any = true }]")], "types are"),
    ] {
        let said = policy(&calls)?;
        let words = String::from_utf8_lossy(&said.stderr);
        ensure!(!said.status.success(), "{calls:?}");
        ensure!(words.contains(why), "{why}\n{words}");
    }
    Ok(())
}
