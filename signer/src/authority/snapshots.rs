//! When a snapshot is taken, and the commit that keeps and names it. Between batches, so that no payment
//! waits for more than one; at most one for so many events and for as many bytes as the last one had, so
//! that nobody who makes events can make the disk fill faster than the log does.

use waiaas_shared::log::Head;

use super::fold::KeptSnapshot;
use super::pending::Pending;
use super::system::System;
use super::{Authority, Fatal};
use crate::core::clock::ClockKeeper;
use crate::core::command::Command;
use crate::ledger::{Ledger, StoredEvent};

/// Events from one snapshot to the next. A start folds no more than these, or than what is as long as the
/// snapshot itself.
const EVERY: u64 = 8_192;

/// The newest snapshot, and how far the log has gone since.
#[derive(Debug)]
pub(super) struct Snapshots {
    every: u64,
    newest: KeptSnapshot,
}

impl Snapshots {
    /// After a start.
    pub(super) const fn after(newest: KeptSnapshot) -> Self {
        Self {
            every: EVERY,
            newest,
        }
    }

    /// A snapshot after so many events. For tests, which do not write thousands.
    #[cfg(test)]
    pub(super) const fn set_every(&mut self, events: u64) {
        self.every = events;
    }

    /// The newest snapshot, as far as it is known.
    #[cfg(test)]
    pub(super) const fn newest(&self) -> KeptSnapshot {
        self.newest
    }

    /// The log has grown.
    pub(super) fn grown(&mut self, events: &[StoredEvent]) {
        let bytes: usize = events.iter().map(|event| event.body.len()).sum();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.newest.grown = self.newest.grown.saturating_add(bytes);
    }

    const fn due(&self, head: Head) -> bool {
        let events = head.sequence.saturating_sub(self.newest.sequence);
        events >= self.every && self.newest.grown >= self.newest.bytes
    }
}

impl<L: Ledger, S: System> Authority<L, S> {
    /// Takes a snapshot if one is due. The event that names it is the very next after those that it holds:
    /// whatever else would have to be written first is left to the next batch.
    pub(super) fn take_snapshot(&mut self) -> Result<(), Fatal> {
        let due = self.settled.head.filter(|head| self.snapshots.due(*head));
        let Some(head) = due.filter(|_| self.unlocked() && !self.state.retired()) else {
            return Ok(());
        };
        // One look at the clocks for all of it: what came due between two would stand before the name.
        let Ok(context) = self.context(false) else {
            return Ok(());
        };
        let now = context.clocks;
        let stepped = self.clock.as_ref().is_some_and(ClockKeeper::stepped);
        if self.state.has_due_change(now) || (stepped && !self.state.clock_closed()) {
            return Ok(());
        }
        let (stored, name) = self.settled.folded.snapshot(head);
        // Refused or not, the next attempt is as far away: a full disk is not asked again and again.
        self.snapshots.newest = KeptSnapshot {
            sequence: head.sequence,
            bytes: u64::try_from(stored.body.len()).unwrap_or(u64::MAX),
            grown: 0,
        };
        let mut pending = Pending::default();
        if self
            .decide_in(&mut pending, &Command::NameSnapshot(name), &context)
            .is_ok()
        {
            pending.keep(stored);
        }
        self.commit(pending)
    }
}
