//! What the lockdown of this process consists of: said once, for `status` and the start line of the log.
//! Plain facts; it proves nothing by itself, `Sandboxed` does.

use std::fmt;

use crate::sandbox::landlock::LandlockReport;
use crate::sys::memory::Backing;

/// What is in force. What the kernel lacks is said here, never passed over in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What holds the secrets.
    pub secrets: Backing,
    /// How much of Landlock the kernel enforces.
    pub landlock: LandlockReport,
    /// Threads under a filter of their own: all of the process.
    pub filtered_threads: u64,
    /// Whether the kernel refuses memory that becomes executable (Linux 6.3). The filters do in any case.
    pub memory_deny_write_execute: bool,
    /// Whether the capability bounding set is empty. The other sets always are.
    pub bounding_set_empty: bool,
    /// Whether the process runs under uid 0: without capabilities, but root's files are its own.
    pub runs_as_root: bool,
    /// The limit on locked memory in bytes; `None` is no limit.
    pub memlock_limit: Option<u64>,
}

impl Report {
    /// Whether nothing is weaker than on the newest kernel under an uid of its own.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.secrets == Backing::MemfdSecret
            && self.landlock.abi >= FULL_ABI
            && self.memory_deny_write_execute
            && !self.runs_as_root
    }
}

/// From this interface on Landlock covers files, truncation, TCP, signals and abstract sockets (Linux 6.12).
const FULL_ABI: u32 = 6;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = match self.secrets {
            Backing::MemfdSecret => "memfd_secret",
            Backing::Mlocked => "mlock (this kernel has no memfd_secret: root can read key memory)",
        };
        write!(
            f,
            "secrets in {secrets}; {} threads filtered; Landlock ABI {}; MDWE {}; bounding set {}",
            self.filtered_threads,
            self.landlock.abi,
            if self.memory_deny_write_execute {
                "on"
            } else {
                "not in this kernel"
            },
            if self.bounding_set_empty {
                "empty"
            } else {
                "kept (no-new-privs makes it useless)"
            },
        )?;
        match self.memlock_limit {
            Some(bytes) => write!(f, "; locked memory up to {bytes} bytes")?,
            None => f.write_str("; locked memory without limit")?,
        }
        if self.runs_as_root {
            f.write_str("; runs as root: give it an uid of its own")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Report {
        Report {
            secrets: Backing::MemfdSecret,
            landlock: LandlockReport {
                abi: 7,
                complete: false,
            },
            filtered_threads: 5,
            memory_deny_write_execute: true,
            bounding_set_empty: true,
            runs_as_root: false,
            memlock_limit: Some(8_388_608),
        }
    }

    #[test]
    fn says_what_is_in_force() {
        assert_eq!(
            full().to_string(),
            "secrets in memfd_secret; 5 threads filtered; Landlock ABI 7; MDWE on; bounding set empty; \
             locked memory up to 8388608 bytes"
        );
        assert!(full().is_complete());
    }

    #[test]
    fn says_what_is_weaker() {
        for weaker in [
            Report {
                secrets: Backing::Mlocked,
                ..full()
            },
            Report {
                landlock: LandlockReport {
                    abi: 2,
                    complete: false,
                },
                ..full()
            },
            Report {
                memory_deny_write_execute: false,
                ..full()
            },
            Report {
                runs_as_root: true,
                ..full()
            },
        ] {
            assert!(!weaker.is_complete());
            assert_ne!(weaker.to_string(), full().to_string());
        }
    }
}
