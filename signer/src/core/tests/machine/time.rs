//! The three clocks a second time: what the machine's readings mean (invariant 11), as plain numbers.

use crate::core::clock::Reading;
use crate::model::policy::Moment;
use crate::model::{DAY, MINUTE};

/// What happens to the clocks between two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passing {
    Running(u64),
    Suspended(u64),
    /// Somebody sets the wall clock.
    Stepped(i64),
}

/// The machine's clocks and what is known from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) reading: Reading,
    pub(super) now: Moment,
    /// Where the wall clock is expected to stand.
    expected: u64,
    /// The same, and no later than what an owner stated.
    lower: u64,
    /// It stands elsewhere.
    pub(super) strange: bool,
    /// Passed since the last look.
    ran: u64,
    slept: u64,
    /// What an owner may vouch for.
    off: u64,
    /// The latest time that an owner stated: it is known for good.
    stated: u64,
}

impl Time {
    pub(super) const fn new(wall: u64) -> Self {
        let now = Moment {
            wall,
            run: 0,
            budget: 0,
            steady: wall,
        };
        Self {
            reading: Reading {
                wall,
                monotonic: 7_000,
                boottime: 9_000,
            },
            now,
            expected: wall,
            lower: wall,
            strange: false,
            ran: 0,
            slept: 0,
            off: 0,
            stated: 0,
        }
    }

    pub(super) fn pass(&mut self, passing: Passing) {
        match passing {
            Passing::Running(millis) => {
                self.ran += millis;
                self.reading.monotonic += millis;
                self.reading.boottime += millis;
                self.reading.wall += millis;
            }
            Passing::Suspended(millis) => {
                self.slept += millis;
                self.reading.boottime += millis;
                self.reading.wall += millis;
            }
            Passing::Stepped(millis) => {
                self.reading.wall = self.reading.wall.saturating_add_signed(millis);
            }
        }
    }

    /// The signer looks at its clocks.
    pub(super) fn look(&mut self) {
        let (ran, slept) = (
            std::mem::take(&mut self.ran),
            std::mem::take(&mut self.slept),
        );
        self.now.run += ran;
        self.now.budget += ran + slept;
        self.now.wall += ran + slept;
        self.expected += ran + slept;
        self.lower += ran + slept;
        self.strange |= self.reading.wall.abs_diff(self.expected) > 10 * MINUTE;
        if !self.strange {
            self.now.wall = self.now.wall.max(self.reading.wall);
        }
        self.now.steady = self.steady();
    }

    /// What the wall clock shows at least, whatever somebody set it to: what lasts is granted from there.
    pub(super) fn steady(&self) -> u64 {
        self.reading.wall.min(self.lower).min(self.now.wall)
    }

    /// The process is gone for a while and comes back to a log that ended at `last`: nothing between
    /// is lived through, and only the wall clock knows of it; and what an owner stated, which is in the log, whatever
    /// followed.
    pub(super) fn restart(&mut self, mut last: Moment, off: u64) {
        last.wall = last.wall.max(self.stated);
        self.reading.wall += off;
        self.reading.monotonic = 3_000;
        self.reading.boottime = 3_000;
        let wall = self.reading.wall;
        self.strange = wall > last.wall + 30 * DAY || wall + 10 * MINUTE < last.wall;
        self.now = last;
        if !self.strange {
            self.now.wall = wall.max(last.wall);
        }
        self.expected = self.now.wall;
        self.lower = self.now.wall;
        self.now.steady = self.steady();
        self.off = self.now.wall - last.wall;
        (self.ran, self.slept) = (0, 0);
    }

    /// An owner's unlock vouches for the time off, once.
    pub(super) fn vouch(&mut self) -> u64 {
        self.now.budget += self.off;
        std::mem::take(&mut self.off)
    }

    /// An owner stated the time: the wall clock is believed from here on unless it lies far ahead, and nothing
    /// falls.
    pub(super) fn stated(&mut self, wall: u64) {
        self.stated = self.stated.max(wall);
        self.now.wall = self.now.wall.max(wall);
        self.expected = self.reading.wall;
        self.lower = self.reading.wall.min(wall);
        self.strange = self.reading.wall > wall + 70 * MINUTE;
        self.now.steady = self.steady();
    }
}
