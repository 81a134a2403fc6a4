//! What scopes narrow: sums over everything below them, lists, hours, and sums in USD.

use super::*;

#[test]
fn scopes_bind_the_sum_over_everything_below_them() {
    let day = || Limits {
        day: some(100),
        ..Limits::default()
    };
    let past = Past::default().paid(0, 40).other_paid(0, 50);
    for (scope, left) in [
        (Scope::Global, 10),
        (Scope::Pool("ops".to_owned()), 10),
        (Scope::Wallet(PAYER), 60),
        (Scope::EverySession, 60),
        (Scope::Session(SESSION), 60),
    ] {
        let document = limited(scope.clone(), day());
        assert!(
            judge(&document, &payment(left, 0), &past).is_ok(),
            "{scope}"
        );
        assert_eq!(
            judge(&document, &payment(left + 1, 0), &past),
            Err(vec![Code::DayLimit]),
            "{scope}"
        );
    }
    for scope in [
        Scope::Wallet(OTHER),
        Scope::Session(SessionId::from_bytes([9; 16])),
        Scope::BearerSessions,
    ] {
        let document = limited(
            scope.clone(),
            Limits {
                day: some(0),
                ..Limits::default()
            },
        );
        assert!(judge(&document, &payment(1, 0), &past).is_ok(), "{scope}");
    }
    // A wallet outside of the pool has nothing to do with it.
    let mut document = limited(Scope::Pool("ops".to_owned()), day());
    document.pools[0].wallets = vec![OTHER];
    assert!(judge(&document, &payment(60, 0), &past).is_ok());
    let effects = payment(1, 0);
    let bearer = Payment {
        bearer: true,
        ..request(&effects)
    };
    let document = limited(
        Scope::BearerSessions,
        Limits {
            per_transaction: some(0),
            ..Limits::default()
        },
    );
    let refused = evaluate(&document, &bearer, &past, NOW).expect_err("lower ceilings");
    assert_eq!(codes(&refused), [Code::PerTransactionLimit]);
}

#[test]
fn a_scope_allows_networks_assets_and_contacts() {
    let none = Past::default();
    let elsewhere = ChainId::Evm(1);
    let document = scoped(Scope::Global, |rule| rule.networks = Some(vec![elsewhere]));
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::NetworkNotAllowed])
    );
    let document = scoped(Scope::Global, |rule| rule.networks = Some(vec![chain()]));
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));

    let coin: AssetId = "solana:localnet/slip44:501".parse().expect("an asset");
    let document = scoped(Scope::Global, |rule| rule.assets = Some(vec![coin]));
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::AssetNotAllowed])
    );
    let document = scoped(Scope::Global, |rule| rule.assets = Some(vec![native()]));
    assert_eq!(judge(&document, &payment(1, 1), &none), Ok(Tier::Instant));

    let mut document = scoped(Scope::Global, |rule| {
        rule.recipients = Some(vec!["hosting".to_owned()]);
    });
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    document.recipients_open = true;
    assert_eq!(
        judge(&document, &[transfer(1, STRANGER)], &none),
        Err(vec![Code::RecipientNotAllowed])
    );
}

#[test]
fn a_scope_keeps_hours_and_distance() {
    let seoul = |from| {
        scoped(Scope::EverySession, |rule| {
            rule.hours = Some(vec![Hours {
                utc_offset: 540,
                days: 1,
                from,
                to: 1080,
            }]);
        })
    };
    let none = Past::default();
    let effects = payment(1, 0);
    // 00:00 UTC is 09:00 there.
    assert_eq!(judge(&seoul(540), &effects, &none), Ok(Tier::Instant));
    let refused = evaluate(&seoul(541), &request(&effects), &none, NOW).expect_err("too early");
    assert_eq!(codes(&refused), [Code::OutsideHours]);
    assert_eq!(refused[0].retry_after, Some(Millis::from_secs(60)));

    let rested = scoped(Scope::EverySession, |rule| {
        rule.cool_down = Some(Millis::from_secs(10));
    });
    assert_eq!(judge(&rested, &effects, &none), Ok(Tier::Instant));
    let past = Past::default().paid(990_001, 1);
    let refused = evaluate(&rested, &request(&effects), &past, NOW).expect_err("too soon");
    assert_eq!(codes(&refused), [Code::CoolDown]);
    assert_eq!(refused[0].retry_after, Some(Millis::from_millis(1)));
    let past = Past::default().paid(990_000, 1);
    assert_eq!(judge(&rested, &effects, &past), Ok(Tier::Instant));
}

fn in_usd(limits: Limits) -> PolicyDocument {
    let mut document = scoped(Scope::Global, |rule| rule.usd = Some(limits));
    document.assets[1].price = Some(DOLLAR_EACH);
    document
}

#[test]
fn sums_in_usd_run_over_assets_by_the_documents_own_prices() {
    let dollars = |amount: u128| some(amount * 1_000_000);
    let document = in_usd(Limits {
        per_transaction: dollars(30),
        day: dollars(60),
        ..Limits::default()
    });
    let past = Past::default().paid(0, 20).other_paid(0, 20);
    assert!(judge(&document, &payment(20, 0), &past).is_ok());
    let effects = payment(21, 0);
    let refused = evaluate(&document, &request(&effects), &past, NOW).expect_err("too much");
    assert_eq!(codes(&refused), [Code::UsdLimit]);
    assert_eq!(refused[0].asset, None);
    assert_eq!(refused[0].allowed, dollars(20));
    assert_eq!(
        judge(&document, &payment(31, 0), &Past::default()),
        Err(vec![Code::UsdLimit])
    );
    // Repriced: everything that was spent is worth twice as much.
    let mut dearer = document.clone();
    dearer.assets[1].price = Some(UsdPrice(2 * DOLLAR_EACH.0));
    assert_eq!(
        judge(&dearer, &payment(1, 0), &past),
        Err(vec![Code::UsdLimit])
    );
    let mut unpriced = document;
    unpriced.assets[1].price = None;
    assert_eq!(
        judge(&unpriced, &payment(1, 0), &past),
        Err(vec![Code::UsdPriceMissing])
    );
}

#[test]
fn usd_raises_tiers_and_counts_payments_in_whatever_asset() {
    let document = in_usd(Limits {
        notify_up_to: some(5_000_000),
        ..Limits::default()
    });
    let none = Past::default();
    assert_eq!(judge(&document, &payment(5, 0), &none), Ok(Tier::Instant));
    assert_eq!(judge(&document, &payment(6, 0), &none), Ok(Tier::Delay));
    let counts = Limits {
        counts: Counts {
            day: Some(1),
            ..Counts::default()
        },
        ..Limits::default()
    };
    let mut document = in_usd(counts);
    // Counting asks for no price.
    document.assets[1].price = None;
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    let past = Past::default().other_paid(0, 1);
    assert_eq!(
        judge(&document, &payment(1, 0), &past),
        Err(vec![Code::PaymentCount])
    );
}

#[test]
fn what_is_left_is_told_by_the_tightest_limit() {
    let document = limited(
        Scope::Global,
        Limits {
            per_transaction: some(70),
            day: some(100),
            ..Limits::default()
        },
    );
    let past = Past::default().paid(0, 40).other_paid(0, 50);
    let told = |document: &PolicyDocument, asset| {
        let left = left(document, &request(&[]), asset, &past, NOW);
        (left.per_transaction.base_units(), left.window.base_units())
    };
    assert_eq!(told(&document, native()), (70, 10));
    assert_eq!(told(&sample(), native()), (80, 160));
    let unlisted = ChainId::Evm(1).native_asset();
    assert_eq!(told(&document, unlisted), (0, 0));
}

/// Of each window the tightest limit is told, with when more is left and when all of it is: at that time and not a
/// millisecond before.
#[test]
fn each_window_tells_when_more_is_left() {
    let document = limited(
        Scope::Global,
        Limits {
            day: some(100),
            ..Limits::default()
        },
    );
    let past = Past::default().paid(0, 40).other_paid(0, 50);
    let at = |now| left(&document, &request(&[]), native(), &past, now);
    let told = at(NOW);
    let names: Vec<Window> = told.windows.iter().map(|one| one.window).collect();
    assert_eq!(names, Window::ALL);
    assert_eq!(
        told.windows.iter().map(|one| one.left).min(),
        Some(told.window)
    );
    let day = told.windows[1];
    // The wallet's own limit leaves more than the one over all wallets.
    assert_eq!((day.limit.base_units(), day.left.base_units()), (100, 10));
    let wait = day.more_in.expect("something was spent");
    let later = |wait: Millis| {
        let now = Now {
            budget: NOW.budget.after(wait),
            ..NOW
        };
        at(now).windows[1].left.base_units()
    };
    assert_eq!(later(Millis::from_millis(wait.millis() - 1)), 10);
    assert!(later(wait) > 10);
    assert_eq!(later(day.whole_in.expect("it passes")), 100);
    let unspent = left(&document, &request(&[]), native(), &Past::default(), NOW);
    assert!(
        unspent
            .windows
            .iter()
            .all(|one| (one.more_in, one.whole_in) == (None, None))
    );
    assert!(unspent.windows.iter().all(|one| one.left == one.limit));
}
