//! What the commands say while they work, on standard error: which step, and how long since the start.
//! Decides nothing. Used by every command.

use std::fmt;
use std::time::{Duration, Instant};

/// The steps of one command, numbered and timed.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    step: usize,
    steps: usize,
    step_started: Instant,
}

impl Progress {
    /// A command of `steps` steps starts now.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            step: 0,
            steps,
            step_started: now,
        }
    }

    /// The next step starts now.
    pub fn step(&mut self, what: impl fmt::Display) {
        self.step += 1;
        self.step_started = Instant::now();
        let (since, step, steps) = (Clock(self.started.elapsed()), self.step, self.steps);
        eprintln!("[{since}] step {step}/{steps}: {what}");
    }

    /// The step is over, and well.
    pub fn done(&self) {
        eprintln!(
            "[{}]   took {}",
            Clock(self.started.elapsed()),
            Clock(self.step_started.elapsed())
        );
    }

    /// A remark within a step.
    pub fn note(&self, what: impl fmt::Display) {
        eprintln!("[{}]   {what}", Clock(self.started.elapsed()));
    }
}

/// A duration as people read one: `7.3 s` or `12m07s`.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            write!(f, "{seconds:>3}.{} s", self.0.subsec_millis() / 100)
        } else {
            write!(f, "{:>3}m{:02}s", seconds / 60, seconds % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_well() {
        assert_eq!(Clock(Duration::from_millis(7_349)).to_string(), "  7.3 s");
        assert_eq!(Clock(Duration::from_secs(727)).to_string(), " 12m07s");
    }
}
