//! How often a case does its thing. In the ordinary run as often as there is time for; `cargo xtask attacks
//! --long N` does it N times as often, up to what docs/attacks.md names as the whole, and says on standard
//! error how far it is and what is left.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Set by `cargo xtask attacks --long`.
const VARIABLE: &str = "WAIAAS_ATTACKS_LONG";
/// How often a long run says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(15);

/// Times of the ordinary run; anything that is no number, or 0, is once.
fn factor() -> u64 {
    let said = std::env::var(VARIABLE).ok();
    let said = said.and_then(|text| text.parse().ok());
    said.unwrap_or(1).max(1)
}

/// So many of something, and no more than the whole.
const fn scaled(ordinary: u64, whole: u64, factor: u64) -> u64 {
    let wanted = ordinary.saturating_mul(factor);
    let most = if whole < ordinary { ordinary } else { whole };
    if wanted < most { wanted } else { most }
}

/// How many of something this run does.
pub(crate) fn many(ordinary: u64, whole: u64) -> u64 {
    scaled(ordinary, whole, factor())
}

/// Rounds, counted from 0.
#[derive(Debug)]
pub(crate) struct Rounds {
    what: &'static str,
    done: u64,
    of: u64,
    started: Instant,
    /// When it was last said; never, where it need not be.
    said: Option<Instant>,
}

impl Rounds {
    /// Of an attack: in the ordinary run, and in the longest.
    pub(crate) fn new(what: &'static str, ordinary: u64, whole: u64) -> Self {
        let now = Instant::now();
        Self {
            what,
            done: 0,
            of: many(ordinary, whole),
            started: now,
            said: (factor() > 1).then_some(now),
        }
    }

    /// How many there are altogether.
    pub(crate) const fn all(&self) -> u64 {
        self.of
    }

    pub(crate) const fn are_over(&self) -> bool {
        self.done >= self.of
    }

    fn say(&mut self) {
        let Some(said) = self.said else {
            return;
        };
        let end = self.done == self.of;
        if end || said.elapsed() >= SAID_EVERY {
            self.said = (!end).then(Instant::now);
            let _ = writeln!(
                std::io::stderr(),
                "    {}",
                far(self.what, self.done, self.of, self.started.elapsed())
            );
        }
    }
}

/// How far it is, and how long the rest takes at this pace.
fn far(what: &str, done: u64, of: u64, passed: Duration) -> String {
    let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    let left = millis.saturating_mul(of - done) / done.max(1) / 1000;
    format!(
        "{what}: {done} of {of}, {} s, {left} s to go",
        passed.as_secs()
    )
}

impl Iterator for Rounds {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.done > 0 {
            self.say();
        }
        if self.are_over() {
            return None;
        }
        self.done += 1;
        Some(self.done - 1)
    }
}

/// For `self_test`: what must hold of it.
pub(crate) fn checked() -> anyhow::Result<()> {
    use anyhow::ensure;
    for (ordinary, whole, factor, expected) in [
        (100, 10_000, 1, 100),
        (100, 10_000, 50, 5000),
        (100, 10_000, 101, 10_000),
        (100, 10_000, u64::MAX, 10_000),
        (100, 50, 3, 100),
    ] {
        let many = scaled(ordinary, whole, factor);
        ensure!(many == expected, "{many} rounds, not {expected}");
    }
    let mut rounds = Rounds {
        of: 3,
        ..Rounds::new("rounds", 1, 1)
    };
    ensure!(rounds.by_ref().eq([0, 1, 2]) && rounds.are_over());
    let said = far("W07", 250, 1000, Duration::from_secs(10));
    ensure!(said == "W07: 250 of 1000, 10 s, 30 s to go", "{said}");
    Ok(())
}
