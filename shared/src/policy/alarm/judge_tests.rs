//! Each condition at its edge, and that one cause sets it off once.

use super::*;
use crate::caip::ChainId;
use crate::policy::history::Charged;

const EVM: ChainId = ChainId::Evm(31_337);
const HOUR: Millis = Millis::from_hours(1);
/// 2027-01-15 08:00:00 UTC, a Friday.
const FRIDAY: u64 = 1_800_000_000_000;

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

fn charges(amount: u128) -> Charges {
    Charges::from([(EVM.native_asset(), units(amount))])
}

fn now(budget: Millis) -> Now {
    Now {
        budget: BudgetTime::from_millis(budget.millis()),
        wall: WallTime::from_millis(FRIDAY),
        steady: WallTime::from_millis(FRIDAY),
    }
}

/// A wallet that paid these amounts at these hours of the budget clock.
fn history(payments: &[(u64, u128)]) -> WalletHistory {
    let mut history = WalletHistory::default();
    for (hour, amount) in payments {
        history.charge(&Charged {
            at: BudgetTime::from_millis(Millis::from_hours(*hour).millis()),
            chain: EVM,
            charges: &charges(*amount),
            effects: &[],
        });
    }
    history
}

fn paying<'a>(history: &'a WalletHistory, charges: &'a Charges, signed: u64) -> Paying<'a> {
    Paying {
        history,
        charges,
        signed,
        made: 1,
        goes_on: false,
    }
}

#[test]
fn signatures_count_with_the_one_that_is_about_to_be_made() {
    let condition = Condition::Signatures {
        count: 3,
        window: HOUR,
    };
    let (two, one_now) = (history(&[(10, 1), (10, 1)]), charges(1));
    let at = now(Millis::from_hours(10));
    let seen = on_payment(&condition, &paying(&two, &one_now, 2), None, at);
    assert_eq!(
        seen.map(|seen| (seen.observed, seen.mark)),
        Some((units(3), 2))
    );
    let one = history(&[(10, 1)]);
    assert_eq!(
        on_payment(&condition, &paying(&one, &one_now, 1), None, at),
        None
    );
    // What left the window does not count.
    let later = now(Millis::from_hours(12));
    assert_eq!(
        on_payment(&condition, &paying(&two, &one_now, 2), None, later),
        None
    );
}

/// Several transfers in one transaction are as many payments, before the alarm and after it.
#[test]
fn signatures_count_each_transfer_of_a_batch() {
    let condition = Condition::Signatures {
        count: 10,
        window: HOUR,
    };
    let (none, charges) = (history(&[]), charges(1));
    let at = now(Millis::from_hours(10));
    let batch = |history, signed, mark| {
        let paying = Paying {
            made: 8,
            ..paying(history, &charges, signed)
        };
        on_payment(&condition, &paying, mark, at).map(|seen| seen.observed)
    };
    assert_eq!(batch(&none, 0, None), None);
    let eight = history(&[(10, 1); 8]);
    assert_eq!(batch(&eight, 8, None), Some(units(16)));
    assert_eq!(batch(&eight, 8, Some(8)), None);
    assert_eq!(
        batch(&history(&[(10, 1); 16]), 16, Some(8)),
        Some(units(16))
    );
}

#[test]
fn signatures_count_anew_after_the_alarm() {
    let condition = Condition::Signatures {
        count: 3,
        window: HOUR,
    };
    let charges = charges(1);
    let at = now(Millis::from_hours(10));
    let four = history(&[(10, 1); 4]);
    // It went off at the third: the two after it are no new cause, the third after it is.
    for (signed, goes_off) in [(3, false), (4, false), (5, true)] {
        let seen = on_payment(&condition, &paying(&four, &charges, signed), Some(3), at);
        assert_eq!(seen.is_some(), goes_off, "{signed}");
    }
    // One that only tells goes on, and is counted before the mark.
    let told = Paying {
        goes_on: true,
        ..paying(&four, &charges, 5)
    };
    assert_eq!(
        on_payment(&condition, &told, Some(3), at).map(|seen| seen.mark),
        Some(6)
    );
}

#[test]
fn velocity_compares_with_what_the_rest_of_the_month_saw() {
    let condition = Condition::Velocity {
        times: 5,
        window: HOUR,
    };
    // 100 in each of ten hours.
    let usual: Vec<_> = (1..=10).map(|hour| (hour * 4, 100)).collect();
    let history = history(&usual);
    let at = now(Millis::from_hours(48));
    // Since the first payment, less the window itself: 43 windows with 1000.
    let usual_of_a_window = 1000 / 43;
    let edge = usual_of_a_window * 5;
    for (amount, goes_off) in [(edge - 1, false), (edge, true), (edge * 9, true)] {
        let charges = charges(amount);
        let seen = on_payment(&condition, &paying(&history, &charges, 10), None, at);
        assert_eq!(seen.is_some(), goes_off, "{amount}");
        if let Some(seen) = seen {
            assert_eq!(seen.asset, Some(EVM.native_asset()));
            assert_eq!(seen.observed, units(amount));
        }
    }
    // Not again before a whole window has passed.
    let charges = charges(edge * 9);
    let mark = Some(at.budget.millis());
    for (hours, goes_off) in [(48, false), (49, true)] {
        let at = now(Millis::from_hours(hours));
        let seen = on_payment(&condition, &paying(&history, &charges, 10), mark, at);
        assert_eq!(seen.is_some(), goes_off, "{hours}");
    }
}

#[test]
fn velocity_knows_nothing_unusual_before_three_windows() {
    let condition = Condition::Velocity {
        times: 2,
        window: Millis::from_hours(4),
    };
    let charges = charges(1_000_000);
    for (hours, goes_off) in [(12, false), (15, false), (16, true)] {
        let first = history(&[(0, 1)]);
        let at = now(Millis::from_hours(hours));
        let seen = on_payment(&condition, &paying(&first, &charges, 1), None, at);
        assert_eq!(seen.is_some(), goes_off, "{hours}");
    }
    let new = WalletHistory::default();
    let at = now(Millis::from_hours(500));
    assert_eq!(
        on_payment(&condition, &paying(&new, &charges, 0), None, at),
        None
    );
}

#[test]
fn a_payment_outside_the_hours_sets_it_off_once_a_stretch() {
    // Monday to Friday, 09:00 to 18:00 UTC; it is Friday 08:00.
    let hours = vec![Hours {
        utc_offset: 0,
        days: 0x1f,
        from: 540,
        to: 1080,
    }];
    let condition = Condition::OutsideHours { hours };
    let history = WalletHistory::default();
    let charges = charges(1);
    let at = |wall: u64| Now {
        budget: BudgetTime::default(),
        wall: WallTime::from_millis(wall),
        steady: WallTime::from_millis(wall),
    };
    let paying = paying(&history, &charges, 0);
    let seen = on_payment(&condition, &paying, None, at(FRIDAY)).expect("it goes off");
    let opens = FRIDAY + HOUR.millis();
    assert_eq!(seen.mark, opens);
    for (wall, goes_off) in [
        (FRIDAY + 1, false),
        (opens - 1, false),
        // Inside the hours nothing is wrong.
        (opens, false),
        // The evening is another stretch.
        (opens + 9 * HOUR.millis(), true),
    ] {
        let seen = on_payment(&condition, &paying, Some(seen.mark), at(wall));
        assert_eq!(seen.is_some(), goes_off, "{wall}");
    }
}

#[test]
fn numbers_set_it_off_where_they_are_reached() {
    for condition in [
        Condition::DenialsInARow { count: 3 },
        Condition::OpenPayments { count: 3 },
    ] {
        for (number, mark, goes_off) in [
            (2, None, false),
            (3, None, true),
            // It went off already, and the number only grew.
            (4, Some(3), false),
            // It was passed before the alarm was adopted.
            (4, None, true),
            // It fell and was reached again.
            (3, Some(3), true),
        ] {
            let seen = on_number(&condition, number, mark);
            assert_eq!(seen.is_some(), goes_off, "{number} {mark:?}");
        }
    }
    let other = Condition::Idle { after: HOUR };
    assert_eq!(on_number(&other, 3, None), None);
}

#[test]
fn an_idle_wallet_sets_it_off_once_for_its_newest_payment() {
    let condition = Condition::Idle { after: HOUR };
    let last = BudgetTime::from_millis(1000);
    let at = |passed: u64| BudgetTime::from_millis(1000 + passed);
    assert_eq!(on_idle(&condition, last, None, at(HOUR.millis() - 1)), None);
    let seen = on_idle(&condition, last, None, at(HOUR.millis())).expect("it goes off");
    assert_eq!(seen.observed, units(HOUR.millis().into()));
    assert_eq!(
        on_idle(&condition, last, Some(seen.mark), at(9 * HOUR.millis())),
        None
    );
    // A payment since then is another newest payment.
    let newer = at(5);
    assert!(on_idle(&condition, newer, Some(seen.mark), at(9 * HOUR.millis())).is_some());
}
