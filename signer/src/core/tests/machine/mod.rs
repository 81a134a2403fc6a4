//! The core as a state machine against a small model of its own (`book`): random sequences of commands,
//! signed by real keys, each foreseen by the model, carried out by the core, and compared in full. A
//! sequence is one seed; one that fails prints it, with the shortest list of steps that still fails.
//!
//! More of them: `cargo xtask simulate --sequences 1000000`. One by hand:
//! `WAIAAS_SEEDS=42 cargo test -p waiaas-signer --lib -- --ignored more_sequences`.

mod agrees;
mod alarms;
mod authorized;
mod book;
mod bytes;
mod choose;
mod documents;
mod expect;
mod facts;
mod functions;
mod hands;
mod keys;
mod lives;
mod observed;
mod owners;
mod payments;
mod programs;
mod proven;
mod requests;
mod run;
mod says;
mod setup;
mod shrink;
mod statements;
mod step;
mod stops;
mod tallies;
mod time;
mod tries;
mod variants;
mod waits;
mod wanted;
mod watch;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use self::run::Checked;
use self::setup::world;
use self::shrink::shrink;
use self::step::Step;
use crate::model::random::Random;

/// Runs one seed to its end; the steps that were taken come back either way.
fn sequence(seed: u64, counts: &mut BTreeMap<&'static str, u64>) -> (Vec<Step>, Checked) {
    let mut random = Random::new(seed);
    let mut steps = Vec::new();
    let mut run = || -> Checked {
        let mut run = world(seed)?;
        for _ in 0..random.between(20, 60) {
            let step = choose::next(&mut random, &run.book);
            steps.push(step.clone());
            run.step(&step)?;
        }
        run.folds()?;
        for (what, count) in run.counts {
            *counts.entry(what).or_default() += count;
        }
        Ok(())
    };
    let outcome = catch_unwind(AssertUnwindSafe(&mut run));
    let outcome = outcome.unwrap_or_else(|_| Err("a panic".to_owned()));
    (steps, outcome)
}

/// Runs seeds; fails at the first sequence that does not hold.
fn run(seeds: Range<u64>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let (steps, outcome) = sequence(seed, &mut counts);
        if let Err(why) = outcome {
            eprintln!("sequence {seed} failed after {} steps: {why}", steps.len());
            let (steps, why) = shrink(seed, steps);
            eprintln!(
                "shortest list of steps that still fails, in world {}:",
                seed % setup::WORLDS
            );
            for step in &steps {
                eprintln!("    {step:?}");
            }
            panic!("sequence {seed}: {why}");
        }
    }
    counts
}

/// Sequences that exercise nothing would pass as well.
fn is_no_idle_run(counts: &BTreeMap<&'static str, u64>) {
    for what in [
        "INSTANT",
        "NOTIFY",
        "DELAY",
        "APPROVAL",
        "opened",
        "replayed",
        "sped up",
        "cancelled on its nonce",
        "cancelled",
        "killed",
        "paused",
        "revoked",
        "suspended",
        "restarted",
        "ADOPT POLICY",
        "GRANT SESSION",
        "RELEASE KILL SWITCH",
        "RELEASE PAUSE",
        "WITHDRAW",
        "ATTEST NONCE",
        "STATE TIME",
        "ENROL WITHDRAWAL ADDRESS",
        "REMOVE WITHDRAWAL ADDRESS",
        "APPROVE PAYMENT",
        "REJECT PAYMENT",
        "ADD OWNER",
        "REMOVE OWNER",
        "SET QUORUM",
        "CANCEL OWNER CHANGE",
        "SUSPEND OWNER",
        "LIFT SUSPENSION",
        "CREDIT",
        "renewed",
        "silent",
        "session suspended",
        "SIGN OF LIFE",
        "second try",
        "batch",
        "memo",
        "rent",
        "ERC-20",
        "allowance",
        "call",
        "spends",
        "program",
        "velocity",
        "agent suspended",
        "terminated",
        "authorized",
        "authorized again",
        "REGISTER AGENT",
        "ACTIVATE AGENT",
        "CLOSE WALLET",
        "ROTATE WALLET",
        "hour_limit",
        "day_limit",
        "day_count",
        "week_limit",
        "month_limit",
        "per_transaction_limit",
        "recipient_limit",
        "recipient_denied",
        "recipient_not_listed",
        "recipient_not_allowed",
        "network_not_allowed",
        "asset_not_listed",
        "usd_limit",
        "outside_hours",
        "cool_down",
        "fee_ceiling",
        "outstanding_cap",
        "tier_not_available",
        "tier_raised",
        "session_total",
        "session_per_transaction",
        "session_count",
        "session_wallet",
        "session_asset",
        "session_sign_only",
        "session_revoked",
        "session_expired",
        "session_above_ceiling",
        "idempotency_conflict",
        "request_signature_invalid",
        "request_signature_missing",
        "request_time_skew",
        "intent_not_ready",
        "intent_not_approved",
        "intent_expired",
        "intent_closed",
        "payment_credited",
        "credit_mismatch",
        "killed",
        "frozen",
        "clock_closed",
        "wallet_paused",
        "policy_epoch",
        "admin_only",
        "quorum_missing",
        "owner_suspended",
        "owner_itself",
        "statement_signature",
        "withdrawal_address",
        "nonce_lower",
        "not_suspended",
        "session_not_renewable",
        "session_renewal_early",
        "agent_not_active",
        "agent_suspended",
        "agent_terminated",
        "agent_unknown",
        "wallet_closed",
        "key_known",
        "payment_replaced",
        "replaces_unknown",
        "replaces_other",
        "replaces_taken",
        "replaces_evm",
        "variant_fee",
        "variant_nonce_used",
        "variant_unsupported",
        "variant_cancelled",
        "payment_replaced",
        "solana_only",
        "call_not_listed",
        "call_argument_limit",
        "call_argument_value",
        "call_argument_wallet",
        "call_value",
        "call_conflict",
        "call_target",
        "call_account",
        "call_own_account",
        "call_data",
        "call_accounts",
        "rent_ceiling",
        "authorization_not_listed",
        "authorization_conflict",
        "authorization_validity",
        "authorization_waits",
        "authorization_expired",
        "session_operation",
        "asset_not_allowed",
        "body_mismatch",
        "transaction_undecodable",
    ] {
        let count = counts.get(what).copied().unwrap_or(0);
        assert!(count > 0, "{what} never happened: {counts:#?}");
    }
}

#[test]
fn sequences_agree_with_the_model_first_quarter() {
    is_no_idle_run(&run(0..2500));
}

#[test]
fn sequences_agree_with_the_model_second_quarter() {
    is_no_idle_run(&run(2500..5000));
}

#[test]
fn sequences_agree_with_the_model_third_quarter() {
    is_no_idle_run(&run(5000..7500));
}

#[test]
fn sequences_agree_with_the_model_fourth_quarter() {
    is_no_idle_run(&run(7500..10_000));
}

#[test]
#[ignore = "runs the sequences that WAIAAS_SEEDS names: `cargo xtask simulate --sequences`"]
fn more_sequences() {
    /// Sequences that one thread takes at a time.
    const CHUNK: u64 = 1_000;
    let seeds = crate::model::seeds();
    let all = seeds.end - seeds.start;
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((0, 0, BTreeMap::new()));
    let work = || {
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= seeds.end {
                return;
            }
            let to = (from + CHUNK).min(seeds.end);
            // What failed is printed; the other thousands go on, so that one run finds all there is.
            let counted = catch_unwind(|| run(from..to));
            let mut found = found.lock().expect("nobody panics while holding it");
            let (done, failed, counts) = &mut *found;
            *done += to - from;
            *failed += u64::from(counted.is_err());
            for (what, count) in counted.unwrap_or_default() {
                *counts.entry(what).or_insert(0) += count;
            }
            if *done % (10 * CHUNK) == 0 || *done == all {
                let seconds = began.elapsed().as_secs();
                eprintln!("{done} of {all} sequences after {seconds} s, {failed} thousands failed");
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let (_, failed, counts) = found.into_inner().expect("all threads ended");
    eprintln!("{counts:#?}");
    assert_eq!(failed, 0, "their numbers and steps stand above");
}
