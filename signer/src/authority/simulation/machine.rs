//! The simulated machine: three clocks that move when told, random bytes from the seed, a disk that
//! survives the process. Beside it the second clock, by which the checker judges the first one.

use std::cell::RefCell;
use std::rc::Rc;

use waiaas_shared::ids::TransactionId;

use crate::authority::system::System;
use crate::core::clock::Reading;
use crate::core::journal::JournalRow;
use crate::ledger::memory::MemoryLedger;
use crate::ledger::{Batch, Ledger, LedgerError, Page, SpendIndex, StoredEvent, StoredSnapshot};
use crate::model::random::Random;
use crate::vault::{Entropy, EntropyError};

const TEN_MINUTES: u64 = 600_000;
const SEVENTY_MINUTES: u64 = 4_200_000;
const THIRTY_DAYS: u64 = 30 * 86_400_000;

/// What the clocks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The machine runs.
    Running(u64),
    /// The machine sleeps: boot time and wall clock go on.
    Suspended(u64),
    /// Somebody sets the wall clock.
    Stepped(i64),
}

/// Clocks and entropy.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) reading: Reading,
    pub(crate) random: Random,
    pub(crate) entropy_fails: bool,
    /// The draw that fails, counted from here; none: each one succeeds.
    pub(crate) entropy_fails_in: Option<u64>,
    pub(crate) clocks_fail: bool,
    /// Somebody sets the wall clock three days ahead right after this look at it, counted from here.
    pub(crate) steps_after: Option<u64>,
    /// Milliseconds since the process started: running, and with suspends. Never less than what the
    /// signer may credit.
    pub(crate) run: u64,
    pub(crate) budget: u64,
    /// Where the wall clock is expected while the process lives.
    expected_from: Option<Reading>,
    /// The wall clock could not be explained when the process started.
    strange_start: bool,
    /// Time between the log's last event and the process's start, by the wall clock.
    pub(crate) off: u64,
}

impl Machine {
    pub(crate) fn new(wall: u64, random: Random) -> Self {
        Self {
            reading: Reading {
                wall,
                monotonic: 7_000,
                boottime: 9_000,
            },
            random,
            entropy_fails: false,
            entropy_fails_in: None,
            clocks_fail: false,
            steps_after: None,
            run: 0,
            budget: 0,
            expected_from: None,
            strange_start: false,
            off: 0,
        }
    }

    pub(crate) fn pass(&mut self, passing: Passing) {
        match passing {
            Passing::Running(millis) => {
                self.reading.wall += millis;
                self.reading.monotonic += millis;
                self.reading.boottime += millis;
                self.run += millis;
                self.budget += millis;
            }
            Passing::Suspended(millis) => {
                self.reading.wall += millis;
                self.reading.boottime += millis;
                self.budget += millis;
            }
            Passing::Stepped(millis) => {
                self.reading.wall = self.reading.wall.saturating_add_signed(millis);
            }
        }
    }

    /// The process is gone for `millis`, by the wall clock; whether the machine was off, too.
    pub(crate) fn gone(&mut self, millis: u64, reboot: bool) {
        self.reading.wall += millis;
        if reboot {
            self.reading.monotonic = 3_000;
            self.reading.boottime = 3_000;
        } else {
            self.reading.monotonic += millis;
            self.reading.boottime += millis;
        }
        self.expected_from = None;
    }

    /// The process starts and finds a log whose last event was at `last_wall` (0: no event).
    pub(crate) fn started(&mut self, last_wall: u64) {
        (self.run, self.budget) = (0, 0);
        let wall = self.reading.wall;
        self.strange_start =
            last_wall != 0 && (wall > last_wall + THIRTY_DAYS || wall + TEN_MINUTES < last_wall);
        self.off = if self.strange_start || last_wall == 0 {
            0
        } else {
            wall.saturating_sub(last_wall)
        };
        self.expected_from = Some(Reading {
            wall: wall.max(last_wall),
            ..self.reading
        });
    }

    /// The owner stated the time: the wall clock is trusted from here on, unless it lies far ahead of it.
    pub(crate) fn time_stated(&mut self, stated: u64) {
        self.strange_start = self.reading.wall > stated + SEVENTY_MINUTES;
        self.expected_from = Some(self.reading);
    }

    /// Somebody sets a clock right that lies ahead of `known`.
    pub(crate) fn set_right(&mut self, known: u64) {
        self.reading.wall = self.reading.wall.min(known);
    }

    /// Whether the wall clock shows now what nobody explains.
    pub(crate) fn is_strange(&self) -> bool {
        let Some(from) = self.expected_from else {
            return false;
        };
        let expected = from.wall + self.reading.boottime.saturating_sub(from.boottime);
        self.strange_start || expected.abs_diff(self.reading.wall) > TEN_MINUTES
    }
}

/// The machine as the authority sees it.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedSystem(pub(crate) Rc<RefCell<Machine>>);

impl System for SimulatedSystem {
    fn clocks(&mut self) -> Option<Reading> {
        let mut machine = self.0.borrow_mut();
        let shown = (!machine.clocks_fail).then_some(machine.reading);
        if let Some(left) = machine.steps_after.take() {
            machine.steps_after = left.checked_sub(1);
            if left == 0 {
                machine.pass(Passing::Stepped(3 * 86_400_000));
            }
        }
        shown
    }

    fn entropy(&mut self) -> Result<[u8; 32], EntropyError> {
        let mut machine = self.0.borrow_mut();
        let fails = machine.entropy_fails_in == Some(0);
        machine.entropy_fails_in = machine
            .entropy_fails_in
            .and_then(|left| left.checked_sub(1));
        if fails || machine.entropy_fails {
            return Err(EntropyError);
        }
        Ok(machine.random.bytes())
    }

    fn source(&mut self) -> &mut dyn Entropy {
        self
    }
}

impl Entropy for SimulatedSystem {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in bytes.chunks_mut(32) {
            let random = System::entropy(self)?;
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}

/// The disk: what it holds outlives the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(pub(crate) Rc<RefCell<MemoryLedger>>);

impl Ledger for Disk {
    fn append(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        self.0.borrow_mut().append(batch)
    }

    fn read(&mut self, after: u64, max_bytes: usize) -> Result<Page, LedgerError> {
        self.0.borrow_mut().read(after, max_bytes)
    }

    fn event(&mut self, sequence: u64) -> Result<Option<StoredEvent>, LedgerError> {
        self.0.borrow_mut().event(sequence)
    }

    fn index_bucket(&mut self, bucket: u16) -> Result<Vec<SpendIndex>, LedgerError> {
        self.0.borrow_mut().index_bucket(bucket)
    }

    fn index_of(&mut self, id: TransactionId) -> Result<Option<SpendIndex>, LedgerError> {
        self.0.borrow_mut().index_of(id)
    }

    fn index_rows(&mut self) -> Result<u64, LedgerError> {
        self.0.borrow_mut().index_rows()
    }

    fn clear_index(&mut self) -> Result<(), LedgerError> {
        self.0.borrow_mut().clear_index()
    }

    fn add_index(&mut self, rows: &[SpendIndex]) -> Result<(), LedgerError> {
        self.0.borrow_mut().add_index(rows)
    }

    fn snapshot_before(&mut self, before: u64) -> Result<Option<StoredSnapshot>, LedgerError> {
        self.0.borrow_mut().snapshot_before(before)
    }

    fn forget_snapshots(&mut self) -> Result<(), LedgerError> {
        self.0.borrow_mut().forget_snapshots()
    }

    fn journal(&mut self) -> Result<Vec<JournalRow>, LedgerError> {
        self.0.borrow_mut().journal()
    }

    fn journal_append(&mut self, row: &JournalRow) -> Result<(), LedgerError> {
        self.0.borrow_mut().journal_append(row)
    }

    fn release_reserve(&mut self, whole: bool) {
        self.0.borrow_mut().release_reserve(whole);
    }
}
