//! The rules, one file for each family. Each reads the case and adds what it finds; none reads what
//! another found. Called by `evaluate` alone.

mod amounts;
mod calls;
mod costs;
mod counts;
mod lists;
mod measure;
mod programs;
mod recipients;
mod scopes;
mod stakes;
mod tiers;
mod times;
mod usd;

use std::collections::BTreeMap;

use self::measure::{Measure, Unit};
use super::document::PolicyDocument;
use super::evaluate::{Charges, Left, Now, Payment, Reason, Tier, payments_in};
use super::history::{History, WalletHistory};
use super::limits::Limits;
use super::scope::Scope;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::time::Millis;

/// What is judged, and by what.
pub(super) struct Case<'a> {
    pub(super) document: &'a PolicyDocument,
    pub(super) payment: &'a Payment<'a>,
    pub(super) history: &'a dyn History,
    /// The paying wallet's own.
    pub(super) wallet: Option<&'a WalletHistory>,
    pub(super) now: Now,
    pub(super) charges: Charges,
    pub(super) received: BTreeMap<(AssetId, AccountId), Amount>,
}

/// What the rules found.
pub(super) struct Findings {
    pub(super) violations: Vec<Violation>,
    pub(super) tier: Tier,
    /// Without what windows ask for.
    pub(super) by_itself: Tier,
    pub(super) delay: Millis,
    pub(super) first_payment: bool,
    pub(super) raised_by: Vec<Reason>,
    /// The scope whose rules are judged now.
    pub(super) scope: Option<Scope>,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            violations: Vec::new(),
            tier: Tier::Instant,
            by_itself: Tier::Instant,
            delay: Millis::default(),
            first_payment: false,
            raised_by: Vec::new(),
            scope: None,
        }
    }
}

impl Findings {
    /// A rule is broken.
    pub(super) fn refuse(&mut self, violation: Violation) {
        let violation = Violation {
            scope: self.scope.clone(),
            ..violation
        };
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    /// A rule demands at least this tier of the payment itself.
    pub(super) fn raise(&mut self, tier: Tier, reason: Reason) {
        self.by_itself = self.by_itself.max(tier);
        self.raise_by_window(tier, reason);
    }

    /// A rule demands at least this tier for what a window holds with the payment.
    pub(super) fn raise_by_window(&mut self, tier: Tier, reason: Reason) {
        if tier > Tier::Instant && !self.raised_by.contains(&reason) {
            self.raised_by.push(reason);
        }
        self.tier = self.tier.max(tier);
    }
}

/// Every rule of the document.
pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    understood(case, findings);
    for (asset, sum) in &case.charges {
        let Some(rule) = case.document.asset(*asset) else {
            findings.refuse(Violation {
                asset: Some(*asset),
                ..Violation::of(Code::AssetNotListed)
            });
            continue;
        };
        let usage = case.wallet.and_then(|wallet| wallet.asset(*asset));
        let measure = Measure::of(usage);
        limited(
            &rule.limits(),
            (*sum, payments_in(*asset, case.payment.effects)),
            &measure,
            Unit::Asset(*asset),
            case,
            findings,
        );
    }
    costs::judge(case, findings);
    recipients::judge(case, findings);
    calls::judge(case, findings);
    stakes::judge(case, findings);
    scopes::judge(case, findings);
}

/// The rules that bind a transaction which costs its fee and does nothing else.
pub(super) fn judge_fee(case: &Case<'_>, findings: &mut Findings) {
    if !case.payment.effects.iter().all(Effect::is_cost) {
        findings.refuse(Violation::of(Code::TransactionUndecodable));
    }
    for (asset, sum) in &case.charges {
        let Some(rule) = case.document.asset(*asset) else {
            findings.refuse(Violation {
                asset: Some(*asset),
                ..Violation::of(Code::AssetNotListed)
            });
            continue;
        };
        let usage = case.wallet.and_then(|wallet| wallet.asset(*asset));
        let measure = Measure::of(usage);
        let unit = Unit::Asset(*asset);
        amounts::judge(
            &rule.limits(),
            *sum,
            &measure,
            unit,
            case.now.budget,
            findings,
        );
    }
    costs::judge(case, findings);
    scopes::judge_fee(case, findings);
}

/// What the limits in one asset leave.
pub(super) fn left(case: &Case<'_>, asset: AssetId) -> Left {
    let Some(rule) = case.document.asset(asset) else {
        return Left {
            per_transaction: Amount::ZERO,
            window: Amount::ZERO,
            windows: Vec::new(),
        };
    };
    let mut left = Left {
        per_transaction: Amount::MAX,
        window: Amount::MAX,
        windows: Vec::new(),
    };
    let usage = case.wallet.and_then(|wallet| wallet.asset(asset));
    amounts::left(
        &rule.limits(),
        &Measure::of(usage),
        case.now.budget,
        &mut left,
    );
    for (limits, measure) in scopes::limits_of(case, asset) {
        amounts::left(limits, &measure, case.now.budget, &mut left);
    }
    left
}

/// What says nothing, or speaks of another chain, was not understood: it would pass "all" rules
/// vacuously.
fn understood(case: &Case<'_>, findings: &mut Findings) {
    let effects = case.payment.effects;
    let chain = case.payment.chain;
    if effects.iter().all(Effect::is_cost)
        || effects.iter().any(|effect| effect.asset().chain() != chain)
    {
        findings.refuse(Violation::of(Code::TransactionUndecodable));
    }
}

/// One set of limits over what it is counted in: base units, and as how many payments they count.
fn limited(
    limits: &Limits,
    (sum, payments): (Amount, u32),
    measure: &Measure<'_>,
    unit: Unit,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    let now = case.now.budget;
    amounts::judge(limits, sum, measure, unit, now, findings);
    counts::judge(limits.counts, payments, measure, unit, now, findings);
    tiers::judge(limits, sum, measure, unit, now, findings);
}
