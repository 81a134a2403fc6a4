//! `waiaas owner`: trial keys, enrolment with its rehearsal signature, changes of owners, and who the
//! owners are.

use std::path::PathBuf;

use serde_json::json;
use waiaas_shared::address::Account;
use waiaas_shared::caip::AccountId;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::owner_change::Standing;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;

use crate::app::App;
use crate::commands::guardian::GuardianArgs;
use crate::commands::owner_change::{self, NewKeyArgs};
use crate::duration::counted;
use crate::failure::Failure;
use crate::owner_key::KeyFile;
use crate::prompt::{PasswordArgs, PhraseArgs};
use crate::signer::{Signer, failed};
use crate::statement::{SigningArgs, draft, envelope};
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
    /// Add an owner, after 72 hours: owners sign, the new key signs too, and the password
    Add {
        #[command(flatten)]
        new: NewKeyArgs,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove an owner, after 72 hours: owners sign, and the password
    Remove {
        /// Who leaves
        leaving: OwnerId,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Set how many owners must sign, after 72 hours: owners sign, and the password
    Quorum {
        /// How many
        quorum: u32,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Enrol an address for withdrawals, after 72 hours: owners sign, and the password
    EnrolWithdrawal {
        /// Which address on which chain
        #[arg(value_name = "CAIP10")]
        account: AccountId,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove an address for withdrawals, after 72 hours: owners sign, and the password
    RemoveWithdrawal {
        /// Which address on which chain
        #[arg(value_name = "CAIP10")]
        account: AccountId,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Suspend an owner's key at once: another owner signs, or the password alone
    Suspend {
        /// Whose key
        suspended: OwnerId,
        /// With the password instead of another owner's signature
        #[arg(long, conflicts_with_all = ["owner_key", "owner_password_fd", "owner", "envelope", "text_out", "draft", "yes"])]
        without_signature: bool,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Let a suspended key sign again: an owner who is not suspended signs, and the password
    Lift {
        /// Whose key
        suspended: OwnerId,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Cancel a change that waits: one owner signs
    Cancel {
        /// The statement that asked for it, as `waiaas owner list` shows it
        change: StatementId,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Say that you are there, so that nothing pauses for want of a word: one owner signs
    Alive {
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Make a new key the only owner, after 72 hours: it signs, and recovery phrase and password
    Recover {
        #[command(flatten)]
        new: NewKeyArgs,
        #[command(flatten)]
        guardians: GuardianArgs,
        #[command(flatten)]
        phrase: PhraseArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Show owners, guardians, changes that wait, and where withdrawals may go
    List,
}

/// Which key, and how it signs.
#[derive(Debug, clap::Args)]
pub(crate) struct EnrolArgs {
    /// The key's file: an Ed25519 key file or an Ethereum keystore (version 3)
    #[arg(long, value_name = "FILE", required_unless_present = "address", conflicts_with_all = ["address", "envelope", "text_out"])]
    key_file: Option<PathBuf>,
    /// Read the keystore's password from this open file descriptor instead of asking
    #[arg(long, value_name = "N", requires = "key_file")]
    key_password_fd: Option<u32>,
    /// The key's address, of a wallet that signs elsewhere (Solana or EVM); the signature is read from stdin
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Account>,
    /// How that wallet must have wrapped the text: ed25519-plain, ed25519-offchain-v0,
    /// ed25519-offchain-v1, eip191; without it that is found from the signature
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
        Command::Add {
            new,
            signing,
            password,
        } => {
            let facts = |key| StatementFacts::AddOwner { key };
            owner_change::register(app, new, facts, &signing, password).await
        }
        Command::Remove {
            leaving: owner,
            signing,
            password,
        } => {
            let facts = StatementFacts::RemoveOwner { owner };
            owner_change::change(app, &facts, &signing, password).await
        }
        Command::Quorum {
            quorum,
            signing,
            password,
        } => {
            let facts = StatementFacts::SetQuorum { quorum };
            owner_change::change(app, &facts, &signing, password).await
        }
        Command::EnrolWithdrawal {
            account,
            signing,
            password,
        } => {
            let facts = StatementFacts::EnrolWithdrawal { account };
            owner_change::change(app, &facts, &signing, password).await
        }
        Command::RemoveWithdrawal {
            account,
            signing,
            password,
        } => {
            let facts = StatementFacts::RemoveWithdrawal { account };
            owner_change::change(app, &facts, &signing, password).await
        }
        Command::Suspend {
            suspended,
            without_signature: true,
            password,
            ..
        } => owner_change::suspend_by_password(app, suspended, password).await,
        Command::Suspend {
            suspended: owner,
            signing,
            ..
        } => {
            let facts = StatementFacts::SuspendOwner { owner };
            let done = format!("{owner} is suspended.");
            owner_change::at_once(app, &facts, &signing, None, done).await
        }
        Command::Alive { signing } => {
            let facts = StatementFacts::SignOfLife;
            let done = "Heard: the time without a word from an owner begins anew.".to_owned();
            owner_change::at_once(app, &facts, &signing, None, done).await
        }
        Command::Lift {
            suspended: owner,
            signing,
            password,
        } => {
            let facts = StatementFacts::LiftSuspension { owner };
            let done = format!("{owner} may sign again.");
            owner_change::at_once(app, &facts, &signing, Some(password), done).await
        }
        Command::Cancel { change, signing } => {
            let facts = StatementFacts::CancelOwnerChange { change };
            let done = format!("{change} is cancelled.");
            owner_change::at_once(app, &facts, &signing, None, done).await
        }
        Command::Recover {
            new,
            guardians,
            phrase,
            password,
        } => owner_change::recover(app, new, &guardians.into(), phrase, password).await,
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
    let pen = owner_change::pen(
        app,
        args.key_file,
        args.key_password_fd,
        args.address,
        args.envelope,
        args.text_out,
    )?;
    let signer = Signer::connect(app).await?;
    let key = pen.key();
    let facts = StatementFacts::EnrolOwner {
        key,
        withdrawals: args.withdraw_to,
    };
    let draft = draft(&signer, &facts).await?;
    let made = pen.sign(&app.output, &draft, args.yes)?;
    let password = args.password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let owner = signer
        .client
        .enrol_owner(&ticket, draft.statement, made.envelope, &made.signature)
        .await
        .map_err(failed("not enrolled"))?;
    let words = format!("{owner} is an owner, with key {key}");
    app.output.data(
        words,
        &json!({ "owner": owner, "key": key.to_string(), "envelope": made.envelope.as_str() }),
    )
}

async fn list(app: &App) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let owners = owner_change::owners(&signer).await?;
    let mut table = Table::new(&["OWNER", "KEY", "SIGNS", "STANDING"]);
    for view in &owners {
        table.row([
            view.owner.to_string(),
            view.key.to_string(),
            view.envelope.as_str().to_owned(),
            standing(view.standing).to_owned(),
        ]);
    }
    let mut words = if table.is_empty() {
        "No owner yet. Next: waiaas owner enrol --key-file FILE\n".to_owned()
    } else {
        table.to_string()
    };
    // The rest is the same for every owner.
    let first = owners.first();
    let withdrawals = first
        .map(|view| view.withdrawals.clone())
        .unwrap_or_default();
    let guardians = owner_change::guardians_of(&owners);
    let waiting: Vec<_> = first.map_or_else(Vec::new, |view| {
        let pending = view.pending.iter();
        pending
            .map(|pending| owner_change::waiting(pending, view.now))
            .collect()
    });
    if let Some(view) = first {
        words.push_str(&format!(
            "{} must sign\n",
            counted(view.quorum.into(), "owner")
        ));
    }
    for guardian in &guardians {
        words.push_str(&format!("guardian {}, key {}\n", guardian.id, guardian.key));
    }
    for account in &withdrawals {
        words.push_str(&format!("withdrawals may go to {account}\n"));
    }
    for (waits, _) in &waiting {
        words.push_str(waits);
    }
    let data = json!({
        "owners": owners.iter().map(|view| json!({
            "owner": view.owner,
            "key": view.key.to_string(),
            "envelope": view.envelope.as_str(),
            "standing": view.standing,
        })).collect::<Vec<_>>(),
        "quorum": first.map(|view| view.quorum),
        "guardians": guardians.iter().map(|guardian| json!({
            "guardian": guardian.id,
            "key": guardian.key.to_string(),
        })).collect::<Vec<_>>(),
        "withdraw_to": withdrawals,
        "waiting": waiting.into_iter().map(|(_, data)| data).collect::<Vec<_>>(),
    });
    app.output.data(words, &data)
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "SUSPENDED",
        Standing::Replaced => "REPLACED by a recovery",
    }
}
