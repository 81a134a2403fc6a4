//! One connection under capnp-rpc: reading frames through the gate, writing answers from a bounded
//! queue, and the limits on time. It stands in for capnp-rpc's own two-party network, whose outgoing
//! queue has no bound and which reads on while nothing is taken from it. A panic, an error or a
//! misbehaving peer ends this connection and nothing else. Called by `rpc` for each connection.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use capnp::capability::Promise;
use capnp::message::{Builder, HeapAllocator};
use capnp_rpc::rpc_capnp::message;
use capnp_rpc::rpc_twoparty_capnp::Side;
use futures::FutureExt as _;
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use super::frame;
use super::gate::{self, Gate, Verdict};

/// Answers not yet taken by the peer, in bytes; above, nothing more is read and no page is begun.
const UNSENT_LIMIT: usize = 256 * 1024;
/// Answers of many kilobytes under way at once: pages, views, documents.
const PAGES_AT_ONCE: usize = 2;
/// From the first byte of a frame to its last, and from the start to the Bootstrap.
const FRAME_PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer may take nothing while something waits for it.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Most that one read takes, in bytes. A buffer above that size is given back once it is empty.
const READ_STEP: usize = 16 * 1024;

/// One connection, shared by the reading and the writing side and by the calls that it carries.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    gate: RefCell<Gate>,
    input: RefCell<Input>,
    output: RefCell<Vec<u8>>,
    /// Bytes that the writer has taken out of `output` and not sent yet.
    writing: Cell<usize>,
    closing: Cell<bool>,
    to_write: Notify,
    room: Notify,
    pages: Semaphore,
}

/// What was read and not yet handed on.
#[derive(Debug)]
struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Rc<Self> {
        Rc::new(Self {
            stream,
            gate: RefCell::new(Gate::new()),
            input: RefCell::new(Input {
                bytes: Vec::new(),
                start: 0,
            }),
            output: RefCell::new(Vec::new()),
            writing: Cell::new(0),
            closing: Cell::new(false),
            to_write: Notify::new(),
            room: Notify::new(),
            pages: Semaphore::new(PAGES_AT_ONCE),
        })
    }

    /// Waits for the turn of a large answer: few are made at once, and none while the peer leaves
    /// earlier ones unread.
    pub(super) async fn page(&self) -> capnp::Result<SemaphorePermit<'_>> {
        let permit = self.pages.acquire().await.map_err(|_| ended())?;
        self.wait_for(|link| link.unsent() < UNSENT_LIMIT).await;
        Ok(permit)
    }

    fn unsent(&self) -> usize {
        self.output
            .borrow()
            .len()
            .saturating_add(self.writing.get())
    }

    async fn wait_for(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            // Made before the check, so that a notification in between is not lost.
            let notified = self.room.notified();
            if condition(self) {
                return;
            }
            notified.await;
        }
    }

    fn send(&self, message: &Builder<HeapAllocator>) -> capnp::Result<()> {
        if self
            .gate
            .borrow_mut()
            .sent(message.get_root_as_reader::<message::Reader<'_>>()?)?
        {
            self.room.notify_waiters();
        }
        capnp::serialize::write_message(&mut *self.output.borrow_mut(), message)?;
        self.to_write.notify_one();
        Ok(())
    }

    /// The next message that reaches capnp-rpc; none at the peer's end.
    async fn receive(&self, held: &RefCell<Option<Received>>) -> capnp::Result<Option<Received>> {
        loop {
            if let Some(question) = self.gate.borrow_mut().take_owed() {
                return Ok(Some(Received::Finish(gate::finish(question))));
            }
            if let Some(message) = held.take() {
                return Ok(Some(message));
            }
            self.wait_for(|link| link.gate.borrow().has_room() && link.unsent() < UNSENT_LIMIT)
                .await;
            let Some((message, bytes)) = self.read_frame().await? else {
                return Ok(None);
            };
            let verdict = self
                .gate
                .borrow_mut()
                .judge(message.get_root()?, bytes)
                .map_err(refused)?;
            match verdict {
                // What is owed by now goes first, so that a question's number is free again.
                Verdict::Pass => drop(held.replace(Some(Received::Frame(message)))),
                Verdict::Swallow => {}
                Verdict::Overloaded(question) => self.send(&gate::overloaded(question))?,
                Verdict::End => return Ok(None),
            }
        }
    }

    async fn read_frame(&self) -> capnp::Result<Option<(Frame, usize)>> {
        // Between frames a peer may be silent for as long as it likes, once it has introduced itself.
        let mut deadline =
            (!self.gate.borrow().is_introduced()).then(|| Instant::now() + FRAME_PATIENCE);
        loop {
            if let Some(frame) = self.input.borrow_mut().next_frame()? {
                return Ok(Some(frame));
            }
            if deadline.is_none() && !self.input.borrow().bytes.is_empty() {
                deadline = Some(Instant::now() + FRAME_PATIENCE);
            }
            let readable = match deadline {
                Some(deadline) => timeout_at(deadline, self.stream.readable())
                    .await
                    .map_err(|_| too_slow())?,
                None => self.stream.readable().await,
            };
            readable.map_err(|_| ended())?;
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads what is there; says whether the peer may send more.
    fn fill(&self) -> capnp::Result<bool> {
        let mut input = self.input.borrow_mut();
        input.compact();
        input.bytes.reserve_exact(READ_STEP);
        match self.stream.try_read_buf(&mut input.bytes) {
            Ok(bytes) => Ok(bytes > 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(_) => Err(ended()),
        }
    }

    /// Sends what is queued until the connection closes.
    async fn write(&self) -> capnp::Result<()> {
        loop {
            let batch = self.output.take();
            if batch.is_empty() {
                if self.closing.get() {
                    return Ok(());
                }
                self.to_write.notified().await;
                continue;
            }
            let mut rest = batch.as_slice();
            while !rest.is_empty() {
                self.writing.set(rest.len());
                match self.stream.try_write(rest) {
                    Ok(0) => return Err(ended()),
                    Ok(bytes) => rest = rest.get(bytes..).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        let writable = timeout(WRITE_PATIENCE, self.stream.writable()).await;
                        writable.map_err(|_| too_slow())?.map_err(|_| ended())?;
                    }
                    Err(_) => return Err(ended()),
                }
            }
            self.writing.set(0);
            self.room.notify_waiters();
        }
    }
}

impl Input {
    fn next_frame(&mut self) -> capnp::Result<Option<(Frame, usize)>> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let Some(length) = frame::length(rest).map_err(refused)? else {
            return Ok(None);
        };
        let Some(mut frame) = rest.get(..length) else {
            return Ok(None);
        };
        let message = capnp::serialize::read_message(&mut frame, waiaas_schema::reader_options())?;
        self.start = self.start.saturating_add(length);
        if self.start >= self.bytes.len() {
            self.compact();
        }
        Ok(Some((message, length)))
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > 2 * READ_STEP {
            self.bytes = Vec::new();
        }
    }
}

type Frame = capnp::message::Reader<capnp::serialize::OwnedSegments>;

/// A message on its way to capnp-rpc.
enum Received {
    /// From the peer.
    Frame(Frame),
    /// From the gate.
    Finish(Builder<HeapAllocator>),
}

impl capnp_rpc::IncomingMessage for Received {
    fn get_body(&self) -> capnp::Result<capnp::any_pointer::Reader<'_>> {
        match self {
            Self::Frame(message) => message.get_root(),
            Self::Finish(message) => message.get_root_as_reader(),
        }
    }
}

/// A message on its way to the peer.
struct Outgoing {
    message: Builder<HeapAllocator>,
    link: Rc<Link>,
}

impl capnp_rpc::OutgoingMessage for Outgoing {
    fn get_body(&mut self) -> capnp::Result<capnp::any_pointer::Builder<'_>> {
        self.message.get_root()
    }

    fn get_body_as_reader(&self) -> capnp::Result<capnp::any_pointer::Reader<'_>> {
        self.message.get_root_as_reader()
    }

    fn send(self: Box<Self>) -> (Promise<(), capnp::Error>, Rc<Builder<HeapAllocator>>) {
        let Self { message, link } = *self;
        let sent = link.send(&message);
        (
            Promise::from_future(std::future::ready(sent)),
            Rc::new(message),
        )
    }

    fn take(self: Box<Self>) -> Builder<HeapAllocator> {
        self.message
    }

    fn size_in_words(&self) -> usize {
        self.message.size_in_words()
    }
}

/// The link as capnp-rpc sees it.
struct Wire {
    link: Rc<Link>,
    held: Rc<RefCell<Option<Received>>>,
}

impl capnp_rpc::Connection<Side> for Wire {
    fn get_peer_vat_id(&self) -> Side {
        Side::Client
    }

    fn new_outgoing_message(
        &mut self,
        first_segment_words: u32,
    ) -> Box<dyn capnp_rpc::OutgoingMessage> {
        let allocator = HeapAllocator::new().first_segment_words(first_segment_words.max(1));
        Box::new(Outgoing {
            message: Builder::new(allocator),
            link: Rc::clone(&self.link),
        })
    }

    fn receive_incoming_message(
        &mut self,
    ) -> Promise<Option<Box<dyn capnp_rpc::IncomingMessage>>, capnp::Error> {
        let (link, held) = (Rc::clone(&self.link), Rc::clone(&self.held));
        Promise::from_future(async move {
            let received = link.receive(&held).await?;
            Ok(received.map(|message| Box::new(message) as Box<dyn capnp_rpc::IncomingMessage>))
        })
    }

    fn shutdown(&mut self, _: capnp::Result<()>) -> Promise<(), capnp::Error> {
        // An error returned here would be printed by capnp-rpc, with text of the peer's choice.
        self.link.closing.set(true);
        self.link.to_write.notify_one();
        Promise::ok(())
    }
}

/// A network of this one connection.
struct Network {
    link: Rc<Link>,
    accepted: bool,
}

impl capnp_rpc::VatNetwork<Side> for Network {
    fn connect(&mut self, _: Side) -> Option<Box<dyn capnp_rpc::Connection<Side>>> {
        None
    }

    fn accept(&mut self) -> Promise<Box<dyn capnp_rpc::Connection<Side>>, capnp::Error> {
        if std::mem::replace(&mut self.accepted, true) {
            return Promise::from_future(std::future::pending());
        }
        Promise::ok(Box::new(Wire {
            link: Rc::clone(&self.link),
            held: Rc::default(),
        }))
    }

    fn drive_until_shutdown(&mut self) -> Promise<(), capnp::Error> {
        let link = Rc::clone(&self.link);
        Promise::from_future(async move { link.write().await })
    }
}

/// Serves `interface` on the link until either side ends it.
pub(super) async fn serve(link: Rc<Link>, interface: capnp::capability::Client) {
    let network = Box::new(Network {
        link: Rc::clone(&link),
        accepted: false,
    });
    let mut system = capnp_rpc::RpcSystem::new(network, Some(interface));
    let disconnector = system.get_disconnector();
    // What unwinds here belongs to this connection, and nothing of it is used afterwards. The payload
    // is dropped unread; how a connection ended is the peer's business alone.
    let _ = AssertUnwindSafe(&mut system).catch_unwind().await;
    // Calls in flight and the connection's tables hold each other. Only this lets go of both: without
    // it a peer that leaves a call open and stops reading would leave memory and a descriptor behind.
    let _ = AssertUnwindSafe(disconnector).catch_unwind().now_or_never();
    // The peer learns of the end at once, whatever still holds the link.
    let _ = nix::sys::socket::shutdown(link.stream.as_raw_fd(), nix::sys::socket::Shutdown::Both);
}

fn refused(reason: impl std::error::Error) -> capnp::Error {
    capnp::Error::failed(reason.to_string())
}

fn ended() -> capnp::Error {
    capnp::Error::disconnected("the connection has ended".to_owned())
}

fn too_slow() -> capnp::Error {
    capnp::Error::disconnected("the peer is too slow".to_owned())
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
