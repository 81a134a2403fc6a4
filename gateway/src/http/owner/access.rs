//! Who asks on an owner's route: [`Owner`] demands the token of a login that has not ended, of a key that the signer
//! knows as an active owner's at this very moment; [`OwnerRequest`] that, and reads a body. A session's token is
//! refused by name. Every route under `/v1/owner` but the login itself names one of the two.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use waiaas_shared::denial::Code;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::view::OwnerView;

use super::super::auth::{agent_request, bearer};
use super::super::error::{GatewayCode, Problem};
use crate::app::App;
use crate::http::token::OwnerToken;

/// From which address a connection came: a proxy's, if one stands before this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The request is an owner's.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// Whose, and which login.
    pub(super) token: OwnerToken,
    /// Every owner, as the signer tells them now.
    pub(super) owners: Arc<Vec<OwnerView>>,
}

/// The same, with its body, read whole.
#[derive(Debug, Clone)]
pub(super) struct OwnerRequest {
    /// Who asks.
    pub(super) owner: Owner,
    body: Bytes,
}

impl Owner {
    /// The owner's own entry.
    pub(super) fn view(&self) -> Option<&OwnerView> {
        active(&self.owners, self.token)
    }
}

impl OwnerRequest {
    /// The body as JSON of exactly this shape.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|_| Code::BodyMalformed.into())
    }

    /// A request that has nothing to say: its body is empty or `{}`.
    pub(super) fn nothing(&self) -> Result<(), Problem> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        if self.body.is_empty() {
            return Ok(());
        }
        self.read::<Nothing>().map(drop)
    }
}

fn active(owners: &[OwnerView], token: OwnerToken) -> Option<&OwnerView> {
    owners
        .iter()
        .find(|view| view.owner == token.owner && view.standing == Standing::Active)
}

impl FromRequestParts<Arc<App>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        by_token(&parts.headers, app).await
    }
}

impl FromRequest<Arc<App>> for OwnerRequest {
    type Rejection = Problem;

    /// The token first: nobody's body is read for a stranger.
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let owner = by_token(request.headers(), app).await?;
        if request.uri().query().is_some() {
            return Err(GatewayCode::QueryMalformed.into());
        }
        let body = agent_request(request).await?.body;
        Ok(Self { owner, body })
    }
}

async fn by_token(headers: &HeaderMap, app: &App) -> Result<Owner, Problem> {
    let text = bearer(headers).map_err(|problem| match problem.code() {
        "token_invalid" => GatewayCode::OwnerTokenInvalid.into(),
        _ => problem,
    })?;
    let text = text.ok_or(GatewayCode::OwnerTokenMissing)?;
    let now = app.clock.now();
    let Ok(token) = app.tokens.owner(text, now) else {
        if let Ok(session) = app.tokens.session(text, now) {
            tracing::warn!(%session, "a session's token was tried on an owner's route");
            return Err(GatewayCode::OwnerOnly.into());
        }
        return Err(GatewayCode::OwnerTokenInvalid.into());
    };
    if !app.owners.logins.holds(token, now) {
        return Err(GatewayCode::LoginEnded.into());
    }
    // Asked for at each request: a key that was suspended or removed is out at once.
    let owners = Arc::new(app.signer.owners().await?);
    if active(&owners, token).is_none() {
        app.owners.logins.end_all(token.owner);
        tracing::warn!(owner = %token.owner, "a login ended: its key is no active owner's any more");
        return Err(GatewayCode::LoginEnded.into());
    }
    Ok(Owner { token, owners })
}
