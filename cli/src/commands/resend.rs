//! `waiaas resend`: the signed bytes of a withdrawal once more, after a lost answer. Nothing is charged or
//! signed anew, and it works wherever a withdrawal does.

use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::network;

use super::withdraw::deliver;
use crate::app::App;
use crate::chain_node::Node;
use crate::failure::Failure;
use crate::signer::{Signer, failed};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which, as the log names it
    #[arg(value_name = "TRANSACTION")]
    transaction: TransactionId,
    /// On which network it is
    #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
    network: ChainId,
    /// Send it through this node as well
    #[arg(long, value_name = "URL")]
    rpc: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let node = match &args.rpc {
        Some(url) => Some(Node::connect(url, args.network).await?),
        None => None,
    };
    let given = signer.client.signed_transaction(args.transaction).await;
    let given = given.map_err(failed("no bytes"))?;
    deliver(app, &given, args.network, node.as_ref()).await
}
