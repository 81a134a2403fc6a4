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
use crate::pen::{Elsewhere, Pen, usual_envelope};
use crate::prompt::{PasswordArgs, PhraseArgs};
use crate::signer::{Signer, failed};
use crate::signing_key::SigningKey;
use crate::statement::{Signatory, SigningArgs, draft, envelope};

/// How long every change waits.
pub(crate) const WAITS: &str = "after 72 hours of the signer's running time";

/// A key that is to be registered.
#[derive(Debug, clap::Args)]
pub(crate) struct NewKeyArgs {
    /// The new key's file: an Ed25519 key file or an Ethereum keystore (version 3)
    #[arg(long, value_name = "FILE", required_unless_present = "address", conflicts_with_all = ["address", "key_envelope"])]
    key_file: Option<PathBuf>,
    /// Read that keystore's password from this open file descriptor instead of asking
    #[arg(long, value_name = "N", requires = "key_file")]
    key_password_fd: Option<u32>,
    /// The new key's address, of a wallet that signs elsewhere (Solana or EVM)
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Account>,
    /// How that wallet must have wrapped the text: ed25519-plain, ed25519-offchain-v0,
    /// ed25519-offchain-v1, eip191; without it that is found from the signature
    #[arg(long, value_name = "NAME", value_parser = envelope)]
    key_envelope: Option<Envelope>,
}

impl NewKeyArgs {
    fn pen(self, app: &App) -> Result<Pen, Failure> {
        pen(
            app,
            self.key_file,
            self.key_password_fd,
            self.address,
            self.key_envelope,
            None,
        )
    }
}

/// How a key that is to be registered signs: with its file, or in a wallet elsewhere.
pub(crate) fn pen(
    app: &App,
    file: Option<PathBuf>,
    password_fd: Option<u32>,
    address: Option<Account>,
    envelope: Option<Envelope>,
    text_out: Option<PathBuf>,
) -> Result<Pen, Failure> {
    let key = match (file, address) {
        (Some(path), _) => {
            return SigningKey::read(&path, password_fd, &app.output).map(Pen::Here);
        }
        (None, Some(Account::Solana(address))) => OwnerKey::Ed25519(address),
        (None, Some(Account::Evm(address))) => OwnerKey::Secp256k1(address),
        (None, None) => return Err(Failure::usage("give --key-file or --address")),
    };
    Ok(Pen::Elsewhere(Elsewhere {
        usual: usual_envelope(&key),
        key,
        envelope,
        text_out,
        gateway_url: app.config.gateway_url.clone(),
    }))
}

/// Registers a new key: `facts` names the kind. The answer names the identifier.
pub(crate) async fn register(
    app: &App,
    new: NewKeyArgs,
    facts: impl FnOnce(OwnerKey) -> StatementFacts,
    signing: &SigningArgs,
    password: PasswordArgs,
) -> Result<(), Failure> {
    signing.refuse_draft("the new key signs beside the owners")?;
    let pen = new.pen(app)?;
    let key = pen.key();
    let signer = Signer::connect(app).await?;
    let signed = signing.sign(&app.output, &signer, &facts(key)).await?;
    app.output
        .say("Now the new key itself signs the same text.");
    let made = pen.sign(&app.output, &signed.draft, signing.yes)?;
    let password = password.read(&app.output)?;
    let ticket = signer.put(&password).await?;
    drop(password);
    let id = signer
        .client
        .register_key(
            &ticket,
            signed.statement,
            &signed.signatures,
            made.envelope,
            &made.signature,
        )
        .await
        .map_err(failed("not registered"))?;
    let words = format!(
        "{id}, key {key}, is registered {WAITS}. Until then: waiaas owner cancel {}",
        signed.statement
    );
    let data = json!({ "id": id, "key": key.to_string(), "change": signed.statement });
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
    guardians.refuse_draft("phrase and password go with the new key's signature")?;
    let pen = new.pen(app)?;
    let key = pen.key();
    let signer = Signer::connect(app).await?;
    let known = guardians_of(&owners(&signer).await?);
    let draft = draft(&signer, &StatementFacts::RecoverOwners { key }).await?;
    let made = pen.sign(&app.output, &draft, guardians.yes)?;
    let witnesses = guardians.sign_text_if_any(&app.output, &signer, &draft, &known)?;
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
            draft.statement,
            (made.envelope, &made.signature),
            &witnesses,
        )
        .await
        .map_err(failed("the recovery was not begun"))?;
    let words = format!(
        "{key} becomes the only owner {WAITS}, unless an owner who is not suspended, or a guardian, cancels."
    );
    let data = json!({ "change": draft.statement, "sequence": submitted.sequence });
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
