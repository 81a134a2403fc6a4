//! kill -9 of signer and gateway together in the middle of payments over REST, again and again, with a
//! real chain behind: no payment is lost, doubled or stuck, and the chain holds exactly what was asked.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::agent::{Agent, Transfer};
use xtask::chains::Anvil;
use xtask::home::Home;
use xtask::http::Connection;
use xtask::product::Product;

const EVM: &str = "eip155:31337";
const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
/// Rounds of 200 payments; in each, both processes are killed.
const ROUNDS: usize = 50;
const PAYMENTS: usize = 200;
/// Connections that send them.
const SENDERS: usize = 16;

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"1000\"\nday = \"1000\"\nweek = \"1000\"\nmonth = \"1000\"\n\
         instant-up-to = \"1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\noutstanding = \"1000\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

/// Sends payments over a few connections until all are sent or the gateway is gone; returns those that
/// were answered with a transaction.
fn send(agent: &Agent, transfer: &Transfer, keys: &[String], done: &Mutex<BTreeSet<String>>) {
    thread::scope(|scope| {
        for part in keys.chunks(keys.len().div_ceil(SENDERS).max(1)) {
            scope.spawn(move || {
                let Ok(mut connection) = Connection::open(&agent.gateway) else {
                    return;
                };
                for key in part {
                    let Ok(request) = agent.transfer(transfer, key, 0) else {
                        return;
                    };
                    // A broken connection is what this test is about: the key is asked again later.
                    let Ok(answer) = connection.send(&request) else {
                        return;
                    };
                    if (200..300).contains(&answer.status)
                        && let Ok(mut done) = done.lock()
                    {
                        done.insert(key.clone());
                    }
                }
            });
        }
    });
}

/// Must show 4.
#[test]
fn kills_of_both_processes_lose_and_double_nothing() -> Result<()> {
    let chain = Anvil::start()?;
    let folder = tempfile::tempdir()?;
    let product = Product::for_tests()?;
    let home = Home::create(&product, &folder.path().join("home"), &[(EVM, chain.url())])?;
    home.set_chains(&[(EVM, chain.url())])?;
    let mut running = home.start_unlocked()?;
    let owner = home.owner(&[])?;
    let (wallet, address) = home.wallet("evm", EVM)?;
    chain.fund(&address, 1_000_000_000_000_000_000_000)?;
    home.adopt(&policy(), &owner)?;
    let mut agent = home.agent(
        &owner,
        &[&wallet],
        &[&format!("{EVM}/slip44:60=1/1000")],
        false,
    )?;
    let transfer = Transfer {
        wallet,
        network: EVM.to_owned(),
        to: TO.to_owned(),
        amount_base: "1".to_owned(),
        submit: true,
    };
    let done = Mutex::new(BTreeSet::new());
    let mut asked: Vec<String> = Vec::new();
    let mut seed = 0x5eed_u64;
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        let keys: Vec<String> = (0..PAYMENTS)
            .map(|number| format!("{round}-{number}"))
            .collect();
        let before = done
            .lock()
            .map_err(|_| anyhow::anyhow!("a sender panicked"))?
            .len();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let delay = Duration::from_micros(seed >> 33 & 0x7_ffff);
        thread::scope(|scope| {
            scope.spawn(|| send(&agent, &transfer, &keys, &done));
            thread::sleep(delay);
            drop(running);
        });
        let answered = done
            .lock()
            .map_err(|_| anyhow::anyhow!("a sender panicked"))?
            .len()
            - before;
        interrupted += usize::from(answered > 0 && answered < PAYMENTS);
        asked.extend(keys);
        running = home.start_unlocked()?;
    }
    ensure!(
        interrupted > 0,
        "no kill ever hit the middle of the payments"
    );
    // Every payment is asked for once more under its own key: each must end confirmed, once.
    agent.renew()?;
    let again = Mutex::new(BTreeSet::new());
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let missing: Vec<String> = {
            let have = again
                .lock()
                .map_err(|_| anyhow::anyhow!("a sender panicked"))?;
            asked
                .iter()
                .filter(|key| !have.contains(*key))
                .cloned()
                .collect()
        };
        if missing.is_empty() {
            break;
        }
        ensure!(
            Instant::now() < until,
            "{} payments are stuck",
            missing.len()
        );
        send(&agent, &transfer, &missing, &again);
    }
    let total = u128::try_from(ROUNDS * PAYMENTS)?;
    let until = Instant::now() + Duration::from_secs(120);
    while chain.balance(TO)? < total {
        ensure!(
            Instant::now() < until,
            "{} of {total} arrived",
            chain.balance(TO)?
        );
        thread::sleep(Duration::from_millis(200));
    }
    // Time for anything that would arrive twice.
    thread::sleep(Duration::from_secs(2));
    ensure!(
        chain.balance(TO)? == total,
        "{} of {total} arrived",
        chain.balance(TO)?
    );
    let nonce = chain.rpc().call(
        "eth_getTransactionCount",
        serde_json::json!([address, "latest"]),
    )?;
    let nonce = nonce
        .as_str()
        .and_then(|text| u128::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    ensure!(nonce == Some(total), "the chain's nonce is {nonce:?}");
    // Nothing is left open, and the log verifies.
    let mut open = agent
        .send(&agent.get("/v1/transactions?limit=100"))?
        .json()?;
    let until = Instant::now() + Duration::from_secs(60);
    while unfinished(&open)? > 0 {
        ensure!(Instant::now() < until, "payments are stuck: {open}");
        thread::sleep(Duration::from_millis(500));
        open = agent
            .send(&agent.get("/v1/transactions?limit=100"))?
            .json()?;
    }
    home.cli(&["audit", "verify"])?;
    drop(running);
    Ok(())
}

fn unfinished(listed: &Value) -> Result<usize> {
    let list = listed
        .get("transactions")
        .and_then(Value::as_array)
        .context("a list of transactions")?;
    let confirmed = serde_json::json!("CONFIRMED");
    Ok(list
        .iter()
        .filter(|one| one.get("status") != Some(&confirmed))
        .count())
}
