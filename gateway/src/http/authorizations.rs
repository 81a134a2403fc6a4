//! Transfers that are authorized for somebody else to bring to the chain (EIP-3009), as x402 asks for them. The signer
//! makes nonce, times and digest from what the body says is paid; no route takes typed data to sign.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_client::SignedTransfer;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SignerId, WalletId};
use waiaas_shared::request::AuthorizationRequest;

use super::auth::{Session, SignedSession};
use super::error::{GatewayCode, Problem, ProblemBody};
use super::messages::{MessageBody, MessageJudged, checked, judged, made, tried};
use crate::app::App;

/// The body of an authorization, for its description only: it is read by `waiaas_shared::request`.
#[derive(Debug, ToSchema)]
#[schema(as = AuthorizationRequest)]
#[expect(
    dead_code,
    reason = "describes what waiaas_shared::request reads; never made"
)]
pub(super) struct AuthorizationBody {
    /// The signer that the agent means.
    signer: String,
    /// From which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// Which token (CAIP-19): one that policy lets be authorized.
    asset: String,
    /// Who receives: an address, or a contact of the policy as `@name`.
    to: String,
    /// In the token's unit, as decimal text; either this or `amount_base`.
    amount: Option<String>,
    /// In base units, as decimal text.
    amount_base: Option<String>,
    /// Seconds for which it may be used (x402: `maxTimeoutSeconds`); as long as policy lets if absent.
    expires_in: Option<u64>,
}

/// A signed authorization, or the earlier one of the same Idempotency-Key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TransferAuthorization)]
pub(super) struct AuthorizationView {
    /// The payment's identifier.
    transaction: String,
    /// The fields that are signed, in the names and forms of EIP-3009 and x402.
    authorization: AuthorizationFields,
    /// The token's EIP-712 domain.
    domain: DomainFields,
    /// `0x` and 65 bytes r, s, v in hexadecimal.
    signature: String,
    /// INSTANT or NOTIFY.
    tier: &'static str,
    /// Whether this is an earlier authorization; nothing was charged again.
    replay: bool,
    /// Number of the event in the signer's log that charged it.
    sequence: u64,
}

/// `TransferWithAuthorization` of EIP-3009; numbers as decimal text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuthorizationFields {
    /// Who pays: the wallet's address.
    from: String,
    /// Who receives.
    to: String,
    /// Base units.
    value: String,
    /// Seconds: the token takes it after this time.
    valid_after: String,
    /// Seconds: and before this one.
    valid_before: String,
    /// `0x` and 32 bytes, made by the signer.
    nonce: String,
}

/// `EIP712Domain` of the token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DomainFields {
    /// As the token calls itself.
    name: String,
    /// Its version.
    version: String,
    /// The network's chain id.
    chain_id: u64,
    /// The token's contract.
    verifying_contract: String,
}

/// Authorize a transfer of a token that somebody else brings to the chain (EIP-3009).
#[utoipa::path(
    post, path = "/v1/messages/transfer-authorization", tag = "messages",
    params(("Idempotency-Key" = String, Header, description = "1 to 128 visible ASCII characters; the same key and body never charge or sign another authorization")),
    request_body = AuthorizationBody,
    responses(
        (status = 201, description = "Charged and signed", body = AuthorizationView),
        (status = 200, description = "The earlier authorization of this Idempotency-Key", body = AuthorizationView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn authorize_transfer(
    State(app): State<Arc<App>>,
    signed: SignedSession,
) -> Result<(StatusCode, Json<AuthorizationView>), Problem> {
    let (_, asked) = checked::<AuthorizationRequest>(&app, signed)?;
    let authorized = app.signer.authorize_transfer(asked).await?;
    let view = AuthorizationView::of(&authorized)?;
    Ok((made(authorized.replay), Json(view)))
}

/// Judge an authorization without signing it; nothing is reserved.
#[utoipa::path(
    post, path = "/v1/messages/transfer-authorization/dry-run", tag = "messages",
    operation_id = "dry_run_authorization", request_body = AuthorizationBody,
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
    let asked = tried::<AuthorizationRequest>(&app, &session, request).await?;
    judged(app.signer.decide_authorization(asked).await)
}

impl MessageBody for AuthorizationRequest {
    fn read(body: &[u8]) -> Result<Self, Code> {
        Self::parse(body)
    }

    fn meant(&self) -> (SignerId, WalletId) {
        (self.signer, self.wallet)
    }
}

impl AuthorizationView {
    fn of(authorized: &SignedTransfer) -> Result<Self, Problem> {
        let fields = &authorized.authorization;
        let (chain_id, contract) = fields.token().ok_or(GatewayCode::SignerVersion)?;
        Ok(Self {
            transaction: authorized.transaction.to_string(),
            authorization: AuthorizationFields::of(fields),
            domain: DomainFields {
                name: fields.domain.name.clone(),
                version: fields.domain.version.clone(),
                chain_id,
                verifying_contract: contract.to_string(),
            },
            signature: format!("0x{}", hex::encode(&authorized.signature)),
            tier: authorized.tier.as_str(),
            replay: authorized.replay,
            sequence: authorized.sequence,
        })
    }
}

impl AuthorizationFields {
    fn of(fields: &TransferAuthorization) -> Self {
        Self {
            from: fields.from.to_string(),
            to: fields.to.to_string(),
            value: fields.value.to_string(),
            valid_after: fields.valid_after.to_string(),
            valid_before: fields.valid_before.to_string(),
            nonce: format!("0x{}", hex::encode(fields.nonce)),
        }
    }
}
