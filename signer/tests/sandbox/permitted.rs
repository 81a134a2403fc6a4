//! The positive control: the signer's real kinds of work survive under the filters. Sockets in the rpc threads, an
//! SQLite ledger across a checkpoint and a keystore write in the authority, 256 MiB of Argon2id in the kdf thread.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::Connection;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use waiaas_signer::sandbox::{self, Role, SandboxError};
use waiaas_signer::sys::memory::{LockedBytes, SecretArena, scrub_stack};

use crate::Test;
use crate::support::{NOBODY, need_root, probe, state_directory};

pub(crate) const TESTS: &[Test] = &[
    ("permitted::the_signers_own_work_survives_as_root", || {
        the_signers_own_work_survives(0, Ledger::New)
    }),
    (
        "permitted::the_signers_own_work_survives_unprivileged",
        || the_signers_own_work_survives(NOBODY, Ledger::New),
    ),
    (
        "permitted::the_signers_own_work_survives_after_a_crash",
        || the_signers_own_work_survives(0, Ledger::LeftByACrash),
    ),
];

/// Commits, each of its own: more than the 1,000 pages after which SQLite checkpoints its WAL.
const INSERTS: u32 = 1_300;
/// Argon2id memory in KiB: 256 MiB.
const KDF_MEMORY: u32 = 256 * 1024;

// ---- inside the probe ----

/// A job for the authority and where its answer goes.
type Job = oneshot::Sender<String>;

/// Serves until a client says `end`.
pub(crate) fn serve(state: &Path) -> Result<ExitCode, SandboxError> {
    let prepared = sandbox::prepare()?;
    let arena = SecretArena::new(256 * 1024).expect("locked memory");
    let ledger = open_ledger(&state.join("ledger.db")).expect("a ledger");
    let (gateway, admin) = (
        listen(&state.join("gateway.sock")),
        listen(&state.join("admin.sock")),
    );
    let (jobs, inbox) = mpsc::sync_channel::<Job>(4);
    let (passwords, hashing) = mpsc::sync_channel::<mpsc::Sender<LockedBytes>>(1);

    let mut confined = prepared.confine(state, &arena)?;
    let keystore = state.join("keystore");
    let authority = confined.spawn(
        Role::Authority,
        "authority",
        || Ok(ledger),
        move |mut ledger, _| {
            while let Ok(reply) = inbox.recv() {
                let answer = authority_work(&mut ledger, &keystore, &passwords);
                // Wakes the rpc thread through its eventfd.
                let _ = reply.send(answer);
            }
        },
    )?;
    let kdf = confined.spawn(
        Role::Kdf,
        "kdf",
        || Ok(()),
        move |(), _| {
            while let Ok(reply) = hashing.recv() {
                let _ = reply.send(kdf_work(&arena));
            }
            everyday_work();
        },
    )?;
    let admin_jobs = jobs.clone();
    let rpc_gateway = confined.spawn(
        Role::Rpc,
        "rpc-gateway",
        move || set_up(gateway),
        move |ready, _| rpc_work(ready, jobs),
    )?;
    let rpc_admin = confined.spawn(
        Role::Rpc,
        "rpc-admin",
        move || set_up(admin),
        move |ready, _| rpc_work(ready, admin_jobs),
    )?;
    confined.seal()?;

    everyday_work();
    for thread in [rpc_gateway, rpc_admin, authority, kdf] {
        thread.join().expect("every thread ends by itself");
    }
    Ok(ExitCode::SUCCESS)
}

fn listen(path: &Path) -> StdListener {
    let listener = StdListener::bind(path).expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    listener
}

/// As the signer opens it, with the first commit made before sealing: it opens the directory to sync it.
fn open_ledger(path: &Path) -> rusqlite::Result<Connection> {
    let ledger = Connection::open(path)?;
    ledger.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;
         CREATE TABLE IF NOT EXISTS entry (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
         INSERT INTO entry (body) VALUES (x'00');",
    )?;
    Ok(ledger)
}

fn authority_work(
    ledger: &mut Connection,
    keystore: &Path,
    passwords: &mpsc::SyncSender<mpsc::Sender<LockedBytes>>,
) -> String {
    for _ in 0..INSERTS {
        let batch = ledger.transaction().expect("begin");
        batch
            .prepare_cached("INSERT INTO entry (body) VALUES (?1)")
            .and_then(|mut insert| insert.execute([vec![7_u8; 900]]))
            .expect("insert");
        batch.commit().expect("commit");
    }
    // A sort that does not fit the cache, a roll-back, an explicit checkpoint that cuts the WAL.
    let sum: i64 = ledger
        .query_row("SELECT sum(length(body)) FROM (SELECT body FROM entry ORDER BY hex(body), sequence DESC)", [], |row| row.get(0))
        .expect("query");
    assert!(sum > i64::from(INSERTS) * 900);
    let undone = ledger.transaction().expect("begin");
    undone.execute("DELETE FROM entry", []).expect("delete");
    undone.rollback().expect("rollback");
    ledger
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("checkpoint");

    let written = write_keystore(keystore);
    write_keystore(keystore);
    let (reply, answer) = mpsc::channel();
    passwords.send(reply).expect("the kdf thread lives");
    let key = answer.recv_timeout(Duration::from_secs(60)).expect("a key");
    everyday_work();
    let rows: u32 = ledger
        .query_row("SELECT count(*) FROM entry", [], |row| row.get(0))
        .expect("count");
    format!("{rows} rows, {written} bytes kept, key of {}", key.len())
}

/// Temporary file, fsync, rename, fsync of the directory, read back: as docs/keystore-format.md says.
fn write_keystore(path: &Path) -> usize {
    let temporary = path.with_extension("new");
    // What an interrupted write left behind.
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .expect("create");
    file.write_all(&[9; 5_000]).expect("write");
    file.sync_all().expect("fsync");
    drop(file);
    fs::rename(&temporary, path).expect("rename");
    File::open(path.parent().expect("a folder"))
        .and_then(|folder| folder.sync_all())
        .expect("fsync of the folder");
    let length = fs::metadata(path).expect("metadata").len();
    let back = fs::read(path).expect("read back");
    assert_eq!(u64::try_from(back.len()).ok(), Some(length));
    assert!(!temporary.exists());
    back.len()
}

fn kdf_work(arena: &SecretArena) -> LockedBytes {
    let mut key = arena.take(32).expect("room");
    let cost = argon2::Params::new(KDF_MEMORY, 1, 1, Some(32)).expect("parameters");
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
    key.fill(|bytes| argon.hash_password_into(b"password", b"sixteen bytes ok", bytes))
        .expect("hash");
    scrub_stack();
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).expect("entropy");
    key
}

/// What any Rust code may do in any thread: allocate, grow, hash, sleep, tell the time, print, panic and recover.
fn everyday_work() {
    let mut grown: Vec<u64> = Vec::new();
    for number in 0..2_000_000 {
        grown.push(number);
    }
    grown.truncate(10);
    grown.shrink_to_fit();
    let many: Vec<Vec<u8>> = (0..2_000).map(|size| vec![1; size]).collect();
    drop(many);
    let map: HashMap<u64, SystemTime> = grown
        .iter()
        .map(|number| (*number, SystemTime::now()))
        .collect();
    assert_eq!(map.len(), 10);
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(1));
    assert!(start.elapsed() >= Duration::from_millis(1));
    let (_sender, receiver) = mpsc::channel::<()>();
    assert!(receiver.recv_timeout(Duration::from_millis(1)).is_err());
    let _ = writeln!(io::stderr(), "everyday work done");
    assert!(catch_unwind(|| panic!("recovered from")).is_err());
}

/// Everything tokio needs is made before the filters.
fn set_up(listener: StdListener) -> io::Result<(Runtime, UnixListener)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    let listener = UnixListener::from_std(listener)?;
    drop(entered);
    Ok((runtime, listener))
}

fn rpc_work((runtime, listener): (Runtime, UnixListener), jobs: mpsc::SyncSender<Job>) {
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accept");
            let jobs = jobs.clone();
            // One connection at a time is enough here; a panic in it must not end the thread.
            let served = tokio::task::spawn_local(connection(stream, jobs)).await;
            if matches!(served, Ok(true)) {
                break;
            }
        }
    });
    drop(local);
    catch_unwind(AssertUnwindSafe(everyday_work)).expect("everyday work");
}

/// Serves lines until the client leaves; whether it said `end`.
async fn connection(stream: UnixStream, jobs: mpsc::SyncSender<Job>) -> bool {
    let peer = stream.peer_cred().expect("peer");
    let (reader, mut writer) = stream.into_split();
    let mut reader = tokio::io::BufReader::new(reader);
    let mut line = String::new();
    while reader.read_line(&mut line).await.expect("read") > 0 {
        match line.trim() {
            "who" => writer
                .write_all(format!("{}\n", peer.uid()).as_bytes())
                .await
                .expect("write"),
            "bulk" => {
                // Larger than the socket's buffer: it is written and read in pieces.
                let bytes = vec![5_u8; 1 << 20];
                writer.write_all(&bytes).await.expect("write");
                let mut back = vec![0; 1 << 20];
                reader.read_exact(&mut back).await.expect("read");
                assert_eq!(back, bytes);
            }
            "work" => {
                let (reply, answer) = oneshot::channel();
                jobs.send(reply).expect("the authority lives");
                let answer = tokio::time::timeout(Duration::from_secs(60), answer)
                    .await
                    .expect("in time")
                    .expect("an answer");
                writer
                    .write_all(format!("{answer}\n").as_bytes())
                    .await
                    .expect("write");
            }
            "panic" => panic!("a peer made it panic"),
            "end" => {
                writer.shutdown().await.expect("shutdown");
                return true;
            }
            _ => {}
        }
        line.clear();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    false
}

// ---- outside ----

/// A client of the probe.
struct Client {
    reader: BufReader<StdStream>,
    writer: StdStream,
}

impl Client {
    fn connect(path: &PathBuf) -> Self {
        // The probe binds its sockets before it seals itself; until then there is nothing to connect to.
        for _ in 0..3_000 {
            if let Ok(writer) = StdStream::connect(path) {
                let reader = BufReader::new(writer.try_clone().expect("dup"));
                return Self { reader, writer };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("nobody listens on {}", path.display());
    }

    fn say(&mut self, line: &str) {
        self.writer
            .write_all(format!("{line}\n").as_bytes())
            .expect("write");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("read");
        line
    }
}

/// What the probe finds when it starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ledger {
    New,
    LeftByACrash,
}

/// A ledger and its WAL as a killed signer leaves them: one committed entry, no checkpoint.
fn crash(state: &Path) {
    let elsewhere = state_directory(0);
    let ledger = open_ledger(&elsewhere.path().join("ledger.db")).expect("a ledger");
    for name in ["ledger.db", "ledger.db-wal"] {
        fs::copy(elsewhere.path().join(name), state.join(name)).expect("copy");
    }
    assert!(
        fs::metadata(state.join("ledger.db-wal"))
            .expect("a WAL")
            .len()
            > 0
    );
    drop(ledger);
}

fn the_signers_own_work_survives(uid: u32, found: Ledger) {
    need_root();
    let state = state_directory(uid);
    let mut before = 1;
    if found == Ledger::LeftByACrash {
        crash(state.path());
        before += 1;
    }
    let mut command = probe(state.path(), &["work"]);
    if uid != 0 {
        command.uid(uid).gid(uid);
    }
    let mut child = command.spawn().expect("the probe starts");

    for socket in ["gateway.sock", "admin.sock"] {
        let path = state.path().join(socket);
        let mut client = Client::connect(&path);
        client.say("who");
        assert_eq!(client.hear(), "0\n");
        client.say("bulk");
        let mut bytes = vec![0; 1 << 20];
        client.reader.read_exact(&mut bytes).expect("bulk");
        client.writer.write_all(&bytes).expect("bulk");
        drop(client);

        let mut panicking = Client::connect(&path);
        panicking.say("panic");
        assert_eq!(panicking.hear(), "", "the connection ends");

        let mut client = Client::connect(&path);
        client.say("work");
        let rows = if socket == "gateway.sock" {
            INSERTS + before
        } else {
            2 * INSERTS + before
        };
        let answer = client.hear();
        if answer != format!("{rows} rows, 5000 bytes kept, key of 32\n") {
            panic!("{socket}: {answer:?}: {:?}", child.wait_with_output());
        }
        client.say("end");
        assert_eq!(client.hear(), "");
    }
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("the probe ends");
    assert!(output.status.success(), "{output:?}");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        complaint.lines().all(|line| line == "everyday work done"
            || line == "waiaas-signer: a thread stopped on a broken assumption"),
        "{complaint}"
    );
}
