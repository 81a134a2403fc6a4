//! The owner's word through the rig: drafted, signed by the true key or another, handed in. What the
//! true key signed is noted: nothing else may ever count as the owner's.

use anyhow::{Context as _, Result};
use ed25519_dalek::SigningKey;
use waiaas_client::{ClientError, Drafted, Submitted};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};

use super::Rig;

impl Rig {
    pub(crate) fn draft(&mut self, facts: &StatementFacts) -> Result<Drafted, ClientError> {
        let gateway = self.gateway();
        let drafted = self.block(gateway.draft_statement(facts));
        self.record.accepted += u64::from(drafted.is_ok());
        drafted
    }

    pub(crate) fn submit(
        &mut self,
        statement: StatementId,
        signatures: &[OwnerSignature],
    ) -> Result<Submitted, ClientError> {
        let gateway = self.gateway();
        let submitted = self.block(gateway.submit_statement(statement, signatures));
        self.record.accepted += u64::from(submitted.is_ok());
        submitted
    }

    /// The owner's own signature over a text, whatever it says.
    pub(crate) fn owner_signature(&self, text: &str) -> Result<OwnerSignature> {
        self.signature_by(&owner_key(), text.as_bytes())
    }

    /// A signature in the owner's name.
    pub(crate) fn signature_by(&self, key: &SigningKey, bytes: &[u8]) -> Result<OwnerSignature> {
        Ok(self.signature_by_id(self.owner_id()?, key, bytes))
    }

    /// The same, in the name of this owner.
    pub(crate) fn signature_by_id(
        &self,
        owner: OwnerId,
        key: &SigningKey,
        bytes: &[u8],
    ) -> OwnerSignature {
        use ed25519_dalek::Signer as _;
        if key.to_bytes() == owner_key().to_bytes() {
            self.record.owner_signed.borrow_mut().insert(bytes.to_vec());
        }
        OwnerSignature {
            owner,
            envelope: Envelope::Ed25519Plain,
            signature: key.sign(bytes).to_bytes().to_vec(),
        }
    }

    pub(crate) fn owner_id(&self) -> Result<OwnerId> {
        let owners = self.block(self.owner().admin.owners())?;
        Ok(owners.first().context("an owner")?.owner)
    }

    /// The owner signs and the gateway passes on, honestly.
    pub(crate) fn say(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        let drafted = self.draft(facts)?;
        let signature = self.owner_signature(&drafted.text)?;
        Ok(self.submit(drafted.statement, &[signature])?)
    }

    /// The owner signs and brings it to the owner's socket, with the password.
    pub(crate) fn say_with_password(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        self.record.accepted += 2;
        let drafted = self.block(self.owner().admin.draft_statement(facts))?;
        let signatures = [self.owner_signature(&drafted.text)?];
        self.block(self.owner().submit(drafted.statement, &signatures))
    }

    /// The document that follows the newest, changed.
    pub(crate) fn next_policy(
        &self,
        change: impl FnOnce(&mut PolicyDocument),
    ) -> Result<PolicyDocument> {
        let newest = self
            .block(self.gateway().policy())?
            .pop()
            .context("a policy")?;
        let mut document = PolicyDocument::from_bytes(&newest)?;
        document.epoch = self.status()?.policy_epoch + 1;
        change(&mut document);
        document.sort();
        Ok(document)
    }

    /// Adopts a document over the gateway's socket.
    pub(crate) fn adopt(&mut self, document: &PolicyDocument) -> Result<Submitted> {
        self.say(&StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        })
    }
}

/// The owner's key, as `waiaas_tests::owner` has it.
pub(crate) fn owner_key() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

/// The bytes that the owner's wallet signs in an envelope.
pub(crate) fn owner_payload(text: &str, envelope: Envelope) -> Result<Vec<u8>> {
    let key = SolanaAddress::from_bytes(owner_key().verifying_key().to_bytes());
    Ok(payload(text, envelope, &OwnerKey::Ed25519(key))?)
}
