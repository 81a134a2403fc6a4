//! The websockets of one chain: each is kept open, or tried again with growing rests. What comes in only rings (see
//! `wake`). Called by `endpoints`.

mod connection;
mod counted;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::time::{Instant, sleep};
use waiaas_shared::caip::ChainId;

use super::config::ChainConfig;
use super::rpc::RpcSetupError;
use super::url::SocketUrl;
use super::wake::{Topic, Wake, Wakes};

/// Times of one socket.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For connecting, TLS and handshake together, and for handing a message over.
    patience: Duration,
    /// Between two pings.
    ping: Duration,
    /// After so long without a word, not even to a ping, it counts as dead.
    silence: Duration,
    /// The rest after a first failure; each further one doubles it, up to the longest.
    rest: Duration,
    rest_longest: Duration,
    /// What lasted so long, and did not flood, begins its rests anew.
    steady: Duration,
}

const TIMES: Times = Times {
    patience: Duration::from_secs(10),
    ping: Duration::from_secs(20),
    silence: Duration::from_secs(50),
    rest: Duration::from_secs(1),
    rest_longest: Duration::from_secs(60),
    steady: Duration::from_secs(60),
};

/// Why a socket is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SocketFault {
    /// Nobody answers there, or not with a certificate that is trusted.
    #[error("it cannot be reached")]
    Unreachable,
    /// What answers is no websocket, or takes no one.
    #[error("it does not speak websocket here")]
    Refused,
    /// It does not answer, or has stopped to.
    #[error("it is silent")]
    Silent,
    /// It ended the connection.
    #[error("it closed the connection")]
    Closed,
    /// A message is longer than any that is read.
    #[error("a message is too large")]
    TooLarge,
    /// A message is none.
    #[error("a message is malformed")]
    Malformed,
    /// More than any chain has news.
    #[error("it sends too much")]
    Flood,
}

impl SocketFault {
    /// One word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Silent => "timeout",
            Self::Closed => "closed",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Flood => "flood",
        }
    }
}

/// How a socket is: open, or why it is not; none before it was ever tried.
pub type SocketHealth = Option<Result<(), SocketFault>>;

/// The sockets, and who waits for what they tell.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    sockets: Vec<Socket>,
    wakes: Arc<Wakes>,
}

impl Sockets {
    pub(super) fn new(config: &ChainConfig) -> Result<Self, RpcSetupError> {
        let tls = if config.ws.iter().all(SocketUrl::is_plain) {
            None
        } else {
            // The roots that requests over HTTP use.
            let tls = ClientConfig::with_platform_verifier();
            Some(Arc::new(tls.map_err(|_| RpcSetupError::Tls)?))
        };
        let socket = |url: &SocketUrl| Socket {
            chain: config.id,
            url: url.clone(),
            tls: tls.clone().filter(|_| !url.is_plain()),
            health: Mutex::new(None),
        };
        Ok(Self {
            sockets: config.ws.iter().map(socket).collect(),
            wakes: Arc::default(),
        })
    }

    /// A pause that news of this topic end.
    pub(super) fn on(&self, topic: Topic) -> Wake {
        if self.sockets.is_empty() {
            Wake::never()
        } else {
            self.wakes.on(topic)
        }
    }

    /// Keeps the sockets open, for ever; ends at once where there is none.
    pub(super) async fn listen(&self) {
        self.listen_in(TIMES).await;
    }

    async fn listen_in(&self, times: Times) {
        let each = self.sockets.iter();
        let each = each.map(|socket| socket.keep_open(&self.wakes, times));
        futures::future::join_all(each).await;
    }

    /// How each is.
    pub(super) fn health(&self) -> Vec<SocketHealth> {
        self.sockets.iter().map(Socket::health).collect()
    }
}

/// One socket.
#[derive(Debug)]
struct Socket {
    chain: ChainId,
    url: SocketUrl,
    tls: Option<Arc<ClientConfig>>,
    health: Mutex<SocketHealth>,
}

impl Socket {
    async fn keep_open(&self, wakes: &Wakes, times: Times) {
        let mut rest = times.rest;
        loop {
            let began = Instant::now();
            let Err(fault) = self.once(wakes, times).await;
            if began.elapsed() >= times.steady && fault != SocketFault::Flood {
                rest = times.rest;
            }
            let (chain, socket) = (self.chain, &self.url);
            if self.set(Err(fault)) {
                tracing::warn!(%chain, %socket, %fault, "the websocket is not open: nodes are asked at their usual pace");
            }
            sleep(rest).await;
            rest = rest.saturating_mul(2).min(times.rest_longest);
        }
    }

    /// One connection, to its end.
    async fn once(
        &self,
        wakes: &Wakes,
        times: Times,
    ) -> Result<std::convert::Infallible, SocketFault> {
        let stream = connection::open(&self.url, self.tls.clone(), times).await?;
        if self.set(Ok(())) {
            let (chain, socket) = (self.chain, &self.url);
            tracing::info!(%chain, %socket, "the websocket is open");
        }
        // What happened meanwhile, nobody was told.
        wakes.ring_all();
        connection::listen(stream, wakes, times).await
    }

    fn health(&self) -> SocketHealth {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether that is news.
    fn set(&self, now: Result<(), SocketFault>) -> bool {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.replace(now) != Some(now)
    }
}
