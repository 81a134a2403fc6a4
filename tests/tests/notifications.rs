//! What owners are told, as they receive it: a real signer, gateway and chain, and on the other side receivers that are
//! not ours (Python: the published library for webhooks, a mail server, stand-ins for the chats). Nothing is lost in an
//! outage of every channel at once, and nothing is lost or told under another name when gateway.db is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::agent::{Agent, Transfer};
use xtask::chains::Anvil;
use xtask::home::{Home, Running};
use xtask::process::Process;
use xtask::product::Product;
use xtask::tools;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Wei: within `instant-up-to`, within `notify-up-to`, and above `delay-up-to`.
const INSTANT: u128 = 50_000_000_000_000_000;
const NOTIFIED: u128 = 120_000_000_000_000_000;
const ASKED: u128 = 600_000_000_000_000_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CHANNELS: [&str; 6] = ["telegram", "discord", "slack", "ntfy", "mail", "books"];
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\ndelay = \"1h\"\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"20\"\nday = \"20\"\nweek = \"20\"\nmonth = \"20\"\n\
         instant-up-to = \"0.1\"\nnotify-up-to = \"0.15\"\ndelay-up-to = \"0.5\"\napprove-up-to = \"1\"\n\
         fee-ceiling = \"0.01\"\noutstanding = \"20\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

/// The receivers, which can go away and come back at the same place.
struct Receivers {
    file: PathBuf,
    ports: Option<(u16, u16)>,
    process: Option<Process>,
}

impl Receivers {
    fn start(&mut self) -> Result<(u16, u16)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/receiver.py");
        let mut command = tools::python()?;
        command.arg(script).arg(&self.file).arg(SECRET);
        if let Some((http, smtp)) = self.ports {
            command.arg(http.to_string()).arg(smtp.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn("receiver", &mut command)?;
        let ports = process.ready(PATIENCE, |line| {
            let mut words = line.strip_prefix("ready ")?.split(' ');
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        })?;
        self.process = Some(process);
        self.ports = Some(ports);
        Ok(ports)
    }

    fn go_away(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop(PATIENCE)?;
        }
        Ok(())
    }

    /// What each channel took, in order: the name, as far as the channel carries one, and the text.
    fn took(&self) -> Result<BTreeMap<String, Vec<(String, Value)>>> {
        let mut took: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for line in fs::read_to_string(&self.file).unwrap_or_default().lines() {
            let line: Value = serde_json::from_str(line)?;
            let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
            took.entry(text("channel").to_owned()).or_default().push((
                text("name").to_owned(),
                line.get("text").cloned().unwrap_or_default(),
            ));
        }
        ensure!(
            !took.contains_key("refused"),
            "a webhook did not verify: {took:?}"
        );
        Ok(took)
    }

    /// Waits until every channel has been told something.
    fn all_have(&self, what: &str, told: impl Fn(&str) -> bool) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let took = self.took()?;
            let missing: Vec<_> = CHANNELS
                .into_iter()
                .filter(|channel| {
                    let messages = took.get(*channel);
                    !messages
                        .into_iter()
                        .flatten()
                        .any(|(_, text)| told(&shown(text)))
                })
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{what}: not told in {missing:?}: {took:#?}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The webhooks' names and kinds, in order.
    fn kinds(&self) -> Result<Vec<(String, String)>> {
        let took = self.took()?;
        let books = took.get("books").cloned().unwrap_or_default();
        Ok(books
            .into_iter()
            .map(|(name, body)| {
                let kind = body.get("type").and_then(Value::as_str);
                (name, kind.unwrap_or_default().to_owned())
            })
            .collect())
    }
}

/// A message as people read it; Discord's without its escapes.
fn shown(text: &Value) -> String {
    match text {
        Value::String(text) => text.replace('\\', ""),
        body => body
            .pointer("/data/text")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    }
}

fn channels(http: u16, smtp: u16) -> String {
    let at = format!("http://127.0.0.1:{http}");
    format!(
        "
[[channel]]
name = \"telegram\"
telegram = {{ token-file = \"telegram.token\", chat = \"4711\", server = \"{at}\" }}

[[channel]]
name = \"discord\"
discord = {{ url-file = \"discord.url\" }}

[[channel]]
name = \"slack\"
slack = {{ url-file = \"slack.url\" }}

[[channel]]
name = \"ntfy\"
ntfy = {{ server = \"{at}/\", topic = \"wallet\", token-file = \"ntfy.token\" }}

[[channel]]
name = \"mail\"
email = {{ server = \"127.0.0.1:{smtp}\", tls = \"none\", from = \"wallet@example.org\", to = [\"owner@example.org\"] }}

[[channel]]
name = \"books\"
webhook = {{ url = \"{at}/books\", secret-file = \"books.secret\" }}
"
    )
}

struct Stage {
    _folder: tempfile::TempDir,
    _chain: Anvil,
    receivers: Receivers,
    home: Home,
    running: Running,
    agent: Agent,
    owner: String,
    wallet: String,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Anvil::start()?;
        let folder = tempfile::tempdir()?;
        let mut receivers = Receivers {
            file: folder.path().join("received"),
            ports: None,
            process: None,
        };
        let (http, smtp) = receivers.start()?;
        let product = Product::for_tests()?;
        let home = Home::create(&product, &folder.path().join("home"), &[(EVM, chain.url())])?;
        home.set_chains(&[(EVM, chain.url())])?;
        let at = format!("http://127.0.0.1:{http}");
        for (name, secret) in [
            ("telegram.token", "12345:secret".to_owned()),
            ("discord.url", format!("{at}/discord/secret")),
            ("slack.url", format!("{at}/slack/secret")),
            ("ntfy.token", "tk_secret".to_owned()),
            ("books.secret", SECRET.to_owned()),
        ] {
            let path = home.folder().join(name);
            fs::write(&path, secret)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        let config = home.folder().join("gateway.toml");
        let text = fs::read_to_string(&config)? + &channels(http, smtp);
        fs::write(&config, text)?;
        let running = home.start_unlocked()?;
        let owner = home.owner(&[])?;
        let (wallet, address) = home.wallet("evm", EVM)?;
        chain.fund(&address, 100_000_000_000_000_000_000)?;
        home.adopt(&policy(), &owner)?;
        let limit = format!("{EVM}/slip44:60=1/100");
        let agent = home.agent(&owner, &[&wallet], &[&limit], false)?;
        Ok(Self {
            _folder: folder,
            _chain: chain,
            receivers,
            home,
            running,
            agent,
            owner: owner.to_str().context("a path")?.to_owned(),
            wallet,
        })
    }

    fn pay(&self, amount: u128, key: &str) -> Result<String> {
        let transfer = Transfer {
            wallet: self.wallet.clone(),
            network: EVM.to_owned(),
            to: TO.to_owned(),
            amount_base: amount.to_string(),
            submit: true,
        };
        let answer = self.agent.send(&self.agent.transfer(&transfer, key, 0)?)?;
        let said = answer.json()?;
        ensure!(
            [200, 201, 202].contains(&answer.status),
            "{} {said}",
            answer.status
        );
        let name = said.get("transaction").and_then(Value::as_str);
        Ok(name.context("a transaction")?.to_owned())
    }
}

#[test]
fn every_channel_tells_everything_also_after_an_outage() -> Result<()> {
    let mut stage = Stage::set_up()?;
    stage
        .receivers
        .all_have("the policy", |text| text.contains("A policy was adopted"))?;
    stage.receivers.go_away()?;
    let instant = stage.pay(INSTANT, "instant")?;
    let notified = stage.pay(NOTIFIED, "notified")?;
    let rejected = stage.pay(ASKED, "rejected")?;
    let key = ["--owner-key", &stage.owner, "--yes"];
    stage
        .home
        .cli(&[&["payment", "reject", rejected.as_str()], &key[..]].concat())?;
    stage.receivers.start()?;
    stage
        .receivers
        .all_have("the payment of tier NOTIFY", |text| {
            text.contains("A payment was signed")
                && text.contains(&notified)
                && text.contains("0.12 ETH")
        })?;
    stage.receivers.all_have("the one that waited", |text| {
        text.contains("A payment waits for your approval")
            && text.contains(&format!("0.6 ETH -> @shop ({TO})"))
            && text.contains(&format!("waiaas payment cancel {rejected}"))
    })?;
    stage.receivers.all_have("its end", |text| {
        text.contains("ended unsigned") && text.contains("rejected by an owner")
    })?;
    let took = stage.receivers.took()?;
    for (channel, messages) in &took {
        ensure!(
            !messages
                .iter()
                .any(|(_, text)| shown(text).contains(&instant)),
            "{channel} tells of a payment at tier INSTANT"
        );
    }
    // Each once: nothing went wrong but the outage, in which nothing was taken.
    let kinds = stage.receivers.kinds()?;
    let names: BTreeSet<&String> = kinds.iter().map(|(name, _)| name).collect();
    ensure!(names.len() == kinds.len(), "{kinds:?}");
    Ok(())
}

#[test]
fn what_waits_is_told_under_its_name_again_after_gateway_db_was_lost() -> Result<()> {
    let mut stage = Stage::set_up()?;
    let waits = stage.pay(ASKED, "waits")?;
    let over = stage.pay(NOTIFIED, "over")?;
    let told = |text: &str| text.contains(&waits) && text.contains("waits for your approval");
    stage.receivers.all_have("the one that waits", told)?;
    stage
        .receivers
        .all_have("the other", |text| text.contains(&over))?;
    stage.running.gateway.stop(PATIENCE)?;
    fs::remove_file(stage.home.folder().join("gateway/gateway.db"))?;
    let before = stage.receivers.kinds()?;
    fs::write(&stage.receivers.file, "")?;
    stage.running.gateway = stage.home.start_gateway()?;
    stage.receivers.all_have("the one that waits still", told)?;
    stage
        .receivers
        .all_have("that messages begin again", |text| {
            text.contains("Messages begin here")
        })?;
    let after = stage.receivers.kinds()?;
    let names = |kinds: &[(String, String)]| {
        let waiting = kinds.iter().filter(|(_, kind)| kind == "payment.waiting");
        waiting
            .map(|(name, _)| name.clone())
            .collect::<BTreeSet<_>>()
    };
    ensure!(names(&before) == names(&after), "{before:?} {after:?}");
    ensure!(
        after
            .iter()
            .all(|(_, kind)| ["payment.waiting", "gateway.begins"].contains(&kind.as_str())),
        "what is over is not told again: {after:?}"
    );
    // And it is paid as if nothing had happened.
    let key = ["--owner-key", &stage.owner, "--yes"];
    stage
        .home
        .cli(&[&["payment", "approve", waits.as_str()], &key[..]].concat())?;
    stage.receivers.all_have("its signature", |text| {
        text.contains("A payment was signed") && text.contains(&waits)
    })
}
