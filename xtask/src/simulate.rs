//! `cargo xtask simulate`: more runs than the ordinary test run takes, of the signer's simulator (seeds) or
//! of its core against the model (sequences). What fails is printed with its number and its steps; the same
//! number alone shows it again.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use xtask::interrupt::Interrupt;
use xtask::workspace;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many seeds of the simulator
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// How many sequences of the core against the model, instead of seeds; a nightly run takes 1000000
    #[arg(long)]
    sequences: Option<u64>,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Show every step of the first seed instead
    #[arg(long, conflicts_with = "sequences")]
    trace: bool,
}

pub(crate) fn run(arguments: &Simulate, interrupt: &Interrupt) -> Result<()> {
    let from = arguments.from;
    let (test, to) = match arguments.sequences {
        Some(sequences) => ("more_sequences", from.saturating_add(sequences)),
        None if arguments.trace => ("one_seed", from.saturating_add(1)),
        None => ("more_seeds", from.saturating_add(arguments.seeds)),
    };
    let mut command = workspace::cargo();
    command.args(["test", "--quiet", "--locked", "--package", "waiaas-signer"]);
    if arguments.sequences.is_some() {
        // Optimised, with the release's checks of overflow; without what only makes its build slow.
        command
            .arg("--release")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    command
        .args(["--lib", test, "--", "--ignored", "--nocapture"])
        .env("WAIAAS_SEEDS", format!("{from}-{to}"))
        .current_dir(workspace::root()?)
        .stdin(Stdio::null());
    let began = Instant::now();
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(status.success(), "one failed: its number stands above");
    eprintln!(
        "{from} to {} hold, {} s",
        to.saturating_sub(1),
        began.elapsed().as_secs()
    );
    Ok(())
}
