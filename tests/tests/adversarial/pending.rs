//! What is not tried here yet, attack by attack: what is missing and how to fill it in; what only a
//! simulated clock can show, with the tests that do; and the limits that are stated, not prevented.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::cases;
use crate::catalogue::SECTIONS;

/// Attacks whose things are not built, or not all of them. An attack with a case here has a part that
/// is still to come.
pub(crate) const PENDING: &[(&str, &str)] = &[];

/// Attacks, or parts of them, that only a clock in the test's hand can carry out: this program runs the
/// real process. An attack with a case here has a part that is shown there.
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

/// What SECURITY.md states and nothing here prevents, with the case that shows it.
pub(crate) const LIMITS: &[(&str, &str)] = &[
    (
        "the whole of an older state restored, where nobody kept a newer head",
        " (P31 shows what a kept head sees)",
    ),
    (
        "root and the kernel",
        " (W21 to W23 show what other users cannot do)",
    ),
    (
        "two signatures for one purpose that both land after a halt of the chain; both were charged",
        "",
    ),
    (
        "an owner who was never told cannot cancel",
        " (T13: a signed heartbeat names what waits, and one that is missing or old tells)",
    ),
    (
        "EVM signatures made before a kill stay valid, up to the outstanding cap",
        " (T16, T08)",
    ),
    ("a virtual machine's snapshot that brings memory back", ""),
    ("old backups keep the old password", ""),
    (
        "whoever holds the owner's key is only slowed down",
        " (P21: what loosens waits)",
    ),
    (
        "a bearer session is spent by whoever speaks for the gateway, within its policy",
        " (W11)",
    ),
];

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
    for test in ELSEWHERE.iter().flat_map(|(_, tests)| *tests) {
        let (path, name) = test.split_once("::").unwrap_or((test, ""));
        let source = std::fs::read_to_string(root.join(path))?;
        ensure!(
            source.contains(&format!("fn {name}()")),
            "{test} does not exist"
        );
    }
    Ok(())
}
