//! `waiaas kill`: keys wiped, sessions revoked, everywhere and durably. Works on a locked signer and
//! whatever its log looks like; only an owner's signature and the password undo it.

use serde_json::json;

use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::prompt::confirm;
use crate::signer::{failed, reach};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let client = reach(app).await?;
    let question = "Throw the kill switch? Keys are wiped and every session is revoked, until an owner releases it.";
    if !args.yes && !confirm(&app.output, question)? {
        return Err(Failure::new(
            Exit::Failure,
            "not thrown: nothing was changed",
        ));
    }
    let sequence = client
        .kill()
        .await
        .map_err(failed("the kill switch was NOT thrown"))?;
    let words = "The kill switch is thrown. To come back: waiaas unlock, then waiaas release kill --owner-key FILE";
    app.output
        .data(words, &json!({ "kill": "ACTIVATED", "sequence": sequence }))
}
