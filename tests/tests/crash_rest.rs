//! kill -9 of signer and gateway together in the middle of payments over REST, again and again, with a
//! real chain behind: no payment is lost, doubled or stuck, and the chain holds exactly what policy let leave,
//! which a tenth of the payments exceeds.
//! Where the chain's pool got stuck by itself it is emptied: what the gateway sent is forgotten, and sent again.

use std::collections::BTreeMap;
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
/// In each round 200 payments are under way at once, and both processes are killed in the middle.
const ROUNDS: usize = 50;
const PAYMENTS: usize = 200;
/// As many as policy lets leave in an hour; the rest is refused.
const ALLOWED: usize = ROUNDS * PAYMENTS / 10 * 9;
/// How long the chain may take to catch up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

fn policy() -> String {
    format!(
        "version = 1\nepoch = 1\n\n[[asset]]\nid = \"{EVM}/slip44:60\"\nsymbol = \"ETH\"\ndecimals = 18\n\
         per-transaction = \"1\"\nhour = \"1000\"\nday = \"1000\"\nweek = \"1000\"\nmonth = \"1000\"\n\
         count = {{ hour = {ALLOWED} }}\ninstant-up-to = \"1\"\nnotify-up-to = \"1\"\nfee-ceiling = \"0.01\"\noutstanding = \"1000\"\n\n\
         [[recipient]]\nname = \"shop\"\naccount = \"{EVM}:{TO}\"\n"
    )
}

/// What became of a payment that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Made,
    /// No more may leave in this hour.
    Refused,
}

/// Asks for all payments at once, each over a connection of its own; returns those that were answered
/// before the gateway was gone.
fn ask(agent: &Agent, transfer: &Transfer, keys: &[String]) -> BTreeMap<String, Answer> {
    thread::scope(|scope| {
        let each = |key: &String| {
            // A broken connection is what this test is about: the key is asked again later.
            let request = agent.transfer(transfer, key, 0).ok()?;
            let answer = Connection::open(&agent.gateway).ok()?.send(&request).ok()?;
            if (200..300).contains(&answer.status) {
                return Some((key.clone(), Answer::Made));
            }
            let said = answer.json().ok()?;
            let over = said.get("code") == Some(&Value::from("hour_count"));
            over.then(|| (key.clone(), Answer::Refused))
        };
        let threads: Vec<_> = keys
            .iter()
            .map(|key| scope.spawn(move || each(key)))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok().flatten())
            .collect()
    })
}

/// What stands in the way, for a failure's message: the chain's next nonce, what its pool holds, and what the
/// gateway says of the payments that are not at their end, lowest nonce first.
fn what_is_stuck(agent: &Agent, chain: &Anvil, address: &str) -> Result<String> {
    let nonce = chain.next_nonce(address)?;
    let pool = chain.rpc().call("txpool_content", serde_json::json!([]))?;
    let count = |kind: &str| {
        let of = pool.get(kind).and_then(Value::as_object);
        let nonces: Vec<String> = of
            .into_iter()
            .flat_map(|of| of.values())
            .filter_map(Value::as_object)
            .flat_map(|nonces| nonces.keys().cloned())
            .collect();
        format!(
            "{} {:?}",
            nonces.len(),
            nonces.iter().take(3).collect::<Vec<_>>()
        )
    };
    let mut open: Vec<Value> = Vec::new();
    let mut path = "/v1/transactions?limit=100".to_owned();
    loop {
        let listed = agent.send(&agent.get(&path))?.json()?;
        let page = listed.get("transactions").and_then(Value::as_array);
        let ended = Some(&Value::from("CONFIRMED"));
        let unfinished = page.into_iter().flatten();
        open.extend(unfinished.filter(|one| one.get("status") != ended).cloned());
        match listed.get("next").and_then(Value::as_u64) {
            Some(next) => path = format!("/v1/transactions?limit=100&before={next}"),
            None => break,
        }
    }
    open.sort_by_key(|one| one.get("nonce").and_then(Value::as_u64));
    let lowest: Vec<String> = open.iter().take(3).map(ToString::to_string).collect();
    Ok(format!(
        "the chain's next nonce is {nonce}; its pool: pending {}, queued {}; {} open payments:\n{}",
        count("pending"),
        count("queued"),
        open.len(),
        lowest.join("\n")
    ))
}

/// Must show 4.
#[test]
fn kills_of_both_processes_lose_and_double_nothing() -> Result<()> {
    // A block a second beside one for each transaction, as a chain has.
    let chain = Anvil::start_with(&["--block-time", "1", "--mixed-mining"])?;
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
    let mut seed = 0x5eed_u64;
    let mut interrupted = 0;
    let mut emptied = 0;
    let mut refused = 0;
    let mut total = 0_u128;
    for round in 0..ROUNDS {
        let keys: Vec<String> = (0..PAYMENTS)
            .map(|number| format!("{round}-{number}"))
            .collect();
        // Anywhere from before the first to after the last answer.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let delay = Duration::from_micros(seed >> 33 & 0x3f_ffff);
        let mut done = thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&agent, &transfer, &keys));
            thread::sleep(delay);
            drop(running);
            asking.join().unwrap_or_default()
        });
        interrupted += usize::from(!done.is_empty() && done.len() < PAYMENTS);
        running = home.start_unlocked()?;
        agent.renew()?;
        // What was not answered is asked again under its own key, and each payment arrives once.
        let until = Instant::now() + PATIENCE;
        loop {
            let missing: Vec<String> = keys
                .iter()
                .filter(|key| !done.contains_key(*key))
                .cloned()
                .collect();
            if missing.is_empty() {
                break;
            }
            ensure!(
                Instant::now() < until,
                "round {round}: {} payments are stuck",
                missing.len()
            );
            done.extend(ask(&agent, &transfer, &missing));
        }
        let made = done.values().filter(|answer| **answer == Answer::Made);
        let made = made.count();
        refused += PAYMENTS - made;
        total += u128::try_from(made)?;
        home.cli(&["audit", "verify"])?;
        while chain.balance(TO)? < total {
            ensure!(
                Instant::now() < until,
                "round {round}: {} of {total} arrived\n{}",
                chain.balance(TO)?,
                what_is_stuck(&agent, &chain, &address)?
            );
            emptied += usize::from(chain.unstick(&address)?);
            thread::sleep(Duration::from_millis(50));
        }
    }
    eprintln!(
        "{interrupted} of {ROUNDS} kills hit the middle; the chain's pool was emptied {emptied} times"
    );
    ensure!(
        interrupted > 0,
        "no kill ever hit the middle of the payments"
    );
    ensure!(
        (total, refused) == (u128::try_from(ALLOWED)?, ROUNDS * PAYMENTS - ALLOWED),
        "{total} payments were made, {refused} refused"
    );
    // Time for anything that would arrive twice.
    thread::sleep(Duration::from_secs(2));
    ensure!(
        chain.balance(TO)? == total,
        "{} of {total} arrived",
        chain.balance(TO)?
    );
    let nonce = chain.next_nonce(&address)?;
    ensure!(nonce == total, "the chain's next nonce is {nonce}");
    // Nothing is left open, and the log verifies.
    let mut open = agent
        .send(&agent.get("/v1/transactions?limit=100"))?
        .json()?;
    let until = Instant::now() + PATIENCE;
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
