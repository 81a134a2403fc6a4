//! `waiaas agent`: what an agent's operator needs: a key of its own, and a token for tools that cannot
//! sign requests. Speaks with the gateway only; needs no signer and no owner.

use std::path::PathBuf;

use serde_json::json;

use crate::app::App;
use crate::failure::Failure;
use crate::owner_key::KeyFile;
use crate::rest::AgentArgs;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an Ed25519 key for an agent; its public half goes into `session grant --agent-key`
    Keygen {
        /// Where to; without it: agents/agent.json in the home
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Get a session token (15 minutes), for `Authorization: Bearer`
    Token {
        #[command(flatten)]
        agent: AgentArgs,
    },
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
        Command::Token { agent } => {
            let token = agent.agent(&app.config.gateway_url)?.token().await?;
            app.output.data(token.text.as_str(), &token.answer)
        }
    }
}
