//! `waiaas retire`: ends the signer and its log for good, and prints the log's final head.

use serde_json::json;
use waiaas_shared::statement::StatementFacts;

use crate::app::App;
use crate::failure::Failure;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::SigningArgs;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    signing: SigningArgs,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let facts = StatementFacts::Retire;
    let signed = args.signing.sign(&app.output, &signer, &facts).await?;
    let password = args.password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .submit_with_password(&ticket, signed.statement, &signed.signatures)
        .await
        .map_err(failed("not retired"))?;
    // The head over the last event: whoever keeps it can tell that the log ended here.
    let status = signer.client.status().await.map_err(failed("no status"))?;
    signer.witness(app, &status.head).await?;
    let words = format!(
        "Retired: nothing is signed any more, and the log ends with event {}. Its final head:\n{}",
        submitted.sequence,
        status.head.trim_end()
    );
    let data = json!({ "sequence": submitted.sequence, "head": status.head });
    app.output.data(words, &data)
}
