//! The ledger in SQLite: what was appended is there, and what was refused is not.

use super::*;

fn event(sequence: u64) -> StoredEvent {
    StoredEvent {
        sequence,
        body: vec![1; 10],
        hash: Digest::from_bytes([9; 32]),
    }
}

fn batch(from: u64, to: u64) -> Batch {
    Batch {
        events: (from..=to).map(event).collect(),
        head: format!("note {to}"),
        spends: vec![SpendIndex {
            idempotency: Digest::from_bytes([u8::try_from(to).expect("small"); 32]),
            transaction: TransactionId::from_bytes([u8::try_from(to).expect("small"); 16]),
            sequence: to,
            hash: Digest::from_bytes([9; 32]),
        }],
        clear_journal: false,
        snapshot: None,
    }
}

#[test]
fn batches_come_back_as_written_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = SqliteLedger::open(folder.path()).expect("opens");
    ledger.append(&batch(1, 2)).expect("appends");
    ledger.append(&batch(3, 3)).expect("appends");
    assert!(matches!(
        SqliteLedger::open(folder.path()),
        Err(LedgerError::InUse)
    ));
    drop(ledger);
    let mut ledger = SqliteLedger::open(folder.path()).expect("opens again");
    let page = ledger.read(0, 1_000_000).expect("reads");
    assert_eq!(page.events, [event(1), event(2), event(3)]);
    assert_eq!(
        page.heads,
        [(2, "note 2".to_owned()), (3, "note 3".to_owned())]
    );
    assert_eq!(ledger.read(0, 1).expect("reads").events.len(), 1);
    assert_eq!(ledger.event(3).expect("reads"), Some(event(3)));
    assert_eq!(ledger.event(4).expect("reads"), None);
    let row = batch(1, 2).spends[0];
    assert_eq!(ledger.index_bucket(row.bucket()).expect("reads"), [row]);
    let found = ledger.index_of(TransactionId::from_bytes([2; 16]));
    assert_eq!(found.expect("reads"), Some(row));
    assert_eq!(ledger.index_rows().expect("reads"), 2);
    ledger.clear_index().expect("cleared");
    assert_eq!(ledger.index_bucket(row.bucket()).expect("reads"), []);
    ledger.add_index(&[row]).expect("added");
    assert_eq!(ledger.index_bucket(row.bucket()).expect("reads"), [row]);
}

/// Only so many snapshots are kept, whatever is written.
#[test]
fn the_oldest_snapshot_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = SqliteLedger::open(folder.path()).expect("opens");
    for place in 1..=4_u64 {
        let snapshot = StoredSnapshot {
            version: 1,
            sequence: place,
            hash: Digest::from_bytes([9; 32]),
            body: vec![0; 100],
        };
        let batch = Batch {
            snapshot: Some(snapshot),
            ..batch(place + 1, place + 1)
        };
        ledger.append(&batch).expect("appends");
    }
    let mut found = Vec::new();
    let mut before = u64::MAX;
    while let Some(snapshot) = ledger.snapshot_before(before).expect("reads") {
        before = snapshot.sequence;
        found.push(before);
    }
    assert_eq!(found, [4, 3]);
    ledger.forget_snapshots().expect("forgotten");
    assert_eq!(ledger.snapshot_before(u64::MAX).expect("reads"), None);
}

/// A ledger of the first layout keeps its log; what is made from the log begins anew.
#[test]
fn a_ledger_of_the_first_layout_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(SqliteLedger::open(folder.path()).expect("opens"));
    let first = Connection::open(folder.path().join(FILE_NAME)).expect("opens");
    first
        .execute_batch(
            "DROP TABLE spend; DROP TABLE snapshot;
             CREATE TABLE spend (idempotency BLOB PRIMARY KEY, transaction_id BLOB NOT NULL UNIQUE,
             sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             INSERT INTO event VALUES (1, x'01', zeroblob(32));
             PRAGMA user_version = 1;",
        )
        .expect("the first layout");
    drop(first);
    let mut ledger = SqliteLedger::open(folder.path()).expect("opens");
    assert_eq!(ledger.read(0, 100).expect("reads").events.len(), 1);
    assert_eq!(ledger.index_rows().expect("reads"), 0);
    ledger.append(&batch(2, 2)).expect("goes on");
}

#[test]
fn a_refused_batch_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = SqliteLedger::open(folder.path()).expect("opens");
    ledger.append(&batch(1, 2)).expect("appends");
    // The same sequence again: refused by the primary key before the commit.
    assert!(matches!(
        ledger.append(&batch(2, 5)),
        Err(LedgerError::Refused)
    ));
    assert_eq!(ledger.read(0, 1_000_000).expect("reads").events.len(), 2);
    ledger.append(&batch(3, 3)).expect("goes on");
}

/// A stop gives up the half of the reserve, a kill the whole; the next commit keeps it again.
#[test]
fn the_reserve_comes_back_with_the_next_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = SqliteLedger::open(folder.path()).expect("a ledger");
    let kept = || {
        let reserve = folder.path().join("ledger.reserve");
        std::fs::metadata(reserve).expect("the reserve").len()
    };
    assert_eq!(kept(), 1024 * 1024);
    for (whole, left) in [(false, 512 * 1024), (true, 0)] {
        ledger.release_reserve(whole);
        assert_eq!(kept(), left);
        // A second stop takes nothing of what is a kill's.
        ledger.release_reserve(whole);
        assert_eq!(kept(), left);
        let sequence = 1 + u64::from(whole);
        ledger.append(&batch(sequence, sequence)).expect("durable");
        assert_eq!(kept(), 1024 * 1024);
    }
}
