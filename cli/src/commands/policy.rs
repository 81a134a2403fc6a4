//! `waiaas policy`: check a file, compare it, judge past traffic by it, adopt it with an owner's
//! signature, show what binds; `assets` prints entries to begin with.

mod assets;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waiaas_shared::event::EventBody;
use waiaas_shared::policy::diff::{Change, diff};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::toml_form;
use waiaas_shared::policy::words::{changes, words};
use waiaas_shared::statement::StatementFacts;

use super::replay;
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::home::cannot;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::SigningArgs;

/// A document's canonical bytes are limited; its TOML form needs a few times as much.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Read a policy file and say in words what it allows; needs no signer
    Check {
        /// The policy in TOML
        file: PathBuf,
    },
    /// Say in words what gets looser and what tighter from one policy to another; needs no signer
    Diff {
        /// The policy before, in TOML
        before: PathBuf,
        /// The policy after, in TOML
        after: PathBuf,
    },
    /// Judge past traffic by a policy file: what would have been decided differently
    Replay {
        /// The policy in TOML
        file: PathBuf,
        /// An exported log instead of the running signer's
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
        /// List at most so many payments, the newest
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Adopt a policy file: an owner signs the signer's text, and the password goes with it
    Adopt {
        /// The policy in TOML
        file: PathBuf,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Print entries of common assets to paste into a policy file; needs no signer
    Assets(assets::Args),
    /// Show every binding policy
    Show {
        /// As TOML, ready to be edited
        #[arg(long)]
        toml: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Check { file } => {
            let document = read(&file)?;
            app.output.data(words(&document), &machine(&document))
        }
        Command::Diff { before, after } => {
            let (before, after) = (read(&before)?, read(&after)?);
            let diff = diff(&before, &after);
            let listed = |changes: &[Change]| -> Vec<Value> {
                changes.iter().map(|change| json!(change.words)).collect()
            };
            let data = json!({
                "loosenings": listed(&diff.loosenings),
                "tightenings": listed(&diff.tightenings),
            });
            app.output.data(changes(&before, &after), &data)
        }
        Command::Replay { file, log, limit } => {
            replay::run(app, read(&file)?, log.as_deref(), limit).await
        }
        Command::Adopt {
            file,
            signing,
            password,
        } => adopt(app, &file, &signing, password).await,
        Command::Assets(args) => assets::run(app, &args),
        Command::Show { toml } => show(app, toml).await,
    }
}

async fn adopt(
    app: &App,
    file: &Path,
    signing: &SigningArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let document = read(file)?;
    let signer = Signer::connect(app).await?;
    let next = signer.status.policy_epoch.saturating_add(1);
    if document.epoch != next {
        return Err(Failure::new(
            Exit::Configuration,
            format!("{} cannot be adopted now", file.display()),
        )
        .why(format!(
            "epoch is {}, the next one is {next}",
            document.epoch
        ))
        .next(format!(
            "set `epoch = {next}` in the file, if it builds on the policy that binds now"
        )));
    }
    app.output.say(words(&document));
    let facts = StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    // The signing compares the text's digest of the document with the one computed here.
    let signed = signing.sign(&app.output, &signer, &facts).await?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .submit_with_password(&ticket, signed.statement, &signed.signatures)
        .await
        .map_err(failed("not adopted"))?;
    let matures = match signer.event(submitted.sequence).await? {
        EventBody::PolicyAdopted { matures, .. } => matures,
        _ => {
            return Err(Failure::internal(
                "adopted, and the log tells another event",
            ));
        }
    };
    let binding = signer.policies().await?.len();
    let mut said = format!("Policy epoch {} is adopted and binds.", document.epoch);
    if binding > 1 {
        said.push_str(&format!(
            " {} earlier ones bind too until it matures: what it loosens waits, what it tightens holds now.",
            binding - 1
        ));
    }
    let data = json!({
        "epoch": document.epoch,
        "digest": document.digest(),
        "sequence": submitted.sequence,
        "matures_run_millis": matures.millis(),
        "binding": binding,
    });
    app.output.data(said, &data)
}

async fn show(app: &App, toml: bool) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let documents = signer.policies().await?;
    if documents.is_empty() {
        let said =
            "No policy: every payment is refused. Next: waiaas policy adopt FILE --owner-key FILE";
        return app.output.data(said, &json!({ "policies": [] }));
    }
    let parts: Vec<_> = documents
        .iter()
        .map(|document| {
            if toml {
                toml_form::write(document)
            } else {
                words(document)
            }
        })
        .collect();
    let mut said = parts.join("\n");
    if documents.len() > 1 && !toml {
        said = format!(
            "{} policies bind; a payment must pass every one.\n\n{said}",
            documents.len()
        );
    }
    app.output.data(
        said,
        &json!({ "policies": documents.iter().map(machine).collect::<Vec<_>>() }),
    )
}

/// Reads a policy file; what is wrong is named with the file.
fn read(path: &Path) -> Result<PolicyDocument, Failure> {
    let facts = std::fs::metadata(path).map_err(|error| cannot("read", path, &error))?;
    if facts.len() > FILE_LIMIT_BYTES {
        return Err(Failure::new(
            Exit::Configuration,
            format!("{} is too large for a policy", path.display()),
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<PolicyDocument, Failure> {
    toml_form::parse(text).map_err(|error| {
        let wrong = Failure::new(
            Exit::Configuration,
            format!("{} is not a policy", path.display()),
        );
        wrong
            .why(error.to_string().trim_end())
            .next("docs/policy.md names every key")
    })
}

/// The document as it is written, and its digest.
fn machine(document: &PolicyDocument) -> Value {
    let written = toml::from_str::<Value>(&toml_form::write(document));
    json!({
        "version": document.version,
        "epoch": document.epoch,
        "digest": document.digest(),
        "document": written.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../docs/examples/policy.toml");

    fn why(text: &str) -> String {
        let failure = parse(Path::new("policy.toml"), text).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        failure.human()
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(parse(Path::new("policy.toml"), EXAMPLE).is_ok());
        for (from, to, named) in [
            (
                "notify-up-to = \"0.5\"",
                "notify-up-too = \"0.5\"",
                "notify-up-too",
            ),
            ("hour = \"1\"\n", "", "hour"),
            ("hour = \"1\"\n", "hour = 1\n", "hour"),
            (
                "hour = \"1\"\n",
                "hour = \"1.0000000001\"\n",
                "solana:localnet/slip44:501: hour",
            ),
            (
                "hour = \"1\"\n",
                "hour = \"3\"\n",
                "[[asset]] solana:localnet/slip44:501: limits must rise",
            ),
            (
                "outstanding = \"0.5\"\n",
                "",
                "[[asset]] eip155:31337/slip44:60: fee-ceiling belongs",
            ),
            ("0x5aAeb", "0x5aaeb", "checksum"),
            (
                "name = \"hosting\"\naccount = \"eip",
                "name = \"Hosting\"\naccount = \"eip",
                "[[recipient]] eip155:31337:",
            ),
            ("epoch = 1", "epoch = 0", "epoch"),
            ("version = 1", "version = 2", "version"),
        ] {
            let text = EXAMPLE.replacen(from, to, 1);
            assert_ne!(text, EXAMPLE, "{from}");
            let human = why(&text);
            assert!(human.contains(named), "{from} -> {to}: {human}");
            assert!(human.contains("policy.toml"), "{human}");
        }
        assert!(
            why("[[asset]]\n[[asset").contains("TOML"),
            "{}",
            why("[[asset]]\n[[asset")
        );
    }
}
