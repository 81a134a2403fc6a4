//! A request on its way to the gateway: the session's token, fetched when it is needed and renewed before it ends,
//! the agent's signature, and the answer handed back as it comes. Keeps the token in memory alone.

use std::fmt;
use std::time::{Duration, Instant};

use hyper::Response;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Body, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;
use waiaas_shared::request_signature::Request as Covered;
use zeroize::Zeroizing;

use super::problem::{Known, Reason, Refused, explained};
use super::rules::{Asked, Kind};
use crate::commands::release::now;
use crate::failure::{Exit, Failure};
use crate::http::Http;
use crate::rest::{Agent, Token, random_name};

/// Time for each part of an answer: a request waits up to 60 seconds, a stream says something more often.
const PATIENCE: Duration = Duration::from_secs(100);
/// A token is renewed so long before its end.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);
/// Bytes of a refusal.
const REFUSAL_LIMIT: usize = 256 * 1024;
/// What belongs to one connection alone (RFC 9110 section 7.6.1).
const OF_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TRAILER,
    HeaderName::from_static("keep-alive"),
];

/// The way to the gateway.
pub(crate) struct Forwarder {
    agent: Agent,
    http: Http,
    key: Option<String>,
    session: String,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    text: Zeroizing<String>,
    until: Instant,
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Forwarder");
        shown
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Forwarder {
    /// For this agent, to the gateway at `url`.
    pub(crate) fn new(agent: Agent, url: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::streaming(url, PATIENCE)?,
            key: agent.agent_key().map(|key| key.to_string()),
            session: agent.session(),
            agent,
            kept: Mutex::new(None),
        })
    }

    /// The session it speaks for.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Gets the first token, so that a wrong key or a session that has ended shows at the start.
    pub(crate) async fn log_in(&self) -> Result<(), Failure> {
        let token = self.agent.token().await?;
        *self.kept.lock().await = Some(Kept::of(token));
        Ok(())
    }

    /// Forwards a request; what comes back has only its head read.
    pub(super) async fn forward(
        &self,
        asked: &Asked,
        body: &[u8],
    ) -> Result<Response<Body>, Refused> {
        let mut refused_token = None;
        loop {
            let token = match asked.kind {
                Kind::Open => None,
                Kind::Read | Kind::Signed => Some(self.token(refused_token.as_ref()).await?),
            };
            let answer = self.send(asked, body, token.as_ref()).await?;
            let status = answer.status();
            if token.is_none() || ![401, 403].contains(&status.as_u16()) {
                return Ok(handed_on(answer));
            }
            let headers = answer.headers().clone();
            let refused = self.explain(status, small(answer).await?);
            // The gateway's secret has changed, or the token ran out on the way: once more, with another one.
            if refused.code == "token_invalid" && refused_token.is_none() {
                refused_token = token;
                continue;
            }
            return Ok(with_headers(refused.response(), &headers));
        }
    }

    async fn send(
        &self,
        asked: &Asked,
        body: &[u8],
        token: Option<&Zeroizing<String>>,
    ) -> Result<reqwest::Response, Refused> {
        let mut request = self
            .http
            .request(asked.method.clone(), &asked.target())
            .headers(asked.headers.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.as_str());
        }
        if asked.kind == Kind::Signed {
            let name = match &asked.idempotency_key {
                Some(name) => name.clone(),
                // Of a dry run, which is done as often as one likes.
                None => random_name().map_err(|_| Reason::Unsignable)?,
            };
            let covered = Covered {
                method: asked.method.as_str(),
                path: &asked.path,
                query: &asked.query,
                body,
                idempotency_key: &name,
            };
            let proven = self.agent.prove(request, &covered);
            request = proven.map_err(|_| Reason::Unsignable)?;
            if body.is_empty() {
                request = request.header(header::CONTENT_LENGTH, "0");
            }
        }
        let answer = self.http.open(request).await;
        answer.map_err(|_| Reason::GatewayUnreachable.into())
    }

    /// The token, or another one than `refused`.
    async fn token(
        &self,
        refused: Option<&Zeroizing<String>>,
    ) -> Result<Zeroizing<String>, Refused> {
        // Held while it is fetched: many requests at once fetch one token.
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        let good = kept
            .as_ref()
            .filter(|kept| kept.until > now && refused != Some(&kept.text));
        if let Some(good) = good {
            return Ok(good.text.clone());
        }
        let answer = self.agent.ask_token().await.map_err(|failure| {
            let away = failure.exit() == Exit::Unavailable;
            let reason = if away {
                Reason::GatewayUnreachable
            } else {
                Reason::GatewayAnswer
            };
            reason.answer()
        })?;
        let status = StatusCode::from_u16(answer.status).map_err(|_| Reason::GatewayAnswer)?;
        if status != StatusCode::OK {
            return Err(self.explain(status, answer.body));
        }
        let told: Value =
            serde_json::from_slice(&answer.body).map_err(|_| Reason::GatewayAnswer)?;
        let fresh = Kept::of(Token::of(told).map_err(|_| Reason::GatewayAnswer)?);
        let text = fresh.text.clone();
        *kept = Some(fresh);
        Ok(text)
    }

    fn explain(&self, status: StatusCode, body: Vec<u8>) -> Refused {
        let known = Known {
            session: &self.session,
            key: self.key.as_deref(),
            now_seconds: now().millis() / 1000,
        };
        explained(status, body, known)
    }
}

impl Kept {
    fn of(token: Token) -> Self {
        let lasts = token.answer.get("expires_in").and_then(Value::as_u64);
        let lasts = Duration::from_secs(lasts.unwrap_or_default());
        Self {
            text: token.text,
            until: Instant::now() + lasts.saturating_sub(RENEWED_BEFORE),
        }
    }
}

/// An answer as it comes.
fn handed_on(answer: reqwest::Response) -> Response<Body> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    with_headers(response, &headers)
}

/// With the gateway's headers, where there are none of the proxy's own.
fn with_headers(mut response: Response<Body>, headers: &HeaderMap) -> Response<Body> {
    let own: Vec<HeaderName> = response.headers().keys().cloned().collect();
    let has_other_body = !own.is_empty();
    for (name, value) in headers {
        let of_body = has_other_body && *name == header::CONTENT_LENGTH;
        if !OF_CONNECTION.contains(name) && !own.contains(name) && !of_body {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    response
}

/// The whole body of a refusal.
async fn small(mut answer: reqwest::Response) -> Result<Vec<u8>, Refused> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) <= REFUSAL_LIMIT => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(body),
            Ok(Some(_)) => return Err(Reason::GatewayAnswer.into()),
            Err(_) => return Err(Reason::GatewayUnreachable.into()),
        }
    }
}
