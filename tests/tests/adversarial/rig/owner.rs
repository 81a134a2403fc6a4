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
use crate::hand::Hand;

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
            let first = self.cast.owners.first().map_or(owner, |hand| hand.id);
            let mut signed = self.record.owner_signed.borrow_mut();
            signed.insert((first, bytes.to_vec()));
        }
        OwnerSignature {
            owner,
            envelope: Envelope::Ed25519Plain,
            signature: key.sign(bytes).to_bytes().to_vec(),
        }
    }

    pub(crate) fn owner_id(&self) -> Result<OwnerId> {
        Ok(self.hand(0)?.id)
    }

    /// One of the owners.
    pub(crate) fn hand(&self, place: usize) -> Result<Hand> {
        self.cast.owners.get(place).cloned().context("an owner")
    }

    /// What an owner signs of a text, in the form of its wallet.
    pub(crate) fn by(&self, hand: &Hand, text: &str) -> Result<OwnerSignature> {
        self.by_in(hand, hand.envelope(), text)
    }

    /// The same in one of its other forms.
    pub(crate) fn by_in(
        &self,
        hand: &Hand,
        envelope: Envelope,
        text: &str,
    ) -> Result<OwnerSignature> {
        let bytes = payload(text, envelope, &hand.public())?;
        let mut signed = self.record.owner_signed.borrow_mut();
        signed.insert((hand.id, bytes));
        hand.signature_in(envelope, text)
    }

    /// As many owners as must sign, honestly.
    pub(crate) fn owners_signatures(&self, text: &str) -> Result<Vec<OwnerSignature>> {
        let hands = self.cast.owners.iter().take(self.cast.quorum);
        hands.map(|hand| self.by(hand, text)).collect()
    }

    /// The owner signs and the gateway passes on, honestly.
    pub(crate) fn say(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        let drafted = self.draft(facts)?;
        let signatures = self.owners_signatures(&drafted.text)?;
        Ok(self.submit(drafted.statement, &signatures)?)
    }

    /// The owner signs and brings it to the owner's socket, with the password.
    pub(crate) fn say_with_password(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        self.record.accepted += 2;
        let drafted = self.block(self.owner().admin.draft_statement(facts))?;
        let signatures = self.owners_signatures(&drafted.text)?;
        self.block(self.owner().submit(drafted.statement, &signatures))
    }

    /// The owner signs at the owner's socket, where no quota of texts counts, without the password.
    pub(crate) fn say_at_home(&mut self, facts: &StatementFacts) -> Result<Submitted> {
        let drafted = self.draft_at_home(facts)?;
        let signatures = self.owners_signatures(&drafted.text)?;
        let admin = &self.owner().admin;
        let submitted = self.block(admin.submit_statement(drafted.statement, &signatures))?;
        self.record.accepted += 1;
        Ok(submitted)
    }

    pub(crate) fn draft_at_home(&mut self, facts: &StatementFacts) -> Result<Drafted> {
        let drafted = self.block(self.owner().admin.draft_statement(facts))?;
        self.record.accepted += 1;
        Ok(drafted)
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
