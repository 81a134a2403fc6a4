//! Messages that are signed for agents: logins at web sites. The signer writes each message from the fields
//! that the body holds; no route takes text or bytes to sign.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_client::{SessionRequest, SignedLogin};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SignerId, WalletId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::SignInRequest;

use super::auth::{Session, SignedSession};
use super::error::{Broken, GatewayCode, Problem, ProblemBody};
use crate::app::App;
use crate::pipeline::authenticate::AgentRequest;
use crate::pipeline::validate::idempotency_key;
use crate::signer_client::SignerError;
use crate::views::KnownSession;

/// The body of a login, for its description only: it is read by `waiaas_shared::request`.
#[derive(Debug, ToSchema)]
#[schema(as = SignInRequest)]
#[expect(
    dead_code,
    reason = "describes what waiaas_shared::request reads; never made"
)]
pub(super) struct SignInBody {
    /// The signer that the agent means.
    signer: String,
    /// As which wallet: the message carries its own address.
    wallet: String,
    /// On which network (CAIP-2); one that policy names for the site.
    network: String,
    /// At which site: host in lower case, with its port if it is not the usual one.
    domain: String,
    /// What at the site; where policy lets, at or below `https://` and the domain if it says nothing else.
    uri: String,
    /// The site's nonce: 8 to 64 letters and digits.
    nonce: String,
    /// The site's statement: one line, up to 256 characters.
    statement: Option<String>,
    /// Seconds for which the site may take the message; as long as policy lets if absent.
    expires_in: Option<u64>,
    /// The site's own name for the login: up to 64 characters.
    request_id: Option<String>,
    /// URIs that the site may reach besides; each as policy names it.
    resources: Option<Vec<String>>,
}

/// A signed login, or the earlier one of the same Idempotency-Key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignInView {
    /// Its identifier.
    message: String,
    /// The text, for the site: EIP-4361 on an EVM chain, `solana:signIn` on Solana.
    text: String,
    /// `eip191` (`personal_sign`), or `offchain-v1` (a Solana off-chain message of version 1).
    envelope: &'static str,
    /// Exactly the bytes that the signature is over, in base64.
    payload: String,
    /// On an EVM chain `0x` and 65 bytes r, s, v in hexadecimal; on Solana 64 bytes in base58.
    signature: String,
    /// INSTANT or NOTIFY.
    tier: &'static str,
    /// Whether this is an earlier message; nothing was counted again.
    replay: bool,
    /// Number of the event in the signer's log that counted it.
    sequence: u64,
}

/// What would be decided of a login or an authorization now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MessageJudged {
    /// Whether it would be signed.
    allowed: bool,
    /// INSTANT or NOTIFY, if allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'static str>,
    /// Every rule that it breaks.
    violations: Vec<Broken>,
}

/// Sign in at a web site that policy names.
#[utoipa::path(
    post, path = "/v1/messages/sign-in", tag = "messages",
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible ASCII characters; the same key and body never sign another message")),
    request_body = SignInBody,
    responses(
        (status = 201, description = "Signed", body = SignInView),
        (status = 200, description = "The earlier message of this Idempotency-Key", body = SignInView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<(StatusCode, Json<SignInView>), Problem> {
    let (body, asked) = checked::<SignInRequest>(&app, signed)?;
    let login = app.signer.sign_in(asked).await?;
    let view = SignInView::of(&login, body.network);
    Ok((made(login.replay), Json(view)))
}

/// Judge a login without signing it; nothing is reserved.
#[utoipa::path(
    post, path = "/v1/messages/sign-in/dry-run", tag = "messages", request_body = SignInBody,
    responses(
        (status = 200, description = "What would be decided now, and why", body = MessageJudged),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []))
)]
pub(super) async fn dry_run(
    State(app): State<Arc<App>>,
    Session(session): Session,
    request: axum::extract::Request,
) -> Result<Json<MessageJudged>, Problem> {
    let asked = tried::<SignInRequest>(&app, &session, request).await?;
    judged(app.signer.decide_sign_in(asked).await)
}

/// What a dry run tells. A state of the signer, or a flaw of the request, is no judgement.
pub(super) fn judged(answer: Result<Tier, SignerError>) -> Result<Json<MessageJudged>, Problem> {
    match answer {
        Ok(tier) => Ok(Json(MessageJudged {
            allowed: true,
            tier: Some(tier.as_str()),
            violations: Vec::new(),
        })),
        Err(SignerError::Denied(denial)) => {
            let problem = Problem::denied(&denial);
            if problem.status() != StatusCode::FORBIDDEN {
                return Err(problem);
            }
            Ok(Json(MessageJudged {
                allowed: false,
                tier: None,
                violations: denial.violations().iter().map(Broken::from).collect(),
            }))
        }
        Err(other) => Err(other.into()),
    }
}

/// A body that asks for something to be signed that is no transaction.
pub(super) trait MessageBody: Sized {
    /// Reads it.
    fn read(body: &[u8]) -> Result<Self, Code>;
    /// Which signer and which wallet are meant.
    fn meant(&self) -> (SignerId, WalletId);
}

impl MessageBody for SignInRequest {
    fn read(body: &[u8]) -> Result<Self, Code> {
        Self::parse(body)
    }

    fn meant(&self) -> (SignerId, WalletId) {
        (self.signer, self.wallet)
    }
}

/// A request for the signer as it came, with what its body says; whatever passes is judged again there.
pub(super) fn checked<T: MessageBody>(
    app: &App,
    signed: SignedSession,
) -> Result<(T, SessionRequest), Problem> {
    let SignedSession { session, request } = signed;
    if request.query != "?" {
        return Err(GatewayCode::QueryMalformed.into());
    }
    idempotency_key(&request.idempotency_key)?;
    let body = read(app, &session, &request)?;
    Ok((body, passed_on(&session, request)))
}

/// The same for a judgement without a signature.
pub(super) async fn tried<T: MessageBody>(
    app: &App,
    session: &KnownSession,
    request: axum::extract::Request,
) -> Result<SessionRequest, Problem> {
    if request.uri().query().is_some() {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let request = super::auth::agent_request(request).await?;
    read::<T>(app, session, &request)?;
    Ok(passed_on(session, request))
}

/// Reads a body that means this signer and a wallet of the session, while the log is sound.
fn read<T: MessageBody>(
    app: &App,
    session: &KnownSession,
    request: &AgentRequest,
) -> Result<T, Problem> {
    let body = T::read(&request.body)?;
    let (signer, wallet) = body.meant();
    if app.known_signer().is_some_and(|known| known != signer) {
        return Err(Code::SignerMismatch.into());
    }
    if !session.grant.wallets.contains(&wallet) {
        return Err(Code::SessionWallet.into());
    }
    app.require_sound_log()?;
    Ok(body)
}

/// 201 for what is signed now, 200 for the earlier one of the same key.
pub(super) const fn made(replay: bool) -> StatusCode {
    if replay {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}

/// The request as it came.
fn passed_on(session: &KnownSession, request: AgentRequest) -> SessionRequest {
    SessionRequest {
        session: session.id,
        method: request.method,
        path: request.path,
        query: request.query,
        idempotency_key: request.idempotency_key,
        body: request.body.to_vec(),
        signature_input: request.signature_input,
        signature: request.signature,
    }
}

impl SignInView {
    fn of(login: &SignedLogin, network: ChainId) -> Self {
        let (envelope, signature) = match network.family() {
            Family::Evm => ("eip191", format!("0x{}", hex::encode(&login.signature))),
            Family::Solana => ("offchain-v1", bs58::encode(&login.signature).into_string()),
        };
        Self {
            message: login.message.to_string(),
            text: login.text.clone(),
            envelope,
            payload: BASE64.encode(&login.payload),
            signature,
            tier: login.tier.as_str(),
            replay: login.replay,
            sequence: login.sequence,
        }
    }
}
