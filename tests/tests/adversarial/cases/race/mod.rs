//! Races: a stop, a tightening or a kill in the same moment as signatures (T15, P20, P28). Helpers here; a
//! file a race.

pub(super) mod ground;
mod kill;
mod stop;
mod tightening;

use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use tokio::task::spawn_local;
use waiaas_client::{ClientError, SignedPayment, SpendRequest};

use super::waiting::{Open, mature, open};
use super::{Case, case};
use crate::rig::Rig;
use crate::stand::DELAYED;

pub(super) const CASES: &[Case] = &[
    case("T15", stop::stop_races),
    case("P20", tightening::tightening_races),
    case("P28", kill::kill_races),
];

/// Requests in flight around what comes in their middle: each of them is a race.
const BURST: usize = 24;

/// Sends a burst and, in its middle, something else; what was asked after its answer must be refused.
fn burst(
    rig: &mut Rig,
    requests: Vec<SpendRequest>,
    after: Vec<SpendRequest>,
    middle: impl AsyncFnOnce() -> Result<()>,
) -> Result<(usize, usize)> {
    let gateway = rig.gateway();
    let requested = Instant::now();
    let (early, late) = rig.block(async {
        let ask = |requests: &[SpendRequest]| {
            let tasks = requests.iter().cloned().map(|request| {
                let gateway = Rc::clone(&gateway);
                spawn_local(async move { (gateway.sign(&request).await, request) })
            });
            tasks.collect::<Vec<_>>()
        };
        let (front, back) = requests.split_at(requests.len() / 2);
        let mut tasks = ask(front);
        tokio::task::yield_now().await;
        let stopping = middle();
        tasks.extend(ask(back));
        stopping.await?;
        let late = ask(&after);
        let mut early = Vec::new();
        for task in tasks {
            early.push(task.await?);
        }
        let mut refused = Vec::new();
        for task in late {
            refused.push(task.await?);
        }
        Ok::<_, anyhow::Error>((early, refused))
    })?;
    for (answer, request) in early.iter().chain(&late) {
        rig.note(request, requested, answer);
    }
    let signed = early.iter().filter(|(answer, _)| answer.is_ok()).count();
    let afterwards = late.iter().filter(|(answer, _)| answer.is_ok()).count();
    Ok((signed, afterwards))
}

fn some(rig: &mut Rig, count: usize, amount: u128) -> Result<Vec<SpendRequest>> {
    (0..count)
        .map(|_| {
            let transfer = rig.to_evm(amount);
            rig.request(&transfer)
        })
        .collect()
}

/// Releases in a burst with a stop in its middle; how many left before it, and how many of what was
/// asked for after its answer.
fn release_burst(
    rig: &mut Rig,
    early: Vec<Open>,
    late: Vec<Open>,
    middle: impl AsyncFnOnce() -> Result<()>,
) -> Result<(usize, usize)> {
    let gateway = rig.gateway();
    let requested = Instant::now();
    let (before, after) = rig.block(async {
        let ask = |open: Vec<Open>| {
            let tasks = open.into_iter().map(|open| {
                let gateway = Rc::clone(&gateway);
                spawn_local(async move {
                    let answer = gateway.release(open.transaction, &open.unsigned).await;
                    (answer, open)
                })
            });
            tasks.collect::<Vec<_>>()
        };
        let tasks = ask(early);
        tokio::task::yield_now().await;
        middle().await?;
        let late = ask(late);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for task in tasks {
            before.push(task.await?);
        }
        for task in late {
            after.push(task.await?);
        }
        Ok::<_, anyhow::Error>((before, after))
    })?;
    for (answer, open) in before.iter().chain(&after) {
        rig.note_release(&open.unsigned, requested, answer);
    }
    let signed = |answers: &[(Result<SignedPayment, ClientError>, Open)]| {
        answers.iter().filter(|(answer, _)| answer.is_ok()).count()
    };
    Ok((signed(&before), signed(&after)))
}

fn matured(rig: &mut Rig, count: u128) -> Result<Vec<Open>> {
    let mut waiting = Vec::new();
    for number in 0..count {
        let transfer = rig.to_solana(DELAYED + number);
        waiting.push(open(rig, &transfer)?);
    }
    mature();
    Ok(waiting)
}
