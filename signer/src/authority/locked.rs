//! While the keys are wiped: the few asks that still have an effect go to the locked journal, durable
//! before they are acknowledged; everything else answers `locked`. At the next unlock the journal's
//! entries are decided again, as commands.

use std::collections::BTreeSet;

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SessionId;

use super::ask::{Ask, refused};
use super::system::System;
use super::{Authority, Fatal};
use crate::core::command::Command;
use crate::core::journal::{self, FAILURES_LIMIT, JournalEntry, JournalRow};
use crate::ledger::{Ledger, LedgerError};

/// What the journal holds, and where it goes on.
#[derive(Debug)]
pub(super) struct Journal {
    tail: Digest,
    lost: bool,
    killed: bool,
    paused: bool,
    revoked: BTreeSet<SessionId>,
    failures: u32,
}

impl Journal {
    /// Continues from the rows that are there.
    pub(super) fn continue_from(anchor: Digest, rows: &[JournalRow]) -> Self {
        let mut found = Self {
            tail: rows.last().map_or(anchor, |row| row.hash),
            lost: false,
            killed: false,
            paused: false,
            revoked: BTreeSet::new(),
            failures: 0,
        };
        match journal::read(anchor, rows) {
            None => found.lost = true,
            Some(entries) => entries.iter().for_each(|entry| found.note(entry)),
        }
        found
    }

    /// The next row; the caller makes it durable.
    pub(super) fn next(&mut self, entry: &JournalEntry) -> JournalRow {
        let row = JournalRow::after(self.tail, entry);
        self.tail = row.hash;
        row
    }

    fn note(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Started { .. } => {}
            JournalEntry::Killed { .. } => self.killed = true,
            JournalEntry::Paused { .. } => self.paused = true,
            JournalEntry::SessionRevoked { session, .. } => {
                self.revoked.insert(*session);
            }
            JournalEntry::UnlockFailed => self.failures = self.failures.saturating_add(1),
        }
    }

    pub(super) const fn killed(&self) -> bool {
        self.killed
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) const fn tail(&self) -> Digest {
        self.tail
    }

    pub(super) const fn lost(&self) -> bool {
        self.lost
    }
}

impl<L: Ledger, S: System> Authority<L, S> {
    /// An ask that came while the keys are wiped.
    pub(super) fn while_locked(&mut self, ask: Ask) -> Result<(), Fatal> {
        let code = if self.head.is_some() {
            Code::Locked
        } else {
            Code::NotInitialized
        };
        if code == Code::NotInitialized {
            refuse(ask, code);
            return Ok(());
        }
        let sequence = self.head.map_or(0, |head| head.sequence);
        match ask {
            Ask::Kill(origin, reply) => {
                if !self.journal.killed {
                    self.write(&JournalEntry::Killed { origin })?;
                }
                let _gone = reply.send(Ok(sequence));
            }
            Ask::Pause(None, origin, reply) => {
                if !self.journal.paused {
                    self.write(&JournalEntry::Paused { origin })?;
                }
                let _gone = reply.send(Ok(sequence));
            }
            Ask::Revoke(session, origin, reply) => {
                let answer = if !self.state.knows_session(session) {
                    refused(Code::SessionUnknown)
                } else {
                    if !self.journal.revoked.contains(&session) {
                        self.write(&JournalEntry::SessionRevoked { session, origin })?;
                    }
                    Ok(sequence)
                };
                let _gone = reply.send(answer);
            }
            Ask::Lock(_, reply) => {
                let _gone = reply.send(Ok(()));
            }
            other => refuse(other, code),
        }
        Ok(())
    }

    /// A wrong password, counted where a restart does not forget it.
    pub(super) fn unlock_failed(&mut self) -> Result<(), Fatal> {
        if self.unlocked() || self.journal.failures >= FAILURES_LIMIT {
            self.journal.failures = self.journal.failures.saturating_add(1);
            return Ok(());
        }
        self.write(&JournalEntry::UnlockFailed)
    }

    fn write(&mut self, entry: &JournalEntry) -> Result<(), Fatal> {
        let tail = self.journal.tail;
        let row = self.journal.next(entry);
        let written = match self.ledger.journal_append(&row) {
            Err(LedgerError::Refused) => {
                self.ledger.release_reserve();
                self.ledger.journal_append(&row)
            }
            other => other,
        };
        if let Err(error) = written {
            self.journal.tail = tail;
            return Err(error.into());
        }
        self.journal.note(entry);
        Ok(())
    }

    /// The commands that the journal's entries become at an unlock.
    pub(super) fn journal_commands(&mut self) -> Result<Vec<Command>, Fatal> {
        let rows = self.ledger.journal()?;
        let entries = journal::read(self.state.journal(), &rows).unwrap_or_default();
        Ok(entries
            .into_iter()
            .filter_map(|entry| match entry {
                JournalEntry::Started { .. } | JournalEntry::UnlockFailed => None,
                JournalEntry::Killed { origin } => Some(Command::Kill(origin)),
                JournalEntry::Paused { origin } => Some(Command::Pause {
                    wallet: None,
                    origin,
                }),
                JournalEntry::SessionRevoked { session, origin } => {
                    Some(Command::RevokeSession { session, origin })
                }
            })
            .collect())
    }

    /// The journal was taken in by an unlock.
    pub(super) fn journal_taken(&mut self) {
        self.journal = Journal::continue_from(self.state.journal(), &[]);
    }
}

/// Answers any ask with one code.
pub(super) fn refuse(ask: Ask, code: Code) {
    let denial = || Denial::from(code);
    match ask {
        Ask::Status(reply) => drop(reply.send(Err(denial()))),
        Ask::Events(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Remaining(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Wallets(reply) => drop(reply.send(Err(denial()))),
        Ask::Owners(reply) => drop(reply.send(Err(denial()))),
        Ask::Policy(reply) => drop(reply.send(Err(denial()))),
        Ask::Decide(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Sign(_, reply) | Ask::SignedTransaction(_, reply) | Ask::Withdraw(_, _, _, reply) => {
            drop(reply.send(Err(denial())));
        }
        Ask::Draft(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Submit(_, _, _, _, reply)
        | Ask::Kill(_, reply)
        | Ask::Pause(_, _, reply)
        | Ask::Revoke(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Enrol(_, _, _, _, reply) => drop(reply.send(Err(denial()))),
        Ask::CreateWallet(_, _, _, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Initialize(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Unlock(_, _, reply) | Ask::Lock(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Derived(derived) => super::batch::refuse_purpose(derived.purpose, code),
    }
}
