//! Floods and cut connections: bounded cost, others served, nothing lost or doubled (W04, W06, W07).

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::frames::{descriptors_open, resident_kib};
use super::waiting::asked_at_once;
use super::{Case, case};
use crate::long::{Rounds, many};
use crate::raw::{Random, Wire, bootstrap, events, payment, status};
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("W04", crowds),
    case("W06", fast_requests),
    case("W07", cut_connections),
];

/// Memory that any crowd may cost, KiB.
const MEMORY_KIB: u64 = 16 * 1024;
/// The slowest answer to the owner while a flood runs, on a busy machine.
const OWNER_WAITS: Duration = Duration::from_secs(3);
/// How long the flood of requests lasts, in seconds: in the ordinary run, and the ten minutes of the longest.
const FLOOD: (u64, u64) = (4, 600);
/// Cut connections.
const CUTS: (u64, u64) = (400, 10_000);
/// What is kept of each connection for the search for secrets.
const KEPT: usize = 10_000;

/// How long the owner waits for an answer on the owner's socket.
fn owner_waits(rig: &Rig) -> Result<Duration> {
    let start = Instant::now();
    rig.block(rig.owner().admin.status())?;
    Ok(start.elapsed())
}

fn crowds(rig: &mut Rig, _: &Template) -> Result<String> {
    let before = resident_kib(rig)?;
    let path = rig.home.gateway_socket();
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(Wire::open(&path)?);
    }
    std::thread::sleep(Duration::from_millis(300));
    let open = descriptors_open(rig)?;
    ensure!(open < 60, "{open} descriptors");
    drop(crowd);
    std::thread::sleep(Duration::from_millis(200));
    let flood: Vec<u8> = (1..2000)
        .flat_map(|number| [events(number * 2, 0, 0), status(number * 2 + 1)].concat())
        .collect();
    let mut silent = Vec::new();
    for _ in 0..6 {
        let mut wire = Wire::introduced(&path)?;
        // Asks for megabytes and reads none of them.
        let _ = wire.push(&flood, Duration::from_millis(150));
        silent.push(wire);
    }
    let mut slowest = Duration::ZERO;
    let creeping = payment(1, 0, &{
        let transfer = rig.to_evm(1);
        rig.invented(&transfer)?
    });
    for byte in creeping.iter().take(40) {
        for wire in &mut silent {
            let _ = wire.push(std::slice::from_ref(byte), Duration::from_millis(1));
        }
        slowest = slowest.max(owner_waits(rig)?);
        // The gateway's own honest connection is served beside them.
        rig.status()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    let cost = resident_kib(rig)?.saturating_sub(before);
    ensure!(cost < MEMORY_KIB, "{cost} KiB");
    ensure!(slowest < OWNER_WAITS, "the owner waited {slowest:?}");
    Ok(format!(
        "memory +{cost} KiB, the owner waited {} ms at most",
        slowest.as_millis()
    ))
}

fn fast_requests(rig: &mut Rig, _: &Template) -> Result<String> {
    let before = (resident_kib(rig)?, rig.status()?.sequence);
    let transfer = rig.to_evm(u128::from(u64::MAX));
    let mut wires = Vec::new();
    for _ in 0..4 {
        wires.push(Wire::introduced(&rig.home.gateway_socket())?);
    }
    let mut frames = Vec::new();
    for question in 1..=64 {
        frames.extend(payment(question, 1, &rig.invented(&transfer)?));
    }
    let start = Instant::now();
    let (mut asked, mut answered, mut slowest) = (0, 0, Duration::ZERO);
    let flood = Duration::from_secs(many(FLOOD.0, FLOOD.1));
    while start.elapsed() < flood {
        for wire in &mut wires {
            if wire.push(&frames, Duration::from_millis(500)) {
                asked += 64;
            }
        }
        slowest = slowest.max(owner_waits(rig)?);
        for wire in &mut wires {
            answered += wire.answers(64, Duration::from_secs(5))?.len();
            wire.captured.truncate(KEPT);
        }
    }
    for wire in wires {
        rig.record.captured.extend(wire.captured.iter().take(KEPT));
    }
    ensure!(answered > 500, "{answered} answers to {asked} requests");
    let cost = resident_kib(rig)?.saturating_sub(before.0);
    let grown = rig.status()?.sequence - before.1;
    ensure!(cost < MEMORY_KIB, "{cost} KiB");
    // Six entries a minute, whatever is refused (docs/events.md, 20).
    let entries = 4 + flood.as_secs() / 10;
    ensure!(grown <= entries, "{grown} events of refusals");
    ensure!(slowest < OWNER_WAITS, "the owner waited {slowest:?}");
    Ok(format!(
        "{answered} refusals in {} s, {grown} events, memory +{cost} KiB, the owner waited {} ms at most",
        flood.as_secs(),
        slowest.as_millis()
    ))
}

fn cut_connections(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut random = Random(7);
    let mut charged_before = 0;
    let rounds = Rounds::new("W07", CUTS.0, CUTS.1);
    let cuts = rounds.all();
    for round in rounds {
        let transfer = if round % 2 == 0 {
            rig.to_evm(100)
        } else {
            rig.to_solana(100)
        };
        let request = rig.request(&transfer)?;
        let bytes = [bootstrap(0), payment(1, 1, &request)].concat();
        let mut wire = Wire::open(&rig.home.gateway_socket())?;
        match round % 3 {
            // While the request is under way, between decision and reply, and after the reply's start.
            0 => {
                let cut = random.below(bytes.len());
                let _ = wire.stream.write_all(bytes.get(..cut).unwrap_or_default());
            }
            1 => {
                wire.stream.write_all(&bytes)?;
                std::thread::sleep(Duration::from_micros(random.next() % 4000));
            }
            _ => {
                wire.stream.write_all(&bytes)?;
                let _ = wire.answers(1, Duration::from_millis(random.next() % 8))?;
            }
        }
        drop(wire);
        // The agent signs its request once more: another nonce, the same key and body.
        let again = rig.agent().sign(request)?;
        let first = rig.send(&again).context("asked again")?;
        charged_before += u64::from(first.replay);
        // Whether charged by the first try or the second: this body is one payment.
        rig.record.paid += u64::from(first.replay);
        let once_more = rig.agent().sign(again)?;
        let second = rig.send(&once_more)?;
        ensure!(second.replay && second.raw == first.raw, "other bytes");
        ensure!(second.sequence == first.sequence, "charged twice");
    }
    ensure!(charged_before > 0, "no cut came after a decision");
    let agreed = asked_at_once(rig)?;
    Ok(format!(
        "{cuts} cuts, {charged_before} of them behind the charge: one payment each; {agreed} answers at once about 4 payments that wait agreed"
    ))
}
