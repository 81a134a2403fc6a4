//! `waiaas pause`: nothing is signed, for one wallet or for all; keys and sessions stay.

use serde_json::json;
use waiaas_shared::ids::WalletId;

use crate::app::App;
use crate::failure::Failure;
use crate::signer::{failed, reach};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// This wallet only; without it: everything
    #[arg(long, value_name = "WALLET")]
    wallet: Option<WalletId>,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let sequence = reach(app)
        .await?
        .pause(args.wallet)
        .await
        .map_err(failed("NOT paused"))?;
    let words = match args.wallet {
        None => "Everything is paused. To resume: waiaas release pause --owner-key FILE".to_owned(),
        Some(wallet) => format!(
            "{wallet} is paused. To resume: waiaas release pause --wallet {wallet} --owner-key FILE"
        ),
    };
    app.output.data(
        words,
        &json!({ "paused": true, "wallet": args.wallet, "sequence": sequence }),
    )
}
