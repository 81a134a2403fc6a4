//! How much of a benchmark is run: in earnest, or for a moment to see that it works; and whether the documentation
//! has a line for what was measured.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::workspace;

/// Where every benchmark is listed.
const LISTED: &str = "docs/performance.md";

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// For figures.
    Full,
    /// For a moment: no figure is worth anything.
    Check,
}

impl Effort {
    /// Rounds of what is run so often in earnest.
    pub(super) fn rounds(self, full: u32) -> u32 {
        match self {
            Self::Full => full,
            Self::Check => (full / 500).max(4),
        }
    }

    /// Requests, in place of so many.
    pub(super) fn requests(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Check => (full / 500).max(4),
        }
    }
}

/// Whether each that was measured is listed by its name.
pub(super) fn listed(figures: &Value) -> Result<()> {
    let text = std::fs::read_to_string(workspace::root()?.join(LISTED)).context(LISTED)?;
    let mut names = Vec::new();
    for part in ["decode", "policy", "ceilings_us", "ratios"] {
        let part = figures.get(part).and_then(Value::as_object);
        names.extend(part.into_iter().flat_map(|part| part.keys().cloned()));
    }
    let measured = figures.get("measured").and_then(Value::as_array);
    for row in measured.into_iter().flatten() {
        let name = row.get("name").and_then(Value::as_str);
        names.push(name.context("what was measured has a name")?.to_owned());
    }
    ensure!(!names.is_empty(), "nothing was measured");
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    ensure!(missing.is_empty(), "{LISTED} does not list {missing:?}");
    Ok(())
}
