//! While the keys are wiped: the few asks that still have an effect go to the locked journal, durable
//! before they are acknowledged; everything else answers `locked`. At the next unlock the journal's
//! entries are decided again, as commands.

use std::collections::BTreeMap;

use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
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
    killed: Option<Origin>,
    paused: Option<Origin>,
    revoked: BTreeMap<SessionId, Origin>,
    failures: u32,
}

impl Journal {
    /// Continues from the rows that are there. Of rows that do not chain, what tightens is believed:
    /// a kill that was acknowledged stays thrown, and who can write rows could as well stop the signer.
    pub(super) fn continue_from(anchor: Digest, rows: &[JournalRow]) -> Self {
        let mut found = Self {
            tail: rows.last().map_or(anchor, |row| row.hash),
            lost: false,
            killed: None,
            paused: None,
            revoked: BTreeMap::new(),
            failures: 0,
        };
        let entries = journal::read(anchor, rows).unwrap_or_else(|| {
            found.lost = true;
            journal::salvage(rows)
        });
        entries.iter().for_each(|entry| found.note(entry));
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
            JournalEntry::Killed { origin } => self.killed = Some(*origin),
            JournalEntry::Paused { origin } => self.paused = Some(*origin),
            JournalEntry::SessionRevoked { session, origin } => {
                self.revoked.insert(*session, *origin);
            }
            JournalEntry::UnlockFailed => self.failures = self.failures.saturating_add(1),
        }
    }

    pub(super) const fn killed(&self) -> bool {
        self.killed.is_some()
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused.is_some()
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
        let code = match self.head {
            None => Code::NotInitialized,
            // Its log has ended: nothing is taken in for a next unlock.
            Some(_) if self.state.retired() => Code::Retired,
            Some(_) => Code::Locked,
        };
        if code != Code::Locked {
            refuse(ask, code);
            return Ok(());
        }
        let sequence = self.head.map_or(0, |head| head.sequence);
        match ask {
            Ask::Kill(origin, reply) => {
                if !self.journal.killed() {
                    self.write(&JournalEntry::Killed { origin })?;
                }
                let _gone = reply.send(Ok(sequence));
            }
            Ask::Pause(None, origin, reply) => {
                if !self.journal.paused() {
                    self.write(&JournalEntry::Paused { origin })?;
                }
                let _gone = reply.send(Ok(sequence));
            }
            Ask::Revoke(session, origin, reply) => {
                let answer = if !self.state.knows_session(session) {
                    refused(Code::SessionUnknown)
                } else {
                    if !self.journal.revoked.contains_key(&session) {
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
                self.ledger
                    .release_reserve(matches!(entry, JournalEntry::Killed { .. }));
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
    pub(super) fn journal_commands(&self) -> Vec<Command> {
        let journal = &self.journal;
        let kill = journal.killed.map(Command::Kill);
        let pause = journal.paused.map(|origin| Command::Pause {
            wallet: None,
            origin,
        });
        let revocations = journal
            .revoked
            .iter()
            .map(|(session, origin)| Command::RevokeSession {
                session: *session,
                origin: *origin,
            });
        kill.into_iter().chain(pause).chain(revocations).collect()
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
        Ask::Heartbeat(reply) => drop(reply.send(Err(denial()))),
        Ask::Events(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Remaining(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Wallets(reply) => drop(reply.send(Err(denial()))),
        Ask::Owners(reply) => drop(reply.send(Err(denial()))),
        Ask::Agents(reply) => drop(reply.send(Err(denial()))),
        Ask::Renew(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Policy(reply) => drop(reply.send(Err(denial()))),
        Ask::Decide(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Intents(reply) => drop(reply.send(Err(denial()))),
        Ask::Sign(_, reply) => drop(reply.send(Err(denial()))),
        Ask::SignIn(_, reply) => drop(reply.send(Err(denial()))),
        Ask::DecideSignIn(_, reply) | Ask::DecideAuthorization(_, reply) => {
            drop(reply.send(Err(denial())));
        }
        Ask::AuthorizeTransfer(_, reply) => drop(reply.send(Err(denial()))),
        Ask::SignedTransaction(_, _, reply)
        | Ask::Release(_, _, reply)
        | Ask::Vary(_, _, reply)
        | Ask::Withdraw(_, _, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Draft(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Submit(_, _, _, _, reply)
        | Ask::Kill(_, reply)
        | Ask::Pause(_, _, reply)
        | Ask::CancelIntent(_, _, reply)
        | Ask::StopAgent(_, _, _, reply)
        | Ask::Revoke(_, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Enrol(_, _, _, _, reply) | Ask::Register(_, _, _, reply) => {
            drop(reply.send(Err(denial())));
        }
        Ask::Recover(_, _, _, reply) | Ask::SuspendOwner(_, _, reply) => {
            drop(reply.send(Err(denial())));
        }
        Ask::CreateWallet(_, _, _, _, reply) => drop(reply.send(Err(denial()))),
        Ask::Initialize(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Audit(reply) => drop(reply.send(Err(denial()))),
        Ask::Unlock(_, _, reply) | Ask::Lock(_, reply) => drop(reply.send(Err(denial()))),
        Ask::Derived(derived) => super::unlock::refuse_purpose(derived.purpose, code),
    }
}
