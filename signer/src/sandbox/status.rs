//! What the kernel says about this process, read from `/proc/self/status`.
//! Opened before Landlock and kept until the filters are on: the last word on what is in force is the kernel's,
//! not ours. Called by `sandbox`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// `/proc/self/status` is about 1.5 KiB; a longer one is read up to here, in bytes.
const LONGEST: usize = 16 * 1024;

/// Why the kernel's own account could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Opening or reading the file.
    #[error("/proc/self/status: {0}")]
    Read(#[from] io::Error),
    /// A line that every supported kernel has is missing or no number.
    #[error("/proc/self/status has no usable line {0}")]
    Line(&'static str),
}

/// The open file.
#[derive(Debug)]
pub(super) struct StatusFile(File);

/// The lines that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// Threads of the process.
    pub(super) threads: u64,
    /// Whether no-new-privs is set.
    pub(super) no_new_privileges: bool,
    /// Whether the first thread runs under seccomp filters (mode 2).
    pub(super) filtered: bool,
    /// Union of the inheritable, permitted, effective and ambient sets.
    pub(super) capabilities: u64,
    /// The bounding set.
    pub(super) bounding: u64,
}

impl StatusFile {
    pub(super) fn open() -> Result<Self, StatusError> {
        Ok(Self(File::open("/proc/self/status")?))
    }

    /// Reads it anew. Uses nothing but `pread`, so it works under the common filter and Landlock.
    pub(super) fn read(&self) -> Result<Status, StatusError> {
        let mut bytes = Vec::with_capacity(LONGEST);
        let mut chunk = [0_u8; 1024];
        while bytes.len() < LONGEST {
            let at = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let read = self.0.read_at(&mut chunk, at)?;
            match chunk.get(..read) {
                Some(fresh) if read > 0 => bytes.extend_from_slice(fresh),
                _ => break,
            }
        }
        Status::parse(&String::from_utf8_lossy(&bytes))
    }
}

impl Status {
    fn parse(text: &str) -> Result<Self, StatusError> {
        let number = |name: &'static str, radix: u32| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .and_then(|value| u64::from_str_radix(value.trim(), radix).ok())
                .ok_or(StatusError::Line(name))
        };
        let mut capabilities = 0;
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            capabilities |= number(set, 16)?;
        }
        Ok(Self {
            threads: number("Threads", 10)?,
            no_new_privileges: number("NoNewPrivs", 10)? == 1,
            filtered: number("Seccomp", 10)? == 2,
            capabilities,
            bounding: number("CapBnd", 16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str = "Name:\tx\nThreads:\t5\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
        CapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n\
        Seccomp:\t2\nSeccomp_filters:\t3\n";

    #[test]
    fn reads_the_lines_that_matter() {
        let status = Status::parse(SEALED).unwrap();
        assert_eq!(
            status,
            Status {
                threads: 5,
                no_new_privileges: true,
                filtered: true,
                capabilities: 0,
                bounding: 0x1ff_feff_ffff
            }
        );
    }

    #[test]
    fn any_set_counts() {
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            let text = SEALED.replace(
                &format!("{set}:\t0000000000000000"),
                &format!("{set}:\t0000000000000004"),
            );
            assert_eq!(Status::parse(&text).unwrap().capabilities, 4, "{set}");
        }
    }

    #[test]
    fn a_missing_or_odd_line_is_an_error() {
        for name in [
            "Threads",
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "NoNewPrivs",
            "Seccomp",
        ] {
            let gone: String = SEALED
                .lines()
                .filter(|line| !line.starts_with(&format!("{name}:")))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(
                matches!(Status::parse(&gone), Err(StatusError::Line(line)) if line == name),
                "{name}"
            );
            let odd = format!("{gone}{name}:\tzz\n");
            assert!(
                matches!(Status::parse(&odd), Err(StatusError::Line(line)) if line == name),
                "{name}"
            );
        }
    }

    #[test]
    fn the_kernel_in_use_has_every_line() {
        let status = StatusFile::open().unwrap().read().unwrap();
        assert!(status.threads >= 1);
    }
}
