//! `waiaas audit show`: events of the verified log in words, filtered, and on as they come. Nothing is
//! shown that no signed head covers.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::event_words::names::Names;
use waiaas_shared::event_words::{machine, words};
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::time::WallTime;

use crate::app::App;
use crate::event_kinds::KINDS;
use crate::failure::Failure;
use crate::log_reader::{Heads, Part, Reader};
use crate::signer::Signer;
use crate::table::Table;

/// How long the signer keeps an answer back while nothing happens.
const FOLLOW_WAIT: Duration = Duration::from_secs(20);

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The newest so many that match
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    last: usize,
    /// Every one that matches
    #[arg(long)]
    all: bool,
    /// Only events after this one
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
    /// Only since then: a date (2026-11-21), a time (2026-11-21T09:30:00Z), or so long ago (24h, 30d)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<WallTime>,
    /// Only events of a kind (SpendCommitted), or of a group: payments, owners, policy, sessions, stops, signer
    #[arg(long, value_name = "KIND", value_parser = kinds)]
    kind: Vec<Kinds>,
    /// Only what concerns this wallet
    #[arg(long, value_name = "WALLET")]
    wallet: Option<WalletId>,
    /// Only what concerns this session
    #[arg(long, value_name = "SESSION")]
    session: Option<SessionId>,
    /// Go on with new events as they come; with --json one object a line
    #[arg(long)]
    follow: bool,
}

/// Kinds that one argument names.
#[derive(Debug, Clone)]
struct Kinds(Vec<&'static str>);

/// Reads a kind or a group.
fn kinds(text: &str) -> Result<Kinds, String> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let wanted = plain(text);
    let named: Vec<_> = KINDS
        .iter()
        .filter(|(kind, group)| plain(kind) == wanted || *group == wanted)
        .map(|(kind, _)| *kind)
        .collect();
    if named.is_empty() {
        let kinds: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
        Err(format!("no such kind; kinds are {}", kinds.join(", ")))
    } else {
        Ok(Kinds(named))
    }
}

/// Reads a moment, as of this machine's clock.
fn moment(text: &str) -> Result<WallTime, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    moment_at(text, now)
}

fn moment_at(text: &str, now: u64) -> Result<WallTime, String> {
    if let Ok(ago) = crate::duration::parse(text) {
        return Ok(WallTime::from_millis(now.saturating_sub(ago.millis())));
    }
    let utc = jiff::tz::TimeZone::UTC;
    let date = text.parse::<jiff::civil::Date>().ok();
    let timestamp = match date.and_then(|date| date.to_zoned(utc).ok()) {
        Some(midnight) if text.len() == 10 => Some(midnight.timestamp()),
        _ => text.parse::<jiff::Timestamp>().ok(),
    };
    timestamp
        .and_then(|at| u64::try_from(at.as_millisecond()).ok())
        .map(WallTime::from_millis)
        .ok_or_else(|| {
            "a date such as 2026-11-21, a time such as 2026-11-21T09:30:00Z, or so long ago, such as 24h"
                .to_owned()
        })
}

/// One event as it is shown.
#[derive(Debug)]
struct Shown {
    cells: [String; 4],
    data: Value,
}

/// Reads events in order, learns names from all of them, and keeps those that are asked for.
struct Choice<'a> {
    args: &'a Args,
    names: Names,
}

impl Choice<'_> {
    fn take(&mut self, record: &EventRecord) -> Option<Shown> {
        let Ok(event) = from_canonical::<Event>(&record.body) else {
            // Of a newer signer: what it concerns is not known, so no filter hides it.
            let sequence = record.sequence.to_string();
            let text = "not understood: a newer signer wrote it".to_owned();
            return (record.sequence > self.args.after).then(|| Shown {
                cells: [sequence, String::new(), "?".to_owned(), text],
                data: json!({ "sequence": record.sequence, "kind": null }),
            });
        };
        self.names.learn(&event.body);
        let args = self.args;
        let concerned = event.body.about();
        let (kind, text) = words(&event.body, &self.names);
        let of_kind = args.kind.is_empty() || args.kind.iter().any(|kinds| kinds.0.contains(&kind));
        let wanted = record.sequence > args.after
            && args.since.is_none_or(|since| event.clocks.wall >= since)
            && of_kind
            && args
                .wallet
                .is_none_or(|wallet| self.names.concerns_wallet(&concerned, wallet))
            && args
                .session
                .is_none_or(|session| self.names.concerns_session(&concerned, session));
        let wall = event.clocks.wall;
        wanted.then(|| Shown {
            cells: [
                record.sequence.to_string(),
                wall.to_string().trim_end_matches(" UTC").to_owned(),
                kind.to_owned(),
                text.clone(),
            ],
            data: machine(record.sequence, wall.millis(), kind, text, &concerned),
        })
    }
}

/// Runs the command.
pub(crate) async fn run(app: &App, args: Args) -> Result<(), Failure> {
    let signer = Signer::connect(app).await?;
    let mut reader = Reader::new(&app.home, &signer, Heads::Every)?;
    let mut choice = Choice {
        args: &args,
        names: Names::default(),
    };
    let mut shown = VecDeque::new();
    let mut left_out = 0_u64;
    loop {
        let (parts, more) = reader.page(Duration::ZERO).await?;
        for part in &parts {
            if let Part::Event(record) = part {
                shown.extend(choice.take(record));
                if !args.all && shown.len() > args.last {
                    shown.pop_front();
                    left_out = left_out.saturating_add(1);
                }
            }
        }
        if !more {
            break;
        }
    }
    reader.finish()?;
    present(app, shown, left_out, args.follow)?;
    if args.follow {
        go_on(app, &mut reader, &mut choice).await?;
    }
    Ok(())
}

fn present(app: &App, shown: VecDeque<Shown>, left_out: u64, follows: bool) -> Result<(), Failure> {
    if left_out > 0 {
        app.output.say(format_args!(
            "{left_out} older events match too: --last N, or --all"
        ));
    }
    if follows && app.output.is_json() {
        return shown
            .iter()
            .try_for_each(|one| app.output.data("", &one.data));
    }
    let mut table = Table::new(&["EVENT", "TIME (UTC)", "KIND", "WHAT"]);
    let mut rows = Vec::new();
    for one in shown {
        table.row(one.cells);
        rows.push(one.data);
    }
    if table.is_empty() && !app.output.is_json() {
        return app.output.data("No event matches.", &Value::Null);
    }
    app.output
        .data(table, &json!({ "events": rows, "left_out": left_out }))
}

/// New events as they come, each once a signed head covers it.
async fn go_on(app: &App, reader: &mut Reader<'_>, choice: &mut Choice<'_>) -> Result<(), Failure> {
    let mut uncovered: Vec<EventRecord> = Vec::new();
    loop {
        let (parts, _) = reader.page(FOLLOW_WAIT).await?;
        for part in parts {
            match part {
                Part::Event(record) => uncovered.push(record),
                Part::Head(_) => {
                    for record in uncovered.drain(..) {
                        if let Some(one) = choice.take(&record) {
                            let [sequence, time, kind, what] = &one.cells;
                            let line = format!("{sequence:<5}  {time:<19}  {kind:<20}  {what}");
                            app.output
                                .data(crate::output::printable(&line), &one.data)?;
                        }
                    }
                }
            }
        }
        if uncovered.is_empty() {
            reader.finish()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_times_and_spans() {
        let now = 1_795_219_200_000;
        let read = |text: &str| moment_at(text, now).map(WallTime::millis);
        assert_eq!(read("24h"), Ok(now - 24 * 3_600_000));
        assert_eq!(read("2026-11-21"), Ok(1_795_219_200_000));
        assert_eq!(read("2026-11-21T09:30:00Z"), Ok(1_795_253_400_000));
        assert_eq!(read("2026-11-21T09:30:00+09:00"), Ok(1_795_221_000_000));
        for wrong in ["", "yesterday", "2026-13-01", "2026-11-21T09:30", "0h"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn kinds_and_groups_are_named_as_people_write_them() {
        for text in ["SpendCommitted", "spend-committed", "spendcommitted"] {
            assert_eq!(kinds(text).unwrap().0, ["SpendCommitted"]);
        }
        let stops = kinds("stops").unwrap().0;
        assert!(stops.contains(&"Killed") && !stops.contains(&"SpendCommitted"));
        assert!(kinds("payment").unwrap_err().contains("SpendCommitted"));
    }
}
