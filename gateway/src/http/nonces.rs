//! The nonce that an agent writes into a transaction which it brings: the next one that the signer issues for the
//! wallet. Asked for afresh, because every payment takes one; whoever is late is told so (`brought_nonce`).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::network;

use super::auth::Session;
use super::error::{GatewayCode, Problem, ProblemBody};
use crate::app::App;

/// On which network.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NonceQuery {
    /// CAIP-2, or the name of a ready network. May be left out where the wallet is bound to one alone.
    network: Option<String>,
}

/// The next nonce of a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NonceJson {
    /// Which wallet.
    wallet: String,
    /// Its address.
    account: String,
    /// On which network (CAIP-2).
    network: String,
    /// The nonce that the signer issues next: what a transaction that is brought has to carry.
    nonce: u64,
}

/// Show the nonce that a transaction which you bring has to carry, on an EVM network.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/nonce", tag = "wallets",
    params(("wallet" = String, Path, description = "The wallet's identifier"), NonceQuery),
    responses((status = 200, description = "The signer's next nonce", body = NonceJson),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn next(
    State(app): State<Arc<App>>,
    Session(session): Session,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<NonceQuery>, QueryRejection>,
) -> Result<Json<NonceJson>, Problem> {
    let Path(text) = path.map_err(|_| Code::WalletUnknown)?;
    let Query(NonceQuery { network }) = query.map_err(|_| GatewayCode::QueryMalformed)?;
    let id: WalletId = text.parse().map_err(|_| Code::WalletUnknown)?;
    if !session.grant.wallets.contains(&id) {
        return Err(Code::WalletUnknown.into());
    }
    let wallets = app.signer.wallets().await?;
    let known = wallets.into_iter().find(|known| known.wallet == id);
    let wallet = known.ok_or(Code::WalletUnknown)?;
    let network = match (network, wallet.networks.as_slice()) {
        (Some(text), _) => network::chain(&text).map_err(|_| GatewayCode::QueryMalformed)?,
        (None, [only]) => *only,
        (None, _) => return Err(GatewayCode::QueryMalformed.into()),
    };
    if !wallet.networks.contains(&network) {
        return Err(Code::NetworkNotBound.into());
    }
    let known = wallet.nonces.iter().find(|nonce| nonce.chain == network);
    let nonce = known.ok_or(GatewayCode::NoNonce)?;
    Ok(Json(NonceJson {
        wallet: id.to_string(),
        account: wallet.account.to_string(),
        network: network.to_string(),
        nonce: nonce.next,
    }))
}
