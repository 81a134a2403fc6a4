//! Policies for owners: what binds, what was adopted before, a draft in words, what it changes, and past traffic
//! judged by it. Nothing here adopts: that takes a statement (`adopt-policy`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Event;
use waiaas_shared::policy::diff::{Change, diff};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::Replay;
use waiaas_shared::policy::toml_form::{self, TomlError};
use waiaas_shared::policy::words::words;

use super::super::error::{GatewayCode, Problem, ProblemBody};
use super::access::{Owner, OwnerRequest};
use super::log::{self, Adopted};
use crate::app::App;
use crate::clock::rfc3339;

/// Characters of what is wrong with a draft.
const WRONG_LIMIT: usize = 500;
/// Payments that a replay lists, if nothing else is asked for, and at most.
const LISTED_DEFAULT: usize = 50;
const LISTED_LIMIT: usize = 500;
/// Bytes of events asked for at once; the signer's own limit.
const PAGE_BYTES: u32 = 256 * 1024;
/// How long a replay may take: a longer log is judged by `waiaas policy replay`.
const PATIENCE: Duration = Duration::from_secs(30);

/// A policy in a line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"epoch": 2, "digest": "8d1e...", "adopted_at": "2026-11-21T09:30:00Z", "sequence": 41,
    "signers": ["owner_00000000000000000000000001"], "binds": true}))]
pub(super) struct PolicyLine {
    /// Its epoch.
    epoch: u64,
    /// Its digest, as the text that adopted it names it.
    digest: String,
    /// When it was adopted (RFC 3339).
    adopted_at: String,
    /// Number of the event that adopted it.
    sequence: u64,
    /// Who signed.
    signers: Vec<String>,
    /// Whether it binds now: a payment must pass every binding one.
    binds: bool,
}

/// Every policy that was adopted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyList {
    /// The oldest first.
    policies: Vec<PolicyLine>,
}

/// A policy in full.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyView {
    #[serde(flatten)]
    line: PolicyLine,
    /// In words.
    words: String,
    /// In its form for people, ready to be edited.
    toml: String,
}

/// A draft of a policy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"policy": "version = 1\nepoch = 2\n..."}))]
pub(super) struct DraftBody {
    /// As TOML (docs/policy.md).
    policy: String,
}

/// Two policies.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"after": "version = 1\nepoch = 2\n..."}))]
pub(super) struct DiffBody {
    /// The policy before, as TOML; the newest that binds if absent.
    before: Option<String>,
    /// The policy after, as TOML.
    after: String,
}

/// A draft to be tried on past traffic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"policy": "version = 1\nepoch = 2\n...", "limit": 20}))]
pub(super) struct ReplayBody {
    /// As TOML (docs/policy.md).
    policy: String,
    /// How many payments are listed, the newest; 50 if absent, 500 at most.
    limit: Option<usize>,
}

/// A draft in words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explained {
    /// Its epoch.
    epoch: u64,
    /// The epoch that can be adopted next.
    next_epoch: u64,
    /// Its digest, as the text that adopts it will name it.
    digest: String,
    /// In words.
    words: String,
    /// Against the newest policy that binds; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
}

/// What changes from one policy to another, in words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"loosenings": ["who is no contact: may receive instead of is refused"], "tightenings": []}))]
pub(super) struct Changes {
    /// What gets looser: it waits until the earlier policy has stopped to bind.
    loosenings: Vec<String>,
    /// What gets tighter: it holds at once.
    tightenings: Vec<String>,
}

/// Past traffic judged by a draft.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Replayed {
    /// Number of the last event that was judged.
    sequence: u64,
    /// What would have been decided differently, as `waiaas policy replay --json` tells it.
    #[schema(value_type = Object)]
    replay: Value,
}

impl Changes {
    fn between(before: &PolicyDocument, after: &PolicyDocument) -> Self {
        let diff = diff(before, after);
        let words = |changes: &[Change]| {
            let words = changes.iter().map(|change| change.words.clone());
            words.collect()
        };
        Self {
            loosenings: words(&diff.loosenings),
            tightenings: words(&diff.tightenings),
        }
    }
}

fn line(adopted: &Adopted, binding: &[PolicyDocument]) -> PolicyLine {
    let digest = adopted.document.digest();
    PolicyLine {
        epoch: adopted.document.epoch,
        digest: digest.to_string(),
        adopted_at: rfc3339(adopted.at),
        sequence: adopted.sequence,
        signers: adopted.signers.iter().map(ToString::to_string).collect(),
        binds: binding.iter().any(|document| document.digest() == digest),
    }
}

/// What is wrong with a draft, in the words of its reader.
pub(super) fn malformed(error: TomlError) -> Problem {
    let wrong = error.to_string();
    let wrong: String = wrong.trim_end().chars().take(WRONG_LIMIT).collect();
    Problem::from(Code::PolicyMalformed).with_detail(wrong)
}

fn read(text: &str) -> Result<PolicyDocument, Problem> {
    toml_form::parse(text).map_err(malformed)
}

/// List every policy that was adopted, and which of them bind.
#[utoipa::path(get, path = "/v1/owner/policies", operation_id = "owner_policies_list", tag = "owner policies",
    responses((status = 200, description = "The policies", body = PolicyList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn list(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<PolicyList>, Problem> {
    let adopted = log::policies(&app).await?;
    let binding = app.signer.policy().await?;
    let policies = adopted.iter().map(|adopted| line(adopted, &binding));
    Ok(Json(PolicyList {
        policies: policies.collect(),
    }))
}

/// Show one policy in words.
#[utoipa::path(get, path = "/v1/owner/policies/{epoch}", operation_id = "owner_policies_show", tag = "owner policies",
    params(("epoch" = u64, Path, description = "The policy's epoch")),
    responses((status = 200, description = "The policy", body = PolicyView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn show(
    _: Owner,
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<PolicyView>, Problem> {
    let Path(text) = path.map_err(|_| GatewayCode::PolicyUnknown)?;
    let epoch: u64 = text.parse().map_err(|_| GatewayCode::PolicyUnknown)?;
    let adopted = log::policies(&app).await?;
    // An epoch that a suspension voided may have been given again.
    let found = adopted
        .iter()
        .rfind(|adopted| adopted.document.epoch == epoch)
        .ok_or(GatewayCode::PolicyUnknown)?;
    let binding = app.signer.policy().await?;
    Ok(Json(PolicyView {
        line: line(found, &binding),
        words: words(&found.document),
        toml: toml_form::write(&found.document),
    }))
}

/// Say a draft in words, and what it changes. Adopts nothing.
#[utoipa::path(post, path = "/v1/owner/policies/explain", operation_id = "owner_policies_explain", tag = "owner policies", request_body = DraftBody,
    responses((status = 200, description = "The draft in words", body = Explained),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<Explained>, Problem> {
    let document = read(&request.read::<DraftBody>()?.policy)?;
    let status = app.signer.status().await?;
    let binding = app.signer.policy().await?;
    Ok(Json(Explained {
        epoch: document.epoch,
        next_epoch: status.policy_epoch.saturating_add(1),
        digest: document.digest().to_string(),
        words: words(&document),
        changes: binding
            .last()
            .map(|newest| Changes::between(newest, &document)),
    }))
}

/// Say what gets looser and what tighter from one policy to another.
#[utoipa::path(post, path = "/v1/owner/policies/diff", operation_id = "owner_policies_difference", tag = "owner policies", request_body = DiffBody,
    responses((status = 200, description = "The changes", body = Changes),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn difference(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<Changes>, Problem> {
    let body: DiffBody = request.read()?;
    let after = read(&body.after)?;
    let before = match &body.before {
        Some(text) => read(text)?,
        None => app
            .signer
            .policy()
            .await?
            .pop()
            .ok_or(GatewayCode::PolicyUnknown)?,
    };
    Ok(Json(Changes::between(&before, &after)))
}

/// Judge past traffic by a draft: what would have been decided differently.
#[utoipa::path(post, path = "/v1/owner/policies/replay", operation_id = "owner_policies_replay", tag = "owner policies", request_body = ReplayBody,
    responses((status = 200, description = "What would have been different", body = Replayed),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn replay(
    State(app): State<Arc<App>>,
    request: OwnerRequest,
) -> Result<Json<Replayed>, Problem> {
    let body: ReplayBody = request.read()?;
    let limit = body.limit.unwrap_or(LISTED_DEFAULT);
    if limit > LISTED_LIMIT {
        return Err(Code::BodyMalformed.into());
    }
    let document = read(&body.policy)?;
    // One at a time: it reads the whole log.
    let Ok(_place) = app.owners.replays.try_acquire() else {
        return Err(GatewayCode::Overloaded.into());
    };
    let until = Instant::now() + PATIENCE;
    let mut judge = Replay::new(document, limit);
    let mut sequence = 0;
    loop {
        let page = app
            .signer
            .events(sequence, PAGE_BYTES, Duration::ZERO)
            .await?;
        for record in &page.events {
            // What follows from an event that is not understood is not known: no figure is better than a wrong one.
            let event: Event =
                from_canonical(&record.body).map_err(|_| GatewayCode::SignerVersion)?;
            judge.event(record.sequence, &event);
            sequence = record.sequence;
        }
        if page.events.is_empty() || sequence >= page.last {
            break;
        }
        if Instant::now() >= until {
            return Err(Problem::of(GatewayCode::ProjectionBehind)
                .with_detail("The log is too long to be judged here: waiaas policy replay."));
        }
        // Honest requests are served in between.
        tokio::task::yield_now().await;
    }
    let replay = serde_json::to_value(judge.finish()).map_err(|_| GatewayCode::Internal)?;
    Ok(Json(Replayed { sequence, replay }))
}
