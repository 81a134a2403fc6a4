//! The keystore's place on disk. Owns the order of a write (temporary file, fsync, rename, fsync of
//! the folder, read back) and the checks on owner and mode; never looks into the bytes. Called by
//! `keystore`. System calls: openat, statx, read, write, fsync, rename, unlink, close.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::format::FILE_BYTES;

/// Name of the keystore in the state folder.
pub const FILE_NAME: &str = "keystore";
/// A write that did not end. Never read; removed by the next write.
pub const TEMPORARY_NAME: &str = "keystore.new";

/// Owner may read and write, nobody else anything.
const MODE: u32 = 0o600;
const PERMISSION_BITS: u32 = 0o7777;

/// What went wrong with the file itself.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no keystore in the folder.
    #[error("there is no keystore")]
    Missing,
    /// There is one already: a new one never takes its place.
    #[error("there is a keystore already")]
    Exists,
    /// Not a regular file.
    #[error("the keystore is not a regular file")]
    NotAFile,
    /// Somebody else could have read or replaced it.
    #[error("the keystore must have mode 0600, it has {mode:04o}")]
    Mode {
        /// The permission bits.
        mode: u32,
    },
    /// It belongs to another user than its folder.
    #[error("the keystore belongs to uid {found}, its folder to {expected}")]
    Owner {
        /// Uid of the file.
        found: u32,
        /// Uid of the folder.
        expected: u32,
    },
    /// The system refused a step before the new file took its place: the old one still stands.
    #[error("{step:?} failed: {source}")]
    System {
        /// The step.
        step: Step,
        /// What the system said.
        source: io::Error,
    },
    /// A step failed after the rename: old and new both open with their own password, and which of
    /// them survives a power cut is unknown. The process must end.
    #[error("{step:?} failed after the new keystore took its place: {source}")]
    Unknown {
        /// The step.
        step: Step,
        /// What the system said.
        source: io::Error,
    },
}

/// The steps of a read and of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening the state folder.
    OpenFolder,
    /// Opening the keystore for reading.
    Open,
    /// Reading it.
    Read,
    /// Removing what an earlier write left.
    RemoveTemporary,
    /// Creating the temporary file.
    CreateTemporary,
    /// Writing it.
    Write,
    /// Its fsync. A second try would lie: the kernel marks the pages clean.
    SyncFile,
    /// Reading the temporary file back.
    ReadTemporary,
    /// Renaming it.
    Rename,
    /// The folder's fsync.
    SyncFolder,
    /// Reading the keystore back.
    ReadBack,
}

/// The state folder. Opening it makes only system calls that the authority's filter permits.
#[derive(Debug)]
pub struct KeystoreFolder {
    folder: File,
    path: PathBuf,
    temporary: PathBuf,
    uid: u32,
    #[cfg(test)]
    pub(super) fail_at: std::cell::Cell<Option<Step>>,
}

impl KeystoreFolder {
    /// Opens the folder and notes its owner, whose files alone are accepted. That this is the user
    /// of the process follows: the signer has no capabilities when it reads, and without them a
    /// file of mode 0600 opens for its owner only.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError::System {
            step: Step::OpenFolder,
            source,
        };
        let folder = File::open(path).map_err(failed)?;
        let metadata = folder.metadata().map_err(failed)?;
        Ok(Self {
            folder,
            path: path.join(FILE_NAME),
            temporary: path.join(TEMPORARY_NAME),
            uid: metadata.uid(),
            #[cfg(test)]
            fail_at: std::cell::Cell::new(None),
        })
    }

    /// Whether there is anything under the keystore's name, readable or not.
    ///
    /// # Errors
    /// The folder cannot be searched.
    pub fn is_taken(&self) -> Result<bool, FileError> {
        match self.path.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(FileError::System {
                step: Step::Open,
                source,
            }),
        }
    }

    /// The bytes of the keystore, at most one more than a keystore has.
    pub(super) fn read(&self) -> Result<Vec<u8>, FileError> {
        self.read_file(&self.path, Step::Read)
    }

    /// Puts `bytes` in the keystore's place. Afterwards either the old file or the new one is
    /// there, whole.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.write_temporary(bytes)
            .inspect_err(|_| self.forget_temporary())?;
        self.publish(bytes)
    }

    fn write_temporary(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.step(Step::RemoveTemporary, || {
            match std::fs::remove_file(&self.temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })?;
        let mut file = self.step(Step::CreateTemporary, || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(MODE)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&self.temporary)
        })?;
        self.step(Step::Write, || file.write_all(bytes))?;
        self.step(Step::SyncFile, || file.sync_all())?;
        drop(file);
        self.compare(&self.temporary, Step::ReadTemporary, bytes)
    }

    fn publish(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.step(Step::Rename, || {
            std::fs::rename(&self.temporary, &self.path)
        })
        .inspect_err(|_| self.forget_temporary())?;
        // From here on the new file may be the one that a restart finds.
        self.step(Step::SyncFolder, || self.folder.sync_all())
            .and_then(|()| self.compare(&self.path, Step::ReadBack, bytes))
            .map_err(after_rename)
    }

    /// A failed write leaves no half file behind if that can be helped; the next write would
    /// remove it anyway.
    fn forget_temporary(&self) {
        let _ = std::fs::remove_file(&self.temporary);
    }

    fn compare(&self, path: &Path, step: Step, bytes: &[u8]) -> Result<(), FileError> {
        if self.read_file(path, step)? == bytes {
            return Ok(());
        }
        Err(FileError::System {
            step,
            source: io::ErrorKind::InvalidData.into(),
        })
    }

    fn read_file(&self, path: &Path, step: Step) -> Result<Vec<u8>, FileError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path);
        let mut file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FileError::Missing);
            }
            opened => self.step(Step::Open, || opened)?,
        };
        let metadata = self.step(step, || file.metadata())?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        if metadata.uid() != self.uid {
            return Err(FileError::Owner {
                found: metadata.uid(),
                expected: self.uid,
            });
        }
        let mode = metadata.mode() & PERMISSION_BITS;
        if mode != MODE {
            return Err(FileError::Mode { mode });
        }
        // One byte more than a keystore has, so that a longer file is seen to be longer.
        let mut bytes = vec![0; FILE_BYTES + 1];
        let length = self.step(step, || read_up_to(&mut file, &mut bytes))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    fn step<T>(&self, step: Step, run: impl FnOnce() -> io::Result<T>) -> Result<T, FileError> {
        #[cfg(test)]
        if self.fail_at.get() == Some(step) {
            return Err(FileError::System {
                step,
                source: io::Error::from_raw_os_error(libc::EIO),
            });
        }
        run().map_err(|source| FileError::System { step, source })
    }
}

fn after_rename(error: FileError) -> FileError {
    match error {
        FileError::System { step, source } => FileError::Unknown { step, source },
        other => FileError::Unknown {
            step: Step::ReadBack,
            source: io::Error::other(other),
        },
    }
}

/// Reads until the end or until `bytes` is full. `read_to_end` would ask for size and position
/// first, two system calls that nothing else here needs.
fn read_up_to(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
