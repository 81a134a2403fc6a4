//! What has to come from the operating system: a C toolchain, Node, Python and a browser. Missing packages are installed
//! where that is possible without asking (Debian's apt, as root); elsewhere the error names them all at once.
//! Called by the commands before they install anything else.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};
use nix::unistd::geteuid;

use super::run;
use crate::interrupt::Interrupt;

/// A command that succeeds exactly where the Debian packages are installed.
struct Need {
    check: &'static [&'static str],
    packages: &'static [&'static str],
    optional: bool,
}

/// In the order in which they are reported.
const NEEDS: &[Need] = &[
    needed(&["cc", "--version"], &["gcc", "libc6-dev"]),
    needed(&["c++", "--version"], &["g++"]),
    needed(&["make", "--version"], &["make"]),
    needed(&["perl", "-e", "1"], &["perl"]),
    needed(&["pkg-config", "--version"], &["pkg-config"]),
    needed(&["node", "--version"], &["nodejs"]),
    needed(&["npm", "--version"], &["npm"]),
    needed(
        &["python3", "-c", "import ensurepip, venv"],
        &["python3", "python3-venv"],
    ),
    // Drives the signing page: nothing smaller shows that its policy lets its own script run and no other.
    needed(
        &["sh", "-c", super::BROWSER_LOOKUP],
        &["chromium-headless-shell"],
    ),
    // Only the test that regenerates the schema's code wants it, and that test says so where it is missing.
    Need {
        check: &["capnp", "--version"],
        packages: &["capnproto"],
        optional: true,
    },
];

const fn needed(check: &'static [&'static str], packages: &'static [&'static str]) -> Need {
    Need {
        check,
        packages,
        optional: false,
    }
}

/// Sees to it that everything needed is there.
///
/// # Errors
/// When something needed is missing and cannot be installed.
pub fn install(interrupt: &Interrupt) -> Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !need.met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing
        .iter()
        .flat_map(|need| need.packages)
        .copied()
        .collect();
    let wanted = missing.iter().any(|need| !need.optional);
    if can_install() {
        eprintln!("installing with apt-get: {}", packages.join(" "));
        // Old package lists are the usual reason for a failure; updating them costs a few seconds.
        apt(interrupt, &["update", "--quiet=2"])?;
        let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
        arguments.extend(&packages);
        let installed = apt(interrupt, &arguments);
        if wanted {
            installed?;
        }
    } else if wanted {
        bail!(
            "missing on this machine: {0}\non Debian: apt-get install {0}",
            packages.join(" ")
        );
    }
    for need in NEEDS.iter().filter(|need| !need.optional) {
        ensure!(
            need.met(),
            "still missing after apt-get: {}",
            need.packages.join(" ")
        );
    }
    Ok(())
}

impl Need {
    fn met(&self) -> bool {
        let [program, arguments @ ..] = self.check else {
            return true;
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

fn can_install() -> bool {
    geteuid().is_root() && fs::exists(Path::new("/usr/bin/apt-get")).unwrap_or(false)
}

fn apt(interrupt: &Interrupt, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("/usr/bin/apt-get");
    run(
        interrupt,
        "apt-get",
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_met_only_by_a_command_that_succeeds() {
        assert!(needed(&["true"], &["any"]).met());
        assert!(!needed(&["false"], &["any"]).met());
        assert!(!needed(&["no-such-program-anywhere"], &["any"]).met());
    }
}
