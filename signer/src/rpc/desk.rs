//! Where the calls of one connection are answered: what every method needs, and the way into the
//! authority. The kind of socket is part of the type, so that a method of `admin.sock` cannot be
//! reached over `gateway.sock`. Decides nothing. The methods stand in `common`, `gateway`, `admin`.

use std::rc::Rc;

use tokio::sync::oneshot;
use tokio::task::spawn_local;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::Origin;

use super::Socket;
use super::admission::Seat;
use super::connection::Link;
use crate::authority::ask::{Ask, Reply};

/// On which socket a call came in.
pub(super) trait Stand: 'static {
    /// As events record it.
    const ORIGIN: Origin;
}

/// `gateway.sock`.
#[derive(Debug)]
pub(super) struct AtGateway;

/// `admin.sock`.
#[derive(Debug)]
pub(super) struct AtAdmin;

impl Stand for AtGateway {
    const ORIGIN: Origin = Origin::Gateway;
}

impl Stand for AtAdmin {
    const ORIGIN: Origin = Origin::Admin;
}

/// The methods of one connection.
#[derive(Debug)]
pub(super) struct Desk<S> {
    pub(super) socket: Rc<Socket>,
    pub(super) link: Rc<Link>,
    /// The user at the other end.
    pub(super) peer_uid: u32,
    seat: Rc<Seat>,
    _stand: S,
}

impl<S: Stand> Desk<S> {
    pub(super) fn new(
        socket: &Rc<Socket>,
        stand: S,
        link: &Rc<Link>,
        seat: Rc<Seat>,
        peer_uid: u32,
    ) -> Self {
        Self {
            socket: Rc::clone(socket),
            link: Rc::clone(link),
            peer_uid,
            seat,
            _stand: stand,
        }
    }

    /// Asks the authority and waits for its answer.
    ///
    /// # Errors
    /// The authority has ended; the process is about to.
    pub(super) async fn ask<T: 'static>(
        &self,
        make: impl FnOnce(Reply<T>) -> Ask,
    ) -> capnp::Result<Result<T, Denial>> {
        let (reply, answer) = oneshot::channel();
        if self.socket.channels.lanes.push(make(reply)).is_err() {
            return Ok(Err(Code::Overloaded.into()));
        }
        // The connection's place stays taken until the authority is done, also if the peer leaves.
        let seat = Rc::clone(&self.seat);
        let answered = spawn_local(async move {
            let answer = answer.await;
            drop(seat);
            answer
        });
        match answered.await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(capnp::Error::disconnected(
                "the signer is ending".to_owned(),
            )),
        }
    }
}

/// The refusal of a method whose answer has no place for reasons: an exception with the stable code.
pub(super) fn exception(denial: &Denial) -> capnp::Error {
    match denial.violations().first().map(|violation| violation.code) {
        Some(Code::Overloaded) | None => {
            capnp::Error::overloaded(Code::Overloaded.as_str().to_owned())
        }
        Some(code) => capnp::Error::failed(code.as_str().to_owned()),
    }
}
