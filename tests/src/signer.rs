//! A signer process with a home of its own in a temporary folder.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use xtask::process::Process;
use xtask::product::Product;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// State and sockets of one signer; removed with the value.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    program: PathBuf,
}

impl Home {
    /// An empty home.
    ///
    /// # Errors
    /// When the folder cannot be made or the signer does not build.
    pub fn new() -> Result<Self> {
        let home = Self {
            folder: tempfile::tempdir()?,
            program: Product::for_tests()?.signer(),
        };
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700))?;
        for name in ["state", "run"] {
            fs::create_dir(home.path().join(name))?;
            fs::set_permissions(home.path().join(name), fs::Permissions::from_mode(0o700))?;
        }
        let config = format!(
            "state-directory = {:?}\ngateway-socket = {:?}\nadmin-socket = {:?}\n",
            home.state(),
            home.gateway_socket(),
            home.admin_socket()
        );
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(home.config())?;
        std::io::Write::write_all(&mut file, config.as_bytes())?;
        Ok(home)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The signer's configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path().join("signer.toml")
    }

    /// The signer's state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Where gateways connect.
    #[must_use]
    pub fn gateway_socket(&self) -> PathBuf {
        self.path().join("run/gateway.sock")
    }

    /// Where the owner connects.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.path().join("run/admin.sock")
    }

    /// The command that starts the signer.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config());
        command
    }

    /// Starts the signer and waits until it is ready.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start(&self) -> Result<Process> {
        let mut process = Process::spawn(
            "waiaas-signer",
            self.command().stdout(std::process::Stdio::piped()),
        )?;
        process
            .ready(PATIENCE, |line| (line == "ready").then_some(()))
            .context("the signer did not become ready")?;
        Ok(process)
    }
}
