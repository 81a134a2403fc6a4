//! What a password guess costs: the parameters of Argon2id with their compiled-in floor and ceiling, and what the
//! kdf thread needs of a file. Knows no password and no memory. Called by `format` and `kdf`.

/// Length of a salt, bytes.
pub const SALT_BYTES: usize = 32;
/// Length of the key that a password gives (the key-encryption key), bytes.
pub const KEK_BYTES: usize = 32;
/// Memory of new keystores and the least that is accepted, KiB (256 MiB).
const MEMORY_FLOOR_KIB: u32 = 256 * 1024;
/// The most that a file may demand, KiB (4 GiB).
const MEMORY_CEILING_KIB: u32 = 4 * 1024 * 1024;
/// Passes over the memory: of new keystores and the least that is accepted.
const PASSES_FLOOR: u32 = 3;
/// The most passes that a file may demand.
const PASSES_CEILING: u32 = 16;
/// One lane: lanes are computed one after another here, so more would help only an attacker.
const LANES_FLOOR: u32 = 1;
/// The most lanes that a file may state.
const LANES_CEILING: u32 = 4;

/// Why cost parameters are refused. Checked before any memory is allocated, and even if the file
/// that states them is authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KdfLimit {
    /// Memory outside of 256 MiB to 4 GiB.
    #[error("the KDF memory of {0} KiB is outside of 262144 to 4194304 KiB")]
    Memory(u32),
    /// Passes outside of 3 to 16.
    #[error("{0} KDF passes are outside of 3 to 16")]
    Passes(u32),
    /// Lanes outside of 1 to 4.
    #[error("{0} KDF lanes are outside of 1 to 4")]
    Lanes(u32),
}

/// Cost of one password guess. Every value of this type is within floor and ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfParams {
    /// What new keystores get: 256 MiB, three passes, one lane (0.6 s on the reference machine).
    pub const DEFAULT: Self = Self {
        memory_kib: MEMORY_FLOOR_KIB,
        passes: PASSES_FLOOR,
        lanes: LANES_FLOOR,
    };

    /// A cost that no attacker would mind. It exists in unit tests alone: no feature, profile or
    /// variable of a real build leads here.
    #[cfg(test)]
    pub(crate) const WEAK_FOR_TESTS: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// Parameters from outside.
    ///
    /// # Errors
    /// [`KdfLimit`] names the first value below the floor or above the ceiling.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KdfLimit> {
        let params = Self {
            memory_kib,
            passes,
            lanes,
        };
        #[cfg(test)]
        if params == Self::WEAK_FOR_TESTS {
            return Ok(params);
        }
        if !(MEMORY_FLOOR_KIB..=MEMORY_CEILING_KIB).contains(&memory_kib) {
            return Err(KdfLimit::Memory(memory_kib));
        }
        if !(PASSES_FLOOR..=PASSES_CEILING).contains(&passes) {
            return Err(KdfLimit::Passes(passes));
        }
        if !(LANES_FLOOR..=LANES_CEILING).contains(&lanes) {
            return Err(KdfLimit::Lanes(lanes));
        }
        Ok(params)
    }

    /// Memory, KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    #[must_use]
    pub const fn lanes(self) -> u32 {
        self.lanes
    }
}

/// All that the kdf thread needs beside the password. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfRequest {
    /// The cost.
    pub params: KdfParams,
    /// The salt: random, new with each password.
    pub salt: [u8; SALT_BYTES],
}
