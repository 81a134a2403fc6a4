//! Statements over REST: the signer writes the text of what an owner wants to say, and carries it out once as many
//! owners have signed exactly that text. Nothing here decides: a draft changes nothing, and what is handed in is
//! verified by the signer alone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::statement::{HandedIn, StatementFacts};
use waiaas_shared::view::OwnerView;

use super::super::error::{Problem, ProblemBody};
use super::access::{Owner, OwnerRequest};
use super::facts::Facts;
use super::signature;
use crate::app::App;
use crate::views::Stale;

/// Signatures of one statement; no quorum is larger.
const SIGNATURES: usize = 32;

/// A text to be signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"statement": "statement_00000000000000000000000001", "kind": "APPROVE PAYMENT",
    "text": "WAIaaS APPROVE PAYMENT\n...", "page": "http://127.0.0.1:3100/sign#text=V0FJ...", "handed_in": "here"}))]
pub(super) struct DraftView {
    /// The statement's identifier: used once.
    statement: String,
    /// Its kind, as the text's first line names it.
    kind: &'static str,
    /// Exactly what owners sign, byte for byte. Read it before anybody signs: what a gateway serves counts as
    /// hostile, and the text that the wallet shows is what counts.
    text: String,
    /// The signing page with this text behind its `#`; opening it decides nothing.
    page: String,
    /// `here`: handed in at `POST /v1/owner/statements/{statement}/submit`. Otherwise the command on the owner's own
    /// machine that hands it in, because the password or a rehearsal goes with it.
    handed_in: &'static str,
}

/// Owners' signatures over a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"signatures": [{"signature": "0x..."}]}))]
pub(super) struct SubmitBody {
    /// One of each owner; as many different owners as the statement takes.
    signatures: Vec<SignatureBody>,
}

/// One owner's signature.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureBody {
    /// Whose; the one who is logged in if absent.
    #[schema(value_type = Option<String>)]
    owner: Option<OwnerId>,
    /// How the wallet wrapped the text: `ed25519-plain`, `ed25519-offchain-v0`, `ed25519-offchain-v1`, `eip191`; what
    /// its rehearsal recorded if absent.
    envelope: Option<String>,
    /// Base58 of 64 bytes (Ed25519), or `0x` and 130 lower-case hexadecimal digits (r, s, v).
    signature: String,
}

/// A statement that was carried out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"sequence": 42}))]
pub(super) struct Done {
    /// Number of its event in the signer's log.
    sequence: u64,
    /// The session that it granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

/// Have the signer write the text of a statement. Changes nothing: it is carried out once owners have signed it.
#[utoipa::path(post, path = "/v1/owner/statements", operation_id = "owner_statements_draft", tag = "owner statements", request_body = Facts,
    responses((status = 201, description = "The signer's text; an hour to sign it", body = DraftView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn draft(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<(StatusCode, Json<DraftView>), Problem> {
    let facts: Facts = request.read()?;
    drafted(&app, facts.read()?).await
}

/// Has the signer write a text.
pub(super) async fn drafted(
    app: &App,
    facts: StatementFacts,
) -> Result<(StatusCode, Json<DraftView>), Problem> {
    app.require_sound_log()?;
    let drafted = app.signer.draft_statement(facts.clone()).await?;
    let origin = app.owners.logins.origin().map(ToString::to_string);
    let page = format!(
        "{}/sign#text={}",
        origin.unwrap_or_default(),
        URL_SAFE_NO_PAD.encode(&drafted.text)
    );
    let view = DraftView {
        statement: drafted.statement.to_string(),
        kind: facts.heading(),
        text: drafted.text,
        page,
        handed_in: handed_in(&facts),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Where a kind is handed in: what the password or more goes with, on the owner's own machine. A policy that is not
/// the first comes here, too.
const fn handed_in(facts: &StatementFacts) -> &'static str {
    match (facts, facts.handed_in()) {
        (StatementFacts::AdoptPolicy { .. }, _) | (_, HandedIn::Alone) => "here",
        (_, HandedIn::WithPassword) => "waiaas statement submit",
        (_, HandedIn::Own(command)) => command,
    }
}

/// Hand in owners' signatures over a text. The signer verifies them, and carries out what was signed, once.
#[utoipa::path(post, path = "/v1/owner/statements/{statement}/submit", operation_id = "owner_statements_submit", tag = "owner statements",
    request_body = SubmitBody, params(("statement" = String, Path, description = "The statement's identifier")),
    responses((status = 200, description = "Carried out", body = Done),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Done>, Problem> {
    let Path(text) = path.map_err(|_| Code::StatementUnknown)?;
    let statement: StatementId = text.parse().map_err(|_| Code::StatementUnknown)?;
    let body: SubmitBody = request.read()?;
    if !(1..=SIGNATURES).contains(&body.signatures.len()) {
        return Err(Code::BodyMalformed.into());
    }
    app.require_sound_log()?;
    let signatures = body.signatures.iter();
    let signatures = signatures
        .map(|one| signed(&request.owner, one))
        .collect::<Result<Vec<_>, Code>>()?;
    let submitted = app.signer.submit_statement(statement, signatures).await?;
    app.views.forget(&Stale::everything());
    let session = granted(&app, submitted.sequence).await;
    Ok(Json(Done {
        sequence: submitted.sequence,
        session: session.map(|session| session.to_string()),
    }))
}

/// A signature with whose it is and how it was wrapped.
fn signed(owner: &Owner, body: &SignatureBody) -> Result<OwnerSignature, Code> {
    let id = body.owner.unwrap_or(owner.token.owner);
    let (key, usual) = registered(&owner.owners, id).ok_or(Code::StatementSignature)?;
    let envelope = match &body.envelope {
        None => usual,
        Some(name) => Envelope::from_text(name).ok_or(Code::BodyMalformed)?,
    };
    let signature = signature::read(&key, &body.signature).ok_or(Code::StatementSignature)?;
    Ok(OwnerSignature {
        owner: id,
        envelope,
        signature,
    })
}

/// The key of an owner or a guardian, and what its wallet produces.
fn registered(owners: &[OwnerView], id: OwnerId) -> Option<(OwnerKey, Envelope)> {
    let owner = owners.iter().find(|view| view.owner == id);
    let owner = owner.map(|view| (view.key, view.envelope));
    owner.or_else(|| {
        let guardians = owners.iter().flat_map(|view| &view.guardians);
        let mut known = guardians.filter(|guardian| guardian.id == id);
        known.next().map(|known| (known.key, known.envelope))
    })
}

/// The session that an event granted. What was carried out stays so, whether or not the log can be read now.
async fn granted(app: &App, sequence: u64) -> Option<SessionId> {
    use waiaas_shared::codec::from_canonical;
    use waiaas_shared::event::{Event, EventBody};

    let page = app
        .signer
        .events(sequence.saturating_sub(1), 1, std::time::Duration::ZERO)
        .await
        .ok()?;
    let record = page
        .events
        .first()
        .filter(|record| record.sequence == sequence)?;
    match from_canonical::<Event>(&record.body).ok()?.body {
        EventBody::SessionGranted { session, .. } => Some(session),
        _ => None,
    }
}
