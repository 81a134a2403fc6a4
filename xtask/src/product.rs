//! The product's three programs, built as they are shipped: each crate alone, so that none gets features that
//! another asked for. The one place that decides in which profile tests and the tour run them.
//! Used by the commands, and by the process-level tests to find what they start.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::interrupt::Interrupt;
use crate::process::Process;
use crate::workspace::{self, Workspace};

/// Package and program names.
const PROGRAMS: [(&str, &str); 3] = [
    ("waiaas-signer", SIGNER),
    ("waiaas-gateway", GATEWAY),
    ("waiaas", CLI),
];
const SIGNER: &str = "waiaas-signer";
const GATEWAY: &str = "waiaas-gateway";
const CLI: &str = "waiaas";

/// Tells tests which folder holds the programs under test; set by `cargo xtask test`.
pub const FOLDER_VARIABLE: &str = "WAIAAS_BIN_DIR";

/// How the programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build; dependencies, cryptography among them, are optimised all the same.
    Dev,
    /// As shipped.
    Release,
}

impl Profile {
    /// What tests and the tour run. Overflow checks and debug assertions are on, and a cold build stays short.
    pub const TESTS: Self = Self::Dev;

    const fn flag(self) -> &'static str {
        match self {
            Self::Dev => "--profile=dev",
            Self::Release => "--profile=release",
        }
    }

    /// Cargo's name for the folder.
    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The built programs.
#[derive(Debug, Clone)]
pub struct Product {
    folder: PathBuf,
}

impl Product {
    /// What a test starts: the programs `cargo xtask test` has built, or, when a test is run by hand, freshly built
    /// ones.
    ///
    /// # Errors
    /// When they do not build.
    pub fn for_tests() -> Result<Self> {
        match env::var_os(FOLDER_VARIABLE) {
            Some(folder) => Ok(Self {
                folder: folder.into(),
            }),
            None => Self::build_with(Profile::TESTS, |process| {
                loop {
                    if let Some(status) = process.ended()? {
                        return Ok(status);
                    }
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            }),
        }
    }

    /// Builds the programs, showing cargo's progress.
    ///
    /// # Errors
    /// When one does not build, or on an interrupt.
    pub fn build(profile: Profile, interrupt: &Interrupt) -> Result<Self> {
        Self::build_with(profile, |process| interrupt.wait(process))
    }

    fn build_with(
        profile: Profile,
        wait: impl Fn(&mut Process) -> Result<std::process::ExitStatus>,
    ) -> Result<Self> {
        let workspace = Workspace::load()?;
        let folder = workspace
            .target
            .join("product")
            .join(checkout(&workspace.root))
            .join(profile.folder());
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // Checkouts may share a target folder, where the last build of any of them owns the program's name;
        // so may a test build of the same crate. Hence copies, one build at a time.
        let lock = File::create(workspace.target.join("product/lock"))?;
        lock.lock()?;
        for (package, program) in PROGRAMS {
            let mut command = workspace::cargo();
            command
                .args([
                    "build",
                    "--package",
                    package,
                    "--bin",
                    program,
                    profile.flag(),
                ])
                .current_dir(&workspace.root)
                .stdin(Stdio::null())
                .stdout(std::io::stderr());
            let status = wait(&mut Process::spawn("cargo build", &mut command)?)?;
            ensure!(status.success(), "{package} does not build");
            install(
                &workspace.target.join(profile.folder()).join(program),
                &folder.join(program),
            )?;
        }
        Ok(Self { folder })
    }

    /// The folder of all three, for [`FOLDER_VARIABLE`].
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `waiaas-signer`.
    #[must_use]
    pub fn signer(&self) -> PathBuf {
        self.folder.join(SIGNER)
    }

    /// `waiaas-gateway`.
    #[must_use]
    pub fn gateway(&self) -> PathBuf {
        self.folder.join(GATEWAY)
    }

    /// `waiaas`.
    #[must_use]
    pub fn cli(&self) -> PathBuf {
        self.folder.join(CLI)
    }
}

/// Copies beside and renames: a program that is running cannot be written to.
fn install(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension(format!("new-{}", std::process::id()));
    fs::copy(from, &beside).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::rename(&beside, to).with_context(|| format!("cannot replace {}", to.display()))
}

/// A short name for a checkout. It only has to be stable within one build of this program.
fn checkout(root: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
