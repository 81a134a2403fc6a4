//! Calls of a program on a real Solana chain: an agent has a program create an account that the wallet pays, counted
//! on the chain to the lamport, and whatever the owner did not register is refused before anything is signed.
//!
//! The program is a copy of the associated token account program under another address, as anybody could deploy one:
//! it is registered like any program that nobody here has a decoder for, and takes the rent out of the wallet with
//! the wallet's signature, by a call of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;
use xtask::home::Home;
use xtask::http::Response;
use xtask::product::Product;

const NETWORK: &str = "solana:localnet";
const SOL: &str = "solana:localnet/slip44:501";
const SYSTEM: &str = "11111111111111111111111111111111";
const TOKEN_PROGRAM: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const ORIGINAL: &str = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
/// Where the copy is.
const PROGRAM: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
const MINT: &str = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo";
/// Whose accounts are created.
const OWNERS: [&str; 2] = [
    "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
    "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
];
/// What the chain demands of an account of SPL Token, and so what the owner lets leave in each call.
const RENT: u64 = 2_039_280;
const BEGINNING: u64 = 1_000_000_000;
/// The most that one of these calls may cost.
const DEAR: u64 = 100_000;
/// Creates an account, or leaves it as it is.
const CREATE: &str = "0x01";
/// Creates an account, or fails.
const CREATE_ONCE: &str = "0x00";

struct Stage {
    setting: Setting,
    agent: Agent,
    chain: Surfnet,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Surfnet::start(400)?;
        deploy(&chain)?;
        let setting = Setting::start(NETWORK, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, BEGINNING)?;
        setting.home.adopt(&policy()?, &setting.owner)?;
        let limits = [&*format!("{SOL}=0.01/0.1")];
        let operations = ["--operation", "call"];
        let agent = setting.home.agent_with(
            &setting.owner,
            &[&setting.wallet.0],
            &limits,
            false,
            &operations,
        )?;
        Ok(Self {
            setting,
            agent,
            chain,
        })
    }

    /// The accounts of a call that creates the account of this owner.
    fn accounts(&self, owner: &str) -> Result<Vec<String>> {
        let account = derived(owner)?;
        let accounts = [
            &self.setting.wallet.1,
            &account,
            owner,
            MINT,
            SYSTEM,
            TOKEN_PROGRAM,
        ];
        Ok(accounts.map(str::to_owned).to_vec())
    }

    fn call(&self, data: &str, accounts: &[String]) -> Result<Response> {
        let body = json!({
            "type": "call",
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "program": PROGRAM,
            "data": data,
            "accounts": accounts,
        });
        let path = "/v1/transactions?wait=60";
        self.agent.send(&self.agent.post(path, &fresh()?, &body)?)
    }

    fn lamports(&self) -> Result<u64> {
        self.chain.balance(&self.setting.wallet.1)
    }

    /// What the signer has charged to the session.
    fn charged(&self) -> Result<u64> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("spent")?.parse()?)
    }

    /// The account as the chain has it; null if there is none.
    fn account(&self, address: &str) -> Result<Value> {
        let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
        let rpc = self.chain.rpc();
        let told = rpc.call("getAccountInfo", json!([address, options]))?;
        Ok(told.get("value").context("a value")?.clone())
    }

    /// The owner's signature for a payment that waits, and then its end.
    fn approve(&self, payment: &str) -> Result<()> {
        let owner = self.setting.home.owner(&[])?;
        let owner = owner.to_str().context("a path")?;
        self.setting
            .home
            .cli(&["payment", "approve", payment, "--owner-key", owner, "--yes"])?;
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let path = format!("/v1/transactions/{payment}?wait=30");
            let shown = self.agent.send(&self.agent.get(&path))?.json()?;
            match field(&shown, "status")? {
                "CONFIRMED" => return Ok(()),
                status => ensure!(Instant::now() < until, "{status}: {shown}"),
            }
        }
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.with_context(|| format!("no {name} in {value}"))
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

/// Puts the copy of the program on the chain, and a mint without any tokens.
fn deploy(chain: &Surfnet) -> Result<()> {
    let rpc = chain.rpc();
    let options = json!({ "encoding": "base64", "commitment": "confirmed" });
    let told = rpc.call("getAccountInfo", json!([ORIGINAL, options]))?;
    let program = told.pointer("/value").context("the original")?;
    let code = program.pointer("/data/0").and_then(Value::as_str);
    let code = STANDARD.decode(code.context("its code")?)?;
    ensure!(code.starts_with(b"\x7fELF"), "no program");
    let copy = json!({
        "lamports": 2_000_000_000_u64,
        "owner": program.get("owner"),
        "executable": true,
        "data": hex::encode(code),
    });
    rpc.call("surfnet_setAccount", json!([PROGRAM, copy]))?;
    // No authority, no supply, six decimals, initialised, nobody freezes.
    let mint = [&[0; 36][..], &[0; 8], &[6, 1], &[0; 36]].concat();
    let mint = json!({
        "lamports": 1_461_600, "owner": TOKEN_PROGRAM, "data": hex::encode(mint),
    });
    rpc.call("surfnet_setAccount", json!([MINT, mint]))?;
    Ok(())
}

fn key(text: &str) -> Result<[u8; 32]> {
    let bytes = bs58::decode(text).into_vec()?;
    bytes.try_into().ok().context("32 bytes")
}

/// The account that the copy creates for an owner: the first address off the curve, counted down from bump 255.
fn derived(owner: &str) -> Result<String> {
    let seeds = [key(owner)?, key(TOKEN_PROGRAM)?, key(MINT)?].concat();
    for bump in (0..=u8::MAX).rev() {
        let mut hasher = Sha256::new();
        hasher.update(&seeds);
        hasher.update([bump]);
        hasher.update(key(PROGRAM)?);
        hasher.update(b"ProgramDerivedAddress");
        let address: [u8; 32] = hasher.finalize().into();
        if ed25519_dalek::VerifyingKey::from_bytes(&address).is_err() {
            return Ok(bs58::encode(address).into_string());
        }
    }
    anyhow::bail!("no address off the curve")
}

fn policy() -> Result<String> {
    let [first, second] = OWNERS.map(derived);
    let (first, second) = (first?, second?);
    let [one, other] = OWNERS;
    let accounts = format!(
        r#"[{{ wallet = true }}, {{ one-of = ["{first}", "{second}"], writable = true }}, {{ one-of = ["{one}", "{other}"] }}, {{ address = "{MINT}" }}, {{ address = "{SYSTEM}" }}, {{ address = "{TOKEN_PROGRAM}" }}]"#
    );
    let outflow = format!(r#"[{{ asset = "{SOL}", up-to = "0.00203928" }}]"#);
    Ok(format!(
        r#"version = 1
epoch = 1

[[asset]]
id = "{SOL}"
symbol = "SOL"
decimals = 9
instant-up-to = "0.01"
notify-up-to = "0.01"
approve-up-to = "0.01"
per-transaction = "0.01"
hour = "0.05"
day = "0.05"
week = "0.05"
month = "0.05"
fee-ceiling = "0.0001"

[[call]]
target = "{NETWORK}:{PROGRAM}"
method = "{CREATE}"
tier = "INSTANT"
accounts = {accounts}
outflow = {outflow}

[[call]]
target = "{NETWORK}:{PROGRAM}"
method = "{CREATE_ONCE}"
accounts = {accounts}
outflow = {outflow}
"#
    ))
}

#[test]
fn an_agent_calls_a_program_to_the_lamport() -> Result<()> {
    let stage = Stage::set_up()?;
    let [one, other] = OWNERS;
    let created = derived(one)?;
    ensure!(stage.account(&created)? == Value::Null, "it is there");
    let (held, charged) = (stage.lamports()?, stage.charged()?);
    let accounts = stage.accounts(one)?;
    let said = stage.call(CREATE, &accounts)?.json()?;
    ensure!(field(&said, "status")? == "CONFIRMED", "{said}");
    ensure!(field(&said, "type")? == "call", "{said}");
    ensure!(field(&said, "to")? == PROGRAM, "{said}");
    ensure!(field(&said, "data")? == CREATE, "{said}");
    ensure!(said.get("accounts") == Some(&json!(accounts)), "{said}");
    ensure!(field(&said, "amount_base")? == RENT.to_string(), "{said}");
    // The program took what the owner said, and the chain its fee.
    let fee: u64 = field(&said, "fee_paid_base")?.parse()?;
    let took = held - stage.lamports()?;
    ensure!(took == RENT + fee && fee < DEAR, "{took} {fee}");
    let counted = stage.charged()? - charged;
    ensure!(
        (took..RENT + DEAR).contains(&counted),
        "charged {counted}, the chain took {took}"
    );
    let account = stage.account(&created)?;
    ensure!(account.get("lamports") == Some(&json!(RENT)), "{account}");
    for (pointer, expected) in [
        ("/owner", TOKEN_PROGRAM),
        ("/data/parsed/info/owner", one),
        ("/data/parsed/info/mint", MINT),
    ] {
        ensure!(
            account.pointer(pointer) == Some(&json!(expected)),
            "{pointer}: {account}"
        );
    }

    // The other method asks the owner, who reads every account.
    let (held, charged) = (stage.lamports()?, stage.charged()?);
    let accounts = stage.accounts(other)?;
    let asked = stage.call(CREATE_ONCE, &accounts)?;
    let said = asked.json()?;
    ensure!(asked.status == 202, "{} {said}", asked.status);
    let payment = field(&said, "transaction")?;
    let waiting = stage.setting.home.cli(&["payment", "list"])?;
    let shown = waiting.pointer("/payments/0").context("a payment")?;
    ensure!(field(shown, "data")? == CREATE_ONCE, "{shown}");
    ensure!(shown.get("accounts") == Some(&json!(accounts)), "{shown}");
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
        format!("Program: {PROGRAM}"),
        format!("Method: {CREATE_ONCE}"),
        format!(
            "Account 1 of 6: {}, this wallet, signs, writable",
            stage.setting.wallet.1
        ),
        format!("Account 2 of 6: {}, writable", derived(other)?),
        format!("Account 3 of 6: {other}, read-only"),
        format!("Account 6 of 6: {TOKEN_PROGRAM}, read-only"),
    ] {
        ensure!(read.contains(&line), "{line}\n{read}");
    }
    ensure!(stage.lamports()? == held, "not without a yes");
    stage.approve(payment)?;
    let took = held - stage.lamports()?;
    ensure!((RENT + 5000..RENT + DEAR).contains(&took), "{took}");
    ensure!(stage.charged()? - charged >= took);
    let account = stage.account(&derived(other)?)?;
    ensure!(account.get("lamports") == Some(&json!(RENT)), "{account}");
    let shown = stage.setting.home.cli(&["audit", "show"])?.to_string();
    ensure!(shown.contains(&format!("with {CREATE} on {}", stage.setting.wallet.1)));
    stage.setting.home.cli(&["audit", "verify"])?;
    Ok(())
}

#[test]
fn what_the_owner_did_not_register_is_refused() -> Result<()> {
    let stage = Stage::set_up()?;
    let [one, other] = OWNERS;
    let (held, charged) = (stage.lamports()?, stage.charged()?);
    let sound = stage.accounts(one)?;
    let with = |place: usize, account: &str| {
        let accounts = sound.iter().enumerate();
        let accounts = accounts.map(|(at, known)| {
            let account = if at == place { account } else { known };
            account.to_owned()
        });
        accounts.collect::<Vec<_>>()
    };
    // Another method, more data, fewer accounts.
    refused(&stage.call("0x02", &sound)?, 403, "call_not_listed")?;
    refused(&stage.call("0x0100", &sound)?, 422, "call_data")?;
    refused(&stage.call(CREATE, &sound[..5])?, 422, "call_accounts")?;
    refused(&stage.call("01", &sound)?, 400, "body_malformed")?;
    refused(&stage.call("0x0A", &sound)?, 400, "body_malformed")?;
    // An account that the owner did not list, somebody else in the wallet's place, the wallet in another's.
    refused(&stage.call(CREATE, &with(1, PROGRAM))?, 403, "call_account")?;
    refused(&stage.call(CREATE, &with(0, other))?, 403, "call_account")?;
    refused(&stage.call(CREATE, &with(4, PROGRAM))?, 403, "call_account")?;
    let own = with(2, &stage.setting.wallet.1);
    refused(&stage.call(CREATE, &own)?, 403, "call_own_account")?;
    // What the program itself refuses is told, and nothing is signed: the account is another owner's.
    let told = refused(&stage.call(CREATE, &with(2, other))?, 422, "would_fail")?;
    ensure!(field(&told, "detail")?.contains("InvalidSeeds"), "{told}");
    ensure!(stage.lamports()? == held && stage.charged()? == charged);
    Ok(())
}

/// What a policy must say of a program before it is adopted.
#[test]
fn the_check_of_a_policy_says_why_a_program_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::for_tests()?;
    let home = Home::create(&product, &folder.path().join("home"), &[])?;
    let check = |text: &str| -> Result<std::process::Output> {
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, text)?;
        let file = file.to_str().context("a path")?;
        Ok(home.command(&["policy", "check", file]).output()?)
    };
    let sound = policy()?;
    let said = check(&sound)?;
    let words = String::from_utf8_lossy(&said.stdout);
    ensure!(said.status.success(), "{said:?}");
    for word in [
        "this wallet, which signs",
        &*format!("{SYSTEM}, read-only"),
        &*format!("counted as leaving each time, {SOL}: 0.00203928 SOL"),
    ] {
        ensure!(words.contains(word), "{word}\n{words}");
    }
    let uncounted = format!(r#"outflow = [{{ asset = "{SOL}", up-to = "0.00203928" }}]"#);
    for (from, to, why) in [
        (
            &*uncounted,
            "outflow = []",
            "outflow or spends must name each",
        ),
        (PROGRAM, TOKEN_PROGRAM, "never called by rule"),
        (
            "wallet = true",
            "wallet = true, writable = true",
            "exactly one of",
        ),
        (
            "tier = \"INSTANT\"",
            "value-up-to = \"1\"",
            "named by its function",
        ),
    ] {
        let said = check(&sound.replace(from, to))?;
        let words = String::from_utf8_lossy(&said.stderr);
        ensure!(!said.status.success(), "{to}");
        ensure!(words.contains(why), "{why}\n{words}");
    }
    Ok(())
}
