//! Thresholds: the tier that an amount, or the sum of a window with it, asks for.

use super::Findings;
use super::measure::{Measure, Unit};
use crate::amount::Amount;
use crate::denial::Code;
use crate::policy::evaluate::{Reason, Tier};
use crate::policy::limits::Limits;
use crate::time::BudgetTime;

pub(super) fn judge(
    limits: &Limits,
    sum: Amount,
    measure: &Measure<'_>,
    unit: Unit,
    now: BudgetTime,
    findings: &mut Findings,
) {
    let above = |threshold: Option<Amount>| threshold.is_some_and(|threshold| sum > threshold);
    if let Some(most) = limits.approve_up_to.filter(|most| sum > *most) {
        findings.refuse(unit.violation(Code::TierNotAvailable, sum, most));
    }
    let tier = if above(limits.delay_up_to) {
        Tier::Approval
    } else if above(limits.notify_up_to) {
        Tier::Delay
    } else if above(limits.instant_up_to) {
        Tier::Notify
    } else {
        Tier::Instant
    };
    findings.raise(tier, Reason::Amount);
    for entry in &limits.cumulative {
        let total = measure.spent(entry.window, now).checked_add(sum);
        if total.is_none_or(|total| total > entry.above) {
            findings.raise_by_window(entry.tier, Reason::Cumulative);
        }
    }
}
