//! The wallets of a session and what they hold. Balances are what a node says: for showing, never for
//! judging.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::view::WalletView;

use super::auth::Session;
use super::error::{Problem, ProblemBody};
use crate::app::App;

/// Nodes asked at once for one answer.
const AT_ONCE: usize = 8;

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
    /// Its native asset, or a token of the policy (CAIP-19).
    asset: String,
    /// What the policy calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Places between its unit and its base unit, by the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
    /// Base units, as a node tells; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_base: Option<String>,
    /// What the token says of itself, as a node tells: for showing, never for counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_says: Option<ChainSays>,
    /// Why no node tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    problem: Option<Problem>,
}

/// What a token says of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChainSays {
    /// Its symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Its decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
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
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last();
    let rules = newest.map_or(&[][..], |document| &document.assets);
    let mut assets = Vec::new();
    for network in &view.networks {
        assets.push(network.native_asset());
        let tokens = rules.iter().map(|rule| rule.asset);
        assets.extend(
            tokens.filter(|asset| asset.chain() == *network && asset.token() != Token::Native),
        );
    }
    let mut balances = Vec::new();
    for some in assets.chunks(AT_ONCE) {
        let asked = some.iter().map(|asset| {
            let rule = newest.and_then(|document| document.asset(*asset));
            balance(&app, &view, *asset, rule)
        });
        balances.extend(futures::future::join_all(asked).await);
    }
    Ok(Json(Balances {
        wallet: view.wallet.to_string(),
        account: view.account.to_string(),
        balances,
    }))
}

async fn balance(
    app: &App,
    view: &WalletView,
    asset: AssetId,
    rule: Option<&AssetRule>,
) -> Balance {
    let network = asset.chain();
    let asked = async {
        let chain = app.chain(network)?;
        if asset.token() == Token::Native {
            return Ok((chain.balance(view.account).await?, None));
        }
        let amount = chain.token_balance(view.account, asset).await?;
        // What it calls itself is not worth a refusal.
        let facts = chain.token_facts(asset).await.ok();
        let says = facts.map(|facts| ChainSays {
            symbol: facts.symbol.map(|symbol| symbol.to_string()),
            decimals: facts.decimals,
        });
        Ok((amount, says))
    };
    let (amount, chain_says, problem) = match asked.await {
        Ok((amount, says)) => (Some(amount.to_string()), says, None),
        Err(refusal) => {
            let refusal: crate::pipeline::Refusal = refusal;
            (None, None, Some(Problem::from(refusal)))
        }
    };
    Balance {
        network: network.to_string(),
        asset: asset.to_string(),
        symbol: rule.map(|rule| rule.symbol.clone()),
        decimals: rule.map(|rule| rule.decimals.places()),
        amount_base: amount,
        chain_says,
        problem,
    }
}
