//! Pause and kill. They only tighten: any valid session may throw the kill switch, and may pause a
//! wallet that it covers. Undoing either takes the owner's signature, never this surface.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;

use super::auth::SignedSession;
use super::error::{GatewayCode, Problem, ProblemBody};
use super::sessions::{Stopped, nothing, once};
use crate::app::App;
use crate::views::Stale;

/// Which wallet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    /// One that the session covers.
    #[schema(value_type = String)]
    wallet: WalletId,
}

/// Pause a wallet of this session: nothing is signed from it until an owner resumes it.
#[utoipa::path(post, path = "/v1/pause", tag = "stop", request_body = PauseBody,
    responses((status = 200, description = "Paused", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = [])))]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<Json<Stopped>, Problem> {
    if signed.request.query != "?" {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let body: PauseBody =
        serde_json::from_slice(&signed.request.body).map_err(|_| Code::BodyMalformed)?;
    if !signed.session.grant.wallets.contains(&body.wallet) {
        return Err(Code::SessionWallet.into());
    }
    once(&app, &signed).await?;
    let sequence = app.signer.pause(Some(body.wallet)).await?;
    app.views.forget(&Stale {
        wallets: true,
        ..Stale::default()
    });
    Ok(Json(Stopped { sequence }))
}

/// Throw the kill switch: keys are wiped and all sessions revoked. Only the owner's signature and
/// password undo it.
#[utoipa::path(post, path = "/v1/kill", tag = "stop",
    responses((status = 200, description = "Thrown, and durable", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = [])))]
pub(super) async fn kill(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<Json<Stopped>, Problem> {
    nothing(&signed.request)?;
    once(&app, &signed).await?;
    let sequence = app.signer.kill().await?;
    app.views.forget(&Stale::everything());
    tracing::warn!(session = %signed.session.id, sequence, "the kill switch was thrown over HTTP");
    Ok(Json(Stopped { sequence }))
}
