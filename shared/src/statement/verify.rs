//! The check of an owner's signature over the signer's own text, in the closed list of forms that
//! owners' wallets produce, and the bytes that each form signs. Verification takes only a text that
//! this crate composed. Holds no private key; counts no quorum: that counts owners, never signatures.
//! Called by the signer's core, and by the command line for what its key files sign.

use ed25519_dalek::{Signature, VerifyingKey};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey as EcdsaKey};
use minicbor::{Decode, Encode};

use super::TEXT_LIMIT;
use super::text::{StatementText, is_statement_text};
use crate::address::EvmAddress;
use crate::denial::Code;
use crate::evm::{address_of, keccak256};
use crate::ids::OwnerId;
use crate::keys::OwnerKey;

/// First bytes of a Solana off-chain message: no transaction begins with 0xff.
const OFFCHAIN: &[u8; 16] = b"\xffsolana offchain";
/// The application domain of off-chain messages version 0: SHA-256 of `waiaas`.
const APPLICATION: [u8; 32] = [
    0xa2, 0xc7, 0xbe, 0x81, 0x3e, 0x7e, 0x0c, 0x8b, 0x72, 0x74, 0xc5, 0x58, 0x5d, 0x43, 0xb8, 0x97,
    0x2d, 0x69, 0xd5, 0x61, 0x04, 0x86, 0x2e, 0x77, 0xac, 0xd1, 0x04, 0x9c, 0xd2, 0x6e, 0xc5, 0x46,
];
/// Off-chain message version 0, format 0: printable ASCII (0x20 to 0x7e), for hardware wallets.
const RESTRICTED_ASCII: u8 = 0;
/// Bytes of a version 0 message in format 0 at most, header included: one Solana packet (1280 bytes of
/// IPv6 minimum, less 48 of headers).
const OFFCHAIN_V0_LIMIT: usize = 1232;
/// What stands for a new line where a form has none. No statement holds a `|` of its own, so the two
/// texts tell each other exactly.
const SEPARATOR: &str = " | ";

/// How a wallet wraps the text before it signs. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Envelope {
    /// Ed25519 over the text itself (`solana:signMessage`).
    #[n(0)]
    Ed25519Plain,
    /// Ed25519 over a Solana off-chain message version 0 in format 0, fields separated by ` | `:
    /// what a Ledger shows.
    #[n(1)]
    Ed25519OffchainV0,
    /// Ed25519 over a Solana off-chain message version 1 (`solana:signOffchainMessage`).
    #[n(2)]
    Ed25519OffchainV1,
    /// secp256k1 over the text by EIP-191 `personal_sign`.
    #[n(3)]
    Eip191,
}

impl Envelope {
    /// Every envelope.
    pub const ALL: [Self; 4] = [
        Self::Ed25519Plain,
        Self::Ed25519OffchainV0,
        Self::Ed25519OffchainV1,
        Self::Eip191,
    ];

    /// The stable text form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519Plain => "ed25519-plain",
            Self::Ed25519OffchainV0 => "ed25519-offchain-v0",
            Self::Ed25519OffchainV1 => "ed25519-offchain-v1",
            Self::Eip191 => "eip191",
        }
    }

    /// The envelope with this text form.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|envelope| envelope.as_str() == text)
    }

    /// Whether a wallet of this key can produce it.
    #[must_use]
    pub const fn fits(self, key: &OwnerKey) -> bool {
        matches!(
            (self, key),
            (
                Self::Ed25519Plain | Self::Ed25519OffchainV0 | Self::Ed25519OffchainV1,
                OwnerKey::Ed25519(_)
            ) | (Self::Eip191, OwnerKey::Secp256k1(_))
        )
    }
}

/// One owner's signature, as it arrives with the statement it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerSignature {
    /// Who signed.
    pub owner: OwnerId,
    /// How the wallet wrapped the text.
    pub envelope: Envelope,
    /// 64 bytes of Ed25519 (RFC 8032), or 65 bytes r, s, v of secp256k1.
    pub signature: Vec<u8>,
}

/// Why a text cannot be wrapped, or a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The text is not the text of a statement: nothing else may be signed by this door.
    #[error("only the text of a statement is signed here")]
    NotAStatement,
    /// An Ed25519 envelope for a secp256k1 key, or the reverse.
    #[error("the envelope is not of the key's kind")]
    Family,
    /// The text does not fit the envelope.
    #[error("the text is too long for this envelope: sign it in another one")]
    TooLong,
    /// The signature does not verify, or not strictly.
    #[error("the signature does not verify over the statement's exact text")]
    Signature,
}

impl From<EnvelopeError> for Code {
    fn from(_: EnvelopeError) -> Self {
        Self::StatementSignature
    }
}

/// The exact bytes that a wallet of `key` signs for this text. For [`Envelope::Eip191`] these are the
/// bytes that are hashed with Keccak-256, prefix included.
///
/// Takes plain text because the command line has it from a socket; what is not the text of a statement
/// is refused, so that whoever signs these bytes signs no transaction by mistake.
///
/// # Errors
/// [`EnvelopeError`], except `Signature`.
pub fn payload(text: &str, envelope: Envelope, key: &OwnerKey) -> Result<Vec<u8>, EnvelopeError> {
    if !is_statement_text(text) {
        return Err(EnvelopeError::NotAStatement);
    }
    wrapped(text, envelope, key)
}

/// The same of any text that this crate composed.
pub(crate) fn wrapped(
    text: &str,
    envelope: Envelope,
    key: &OwnerKey,
) -> Result<Vec<u8>, EnvelopeError> {
    match (envelope, key) {
        (Envelope::Ed25519Plain, OwnerKey::Ed25519(_)) => Ok(text.as_bytes().to_vec()),
        (Envelope::Ed25519OffchainV0, OwnerKey::Ed25519(signer)) => {
            offchain_v0(text, signer.as_bytes())
        }
        (Envelope::Ed25519OffchainV1, OwnerKey::Ed25519(signer)) => {
            Ok(offchain_v1(text, signer.as_bytes()))
        }
        (Envelope::Eip191, OwnerKey::Secp256k1(_)) => Ok(personal(text)),
        _ => Err(EnvelopeError::Family),
    }
}

/// Checks an owner's signature over the signer's text.
///
/// # Errors
/// [`EnvelopeError`]; nothing but `Ok` counts.
pub fn verify(
    text: &StatementText,
    key: &OwnerKey,
    envelope: Envelope,
    signature: &[u8],
) -> Result<(), EnvelopeError> {
    let payload = payload(text.as_str(), envelope, key)?;
    if holds(&payload, key, signature) {
        Ok(())
    } else {
        Err(EnvelopeError::Signature)
    }
}

/// The envelope in which this key signed this text, if it did. For the command line, which has a text
/// from a socket and a signature that somebody pasted, and wants to know before anything is handed in;
/// the signer never asks.
#[must_use]
pub fn envelope_of(text: &str, key: &OwnerKey, signature: &[u8]) -> Option<Envelope> {
    Envelope::ALL.into_iter().find(|envelope| {
        payload(text, *envelope, key).is_ok_and(|payload| holds(&payload, key, signature))
    })
}

/// Whether this key signed these bytes, in the one strict form of its curve.
pub(crate) fn holds(payload: &[u8], key: &OwnerKey, signature: &[u8]) -> bool {
    match key {
        OwnerKey::Ed25519(address) => ed25519(payload, address.as_bytes(), signature),
        OwnerKey::Secp256k1(address) => recover(payload, signature) == Some(*address),
    }
}

/// A Solana off-chain message of version 1: signing domain, version, number of signers, the signer, text.
pub(crate) fn offchain_v1(text: &str, signer: &[u8; 32]) -> Vec<u8> {
    [&OFFCHAIN[..], &[1, 1], signer, text.as_bytes()].concat()
}

/// What is hashed for `personal_sign` (EIP-191, version 0x45).
pub(crate) fn personal(text: &str) -> Vec<u8> {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", text.len());
    [prefix.as_bytes(), text.as_bytes()].concat()
}

/// Header: signing domain, version, application domain, format, number of signers, the signer, length
/// of the text (16 bits, little endian). Solana off-chain message signing, version 0.
fn offchain_v0(text: &str, signer: &[u8; 32]) -> Result<Vec<u8>, EnvelopeError> {
    let line = text.replace('\n', SEPARATOR);
    let length = u16::try_from(line.len()).map_err(|_| EnvelopeError::TooLong)?;
    let message = [
        &OFFCHAIN[..],
        &[0],
        &APPLICATION,
        &[RESTRICTED_ASCII, 1],
        signer,
        &length.to_le_bytes(),
        line.as_bytes(),
    ]
    .concat();
    if message.len() > OFFCHAIN_V0_LIMIT {
        return Err(EnvelopeError::TooLong);
    }
    Ok(message)
}

/// Strict: a non-canonical point or scalar, and a key or nonce point of small order, under which one
/// signature could fit several texts, are refused (RFC 8032 section 5.1.7, and more).
fn ed25519(payload: &[u8], key: &[u8; 32], signature: &[u8]) -> bool {
    let Ok(signature) = Signature::from_slice(signature) else {
        return false;
    };
    is_canonical(key)
        && VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(payload, &signature).is_ok())
}

/// Whether y is below 2^255 - 19. The curve library reads a y above it as well, so that one point
/// would have two names.
fn is_canonical(key: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = key;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// Who signed this payload: r, s and v of 65 bytes, in the low-s form only (EIP-2), so that nobody
/// makes a second signature out of a first.
fn recover(payload: &[u8], signature: &[u8]) -> Option<EvmAddress> {
    let (v, r_and_s) = signature.split_last()?;
    // Wallets disagree: MetaMask gives 27 or 28 (Yellow Paper), some hardware wallets 0 or 1.
    let y_is_odd = match v {
        0 | 27 => false,
        1 | 28 => true,
        _ => return None,
    };
    let signature = EcdsaSignature::from_slice(r_and_s).ok()?;
    if signature.normalize_s() != signature {
        return None;
    }
    let prehash = keccak256(payload);
    let recovery = RecoveryId::new(y_is_odd, false);
    EcdsaKey::recover_from_prehash(&prehash, &signature, recovery)
        .ok()
        .map(|key| address_of(&key))
}

const _: () = assert!(
    TEXT_LIMIT <= u16::MAX as usize,
    "lengths in headers have 16 bits"
);

#[cfg(test)]
#[path = "verify_published.rs"]
mod published;
#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
