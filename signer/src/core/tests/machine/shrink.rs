//! Cuts a failing list of steps down to what it needs: chunks are left out while it still fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::run::Checked;
use super::setup::world;
use super::step::Step;

/// How often a list is tried again, at most.
const TRIES: usize = 3000;

/// Runs steps in the world of a seed. A panic of the product is a failure like any other.
pub(super) fn replay(seed: u64, steps: &[Step]) -> Checked {
    let run = || -> Checked {
        let mut run = world(seed)?;
        for step in steps {
            run.step(step)?;
        }
        run.folds()
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("a panic".to_owned()))
}

/// The shortest list found that still fails, and how it fails.
pub(super) fn shrink(seed: u64, mut steps: Vec<Step>) -> (Vec<Step>, String) {
    let mut why = match replay(seed, &steps) {
        Err(why) => why,
        Ok(()) => return (steps, "it fails in its own run only".to_owned()),
    };
    let mut chunk = steps.len().div_ceil(2);
    let mut tries = 0;
    while chunk > 0 && tries < TRIES {
        let mut from = 0;
        while from < steps.len() && tries < TRIES {
            tries += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + chunk).min(steps.len()));
            match replay(seed, &fewer) {
                Err(other) => (steps, why) = (fewer, other),
                Ok(()) => from += chunk,
            }
        }
        chunk /= 2;
    }
    (steps, why)
}
