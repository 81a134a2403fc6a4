//! What policy costs: the judgement of one payment, and the replay of 100,000 logged ones, each beside
//! what nobody could do without in the same run. Needs no process and no chain.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::{Replay, Report};
use waiaas_shared::time::Millis;

use super::judgement;
use super::load::{count, micros};
use super::traffic::{Traffic, generate};

const PAYMENTS: u64 = 100_000;
const VERIFICATIONS: u32 = 500;
/// Thresholds of the document that bound: most payments pass at once, one in twenty waits or asks.
const THRESHOLDS: [u128; 4] = [200_000, 400_000, 450_000, 500_000];

pub(super) fn measure() -> Result<Value> {
    let judgement = judgement::measure()?;
    let verification = verification()?;
    let bound = bound()?;
    let traffic = generate(&bound, PAYMENTS)?;
    // What reading the log costs alone.
    let begun = Instant::now();
    for bytes in &traffic.events {
        std::hint::black_box(from_canonical::<Event>(bytes)?);
    }
    let decoding = begun.elapsed();
    let begun = Instant::now();
    let report = replay(&tighter(&bound), &traffic)?;
    let replaying = begun.elapsed();
    ensure!(
        report.counts.all() == traffic.payments && report.counts.held_up() > 0,
        "a tighter document holds payments up: {:?}",
        report.counts
    );
    // The document that bound decides everything as it did: the figure above is of a sound replay.
    let same = replay(&bound, &traffic)?;
    ensure!(
        same.counts.same == traffic.payments && same.unexplained == 0,
        "the document that bound decides otherwise: {:?}, {} unexplained",
        same.counts,
        same.unexplained
    );
    let events = count(traffic.events.len());
    Ok(json!({
        "judgement_us": { "value": micros(judgement), "target_below": 10.0, "policy": "1,000 contacts, 100 assets" },
        "ed25519_verification_us": micros(verification),
        "replay_of_100000_ms": {
            "value": micros(replaying) / 1000.0, "target_below": 2000.0,
            "ceiling_reading_the_events_ms": micros(decoding) / 1000.0,
            "events": events, "differing": report.counts.all() - report.counts.same,
        },
    }))
}

fn replay(document: &PolicyDocument, traffic: &Traffic) -> Result<Report> {
    let mut replay = Replay::new(document.clone(), 50);
    for (sequence, bytes) in (1..).zip(&traffic.events) {
        replay.event(sequence, &from_canonical(bytes)?);
    }
    Ok(replay.finish())
}

/// The policy of the judgement, with thresholds that some payments exceed.
fn bound() -> Result<PolicyDocument> {
    let mut document = judgement::document(judgement::token(50).context("a token")?);
    for rule in &mut document.assets {
        let [instant, notify, delay, approve] = THRESHOLDS.map(Amount::from_base_units);
        rule.instant_up_to = instant;
        rule.notify_up_to = notify;
        rule.delay_up_to = delay;
        rule.approve_up_to = approve;
    }
    document.delay = Millis::from_secs(15 * 60);
    Ok(document)
}

/// Lower thresholds, lower limits, fewer contacts.
fn tighter(bound: &PolicyDocument) -> PolicyDocument {
    let mut document = bound.clone();
    document.epoch = 2;
    for rule in &mut document.assets {
        rule.instant_up_to = Amount::from_base_units(100_000);
        rule.day = Amount::from_base_units(2_000_000);
        rule.hour = Amount::from_base_units(1_000_000);
    }
    document.recipients.truncate(990);
    document
}

/// A yardstick: one signature, verified.
fn verification() -> Result<std::time::Duration> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let message = [7; 200];
    let signature = key.sign(&message);
    let public = key.verifying_key();
    let begun = Instant::now();
    for _ in 0..VERIFICATIONS {
        public.verify_strict(&message, &signature)?;
    }
    begun
        .elapsed()
        .checked_div(VERIFICATIONS)
        .context("at least one")
}
