//! The place of the cases: one wallet under a policy with every tier, an honest agent with a key, a bearer session whose
//! secret was stolen, another agent with a wallet of its own, and a chain on which the money moves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{self, Parameters};
use xtask::agent::{Agent, Proof, fresh};
use xtask::chains::Anvil;
use xtask::home::{Home, Running};
use xtask::http::{Request, Response};
use xtask::product::Product;

pub(crate) const EVM: &str = "eip155:31337";
pub(crate) const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Wei: one transaction, an hour, and what is signed at once and after a wait.
pub(crate) const PER_TRANSACTION: u128 = 1_000_000_000_000_000_000;
pub(crate) const ASKED: u128 = 600_000_000_000_000_000;
/// The chain's trial and its fee: never above the policy's ceiling.
pub(crate) const FEE_CEILING: u128 = 10_000_000_000_000_000;

pub(crate) struct Stage {
    _folder: tempfile::TempDir,
    pub(crate) chain: Anvil,
    pub(crate) home: Home,
    pub(crate) running: Running,
    pub(crate) owner: std::path::PathBuf,
    pub(crate) wallet: String,
    /// The bearer session's secret, as the grant showed it once.
    pub(crate) secret: String,
    /// Bound to `key`.
    pub(crate) bound: Agent,
    pub(crate) key: SigningKey,
    pub(crate) bearer: Agent,
    /// Another agent, with a wallet of its own.
    pub(crate) other: Agent,
    pub(crate) other_wallet: String,
}

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\ndelay = \"8s\"\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"5\"\nday = \"5\"\nweek = \"5\"\nmonth = \"5\"\ninstant-up-to = \"0.3\"\n\
         notify-up-to = \"0.4\"\ndelay-up-to = \"0.5\"\napprove-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\
         outstanding = \"20\"\n\n[[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

impl Stage {
    pub(crate) fn set_up() -> Result<Self> {
        let chain = Anvil::start()?;
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let home = Home::create(&product, &folder.path().join("home"), &[(EVM, chain.url())])?;
        home.set_chains(&[(EVM, chain.url())])?;
        let running = home.start_unlocked()?;
        let owner = home.owner(&[])?;
        let (wallet, address) = home.wallet("evm", EVM)?;
        let made =
            home.cli_with_password(&["wallet", "create", "--family", "evm", "--network", EVM])?;
        let other_wallet = field(&made, "wallet")?.to_owned();
        for account in [address.as_str(), field(&made, "account")?] {
            chain.fund(account, 100 * PER_TRANSACTION)?;
        }
        home.adopt(&policy(), &owner)?;
        let key = SigningKey::from_bytes(&[77; 32]);
        let (bound, _) = granted(&home, &owner, &wallet, Some(&key))?;
        let (bearer, secret) = granted(&home, &owner, &wallet, None)?;
        let (other, _) = granted(&home, &owner, &other_wallet, None)?;
        Ok(Self {
            _folder: folder,
            chain,
            home,
            running,
            owner,
            wallet,
            secret,
            bound,
            key,
            bearer,
            other,
            other_wallet,
        })
    }

    /// A further bearer session over the first wallet.
    pub(crate) fn session(&self) -> Result<(Agent, String)> {
        granted(&self.home, &self.owner, &self.wallet, None)
    }

    /// A sound request for a payment.
    pub(crate) fn body(&self, amount: u128) -> Value {
        json!({
            "signer": self.bearer.signer,
            "wallet": self.wallet,
            "network": EVM,
            "to": TO,
            "amount_base": amount.to_string(),
        })
    }

    /// The same with a field changed, or one more.
    pub(crate) fn body_with(&self, name: &str, value: Value) -> Value {
        let mut body = self.body(1000);
        if let Some(fields) = body.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
        body
    }

    /// Asks as the bearer session, under a fresh key.
    pub(crate) fn ask(&self, body: &Value) -> Result<(u16, Value)> {
        self.ask_bytes(body.to_string().into_bytes())
    }

    pub(crate) fn ask_bytes(&self, body: Vec<u8>) -> Result<(u16, Value)> {
        let request = self
            .bearer
            .post_bytes("/v1/transactions", &fresh()?, body)?;
        answer(self.bearer.send(&request)?)
    }

    /// Asks for a payment as the bearer session.
    pub(crate) fn pay(&self, amount: u128, key: &str, wait: u32) -> Result<(u16, Value)> {
        let target = format!("/v1/transactions?wait={wait}");
        let request = self.bearer.post(&target, key, &self.body(amount))?;
        answer(self.bearer.send(&request)?)
    }

    /// A request of the bound session, whose signature covers what it should, made at this time.
    pub(crate) fn signed(
        &self,
        target: &str,
        key: &str,
        body: &[u8],
        created: u64,
    ) -> Result<Request> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = format!("?{query}");
        let parts = request_signature::Request {
            method: "POST",
            path,
            query: &query,
            body,
            idempotency_key: key,
        };
        let parameters = Parameters::new(created, fresh()?.parse()?, self.bound.session)?;
        let fields = request_signature::sign_request(&parts, &parameters, |base| {
            self.key.sign(base).to_bytes()
        })?;
        Ok(Request {
            method: "POST",
            target: target.to_owned(),
            headers: vec![
                ("Authorization", format!("Bearer {}", self.bound.token())),
                ("Idempotency-Key", key.to_owned()),
                ("Content-Digest", fields.content_digest),
                ("Signature-Input", fields.signature_input),
                ("Signature", fields.signature),
            ],
            body: body.to_vec(),
        })
    }

    /// The same now.
    pub(crate) fn signed_now(&self, target: &str, key: &str, body: &[u8]) -> Result<Request> {
        self.signed(target, key, body, now()?)
    }

    pub(crate) fn send(&self, request: &Request) -> Result<(u16, Value)> {
        answer(self.bearer.send(request)?)
    }

    /// How many transactions each session made, and what the recipient has.
    pub(crate) fn paid(&self) -> Result<(Vec<u64>, u128)> {
        let used = [&self.bound, &self.bearer, &self.other].map(|agent| {
            let (status, view) = answer(agent.send(&agent.get("/v1/session"))?)?;
            ensure!(status == 200, "{view}");
            view.get("transactions_used")
                .and_then(Value::as_u64)
                .context("a count")
        });
        Ok((
            used.into_iter().collect::<Result<_>>()?,
            self.chain.balance(TO)?,
        ))
    }

    /// What must hold after each case: an honest payment passes, and the recipient was paid by nobody else meanwhile.
    pub(crate) fn holds_after(&self, (_, before): (Vec<u64>, u128)) -> Result<()> {
        let amount = 1;
        let between = self.chain.balance(TO)?;
        let (status, told) = self.pay(amount, &fresh()?, 60)?;
        ensure!(
            status == 201 && told["status"] == "CONFIRMED",
            "an honest payment: {status} {told}"
        );
        ensure!(self.chain.balance(TO)? == between + amount);
        ensure!(between >= before);
        Ok(())
    }

    /// Whether nothing was paid since.
    pub(crate) fn unpaid_since(&self, before: &(Vec<u64>, u128)) -> Result<()> {
        let now = self.paid()?;
        ensure!(now == *before, "it paid: {before:?}, now {now:?}");
        Ok(())
    }

    /// Gateway and signer end as by a crash, and start again on what they left.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let running = &mut self.running;
        running.gateway.stop(Duration::from_secs(10))?;
        running.signer.stop(Duration::from_secs(10))?;
        self.running = self.home.start_unlocked()?;
        Ok(())
    }
}

fn granted(
    home: &Home,
    owner: &std::path::Path,
    wallet: &str,
    key: Option<&SigningKey>,
) -> Result<(Agent, String)> {
    let owner = owner.to_str().context("a path of text")?;
    let limit = format!("{EVM}/slip44:60=1/100");
    let mut arguments = vec!["session", "grant", "--owner-key", owner, "--yes"];
    arguments.extend([
        "--count",
        "10000",
        "--expires",
        "1d",
        "--wallet",
        wallet,
        "--limit",
        &limit,
    ]);
    let public = key.map(|key| AgentKey::from_bytes(key.verifying_key().to_bytes()).to_string());
    match &public {
        Some(public) => arguments.extend(["--agent-key", public]),
        None => arguments.push("--bearer"),
    }
    let granted = home.cli(&arguments)?;
    let session: SessionId = field(&granted, "session")?.parse()?;
    let secret = granted.get("secret").and_then(Value::as_str);
    let secret = secret.unwrap_or_default().to_owned();
    let proof = match key {
        Some(key) => Proof::Key(Box::new(key.clone())),
        None => Proof::Bearer(secret.clone()),
    };
    let agent = Agent::log_in(&home.url(), home.signer_id()?, session, proof)?;
    Ok((agent, secret))
}

pub(crate) fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Status and body.
pub(crate) fn answer(response: Response) -> Result<(u16, Value)> {
    Ok((response.status, response.json()?))
}

pub(crate) fn code(problem: &Value) -> &str {
    problem
        .get("code")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.with_context(|| format!("{name} in {value}"))
}
