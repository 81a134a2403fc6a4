//! `waiaas tx`: an agent's payments over REST, signed where the session is bound to a key.

mod words;

use std::time::Duration;

use serde_json::{Map, Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::ids::{SignerId, TransactionId, WalletId};

use self::words::{ended_well, list_words, payment_words};
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::http::PATIENCE;
use crate::rest::{Agent, AgentArgs, Post, Token, broken, random_name};
use crate::witness::Pin;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Pay
    Send(Box<SendArgs>),
    /// Show this session's payments, newest first
    List {
        /// How many, 1 to 100
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// The `next` of the page before
        #[arg(long, value_name = "SEQUENCE")]
        before: Option<u64>,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Show one payment
    Get {
        /// Which
        transaction: TransactionId,
        /// Wait until it has ended, at most so many seconds (60)
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
        wait: u64,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Cancel a payment of this session that waits, or that is under way on an EVM chain
    Cancel {
        /// Which
        transaction: TransactionId,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Sign a payment of this session on an EVM chain once more with a higher fee
    SpeedUp {
        /// Which
        transaction: TransactionId,
        #[command(flatten)]
        agent: AgentArgs,
    },
}

/// A payment.
#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// From which wallet
    #[arg(long, value_name = "WALLET")]
    wallet: WalletId,
    /// On which network
    #[arg(long, value_name = "CAIP2")]
    network: ChainId,
    /// To which address, or contact of the policy (@name)
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How much, in the asset's unit
    #[arg(
        long,
        value_name = "DECIMAL",
        required_unless_present_any = ["amount_base", "call"],
        conflicts_with = "amount_base"
    )]
    amount: Option<String>,
    /// How much, in base units
    #[arg(long, value_name = "N")]
    amount_base: Option<Amount>,
    /// Which asset; without it: the network's own coin
    #[arg(long, value_name = "CAIP19")]
    asset: Option<AssetId>,
    /// Pay nothing now: let --to take the amount of a token later. 0 takes that back
    #[arg(long, requires = "asset")]
    approve: bool,
    /// Call --to instead, by a function that the owner registered, such as deposit(uint256,address)
    #[arg(long, value_name = "FUNCTION", conflicts_with_all = ["amount", "amount_base", "asset", "approve", "replaces"])]
    call: Option<String>,
    /// An argument of --call; once for each, in order
    #[arg(
        long = "arg",
        value_name = "VALUE",
        requires = "call",
        allow_hyphen_values = true
    )]
    arguments: Vec<String>,
    /// Wei that go with --call
    #[arg(long, value_name = "WEI", requires = "call")]
    value: Option<Amount>,
    /// Why, for the owner to read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// An earlier payment of the same that was signed and whose end nobody saw. Both are charged, for both may
    /// land. Solana only: an EVM signature never expires
    #[arg(long, value_name = "TRANSACTION")]
    replaces: Option<TransactionId>,
    /// Wait until it is on the chain, at most so many seconds (60)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: u64,
    /// Ask what would be decided, and pay nothing
    #[arg(long, conflicts_with_all = ["wait", "no_submit", "idempotency_key"])]
    dry_run: bool,
    /// Have it signed and not sent; the signed bytes are shown
    #[arg(long)]
    no_submit: bool,
    /// Your name for this payment: the same one and the same request never pay twice; without it a random one
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The signer that is meant; without it: the one pinned in this home, else what the gateway tells
    #[arg(long, value_name = "SIGNER")]
    signer: Option<SignerId>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Send(args) => send(app, *args).await,
        Command::List {
            limit,
            before,
            agent,
        } => {
            let agent = agent.agent(&app.config.gateway_url)?;
            let token = agent.token().await?;
            let before = before.map_or_else(String::new, |before| format!("&before={before}"));
            let page = agent
                .get(
                    &token,
                    &format!("/v1/transactions?limit={limit}{before}"),
                    PATIENCE,
                )
                .await?;
            app.output.data(list_words(&page), &page)
        }
        Command::Get {
            transaction,
            wait,
            agent,
        } => {
            let agent = agent.agent(&app.config.gateway_url)?;
            let token = agent.token().await?;
            let query = if wait > 0 {
                format!("?wait={wait}")
            } else {
                String::new()
            };
            let found = agent
                .get(
                    &token,
                    &format!("/v1/transactions/{transaction}{query}"),
                    patience(wait),
                )
                .await?;
            app.output.data(payment_words(&found), &found)?;
            ended_well(&found)
        }
        Command::Cancel { transaction, agent } => change(app, transaction, &agent, "cancel").await,
        Command::SpeedUp { transaction, agent } => {
            change(app, transaction, &agent, "speed-up").await
        }
    }
}

/// Asks the gateway for something about a payment of this session.
async fn change(
    app: &App,
    transaction: TransactionId,
    agent: &AgentArgs,
    what: &str,
) -> Result<(), Failure> {
    let agent = agent.agent(&app.config.gateway_url)?;
    let token = agent.token().await?;
    let post = Post {
        path: &format!("/v1/transactions/{transaction}/{what}"),
        query: "?",
        body: b"{}",
        idempotency_key: &random_name()?,
        patience: PATIENCE,
    };
    let payment = agent.post(&token, &post).await?;
    app.output.data(payment_words(&payment), &payment)
}

async fn send(app: &App, args: SendArgs) -> Result<(), Failure> {
    if let Some(key) = &args.idempotency_key
        && !waiaas_shared::request::is_idempotency_key(key)
    {
        return Err(Failure::usage(
            "--idempotency-key has 1 to 128 visible ASCII characters",
        ));
    }
    let agent = args.agent.agent(&app.config.gateway_url)?;
    let token = agent.token().await?;
    let signer = match args.signer {
        Some(signer) => signer,
        None => match Pin::read(&app.home)? {
            Some(pin) => pin.signer,
            None => told_signer(&agent, &token).await?,
        },
    };
    let body = body(&args, signer).to_string();
    if args.dry_run {
        return dry_run(app, &agent, &token, body.as_bytes()).await;
    }
    let idempotency_key = match args.idempotency_key {
        Some(key) => key,
        None => random_name()?,
    };
    let query = if args.wait > 0 {
        format!("?wait={}", args.wait)
    } else {
        "?".to_owned()
    };
    let post = Post {
        path: "/v1/transactions",
        query: &query,
        body: body.as_bytes(),
        idempotency_key: &idempotency_key,
        patience: patience(args.wait),
    };
    let made = agent.post(&token, &post).await.map_err(|failure| match failure.exit() {
        // What became of it is not known: the same key again cannot pay twice.
        Exit::Unavailable => failure.next(format!(
            "ask again with the same name, which cannot pay twice: --idempotency-key {idempotency_key}"
        )),
        _ => failure,
    })?;
    app.output.data(payment_words(&made), &made)?;
    ended_well(&made)
}

async fn dry_run(app: &App, agent: &Agent, token: &Token, body: &[u8]) -> Result<(), Failure> {
    let post = Post {
        path: "/v1/transactions/dry-run",
        query: "?",
        body,
        idempotency_key: &random_name()?,
        patience: PATIENCE,
    };
    let judged = agent.post(token, &post).await?;
    let text = |field: &str| {
        judged
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let allowed = judged
        .get("allowed")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let obstacle = judged
        .pointer("/chain_problem/title")
        .and_then(Value::as_str);
    let mut words = if allowed {
        format!(
            "would be signed, tier {}, fee at most {} base units",
            text("tier"),
            text("fee_max_base")
        )
    } else {
        "would be refused".to_owned()
    };
    if let Some(obstacle) = obstacle {
        words.push_str(&format!("\nbut the chain stands in the way: {obstacle}"));
    }
    app.output.data(crate::output::printable(&words), &judged)?;
    if allowed {
        Ok(())
    } else {
        Err(Failure::new(Exit::Denied, "would be refused").broken(broken(&judged)))
    }
}

/// The signer that the gateway's session belongs to. A wrong answer makes a request that no signer
/// takes.
async fn told_signer(agent: &Agent, token: &Token) -> Result<SignerId, Failure> {
    let session = agent.get(token, "/v1/session", PATIENCE).await?;
    let signer = session
        .get("signer")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    signer
        .ok_or_else(|| Failure::usage("the gateway does not tell its signer").next("give --signer"))
}

/// The body, with nothing that was not asked for.
fn body(args: &SendArgs, signer: SignerId) -> Value {
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| drop(body.insert(field.to_owned(), value));
    set("signer", json!(signer));
    set("wallet", json!(args.wallet));
    set("network", json!(args.network));
    if let Some(function) = &args.call {
        set("type", json!("call"));
        set("contract", json!(args.to));
        set("function", json!(function));
        set("args", json!(args.arguments));
        if let Some(value) = args.value {
            set("value", json!(value));
        }
    } else if args.approve {
        set("type", json!("approve"));
        set("spender", json!(args.to));
    } else {
        set("to", json!(args.to));
    }
    if let Some(asset) = args.asset {
        set("asset", json!(asset));
    }
    if let Some(amount) = &args.amount {
        set("amount", json!(amount));
    }
    if let Some(amount) = args.amount_base {
        set("amount_base", json!(amount));
    }
    if let Some(reason) = &args.reason {
        set("reason", json!(reason));
    }
    if let Some(earlier) = args.replaces {
        set("replaces", json!(earlier));
    }
    if args.no_submit {
        set("submit", json!(false));
    }
    Value::Object(body)
}

const fn patience(wait: u64) -> Duration {
    PATIENCE.saturating_add(Duration::from_secs(wait))
}

#[cfg(test)]
mod tests {
    use waiaas_shared::request::TransferRequest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SendArgs,
    }

    const LEAST: [&str; 11] = [
        "send",
        "--wallet",
        "wallet_00000000000000000000000001",
        "--network",
        "eip155:31337",
        "--to",
        "@hosting",
        "--amount",
        "0.5",
        "--bearer-file",
        "secret",
    ];

    fn parsed(more: &[&str]) -> Result<SendArgs, clap::Error> {
        let line = LEAST.iter().chain(more);
        <Line as clap::Parser>::try_parse_from(line).map(|line| line.args)
    }

    /// The body is one that signer and gateway read, strictly.
    #[test]
    fn bodies_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let least = body(&parsed(&[]).unwrap(), signer).to_string();
        let read = TransferRequest::parse(least.as_bytes()).unwrap();
        assert!(read.submit && read.asset.is_none() && read.reason.is_none());
        let more = [
            "--asset",
            "eip155:31337/slip44:60",
            "--reason",
            "June",
            "--no-submit",
            "--replaces",
            "tx_00000000000000000000000001",
        ];
        let most = body(&parsed(&more).unwrap(), signer).to_string();
        let read = TransferRequest::parse(most.as_bytes()).unwrap();
        assert!(!read.submit && read.asset.is_some() && read.replaces.is_some());
        assert_eq!(read.reason.as_deref(), Some("June"));
        let token = "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let approval = parsed(&["--asset", token, "--approve"]).unwrap();
        let approval = body(&approval, signer).to_string();
        let read = TransferRequest::parse(approval.as_bytes()).unwrap();
        assert_eq!(read.action, waiaas_shared::request::Action::Approve);
    }

    #[test]
    fn a_call_is_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let without_amount: Vec<&str> = LEAST
            .into_iter()
            .filter(|word| !["--amount", "0.5"].contains(word))
            .collect();
        let call = [
            "--call",
            "f(int8,bool)",
            "--arg",
            "-5",
            "--arg",
            "true",
            "--value",
            "7",
        ];
        let line = without_amount.iter().chain(&call);
        let args = <Line as clap::Parser>::try_parse_from(line).unwrap().args;
        let read = TransferRequest::parse(body(&args, signer).to_string().as_bytes()).unwrap();
        let told = read.call.unwrap();
        assert_eq!(told.arguments, ["-5", "true"]);
        assert_eq!(read.amount_base, Some(Amount::from_base_units(7)));
        assert!(parsed(&call).is_err(), "an amount besides");
        let alone = without_amount.iter().chain(&["--arg", "1"]);
        assert!(<Line as clap::Parser>::try_parse_from(alone).is_err());
    }

    #[test]
    fn arguments_that_contradict_are_refused() {
        for more in [
            &["--amount-base", "5"][..],
            &["--wait", "61"],
            &["--dry-run", "--no-submit"],
            &["--session", "session_00000000000000000000000001"],
            &["--agent-key", "key.json"],
            &["--approve"],
        ] {
            assert!(parsed(more).is_err(), "{more:?}");
        }
    }
}
