//! What scopes narrow: each over the charges that lie below it.

use waiaas_shared::caip::AssetId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{Hours, Scope, ScopeRule};

use super::charges::{Bounds, Charge, Charges};
use super::policy::{Asking, Found, IN_USD, Moment, Numbers, OF_ASSET};
use super::{DAY, MINUTE};

/// Over what a scope counts.
enum Below {
    Everything,
    Wallets(Vec<WalletId>),
    ThisSession,
}

impl Below {
    /// None if the scope does not hold for the payment.
    fn of(scope: &Scope, document: &PolicyDocument, asking: &Asking) -> Option<Self> {
        match scope {
            Scope::Global => Some(Self::Everything),
            Scope::Pool(name) => {
                let pool = document.pools.iter().find(|pool| pool.name == *name)?;
                let member = pool.wallets.contains(&asking.wallet);
                member.then(|| Self::Wallets(pool.wallets.clone()))
            }
            Scope::Wallet(wallet) => {
                (*wallet == asking.wallet).then(|| Self::Wallets(vec![*wallet]))
            }
            Scope::EverySession => Some(Self::ThisSession),
            Scope::Session(session) => (*session == asking.session).then_some(Self::ThisSession),
            Scope::BearerSessions => asking.bearer.then_some(Self::ThisSession),
        }
    }

    fn holds(&self, charge: &Charge, asking: &Asking) -> bool {
        match self {
            Self::Everything => true,
            Self::Wallets(wallets) => wallets.contains(&charge.wallet),
            Self::ThisSession => charge.session == asking.session,
        }
    }
}

pub(super) fn judge(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    without: Option<usize>,
    now: Moment,
    found: &mut Found,
) {
    for rule in &document.scopes {
        let Some(below) = Below::of(&rule.scope, document, asking) else {
            continue;
        };
        let of = |charge: &Charge| below.holds(charge, asking);
        lists(document, rule, asking, found);
        if let Some(hours) = &rule.hours {
            let open = |wall| hours.iter().any(|hours| are_open(hours, wall));
            let both = open(now.wall) && open(now.steady);
            found.when(!both, Code::OutsideHours);
        }
        if let (Some(pause), Some(last)) = (rule.cool_down, charges.last(without, &of))
            && now.budget - last < pause.millis()
        {
            // Of what was paid before a payment that is asked for again only the newest is known.
            let set = if without.is_some() {
                &mut found.possible
            } else {
                &mut found.certain
            };
            set.insert(Code::CoolDown);
        }
        for (asset, times) in asking.times() {
            let Some(entry) = rule.limits.iter().find(|entry| entry.asset == asset) else {
                continue;
            };
            let numbers = Numbers::from(&entry.limits);
            let sum = |window, value: &dyn Fn(&Charge) -> u128| {
                charges.sum(window, now.budget, without, &of, value)
            };
            let spent = |window| sum(window, &|charge| charge.of(asset));
            numbers.amounts(asking.total(asset), &spent, &OF_ASSET, found);
            let counted = |window| sum(window, &|charge| charge.counts(asset));
            numbers.numbers(times, &counted, &OF_ASSET, found);
        }
        if let Some(limits) = &rule.usd {
            let by_wallet = !matches!(below, Below::ThisSession);
            let case = (asking, charges, without, now);
            in_usd(document, limits, (&of, by_wallet), case, found);
        }
        if let (true, Some(tier)) = (found.first_payment, rule.first_payment) {
            found.raise(tier);
        }
        found.delay = found
            .delay
            .max(rule.delay.map_or(0, |delay| delay.millis()));
    }
}

/// A fee that pays nobody: every limit on amounts of every scope that holds.
pub(super) fn judge_fee(
    document: &PolicyDocument,
    asking: &Asking,
    charges: &Charges,
    now: Moment,
    found: &mut Found,
) {
    let asset = asking.native();
    for rule in &document.scopes {
        let Some(below) = Below::of(&rule.scope, document, asking) else {
            continue;
        };
        let of = |charge: &Charge| below.holds(charge, asking);
        if let Some(entry) = rule.limits.iter().find(|entry| entry.asset == asset) {
            let of_asset = |charge: &Charge| charge.of(asset);
            let spent = |window| charges.sum(window, now.budget, None, &of, &of_asset);
            Numbers::from(&entry.limits).capped(asking.fee, &spent, &OF_ASSET, found);
        }
        if let Some(limits) = &rule.usd {
            let mut all = Found {
                certain: Default::default(),
                possible: Default::default(),
                ..found.clone()
            };
            let by_wallet = !matches!(below, Below::ThisSession);
            let case = (asking, charges, None, now);
            in_usd(document, limits, (&of, by_wallet), case, &mut all);
            // Counts and tiers say nothing of it.
            let amounts = |code: &Code| matches!(code, Code::UsdLimit | Code::UsdPriceMissing);
            found
                .certain
                .extend(all.certain.iter().filter(|code| amounts(code)));
            found
                .possible
                .extend(all.possible.iter().filter(|code| amounts(code)));
        }
    }
}

fn lists(document: &PolicyDocument, rule: &ScopeRule, asking: &Asking, found: &mut Found) {
    if let Some(networks) = &rule.networks {
        found.when(!networks.contains(&asking.chain), Code::NetworkNotAllowed);
    }
    if let Some(assets) = &rule.assets {
        let mut parts = asking.parts.iter();
        let listed = parts.all(|part| assets.contains(&part.asset));
        found.when(!listed, Code::AssetNotAllowed);
    }
    if let Some(names) = &rule.recipients {
        // Who is called is restricted as who is paid.
        let all = asking.parts.iter().all(|part| {
            let mut contacts = document.recipients.iter();
            contacts.any(|known| known.account == part.to && names.contains(&known.name))
        });
        found.when(!all, Code::RecipientNotAllowed);
    }
}

/// Amounts in millionths of a US dollar by the document's own prices, each wallet's (or the session's)
/// sum of each asset rounded up; counts over payments in whatever asset.
fn in_usd(
    document: &PolicyDocument,
    limits: &Limits,
    (of, by_wallet): (&dyn Fn(&Charge) -> bool, bool),
    (asking, charges, without, now): (&Asking, &Charges, Option<usize>, Moment),
    found: &mut Found,
) {
    let numbers = Numbers::from(limits);
    let payments = |window| charges.sum(window, now.budget, without, of, &Charge::once);
    numbers.numbers(asking.made(), &payments, &IN_USD, found);
    let counts_only = Numbers {
        counts: numbers.counts,
        ..Numbers::default()
    };
    if numbers == counts_only {
        return;
    }
    let worth = |asset: AssetId, amount: u128| {
        let rule = document.assets.iter().find(|rule| rule.asset == asset)?;
        let unit = 10_u128.pow(rule.decimals.places().into());
        Some((amount * u128::from(rule.price?.0)).div_ceil(unit))
    };
    let sums = asking.sums();
    for asset in sums.keys() {
        found.when(worth(*asset, 1).is_none(), Code::UsdPriceMissing);
    }
    let mut priced = Vec::new();
    for (wallet, asset) in charges.kinds(of, by_wallet) {
        let part = move |charge: &Charge| {
            of(charge) && wallet.is_none_or(|wallet| charge.wallet == wallet)
        };
        if worth(asset, 1).is_some() {
            priced.push((part, asset));
        } else {
            let month = charges.sum(3, now.budget, without, &part, &|charge| charge.of(asset));
            found.limit(Code::UsdPriceMissing, month, 0);
        }
    }
    let spent = |window| {
        let mut bounds = Bounds::default();
        for (part, asset) in &priced {
            let sum = charges.sum(window, now.budget, without, part, &|charge| {
                charge.of(*asset)
            });
            bounds = bounds.plus(sum.map(|sum| worth(*asset, sum).unwrap_or_default()));
        }
        bounds
    };
    let these = sums
        .iter()
        .filter_map(|(asset, total)| worth(*asset, *total));
    let this = these.sum();
    numbers.amounts(this, &spent, &IN_USD, found);
}

/// A part of the week, days from Monday, minutes of a day at the hours' own place.
pub(crate) fn are_open(hours: &Hours, wall: u64) -> bool {
    let minutes = i64::try_from(wall / MINUTE).expect("a time") + i64::from(hours.utc_offset);
    let day_minutes = i64::try_from(DAY / MINUTE).expect("small");
    let (day, minute) = (minutes / day_minutes, minutes % day_minutes);
    // Day 0 was a Thursday, the fourth of its week.
    let weekday = (day + 3) % 7;
    hours.days >> weekday & 1 == 1
        && minute >= i64::from(hours.from)
        && minute < i64::from(hours.to)
}
