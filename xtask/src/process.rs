//! A child process that ends when its starter does: dropped, interrupted, or killed with no chance to clean up.
//! Each child leads its own process group, so Ctrl-C at the terminal reaches only us and we end children in
//! order. Beside it waits a small shell whose standard input is a pipe from us: when the pipe closes it ends the
//! group. (The kernel's parent-death signal would need unsafe code, and is tied to the starting thread's life.)
//! Used for chains, background builds and the product's programs.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Reads the group to end, then waits for our pipe to close; asks first, and after 5 s no longer asks.
/// `kill -s NAME -- -GROUP` is the one form that every POSIX shell takes (dash refuses `kill -NAME -- -GROUP`).
const WATCHER: &str = r#"trap '' INT TERM HUP QUIT
read -r group || exit 0
while read -r _; do :; done
kill -s TERM -- "-$group" 2>/dev/null || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  sleep 0.2
  kill -s 0 -- "-$group" 2>/dev/null || exit 0
done
kill -s KILL -- "-$group" 2>/dev/null"#;

/// How often a waiting loop looks again.
const POLL: Duration = Duration::from_millis(10);
/// Between closing its output and having ended.
const GRACE: Duration = Duration::from_secs(5);
/// Lines kept of what a child said before it failed to become ready.
const KEPT_LINES: usize = 20;

/// A running child. Dropping it kills its whole process group and waits for it.
pub struct Process {
    name: String,
    child: Child,
    watcher: Child,
    group: Pid,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` in a process group of its own. `name` is what errors call it. Standard input is closed
    /// and the other two are inherited unless `command` says otherwise; a piped standard input stays open until
    /// the child is stopped.
    ///
    /// # Errors
    /// When the program or the shell beside it cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let mut watcher = Command::new("sh")
            .args(["-c", WATCHER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        let started = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} cannot be started"));
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                // Its pipe closes before it was told a group: it ends by itself.
                drop(watcher.stdin.take());
                watcher.wait()?;
                return Err(error);
            }
        };
        let group = Pid::from_raw(i32::try_from(child.id()).context("a process id is an i32")?);
        let mut process = Self {
            name: name.to_owned(),
            child,
            watcher,
            group,
            ended: None,
        };
        let told = process
            .watcher
            .stdin
            .as_mut()
            .map(|pipe| writeln!(pipe, "{group}"));
        told.unwrap_or(Ok(()))
            .with_context(|| format!("{name} cannot be watched"))?;
        Ok(process)
    }

    /// The child's process id, which is its group's as well.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `line_says` finds what it looks for in a line of the child's standard output (which must be
    /// piped); later lines are read and dropped, so the child never blocks on them.
    ///
    /// # Errors
    /// When the child ends or `patience` runs out first. The error carries the last lines it printed.
    pub fn ready<T>(
        &mut self,
        patience: Duration,
        mut line_says: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let stdout =
            self.child.stdout.take().ok_or_else(|| {
                anyhow!("the standard output of {} is not ours to read", self.name)
            })?;
        let lines = lines_then_silence(stdout);
        let deadline = Instant::now() + patience;
        let mut said: Vec<String> = Vec::new();
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = line_says(&line) {
                        return Ok(found);
                    }
                    if said.len() == KEPT_LINES {
                        said.remove(0);
                    }
                    said.push(line);
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{} was not ready after {patience:?}\n{}",
                        self.name,
                        said.join("\n")
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait(GRACE)?;
                    bail!(
                        "{} ended with {status} before it was ready\n{}",
                        self.name,
                        said.join("\n")
                    )
                }
            }
        }
    }

    /// The exit status, once the child has ended; never waits.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none()
            && let Some(status) = self.child.try_wait()?
        {
            self.note_end(status);
        }
        Ok(self.ended)
    }

    /// Waits at most `patience` for the child to end by itself.
    ///
    /// # Errors
    /// When it is still running after that.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{} is still running after {patience:?}", self.name);
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the child's group to end (SIGTERM) and waits at most `patience`. Dropping kills what is left of it.
    ///
    /// # Errors
    /// When the child is still running after that.
    pub fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        if self.ended()?.is_none() {
            // The child is not reaped yet, so the group is still ours. It may have ended: no harm.
            let _ = killpg(self.group, Signal::SIGTERM);
        }
        self.wait(patience)
    }

    /// The child is reaped: from here on its number may belong to a stranger, so the watcher must go first.
    fn note_end(&mut self, status: ExitStatus) {
        self.ended = Some(status);
        self.dismiss_watcher();
    }

    fn dismiss_watcher(&mut self) {
        drop(self.watcher.kill());
        drop(self.watcher.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also after the leader has ended: a group lives as long as one member does, and its number with it.
        // An empty group's number could be taken over only by a new group leader of the same number.
        let _ = killpg(self.group, Signal::SIGKILL);
        self.dismiss_watcher();
        if self.ended.is_none() {
            drop(self.child.wait());
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({} {})", self.name, self.group)
    }
}

/// Lines while somebody listens; read and dropped from then on, until the other end closes.
fn lines_then_silence(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        loop {
            line.clear();
            match stdout.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line.trim_end().to_owned()).is_err() => break,
                Ok(_) => {}
            }
        }
        drop(io::copy(&mut stdout, &mut io::sink()));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use nix::sys::signal::kill;
    use std::io::Read;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn gone_within(pid: Pid, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if kill(pid, None) == Err(Errno::ESRCH) || is_zombie(pid) {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }

    /// A container's first process may never reap what it inherits.
    fn is_zombie(pid: Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    }

    #[test]
    fn a_ready_line_is_found_and_later_output_blocks_nobody() {
        let script = "echo noise; echo ready 7; i=0; while [ $i -lt 9000 ]; do echo more more more; i=$((i+1)); done";
        let mut process = Process::spawn("talker", &mut shell(script)).unwrap();
        let found = process.ready(Duration::from_secs(20), |line| {
            line.strip_prefix("ready ").map(str::to_owned)
        });
        assert_eq!(found.unwrap(), "7");
        assert!(process.wait(Duration::from_secs(20)).unwrap().success());
    }

    #[test]
    fn a_child_that_ends_early_is_reported_with_what_it_said() {
        let mut process =
            Process::spawn("short", &mut shell("echo no such option; exit 3")).unwrap();
        let error = process
            .ready(Duration::from_secs(20), |_| None::<()>)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("short") && error.contains("no such option") && error.contains('3'),
            "{error}"
        );
    }

    #[test]
    fn a_silent_child_is_not_waited_for_without_end() {
        let mut process = Process::spawn("silent", &mut shell("sleep 60")).unwrap();
        let error = process
            .ready(Duration::from_millis(50), |_| None::<()>)
            .unwrap_err()
            .to_string();
        assert!(error.contains("not ready"), "{error}");
    }

    #[test]
    fn dropping_ends_children_of_the_child_as_well() {
        let mut process = Process::spawn("parent", &mut shell("sleep 60 & echo $!; wait")).unwrap();
        let grandchild = process
            .ready(Duration::from_secs(20), |line| line.parse().ok())
            .unwrap();
        drop(process);
        assert!(gone_within(
            Pid::from_raw(grandchild),
            Duration::from_secs(10)
        ));
    }

    #[test]
    fn stopping_asks_first() {
        let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";
        let mut process = Process::spawn("polite", &mut shell(script)).unwrap();
        process
            .ready(Duration::from_secs(20), |line| {
                (line == "ready").then_some(())
            })
            .unwrap();
        assert_eq!(
            process.stop(Duration::from_secs(20)).unwrap().code(),
            Some(5)
        );
    }

    #[test]
    fn the_watcher_ends_a_child_whose_starter_is_gone() {
        let mut process = Process::spawn("orphan", &mut shell("echo ready; sleep 60")).unwrap();
        process
            .ready(Duration::from_secs(20), |line| {
                (line == "ready").then_some(())
            })
            .unwrap();
        // What the kernel does when the starter dies: the pipe's only writing end closes.
        drop(process.watcher.stdin.take());
        let status = process.wait(Duration::from_secs(10)).unwrap();
        assert!(!status.success());
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_and_leaves_no_watcher() {
        let error =
            Process::spawn("nothing", &mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(error.to_string().contains("nothing"));
    }

    #[test]
    fn a_piped_input_stays_open_until_the_end() {
        let mut command = shell("echo ready; read -r _; echo closed");
        command.stdin(Stdio::piped());
        let mut process = Process::spawn("reader", &mut command).unwrap();
        let mut stdout = process.child.stdout.take().unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(process.ended().unwrap().is_none());
        drop(process);
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(said.trim_end(), "ready");
    }
}
