//! What the gateway's user can do to the signer's process and files from beside it (W18, W21 to W24).

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;

use super::{Case, case};
use crate::raw::{Answer, PREFACE, Wire, bootstrap, status};
use crate::rig::Rig;
use crate::runner::Template;
use crate::stand::{GATEWAY_UID, STRANGER_UID};

pub(super) const CASES: &[Case] = &[
    case("W18", what_an_end_leaves),
    case("W21", memory),
    case("W22", files),
    case("W23", control),
    case("W24", sockets),
];

const PROBE: &str = include_str!("../probe.py");

/// Runs the probe as a user; how many attempts it made, all of them in vain.
fn probe(rig: &mut Rig, uid: u32, what: &str) -> Result<usize> {
    let run = rig.home.gateway_socket();
    let output = Command::new("python3")
        .args(["-I", "-c", PROBE])
        .arg(rig.process_id()?.to_string())
        .arg(rig.home.state())
        .arg(run.parent().context("a directory")?)
        .arg(rig.home.config())
        .arg(what)
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .uid(uid)
        .gid(uid)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "the probe: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let succeeded: Vec<_> = said
        .lines()
        .filter(|line| line.ends_with("SUCCEEDED"))
        .collect();
    ensure!(succeeded.is_empty(), "uid {uid}: {succeeded:?}");
    rig.record.captured.extend(&output.stdout);
    let tried = said.lines().count();
    ensure!(tried > 5, "the probe tried {tried} things");
    // Refused by the kernel for who asks, and not for what was asked.
    let odd: Vec<_> = said
        .lines()
        .filter(|line| {
            ![
                "Permission denied",
                "Operation not permitted",
                "No such file or directory",
                "Read-only file system",
                "Function not implemented",
            ]
            .iter()
            .any(|reason| line.ends_with(reason))
        })
        .collect();
    ensure!(
        odd.len() * 4 < tried,
        "uid {uid}: refused for other reasons: {odd:?}"
    );
    Ok(tried)
}

fn both(rig: &mut Rig, what: &str) -> Result<String> {
    let before = rig.status()?.sequence;
    let tried = probe(rig, GATEWAY_UID, what)? + probe(rig, STRANGER_UID, what)?;
    ensure!(rig.status()?.sequence == before, "something was written");
    Ok(format!(
        "{tried} attempts as the gateway's user and a stranger, all refused by the kernel"
    ))
}

fn memory(rig: &mut Rig, _: &Template) -> Result<String> {
    both(rig, "memory")
}

fn files(rig: &mut Rig, _: &Template) -> Result<String> {
    both(rig, "files")
}

fn control(rig: &mut Rig, _: &Template) -> Result<String> {
    let said = both(rig, "control")?;
    ensure!(!rig.ended()?, "it ended");
    Ok(said)
}

fn sockets(rig: &mut Rig, _: &Template) -> Result<String> {
    let said = both(rig, "sockets")?;
    // A user who is not listed is closed before a byte is read; so is the gateway at the owner's door.
    let (gateway, admin) = (rig.home.gateway_socket(), rig.home.admin_socket());
    for (path, uid) in [
        (&gateway, STRANGER_UID),
        (&gateway, 0),
        (&admin, STRANGER_UID),
        (&admin, GATEWAY_UID),
    ] {
        let mut wire = Wire::silent(path, uid)?;
        let bytes = [&PREFACE[..], &bootstrap(0), &status(1)].concat();
        let _ = wire.push(&bytes, Duration::from_secs(1));
        let answers = wire.answers(2, Duration::from_secs(1))?;
        ensure!(
            answers.is_empty() && wire.captured.is_empty(),
            "uid {uid} was answered"
        );
        ensure!(
            wire.closes(Duration::from_secs(1))?,
            "uid {uid} stays connected"
        );
    }
    // A second connection of the gateway is a peer like the first, with its own places.
    let mut second = Wire::introduced(&gateway)?;
    ensure!(second.push(&status(1), Duration::from_secs(1)));
    ensure!(matches!(
        second.answer_to(1, Duration::from_secs(3))?,
        Answer::Results(_)
    ));
    Ok(format!("{said}; 4 wrong users closed unread"))
}

fn what_an_end_leaves(rig: &mut Rig, _: &Template) -> Result<String> {
    let id = rig.process_id()?;
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits"))?;
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .context("a limit")?;
    let fields: Vec<_> = cores.split_whitespace().collect();
    ensure!(fields.get(4..6) == Some(&["0", "0"]), "{cores}");
    // Ended in the ways that would leave a core of another process.
    for signal in ["SEGV", "ABRT"] {
        let id = rig.process_id()?;
        // Twice: the first goes to the handler for a stack's end, which steps aside.
        let start = Instant::now();
        while !rig.ended()? {
            let sent = Command::new("kill")
                .args(["-s", signal, &id.to_string()])
                .stderr(Stdio::null())
                .status()?;
            std::thread::sleep(Duration::from_millis(50));
            ensure!(
                start.elapsed() < Duration::from_secs(5),
                "SIG{signal} did not end it: {sent}"
            );
        }
        let left: Vec<_> = [
            rig.home.path().to_owned(),
            rig.home.state(),
            std::env::current_dir()?,
        ]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("core"))
        .collect();
        ensure!(left.is_empty(), "{left:?}");
        rig.crash();
        rig.restart()?;
        ensure!(!rig.status()?.unlocked, "a restart came back unlocked");
        let transfer = rig.to_evm(1);
        let request = rig.request(&transfer)?;
        rig.refuse("while locked", request, &[Code::Locked])?;
        rig.unlock()?;
    }
    let errors = std::fs::read_to_string(rig.home.errors())?;
    ensure!(errors.is_empty(), "it said: {errors}");
    Ok("no core, nothing on standard error, locked after each restart".to_owned())
}
