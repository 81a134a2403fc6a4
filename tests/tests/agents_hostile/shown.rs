//! Which attacks of an agent and of a stolen session are tried where: here, over HTTP, or by tests of the parts, where
//! only a clock, a crash or every order of decisions in the test's hand can carry them out. docs/attacks.md has the same
//! list; what is named there and here has to exist.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Case, amounts, floods, pages, proofs, tokens};

/// Of the attacks that are shown by tests of the parts, too or alone: the file and the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "S02",
        "gateway/src/http/tests/sessions.rs",
        "a_proof_is_not_accepted_again_after_a_restart",
    ),
    (
        "S03",
        "shared/tests/request_signature.rs",
        "covered_parts_cannot_change",
    ),
    (
        "S04",
        "shared/tests/request_signature.rs",
        "other_signature_inputs_are_refused",
    ),
    (
        "S05",
        "gateway/src/http/token_tests.rs",
        "no_other_header_passes",
    ),
    (
        "S06",
        "gateway/src/http/token_tests.rs",
        "no_other_claims_pass",
    ),
    (
        "S07",
        "gateway/src/http/tests/access.rs",
        "an_ended_session_is_refused_everywhere",
    ),
    (
        "S08",
        "gateway/src/http/token_tests.rs",
        "secrets_rotate_and_overlap_a_minute",
    ),
    (
        "S09",
        "shared/tests/request_signature.rs",
        "parameters_cannot_change",
    ),
    (
        "S11",
        "signer/src/core/tests/spend.rs",
        "invariant_09_a_new_session_brings_no_fresh_budget",
    ),
    (
        "S15",
        "signer/src/core/tests/intent.rs",
        "invariant_12_what_stops_signing_stops_releases",
    ),
    (
        "G01",
        "signer/src/core/tests/spend.rs",
        "invariant_09_limits_hold_to_the_unit_over_every_window",
    ),
    (
        "G03",
        "tests/tests/parallel.rs",
        "sixty_four_agents_never_exceed_the_wallets_limit",
    ),
    (
        "G06",
        "shared/src/request_tests.rs",
        "loose_bodies_are_refused_whole",
    ),
    (
        "G08",
        "signer/src/core/tests/spend.rs",
        "invariant_03_effects_and_amounts_are_derived_never_claimed",
    ),
    (
        "G11",
        "signer/src/core/tests/spend.rs",
        "invariant_19_another_body_under_the_same_key_is_an_error",
    ),
    (
        "G12",
        "signer/src/core/tests/spend.rs",
        "invariant_19_the_same_key_and_body_give_the_same_bytes_and_no_second_charge",
    ),
    (
        "G17",
        "gateway/src/http/tests/policy.rs",
        "no_agent_reads_what_another_one_has",
    ),
    (
        "G18",
        "signer/src/core/tests/intent.rs",
        "invariant_12_the_numbers_that_wait_are_bounded",
    ),
];

/// Every attack of the two sections that this program answers for.
const ALL: [&str; 27] = [
    "S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S11", "S13", "S15", "G01",
    "G03", "G06", "G07", "G08", "G09", "G10", "G11", "G12", "G16", "G17", "G18", "G24", "G25",
    "G26",
];

fn read(path: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let path = root.context("a workspace")?.join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[test]
fn every_attack_is_tried_and_stands_in_the_manual() -> Result<()> {
    let here: Vec<&Case> = [
        proofs::CASES,
        tokens::CASES,
        amounts::CASES,
        pages::CASES,
        floods::CASES,
    ]
    .into_iter()
    .flatten()
    .collect();
    let manual = read("docs/attacks.md")?;
    for id in ALL {
        let found = here.iter().filter(|known| known.id == id).count();
        let parts = ELSEWHERE
            .iter()
            .filter(|(known, _, _)| *known == id)
            .count();
        ensure!(
            found <= 1 && found + parts > 0,
            "{id}: {found} here, {parts} elsewhere"
        );
        let row = manual
            .lines()
            .find(|line| line.starts_with(&format!("| {id} |")));
        let row = row.with_context(|| format!("docs/attacks.md has no row for {id}"))?;
        for (_, file, test) in ELSEWHERE.iter().filter(|(known, _, _)| *known == id) {
            ensure!(
                row.contains(&format!("`{file}::{test}`")),
                "docs/attacks.md, {id}: {file}::{test}"
            );
        }
        ensure!(
            found == 0 || row.contains("over HTTP"),
            "docs/attacks.md, {id}"
        );
    }
    for known in &here {
        ensure!(ALL.contains(&known.id), "{} is in no list", known.id);
    }
    for (id, file, test) in ELSEWHERE {
        ensure!(
            read(file)?.contains(&format!("fn {test}(")),
            "{id}: {file} has no {test}"
        );
    }
    Ok(())
}
