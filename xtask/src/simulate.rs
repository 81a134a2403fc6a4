//! `cargo xtask simulate`: more seeds of the signer's simulator than the ordinary test run takes. A seed
//! that fails is printed with its last steps; the same seed alone shows the whole run.

use std::process::Stdio;

use anyhow::{Result, ensure};
use clap::Args;
use xtask::interrupt::Interrupt;
use xtask::workspace;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many seeds
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Show every step of the first seed instead
    #[arg(long)]
    trace: bool,
}

pub(crate) fn run(arguments: &Simulate, interrupt: &Interrupt) -> Result<()> {
    let from = arguments.from;
    let (test, seeds) = if arguments.trace {
        ("one_seed", from.to_string())
    } else {
        let to = from.saturating_add(arguments.seeds);
        ("more_seeds", format!("{from}-{to}"))
    };
    let mut command = workspace::cargo();
    command
        .args(["test", "--quiet", "--locked", "--package", "waiaas-signer"])
        .args(["--lib", test, "--", "--ignored", "--nocapture"])
        .env("WAIAAS_SEEDS", seeds)
        .current_dir(workspace::root()?)
        .stdin(Stdio::null());
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(status.success(), "a seed failed: its number stands above");
    Ok(())
}
