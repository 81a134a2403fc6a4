//! What must come of a command: the refusals that are certain, those that a bucket may still cause, and
//! the verdict over what was observed. Nothing here depends on the order in which the product asks.

use std::collections::BTreeSet;

use waiaas_shared::denial::Code;

/// Codes by how certain they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Expect {
    /// Each alone refuses, whatever the rules say; the first that is seen is named.
    pub(super) early: BTreeSet<Code>,
    /// Each alone may refuse.
    pub(super) maybe_early: BTreeSet<Code>,
    /// Broken rules: all of them are named together.
    pub(super) all: BTreeSet<Code>,
    /// Rules that are broken only if a bucket still counts.
    pub(super) may: BTreeSet<Code>,
    /// What refuses a payment that keeps every rule, and what may.
    pub(super) late: BTreeSet<Code>,
    pub(super) maybe_late: BTreeSet<Code>,
}

impl Expect {
    pub(super) fn when(&mut self, broken: bool, code: Code) {
        if broken {
            self.early.insert(code);
        }
    }

    pub(super) fn maybe_when(&mut self, possible: bool, code: Code) {
        if possible {
            self.maybe_early.insert(code);
        }
    }

    pub(super) fn all_when(&mut self, broken: bool, code: Code) {
        if broken {
            self.all.insert(code);
        }
    }

    pub(super) fn late_when(&mut self, certain: bool, possible: bool, code: Code) {
        if certain {
            self.late.insert(code);
        } else if possible {
            self.maybe_late.insert(code);
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        !(self.early.is_empty() && self.all.is_empty() && self.late.is_empty())
    }

    /// Whether what happened is what had to happen.
    pub(super) fn judge(&self, refused: Option<&BTreeSet<Code>>) -> Result<(), String> {
        let Some(codes) = refused else {
            return if self.is_refused() {
                Err(format!("it passed and had to be refused: {self:?}"))
            } else {
                Ok(())
            };
        };
        let within = |sets: &[&BTreeSet<Code>]| {
            let named = |code| sets.iter().any(|set| set.contains(code));
            !codes.is_empty() && codes.iter().all(named)
        };
        let explained = if within(&[&self.maybe_early]) {
            true
        } else if !self.early.is_empty() {
            within(&[&self.early])
        } else if !self.all.is_empty() {
            self.all.is_subset(codes) && within(&[&self.all, &self.may])
        } else {
            let late = [&self.late, &self.maybe_late];
            within(&late) || within(&[&self.may])
        };
        if explained {
            Ok(())
        } else {
            Err(format!("refused with {codes:?}, expected: {self:?}"))
        }
    }
}
