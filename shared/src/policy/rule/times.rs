//! When a scope allows payments: the hours of a day, and the time between two payments.

use super::scopes::Subject;
use super::{Case, Findings};
use crate::denial::{Code, Violation};
use crate::policy::scope::{self, ScopeRule};
use crate::time::Millis;

pub(super) fn judge(
    rule: &ScopeRule,
    subject: &Subject<'_>,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    if let Some(hours) = &rule.hours {
        let sides = case.now.sides();
        if !scope::are_open(hours, sides) {
            findings.refuse(Violation {
                retry_after: scope::until_open(hours, sides),
                ..Violation::of(Code::OutsideHours)
            });
        }
    }
    if let (Some(pause), Some(last)) = (rule.cool_down, subject.last()) {
        let passed = case.now.budget.since(last);
        if passed < pause {
            let left = pause.millis().saturating_sub(passed.millis());
            findings.refuse(Violation {
                retry_after: Some(Millis::from_millis(left)),
                ..Violation::of(Code::CoolDown)
            });
        }
    }
}
