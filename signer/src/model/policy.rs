//! One document's judgement of one payment. Knows transfers of a chain's own coin with a fee, which is
//! all that the decoders read so far.

use std::collections::BTreeSet;

use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::windows::Window;

use super::charges::{Bounds, Charge, Charges};
use super::scopes;

/// A payment that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asking {
    pub(crate) wallet: WalletId,
    pub(crate) session: SessionId,
    pub(crate) bearer: bool,
    pub(crate) to: AccountId,
    /// Base units of the chain's own coin.
    pub(crate) amount: u128,
    pub(crate) fee: u128,
    pub(crate) submit: bool,
}

impl Asking {
    pub(crate) const fn chain(&self) -> ChainId {
        self.to.chain()
    }

    pub(crate) const fn asset(&self) -> AssetId {
        self.chain().native_asset()
    }

    pub(crate) const fn total(&self) -> u128 {
        self.amount + self.fee
    }
}

/// When.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall: u64,
    pub(crate) run: u64,
    pub(crate) budget: u64,
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

    /// Limits on numbers of payments; this one is one more.
    pub(super) fn numbers(
        &self,
        counted: &dyn Fn(usize) -> Bounds,
        names: &Names,
        found: &mut Found,
    ) {
        for (window, most) in self.counts.into_iter().enumerate() {
            if let Some(most) = most {
                let with = counted(window).plus(Bounds::exactly(1));
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
    let mut found = Found {
        certain: BTreeSet::new(),
        possible: BTreeSet::new(),
        tier: (Tier::Instant, Tier::Instant),
        delay: document.delay.millis(),
        first_payment: false,
    };
    let (asset, budget) = (asking.asset(), now.budget);
    let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
    let sum = |window, of: &dyn Fn(&Charge) -> bool, value: &dyn Fn(&Charge) -> u128| {
        charges.sum(window, budget, without, of, value)
    };
    let rule = document.assets.iter().find(|rule| rule.asset == asset);
    let Some(rule) = rule else {
        found.when(true, Code::AssetNotListed);
        receivers(document, None, asking, charges, without, now, &mut found);
        found.when(unsent(asking), Code::SessionSignOnly);
        scopes::judge(document, asking, charges, without, now, &mut found);
        return found;
    };
    let numbers = Numbers::from(rule);
    let spent = |window| sum(window, &of_wallet, &|charge| charge.of(asset));
    let counted = |window| sum(window, &of_wallet, &|charge| charge.counts(asset));
    numbers.amounts(asking.total(), &spent, &OF_ASSET, &mut found);
    numbers.numbers(&counted, &OF_ASSET, &mut found);
    let ceiling = rule.fee_ceiling.map_or(0, |most| most.base_units());
    found.when(asking.fee > ceiling, Code::FeeCeiling);
    found.when(unsent(asking) && !rule.sign_only, Code::SessionSignOnly);
    if let Some(cap) = rule.outstanding {
        let before = charges.outstanding(asking.wallet, asking.chain());
        // Its own earlier charge is part of the sum, unless an attestation came between.
        let own = without.map_or(0, |place| charges.get(place).of(asset));
        let sum = Bounds {
            least: before.saturating_sub(own),
            most: before,
        };
        let cap = cap.base_units();
        found.limit(
            Code::OutstandingCap,
            sum.plus(Bounds::exactly(asking.total())),
            cap,
        );
    }
    let narrow = rule.recipient.as_ref();
    receivers(document, narrow, asking, charges, without, now, &mut found);
    scopes::judge(document, asking, charges, without, now, &mut found);
    found
}

/// Judges a fee that pays nobody: ceiling, cap, and every limit on amounts.
pub(crate) fn judge_fee(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    now: Moment,
) -> Found {
    let mut found = Found {
        certain: BTreeSet::new(),
        possible: BTreeSet::new(),
        tier: (Tier::Instant, Tier::Instant),
        delay: 0,
        first_payment: false,
    };
    let asset = asking.asset();
    if let Some(rule) = document.assets.iter().find(|rule| rule.asset == asset) {
        let of_wallet = |charge: &Charge| charge.wallet == asking.wallet;
        let of_asset = |charge: &Charge| charge.of(asset);
        let spent = |window| charges.sum(window, now.budget, None, &of_wallet, &of_asset);
        Numbers::from(rule).capped(asking.fee, &spent, &OF_ASSET, &mut found);
        let ceiling = rule.fee_ceiling.map_or(0, |most| most.base_units());
        found.when(asking.fee > ceiling, Code::FeeCeiling);
        if let Some(cap) = rule.outstanding {
            let before = charges.outstanding(asking.wallet, asking.chain());
            let with = Bounds::exactly(before + asking.fee);
            found.limit(Code::OutstandingCap, with, cap.base_units());
        }
    } else {
        found.when(true, Code::AssetNotListed);
    }
    scopes::judge_fee(document, asking, charges, now, &mut found);
    found
}

const fn unsent(asking: &Asking) -> bool {
    matches!(asking.chain(), ChainId::Evm(_)) && !asking.submit
}

/// Who may receive, for the first time or again, and how much.
fn receivers(
    document: &PolicyDocument,
    narrow: Option<&Limits>,
    asking: &Asking,
    charges: &Charges,
    without: Option<usize>,
    now: Moment,
    found: &mut Found,
) {
    let contact = document
        .recipients
        .iter()
        .any(|known| known.account == asking.to);
    found.when(document.denied.contains(&asking.to), Code::RecipientDenied);
    found.when(
        !contact && !document.recipients_open,
        Code::RecipientNotListed,
    );
    found.first_payment = !charges.has_paid(asking.wallet, asking.to);
    if let (true, Some(tier)) = (found.first_payment, document.first_payment) {
        found.raise(tier);
    }
    if let Some(limits) = narrow {
        let numbers = Numbers::from(limits);
        let asset = asking.asset();
        let to_them = |charge: &Charge| {
            charge.wallet == asking.wallet && (charge.paid.0, charge.paid.1) == (asset, asking.to)
        };
        let sum = |window, value: &dyn Fn(&Charge) -> u128| {
            charges.sum(window, now.budget, without, &to_them, value)
        };
        let spent = |window| sum(window, &|charge| charge.paid.2);
        numbers.amounts(asking.amount, &spent, &OF_RECIPIENT, found);
        numbers.numbers(&|window| sum(window, &Charge::once), &OF_RECIPIENT, found);
    }
}
