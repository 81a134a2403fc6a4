//! The listener: connections in, requests to the router. HTTP/1.1 only, with limits on connections,
//! heads and time; TLS where it is configured. Ends gracefully: requests under way get some seconds.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::util::MapRequest;

use super::owner::access::Peer;
use crate::config::Tls;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// Time for a head, from the connection's start or the end of the answer before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one head.
const HEAD_LIMIT: usize = 16 * 1024;
/// Headers of one request; an honest one has a dozen.
const HEADERS: usize = 64;
/// Time that requests under way get when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{}: no {what} in PEM form can be read", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Others may read the private key.
    #[error("{}: the private key may be readable by its owner only", .0.display())]
    Permissions(PathBuf),
    /// Certificate and key do not fit.
    #[error("certificate and key do not fit: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Reads certificate and key.
///
/// # Errors
/// [`TlsError`].
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    use std::os::unix::fs::PermissionsExt as _;

    let pem = |path: &Path, what| TlsError::Pem {
        path: path.to_owned(),
        what,
    };
    let metadata = std::fs::metadata(&tls.key).map_err(|_| pem(&tls.key, "private key"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(TlsError::Permissions(tls.key.clone()));
    }
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| pem(&tls.certificate, "certificate"))?;
    if certificates.is_empty() {
        return Err(pem(&tls.certificate, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|_| pem(&tls.key, "private key"))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop` becomes true, then lets requests under way end.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let stopped = stop.clone();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let (router, tls, stopped) = (router.clone(), tls.clone(), stopped.clone());
        tokio::spawn(async move {
            connection(stream, peer, tls, router, stopped).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // Whoever is not done by then is cut off; no payment is lost by that.
    let _ = timeout(DRAIN, places.acquire_many(all)).await;
}

/// Out of descriptors or memory: accepting again at once would spin.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection was not accepted");
    sleep(Duration::from_millis(50)).await;
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    // Answers are small and written at once.
    let _ = stream.set_nodelay(true);
    match tls {
        None => speak(stream, peer, router, stop).await,
        Some(tls) => match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, peer, router, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        },
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = MapRequest::new(router, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = told(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends when the process is told to stop, or nobody is left who could tell.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_that_others_may_read_and_files_without_pem_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = Tls {
            certificate: folder.path().join("c.pem"),
            key: folder.path().join("k.pem"),
        };
        assert!(matches!(
            acceptor(&tls),
            Err(TlsError::Pem {
                what: "private key",
                ..
            })
        ));
        std::fs::write(&tls.certificate, "no certificate").expect("written");
        std::fs::write(&tls.key, "no key").expect("written");
        let mode = |mode| std::fs::set_permissions(&tls.key, std::fs::Permissions::from_mode(mode));
        for open in [0o644, 0o640, 0o604] {
            mode(open).expect("set");
            assert!(
                matches!(acceptor(&tls), Err(TlsError::Permissions(_))),
                "{open:o}"
            );
        }
        mode(0o600).expect("set");
        assert!(matches!(
            acceptor(&tls),
            Err(TlsError::Pem {
                what: "certificate",
                ..
            })
        ));
    }
}
