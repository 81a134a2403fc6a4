//! What a document says of validators: to whom coins of a Solana network may be delegated, by vote account. Who
//! is none of them gets no stake, contact or not; and a validator is no contact, to whom nothing is paid.

use minicbor::{Decode, Encode};

use super::check::{Flaw, require};
use super::document::{PolicyDocument, find};
use crate::caip::{AccountId, ChainId};

/// A validator to whom coins may be delegated.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Validator {
    /// On which network, and its vote account.
    #[n(0)]
    pub account: AccountId,
    /// The validator's name, without its `@`: 1 to 32 of a-z, 0-9, `-`.
    #[n(1)]
    pub name: String,
}

impl PolicyDocument {
    /// All of them.
    pub fn validators(&self) -> impl Iterator<Item = &Validator> {
        self.validators.iter().flatten()
    }

    /// The validator with this vote account.
    #[must_use]
    pub fn validator(&self, account: AccountId) -> Option<&Validator> {
        let known = self.validators.as_deref()?;
        find(known, |known| known.account.cmp(&account))
    }
}

impl Validator {
    pub(super) fn check(&self, document: &PolicyDocument) -> Result<(), Flaw> {
        let chain = self.account.chain();
        require(matches!(chain, ChainId::Solana(_)), Flaw::Validator)?;
        require(
            document.asset(chain.native_asset()).is_some(),
            Flaw::Unknown,
        )?;
        let same = document
            .validators()
            .filter(|other| other.name == self.name && other.account.chain() == chain);
        require(same.count() == 1, Flaw::Order)
    }
}
