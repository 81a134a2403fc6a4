//! Settings of the process as a whole: limits, environment, capabilities, no-new-privs, dumpable, the panic hook.
//! Each is one function that does one thing and checks it. Never decides the order: `sandbox::prepare` does, and
//! is the only caller.

use std::io::Write as _;
use std::marker::PhantomData;
use std::panic;

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{geteuid, getuid};

/// `PR_SET_MDWE`, Linux 6.3 (linux/prctl.h).
const PR_SET_MDWE: libc::c_int = 65;
/// `PR_MDWE_REFUSE_EXEC_GAIN`, Linux 6.3 (linux/prctl.h).
const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;

/// What the panic hook prints. Constant: a message could quote the data that the code panicked over.
const PANIC_LINE: &[u8] = b"waiaas-signer: a thread stopped on a broken assumption\n";

/// Which setting the kernel refused.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The limit on core files.
    #[error("the limit on core files cannot be set: {0}")]
    CoreLimit(#[source] Errno),
    /// Reading the limit on locked memory.
    #[error("the limit on locked memory cannot be read: {0}")]
    MemlockLimit(#[source] Errno),
    /// The environment could not be cleared.
    #[error("the environment cannot be cleared")]
    Environment,
    /// A capability set could not be emptied.
    #[error("capabilities cannot be dropped: {0}")]
    Capabilities(#[source] CapsError),
    /// No-new-privs.
    #[error("no-new-privs cannot be set: {0}")]
    NoNewPrivileges(#[source] Errno),
    /// Dumpable.
    #[error("the process cannot be made non-dumpable: {0}")]
    Dumpable(#[source] Errno),
    /// The kernel took the call, but the process is dumpable all the same.
    #[error("the process is still dumpable")]
    StillDumpable,
}

/// Proof that the process has exactly one thread, the one that holds it.
#[derive(Debug)]
pub struct Alone(PhantomData<*const ()>);

impl Alone {
    /// `threads` is the number that `/proc/self/status` gives.
    pub(crate) fn verified(threads: u64) -> Option<Self> {
        (threads == 1).then_some(Self(PhantomData))
    }
}

/// Replaces the panic hook by one that prints a fixed line: no payload, no backtrace, no file opened (a
/// backtrace opens the program and its libraries, which is death under the filters).
pub(crate) fn quiet_panics() {
    panic::set_hook(Box::new(|_| {
        // A closed stderr must not panic in the hook.
        let _ = std::io::stderr().write_all(PANIC_LINE);
    }));
}

/// Empties the environment: nothing the signer does is steered by it, and `RUST_BACKTRACE` must not be seen.
pub(crate) fn clear_environment(_alone: &Alone) -> Result<(), ProcessError> {
    // SAFETY: clearenv must not race with readers of the environment; `Alone` proves there is no other thread.
    match unsafe { libc::clearenv() } {
        0 => Ok(()),
        _ => Err(ProcessError::Environment),
    }
}

/// Files made from now on belong to this uid alone (0600 at most).
pub(crate) fn create_private_files() {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
}

/// Sets the limit on core files to zero, for good.
pub(crate) fn forbid_core_files() -> Result<(), ProcessError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(ProcessError::CoreLimit)
}

/// The limit on locked memory in bytes; `None` is no limit.
pub(crate) fn memlock_limit() -> Result<Option<u64>, ProcessError> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(ProcessError::MemlockLimit)?;
    Ok((soft != RLIM_INFINITY).then_some(soft))
}

/// Whether the process runs under uid 0, which keeps root's files open to it even without capabilities.
pub(crate) fn runs_as_root() -> bool {
    getuid().is_root() || geteuid().is_root()
}

/// Empties every capability set. The bounding set goes first, while `CAP_SETPCAP` is effective: later the call
/// fails. A process without that capability keeps its bounding set, which no-new-privs makes worthless.
pub(crate) fn drop_capabilities() -> Result<(), ProcessError> {
    let failed = ProcessError::Capabilities;
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(failed)? {
        caps::clear(None, CapSet::Bounding).map_err(failed)?;
    }
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    // Clears the effective set as well: none may be effective that is not permitted.
    caps::clear(None, CapSet::Permitted).map_err(failed)
}

/// No program started from here could gain rights. Needed for Landlock and seccomp without capabilities.
pub(crate) fn forbid_new_privileges() -> Result<(), ProcessError> {
    prctl::set_no_new_privs().map_err(ProcessError::NoNewPrivileges)
}

/// Closes `/proc/self/mem`, ptrace and core files to everybody but root. Exec and changes of uid undo it, so
/// it comes after them.
pub(crate) fn forbid_dumps() -> Result<(), ProcessError> {
    prctl::set_dumpable(false).map_err(ProcessError::Dumpable)?;
    match prctl::get_dumpable().map_err(ProcessError::Dumpable)? {
        false => Ok(()),
        true => Err(ProcessError::StillDumpable),
    }
}

/// Asks the kernel to refuse memory that becomes executable; whether it did (Linux 6.3 and later).
pub(crate) fn forbid_writable_code() -> bool {
    let unused: libc::c_ulong = 0;
    // SAFETY: this prctl takes plain numbers and touches no memory of ours.
    let result = unsafe {
        libc::prctl(
            PR_SET_MDWE,
            PR_MDWE_REFUSE_EXEC_GAIN,
            unused,
            unused,
            unused,
        )
    };
    result == 0
}
