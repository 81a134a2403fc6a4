//! The ledger: where the log's bytes are kept. A trait with two forms, SQLite for the daemon and
//! memory (with injected faults) for the simulator. It judges nothing; chain and heads are made and
//! verified outside of it.

pub mod memory;
pub mod sqlite;

use waiaas_shared::digest::Digest;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::TransactionId;

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

/// Where a payment stands in the log; derived from it and checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendIndex {
    /// Owner of the idempotency key, and the key.
    pub idempotency: Digest,
    /// The payment.
    pub transaction: TransactionId,
    /// Its event.
    pub sequence: u64,
}

impl SpendIndex {
    /// The entry of an event that uses an idempotency key. The event that signs a payment takes the
    /// place of the one that let it wait.
    #[must_use]
    pub fn of(body: &EventBody, sequence: u64) -> Option<Self> {
        let (idempotency, transaction) = match body {
            EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => {
                (spend.idempotency, spend.transaction)
            }
            EventBody::IntentOpened(intent) => (intent.idempotency, intent.transaction),
            _ => return None,
        };
        Some(Self {
            idempotency,
            transaction,
            sequence,
        })
    }
}

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

    /// The event of the payment that used this idempotency key.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn find_idempotency(
        &mut self,
        idempotency: &Digest,
    ) -> Result<Option<StoredEvent>, LedgerError>;

    /// The event of this payment.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn find_transaction(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<StoredEvent>, LedgerError>;

    /// Makes sure that the index has exactly this entry for the payment: the log is the truth.
    ///
    /// # Errors
    /// [`LedgerError`].
    fn repair_index(&mut self, spend: &SpendIndex) -> Result<(), LedgerError>;

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

    /// Gives up the reserve of disk, so that a lock or kill can still be written.
    fn release_reserve(&mut self);
}
