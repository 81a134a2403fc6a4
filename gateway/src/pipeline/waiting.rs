//! Payments that wait, for their delay or for their owners. When a wait is over, bytes of the same
//! effect are built afresh under the agreed fee, tried by a node, and released by the signer, which
//! judges everything again (invariant 12); from there on it is a payment like any other. One task for
//! each, holding the claim on it. Ends no wait itself: only the signer's log says that one has ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, sleep_until};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::Wait;
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::policy::network::network_terms;
use waiaas_shared::status::Status;
use waiaas_shared::time::{Millis, WallTime};

use super::sign::{SignedPayment, build};
use super::{Refusal, confirm, recorded};
use crate::app::App;
use crate::chain::{ChainError, ChainText, ChainTransactionId, Offer, Prepared};
use crate::database::{DatabaseError, Durability};
use crate::payment::Payment;
use crate::projection::{speeds, store};
use crate::signer_client::SignerError;

/// After the first thing that stood in the way of a payment whose wait is over; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// Where a rule stands in the way: each try asks a node, and rules change seldom.
const RULE_RETRY: Duration = Duration::from_secs(60);
/// However short or long something is said to take, it is looked again after this time.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(300);

/// Takes up a payment that waits, unless somebody has.
///
/// Not one that the agent sends itself: it is released when the agent asks for its bytes, which are
/// fresh then.
pub(crate) fn take_up(app: &Arc<App>, payment: &Payment) {
    if !payment.facts.submit {
        return;
    }
    let (app, id) = (Arc::clone(app), payment.facts.id);
    tokio::spawn(async move {
        if app.tracker.claim(id) {
            attend(&app, id).await;
            app.tracker.release(id);
        }
    });
}

/// Takes over from the signer how long each delay lasts still: its clock stands still where the wall
/// clock does not.
///
/// # Errors
/// [`DatabaseError`]. A signer that does not answer changes nothing.
pub(crate) async fn refresh(app: &App) -> Result<(), DatabaseError> {
    let Ok(views) = app.signer.intents().await else {
        return Ok(());
    };
    let now = app.clock.now();
    let job = move |connection: &rusqlite::Connection| {
        for view in &views {
            if let Wait::Delay { ready } = view.intent.wait {
                let past = view.now.run.since(ready).millis();
                let at = now.after(ready.since(view.now.run)).millis();
                let at = WallTime::from_millis(at.saturating_sub(past));
                store::set_ready(connection, view.intent.transaction, at)?;
            }
        }
        Ok(())
    };
    app.database.run(Durability::Process, job).await
}

/// From the wait to the end of the payment's life.
async fn attend(app: &Arc<App>, id: TransactionId) {
    let mut changes = app.tracker.changes();
    let mut signer = app.tracker.signer_changes();
    let mut retry = RETRY_FIRST;
    loop {
        // What is remembered counts once the whole log was read and found sound.
        app.up_to_date().await;
        let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
        let payment = match app.database.run(Durability::Process, find).await {
            Ok(Some(payment)) => payment,
            Ok(None) => return,
            Err(_) => {
                sleep(RETRY_LAST).await;
                continue;
            }
        };
        match payment.progress.status {
            Status::Queued => {}
            ended if ended.is_final() => return,
            // Signed, and whoever asked for it did not hear of it.
            _ => return confirm::carry_on(app, payment, None).await,
        }
        let left = left(app, &payment);
        let pause = match left {
            Some(left) if left == Millis::default() => match release(app, &payment, None).await {
                Ok(signed) => {
                    // Bytes of an earlier try may have left already: a look at the chain comes first.
                    let raw = (!signed.replay).then_some(signed.raw);
                    return confirm::carry_on(app, signed.payment, raw).await;
                }
                Err(refusal) => {
                    retry = retry.saturating_mul(2).min(RETRY_LAST);
                    pause_after(&refusal).unwrap_or(retry)
                }
            },
            Some(left) => Duration::from_millis(left.millis()),
            None => LONGEST,
        };
        let pause = pause.clamp(SHORTEST, LONGEST);
        if rest(&mut changes, &mut signer, id, pause).await {
            retry = RETRY_FIRST;
        } else if left > Some(Millis::default()) {
            // Our clock may have been set meanwhile; if this fails, its word counts.
            let _ = refresh(app).await;
        }
    }
}

/// How long until it may be signed, as far as is known; none while its owners have not signed.
fn left(app: &App, payment: &Payment) -> Option<Millis> {
    let ready = payment.progress.waiting?.ready?;
    Some(ready.since(app.clock.now()))
}

/// Rests, and says whether something about this payment or the signer changed meanwhile.
async fn rest(
    changes: &mut broadcast::Receiver<TransactionId>,
    signer: &mut watch::Receiver<u64>,
    id: TransactionId,
    pause: Duration,
) -> bool {
    let until = Instant::now() + pause;
    loop {
        tokio::select! {
            () = sleep_until(until) => return false,
            Ok(()) = signer.changed() => return true,
            changed = changes.recv() => match changed {
                Ok(other) if other != id => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return true,
                Err(broadcast::error::RecvError::Closed) => {
                    sleep_until(until).await;
                    return false;
                }
            },
        }
    }
}

/// Has the signer sign a payment whose wait is over, over these bytes or fresh ones. Whoever calls holds
/// the claim on it.
///
/// # Errors
/// [`Refusal`], noted with the payment where it says what stands in the way.
pub(super) async fn release(
    app: &App,
    payment: &Payment,
    prepared: Option<Prepared>,
) -> Result<SignedPayment, Refusal> {
    match signed(app, payment, prepared).await {
        Ok(signed) => Ok(signed),
        Err(refusal) => {
            note(app, payment, &refusal).await?;
            Err(refusal)
        }
    }
}

async fn signed(
    app: &App,
    payment: &Payment,
    prepared: Option<Prepared>,
) -> Result<SignedPayment, Refusal> {
    let prepared = match prepared {
        Some(prepared) => prepared,
        None => fresh(app, payment).await?,
    };
    let id = payment.facts.id;
    let signed = app.signer.release(id, prepared.unsigned).await?;
    let name: ChainTransactionId = signed
        .chain_transaction
        .parse()
        .map_err(|_| SignerError::Version)?;
    if signed.replay {
        let mut payment = recorded(app, id, signed.sequence).await?;
        payment.progress.chain_transaction = Some(name);
        return Ok(SignedPayment {
            payment,
            raw: signed.raw,
            replay: true,
        });
    }
    let now = app.clock.now();
    let mut payment = payment.clone();
    payment.facts.sequence = signed.sequence;
    payment.facts.fee_max = prepared.fee_max;
    payment.facts.created = now;
    let progress = &mut payment.progress;
    progress.status = if payment.facts.submit {
        Status::Executing
    } else {
        Status::Submitted
    };
    progress.chain_transaction = Some(name);
    progress.validity = Some(prepared.validity);
    progress.detail = None;
    progress.updated = now;
    tracing::info!(transaction = %id, tier = payment.facts.tier.as_str(), "a payment that waited was signed");
    Ok(SignedPayment {
        payment,
        raw: signed.raw,
        replay: false,
    })
}

async fn fresh(app: &App, payment: &Payment) -> Result<Prepared, Refusal> {
    let facts = &payment.facts;
    let wallet = app.views.wallet(&*app.signer, facts.wallet).await?;
    let from = wallet.ok_or(Code::WalletUnknown)?.account;
    let documents = app.views.policy(&*app.signer).await?;
    let newest = documents.last();
    let claim = facts.claim().registered(|asset| {
        newest
            .and_then(|policy| policy.asset(asset))
            .and_then(AssetRule::mint)
    });
    let id = facts.id;
    let find = move |connection: &rusqlite::Connection| speeds::of(connection, id);
    let offer = Offer {
        ceiling: Some(facts.fee_max),
        speed: app.database.run(Durability::Process, find).await?,
    };
    let _turn = app.tracker.turn().await;
    let network = network_terms(&documents[..], facts.chain);
    build(app, from, &claim, (offer, network), facts.submit).await
}

/// Remembers what stands in the way, for whoever asks; or from when on it does not.
async fn note(app: &App, payment: &Payment, refusal: &Refusal) -> Result<(), DatabaseError> {
    let id = payment.facts.id;
    if let Some(left) = not_ready(refusal) {
        let ready = app.clock.now().after(left);
        let set = move |connection: &rusqlite::Connection| store::set_ready(connection, id, ready);
        return app.database.run(Durability::Process, set).await;
    }
    let words = match refusal {
        Refusal::Denied(denial) => first(denial).map(|code| code.message().to_owned()),
        Refusal::Chain(_) | Refusal::ChainNotConfigured(_) => Some(format!("{refusal}.")),
        // Passes by itself, or is not the payment's business.
        _ => None,
    };
    let Some(words) = words else { return Ok(()) };
    let detail = ChainText::new(&format!("Not signed yet: {words}"));
    if payment.progress.detail.as_ref() == Some(&detail) {
        return Ok(());
    }
    tracing::info!(transaction = %id, %detail, "a payment waits on");
    let note = move |connection: &rusqlite::Connection| store::note(connection, id, Some(&detail));
    app.database.run(Durability::Process, note).await
}

fn first(denial: &Denial) -> Option<Code> {
    denial.violations().first().map(|broken| broken.code)
}

/// How long the delay lasts still, where that is the refusal's only reason.
fn not_ready(refusal: &Refusal) -> Option<Millis> {
    match refusal {
        Refusal::Denied(denial) if first(denial) == Some(Code::IntentNotReady) => {
            denial.violations().first()?.retry_after
        }
        _ => None,
    }
}

/// When to try again, where a rule or the signer's clock says so; else soon, and then ever later.
fn pause_after(refusal: &Refusal) -> Option<Duration> {
    let by_state = [
        Code::Locked,
        Code::Killed,
        Code::Frozen,
        Code::WalletPaused,
        Code::SessionSuspended,
        Code::ClockClosed,
        Code::Overloaded,
        Code::StorageFull,
        // Gone: the log is about to say why.
        Code::IntentUnknown,
        Code::IntentExpired,
    ];
    match refusal {
        Refusal::Denied(denial) if first(denial).is_some_and(|code| by_state.contains(&code)) => {
            None
        }
        Refusal::Denied(denial) => {
            let waits = denial.violations().iter().map(|broken| broken.retry_after);
            let passes = waits.collect::<Option<Vec<_>>>();
            let last = passes.and_then(|waits| waits.into_iter().max());
            Some(last.map_or(RULE_RETRY, |wait| Duration::from_millis(wait.millis())))
        }
        Refusal::Chain(ChainError::Rpc(_)) => None,
        Refusal::Chain(_) | Refusal::ChainNotConfigured(_) => Some(RULE_RETRY),
        _ => None,
    }
}
