//! Child keys of the seed: SLIP-10 for Ed25519, BIP-32 for secp256k1, along the two paths that a
//! [`KeyPath`] can name and no other. Every node stands in locked memory. Called by `unlocked`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::sec1::ToSec1Point as _;
use k256::{NonZeroScalar, PublicKey, Scalar};
use sha2::Sha512;
use waiaas_shared::caip::Family;
use waiaas_shared::keys::KeyPath;
use zeroize::{Zeroize as _, Zeroizing};

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena, scrub_stack};

/// Set in the index of a hardened child.
const HARDENED: u32 = 1 << 31;
const KEY_BYTES: usize = 32;
/// Key and chain code.
const NODE_BYTES: usize = 64;
/// How long a seed may be, in bytes (BIP-32).
const SEED_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Why a key was not derived.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// The index of the path is 2^31 or more.
    #[error("a key index is below 2147483648")]
    Index,
    /// A seed of another length than BIP-32 gives it: 128 to 512 bits.
    #[error("a seed has 16 to 64 bytes")]
    Seed,
    /// BIP-32 has no key at this index (one chance in 2^127): another index must be used.
    #[error("there is no key at this index")]
    NoKey,
    /// No room in locked memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Which curve a path is for: the label of the master key, and what a child's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    Ed25519,
    Secp256k1,
}

/// The private key at `path`, 32 bytes: an Ed25519 seed or a secp256k1 scalar (big endian).
pub(super) fn derive_key(
    seed: &LockedBytes,
    path: KeyPath,
    arena: &SecretArena,
) -> Result<LockedBytes, DerivationError> {
    if path.index >= HARDENED {
        return Err(DerivationError::Index);
    }
    match path.family {
        Family::Solana => {
            let steps = [44, 501, path.index, 0].map(|step| step | HARDENED);
            derive(Curve::Ed25519, seed, &steps, arena)
        }
        Family::Evm => {
            let steps = [44 | HARDENED, 60 | HARDENED, HARDENED, 0, path.index];
            derive(Curve::Secp256k1, seed, &steps, arena)
        }
    }
}

fn derive(
    curve: Curve,
    seed: &LockedBytes,
    steps: &[u32],
    arena: &SecretArena,
) -> Result<LockedBytes, DerivationError> {
    let derived = walk(curve, seed, steps, arena);
    scrub_stack();
    let node = derived?;
    let mut key = arena.take(KEY_BYTES)?;
    node.expose(|node| {
        key.fill(|key| key.iter_mut().zip(node).for_each(|(to, from)| *to = *from));
    });
    Ok(key)
}

#[inline(never)]
fn walk(
    curve: Curve,
    seed: &LockedBytes,
    steps: &[u32],
    arena: &SecretArena,
) -> Result<LockedBytes, DerivationError> {
    if !seed.expose(|seed| SEED_BYTES.contains(&seed.len())) {
        return Err(DerivationError::Seed);
    }
    let label: &[u8] = match curve {
        Curve::Ed25519 => b"ed25519 seed",
        Curve::Secp256k1 => b"Bitcoin seed",
    };
    let mut node = arena.take(NODE_BYTES)?;
    seed.expose(|seed| node.fill(|out| hmac_into(label, &[seed], out)));
    if curve == Curve::Secp256k1 && !node.expose(|node| is_scalar(key_of(node))) {
        return Err(DerivationError::NoKey);
    }
    for step in steps {
        node = child(curve, &node, *step, arena)?;
    }
    Ok(node)
}

fn child(
    curve: Curve,
    parent: &LockedBytes,
    step: u32,
    arena: &SecretArena,
) -> Result<LockedBytes, DerivationError> {
    let mut node = arena.take(NODE_BYTES)?;
    let derived = parent.expose(|parent| {
        let key = key_of(parent);
        let index = step.to_be_bytes();
        node.fill(|out| {
            if step & HARDENED != 0 {
                hmac_into(chain_code_of(parent), &[&[0], key, &index], out);
            } else {
                let point = compressed_point(key)?;
                hmac_into(chain_code_of(parent), &[&point, &index], out);
            }
            match curve {
                // SLIP-10: the left half is the key, whatever it is.
                Curve::Ed25519 => Some(()),
                Curve::Secp256k1 => add_parent(key, out.split_first_chunk_mut()?.0),
            }
        })
    });
    derived.map(|()| node).ok_or(DerivationError::NoKey)
}

fn key_of(node: &[u8]) -> &[u8] {
    node.get(..KEY_BYTES).unwrap_or_default()
}

fn chain_code_of(node: &[u8]) -> &[u8] {
    node.get(KEY_BYTES..).unwrap_or_default()
}

/// HMAC-SHA512 of the joined parts, written to `out` (64 bytes).
fn hmac_into(key: &[u8], parts: &[&[u8]], out: &mut [u8]) {
    let mut hmac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| hmac.update(part));
    let mut output = hmac.finalize().into_bytes();
    out.iter_mut()
        .zip(&output)
        .for_each(|(to, from)| *to = *from);
    output.zeroize();
}

/// `None` for zero and for what is not below the order of the group.
fn scalar(bytes: &[u8]) -> Option<Zeroizing<Scalar>> {
    let bytes = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes).ok()?);
    let scalar = Scalar::from_repr((*bytes).into()).into_option()?;
    Some(Zeroizing::new(scalar))
}

fn is_scalar(bytes: &[u8]) -> bool {
    scalar(bytes).is_some_and(|scalar| !bool::from(scalar.is_zero()))
}

/// The public key of a private one, compressed (SEC 1).
fn compressed_point(key: &[u8]) -> Option<[u8; 33]> {
    let secret = Zeroizing::new(NonZeroScalar::new(*scalar(key)?).into_option()?);
    let point = PublicKey::from_secret_scalar(&secret).to_sec1_point(true);
    point.as_bytes().try_into().ok()
}

/// BIP-32: the child's key is the left half plus the parent's, modulo the order of the group.
fn add_parent(parent: &[u8], left: &mut [u8; KEY_BYTES]) -> Option<()> {
    let sum = Zeroizing::new(*scalar(left)? + *scalar(parent)?);
    let sum = Zeroizing::new(NonZeroScalar::new(*sum).into_option()?);
    let mut bytes = <[u8; KEY_BYTES]>::from(sum.to_repr());
    *left = bytes;
    bytes.zeroize();
    Some(())
}

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;
