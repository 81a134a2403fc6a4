//! A node that misbehaves: a proxy in front of a real local chain, whose script decides for each request
//! whether it is passed on and what comes back. HTTP/1.1 on loopback, one request a connection. Ends with
//! its value.

use std::fmt;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// A length that no answer has.
const GIANT: usize = 1 << 40;
/// A local chain answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of one request.
#[derive(Debug, Clone)]
pub enum Turn {
    /// It is passed on, and the answer comes back.
    Pass,
    /// The connection ends before anything is passed on.
    Refuse,
    /// It is passed on, and the connection ends without a byte of the answer.
    DieAfter,
    /// It is passed on, and the connection ends in the middle of the answer.
    CutShort,
    /// It is passed on, and the answer comes back after this time.
    Slow(Duration),
    /// It is not passed on; this HTTP status comes back, with a page for people.
    Status(u16),
    /// It is not passed on; bytes come back that are no JSON.
    Garbage,
    /// It is not passed on; an answer begins that never ends.
    Endless,
    /// It is not passed on; an answer comes back that says how long it is: longer than any memory.
    Giant,
    /// It is not passed on; this result comes back.
    Say(Value),
    /// It is not passed on; this JSON-RPC error comes back.
    Error(i64, &'static str),
    /// It is passed on, and this is put in place of a part of the result: JSON pointer and value.
    Forge(&'static str, Value),
}

/// Method and parameters, to what becomes of them.
pub type Script = dyn Fn(&str, &Value) -> Turn + Send + Sync;

struct Shared {
    upstream: SocketAddr,
    script: Mutex<Arc<Script>>,
    /// Every request: its method, and whether the script let it be.
    seen: Mutex<Vec<(String, bool)>>,
    stop: AtomicBool,
}

/// The proxy.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Proxy");
        shown.field("address", &self.address).finish()
    }
}

impl Proxy {
    /// Stands in front of the chain at `url` (`http://127.0.0.1:PORT`) and passes everything on.
    ///
    /// # Errors
    /// When the address is not one of this machine, or no port is free.
    pub fn start(url: &str) -> Result<Self> {
        let upstream: SocketAddr = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .and_then(|rest| rest.parse().ok())
            .with_context(|| format!("{url} is not http://ADDRESS:PORT"))?;
        ensure!(upstream.ip().is_loopback(), "{url} is not on this machine");
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            script: Mutex::new(Arc::new(|_: &str, _: &Value| Turn::Pass)),
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut workers = Vec::new();
                for connection in listener.incoming() {
                    if shared.stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(connection) = connection else { continue };
                    let shared = Arc::clone(&shared);
                    workers.push(thread::spawn(move || {
                        // A peer that hangs up, or a chain that has ended, is part of the plan.
                        let _ended = serve(connection, &shared);
                    }));
                    workers.retain(|worker| !worker.is_finished());
                }
                for worker in workers {
                    // A worker that panicked has told so.
                    let _ended = worker.join();
                }
            }
        });
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this is done, and what was seen so far is forgotten.
    pub fn play(&self, script: impl Fn(&str, &Value) -> Turn + Send + Sync + 'static) {
        let playing = self.shared.script.lock();
        *playing.unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
        self.seen().clear();
    }

    /// From now on everything is passed on.
    pub fn heal(&self) {
        self.play(|_, _| Turn::Pass);
    }

    /// How many requests the script has spoilt since it plays.
    #[must_use]
    pub fn spoilt(&self) -> usize {
        self.seen().iter().filter(|(_, spoilt)| *spoilt).count()
    }

    /// How many requests for this method came since the script plays.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        let seen = self.seen();
        seen.iter().filter(|(name, _)| name == method).count()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<(String, bool)>> {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ended = acceptor.join();
        }
    }
}

fn serve(mut connection: TcpStream, shared: &Shared) -> Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let body = read_message(&mut BufReader::new(connection.try_clone()?))?;
    let request: Value = serde_json::from_slice(&body)?;
    let method = request.get("method").and_then(Value::as_str);
    let method = method.context("a method")?.to_owned();
    let id = request.get("id").cloned().unwrap_or(Value::Null);
    let script = {
        let playing = shared.script.lock();
        Arc::clone(&*playing.unwrap_or_else(PoisonError::into_inner))
    };
    let turn = script(&method, request.get("params").unwrap_or(&Value::Null));
    let spoilt = !matches!(turn, Turn::Pass);
    shared
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((method, spoilt));
    let answer = |result: Value| json!({ "jsonrpc": "2.0", "id": id, "result": result });
    let (status, told) = match turn {
        Turn::Refuse => return Ok(()),
        Turn::Pass => (200, pass_on(shared, &body)?),
        Turn::DieAfter => {
            pass_on(shared, &body)?;
            return Ok(());
        }
        Turn::CutShort => {
            let whole = pass_on(shared, &body)?;
            let half = whole.get(..whole.len() / 2).unwrap_or_default();
            write_head(&mut connection, 200, whole.len())?;
            return Ok(connection.write_all(half)?);
        }
        Turn::Slow(after) => {
            let told = pass_on(shared, &body)?;
            let until = Instant::now() + after;
            while Instant::now() < until && !shared.stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20));
            }
            (200, told)
        }
        Turn::Status(status) => (status, b"<html><body>Sorry</body></html>".to_vec()),
        Turn::Garbage => (200, vec![0xff; 100]),
        Turn::Endless => {
            // Without a length it ends with the connection.
            write!(
                connection,
                "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
                 {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":\"0x"
            )?;
            return pour(&mut connection, shared);
        }
        Turn::Giant => {
            write_head(&mut connection, 200, GIANT)?;
            return pour(&mut connection, shared);
        }
        Turn::Say(result) => (200, answer(result).to_string().into_bytes()),
        Turn::Error(code, message) => {
            let error = json!({ "code": code, "message": message });
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
            (200, body.to_string().into_bytes())
        }
        Turn::Forge(pointer, value) => {
            let mut told: Value = serde_json::from_slice(&pass_on(shared, &body)?)?;
            if let Some(part) = told.pointer_mut(&format!("/result{pointer}")) {
                *part = value;
            }
            (200, told.to_string().into_bytes())
        }
    };
    write_head(&mut connection, status, told.len())?;
    Ok(connection.write_all(&told)?)
}

/// Until the peer has had enough.
fn pour(connection: &mut TcpStream, shared: &Shared) -> Result<()> {
    while !shared.stop.load(Ordering::SeqCst) {
        connection.write_all(&[b'0'; 16 * 1024])?;
    }
    Ok(())
}

fn write_head(connection: &mut TcpStream, status: u16, length: usize) -> Result<()> {
    Ok(write!(
        connection,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    )?)
}

/// The body of an HTTP message that has a Content-Length.
fn read_message(from: &mut impl std::io::BufRead) -> Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(from.read_line(&mut line)? > 0, "it ended in its head");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn pass_on(shared: &Shared, body: &[u8]) -> Result<Vec<u8>> {
    let mut upstream = TcpStream::connect_timeout(&shared.upstream, PATIENCE)?;
    upstream.set_read_timeout(Some(PATIENCE))?;
    upstream.set_write_timeout(Some(PATIENCE))?;
    write!(
        upstream,
        "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        shared.upstream,
        body.len()
    )?;
    upstream.write_all(body)?;
    read_message(&mut BufReader::new(upstream))
}
