//! Payments in words, as the gateway tells of them: shown, never believed.

use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::table::{Table, pairs};

/// A payment that has failed is not a success of the command that shows it.
pub(super) fn ended_well(payment: &Value) -> Result<(), Failure> {
    match payment.get("status").and_then(Value::as_str) {
        Some(status @ ("FAILED" | "CANCELLED" | "EXPIRED")) => {
            let detail = payment
                .get("detail")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let failure =
                Failure::new(Exit::Failure, format!("the payment is {status}")).why(detail);
            Err(match second_try(payment, status) {
                Some(advice) => failure.next(advice),
                None => failure,
            })
        }
        _ => Ok(()),
    }
}

/// What an agent can do about a signed payment whose end nobody saw.
fn second_try(payment: &Value, status: &str) -> Option<String> {
    let text = |field: &str| payment.get(field).and_then(Value::as_str);
    let replaceable = status == "EXPIRED"
        && text("network")?.starts_with("solana:")
        && text("chain_transaction").is_some()
        && text("replaced_by").is_none();
    replaceable.then(|| {
        format!(
            "if it is still wanted, the same payment with --replaces {}; both are charged",
            text("transaction").unwrap_or_default()
        )
    })
}

pub(super) fn payment_words(payment: &Value) -> String {
    let shown = [
        "transaction",
        "type",
        "status",
        "stuck",
        "wallet",
        "network",
        "asset",
        "to",
        "seed",
        "stake_account",
        "function",
        "args",
        "data",
        "accounts",
        "amount_base",
        "transfers",
        "memo",
        "fee_max_base",
        "fee_paid_base",
        "tier",
        "waits_for",
        "ready_at",
        "expires_at",
        "chain_transaction",
        "nonce",
        "submit",
        "replaces",
        "cancels",
        "replaced_by",
        "detail",
        "signed_transaction",
        "signatures_missing",
    ];
    let pairs_shown: Vec<_> = shown
        .iter()
        .filter_map(|field| match payment.get(*field) {
            None | Some(Value::Null) => None,
            // Only what is out of the ordinary is told.
            Some(Value::Bool(said)) if *said == (*field == "submit") => None,
            Some(Value::String(text)) => Some((*field, text.clone())),
            Some(other) => Some((*field, other.to_string())),
        })
        .collect();
    let mut words = pairs(&pairs_shown);
    if let Some(advice) = waiting_advice(payment) {
        words.push_str(advice);
    }
    if payment.get("replay").and_then(Value::as_bool) == Some(true) {
        words.push_str(
            "This is the earlier payment of this idempotency key; nothing was charged again.\n",
        );
    }
    words
}

/// What a payment that is not signed yet waits for, and what follows.
fn waiting_advice(payment: &Value) -> Option<&'static str> {
    if payment.get("status").and_then(Value::as_str) != Some("QUEUED") {
        return None;
    }
    let sent = payment.get("submit").and_then(Value::as_bool) != Some(false);
    Some(match (payment.get("waits_for").is_some(), sent) {
        (true, true) => {
            "Waiting for the owner's signature; it is paid after that without another request.\n"
        }
        (true, false) => {
            "Waiting for the owner's signature; ask again with the same --idempotency-key for the signed bytes.\n"
        }
        (false, true) => "Waiting for its delay; it is paid after that without another request.\n",
        (false, false) => {
            "Waiting for its delay; ask again after it with the same --idempotency-key for the signed bytes.\n"
        }
    })
}

pub(super) fn list_words(page: &Value) -> String {
    let mut table = Table::new(&[
        "TRANSACTION",
        "TYPE",
        "STATUS",
        "AMOUNT (BASE UNITS)",
        "ASSET",
        "TO",
    ]);
    let payments = page
        .get("transactions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for payment in payments {
        let text = |field: &str| {
            payment
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        table.row([
            text("transaction"),
            text("type"),
            text("status"),
            text("amount_base"),
            text("asset"),
            text("to"),
        ]);
    }
    let mut words = if table.is_empty() {
        "No payment yet.\n".to_owned()
    } else {
        table.to_string()
    };
    if let Some(next) = page.get("next").and_then(Value::as_u64) {
        words.push_str(&format!("Older ones: --before {next}\n"));
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payment_that_waits_says_for_what() {
        let queued = |more: Value| {
            let mut payment = json!({ "transaction": "tx_1", "status": "QUEUED", "submit": true });
            for (name, value) in more.as_object().unwrap() {
                payment[name] = value.clone();
            }
            assert!(ended_well(&payment).is_ok());
            payment_words(&payment)
        };
        let asks = queued(
            json!({ "tier": "APPROVAL", "waits_for": "owner", "expires_at": "2026-11-21T22:00:00Z" }),
        );
        assert!(
            asks.contains("owner's signature") && asks.contains("expires_at   2026"),
            "{asks}"
        );
        let delayed =
            queued(json!({ "ready_at": "2026-11-21T10:15:00Z", "detail": "Not signed yet: x" }));
        assert!(
            delayed.contains("its delay")
                && delayed.contains("10:15")
                && delayed.contains("yet: x"),
            "{delayed}"
        );
        let own = queued(json!({ "submit": false }));
        assert!(own.contains("same --idempotency-key"), "{own}");
        assert!(!payment_words(&json!({ "status": "CONFIRMED" })).contains("Waiting"));
        let usual = json!({ "type": "approve", "submit": true, "stuck": false, "cancels": false });
        let words = payment_words(&usual);
        assert!(
            words.starts_with("type") && words.lines().count() == 1,
            "{words}"
        );
        let unusual = json!({ "submit": false, "stuck": true, "cancels": true });
        assert_eq!(payment_words(&unusual).lines().count(), 3);
    }

    #[test]
    fn a_failed_payment_fails_the_command() {
        assert!(ended_well(&json!({ "status": "CONFIRMED" })).is_ok());
        assert!(ended_well(&json!({ "status": "SUBMITTED" })).is_ok());
        let failed = ended_well(&json!({ "status": "FAILED", "detail": "no funds" })).unwrap_err();
        assert_eq!(failed.human(), "waiaas: the payment is FAILED: no funds");
        let mut expired = json!({
            "transaction": "tx_1", "status": "EXPIRED", "network": "solana:localnet",
            "detail": "unseen", "chain_transaction": "5x",
        });
        let advice = |payment: &Value| ended_well(payment).unwrap_err().human();
        assert!(
            advice(&expired).contains("--replaces tx_1"),
            "{}",
            advice(&expired)
        );
        for (field, value) in [
            ("replaced_by", json!("tx_2")),
            ("network", json!("eip155:1")),
            ("chain_transaction", Value::Null),
        ] {
            let before = expired.get(field).cloned();
            expired[field] = value;
            assert!(!advice(&expired).contains("--replaces"), "{field}");
            expired[field] = before.unwrap_or(Value::Null);
        }
    }
}
