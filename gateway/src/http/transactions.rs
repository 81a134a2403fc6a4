//! Payments over REST: make one, judge one without making it, read one's own, speed one up, cancel one.
//! Another session's payment does not exist here.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::solana::WireTransaction;
use waiaas_shared::status::Status;
use waiaas_shared::view::SessionState;

use super::auth::{PaymentSession, Session, SignedSession};
use super::error::{Broken, GatewayCode, Problem, ProblemBody};
use super::json::TransactionView;
use super::openapi::{BroughtBody, TransferBody};
use super::sessions::{nothing, once};
use super::waiting::{WaitQuery, Waiting};
use crate::app::App;
use crate::chain::Prepared;
use crate::database::Durability;
use crate::payment::Payment;
use crate::pipeline::evaluate::Evaluated;
use crate::pipeline::validate::{idempotency_key, validate};
use crate::pipeline::{Asked, Paid, Refusal, confirm, evaluate, find, pay, sign, vary};
use crate::projection::store;
use crate::signer_client::SignerError;
use crate::views::KnownSession;

const PAGE_DEFAULT: u32 = 50;
const PAGE_LIMIT: u32 = 100;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many, 1 to 100; 50 if absent.
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<u64>,
}

/// A payment that was made, or the earlier one that used the same Idempotency-Key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Made {
    #[serde(flatten)]
    transaction: TransactionView,
    /// Whether this is an earlier payment; nothing was charged again.
    replay: bool,
    /// The signed bytes in base64, for `submit: false`. Absent if the signer does not let them out any
    /// more.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_transaction: Option<String>,
    /// Whose signatures it still needs before the chain takes it, of a transaction that was brought; their places
    /// are empty. Absent if nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures_missing: Vec<String>,
}

impl Made {
    fn of(
        payment: &Payment,
        raw: Option<Vec<u8>>,
        replay: bool,
        commitment: Option<&'static str>,
    ) -> Self {
        let wire = raw
            .as_deref()
            .filter(|_| matches!(payment.facts.chain, ChainId::Solana(_)))
            .and_then(|raw| WireTransaction::parse(raw).ok());
        let missing = wire.iter().flat_map(WireTransaction::missing);
        Self {
            transaction: TransactionView::from(payment).standing(commitment),
            replay,
            signatures_missing: missing.map(|signer| signer.to_string()).collect(),
            signed_transaction: raw.map(|raw| BASE64.encode(raw)),
        }
    }
}

/// What would be decided now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Judged {
    /// Whether the payment would be signed.
    allowed: bool,
    /// INSTANT, NOTIFY, DELAY or APPROVAL, if allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    /// Worst-case fee, base units of the native asset, if allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_max_base: Option<String>,
    /// What the network would take now for the transaction's data, base units of the native asset, if it takes
    /// anything beside gas. In `fee_max_base` policy's ceiling for it is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_fee_base: Option<String>,
    /// Every rule that it breaks.
    violations: Vec<Broken>,
    /// The whole refusal that the payment would meet, if it breaks a rule: with what is allowed now and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    refusal: Option<Problem>,
    /// What stands in the way besides policy: no node, a fee above the ceiling, or that the chain would refuse it.
    /// Where nothing could be built, the judgement assumes the least fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    chain_problem: Option<Problem>,
}

/// A part of the list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionPage {
    /// The payments.
    transactions: Vec<TransactionView>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Make a payment.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "transactions", params(WaitQuery,
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible ASCII characters; the same key and body never pay twice")),
    request_body = TransferBody,
    responses(
        (status = 201, description = "Signed, and sent unless submit is false", body = Made),
        (status = 202, description = "Accepted, and waits: for its delay, or for its owners", body = Made),
        (status = 200, description = "The earlier payment of this Idempotency-Key", body = Made),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    query: Result<Query<WaitQuery>, QueryRejection>,
    asked: PaymentSession,
) -> Result<Response, Problem> {
    make(app, query, asked, false).await
}

/// Have a transaction signed that you bring.
///
/// The bytes are decoded and judged as any payment is, and what the wallet's signature is for follows from them:
/// it pays the fee and signs alone, or, on Solana, signs second behind somebody else who pays it. They come
/// back as they are with the signature in its place, and are not sent unless `submit` says so.
#[utoipa::path(
    post, path = "/v1/transactions/sign", tag = "transactions", params(WaitQuery,
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible ASCII characters; the same key and body are never charged twice")),
    request_body = BroughtBody,
    responses(
        (status = 201, description = "Signed; `signatures_missing` says whose signatures it still needs", body = Made),
        (status = 202, description = "Accepted, and waits: for its delay, or for its owners. It is built anew when it is released", body = Made),
        (status = 200, description = "The earlier payment of this Idempotency-Key", body = Made),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn sign_brought(
    State(app): State<Arc<App>>,
    query: Result<Query<WaitQuery>, QueryRejection>,
    asked: PaymentSession,
) -> Result<Response, Problem> {
    make(app, query, asked, true).await
}

async fn make(
    app: Arc<App>,
    query: Result<Query<WaitQuery>, QueryRejection>,
    PaymentSession { session, request }: PaymentSession,
    brings: bool,
) -> Result<Response, Problem> {
    let waiting = Waiting::read(query)?;
    idempotency_key(&request.idempotency_key)?;
    let body = validate(&request.body, &session, app.known_signer())?;
    // Each route takes its own bodies: what an agent signed for one serves no other.
    if body.brought.is_some() != brings {
        return Err(Code::BodyMalformed.into());
    }
    let waiting = waiting.on(body.network.family())?;
    let asked = Asked {
        session,
        agent: request,
        body,
    };
    let Paid {
        payment,
        raw,
        replay,
    } = pay(&app, asked).await?;
    let (payment, commitment) = waiting.wait(&app, payment).await?;
    let location = format!("/v1/transactions/{}", payment.facts.id);
    let made = Made::of(&payment, raw, replay, commitment);
    let status = match (replay, payment.progress.status) {
        (true, _) => StatusCode::OK,
        (false, Status::Queued) => StatusCode::ACCEPTED,
        (false, _) => StatusCode::CREATED,
    };
    Ok((status, [(header::LOCATION, location)], Json(made)).into_response())
}

/// Judge a payment without making it; nothing is reserved.
#[utoipa::path(
    post, path = "/v1/transactions/dry-run", tag = "transactions", request_body = TransferBody,
    responses(
        (status = 200, description = "What would be decided now, and why", body = Judged),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []))
)]
pub(super) async fn dry_run(
    State(app): State<Arc<App>>,
    Session(session): Session,
    request: axum::extract::Request,
) -> Result<Json<Judged>, Problem> {
    if request.uri().query().is_some() {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let agent = super::auth::agent_request(request).await?;
    let body = validate(&agent.body, &session, app.known_signer())?;
    app.require_sound_log()?;
    let asked = Asked {
        session,
        agent,
        body,
    };
    let evaluated = match evaluate::evaluate(&app, &asked).await {
        Ok(evaluated) => evaluated,
        Err(Refusal::Denied(denial)) => return judged(Err(SignerError::Denied(denial)), None),
        Err(other) => return Err(other.into()),
    };
    evaluate::may_replace(&app, &asked).await?;
    let built = sign::prepare(&app, &asked, &evaluated, false).await;
    let mut data_fee = None;
    let (unsigned, chain_problem) = match built {
        Ok(prepared) => {
            data_fee = prepared.data_fee;
            let problem = trial(&app, &asked, &evaluated, &prepared).await?;
            (prepared.unsigned, problem)
        }
        Err(refusal @ (Refusal::Chain(_) | Refusal::ChainNotConfigured(_))) => {
            let nominal = match &asked.body.brought {
                None => evaluate::nominal(asked.body.network, evaluated.from, &evaluated.claim),
                Some(brought) => Some(brought.unsigned.clone()),
            };
            let problem = Problem::from(refusal);
            match nominal {
                Some(unsigned) => (unsigned, Some(problem)),
                None => return Err(problem),
            }
        }
        Err(other) => return Err(other.into()),
    };
    let verdict = evaluate::dry_run(&app, &asked, unsigned).await;
    let Json(judged) = judged(verdict, chain_problem)?;
    let data_fee_base = data_fee.filter(|_| judged.allowed);
    Ok(Json(Judged {
        data_fee_base: data_fee_base.map(|fee| fee.to_string()),
        ..judged
    }))
}

/// What a node says to the bytes, where the gateway would send them: shown beside the judgement, never a part of it.
async fn trial(
    app: &App,
    asked: &Asked,
    evaluated: &Evaluated,
    prepared: &Prepared,
) -> Result<Option<Problem>, Problem> {
    if !asked.body.submit {
        return Ok(None);
    }
    let (from, network) = (evaluated.from, evaluated.network);
    match sign::tried(app, from, &evaluated.claim, network, prepared).await {
        Ok(()) => Ok(None),
        Err(refusal @ Refusal::Chain(_)) => Ok(Some(refusal.into())),
        Err(other) => Err(other.into()),
    }
}

fn judged(
    verdict: Result<waiaas_client::WouldAllow, SignerError>,
    chain_problem: Option<Problem>,
) -> Result<Json<Judged>, Problem> {
    match verdict {
        Ok(verdict) => Ok(Json(Judged {
            allowed: true,
            tier: Some(verdict.tier.as_str().to_owned()),
            fee_max_base: Some(verdict.fee.to_string()),
            data_fee_base: None,
            violations: Vec::new(),
            refusal: None,
            chain_problem,
        })),
        Err(SignerError::Denied(denial)) => {
            // A state of the signer, or a flaw of the request, is no judgement of a payment.
            let problem = Problem::denied(&denial);
            if problem.status() != StatusCode::FORBIDDEN {
                return Err(problem);
            }
            Ok(Json(Judged {
                allowed: false,
                tier: None,
                fee_max_base: None,
                data_fee_base: None,
                violations: denial.violations().iter().map(Broken::from).collect(),
                refusal: Some(problem.timed()),
                chain_problem,
            }))
        }
        Err(other) => Err(other.into()),
    }
}

/// List this session's payments, newest first.
#[utoipa::path(
    get, path = "/v1/transactions", tag = "transactions", params(ListQuery),
    responses(
        (status = 200, description = "A page", body = TransactionPage),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Session(session): Session,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<TransactionPage>, Problem> {
    let Query(ListQuery { limit, before }) = query.map_err(|_| GatewayCode::QueryMalformed)?;
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_LIMIT).contains(&limit)
        || before.is_some_and(|before| i64::try_from(before).is_err())
    {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let id = session.id;
    let find = move |connection: &rusqlite::Connection| {
        store::of_session(connection, id, before, limit.saturating_add(1))
    };
    let mut payments = app.database.run(Durability::Process, find).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = payments.len() > shown;
    payments.truncate(shown);
    let next = payments
        .last()
        .filter(|_| more)
        .map(|last| last.facts.listed);
    Ok(Json(TransactionPage {
        transactions: payments.iter().map(TransactionView::from).collect(),
        next,
    }))
}

/// Show one payment of this session.
#[utoipa::path(
    get, path = "/v1/transactions/{transaction}", tag = "transactions",
    params(("transaction" = String, Path, description = "The payment's identifier"), WaitQuery),
    responses(
        (status = 200, description = "The payment", body = TransactionView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []))
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Session(session): Session,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<WaitQuery>, QueryRejection>,
) -> Result<Json<TransactionView>, Problem> {
    let waiting = Waiting::read(query)?;
    let payment = own(&app, &session, path).await?;
    let waiting = waiting.on(payment.facts.chain.family())?;
    let (payment, commitment) = waiting.wait(&app, payment).await?;
    let payment = confirm::refresh(&app, payment).await?;
    Ok(Json(TransactionView::from(&payment).standing(commitment)))
}

/// Speed up a payment of this session on an EVM chain: signed once more with a higher fee, on the same
/// nonce, and sent. Needs no new approval; of all transactions of the nonce one lands. One that was
/// cancelled is cancelled again with a higher fee.
#[utoipa::path(
    post, path = "/v1/transactions/{transaction}/speed-up", tag = "transactions",
    params(("transaction" = String, Path, description = "The payment's identifier, or that of any transaction of its nonce")),
    responses(
        (status = 201, description = "The new transaction of the nonce", body = Made),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn speed_up(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    signed: SignedSession,
) -> Result<Response, Problem> {
    nothing(&signed.request)?;
    let payment = own(&app, &signed.session, path).await?;
    once(&app, &signed).await?;
    if !vary::is_open(&payment) {
        return Err(Problem::of(GatewayCode::NotUnderWay)
            .with_detail(format!("The payment is {}.", payment.progress.status)));
    }
    let Paid {
        payment,
        raw,
        replay,
    } = vary::speed_up(&app, payment).await?;
    let location = format!("/v1/transactions/{}", payment.facts.id);
    let made = Made::of(&payment, raw, replay, None);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(made),
    )
        .into_response())
}

/// Cancel a payment of this session. One that waits ends for good. One that is under way on an EVM chain
/// is cancelled on its nonce: it may still land until the cancellation has.
#[utoipa::path(
    post, path = "/v1/transactions/{transaction}/cancel", tag = "transactions",
    params(("transaction" = String, Path, description = "The payment's identifier")),
    responses(
        (status = 200, description = "Cancelled, now or before", body = TransactionView),
        (status = 202, description = "Under way: the cancellation of its nonce was sent, which `replaced_by` names", body = TransactionView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = []), ("session_token" = [], "agent_signature" = []))
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    signed: SignedSession,
) -> Result<(StatusCode, Json<TransactionView>), Problem> {
    nothing(&signed.request)?;
    let mut payment = own(&app, &signed.session, path).await?;
    once(&app, &signed).await?;
    if payment.progress.status == Status::Queued {
        let sequence = match app.signer.cancel_intent(payment.facts.id).await {
            Ok(sequence) => sequence,
            // It was signed or has ended meanwhile: the log says which.
            Err(SignerError::Denied(denial)) if is_unknown(&denial) => {
                app.signer.status().await?.sequence
            }
            Err(other) => return Err(other.into()),
        };
        app.caught_up(sequence).await?;
        payment = find(&app, payment.facts.id)
            .await?
            .ok_or(Code::TransactionUnknown)?;
    }
    if vary::is_open(&payment) {
        let id = payment.facts.id;
        vary::cancel(&app, payment).await?;
        let payment = find(&app, id).await?.ok_or(Code::TransactionUnknown)?;
        let view = Json(TransactionView::from(&payment));
        return Ok((StatusCode::ACCEPTED, view));
    }
    match payment.progress.status {
        Status::Cancelled => Ok((StatusCode::OK, Json(TransactionView::from(&payment)))),
        status => {
            Err(Problem::of(GatewayCode::NotWaiting)
                .with_detail(format!("The payment is {status}.")))
        }
    }
}

fn is_unknown(denial: &Denial) -> bool {
    let codes = denial.violations().iter().map(|broken| broken.code);
    codes.into_iter().any(|code| code == Code::IntentUnknown)
}

/// A payment of this session, by what stands in the path.
async fn own(
    app: &App,
    session: &KnownSession,
    path: Result<Path<String>, PathRejection>,
) -> Result<Payment, Problem> {
    let Path(text) = path.map_err(|_| Code::TransactionUnknown)?;
    let id: TransactionId = text.parse().map_err(|_| Code::TransactionUnknown)?;
    let payment = find(app, id).await?;
    payment
        .filter(|payment| payment.facts.session == Some(session.id))
        .ok_or_else(|| Code::TransactionUnknown.into())
}

/// The name of a session's state, as in its other forms.
pub(super) const fn state_name(state: SessionState) -> &'static str {
    match state {
        SessionState::Active => "active",
        SessionState::Expired => "expired",
        SessionState::Revoked => "revoked",
        SessionState::Suspended => "suspended",
    }
}
