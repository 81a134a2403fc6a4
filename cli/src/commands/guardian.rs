//! `waiaas guardian`: keys that may stop and nothing else, and what they say.

use std::path::PathBuf;

use serde_json::json;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::statement::{GuardianStop, StatementFacts};

use crate::app::App;
use crate::commands::owner_change::{NewKeyArgs, change, guardians_of, owners, register};
use crate::failure::Failure;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::{SigningArgs, envelope};

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key a guardian's, after 72 hours: owners sign, the key signs too, and the password
    Add {
        #[command(flatten)]
        new: NewKeyArgs,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove a guardian, after 72 hours: owners sign, and the password
    Remove {
        /// Which
        guardian: OwnerId,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// As a guardian: pause everything
    Pause {
        #[command(flatten)]
        signing: GuardianArgs,
    },
    /// As a guardian: throw the kill switch
    Kill {
        #[command(flatten)]
        signing: GuardianArgs,
    },
    /// As a guardian: cancel a change of owners that waits
    Cancel {
        /// The statement that asked for it, as `waiaas owner list` shows it
        change: StatementId,
        #[command(flatten)]
        signing: GuardianArgs,
    },
}

/// How a guardian signs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GuardianArgs {
    /// Sign with this guardian's key's file: an Ed25519 key file or an Ethereum keystore (version 3)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["guardian_envelope", "text_out", "draft"])]
    guardian_key: Vec<PathBuf>,
    /// Read a keystore's password from this open file descriptor instead of asking; repeat it for each
    /// keystore
    #[arg(long, value_name = "N", requires = "guardian_key")]
    guardian_password_fd: Vec<u32>,
    /// Sign elsewhere, as this guardian; the signature is read from stdin
    #[arg(long, value_name = "GUARDIAN", conflicts_with = "draft")]
    guardian: Vec<OwnerId>,
    /// How the wallet must have wrapped the text: ed25519-plain, ed25519-offchain-v0,
    /// ed25519-offchain-v1, eip191; without it that is found from the signature
    #[arg(long, value_name = "NAME", value_parser = envelope, conflicts_with = "draft")]
    guardian_envelope: Option<Envelope>,
    /// Write the exact text to this new file, for a wallet that signs elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "draft")]
    text_out: Option<PathBuf>,
    /// Print the text and end with 6: it is signed elsewhere and handed in with `waiaas statement submit`
    #[arg(long)]
    draft: bool,
    /// Sign without being asked; the text is still shown on stderr
    #[arg(long)]
    yes: bool,
}

impl From<GuardianArgs> for SigningArgs {
    fn from(args: GuardianArgs) -> Self {
        Self {
            owner_key: args.guardian_key,
            owner_password_fd: args.guardian_password_fd,
            owner: args.guardian,
            envelope: args.guardian_envelope,
            text_out: args.text_out,
            draft: args.draft,
            yes: args.yes,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add {
            new,
            signing,
            password,
        } => {
            let facts = |key| StatementFacts::AddGuardian { key };
            register(app, new, facts, &signing, password).await
        }
        Command::Remove {
            guardian,
            signing,
            password,
        } => {
            let facts = StatementFacts::RemoveGuardian { guardian };
            change(app, &facts, &signing, password).await
        }
        Command::Pause { signing } => stop(app, GuardianStop::PauseAll, signing, "Paused.").await,
        Command::Kill { signing } => stop(app, GuardianStop::Kill, signing, "Killed.").await,
        Command::Cancel { change, signing } => {
            let stopped = GuardianStop::CancelChange { change };
            stop(app, stopped, signing, "Cancelled.").await
        }
    }
}

async fn stop(
    app: &App,
    stop: GuardianStop,
    signing: GuardianArgs,
    done: &str,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let known = guardians_of(&owners(&signer).await?);
    let facts = StatementFacts::GuardianStop { stop };
    let signed = SigningArgs::from(signing)
        .sign_as(&app.output, &signer, &facts, &known)
        .await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await
        .map_err(failed("not stopped"))?;
    app.output
        .data(done, &json!({ "sequence": submitted.sequence }))
}
