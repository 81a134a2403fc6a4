//! The figures of a dashboard in one answer: the signer's state, what waits, what sessions have spent of what they
//! may, what wallets hold, and the newest alarms. Everything is asked of the signer now, but for balances, which are
//! what nodes say.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use waiaas_client::SignerStatus;
use waiaas_shared::caip::ChainId;
use waiaas_shared::event_words::names::Names as LogNames;
use waiaas_shared::intent::{IntentView, Wait};
use waiaas_shared::view::{SessionState, WalletView};

use super::super::error::{Problem, ProblemBody};
use super::super::health::SignerState;
use super::super::sessions::SessionJson;
use super::access::Owner;
use super::audit::{EventJson, shown};
use super::log;
use super::spoken::Spoken;
use crate::app::App;
use crate::notify::{self, Names};

/// Sessions looked at, the newest.
const SESSIONS: usize = 50;
/// Alarms told.
const ALARMS: usize = 10;
/// Nodes asked at once.
const AT_ONCE: usize = 8;
/// Time for nodes to say what wallets hold.
const PATIENCE: Duration = Duration::from_secs(3);

/// A dashboard's figures.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    /// The signer's state.
    signer: SignerState,
    /// What else stops, or is about to stop, signing.
    attention: Attention,
    /// How many wallets there are, and how many of them are paused or closed.
    wallets: WalletFigures,
    /// What wallets hold of each network's coin, as nodes tell; without those that no node tells of.
    balances: Vec<CoinBalance>,
    /// What waits.
    waiting: WaitingFigures,
    /// Active sessions, the newest 50, with what was spent of what they may.
    sessions: Vec<SessionJson>,
    /// The newest alarms, the newest first.
    alarms: Vec<EventJson>,
    /// Up to which event this gateway has followed the log.
    followed: u64,
}

/// What stops signing, or is about to.
#[derive(Debug, Serialize, ToSchema)]
struct Attention {
    /// Why everything is paused: `asked`, `journal_lost`, `head_missed`, `recovered`, `kill_released`.
    frozen_by: Vec<String>,
    /// Changes of owners that wait.
    owner_changes: u32,
    /// Sessions that are suspended until owners resume them.
    suspended_sessions: u32,
    /// Wrong passwords since the last unlock.
    unlock_failures: u32,
    /// Seconds until everything pauses without a word from an owner; absent if no policy says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_man_left_seconds: Option<u64>,
    /// Whether everything is paused for want of one.
    dead_man_paused: bool,
    /// Whether the log has ended for good.
    retired: bool,
    /// Whether the log is not the one that this gateway has followed: payments stop.
    log_fault: bool,
}

/// Counts of wallets.
#[derive(Debug, Serialize, ToSchema)]
struct WalletFigures {
    /// All of them.
    count: usize,
    /// Paused ones.
    paused: usize,
    /// Closed ones.
    closed: usize,
}

/// What a wallet holds of a network's coin.
#[derive(Debug, Serialize, ToSchema)]
struct CoinBalance {
    /// Which wallet.
    wallet: String,
    /// Which coin (CAIP-19).
    asset: String,
    /// Base units, as a node tells.
    amount_base: String,
}

/// Counts of what waits.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingFigures {
    /// All of it.
    count: usize,
    /// What asks owners to sign, and was not approved yet.
    ask_owners: usize,
    /// What waits for its delay.
    delayed: usize,
}

impl From<&SignerStatus> for Attention {
    fn from(status: &SignerStatus) -> Self {
        Self {
            frozen_by: status.frozen_by.clone(),
            owner_changes: status.owner_changes,
            suspended_sessions: status.suspended_sessions,
            unlock_failures: status.unlock_failures,
            dead_man_left_seconds: status.dead_man_left.map(|left| left.millis() / 1000),
            dead_man_paused: status.dead_man_paused,
            retired: status.retired,
            log_fault: false,
        }
    }
}

impl From<&[IntentView]> for WaitingFigures {
    fn from(views: &[IntentView]) -> Self {
        let asks = |view: &&IntentView| {
            matches!(view.intent.wait, Wait::Approval { .. }) && view.approved_until.is_none()
        };
        let delayed = |view: &&IntentView| matches!(view.intent.wait, Wait::Delay { .. });
        Self {
            count: views.len(),
            ask_owners: views.iter().filter(asks).count(),
            delayed: views.iter().filter(delayed).count(),
        }
    }
}

/// Show the figures of a dashboard.
#[utoipa::path(get, path = "/v1/owner/overview", operation_id = "owner_overview_show", tag = "owner overview",
    responses((status = 200, description = "The figures", body = Overview),
        (status = "default", description = "Refused", body = ProblemBody, content_type = "application/problem+json")),
    security(("owner_token" = [])))]
pub(super) async fn show(
    _: Owner,
    State(app): State<Arc<App>>,
    spoken: Spoken,
) -> Result<Json<Overview>, Problem> {
    let status = app.signer.status().await?;
    let wallets = app.signer.wallets().await?;
    let waiting = app.signer.intents().await?;
    let balances = balances(&app, &wallets).await;
    let feed = app.feed();
    Ok(Json(Overview {
        attention: Attention {
            log_fault: feed.fault().is_some(),
            ..Attention::from(&status)
        },
        signer: status.into(),
        wallets: WalletFigures {
            count: wallets.len(),
            paused: wallets.iter().filter(|wallet| wallet.paused).count(),
            closed: wallets.iter().filter(|wallet| wallet.closed).count(),
        },
        balances,
        waiting: WaitingFigures::from(waiting.as_slice()),
        sessions: sessions(&app).await?,
        alarms: alarms(&app, spoken).await?,
        followed: feed.sequence,
    }))
}

async fn sessions(app: &App) -> Result<Vec<SessionJson>, Problem> {
    let mut active = Vec::new();
    for (_, session) in log::sessions(app, u64::MAX, SESSIONS).await? {
        let view = app.signer.remaining(session).await?;
        let view = view.filter(|view| view.state == SessionState::Active);
        active.extend(view.map(|view| SessionJson::of(&view, None, app.clock.now())));
    }
    Ok(active)
}

async fn alarms(app: &App, spoken: Spoken) -> Result<Vec<EventJson>, Problem> {
    let names = Names::known(app).await;
    let log_names = LogNames::of(names.newest().cloned());
    let now = app.clock.now();
    let alarms = log::alarms(app, ALARMS).await?;
    let shown = alarms.iter().map(|(record, event)| {
        let told = notify::told(event, record.sequence, &names, now, spoken.0);
        shown(record, event, &log_names, Some(told.title))
    });
    Ok(shown.collect())
}

/// Whatever nodes tell in time.
async fn balances(app: &App, wallets: &[WalletView]) -> Vec<CoinBalance> {
    let until = Instant::now() + PATIENCE;
    let open = wallets.iter().filter(|wallet| !wallet.closed);
    let questions: Vec<(&WalletView, ChainId)> = open
        .flat_map(|wallet| {
            wallet
                .networks
                .iter()
                .map(move |network| (wallet, *network))
        })
        .collect();
    let mut told = Vec::new();
    for some in questions.chunks(AT_ONCE) {
        let asked = some.iter().map(|(wallet, network)| async move {
            let chain = app.chain(*network).ok()?;
            let amount = timeout_at(until, chain.balance(wallet.account)).await;
            Some(CoinBalance {
                wallet: wallet.wallet.to_string(),
                asset: network.native_asset().to_string(),
                amount_base: amount.ok()?.ok()?.to_string(),
            })
        });
        told.extend(join_all(asked).await.into_iter().flatten());
    }
    told
}
