//! `waiaas lock`: keys out of memory. Asks nothing and checks nothing first: stopping always works.

use serde_json::json;

use crate::app::App;
use crate::failure::Failure;
use crate::signer::{failed, reach};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) async fn run(app: &App, _: Args) -> Result<(), Failure> {
    reach(app)
        .await?
        .lock()
        .await
        .map_err(failed("not locked"))?;
    app.output.data(
        "Locked. The keys are wiped from memory.",
        &json!({ "unlocked": false }),
    )
}
