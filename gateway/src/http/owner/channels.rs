//! Where owners are told: the channels as they are configured, how they do, and a trial message. No address, token or
//! chat leaves: whoever is logged in needs none of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::error::{GatewayCode, Problem, ProblemBody};
use super::access::{Owner, OwnerRequest};
use crate::app::App;
use crate::clock::rfc3339;
use crate::database::Durability;
use crate::notify::{ChannelState, outbox};

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelView {
    /// Its name in the configuration.
    name: String,
    /// `webhook`, `telegram`, `discord`, `slack`, `ntfy` or `email`.
    service: &'static str,
    /// `en` or `ko`.
    language: &'static str,
    /// The kinds of messages that it is told (docs/notifications.md).
    kinds: Vec<&'static str>,
    /// Whether it has quiet hours.
    quiet_hours: bool,
    /// The channels for which it stands in.
    stands_in_for: Vec<String>,
    /// Whether amounts, recipients and names stay out of its messages.
    terse: bool,
    /// Since when it takes no messages (RFC 3339); absent while it does, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    away_since: Option<String>,
    /// Messages that it is still to be told.
    to_be_told: u64,
}

/// Every channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelList {
    /// In the order of the configuration.
    channels: Vec<ChannelView>,
}

/// Receivers of webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookList {
    /// In the order of the configuration.
    webhooks: Vec<ChannelView>,
}

/// The channel took it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"taken": true}))]
pub(super) struct Tried {
    /// Always `true`.
    taken: bool,
}

impl ChannelView {
    fn of(state: ChannelState, to_be_told: u64) -> Self {
        Self {
            name: state.name,
            service: state.service,
            language: state.language,
            kinds: state.kinds.iter().map(|kind| kind.as_str()).collect(),
            quiet_hours: state.quiet_hours,
            stands_in_for: state.stands_in_for,
            terse: state.terse,
            away_since: state.away_since.map(rfc3339),
            to_be_told,
        }
    }
}

/// List the channels in which owners are told.
#[utoipa::path(get, path = "/v1/owner/channels", operation_id = "owner_channels_list", tag = "owner channels",
    responses((status = 200, description = "The channels", body = ChannelList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn list(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<ChannelList>, Problem> {
    let channels = states(&app).await?;
    Ok(Json(ChannelList { channels }))
}

/// List the receivers of webhooks.
#[utoipa::path(get, path = "/v1/owner/webhooks", operation_id = "owner_channels_webhooks", tag = "owner channels",
    responses((status = 200, description = "The webhooks", body = WebhookList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn webhooks(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<WebhookList>, Problem> {
    let mut webhooks = states(&app).await?;
    webhooks.retain(|channel| channel.service == "webhook");
    Ok(Json(WebhookList { webhooks }))
}

/// Send a trial message through a channel.
#[utoipa::path(post, path = "/v1/owner/channels/{channel}/test", operation_id = "owner_channels_test", tag = "owner channels",
    params(("channel" = String, Path, description = "The channel's name")),
    responses((status = 200, description = "The channel took it", body = Tried),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: OwnerRequest,
) -> Result<Json<Tried>, Problem> {
    let Path(name) = path.map_err(|_| GatewayCode::ChannelUnknown)?;
    request.nothing()?;
    match app.channels.try_out(&name, app.clock.now()).await {
        None => Err(GatewayCode::ChannelUnknown.into()),
        Some(Ok(())) => Ok(Json(Tried { taken: true })),
        Some(Err(error)) => {
            Err(Problem::of(GatewayCode::ChannelFailed).with_detail(error.to_string()))
        }
    }
}

async fn states(app: &App) -> Result<Vec<ChannelView>, Problem> {
    let states = app.channels.states();
    let names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
    let count = move |connection: &rusqlite::Connection| {
        let counts = names.iter();
        let counts = counts.map(|name| outbox::to_be_told(connection, name));
        counts.collect::<rusqlite::Result<Vec<_>>>()
    };
    let counts = app.database.run(Durability::Process, count).await?;
    let states = states.into_iter().zip(counts);
    Ok(states
        .map(|(state, count)| ChannelView::of(state, count))
        .collect())
}
