//! The one hash of the project, SHA-256, always with a domain in front. Every domain string stands
//! in this file and in docs/encoding.md; a digest of one domain is never a digest of another.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What a digest is about. The string is hashed first, with its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Identifiers made from logged entropy.
    Identifier,
    /// The first link of a log.
    Genesis,
    /// One event and its predecessor's hash.
    Event,
    /// One entry of the locked journal and its predecessor's hash.
    Journal,
    /// The canonical bytes of a policy document.
    Policy,
    /// The text of a statement as the owner signs it.
    Statement,
    /// An agent's request body.
    RequestBody,
    /// A bearer session's secret.
    SessionSecret,
    /// The canonical effect of a transaction.
    Effect,
    /// A snapshot of the folded state.
    Snapshot,
    /// Idempotency index: owner of the key and the key.
    Idempotency,
    /// One entry of the index of payments and the digest before it.
    PaymentIndex,
    /// The nonce of a transfer authorization, from the decision's entropy.
    AuthorizationNonce,
}

impl Domain {
    const fn text(self) -> &'static str {
        match self {
            Self::Identifier => "waiaas/v1/identifier",
            Self::Genesis => "waiaas/v1/genesis",
            Self::Event => "waiaas/v1/event",
            Self::Journal => "waiaas/v1/journal",
            Self::Policy => "waiaas/v1/policy",
            Self::Statement => "waiaas/v1/statement",
            Self::RequestBody => "waiaas/v1/request-body",
            Self::SessionSecret => "waiaas/v1/session-secret",
            Self::Effect => "waiaas/v1/effect",
            Self::Snapshot => "waiaas/v1/snapshot",
            Self::Idempotency => "waiaas/v1/idempotency",
            Self::PaymentIndex => "waiaas/v1/payment-index",
            Self::AuthorizationNonce => "waiaas/v1/authorization-nonce",
        }
    }
}

/// SHA-256 over the domain and the parts, each with its length (64 bits, big endian) in front, so
/// that no two lists of parts give the same input.
#[must_use]
pub fn hash(domain: Domain, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in std::iter::once(domain.text().as_bytes()).chain(parts.iter().copied()) {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// A SHA-256 digest of some [`Domain`]. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Digest(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl Digest {
    /// A digest that was stored or sent earlier.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 256 bits.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// Anything but 64 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
        let digest = Self(bytes);
        if digest.to_string() == text {
            Ok(digest)
        } else {
            Err(DigestError)
        }
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_domains_separate() {
        assert_ne!(
            hash(Domain::Event, &[b"ab", b"c"]),
            hash(Domain::Event, &[b"a", b"bc"])
        );
        assert_ne!(hash(Domain::Event, &[b"a"]), hash(Domain::Policy, &[b"a"]));
        assert_ne!(hash(Domain::Event, &[]), hash(Domain::Event, &[b""]));
    }

    #[test]
    fn text_form_is_strict() {
        let digest = hash(Domain::Event, &[]);
        assert_eq!(Digest::from_hex(&digest.to_string()), Ok(digest));
        assert!(Digest::from_hex(&digest.to_string().to_uppercase()).is_err());
        assert!(Digest::from_hex("00").is_err());
    }
}
