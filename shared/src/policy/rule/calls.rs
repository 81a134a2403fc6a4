//! What reaches further than a payment: leave for somebody to take money later, and calls of programs
//! and contracts.

use super::{Case, Findings};
use crate::caip::AccountId;
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::policy::evaluate::{Reason, Tier};

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    for effect in case.payment.effects {
        match effect {
            Effect::Transfer { .. } | Effect::Fee { .. } | Effect::Rent { .. } => {}
            // Counted in full and only for those who may receive; and never without the owner.
            Effect::Approval { .. } => findings.raise(Tier::Approval, Reason::Allowance),
            Effect::Call {
                target,
                method,
                asset,
                value,
            } => {
                let rule = AccountId::new(case.payment.chain, *target)
                    .ok()
                    .and_then(|target| case.document.call(target, method));
                let Some(rule) = rule else {
                    findings.refuse(Violation::of(Code::CallNotListed));
                    continue;
                };
                if case.document.denies(rule.target) {
                    findings.refuse(Violation::of(Code::RecipientDenied));
                }
                if *value > rule.value_up_to {
                    let most = rule.value_up_to;
                    findings.refuse(Violation::limit(Code::CallValue, *asset, *value, most));
                }
                findings.raise(rule.tier, Reason::Call);
            }
        }
    }
}
