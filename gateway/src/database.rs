//! `gateway.db`: one SQLite connection on a thread of its own. Jobs from anywhere are taken together,
//! each in its own savepoint, committed once, and answered only then. Knows no table: `projection`
//! and `http` bring their statements. Deleting the file loses HTTP state only.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::oneshot;

use crate::incoming;
use crate::notify::outbox;
use crate::projection::{speeds, store};

/// Jobs that one commit carries.
const BATCH: usize = 64;
/// Jobs that wait at once.
const WAITING: usize = 4096;
/// `PRAGMA user_version` of this program's tables.
const VERSION: u32 = 9;

/// Why a job was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The disk is full.
    #[error("the disk that holds gateway.db is full")]
    Full,
    /// Too many jobs wait.
    #[error("too much waits for gateway.db")]
    Overloaded,
    /// Anything else that SQLite reports.
    #[error("gateway.db failed")]
    Failed,
}

/// Why the file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("it is in use: does another gateway run on the same data?")]
    InUse,
    /// Written by a newer program, or not a gateway's.
    #[error(
        "it has version {0}, this program knows {VERSION}: use the newer program, or move the file away"
    )]
    Version(u32),
    /// It cannot be read or created.
    #[error("{0}; the file can be moved away, it is rebuilt from the signer's log")]
    Sqlite(rusqlite::Error),
    /// No thread for it.
    #[error("no thread can be made: {0}")]
    Thread(std::io::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "gateway.db");
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Failed,
        }
    }
}

/// Whether a commit has to survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// It survives the death of the process.
    Process,
    /// It is on the disk before the answer comes.
    Power,
}

/// Called with the outcome of the commit.
type Reply = Box<dyn FnOnce(Result<(), DatabaseError>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Reply + Send>;

/// A handle to the thread; cheap to clone. The thread ends with the last of them.
#[derive(Debug, Clone)]
pub struct Database {
    jobs: mpsc::SyncSender<(Durability, Work)>,
}

impl Database {
    /// Opens or creates the file, readable by its owner only.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        restrict(path);
        Self::start(connection)
    }

    /// A database that nobody else sees, for tests.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::start(Connection::open_in_memory()?)
    }

    fn start(mut connection: Connection) -> Result<Self, OpenError> {
        connection.busy_timeout(Duration::from_millis(500))?;
        // EXCLUSIVE: a second gateway on the same file fails at its first statement.
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA temp_store = MEMORY;
             PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096; PRAGMA foreign_keys = ON;",
        )?;
        let transaction = connection.transaction()?;
        match transaction.pragma_query_value(None, "user_version", |row| row.get(0))? {
            0 => {
                for tables in [
                    store::TABLES,
                    speeds::TABLES,
                    incoming::store::TABLES,
                    outbox::TABLES,
                ] {
                    transaction.execute_batch(tables)?;
                }
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            other => return Err(OpenError::Version(other)),
        }
        transaction.commit()?;
        connection.set_prepared_statement_cache_capacity(64);
        // A plan does not depend on bound values: a statement that is kept is not prepared again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let (jobs, inbox) = mpsc::sync_channel(WAITING);
        thread::Builder::new()
            .name("gateway-db".to_owned())
            .spawn(move || serve(&connection, &inbox))
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs })
    }

    /// Runs a job and answers once it is committed. A job that fails leaves nothing behind.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn run<T: Send + 'static>(
        &self,
        durability: Durability,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let done = in_savepoint(connection, job).map_err(DatabaseError::from);
            Box::new(move |committed| {
                // Whoever asked may have left.
                let _ = sender.send(committed.and(done));
            })
        });
        self.jobs
            .try_send((durability, work))
            .map_err(|error| match error {
                mpsc::TrySendError::Full(_) => DatabaseError::Overloaded,
                mpsc::TrySendError::Disconnected(_) => DatabaseError::Failed,
            })?;
        receiver.await.map_err(|_| DatabaseError::Failed)?
    }
}

/// SQLite creates its files with the process's mask; the HTTP secrets in them are nobody else's.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    if let Err(error) = std::fs::set_permissions(path, owner_only) {
        tracing::warn!(%error, "gateway.db keeps its permissions");
    }
}

fn serve(connection: &Connection, inbox: &mpsc::Receiver<(Durability, Work)>) {
    let mut current = Durability::Process;
    while let Ok(first) = inbox.recv() {
        let mut batch = vec![first];
        batch.extend(inbox.try_iter().take(BATCH));
        let wanted = batch.iter().map(|(durability, _)| *durability).max();
        let wanted = wanted.unwrap_or(current);
        let mut replies = Vec::with_capacity(batch.len());
        let committed = set(connection, &mut current, wanted)
            .and_then(|()| connection.execute_batch("BEGIN IMMEDIATE"))
            .and_then(|()| {
                replies.extend(batch.into_iter().map(|(_, work)| work(connection)));
                connection.execute_batch("COMMIT")
            })
            .map_err(DatabaseError::from);
        if committed.is_err() && !connection.is_autocommit() {
            // A failed commit leaves its transaction open.
            let _ = connection.execute_batch("ROLLBACK");
        }
        for reply in replies {
            reply(committed);
        }
    }
}

/// The setting can only be changed between transactions.
fn set(
    connection: &Connection,
    current: &mut Durability,
    wanted: Durability,
) -> rusqlite::Result<()> {
    if *current != wanted {
        connection.execute_batch(match wanted {
            Durability::Process => "PRAGMA synchronous = NORMAL",
            Durability::Power => "PRAGMA synchronous = FULL",
        })?;
        *current = wanted;
    }
    Ok(())
}

fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("SAVEPOINT job")?;
    let done = job(connection);
    let end = match done {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    };
    connection.execute_batch(end)?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
    }

    #[tokio::test]
    async fn a_failed_job_leaves_nothing_and_harms_no_other() {
        let database = Database::in_memory().expect("opens");
        let run = |sql: &'static str| {
            database.run(Durability::Process, move |connection| {
                connection.execute_batch(sql)
            })
        };
        run("CREATE TABLE t(x INTEGER PRIMARY KEY)")
            .await
            .expect("made");
        let (good, bad) = tokio::join!(
            run("INSERT INTO t VALUES (1)"),
            run("INSERT INTO t VALUES (2); INSERT INTO t VALUES (2)")
        );
        assert_eq!((good, bad), (Ok(()), Err(DatabaseError::Failed)));
        assert_eq!(database.run(Durability::Power, count).await, Ok(1));
    }

    #[test]
    fn a_second_gateway_on_the_same_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.db");
        let _first = Database::open(&path).expect("opens");
        assert!(matches!(Database::open(&path), Err(OpenError::InUse)));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).expect("there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_or_newer_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.db");
        std::fs::write(&path, [7; 4096]).expect("written");
        assert!(matches!(Database::open(&path), Err(OpenError::Sqlite(_))));
        std::fs::remove_file(&path).expect("removed");
        let newer = Connection::open(&path).expect("opens");
        let version = VERSION + 1;
        newer
            .pragma_update(None, "user_version", version)
            .expect("set");
        drop(newer);
        let opened = Database::open(&path);
        assert!(matches!(opened, Err(OpenError::Version(told)) if told == version));
    }
}
