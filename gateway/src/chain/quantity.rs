//! Numbers, hashes and bytes as Ethereum's JSON-RPC writes them, read strictly. Source: the execution API's
//! "hex value encoding". Used by the EVM adapter only.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error};

/// A quantity: `0x` and hexadecimal digits without leading zeros. Larger than 128 bits is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(u128);

impl Quantity {
    pub(super) const fn value(self) -> u128 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let padded = digits.len() > 1 && digits.starts_with('0');
        if !plain || padded {
            return None;
        }
        u128::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a quantity"))
    }
}

/// 32 bytes: `0x` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(pub(super) [u8; 32]);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
            .map(|()| Self(bytes))
            .ok_or_else(|| D::Error::custom("not a hash"))
    }
}

/// Bytes: `0x` and an even number of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode(digits).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("not bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_one_form() {
        for (text, value) in [
            ("0x0", 0),
            ("0x1", 1),
            ("0x7a69", 31_337),
            ("0xFF", 255),
            ("0xffffffffffffffffffffffffffffffff", u128::MAX),
        ] {
            assert_eq!(Quantity::parse(text), Some(Quantity(value)), "{text}");
        }
        for text in [
            "",
            "0",
            "0x",
            "0x00",
            "0x01",
            "0X1",
            "1",
            "-0x1",
            "0x-1",
            "0x+1",
            "0x1 ",
            "0x1g",
            "0x1_0",
            "0x100000000000000000000000000000000",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
        assert!(serde_json::from_str::<Quantity>("1").is_err());
        assert!(serde_json::from_str::<Quantity>("\"0x1\"").is_ok());
    }

    #[test]
    fn hashes_have_32_bytes() {
        let hash = |digits: usize| format!("\"0x{}\"", "a".repeat(digits));
        assert!(serde_json::from_str::<Hash>(&hash(64)).is_ok());
        for digits in [0, 62, 63, 66] {
            assert!(serde_json::from_str::<Hash>(&hash(digits)).is_err());
        }
    }

    #[test]
    fn bytes_are_hexadecimal() {
        let read = |text: &str| serde_json::from_str::<Data>(&format!("{text:?}")).ok();
        assert_eq!(read("0x"), Some(Data(vec![])));
        assert_eq!(read("0x00fF"), Some(Data(vec![0, 255])));
        for text in ["", "00", "0x0", "0xg0", "0X00", "0x00 "] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
