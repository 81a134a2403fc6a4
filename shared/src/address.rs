//! Account addresses of both chain families, each with exactly one text form.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Address;

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not base58 of 32 bytes in its canonical form.
    #[error("a Solana address is base58 text of exactly 32 bytes")]
    Solana,
    /// Not `0x` and 40 hexadecimal digits.
    #[error("an EVM address is 0x and 40 hexadecimal digits")]
    Evm,
    /// Mixed case that is not the EIP-55 checksum, or one case only.
    #[error("the EVM address does not carry its EIP-55 checksum: a character may be wrong")]
    Checksum,
}

/// A Solana account: 32 bytes; text form base58.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct SolanaAddress(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl SolanaAddress {
    /// The address of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for SolanaAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // 32 bytes never need more than 44 characters; longer input is not even decoded.
        if text.len() > 44 {
            return Err(AddressError::Solana);
        }
        let mut bytes = [0; 32];
        let length = bs58::decode(text)
            .onto(&mut bytes[..])
            .map_err(|_| AddressError::Solana)?;
        let address = Self(bytes);
        if length == 32 && address.to_string() == text {
            Ok(address)
        } else {
            Err(AddressError::Solana)
        }
    }
}

impl fmt::Display for SolanaAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&bs58::encode(self.0).into_string())
    }
}

/// An EVM account: 20 bytes; text form `0x` with the EIP-55 checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct EvmAddress(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 20],
);

impl EvmAddress {
    /// The address of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Reads the EIP-55 form, and nothing else: without a checksum a mistyped digit would be another
/// account.
impl FromStr for EvmAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Evm)?;
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError::Evm)?;
        let address = Self(bytes);
        if address.to_string() == text {
            Ok(address)
        } else {
            Err(AddressError::Checksum)
        }
    }
}

impl fmt::Display for EvmAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&Address::from(self.0).to_checksum(None))
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
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

as_text!(SolanaAddress EvmAddress Account);

/// An account of either family; its text form tells which.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
pub enum Account {
    /// On a Solana cluster.
    #[n(0)]
    Solana(#[n(0)] SolanaAddress),
    /// On an EVM chain.
    #[n(1)]
    Evm(#[n(0)] EvmAddress),
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Solana(address) => address.fmt(formatter),
            Self::Evm(address) => address.fmt(formatter),
        }
    }
}

impl FromStr for Account {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // "0" is not in the base58 alphabet, so no text is both.
        if text.starts_with("0x") || text.starts_with("0X") {
            text.parse().map(Self::Evm)
        } else {
            text.parse().map(Self::Solana)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_form_each() {
        // EIP-55's own examples.
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert_eq!(text.parse::<EvmAddress>().expect(text).to_string(), text);
            assert_eq!(
                text.to_lowercase().parse::<EvmAddress>(),
                Err(AddressError::Checksum)
            );
            assert_eq!(
                text.replace("0x", "0X").parse::<Account>(),
                Err(AddressError::Evm)
            );
            assert_eq!(
                format!(" {text}").parse::<EvmAddress>(),
                Err(AddressError::Evm)
            );
        }
        let system = "11111111111111111111111111111111";
        assert_eq!(
            system.parse::<SolanaAddress>().expect("system program"),
            SolanaAddress([0; 32])
        );
        for text in [
            "1111111111111111111111111111111",
            "111111111111111111111111111111111",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt0v",
            "vitalik.eth",
            "",
        ] {
            assert_eq!(text.parse::<Account>(), Err(AddressError::Solana), "{text}");
        }
    }
}
