//! The project's own commands, run as `cargo xtask <command>`. Nothing here is shipped.
#![forbid(unsafe_code)]

mod attacks;
mod bench;
mod dev;
mod effects;
mod fetch_tools;
mod fuzz;
mod simulate;
mod test;
mod tour;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::interrupt::{self, Interrupt};

/// The project's own commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The tour: build and start everything with two local chains, pay as an agent, see one payment refused
    Dev(dev::Dev),
    /// Measure the product beside its ceilings, in one run
    Bench(bench::Bench),
    /// Everything that has to pass: format, lints, unit tests, process-level tests
    Test,
    /// A gateway in an attacker's hands against a real signer, as a table
    Attacks(attacks::Attacks),
    /// Many generated transactions before two independent calculators of effects
    Effects(effects::Effects),
    /// The fuzz targets under libFuzzer and AddressSanitizer
    Fuzz(fuzz::Fuzz),
    /// Run many seeds of the signer's simulator
    Simulate(simulate::Simulate),
    /// Install and build what the other commands run, ahead of time
    FetchTools(fetch_tools::FetchTools),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => return failed(&error),
    };
    let outcome = match &arguments.command {
        Command::Dev(arguments) => dev::run(arguments, &interrupt),
        Command::Bench(arguments) => bench::run(arguments, &interrupt),
        Command::Test => test::run(&interrupt),
        Command::Attacks(arguments) => attacks::run(arguments, &interrupt),
        Command::Effects(arguments) => effects::run(arguments, &interrupt),
        Command::Fuzz(arguments) => fuzz::run(arguments, &interrupt),
        Command::Simulate(arguments) => simulate::run(arguments, &interrupt),
        Command::FetchTools(arguments) => fetch_tools::run(arguments, &interrupt),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt.asked() => {
            eprintln!("interrupted; everything started has been stopped");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
