//! What sending costs, and what a signature that is kept could cost: ceilings of fee and rent, the cap
//! on value signed between two attestations, and leave to sign without sending.

use super::{Case, Findings};
use crate::amount::Amount;
use crate::caip::{AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::policy::document::AssetRule;

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    let chain = case.payment.chain;
    for (asset, sum) in &case.charges {
        // An asset without a rule is refused elsewhere.
        let Some(rule) = case.document.asset(*asset) else {
            continue;
        };
        if let Some(cap) = rule.outstanding {
            outstanding(case, rule, *sum, cap, findings);
        }
        let costs = [
            (Code::FeeCeiling, rule.fee_ceiling, fee as Cost),
            (Code::RentCeiling, rule.rent_ceiling, rent),
        ];
        for (code, ceiling, cost) in costs {
            let total = total(case, *asset, cost);
            let ceiling = ceiling.unwrap_or_default();
            if total > ceiling {
                findings.refuse(Violation::limit(code, *asset, total, ceiling));
            }
        }
    }
    // A signature that nobody sends can be kept: on an EVM chain policy must allow it.
    let leave = case
        .document
        .asset(chain.native_asset())
        .is_some_and(|rule| rule.sign_only);
    if matches!(chain, ChainId::Evm(_)) && !case.payment.submit && !leave {
        findings.refuse(Violation::of(Code::SessionSignOnly));
    }
}

fn outstanding(
    case: &Case<'_>,
    rule: &AssetRule,
    sum: Amount,
    cap: Amount,
    findings: &mut Findings,
) {
    let before = case.wallet.map_or(Amount::ZERO, |wallet| {
        let signed = wallet.outstanding(rule.asset);
        let authorized = wallet.authorized(rule.asset, case.now.budget);
        signed.checked_add(authorized).unwrap_or(Amount::MAX)
    });
    let total = before.checked_add(sum);
    if total.is_none_or(|total| total > cap) {
        findings.refuse(Violation::limit(
            Code::OutstandingCap,
            rule.asset,
            total.unwrap_or(Amount::MAX),
            cap.remaining_after(before),
        ));
    }
}

type Cost = fn(&Effect) -> Option<Amount>;

const fn fee(effect: &Effect) -> Option<Amount> {
    match effect {
        Effect::Fee { max, .. } => Some(*max),
        _ => None,
    }
}

const fn rent(effect: &Effect) -> Option<Amount> {
    match effect {
        Effect::Rent { amount, .. } => Some(*amount),
        _ => None,
    }
}

fn total(case: &Case<'_>, asset: AssetId, cost: Cost) -> Amount {
    let effects = case.payment.effects.iter();
    effects
        .filter(|effect| effect.asset() == asset)
        .filter_map(cost)
        .try_fold(Amount::ZERO, Amount::checked_add)
        .unwrap_or(Amount::MAX)
}
