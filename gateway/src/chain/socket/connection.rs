//! One connection to a node's websocket: opened with bounds of time and size, subscribed to what is waited for, and
//! read until it fails. Everything that arrives is hostile: bytes and messages are few or the connection ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::super::url::SocketUrl;
use super::super::wake::{Topic, Wakes};
use super::counted::{Counted, Received};
use super::wire::{self, Name, Told};
use super::{SocketFault, Times};

/// Bytes of one message, and of each of its frames. The longest honest one is a block's header.
const MESSAGE_LIMIT: usize = 64 * 1024;
/// Bytes that wait to be sent: what is asked is small, and answers to pings are not kept.
const SEND_LIMIT: usize = 64 * 1024;
/// Topics of one connection; nodes refuse more sooner or later. What is left out is seen by looking.
const MOST_TOPICS: usize = 100;
/// Messages of one connection between two pings.
const MOST_MESSAGES: u32 = 2000;

/// Bytes of either kind.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

type Stream = WebSocketStream<Box<dyn Transport>>;

/// Connects, over TLS if there is any, and shakes hands.
pub(super) async fn open(
    url: &SocketUrl,
    tls: Option<Arc<ClientConfig>>,
    times: Times,
) -> Result<(Stream, Received), SocketFault> {
    let open = async {
        let connected = TcpStream::connect((url.host(), url.port())).await;
        let (tcp, received) = Counted::new(connected.map_err(|_| SocketFault::Unreachable)?);
        let transport: Box<dyn Transport> = match tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from(url.host().to_owned());
                let name = name.map_err(|_| SocketFault::Unreachable)?;
                let joined = TlsConnector::from(tls).connect(name, tcp).await;
                Box::new(joined.map_err(|_| SocketFault::Unreachable)?)
            }
        };
        let limits = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(SEND_LIMIT)
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        let shaken = client_async_with_config(url.as_str(), transport, Some(limits)).await;
        shaken
            .map(|(stream, _)| (stream, received))
            .map_err(|error| match error {
                Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                    SocketFault::Closed
                }
                _ => SocketFault::Refused,
            })
    };
    timeout(times.patience, open)
        .await
        .unwrap_or(Err(SocketFault::Silent))
}

/// Asks for what is waited for, and rings when it comes, until the connection fails.
pub(super) async fn listen(
    (stream, received): (Stream, Received),
    wakes: &Wakes,
    times: Times,
) -> Result<Infallible, SocketFault> {
    let mut changes = wakes.changes();
    let mut pings = interval_at(Instant::now() + times.ping, times.ping);
    let (mut heard, mut messages) = (Instant::now(), 0_u32);
    let mut connection = Connection {
        stream,
        times,
        topics: HashMap::new(),
        next_id: 1,
    };
    connection.ask(wakes).await?;
    loop {
        tokio::select! {
            // It cannot close: its sender lives as long as this chain.
            _ = changes.changed() => connection.ask(wakes).await?,
            _ = pings.tick() => {
                if heard.elapsed() >= times.silence {
                    return Err(SocketFault::Silent);
                }
                messages = 0;
                received.begin_anew();
                connection.send(Message::Ping(Vec::new().into())).await?;
            }
            message = connection.stream.next() => {
                heard = Instant::now();
                messages = messages.saturating_add(1);
                if messages > MOST_MESSAGES || received.is_too_much() {
                    return Err(SocketFault::Flood);
                }
                match message.ok_or(SocketFault::Closed)?.map_err(|error| fault(&error))? {
                    Message::Text(text) => connection.take(&text, wakes).await?,
                    // Answered within.
                    Message::Ping(_) | Message::Pong(_) => {}
                    Message::Close(_) => return Err(SocketFault::Closed),
                    Message::Binary(_) | Message::Frame(_) => return Err(SocketFault::Malformed),
                }
            }
        }
    }
}

const fn fault(error: &Error) -> SocketFault {
    match error {
        Error::Capacity(_) => SocketFault::TooLarge,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => SocketFault::Closed,
        Error::Protocol(_) | Error::Utf8(_) => SocketFault::Malformed,
        _ => SocketFault::Closed,
    }
}

/// How far a subscription is.
enum Subscription {
    /// The question of this number asks for it.
    Asked(u64),
    /// The node calls it so.
    Open(Name),
    /// It has told what there was to tell, or the node does not offer it.
    Over,
}

struct Connection {
    stream: Stream,
    times: Times,
    topics: HashMap<Topic, Subscription>,
    next_id: u64,
}

impl Connection {
    /// Subscribes to what is waited for, and to nothing else any more.
    async fn ask(&mut self, wakes: &Wakes) -> Result<(), SocketFault> {
        let wanted = wakes.wanted();
        let mut over = Vec::new();
        for (topic, subscription) in &self.topics {
            // What was asked for is known by its answer, and ended then.
            let answered = !matches!(subscription, Subscription::Asked(_));
            if answered && !wanted.contains(topic) {
                over.push(*topic);
            }
        }
        for topic in over {
            if let Some(Subscription::Open(name)) = self.topics.remove(&topic) {
                let id = self.number();
                let ends = wire::unsubscribe(id, topic, &name);
                self.send(Message::text(ends)).await?;
            }
        }
        for topic in wanted {
            if self.topics.len() >= MOST_TOPICS {
                break;
            }
            if !self.topics.contains_key(&topic) {
                let id = self.number();
                self.topics.insert(topic, Subscription::Asked(id));
                self.send(Message::text(wire::subscribe(id, topic))).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, text: &str, wakes: &Wakes) -> Result<(), SocketFault> {
        match wire::read(text).ok_or(SocketFault::Malformed)? {
            Told::Answer(id, name) => {
                let mut asked = self.topics.iter_mut();
                let found = asked.find(
                    |(_, subscription)| matches!(subscription, Subscription::Asked(of) if *of == id),
                );
                if let Some((_, subscription)) = found {
                    *subscription = name.map_or(Subscription::Over, Subscription::Open);
                    self.ask(wakes).await?;
                }
            }
            Told::News(name) => {
                let mut open = self.topics.iter_mut();
                let found = open.find(
                    |(_, subscription)| matches!(subscription, Subscription::Open(of) if *of == name),
                );
                if let Some((topic, subscription)) = found {
                    wakes.ring(*topic);
                    if wire::tells_once(*topic) {
                        *subscription = Subscription::Over;
                    }
                }
            }
            Told::Other => {}
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    async fn send(&mut self, message: Message) -> Result<(), SocketFault> {
        match timeout(self.times.patience, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(fault(&error)),
            // It takes nothing any more.
            Err(_) => Err(SocketFault::Silent),
        }
    }
}
