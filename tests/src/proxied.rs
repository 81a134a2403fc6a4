//! An agent behind `waiaas agent proxy`: its key in a file of its own, a session bound to it, and the proxy as a
//! process beside the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask::home::Home;
use xtask::process::Process;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent's key file with its session.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// Its key file.
    pub file: PathBuf,
    /// The public half.
    pub key: String,
    /// The session that is bound to it.
    pub session: String,
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Serving {
    /// The process.
    pub process: Process,
    /// What it printed: its socket or its URL.
    pub place: String,
    /// Where its log goes.
    pub log: PathBuf,
}

impl KeyHolder {
    /// A new key, and a session bound to it with these further arguments of `session grant`.
    ///
    /// # Errors
    /// When a step fails.
    pub fn create(home: &Home, owner: &Path, name: &str, grant: &[&str]) -> Result<Self> {
        let file = home.folder().join(format!("{name}.json"));
        let made = home.cli(&["agent", "keygen", "--out", text(&file)?])?;
        let key = field(&made, "agent_key")?;
        let mut arguments = vec!["session", "grant", "--owner-key", text(owner)?, "--yes"];
        arguments.extend(["--count", "1000", "--expires", "1d", "--agent-key", &key]);
        arguments.extend(grant);
        let granted = home.cli(&arguments)?;
        let session = field(&granted, "session")?;
        Ok(Self { file, key, session })
    }

    /// Starts a proxy for it, with these further arguments.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn serve(&self, home: &Home, more: &[&str]) -> Result<Serving> {
        let log = home.folder().join("proxy.log");
        let mut arguments = vec!["agent", "proxy", "--agent-key", text(&self.file)?];
        arguments.extend(["--session", &self.session]);
        arguments.extend(more);
        let mut command = home.command(&arguments);
        command.stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut process = Process::spawn("waiaas agent proxy", &mut command)?;
        let place = process.ready(PATIENCE, |line| Some(line.to_owned()))?;
        Ok(Serving {
            process,
            place,
            log,
        })
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of text")
}

fn field(value: &Value, name: &str) -> Result<String> {
    let text = value.get(name).and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("{name} in {value}"))?
        .to_owned())
}
