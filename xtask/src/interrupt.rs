//! Ctrl-C (and SIGTERM, SIGHUP) as a question to ask: whoever waits asks, returns early, and what was started is
//! ended by being dropped. A second signal ends this program at once. Used by the long-running commands.

use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::process::Process;

/// How often a waiting loop asks.
const POLL: Duration = Duration::from_millis(50);
/// How long what we run may take to end by itself.
const POLITE: Duration = Duration::from_secs(10);
/// By convention 128 and the number of SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Whether somebody asked us to stop.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes the signals over for the rest of this process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn install() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The order matters: the second signal finds the flag that the first has set.
            flag::register_conditional_shutdown(signal, i32::from(EXIT_CODE), Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .context("signals cannot be handled")?;
        }
        Ok(Self(asked))
    }

    /// Whether a signal has arrived.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// When a signal has arrived.
    pub fn check(&self) -> Result<()> {
        if self.asked() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Sleeps, but not past a signal.
    ///
    /// # Errors
    /// When a signal has arrived.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        let mut left = duration;
        while !left.is_zero() {
            self.check()?;
            let nap = left.min(POLL);
            thread::sleep(nap);
            left -= nap;
        }
        self.check()
    }

    /// Runs `command` to its end, or ends it when a signal arrives.
    ///
    /// # Errors
    /// When it cannot be started or a signal has arrived.
    pub fn run(&self, name: &str, command: &mut Command) -> Result<ExitStatus> {
        self.wait(&mut Process::spawn(name, command)?)
    }

    /// Waits for `process` to end, or ends it when a signal arrives.
    ///
    /// # Errors
    /// When a signal has arrived.
    pub fn wait(&self, process: &mut Process) -> Result<ExitStatus> {
        loop {
            if let Some(status) = process.ended()? {
                return Ok(status);
            }
            if let Err(interrupted) = self.sleep(POLL) {
                // Asked politely: a test runner ends the tests it started in groups of their own.
                drop(process.stop(POLITE));
                return Err(interrupted);
            }
        }
    }
}
