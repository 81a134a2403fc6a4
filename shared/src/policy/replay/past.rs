//! What the log said so far, as far as evaluation reads it: what was spent, which documents bind, which
//! sessions have no agent's key. Mirrors the signer's fold of the same events; judges nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use super::super::document::PolicyDocument;
use super::super::evaluate::{Payment, Verdict, listed_charges};
use super::super::history::{Charged, History, SessionHistory, WalletHistory};
use super::Judgement;
use crate::address::Account;
use crate::denial::{Code, Violation};
use crate::event::{EventBody, Spend, Variant};
use crate::ids::{SessionId, StatementId, WalletId};
use crate::session::Credential;
use crate::statement::StatementFacts;
use crate::time::{BudgetTime, Clocks, RunTime};

#[derive(Debug, Default)]
pub(super) struct Past {
    wallets: BTreeMap<WalletId, WalletHistory>,
    sessions: BTreeMap<SessionId, Known>,
    /// Addresses of each wallet, the oldest first.
    keys: BTreeMap<WalletId, Vec<Account>>,
    documents: Vec<Binding>,
    /// Documents and grants that owners were asked to sign.
    drafts: BTreeMap<StatementId, Draft>,
    /// Recoveries that wait.
    recoveries: BTreeSet<StatementId>,
}

#[derive(Debug, Default)]
struct Known {
    has_agent_key: bool,
    history: SessionHistory,
}

#[derive(Debug)]
struct Binding {
    document: PolicyDocument,
    /// None: never.
    matures: Option<RunTime>,
}

#[derive(Debug)]
enum Draft {
    Policy(Vec<u8>),
    Grant { has_agent_key: bool },
}

impl Past {
    /// A document that matured ends the ones before it.
    pub(super) fn time_passes(&mut self, now: RunTime) {
        let matured = |binding: &Binding| binding.matures.is_some_and(|matures| matures <= now);
        if let Some(newest) = self.documents.iter().rposition(matured) {
            self.documents.drain(..newest);
        }
    }

    /// Documents that bind, oldest first.
    pub(super) fn binding(&self) -> impl DoubleEndedIterator<Item = &PolicyDocument> + Clone {
        self.documents.iter().map(|binding| &binding.document)
    }

    /// The strictest verdict of the documents that bind, or all that is broken.
    pub(super) fn judge(&self, payment: &Payment<'_>, clocks: Clocks) -> Judgement {
        let mut strictest: Option<Verdict> = None;
        let mut broken = Vec::new();
        for document in self.binding() {
            match super::judge(document, payment, self, clocks) {
                Ok(verdict) => {
                    strictest = Some(match strictest {
                        Some(so_far) => so_far.strictest(verdict),
                        None => verdict,
                    });
                }
                Err(violations) => broken.extend(violations),
            }
        }
        match strictest {
            Some(verdict) if broken.is_empty() => Ok(verdict),
            None if broken.is_empty() => Err(vec![Violation::of(Code::PolicyMissing)]),
            _ => Err(broken),
        }
    }

    /// Whether no agent's key is known for a session.
    pub(super) fn is_bearer(&self, session: SessionId) -> bool {
        !self
            .sessions
            .get(&session)
            .is_some_and(|known| known.has_agent_key)
    }

    pub(super) fn charge(&mut self, wallet: WalletId, session: SessionId, paid: &Charged<'_>) {
        self.wallets.entry(wallet).or_default().charge(paid);
        let known = self.sessions.entry(session).or_default();
        known.history.charge(paid);
    }

    /// A payment that was signed as a transfer authorization.
    pub(super) fn authorize(&mut self, wallet: WalletId, session: SessionId, paid: &Charged<'_>) {
        self.wallets.entry(wallet).or_default().authorize(paid);
        let known = self.sessions.entry(session).or_default();
        known.history.charge(paid);
    }

    /// An event that moves none of the payments that are judged.
    pub(super) fn fold(&mut self, event: &EventBody, clocks: Clocks) {
        let (now, budget) = (clocks.run, clocks.budget);
        match event {
            EventBody::StatementIssued {
                statement, facts, ..
            } => self.drafted(*statement, facts),
            EventBody::PolicyAdopted {
                statement,
                matures,
                epoch,
                ..
            } => {
                if let Some(Draft::Policy(bytes)) = self.drafts.remove(statement) {
                    let document = PolicyDocument::adopted(&bytes);
                    let document = document.unwrap_or_else(|_| PolicyDocument::closed(*epoch));
                    self.documents.push(Binding {
                        document,
                        matures: Some(*matures),
                    });
                }
            }
            EventBody::SessionGranted {
                session, statement, ..
            } => {
                if let Some(Draft::Grant { has_agent_key }) = self.drafts.remove(statement) {
                    self.sessions.entry(*session).or_default().has_agent_key = has_agent_key;
                }
            }
            EventBody::WalletCreated {
                wallet, account, ..
            } => self.keys.entry(*wallet).or_default().push(*account),
            EventBody::WalletRotated {
                wallet, account, ..
            } => {
                self.keys.entry(*wallet).or_default().push(*account);
                self.wallets.entry(*wallet).or_default().rotated();
            }
            EventBody::NonceAttested {
                wallet,
                chain,
                from,
                ..
            } => {
                let keys = self.keys.get(wallet);
                let place = |from: Account| keys?.iter().position(|key| *key == from);
                let history = self.wallets.entry(*wallet).or_default();
                match from.map(place) {
                    None => history.attested(*chain, None),
                    Some(Some(place)) => history.attested(*chain, Some(place)),
                    Some(None) => {}
                }
            }
            EventBody::Credited {
                wallet,
                session,
                charged_at,
                amounts,
                ..
            } => {
                let given = listed_charges(amounts);
                let wallet = self.wallets.entry(*wallet).or_default();
                wallet.credit(*charged_at, &given);
                let session = self.sessions.entry(*session).or_default();
                session.history.credit(*charged_at, &given);
            }
            // No payment of its own: of all transactions of a nonce one lands, so one was judged.
            EventBody::SpendReplaced { spend, variant } => self.vary(spend, variant, budget),
            EventBody::OwnerSuspended { policies, .. } => {
                let voided = self.documents.iter_mut();
                for binding in voided.filter(|one| policies.contains(&one.document.epoch)) {
                    binding.matures = None;
                }
            }
            EventBody::OwnerChangeScheduled {
                change, statement, ..
            } if change.is_recovery() => {
                self.recoveries.insert(*statement);
            }
            EventBody::OwnerChangeEffective { change } if self.recoveries.remove(change) => {
                for binding in &mut self.documents {
                    binding.matures = binding.matures.filter(|matures| *matures <= now);
                }
            }
            _ => {}
        }
    }

    fn vary(&mut self, spend: &Spend, variant: &Variant, at: BudgetTime) {
        let Some(session) = spend.session else { return };
        let (taken, charges) = (
            listed_charges(&variant.taken),
            listed_charges(&spend.charges),
        );
        let taken = Charged {
            at: variant.charged_at,
            chain: spend.chain,
            charges: &taken,
            effects: &spend.effects,
        };
        let new = Charged {
            at,
            charges: &charges,
            ..taken
        };
        let whole = !variant.cancels;
        let wallet = self.wallets.entry(spend.wallet).or_default();
        wallet.vary(&taken, &new, whole);
        let session = self.sessions.entry(session).or_default();
        session.history.vary(&taken, &new, whole);
    }

    fn drafted(&mut self, statement: StatementId, facts: &StatementFacts) {
        let draft = match facts {
            StatementFacts::AdoptPolicy { document } => Draft::Policy(document.clone()),
            StatementFacts::GrantSession { grant } => Draft::Grant {
                has_agent_key: matches!(grant.credential, Credential::AgentKey(_)),
            },
            _ => return,
        };
        self.drafts.insert(statement, draft);
    }
}

impl History for Past {
    fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
        self.wallets.get(&wallet)
    }

    fn session(&self, session: SessionId) -> Option<&SessionHistory> {
        self.sessions.get(&session).map(|known| &known.history)
    }

    fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
        let wallets = self.wallets.iter();
        Box::new(wallets.map(|(wallet, history)| (*wallet, history)))
    }
}
