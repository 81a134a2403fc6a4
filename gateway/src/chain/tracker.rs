//! What to do next about a transaction that was sent: a pure decision from what the chain last said
//! and a clock. Owns no loop, no clock and no connection; the pipeline's confirm stage does.

use std::time::Duration;

use waiaas_shared::caip::Family;
use waiaas_shared::status::Status;

use super::{ChainConfig, Landing};

/// How often to look and to send again. Both slow down with age: an eighth and a quarter of the time
/// since the first sending, from a quickest to a slowest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Quickest interval between two looks.
    pub look: Duration,
    /// Slowest interval between two looks.
    pub look_slowest: Duration,
    /// Quickest interval between two sendings.
    pub resend: Duration,
    /// Slowest interval between two sendings.
    pub resend_slowest: Duration,
    /// No transaction expires before it is that old, whatever the nodes say.
    pub soonest_expiry: Duration,
}

/// A Solana transaction is accepted for 150 blocks, of 0.4 seconds or more where it matters, and the last
/// of them has to be final: no true expiry comes much earlier. The age is told by this machine's clock,
/// which no node sets.
const SOONEST_EXPIRY: Duration = Duration::from_secs(75);

impl Pace {
    /// The pace for a chain.
    #[must_use]
    pub fn of(config: &ChainConfig) -> Self {
        let seconds = Duration::from_secs;
        let (look_slowest, resend, resend_slowest) = match config.id.family() {
            // Nothing outlives about a minute, and nodes forget what no leader took.
            Family::Solana => (seconds(2), seconds(2), seconds(2)),
            // It may wait in the pool for hours; nodes keep it, or drop it when their pool is full.
            Family::Evm => (seconds(60), seconds(15), seconds(300)),
        };
        Self {
            look: config.poll_interval,
            look_slowest: look_slowest.max(config.poll_interval),
            resend,
            resend_slowest,
            soonest_expiry: SOONEST_EXPIRY,
        }
    }

    /// Whether what the nodes say can be true of a transaction of this age.
    #[must_use]
    pub fn believes(&self, landing: &Landing, age: Duration) -> bool {
        *landing != Landing::Expired || age >= self.soonest_expiry
    }
}

/// A transaction under way. Times are of one monotonic clock of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// When it was first sent.
    pub first_sent: Duration,
    /// When it was last sent; none if this process has not sent it.
    pub last_sent: Option<Duration>,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send the same bytes again, then look again.
    Resend,
    /// Look again after this time.
    LookAfter(Duration),
    /// The life of the transaction ends with this status: CONFIRMED, FAILED or EXPIRED.
    Done(Status),
}

/// What to do, given what the chain last said; `None` if no node gave a usable answer.
///
/// INVARIANT: a life ends on evidence only. No age, no refusal and no silence makes a transaction
/// FAILED or EXPIRED.
#[must_use]
pub fn next_step(pace: &Pace, watch: &Watch, landing: Option<&Landing>, now: Duration) -> Step {
    let age = now.saturating_sub(watch.first_sent);
    let landing = landing.map(|landing| {
        if pace.believes(landing, age) {
            landing
        } else {
            &Landing::Unknown
        }
    });
    if let Some(status) = landing.and_then(Landing::final_status) {
        return Step::Done(status);
    }
    let look = (age / 8).clamp(pace.look, pace.look_slowest.max(pace.look));
    // Only a node's "unknown" calls for sending again: what is pending is with the network, and where
    // no node answers, none would take it.
    if landing != Some(&Landing::Unknown) {
        return Step::LookAfter(look);
    }
    let resend = (age / 4).clamp(pace.resend, pace.resend_slowest.max(pace.resend));
    let left = watch.last_sent.map_or(Duration::ZERO, |last| {
        resend.saturating_sub(now.saturating_sub(last))
    });
    if left.is_zero() {
        Step::Resend
    } else {
        Step::LookAfter(look.min(left))
    }
}

#[cfg(test)]
mod tests {
    use waiaas_shared::amount::Amount;

    use super::*;
    use crate::chain::ChainText;

    const PACE: Pace = Pace {
        look: Duration::from_millis(500),
        look_slowest: Duration::from_secs(60),
        resend: Duration::from_secs(2),
        resend_slowest: Duration::from_secs(300),
        soonest_expiry: Duration::from_secs(75),
    };

    fn at(first_sent: u64, last_sent: u64, landing: Option<&Landing>, now: u64) -> Step {
        let watch = Watch {
            first_sent: Duration::from_millis(first_sent),
            last_sent: Some(Duration::from_millis(last_sent)),
        };
        next_step(&PACE, &watch, landing, Duration::from_millis(now))
    }

    fn look_after(millis: u64) -> Step {
        Step::LookAfter(Duration::from_millis(millis))
    }

    #[test]
    fn a_life_ends_with_what_the_chain_proved() {
        let confirmed = Landing::Confirmed {
            position: 1,
            fee: Some(Amount::ZERO),
        };
        let failed = Landing::Failed {
            position: 1,
            reason: ChainText::new("AccountNotFound"),
        };
        for (landing, status, soonest) in [
            (confirmed, Status::Confirmed, 0),
            (failed, Status::Failed, 0),
            (Landing::Expired, Status::Expired, 75_000),
        ] {
            assert_eq!(at(0, 0, Some(&landing), soonest), Step::Done(status));
            // However late it is learnt.
            assert_eq!(at(0, 0, Some(&landing), u64::MAX), Step::Done(status));
        }
    }

    #[test]
    fn nothing_else_ends_it() {
        for landing in [None, Some(&Landing::Unknown), Some(&Landing::Pending)] {
            for now in [0, 1, 1_000_000, u64::MAX] {
                let step = at(0, now / 2, landing, now);
                assert!(!matches!(step, Step::Done(_)), "{landing:?} {now} {step:?}");
            }
        }
    }

    /// A node may lie about a block height, or have lied about the last one. Meanwhile the
    /// transaction is sent on.
    #[test]
    fn nothing_expires_before_its_time() {
        for now in [0, 1, 60_000, 74_999] {
            let step = at(0, 0, Some(&Landing::Expired), now);
            assert_eq!(step, at(0, 0, Some(&Landing::Unknown), now), "{now}");
        }
    }

    #[test]
    fn only_the_unknown_is_sent_again() {
        assert_eq!(at(0, 0, Some(&Landing::Unknown), 1999), look_after(1));
        assert_eq!(at(0, 0, Some(&Landing::Unknown), 2000), Step::Resend);
        assert_eq!(at(0, 2000, Some(&Landing::Unknown), 2000), look_after(500));
        for landing in [None, Some(&Landing::Pending)] {
            assert!(matches!(at(0, 0, landing, 1_000_000), Step::LookAfter(_)));
        }
    }

    /// The pace is for what was sent: after a restart, what no node knows leaves at once.
    #[test]
    fn what_this_process_never_sent_is_sent_at_once() {
        let watch = Watch {
            first_sent: Duration::ZERO,
            last_sent: None,
        };
        let step = |landing| next_step(&PACE, &watch, landing, Duration::from_millis(1));
        assert_eq!(step(Some(&Landing::Unknown)), Step::Resend);
        assert_eq!(step(Some(&Landing::Pending)), look_after(500));
        assert_eq!(step(None), look_after(500));
    }

    #[test]
    fn the_pace_slows_down_to_its_slowest() {
        let pending = Some(&Landing::Pending);
        assert_eq!(at(0, 0, pending, 0), look_after(500));
        assert_eq!(at(0, 0, pending, 80_000), look_after(10_000));
        assert_eq!(at(0, 0, pending, 10_000_000), look_after(60_000));
        // Sent a second ago, 40 seconds old: not before ten seconds have passed.
        assert_eq!(
            at(0, 39_000, Some(&Landing::Unknown), 40_000),
            look_after(5000)
        );
        assert_eq!(at(0, 30_000, Some(&Landing::Unknown), 40_000), Step::Resend);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        assert_eq!(at(5000, 9000, Some(&Landing::Unknown), 0), look_after(500));
    }
}
