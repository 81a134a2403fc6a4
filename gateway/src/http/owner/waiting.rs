//! What waits, as an owner sees it: read from the signer at each request, never from what a gateway keeps. Approving
//! and rejecting are statements: the text is asked for here and handed in with the others. Cancelling only tightens,
//! so a login is enough.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::{IntentView, Wait};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Clocks, WallTime};

use super::super::error::{Broken, Problem, ProblemBody};
use super::super::json::TransferView;
use super::super::sessions::Stopped;
use super::access::{Owner, OwnerRequest};
use super::spoken::Spoken;
use super::statements::{DraftView, drafted};
use crate::app::App;
use crate::clock::rfc3339;
use crate::notify::{self, Names};

/// A payment that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitingView {
    /// Its identifier, before and after it is signed.
    transaction: String,
    /// What happened, in a few words, in the language that the request asks for.
    title: String,
    /// What it does and how it stands, a line each, in that language.
    lines: Vec<String>,
    /// DELAY or APPROVAL.
    tier: &'static str,
    /// `transfer`, `approve`, `call`, `stake`, `unstake` or `withdraw_stake`.
    #[serde(rename = "type")]
    action: &'static str,
    /// From which wallet.
    wallet: String,
    /// Under which session.
    session: String,
    /// On which network (CAIP-2).
    network: String,
    /// Everything that moves, in order.
    transfers: Vec<TransferView>,
    /// Of a call: the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    /// Of a call: its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
    /// The text that it writes to the chain's log: the agent's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<String>,
    /// Most that the fee may be, base units of the native asset.
    fee_max_base: String,
    /// Whether the wallet never paid this recipient before.
    first_payment: bool,
    /// Rules that it breaks, about which the owner is asked instead.
    asks_about: Vec<Broken>,
    /// How many different owners must sign; absent if it waits for its delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    owners_needed: Option<u8>,
    /// Whether they have signed.
    approved: bool,
    /// Seconds until it may be signed, on the signer's own clock; absent while owners have not signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_in_seconds: Option<u64>,
    /// When its wait ends for good (RFC 3339).
    expires_at: String,
    /// Epoch of the policy under which it was accepted.
    policy_epoch: u64,
}

/// Everything that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitingList {
    /// In the signer's order.
    waiting: Vec<WaitingView>,
}

/// Which text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "approve"}))]
pub(super) struct DecisionBody {
    /// `approve` or `reject`.
    decision: Decision,
}

/// What an owner decides about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decision {
    /// Let it be signed, once.
    Approve,
    /// End it for good.
    Reject,
}

/// List what waits: for its delay, or for owners.
#[utoipa::path(get, path = "/v1/owner/waiting", operation_id = "owner_waiting_list", tag = "owner waiting",
    responses((status = 200, description = "What waits", body = WaitingList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn list(
    _: Owner,
    State(app): State<Arc<App>>,
    spoken: Spoken,
) -> Result<Json<WaitingList>, Problem> {
    let views = app.signer.intents().await?;
    let names = Names::known(&app).await;
    let waiting = views.iter().map(|view| shown(&app, view, &names, spoken));
    Ok(Json(WaitingList {
        waiting: waiting.collect(),
    }))
}

/// Show one payment that waits.
#[utoipa::path(get, path = "/v1/owner/waiting/{transaction}", operation_id = "owner_waiting_show", tag = "owner waiting",
    params(("transaction" = String, Path, description = "The payment's identifier")),
    responses((status = 200, description = "The payment", body = WaitingView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn show(
    _: Owner,
    State(app): State<Arc<App>>,
    spoken: Spoken,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<WaitingView>, Problem> {
    let transaction = transaction(path)?;
    let views = app.signer.intents().await?;
    let view = views
        .iter()
        .find(|view| view.intent.transaction == transaction)
        .ok_or(Code::IntentUnknown)?;
    let names = Names::known(&app).await;
    Ok(Json(shown(&app, view, &names, spoken)))
}

/// Have the signer write the text that approves or rejects a payment.
#[utoipa::path(post, path = "/v1/owner/waiting/{transaction}/draft", operation_id = "owner_waiting_draft", tag = "owner waiting",
    request_body = DecisionBody, params(("transaction" = String, Path, description = "The payment's identifier")),
    responses((status = 201, description = "The signer's text; hand it in as any statement", body = DraftView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn draft(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<(StatusCode, Json<DraftView>), Problem> {
    let transaction = transaction(path)?;
    let facts = match request.read::<DecisionBody>()?.decision {
        Decision::Approve => StatementFacts::ApprovePayment { transaction },
        Decision::Reject => StatementFacts::RejectPayment { transaction },
    };
    drafted(&app, facts).await
}

/// End a waiting payment for good.
#[utoipa::path(post, path = "/v1/owner/waiting/{transaction}/cancel", operation_id = "owner_waiting_cancel", tag = "owner waiting",
    params(("transaction" = String, Path, description = "The payment's identifier")),
    responses((status = 200, description = "Ended", body = Stopped),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Stopped>, Problem> {
    let transaction = transaction(path)?;
    request.nothing()?;
    let sequence = app.signer.cancel_intent(transaction).await?;
    Ok(Json(Stopped { sequence }))
}

fn transaction(path: Result<Path<String>, PathRejection>) -> Result<TransactionId, Code> {
    let Path(text) = path.map_err(|_| Code::IntentUnknown)?;
    text.parse().map_err(|_| Code::IntentUnknown)
}

fn shown(app: &App, view: &IntentView, names: &Names, spoken: Spoken) -> WaitingView {
    let intent = &view.intent;
    // Told as when it was opened, on the clocks of this very answer.
    let waited = view.now.run.since(intent.opened);
    let opened = view.now.wall.millis().saturating_sub(waited.millis());
    let event = Event {
        clocks: Clocks {
            wall: WallTime::from_millis(opened),
            ..view.now
        },
        body: EventBody::IntentOpened(intent.clone()),
    };
    let told = notify::told(&event, 0, names, app.clock.now(), spoken.0);
    let claim = intent.claim();
    WaitingView {
        transaction: intent.transaction.to_string(),
        title: told.title,
        lines: told.lines,
        tier: intent.tier().as_str(),
        action: intent.action().as_str(),
        wallet: intent.wallet.to_string(),
        session: intent.session.to_string(),
        network: intent.asset.chain().to_string(),
        transfers: claim.transfers().map(TransferView::from).collect(),
        function: intent.call.as_ref().map(|told| told.function.to_string()),
        args: intent.call.as_ref().map(|told| told.shown()),
        memo: claim.memo().map(ToString::to_string),
        fee_max_base: intent.fee_ceiling.to_string(),
        first_payment: intent.first_payment,
        asks_about: intent.asked.iter().flatten().map(Broken::from).collect(),
        owners_needed: match intent.wait {
            Wait::Approval { quorum } => Some(quorum),
            Wait::Delay { .. } => None,
        },
        approved: view.approved_until.is_some(),
        ready_in_seconds: view.ready_in().map(|left| left.millis().div_ceil(1000)),
        expires_at: rfc3339(intent.expires),
        policy_epoch: intent.policy_epoch,
    }
}
