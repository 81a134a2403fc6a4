//! Changes of who may sign for the owner, for `waiaas owner` and `waiaas guardian`: the new key's
//! rehearsal, owners' signatures, the password, and how a change that waits is shown.

use std::path::PathBuf;

use serde_json::{Value, json};
use waiaas_shared::address::Account;
use waiaas_shared::ids::OwnerId;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::PendingChange;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::RunTime;
use waiaas_shared::view::OwnerView;

use crate::app::App;
use crate::duration;
use crate::failure::Failure;
use crate::owner_key::KeyFile;
use crate::pen::Pen;
use crate::prompt::{PasswordArgs, PhraseArgs};
use crate::signer::{Signer, failed};
use crate::statement::{Signatory, SigningArgs, draft, envelope};

/// How long every change waits.
pub(crate) const WAITS: &str = "after 72 hours of the signer's running time";

/// A key that is to be registered.
#[derive(Debug, clap::Args)]
pub(crate) struct NewKeyArgs {
    /// The new key's file
    #[arg(long, value_name = "FILE", required_unless_present = "address", conflicts_with_all = ["address", "key_envelope"])]
    key_file: Option<PathBuf>,
    /// The new key's address, of a wallet that signs elsewhere (Solana or EVM)
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Account>,
    /// How that wallet wraps the text: ed25519-plain, ed25519-offchain-v0, ed25519-offchain-v1, eip191
    #[arg(long, value_name = "NAME", value_parser = envelope)]
    key_envelope: Option<Envelope>,
}

impl NewKeyArgs {
    pub(crate) fn pen(self) -> Result<Pen, Failure> {
        let address = match (self.key_file, self.address) {
            (Some(path), _) => return Ok(Pen::of_file(KeyFile::read(&path)?)),
            (None, Some(address)) => address,
            (None, None) => return Err(Failure::usage("give --key-file or --address")),
        };
        let (key, usual) = match address {
            Account::Solana(address) => (OwnerKey::Ed25519(address), Envelope::Ed25519Plain),
            Account::Evm(address) => (OwnerKey::Secp256k1(address), Envelope::Eip191),
        };
        Ok(Pen {
            key,
            envelope: self.key_envelope.unwrap_or(usual),
            file: None,
            text_out: None,
        })
    }
}

/// Registers a new key: `facts` names the kind. The answer names the identifier.
pub(crate) async fn register(
    app: &App,
    new: NewKeyArgs,
    facts: impl FnOnce(OwnerKey) -> StatementFacts,
    signing: &SigningArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let pen = new.pen()?;
    let signer = Signer::connect(app).await?;
    let signed = signing.sign(&app.output, &signer, &facts(pen.key)).await?;
    app.output
        .say("Now the new key itself signs the same text.");
    let signature = pen.sign(&app.output, &signed.text, signing.yes())?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let id = signer
        .client
        .register_key(
            &ticket,
            signed.statement,
            &signed.signatures,
            pen.envelope,
            &signature,
        )
        .await
        .map_err(failed("not registered"))?;
    let words = format!(
        "{id}, key {}, is registered {WAITS}. Until then: waiaas owner cancel {}",
        pen.key, signed.statement
    );
    let data = json!({ "id": id, "key": pen.key.to_string(), "change": signed.statement });
    app.output.data(words, &data)
}

/// Asks for a change that needs no new key.
pub(crate) async fn change(
    app: &App,
    facts: &StatementFacts,
    signing: &SigningArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let signed = signing.sign(&app.output, &signer, facts).await?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .submit_with_password(&ticket, signed.statement, &signed.signatures)
        .await
        .map_err(failed("not changed"))?;
    let words = format!(
        "It takes effect {WAITS}. Until then: waiaas owner cancel {}",
        signed.statement
    );
    let data = json!({ "change": signed.statement, "sequence": submitted.sequence });
    app.output.data(words, &data)
}

/// A statement that takes effect at once, with the password where one is given.
pub(crate) async fn at_once(
    app: &App,
    facts: &StatementFacts,
    signing: &SigningArgs,
    password: Option<PasswordArgs>,
    done: String,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let signed = signing.sign(&app.output, &signer, facts).await?;
    let submitted = match password {
        Some(password) => {
            let password = password.read(&app.output)?;
            let ticket = signer.put(&password).await?;
            drop(password);
            let client = &signer.client;
            client
                .submit_with_password(&ticket, signed.statement, &signed.signatures)
                .await
        }
        None => {
            let client = &signer.client;
            client
                .submit_statement(signed.statement, &signed.signatures)
                .await
        }
    };
    let submitted = submitted.map_err(failed("not done"))?;
    app.output
        .data(done, &json!({ "sequence": submitted.sequence }))
}

/// Suspends a key with the password alone.
pub(crate) async fn suspend_by_password(
    app: &App,
    owner: OwnerId,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .suspend_owner(&ticket, owner)
        .await
        .map_err(failed("not suspended"))?;
    let words = format!("{owner} is suspended.");
    app.output.data(
        words,
        &json!({ "owner": owner, "sequence": submitted.sequence }),
    )
}

/// Begins a recovery: the new key rehearses, guardians may sign beside it, then phrase and password.
pub(crate) async fn recover(
    app: &App,
    new: NewKeyArgs,
    guardians: &SigningArgs,
    phrase: PhraseArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    let pen = new.pen()?;
    let signer = Signer::connect(app).await?;
    let known = guardians_of(&owners(&signer).await?);
    let (statement, text) = draft(&signer, &StatementFacts::RecoverOwners { key: pen.key }).await?;
    let signature = pen.sign(&app.output, &text, guardians.yes())?;
    let witnesses = guardians.sign_text_if_any(&app.output, &text, &known)?;
    let phrase = phrase.read(&app.output)?;
    let phrase_ticket = signer.put(&phrase).await?;
    drop(phrase);
    let password = password.read(&app.output)?;
    let password_ticket = signer.put(&password).await?;
    drop(password);
    let submitted = signer
        .client
        .recover_owners(
            &password_ticket,
            &phrase_ticket,
            statement,
            (pen.envelope, &signature),
            &witnesses,
        )
        .await
        .map_err(failed("the recovery was not begun"))?;
    let words = format!(
        "{} becomes the only owner {WAITS}, unless an owner who is not suspended, or a guardian, cancels.",
        pen.key
    );
    let data = json!({ "change": statement, "sequence": submitted.sequence });
    app.output.data(words, &data)
}

/// Every owner.
pub(crate) async fn owners(signer: &Signer) -> Result<Vec<OwnerView>, Failure> {
    let owners = signer.client.owners().await;
    owners.map_err(failed("no list of owners"))
}

/// Guardians are the same in every owner's view.
pub(crate) fn guardians_of(owners: &[OwnerView]) -> Vec<Signatory> {
    let guardians = owners.first().map(|view| view.guardians.as_slice());
    guardians
        .unwrap_or_default()
        .iter()
        .map(|guardian| Signatory {
            id: guardian.id,
            key: guardian.key,
            envelope: guardian.envelope,
        })
        .collect()
}

/// A change that waits, in words and for programs.
pub(crate) fn waiting(pending: &PendingChange, now: RunTime) -> (String, Value) {
    let left = pending.effective.since(now).millis();
    let words = format!(
        "waits, {} of running time left: {}\n  cancel it: waiaas owner cancel {}\n",
        duration::words(left),
        pending.change,
        pending.statement
    );
    let data = json!({
        "change": pending.statement,
        "what": pending.change.to_string(),
        "left_millis": left,
        "signers": pending.signers,
    });
    (words, data)
}
