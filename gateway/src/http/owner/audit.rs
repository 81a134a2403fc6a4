//! The signer's log for owners: pages of events in words, and the signed head that an owner keeps. A gateway is no
//! witness: what it shows is checked with the command line, and only heads that the owner keeps count.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::event_words;
use waiaas_shared::event_words::names::Names as LogNames;

use super::super::error::{GatewayCode, Problem, ProblemBody};
use super::access::Owner;
use super::spoken::Spoken;
use crate::app::App;
use crate::clock::rfc3339;
use crate::notify::{self, Names};

const PAGE_DEFAULT: u64 = 50;
const PAGE_LIMIT: u64 = 200;
/// Bytes of events asked for at once; the signer's own limit.
const PAGE_BYTES: u32 = 256 * 1024;

/// Which part of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// How many, 1 to 200; 50 if absent.
    limit: Option<u64>,
    /// Events before this one: the `before` of a page. The newest if both are absent.
    before: Option<u64>,
    /// Events after this one: the `after` of a page.
    after: Option<u64>,
}

/// A part of the log, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// The events.
    events: Vec<EventJson>,
    /// `before` of the page of older events; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// `after` of the page of newer events.
    after: u64,
    /// Number of the log's newest event.
    last: u64,
    /// Up to which event this gateway has followed and checked the log.
    followed: u64,
}

/// One event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventJson {
    /// Its number.
    sequence: u64,
    /// When, by the signer's clock (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Its kind, as docs/events.md names it; absent if a newer signer wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// What it is told as, in the language that the request asks for; absent where nobody is told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// All of it in the words of the log.
    text: String,
    /// Which session it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// Which wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<String>,
    /// Which payments.
    transactions: Vec<String>,
    /// Its hash in the chain.
    hash: String,
}

/// The log's head.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"sequence": 42, "head": "waiaas.../signer_...\n42\n...\n\n- ...\n"}))]
pub(super) struct HeadView {
    /// Number of the newest event.
    sequence: u64,
    /// The signed note over it: keep it where no gateway reaches. `waiaas unlock` presents the last one that was kept.
    head: String,
}

/// Show a part of the log in words, the newest events if nothing else is asked for.
#[utoipa::path(get, path = "/v1/owner/audit", operation_id = "owner_audit_page", tag = "owner audit", params(AuditQuery),
    responses((status = 200, description = "A page", body = AuditPage),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn page(
    _: Owner,
    State(app): State<Arc<App>>,
    spoken: Spoken,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPage>, Problem> {
    let Query(query) = query.map_err(|_| GatewayCode::QueryMalformed)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_LIMIT).contains(&limit) || (query.before.is_some() && query.after.is_some()) {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let newest = app.signer.status().await?.sequence;
    let after = match (query.after, query.before) {
        (Some(after), _) => after,
        (None, before) => before
            .unwrap_or(u64::MAX)
            .min(newest.saturating_add(1))
            .saturating_sub(limit.saturating_add(1)),
    };
    let end = match query.before {
        None => after.saturating_add(limit),
        Some(before) => before.saturating_sub(1).min(after.saturating_add(limit)),
    };
    let (records, last) = read(&app, after, end).await?;
    let names = Names::known(&app).await;
    let log_names = LogNames::of(names.newest().cloned());
    let now = app.clock.now();
    let events = records.iter().map(|record| {
        let Ok(event) = from_canonical::<Event>(&record.body) else {
            return unread(record);
        };
        let told = notify::told(&event, record.sequence, &names, now, spoken.0);
        shown(record, &event, &log_names, Some(told.title))
    });
    let events: Vec<EventJson> = events.collect();
    Ok(Json(AuditPage {
        before: Some(after.saturating_add(1)).filter(|_| after > 0),
        after: records.last().map_or(after, |record| record.sequence),
        events,
        last,
        followed: app.feed().sequence,
    }))
}

/// Show the log's signed head.
#[utoipa::path(get, path = "/v1/owner/audit/head", operation_id = "owner_audit_head", tag = "owner audit",
    responses((status = 200, description = "The head", body = HeadView),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn head(_: Owner, State(app): State<Arc<App>>) -> Result<Json<HeadView>, Problem> {
    let status = app.signer.status().await?;
    Ok(Json(HeadView {
        sequence: status.sequence,
        head: status.head,
    }))
}

/// The events behind `after` up to `end`, and the number of the newest.
async fn read(app: &App, mut after: u64, end: u64) -> Result<(Vec<EventRecord>, u64), Problem> {
    let mut records = Vec::new();
    loop {
        let page = app.signer.events(after, PAGE_BYTES, Duration::ZERO).await?;
        let last = page.last;
        let Some(reached) = page.events.last().map(|record| record.sequence) else {
            return Ok((records, last));
        };
        records.extend(
            page.events
                .into_iter()
                .filter(|record| record.sequence <= end),
        );
        after = reached;
        if after >= end || after >= last {
            return Ok((records, last));
        }
    }
}

fn unread(record: &EventRecord) -> EventJson {
    EventJson {
        sequence: record.sequence,
        at: None,
        kind: None,
        title: None,
        text: "not understood: a newer signer wrote it".to_owned(),
        session: None,
        wallet: None,
        transactions: Vec::new(),
        hash: record.hash.to_string(),
    }
}

/// An event as it is shown.
pub(super) fn shown(
    record: &EventRecord,
    event: &Event,
    names: &LogNames,
    title: Option<String>,
) -> EventJson {
    let (kind, text) = event_words::words(&event.body, names);
    let about = event.body.about();
    EventJson {
        sequence: record.sequence,
        at: Some(rfc3339(event.clocks.wall)),
        kind: Some(kind),
        title: title.filter(|title| !title.is_empty()),
        text,
        session: about.session.map(|session| session.to_string()),
        wallet: about.wallet.map(|wallet| wallet.to_string()),
        transactions: about.transactions.iter().map(ToString::to_string).collect(),
        hash: record.hash.to_string(),
    }
}
