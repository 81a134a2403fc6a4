//! The lockdown (invariant 21): everything the process gives up before it reads the first byte from a peer.
//! A chain of stages, each made only from the one before, so the order cannot be wrong:
//!
//! ```text
//! prepare() -> Prepared -> confine(state directory, arena) -> Confined -> spawn(...)* -> seal() -> Sandboxed
//! ```
//!
//! Owns the order and the tokens; knows nothing of keys, ledger or sockets. No flag, feature, variable or build
//! profile leaves a step out. Called by `main`, once, from the only thread.
//!
//! Why this order: capabilities go while `CAP_SETPCAP` is still effective. Dumpable is reset by changes of uid.
//! Landlock binds a thread and those it starts later, so it comes before any thread. The common filter goes on
//! all threads at once (TSYNC), which the kernel refuses once one of them has a filter of its own, and which kills
//! a thread that is still in libc's start-up: so all are up first, and narrow themselves afterwards.

mod landlock;
mod report;
mod seccomp;
mod status;
mod threads;

use std::io;
use std::path::Path;

pub use landlock::{LandlockError, LandlockReport};
pub use report::Report;
pub use seccomp::{AllowedCall, Filter};
pub use status::StatusError;
pub use threads::{Role, SealedThread, ThreadEnd};

use crate::sys::memory::SecretArena;
use crate::sys::process::{self, Alone, ProcessError};
use status::{Status, StatusFile};
use threads::Seat;

/// Why the process is not sealed. There is no way on from any of these.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A thread existed before its time: it would stand outside the Landlock domain.
    #[error("{found} threads exist where {expected} were expected")]
    Threads {
        /// How many should exist.
        expected: u64,
        /// How many the kernel counts.
        found: u64,
    },
    /// A setting of the process was refused.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The kernel's account of the process could not be read.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The kernel's account differs from what was set.
    #[error("the kernel does not confirm: {0}")]
    NotInForce(Unconfirmed),
    /// Files cannot be confined.
    #[error(transparent)]
    Landlock(#[from] LandlockError),
    /// A filter was refused.
    #[error("thread {thread}: seccomp: {source}")]
    Seccomp {
        /// The thread it was meant for.
        thread: &'static str,
        /// The kernel's answer.
        source: seccompiler::Error,
    },
    /// A thread could not be started.
    #[error("thread {thread} cannot be started: {source}")]
    Spawn {
        /// Its name.
        thread: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A thread started but could not set up its work.
    #[error("thread {thread} cannot set up: {source}")]
    SetUp {
        /// Its name.
        thread: &'static str,
        /// What its set-up returned.
        source: io::Error,
    },
    /// A thread ended before it was sealed.
    #[error("thread {thread} ended before it was sealed")]
    ThreadEnded {
        /// Its name.
        thread: &'static str,
    },
}

/// What the kernel does not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// A capability is left.
    #[error("capabilities are dropped")]
    Capabilities,
    /// No-new-privs is off.
    #[error("no-new-privs")]
    NoNewPrivileges,
    /// No filter is on.
    #[error("seccomp filters")]
    Filters,
}

/// First stage: the process has given up capabilities, dumps, its environment and the way to new privileges.
#[derive(Debug)]
pub struct Prepared {
    status: StatusFile,
    facts: Facts,
}

/// Second stage: no file but those of the state directory can be opened. Threads start here.
#[derive(Debug)]
pub struct Confined {
    status: StatusFile,
    seats: Vec<Seat>,
    facts: Facts,
    landlock: LandlockReport,
    secrets: SecretArena,
}

/// Last stage: every thread is under its own filter. Whoever serves a peer or decrypts a key asks for this token,
/// and nothing else can make one.
#[derive(Clone, Copy, Debug)]
pub struct Sandboxed {
    report: Report,
}

/// What the first stage found out.
#[derive(Clone, Copy, Debug)]
struct Facts {
    memory_deny_write_execute: bool,
    bounding_set_empty: bool,
    runs_as_root: bool,
    memlock_limit: Option<u64>,
}

/// Gives up what the whole process can do without, and checks it with the kernel. Call it first in `main`: it
/// refuses to work beside another thread.
///
/// # Errors
/// [`SandboxError`]; the process must then end.
pub fn prepare() -> Result<Prepared, SandboxError> {
    let status = StatusFile::open()?;
    let threads = status.read()?.threads;
    let alone = Alone::verified(threads).ok_or(SandboxError::Threads {
        expected: 1,
        found: threads,
    })?;

    process::quiet_panics();
    process::clear_environment(&alone)?;
    process::create_private_files();
    process::forbid_core_files()?;
    process::drop_capabilities()?;
    process::forbid_new_privileges()?;
    process::forbid_dumps()?;
    let memory_deny_write_execute = process::forbid_writable_code();

    let now = status.read()?;
    confirm(&now)?;
    let facts = Facts {
        memory_deny_write_execute,
        bounding_set_empty: now.bounding == 0,
        runs_as_root: process::runs_as_root(),
        memlock_limit: process::memlock_limit()?,
    };
    Ok(Prepared { status, facts })
}

impl Prepared {
    /// Closes the file system except for `state_directory`. Everything else that must be opened (sockets, the
    /// configuration) is open by now; `secrets` shows that locked memory exists, which later cannot be had.
    ///
    /// # Errors
    /// [`SandboxError`], among others where the kernel has no Landlock.
    pub fn confine(
        self,
        state_directory: &Path,
        secrets: &SecretArena,
    ) -> Result<Confined, SandboxError> {
        let Self { status, facts } = self;
        expect_threads(&status.read()?, 1)?;
        let landlock = landlock::confine_to(state_directory)?;
        Ok(Confined {
            status,
            seats: Vec::new(),
            facts,
            landlock,
            secrets: secrets.clone(),
        })
    }
}

impl Confined {
    /// Starts a thread and waits until it is up. `set_up` runs in it at once, still unfiltered but confined: it
    /// builds what needs calls that no filter allows (a tokio runtime, the first commit of a database). `work`
    /// runs in it once everything is sealed.
    ///
    /// # Errors
    /// [`SandboxError::Spawn`], [`SandboxError::SetUp`], or [`SandboxError::ThreadEnded`] if `set_up` panicked.
    pub fn spawn<Ready, Output: Send + 'static>(
        &mut self,
        role: Role,
        name: &'static str,
        set_up: impl FnOnce() -> io::Result<Ready> + Send + 'static,
        work: impl FnOnce(Ready, Sandboxed) -> Output + Send + 'static,
    ) -> Result<SealedThread<Output>, SandboxError> {
        let (seat, thread) = Seat::start(role, name, set_up, work)?;
        self.seats.push(seat);
        Ok(thread)
    }

    /// Puts on all filters, the calling thread's last, and lets the threads begin. Afterwards the calling thread
    /// can do little more than join them.
    ///
    /// # Errors
    /// [`SandboxError`]; no thread has begun its work then, and the process must end.
    pub fn seal(self) -> Result<Sandboxed, SandboxError> {
        const MAIN: &str = "main";
        let Self {
            status,
            seats,
            facts,
            landlock,
            secrets,
        } = self;
        let threads = u64::try_from(seats.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        expect_threads(&status.read()?, threads)?;

        let refused = |source| SandboxError::Seccomp {
            thread: MAIN,
            source,
        };
        Filter::Common.put_on_all_threads().map_err(refused)?;
        let now = status.read()?;
        confirm(&now)?;
        if !now.filtered {
            return Err(SandboxError::NotInForce(Unconfirmed::Filters));
        }
        drop(status);

        for seat in &seats {
            seat.narrow()?;
        }
        landlock::forsake_files()?;
        Filter::Main.put_on().map_err(refused)?;

        let sandboxed = Sandboxed {
            report: Report {
                secrets: secrets.backing(),
                landlock,
                filtered_threads: threads,
                memory_deny_write_execute: facts.memory_deny_write_execute,
                bounding_set_empty: facts.bounding_set_empty,
                runs_as_root: facts.runs_as_root,
                memlock_limit: facts.memlock_limit,
            },
        };
        for seat in &seats {
            seat.work(sandboxed)?;
        }
        Ok(sandboxed)
    }
}

impl Sandboxed {
    /// What is in force, for `status`.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

fn confirm(status: &Status) -> Result<(), SandboxError> {
    if status.capabilities != 0 {
        return Err(SandboxError::NotInForce(Unconfirmed::Capabilities));
    }
    if !status.no_new_privileges {
        return Err(SandboxError::NotInForce(Unconfirmed::NoNewPrivileges));
    }
    Ok(())
}

fn expect_threads(status: &Status, expected: u64) -> Result<(), SandboxError> {
    match status.threads {
        found if found == expected => Ok(()),
        found => Err(SandboxError::Threads { expected, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_prepared_beside_another_thread() {
        // The test harness itself runs several threads, so the process is left as it is.
        let refused = prepare().map(|_| ());
        assert!(matches!(refused, Err(SandboxError::Threads { expected: 1, found }) if found > 1));
    }
}
