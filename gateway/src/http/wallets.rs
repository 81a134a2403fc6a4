//! The wallets of a session and what they hold. Balances are what a node says: for showing, never for
//! judging.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::view::WalletView;

use super::auth::Session;
use super::error::{Problem, ProblemBody};
use crate::app::App;
use crate::pipeline::Refusal;

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

/// What a wallet holds of one asset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balance {
    /// Which network (CAIP-2).
    network: String,
    /// Which asset (CAIP-19); each network's native one stands first.
    asset: String,
    /// Base units, as a node tells; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_base: Option<String>,
    /// What the owner calls it; absent if the policy does not have it, and nothing of it can be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Its decimals by the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
    /// The token account in which it lies, where that is not the wallet's associated one: nothing is paid
    /// from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    elsewhere: Option<String>,
    /// Why no node tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    problem: Option<Problem>,
}

/// A network whose tokens are missing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incomplete {
    /// Which network (CAIP-2).
    network: String,
    /// Why no node tells.
    #[schema(value_type = ProblemBody)]
    problem: Problem,
}

/// What a wallet holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Balances {
    /// Which wallet.
    wallet: String,
    /// Its address.
    account: String,
    /// The native asset of each of its networks, and the tokens that a Solana cluster's node lists.
    balances: Vec<Balance>,
    /// Networks of which no node lists the tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incomplete: Vec<Incomplete>,
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
    let documents = app.views.policy(&*app.signer).await?;
    let policy = documents.last();
    let networks = view.networks.iter();
    let held = networks.map(|network| held(&app, &view, *network, policy));
    let (mut balances, mut incomplete) = (Vec::new(), Vec::new());
    for (of_network, missing) in futures::future::join_all(held).await {
        balances.extend(of_network);
        incomplete.extend(missing);
    }
    Ok(Json(Balances {
        wallet: view.wallet.to_string(),
        account: view.account.to_string(),
        balances,
        incomplete,
    }))
}

/// What a wallet holds on one network.
async fn held(
    app: &App,
    view: &WalletView,
    network: ChainId,
    policy: Option<&PolicyDocument>,
) -> (Vec<Balance>, Option<Incomplete>) {
    let native = async { Ok::<_, Refusal>(app.chain(network)?.balance(view.account).await?) };
    let tokens =
        async { Ok::<_, Refusal>(app.chain(network)?.token_balances(view.account).await?) };
    let (native, tokens) = futures::future::join(native, tokens).await;
    let balance = |asset: AssetId, amount: Option<Amount>| {
        let rule = policy.and_then(|policy| policy.asset(asset));
        Balance {
            network: network.to_string(),
            asset: asset.to_string(),
            amount_base: amount.map(|amount| amount.to_string()),
            symbol: rule.map(|rule| rule.symbol.clone()),
            decimals: rule.map(|rule| rule.decimals.places()),
            elsewhere: None,
            problem: None,
        }
    };
    let (amount, problem) = match native {
        Ok(amount) => (Some(amount), None),
        Err(refusal) => (None, Some(Problem::from(refusal))),
    };
    let mut balances = vec![Balance {
        problem,
        ..balance(network.native_asset(), amount)
    }];
    match tokens {
        Ok(tokens) => {
            balances.extend(tokens.iter().map(|token| Balance {
                elsewhere: token.elsewhere.map(|account| account.to_string()),
                ..balance(token.asset, Some(token.amount))
            }));
            (balances, None)
        }
        Err(refusal) => {
            let missing = Incomplete {
                network: network.to_string(),
                problem: Problem::from(refusal),
            };
            (balances, Some(missing))
        }
    }
}
