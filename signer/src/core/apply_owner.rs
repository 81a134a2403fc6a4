//! The part of the fold that is about who may sign for the owner. Evaluates no rule: what goes with a
//! key was derived when its suspension was decided, and stands in the event.

use waiaas_shared::caip::AccountId;
use waiaas_shared::event::Charge;
use waiaas_shared::ids::{OwnerId, SessionId, StatementId, WalletId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::{OwnerChange, PendingChange, Standing};
use waiaas_shared::policy::evaluate::listed_charges;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::{BudgetTime, RunTime};

use super::owners::{Owner, count};
use super::state::{BindingPolicy, Freeze, State};

/// The first owner, with the addresses that came along.
pub(super) fn enrolled(
    state: &mut State,
    owner: OwnerId,
    key: OwnerKey,
    envelope: Envelope,
    withdrawals: &[AccountId],
) {
    let enrolled = Owner {
        key,
        envelope,
        standing: Standing::Active,
    };
    state.owners.keys.insert(owner, enrolled);
    state.owners.withdrawals.extend(withdrawals);
}

/// A change waits.
pub(super) fn scheduled(
    state: &mut State,
    change: &OwnerChange,
    effective: RunTime,
    statement: StatementId,
    signers: &[OwnerId],
) {
    state.statements.remove(&statement);
    state.owners.pending.push(PendingChange {
        statement,
        change: change.clone(),
        effective,
        signers: signers.to_vec(),
    });
}

/// A cancellation voids every statement that could ask for such a change again: one that was signed
/// and kept back never undoes a later cancellation. A recovery is not such a change unless one was cancelled: who
/// cancels another one, which a suspended key may, stands in nobody's last way.
pub(super) fn cancelled(state: &mut State, change: StatementId, statement: StatementId) {
    let waits = state.owners.waiting(change);
    let recovery = waits.is_none_or(|waits| waits.change.is_recovery());
    voided(state, change);
    state.statements.retain(|id, open| {
        let again = match open.facts {
            StatementFacts::RecoverOwners { .. } => recovery,
            ref facts => facts.changes_owners(),
        };
        *id != statement && !again
    });
}

/// A change waits no longer.
pub(super) fn voided(state: &mut State, change: StatementId) {
    state
        .owners
        .pending
        .retain(|pending| pending.statement != change);
}

/// A change takes effect. A recovery starts afresh: nothing that earlier owners signed loosens any more.
pub(super) fn effective(state: &mut State, change: StatementId) {
    let Some(pending) = state.owners.waiting(change).cloned() else {
        return;
    };
    voided(state, change);
    state.owners.make(&pending.change);
    // What owners approved and nobody released yet counts by who must sign now: the payment waits again.
    match &pending.change {
        OwnerChange::RemoveOwner(known) => removed(state, known.id),
        OwnerChange::SetQuorum { quorum } => {
            void_approvals(state, |signers| signers.len() < count(*quorum));
        }
        _ => {}
    }
    if pending.change.is_recovery() {
        let now = state.clocks.run;
        void_documents(state, |policy| policy.matures > now);
        for session in state.sessions.values_mut() {
            if session.may_spend_again() {
                session.revoke();
            }
        }
        state.owners.pending.clear();
        void_approvals(state, |_| true);
        state.statements.clear();
        state.frozen.insert(Freeze::Recovered);
    }
}

/// A key that is removed takes with it what it signed and what still waits or spends, as a suspension
/// would have. Changes of owners stay: they were announced, and every owner may cancel one.
fn removed(state: &mut State, owner: OwnerId) {
    let now = state.clocks.run;
    void_documents(state, |policy| {
        policy.matures > now && policy.signers.contains(&owner)
    });
    for session in state.sessions.values_mut() {
        if session.may_spend_again() && session.signers.contains(&owner) {
            session.revoke();
        }
    }
    void_approvals(state, |signers| signers.contains(&owner));
}

/// Documents of these never mature, whatever voids them. What owners read of other documents was written beside the
/// newest: without it a text tells too few loosenings, or others (invariant 13).
fn void_documents(state: &mut State, of: impl Fn(&BindingPolicy) -> bool) {
    let mut voided = false;
    for policy in &mut state.policies {
        if policy.is_void() || !of(policy) {
            continue;
        }
        policy.void();
        voided = true;
    }
    if voided {
        let adopts = |facts: &StatementFacts| matches!(facts, StatementFacts::AdoptPolicy { .. });
        state.statements.retain(|_, open| !adopts(&open.facts));
    }
}

/// Approvals of these signers that were not used yet are void: the payments wait again.
fn void_approvals(state: &mut State, of: impl Fn(&[OwnerId]) -> bool) {
    for open in state.intents.values_mut() {
        let approval = open.approval.take();
        open.approval = approval.filter(|approval| !of(&approval.signers));
    }
}

/// A key is suspended, and everything that it signed and that still waits or spends is void. So is
/// every open statement that could loosen: a signature that the key gave before is of no use later. The
/// way out stays open: a withdrawal and a recovery are judged by who signs and how they stand when they
/// are handed in. A key that was suspended before signed nothing since, so that nothing is void but what
/// would lift this suspension: else one stolen key would keep all owners from every signature.
pub(super) fn suspended(
    state: &mut State,
    owner: OwnerId,
    policies: &[u64],
    sessions: &[SessionId],
    changes: &[StatementId],
) {
    let known = state.owners.keys.get_mut(&owner);
    let active = known.filter(|known| known.standing == Standing::Active);
    let was_active = active.is_some();
    if let Some(known) = active {
        known.standing = Standing::Suspended;
    }
    void_documents(state, |policy| policies.contains(&policy.document.epoch));
    for id in sessions {
        if let Some(session) = state.sessions.get_mut(id) {
            session.revoke();
        }
    }
    for change in changes {
        voided(state, *change);
    }
    void_approvals(state, |signers| signers.contains(&owner));
    let lift = StatementFacts::LiftSuspension { owner };
    state.statements.retain(|_, open| match &open.facts {
        StatementFacts::Withdraw { .. } | StatementFacts::RecoverOwners { .. } => true,
        facts if was_active => facts.only_stops(),
        facts => *facts != lift,
    });
}

/// A suspended key may sign again.
pub(super) fn lifted(state: &mut State, owner: OwnerId, statement: StatementId) {
    state.statements.remove(&statement);
    if let Some(known) = state.owners.keys.get_mut(&owner) {
        known.standing = Standing::Active;
    }
}

/// A kill voids what waits, as it was signed before. A recovery stays: it is the way of an owner who
/// has no key left to release the kill with.
pub(super) fn killed(state: &mut State) {
    state
        .owners
        .pending
        .retain(|pending| pending.change.is_recovery());
}

/// A payment counts as never made.
pub(super) fn credited(
    state: &mut State,
    wallet: WalletId,
    session: SessionId,
    charged_at: BudgetTime,
    amounts: &[Charge],
) {
    let amounts = listed_charges(amounts);
    if let Some(wallet) = state.wallets.get_mut(&wallet) {
        wallet.history.credit(charged_at, &amounts);
    }
    if let Some(session) = state.sessions.get_mut(&session) {
        // One, whatever a batch counted: never more than was charged.
        session.usage.uncharge(&amounts, 1);
        session.history.credit(charged_at, &amounts);
    }
}
