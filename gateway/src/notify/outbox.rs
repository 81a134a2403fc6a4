//! The outbox in `gateway.db`: what is told, and for each channel what it was told of it. Functions of a
//! connection, called inside jobs of `database`; the cursor of the signer's log moves in the same commit.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::time::{Millis, WallTime};

use super::config::ChannelConfig;
use super::notice::Notice;

/// The tables.
pub const TABLES: &str = "
CREATE TABLE notice(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Under which every channel hears of it.
    name TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    sequence INTEGER,
    -- Canonical bytes of the event, or the gateway's own words as JSON.
    body BLOB NOT NULL,
    -- The payment or change of owners that waits, of a notice that one does.
    waits TEXT
) STRICT;
CREATE INDEX notice_by_waiting ON notice(waits) WHERE waits IS NOT NULL;
CREATE INDEX notice_by_time ON notice(at);
CREATE TABLE delivery(
    channel TEXT NOT NULL,
    notice INTEGER NOT NULL REFERENCES notice(id) ON DELETE CASCADE,
    urgent INTEGER NOT NULL,
    -- How often the channel refused this very message, and since when; often: it goes behind the others.
    refused INTEGER NOT NULL DEFAULT 0,
    refused_since INTEGER,
    behind INTEGER NOT NULL DEFAULT 0,
    -- When it ended, and how; not yet: it is still to be told.
    ended INTEGER,
    outcome TEXT,
    PRIMARY KEY (channel, notice)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_to_come ON delivery(channel, behind, urgent DESC, notice) WHERE ended IS NULL;
CREATE INDEX delivery_by_notice ON delivery(notice);
CREATE TABLE said(
    what TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Notices kept for one channel that takes none; the oldest are dropped then.
const KEPT: u32 = 20_000;
/// How long what was told is kept for looking up.
const REMEMBERED: Millis = Millis::from_millis(30 * 24 * 3600 * 1000);
/// Notices that are forgotten in one go.
const TIDIED_AT_ONCE: u32 = 200;

/// How the telling of a notice in a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took it.
    Delivered,
    /// Another channel, for which this one stands in, took it.
    NotNeeded,
    /// The channel refused this very message too often.
    Refused,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotNeeded => "not-needed",
            Self::Refused => "refused",
        }
    }
}

/// A notice that a channel is still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToCome {
    /// Its place in the outbox.
    pub id: i64,
    /// What is told; none: it is not what this program writes.
    pub notice: Option<Notice>,
}

/// Writes a notice down for every channel that wants it. One that is known by name is not told again.
pub fn put<'a>(
    connection: &Connection,
    notice: &Notice,
    channels: impl Iterator<Item = &'a ChannelConfig>,
) -> rusqlite::Result<()> {
    let Some(kind) = notice.kind() else {
        return Ok(());
    };
    let wanting: Vec<&ChannelConfig> = channels
        .filter(|channel| channel.choice.wants(kind))
        .collect();
    if wanting.is_empty() {
        return Ok(());
    }
    let (sequence, body) = notice.kept();
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO notice(name, at, sequence, body, waits) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            notice.name,
            signed(notice.at.millis()),
            sequence.map(signed),
            body,
            waiting(notice)
        ])?;
    if new == 0 {
        return Ok(());
    }
    let id = connection.last_insert_rowid();
    let mut insert = connection
        .prepare_cached("INSERT INTO delivery(channel, notice, urgent) VALUES (?1, ?2, ?3)")?;
    for channel in wanting {
        insert.execute(params![channel.name, id, kind.is_urgent()])?;
        bound(connection, &channel.name)?;
    }
    Ok(())
}

/// Reads an event again that was told of before gateway.db was lost: only what waits still is to be told. Until all
/// such events are read, nobody is told of one ([`next`]): its end may be among them.
pub(super) fn catch_up<'a>(
    connection: &Connection,
    record: &EventRecord,
    channels: impl Iterator<Item = &'a ChannelConfig>,
) -> rusqlite::Result<()> {
    let Ok(event) = from_canonical::<Event>(&record.body) else {
        return Ok(());
    };
    let over: Vec<String> = match &event.body {
        EventBody::IntentOpened(_) | EventBody::OwnerChangeScheduled { .. } => {
            return match Notice::of_event(record) {
                Some(notice) => put(connection, &notice, channels),
                None => Ok(()),
            };
        }
        EventBody::IntentApproved { transaction, .. } => vec![transaction.to_string()],
        EventBody::SpendCommitted(spend) => vec![spend.transaction.to_string()],
        EventBody::IntentsEnded { transactions, .. } => {
            transactions.iter().map(ToString::to_string).collect()
        }
        EventBody::OwnerChangeCancelled { change, .. }
        | EventBody::OwnerChangeEffective { change }
        | EventBody::OwnerChangeVoided { change, .. } => vec![change.to_string()],
        EventBody::OwnerSuspended { changes, .. } => {
            changes.iter().map(ToString::to_string).collect()
        }
        _ => return Ok(()),
    };
    let mut delete = connection.prepare_cached("DELETE FROM notice WHERE waits = ?1")?;
    for what in over {
        delete.execute([what])?;
    }
    Ok(())
}

/// What a channel is still to be told: urgent things first, then in the order in which they happened; what it refused
/// often comes last. So many of them are passed over; of a quiet channel only the urgent ones count.
pub(super) fn next(
    connection: &Connection,
    channel: &str,
    quiet: bool,
    passed: u32,
) -> rusqlite::Result<Option<ToCome>> {
    connection
        .prepare_cached(
            "SELECT notice.id, notice.name, notice.at, notice.sequence, notice.body
             FROM delivery JOIN notice ON notice.id = delivery.notice
             WHERE delivery.channel = ?1 AND delivery.ended IS NULL AND delivery.urgent >= ?2
                AND (notice.waits IS NULL OR NOT EXISTS
                    (SELECT 1 FROM cursor WHERE cursor.sequence < cursor.rebuilt_through))
             ORDER BY delivery.behind, delivery.urgent DESC, delivery.notice LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![channel, quiet, passed], to_come)
        .optional()
}

fn to_come(row: &Row<'_>) -> rusqlite::Result<ToCome> {
    let sequence: Option<i64> = row.get(3)?;
    let body: Vec<u8> = row.get(4)?;
    Ok(ToCome {
        id: row.get(0)?,
        notice: Notice::from_kept(
            row.get(1)?,
            WallTime::from_millis(row.get::<_, i64>(2)?.cast_unsigned()),
            sequence.map(i64::cast_unsigned),
            &body,
        ),
    })
}

/// How far another channel is with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It took it.
    Took,
    /// It is still to be told.
    ToCome,
    /// It does not want it, or refused it.
    Not,
}

/// How far a channel is with a notice.
pub(super) fn told(connection: &Connection, channel: &str, notice: i64) -> rusqlite::Result<Told> {
    let outcome: Option<Option<String>> = connection
        .prepare_cached("SELECT outcome FROM delivery WHERE channel = ?1 AND notice = ?2")?
        .query_row(params![channel, notice], |row| row.get(0))
        .optional()?;
    Ok(match outcome {
        None => Told::Not,
        Some(None) => Told::ToCome,
        Some(Some(outcome)) if outcome == Outcome::Refused.as_str() => Told::Not,
        Some(Some(_)) => Told::Took,
    })
}

/// Ends the telling of a notice in a channel, and forgets what was told long ago everywhere.
pub(super) fn end(
    connection: &Connection,
    channel: &str,
    notice: i64,
    outcome: Outcome,
    now: WallTime,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE delivery SET ended = ?3, outcome = ?4 WHERE channel = ?1 AND notice = ?2",
        )?
        .execute(params![
            channel,
            notice,
            signed(now.millis()),
            outcome.as_str()
        ])?;
    Ok(())
}

/// Forgets what was told long ago everywhere, a part of it; answers whether there may be more.
pub(super) fn tidy(connection: &Connection, now: WallTime) -> rusqlite::Result<bool> {
    let long_ago = now.millis().saturating_sub(REMEMBERED.millis());
    let gone = connection
        .prepare_cached(
            "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE at < ?1 AND NOT EXISTS
                (SELECT 1 FROM delivery WHERE delivery.notice = notice.id AND ended IS NULL) LIMIT ?2)",
        )?
        .execute(params![signed(long_ago), TIDIED_AT_ONCE])?;
    Ok(u32::try_from(gone).is_ok_and(|gone| gone >= TIDIED_AT_ONCE))
}

/// Counts that a channel refused a notice. Answers whether it is the notice's fault: it was refused often, and the
/// channel has taken another one since.
pub(super) fn refused(
    connection: &Connection,
    channel: &str,
    notice: i64,
    now: WallTime,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "UPDATE delivery SET refused = refused + 1, refused_since = coalesce(refused_since, ?3),
                behind = refused + 1 >= 3
             WHERE channel = ?1 AND notice = ?2",
        )?
        .execute(params![channel, notice, signed(now.millis())])?;
    connection
        .prepare_cached(
            "SELECT refused >= 3 AND EXISTS (SELECT 1 FROM delivery AS other
                WHERE other.channel = ?1 AND other.outcome = 'delivered' AND other.ended > this.refused_since)
             FROM delivery AS this WHERE channel = ?1 AND notice = ?2",
        )?
        .query_row(params![channel, notice], |row| row.get(0))
}

/// Forgets what channels were to be told that are no longer configured.
pub(super) fn forget_others<'a>(
    connection: &Connection,
    channels: impl Iterator<Item = &'a str>,
) -> rusqlite::Result<()> {
    let known: Vec<&str> = channels.collect();
    let named: Vec<String> = connection
        .prepare("SELECT DISTINCT channel FROM delivery")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for channel in named {
        if !known.contains(&channel.as_str()) {
            connection.execute("DELETE FROM delivery WHERE channel = ?1", [channel])?;
        }
    }
    Ok(())
}

/// How many notices a channel is still to be told.
pub fn to_be_told(connection: &Connection, channel: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM delivery WHERE channel = ?1 AND ended IS NULL")?
        .query_row([channel], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// When the gateway last said this by itself.
pub(super) fn said(connection: &Connection, what: &str) -> rusqlite::Result<Option<WallTime>> {
    connection
        .prepare_cached("SELECT at FROM said WHERE what = ?1")?
        .query_row([what], |row| row.get::<_, i64>(0))
        .optional()
        .map(|at| at.map(|at| WallTime::from_millis(at.cast_unsigned())))
}

/// Notes that the gateway said this by itself.
pub(super) fn note_said(connection: &Connection, what: &str, at: WallTime) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO said VALUES (?1, ?2)")?
        .execute(params![what, signed(at.millis())])?;
    Ok(())
}

/// Drops the oldest of what a channel would not take, above the bound.
fn bound(connection: &Connection, channel: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM delivery WHERE channel = ?1 AND ended IS NULL AND notice <=
                (SELECT notice FROM delivery WHERE channel = ?1 AND ended IS NULL
                 ORDER BY notice DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![channel, KEPT])?;
    Ok(())
}

/// The payment or change of owners that waits.
fn waiting(notice: &Notice) -> Option<String> {
    let super::Told::Event(_, event) = &notice.told else {
        return None;
    };
    match &event.body {
        EventBody::IntentOpened(intent) => Some(intent.transaction.to_string()),
        EventBody::OwnerChangeScheduled { statement, .. } => Some(statement.to_string()),
        _ => None,
    }
}

/// SQLite's whole numbers; what is counted here stays far below 2^63.
const fn signed(value: u64) -> i64 {
    value.cast_signed()
}
