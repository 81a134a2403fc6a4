//! The machine under one signer in a test's hands: its clocks, and the write at which it ends. The program
//! is the real one; `machine.c` stands between it and the C library. Only cases that need a clock or an
//! end to the write ask for it; all others run on the machine as it is.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

const SOURCE: &str = include_str!("machine.c");
/// What both sides map.
const SHARED: usize = 4096;
/// The place of the count of writes.
const WRITES: usize = 3;

/// Which clocks are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// As if time had passed while the signer ran.
    All,
    /// As if somebody had set the wall clock.
    Wall,
}

/// One signer's machine.
#[derive(Debug)]
pub(crate) struct Machine {
    library: PathBuf,
    path: PathBuf,
    shared: File,
}

impl Machine {
    /// In this folder, with all clocks as they are.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let (library, source) = (folder.join("machine.so"), folder.join("machine.c"));
        fs::write(&source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status()
            .context("a C compiler is needed for clocks in the test's hand")?;
        ensure!(built.success(), "machine.c does not build");
        let path = folder.join("machine");
        fs::write(&path, [0; SHARED])?;
        // The signer's user counts its writes in it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        fs::set_permissions(&library, fs::Permissions::from_mode(0o644))?;
        let shared = File::options().read(true).write(true).open(&path)?;
        Ok(Self {
            library,
            path,
            shared,
        })
    }

    /// What the signer is started with.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 2] {
        [
            ("LD_PRELOAD", &self.library),
            ("WAIAAS_TESTS_MACHINE", &self.path),
        ]
    }

    fn number(&self, place: usize) -> Result<i64> {
        let mut bytes = [0; 8];
        self.shared
            .read_exact_at(&mut bytes, u64::try_from(place * 8)?)?;
        Ok(i64::from_ne_bytes(bytes))
    }

    fn set(&self, place: usize, number: i64) -> Result<()> {
        let place = u64::try_from(place * 8)?;
        Ok(self.shared.write_all_at(&number.to_ne_bytes(), place)?)
    }

    /// Moves clocks, forward or back.
    pub(crate) fn shift(&self, clock: Clock, millis: i64) -> Result<()> {
        let places = match clock {
            Clock::All => 0..3,
            Clock::Wall => 0..1,
        };
        for place in places {
            self.set(place, self.number(place)? + millis)?;
        }
        Ok(())
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) -> Result<()> {
        self.shift(Clock::All, i64::try_from(time.as_millis())?)
    }

    /// The signer dies before this one of its coming writes to files, syncs included; 0: before none.
    pub(crate) fn end_at(&self, write: i64) -> Result<()> {
        self.set(WRITES, write)
    }

    /// How many writes are left until then.
    pub(crate) fn writes_left(&self) -> Result<i64> {
        self.number(WRITES)
    }
}
