//! `waiaas owner`: trial keys, enrolment with its rehearsal signature, and who the owners are.

use std::path::PathBuf;

use serde_json::json;
use waiaas_shared::address::Account;
use waiaas_shared::caip::AccountId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;

use crate::app::App;
use crate::failure::Failure;
use crate::owner_key::KeyFile;
use crate::prompt::PasswordArgs;
use crate::signer::{Signer, failed};
use crate::statement::{Pen, draft, envelope};
use crate::table::Table;

/// What is done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an Ed25519 key file for trials (for real value, use a wallet's key)
    Keygen {
        /// Where to; without it: owner/owner.json in the home
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a key an owner's: it signs a rehearsal, and the password goes with it
    Enrol(EnrolArgs),
    /// Show the owners and where withdrawals may go
    List,
}

/// Which key, and how it signs.
#[derive(Debug, clap::Args)]
pub(crate) struct EnrolArgs {
    /// The key's file
    #[arg(long, value_name = "FILE", required_unless_present = "address", conflicts_with_all = ["address", "envelope", "text_out"])]
    key_file: Option<PathBuf>,
    /// The key's address, of a wallet that signs elsewhere (Solana or EVM); the signature is read from stdin
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Account>,
    /// How that wallet wraps the text: ed25519-plain, ed25519-offchain-v0, ed25519-offchain-v1, eip191
    #[arg(long, value_name = "NAME", value_parser = envelope)]
    envelope: Option<Envelope>,
    /// Write the exact text to this new file, for a wallet that signs elsewhere
    #[arg(long, value_name = "FILE")]
    text_out: Option<PathBuf>,
    /// An address that withdrawals may go to (repeat; only with the first owner)
    #[arg(long = "withdraw-to", value_name = "CAIP10")]
    withdraw_to: Vec<AccountId>,
    /// Sign without being asked; the text is still shown on stderr
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Runs the command.
pub(crate) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Keygen { out } => keygen(app, out),
        Command::Enrol(args) => enrol(app, args).await,
        Command::List => list(app).await,
    }
}

fn keygen(app: &App, out: Option<PathBuf>) -> Result<(), Failure> {
    let path = match out {
        Some(path) => path,
        None => {
            app.home.create()?;
            app.home.owners().join("owner.json")
        }
    };
    let key = KeyFile::generate()?;
    key.write(&path)?;
    let words = format!("{}\n{}", key.owner(), path.display());
    app.output.data(
        words,
        &json!({ "key": key.owner().to_string(), "file": path }),
    )
}

async fn enrol(app: &App, args: EnrolArgs) -> Result<(), Failure> {
    let pen = match (args.key_file, args.address) {
        (Some(path), _) => Pen::of_file(KeyFile::read(&path)?),
        (None, Some(address)) => {
            let (key, usual) = match address {
                Account::Solana(address) => (OwnerKey::Ed25519(address), Envelope::Ed25519Plain),
                Account::Evm(address) => (OwnerKey::Secp256k1(address), Envelope::Eip191),
            };
            Pen {
                key,
                envelope: args.envelope.unwrap_or(usual),
                file: None,
                text_out: args.text_out,
            }
        }
        (None, None) => return Err(Failure::usage("give --key-file or --address")),
    };
    let signer = Signer::connect(app).await?;
    let facts = StatementFacts::EnrolOwner {
        key: pen.key,
        withdrawals: args.withdraw_to,
    };
    let (statement, text) = draft(&signer, &facts).await?;
    let signature = pen.sign(&app.output, &text, args.yes)?;
    let password = args.password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let owner = signer
        .client
        .enrol_owner(&ticket, statement, pen.envelope, &signature)
        .await
        .map_err(failed("not enrolled"))?;
    let words = format!("{owner} is an owner, with key {}", pen.key);
    app.output.data(
        words,
        &json!({ "owner": owner, "key": pen.key.to_string(), "envelope": pen.envelope.as_str() }),
    )
}

async fn list(app: &App) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let owners = signer
        .client
        .owners()
        .await
        .map_err(failed("no list of owners"))?;
    let mut table = Table::new(&["OWNER", "KEY", "SIGNS"]);
    for view in &owners {
        table.row([
            view.owner.to_string(),
            view.key.to_string(),
            view.envelope.as_str().to_owned(),
        ]);
    }
    let mut words = if table.is_empty() {
        "No owner yet. Next: waiaas owner enrol --key-file FILE\n".to_owned()
    } else {
        table.to_string()
    };
    // The list is the same for every owner.
    let withdrawals = owners
        .first()
        .map(|view| view.withdrawals.clone())
        .unwrap_or_default();
    for account in &withdrawals {
        words.push_str(&format!("withdrawals may go to {account}\n"));
    }
    let data = json!({
        "owners": owners.iter().map(|view| json!({
            "owner": view.owner,
            "key": view.key.to_string(),
            "envelope": view.envelope.as_str(),
        })).collect::<Vec<_>>(),
        "withdraw_to": withdrawals,
    });
    app.output.data(words, &data)
}
