//! The three bounded lanes into the authority: what stops goes ahead of everything, reads are served
//! between batches, everything else waits its turn. Full lanes answer `overloaded`; nothing blocks.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ask::Ask;

/// Commands that wait at once.
const COMMANDS_LIMIT: usize = 1024;
/// Reads that wait at once.
const READS_LIMIT: usize = 1024;
/// Stopping asks that wait at once; they are few and cheap, and must always find room.
const URGENT_LIMIT: usize = 256;
/// Places in each lane that only the owner's own socket may take: a gateway that fills its share never
/// keeps the owner's kill, unlock or withdrawal out.
const RESERVED: usize = 64;
/// Commands decided together at most: one commit carries them.
pub const BATCH_LIMIT: usize = 256;

/// Which lane an ask takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Kill, pause, revoke, lock.
    Urgent,
    /// Whatever may write an event.
    Command,
    /// What only reads.
    Read,
}

/// The sending end; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lanes {
    shared: Arc<Shared>,
    reserved: usize,
}

#[derive(Debug, Default)]
struct Shared {
    queues: Mutex<Queues>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    urgent: VecDeque<Ask>,
    commands: VecDeque<Ask>,
    reads: VecDeque<Ask>,
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.commands.is_empty() && self.reads.is_empty()
    }
}

/// What the authority takes at once, in the order in which it serves it.
#[derive(Debug, Default)]
pub struct Taken {
    /// All that stops.
    pub urgent: Vec<Ask>,
    /// All reads.
    pub reads: Vec<Ask>,
    /// Up to [`BATCH_LIMIT`] commands.
    pub commands: Vec<Ask>,
}

/// The lane is full; the ask comes back.
#[derive(Debug)]
pub struct Full(pub Box<Ask>);

impl Lanes {
    /// The same lanes with the owner's share: for `admin.sock`.
    #[must_use]
    pub fn with_reserve(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            reserved: RESERVED,
        }
    }

    /// Puts an ask into its lane.
    ///
    /// # Errors
    /// [`Full`].
    pub fn push(&self, ask: Ask) -> Result<(), Full> {
        let mut queues = self
            .shared
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (queue, limit) = match ask.lane() {
            Lane::Urgent => (&mut queues.urgent, URGENT_LIMIT),
            Lane::Command => (&mut queues.commands, COMMANDS_LIMIT),
            Lane::Read => (&mut queues.reads, READS_LIMIT),
        };
        // What the kdf thread brings back was let in once already.
        if queue.len() >= limit + self.reserved && !matches!(ask, Ask::Derived(_)) {
            return Err(Full(Box::new(ask)));
        }
        queue.push_back(ask);
        drop(queues);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Takes what stops, without waiting.
    #[must_use]
    pub fn take_urgent(&self) -> Vec<Ask> {
        let queues = self.shared.queues.lock();
        let mut queues = queues.unwrap_or_else(PoisonError::into_inner);
        queues.urgent.drain(..).collect()
    }

    /// Waits until something arrives, at most until `deadline`, and takes it.
    #[must_use]
    pub fn take(&self, deadline: Instant) -> Taken {
        let mut queues = self
            .shared
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while queues.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            (queues, _) = self
                .shared
                .arrived
                .wait_timeout(queues, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let batch = queues.commands.len().min(BATCH_LIMIT);
        Taken {
            urgent: queues.urgent.drain(..).collect(),
            reads: queues.reads.drain(..).collect(),
            commands: queues.commands.drain(..batch).collect(),
        }
    }
}
