//! The wall clock as the gateway reads it: passed in, so that tests move it. Owns no decision: what
//! expires by it is only ever refused early, the signer has clocks of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use waiaas_shared::time::WallTime;

/// A source of Unix time in milliseconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> WallTime + Send + Sync>);

impl Clock {
    /// The system's clock; zero before 1970.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// Any other source.
    #[must_use]
    pub fn from_fn(source: impl Fn() -> WallTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> WallTime {
        (self.0)()
    }

    /// Now, in whole seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.now().millis() / 1000
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// The instant as RFC 3339 writes it, to the second and in UTC.
#[must_use]
pub fn rfc3339(time: WallTime) -> String {
    let text = time.to_string();
    let (date, rest) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{date}T{}Z", rest.trim_end_matches(" UTC"))
}

/// The next whole second: a moment that is told is not too early.
#[must_use]
pub fn up_to_second(time: WallTime) -> WallTime {
    WallTime::from_millis(time.millis().div_ceil(1000).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rfc_3339() {
        let time = WallTime::from_millis(1_763_717_399_999);
        assert_eq!(rfc3339(time), "2025-11-21T09:29:59Z");
    }
}
