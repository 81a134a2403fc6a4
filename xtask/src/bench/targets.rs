//! Figures held to their targets (`--assert`): a command of its own, on a machine that does nothing else; no test
//! asserts a time. Whatever was measured says its own target, and one that misses it ends the command with an error.

use anyhow::{Result, ensure};
use serde_json::Value;

/// Holds every figure that has a target below which it must be.
pub(super) fn hold(figures: &Value) -> Result<()> {
    let (mut held, mut missed) = (0_u32, Vec::new());
    walk("", figures, &mut |name, value, target| {
        held += 1;
        // What is no number is below nothing.
        let holds = value < target;
        if !holds {
            missed.push(format!("{name} is {value}, its target is below {target}"));
        }
    });
    ensure!(held > 0, "no figure has a target");
    ensure!(missed.is_empty(), "{}", missed.join("\n"));
    Ok(())
}

fn walk(name: &str, figures: &Value, found: &mut impl FnMut(&str, f64, f64)) {
    let Some(fields) = figures.as_object() else {
        return;
    };
    if let Some(target) = fields.get("target_below").and_then(Value::as_f64) {
        let value = fields.get("value").or_else(|| fields.get("value_us"));
        let value = value.and_then(Value::as_f64).unwrap_or(f64::NAN);
        found(name, value, target);
    }
    for (field, inner) in fields {
        let name = if name.is_empty() {
            field.clone()
        } else {
            format!("{name}.{field}")
        };
        walk(&name, inner, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_that_misses_its_target_is_named() {
        let figures = |value: Value, other: f64| {
            json!({
                "decode": { "evm": { "value_us": other, "target_below": 2.0, "bytes": 51 }, "digest_us": 9.0 },
                "policy": { "replay": { "value": value, "target_below": 2000.0, "wall": 9000.0 } },
            })
        };
        assert!(hold(&figures(json!(1999.9), 1.9)).is_ok());
        for (value, other, named) in [
            (json!(2000.0), 1.9, "policy.replay is 2000"),
            (json!(10.0), 2.5, "decode.evm is 2.5"),
            (Value::Null, 1.0, "policy.replay is NaN"),
        ] {
            let missed = hold(&figures(value, other)).unwrap_err().to_string();
            assert!(missed.contains(named), "{missed}");
            assert_eq!(missed.lines().count(), 1, "{missed}");
        }
        let all = hold(&figures(json!(2000.0), 2.0)).unwrap_err().to_string();
        assert_eq!(all.lines().count(), 2, "{all}");
        assert!(
            hold(&json!({ "measured": 1.0 })).is_err(),
            "nothing was held"
        );
    }
}
