//! `waiaas audit show --follow`: what the log holds, then every new event, once, in order and as it comes,
//! in words or one object a line; its end is the signer's.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::home::Home;
use xtask::process::Process;
use xtask::product::Product;

/// The signer answers within 20 s even where nothing happens; nothing here may take much longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn follow(home: &Home, more: &[&str]) -> Result<Process> {
    let mut command = home.command(&[&["audit", "show", "--follow"], more].concat());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Process::spawn("waiaas audit show", &mut command)
}

fn sequence(value: &Value) -> Result<u64> {
    let found = value.get("sequence").and_then(Value::as_u64);
    found.with_context(|| format!("no sequence: {value}"))
}

#[test]
fn new_events_are_shown_once_and_in_order_until_the_signer_ends() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::for_tests()?;
    let home = Home::create(&product, &folder.path().join("home"), &[])?;
    let signer = home.start_signer()?;
    home.cli_with_password(&["unlock"])?;
    let past = home.cli(&["audit", "show", "--all"])?;
    let past = past["events"].as_array().context("events")?;
    let newest = sequence(past.last().context("a log")?)?;
    ensure!(newest >= 2 && past.len() as u64 == newest, "{past:?}");

    // Each thing is done when the one before it was shown: what was there is shown first.
    let mut seen: Vec<(u64, String)> = Vec::new();
    let mut failed = None;
    let mut follower = follow(&home, &["--all", "--json"])?;
    follower.ready(PATIENCE, |line| {
        let mut took = || -> Result<bool> {
            let event: Value = serde_json::from_str(line).context("one object a line")?;
            let kind = event["kind"].as_str().context("a kind")?.to_owned();
            ensure!(!event["text"].as_str().context("words")?.is_empty());
            seen.push((sequence(&event)?, kind));
            match seen
                .last()
                .map(|(at, kind)| (*at - newest.min(*at), kind.as_str()))
            {
                Some((0, _)) if seen.len() as u64 == newest => {
                    home.cli(&["pause"])?;
                }
                Some((1, "Paused")) => {
                    home.cli(&["kill", "--yes"])?;
                }
                Some((2, "Killed")) => return Ok(true),
                _ => {}
            }
            Ok(false)
        };
        match took() {
            Ok(done) => done.then_some(()),
            Err(error) => {
                failed = Some(error);
                Some(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let sequences: Vec<u64> = seen.iter().map(|(at, _)| *at).collect();
    let expected: Vec<u64> = (1..=newest + 2).collect();
    ensure!(sequences == expected, "{seen:?}");
    ensure!(follower.ended()?.is_none(), "it goes on");

    // In words, and only what is asked for: the pause and the kill of before, without the unlocking.
    let mut shown = Vec::new();
    let mut in_words = follow(&home, &["--kind", "stops", "--last", "2"])?;
    in_words.ready(PATIENCE, |line| {
        shown.push(line.to_owned());
        line.contains("Killed").then_some(())
    })?;
    ensure!(
        shown.iter().any(|line| line.contains("Paused"))
            && !shown.iter().any(|line| line.contains("Unlocked")),
        "{shown:?}"
    );

    // Without the signer there is nothing to follow, and that is a failure.
    drop(signer);
    for mut one in [follower, in_words] {
        let status = one.wait(PATIENCE)?;
        ensure!(!status.success(), "{status}");
    }
    Ok(())
}
