//! `waiaas release`: an owner undoes a kill, a pause, or a clock that closed signing.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use waiaas_client::ClientError;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::WallTime;

use crate::app::App;
use crate::duration::counted;
use crate::failure::Failure;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::SigningArgs;

/// What is released.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// End the kill: takes the password too, and leaves everything paused until `release pause`
    Kill {
        /// Restore this session; the others stay revoked
        #[arg(long = "session", value_name = "SESSION")]
        sessions: Vec<SessionId>,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Resume what was paused
    Pause {
        /// This wallet only; without it: everything
        #[arg(long, value_name = "WALLET")]
        wallet: Option<WalletId>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// State the time after the clock stepped: this machine's clock is believed, so set it right first
    Clock {
        /// State this Unix time instead: one after the other, no more than 366 days beyond the signer's own
        #[arg(long, value_name = "SECONDS")]
        unix_time: Option<u64>,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Kill {
            sessions,
            signing,
            password,
        } => release_kill(app, sessions, &signing, password).await,
        Command::Pause { wallet, signing } => {
            let facts = StatementFacts::ReleasePause { wallet };
            let sequence = submit(app, &signing, &facts).await?;
            let words = "Resumed: agents can spend again.";
            app.output.data(
                words,
                &json!({ "paused": false, "wallet": wallet, "sequence": sequence }),
            )
        }
        Command::Clock {
            unix_time,
            signing,
            password,
        } => {
            let seconds = unix_time.map(|seconds| seconds.saturating_mul(1000));
            let wall = seconds.map_or_else(now, WallTime::from_millis);
            let (sequence, open) = state_time(app, &signing, wall, password).await?;
            let words = if open {
                format!("The time is stated as {wall}: signing is open again.")
            } else {
                format!(
                    "The time is stated as {wall}. The signer's clock shows over 70 minutes more: signing stays closed. Set that clock right, or state a later time, and run this again."
                )
            };
            app.output.data(
                words,
                &json!({ "stated_unix_millis": wall.millis(), "open": open, "sequence": sequence }),
            )
        }
    }
}

async fn release_kill(
    app: &App,
    mut sessions: Vec<SessionId>,
    signing: &SigningArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    sessions.sort_unstable();
    sessions.dedup();
    let restored = counted(u64::try_from(sessions.len()).unwrap_or(u64::MAX), "session");
    let facts = StatementFacts::ReleaseKill {
        epoch: signer.status.kill_epoch,
        sessions: sessions.clone(),
    };
    let signed = signing.sign(&app.output, &signer, &facts).await?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .submit_with_password(&ticket, signed.statement, &signed.signatures)
        .await
        .map_err(failed("not released"))?;
    let words = format!(
        "Released, {restored} restored. Everything is paused still. Next: waiaas release pause --owner-key FILE"
    );
    let data =
        json!({ "kill": "RECOVERING", "sessions": sessions, "sequence": submitted.sequence });
    app.output.data(words, &data)
}

/// Months ahead it takes the password too, and the signer says so. Second: whether the signer's own clock
/// agrees, so that signing is open.
async fn state_time(
    app: &App,
    signing: &SigningArgs,
    wall: WallTime,
    password: PasswordArgs,
) -> Result<(u64, bool), Failure> {
    let signer = Signer::connect(app).await?;
    let facts = StatementFacts::StateTime { wall };
    let signed = signing.sign(&app.output, &signer, &facts).await?;
    let (statement, signatures) = (signed.statement, &signed.signatures);
    let alone = signer.client.submit_statement(statement, signatures).await;
    let submitted = match alone {
        Err(ClientError::Denied(denial)) if asks_for_password(&denial) => {
            let password = password.read(&app.output)?;
            let ticket = signer.put(&password).await?;
            drop(password);
            let client = &signer.client;
            client
                .submit_with_password(&ticket, statement, signatures)
                .await
        }
        alone => alone,
    };
    let sequence = submitted.map_err(failed("not released"))?.sequence;
    let status = signer.client.status().await;
    let status = status.map_err(failed("the time is stated; no status"))?;
    Ok((sequence, !status.clock_closed))
}

fn asks_for_password(denial: &Denial) -> bool {
    let mut violations = denial.violations().iter();
    violations.any(|violation| violation.code == Code::AdminOnly)
}

async fn submit(app: &App, signing: &SigningArgs, facts: &StatementFacts) -> Result<u64, Failure> {
    let signer = Signer::connect(app).await?;
    let signed = signing.sign(&app.output, &signer, facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await;
    Ok(submitted.map_err(failed("not released"))?.sequence)
}

/// This machine's clock.
pub(crate) fn now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
