//! Refusals in buckets: identical ones count once, at most one entry per session, code and minute, and six
//! entries a minute in the long run, so that a flood fills neither the log nor memory.

use std::collections::BTreeMap;
use std::time::Duration;

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::SessionId;

/// Least time between two entries of one bucket, milliseconds of the monotonic clock.
const INTERVAL_MILLIS: u64 = 60_000;
/// The same for each entry that was written before: whoever is refused for a hundred different reasons is
/// counted in as many buckets, and no more is written in a day than 8,640 entries, some hundred bytes each.
const ENTRY_MILLIS: u64 = 10_000;
/// Buckets at once; above, sessions are counted together.
const BUCKETS_LIMIT: usize = 256;

/// Counts between two entries.
#[derive(Debug, Default)]
pub(super) struct Denials {
    counts: BTreeMap<(Option<SessionId>, Code), u32>,
    /// When the entries before were written, as far as the clock was read since.
    written: Option<u64>,
    /// How many those were.
    entries: u64,
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
        let interval = INTERVAL_MILLIS.max(self.entries.saturating_mul(ENTRY_MILLIS));
        Duration::from_millis(interval.saturating_sub(passed))
    }

    /// Takes what is to be written; the next reading begins a new interval.
    pub(super) fn take(&mut self) -> Vec<(Option<SessionId>, Code, u32)> {
        self.written = None;
        self.entries = u64::try_from(self.counts.len()).unwrap_or(u64::MAX);
        std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((session, code), count)| (session, code, count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code under some session, every ten seconds of a day.
    #[test]
    fn a_flood_of_all_kinds_writes_few_entries_in_a_day() {
        const ROUNDS: u64 = 24 * 60 * 6;
        let mut denials = Denials::default();
        let (mut entries, mut counted) = (0, 0);
        for round in 0..ROUNDS {
            for (session, code) in (0..7).cycle().zip(Code::ALL) {
                let session = SessionId::from_bytes([session; 16]);
                denials.count(Some(session), &Denial::from(*code));
            }
            if denials.wait(round * 10_000).is_zero() {
                let taken = denials.take();
                entries += taken.len();
                counted += taken
                    .iter()
                    .map(|(.., count)| u64::from(*count))
                    .sum::<u64>();
            }
        }
        assert!(entries <= 8_640 + BUCKETS_LIMIT, "{entries}");
        // None of them is forgotten: what is not written yet is counted still.
        counted += denials
            .take()
            .iter()
            .map(|(.., count)| u64::from(*count))
            .sum::<u64>();
        assert_eq!(counted, ROUNDS * Code::ALL.len() as u64);
    }

    #[test]
    fn few_kinds_are_written_each_minute() {
        let mut denials = Denials::default();
        for minute in 0..5 {
            for code in [Code::DayLimit, Code::HourLimit, Code::Frozen] {
                denials.count(None, &Denial::from(code));
            }
            let at = minute * 120_000;
            assert_eq!(denials.wait(at), Duration::from_secs(60));
            assert!(denials.wait(at + 60_000).is_zero());
            assert_eq!(denials.take().len(), 3);
        }
    }
}
