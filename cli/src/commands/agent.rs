//! `waiaas agent`: what an agent's operator needs, over the gateway (a key of its own, a token for tools
//! that cannot sign requests, a renewal of its session, a proxy that signs); and the owner's hand on an agent's life, over
//! the signer's own socket (registration, activation, suspension, end).

mod proxy;

use std::path::PathBuf;

use serde_json::json;

use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{AgentId, StatementId};
use waiaas_shared::statement::StatementFacts;

use crate::app::App;
use crate::failure::Failure;
use crate::http::PATIENCE;
use crate::output::printable;
use crate::owner_key::KeyFile;
use crate::rest::{AgentArgs, Post, random_name};
use crate::signer::{Signer, failed, reach};
use crate::statement::SigningArgs;
use crate::table::Table;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an Ed25519 key for an agent; its public half goes into `session grant --agent-key`
    Keygen {
        /// Where to; without it: agents/agent.json in the home
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Renew the session inside of the bounds that its owner signed
    Renew {
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Register an agent, to which sessions can then be granted: an owner signs it
    Register {
        /// Only created: nothing is signed for it before `waiaas agent activate`
        #[arg(long)]
        inactive: bool,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Show every agent with its stage
    List,
    /// Let an agent that is created or suspended spend: an owner signs it
    #[command(visible_alias = "resume")]
    Activate {
        /// Which
        agent: AgentId,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Suspend an agent at once: nothing is signed for its sessions
    Suspend {
        /// Which
        agent: AgentId,
    },
    /// End an agent for good, at once: nothing is signed for it any more
    Terminate {
        /// Which
        agent: AgentId,
    },
    /// Get a session token (15 minutes), for `Authorization: Bearer`
    Token {
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Sign for curl and frameworks: serves the gateway's interface on a Unix socket or a loopback port, holds
    /// the agent's key and the session's token, and asks for an Idempotency-Key with whatever changes something
    Proxy(Box<proxy::ProxyArgs>),
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Keygen { out } => {
            let path = match out {
                Some(path) => path,
                None => {
                    app.home.create()?;
                    app.home.agents().join("agent.json")
                }
            };
            let key = KeyFile::generate()?;
            key.write(&path)?;
            let words = format!("{}\n{}", key.agent(), path.display());
            app.output.data(
                words,
                &json!({ "agent_key": key.agent().to_string(), "file": path }),
            )
        }
        Command::Renew { agent } => renew(app, &agent).await,
        Command::Register { inactive, signing } => register(app, !inactive, signing).await,
        Command::List => list(app).await,
        Command::Activate { agent, signing } => {
            let signer = Signer::connect(app).await?;
            let facts = StatementFacts::ActivateAgent { agent };
            let sequence = submit(app, &signer, &signing, &facts, "not activated")
                .await?
                .1;
            let data = json!({ "agent": agent, "sequence": sequence });
            app.output.data(format!("{agent} is active."), &data)
        }
        Command::Suspend { agent } => {
            let client = reach(app).await?;
            let sequence = client.suspend_agent(agent).await;
            let sequence = sequence.map_err(failed("NOT suspended"))?;
            app.output.data(
                format!("{agent} is suspended. To undo it: waiaas agent activate"),
                &json!({ "agent": agent, "sequence": sequence }),
            )
        }
        Command::Terminate { agent } => {
            let client = reach(app).await?;
            let sequence = client.terminate_agent(agent).await;
            let sequence = sequence.map_err(failed("NOT terminated"))?;
            app.output.data(
                format!("{agent} is terminating: it is over once nothing of it waits any more."),
                &json!({ "agent": agent, "sequence": sequence }),
            )
        }
        Command::Token { agent } => {
            let token = agent.agent(&app.config.gateway_url)?.token().await?;
            app.output.data(token.text.as_str(), &token.answer)
        }
        Command::Proxy(args) => proxy::run(app, *args).await,
    }
}

async fn renew(app: &App, agent: &AgentArgs) -> Result<(), Failure> {
    let agent = agent.agent(&app.config.gateway_url)?;
    let token = agent.token().await?;
    let session = agent.get(&token, "/v1/session", PATIENCE).await?;
    let signer = session.get("signer").cloned().unwrap_or_default();
    let body = json!({ "signer": signer }).to_string();
    let answer = agent
        .post(
            &token,
            &Post {
                path: "/v1/session/renew",
                query: "?",
                body: body.as_bytes(),
                idempotency_key: &random_name()?,
                patience: PATIENCE,
            },
        )
        .await?;
    let ends = answer.get("expires_at").and_then(|ends| ends.as_str());
    let words = format!("renewed until {}", printable(ends.unwrap_or_default()));
    app.output.data(words, &answer)
}

async fn register(app: &App, active: bool, signing: SigningArgs) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let facts = StatementFacts::RegisterAgent { active };
    let (said, sequence) = submit(app, &signer, &signing, &facts, "not registered").await?;
    let (agent, stage) = match signer.event(sequence).await? {
        EventBody::AgentRegistered {
            agent,
            stage,
            statement,
            ..
        } if statement == said => (agent, stage),
        _ => {
            return Err(
                Failure::internal("registered, and the log tells another event")
                    .next("waiaas agent list"),
            );
        }
    };
    let data = json!({ "agent": agent, "stage": stage, "sequence": sequence });
    app.output.data(agent.to_string(), &data)
}

/// The owner signs and hands in; the statement, and the event that carried it out.
async fn submit(
    app: &App,
    signer: &Signer,
    signing: &SigningArgs,
    facts: &StatementFacts,
    otherwise: &'static str,
) -> Result<(StatementId, u64), Failure> {
    let signed = signing.sign(&app.output, signer, facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await;
    let sequence = submitted.map_err(failed(otherwise))?.sequence;
    Ok((signed.statement, sequence))
}

async fn list(app: &App) -> Result<(), Failure> {
    let client = reach(app).await?;
    let agents = client.agents().await.map_err(failed("no list of agents"))?;
    let mut table = Table::new(&["AGENT", "STAGE", "SESSIONS", "WAITING PAYMENTS"]);
    for view in &agents {
        table.row([
            view.agent.to_string(),
            view.stage.to_string(),
            view.sessions.len().to_string(),
            view.waiting.to_string(),
        ]);
    }
    let words = if table.is_empty() {
        "No agent yet. Next: waiaas agent register".to_owned()
    } else {
        table.to_string()
    };
    let data = json!({
        "agents": agents.iter().map(|view| json!({
            "agent": view.agent,
            "stage": view.stage,
            "sessions": view.sessions,
            "waiting": view.waiting,
        })).collect::<Vec<_>>(),
    });
    app.output.data(words, &data)
}
