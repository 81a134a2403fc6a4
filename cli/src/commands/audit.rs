//! `waiaas audit`: the log is verified from its first event with the pinned key, exported, and shown.

mod heartbeat;
mod show;

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::Head;

use crate::app::App;
use crate::continuity;
use crate::duration::counted;
use crate::failure::{Exit, Failure};
use crate::home::{cannot, create_new};
use crate::log_file::{self, Line};
use crate::log_reader::{Heads, follow};
use crate::signer::{Signer, failed, reach};
use crate::witness::Pin;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Verify the whole log: every hash, every signed head, and that it goes on from what was seen
    Verify {
        /// An exported file instead of the running signer
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
        /// Also let the signer fold its whole log once more and compare state and snapshots with it
        #[arg(long, conflicts_with = "from_file")]
        state: bool,
    },
    /// Write the whole log to a new file: one JSON object a line, events and signed heads
    Export {
        /// The new file
        file: PathBuf,
    },
    /// Show events in words, the newest last
    Show(show::Args),
    /// Show what the signer says of itself and of what waits, over the pinned key's signature
    Heartbeat(heartbeat::Args),
    /// Pin the log key, where `init` did not: from the keystore of this home, or as given
    Pin {
        /// The key in base58, brought over from where `init` ran
        #[arg(long, value_name = "KEY")]
        log_key: Option<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Verify {
            from_file: None,
            state,
        } => {
            let signer = Signer::connect(app).await?;
            let head = follow(&app.home, &signer, Heads::Every, |_| Ok(())).await?;
            let snapshots = match state {
                true => Some(verify_state(&signer).await?),
                false => None,
            };
            verified(app, &head, snapshots)
        }
        Command::Verify {
            from_file: Some(path),
            state: _,
        } => verified(app, &log_file::verify(app, &path)?, None),
        Command::Export { file } => export(app, &file).await,
        Command::Show(args) => show::run(app, args).await,
        Command::Heartbeat(args) => heartbeat::run(app, args).await,
        Command::Pin { log_key } => pin(app, log_key).await,
    }
}

/// The signer's own fold of its whole log: its state is that fold, and so was every snapshot that an event
/// names. How many those are.
async fn verify_state(signer: &Signer) -> Result<u32, Failure> {
    let audited = signer.client.audit().await;
    let audited = audited.map_err(failed("the signer did not fold its log"))?;
    match audited.problems.as_slice() {
        [] => Ok(audited.snapshots),
        problems => Err(
            Failure::new(Exit::Failure, "the signer's state is NOT what its log says")
                .why(problems.join("; "))
                .next("throw the kill switch, and look for who changed ledger.db"),
        ),
    }
}

fn verified(app: &App, head: &Head, snapshots: Option<u32>) -> Result<(), Failure> {
    let mut words = format!(
        "The log verifies: {} events of {}, last hash {}",
        head.sequence, head.signer, head.hash
    );
    if let Some(snapshots) = snapshots {
        words.push_str(&format!(
            "\nThe signer's state is the fold of it, and so was each of {}",
            counted(snapshots.into(), "snapshot")
        ));
    }
    let data = json!({
        "verified": true, "signer": head.signer, "sequence": head.sequence, "hash": head.hash,
        "state": snapshots.is_some(), "snapshots": snapshots,
    });
    app.output.data(words, &data)
}

async fn export(app: &App, path: &Path) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let failed = |error: std::io::Error| cannot("written", path, &error);
    let mut file = BufWriter::new(create_new(path)?);
    let name = serde_json::to_string(&Line::name(&Pin::require(&app.home)?))
        .map_err(|error| Failure::internal("no line").why(error))?;
    writeln!(file, "{name}").map_err(failed)?;
    let head = follow(&app.home, &signer, Heads::Every, |part| {
        let line = serde_json::to_string(&Line::of(part))
            .map_err(|error| Failure::internal("no line").why(error))?;
        writeln!(file, "{line}").map_err(failed)
    })
    .await?;
    file.flush()
        .and_then(|()| file.get_ref().sync_all())
        .map_err(failed)?;
    let words = format!(
        "{} events of {}, verified, in {}",
        head.sequence,
        head.signer,
        path.display()
    );
    app.output.data(
        words,
        &json!({ "file": path, "sequence": head.sequence, "hash": head.hash }),
    )
}

async fn pin(app: &App, given: Option<String>) -> Result<(), Failure> {
    let client = reach(app).await?;
    let status = client.status().await.map_err(failed("no status"))?;
    let Some(signer) = status.signer else {
        return Err(Failure::new(Exit::Failure, "this signer is new").next("waiaas init"));
    };
    if let Some(pinned) = Pin::read(&app.home)?
        && pinned.signer != signer
    {
        return Err(Failure::new(Exit::Failure, "another signer is pinned here")
            .why(format!("{} is pinned, {signer} answers", pinned.signer))
            .next(format!(
                "if that is what you want, remove {} first",
                app.home.log_key().display()
            )));
    }
    let pin = match given {
        Some(text) => {
            let key = AgentKey::from_base58(text.trim())
                .map_err(|_| Failure::usage("the log key is 32 bytes in base58"))?;
            Pin {
                signer,
                log_key: *key.as_bytes(),
            }
        }
        None => Pin::of_keystore(&app.home.signer_state().join("keystore")).map_err(|failure| {
            failure.next("bring the key over from where `init` ran: waiaas audit pin --log-key KEY")
        })?,
    };
    if pin.signer != signer {
        return Err(Failure::new(
            Exit::Failure,
            "the keystore of this home is of another signer",
        ));
    }
    pin.verify(&status.head)?;
    app.home.create()?;
    pin.write(&app.home)?;
    let head = continuity::witness(app, &client, &pin, &status.head).await?;
    let words = format!(
        "Pinned {} with log key {}, at event {}",
        pin.signer,
        pin.key_text(),
        head.sequence
    );
    app.output.data(
        words,
        &json!({ "signer": pin.signer, "log_key": pin.key_text(), "sequence": head.sequence }),
    )
}
