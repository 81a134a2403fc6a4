//! Two-sided time (invariant 11): from readings of three system clocks to the three clocks that
//! events carry. Pure; the daemon and the simulator feed it readings.

use waiaas_shared::statement::LIFETIME;
use waiaas_shared::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

/// A wall-clock step up to here needs no explanation while running.
pub const STEP_WHILE_RUNNING: Millis = Millis::from_secs(10 * 60);
/// Time off up to here needs no explanation across a start.
pub const STEP_ACROSS_START: Millis = Millis::from_hours(30 * 24);

/// The wall clock may lie so far ahead of the time that an owner stated: the statement was written up to its
/// lifetime ago, and two clocks differ by a step that needs no explanation.
pub const AHEAD_OF_STATED: Millis =
    Millis::from_millis(LIFETIME.millis() + STEP_WHILE_RUNNING.millis());

/// One reading of the system's clocks, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// CLOCK_REALTIME, Unix time.
    pub wall: u64,
    /// CLOCK_MONOTONIC: stands still in suspend.
    pub monotonic: u64,
    /// CLOCK_BOOTTIME: counts suspend.
    pub boottime: u64,
}

/// Turns readings into clocks, from one start of the process on.
#[derive(Debug, Clone)]
pub struct ClockKeeper {
    clocks: Clocks,
    last: Reading,
    /// Where the wall clock is expected to be: this reading's wall plus boot time since.
    base: Reading,
    /// The same for the lower side: no more than what an owner stated.
    lower: Reading,
    stepped: bool,
    time_off: Millis,
}

impl ClockKeeper {
    /// Continues the clocks of the log's last event from the first reading of a new process.
    #[must_use]
    pub fn start(clocks: Clocks, reading: Reading) -> Self {
        let last = clocks.wall.millis();
        let off = reading.wall.saturating_sub(last);
        let back = last.saturating_sub(reading.wall);
        // A log without events has no past to step from.
        let fresh = last == 0;
        let stepped =
            !fresh && (off > STEP_ACROSS_START.millis() || back > STEP_WHILE_RUNNING.millis());
        let wall = if stepped {
            last
        } else {
            reading.wall.max(last)
        };
        Self {
            clocks: Clocks {
                wall: WallTime::from_millis(wall),
                ..clocks
            },
            last: reading,
            base: Reading { wall, ..reading },
            lower: Reading { wall, ..reading },
            stepped,
            time_off: Millis::from_millis(if stepped || fresh { 0 } else { off }),
        }
    }

    /// Takes the next reading. Monotonic time moves all clocks; explained suspend moves budget and
    /// wall; a wall clock that strays by more than ten minutes closes signing.
    pub fn observe(&mut self, reading: Reading) -> Clocks {
        let ran = reading.monotonic.saturating_sub(self.last.monotonic);
        let passed = reading.boottime.saturating_sub(self.last.boottime).max(ran);
        let expected = self
            .base
            .wall
            .saturating_add(reading.boottime.saturating_sub(self.base.boottime));
        let strayed = reading.wall.abs_diff(expected) > STEP_WHILE_RUNNING.millis();
        self.stepped |= strayed;
        let elapsed = self.clocks.wall.after(Millis::from_millis(passed));
        let wall = if self.stepped {
            elapsed
        } else {
            elapsed.max(WallTime::from_millis(reading.wall))
        };
        self.clocks = Clocks {
            wall,
            run: self.clocks.run.after(Millis::from_millis(ran)),
            budget: self.clocks.budget.after(Millis::from_millis(passed)),
        };
        self.last = reading;
        self.clocks
    }

    /// Whether the wall clock moved without an explanation since the start or the last statement.
    #[must_use]
    pub const fn stepped(&self) -> bool {
        self.stepped
    }

    /// The wall clock's lower side: what it shows, yet no more than where it was at the start, or when an owner
    /// stated the time and what was stated then, plus the boot time since. Neither a step within the ten minutes nor
    /// a stated time puts it ahead, nor a clock that is believed although it lies ahead of what was stated.
    #[must_use]
    pub fn steady(&self) -> WallTime {
        let passed = self.last.boottime.saturating_sub(self.lower.boottime);
        let expected = self.lower.wall.saturating_add(passed);
        let shown = WallTime::from_millis(self.last.wall.min(expected));
        shown.min(self.clocks.wall)
    }

    /// What the wall clock showed last.
    #[must_use]
    pub const fn seen(&self) -> WallTime {
        WallTime::from_millis(self.last.wall)
    }

    /// Time between the log's last event and this process, which an owner may vouch for.
    #[must_use]
    pub const fn time_off(&self) -> Millis {
        self.time_off
    }

    /// An owner's unlock vouched for time off: it counts for budgets, once.
    pub fn vouch(&mut self, vouched: Millis) {
        self.clocks.budget = self.clocks.budget.after(vouched);
        self.time_off = Millis::default();
    }

    /// An owner stated the time: the wall clock is trusted again from its present reading on, if it agrees.
    /// One that lies far ahead of what the owner said is believed no more than before: else whoever sets the
    /// clock while an owner states the time would move the bound without end, and it is never taken back. One
    /// that lies behind moves nothing. The statement moves the upper bound only, and never back.
    pub fn state_time(&mut self, stated: WallTime) {
        self.clocks.wall = self.clocks.wall.max(stated);
        self.base = self.last;
        self.lower = Reading {
            wall: self.last.wall.min(stated.millis()),
            ..self.last
        };
        self.stepped = self.last.wall > stated.after(AHEAD_OF_STATED).millis();
    }

    /// The clocks as last observed.
    #[must_use]
    pub const fn clocks(&self) -> Clocks {
        self.clocks
    }
}

/// A fresh log's clocks.
#[must_use]
pub fn zero() -> Clocks {
    Clocks {
        wall: WallTime::default(),
        run: RunTime::default(),
        budget: BudgetTime::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;
    const NOW: u64 = 1_800_000_000_000;

    fn reading(wall: u64, monotonic: u64, boottime: u64) -> Reading {
        Reading {
            wall,
            monotonic,
            boottime,
        }
    }

    fn keeper() -> ClockKeeper {
        let clocks = Clocks {
            wall: WallTime::from_millis(NOW),
            run: RunTime::from_millis(1000),
            budget: BudgetTime::from_millis(2000),
        };
        ClockKeeper::start(clocks, reading(NOW, 50, 70))
    }

    #[test]
    fn invariant_11_running_moves_all_clocks_alike() {
        let clocks = keeper().observe(reading(NOW + 5000, 5050, 5070));
        assert_eq!(
            (
                clocks.wall.millis(),
                clocks.run.millis(),
                clocks.budget.millis()
            ),
            (NOW + 5000, 6000, 7000)
        );
    }

    #[test]
    fn invariant_11_suspend_counts_for_budgets_never_for_delays() {
        let mut keeper = keeper();
        let clocks = keeper.observe(reading(NOW + DAY, 50, 70 + DAY));
        assert_eq!(clocks.run.millis(), 1000);
        assert_eq!(clocks.budget.millis(), 2000 + DAY);
        assert_eq!(clocks.wall.millis(), NOW + DAY);
        assert!(!keeper.stepped());
    }

    #[test]
    fn invariant_11_a_wall_step_closes_and_moves_no_lower_bound() {
        for wall in [NOW + 10 * DAY, NOW - 10 * DAY, NOW + 600_002, 0, u64::MAX] {
            let mut keeper = keeper();
            let clocks = keeper.observe(reading(wall, 51, 71));
            assert!(keeper.stepped(), "{wall}");
            assert_eq!(clocks.run.millis(), 1001);
            assert_eq!(clocks.budget.millis(), 2001);
            assert_eq!(clocks.wall.millis(), NOW + 1);
        }
    }

    /// What is granted until a time by somebody else's clock is never granted for longer.
    #[test]
    fn invariant_11_nothing_puts_the_lower_side_ahead() {
        let millis = |keeper: &ClockKeeper| keeper.steady().millis();
        let mut keeper = keeper();
        assert_eq!(millis(&keeper), NOW);
        keeper.observe(reading(NOW + 5000, 5050, 5070));
        assert_eq!(millis(&keeper), NOW + 5000);
        // The host's clock is set ahead, within what passes unseen: the upper side takes it, this one does not.
        let clocks = keeper.observe(reading(NOW + 400_000, 6050, 6070));
        assert_eq!(clocks.wall.millis(), NOW + 400_000);
        assert_eq!(millis(&keeper), NOW + 6000);
        // Back: what it shows.
        let clocks = keeper.observe(reading(NOW - 400_000, 7050, 7070));
        assert_eq!(clocks.wall.millis(), NOW + 401_000);
        assert_eq!(millis(&keeper), NOW - 400_000);
        // Suspended: the boot time's gain is no step.
        keeper.observe(reading(NOW + DAY, 7050, 70 + DAY));
        assert_eq!(millis(&keeper), NOW + DAY);
        // A wrong statement of the owner's.
        keeper.observe(reading(NOW + 3 * DAY, 7051, 71 + DAY));
        assert!(keeper.stepped());
        keeper.observe(reading(NOW + DAY + 2, 7052, 72 + DAY));
        keeper.state_time(WallTime::from_millis(NOW + 300 * DAY));
        let clocks = keeper.observe(reading(NOW + DAY + 1002, 8052, 1072 + DAY));
        assert_eq!(clocks.wall.millis(), NOW + 300 * DAY + 1000);
        assert_eq!(millis(&keeper), NOW + DAY + 1002);
        // A start after it.
        let later = ClockKeeper::start(clocks, reading(NOW + 299 * DAY + DAY - 1, 9, 9));
        assert!(!later.stepped());
        assert_eq!(millis(&later), NOW + 300 * DAY - 1);
    }

    /// Somebody holds the clock ahead by as much as is believed, while an owner states the right time.
    #[test]
    fn invariant_11_the_lower_side_keeps_to_what_an_owner_stated() {
        let ahead = AHEAD_OF_STATED.millis();
        let mut keeper = keeper();
        keeper.observe(reading(NOW + ahead, 51, 71));
        assert!(keeper.stepped());
        keeper.state_time(WallTime::from_millis(NOW));
        assert!(!keeper.stepped());
        assert_eq!(keeper.steady().millis(), NOW);
        keeper.observe(reading(NOW + ahead + 5000, 5051, 5071));
        assert_eq!(keeper.steady().millis(), NOW + 5000);
        // The clock lies behind what was stated: what it shows.
        keeper.observe(reading(NOW + DAY, 5052, 5072));
        keeper.state_time(WallTime::from_millis(NOW + 2 * DAY));
        assert_eq!(keeper.steady().millis(), NOW + DAY);
        keeper.observe(reading(NOW + DAY + 1000, 6052, 6072));
        assert_eq!(keeper.steady().millis(), NOW + DAY + 1000);
    }

    #[test]
    fn invariant_11_small_steps_do_not_add_up_unseen() {
        let mut keeper = keeper();
        for step in 1..=20 {
            keeper.observe(reading(NOW + step * 60_000, 50, 70));
        }
        assert!(keeper.stepped());
    }

    #[test]
    fn invariant_11_clocks_never_go_back() {
        let mut keeper = keeper();
        keeper.observe(reading(NOW + 5000, 5050, 5070));
        let clocks = keeper.observe(reading(NOW + 1000, 1, 1));
        assert_eq!(
            (
                clocks.wall.millis(),
                clocks.run.millis(),
                clocks.budget.millis()
            ),
            (NOW + 5000, 6000, 7000)
        );
    }

    #[test]
    fn invariant_11_time_off_is_not_credited_unless_vouched_for() {
        let clocks = keeper().clocks();
        let mut later = ClockKeeper::start(clocks, reading(NOW + 3 * DAY, 9, 9));
        assert_eq!(later.clocks().budget, clocks.budget);
        assert_eq!(later.clocks().run, clocks.run);
        assert_eq!(later.time_off().millis(), 3 * DAY);
        later.vouch(later.time_off());
        assert_eq!(later.clocks().budget.millis(), 2000 + 3 * DAY);
        assert_eq!(later.clocks().run, clocks.run);
        assert_eq!(later.time_off().millis(), 0);
    }

    #[test]
    fn invariant_11_steps_across_a_start_close() {
        let clocks = keeper().clocks();
        assert!(ClockKeeper::start(clocks, reading(NOW + 31 * DAY, 9, 9)).stepped());
        assert!(ClockKeeper::start(clocks, reading(NOW - DAY, 9, 9)).stepped());
        assert!(!ClockKeeper::start(clocks, reading(NOW + 29 * DAY, 9, 9)).stepped());
        assert!(!ClockKeeper::start(zero(), reading(NOW, 9, 9)).stepped());
    }

    /// Somebody set the clock far ahead, and an owner says what time it is: the bound goes where the owner says,
    /// and signing stays closed until the clock agrees.
    #[test]
    fn invariant_11_a_time_statement_believes_no_clock_far_ahead_of_it() {
        let margin = AHEAD_OF_STATED.millis();
        for (ahead, believed) in [
            (0, true),
            (margin, true),
            (margin + 1, false),
            (31 * DAY, false),
            (4000 * DAY, false),
            (u64::MAX - NOW - DAY - 9, false),
        ] {
            let mut keeper = keeper();
            keeper.observe(reading(NOW + 2 * DAY, 50, 70));
            assert!(keeper.stepped());
            let stated = NOW + DAY;
            keeper.observe(reading(stated + ahead, 51, 71));
            keeper.state_time(WallTime::from_millis(stated));
            assert_eq!(keeper.stepped(), !believed, "{ahead}");
            let clocks = keeper.observe(reading(stated + ahead + 9, 60, 80));
            assert_eq!(keeper.stepped(), !believed, "{ahead}");
            let bound = stated + if believed { ahead + 9 } else { 9 };
            assert_eq!(clocks.wall.millis(), bound, "{ahead}");
            // The lower bounds heard nothing of it.
            assert_eq!((clocks.run.millis(), clocks.budget.millis()), (1010, 2010));
            // Set right, and stated once more: open, and nothing was moved for ever.
            keeper.observe(reading(stated + 20, 71, 91));
            keeper.state_time(WallTime::from_millis(stated + 20));
            assert!(!keeper.stepped());
            let clocks = keeper.observe(reading(stated + 21, 72, 92));
            assert_eq!(clocks.wall.millis(), bound.max(stated + 9) + 12);
        }
    }

    /// However often the clock is set and the time stated, the bound lies ahead of the latest statement by the
    /// margin and one step at most, plus what has run since.
    #[test]
    fn invariant_11_no_sequence_of_steps_and_statements_runs_ahead_of_the_owner() {
        let steps: [i64; 8] = [
            0,
            600_000,
            -600_000,
            4_200_000,
            4_200_001,
            -4_200_000,
            86_400_000,
            -86_400_000,
        ];
        // Each sequence of four settings of the clock, with a statement of the true time behind each.
        for sequence in 0..steps.len().pow(4) {
            let mut keeper = keeper();
            let (mut wall, mut passed) = (NOW, 0);
            let mut places = sequence;
            for _ in 0..4 {
                let step = steps[places % steps.len()];
                places /= steps.len();
                passed += 1000;
                wall = (wall + 1000).saturating_add_signed(step);
                let clocks = keeper.observe(reading(wall, 50 + passed, 70 + passed));
                let most = NOW + passed + AHEAD_OF_STATED.millis() + STEP_WHILE_RUNNING.millis();
                assert!(clocks.wall.millis() <= most, "sequence {sequence}");
                assert!(clocks.wall.millis() >= NOW + passed, "an upper bound");
                assert_eq!(clocks.run.millis(), 1000 + passed);
                assert_eq!(clocks.budget.millis(), 2000 + passed);
                keeper.state_time(WallTime::from_millis(NOW + passed));
            }
        }
    }

    /// A year off and more: the clock is right, and the owner tells the time in steps until it agrees.
    #[test]
    fn invariant_11_a_right_clock_is_believed_once_the_steps_reach_it() {
        let clocks = keeper().clocks();
        let right = NOW + 1000 * DAY;
        let mut later = ClockKeeper::start(clocks, reading(right, 9, 9));
        for stated in [NOW + 366 * DAY, NOW + 732 * DAY] {
            later.state_time(WallTime::from_millis(stated));
            assert!(later.stepped());
            let bound = later.observe(reading(right, 9, 9)).wall.millis();
            assert_eq!(bound, stated);
        }
        later.state_time(WallTime::from_millis(right - 30 * 60_000));
        assert!(!later.stepped());
        let bound = later.observe(reading(right, 9, 9)).wall.millis();
        assert_eq!(bound, right);
    }

    #[test]
    fn invariant_11_a_time_statement_moves_only_the_upper_bound() {
        let mut keeper = keeper();
        keeper.observe(reading(NOW + 10 * DAY, 51, 71));
        keeper.state_time(WallTime::from_millis(NOW + 10 * DAY));
        assert!(!keeper.stepped());
        let clocks = keeper.observe(reading(NOW + 10 * DAY + 1, 52, 72));
        assert_eq!((clocks.run.millis(), clocks.budget.millis()), (1002, 2002));
        assert_eq!(clocks.wall.millis(), NOW + 10 * DAY + 1);
        keeper.state_time(WallTime::from_millis(1));
        assert_eq!(keeper.clocks().wall.millis(), NOW + 10 * DAY + 1);
    }
}
