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
use crate::projection::store;

const LOOK: Duration = Duration::from_secs(3600);
const WEEK: Millis = Millis::from_millis(7 * 24 * 3600 * 1000);

/// Looks every hour whether the week is over.
pub(super) async fn tell(app: Arc<App>) {
    app.up_to_date().await;
    loop {
        if let Err(error) = look(&app).await {
            tracing::error!(%error, "the weekly word is not written down");
        }
        sleep(LOOK).await;
    }
}

async fn look(app: &App) -> Result<(), DatabaseError> {
    let now = app.clock.now();
    let last = |about: &'static str| {
        app.database.run(Durability::Process, move |connection| {
            outbox::last(connection, about)
        })
    };
    let Some(begun) = last("begins_").await? else {
        let sequence = app.feed().sequence;
        return say(app, Own::Begins { sequence }, now).await;
    };
    let since = last("weekly_").await?.unwrap_or(begun);
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
            store::signed_and_waiting(connection, since)
        })
        .await?;
    let own = Own::Weekly {
        head: status.head,
        sequence: status.sequence,
        signed,
        waiting,
    };
    say(app, own, now).await
}

async fn say(app: &App, own: Own, now: WallTime) -> Result<(), DatabaseError> {
    let channels = Arc::clone(&app.channels);
    app.database
        .run(Durability::Process, move |connection| {
            channels.say(connection, own, now)
        })
        .await?;
    app.channels.wake();
    Ok(())
}
