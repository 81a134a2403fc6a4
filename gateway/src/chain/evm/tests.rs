//! Fees and gas: room for the next blocks, and bounds that no node moves.

use super::super::fee_market::{FeeMarket, Fees, Quotes};
use super::fees::estimate;
use super::*;

const GWEI: u128 = 1_000_000_000;

fn ceiling(wei: u128) -> Amount {
    Amount::from_base_units(wei)
}

#[test]
fn fees_have_room_and_never_leave_the_ceiling() {
    let market = FeeMarket::Eip1559 {
        base: 10 * GWEI,
        tip: 2 * GWEI,
    };
    let plenty = market.fees(Speed::Normal, 21_000, ceiling(u128::MAX));
    assert_eq!(
        plenty,
        Ok(Fees {
            max_fee: 22 * GWEI,
            tip: 2 * GWEI
        })
    );
    // 15 gwei a gas: no room to double.
    let tight = market.fees(Speed::Normal, 21_000, ceiling(21_000 * 15 * GWEI));
    assert_eq!(
        tight,
        Ok(Fees {
            max_fee: 15 * GWEI,
            tip: 2 * GWEI
        })
    );
    // 12 gwei: the tip gives way to one block's rise of 11.25.
    let tighter = market.fees(Speed::Normal, 21_000, ceiling(21_000 * 12 * GWEI));
    assert_eq!(
        tighter,
        Ok(Fees {
            max_fee: 12 * GWEI,
            tip: 3 * GWEI / 4
        })
    );
    assert_eq!(
        market.fees(Speed::Normal, 21_000, ceiling(21_000 * 11 * GWEI)),
        Err(ChainError::FeeAboveCeiling {
            needed: ceiling(21_000 * 45 * GWEI / 4),
            ceiling: ceiling(21_000 * 11 * GWEI)
        })
    );
}

#[test]
fn inflated_fees_do_not_overflow() {
    let market = FeeMarket::Eip1559 {
        base: u128::MAX,
        tip: u128::MAX,
    };
    assert!(matches!(
        market.fees(Speed::Normal, 100_000, ceiling(1)),
        Err(ChainError::FeeAboveCeiling { .. })
    ));
    let greedy = FeeMarket::Eip1559 {
        base: 1,
        tip: u128::MAX,
    };
    let fees = greedy
        .fees(Speed::Normal, 21_000, ceiling(21_000_000))
        .expect("affordable");
    assert_eq!(fees.max_fee, 1000);
    assert!(fees.tip <= fees.max_fee);
}

#[test]
fn a_gas_price_has_an_eighth_more_and_never_leaves_the_ceiling() {
    let market = FeeMarket::Legacy { price: 8 * GWEI };
    let both = |price| {
        Ok(Fees {
            max_fee: price,
            tip: price,
        })
    };
    assert_eq!(
        market.fees(Speed::Normal, 21_000, ceiling(u128::MAX)),
        both(9 * GWEI)
    );
    let tight = ceiling(21_000 * 17 * GWEI / 2);
    assert_eq!(
        market.fees(Speed::Normal, 21_000, tight),
        both(17 * GWEI / 2)
    );
    assert_eq!(
        market.fees(Speed::Normal, 21_000, ceiling(21_000 * 7 * GWEI)),
        Err(ChainError::FeeAboveCeiling {
            needed: ceiling(21_000 * 8 * GWEI),
            ceiling: ceiling(21_000 * 7 * GWEI)
        })
    );
    let wild = FeeMarket::Legacy { price: u128::MAX };
    assert!(wild.fees(Speed::Normal, 21_000, ceiling(1)).is_err());
    assert_eq!(wild.usual(Speed::Normal).tip, u128::MAX);
}

#[test]
fn what_counts_for_data_is_no_room_for_gas() {
    let network = NetworkTerms {
        legacy: false,
        data_fee: Some(ceiling(30)),
    };
    assert_eq!(for_gas(ceiling(100), network), Ok(ceiling(70)));
    assert_eq!(
        for_gas(ceiling(100), NetworkTerms::default()),
        Ok(ceiling(100))
    );
    assert_eq!(
        for_gas(ceiling(29), network),
        Err(ChainError::FeeAboveCeiling {
            needed: ceiling(30),
            ceiling: ceiling(29)
        })
    );
}

#[test]
fn gas_is_bounded() {
    assert_eq!(padded_gas(21_000, MAX_GAS_LIMIT), Ok(21_000));
    assert_eq!(padded_gas(40_000, MAX_GAS_LIMIT), Ok(50_000));
    assert_eq!(padded_gas(400_000, MAX_CALL_GAS_LIMIT), Ok(500_000));
    for (estimates, most) in [
        ([80_004, 100_000, 30_000_000, u128::MAX], MAX_GAS_LIMIT),
        (
            [400_004, 500_000, 30_000_000, u128::MAX],
            MAX_CALL_GAS_LIMIT,
        ),
    ] {
        for estimate in estimates {
            assert!(matches!(
                padded_gas(estimate, most),
                Err(ChainError::GasAboveLimit { limit, .. }) if limit == most
            ));
        }
    }
}

#[test]
fn tips_are_in_order_and_never_nothing() {
    let tips = |paid, suggested| match Quotes::of_tips(7, paid, suggested) {
        Quotes::Eip1559 { tips, .. } => tips,
        Quotes::Legacy { .. } => panic!("another form"),
    };
    assert_eq!(tips([1, 2, 8], 0), [1, 2, 8]);
    assert_eq!(tips([1, 2, 8], 4), [1, 4, 8]);
    assert_eq!(tips([9, 2, 1], 0), [2, 2, 3]);
    // Empty blocks.
    assert_eq!(tips([0, 0, 0], 8), [8, 8, 10]);
    assert_eq!(tips([0, 0, 0], 0), [1_000_000, 1_000_000, 1_250_000]);
    assert_eq!(tips([u128::MAX; 3], u128::MAX), [u128::MAX; 3]);
    for paid in [[0, 5, 3], [8, 1, 0], [4, 4, 4]] {
        for suggested in [0, 3, 1000] {
            assert!(tips(paid, suggested).is_sorted(), "{paid:?} {suggested}");
        }
    }
}

#[test]
fn a_slower_payment_never_offers_more() {
    let ceilings = [u128::MAX, 21_000 * 15 * GWEI, 21_000 * 12 * GWEI];
    for quotes in [
        Quotes::of_tips(10 * GWEI, [GWEI, 2 * GWEI, 3 * GWEI], 0),
        Quotes::Legacy { price: 8 * GWEI },
    ] {
        for most in ceilings.map(ceiling) {
            let offered = Speed::ALL.map(|speed| {
                let fees = quotes.at(speed).fees(speed, 21_000, most);
                let fees = fees.expect("affordable");
                assert!(fees.max_fee * 21_000 <= most.base_units());
                (fees.max_fee, fees.tip)
            });
            assert!(offered.is_sorted(), "{offered:?}");
        }
    }
}

#[test]
fn estimates_keep_to_the_ceiling_and_say_where_nothing_can_be_sent() {
    let quotes = Quotes::of_tips(10 * GWEI, [GWEI, 2 * GWEI, 3 * GWEI], 0);
    let rollup = NetworkTerms {
        legacy: false,
        data_fee: Some(ceiling(1000)),
    };
    let told = estimate(quotes, Speed::Normal, ceiling(u128::MAX), rollup);
    assert_eq!(told.fee_max, ceiling(21_000 * 22 * GWEI + 1000));
    let most = ceiling(21_000 * 13 * GWEI);
    let told = estimate(quotes, Speed::Fast, most, NetworkTerms::default());
    assert!(!told.above_ceiling && told.fee_max <= most, "{told:?}");
    let told = estimate(quotes, Speed::Slow, ceiling(5), rollup);
    assert!(told.above_ceiling, "{told:?}");
    assert_eq!(told.fee_max, ceiling(21_000 * 10 * GWEI + 1000));
}
