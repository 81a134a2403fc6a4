//! What passes: asked instead of refused, and the strictest of several documents.

use super::*;

#[test]
fn a_violation_may_ask_instead_if_nothing_else_is_broken() {
    let mut document = sample();
    document.escalations = vec![
        Escalation {
            code: Code::RecipientNotListed,
            action: Action::Ask,
        },
        Escalation {
            code: Code::HourCount,
            action: Action::Tell,
        },
    ];
    document.assets[1].counts.hour = Some(1);
    let stranger = [transfer(1, STRANGER)];
    let verdict = evaluate(&document, &request(&stranger), &Nothing, NOW).expect("asks");
    assert_eq!(verdict.tier, Tier::Approval);
    assert_eq!(verdict.raised_by, [Reason::Asked(Code::RecipientNotListed)]);
    assert_eq!(verdict.asked, [Violation::of(Code::RecipientNotListed)]);
    let past = Past::default().paid(0, 1);
    assert_eq!(
        judge(&document, &stranger, &past),
        Err(vec![Code::HourCount, Code::RecipientNotListed])
    );
}

#[test]
fn the_longest_delay_and_the_strictest_of_all_documents_hold() {
    let mut document = scoped(Scope::EverySession, |rule| {
        rule.delay = Some(Millis::from_hours(2));
    });
    document.approval.quorum = 2;
    let effects = payment(55, 0);
    let one = evaluate(&document, &request(&effects), &Nothing, NOW).expect("waits");
    assert_eq!((one.tier, one.delay), (Tier::Delay, Millis::from_hours(2)));
    let mut other = sample();
    other.release_within = Millis::from_secs(1);
    other.approval.lifetime = Millis::from_secs(2);
    other.first_payment = Some(Tier::Approval);
    let other = evaluate(&other, &request(&effects), &Nothing, NOW).expect("asks");
    assert_eq!(other.delay, crate::policy::document::DELAY_DEFAULT);
    let both = one.clone().strictest(other.clone());
    assert_eq!(
        both,
        Verdict {
            tier: Tier::Approval,
            delay: Millis::from_hours(2),
            quorum: 2,
            approval_lifetime: Millis::from_secs(2),
            release_within: Millis::from_secs(1),
            first_payment: true,
            raised_by: vec![Reason::Amount, Reason::FirstPayment],
            asked: vec![],
        }
    );
    let turned = other.strictest(one);
    assert_eq!((turned.tier, turned.delay), (both.tier, both.delay));
}
