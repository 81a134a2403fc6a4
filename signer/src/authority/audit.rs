//! The whole log folded once more, on the owner's demand, and compared with everything that stands in for
//! it: the state that decides, every snapshot that an event names, and those that are kept. In small parts
//! between batches, so that no payment waits for it. Changes nothing.

use waiaas_shared::denial::Code;
use waiaas_shared::log::Verifier;

use super::ask::{Audited, Reply, refused};
use super::fold::{Fold, name, named};
use super::system::System;
use super::{Authority, OpenError, Settled, Vault};
use crate::core::command::SnapshotName;
use crate::core::state::STATE_VERSION;
use crate::ledger::Ledger;

/// Bytes of events in one part: a few milliseconds.
const PART_BYTES: usize = 64 * 1024;

/// An audit under way.
#[derive(Debug)]
pub(super) struct Audit {
    fold: Fold,
    /// Snapshots that lie in the ledger and whose event was not seen yet.
    kept: Vec<SnapshotName>,
    checked: u32,
    problems: Vec<String>,
    replies: Vec<Reply<Audited>>,
}

impl<L: Ledger, S: System> Authority<L, S> {
    /// Begins one; whoever asks during it gets its answer too.
    pub(super) fn begin_audit(&mut self, reply: Reply<Audited>) {
        if let Some(audit) = &mut self.audit {
            audit.replies.push(reply);
            return;
        }
        let (Vault::Open(keystore, _) | Vault::Locked(keystore)) = &self.vault else {
            let _gone = reply.send(refused(Code::NotInitialized));
            return;
        };
        let identity = keystore.identity();
        let genesis = Verifier::new(identity.signer_id, identity.log_public_key);
        let (mut kept, mut problems) = (Vec::new(), Vec::new());
        let mut before = u64::MAX;
        loop {
            match self.ledger.snapshot_before(before) {
                Ok(Some(stored)) => {
                    before = stored.sequence;
                    kept.push(name(&stored));
                }
                Ok(None) => break,
                Err(error) => {
                    problems.push(format!("a snapshot cannot be read: {error}"));
                    break;
                }
            }
        }
        self.audit = Some(Box::new(Audit {
            fold: Fold::whole(genesis),
            kept,
            checked: 0,
            problems,
            replies: vec![reply],
        }));
    }

    /// One part of an audit, if there is one.
    pub(super) fn audit_further(&mut self) {
        let Some(mut audit) = self.audit.take() else {
            return;
        };
        match audit.part(&mut self.ledger) {
            Ok(true) => {
                self.audit = Some(audit);
                return;
            }
            Ok(false) => audit.compare(&self.settled),
            Err(error) => audit.problems.push(error.to_string()),
        }
        let head = audit.fold.verifier.head();
        let audited = Audited {
            sequence: head.sequence,
            hash: head.hash,
            snapshots: audit.checked,
            problems: audit.problems,
        };
        for reply in audit.replies {
            let _gone = reply.send(Ok(audited.clone()));
        }
    }
}

impl Audit {
    /// The whole log is folded: what differs from it.
    fn compare(&mut self, settled: &Settled) {
        if let Err(error) = self.fold.verifier.finish() {
            self.problems.push(error.to_string());
        }
        let head = Some(self.fold.verifier.head());
        if settled.head != head || settled.folded != self.fold.folded {
            self.problems
                .push("the signer's state is not the fold of its log".to_owned());
        }
        for unnamed in &self.kept {
            self.problems.push(format!(
                "no event names the snapshot that lies after event {}",
                unnamed.sequence
            ));
        }
    }

    /// Takes one part of the log; whether there was any.
    fn part<L: Ledger>(&mut self, ledger: &mut L) -> Result<bool, OpenError> {
        let Self {
            fold,
            kept,
            checked,
            problems,
            ..
        } = self;
        fold.page(ledger, PART_BYTES, |before, event| {
            let Some(named) = named(event) else { return };
            kept.retain(|kept| *kept != named);
            if named.version != STATE_VERSION {
                // Another version's encoding: what it held is in the fold.
                return;
            }
            let (_, true_name) = before.folded.snapshot(before.verifier.head());
            *checked = checked.saturating_add(1);
            if true_name != named {
                problems.push(format!(
                    "the snapshot after event {} is not the fold of the log",
                    named.sequence
                ));
            }
        })
    }
}
