//! EVM transactions that an agent brings, on a real chain: built by eth-account on the nonce that the chain tells, signed
//! by the wallet as they are, sent by eth-account again; and what policy does not know, other nonces and other bytes,
//! refused before anything is signed. To the unit.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::{Books, base, charged, quantity, text};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use waiaas_tests::token::{TestToken, TestVault};
use xtask::agent::{Agent, fresh};
use xtask::chains::Anvil;
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const COIN: &str = "eip155:31337/slip44:60";
const SHOP: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const STRANGER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const CHAIN: &str = "31337";
const ETHER: u128 = 1_000_000_000_000_000_000;
/// Base units of one whole token.
const WHOLE: u128 = 1_000_000;
const TRANSFER: &str = "transfer(address,uint256)";
const DEPOSIT: &str = "deposit(uint256,address)";

/// A wallet with tokens and some ether, a vault that its owner registered, and an agent that may sign without sending.
struct Stage<'chain> {
    setting: Setting,
    agent: Agent,
    token: TestToken<'chain>,
    vault: TestVault<'chain>,
    chain: &'chain Anvil,
}

impl<'chain> Stage<'chain> {
    fn set_up(chain: &'chain Anvil) -> Result<Self> {
        let setting = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{SHOP}")])?;
        let token = TestToken::deploy(chain)?;
        let vault = TestVault::deploy(chain, &token)?;
        setting
            .home
            .adopt(&policy(&token, &vault), &setting.owner)?;
        let limits = [
            format!("{COIN}=0.02/1"),
            format!("{}=50/1000", token.asset()),
        ];
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let operations = [
            "native-transfer",
            "token-transfer",
            "token-approval",
            "call",
        ];
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

    /// As eth-account builds it.
    fn built(
        &self,
        nonce: &str,
        chain: &str,
        to: &str,
        value: &str,
        called: &[&str],
    ) -> Result<Built> {
        let wallet = &*self.setting.wallet.1;
        let fixed = ["build", self.chain.url(), wallet, nonce, chain, to, value];
        let said = foreign::python("brought_evm.py", &[&fixed[..], called].concat())?;
        let said: Value = serde_json::from_str(&said)?;
        let nonce = said.get("nonce").and_then(Value::as_u64);
        Ok(Built {
            nonce: nonce.context("a nonce")?,
            transaction: text(&said, "transaction")?.to_owned(),
        })
    }

    fn token_transfer(&self, nonce: &str, to: &str, units: &str) -> Result<Built> {
        let token = self.token.address.to_string();
        self.built(nonce, CHAIN, &token, "0", &[TRANSFER, to, units])
    }

    fn deposit(&self, nonce: &str, units: &str, receiver: &str) -> Result<Built> {
        let vault = self.vault.address.to_string();
        self.built(nonce, CHAIN, &vault, "0", &[DEPOSIT, units, receiver])
    }

    fn bring(&self, transaction: &str) -> Result<Response> {
        let body = json!({
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "transaction": transaction,
        });
        let target = "/v1/transactions/sign";
        self.agent.send(&self.agent.post(target, &fresh()?, &body)?)
    }

    /// Signed by the wallet, and nothing is on the chain yet.
    fn signed(&self, built: &Built) -> Result<Value> {
        let used = self.chain.next_nonce(&self.setting.wallet.1)?;
        let answer = self.bring(&built.transaction)?;
        let said = answer.json()?;
        ensure!(answer.status == 201, "{} {said}", answer.status);
        ensure!(text(&said, "status")? == "SUBMITTED", "{said}");
        ensure!(said.get("signatures_missing").is_none(), "{said}");
        ensure!(
            self.chain.next_nonce(&self.setting.wallet.1)? == used,
            "sent"
        );
        Ok(said)
    }

    /// eth-account finds the brought bytes and the wallet's signature in it, and sends it; the chain's receipt.
    fn sends(&self, built: &Built, signed: &Value) -> Result<Value> {
        let wallet = &*self.setting.wallet.1;
        let raw = text(signed, "signed_transaction")?;
        let arguments = ["send", self.chain.url(), wallet, &built.transaction, raw];
        let receipt: Value = serde_json::from_str(&foreign::python("brought_evm.py", &arguments)?)?;
        ensure!(text(&receipt, "status")? == "0x1", "{receipt}");
        let name = text(&receipt, "transactionHash")?;
        ensure!(text(signed, "chain_transaction")? == name, "{signed}");
        Ok(receipt)
    }

    /// The gateway finds on the chain what somebody else sent.
    fn ended(&self, payment: &Value) -> Result<Value> {
        let target = format!("/v1/transactions/{}?wait=60", text(payment, "transaction")?);
        let shown = self.agent.send(&self.agent.get(&target))?.json()?;
        ensure!(text(&shown, "status")? == "CONFIRMED", "{shown}");
        Ok(shown)
    }

    fn books(&self) -> Books<'_> {
        Books {
            chain: self.chain,
            agent: &self.agent,
            wallet: &self.setting.wallet.1,
            coin: COIN,
        }
    }

    fn refused(&self, built: &Built, status: u16, code: &str) -> Result<Value> {
        self.refused_bytes(&built.transaction, status, code)
    }

    fn refused_bytes(&self, transaction: &str, status: u16, code: &str) -> Result<Value> {
        let answer = self.bring(transaction)?;
        let problem = answer.json()?;
        ensure!(
            answer.status == status && text(&problem, "code")? == code,
            "not {status} {code} but {}: {problem}",
            answer.status
        );
        Ok(problem)
    }

    /// Leave for the vault, as the owner signs it.
    fn let_take(&self, amount: &str) -> Result<()> {
        let body = json!({
            "type": "approve",
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "asset": self.token.asset(),
            "spender": "@vault",
            "amount": amount,
        });
        let request = self.agent.post("/v1/transactions", &fresh()?, &body)?;
        let said = self.agent.send(&request)?.json()?;
        let payment = text(&said, "transaction")?;
        let owner = self.setting.owner.to_str().context("a path")?;
        let approves = ["payment", "approve", payment, "--owner-key", owner, "--yes"];
        self.setting.home.cli(&approves)?;
        self.ended(&said).map(drop)
    }
}

/// Unsigned, as it was made elsewhere.
struct Built {
    nonce: u64,
    transaction: String,
}

fn policy(token: &TestToken<'_>, vault: &TestVault<'_>) -> String {
    let (asset, contract) = (token.asset(), vault.address);
    let limits = |one: &str, all: &str| {
        format!(
            "per-transaction = \"{one}\"\nhour = \"{all}\"\nday = \"{all}\"\nweek = \"{all}\"\n\
             month = \"{all}\"\ninstant-up-to = \"{one}\"\nnotify-up-to = \"{one}\"\n"
        )
    };
    let (ether, units) = (limits("0.02", "0.1"), limits("50", "100"));
    format!(
        r#"version = 1
epoch = 1

[[asset]]
id = "{COIN}"
symbol = "ETH"
decimals = 18
fee-ceiling = "0.01"
outstanding = "1"
sign-only = true
{ether}
[[asset]]
id = "{asset}"
symbol = "USDX"
decimals = 6
outstanding = "1000"
approve-up-to = "50"
{units}
[[recipient]]
name = "shop"
account = "{EVM}:{SHOP}"

[[recipient]]
name = "vault"
account = "{EVM}:{contract}"

[[call]]
target = "{EVM}:{contract}"
function = "{DEPOSIT}"
tier = "INSTANT"
arguments = [{{ max = "30000000", spends = "{asset}" }}, {{ wallet = true }}]
"#
    )
}

#[test]
fn a_token_transfer_and_a_call_that_were_built_elsewhere_land_as_they_are() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let (own, asset) = (stage.setting.wallet.1.clone(), stage.token.asset());

    let before = stage.books().read()?;
    let built = stage.token_transfer("next", SHOP, "12345678")?;
    ensure!(built.nonce == 0, "{}", built.nonce);
    let signed = stage.signed(&built)?;
    ensure!(text(&signed, "asset")? == asset, "{signed}");
    ensure!(base(&signed, "amount_base")? == 12_345_678, "{signed}");
    ensure!(stage.token.balance(SHOP)? == 0);
    // The nonce is issued. Before the chain has seen it, a node still tells the old one; the refusal tells the next.
    let stale = stage.token_transfer("next", SHOP, "1")?;
    ensure!(stale.nonce == 0, "{}", stale.nonce);
    let told = stage.refused(&stale, 409, "brought_nonce")?;
    let broken = told.pointer("/violations/0").context("a reason")?;
    ensure!(
        base(broken, "observed")? == 0 && base(broken, "allowed")? == 1,
        "{told}"
    );
    stage.sends(&built, &signed)?;
    let ended = stage.ended(&signed)?;
    ensure!(stage.token.balance(SHOP)? == 12_345_678);
    ensure!(stage.token.balance(&own)? == 100 * WHOLE - 12_345_678);
    ensure!(charged(&stage.agent, &asset)? == 12_345_678);
    let cost = stage.books().settled(before, 0, &[&ended])?;
    ensure!(cost.charged == base(&signed, "fee_max_base")?, "{cost:?}");
    // The same bytes a second time: no wallet's nonce is used twice, and the chain takes them once.
    stage.refused(&built, 409, "brought_nonce")?;
    let again = ["refused", chain.url(), text(&signed, "signed_transaction")?];
    foreign::python("brought_evm.py", &again)?;
    ensure!(stage.token.balance(SHOP)? == 12_345_678, "paid twice");

    // A registered call, on the nonce behind what the wallet itself did meanwhile.
    stage.let_take("40")?;
    let leave = charged(&stage.agent, &asset)?;
    ensure!(leave == 12_345_678 + 40 * WHOLE);
    let before = stage.books().read()?;
    let built = stage.deposit("next", "20000001", &own)?;
    ensure!(built.nonce == 2, "{}", built.nonce);
    let signed = stage.signed(&built)?;
    ensure!(text(&signed, "function")? == DEPOSIT, "{signed}");
    ensure!(
        signed.get("args") == Some(&json!(["20000001", own])),
        "{signed}"
    );
    let receipt = stage.sends(&built, &signed)?;
    let ended = stage.ended(&signed)?;
    ensure!(stage.vault.shares(&own)? == 20_000_001);
    ensure!(stage.token.balance(&stage.vault.address.to_string())? == 20_000_001);
    ensure!(charged(&stage.agent, &asset)? == leave + 20_000_001);
    let cost = stage.books().settled(before, 0, &[&ended])?;
    let paid = quantity(&receipt, "gasUsed")? * quantity(&receipt, "effectiveGasPrice")?;
    ensure!(
        cost.left == paid && cost.charged == base(&signed, "fee_max_base")?,
        "{cost:?}"
    );

    // The coin itself.
    let before = stage.books().read()?;
    let built = stage.built("next", CHAIN, SHOP, "1234567890123", &[])?;
    let signed = stage.signed(&built)?;
    stage.sends(&built, &signed)?;
    let ended = stage.ended(&signed)?;
    stage
        .books()
        .settled(before, 1_234_567_890_123, &[&ended])?;
    ensure!(chain.balance(SHOP)? == 1_234_567_890_123);
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

#[test]
fn what_was_built_elsewhere_and_is_not_allowed_is_not_signed() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let (own, token) = (
        stage.setting.wallet.1.clone(),
        stage.token.address.to_string(),
    );
    let before = stage.books().read()?;
    // A gap, and beyond all that there is.
    for nonce in ["1", "2", "1000000"] {
        let gap = stage.token_transfer(nonce, SHOP, "1")?;
        let told = stage.refused(&gap, 409, "brought_nonce")?;
        let broken = told.pointer("/violations/0").context("a reason")?;
        ensure!(base(broken, "allowed")? == 0, "{told}");
    }
    // Sound bytes, and policy against them.
    for (case, built, status, code) in [
        ("a stranger", stage.token_transfer("0", STRANGER, "1")?, 403, "recipient_not_listed"),
        ("too much", stage.token_transfer("0", SHOP, "50000001")?, 403, "per_transaction_limit"),
        ("nothing", stage.token_transfer("0", SHOP, "0")?, 422, "amount_invalid"),
        ("for somebody else", stage.deposit("0", "1", STRANGER)?, 403, "call_argument_wallet"),
        ("beyond the rule", stage.deposit("0", "30000001", &own)?, 403, "call_argument_limit"),
        (
            "another token",
            stage.built("0", CHAIN, STRANGER, "0", &[TRANSFER, SHOP, "1"])?,
            403,
            "asset_not_listed",
        ),
        (
            "a function that nobody registered",
            stage.built("0", CHAIN, &stage.vault.address.to_string(), "0", &["give(address)", STRANGER])?,
            422,
            "transaction_undecodable",
        ),
        (
            "another chain",
            stage.built("0", "1", &token, "0", &[TRANSFER, SHOP, "1"])?,
            422,
            "transaction_undecodable",
        ),
        (
            "wei with a token",
            stage.built("0", CHAIN, &token, "1", &[TRANSFER, SHOP, "1"])?,
            422,
            "transaction_undecodable",
        ),
        (
            "an approval without limit",
            stage.built(
                "0",
                CHAIN,
                &token,
                "0",
                &[
                    "approve(address,uint256)",
                    SHOP,
                    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
                ],
            )?,
            422,
            "approval_unlimited",
        ),
    ] {
        stage.refused(&built, status, code).context(case)?;
    }
    // Other bytes than a transaction: one more, one less, another type, no prefix.
    let sound = stage.token_transfer("0", SHOP, "1000000")?.transaction;
    let (short, other) = (&sound[..sound.len() - 2], sound.replacen("0x02", "0x01", 1));
    for (bytes, status, code) in [
        (format!("{sound}00"), 422, "transaction_undecodable"),
        (short.to_owned(), 422, "transaction_undecodable"),
        (other, 422, "transaction_undecodable"),
        (sound[2..].to_owned(), 400, "brought_malformed"),
        (
            sound[..sound.len() - 1].to_owned(),
            400,
            "brought_malformed",
        ),
    ] {
        stage.refused_bytes(&bytes, status, code)?;
    }
    let cost = stage.books().settled(before, 0, &[])?;
    ensure!(cost.charged == 0, "{cost:?}");
    ensure!(charged(&stage.agent, &stage.token.asset())? == 0);
    ensure!(stage.token.balance(&own)? == 100 * WHOLE);
    // Nothing above used the nonce up.
    let answer = stage.bring(&sound)?;
    ensure!(answer.status == 201, "{}", answer.json()?);
    Ok(())
}
