//! `waiaas unlock`: the password opens the keystore, unless the log is not the one seen before.

use serde_json::json;

use crate::app::App;
use crate::duration::counted;
use crate::failure::Failure;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};

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
    let signer = Signer::connect(app).await?;
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
    let unlocked = signer.client.unlock(&ticket, args.vouch_time_off).await;
    unlocked.map_err(failed("not unlocked"))?;
    let after = signer
        .client
        .status()
        .await
        .map_err(failed("unlocked; no status"))?;
    let head = signer.pin.witness(&app.home, &after.head)?;
    let mut words = "Unlocked.".to_owned();
    if after.kill == "ACTIVATED" {
        words.push_str(" The kill switch is thrown: nothing is signed. Next: waiaas release kill --owner-key FILE");
    } else if after.frozen {
        words.push_str(
            " Everything is paused: nothing is signed. Next: waiaas release pause --owner-key FILE",
        );
    }
    let data = json!({
        "unlocked": true, "changed": true, "kill": after.kill, "frozen": after.frozen, "sequence": head.sequence,
    });
    app.output.data(words, &data)
}
