//! `waiaas credit`: owners give back what a payment was charged that never took place.

use serde_json::json;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::event::{Charge, EventBody};
use waiaas_shared::statement::StatementFacts;

use crate::app::App;
use crate::failure::Failure;
use crate::signer::{Signer, failed};
use crate::statement::SigningArgs;

/// Which payment, and how much of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The number of the payment's event, as `waiaas audit show` lists it
    sequence: u64,
    /// Give back this much only, in base units (repeat for each asset); without it: all it was charged
    #[arg(long, value_name = "CAIP19=BASE", value_parser = charge)]
    amount: Vec<Charge>,
    #[command(flatten)]
    signing: SigningArgs,
}

fn charge(text: &str) -> Result<Charge, String> {
    let wrong = || "CAIP19=BASE, as in eip155:1/slip44:60=21000".to_owned();
    let (asset, amount) = text.rsplit_once('=').ok_or_else(wrong)?;
    let asset: AssetId = asset.parse().map_err(|_| wrong())?;
    let amount: Amount = amount.parse().map_err(|_| wrong())?;
    Ok(Charge { asset, amount })
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let EventBody::SpendCommitted(spend) = signer.event(args.sequence).await? else {
        return Err(
            Failure::usage(format!("event {} is no agent's payment", args.sequence))
                .next("waiaas audit show"),
        );
    };
    let mut amounts = args.amount;
    if amounts.is_empty() {
        amounts.clone_from(&spend.charges);
    }
    amounts.sort_by_key(|given| given.asset);
    let facts = StatementFacts::Credit {
        sequence: args.sequence,
        transaction: spend.transaction,
        wallet: spend.wallet,
        amounts,
    };
    let signed = args.signing.sign(&app.output, &signer, &facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await
        .map_err(failed("not credited"))?;
    let words = format!("{} is credited: it counts no more.", spend.transaction);
    let data = json!({ "transaction": spend.transaction, "sequence": submitted.sequence });
    app.output.data(words, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_name_their_asset() {
        let given = charge("eip155:1/slip44:60=21000").unwrap();
        assert_eq!(given.amount, Amount::from_base_units(21_000));
        assert_eq!(given.asset.to_string(), "eip155:1/slip44:60");
        for wrong in [
            "",
            "21000",
            "eip155:1/slip44:60",
            "eip155:1/slip44:60=0.5",
            "eip155:1/slip44:60=-1",
        ] {
            assert!(charge(wrong).is_err(), "{wrong}");
        }
    }
}
