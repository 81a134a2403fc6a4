//! The authority thread: the single writer. It takes a batch of asks, decides each in turn, appends
//! all events in one commit, and only then lets anything out: signatures, refusals, reads, feed.
//! Synchronous; touches the ledger and the keystore and no socket. A panic here ends the process.

mod answers;
pub mod ask;
mod audit;
mod batch;
mod denials;
mod fold;
mod index;
pub mod lanes;
mod locked;
mod open;
pub mod password;
mod pending;
mod query;
mod release;
mod snapshots;
pub mod system;
mod unlock;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waiaas_shared::log::Head;

use self::audit::Audit;
use self::denials::Denials;
use self::fold::Folded;
use self::lanes::Lanes;
use self::password::KdfQueue;
use self::snapshots::Snapshots;
use self::system::System;
use crate::core::clock::ClockKeeper;
use crate::core::state::State;
use crate::ledger::{Ledger, LedgerError};
use crate::sys::memory::SecretArena;
use crate::vault::{Keystore, LoadError, Unlocked};

pub use self::open::OpenError;

/// How long the loop sleeps when nothing arrives: clocks are read and counts written in between.
const IDLE: Duration = Duration::from_secs(30);

/// Why the authority's loop, and with it the process, ends.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// A commit's outcome is unknown, or the ledger is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A signature did not verify.
    #[error("a signature did not verify: the machine cannot be trusted")]
    Signing,
    /// The log that was written cannot be folded again.
    #[error("the log cannot be read back")]
    Fold,
    /// Whether a new keystore is durable is unknown.
    #[error("whether the new keystore is durable is unknown: check the disk, then start again")]
    Keystore,
    /// A kill or lock could not be written.
    #[error("a kill could not be made durable: keys are wiped and the process ends")]
    Undurable,
}

/// Where the keys are.
enum Vault {
    /// No keystore yet.
    None,
    /// Keys encrypted.
    Locked(Box<Keystore>),
    /// Keys open.
    Open(Box<Keystore>, Box<Unlocked>),
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Locked(_) => "Locked",
            Self::Open(..) => "Open",
        })
    }
}

/// What the authority thread owns.
#[derive(Debug)]
pub struct Authority<L, S> {
    ledger: L,
    system: S,
    folder: PathBuf,
    arena: SecretArena,
    lanes: Lanes,
    kdf: KdfQueue,
    published: watch::Sender<u64>,
    vault: Vault,
    /// What the batch that is being decided has led to so far.
    state: State,
    settled: Settled,
    head: Option<Head>,
    note: String,
    clock: Option<ClockKeeper>,
    denials: Denials,
    journal: locked::Journal,
    snapshots: Snapshots,
    audit: Option<Box<Audit>>,
}

/// The fold of everything durable: where the state goes back to when a commit is refused, and what a
/// snapshot encodes.
#[derive(Debug, Clone, Default)]
struct Settled {
    folded: Folded,
    head: Option<Head>,
}

/// What the authority is made of.
#[derive(Debug)]
pub struct Parts<L, S> {
    /// Where the log is kept.
    pub ledger: L,
    /// Clocks and entropy.
    pub system: S,
    /// The state folder, which holds the keystore.
    pub folder: PathBuf,
    /// Locked memory.
    pub arena: SecretArena,
    /// Asks come in here; the kdf thread uses them too.
    pub lanes: Lanes,
    /// Passwords go out here.
    pub kdf: KdfQueue,
    /// The newest sequence, for waiting readers.
    pub published: watch::Sender<u64>,
}

impl<L: Ledger, S: System> Authority<L, S> {
    /// Serves until something fatal happens; never returns otherwise.
    pub fn run(mut self) -> Fatal {
        loop {
            if let Err(fatal) = self.turn(Instant::now() + IDLE) {
                // Keys are wiped with the value; the process ends right after.
                return fatal;
            }
        }
    }

    /// One turn of the loop: what stops, then reads, then one batch of commands. What stops and comes
    /// meanwhile waits for one read, however many are asked for.
    ///
    /// # Errors
    /// [`Fatal`] ends the process.
    pub fn turn(&mut self, deadline: Instant) -> Result<(), Fatal> {
        let wait = self.denials_wait().map(|wait| Instant::now() + wait);
        let deadline = wait.map_or(deadline, |due| due.min(deadline));
        // An audit goes on between batches.
        let deadline = self
            .audit
            .as_ref()
            .map_or(deadline, |_| deadline.min(Instant::now()));
        let taken = self.lanes.take(deadline);
        self.stop(taken.urgent)?;
        for ask in taken.reads {
            self.answer(ask);
            let urgent = self.lanes.take_urgent();
            self.stop(urgent)?;
        }
        self.commands(taken.commands)?;
        self.end_expired()?;
        self.watch()?;
        self.count_denials()?;
        self.take_snapshot()?;
        self.audit_further();
        Ok(())
    }

    /// What stops, in a commit of its own.
    fn stop(&mut self, urgent: Vec<ask::Ask>) -> Result<(), Fatal> {
        if urgent.is_empty() {
            return Ok(());
        }
        self.commands(urgent)
    }

    /// How long until counts of refusals are due; `None` if there is nothing that could be written now
    /// (while locked nothing is, and the loop must not wake up for it).
    fn denials_wait(&mut self) -> Option<Duration> {
        if !self.unlocked() || self.denials.is_empty() {
            return None;
        }
        let reading = self.system.clocks()?;
        Some(self.denials.wait(reading.monotonic))
    }

    const fn unlocked(&self) -> bool {
        matches!(self.vault, Vault::Open(..))
    }

    /// Forgets the open keys: memory is wiped as the value is dropped.
    fn wipe(&mut self) {
        self.vault = match std::mem::replace(&mut self.vault, Vault::None) {
            Vault::Open(keystore, unlocked) => {
                drop(unlocked);
                Vault::Locked(keystore)
            }
            other => other,
        };
    }
}

impl From<LoadError> for OpenError {
    fn from(error: LoadError) -> Self {
        Self::Keystore(Box::new(error))
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
