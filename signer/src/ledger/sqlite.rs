//! The ledger in SQLite: WAL, exclusive, synchronous FULL, everything temporary in memory, one
//! connection for ever. Only the authority thread touches it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;

use super::{Batch, Ledger, LedgerError, Page, SpendIndex, StoredEvent};
use crate::core::journal::JournalRow;

/// The database's file in the state folder.
pub const FILE_NAME: &str = "ledger.db";
/// Disk kept free for a lock or a kill when everything else is full.
const RESERVE_NAME: &str = "ledger.reserve";
const RESERVE_BYTES: usize = 1024 * 1024;
/// `PRAGMA user_version` of this layout.
const LAYOUT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE event (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE head (sequence INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE spend (
    idempotency BLOB PRIMARY KEY, transaction_id BLOB NOT NULL UNIQUE, sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (place INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
PRAGMA user_version = 1;
";

/// The daemon's ledger.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    reserve: PathBuf,
}

impl SqliteLedger {
    /// Opens the ledger in `folder`, creating it if there is none.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] if another process has it; [`LedgerError`] if it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        let path = folder.join(FILE_NAME);
        // Made here so that its mode does not depend on anybody's umask.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| LedgerError::Unreadable(error.kind()))?;
        let connection = Connection::open(&path).map_err(|error| unreadable(&error))?;
        connection.set_prepared_statement_cache_capacity(32);
        connection
            .execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF; \
                 PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 1000;",
            )
            .map_err(|error| unreadable(&error))?;
        let version: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|error| unreadable(&error))?;
        match version {
            0 => connection
                .execute_batch(&format!("BEGIN EXCLUSIVE; {SCHEMA} COMMIT;"))
                .map_err(|error| unreadable(&error))?,
            LAYOUT => {}
            _ => return Err(LedgerError::Damaged),
        }
        let ledger = Self {
            connection,
            reserve: folder.join(RESERVE_NAME),
        };
        ledger.keep_reserve()?;
        Ok(ledger)
    }

    fn keep_reserve(&self) -> Result<(), LedgerError> {
        let present =
            std::fs::metadata(&self.reserve).is_ok_and(|file| file.len() >= RESERVE_BYTES as u64);
        if present {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&self.reserve)?;
            file.write_all(&vec![0; RESERVE_BYTES])?;
            file.sync_all()
        };
        write().map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LedgerError::Refused,
            kind => LedgerError::Unreadable(kind),
        })
    }

    fn write(&mut self, batch: &Batch) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        let transaction = self.connection.transaction()?;
        {
            let mut event = transaction.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3)")?;
            for stored in &batch.events {
                event.execute(params![
                    number(stored.sequence),
                    stored.body,
                    stored.hash.as_bytes()
                ])?;
            }
            if let Some(last) = batch.events.last() {
                let mut head = transaction.prepare_cached("INSERT INTO head VALUES (?1, ?2)")?;
                head.execute(params![number(last.sequence), batch.head])?;
            }
            let mut spend =
                transaction.prepare_cached("INSERT OR REPLACE INTO spend VALUES (?1, ?2, ?3)")?;
            for index in &batch.spends {
                spend.execute(params![
                    index.idempotency.as_bytes(),
                    index.transaction.as_bytes(),
                    number(index.sequence)
                ])?;
            }
            if batch.clear_journal {
                transaction.execute("DELETE FROM journal", [])?;
            }
        }
        Ok(transaction)
    }

    fn event(&mut self, query: &str, key: &[u8]) -> Result<Option<StoredEvent>, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached(query)
            .map_err(|error| unreadable(&error))?;
        statement
            .query_row([key], stored)
            .optional()
            .map_err(|error| unreadable(&error))
    }
}

impl Ledger for SqliteLedger {
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        // Until COMMIT nothing but memory and the log's tail beyond its valid end was touched: a
        // failure there is a clean refusal. From COMMIT on only success is known.
        let transaction = self.write(batch).map_err(|_| LedgerError::Refused)?;
        transaction.commit().map_err(|error| not_committed(&error))
    }

    fn read(&mut self, after: u64, max_bytes: usize) -> Result<Page, LedgerError> {
        let mut page = Page::default();
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT sequence, body, hash FROM event WHERE sequence > ?1 ORDER BY sequence",
            )
            .map_err(|error| unreadable(&error))?;
        let rows = statement
            .query_map([number(after)], stored)
            .map_err(|error| unreadable(&error))?;
        let mut bytes = 0;
        for row in rows {
            let event = row.map_err(|error| unreadable(&error))?;
            bytes += event.body.len();
            if bytes > max_bytes && !page.events.is_empty() {
                break;
            }
            page.events.push(event);
        }
        let last = page.events.last().map_or(after, |event| event.sequence);
        let mut statement = self
            .connection
            .prepare_cached("SELECT sequence, note FROM head WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence")
            .map_err(|error| unreadable(&error))?;
        let heads = statement
            .query_map([number(after), number(last)], |row| {
                Ok((sequence(row.get(0)?)?, row.get(1)?))
            })
            .map_err(|error| unreadable(&error))?;
        page.heads = heads
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))?;
        Ok(page)
    }

    fn find_idempotency(
        &mut self,
        idempotency: &Digest,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        self.event(
            "SELECT event.sequence, body, hash FROM spend JOIN event USING (sequence) WHERE idempotency = ?1",
            idempotency.as_bytes(),
        )
    }

    fn find_transaction(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<StoredEvent>, LedgerError> {
        self.event(
            "SELECT event.sequence, body, hash FROM spend JOIN event USING (sequence) WHERE transaction_id = ?1",
            transaction.as_bytes(),
        )
    }

    fn repair_index(&mut self, spend: &SpendIndex) -> Result<(), LedgerError> {
        let known: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT sequence FROM spend WHERE idempotency = ?1 AND transaction_id = ?2",
            )
            .and_then(|mut query| {
                query
                    .query_row(
                        params![spend.idempotency.as_bytes(), spend.transaction.as_bytes()],
                        |row| row.get(0),
                    )
                    .optional()
            })
            .map_err(|error| unreadable(&error))?;
        if known == Some(number(spend.sequence)) {
            return Ok(());
        }
        self.connection
            .execute(
                "INSERT OR REPLACE INTO spend VALUES (?1, ?2, ?3)",
                params![
                    spend.idempotency.as_bytes(),
                    spend.transaction.as_bytes(),
                    number(spend.sequence)
                ],
            )
            .map(|_| ())
            .map_err(|error| unreadable(&error))
    }

    fn journal(&mut self) -> Result<Vec<JournalRow>, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT body, hash FROM journal ORDER BY place")
            .map_err(|error| unreadable(&error))?;
        let rows = statement
            .query_map([], |row| {
                Ok(JournalRow {
                    body: row.get(0)?,
                    hash: Digest::from_bytes(row.get(1)?),
                })
            })
            .map_err(|error| unreadable(&error))?;
        rows.collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))
    }

    fn journal_append(&mut self, row: &JournalRow) -> Result<(), LedgerError> {
        let transaction = self
            .connection
            .transaction()
            .map_err(|_| LedgerError::Refused)?;
        transaction
            .execute(
                "INSERT INTO journal (body, hash) VALUES (?1, ?2)",
                params![row.body, row.hash.as_bytes()],
            )
            .map_err(|_| LedgerError::Refused)?;
        transaction.commit().map_err(|error| not_committed(&error))
    }

    fn release_reserve(&mut self) {
        // Truncating frees the blocks; a failure leaves things as full as they are.
        let _best_effort = File::create(&self.reserve);
    }
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        sequence: sequence(row.get(0)?)?,
        body: row.get(1)?,
        hash: Digest::from_bytes(row.get(2)?),
    })
}

/// SQLite's integers are signed; sequences stay far below their end.
fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn sequence(number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number))
}

/// A full disk refuses the write of a frame, and a commit without its last frame is no commit: SQLite
/// rolls it back. Any other failure (of a sync above all) leaves the outcome unknown.
fn not_committed(error: &rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::Refused,
        _ => LedgerError::Unknown,
    }
}

fn unreadable(error: &rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::InUse,
        Some(ErrorCode::DiskFull) => LedgerError::Unreadable(ErrorKind::StorageFull),
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            LedgerError::Unreadable(ErrorKind::PermissionDenied)
        }
        _ => LedgerError::Damaged,
    }
}

#[cfg(test)]
mod tests {
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
            }],
            clear_journal: false,
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
        let found = ledger
            .find_idempotency(&Digest::from_bytes([3; 32]))
            .expect("reads");
        assert_eq!(found, Some(event(3)));
        let found = ledger
            .find_transaction(TransactionId::from_bytes([2; 16]))
            .expect("reads");
        assert_eq!(found, Some(event(2)));
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
}
