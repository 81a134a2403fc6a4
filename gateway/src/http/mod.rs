//! The HTTP surface: the route table, and one file for each group of routes. Routes translate between
//! HTTP and the pipeline; they decide nothing about payments.

pub mod auth;
mod authorizations;
pub mod error;
pub mod guard;
mod health;
mod history;
mod json;
mod messages;
mod networks;
mod nonces;
pub mod openapi;
pub mod owner;
mod policy;
pub mod server;
mod sessions;
mod sign;
mod stop;
pub mod token;
mod transactions;
mod waiting;
mod wallets;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::app::App;
use error::{GatewayCode, Problem};

/// Requests under way at once; above, they are refused at once. Some of them wait up to a minute.
const REQUESTS_AT_ONCE: usize = 1024;

/// Every route behind every layer.
pub fn router(app: Arc<App>) -> Router {
    let places = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    Router::new()
        .route("/health", get(health::alive))
        .route("/ready", get(health::ready))
        .route("/openapi.json", get(openapi::document))
        .route("/sign", get(sign::signing_page))
        .route("/v1/status", get(health::status))
        .route("/v1/networks/{network}/fees", get(networks::fees))
        .route("/v1/wallets", get(wallets::list))
        .route("/v1/wallets/{wallet}/balances", get(wallets::balances))
        .route("/v1/wallets/{wallet}/history", get(history::history))
        .route("/v1/wallets/{wallet}/nonce", get(nonces::next))
        .route(
            "/v1/transactions",
            get(transactions::list).post(transactions::create),
        )
        .route("/v1/transactions/dry-run", post(transactions::dry_run))
        .route("/v1/transactions/sign", post(transactions::sign_brought))
        .route("/v1/transactions/{transaction}", get(transactions::show))
        .route(
            "/v1/transactions/{transaction}/cancel",
            post(transactions::cancel),
        )
        .route(
            "/v1/transactions/{transaction}/speed-up",
            post(transactions::speed_up),
        )
        .route("/v1/messages/sign-in", post(messages::sign_in))
        .route("/v1/messages/sign-in/dry-run", post(messages::dry_run))
        .route(
            "/v1/messages/transfer-authorization",
            post(authorizations::authorize_transfer),
        )
        .route(
            "/v1/messages/transfer-authorization/dry-run",
            post(authorizations::dry_run),
        )
        .route("/v1/policy", get(policy::show))
        .route("/v1/session", get(sessions::show))
        .route("/v1/session/token", post(sessions::token))
        .route("/v1/session/renew", post(sessions::renew))
        .route("/v1/session/revoke", post(sessions::revoke))
        .route("/v1/pause", post(stop::pause))
        .route("/v1/kill", post(stop::kill))
        .merge(owner::router())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(places, limit))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            guard::layer,
        ))
        .with_state(app)
}

async fn not_found() -> Problem {
    GatewayCode::NotFound.into()
}

async fn method_not_allowed() -> Problem {
    GatewayCode::MethodNotAllowed.into()
}

async fn limit(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(_place) = places.try_acquire() else {
        return Problem::of(GatewayCode::Overloaded).into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests;
