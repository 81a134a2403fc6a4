//! `waiaas tx`: an agent's payments over REST, signed where the session is bound to a key.

mod body;
mod sign;
mod words;

use std::time::Duration;

use serde_json::Value;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::ids::{SignerId, TransactionId, WalletId};
use waiaas_shared::memo::Memo;
use waiaas_shared::network;
use waiaas_shared::request::Speed;
use waiaas_shared::solana::StakeSeed;

use self::body::{Also, body};
use self::words::{ended_well, fee_words, history_words, list_words, payment_words};
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
    /// Have a transaction signed that was made elsewhere
    Sign(Box<sign::SignArgs>),
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
        /// Until its transaction stands that deep instead: confirmed or finalized on Solana; latest, safe or finalized
        /// on an EVM chain
        #[arg(long, value_name = "COMMITMENT", value_parser = COMMITMENTS)]
        commitment: Option<String>,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Show what moved out of and into a wallet, newest first: this session's payments, and what a node says came in
    History {
        /// Which wallet
        #[arg(long, value_name = "WALLET")]
        wallet: WalletId,
        /// Only on this network
        #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
        network: Option<ChainId>,
        /// Also what came in of tokens that the policy does not name
        #[arg(long)]
        unregistered: bool,
        /// How many, 1 to 100
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// The `next` of the page before
        #[arg(long, value_name = "PLACE", value_parser = place)]
        before: Option<String>,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Show what sending costs on a network now, at three speeds
    Fees {
        /// On which network
        #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
        network: ChainId,
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
    #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
    network: ChainId,
    /// To which address, or contact of the policy (@name)
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["unstake", "withdraw_stake"])]
    to: Option<String>,
    /// How much, in the asset's unit
    #[arg(
        long,
        value_name = "DECIMAL",
        required_unless_present_any = ["amount_base", "call", "data", "unstake", "withdraw_stake"],
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
    #[arg(long, value_name = "FUNCTION", conflicts_with_all = ["amount", "amount_base", "asset", "approve", "replaces", "also", "memo"])]
    call: Option<String>,
    /// Call --to, a Solana program, by a method that the owner registered: the instruction's data, 0x and digits
    #[arg(long, value_name = "HEX", conflicts_with_all = ["amount", "amount_base", "asset", "approve", "call", "stake", "unstake", "withdraw_stake", "seed", "also", "memo"])]
    data: Option<String>,
    /// An account of the instruction of --data; once for each, in order
    #[arg(long = "account", value_name = "ADDRESS", requires = "data")]
    accounts: Vec<SolanaAddress>,
    /// Stake --amount of the network's own coin with --to, a validator that the policy names, in a new stake account
    /// of the wallet's own. It counts in full as spent, though it can come back. Solana only
    #[arg(long, requires = "seed", conflicts_with_all = ["asset", "approve", "call", "also", "memo"])]
    stake: bool,
    /// Deactivate the stake account of --seed: what lies in it can be withdrawn once the epoch has ended
    #[arg(long, requires = "seed", conflicts_with_all = ["to", "amount", "amount_base", "asset", "approve", "call", "stake", "also", "memo"])]
    unstake: bool,
    /// Bring all that lies in the stake account of --seed back into the wallet
    #[arg(long, requires = "seed", conflicts_with_all = ["to", "amount", "amount_base", "asset", "approve", "call", "stake", "unstake", "also", "memo"])]
    withdraw_stake: bool,
    /// Which stake account of the wallet's: 1 to 32 of a-z, 0-9, -, chosen when it is made
    #[arg(long, value_name = "SEED")]
    seed: Option<StakeSeed>,
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
    /// One more transfer of the same transaction, with its asset if it is a token: all of them are paid or
    /// none. Again for each, eight in all. Solana only
    #[arg(
        long,
        value_name = "ADDRESS=DECIMAL[=CAIP19]",
        conflicts_with = "approve"
    )]
    also: Vec<Also>,
    /// A text that goes on the chain, for everybody to read, and that the owner reads. Solana only
    #[arg(long, value_name = "TEXT")]
    memo: Option<Memo>,
    /// Why, for the owner to read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// An earlier payment of the same that was signed and whose end nobody saw. Both are charged, for both may
    /// land. Solana only: an EVM signature never expires
    #[arg(long, value_name = "TRANSACTION")]
    replaces: Option<TransactionId>,
    /// How soon it should land: slow, normal or fast. Moves the fee under its ceilings
    #[arg(long, value_name = "SPEED", value_parser = speed)]
    speed: Option<Speed>,
    /// Wait until it is on the chain, at most so many seconds (60)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: u64,
    /// Until its transaction stands that deep instead: confirmed or finalized on Solana; latest, safe or finalized
    /// on an EVM chain
    #[arg(long, value_name = "COMMITMENT", value_parser = COMMITMENTS)]
    commitment: Option<String>,
    /// Ask what would be decided, and pay nothing
    #[arg(long, conflicts_with_all = ["wait", "commitment", "no_submit", "idempotency_key"])]
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
        Command::Sign(args) => sign::sign(app, *args).await,
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
            commitment,
            agent,
        } => {
            let agent = agent.agent(&app.config.gateway_url)?;
            let token = agent.token().await?;
            let query = wait_query(wait, commitment.as_deref());
            let query = query.strip_suffix('?').unwrap_or(&query);
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
        Command::History {
            wallet,
            network,
            unregistered,
            limit,
            before,
            agent,
        } => {
            let agent = agent.agent(&app.config.gateway_url)?;
            let token = agent.token().await?;
            let mut target = format!("/v1/wallets/{wallet}/history?limit={limit}");
            if let Some(network) = network {
                target.push_str(&format!("&network={network}"));
            }
            if unregistered {
                target.push_str("&unregistered=true");
            }
            if let Some(before) = before {
                target.push_str(&format!("&before={before}"));
            }
            let history = agent.get(&token, &target, PATIENCE).await?;
            app.output.data(history_words(&history), &history)
        }
        Command::Fees { network, agent } => {
            let agent = agent.agent(&app.config.gateway_url)?;
            let token = agent.token().await?;
            let target = format!("/v1/networks/{network}/fees");
            let fees = agent.get(&token, &target, PATIENCE).await?;
            app.output.data(fee_words(&fees), &fees)
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
    let sending = Sending {
        path: "/v1/transactions",
        signer: args.signer,
        idempotency_key: args.idempotency_key.clone(),
        wait: args.wait,
        commitment: args.commitment.clone(),
        dry_run: args.dry_run,
    };
    let agent = args.agent.agent(&app.config.gateway_url)?;
    send_body(app, agent, sending, |signer| body(&args, signer)).await
}

/// How a request for a signature is made.
struct Sending {
    path: &'static str,
    signer: Option<SignerId>,
    idempotency_key: Option<String>,
    wait: u64,
    commitment: Option<String>,
    dry_run: bool,
}

/// The words of all networks by which a commitment is named; which of them a network knows, the gateway says.
const COMMITMENTS: [&str; 4] = ["latest", "confirmed", "safe", "finalized"];

/// How long an answer is kept back and for what, as a query; `?` alone for neither.
fn wait_query(wait: u64, commitment: Option<&str>) -> String {
    let wait = (wait > 0).then(|| format!("wait={wait}"));
    let commitment = commitment.map(|word| format!("commitment={word}"));
    let fields: Vec<String> = wait.into_iter().chain(commitment).collect();
    format!("?{}", fields.join("&"))
}

async fn send_body(
    app: &App,
    agent: Agent,
    sending: Sending,
    body: impl FnOnce(SignerId) -> Value,
) -> Result<(), Failure> {
    if let Some(key) = &sending.idempotency_key
        && !waiaas_shared::request::is_idempotency_key(key)
    {
        return Err(Failure::usage(
            "--idempotency-key has 1 to 128 visible ASCII characters",
        ));
    }
    let token = agent.token().await?;
    let signer = match sending.signer {
        Some(signer) => signer,
        None => match Pin::read(&app.home)? {
            Some(pin) => pin.signer,
            None => told_signer(&agent, &token).await?,
        },
    };
    let body = body(signer).to_string();
    if sending.dry_run {
        return dry_run(app, &agent, &token, body.as_bytes()).await;
    }
    let idempotency_key = match sending.idempotency_key {
        Some(key) => key,
        None => random_name()?,
    };
    let query = wait_query(sending.wait, sending.commitment.as_deref());
    let post = Post {
        path: sending.path,
        query: &query,
        body: body.as_bytes(),
        idempotency_key: &idempotency_key,
        patience: patience(sending.wait),
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
pub(super) async fn told_signer(agent: &Agent, token: &Token) -> Result<SignerId, Failure> {
    let session = agent.get(token, "/v1/session", PATIENCE).await?;
    let signer = session
        .get("signer")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    signer
        .ok_or_else(|| Failure::usage("the gateway does not tell its signer").next("give --signer"))
}

/// The place of an entry in a wallet's history, as it was told.
fn place(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._".contains(&byte);
    if (1..=100).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("the `next` of the page before")
    }
}

fn speed(text: &str) -> Result<Speed, &'static str> {
    Speed::from_text(text).ok_or("slow, normal or fast")
}

const fn patience(wait: u64) -> Duration {
    PATIENCE.saturating_add(Duration::from_secs(wait))
}
