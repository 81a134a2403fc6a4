//! Policies by chance: a first one, and what an owner could make of it, in few points each, since an
//! owner is asked to read every loosening.

use waiaas_shared::address::EvmAddress;
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::authorization::TokenDomain;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, WalletId};
use waiaas_shared::policy::alarm::{Action, Alarm, Condition, Escalation, Remedy};
use waiaas_shared::policy::document::{
    AssetRule, AuthorizationRule, PolicyDocument, Recipient, UsdPrice,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Cumulative, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Hours, Pool, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;
use waiaas_shared::time::Millis;

use super::{functions, programs};
use crate::model::people::{EVM, account, solana, token_on};
use crate::model::random::Random;
use crate::model::{DAY, HOUR, MINUTE};

/// What a document may name.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) wallets: Vec<WalletId>,
    pub(super) sessions: Vec<SessionId>,
    /// Addresses of wallets on EVM chains, which are no contracts.
    pub(super) addresses: Vec<EvmAddress>,
}

const fn units(amount: u64) -> Amount {
    Amount::from_base_units(amount as u128)
}

fn some<T: Copy>(random: &mut Random, of: &[T]) -> T {
    random.pick(of).expect("not empty")
}

/// Amounts that do not fall.
fn rising<const N: usize>(random: &mut Random, of: &[u64]) -> [Amount; N] {
    let mut picked = [0; N];
    picked.fill_with(|| some(random, of));
    picked.sort_unstable();
    picked.map(units)
}

/// The policy that a run begins with: wide, with what one kind of run is about.
pub(super) fn first(kind: u64, names: &Names) -> PolicyDocument {
    let mut random = Random::new(kind);
    let chains = [solana(), EVM];
    let assets = chains.map(|chain| [chain.native_asset(), token_on(chain)]);
    let assets = assets.into_iter().flatten().map(|asset| {
        let evm = asset.chain() == EVM;
        let native = asset == asset.chain().native_asset();
        let rule = AssetRule {
            per_transaction: units(500_000),
            hour: units(1_000_000),
            day: units(1_500_000),
            week: units(2_500_000),
            month: units(5_000_000),
            instant_up_to: units(60_000),
            notify_up_to: units(120_000),
            delay_up_to: units(250_000),
            approve_up_to: units(500_000),
            fee_ceiling: native.then_some(units(50_000)),
            outstanding: evm.then_some(units(4_000_000)),
            authorization: (evm && !native && kind % 8 != 7).then(|| authorization("2", 300)),
            price: Some(UsdPrice(2_500_000)),
            counts: Counts {
                hour: (kind % 8 == 5).then_some(2),
                ..Counts::default()
            },
            cumulative: if kind.is_multiple_of(3) {
                vec![Cumulative {
                    window: Window::Day,
                    above: units(300_000),
                    tier: Tier::Approval,
                }]
            } else {
                Vec::new()
            },
            ..AssetRule::closed(asset, "COIN", Decimals::new(5).expect("in range"))
        };
        match (native && !evm, kind % 4) {
            (true, 1) => wide(rule),
            (true, 0) => AssetRule {
                rent_ceiling: Some(units(2_100_000)),
                ..rule
            },
            _ => rule,
        }
    });
    let contacts = chains
        .into_iter()
        .flat_map(|chain| [0, 1].map(|which| (chain, which)));
    let mut document = PolicyDocument {
        assets: assets.collect(),
        recipients: contacts
            .map(|(chain, which)| contact(chain, which))
            .collect(),
        pools: vec![Pool {
            name: "ops".to_owned(),
            wallets: names.wallets.iter().take(2).copied().collect(),
        }],
        ..PolicyDocument::closed(1)
    };
    for which in 0..functions::REGISTERED {
        let rule = functions::rule(&mut random, which, None, true);
        document.calls.push(rule);
    }
    // One of the methods: of both an owner could not be asked at once.
    let which = usize::try_from(kind).expect("small");
    let rule = programs::rule(&mut random, which, true);
    document.calls.push(rule);
    register(&mut document, names, &mut random);
    if kind % 4 == 3 {
        document.alarms.push(Alarm {
            condition: Condition::Velocity {
                times: 2,
                window: Millis::from_millis(HOUR),
            },
            remedy: if kind % 8 == 3 {
                Remedy::Tell
            } else {
                Remedy::PauseWallet
            },
        });
    }
    for _ in 0..kind % 4 {
        change(&mut document, names, &mut random);
    }
    if kind % 5 == 4 {
        let rest = ScopeRule {
            cool_down: Some(Millis::from_millis(MINUTE)),
            ..ScopeRule::new(Scope::Wallet(names.wallets[0]))
        };
        document.scopes.retain(|rule| rule.scope != rest.scope);
        document.scopes.push(rest);
    }
    document.sort();
    document
}

/// So much of a chain's coin that accounts of recipients can be paid for.
fn wide(rule: AssetRule) -> AssetRule {
    AssetRule {
        per_transaction: units(5_000_000),
        hour: units(10_000_000),
        day: units(15_000_000),
        week: units(25_000_000),
        month: units(50_000_000),
        instant_up_to: units(3_000_000),
        notify_up_to: units(3_500_000),
        delay_up_to: units(4_500_000),
        approve_up_to: units(5_000_000),
        cumulative: Vec::new(),
        rent_ceiling: Some(units(4_100_000)),
        ..rule
    }
}

/// How much larger the amounts of an asset are than most.
fn scale(rule: &AssetRule) -> u64 {
    if rule.per_transaction > units(1_000_000) {
        10
    } else {
        1
    }
}

/// A method of a program is registered, in one way or another, or is not any more.
fn register_program(document: &mut PolicyDocument, random: &mut Random) {
    let listed = |asset: AssetId| document.assets.iter().any(|rule| rule.asset == asset);
    if !listed(solana().native_asset()) {
        return;
    }
    let which = usize::from(random.once_in(3));
    let fresh = programs::rule(random, which, listed(token_on(solana())));
    let mut calls = document.calls.iter();
    let known = calls.position(|rule| (rule.target, &rule.method) == (fresh.target, &fresh.method));
    match known {
        Some(known) if random.once_in(4) => drop(document.calls.remove(known)),
        Some(known) => document.calls[known] = fresh,
        None => document.calls.push(fresh),
    }
}

/// A function is registered, in one way or another, or is not any more.
fn register(document: &mut PolicyDocument, names: &Names, random: &mut Random) {
    let listed = |asset: AssetId| document.assets.iter().any(|rule| rule.asset == asset);
    if !listed(EVM.native_asset()) {
        return;
    }
    let which = usize::try_from(random.below(3)).expect("small");
    let wallet = names.addresses.first().copied();
    let wallet = wallet.filter(|_| random.once_in(4));
    let fresh = functions::rule(random, which, wallet, listed(token_on(EVM)));
    let mut calls = document.calls.iter();
    let known = calls.position(|rule| (rule.target, &rule.method) == (fresh.target, &fresh.method));
    match known {
        Some(known) if random.once_in(3) => drop(document.calls.remove(known)),
        Some(known) => document.calls[known] = fresh,
        None => document.calls.push(fresh),
    }
}

/// That the token may be moved by authorization.
fn authorization(version: &str, seconds: u64) -> AuthorizationRule {
    AuthorizationRule {
        domain: TokenDomain {
            name: "Test Coin".to_owned(),
            version: version.to_owned(),
        },
        valid_for: Millis::from_secs(seconds),
    }
}

fn contact(chain: ChainId, which: u8) -> Recipient {
    Recipient {
        account: account(chain, which),
        name: format!("contact-{which}"),
    }
}

/// The next document, in one or two points.
pub(super) fn next(
    before: &PolicyDocument,
    epoch: u64,
    names: &Names,
    seed: u64,
) -> PolicyDocument {
    let mut random = Random::new(seed);
    let mut document = before.clone();
    document.epoch = epoch;
    for _ in 0..random.between(1, 2) {
        change(&mut document, names, &mut random);
    }
    document.sort();
    document
}

fn change(document: &mut PolicyDocument, names: &Names, random: &mut Random) {
    let place = usize::try_from(random.below(4)).expect("small");
    let asset = place % document.assets.len().max(1);
    match random.below(33) {
        31 | 32 => register_program(document, random),
        29 | 30 => {
            let mut rules = document.assets.iter_mut();
            if let Some(rule) = rules.find(|rule| rule.asset == token_on(EVM)) {
                let version = if random.once_in(4) { "1" } else { "2" };
                let rules = some(random, &[None, Some(60), Some(300), Some(900), Some(900)]);
                rule.authorization = rules.map(|seconds| authorization(version, seconds));
            }
        }
        23..=27 => register(document, names, random),
        28 => {
            let mut rules = document.assets.iter_mut();
            let native = solana().native_asset();
            if let Some(rule) = rules.find(|rule| rule.asset == native) {
                let most = [None, Some(2_039_280), Some(2_039_279), Some(4_100_000)];
                rule.rent_ceiling = some(random, &most).map(units);
            }
        }
        0 => document.maturity = Millis::from_millis(some(random, &[0, HOUR, DAY, 2 * DAY])),
        1 => {
            document.delay = Millis::from_millis(some(random, &[0, MINUTE, 15 * MINUTE, 2 * HOUR]));
        }
        2 => {
            document.approval.quorum = some(random, &[1, 1, 2]);
            document.approval.lifetime =
                Millis::from_millis(some(random, &[10 * MINUTE, 12 * HOUR, 4 * DAY]));
        }
        3 => document.release_within = Millis::from_millis(some(random, &[MINUTE, HOUR, 4 * DAY])),
        4 => document.recipients_open = random.once_in(2),
        5 => {
            document.first_payment = some(random, &[None, Some(Tier::Delay), Some(Tier::Approval)])
        }
        6 => {
            let denied = account(some(random, &[EVM, solana()]), 3);
            if document.denied.contains(&denied) {
                document.denied.clear();
            } else {
                document.denied.push(denied);
            }
        }
        7 => {
            let entry = contact(some(random, &[EVM, solana()]), 1);
            let known = document.recipients.contains(&entry);
            if known {
                document.recipients.retain(|one| *one != entry);
                for scope in &mut document.scopes {
                    scope.recipients = None;
                }
                let empty = |scope: &ScopeRule| *scope == ScopeRule::new(scope.scope.clone());
                document.scopes.retain(|scope| !empty(scope));
            } else {
                document.recipients.push(entry);
            }
        }
        8 => {
            let code = some(
                random,
                &[
                    Code::PerTransactionLimit,
                    Code::HourLimit,
                    Code::DayLimit,
                    Code::RecipientNotListed,
                    Code::UsdLimit,
                    Code::HourCount,
                ],
            );
            if document.escalations.iter().any(|one| one.code == code) {
                document.escalations.retain(|one| one.code != code);
            } else {
                let actions = [
                    Action::Ask,
                    Action::Ask,
                    Action::Tell,
                    Action::SuspendSession,
                ];
                let action = some(random, &actions);
                document.escalations.push(Escalation { code, action });
            }
        }
        22 if random.once_in(3) => {
            let after = some(random, &[None, Some(3 * DAY), Some(20 * DAY)]);
            document.dead_man = after.map(Millis::from_millis);
        }
        22 => {
            let alarm = alarm(random);
            if document.alarms.contains(&alarm) {
                document.alarms.clear();
            } else {
                document.alarms.push(alarm);
            }
        }
        9..=14 => {
            if let Some(rule) = document.assets.get_mut(asset) {
                asset_rule(rule, random);
            }
        }
        15 if random.once_in(4) && document.scopes.is_empty() && document.assets.len() > 1 => {
            document.assets.remove(asset);
            let listed: Vec<AssetId> = document.assets.iter().map(|rule| rule.asset).collect();
            document.calls.retain(|rule| {
                let rules = rule.function.iter().flat_map(|it| &it.arguments);
                let spends = rules.filter_map(|rule| rule.spends);
                let programs = rule.program.iter();
                let leaves = programs.flat_map(|it| {
                    let fields = it.fields.iter().filter_map(|rule| rule.spends);
                    it.outflow.iter().map(|one| one.asset).chain(fields)
                });
                let native = rule.target.chain().native_asset();
                let mut named = spends.chain(leaves).chain([native]);
                named.all(|one| listed.contains(&one))
            });
        }
        _ => scope(document, names, random),
    }
}

fn asset_rule(rule: &mut AssetRule, random: &mut Random) {
    let scale = scale(rule);
    let native = rule.asset == rule.asset.chain().native_asset();
    let small = [0, 25_000, 60_000, 100_000, 150_000, 250_000, 500_000].map(|one| one * scale);
    match random.below(8) {
        0 | 1 => {
            let [instant, notify, delay, approve] = rising(random, &small);
            rule.instant_up_to = instant;
            rule.notify_up_to = notify.min(rule.per_transaction);
            rule.instant_up_to = rule.instant_up_to.min(rule.notify_up_to);
            rule.delay_up_to = delay.min(rule.per_transaction);
            rule.approve_up_to = approve.min(rule.per_transaction);
        }
        2 | 3 => {
            let windows = [500_000, 700_000, 1_000_000, 1_400_000, 2_000_000, 6_000_000];
            let windows = windows.map(|one| one * scale);
            let [hour, day, week, month] = rising(random, &windows);
            (rule.hour, rule.day, rule.week, rule.month) = (hour, day, week, month);
        }
        4 => {
            let [hour, day, week, month] = small_counts(random);
            rule.counts = Counts {
                hour,
                day,
                week,
                month,
            };
        }
        5 => rule.cumulative = cumulative(random, 600_000 * scale),
        6 => {
            rule.recipient =
                some(random, &[false, true, true]).then(|| limits(random, 300_000 * scale));
        }
        _ => {
            if native {
                rule.fee_ceiling = some(random, &[None, Some(21_000), Some(20_999), Some(50_000)])
                    .map(units)
                    .or(Some(units(60_000)).filter(|_| random.once_in(2)));
            }
            if rule.outstanding.is_some() {
                rule.outstanding = Some(units(some(random, &[300_000, 800_000, 4_000_000])));
                rule.sign_only = native && random.once_in(2);
            }
            rule.price =
                some(random, &[None, Some(2_500_000), Some(1), Some(3_333_333)]).map(UsdPrice);
        }
    }
}

fn small_counts(random: &mut Random) -> [Option<u32>; 4] {
    let mut picked = [2, 3, 4, 6].map(|most| {
        let count = u32::try_from(random.between(1, most)).expect("small");
        (random.once_in(2)).then_some(count)
    });
    // Present counts rise.
    let mut floor = 0;
    for count in picked.iter_mut().flatten() {
        *count = (*count).max(floor);
        floor = *count;
    }
    picked
}

fn cumulative(random: &mut Random, most: u64) -> Vec<Cumulative> {
    let window = some(
        random,
        &[Window::Hour, Window::Day, Window::Week, Window::Month],
    );
    let tier = some(random, &[Tier::Notify, Tier::Delay, Tier::Approval]);
    let above = units(random.below(most));
    let entry = Cumulative {
        window,
        above,
        tier,
    };
    if random.once_in(4) {
        Vec::new()
    } else {
        vec![entry]
    }
}

/// Some limits, in base units or in millionths of a dollar.
fn limits(random: &mut Random, scale: u64) -> Limits {
    let steps = [scale / 4, scale / 2, scale, scale * 2, scale * 3];
    let mut limits = Limits::default();
    match random.below(5) {
        0 => limits.per_transaction = Some(units(some(random, &steps))),
        1 => {
            let [hour, day] = rising(random, &steps);
            (limits.hour, limits.day) = (Some(hour), Some(day));
        }
        2 => {
            let [week, month] = rising(random, &steps);
            (limits.week, limits.month) = (Some(week), Some(month));
        }
        3 => {
            let [notify, delay] = rising(random, &steps);
            limits.notify_up_to = Some(notify);
            limits.delay_up_to = Some(delay);
        }
        _ => limits.cumulative = cumulative(random, scale * 2),
    }
    if random.once_in(3) {
        limits.counts.day = Some(u32::try_from(random.between(1, 5)).expect("small"));
    }
    if limits == Limits::default() {
        limits.counts.hour = Some(3);
    }
    limits
}

fn scope(document: &mut PolicyDocument, names: &Names, random: &mut Random) {
    let scopes = [
        Scope::Global,
        Scope::Pool("ops".to_owned()),
        Scope::Wallet(some(random, &names.wallets)),
        Scope::EverySession,
        Scope::BearerSessions,
        names
            .sessions
            .first()
            .map_or(Scope::Global, |id| Scope::Session(*id)),
    ];
    let place = usize::try_from(random.below(6)).expect("small");
    let wanted = scopes[place].clone();
    let known = document.scopes.iter().position(|rule| rule.scope == wanted);
    if let Some(known) = known
        && random.once_in(2)
    {
        document.scopes.remove(known);
        return;
    }
    let mut rule = known.map_or_else(
        || ScopeRule::new(wanted.clone()),
        |known| document.scopes.remove(known),
    );
    let assets: Vec<_> = document.assets.iter().map(|rule| rule.asset).collect();
    match random.below(10) {
        9 => {
            let mut listed = assets.clone();
            listed.retain(|_| random.once_in(2));
            rule.assets = (!listed.is_empty()).then_some(listed);
        }
        0..=2 => {
            if let Some(asset) = random.pick(&assets) {
                let mut rules = document.assets.iter();
                let scale = rules.find(|rule| rule.asset == asset).map_or(1, scale);
                let limits = limits(random, 400_000 * scale);
                rule.limits = vec![AssetLimits { asset, limits }];
            }
        }
        3 | 4 => rule.usd = Some(limits(random, 8_000_000)),
        5 => {
            rule.networks = Some(vec![some(random, &[EVM, solana()])]);
        }
        6 => {
            rule.recipients = document
                .recipients
                .iter()
                .any(|one| one.name == "contact-0")
                .then(|| vec!["contact-0".to_owned()]);
        }
        7 => {
            let from = some(random, &[0, 480, 720]);
            let to = some(random, &[960, 1320, 1440]);
            rule.hours = Some(vec![Hours {
                utc_offset: some(random, &[0, 540, -300]),
                days: some(random, &[0x7f, 0x1f, 0x60]),
                from,
                to,
            }]);
        }
        _ => match random.below(3) {
            0 => {
                rule.cool_down = Some(Millis::from_millis(some(
                    random,
                    &[1_000, MINUTE, 2 * HOUR],
                )));
            }
            1 => rule.delay = Some(Millis::from_millis(some(random, &[MINUTE, HOUR, 3 * HOUR]))),
            _ => rule.first_payment = Some(some(random, &[Tier::Delay, Tier::Approval])),
        },
    }
    if rule != ScopeRule::new(wanted) {
        document.scopes.push(rule);
    }
}

/// Something to be alarmed about: mostly refusals that suspend, payments that pause.
fn alarm(random: &mut Random) -> Alarm {
    let count = u32::try_from(random.between(2, 4)).expect("small");
    let millis = |random: &mut Random, of: &[u64]| Millis::from_millis(some(random, of));
    let condition = match random.below(8) {
        0 | 1 => Condition::DenialsInARow { count },
        2 => Condition::Signatures {
            count,
            window: millis(random, &[10 * MINUTE, HOUR, 5 * HOUR, 3 * DAY]),
        },
        3 => Condition::OutsideHours {
            hours: vec![Hours {
                utc_offset: some(random, &[0, 540, -300]),
                days: some(random, &[0x7f, 0x1f, 0x60]),
                from: some(random, &[0, 480]),
                to: some(random, &[960, 1440]),
            }],
        },
        4 => Condition::OpenPayments { count },
        5 | 6 => Condition::Velocity {
            times: u32::try_from(random.between(1, 4)).expect("small"),
            window: millis(random, &[MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, DAY]),
        },
        _ => Condition::Idle {
            after: millis(random, &[HOUR, DAY, 8 * DAY]),
        },
    };
    let remedies: &[Remedy] = match condition {
        Condition::DenialsInARow { .. } => {
            &[Remedy::Tell, Remedy::SuspendSession, Remedy::SuspendSession]
        }
        Condition::Idle { .. } => &[Remedy::Tell, Remedy::PauseWallet],
        _ => &[
            Remedy::Tell,
            Remedy::Tell,
            Remedy::SuspendSession,
            Remedy::PauseWallet,
            Remedy::Kill,
        ],
    };
    let remedy = some(random, remedies);
    Alarm { condition, remedy }
}
