//! Values at fixed places in the data of instructions: their types, their one form as bytes and as text.
//! Numbers are little endian. Types whose length varies are not read at all. Judges no value.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::address::SolanaAddress;

/// A type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldKind {
    /// `u8`, `u16`, `u32`, `u64`, `u128`; so many bytes.
    Uint(u8),
    /// `bool`: one byte, 0 or 1.
    Bool,
    /// `address`: 32 bytes.
    Address,
    /// `bytes1` to `bytes32`; so many bytes.
    Bytes(u8),
}

/// What is no type of a field, or no value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Another type.
    #[error(
        "types of a program's arguments are u8, u16, u32, u64, u128, bool, address, bytes1 to bytes32"
    )]
    Kind,
    /// A value of another type, or in another form.
    #[error(
        "a value is plain decimal digits, true or false, an address, or 0x and lower-case digits of the type's length"
    )]
    Value,
}

/// The bytes of one field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct FieldValue(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    Vec<u8>,
);

impl FieldValue {
    /// Of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes, as they stand in the data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(&self.0))
    }
}

impl FieldKind {
    /// Bytes that a value takes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Uint(bytes) | Self::Bytes(bytes) => bytes as usize,
            Self::Bool => 1,
            Self::Address => 32,
        }
    }

    /// Whether these bytes are the one form of a value of this type.
    #[must_use]
    pub fn holds(self, value: &[u8]) -> bool {
        value.len() == self.length() && (self != Self::Bool || value.iter().all(|byte| *byte <= 1))
    }

    /// A value as a number, if it is one.
    #[must_use]
    pub fn number(self, value: &[u8]) -> Option<u128> {
        let Self::Uint(_) = self else {
            return None;
        };
        let mut number = [0; 16];
        let place = number.get_mut(..value.len())?;
        place.copy_from_slice(value);
        Some(u128::from_le_bytes(number))
    }

    /// The largest number of this type.
    #[must_use]
    pub fn largest(self) -> Option<u128> {
        match self {
            Self::Uint(bytes) => Some(u128::MAX >> (128 - 8 * u32::from(bytes))),
            _ => None,
        }
    }

    /// The text form of a value that [`FieldKind::holds`].
    #[must_use]
    pub fn show(self, value: &[u8]) -> String {
        match self {
            Self::Uint(_) => self.number(value).unwrap_or_default().to_string(),
            Self::Bool => (value.first() == Some(&1)).to_string(),
            Self::Address => bs58::encode(value).into_string(),
            Self::Bytes(_) => format!("0x{}", hex::encode(value)),
        }
    }

    /// Reads a value from its one text form.
    ///
    /// # Errors
    /// [`FieldError::Value`].
    pub fn read(self, text: &str) -> Result<FieldValue, FieldError> {
        let value = match self {
            Self::Uint(bytes) => {
                let number: Option<u128> = text.parse().ok();
                number.and_then(|number| {
                    let all = number.to_le_bytes();
                    let (value, above) = all.split_at_checked(bytes.into())?;
                    above.iter().all(|byte| *byte == 0).then(|| value.to_vec())
                })
            }
            Self::Bool => match text {
                "true" => Some(vec![1]),
                "false" => Some(vec![0]),
                _ => None,
            },
            Self::Address => {
                let address: Option<SolanaAddress> = text.parse().ok();
                address.map(|address| address.as_bytes().to_vec())
            }
            Self::Bytes(_) => text
                .strip_prefix("0x")
                .and_then(|digits| hex::decode(digits).ok()),
        };
        // One text for each value: no sign, no leading zeros, no other case.
        let value = value.filter(|value| self.holds(value) && self.show(value) == text);
        value.map(FieldValue).ok_or(FieldError::Value)
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(bytes) => write!(formatter, "u{}", u16::from(*bytes) * 8),
            Self::Bool => formatter.write_str("bool"),
            Self::Address => formatter.write_str("address"),
            Self::Bytes(bytes) => write!(formatter, "bytes{bytes}"),
        }
    }
}

impl FromStr for FieldKind {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let numbers = [1, 2, 4, 8, 16].map(Self::Uint);
        let others = [Self::Bool, Self::Address];
        let bytes = (1..=32).map(Self::Bytes);
        let mut all = numbers.into_iter().chain(others).chain(bytes);
        all.find(|kind| kind.to_string() == text)
            .ok_or(FieldError::Kind)
    }
}

impl<C> Encode<C> for FieldKind {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FieldKind {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        decoder.str()?.parse().map_err(decode::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_canonical, to_canonical};

    #[test]
    fn types_have_one_name_and_one_encoding() {
        for text in [
            "u8", "u16", "u32", "u64", "u128", "bool", "address", "bytes1", "bytes32",
        ] {
            let kind: FieldKind = text.parse().expect(text);
            assert_eq!(kind.to_string(), text);
            assert_eq!(from_canonical(&to_canonical(&kind)), Ok(kind));
        }
        for text in [
            "", "u", "u24", "u256", "U8", "i64", "string", "bytes0", "bytes33", "bytes01",
        ] {
            assert_eq!(text.parse::<FieldKind>(), Err(FieldError::Kind), "{text}");
            assert!(from_canonical::<FieldKind>(&to_canonical(&text)).is_err());
        }
    }

    #[test]
    fn values_have_one_text_and_one_form() {
        let system = "11111111111111111111111111111111";
        for (kind, text, bytes) in [
            ("u8", "255", vec![255]),
            ("u16", "258", vec![2, 1]),
            ("u64", "1", vec![1, 0, 0, 0, 0, 0, 0, 0]),
            (
                "u128",
                "340282366920938463463374607431768211455",
                vec![255; 16],
            ),
            ("bool", "true", vec![1]),
            ("bool", "false", vec![0]),
            ("address", system, vec![0; 32]),
            ("bytes3", "0x0a0b0c", vec![10, 11, 12]),
        ] {
            let kind: FieldKind = kind.parse().expect(kind);
            let value = kind.read(text).expect(text);
            assert_eq!(value.as_bytes(), bytes, "{text}");
            assert!(kind.holds(value.as_bytes()));
            assert_eq!(kind.show(value.as_bytes()), text);
            assert!(!kind.holds(&bytes[1..]), "{text}");
        }
        for (kind, text) in [
            ("u8", "256"),
            ("u8", "-1"),
            ("u8", "+1"),
            ("u8", "01"),
            ("u8", ""),
            ("u64", "1.0"),
            ("bool", "1"),
            ("address", "0x00"),
            ("bytes3", "0x0A0b0c"),
            ("bytes3", "0x0a0b"),
            ("bytes3", "0a0b0c"),
        ] {
            let parsed: FieldKind = kind.parse().expect(kind);
            assert_eq!(parsed.read(text), Err(FieldError::Value), "{kind} {text}");
        }
        assert!(!FieldKind::Bool.holds(&[2]));
        assert_eq!(FieldKind::Uint(8).largest(), Some(u64::MAX.into()));
        assert_eq!(FieldKind::Uint(16).largest(), Some(u128::MAX));
        assert_eq!(FieldKind::Bool.largest(), None);
    }
}
