//! What the signer must know, kept a second time: plain lists, changed by what was observed to happen
//! and by nothing that the product derived.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::denial::{Code, Violation};
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{AgentId, OwnerId, SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;

use super::alarms::Alarms;
use super::authorized::Authorized;
use super::time::Time;
use super::variants::Placed;
use super::watch::Watch;
use crate::model::binding::{Adopted, binding};
use crate::model::charges::Charges;
use crate::model::policy::{Asking, Moment};

/// Everything.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) time: Time,
    /// Clocks of the last event.
    pub(super) last: Moment,
    pub(super) closed: bool,
    pub(super) frozen: bool,
    pub(super) kill: Kill,
    pub(super) kill_epoch: u64,
    pub(super) wallets: Vec<Wallet>,
    pub(super) adopted: Vec<Adopted>,
    pub(super) sessions: Vec<Session>,
    pub(super) drafts: BTreeMap<StatementId, Draft>,
    pub(super) waits: BTreeMap<TransactionId, Wait>,
    pub(super) charges: Charges,
    pub(super) paid: BTreeMap<TransactionId, Paid>,
    pub(super) authorized: Authorized,
    /// What an idempotency key was used for.
    pub(super) keys: BTreeMap<(Holder, String), (Vec<u8>, TransactionId)>,
    /// Nonces of requests that were used: when their signature was made by its own word, and the run clock then.
    pub(super) request_nonces: BTreeMap<(SessionId, String), Vec<(u64, u64)>>,
    pub(super) owners: Owners,
    pub(super) agents: BTreeMap<AgentId, Stage>,
    pub(super) watch: Watch,
    pub(super) alarms: Alarms,
}

/// The five stages of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Created,
    Active,
    Suspended,
    Terminating,
    Terminated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kill {
    Normal,
    Activated,
    Recovering,
}

#[derive(Debug, Clone)]
pub(super) struct Wallet {
    pub(super) id: WalletId,
    pub(super) account: Account,
    pub(super) chain: ChainId,
    pub(super) networks: Vec<ChainId>,
    pub(super) paused: bool,
    /// Next and attested nonce on `chain`, if it is an EVM chain.
    pub(super) nonces: Option<(u64, u64)>,
    pub(super) closed: bool,
    /// Addresses that it had before, with the nonces of their keys.
    pub(super) former: Vec<(Account, Option<(u64, u64)>)>,
    /// Budget clock at its last change of key.
    pub(super) rotated: Option<u64>,
    /// Issued nonces that a withdrawal took.
    pub(super) withdrawn: BTreeSet<u64>,
    /// Nonces that an attestation left out, of each of its addresses.
    pub(super) left_out: Vec<(Account, std::ops::Range<u64>)>,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) grant: SessionGrant,
    pub(super) spent: BTreeMap<AssetId, u128>,
    pub(super) count: u32,
    pub(super) standing: Standing,
    /// Its end unless it is renewed again, and how often it was.
    pub(super) ends: u64,
    pub(super) renewals: u32,
    /// Only the kill switch revoked it.
    pub(super) by_kill: bool,
    /// Budget clock at each wait that it opened.
    pub(super) opened: Vec<u64>,
    pub(super) signers: Vec<OwnerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Active,
    Revoked,
    Expired,
}

/// An open statement.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) facts: StatementFacts,
    pub(super) expires: u64,
    pub(super) origin: Origin,
    /// A pause came after it: it is of no use, and keeps its place until its end.
    pub(super) void: bool,
}

/// A payment that waits.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub(super) asking: Asking,
    pub(super) fee_ceiling: u128,
    pub(super) rent_ceiling: u128,
    /// Run clock; none: it waits for owners.
    pub(super) ready: Option<u64>,
    pub(super) quorum: u8,
    pub(super) opened: u64,
    /// Upper-bound clock.
    pub(super) expires: u64,
    pub(super) release_within: u64,
    pub(super) approval: Option<(Vec<OwnerId>, u64)>,
    pub(super) replaces: Option<Earlier>,
    /// Broken rules of which its text tells, as the opening recorded them.
    pub(super) told: Vec<Violation>,
}

/// The payment that another one replaces, and how many were signed for the same end before.
pub(super) type Earlier = (TransactionId, u32);

impl Wait {
    /// The codes of the rules of which its text tells.
    pub(super) fn told_codes(&self) -> BTreeSet<Code> {
        self.told.iter().map(|broken| broken.code).collect()
    }

    pub(super) const fn tier(&self) -> Tier {
        match self.ready {
            Some(_) => Tier::Delay,
            None => Tier::Approval,
        }
    }

    /// Whether its time ran out.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        let until = match (self.ready, &self.approval) {
            (Some(ready), _) => Some(ready + self.release_within),
            (None, Some((_, until))) => Some(*until),
            (None, None) => None,
        };
        now.wall >= self.expires || until.is_some_and(|until| now.run >= until)
    }
}

/// A payment that was signed.
#[derive(Debug, Clone)]
pub(super) struct Paid {
    pub(super) asking: Asking,
    pub(super) charge: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) tier: Tier,
    pub(super) sequence: u64,
    /// Of the newest document that bound then.
    pub(super) epoch: u64,
    pub(super) credited: bool,
    pub(super) replaces: Option<Earlier>,
    /// When its wait began on the run clock, and who had approved it.
    pub(super) waited: Option<(u64, Vec<OwnerId>)>,
    /// Broken rules of which they had read.
    pub(super) told: BTreeSet<Code>,
    /// How many keys the wallet had had before the one that signed.
    pub(super) key: usize,
    /// On an EVM chain.
    pub(super) nonce: Option<u64>,
    /// Wei per gas: in all, and for the block's producer.
    pub(super) prices: (u128, u128),
    /// The fee up to which it was agreed, if it waited.
    pub(super) agreed: Option<u128>,
    /// It only uses its nonce up.
    pub(super) cancels: bool,
    /// What took its place on its nonce.
    pub(super) placed: Option<Placed>,
}

/// Whose an idempotency key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Agent([u8; 32]),
    Session(SessionId),
}

/// Who may sign.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners {
    /// By identifier: which of the test's keys, and whether it may sign.
    pub(super) keys: BTreeMap<OwnerId, (usize, bool)>,
    pub(super) quorum: usize,
    pub(super) withdrawals: BTreeSet<AccountId>,
    pub(super) pending: Vec<Pending>,
}

/// A change of owners that waits.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) statement: StatementId,
    pub(super) change: Change,
    pub(super) effective: u64,
    pub(super) signers: Vec<OwnerId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Add { owner: OwnerId, key: usize },
    Remove { owner: OwnerId },
    Quorum(usize),
    Address(AccountId),
    AddressGone(AccountId),
}

impl Session {
    pub(super) const fn bearer(&self) -> bool {
        matches!(self.grant.credential, Credential::Bearer(_))
    }

    pub(super) fn holder(&self) -> Holder {
        match &self.grant.credential {
            Credential::AgentKey(key) => Holder::Agent(*key.as_bytes()),
            Credential::Bearer(_) => Holder::Session(self.id),
        }
    }

    /// Whether it may be used at `wall`.
    pub(super) fn is_usable(&self, wall: u64) -> bool {
        self.standing == Standing::Active && wall < self.ends
    }
}

impl Book {
    pub(super) const fn now(&self) -> Moment {
        self.time.now
    }

    pub(super) fn epoch(&self) -> u64 {
        self.adopted.len() as u64
    }

    pub(super) fn binding(&self) -> &[Adopted] {
        binding(&self.adopted, self.now().run)
    }

    pub(super) fn newest(&self) -> Option<&PolicyDocument> {
        self.binding().last().map(|one| one.document.as_ref())
    }

    /// Whether the documents that bind now are those that bound when this one was the newest, or fewer.
    pub(super) fn still_bind(&self, epoch: u64) -> bool {
        self.newest().is_some_and(|newest| newest.epoch <= epoch)
    }

    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    pub(super) fn wallet(&self, id: WalletId) -> &Wallet {
        let mut wallets = self.wallets.iter();
        wallets
            .find(|wallet| wallet.id == id)
            .expect("a wallet of the book")
    }

    pub(super) fn wallet_mut(&mut self, id: WalletId) -> &mut Wallet {
        let mut wallets = self.wallets.iter_mut();
        wallets
            .find(|wallet| wallet.id == id)
            .expect("a wallet of the book")
    }

    pub(super) fn used(&self, holder: Holder, key: &str) -> Option<&(Vec<u8>, TransactionId)> {
        self.keys.get(&(holder, key.to_owned()))
    }

    /// Whether something took a payment's place: it waits or was signed.
    pub(super) fn is_replaced(&self, name: TransactionId) -> bool {
        let waits = self.waits.values().map(|wait| wait.replaces);
        let paid = self.paid.values().map(|paid| paid.replaces);
        waits
            .chain(paid)
            .flatten()
            .any(|(earlier, _)| earlier == name)
    }

    /// The waits of a session end.
    pub(super) fn end_session(&mut self, id: SessionId) {
        self.waits.retain(|_, wait| wait.asking.session != id);
    }

    /// Moments on the run clock at which something changes.
    pub(super) fn moments(&self) -> Vec<u64> {
        let now = self.now();
        let mut found = Vec::new();
        for wait in self.waits.values() {
            let until = wait.approval.iter().map(|(_, until)| *until);
            let ready = wait.ready.into_iter();
            found.extend(ready.clone().chain(until));
            found.extend(ready.map(|ready| ready + wait.release_within));
            found.push(now.run + wait.expires.saturating_sub(now.wall));
        }
        let ends = self.authorized.ends();
        found.extend(ends.map(|end| now.run + end.saturating_sub(now.wall)));
        found.extend(self.adopted.iter().filter_map(|one| one.matures));
        found.extend(self.owners.pending.iter().map(|one| one.effective));
        let silence = self
            .binding()
            .iter()
            .filter_map(|one| one.document.dead_man);
        found.extend(silence.map(|after| self.watch.heard + after.millis()));
        let mut budgets = self.charges.leaving(now.budget);
        let last = self.charges.last(None, &|_| true);
        for scope in self.binding().iter().flat_map(|one| &one.document.scopes) {
            // Where a pause between two payments ends.
            let pause = scope.cool_down.zip(last);
            budgets.extend(pause.map(|(pause, last)| last + pause.millis()));
        }
        budgets.retain(|at| *at > now.budget);
        found.extend(budgets.iter().map(|at| now.run + at - now.budget));
        let ends = self.drafts.values().map(|draft| draft.expires);
        let expiries = self.sessions.iter().map(|one| one.ends);
        let walls = ends.chain(expiries).filter(|at| *at > now.wall);
        found.extend(walls.map(|at| now.run + at - now.wall));
        found.extend(self.sessions.iter().filter_map(|one| {
            let opens = one.renewable_from()?.checked_sub(now.wall)?;
            Some(now.run + opens)
        }));
        found.retain(|at| *at >= now.run);
        found.sort_unstable();
        found.dedup();
        found
    }
}
