//! Stakes on a real Solana chain with its own stake program: coins go into an account of the wallet's, are delegated
//! to a validator that the policy names, and come back, counted on the chain to the lamport; what the owner did not
//! allow is refused before anything is signed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign;
use waiaas_tests::setting::Setting;
use xtask::agent::{Agent, fresh};
use xtask::chains::Surfnet;
use xtask::http::Response;

const NETWORK: &str = "solana:localnet";
const SOL: &str = "solana:localnet/slip44:501";
/// Is no validator that the policy names.
const STRANGER: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
/// Lamports.
const BEGINNING: u64 = 10_000_000_000;
const RENT: u64 = 2_282_880;
/// The most that one of these payments may cost.
const DEAR: u64 = 100_000;

struct Stage {
    setting: Setting,
    agent: Agent,
    validator: String,
    chain: Surfnet,
}

impl Stage {
    fn set_up() -> Result<Self> {
        let chain = Surfnet::start(400)?;
        let setting = Setting::start(NETWORK, chain.url(), &[])?;
        chain.fund(&setting.wallet.1, BEGINNING)?;
        let made = foreign::python("vote.py", &[chain.url(), chain.payer_secret()])?;
        let made: Value = serde_json::from_str(&made)?;
        let validator = field(&made, "vote")?.to_owned();
        setting.home.adopt(&policy(&validator), &setting.owner)?;
        let operations = ["native-transfer", "stake"];
        let operations = operations.map(|name| ["--operation", name]).concat();
        let limits = [&*format!("{SOL}=4/20")];
        let agent = setting.home.agent_with(
            &setting.owner,
            &[&setting.wallet.0],
            &limits,
            false,
            &operations,
        )?;
        Ok(Self {
            setting,
            agent,
            validator,
            chain,
        })
    }

    fn ask(&self, more: Value) -> Result<Response> {
        let mut body = json!({
            "signer": self.agent.signer,
            "wallet": self.setting.wallet.0,
            "network": NETWORK,
        });
        let fields = body.as_object_mut().context("an object")?;
        fields.extend(more.as_object().context("an object")?.clone());
        let path = "/v1/transactions?wait=60";
        self.agent.send(&self.agent.post(path, &fresh()?, &body)?)
    }

    fn stake(&self, validator: &str, amount: &str, seed: &str) -> Result<Response> {
        self.ask(json!({
            "type": "stake", "validator": validator, "amount": amount, "seed": seed,
        }))
    }

    fn confirmed(&self, asked: Result<Response>) -> Result<Value> {
        let said = asked?.json()?;
        ensure!(said.get("status") == Some(&json!("CONFIRMED")), "{said}");
        Ok(said)
    }

    fn lamports(&self) -> Result<u64> {
        self.chain.balance(&self.setting.wallet.1)
    }

    /// What the signer has charged to the session.
    fn charged(&self) -> Result<u64> {
        let session = self.agent.send(&self.agent.get("/v1/session"))?.json()?;
        let spent = session.pointer("/limits/0/spent").and_then(Value::as_str);
        Ok(spent.context("spent")?.parse()?)
    }

    /// How the chain reads a stake account; nothing if there is none.
    fn account(&self, address: &str) -> Result<Value> {
        let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
        let told = self
            .chain
            .rpc()
            .call("getAccountInfo", json!([address, options]))?;
        Ok(told.get("value").context("a value")?.clone())
    }

    /// Carries `act` out, and says what the wallet has less for it and what was charged.
    fn cost(&self, act: impl FnOnce() -> Result<Value>) -> Result<(i128, u64, Value)> {
        let (held, charged) = (self.lamports()?, self.charged()?);
        let said = act()?;
        let less = i128::from(held) - i128::from(self.lamports()?);
        Ok((less, self.charged()? - charged, said))
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.with_context(|| format!("no {name} in {value}"))
}

fn policy(validator: &str) -> String {
    format!(
        r#"version = 1
epoch = 1

[[asset]]
id = "{SOL}"
symbol = "SOL"
decimals = 9
instant-up-to = "3"
notify-up-to = "3"
approve-up-to = "4"
per-transaction = "4"
hour = "9"
day = "9"
week = "9"
month = "9"
fee-ceiling = "0.0001"
rent-ceiling = "0.0025"

[[validator]]
name = "one"
account = "{NETWORK}:{validator}"
"#
    )
}

#[test]
fn an_agent_stakes_and_takes_back_to_the_lamport() -> Result<()> {
    let stage = Stage::set_up()?;
    let (less, charged, said) =
        stage.cost(|| stage.confirmed(stage.stake("@one", "1.5", "june-1")))?;
    let fee = less - 1_500_000_000 - i128::from(RENT);
    ensure!(
        (5000..i128::from(DEAR)).contains(&fee),
        "a fee of {fee} lamports"
    );
    ensure!(
        i128::from(charged) >= less,
        "charged {charged}, the chain took {less}"
    );
    ensure!(charged < 1_500_000_000 + RENT + DEAR, "charged {charged}");
    ensure!(field(&said, "to")? == stage.validator, "{said}");
    ensure!(field(&said, "seed")? == "june-1", "{said}");
    // As the chain has it: delegated, both authorities the wallet's, nothing locked up.
    let address = field(&said, "stake_account")?.to_owned();
    let account = stage.account(&address)?;
    ensure!(
        account.get("lamports") == Some(&json!(1_500_000_000 + RENT)),
        "{account}"
    );
    let info = account.pointer("/data/parsed/info").context("a stake")?;
    for (pointer, expected) in [
        ("/meta/authorized/staker", json!(stage.setting.wallet.1)),
        ("/meta/authorized/withdrawer", json!(stage.setting.wallet.1)),
        ("/meta/lockup/unixTimestamp", json!(0)),
        ("/meta/lockup/epoch", json!(0)),
        ("/stake/delegation/voter", json!(stage.validator)),
        ("/stake/delegation/stake", json!("1500000000")),
    ] {
        ensure!(
            info.pointer(pointer) == Some(&expected),
            "{pointer}: {info}"
        );
    }

    // A stake that is active does not come back, and the try costs nothing.
    let back = || stage.ask(json!({ "type": "withdraw_stake", "seed": "june-1" }));
    let (less, charged, refused) = stage.cost(|| back()?.json())?;
    ensure!(refused.to_string().contains("would_fail"), "{refused}");
    ensure!((less, charged) == (0, 0), "{less} {charged}");

    // The same seed a second time: there is an account already.
    let again = stage.stake("@one", "1.5", "june-1")?.json()?;
    ensure!(
        again.to_string().contains("of this seed is there already"),
        "{again}"
    );

    let (less, charged, said) = stage
        .cost(|| stage.confirmed(stage.ask(json!({ "type": "unstake", "seed": "june-1" }))))?;
    ensure!((5000..i128::from(DEAR)).contains(&less), "{less} lamports");
    ensure!(
        i128::from(charged) >= less && charged < DEAR,
        "charged {charged}"
    );
    ensure!(field(&said, "stake_account")? == address, "{said}");
    let twice = stage
        .ask(json!({ "type": "unstake", "seed": "june-1" }))?
        .json()?;
    ensure!(twice.to_string().contains("deactivated already"), "{twice}");

    // All of it comes back, its rent too, and the account is gone. Nothing of it counts.
    let (less, charged, said) = stage.cost(|| stage.confirmed(back()))?;
    let fee = less + 1_500_000_000 + i128::from(RENT);
    ensure!(
        (5000..i128::from(DEAR)).contains(&fee),
        "a fee of {fee} lamports"
    );
    ensure!(
        i128::from(charged) >= fee && charged < DEAR,
        "charged {charged}"
    );
    let returned = (1_500_000_000 + RENT).to_string();
    ensure!(field(&said, "amount_base")? == returned, "{said}");
    ensure!(stage.account(&address)?.is_null(), "it is there still");
    let shown = format!("/v1/transactions/{}", field(&said, "transaction")?);
    let shown = stage.agent.send(&stage.agent.get(&shown))?.json()?;
    ensure!(field(&shown, "amount_base")? == returned, "{shown}");
    let gone = back()?.json()?;
    ensure!(
        gone.to_string().contains("there is no stake account"),
        "{gone}"
    );

    // Once more under the same seed, through the command line's own body; two at once are two accounts.
    let seeds = ["june-1", "june-2"];
    let stake = |seed: &'static str| stage.confirmed(stage.stake(&stage.validator, "1", seed));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| stake(seeds[0]).map(drop));
        stake(seeds[1])?;
        other.join().map_err(|_| anyhow::anyhow!("a panic"))?
    })?;
    ensure!(stage.lamports()? < BEGINNING - 2 * (1_000_000_000 + RENT));
    Ok(())
}

#[test]
fn what_the_owner_did_not_allow_is_not_staked() -> Result<()> {
    let stage = Stage::set_up()?;
    let (held, charged) = (stage.lamports()?, stage.charged()?);
    for (case, asked, status, code) in [
        (
            "a validator that the policy does not name",
            stage.stake(STRANGER, "1", "june-1")?,
            403,
            "validator_not_listed",
        ),
        (
            "a name that it does not have",
            stage.stake("@two", "1", "june-1")?,
            403,
            "validator_not_listed",
        ),
        (
            "over the limit, with its rent",
            stage.stake("@one", "3.9999", "june-1")?,
            403,
            "per_transaction",
        ),
        (
            "less than the chain lets be delegated",
            stage.stake("@one", "0.5", "june-1")?,
            422,
            "would_fail",
        ),
        (
            "a seed that is none",
            stage.stake("@one", "1", "June 1")?,
            400,
            "body_malformed",
        ),
        (
            "a stake that is not there",
            stage.ask(json!({ "type": "unstake", "seed": "june-1" }))?,
            422,
            "would_fail",
        ),
        (
            "out of a stake to somebody else",
            stage.ask(json!({ "type": "withdraw_stake", "seed": "june-1", "to": STRANGER }))?,
            400,
            "body_malformed",
        ),
        (
            "a payment to a validator",
            stage.ask(json!({ "to": stage.validator, "amount": "1" }))?,
            403,
            "recipient_not_listed",
        ),
    ] {
        let problem = asked.json()?;
        ensure!(asked.status == status, "{case}: {} {problem}", asked.status);
        ensure!(problem.to_string().contains(code), "{case}: {problem}");
    }
    ensure!(stage.lamports()? == held, "a refusal moved money");
    ensure!(stage.charged()? == charged, "a refusal was charged");

    // Above NOTIFY the owner reads it, and signs.
    let asked = stage.stake("@one", "3.5", "july")?;
    let said = asked.json()?;
    ensure!(asked.status == 202, "{} {said}", asked.status);
    let payment = field(&said, "transaction")?;
    let owner = stage.setting.home.owner(&[])?;
    let owner = owner.to_str().context("a path")?;
    let approves = ["payment", "approve", payment, "--owner-key", owner, "--yes"];
    stage.setting.home.cli(&approves)?;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let shown = loop {
        let path = format!("/v1/transactions/{payment}?wait=30");
        let shown = stage.agent.send(&stage.agent.get(&path))?.json()?;
        if field(&shown, "status")? == "CONFIRMED" {
            break shown;
        }
        ensure!(std::time::Instant::now() < until, "{shown}");
    };
    let account = stage.account(field(&shown, "stake_account")?)?;
    ensure!(
        account.get("lamports") == Some(&json!(3_500_000_000 + RENT)),
        "{account}"
    );
    Ok(())
}
