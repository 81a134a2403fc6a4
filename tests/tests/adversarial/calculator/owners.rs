//! Statements and who signed them, as the log tells: each was issued, signed in time by as many
//! different owners as it takes, and used once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;

/// A text that was written.
#[derive(Debug)]
struct Issued {
    facts: StatementFacts,
    expires: u64,
    used: bool,
    /// A later policy voids what was read under an earlier one.
    void: bool,
}

/// Everybody who may sign, and everything that they may sign.
#[derive(Debug, Default)]
pub(super) struct Owners {
    issued: BTreeMap<StatementId, Issued>,
    /// Owners, with whether they are suspended.
    keys: BTreeMap<OwnerId, bool>,
    /// How many of them must sign; one, until they said otherwise.
    quorum: Option<usize>,
    /// Changes that wait, and until when, on the waiting clock.
    changes: BTreeMap<StatementId, (OwnerChange, u64)>,
}

/// What every change of owners waits: 72 hours.
const WAITS: u64 = 72 * 3_600_000;

impl Owners {
    /// What a statement says.
    pub(super) fn facts(&self, statement: StatementId) -> Option<&StatementFacts> {
        self.issued.get(&statement).map(|issued| &issued.facts)
    }

    /// How many owners must sign.
    pub(super) fn quorum(&self) -> usize {
        self.quorum.unwrap_or(1)
    }

    pub(super) fn active(&self, owner: &OwnerId) -> bool {
        self.keys.get(owner) == Some(&false)
    }

    /// Approvals that were written under an earlier policy are of no use any more.
    pub(super) fn policy_changed(&mut self) {
        self.void(|facts| matches!(facts, StatementFacts::ApprovePayment { .. }));
    }

    fn void(&mut self, of: impl Fn(&StatementFacts) -> bool) {
        for issued in self.issued.values_mut() {
            issued.void |= of(&issued.facts);
        }
    }

    /// Judges the statement behind an event, if there is one.
    pub(super) fn take(&mut self, body: &EventBody, clocks: Clocks) -> Result<()> {
        let (wall, run) = (clocks.wall.millis(), clocks.run.millis());
        match body {
            EventBody::StatementIssued {
                statement,
                facts,
                expires,
                ..
            } => {
                let issued = Issued {
                    facts: facts.clone(),
                    expires: expires.millis(),
                    used: false,
                    void: false,
                };
                let before = self.issued.insert(*statement, issued);
                ensure!(before.is_none(), "{statement} was issued twice");
                Ok(())
            }
            EventBody::OwnerEnrolled {
                owner, statement, ..
            } => {
                ensure!(self.keys.is_empty(), "a second first owner");
                self.keys.insert(*owner, false);
                self.used(*statement, wall)
            }
            EventBody::OwnerSuspended {
                owner,
                statement,
                signers,
                changes,
                ..
            } => {
                let again = self.keys.insert(*owner, true) == Some(true);
                self.changes.retain(|change, _| !changes.contains(change));
                let lift = StatementFacts::LiftSuspension { owner: *owner };
                // What was signed before it, and could loosen, is void, but for the way out. A key that was
                // suspended already takes nothing more with it than its own lift.
                self.void(|facts| match facts {
                    StatementFacts::Withdraw { .. } | StatementFacts::RecoverOwners { .. } => false,
                    facts if again => *facts == lift,
                    facts => !only_stops(facts),
                });
                match statement {
                    Some(statement) => self.by_any(*statement, signers, wall),
                    None => Ok(()),
                }
            }
            EventBody::SuspensionLifted {
                owner,
                statement,
                signers,
            } => {
                self.by_owners(*statement, signers, wall)?;
                self.keys.insert(*owner, false);
                Ok(())
            }
            EventBody::IntentsEnded {
                cause: IntentEnd::Rejected { statement, signers },
                ..
            } => self.by_any(*statement, signers, wall),
            EventBody::OwnerChangeCancelled {
                change,
                statement,
                signers,
            } => {
                self.changes.remove(change);
                self.by_any(*statement, signers, wall)
            }
            // What was signed and kept back never undoes a later stop.
            EventBody::Killed { .. } => {
                self.changes.clear();
                self.void(|_| true);
                Ok(())
            }
            EventBody::Paused { .. } => {
                self.void(|facts| matches!(facts, StatementFacts::ReleasePause { .. }));
                Ok(())
            }
            EventBody::SessionSuspended { session } => {
                let resumes = StatementFacts::ResumeSession { session: *session };
                self.void(|facts| *facts == resumes);
                Ok(())
            }
            EventBody::AgentStopped { agent, .. } => {
                let activates = StatementFacts::ActivateAgent { agent: *agent };
                self.void(|facts| *facts == activates);
                Ok(())
            }
            EventBody::OwnerChangeScheduled {
                change,
                effective,
                statement,
                signers,
            } => {
                self.by_owners(*statement, signers, wall)?;
                let effective = effective.millis();
                ensure!(
                    effective >= run + WAITS,
                    "a change of owners within 72 hours"
                );
                self.changes.insert(*statement, (change.clone(), effective));
                Ok(())
            }
            EventBody::OwnerChangeEffective { change } => {
                let waited = self.changes.remove(change);
                let (change, effective) = waited.context("a change that nobody asked for")?;
                ensure!(run >= effective, "a change of owners before its time");
                self.changed(change)
            }
            EventBody::OwnerChangeVoided { change, .. } => {
                let waited = self.changes.remove(change);
                waited.context("a change that nobody asked for").map(drop)
            }
            EventBody::PolicyAdopted {
                statement, signers, ..
            }
            | EventBody::SessionGranted {
                statement, signers, ..
            }
            | EventBody::Withdrawn {
                statement, signers, ..
            }
            | EventBody::PauseReleased {
                statement, signers, ..
            }
            | EventBody::KillReleased {
                statement, signers, ..
            }
            | EventBody::NonceAttested {
                statement, signers, ..
            }
            | EventBody::TimeStated {
                statement, signers, ..
            }
            | EventBody::WithdrawalEnrolled {
                statement, signers, ..
            }
            | EventBody::IntentApproved {
                statement, signers, ..
            }
            | EventBody::Credited {
                statement, signers, ..
            }
            | EventBody::Retired {
                statement, signers, ..
            }
            | EventBody::WalletClosed {
                statement, signers, ..
            }
            | EventBody::WalletRotated {
                statement, signers, ..
            }
            | EventBody::AgentRegistered {
                statement, signers, ..
            }
            | EventBody::AgentActivated {
                statement, signers, ..
            }
            | EventBody::SessionResumed {
                statement, signers, ..
            } => self.by_owners(*statement, signers, wall),
            _ => Ok(()),
        }
    }

    fn changed(&mut self, change: OwnerChange) -> Result<()> {
        match change {
            OwnerChange::AddOwner(new) => {
                let before = self.keys.insert(new.id, false);
                ensure!(before.is_none(), "an owner who was one already");
            }
            OwnerChange::RemoveOwner(known) => {
                self.keys
                    .remove(&known.id)
                    .context("an owner who is none")?;
            }
            OwnerChange::SetQuorum { quorum } => self.quorum = Some(usize::try_from(quorum)?),
            other => anyhow::bail!("a change that is not judged here: {other:?}"),
        }
        Ok(())
    }

    fn used(&mut self, statement: StatementId, wall: u64) -> Result<()> {
        let issued = self.issued.get_mut(&statement);
        let issued = issued.with_context(|| format!("{statement} was never issued"))?;
        ensure!(issued.expires > wall, "{statement} had expired");
        ensure!(!issued.void, "{statement} was void");
        ensure!(!issued.used, "{statement} was used twice");
        issued.used = true;
        Ok(())
    }

    fn by_any(&mut self, statement: StatementId, signers: &[OwnerId], wall: u64) -> Result<()> {
        self.used(statement, wall)?;
        let known = signers.iter().all(|owner| self.keys.contains_key(owner));
        ensure!(known && !signers.is_empty(), "{statement}: by no owner");
        Ok(())
    }

    fn by_owners(&mut self, statement: StatementId, signers: &[OwnerId], wall: u64) -> Result<()> {
        self.used(statement, wall)?;
        let distinct: BTreeSet<_> = signers.iter().collect();
        ensure!(
            distinct.len() == signers.len() && distinct.len() >= self.quorum(),
            "{statement}: {} of {} owners",
            distinct.len(),
            signers.len()
        );
        let all = signers.iter().all(|owner| self.active(owner));
        ensure!(all, "{statement}: by somebody who is no owner now");
        Ok(())
    }
}

fn only_stops(facts: &StatementFacts) -> bool {
    matches!(
        facts,
        StatementFacts::RejectPayment { .. }
            | StatementFacts::CancelOwnerChange { .. }
            | StatementFacts::SuspendOwner { .. }
            | StatementFacts::GuardianStop { .. }
    )
}
