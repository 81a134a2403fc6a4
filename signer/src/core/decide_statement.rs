//! Decisions over statements: writing a text, and carrying out what was signed. What loosens passes
//! only with signatures over the signer's own text (invariants 13, 14); what the password must
//! accompany is refused without it. Who may sign is `decide_owner`'s.

use waiaas_shared::agent::AgentStage;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{AgentId, OwnerId, SessionId, StatementId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::text::compose;
use waiaas_shared::statement::verify::verify;
use waiaas_shared::statement::{
    LIFETIME, OPEN_LIMIT, StatementFacts, StatementHeader, TIME_AHEAD, TIME_AHEAD_ALONE, TIME_END,
};
use waiaas_shared::time::Clocks;

use super::command::{Context, Outcome, Rehearsal, Submission};
use super::state::{KillPhase, OpenStatement, State};
use super::{
    Decision, decide_agent, decide_alarm, decide_intent, decide_owner, decide_policy,
    decide_session, decide_wallet, drafted,
};

/// Writes a text for an owner to sign.
pub(super) fn draft(
    state: &State,
    facts: &StatementFacts,
    origin: Origin,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = state.statements.values().filter(|open| {
        open.origin == origin
            && open.expires > now.wall
            && places(&open.facts, origin) == places(facts, origin)
    });
    if open.count() >= OPEN_LIMIT {
        return Err(Code::StatementTooMany.into());
    }
    let first_policy =
        matches!(facts, StatementFacts::AdoptPolicy { .. }) && state.policy_epoch == 0;
    let local = matches!(
        facts,
        StatementFacts::EnrolOwner { .. } | StatementFacts::RecoverOwners { .. }
    );
    if origin == Origin::Gateway && (local || first_policy) {
        return Err(Code::AdminOnly.into());
    }
    check(state, facts, now)?;
    let statement = StatementId::derive(&context.entropy, 0);
    let header = StatementHeader {
        signer: state.signer.ok_or(Code::NotInitialized)?,
        statement,
        policy_epoch: state.policy_epoch,
        expires: now.wall.after(LIFETIME),
    };
    let text = compose(&header, facts, state)?;
    drafted::room(&state.drafted, facts, &text, origin, now.budget)?;
    let event = EventBody::StatementIssued {
        statement,
        facts: facts.clone(),
        policy_epoch: header.policy_epoch,
        expires: header.expires,
        origin,
        text: text.clone(),
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Drafted { statement, text }),
    })
}

/// Among whose places a statement has its own: drafts that nobody signed do not shut the way out.
fn places(
    facts: &StatementFacts,
    origin: Origin,
) -> Option<std::mem::Discriminant<StatementFacts>> {
    let apart = origin == Origin::Admin && facts.opens_the_way_out();
    apart.then(|| std::mem::discriminant(facts))
}

/// What must hold for the facts, when drafted and again when carried out.
pub(super) fn check(state: &State, facts: &StatementFacts, now: Clocks) -> Result<(), Denial> {
    match facts {
        StatementFacts::EnrolOwner { key, withdrawals } => {
            if state.owners.knows(key) {
                return Err(Code::OwnerKnown.into());
            }
            // Later owners come by quorum, password and 72 hours (AddOwner), and so do addresses.
            if !state.owners.keys.is_empty() {
                return Err(Code::NotFirstOwner.into());
            }
            if withdrawals.len() > waiaas_shared::session::ENTRIES_LIMIT {
                return Err(Code::StatementMalformed.into());
            }
        }
        StatementFacts::AdoptPolicy { document } => {
            let document =
                PolicyDocument::from_bytes(document).map_err(|_| Code::PolicyMalformed)?;
            if Some(document.epoch) != state.policy_epoch.checked_add(1) {
                return Err(Code::PolicyEpoch.into());
            }
        }
        StatementFacts::GrantSession { grant } => decide_session::grant_fits(state, grant, now)?,
        StatementFacts::ReleaseKill { epoch, sessions } => {
            if state.kill.phase != KillPhase::Activated || state.kill.epoch != *epoch {
                return Err(Code::KillNotActive.into());
            }
            let restorable =
                |id: &SessionId| state.sessions.get(id).is_some_and(|session| session.killed);
            if !sessions.is_sorted_by(|one, other| one < other) || !sessions.iter().all(restorable)
            {
                return Err(Code::SessionUnknown.into());
            }
        }
        StatementFacts::ReleasePause { wallet } => {
            let paused = match wallet {
                None => state.frozen(),
                Some(wallet) => state
                    .wallets
                    .get(wallet)
                    .is_some_and(|wallet| wallet.paused),
            };
            if !paused {
                return Err(Code::NotPaused.into());
            }
        }
        StatementFacts::CloseWallet { wallet } => decide_wallet::check_open(state, *wallet)?,
        StatementFacts::RotateWallet {
            wallet,
            first_nonce,
        } => decide_wallet::check_rotation(state, *wallet, *first_nonce)?,
        StatementFacts::ActivateAgent { agent } => {
            decide_agent::may_be_activated(state, *agent)?;
        }
        StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            nonce,
            from,
            ..
        } => {
            let found = state.wallets.get(wallet).ok_or(Code::WalletUnknown)?;
            if !found.networks.contains(&asset.chain()) {
                return Err(Code::NetworkNotBound.into());
            }
            if nonce.is_some() && asset.chain().family() != Family::Evm {
                return Err(Code::StatementMalformed.into());
            }
            if from.is_some_and(|account| found.former(account).is_none()) {
                return Err(Code::WalletUnknown.into());
            }
            decide_owner::withdrawal_open(state, asset.chain(), *to, now)?;
        }
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
            from,
        } => {
            let found = state.wallets.get(wallet).ok_or(Code::WalletUnknown)?;
            if !found.networks.contains(chain) || chain.family() != Family::Evm {
                return Err(Code::NetworkNotBound.into());
            }
            let nonces = match from {
                None => &found.nonces,
                Some(from) => &found.former(*from).ok_or(Code::WalletUnknown)?.nonces,
            };
            let known = nonces.get(chain).cloned().unwrap_or_default();
            known.may_attest(*next)?;
        }
        // Our own time is an upper bound: the true one may lie before it. Stated, it only ever moves the
        // bound on.
        StatementFacts::StateTime { wall } => {
            if !state.clock_closed {
                return Err(Code::TimeNotClosed.into());
            }
            // A bound far ahead would expire every later statement, the owner's way out among them.
            if *wall > now.wall.after(TIME_AHEAD) || *wall > TIME_END {
                return Err(Code::TimeTooFar.into());
            }
        }
        StatementFacts::EnrolWithdrawal { .. }
        | StatementFacts::RemoveWithdrawal { .. }
        | StatementFacts::AddOwner { .. }
        | StatementFacts::RemoveOwner { .. }
        | StatementFacts::SetQuorum { .. }
        | StatementFacts::CancelOwnerChange { .. }
        | StatementFacts::SuspendOwner { .. }
        | StatementFacts::LiftSuspension { .. }
        | StatementFacts::RecoverOwners { .. }
        | StatementFacts::AddGuardian { .. }
        | StatementFacts::RemoveGuardian { .. }
        | StatementFacts::GuardianStop { .. } => decide_owner::check(state, facts)?,
        StatementFacts::ApprovePayment { transaction } => {
            decide_intent::check(state, *transaction, true, now)?;
        }
        StatementFacts::RejectPayment { transaction } => {
            decide_intent::check(state, *transaction, false, now)?;
        }
        StatementFacts::ResumeSession { session } => decide_session::suspended(state, *session)?,
        StatementFacts::SignOfLife => {}
        // It names an entry of the log, which comes in beside it: `decide_credit`.
        StatementFacts::Credit { .. }
        | StatementFacts::Retire
        | StatementFacts::RegisterAgent { .. } => {}
    }
    Ok(())
}

/// An open statement.
pub(super) fn open(
    state: &State,
    statement: StatementId,
    now: Clocks,
) -> Result<&OpenStatement, Denial> {
    let open = state
        .statements
        .get(&statement)
        .filter(|open| !open.void)
        .ok_or(Code::StatementUnknown)?;
    if open.expires <= now.wall {
        Err(Code::StatementExpired.into())
    } else {
        Ok(open)
    }
}

/// Enrols a key that rehearsed: it signed the text that names it.
pub(super) fn enrol(
    state: &State,
    rehearsal: &Rehearsal,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = open(state, rehearsal.statement, now)?;
    let StatementFacts::EnrolOwner { key, withdrawals } = &open.facts else {
        return Err(Code::StatementMismatch.into());
    };
    check(state, &open.facts, now)?;
    verify(&open.text, key, rehearsal.envelope, &rehearsal.signature)
        .map_err(|_| Code::StatementSignature)?;
    let owner = OwnerId::derive(&context.entropy, 0);
    let event = EventBody::OwnerEnrolled {
        owner,
        key: *key,
        envelope: rehearsal.envelope,
        withdrawals: withdrawals.clone(),
        statement: rehearsal.statement,
    };
    Ok(Decision {
        events: vec![event],
        outcome: Ok(Outcome::Owner(owner)),
    })
}

/// Carries out what owners signed. What brings more than signatures has a door of its own: enrolments
/// and withdrawals, new keys of owners and wallets, recoveries, credits.
pub(super) fn submit(
    state: &State,
    submission: &Submission,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let open = open(state, submission.statement, now)?;
    match &open.facts {
        StatementFacts::CancelOwnerChange { change } => {
            decide_owner::cancel(state, open, *change, submission)
        }
        StatementFacts::SuspendOwner { owner } => {
            decide_owner::suspend(state, open, *owner, submission, now)
        }
        StatementFacts::LiftSuspension { owner } => {
            decide_owner::lift(state, open, *owner, submission)
        }
        StatementFacts::GuardianStop { stop } => {
            decide_owner::guardian_stop(state, open, *stop, submission)
        }
        StatementFacts::RejectPayment { transaction } => {
            decide_intent::reject(state, open, *transaction, submission, now)
        }
        StatementFacts::SignOfLife => decide_alarm::alive(state, open, submission),
        facts => {
            let signers = decide_owner::quorum(state, open, &submission.signatures)?;
            check(state, facts, now)?;
            // Killed: only the release passes.
            let releases = matches!(facts, StatementFacts::ReleaseKill { .. });
            if state.kill.phase == KillPhase::Activated && !releases {
                return Err(Code::Killed.into());
            }
            by_quorum(state, facts, signers, submission, context)
        }
    }
}

/// What takes as many owners as must sign.
fn by_quorum(
    state: &State,
    facts: &StatementFacts,
    signers: Vec<OwnerId>,
    submission: &Submission,
    context: &Context,
) -> Result<Decision, Denial> {
    let now = context.clocks;
    let statement = submission.statement;
    let event = match facts {
        StatementFacts::AdoptPolicy { document } => {
            decide_policy::adopt(state, statement, document, signers, submission, now)?
        }
        StatementFacts::GrantSession { .. } => {
            let session = SessionId::derive(&context.entropy, 0);
            let event = EventBody::SessionGranted {
                session,
                statement,
                signers,
            };
            return Ok(Decision {
                events: vec![event],
                outcome: Ok(Outcome::Session(session)),
            });
        }
        StatementFacts::ReleaseKill { epoch, sessions } => {
            submission.require_password()?;
            EventBody::KillReleased {
                epoch: *epoch,
                sessions: sessions.clone(),
                statement,
                signers,
            }
        }
        StatementFacts::ReleasePause { wallet } => EventBody::PauseReleased {
            wallet: *wallet,
            statement,
            signers,
        },
        StatementFacts::CloseWallet { wallet } => {
            return Ok(decide_wallet::close(state, *wallet, statement, signers));
        }
        StatementFacts::RegisterAgent { active } => EventBody::AgentRegistered {
            agent: AgentId::derive(&context.entropy, 0),
            stage: if *active {
                AgentStage::Active
            } else {
                AgentStage::Created
            },
            statement,
            signers,
        },
        StatementFacts::ActivateAgent { agent } => EventBody::AgentActivated {
            agent: *agent,
            statement,
            signers,
        },
        StatementFacts::ResumeSession { session } => EventBody::SessionResumed {
            session: *session,
            statement,
            signers,
        },
        StatementFacts::AttestNonce {
            wallet,
            chain,
            next,
            from,
        } => EventBody::NonceAttested {
            wallet: *wallet,
            chain: *chain,
            next: *next,
            statement,
            signers,
            from: *from,
        },
        StatementFacts::StateTime { wall } => {
            if wall.since(now.wall) > TIME_AHEAD_ALONE {
                submission.require_password()?;
            }
            EventBody::TimeStated {
                wall: *wall,
                statement,
                signers,
            }
        }
        StatementFacts::EnrolWithdrawal { .. }
        | StatementFacts::RemoveWithdrawal { .. }
        | StatementFacts::RemoveOwner { .. }
        | StatementFacts::SetQuorum { .. }
        | StatementFacts::RemoveGuardian { .. } => {
            submission.require_password()?;
            decide_owner::schedule(state, facts, signers, statement, now)?
        }
        StatementFacts::ApprovePayment { transaction } => {
            decide_intent::approved(state, *transaction, statement, signers, now)?
        }
        StatementFacts::Retire => {
            submission.require_password()?;
            return Ok(Decision {
                events: vec![EventBody::Retired { statement, signers }],
                outcome: Ok(Outcome::WipeKeys),
            });
        }
        _ => return Err(Code::StatementMismatch.into()),
    };
    Ok(Decision::event(event))
}
