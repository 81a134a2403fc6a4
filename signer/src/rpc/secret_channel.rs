//! The secret channel of `admin.sock`: a connection that carries one password in or one recovery
//! phrase out, between the socket and locked memory and through no other buffer of this process
//! (invariant 20). What the secret is for, a call says over a connection of its own.
//! docs/admin-socket.md has the bytes. Called by `rpc`.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::secret_slots::{Direction, SecretSlots, TICKET_LENGTH};
use crate::sys::memory::SecretArena;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest secret, in bytes.
const SECRET_LIMIT: u16 = 1024;
/// The peer brings a secret.
const PUT: u8 = b'P';
/// The peer fetches a secret.
const TAKE: u8 = b'T';

/// Serves one exchange. A refusal closes the connection without a word.
pub(super) async fn serve(
    stream: &UnixStream,
    slots: &Rc<SecretSlots>,
    arena: &SecretArena,
    uid: u32,
) {
    let exchange = async {
        let mut operation = [0];
        read_exact(stream, &mut operation).await?;
        match operation {
            [PUT] => put(stream, slots, arena, uid).await,
            [TAKE] => take(stream, slots, uid).await,
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    let _ = timeout(PATIENCE, exchange).await;
}

async fn put(
    stream: &UnixStream,
    slots: &Rc<SecretSlots>,
    arena: &SecretArena,
    uid: u32,
) -> io::Result<()> {
    let mut length = [0; 2];
    read_exact(stream, &mut length).await?;
    let length = u16::from_le_bytes(length);
    if !(1..=SECRET_LIMIT).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let place = slots.reserve().map_err(io::Error::other)?;
    let mut secret = arena.take(length.into()).map_err(io::Error::other)?;
    let mut done = 0;
    while done < secret.len() {
        stream.readable().await?;
        match secret.fill(|bytes| stream.try_read(bytes.get_mut(done..).unwrap_or_default())) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let ticket = place.fill(uid, Direction::In, secret);
    let ticket = ticket.as_bytes();
    write_all(stream, ticket.len(), |done| {
        stream.try_write(ticket.get(done..).unwrap_or_default())
    })
    .await
}

async fn take(stream: &UnixStream, slots: &SecretSlots, uid: u32) -> io::Result<()> {
    let mut ticket = [0; TICKET_LENGTH];
    read_exact(stream, &mut ticket).await?;
    let secret = slots
        .take(&ticket, uid, Direction::Out)
        .ok_or(io::ErrorKind::NotFound)?;
    let length = u16::try_from(secret.len())
        .map_err(io::Error::other)?
        .to_le_bytes();
    write_all(stream, length.len(), |done| {
        stream.try_write(length.get(done..).unwrap_or_default())
    })
    .await?;
    let send =
        |done| secret.expose(|bytes| stream.try_write(bytes.get(done..).unwrap_or_default()));
    write_all(stream, secret.len(), send).await
}

/// Reads exactly so many bytes, none of which may be secret: the buffer is ordinary memory.
pub(super) async fn read_exact(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        stream.readable().await?;
        match stream.try_read(buffer.get_mut(done..).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes `length` bytes; `attempt` writes some of those after so many.
async fn write_all(
    stream: &UnixStream,
    length: usize,
    attempt: impl Fn(usize) -> io::Result<usize>,
) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        stream.writable().await?;
        match attempt(done) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
