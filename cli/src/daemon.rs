//! Background processes of this user: starting one, knowing it again, ending it. A process is known by
//! its id, the time it started (proc(5), field 22 of stat) and this boot's id; it is signalled through
//! a pidfd that was opened before those were compared, so that no stranger is ever hit.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::failure::{Exit, Failure};
use crate::home::{Home, cannot};

/// How long a process may take to become ready.
const READY_PATIENCE: Duration = Duration::from_secs(15);
/// How long a process may take to end after it was asked to.
const END_PATIENCE: Duration = Duration::from_secs(15);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a failed process's log is shown.
const LOG_TAIL_BYTES: u64 = 2000;

/// One of our two processes.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    home: &'a Home,
    /// `signer` or `gateway`.
    pub(crate) name: &'static str,
}

/// A process, known again after this program has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    pid: i32,
    /// Clock ticks from the boot.
    started: u64,
    boot: String,
}

impl<'a> Daemon<'a> {
    /// The process of this name in this home.
    pub(crate) const fn new(home: &'a Home, name: &'static str) -> Self {
        Self { home, name }
    }

    fn pid_file(&self) -> PathBuf {
        self.home.run().join(format!("{}.pid", self.name))
    }

    /// Where it writes.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.home.run().join(format!("{}.log", self.name))
    }

    /// Its process id, if the process that was started here still runs.
    pub(crate) fn running(&self) -> Result<Option<i32>, Failure> {
        Ok(self.alive()?.map(|(known, _)| known.pid))
    }

    /// Starts it in the background with its log as output.
    pub(crate) fn start(&self, binary: &Path, config: &Path) -> Result<Child, Failure> {
        let log = self.log_file();
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&log)
            .map_err(|error| cannot("written", &log, &error))?;
        let errors = output
            .try_clone()
            .map_err(|error| cannot("written", &log, &error))?;
        let child = Command::new(binary)
            .arg("--config")
            .arg(config)
            .current_dir(self.home.root())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // A group of its own: Ctrl-C in this terminal is not meant for it.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::new(Exit::Failure, format!("the {} was not started", self.name))
                    .why(format!("{}: {error}", binary.display()))
                    .next(format!(
                        "install it there, or set `{}-binary` in {}",
                        self.name,
                        self.home.config().display()
                    ))
            })?;
        let pid = i32::try_from(child.id())
            .map_err(|_| Failure::internal("a process id beyond 31 bits"))?;
        // If it is gone already, the caller sees its end.
        if let Some(known) = Known::of(pid) {
            self.home.write(&self.pid_file(), known.text().as_bytes())?;
        }
        Ok(child)
    }

    /// Waits until `ready` says so. A process that ends before is a failure with the end of its log.
    pub(crate) async fn wait_until_ready<F: Future<Output = bool>>(
        &self,
        child: &mut Child,
        ready: impl Fn() -> F,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                let _best_effort = std::fs::remove_file(self.pid_file());
                return Err(Failure::new(
                    Exit::Unavailable,
                    format!("the {} ended while starting", self.name),
                )
                .why(format!(
                    "{status}; the end of {}:\n{}",
                    self.log_file().display(),
                    self.log_tail()
                )));
            }
            if ready().await {
                return Ok(());
            }
            if since.elapsed() > READY_PATIENCE {
                return Err(Failure::new(
                    Exit::Unavailable,
                    format!("the {} is not ready", self.name),
                )
                .why(format!(
                    "it runs, and has not answered in {} seconds",
                    READY_PATIENCE.as_secs()
                ))
                .next(format!("look into {}", self.log_file().display())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks it to end and waits; false if it does not run.
    pub(crate) async fn stop(&self) -> Result<bool, Failure> {
        let Some((known, pidfd)) = self.alive()? else {
            let _best_effort = std::fs::remove_file(self.pid_file());
            return Ok(false);
        };
        match pidfd_send_signal(&pidfd, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => {
                return Err(Failure::new(
                    Exit::Failure,
                    format!("the {} cannot be asked to end", self.name),
                )
                .why(error));
            }
        }
        let since = Instant::now();
        while !ended(&pidfd)? {
            if since.elapsed() > END_PATIENCE {
                return Err(Failure::new(
                    Exit::Failure,
                    format!("the {} has not ended", self.name),
                )
                .why(format!(
                    "process {} was asked to end {} seconds ago",
                    known.pid,
                    END_PATIENCE.as_secs()
                ))
                .next(format!("look into {}", self.log_file().display())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let _best_effort = std::fs::remove_file(self.pid_file());
        Ok(true)
    }

    /// The process of the pid file, if it is still that one.
    fn alive(&self) -> Result<Option<(Known, rustix::fd::OwnedFd)>, Failure> {
        let Some(known) = self
            .home
            .read(&self.pid_file())?
            .as_deref()
            .and_then(Known::parse)
        else {
            return Ok(None);
        };
        let Some(pid) = Pid::from_raw(known.pid) else {
            return Ok(None);
        };
        // First the descriptor, then the comparison: what it names cannot change in between.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(None);
        };
        if Known::of(known.pid).as_ref() == Some(&known) && !ended(&pidfd)? {
            Ok(Some((known, pidfd)))
        } else {
            Ok(None)
        }
    }

    /// The end of its log.
    fn log_tail(&self) -> String {
        let read = || {
            let mut file = std::fs::File::open(self.log_file())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
            std::io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }
}

/// Whether the whole process has ended: its last thread too, and with it every lock it held. What /proc shows of
/// its first thread says nothing of the others.
fn ended(pidfd: &rustix::fd::OwnedFd) -> Result<bool, Failure> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(readable) => Ok(readable > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Failure::internal(format!(
            "a pidfd cannot be polled: {error}"
        ))),
    }
}

impl Known {
    /// The process with this id now; none if there is none.
    fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        // The name in parentheses may hold anything, also parentheses.
        let (_, fields) = stat.rsplit_once(") ")?;
        Some(Self {
            pid,
            started: fields.split(' ').nth(19)?.parse().ok()?,
            boot: boot.trim().to_owned(),
        })
    }

    fn text(&self) -> String {
        format!("{} {} {}\n", self.pid, self.started, self.boot)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_end().split(' ');
        let known = Self {
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            boot: parts.next()?.to_owned(),
        };
        (known.pid > 0 && parts.next().is_none()).then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::at(folder.path().join("home")).unwrap();
        home.create().unwrap();
        home
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(future)
    }

    /// A program that takes `--config FILE` and waits.
    fn waiting(folder: &tempfile::TempDir) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join("program");
        std::fs::write(&path, "#!/bin/sh\necho started $1\nexec sleep 60\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    #[test]
    fn it_starts_is_known_again_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let daemon = Daemon::new(&home, "signer");
        assert_eq!(daemon.running().unwrap(), None);
        let mut child = daemon
            .start(&waiting(&folder), Path::new("/dev/null"))
            .unwrap();
        assert_eq!(daemon.running().unwrap(), i32::try_from(child.id()).ok());
        run(daemon.wait_until_ready(&mut child, || async { true })).unwrap();
        assert!(run(daemon.stop()).unwrap());
        assert!(!child.wait().unwrap().success(), "ended by the signal");
        assert_eq!(daemon.running().unwrap(), None);
        assert!(!run(daemon.stop()).unwrap());
    }

    /// A process lives as long as its last thread: until then it holds its locks, and a successor would not start.
    #[test]
    fn it_has_not_ended_before_its_last_thread_has() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let daemon = Daemon::new(&home, "signer");
        let path = folder.path().join("program");
        // exit(2), the system call, ends the calling thread alone.
        let program = "#!/usr/bin/env python3\n\
            import ctypes, platform, threading, time\n\
            threading.Thread(target=time.sleep, args=(60,)).start()\n\
            ctypes.CDLL(None).syscall(93 if platform.machine() == 'aarch64' else 60, 0)\n";
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut child = daemon.start(&path, Path::new("/dev/null")).unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        let until = Instant::now() + Duration::from_secs(30);
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            assert!(Instant::now() < until, "its first thread does not end");
            std::thread::sleep(LOOK_EVERY);
        }
        assert_eq!(daemon.running().unwrap(), i32::try_from(child.id()).ok());
        assert!(run(daemon.stop()).unwrap());
        assert_eq!(daemon.running().unwrap(), None);
        assert!(!child.wait().unwrap().success(), "ended by the signal");
    }

    /// A pid file that was left behind names a stranger: it is neither reported nor signalled.
    #[test]
    fn a_stranger_with_the_same_id_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let daemon = Daemon::new(&home, "signer");
        let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
        let known = Known::of(i32::try_from(stranger.id()).unwrap()).unwrap();
        for left in [
            Known {
                started: known.started + 1,
                ..known.clone()
            },
            Known {
                boot: "another".to_owned(),
                ..known.clone()
            },
        ] {
            home.write(&daemon.pid_file(), left.text().as_bytes())
                .unwrap();
            assert_eq!(daemon.running().unwrap(), None);
            assert!(!run(daemon.stop()).unwrap());
        }
        assert!(stranger.try_wait().unwrap().is_none(), "still runs");
        for text in ["", "0 1 b", "-1 1 b", "1", "1 2 b c", "x y z"] {
            assert_eq!(Known::parse(text), None, "{text}");
        }
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn a_process_that_ends_at_once_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let daemon = Daemon::new(&home, "gateway");
        let mut child = daemon
            .start(Path::new("/bin/ls"), Path::new("/nonexistent"))
            .unwrap();
        let failure = run(daemon.wait_until_ready(&mut child, || async { false })).unwrap_err();
        assert_eq!(failure.exit(), Exit::Unavailable);
        assert!(failure.human().contains("--config"), "{}", failure.human());
        let missing = daemon
            .start(Path::new("/nonexistent"), Path::new("/x"))
            .unwrap_err();
        assert!(
            missing.human().contains("gateway-binary"),
            "{}",
            missing.human()
        );
    }
}
