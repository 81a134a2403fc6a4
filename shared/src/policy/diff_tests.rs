//! One change each, both ways: what is a loosening one way is never one the other way, except where
//! neither way is tighter.

use super::super::document::tests::sample;
use super::*;

type Change = fn(&mut PolicyDocument);

/// Asset 0 of the sample is Solana's, asset 1 an EVM chain's.
const CHANGES: [(&str, Change); 14] = [
    ("maturity", |document| {
        document.maturity = Millis::from_hours(23)
    }),
    ("per transaction", |document| {
        document.assets[0].per_transaction = Amount::from_base_units(101)
    }),
    ("hour", |document| {
        document.assets[0].hour = Amount::from_base_units(201)
    }),
    ("day", |document| {
        document.assets[0].day = Amount::from_base_units(301)
    }),
    ("week", |document| {
        document.assets[0].week = Amount::from_base_units(401)
    }),
    ("month", |document| {
        document.assets[0].month = Amount::from_base_units(501)
    }),
    ("instant", |document| {
        document.assets[0].instant_up_to = Amount::from_base_units(11)
    }),
    ("notify", |document| {
        document.assets[0].notify_up_to = Amount::from_base_units(51)
    }),
    ("fee ceiling", |document| {
        document.assets[1].fee_ceiling = Some(Amount::from_base_units(6))
    }),
    ("outstanding", |document| {
        document.assets[1].outstanding = Some(Amount::from_base_units(1001))
    }),
    ("count", |document| document.assets[0].day_count = Some(11)),
    ("any count", |document| document.assets[0].day_count = None),
    ("sign only", |document| document.assets[1].sign_only = true),
    ("recipient", |document| {
        let account = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
            .parse()
            .expect("an account");
        document.recipients.push(Recipient {
            account,
            name: "other".to_owned(),
        });
        document.sort();
    }),
];

#[test]
fn each_change_loosens_one_way_and_tightens_the_other() {
    for (case, change) in CHANGES {
        let before = sample();
        let mut after = sample();
        change(&mut after);
        assert_eq!(after.check(), Ok(()), "{case}");
        let there = diff(&before, &after);
        assert_eq!(
            (there.loosenings.len(), there.tightenings),
            (1, 0),
            "{case}"
        );
        let back = diff(&after, &before);
        assert_eq!((back.loosenings.len(), back.tightenings), (0, 1), "{case}");
    }
}

#[test]
fn an_asset_that_appears_loosens_once_and_that_goes_tightens_once() {
    let whole = sample();
    let mut part = sample();
    let gone = part.assets.remove(1);
    assert_eq!(
        diff(&part, &whole),
        Diff {
            loosenings: vec![Loosening::NewAsset(&gone)],
            tightenings: 0
        }
    );
    assert_eq!(
        diff(&whole, &part),
        Diff {
            loosenings: vec![],
            tightenings: 1
        }
    );
}

#[test]
fn names_and_units_never_change_unseen() {
    let before = sample();
    let changes: [Change; 3] = [
        |document| document.assets[0].decimals = crate::amount::Decimals::ZERO,
        |document| document.assets[0].symbol = "ETH".to_owned(),
        |document| document.recipients[0].name = "rent".to_owned(),
    ];
    for change in changes {
        let mut after = sample();
        change(&mut after);
        for (one, other) in [(&before, &after), (&after, &before)] {
            let found = diff(one, other);
            assert_eq!((found.loosenings.len(), found.tightenings), (1, 0));
        }
    }
    // Two contacts that swap names: each name now means another account.
    let mut two = sample();
    CHANGES[13].1(&mut two);
    let mut swapped = two.clone();
    swapped.recipients[0]
        .name
        .clone_from(&two.recipients[1].name);
    swapped.recipients[1]
        .name
        .clone_from(&two.recipients[0].name);
    assert_eq!(swapped.check(), Ok(()));
    assert_eq!(diff(&two, &swapped).loosenings.len(), 2);
}

#[test]
fn an_absent_fee_ceiling_is_a_ceiling_of_zero() {
    let mut none = sample();
    none.assets[1].fee_ceiling = None;
    let mut zero = sample();
    zero.assets[1].fee_ceiling = Some(Amount::ZERO);
    assert_eq!(
        diff(&none, &zero),
        Diff {
            loosenings: vec![],
            tightenings: 0
        }
    );
    let allowed = sample();
    let found = diff(&none, &allowed);
    assert!(matches!(
        found.loosenings[..],
        [Loosening::Raised {
            limit: Limit::FeeCeiling,
            before: Amount::ZERO,
            ..
        }]
    ));
}

#[test]
fn the_epoch_alone_changes_nothing() {
    let mut next = sample();
    next.epoch = 2;
    assert_eq!(
        diff(&sample(), &next),
        Diff {
            loosenings: vec![],
            tightenings: 0
        }
    );
}
