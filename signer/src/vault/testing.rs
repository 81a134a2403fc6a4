//! What the vault's unit tests share: an arena, secrets in it, a source of bytes that repeats, and
//! keystores whose KDF costs nothing. Compiled for tests alone; other modules' tests may use it.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;

use crate::sys::memory::{LockedBytes, SecretArena};

use super::entropy::{Entropy, EntropyError};
use super::file::KeystoreFolder;
use super::kdf::derive;
use super::keystore::{Keystore, NewKeystore};
use super::unlocked::Unlocked;

/// An arena with room for a test.
pub(crate) fn arena() -> SecretArena {
    SecretArena::new(64 * 1024).unwrap()
}

/// These bytes, locked.
pub(crate) fn locked(arena: &SecretArena, bytes: &[u8]) -> LockedBytes {
    let mut slot = arena.take(bytes.len()).unwrap();
    slot.fill(|to| to.copy_from_slice(bytes));
    slot
}

/// A source that gives the same bytes for the same seed: SHA-256 of seed and counter.
pub(crate) struct Repeating {
    seed: u64,
    counter: u64,
    /// Fails from this call on.
    pub(crate) fails_at: Option<u64>,
}

impl Repeating {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            counter: 0,
            fails_at: None,
        }
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.counter
    }
}

impl Entropy for Repeating {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if self.fails_at == Some(self.counter) {
            return Err(EntropyError);
        }
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_be_bytes());
        hasher.update(self.counter.to_be_bytes());
        self.counter += 1;
        let digest = hasher.finalize();
        assert!(bytes.len() <= digest.len());
        bytes.copy_from_slice(&digest[..bytes.len()]);
        Ok(())
    }
}

/// A new keystore in `path` with this password, and its open form.
pub(crate) fn create(
    path: &Path,
    password: &[u8],
    arena: &SecretArena,
    entropy: &mut dyn Entropy,
) -> (Keystore, Unlocked) {
    let new = NewKeystore::generate(SignerId::from_bytes([9; 16]), arena, entropy)
        .unwrap()
        .with_weak_kdf();
    let kek = derive(&locked(arena, password), &new.kdf_request(), arena).unwrap();
    let folder = KeystoreFolder::open(path).unwrap();
    new.write(folder, Digest::from_bytes([8; 32]), &kek, arena, entropy)
        .unwrap()
}
