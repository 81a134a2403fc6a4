//! What is not tried here yet, attack by attack: what is missing and how to fill it in; what is shown elsewhere
//! or in greater numbers there, with the tests that do; and the limits that are stated, not prevented, each with
//! the case that shows it or the reason why none can.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::cases;
use crate::catalogue::SECTIONS;

/// Attacks whose things are not built, or not all of them. An attack with a case here has a part that
/// is still to come.
pub(crate) const PENDING: &[(&str, &str)] = &[];

/// Attacks, or parts of them, that are carried out where one writer, one decoder or a simulated machine stands
/// alone, and so in far greater numbers. An attack with a case here has a part that is shown there.
pub(crate) const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "P29",
        &[
            "signer/src/core/tests/dead_man.rs::invariant_16_without_a_word_from_an_owner_everything_pauses",
            "signer/src/core/tests/dead_man.rs::invariant_16_the_dead_man_pause_needs_nobody_to_ask",
            "signer/src/core/tests/dead_man.rs::invariant_11_the_dead_man_time_is_run_time",
            "signer/src/core/tests/dead_man.rs::any_accepted_word_of_an_owner_counts_and_no_other",
        ],
    ),
    // Prevented at the owner's side, by what the owner verifies there.
    (
        "T13",
        &[
            "signer/src/core/tests/alarm.rs::the_heartbeat_says_what_the_state_is",
            "shared/src/heartbeat_tests.rs::the_payments_that_wait_are_all_named",
            "shared/src/heartbeat_tests.rs::a_changed_heartbeat_does_not_verify",
            "cli/src/witness.rs::a_heartbeat_counts_by_the_pinned_key_and_goes_on",
        ],
    ),
    (
        "P05",
        &[
            "signer/src/core/tests/owner.rs::invariant_14_a_statement_is_used_once_and_expires",
            "signer/src/core/tests/stop.rs::invariant_11_a_clock_step_closes_signing_until_the_owner_states_the_time",
            "signer/src/core/clock.rs::invariant_11_a_wall_step_closes_and_moves_no_lower_bound",
        ],
    ),
    // Every order of decisions, where the one writer decides: 10^5 in one run.
    (
        "P10",
        &[
            "signer/src/core/tests/interleavings.rs::invariant_14_in_every_order_a_no_and_a_stop_are_final",
        ],
    ),
    (
        "T15",
        &[
            "signer/src/core/tests/interleavings.rs::invariant_14_in_every_order_a_no_and_a_stop_are_final",
        ],
    ),
    (
        "P20",
        &[
            "signer/src/core/tests/interleavings.rs::invariant_10_in_every_order_what_stops_or_tightens_holds_at_once",
        ],
    ),
    (
        "P28",
        &[
            "signer/src/core/tests/interleavings.rs::invariant_10_in_every_order_what_stops_or_tightens_holds_at_once",
        ],
    ),
    // Ends and lost or torn writes by the thousand, from one seed each.
    (
        "P35",
        &[
            "tests/tests/crash.rs::fifty_kills_minus_nine_lose_and_double_nothing",
            "signer/src/authority/simulation/mod.rs::simulated_runs_keep_every_invariant_first_half",
            "signer/src/authority/simulation/mod.rs::simulated_runs_keep_every_invariant_second_half",
        ],
    ),
    (
        "T08",
        &["signer/src/core/tests/spend.rs::invariant_06_hoarding_ends_at_the_outstanding_cap"],
    ),
    // What no socket need carry: the bytes alone.
    (
        "X05",
        &[
            "shared/tests/transaction/changes.rs::single_byte_changes_solana",
            "tests/tests/effects/main.rs::messages_do_what_a_second_calculator_says",
        ],
    ),
    (
        "E06",
        &[
            "shared/tests/transaction/changes.rs::single_byte_changes_evm",
            "tests/tests/effects/main.rs::evm_transactions_do_what_a_second_calculator_says",
        ],
    ),
    (
        "E17",
        &["shared/tests/transaction/signatures.rs::faulty_secp256k1_signatures_never_leave"],
    ),
    (
        "P06",
        &[
            "signer/src/core/tests/approvals.rs::invariant_17_an_approval_goes_with_an_owner_who_is_removed",
            "signer/src/core/tests/approvals.rs::invariant_17_an_approval_counts_by_the_quorum_of_its_release",
        ],
    ),
    (
        "P07",
        &[
            "signer/src/core/tests/owners.rs::invariant_14_a_quorum_counts_distinct_registered_keys",
            "signer/src/core/tests/intent.rs::invariant_14_an_approval_takes_as_many_owners_as_must_sign",
        ],
    ),
    (
        "P14",
        &[
            "signer/src/core/tests/owners.rs::invariant_17_a_new_owner_takes_rehearsal_quorum_password_and_72_hours",
        ],
    ),
];

/// What SECURITY.md states and nothing here prevents.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    /// The cases that show it, or how far it goes.
    pub(crate) cases: &'static [&'static str],
    /// Tests elsewhere that show it.
    pub(crate) tests: &'static [&'static str],
    /// Why nothing that runs beside a signer can show it.
    pub(crate) reason: &'static str,
}

const fn limit(
    what: &'static str,
    cases: &'static [&'static str],
    tests: &'static [&'static str],
) -> Limit {
    Limit {
        what,
        cases,
        tests,
        reason: "",
    }
}

/// All of them. Each has a case, a test or a reason.
pub(crate) const LIMITS: &[Limit] = &[
    limit(
        "the whole of an older state restored, where nobody kept a newer head",
        &["P31"],
        &["tests/tests/restored.rs::without_a_kept_head_a_restored_copy_is_believed"],
    ),
    limit(
        "root and the kernel: no other user reads or moves the signer",
        &["W21", "W22", "W23"],
        &["signer/tests/sandbox/key_memory.rs::root_reads_the_heap_but_no_secret"],
    ),
    limit(
        "two signatures for one purpose that both land after a halt of the chain: both are charged",
        &["T10"],
        &[
            "signer/src/core/tests/replace.rs::invariant_05_a_second_try_is_a_new_payment_that_names_the_first_and_is_charged_again",
        ],
    ),
    limit(
        "an owner who was never told cannot cancel: a signed heartbeat names what waits, one that is missing or old tells",
        &["T13"],
        &[],
    ),
    limit(
        "EVM signatures made before a kill stay valid, up to the outstanding cap",
        &["T16", "T08"],
        &[],
    ),
    Limit {
        what: "a virtual machine's snapshot that brings memory back",
        cases: &[],
        tests: &[],
        reason: "the machine goes on as it was: no program inside it can tell, and no test from inside can do it",
    },
    limit(
        "old backups keep the old password",
        &[],
        &["signer/src/vault/tests.rs::a_password_change_re_encrypts"],
    ),
    limit(
        "whoever holds the owner's key is only slowed down: what loosens and who may sign waits",
        &["P14", "P21"],
        &[],
    ),
    limit(
        "a bearer session is spent by whoever speaks for the gateway, within its policy",
        &["W11"],
        &[],
    ),
];

impl Limit {
    /// By what it is shown.
    pub(crate) fn shown(&self) -> String {
        let named: Vec<_> = self.cases.iter().chain(self.tests).copied().collect();
        if named.is_empty() {
            self.reason.to_owned()
        } else {
            named.join(", ")
        }
    }
}

/// Every attack is a case, or pending, or shown elsewhere; nothing is listed that the catalogue does
/// not know; and there are as many as there should be.
pub(crate) fn complete() -> Result<()> {
    let known: Vec<_> = SECTIONS
        .iter()
        .flat_map(|section| section.attacks)
        .map(|attack| attack.id)
        .collect();
    let distinct: BTreeSet<_> = known.iter().copied().collect();
    ensure!(distinct.len() == known.len(), "an attack is listed twice");
    let expected = [
        ("W", 20),
        ("T", 15),
        ("P", 36),
        ("R", 8),
        ("X", 16),
        ("E", 16),
    ];
    for (letter, count) in expected {
        let found = known.iter().filter(|id| id.starts_with(letter)).count();
        ensure!(found == count, "{found} attacks {letter}, not {count}");
    }
    for id in &known {
        let case = cases::of(id).is_some();
        let pending = PENDING.iter().any(|(pending, _)| pending == id);
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| other == id);
        ensure!(case || pending || elsewhere, "{id} is silently absent");
    }
    let cased = cases::ALL.iter().copied().flatten().map(|case| case.id);
    let listed = cased
        .chain(PENDING.iter().map(|(id, _)| *id))
        .chain(ELSEWHERE.iter().map(|(id, _)| *id));
    for id in listed {
        ensure!(distinct.contains(id), "{id} is not in the catalogue");
    }
    for limit in LIMITS {
        ensure!(
            !limit.shown().is_empty(),
            "neither a case nor a reason for: {}",
            limit.what
        );
        for id in limit.cases {
            let case = cases::of(id).is_some();
            ensure!(case, "{id} is no case and shows no limit");
        }
    }
    let cases: Vec<_> = cases::ALL
        .iter()
        .copied()
        .flatten()
        .map(|case| case.id)
        .collect();
    let once: BTreeSet<_> = cases.iter().collect();
    ensure!(once.len() == cases.len(), "an attack has two cases");
    Ok(())
}

/// The tests named for what is shown elsewhere exist.
pub(crate) fn elsewhere_exists() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let elsewhere = ELSEWHERE.iter().flat_map(|(_, tests)| *tests);
    let limits = LIMITS.iter().flat_map(|limit| limit.tests);
    for test in elsewhere.chain(limits) {
        let (path, name) = test.split_once("::").unwrap_or((test, ""));
        let source = std::fs::read_to_string(root.join(path))?;
        ensure!(
            source.contains(&format!("fn {name}()")),
            "{test} does not exist"
        );
    }
    Ok(())
}
