//! What holds for all documents: no input panics, and one more scope never lets more pass.

use proptest::prelude::*;

use super::*;
use crate::address::SolanaAddress;
use crate::solana::{StakeAccount, Staking};

fn any_amount() -> impl Strategy<Value = u128> {
    prop_oneof![any::<u128>(), 0_u128..200, Just(u128::MAX)]
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let amounts = prop::collection::vec(prop::option::of(0_u128..300), 9);
    let counts = prop::collection::vec(prop::option::of(1_u32..4), 4);
    let cumulative = prop::option::of((0_u128..200, 1_usize..4, 0_usize..4));
    (amounts, counts, cumulative).prop_map(|(amounts, counts, cumulative)| {
        let mut present: Vec<u128> = amounts.iter().flatten().copied().collect();
        present.sort_unstable();
        let mut present = present.into_iter();
        let mut next = |place: usize| amounts[place].and_then(|_| present.next()).map(units);
        let mut some: Vec<u32> = counts.iter().flatten().copied().collect();
        some.sort_unstable();
        let mut some = some.into_iter();
        let mut count = |place: usize| counts[place].and_then(|_| some.next());
        Limits {
            instant_up_to: next(0),
            notify_up_to: next(1),
            delay_up_to: next(2),
            approve_up_to: next(3),
            per_transaction: next(4),
            hour: next(5),
            day: next(6),
            week: next(7),
            month: next(8),
            counts: Counts {
                hour: count(0),
                day: count(1),
                week: count(2),
                month: count(3),
            },
            cumulative: cumulative
                .map(|(above, tier, window)| Cumulative {
                    window: Window::ALL[window],
                    above: units(above),
                    tier: Tier::ALL[tier],
                })
                .into_iter()
                .collect(),
        }
    })
}

fn any_scope() -> impl Strategy<Value = ScopeRule> {
    let scope = prop::sample::select(vec![
        Scope::Global,
        Scope::Pool("ops".to_owned()),
        Scope::Wallet(PAYER),
        Scope::Wallet(OTHER),
        Scope::EverySession,
        Scope::Session(SESSION),
        Scope::BearerSessions,
    ]);
    let lists = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let times = (
        prop::option::of((0_u16..1440, 1_u8..128)),
        prop::option::of(1_u64..2_000_000),
        prop::option::of(0_u64..9_000_000),
        prop::option::of(1_usize..4),
    );
    (
        scope,
        prop::option::of(any_limits()),
        prop::option::of(any_limits()),
        lists,
        times,
    )
        .prop_map(
            |(scope, limits, usd, lists, (hours, pause, delay, first))| ScopeRule {
                limits: limits
                    .map(|limits| AssetLimits {
                        asset: native(),
                        limits,
                    })
                    .into_iter()
                    .collect(),
                usd,
                networks: lists
                    .0
                    .then(|| vec![if lists.1 { chain() } else { ChainId::Evm(1) }]),
                assets: lists.2.then(|| vec![native()]),
                recipients: lists.3.then(|| vec!["hosting".to_owned()]),
                hours: hours.map(|(from, days)| {
                    vec![Hours {
                        utc_offset: 0,
                        days,
                        from,
                        to: 1440,
                    }]
                }),
                cool_down: pause.map(Millis::from_millis),
                delay: delay.map(Millis::from_millis),
                first_payment: first.map(|tier| Tier::ALL[tier]),
                ..ScopeRule::new(scope)
            },
        )
}

fn any_effects() -> impl Strategy<Value = Vec<Effect>> {
    let account = || {
        prop::sample::select(vec![LISTED, STRANGER, "11111111111111111111111111111111"])
            .prop_map(to)
    };
    let asset = || {
        prop::sample::select(vec![
            native(),
            ChainId::Evm(1).native_asset(),
            "solana:localnet/slip44:501".parse().expect("an asset"),
        ])
    };
    let amount = || any_amount().prop_map(units);
    let effect = prop_oneof![
        4 => (account(), 0_u128..120).prop_map(|(to, amount)| Effect::Transfer {
            asset: native(),
            to,
            amount: units(amount),
        }),
        1 => (asset(), account(), amount())
            .prop_map(|(asset, to, amount)| Effect::Transfer { asset, to, amount }),
        1 => (asset(), amount()).prop_map(|(asset, max)| Effect::Fee { asset, max }),
        1 => (asset(), account(), amount())
            .prop_map(|(asset, spender, amount)| Effect::Approval { asset, spender, amount }),
        1 => (asset(), amount()).prop_map(|(asset, amount)| Effect::Rent { asset, amount }),
        1 => (account(), prop::collection::vec(any::<u8>(), 0..20), asset(), amount())
            .prop_map(|(target, method, asset, value)| Effect::Call { target, method, asset, value, told: None }),
        1 => (asset(), amount(), 0..3_u8).prop_map(|(asset, amount, kind)| {
            let wallet = SolanaAddress::from_bytes([1; 32]);
            let validator = SolanaAddress::from_bytes([0; 32]);
            Effect::Stake {
                asset,
                account: StakeAccount::of(wallet, "june-1".parse().expect("a seed")),
                staking: match kind {
                    0 => Staking::Delegate { validator, amount },
                    1 => Staking::Deactivate,
                    _ => Staking::Withdraw { amount },
                },
            }
        }),
    ];
    prop::collection::vec(effect, 0..4)
}

fn any_past() -> impl Strategy<Value = Past> {
    let payments = prop::collection::vec((0_u64..1_100_000, 0_u128..60, any::<bool>()), 0..4);
    payments.prop_map(|mut payments| {
        payments.sort_unstable();
        payments
            .into_iter()
            .fold(Past::default(), |past, (at, amount, other)| {
                if other {
                    past.other_paid(at, amount)
                } else {
                    past.paid(at, amount)
                }
            })
    })
}

/// The sample, open to strangers or not, with a price or not, and with what may be asked.
fn any_document() -> impl Strategy<Value = PolicyDocument> {
    any::<(bool, bool, bool, bool)>().prop_map(|(open, price, asks, all)| {
        let mut document = if all { full() } else { sample() };
        document.scopes.clear();
        document.recipients_open = open;
        document.pools = vec![Pool {
            name: "ops".to_owned(),
            wallets: vec![PAYER, OTHER],
        }];
        let coin = document
            .assets
            .iter_mut()
            .find(|rule| rule.asset == native());
        if let Some(rule) = coin {
            rule.price = price.then_some(DOLLAR_EACH);
        }
        document.escalations = if asks {
            let codes = Code::ALL
                .iter()
                .filter(|code| crate::policy::alarm::may_ask(**code));
            let ask = codes.map(|code| Escalation {
                code: *code,
                action: Action::Ask,
            });
            ask.collect()
        } else {
            Vec::new()
        };
        document.sort();
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// invariant_08: one more scope never turns a refusal into a pass, nor lowers a tier, nor shortens
    /// a wait; and no input panics.
    #[test]
    fn invariant_08_one_more_scope_never_lets_more_pass(
        mut document in any_document(),
        before in prop::collection::vec(any_scope(), 0..2),
        more in any_scope(),
        effects in any_effects(),
        past in any_past(),
        bearer: bool,
        submit: bool,
        wall: u64,
        steady: u64,
    ) {
        let payment = Payment { bearer, submit, ..request(&effects) };
        let (wall, steady) = (WallTime::from_millis(wall), WallTime::from_millis(steady));
        let now = Now { wall, steady, ..NOW };
        document.scopes = before;
        let without = evaluate(&document, &payment, &past, now);
        document.scopes.push(more);
        let with = evaluate(&document, &payment, &past, now);
        match (without, with) {
            (Ok(without), Ok(with)) => {
                prop_assert!(with.tier >= without.tier);
                prop_assert!(with.delay >= without.delay);
            }
            (Err(without), Err(with)) => {
                prop_assert!(without.iter().all(|broken| with.contains(broken)));
            }
            (Ok(_), Err(with)) => prop_assert!(!with.is_empty()),
            (Err(broken), Ok(_)) => prop_assert!(false, "{broken:?} passes with one more scope"),
        }
    }

    #[test]
    fn nothing_panics_at_any_width(
        document in any_document(),
        effects in any_effects(),
        amounts in prop::collection::vec((any::<u64>(), any_amount()), 0..6),
        budget: u64,
        wall: u64,
        steady: u64,
    ) {
        let mut past = Past::default();
        for (at, amount) in amounts {
            past = past.paid(at, amount);
        }
        let now = Now {
            budget: BudgetTime::from_millis(budget),
            wall: WallTime::from_millis(wall),
            steady: WallTime::from_millis(steady),
        };
        for document in [document, full()] {
            if let Err(broken) = evaluate(&document, &request(&effects), &past, now) {
                prop_assert!(!broken.is_empty());
            }
        }
    }
}
