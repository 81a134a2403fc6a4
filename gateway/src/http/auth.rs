//! Who asks: one extractor for each kind of route, so that a route's signature states what it
//! demands. [`Public`] nothing; [`Session`] a token of a usable session; [`SignedSession`] that, and
//! the agent's signature where the session is bound to a key, with the raw body; [`PaymentSession`] the
//! same for a payment, whose signature the signer verifies. Every handler names exactly one of them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use http_body_util::LengthLimitError;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_shared::request::BODY_LIMIT_BYTES;

use super::error::{GatewayCode, Problem};
use super::guard::single;
use crate::app::App;
use crate::pipeline::authenticate::{AgentRequest, authenticate, complete, usable};
use crate::views::KnownSession;

/// Time for a body, from the end of the head on.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// The route is open to everybody who reaches the listener.
#[derive(Debug, Clone, Copy)]
pub struct Public;

/// The request carries the token of a session that can be used.
#[derive(Debug, Clone)]
pub struct Session(pub Arc<KnownSession>);

/// The same, and the request is the agent's own where the session is bound to its key.
#[derive(Debug, Clone)]
pub struct SignedSession {
    /// The session.
    pub session: Arc<KnownSession>,
    /// The request, to be passed on as it is.
    pub request: AgentRequest,
}

/// The same for a request that goes to the signer as it is: the signer verifies the signature if it
/// accepts the request, and [`crate::pipeline::pay`] has it verified here before any other answer.
#[derive(Debug, Clone)]
pub struct PaymentSession {
    /// The session.
    pub session: Arc<KnownSession>,
    /// The request, to be passed on as it is.
    pub request: AgentRequest,
}

impl FromRequestParts<Arc<App>> for Public {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let session = by_token(&parts.headers, app).await?;
        Ok(Self(session))
    }
}

impl FromRequest<Arc<App>> for SignedSession {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (session, request) = whole_request(request, app).await?;
        let now = app.clock.now();
        authenticate(&session, &request, now)
            .map_err(|error| Problem::unauthenticated(error, now))?;
        Ok(Self { session, request })
    }
}

impl FromRequest<Arc<App>> for PaymentSession {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (session, request) = whole_request(request, app).await?;
        let now = app.clock.now();
        complete(&session, &request, now).map_err(|error| Problem::unauthenticated(error, now))?;
        Ok(Self { session, request })
    }
}

/// The token first: nobody's body is read for a stranger.
async fn whole_request(
    request: Request,
    app: &App,
) -> Result<(Arc<KnownSession>, AgentRequest), Problem> {
    let session = by_token(request.headers(), app).await?;
    let request = agent_request(request).await?;
    Ok((session, request))
}

async fn by_token(headers: &HeaderMap, app: &App) -> Result<Arc<KnownSession>, Problem> {
    let token = bearer(headers)?.ok_or(GatewayCode::TokenMissing)?;
    let now = app.clock.now();
    let id = app
        .tokens
        .session(token, now)
        .map_err(|_| GatewayCode::TokenInvalid)?;
    let session = usable_session(app, id).await?.ok_or(Code::SessionUnknown)?;
    Ok(session)
}

/// A session that can be used now; none if the signer knows none.
pub(super) async fn usable_session(
    app: &App,
    id: SessionId,
) -> Result<Option<Arc<KnownSession>>, Problem> {
    let Some(session) = app.views.session(&*app.signer, id).await? else {
        return Ok(None);
    };
    let now = app.clock.now();
    usable(&session, now).map_err(|error| Problem::unauthenticated(error, now))?;
    Ok(Some(session))
}

/// The value behind `Bearer` (RFC 6750 section 2.1); never from the query.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = single(headers, &header::AUTHORIZATION)? else {
        return Ok(None);
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(Some(token))
        }
        _ => Err(GatewayCode::TokenInvalid.into()),
    }
}

/// A request with its whole body, as the signer will see it.
pub(super) async fn agent_request(request: Request) -> Result<AgentRequest, Problem> {
    let (parts, body) = request.into_parts();
    let value = |name: &HeaderName| {
        single(&parts.headers, name).map(|value| value.unwrap_or_default().to_owned())
    };
    let mut agent = AgentRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: format!("?{}", parts.uri.query().unwrap_or_default()),
        idempotency_key: value(&IDEMPOTENCY_KEY)?,
        content_digest: value(&CONTENT_DIGEST)?,
        signature_input: value(&SIGNATURE_INPUT)?,
        signature: value(&SIGNATURE)?,
        body: Bytes::new(),
    };
    let media_type = single(&parts.headers, &header::CONTENT_TYPE)?;
    let length =
        single(&parts.headers, &header::CONTENT_LENGTH)?.and_then(|text| text.parse().ok());
    if length.is_some_and(|length: usize| length > BODY_LIMIT_BYTES) {
        return Err(Code::BodyTooLarge.into());
    }
    let whole = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_LIMIT_BYTES)).await;
    agent.body = match whole {
        Err(_) => return Err(GatewayCode::BodyTimeout.into()),
        Ok(Err(error)) => return Err(unreadable(&error)),
        Ok(Ok(body)) => body,
    };
    if !agent.body.is_empty() && !media_type.is_some_and(is_json) {
        return Err(GatewayCode::MediaType.into());
    }
    Ok(agent)
}

fn unreadable(error: &axum::Error) -> Problem {
    let source = std::error::Error::source(error);
    if source.is_some_and(|source| source.is::<LengthLimitError>()) {
        Code::BodyTooLarge.into()
    } else {
        GatewayCode::BodyIncomplete.into()
    }
}

fn is_json(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    [
        "application/json",
        "application/json;charset=utf-8",
        "application/json; charset=utf-8",
    ]
    .contains(&media_type.as_str())
}
