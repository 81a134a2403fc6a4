//! Decisions over who may sign: quorum and other circles of signers, changes that wait 72 hours,
//! suspension, recovery, guardians (invariants 14 and 17). What tightens takes one signature; what
//! loosens takes the quorum, the password, and time.

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, ChainId};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::{DELAY, KnownKey, NewKey, OwnerChange, PENDING_LIMIT, Standing};
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, verify};
use waiaas_shared::statement::{GuardianStop, StatementFacts};
use waiaas_shared::time::{Clocks, RunTime};

pub(super) use super::decide_statement::open;

use super::command::{Context, Outcome, Recovery, Rehearsal, Submission};
use super::owners::count;
use super::state::{KillPhase, OpenStatement, State};
use super::{Decision, decide_intent, decide_stop};

/// Whether withdrawals may go to `to` now.
pub(super) fn withdrawal_open(
    state: &State,
    chain: ChainId,
    to: Account,
    _now: Clocks,
) -> Result<(), Denial> {
    let account = AccountId::new(chain, to).map_err(|_| Code::WithdrawalAddress)?;
    if state.owners.withdrawals.contains(&account) {
        Ok(())
    } else {
        Err(Code::WithdrawalAddress.into())
    }
}

/// The distinct keys whose signatures over the statement's exact text verify; `key` says whose they may
/// be. One bad signature refuses the whole: nobody attaches it by accident.
fn signers(
    open: &OpenStatement,
    signatures: &[OwnerSignature],
    key: impl Fn(OwnerId) -> Result<OwnerKey, Code>,
) -> Result<Vec<OwnerId>, Denial> {
    let mut signers = Vec::new();
    for given in signatures {
        verify(
            &open.text,
            &key(given.owner)?,
            given.envelope,
            &given.signature,
        )
        .map_err(|_| Code::StatementSignature)?;
        signers.push(given.owner);
    }
    // One key twice counts once.
    signers.sort_unstable();
    signers.dedup();
    Ok(signers)
}

/// The key of an owner whose standing is one of these.
fn owner_key(state: &State, id: OwnerId, standings: &[Standing]) -> Result<OwnerKey, Code> {
    let owner = state.owners.keys.get(&id).ok_or(Code::OwnerUnknown)?;
    if standings.contains(&owner.standing) {
        Ok(owner.key)
    } else {
        Err(Code::OwnerSuspended)
    }
}

/// As many distinct owners as must sign, none of them suspended.
pub(super) fn quorum(
    state: &State,
    open: &OpenStatement,
    signatures: &[OwnerSignature],
) -> Result<Vec<OwnerId>, Denial> {
    let signers = signers(open, signatures, |id| {
        owner_key(state, id, &[Standing::Active])
    })?;
    if signers.len() < count(state.owners.quorum) {
        return Err(Code::QuorumMissing.into());
    }
    Ok(signers)
}

/// At least one owner of these standings.
pub(super) fn any_owner(
    state: &State,
    open: &OpenStatement,
    signatures: &[OwnerSignature],
    standings: &[Standing],
) -> Result<Vec<OwnerId>, Denial> {
    at_least_one(signers(open, signatures, |id| {
        owner_key(state, id, standings)
    })?)
}

fn at_least_one(signers: Vec<OwnerId>) -> Result<Vec<OwnerId>, Denial> {
    if signers.is_empty() {
        Err(Code::QuorumMissing.into())
    } else {
        Ok(signers)
    }
}

fn guardians(
    state: &State,
    open: &OpenStatement,
    signatures: &[OwnerSignature],
) -> Result<Vec<OwnerId>, Denial> {
    signers(open, signatures, |id| {
        let guardian = state.owners.guardians.get(&id);
        guardian
            .map(|guardian| guardian.key)
            .ok_or(Code::GuardianUnknown)
    })
}

/// What must hold for a statement about owners, when drafted and again when carried out.
pub(super) fn check(state: &State, facts: &StatementFacts) -> Result<(), Denial> {
    match facts {
        StatementFacts::CancelOwnerChange { change }
        | StatementFacts::GuardianStop {
            stop: GuardianStop::CancelChange { change },
        } => {
            let known = state.owners.waiting(*change);
            known.ok_or(Code::OwnerChangeUnknown)?;
        }
        StatementFacts::GuardianStop { .. } => {
            if state.owners.guardians.is_empty() {
                return Err(Code::GuardianUnknown.into());
            }
        }
        StatementFacts::SuspendOwner { owner } => {
            let known = state.owners.keys.get(owner);
            known.ok_or(Code::OwnerUnknown)?;
        }
        StatementFacts::LiftSuspension { owner } => {
            let known = state.owners.keys.get(owner).ok_or(Code::OwnerUnknown)?;
            if known.standing == Standing::Active {
                return Err(Code::NotSuspended.into());
            }
        }
        _ => {
            // Stand-ins: here the key's newness counts, the rest comes with its signature.
            let change = change_of(state, facts, |key| {
                Ok(NewKey {
                    id: OwnerId::from_bytes([0; 16]),
                    key: *key,
                    envelope: Envelope::Ed25519Plain,
                })
            })?;
            fits(state, &change)?;
        }
    }
    Ok(())
}

/// The change that a statement asks for; `new` makes the new key of one.
fn change_of(
    state: &State,
    facts: &StatementFacts,
    new: impl Fn(&OwnerKey) -> Result<NewKey, Code>,
) -> Result<OwnerChange, Code> {
    Ok(match facts {
        StatementFacts::AddOwner { key } => OwnerChange::AddOwner(new(key)?),
        StatementFacts::AddGuardian { key } => OwnerChange::AddGuardian(new(key)?),
        StatementFacts::RecoverOwners { key } => OwnerChange::Recover {
            key: new(key)?,
            guardians: Vec::new(),
        },
        StatementFacts::RemoveOwner { owner } => {
            let known = state.owners.keys.get(owner).ok_or(Code::OwnerUnknown)?;
            OwnerChange::RemoveOwner(KnownKey {
                id: *owner,
                key: known.key,
            })
        }
        StatementFacts::RemoveGuardian { guardian } => {
            let known = state.owners.guardians.get(guardian);
            OwnerChange::RemoveGuardian(KnownKey {
                id: *guardian,
                key: known.ok_or(Code::GuardianUnknown)?.key,
            })
        }
        StatementFacts::SetQuorum { quorum } => OwnerChange::SetQuorum { quorum: *quorum },
        StatementFacts::EnrolWithdrawal { account } => {
            OwnerChange::EnrolWithdrawal { account: *account }
        }
        _ => return Err(Code::StatementMismatch),
    })
}

/// Whether a change fits what is expected once everything that waits has taken effect.
fn fits(state: &State, change: &OwnerChange) -> Result<(), Denial> {
    let pending = &state.owners.pending;
    if state.owners.keys.is_empty() {
        return Err(Code::OwnerUnknown.into());
    }
    if change.is_recovery() {
        if pending.iter().any(|waits| waits.change.is_recovery()) {
            return Err(Code::RecoveryPending.into());
        }
    } else if pending.len() >= PENDING_LIMIT {
        return Err(Code::OwnerChangeTooMany.into());
    }
    // One key is registered once, whatever of what waits comes to be.
    let announced = pending.iter().filter_map(|waits| waits.change.new_key());
    if let Some(new) = change.new_key()
        && announced.into_iter().any(|other| other.key == new.key)
    {
        return Err(Code::OwnerKnown.into());
    }
    Ok(state.owners.expected().fits(change)?)
}

fn scheduled(
    change: OwnerChange,
    statement: StatementId,
    signers: Vec<OwnerId>,
    now: Clocks,
) -> EventBody {
    EventBody::OwnerChangeScheduled {
        change,
        effective: now.run.after(DELAY),
        statement,
        signers,
    }
}

/// A change that needs no new key: it waits from now on.
pub(super) fn schedule(
    state: &State,
    facts: &StatementFacts,
    signers: Vec<OwnerId>,
    statement: StatementId,
    now: Clocks,
) -> Result<EventBody, Denial> {
    if let StatementFacts::EnrolWithdrawal { account } = facts {
        return Ok(EventBody::WithdrawalEnrolled {
            account: *account,
            effective: now.run.after(DELAY),
            statement,
            signers,
        });
    }
    // A key that nobody rehearsed is not registered.
    let change = change_of(state, facts, |_| Err(Code::StatementMismatch))?;
    Ok(scheduled(change, statement, signers, now))
}

/// A new owner or guardian: owners signed, and the key signed the same text.
pub(super) fn register(
    state: &State,
    submission: &Submission,
    rehearsal: &Rehearsal,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = open(state, submission.statement, now)?;
    let (StatementFacts::AddOwner { key } | StatementFacts::AddGuardian { key }) = &open.facts
    else {
        return Err(Code::StatementMismatch.into());
    };
    let signers = quorum(state, open, &submission.signatures)?;
    submission.require_password()?;
    check(state, &open.facts)?;
    if state.kill.phase == KillPhase::Activated {
        return Err(Code::Killed.into());
    }
    rehearsed(open, key, rehearsal, submission.statement)?;
    let id = OwnerId::derive(&context.entropy, 0);
    let change = change_of(state, &open.facts, |key| {
        Ok(NewKey {
            id,
            key: *key,
            envelope: rehearsal.envelope,
        })
    })?;
    let event = scheduled(change, submission.statement, signers, now);
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Owner(id)),
    })
}

/// The new key's own signature over the same text.
fn rehearsed(
    open: &OpenStatement,
    key: &OwnerKey,
    rehearsal: &Rehearsal,
    statement: StatementId,
) -> Result<(), Denial> {
    if rehearsal.statement != statement {
        return Err(Code::StatementMismatch.into());
    }
    verify(&open.text, key, rehearsal.envelope, &rehearsal.signature)
        .map_err(|_| Code::StatementSignature.into())
}

/// A recovery: password and phrase were proven to the vault, the new key rehearsed. No owner signs, a
/// kill does not keep it out, and guardians who signed are shown and decide nothing.
pub(super) fn recover(
    state: &State,
    recovery: &Recovery,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let statement = recovery.rehearsal.statement;
    let open = open(state, statement, now)?;
    let StatementFacts::RecoverOwners { key } = &open.facts else {
        return Err(Code::StatementMismatch.into());
    };
    check(state, &open.facts)?;
    rehearsed(open, key, &recovery.rehearsal, statement)?;
    let change = OwnerChange::Recover {
        key: NewKey {
            id: OwnerId::derive(&context.entropy, 0),
            key: *key,
            envelope: recovery.rehearsal.envelope,
        },
        guardians: guardians(state, open, &recovery.guardians)?,
    };
    Ok(Decision::event(scheduled(
        change,
        statement,
        Vec::new(),
        now,
    )))
}

/// Cancels what waits. One owner is enough, also a suspended one; a recovery takes one who is not, so
/// that a stolen key, once suspended, cannot keep the owner out for ever.
pub(super) fn cancel(
    state: &State,
    open: &OpenStatement,
    change: StatementId,
    submission: &Submission,
) -> Result<Decision, Denial> {
    let waits = state.owners.waiting(change);
    let waits = waits.ok_or(Code::OwnerChangeUnknown)?;
    let standings: &[Standing] = if waits.change.is_recovery() {
        &[Standing::Active]
    } else {
        &[Standing::Active, Standing::Suspended]
    };
    let signers = any_owner(state, open, &submission.signatures, standings)?;
    not_itself(state, change, &signers)?;
    Ok(Decision::event(EventBody::OwnerChangeCancelled {
        change,
        statement: submission.statement,
        signers,
    }))
}

/// Nobody keeps the others from removing a key with that key: a stolen one would stay for ever.
fn not_itself(state: &State, change: StatementId, signers: &[OwnerId]) -> Result<(), Code> {
    match state.owners.waiting(change) {
        Some(waits) if removes_any(&waits.change, signers) => Err(Code::RemovalOfItself),
        _ => Ok(()),
    }
}

fn removes_any(change: &OwnerChange, keys: &[OwnerId]) -> bool {
    keys.iter().any(|key| change.removes(*key))
}

/// Suspends an owner whom another owner names, also a suspended one, unless nothing but keys that are
/// suspended or about to be removed would take with it the quorum of those who stay.
pub(super) fn suspend(
    state: &State,
    open: &OpenStatement,
    owner: OwnerId,
    submission: &Submission,
    now: Clocks,
) -> Result<Decision, Denial> {
    check(state, &open.facts)?;
    let standings = [Standing::Active, Standing::Suspended];
    let signers = any_owner(state, open, &submission.signatures, &standings)?;
    if signers.contains(&owner) {
        return Err(Code::OwnerItself.into());
    }
    let is_active = |id: &OwnerId| {
        let known = state.owners.keys.get(id);
        known.is_some_and(|owner| owner.standing == Standing::Active)
    };
    let stays = |id: &OwnerId| is_active(id) && !state.owners.leaving(*id);
    let too_few = is_active(&owner) && !state.owners.enough_stay_without(owner);
    if too_few && !signers.iter().any(stays) {
        return Err(Code::SuspensionQuorum.into());
    }
    let statement = Some(submission.statement);
    Ok(suspended(state, owner, statement, signers, now))
}

/// Suspends an owner with the password alone, over `admin.sock`.
pub(super) fn suspend_by_password(
    state: &State,
    owner: OwnerId,
    context: &Context,
) -> Result<Decision, Denial> {
    check(state, &StatementFacts::SuspendOwner { owner })?;
    Ok(suspended(state, owner, None, Vec::new(), context.clocks))
}

/// What goes with a key: everything that it signed and that still waits or still spends, but for the
/// removal of a key that signs the suspension, which that key does not cancel either.
fn suspended(
    state: &State,
    owner: OwnerId,
    statement: Option<StatementId>,
    signers: Vec<OwnerId>,
    now: Clocks,
) -> Decision {
    let policies = state.policies.iter().filter(|policy| {
        policy.signers.contains(&owner) && policy.matures > now.run && !policy.is_void()
    });
    let sessions = granted_by(state, owner);
    let ends = sessions_end(state, &sessions);
    let changes = state.owners.pending.iter().filter(|pending| {
        pending.signers.contains(&owner) && !removes_any(&pending.change, &signers)
    });
    let suspended = EventBody::OwnerSuspended {
        owner,
        policies: policies.map(|policy| policy.document.epoch).collect(),
        sessions,
        changes: changes.map(|pending| pending.statement).collect(),
        statement,
        signers,
    };
    let mut decision = Decision::event(suspended);
    decision.events.extend(ends);
    decision
}

/// Lets a suspended key sign again: the password, and one owner who is not suspended.
pub(super) fn lift(
    state: &State,
    open: &OpenStatement,
    owner: OwnerId,
    submission: &Submission,
) -> Result<Decision, Denial> {
    check(state, &open.facts)?;
    let signers = any_owner(state, open, &submission.signatures, &[Standing::Active])?;
    submission.require_password()?;
    Ok(Decision::event(EventBody::SuspensionLifted {
        owner,
        statement: submission.statement,
        signers,
    }))
}

/// What a guardian says: the stop itself is decided as everybody's is.
pub(super) fn guardian_stop(
    state: &State,
    open: &OpenStatement,
    stop: GuardianStop,
    submission: &Submission,
) -> Result<Decision, Denial> {
    check(state, &open.facts)?;
    let guardians = at_least_one(guardians(state, open, &submission.signatures)?)?;
    let statement = submission.statement;
    if let GuardianStop::CancelChange { change } = stop {
        not_itself(state, change, &guardians)?;
    }
    let mut decision = match stop {
        GuardianStop::PauseAll => decide_stop::pause(state, None, submission.origin),
        GuardianStop::Kill => decide_stop::kill(state, submission.origin),
        GuardianStop::CancelChange { change } => Decision::event(EventBody::OwnerChangeCancelled {
            change,
            statement,
            signers: guardians.clone(),
        }),
    };
    let signed = EventBody::GuardianStopped {
        statement,
        guardians,
    };
    decision.events.insert(0, signed);
    Ok(decision)
}

/// The next change whose time has come: it takes effect if it still fits what there is then. Nothing if
/// none is due.
pub(super) fn due(state: &State, now: RunTime) -> Vec<EventBody> {
    let pending = state.owners.due(now).filter(|_| !state.retired);
    let Some(pending) = pending else {
        return Vec::new();
    };
    let change = pending.statement;
    if let Err(code) = state.owners.fits(&pending.change) {
        return vec![EventBody::OwnerChangeVoided { change, code }];
    }
    let mut events = vec![EventBody::OwnerChangeEffective { change }];
    match &pending.change {
        OwnerChange::RemoveOwner(known) => {
            events.extend(sessions_end(state, &granted_by(state, known.id)));
        }
        // Every session ends, and so does everything that waits.
        OwnerChange::Recover { .. } => {
            let sessions: Vec<_> = state.sessions.keys().copied().collect();
            events.extend(sessions_end(state, &sessions));
        }
        _ => {}
    }
    events
}

/// Sessions that a key signed for and that may still spend.
fn granted_by(state: &State, owner: OwnerId) -> Vec<SessionId> {
    let mut sessions: Vec<_> = state.sessions.iter().collect();
    sessions.retain(|(_, session)| session.signers.contains(&owner) && session.may_spend_again());
    sessions.into_iter().map(|(id, _)| *id).collect()
}

/// The end of what waits under them.
fn sessions_end(state: &State, sessions: &[SessionId]) -> Vec<EventBody> {
    sessions
        .iter()
        .flat_map(|session| decide_intent::session_ended(state, *session))
        .collect()
}
