//! Programs that are not ours, which the tour and the tests run: where each one is, and how it gets there.
//! Versions are fixed by the lock files in `tools/`; nothing is taken from elsewhere on the machine but `node`,
//! `npm`, `python3` and the C toolchain. Looking a tool up never installs it, so tests that run side by side
//! never race; `cargo xtask fetch-tools` installs.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cache::Slot;
use crate::interrupt::Interrupt;
use crate::workspace;

pub mod packages;
pub mod surfnet;

/// Where npm puts the EVM chain.
const ANVIL: &str = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
/// Prints the first browser that is installed: the one without a window, or any Chromium.
const BROWSER_LOOKUP: &str = "command -v chromium-headless-shell || command -v chromium || \
                              command -v chromium-browser || command -v google-chrome";
/// Said of everything that is looked up and not there.
const HOW: &str = "run `cargo xtask fetch-tools`";

/// The anvil program (or the one `WAIAAS_ANVIL` names).
///
/// # Errors
/// When it is not installed.
pub fn anvil() -> Result<PathBuf> {
    if let Some(given) = env::var_os("WAIAAS_ANVIL") {
        return Ok(given.into());
    }
    let slot = node_slot()?;
    Ok(slot
        .installed()
        .with_context(|| format!("anvil is not installed: {HOW}"))?
        .join(ANVIL))
}

/// The surfnet program (or the one `WAIAAS_SURFNET` names).
///
/// # Errors
/// When it is not built.
pub fn surfnet() -> Result<PathBuf> {
    if let Some(given) = env::var_os("WAIAAS_SURFNET") {
        return Ok(given.into());
    }
    surfnet::installed()?.with_context(|| format!("surfnet is not built: {HOW}"))
}

/// Runs the JavaScript module `source` with `arguments`, able to import what `tools/foreign/package.json` names
/// (`@solana/kit`, `viem`). In the script, `process.argv` is the program, then the arguments.
///
/// # Errors
/// When the packages are not installed.
pub fn node<A: AsRef<OsStr>>(
    source: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<Command> {
    let slot = node_slot()?;
    let folder = slot
        .installed()
        .with_context(|| format!("the JavaScript packages are not installed: {HOW}"))?;
    let mut command = Command::new("node");
    // A module given as text is resolved from the working folder; one in the checkout would not find the cache.
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval", source, "--"])
        .args(arguments);
    Ok(command)
}

/// A Python that can import what `tools/foreign/requirements.txt` names (`solders`, `eth_account`). Beside
/// its own folder a script reads no variable and no folder of the user's (`-E`, `-s`).
///
/// # Errors
/// When the packages are not installed.
pub fn python() -> Result<Command> {
    let slot = python_slot()?;
    let folder = slot
        .installed()
        .with_context(|| format!("the Python packages are not installed: {HOW}"))?;
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.args(["-E", "-s"]);
    Ok(command)
}

/// A Chromium that runs without a window (or the one `WAIAAS_CHROMIUM` names).
///
/// # Errors
/// When none is installed.
pub fn chromium() -> Result<PathBuf> {
    if let Some(given) = env::var_os("WAIAAS_CHROMIUM") {
        return Ok(given.into());
    }
    let found = Command::new("sh")
        .args(["-c", BROWSER_LOOKUP])
        .stdin(Stdio::null())
        .output()
        .context("sh cannot be run")?;
    let path = String::from_utf8(found.stdout).context("a path of text")?;
    ensure!(found.status.success(), "no Chromium is installed: {HOW}");
    Ok(path.trim_end().into())
}

/// Installs the JavaScript packages, anvil among them, unless they are there.
///
/// # Errors
/// When npm fails, or anvil does not come out of it.
pub fn install_node(interrupt: &Interrupt) -> Result<()> {
    let from = foreign()?;
    node_slot()?.install(|folder| {
        for name in ["package.json", "package-lock.json"] {
            fs::copy(from.join(name), folder.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(folder);
        run(interrupt, "npm", &mut npm)?;
        ensure!(folder.join(ANVIL).is_file(), "npm did not install {ANVIL}");
        Ok(())
    })?;
    Ok(())
}

/// Installs the Python packages in a virtual environment, unless they are there.
///
/// # Errors
/// When python3 has no `venv`, or pip fails.
pub fn install_python(interrupt: &Interrupt) -> Result<()> {
    let requirements = foreign()?.join("requirements.txt");
    python_slot()?.install(|folder| {
        let venv = folder.join("venv");
        run(
            interrupt,
            "python3 -m venv",
            Command::new("python3").args(["-m", "venv"]).arg(&venv),
        )?;
        let mut pip = Command::new(venv.join("bin/python"));
        // Wheels only: a source package would run its own set-up code here.
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(&requirements);
        run(interrupt, "pip", &mut pip)
    })?;
    Ok(())
}

fn node_slot() -> Result<Slot> {
    let from = foreign()?;
    Slot::new(
        "foreign-node",
        &[
            &read(&from.join("package.json"))?,
            &read(&from.join("package-lock.json"))?,
        ],
    )
}

fn python_slot() -> Result<Slot> {
    // A virtual environment belongs to the interpreter that made it.
    let version = Command::new("python3")
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let version = version.context("python3 cannot be run")?.stdout;
    Slot::new(
        "foreign-python",
        &[&version, &read(&foreign()?.join("requirements.txt"))?],
    )
}

fn foreign() -> Result<PathBuf> {
    Ok(workspace::root()?.join("tools/foreign"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Runs an installer; what it prints goes to standard error, like all progress.
fn run(interrupt: &Interrupt, name: &str, command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    let status = interrupt.run(name, command)?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}
