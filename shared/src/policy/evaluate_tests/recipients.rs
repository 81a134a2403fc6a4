//! Who may receive, and what reaches further than a payment.

use super::*;

#[test]
fn recipients_are_contacts_unless_open_and_never_the_denied() {
    let none = Past::default();
    let stranger = [transfer(1, STRANGER)];
    let mut document = sample();
    assert_eq!(
        judge(&document, &stranger, &none),
        Err(vec![Code::RecipientNotListed])
    );
    document.recipients_open = true;
    assert_eq!(judge(&document, &stranger, &none), Ok(Tier::Instant));
    document.denied = vec![AccountId::new(chain(), to(STRANGER)).expect("an account")];
    assert_eq!(
        judge(&document, &stranger, &none),
        Err(vec![Code::RecipientDenied])
    );
    assert_eq!(judge(&document, &payment(1, 0), &none), Ok(Tier::Instant));
    // A contact may be denied too, and the address of another family is nobody's.
    document.denied = vec![document.recipients[0].account];
    assert_eq!(
        judge(&document, &payment(1, 0), &none),
        Err(vec![Code::RecipientDenied])
    );
    let foreign = [transfer(1, "11111111111111111111111111111111")];
    assert_eq!(
        judge(&document, &foreign, &none),
        Err(vec![Code::RecipientNotListed])
    );
}

#[test]
fn limits_to_one_recipient_bind_each_by_itself() {
    let mut document = sample();
    document.recipients_open = true;
    document.assets[1].recipient = Some(Limits {
        per_transaction: some(8),
        day: some(10),
        counts: Counts {
            day: Some(2),
            ..Counts::default()
        },
        ..Limits::default()
    });
    let none = Past::default();
    assert_eq!(judge(&document, &payment(8, 5), &none), Ok(Tier::Notify));
    assert_eq!(
        judge(&document, &payment(9, 0), &none),
        Err(vec![Code::RecipientLimit])
    );
    let past = none.paid(1, 6);
    assert_eq!(judge(&document, &payment(4, 0), &past), Ok(Tier::Instant));
    assert_eq!(
        judge(&document, &payment(5, 0), &past),
        Err(vec![Code::RecipientLimit])
    );
    assert_eq!(
        judge(&document, &[transfer(8, STRANGER)], &past),
        Ok(Tier::Instant)
    );
    // Two parts to one recipient are one payment to it.
    let parts = [transfer(4, STRANGER), transfer(5, STRANGER)];
    assert_eq!(
        judge(&document, &parts, &past),
        Err(vec![Code::RecipientLimit])
    );
    let past = past.paid(2, 1);
    assert_eq!(
        judge(&document, &payment(1, 0), &past),
        Err(vec![Code::RecipientCount])
    );
}

#[test]
fn a_first_payment_raises_the_tier_once() {
    let mut document = sample();
    document.first_payment = Some(Tier::Approval);
    let effects = payment(1, 0);
    let verdict = evaluate(&document, &request(&effects), &Nothing, NOW).expect("passes");
    assert_eq!(verdict.tier, Tier::Approval);
    assert!(verdict.first_payment);
    assert_eq!(verdict.raised_by, [Reason::FirstPayment]);
    let past = Past::default().paid(0, 1);
    let verdict = evaluate(&document, &request(&effects), &past, NOW).expect("passes");
    assert_eq!(
        (verdict.tier, verdict.first_payment),
        (Tier::Instant, false)
    );
    assert!(verdict.raised_by.is_empty());
    // Another wallet's payments do not make a recipient known.
    let past = Past::default().other_paid(0, 1);
    assert_eq!(judge(&document, &effects, &past), Ok(Tier::Approval));
    let document = scoped(Scope::EverySession, |rule| {
        rule.first_payment = Some(Tier::Delay)
    });
    assert_eq!(judge(&document, &effects, &past), Ok(Tier::Delay));
}

#[test]
fn leave_to_take_money_counts_in_full_and_asks() {
    let allow = |amount, spender| {
        [Effect::Approval {
            asset: native(),
            spender: to(spender),
            amount: units(amount),
        }]
    };
    let none = Past::default();
    assert_eq!(
        judge(&sample(), &allow(1, LISTED), &none),
        Ok(Tier::Approval)
    );
    assert_eq!(
        judge(&sample(), &allow(1, STRANGER), &none),
        Err(vec![Code::RecipientNotListed])
    );
    assert_eq!(
        judge(&sample(), &allow(81, LISTED), &none),
        Err(vec![Code::TierNotAvailable])
    );
}
