//! Starting probes and reading how they ended. Used by every test of this folder; knows nothing of what they try.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::attempts::beside;

/// An uid and gid without rights, for probes and attackers that are not root.
pub(crate) const NOBODY: u32 = 65_534;

/// The threads of a probe, as its argument names them.
pub(crate) const THREADS: [&str; 4] = ["main", "authority", "kdf", "rpc"];

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By this signal.
    Signal(i32),
    /// With this exit code.
    Code(i32),
}

/// Death by a filter with the action `kill_process`.
pub(crate) const KILLED: End = End::Signal(libc::SIGSYS);

/// A finished probe.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) end: End,
    pub(crate) out: String,
    pub(crate) err: String,
    /// Whether it left a file beside its state directory.
    pub(crate) escaped: bool,
}

/// Stops the run with a clear line if it cannot prove anything here.
pub(crate) fn need_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root: it reads memory as root and as other uids"
    );
}

/// A copy of this program that every uid may run; the build folder may be closed to others.
pub(crate) fn program() -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let path = folder.path().join("probe");
        fs::copy(std::env::current_exe().expect("own path"), &path).expect("copy of this program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        (folder, path)
    });
    path
}

/// A fresh state directory that belongs to `uid`, under a folder that everybody may enter.
pub(crate) fn state_directory(uid: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    chown(folder.path(), Some(uid), Some(uid)).expect("this test needs root to give a folder away");
    folder
}

/// A probe ready to start, under root. It writes to pipes.
pub(crate) fn probe(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .arg("probe")
        .arg(state)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A backtrace opens files, which would be death under the filters: the signer must not let it be asked for.
    command
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LIB_BACKTRACE", "1");
    command
}

/// Starts a probe under `uid` and waits for its end.
pub(crate) fn run(uid: u32, arguments: &[&str]) -> Finished {
    let state = state_directory(uid);
    let mut command = probe(state.path(), arguments);
    if uid != 0 {
        command.uid(uid).gid(uid);
    }
    let output = command.output().expect("the probe starts");
    let outside = beside(&state.path().join("inside"));
    let escaped = outside.exists();
    if escaped {
        fs::remove_file(outside).expect("the test tidies up");
    }
    let end = match (output.status.signal(), output.status.code()) {
        (Some(signal), _) => End::Signal(signal),
        (None, code) => End::Code(code.unwrap_or(-1)),
    };
    Finished {
        end,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        escaped,
    }
}
