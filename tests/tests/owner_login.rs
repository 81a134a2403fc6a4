//! Owners over REST with wallets that are not ours: a client in Python logs in by Sign-In With Solana (solders) and by
//! Sign-In with Ethereum (eth-account), sees a payment that waits, signs the signer's own text and approves it, which
//! completes it on a real local chain; it rejects another, and throws the kill switch.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign::{keys, python};
use xtask::agent::{Agent, Proof, Transfer};
use xtask::chains::Anvil;
use xtask::home::{Home, PASSWORD, Running};
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Wei: above `delay-up-to`.
const ASKED: u128 = 600_000_000_000_000_000;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"20\"\nday = \"20\"\nweek = \"20\"\nmonth = \"20\"\n\
         instant-up-to = \"0.1\"\nnotify-up-to = \"0.15\"\ndelay-up-to = \"0.5\"\napprove-up-to = \"1\"\n\
         fee-ceiling = \"0.01\"\noutstanding = \"20\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

/// The events that the owner was shown, by kind.
fn kinds(shown: &Value) -> Result<String> {
    Ok(shown.get("kinds").context("kinds")?.to_string())
}

/// A wallet with a session, and an owner whose key another program made.
struct Stage {
    _folder: tempfile::TempDir,
    chain: Anvil,
    home: Home,
    _running: Running,
    agent: Agent,
    wallet: String,
    kind: &'static str,
    secret: String,
}

impl Stage {
    fn set_up(kind: &'static str) -> Result<Self> {
        let chain = Anvil::start()?;
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let home = Home::create(&product, &folder.path().join("home"), &[(EVM, chain.url())])?;
        home.set_chains(&[(EVM, chain.url())])?;
        let running = home.start_unlocked()?;
        let keys = keys()?;
        let (file, secret, passwords) = match kind {
            "solana" => {
                let file = field(keys.get("solana").context("a key")?, "file")?;
                (file, file, format!("{PASSWORD}\n"))
            }
            _ => {
                let made = keys.get("scrypt").context("a key")?;
                let own = field(made, "password")?;
                let passwords = format!("{own}\n{PASSWORD}\n");
                (field(made, "file")?, field(made, "secret")?, passwords)
            }
        };
        let path = folder.path().join("owner.json");
        fs::write(&path, file)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let owner = path.to_str().context("a path")?;
        let with_password = ["--key-password-fd", "0"];
        let enrol = ["owner", "enrol", "--yes", "--key-file", owner];
        let enrol = match kind {
            "solana" => enrol.to_vec(),
            _ => [&enrol[..], &with_password[..]].concat(),
        };
        run(&home, &enrol, &["--password-fd", "0"], &passwords)?;
        let (wallet, address) = home.wallet("evm", EVM)?;
        chain.fund(&address, 100_000_000_000_000_000_000)?;
        let file = home.folder().join("policy.toml");
        fs::write(&file, policy())?;
        let file = file.to_str().context("a path")?;
        let signing = ["--owner-password-fd", "0"];
        let adopt = ["policy", "adopt", file, "--owner-key", owner, "--yes"];
        let adopt = match kind {
            "solana" => adopt.to_vec(),
            _ => [&adopt[..], &signing[..]].concat(),
        };
        run(&home, &adopt, &["--password-fd", "0"], &passwords)?;
        let limit = format!("{EVM}/slip44:60=1/100");
        let agent = granted(&home, kind, owner, &wallet, &limit, &passwords)?;
        Ok(Self {
            _folder: folder,
            chain,
            home,
            _running: running,
            agent,
            wallet,
            kind,
            secret: secret.to_owned(),
        })
    }

    /// Asks for a payment, which has to wait; its name.
    fn queued(&self, key: &str, amount: u128) -> Result<String> {
        let transfer = Transfer {
            wallet: self.wallet.clone(),
            network: EVM.to_owned(),
            to: TO.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        };
        let answer = self.agent.send(&self.agent.transfer(&transfer, key, 0)?)?;
        let said = answer.json()?;
        ensure!(answer.status == 202, "{} {said}", answer.status);
        Ok(field(&said, "transaction")?.to_owned())
    }

    /// The payment once it has ended.
    fn ended(&self, payment: &str) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let target = format!("/v1/transactions/{payment}?wait=30");
            let shown = self.agent.send(&self.agent.get(&target))?.json()?;
            if !["QUEUED", "EXECUTING", "SUBMITTED"].contains(&field(&shown, "status")?) {
                return Ok(shown);
            }
            ensure!(Instant::now() < until, "it never ended: {shown}");
        }
    }

    /// What the other program did over REST.
    fn owner(&self, what: &[&str]) -> Result<Value> {
        let url = self.home.url();
        let arguments = [&[url.as_str(), self.kind, self.secret.as_str()][..], what].concat();
        Ok(serde_json::from_str(&python("owner.py", &arguments)?)?)
    }
}

/// Runs the command line with these lines on standard input.
fn run(home: &Home, arguments: &[&str], more: &[&str], lines: &str) -> Result<Value> {
    use std::io::Write as _;
    use std::process::Stdio;

    let all = [arguments, more].concat();
    let mut child = home
        .command(&all)
        .arg("--json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // It may have ended without reading.
    let _best_effort = child
        .stdin
        .take()
        .context("standard input")?
        .write_all(lines.as_bytes());
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{all:?}: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A bearer session of the wallet, and its agent logged in.
fn granted(
    home: &Home,
    kind: &str,
    owner: &str,
    wallet: &str,
    limit: &str,
    passwords: &str,
) -> Result<Agent> {
    let grant = [
        "session",
        "grant",
        "--wallet",
        wallet,
        "--limit",
        limit,
        "--count",
        "100",
        "--expires",
        "1d",
        "--bearer",
        "--owner-key",
        owner,
        "--yes",
    ];
    let more: &[&str] = match kind {
        "solana" => &[],
        _ => &["--owner-password-fd", "0"],
    };
    let granted = run(home, &grant, more, passwords)?;
    let session = field(&granted, "session")?.parse()?;
    let proof = Proof::Bearer(field(&granted, "secret")?.to_owned());
    Agent::log_in(&home.url(), home.signer_id()?, session, proof)
}

fn story(kind: &'static str) -> Result<()> {
    let stage = Stage::set_up(kind)?;
    let approved = stage.queued("approved", ASKED)?;
    let rejected = stage.queued("rejected", ASKED + 1)?;
    ensure!(stage.chain.balance(TO)? == 0, "paid without its owner");
    // G16: the agent's own token opens nothing of its owner's.
    let refused = stage.agent.send(&stage.agent.get("/v1/owner/waiting"))?;
    ensure!(refused.status == 403, "{}", refused.status);
    let done = stage.owner(&["approve", &approved])?;
    ensure!(done.get("waiting") == Some(&json!(2)), "{done}");
    ensure!(kinds(&done)?.contains("IntentApproved"), "{done}");
    let ended = stage.ended(&approved)?;
    ensure!(field(&ended, "status")? == "CONFIRMED", "{ended}");
    ensure!(stage.chain.balance(TO)? == ASKED);
    stage.owner(&["reject", &rejected])?;
    let ended = stage.ended(&rejected)?;
    ensure!(field(&ended, "status")? == "CANCELLED", "{ended}");
    ensure!(field(&ended, "detail")?.contains("rejected"), "{ended}");
    let killed = stage.queued("killed", ASKED + 2)?;
    let done = stage.owner(&["kill"])?;
    ensure!(kinds(&done)?.contains("Killed"), "{done}");
    let status = stage.home.cli(&["status"])?;
    ensure!(status.to_string().contains("ACTIVATED"), "{status}");
    let refused = stage
        .agent
        .send(&stage.agent.get(&format!("/v1/transactions/{killed}")))?;
    ensure!(
        refused.status == 401,
        "a session outlived the kill: {}",
        refused.status
    );
    ensure!(stage.chain.balance(TO)? == ASKED);
    stage.home.cli(&["audit", "verify"])?;
    Ok(())
}

#[test]
fn an_owner_with_a_solana_wallet_logs_in_approves_rejects_and_kills() -> Result<()> {
    story("solana")
}

#[test]
fn an_owner_with_an_ethereum_wallet_logs_in_approves_rejects_and_kills() -> Result<()> {
    story("evm")
}
