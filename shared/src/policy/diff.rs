//! What a policy document changes against the one adopted before it: every loosening, named, and the
//! number of tightenings. Judges nothing and writes no words; the owner's text is made from it. What
//! is neither clearly tighter nor nothing counts as a loosening. Called by `statement::text`.

use super::document::{AssetRule, PolicyDocument, Recipient};
use crate::amount::Amount;
use crate::time::Millis;

/// The changes from one document to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Each changed value that lets more pass, or sooner: maturity first, then assets, then
    /// recipients, both in the document's order.
    pub loosenings: Vec<Loosening<'a>>,
    /// How many changed values let less pass, or later.
    pub tightenings: usize,
}

/// One changed value that lets more pass, or sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loosening<'a> {
    /// Later documents wait less.
    Maturity {
        /// The wait before.
        before: Millis,
        /// The wait from now on.
        after: Millis,
    },
    /// An asset that could not be spent at all.
    NewAsset(&'a AssetRule),
    /// The same amounts are called by another name, or counted in another unit.
    Unit {
        /// The rule before.
        before: &'a AssetRule,
        /// The rule from now on.
        after: &'a AssetRule,
    },
    /// A raised amount.
    Raised {
        /// The rule from now on.
        rule: &'a AssetRule,
        /// Which amount of it.
        limit: Limit,
        /// Base units before.
        before: Amount,
        /// Base units from now on.
        after: Amount,
    },
    /// More transactions in any 24 hours.
    DayCount {
        /// The rule from now on.
        rule: &'a AssetRule,
        /// How many before; it was limited, or this would be no loosening.
        before: u32,
        /// How many from now on; none: any number.
        after: Option<u32>,
    },
    /// Transactions may be signed without being sent.
    SignOnly(&'a AssetRule),
    /// An account that could not receive.
    NewRecipient(&'a Recipient),
    /// A name that now means this account.
    RenamedRecipient {
        /// The entry before.
        before: &'a Recipient,
        /// The entry from now on.
        after: &'a Recipient,
    },
}

impl<'a> Loosening<'a> {
    /// The asset rule that is loosened, if it is one.
    #[must_use]
    pub const fn rule(&self) -> Option<&'a AssetRule> {
        match self {
            Self::NewAsset(rule)
            | Self::Unit { after: rule, .. }
            | Self::Raised { rule, .. }
            | Self::DayCount { rule, .. }
            | Self::SignOnly(rule) => Some(rule),
            Self::Maturity { .. } | Self::NewRecipient(_) | Self::RenamedRecipient { .. } => None,
        }
    }
}

/// The amounts of an [`AssetRule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `per_transaction`.
    PerTransaction,
    /// `hour`.
    Hour,
    /// `day`.
    Day,
    /// `week`.
    Week,
    /// `month`.
    Month,
    /// `instant_up_to`.
    InstantUpTo,
    /// `notify_up_to`.
    NotifyUpTo,
    /// `fee_ceiling`.
    FeeCeiling,
    /// `outstanding`.
    Outstanding,
}

impl Limit {
    /// Every amount, in the rule's order.
    pub const ALL: [Self; 9] = [
        Self::PerTransaction,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::InstantUpTo,
        Self::NotifyUpTo,
        Self::FeeCeiling,
        Self::Outstanding,
    ];

    /// This amount of a rule. An absent one allows nothing, and counts as zero.
    #[must_use]
    pub fn of(self, rule: &AssetRule) -> Amount {
        match self {
            Self::PerTransaction => rule.per_transaction,
            Self::Hour => rule.hour,
            Self::Day => rule.day,
            Self::Week => rule.week,
            Self::Month => rule.month,
            Self::InstantUpTo => rule.instant_up_to,
            Self::NotifyUpTo => rule.notify_up_to,
            Self::FeeCeiling => rule.fee_ceiling.unwrap_or_default(),
            Self::Outstanding => rule.outstanding.unwrap_or_default(),
        }
    }
}

/// Compares two documents, both checked.
#[must_use]
pub fn diff<'a>(before: &'a PolicyDocument, after: &'a PolicyDocument) -> Diff<'a> {
    let mut diff = Diff {
        loosenings: Vec::new(),
        tightenings: 0,
    };
    if after.maturity < before.maturity {
        diff.loosenings.push(Loosening::Maturity {
            before: before.maturity,
            after: after.maturity,
        });
    } else if after.maturity > before.maturity {
        diff.tighten();
    }
    for rule in &after.assets {
        match before.asset(rule.asset) {
            Some(known) => diff.asset(known, rule),
            None => diff.loosenings.push(Loosening::NewAsset(rule)),
        }
    }
    for recipient in &after.recipients {
        match before.recipient(recipient.account) {
            None => diff.loosenings.push(Loosening::NewRecipient(recipient)),
            Some(known) if known.name != recipient.name => {
                diff.loosenings.push(Loosening::RenamedRecipient {
                    before: known,
                    after: recipient,
                });
            }
            Some(_) => {}
        }
    }
    let gone_assets = before
        .assets
        .iter()
        .filter(|rule| after.asset(rule.asset).is_none());
    let gone_recipients = before
        .recipients
        .iter()
        .filter(|known| after.recipient(known.account).is_none());
    let gone = gone_assets.count().saturating_add(gone_recipients.count());
    diff.tightenings = diff.tightenings.saturating_add(gone);
    diff
}

impl<'a> Diff<'a> {
    fn tighten(&mut self) {
        self.tightenings = self.tightenings.saturating_add(1);
    }

    /// Both rules are about one asset.
    fn asset(&mut self, before: &'a AssetRule, rule: &'a AssetRule) {
        if (&before.symbol, before.decimals) != (&rule.symbol, rule.decimals) {
            self.loosenings.push(Loosening::Unit {
                before,
                after: rule,
            });
        }
        for limit in Limit::ALL {
            let (old, new) = (limit.of(before), limit.of(rule));
            if new > old {
                self.loosenings.push(Loosening::Raised {
                    rule,
                    limit,
                    before: old,
                    after: new,
                });
            } else if new < old {
                self.tighten();
            }
        }
        match (before.day_count, rule.day_count) {
            (Some(old), new) if new.is_none_or(|new| new > old) => {
                self.loosenings.push(Loosening::DayCount {
                    rule,
                    before: old,
                    after: new,
                });
            }
            (old, new) if old != new => self.tighten(),
            _ => {}
        }
        match (before.sign_only, rule.sign_only) {
            (false, true) => self.loosenings.push(Loosening::SignOnly(rule)),
            (true, false) => self.tighten(),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
