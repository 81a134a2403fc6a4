//! A session's own view of itself: a token for it, what may still be spent, and its end. A session is
//! granted elsewhere, by an owner's signature.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use rusqlite::params;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;
use waiaas_client::{Renewed, SessionRequest};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::ids::SessionId;
use waiaas_shared::request_signature::{Parameters, VerifiedRequest};
use waiaas_shared::session::{Credential, Operation};
use waiaas_shared::time::WallTime;
use waiaas_shared::view::SessionView;

use super::auth::{Public, Session, SignedSession, agent_request, bearer, usable_session};
use super::error::{GatewayCode, Problem, ProblemBody};
use super::policy::WindowJson;
use super::token::Issued;
use super::transactions::state_name;
use crate::app::App;
use crate::clock::rfc3339;
use crate::database::Durability;
use crate::pipeline::authenticate::{AgentRequest, SKEW, prove};
use crate::views::{KnownSession, Stale};

/// Longest bearer secret, in characters of base58 (32 bytes take 44).
const SECRET_TEXT_LIMIT: usize = 88;
/// Shortest secret, in bytes.
const SECRET_BYTES_LEAST: usize = 16;

/// A token for the session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// To be sent as `Authorization: Bearer`.
    token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until it ends.
    expires_in: u64,
    /// When it ends (RFC 3339).
    expires_at: String,
    /// The session that it points at.
    session: String,
}

/// The session with what may still be spent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionJson {
    /// Its identifier.
    session: String,
    /// `active`, `suspended`, `expired` or `revoked`.
    state: &'static str,
    /// The signer that granted it; requests name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// `agent_key`: every mutating request is signed; `bearer`: the token alone suffices.
    credential: &'static str,
    /// The agent's public key in base58, if the session is bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_key: Option<String>,
    /// Wallets that it covers.
    wallets: Vec<String>,
    /// Its end, unless it is renewed (RFC 3339).
    expires_at: String,
    /// How it may be renewed, if at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal: Option<Renewable>,
    /// The agent that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// The agent's stage: `created`, `active`, `suspended`, `terminating` or `terminated`; payments are
    /// signed in `active` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_stage: Option<&'static str>,
    /// Only these may receive, if the grant names any: contacts of the policy as `@name`, accounts
    /// (CAIP-10).
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<Vec<String>>,
    /// Only this may be done, if the grant names any: `native-transfer`, `token-transfer`, `token-approval`,
    /// `call`, `sign-in`. If it names none: transfers.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<&'static str>>,
    /// Transactions made and allowed, over its whole life.
    transactions_used: u32,
    /// The most in its whole life.
    transactions_allowed: u32,
    /// Its limits by asset.
    limits: Vec<Limit>,
    /// What may still be spent now, under session and policy together.
    remaining: Vec<Left>,
}

/// How far a session may be renewed without its owner.
#[derive(Debug, Serialize, ToSchema)]
struct Renewable {
    /// Seconds that one renewal lasts, from its request on.
    extends_seconds: u64,
    /// The end that no renewal moves (RFC 3339).
    absolute_end: String,
    /// Renewals so far.
    used: u32,
    /// The most in its whole life.
    allowed: u32,
}

/// A session that was renewed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RenewedJson {
    /// Its identifier; it stays the same, and so do its counters.
    session: String,
    /// Its end now (RFC 3339).
    expires_at: String,
    /// Number of the event in the signer's log.
    sequence: u64,
}

/// Which signer is meant.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which the signer reads")]
pub(super) struct RenewBody {
    /// The signer that granted the session.
    signer: String,
}

/// A session's limit of one asset, in base units, fees included.
#[derive(Debug, Serialize, ToSchema)]
struct Limit {
    /// Which asset (CAIP-19).
    asset: String,
    /// Most in one transaction.
    per_transaction: String,
    /// Most in its whole life.
    total: String,
    /// Spent so far.
    spent: String,
}

/// What may still be spent from one wallet in one asset, in base units, fees included.
#[derive(Debug, Serialize, ToSchema)]
struct Left {
    /// From which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// Which asset (CAIP-19).
    asset: String,
    /// Most in one transaction now.
    per_transaction: String,
    /// What the tightest rolling limit leaves now.
    window: String,
    /// What the session leaves.
    session: String,
    /// The tightest limit of each rolling window, shortest first, and when it leaves more.
    windows: Vec<WindowJson>,
}

/// Something was stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stopped {
    /// Number of the event in the signer's log.
    pub(super) sequence: u64,
}

/// Get a token for a session, by its secret or by its agent key's signature over this request.
#[utoipa::path(post, path = "/v1/session/token", tag = "session",
    responses((status = 200, description = "A token for 15 minutes", body = TokenView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_secret" = []), ("agent_signature" = [])))]
pub(super) async fn token(
    _: Public,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<TokenView>, Problem> {
    no_query(&request)?;
    let secret = bearer(request.headers())?.map(str::to_owned);
    let request = agent_request(request).await?;
    nothing(&request)?;
    let session = match secret {
        Some(credential) => by_secret(&app, &credential).await?,
        None => by_signature(&app, &request).await?,
    };
    let now = app.clock.now();
    let Issued { token, expires } = app
        .tokens
        .issue(session.id, now)
        .map_err(|_| GatewayCode::Internal)?;
    Ok(Json(TokenView {
        token,
        token_type: "Bearer",
        expires_in: expires.saturating_sub(now.millis() / 1000),
        expires_at: rfc3339(WallTime::from_millis(expires.saturating_mul(1000))),
        session: session.id.to_string(),
    }))
}

/// `waiaas_<session>_<secret>`. One answer for whatever is wrong with it.
async fn by_secret(app: &App, credential: &str) -> Result<Arc<KnownSession>, Problem> {
    let (id, secret) = parse_secret(credential).ok_or(GatewayCode::CredentialInvalid)?;
    let digest = hash(Domain::SessionSecret, &[&secret]);
    let known = app.views.session(&*app.signer, id).await?;
    let matches = known
        .as_deref()
        .is_some_and(|known| match &known.grant.credential {
            Credential::Bearer(expected) => digest.as_bytes().ct_eq(expected.as_bytes()).into(),
            Credential::AgentKey(_) => false,
        });
    if !matches {
        return Err(GatewayCode::CredentialInvalid.into());
    }
    // Whoever has the secret may learn that the session has ended.
    usable_session(app, id)
        .await?
        .ok_or(GatewayCode::CredentialInvalid.into())
}

fn parse_secret(credential: &str) -> Option<(SessionId, Vec<u8>)> {
    let (id, secret) = credential.strip_prefix("waiaas_")?.rsplit_once('_')?;
    if secret.len() > SECRET_TEXT_LIMIT {
        return None;
    }
    let secret = bs58::decode(secret).into_vec().ok()?;
    (secret.len() >= SECRET_BYTES_LEAST).then_some((id.parse().ok()?, secret))
}

/// The agent's signature over this very request; its nonce counts once, also across restarts.
async fn by_signature(app: &App, request: &AgentRequest) -> Result<Arc<KnownSession>, Problem> {
    if request.signature_input.is_empty() {
        return Err(GatewayCode::CredentialInvalid.into());
    }
    let parameters = Parameters::parse(&request.signature_input).map_err(|error| {
        let error = crate::pipeline::authenticate::AuthenticateError::Signature {
            error,
            expected: None,
        };
        Problem::unauthenticated(error, app.clock.now())
    })?;
    let session = usable_session(app, parameters.session()).await?;
    let session = session.ok_or(GatewayCode::CredentialInvalid)?;
    let now = app.clock.now();
    let verified =
        prove(&session, request, now).map_err(|error| Problem::unauthenticated(error, now))?;
    first_use(app, &verified).await?;
    Ok(session)
}

/// Refuses a nonce that was used before. For requests whose signature the signer does not see.
pub(super) async fn first_use(app: &App, verified: &VerifiedRequest) -> Result<(), Problem> {
    let now = app.clock.now();
    let session = verified.session.to_string();
    let nonce = verified.nonce.as_str().to_owned();
    let created = WallTime::from_millis(verified.created_seconds.saturating_mul(1000));
    // A second behind the last moment at which its time is accepted.
    let expires = created.after(SKEW).millis().saturating_add(1000);
    let store = move |connection: &rusqlite::Connection| {
        connection
            .prepare_cached("DELETE FROM request_nonce WHERE expires < ?1")?
            .execute([now.millis().cast_signed()])?;
        connection
            .prepare_cached("INSERT OR IGNORE INTO request_nonce VALUES (?1, ?2, ?3)")?
            .execute(params![session, nonce, expires.cast_signed()])
    };
    match app.database.run(Durability::Power, store).await? {
        0 => Err(Code::RequestNonceReused.into()),
        _ => Ok(()),
    }
}

/// The session with what may still be spent, until when.
#[utoipa::path(get, path = "/v1/session", tag = "session",
    responses((status = 200, description = "The session", body = SessionJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Session(session): Session,
) -> Result<Json<SessionJson>, Problem> {
    // Asked for afresh: what is left changes with every payment.
    let view = app
        .signer
        .remaining(session.id)
        .await?
        .ok_or(Code::SessionUnknown)?;
    let signer = app.known_signer().map(|signer| signer.to_string());
    Ok(Json(SessionJson::of(&view, signer, app.clock.now())))
}

impl SessionJson {
    pub(super) fn of(view: &SessionView, signer: Option<String>, now: WallTime) -> Self {
        let (credential, agent_key) = match &view.grant.credential {
            Credential::AgentKey(key) => ("agent_key", Some(key.to_string())),
            Credential::Bearer(_) => ("bearer", None),
        };
        Self {
            session: view.session.to_string(),
            state: state_name(view.state),
            signer,
            credential,
            agent_key,
            wallets: view.grant.wallets.iter().map(ToString::to_string).collect(),
            expires_at: rfc3339(view.ends),
            renewal: view.grant.renewal.map(|renewal| Renewable {
                extends_seconds: renewal.extends.millis() / 1000,
                absolute_end: rfc3339(renewal.until),
                used: view.renewals,
                allowed: renewal.count,
            }),
            agent: view.grant.agent.map(|agent| agent.to_string()),
            agent_stage: view.stage.map(AgentStage::as_str),
            recipients: view.grant.recipients.as_ref().map(|named| {
                let contacts = named.contacts.iter().map(|name| format!("@{name}"));
                let accounts = named.accounts.iter().map(ToString::to_string);
                contacts.chain(accounts).collect()
            }),
            operations: view.grant.operations.as_ref().map(|operations| {
                let names = operations.iter().copied();
                names.map(Operation::as_str).collect()
            }),
            transactions_used: view.usage.count,
            transactions_allowed: view.grant.count,
            limits: view
                .grant
                .limits
                .iter()
                .map(|limit| Limit {
                    asset: limit.asset.to_string(),
                    per_transaction: limit.per_transaction.to_string(),
                    total: limit.total.to_string(),
                    spent: view
                        .usage
                        .spent
                        .get(&limit.asset)
                        .copied()
                        .unwrap_or_default()
                        .to_string(),
                })
                .collect(),
            remaining: view
                .remaining
                .iter()
                .map(|left| Left {
                    wallet: left.wallet.to_string(),
                    network: left.asset.chain().to_string(),
                    asset: left.asset.to_string(),
                    per_transaction: left.per_transaction.to_string(),
                    window: left.window.to_string(),
                    session: left.session.to_string(),
                    windows: left
                        .windows
                        .iter()
                        .map(|told| WindowJson::of(told, now))
                        .collect(),
                })
                .collect(),
        }
    }
}

/// Renew this session inside of the bounds that its owner signed. The signer decides; identifier,
/// limits and counters stay.
#[utoipa::path(post, path = "/v1/session/renew", tag = "session", request_body = RenewBody,
    responses((status = 200, description = "Renewed", body = RenewedJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = [])))]
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<Json<RenewedJson>, Problem> {
    if signed.request.query != "?" {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let SignedSession { session, request } = signed;
    let asked = SessionRequest {
        session: session.id,
        method: request.method,
        path: request.path,
        query: request.query,
        idempotency_key: request.idempotency_key,
        body: request.body.to_vec(),
        signature_input: request.signature_input,
        signature: request.signature,
    };
    let Renewed { sequence, ends } = app.signer.renew_session(asked).await?;
    app.views.forget(&Stale {
        sessions: vec![session.id],
        ..Stale::default()
    });
    Ok(Json(RenewedJson {
        session: session.id.to_string(),
        expires_at: rfc3339(ends),
        sequence,
    }))
}

/// End this session. It cannot be undone; the owner can grant another.
#[utoipa::path(post, path = "/v1/session/revoke", tag = "session",
    responses((status = 200, description = "Revoked", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = [])))]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<Json<Stopped>, Problem> {
    nothing(&signed.request)?;
    once(&app, &signed).await?;
    let sequence = app.signer.revoke_session(signed.session.id).await?;
    app.views.forget(&Stale {
        sessions: vec![signed.session.id],
        ..Stale::default()
    });
    Ok(Json(Stopped { sequence }))
}

/// A signed request that ends at the gateway is accepted once; a bearer's needs no such care.
pub(super) async fn once(app: &App, signed: &SignedSession) -> Result<(), Problem> {
    let now = app.clock.now();
    match prove(&signed.session, &signed.request, now) {
        Ok(verified) => first_use(app, &verified).await,
        // The extractor has let a bearer session through.
        Err(_) => Ok(()),
    }
}

/// The body of a request that has nothing to say: empty or `{}`.
pub(super) fn nothing(request: &AgentRequest) -> Result<(), Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if request.query != "?" {
        return Err(GatewayCode::QueryMalformed.into());
    }
    if request.body.is_empty() || serde_json::from_slice::<Nothing>(&request.body).is_ok() {
        Ok(())
    } else {
        Err(Code::BodyMalformed.into())
    }
}

fn no_query(request: &Request) -> Result<(), Problem> {
    match request.uri().query() {
        None => Ok(()),
        // Credentials in a query would end up in logs.
        Some(_) => Err(GatewayCode::QueryMalformed.into()),
    }
}
