//! What was spent in the last hour, day, week and month. Windows roll in fixed buckets of the budget
//! clock, rounded against the spender: a bucket counts until its last moment has left the window.

use std::collections::VecDeque;

use minicbor::{Decode, Encode};

use crate::amount::Amount;
use crate::time::{BudgetTime, Millis};

/// A rolling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Window {
    /// 60 minutes, in buckets of one minute.
    #[n(0)]
    Hour,
    /// 24 hours, in buckets of 15 minutes.
    #[n(1)]
    Day,
    /// 7 days, in buckets of one hour.
    #[n(2)]
    Week,
    /// 30 days, in buckets of four hours.
    #[n(3)]
    Month,
}

impl Window {
    /// All of them, shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Millis {
        Millis::from_hours(match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        })
    }

    const fn bucket(self) -> u64 {
        Millis::from_secs(match self {
            Self::Hour => 60,
            Self::Day => 15 * 60,
            Self::Week => 3600,
            Self::Month => 4 * 3600,
        })
        .millis()
    }

    /// The name in a document's form for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Sum and number of the charges in one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Bucket {
    #[n(0)]
    index: u64,
    #[n(1)]
    sum: Amount,
    #[n(2)]
    count: u32,
}

/// The buckets of one window, oldest first, and what they come to: reading a sum costs no walk over them.
#[derive(Debug, Clone, Default)]
struct Buckets {
    list: VecDeque<Bucket>,
    /// Sum over the list; none if it ever did not fit.
    total: Option<Amount>,
    count: u64,
}

/// The totals follow from the list.
impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Buckets {}

/// The list alone is written.
impl<C> Encode<C> for Buckets {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.list.encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for Buckets {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        context: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        VecDeque::decode(decoder, context).map(Self::of)
    }
}

impl Buckets {
    fn of(list: VecDeque<Bucket>) -> Self {
        let total = list.iter().map(|bucket| bucket.sum);
        Self {
            total: total.fold(Some(Amount::ZERO), plus),
            count: list.iter().map(|bucket| u64::from(bucket.count)).sum(),
            list,
        }
    }

    fn charge(&mut self, window: Window, at: BudgetTime, amount: Amount, times: u32) {
        let index = at.millis() / window.bucket();
        let kept_from = at.millis().saturating_sub(window.length().millis());
        if self.list.is_empty() {
            self.total = Some(Amount::ZERO);
        }
        while self
            .list
            .front()
            .is_some_and(|oldest| end(window, oldest.index) <= kept_from)
        {
            if let Some(oldest) = self.list.pop_front() {
                self.total = minus(self.total, oldest.sum);
                self.count = self.count.saturating_sub(oldest.count.into());
            }
        }
        match self.list.back_mut() {
            // The budget clock never goes back; were it to, the charge lands in the newest bucket,
            // which stays longest.
            Some(newest) if newest.index >= index => {
                // A bucket that does not fit stays at the largest amount, and so does the whole.
                let sum = newest.sum.checked_add(amount);
                self.total = sum.and(plus(self.total, amount));
                newest.sum = sum.unwrap_or(Amount::MAX);
                let before = newest.count;
                newest.count = before.saturating_add(times);
                self.count += u64::from(newest.count - before);
            }
            _ => {
                self.total = plus(self.total, amount);
                self.count = self.count.saturating_add(times.into());
                self.list.push_back(Bucket {
                    index,
                    sum: amount,
                    count: times,
                });
            }
        }
    }

    fn uncharge(&mut self, index: u64, amount: Amount, times: u32) {
        if let Some(bucket) = self.list.iter_mut().find(|bucket| bucket.index == index) {
            let taken = amount.min(bucket.sum);
            bucket.sum = bucket.sum.remaining_after(amount);
            self.total = minus(self.total, taken);
            if let Some(less) = bucket.count.checked_sub(times) {
                bucket.count = less;
                self.count = self.count.saturating_sub(times.into());
            }
        }
    }

    /// Buckets that have left the window: charges take away most of them, and they stand first.
    fn gone(&self, window: Window, now: BudgetTime) -> impl Iterator<Item = &Bucket> {
        let kept_from = now.millis().saturating_sub(window.length().millis());
        let buckets = self.list.iter();
        buckets.take_while(move |bucket| end(window, bucket.index) <= kept_from)
    }

    fn spent(&self, window: Window, now: BudgetTime) -> Amount {
        let sum = self
            .gone(window, now)
            .fold(self.total, |rest, bucket| minus(rest, bucket.sum));
        // What did not fit once is summed anew.
        sum.or_else(|| {
            let within = self.within(window, now).map(|bucket| bucket.sum);
            within.fold(Some(Amount::ZERO), plus)
        })
        .unwrap_or(Amount::MAX)
    }

    fn counted(&self, window: Window, now: BudgetTime) -> u32 {
        let gone: u64 = self
            .gone(window, now)
            .map(|bucket| u64::from(bucket.count))
            .sum();
        u32::try_from(self.count.saturating_sub(gone)).unwrap_or(u32::MAX)
    }

    fn within(&self, window: Window, now: BudgetTime) -> impl Iterator<Item = &Bucket> {
        let kept_from = now.millis().saturating_sub(window.length().millis());
        self.list.iter().filter(move |bucket| {
            // Before the first full window has passed nothing leaves.
            now.millis() < window.length().millis() || end(window, bucket.index) > kept_from
        })
    }
}

fn plus(sum: Option<Amount>, amount: Amount) -> Option<Amount> {
    sum?.checked_add(amount)
}

fn minus(sum: Option<Amount>, amount: Amount) -> Option<Amount> {
    sum?.checked_sub(amount)
}

const fn end(window: Window, index: u64) -> u64 {
    index.saturating_add(1).saturating_mul(window.bucket())
}

/// Everything charged to one account of spending, as far as any window can still see it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Usage {
    #[n(0)]
    windows: [Buckets; 4],
}

impl Usage {
    /// Counts a charge made at `at`. A sum that does not fit stays at the largest amount: it can
    /// refuse, never free.
    pub fn charge(&mut self, at: BudgetTime, amount: Amount) {
        self.charge_several(at, amount, 1);
    }

    /// The same for a charge that counts as several.
    pub fn charge_several(&mut self, at: BudgetTime, amount: Amount, times: u32) {
        for (window, buckets) in Window::ALL.into_iter().zip(&mut self.windows) {
            buckets.charge(window, at, amount, times);
        }
    }

    /// Adds to what was charged without another charge.
    pub fn add(&mut self, at: BudgetTime, amount: Amount) {
        for (window, buckets) in Window::ALL.into_iter().zip(&mut self.windows) {
            buckets.charge(window, at, amount, 0);
        }
    }

    /// Takes one charge made at `at` out again, as far as it is still there: only for judging the
    /// replay of a payment without its own earlier charge, on a copy.
    pub fn uncharge(&mut self, at: BudgetTime, amount: Amount) {
        self.uncharge_several(at, amount, 1);
    }

    /// The same for a charge that counted as several.
    pub fn uncharge_several(&mut self, at: BudgetTime, amount: Amount, times: u32) {
        for (window, buckets) in Window::ALL.into_iter().zip(&mut self.windows) {
            buckets.uncharge(at.millis() / window.bucket(), amount, times);
        }
    }

    /// Takes a part of a charge made at `at` out again, as far as it is still there; the charge counts on.
    pub fn take(&mut self, at: BudgetTime, amount: Amount) {
        for (window, buckets) in Window::ALL.into_iter().zip(&mut self.windows) {
            buckets.uncharge(at.millis() / window.bucket(), amount, 0);
        }
    }

    /// What was charged in the window that ends now, rounded against the spender.
    #[must_use]
    pub fn spent(&self, window: Window, now: BudgetTime) -> Amount {
        self.of(window).spent(window, now)
    }

    /// How many charges were made in the window that ends now.
    #[must_use]
    pub fn count(&self, window: Window, now: BudgetTime) -> u32 {
        self.of(window).counted(window, now)
    }

    /// What was charged in the last `length` (at most a month), rounded up to whole buckets.
    #[must_use]
    pub fn spent_within(&self, length: Millis, now: BudgetTime) -> Amount {
        self.reaching(length, now)
            .try_fold(Amount::ZERO, |sum, bucket| sum.checked_add(bucket.sum))
            .unwrap_or(Amount::MAX)
    }

    /// How many charges were made in the last `length` (at most a month), rounded up to whole buckets.
    #[must_use]
    pub fn count_within(&self, length: Millis, now: BudgetTime) -> u32 {
        self.reaching(length, now)
            .fold(0, |sum, bucket| sum.saturating_add(bucket.count))
    }

    /// How long ago the oldest charge was made that a month still sees: at most so long, by one bucket.
    #[must_use]
    pub fn age(&self, now: BudgetTime) -> Option<Millis> {
        let oldest = self.of(Window::Month).within(Window::Month, now).next()?;
        let begins = oldest.index.saturating_mul(Window::Month.bucket());
        Some(Millis::from_millis(now.millis().saturating_sub(begins)))
    }

    /// Buckets of the finest window that reaches back so far.
    fn reaching(&self, length: Millis, now: BudgetTime) -> impl Iterator<Item = &Bucket> {
        let window = Window::ALL
            .into_iter()
            .find(|window| window.length() >= length)
            .unwrap_or(Window::Month);
        let kept_from = now.millis().saturating_sub(length.millis());
        self.of(window).within(window, now).filter(move |bucket| {
            now.millis() < length.millis() || end(window, bucket.index) > kept_from
        })
    }

    /// How long until each charge leaves the window, soonest first.
    pub fn leaving(&self, window: Window, now: BudgetTime) -> impl Iterator<Item = Millis> {
        self.of(window).within(window, now).map(move |bucket| {
            let leaves = end(window, bucket.index).saturating_add(window.length().millis());
            Millis::from_millis(leaves.saturating_sub(now.millis()))
        })
    }

    /// Whether no window sees a charge any more: the longest does not see the newest, so none sees any.
    #[must_use]
    pub fn is_forgotten(&self, now: BudgetTime) -> bool {
        let longest = Window::Month;
        let kept_from = now.millis().saturating_sub(longest.length().millis());
        let newest = self.of(longest).list.back();
        newest.is_none_or(|newest| end(longest, newest.index) <= kept_from)
    }

    fn of(&self, window: Window) -> &Buckets {
        let [hour, day, week, month] = &self.windows;
        match window {
            Window::Hour => hour,
            Window::Day => day,
            Window::Week => week,
            Window::Month => month,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_charge_leaves_only_after_the_whole_window() {
        for window in Window::ALL {
            // Late in its bucket and early in it: never shorter than the window.
            for offset in [0, 1, window.bucket() - 1] {
                let at = BudgetTime::from_millis(window.bucket() * 1000 + offset);
                let mut usage = Usage::default();
                usage.charge(at, Amount::from_base_units(5));
                let last = at.after(window.length());
                assert_eq!(
                    usage.spent(window, last),
                    Amount::from_base_units(5),
                    "{window:?} {offset}"
                );
                let gone = last.after(Millis::from_millis(window.bucket()));
                assert_eq!(usage.spent(window, gone), Amount::ZERO);
                assert_eq!(usage.count(window, gone), 0);
                let wait = usage.leaving(window, at).last().expect("it leaves");
                assert_eq!(usage.spent(window, at.after(wait)), Amount::ZERO);
                let early = Millis::from_millis(wait.millis() - 1);
                assert_eq!(
                    usage.spent(window, at.after(early)),
                    Amount::from_base_units(5)
                );
            }
        }
    }

    proptest! {
        /// invariant_09: no interval of the window's length ever holds more than what the buckets say.
        #[test]
        fn buckets_never_count_less_than_the_exact_sum(
            steps in proptest::collection::vec((0_u64..4_000_000, 0_u128..1000), 1..200),
        ) {
            let mut usage = Usage::default();
            let mut charges: Vec<(u64, u128)> = Vec::new();
            let mut now = 0;
            for (step, amount) in steps {
                now += step;
                usage.charge(BudgetTime::from_millis(now), Amount::from_base_units(amount));
                charges.push((now, amount));
                for window in Window::ALL {
                    let from = now.saturating_sub(window.length().millis());
                    let exact: u128 = charges.iter().filter(|(at, _)| *at >= from).map(|(_, amount)| amount).sum();
                    prop_assert!(usage.spent(window, BudgetTime::from_millis(now)).base_units() >= exact);
                }
            }
        }
    }

    proptest! {
        /// No stretch of any length up to a month holds more than what is said of it, and none is said to
        /// hold what is older than it by more than a bucket.
        #[test]
        fn any_length_counts_never_less_than_the_exact_number(
            steps in proptest::collection::vec(0_u64..40_000_000, 1..80),
            hours in 1_u64..720,
        ) {
            let length = Millis::from_hours(hours);
            let mut usage = Usage::default();
            let mut charges: Vec<u64> = Vec::new();
            let mut now = 0;
            for step in steps {
                now += step;
                usage.charge(BudgetTime::from_millis(now), Amount::from_base_units(1));
                charges.push(now);
                let count = |from: u64| charges.iter().filter(|at| **at >= from).count() as u64;
                let at = BudgetTime::from_millis(now);
                let said = u64::from(usage.count_within(length, at));
                prop_assert!(said >= count(now.saturating_sub(length.millis())));
                let bucket = Window::Month.bucket();
                prop_assert!(said <= count(now.saturating_sub(length.millis() + bucket)));
                prop_assert_eq!(usage.spent_within(length, at).base_units(), u128::from(said));
            }
        }
    }

    proptest! {
        /// The totals are those of a walk over the buckets, whatever was charged and taken out, and also
        /// after they were written and read again.
        #[test]
        fn totals_are_the_sums_of_their_buckets(
            steps in proptest::collection::vec(
                (0_u64..200_000_000, prop_oneof![0_u128..1000, Just(u128::MAX / 2), Just(u128::MAX)], any::<bool>()),
                1..120,
            ),
        ) {
            let mut usage = Usage::default();
            let mut charges: Vec<(u64, u128)> = Vec::new();
            let mut now = 0;
            for (step, amount, out) in steps {
                now += step;
                match if out { charges.pop() } else { None } {
                    Some((at, amount)) => {
                        usage.uncharge(BudgetTime::from_millis(at), Amount::from_base_units(amount));
                    }
                    None => {
                        usage.charge(BudgetTime::from_millis(now), Amount::from_base_units(amount));
                        charges.push((now, amount));
                    }
                }
                let bytes = crate::codec::to_canonical(&usage);
                let read: Usage = crate::codec::from_canonical(&bytes).expect("its own bytes");
                for window in Window::ALL {
                    for later in [0, 3_600_000, 40_000_000_000] {
                        let at = BudgetTime::from_millis(now + later);
                        let buckets = usage.of(window);
                        let sum = buckets.within(window, at).map(|bucket| bucket.sum);
                        let sum = sum.fold(Some(Amount::ZERO), plus).unwrap_or(Amount::MAX);
                        let count = buckets.within(window, at).map(|bucket| bucket.count).sum::<u32>();
                        let seen = Window::ALL
                            .into_iter()
                            .any(|window| usage.of(window).within(window, at).next().is_some());
                        prop_assert_eq!(usage.is_forgotten(at), !seen);
                        for one in [&usage, &read] {
                            prop_assert_eq!(one.spent(window, at), sum);
                            prop_assert_eq!(one.count(window, at), count);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_overflowing_sum_stays_at_the_top() {
        let mut usage = Usage::default();
        let now = BudgetTime::from_millis(1);
        usage.charge(now, Amount::MAX);
        usage.charge(now, Amount::MAX);
        assert_eq!(usage.spent(Window::Month, now), Amount::MAX);
    }
}
