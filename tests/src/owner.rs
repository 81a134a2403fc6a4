//! An owner with an Ed25519 key file and a password, at `admin.sock`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_client::{AdminClient, AdminSocket, Client, NewWallet, Submitted};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument, Recipient};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};

/// The password of every test keystore.
pub const PASSWORD: &[u8] = b"correct horse battery staple";

/// An owner at the admin socket.
#[derive(Debug)]
pub struct Owner {
    /// The connection.
    pub admin: AdminClient,
    key: SigningKey,
    id: Option<OwnerId>,
}

impl Owner {
    /// Connects. Call it inside a `LocalSet`.
    ///
    /// # Errors
    /// When the socket cannot be reached.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let admin = Client::<AdminSocket>::connect(socket).await?;
        let mut owner = Self {
            admin,
            key: SigningKey::from_bytes(&[11; 32]),
            id: None,
        };
        owner.id = owner.admin.owners().await?.first().map(|view| view.owner);
        Ok(owner)
    }

    /// Creates the keystore and returns the recovery phrase.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn initialize(&self) -> Result<Vec<u8>> {
        let ticket = self.admin.put_secret(PASSWORD).await?;
        let made = self.admin.initialize(&ticket).await?;
        Ok(self.admin.take_secret(&made.phrase).await?.to_vec())
    }

    /// Unlocks with the right password.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn unlock(&self) -> Result<()> {
        let ticket = self.admin.put_secret(PASSWORD).await?;
        Ok(self.admin.unlock(&ticket, false).await?)
    }

    /// Enrols this owner's key, with withdrawal addresses.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn enrol(&mut self, withdrawals: Vec<AccountId>) -> Result<OwnerId> {
        let facts = StatementFacts::EnrolOwner {
            key: self.public(),
            withdrawals,
        };
        let drafted = self.admin.draft_statement(&facts).await?;
        let signature = self.sign(&drafted.text)?;
        let ticket = self.admin.put_secret(PASSWORD).await?;
        let owner = self
            .admin
            .enrol_owner(
                &ticket,
                drafted.statement,
                Envelope::Ed25519Plain,
                &signature,
            )
            .await?;
        self.id = Some(owner);
        Ok(owner)
    }

    /// Creates a wallet.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn wallet(&self, family: Family, network: ChainId) -> Result<NewWallet> {
        let ticket = self.admin.put_secret(PASSWORD).await?;
        Ok(self
            .admin
            .create_wallet(&ticket, family, &[network], 0)
            .await?)
    }

    /// Drafts, signs and submits a statement, with the password.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn say(&self, facts: &StatementFacts) -> Result<Submitted> {
        let drafted = self.admin.draft_statement(facts).await?;
        let signatures = [self.signature(&drafted.text)?];
        self.submit(drafted.statement, &signatures).await
    }

    /// Submits signatures over a statement, with the password.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn submit(
        &self,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted> {
        let ticket = self.admin.put_secret(PASSWORD).await?;
        Ok(self
            .admin
            .submit_with_password(&ticket, statement, signatures)
            .await?)
    }

    /// Adopts a policy.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn adopt(&self, document: &PolicyDocument) -> Result<()> {
        self.say(&StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        })
        .await?;
        Ok(())
    }

    /// Grants a session and finds its id in the log.
    ///
    /// # Errors
    /// When the signer refuses.
    pub async fn grant(&self, grant: SessionGrant) -> Result<SessionId> {
        // The one statement here that needs no password: it holds inside the policy's ceilings.
        let drafted = self
            .admin
            .draft_statement(&StatementFacts::GrantSession { grant })
            .await?;
        let signatures = [self.signature(&drafted.text)?];
        let submitted = self
            .admin
            .submit_statement(drafted.statement, &signatures)
            .await?;
        let after = submitted.sequence.saturating_sub(1);
        let page = self.admin.events(after, 1, Duration::ZERO).await?;
        let record = page.events.first().context("the event of the grant")?;
        match from_canonical::<Event>(&record.body)?.body {
            EventBody::SessionGranted { session, .. } => Ok(session),
            other => bail!("another event: {other:?}"),
        }
    }

    /// This owner's signature over a text of the signer.
    ///
    /// # Errors
    /// When the text is none of a statement.
    pub fn signature(&self, text: &str) -> Result<OwnerSignature> {
        let owner = self.id.context("an enrolled owner")?;
        Ok(OwnerSignature {
            owner,
            envelope: Envelope::Ed25519Plain,
            signature: self.sign(text)?,
        })
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>> {
        let bytes = payload(text, Envelope::Ed25519Plain, &self.public())?;
        Ok(self.key.sign(&bytes).to_bytes().to_vec())
    }

    fn public(&self) -> OwnerKey {
        OwnerKey::Ed25519(SolanaAddress::from_bytes(
            self.key.verifying_key().to_bytes(),
        ))
    }
}

/// A rule with limits in base units: per transaction (and NOTIFY up to there), and for every window.
#[must_use]
pub fn rule(chain: ChainId, per_transaction: u128, window: u128) -> AssetRule {
    let units = Amount::from_base_units;
    let (symbol, places) = match chain {
        ChainId::Solana(_) => ("SOL", 9),
        ChainId::Evm(_) => ("ETH", 18),
    };
    let evm = matches!(chain, ChainId::Evm(_));
    AssetRule {
        per_transaction: units(per_transaction),
        hour: units(window),
        day: units(window),
        week: units(window),
        month: units(window),
        instant_up_to: units(per_transaction / 2),
        notify_up_to: units(per_transaction),
        delay_up_to: units(per_transaction),
        approve_up_to: units(per_transaction),
        fee_ceiling: Some(units(per_transaction / 10)),
        outstanding: evm.then(|| units(window)),
        sign_only: evm,
        ..AssetRule::closed(
            chain.native_asset(),
            symbol,
            Decimals::new(places).unwrap_or(Decimals::ZERO),
        )
    }
}

/// The first policy of these rules and recipients.
#[must_use]
pub fn policy(assets: Vec<AssetRule>, recipients: &[AccountId]) -> PolicyDocument {
    let recipient = |(place, account): (usize, &AccountId)| Recipient {
        account: *account,
        name: format!("recipient-{place}"),
    };
    let mut document = PolicyDocument {
        assets,
        recipients: recipients.iter().enumerate().map(recipient).collect(),
        ..PolicyDocument::closed(1)
    };
    document.sort();
    document
}
