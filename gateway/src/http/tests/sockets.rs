//! Bytes on a real socket: requests that two programs could read in two ways, and slow ones. Behind
//! each stands a marker request that must never be answered.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::http::server::serve;
use crate::testing::World;

const MARKER: &str = "GET /health?marker HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

async fn listen(
    router: Router,
) -> (
    std::net::SocketAddr,
    watch::Sender<bool>,
    tokio::task::JoinHandle<()>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, None, router, stopped));
    (address, stop, server)
}

/// Everything that comes back for these bytes until the server closes or falls silent.
async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // The server may close before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match tokio::time::timeout(Duration::from_millis(300), stream.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => break,
            Ok(Ok(count)) => answer.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

/// N01.
#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_end_the_connection() {
    let world = World::new().await;
    let (address, stop, server) = listen(world.router.clone()).await;
    let post = "POST /v1/session/token HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    let get = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    let honest = format!("{get}\r\n{MARKER}");
    let both = exchange(address, honest.as_bytes()).await;
    assert_eq!(answers(&both), 2, "an honest pair is answered: {both}");
    // Two equal lengths are one (RFC 9110 section 8.6) and stand in no list here.
    let cases = [
        format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: identity\r\n\r\n"),
        format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{post}Content-Length: 0\r\nContent-Length: 5\r\n\r\n"),
        format!("{post}Content-Length: 0, 5\r\n\r\n"),
        format!("{post}Content-Length: +5\r\n\r\nhello"),
        format!("{post}Content-Length: 0x5\r\n\r\nhello"),
        format!("{post}Content-Length: -1\r\n\r\n"),
        format!("{post}Content-Length: 5 5\r\n\r\nhello"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\n"),
        format!("{post}Content-Length : 0\r\n\r\n"),
        format!("{get}X: a\r\n b\r\n\r\n"),
        format!("{get}\x00X: a\r\n\r\n"),
        format!("{get}Host: 127.0.0.1\r\n\r\n"),
        "GET /health HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n".to_owned(),
        "GET  /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1 \r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "GET /health HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "GET http://evil.example/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!(
            "GET /{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            "a".repeat(20_000)
        ),
        format!("{get}{}\r\n", "X: y\r\n".repeat(100)),
        format!("{get}X: {}\r\n\r\n", "y".repeat(20_000)),
    ];
    for case in cases {
        let answer = exchange(address, format!("{case}{MARKER}").as_bytes()).await;
        assert!(
            answers(&answer) <= 1,
            "the marker was answered: {case:.120?}\n{answer}"
        );
        assert!(
            !answer.starts_with("HTTP/1.1 2"),
            "{case:.120?}\n{answer:.200}"
        );
    }
    stop.send(true).expect("it listens");
    server.await.expect("it ends");
}

/// Whoever has been let in keeps its connection, and a large body is refused before it is read.
#[tokio::test]
async fn connections_live_and_large_bodies_die() {
    let world = World::new().await;
    let (address, stop, server) = listen(world.router.clone()).await;
    let token = world.token(crate::testing::bearer());
    let head = format!(
        "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n"
    );
    let answer = exchange(address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let refused = exchange(
        address,
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(
        refused.to_ascii_lowercase().contains("connection: close"),
        "{refused}"
    );
    assert!(
        refused
            .to_ascii_lowercase()
            .contains("application/problem+json"),
        "{refused}"
    );
    stop.send(true).expect("it listens");
    server.await.expect("it ends");
}

/// A stop waits for what is under way.
#[tokio::test]
async fn a_stop_lets_requests_end() {
    let world = Arc::new(World::new().await);
    let (address, stop, server) = listen(world.router.clone()).await;
    let token = world.token(crate::testing::bearer());
    let body = world.body();
    let request = format!(
        "POST /v1/transactions?wait=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("ended by the server");
        answer
    });
    world.until(|world| !world.chain.sent().is_empty()).await;
    stop.send(true).expect("it listens");
    let answer = asked.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.await.expect("it ends");
    assert!(TcpStream::connect(address).await.is_err());
}
