//! Where this checkout is, what cargo builds in it and where it puts the result.
//! Asks cargo; decides nothing. Used by every command and by the process-level tests.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The process-level tests: run last, because they need the tools and the built product.
pub const TESTS_PACKAGE: &str = "waiaas-tests";

/// What `cargo metadata` says of this workspace.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    packages: Vec<Package>,
    /// The folder of the workspace's `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Where cargo puts what it builds (`CARGO_TARGET_DIR`, or `target`).
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace of the running program.
    ///
    /// # Errors
    /// When cargo cannot be run or does not answer as documented.
    pub fn load() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(root()?)
            .stderr(Stdio::inherit())
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            bail!("cargo metadata ended with {}", output.status);
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata answered something else")
    }

    /// Every member by name, in cargo's order, the process-level tests left out.
    pub fn crates(&self) -> impl Iterator<Item = &str> {
        self.packages
            .iter()
            .map(|package| package.name.as_str())
            .filter(|name| *name != TESTS_PACKAGE)
    }

    /// The members that have a library, and so may have examples in their documentation to test.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        let is_library = |package: &&Package| {
            let kinds = package.targets.iter().flat_map(|target| &target.kind);
            kinds.into_iter().any(|kind| kind == "lib")
        };
        self.packages
            .iter()
            .filter(is_library)
            .map(|package| package.name.as_str())
    }
}

/// The cargo that runs us, or the one on the path. What cargo told this program about itself is not passed on:
/// some build scripts look at it, and would run again each time it differs.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The folder of the workspace this program belongs to.
///
/// # Errors
/// When that folder is gone: the program was run by hand after its checkout moved.
pub fn root() -> Result<PathBuf> {
    // Cargo sets the variable for what it runs. The path known at compile time is the second choice:
    // it is wrong once a checkout has been moved together with its target folder.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .with_context(|| format!("{} is in no checkout of this project", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_tested_and_the_process_level_tests_are_kept_apart() {
        let workspace = Workspace::load().unwrap();
        let crates: Vec<_> = workspace.crates().collect();
        for name in [
            "waiaas-schema",
            "waiaas-shared",
            "waiaas-signer",
            "waiaas-gateway",
            "waiaas",
            "xtask",
        ] {
            assert!(crates.contains(&name), "{name} is missing from {crates:?}");
        }
        assert!(!crates.contains(&TESTS_PACKAGE));
        assert!(workspace.libraries().any(|name| name == "xtask"));
        assert_eq!(workspace.root, root().unwrap());
    }
}
