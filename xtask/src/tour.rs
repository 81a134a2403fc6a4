//! The product's part of `cargo xtask dev`: a wallet is set up with the command line, an agent pays over REST with
//! HTTP Message Signatures on both chains and waits for the confirmation, one payment over its limit is refused
//! with its reasons. Every step is checked against the chain itself.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use xtask::agent::{Agent, Transfer, fresh};
use xtask::chains::{Anvil, Surfnet};
use xtask::home::{Home, Running};
use xtask::product::Product;
use xtask::progress::Progress;

const EVM: &str = "eip155:31337";
const SOLANA: &str = "solana:localnet";
/// Who is paid: an EVM account and a Solana account that nobody here holds a key for.
const EVM_TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA_TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// 0.05 ETH in wei, 0.05 SOL in lamports.
const EVM_AMOUNT: u128 = 50_000_000_000_000_000;
const SOLANA_AMOUNT: u64 = 50_000_000;
/// 5 ETH in wei: five times what the session may spend at once.
const TOO_MUCH: &str = "5000000000000000000";
/// Seconds that a payment waits for its confirmation.
const WAIT: u32 = 60;

/// A wallet that is set up and running.
#[derive(Debug)]
pub(crate) struct Tour {
    home: Home,
    running: Running,
    owner: PathBuf,
    evm_wallet: (String, String),
    solana_wallet: (String, String),
    agent: Agent,
}

impl Tour {
    /// Sets up owner, wallets, policy and session, or takes up what an earlier tour left.
    pub(crate) fn begin(
        product: &Product,
        state: &Path,
        anvil: &Anvil,
        progress: &Progress,
    ) -> Result<Self> {
        let home = Home::create(product, &state.join("wallet"), &[(EVM, anvil.url())])?;
        home.set_chains(&[(EVM, anvil.url())])?;
        let running = home.start_unlocked()?;
        progress.note(format_args!(
            "signer ready in {:.0?}, gateway in {:.0?}, at {}",
            running.signer_start,
            running.gateway_start,
            home.url()
        ));
        let first = !home.folder().join("policy.toml").exists();
        let owner = home.owner(&[&format!("{EVM}:{EVM_TO}"), &format!("{SOLANA}:{SOLANA_TO}")])?;
        let evm_wallet = home.wallet("evm", EVM)?;
        let solana_wallet = home.wallet("solana", SOLANA)?;
        progress.note(format_args!(
            "EVM wallet {} at {}",
            evm_wallet.0, evm_wallet.1
        ));
        progress.note(format_args!(
            "Solana wallet {} at {}",
            solana_wallet.0, solana_wallet.1
        ));
        if first {
            home.adopt(&policy(), &owner)?;
            progress.note("the owner signed a policy");
        }
        let wallets = [evm_wallet.0.as_str(), solana_wallet.0.as_str()];
        let limits = [
            format!("{EVM}/slip44:60=1/10"),
            format!("{SOLANA}/slip44:501=1/10"),
        ];
        let limits: Vec<_> = limits.iter().map(String::as_str).collect();
        let agent = home.agent(&owner, &wallets, &limits, false)?;
        progress.note(format_args!(
            "the owner granted {} to an agent's key",
            agent.session
        ));
        Ok(Self {
            home,
            running,
            owner,
            evm_wallet,
            solana_wallet,
            agent,
        })
    }

    /// Pays ETH, and asks for too much of it.
    pub(crate) fn evm(&mut self, anvil: &Anvil, progress: &Progress) -> Result<()> {
        anvil.fund(&self.evm_wallet.1, 10_000_000_000_000_000_000)?;
        // A chain that begins anew does not know the nonces of an earlier tour.
        let next = self.next_nonce()?;
        anvil.rpc().call(
            "anvil_setNonce",
            json!([self.evm_wallet.1, format!("{next:#x}")]),
        )?;
        let before = anvil.balance(EVM_TO)?;
        let transfer = self.transfer(&self.evm_wallet.0, EVM, EVM_TO, &EVM_AMOUNT.to_string());
        let paid = self.pay(&transfer)?;
        let received = anvil.balance(EVM_TO)? - before;
        ensure!(
            received == EVM_AMOUNT,
            "{received} wei arrived instead of {EVM_AMOUNT}: {paid}"
        );
        progress.note(format_args!(
            "paid 0.05 ETH, confirmed: {}",
            chain_transaction(&paid)?
        ));

        let transfer = Transfer {
            amount_base: TOO_MUCH.to_owned(),
            ..transfer
        };
        let answer = self
            .agent
            .send(&self.agent.transfer(&transfer, &fresh()?, 0)?)?;
        let problem = answer.json()?;
        ensure!(
            answer.status == 403,
            "5 ETH were not refused: {} {problem}",
            answer.status
        );
        progress.note(format_args!("5 ETH refused: {}", reasons(&problem)?));
        ensure!(
            anvil.balance(EVM_TO)? == before + EVM_AMOUNT,
            "a refused payment moved money"
        );
        Ok(())
    }

    /// Pays SOL; the gateway learns of the chain by a restart, the signer goes on.
    pub(crate) fn solana(
        &mut self,
        anvil: &Anvil,
        surfnet: &Surfnet,
        progress: &Progress,
    ) -> Result<()> {
        surfnet.fund(&self.solana_wallet.1, 10_000_000_000)?;
        self.home
            .set_chains(&[(EVM, anvil.url()), (SOLANA, surfnet.url())])?;
        self.running
            .gateway
            .stop(std::time::Duration::from_secs(10))?;
        self.running.gateway = self.home.start_gateway()?;
        self.agent.renew()?;
        let before = surfnet.balance(SOLANA_TO)?;
        let transfer = self.transfer(
            &self.solana_wallet.0,
            SOLANA,
            SOLANA_TO,
            &SOLANA_AMOUNT.to_string(),
        );
        let paid = self.pay(&transfer)?;
        let received = surfnet.balance(SOLANA_TO)? - before;
        ensure!(
            received == SOLANA_AMOUNT,
            "{received} lamports arrived instead of {SOLANA_AMOUNT}: {paid}"
        );
        progress.note(format_args!(
            "paid 0.05 SOL, confirmed: {}",
            chain_transaction(&paid)?
        ));
        Ok(())
    }

    /// Lines to copy and paste: curl cannot sign, so they use a bearer session.
    pub(crate) fn curl_lines(&self, progress: &Progress) -> Result<()> {
        let limits = [format!("{EVM}/slip44:60=0.01/0.1")];
        let limits: Vec<_> = limits.iter().map(String::as_str).collect();
        let bearer = self
            .home
            .agent(&self.owner, &[&self.evm_wallet.0], &limits, true)?;
        let url = self.home.url();
        let body = json!({
            "signer": bearer.signer,
            "wallet": self.evm_wallet.0,
            "network": EVM,
            "to": "@shop",
            "amount": "0.001",
            "reason": "a try with curl",
        });
        progress.note("try it yourself (a bearer session, for 15 minutes):");
        for line in [
            format!("export TOKEN={}", bearer.token()),
            format!("curl -s {url}/v1/session -H \"Authorization: Bearer $TOKEN\""),
            format!("curl -s {url}/v1/wallets -H \"Authorization: Bearer $TOKEN\""),
            format!(
                "curl -s '{url}/v1/transactions?wait=30' -H \"Authorization: Bearer $TOKEN\" \
                 -H \"Idempotency-Key: $(date +%s%N)\" -H 'Content-Type: application/json' -d '{body}'"
            ),
        ] {
            progress.note(line);
        }
        progress.note(format_args!(
            "the owner's side: WAIAAS_HOME={} waiaas status",
            self.home.folder().display()
        ));
        // The last line is tried here as it stands.
        let answer = bearer.send(&bearer.post("/v1/transactions?wait=30", &fresh()?, &body)?)?;
        let said = answer.json()?;
        ensure!(
            said.get("status") == Some(&json!("CONFIRMED")),
            "the curl line does not work: {said}"
        );
        Ok(())
    }

    fn transfer(&self, wallet: &str, network: &str, to: &str, amount_base: &str) -> Transfer {
        Transfer {
            wallet: wallet.to_owned(),
            network: network.to_owned(),
            to: to.to_owned(),
            amount_base: amount_base.to_owned(),
            submit: true,
        }
    }

    fn pay(&self, transfer: &Transfer) -> Result<Value> {
        let answer = self
            .agent
            .send(&self.agent.transfer(transfer, &fresh()?, WAIT)?)?;
        let said = answer.json()?;
        match said.get("status").and_then(Value::as_str) {
            Some("CONFIRMED") => Ok(said),
            _ => bail!("the payment was not confirmed: {} {said}", answer.status),
        }
    }

    fn next_nonce(&self) -> Result<u64> {
        let listed = self.home.cli(&["wallet", "list"])?;
        let wallets = listed
            .get("wallets")
            .and_then(Value::as_array)
            .context("a list of wallets")?;
        let found = wallets
            .iter()
            .find(|wallet| wallet.get("wallet") == Some(&json!(self.evm_wallet.0)));
        found
            .and_then(|wallet| wallet.pointer("/nonces/0/next")?.as_u64())
            .context("the wallet's next nonce")
    }
}

fn chain_transaction(payment: &Value) -> Result<&str> {
    payment
        .get("chain_transaction")
        .and_then(Value::as_str)
        .context("the chain's name of the payment")
}

/// The reasons of a refusal, a code each.
fn reasons(problem: &Value) -> Result<String> {
    let violations = problem
        .get("violations")
        .and_then(Value::as_array)
        .context("a list of reasons")?;
    let codes: Vec<_> = violations
        .iter()
        .filter_map(|violation| violation.get("code").and_then(Value::as_str))
        .collect();
    ensure!(!codes.is_empty(), "a refusal without reasons: {problem}");
    Ok(codes.join(", "))
}

fn policy() -> String {
    format!(
        "version = 1
epoch = 1
maturity = \"24h\"

[[asset]]
id = \"{EVM}/slip44:60\"
symbol = \"ETH\"
decimals = 18
per-transaction = \"1\"
hour = \"2\"
day = \"5\"
week = \"10\"
month = \"20\"
instant-up-to = \"0.01\"
notify-up-to = \"1\"
fee-ceiling = \"0.01\"
outstanding = \"10\"

[[asset]]
id = \"{SOLANA}/slip44:501\"
symbol = \"SOL\"
decimals = 9
per-transaction = \"1\"
hour = \"2\"
day = \"5\"
week = \"10\"
month = \"20\"
instant-up-to = \"0.01\"
notify-up-to = \"1\"
fee-ceiling = \"0.01\"

[[recipient]]
name = \"shop\"
account = \"{EVM}:{EVM_TO}\"

[[recipient]]
name = \"friend\"
account = \"{SOLANA}:{SOLANA_TO}\"
"
    )
}
