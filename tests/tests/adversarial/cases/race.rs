//! Races: a stop, a tightening or a kill in the same moment as signatures (T15, P20, P28).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_local;
use waiaas_client::{ClientError, SignedPayment, SpendRequest};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::stage::EVM;

use super::waiting::{Open, invent, mature, open, open_other};
use super::{Case, case};
use crate::raw::{Answer, Random, Wire, kill, payment};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::DELAYED;

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
    let mut random = Random(15);
    let (paid, cancelled) = cancel_races(rig, &mut random)?;
    let stopped = stops_of_what_waits(rig)?;
    rig.use_up("sessions are revoked");
    Ok(format!(
        "{STOPS} pauses in bursts: {before} signed before, none after; {} cancellations against releases: {paid} paid before, {cancelled} never; {stopped} matured payments behind a pause and a revocation, none left",
        paid + cancelled
    ))
}

/// A cancellation and a release of one matured payment in the same moment, over either socket: one of
/// them holds. How many were paid, and how many not.
fn cancel_races(rig: &mut Rig, random: &mut Random) -> Result<(usize, usize)> {
    let (mut paid, mut cancelled) = (0, 0);
    for _ in 0..2 {
        let mut waiting = Vec::new();
        for number in 0..16 {
            let transfer = rig.to_evm(DELAYED + number);
            waiting.push(open(rig, &transfer)?);
            waiting.push(invent(rig, &transfer)?);
            waiting.push(open_other(rig, DELAYED + number)?);
        }
        mature();
        for payment in &waiting {
            if cancelled_in_a_race(rig, payment, random)? {
                cancelled += 1;
            } else {
                paid += 1;
            }
        }
    }
    ensure!(
        paid > 0 && cancelled > 0,
        "no race: {paid} paid, {cancelled} cancelled"
    );
    Ok((paid, cancelled))
}

fn cancelled_in_a_race(rig: &mut Rig, payment: &Open, random: &mut Random) -> Result<bool> {
    let by_owner = random.below(2) == 0;
    // Who comes a moment later: nobody, the release, or the cancellation.
    let moment = Duration::from_micros(random.next() % 2500);
    let (release_waits, cancel_waits) = [
        (Duration::ZERO, Duration::ZERO),
        (moment, Duration::ZERO),
        (Duration::ZERO, moment),
    ][random.below(3)];
    let transaction = payment.transaction;
    let gateway = rig.gateway();
    let admin = &rig.owner().admin;
    let requested = Instant::now();
    let (released, cancelled) = rig.block(async {
        let release = {
            let (gateway, unsigned) = (Rc::clone(&gateway), payment.unsigned.clone());
            spawn_local(async move {
                tokio::time::sleep(release_waits).await;
                gateway.release(transaction, &unsigned).await
            })
        };
        tokio::time::sleep(cancel_waits).await;
        let cancelled = if by_owner {
            admin.cancel_intent(transaction).await
        } else {
            gateway.cancel_intent(transaction).await
        };
        Ok::<_, anyhow::Error>((release.await?, cancelled))
    })?;
    rig.record.accepted += u64::from(cancelled.is_ok());
    rig.note_release(&payment.unsigned, requested, &released);
    let again = rig.release(transaction, &payment.unsigned);
    if cancelled.is_ok() {
        let code = refusal(again).context("behind a cancellation")?;
        ensure!(code == Code::IntentUnknown, "{code}");
        let code = refusal(released).context("beside a cancellation")?;
        ensure!(code == Code::IntentUnknown, "{code}");
        return Ok(true);
    }
    let code = refusal(cancelled)?;
    ensure!(code == Code::IntentUnknown, "{code}");
    let first = released.context("neither paid nor cancelled")?;
    ensure!(again?.raw == first.raw, "two forms of one payment");
    Ok(false)
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

/// A pause and a revocation in bursts of releases: nothing that was asked for after the answer leaves,
/// now or once the owner has resumed.
fn stops_of_what_waits(rig: &mut Rig) -> Result<usize> {
    let mut stopped = 0;
    let wallet = rig.cast.solana.wallet;
    let session = rig.cast.agent.session;
    for revoked in [false, true] {
        let mut early = matured(rig, 8)?;
        let late = early.split_off(4);
        let gateway = rig.gateway();
        let stop = async move || {
            if revoked {
                gateway.revoke_session(session).await?;
            } else {
                gateway.pause(Some(wallet)).await?;
            }
            Ok(())
        };
        let (_, afterwards) = release_burst(rig, early, late.clone(), stop)?;
        rig.record.accepted += 1;
        ensure!(afterwards == 0, "{afterwards} left after the stop");
        for one in &late {
            let stops = [
                Code::WalletPaused,
                Code::IntentUnknown,
                Code::SessionRevoked,
            ];
            rig.unreleased("stopped", one.transaction, &one.unsigned, &stops)?;
            stopped += 1;
        }
        if !revoked {
            rig.say(&StatementFacts::ReleasePause {
                wallet: Some(wallet),
            })?;
            // A pause is no end: what waited may leave now, once.
            for one in &late {
                rig.release(one.transaction, &one.unsigned)?;
            }
        }
    }
    Ok(stopped)
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
    // The same against what has waited: the documents of the moment of signing count.
    let mut early = matured(rig, 8)?;
    let late = early.split_off(4);
    let tighter = rig.next_policy(|document| {
        for rule in &mut document.assets {
            let most = Amount::from_base_units(DELAYED - 1);
            (rule.per_transaction, rule.approve_up_to) =
                (most.min(rule.per_transaction), most.min(rule.approve_up_to));
            rule.delay_up_to = most.min(rule.delay_up_to);
            rule.notify_up_to = most.min(rule.notify_up_to);
            rule.instant_up_to = most.min(rule.instant_up_to);
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
    let (released, afterwards) = release_burst(rig, early, late, adopt)?;
    rig.record.accepted += 1;
    ensure!(
        afterwards == 0,
        "{afterwards} released under the earlier policy"
    );
    rig.use_up("the policy was tightened");
    Ok(format!(
        "{TIGHTENINGS} tightenings in bursts: {before} signed before, none after; {released} matured payments released before another, none after; the log by the second calculator"
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
