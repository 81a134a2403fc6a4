//! Pause and kill by an owner who is logged in. They only tighten, so a login is enough; what ends them is a
//! statement, and of the kill the password besides.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use waiaas_shared::ids::WalletId;

use super::super::error::{Problem, ProblemBody};
use super::super::sessions::Stopped;
use super::access::OwnerRequest;
use crate::app::App;
use crate::views::Stale;

/// What is paused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"wallet": "wallet_00000000000000000000000001"}))]
pub(super) struct OwnerPauseBody {
    /// Which wallet; everything if absent.
    #[schema(value_type = Option<String>)]
    wallet: Option<WalletId>,
}

/// Pause a wallet, or everything: nothing is signed until owners release it.
#[utoipa::path(post, path = "/v1/owner/pause", operation_id = "owner_stop_pause", tag = "owner stop", request_body = OwnerPauseBody,
    responses((status = 200, description = "Paused", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    let body: OwnerPauseBody = request.read()?;
    let sequence = app.signer.pause(body.wallet).await?;
    app.views.forget(&Stale {
        wallets: true,
        ..Stale::default()
    });
    Ok(Json(Stopped { sequence }))
}

/// Throw the kill switch: keys are wiped and all sessions revoked.
#[utoipa::path(post, path = "/v1/owner/kill", operation_id = "owner_stop_kill", tag = "owner stop",
    responses((status = 200, description = "Thrown, and durable", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn kill(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    request.nothing()?;
    let sequence = app.signer.kill().await?;
    app.views.forget(&Stale::everything());
    let owner = request.owner.token.owner;
    tracing::warn!(%owner, sequence, "the kill switch was thrown by an owner over HTTP");
    Ok(Json(Stopped { sequence }))
}
