//! Websockets that misbehave: each ends in a typed fault within bounds of time and size, and in another try after a
//! rest; and whose certificates are not trusted.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

async fn misbehave(case: &str, mut stream: TcpStream) {
    match case {
        "accepts and says nothing" => sleep(Duration::from_secs(60)).await,
        "closes at once" => {}
        "is a web server" => {
            let mut request = [0; 64];
            let _ = stream.read(&mut request).await;
            let page = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
            let _ = stream.write_all(page).await;
            sleep(Duration::from_secs(1)).await;
        }
        "endless handshake" => {
            let _ = stream.write_all(b"HTTP/1.1 101 X\r\n").await;
            while stream.write_all(b"x-more: x\r\n").await.is_ok() {}
        }
        _ => {
            let mut stream = accept_async(stream).await.expect("shakes hands");
            match case {
                "closes after the handshake" => {}
                "says goodbye" => {
                    let _ = stream.close(None).await;
                    sleep(Duration::from_secs(1)).await;
                }
                "answers no ping" => sleep(Duration::from_secs(60)).await,
                "announces a giant frame" => {
                    let raw = stream.get_mut();
                    let _ = raw.write_all(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]).await;
                    while raw.write_all(&[b' '; 4096]).await.is_ok() {}
                }
                "sends an endless message" => {
                    let raw = stream.get_mut();
                    let mut head = 0x01;
                    // A kibibyte a frame, none of them the last.
                    while raw.write_all(&[head, 126, 4, 0]).await.is_ok()
                        && raw.write_all(&[b' '; 1024]).await.is_ok()
                    {
                        head = 0x00;
                    }
                }
                "drips a frame" => {
                    let raw = stream.get_mut();
                    let _ = raw.write_all(&[0x81, 126, 255, 255]).await;
                    while raw.write_all(b" ").await.is_ok() {
                        sleep(Duration::from_millis(10)).await;
                    }
                }
                "floods" => {
                    let news =
                        json!({ "method": "m", "params": { "subscription": 5, "result": 1 } });
                    while stream.send(Message::text(news.to_string())).await.is_ok() {}
                }
                "floods with pings" => {
                    while stream
                        .send(Message::Ping(vec![7; 100].into()))
                        .await
                        .is_ok()
                    {}
                }
                "sends bytes" => {
                    let _ = stream.send(Message::binary(vec![1, 2, 3])).await;
                    sleep(Duration::from_secs(1)).await;
                }
                "sends no JSON" => {
                    let _ = stream.send(Message::text("<html>")).await;
                    sleep(Duration::from_secs(1)).await;
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn whatever_a_socket_does_ends_in_a_fault_and_another_try() {
    for (case, fault) in [
        ("accepts and says nothing", SocketFault::Silent),
        ("closes at once", SocketFault::Closed),
        ("is a web server", SocketFault::Refused),
        ("endless handshake", SocketFault::Refused),
        ("closes after the handshake", SocketFault::Closed),
        ("says goodbye", SocketFault::Closed),
        ("answers no ping", SocketFault::Silent),
        ("announces a giant frame", SocketFault::TooLarge),
        ("sends an endless message", SocketFault::TooLarge),
        ("drips a frame", SocketFault::Silent),
        ("floods", SocketFault::Flood),
        ("floods with pings", SocketFault::Flood),
        ("sends bytes", SocketFault::Malformed),
        ("sends no JSON", SocketFault::Malformed),
    ] {
        let node = Node::start(move |_, stream| misbehave(case, stream)).await;
        let listened = node.listened(EVM);
        let mut wake = listened.sockets.on(Topic::Heads);
        let health = listened
            .until(|health| matches!(health, Some(Err(_))))
            .await;
        assert_eq!(health, Some(Err(fault)), "{case}");
        // It is tried again.
        for _ in 0..1000 {
            if node.connections() > 1 {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        assert!(node.connections() > 1, "{case}");
        // And a pause lasts no longer than it would without.
        let began = Instant::now();
        wake.rest(PAUSE / 4).await;
        assert!(began.elapsed() < PAUSE, "{case}");
    }
}

/// Frames without content that are parts of one message: it never ends, and is never too large.
#[tokio::test]
async fn empty_frames_without_end_are_a_flood() {
    let node = Node::start(|_, stream| async move {
        let mut stream = accept_async(stream).await.expect("shakes hands");
        let raw = stream.get_mut();
        // The length, zero, in its longest form.
        let continued = [0x00, 127, 0, 0, 0, 0, 0, 0, 0, 0];
        let _ = raw.write_all(&[0x01, 0x00]).await;
        while raw.write_all(&continued.repeat(1000)).await.is_ok() {}
    })
    .await;
    let patient = Times {
        ping: Duration::from_secs(60),
        silence: Duration::from_secs(60),
        ..QUICK
    };
    let listened = listened_in(sockets(EVM, &node.url), patient);
    let mut ended = None;
    for _ in 0..6 {
        let until = listened.until(|health| matches!(health, Some(Err(_))));
        if let Ok(health) = tokio::time::timeout(Duration::from_secs(4), until).await {
            ended = health;
            break;
        }
    }
    assert_eq!(ended, Some(Err(SocketFault::Flood)));
}

/// However long it lasted: whoever floods is left alone longer each time.
#[tokio::test]
async fn a_flood_is_no_steady_connection() {
    let (connected, mut connections) = mpsc::unbounded_channel();
    let node = Node::start(move |_, stream| {
        connected.send(Instant::now()).expect("the test listens");
        misbehave("floods with pings", stream)
    })
    .await;
    let times = Times {
        rest: Duration::from_millis(100),
        rest_longest: Duration::from_secs(60),
        steady: Duration::ZERO,
        // The flood ends it, and nothing else.
        ping: Duration::from_secs(60),
        silence: Duration::from_secs(60),
        ..QUICK
    };
    let _listened = listened_in(sockets(EVM, &node.url), times);
    let mut earlier = connections.recv().await.expect("it connects");
    for rest in [100, 200, 400, 800] {
        let now = connections.recv().await.expect("it connects");
        let apart = now - earlier;
        assert!(apart >= Duration::from_millis(rest), "{rest}: {apart:?}");
        earlier = now;
    }
}

#[tokio::test]
async fn one_that_closes_at_once_is_left_alone_longer_each_time() {
    let node = Node::start(|_, stream| async move { drop(stream) }).await;
    let _listened = node.listened(EVM);
    // Rests of 20, 40, 80, 80 milliseconds and so on.
    sleep(Duration::from_millis(600)).await;
    let tries = node.connections();
    assert!((2..=10).contains(&tries), "{tries}");

    let gone = listened(EVM, "ws://127.0.0.1:1");
    gone.until(|health| health == Some(Err(SocketFault::Unreachable)))
        .await;
}

/// A socket over TLS is open to whoever holds a certificate that is trusted, and to nobody else.
#[tokio::test]
async fn certificates_are_checked() {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../test-certificate.pem"));
    let certificate = certificate.expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../test-key.pem")).expect("a key");
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server.expect("they fit")));
    let node = Node::start(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            // Whoever does not trust it hangs up.
            if let Ok(stream) = acceptor.accept(stream).await {
                let mut stream = accept_async(stream).await.expect("shakes hands");
                while heard(&mut stream).await.is_some() {}
            }
        }
    })
    .await;
    let port = node.url.rsplit(':').next().expect("a port").to_owned();
    let url = format!("wss://localhost:{port}");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let trusting = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let nobody = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    for (url, tls, health) in [
        (url.clone(), trusting.clone(), Ok(())),
        (url, nobody, Err(SocketFault::Unreachable)),
        // Another name than the certificate has.
        (
            format!("wss://127.0.0.1:{port}"),
            trusting,
            Err(SocketFault::Unreachable),
        ),
    ] {
        let socket = Socket {
            chain: ChainId::Evm(31_337),
            url: SocketUrl::try_from(url).expect("valid"),
            tls: Some(Arc::new(tls)),
            health: Mutex::new(None),
        };
        let listened = listened_to(Arc::new(Sockets {
            sockets: vec![socket],
            wakes: Arc::default(),
        }));
        assert_eq!(listened.until(|now| now.is_some()).await, Some(health));
    }
}
