//! Stage 6, confirm: send, and follow a payment to the end of its life. Before anything leaves,
//! `gateway.db` holds the payment's name on the chain, safe from a loss of power; so after a crash at
//! any point each payment is found again, either there or in the signer's log, and gets its bytes once
//! more from the signer. The same bytes may be sent any number of times; a life ends on evidence only.

mod commitment;
mod dispute;
mod family;
mod recover;
mod tracker;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use waiaas_shared::caip::ChainId;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::status::Status;

pub use commitment::reached;
pub use tracker::Tracker;

use super::sign::SignedPayment;
use super::{Paid, Refusal, waiting};
use crate::app::App;
use crate::chain::tracker::{Step, Watch, next_step};
use crate::chain::{ChainTransactionId, Landing, Pauses, Sought};
use crate::chain_port::ChainPort;
use crate::database::{DatabaseError, Durability};
use crate::notify::Own;
use crate::payment::Payment;
use crate::projection::store::{self, Change};
use recover::{again, obtain, validity};

/// Payments in the log that this process did not send itself are taken up after this time: whoever
/// asked for them is given the chance to.
const GRACE: Duration = Duration::from_secs(3);
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// From this age on it is no longer asked whether a node takes a payment's bytes: no blockhash lives as long, whatever
/// a node says.
const OUTLIVED: Duration = Duration::from_secs(600);
/// One look at a payment, whatever the nodes do.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);

/// Lets a signed payment out: to the chain, or to the agent that sends it itself.
pub(super) async fn release(app: &Arc<App>, signed: SignedPayment) -> Result<Paid, Refusal> {
    let SignedPayment {
        payment,
        raw,
        replay,
    } = signed;
    if payment.facts.submit {
        let payment = submit(app, payment, raw).await?;
        return Ok(Paid {
            payment,
            raw: None,
            replay,
        });
    }
    // No commit stands between a signature and its answer: the log has the payment already.
    app.tracker.remember(&payment);
    if app.feed().sequence >= payment.facts.sequence {
        let app = Arc::clone(app);
        let mut late = payment.clone();
        tokio::spawn(async move {
            if app.tracker.fill_in(&mut late) {
                let put = move |connection: &rusqlite::Connection| store::put(connection, &late);
                // Only details are lost; the error is logged where it happened.
                let _ = app.database.run(Durability::Process, put).await;
            }
        });
    }
    Ok(Paid {
        payment,
        raw: Some(raw),
        replay,
    })
}

async fn submit(app: &Arc<App>, payment: Payment, raw: Vec<u8>) -> Result<Payment, Refusal> {
    let id = payment.facts.id;
    let chain = app.chain(payment.facts.chain)?;
    let mut payment = write_name(app, payment).await?;
    if payment.progress.status.is_final() || !app.tracker.claim(id) {
        return Ok(payment);
    }
    let sent = send(app, &*chain, &mut payment, &raw).await;
    let (app, followed) = (Arc::clone(app), payment.clone());
    tokio::spawn(async move {
        let _ended = follow(&app, &*chain, followed, Some(raw)).await;
        app.tracker.release(id);
    });
    sent?;
    Ok(payment)
}

/// INVARIANT: nothing is sent before its name is safe from a loss of power. Returns the payment as it
/// is recorded.
async fn write_name(app: &App, payment: Payment) -> Result<Payment, DatabaseError> {
    let job = move |connection: &rusqlite::Connection| {
        store::commit(connection, &payment)?;
        store::payment(connection, payment.facts.id).map(|stored| stored.unwrap_or(payment))
    };
    app.database.run(Durability::Power, job).await
}

/// Sends once and records that the bytes have left.
async fn send(
    app: &App,
    chain: &dyn ChainPort,
    payment: &mut Payment,
    raw: &[u8],
) -> Result<(), Refusal> {
    let id = payment.facts.id;
    let sent = chain.send(raw).await?;
    if payment
        .progress
        .chain_transaction
        .is_some_and(|name| name != sent.id)
    {
        // Bytes of another payment must not count as this one's.
        tracing::error!(transaction = %id, "signed bytes have another name than the signer told");
        return Err(Refusal::Internal);
    }
    if let Err(error) = sent.taken {
        tracing::info!(transaction = %id, %error, "not taken at first; it is sent again");
    }
    advance(app, payment, Status::Submitted, Change::default()).await?;
    Ok(())
}

async fn advance(
    app: &App,
    payment: &mut Payment,
    next: Status,
    change: Change,
) -> Result<(), DatabaseError> {
    let (id, now) = (payment.facts.id, app.clock.now());
    let kept = change.clone();
    let (channels, wallet) = (Arc::clone(&app.channels), payment.facts.wallet);
    // What was read again after gateway.db was lost was told of before.
    let always_known = app.has_always_known(payment.facts.sequence);
    let job = move |connection: &rusqlite::Connection| {
        let moved = store::advance(connection, id, next, &change, now)?;
        if moved && next == Status::Failed && always_known {
            let own = Own::Failed {
                transaction: id,
                wallet,
                why: change.detail.as_ref().map(ToString::to_string),
            };
            channels.say(connection, own, now)?;
        }
        Ok(moved)
    };
    if app.database.run(Durability::Process, job).await? {
        payment.progress.status = next;
        payment.progress.position = kept.position.or(payment.progress.position);
        payment.progress.fee_paid = kept.fee_paid.or(payment.progress.fee_paid);
        payment.progress.chain_transaction = kept.name.or(payment.progress.chain_transaction);
        payment.progress.detail = kept.detail;
        payment.progress.updated = now;
        app.tracker.tell(id);
        app.channels.wake();
    }
    Ok(())
}

/// Takes up every payment under way that nobody attends to: after a start, and after the signer was away.
///
/// # Errors
/// [`DatabaseError`].
pub(crate) async fn resume(app: &Arc<App>) -> Result<(), DatabaseError> {
    let payments = app
        .database
        .run(Durability::Process, store::under_way)
        .await?;
    waiting::refresh(app).await?;
    for payment in payments {
        match payment.progress.status {
            Status::Queued => waiting::take_up(app, &payment),
            _ => take_up(app, payment.facts.id, payment.facts.chain, Duration::ZERO),
        }
    }
    Ok(())
}

/// Takes up a payment that the log just told of, unless this process sends it anyway.
pub(crate) fn committed(app: &Arc<App>, payment: &Payment) {
    if payment.facts.submit && !payment.progress.status.is_final() {
        take_up(app, payment.facts.id, payment.facts.chain, GRACE);
    }
}

fn take_up(app: &Arc<App>, id: TransactionId, chain: ChainId, after: Duration) {
    let Ok(chain) = app.chain(chain) else {
        tracing::warn!(transaction = %id, %chain, "a payment waits for a chain that is not configured");
        return;
    };
    let app = Arc::clone(app);
    tokio::spawn(async move {
        sleep(after).await;
        if !app.tracker.claim(id) {
            return;
        }
        let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
        if let Ok(Some(payment)) = app.database.run(Durability::Process, find).await
            && !payment.progress.status.is_final()
        {
            tracing::info!(transaction = %id, status = %payment.progress.status, "taken up again");
            let _ended = follow(&app, &*chain, payment, None).await;
        }
        app.tracker.release(id);
    });
}

/// Carries on with a payment that waited and is signed: sends these bytes, if they are given, and follows
/// it to its end. The task holds the claim on it.
pub(super) async fn carry_on(app: &Arc<App>, mut payment: Payment, mut raw: Option<Vec<u8>>) {
    let id = payment.facts.id;
    let Ok(chain) = app.chain(payment.facts.chain) else {
        tracing::warn!(transaction = %id, "a payment waits for a chain that is not configured");
        return;
    };
    if let Some(bytes) = &raw {
        match write_name(app, payment.clone()).await {
            Ok(recorded) => {
                payment = recorded;
                if let Err(error) = send(app, &*chain, &mut payment, bytes).await {
                    tracing::info!(transaction = %id, %error, "not sent");
                }
            }
            Err(_) => {
                // Not written: not sent.
                payment.progress.chain_transaction = None;
                raw = None;
            }
        }
    }
    let _ended = follow(app, &*chain, payment, raw).await;
}

/// Follows a payment to its end. The task holds the claim on it.
async fn follow(
    app: &Arc<App>,
    chain: &dyn ChainPort,
    mut payment: Payment,
    mut raw: Option<Vec<u8>>,
) -> ControlFlow<(), ()> {
    let name = loop {
        if let Some(name) = payment.progress.chain_transaction {
            break name;
        }
        raw = Some(obtain(app, &mut payment).await?);
        match write_name(app, payment.clone()).await {
            Ok(recorded) => payment = recorded,
            Err(_) => {
                // Not written: not sent.
                payment.progress.chain_transaction = None;
                sleep(RETRY_LAST).await;
            }
        }
    };
    let validity = validity(app, chain, &mut payment).await;
    let sought = Sought::named(name, validity);
    let (pace, mut pauses) = (chain.pace(), Pauses::new(chain.wake(&sought)));
    let started = Instant::now();
    // How old it is counts from when it was charged, also after a restart.
    let age = Duration::from_millis(app.clock.now().since(payment.facts.created).millis());
    // Bytes given to this function have just been sent; otherwise a first look decides.
    let just_sent = payment.progress.status == Status::Submitted && raw.is_some();
    let mut watch = Watch {
        first_sent: Duration::ZERO,
        last_sent: None,
    };
    if just_sent {
        watch.last_sent = Some(age);
    }
    if just_sent {
        pauses.rest(pace.look, pace.look).await;
    }
    let mut signer = app.tracker.signer_changes();
    let mut withheld = RETRY_FIRST;
    let mut stuck = family::Stuck::default();
    let mut dispute = dispute::Dispute::default();
    loop {
        if family::has_ended(app, &payment).await {
            return ControlFlow::Break(());
        }
        let landing = look(app, chain, &sought).await;
        let now = age.saturating_add(started.elapsed());
        if let Some(open) = landing.as_ref().filter(|it| it.final_status().is_none())
            && !dispute.look(app, &payment, open).await
        {
            stuck.look(app, chain, &payment, open, now).await;
        }
        let pause = match next_step(&pace, &watch, landing.as_ref(), now) {
            Step::Done(Status::Expired)
                if !is_over(app, chain, &payment, raw.as_deref(), now).await =>
            {
                pace.look_slowest
            }
            Step::Done(status) => {
                if finish(app, &mut payment, status, landing, None)
                    .await
                    .is_ok()
                {
                    return ControlFlow::Break(());
                }
                RETRY_LAST
            }
            Step::LookAfter(pause) => pause,
            Step::Resend => {
                if raw.is_none() {
                    raw = again(app, &payment).await;
                }
                match &raw {
                    Some(raw) => {
                        if let Err(error) = send(app, chain, &mut payment, raw).await {
                            tracing::info!(transaction = %payment.facts.id, %error, "not sent");
                        }
                        watch.last_sent = Some(age.saturating_add(started.elapsed()));
                        pace.look
                    }
                    // Nothing was sent: as soon as the signer gives bytes, they are.
                    None => {
                        let _ = timeout(withheld, signer.changed()).await;
                        withheld = withheld.saturating_mul(2).min(RETRY_LAST);
                        Duration::ZERO
                    }
                }
            }
        };
        pauses.rest(pause, pace.look).await;
    }
}

async fn look(app: &App, chain: &dyn ChainPort, sought: &Sought) -> Option<Landing> {
    let _turn = app.tracker.turn().await?;
    match timeout(LOOK_PATIENCE, chain.status_of(sought)).await {
        Ok(Ok(landing)) => Some(landing),
        Ok(Err(error)) => {
            tracing::debug!(name = %sought.id, %error, "no node tells");
            None
        }
        Err(_) => {
            tracing::debug!(name = %sought.id, "no node tells in time");
            None
        }
    }
}

/// Whether a payment that is told to have expired has: the height up to which the chain takes it is what one node told
/// when it was built, so the bytes' own blockhash has the last word. Stays open while that cannot be asked.
async fn is_over(
    app: &App,
    chain: &dyn ChainPort,
    payment: &Payment,
    raw: Option<&[u8]>,
    age: Duration,
) -> bool {
    if age >= OUTLIVED {
        return true;
    }
    let raw = match raw {
        Some(raw) => Some(raw.to_vec()),
        None => again(app, payment).await,
    };
    match raw {
        Some(raw) => {
            let asked = timeout(LOOK_PATIENCE, chain.takes(&raw)).await;
            matches!(asked, Ok(Ok(false)))
        }
        None => false,
    }
}

/// Which transaction a payment is on its chain, and by what it is looked for; none while that is not known.
fn sought(payment: &Payment) -> Option<Sought> {
    let progress = &payment.progress;
    let validity = progress.validity?;
    let Some(own) = progress.own_signature else {
        return Some(Sought::named(progress.chain_transaction?, validity));
    };
    Some(Sought {
        signer: Some(own.signer),
        ..Sought::named(own.id, validity)
    })
}

async fn finish(
    app: &App,
    payment: &mut Payment,
    status: Status,
    landing: Option<Landing>,
    name: Option<ChainTransactionId>,
) -> Result<(), DatabaseError> {
    let change = match landing {
        Some(Landing::Confirmed { position, fee }) => Change {
            position: Some(position),
            fee_paid: fee,
            ..Change::default()
        },
        Some(Landing::Failed { position, reason }) => Change {
            position: Some(position),
            detail: Some(reason),
            ..Change::default()
        },
        _ => Change::default(),
    };
    let change = Change { name, ..change };
    // Whoever finds an unsent payment on the chain records first that it left.
    if payment.progress.status == Status::Executing && status != Status::Expired {
        advance(app, payment, Status::Submitted, Change::default()).await?;
    }
    advance(app, payment, status, change).await?;
    family::landed(app, payment).await?;
    tracing::info!(transaction = %payment.facts.id, %status, "settled");
    Ok(())
}

/// Waits until a payment's life has ended, at most until `deadline`; returns it as it is then.
///
/// # Errors
/// [`Refusal::Database`].
pub async fn settled(app: &App, payment: Payment, deadline: Instant) -> Result<Payment, Refusal> {
    let id = payment.facts.id;
    let mut changes = app.tracker.changes();
    let mut current = payment;
    loop {
        let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
        if let Some(stored) = app.database.run(Durability::Process, find).await? {
            current = stored;
        }
        if current.progress.status.is_final() {
            return Ok(current);
        }
        loop {
            match timeout_at(deadline, changes.recv()).await {
                Err(_) => return Ok(current),
                Ok(Ok(changed)) if changed != id => {}
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => break,
                Ok(Err(broadcast::error::RecvError::Closed)) => return Ok(current),
            }
        }
    }
}

/// Looks once at a payment that the agent, or somebody else, sends, when somebody asks about it.
///
/// # Errors
/// [`Refusal::Database`].
pub async fn refresh(app: &App, mut payment: Payment) -> Result<Payment, Refusal> {
    if payment.facts.submit || payment.progress.status.is_final() {
        return Ok(payment);
    }
    let Some(sought) = sought(&payment) else {
        return Ok(payment);
    };
    let chain = app.chain(payment.facts.chain)?;
    let Some(landing) = look(app, &*chain, &sought).await else {
        return Ok(payment);
    };
    let age = Duration::from_millis(app.clock.now().since(payment.facts.created).millis());
    if let Some(status) = landing.final_status()
        && chain.pace().believes(&landing, age)
        && (status != Status::Expired || is_over(app, &*chain, &payment, None, age).await)
    {
        // For showing: what became of it is known without.
        let named = timeout(LOOK_PATIENCE, chain.name_of(&sought));
        let name = match (sought.signer, status) {
            (Some(_), Status::Confirmed | Status::Failed) => {
                named.await.ok().and_then(Result::ok).flatten()
            }
            _ => None,
        };
        finish(app, &mut payment, status, Some(landing), name).await?;
    }
    Ok(payment)
}
