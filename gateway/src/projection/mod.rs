//! Follows the signer's event feed into `gateway.db`: every event is checked against the one before
//! it (and, with a pinned log key, against the log's signed heads), then taken together with the
//! cursor in one commit. Never goes back behind what it has seen: a log that is shorter or another one
//! stops all payments here until a person looks. One task; everybody else reads [`FeedState`].

mod events;
pub mod speeds;
pub mod store;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use waiaas_client::SignerStatus;

pub use verify::LogFault;

use crate::app::App;
use crate::chain::ChainText;
use crate::database::{DatabaseError, Durability};
use crate::payment::Payment;
use crate::pipeline::{confirm, waiting};
use crate::signer_client::{NoConnection, SignerError};
use crate::views::Stale;
use events::Told;
use store::{Change, Cursor};

/// Bytes of events asked for at once.
const PAGE_BYTES: u32 = 256 * 1024;
/// How long the signer may keep an empty answer back.
const WAIT: Duration = Duration::from_secs(20);
/// After a page, so that payments made close together are read together: reading costs the signer time.
const GATHER: Duration = Duration::from_millis(10);
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// What is known of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedState {
    /// Last event taken.
    pub sequence: u64,
    /// Newest event that the signer told of.
    pub last: u64,
    /// Whether it is being followed.
    pub health: FeedHealth,
}

/// Whether the log is being followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedHealth {
    /// Not yet connected.
    Starting,
    /// Events arrive.
    Following,
    /// The signer is away.
    Unreachable,
    /// Something is wrong with the log; nothing is signed through this gateway.
    Faulty(LogFault),
}

impl FeedState {
    /// Before the first answer.
    #[must_use]
    pub const fn starting() -> Self {
        Self {
            sequence: 0,
            last: 0,
            health: FeedHealth::Starting,
        }
    }

    /// What is wrong with the log, if anything.
    #[must_use]
    pub const fn fault(&self) -> Option<LogFault> {
        match self.health {
            FeedHealth::Faulty(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether everything that the signer told of was taken.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.health == FeedHealth::Following && self.sequence >= self.last
    }
}

/// Why the feed stopped for the moment.
enum Stop {
    Signer(SignerError),
    Database(DatabaseError),
    Fault(LogFault),
}

/// Follows the log until the process ends.
pub async fn follow(app: Arc<App>) {
    let mut pause = RETRY_FIRST;
    loop {
        let before = app.feed().sequence;
        let Err(stop) = follow_once(&app).await;
        if app.feed().sequence > before {
            pause = RETRY_FIRST;
        }
        match stop {
            Stop::Signer(error) => {
                // What is remembered stays for its seconds: whatever changes meanwhile is in the log
                // and is read before anything else.
                if app.feed().health == FeedHealth::Unreachable {
                    tracing::debug!(%error, "event feed");
                } else {
                    tracing::warn!(%error, "the signer's log is not followed for now");
                }
                app.set_feed(|feed| feed.health = FeedHealth::Unreachable);
            }
            Stop::Database(error) => {
                tracing::error!(%error, "the projection stands still");
                app.views.forget(&Stale::everything());
            }
            Stop::Fault(fault) => {
                if app.feed().fault() != Some(fault) {
                    tracing::error!(%fault, "ALARM: the signer's log is not the one seen before: payments stop");
                }
                app.set_feed(|feed| feed.health = FeedHealth::Faulty(fault));
                app.views.forget(&Stale::everything());
            }
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(RETRY_LAST);
    }
}

/// From one connection to its end.
async fn follow_once(app: &Arc<App>) -> Result<std::convert::Infallible, Stop> {
    let status = app.signer.status().await.map_err(Stop::Signer)?;
    let stored = app
        .database
        .run(Durability::Process, store::cursor)
        .await
        .map_err(Stop::Database)?;
    let mut cursor = match stored {
        Some(cursor) => cursor,
        None => beginning(app, &status)?,
    };
    let known = stored.is_some();
    verify::status(&status, known.then_some(&cursor), app.log_key).map_err(Stop::Fault)?;
    app.know_signer(&cursor);
    tracing::info!(signer = %cursor.signer, sequence = cursor.sequence, "following the signer's log");
    app.set_feed(|feed| {
        feed.sequence = cursor.sequence;
        feed.last = status.sequence.max(cursor.sequence);
        feed.health = FeedHealth::Following;
    });
    // What gateway.db has of payments under way belongs to an earlier life of this process, too.
    confirm::resume(app).await.map_err(Stop::Database)?;
    loop {
        let page = app
            .signer
            .events(cursor.sequence, PAGE_BYTES, WAIT)
            .await
            .map_err(Stop::Signer)?;
        let more = page
            .events
            .last()
            .is_some_and(|event| event.sequence < page.last);
        cursor = take(app, cursor, page).await?;
        if !more {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Where a log begins that was never followed.
fn beginning(app: &App, status: &SignerStatus) -> Result<Cursor, Stop> {
    let signer = status.signer.ok_or(Stop::Signer(SignerError::Unreachable(
        NoConnection::NotInitialized,
    )))?;
    Ok(Cursor {
        signer,
        sequence: 0,
        hash: verify::genesis(signer, app.log_key),
        rebuilt_through: status.sequence,
    })
}

async fn take(
    app: &Arc<App>,
    cursor: Cursor,
    page: waiaas_client::EventPage,
) -> Result<Cursor, Stop> {
    let verified = verify::page(&page, &cursor, app.log_key).map_err(Stop::Fault)?;
    let news = events::read(&page.events).map_err(Stop::Fault)?;
    let mut told = news.payments.clone();
    for payment in charged(&mut told) {
        app.tracker.fill_in(payment);
    }
    if verified != cursor {
        let channels = Arc::clone(&app.channels);
        let records = page.events;
        let job = move |connection: &rusqlite::Connection| {
            told.iter()
                .try_for_each(|told| write_down(connection, told))?;
            channels.write_down(connection, &records, verified.rebuilt_through)?;
            store::set_cursor(connection, &verified)
        };
        app.database
            .run(Durability::Process, job)
            .await
            .map_err(Stop::Database)?;
        app.channels.wake();
    }
    // First forget, then tell: whoever waits for this sequence must not read what was before it.
    app.views.forget(&news.stale);
    app.set_feed(|feed| {
        feed.sequence = verified.sequence;
        feed.last = page.last;
        feed.health = FeedHealth::Following;
    });
    let mut told = news.payments;
    late_details(app, &mut told).await.map_err(Stop::Database)?;
    follow_up(app, told);
    if news.unlocked {
        app.tracker.signer_changed();
    }
    Ok(verified)
}

fn write_down(connection: &rusqlite::Connection, told: &Told) -> rusqlite::Result<()> {
    match told {
        Told::Waits(payment) => store::put(connection, payment),
        Told::Approved(id, at) => store::set_ready(connection, *id, *at),
        Told::Charged(payment) => store::commit(connection, payment),
        Told::Ended {
            transactions,
            status,
            why,
            at,
        } => transactions.iter().try_for_each(|id| {
            let change = Change {
                detail: Some(ChainText::new(why)),
                ..Change::default()
            };
            store::advance(connection, *id, *status, &change, *at).map(drop)
        }),
    }
}

/// Wakes whoever waits for these payments, and has them taken up.
fn follow_up(app: &Arc<App>, told: Vec<Told>) {
    for told in told {
        match told {
            Told::Waits(payment) => waiting::take_up(app, &payment),
            Told::Approved(id, _) => app.tracker.tell(id),
            Told::Charged(payment) => {
                app.tracker.tell(payment.facts.id);
                confirm::committed(app, &payment);
            }
            Told::Ended { transactions, .. } => {
                transactions.into_iter().for_each(|id| app.tracker.tell(id));
            }
        }
    }
}

fn charged(told: &mut [Told]) -> impl Iterator<Item = &mut Payment> {
    told.iter_mut().filter_map(|told| match told {
        Told::Charged(payment) => Some(payment),
        _ => None,
    })
}

/// Details that a signed answer brought while its event was being written.
async fn late_details(app: &App, told: &mut [Told]) -> Result<(), DatabaseError> {
    for payment in charged(told) {
        if app.tracker.fill_in(payment) {
            let payment = payment.clone();
            let put = move |connection: &rusqlite::Connection| store::put(connection, &payment);
            app.database.run(Durability::Process, put).await?;
        }
    }
    Ok(())
}

/// A channel for [`FeedState`].
#[must_use]
pub fn channel() -> watch::Sender<FeedState> {
    watch::Sender::new(FeedState::starting())
}

#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;
