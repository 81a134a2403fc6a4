//! A hostile agent, and a thief of a session, at the HTTP front: a real gateway, signer and chain, and requests of every
//! kind that an honest client does not make. Each case has the number by which the project speaks of it; after each,
//! nothing may have been paid but what the case says itself, and an honest payment must pass. docs/attacks.md has the
//! table; `shown` says which cases stand elsewhere, and checks both.

#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod amounts;
#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod floods;
#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod pages;
#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod proofs;
mod shown;
#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod stage;
#[expect(
    clippy::indexing_slicing,
    reason = "a field that JSON lacks reads as null"
)]
mod tokens;

use anyhow::{Result, ensure};

use stage::Stage;

/// One case.
struct Case {
    /// Its number.
    id: &'static str,
    /// What is tried.
    title: &'static str,
    run: fn(&mut Stage) -> Result<()>,
}

const fn case(id: &'static str, title: &'static str, run: fn(&mut Stage) -> Result<()>) -> Case {
    Case { id, title, run }
}

/// Runs every case of a group on one stage; each is judged by what it says and by what holds after all of them.
fn run(cases: &[Case]) -> Result<()> {
    let mut stage = Stage::set_up()?;
    let mut failed = Vec::new();
    for case in cases {
        let before = stage.paid()?;
        let outcome = (case.run)(&mut stage).and_then(|()| stage.holds_after(before));
        if let Err(error) = outcome {
            failed.push(format!("{} ({}): {error:#}", case.id, case.title));
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

#[test]
fn a_stolen_session_opens_nothing_more() -> Result<()> {
    run(proofs::CASES)
}

#[test]
fn a_token_says_nothing_but_its_session() -> Result<()> {
    run(tokens::CASES)
}

#[test]
fn a_hostile_agent_gets_no_further_than_its_session() -> Result<()> {
    run(amounts::CASES)
}

#[test]
fn no_route_tells_or_opens_more_than_is_the_sessions_own() -> Result<()> {
    run(pages::CASES)
}

#[test]
fn floods_stay_within_limits_and_others_are_served() -> Result<()> {
    run(floods::CASES)
}
