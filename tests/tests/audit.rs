//! The owner's day with the log: payments in words and by filter, past traffic against a proposed policy
//! from the running signer and from an exported file, and a log that was put back, which is refused.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::agent::{Agent, Transfer};
use xtask::chains::Anvil;
use xtask::home::{Home, Running};
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Wei: INSTANT, DELAY, APPROVAL.
const SMALL: u128 = 50_000_000_000_000_000;
const DELAYED: u128 = 200_000_000_000_000_000;
const ASKED: u128 = 600_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(90);

fn policy(epoch: u64, delay_up_to: &str, most: &str) -> String {
    format!(
        "version = 1\nepoch = {epoch}\ndelay = \"2s\"\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\n\
         decimals = 18\nper-transaction = \"{most}\"\nhour = \"20\"\nday = \"20\"\nweek = \"20\"\nmonth = \"20\"\n\
         instant-up-to = \"0.1\"\nnotify-up-to = \"0.15\"\ndelay-up-to = \"{delay_up_to}\"\n\
         approve-up-to = \"{most}\"\nfee-ceiling = \"0.01\"\noutstanding = \"20\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

struct Stage {
    _folder: tempfile::TempDir,
    _chain: Anvil,
    home: Home,
    running: Option<Running>,
    agent: Agent,
    wallet: String,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Anvil::start()?;
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let home = Home::create(&product, &folder.path().join("home"), &[(EVM, chain.url())])?;
        home.set_chains(&[(EVM, chain.url())])?;
        let running = home.start_unlocked()?;
        let owner = home.owner(&[])?;
        let (wallet, address) = home.wallet("evm", EVM)?;
        chain.fund(&address, 100_000_000_000_000_000_000)?;
        home.adopt(&policy(1, "0.5", "1"), &owner)?;
        let limit = format!("{EVM}/slip44:60=1/100");
        let agent = home.agent(&owner, &[&wallet], &[&limit], false)?;
        Ok(Self {
            _folder: folder,
            _chain: chain,
            home,
            running: Some(running),
            agent,
            wallet,
        })
    }

    /// Asks for a payment and waits until it stands at one of these; its name.
    fn pay(&self, amount: u128, key: &str, statuses: &[&str]) -> Result<String> {
        let transfer = Transfer {
            wallet: self.wallet.clone(),
            network: EVM.to_owned(),
            to: TO.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        };
        let said = self
            .agent
            .send(&self.agent.transfer(&transfer, key, 0)?)?
            .json()?;
        let name = text(&said, "transaction")?.to_owned();
        let until = Instant::now() + PATIENCE;
        loop {
            let target = format!("/v1/transactions/{name}?wait=5");
            let shown = self.agent.send(&self.agent.get(&target))?.json()?;
            if statuses.contains(&text(&shown, "status")?) {
                return Ok(name);
            }
            ensure!(Instant::now() < until, "never {statuses:?}: {shown}");
        }
    }

    fn events(&self, filter: &[&str]) -> Result<Vec<Value>> {
        let shown = self.home.cli(&[&["audit", "show"], filter].concat())?;
        let events = shown.get("events").and_then(Value::as_array);
        Ok(events.context("events")?.clone())
    }

    fn file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.home.folder().join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_str().context("a path")?.to_owned())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value
        .get(field)
        .and_then(Value::as_str)
        .with_context(|| format!("no {field}: {value}"))
}

#[test]
fn an_owner_reads_the_log_and_tries_a_policy_on_it() -> Result<()> {
    let mut stage = Stage::set_up()?;
    let small = stage.pay(SMALL, "small", &["CONFIRMED"])?;
    let delayed = stage.pay(DELAYED, "delayed", &["CONFIRMED"])?;
    let asked = stage.pay(ASKED, "asked", &["QUEUED"])?;
    stage.home.cli(&["payment", "cancel", &asked])?;

    // In words, with the policy's unit and contact; what ended a payment is found by its wallet.
    let of_wallet = stage.events(&["--wallet", &stage.wallet, "--kind", "payments"])?;
    let kinds: Vec<_> = of_wallet
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect();
    ensure!(
        kinds
            == [
                "SpendCommitted",
                "IntentOpened",
                "SpendCommitted",
                "IntentOpened",
                "IntentsEnded"
            ],
        "{kinds:?}"
    );
    let first = text(of_wallet.first().context("the first")?, "text")?;
    ensure!(
        first.contains(&format!("0.05 ETH to @shop ({TO})")) && first.contains(&small),
        "{first}"
    );
    ensure!(stage.events(&["--kind", "stops"])?.is_empty());
    ensure!(stage.events(&["--since", "24h", "--last", "2"])?.len() == 2);
    ensure!(stage.events(&["--since", "2099-01-01"])?.is_empty());

    // The policy that bound decides all the same; a tighter one and a looser one tell what differs.
    let replayed = |file: &str, more: &[&str]| -> Result<Value> {
        let said = stage
            .home
            .cli(&[&["policy", "replay", file], more].concat())?;
        said.get("replay").cloned().context("a replay")
    };
    let bound = stage.file("bound.toml", &policy(1, "0.5", "1"))?;
    let same = replayed(&bound, &[])?;
    ensure!(
        same["counts"]
            == json!({ "same": 3, "denied": 0, "asks": 0, "waits": 0, "told": 0, "easier": 0 })
            && same["unexplained"] == 0,
        "{same}"
    );
    let tighter = stage.file("tighter.toml", &policy(2, "0.18", "0.4"))?;
    let differs = replayed(&tighter, &[])?;
    ensure!(
        differs["counts"]["asks"] == 1 && differs["counts"]["denied"] == 1,
        "{differs}"
    );
    ensure!(
        differs["rows"][0]["transaction"] == json!(delayed)
            && differs["rows"][1]["transaction"] == json!(asked)
            && differs["rows"][1]["why"] == json!(["per_transaction_limit", "tier_not_available"]),
        "{differs}"
    );
    let looser = stage.file("looser.toml", &policy(2, "1", "1"))?;
    ensure!(replayed(&looser, &[])?["counts"]["easier"] == 1);

    // The same from a file; one that ends earlier is past traffic too, but no whole log.
    let export = stage.home.folder().join("log.jsonl");
    let export = export.to_str().context("a path")?;
    stage.home.cli(&["audit", "export", export])?;
    ensure!(replayed(&tighter, &["--log", export])? == differs);
    stage.pay(SMALL, "later", &["CONFIRMED"])?;
    stage.home.cli(&["audit", "verify"])?;
    ensure!(replayed(&tighter, &["--log", export])? == differs);
    ensure!(
        stage
            .home
            .cli(&["audit", "verify", "--from-file", export])
            .is_err(),
        "a file that ends before what was seen is no whole log"
    );
    let changed = std::fs::read_to_string(export)?.replacen("\"body\":\"g", "\"body\":\"h", 1);
    let changed = stage.file("changed.jsonl", &changed)?;
    ensure!(
        stage
            .home
            .cli(&["policy", "replay", &tighter, "--log", &changed])
            .is_err(),
        "a changed log was judged"
    );
    older_log_is_refused(&mut stage)
}

/// Gateway and command line remember the last head: a log that was put back is refused by both.
fn older_log_is_refused(stage: &mut Stage) -> Result<()> {
    let ledger = stage.home.folder().join("signer/ledger.db");
    let kept = stage.home.folder().join("kept");
    stage.running = None;
    copy(&ledger, &kept)?;
    stage.running = Some(stage.home.start_unlocked()?);
    stage.agent.renew()?;
    stage.pay(SMALL, "after-the-copy", &["CONFIRMED"])?;
    stage.home.cli(&["audit", "verify"])?;
    stage.running = None;
    copy(&kept, &ledger)?;
    stage.running = Some(stage.home.start()?);
    let refused = stage.home.cli(&["audit", "show"]);
    let said = format!("{:#}", refused.err().context("an older log was shown")?);
    ensure!(said.contains("seen before"), "{said}");
    let status = stage.agent.send(&stage.agent.get("/ready"))?;
    let told = status.json()?;
    ensure!(
        status.status == 503 && told.to_string().contains("log"),
        "{told}"
    );
    longer_fork_is_refused(stage)
}

/// The copy goes on until its number is the higher one: the head that the owner kept stays, and every
/// command says that the log does not lead through it.
fn longer_fork_is_refused(stage: &Stage) -> Result<()> {
    let path = stage.home.folder().join("head");
    let seen = std::fs::read_to_string(&path)?;
    let kept: u64 = seen.lines().nth(1).context("a number")?.parse()?;
    let mut number = 0;
    for _ in 0..20 {
        let missed = stage.home.cli_with_password(&["unlock"]);
        let said = format!("{:#}", missed.err().context("unlocked as if it went on")?);
        ensure!(said.contains("everything is PAUSED"), "{said}");
        stage.home.cli(&["lock"])?;
        let said = stage.home.command(&["status", "--json"]).output()?;
        ensure!(said.status.code() == Some(1), "{:?}", said.status);
        let told: Value = serde_json::from_slice(&said.stdout)?;
        ensure!(text(&told, "log")? == "mismatch", "{told}");
        let sequence = told.get("sequence").and_then(Value::as_u64);
        number = sequence.context("a number")?;
        if number > kept + 1 {
            break;
        }
    }
    ensure!(number > kept + 1, "the fork never got longer: {number}");
    for command in [&["audit", "verify"][..], &["wallet", "list"]] {
        let refused = stage.home.cli(command);
        let said = format!("{:#}", refused.err().context("the fork was believed")?);
        ensure!(said.contains("seen before"), "{said}");
    }
    ensure!(
        std::fs::read_to_string(&path)? == seen,
        "the kept head is gone"
    );
    // The owner's own decision, once the last payments were looked through.
    std::fs::remove_file(&path)?;
    stage.home.cli(&["audit", "verify"])?;
    Ok(())
}

/// A database at rest: the file and its log of writes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let [from, to] = [from, to].map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            std::path::PathBuf::from(name)
        });
        if from.exists() {
            std::fs::copy(&from, &to)?;
        } else if to.exists() {
            std::fs::remove_file(&to)?;
        }
    }
    Ok(())
}
