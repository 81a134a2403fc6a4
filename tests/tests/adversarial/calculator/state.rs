//! What changes who may spend how much, as the log tells: wallets, policies, sessions, stops and their ends.

use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;

use super::{Adopted, Calculator, HOUR};

impl Calculator {
    /// What changes who may spend how much.
    pub(super) fn state(&mut self, body: &EventBody, run: u64) {
        match body {
            EventBody::WalletCreated {
                wallet,
                account,
                networks,
                first_nonce,
                ..
            } => {
                self.wallets.insert(*wallet, (*account, networks.clone()));
                let fresh = self.lives.created(*account);
                self.must("O4", fresh);
                for network in networks {
                    self.nonces.insert((*wallet, *network), *first_nonce);
                }
            }
            EventBody::PolicyAdopted {
                statement,
                signers,
                epoch,
                matures,
                ..
            } => self.adopted(*statement, signers, (*epoch, matures.millis()), run),
            EventBody::SessionGranted {
                session, statement, ..
            } => match self.owners.facts(*statement) {
                Some(StatementFacts::GrantSession { grant }) => {
                    self.lives.granted(*session, grant);
                    self.sessions.insert(*session, grant.clone());
                }
                _ => self.fail("O4", "a session without its grant"),
            },
            EventBody::SessionRevoked { session, .. } | EventBody::SessionExpired { session } => {
                self.ended.insert(*session);
            }
            EventBody::OwnerSuspended {
                owner,
                policies,
                sessions,
                ..
            } => {
                self.ended.extend(sessions);
                self.waits.void(*owner);
                for adopted in &mut self.documents {
                    if policies.contains(&adopted.document.epoch) {
                        adopted.matures = None;
                    }
                }
            }
            EventBody::OwnerChangeScheduled {
                change, statement, ..
            } => match change {
                OwnerChange::RemoveOwner(known) => {
                    self.voiding.insert(*statement, Some(known.id));
                }
                OwnerChange::Recover { .. } => {
                    self.voiding.insert(*statement, None);
                }
                _ => {}
            },
            EventBody::OwnerChangeEffective { change } => {
                if let Some(owner) = self.voiding.remove(change) {
                    let of = |one: &Adopted| owner.is_none_or(|owner| one.signers.contains(&owner));
                    for adopted in self.documents.iter_mut().filter(|one| of(one)) {
                        adopted.matures = adopted.matures.filter(|matures| *matures <= run);
                    }
                }
            }
            EventBody::NonceAttested {
                wallet,
                chain,
                next,
                from: None,
                ..
            } => {
                self.outstanding.remove(&(*wallet, *chain));
                self.attested.insert((*wallet, *chain), *next);
                let before = self.nonces.insert((*wallet, *chain), *next);
                if before.is_some_and(|before| *next < before) {
                    self.fail("O5", "an attestation lowered a nonce");
                }
            }
            EventBody::Killed { epoch, .. } => {
                if *epoch <= self.kill_epoch {
                    self.fail("O5", "the kill epoch did not rise");
                }
                (self.killed, self.kill_epoch) = (true, *epoch);
                let ended = &self.ended;
                let sessions = self.sessions.keys().copied();
                self.by_kill
                    .extend(sessions.filter(|session| !ended.contains(session)));
            }
            EventBody::KillReleased {
                statement,
                epoch,
                sessions,
                ..
            } => {
                let said = matches!(self.owners.facts(*statement),
                    Some(StatementFacts::ReleaseKill { epoch: said, .. }) if said == epoch);
                if !said || *epoch != self.kill_epoch || self.waits.any() {
                    self.fail("O6", "a release without its statement, or with what waited");
                }
                if sessions.iter().any(|session| !self.by_kill.remove(session)) {
                    self.fail("O6", "a session came back that the kill had not ended");
                }
                self.ended.append(&mut self.by_kill);
                // The owner resumes by a statement of its own.
                (self.killed, self.frozen) = (false, true);
            }
            EventBody::Paused { wallet: None, .. } => self.frozen = true,
            EventBody::Paused {
                wallet: Some(wallet),
                ..
            } => {
                self.paused.insert(*wallet);
            }
            EventBody::PauseReleased { wallet: None, .. } => self.frozen = false,
            EventBody::PauseReleased {
                wallet: Some(wallet),
                ..
            } => {
                self.paused.remove(wallet);
            }
            EventBody::ClockStepped { .. } => self.closed = true,
            EventBody::TimeStated { .. } => self.closed = false,
            _ => {}
        }
    }

    fn adopted(
        &mut self,
        statement: StatementId,
        signers: &[OwnerId],
        (epoch, matures): (u64, u64),
        run: u64,
    ) {
        let Some(StatementFacts::AdoptPolicy { document }) = self.owners.facts(statement) else {
            return self.fail("O4", "a policy without its statement");
        };
        let Ok(document) = PolicyDocument::from_bytes(document) else {
            return self.fail("O2", "a policy that cannot be read");
        };
        let newest = self.documents.last();
        let before = newest.map_or(0, |adopted| adopted.document.epoch);
        if epoch != document.epoch || epoch != before + 1 {
            self.fail("O5", format!("policy epoch {epoch} after {before}"));
        }
        // Test networks only, or the first: at once. Else an hour at least, with the password.
        let main = self
            .wallets
            .values()
            .any(|(_, networks)| networks.iter().any(|network| !network.is_test_network()));
        if main && before > 0 && matures < run + HOUR {
            self.fail("O3", format!("policy {epoch} matures within the hour"));
        }
        self.owners.policy_changed();
        self.documents.push(Adopted {
            matures: Some(matures),
            document,
            signers: signers.to_vec(),
        });
    }
}
