//! Mints of Token-2022 that take something from whoever holds them, made on a real Solana chain by other code: none is
//! paid that the owner did not register, and whatever the chain does not let through is refused before it is signed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::{Books, charged, text, tokens};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;
use xtask::http::Response;

const NETWORK: &str = "solana:localnet";
const SOL: &str = "solana:localnet/slip44:501";
const SHOP: &str = "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA";
/// Base units: a thousand of each.
const BEGINNING: u128 = 1_000_000_000;
/// One of the token.
const UNIT: u128 = 1_000_000;

struct Stage {
    setting: Setting,
    made: Value,
    chain: Surfnet,
}

/// Each mint as a policy registers it.
type Registered<'a> = &'a [(&'a str, &'a str)];

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let setting = Setting::start(NETWORK, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, 1_000_000_000)?;
        let amount = BEGINNING.to_string();
        let (url, secret) = (chain.url(), chain.payer_secret());
        let arguments = ["make", url, secret, &setting.wallet.1, &amount, SHOP];
        let made = serde_json::from_str(&foreign::python("extensions.py", &arguments)?)?;
        Ok(Self {
            setting,
            made,
            chain,
        })
    }

    fn asset(&self, mint: &str) -> Result<String> {
        Ok(format!("{NETWORK}/token:{}", text(&self.made, mint)?))
    }

    fn policy(&self, registered: Registered<'_>) -> Result<String> {
        let limits = "per-transaction = \"1\"\nhour = \"9\"\nday = \"9\"\nweek = \"9\"\nmonth = \"9\"\n\
                      instant-up-to = \"1\"\nnotify-up-to = \"1\"\n";
        let mut text = format!(
            "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{SOL}\"\nsymbol = \"SOL\"\ndecimals = 9\n\
             fee-ceiling = \"0.001\"\nrent-ceiling = \"0.01\"\n{limits}\n"
        );
        for (mint, lines) in registered {
            text.push_str(&format!(
                "[[asset]]\nid = \"{}\"\nsymbol = \"ODD\"\ndecimals = 6\n{limits}{lines}\n\n",
                self.asset(mint)?
            ));
        }
        text.push_str(&format!(
            "[[recipient]]\nname = \"shop\"\naccount = \"{NETWORK}:{SHOP}\"\n"
        ));
        Ok(text)
    }

    /// The owner adopts this, and grants an agent everything in it.
    fn adopt(&self, registered: Registered<'_>) -> Result<Agent> {
        let (home, owner) = (&self.setting.home, &self.setting.owner);
        home.adopt(&self.policy(registered)?, owner)?;
        let mut limits = vec![format!("{SOL}=0.1/1")];
        for (mint, _) in registered {
            limits.push(format!("{}=1/9", self.asset(mint)?));
        }
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        home.agent(owner, &[&self.setting.wallet.0], &limits, false)
    }

    fn pay(&self, agent: &Agent, mint: &str) -> Result<Response> {
        let body = json!({
            "signer": agent.signer,
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "asset": self.asset(mint)?,
            "to": SHOP,
            "amount_base": UNIT.to_string(),
        });
        agent.send(&agent.post("/v1/transactions?wait=60", &fresh()?, &body)?)
    }

    fn books<'a>(&'a self, agent: &'a Agent) -> Books<'a> {
        Books {
            chain: &self.chain,
            agent,
            wallet: &self.setting.wallet.1,
            coin: SOL,
        }
    }

    /// Refused, for this reason, and nothing has moved or counts.
    fn refused(&self, agent: &Agent, mint: &str, status: u16, code: &str) -> Result<String> {
        let before = self.books(agent).read()?;
        let answer = self.pay(agent, mint)?;
        let problem = answer.json()?;
        ensure!(
            answer.status == status && text(&problem, "code")? == code,
            "{mint}: not {status} {code} but {}: {problem}",
            answer.status
        );
        let cost = self.books(agent).settled(before, 0, &[])?;
        ensure!(cost.charged == 0, "{mint}: {cost:?}");
        let name = text(&self.made, mint)?;
        ensure!(tokens(&self.chain, &self.setting.wallet.1, name)? == BEGINNING);
        ensure!(tokens(&self.chain, SHOP, name)? == 0);
        Ok(problem.to_string())
    }

    /// Paid, to the unit.
    fn paid(&self, agent: &Agent, mint: &str) -> Result<()> {
        let before = self.books(agent).read()?;
        let said = self.pay(agent, mint)?.json()?;
        ensure!(text(&said, "status")? == "CONFIRMED", "{mint}: {said}");
        self.books(agent).settled(before, 0, &[&said])?;
        let name = text(&self.made, mint)?;
        ensure!(tokens(&self.chain, &self.setting.wallet.1, name)? == BEGINNING - UNIT);
        ensure!(tokens(&self.chain, SHOP, name)? == UNIT);
        ensure!(charged(agent, &self.asset(mint)?)? == UNIT);
        Ok(())
    }

    fn pausing(&self, act: &str) -> Result<()> {
        let mint = text(&self.made, "pausable")?;
        let arguments = [act, self.chain.url(), self.chain.payer_secret(), mint];
        foreign::python("extensions.py", &arguments).map(drop)
    }
}

const ALL: [&str; 4] = ["hook", "permanent-delegate", "non-transferable", "pausable"];

#[test]
fn mints_that_the_owner_did_not_register_so_are_not_paid_on_solana() -> Result<()> {
    // In no policy; and as a mint of the other program, which is what an entry says that says nothing.
    let stage = Stage::set_up()?;
    let agent = stage.adopt(&[])?;
    for mint in ALL {
        stage.refused(&agent, mint, 403, "asset_not_listed")?;
    }
    let stage = Stage::set_up()?;
    let agent = stage.adopt(&ALL.map(|mint| (mint, "")))?;
    for mint in ALL {
        stage.refused(&agent, mint, 422, "insufficient_tokens")?;
    }
    // What takes tokens away from their holders by code, or keeps them where they are, nobody can register.
    for kind in [
        "transfer-hook",
        "non-transferable",
        "pausable",
        "confidential-transfer",
    ] {
        let lines =
            format!("token-program = \"token-2022\"\nextensions = [{{ kind = \"{kind}\" }}]");
        let policy = stage.policy(&[("hook", &lines)])?;
        let file = stage.setting.home.folder().join("policy.toml");
        std::fs::write(&file, policy)?;
        let file = file.to_str().context("a path")?;
        let said = stage
            .setting
            .home
            .command(&["policy", "check", file])
            .output()?;
        let said_of_it = String::from_utf8_lossy(&said.stderr);
        ensure!(
            !said.status.success() && said_of_it.contains(kind),
            "{kind}: {said_of_it}"
        );
    }
    Ok(())
}

#[test]
fn what_the_chain_does_not_let_through_is_refused_unsigned_on_solana() -> Result<()> {
    let stage = Stage::set_up()?;
    let of_2022 = "token-program = \"token-2022\"";
    let delegate = "extensions = [{ kind = \"permanent-delegate\" }]";
    let agent = stage.adopt(&[
        ("hook", of_2022),
        ("permanent-delegate", delegate),
        ("non-transferable", of_2022),
        ("pausable", of_2022),
    ])?;
    // A hook wants accounts that no transfer of the wallet's names.
    stage.refused(&agent, "hook", 422, "would_fail")?;
    let why = stage.refused(&agent, "non-transferable", 422, "would_fail")?;
    ensure!(why.contains("the token cannot be transferred"), "{why}");
    stage.pausing("pause")?;
    stage.refused(&agent, "pausable", 422, "would_fail")?;
    // As the owner registered it, and once it is not paused.
    stage.paid(&agent, "permanent-delegate")?;
    stage.pausing("resume")?;
    stage.paid(&agent, "pausable")?;
    Ok(())
}
