//! What a process used, as the kernel counts it: CPU by thread, memory by process.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time of each thread of a process, by name.
pub(super) fn cpu(process: u32) -> Result<BTreeMap<String, Duration>> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))? {
        let folder = entry?.path();
        let name = fs::read_to_string(folder.join("comm"))?.trim().to_owned();
        // First field: nanoseconds on a CPU.
        let nanos = fs::read_to_string(folder.join("schedstat"))?;
        let nanos: u64 = nanos
            .split_whitespace()
            .next()
            .context("schedstat")?
            .parse()?;
        *threads.entry(name).or_default() += Duration::from_nanos(nanos);
    }
    Ok(threads)
}

/// CPU time of this thread: what work on one core takes, however busy the machine is.
pub(super) fn own() -> Result<Duration> {
    let nanos = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = nanos.split_whitespace().next().context("schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Sum over all threads.
pub(super) fn total(threads: &BTreeMap<String, Duration>) -> Duration {
    threads.values().sum()
}

/// Resident memory in KiB.
pub(super) fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
