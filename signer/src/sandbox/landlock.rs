//! Landlock domains: one for the process (the state directory, no TCP, no signals or abstract sockets out) and
//! an empty one for every thread that needs no file. Never widened afterwards. Called by `sandbox`.
//!
//! A domain belongs to a thread and those it starts later; so the process's domain is entered before any thread
//! exists.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, PathFdError, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, make_bitflags,
};

/// The newest kernel interface the crate knows: everything it can restrict is restricted where the kernel can.
const NEWEST: ABI = ABI::V9;
/// Without at least this much (files, Linux 5.13) the signer does not start.
const OLDEST: ABI = ABI::V1;

/// Why a domain could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum LandlockError {
    /// The state directory could not be opened.
    #[error("the state directory cannot be opened: {0}")]
    StateDirectory(#[from] PathFdError),
    /// The kernel refused, or lacks what is needed at least.
    #[error("Landlock: {0}")]
    Ruleset(#[from] RulesetError),
    /// The kernel has no Landlock, or it was left out at boot.
    #[error("the kernel has no Landlock in force")]
    Missing,
}

/// How much of Landlock is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandlockReport {
    /// Version of the kernel's interface: 1 files, 2 renames, 3 truncation, 4 TCP, 5 device ioctl, 6 signals and
    /// abstract sockets.
    pub abi: u32,
    /// Whether the kernel enforces all that this program knows to ask for.
    pub complete: bool,
}

/// Confines the calling thread, and all it starts later, to the state directory.
pub(super) fn confine_to(state_directory: &Path) -> Result<LandlockReport, LandlockError> {
    // What SQLite and the keystore do: no directories, links, sockets, devices, nothing executable.
    let needed: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile
    });
    let directory = PathFd::new(state_directory)?;
    enter(empty()?.add_rule(PathBeneath::new(directory, needed))?)
}

/// Takes every file from the calling thread. Uses only calls of `common.json`.
pub(super) fn forsake_files() -> Result<LandlockReport, LandlockError> {
    enter(empty()?)
}

/// A domain that allows nothing it can restrict.
fn empty() -> Result<RulesetCreated, LandlockError> {
    Ok(Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(OLDEST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?)
}

fn enter(domain: RulesetCreated) -> Result<LandlockReport, LandlockError> {
    report(&domain.restrict_self()?)
}

fn report(status: &RestrictionStatus) -> Result<LandlockReport, LandlockError> {
    let LandlockStatus::Available {
        effective_abi,
        kernel_abi,
    } = status.landlock
    else {
        return Err(LandlockError::Missing);
    };
    let complete = match status.ruleset {
        RulesetStatus::FullyEnforced => true,
        RulesetStatus::PartiallyEnforced => false,
        RulesetStatus::NotEnforced => return Err(LandlockError::Missing),
    };
    let abi = kernel_abi
        .and_then(|abi| u32::try_from(abi).ok())
        .unwrap_or(effective_abi as u32);
    Ok(LandlockReport { abi, complete })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind;

    use super::*;

    fn refused<T>(attempt: std::io::Result<T>) -> bool {
        matches!(attempt, Err(error) if error.kind() == ErrorKind::PermissionDenied)
    }

    /// A domain binds the thread that enters it: each test gives up a thread of its own.
    fn in_a_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(test).join()).unwrap();
    }

    #[test]
    fn the_state_directory_and_nothing_else() {
        let (state, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("kept"), b"x").unwrap();
        in_a_thread(|| {
            let report = confine_to(state.path()).unwrap();
            assert!(report.abi >= 1);
            let (new, old) = (state.path().join("new"), state.path().join("old"));
            fs::write(&new, b"x").unwrap();
            fs::rename(&new, &old).unwrap();
            File::open(state.path()).unwrap().sync_all().unwrap();
            assert_eq!(fs::read(&old).unwrap(), b"x");
            // What the signer does not do even there.
            assert!(refused(fs::create_dir(state.path().join("folder"))));
            assert!(refused(std::os::unix::fs::symlink(
                "/",
                state.path().join("link")
            )));
            assert!(refused(std::os::unix::net::UnixListener::bind(
                state.path().join("socket")
            )));
            fs::remove_file(&old).unwrap();

            assert!(refused(fs::read(other.path().join("kept"))));
            assert!(refused(fs::remove_file(other.path().join("kept"))));
            assert!(refused(fs::write(other.path().join("new"), b"x")));
            assert!(refused(File::open("/proc/self/status")));
            assert!(refused(fs::read_dir("/")));
        });
        // The control: a thread that did not enter the domain.
        assert_eq!(fs::read(other.path().join("kept")).unwrap(), b"x");
    }

    #[test]
    fn a_thread_without_files() {
        let state = tempfile::tempdir().unwrap();
        in_a_thread(|| {
            confine_to(state.path()).unwrap();
            fs::write(state.path().join("file"), b"x").unwrap();
            forsake_files().unwrap();
            assert!(refused(fs::read(state.path().join("file"))));
            assert!(refused(fs::write(state.path().join("new"), b"x")));
            assert!(refused(File::open(state.path())));
        });
    }

    #[test]
    #[expect(clippy::disallowed_types, reason = "the forbidden thing is attempted")]
    fn no_network_where_the_kernel_can_tell() {
        in_a_thread(|| {
            assert!(
                std::net::TcpListener::bind("127.0.0.1:0").is_ok(),
                "the control"
            );
            let report = forsake_files().unwrap();
            // TCP rules came with interface 4 (Linux 6.7).
            let bound = std::net::TcpListener::bind("127.0.0.1:0");
            assert_eq!(refused(bound), report.abi >= 4);
        });
    }

    #[test]
    fn no_state_directory_no_start() {
        let state = tempfile::tempdir().unwrap();
        let missing = state.path().join("missing");
        in_a_thread(|| {
            assert!(matches!(
                confine_to(&missing),
                Err(LandlockError::StateDirectory(_))
            ));
            // Refusal comes before any restriction.
            fs::write(state.path().join("file"), b"x").unwrap();
        });
    }
}
