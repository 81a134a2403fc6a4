//! Load from threads with one kept connection each, over requests that were made (and signed) before the clock
//! starts. Counts every answer that is not what was expected as a failure of the benchmark.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use xtask::http::{Connection, Request};

/// Times of single requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies(pub(super) Vec<Duration>);

/// One measurement at one number of connections.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Measured {
    /// What was asked for.
    pub(super) name: String,
    /// Connections at once.
    pub(super) connections: usize,
    /// Requests answered.
    pub(super) requests: usize,
    /// Median, microseconds.
    pub(super) p50_us: f64,
    /// 99th percentile, microseconds.
    pub(super) p99_us: f64,
    /// Requests a second.
    pub(super) per_second: f64,
}

/// Sends each list of requests over a connection of its own, all at once.
pub(super) fn run(name: &str, gateway: &str, lists: Vec<Vec<Request>>) -> Result<Measured> {
    let connections = lists.len();
    let start = Barrier::new(connections + 1);
    let (wall, mut latencies) = thread::scope(|scope| -> Result<_> {
        let threads: Vec<_> = lists
            .into_iter()
            .map(|list| {
                let start = &start;
                scope.spawn(move || one_connection(gateway, &list, start))
            })
            .collect();
        start.wait();
        let from = Instant::now();
        let mut all = Latencies::default();
        for thread in threads {
            match thread.join() {
                Ok(times) => all.0.extend(times?.0),
                Err(_) => bail!("a load thread panicked"),
            }
        }
        Ok((from.elapsed(), all))
    })
    .with_context(|| format!("{name} at {connections}"))?;
    let requests = latencies.0.len();
    ensure!(requests > 0, "{name}: nothing was measured");
    Ok(Measured {
        name: name.to_owned(),
        connections,
        requests,
        p50_us: micros(percentile(&mut latencies, 50)),
        p99_us: micros(percentile(&mut latencies, 99)),
        per_second: count(requests) / wall.as_secs_f64(),
    })
}

fn one_connection(gateway: &str, list: &[Request], start: &Barrier) -> Result<Latencies> {
    let connection = Connection::open(gateway);
    // Whatever happened, nobody waits for this thread for ever.
    start.wait();
    let mut connection = connection?;
    let bytes: Vec<_> = list
        .iter()
        .map(|request| connection.bytes(request))
        .collect();
    let mut times = Latencies(Vec::with_capacity(bytes.len()));
    for request in &bytes {
        let from = Instant::now();
        let answer = connection.send_raw(request)?;
        times.0.push(from.elapsed());
        ensure!(
            (200..300).contains(&answer.status),
            "status {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    Ok(times)
}

/// The value below which so many of a hundred lie.
pub(super) fn percentile(latencies: &mut Latencies, hundredth: usize) -> Duration {
    latencies.0.sort_unstable();
    let place = (latencies.0.len() * hundredth / 100).min(latencies.0.len().saturating_sub(1));
    latencies.0.get(place).copied().unwrap_or_default()
}

/// Microseconds.
pub(super) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A count as a factor.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^52"
)]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}
