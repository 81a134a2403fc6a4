//! A whole wallet of one user, set up as its owner would: with the `waiaas` command line alone. Used by the tour,
//! the benchmark and process-level tests. Signer and gateway run as children of this process, so that they never
//! outlive it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use waiaas_shared::ids::{SessionId, SignerId};

use crate::agent::{Agent, Proof};
use crate::process::Process;
use crate::product::Product;

/// The password of every wallet made here. It protects nothing: these wallets live on local chains.
pub const PASSWORD: &str = "local trial password";
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A wallet's home.
#[derive(Debug)]
pub struct Home {
    product: Product,
    folder: PathBuf,
    port: u16,
}

/// Its two processes.
#[derive(Debug)]
pub struct Running {
    /// The sealed process.
    pub signer: Process,
    /// The process that faces the world.
    pub gateway: Process,
    /// From spawning the signer to its being ready.
    pub signer_start: Duration,
    /// From spawning the gateway to its being ready.
    pub gateway_start: Duration,
}

impl Home {
    /// A home in `folder`: `waiaas init` unless it is one already. Nothing runs afterwards.
    ///
    /// # Errors
    /// When a step of it fails.
    pub fn create(product: &Product, folder: &Path, chains: &[(&str, &str)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let home = Self {
            product: product.clone(),
            folder: folder.to_owned(),
            port,
        };
        if folder.join("gateway.toml").exists() {
            let config = fs::read_to_string(folder.join("config.toml"))?;
            let url = config
                .lines()
                .find_map(|line| line.strip_prefix("gateway-url = \"http://127.0.0.1:"))
                .and_then(|rest| rest.trim_end_matches('"').parse().ok());
            return Ok(Self {
                port: url.context("config.toml without a local gateway-url")?,
                ..home
            });
        }
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        fs::write(
            folder.join("config.toml"),
            format!(
                "gateway-url = \"http://127.0.0.1:{port}\"\nsigner-binary = {:?}\ngateway-binary = {:?}\n",
                product.signer(),
                product.gateway()
            ),
        )?;
        let mut arguments = vec!["init".to_owned(), "--phrase-fd".to_owned(), "2".to_owned()];
        for (network, url) in chains {
            arguments.extend(["--network".to_owned(), (*network).to_owned()]);
            arguments.extend(["--rpc".to_owned(), format!("{network}={url}")]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let made = home.cli_with_password(&arguments);
        // `init` left the signer running in the background, as it should; here it becomes a child instead.
        let stopped = home.cli(&["stop"]);
        made.and(stopped)?;
        Ok(home)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Puts these chains into the gateway's configuration in place of the ones that are there: local chains have
    /// another address at each start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_chains(&self, chains: &[(&str, &str)]) -> Result<()> {
        let path = self.folder.join("gateway.toml");
        let text = fs::read_to_string(&path)?;
        let mut text = text
            .split("\n[[chain]]")
            .next()
            .unwrap_or_default()
            .to_owned();
        for (network, url) in chains {
            text.push_str(&format!(
                "\n[[chain]]\nid = {network:?}\nrpc = [{url:?}]\npoll-interval-ms = 100\n"
            ));
            if network.starts_with("eip155:") {
                // A local chain makes a block only when something happens.
                text.push_str("confirmations = 1\n");
            }
        }
        Ok(fs::write(path, text)?)
    }

    /// Starts the signer alone and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start_signer(&self) -> Result<Process> {
        let mut command = Command::new(self.product.signer());
        command
            .arg("--config")
            .arg(self.folder.join("signer.toml"))
            .stdout(Stdio::piped());
        let mut signer = Process::spawn("waiaas-signer", &mut command)?;
        signer.ready(PATIENCE, |line| (line == "ready").then_some(()))?;
        Ok(signer)
    }

    /// Starts the gateway alone and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start_gateway(&self) -> Result<Process> {
        let mut command = Command::new(self.product.gateway());
        command
            .arg("--config")
            .arg(self.folder.join("gateway.toml"))
            .stdout(Stdio::piped());
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("gateway.log"))?;
        command.stderr(log);
        let mut gateway = Process::spawn("waiaas-gateway", &mut command)?;
        gateway.ready(PATIENCE, |line| line.starts_with("ready ").then_some(()))?;
        Ok(gateway)
    }

    /// Starts both; the signer is locked.
    ///
    /// # Errors
    /// When one of them ends instead.
    pub fn start(&self) -> Result<Running> {
        let from = Instant::now();
        let signer = self.start_signer()?;
        let signer_start = from.elapsed();
        let from = Instant::now();
        let gateway = self.start_gateway()?;
        Ok(Running {
            signer,
            gateway,
            signer_start,
            gateway_start: from.elapsed(),
        })
    }

    /// Starts both and unlocks.
    ///
    /// # Errors
    /// When one of them ends instead, or the password is refused.
    pub fn start_unlocked(&self) -> Result<Running> {
        let running = self.start()?;
        self.cli_with_password(&["unlock"])?;
        Ok(running)
    }

    /// Runs `waiaas ... --json` and reads its answer.
    ///
    /// # Errors
    /// When it fails: with what it said.
    pub fn cli(&self, arguments: &[&str]) -> Result<Value> {
        self.run(arguments, None)
    }

    /// The same with the password on standard input.
    ///
    /// # Errors
    /// When it fails: with what it said.
    pub fn cli_with_password(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["--password-fd", "0"]);
        self.run(&all, Some(PASSWORD))
    }

    /// The command line with this home, for whatever else a test does with it.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.product.cli());
        command.env("WAIAAS_HOME", &self.folder).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str], input: Option<&str>) -> Result<Value> {
        let mut child = self
            .command(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("waiaas")?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            writeln!(stdin, "{input}")?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "waiaas {}: {}\n{said}",
            arguments.join(" "),
            output.status
        );
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("waiaas {}", arguments.join(" ")))
    }

    /// The owner's key file, made and enrolled if there is none.
    ///
    /// # Errors
    /// When a step fails.
    pub fn owner(&self, withdraw_to: &[&str]) -> Result<PathBuf> {
        let file = self.folder.join("owner/owner.json");
        if !file.exists() {
            self.cli(&["owner", "keygen"])?;
            let path = file.to_str().context("a path of text")?;
            let mut arguments = vec!["owner", "enrol", "--yes", "--key-file", path];
            for account in withdraw_to {
                arguments.extend(["--withdraw-to", account]);
            }
            self.cli_with_password(&arguments)?;
        }
        Ok(file)
    }

    /// The wallet on this network: its id and address; made if there is none.
    ///
    /// # Errors
    /// When a step fails.
    pub fn wallet(&self, family: &str, network: &str) -> Result<(String, String)> {
        if let Some(found) = self.find_wallet(network)? {
            return Ok(found);
        }
        self.cli_with_password(&["wallet", "create", "--family", family, "--network", network])?;
        self.find_wallet(network)?
            .context("the wallet that was just made")
    }

    fn find_wallet(&self, network: &str) -> Result<Option<(String, String)>> {
        let listed = self.cli(&["wallet", "list"])?;
        let wallets = listed
            .get("wallets")
            .and_then(Value::as_array)
            .context("a list of wallets")?;
        Ok(wallets.iter().find_map(|wallet| {
            let networks = wallet.get("networks")?.as_array()?;
            networks.contains(&json!(network)).then_some(())?;
            Some((
                wallet.get("wallet")?.as_str()?.to_owned(),
                wallet.get("account")?.as_str()?.to_owned(),
            ))
        }))
    }

    /// Adopts a policy given in TOML.
    ///
    /// # Errors
    /// When the signer refuses.
    pub fn adopt(&self, policy: &str, owner: &Path) -> Result<()> {
        let file = self.folder.join("policy.toml");
        fs::write(&file, policy)?;
        let (file, owner) = (text(&file)?, text(owner)?);
        self.cli_with_password(&["policy", "adopt", file, "--owner-key", owner, "--yes"])
            .map(drop)
    }

    /// Grants a session bound to a fresh agent key (or a bearer session) and logs in over HTTP.
    ///
    /// # Errors
    /// When a step fails.
    pub fn agent(
        &self,
        owner: &Path,
        wallets: &[&str],
        limits: &[&str],
        bearer: bool,
    ) -> Result<Agent> {
        self.agent_with(owner, wallets, limits, bearer, &[])
    }

    /// The same with further arguments of `session grant`.
    ///
    /// # Errors
    /// When a step fails.
    pub fn agent_with(
        &self,
        owner: &Path,
        wallets: &[&str],
        limits: &[&str],
        bearer: bool,
        more: &[&str],
    ) -> Result<Agent> {
        let owner = text(owner)?;
        let mut arguments = vec![
            "session",
            "grant",
            "--owner-key",
            owner,
            "--yes",
            "--count",
            "1000000",
        ];
        arguments.extend(["--expires", "1d"]);
        for wallet in wallets {
            arguments.extend(["--wallet", wallet]);
        }
        for limit in limits {
            arguments.extend(["--limit", limit]);
        }
        arguments.extend(more);
        let key = if bearer { None } else { Some(fresh_key()?) };
        let public = key.as_ref().map(|key| {
            waiaas_shared::keys::AgentKey::from_bytes(key.verifying_key().to_bytes()).to_string()
        });
        match &public {
            Some(public) => arguments.extend(["--agent-key", public]),
            None => arguments.push("--bearer"),
        }
        let granted = self.cli(&arguments)?;
        let field = |name: &str| granted.get(name).and_then(Value::as_str).map(str::to_owned);
        let session: SessionId = field("session").context("a session")?.parse()?;
        let proof = match key {
            Some(key) => Proof::Key(Box::new(key)),
            None => Proof::Bearer(field("secret").context("a bearer secret")?),
        };
        Agent::log_in(&self.url(), self.signer_id()?, session, proof)
    }

    /// Whose home it is.
    ///
    /// # Errors
    /// When the signer is not running.
    pub fn signer_id(&self) -> Result<SignerId> {
        let status = self.cli(&["status"])?;
        match status.get("signer").and_then(Value::as_str) {
            Some(id) => Ok(id.parse()?),
            None => bail!("a status without the signer's id: {status}"),
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of text")
}

fn fresh_key() -> Result<ed25519_dalek::SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(ed25519_dalek::SigningKey::from_bytes(&seed))
}
