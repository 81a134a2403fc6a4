//! `cargo xtask fetch-tools`: installs and builds what the tour and the tests run, into the cache.
//! A second run finds everything there. The slow Solana chain comes last.

use anyhow::Result;
use clap::{Args, ValueEnum};
use xtask::cache;
use xtask::interrupt::Interrupt;
use xtask::progress::Progress;
use xtask::tools::{self, packages, surfnet};

#[derive(Debug, Args)]
pub(crate) struct FetchTools {
    /// Only this one; all, if none is named
    tool: Option<Tool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Packages of the operating system
    Packages,
    /// The local EVM chain and the JavaScript verifiers
    Node,
    /// The Python verifiers
    Python,
    /// The local Solana chain, built from source
    Surfnet,
}

pub(crate) fn run(arguments: &FetchTools, interrupt: &Interrupt) -> Result<()> {
    let wanted = |tool: &Tool| arguments.tool.is_none_or(|only| only == *tool);
    let tools: Vec<Tool> = Tool::value_variants()
        .iter()
        .copied()
        .filter(wanted)
        .collect();
    let mut progress = Progress::new(tools.len());
    for tool in tools {
        match tool {
            Tool::Packages => {
                progress.step("packages of the operating system");
                packages::install(interrupt)?;
            }
            Tool::Node => {
                progress.step("the local EVM chain and the JavaScript verifiers");
                tools::install_node(interrupt)?;
            }
            Tool::Python => {
                progress.step("the Python verifiers");
                tools::install_python(interrupt)?;
            }
            Tool::Surfnet => {
                progress.step("the local Solana chain (minutes, the first time)");
                surfnet::install(interrupt)?;
            }
        }
        progress.done();
    }
    progress.note(format_args!(
        "everything is in {}",
        cache::root()?.display()
    ));
    Ok(())
}
