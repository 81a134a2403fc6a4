//! What the gateway shows of a wallet: what it holds, what came in, and what was paid from it, against the chains' own
//! records. To the unit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::{base, quantity, text, tokens, written};
use waiaas_tests::foreign;
use waiaas_tests::token::TestToken;
use xtask::chains::{Anvil, Surfnet};

use crate::shown::WATCHED;
use crate::stage::{Chain, PATIENCE, Stage, is};

/// Sends tokens, and has them from a mint.
const STRANGER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// Has tokens that no policy names.
const UNITS: u64 = 777;

fn set_up(chain: Chain) -> Result<Stage> {
    let rpc = format!("\"{}\"", chain.url());
    Stage::set_up_paying(chain, &rpc, WATCHED, true)
}

fn asset(stage: &Stage) -> Result<&str> {
    Ok(&stage.token.as_ref().context("a token")?.asset)
}

/// The history with entries of both kinds.
fn history(stage: &Stage, query: &str) -> Result<Vec<Value>> {
    let (wallet, network) = (stage.wallet().0, stage.network());
    let target = format!("/v1/wallets/{wallet}/history?network={network}{query}");
    let told = stage.get(&target)?;
    let entries = told.get("entries").and_then(Value::as_array);
    entries.cloned().with_context(|| told.to_string())
}

fn is_transfer(entry: &Value, name: &str) -> bool {
    entry["kind"] == "incoming" && entry["chain_transaction"] == name
}

/// Waits until a transfer into the wallet is in the history.
fn came_in(stage: &Stage, name: &str, query: &str) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let entries = history(stage, query)?;
        if let Some(entry) = entries.iter().find(|entry| is_transfer(entry, name)) {
            return Ok(entry.clone());
        }
        ensure!(Instant::now() < deadline, "{entries:?}\n{}", stage.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Pays once; the payment as the history has it.
fn pays(stage: &mut Stage) -> Result<Value> {
    let payment = stage.next();
    let said = stage.ask(&payment, 60)?.json()?;
    ensure!(is(&said, "CONFIRMED"), "{said}\n{}", stage.log());
    let entries = history(stage, "")?;
    let mut payments = entries.iter().filter(|entry| entry["kind"] == "payment");
    let own = payments.find(|entry| entry.get("transaction") == said.get("transaction"));
    let own = own.with_context(|| format!("not in {entries:?}"))?;
    for field in [
        "chain_transaction",
        "amount_base",
        "position",
        "to",
        "fee_paid_base",
    ] {
        ensure!(
            said.get(field).is_some() && own.get(field) == said.get(field),
            "{field}: {own} {said}"
        );
    }
    stage.fee_is_true(own)?;
    Ok(own.clone())
}

#[test]
fn holdings_and_history_are_those_of_an_evm_chain() -> Result<()> {
    let mut stage = set_up(Chain::Evm(Anvil::start()?))?;
    let shop_before = stage.holds(stage.shop)?;
    let paid = pays(&mut stage)?;
    let Chain::Evm(chain) = &stage.chain else {
        anyhow::bail!("another chain")
    };
    // The chain's own record of it: a call of the token, this block, this recipient and amount.
    let known = chain.rpc().call(
        "eth_getTransactionByHash",
        json!([paid["chain_transaction"]]),
    )?;
    ensure!(
        json!(quantity(&known, "blockNumber")?) == paid["position"],
        "{known} {paid}"
    );
    ensure!(
        text(&known, "from")?.eq_ignore_ascii_case(stage.wallet().1),
        "{known}"
    );
    ensure!(
        quantity(&known, "value")? == 0 && quantity(&known, "nonce")? == 0,
        "{known}"
    );
    let token = asset(&stage)?.rsplit(':').next().context("a contract")?;
    ensure!(text(&known, "to")?.eq_ignore_ascii_case(token), "{known}");
    let to = text(&paid, "to")?.trim_start_matches("0x").to_lowercase();
    let amount = base(&paid, "amount_base")?;
    let input = format!("0xa9059cbb{to:0>64}{amount:064x}");
    ensure!(text(&known, "input")? == input, "{known}");
    stage.arrived_once(shop_before)?;

    // Somebody pays a token that policy names, and one that it does not.
    std::thread::sleep(Duration::from_secs(4));
    let (named, other) = (
        TestToken::at(chain, token.parse()?),
        TestToken::deploy(chain)?,
    );
    let before = named.balance(stage.wallet().1)?;
    for each in [&other, &named] {
        each.mint(STRANGER, UNITS.into())?;
        each.empty(STRANGER, stage.wallet().1)?;
    }
    let logs = chain.rpc().call(
        "eth_getLogs",
        json!([{ "address": token, "fromBlock": "latest" }]),
    )?;
    let name = logs.pointer("/0/transactionHash").and_then(Value::as_str);
    let name = name.with_context(|| logs.to_string())?;
    let came = came_in(&stage, name, "")?;
    ensure!(base(&came, "amount_base")? == u128::from(UNITS), "{came}");
    ensure!(
        came["asset"] == asset(&stage)? && came["symbol"] == "USDX",
        "{came}"
    );
    ensure!(
        came["from"] == STRANGER && came["registered"] == true,
        "{came}"
    );
    ensure!(came["nodes"] == 1, "{came}");
    let listed = json!(history(&stage, "&unregistered=true")?).to_string();
    ensure!(!listed.contains(&other.address.to_string()), "{listed}");

    let held = stage.get(&format!("/v1/wallets/{}/balances", stage.wallet().0))?;
    let balances = held.get("balances").and_then(Value::as_array);
    let [coin, of_token] = balances.context("balances")?.as_slice() else {
        anyhow::bail!("not two: {held}")
    };
    ensure!(
        base(coin, "amount_base")? == chain.balance(stage.wallet().1)?,
        "{held}"
    );
    ensure!(of_token["asset"] == asset(&stage)?, "{held}");
    let expected = named.balance(stage.wallet().1)?;
    ensure!(expected == before + u128::from(UNITS));
    ensure!(base(of_token, "amount_base")? == expected, "{held}");
    Ok(())
}

#[test]
fn holdings_and_history_are_those_of_a_solana_chain() -> Result<()> {
    let mut stage = set_up(Chain::Solana(Surfnet::start(400)?))?;
    let paid = pays(&mut stage)?;
    stage.arrived_once(0)?;
    let Chain::Solana(chain) = &stage.chain else {
        anyhow::bail!("another chain")
    };
    let wallet = stage.wallet().1;
    let mint = asset(&stage)?.rsplit(':').next().context("a mint")?;
    // The chain's own record of it: this slot, and what the two accounts have less and more.
    let known = written(chain, text(&paid, "chain_transaction")?)?;
    ensure!(known["slot"] == paid["position"], "{known} {paid}");
    let of = |list: &str, owner: &str| -> Result<u128> {
        let held = known
            .pointer(&format!("/meta/{list}"))
            .and_then(Value::as_array);
        let mut held = held.into_iter().flatten();
        let held = held.find(|held| held["owner"] == owner && held["mint"] == mint);
        match held.and_then(|held| held.get("uiTokenAmount")) {
            Some(held) => base(held, "amount"),
            None => Ok(0),
        }
    };
    let amount = base(&paid, "amount_base")?;
    for (owner, sign) in [(wallet, -1), (stage.shop, 1)] {
        let before = i128::try_from(of("preTokenBalances", owner)?)?;
        let after = i128::try_from(of("postTokenBalances", owner)?)?;
        ensure!(
            after - before == sign * i128::try_from(amount)?,
            "{owner}: {known}"
        );
    }

    // Somebody pays a mint that policy names, and one that it does not, which keeps a hundredth.
    let target = format!("/v1/wallets/{}/balances", stage.wallet().0);
    let balances = |stage: &Stage| -> Result<Vec<Value>> {
        let held = stage.get(&target)?;
        let balances = held.get("balances").and_then(Value::as_array);
        balances.cloned().with_context(|| held.to_string())
    };
    let unlisted = balances(&stage)?
        .iter()
        .filter_map(|held| {
            held["asset"]
                .as_str()?
                .strip_prefix("solana:localnet/token:")
        })
        .find(|other| *other != mint)
        .context("a mint that no policy names")?
        .to_owned();
    let units = UNITS.to_string();
    let pay = |mint: &str, program: &str| {
        let arguments = [
            chain.url(),
            chain.payer_secret(),
            wallet,
            mint,
            &units,
            program,
        ];
        foreign::python("holdings.py", &[&["pay"], &arguments[..]].concat())
    };
    let name = pay(mint, "spl-token")?;
    let came = came_in(&stage, &name, "")?;
    ensure!(base(&came, "amount_base")? == u128::from(UNITS), "{came}");
    ensure!(
        came["asset"] == asset(&stage)? && came["symbol"] == "USDX",
        "{came}"
    );
    ensure!(came["registered"] == true && came["nodes"] == 1, "{came}");
    let name = pay(&unlisted, "token-2022")?;
    let came = came_in(&stage, &name, "&unregistered=true")?;
    // 777, a hundredth of it rounded up kept.
    ensure!(base(&came, "amount_base")? == 769, "{came}");
    ensure!(
        came["registered"] == false && came.get("symbol").is_none(),
        "{came}"
    );
    let listed = history(&stage, "")?;
    ensure!(
        !listed.iter().any(|entry| is_transfer(entry, &name)),
        "{listed:?}"
    );

    // What it holds: the coin, both mints, and what does not lie where it can be paid from.
    let arguments = [chain.url(), chain.payer_secret(), wallet, mint, "5"];
    let place = foreign::python("holdings.py", &[&["elsewhere"], &arguments[..]].concat())?;
    let held = balances(&stage)?;
    ensure!(
        base(&held[0], "amount_base")? == u128::from(chain.balance(wallet)?),
        "{held:?}"
    );
    ensure!(held[0]["asset"] == "solana:localnet/slip44:501", "{held:?}");
    let of = |mint: &str, elsewhere: bool| -> Result<&Value> {
        let name = json!(format!("solana:localnet/token:{mint}"));
        let mut found = held.iter().filter(|held| held["asset"] == name);
        let found = found.find(|held| held.get("elsewhere").is_some() == elsewhere);
        found.with_context(|| format!("{mint} in {held:?}"))
    };
    let (own, away, other) = (of(mint, false)?, of(mint, true)?, of(&unlisted, false)?);
    ensure!(
        base(own, "amount_base")? + 5 == tokens(chain, wallet, mint)?,
        "{own}"
    );
    ensure!(own["registered"] == true && own["decimals"] == 6, "{own}");
    ensure!(
        base(away, "amount_base")? == 5 && away["elsewhere"] == place,
        "{away}"
    );
    ensure!(
        base(other, "amount_base")? == tokens(chain, wallet, &unlisted)?,
        "{other}"
    );
    ensure!(
        other["registered"] == false && other.get("symbol").is_none(),
        "{other}"
    );
    ensure!(held.len() == 4, "{held:?}");
    Ok(())
}
