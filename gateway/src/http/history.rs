//! What moved out of and into a wallet: this session's payments from the projection, and transfers into the wallet
//! that nodes told of. For showing: the latter are nobody's evidence.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::network;
use waiaas_shared::policy::document::PolicyDocument;

use super::auth::Session;
use super::error::{GatewayCode, Problem, ProblemBody};
use super::json::TransactionView;
use crate::app::App;
use crate::clock::rfc3339;
use crate::database::Durability;
use crate::incoming::assets;
use crate::incoming::store::{self as incoming, Kept, Part};
use crate::payment::Payment;
use crate::projection::store;

const PAGE_DEFAULT: u32 = 50;
const PAGE_LIMIT: u32 = 100;

/// Which part.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Only on this network: CAIP-2, or the name of a ready network.
    network: Option<String>,
    /// Also what came in of tokens that the policy does not name: anybody can send those.
    #[serde(default)]
    unregistered: bool,
    /// How many, 1 to 100; 50 if absent.
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<String>,
}

/// A part of a wallet's history, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// What moved.
    entries: Vec<Entry>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What moved: a payment, or something that came in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Entry {
    /// A payment of this session.
    Payment(Box<TransactionView>),
    /// A transfer into the wallet, as nodes tell. Not evidence that somebody paid.
    Incoming(Box<IncomingView>),
}

/// A transfer into the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IncomingView {
    /// On which network (CAIP-2).
    network: String,
    /// The chain's own name for the transaction.
    chain_transaction: String,
    /// What came in (CAIP-19).
    asset: String,
    /// What the policy calls it; absent if the policy does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Places between its unit and its base unit, by the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
    /// Whether the policy names the asset.
    registered: bool,
    /// From whom, as far as that can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Base units.
    amount_base: String,
    /// Slot or block number.
    position: u64,
    /// How many nodes of the network told of it when it was seen: a second one is asked where one is configured. A
    /// single node may be wrong, or lie.
    nodes: u32,
    /// When the gateway saw it first (RFC 3339).
    seen_at: String,
}

/// Show what moved out of and into a wallet, newest first.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/history", tag = "wallets",
    params(("wallet" = String, Path, description = "The wallet's identifier"), HistoryQuery),
    responses((status = 200, description = "A page", body = History),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("session_token" = [])))]
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Session(session): Session,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let Path(text) = path.map_err(|_| Code::WalletUnknown)?;
    let wallet: WalletId = text.parse().map_err(|_| Code::WalletUnknown)?;
    // A wallet that the session does not cover does not exist for it.
    if !session.grant.wallets.contains(&wallet) {
        return Err(Code::WalletUnknown.into());
    }
    let Query(query) = query.map_err(|_| GatewayCode::QueryMalformed)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(GatewayCode::QueryMalformed.into());
    }
    let chain = query.network.as_deref().map(network::chain).transpose();
    let chain = chain.map_err(|_| GatewayCode::QueryMalformed)?;
    let before = query.before.as_deref().map_or(Some(NEWEST), Cursor::read);
    let before = before.ok_or(GatewayCode::QueryMalformed)?;
    let view = app.views.wallet(&*app.signer, wallet).await?;
    let view = view.ok_or(Code::WalletUnknown)?;
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last();
    let registered = view
        .networks
        .iter()
        .flat_map(|chain| assets(newest, *chain));
    let part = Part {
        account: view.account,
        chain,
        assets: (!query.unregistered).then(|| registered.collect()),
        before: (before.at, before.name.to_owned()),
        limit: limit.saturating_add(1),
    };
    let session = session.id;
    let find = move |connection: &rusqlite::Connection| {
        let before = (part.before.0, part.before.1.as_str());
        let paid = store::of_wallet(connection, session, wallet, part.chain, before, part.limit)?;
        Ok((paid, incoming::list(connection, &part)?))
    };
    let (paid, came) = app.database.run(Durability::Process, find).await?;
    Ok(Json(page(&paid, &came, limit, newest)))
}

/// A place in the order of all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor<'a> {
    /// Milliseconds.
    at: i64,
    /// The entry's name among those of the same moment.
    name: &'a str,
}

const NEWEST: Cursor<'static> = Cursor {
    at: i64::MAX,
    name: "",
};

impl<'a> Cursor<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (at, name) = text.split_once('.')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(plain);
        let moment: i64 = at.parse().ok()?;
        // In its only form.
        (fits && moment.to_string() == at).then_some(Self { at: moment, name })
    }
}

/// The newest of both, in one order.
fn page(paid: &[Payment], came: &[Kept], limit: u32, policy: Option<&PolicyDocument>) -> History {
    let mut entries: Vec<((i64, String), Entry)> = Vec::new();
    entries.extend(paid.iter().map(|payment| {
        let at = payment.facts.created.millis().cast_signed();
        let view = Box::new(TransactionView::from(payment));
        ((at, payment.facts.id.to_string()), Entry::Payment(view))
    }));
    entries.extend(came.iter().map(|kept| {
        let at = kept.seen.millis().cast_signed();
        let view = Box::new(IncomingView::of(kept, policy));
        ((at, kept.name()), Entry::Incoming(view))
    }));
    entries.sort_by(|(one, _), (other, _)| other.cmp(one));
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > shown;
    entries.truncate(shown);
    let last = entries.last().filter(|_| more);
    History {
        next: last.map(|((at, name), _)| format!("{at}.{name}")),
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
    }
}

impl IncomingView {
    fn of(kept: &Kept, policy: Option<&PolicyDocument>) -> Self {
        let came = &kept.incoming;
        let asset = came.asset;
        let rule = policy.and_then(|policy| policy.asset(asset));
        Self {
            network: asset.chain().to_string(),
            chain_transaction: came.transaction.to_string(),
            asset: asset.to_string(),
            symbol: rule.map(|rule| rule.symbol.clone()),
            decimals: rule.map(|rule| rule.decimals.places()),
            registered: rule.is_some(),
            from: came.from.map(|from| from.to_string()),
            amount_base: came.amount.to_string(),
            position: came.position,
            nodes: came.nodes,
            seen_at: rfc3339(kept.seen),
        }
    }
}
