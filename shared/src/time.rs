//! The three clocks that every event carries. None of them reads a system clock: readings come in
//! with the command. See docs/clocks.md for what moves each of them.

use std::fmt;

macro_rules! clocks {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default,
            minicbor::Encode, minicbor::Decode, serde::Serialize, serde::Deserialize,
        )]
        #[cbor(transparent)]
        #[serde(transparent)]
        pub struct $name(#[n(0)] u64);

        impl $name {
            /// This clock at so many milliseconds.
            #[must_use]
            pub const fn from_millis(millis: u64) -> Self {
                Self(millis)
            }

            /// Milliseconds.
            #[must_use]
            pub const fn millis(self) -> u64 {
                self.0
            }

            /// This clock so much later; stops at the end of its range.
            #[must_use]
            pub const fn after(self, duration: Millis) -> Self {
                Self(self.0.saturating_add(duration.0))
            }

            /// Time passed since `earlier`; zero if `earlier` lies ahead.
            #[must_use]
            pub const fn since(self, earlier: Self) -> Millis {
                Millis(self.0.saturating_sub(earlier.0))
            }
        }
    )*};
}

clocks! {
    /// Upper bound of elapsed time: the wall clock (Unix time, milliseconds), or the last known
    /// value plus the time elapsed since, whichever is later. Expires sessions, approvals and
    /// statements. Never goes back.
    WallTime;
    /// Lower bound of elapsed time: CLOCK_MONOTONIC summed over the signer's running times; zero
    /// across restarts and suspend. Moves DELAY waits and maturity.
    RunTime;
    /// The budget clock: run time, plus suspends that the boot-time clock explains, plus gaps that
    /// an owner's unlock vouched for. Moves the windows of limits.
    BudgetTime;
}

/// A duration in milliseconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    minicbor::Encode,
    minicbor::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Millis(#[n(0)] u64);

impl Millis {
    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many hours.
    #[must_use]
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_secs(hours.saturating_mul(3600))
    }

    /// Milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }
}

/// The three clocks at the moment of a decision; recorded in each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Clocks {
    /// Upper bound: for expiry.
    #[n(0)]
    pub wall: WallTime,
    /// Lower bound: for waits and maturity.
    #[n(1)]
    pub run: RunTime,
    /// For the windows of limits.
    #[n(2)]
    pub budget: BudgetTime,
}

impl WallTime {
    /// UTC as RFC 3339 writes it, to the millisecond: `2026-11-21T09:30:00.000Z`, the form of sign-in
    /// messages.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let text = self.to_string();
        let (date, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let time = rest.trim_end_matches(" UTC");
        format!("{date}T{time}.{:03}Z", self.0 % 1000)
    }
}

/// UTC in the form of RFC 3339 to the second, `2026-11-21 09:30:00 UTC`: the form of owners' texts.
impl fmt::Display for WallTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
            second_of_day / 3600,
            second_of_day / 60 % 60,
            second_of_day % 60
        )
    }
}

/// Gregorian date of a day number since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date
/// algorithms", civil_from_days, for days from 1970 on).
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_read_utc() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_763_717_399_999, "2025-11-21 09:29:59 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(WallTime::from_millis(millis).to_string(), text);
        }
        assert_eq!(
            WallTime::from_millis(1_763_717_399_999).rfc3339(),
            "2025-11-21T09:29:59.999Z"
        );
        // The end of the range must not panic.
        assert!(WallTime::from_millis(u64::MAX).to_string().ends_with("UTC"));
    }

    #[test]
    fn differences_never_wrap() {
        let early = RunTime::from_millis(5);
        assert_eq!(early.since(RunTime::from_millis(9)), Millis::from_millis(0));
        assert_eq!(
            RunTime::from_millis(u64::MAX)
                .after(Millis::from_secs(1))
                .millis(),
            u64::MAX
        );
    }
}
