//! A scripted node on loopback, for tests: HTTP/1.1, one request per connection, and any lie that the
//! script tells. Stops and is joined when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

/// What the node does with one request.
pub(super) enum Reply {
    /// A correct answer with this result.
    Result(Value),
    /// A JSON-RPC error object.
    Error(i64, &'static str),
    /// The same with this data.
    ErrorWith(i64, &'static str, Value),
    /// A correct result under another request's id.
    WrongId(Value),
    /// These bytes as the body, with this HTTP status.
    Body(u16, Vec<u8>),
    /// A head and then nothing, until the test ends.
    Silence,
    /// A byte every 20 milliseconds, without end.
    Drip,
    /// A body without end, as fast as it goes.
    Endless,
    /// A length in the head that the body does not reach.
    CutOff,
    /// A redirect to this address.
    Redirect(String),
}

type Script = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// The node.
pub(super) struct MockNode {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl MockNode {
    pub(super) fn start(script: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("bound");
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let acceptor = thread::spawn({
            let (stop, calls) = (Arc::clone(&stop), Arc::clone(&calls));
            move || {
                let mut workers = Vec::new();
                for connection in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(connection) = connection else { continue };
                    let (script, stop, calls) =
                        (Arc::clone(&script), Arc::clone(&stop), Arc::clone(&calls));
                    workers.push(thread::spawn(move || {
                        // The client hanging up is what many tests are about.
                        let _ended = serve(connection, &*script, &stop, &calls);
                    }));
                }
                for worker in workers {
                    worker.join().expect("the script does not panic");
                }
            }
        });
        Self {
            address,
            stop,
            calls,
            acceptor: Some(acceptor),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Methods and parameters asked for so far.
    pub(super) fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().expect("no panic under it").clone()
    }

    /// How often a method was asked for.
    pub(super) fn count(&self, method: &str) -> usize {
        let calls = self.calls();
        calls.iter().filter(|(name, _)| name == method).count()
    }
}

impl Drop for MockNode {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let joined = acceptor.join();
            assert!(joined.is_ok() || thread::panicking());
        }
    }
}

fn serve(
    mut connection: TcpStream,
    script: &Script,
    stop: &AtomicBool,
    calls: &Mutex<Vec<(String, Value)>>,
) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    // The test that drops the node may be the very thread that would have to read on.
    connection.set_write_timeout(Some(Duration::from_millis(200)))?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body).expect("the client sends JSON");
    let method = request["method"].as_str().expect("a method").to_owned();
    let (id, params) = (&request["id"], &request["params"]);
    calls
        .lock()
        .expect("no panic under it")
        .push((method.clone(), params.clone()));

    let mut answer = |status: u16, body: &[u8]| {
        let length = body.len();
        write!(
            connection,
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )?;
        connection.write_all(body)
    };
    match script(&method, params) {
        Reply::Result(result) => {
            let body = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
            answer(200, body.as_bytes())
        }
        Reply::Error(code, message) => {
            let error = json!({ "code": code, "message": message, "data": { "any": [] } });
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
            answer(200, body.as_bytes())
        }
        Reply::ErrorWith(code, message, data) => {
            let error = json!({ "code": code, "message": message, "data": data });
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
            answer(200, body.as_bytes())
        }
        Reply::WrongId(result) => {
            let body = json!({ "jsonrpc": "2.0", "id": 999_999, "result": result }).to_string();
            answer(200, body.as_bytes())
        }
        Reply::Body(status, body) => answer(status, &body),
        Reply::Silence => {
            write!(connection, "HTTP/1.1 200 X\r\n")?;
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        Reply::Drip => {
            write!(connection, "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n")?;
            while !stop.load(Ordering::SeqCst) {
                connection.write_all(b" ")?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Reply::Endless => {
            write!(connection, "HTTP/1.1 200 X\r\nconnection: close\r\n\r\n")?;
            while !stop.load(Ordering::SeqCst) {
                connection.write_all(&[b' '; 16 * 1024])?;
            }
            Ok(())
        }
        Reply::CutOff => {
            write!(
                connection,
                "HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n{{"
            )
        }
        Reply::Redirect(to) => write!(
            connection,
            "HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
    }
}
