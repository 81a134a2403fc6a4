//! `waiaas unlock`: the password opens the keystore. The newest head that this home kept goes with it: a
//! log that does not go through it is unlocked with everything paused.

use serde_json::json;
use waiaas_client::SignerStatus;

use crate::app::App;
use crate::duration::counted;
use crate::failure::{Exit, Failure};
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::witness::Pin;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Vouch that the time since the signer last ran is real: it counts for rolling limits
    #[arg(long)]
    vouch_time_off: bool,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = Signer::connect_unwitnessed(app).await?;
    let kept = signer.pin.kept_note(&app.home)?;
    if signer.status.unlocked {
        return app.output.data(
            "The signer is unlocked already.",
            &json!({ "unlocked": true, "changed": false }),
        );
    }
    if signer.status.unlock_failures > 0 {
        app.output.say(format!(
            "{} since the last unlock.",
            counted(signer.status.unlock_failures.into(), "wrong password")
        ));
    }
    let password = args.password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let unlocked = signer
        .client
        .unlock(&ticket, args.vouch_time_off, kept.as_deref())
        .await;
    unlocked.map_err(failed("not unlocked"))?;
    let after = signer
        .client
        .status()
        .await
        .map_err(failed("unlocked; no status"))?;
    if after.frozen_by.iter().any(|cause| cause == "head_missed") {
        return Err(missed(app, &signer.pin, &after));
    }
    let head = signer.witness(app, &after.head).await?;
    let mut words = "Unlocked.".to_owned();
    if after.kill == "ACTIVATED" {
        words.push_str(" The kill switch is thrown: nothing is signed. Next: waiaas release kill --owner-key FILE");
    } else if after.frozen {
        words.push_str(
            " Everything is paused: nothing is signed. Next: waiaas release pause --owner-key FILE",
        );
    }
    let data = json!({
        "unlocked": true, "changed": true, "kill": after.kill, "frozen": after.frozen,
        "frozen_by": after.frozen_by, "sequence": head.sequence,
    });
    app.output.data(words, &data)
}

/// Unlocked, and paused: the log is older than what this home saw, or another.
fn missed(app: &App, pin: &Pin, status: &SignerStatus) -> Failure {
    let seen = pin.last_seen(&app.home).ok().flatten();
    let seen = seen.map_or_else(
        || "a head that was presented".to_owned(),
        |seen| format!("event {} with hash {}", seen.sequence, seen.hash),
    );
    Failure::new(
        Exit::Failure,
        "unlocked, but everything is PAUSED: the signer's log is not the one that was seen before",
    )
    .why(format!(
        "it ends at event {} and does not go through {seen}",
        status.sequence
    ))
    .next(format!(
        "what was seen stays in {0}: keep a copy of it. If you restored a backup on purpose, look through \
         the last payments and remove {0}, then waiaas release pause --owner-key FILE; if not, throw the \
         kill switch",
        app.home.head().display()
    ))
}
