//! What policy costs: the judgement of one payment, and the replay of 100,000 logged ones, each beside
//! what nobody could do without in the same run. Times are of the CPU: they hold on a busy machine too. Needs no chain.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{Head, SignedHead, genesis, link};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::replay::{Replay, Report};
use waiaas_shared::policy::toml_form;
use waiaas_shared::time::Millis;

use super::effort::Effort;
use super::judgement;
use super::load::{count, micros};
use super::traffic::{Traffic, generate};
use super::usage;

const PAYMENTS: u32 = 100_000;
const VERIFICATIONS: u32 = 3000;
/// Thresholds of the document that bound: most payments pass at once, one in twenty waits or asks.
const THRESHOLDS: [u128; 4] = [200_000, 400_000, 450_000, 500_000];

/// Both, and the replay by the command itself if there is one.
pub(super) fn measure(command: Option<&Path>, effort: Effort) -> Result<Value> {
    let judgement = judgement::measure(effort)?;
    let verification = verification(effort.rounds(VERIFICATIONS))?;
    let bound = bound()?;
    let traffic = generate(&bound, effort.rounds(PAYMENTS).into())?;
    // What reading the log costs alone.
    let begun = usage::own()?;
    for bytes in &traffic.events {
        std::hint::black_box(from_canonical::<Event>(bytes)?);
    }
    let decoding = usage::own()?.saturating_sub(begun);
    let (begun, wall) = (usage::own()?, Instant::now());
    let report = replay(&tighter(&bound), &traffic)?;
    let (replaying, wall) = (usage::own()?.saturating_sub(begun), wall.elapsed());
    // A few payments exceed no limit, and are only told of.
    let differing = match effort {
        Effort::Full => report.counts.held_up(),
        Effort::Check => report.counts.all() - report.counts.same,
    };
    ensure!(
        report.counts.all() == traffic.payments && differing > 0,
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
    let by_command = match command {
        Some(command) => Some(by_command(command, &tighter(&bound), &traffic)?),
        None => None,
    };
    Ok(json!({
        "judgement_us": { "value": micros(judgement), "target_below": 10.0, "policy": "1,000 contacts, 100 assets" },
        "ed25519_verification_us": micros(verification),
        "replay_of_100000_ms": {
            "value": micros(replaying) / 1000.0, "target_below": 2000.0, "wall": micros(wall) / 1000.0,
            "ceiling_reading_the_events_ms": micros(decoding) / 1000.0,
            "by_the_command_ms": by_command.map(|took| micros(took) / 1000.0),
            "events": events, "differing": report.counts.all() - report.counts.same,
        },
    }))
}

/// `waiaas policy replay` over the same log as a file, every event of it under a signed head of its own:
/// the program's start, reading, verification, judgement and answer together.
fn by_command(command: &Path, document: &PolicyDocument, traffic: &Traffic) -> Result<Duration> {
    let folder = std::env::temp_dir().join(format!("waiaas-replay-{}", std::process::id()));
    let took = exported(&folder, document, traffic).and_then(|()| {
        let begun = Instant::now();
        let output = Command::new(command)
            .env("WAIAAS_HOME", &folder)
            .args(["--json", "policy", "replay"])
            .arg(folder.join("policy.toml"))
            .arg("--log")
            .arg(folder.join("log.jsonl"))
            .output()
            .with_context(|| command.display().to_string())?;
        let took = begun.elapsed();
        let said: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let counted = said.pointer("/replay/counts/same").and_then(Value::as_u64);
        ensure!(counted.is_some_and(|same| same > 0), "nothing was judged");
        Ok(took)
    });
    fs::remove_dir_all(&folder)?;
    took
}

/// A home that is pinned to the log's signer, the log as `audit export` writes it, and the policy.
fn exported(folder: &Path, document: &PolicyDocument, traffic: &Traffic) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let key = SigningKey::from_bytes(&[9; 32]);
    let log_key = *key.verifying_key().as_bytes();
    let signer = SignerId::from_bytes([1; 16]);
    let mut pin = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut pin, 0o600);
    let name = AgentKey::from_bytes(log_key);
    writeln!(
        pin.write(true)
            .create_new(true)
            .open(folder.join("log-key"))?,
        "{signer} {name}"
    )?;
    fs::write(folder.join("policy.toml"), toml_form::write(document))?;
    let mut file = BufWriter::new(fs::File::create(folder.join("log.jsonl"))?);
    writeln!(
        file,
        "{}",
        json!({ "signer": signer, "log_key": name.to_string() })
    )?;
    let mut hash = genesis(signer, &log_key);
    for (sequence, bytes) in (1_u64..).zip(&traffic.events) {
        hash = link(hash, sequence, bytes);
        let body = STANDARD.encode(bytes);
        let event = json!({ "sequence": sequence, "body": body, "hash": hash });
        let head = Head {
            signer,
            sequence,
            hash,
        };
        let signature = key.sign(head.note_text().as_bytes()).to_bytes();
        let note = SignedHead::new(head, &log_key, signature).to_string();
        writeln!(file, "{event}\n{}", json!({ "head": note }))?;
    }
    file.flush()?;
    Ok(())
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
fn verification(rounds: u32) -> Result<Duration> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let message = [7; 200];
    let signature = key.sign(&message);
    let public = key.verifying_key();
    let begun = usage::own()?;
    for _ in 0..rounds {
        public.verify_strict(&message, &signature)?;
    }
    usage::own()?
        .saturating_sub(begun)
        .checked_div(rounds)
        .context("at least one")
}
