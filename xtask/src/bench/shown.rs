//! Figures for people: the requests as a table, the rest as it is.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The same for people.
pub(super) fn table(figures: &Value) -> Result<String> {
    let mut text = String::from("\n");
    let hello: BTreeMap<u64, f64> = rows(figures)?
        .filter(|row| {
            row.get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| name.starts_with("hello"))
        })
        .filter_map(|row| {
            Some((
                row.get("connections")?.as_u64()?,
                row.get("p50_us")?.as_f64()?,
            ))
        })
        .collect();
    text.push_str(&format!(
        "{:<26} {:>5} {:>10} {:>10} {:>10} {:>9}\n",
        "", "conns", "p50 us", "p99 us", "per s", "x hello"
    ));
    for row in rows(figures)? {
        let number = |name: &str| row.get(name).and_then(Value::as_f64).unwrap_or_default();
        let connections = row
            .get("connections")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let base = hello.get(&connections).copied().unwrap_or(f64::NAN);
        text.push_str(&format!(
            "{:<26} {:>5} {:>10.0} {:>10.0} {:>10.0} {:>9.2}\n",
            row.get("name").and_then(Value::as_str).unwrap_or_default(),
            connections,
            number("p50_us"),
            number("p99_us"),
            number("per_second"),
            number("p50_us") / base,
        ));
    }
    for part in [
        "ceilings_us",
        "cpu_per_request",
        "memory_kib",
        "start_ms",
        "ratios",
        "decode",
        "policy",
    ] {
        let shown = serde_json::to_string_pretty(figures.get(part).context(part)?)?;
        text.push_str(&format!("{part}: {shown}\n"));
    }
    Ok(text)
}

fn rows(figures: &Value) -> Result<impl Iterator<Item = &Value>> {
    let rows = figures
        .get("measured")
        .and_then(Value::as_array)
        .context("measurements")?;
    ensure!(!rows.is_empty(), "nothing was measured");
    Ok(rows.iter())
}
