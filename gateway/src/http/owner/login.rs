//! Login of owners by their wallets: Sign-In with Ethereum (EIP-4361) and the text of Sign-In With Solana. The
//! gateway writes the whole text; what comes back counts only if it is that text to the byte, under the key that
//! was given out with it, signed by an active owner's key. Gives a token that lets an owner see and stop, never
//! loosen. No cookie is ever set.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waiaas_shared::address::Account;
use waiaas_shared::caip::{ChainId, Cluster};
use waiaas_shared::denial::Code;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::WallTime;
use waiaas_shared::view::OwnerView;

use super::super::auth::{Public, agent_request};
use super::super::error::{GatewayCode, Problem, ProblemBody};
use super::access::{OwnerRequest, Peer};
use super::logins::{Asked, LIFE};
use super::signature;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::token::{Issued, Login, OwnerToken};

/// Longest key of a challenge, in characters of base58 (32 bytes take 44).
const KEY_LIMIT: usize = 64;

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"account": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}))]
pub(super) struct ChallengeBody {
    /// The owner's address, as its wallet shows it: base58, or `0x` with the checksum of EIP-55.
    #[schema(value_type = String)]
    account: Account,
    /// Which network the text names (CAIP-2), for wallets that look at it; the main network of the address's family
    /// if absent.
    #[schema(value_type = Option<String>)]
    network: Option<ChainId>,
}

/// What an owner's wallet signs to log in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"text": "127.0.0.1:3100 wants you to sign in with your Ethereum account:\n0x5aAe...",
    "login": "9pX2...", "request_id": "5f1c0e2d9b7a4386", "expires_at": "2026-11-21T09:35:00Z", "expires_in": 300}))]
pub(super) struct ChallengeView {
    /// The whole text, to be signed byte for byte.
    text: String,
    /// The key of this challenge: whoever answers has to show it. Not part of the text; keep it where the login was
    /// asked for.
    login: String,
    /// What of the key stands in the text as its Request ID: show it beside the wallet, so that its user sees that
    /// the text belongs to this login.
    request_id: String,
    /// Until when it is taken (RFC 3339); once.
    expires_at: String,
    /// Seconds until then.
    expires_in: u64,
}

/// The answer to a challenge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "9pX2...", "text": "127.0.0.1:3100 wants you to sign in with your Ethereum account:\n...",
    "signature": "0x..."}))]
pub(super) struct LoginBody {
    /// The challenge's key.
    login: String,
    /// The text that was signed.
    text: String,
    /// Base58 of 64 bytes (Ed25519), or `0x` and 130 lower-case hexadecimal digits (r, s, v).
    signature: String,
    /// How the wallet wrapped the text: `ed25519-plain`, `ed25519-offchain-v0`, `ed25519-offchain-v1`, `eip191`; what
    /// its rehearsal recorded if absent.
    envelope: Option<String>,
}

/// A token for an owner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"token": "eyJ0...", "token_type": "Bearer", "expires_in": 900,
    "expires_at": "2026-11-21T09:45:00Z", "owner": "owner_00000000000000000000000001"}))]
pub(super) struct LoginView {
    /// To be sent as `Authorization: Bearer`.
    token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until it ends.
    expires_in: u64,
    /// When it ends (RFC 3339).
    expires_at: String,
    /// Whose login it is.
    owner: String,
}

/// What ends.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"everywhere": true}))]
pub(super) struct LogoutBody {
    /// `true`: every login of this owner, and every challenge that waits. This login alone if absent.
    #[serde(default)]
    everywhere: bool,
}

/// It ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"logged_out": true}))]
pub(super) struct LoggedOut {
    /// Always `true`.
    logged_out: bool,
}

/// Ask for the text that an owner's wallet signs to log in.
#[utoipa::path(post, path = "/v1/owner/login/challenge", operation_id = "owner_login_challenge", tag = "owner login", request_body = ChallengeBody,
    responses((status = 200, description = "The text; taken once, for five minutes", body = ChallengeView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(()))]
pub(super) async fn challenge(
    _: Public,
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    request: Request,
) -> Result<Json<ChallengeView>, Problem> {
    let body: ChallengeBody = read(request).await?;
    let logins = &app.owners.logins;
    let origin = logins.origin().ok_or(GatewayCode::LoginUnavailable)?;
    let signer = app.known_signer().ok_or(GatewayCode::SignerUnreachable)?;
    let chain = match (body.network, body.account) {
        (Some(chain), _) => chain,
        (None, Account::Evm(_)) => ChainId::Evm(1),
        (None, Account::Solana(_)) => mainnet()?,
    };
    let owners = app.signer.owners().await?;
    let owner = owners
        .iter()
        .find(|view| may_log_in(view) && names(&view.key, body.account));
    let mut random = [0; 52];
    getrandom::fill(&mut random).map_err(|_| GatewayCode::Internal)?;
    let asked = Asked {
        account: body.account,
        owner: owner.map(|view| view.owner),
        chain,
        signer,
        from: peer.map(|Extension(Peer(address))| address.to_canonical()),
    };
    let given = logins.challenge(origin, asked, &random, app.clock.now())?;
    Ok(Json(ChallengeView {
        text: given.text,
        login: given.key,
        request_id: given.shown,
        expires_at: rfc3339(given.expires),
        expires_in: LIFE.millis() / 1000,
    }))
}

/// Log in with the signed text.
#[utoipa::path(post, path = "/v1/owner/login", operation_id = "owner_login_login", tag = "owner login", request_body = LoginBody,
    responses((status = 200, description = "A token for 15 minutes", body = LoginView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(()))]
pub(super) async fn login(
    _: Public,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<LoginView>, Problem> {
    let body: LoginBody = read(request).await?;
    let logins = &app.owners.logins;
    // Nobody is asked for a stranger, and a signer that is away uses nothing up.
    if body.login.len() > KEY_LIMIT || !logins.knows(&body.login) {
        return Err(GatewayCode::LoginInvalid.into());
    }
    let owners = app.signer.owners().await?;
    let now = app.clock.now();
    let challenge = logins
        .take(&body.login, now)
        .ok_or(GatewayCode::LoginInvalid)?;
    let view = owners
        .iter()
        .find(|view| view.owner == challenge.owner && may_log_in(view))
        .ok_or(GatewayCode::LoginInvalid)?;
    let envelope = match &body.envelope {
        None => Some(view.envelope),
        Some(name) => Envelope::from_text(name),
    };
    let signature = signature::read(&view.key, &body.signature);
    let signed = match (envelope, signature) {
        (Some(envelope), Some(signature)) => {
            body.text == challenge.message.text()
                && challenge
                    .message
                    .is_signed_by(&view.key, envelope, &signature)
        }
        _ => false,
    };
    if !signed {
        tracing::warn!(owner = %view.owner, "a login failed: its text or signature is not right");
        return Err(GatewayCode::LoginInvalid.into());
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| GatewayCode::Internal)?;
    let token = OwnerToken {
        owner: view.owner,
        login: Login::from_bytes(random),
    };
    let Issued {
        token: text,
        expires,
    } = app
        .tokens
        .issue_owner(token, now)
        .map_err(|_| GatewayCode::Internal)?;
    let ends = WallTime::from_millis(expires.saturating_mul(1000));
    logins.begin(token, ends, now);
    tracing::info!(owner = %view.owner, "an owner logged in");
    Ok(Json(LoginView {
        token: text,
        token_type: "Bearer",
        expires_in: expires.saturating_sub(now.millis() / 1000),
        expires_at: rfc3339(ends),
        owner: view.owner.to_string(),
    }))
}

/// End this login, or every login of this owner.
#[utoipa::path(post, path = "/v1/owner/logout", operation_id = "owner_login_logout", tag = "owner login", request_body = LogoutBody,
    responses((status = 200, description = "It ended", body = LoggedOut),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn logout(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<LoggedOut>, Problem> {
    let body = match request.nothing() {
        Ok(()) => LogoutBody::default(),
        Err(_) => request.read()?,
    };
    let token = request.owner.token;
    match body.everywhere {
        true => app.owners.logins.end_all(token.owner),
        false => app.owners.logins.end(token.login),
    }
    Ok(Json(LoggedOut { logged_out: true }))
}

/// A public route's body, bounded in size and time.
async fn read<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Problem> {
    if request.uri().query().is_some() {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let body = agent_request(request).await?.body;
    serde_json::from_slice(&body).map_err(|_| Code::BodyMalformed.into())
}

fn mainnet() -> Result<ChainId, Problem> {
    format!("solana:{}", Cluster::MAINNET)
        .parse()
        .map_err(|_| GatewayCode::Internal.into())
}

fn may_log_in(view: &OwnerView) -> bool {
    view.standing == Standing::Active
}

fn names(key: &OwnerKey, account: Account) -> bool {
    match (key, account) {
        (OwnerKey::Ed25519(key), Account::Solana(account)) => *key == account,
        (OwnerKey::Secp256k1(key), Account::Evm(account)) => *key == account,
        _ => false,
    }
}
