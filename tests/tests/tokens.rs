//! ERC-20 on a real local chain: an agent pays in a token over REST, to the unit, and what a token does
//! otherwise is seen before anything is signed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use waiaas_tests::token::{TestPieces, TestToken};
use xtask::agent::{Agent, fresh};
use xtask::chains::Anvil;
use xtask::http::Response;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const ETHER: u128 = 1_000_000_000_000_000_000;
/// Base units of one whole token.
const WHOLE: u128 = 1_000_000;

/// A wallet with tokens and some ether, and an agent that may spend both.
struct Stage<'chain> {
    setting: Setting,
    agent: Agent,
    token: TestToken<'chain>,
    pieces: TestPieces<'chain>,
    chain: &'chain Anvil,
}

impl<'chain> Stage<'chain> {
    fn set_up(chain: &'chain Anvil) -> Result<Self> {
        let setting = Setting::start(EVM, chain.url(), &[&format!("{EVM}:{TO}")])?;
        let token = TestToken::deploy(chain)?;
        let asset = token.asset();
        let pieces = TestPieces::deploy(chain)?;
        let (piece, kind) = (pieces.asset("erc721", 1), pieces.asset("erc1155", 1));
        setting.home.adopt(
            &format!(
                r#"version = 1
epoch = 1

[[asset]]
id = "{EVM}/slip44:60"
symbol = "ETH"
decimals = 18
per-transaction = "0.01"
hour = "0.1"
day = "0.1"
week = "0.1"
month = "0.1"
instant-up-to = "0.01"
notify-up-to = "0.01"
fee-ceiling = "0.01"
outstanding = "1"
sign-only = true

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

[[asset]]
id = "{piece}"
symbol = "PIECE"
decimals = 0
per-transaction = "1"
hour = "5"
day = "5"
week = "5"
month = "5"
instant-up-to = "1"
notify-up-to = "1"
outstanding = "5"

[[asset]]
id = "{kind}"
symbol = "KIND"
decimals = 0
per-transaction = "4"
hour = "5"
day = "5"
week = "5"
month = "5"
instant-up-to = "4"
notify-up-to = "4"
outstanding = "5"

[[recipient]]
name = "shop"
account = "{EVM}:{TO}"
"#
            ),
            &setting.owner,
        )?;
        let limits = [
            format!("{EVM}/slip44:60=0.01/1"),
            format!("{asset}=50/1000"),
            format!("{piece}=1/5"),
            format!("{kind}=4/5"),
        ];
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let operations = ["token-transfer", "token-approval"];
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
            pieces,
            chain,
        })
    }

    fn body(&self, amount: &str) -> Value {
        json!({
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": EVM,
            "asset": self.token.asset(),
            "to": "@shop",
            "amount": amount,
        })
    }

    fn post(&self, path: &str, body: &Value) -> Result<Response> {
        self.agent.send(&self.agent.post(path, &fresh()?, body)?)
    }

    fn pay(&self, amount: &str) -> Result<Response> {
        self.post("/v1/transactions?wait=30", &self.body(amount))
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.agent.send(&self.agent.get(path))?.json()
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

    /// Nothing moved and nothing was charged.
    fn untouched(&self) -> Result<()> {
        ensure!(self.token.balance(&self.setting.wallet.1)? == 100 * WHOLE);
        ensure!(self.chain.next_nonce(&self.setting.wallet.1)? == 0);
        ensure!(self.charged(&self.token.asset())? == 0, "it was charged");
        Ok(())
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

#[test]
fn an_agent_pays_in_a_token_to_the_unit() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let ether = chain.balance(&stage.setting.wallet.1)?;
    let said = stage.pay("12.345678")?.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    ensure!(field(&said, "asset")? == stage.token.asset(), "{said}");
    ensure!(field(&said, "amount_base")? == "12345678", "{said}");
    ensure!(stage.token.balance(TO)? == 12_345_678);
    ensure!(stage.token.balance(&stage.setting.wallet.1)? == 100 * WHOLE - 12_345_678);
    // The token counts by its own limit, the fee by the coin's, at least as much as the chain took.
    let took = ether - chain.balance(&stage.setting.wallet.1)?;
    ensure!(took > 0 && chain.balance(TO)? == 0);
    ensure!(stage.charged(&stage.token.asset())? == 12_345_678);
    let charged = stage.charged(&format!("{EVM}/slip44:60"))?;
    ensure!(charged >= took, "charged {charged}, the chain took {took}");
    ensure!(
        field(&said, "fee_paid_base")?.parse::<u128>()? == took,
        "{said}"
    );

    // Over a transaction's limit, over the hour's, and more decimals than the token has.
    let limit = refused(&stage.pay("50.000001")?, 403, "per_transaction_limit")?;
    ensure!(limit.pointer("/violations/0/asset") == Some(&json!(stage.token.asset())));
    stage.pay("50")?;
    let hour = refused(&stage.pay("17.654323")?, 403, "hour_limit")?;
    ensure!(field(&hour, "allowed_now")? == "17654322", "{hour}");
    refused(&stage.pay("0.0000001")?, 422, "amount_invalid")?;
    ensure!(stage.token.balance(TO)? == 62_345_678);
    // To the unit of what is left.
    let last = stage.pay("17.654322")?.json()?;
    ensure!(field(&last, "status")? == "CONFIRMED", "{last}");
    ensure!(stage.token.balance(TO)? == 80 * WHOLE);
    Ok(())
}

#[test]
fn what_a_token_does_otherwise_is_told_before_anything_is_signed() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    // It keeps a hundredth.
    stage.token.behave(100, false, false)?;
    let told = refused(&stage.pay("20")?, 422, "token_takes_fee")?;
    ensure!(field(&told, "detail")?.contains("19800000"), "{told}");
    let judged = stage.post("/v1/transactions/dry-run", &stage.body("20"))?;
    ensure!(judged.status == 200, "policy has nothing against it");
    // It reverts, and says why.
    stage.token.behave(0, true, false)?;
    let told = refused(&stage.pay("20")?, 422, "would_fail")?;
    ensure!(field(&told, "detail")?.contains("frozen"), "{told}");
    // It does nothing and answers false.
    stage.token.behave(0, false, true)?;
    let told = refused(&stage.pay("20")?, 422, "would_fail")?;
    ensure!(field(&told, "detail")?.contains("false"), "{told}");
    stage.untouched()?;
    // Nothing of that stands in the way of the next one.
    stage.token.behave(0, false, false)?;
    stage.pay("20")?;
    ensure!(stage.token.balance(TO)? == 20 * WHOLE);
    Ok(())
}

/// eth-account and viem, which share no code with the product, read the signed bytes as what was asked.
#[test]
fn foreign_programs_read_a_token_payment_as_it_was_asked() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let mut expected = Vec::new();
    for (nonce, amount) in ["0.000001", "12.345678", "50"].into_iter().enumerate() {
        let mut body = stage.body(amount);
        body.as_object_mut()
            .context("an object")?
            .insert("submit".to_owned(), json!(false));
        let said = stage.post("/v1/transactions", &body)?.json()?;
        let raw = STANDARD.decode(field(&said, "signed_transaction")?)?;
        expected.push(json!({
            "family": "evm",
            "raw": hex::encode(raw),
            "from": stage.setting.wallet.1,
            "to": TO,
            "amount": field(&said, "amount_base")?,
            "chainId": Anvil::CHAIN_ID,
            "nonce": nonce,
            "token": stage.token.address,
            "method": "transfer",
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

/// The owner's signature completes an approval; the spender takes exactly what it may, and no more.
#[test]
fn an_approved_spender_takes_exactly_what_it_may() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let mut body = stage.body("12.5");
    let fields = body.as_object_mut().context("an object")?;
    let spender = fields.remove("to").context("a recipient")?;
    fields.insert("spender".to_owned(), spender);
    fields.insert("type".to_owned(), json!("approve"));
    // Without limit: a code of its own.
    let mut unlimited = body.clone();
    let fields = unlimited.as_object_mut().context("an object")?;
    fields.remove("amount");
    let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    fields.insert("amount_base".to_owned(), json!(most));
    let told = stage.post("/v1/transactions", &unlimited)?;
    refused(&told, 422, "approval_unlimited")?;
    // Exact: the owner is asked.
    let asked = stage.post("/v1/transactions", &body)?;
    let said = asked.json()?;
    ensure!(asked.status == 202, "{} {said}", asked.status);
    ensure!(field(&said, "type")? == "approve", "{said}");
    ensure!(field(&said, "waits_for")? == "owner", "{said}");
    let payment = field(&said, "transaction")?;
    let owner = stage.setting.home.owner(&[])?;
    let owner = owner.to_str().context("a path")?;
    let key = ["--owner-key", owner, "--yes"];
    stage
        .setting
        .home
        .cli(&[&["payment", "approve", payment], &key[..]].concat())?;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let shown = stage.get(&format!("/v1/transactions/{payment}?wait=30"))?;
        match field(&shown, "status")? {
            "CONFIRMED" => break,
            status => ensure!(Instant::now() < until, "{status}: {shown}"),
        }
    }
    ensure!(stage.token.allowance(&stage.setting.wallet.1, TO)? == 12_500_000);
    ensure!(stage.token.balance(TO)? == 0, "nothing moved yet");
    ensure!(stage.charged(&stage.token.asset())? == 12_500_000);
    // More than it may is refused by the token; what it may, in two parts, is not.
    ensure!(
        stage
            .token
            .take(TO, &stage.setting.wallet.1, 12_500_001)
            .is_err()
    );
    stage.token.take(TO, &stage.setting.wallet.1, 12_000_000)?;
    ensure!(
        stage
            .token
            .take(TO, &stage.setting.wallet.1, 500_001)
            .is_err()
    );
    stage.token.take(TO, &stage.setting.wallet.1, 500_000)?;
    ensure!(stage.token.balance(TO)? == 12_500_000);
    ensure!(stage.token.allowance(&stage.setting.wallet.1, TO)? == 0);
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

/// Pieces and kinds move if the policy names them one by one, and count by their number.
#[test]
fn an_agent_pays_in_pieces_that_the_policy_names() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    for id in [1, 2] {
        stage.pieces.mint(&stage.setting.wallet.1, id)?;
        stage.pieces.mint_kind(&stage.setting.wallet.1, id, 10)?;
    }
    let with = |kind: &str, id, amount: &str| -> Result<Value> {
        let mut body = stage.body(amount);
        body.as_object_mut()
            .context("an object")?
            .insert("asset".to_owned(), json!(stage.pieces.asset(kind, id)));
        Ok(body)
    };
    let pay = |body: &Value| stage.post("/v1/transactions?wait=30", body);
    // Number 2 is in no policy, neither piece nor kind.
    refused(&pay(&with("erc721", 2, "1")?)?, 403, "asset_not_listed")?;
    refused(&pay(&with("erc1155", 2, "1")?)?, 403, "asset_not_listed")?;
    // There is one of a piece, and up to four of the kind at once.
    refused(
        &pay(&with("erc721", 1, "2")?)?,
        403,
        "per_transaction_limit",
    )?;
    refused(&pay(&with("erc721", 1, "0.5")?)?, 422, "amount_invalid")?;
    refused(
        &pay(&with("erc1155", 1, "5")?)?,
        403,
        "per_transaction_limit",
    )?;
    for (kind, amount) in [("erc721", "1"), ("erc1155", "4")] {
        let said = pay(&with(kind, 1, amount)?)?.json()?;
        ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
        ensure!(field(&said, "asset")? == stage.pieces.asset(kind, 1));
    }
    ensure!(stage.pieces.is_owner(1, TO)? && stage.pieces.is_owner(2, &stage.setting.wallet.1)?);
    ensure!(
        stage.pieces.kinds(TO, 1)? == 4 && stage.pieces.kinds(&stage.setting.wallet.1, 1)? == 6
    );
    ensure!(stage.pieces.kinds(TO, 2)? == 0);
    // What it does not have any more.
    refused(&pay(&with("erc721", 1, "1")?)?, 422, "insufficient_tokens")?;
    Ok(())
}

#[test]
fn balances_show_the_tokens_of_the_policy() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    let held = stage.get(&format!("/v1/wallets/{}/balances", stage.setting.wallet.0))?;
    let balances = held.get("balances").and_then(Value::as_array);
    let [coin, token, piece, kind] = balances.context("balances")?.as_slice() else {
        anyhow::bail!("not four: {held}")
    };
    ensure!(field(piece, "amount_base")? == "0", "{held}");
    ensure!(field(kind, "amount_base")? == "0", "{held}");
    ensure!(field(coin, "amount_base")? == ETHER.to_string(), "{held}");
    ensure!(field(token, "asset")? == stage.token.asset(), "{held}");
    ensure!(field(token, "amount_base")? == "100000000", "{held}");
    // The policy's name counts; what the token says of itself is shown beside it.
    ensure!(field(token, "symbol")? == "USDX", "{held}");
    ensure!(
        token.pointer("/chain_says/symbol") == Some(&json!("TUSD")),
        "{held}"
    );
    ensure!(
        token.pointer("/chain_says/decimals") == Some(&json!(6)),
        "{held}"
    );
    Ok(())
}

#[test]
fn a_wallet_without_enough_of_a_token_says_so() -> Result<()> {
    let chain = Anvil::start()?;
    let stage = Stage::set_up(&chain)?;
    stage.token.empty(&stage.setting.wallet.1, TO)?;
    let told = refused(&stage.pay("10")?, 422, "insufficient_tokens")?;
    let broken = told.pointer("/violations/0").context("a reason")?;
    ensure!(field(broken, "asset")? == stage.token.asset(), "{told}");
    ensure!(field(broken, "observed")? == "10000000", "{told}");
    ensure!(field(broken, "allowed")? == "0", "{told}");
    Ok(())
}
