//! Limits and thresholds that any rule may set, whatever they are counted over: one wallet's asset, one
//! recipient, a scope, or a sum in USD. What is absent limits nothing here; the asset table alone says
//! what may be spent at all.

use minicbor::{Decode, Encode};

use super::evaluate::Tier;
use super::windows::Window;
use crate::amount::Amount;

/// Limits on amounts, in base units of one asset or in millionths of a US dollar.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Limits {
    /// Most in one transaction.
    #[n(0)]
    pub per_transaction: Option<Amount>,
    /// Most in any hour.
    #[n(1)]
    pub hour: Option<Amount>,
    /// Most in any 24 hours.
    #[n(2)]
    pub day: Option<Amount>,
    /// Most in any 7 days.
    #[n(3)]
    pub week: Option<Amount>,
    /// Most in any 30 days.
    #[n(4)]
    pub month: Option<Amount>,
    /// Most payments.
    #[n(5)]
    pub counts: Counts,
    /// Up to here INSTANT will do; above, NOTIFY at least.
    #[n(6)]
    pub instant_up_to: Option<Amount>,
    /// Up to here NOTIFY will do; above, DELAY at least.
    #[n(7)]
    pub notify_up_to: Option<Amount>,
    /// Up to here DELAY will do; above, APPROVAL.
    #[n(8)]
    pub delay_up_to: Option<Amount>,
    /// Above, never.
    #[n(9)]
    pub approve_up_to: Option<Amount>,
    /// What the sum of a window asks for; sorted by window and tier, each pair once.
    #[n(10)]
    pub cumulative: Vec<Cumulative>,
}

/// Most payments in each rolling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Counts {
    /// In any hour.
    #[n(0)]
    pub hour: Option<u32>,
    /// In any 24 hours.
    #[n(1)]
    pub day: Option<u32>,
    /// In any 7 days.
    #[n(2)]
    pub week: Option<u32>,
    /// In any 30 days.
    #[n(3)]
    pub month: Option<u32>,
}

/// A tier for everything that takes a window's sum above an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Cumulative {
    /// Over which window.
    #[n(0)]
    pub window: Window,
    /// The sum, this payment included, that may go without this tier.
    #[n(1)]
    pub above: Amount,
    /// The tier, above INSTANT.
    #[n(2)]
    pub tier: Tier,
}

impl Limits {
    /// The limit on a window's sum.
    #[must_use]
    pub const fn window(&self, window: Window) -> Option<Amount> {
        match window {
            Window::Hour => self.hour,
            Window::Day => self.day,
            Window::Week => self.week,
            Window::Month => self.month,
        }
    }

    /// Whether it says nothing about amounts.
    #[must_use]
    pub fn is_without_amounts(&self) -> bool {
        let counts = self.counts;
        *self
            == Self {
                counts,
                ..Self::default()
            }
    }

    /// The amounts in the order in which they must not fall.
    pub(super) const fn rising(&self) -> [Option<Amount>; 9] {
        [
            self.instant_up_to,
            self.notify_up_to,
            self.delay_up_to,
            self.approve_up_to,
            self.per_transaction,
            self.hour,
            self.day,
            self.week,
            self.month,
        ]
    }

    /// The most that can pass in a window: what it, or any other window as often as it fits in, allows.
    #[must_use]
    pub fn bound(&self, window: Window) -> Option<Amount> {
        bound(window, |other| self.window(other))
    }

    /// The most that can pass in a window below a tier, as far as thresholds and cumulative tiers say.
    #[must_use]
    pub fn bound_below(&self, tier: Tier, window: Window) -> Option<Amount> {
        let thresholds = [
            (Tier::Notify, self.instant_up_to),
            (Tier::Delay, self.notify_up_to),
            (Tier::Approval, self.delay_up_to),
        ];
        let none_passes = thresholds
            .into_iter()
            .any(|(asks, above)| asks >= tier && above == Some(Amount::ZERO));
        if none_passes {
            return Some(Amount::ZERO);
        }
        bound(window, |other| {
            let asks = self
                .cumulative
                .iter()
                .filter(|entry| entry.window == other && entry.tier >= tier)
                .map(|entry| entry.above);
            asks.chain(self.window(other)).min()
        })
    }
}

/// A longer window is covered by so many of a shorter one; a shorter window is part of a longer one.
fn bound(window: Window, limit: impl Fn(Window) -> Option<Amount>) -> Option<Amount> {
    let length = u128::from(window.length().millis());
    Window::ALL
        .into_iter()
        .filter_map(|other| {
            let times = length.div_ceil(u128::from(other.length().millis()).max(1));
            Some(limit(other)?.checked_mul(times).unwrap_or(Amount::MAX))
        })
        .min()
}

impl Counts {
    /// The most payments in a window.
    #[must_use]
    pub const fn window(&self, window: Window) -> Option<u32> {
        match window {
            Window::Hour => self.hour,
            Window::Day => self.day,
            Window::Week => self.week,
            Window::Month => self.month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(amount: u128) -> Option<Amount> {
        Some(Amount::from_base_units(amount))
    }

    #[test]
    fn a_window_is_bounded_by_every_other() {
        let limits = Limits {
            day: units(10),
            month: units(1000),
            ..Limits::default()
        };
        assert_eq!(limits.bound(Window::Month), units(300));
        assert_eq!(limits.bound(Window::Week), units(70));
        assert_eq!(limits.bound(Window::Hour), units(10));
        assert_eq!(Limits::default().bound(Window::Day), None);
    }

    #[test]
    fn what_goes_without_the_owner_is_bounded_by_cumulative_tiers() {
        let mut limits = Limits {
            day: units(1000),
            month: units(5000),
            delay_up_to: units(50),
            cumulative: vec![Cumulative {
                window: Window::Day,
                above: Amount::from_base_units(60),
                tier: Tier::Approval,
            }],
            ..Limits::default()
        };
        assert_eq!(limits.bound_below(Tier::Approval, Window::Day), units(60));
        assert_eq!(
            limits.bound_below(Tier::Approval, Window::Month),
            units(1800)
        );
        limits.cumulative[0].tier = Tier::Notify;
        assert_eq!(limits.bound_below(Tier::Approval, Window::Day), units(1000));
        limits.delay_up_to = units(0);
        assert_eq!(limits.bound_below(Tier::Approval, Window::Day), units(0));
    }
}
