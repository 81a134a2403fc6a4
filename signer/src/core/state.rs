//! The folded log. Counters, owners, policies, sessions, kill and pause exist here and nowhere else;
//! only `apply` changes them. No key is ever part of it.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use waiaas_shared::address::Account;
use waiaas_shared::agent::AgentStage;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Charge, Origin};
use waiaas_shared::ids::{
    AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use waiaas_shared::intent::Intent;
use waiaas_shared::keys::KeyPath;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::history::SessionHistory;
use waiaas_shared::policy::windows::Usage;
use waiaas_shared::session::{SessionGrant, SessionUsage};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::text::StatementText;
use waiaas_shared::time::{Clocks, RunTime, WallTime};
use waiaas_shared::view::SessionState;

use super::command::{Prior, Used};
use super::owners::Owners;
use super::request_nonces::RequestNonces;
pub(super) use super::wallet::{Nonce, Wallet};
use super::watch::Watch;

pub use super::stopped::{Freeze, Kill, KillPhase};

/// How a snapshot encodes the state: the version after every change of these types, or of what one of
/// their fields means. `core/tests/snapshot.rs` shows when that is. No bytes are read of another version.
pub const STATE_VERSION: u32 = 6;

/// Everything that the log says.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct State {
    #[n(0)]
    pub(super) signer: Option<SignerId>,
    #[n(1)]
    pub(super) clocks: Clocks,
    #[n(2)]
    pub(super) clock_closed: bool,
    #[n(3)]
    pub(super) kill: Kill,
    /// Why everything is paused; empty: it is not.
    #[n(4)]
    pub(super) frozen: BTreeSet<Freeze>,
    /// The log has ended for good.
    #[n(5)]
    pub(super) retired: bool,
    #[n(6)]
    pub(super) owners: Owners,
    #[n(7)]
    pub(super) wallets: BTreeMap<WalletId, Wallet>,
    #[n(8)]
    pub(super) policies: Vec<BindingPolicy>,
    #[n(9)]
    pub(super) policy_epoch: u64,
    #[n(10)]
    pub(super) sessions: BTreeMap<SessionId, Session>,
    #[n(17)]
    pub(super) agents: BTreeMap<AgentId, AgentStage>,
    #[n(11)]
    pub(super) statements: BTreeMap<StatementId, OpenStatement>,
    #[n(12)]
    pub(super) intents: BTreeMap<TransactionId, OpenIntent>,
    /// Entries of payments that an owner credited, each once.
    #[n(13)]
    pub(super) credited: BTreeSet<u64>,
    /// Payments that a later one replaces, each with that one: it waits or was signed.
    #[n(19)]
    pub(super) replaced: BTreeMap<TransactionId, TransactionId>,
    /// What stays charged to payments whose nonce was cancelled: as much of it may be credited.
    #[n(20)]
    pub(super) kept: BTreeMap<TransactionId, Vec<Charge>>,
    #[n(14)]
    pub(super) request_nonces: RequestNonces,
    /// Idempotency keys used in the batch that is being decided: the ledger's index does not know them
    /// yet. Empty whenever a snapshot is taken.
    #[cbor(skip)]
    pub(super) uncommitted: BTreeMap<Digest, Used>,
    #[n(15)]
    pub(super) journal: Digest,
    #[n(16)]
    pub(super) unlock_failures: u32,
    /// What the signer watches by itself.
    #[n(18)]
    pub(super) watch: Watch,
    /// Bytes of statements that the gateway's socket had written.
    #[n(21)]
    pub(super) drafted: Usage,
    /// Logins of each wallet at each site, for their number.
    #[n(22)]
    pub(super) logins: BTreeMap<(WalletId, String), Usage>,
    /// The latest time that an owner stated. Its event has the clocks of before it.
    #[n(23)]
    pub(super) stated: WallTime,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(super) struct BindingPolicy {
    #[n(0)]
    #[cbor(with = "document")]
    pub(super) document: std::sync::Arc<PolicyDocument>,
    #[n(1)]
    pub(super) matures: RunTime,
    /// Who signed it.
    #[n(2)]
    pub(super) signers: Vec<OwnerId>,
}

/// A document inside of the encoded state: its canonical bytes.
mod document {
    use std::sync::Arc;

    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};
    use waiaas_shared::policy::document::PolicyDocument;

    pub(super) fn encode<C, W: Write>(
        document: &Arc<PolicyDocument>,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.bytes(&document.to_bytes()).map(|_| ())
    }

    pub(super) fn decode<'b, C>(
        decoder: &mut Decoder<'b>,
        _: &mut C,
    ) -> Result<Arc<PolicyDocument>, minicbor::decode::Error> {
        PolicyDocument::adopted(decoder.bytes()?)
            .map(Arc::new)
            .map_err(|_| minicbor::decode::Error::message("not a policy document"))
    }
}

impl BindingPolicy {
    /// No run of a signer gets there.
    const NEVER: RunTime = RunTime::from_millis(u64::MAX);

    /// It never matures. What it tightened holds until a later document has matured, so that voiding
    /// loosens nothing.
    pub(super) fn void(&mut self) {
        self.matures = Self::NEVER;
    }

    pub(super) fn is_void(&self) -> bool {
        self.matures == Self::NEVER
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Session {
    #[n(0)]
    pub(super) grant: SessionGrant,
    #[n(1)]
    pub(super) usage: SessionUsage,
    #[n(2)]
    pub(super) history: SessionHistory,
    #[n(3)]
    pub(super) state: SessionState,
    /// Revoked by the kill switch: its release may restore it.
    #[n(4)]
    pub(super) killed: bool,
    /// Waiting payments that it opened, for their number in an hour.
    #[n(5)]
    pub(super) opened: Usage,
    /// Who granted it.
    #[n(6)]
    pub(super) signers: Vec<OwnerId>,
    /// When it ends unless it is renewed again.
    #[n(7)]
    pub(super) ends: WallTime,
    /// How often it was renewed.
    #[n(8)]
    pub(super) renewals: u32,
}

/// A payment that waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct OpenIntent {
    #[n(0)]
    pub(super) intent: Intent,
    #[n(1)]
    pub(super) approval: Option<Approval>,
}

/// The owners' signatures on a waiting payment.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Approval {
    #[n(0)]
    pub(super) signers: Vec<OwnerId>,
    #[n(1)]
    pub(super) until: RunTime,
}

impl Session {
    /// Whether anything may still be spent under it, now or after a release.
    pub(super) fn may_spend_again(&self) -> bool {
        self.killed || self.state == SessionState::Active
    }

    /// Revoked for good.
    pub(super) fn revoke(&mut self) {
        self.state = SessionState::Revoked;
        self.killed = false;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct OpenStatement {
    #[n(0)]
    pub(super) facts: StatementFacts,
    #[n(1)]
    pub(super) text: StatementText,
    #[n(2)]
    pub(super) expires: WallTime,
    #[n(3)]
    pub(super) origin: Origin,
    /// A later stop took its meaning: nobody carries it out, and it keeps its place until it expires.
    #[n(4)]
    pub(super) void: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            signer: None,
            clocks: super::clock::zero(),
            clock_closed: false,
            kill: Kill {
                phase: KillPhase::Normal,
                epoch: 0,
            },
            frozen: BTreeSet::new(),
            retired: false,
            owners: Owners::default(),
            wallets: BTreeMap::new(),
            policies: Vec::new(),
            policy_epoch: 0,
            sessions: BTreeMap::new(),
            agents: BTreeMap::new(),
            statements: BTreeMap::new(),
            intents: BTreeMap::new(),
            credited: BTreeSet::new(),
            replaced: BTreeMap::new(),
            kept: BTreeMap::new(),
            request_nonces: RequestNonces::default(),
            uncommitted: BTreeMap::new(),
            journal: hash(Domain::Journal, &[]),
            unlock_failures: 0,
            watch: Watch::default(),
            drafted: Usage::default(),
            logins: BTreeMap::new(),
            stated: WallTime::default(),
        }
    }
}

impl State {
    /// Whether the log has begun.
    #[must_use]
    pub const fn created(&self) -> bool {
        self.signer.is_some()
    }

    /// Whose log it is.
    #[must_use]
    pub const fn signer(&self) -> Option<SignerId> {
        self.signer
    }

    /// The clocks that the log has come to: those of the last event, and the wall no earlier than an owner stated,
    /// or the bound would fall at a start with no event behind the statement.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        Clocks {
            wall: self.clocks.wall.max(self.stated),
            ..self.clocks
        }
    }

    /// Where the kill switch stands.
    #[must_use]
    pub const fn kill(&self) -> Kill {
        self.kill
    }

    /// Whether everything is paused.
    #[must_use]
    pub fn frozen(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// Why everything is paused.
    pub fn frozen_by(&self) -> impl Iterator<Item = Freeze> {
        self.frozen.iter().copied()
    }

    /// Whether a clock step closed signing.
    #[must_use]
    pub const fn clock_closed(&self) -> bool {
        self.clock_closed
    }

    /// Whether the log has ended for good.
    #[must_use]
    pub const fn retired(&self) -> bool {
        self.retired
    }

    /// Whether a change of owners takes effect before the next decision.
    #[must_use]
    pub fn has_due_change(&self, now: Clocks) -> bool {
        self.owners.due(now.run).is_some()
    }

    /// Changes of owners that wait.
    #[must_use]
    pub fn owner_changes(&self) -> usize {
        self.owners.pending.len()
    }

    /// Whether an open statement can only stop something.
    #[must_use]
    pub fn only_stops(&self, statement: StatementId) -> bool {
        let open = self.statements.get(&statement);
        open.is_some_and(|open| open.facts.only_stops())
    }

    /// The payment that an open statement credits: the authority brings its entry.
    #[must_use]
    pub fn credit_of(&self, statement: StatementId) -> Option<TransactionId> {
        match self.statements.get(&statement)?.facts {
            StatementFacts::Credit { transaction, .. } => Some(transaction),
            _ => None,
        }
    }

    /// The family of the wallet that an open statement rotates: the authority derives its next key.
    #[must_use]
    pub fn rotation_of(&self, statement: StatementId) -> Option<Family> {
        match self.statements.get(&statement)?.facts {
            StatementFacts::RotateWallet { wallet, .. } => {
                Some(self.wallets.get(&wallet)?.path.family)
            }
            _ => None,
        }
    }

    /// Epoch of the newest adopted policy; 0: none.
    #[must_use]
    pub const fn policy_epoch(&self) -> u64 {
        self.policy_epoch
    }

    /// Hash at which the locked journal continues.
    #[must_use]
    pub const fn journal(&self) -> Digest {
        self.journal
    }

    /// Whether the session was ever granted.
    #[must_use]
    pub fn knows_session(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Key paths of all wallets, for the vault to make ready.
    pub fn key_paths(&self) -> impl Iterator<Item = KeyPath> {
        self.keys().map(|(path, _)| path)
    }

    /// Every key of every wallet, former ones too.
    pub(super) fn keys(&self) -> impl Iterator<Item = (KeyPath, Account)> {
        self.wallets.values().flat_map(Wallet::keys)
    }

    /// The next key path of a family: indexes are given once, in order (invariant 7).
    #[must_use]
    pub fn next_path(&self, family: Family) -> KeyPath {
        let given = self.key_paths().filter(|path| path.family == family);
        let index = given
            .map(|path| path.index.saturating_add(1))
            .max()
            .unwrap_or(0);
        KeyPath { family, index }
    }

    /// Who owns an idempotency key, with the key, as the ledger's index stores it: the agent's key,
    /// or a bearer session (invariant 19). `None` for an unknown session.
    #[must_use]
    pub fn idempotency(&self, session: SessionId, key: &str) -> Option<Digest> {
        let grant = &self.sessions.get(&session)?.grant;
        let owner: &[u8] = match &grant.credential {
            waiaas_shared::session::Credential::AgentKey(agent) => agent.as_bytes(),
            waiaas_shared::session::Credential::Bearer(_) => session.as_bytes(),
        };
        Some(hash(Domain::Idempotency, &[owner, key.as_bytes()]))
    }

    /// What used this idempotency key in the batch that is being decided.
    #[must_use]
    pub fn uncommitted(&self, idempotency: &Digest) -> Option<&Used> {
        self.uncommitted.get(idempotency)
    }

    /// A wallet for which something may be signed on a network now.
    pub(super) fn open_wallet(&self, id: WalletId, network: ChainId) -> Result<&Wallet, Code> {
        if let Some(code) = self.stopped() {
            return Err(code);
        }
        let wallet = self.wallets.get(&id).ok_or(Code::WalletUnknown)?;
        wallet.may_pay()?;
        if wallet.networks.contains(&network) {
            Ok(wallet)
        } else {
            Err(Code::NetworkNotBound)
        }
    }

    /// Whether a statement that resumes something is open.
    pub(super) fn releases_wait(&self) -> bool {
        self.statements
            .values()
            .any(|open| !open.void && matches!(open.facts, StatementFacts::ReleasePause { .. }))
    }

    /// Whether anything waits.
    #[must_use]
    pub fn has_intents(&self) -> bool {
        !self.intents.is_empty()
    }

    /// A payment, authorization or login of the batch has its place in the log.
    pub fn place(&mut self, idempotency: &Digest, sequence: u64) {
        match self.uncommitted.get_mut(idempotency) {
            Some(Used::Paid(prior)) => prior.sequence = sequence,
            Some(Used::SignedIn(prior)) => prior.sequence = sequence,
            Some(Used::Authorized(prior)) => prior.sequence = sequence,
            Some(Used::Waited(_)) | None => {}
        }
    }

    /// The batch is durable: the ledger's index knows its payments now.
    pub fn committed(&mut self) {
        self.uncommitted.clear();
    }

    /// Documents that bind at `now`: the newest matured one and everything adopted after it.
    pub(super) fn binding(&self, now: RunTime) -> &[BindingPolicy] {
        let matured = self
            .policies
            .iter()
            .rposition(|policy| policy.matures <= now)
            .unwrap_or(0);
        self.policies.get(matured..).unwrap_or_default()
    }

    /// Whether a payment could be signed at all now; the code of what stops it.
    pub(super) fn stopped(&self) -> Option<Code> {
        match self.kill.phase {
            KillPhase::Activated => Some(Code::Killed),
            _ if self.clock_closed => Some(Code::ClockClosed),
            _ if self.frozen() => Some(Code::Frozen),
            _ => None,
        }
    }

    /// The transaction's payment, if it is in the batch that is being decided.
    #[must_use]
    pub fn uncommitted_transaction(&self, transaction: TransactionId) -> Option<&Prior> {
        self.uncommitted.values().find_map(|used| match used {
            Used::Paid(prior) if prior.spend.transaction == transaction => Some(prior.as_ref()),
            _ => None,
        })
    }
}
