//! What a batch has decided so far: events to make durable, answers that wait for them, and what goes back if they
//! cannot be. Filled by `batch` and `unlock`, committed by `batch`.

use waiaas_shared::event::Event;

use super::{Authority, Fatal};
use crate::core::clock::ClockKeeper;
use crate::ledger::{SpendIndex, StoredEvent, StoredSnapshot};

/// Events decided and not yet durable, and the answers that wait for them.
pub(super) struct Pending<L, S> {
    pub(super) events: Vec<StoredEvent>,
    /// The same, for the fold of what is durable.
    pub(super) decided: Vec<Event>,
    pub(super) spends: Vec<SpendIndex>,
    pub(super) answers: Vec<Answer<L, S>>,
    pub(super) wipe: bool,
    /// Lock or kill: worth the reserve of disk.
    pub(super) stops: bool,
    pub(super) clear_journal: bool,
    pub(super) snapshot: Option<StoredSnapshot>,
    /// The clock before an event of the batch moved it: where it goes back to if the commit is refused.
    pub(super) unmoved: Option<ClockKeeper>,
}

/// What is let out after the commit; `None`: the commit was refused.
pub(super) type Answer<L, S> =
    Box<dyn FnOnce(&mut Authority<L, S>, Option<()>) -> Result<(), Fatal>>;

impl<L, S> Default for Pending<L, S> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            decided: Vec::new(),
            spends: Vec::new(),
            answers: Vec::new(),
            wipe: false,
            stops: false,
            clear_journal: false,
            snapshot: None,
            unmoved: None,
        }
    }
}

impl<L, S> Pending<L, S> {
    /// The batch holds a stop.
    pub(super) const fn stop(&mut self) {
        self.stops = true;
    }

    /// An event of the batch is about to move the clock.
    pub(super) fn moves(&mut self, clock: &ClockKeeper) {
        self.unmoved.get_or_insert_with(|| clock.clone());
    }

    /// The batch names this snapshot, in the event right after those that it holds; else it is not kept.
    pub(super) fn keep(&mut self, snapshot: StoredSnapshot) {
        let next = snapshot.sequence.checked_add(1);
        let names = matches!(self.events.as_slice(), [only] if Some(only.sequence) == next);
        self.snapshot = names.then_some(snapshot);
    }
}
