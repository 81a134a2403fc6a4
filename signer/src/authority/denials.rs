//! Refusals in buckets: identical ones count once, at most one entry per session and minute, so that
//! a flood fills neither the log nor memory.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::SessionId;

/// Least time between two entries of one bucket.
const INTERVAL: Duration = Duration::from_secs(60);
/// Buckets at once; above, sessions are counted together.
const BUCKETS_LIMIT: usize = 256;

/// Counts between two entries.
#[derive(Debug)]
pub(super) struct Denials {
    counts: BTreeMap<(Option<SessionId>, Code), u32>,
    since: Instant,
}

impl Denials {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            counts: BTreeMap::new(),
            since: now,
        }
    }

    pub(super) fn count(&mut self, session: Option<SessionId>, denial: &Denial) {
        let Some(first) = denial.violations().first() else {
            return;
        };
        let full = self.counts.len() >= BUCKETS_LIMIT;
        let session = session.filter(|_| !full);
        let count = self.counts.entry((session, first.code)).or_default();
        *count = count.saturating_add(1);
    }

    /// When the counts are due to be written; `None` if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.counts.is_empty() {
            None
        } else {
            Some(self.since + INTERVAL)
        }
    }

    /// Takes what is to be written.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(Option<SessionId>, Code, u32)> {
        self.since = now;
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((session, code), count)| (session, code, count))
            .collect()
    }
}
