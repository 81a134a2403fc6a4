//! Identifiers. Each is 128 bits behind its own type, so two kinds never mix; the text form is a
//! TypeID (type prefix, underscore, 26 characters of Crockford base32), as in
//! `wallet_01jd3v8k7rf5q8w2x6n4c9b0mt`. Nothing here makes randomness: bytes come from the caller.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Domain, hash};

/// The alphabet of TypeID: Crockford base32, lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters that 128 bits take in base32.
const TEXT_LENGTH: usize = 26;

/// Why a text is not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The part before the underscore names another kind.
    #[error("the identifier must begin with the prefix of its kind and an underscore")]
    Prefix,
    /// Not 26 characters after the prefix.
    #[error("the identifier must have 26 characters after its prefix")]
    Length,
    /// A character outside of the alphabet, or a value above 128 bits.
    #[error("the identifier has a character outside of Crockford base32, or is too large")]
    Character,
}

fn encode(bytes: &[u8; 16]) -> String {
    let value = u128::from_be_bytes(*bytes);
    (0..TEXT_LENGTH)
        .rev()
        .filter_map(|place| {
            let five_bits = usize::try_from((value >> (5 * place)) & 31).ok()?;
            ALPHABET
                .get(five_bits)
                .map(|character| char::from(*character))
        })
        .collect()
}

fn decode(text: &str) -> Result<[u8; 16], IdError> {
    if text.len() != TEXT_LENGTH {
        return Err(IdError::Length);
    }
    let mut value: u128 = 0;
    for (place, character) in text.bytes().enumerate() {
        let digit = ALPHABET
            .iter()
            .position(|known| *known == character)
            .and_then(|position| u128::try_from(position).ok())
            .ok_or(IdError::Character)?;
        // 26 characters carry 130 bits: the first may use only three of its five.
        if place == 0 && digit > 7 {
            return Err(IdError::Character);
        }
        value = (value << 5) | digit;
    }
    Ok(value.to_be_bytes())
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] #[cbor(with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            /// The prefix of the text form.
            pub const PREFIX: &'static str = $prefix;

            /// The identifier of these 128 bits.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The identifier that `entropy` (recorded in the log) gives for the `counter`-th
            /// object of one decision.
            #[must_use]
            pub fn derive(entropy: &[u8; 32], counter: u32) -> Self {
                let digest = hash(
                    Domain::Identifier,
                    &[$prefix.as_bytes(), entropy, &counter.to_be_bytes()],
                );
                let mut bytes = [0; 16];
                bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
                Self(bytes)
            }

            /// The 128 bits.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}_{}", $prefix, encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let rest = text.strip_prefix($prefix).and_then(|rest| rest.strip_prefix('_'));
                decode(rest.ok_or(IdError::Prefix)?).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

identifiers! {
    /// One signer and its log; random at `init`, new after a recovery from the phrase.
    SignerId = "signer";
    /// One key with its networks.
    WalletId = "wallet";
    /// One owner's key.
    OwnerId = "owner";
    /// One session grant.
    SessionId = "session";
    /// One requested transaction: the gateway's transaction and the signer's intent share it.
    TransactionId = "tx";
    /// One agent, to which sessions may belong.
    AgentId = "agent";
    /// One message that was signed for an agent.
    MessageId = "message";
    /// One text that the signer wrote for an owner to sign; used once.
    StatementId = "statement";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_typeid() {
        // The published TypeID vectors: zero, one, all ones.
        let zero = WalletId::from_bytes([0; 16]);
        assert_eq!(zero.to_string(), "wallet_00000000000000000000000000");
        let one = WalletId::from_bytes(1_u128.to_be_bytes());
        assert_eq!(one.to_string(), "wallet_00000000000000000000000001");
        let largest = WalletId::from_bytes([0xff; 16]);
        assert_eq!(largest.to_string(), "wallet_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!("wallet_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse(), Ok(largest));
    }

    #[test]
    fn other_forms_are_refused() {
        for (text, error) in [
            ("wallet_8zzzzzzzzzzzzzzzzzzzzzzzzz", IdError::Character),
            ("wallet_0000000000000000000000000A", IdError::Character),
            ("wallet_0000000000000000000000000u", IdError::Character),
            ("wallet_0000000000000000000000000", IdError::Length),
            ("wallet_000000000000000000000000000", IdError::Length),
            ("owner_00000000000000000000000000", IdError::Prefix),
            ("wallet00000000000000000000000000", IdError::Prefix),
            ("Wallet_00000000000000000000000000", IdError::Prefix),
            (" wallet_00000000000000000000000000", IdError::Prefix),
        ] {
            assert_eq!(text.parse::<WalletId>(), Err(error), "{text}");
        }
    }

    #[test]
    fn kinds_do_not_collide() {
        let entropy = [7; 32];
        assert_ne!(
            WalletId::derive(&entropy, 0).as_bytes(),
            OwnerId::derive(&entropy, 0).as_bytes()
        );
        assert_ne!(WalletId::derive(&entropy, 0), WalletId::derive(&entropy, 1));
    }
}
