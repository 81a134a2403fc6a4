//! Amounts, counts and costs: to the unit, over every window, and when they would pass.

use super::*;

#[test]
fn tiers_hold_to_the_unit_and_fees_count() {
    let none = Past::default();
    for (amount, of_fee, tier) in [
        (10, 0, Tier::Instant),
        (9, 1, Tier::Instant),
        (10, 1, Tier::Notify),
        (45, 5, Tier::Notify),
        (46, 5, Tier::Delay),
        (60, 0, Tier::Delay),
        (61, 0, Tier::Approval),
        (80, 0, Tier::Approval),
    ] {
        assert_eq!(judge(&sample(), &payment(amount, of_fee), &none), Ok(tier));
    }
    assert_eq!(
        judge(&sample(), &payment(81, 0), &none),
        Err(vec![Code::TierNotAvailable])
    );
    assert_eq!(
        judge(&sample(), &payment(1, 6), &none),
        Err(vec![Code::FeeCeiling])
    );
}

#[test]
fn every_broken_rule_is_named() {
    let past = Past::default().paid(999_000, 190);
    assert_eq!(judge(&sample(), &payment(10, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&sample(), &payment(11, 0), &past),
        Err(vec![Code::HourLimit])
    );
    let mut document = sample();
    document.assets[1].outstanding = some(500);
    assert_eq!(
        judge(&document, &payment(400, 6), &past),
        Err(vec![
            Code::PerTransactionLimit,
            Code::HourLimit,
            Code::DayLimit,
            Code::WeekLimit,
            Code::MonthLimit,
            Code::TierNotAvailable,
            Code::OutstandingCap,
            Code::FeeCeiling,
        ])
    );
    let none = Past::default();
    assert_eq!(
        judge(&sample(), &[], &none),
        Err(vec![Code::TransactionUndecodable])
    );
    assert_eq!(
        judge(&sample(), &[fee(1)], &none),
        Err(vec![Code::TransactionUndecodable])
    );
    assert_eq!(
        judge(&sample(), &payment(u128::MAX, 1), &none),
        Err(vec![Code::Overflow])
    );
    // An effect on another chain, in an asset without an entry.
    let elsewhere = Effect::Transfer {
        asset: ChainId::Evm(1).native_asset(),
        to: to(LISTED),
        amount: units(1),
    };
    assert_eq!(
        judge(&sample(), &[transfer(1, LISTED), elsewhere], &none),
        Err(vec![Code::TransactionUndecodable, Code::AssetNotListed])
    );
}

#[test]
fn windows_of_every_length_hold_and_say_when() {
    for (code, at, limit) in [
        (Code::HourLimit, 0, 200),
        (Code::DayLimit, 0, 300),
        (Code::WeekLimit, 0, 400),
        (Code::MonthLimit, 0, 500),
    ] {
        // Each window alone: the others allow more than is ever spent.
        let mut document = sample();
        let rule = &mut document.assets[1];
        (rule.week, rule.month) = (units(100_000), units(100_000));
        match code {
            Code::HourLimit => rule.day = units(100_000),
            Code::DayLimit => (rule.hour, rule.day) = (units(limit), units(limit)),
            Code::WeekLimit => {
                (rule.hour, rule.day, rule.week) = (units(limit), units(limit), units(limit));
            }
            _ => {
                (rule.hour, rule.day) = (units(limit), units(limit));
                (rule.week, rule.month) = (units(limit), units(limit));
            }
        }
        let past = Past::default().paid(at, limit - 5).attested();
        assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
        let effects = payment(6, 0);
        let broken = evaluate(&document, &request(&effects), &past, NOW).expect_err("one too many");
        let last = broken.last().expect("at least one");
        assert_eq!((last.code, last.allowed), (code, some(5)));
        let wait = broken.iter().filter_map(|one| one.retry_after).max();
        let later = |wait: Millis| Now {
            budget: NOW.budget.after(wait),
            ..NOW
        };
        let wait = wait.expect("waiting helps");
        assert!(evaluate(&document, &request(&effects), &past, later(wait)).is_ok());
        let early = Millis::from_millis(wait.millis() - 1);
        assert!(evaluate(&document, &request(&effects), &past, later(early)).is_err());
    }
    // More than the whole window never passes.
    let effects = payment(201, 0);
    let broken = evaluate(&sample(), &request(&effects), &Nothing, NOW).expect_err("too much");
    assert_eq!(broken[1].code, Code::HourLimit);
    assert_eq!(broken[1].retry_after, None);
}

#[test]
fn counts_of_every_window_hold_and_say_when() {
    let counted = |counts| {
        let mut document = sample();
        document.assets[1].counts = counts;
        document
    };
    let none = Counts::default();
    for (code, counts) in [
        (
            Code::HourCount,
            Counts {
                hour: Some(2),
                ..none
            },
        ),
        (
            Code::DayCount,
            Counts {
                day: Some(2),
                ..none
            },
        ),
        (
            Code::WeekCount,
            Counts {
                week: Some(2),
                ..none
            },
        ),
        (
            Code::MonthCount,
            Counts {
                month: Some(2),
                ..none
            },
        ),
    ] {
        let document = counted(counts);
        let once = Past::default().paid(1, 0);
        assert_eq!(judge(&document, &payment(1, 0), &once), Ok(Tier::Instant));
        let twice = once.paid(2, 0);
        assert_eq!(judge(&document, &payment(1, 0), &twice), Err(vec![code]));
        let effects = payment(1, 0);
        let broken = evaluate(&document, &request(&effects), &twice, NOW).expect_err("a third");
        let later = Now {
            budget: NOW
                .budget
                .after(broken[0].retry_after.expect("waiting helps")),
            ..NOW
        };
        assert!(evaluate(&document, &request(&effects), &twice, later).is_ok());
    }
}

#[test]
fn outstanding_value_ends_with_an_attestation() {
    let mut document = sample();
    document.assets[1].outstanding = some(50);
    let past = Past::default().paid(0, 45);
    assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&document, &payment(6, 0), &past),
        Err(vec![Code::OutstandingCap])
    );
    assert_eq!(
        judge(&document, &payment(6, 0), &past.attested()),
        Ok(Tier::Instant)
    );
}

#[test]
fn what_is_signed_and_not_sent_needs_leave() {
    let effects = payment(1, 0);
    let kept = Payment {
        submit: false,
        ..request(&effects)
    };
    let mut document = sample();
    let refused = evaluate(&document, &kept, &Nothing, NOW).expect_err("no leave");
    assert_eq!(codes(&refused), [Code::SessionSignOnly]);
    document.assets[1].sign_only = true;
    assert!(evaluate(&document, &kept, &Nothing, NOW).is_ok());
}

#[test]
fn sums_of_a_window_raise_the_tier() {
    let mut document = sample();
    document.assets[1].cumulative = vec![Cumulative {
        window: Window::Day,
        above: units(50),
        tier: Tier::Approval,
    }];
    let past = Past::default().paid(0, 45);
    assert_eq!(judge(&document, &payment(5, 0), &past), Ok(Tier::Instant));
    let effects = payment(6, 0);
    let verdict = evaluate(&document, &request(&effects), &past, NOW).expect("asks");
    assert_eq!(verdict.tier, Tier::Approval);
    assert_eq!(verdict.raised_by, [Reason::Cumulative]);
    let full = Past::default().paid(0, u128::MAX);
    let mut open = document;
    for limit in ["hour", "day", "week", "month"] {
        let rule = &mut open.assets[1];
        match limit {
            "hour" => rule.hour = Amount::MAX,
            "day" => rule.day = Amount::MAX,
            "week" => rule.week = Amount::MAX,
            _ => rule.month = Amount::MAX,
        }
    }
    // What does not fit is above every limit.
    assert!(judge(&open, &payment(1, 0), &full).is_err());
}

#[test]
fn rent_counts_and_has_a_ceiling_of_its_own() {
    let solana: ChainId = "solana:localnet".parse().expect("a chain");
    let coin = solana.native_asset();
    let recipient: AccountId = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
        .parse()
        .expect("an account");
    let mut document = sample();
    document.recipients.push(Recipient {
        account: recipient,
        name: "data".to_owned(),
    });
    document.sort();
    let effects = [
        Effect::Transfer {
            asset: coin,
            to: recipient.account(),
            amount: units(8),
        },
        Effect::Rent {
            asset: coin,
            amount: units(3),
        },
    ];
    let judged = |document: &PolicyDocument| {
        let payment = Payment {
            chain: solana,
            ..request(&effects)
        };
        evaluate(document, &payment, &Nothing, NOW)
    };
    let refused = judged(&document).expect_err("no rent may be paid");
    assert_eq!(codes(&refused), [Code::RentCeiling]);
    let place = usize::from(document.assets[0].asset != coin);
    document.assets[place].rent_ceiling = some(3);
    assert_eq!(judged(&document).expect("under it").tier, Tier::Notify);
    document.assets[place].rent_ceiling = some(2);
    assert!(judged(&document).is_err());
}
