//! Payments in words, as the gateway tells of them: shown, never believed.

use serde_json::Value;
use waiaas_shared::request::Speed;

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
        "commitment",
        "stuck",
        "attention",
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

/// What moved out of and into a wallet.
pub(super) fn history_words(history: &Value) -> String {
    let mut table = Table::new(&[
        "",
        "AMOUNT (BASE UNITS)",
        "ASSET",
        "FROM OR TO",
        "WHEN",
        "STATUS",
    ]);
    let entries = history.get("entries").and_then(Value::as_array);
    for entry in entries.into_iter().flatten() {
        let text = |field: &str| {
            let text = entry.get(field).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let came = text("kind") == "incoming";
        table.row([
            if came { "in" } else { "out" }.to_owned(),
            text("amount_base"),
            text("asset"),
            text(if came { "from" } else { "to" }),
            text(if came { "seen_at" } else { "created_at" }),
            if came {
                "as a node tells".to_owned()
            } else {
                text("status")
            },
        ]);
    }
    let mut words = if table.is_empty() {
        "Nothing has moved yet.\n".to_owned()
    } else {
        table.to_string()
    };
    if let Some(next) = history.get("next").and_then(Value::as_str) {
        words.push_str(&format!("Older ones: --before {next}\n"));
    }
    words
}

/// What sending costs at each speed.
pub(super) fn fee_words(fees: &Value) -> String {
    let mut table = Table::new(&["SPEED", "FEE AT MOST (BASE UNITS)", "PRICE OF A UNIT", ""]);
    for speed in Speed::ALL {
        let text = |field: &str| {
            fees.get(speed.as_str())
                .and_then(|fee| fee.get(field))
                .and_then(Value::as_str)
        };
        let price = text("max_fee_per_gas").map(|price| format!("{price} wei per gas"));
        let price = price.or_else(|| {
            let price = text("micro_lamports_per_compute_unit")?;
            Some(format!("{price} micro-lamports"))
        });
        let above = fees.pointer(&format!("/{}/above_ceiling", speed.as_str()));
        let above = above.and_then(Value::as_bool) == Some(true);
        table.row([
            speed.as_str().to_owned(),
            text("fee_max_base").unwrap_or_default().to_owned(),
            price.unwrap_or_default(),
            if above { "above the ceiling" } else { "" }.to_owned(),
        ]);
    }
    table.to_string()
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
    fn a_history_tells_both_ways() {
        assert!(history_words(&json!({ "entries": [] })).contains("Nothing"));
        let history = json!({ "next": "5.tx_1", "entries": [
            { "kind": "incoming", "amount_base": "7", "from": "Alice", "seen_at": "2026", "asset": "x" },
            { "kind": "payment", "amount_base": "9", "to": "Bob", "created_at": "2025", "status": "CONFIRMED" },
        ] });
        let words = history_words(&history);
        let lines: Vec<&str> = words.lines().collect();
        assert!(
            lines[1].starts_with("in") && lines[1].contains("Alice"),
            "{words}"
        );
        assert!(lines[1].contains("as a node tells"), "{words}");
        assert!(
            lines[2].starts_with("out") && lines[2].contains("CONFIRMED"),
            "{words}"
        );
        assert!(lines[3].contains("--before 5.tx_1"), "{words}");
    }

    #[test]
    fn fees_are_told_at_each_speed() {
        let gas = |fee: &str, above: bool| json!({ "fee_max_base": fee, "above_ceiling": above, "max_fee_per_gas": "9" });
        let fees =
            json!({ "slow": gas("1", false), "normal": gas("2", false), "fast": gas("3", true) });
        let words = fee_words(&fees);
        let lines: Vec<&str> = words.lines().collect();
        assert_eq!(lines.len(), 4, "{words}");
        assert!(
            lines[1].starts_with("slow") && lines[1].contains("9 wei per gas"),
            "{words}"
        );
        assert!(
            !lines[2].contains("above") && lines[3].contains("above the ceiling"),
            "{words}"
        );
        let compute = json!({ "micro_lamports_per_compute_unit": "7" });
        let words = fee_words(&json!({ "slow": compute }));
        assert!(words.contains("7 micro-lamports"), "{words}");
    }

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
