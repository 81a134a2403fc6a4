//! A whole transaction: signatures and message, in the order of the message's version. In front, behind their
//! count, in the legacy form and in version 0; at the end in version 1. Reads no instruction. Called wherever
//! signed bytes are taken apart; what a message does, only `decode` says.

use ed25519_dalek::{Signature, VerifyingKey};

use super::SolanaError;
use super::message::{PACKET_BYTES, SIGNATURE_BYTES, VERSION_ONE, VERSION_ONE_BYTES, read};
use crate::address::SolanaAddress;

/// Signatures and message. A signature of zeros is one that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireTransaction {
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
    message: Vec<u8>,
}

impl WireTransaction {
    pub(super) const fn of(signatures: Vec<[u8; SIGNATURE_BYTES]>, message: Vec<u8>) -> Self {
        Self {
            signatures,
            message,
        }
    }

    /// Reads a transaction with a place for each signature that its message demands.
    ///
    /// # Errors
    /// [`SolanaError`]; among them [`SolanaError::SignerCount`] for another number of places.
    pub fn parse(bytes: &[u8]) -> Result<Self, SolanaError> {
        let version_one = bytes.first() == Some(&VERSION_ONE);
        let most = if version_one {
            VERSION_ONE_BYTES
        } else {
            PACKET_BYTES
        };
        if bytes.len() > most {
            return Err(SolanaError::TooLarge);
        }
        let (signatures, message) = if version_one {
            // How many stands behind the version.
            let count = bytes.get(1).copied().ok_or(SolanaError::Malformed)?;
            let length = bytes
                .len()
                .checked_sub(usize::from(count).saturating_mul(SIGNATURE_BYTES))
                .ok_or(SolanaError::Malformed)?;
            let (message, signatures) = bytes.split_at(length);
            (signatures, message)
        } else {
            let (count, rest) = bytes.split_first().ok_or(SolanaError::Malformed)?;
            // A compact-u16 of one byte: more signatures do not fit a packet.
            if *count == 0 || *count > 0x7f {
                return Err(SolanaError::Malformed);
            }
            let length = usize::from(*count).saturating_mul(SIGNATURE_BYTES);
            rest.split_at_checked(length)
                .ok_or(SolanaError::Malformed)?
        };
        let (signatures, rest) = signatures.as_chunks::<SIGNATURE_BYTES>();
        let header = *read(message)?.header();
        if !rest.is_empty() || signatures.len() != usize::from(header.num_required_signatures) {
            return Err(SolanaError::SignerCount);
        }
        let read = Self::of(signatures.to_vec(), message.to_vec());
        // INVARIANT 2: one transaction has one framing; a message of version 1 stands nowhere but in its own.
        if read.encode() == bytes {
            Ok(read)
        } else {
            Err(SolanaError::NotCanonical)
        }
    }

    /// A message with no signature.
    ///
    /// # Errors
    /// [`SolanaError`] for bytes that are no message.
    pub fn unsigned(message: &[u8]) -> Result<Self, SolanaError> {
        let count = read(message)?.header().num_required_signatures;
        let signatures = vec![[0; SIGNATURE_BYTES]; count.into()];
        Ok(Self::of(signatures, message.to_vec()))
    }

    /// What is signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The first signature, by which the chain names the transaction; none while it is missing.
    #[must_use]
    pub fn name(&self) -> Option<[u8; SIGNATURE_BYTES]> {
        let first = self.signatures.first().copied();
        first.filter(|signature| !is_missing(signature))
    }

    /// Whose signatures are missing.
    #[must_use]
    pub fn missing(&self) -> Vec<SolanaAddress> {
        let signers = self.signers().into_iter().zip(&self.signatures);
        signers
            .filter(|(_, signature)| is_missing(signature))
            .map(|(signer, _)| signer)
            .collect()
    }

    /// Whether every signature that is there is its signer's over this message, but that of `aside`.
    #[must_use]
    pub fn holds(&self, aside: SolanaAddress) -> bool {
        let mut signers = self.signers().into_iter().zip(&self.signatures);
        signers.all(|(signer, signature)| {
            signer == aside
                || is_missing(signature)
                || VerifyingKey::from_bytes(signer.as_bytes())
                    .and_then(|key| {
                        key.verify_strict(&self.message, &Signature::from_bytes(signature))
                    })
                    .is_ok()
        })
    }

    /// The same with what is missing taken from another transaction of the same message; none if that is another
    /// message.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Option<Self> {
        if self.message != other.message {
            return None;
        }
        for (own, theirs) in self.signatures.iter_mut().zip(&other.signatures) {
            if is_missing(own) {
                *own = *theirs;
            }
        }
        Some(self)
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let signatures = self.signatures.concat();
        if self.message.first() == Some(&VERSION_ONE) {
            return [&self.message[..], &signatures].concat();
        }
        // No message demands more than a byte counts: `parse` and `unsigned` read its header.
        let count = u8::try_from(self.signatures.len()).unwrap_or(u8::MAX);
        [&[count][..], &signatures, &self.message].concat()
    }

    fn signers(&self) -> Vec<SolanaAddress> {
        let Ok(message) = read(&self.message) else {
            return Vec::new();
        };
        let keys = message.static_account_keys().iter();
        let signers = keys.take(self.signatures.len());
        signers
            .map(|key| SolanaAddress::from_bytes(key.to_bytes()))
            .collect()
    }
}

fn is_missing(signature: &[u8; SIGNATURE_BYTES]) -> bool {
    signature.iter().all(|byte| *byte == 0)
}
