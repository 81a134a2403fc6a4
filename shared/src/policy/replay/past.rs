//! What the log said so far, as far as evaluation reads it: what was spent, which documents bind, which
//! sessions have no agent's key. Mirrors the signer's fold of the same events; judges nothing itself.

use std::collections::BTreeMap;

use super::super::document::PolicyDocument;
use super::super::evaluate::{Payment, Verdict, listed_charges};
use super::super::history::{Charged, History, SessionHistory, WalletHistory};
use super::super::sign_in::Allowed;
use super::super::windows::Usage;
use super::{Judgement, login};
use crate::address::Account;
use crate::amount::Amount;
use crate::denial::{Code, Violation};
use crate::event::{EventBody, SignedIn, Spend, Variant};
use crate::ids::{OwnerId, SessionId, StatementId, WalletId};
use crate::owner_change::OwnerChange;
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
    /// Changes of owners that void documents once they are in effect: removals and recoveries.
    changes: BTreeMap<StatementId, Voids>,
    /// Logins of each wallet at each site.
    logins: BTreeMap<(WalletId, String), Usage>,
}

/// Whose documents that did not mature yet never do.
#[derive(Debug, Clone, Copy)]
enum Voids {
    /// Those that this owner signed.
    Of(OwnerId),
    /// Everybody's.
    All,
}

impl Voids {
    const fn with(change: &OwnerChange) -> Option<Self> {
        match change {
            OwnerChange::RemoveOwner(known) => Some(Self::Of(known.id)),
            OwnerChange::Recover { .. } => Some(Self::All),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    has_agent_key: bool,
    history: SessionHistory,
}

#[derive(Debug)]
struct Binding {
    document: PolicyDocument,
    signers: Vec<OwnerId>,
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

    /// The strictest that the documents that bind allow a login, or all that is broken. What the agent
    /// asked its message to hold for is not known here.
    pub(super) fn judge_login(
        &self,
        entry: &SignedIn,
        now: BudgetTime,
    ) -> Result<Allowed, Vec<Violation>> {
        let earlier = self.logins(entry);
        let mut strictest: Option<Allowed> = None;
        let mut broken = Vec::new();
        for document in self.binding() {
            match login::judge(document, entry, None, earlier, now) {
                Ok(allowed) => {
                    strictest = Some(strictest.map_or(allowed, |so_far| so_far.strictest(allowed)));
                }
                Err(violations) => broken.extend(violations),
            }
        }
        match strictest {
            Some(allowed) if broken.is_empty() => Ok(allowed),
            _ => Err(broken),
        }
    }

    /// Earlier logins of the same wallet at the same site.
    pub(super) fn logins(&self, entry: &SignedIn) -> Option<&Usage> {
        let key = (entry.wallet, entry.fields.domain.clone());
        self.logins.get(&key)
    }

    /// A login is counted.
    pub(super) fn signed_in(&mut self, entry: &SignedIn, at: BudgetTime) {
        self.logins.retain(|_, usage| !usage.is_forgotten(at));
        let key = (entry.wallet, entry.fields.domain.clone());
        self.logins.entry(key).or_default().charge(at, Amount::ZERO);
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
                signers,
                matures,
                epoch,
                ..
            } => {
                if let Some(Draft::Policy(bytes)) = self.drafts.remove(statement) {
                    let document = PolicyDocument::adopted(&bytes);
                    let document = document.unwrap_or_else(|_| PolicyDocument::closed(*epoch));
                    self.documents.push(Binding {
                        document,
                        signers: signers.clone(),
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
            } => {
                if let Some(voids) = Voids::with(change) {
                    self.changes.insert(*statement, voids);
                }
            }
            EventBody::OwnerChangeEffective { change } => {
                if let Some(voids) = self.changes.remove(change) {
                    self.void(voids, now);
                }
            }
            _ => {}
        }
    }

    /// A removed owner takes along what it signed and what did not mature yet, a recovery everybody's.
    fn void(&mut self, voids: Voids, now: RunTime) {
        for binding in &mut self.documents {
            let falls = match voids {
                Voids::Of(owner) => binding.signers.contains(&owner),
                Voids::All => true,
            };
            if falls {
                binding.matures = binding.matures.filter(|matures| *matures <= now);
            }
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
