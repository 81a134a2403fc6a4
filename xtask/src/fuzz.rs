//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer and AddressSanitizer, with the pinned toolchain. What
//! libFuzzer needs of a compiler are flags that every one has; the sanitizer's runtime comes with the toolchain,
//! and the one flag that asks for it is let through by `RUSTC_BOOTSTRAP`, for this build alone. What a run found
//! stays in `fuzz/corpus/`, where the next one begins; an input that breaks a promise is left in `fuzz/artifacts/`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use xtask::interrupt::Interrupt;
use xtask::workspace::{self, Workspace};

/// Coverage as libFuzzer reads it: a counter for each edge, and operands of comparisons.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Every access to memory is checked.
const SANITIZER: &str = "-Zsanitizer=address";
/// Lines of a failed run that are shown.
const SHOWN: usize = 40;

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Which target, a file of `fuzz/fuzz_targets`; without it each in turn
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many inputs each target is given instead
    #[arg(long, conflicts_with = "seconds")]
    runs: Option<u64>,
    /// The longest input, in bytes
    #[arg(long, default_value_t = 4096)]
    longest: u32,
}

pub(crate) fn run(arguments: &Fuzz, interrupt: &Interrupt) -> Result<()> {
    let root = workspace::root()?;
    let fuzz = root.join("fuzz");
    let names = match &arguments.target {
        Some(name) => vec![name.clone()],
        None => targets(&fuzz)?,
    };
    let host = host()?;
    let folder = Workspace::load()?.target.join("fuzz");
    build(&fuzz, &folder, &host, interrupt)?;
    let programs = folder.join(&host).join("release");
    let mut seeds = Command::new(programs.join("seeds"));
    let status = interrupt.run("seeds", seeds.stdin(Stdio::null()))?;
    ensure!(status.success(), "the seeds ended with {status}");
    for name in names {
        one(&name, &programs, &fuzz, arguments, interrupt)?;
    }
    Ok(())
}

fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(fuzz.join("fuzz_targets"))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        names.push(name.context("a target's name")?.to_owned());
    }
    names.sort();
    Ok(names)
}

/// The machine's own target: named, so that the flags are for the targets and for no build script.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let said = String::from_utf8(output.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names its host")?.to_owned())
}

fn build(fuzz: &Path, folder: &Path, host: &str, interrupt: &Interrupt) -> Result<()> {
    let flags: Vec<&str> = COVERAGE.into_iter().chain([SANITIZER]).collect();
    let mut command = workspace::cargo();
    command
        .args(["build", "--quiet", "--release", "--locked", "--bins"])
        .args(["--target", host])
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTFLAGS", flags.join(" "))
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(fuzz)
        .stdin(Stdio::null());
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(status.success(), "the targets are not built: {status}");
    Ok(())
}

fn one(
    name: &str,
    programs: &Path,
    fuzz: &Path,
    arguments: &Fuzz,
    interrupt: &Interrupt,
) -> Result<()> {
    let program = programs.join(name);
    ensure!(program.is_file(), "there is no target {name}");
    let corpus = fuzz.join("corpus").join(name);
    let artifacts = fuzz.join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let log = programs.join(format!("{name}.log"));
    let limit = arguments.runs.map_or_else(
        || format!("-max_total_time={}", arguments.seconds),
        |runs| format!("-runs={runs}"),
    );
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .arg(limit)
        .arg(format!("-max_len={}", arguments.longest))
        // What leaks is looked for with ptrace, which containers refuse; nothing here keeps memory.
        .args(["-detect_leaks=0", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?);
    let status = interrupt.run(name, &mut command)?;
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(SHOWN)..);
        eprintln!("{}", last.unwrap_or_default().join("\n"));
        bail!("{name} ended with {status}: {}", artifacts.display());
    }
    let number = |figure: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(figure));
        Ok(line.context("libFuzzer's figures")?.trim().parse()?)
    };
    eprintln!(
        "{name:<18} {:>12} inputs, {:>7} a second, {:>5} kept, no promise broken",
        number("stat::number_of_executed_units:")?,
        number("stat::average_exec_per_sec:")?,
        kept(&corpus)?,
    );
    Ok(())
}

fn kept(corpus: &Path) -> Result<usize> {
    Ok(fs::read_dir(corpus)?.count())
}
