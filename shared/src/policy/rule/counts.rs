//! Limits on the number of payments in each rolling window.

use super::Findings;
use super::measure::{Measure, Unit};
use crate::amount::Amount;
use crate::denial::{Code, Violation};
use crate::policy::limits::Counts;
use crate::policy::windows::Window;
use crate::time::BudgetTime;

pub(super) fn judge(
    counts: Counts,
    payments: u32,
    measure: &Measure<'_>,
    unit: Unit,
    now: BudgetTime,
    findings: &mut Findings,
) {
    for window in Window::ALL {
        let Some(most) = counts.window(window) else {
            continue;
        };
        let count = measure.count(window, now);
        let fits = |count: u32| count.saturating_add(payments) <= most;
        if !fits(count) {
            // More than the whole window never fits.
            let wait = measure.wait(window, now, |later| fits(measure.count(window, later)));
            let observed = Amount::from_base_units(u128::from(count) + u128::from(payments));
            let allowed = Amount::from_base_units(most.into());
            findings.refuse(Violation {
                retry_after: wait,
                window: Some(window),
                ..unit.violation(code(unit, window), observed, allowed)
            });
        }
    }
}

const fn code(unit: Unit, window: Window) -> Code {
    match (unit, window) {
        (Unit::Asset(_), Window::Hour) => Code::HourCount,
        (Unit::Asset(_), Window::Day) => Code::DayCount,
        (Unit::Asset(_), Window::Week) => Code::WeekCount,
        (Unit::Asset(_), Window::Month) => Code::MonthCount,
        (Unit::Recipient(..), _) => Code::RecipientCount,
        (Unit::Usd, _) => Code::PaymentCount,
    }
}
