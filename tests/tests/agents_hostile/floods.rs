//! What many requests at once, or very many, bring: no more than the limits, and others are served meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::agent::fresh;
use xtask::http::Connection;

use super::stage::{ASKED, EVM, FEE_CEILING, Stage, TO, answer, code, field};
use super::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "G12",
        "one key many times at once, after a lost answer, after a restart",
        one_key,
    ),
    case("G18", "payments that wait without end", waits_without_end),
    case(
        "S15",
        "a thief's waiting payments and the owner's revocation",
        revoked_while_waiting,
    ),
    case("S11", "many sessions to multiply a budget", many_sessions),
    case("G03", "requests at once that each fit alone", all_at_once),
];

fn one_key(stage: &mut Stage) -> Result<()> {
    let key = fresh()?;
    let amount = 11_000;
    let before = stage.chain.balance(TO)?;
    let request = stage
        .bearer
        .post("/v1/transactions?wait=60", &key, &stage.body(amount))?;
    // Asked, and the answer never read.
    let bytes = Connection::open(&stage.bearer.gateway)?.bytes(&request);
    std::io::Write::write_all(&mut open(&stage.bearer.gateway)?, &bytes)?;
    let bearer = &stage.bearer;
    let told: Vec<Result<(u16, Value)>> = thread::scope(|scope| {
        let asking: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| answer(bearer.send(&request)?)))
            .collect();
        let ended = asking.into_iter().map(|one| one.join());
        ended
            .map(|one| one.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))
            .collect()
    });
    let mut names = std::collections::BTreeSet::new();
    for one in told {
        let (status, told) = one?;
        ensure!([200, 201].contains(&status), "{status} {told}");
        names.insert(field(&told, "transaction")?.to_owned());
    }
    ensure!(names.len() == 1, "{names:?}");
    ensure!(
        stage.chain.balance(TO)? - before == amount,
        "paid more than once"
    );
    stage.restart()?;
    let (status, again) = answer(stage.bearer.send(&request)?)?;
    ensure!(
        status == 200 && names.contains(field(&again, "transaction")?),
        "{status} {again}"
    );
    ensure!(
        stage.chain.balance(TO)? - before == amount,
        "paid again after the restart"
    );
    Ok(())
}

fn open(gateway: &str) -> Result<std::net::TcpStream> {
    let address = gateway.strip_prefix("http://").context("a loopback URL")?;
    Ok(std::net::TcpStream::connect(address)?)
}

/// So many may wait, and the owner reads them all; another agent's payments go on.
fn waits_without_end(stage: &mut Stage) -> Result<()> {
    let (flooder, _) = stage.session()?;
    let before = stage.paid()?;
    let mut waiting = Vec::new();
    let refused = loop {
        let amount = ASKED + waiting.len() as u128;
        let request = flooder.post("/v1/transactions", &fresh()?, &stage.body(amount))?;
        let (status, told) = answer(flooder.send(&request)?)?;
        if status != 202 {
            break (status, told);
        }
        waiting.push(field(&told, "transaction")?.to_owned());
        ensure!(waiting.len() < 1000, "nothing bounds what waits");
    };
    let (status, told) = refused;
    ensure!(
        (status, code(&told)) == (429, "intent_too_many"),
        "{status} {told}"
    );
    ensure!(
        told["retry_at"].is_string() && told["next"] == "wait",
        "{told}"
    );
    ensure!(waiting.len() >= 2, "{waiting:?}");
    let listed = stage.home.cli(&["payment", "list"])?;
    for one in &waiting {
        ensure!(
            listed.to_string().contains(one.as_str()),
            "the owner does not see {one}"
        );
    }
    // A thousand more are refused, and write nothing that grows.
    let ledger = stage.home.folder().join("signer/ledger.db");
    let size = std::fs::metadata(&ledger)?.len();
    for _ in 0..300 {
        let request = flooder.post("/v1/transactions", &fresh()?, &stage.body(ASKED))?;
        let (status, told) = answer(flooder.send(&request)?)?;
        ensure!((400..500).contains(&status), "{status} {told}");
    }
    let grown = std::fs::metadata(&ledger)?.len().saturating_sub(size);
    ensure!(grown < 512 * 1024, "the log grew by {grown} bytes");
    // Another wallet's agent is served.
    let mut body = stage.body(1000);
    body["wallet"] = serde_json::json!(stage.other_wallet);
    let request = stage
        .other
        .post("/v1/transactions?wait=60", &fresh()?, &body)?;
    let (status, told) = answer(stage.other.send(&request)?)?;
    ensure!(status == 201, "{status} {told}");
    ensure!(stage.paid()?.0.first() == before.0.first());
    stage
        .home
        .cli(&["session", "revoke", &flooder.session.to_string()])?;
    Ok(())
}

fn revoked_while_waiting(stage: &mut Stage) -> Result<()> {
    let (thief, _) = stage.session()?;
    let balance = stage.chain.balance(TO)?;
    let mut waiting = Vec::new();
    // One that its delay would release, and one that asks.
    for amount in [ASKED - 150_000_000_000_000_000, ASKED + 500] {
        let request = thief.post("/v1/transactions", &fresh()?, &stage.body(amount))?;
        let (status, told) = answer(thief.send(&request)?)?;
        ensure!(status == 202, "{status} {told}");
        waiting.push(field(&told, "transaction")?.to_owned());
    }
    stage
        .home
        .cli(&["session", "revoke", &thief.session.to_string()])?;
    let listed = stage.home.cli(&["payment", "list"])?.to_string();
    for one in &waiting {
        ensure!(
            !listed.contains(one.as_str()),
            "{one} still waits: {listed}"
        );
    }
    let owner = stage.owner.to_str().context("a path of text")?;
    for one in &waiting {
        let approve = ["payment", "approve", one, "--owner-key", owner, "--yes"];
        ensure!(stage.home.cli(&approve).is_err(), "{one} was approved");
    }
    // Longer than the delay.
    thread::sleep(std::time::Duration::from_secs(10));
    ensure!(
        stage.chain.balance(TO)? == balance,
        "a revoked session's payment arrived"
    );
    Ok(())
}

/// What is left of the wallet's hour.
fn left(stage: &Stage) -> Result<u128> {
    let (_, view) = answer(stage.bearer.send(&stage.bearer.get("/v1/session"))?)?;
    let window = view.pointer("/remaining/0/window").and_then(Value::as_str);
    Ok(window.context("what is left")?.parse()?)
}

fn many_sessions(stage: &mut Stage) -> Result<()> {
    let before = left(stage)?;
    let balance = stage.chain.balance(TO)?;
    let sessions: Vec<_> = (0..4).map(|_| stage.session()).collect::<Result<_>>()?;
    let amount = 200_000_000_000_000_000;
    for (agent, _) in &sessions {
        let request = agent.post("/v1/transactions?wait=60", &fresh()?, &stage.body(amount))?;
        let (status, told) = answer(agent.send(&request)?)?;
        ensure!(status == 201, "{status} {told}");
    }
    // Each has a fresh budget of its own, and all of them the wallet's one.
    let paid = stage.chain.balance(TO)? - balance;
    ensure!(paid == 4 * amount);
    let after = left(stage)?;
    ensure!(before - after >= paid, "{before} to {after}: {paid}");
    for (agent, _) in &sessions {
        let (_, view) = answer(agent.send(&agent.get("/v1/session"))?)?;
        let told = view.pointer("/remaining/0/window").and_then(Value::as_str);
        ensure!(told == Some(&after.to_string()), "{view}");
    }
    Ok(())
}

/// Two hundred at once over eight sessions, of which the wallet's hour has room for a few: what is signed keeps to it.
fn all_at_once(stage: &mut Stage) -> Result<()> {
    let sessions: Vec<_> = (0..8).map(|_| stage.session()).collect::<Result<_>>()?;
    let room = left(stage)?;
    let balance = stage.chain.balance(TO)?;
    let amount: u128 = 250_000_000_000_000_000;
    let fits = room / amount;
    let body = stage.body(amount);
    let refused = AtomicU64::new(0);
    let signed = AtomicU64::new(0);
    thread::scope(|scope| -> Result<()> {
        let asking: Vec<_> = sessions
            .iter()
            .map(|(agent, _)| {
                let (refused, signed, body) = (&refused, &signed, &body);
                scope.spawn(move || -> Result<()> {
                    for _ in 0..25 {
                        let request = agent.post("/v1/transactions", &fresh()?, body)?;
                        let (status, told) = answer(agent.send(&request)?)?;
                        match status {
                            201 => signed.fetch_add(1, Ordering::SeqCst),
                            403 => {
                                let code = code(&told);
                                ensure!(
                                    code.ends_with("_limit") || code == "outstanding_cap",
                                    "{told}"
                                );
                                refused.fetch_add(1, Ordering::SeqCst)
                            }
                            _ => anyhow::bail!("{status} {told}"),
                        };
                    }
                    Ok(())
                })
            })
            .collect();
        for one in asking {
            one.join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    })?;
    let (signed, refused) = (signed.into_inner(), refused.into_inner());
    ensure!(
        signed + refused == 200 && refused > 0,
        "{signed} signed, {refused} refused"
    );
    ensure!(u128::from(signed) <= fits, "{signed} of {fits}");
    ensure!(
        u128::from(signed) >= fits.saturating_sub(1),
        "room was left: {signed} of {fits}"
    );
    let rest = left(stage)?;
    ensure!(
        room - rest >= u128::from(signed) * amount,
        "{room} to {rest}"
    );
    ensure!(rest < amount + FEE_CEILING, "{rest} left");
    // What was signed lands, and no more.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let paid = stage.chain.balance(TO)? - balance;
        ensure!(paid <= u128::from(signed) * amount, "{paid}");
        if paid == u128::from(signed) * amount {
            break;
        }
        ensure!(
            std::time::Instant::now() < until,
            "{paid} of {signed} on {EVM}"
        );
        thread::sleep(std::time::Duration::from_millis(200));
    }
    Ok(())
}
