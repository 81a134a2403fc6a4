//! `waiaas tx sign`: a transaction that was made elsewhere, signed with a wallet as far as policy allows what it
//! does. What it does and what the signature is for, the signer derives; nothing here says so.

use serde_json::{Value, json};
use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::{SignerId, WalletId};
use waiaas_shared::network;

use super::{COMMITMENTS, Sending, send_body};
use crate::app::App;
use crate::failure::Failure;
use crate::rest::AgentArgs;

/// A transaction that is brought.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    /// Solana: the whole transaction in base64, with a place for each signature. EVM: 0x and the unsigned transaction,
    /// with the wallet's next nonce
    transaction: String,
    /// With which wallet
    #[arg(long, value_name = "WALLET")]
    wallet: WalletId,
    /// On which network
    #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
    network: ChainId,
    /// To whom a token account in it belongs, where that is no contact of the policy; again for each. Solana only
    #[arg(long = "recipient", value_name = "ADDRESS")]
    recipients: Vec<Account>,
    /// Send it too. Without this it comes back signed
    #[arg(long)]
    submit: bool,
    /// Why, for the owner to read
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait until it is on the chain, at most so many seconds (60)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "submit", value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: u64,
    /// Until its transaction stands that deep instead: confirmed or finalized on Solana; latest, safe or finalized on
    /// an EVM chain
    #[arg(long, value_name = "COMMITMENT", requires = "submit", value_parser = COMMITMENTS)]
    commitment: Option<String>,
    /// Ask what would be decided, and have nothing signed
    #[arg(long, conflicts_with_all = ["wait", "commitment", "idempotency_key"])]
    dry_run: bool,
    /// Your name for this: the same one and the same request are never charged twice; without it a random one
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The signer that is meant; without it: the one pinned in this home, else what the gateway tells
    #[arg(long, value_name = "SIGNER")]
    signer: Option<SignerId>,
    #[command(flatten)]
    agent: AgentArgs,
}

/// Runs the command.
pub(super) async fn sign(app: &App, args: SignArgs) -> Result<(), Failure> {
    let sending = Sending {
        path: "/v1/transactions/sign",
        signer: args.signer,
        idempotency_key: args.idempotency_key.clone(),
        wait: args.wait,
        commitment: args.commitment.clone(),
        dry_run: args.dry_run,
    };
    let agent = args.agent.agent(&app.config.gateway_url)?;
    send_body(app, agent, sending, |signer| body(&args, signer)).await
}

fn body(args: &SignArgs, signer: SignerId) -> Value {
    let mut body = json!({
        "signer": signer.to_string(),
        "wallet": args.wallet.to_string(),
        "network": args.network.to_string(),
        "transaction": args.transaction,
        "submit": args.submit,
    });
    let recipients: Vec<String> = args.recipients.iter().map(ToString::to_string).collect();
    if let Some(fields) = body.as_object_mut() {
        if !recipients.is_empty() {
            fields.insert("recipients".to_owned(), json!(recipients));
        }
        if let Some(reason) = &args.reason {
            fields.insert("reason".to_owned(), json!(reason));
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use waiaas_shared::request::TransferRequest;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SignArgs,
    }

    /// A transfer of 1,000 lamports from the account [7; 32] to [9; 32], without a signature.
    fn transaction() -> String {
        use base64::Engine as _;
        let message = [
            &[1, 0, 1, 3][..],
            &[7; 32],
            &[9; 32],
            &[0; 32],
            &[5; 32],
            &[1, 2, 2, 0, 1, 12, 2, 0, 0, 0],
            &1000_u64.to_le_bytes(),
        ]
        .concat();
        let wire = [&[1][..], &[0; 64], &message].concat();
        base64::engine::general_purpose::STANDARD.encode(wire)
    }

    #[test]
    fn the_body_is_one_that_is_read() {
        let signer = SignerId::from_bytes([1; 16]);
        let wallet = WalletId::from_bytes([2; 16]).to_string();
        let session = waiaas_shared::ids::SessionId::from_bytes([3; 16]).to_string();
        let text = transaction();
        let owner = Account::Solana(waiaas_shared::address::SolanaAddress::from_bytes([9; 32]));
        let owner = owner.to_string();
        let line = [
            "sign",
            &text,
            "--wallet",
            &wallet,
            "--network",
            "solana:localnet",
            "--agent-key",
            "agent.key",
            "--session",
            &session,
        ];
        let least = Line::parse_from(line).args;
        let read = TransferRequest::parse(body(&least, signer).to_string().as_bytes()).unwrap();
        assert!(!read.submit && read.items.is_empty());
        assert_eq!(read.brought.unwrap().recipients, []);

        let more = ["--recipient", &owner, "--reason", "a seller's", "--submit"];
        let most = Line::parse_from(line.into_iter().chain(more)).args;
        let read = TransferRequest::parse(body(&most, signer).to_string().as_bytes()).unwrap();
        assert!(read.submit);
        assert_eq!(read.reason.as_deref(), Some("a seller's"));
        let brought = read.brought.unwrap();
        assert_eq!(brought.recipients.len(), 1);
        assert_eq!(brought.unsigned.len(), 150);
    }
}
