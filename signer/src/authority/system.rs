//! Where the authority's clock readings and entropy come from: the kernel, or the simulator's seed.

use nix::time::{ClockId, clock_gettime};

use crate::core::clock::Reading;
use crate::vault::{Entropy, EntropyError, KernelEntropy};

/// Clocks and entropy, injected.
pub trait System {
    /// One reading of the three clocks; `None` closes signing.
    fn clocks(&mut self) -> Option<Reading>;

    /// 256 fresh random bits.
    ///
    /// # Errors
    /// The source failed; nothing may be made from it.
    fn entropy(&mut self) -> Result<[u8; 32], EntropyError>;

    /// The source itself, for keys.
    fn source(&mut self) -> &mut dyn Entropy;
}

/// The kernel's clocks and CSPRNG.
#[derive(Debug, Default)]
pub struct Kernel {
    source: KernelEntropy,
}

impl System for Kernel {
    fn clocks(&mut self) -> Option<Reading> {
        let read = |clock| {
            let time = clock_gettime(clock).ok()?;
            let seconds = u64::try_from(time.tv_sec()).ok()?;
            let nanos = u64::try_from(time.tv_nsec()).ok()?;
            seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)
        };
        Some(Reading {
            wall: read(ClockId::CLOCK_REALTIME)?,
            monotonic: read(ClockId::CLOCK_MONOTONIC)?,
            boottime: read(ClockId::CLOCK_BOOTTIME)?,
        })
    }

    fn entropy(&mut self) -> Result<[u8; 32], EntropyError> {
        let mut bytes = [0; 32];
        self.source.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn source(&mut self) -> &mut dyn Entropy {
        &mut self.source
    }
}
