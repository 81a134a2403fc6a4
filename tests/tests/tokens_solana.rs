//! Tokens on a real Solana chain: SPL Token and a Token-2022 mint that keeps a part of each transfer, made by
//! other code, paid as an agent pays, one by one and several at once, and counted on the chain to the unit.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::books::{Books, Chain as _, Cost, charged, text, tokens, written};
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
const BEGINNING: u128 = 1_000_000_000;
/// Rent of an account of SPL Token, and of one of Token-2022 whose mint keeps a part.
const RENT: u128 = 2_039_280;
const RENT_2022: u128 = 2_157_600;

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
    fn set_up(amount: u128) -> Result<Self> {
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
        written(&self.chain, text(payment, "chain_transaction")?)
    }

    fn confirmed(&self, mint: &str, to: &str, amount: &str) -> Result<Value> {
        is_confirmed(self.pay(mint, to, amount)?)
    }

    /// Base units of `mint` in all accounts of `owner`, as the chain counts them.
    fn tokens(&self, owner: &str, mint: &str) -> Result<u128> {
        tokens(&self.chain, owner, mint)
    }

    fn own_tokens(&self, mint: &str) -> Result<u128> {
        self.tokens(&self.setting.wallet.1, mint)
    }

    /// What the signer has charged to an asset.
    fn charged(&self, asset: &str) -> Result<u128> {
        charged(&self.agent, asset)
    }

    fn books(&self) -> Books<'_> {
        Books {
            chain: &self.chain,
            agent: &self.agent,
            wallet: &self.setting.wallet.1,
            coin: SOL,
        }
    }

    /// Carries `act` out: so many lamports and the fees that the chain took left the wallet, and all of it was charged.
    fn cost<const N: usize>(
        &self,
        lamports: u128,
        act: impl FnOnce() -> Result<[Value; N]>,
    ) -> Result<(Cost, [Value; N])> {
        let before = self.books().read()?;
        let paid = act()?;
        let cost = self.books().settled(before, lamports, &paid.each_ref())?;
        ensure!(
            (5000..50_000).contains(&(cost.fee / paid.len() as u128)),
            "{cost:?}"
        );
        Ok((cost, paid))
    }
}

fn is_confirmed(answer: Response) -> Result<Value> {
    let said = answer.json()?;
    ensure!(said.get("status") == Some(&json!("CONFIRMED")), "{said}");
    Ok(said)
}

/// The same twice at once: two transactions.
fn twice(pay: impl Fn() -> Result<Value> + Sync) -> Result<[Value; 2]> {
    std::thread::scope(|scope| {
        let other = scope.spawn(&pay);
        let own = pay()?;
        let other = other.join().map_err(|_| anyhow::anyhow!("a panic"))??;
        ensure!(text(&own, "transaction")? != text(&other, "transaction")?);
        Ok([own, other])
    })
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

#[test]
fn an_agent_pays_tokens_on_solana_to_the_unit() -> Result<()> {
    let stage = Stage::set_up(BEGINNING)?;
    let (token, token_2022) = (&stage.token, &stage.token_2022);

    // To somebody without an account: it is created, and its rent counted.
    stage.cost(RENT, || Ok([stage.confirmed(token, FRESH, "12.5")?]))?;
    ensure!(stage.tokens(FRESH, token)? == 12_500_000);
    ensure!(stage.own_tokens(token)? == BEGINNING - 12_500_000);

    // To the same again, and to somebody who had one: no rent.
    for (to, amount) in [(FRESH, "0.000001"), ("@known", "1")] {
        let (cost, _) = stage.cost(0, || Ok([stage.confirmed(token, to, amount)?]))?;
        ensure!(cost.charged < RENT, "{cost:?}");
    }
    ensure!(stage.tokens(FRESH, token)? == 12_500_001);
    ensure!(stage.tokens(KNOWN, token)? == 1_000_000);
    ensure!(stage.charged(&asset(token))? == 13_500_001);

    // A mint that keeps a part: all of it leaves and counts, less arrives.
    stage.cost(RENT_2022, || Ok([stage.confirmed(token_2022, FRESH, "2")?]))?;
    ensure!(stage.own_tokens(token_2022)? == BEGINNING - 2_000_000);
    ensure!(stage.tokens(FRESH, token_2022)? == 2_000_000 - 5000);
    ensure!(stage.charged(&asset(token_2022))? == 2_000_000);

    // Two equal payments at once are two transactions.
    stage.cost(0, || twice(|| stage.confirmed(token, KNOWN, "1")))?;
    ensure!(stage.tokens(KNOWN, token)? == 3_000_000);
    ensure!(stage.own_tokens(token)? == BEGINNING - 15_500_001);
    ensure!(stage.charged(&asset(token))? == 15_500_001);

    // What the wallet holds, as its own API tells it.
    let target = format!("/v1/wallets/{}/balances", stage.setting.wallet.0);
    let told = stage.agent.send(&stage.agent.get(&target))?.json()?;
    let coin = told.pointer("/balances/0").context("the coin")?;
    ensure!(coin.get("asset") == Some(&json!(SOL)), "{told}");
    let lamports = stage.chain.balance(&stage.setting.wallet.1)?.to_string();
    ensure!(coin.get("amount_base") == Some(&json!(lamports)), "{told}");
    for (mint, symbol) in [(token, "USDC"), (token_2022, "KEEPS")] {
        let balances = told.pointer("/balances").and_then(Value::as_array);
        let mut balances = balances.into_iter().flatten();
        let balance = balances.find(|held| held.get("asset") == Some(&json!(asset(mint))));
        let balance = balance.with_context(|| format!("no {symbol} in {told}"))?;
        let held = stage.own_tokens(mint)?.to_string();
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
    let moved = 10_000_000 + 2 * RENT + RENT_2022;
    let (_, [paid]) = stage.cost(moved, || {
        Ok([is_confirmed(stage.pay_all(&batch, Some("payroll 11"))?)?])
    })?;
    // Each recipient, each asset; one account created for whoever was paid twice.
    ensure!(stage.tokens(FRESH, token)? == 13_000_000);
    ensure!(stage.tokens(KNOWN, token)? == 1_000_000);
    ensure!(stage.tokens(THIRD, token)? == 3_000_000);
    ensure!(stage.tokens(FRESH, token_2022)? == 2_000_000 - 5000);
    ensure!(stage.chain.balance(KNOWN)? == known_before + 10_000_000);
    ensure!(stage.own_tokens(token)? == BEGINNING - 17_000_000);
    ensure!(stage.own_tokens(token_2022)? == BEGINNING - 2_000_000);
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
    let (_, [noted]) = stage.cost(1_000_000, || {
        Ok([is_confirmed(
            stage.pay_all(&[("", KNOWN, "0.001")], Some(&memo))?,
        )?])
    })?;
    ensure!(noted.get("transfers").is_none(), "{noted}");
    let written = stage.written(&noted)?;
    ensure!(written.to_string().contains(&memo), "{written}");
    let units = written.pointer("/meta/computeUnitsConsumed");
    let units = units.and_then(Value::as_u64).context("units")?;
    ensure!(units < 450 + 61_200, "{units} units");
    println!("a memo of 128 bytes and a transfer: {units} units");

    // Two equal batches at once are two transactions.
    let pair = [("", KNOWN, "0.001"), (token, KNOWN, "1")];
    stage.cost(2_000_000, || {
        twice(|| is_confirmed(stage.pay_all(&pair, None)?))
    })?;
    ensure!(stage.own_tokens(token)? == BEGINNING - 19_000_000);
    ensure!(stage.charged(&asset(token))? == 19_000_000);
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
    let held = stage.chain.balance(&stage.setting.wallet.1)?;
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
    ensure!(
        stage.chain.balance(&stage.setting.wallet.1)? == held,
        "a refusal cost something"
    );
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
        let before = stage.chain.balance(&stage.setting.wallet.1)?;
        let said = withdraw(mint, "0.0023")?;
        ensure!(said.get("landed") == Some(&json!(true)), "{said}");
        ensure!(stage.own_tokens(mint)? == BEGINNING - 900_000_000);
        let took = u128::from(before - stage.chain.balance(&stage.setting.wallet.1)?);
        let fee = stage.chain.took(text(&said, "chain_transaction")?)?;
        ensure!(took == rent + fee && fee < 10_000, "{took}");
    }
    ensure!(stage.tokens(THIRD, &stage.token)? == 900_000_000);
    // The mint of Token-2022 keeps its part of what arrives, at most so much.
    ensure!(stage.tokens(THIRD, &stage.token_2022)? == 900_000_000 - 5000);
    Ok(())
}
