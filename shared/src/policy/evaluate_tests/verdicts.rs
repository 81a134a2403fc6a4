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
    // Owners read whom it is about; whoever is refused knows whom it asked to pay.
    let asked = Violation {
        recipient: AccountId::new(chain(), to(STRANGER)).ok(),
        ..Violation::of(Code::RecipientNotListed)
    };
    assert_eq!(verdict.asked, [asked]);
    let past = Past::default().paid(0, 1);
    assert_eq!(
        judge(&document, &stranger, &past),
        Err(vec![Code::HourCount, Code::RecipientNotListed])
    );
}

/// One code stands for a rule of the asset, of any scope, and of any recipient: owners read of each apart, and whoever
/// is refused is told once.
#[test]
fn what_is_asked_names_its_place() {
    let ask = |code| Escalation {
        code,
        action: Action::Ask,
    };
    let mut document = limited(
        Scope::Pool("ops".to_owned()),
        Limits {
            hour: some(10),
            ..Limits::default()
        },
    );
    document.assets[1].hour = units(10);
    document.assets[1].recipient = Some(Limits {
        per_transaction: some(10),
        hour: some(10),
        ..Limits::default()
    });
    document.escalations = vec![ask(Code::HourLimit), ask(Code::RecipientLimit)];
    let effects = [transfer(20, LISTED)];
    let asked = |document: &PolicyDocument| {
        let verdict = evaluate(document, &request(&effects), &Nothing, NOW);
        verdict.map(|verdict| verdict.asked)
    };
    let hour = Violation {
        window: Some(Window::Hour),
        ..Violation::limit(Code::HourLimit, native(), units(20), units(10))
    };
    let recipient = Violation {
        recipient: AccountId::new(chain(), to(LISTED)).ok(),
        ..Violation::limit(Code::RecipientLimit, native(), units(20), units(10))
    };
    let expected = [
        hour.clone(),
        recipient.clone(),
        Violation {
            window: Some(Window::Hour),
            ..recipient.clone()
        },
        Violation {
            scope: Some(Scope::Pool("ops".to_owned())),
            ..hour.clone()
        },
    ];
    assert_eq!(asked(&document), Ok(expected.to_vec()));
    document.escalations = vec![ask(Code::HourLimit)];
    let refused: Vec<Violation> = [hour, recipient].map(Violation::refused).into();
    let told = asked(&document).map_err(|broken| {
        let broken = broken.into_iter();
        let plain = broken.map(|broken| Violation {
            retry_after: None,
            ..broken
        });
        plain.collect::<Vec<_>>()
    });
    assert_eq!(told, Err(refused));
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
            by_itself: Tier::Approval,
        }
    );
    let turned = other.strictest(one);
    assert_eq!((turned.tier, turned.delay), (both.tier, both.delay));
}
