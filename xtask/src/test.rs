//! `cargo xtask test`: everything that has to pass, the quickest checks first, stopping at the first that fails.
//! The slow build of the local Solana chain goes on behind all of it; tests that need that chain have `solana` in
//! their name and come last. Continuous integration runs this command and no other.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::interrupt::Interrupt;
use xtask::product::{self, Product, Profile};
use xtask::progress::Progress;
use xtask::tools::{self, packages, surfnet};
use xtask::workspace::{self, TESTS_PACKAGE, Workspace};

/// Tools, format, lints, programs, unit tests, process-level tests.
const STEPS: usize = 6;
/// How often a wait says that it is still waiting.
const REMINDER: Duration = Duration::from_secs(30);
/// Names the folder of vectors that are not copied into the project.
const VECTORS: &str = "WAIAAS_VECTORS";
/// This crate's tests need the tools too, so they run with the process-level ones.
const THIS_PACKAGE: &str = env!("CARGO_PKG_NAME");

pub(crate) fn run(interrupt: &Interrupt) -> Result<()> {
    let workspace = Workspace::load()?;
    let runner = Runner::find();
    let mut progress = Progress::new(STEPS);

    progress.step("tools");
    packages::install(interrupt)?;
    let mut solana = surfnet::Background::start()?;
    tools::install_node(interrupt)?;
    tools::install_python(interrupt)?;
    progress.done();

    progress.step("format");
    check(
        interrupt,
        workspace::cargo().args(["fmt", "--all", "--check"]),
    )?;
    for own in ["tools/surfnet/Cargo.toml", "fuzz/Cargo.toml"] {
        check(
            interrupt,
            workspace::cargo()
                .args(["fmt", "--check", "--manifest-path"])
                .arg(workspace.root.join(own)),
        )?;
    }
    progress.done();

    progress.step("lints, each crate alone");
    for name in workspace.crates().chain([TESTS_PACKAGE]) {
        progress.note(name);
        let lint = [
            "clippy",
            "--quiet",
            "--locked",
            "--all-targets",
            "--all-features",
            "--package",
            name,
            "--",
            "-D",
            "warnings",
        ];
        check(interrupt, workspace::cargo().args(lint))?;
    }
    progress.done();

    progress.step("the programs, each crate alone");
    let product = Product::build(Profile::TESTS, interrupt)?;
    progress.done();

    progress.step("unit tests, each crate alone");
    for name in workspace.crates().filter(|name| *name != THIS_PACKAGE) {
        progress.note(name);
        let mut tests = runner.tests(&[name], Part::All);
        check(interrupt, tests.arg("--all-features"))?;
    }
    if runner == Runner::Nextest {
        // It leaves out the examples in the documentation.
        for name in workspace.libraries() {
            progress.note(format_args!("{name}: documentation"));
            check(
                interrupt,
                workspace::cargo().args([
                    "test",
                    "--quiet",
                    "--locked",
                    "--doc",
                    "--package",
                    name,
                ]),
            )?;
        }
    }
    progress.done();

    progress.step("process-level tests");
    let process_level = |part| {
        let mut command = runner.tests(&[THIS_PACKAGE, TESTS_PACKAGE], part);
        check(
            interrupt,
            command.env(product::FOLDER_VARIABLE, product.folder()),
        )
    };
    if solana.ready()? {
        process_level(Part::All)?;
    } else {
        process_level(Part::WithoutSolana)?;
        wait_for(&mut solana, &progress, interrupt)?;
        process_level(Part::Solana)?;
    }
    // Said last, where it is read: these tests pass without having run.
    if let Some(folder) = absent_vectors(&workspace.root) {
        eprintln!(
            "NOT RUN: published vectors that may not be copied (shared/tests/vectors/README.md): there is no folder {}; {VECTORS} names one",
            folder.display()
        );
    }
    Ok(())
}

/// Where `shared/src/published.rs` looks for them, if there is nothing.
fn absent_vectors(root: &Path) -> Option<PathBuf> {
    let named = env::var_os(VECTORS).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root.join("../shared/vectors"));
    (!folder.is_dir()).then_some(folder)
}

/// Which tests, by name.
#[derive(Debug, Clone, Copy)]
enum Part {
    All,
    WithoutSolana,
    Solana,
}

/// Who runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    /// Nextest where it is installed: one process for each test, and a limit on its time.
    fn find() -> Self {
        let mut version = workspace::cargo();
        version
            .args(["nextest", "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match version.status() {
            Ok(status) if status.success() => Self::Nextest,
            _ => Self::Cargo,
        }
    }

    fn tests(self, names: &[&str], part: Part) -> Command {
        let mut command = workspace::cargo();
        match self {
            Self::Nextest => command.args([
                "nextest",
                "run",
                "--cargo-quiet",
                "--locked",
                "--no-tests=pass",
            ]),
            Self::Cargo => command.args(["test", "--quiet", "--locked", "--no-fail-fast"]),
        };
        for name in names {
            command.args(["--package", name]);
        }
        match (self, part) {
            (_, Part::All) => &mut command,
            (Self::Nextest, Part::WithoutSolana) => command.args(["-E", "not test(solana)"]),
            (Self::Nextest, Part::Solana) => command.args(["-E", "test(solana)"]),
            (Self::Cargo, Part::WithoutSolana) => command.args(["--", "--skip", "solana"]),
            (Self::Cargo, Part::Solana) => command.arg("solana"),
        };
        command
    }
}

fn check(interrupt: &Interrupt, command: &mut Command) -> Result<()> {
    command.current_dir(workspace::root()?).stdin(Stdio::null());
    let status = interrupt.run("cargo", command)?;
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    ensure!(
        status.success(),
        "cargo {} ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}

fn wait_for(
    solana: &mut surfnet::Background,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut said = Instant::now();
    progress.note(solana.progress());
    while !solana.ready()? {
        interrupt.sleep(Duration::from_millis(200))?;
        if said.elapsed() >= REMINDER {
            progress.note(solana.progress());
            said = Instant::now();
        }
    }
    Ok(())
}
