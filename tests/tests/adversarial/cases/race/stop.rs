//! A pause, a revocation, a cancellation in the same moment as a signature (T15).

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::spawn_local;
use waiaas_shared::denial::Code;
use waiaas_shared::statement::StatementFacts;

use super::{BURST, burst, ground, matured, release_burst, some};
use crate::cases::waiting::{Open, invent, mature, open, open_other};
use crate::long::Rounds;
use crate::raw::Random;
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::DELAYED;

/// Races of the longest run; and of one pause, each request of its burst.
const WHOLE: u64 = 100_000;
const BURST_RACES: u64 = 24;

pub(super) fn stop_races(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut before = 0;
    let pauses = Rounds::new("T15, pauses", 100, WHOLE / BURST_RACES);
    let stops = pauses.all();
    for _ in pauses {
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
        rig.say_at_home(&StatementFacts::ReleasePause {
            wallet: Some(wallet),
        })?;
    }
    let mut random = Random(15);
    let (mut paid, mut cancelled) = cancel_races(rig, &mut random)?;
    let rounds = Rounds::new("T15, cancellations", 100, WHOLE);
    let many = rounds.all();
    let races = ground::on_grounds(template, rounds, |rig, ground| {
        let payment = ground.open(rig, DELAYED)?;
        ground.mature();
        if cancelled_in_a_race(rig, &payment, &mut random)? {
            cancelled += 1;
        } else {
            paid += 1;
        }
        Ok(())
    })?;
    ensure!(races == many, "{races} of {many} races");
    let stopped = stops_of_what_waits(rig)?;
    rig.use_up("sessions are revoked");
    Ok(format!(
        "{stops} pauses in bursts of {BURST}: {before} signed before, none after; {} cancellations against releases: {paid} paid before, {cancelled} never; {stopped} matured payments behind a pause and a revocation, none left",
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
