//! The ledger in memory, for the simulator: what was synced survives a crash, what was not does not,
//! and faults come when the script says so.

use std::collections::{BTreeMap, VecDeque};

use waiaas_shared::ids::TransactionId;

use super::{
    Batch, Ledger, LedgerError, Page, SNAPSHOTS_KEPT, SpendIndex, StoredEvent, StoredSnapshot,
};
use crate::core::journal::JournalRow;

/// How an append fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused before anything was written.
    Refused,
    /// Lost, and nobody knows.
    UnknownLost,
    /// Written, and nobody knows.
    UnknownWritten,
}

/// A ledger that lives as long as the value.
#[derive(Debug, Default, Clone)]
pub struct MemoryLedger {
    events: Vec<StoredEvent>,
    heads: Vec<(u64, String)>,
    index: BTreeMap<(u16, u64), SpendIndex>,
    snapshots: Vec<StoredSnapshot>,
    journal: Vec<JournalRow>,
    faults: VecDeque<Fault>,
    unreadable: bool,
    appends: u64,
}

impl MemoryLedger {
    /// Makes the next append or journal entry fail that no earlier fault is waiting for.
    pub fn fail_next(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    /// From now on appends succeed; whether a fault was still waiting.
    pub fn forget_faults(&mut self) -> bool {
        let waited = !self.faults.is_empty();
        self.faults.clear();
        waited
    }

    /// Whether reads of events and index fail.
    pub const fn set_unreadable(&mut self, unreadable: bool) {
        self.unreadable = unreadable;
    }

    /// How many commits were made.
    #[must_use]
    pub const fn appends(&self) -> u64 {
        self.appends
    }

    /// The stored parts, for tests that break them.
    #[cfg(test)]
    pub(crate) fn parts(&mut self) -> StoredParts<'_> {
        StoredParts {
            events: &mut self.events,
            heads: &mut self.heads,
            journal: &mut self.journal,
            index: &mut self.index,
            snapshots: &mut self.snapshots,
        }
    }

    fn readable(&self) -> Result<(), LedgerError> {
        if self.unreadable {
            Err(LedgerError::Unreadable(std::io::ErrorKind::Other))
        } else {
            Ok(())
        }
    }

    fn write(&mut self, batch: &Batch) {
        self.events.extend(batch.events.iter().cloned());
        if let Some(last) = batch.events.last() {
            self.heads.push((last.sequence, batch.head.clone()));
        }
        let rows = batch.spends.iter();
        self.index
            .extend(rows.map(|row| ((row.bucket(), row.sequence), *row)));
        if let Some(snapshot) = &batch.snapshot {
            self.snapshots.push(snapshot.clone());
            let kept = usize::try_from(SNAPSHOTS_KEPT).unwrap_or(usize::MAX);
            let gone = self.snapshots.len().saturating_sub(kept);
            self.snapshots.drain(..gone);
        }
        if batch.clear_journal {
            self.journal.clear();
        }
        self.appends += 1;
    }
}

/// What a [`MemoryLedger`] holds.
#[cfg(test)]
pub(crate) struct StoredParts<'ledger> {
    pub(crate) events: &'ledger mut Vec<StoredEvent>,
    pub(crate) heads: &'ledger mut Vec<(u64, String)>,
    pub(crate) journal: &'ledger mut Vec<JournalRow>,
    pub(crate) index: &'ledger mut BTreeMap<(u16, u64), SpendIndex>,
    pub(crate) snapshots: &'ledger mut Vec<StoredSnapshot>,
}

impl Ledger for MemoryLedger {
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        match self.faults.pop_front() {
            None => {
                self.write(batch);
                Ok(())
            }
            Some(Fault::Refused) => Err(LedgerError::Refused),
            Some(Fault::UnknownLost) => Err(LedgerError::Unknown),
            Some(Fault::UnknownWritten) => {
                self.write(batch);
                Err(LedgerError::Unknown)
            }
        }
    }

    fn read(&mut self, after: u64, max_bytes: usize) -> Result<Page, LedgerError> {
        self.readable()?;
        let mut page = Page::default();
        let mut bytes = 0;
        for event in self.events.iter().filter(|event| event.sequence > after) {
            bytes += event.body.len();
            if bytes > max_bytes && !page.events.is_empty() {
                break;
            }
            page.events.push(event.clone());
        }
        let last = page.events.last().map_or(after, |event| event.sequence);
        page.heads = self
            .heads
            .iter()
            .filter(|(sequence, _)| *sequence > after && *sequence <= last)
            .cloned()
            .collect();
        Ok(page)
    }

    fn event(&mut self, sequence: u64) -> Result<Option<StoredEvent>, LedgerError> {
        self.readable()?;
        // Rows are found by their number, as in a database.
        let place = self
            .events
            .binary_search_by_key(&sequence, |event| event.sequence);
        Ok(place.ok().and_then(|place| self.events.get(place).cloned()))
    }

    fn index_bucket(&mut self, bucket: u16) -> Result<Vec<SpendIndex>, LedgerError> {
        self.readable()?;
        let rows = self.index.range((bucket, 0)..=(bucket, u64::MAX));
        Ok(rows.map(|(_, row)| *row).collect())
    }

    fn index_of(&mut self, transaction: TransactionId) -> Result<Option<SpendIndex>, LedgerError> {
        self.readable()?;
        let rows = self.index.values();
        let of_it = rows.filter(|row| row.transaction == transaction);
        Ok(of_it.max_by_key(|row| row.sequence).copied())
    }

    fn index_rows(&mut self) -> Result<u64, LedgerError> {
        Ok(u64::try_from(self.index.len()).unwrap_or(u64::MAX))
    }

    fn clear_index(&mut self) -> Result<(), LedgerError> {
        self.index.clear();
        Ok(())
    }

    fn add_index(&mut self, rows: &[SpendIndex]) -> Result<(), LedgerError> {
        let keyed = rows.iter().map(|row| ((row.bucket(), row.sequence), *row));
        self.index.extend(keyed);
        Ok(())
    }

    fn snapshot_before(&mut self, before: u64) -> Result<Option<StoredSnapshot>, LedgerError> {
        self.readable()?;
        let mut newest_first = self.snapshots.iter().rev();
        Ok(newest_first
            .find(|snapshot| snapshot.sequence < before)
            .cloned())
    }

    fn forget_snapshots(&mut self) -> Result<(), LedgerError> {
        self.snapshots.clear();
        Ok(())
    }

    fn journal(&mut self) -> Result<Vec<JournalRow>, LedgerError> {
        Ok(self.journal.clone())
    }

    fn journal_append(&mut self, row: &JournalRow) -> Result<(), LedgerError> {
        match self.faults.pop_front() {
            None => {
                self.journal.push(row.clone());
                Ok(())
            }
            Some(Fault::Refused) => Err(LedgerError::Refused),
            Some(Fault::UnknownLost) => Err(LedgerError::Unknown),
            Some(Fault::UnknownWritten) => {
                self.journal.push(row.clone());
                Err(LedgerError::Unknown)
            }
        }
    }

    fn release_reserve(&mut self, _whole: bool) {}
}
