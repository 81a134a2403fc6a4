//! `waiaas wallet`: new wallets, what there is, the attestation of an EVM wallet's next nonce, a new key
//! in place of a wallet's own, and a wallet's end.

use serde_json::{Value, json};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::WalletId;
use waiaas_shared::network;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::view::NonceView;

use crate::app::App;
use crate::failure::Failure;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::SigningArgs;
use crate::table::Table;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a wallet, bound to its networks for ever
    Create {
        /// solana or evm
        #[arg(long, value_name = "FAMILY", value_parser = family)]
        family: Family,
        /// A network that it may pay on (repeat for EVM; a Solana wallet has exactly one)
        #[arg(long = "network", value_name = "NETWORK", required = true, value_parser = network::chain)]
        networks: Vec<ChainId>,
        /// EVM: the first nonce on every one of them; 0 for a key that never sent, as every new one
        #[arg(long, value_name = "N", default_value_t = 0)]
        first_nonce: u64,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Show the wallets
    List,
    /// Close a wallet for good: only withdrawals pay from it afterwards
    Close {
        /// Which wallet
        #[arg(long, value_name = "WALLET")]
        wallet: WalletId,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Move a wallet to a new key: the old address is closed, sessions, rules and what was spent stay
    Rotate {
        /// Which wallet
        #[arg(long, value_name = "WALLET")]
        wallet: WalletId,
        /// EVM: the first nonce of the new address; 0 for a key that never sent, as every new one
        #[arg(long, value_name = "N", default_value_t = 0)]
        first_nonce: u64,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// State an EVM wallet's next nonce: starts its cap on outstanding value afresh
    AttestNonce {
        /// Which wallet
        #[arg(long, value_name = "WALLET")]
        wallet: WalletId,
        /// On which chain
        #[arg(long, value_name = "NETWORK", value_parser = network::chain)]
        network: ChainId,
        /// The next nonce, as the chain tells it; never lower than the signer's own
        #[arg(long, value_name = "N")]
        next: u64,
        /// Of an address that the wallet had before `wallet rotate`
        #[arg(long, value_name = "ADDRESS")]
        from: Option<Account>,
        #[command(flatten)]
        signing: SigningArgs,
    },
}

fn family(text: &str) -> Result<Family, &'static str> {
    match text {
        "solana" => Ok(Family::Solana),
        "evm" => Ok(Family::Evm),
        _ => Err("solana or evm"),
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create {
            family,
            networks,
            first_nonce,
            password,
        } => {
            let signer = Signer::connect(app).await?;
            let password = password.read(&app.output)?;
            let ticket = signer.put(&password).await?;
            drop(password);
            let made = signer
                .client
                .create_wallet(&ticket, family, &networks, first_nonce)
                .await;
            let made = made.map_err(failed("no wallet was made"))?;
            let words = format!("{}\n{}", made.wallet, made.account);
            let data =
                json!({ "wallet": made.wallet, "account": made.account, "networks": networks });
            app.output.data(words, &data)
        }
        Command::List => list(app).await,
        Command::Close { wallet, signing } => {
            let signer = Signer::connect(app).await?;
            let facts = StatementFacts::CloseWallet { wallet };
            let signed = signing.sign(&app.output, &signer, &facts).await?;
            let submitted = signer
                .client
                .submit_statement(signed.statement, &signed.signatures)
                .await;
            let sequence = submitted.map_err(failed("not closed"))?.sequence;
            let words = format!("{wallet} is closed. What it holds: waiaas withdraw");
            let data = json!({ "wallet": wallet, "sequence": sequence });
            app.output.data(words, &data)
        }
        Command::Rotate {
            wallet,
            first_nonce,
            signing,
        } => rotate(app, wallet, first_nonce, signing).await,
        Command::AttestNonce {
            wallet,
            network,
            next,
            from,
            signing,
        } => {
            let signer = Signer::connect(app).await?;
            let facts = StatementFacts::AttestNonce {
                wallet,
                chain: network,
                next,
                from,
            };
            let signed = signing.sign(&app.output, &signer, &facts).await?;
            let submitted = signer
                .client
                .submit_statement(signed.statement, &signed.signatures)
                .await;
            let sequence = submitted.map_err(failed("not attested"))?.sequence;
            let whose = from.map_or_else(|| wallet.to_string(), |from| from.to_string());
            let words = format!("The next nonce of {whose} on {network} is {next}.");
            let data = json!({
                "wallet": wallet,
                "network": network,
                "next": next,
                "from": from,
                "sequence": sequence,
            });
            app.output.data(words, &data)
        }
    }
}

async fn rotate(
    app: &App,
    wallet: WalletId,
    first_nonce: u64,
    signing: SigningArgs,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let facts = StatementFacts::RotateWallet {
        wallet,
        first_nonce,
    };
    let signed = signing.sign(&app.output, &signer, &facts).await?;
    let submitted = signer
        .client
        .submit_statement(signed.statement, &signed.signatures)
        .await;
    let sequence = submitted.map_err(failed("not rotated"))?.sequence;
    let account = match signer.event(sequence).await? {
        EventBody::WalletRotated {
            account, statement, ..
        } if statement == signed.statement => account,
        _ => {
            return Err(
                Failure::internal("rotated, and the log tells another event")
                    .next("waiaas wallet list"),
            );
        }
    };
    let words = format!(
        "{account}\n{wallet} pays from it now. What the old address holds: waiaas withdraw --from"
    );
    let data = json!({ "wallet": wallet, "account": account, "sequence": sequence });
    app.output.data(words, &data)
}

async fn list(app: &App) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let wallets = signer
        .client
        .wallets()
        .await
        .map_err(failed("no list of wallets"))?;
    let mut table = Table::new(&["WALLET", "ADDRESS", "NETWORKS", "STATE", "NEXT NONCES"]);
    for view in &wallets {
        let networks: Vec<_> = view.networks.iter().map(ChainId::to_string).collect();
        let nonces: Vec<_> = view
            .nonces
            .iter()
            .map(|nonce| format!("{}: {}", nonce.chain, nonce.next))
            .collect();
        table.row([
            view.wallet.to_string(),
            view.account.to_string(),
            networks.join(" "),
            match (view.closed, view.paused) {
                (true, _) => "CLOSED",
                (false, true) => "paused",
                (false, false) => "open",
            }
            .to_owned(),
            nonces.join(" "),
        ]);
        for key in &view.former {
            table.row([
                String::new(),
                key.account.to_string(),
                String::new(),
                "old address, CLOSED".to_owned(),
                String::new(),
            ]);
        }
    }
    let words = if table.is_empty() {
        "No wallet yet. Next: waiaas wallet create --family solana --network solana:localnet"
            .to_owned()
    } else {
        table.to_string()
    };
    let data = json!({
        "wallets": wallets.iter().map(|view| json!({
            "wallet": view.wallet,
            "account": view.account,
            "path": view.path.to_string(),
            "networks": view.networks,
            "paused": view.paused,
            "closed": view.closed,
            "former": view.former.iter().map(|key| json!({
                "account": key.account,
                "path": key.path.to_string(),
                "nonces": nonces_json(&key.nonces),
            })).collect::<Vec<_>>(),
            "nonces": nonces_json(&view.nonces),
        })).collect::<Vec<_>>(),
    });
    app.output.data(words, &data)
}

fn nonces_json(nonces: &[NonceView]) -> Vec<Value> {
    let json = |nonce: &NonceView| {
        json!({
            "network": nonce.chain,
            "next": nonce.next,
            "attested": nonce.attested,
            "outstanding_base": nonce.outstanding,
        })
    };
    nonces.iter().map(json).collect()
}
