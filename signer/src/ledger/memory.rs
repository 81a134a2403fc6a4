//! The ledger in memory, for the simulator: what was synced survives a crash, what was not does not,
//! and faults come when the script says so.

use std::collections::BTreeMap;

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;

use super::{Batch, Ledger, LedgerError, Page, SpendIndex, StoredEvent};
use crate::core::journal::JournalRow;

/// How the next append fails.
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
    fault: Option<Fault>,
    appends: u64,
}

impl MemoryLedger {
    /// Makes the next append fail.
    pub fn fail_next(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// How many commits were made.
    #[must_use]
    pub const fn appends(&self) -> u64 {
        self.appends
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

impl Ledger for MemoryLedger {
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        match self.fault.take() {
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
        Ok(self
            .idempotency
            .get(idempotency)
            .and_then(|sequence| self.at(*sequence)))
    }

    fn find_transaction(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<StoredEvent>, LedgerError> {
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
        match self.fault.take() {
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
