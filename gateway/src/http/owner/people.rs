//! Who may sign, agents with their five-stage life, and sessions: shown, suspended, ended. Everything here tightens at
//! once on a login; registering, activating, granting and resuming are statements.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waiaas_shared::agent::AgentView;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{AgentId, SessionId};
use waiaas_shared::owner_change::{PendingChange, Standing};
use waiaas_shared::view::OwnerView;

use super::super::error::{GatewayCode, Problem, ProblemBody};
use super::super::sessions::{SessionJson, Stopped};
use super::access::{Owner, OwnerRequest};
use super::log;
use crate::app::App;
use crate::signer_client::SignerError;
use crate::views::Stale;

const PAGE_DEFAULT: usize = 20;
const PAGE_LIMIT: usize = 100;

/// Everybody who may sign for the wallets' owner.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnersView {
    /// Who is logged in.
    you: String,
    /// How many owners must sign.
    quorum: u32,
    /// The owners.
    owners: Vec<OwnerJson>,
    /// The guardians: they may stop, and nothing else.
    guardians: Vec<KeyJson>,
    /// Addresses that withdrawals may go to (CAIP-10).
    withdrawals: Vec<String>,
    /// Changes that wait, the oldest first.
    pending: Vec<PendingJson>,
}

/// One owner.
#[derive(Debug, Serialize, ToSchema)]
struct OwnerJson {
    #[serde(flatten)]
    key: KeyJson,
    /// `active`, `suspended` or `replaced`.
    standing: &'static str,
}

/// A registered key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyJson {
    /// Its identifier.
    id: String,
    /// The public key, as its wallet shows it.
    key: String,
    /// How its wallet wraps what it signs.
    envelope: &'static str,
}

/// A change of owners that waits.
#[derive(Debug, Serialize, ToSchema)]
struct PendingJson {
    /// The statement that asked for it: `cancel-owner-change` names it.
    change: String,
    /// What it does, in the signer's words.
    what: String,
    /// Seconds until it takes effect, on the signer's own clock.
    effective_in_seconds: u64,
    /// Who signed.
    signers: Vec<String>,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"agent": "agent_00000000000000000000000001", "stage": "active",
    "sessions": ["session_00000000000000000000000001"], "waiting": 0}))]
pub(super) struct AgentJson {
    /// Its identifier.
    agent: String,
    /// `created`, `active`, `suspended`, `terminating` or `terminated`.
    stage: &'static str,
    /// Sessions that were granted to it.
    sessions: Vec<String>,
    /// Payments of theirs that wait.
    waiting: u32,
}

/// Every agent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AgentList {
    /// In the signer's order.
    agents: Vec<AgentJson>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionsQuery {
    /// How many, 1 to 100; 20 if absent.
    limit: Option<usize>,
    /// The `next` of the page before.
    before: Option<u64>,
}

/// A part of the sessions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionPage {
    /// The sessions, as the signer tells them now.
    sessions: Vec<SessionJson>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl From<&AgentView> for AgentJson {
    fn from(view: &AgentView) -> Self {
        Self {
            agent: view.agent.to_string(),
            stage: view.stage.as_str(),
            sessions: view.sessions.iter().map(ToString::to_string).collect(),
            waiting: view.waiting,
        }
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "suspended",
        Standing::Replaced => "replaced",
    }
}

fn pending(view: &OwnerView, change: &PendingChange) -> PendingJson {
    PendingJson {
        change: change.statement.to_string(),
        what: change.change.to_string(),
        effective_in_seconds: change.effective.since(view.now).millis().div_ceil(1000),
        signers: change.signers.iter().map(ToString::to_string).collect(),
    }
}

/// Show who may sign, and what is about to change.
#[utoipa::path(get, path = "/v1/owner/owners", operation_id = "owner_people_owners", tag = "owner people",
    responses((status = 200, description = "Owners, guardians and changes that wait", body = OwnersView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn owners(owner: Owner) -> Result<Json<OwnersView>, Problem> {
    let own = owner.view().ok_or(GatewayCode::LoginEnded)?;
    Ok(Json(OwnersView {
        you: owner.token.owner.to_string(),
        quorum: own.quorum,
        owners: owner
            .owners
            .iter()
            .map(|view| OwnerJson {
                key: KeyJson {
                    id: view.owner.to_string(),
                    key: view.key.to_string(),
                    envelope: view.envelope.as_str(),
                },
                standing: standing(view.standing),
            })
            .collect(),
        guardians: own
            .guardians
            .iter()
            .map(|guardian| KeyJson {
                id: guardian.id.to_string(),
                key: guardian.key.to_string(),
                envelope: guardian.envelope.as_str(),
            })
            .collect(),
        withdrawals: own.withdrawals.iter().map(ToString::to_string).collect(),
        pending: own
            .pending
            .iter()
            .map(|change| pending(own, change))
            .collect(),
    }))
}

/// List every agent with its stage.
#[utoipa::path(get, path = "/v1/owner/agents", operation_id = "owner_people_agents", tag = "owner people",
    responses((status = 200, description = "The agents", body = AgentList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn agents(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<AgentList>, Problem> {
    let views = app.signer.agents().await?;
    Ok(Json(AgentList {
        agents: views.iter().map(AgentJson::from).collect(),
    }))
}

/// Show one agent.
#[utoipa::path(get, path = "/v1/owner/agents/{agent}", operation_id = "owner_people_agent", tag = "owner people",
    params(("agent" = String, Path, description = "The agent's identifier")),
    responses((status = 200, description = "The agent", body = AgentJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn agent(
    _: Owner,
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<AgentJson>, Problem> {
    let id = agent_id(path)?;
    let views = app.signer.agents().await?;
    let found = views.iter().find(|view| view.agent == id);
    let found = found.ok_or(Code::AgentUnknown)?;
    Ok(Json(AgentJson::from(found)))
}

/// Suspend an agent at once: nothing is signed for its sessions until an owner activates it again.
#[utoipa::path(post, path = "/v1/owner/agents/{agent}/suspend", operation_id = "owner_people_suspend", tag = "owner people",
    params(("agent" = String, Path, description = "The agent's identifier")),
    responses((status = 200, description = "Suspended", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn suspend(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    let agent = agent_id(path)?;
    request.nothing()?;
    let sequence = app.signer.suspend_agent(agent).await?;
    Ok(Json(Stopped { sequence }))
}

/// End an agent for good, at once.
#[utoipa::path(post, path = "/v1/owner/agents/{agent}/terminate", operation_id = "owner_people_terminate", tag = "owner people",
    params(("agent" = String, Path, description = "The agent's identifier")),
    responses((status = 200, description = "It is over once nothing of it waits any more", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn terminate(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    let agent = agent_id(path)?;
    request.nothing()?;
    let sequence = app.signer.terminate_agent(agent).await?;
    Ok(Json(Stopped { sequence }))
}

/// List sessions, the newest first, with what each has used and may still spend.
#[utoipa::path(get, path = "/v1/owner/sessions", operation_id = "owner_people_sessions", tag = "owner people", params(SessionsQuery),
    responses((status = 200, description = "A page", body = SessionPage),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn sessions(
    _: Owner,
    State(app): State<Arc<App>>,
    query: Result<Query<SessionsQuery>, QueryRejection>,
) -> Result<Json<SessionPage>, Problem> {
    let Query(query) = query.map_err(|_| GatewayCode::QueryMalformed)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let before = query.before.unwrap_or(u64::MAX);
    let granted = log::sessions(&app, before, limit.saturating_add(1)).await?;
    let next = granted
        .get(limit.saturating_sub(1))
        .filter(|_| granted.len() > limit)
        .map(|(sequence, _)| *sequence);
    let mut sessions = Vec::new();
    for (_, session) in granted.iter().take(limit) {
        if let Some(view) = app.signer.remaining(*session).await? {
            sessions.push(SessionJson::of(&view, None, app.clock.now()));
        }
    }
    Ok(Json(SessionPage { sessions, next }))
}

/// Show one session.
#[utoipa::path(get, path = "/v1/owner/sessions/{session}", operation_id = "owner_people_session", tag = "owner people",
    params(("session" = String, Path, description = "The session's identifier")),
    responses((status = 200, description = "The session", body = SessionJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn session(
    _: Owner,
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<SessionJson>, Problem> {
    let view = app.signer.remaining(session_id(path)?).await?;
    let view = view.ok_or_else(no_session)?;
    Ok(Json(SessionJson::of(&view, None, app.clock.now())))
}

/// Revoke a session at once, for good.
#[utoipa::path(post, path = "/v1/owner/sessions/{session}/revoke", operation_id = "owner_people_revoke", tag = "owner people",
    params(("session" = String, Path, description = "The session's identifier")),
    responses((status = 200, description = "Revoked", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    let session = session_id(path)?;
    request.nothing()?;
    let revoked = app.signer.revoke_session(session).await;
    let sequence = revoked.map_err(|error| match error {
        SignerError::Denied(denial)
            if denial
                .violations()
                .iter()
                .any(|broken| broken.code == Code::SessionUnknown) =>
        {
            no_session()
        }
        other => other.into(),
    })?;
    app.views.forget(&Stale {
        sessions: vec![session],
        ..Stale::default()
    });
    Ok(Json(Stopped { sequence }))
}

fn agent_id(path: Result<Path<String>, PathRejection>) -> Result<AgentId, Code> {
    let Path(text) = path.map_err(|_| Code::AgentUnknown)?;
    text.parse().map_err(|_| Code::AgentUnknown)
}

fn session_id(path: Result<Path<String>, PathRejection>) -> Result<SessionId, Problem> {
    let Path(text) = path.map_err(|_| no_session())?;
    text.parse().map_err(|_| no_session())
}

/// `session_unknown` tells an agent that it is nobody; an owner looks for something that is not there.
fn no_session() -> Problem {
    Problem::of(GatewayCode::NotFound).with_detail("There is no such session.")
}
