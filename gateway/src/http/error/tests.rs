//! Refusals as clients read them.

use super::*;
use waiaas_shared::caip::ChainId;
use waiaas_shared::time::Millis;

fn limit(code: Code, allowed: u128, wait: Option<u64>) -> Violation {
    let asset = ChainId::Evm(1).native_asset();
    let amount = Amount::from_base_units;
    Violation {
        retry_after: wait.map(Millis::from_millis),
        ..Violation::limit(code, asset, amount(100), amount(allowed))
    }
}

fn problem(violations: Vec<Violation>) -> ProblemBody {
    *Problem::denied(&Denial::from_violations(violations).expect("some")).0
}

#[test]
fn the_smallest_limit_is_what_may_be_paid_now() {
    let told = problem(vec![
        limit(Code::PerTransactionLimit, 50, None),
        limit(Code::HourLimit, 7, Some(1500)),
    ]);
    assert_eq!(told.allowed_now.as_deref(), Some("7"));
    assert_eq!(told.status, 403);
    // The first rule never passes by waiting.
    assert_eq!(told.retry_after_seconds, None);
    let told = problem(vec![
        limit(Code::HourLimit, 7, Some(1500)),
        limit(Code::DayLimit, 9, Some(9001)),
    ]);
    assert_eq!(told.retry_after_seconds, Some(10));
    // Nothing is left: no amount is named.
    let told = problem(vec![limit(Code::HourLimit, 0, Some(1500))]);
    assert_eq!(told.allowed_now, None);
    assert!(
        told.hint.starts_with("Wait for retry_after_seconds"),
        "{}",
        told.hint
    );
}

#[test]
fn no_hint_names_a_field_that_is_absent() {
    for code in Code::ALL {
        let told = problem(vec![Violation::of(*code)]);
        let named = told.hint.contains("retry_after_seconds");
        assert!(!named || told.retry_after_seconds.is_some(), "{code}");
    }
    let rent = problem(vec![limit(Code::RentCeiling, 7, None)]);
    assert!(rent.hint.starts_with("Ask the owner"), "{}", rent.hint);
}

#[test]
fn no_amount_is_promised_where_another_rule_stands_in_the_way() {
    let other = Violation::of(Code::RecipientNotListed);
    let told = problem(vec![limit(Code::HourLimit, 7, Some(1)), other]);
    assert_eq!(told.allowed_now, None);
    assert_eq!(told.retry_after_seconds, None);
    assert_eq!(told.violations.len(), 2);
}

#[test]
fn a_state_outranks_a_rule() {
    let told = problem(vec![
        limit(Code::HourLimit, 7, Some(1)),
        Violation::of(Code::Locked),
    ]);
    assert_eq!((told.status, told.code.as_str()), (503, "locked"));
    assert_eq!(told.retry_after_seconds, None);
}

#[test]
fn every_code_has_a_status_for_refusals_and_a_name_of_its_own() {
    for code in Code::ALL {
        assert!(
            status_of(*code).is_client_error() || status_of(*code).is_server_error(),
            "{code}"
        );
    }
    for (place, code) in GatewayCode::ALL.iter().enumerate() {
        assert!(Code::from_text(code.as_str()).is_none(), "{code:?}");
        let later = GatewayCode::ALL.iter().skip(place + 1);
        assert!(
            later
                .into_iter()
                .all(|other| other.as_str() != code.as_str()),
            "{code:?}"
        );
        assert!(code.status().as_u16() >= 400 && code.message().ends_with('.'));
    }
}

/// docs/api.md has a row for each code of the gateway's own, with its status.
#[test]
fn every_code_of_the_gateway_is_documented() {
    let document = include_str!("../../../../docs/api.md");
    for code in GatewayCode::ALL {
        let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
        assert!(document.contains(&row), "docs/api.md lacks {row}");
    }
}

#[test]
fn problems_are_problem_json() {
    let response = Problem::of(GatewayCode::Overloaded).into_response();
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(response.headers()["retry-after"], "1");
}
