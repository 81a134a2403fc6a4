//! Lives of sessions, agents and wallets' keys, as the log tells: a renewal keeps to what its owner signed, an
//! agent goes forward only, and a key that was given stays with its wallet.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::agent::AgentStage;
use waiaas_shared::caip::ChainId;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{AgentId, SessionId, WalletId};
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;

use super::Calculator;

/// When a session ends unless it is renewed, and how often it was.
#[derive(Debug, Clone, Copy, Default)]
struct Life {
    ends: u64,
    renewals: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Lives {
    sessions: BTreeMap<SessionId, Life>,
    suspended: BTreeSet<SessionId>,
    agents: BTreeMap<AgentId, AgentStage>,
    closed: BTreeSet<WalletId>,
    /// Every address that any wallet ever had.
    given: Vec<Account>,
    /// Nonces of keys that were rotated away.
    former: BTreeMap<(Account, ChainId), u64>,
    /// A wallet of which what waited has just ended: its end, or its new key, must follow.
    ending: Option<WalletId>,
}

impl Lives {
    pub(super) fn granted(&mut self, session: SessionId, grant: &SessionGrant) {
        let ends = grant.expires.millis();
        self.sessions.insert(session, Life { ends, renewals: 0 });
    }

    pub(super) fn created(&mut self, account: Account) -> Result<()> {
        ensure!(
            !self.given.contains(&account),
            "a key that was given before"
        );
        self.given.push(account);
        Ok(())
    }

    /// What waited of a wallet ended, because the wallet does.
    pub(super) const fn wallet_ends(&mut self, wallet: WalletId) {
        self.ending = Some(wallet);
    }

    /// The next nonce of a former key, which only withdrawals use.
    pub(super) fn former_nonce(&mut self, account: Account, chain: ChainId) -> Option<&mut u64> {
        self.former.get_mut(&(account, chain))
    }

    /// Whether a session may sign from a wallet, as far as their lives go.
    pub(super) fn open_to(
        &self,
        session: SessionId,
        grant: &SessionGrant,
        wallet: WalletId,
        wall: u64,
    ) -> Result<()> {
        let life = self.sessions.get(&session).context("a granted session")?;
        ensure!(life.ends > wall, "of an expired session (O6)");
        ensure!(
            !self.suspended.contains(&session),
            "of a suspended session (O6)"
        );
        ensure!(!self.closed.contains(&wallet), "from a closed wallet (O6)");
        let stage = grant.agent.map(|agent| self.agents.get(&agent));
        ensure!(
            stage.is_none_or(|stage| stage == Some(&AgentStage::Active)),
            "of an agent that is {stage:?} (O6)"
        );
        Ok(())
    }
}

impl Calculator {
    /// Takes what is about lives and keys.
    pub(super) fn live(&mut self, body: &EventBody, clocks: Clocks) -> Result<()> {
        if let Some(wallet) = self.lives.ending.take() {
            let follows = match body {
                EventBody::WalletClosed { wallet: of, .. }
                | EventBody::WalletRotated { wallet: of, .. } => *of == wallet,
                EventBody::IntentsEnded { .. } => {
                    self.lives.ending = Some(wallet);
                    true
                }
                _ => false,
            };
            ensure!(
                follows,
                "what waited of {wallet} ended, and the wallet went on"
            );
        }
        match body {
            EventBody::SessionRenewed { session, ends, .. } => {
                self.renewed(*session, ends.millis(), clocks)
            }
            EventBody::SessionSuspended { session } => {
                self.lives.suspended.insert(*session);
                Ok(())
            }
            EventBody::SessionResumed {
                session, statement, ..
            } => {
                let said = StatementFacts::ResumeSession { session: *session };
                ensure!(
                    self.owners.facts(*statement) == Some(&said),
                    "another session"
                );
                ensure!(self.lives.suspended.remove(session), "resumed what ran");
                Ok(())
            }
            EventBody::AgentRegistered {
                agent,
                stage,
                statement,
                ..
            } => {
                let active = *stage == AgentStage::Active;
                let said = StatementFacts::RegisterAgent { active };
                ensure!(
                    self.owners.facts(*statement) == Some(&said),
                    "another agent"
                );
                let before = self.lives.agents.insert(*agent, *stage);
                ensure!(before.is_none(), "{agent} was registered twice");
                Ok(())
            }
            EventBody::AgentActivated {
                agent, statement, ..
            } => {
                let said = StatementFacts::ActivateAgent { agent: *agent };
                ensure!(
                    self.owners.facts(*statement) == Some(&said),
                    "another agent"
                );
                let before = self.lives.agents.insert(*agent, AgentStage::Active);
                let back = matches!(before, Some(AgentStage::Created | AgentStage::Suspended));
                ensure!(back, "{agent} came back from {before:?}");
                Ok(())
            }
            EventBody::AgentStopped { agent, stage, .. } => {
                let before = self.lives.agents.insert(*agent, *stage);
                let before = before.context("an agent")?;
                let on = matches!(stage, AgentStage::Suspended | AgentStage::Terminating);
                let ended = matches!(before, AgentStage::Terminating | AgentStage::Terminated);
                ensure!(on && !ended, "{agent} went from {before:?} to {stage:?}");
                Ok(())
            }
            EventBody::AgentTerminated { agent, sessions } => {
                let before = self.lives.agents.insert(*agent, AgentStage::Terminated);
                ensure!(
                    before == Some(AgentStage::Terminating),
                    "{agent} ended from {before:?}"
                );
                self.ended.extend(sessions);
                Ok(())
            }
            EventBody::WalletClosed {
                wallet, statement, ..
            } => {
                let said = StatementFacts::CloseWallet { wallet: *wallet };
                ensure!(
                    self.owners.facts(*statement) == Some(&said),
                    "another wallet"
                );
                ensure!(self.lives.closed.insert(*wallet), "{wallet} closed twice");
                ensure!(!self.killed, "{wallet} closed while killed");
                Ok(())
            }
            EventBody::WalletRotated {
                wallet,
                account,
                first_nonce,
                statement,
                ..
            } => {
                let said = StatementFacts::RotateWallet {
                    wallet: *wallet,
                    first_nonce: *first_nonce,
                };
                ensure!(
                    self.owners.facts(*statement) == Some(&said),
                    "another wallet"
                );
                ensure!(!self.lives.closed.contains(wallet), "{wallet} is closed");
                ensure!(!self.killed, "{wallet} rotated while killed");
                self.lives.created(*account)?;
                let (known, networks) = self.wallets.get_mut(wallet).context("a wallet")?;
                let before = std::mem::replace(known, *account);
                for network in networks.clone() {
                    let key = (*wallet, network);
                    if let Some(next) = self.nonces.insert(key, *first_nonce) {
                        self.lives.former.insert((before, network), next);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Inside of the owner's bounds, and moved by half of a renewal at least.
    fn renewed(&mut self, session: SessionId, ends: u64, clocks: Clocks) -> Result<()> {
        let stopped = self.killed || self.frozen || self.closed;
        ensure!(!stopped, "renewed although stopped (O6)");
        let over = self.ended.contains(&session) || self.by_kill.contains(&session);
        ensure!(!over, "renewed after its end (O6)");
        let grant = self.sessions.get(&session).context("a session")?;
        let bounds = grant.renewal.context("a session that nobody may renew")?;
        let wallet = *grant.wallets.first().context("a wallet")?;
        let wall = clocks.wall.millis();
        // As for a payment, from a wallet that is there.
        if !self.lives.closed.contains(&wallet) {
            self.lives.open_to(session, grant, wallet, wall)?;
        }
        let life = self.lives.sessions.get_mut(&session).context("a session")?;
        let extends = bounds.extends.millis();
        ensure!(life.renewals < bounds.count, "renewed too often");
        ensure!(
            ends <= bounds.until.millis(),
            "renewed beyond its absolute end"
        );
        ensure!(ends <= wall + extends, "renewed for too long");
        ensure!(
            wall + extends >= life.ends + extends / 2,
            "renewed again too soon"
        );
        *life = Life {
            ends,
            renewals: life.renewals + 1,
        };
        Ok(())
    }
}
