//! The owner's side of the REST interface, `/v1/owner`: login by wallet, and what an owner sees, stops, and has texts
//! written for. A login alone only shows and tightens; what loosens travels as a statement that owners signed and the
//! signer verifies.

pub mod access;
mod audit;
mod channels;
mod facts;
mod log;
mod login;
mod logins;
pub mod openapi;
mod overview;
mod people;
mod policies;
mod signature;
mod spoken;
mod statements;
mod stop;
mod waiting;
mod wallets;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

pub use logins::{LoginOrigin, Logins};

use crate::app::App;

/// What owners' routes keep: in memory alone.
#[derive(Debug)]
pub struct OwnerDesk {
    /// Challenges and logins.
    pub logins: Logins,
    log: log::Log,
    /// A replay reads the whole log.
    replays: Semaphore,
}

impl OwnerDesk {
    /// Nobody is logged in; owners reach this gateway at `origin`.
    #[must_use]
    pub fn new(origin: Option<LoginOrigin>) -> Self {
        Self {
            logins: Logins::new(origin),
            log: log::Log::default(),
            replays: Semaphore::new(1),
        }
    }
}

/// The routes.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/owner/login/challenge", post(login::challenge))
        .route("/v1/owner/login", post(login::login))
        .route("/v1/owner/logout", post(login::logout))
        .route("/v1/owner/overview", get(overview::show))
        .route("/v1/owner/waiting", get(waiting::list))
        .route("/v1/owner/waiting/{transaction}", get(waiting::show))
        .route(
            "/v1/owner/waiting/{transaction}/draft",
            post(waiting::draft),
        )
        .route(
            "/v1/owner/waiting/{transaction}/cancel",
            post(waiting::cancel),
        )
        .route("/v1/owner/statements", post(statements::draft))
        .route(
            "/v1/owner/statements/{statement}/submit",
            post(statements::submit),
        )
        .route("/v1/owner/owners", get(people::owners))
        .route("/v1/owner/agents", get(people::agents))
        .route("/v1/owner/agents/{agent}", get(people::agent))
        .route("/v1/owner/agents/{agent}/suspend", post(people::suspend))
        .route(
            "/v1/owner/agents/{agent}/terminate",
            post(people::terminate),
        )
        .route("/v1/owner/sessions", get(people::sessions))
        .route("/v1/owner/sessions/{session}", get(people::session))
        .route("/v1/owner/sessions/{session}/revoke", post(people::revoke))
        .route("/v1/owner/wallets", get(wallets::list))
        .route(
            "/v1/owner/wallets/{wallet}/balances",
            get(wallets::balances),
        )
        .route("/v1/owner/pools", get(wallets::pools))
        .route("/v1/owner/policies", get(policies::list))
        .route("/v1/owner/policies/explain", post(policies::explain))
        .route("/v1/owner/policies/diff", post(policies::difference))
        .route("/v1/owner/policies/replay", post(policies::replay))
        .route("/v1/owner/policies/{epoch}", get(policies::show))
        .route("/v1/owner/audit", get(audit::page))
        .route("/v1/owner/audit/head", get(audit::head))
        .route("/v1/owner/channels", get(channels::list))
        .route("/v1/owner/channels/{channel}/test", post(channels::test))
        .route("/v1/owner/webhooks", get(channels::webhooks))
        .route("/v1/owner/pause", post(stop::pause))
        .route("/v1/owner/kill", post(stop::kill))
        .layer(middleware::from_fn(spoken::titles))
}

#[cfg(test)]
mod tests;
