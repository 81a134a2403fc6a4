//! The locked journal: the few things that must be durable while the log key is wiped. Bounded: one
//! entry per start, one kill, one entry per session, failures up to a cap. Hash-chained from the
//! last unlock; its entries are decided again, as commands, at the next one.

use minicbor::{Decode, Encode};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::Origin;
use waiaas_shared::ids::SessionId;
use waiaas_shared::time::WallTime;

/// Failures written one by one; more of them in one life are counted in memory only.
pub const FAILURES_LIMIT: u32 = 64;

/// One thing that happened while locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum JournalEntry {
    /// The process started.
    #[n(0)]
    Started {
        /// What the wall clock showed.
        #[n(0)]
        wall: WallTime,
    },
    /// The kill switch was thrown.
    #[n(1)]
    Killed {
        /// Who threw it.
        #[n(0)]
        origin: Origin,
    },
    /// A session was revoked.
    #[n(2)]
    SessionRevoked {
        /// Which.
        #[n(0)]
        session: SessionId,
        /// Who asked.
        #[n(1)]
        origin: Origin,
    },
    /// A wrong password.
    #[n(3)]
    UnlockFailed,
    /// Everything was paused.
    #[n(4)]
    Paused {
        /// Who asked.
        #[n(0)]
        origin: Origin,
    },
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Canonical bytes of the entry.
    pub body: Vec<u8>,
    /// Chained hash.
    pub hash: Digest,
}

impl JournalRow {
    /// The row of `entry` after the row (or the unlock) with hash `previous`.
    #[must_use]
    pub fn after(previous: Digest, entry: &JournalEntry) -> Self {
        let body = to_canonical(entry);
        let hash = hash(Domain::Journal, &[previous.as_bytes(), &body]);
        Self { body, hash }
    }
}

/// Reads rows that continue from `anchor`; `None` if any of them does not.
#[must_use]
pub fn read(anchor: Digest, rows: &[JournalRow]) -> Option<Vec<JournalEntry>> {
    let mut previous = anchor;
    rows.iter()
        .map(|row| {
            let entry: JournalEntry = from_canonical(&row.body).ok()?;
            let expected = JournalRow::after(previous, &entry);
            previous = row.hash;
            (expected.hash == row.hash).then_some(entry)
        })
        .collect()
}

/// Entries of rows that do not chain, as far as they can be read: nothing that they say may loosen.
#[must_use]
pub fn salvage(rows: &[JournalRow]) -> Vec<JournalEntry> {
    rows.iter()
        .filter_map(|row| from_canonical(&row.body).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_journal_is_seen() {
        let anchor = Digest::from_bytes([1; 32]);
        let entries = [
            JournalEntry::Started {
                wall: WallTime::from_millis(1),
            },
            JournalEntry::Killed {
                origin: Origin::Gateway,
            },
        ];
        let mut rows = Vec::new();
        let mut previous = anchor;
        for entry in &entries {
            let row = JournalRow::after(previous, entry);
            previous = row.hash;
            rows.push(row);
        }
        assert_eq!(read(anchor, &rows).as_deref(), Some(&entries[..]));
        assert_eq!(read(Digest::from_bytes([2; 32]), &rows), None);
        assert_eq!(read(anchor, &rows[1..]), None);
        rows[0].body[1] ^= 1;
        assert_eq!(read(anchor, &rows), None);
    }
}
