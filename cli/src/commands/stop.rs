//! `waiaas stop`: ends gateway and signer, in this order. Stopping wipes the keys with the process;
//! the log stays.

use serde_json::json;

use crate::app::App;
use crate::daemon::Daemon;
use crate::failure::Failure;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) async fn run(app: &App, _: Args) -> Result<(), Failure> {
    let gateway = Daemon::new(&app.home, "gateway").stop().await?;
    let signer = Daemon::new(&app.home, "signer").stop().await?;
    let say = |name: &str, stopped: bool| {
        let what = if stopped {
            "stopped"
        } else {
            "was not running"
        };
        format!("{name} {what}\n")
    };
    let words = say("gateway", gateway) + &say("signer", signer);
    app.output.data(
        words,
        &json!({ "gateway_stopped": gateway, "signer_stopped": signer }),
    )
}
