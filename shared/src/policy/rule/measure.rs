//! What limits are counted in: the usage of one wallet, of several, or of many assets in USD.

use crate::amount::{Amount, Decimals};
use crate::caip::{AccountId, AssetId};
use crate::denial::{Code, Violation};
use crate::policy::document::UsdPrice;
use crate::policy::windows::{Usage, Window};
use crate::time::{BudgetTime, Millis};

/// Usages that are summed.
#[derive(Default)]
pub(super) struct Measure<'a> {
    parts: Vec<(&'a Usage, Option<(UsdPrice, Decimals)>)>,
}

impl<'a> Measure<'a> {
    /// Of usages in one asset.
    pub(super) fn of(usages: impl IntoIterator<Item = &'a Usage>) -> Self {
        Self {
            parts: usages.into_iter().map(|usage| (usage, None)).collect(),
        }
    }

    /// One more usage, at a price.
    pub(super) fn add(&mut self, usage: &'a Usage, price: UsdPrice, decimals: Decimals) {
        self.parts.push((usage, Some((price, decimals))));
    }

    /// What was charged in the window that ends now; the largest amount where it does not fit.
    pub(super) fn spent(&self, window: Window, now: BudgetTime) -> Amount {
        self.parts
            .iter()
            .try_fold(Amount::ZERO, |sum, (usage, price)| {
                let spent = usage.spent(window, now);
                let worth = price.map_or(spent, |(price, decimals)| price.of(spent, decimals));
                sum.checked_add(worth)
            })
            .unwrap_or(Amount::MAX)
    }

    /// How many payments were made in the window that ends now.
    pub(super) fn count(&self, window: Window, now: BudgetTime) -> u32 {
        self.parts.iter().fold(0, |sum, (usage, _)| {
            sum.saturating_add(usage.count(window, now))
        })
    }

    /// How long until it fits, if nothing else is spent; none if it never does.
    pub(super) fn wait(
        &self,
        window: Window,
        now: BudgetTime,
        fits: impl Fn(BudgetTime) -> bool,
    ) -> Option<Millis> {
        let leaving = self
            .parts
            .iter()
            .flat_map(|(usage, _)| usage.leaving(window, now));
        let mut waits: Vec<Millis> = leaving.collect();
        waits.sort_unstable();
        let place = waits.partition_point(|wait| !fits(now.after(*wait)));
        waits.get(place).copied()
    }
}

/// What the numbers of a violation are.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// Base units of an asset.
    Asset(AssetId),
    /// Base units of an asset, paid to this one recipient.
    Recipient(AssetId, AccountId),
    /// Millionths of a US dollar.
    Usd,
}

impl Unit {
    pub(super) fn violation(self, code: Code, observed: Amount, allowed: Amount) -> Violation {
        let (asset, recipient) = match self {
            Self::Asset(asset) => (Some(asset), None),
            Self::Recipient(asset, recipient) => (Some(asset), Some(recipient)),
            Self::Usd => (None, None),
        };
        Violation {
            asset,
            observed: Some(observed),
            allowed: Some(allowed),
            recipient,
            ..Violation::of(code)
        }
    }
}
