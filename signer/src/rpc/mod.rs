//! The rpc threads, one per socket: accept, check the peer, turn frames into typed asks, write the
//! answers. They touch sockets and no files, hold no keys and decide nothing; a hostile peer costs
//! only its own connection. Started by `main` in two steps around sealing: [`prepare`] while a thread
//! may still build its runtime, [`run`] once it is sealed.

mod admin;
mod admission;
mod allocator;
mod common;
mod connection;
mod convert;
mod desk;
mod frame;
mod gate;
mod gateway;
mod peer;
mod secret_channel;
mod secret_slots;

use std::convert::Infallible;
use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

pub use peer::{PeerPolicy, claim_holds};

use crate::authority::lanes::Lanes;
use crate::sandbox::Sandboxed;
use crate::sys::memory::SecretArena;
use admission::{Seat, Seats};
use connection::Link;
use desk::{AtAdmin, AtGateway, Desk};
use secret_slots::SecretSlots;

/// First bytes of a connection that carries Cap'n Proto.
const RPC_PREFACE: &[u8; 8] = b"WAIASRPC";
/// First bytes of a connection that carries one secret.
const SECRET_PREFACE: &[u8; 8] = b"WAIASSEC";
/// How long a peer may take for its first bytes.
const PREFACE_PATIENCE: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no descriptor left): others may close meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Which socket a thread serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `gateway.sock`: nothing that unlocks, exports or enrols.
    Gateway,
    /// `admin.sock`: the owner's own.
    Admin,
}

impl Role {
    /// Connections served at once.
    #[must_use]
    pub const fn seats(self) -> usize {
        match self {
            Self::Gateway => 8,
            Self::Admin => 4,
        }
    }
}

/// How a socket reaches the rest of the signer.
#[derive(Debug, Clone)]
pub struct Channels {
    /// Into the authority.
    pub lanes: Lanes,
    /// Number of the newest durable event: wakes those who wait for the next.
    pub last_sequence: watch::Receiver<u64>,
    /// Locked memory: passwords arrive in it. The admin socket takes at most 4 KiB at once.
    pub arena: SecretArena,
}

/// A thread that is ready to serve and has not read a byte yet.
#[derive(Debug)]
pub struct Prepared {
    runtime: Runtime,
    listener: tokio::net::UnixListener,
    role: Role,
    channels: Channels,
    peers: PeerPolicy,
    own_uid: u32,
}

/// Builds the thread's runtime and takes over the listening socket. Call it in the thread that will
/// serve, before it is sealed: this needs system calls that no filter allows.
///
/// # Errors
/// The kernel refuses an epoll instance, a timer or the socket.
pub fn prepare(
    listener: UnixListener,
    role: Role,
    channels: Channels,
    peers: PeerPolicy,
) -> io::Result<Prepared> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    listener.set_nonblocking(true)?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::UnixListener::from_std(listener)?
    };
    let own_uid = nix::unistd::geteuid().as_raw();
    allocator::settle();
    Ok(Prepared {
        runtime,
        listener,
        role,
        channels,
        peers,
        own_uid,
    })
}

/// Serves for ever. The token shows that the process is sealed: no byte of a peer is read before.
pub fn run(prepared: Prepared, sandboxed: Sandboxed) -> Infallible {
    let report = sandboxed
        .report()
        .to_string()
        .split("; ")
        .map(str::to_owned)
        .collect();
    serve(prepared, report)
}

/// What all connections of a socket share.
#[derive(Debug)]
struct Socket {
    role: Role,
    channels: Channels,
    peers: PeerPolicy,
    own_uid: u32,
    /// What the lockdown achieved, a line each.
    sandbox: Vec<String>,
    secrets: Rc<SecretSlots>,
}

fn serve(prepared: Prepared, sandbox: Vec<String>) -> Infallible {
    let Prepared {
        runtime,
        listener,
        role,
        channels,
        peers,
        own_uid,
    } = prepared;
    let secrets = SecretSlots::new();
    let socket = Rc::new(Socket {
        role,
        channels,
        peers,
        own_uid,
        sandbox,
        secrets,
    });
    let seats = Seats::new(role.seats());
    LocalSet::new().block_on(&runtime, async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Some(uid) = admitted(&stream, &socket.peers) else {
                continue;
            };
            let Some(seat) = seats.take() else { continue };
            // A task of its own: tokio drops what panics outside of `connection::serve`, too.
            spawn_local(welcome(stream, uid, seat, Rc::clone(&socket)));
        }
    })
}

/// The peer's uid, if it may connect.
fn admitted(stream: &UnixStream, peers: &PeerPolicy) -> Option<u32> {
    let uid = stream.peer_cred().ok()?.uid();
    peers.admits(uid).then_some(uid)
}

/// Reads what a connection is for, and serves it.
async fn welcome(stream: UnixStream, uid: u32, seat: Rc<Seat>, socket: Rc<Socket>) {
    let mut preface = [0; 8];
    let read = secret_channel::read_exact(&stream, &mut preface);
    if !matches!(timeout(PREFACE_PATIENCE, read).await, Ok(Ok(()))) {
        return;
    }
    match (&preface, socket.role) {
        (RPC_PREFACE, Role::Gateway) => {
            let link = Link::new(stream);
            let desk = Desk::new(&socket, AtGateway, &link, seat, uid);
            let interface: waiaas_schema::gateway_capnp::gateway::Client =
                capnp_rpc::new_client(desk);
            connection::serve(link, interface.client).await;
        }
        (RPC_PREFACE, Role::Admin) => {
            let link = Link::new(stream);
            let desk = Desk::new(&socket, AtAdmin, &link, seat, uid);
            let interface: waiaas_schema::admin_capnp::admin::Client = capnp_rpc::new_client(desk);
            connection::serve(link, interface.client).await;
        }
        (SECRET_PREFACE, Role::Admin) => {
            secret_channel::serve(&stream, &socket.secrets, &socket.channels.arena, uid).await;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
