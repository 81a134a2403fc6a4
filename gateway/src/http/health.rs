//! Whether the gateway lives, whether payments can be made, and what state the signer is in. Open to
//! everybody who reaches the listener; says nothing that helps an attacker but the state itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use waiaas_client::SignerStatus;

use super::auth::Public;
use super::error::{Problem, ProblemBody};
use super::json::NODES_CONTRADICT;
use crate::app::App;
use crate::chain::{EndpointHealth, RpcError, SocketFault, SocketHealth};
use crate::chain_port::ChainPort;
use crate::projection::FeedHealth;

/// Time for the signer to answer the same.
const SIGNER_PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// `ok`.
    status: &'static str,
    /// Of the gateway.
    version: &'static str,
}

/// What state the signer is in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignerState {
    /// Its identifier; requests name it. Absent before `waiaas init`.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// Whether it has a keystore.
    initialized: bool,
    /// Whether keys are open.
    unlocked: bool,
    /// NORMAL, ACTIVATED or RECOVERING.
    kill: String,
    /// How often the kill switch was thrown.
    kill_epoch: u64,
    /// Whether everything is paused.
    frozen: bool,
    /// Whether signing is closed until the owner states the time.
    clock_closed: bool,
    /// Epoch of the newest policy; 0: none.
    policy_epoch: u64,
    /// Number of the newest event.
    sequence: u64,
    /// Whether gateway, signer and owner run under different users. If not, the claim that a
    /// compromised gateway cannot reach a key is void.
    claim_holds: bool,
    /// Of the signer.
    version: String,
}

impl From<SignerStatus> for SignerState {
    fn from(status: SignerStatus) -> Self {
        Self {
            initialized: status.signer.is_some(),
            signer: status.signer.map(|signer| signer.to_string()),
            unlocked: status.unlocked,
            kill: status.kill,
            kill_epoch: status.kill_epoch,
            frozen: status.frozen,
            clock_closed: status.clock_closed,
            policy_epoch: status.policy_epoch,
            sequence: status.sequence,
            claim_holds: status.claim_holds,
            version: status.version,
        }
    }
}

impl SignerState {
    fn signs(&self) -> bool {
        self.unlocked && self.kill == "NORMAL" && !self.frozen && !self.clock_closed
    }
}

/// Whether payments can be made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// The signer signs and its log is being followed. A chain that is down does not change it: the
    /// others go on.
    ready: bool,
    /// Absent if it cannot be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<SignerState>,
    /// `starting`, `following`, `unreachable` or `faulty`.
    log: &'static str,
    /// Every configured chain.
    chains: Vec<ChainState>,
}

/// Whether a chain answers.
#[derive(Debug, Serialize, ToSchema)]
struct ChainState {
    /// Which (CAIP-2).
    network: String,
    /// Whether a node of the right chain answers.
    reachable: bool,
    /// Newest slot or block number.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
    /// `nodes_contradict`: nodes tell of ends of a payment that cannot all be true; which ones, `contradicts` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    attention: Option<&'static str>,
    /// Its nodes, in the order of the configuration.
    endpoints: Vec<EndpointState>,
    /// Its websockets, in the order of the configuration; absent if none. One that is not open costs time alone:
    /// nodes are asked all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    websockets: Vec<WebsocketState>,
}

/// Whether one websocket is open.
#[derive(Debug, Serialize, ToSchema)]
struct WebsocketState {
    /// Whether it is. One that failed is tried again with growing rests, after a minute at most.
    open: bool,
    /// Why it is not: `unreachable`, `refused`, `timeout`, `closed`, `too_large`, `malformed` or `flood`; absent before
    /// it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

impl From<&SocketHealth> for WebsocketState {
    fn from(health: &SocketHealth) -> Self {
        Self {
            open: matches!(health, Some(Ok(()))),
            problem: health.and_then(Result::err).map(SocketFault::word),
        }
    }
}

/// Whether one node answers. Which one it is only the configuration and the log of the gateway say.
#[derive(Debug, Serialize, ToSchema)]
struct EndpointState {
    /// Whether it does, for the right chain. One that failed is left alone for some seconds.
    reachable: bool,
    /// Newest slot or block number that it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<u64>,
    /// How long it usually takes to answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
    /// Payments under way about which it and another node contradict each other; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    contradicts: Option<usize>,
    /// Why it does not: `unreachable`, `timeout`, `too_large`, `http_status`, `malformed`, `behind`,
    /// `refused`, `other_chain` or `lies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

impl From<&EndpointHealth> for EndpointState {
    fn from(health: &EndpointHealth) -> Self {
        let millis = |latency: Duration| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        Self {
            reachable: health.head.is_ok(),
            head: health.head.as_ref().ok().copied(),
            latency_ms: health.latency.map(millis),
            contradicts: Some(health.contradicts).filter(|count| *count > 0),
            problem: health.head.as_ref().err().map(RpcError::word),
        }
    }
}

/// Whether the process answers.
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, description = "It does", body = Alive)))]
pub(super) async fn alive(_: Public) -> Json<Alive> {
    Json(Alive {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Whether payments can be made.
#[utoipa::path(get, path = "/ready", tag = "health", security(()),
    responses((status = 200, description = "They can", body = Readiness),
        (status = 503, description = "They cannot", body = Readiness)))]
pub(super) async fn ready(_: Public, State(app): State<Arc<App>>) -> Response {
    let chains = futures::future::join_all(app.chains.values().map(|chain| chain_state(&**chain)));
    let (signer, chains) = tokio::join!(timeout(SIGNER_PATIENCE, app.signer.status()), chains);
    let signer = signer.ok().and_then(Result::ok).map(SignerState::from);
    let feed = app.feed();
    let ready =
        signer.as_ref().is_some_and(SignerState::signs) && feed.health == FeedHealth::Following;
    let log = match feed.health {
        FeedHealth::Starting => "starting",
        FeedHealth::Following => "following",
        FeedHealth::Unreachable => "unreachable",
        FeedHealth::Faulty(_) => "faulty",
    };
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            signer,
            log,
            chains,
        }),
    )
        .into_response()
}

async fn chain_state(chain: &dyn ChainPort) -> ChainState {
    let health = chain.health().await;
    ChainState {
        network: chain.id().to_string(),
        reachable: health.head().is_some(),
        head: health.head(),
        attention: health.is_contradictory().then_some(NODES_CONTRADICT),
        endpoints: health.endpoints.iter().map(EndpointState::from).collect(),
        websockets: health.sockets.iter().map(WebsocketState::from).collect(),
    }
}

/// The state of the signer.
#[utoipa::path(get, path = "/v1/status", tag = "health", security(()),
    responses((status = 200, description = "The signer's state", body = SignerState),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn status(
    _: Public,
    State(app): State<Arc<App>>,
) -> Result<Json<SignerState>, Problem> {
    Ok(Json(app.signer.status().await?.into()))
}
