//! The fuzz targets of `fuzz/`, run by a small mutator of our own on every test run: no decoder changes without
//! its target, and none of them needs another toolchain. Whatever is accepted and new becomes a seed, so that a
//! run goes deeper than one change. `WAIAAS_FUZZ_RUNS` is how often each target runs.

#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared with the generators of tests/effects, which use more of it"
)]
#[path = "effects/random.rs"]
mod random;
#[expect(
    unreachable_pub,
    reason = "the library of fuzz/ as libFuzzer's targets see it"
)]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::collections::HashSet;

use random::{Random, blunt};
use targets::TARGETS;

/// Runs of each target, unless the environment says otherwise; fewer of those that are dear.
const RUNS: u64 = 200_000;
/// Inputs that are kept.
const CORPUS: usize = 4096;
/// No input grows beyond this: what is longer is refused by its length.
const LONGEST: usize = 16 * 1024;

/// Runs one target; how many inputs were accepted that are no seeds.
fn fuzz(name: &str) -> u64 {
    let runs =
        std::env::var("WAIAAS_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().expect("a number"));
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.expect("a target's name");
    let mut corpus = (target.seeds)();
    for seed in &corpus {
        assert!((target.run)(seed), "{name}: a seed is refused");
    }
    let mut known: HashSet<Vec<u8>> = corpus.iter().cloned().collect();
    let mut random = Random::new(1);
    let mut accepted = 0;
    for _ in 0..runs / target.cost {
        let mut input = random.pick(&corpus);
        if random.chance(20) {
            // The beginning of one, the end of another.
            let other = random.pick(&corpus);
            input.truncate(random.below(input.len() + 1));
            input.extend_from_slice(
                other
                    .get(random.below(other.len() + 1)..)
                    .unwrap_or_default(),
            );
        }
        blunt(&mut random, &mut input);
        input.truncate(LONGEST);
        if (target.run)(&input) && !known.contains(&input) {
            accepted += 1;
            if corpus.len() < CORPUS {
                corpus.push(input.clone());
                known.insert(input);
            }
        }
    }
    accepted
}

/// A test for each, so that they run side by side. Each must get beyond its seeds: else it tests refusals alone.
macro_rules! fuzzed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                assert!(fuzz(stringify!($name)) > 100, "hardly an input was accepted");
            }
        )*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|target| target.name), run);
        }
    };
}

fuzzed! {
    solana_message
    wire_transaction
    brought_transaction
    evm_transaction
    policy_toml
    policy_canonical
    statement
    log_event
    signed_head
    heartbeat
    request_signature
    request_body
    sign_in_body
    authorization_body
    abi_call
    frame_table
    frames
    answers
    keystore
}
