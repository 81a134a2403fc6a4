//! A language model's view (`tests/foreign/model.py`): a program that knows a base URL and its token, or a proxy's
//! socket, and reads everything else from the interface itself. It finds its budget, is refused, pays less, waits for
//! its owner and for its delay, and finishes, on real local chains.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use waiaas_tests::proxied::KeyHolder;
use waiaas_tests::setting::Setting;
use xtask::chains::{Anvil, Surfnet};
use xtask::process::Process;
use xtask::tools;

const EVM: &str = "eip155:31337";
const EVM_TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SOLANA: &str = "solana:localnet";
const SOLANA_TO: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

struct Stage {
    setting: Setting,
    limit: String,
}

/// A wallet under a policy with every tier, of which an hour leaves less than two large payments.
fn stage(network: &str, to: &str, url: &str, coin: u16, rule: &str) -> Result<Stage> {
    let setting = Setting::start(network, url, &[])?;
    let asset = format!("{network}/slip44:{coin}");
    let policy = format!(
        "version = 1\nepoch = 1\ndelay = \"3s\"\n\n[[asset]]\nid = \"{asset}\"\n{rule}\nper-transaction = \"1\"\n\
         hour = \"1.5\"\nday = \"20\"\nweek = \"20\"\nmonth = \"20\"\ninstant-up-to = \"0.1\"\nnotify-up-to = \"0.15\"\n\
         delay-up-to = \"0.6\"\napprove-up-to = \"1\"\nfee-ceiling = \"0.01\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{network}:{to}\"\n"
    );
    setting.home.adopt(&policy, &setting.owner)?;
    let limit = format!("{asset}=1/100");
    Ok(Stage { setting, limit })
}

/// Runs the program; when it says that it waits, the owner approves. What it paid in the end.
fn run(setting: &Setting, base: &str, token: &str) -> Result<Vec<Value>> {
    let report = setting.home.folder().join("report.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/model.py");
    let mut command = tools::python()?;
    command.arg(script).args([base, token]).arg(&report);
    command.stdout(Stdio::piped());
    let mut model = Process::spawn("the model", &mut command)?;
    let waiting = model.ready(PATIENCE, |line| {
        line.strip_prefix("waiting ").map(str::to_owned)
    })?;
    let owner = setting.owner.to_str().context("a path of text")?;
    let approve = [
        "payment",
        "approve",
        &waiting,
        "--owner-key",
        owner,
        "--yes",
    ];
    setting.home.cli(&approve)?;
    let ended = model.wait(PATIENCE)?;
    ensure!(ended.success(), "the model gave up: {ended}");
    let told: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let done = told.get("done").and_then(Value::as_array);
    let done = done.context("what it paid")?.clone();
    ensure!(done.len() == 3, "{done:?}");
    for (payment, tier) in done.iter().zip(["INSTANT", "APPROVAL", "DELAY"]) {
        let said = |name: &str| payment.get(name).and_then(Value::as_str);
        ensure!(said("status") == Some("CONFIRMED"), "{payment}");
        ensure!(said("tier") == Some(tier), "{payment}");
    }
    let asked = done.get(1).and_then(|payment| payment.get("transaction"));
    ensure!(asked.and_then(Value::as_str) == Some(&waiting), "{done:?}");
    Ok(done)
}

fn sum(done: &[Value]) -> Result<u128> {
    let amounts = done.iter().map(|payment| {
        let amount = payment.get("amount_base").and_then(Value::as_str);
        Ok(amount.context("an amount")?.parse::<u128>()?)
    });
    amounts.sum()
}

#[test]
fn a_model_finds_its_way_by_answers_alone_on_an_evm_chain() -> Result<()> {
    let chain = Anvil::start()?;
    let rule = "symbol = \"ETH\"\ndecimals = 18\noutstanding = \"20\"";
    let Stage { setting, limit } = stage(EVM, EVM_TO, chain.url(), 60, rule)?;
    chain.fund(&setting.wallet.1, 10_000_000_000_000_000_000)?;
    let wallets = [setting.wallet.0.as_str()];
    let agent = setting
        .home
        .agent(&setting.owner, &wallets, &[&limit], true)?;
    let done = run(&setting, &setting.home.url(), agent.token())?;
    ensure!(chain.balance(EVM_TO)? == sum(&done)?, "{done:?}");
    Ok(())
}

#[test]
fn a_model_behind_the_proxy_finds_its_way_on_solana() -> Result<()> {
    let chain = Surfnet::start(400)?;
    let rule = "symbol = \"SOL\"\ndecimals = 9";
    let Stage { setting, limit } = stage(SOLANA, SOLANA_TO, chain.url(), 501, rule)?;
    chain.fund(&setting.wallet.1, 10_000_000_000)?;
    let grant = ["--wallet", &setting.wallet.0, "--limit", &limit];
    let agent = KeyHolder::create(&setting.home, &setting.owner, "worker", &grant)?;
    let serving = agent.serve(&setting.home, &[])?;
    let before = u128::from(chain.balance(SOLANA_TO)?);
    let done = run(&setting, &format!("unix:{}", serving.place), "")?;
    let after = u128::from(chain.balance(SOLANA_TO)?);
    ensure!(after - before == sum(&done)?, "{done:?}");
    Ok(())
}
