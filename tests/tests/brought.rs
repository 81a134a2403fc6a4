//! Transactions that an agent brings, on a real Solana chain: a facilitator of x402, made by other code, pays the fee
//! of a payment and settles it; and a message of version 1.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use waiaas_shared::address::SolanaAddress;
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;

const NETWORK: &str = "solana:localnet";
const SOL: &str = "solana:localnet/slip44:501";
/// The seller, with an account for the token.
const SELLER: &str = "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA";
/// Base units: a thousand.
const BEGINNING: u64 = 1_000_000_000;

struct Stage {
    setting: Setting,
    agent: Agent,
    token: String,
    chain: Surfnet,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let setting = Setting::start(NETWORK, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, 1_000_000_000)?;
        let amount = BEGINNING.to_string();
        let made = foreign::python(
            "tokens.py",
            &[
                chain.url(),
                chain.payer_secret(),
                &setting.wallet.1,
                &amount,
                SELLER,
            ],
        )?;
        let made: Value = serde_json::from_str(&made)?;
        let token = made.get("token").and_then(Value::as_str);
        let token = token.context("a mint")?.to_owned();
        setting.home.adopt(&policy(&token), &setting.owner)?;
        let limits = [format!("{SOL}=0.1/1"), format!("{}=10/100", asset(&token))];
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let agent = setting
            .home
            .agent(&setting.owner, &[&setting.wallet.0], &limits, true)?;
        Ok(Self {
            setting,
            agent,
            token,
            chain,
        })
    }

    fn bring(&self, transaction: &str) -> Result<Value> {
        let body = json!({
            "signer": self.agent.signer.to_string(),
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "transaction": transaction,
        });
        let target = "/v1/transactions/sign";
        let request = self.agent.post(target, &fresh()?, &body)?;
        self.agent.send(&request)?.json()
    }

    /// What the gateway shows of a payment.
    fn shown(&self, payment: &Value, query: &str) -> Result<Value> {
        let target = format!("/v1/transactions/{}{query}", text(payment, "transaction")?);
        self.agent.send(&self.agent.get(&target))?.json()
    }

    fn facilitator(&self, arguments: &[&str]) -> Result<String> {
        let [act, more @ ..] = arguments else {
            anyhow::bail!("an act")
        };
        let whole = [&[*act, self.chain.url(), self.chain.payer_secret()], more].concat();
        foreign::python("facilitator.py", &whole)
    }

    /// Base units of the token in the account of `owner`, as the chain counts them.
    fn tokens(&self, owner: &str) -> Result<u64> {
        let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
        let params = json!([owner, { "mint": self.token }, options]);
        let told = self.chain.rpc().call("getTokenAccountsByOwner", params)?;
        let amount = told.pointer("/value/0/account/data/parsed/info/tokenAmount/amount");
        Ok(amount
            .and_then(Value::as_str)
            .context("an amount")?
            .parse()?)
    }

    /// What the signer has charged to an asset.
    fn charged(&self, asset: &str) -> Result<u64> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let limits = session.pointer("/limits").and_then(Value::as_array);
        let mut limits = limits.into_iter().flatten();
        let limit = limits.find(|limit| limit.get("asset") == Some(&json!(asset)));
        let spent = limit.and_then(|limit| limit.get("spent")?.as_str());
        Ok(spent.context("spent")?.parse()?)
    }
}

fn asset(mint: &str) -> String {
    format!("{NETWORK}/token:{mint}")
}

fn policy(token: &str) -> String {
    let limits = |most: &str| {
        format!(
            "per-transaction = \"{most}\"\nhour = \"{most}\"\nday = \"{most}\"\nweek = \"{most}\"\n\
             month = \"{most}\"\ninstant-up-to = \"{most}\"\nnotify-up-to = \"{most}\"\n"
        )
    };
    format!(
        "version = 1\nepoch = 1\n\n\
         [[asset]]\nid = \"{SOL}\"\nsymbol = \"SOL\"\ndecimals = 9\nfee-ceiling = \"0.001\"\n{}\n\
         [[asset]]\nid = \"{}\"\nsymbol = \"USDC\"\ndecimals = 6\n{}\n\
         [[recipient]]\nname = \"seller\"\naccount = \"{NETWORK}:{SELLER}\"\n",
        limits("1"),
        asset(token),
        limits("50"),
    )
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("no {field} in {value}"))
}

#[test]
fn a_facilitator_pays_the_fee_of_an_agents_payment() -> Result<()> {
    let stage = Stage::set_up()?;
    let (token, wallet) = (stage.token.as_str(), stage.setting.wallet.1.as_str());
    let held = stage.chain.balance(wallet)?;
    let facilitators = stage.chain.balance(stage.chain.payer())?;
    let build = |amount: &str, memo: &str| {
        stage.facilitator(&["build", wallet, token, SELLER, amount, memo])
    };

    let brought = build("2500000", "order 4711")?;
    let signed = stage.bring(&brought)?;
    ensure!(text(&signed, "status")? == "SUBMITTED", "{signed}");
    ensure!(
        signed.get("signatures_missing") == Some(&json!([stage.chain.payer()])),
        "{signed}"
    );
    ensure!(signed.get("memo") == Some(&json!("order 4711")), "{signed}");
    // The message is the facilitator's to the byte, and nothing is on the chain yet.
    let raw = BASE64.decode(text(&signed, "signed_transaction")?)?;
    let asked = BASE64.decode(&brought)?;
    ensure!(raw[..65] == asked[..65] && raw[129..] == asked[129..]);
    ensure!(stage.tokens(SELLER)? == 0);
    let open = stage.shown(&signed, "")?;
    ensure!(text(&open, "status")? == "SUBMITTED", "{open}");
    ensure!(
        open.get("chain_transaction") == Some(&Value::Null),
        "{open}"
    );
    stage.facilitator(&["settle", text(&signed, "signed_transaction")?])?;
    // It is found on the chain by the wallet's signature, under the facilitator's.
    let own = bs58::encode(raw.get(65..129).context("two signatures")?).into_string();
    let ended = stage.shown(&signed, "?wait=30&commitment=confirmed")?;
    ensure!(text(&ended, "commitment")? == "confirmed", "{ended}");
    ensure!(text(&ended, "status")? == "CONFIRMED", "{ended}");
    let name = text(&ended, "chain_transaction")?;
    ensure!(name != own, "{ended}");
    let found = stage.chain.rpc().call(
        "getTransaction",
        json!([name, { "commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": 0 }]),
    )?;
    let signatures = found.pointer("/transaction/signatures");
    ensure!(signatures == Some(&json!([name, own])), "{found}");

    ensure!(stage.tokens(SELLER)? == 2_500_000);
    ensure!(stage.tokens(wallet)? == BEGINNING - 2_500_000);
    ensure!(
        stage.chain.balance(wallet)? == held,
        "the wallet paid a fee"
    );
    let paid = facilitators.checked_sub(stage.chain.balance(stage.chain.payer())?);
    ensure!(paid >= Some(10_000), "two signatures: {paid:?}");
    ensure!(stage.charged(&asset(token))? == 2_500_000);
    ensure!(stage.charged(SOL)? == 0);

    // More than the session may, and a payment to somebody whom nobody named.
    let refused = stage.bring(&build("10000001", "order 4712")?)?;
    ensure!(
        text(&refused, "code")? == "session_per_transaction",
        "{refused}"
    );
    let stranger = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
    let brought = stage.facilitator(&["build", wallet, token, stranger, "1", "order 4713"])?;
    let refused = stage.bring(&brought)?;
    ensure!(text(&refused, "code")? == "brought_recipient", "{refused}");
    ensure!(stage.charged(&asset(token))? == 2_500_000);
    Ok(())
}

/// One that its facilitator keeps to itself is open until it never can land, and then it has expired.
#[test]
fn what_a_facilitator_does_not_send_expires() -> Result<()> {
    let stage = Stage::set_up()?;
    let (token, wallet) = (stage.token.as_str(), stage.setting.wallet.1.as_str());
    let brought = stage.facilitator(&["build", wallet, token, SELLER, "1", "order 1"])?;
    let signed = stage.bring(&brought)?;
    let began = Instant::now();
    loop {
        let shown = stage.shown(&signed, "")?;
        match text(&shown, "status")? {
            "EXPIRED" => break,
            "SUBMITTED" => {}
            _ => anyhow::bail!("{shown}"),
        }
        ensure!(began.elapsed() < Duration::from_secs(240), "{shown}");
        std::thread::sleep(Duration::from_secs(3));
    }
    ensure!(
        began.elapsed() >= Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    ensure!(stage.tokens(SELLER)? == 0);
    let settled = stage.facilitator(&["settle", text(&signed, "signed_transaction")?]);
    ensure!(settled.is_err(), "it landed after it had expired");
    Ok(())
}

/// A transfer in a message of version 1 (SIMD-0385), its fee in its own header.
fn version_one(from: &str, to: &str, lamports: u64, blockhash: &str) -> Result<Vec<u8>> {
    let key = |text: &str| -> Result<[u8; 32]> { Ok(*text.parse::<SolanaAddress>()?.as_bytes()) };
    Ok([
        &[0x81, 1, 0, 1][..],
        &15_u32.to_le_bytes(),
        &key(blockhash)?,
        &[1, 3],
        &key(from)?,
        &key(to)?,
        &[0; 32],
        &300_u64.to_le_bytes(),
        &450_u32.to_le_bytes(),
        &65_536_u32.to_le_bytes(),
        &[2, 2, 12, 0],
        &[0, 1, 2, 0, 0, 0],
        &lamports.to_le_bytes(),
    ]
    .concat())
}

#[test]
fn a_message_of_version_one_is_signed_and_charged_by_its_header() -> Result<()> {
    let stage = Stage::set_up()?;
    let latest = stage
        .chain
        .rpc()
        .call("getLatestBlockhash", json!([{ "commitment": "confirmed" }]))?;
    let blockhash = latest.pointer("/value/blockhash").and_then(Value::as_str);
    let blockhash = blockhash.context("a blockhash")?;
    let message = version_one(&stage.setting.wallet.1, SELLER, 5_000_000, blockhash)?;
    let unsigned = BASE64.encode([&message[..], &[0; 64]].concat());
    let signed = stage.bring(&unsigned)?;
    let raw = text(&signed, "signed_transaction")?;
    let whole = BASE64.decode(raw)?;
    ensure!(whole[..message.len()] == message, "other bytes");
    ensure!(signed.get("signatures_missing").is_none(), "{signed}");
    ensure!(stage.charged(SOL)? == 5_000_000 + 5000 + 300);
    Ok(())
}
