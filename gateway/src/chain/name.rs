//! A chain's own name for a transaction, in its only form. Computed from signed bytes, never taken from a
//! node.

use std::fmt;
use std::str::FromStr;

/// A chain's own name for a transaction: base58 of the first signature, or `0x` and the hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainTransactionId {
    /// The first signature.
    Solana([u8; 64]),
    /// Keccak-256 of the signed bytes.
    Evm([u8; 32]),
}

/// The text is not a transaction's name in its only form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transaction is named by a base58 signature of 64 bytes or 0x and 64 lower-case digits")]
pub struct ChainTransactionIdError;

impl fmt::Display for ChainTransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Solana(signature) => formatter.write_str(&bs58::encode(signature).into_string()),
            Self::Evm(hash) => write!(formatter, "0x{}", hex::encode(hash)),
        }
    }
}

impl fmt::Debug for ChainTransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ChainTransactionId {
    type Err = ChainTransactionIdError;

    fn from_str(text: &str) -> Result<Self, ChainTransactionIdError> {
        let id = if let Some(digits) = text.strip_prefix("0x") {
            let mut hash = [0; 32];
            hex::decode_to_slice(digits, &mut hash).map_err(|_| ChainTransactionIdError)?;
            Self::Evm(hash)
        } else {
            // 64 bytes never need more than 88 characters; longer input is not even decoded.
            if text.len() > 88 {
                return Err(ChainTransactionIdError);
            }
            let bytes = bs58::decode(text)
                .into_vec()
                .map_err(|_| ChainTransactionIdError)?;
            Self::Solana(bytes.try_into().map_err(|_| ChainTransactionIdError)?)
        };
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(ChainTransactionIdError)
        }
    }
}
