//! The ledger in memory, for the simulator: what was synced survives a crash, what was not does not,
//! and faults come when the script says so.

use std::collections::{BTreeMap, VecDeque};

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;

use super::{Batch, Ledger, LedgerError, Page, SpendIndex, StoredEvent};
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
    idempotency: BTreeMap<Digest, u64>,
    transactions: BTreeMap<TransactionId, u64>,
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
            idempotency: &mut self.idempotency,
            transactions: &mut self.transactions,
        }
    }

    fn readable(&self) -> Result<(), LedgerError> {
        if self.unreadable {
            Err(LedgerError::Unreadable(std::io::ErrorKind::Other))
        } else {
            Ok(())
        }
    }

    fn at(&self, sequence: u64) -> Option<StoredEvent> {
        let place = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.events.get(place).cloned()
    }

    fn write(&mut self, batch: &Batch) {
        self.events.extend(batch.events.iter().cloned());
        if let Some(last) = batch.events.last() {
            self.heads.push((last.sequence, batch.head.clone()));
        }
        for spend in &batch.spends {
            self.idempotency.insert(spend.idempotency, spend.sequence);
            self.transactions.insert(spend.transaction, spend.sequence);
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
    pub(crate) idempotency: &'ledger mut BTreeMap<Digest, u64>,
    pub(crate) transactions: &'ledger mut BTreeMap<TransactionId, u64>,
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

    fn find_idempotency(
        &mut self,
        idempotency: &Digest,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        self.readable()?;
        Ok(self
            .idempotency
            .get(idempotency)
            .and_then(|sequence| self.at(*sequence)))
    }

    fn find_transaction(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        self.readable()?;
        Ok(self
            .transactions
            .get(&transaction)
            .and_then(|sequence| self.at(*sequence)))
    }

    fn repair_index(&mut self, spend: &SpendIndex) -> Result<(), LedgerError> {
        self.idempotency.insert(spend.idempotency, spend.sequence);
        self.transactions.insert(spend.transaction, spend.sequence);
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

    fn release_reserve(&mut self) {}
}
