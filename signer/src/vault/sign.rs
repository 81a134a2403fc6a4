//! One key, ready to sign. Owns the private key in locked memory beside its public key, and finds a
//! flipped bit of either before it signs. A signature must still be verified before it leaves: a fault of
//! memory or processor while it is made would give the key away (RUSTSEC-2022-0093, and the fault
//! attacks on deterministic signatures). The log key's is verified here; a wallet's by
//! `waiaas_shared::transaction::assemble`, the only way from a signature to bytes that can be sent, and
//! against the account and bytes that were judged. Called by `unlocked`.

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey as Ed25519PublicKey};
use k256::ecdsa::{RecoveryId, Signature as EcdsaSignature, VerifyingKey as EcdsaPublicKey};
use k256::{NonZeroScalar, PublicKey as CurvePoint, Secp256k1};
use sha2::{Digest as _, Sha256, Sha512};
use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use zeroize::{Zeroize as _, Zeroizing};

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena, scrub_stack};

/// Clamped scalar and prefix: SHA-512 of the seed (RFC 8032 section 5.1.5).
const EXPANDED_BYTES: usize = 64;
const SCALAR_BYTES: usize = 32;
/// SHA-256 over the key, beside it in locked memory: a flipped bit is found before it is used.
const CHECK_BYTES: usize = 32;

/// The public half of a wallet's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// Ed25519 (RFC 8032): the key is the Solana address.
    Ed25519(SolanaAddress),
    /// secp256k1.
    Secp256k1 {
        /// SEC 1, compressed.
        point: [u8; 33],
        /// Last 20 bytes of the Keccak-256 of the uncompressed point.
        address: EvmAddress,
    },
}

impl PublicKey {
    /// The account that this key controls.
    #[must_use]
    pub const fn account(&self) -> Account {
        match self {
            Self::Ed25519(address) => Account::Solana(*address),
            Self::Secp256k1 { address, .. } => Account::Evm(*address),
        }
    }
}

/// An ECDSA signature in the form of EIP-1559: low s (EIP-2), big endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverableSignature {
    /// x of the ephemeral point.
    pub r: [u8; 32],
    /// The proof; at most half the group's order.
    pub s: [u8; 32],
    /// Whether y of the ephemeral point is odd.
    pub y_parity: bool,
}

/// Why there is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// No key is registered for this path.
    #[error("no key is registered for this path")]
    UnknownKey,
    /// The path's key is for the other curve.
    #[error("the key of this path is for another curve")]
    WrongCurve,
    /// The key changed in memory, or the signature did not verify. Nothing is returned, and the
    /// process should end: the machine cannot be trusted.
    #[error("a key or signature did not verify")]
    Fault,
}

/// A private key with a check value in locked memory.
struct CheckedKey {
    /// Key, then its SHA-256.
    bytes: LockedBytes,
}

impl CheckedKey {
    /// `build` writes the key.
    #[inline(never)]
    fn build(
        length: usize,
        arena: &SecretArena,
        build: impl FnOnce(&mut [u8]),
    ) -> Result<Self, MemoryError> {
        let mut bytes = arena.take(length + CHECK_BYTES)?;
        bytes.fill(|all| {
            let (key, check) = all.split_at_mut(length);
            build(key);
            check.copy_from_slice(&Sha256::digest(&*key));
        });
        Ok(Self { bytes })
    }

    /// Lends the key if it is what was built.
    #[inline(never)]
    fn expose<T>(&self, reader: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, SignError> {
        self.bytes.expose(|all| {
            let (key, check) = all
                .split_last_chunk::<CHECK_BYTES>()
                .ok_or(SignError::Fault)?;
            if <[u8; CHECK_BYTES]>::from(Sha256::digest(key)) != *check {
                return Err(SignError::Fault);
            }
            reader(key).ok_or(SignError::Fault)
        })
    }
}

/// An Ed25519 key, expanded once so that a signature costs one scalar multiplication.
pub(super) struct Ed25519Key {
    secret: CheckedKey,
    public: Ed25519PublicKey,
}

impl Ed25519Key {
    /// Expands a 32-byte seed.
    pub(super) fn from_seed(seed: &LockedBytes, arena: &SecretArena) -> Result<Self, KeyError> {
        let secret = CheckedKey::build(EXPANDED_BYTES, arena, |key| {
            let mut digest = seed.expose(|seed| Sha512::digest(seed));
            key.copy_from_slice(&digest);
            digest.zeroize();
        });
        scrub_stack();
        let secret = secret?;
        let public = secret.expose(ed25519_public);
        scrub_stack();
        Ok(Self {
            secret,
            public: public?,
        })
    }

    pub(super) fn public_key(&self) -> SolanaAddress {
        SolanaAddress::from_bytes(self.public.to_bytes())
    }

    /// Signs (RFC 8032, deterministic). To be verified by the caller before it is used.
    pub(super) fn sign_unverified(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self
            .secret
            .expose(|key| ed25519_sign(key, &self.public, message));
        scrub_stack();
        Ok(signature?.to_bytes())
    }

    /// Signs and verifies strictly.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self.sign_unverified(message)?;
        self.public
            .verify_strict(message, &Ed25519Signature::from_bytes(&signature))
            .map_err(|_| SignError::Fault)?;
        Ok(signature)
    }

    /// The key with its check value, for a test that looks for copies of it.
    #[cfg(test)]
    pub(super) fn secret(&self) -> &LockedBytes {
        &self.secret.bytes
    }

    /// Flips one bit of the key in memory, as a fault would.
    #[cfg(test)]
    pub(super) fn flip(&mut self, bit: usize) {
        self.secret
            .bytes
            .fill(|bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
}

#[inline(never)]
fn ed25519_public(key: &[u8]) -> Option<Ed25519PublicKey> {
    let expanded = ExpandedSecretKey::from_slice(key).ok()?;
    Some(Ed25519PublicKey::from(&expanded))
}

#[inline(never)]
fn ed25519_sign(key: &[u8], public: &Ed25519PublicKey, message: &[u8]) -> Option<Ed25519Signature> {
    let expanded = ExpandedSecretKey::from_slice(key).ok()?;
    Some(raw_sign::<Sha512>(&expanded, message, public))
}

/// A secp256k1 key.
pub(super) struct Secp256k1Key {
    secret: CheckedKey,
    point: [u8; 33],
    address: EvmAddress,
}

impl Secp256k1Key {
    /// Takes a 32-byte scalar, big endian.
    pub(super) fn from_scalar(scalar: &LockedBytes, arena: &SecretArena) -> Result<Self, KeyError> {
        if scalar.len() != SCALAR_BYTES {
            return Err(KeyError::Invalid);
        }
        let secret = CheckedKey::build(SCALAR_BYTES, arena, |key| {
            scalar.expose(|scalar| key.copy_from_slice(scalar));
        })?;
        let public = secret.expose(secp256k1_public);
        scrub_stack();
        let public = public.map_err(|_| KeyError::Invalid)?;
        let point = public.to_sec1_point(true);
        let whole = public.to_sec1_point(false);
        Ok(Self {
            secret,
            point: point.as_bytes().try_into().map_err(|_| KeyError::Invalid)?,
            address: evm_address(whole.as_bytes()).ok_or(KeyError::Invalid)?,
        })
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::Secp256k1 {
            point: self.point,
            address: self.address,
        }
    }

    /// Signs a 32-byte digest (RFC 6979, deterministic). To be verified by the caller before it is used.
    pub(super) fn sign_unverified(
        &self,
        prehash: &[u8; 32],
    ) -> Result<RecoverableSignature, SignError> {
        let signed = self.secret.expose(|key| secp256k1_sign(key, prehash));
        scrub_stack();
        let (signature, recovery) = signed?;
        // An x above the group's order cannot be stated in a transaction (one chance in 2^127).
        if recovery.is_x_reduced() {
            return Err(SignError::Fault);
        }
        let (r, s) = signature.split_bytes();
        Ok(RecoverableSignature {
            r: r.into(),
            s: s.into(),
            y_parity: recovery.is_y_odd(),
        })
    }

    /// The key with its check value, for a test that looks for copies of it.
    #[cfg(test)]
    pub(super) fn secret(&self) -> &LockedBytes {
        &self.secret.bytes
    }

    /// Flips one bit of the key in memory, as a fault would.
    #[cfg(test)]
    pub(super) fn flip(&mut self, bit: usize) {
        self.secret
            .bytes
            .fill(|bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
}

fn secret_scalar(key: &[u8]) -> Option<Zeroizing<NonZeroScalar>> {
    let bytes = Zeroizing::new(<[u8; SCALAR_BYTES]>::try_from(key).ok()?);
    let scalar = NonZeroScalar::from_repr((*bytes).into()).into_option()?;
    Some(Zeroizing::new(scalar))
}

#[inline(never)]
fn secp256k1_public(key: &[u8]) -> Option<EcdsaPublicKey> {
    let scalar = secret_scalar(key)?;
    Some(CurvePoint::from_secret_scalar(&scalar).into())
}

#[inline(never)]
fn secp256k1_sign(key: &[u8], prehash: &[u8; 32]) -> Option<(EcdsaSignature, RecoveryId)> {
    let scalar = secret_scalar(key)?;
    Some(ecdsa::hazmat::sign_prehashed_rfc6979::<Secp256k1, Sha256>(
        &scalar,
        prehash,
        &[],
    ))
}

/// `point` is uncompressed: 0x04, x, y.
fn evm_address(point: &[u8]) -> Option<EvmAddress> {
    let digest = alloy_primitives::keccak256(point.get(1..)?);
    digest
        .split_last_chunk::<20>()
        .map(|(_, address)| EvmAddress::from_bytes(*address))
}

/// Why bytes did not become a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    /// Not a private key of this curve.
    #[error("not a private key")]
    Invalid,
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl From<SignError> for KeyError {
    fn from(_: SignError) -> Self {
        Self::Invalid
    }
}

#[cfg(test)]
mod tests;
