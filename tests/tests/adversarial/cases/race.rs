//! Races: a stop, a tightening or a kill in the same moment as signatures (T15, P20, P28).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_local;
use waiaas_client::SpendRequest;
use waiaas_shared::amount::Amount;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::EVM;

use super::{Case, case};
use crate::raw::{Answer, Random, Wire, kill, payment};
use crate::rig::{Rig, at_once};
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("T15", stop_races),
    case("P20", tightening_races),
    case("P28", kill_races),
];

/// Races in one run; the simulator makes many more, one for each seed.
const STOPS: u64 = 100;
const TIGHTENINGS: u128 = 6;
const KILLS: u64 = 6;
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
                spawn_local(
                    async move { (gateway.sign(&request).await.and_then(at_once), request) },
                )
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

fn stop_races(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut before = 0;
    for _ in 0..STOPS {
        let (requests, after) = (some(rig, BURST, 1)?, some(rig, 8, 1)?);
        let gateway = rig.gateway();
        let wallet = rig.cast.evm.wallet;
        let pause = async move || {
            gateway.pause(Some(wallet)).await?;
            Ok(())
        };
        let (signed, afterwards) = burst(rig, requests, after, pause)?;
        rig.record.accepted += 1;
        ensure!(
            afterwards == 0,
            "{afterwards} signed after the pause was acknowledged"
        );
        before += signed;
        rig.say(&StatementFacts::ReleasePause {
            wallet: Some(wallet),
        })?;
    }
    Ok(format!(
        "{STOPS} pauses in bursts: {before} signed before, none after"
    ))
}

fn tightening_races(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut before = 0;
    for round in 1..=TIGHTENINGS {
        let amount = 10_000_000_000_000 - round * 1_000_000_000_000;
        let (requests, after) = (some(rig, BURST, amount)?, some(rig, 8, amount)?);
        let tighter = rig.next_policy(|document| {
            for rule in &mut document.assets {
                if rule.asset == EVM.native_asset() {
                    let least = Amount::from_base_units(super::time::FEE + amount - 1);
                    (rule.instant_up_to, rule.notify_up_to, rule.per_transaction) =
                        (least, least, least);
                    (rule.delay_up_to, rule.approve_up_to) = (least, least);
                    rule.fee_ceiling = Some(least);
                }
            }
        })?;
        let drafted = rig.draft(&StatementFacts::AdoptPolicy {
            document: tighter.to_bytes(),
        })?;
        let signature = rig.owner_signature(&drafted.text)?;
        let gateway = rig.gateway();
        let adopt = async move || {
            gateway
                .submit_statement(drafted.statement, &[signature])
                .await?;
            Ok(())
        };
        let (signed, afterwards) = burst(rig, requests, after, adopt)?;
        rig.record.accepted += 1;
        ensure!(
            afterwards == 0,
            "{afterwards} signed under the earlier policy"
        );
        before += signed;
    }
    rig.use_up("the policy was tightened");
    Ok(format!(
        "{TIGHTENINGS} tightenings in bursts: {before} signed before, none after; the log by the second calculator"
    ))
}

fn kill_races(_: &mut Rig, template: &Template) -> Result<String> {
    let mut random = Random(28);
    let mut before = 0;
    for _ in 0..KILLS {
        before += Template::aside(template.rig()?, |rig| killed_among(rig, &mut random))?;
    }
    Ok(format!(
        "{KILLS} kills among 60 requests each: {before} signatures before, none behind the answer"
    ))
}

/// Everything on one connection: the order of its answers is the order in which they left. How many
/// signatures left before the kill's answer.
fn killed_among(rig: &mut Rig, random: &mut Random) -> Result<u64> {
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    let requests = some(rig, 60, 1)?;
    let place = random.below(requests.len());
    let mut bytes = Vec::new();
    for (question, request) in (1..).zip(&requests) {
        if usize::try_from(question)? == place + 1 {
            bytes.extend(kill(1000));
        }
        bytes.extend(payment(question, 1, request));
    }
    ensure!(wire.push(&bytes, Duration::from_secs(5)));
    let answers = wire.answers(61, Duration::from_secs(20))?;
    ensure!(answers.len() == 61, "{} answers", answers.len());
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
