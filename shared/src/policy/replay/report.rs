//! What a replay comes to: how many payments would have been decided differently, on which day, by
//! which rule, and the payments themselves. Counts and orders; judges nothing.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::login::{LoginRow, Logins};
use super::row::{Difference, Row, Rule};
use crate::denial::Code;
use crate::digest::Digest;
use crate::time::WallTime;

const DAY_MILLIS: u64 = 24 * 3_600_000;

/// Everything that a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Epoch of the proposed document.
    pub epoch: u64,
    /// Its digest.
    pub digest: Digest,
    /// Events read.
    pub events: u64,
    /// Clock of the first event.
    pub from: Option<WallTime>,
    /// Clock of the last event.
    pub to: Option<WallTime>,
    /// Payments by what would have been different.
    pub counts: Counts,
    /// Payments that somebody rejected or cancelled and that would have been signed at once.
    pub stopped_and_would_pass: u64,
    /// Payments and logins that the documents that bound then decide differently in this program than they
    /// did in the log: zero, unless it is another version than the one that decided.
    pub unexplained: u64,
    /// Requests that were refused, by the first rule that they broke: the log holds their number only.
    pub refused: BTreeMap<Code, u64>,
    /// Rules by the payments that they would have held up, most first.
    pub rules: Vec<Frequent>,
    /// The day (UTC) on which most payments would have been held up.
    pub worst_day: Option<Day>,
    /// The newest of the payments that would have been decided differently, in the log's order.
    pub rows: Vec<Row>,
    /// How many of them are not listed.
    pub left_out: u64,
    /// Logins at web sites.
    pub logins: Logins,
    #[serde(skip)]
    kept: VecDeque<Row>,
    #[serde(skip)]
    days: BTreeMap<u64, Day>,
    #[serde(skip)]
    by_rule: BTreeMap<Rule, u64>,
}

/// Payments by what would have been different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Nothing.
    pub same: u64,
    /// Refused.
    pub denied: u64,
    /// The owner would have been asked, or more owners.
    pub asks: u64,
    /// It would have waited, or longer.
    pub waits: u64,
    /// The owner would have been told.
    pub told: u64,
    /// It would have passed more easily.
    pub easier: u64,
}

impl Counts {
    /// All payments.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.same
            .saturating_add(self.held_up())
            .saturating_add(self.told)
            .saturating_add(self.easier)
    }

    /// Those that would not have gone as they went.
    #[must_use]
    pub const fn held_up(&self) -> u64 {
        self.denied
            .saturating_add(self.asks)
            .saturating_add(self.waits)
    }
}

/// How often a rule would have held payments up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Frequent {
    /// Which rule.
    pub rule: Rule,
    /// How many payments.
    pub payments: u64,
}

/// A day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Its first moment.
    pub begins: WallTime,
    /// Payments of that day.
    pub payments: u64,
    /// Those that would not have gone as they went.
    pub held_up: u64,
}

impl Report {
    pub(super) fn new(epoch: u64, digest: Digest) -> Self {
        Self {
            epoch,
            digest,
            events: 0,
            from: None,
            to: None,
            counts: Counts::default(),
            stopped_and_would_pass: 0,
            unexplained: 0,
            refused: BTreeMap::new(),
            rules: Vec::new(),
            worst_day: None,
            rows: Vec::new(),
            left_out: 0,
            logins: Logins::default(),
            kept: VecDeque::new(),
            days: BTreeMap::new(),
            by_rule: BTreeMap::new(),
        }
    }

    pub(super) fn read(&mut self, at: WallTime) {
        self.events = self.events.saturating_add(1);
        self.from.get_or_insert(at);
        self.to = Some(at);
    }

    pub(super) fn refused(&mut self, code: Code, count: u32) {
        let sum = self.refused.entry(code).or_default();
        *sum = sum.saturating_add(count.into());
    }

    pub(super) fn count(&mut self, row: Row, limit: usize) {
        let counts = &mut self.counts;
        let counter = match row.difference {
            Difference::Same => &mut counts.same,
            Difference::Denied => &mut counts.denied,
            Difference::Asks => &mut counts.asks,
            Difference::Waits => &mut counts.waits,
            Difference::Told => &mut counts.told,
            Difference::Easier => &mut counts.easier,
        };
        *counter = counter.saturating_add(1);
        let held_up = row.difference.holds_up();
        let day = row.at.millis() / DAY_MILLIS;
        let day = self.days.entry(day).or_insert(Day {
            begins: WallTime::from_millis(day.saturating_mul(DAY_MILLIS)),
            payments: 0,
            held_up: 0,
        });
        day.payments = day.payments.saturating_add(1);
        day.held_up = day.held_up.saturating_add(held_up.into());
        if held_up {
            for rule in &row.why {
                let sum = self.by_rule.entry(*rule).or_default();
                *sum = sum.saturating_add(1);
            }
        }
        if !row.explained {
            self.unexplained = self.unexplained.saturating_add(1);
        }
        if row.stopped_and_would_pass() {
            self.stopped_and_would_pass = self.stopped_and_would_pass.saturating_add(1);
        }
        if row.difference != Difference::Same {
            self.kept.push_back(row);
            if self.kept.len() > limit {
                self.kept.pop_front();
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }

    pub(super) fn login(&mut self, row: LoginRow, explained: bool, limit: usize) {
        self.unexplained = self.unexplained.saturating_add((!explained).into());
        self.logins.count(row, limit);
    }

    pub(super) fn finish(&mut self) {
        self.rows = std::mem::take(&mut self.kept).into();
        self.rows.sort_by_key(|row| row.sequence);
        let rules = std::mem::take(&mut self.by_rule).into_iter();
        self.rules = rules
            .map(|(rule, payments)| Frequent { rule, payments })
            .collect();
        self.rules
            .sort_by_key(|frequent| std::cmp::Reverse(frequent.payments));
        let days = std::mem::take(&mut self.days).into_values();
        // Of equal days the newest.
        self.worst_day = days
            .filter(|day| day.held_up > 0)
            .max_by_key(|day| day.held_up);
    }
}
