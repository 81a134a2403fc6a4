//! The policy document, version 1, first form. Its canonical bytes are what an owner adopts; TOML is
//! only its form for people. What a document does not name is denied.

use minicbor::{Decode, Encode};

use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId, Token};
use crate::codec::{CodecError, from_canonical, to_canonical};
use crate::digest::{Digest, Domain, hash};
use crate::time::Millis;

/// The only version so far.
pub const VERSION: u16 = 1;
/// Canonical bytes of a document, at most.
pub const LIMIT_BYTES: usize = 256 * 1024;
/// How long a change waits unless a document says otherwise.
pub const MATURITY_DEFAULT: Millis = Millis::from_hours(24);
/// The longest maturity delay that a document may demand: 30 days.
pub const MATURITY_LONGEST: Millis = Millis::from_hours(30 * 24);

/// A policy as the owner signs it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PolicyDocument {
    /// [`VERSION`].
    #[n(0)]
    pub version: u16,
    /// One more than the document adopted before.
    #[n(1)]
    pub epoch: u64,
    /// How long later documents wait before this one stops binding, on the DELAY clock.
    #[n(2)]
    pub maturity: Millis,
    /// What may be spent; sorted by asset, each once.
    #[n(3)]
    pub assets: Vec<AssetRule>,
    /// Who may receive; sorted by account, each once. Nobody else may.
    #[n(4)]
    pub recipients: Vec<Recipient>,
}

/// Limits and thresholds of one asset, all in its base units.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AssetRule {
    /// The asset.
    #[n(0)]
    pub asset: AssetId,
    /// What people call it: 1 to 12 of A-Z, a-z, 0-9.
    #[n(1)]
    pub symbol: String,
    /// Places between its unit and its base unit.
    #[n(2)]
    pub decimals: Decimals,
    /// Most in one transaction, fee included.
    #[n(3)]
    pub per_transaction: Amount,
    /// Most in any hour, per wallet.
    #[n(4)]
    pub hour: Amount,
    /// Most in any 24 hours, per wallet.
    #[n(5)]
    pub day: Amount,
    /// Most in any 7 days, per wallet.
    #[n(6)]
    pub week: Amount,
    /// Most in any 30 days, per wallet.
    #[n(7)]
    pub month: Amount,
    /// Most transactions in any 24 hours, per wallet.
    #[n(8)]
    pub day_count: Option<u32>,
    /// Signed at once up to here (INSTANT).
    #[n(9)]
    pub instant_up_to: Amount,
    /// Signed at once and told to the owner up to here (NOTIFY); above, denied in this version.
    #[n(10)]
    pub notify_up_to: Amount,
    /// Most that one transaction may pay as fee, for a native asset; absent: no fee may be paid.
    #[n(11)]
    pub fee_ceiling: Option<Amount>,
    /// For an EVM chain's native asset: most value signed since the owner last attested the nonce.
    #[n(12)]
    pub outstanding: Option<Amount>,
    /// For an EVM chain's native asset: whether transactions may be signed without being sent.
    #[n(13)]
    pub sign_only: bool,
}

/// An account that may receive.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recipient {
    /// On which chain, and which account.
    #[n(0)]
    pub account: AccountId,
    /// The contact's name, without its `@`: 1 to 32 of a-z, 0-9, `-`.
    #[n(1)]
    pub name: String,
}

/// Why a document is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The bytes are not a canonical document of version 1.
    #[error("not a policy document of version 1: {0}")]
    Encoding(#[from] CodecError),
    /// Another version.
    #[error("only version 1 is known")]
    Version,
    /// Larger than [`LIMIT_BYTES`].
    #[error("the document is larger than 256 KiB")]
    TooLarge,
    /// Epoch zero.
    #[error("the first epoch is 1")]
    Epoch,
    /// A maturity delay above 30 days.
    #[error("the maturity delay is at most 30 days")]
    Maturity,
    /// Assets out of order or doubled.
    #[error("assets must be sorted and each named once")]
    AssetOrder,
    /// Recipients out of order or doubled, or two with one name on one chain.
    #[error("recipients must be sorted, each account and each name on a chain once")]
    RecipientOrder,
    /// A symbol or contact name with other characters.
    #[error("a symbol has 1 to 12 letters or digits, a contact 1 to 32 of a-z, 0-9 and -")]
    Name,
    /// Limits that contradict each other: each window must allow at least what the shorter allows.
    #[error(
        "limits must rise: per-transaction, hour, day, week, month; instant-up-to at most notify-up-to at most per-transaction"
    )]
    LimitOrder,
    /// A fee ceiling, outstanding cap or sign-only leave where it has no meaning, or an EVM native
    /// asset without its outstanding cap.
    #[error(
        "fee-ceiling belongs to native assets; outstanding is required for, and with sign-only reserved to, an EVM chain's native asset"
    )]
    NativeOnly,
}

impl PolicyDocument {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// [`PolicyError`]: one flaw refuses the whole.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > LIMIT_BYTES {
            return Err(PolicyError::TooLarge);
        }
        let document: Self = from_canonical(bytes)?;
        document.check()?;
        Ok(document)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_canonical(self)
    }

    /// The digest that the owner's text states.
    #[must_use]
    pub fn digest(&self) -> Digest {
        hash(Domain::Policy, &[&self.to_bytes()])
    }

    /// The rule of an asset.
    #[must_use]
    pub fn asset(&self, asset: AssetId) -> Option<&AssetRule> {
        let place = self
            .assets
            .binary_search_by(|rule| rule.asset.cmp(&asset))
            .ok()?;
        self.assets.get(place)
    }

    /// Whether an account may receive.
    #[must_use]
    pub fn recipient(&self, account: AccountId) -> Option<&Recipient> {
        let place = self
            .recipients
            .binary_search_by(|known| known.account.cmp(&account))
            .ok()?;
        self.recipients.get(place)
    }

    /// Puts assets and recipients into their canonical order.
    pub fn sort(&mut self) {
        self.assets.sort_by_key(|rule| rule.asset);
        self.recipients.sort_by_key(|known| known.account);
    }

    /// Checks what the encoding alone does not.
    ///
    /// # Errors
    /// The first flaw found.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.version != VERSION {
            return Err(PolicyError::Version);
        }
        if self.epoch == 0 {
            return Err(PolicyError::Epoch);
        }
        if self.maturity > MATURITY_LONGEST {
            return Err(PolicyError::Maturity);
        }
        if !self
            .assets
            .is_sorted_by(|one, other| one.asset < other.asset)
        {
            return Err(PolicyError::AssetOrder);
        }
        if !self
            .recipients
            .is_sorted_by(|one, other| one.account < other.account)
        {
            return Err(PolicyError::RecipientOrder);
        }
        let mut names: Vec<_> = self
            .recipients
            .iter()
            .map(|known| (known.account.chain(), known.name.as_str()))
            .collect();
        names.sort_unstable();
        if !names.is_sorted_by(|one, other| one < other) {
            return Err(PolicyError::RecipientOrder);
        }
        let contact = |name: &str| {
            (1..=32).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        if !self.recipients.iter().all(|known| contact(&known.name)) {
            return Err(PolicyError::Name);
        }
        self.assets.iter().try_for_each(AssetRule::check)
    }
}

impl AssetRule {
    fn check(&self) -> Result<(), PolicyError> {
        let symbol_fits = (1..=12).contains(&self.symbol.len());
        if !symbol_fits || !self.symbol.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(PolicyError::Name);
        }
        let rising = [
            self.instant_up_to,
            self.notify_up_to,
            self.per_transaction,
            self.hour,
            self.day,
            self.week,
            self.month,
        ];
        if !rising.is_sorted() {
            return Err(PolicyError::LimitOrder);
        }
        let native = self.asset.token() == Token::Native;
        let evm_native = native && matches!(self.asset.chain(), crate::caip::ChainId::Evm(_));
        if (self.fee_ceiling.is_some() && !native)
            || self.outstanding.is_some() != evm_native
            || (self.sign_only && !evm_native)
        {
            return Err(PolicyError::NativeOnly);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
pub(crate) mod tests;
