//! The scopes that hold for a payment: over what each counts, and each family of its rules.

use super::measure::{Measure, Unit};
use super::{Case, Findings, amounts, limited, lists, times, usd};
use crate::caip::AssetId;
use crate::policy::evaluate::{Reason, payments_in};
use crate::policy::history::{SessionHistory, WalletHistory};
use crate::policy::limits::Limits;
use crate::policy::scope::{Scope, ScopeRule};
use crate::policy::windows::Usage;
use crate::time::BudgetTime;

/// What was spent below a scope.
pub(super) enum Subject<'a> {
    Wallets(Vec<&'a WalletHistory>),
    Session(Option<&'a SessionHistory>),
}

impl<'a> Subject<'a> {
    /// The subject of a scope; none if the scope does not hold for the payment.
    fn of(scope: &Scope, case: &Case<'a>) -> Option<Self> {
        let payment = case.payment;
        let history = case.history;
        let (wallet, session) = (payment.wallet, payment.session);
        let holds = scope.holds(case.document, wallet, session, payment.bearer);
        holds.then(|| match scope {
            Scope::Global => Self::Wallets(history.wallets().map(|(_, wallet)| wallet).collect()),
            Scope::Pool(name) => {
                let pool = case.document.pool(name);
                let wallets = pool.into_iter().flat_map(|pool| &pool.wallets);
                Self::Wallets(
                    wallets
                        .filter_map(|wallet| history.wallet(*wallet))
                        .collect(),
                )
            }
            Scope::Wallet(_) => Self::Wallets(case.wallet.into_iter().collect()),
            Scope::EverySession | Scope::Session(_) | Scope::BearerSessions => {
                Self::Session(history.session(payment.session))
            }
        })
    }

    /// What was charged in an asset.
    fn measure(&self, asset: AssetId) -> Measure<'a> {
        match self {
            Self::Wallets(wallets) => {
                Measure::of(wallets.iter().filter_map(|wallet| wallet.asset(asset)))
            }
            Self::Session(session) => Measure::of(session.and_then(|session| session.asset(asset))),
        }
    }

    /// Payments, whatever they moved.
    pub(super) fn payments(&self) -> Measure<'a> {
        match self {
            Self::Wallets(wallets) => Measure::of(wallets.iter().map(|wallet| wallet.payments())),
            Self::Session(session) => Measure::of(session.map(|session| session.payments())),
        }
    }

    /// Every asset that was charged, once for each wallet.
    pub(super) fn assets(&self) -> Vec<(AssetId, &'a Usage)> {
        match self {
            Self::Wallets(wallets) => wallets.iter().flat_map(|wallet| wallet.assets()).collect(),
            Self::Session(session) => {
                let session = session.iter();
                session.flat_map(|session| session.assets()).collect()
            }
        }
    }

    /// When the newest payment was charged.
    pub(super) fn last(&self) -> Option<BudgetTime> {
        match self {
            Self::Wallets(wallets) => wallets.iter().filter_map(|wallet| wallet.last()).max(),
            Self::Session(session) => session.and_then(SessionHistory::last),
        }
    }
}

/// The limits on an asset that hold for a payment, each with what it counts over.
pub(super) fn limits_of<'a>(
    case: &Case<'a>,
    asset: AssetId,
) -> impl Iterator<Item = (&'a Limits, Measure<'a>)> {
    case.document.scopes.iter().filter_map(move |rule| {
        let limits = rule.limits(asset)?;
        let subject = Subject::of(&rule.scope, case)?;
        Some((limits, subject.measure(asset)))
    })
}

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    for rule in &case.document.scopes {
        if let Some(subject) = Subject::of(&rule.scope, case) {
            findings.scope = Some(rule.scope.clone());
            judge_one(rule, &subject, case, findings);
        }
    }
    findings.scope = None;
}

/// The limits on amounts of every scope that holds, for a transaction that costs its fee alone.
pub(super) fn judge_fee(case: &Case<'_>, findings: &mut Findings) {
    let now = case.now.budget;
    for rule in &case.document.scopes {
        let Some(subject) = Subject::of(&rule.scope, case) else {
            continue;
        };
        for (asset, sum) in &case.charges {
            if let Some(limits) = rule.limits(*asset) {
                let measure = subject.measure(*asset);
                amounts::judge(limits, *sum, &measure, Unit::Asset(*asset), now, findings);
            }
        }
        if let Some(limits) = rule.usd.as_ref().filter(|usd| !usd.is_without_amounts()) {
            let (sum, measure) = usd::worth(&subject, case, findings);
            amounts::judge(limits, sum, &measure, Unit::Usd, now, findings);
        }
    }
}

fn judge_one(rule: &ScopeRule, subject: &Subject<'_>, case: &Case<'_>, findings: &mut Findings) {
    lists::judge(rule, case, findings);
    times::judge(rule, subject, case, findings);
    for (asset, sum) in &case.charges {
        if let Some(limits) = rule.limits(*asset) {
            let measure = subject.measure(*asset);
            let sum = (*sum, payments_in(*asset, case.payment.effects));
            limited(limits, sum, &measure, Unit::Asset(*asset), case, findings);
        }
    }
    if let Some(limits) = &rule.usd {
        usd::judge(limits, subject, case, findings);
    }
    if let Some(tier) = rule.first_payment
        && findings.first_payment
    {
        findings.raise(tier, Reason::FirstPayment);
    }
    findings.delay = findings.delay.max(rule.delay.unwrap_or_default());
}
