//! The proxy between a caller and a gateway that is none: what goes on, what comes back and when, and what is said
//! when the gateway, its clock or its token is not as it should be.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener as StdListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{Request as Covered, SignedRequest, verify};

use super::*;
use crate::owner_key::KeyFile;
use crate::rest::Agent;

const SESSION: SessionId = SessionId::from_bytes([5; 16]);

/// A request as the gateway gets it.
#[derive(Debug, Clone)]
struct Got {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn is_signed_by(&self, key: &AgentKey) -> bool {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let query = format!("?{query}");
        let request = Covered {
            method: &self.method,
            path,
            query: &query,
            body: &self.body,
            idempotency_key: self.header("idempotency-key"),
        };
        let signed = SignedRequest {
            request,
            signature_input: self.header("signature-input"),
            signature: self.header("signature"),
        };
        verify(&signed, key).is_ok_and(|verified| verified.session == SESSION)
    }
}

/// A gateway that follows a script: what it got, and when a stream goes on.
struct Stub {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    go_on: Sender<()>,
}

impl Stub {
    fn start() -> Self {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (go_on, gone_on) = channel();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let seen = Arc::clone(&got);
        let gone_on = Arc::new(Mutex::new(gone_on));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, gone_on) = (Arc::clone(&seen), Arc::clone(&gone_on));
                std::thread::spawn(move || answer(stream.unwrap(), &seen, &gone_on));
            }
        });
        Self { url, got, go_on }
    }

    fn got(&self, target: &str) -> Vec<Got> {
        let got = self.got.lock().unwrap();
        got.iter()
            .filter(|one| one.target == target)
            .cloned()
            .collect()
    }
}

fn read_request(stream: &TcpStream) -> Option<Got> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut got = Got {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = got.header("content-length").parse().unwrap_or(0);
    got.body = vec![0; length];
    reader.read_exact(&mut got.body).ok()?;
    Some(got)
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<Got>>, gone_on: &Mutex<Receiver<()>>) {
    let Some(got) = read_request(&stream) else {
        return;
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|one| one.target == got.target).count();
        seen.push(got.clone());
        before
    };
    let (status, body) = match got.target.as_str() {
        "/v1/session/token" => (
            200,
            format!(r#"{{"token":"token-{before}","expires_in":900}}"#),
        ),
        "/v1/events" => {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            write!(stream, "{head}id: 1\ndata: one\n\n").unwrap();
            gone_on.lock().unwrap().recv().unwrap();
            write!(stream, "id: 2\ndata: two\n\n").unwrap();
            return;
        }
        "/v1/wallets" if before == 0 => (401, r#"{"code":"token_invalid"}"#.to_owned()),
        "/v1/status" => (
            401,
            r#"{"code":"request_time_skew","hint":"old","server_time_seconds":1000}"#.to_owned(),
        ),
        _ => (200, r#"{"fine":true}"#.to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nretry-after: 7\r\nconnection: close"
    );
    let _hung_up = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
}

/// A proxy at a socket, and the test beside it.
fn with_proxy(test: impl AsyncFnOnce(&Stub, PathBuf, AgentKey)) {
    let stub = Stub::start();
    let url = stub.url.clone();
    with_gateway(&url, async |path, key| test(&stub, path, key).await);
}

fn with_gateway(url: &str, test: impl AsyncFnOnce(PathBuf, AgentKey)) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = folder.path().join("agent.sock");
    let key = KeyFile::generate().unwrap();
    let public = key.agent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = Cell::new(false);
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let agent = Agent::with_key(url, SESSION, key).unwrap();
        let forwarder = Forwarder::new(agent, url).unwrap();
        let door = Door::socket(&path).unwrap();
        let proxy = Proxy::new(door, forwarder, Output::new(false));
        tokio::select! {
            served = proxy.serve() => panic!("it ended: {served:?}"),
            () = test(path.clone(), public) => ended.set(true),
        }
    });
    assert!(ended.get());
}

/// Sends bytes and reads all that comes back.
async fn exchange(path: &PathBuf, request: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    // Of a body that was not read to its end the rest of the connection is reset.
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        answer.extend_from_slice(piece.get(..length).unwrap());
    }
    String::from_utf8(answer).unwrap()
}

async fn ask(path: &PathBuf, line: &str, headers: &str, body: &str) -> (u16, Value, String) {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = exchange(path, &request).await;
    let status = answer
        .get(9..12)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (
        status,
        serde_json::from_str(body).unwrap_or_default(),
        answer,
    )
}

#[test]
fn a_request_goes_on_signed_with_a_token_and_nothing_of_the_callers_own() {
    with_proxy(async |stub, path, key| {
        let headers = "Idempotency-Key: invoice-17\r\nContent-Type: application/json\r\nAuthorization: Bearer mine\r\nCookie: a=b\r\n";
        let (status, body, answer) =
            ask(&path, "POST /v1/transactions?wait=1", headers, r#"{"a":1}"#).await;
        assert_eq!(
            (status, &body["fine"]),
            (200, &Value::Bool(true)),
            "{answer}"
        );
        assert!(
            answer.to_ascii_lowercase().contains("retry-after: 7"),
            "{answer}"
        );
        let token = &stub.got("/v1/session/token")[0];
        assert!(token.is_signed_by(&key), "{token:?}");
        let got = &stub.got("/v1/transactions?wait=1")[0];
        assert!(got.is_signed_by(&key), "{got:?}");
        assert_eq!(got.header("authorization"), "Bearer token-0");
        assert_eq!(
            (got.header("idempotency-key"), got.header("cookie")),
            ("invoice-17", "")
        );
        assert!(got.header("content-digest").starts_with("sha-256=:"));
        // One token serves many; what only reads is not signed, and what is open carries nothing at all.
        ask(&path, "GET /v1/session", "", "").await;
        ask(&path, "GET /health", "", "").await;
        assert_eq!(stub.got("/v1/session/token").len(), 1);
        let read = &stub.got("/v1/session")[0];
        assert_eq!(
            (read.header("authorization"), read.header("signature")),
            ("Bearer token-0", "")
        );
        assert_eq!(stub.got("/health")[0].header("authorization"), "");
    });
}

#[test]
fn a_mutation_without_the_callers_own_name_never_leaves() {
    with_proxy(async |stub, path, _| {
        let (status, told, _) = ask(&path, "POST /v1/transactions", "", "{}").await;
        assert_eq!(
            (status, told["code"].as_str()),
            (400, Some("idempotency_key_missing"))
        );
        for (line, headers, code) in [
            ("GET http://localhost/v1/session", "", "target_malformed"),
            ("GET /v1/owner/agents", "", "proxy_not_for_agents"),
            (
                "POST /v1/session/token",
                "Idempotency-Key: k\r\n",
                "proxy_not_for_agents",
            ),
            (
                "GET /v1/session",
                "Origin: http://localhost\r\n",
                "proxy_origin",
            ),
        ] {
            let (_, told, answer) = ask(&path, line, headers, "").await;
            assert_eq!(told["code"].as_str(), Some(code), "{line}: {answer}");
            assert!(
                answer.to_ascii_lowercase().contains("connection: close"),
                "{answer}"
            );
        }
        assert!(stub.got.lock().unwrap().is_empty());
    });
}

#[test]
fn bodies_are_bounded_whether_they_tell_their_length_or_not() {
    with_proxy(async |stub, path, _| {
        let large = "x".repeat(BODY_LIMIT_BYTES + 1);
        let key = "Idempotency-Key: k\r\n";
        let (status, told, _) = ask(&path, "POST /v1/transactions", key, &large).await;
        assert_eq!(
            (status, told["code"].as_str()),
            (413, Some("body_too_large"))
        );
        let size = large.len();
        let chunked = format!(
            "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{large}\r\n0\r\n\r\n"
        );
        assert!(exchange(&path, &chunked).await.contains("body_too_large"));
        assert!(stub.got("/v1/transactions").is_empty());
        // In chunks and small enough it goes on, with its length told.
        let chunked = format!(
            "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        );
        assert!(exchange(&path, &chunked).await.starts_with("HTTP/1.1 200"));
        assert_eq!(
            stub.got("/v1/transactions")[0].header("content-length"),
            "2"
        );
    });
}

#[test]
fn a_stream_is_handed_on_as_it_comes() {
    with_proxy(async |stub, path, _| {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let request = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = String::new();
        let mut piece = [0; 1024];
        while !seen.contains("data: one") {
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "{seen}");
            seen.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        // The gateway has not said more yet.
        assert!(!seen.contains("data: two"));
        assert!(
            seen.to_ascii_lowercase()
                .contains("content-type: text/event-stream"),
            "{seen}"
        );
        assert_eq!(stub.got("/v1/events")[0].header("last-event-id"), "0");
        stub.go_on.send(()).unwrap();
        while !seen.contains("data: two") {
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "{seen}");
            seen.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
    });
}

#[test]
fn a_token_that_is_refused_is_fetched_anew_once() {
    with_proxy(async |stub, path, _| {
        let (status, _, answer) = ask(&path, "GET /v1/wallets", "", "").await;
        assert_eq!(status, 200, "{answer}");
        let tried: Vec<String> = stub
            .got("/v1/wallets")
            .iter()
            .map(|got| got.header("authorization").to_owned())
            .collect();
        assert_eq!(tried, ["Bearer token-0", "Bearer token-1"]);
        ask(&path, "GET /v1/wallets", "", "").await;
        assert_eq!(stub.got("/v1/session/token").len(), 2);
    });
}

#[test]
fn a_clock_that_is_off_and_a_gateway_that_is_away_are_said_in_words() {
    with_proxy(async |_, path, _| {
        let (status, told, _) = ask(&path, "GET /v1/status", "", "").await;
        let hint = told["hint"].as_str().unwrap();
        assert_eq!(status, 401);
        assert!(
            hint.contains("The clock of this machine is") && hint.contains("1000"),
            "{hint}"
        );
    });
    let nobody = StdListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    with_gateway(&format!("http://{nobody}"), async |path, _| {
        for line in ["GET /v1/session", "GET /health"] {
            let (status, told, answer) = ask(&path, line, "", "").await;
            assert_eq!(
                (status, told["code"].as_str()),
                (502, Some("gateway_unreachable")),
                "{answer}"
            );
            assert!(
                told["hint"]
                    .as_str()
                    .unwrap()
                    .contains("same Idempotency-Key")
            );
        }
    });
}

#[test]
fn what_is_no_http_harms_nobody() {
    with_proxy(async |_, path, _| {
        for bytes in ["\0\0\0\0\r\n\r\n", "GET /v1/session HTTP/9.9\r\n\r\n", "x"] {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(!answer.starts_with(b"HTTP/1.1 200"));
        }
        assert_eq!(ask(&path, "GET /v1/session", "", "").await.0, 200);
    });
}
