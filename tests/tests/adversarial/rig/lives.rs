//! Lives through the rig: renewals, agents' stages, wallets' keys, with what was accepted noted.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use waiaas_client::{ClientError, Renewed, SessionRequest, SpendRequest};
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{AgentId, SessionId};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::Agent;

use super::Rig;

/// The route of a renewal.
pub(crate) const RENEWAL: &str = "/v1/session/renew";

impl Rig {
    /// What one event of the log says.
    pub(crate) fn event(&self, sequence: u64) -> Result<EventBody> {
        let gateway = self.gateway();
        let page = self.block(gateway.events(sequence.saturating_sub(1), 1, Duration::ZERO))?;
        let record = page.events.first().context("the event")?;
        Ok(from_canonical::<Event>(&record.body)?.body)
    }

    /// An agent's request for a renewal, signed for a route.
    pub(crate) fn renewal(&mut self, agent: &Agent, path: &str) -> Result<SpendRequest> {
        let key = self.fresh_key();
        agent.sign(SpendRequest {
            session: agent.session,
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: "?".to_owned(),
            idempotency_key: key,
            body: json!({ "signer": agent.signer }).to_string().into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: Vec::new(),
        })
    }

    /// The same of a session with a bearer secret: nobody signs it.
    pub(crate) fn bearer_renewal(&mut self, session: SessionId) -> SpendRequest {
        SpendRequest {
            session,
            method: "POST".to_owned(),
            path: RENEWAL.to_owned(),
            query: "?".to_owned(),
            idempotency_key: self.fresh_key(),
            body: json!({ "signer": self.cast.agent.signer })
                .to_string()
                .into_bytes(),
            signature_input: String::new(),
            signature: String::new(),
            unsigned: Vec::new(),
        }
    }

    /// Sends a renewal.
    pub(crate) fn renew(&mut self, request: &SpendRequest) -> Result<Renewed, ClientError> {
        let asked = SessionRequest {
            session: request.session,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            idempotency_key: request.idempotency_key.clone(),
            body: request.body.clone(),
            signature_input: request.signature_input.clone(),
            signature: request.signature.clone(),
        };
        let gateway = self.gateway();
        let renewed = self.block(gateway.renew_session(&asked));
        self.record.accepted += u64::from(renewed.is_ok());
        renewed
    }

    /// Suspends an agent, or begins its end: two events at most.
    pub(crate) fn stop_agent(&mut self, agent: AgentId, ends: bool) -> Result<u64, ClientError> {
        let gateway = self.gateway();
        let stopped = if ends {
            self.block(gateway.terminate_agent(agent))
        } else {
            self.block(gateway.suspend_agent(agent))
        };
        self.record.accepted += if stopped.is_ok() { 2 } else { 0 };
        stopped
    }

    /// An owner registers an agent.
    pub(crate) fn register(&mut self, active: bool) -> Result<AgentId> {
        let registered = self.say(&StatementFacts::RegisterAgent { active })?;
        match self.event(registered.sequence)? {
            EventBody::AgentRegistered { agent, .. } => Ok(agent),
            other => bail!("another event: {other:?}"),
        }
    }

    /// An owner grants a session.
    pub(crate) fn granted(&mut self, grant: SessionGrant) -> Result<SessionId> {
        let granted = self.say(&StatementFacts::GrantSession { grant })?;
        match self.event(granted.sequence)? {
            EventBody::SessionGranted { session, .. } => Ok(session),
            other => bail!("another event: {other:?}"),
        }
    }
}
