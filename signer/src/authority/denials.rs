//! Refusals in buckets: identical ones count once, at most one entry per session and minute, so that
//! a flood fills neither the log nor memory.

use std::collections::BTreeMap;
use std::time::Duration;

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::SessionId;

/// Least time between two entries of one bucket, milliseconds of the monotonic clock.
const INTERVAL_MILLIS: u64 = 60_000;
/// Buckets at once; above, sessions are counted together.
const BUCKETS_LIMIT: usize = 256;

/// Counts between two entries.
#[derive(Debug, Default)]
pub(super) struct Denials {
    counts: BTreeMap<(Option<SessionId>, Code), u32>,
    /// When the entries before were written, as far as the clock was read since.
    written: Option<u64>,
}

impl Denials {
    pub(super) fn count(&mut self, session: Option<SessionId>, denial: &Denial) {
        let Some(first) = denial.violations().first() else {
            return;
        };
        let full = self.counts.len() >= BUCKETS_LIMIT;
        let session = session.filter(|_| !full);
        let count = self.counts.entry((session, first.code)).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How long until the counts are due at this reading of the monotonic clock, milliseconds; the
    /// first reading begins the interval.
    pub(super) fn wait(&mut self, monotonic: u64) -> Duration {
        let written = *self.written.get_or_insert(monotonic);
        let passed = monotonic.saturating_sub(written);
        Duration::from_millis(INTERVAL_MILLIS.saturating_sub(passed))
    }

    /// Takes what is to be written; the next reading begins a new interval.
    pub(super) fn take(&mut self) -> Vec<(Option<SessionId>, Code, u32)> {
        self.written = None;
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((session, code), count)| (session, code, count))
            .collect()
    }
}
