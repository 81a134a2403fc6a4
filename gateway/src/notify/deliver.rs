//! One channel's task: takes what it is still to be told, in order, and brings it out, until the channel has taken it.
//! Never gives a message up because the channel is away; a channel that is away for long is told of in the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use waiaas_shared::time::{Millis, WallTime};

use super::names::Names;
use super::notice::Own;
use super::outbox::{self, Outcome, ToCome};
use super::sink::SendError;
use super::{Channel, message};
use crate::app::App;
use crate::database::{DatabaseError, Durability};

/// How often it is looked without being woken: quiet hours end, and channels come back.
const LOOK: Duration = Duration::from_secs(20);
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(300);
/// A channel that is away for so long is told of in the others.
const SILENT_AFTER: Millis = Millis::from_millis(15 * 60 * 1000);
/// How long a channel has to be away before another one stands in for it.
const STAND_IN_AFTER: Millis = Millis::from_millis(2 * 60 * 1000);

/// Since when a channel has been away.
#[derive(Debug, Default)]
pub(super) struct Health(AtomicU64);

impl Health {
    /// Since when; none: it takes messages, as far as is known.
    pub(super) fn away_since(&self) -> Option<WallTime> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            since => Some(WallTime::from_millis(since)),
        }
    }

    fn is_away_for(&self, time: Millis, now: WallTime) -> bool {
        self.away_since()
            .is_some_and(|since| now.since(since) >= time)
    }

    fn took(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    /// Keeps the first moment.
    fn failed(&self, now: WallTime) {
        let now = now.millis().max(1);
        let _ = self
            .0
            .compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Time for one message, everything included.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(40);
/// Messages that a channel which stands in looks through for one that nobody else tells.
const LOOKED_THROUGH: u32 = 500;

/// What came of one look.
enum Step {
    /// Something was told or ended: there may be more.
    Again,
    /// Nothing is to be told now.
    Idle,
    /// The channel is away; so long if it says how long.
    Away(Option<Duration>),
}

/// Serves one channel until the process ends.
pub(super) async fn serve(app: Arc<App>, channel: Arc<Channel>) {
    let name = channel.config.name.as_str();
    let mut pause = PAUSE_FIRST;
    let mut told_silent = false;
    loop {
        // What is written down from here on wakes this task, even while it looks.
        let woken = app.channels.woken.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        match step(&app, &channel).await {
            Ok(Step::Again) => {
                if channel.health.away_since().is_none() {
                    (pause, told_silent) = (PAUSE_FIRST, false);
                }
            }
            // Nobody else has to wake it: time passes, too.
            Ok(Step::Idle) => drop(timeout(LOOK, woken).await),
            Ok(Step::Away(asked)) => {
                if !told_silent && channel.health.is_away_for(SILENT_AFTER, app.clock.now()) {
                    told_silent = tell_silent(&app, &channel).await.is_ok();
                }
                sleep(asked.unwrap_or(pause).clamp(PAUSE_FIRST, PAUSE_LAST)).await;
                pause = pause.saturating_mul(2).min(PAUSE_LAST);
            }
            Err(error) => {
                tracing::error!(channel = name, %error, "messages stand still");
                sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_LAST);
            }
        }
    }
}

async fn step(app: &Arc<App>, channel: &Arc<Channel>) -> Result<Step, DatabaseError> {
    let now = app.clock.now();
    let quiet = channel
        .config
        .quiet
        .is_some_and(|quiet| quiet.contains(now));
    let mut passed = 0;
    let (id, notice) = loop {
        let of = Arc::clone(channel);
        let next = app
            .database
            .run(Durability::Process, move |connection| {
                outbox::next(connection, &of.config.name, quiet, passed)
            })
            .await?;
        let Some(ToCome { id, notice }) = next else {
            return Ok(Step::Idle);
        };
        let Some(notice) = notice else {
            let name = channel.config.name.as_str();
            tracing::error!(
                channel = name,
                notice = id,
                "what is kept of it cannot be read"
            );
            return end(app, channel, id, Outcome::Refused).await;
        };
        match others(app, channel, id, now).await? {
            Others::Took => return end(app, channel, id, Outcome::NotNeeded).await,
            Others::DoNot => break (id, notice),
            Others::May if passed < LOOKED_THROUGH => passed += 1,
            Others::May => return Ok(Step::Idle),
        }
    };
    let names = Names::known(app).await;
    let origin = app.channels.approval_origin.as_deref();
    let message = message::compose(&notice, &channel.config, &names, origin, now);
    let name = channel.config.name.as_str();
    match channel.sink.send(&message, SEND_TIMEOUT).await {
        Ok(()) => {
            tracing::debug!(channel = name, notice = notice.name, "told");
            channel.health.took();
            end(app, channel, id, Outcome::Delivered).await
        }
        Err(SendError::Busy(wait)) => {
            away(channel, "it asks to wait", app.clock.now());
            Ok(Step::Away(Some(wait)))
        }
        Err(SendError::Away(why)) => {
            away(channel, &why, app.clock.now());
            Ok(Step::Away(None))
        }
        Err(SendError::Refused(why)) => {
            let of = Arc::clone(channel);
            let hopeless = app
                .database
                .run(Durability::Process, move |connection| {
                    outbox::refused(connection, &of.config.name, id, now)
                })
                .await?;
            if hopeless {
                tracing::error!(
                    channel = name,
                    notice = notice.name,
                    why,
                    "a message is given up: the channel refuses it and takes others"
                );
                return end(app, channel, id, Outcome::Refused).await;
            }
            away(channel, &why, app.clock.now());
            Ok(Step::Away(None))
        }
    }
}

/// Whether the channels for which this one stands in tell it.
enum Others {
    /// One did.
    Took,
    /// One still may.
    May,
    /// None does.
    DoNot,
}

async fn others(
    app: &Arc<App>,
    channel: &Arc<Channel>,
    id: i64,
    now: WallTime,
) -> Result<Others, DatabaseError> {
    let mut may = false;
    for name in &channel.config.stands_in_for {
        let (of, asked) = (name.clone(), name.as_str());
        let told = app
            .database
            .run(Durability::Process, move |connection| {
                outbox::told(connection, &of, id)
            })
            .await?;
        match told {
            outbox::Told::Took => return Ok(Others::Took),
            outbox::Told::ToCome => {
                let other = app.channels.channels.iter();
                let mut other = other.filter(|other| other.config.name == asked);
                may |= other.any(|other| !other.health.is_away_for(STAND_IN_AFTER, now));
            }
            outbox::Told::Not => {}
        }
    }
    Ok(if may { Others::May } else { Others::DoNot })
}

fn away(channel: &Channel, why: &str, now: WallTime) {
    let name = channel.config.name.as_str();
    if channel.health.away_since().is_none() {
        tracing::warn!(
            channel = name,
            why,
            "a channel takes no messages: they are kept and sent again"
        );
    } else {
        tracing::debug!(channel = name, why, "still away");
    }
    channel.health.failed(now);
}

async fn end(
    app: &Arc<App>,
    channel: &Arc<Channel>,
    id: i64,
    outcome: Outcome,
) -> Result<Step, DatabaseError> {
    let (of, now) = (Arc::clone(channel), app.clock.now());
    app.database
        .run(Durability::Process, move |connection| {
            outbox::end(connection, &of.config.name, id, outcome, now)
        })
        .await?;
    Ok(Step::Again)
}

/// Tells the other channels that this one is silent.
async fn tell_silent(app: &Arc<App>, channel: &Arc<Channel>) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    tracing::error!(
        channel = channel.config.name,
        "ALARM: a channel takes no messages"
    );
    let own = Own::Silent {
        channel: channel.config.name.clone(),
        since: channel.health.away_since().unwrap_or(now),
    };
    let channels = Arc::clone(&app.channels);
    app.database
        .run(Durability::Process, move |connection| {
            channels.say(connection, own, now)
        })
        .await?;
    app.channels.wake();
    Ok(())
}
