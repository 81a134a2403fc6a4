//! The ledger in SQLite: WAL, exclusive, synchronous FULL, everything temporary in memory, one
//! connection for ever. Only the authority thread touches it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::TransactionId;

use super::{
    Batch, Ledger, LedgerError, Page, SNAPSHOTS_KEPT, SpendIndex, StoredEvent, StoredSnapshot,
};
use crate::core::journal::JournalRow;

/// The database's file in the state folder.
pub const FILE_NAME: &str = "ledger.db";
/// Disk kept free for what stops when everything else is full; the half of it for a lock or kill alone.
const RESERVE_NAME: &str = "ledger.reserve";
const RESERVE_BYTES: usize = 1024 * 1024;
const RESERVE_OF_KILL: usize = RESERVE_BYTES / 2;
/// `PRAGMA user_version` of this layout.
const LAYOUT: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE event (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE head (sequence INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE journal (place INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
";
/// What is made from the log: the index, and snapshots.
const SCHEMA_DERIVED: &str = "
CREATE TABLE spend (
    bucket INTEGER NOT NULL, sequence INTEGER NOT NULL, idempotency BLOB NOT NULL,
    transaction_id BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (bucket, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX spend_transaction ON spend (transaction_id, sequence);
CREATE TABLE snapshot (
    sequence INTEGER PRIMARY KEY, version INTEGER NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL
) STRICT;
PRAGMA user_version = 2;
";
const INSERT_SPEND: &str = "INSERT INTO spend VALUES (?1, ?2, ?3, ?4, ?5)";

/// The daemon's ledger.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    reserve: PathBuf,
    /// Bytes of it that were not given up.
    reserve_left: usize,
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
        // A plan does not depend on bound values: a statement that is kept is not prepared again.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|error| unreadable(&error))?;
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
                .execute_batch(&format!(
                    "BEGIN EXCLUSIVE; {SCHEMA} {SCHEMA_DERIVED} COMMIT;"
                ))
                .map_err(|error| unreadable(&error))?,
            // The log is the same; its index is written anew by the fold that follows.
            1 => connection
                .execute_batch(&format!(
                    "BEGIN EXCLUSIVE; DROP TABLE spend; {SCHEMA_DERIVED} COMMIT;"
                ))
                .map_err(|error| unreadable(&error))?,
            LAYOUT => {}
            _ => return Err(LedgerError::Damaged),
        }
        let ledger = Self {
            connection,
            reserve: folder.join(RESERVE_NAME),
            reserve_left: RESERVE_BYTES,
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

    /// Keeps the whole reserve again after a part of it was given up, if the disk has the room. What is
    /// left of it is never less for the attempt.
    fn restore_reserve(&mut self) {
        let missing = RESERVE_BYTES.saturating_sub(self.reserve_left);
        if missing == 0 {
            return;
        }
        let grown = || -> std::io::Result<()> {
            let file = OpenOptions::new().write(true).open(&self.reserve)?;
            let end = u64::try_from(self.reserve_left).map_err(std::io::Error::other)?;
            file.write_all_at(&vec![0; missing], end)?;
            file.sync_all()
        };
        match grown() {
            Ok(()) => self.reserve_left = RESERVE_BYTES,
            Err(_) => self.cut_reserve(),
        }
    }

    /// Truncating frees the blocks; a failure leaves things as full as they are.
    fn cut_reserve(&self) {
        let left = u64::try_from(self.reserve_left).unwrap_or(0);
        let cut = OpenOptions::new().write(true).open(&self.reserve);
        let _best_effort = cut.and_then(|file| file.set_len(left));
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
            insert_rows(&transaction, &batch.spends)?;
            if let Some(snapshot) = &batch.snapshot {
                transaction.execute(
                    "INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4)",
                    params![
                        number(snapshot.sequence),
                        snapshot.version,
                        snapshot.hash.as_bytes(),
                        snapshot.body
                    ],
                )?;
                transaction.execute(
                    "DELETE FROM snapshot WHERE sequence NOT IN
                     (SELECT sequence FROM snapshot ORDER BY sequence DESC LIMIT ?1)",
                    [SNAPSHOTS_KEPT],
                )?;
            }
            if batch.clear_journal {
                transaction.execute("DELETE FROM journal", [])?;
            }
        }
        Ok(transaction)
    }
}

impl Ledger for SqliteLedger {
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        // Until COMMIT nothing but memory and the log's tail beyond its valid end was touched: a
        // failure there is a clean refusal. From COMMIT on only success is known.
        let transaction = self.write(batch).map_err(|_| LedgerError::Refused)?;
        transaction
            .commit()
            .map_err(|error| not_committed(&error))?;
        self.restore_reserve();
        Ok(())
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

    fn event(&mut self, sequence: u64) -> Result<Option<StoredEvent>, LedgerError> {
        let query = "SELECT sequence, body, hash FROM event WHERE sequence = ?1";
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_row([number(sequence)], stored).optional())
            .map_err(|error| unreadable(&error))
    }

    fn index_bucket(&mut self, bucket: u16) -> Result<Vec<SpendIndex>, LedgerError> {
        let query = "SELECT sequence, idempotency, transaction_id, hash FROM spend
                     WHERE bucket = ?1 ORDER BY sequence";
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| statement.query_map([bucket], index_row)?.collect())
            .map_err(|error| unreadable(&error))
    }

    fn index_of(&mut self, transaction: TransactionId) -> Result<Option<SpendIndex>, LedgerError> {
        let query = "SELECT sequence, idempotency, transaction_id, hash FROM spend
                     WHERE transaction_id = ?1 ORDER BY sequence DESC LIMIT 1";
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| {
                statement
                    .query_row([transaction.as_bytes()], index_row)
                    .optional()
            })
            .map_err(|error| unreadable(&error))
    }

    fn index_rows(&mut self) -> Result<u64, LedgerError> {
        self.connection
            .query_row("SELECT count(*) FROM spend", [], |row| {
                sequence(row.get(0)?)
            })
            .map_err(|error| unreadable(&error))
    }

    fn clear_index(&mut self) -> Result<(), LedgerError> {
        self.connection
            .execute("DELETE FROM spend", [])
            .map(|_| ())
            .map_err(|error| unreadable(&error))
    }

    fn add_index(&mut self, rows: &[SpendIndex]) -> Result<(), LedgerError> {
        let mut added = || {
            let transaction = self.connection.transaction()?;
            insert_rows(&transaction, rows)?;
            transaction.commit()
        };
        added().map_err(|error: rusqlite::Error| unreadable(&error))
    }

    fn snapshot_before(&mut self, before: u64) -> Result<Option<StoredSnapshot>, LedgerError> {
        let query = "SELECT sequence, version, hash, body FROM snapshot
                     WHERE sequence < ?1 ORDER BY sequence DESC LIMIT 1";
        self.connection
            .prepare_cached(query)
            .and_then(|mut statement| {
                statement
                    .query_row([number(before)], |row| {
                        Ok(StoredSnapshot {
                            sequence: sequence(row.get(0)?)?,
                            version: row.get(1)?,
                            hash: Digest::from_bytes(row.get(2)?),
                            body: row.get(3)?,
                        })
                    })
                    .optional()
            })
            .map_err(|error| unreadable(&error))
    }

    fn forget_snapshots(&mut self) -> Result<(), LedgerError> {
        self.connection
            .execute("DELETE FROM snapshot", [])
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

    fn release_reserve(&mut self, whole: bool) {
        let left = if whole { 0 } else { RESERVE_OF_KILL };
        self.reserve_left = self.reserve_left.min(left);
        self.cut_reserve();
    }
}

fn insert_rows(
    transaction: &rusqlite::Transaction<'_>,
    rows: &[SpendIndex],
) -> rusqlite::Result<()> {
    let mut spend = transaction.prepare_cached(INSERT_SPEND)?;
    for row in rows {
        spend.execute(params![
            row.bucket(),
            number(row.sequence),
            row.idempotency.as_bytes(),
            row.transaction.as_bytes(),
            row.hash.as_bytes()
        ])?;
    }
    Ok(())
}

fn index_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<SpendIndex> {
    Ok(SpendIndex {
        sequence: sequence(row.get(0)?)?,
        idempotency: Digest::from_bytes(row.get(1)?),
        transaction: TransactionId::from_bytes(row.get(2)?),
        hash: Digest::from_bytes(row.get(3)?),
    })
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
#[path = "sqlite_tests.rs"]
mod tests;
