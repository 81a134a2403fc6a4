//! Decisions over agents and their five stages. Tightening works at once and for whoever reaches a
//! socket; an owner's signature activates. A session belongs to an agent if its grant says so; one that
//! belongs to none is judged by itself, as every grant was before there were agents.

use waiaas_shared::agent::{AgentStage, AgentView};
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{AgentId, SessionId};
use waiaas_shared::session::SessionGrant;

use super::Decision;
use super::apply_stop::{holders, undoes_stop};
use super::command::Outcome;
use super::state::State;

/// Whether the stage of its agent lets a session sign.
pub(super) fn may_sign(state: &State, grant: &SessionGrant) -> Result<(), Code> {
    match grant.agent.map(|agent| stage(state, agent)).transpose()? {
        None | Some(AgentStage::Active) => Ok(()),
        Some(AgentStage::Created) => Err(Code::AgentNotActive),
        Some(AgentStage::Suspended) => Err(Code::AgentSuspended),
        Some(AgentStage::Terminating | AgentStage::Terminated) => Err(Code::AgentTerminated),
    }
}

/// Whether a session may be granted to its agent.
pub(super) fn may_be_granted(state: &State, grant: &SessionGrant) -> Result<(), Code> {
    match grant.agent {
        Some(agent) if stage(state, agent)?.is_ending() => Err(Code::AgentTerminated),
        _ => Ok(()),
    }
}

/// What must hold for an activation, when drafted and again when carried out.
pub(super) fn may_be_activated(state: &State, agent: AgentId) -> Result<(), Code> {
    match stage(state, agent)? {
        AgentStage::Created | AgentStage::Suspended => Ok(()),
        AgentStage::Active => Err(Code::NotPaused),
        AgentStage::Terminating | AgentStage::Terminated => Err(Code::AgentTerminated),
    }
}

fn stage(state: &State, agent: AgentId) -> Result<AgentStage, Code> {
    state.agents.get(&agent).copied().ok_or(Code::AgentUnknown)
}

/// Nothing is signed for its sessions until an owner activates it again.
pub(super) fn suspend(state: &State, agent: AgentId, origin: Origin) -> Decision {
    match stage(state, agent) {
        Err(code) => Decision::denied(code),
        // What is open was written before this suspension and must not undo it.
        Ok(AgentStage::Suspended) if !undoing_waits(state, agent) => nothing(),
        Ok(stage) if stage.is_ending() => nothing(),
        Ok(_) => stopped(agent, AgentStage::Suspended, origin),
    }
}

/// On its way out, for good.
pub(super) fn terminate(state: &State, agent: AgentId, origin: Origin) -> Decision {
    match stage(state, agent) {
        Err(code) => Decision::denied(code),
        Ok(stage) if stage.is_ending() => nothing(),
        Ok(_) => stopped(agent, AgentStage::Terminating, origin),
    }
}

fn stopped(agent: AgentId, stage: AgentStage, origin: Origin) -> Decision {
    Decision::event(EventBody::AgentStopped {
        agent,
        stage,
        origin,
    })
}

const fn nothing() -> Decision {
    Decision {
        events: Vec::new(),
        outcome: Ok(Outcome::Done),
    }
}

fn undoing_waits(state: &State, agent: AgentId) -> bool {
    let holders = holders(state, agent);
    let mut open = state.statements.values();
    open.any(|open| !open.void && undoes_stop(&open.facts, agent, &holders))
}

/// The end of a terminating agent of which nothing waits any more.
pub(super) fn finished(state: &State) -> Option<EventBody> {
    if state.retired {
        return None;
    }
    let mut agents = state.agents.iter();
    let (agent, _) = agents.find(|(agent, stage)| {
        **stage == AgentStage::Terminating && waiting(state, **agent) == 0
    })?;
    let sessions = state
        .sessions
        .iter()
        .filter(|(_, session)| session.grant.agent == Some(*agent) && session.may_spend_again())
        .map(|(id, _)| *id)
        .collect();
    Some(EventBody::AgentTerminated {
        agent: *agent,
        sessions,
    })
}

/// How many payments of an agent's sessions wait.
fn waiting(state: &State, agent: AgentId) -> usize {
    let of_agent = |session: &SessionId| {
        let session = state.sessions.get(session);
        session.is_some_and(|session| session.grant.agent == Some(agent))
    };
    let waiting = state.intents.values();
    waiting
        .filter(|open| of_agent(&open.intent.session))
        .count()
}

impl State {
    /// Every agent.
    #[must_use]
    pub fn agent_views(&self) -> Vec<AgentView> {
        let sessions = |agent: AgentId| {
            let all = self.sessions.iter();
            all.filter(move |(_, session)| session.grant.agent == Some(agent))
                .map(|(id, _)| *id)
                .collect()
        };
        self.agents
            .iter()
            .map(|(agent, stage)| AgentView {
                agent: *agent,
                stage: *stage,
                sessions: sessions(*agent),
                waiting: u32::try_from(waiting(self, *agent)).unwrap_or(u32::MAX),
            })
            .collect()
    }
}
