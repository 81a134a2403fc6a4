//! Times the start on a long log. Makes one of a million events (or as many as it is told) through the real
//! core, codec, ledger and log key: payments of a year, with sessions that are renewed, to two hundred
//! recipients. Then times the real opening, without and with a snapshot, beside what it costs to read and
//! hash the same bytes in the same run, and has the signer fold the whole log once more and compare.
//!
//!     cargo run --release -p waiaas-signer --example long_log [EVENTS] [--assert]
//!
//! With `--assert` it ends with an error if the start through the snapshot takes a second or longer. That
//! both ways lead to the same state it always holds, and `signer/tests/long_log.rs` does for fewer events.
#![expect(
    clippy::print_stdout,
    reason = "the result of a measurement goes to its reader"
)]

mod maker;
mod opened;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use waiaas_signer::ledger::Ledger as _;
use waiaas_signer::ledger::sqlite::{FILE_NAME, SqliteLedger};
use waiaas_signer::sys::memory::SecretArena;

use maker::Maker;
use opened::open;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const EVENTS: u64 = 1_000_000;
/// Events after the snapshot: as many as there ever are before the next one is due.
const TAIL: u64 = 8_000;
/// Starts of which the median counts.
const STARTS: usize = 7;
/// A start through the snapshot takes less.
const TARGET: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let (mut events, mut asserts) = (EVENTS, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--assert" => asserts = true,
            number => events = number.parse()?,
        }
    }
    let folder = std::env::temp_dir().join(format!("waiaas-long-log-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    private(&folder)?;
    let measured = measure(&folder, events, asserts);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path, events: u64, asserts: bool) -> Result<()> {
    let arena = SecretArena::new(256 * 1024)?;
    let (mut maker, took) = timed(|| {
        let mut maker = Maker::new(folder, &arena)?;
        maker.pay_until(events.saturating_sub(TAIL))?;
        Ok(maker)
    })?;
    println!("made {} events in {}", maker.sequence(), millis(took));

    let wall = maker.wall();
    let (opened, whole) = timed(|| open(folder, &arena, wall))?;
    line(
        "start without a snapshot: whole log, every head, index",
        whole,
    );
    let mut signer = opened;
    let pause = signer.unlock_and_settle(&arena)?;
    line("the turn that unlocked and took the snapshot", pause);
    drop(signer);
    let mut ledger = SqliteLedger::open(folder)?;
    let snapshot = ledger
        .snapshot_before(u64::MAX)?
        .ok_or("no snapshot was taken")?;
    println!(
        "the snapshot holds {} events in {} bytes",
        snapshot.sequence,
        snapshot.body.len()
    );
    drop(ledger);

    maker.follow()?;
    maker.pay_until(events)?;
    let (wall, last) = (maker.wall(), maker.sequence());
    drop(maker);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let (signer, took) = timed(|| open(folder, &arena, wall))?;
        starts.push(took);
        drop(signer);
    }
    starts.sort();
    let quick = starts.get(STARTS / 2).copied().unwrap_or_default();
    println!(
        "\n{last} events in the log, {} of them after the snapshot",
        last - snapshot.sequence
    );
    line("start through the snapshot, median", quick);
    if asserts && quick >= TARGET {
        return Err(format!(
            "a start takes {}, the target is below {}",
            millis(quick),
            millis(TARGET)
        )
        .into());
    }

    let (bytes, read) = timed(|| read_all(&folder.join(FILE_NAME), false))?;
    let (_, hashed) = timed(|| read_all(&folder.join(FILE_NAME), true))?;
    line(
        &format!("ceiling: reading {bytes} bytes of ledger.db"),
        read,
    );
    line("ceiling: reading and hashing them", hashed);
    ratio("start through the snapshot to reading the log", quick, read);
    ratio(
        "start without it to reading and hashing the log",
        whole,
        hashed,
    );
    ratio(
        "start through the snapshot to start without it",
        quick,
        whole,
    );

    let mut signer = open(folder, &arena, wall)?;
    let (audited, took) = timed(|| signer.audit())?;
    line("the signer's own audit: the whole log folded again", took);
    if !audited.problems.is_empty() || audited.sequence != last {
        return Err(format!("not the same state: {audited:?}").into());
    }
    println!(
        "the fold of {} events is the state that the snapshot led to, and so was each of {} snapshots",
        audited.sequence, audited.snapshots
    );
    drop(signer);
    match process(folder)? {
        Some(took) => line("waiaas-signer, from the call to `ready`", took),
        None => println!("waiaas-signer is not built in this profile: its start was not timed"),
    }
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let from = Instant::now();
    let done = work()?;
    Ok((done, from.elapsed()))
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn line(what: &str, time: Duration) {
    println!("{what:<66} {:>12}", millis(time));
}

fn ratio(what: &str, one: Duration, other: Duration) {
    println!(
        "{what:<66} {:>12.3}",
        one.as_secs_f64() / other.as_secs_f64()
    );
}

fn private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

fn read_all(path: &Path, hash: bool) -> Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut hasher = Sha256::new();
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        if hash {
            hasher.update(part);
        }
        bytes += u64::try_from(read)?;
    }
    std::hint::black_box(hasher.finalize());
    Ok(bytes)
}

/// The program itself, if it lies where this example was built.
fn process(folder: &Path) -> Result<Option<Duration>> {
    let program = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .map(|profile| profile.join("waiaas-signer"));
    let Some(program) = program.filter(|program| program.exists()) else {
        return Ok(None);
    };
    let config = folder.join("signer.toml");
    let path = folder.display();
    let text = format!(
        "state-directory = \"{path}\"\ngateway-socket = \"{path}/gateway.sock\"\nadmin-socket = \"{path}/admin.sock\"\n"
    );
    std::fs::write(&config, text)?;
    let from = Instant::now();
    let mut child = Command::new(program)
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    let took = from.elapsed();
    child.kill()?;
    child.wait()?;
    if said.trim() == "ready" {
        Ok(Some(took))
    } else {
        Err("waiaas-signer did not start on the log".into())
    }
}
