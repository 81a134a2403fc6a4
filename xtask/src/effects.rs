//! `cargo xtask effects`: more generated transactions than the ordinary test run takes, judged by the product and
//! by the second calculator of effects (`tests/reference/effects_*.py`). A difference is printed with its seed;
//! the same seed with a count of 1 alone shows it again.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use xtask::interrupt::Interrupt;
use xtask::tools;
use xtask::workspace::{self, TESTS_PACKAGE};

#[derive(Debug, Args)]
pub(crate) struct Effects {
    /// How many transactions of each chain
    #[arg(long, default_value_t = 20_000)]
    count: u64,
    /// The first seed; each transaction has the next
    #[arg(long, default_value_t = 1_000_000)]
    seed: u64,
}

pub(crate) fn run(arguments: &Effects, interrupt: &Interrupt) -> Result<()> {
    tools::install_python(interrupt)?;
    let mut command = workspace::cargo();
    command
        .args(["test", "--quiet", "--locked", "--package", TESTS_PACKAGE])
        .args(["--test", "effects", "more_cases", "--", "--ignored"])
        .env(
            "WAIAAS_EFFECTS",
            format!("{}-{}", arguments.seed, arguments.count),
        )
        .current_dir(workspace::root()?)
        .stdin(Stdio::null());
    let began = Instant::now();
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(status.success(), "the calculators differ: see above");
    eprintln!(
        "{} transactions of each chain, {} s",
        arguments.count,
        began.elapsed().as_secs()
    );
    Ok(())
}
