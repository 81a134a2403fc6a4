//! The index of payments, kept so that it cannot lie. It leads from an idempotency key or a transaction to
//! the event, and its rows lie in `ledger.db`, where whoever writes the file can change them. So the fold
//! of the log keeps one digest for each bucket of rows, chained in the order of the log. A lookup reads
//! its whole bucket and compares: a row that was changed, added or withheld shows before anything is
//! believed, an absent key as surely as a present one. Judges nothing else.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::TransactionId;

/// Bits of the idempotency digest that choose a bucket. A million payments are 61 rows in each.
const BUCKET_BITS: u32 = 14;

/// Where a payment stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendIndex {
    /// Owner of the idempotency key, and the key.
    pub idempotency: Digest,
    /// The payment.
    pub transaction: TransactionId,
    /// Its event.
    pub sequence: u64,
    /// That event's hash, which binds its bytes.
    pub hash: Digest,
}

impl SpendIndex {
    /// The entry of an event that uses an idempotency key. A payment that waits and is signed has two:
    /// the later one counts.
    #[must_use]
    pub fn of(body: &EventBody, sequence: u64, hash: Digest) -> Option<Self> {
        let (idempotency, transaction) = match body {
            EventBody::SpendCommitted(spend)
            | EventBody::Withdrawn { spend, .. }
            | EventBody::SpendReplaced { spend, .. }
            | EventBody::TransferAuthorized { spend, .. } => (spend.idempotency, spend.transaction),
            EventBody::IntentOpened(intent) => (intent.idempotency, intent.transaction),
            // Found by its key alone: by its bytes as a name no payment is found.
            EventBody::SignedIn(login) => {
                let name = TransactionId::from_bytes(*login.message.as_bytes());
                (login.idempotency, name)
            }
            _ => return None,
        };
        Some(Self {
            idempotency,
            transaction,
            sequence,
            hash,
        })
    }

    /// Which bucket holds it.
    #[must_use]
    pub const fn bucket(&self) -> u16 {
        bucket(&self.idempotency)
    }
}

/// The bucket of an idempotency key.
#[must_use]
pub const fn bucket(idempotency: &Digest) -> u16 {
    let [first, second, ..] = *idempotency.as_bytes();
    u16::from_be_bytes([first, second]) >> (u16::BITS - BUCKET_BITS)
}

/// What the fold of the log knows of the index: enough to tell whether rows are the true ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct IndexDigests {
    /// Rows of all buckets.
    #[n(0)]
    rows: u64,
    /// Each bucket that has any: the digest after its newest row.
    #[n(1)]
    buckets: BTreeMap<u16, Digest>,
}

impl IndexDigests {
    /// Takes the next entry of the log.
    pub fn add(&mut self, entry: &SpendIndex) {
        self.rows = self.rows.saturating_add(1);
        let bucket = self.buckets.entry(entry.bucket());
        bucket
            .and_modify(|digest| *digest = chain(Some(*digest), entry))
            .or_insert_with(|| chain(None, entry));
    }

    /// Whether these are all rows of the bucket, unchanged and in order.
    #[must_use]
    pub fn holds(&self, bucket: u16, rows: &[SpendIndex]) -> bool {
        let digest = rows
            .iter()
            .fold(None, |digest, row| Some(chain(digest, row)));
        digest.as_ref() == self.buckets.get(&bucket)
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Buckets that have rows.
    pub fn buckets(&self) -> impl Iterator<Item = u16> {
        self.buckets.keys().copied()
    }
}

fn chain(previous: Option<Digest>, entry: &SpendIndex) -> Digest {
    let previous = previous
        .as_ref()
        .map_or(&[][..], |digest| digest.as_bytes());
    hash(
        Domain::PaymentIndex,
        &[
            previous,
            entry.idempotency.as_bytes(),
            entry.transaction.as_bytes(),
            &entry.sequence.to_be_bytes(),
            entry.hash.as_bytes(),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u8, sequence: u64) -> SpendIndex {
        SpendIndex {
            idempotency: Digest::from_bytes([key; 32]),
            transaction: TransactionId::from_bytes([key; 16]),
            sequence,
            hash: Digest::from_bytes([9; 32]),
        }
    }

    #[test]
    fn a_row_that_is_withheld_added_changed_or_moved_shows() {
        let rows = [entry(7, 1), entry(7, 4), entry(7, 9)];
        let mut digests = IndexDigests::default();
        for row in rows.iter().chain(&[entry(200, 10)]) {
            digests.add(row);
        }
        let bucket = rows[0].bucket();
        assert!(digests.holds(bucket, &rows));
        assert_eq!((digests.rows(), digests.buckets().count()), (4, 2));
        for place in 0..rows.len() {
            let mut withheld = rows.to_vec();
            withheld.remove(place);
            assert!(!digests.holds(bucket, &withheld), "{place} withheld");
            let mut doubled = rows.to_vec();
            doubled.push(rows[place]);
            assert!(!digests.holds(bucket, &doubled), "{place} doubled");
            let mut changed = rows.to_vec();
            changed[place].sequence += 1;
            assert!(!digests.holds(bucket, &changed), "{place} changed");
        }
        assert!(!digests.holds(bucket, &[rows[1], rows[0], rows[2]]));
        assert!(!digests.holds(bucket, &[]));
        // A bucket without rows holds none.
        assert!(digests.holds(1, &[]));
        assert!(!digests.holds(1, &rows));
    }

    #[test]
    fn buckets_are_the_first_bits_of_the_key() {
        let of = |bytes: [u8; 2]| {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&bytes);
            bucket(&Digest::from_bytes(key))
        };
        assert_eq!(of([0, 3]), 0);
        assert_eq!(of([0, 4]), 1);
        assert_eq!(of([255, 255]), 16_383);
    }
}
