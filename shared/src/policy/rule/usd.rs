//! Limits over all assets of a scope together: amounts in USD by the document's own ceiling prices,
//! counts over payments in whatever asset.

use super::measure::{Measure, Unit};
use super::scopes::Subject;
use super::{Case, Findings, amounts, counts, tiers};
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::denial::{Code, Violation};
use crate::policy::evaluate::payments;
use crate::policy::limits::Limits;
use crate::policy::windows::Window;

pub(super) fn judge(
    limits: &Limits,
    subject: &Subject<'_>,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    let now = case.now.budget;
    let made = payments(case.payment.effects);
    let before = subject.payments();
    counts::judge(limits.counts, made, &before, Unit::Usd, now, findings);
    if limits.is_without_amounts() {
        return;
    }
    let (sum, measure) = worth(subject, case, findings);
    amounts::judge(limits, sum, &measure, Unit::Usd, now, findings);
    tiers::judge(limits, sum, &measure, Unit::Usd, now, findings);
}

/// What the payment and what was spent below the scope are worth; what has no price is refused.
pub(super) fn worth<'a>(
    subject: &Subject<'a>,
    case: &Case<'_>,
    findings: &mut Findings,
) -> (Amount, Measure<'a>) {
    let now = case.now.budget;
    let priced = |asset: AssetId| {
        let rule = case.document.asset(asset)?;
        Some((rule.price?, rule.decimals))
    };
    let mut sum = Some(Amount::ZERO);
    for (asset, charge) in &case.charges {
        let Some((price, decimals)) = priced(*asset) else {
            refuse_unpriced(*asset, findings);
            continue;
        };
        let worth = price.of(*charge, decimals);
        sum = sum.and_then(|sum| sum.checked_add(worth));
    }
    let mut measure = Measure::default();
    for (asset, usage) in subject.assets() {
        match priced(asset) {
            Some((price, decimals)) => measure.add(usage, price, decimals),
            // What was spent in it counts, and by how much is unknown.
            None if usage.spent(Window::Month, now) > Amount::ZERO => {
                refuse_unpriced(asset, findings);
            }
            None => {}
        }
    }
    (sum.unwrap_or(Amount::MAX), measure)
}

fn refuse_unpriced(asset: AssetId, findings: &mut Findings) {
    findings.refuse(Violation {
        asset: Some(asset),
        ..Violation::of(Code::UsdPriceMissing)
    });
}
