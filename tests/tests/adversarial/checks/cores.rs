//! O1, as far as the kernel could write memory away: a signer has no core files and gives its memory to
//! nobody, which is looked at while it runs and tried at its end, by a signal that asks for one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, ensure};

use crate::rig::Rig;

/// Ends the signer of a rig, if it still runs; no core file was written.
pub(super) fn none_at_the_end(rig: &mut Rig) -> Result<()> {
    if rig.process_id().is_err() || rig.ended()? {
        return Ok(());
    }
    closed(rig.process_id()?)?;
    let status = rig.abort()?;
    ensure!(
        status.signal().is_some() && !status.core_dumped(),
        "it ended with {status}"
    );
    Ok(())
}

/// Whether the kernel would write no core of a process: its limit is zero for good, and it is not dumpable.
pub(crate) fn closed(process: u32) -> Result<()> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits"))?;
    let of_cores = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .context("a limit of core files")?;
    let words: Vec<_> = of_cores.split_whitespace().take(2).collect();
    ensure!(words == ["0", "0"], "core files of {words:?} bytes");
    // The folder is its user's; what is inside of it is root's, of a process that is not dumpable (proc(5)).
    let owner = |path: &str| Ok::<_, anyhow::Error>(fs::metadata(path)?.uid());
    let folder = format!("/proc/{process}");
    ensure!(owner(&folder)? != 0, "it runs as root: nothing is shown");
    ensure!(owner(&format!("{folder}/mem"))? == 0, "it is dumpable");
    Ok(())
}
