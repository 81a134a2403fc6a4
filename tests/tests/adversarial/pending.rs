//! What is not tried here yet, attack by attack: what is missing and how to fill it in; what only a
//! simulated clock can show, with the tests that do; and the limits that are stated, not prevented.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::cases;
use crate::catalogue::SECTIONS;

/// Attacks whose things are not built, or not all of them. An attack with a case here has a part that
/// is still to come.
pub(crate) const PENDING: &[(&str, &str)] = &[
    (
        "T01",
        "waiting payments: open one of DELAY size, ask for its release at once, at half time, one \
             millisecond early by the signer's own clock; each refused, then held back by O3",
    ),
    (
        "T02",
        "waiting payments: the same fields in the request that opens or releases one",
    ),
    (
        "T03",
        "waiting payments: restart during the wait; the time left never shrinks over the time off",
    ),
    (
        "T04",
        "waiting payments: release with bytes whose effect differs in recipient, amount, asset, or \
             whose fee is above the ceiling; equal effect with a fresh blockhash passes",
    ),
    (
        "T05",
        "waiting payments: open up to the cap, let all mature, release all together; charged at \
             signing, within every window, the rest refused or expired",
    ),
    (
        "T06",
        "cumulative tiers: parts that add up to DELAY size must wait",
    ),
    (
        "T07",
        "a durable nonce in the bytes that release a waiting payment",
    ),
    (
        "T11",
        "approvals: one approved payment released fifty times with fresh blockhashes, signed once",
    ),
    (
        "T13",
        "heartbeat with what waits: withheld by the gateway, the owner's side raises an alarm",
    ),
    (
        "T15",
        "waiting payments: cancel races with release; after an acknowledged cancel no signature",
    ),
    (
        "P01",
        "approvals: the same forgeries over an approval's text",
    ),
    (
        "P02",
        "approvals: one approval for two releases, at once, behind a restart",
    ),
    (
        "P03",
        "approvals: A's approval for B of equal amount, other wallet, chain, signer",
    ),
    (
        "P04",
        "approvals: each bit of an approval's text and of its binding fields",
    ),
    (
        "P06",
        "owner removal and suspension: a decision of a suspended owner, or from before a policy's \
             epoch, releases nothing",
    ),
    (
        "P07",
        "quorum of two: the same key twice, two envelopes of one key, a second form of its signature",
    ),
    (
        "P09",
        "approval and rejection as two more kinds in the matrix",
    ),
    (
        "P10",
        "approval and rejection: each before the other and both at once; denial is final",
    ),
    (
        "P11",
        "approvals: long reasons, look-alike recipients; the text states all effects",
    ),
    (
        "P12",
        "approvals: a small payment's text shown, a large one's submitted",
    ),
    (
        "P14",
        "enrolment of a further owner by quorum, password and 72 hours",
    ),
    (
        "P15",
        "approvals: a thousand open at once are capped, identical ones merged",
    ),
    ("P18", "pools: leaving and joining a pool sheds nothing"),
    (
        "P19",
        "approvals: an approved payment is charged and clears no counter",
    ),
    (
        "P25",
        "ceiling prices in a policy: only the owner's price is used, in USD limits",
    ),
    (
        "P26",
        "approval and login texts as two more kinds in the matrix of forged releases",
    ),
    (
        "P29",
        "the dead-man option: no heartbeat of the owner for its days pauses",
    ),
    (
        "P36",
        "intents in the gateway's older database: unknown to the signer, cancelled there, or expired",
    ),
];

/// Attacks that only a clock in the test's hand can carry out: this program runs the real process.
pub(crate) const ELSEWHERE: &[(&str, &[&str])] = &[(
    "P05",
    &[
        "signer/src/core/tests/owner.rs::invariant_14_a_statement_is_used_once_and_expires",
        "signer/src/core/tests/stop.rs::invariant_11_a_clock_step_closes_signing_until_the_owner_states_the_time",
        "signer/src/core/clock.rs::invariant_11_a_wall_step_closes_and_moves_no_lower_bound",
    ],
)];

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
        " (pending: T13)",
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
    let expected = [("W", 20), ("T", 15), ("P", 36), ("X", 16), ("E", 16)];
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
