//! Which payments are under way in this process, and who waits for what. Owns no task and no decision.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit, broadcast, watch};
use waiaas_shared::ids::TransactionId;

use crate::chain::{ChainTransactionId, Validity};
use crate::payment::{OwnSignature, Payment};

/// Questions to nodes under way at once, for payments that nobody waits for at this moment.
const QUESTIONS: usize = 32;
/// Details of signed bytes that wait for their event.
const DETAILS: usize = 16_384;

/// What only the bytes tell of a payment.
#[derive(Debug)]
struct Details {
    name: Option<ChainTransactionId>,
    own_signature: Option<OwnSignature>,
    validity: Option<Validity>,
}

/// Payments under way.
#[derive(Debug)]
pub struct Tracker {
    /// Each is attended to by one task.
    active: Mutex<HashSet<TransactionId>>,
    /// What is known of bytes that were handed out, until their event comes by.
    details: Mutex<HashMap<TransactionId, Details>>,
    changes: broadcast::Sender<TransactionId>,
    signer_changes: watch::Sender<u64>,
    questions: Semaphore,
}

impl Default for Tracker {
    fn default() -> Self {
        Self {
            active: Mutex::default(),
            details: Mutex::default(),
            changes: broadcast::Sender::new(1024),
            signer_changes: watch::Sender::new(0),
            questions: Semaphore::new(QUESTIONS),
        }
    }
}

impl Tracker {
    /// What the signer refused may pass now.
    pub(crate) fn signer_changed(&self) {
        self.signer_changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The right to attend to a payment, if nobody does.
    pub(in crate::pipeline) fn claim(&self, id: TransactionId) -> bool {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id)
    }

    pub(in crate::pipeline) fn release(&self, id: TransactionId) {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    pub(super) fn remember(&self, payment: &Payment) {
        let mut details = self.details.lock().unwrap_or_else(PoisonError::into_inner);
        if details.len() < DETAILS {
            let progress = &payment.progress;
            let of_bytes = Details {
                name: progress.chain_transaction,
                own_signature: progress.own_signature,
                validity: progress.validity,
            };
            details.insert(payment.facts.id, of_bytes);
        }
    }

    /// Fills in what is remembered of a payment's bytes; says whether anything was.
    pub(crate) fn fill_in(&self, payment: &mut Payment) -> bool {
        let mut details = self.details.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_bytes) = details.remove(&payment.facts.id) else {
            return false;
        };
        payment.progress.chain_transaction = of_bytes.name;
        payment.progress.own_signature = of_bytes.own_signature;
        payment.progress.validity = of_bytes.validity;
        true
    }

    /// Tells whoever waits that something about a payment changed.
    pub(crate) fn tell(&self, id: TransactionId) {
        // Nobody may be waiting.
        let _ = self.changes.send(id);
    }

    pub(in crate::pipeline) fn changes(&self) -> broadcast::Receiver<TransactionId> {
        self.changes.subscribe()
    }

    /// Changes when the signer may have come to another mind.
    pub(in crate::pipeline) fn signer_changes(&self) -> watch::Receiver<u64> {
        self.signer_changes.subscribe()
    }

    /// The turn to ask a node; none is given only while the process ends.
    pub(in crate::pipeline) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.questions.acquire().await.ok()
    }
}
