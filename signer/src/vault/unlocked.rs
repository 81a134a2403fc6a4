//! The open vault: every private key of the signer, each ready to sign. Exists only between unlock
//! and lock; dropping it wipes all of it. It signs what it is given: the one door to it is the
//! authority, which decoded, judged and recorded first (invariants 1 and 4).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use waiaas_shared::caip::Family;
use waiaas_shared::keys::KeyPath;

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena};

use super::derive::{DerivationError, derive_key};
use super::format::{FormatError, Identity};
use super::keystore::{Content, UnlockError};
use super::phrase::{PhraseError, parse_phrase, seed_of, write_phrase};
use super::sign::{Ed25519Key, KeyError, PublicKey, RecoverableSignature, Secp256k1Key, SignError};

/// Why a wallet's key could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// There is no key at this path.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// No room in locked memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A derived key did not become a key pair: a fault of program or machine.
    #[error("a derived key is not a key")]
    Fault,
}

impl From<KeyError> for RegisterError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Invalid => Self::Fault,
            KeyError::Memory(memory) => Self::Memory(memory),
        }
    }
}

enum WalletKey {
    Solana(Ed25519Key),
    Evm(Secp256k1Key),
}

impl WalletKey {
    fn public_key(&self) -> PublicKey {
        match self {
            Self::Solana(key) => PublicKey::Ed25519(key.public_key()),
            Self::Evm(key) => key.public_key(),
        }
    }
}

/// All private keys, in locked memory. It cannot be copied, printed or serialised:
///
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<waiaas_signer::vault::Unlocked>();
/// ```
/// ```compile_fail,E0277
/// fn printed<T: std::fmt::Debug>() {}
/// printed::<waiaas_signer::vault::Unlocked>();
/// ```
/// ```compile_fail,E0277
/// fn serialised<T: serde::Serialize>() {}
/// serialised::<waiaas_signer::vault::Unlocked>();
/// ```
/// The type itself is in reach, so the refusals above are about the traits:
/// ```
/// fn exists<T>() {}
/// exists::<waiaas_signer::vault::Unlocked>();
/// ```
#[expect(
    missing_debug_implementations,
    reason = "invariant 20: key material has no printed form"
)]
pub struct Unlocked {
    arena: SecretArena,
    entropy: LockedBytes,
    /// BIP-39 seed of `entropy`, kept because it takes milliseconds to compute.
    seed: LockedBytes,
    log_key: Ed25519Key,
    wallets: BTreeMap<KeyPath, WalletKey>,
}

impl Unlocked {
    pub(super) fn new(
        content: &Content,
        identity: &Identity,
        arena: &SecretArena,
    ) -> Result<Self, UnlockError> {
        let log_key = Ed25519Key::from_seed(&content.log_seed, arena).map_err(unlock_error)?;
        if log_key.public_key().as_bytes() != &identity.log_public_key {
            return Err(FormatError::Body.into());
        }
        let mut entropy = arena.take(content.entropy.len())?;
        content
            .entropy
            .expose(|from| entropy.fill(|to| to.copy_from_slice(from)));
        let seed = seed_of(&entropy, arena).map_err(|error| match error {
            PhraseError::Memory(memory) => UnlockError::Memory(memory),
            _ => FormatError::Body.into(),
        })?;
        Ok(Self {
            arena: arena.clone(),
            entropy,
            seed,
            log_key,
            wallets: BTreeMap::new(),
        })
    }

    /// Makes the key at `path` ready, deriving it if it is not there yet, and returns its public
    /// half.
    ///
    /// # Errors
    /// See [`RegisterError`]; the vault is as before.
    pub fn register(&mut self, path: KeyPath) -> Result<PublicKey, RegisterError> {
        let vacant = match self.wallets.entry(path) {
            Entry::Occupied(known) => return Ok(known.get().public_key()),
            Entry::Vacant(vacant) => vacant,
        };
        let private = derive_key(&self.seed, path, &self.arena)?;
        let key = match path.family {
            Family::Solana => WalletKey::Solana(Ed25519Key::from_seed(&private, &self.arena)?),
            Family::Evm => WalletKey::Evm(Secp256k1Key::from_scalar(&private, &self.arena)?),
        };
        Ok(vacant.insert(key).public_key())
    }

    /// The public half of a registered key.
    #[must_use]
    pub fn public_key(&self, path: KeyPath) -> Option<PublicKey> {
        self.wallets.get(&path).map(WalletKey::public_key)
    }

    /// Signs `message` with a registered Solana key (RFC 8032): deterministic, not yet verified. The
    /// signature leaves only through `assemble` of `waiaas_shared::transaction`, or of a sign-in message, which
    /// verifies it.
    ///
    /// # Errors
    /// See [`SignError`]; no byte of a signature is returned.
    pub fn sign_ed25519(&self, path: KeyPath, message: &[u8]) -> Result<[u8; 64], SignError> {
        match self.wallets.get(&path) {
            Some(WalletKey::Solana(key)) => key.sign_unverified(message),
            Some(WalletKey::Evm(_)) => Err(SignError::WrongCurve),
            None => Err(SignError::UnknownKey),
        }
    }

    /// Signs the Keccak-256 digest of something that the caller built with a registered EVM key
    /// (RFC 6979): deterministic, not yet verified. It leaves only through
    /// `assemble` of `waiaas_shared::transaction`, or of a sign-in message, which recovers the signer and
    /// demands a low s.
    ///
    /// # Errors
    /// See [`SignError`]; no byte of a signature is returned.
    pub fn sign_secp256k1(
        &self,
        path: KeyPath,
        prehash: &[u8; 32],
    ) -> Result<RecoverableSignature, SignError> {
        match self.wallets.get(&path) {
            Some(WalletKey::Evm(key)) => key.sign_unverified(prehash),
            Some(WalletKey::Solana(_)) => Err(SignError::WrongCurve),
            None => Err(SignError::UnknownKey),
        }
    }

    /// Signs the note of a log head with the log key (Ed25519), verified before it is returned.
    ///
    /// # Errors
    /// [`SignError::Fault`] alone.
    pub fn sign_note(&self, note: &[u8]) -> Result<[u8; 64], SignError> {
        self.log_key.sign(note)
    }

    /// The public half of the log key, 32 bytes (RFC 8032).
    #[must_use]
    pub fn log_public_key(&self) -> [u8; 32] {
        *self.log_key.public_key().as_bytes()
    }

    /// Writes the recovery phrase to the front of `out` (at least
    /// [`PHRASE_MAX_BYTES`](super::PHRASE_MAX_BYTES), the rest becomes zero) and returns its length
    /// in bytes.
    ///
    /// # Errors
    /// [`PhraseError::Buffer`] if `out` is too short.
    pub fn copy_phrase(&self, out: &mut LockedBytes) -> Result<usize, PhraseError> {
        if out.len() < super::PHRASE_MAX_BYTES {
            return Err(PhraseError::Buffer);
        }
        write_phrase(&self.entropy, out)
    }

    /// Whether `phrase` is this signer's recovery phrase: read and compared in locked memory, in a time
    /// that does not depend on where they differ.
    ///
    /// # Errors
    /// No room in locked memory.
    pub fn is_phrase(&self, phrase: &LockedBytes) -> Result<bool, MemoryError> {
        match parse_phrase(phrase, &self.arena) {
            Ok(entropy) => Ok(entropy.expose(|bytes| self.entropy.matches(bytes))),
            Err(PhraseError::Memory(memory)) => Err(memory),
            Err(_) => Ok(false),
        }
    }

    /// Shows every secret to a test that looks for copies of it.
    #[cfg(test)]
    pub(super) fn needles(&self, show: &mut dyn FnMut(&'static str, &LockedBytes)) {
        show("entropy", &self.entropy);
        show("seed", &self.seed);
        show("log key", self.log_key.secret());
        for key in self.wallets.values() {
            match key {
                WalletKey::Solana(key) => show("ed25519 key", key.secret()),
                WalletKey::Evm(key) => show("secp256k1 key", key.secret()),
            }
        }
    }

    /// The private key at a path, for the same test.
    #[cfg(test)]
    pub(super) fn derive(&self, path: KeyPath) -> LockedBytes {
        derive_key(&self.seed, path, &self.arena).unwrap()
    }

    /// Flips one bit of a wallet's key in memory, as a fault would.
    #[cfg(test)]
    pub(super) fn flip(&mut self, path: KeyPath, bit: usize) {
        match self.wallets.get_mut(&path) {
            Some(WalletKey::Solana(key)) => key.flip(bit),
            Some(WalletKey::Evm(key)) => key.flip(bit),
            None => panic!("not registered"),
        }
    }
}

fn unlock_error(error: KeyError) -> UnlockError {
    match error {
        KeyError::Invalid => FormatError::Body.into(),
        KeyError::Memory(memory) => memory.into(),
    }
}
