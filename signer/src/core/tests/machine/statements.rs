//! What must come of statements: their drafts, and what was signed when it is handed in.

use std::collections::BTreeSet;

use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::scope::Scope;
use waiaas_shared::session::SessionGrant;
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Change, Draft, Kill, Owners, Stage, Standing};
use super::expect::Expect;
use super::keys::first_nonce_fits;
use crate::model::{DAY, HOUR};

/// A statement may be signed for so long.
const LIFETIME: u64 = HOUR;

/// Whose signatures came with a statement, as whoever made them knows.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// Over this text, by these keys, in order; an identifier that nobody bears is a stranger's.
    pub(super) by: Vec<OwnerId>,
    /// One of them does not verify.
    pub(super) bad: bool,
    pub(super) admin: bool,
    pub(super) password: bool,
}

impl Signed {
    pub(super) fn distinct(&self) -> BTreeSet<OwnerId> {
        self.by.iter().copied().collect()
    }
}

impl Book {
    /// What must hold for the facts at any time.
    pub(super) fn misfits(&self, facts: &StatementFacts) -> BTreeSet<Code> {
        let mut codes = BTreeSet::new();
        let mut when = |broken: bool, code: Code| {
            if broken {
                codes.insert(code);
            }
        };
        match facts {
            StatementFacts::AdoptPolicy { document } => {
                let document = PolicyDocument::from_bytes(document).expect("the test's own");
                when(document.epoch != self.epoch() + 1, Code::PolicyEpoch);
            }
            StatementFacts::GrantSession { grant } => codes = self.grant_misfits(grant),
            StatementFacts::ReleaseKill { epoch, sessions } => {
                let active = self.kill == Kill::Activated && self.kill_epoch == *epoch;
                when(!active, Code::KillNotActive);
                let restorable = sessions
                    .iter()
                    .all(|id| self.session(*id).is_some_and(|session| session.by_kill));
                when(!restorable, Code::SessionUnknown);
            }
            StatementFacts::ReleasePause { wallet } => {
                let paused = wallet.map_or(self.frozen, |id| self.wallet(id).paused);
                when(!paused, Code::NotPaused);
            }
            StatementFacts::Withdraw {
                wallet,
                asset,
                to,
                nonce,
                from,
                ..
            } => {
                let mut former = self.wallet(*wallet).former.iter();
                let known = from.is_none_or(|from| former.any(|(account, _)| *account == from));
                when(!known, Code::WalletUnknown);
                let family = asset.chain().family();
                when(
                    nonce.is_some() && family != Family::Evm,
                    Code::StatementMalformed,
                );
                when(
                    !self.may_withdraw(asset.chain(), *to),
                    Code::WithdrawalAddress,
                );
            }
            StatementFacts::AttestNonce {
                wallet, next, from, ..
            } => {
                let mut attested = self.wallet(*wallet).clone();
                let nonces = attested.nonces_of(*from).copied();
                let evm = attested.nonces.is_some();
                when(!evm, Code::NetworkNotBound);
                when(evm && nonces.is_none(), Code::WalletUnknown);
                when(nonces.is_some_and(|(due, _)| *next < due), Code::NonceLower);
            }
            StatementFacts::StateTime { .. } => when(!self.closed, Code::TimeNotClosed),
            StatementFacts::ApprovePayment { transaction }
            | StatementFacts::RejectPayment { transaction } => {
                let approves = matches!(facts, StatementFacts::ApprovePayment { .. });
                match self.waits.get(transaction) {
                    None => when(true, Code::IntentUnknown),
                    Some(wait) => {
                        when(wait.is_over(self.now()), Code::IntentExpired);
                        let asks = wait.ready.is_none() && wait.approval.is_none();
                        when(approves && !asks, Code::StatementMismatch);
                        let session = self.session(wait.asking.session);
                        let agent = session.and_then(|session| session.grant.agent);
                        let ending = agent.is_some_and(|agent| self.is_ending(agent));
                        when(approves && ending, Code::AgentTerminated);
                    }
                }
            }
            StatementFacts::CancelOwnerChange { change } => {
                let mut pending = self.owners.pending.iter();
                let waits = pending.any(|one| one.statement == *change);
                when(!waits, Code::OwnerChangeUnknown);
            }
            StatementFacts::SuspendOwner { owner } => {
                when(!self.owners.keys.contains_key(owner), Code::OwnerUnknown);
            }
            StatementFacts::LiftSuspension { owner } => {
                when(!self.owners.keys.contains_key(owner), Code::OwnerUnknown);
                when(self.owners.may_sign(*owner), Code::NotSuspended);
            }
            StatementFacts::Credit {
                transaction,
                sequence,
                wallet,
                amounts,
            } => {
                // An entry that was credited stays so, whichever payment is named with it.
                let mut all = self.paid.values();
                let used = all.any(|one| one.credited && one.sequence == *sequence);
                when(used, Code::CreditUsed);
                let Some(paid) = self.paid.get(transaction) else {
                    codes.insert(Code::CreditMismatch);
                    return codes;
                };
                {
                    when(paid.credited, Code::CreditUsed);
                    when(paid.cancels, Code::CreditMismatch);
                    let placed = paid.placed.as_ref();
                    let moved = placed.and_then(|placed| self.paid.get(&placed.by));
                    let moved = moved.is_some_and(|by| by.charge == paid.charge);
                    let left: u128 = self.charges.get(paid.charge).took.values().sum();
                    // What stayed charged of it, or what was given back of that already.
                    let nothing = left == 0 || paid.credited;
                    let gone = moved || (placed.is_some() && nothing);
                    when(gone && !paid.cancels, Code::PaymentReplaced);
                    let charged = self.charges.get(paid.charge);
                    let fits = paid.sequence == *sequence
                        && paid.asking.wallet == *wallet
                        && amounts.iter().all(|given| {
                            let charged = charged.of(given.asset);
                            given.amount.base_units() <= charged
                        });
                    when(!fits, Code::CreditMismatch);
                }
            }
            StatementFacts::RegisterAgent { .. } | StatementFacts::SignOfLife => {}
            StatementFacts::ResumeSession { session } => {
                let known = self.session(*session).expect("a session of the book");
                let revoked = known.standing == Standing::Revoked && !known.by_kill;
                when(revoked, Code::SessionRevoked);
                when(known.standing == Standing::Expired, Code::SessionExpired);
                let suspended = self.watch.suspended.contains(session);
                when(!suspended, Code::NotSuspended);
            }
            StatementFacts::ActivateAgent { agent } => match self.agents.get(agent) {
                None => when(true, Code::AgentUnknown),
                Some(stage) => {
                    when(*stage == Stage::Active, Code::NotPaused);
                    when(self.is_ending(*agent), Code::AgentTerminated);
                }
            },
            StatementFacts::CloseWallet { wallet } => {
                when(self.wallet(*wallet).closed, Code::WalletClosed);
            }
            StatementFacts::RotateWallet {
                wallet,
                first_nonce,
            } => {
                let wallet = self.wallet(*wallet);
                when(wallet.closed, Code::WalletClosed);
                let fits = first_nonce_fits(wallet.chain, *first_nonce);
                when(!fits, Code::StatementMalformed);
            }
            other => match self.change(other, OwnerId::from_bytes([0; 16])) {
                Some(change) => codes.extend(self.owners.unwelcome(&change)),
                None => panic!("no step says {other:?}"),
            },
        }
        codes
    }

    /// The change of owners that a statement asks for.
    pub(super) fn change(&self, facts: &StatementFacts, new: OwnerId) -> Option<Change> {
        Some(match facts {
            StatementFacts::AddOwner { key } => Change::Add {
                owner: new,
                key: super::hands::place(key),
            },
            StatementFacts::RemoveOwner { owner } => Change::Remove { owner: *owner },
            StatementFacts::SetQuorum { quorum } => Change::Quorum(*quorum as usize),
            StatementFacts::EnrolWithdrawal { account } => Change::Address(*account),
            _ => return None,
        })
    }

    pub(super) fn may_withdraw(&self, chain: ChainId, to: waiaas_shared::address::Account) -> bool {
        let mut enrolled = self.owners.withdrawals.iter();
        enrolled.any(|known| known.chain() == chain && known.account() == to)
    }

    fn grant_misfits(&self, grant: &SessionGrant) -> BTreeSet<Code> {
        let mut codes = BTreeSet::new();
        if grant.expires.millis() <= self.now().wall {
            codes.insert(Code::SessionExpired);
        }
        if self.adopted.is_empty() {
            codes.insert(Code::PolicyMissing);
        }
        if grant.wallets.iter().any(|id| self.wallet(*id).closed) {
            codes.insert(Code::WalletClosed);
        }
        if grant.agent.is_some_and(|agent| self.is_ending(agent)) {
            codes.insert(Code::AgentTerminated);
        }
        let bearer = matches!(
            grant.credential,
            waiaas_shared::session::Credential::Bearer(_)
        );
        for one in self.binding() {
            let document = &one.document;
            for limit in &grant.limits {
                let mut rules = document.assets.iter();
                let Some(rule) = rules.find(|rule| rule.asset == limit.asset) else {
                    codes.insert(Code::AssetNotListed);
                    continue;
                };
                let scopes = document.scopes.iter().filter(|rule| match rule.scope {
                    Scope::Global | Scope::EverySession => true,
                    Scope::BearerSessions => bearer,
                    Scope::Pool(_) | Scope::Wallet(_) | Scope::Session(_) => false,
                });
                let narrowed = scopes
                    .flat_map(|rule| &rule.limits)
                    .filter(|entry| entry.asset == limit.asset)
                    .filter_map(|entry| entry.limits.per_transaction);
                let ceiling = narrowed.chain([rule.per_transaction]).min();
                if ceiling.is_some_and(|most| limit.per_transaction > most) {
                    codes.insert(Code::SessionAboveCeiling);
                }
            }
        }
        codes
    }

    pub(super) fn expect_draft(&self, facts: &StatementFacts, origin: Origin) -> Expect {
        let mut expect = Expect::default();
        let wall = self.now().wall;
        let open = self.drafts.values();
        // Over `admin.sock` what opens the way out stands among its own kind alone.
        let kept_free = |facts: &StatementFacts| match facts {
            _ if origin == Origin::Gateway => 0,
            StatementFacts::Withdraw { .. } => 1,
            StatementFacts::ReleaseKill { .. } => 2,
            StatementFacts::LiftSuspension { .. } => 3,
            StatementFacts::SuspendOwner { .. } => 4,
            _ => 0,
        };
        let open = open.filter(|draft| {
            let same = kept_free(&draft.facts) == kept_free(facts);
            draft.origin == origin && draft.expires > wall && same
        });
        expect.when(open.count() >= 16, Code::StatementTooMany);
        let first = matches!(facts, StatementFacts::AdoptPolicy { .. }) && self.adopted.is_empty();
        expect.when(first && origin == Origin::Gateway, Code::AdminOnly);
        expect.early.extend(self.misfits(facts));
        // What an owner cannot be asked to read at once must be split.
        let long = match facts {
            StatementFacts::AdoptPolicy { .. } => true,
            StatementFacts::ReleaseKill { sessions, .. } => sessions.len() > 2,
            _ => false,
        };
        expect.late_when(false, long, Code::StatementMalformed);
        expect
    }

    pub(super) fn drafted(
        &mut self,
        statement: StatementId,
        facts: StatementFacts,
        origin: Origin,
    ) {
        let expires = self.now().wall + LIFETIME;
        let draft = Draft {
            facts,
            expires,
            origin,
            void: false,
        };
        self.drafts.insert(statement, draft);
    }

    /// Signatures that are handed in. `any`: one owner is enough, and a suspended one will do.
    fn expect_signatures(
        &self,
        signed: &Signed,
        any: bool,
        suspended_too: bool,
        expect: &mut Expect,
    ) {
        let owners: &Owners = &self.owners;
        expect.when(signed.bad, Code::StatementSignature);
        for owner in &signed.by {
            let known = owners.keys.contains_key(owner);
            expect.when(!known, Code::OwnerUnknown);
            let active = owners.may_sign(*owner);
            expect.when(known && !active && !suspended_too, Code::OwnerSuspended);
        }
        let enough = if any { 1 } else { owners.quorum };
        expect.when(signed.distinct().len() < enough, Code::QuorumMissing);
    }

    /// What must come of a statement that is handed in at the door of its kind.
    pub(super) fn expect_submission(&self, statement: StatementId, signed: &Signed) -> Expect {
        let mut expect = Expect::default();
        let wall = self.now().wall;
        let open = self
            .drafts
            .get(&statement)
            .filter(|draft| draft.expires > wall && !draft.void);
        let Some(draft) = open else {
            expect.when(true, Code::StatementUnknown);
            expect.when(true, Code::StatementExpired);
            return expect;
        };
        expect.early.extend(self.misfits(&draft.facts));
        let locally = signed.admin && signed.password;
        let (any, suspended_too) = match draft.facts {
            StatementFacts::CancelOwnerChange { .. }
            | StatementFacts::SuspendOwner { .. }
            | StatementFacts::RejectPayment { .. } => (true, true),
            StatementFacts::LiftSuspension { .. } | StatementFacts::SignOfLife => (true, false),
            _ => (false, false),
        };
        self.expect_signatures(signed, any, suspended_too, &mut expect);
        let stops_only = any && !matches!(draft.facts, StatementFacts::SignOfLife);
        let releases = matches!(draft.facts, StatementFacts::ReleaseKill { .. });
        expect.when(
            self.kill == Kill::Activated && !stops_only && !releases,
            Code::Killed,
        );
        match &draft.facts {
            StatementFacts::AdoptPolicy { .. } => {
                expect.when(self.adopted.is_empty() && !locally, Code::AdminOnly);
                let full = self.binding().len() >= 8;
                expect.when(full && !signed.admin, Code::PolicyTooMany);
            }
            StatementFacts::ReleaseKill { .. }
            | StatementFacts::EnrolWithdrawal { .. }
            | StatementFacts::AddOwner { .. }
            | StatementFacts::RemoveOwner { .. }
            | StatementFacts::SetQuorum { .. }
            | StatementFacts::LiftSuspension { .. } => {
                expect.when(!locally, Code::AdminOnly);
            }
            StatementFacts::ApprovePayment { transaction } => {
                let quorum = self.waits.get(transaction).map_or(0, |wait| wait.quorum);
                let few = signed.distinct().len() < usize::from(quorum);
                expect.when(few, Code::QuorumMissing);
            }
            StatementFacts::SuspendOwner { owner } => {
                expect.when(signed.by.contains(owner), Code::OwnerItself);
                let owners = &self.owners;
                let by_one_who_stays = signed.by.iter().any(|one| owners.stays(*one));
                let too_few = owners.may_sign(*owner) && owners.too_few_without(*owner);
                expect.when(too_few && !by_one_who_stays, Code::SuspensionQuorum);
            }
            StatementFacts::CancelOwnerChange { change } => {
                let mut pending = self.owners.pending.iter();
                let change = pending.find(|one| one.statement == *change);
                let own = change.is_some_and(|one| match one.change {
                    Change::Remove { owner } => signed.by.contains(&owner),
                    _ => false,
                });
                expect.when(own, Code::RemovalOfItself);
            }
            _ => {}
        }
        expect
    }

    /// When a document that is adopted now matures: the longest maturity of all that bind, an hour with
    /// the password over `admin.sock`, at once if it is the first or every wallet is on test networks.
    pub(super) fn maturity(&self, signed: &Signed) -> u64 {
        let networks = self.wallets.iter().flat_map(|wallet| &wallet.networks);
        let play = networks.clone().count() > 0 && networks.into_iter().all(is_play_money);
        let longest = self
            .binding()
            .iter()
            .map(|one| one.document.maturity.millis());
        let wait = if self.adopted.is_empty() || play {
            0
        } else if signed.admin && signed.password {
            HOUR
        } else {
            longest.max().unwrap_or(DAY)
        };
        self.now().run + wait
    }
}

/// The networks of this test, by what they are in the world.
fn is_play_money(chain: &ChainId) -> bool {
    match chain {
        ChainId::Evm(id) => *id == 31_337,
        ChainId::Solana(_) => *chain == crate::model::people::solana(),
    }
}
