//! Decisions about sessions: whether one may be used, its revocation, and a grant's ceilings.

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::SessionId;
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;
use waiaas_shared::view::SessionState;

use super::command::Outcome;
use super::state::{Session, State};
use super::{Decision, decide_agent, decide_intent};

/// The session, if it may be used now.
pub(super) fn usable(state: &State, session: SessionId, now: Clocks) -> Result<&Session, Code> {
    let found = state.sessions.get(&session).ok_or(Code::SessionUnknown)?;
    match found.state {
        SessionState::Revoked => Err(Code::SessionRevoked),
        SessionState::Expired => Err(Code::SessionExpired),
        SessionState::Active if found.ends <= now.wall => Err(Code::SessionExpired),
        SessionState::Active if state.watch.suspended.contains(&session) => {
            Err(Code::SessionSuspended)
        }
        SessionState::Active => {
            decide_agent::may_sign(state, &found.grant)?;
            Ok(found)
        }
        // A suspension stands beside what a session is: a kill and its release do not lift it.
        SessionState::Suspended => Err(Code::SessionSuspended),
    }
}

/// The events that make a session's end durable, the first time it is seen.
pub(super) fn expired_now(state: &State, session: SessionId, now: Clocks) -> Vec<EventBody> {
    let active = state
        .sessions
        .get(&session)
        .is_some_and(|found| found.state == SessionState::Active);
    let expired = matches!(usable(state, session, now), Err(Code::SessionExpired));
    if active && expired {
        let mut events = vec![EventBody::SessionExpired { session }];
        events.extend(decide_intent::session_ended(state, session));
        events
    } else {
        Vec::new()
    }
}

/// Anybody who reaches a socket may revoke; it tightens.
pub(super) fn revoke(state: &State, session: SessionId, origin: Origin) -> Decision {
    match state.sessions.get(&session) {
        None => Decision::denied(Code::SessionUnknown),
        // One that the kill switch revoked is revoked for good now: no release restores it. And an open
        // grant to the same holder was written before this revocation and must not undo it.
        Some(found)
            if found.state == SessionState::Revoked
                && !found.killed
                && !grant_waits(state, &found.grant.credential) =>
        {
            Decision {
                events: Vec::new(),
                outcome: Ok(Outcome::Done),
            }
        }
        Some(_) => {
            let mut events = vec![EventBody::SessionRevoked { session, origin }];
            events.extend(decide_intent::session_ended(state, session));
            Decision {
                events,
                outcome: Ok(Outcome::Done),
            }
        }
    }
}

fn grant_waits(state: &State, credential: &Credential) -> bool {
    let mut open = state.statements.values().filter(|open| !open.void);
    open.any(|open| {
        matches!(&open.facts, StatementFacts::GrantSession { grant } if grant.credential == *credential)
    })
}

/// What must hold for a resumption, when drafted and again when carried out.
pub(super) fn suspended(state: &State, session: SessionId) -> Result<(), Denial> {
    let found = state.sessions.get(&session).ok_or(Code::SessionUnknown)?;
    match found.state {
        // One that the kill switch revoked may be restored, and is suspended then.
        SessionState::Revoked if !found.killed => Err(Code::SessionRevoked.into()),
        SessionState::Expired => Err(Code::SessionExpired.into()),
        _ if state.watch.suspended.contains(&session) => Ok(()),
        _ => Err(Code::NotSuspended.into()),
    }
}

/// A grant holds at once only inside the ceilings of every binding document.
pub(super) fn grant_fits(state: &State, grant: &SessionGrant, now: Clocks) -> Result<(), Denial> {
    if !grant.is_well_formed() {
        return Err(Code::StatementMalformed.into());
    }
    if grant.expires <= now.wall {
        return Err(Code::SessionExpired.into());
    }
    for wallet in &grant.wallets {
        let known = state.wallets.get(wallet).ok_or(Code::WalletUnknown)?;
        if known.closed {
            return Err(Code::WalletClosed.into());
        }
    }
    decide_agent::may_be_granted(state, grant)?;
    let binding = state.binding(now.run);
    let newest = binding.last().ok_or(Code::PolicyMissing)?;
    // A contact that the owner's text could not show.
    let mut contacts = grant.recipients.iter().flat_map(|named| &named.contacts);
    let known = |name: &String| {
        let mut known = newest.document.recipients.iter();
        known.any(|known| known.name == *name)
    };
    if !contacts.all(known) {
        return Err(Code::RecipientNotListed.into());
    }
    let bearer = matches!(grant.credential, Credential::Bearer(_));
    for policy in binding {
        for limit in &grant.limits {
            let ceiling = policy
                .document
                .session_ceiling(limit.asset, bearer)
                .ok_or(Code::AssetNotListed)?;
            if limit.per_transaction > ceiling {
                return Err(Code::SessionAboveCeiling.into());
            }
        }
    }
    Ok(())
}
