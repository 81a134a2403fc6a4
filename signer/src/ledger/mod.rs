//! The ledger: where the log's bytes are kept. A trait with two forms, SQLite for the daemon and
//! memory (with injected faults) for the simulator. It judges nothing; chain and heads are made and
//! verified outside of it.

pub mod index;
pub mod memory;
pub mod sqlite;

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;

pub use self::index::SpendIndex;

use crate::core::journal::JournalRow;

/// One event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// From 1, without gaps.
    pub sequence: u64,
    /// Canonical bytes.
    pub body: Vec<u8>,
    /// Chained hash.
    pub hash: Digest,
}

/// A snapshot as it is kept: a cache, believed only if an event of the log names its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// How the state is encoded.
    pub version: u32,
    /// The last event that it holds.
    pub sequence: u64,
    /// That event's hash.
    pub hash: Digest,
    /// The canonical state.
    pub body: Vec<u8>,
}

/// Snapshots that are kept: should the newest be damaged, the one before it is less to fold than the
/// whole log.
pub const SNAPSHOTS_KEPT: u32 = 2;

/// What one commit makes durable: all of it or nothing.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The events; never empty.
    pub events: Vec<StoredEvent>,
    /// Signed note over the last of them.
    pub head: String,
    /// Index entries of the payments among them.
    pub spends: Vec<SpendIndex>,
    /// The locked journal was taken in: forget its rows.
    pub clear_journal: bool,
    /// A snapshot that one of the events names; the oldest of those kept goes.
    pub snapshot: Option<StoredSnapshot>,
}

/// A part of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Events in order.
    pub events: Vec<StoredEvent>,
    /// Signed notes of the batches that end inside the page.
    pub heads: Vec<(u64, String)>,
}

/// Why the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Refused before the commit began to be written: nothing of it is there. No room, for example.
    #[error("the disk refused the commit: nothing was written")]
    Refused,
    /// Nobody knows whether the commit is there. The process must end.
    #[error("the outcome of a commit is unknown")]
    Unknown,
    /// What is stored is not what was written.
    #[error("the ledger is damaged")]
    Damaged,
    /// Another process has it open.
    #[error("another signer has this ledger open")]
    InUse,
    /// It cannot be opened or read.
    #[error("the ledger cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

/// Keeps the log.
pub trait Ledger {
    /// Makes a batch durable.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] leaves everything as it was; [`LedgerError::Unknown`] must end the
    /// process.
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError>;

    /// Events after `after`, up to about `max_bytes` of bodies (at least one event if there is one).
    ///
    /// # Errors
    /// [`LedgerError`].
    fn read(&mut self, after: u64, max_bytes: usize) -> Result<Page, LedgerError>;

    /// One event.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn event(&mut self, sequence: u64) -> Result<Option<StoredEvent>, LedgerError>;

    /// All rows of one bucket of the index, in the order of the log. As they are stored: what they say
    /// counts only beside the fold's digest of the bucket.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn index_bucket(&mut self, bucket: u16) -> Result<Vec<SpendIndex>, LedgerError>;

    /// The newest row of this payment: a hint at its bucket.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn index_of(&mut self, transaction: TransactionId) -> Result<Option<SpendIndex>, LedgerError>;

    /// How many rows the index has.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn index_rows(&mut self) -> Result<u64, LedgerError>;

    /// Removes every row of the index, to write it anew from the log.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn clear_index(&mut self) -> Result<(), LedgerError>;

    /// Adds rows to the index.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn add_index(&mut self, rows: &[SpendIndex]) -> Result<(), LedgerError>;

    /// The newest snapshot of an event before `before`.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn snapshot_before(&mut self, before: u64) -> Result<Option<StoredSnapshot>, LedgerError>;

    /// Removes every snapshot: the next start folds the whole log.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn forget_snapshots(&mut self) -> Result<(), LedgerError>;

    /// Rows of the locked journal, oldest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn journal(&mut self) -> Result<Vec<JournalRow>, LedgerError>;

    /// Makes one more journal row durable.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    fn journal_append(&mut self, row: &JournalRow) -> Result<(), LedgerError>;

    /// Gives up the reserve of disk, so that a stop can still be written: the half of it, or for a lock or
    /// kill the whole. It is kept again as soon as there is room.
    fn release_reserve(&mut self, whole: bool);
}
