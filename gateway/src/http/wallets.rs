//! The wallets of a session and what they hold. Balances are what a node says: for showing, never for
//! judging.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::view::WalletView;

use super::auth::Session;
use super::error::{Problem, ProblemBody};
use super::policy::Spendable;
use crate::app::App;
use crate::chain::{ChainError, RpcError};
use crate::pipeline::Refusal;

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
    /// The assets that may be spent from it: those of the session, or an owner's, as far as the policy names them.
    assets: Vec<Spendable>,
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
    /// Whether the policy names it; if not, nothing of it can be paid, and it may call itself what it likes.
    registered: bool,
    /// What the policy calls it; absent if the policy does not have it.
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
    /// The token account in which it lies, where that is not the wallet's associated one: nothing is paid
    /// from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    elsewhere: Option<String>,
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
    /// The native asset of each of its networks, the tokens that a Solana cluster's node lists, and those of
    /// the policy on EVM chains.
    balances: Vec<Balance>,
    /// Networks of which no node lists the tokens: those of the policy were asked for one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incomplete: Vec<Incomplete>,
}

impl Wallet {
    pub(super) fn of(view: &WalletView, assets: Vec<Spendable>) -> Self {
        Self {
            wallet: view.wallet.to_string(),
            family: match view.account {
                waiaas_shared::address::Account::Solana(_) => "solana",
                waiaas_shared::address::Account::Evm(_) => "evm",
            },
            account: view.account.to_string(),
            networks: view.networks.iter().map(ChainId::to_string).collect(),
            paused: view.paused,
            assets,
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
    let documents = app.views.policy(&*app.signer).await?;
    let granted = || session.grant.limits.iter().map(|limit| limit.asset);
    let shown =
        covered.map(|view| Wallet::of(view, Spendable::of(view, granted(), documents.last())));
    Ok(Json(Wallets {
        wallets: shown.collect(),
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
    Ok(Json(balances_of(&app, id).await?))
}

/// What a wallet holds, as nodes tell.
pub(super) async fn balances_of(app: &App, id: WalletId) -> Result<Balances, Problem> {
    let view = app
        .views
        .wallet(&*app.signer, id)
        .await?
        .ok_or(Code::WalletUnknown)?;
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last();
    let mut questions = Vec::new();
    for network in &view.networks {
        questions.push(Question::Holding(network.native_asset()));
        match network {
            ChainId::Solana(_) => questions.push(Question::Tokens(*network)),
            // No node lists them: what the policy names is asked for one by one.
            ChainId::Evm(_) => {
                let rules = newest.map_or(&[][..], |document| &document.assets);
                let assets = rules.iter().map(|rule| rule.asset);
                let tokens = assets
                    .filter(|asset| asset.chain() == *network && asset.token() != Token::Native);
                questions.extend(tokens.map(Question::Holding));
            }
        }
    }
    let (mut balances, mut incomplete) = (Vec::new(), Vec::new());
    for some in questions.chunks(AT_ONCE) {
        let asked = some
            .iter()
            .map(|question| answer(app, &view, *question, newest));
        for (told, missing) in futures::future::join_all(asked).await {
            balances.extend(told);
            incomplete.extend(missing);
        }
    }
    Ok(Balances {
        wallet: view.wallet.to_string(),
        account: view.account.to_string(),
        balances,
        incomplete,
    })
}

/// What a node is asked.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// How much of one asset.
    Holding(AssetId),
    /// Which tokens, and how much of each.
    Tokens(ChainId),
}

async fn answer(
    app: &App,
    view: &WalletView,
    question: Question,
    policy: Option<&PolicyDocument>,
) -> (Vec<Balance>, Option<Incomplete>) {
    match question {
        Question::Holding(asset) => (vec![holding(app, view, asset, policy).await], None),
        Question::Tokens(network) => match tokens(app, view, network, policy).await {
            Ok(balances) => (balances, None),
            Err(refusal) => {
                let too_large = Refusal::Chain(ChainError::Rpc(RpcError::TooLarge));
                let spam = refusal == too_large;
                let missing = Incomplete {
                    network: network.to_string(),
                    problem: Problem::from(refusal),
                };
                // Whoever sends a wallet more tokens than an answer holds does not hide those that count.
                let rules = policy.map_or(&[][..], |document| &document.assets);
                let assets = rules.iter().map(|rule| rule.asset);
                let mints = assets.filter(|asset| {
                    spam && asset.chain() == network && matches!(asset.token(), Token::Mint(_))
                });
                let mut balances = Vec::new();
                for asset in mints {
                    balances.push(holding(app, view, asset, policy).await);
                }
                (balances, Some(missing))
            }
        },
    }
}

/// What a wallet holds of one asset.
async fn holding(
    app: &App,
    view: &WalletView,
    asset: AssetId,
    policy: Option<&PolicyDocument>,
) -> Balance {
    let asked = async {
        let chain = app.chain(asset.chain())?;
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
        Ok::<_, Refusal>((amount, says))
    };
    match asked.await {
        Ok((amount, chain_says)) => Balance {
            chain_says,
            ..balance(asset, Some(amount), policy)
        },
        Err(refusal) => Balance {
            problem: Some(Problem::from(refusal)),
            ..balance(asset, None, policy)
        },
    }
}

/// What a wallet holds of the tokens that a node lists.
async fn tokens(
    app: &App,
    view: &WalletView,
    network: ChainId,
    policy: Option<&PolicyDocument>,
) -> Result<Vec<Balance>, Refusal> {
    let told = app.chain(network)?.token_balances(view.account).await?;
    let balances = told.iter().map(|token| Balance {
        elsewhere: token.elsewhere.map(|account| account.to_string()),
        ..balance(token.asset, Some(token.amount), policy)
    });
    Ok(balances.collect())
}

/// With the words that an owner gave it: absent if the policy does not have it, and nothing of it can be
/// paid.
fn balance(asset: AssetId, amount: Option<Amount>, policy: Option<&PolicyDocument>) -> Balance {
    let rule = policy.and_then(|policy| policy.asset(asset));
    Balance {
        network: asset.chain().to_string(),
        asset: asset.to_string(),
        registered: rule.is_some(),
        symbol: rule.map(|rule| rule.symbol.clone()),
        decimals: rule.map(|rule| rule.decimals.places()),
        amount_base: amount.map(|amount| amount.to_string()),
        chain_says: None,
        elsewhere: None,
        problem: None,
    }
}
