//! Durations as people write and read them: `30d` and `1 hour 30 minutes`. Whole numbers only.

use crate::time::Millis;

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number with s, m, h or d behind it, such as 90m or 30d")]
pub struct DurationError;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Reads `45s`, `90m`, `12h` or `30d`; not zero.
///
/// # Errors
/// [`DurationError`].
pub fn parse(text: &str) -> Result<Millis, DurationError> {
    let unit = match text.chars().next_back() {
        Some('s') => SECOND,
        Some('m') => MINUTE,
        Some('h') => HOUR,
        Some('d') => DAY,
        _ => return Err(DurationError),
    };
    let digits = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError);
    }
    let count: u64 = digits.parse().map_err(|_| DurationError)?;
    match count.checked_mul(unit) {
        None | Some(0) => Err(DurationError),
        Some(millis) => Ok(Millis::from_millis(millis)),
    }
}

/// `1 payment`, `2 payments`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The two largest units of so many milliseconds, rounded up to the smaller of them.
#[must_use]
pub fn words(millis: u64) -> String {
    let seconds = millis.div_ceil(SECOND);
    let units = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = left / length;
        left %= length;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            parts.push(format!("{count} {name}{plural}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() {
        "0 seconds".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_only() {
        assert_eq!(parse("30d"), Ok(Millis::from_hours(720)));
        assert_eq!(parse("90m"), Ok(Millis::from_secs(5400)));
        for wrong in [
            "",
            "d",
            "0h",
            "1",
            "1.5h",
            "-1d",
            "1w",
            "1 d",
            "99999999999999999999d",
            "9999999999999999d",
            "1é",
        ] {
            assert_eq!(parse(wrong), Err(DurationError), "{wrong}");
        }
    }

    #[test]
    fn words_are_short() {
        for (millis, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60_000, "1 minute"),
            (5_400_000, "1 hour 30 minutes"),
            (90_061_000, "1 day 1 hour"),
        ] {
            assert_eq!(words(millis), text);
        }
    }
}
