//! Limits on amounts: one transaction, and each rolling window.

use super::Findings;
use super::measure::{Measure, Unit};
use crate::amount::Amount;
use crate::denial::{Code, Violation};
use crate::policy::evaluate::{Left, WindowLeft};
use crate::policy::limits::Limits;
use crate::policy::windows::Window;
use crate::time::BudgetTime;

pub(super) fn judge(
    limits: &Limits,
    sum: Amount,
    measure: &Measure<'_>,
    unit: Unit,
    now: BudgetTime,
    findings: &mut Findings,
) {
    if let Some(limit) = limits.per_transaction.filter(|limit| sum > *limit) {
        findings.refuse(unit.violation(code(unit, None), sum, limit));
    }
    for window in Window::ALL {
        let Some(limit) = limits.window(window) else {
            continue;
        };
        let before = measure.spent(window, now);
        let fits = |before: Amount| before.checked_add(sum).is_some_and(|total| total <= limit);
        if !fits(before) {
            // More than the whole window never fits.
            let wait = measure.wait(window, now, |later| fits(measure.spent(window, later)));
            let allowed = limit.remaining_after(before);
            findings.refuse(Violation {
                retry_after: wait,
                window: Some(window),
                ..unit.violation(code(unit, Some(window)), sum, allowed)
            });
        }
    }
}

/// Lowers what is left to what these limits leave.
pub(super) fn left(limits: &Limits, measure: &Measure<'_>, now: BudgetTime, left: &mut Left) {
    for most in [limits.per_transaction, limits.approve_up_to] {
        left.per_transaction =
            most.map_or(left.per_transaction, |most| most.min(left.per_transaction));
    }
    for window in Window::ALL {
        if let Some(limit) = limits.window(window) {
            let spent = measure.spent(window, now);
            let rest = limit.remaining_after(spent);
            left.window = left.window.min(rest);
            let later = |fits: &dyn Fn(Amount) -> bool| {
                measure.wait(window, now, |later| fits(measure.spent(window, later)))
            };
            left.tighten(WindowLeft {
                window,
                limit,
                left: rest,
                more_in: later(&|then| limit.remaining_after(then) > rest),
                whole_in: later(&|then| then == Amount::ZERO),
            });
        }
    }
}

const fn code(unit: Unit, window: Option<Window>) -> Code {
    match (unit, window) {
        (Unit::Asset(_), None) => Code::PerTransactionLimit,
        (Unit::Asset(_), Some(Window::Hour)) => Code::HourLimit,
        (Unit::Asset(_), Some(Window::Day)) => Code::DayLimit,
        (Unit::Asset(_), Some(Window::Week)) => Code::WeekLimit,
        (Unit::Asset(_), Some(Window::Month)) => Code::MonthLimit,
        (Unit::Recipient(..), _) => Code::RecipientLimit,
        (Unit::Usd, _) => Code::UsdLimit,
    }
}
