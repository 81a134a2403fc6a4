//! The lines of a waiting payment that breaks rules of policy which ask instead of refusing: each rule in
//! words, what the payment comes to under it, and what it allows.

use super::lines::Lines;
use super::unit::Unit;
use crate::amount::{Amount, Decimals};
use crate::denial::{Code, Violation};
use crate::intent::Intent;
use crate::policy::document::PolicyDocument;
use crate::policy::items::window_in_words;
use crate::request::Action;

/// Limits in USD count millionths of it.
const USD: Decimals = match Decimals::new(6) {
    Ok(decimals) => decimals,
    Err(_) => panic!("at most 36 places"),
};

/// What a rule counts in.
#[derive(Clone, Copy)]
enum Counts {
    Units,
    Payments,
    Dollars,
    Nothing,
}

/// What approving it does, of a payment that breaks rules; none if it breaks none, or says another sentence.
pub(super) fn purpose(intent: &Intent) -> Option<&'static str> {
    let breaks = intent.asked.is_some() && intent.action() == Action::Transfer;
    breaks.then_some(
        "Signing this makes the payment below, once, although it breaks the rules of your policy that are named below.",
    )
}

pub(super) fn write(
    lines: &mut Lines,
    intent: &Intent,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let broken = intent.asked.iter().flatten();
    let broken: Vec<String> = broken
        .map(|rule| words(rule, policy))
        .collect::<Result<_, _>>()?;
    lines.list("Breaks your rule", &broken);
    Ok(())
}

fn words(broken: &Violation, policy: Option<&PolicyDocument>) -> Result<String, Code> {
    let (rule, counts) = rule(broken.code).ok_or(Code::StatementMalformed)?;
    let rule = placed(rule, counts, broken);
    let value = |amount: Amount| match counts {
        Counts::Units => broken
            .asset
            .map(|asset| Unit::of(asset, policy).amount_of_asset(amount)),
        Counts::Dollars => Some(format!("{} USD", amount.format_decimal(USD))),
        Counts::Payments => Some(amount.to_string()),
        Counts::Nothing => None,
    };
    let values = match (counts, broken.observed, broken.allowed) {
        (Counts::Nothing, None, None) => return Ok(rule),
        (_, Some(observed), Some(allowed)) => value(observed).zip(value(allowed)),
        _ => None,
    };
    let (observed, allowed) = values.ok_or(Code::StatementMalformed)?;
    // A limit in payments says their number with this one; one on amounts what is left for this one.
    let words = match counts {
        Counts::Payments => format!("{rule}: with this one {observed}, allowed {allowed}"),
        _ => format!("{rule}: this takes {observed}, allowed now {allowed}"),
    };
    Ok(
        match broken.asset.filter(|_| matches!(counts, Counts::Payments)) {
            Some(asset) => format!("{words}, of {asset}"),
            None => words,
        },
    )
}

/// A rule with all that tells it from another one of its kind: whom it is about, its window, its scope.
fn placed(rule: &str, counts: Counts, broken: &Violation) -> String {
    let mut words = rule.to_owned();
    if let Some(recipient) = broken.recipient {
        let says = if matches!(counts, Counts::Nothing) {
            ": "
        } else {
            ", "
        };
        words.push_str(&format!("{says}{}", recipient.account()));
    }
    // Of all others the rule says it.
    let of_any_window = matches!(
        broken.code,
        Code::RecipientLimit | Code::RecipientCount | Code::UsdLimit | Code::PaymentCount
    );
    match broken.window {
        Some(window) if of_any_window => {
            words.push_str(&format!(", in any {}", window_in_words(window)));
        }
        None if of_any_window => words.push_str(", in one transaction"),
        _ => {}
    }
    if let Some(scope) = &broken.scope {
        words.push_str(&format!(" (scope {scope})"));
    }
    words
}

/// A rule about which owners may be asked, as they would say it.
const fn rule(code: Code) -> Option<(&'static str, Counts)> {
    Some(match code {
        Code::PerTransactionLimit => ("the most in one transaction", Counts::Units),
        Code::HourLimit => ("the most in any hour", Counts::Units),
        Code::DayLimit => ("the most in any 24 hours", Counts::Units),
        Code::WeekLimit => ("the most in any 7 days", Counts::Units),
        Code::MonthLimit => ("the most in any 30 days", Counts::Units),
        Code::RecipientLimit => ("the most to one recipient", Counts::Units),
        Code::HourCount => ("payments in any hour", Counts::Payments),
        Code::DayCount => ("payments in any 24 hours", Counts::Payments),
        Code::WeekCount => ("payments in any 7 days", Counts::Payments),
        Code::MonthCount => ("payments in any 30 days", Counts::Payments),
        Code::RecipientCount => ("payments to one recipient", Counts::Payments),
        Code::PaymentCount => ("payments of whatever asset", Counts::Payments),
        Code::UsdLimit => ("the most in USD, by your ceiling prices", Counts::Dollars),
        Code::RecipientNotListed => (
            "who may receive: not a contact of your policy",
            Counts::Nothing,
        ),
        Code::RecipientNotAllowed => (
            "who may receive here: not one of the contacts that a scope allows",
            Counts::Nothing,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::alarm::may_ask;

    #[test]
    fn every_rule_that_may_ask_has_words_and_no_other() {
        for code in Code::ALL {
            assert_eq!(rule(*code).is_some(), may_ask(*code), "{code}");
        }
    }

    /// What says less than its rule needs is not shown at all.
    #[test]
    fn a_rule_without_its_values_is_not_shown() {
        for code in [Code::HourLimit, Code::DayCount, Code::UsdLimit] {
            assert_eq!(
                words(&Violation::of(code), None),
                Err(Code::StatementMalformed),
                "{code}"
            );
        }
    }
}
