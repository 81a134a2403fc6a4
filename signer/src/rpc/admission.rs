//! How many connections a socket serves at once. A place is given back when the connection is over
//! *and* the authority is done with all that it asked: a peer that asks, leaves and comes again gains
//! no room in the lanes. Called by `rpc`.

use std::cell::Cell;
use std::rc::Rc;

/// The places of one socket.
#[derive(Debug)]
pub(super) struct Seats {
    free: Cell<usize>,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Rc<Seats>,
}

impl Seats {
    pub(super) fn new(places: usize) -> Rc<Self> {
        Rc::new(Self {
            free: Cell::new(places),
        })
    }

    /// A place, if one is free.
    pub(super) fn take(self: &Rc<Self>) -> Option<Rc<Seat>> {
        let left = self.free.get().checked_sub(1)?;
        self.free.set(left);
        Some(Rc::new(Seat {
            seats: Rc::clone(self),
        }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.free.set(self.seats.free.get().saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_nobody_holds_it() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().unwrap(), seats.take().unwrap());
        assert!(seats.take().is_none());
        let waiting = Rc::clone(&first);
        drop(first);
        assert!(
            seats.take().is_none(),
            "something still waits for the authority"
        );
        drop(waiting);
        let third = seats.take().unwrap();
        assert!(seats.take().is_none());
        drop((second, third));
        assert_eq!(seats.free.get(), 2);
    }
}
