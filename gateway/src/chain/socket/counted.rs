//! A connection whose incoming bytes are counted below everything that reads them: TLS, frames and messages. What a node
//! packs into frames that never become a message is bounded here alone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes between two pings. The busiest honest chain sends some hundred kilobytes of headers.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What has come in since it was last begun anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Received(Arc<AtomicUsize>);

impl Received {
    pub(super) fn begin_anew(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether it is more than any chain has news. Nothing more is read then.
    pub(super) fn is_too_much(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST_BYTES
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Counted {
    tcp: TcpStream,
    received: Received,
}

impl Counted {
    pub(super) fn new(tcp: TcpStream) -> (Self, Received) {
        let received = Received::default();
        let counted = Self {
            tcp,
            received: received.clone(),
        };
        (counted, received)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_too_much() {
            return Poll::Ready(Err(io::Error::other("too many bytes")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        self.received.0.fetch_add(read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
