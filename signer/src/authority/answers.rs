//! Answers that wait for the commit of what they tell: none leaves before it is durable.

use waiaas_shared::denial::{Code, Denial};

use super::Authority;
use super::ask::{Reply, refused};
use super::pending::Pending;
use super::system::System;
use crate::core::command::Outcome;
use crate::ledger::Ledger;

impl<L: Ledger, S: System> Authority<L, S> {
    /// Answers with the newest event's number once the batch is durable.
    pub(super) fn answer_sequence(
        &mut self,
        pending: &mut Pending<L, S>,
        reply: Reply<u64>,
        outcome: Result<Outcome, Denial>,
    ) {
        let sequence = self.head.map_or(0, |head| head.sequence);
        self.later(pending, reply, outcome, move |_| Some(sequence));
    }

    /// Answers once the batch is durable.
    pub(super) fn later<T: 'static>(
        &mut self,
        pending: &mut Pending<L, S>,
        reply: Reply<T>,
        outcome: Result<Outcome, Denial>,
        shape: impl FnOnce(Outcome) -> Option<T> + 'static,
    ) {
        pending.answers.push(Box::new(move |authority, durable| {
            let answer = match (durable, outcome) {
                (None, _) => refused(Code::StorageFull),
                (Some(()), Ok(outcome)) => shape(outcome).ok_or_else(|| Code::Unsupported.into()),
                (Some(()), Err(denial)) => Err(denial),
            };
            if let Err(denial) = &answer {
                authority.denials.count(None, denial);
            }
            let _gone = reply.send(answer);
            Ok(())
        }));
    }
}

/// Answers on a channel; whoever asked may be gone.
pub(super) fn send<T: 'static>(reply: Reply<T>) -> impl FnOnce(Result<T, Denial>) + 'static {
    move |answer| drop(reply.send(answer))
}
