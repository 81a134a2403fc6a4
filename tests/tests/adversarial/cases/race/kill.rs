//! A kill in the same moment as signatures (P28): none leaves behind its answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::some;
use crate::long::Rounds;
use crate::raw::{Answer, Random, Wire, kill, payment};
use crate::rig::Rig;
use crate::runner::Template;

/// Requests in flight at each kill, each of them a race; a connection has 256 places.
const REQUESTS: usize = 200;
/// Kills of the longest run: 10^5 races.
const WHOLE: u64 = 500;

pub(super) fn kill_races(_: &mut Rig, template: &Template) -> Result<String> {
    let mut random = Random(28);
    let mut before = 0;
    let rounds = Rounds::new("P28", 6, WHOLE);
    let kills = rounds.all();
    for _ in rounds {
        before += Template::aside(template.rig()?, |rig| killed_among(rig, &mut random))?;
    }
    Ok(format!(
        "{kills} kills among {REQUESTS} requests each: {before} signatures before, none behind the answer"
    ))
}

/// Everything on one connection: the order of its answers is the order in which they left. How many
/// signatures left before the kill's answer.
fn killed_among(rig: &mut Rig, random: &mut Random) -> Result<u64> {
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    let requests = some(rig, REQUESTS, 1)?;
    let place = random.below(requests.len());
    let mut bytes = Vec::new();
    for (question, request) in (1..).zip(&requests) {
        if usize::try_from(question)? == place + 1 {
            bytes.extend(kill(1000));
        }
        bytes.extend(payment(question, 1, request));
    }
    ensure!(wire.push(&bytes, Duration::from_secs(5)));
    let answers = wire.answers(REQUESTS + 1, Duration::from_secs(20))?;
    ensure!(answers.len() == REQUESTS + 1, "{} answers", answers.len());
    let killed = answers
        .iter()
        .position(|(question, _)| *question == 1000)
        .context("an answer to the kill")?;
    let signed = |answers: &[(u32, Answer)]| -> Vec<Vec<u8>> {
        let raws = answers.iter().filter_map(|(_, answer)| match answer {
            Answer::Results(Some(raw)) => Some(raw.clone()),
            _ => None,
        });
        raws.collect()
    };
    let (early, late) = answers.split_at(killed);
    ensure!(
        signed(late).is_empty(),
        "{} signatures behind the kill's answer",
        signed(late).len()
    );
    let raws = signed(early);
    let before = u64::try_from(raws.len())?;
    let distinct: BTreeSet<_> = raws.iter().collect();
    ensure!(distinct.len() == raws.len(), "one signature twice");
    ensure!(rig.status()?.kill == "ACTIVATED");
    rig.record.kills.push(Instant::now());
    rig.record.captured.extend(&wire.captured);
    // A payment may be charged and its signature withheld: it stays charged.
    rig.record.accepted += 1;
    rig.record.paid += before;
    rig.record.unanswered += u64::try_from(requests.len())?;
    rig.record.raws.extend(raws);
    rig.use_up("killed");
    Ok(before)
}
