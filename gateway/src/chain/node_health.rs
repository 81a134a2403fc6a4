//! How a node has done lately and when it is asked again: from what happened and a clock that is passed
//! in. Asks nobody; `endpoints` does.

use std::time::Duration;

use tokio::time::Instant;

use super::rpc_error::RpcError;

/// The rest after a first failure. Each further one doubles it, up to the longest.
const REST_FIRST: Duration = Duration::from_millis(500);
const REST_LONGEST: Duration = Duration::from_secs(15);
/// Weight of the newest answer in the usual latency: one part in so many.
const LATENCY_PARTS: u32 = 4;

/// One node's record.
#[derive(Debug, Default)]
pub(super) struct NodeHealth {
    /// Failures since it last answered a question.
    failures: u32,
    /// When it last failed.
    failed_at: Option<Instant>,
    /// Until when it is left alone; none while it does well.
    rests_until: Option<Instant>,
    last_error: Option<RpcError>,
    latency: Option<Duration>,
    /// Somebody is finding out whether it is back.
    probed: bool,
}

impl NodeHealth {
    /// It has answered, after this time. Says whether that is news.
    pub(super) fn answered(&mut self, took: Duration) -> bool {
        let news = self.last_error.take().is_some();
        self.rests_until = None;
        self.failed_at = None;
        self.failures = 0;
        self.latency = Some(match self.latency {
            None => took,
            Some(usual) => (usual * (LATENCY_PARTS - 1) + took) / LATENCY_PARTS,
        });
        news
    }

    /// It has failed at a question that was asked then. Says whether that is news.
    pub(super) fn failed(&mut self, error: &RpcError, asked: Instant, now: Instant) -> bool {
        let news = self.last_error.as_ref() != Some(error);
        self.last_error = Some(error.clone());
        // Questions that were under way together fail once.
        if self.failed_at.is_none_or(|failed| asked >= failed) {
            self.failures = self.failures.saturating_add(1);
            self.failed_at = Some(now);
            self.rests_until = Some(now + rest_after(self.failures));
        }
        news
    }

    /// Whether it is asked first.
    pub(super) fn is_well(&self) -> bool {
        self.rests_until.is_none()
    }

    /// How long it is still left alone.
    pub(super) fn rests_for(&self, now: Instant) -> Duration {
        self.rests_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The same where no other node does well: after a single failure it is tried again at once.
    pub(super) fn held_for(&self, now: Instant) -> Duration {
        match self.failures {
            0 | 1 => Duration::ZERO,
            _ => self.rests_for(now),
        }
    }

    /// Whether it is the caller's turn to find out whether a node that has rested is back.
    pub(super) fn take_probe(&mut self, now: Instant) -> bool {
        let due = !self.probed && self.rests_until.is_some_and(|until| until <= now);
        self.probed |= due;
        due
    }

    /// What that turn showed. A node that only names its chain has not done well yet: the next failure
    /// rests it for longer than the one before.
    pub(super) fn probe_ended(&mut self, error: Option<&RpcError>, now: Instant) {
        self.probed = false;
        match error {
            None => self.rests_until = None,
            Some(error) => {
                self.failed(error, now, now);
            }
        }
    }

    /// Why it rests.
    pub(super) fn last_error(&self) -> Option<&RpcError> {
        self.last_error.as_ref()
    }

    /// How long it usually takes to answer.
    pub(super) fn latency(&self) -> Option<Duration> {
        self.latency
    }
}

/// The rest after so many failures in a row, at least one.
fn rest_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    REST_FIRST.saturating_mul(1 << doublings).min(REST_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: RpcError = RpcError::Unreachable;

    fn later(from: Instant, millis: u64) -> Instant {
        from + Duration::from_millis(millis)
    }

    #[test]
    fn rests_double_up_to_the_longest() {
        let rests: Vec<u128> = (1..9)
            .map(|failures| rest_after(failures).as_millis())
            .collect();
        assert_eq!(rests, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
        assert_eq!(rest_after(u32::MAX), REST_LONGEST);
    }

    #[test]
    fn a_node_that_fails_rests_and_one_that_answers_does_not() {
        let now = Instant::now();
        let mut health = NodeHealth::default();
        assert!(health.is_well() && health.rests_for(now).is_zero());
        assert!(health.failed(&DOWN, now, now), "news");
        assert!(!health.is_well());
        assert_eq!(health.rests_for(now), REST_FIRST);
        assert_eq!(health.last_error(), Some(&DOWN));
        assert!(health.answered(Duration::from_millis(8)), "news");
        assert!(health.is_well() && health.last_error().is_none());
        assert!(!health.answered(Duration::from_millis(16)), "no news");
        assert_eq!(health.latency(), Some(Duration::from_millis(10)));
        // And begins anew.
        health.failed(&DOWN, now, now);
        assert_eq!(health.rests_for(now), REST_FIRST);
    }

    #[test]
    fn what_was_under_way_together_fails_once() {
        let now = Instant::now();
        let mut health = NodeHealth::default();
        for _ in 0..100 {
            health.failed(&DOWN, now, later(now, 10));
        }
        assert_eq!(health.rests_for(later(now, 10)), REST_FIRST);
        assert!(
            health.failed(&RpcError::Timeout, now, later(now, 20)),
            "news"
        );
        // What was asked after that is another failure; only then is the node held back where there is
        // no other one.
        let then = later(now, 30);
        assert!(health.held_for(then).is_zero());
        health.failed(&DOWN, then, then);
        assert_eq!(health.held_for(then), REST_FIRST * 2);
    }

    #[test]
    fn naming_the_chain_alone_does_not_end_the_back_off() {
        let now = Instant::now();
        let mut health = NodeHealth::default();
        health.failed(&DOWN, now, now);
        assert!(!health.take_probe(later(now, 499)), "it rests");
        assert!(health.take_probe(later(now, 500)));
        assert!(!health.take_probe(later(now, 500)), "one at a time");
        health.probe_ended(None, later(now, 510));
        assert!(health.is_well());
        health.failed(&DOWN, later(now, 520), later(now, 520));
        assert_eq!(health.rests_for(later(now, 520)), REST_FIRST * 2);
        assert!(health.take_probe(later(now, 1520)));
        health.probe_ended(Some(&DOWN), later(now, 1520));
        assert_eq!(health.rests_for(later(now, 1520)), REST_FIRST * 4);
    }
}
