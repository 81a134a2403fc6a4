//! Public keys and where private ones come from. No private key is ever a value of this crate.

use std::fmt;

use crate::address::{EvmAddress, SolanaAddress};
use crate::caip::Family;

/// Where a wallet's key comes from: one index of the seed, given once. The path is fixed by the
/// family: SLIP-10 `m/44'/501'/i'/0'` (Ed25519) or BIP-44 `m/44'/60'/0'/0/i` (secp256k1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
pub struct KeyPath {
    /// Which curve and path.
    #[n(0)]
    pub family: Family,
    /// The `i` of the path; below 2^31.
    #[n(1)]
    pub index: u32,
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::Solana => write!(formatter, "m/44'/501'/{}'/0'", self.index),
            Family::Evm => write!(formatter, "m/44'/60'/0'/0/{}", self.index),
        }
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// An owner's public key, as the wallet that holds it shows it: a Solana address (Ed25519), or an
/// EVM address (secp256k1, recovered from the signature).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode,
)]
pub enum OwnerKey {
    /// An Ed25519 key; signs the plain text, or its off-chain message form.
    #[n(0)]
    Ed25519(#[n(0)] SolanaAddress),
    /// A secp256k1 key; signs the text by EIP-191 `personal_sign`.
    #[n(1)]
    Secp256k1(#[n(0)] EvmAddress),
}

impl fmt::Display for OwnerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(address) => address.fmt(formatter),
            Self::Secp256k1(address) => address.fmt(formatter),
        }
    }
}

/// An agent's Ed25519 public key (RFC 8032), 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct AgentKey(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl AgentKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the text form, base58 as for a Solana address.
    ///
    /// # Errors
    /// The text is not 32 bytes of base58.
    pub fn from_base58(text: &str) -> Result<Self, crate::address::AddressError> {
        text.parse::<SolanaAddress>()
            .map(|address| Self(*address.as_bytes()))
    }
}

impl fmt::Display for AgentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SolanaAddress::from_bytes(self.0).fmt(formatter)
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
