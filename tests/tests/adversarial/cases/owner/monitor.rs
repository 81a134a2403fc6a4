//! The owner is not told (T13): what waits stands in the signer's heartbeat, which the owner's own command line
//! verifies, whoever brings it. A gateway can bring none, or an old one; both are seen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::keys::AgentKey;
use xtask::product::Product;

use crate::cases::waiting::{invent, open};
use crate::cases::{Case, case};
use crate::raw::Random;
use crate::rig::Rig;
use crate::runner::Template;
use crate::stand::{ASKED, DELAYED};

pub(in crate::cases) const CASES: &[Case] = &[case("T13", suppressed_notices)];

/// Where the owner watches: a home of the command line with the pinned log key and nothing else.
struct Monitor {
    cli: PathBuf,
    home: PathBuf,
}

impl Monitor {
    fn new(rig: &Rig) -> Result<Self> {
        let home = rig.home.path().join("owner");
        fs::create_dir(&home)?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
        let keystore = fs::read(rig.home.state().join("keystore"))?;
        let key: [u8; 32] = keystore.get(64..96).context("a header")?.try_into()?;
        let key = AgentKey::from_bytes(key);
        let pin = format!("{} {key}\n", rig.cast.agent.signer);
        fs::write(home.join("log-key"), pin)?;
        Ok(Self {
            cli: Product::for_tests()?.cli(),
            home,
        })
    }

    fn path(&self) -> PathBuf {
        self.home.join("brought")
    }

    /// What the command line says of what somebody brought; nothing if it fails.
    fn check(&self, brought: &Path, max_age: &str) -> Result<Option<String>> {
        let output = Command::new(&self.cli)
            .args(["audit", "heartbeat", "--json", "--max-age", max_age])
            .arg("--from-file")
            .arg(brought)
            .env_clear()
            .env("WAIAAS_HOME", &self.home)
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        Ok(output.status.success().then_some(said))
    }

    fn believes(&self, note: &[u8], max_age: &str) -> Result<Option<String>> {
        fs::write(self.path(), note)?;
        self.check(&self.path(), max_age)
    }
}

fn suppressed_notices(rig: &mut Rig, template: &Template) -> Result<String> {
    let monitor = Monitor::new(rig)?;
    let gateway = rig.gateway();
    let earlier = rig.block(gateway.heartbeat())?;
    ensure!(
        monitor.believes(earlier.as_bytes(), "1h")?.is_some(),
        "an honest heartbeat"
    );
    // Opened under the owner's eyes by nobody who tells.
    let (to_evm, to_solana) = (rig.to_evm(ASKED), rig.to_solana(ASKED));
    let delayed = rig.to_evm(DELAYED);
    let waiting = [
        invent(rig, &to_evm)?,
        open(rig, &to_solana)?,
        invent(rig, &delayed)?,
    ];
    let note = rig.block(gateway.heartbeat())?;
    let said = monitor.believes(note.as_bytes(), "1h")?;
    let said = said.context("an honest heartbeat of what waits")?;
    for payment in &waiting {
        let name = payment.transaction.to_string();
        ensure!(said.contains(&name), "{name} is not told: {said}");
    }
    // Without a line, with fewer, with other numbers, of another time: the signature covers all of it.
    let lines: Vec<&str> = note.lines().collect();
    let mut brought = Vec::new();
    for place in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(place);
        brought.push(without.join("\n") + "\n");
    }
    brought.push(note.replace("waiting 3", "waiting 2"));
    brought.push(note.replace(&ASKED.to_string(), "1"));
    brought.push(
        earlier
            .lines()
            .map(|line| {
                if line.starts_with("time ") {
                    lines[1]
                } else {
                    line
                }
            })
            .collect::<Vec<_>>()
            .join("\n")
            + "\n",
    );
    brought.retain(|other| *other != note);
    let mut random = Random(13);
    let mut brought: Vec<Vec<u8>> = brought.into_iter().map(String::into_bytes).collect();
    for _ in 0..20 {
        let mut changed = note.clone().into_bytes();
        let place = random.below(changed.len());
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 1 << random.below(7);
        }
        brought.push(changed);
    }
    brought.push(Vec::new());
    for other in &brought {
        ensure!(
            monitor.believes(other, "1h")?.is_none(),
            "believed: {}",
            String::from_utf8_lossy(other)
        );
    }
    let mut refused = brought.len();
    // Another signer's, nothing at all, and the earlier one once it is old.
    let foreign = template.on_test_networks()?.rig()?;
    let foreign = foreign.block(foreign.gateway().heartbeat())?;
    ensure!(
        monitor.believes(foreign.as_bytes(), "1h")?.is_none(),
        "another signer's"
    );
    let missing = monitor.home.join("never-brought");
    ensure!(monitor.check(&missing, "1h")?.is_none(), "none is believed");
    std::thread::sleep(Duration::from_millis(2100));
    ensure!(
        monitor.believes(earlier.as_bytes(), "2s")?.is_none(),
        "an old one counts as a new one"
    );
    refused += 3;
    // Without keys there is none: a gateway that locks the signer away brings silence.
    for payment in &waiting {
        rig.cancel(payment.transaction)?;
    }
    let now = rig.block(rig.gateway().heartbeat())?;
    let said = monitor.believes(now.as_bytes(), "2s")?;
    ensure!(said.is_some(), "a fresh one behind an old one");
    Ok(format!(
        "3 payments that nobody told of stand in the heartbeat; {refused} heartbeats changed, cut, foreign, missing or old: the owner's command line fails on each"
    ))
}
