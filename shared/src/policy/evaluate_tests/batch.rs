//! Several transfers in one transaction: judged as a sum, each recipient for itself, counted one by one.

use super::*;

const THIRD: &str = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb";

/// The sample, in which two more may receive.
fn open() -> PolicyDocument {
    let mut document = sample();
    for (name, account) in [("second", STRANGER), ("third", THIRD)] {
        document.recipients.push(Recipient {
            name: name.to_owned(),
            account: AccountId::new(chain(), to(account)).expect("one family"),
        });
    }
    document.sort();
    document
}

fn counts_of_day(most: u32) -> Limits {
    Limits {
        counts: Counts {
            day: Some(most),
            ..Counts::default()
        },
        ..Limits::default()
    }
}

#[test]
fn amounts_bind_the_sum_to_the_unit() {
    let none = Past::default();
    // Each alone is far below; the tiers are those of the sum, fee included.
    for (parts, of_fee, tier) in [
        ([5, 5], 0, Tier::Instant),
        ([5, 5], 1, Tier::Notify),
        ([45, 5], 0, Tier::Notify),
        ([46, 5], 0, Tier::Delay),
        ([40, 40], 0, Tier::Approval),
    ] {
        let effects = [
            transfer(parts[0], LISTED),
            transfer(parts[1], STRANGER),
            fee(of_fee),
        ];
        assert_eq!(judge(&open(), &effects, &none), Ok(tier), "{parts:?}");
    }
    // More than is allowed in one transaction, and only as a sum; to one recipient as well as to two.
    for other in [STRANGER, LISTED] {
        let effects = [transfer(41, LISTED), transfer(40, other)];
        assert_eq!(
            judge(&open(), &effects, &none),
            Err(vec![Code::TierNotAvailable])
        );
    }
    let past = Past::default().paid(999_000, 190);
    let effects = |last| [transfer(5, LISTED), transfer(last, STRANGER)];
    assert!(judge(&open(), &effects(5), &past).is_ok());
    assert_eq!(
        judge(&open(), &effects(6), &past),
        Err(vec![Code::HourLimit])
    );
    let half = || transfer(u128::MAX / 2 + 1, LISTED);
    let halves = [half(), half()];
    assert_eq!(judge(&open(), &halves, &none), Err(vec![Code::Overflow]));
}

#[test]
fn every_recipient_is_judged() {
    let none = Past::default();
    let to_each = |last: &str| {
        [
            transfer(1, LISTED),
            transfer(1, STRANGER),
            transfer(1, last),
        ]
    };
    assert!(judge(&open(), &to_each(THIRD), &none).is_ok());
    // Wherever in the list the one stands whom nobody named.
    let nobody = "0x8ba1f109551bD432803012645Ac136ddd64DBA72";
    for place in 0..3 {
        let mut effects = to_each(THIRD);
        effects[place] = transfer(1, nobody);
        assert_eq!(
            judge(&open(), &effects, &none),
            Err(vec![Code::RecipientNotListed]),
            "{place}"
        );
    }
    let mut denies = open();
    denies.denied = vec![AccountId::new(chain(), to(nobody)).expect("one family")];
    denies.recipients_open = true;
    for place in 0..3 {
        let mut effects = to_each(THIRD);
        effects[place] = transfer(1, nobody);
        assert_eq!(
            judge(&denies, &effects, &none),
            Err(vec![Code::RecipientDenied]),
            "{place}"
        );
    }
    // One who was never paid raises the tier of all.
    let mut careful = open();
    careful.first_payment = Some(Tier::Approval);
    let known = Past::default().paid(1000, 1);
    let before = [transfer(1, LISTED), transfer(1, LISTED)];
    assert_eq!(judge(&careful, &before, &known), Ok(Tier::Instant));
    let with_new = [transfer(1, LISTED), transfer(1, STRANGER)];
    assert_eq!(judge(&careful, &with_new, &known), Ok(Tier::Approval));
}

#[test]
fn limits_for_a_recipient_bind_what_it_gets_in_all() {
    let mut document = open();
    for rule in &mut document.assets {
        rule.recipient = Some(Limits {
            per_transaction: some(10),
            counts: Counts {
                day: Some(2),
                ..Counts::default()
            },
            ..Limits::default()
        });
    }
    let none = Past::default();
    let both = |one, other| [transfer(one, LISTED), transfer(other, LISTED)];
    assert!(judge(&document, &both(5, 5), &none).is_ok());
    assert_eq!(
        judge(&document, &both(5, 6), &none),
        Err(vec![Code::RecipientLimit])
    );
    // To two of them each has its own.
    let apart = [transfer(10, LISTED), transfer(10, STRANGER)];
    assert!(judge(&document, &apart, &none).is_ok());
    let three = [
        transfer(1, LISTED),
        transfer(1, LISTED),
        transfer(1, LISTED),
    ];
    assert_eq!(
        judge(&document, &three, &none),
        Err(vec![Code::RecipientCount])
    );
    let once = Past::default().paid(999_000, 1);
    assert_eq!(
        judge(&document, &both(1, 1), &once),
        Err(vec![Code::RecipientCount])
    );
    assert!(judge(&document, &[transfer(1, LISTED)], &once).is_ok());
}

#[test]
fn a_batch_counts_as_many_payments_as_it_makes() {
    let effects = [
        transfer(1, LISTED),
        transfer(1, STRANGER),
        transfer(1, THIRD),
        fee(1),
    ];
    assert_eq!(payments(&effects), 3);
    assert_eq!(payments(&effects[..1]), 1);
    assert_eq!(payments(&effects[3..]), 1);
    let none = Past::default();
    let once = Past::default().paid(999_000, 1);
    for (most, past, passes) in [
        (3, &none, true),
        (2, &none, false),
        (3, &once, false),
        (4, &once, true),
    ] {
        let mut by_asset = open();
        for rule in &mut by_asset.assets {
            rule.counts.day = Some(most);
        }
        let scope = limited(Scope::Global, counts_of_day(most));
        let mut whatever = scoped(Scope::EverySession, |rule| {
            rule.usd = Some(counts_of_day(most))
        });
        whatever.recipients = open().recipients;
        let mut scope_open = scope;
        scope_open.recipients = open().recipients;
        for (document, code) in [
            (by_asset, Code::DayCount),
            (scope_open, Code::DayCount),
            (whatever, Code::PaymentCount),
        ] {
            let judged = judge(&document, &effects, past);
            if passes {
                assert!(judged.is_ok(), "{most} {judged:?}");
            } else {
                assert_eq!(judged, Err(vec![code]), "{most}");
            }
        }
    }
    // What is told is how many it would be, and when they would fit.
    let mut document = open();
    for rule in &mut document.assets {
        rule.counts.day = Some(3);
    }
    let broken = evaluate(&document, &request(&effects), &once, NOW).expect_err("too many");
    assert_eq!((broken[0].observed, broken[0].allowed), (some(4), some(3)));
    assert!(broken[0].retry_after.is_some());
    for rule in &mut document.assets {
        rule.counts.day = Some(2);
    }
    let broken = evaluate(&document, &request(&effects), &none, NOW).expect_err("never");
    assert_eq!(broken[0].retry_after, None);
}
