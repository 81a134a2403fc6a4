//! Both kinds of peer: an honest client on a thread of its own, which measures that it is served, and
//! raw frames for the other kind. Also the process under test and its memory.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use capnp::message::Builder;
use capnp::traits::HasTypeId as _;
use capnp_rpc::rpc_capnp::{call, message};
use tokio::task::LocalSet;
use waiaas_client::{GatewayClient, SpendRequest};
use waiaas_schema::{common_capnp, gateway_capnp};
use waiaas_shared::ids::SessionId;

/// What a hostile connection may cost, in bytes of resident memory.
const MEMORY_LIMIT: u64 = 16 * 1024 * 1024;
/// The slowest answer that counts as being served.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// The process under test.
pub(crate) struct Signer {
    child: Child,
    state: tempfile::TempDir,
}

impl Signer {
    pub(crate) fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .arg(state.path())
            .spawn();
        let signer = Self {
            child: child.unwrap(),
            state,
        };
        let start = Instant::now();
        while UnixStream::connect(signer.admin()).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "it does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        signer
    }

    pub(crate) fn gateway(&self) -> PathBuf {
        self.state.path().join("gateway.sock")
    }

    pub(crate) fn admin(&self) -> PathBuf {
        self.state.path().join("admin.sock")
    }

    /// Resident memory in bytes (proc_pid_statm(5), second field).
    pub(crate) fn resident(&self) -> u64 {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Does something hostile while an honest client is served; the memory that it cost at its peak.
    pub(crate) fn under(&mut self, hostile: impl FnOnce(&Self)) -> u64 {
        let honest = Honest::connect(&self.gateway());
        // Buffers of the first use are not the peer's doing.
        std::thread::sleep(Duration::from_millis(300));
        let before = self.resident();
        let peak = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let statm = format!("/proc/{}/statm", self.child.id());
        let (seen, stopped) = (Arc::clone(&peak), Arc::clone(&stop));
        let watch = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let pages = fs::read_to_string(&statm).unwrap();
                let bytes = pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096;
                seen.fetch_max(bytes, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        hostile(self);
        let slowest = honest.finish();
        stop.store(true, Ordering::Relaxed);
        watch.join().unwrap();
        assert!(
            self.child.try_wait().unwrap().is_none(),
            "the process has ended"
        );
        let cost = peak.load(Ordering::Relaxed).saturating_sub(before);
        let mut out = std::io::stdout();
        let _ = writeln!(
            out,
            "    peak +{} KiB, slowest honest answer {} ms",
            cost / 1024,
            slowest.as_millis()
        );
        assert!(cost < MEMORY_LIMIT, "{cost} bytes");
        assert!(slowest < SERVED_WITHIN, "{slowest:?}");
        // Whoever comes afterwards is served as well.
        let later = Honest::connect(&self.gateway());
        assert!(later.finish() < SERVED_WITHIN);
        cost
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that asks again and again, until told to finish.
struct Honest {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Honest {
    fn connect(path: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (path, stopped) = (path.to_owned(), Arc::clone(&stop));
        let (connected, ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, async move {
                let start = Instant::now();
                let client = loop {
                    // Places come back a moment after their connections are closed.
                    match GatewayClient::connect(&path).await {
                        Ok(client) => break client,
                        Err(error) => assert!(start.elapsed() < Duration::from_secs(15), "{error}"),
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                };
                connected.send(()).unwrap();
                let mut slowest = Duration::ZERO;
                let mut rounds = 0_u32;
                while rounds == 0 || !stopped.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    client
                        .decide(&payment("/v1/transactions", 100))
                        .await
                        .expect("an honest client is served");
                    assert_eq!(
                        client
                            .status()
                            .await
                            .expect("an honest client is served")
                            .sequence,
                        100
                    );
                    slowest = slowest.max(start.elapsed());
                    rounds += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                slowest
            })
        });
        ready.recv().expect("it connects");
        Self { stop, thread }
    }

    /// The slowest round.
    fn finish(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("an honest client is served")
    }
}

pub(crate) fn payment(path: &str, body: usize) -> SpendRequest {
    SpendRequest {
        session: SessionId::from_bytes([7; 16]),
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: "?".to_owned(),
        idempotency_key: "key".to_owned(),
        body: vec![b' '; body],
        signature_input: String::new(),
        signature: String::new(),
        unsigned: vec![1; body],
    }
}

// ---- raw frames ----

pub(crate) fn frame(fill: impl FnOnce(message::Builder<'_>)) -> Vec<u8> {
    let mut message = Builder::new_default();
    fill(message.init_root());
    capnp::serialize::write_message_to_words(&message)
}

pub(crate) fn bootstrap(question: u32) -> Vec<u8> {
    frame(|body| body.init_bootstrap().set_question_id(question))
}

fn call(
    question: u32,
    interface: u64,
    method: u16,
    params: impl FnOnce(call::Builder<'_>),
) -> Vec<u8> {
    frame(|body| {
        let mut call = body.init_call();
        call.set_question_id(question);
        call.set_interface_id(interface);
        call.set_method_id(method);
        call.reborrow().init_target().set_imported_cap(0);
        params(call);
    })
}

/// A payment that is never answered, if its path says so.
pub(crate) fn sign(question: u32, path: &str, body: usize) -> Vec<u8> {
    call(
        question,
        gateway_capnp::gateway::Client::TYPE_ID,
        1,
        |call| {
            let params = call.init_params().get_content();
            let spend = payment(path, body);
            let mut request = params
                .init_as::<gateway_capnp::gateway::sign_params::Builder<'_>>()
                .init_request();
            request.set_session(spend.session.to_string());
            request.set_method(&spend.method);
            request.set_path(&spend.path);
            request.set_query(&spend.query);
            request.set_idempotency_key(&spend.idempotency_key);
            request.set_body(&spend.body);
            request.set_unsigned(&spend.unsigned);
        },
    )
}

/// A page of events, at once or after a wait.
pub(crate) fn events(question: u32, after: u64, wait_millis: u32) -> Vec<u8> {
    call(question, common_capnp::common::Client::TYPE_ID, 1, |call| {
        let params = call.init_params().get_content();
        let mut params = params.init_as::<common_capnp::common::events_params::Builder<'_>>();
        params.set_after(after);
        params.set_max_bytes(u32::MAX);
        params.set_wait_millis(wait_millis);
    })
}

pub(crate) fn status(question: u32) -> Vec<u8> {
    call(question, common_capnp::common::Client::TYPE_ID, 0, |call| {
        call.init_params();
    })
}

pub(crate) fn finish(question: u32) -> Vec<u8> {
    frame(|body| body.init_finish().set_question_id(question))
}

/// A connection that has said what it is for.
pub(crate) fn open(path: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    let _ = stream.write_all(b"WAIASRPC");
    stream
}

/// Writes until the other side stops reading for so long, or closes; says whether it still reads.
pub(crate) fn push(stream: &mut UnixStream, bytes: &[u8], patience: Duration) -> bool {
    stream.set_write_timeout(Some(patience)).unwrap();
    stream.write_all(bytes).is_ok()
}

/// Waits for the other side to close; says whether it did.
pub(crate) fn closes(stream: &mut UnixStream, patience: Duration) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let start = Instant::now();
    let mut buffer = [0; 4096];
    while start.elapsed() < patience {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return true,
        }
    }
    false
}
