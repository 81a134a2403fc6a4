//! Who may sign for the owner: quorum, changes that wait 72 hours, suspension (invariants 14 and 17).

use std::collections::BTreeSet;

use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Change, Draft, Kill, Owners, Pending, Standing};
use crate::model::HOUR;

/// Every change waits so long, on the run clock.
pub(super) const WAIT: u64 = 72 * HOUR;

impl Owners {
    pub(super) fn may_sign(&self, owner: OwnerId) -> bool {
        self.keys.get(&owner).is_some_and(|(_, active)| *active)
    }

    /// Whether an owner's removal waits.
    pub(super) fn leaves(&self, owner: OwnerId) -> bool {
        let removal = Change::Remove { owner };
        self.pending.iter().any(|one| one.change == removal)
    }

    /// Whether an owner may sign and stays.
    pub(super) fn stays(&self, owner: OwnerId) -> bool {
        self.may_sign(owner) && !self.leaves(owner)
    }

    /// Whether those who stay would be too few without this owner, by any quorum that is or waits.
    pub(super) fn too_few_without(&self, owner: OwnerId) -> bool {
        let stay = self.keys.keys().filter(|id| self.stays(**id));
        let left = stay.filter(|id| **id != owner).count();
        let mut waiting = self.pending.iter();
        let raised = waiting.any(|one| matches!(one.change, Change::Quorum(most) if left < most));
        left < self.quorum || raised
    }

    /// Owners who may sign, and who may not, in the order of their names.
    pub(super) fn of(&self, active: bool) -> Vec<OwnerId> {
        let keys = self.keys.iter();
        keys.filter(|(_, (_, is))| *is == active)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Why a change would not fit what there is.
    fn misfit(&self, change: &Change) -> Option<Code> {
        let active = self.of(true).len();
        match change {
            Change::Add { key, .. } => {
                let known = self.keys.values().any(|(of, _)| of == key);
                known.then_some(Code::OwnerKnown)
            }
            Change::Remove { owner } => match self.keys.get(owner) {
                None => Some(Code::OwnerUnknown),
                Some((_, is_active)) => {
                    let left = active - usize::from(*is_active);
                    (left < self.quorum).then_some(Code::QuorumRange)
                }
            },
            Change::Quorum(quorum) => {
                (*quorum == 0 || *quorum > active).then_some(Code::QuorumRange)
            }
            Change::Address(account) => {
                let known = self.withdrawals.contains(account);
                known.then_some(Code::WithdrawalAddress)
            }
            Change::AddressGone(account) => {
                if !self.withdrawals.contains(account) {
                    return Some(Code::WithdrawalAddress);
                }
                let on_it = self.withdrawals.iter();
                let on_it = on_it.filter(|one| one.chain() == account.chain());
                (on_it.count() == 1).then_some(Code::WithdrawalLast)
            }
        }
    }

    fn make(&mut self, change: &Change) {
        match change {
            Change::Add { owner, key } => {
                self.keys.insert(*owner, (*key, true));
            }
            Change::Remove { owner } => {
                self.keys.remove(owner);
            }
            Change::Quorum(quorum) => self.quorum = *quorum,
            Change::Address(account) => {
                self.withdrawals.insert(*account);
            }
            Change::AddressGone(account) => {
                self.withdrawals.remove(account);
            }
        }
    }

    /// Why a change cannot be asked for now: it must fit what is expected once all that waits is made.
    pub(super) fn unwelcome(&self, change: &Change) -> BTreeSet<Code> {
        let mut codes = BTreeSet::new();
        if self.pending.len() >= 16 {
            codes.insert(Code::OwnerChangeTooMany);
        }
        let mut expected = self.clone();
        for pending in &self.pending {
            if expected.misfit(&pending.change).is_none() {
                expected.make(&pending.change);
            }
        }
        codes.extend(expected.misfit(change));
        if let Change::Add { key, .. } = change
            && self
                .pending
                .iter()
                .any(|one| matches!(&one.change, Change::Add { key: of, .. } if of == key))
        {
            codes.insert(Code::OwnerKnown);
        }
        codes
    }
}

impl Book {
    /// Changes whose time has come take effect, in the order in which they were asked for, or are void.
    /// Approvals that were not used count by who must sign from then on.
    pub(super) fn changes_due(&mut self) {
        let run = self.now().run;
        while let Some(place) = self
            .owners
            .pending
            .iter()
            .position(|one| one.effective <= run)
        {
            let Pending { change, .. } = self.owners.pending.remove(place);
            if self.owners.misfit(&change).is_none() {
                self.owners.make(&change);
                match &change {
                    Change::Remove { owner } => self.void_signed_by(*owner),
                    Change::Quorum(quorum) => {
                        for wait in self.waits.values_mut() {
                            wait.approval
                                .take_if(|(signers, _)| signers.len() < *quorum);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    pub(super) fn schedule(
        &mut self,
        statement: StatementId,
        change: Change,
        signers: Vec<OwnerId>,
    ) {
        self.drafts.remove(&statement);
        let effective = self.now().run + WAIT;
        self.owners.pending.push(Pending {
            statement,
            change,
            effective,
            signers,
        });
    }

    /// A key is suspended: what it signed and what still waits or spends is void, but for the removals of
    /// who says so.
    pub(super) fn suspend(&mut self, owner: OwnerId, by: &[OwnerId]) {
        let mut again = true;
        if let Some((_, active)) = self.owners.keys.get_mut(&owner) {
            again = !std::mem::take(active);
        }
        self.void_signed_by(owner);
        self.owners.pending.retain(|one| {
            let own = matches!(one.change, Change::Remove { owner } if by.contains(&owner));
            own || !one.signers.contains(&owner)
        });
        self.drafts.retain(|_, draft| match draft.facts {
            StatementFacts::CancelOwnerChange { .. }
            | StatementFacts::SuspendOwner { .. }
            | StatementFacts::RejectPayment { .. }
            | StatementFacts::Withdraw { .. } => true,
            StatementFacts::LiftSuspension { owner: lifted } => again && lifted != owner,
            _ => again,
        });
    }

    fn void_signed_by(&mut self, owner: OwnerId) {
        let run = self.now().run;
        let mut voided = false;
        for one in &mut self.adopted {
            if one.signers.contains(&owner) && one.matures.is_some_and(|at| at > run) {
                one.matures = None;
                voided = true;
            }
        }
        // Texts of documents were written beside the one that is void.
        let adopts = |draft: &Draft| matches!(draft.facts, StatementFacts::AdoptPolicy { .. });
        self.drafts.retain(|_, draft| !(voided && adopts(draft)));
        let mut ended = Vec::new();
        for session in &mut self.sessions {
            let spends = session.by_kill || session.standing == Standing::Active;
            if session.signers.contains(&owner) && spends {
                session.standing = Standing::Revoked;
                session.by_kill = false;
                ended.push(session.id);
            }
        }
        for session in ended {
            self.end_session(session);
        }
        for wait in self.waits.values_mut() {
            wait.approval
                .take_if(|(signers, _)| signers.contains(&owner));
        }
    }

    /// The kill switch: everything that waits ends, every session and every open statement.
    pub(super) fn killed(&mut self) {
        if self.kill == Kill::Activated {
            return;
        }
        self.kill = Kill::Activated;
        self.kill_epoch += 1;
        self.waits.clear();
        self.drafts.clear();
        self.owners.pending.clear();
        for session in &mut self.sessions {
            if session.standing == Standing::Active {
                session.standing = Standing::Revoked;
                session.by_kill = true;
            }
        }
    }

    /// A pause voids every release that was written before it.
    pub(super) fn paused(&mut self, wallet: Option<usize>) {
        match wallet {
            None => self.frozen = true,
            Some(place) => self.wallets[place].paused = true,
        }
        for draft in self.drafts.values_mut() {
            draft.void |= matches!(draft.facts, StatementFacts::ReleasePause { .. });
        }
    }
}
