//! One document's judgement of one payment: each asset that it takes, whom it pays, what it costs.

use std::collections::BTreeSet;

use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::windows::Window;

pub(crate) use super::asking::Asking;
use super::charges::{Bounds, Charge, Charges};
use super::{calls, programs, scopes};

/// When.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall: u64,
    pub(crate) run: u64,
    pub(crate) budget: u64,
    /// The wall clock's lower side; the upper one where nothing else is known.
    pub(crate) steady: u64,
}

/// What a document finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Broken for certain.
    pub(crate) certain: BTreeSet<Code>,
    /// Broken if a bucket still counts what has left its window.
    pub(crate) possible: BTreeSet<Code>,
    pub(crate) tier: (Tier, Tier),
    pub(crate) delay: u64,
    pub(crate) first_payment: bool,
}

impl Found {
    /// Nothing yet, under a document with this delay.
    pub(crate) const fn nothing(delay: u64) -> Self {
        Self {
            certain: BTreeSet::new(),
            possible: BTreeSet::new(),
            tier: (Tier::Instant, Tier::Instant),
            delay,
            first_payment: false,
        }
    }

    /// A limit on something of which only bounds are known.
    pub(super) fn limit(&mut self, code: Code, value: Bounds, most: u128) {
        if value.least > most {
            self.certain.insert(code);
        } else if value.most > most {
            self.possible.insert(code);
        }
    }

    pub(super) fn when(&mut self, broken: bool, code: Code) {
        if broken {
            self.certain.insert(code);
        }
    }

    pub(super) fn raise(&mut self, tier: Tier) {
        self.tier = (self.tier.0.max(tier), self.tier.1.max(tier));
    }

    fn raise_above(&mut self, value: Bounds, above: u128, tier: Tier) {
        if value.least > above {
            self.raise(tier);
        } else if value.most > above {
            self.tier.1 = self.tier.1.max(tier);
        }
    }
}

/// Limits as plain numbers, windows by their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) per_transaction: Option<u128>,
    pub(crate) windows: [Option<u128>; 4],
    pub(crate) counts: [Option<u32>; 4],
    /// Up to here INSTANT, NOTIFY, DELAY, APPROVAL will do.
    pub(crate) up_to: [Option<u128>; 4],
    pub(crate) cumulative: Vec<(usize, u128, Tier)>,
}

const fn counts(counts: Counts) -> [Option<u32>; 4] {
    [counts.hour, counts.day, counts.week, counts.month]
}

pub(crate) fn place(window: Window) -> usize {
    match window {
        Window::Hour => 0,
        Window::Day => 1,
        Window::Week => 2,
        Window::Month => 3,
    }
}

impl From<&Limits> for Numbers {
    fn from(limits: &Limits) -> Self {
        let plain =
            |amount: Option<waiaas_shared::amount::Amount>| amount.map(|it| it.base_units());
        let entries = limits.cumulative.iter();
        Self {
            per_transaction: plain(limits.per_transaction),
            windows: [limits.hour, limits.day, limits.week, limits.month].map(plain),
            counts: counts(limits.counts),
            up_to: [
                limits.instant_up_to,
                limits.notify_up_to,
                limits.delay_up_to,
                limits.approve_up_to,
            ]
            .map(plain),
            cumulative: entries
                .map(|entry| (place(entry.window), entry.above.base_units(), entry.tier))
                .collect(),
        }
    }
}

impl From<&AssetRule> for Numbers {
    fn from(rule: &AssetRule) -> Self {
        let plain = |amount: waiaas_shared::amount::Amount| Some(amount.base_units());
        let entries = rule.cumulative.iter();
        Self {
            per_transaction: plain(rule.per_transaction),
            windows: [rule.hour, rule.day, rule.week, rule.month].map(plain),
            counts: counts(rule.counts),
            up_to: [
                rule.instant_up_to,
                rule.notify_up_to,
                rule.delay_up_to,
                rule.approve_up_to,
            ]
            .map(plain),
            cumulative: entries
                .map(|entry| (place(entry.window), entry.above.base_units(), entry.tier))
                .collect(),
        }
    }
}

/// The names of a set of limits' violations.
pub(super) struct Names {
    pub(super) per_transaction: Code,
    pub(super) windows: [Code; 4],
    pub(super) counts: [Code; 4],
}

pub(super) const OF_ASSET: Names = Names {
    per_transaction: Code::PerTransactionLimit,
    windows: [
        Code::HourLimit,
        Code::DayLimit,
        Code::WeekLimit,
        Code::MonthLimit,
    ],
    counts: [
        Code::HourCount,
        Code::DayCount,
        Code::WeekCount,
        Code::MonthCount,
    ],
};
const OF_RECIPIENT: Names = Names {
    per_transaction: Code::RecipientLimit,
    windows: [Code::RecipientLimit; 4],
    counts: [Code::RecipientCount; 4],
};
pub(super) const IN_USD: Names = Names {
    per_transaction: Code::UsdLimit,
    windows: [Code::UsdLimit; 4],
    counts: [Code::PaymentCount; 4],
};

impl Numbers {
    /// Limits on amounts, and the tiers that amounts ask for.
    pub(super) fn amounts(
        &self,
        this: u128,
        spent: &dyn Fn(usize) -> Bounds,
        names: &Names,
        found: &mut Found,
    ) {
        let exactly = Bounds::exactly(this);
        self.capped(this, spent, names, found);
        let [instant, notify, delay, approve] = self.up_to;
        for (up_to, tier) in [
            (instant, Tier::Notify),
            (notify, Tier::Delay),
            (delay, Tier::Approval),
        ] {
            if let Some(up_to) = up_to {
                found.raise_above(exactly, up_to, tier);
            }
        }
        if let Some(most) = approve {
            found.limit(Code::TierNotAvailable, exactly, most);
        }
        for (window, above, tier) in &self.cumulative {
            found.raise_above(spent(*window).plus(exactly), *above, *tier);
        }
    }

    /// Limits on amounts alone.
    pub(super) fn capped(
        &self,
        this: u128,
        spent: &dyn Fn(usize) -> Bounds,
        names: &Names,
        found: &mut Found,
    ) {
        let exactly = Bounds::exactly(this);
        if let Some(most) = self.per_transaction {
            found.limit(names.per_transaction, exactly, most);
        }
        for (window, limit) in self.windows.into_iter().enumerate() {
            if let Some(most) = limit {
                found.limit(names.windows[window], spent(window).plus(exactly), most);
            }
        }
    }

    /// Limits on numbers of payments; this is so many more.
    pub(super) fn numbers(
        &self,
        more: u32,
        counted: &dyn Fn(usize) -> Bounds,
        names: &Names,
        found: &mut Found,
    ) {
        for (window, most) in self.counts.into_iter().enumerate() {
            if let Some(most) = most {
                let with = counted(window).plus(Bounds::exactly(more.into()));
                found.limit(names.counts[window], with, most.into());
            }
        }
    }
}

/// Judges one payment by one document.
pub(crate) fn judge(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    without: Option<usize>,
    now: Moment,
) -> Found {
    let mut found = Found::nothing(document.delay.millis());
    let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
    let sum = |window, value: &dyn Fn(&Charge) -> u128| {
        charges.sum(window, now.budget, without, &of_wallet, value)
    };
    for (asset, times) in asking.times() {
        let Some(rule) = document.assets.iter().find(|rule| rule.asset == asset) else {
            found.when(true, Code::AssetNotListed);
            continue;
        };
        let numbers = Numbers::from(rule);
        let total = asking.total(asset);
        let spent = |window| sum(window, &|charge| charge.of(asset));
        let counted = |window| sum(window, &|charge| charge.counts(asset));
        numbers.amounts(total, &spent, &OF_ASSET, &mut found);
        numbers.numbers(times, &counted, &OF_ASSET, &mut found);
        if let Some(cap) = rule.outstanding {
            let before = charges.outstanding(asking.wallet, asset);
            // Its own earlier charge is part of the sum, unless an attestation came between.
            let own = without.map(|place| charges.get(place));
            let own = own.filter(|own| !own.authorization);
            let own = own.map_or(0, |own| own.of(asset));
            // What was authorized is certainly over an hour after it was signed.
            let authorized = |charge: &Charge| of_wallet(charge) && charge.authorization;
            let lasts = charges.sum(0, now.budget, without, &authorized, &|charge| {
                charge.of(asset)
            });
            let sum = lasts.plus(Bounds {
                least: before.saturating_sub(own),
                most: before,
            });
            let with = sum.plus(Bounds::exactly(total));
            found.limit(Code::OutstandingCap, with, cap.base_units());
        }
    }
    costs(document, asking, &mut found);
    receivers(document, asking, charges, without, now, &mut found);
    calls::judge(document, asking, &mut found);
    programs::judge(document, asking, &mut found);
    scopes::judge(document, asking, charges, without, now, &mut found);
    found
}

/// Ceilings of fee and rent, and leave to sign without sending.
fn costs(document: &PolicyDocument, asking: &Asking, found: &mut Found) {
    let mut rules = document.assets.iter();
    let rule = rules.find(|rule| rule.asset == asking.native());
    if let Some(rule) = rule {
        let ceiling = rule.fee_ceiling.map_or(0, |most| most.base_units());
        found.when(asking.fee > ceiling, Code::FeeCeiling);
        let ceiling = rule.rent_ceiling.map_or(0, |most| most.base_units());
        found.when(asking.rent > ceiling, Code::RentCeiling);
    }
    let unsent = matches!(asking.chain, ChainId::Evm(_)) && !asking.submit;
    let leave = rule.is_some_and(|rule| rule.sign_only);
    found.when(unsent && !leave, Code::SessionSignOnly);
}

/// Judges a fee that pays nobody: ceiling, cap, and every limit on amounts.
pub(crate) fn judge_fee(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    now: Moment,
) -> Found {
    let mut found = Found::nothing(0);
    let asset = asking.native();
    if let Some(rule) = document.assets.iter().find(|rule| rule.asset == asset) {
        let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
        let of_asset = |charge: &Charge| charge.of(asset);
        let spent = |window| charges.sum(window, now.budget, None, &of_wallet, &of_asset);
        Numbers::from(rule).capped(asking.fee, &spent, &OF_ASSET, &mut found);
        let ceiling = rule.fee_ceiling.map_or(0, |most| most.base_units());
        found.when(asking.fee > ceiling, Code::FeeCeiling);
        if let Some(cap) = rule.outstanding {
            let before = charges.outstanding(asking.wallet, asset);
            let with = Bounds::exactly(before + asking.fee);
            found.limit(Code::OutstandingCap, with, cap.base_units());
        }
    } else {
        found.when(true, Code::AssetNotListed);
    }
    scopes::judge_fee(document, asking, charges, now, &mut found);
    found
}

/// Who may receive, for the first time or again, and how much.
fn receivers(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    without: Option<usize>,
    now: Moment,
    found: &mut Found,
) {
    for ((asset, to), (amount, times)) in asking.received() {
        let mut contacts = document.recipients.iter();
        let contact = contacts.any(|known| known.account == to);
        found.when(document.denied.contains(&to), Code::RecipientDenied);
        found.when(
            !contact && !document.recipients_open,
            Code::RecipientNotListed,
        );
        let first = !charges.has_paid(asking.wallet, to);
        found.first_payment |= first;
        if let (true, Some(tier)) = (first, document.first_payment) {
            found.raise(tier);
        }
        let mut rules = document.assets.iter();
        let rule = rules.find(|rule| rule.asset == asset);
        if let Some(limits) = rule.and_then(|rule| rule.recipient.as_ref()) {
            let numbers = Numbers::from(limits);
            let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
            let sum = |window, value: &dyn Fn(&Charge) -> u128| {
                charges.sum(window, now.budget, without, &of_wallet, value)
            };
            let spent = |window| sum(window, &|charge| charge.to(asset, to).0);
            let counted = |window| sum(window, &|charge| charge.to(asset, to).1.into());
            numbers.amounts(amount, &spent, &OF_RECIPIENT, found);
            numbers.numbers(times, &counted, &OF_RECIPIENT, found);
        }
    }
}
