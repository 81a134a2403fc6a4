//! A second account of the rules, for tests alone: what the design says of limits, tiers, scopes and
//! binding documents, in plain integers over exact lists of charges. It reads the values that stand in
//! a document and in decoded bytes; it shares no evaluation, window, decoder or fold with the product.
//! Used by the state machine (`core/tests/machine`), the simulator's checker and the day's life.
//!
//! A rule that is new in the product is added once: limits and lists in `policy`, sums in `charges`,
//! what binds in `binding`.

pub(crate) mod asking;
pub(crate) mod binding;
pub(crate) mod calls;
pub(crate) mod charges;
pub(crate) mod decoder;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod programs;
pub(crate) mod random;
pub(crate) mod scopes;

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// Names the seeds of the runs that are asked for by hand: `from-to` (without `to`), or one.
const SEEDS: &str = "WAIAAS_SEEDS";

/// The seeds that are asked for by hand.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var(SEEDS).expect("WAIAAS_SEEDS=from-to, or one seed");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match text.split_once('-') {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
