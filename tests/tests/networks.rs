//! What policy says of a whole EVM network, on a real chain: payments as legacy transactions, sped up and
//! cancelled as such, and the fee for data of a rollup, asked of an oracle on the chain. To the wei.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Anvil;
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const SHOP: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const ORACLE: &str = "0x420000000000000000000000000000000000000F";
const AMOUNT: u128 = 12_345_678_901_234_567;
const DATA_FEE: u128 = 200_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// One EVM wallet with one key-bound session; `more` are further lines of the coin's entry.
struct Stage {
    chain: Anvil,
    setting: Setting,
    agent: Agent,
}

impl Stage {
    fn set_up(more: &str, options: &[&str]) -> Result<Self> {
        let chain = Anvil::start_with(options)?;
        let setting = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{SHOP}")])?;
        setting.home.adopt(
            &format!(
                "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\n\
                 decimals = 18\nper-transaction = \"1\"\nhour = \"3\"\nday = \"3\"\nweek = \"3\"\n\
                 month = \"3\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\
                 outstanding = \"10\"\nsign-only = true\n{more}\n\n[[recipient]]\nname = \"shop\"\n\
                 account = \"{EVM}:{SHOP}\"\n"
            ),
            &setting.owner,
        )?;
        let limits = [&format!("{EVM}/slip44:60=1/10")[..]];
        let agent = setting
            .home
            .agent(&setting.owner, &[&setting.wallet.0], &limits, false)?;
        chain.fund(&setting.wallet.1, 100_000_000_000_000_000_000)?;
        Ok(Self {
            chain,
            setting,
            agent,
        })
    }

    fn body(&self, amount: u128, submit: bool) -> Value {
        json!({
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "to": SHOP,
            "amount_base": amount.to_string(),
            "submit": submit,
        })
    }

    fn post(&self, target: &str, body: &Value) -> Result<Response> {
        self.agent.send(&self.agent.post(target, &fresh()?, body)?)
    }

    fn pay(&self, amount: u128, submit: bool) -> Result<Value> {
        let answer = self.post("/v1/transactions", &self.body(amount, submit))?;
        ensure!(answer.status == 201, "{}", answer.json()?);
        answer.json()
    }

    fn change(&self, payment: &Value, what: &str) -> Result<Response> {
        let target = format!("/v1/transactions/{}/{what}", text(payment, "transaction")?);
        self.post(&target, &json!({}))
    }

    fn ended(&self, payment: &str, status: &str) -> Result<Value> {
        let target = format!("/v1/transactions/{payment}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.agent.send(&self.agent.get(&target))?.json()?;
            if shown.get("status").and_then(Value::as_str) == Some(status) {
                return Ok(shown);
            }
            if Instant::now() > deadline {
                bail!("it never came to that: {shown}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The transaction as the node's pool has it.
    fn pooled(&self, payment: &Value) -> Result<Value> {
        let hash = text(payment, "chain_transaction")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = self
                .chain
                .rpc()
                .call("eth_getTransactionByHash", json!([hash]))?;
            if !known.is_null() {
                return Ok(known);
            }
            ensure!(Instant::now() < deadline, "{hash} is not in the pool");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn receipt(&self, payment: &Value) -> Result<Value> {
        let hash = text(payment, "chain_transaction")?;
        let rpc = self.chain.rpc();
        rpc.call("eth_getTransactionReceipt", json!([hash]))
    }

    /// What the chain took for a transaction that has landed.
    fn fee(&self, payment: &Value) -> Result<u128> {
        let receipt = self.receipt(payment)?;
        Ok(number(&receipt, "gasUsed")? * number(&receipt, "effectiveGasPrice")?)
    }

    fn mine(&self) -> Result<()> {
        self.chain.rpc().call("anvil_mine", json!(["0x8"]))?;
        Ok(())
    }

    fn spent(&self) -> Result<u128> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("spent")?.parse()?)
    }

    /// Puts an oracle where rollups have theirs, which answers everything with this number.
    fn oracle(&self, wei: u128) -> Result<()> {
        // PUSH32 wei, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
        let code = format!("0x7f{wei:064x}5f5260205ff3");
        self.chain
            .rpc()
            .call("anvil_setCode", json!([ORACLE, code]))?;
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("{field} in {value}"))
}

fn base(payment: &Value, field: &str) -> Result<u128> {
    Ok(text(payment, field)?.parse()?)
}

fn number(value: &Value, field: &str) -> Result<u128> {
    Ok(u128::from_str_radix(
        text(value, field)?.trim_start_matches("0x"),
        16,
    )?)
}

#[test]
fn legacy_payments_are_made_sped_up_and_cancelled() -> Result<()> {
    let stage = Stage::set_up("transactions = \"legacy\"", &["--no-mining"])?;
    let (before, shop) = (
        stage.chain.balance(&stage.setting.wallet.1)?,
        stage.chain.balance(SHOP)?,
    );
    let paid = stage.pay(AMOUNT, true)?;
    let first = stage.pooled(&paid)?;
    ensure!(first["type"] == "0x0", "{first}");
    ensure!(first["chainId"] == "0x7a69", "{first}");
    ensure!(stage.spent()? == AMOUNT + base(&paid, "fee_max_base")?);
    let answer = stage.change(&paid, "speed-up")?;
    let faster = answer.json()?;
    ensure!(answer.status == 201, "{faster}");
    let second = stage.pooled(&faster)?;
    ensure!(second["type"] == "0x0" && second["nonce"] == first["nonce"]);
    let (price, more) = (number(&first, "gasPrice")?, number(&second, "gasPrice")?);
    ensure!(more * 10 >= price * 11, "{price} and then {more}");
    ensure!(stage.spent()? == AMOUNT + base(&faster, "fee_max_base")?);
    stage.mine()?;
    let landed = stage.ended(text(&faster, "transaction")?, "CONFIRMED")?;
    stage.ended(text(&paid, "transaction")?, "CANCELLED")?;
    // All of the gas price is paid: the worst case is what it took.
    let fee = stage.fee(&landed)?;
    ensure!(fee == base(&landed, "fee_max_base")?, "{fee} of {landed}");
    ensure!(stage.chain.balance(SHOP)? - shop == AMOUNT, "not once");
    let took = before - stage.chain.balance(&stage.setting.wallet.1)?;
    ensure!(took == AMOUNT + fee, "{took}");

    let unwanted = stage.pay(AMOUNT, true)?;
    stage.pooled(&unwanted)?;
    let answer = stage.change(&unwanted, "cancel")?;
    let cancelled = answer.json()?;
    ensure!(answer.status == 202, "{cancelled}");
    let by = text(&cancelled, "replaced_by")?.to_owned();
    let target = format!("/v1/transactions/{by}");
    let shown = stage.agent.send(&stage.agent.get(&target))?.json()?;
    ensure!(shown["cancels"] == true, "{shown}");
    let nothing = stage.pooled(&shown)?;
    ensure!(nothing["type"] == "0x0", "{nothing}");
    ensure!(nothing["value"] == "0x0", "{nothing}");
    stage.mine()?;
    let landed = stage.ended(&by, "CONFIRMED")?;
    stage.ended(text(&unwanted, "transaction")?, "CANCELLED")?;
    ensure!(
        stage.chain.balance(SHOP)? - shop == AMOUNT,
        "paid after all"
    );
    let took = before - stage.chain.balance(&stage.setting.wallet.1)?;
    ensure!(took == AMOUNT + fee + stage.fee(&landed)?, "{took}");
    Ok(())
}

/// eth-account and viem, which share no code with the product, read the signed bytes as what was asked.
#[test]
fn foreign_programs_read_legacy_payments_as_they_were_asked() -> Result<()> {
    let stage = Stage::set_up("transactions = \"legacy\"", &[])?;
    let mut expected = Vec::new();
    for (nonce, amount) in [1, AMOUNT, 99_999_999_999].into_iter().enumerate() {
        let said = stage.pay(amount, false)?;
        let raw = STANDARD.decode(text(&said, "signed_transaction")?)?;
        ensure!(raw.first().is_some_and(|first| *first >= 0xc0), "a type");
        expected.push(json!({
            "family": "evm",
            "raw": hex::encode(raw),
            "from": stage.setting.wallet.1,
            "to": SHOP,
            "amount": amount.to_string(),
            "chainId": Anvil::CHAIN_ID,
            "nonce": nonce,
            "legacy": true,
        }));
    }
    let expected = json!(expected).to_string();
    for said in [
        foreign::python("verify.py", &[&expected])?,
        foreign::node("verify.mjs", &[&expected])?,
    ] {
        ensure!(
            said == r#"{"checked": 3}"# || said == r#"{"checked":3}"#,
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn the_fee_for_data_is_shown_counted_and_bounded() -> Result<()> {
    let stage = Stage::set_up("data-fee-ceiling = \"0.0002\"", &[])?;
    // No oracle on this chain: the ceiling counts all the same.
    let before = stage.chain.balance(&stage.setting.wallet.1)?;
    let paid = stage.pay(AMOUNT, true)?;
    ensure!(base(&paid, "fee_max_base")? > DATA_FEE, "{paid}");
    ensure!(stage.spent()? == AMOUNT + base(&paid, "fee_max_base")?);
    stage.mine()?;
    let landed = stage.ended(text(&paid, "transaction")?, "CONFIRMED")?;
    let took = before - stage.chain.balance(&stage.setting.wallet.1)?;
    ensure!(took == AMOUNT + stage.fee(&landed)?, "{took}");
    ensure!(stage.spent()? >= took, "charged less than the chain took");

    // Both of its fees together, and a quarter more, are just within.
    stage.oracle(DATA_FEE / 5 * 2)?;
    let dry = stage.post("/v1/transactions/dry-run", &stage.body(AMOUNT, true))?;
    let judged = dry.json()?;
    ensure!(judged["allowed"] == true, "{judged}");
    ensure!(
        base(&judged, "data_fee_base")? == DATA_FEE / 5 * 4,
        "{judged}"
    );
    ensure!(base(&judged, "fee_max_base")? > DATA_FEE, "{judged}");
    stage.pay(AMOUNT, true)?;
    // One wei above, nothing is signed, and why is said.
    let (spent, nonce) = (
        stage.spent()?,
        stage.chain.next_nonce(&stage.setting.wallet.1)?,
    );
    stage.oracle(DATA_FEE / 5 * 2 + 1)?;
    let refused = stage.post("/v1/transactions", &stage.body(AMOUNT, true))?;
    let problem = refused.json()?;
    ensure!(refused.status == 422, "{problem}");
    ensure!(problem["code"] == "data_fee_ceiling", "{problem}");
    ensure!(stage.spent()? == spent, "charged for nothing");
    ensure!(stage.chain.next_nonce(&stage.setting.wallet.1)? <= nonce + 1);
    Ok(())
}
