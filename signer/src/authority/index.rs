//! Payments found by their idempotency key or their name. The index is a hint that the fold of the log
//! can check: rows count only if their whole bucket is the one that the log led to, and an event only if
//! its bytes are those that its row binds. So neither a withheld row nor a changed event leads to a second
//! signature, also after a start that did not read the events.

use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::log::link;

use super::Authority;
use super::system::System;
use crate::ledger::index::bucket;
use crate::ledger::{Ledger, LedgerError, SpendIndex, StoredEvent};

impl<L: Ledger, S: System> Authority<L, S> {
    /// The newest event that used this idempotency key.
    pub(super) fn by_key(&mut self, key: &Digest) -> Result<Option<StoredEvent>, LedgerError> {
        let rows = self.rows(bucket(key))?;
        let newest = rows.iter().rev().find(|row| row.idempotency == *key);
        newest.map(|row| self.bound(row)).transpose()
    }

    /// The newest event of this payment. A row that is withheld here makes a payment unknown, which
    /// refuses and signs nothing: what waits and what was released stands in the state.
    pub(super) fn by_name(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        let Some(hint) = self.ledger.index_of(transaction)? else {
            return Ok(None);
        };
        let rows = self.rows(hint.bucket())?;
        let newest = rows.iter().rev().find(|row| row.transaction == transaction);
        newest.map(|row| self.bound(row)).transpose()
    }

    /// The rows of a bucket, if they are the true ones.
    fn rows(&mut self, bucket: u16) -> Result<Vec<SpendIndex>, LedgerError> {
        match self.ledger.index_bucket(bucket) {
            Ok(rows) if self.settled.folded.index.holds(bucket, &rows) => Ok(rows),
            Ok(_) | Err(LedgerError::Damaged) => Err(self.tampered()),
            Err(error) => Err(error),
        }
    }

    /// The event of a true row, if it is the one that the log has there.
    fn bound(&mut self, row: &SpendIndex) -> Result<StoredEvent, LedgerError> {
        let before = row.sequence.saturating_sub(1);
        match (self.ledger.event(before), self.ledger.event(row.sequence)) {
            (Ok(Some(before)), Ok(Some(event)))
                if link(before.hash, row.sequence, &event.body) == row.hash =>
            {
                Ok(event)
            }
            (Ok(_) | Err(LedgerError::Damaged), Ok(_) | Err(LedgerError::Damaged)) => {
                Err(self.tampered())
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// What lies in the ledger is not what was written. The process ends; without a snapshot the next one
    /// reads the whole log, and either puts the index right or says which event is wrong.
    fn tampered(&mut self) -> LedgerError {
        match self.ledger.forget_snapshots() {
            Ok(()) => LedgerError::Damaged,
            Err(error) => error,
        }
    }
}
