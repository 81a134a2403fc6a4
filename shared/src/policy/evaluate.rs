//! The judgement of one payment by one binding document: every rule that it breaks, or its tier.
//! Reads effects, usage and time; never anything that a caller said about them.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::document::{AssetRule, PolicyDocument};
use super::windows::{Usage, Window};
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::time::BudgetTime;

/// How a payment is released, strictest last.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
#[cbor(index_only)]
pub enum Tier {
    /// Signed at once.
    #[n(0)]
    Instant,
    /// Signed at once; the owner is told.
    #[n(1)]
    Notify,
}

impl Tier {
    /// The name as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "INSTANT",
            Self::Notify => "NOTIFY",
        }
    }
}

/// What a payment charges to each asset, fees included: base units, one entry an asset.
pub type Charges = BTreeMap<AssetId, Amount>;

/// Sums the effects of a payment by asset.
///
/// # Errors
/// [`Code::Overflow`] if a sum does not fit.
pub fn charges(effects: &[Effect]) -> Result<Charges, Code> {
    let mut sums = Charges::new();
    for effect in effects {
        let sum = sums.entry(effect.asset()).or_default();
        *sum = sum.checked_add(effect.amount()).ok_or(Code::Overflow)?;
    }
    Ok(sums)
}

/// What the wallet has spent already, as judged payments need it.
#[derive(Debug)]
pub struct Spent<'a> {
    /// By asset; an asset without an entry has spent nothing.
    pub usage: &'a BTreeMap<AssetId, Usage>,
    /// Value signed on the payment's EVM chain since the owner last attested its nonce.
    pub outstanding: Amount,
    /// Now, on the budget clock.
    pub now: BudgetTime,
}

/// Judges a payment on `chain` by `document`.
///
/// # Errors
/// Every rule that the payment breaks; never an empty list.
pub fn evaluate(
    document: &PolicyDocument,
    chain: ChainId,
    effects: &[Effect],
    spent: &Spent<'_>,
) -> Result<Tier, Vec<Violation>> {
    let sums = charges(effects).map_err(|code| vec![Violation::of(code)])?;
    let mut violations = Vec::new();
    let mut tier = Tier::Instant;
    let nothing = Usage::default();
    // A payment without any effect would pass "all" rules vacuously.
    if !effects
        .iter()
        .any(|effect| matches!(effect, Effect::Transfer { .. }))
    {
        violations.push(Violation::of(Code::TransactionUndecodable));
    }
    for (asset, sum) in &sums {
        let Some(rule) = document.asset(*asset) else {
            violations.push(Violation {
                asset: Some(*asset),
                ..Violation::of(Code::AssetNotListed)
            });
            continue;
        };
        let usage = spent.usage.get(asset).unwrap_or(&nothing);
        limits(rule, *sum, usage, spent.now, &mut violations);
        if *sum > rule.notify_up_to {
            violations.push(Violation::limit(
                Code::TierNotAvailable,
                *asset,
                *sum,
                rule.notify_up_to,
            ));
        } else if *sum > rule.instant_up_to {
            tier = tier.max(Tier::Notify);
        }
        if let Some(cap) = rule.outstanding {
            let total = spent.outstanding.checked_add(*sum);
            if total.is_none_or(|total| total > cap) {
                violations.push(Violation {
                    retry_after: None,
                    ..Violation::limit(
                        Code::OutstandingCap,
                        *asset,
                        total.unwrap_or(Amount::MAX),
                        cap.remaining_after(spent.outstanding),
                    )
                });
            }
        }
    }
    for effect in effects {
        match effect {
            Effect::Transfer { to, .. } => {
                let listed =
                    AccountId::new(chain, *to).is_ok_and(|to| document.recipient(to).is_some());
                if !listed {
                    violations.push(Violation::of(Code::RecipientNotListed));
                }
            }
            Effect::Fee { asset, max } => {
                // An asset without a rule was named above already.
                let Some(rule) = document.asset(*asset) else {
                    continue;
                };
                let ceiling = rule.fee_ceiling.unwrap_or_default();
                if *max > ceiling {
                    violations.push(Violation::limit(Code::FeeCeiling, *asset, *max, ceiling));
                }
            }
        }
    }
    if violations.is_empty() {
        Ok(tier)
    } else {
        Err(violations)
    }
}

/// The amount rules: one transaction, and each rolling window.
fn limits(
    rule: &AssetRule,
    sum: Amount,
    usage: &Usage,
    now: BudgetTime,
    violations: &mut Vec<Violation>,
) {
    if sum > rule.per_transaction {
        violations.push(Violation::limit(
            Code::PerTransactionLimit,
            rule.asset,
            sum,
            rule.per_transaction,
        ));
    }
    for window in Window::ALL {
        let limit = window_limit(rule, window);
        let before = usage.spent(window, now);
        let fits = before.checked_add(sum).is_some_and(|total| total <= limit);
        if !fits {
            let wait = limit
                .checked_sub(sum)
                .map(|room| usage.wait_until_at_most(window, now, room));
            violations.push(Violation {
                retry_after: wait,
                ..Violation::limit(
                    window.code(),
                    rule.asset,
                    sum,
                    limit.remaining_after(before),
                )
            });
        }
    }
    if let Some(most) = rule.day_count {
        let count = usage.count(Window::Day, now);
        if count >= most {
            violations.push(Violation::limit(
                Code::DayCount,
                rule.asset,
                Amount::from_base_units(u128::from(count) + 1),
                Amount::from_base_units(most.into()),
            ));
        }
    }
}

/// The limit of a rule in a window.
#[must_use]
pub const fn window_limit(rule: &AssetRule, window: Window) -> Amount {
    match window {
        Window::Hour => rule.hour,
        Window::Day => rule.day,
        Window::Week => rule.week,
        Window::Month => rule.month,
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::sample;
    use super::*;
    use crate::address::Account;
    use crate::time::Millis;

    const LISTED: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    fn chain() -> ChainId {
        ChainId::Evm(31_337)
    }

    fn payment(amount: u128, fee: u128) -> Vec<Effect> {
        let to: Account = LISTED.parse().expect("an address");
        vec![
            Effect::Transfer {
                asset: chain().native_asset(),
                to,
                amount: Amount::from_base_units(amount),
            },
            Effect::Fee {
                asset: chain().native_asset(),
                max: Amount::from_base_units(fee),
            },
        ]
    }

    fn judge(effects: &[Effect], usage: &Usage, outstanding: u128) -> Result<Tier, Vec<Code>> {
        let usage = BTreeMap::from([(chain().native_asset(), usage.clone())]);
        let spent = Spent {
            usage: &usage,
            outstanding: Amount::from_base_units(outstanding),
            now: BudgetTime::from_millis(1_000_000),
        };
        evaluate(&sample(), chain(), effects, &spent).map_err(|violations| {
            violations
                .into_iter()
                .map(|violation| violation.code)
                .collect()
        })
    }

    #[test]
    fn tiers_hold_to_the_unit_and_fees_count() {
        let none = Usage::default();
        assert_eq!(judge(&payment(10, 0), &none, 0), Ok(Tier::Instant));
        assert_eq!(judge(&payment(9, 1), &none, 0), Ok(Tier::Instant));
        assert_eq!(judge(&payment(10, 1), &none, 0), Ok(Tier::Notify));
        assert_eq!(judge(&payment(45, 5), &none, 0), Ok(Tier::Notify));
        assert_eq!(
            judge(&payment(46, 5), &none, 0),
            Err(vec![Code::TierNotAvailable])
        );
        assert_eq!(judge(&payment(1, 6), &none, 0), Err(vec![Code::FeeCeiling]));
        assert_eq!(
            judge(&payment(1, 0), &none, 1000),
            Err(vec![Code::OutstandingCap])
        );
        assert_eq!(judge(&payment(1, 0), &none, 999), Ok(Tier::Instant));
    }

    #[test]
    fn every_broken_rule_is_named() {
        let mut usage = Usage::default();
        usage.charge(
            BudgetTime::from_millis(999_000),
            Amount::from_base_units(190),
        );
        assert_eq!(judge(&payment(10, 0), &usage, 0), Ok(Tier::Instant));
        assert_eq!(
            judge(&payment(11, 0), &usage, 0),
            Err(vec![Code::HourLimit])
        );
        assert_eq!(
            judge(&payment(400, 6), &usage, 990),
            Err(vec![
                Code::PerTransactionLimit,
                Code::HourLimit,
                Code::DayLimit,
                Code::WeekLimit,
                Code::MonthLimit,
                Code::TierNotAvailable,
                Code::OutstandingCap,
                Code::FeeCeiling,
            ])
        );
        let many = [Effect::Transfer {
            asset: chain().native_asset(),
            to: "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
                .parse()
                .expect("an address"),
            amount: Amount::from_base_units(1),
        }];
        assert_eq!(
            judge(&many, &Usage::default(), 0),
            Err(vec![Code::RecipientNotListed])
        );
        assert_eq!(
            judge(&[], &Usage::default(), 0),
            Err(vec![Code::TransactionUndecodable])
        );
        assert_eq!(
            judge(&payment(u128::MAX, 1), &Usage::default(), 0),
            Err(vec![Code::Overflow])
        );
    }

    #[test]
    fn counts_hold_and_waiting_is_told() {
        let mut usage = Usage::default();
        for _ in 0..10 {
            usage.charge(BudgetTime::from_millis(1), Amount::ZERO);
        }
        assert_eq!(judge(&payment(1, 0), &usage, 0), Err(vec![Code::DayCount]));

        let mut usage = Usage::default();
        usage.charge(BudgetTime::from_millis(0), Amount::from_base_units(195));
        let usage = BTreeMap::from([(chain().native_asset(), usage)]);
        let now = BudgetTime::from_millis(1_000_000);
        let spent = Spent {
            usage: &usage,
            outstanding: Amount::ZERO,
            now,
        };
        let violations =
            evaluate(&sample(), chain(), &payment(6, 0), &spent).expect_err("over the hour");
        let [violation] = violations.as_slice() else {
            panic!("one rule: {violations:?}")
        };
        assert_eq!(violation.allowed, Some(Amount::from_base_units(5)));
        // One minute's bucket and one hour after it.
        assert_eq!(
            violation.retry_after,
            Some(Millis::from_millis(60_000 + 3_600_000 - 1_000_000))
        );
        let later = now.after(violation.retry_after.expect("waiting helps"));
        assert!(
            evaluate(
                &sample(),
                chain(),
                &payment(6, 0),
                &Spent {
                    now: later,
                    ..spent
                }
            )
            .is_ok()
        );
    }
}
