//! Tokens on a real Solana chain: SPL Token and a Token-2022 mint that keeps a part of each transfer, made by
//! other code, paid as an agent pays, one by one and several at once, and counted on the chain to the unit.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;
use xtask::http::Response;

const NETWORK: &str = "solana:localnet";
const SOL: &str = "solana:localnet/slip44:501";
/// Has no account for any token when the test begins.
const FRESH: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Has one for the token of SPL Token.
const KNOWN: &str = "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA";
/// Has no account for any token either.
const THIRD: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
/// Base units: a thousand.
const BEGINNING: u64 = 1_000_000_000;
/// Rent of an account of SPL Token, and of one of Token-2022 whose mint keeps a part.
const RENT: u64 = 2_039_280;
const RENT_2022: u64 = 2_157_600;

/// One of several transfers: the mint (none for SOL), the recipient, the amount.
type Item<'a> = (&'a str, &'a str, &'a str);

struct Stage {
    setting: Setting,
    agent: Agent,
    token: String,
    token_2022: String,
    chain: Surfnet,
}

impl Stage {
    /// `amount`: base units that the wallet begins with, of both tokens.
    fn set_up(amount: u64) -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let setting = Setting::start(NETWORK, chain.url(), &[&format!("{NETWORK}:{THIRD}")])?;
        chain.fund(&setting.wallet.1, 1_000_000_000)?;
        let amount = amount.to_string();
        let made = foreign::python(
            "tokens.py",
            &[
                chain.url(),
                chain.payer_secret(),
                &setting.wallet.1,
                &amount,
                KNOWN,
            ],
        )?;
        let made: Value = serde_json::from_str(&made)?;
        let mint = |name: &str| -> Result<String> {
            let mint = made.get(name).and_then(Value::as_str);
            Ok(mint.context("a mint")?.to_owned())
        };
        let (token, token_2022) = (mint("token")?, mint("token_2022")?);
        setting
            .home
            .adopt(&policy(&token, &token_2022), &setting.owner)?;
        let limits = [
            format!("{SOL}=0.1/1"),
            format!("{}=100/1000", asset(&token)),
            format!("{}=100/1000", asset(&token_2022)),
        ];
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let agent = setting
            .home
            .agent(&setting.owner, &[&setting.wallet.0], &limits, false)?;
        Ok(Self {
            setting,
            agent,
            token,
            token_2022,
            chain,
        })
    }

    fn pay(&self, mint: &str, to: &str, amount: &str) -> Result<Response> {
        let body = json!({
            "signer": self.agent.signer.to_string(),
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "asset": asset(mint),
            "to": to,
            "amount": amount,
        });
        let target = "/v1/transactions?wait=60";
        self.agent.send(&self.agent.post(target, &fresh()?, &body)?)
    }

    /// Several transfers in one transaction.
    fn pay_all(&self, items: &[Item<'_>], memo: Option<&str>) -> Result<Response> {
        let items = items.iter().map(|(mint, to, amount)| match *mint {
            "" => json!({ "to": to, "amount": amount }),
            mint => json!({ "asset": asset(mint), "to": to, "amount": amount }),
        });
        let mut body = json!({
            "signer": self.agent.signer.to_string(),
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
            "transfers": items.collect::<Vec<_>>(),
        });
        if let (Some(memo), Some(body)) = (memo, body.as_object_mut()) {
            body.insert("memo".to_owned(), json!(memo));
        }
        let target = "/v1/transactions?wait=60";
        self.agent.send(&self.agent.post(target, &fresh()?, &body)?)
    }

    /// What the chain wrote down of a payment.
    fn written(&self, payment: &Value) -> Result<Value> {
        let name = payment.get("chain_transaction").context("a name")?;
        let options = json!({ "encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
        self.chain
            .rpc()
            .call("getTransaction", json!([name, options]))
    }

    fn confirmed(&self, mint: &str, to: &str, amount: &str) -> Result<()> {
        let said = self.pay(mint, to, amount)?.json()?;
        ensure!(said.get("status") == Some(&json!("CONFIRMED")), "{said}");
        Ok(())
    }

    /// Base units of `mint` in all accounts of `owner`, as the chain counts them.
    fn tokens(&self, owner: &str, mint: &str) -> Result<u64> {
        let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
        let params = json!([owner, { "mint": mint }, options]);
        let told = self.chain.rpc().call("getTokenAccountsByOwner", params)?;
        let accounts = told.pointer("/value").and_then(Value::as_array);
        let amounts = accounts.into_iter().flatten().map(|account| {
            let amount = account.pointer("/account/data/parsed/info/tokenAmount/amount");
            let amount = amount.and_then(Value::as_str).context("an amount")?;
            Ok(amount.parse::<u64>()?)
        });
        amounts.sum()
    }

    fn lamports(&self) -> Result<u64> {
        self.chain.balance(&self.setting.wallet.1)
    }

    /// What the signer has charged to an asset.
    fn charged(&self, asset: &str) -> Result<u64> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let limits = session.pointer("/limits").and_then(Value::as_array);
        let limit = limits
            .into_iter()
            .flatten()
            .find(|limit| limit.get("asset") == Some(&json!(asset)));
        let spent = limit.and_then(|limit| limit.get("spent")?.as_str());
        Ok(spent.context("spent")?.parse()?)
    }
}

fn asset(mint: &str) -> String {
    format!("{NETWORK}/token:{mint}")
}

fn policy(token: &str, token_2022: &str) -> String {
    let limits = |most: &str| {
        format!(
            "per-transaction = \"{most}\"\nhour = \"{most}\"\nday = \"{most}\"\nweek = \"{most}\"\n\
             month = \"{most}\"\ninstant-up-to = \"{most}\"\nnotify-up-to = \"{most}\"\n"
        )
    };
    let (sol, tokens) = (limits("1"), limits("500"));
    format!(
        "version = 1\nepoch = 1\n\n\
         [[asset]]\nid = \"{SOL}\"\nsymbol = \"SOL\"\ndecimals = 9\nfee-ceiling = \"0.001\"\n\
         rent-ceiling = \"0.01\"\n{sol}\n\
         [[asset]]\nid = \"{}\"\nsymbol = \"USDC\"\ndecimals = 6\n{tokens}\n\
         [[asset]]\nid = \"{}\"\nsymbol = \"KEEPS\"\ndecimals = 6\n{tokens}\
         extensions = [{{ kind = \"transfer-fee\", basis-points = 100, most = \"0.005\" }}]\n\n\
         [[recipient]]\nname = \"fresh\"\naccount = \"{NETWORK}:{FRESH}\"\n\n\
         [[recipient]]\nname = \"third\"\naccount = \"{NETWORK}:{THIRD}\"\n\n\
         [[recipient]]\nname = \"known\"\naccount = \"{NETWORK}:{KNOWN}\"\n",
        asset(token),
        asset(token_2022),
    )
}
/// Carries `act` out and says how many lamports left the wallet, and how many were charged for it.
fn cost(stage: &Stage, act: impl FnOnce() -> Result<()>) -> Result<(u64, u64)> {
    let (held, charged) = (stage.lamports()?, stage.charged(SOL)?);
    act()?;
    let left = held
        .checked_sub(stage.lamports()?)
        .context("lamports came")?;
    Ok((left, stage.charged(SOL)? - charged))
}

#[test]
fn an_agent_pays_tokens_on_solana_to_the_unit() -> Result<()> {
    let stage = Stage::set_up(BEGINNING)?;
    let (token, token_2022) = (&stage.token, &stage.token_2022);

    // To somebody without an account: it is created, and its rent counted.
    let (left, charged) = cost(&stage, || stage.confirmed(token, FRESH, "12.5"))?;
    ensure!(stage.tokens(FRESH, token)? == 12_500_000);
    ensure!(stage.tokens(&stage.setting.wallet.1, token)? == BEGINNING - 12_500_000);
    let fee = left.checked_sub(RENT).context("no rent was paid")?;
    ensure!((5000..50_000).contains(&fee), "a fee of {fee} lamports");
    ensure!(charged >= left, "charged {charged}, the chain took {left}");

    // To the same again, and to somebody who had one: no rent.
    for (to, amount) in [(FRESH, "0.000001"), ("@known", "1")] {
        let (left, charged) = cost(&stage, || stage.confirmed(token, to, amount))?;
        ensure!((5000..50_000).contains(&left), "{left} lamports left");
        ensure!(charged >= left && charged < RENT, "charged {charged}");
    }
    ensure!(stage.tokens(FRESH, token)? == 12_500_001);
    ensure!(stage.tokens(KNOWN, token)? == 1_000_000);
    ensure!(stage.charged(&asset(token))? == 13_500_001);

    // A mint that keeps a part: all of it leaves and counts, less arrives.
    let (left, charged) = cost(&stage, || stage.confirmed(token_2022, FRESH, "2"))?;
    let fee = left.checked_sub(RENT_2022).context("no rent was paid")?;
    ensure!((5000..50_000).contains(&fee), "a fee of {fee} lamports");
    ensure!(charged >= left, "charged {charged}, the chain took {left}");
    ensure!(stage.tokens(&stage.setting.wallet.1, token_2022)? == BEGINNING - 2_000_000);
    ensure!(stage.tokens(FRESH, token_2022)? == 2_000_000 - 5000);
    ensure!(stage.charged(&asset(token_2022))? == 2_000_000);

    // Two equal payments at once are two transactions.
    let pay = || stage.confirmed(token, KNOWN, "1");
    std::thread::scope(|scope| {
        let other = scope.spawn(pay);
        pay()?;
        other.join().map_err(|_| anyhow::anyhow!("a panic"))?
    })?;
    ensure!(stage.tokens(KNOWN, token)? == 3_000_000);

    // What the wallet holds, as its own API tells it.
    let target = format!("/v1/wallets/{}/balances", stage.setting.wallet.0);
    let told = stage.agent.send(&stage.agent.get(&target))?.json()?;
    for (mint, symbol) in [(token, "USDC"), (token_2022, "KEEPS")] {
        let balances = told.pointer("/balances").and_then(Value::as_array);
        let mut balances = balances.into_iter().flatten();
        let balance = balances.find(|held| held.get("asset") == Some(&json!(asset(mint))));
        let balance = balance.with_context(|| format!("no {symbol} in {told}"))?;
        let held = stage.tokens(&stage.setting.wallet.1, mint)?.to_string();
        ensure!(
            balance.get("amount_base") == Some(&json!(held)),
            "{balance}"
        );
        ensure!(balance.get("symbol") == Some(&json!(symbol)), "{balance}");
        ensure!(balance.get("elsewhere").is_none(), "{balance}");
    }
    Ok(())
}

#[test]
fn refused_tokens_stay_on_solana_where_they_are() -> Result<()> {
    // Twenty of each.
    let stage = Stage::set_up(20_000_000)?;
    let (token, wallet) = (&stage.token, &stage.setting.wallet.1);
    let stranger = "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1";
    // A mint that no policy has: the native one, wrapped.
    let other = "So11111111111111111111111111111111111111112";
    for (case, mint, to, amount, status, expected) in [
        (
            "over the session's limit",
            token.as_str(),
            FRESH,
            "100.000001",
            403,
            "session_per_transaction",
        ),
        (
            "over the policy's limit",
            token,
            FRESH,
            "500.000001",
            403,
            "per_transaction_limit",
        ),
        (
            "a stranger",
            token,
            stranger,
            "1",
            403,
            "recipient_not_listed",
        ),
        (
            "an unknown mint",
            other,
            FRESH,
            "1",
            403,
            "asset_not_listed",
        ),
        (
            "too many decimals",
            token,
            FRESH,
            "1.0000001",
            422,
            "amount_invalid",
        ),
        (
            "more than there is",
            token,
            FRESH,
            "20.000001",
            422,
            "insufficient_tokens",
        ),
        (
            "the wallet itself",
            token,
            wallet,
            "1",
            403,
            "recipient_not_listed",
        ),
    ] {
        let answer = stage.pay(mint, to, amount)?;
        let problem = answer.json()?;
        let violations = problem.get("violations").and_then(Value::as_array);
        let mut violations = violations.into_iter().flatten();
        let named = violations.any(|broken| broken.get("code") == Some(&json!(expected)));
        ensure!(
            answer.status == status,
            "{case}: {} {problem}",
            answer.status
        );
        ensure!(named, "{case}: {problem}");
    }
    ensure!(stage.tokens(wallet, token)? == 20_000_000);
    ensure!(stage.tokens(FRESH, token)? == 0, "a refusal moved money");
    ensure!(stage.charged(&asset(token))? == 0, "a refusal was charged");
    // Once policy and balance let it, it goes: nothing above stood in the way of this.
    stage.confirmed(token, FRESH, "20")?;
    ensure!(stage.tokens(FRESH, token)? == 20_000_000);
    Ok(())
}

#[test]
fn an_agent_pays_several_at_once_on_solana_to_the_unit() -> Result<()> {
    let stage = Stage::set_up(BEGINNING)?;
    let (token, token_2022) = (stage.token.as_str(), stage.token_2022.as_str());
    let known_before = stage.chain.balance(KNOWN)?;
    let batch = [
        (token, FRESH, "12.5"),
        ("", "@known", "0.01"),
        (token, "@known", "1"),
        (token_2022, FRESH, "2"),
        (token, FRESH, "0.5"),
        (token, THIRD, "3"),
    ];
    let mut paid = Value::Null;
    let (left, charged) = cost(&stage, || {
        paid = stage.pay_all(&batch, Some("payroll 11"))?.json()?;
        ensure!(paid.get("status") == Some(&json!("CONFIRMED")), "{paid}");
        Ok(())
    })?;
    // Each recipient, each asset; one account created for whoever was paid twice.
    ensure!(stage.tokens(FRESH, token)? == 13_000_000);
    ensure!(stage.tokens(KNOWN, token)? == 1_000_000);
    ensure!(stage.tokens(THIRD, token)? == 3_000_000);
    ensure!(stage.tokens(FRESH, token_2022)? == 2_000_000 - 5000);
    ensure!(stage.chain.balance(KNOWN)? == known_before + 10_000_000);
    ensure!(stage.tokens(&stage.setting.wallet.1, token)? == BEGINNING - 17_000_000);
    ensure!(stage.tokens(&stage.setting.wallet.1, token_2022)? == BEGINNING - 2_000_000);
    let fee = left.checked_sub(10_000_000 + 2 * RENT + RENT_2022);
    let fee = fee.context("rents were not paid")?;
    ensure!((5000..50_000).contains(&fee), "a fee of {fee} lamports");
    ensure!(charged >= left, "charged {charged}, the chain took {left}");
    ensure!(stage.charged(&asset(token))? == 17_000_000);
    ensure!(stage.charged(&asset(token_2022))? == 2_000_000);
    // One payment, in which all of them are told, and the memo; and the chain has it.
    let told = paid.get("transfers").and_then(Value::as_array);
    ensure!(told.map(Vec::len) == Some(batch.len()), "{paid}");
    ensure!(paid.get("memo") == Some(&json!("payroll 11")), "{paid}");
    let written = stage.written(&paid)?;
    let logs = written
        .pointer("/meta/logMessages")
        .context("logs")?
        .to_string();
    ensure!(logs.contains("payroll 11"), "{logs}");

    // One transfer with the longest memo, under the units that it was given.
    let memo = "m".repeat(128);
    let noted = stage
        .pay_all(&[("", KNOWN, "0.001")], Some(&memo))?
        .json()?;
    ensure!(noted.get("status") == Some(&json!("CONFIRMED")), "{noted}");
    ensure!(noted.get("transfers").is_none(), "{noted}");
    let written = stage.written(&noted)?;
    ensure!(written.to_string().contains(&memo), "{written}");
    let units = written.pointer("/meta/computeUnitsConsumed");
    let units = units.and_then(Value::as_u64).context("units")?;
    ensure!(units < 450 + 61_200, "{units} units");
    println!("a memo of 128 bytes and a transfer: {units} units");

    // Two equal batches at once are two transactions.
    let pair = [("", KNOWN, "0.001"), (token, KNOWN, "1")];
    let pay = || -> Result<()> {
        let said = stage.pay_all(&pair, None)?.json()?;
        ensure!(said.get("status") == Some(&json!("CONFIRMED")), "{said}");
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(pay);
        pay()?;
        other.join().map_err(|_| anyhow::anyhow!("a panic"))?
    })?;
    ensure!(stage.tokens(KNOWN, token)? == 3_000_000);
    ensure!(stage.chain.balance(KNOWN)? == known_before + 13_000_000);
    Ok(())
}

#[test]
fn a_refused_batch_moves_nothing_on_solana() -> Result<()> {
    // Twenty of each.
    let stage = Stage::set_up(20_000_000)?;
    let token = stage.token.as_str();
    let stranger = "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1";
    let eight = [("", KNOWN, "0.001"); 9];
    let cases: [(&str, &[Item<'_>], u16, &str); 7] = [
        (
            "one of three is a stranger",
            &[
                (token, FRESH, "1"),
                (token, stranger, "1"),
                ("", KNOWN, "0.01"),
            ],
            403,
            "recipient_not_listed",
        ),
        (
            "each below the session's limit, together above",
            &[(token, FRESH, "60"), (token, KNOWN, "60")],
            403,
            "session_per_transaction",
        ),
        (
            "coins, each below the session's limit, together above",
            &[("", FRESH, "0.06"), ("", KNOWN, "0.06")],
            403,
            "session_per_transaction",
        ),
        (
            "each could be paid, together there is not enough",
            &[(token, FRESH, "15"), (token, KNOWN, "15")],
            422,
            "insufficient_tokens",
        ),
        (
            "an unknown mint beside a known one",
            &[
                (token, FRESH, "1"),
                ("So11111111111111111111111111111111111111112", FRESH, "1"),
            ],
            403,
            "asset_not_listed",
        ),
        (
            "the second could only fail: less than an account's rent",
            &[(token, FRESH, "1"), ("", THIRD, "0.000000001")],
            422,
            "would_fail",
        ),
        ("nine", &eight, 422, "batch_too_large"),
    ];
    let held = stage.lamports()?;
    for (case, items, status, expected) in cases {
        let answer = stage.pay_all(items, None)?;
        let problem = answer.json()?;
        ensure!(
            answer.status == status,
            "{case}: {} {problem}",
            answer.status
        );
        ensure!(problem.to_string().contains(expected), "{case}: {problem}");
    }
    ensure!(stage.tokens(&stage.setting.wallet.1, token)? == 20_000_000);
    ensure!(stage.tokens(FRESH, token)? == 0, "a refusal moved money");
    ensure!(stage.lamports()? == held, "a refusal cost something");
    ensure!(stage.charged(&asset(token))? == 0, "a refusal was charged");
    Ok(())
}

/// Invariant 17: what an agent may not pay at all, an owner withdraws, with everything paused.
#[test]
fn an_owner_withdraws_tokens_on_solana() -> Result<()> {
    let stage = Stage::set_up(BEGINNING)?;
    stage.setting.home.cli(&["pause"])?;
    let owner = stage.setting.owner.to_str().context("a path")?;
    let withdraw = |mint: &str, ceiling: &str| {
        let asset = asset(mint);
        let what = [
            "withdraw",
            "--wallet",
            &stage.setting.wallet.0,
            "--asset",
            &asset,
        ];
        let how = ["--amount", "900", "--to", THIRD, "--fee-ceiling", ceiling];
        let with = ["--rpc", stage.chain.url(), "--owner-key", owner, "--yes"];
        stage
            .setting
            .home
            .cli(&[&what[..], &how[..], &with[..]].concat())
    };
    for (mint, rent) in [(&stage.token, RENT), (&stage.token_2022, RENT_2022)] {
        // The rent of the recipient's account does not fit under this ceiling.
        ensure!(withdraw(mint, "0.001").is_err());
        let before = stage.lamports()?;
        let said = withdraw(mint, "0.0023")?;
        ensure!(said.get("landed") == Some(&json!(true)), "{said}");
        ensure!(stage.tokens(&stage.setting.wallet.1, mint)? == BEGINNING - 900_000_000);
        let took = before - stage.lamports()?;
        ensure!((rent..rent + 10_000).contains(&took), "{took}");
    }
    ensure!(stage.tokens(THIRD, &stage.token)? == 900_000_000);
    // The mint of Token-2022 keeps its part of what arrives.
    let arrived = stage.tokens(THIRD, &stage.token_2022)?;
    ensure!(arrived > 0 && arrived < 900_000_000, "{arrived}");
    Ok(())
}
