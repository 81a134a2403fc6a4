//! Who may sign for the owner: keys with their standing, guardians, the quorum, addresses for
//! withdrawals, and the changes that wait. Part of the state; only the fold changes it. A key is
//! registered once, so that counting owners counts keys (invariant 14).

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::{
    KEYS_LIMIT, KnownKey, NewKey, OwnerChange, PendingChange, REPLACEMENTS_LIMIT, Standing,
};
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::RunTime;

/// One owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Owner {
    #[n(0)]
    pub(super) key: OwnerKey,
    #[n(1)]
    pub(super) envelope: Envelope,
    #[n(2)]
    pub(super) standing: Standing,
}

/// Everybody who may sign, and what is about to change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Owners {
    #[n(0)]
    pub(super) keys: BTreeMap<OwnerId, Owner>,
    #[n(1)]
    pub(super) guardians: BTreeMap<OwnerId, NewKey>,
    /// How many owners must sign; nothing but a change of it ever lowers it, or a recovery.
    #[n(2)]
    pub(super) quorum: u32,
    /// Addresses that withdrawals may go to.
    #[n(3)]
    pub(super) withdrawals: BTreeSet<AccountId>,
    /// In the order in which they were asked for, which is that in which they take effect.
    #[n(4)]
    pub(super) pending: Vec<PendingChange>,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            guardians: BTreeMap::new(),
            quorum: 1,
            withdrawals: BTreeSet::new(),
            pending: Vec::new(),
        }
    }
}

impl Owners {
    /// Owners who are not suspended.
    pub(super) fn active(&self) -> usize {
        self.keys
            .values()
            .filter(|owner| owner.standing == Standing::Active)
            .count()
    }

    /// Whether the key is an owner's or a guardian's.
    pub(super) fn knows(&self, key: &OwnerKey) -> bool {
        self.keys.values().any(|owner| owner.key == *key)
            || self.guardians.values().any(|guardian| guardian.key == *key)
    }

    /// Whether the owner's removal waits. Who asked for it could as well have suspended the key: from then
    /// on it suspends others no further than a suspended key does.
    pub(super) fn leaving(&self, owner: OwnerId) -> bool {
        let mut changes = self.pending.iter().map(|pending| &pending.change);
        changes.any(|change| change.removes(owner))
    }

    /// Whether those who stay are enough without this owner: to sign now, and by every quorum that waits,
    /// so that nobody who leaves is needed when the time of the removal comes.
    pub(super) fn enough_stay_without(&self, owner: OwnerId) -> bool {
        let stay = self.keys.iter().filter(|(id, known)| {
            **id != owner && known.standing == Standing::Active && !self.leaving(**id)
        });
        let raised = self
            .pending
            .iter()
            .filter_map(|pending| match pending.change {
                OwnerChange::SetQuorum { quorum } => Some(quorum),
                _ => None,
            });
        stay.count() >= count(raised.fold(self.quorum, u32::max))
    }

    /// The change that this statement asked for, while it waits.
    pub(super) fn waiting(&self, statement: StatementId) -> Option<&PendingChange> {
        self.pending
            .iter()
            .find(|pending| pending.statement == statement)
    }

    /// The oldest change that has waited long enough.
    pub(super) fn due(&self, now: RunTime) -> Option<&PendingChange> {
        self.pending.iter().find(|pending| pending.effective <= now)
    }

    /// Everybody who may sign once what waits has taken effect, as far as it fits. A recovery is left
    /// out: it may be cancelled, and when it takes effect it voids what waits.
    pub(super) fn expected(&self) -> Self {
        let mut expected = self.clone();
        for pending in &self.pending {
            if !pending.change.is_recovery() && expected.fits(&pending.change).is_ok() {
                expected.make(&pending.change);
            }
        }
        expected
    }

    /// Whether a change fits: asked when it is asked for, of what is expected, and again when it takes
    /// effect.
    pub(super) fn fits(&self, change: &OwnerChange) -> Result<(), Code> {
        let guardians = self.guardians.len();
        let registered = self.keys.len().saturating_add(guardians);
        // Who takes the place of a suspended owner finds it: up to a bound such keys do not count.
        let full = match change {
            OwnerChange::AddOwner(_) => {
                self.active().saturating_add(guardians) >= KEYS_LIMIT
                    || registered >= KEYS_LIMIT.saturating_add(REPLACEMENTS_LIMIT)
            }
            _ => registered >= KEYS_LIMIT,
        };
        match change {
            OwnerChange::AddOwner(new)
            | OwnerChange::AddGuardian(new)
            | OwnerChange::Recover { key: new, .. } => {
                if self.knows(&new.key) {
                    return Err(Code::OwnerKnown);
                }
                // A recovery finds room in any case.
                if full && !change.is_recovery() {
                    return Err(Code::OwnerChangeTooMany);
                }
            }
            OwnerChange::RemoveOwner(KnownKey { id, .. }) => {
                let owner = self.keys.get(id).ok_or(Code::OwnerUnknown)?;
                let leaves = usize::from(owner.standing == Standing::Active);
                // Removing never lowers the quorum: whoever stays must reach it.
                if self.active().saturating_sub(leaves) < count(self.quorum) {
                    return Err(Code::QuorumRange);
                }
            }
            OwnerChange::SetQuorum { quorum } => {
                // Nor does anybody need more signatures than one submission carries.
                let most = self.active().min(KEYS_LIMIT);
                if !(1..=most).contains(&count(*quorum)) {
                    return Err(Code::QuorumRange);
                }
            }
            OwnerChange::RemoveGuardian(KnownKey { id, .. }) => {
                if !self.guardians.contains_key(id) {
                    return Err(Code::GuardianUnknown);
                }
            }
            OwnerChange::EnrolWithdrawal { account } => {
                if self.withdrawals.contains(account) {
                    return Err(Code::WithdrawalAddress);
                }
            }
            // The way out stays open on every network on which it is.
            OwnerChange::RemoveWithdrawal { account } => {
                if !self.withdrawals.contains(account) {
                    return Err(Code::WithdrawalAddress);
                }
                let mut others = self.withdrawals.iter().filter(|other| *other != account);
                if !others.any(|other| other.chain() == account.chain()) {
                    return Err(Code::WithdrawalLast);
                }
            }
        }
        Ok(())
    }

    /// Makes a change; evaluates nothing.
    pub(super) fn make(&mut self, change: &OwnerChange) {
        match change {
            OwnerChange::AddOwner(new) => self.insert(new),
            OwnerChange::RemoveOwner(known) => {
                self.keys.remove(&known.id);
            }
            OwnerChange::SetQuorum { quorum } => self.quorum = *quorum,
            OwnerChange::AddGuardian(new) => {
                self.guardians.insert(new.id, *new);
            }
            OwnerChange::RemoveGuardian(known) => {
                self.guardians.remove(&known.id);
            }
            OwnerChange::EnrolWithdrawal { account } => {
                self.withdrawals.insert(*account);
            }
            OwnerChange::RemoveWithdrawal { account } => {
                self.withdrawals.remove(account);
            }
            OwnerChange::Recover { key, .. } => {
                for owner in self.keys.values_mut() {
                    owner.standing = Standing::Replaced;
                }
                self.insert(key);
                self.quorum = 1;
            }
        }
    }

    fn insert(&mut self, new: &NewKey) {
        let owner = Owner {
            key: new.key,
            envelope: new.envelope,
            standing: Standing::Active,
        };
        self.keys.insert(new.id, owner);
    }
}

/// A quorum as a number of owners; one that fits no machine is above every number.
pub(super) fn count(quorum: u32) -> usize {
    usize::try_from(quorum).unwrap_or(usize::MAX)
}
