//! `cargo xtask attacks`: the hostile gateway against a real signer, as a table. The attacks and their
//! outcomes are the test target `adversarial`; this builds the product, runs it and passes its end on.

use std::process::Stdio;

use anyhow::{Result, ensure};
use clap::Args;
use xtask::interrupt::Interrupt;
use xtask::product::{self, Product, Profile};
use xtask::workspace::{self, TESTS_PACKAGE};

#[derive(Debug, Args)]
pub(crate) struct Attacks {
    /// Only these, by their numbers (W01, P26, ...)
    ids: Vec<String>,
    /// Against the programs as they are shipped
    #[arg(long)]
    release: bool,
    /// So many times as often, up to the whole of docs/attacks.md, with the time that is left
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    long: u64,
}

/// Read by `tests/tests/adversarial/long.rs`.
const LONG_VARIABLE: &str = "WAIAAS_ATTACKS_LONG";

pub(crate) fn run(arguments: &Attacks, interrupt: &Interrupt) -> Result<()> {
    let profile = if arguments.release {
        Profile::Release
    } else {
        Profile::TESTS
    };
    let product = Product::build(profile, interrupt)?;
    let mut command = workspace::cargo();
    command
        .args(["test", "--quiet", "--locked", "--package", TESTS_PACKAGE])
        .args(["--test", "adversarial", "--", "--report"])
        .args(&arguments.ids)
        .env(product::FOLDER_VARIABLE, product.folder())
        .env(LONG_VARIABLE, arguments.long.to_string())
        .current_dir(workspace::root()?)
        .stdin(Stdio::null());
    let status = interrupt.run("cargo", &mut command)?;
    ensure!(
        status.success(),
        "an attack did not end as it must: see the table"
    );
    Ok(())
}
