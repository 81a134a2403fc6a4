//! When an alarm goes off: measured on what the log says and on the request that is about to be carried
//! out, so that an alarm that stops keeps back what set it off. Pure; the signer's core keeps the marks.
//!
//! A mark is where an alarm's counting begins anew after it went off, so that one cause sets it off once.

use super::Condition;
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::policy::evaluate::{Charges, Now};
use crate::policy::history::WalletHistory;
use crate::policy::scope::{self, Hours};
use crate::policy::windows::Usage;
use crate::time::{BudgetTime, Millis, WallTime};

const DAY: Millis = Millis::from_hours(24);

/// Windows before this one that must be known before anything counts as usual.
const WINDOWS_KNOWN: u64 = 3;

/// An alarm that goes off: what was seen, and its new mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// A number, base units, or milliseconds, as the condition counts.
    pub observed: Amount,
    /// The asset of base units.
    pub asset: Option<AssetId>,
    /// Where counting begins anew.
    pub mark: u64,
}

impl Seen {
    fn number(observed: u64, mark: u64) -> Self {
        Self {
            observed: Amount::from_base_units(observed.into()),
            asset: None,
            mark,
        }
    }
}

/// A payment that is about to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Paying<'a> {
    /// What the wallet spent before.
    pub history: &'a WalletHistory,
    /// What this payment is charged.
    pub charges: &'a Charges,
    /// Payments that the wallet ever signed before this one.
    pub signed: u64,
    /// As how many payments this one counts.
    pub made: u32,
    /// Whether this one is signed although the alarm goes off.
    pub goes_on: bool,
}

/// Whether a payment sets the alarm off.
#[must_use]
pub fn on_payment(
    condition: &Condition,
    paying: &Paying<'_>,
    mark: Option<u64>,
    now: Now,
) -> Option<Seen> {
    match condition {
        Condition::Signatures { count, window } => {
            let made = u64::from(paying.made);
            let ever = paying.signed.saturating_add(made);
            let before = paying.history.payments().count_within(*window, now.budget);
            let fresh = ever.saturating_sub(mark.unwrap_or(0));
            let seen = u64::from(before).saturating_add(made).min(fresh);
            let mark = if paying.goes_on { ever } else { paying.signed };
            (seen >= u64::from(*count)).then(|| Seen::number(seen, mark))
        }
        Condition::Velocity { times, window } => {
            let next = mark.map(|mark| BudgetTime::from_millis(mark).after(*window));
            if next.is_some_and(|next| now.budget < next) {
                return None;
            }
            paying.charges.iter().find_map(|(asset, charge)| {
                let usage = paying.history.asset(*asset)?;
                let seen = above_usual(usage, *charge, *times, *window, now.budget)?;
                Some(Seen {
                    observed: seen,
                    asset: Some(*asset),
                    mark: now.budget.millis(),
                })
            })
        }
        Condition::OutsideHours { hours } => {
            let again = mark.map(WallTime::from_millis);
            if scope::are_open(hours, now.sides()) || again.is_some_and(|again| now.wall < again) {
                return None;
            }
            Some(Seen::number(now.wall.millis(), begins(hours, now)))
        }
        Condition::DenialsInARow { .. }
        | Condition::OpenPayments { .. }
        | Condition::Idle { .. } => None,
    }
}

/// When both sides of the clock come into the hours: until then the same stretch goes on. A day later where they lie
/// too far apart for that.
fn begins(hours: &[Hours], now: Now) -> u64 {
    let wait = scope::until_open(hours, now.sides());
    now.wall.after(wait.unwrap_or(DAY)).millis()
}

/// What was spent in the window with this charge, if it is so many times what a window of this length
/// saw on average in the rest of the last 30 days. Nothing is unusual before three windows are known.
fn above_usual(
    usage: &Usage,
    charge: Amount,
    times: u32,
    window: Millis,
    now: BudgetTime,
) -> Option<Amount> {
    let recent = usage.spent_within(window, now);
    let known = usage.age(now)?.millis().saturating_sub(window.millis());
    let windows = known.checked_div(window.millis())?;
    if windows < WINDOWS_KNOWN {
        return None;
    }
    let month = usage.spent(crate::policy::windows::Window::Month, now);
    let before = month.remaining_after(recent);
    if before == Amount::ZERO {
        return None;
    }
    let usual = before.base_units() / u128::from(windows);
    let many = Amount::from_base_units(usual.max(1)).checked_mul(times.into())?;
    let seen = recent.checked_add(charge).unwrap_or(Amount::MAX);
    (seen >= many).then_some(seen)
}

/// Whether a refusal, or a payment that is about to wait, sets off an alarm over their number. It goes
/// off where the number is reached, or at once where it was passed before the alarm was adopted.
#[must_use]
pub fn on_number(condition: &Condition, number: u64, mark: Option<u64>) -> Option<Seen> {
    let (Condition::DenialsInARow { count } | Condition::OpenPayments { count }) = condition else {
        return None;
    };
    let count = u64::from(*count);
    let reached = number == count || (number > count && mark.is_none());
    reached.then(|| Seen::number(number, number))
}

/// Whether a wallet whose newest payment is `last` has signed nothing for too long: once for each newest
/// payment.
#[must_use]
pub fn on_idle(
    condition: &Condition,
    last: BudgetTime,
    mark: Option<u64>,
    now: BudgetTime,
) -> Option<Seen> {
    let Condition::Idle { after } = condition else {
        return None;
    };
    let idle = now.since(last);
    let goes_off = idle >= *after && mark != Some(last.millis());
    goes_off.then(|| Seen::number(idle.millis(), last.millis()))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
