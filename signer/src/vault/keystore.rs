//! The keystore as the authority sees it: created, loaded, unlocked, rewritten. Owns the sequence of
//! those operations; encryption is `seal`'s, bytes are `format`'s, the disk is `file`'s. Passwords
//! never come here, only the keys that the kdf thread made of them.

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;

use crate::sys::memory::{LockedBytes, MemoryError, SecretArena};

use super::entropy::{Entropy, EntropyError, draw, draw_array, draw_salt};
use super::file::{FileError, KeystoreFolder};
use super::format::{BODY_BYTES, Envelope, FormatError, Identity};
use super::kdf::{KdfParams, KdfRequest};
use super::phrase::ENTROPY_BYTES;
use super::seal::{OpenError, SealError, SlotPlan, is_key_of, open, seal};
use super::sign::{Ed25519Key, KeyError};
use super::unlocked::Unlocked;

/// Length of the seed of the log key, bytes.
const LOG_SEED_BYTES: usize = 32;

/// Why a keystore could not be loaded. A file that is there but does not load is never replaced.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing, somebody else's, or unreadable.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes are not a keystore.
    #[error("malformed keystore: {0}")]
    Malformed(#[from] FormatError),
}

/// Why a keystore did not unlock.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The password is wrong, or any authenticated byte of the file was altered: one answer for
    /// all of them. Slowing down further tries is the authority's business.
    #[error("wrong password")]
    WrongPassword,
    /// The content is authentic but not what version 1 holds.
    #[error("malformed keystore: {0}")]
    Malformed(#[from] FormatError),
    /// No room in locked memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Why a keystore was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The present password is wrong, or the file was altered.
    #[error("wrong password")]
    WrongPassword,
    /// The disk. After [`FileError::Unknown`] the process must end.
    #[error(transparent)]
    File(#[from] FileError),
    /// No randomness, hence no key, salt or nonce.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// No room in locked memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// What was encrypted did not open again: a fault of program or machine. Nothing was written.
    #[error("the keystore could not be encrypted")]
    Fault,
}

/// The decrypted content, taken apart: each secret in a slot of its own.
pub(super) struct Content {
    pub(super) entropy: LockedBytes,
    pub(super) log_seed: LockedBytes,
}

impl Content {
    fn generate(arena: &SecretArena, source: &mut dyn Entropy) -> Result<Self, WriteError> {
        let mut entropy = arena.take(ENTROPY_BYTES)?;
        entropy.fill(|bytes| draw(source, bytes))?;
        Self::with_seed(entropy, arena, source)
    }

    fn with_seed(
        entropy: LockedBytes,
        arena: &SecretArena,
        source: &mut dyn Entropy,
    ) -> Result<Self, WriteError> {
        let mut log_seed = arena.take(LOG_SEED_BYTES)?;
        log_seed.fill(|bytes| draw(source, bytes))?;
        Ok(Self { entropy, log_seed })
    }

    /// Seed entropy, log seed, number of imported keys (none in version 1).
    fn to_body(&self, arena: &SecretArena) -> Result<LockedBytes, MemoryError> {
        let mut body = arena.take(BODY_BYTES)?;
        body.fill(|to| {
            self.entropy.expose(|entropy| {
                self.log_seed.expose(|log_seed| {
                    let from = entropy.iter().chain(log_seed);
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                });
            });
        });
        Ok(body)
    }

    fn from_body(body: &LockedBytes, arena: &SecretArena) -> Result<Self, UnlockError> {
        let mut content = Self {
            entropy: arena.take(ENTROPY_BYTES)?,
            log_seed: arena.take(LOG_SEED_BYTES)?,
        };
        body.expose(|body| {
            let (entropy, rest) = body.split_first_chunk::<ENTROPY_BYTES>()?;
            let (log_seed, imported) = rest.split_first_chunk::<LOG_SEED_BYTES>()?;
            content.entropy.fill(|to| to.copy_from_slice(entropy));
            content.log_seed.fill(|to| to.copy_from_slice(log_seed));
            (*imported == [0, 0]).then_some(())
        })
        .ok_or(FormatError::Body)?;
        Ok(content)
    }
}

/// A keystore before its first write: the keys exist, the log's genesis and the password's key do
/// not yet. The genesis binds signer id and log key, so it is computed between the two steps.
#[expect(
    missing_debug_implementations,
    reason = "invariant 20: key material has no printed form"
)]
pub struct NewKeystore {
    signer_id: SignerId,
    content: Content,
    log_public_key: [u8; 32],
    plan: SlotPlan,
}

impl NewKeystore {
    /// Draws a new seed and log key.
    ///
    /// # Errors
    /// [`WriteError::Entropy`] or [`WriteError::Memory`].
    pub fn generate(
        signer_id: SignerId,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, WriteError> {
        let content = Content::generate(arena, entropy)?;
        Self::around(signer_id, content, arena, entropy)
    }

    /// Takes the seed entropy of a recovery phrase ([`parse_phrase`](super::parse_phrase)) and
    /// draws a new log key: a recovered signer is a new signer.
    ///
    /// # Errors
    /// [`WriteError::Entropy`] or [`WriteError::Memory`]; [`WriteError::Fault`] if the entropy is
    /// not 32 bytes.
    pub fn recover(
        signer_id: SignerId,
        seed_entropy: LockedBytes,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, WriteError> {
        if seed_entropy.len() != ENTROPY_BYTES {
            return Err(WriteError::Fault);
        }
        let content = Content::with_seed(seed_entropy, arena, entropy)?;
        Self::around(signer_id, content, arena, entropy)
    }

    fn around(
        signer_id: SignerId,
        content: Content,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, WriteError> {
        let log_key =
            Ed25519Key::from_seed(&content.log_seed, arena).map_err(|error| match error {
                KeyError::Invalid => WriteError::Fault,
                KeyError::Memory(memory) => memory.into(),
            })?;
        Ok(Self {
            signer_id,
            content,
            log_public_key: *log_key.public_key().as_bytes(),
            plan: new_plan(entropy)?,
        })
    }

    /// The public half of the log key, for the genesis.
    #[must_use]
    pub const fn log_public_key(&self) -> [u8; 32] {
        self.log_public_key
    }

    /// What the kdf thread needs to make the password's key.
    #[must_use]
    pub const fn kdf_request(&self) -> KdfRequest {
        self.plan.kdf
    }

    /// Encrypts under `kek` and writes. An existing keystore, readable or not, is never replaced.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(
        self,
        folder: KeystoreFolder,
        genesis: Digest,
        kek: &LockedBytes,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<(Keystore, Unlocked), WriteError> {
        if folder.is_taken()? {
            return Err(FileError::Exists.into());
        }
        let identity = Identity {
            signer_id: self.signer_id,
            genesis,
            log_public_key: self.log_public_key,
        };
        let body = self.content.to_body(arena)?;
        let envelope = seal(&body, identity, self.plan, kek, arena, entropy)?;
        let unlocked = Unlocked::new(&self.content, &identity, arena)?;
        folder.replace(&envelope.to_bytes())?;
        Ok((Keystore { folder, envelope }, unlocked))
    }

    /// Test keystores need no attacker to be slow.
    #[cfg(test)]
    pub(crate) fn with_weak_kdf(mut self) -> Self {
        self.plan.kdf.params = KdfParams::WEAK_FOR_TESTS;
        self
    }
}

/// A password slot that does not exist yet: salt and slot id are drawn, the kdf thread comes next.
#[derive(Debug)]
pub struct NewPassword {
    plan: SlotPlan,
}

impl NewPassword {
    /// What the kdf thread needs to make the new password's key.
    #[must_use]
    pub const fn kdf_request(&self) -> KdfRequest {
        self.plan.kdf
    }

    /// Test keystores need no attacker to be slow.
    #[cfg(test)]
    pub(crate) fn with_weak_kdf(mut self) -> Self {
        self.plan.kdf.params = KdfParams::WEAK_FOR_TESTS;
        self
    }
}

/// A keystore on disk, locked: header and ciphertext, no secret.
#[derive(Debug)]
pub struct Keystore {
    folder: KeystoreFolder,
    envelope: Envelope,
}

impl Keystore {
    /// Reads and parses the keystore of the folder.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(folder: KeystoreFolder) -> Result<Self, LoadError> {
        let envelope = Envelope::parse(&folder.read()?)?;
        Ok(Self { folder, envelope })
    }

    /// Whose keystore this claims to be. Authentic once [`unlock`](Self::unlock) succeeded.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.envelope.identity
    }

    /// What the kdf thread needs to make the password's key. Cost limits were checked on loading.
    #[must_use]
    pub const fn kdf_request(&self) -> KdfRequest {
        self.envelope.slot.kdf
    }

    /// Whether `kek` comes from this keystore's password: for admin methods that ask for the
    /// password again. Decrypts nothing.
    ///
    /// # Errors
    /// No room in locked memory.
    pub fn is_key(&self, kek: &LockedBytes, arena: &SecretArena) -> Result<bool, MemoryError> {
        is_key_of(&self.envelope, kek, arena)
    }

    /// Opens the keystore with the key that the kdf thread made of the password.
    ///
    /// # Errors
    /// See [`UnlockError`].
    pub fn unlock(&self, kek: &LockedBytes, arena: &SecretArena) -> Result<Unlocked, UnlockError> {
        let body = open(&self.envelope, kek, arena)?;
        let content = Content::from_body(&body, arena)?;
        Unlocked::new(&content, &self.envelope.identity, arena)
    }

    /// Begins a change of password.
    ///
    /// # Errors
    /// The source of randomness failed.
    pub fn new_password(&self, entropy: &mut dyn Entropy) -> Result<NewPassword, EntropyError> {
        Ok(NewPassword {
            plan: new_plan(entropy)?,
        })
    }

    /// Re-encrypts everything under a fresh data key for the new password. Copies of the old file
    /// still open with the old password.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn change_password(
        &mut self,
        old_kek: &LockedBytes,
        password: NewPassword,
        new_kek: &LockedBytes,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<(), WriteError> {
        self.write(old_kek, password.plan, new_kek, arena, entropy)
    }

    /// Re-encrypts everything under a fresh data key and fresh nonces, for the same password.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn rewrite(
        &mut self,
        kek: &LockedBytes,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<(), WriteError> {
        let plan = SlotPlan {
            id: self.envelope.slot.id,
            kdf: self.envelope.slot.kdf,
        };
        self.write(kek, plan, kek, arena, entropy)
    }

    fn write(
        &mut self,
        old_kek: &LockedBytes,
        plan: SlotPlan,
        new_kek: &LockedBytes,
        arena: &SecretArena,
        entropy: &mut dyn Entropy,
    ) -> Result<(), WriteError> {
        let body = open(&self.envelope, old_kek, arena).map_err(UnlockError::from)?;
        let envelope = seal(&body, self.envelope.identity, plan, new_kek, arena, entropy)?;
        self.folder.replace(&envelope.to_bytes())?;
        self.envelope = envelope;
        Ok(())
    }

    /// The folder, to break it.
    #[cfg(test)]
    pub(super) fn folder(&self) -> &KeystoreFolder {
        &self.folder
    }
}

/// A new password gets a new slot id, a new salt, and the cost of today.
fn new_plan(entropy: &mut dyn Entropy) -> Result<SlotPlan, EntropyError> {
    Ok(SlotPlan {
        id: draw_array(entropy)?,
        kdf: KdfRequest {
            params: KdfParams::DEFAULT,
            salt: draw_salt(entropy)?,
        },
    })
}

impl From<OpenError> for UnlockError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::WrongPassword => Self::WrongPassword,
            OpenError::Memory(memory) => Self::Memory(memory),
        }
    }
}

impl From<SealError> for WriteError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Entropy(entropy) => Self::Entropy(entropy),
            SealError::Memory(memory) => Self::Memory(memory),
            SealError::Fault => Self::Fault,
        }
    }
}

impl From<UnlockError> for WriteError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::WrongPassword => Self::WrongPassword,
            UnlockError::Malformed(_) => Self::Fault,
            UnlockError::Memory(memory) => Self::Memory(memory),
        }
    }
}
