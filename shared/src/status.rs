//! The eight statuses of a transaction and the one table of arrows between them. The gateway stores
//! and shows them; every status change anywhere asks [`Status::can_become`] first.
//!
//! A status is what the gateway knows, not what the signer decided: budgets never depend on it.

use std::fmt;
use std::str::FromStr;

/// Where a transaction stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cbor(index_only)]
pub enum Status {
    /// Accepted by the gateway; the signer has not decided.
    #[n(0)]
    Pending,
    /// Allowed, and waiting: for a delay to pass or for the owner.
    #[n(1)]
    Queued,
    /// Being signed, or signed and about to be sent.
    #[n(2)]
    Executing,
    /// The signed bytes have left for the chain, or were handed to the agent to send.
    #[n(3)]
    Submitted,
    /// On the chain, as deep as the configuration asks for.
    #[n(4)]
    Confirmed,
    /// It was refused or could not be built and nothing was signed, or the chain executed it and
    /// reported an error as deep as a confirmation.
    #[n(5)]
    Failed,
    /// Stopped by a person or by the kill switch before anything left, or another transaction of its nonce
    /// has landed.
    #[n(6)]
    Cancelled,
    /// Its time ran out: a wait or an approval that lapsed, or signed bytes that the chain can no
    /// longer accept.
    #[n(7)]
    Expired,
}

/// The text is not one of the eight names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a status is PENDING, QUEUED, EXECUTING, SUBMITTED, CONFIRMED, FAILED, CANCELLED or EXPIRED"
)]
pub struct StatusError;

impl Status {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Queued,
        Self::Executing,
        Self::Submitted,
        Self::Confirmed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The arrows out of this status: the one table.
    ///
    /// SUBMITTED becomes CANCELLED only once another transaction of its nonce has landed: what has left
    /// cannot be called back by saying so.
    /// EXECUTING has none to CONFIRMED: who finds an unsent payment on the chain records first that
    /// it left. A status that ends a life has no arrows.
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[
                Self::Queued,
                Self::Executing,
                Self::Failed,
                Self::Cancelled,
                Self::Expired,
            ],
            Self::Queued => &[
                Self::Executing,
                Self::Failed,
                Self::Cancelled,
                Self::Expired,
            ],
            Self::Executing => &[
                Self::Submitted,
                Self::Failed,
                Self::Cancelled,
                Self::Expired,
            ],
            Self::Submitted => &[
                Self::Confirmed,
                Self::Failed,
                Self::Cancelled,
                Self::Expired,
            ],
            Self::Confirmed | Self::Failed | Self::Cancelled | Self::Expired => &[],
        }
    }

    /// Whether there is an arrow from this status to `next`. Staying is no arrow.
    #[must_use]
    pub fn can_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }

    /// Whether the life ends here.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.next().is_empty()
    }

    /// The name, as everywhere: in JSON, in the database, on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Queued => "QUEUED",
            Self::Executing => "EXECUTING",
            Self::Submitted => "SUBMITTED",
            Self::Confirmed => "CONFIRMED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or(StatusError)
    }
}

#[cfg(test)]
mod tests {
    use super::Status::*;
    use super::*;

    /// One test per arrow and per missing arrow: `from => the statuses it may become`. Written out a
    /// second time on purpose, so that a change of the table has to be meant.
    macro_rules! arrows {
        ($($test:ident: $from:ident => $to:ident = $allowed:literal;)*) => {
            $(
                #[test]
                fn $test() {
                    assert_eq!($from.can_become($to), $allowed, "{} -> {}", $from, $to);
                }
            )*

            #[test]
            fn every_pair_has_its_test() {
                let mut pairs = vec![$(($from, $to)),*];
                pairs.sort();
                pairs.dedup();
                assert_eq!(pairs.len(), Status::ALL.len() * Status::ALL.len());
            }
        };
    }

    arrows! {
        pending_pending: Pending => Pending = false;
        pending_queued: Pending => Queued = true;
        pending_executing: Pending => Executing = true;
        pending_submitted: Pending => Submitted = false;
        pending_confirmed: Pending => Confirmed = false;
        pending_failed: Pending => Failed = true;
        pending_cancelled: Pending => Cancelled = true;
        pending_expired: Pending => Expired = true;

        queued_pending: Queued => Pending = false;
        queued_queued: Queued => Queued = false;
        queued_executing: Queued => Executing = true;
        queued_submitted: Queued => Submitted = false;
        queued_confirmed: Queued => Confirmed = false;
        queued_failed: Queued => Failed = true;
        queued_cancelled: Queued => Cancelled = true;
        queued_expired: Queued => Expired = true;

        executing_pending: Executing => Pending = false;
        executing_queued: Executing => Queued = false;
        executing_executing: Executing => Executing = false;
        executing_submitted: Executing => Submitted = true;
        executing_confirmed: Executing => Confirmed = false;
        executing_failed: Executing => Failed = true;
        executing_cancelled: Executing => Cancelled = true;
        executing_expired: Executing => Expired = true;

        submitted_pending: Submitted => Pending = false;
        submitted_queued: Submitted => Queued = false;
        submitted_executing: Submitted => Executing = false;
        submitted_submitted: Submitted => Submitted = false;
        submitted_confirmed: Submitted => Confirmed = true;
        submitted_failed: Submitted => Failed = true;
        submitted_cancelled: Submitted => Cancelled = true;
        submitted_expired: Submitted => Expired = true;

        confirmed_pending: Confirmed => Pending = false;
        confirmed_queued: Confirmed => Queued = false;
        confirmed_executing: Confirmed => Executing = false;
        confirmed_submitted: Confirmed => Submitted = false;
        confirmed_confirmed: Confirmed => Confirmed = false;
        confirmed_failed: Confirmed => Failed = false;
        confirmed_cancelled: Confirmed => Cancelled = false;
        confirmed_expired: Confirmed => Expired = false;

        failed_pending: Failed => Pending = false;
        failed_queued: Failed => Queued = false;
        failed_executing: Failed => Executing = false;
        failed_submitted: Failed => Submitted = false;
        failed_confirmed: Failed => Confirmed = false;
        failed_failed: Failed => Failed = false;
        failed_cancelled: Failed => Cancelled = false;
        failed_expired: Failed => Expired = false;

        cancelled_pending: Cancelled => Pending = false;
        cancelled_queued: Cancelled => Queued = false;
        cancelled_executing: Cancelled => Executing = false;
        cancelled_submitted: Cancelled => Submitted = false;
        cancelled_confirmed: Cancelled => Confirmed = false;
        cancelled_failed: Cancelled => Failed = false;
        cancelled_cancelled: Cancelled => Cancelled = false;
        cancelled_expired: Cancelled => Expired = false;

        expired_pending: Expired => Pending = false;
        expired_queued: Expired => Queued = false;
        expired_executing: Expired => Executing = false;
        expired_submitted: Expired => Submitted = false;
        expired_confirmed: Expired => Confirmed = false;
        expired_failed: Expired => Failed = false;
        expired_cancelled: Expired => Cancelled = false;
        expired_expired: Expired => Expired = false;
    }

    #[test]
    fn one_name_everywhere() {
        for status in Status::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            assert_eq!(status.to_string(), status.name());
            let json = serde_json::to_string(&status).expect("a name is JSON");
            assert_eq!(json, format!("\"{}\"", status.name()));
            assert_eq!(
                serde_json::from_str::<Status>(&json).expect("own text"),
                status
            );
        }
        for text in ["pending", "Pending", "", "PENDING ", "DENIED"] {
            assert_eq!(text.parse::<Status>(), Err(StatusError), "{text:?}");
        }
    }

    #[test]
    fn four_statuses_end_a_life() {
        let ends = Status::ALL
            .into_iter()
            .filter(|status| status.is_final())
            .count();
        assert_eq!(ends, 4);
    }
}
