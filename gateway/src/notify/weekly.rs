//! What the gateway says by itself: that messages begin, and once a week where the log stands, with its signed head.
//! A week without this word is a sign that messages do not arrive.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use waiaas_shared::time::{Millis, WallTime};

use super::notice::Own;
use super::outbox;
use crate::app::App;
use crate::database::{DatabaseError, Durability};

const BEGINS: &str = "begins";
const WEEKLY: &str = "weekly";
const LOOK: Duration = Duration::from_secs(3600);
const WEEK: Millis = Millis::from_millis(7 * 24 * 3600 * 1000);

/// Looks every hour whether the week is over, and forgets what was told long ago.
pub(super) async fn tell(app: Arc<App>) {
    app.up_to_date().await;
    loop {
        if let Err(error) = look(&app).await {
            tracing::error!(%error, "the weekly word is not written down");
        }
        if let Err(error) = tidy(&app).await {
            tracing::error!(%error, "what was told long ago is kept");
        }
        sleep(LOOK).await;
    }
}

async fn tidy(app: &App) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    let part = move |connection: &rusqlite::Connection| outbox::tidy(connection, now);
    while app.database.run(Durability::Process, part).await? {}
    Ok(())
}

async fn look(app: &App) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    let last = |what: &'static str| {
        app.database.run(Durability::Process, move |connection| {
            outbox::said(connection, what)
        })
    };
    let Some(begun) = last(BEGINS).await? else {
        let sequence = app.feed().sequence;
        return say(app, BEGINS, Own::Begins { sequence }, now).await;
    };
    let since = last(WEEKLY).await?.unwrap_or(begun);
    if now.since(since) < WEEK {
        return Ok(());
    }
    let Ok(status) = app.signer.status().await else {
        // In an hour again.
        return Ok(());
    };
    let (signed, waiting) = app
        .database
        .run(Durability::Process, move |connection| {
            signed_and_waiting(connection, since)
        })
        .await?;
    let own = Own::Weekly {
        head: status.head,
        sequence: status.sequence,
        signed,
        waiting,
    };
    say(app, WEEKLY, own, now).await
}

async fn say(app: &App, what: &'static str, own: Own, now: WallTime) -> Result<(), DatabaseError> {
    let channels = Arc::clone(&app.channels);
    app.database
        .run(Durability::Process, move |connection| {
            channels.say(connection, own, now)?;
            outbox::note_said(connection, what, now)
        })
        .await?;
    app.channels.wake();
    Ok(())
}

/// How many payments were signed since a time, and how many wait now.
fn signed_and_waiting(
    connection: &rusqlite::Connection,
    since: WallTime,
) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE created >= ?1 AND status NOT IN ('QUEUED', 'CANCELLED', 'EXPIRED')),
                count(*) FILTER (WHERE status = 'QUEUED') FROM payment",
        )?
        .query_row([since.millis().cast_signed()], |row| {
            let count = |place| row.get::<_, i64>(place).map(i64::cast_unsigned);
            Ok((count(0)?, count(1)?))
        })
}
