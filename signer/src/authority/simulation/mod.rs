//! The simulator: the very same core and shell as the daemon's, on a simulated machine, driven by a
//! script that is one seed of 64 bits, and judged by a second calculator that shares no rule with it.
//! Compiled for tests alone.

mod checker;
mod decoder;
mod history;
pub(super) mod machine;
pub(super) mod people;
pub(super) mod post;
mod random;
mod script;
pub(super) mod world;

use std::collections::BTreeMap;

/// Steps of one run.
const STEPS: u64 = 60;

fn many(seeds: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        for (what, count) in &script::run(seed, STEPS).counts {
            *counts.entry(what.clone()).or_default() += count;
        }
    }
    counts
}

#[test]
fn seeds_a() {
    let start = std::time::Instant::now();
    let to = std::env::var("SEEDS").map_or(50, |text| text.parse().unwrap());
    let counts = many(0..to);
    eprintln!("{:#?} {:?}", counts, start.elapsed());
}
