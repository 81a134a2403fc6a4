//! Builds `tools/surfnet`, the local Solana chain: about nine hundred packages and some eight minutes of one
//! core, so it is built once, kept in the cache, and in the meantime built behind whatever else there is to do.
//! Called by `tools` and by the commands that can start without it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{read, run};
use crate::cache::{self, Slot};
use crate::interrupt::Interrupt;
use crate::process::Process;
use crate::workspace;

/// The program's name, in the build and in the cache.
const PROGRAM: &str = "surfnet";

/// The built program, if it is there.
///
/// # Errors
/// When this checkout's `tools/surfnet` cannot be read.
pub fn installed() -> Result<Option<PathBuf>> {
    Ok(slot()?.installed().map(|folder| folder.join(PROGRAM)))
}

/// Builds the program unless it is there.
///
/// # Errors
/// When cargo fails. What it has built by then is kept for the next try.
pub fn install(interrupt: &Interrupt) -> Result<()> {
    let source = source()?;
    // Outside the folder of this version: another version can use most of an interrupted build.
    let target = cache::root()?.join("build").join(PROGRAM);
    slot()?.install(|folder| {
        // Always at the lowest priority: nobody waits for it while there is something else to do.
        let cargo = workspace::cargo();
        let mut build = Command::new("nice");
        for (name, _) in cargo.get_envs().filter(|(_, value)| value.is_none()) {
            build.env_remove(name);
        }
        build
            .args(["-n", "19"])
            .arg(cargo.get_program())
            .args(["build", "--locked", "--manifest-path"])
            .arg(source.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target);
        run(interrupt, "the build of tools/surfnet", &mut build)?;
        fs::copy(target.join("debug").join(PROGRAM), folder.join(PROGRAM))
            .context("cargo built no surfnet")?;
        // Two gigabytes that nothing needs any more.
        fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))
    })?;
    Ok(())
}

/// A build that goes on behind other work. Dropping it ends it; what is built by then is kept.
#[derive(Debug)]
pub struct Background {
    build: Option<Process>,
    log: PathBuf,
    packages: usize,
}

impl Background {
    /// Starts the build, unless the program is there. If another command is building it, this one waits for that.
    ///
    /// # Errors
    /// When the build cannot be started.
    pub fn start() -> Result<Self> {
        let root = cache::root()?;
        let log = root.join(format!("surfnet-build-{}.log", std::process::id()));
        let lock = fs::read_to_string(source()?.join("Cargo.lock"))?;
        let packages = lock.matches("[[package]]").count();
        if installed()?.is_some() || env::var_os("WAIAAS_SURFNET").is_some() {
            return Ok(Self {
                build: None,
                log,
                packages,
            });
        }
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        let output =
            File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        // Not by our path: a build of this very program may replace it meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["fetch-tools", PROGRAM])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let build = Process::spawn("the build of tools/surfnet", &mut command)?;
        Ok(Self {
            build: Some(build),
            log,
            packages,
        })
    }

    /// Whether the program is there.
    ///
    /// # Errors
    /// When the build failed; the error says where its output is.
    pub fn ready(&mut self) -> Result<bool> {
        let Some(build) = &mut self.build else {
            return Ok(true);
        };
        let Some(status) = build.ended()? else {
            return Ok(false);
        };
        self.build = None;
        if !status.success() {
            bail!(
                "the build of tools/surfnet ended with {status}:\n{}",
                tail(&self.log)
            );
        }
        ensure!(
            installed()?.is_some(),
            "tools/surfnet was built but is not in the cache"
        );
        Ok(true)
    }

    /// How far the build is, for people.
    #[must_use]
    pub fn progress(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        match log
            .lines()
            .filter(|line| line.trim_start().starts_with("Compiling "))
            .count()
        {
            0 => {
                "building the Solana chain: starting, or waiting for another command that builds it"
                    .to_owned()
            }
            done => format!(
                "building the Solana chain: {done} of about {} packages",
                self.packages * 9 / 10
            ),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.log));
    }
}

/// The last lines of what the build printed.
fn tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(40))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

fn slot() -> Result<Slot> {
    let source = source()?;
    let inputs = ["Cargo.toml", "Cargo.lock", "src/main.rs"].map(|name| read(&source.join(name)));
    let [manifest, lock, program] = inputs;
    Slot::new(PROGRAM, &[&manifest?, &lock?, &program?])
}

fn source() -> Result<PathBuf> {
    Ok(workspace::root()?.join("tools/surfnet"))
}
