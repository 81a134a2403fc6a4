//! Where secrets wait in locked memory between the connection that brings or fetches them and the
//! call that names them: few places, each for one use, one minute, one user and one direction, under
//! a random ticket. Called by `secret_channel` and the admin methods.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use crate::sys::memory::LockedBytes;

/// Secrets that wait at once.
const PLACES: usize = 4;
/// How long a secret waits.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);
/// Length of a ticket, in bytes.
pub(super) const TICKET_LENGTH: usize = 16;

/// Which way a secret goes: what came in never goes out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Brought by a peer, for a call.
    In,
    /// Made by the signer, for a peer to fetch.
    Out,
}

/// Names one waiting secret. Whoever knows it may use the secret: neither printed nor logged.
#[derive(Clone, Copy)]
pub(super) struct Ticket([u8; TICKET_LENGTH]);

impl Ticket {
    pub(super) const fn as_bytes(&self) -> &[u8; TICKET_LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket(secret)")
    }
}

/// Why no secret is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SlotError {
    /// All places are taken.
    #[error("too many secrets wait")]
    Full,
    /// The system's random source failed.
    #[error("the random source failed")]
    Entropy,
}

#[derive(Debug)]
struct Slot {
    ticket: Ticket,
    uid: u32,
    direction: Direction,
    expires: Instant,
    secret: LockedBytes,
}

/// The places of one socket.
#[derive(Debug)]
pub(super) struct SecretSlots {
    slots: RefCell<Vec<Slot>>,
    reserved: Cell<usize>,
}

/// A place for a secret that is still on its way.
#[derive(Debug)]
pub(super) struct Reservation {
    slots: Rc<SecretSlots>,
    ticket: Ticket,
}

impl SecretSlots {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            slots: RefCell::new(Vec::new()),
            reserved: Cell::new(0),
        })
    }

    /// Takes a place and draws its ticket, before there is a secret that could be lost.
    pub(super) fn reserve(self: &Rc<Self>) -> Result<Reservation, SlotError> {
        self.sweep();
        if self
            .slots
            .borrow()
            .len()
            .saturating_add(self.reserved.get())
            >= PLACES
        {
            return Err(SlotError::Full);
        }
        let mut ticket = [0; TICKET_LENGTH];
        getrandom::fill(&mut ticket).map_err(|_| SlotError::Entropy)?;
        self.reserved.set(self.reserved.get().saturating_add(1));
        Ok(Reservation {
            slots: Rc::clone(self),
            ticket: Ticket(ticket),
        })
    }

    /// The secret with this ticket, if it waits for this user in this direction. It waits no longer.
    pub(super) fn take(
        &self,
        ticket: &[u8],
        uid: u32,
        direction: Direction,
    ) -> Option<LockedBytes> {
        self.sweep();
        let mut slots = self.slots.borrow_mut();
        // Every place is compared in full: the time tells nothing about a ticket.
        let mut found = None;
        for (place, slot) in slots.iter().enumerate() {
            let matches: bool = slot.ticket.0.as_slice().ct_eq(ticket).into();
            if matches & (slot.uid == uid) & (slot.direction == direction) {
                found = Some(place);
            }
        }
        found.map(|place| slots.swap_remove(place).secret)
    }

    /// Wipes what has waited too long.
    fn sweep(&self) {
        let now = Instant::now();
        self.slots.borrow_mut().retain(|slot| slot.expires > now);
    }
}

impl Reservation {
    /// Puts the secret into the place.
    pub(super) fn fill(self, uid: u32, direction: Direction, secret: LockedBytes) -> Ticket {
        let ticket = self.ticket;
        let expires = Instant::now() + LIFETIME;
        self.slots.slots.borrow_mut().push(Slot {
            ticket,
            uid,
            direction,
            expires,
            secret,
        });
        let slots = Rc::downgrade(&self.slots);
        // It is wiped in time even if nobody comes again.
        spawn_local(async move {
            sleep_until(expires).await;
            if let Some(slots) = slots.upgrade() {
                slots.sweep();
            }
        });
        ticket
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.slots
            .reserved
            .set(self.slots.reserved.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::SecretArena;

    const OWNER: u32 = 1000;

    fn paused(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    fn secret(arena: &SecretArena, text: &[u8]) -> LockedBytes {
        let mut secret = arena.take(text.len()).unwrap();
        secret.fill(|bytes| bytes.copy_from_slice(text));
        secret
    }

    #[test]
    fn one_user_one_direction_one_use() {
        paused(async {
            let arena = SecretArena::new(4096).unwrap();
            let slots = SecretSlots::new();
            let reservation = slots.reserve().unwrap();
            let ticket = reservation.fill(OWNER, Direction::In, secret(&arena, b"password"));
            let bytes = ticket.as_bytes().as_slice();
            assert!(
                slots.take(bytes, OWNER + 1, Direction::In).is_none(),
                "another user"
            );
            assert!(
                slots.take(bytes, OWNER, Direction::Out).is_none(),
                "read back"
            );
            assert!(
                slots.take(&[0; 16], OWNER, Direction::In).is_none(),
                "guessed"
            );
            assert!(
                slots.take(&bytes[..15], OWNER, Direction::In).is_none(),
                "cut"
            );
            assert!(slots.take(b"", OWNER, Direction::In).is_none(), "empty");
            assert!(
                slots
                    .take(bytes, OWNER, Direction::In)
                    .unwrap()
                    .matches(b"password")
            );
            assert!(slots.take(bytes, OWNER, Direction::In).is_none(), "twice");
        });
    }

    #[test]
    fn a_secret_is_wiped_after_a_minute_though_nobody_asks() {
        paused(async {
            let arena = SecretArena::new(4096).unwrap();
            let slots = SecretSlots::new();
            let ticket = slots
                .reserve()
                .unwrap()
                .fill(OWNER, Direction::In, secret(&arena, b"x"));
            tokio::time::sleep(LIFETIME - Duration::from_millis(10)).await;
            assert_eq!(slots.slots.borrow().len(), 1);
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(slots.slots.borrow().len(), 0, "wiped without a look-up");
            assert!(
                slots
                    .take(ticket.as_bytes(), OWNER, Direction::In)
                    .is_none()
            );
        });
    }

    #[test]
    fn places_are_few_and_come_back() {
        paused(async {
            let arena = SecretArena::new(4096).unwrap();
            let slots = SecretSlots::new();
            let held: Vec<_> = (0..PLACES).map(|_| slots.reserve().unwrap()).collect();
            assert_eq!(slots.reserve().unwrap_err(), SlotError::Full);
            drop(held);
            let tickets: Vec<_> = (0..PLACES)
                .map(|_| {
                    slots
                        .reserve()
                        .unwrap()
                        .fill(OWNER, Direction::In, secret(&arena, b"x"))
                })
                .collect();
            assert_eq!(slots.reserve().unwrap_err(), SlotError::Full);
            for (place, ticket) in tickets.iter().enumerate() {
                assert!(tickets[place + 1..].iter().all(|other| other.0 != ticket.0));
                assert!(
                    slots
                        .take(ticket.as_bytes(), OWNER, Direction::In)
                        .is_some()
                );
            }
            assert!(slots.reserve().is_ok());
        });
    }
}
