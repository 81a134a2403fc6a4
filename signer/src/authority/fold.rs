//! The fold of the log: what it gives, from the genesis or from a snapshot, and the check that the index
//! of payments says what the log says. Reads the ledger; decides nothing.

use minicbor::{Decode, Encode};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::log::{Head, SignedHead, Verifier};

use super::OpenError;
use crate::core::apply::apply;
use crate::core::command::SnapshotName;
use crate::core::state::{STATE_VERSION, State};
use crate::ledger::index::IndexDigests;
use crate::ledger::{Ledger, LedgerError, SpendIndex, StoredEvent, StoredSnapshot};

/// Bytes of events read at once while folding.
const FOLD_BYTES: usize = 4 * 1024 * 1024;

/// What the fold of a log gives; also what a snapshot encodes.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(super) struct Folded {
    /// The core's state.
    #[n(0)]
    pub(super) state: State,
    /// What the index of payments must say.
    #[n(1)]
    pub(super) index: IndexDigests,
}

/// A log that was folded to its end.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) folded: Folded,
    pub(super) head: Head,
    /// Signed note over the head.
    pub(super) note: String,
    /// The snapshot that it began with.
    pub(super) snapshot: Option<KeptSnapshot>,
}

/// What is remembered of the newest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeptSnapshot {
    /// The last event that it holds; 0 without one.
    pub(super) sequence: u64,
    /// Its size.
    pub(super) bytes: u64,
    /// Bytes of the events after it.
    pub(super) grown: u64,
}

impl Folded {
    /// Takes a durable event.
    pub(super) fn take(&mut self, event: &Event, sequence: u64, hash: Digest) {
        apply(&mut self.state, event);
        self.state.committed();
        if let Some(entry) = SpendIndex::of(&event.body, sequence, hash) {
            self.index.add(&entry);
        }
    }

    /// The snapshot after the event at `head`, and its name.
    pub(super) fn snapshot(&self, head: Head) -> (StoredSnapshot, SnapshotName) {
        let stored = StoredSnapshot {
            version: STATE_VERSION,
            sequence: head.sequence,
            hash: head.hash,
            body: to_canonical(self),
        };
        let name = name(&stored);
        (stored, name)
    }
}

/// What an event must say to name this snapshot.
pub(super) fn name(stored: &StoredSnapshot) -> SnapshotName {
    let digest = hash(
        Domain::Snapshot,
        &[
            &stored.version.to_be_bytes(),
            &stored.sequence.to_be_bytes(),
            stored.hash.as_bytes(),
            &stored.body,
        ],
    );
    SnapshotName {
        version: stored.version,
        sequence: stored.sequence,
        digest,
    }
}

/// The snapshot that this event names.
pub(super) const fn named(event: &Event) -> Option<SnapshotName> {
    match event.body {
        EventBody::SnapshotTaken {
            version,
            sequence,
            digest,
        } => Some(SnapshotName {
            version,
            sequence,
            digest,
        }),
        _ => None,
    }
}

/// Opens a log: from its newest sound snapshot, else whole. A snapshot that is missing, damaged, of
/// another version or named by no event costs time and nothing else.
pub(super) fn open<L: Ledger>(ledger: &mut L, genesis: Verifier) -> Result<Opened, OpenError> {
    let mut before = u64::MAX;
    // A row that cannot be read is no snapshot; whether the log itself can be read, the fold says.
    while let Ok(Some(stored)) = ledger.snapshot_before(before) {
        before = stored.sequence;
        if let Some(opened) = from_snapshot(ledger, &genesis, &stored)? {
            return Ok(opened);
        }
    }
    let opened = whole(ledger, genesis)?;
    if !index_is_true(ledger, &opened.folded.index) {
        write_index(ledger)?;
    }
    Ok(opened)
}

/// Folds what follows a snapshot. `None`: the snapshot is not to be believed, or what follows it does not
/// verify (the fold of the whole log then says what is wrong).
///
/// Nothing of the snapshot is read before its digest was found in the event right after it. That event, and
/// the hash of the one before, are bound by the newest head that the log key signed: it is the end of the
/// chain that begins with that hash.
fn from_snapshot<L: Ledger>(
    ledger: &mut L,
    genesis: &Verifier,
    stored: &StoredSnapshot,
) -> Result<Option<Opened>, OpenError> {
    if stored.version != STATE_VERSION {
        return Ok(None);
    }
    let naming = stored
        .sequence
        .checked_add(1)
        .map(|sequence| ledger.event(sequence));
    let Some(Ok(Some(naming))) = naming else {
        return Ok(None);
    };
    let says = from_canonical::<Event>(&naming.body).ok();
    if says.as_ref().and_then(named) != Some(name(stored)) {
        return Ok(None);
    }
    let Ok(folded) = from_canonical::<Folded>(&stored.body) else {
        return Ok(None);
    };
    let claimed = Head {
        signer: genesis.head().signer,
        sequence: stored.sequence,
        hash: stored.hash,
    };
    let mut tail = Fold {
        folded,
        verifier: genesis.continue_after(claimed),
        note: String::new(),
        bytes: 0,
        heads: Heads::Newest,
    };
    match tail.finish(ledger) {
        Ok(()) => {}
        Err(OpenError::Ledger(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    }
    let snapshot = KeptSnapshot {
        sequence: stored.sequence,
        bytes: u64::try_from(stored.body.len()).unwrap_or(u64::MAX),
        grown: tail.bytes,
    };
    Ok(Some(Opened {
        folded: tail.folded,
        head: tail.verifier.head(),
        note: tail.note,
        snapshot: Some(snapshot),
    }))
}

/// Folds the whole log, and verifies every head on the way.
fn whole<L: Ledger>(ledger: &mut L, genesis: Verifier) -> Result<Opened, OpenError> {
    let mut fold = Fold::whole(genesis);
    fold.finish(ledger)?;
    Ok(Opened {
        folded: fold.folded,
        head: fold.verifier.head(),
        note: fold.note,
        snapshot: None,
    })
}

/// Which heads are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heads {
    /// Every one.
    All,
    /// The newest: it binds everything before it.
    Newest,
}

/// A fold under way.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) folded: Folded,
    pub(super) verifier: Verifier,
    note: String,
    bytes: u64,
    heads: Heads,
}

impl Fold {
    /// Of the whole log, with every head.
    pub(super) fn whole(genesis: Verifier) -> Self {
        Self {
            folded: Folded::default(),
            verifier: genesis,
            note: String::new(),
            bytes: 0,
            heads: Heads::All,
        }
    }

    fn finish<L: Ledger>(&mut self, ledger: &mut L) -> Result<(), OpenError> {
        while self.page(ledger, FOLD_BYTES, |_, _| {})? {}
        if self.heads == Heads::Newest && !self.note.is_empty() {
            let signed: SignedHead = self.note.parse()?;
            self.verifier.signed_head(&signed)?;
        }
        self.verifier.finish()?;
        Ok(())
    }

    /// Takes about so many bytes of events; whether there were any. `before` sees each event with what
    /// everything before it folded to.
    pub(super) fn page<L: Ledger>(
        &mut self,
        ledger: &mut L,
        bytes: usize,
        mut before: impl FnMut(&Self, &Event),
    ) -> Result<bool, OpenError> {
        let page = ledger.read(self.verifier.head().sequence, bytes)?;
        let any = !page.events.is_empty();
        let mut heads = page.heads.into_iter().peekable();
        for stored in page.events {
            let event = read(&stored)?;
            before(self, &event);
            self.verifier
                .event(stored.sequence, &stored.body, stored.hash)?;
            self.folded.take(&event, stored.sequence, stored.hash);
            let length = u64::try_from(stored.body.len()).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_add(length);
            if let Some((_, text)) = heads.next_if(|(sequence, _)| *sequence == stored.sequence) {
                if self.heads == Heads::All {
                    let signed: SignedHead = text.parse()?;
                    self.verifier.signed_head(&signed)?;
                }
                self.note = text;
            }
        }
        Ok(any)
    }
}

fn read(stored: &StoredEvent) -> Result<Event, OpenError> {
    from_canonical(&stored.body).map_err(|_| OpenError::UnknownEvent(stored.sequence))
}

/// Whether the index has the rows that the log says, and no others.
fn index_is_true<L: Ledger>(ledger: &mut L, digests: &IndexDigests) -> bool {
    let as_many = ledger.index_rows().is_ok_and(|rows| rows == digests.rows());
    as_many
        && digests.buckets().all(|bucket| {
            let rows = ledger.index_bucket(bucket);
            rows.is_ok_and(|rows| digests.holds(bucket, &rows))
        })
}

/// Writes the index anew from a log that was verified. Torn by a crash it is found false again, at the
/// next start or at its next use.
fn write_index<L: Ledger>(ledger: &mut L) -> Result<(), OpenError> {
    ledger.clear_index()?;
    let mut after = 0;
    loop {
        let page = ledger.read(after, FOLD_BYTES)?;
        let Some(last) = page.events.last() else {
            return Ok(());
        };
        after = last.sequence;
        let rows: Vec<SpendIndex> = page
            .events
            .iter()
            .map(|stored| {
                let event = read(stored)?;
                Ok(SpendIndex::of(&event.body, stored.sequence, stored.hash))
            })
            .collect::<Result<Vec<_>, OpenError>>()?
            .into_iter()
            .flatten()
            .collect();
        ledger.add_index(&rows)?;
    }
}

/// Whether a log that ends at `own` goes through `presented`, which the log key signed: the chain from
/// there leads to its end. Everything is hashed again, so that nothing but the log's own end is believed.
pub(super) fn goes_through<L: Ledger>(
    ledger: &mut L,
    mut presented: Verifier,
    own: Head,
) -> Result<bool, LedgerError> {
    while presented.head().sequence < own.sequence {
        let page = ledger.read(presented.head().sequence, FOLD_BYTES)?;
        if page.events.is_empty() {
            return Ok(false);
        }
        for stored in page.events {
            let followed = presented.event(stored.sequence, &stored.body, stored.hash);
            if followed.is_err() {
                return Ok(false);
            }
        }
    }
    Ok(presented.head() == own)
}
