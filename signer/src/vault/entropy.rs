//! Where random bytes for keys, salts and nonces come from. Owns the source and the checks on what
//! it delivered; never stretches, stores or mixes. Called by `keystore` and `seal` only.

use super::kdf::SALT_BYTES;

/// Bytes that no honest source delivers as zeros: 2^-64 for each run.
const RUN: usize = 8;

/// The source failed, or delivered less than was asked for. Nothing was made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of random bytes failed")]
pub struct EntropyError;

/// A cryptographic source of random bytes. Injected, so that a failing one can be tested.
pub trait Entropy {
    /// Overwrites all of `bytes`.
    ///
    /// # Errors
    /// The source could not fill the whole buffer.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The kernel's generator, `getrandom(2)`: it waits until it is seeded.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelEntropy;

impl Entropy for KernelEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }
}

/// Fills `bytes` from `source` and refuses what a broken source looks like: an error, zeros, or a
/// fill that stopped short (the buffer is zero beforehand, so the rest would be a run of zeros).
pub(super) fn draw(source: &mut dyn Entropy, bytes: &mut [u8]) -> Result<(), EntropyError> {
    bytes.fill(0);
    let drawn = source.fill(bytes);
    let empty = |run: &[u8]| run.iter().all(|byte| *byte == 0);
    let broken = bytes.chunks(RUN).any(|run| run.len() == RUN && empty(run))
        || bytes.rchunks(RUN).next().is_none_or(empty);
    if drawn.is_err() || broken {
        bytes.fill(0);
        return Err(EntropyError);
    }
    Ok(())
}

/// Public random bytes: salts, nonces, identifiers.
pub(super) fn draw_array<const N: usize>(
    source: &mut dyn Entropy,
) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    draw(source, &mut bytes)?;
    Ok(bytes)
}

/// A fresh KDF salt.
pub(super) fn draw_salt(source: &mut dyn Entropy) -> Result<[u8; SALT_BYTES], EntropyError> {
    draw_array(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delivers ones, but only to the first `reach` bytes, and says all is well.
    struct Short {
        reach: usize,
    }

    impl Entropy for Short {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.iter_mut().take(self.reach).for_each(|byte| *byte = 1);
            Ok(())
        }
    }

    struct Failing;

    impl Entropy for Failing {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(7);
            Err(EntropyError)
        }
    }

    #[test]
    fn a_short_or_failing_source_is_refused() {
        for length in [12, 16, 32] {
            let mut bytes = vec![0; length];
            for reach in 0..=length - RUN {
                assert_eq!(
                    draw(&mut Short { reach }, &mut bytes),
                    Err(EntropyError),
                    "{reach} of {length}"
                );
            }
            assert_eq!(draw(&mut Short { reach: length }, &mut bytes), Ok(()));
            assert_eq!(draw(&mut Failing, &mut bytes), Err(EntropyError));
            assert!(bytes.iter().all(|byte| *byte == 0));
        }
        assert_eq!(draw(&mut KernelEntropy, &mut []), Err(EntropyError));
    }

    #[test]
    fn the_kernel_delivers() {
        let first: [u8; 32] = draw_array(&mut KernelEntropy).unwrap();
        let second: [u8; 32] = draw_array(&mut KernelEntropy).unwrap();
        assert_ne!(first, second);
    }
}
