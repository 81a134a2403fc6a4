//! Wallets and pools as an owner sees them: all of them, with keys that they had before and nonces, what nodes say
//! they hold, and the budgets that several of them share.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::items::{Section, Style, sections};
use waiaas_shared::policy::scope::Scope;
use waiaas_shared::view::{NonceView, WalletView};

use super::super::error::{Problem, ProblemBody};
use super::super::policy::Spendable;
use super::super::wallets::{Balances, Wallet, balances_of};
use super::access::Owner;
use crate::app::App;

/// A wallet with everything that its owner may know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnerWallet {
    #[serde(flatten)]
    wallet: Wallet,
    /// Whether it is closed: only withdrawals are signed for it.
    closed: bool,
    /// Addresses that it had before a rotation.
    former: Vec<String>,
    /// Nonces by EVM network.
    nonces: Vec<NonceJson>,
    /// The pool that it is in, by the newest policy that binds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
}

/// Nonces of a wallet on an EVM network.
#[derive(Debug, Serialize, ToSchema)]
struct NonceJson {
    /// Which network (CAIP-2).
    network: String,
    /// The next one to be issued.
    next: u64,
    /// The one that owners last attested.
    attested: u64,
    /// Value that was signed since, in base units of the native asset: policy caps it (`outstanding`).
    outstanding_base: String,
}

/// Every wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnerWallets {
    /// In the signer's order.
    wallets: Vec<OwnerWallet>,
}

/// Wallets that share one budget.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PoolView {
    /// Its name in the policy.
    name: String,
    /// Its wallets.
    wallets: Vec<String>,
    /// What holds for all of them together, in words; nothing if no scope names the pool.
    rules: Vec<String>,
}

/// The pools of the newest policy that binds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PoolList {
    /// In the policy's order.
    pools: Vec<PoolView>,
}

impl From<&NonceView> for NonceJson {
    fn from(view: &NonceView) -> Self {
        Self {
            network: view.chain.to_string(),
            next: view.next,
            attested: view.attested,
            outstanding_base: view.outstanding.to_string(),
        }
    }
}

fn shown(view: &WalletView, policy: Option<&PolicyDocument>) -> OwnerWallet {
    let pool = policy.and_then(|policy| policy.pool_of(view.wallet));
    let assets = policy.into_iter().flat_map(|policy| &policy.assets);
    let assets = Spendable::of(view, assets.map(|rule| rule.asset), policy);
    OwnerWallet {
        wallet: Wallet::of(view, assets),
        closed: view.closed,
        former: view
            .former
            .iter()
            .map(|former| former.account.to_string())
            .collect(),
        nonces: view.nonces.iter().map(NonceJson::from).collect(),
        pool: pool.map(|pool| pool.name.clone()),
    }
}

/// List every wallet.
#[utoipa::path(get, path = "/v1/owner/wallets", operation_id = "owner_wallets_list", tag = "owner wallets",
    responses((status = 200, description = "The wallets", body = OwnerWallets),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn list(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<OwnerWallets>, Problem> {
    let wallets = app.signer.wallets().await?;
    let policy = app.signer.policy().await?;
    let wallets = wallets.iter().map(|view| shown(view, policy.last()));
    Ok(Json(OwnerWallets {
        wallets: wallets.collect(),
    }))
}

/// Show what a wallet holds, as nodes tell.
#[utoipa::path(get, path = "/v1/owner/wallets/{wallet}/balances", operation_id = "owner_wallets_balances", tag = "owner wallets",
    params(("wallet" = String, Path, description = "The wallet's identifier")),
    responses((status = 200, description = "Its balances", body = Balances),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn balances(
    _: Owner,
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Balances>, Problem> {
    let Path(text) = path.map_err(|_| Code::WalletUnknown)?;
    let id: WalletId = text.parse().map_err(|_| Code::WalletUnknown)?;
    Ok(Json(balances_of(&app, id).await?))
}

/// List the pools: wallets that share one budget.
#[utoipa::path(get, path = "/v1/owner/pools", operation_id = "owner_wallets_pools", tag = "owner wallets",
    responses((status = 200, description = "The pools", body = PoolList),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn pools(
    _: Owner,
    State(app): State<Arc<App>>,
) -> Result<Json<PoolList>, Problem> {
    let policy = app.signer.policy().await?;
    let pools = policy.last().map(pools_of).unwrap_or_default();
    Ok(Json(PoolList { pools }))
}

fn pools_of(policy: &PolicyDocument) -> Vec<PoolView> {
    let sections = sections(policy, Style::Plain);
    let pools = policy.pools.iter().map(|pool| {
        let label = format!("scope {}", Scope::Pool(pool.name.clone()));
        let rules = sections.iter().filter(|section| section.label == label);
        PoolView {
            name: pool.name.clone(),
            wallets: pool.wallets.iter().map(ToString::to_string).collect(),
            rules: rules.flat_map(said).collect(),
        }
    });
    pools.collect()
}

fn said(section: &Section) -> Vec<String> {
    let items = section.items.iter().filter(|item| item.says_something());
    items
        .map(|item| format!("{}: {}", item.name, item.value))
        .collect()
}
