//! The wallets of a session and what they hold. Balances are what a node says: for showing, never for
//! judging.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::view::WalletView;

use super::auth::Session;
use super::error::{Problem, ProblemBody};
use crate::app::App;

/// A wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Wallet {
    /// Its identifier.
    wallet: String,
    /// `solana` or `evm`.
    family: &'static str,
    /// Its address.
    account: String,
    /// The networks it is bound to (CAIP-2).
    networks: Vec<String>,
    /// Whether it is paused.
    paused: bool,
}

/// The wallets that the session covers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Wallets {
    /// In the signer's order.
    wallets: Vec<Wallet>,
}

/// What a wallet holds on one network.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balance {
    /// Which network (CAIP-2).
    network: String,
    /// Its native asset (CAIP-19).
    asset: String,
    /// Base units, as a node tells; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_base: Option<String>,
    /// Why no node tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    problem: Option<Problem>,
}

/// What a wallet holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balances {
    /// Which wallet.
    wallet: String,
    /// Its address.
    account: String,
    /// Each of its networks.
    balances: Vec<Balance>,
}

impl From<&WalletView> for Wallet {
    fn from(view: &WalletView) -> Self {
        Self {
            wallet: view.wallet.to_string(),
            family: match view.account {
                waiaas_shared::address::Account::Solana(_) => "solana",
                waiaas_shared::address::Account::Evm(_) => "evm",
            },
            account: view.account.to_string(),
            networks: view.networks.iter().map(ChainId::to_string).collect(),
            paused: view.paused,
        }
    }
}

/// List the wallets that the session covers.
#[utoipa::path(get, path = "/v1/wallets", tag = "wallets",
    responses((status = 200, description = "The wallets", body = Wallets),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Session(session): Session,
) -> Result<Json<Wallets>, Problem> {
    let wallets = app.views.wallets(&*app.signer).await?;
    let covered = wallets
        .iter()
        .filter(|view| session.grant.wallets.contains(&view.wallet));
    Ok(Json(Wallets {
        wallets: covered.map(Wallet::from).collect(),
    }))
}

/// Show what a wallet holds.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/balances", tag = "wallets",
    params(("wallet" = String, Path, description = "The wallet's identifier")),
    responses((status = 200, description = "Its balances", body = Balances),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn balances(
    State(app): State<Arc<App>>,
    Session(session): Session,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Balances>, Problem> {
    let Path(text) = path.map_err(|_| Code::WalletUnknown)?;
    let id: WalletId = text.parse().map_err(|_| Code::WalletUnknown)?;
    // A wallet that the session does not cover does not exist for it.
    if !session.grant.wallets.contains(&id) {
        return Err(Code::WalletUnknown.into());
    }
    let view = app
        .views
        .wallet(&*app.signer, id)
        .await?
        .ok_or(Code::WalletUnknown)?;
    let balances = view
        .networks
        .iter()
        .map(|network| balance(&app, &view, *network));
    Ok(Json(Balances {
        wallet: view.wallet.to_string(),
        account: view.account.to_string(),
        balances: futures::future::join_all(balances).await,
    }))
}

async fn balance(app: &App, view: &WalletView, network: ChainId) -> Balance {
    let asked = async { Ok(app.chain(network)?.balance(view.account).await?) };
    let (amount, problem) = match asked.await {
        Ok(amount) => (Some(amount.to_string()), None),
        Err(refusal) => {
            let refusal: crate::pipeline::Refusal = refusal;
            (None, Some(Problem::from(refusal)))
        }
    };
    Balance {
        network: network.to_string(),
        asset: network.native_asset().to_string(),
        amount_base: amount,
        problem,
    }
}
