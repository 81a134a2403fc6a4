//! Lookup tables on a real Solana chain: made there by other code, pinned by the owner's policy, used by a transaction
//! that an agent brings, and counted on the chain to the lamport. What is not pinned is refused, whatever the chain
//! holds.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;
use xtask::http::Response;

const NETWORK: &str = "solana:localnet";
const MAINNET: &str = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";
const SOL: &str = "solana:localnet/slip44:501";
/// A contact, at the second place of every table here.
const SELLER: &str = "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA";
/// Nobody's contact, at the first place.
const STRANGER: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// A contact that is appended to a table after it was pinned.
const LATER: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
const BEGINNING: u64 = 1_000_000_000;
const PAID: u64 = 5_000_000;
/// One signature, no priority.
const FEE: u64 = 5000;

struct Stage {
    setting: Setting,
    agent: Agent,
    chain: Surfnet,
    tables: Tables,
}

struct Tables {
    pinned: String,
    /// The owner pinned this one as a main network's.
    elsewhere: String,
    unknown: String,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let made = || -> Result<String> {
            let arguments = [
                "create",
                chain.url(),
                chain.payer_secret(),
                STRANGER,
                SELLER,
            ];
            Ok(foreign::python("lookup_table.py", &arguments)?
                .trim()
                .to_owned())
        };
        let tables = Tables {
            pinned: made()?,
            elsewhere: made()?,
            unknown: made()?,
        };
        let setting = Setting::start(NETWORK, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, BEGINNING)?;
        // What the owner pins is what a node of the owner's told.
        let content =
            foreign::python("lookup_table.py", &["content", chain.url(), &tables.pinned])?;
        let content: Vec<String> = serde_json::from_str(&content)?;
        ensure!(content == [STRANGER, SELLER], "{content:?}");
        setting
            .home
            .adopt(&policy(&tables, &content), &setting.owner)?;
        let limits = [&*format!("{SOL}=0.1/1")];
        let agent = setting
            .home
            .agent(&setting.owner, &[&setting.wallet.0], &limits, true)?;
        Ok(Self {
            setting,
            agent,
            chain,
            tables,
        })
    }

    /// A transfer whose recipient is looked up, as solders builds it.
    fn transfer(&self, table: &str, to: &str, lamports: u64) -> Result<String> {
        let lamports = lamports.to_string();
        let arguments = [
            "transfer",
            self.chain.url(),
            &self.setting.wallet.1,
            table,
            to,
            &lamports,
        ];
        Ok(foreign::python("lookup_table.py", &arguments)?
            .trim()
            .to_owned())
    }

    fn bring(&self, transaction: &str) -> Result<Response> {
        let body = json!({
            "signer": self.agent.signer.to_string(),
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "transaction": transaction,
            "submit": true,
        });
        let target = "/v1/transactions/sign";
        let request = self.agent.post(target, &fresh()?, &body)?;
        self.agent.send(&request)
    }

    fn refused(&self, table: &str, to: &str, code: &str) -> Result<()> {
        let answer = self.bring(&self.transfer(table, to, PAID)?)?;
        let problem = answer.json()?;
        ensure!(
            answer.status == 403 && text(&problem, "code")? == code,
            "not {code} but {}: {problem}",
            answer.status
        );
        Ok(())
    }

    fn charged(&self) -> Result<u64> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("spent")?.parse()?)
    }
}

fn policy(tables: &Tables, content: &[String]) -> String {
    let limits = "per-transaction = \"1\"\nhour = \"1\"\nday = \"1\"\nweek = \"1\"\nmonth = \"1\"\n\
                  instant-up-to = \"1\"\nnotify-up-to = \"1\"\n";
    let Tables {
        pinned, elsewhere, ..
    } = tables;
    format!(
        "version = 1\nepoch = 1\n\n\
         [[asset]]\nid = \"{SOL}\"\nsymbol = \"SOL\"\ndecimals = 9\nfee-ceiling = \"0.001\"\n{limits}\n\
         [[recipient]]\nname = \"seller\"\naccount = \"{NETWORK}:{SELLER}\"\n\n\
         [[recipient]]\nname = \"later\"\naccount = \"{NETWORK}:{LATER}\"\n\n\
         [[table]]\naccount = \"{NETWORK}:{pinned}\"\naddresses = {content:?}\n\n\
         [[table]]\naccount = \"{MAINNET}:{elsewhere}\"\naddresses = {content:?}\n"
    )
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value.get(field).and_then(Value::as_str);
    text.with_context(|| format!("no {field} in {value}"))
}

#[test]
fn a_pinned_table_is_used_on_solana_and_no_other() -> Result<()> {
    let stage = Stage::set_up()?;
    let Tables {
        pinned,
        elsewhere,
        unknown,
    } = &stage.tables;
    // The chain would take any of these.
    stage.refused(unknown, SELLER, "brought_table")?;
    stage.refused(elsewhere, SELLER, "brought_table")?;
    stage.refused(pinned, STRANGER, "recipient_not_listed")?;
    let arguments = [
        "extend",
        stage.chain.url(),
        stage.chain.payer_secret(),
        pinned,
        LATER,
    ];
    foreign::python("lookup_table.py", &arguments)?;
    stage.refused(pinned, LATER, "brought_table_index")?;
    ensure!(stage.charged()? == 0 && stage.chain.balance(&stage.setting.wallet.1)? == BEGINNING);

    let seller = stage.chain.balance(SELLER)?;
    let brought = stage.transfer(pinned, SELLER, PAID)?;
    let mut shown = stage.bring(&brought)?.json()?;
    let payment = text(&shown, "transaction")?.to_owned();
    let until = Instant::now() + Duration::from_secs(60);
    while text(&shown, "status")? != "CONFIRMED" {
        ensure!(Instant::now() < until, "{shown}");
        let path = format!("/v1/transactions/{payment}?wait=30");
        shown = stage.agent.send(&stage.agent.get(&path))?.json()?;
    }
    ensure!(text(&shown, "to")? == SELLER, "{shown}");
    // Counted on the chain, to the lamport.
    ensure!(stage.chain.balance(SELLER)? == seller + PAID);
    ensure!(stage.chain.balance(&stage.setting.wallet.1)? == BEGINNING - PAID - FEE);
    ensure!(stage.charged()? == PAID + FEE);
    Ok(())
}
