//! From a password to the key that opens a slot: Argon2id (RFC 9106) at the cost that `cost` lets pass. Never
//! sees a file. `derive` runs on the kdf thread, because it takes most of a second on purpose.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

pub use super::cost::{KEK_BYTES, KdfLimit, KdfParams, KdfRequest, SALT_BYTES};
use crate::sys::memory::{LockedBytes, MemoryError, SecretArena, scrub_stack};

/// The longest password, bytes of UTF-8 as typed. The shortest is one byte.
pub const PASSWORD_MAX_BYTES: usize = 1024;

/// Why no key came out of a password. It says nothing about whether the password is right.
#[derive(Debug, thiserror::Error)]
pub enum KdfError {
    /// Empty, or longer than [`PASSWORD_MAX_BYTES`].
    #[error("a password has 1 to {PASSWORD_MAX_BYTES} bytes")]
    PasswordLength,
    /// The working memory could not be allocated.
    #[error("not enough memory to check a password ({memory_kib} KiB)")]
    WorkingMemory {
        /// What was needed, KiB.
        memory_kib: u32,
    },
    /// No room in locked memory for the result.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The Argon2 implementation refused the parameters.
    #[error("the KDF refused: {0}")]
    Argon2(argon2::Error),
}

/// The blocks that Argon2 works on, wiped however the call ends. They are too many to lock; the
/// last of them gives the key, so they must not survive in freed memory.
struct WorkingMemory(Vec<Block>);

impl WorkingMemory {
    fn allocate(params: KdfParams, blocks: usize) -> Result<Self, KdfError> {
        let mut memory = Vec::new();
        memory
            .try_reserve_exact(blocks)
            .map_err(|_| KdfError::WorkingMemory {
                memory_kib: params.memory_kib(),
            })?;
        memory.resize(blocks, Block::new());
        Ok(Self(memory))
    }
}

impl Drop for WorkingMemory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Argon2id, version 0x13, no secret, no associated data: `password` and salt to a key of
/// [`KEK_BYTES`] in locked memory. The password's bytes are taken as typed: two Unicode forms of
/// one text are two passwords, which is why the command line normalises to NFC first.
///
/// # Errors
/// See [`KdfError`].
pub fn derive(
    password: &LockedBytes,
    request: &KdfRequest,
    arena: &SecretArena,
) -> Result<LockedBytes, KdfError> {
    if password.is_empty() || password.len() > PASSWORD_MAX_BYTES {
        return Err(KdfError::PasswordLength);
    }
    let params = request.params;
    let cost = Params::new(
        params.memory_kib(),
        params.passes(),
        params.lanes(),
        Some(KEK_BYTES),
    )
    .map_err(KdfError::Argon2)?;
    let mut kek = arena.take(KEK_BYTES)?;
    let mut memory = WorkingMemory::allocate(params, cost.block_count())?;
    let hashed = hash(cost, password, &request.salt, &mut kek, &mut memory);
    scrub_stack();
    hashed.map_err(KdfError::Argon2)?;
    Ok(kek)
}

#[inline(never)]
fn hash(
    cost: Params,
    password: &LockedBytes,
    salt: &[u8; SALT_BYTES],
    kek: &mut LockedBytes,
    memory: &mut WorkingMemory,
) -> argon2::Result<()> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
    password.expose(|typed| {
        kek.fill(|key| {
            argon2.hash_password_into_with_memory(typed, salt, key, memory.0.as_mut_slice())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{arena, locked};
    use super::*;

    #[test]
    fn floor_and_ceiling_hold_at_every_edge() {
        assert_eq!(KdfParams::new(262_144, 3, 1), Ok(KdfParams::DEFAULT));
        assert!(KdfParams::new(4_194_304, 16, 4).is_ok());
        for memory in [0, 1, 7, 8, 65_536, 262_143, 4_194_305, 64 << 20, u32::MAX] {
            assert_eq!(
                KdfParams::new(memory, 3, 1),
                Err(KdfLimit::Memory(memory)),
                "{memory}"
            );
        }
        for passes in [0, 1, 2, 17, u32::MAX] {
            assert_eq!(
                KdfParams::new(262_144, passes, 1),
                Err(KdfLimit::Passes(passes))
            );
        }
        for lanes in [0, 5, 0xff_ffff, u32::MAX] {
            assert_eq!(
                KdfParams::new(262_144, 3, lanes),
                Err(KdfLimit::Lanes(lanes))
            );
        }
    }

    #[test]
    fn password_length_is_bounded() {
        let arena = arena();
        let request = KdfRequest {
            params: KdfParams::WEAK_FOR_TESTS,
            salt: [1; SALT_BYTES],
        };
        for (length, accepted) in [
            (0, false),
            (1, true),
            (PASSWORD_MAX_BYTES, true),
            (PASSWORD_MAX_BYTES + 1, false),
        ] {
            let password = locked(&arena, &vec![b'a'; length]);
            assert_eq!(derive(&password, &request, &arena).is_ok(), accepted);
        }
    }

    #[test]
    fn password_and_salt_both_matter() {
        let arena = arena();
        let key = |password: &[u8], salt: u8| {
            let request = KdfRequest {
                params: KdfParams::WEAK_FOR_TESTS,
                salt: [salt; SALT_BYTES],
            };
            derive(&locked(&arena, password), &request, &arena)
                .unwrap()
                .expose(<[u8]>::to_vec)
        };
        assert_eq!(key(b"one", 1), key(b"one", 1));
        assert_ne!(key(b"one", 1), key(b"two", 1));
        assert_ne!(key(b"one", 1), key(b"one", 2));
    }
}
