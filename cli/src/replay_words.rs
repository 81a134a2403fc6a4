//! A replay in words: what an owner reads before signing a policy. Informs; counts nothing itself.

use std::fmt::Write as _;

use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::replay::{Decision, Ending, Fate, LoginRow, Logins, Report, Row};
use waiaas_shared::time::Millis;

use crate::duration::{self, counted};
use crate::table::Table;

/// Rules named in the summary, most frequent first.
const RULES: usize = 5;

/// The summary, and the payments and logins that would have been decided differently.
pub(crate) fn words(report: &Report) -> String {
    let mut text = String::new();
    summary(&mut text, report);
    remarks(&mut text, report);
    if !report.rows.is_empty() {
        let mut table = Table::new(&["EVENT", "TIME", "AMOUNT", "TO", "WAS", "WOULD BE", "WHY"]);
        for row in &report.rows {
            table.row(cells(row));
        }
        let _infallible = write!(text, "\n{table}");
    }
    if report.left_out > 0 {
        let _infallible = writeln!(
            text,
            "Not listed: {}. --limit lists more.",
            counted(report.left_out, "older payment")
        );
    }
    logins(&mut text, &report.logins);
    text
}

/// Nothing, if nobody ever signed in.
fn logins(text: &mut String, logins: &Logins) {
    let counts = &logins.counts;
    if counts.all() == 0 {
        return;
    }
    let _infallible = writeln!(text, "\n{} at web sites\n", counted(counts.all(), "login"));
    for (count, what) in [
        (counts.same, "would be decided the same"),
        (counts.denied, "would be DENIED"),
        (counts.told, "would be told to the owner"),
        (counts.shorter, "would hold for a shorter time"),
        (counts.easier, "would pass MORE EASILY"),
    ] {
        let _infallible = writeln!(text, "{count:>8}  {what}");
    }
    if !logins.rows.is_empty() {
        let mut table = Table::new(&["EVENT", "TIME", "SITE", "WAS", "WOULD BE", "WHY"]);
        for row in &logins.rows {
            table.row(login_cells(row));
        }
        let _infallible = write!(text, "\n{table}");
    }
    if logins.left_out > 0 {
        let _infallible = writeln!(
            text,
            "Not listed: {}. --limit lists more.",
            counted(logins.left_out, "older login")
        );
    }
}

fn login_cells(row: &LoginRow) -> [String; 6] {
    let held = |tier: Tier, held: Millis| {
        format!("{} for {}", tier.as_str(), duration::words(held.millis()))
    };
    let would = row.would.zip(row.would_hold);
    let why: Vec<_> = row.why.iter().map(|code| code.as_str()).collect();
    [
        row.sequence.to_string(),
        row.at.to_string(),
        row.domain.clone(),
        held(row.was, row.held),
        would.map_or_else(|| "denied".to_owned(), |(tier, long)| held(tier, long)),
        why.join(" "),
    ]
}

fn summary(text: &mut String, report: &Report) {
    let counts = &report.counts;
    let span = match (report.from, report.to) {
        (Some(from), Some(to)) => format!(", {from} to {to}"),
        _ => String::new(),
    };
    let _infallible = writeln!(
        text,
        "Policy epoch {}, digest {}\nJudged by it alone: {} of {}{span}\n",
        report.epoch,
        report.digest,
        counted(counts.all(), "payment"),
        counted(report.events, "event"),
    );
    for (count, what) in [
        (counts.same, "would be decided the same"),
        (counts.denied, "would be DENIED"),
        (counts.asks, "would ask the owner, or more owners"),
        (counts.waits, "would wait, or wait longer"),
        (counts.told, "would be told to the owner"),
        (counts.easier, "would pass MORE EASILY"),
    ] {
        let _infallible = writeln!(text, "{count:>8}  {what}");
    }
}

fn remarks(text: &mut String, report: &Report) {
    text.push('\n');
    match report.worst_day {
        Some(day) => {
            let date = day.begins.to_string();
            let _infallible = writeln!(
                text,
                "Worst day: {}, {} of {} denied or held up.",
                date.get(..10).unwrap_or_default(),
                day.held_up,
                counted(day.payments, "payment")
            );
        }
        None => text.push_str("No payment would be denied or held up.\n"),
    }
    if !report.rules.is_empty() {
        let rules = report.rules.iter().take(RULES);
        let named: Vec<_> = rules
            .map(|frequent| format!("{} ({})", frequent.rule.as_str(), frequent.payments))
            .collect();
        let _infallible = writeln!(text, "Most often because of: {}.", named.join(", "));
    }
    if report.stopped_and_would_pass > 0 {
        let _infallible = writeln!(
            text,
            "ATTENTION: {} that somebody rejected or cancelled would have been signed at once.",
            counted(report.stopped_and_would_pass, "payment")
        );
    }
    if report.unexplained > 0 {
        let _infallible = writeln!(
            text,
            "{} went otherwise than this program decides by the policies that bound then: another version decided.",
            counted(report.unexplained, "payment or login")
        );
    }
    let refused: u64 = report.refused.values().sum();
    if refused > 0 {
        let codes: Vec<_> = report
            .refused
            .iter()
            .map(|(code, count)| format!("{code} {count}"))
            .collect();
        let _infallible = writeln!(
            text,
            "{} refused ({}): the log has their number only, so whether they would pass is not known.",
            if refused == 1 {
                "1 request was".to_owned()
            } else {
                format!("{refused} requests were")
            },
            codes.join(", ")
        );
    }
    text.push_str(
        "Each payment is judged after what was really spent before it; sessions keep limits of their own.\n",
    );
}

fn cells(row: &Row) -> [String; 7] {
    let amount = row.amount_text.clone();
    let contact = row.contact.as_ref().map(|name| format!("@{name}"));
    let why: Vec<_> = row.why.iter().map(|rule| rule.as_str()).collect();
    [
        row.sequence.to_string(),
        row.at.to_string(),
        amount.unwrap_or_else(|| format!("{} base units of {}", row.amount, row.asset)),
        format!(
            "{}{}",
            contact.unwrap_or_else(|| row.to.to_string()),
            match row.more {
                0 => String::new(),
                more => format!(" and {more} more"),
            }
        ),
        format!("{}{}", decision(row.was), fate(row)),
        row.would.map_or_else(|| "denied".to_owned(), decision),
        why.join(" "),
    ]
}

fn decision(decision: Decision) -> String {
    let name = decision.tier.as_str();
    match (decision.delay, decision.quorum) {
        (Some(delay), _) => format!("{name} {}", duration::words(delay.millis())),
        (_, Some(quorum)) => format!("{name} of {}", counted(quorum.into(), "owner")),
        _ => name.to_owned(),
    }
}

/// What became of a payment that had to wait.
const fn fate(row: &Row) -> &'static str {
    match row.fate {
        Fate::Signed if matches!(row.was.tier, Tier::Instant | Tier::Notify) => "",
        Fate::Signed => ", signed",
        Fate::Waits => ", waits still",
        Fate::Ended(Ending::Cancelled) => ", cancelled",
        Fate::Ended(Ending::Rejected) => ", rejected",
        Fate::Ended(Ending::Expired) => ", expired",
        Fate::Ended(Ending::SessionEnded) => ", its session ended",
        Fate::Ended(Ending::Killed) => ", killed",
        Fate::Ended(Ending::WalletClosed) => ", its wallet was closed",
    }
}

#[cfg(test)]
#[path = "replay_words_tests.rs"]
mod tests;
