//! `cargo xtask dev`: the tour. Builds the product, starts it beside two local chains, pays on both as an agent and
//! shows a payment refused; then everything runs until Ctrl-C. All state lies in `.dev/`.
//! What was started is stopped by being dropped, whatever ends this command.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use xtask::chains::{Anvil, Surfnet};
use xtask::interrupt::Interrupt;
use xtask::product::{Product, Profile};
use xtask::progress::Progress;
use xtask::tools::{self, packages, surfnet};
use xtask::workspace;

use crate::tour::Tour;

/// Tools, programs, EVM, Solana.
const STEPS: usize = 4;
/// The folder in the checkout that holds all state.
const STATE: &str = ".dev";
/// Held in that folder for as long as this command runs.
const LOCK: &str = "lock";
/// A cluster's slot time, in milliseconds: what the tour shows takes as long as it would there.
const SLOT_MS: u64 = 400;
/// How often a wait says that it is still waiting.
const REMINDER: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Empty the state folder first
    #[arg(long)]
    reset: bool,
    /// End after the tour: with status 0, or 1 if a step of it did not happen
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &Dev, interrupt: &Interrupt) -> Result<()> {
    let state = State::open(&workspace::root()?, arguments.reset)?;
    let mut progress = Progress::new(STEPS);

    progress.step("tools");
    packages::install(interrupt)?;
    let mut solana = surfnet::Background::start()?;
    tools::install_node(interrupt)?;
    progress.done();

    progress.step("the programs");
    let product = Product::build(Profile::TESTS, interrupt)?;
    progress.done();

    progress.step("a local EVM chain");
    let anvil = Anvil::start()?;
    progress.note(format_args!(
        "EVM chain {} at {}",
        Anvil::CHAIN_ID,
        anvil.url()
    ));
    let mut tour = Tour::begin(&product, &state.folder, &anvil, &progress)?;
    tour.evm(&anvil, &progress)?;
    progress.done();

    progress.step("a local Solana chain");
    let mut said = Instant::now();
    while !solana.ready()? {
        interrupt.sleep(Duration::from_millis(200))?;
        if said.elapsed() >= REMINDER {
            progress.note(solana.progress());
            said = Instant::now();
        }
    }
    let surfnet = Surfnet::start(SLOT_MS)?;
    progress.note(format_args!(
        "Solana chain at {}, websocket at {}",
        surfnet.url(),
        surfnet.ws_url()
    ));
    tour.solana(&anvil, &surfnet, &progress)?;
    tour.curl_lines(&progress)?;
    progress.done();

    if !arguments.once {
        progress.note("everything runs until Ctrl-C");
        loop {
            interrupt.sleep(Duration::from_secs(3600))?;
        }
    }
    Ok(())
}

/// The state folder, ours alone while this value lives.
#[derive(Debug)]
struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    fn open(root: &Path, reset: bool) -> Result<Self> {
        let folder = root.join(STATE);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let lock = File::create(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another `cargo xtask dev` runs in {}", folder.display())
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if reset {
            empty(&folder)?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }
}

/// Removes everything in `folder` but the lock, which is held.
fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("waiaas-dev-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_reset_leaves_nothing_and_follows_no_link() {
        let (root, outside) = (scratch("reset"), scratch("outside"));
        fs::write(outside.join("kept"), "").unwrap();
        let state = State::open(&root, false).unwrap();
        fs::create_dir_all(state.folder.join("signer/deep")).unwrap();
        fs::write(state.folder.join("gateway.db"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, state.folder.join("link")).unwrap();
        let folder = state.folder.clone();
        drop(state);

        let _state = State::open(&root, true).unwrap();
        let left: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [LOCK]);
        assert!(outside.join("kept").exists());
        fs::remove_dir_all(root).unwrap();
        fs::remove_dir_all(outside).unwrap();
    }

    #[test]
    fn two_tours_never_share_a_folder_and_a_reset_spares_a_running_one() {
        let root = scratch("twice");
        let state = State::open(&root, false).unwrap();
        fs::write(state.folder.join("ledger.db"), "x").unwrap();
        assert!(State::open(&root, true).is_err());
        assert!(state.folder.join("ledger.db").exists());
        drop(state);
        assert!(State::open(&root, false).is_ok());
        fs::remove_dir_all(root).unwrap();
    }
}
