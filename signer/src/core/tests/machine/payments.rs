//! What must come of payments: new ones, those asked for again, and those that waited.

use std::collections::BTreeSet;

use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, SessionId, TransactionId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::Operation;

use super::book::{Book, Holder, Kill, Paid, Session, Standing, Wait};
use super::bytes::spoilt_bytes;
use super::expect::Expect;
use super::step::Spoilt;
use super::wanted::token_owners;
use crate::model::asking::Does;
use crate::model::binding::{Said, judge_all};
use crate::model::decoder::RENT;
use crate::model::policy::Asking;
use crate::model::{HOUR, MINUTE};

/// A request as an agent made it, and what a hostile gateway did to it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) session: SessionId,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    /// What the body asks for; none if its contact or amount means nothing.
    pub(super) asking: Result<Asking, Code>,
    /// Of a program's call: the accounts that its bytes were built with, each with its right.
    pub(super) written: Option<Vec<([u8; 32], bool)>>,
    pub(super) spoilt: Spoilt,
    /// Of the agent's signature: its nonce and second of creation.
    pub(super) signed: Option<(String, u64)>,
    pub(super) dry_run: bool,
    /// Whom the proposed bytes name as the payer.
    pub(super) from: Account,
    pub(super) replaces: Option<TransactionId>,
}

/// What a payment went through.
struct Behind<'a> {
    /// How it was judged at first.
    highest: Tier,
    /// When its wait began.
    since: Option<u64>,
    approved: &'a [OwnerId],
    /// Broken rules of which the owners read.
    told: &'a BTreeSet<Code>,
    /// It was charged, to the unit, under the documents that bind now: what it went through stays enough, whoever
    /// is charged beside it.
    settled: bool,
}

impl Book {
    pub(super) fn usable(&self, id: SessionId, expect: &mut Expect) {
        let Some(session) = self.session(id) else {
            return expect.when(true, Code::SessionUnknown);
        };
        self.staged(session, expect);
        let suspended = self.watch.suspended.contains(&id);
        expect.when(suspended, Code::SessionSuspended);
        let ended = self.now().wall >= session.ends;
        expect.when(
            ended || session.standing == Standing::Expired,
            Code::SessionExpired,
        );
        expect.when(session.standing == Standing::Revoked, Code::SessionRevoked);
    }

    pub(super) fn stopped(&self, asking: &Asking, expect: &mut Expect) {
        self.all_stopped(expect);
        let wallet = self.wallet(asking.wallet);
        expect.when(wallet.paused, Code::WalletPaused);
        expect.when(wallet.closed, Code::WalletClosed);
    }

    /// What stops everything.
    pub(super) fn all_stopped(&self, expect: &mut Expect) {
        expect.when(self.kill == Kill::Activated, Code::Killed);
        expect.when(self.closed, Code::ClockClosed);
        expect.when(self.frozen, Code::Frozen);
    }

    /// Documents and session over one payment.
    pub(super) fn judged(
        &self,
        session: &Session,
        asking: &Asking,
        without: Option<usize>,
        expect: &mut Expect,
    ) -> Said {
        let asking = &Asking {
            session: session.id,
            bearer: session.bearer(),
            ..asking.clone()
        };
        let said = judge_all(self.binding(), asking, &self.charges, without, self.now());
        expect.all.extend(&said.must);
        expect.may.extend(&said.may);
        let own = |asset| without.map_or(0, |place| self.charges.get(place).of(asset));
        let count = session.count - without.map_or(0, |_| asking.made());
        let grant = &session.grant;
        expect.all_when(!grant.wallets.contains(&asking.wallet), Code::SessionWallet);
        expect.all_when(count + asking.made() > grant.count, Code::SessionCount);
        for (asset, total) in asking.sums() {
            let mut limits = grant.limits.iter();
            let Some(limit) = limits.find(|limit| limit.asset == asset) else {
                expect.all_when(true, Code::SessionAsset);
                continue;
            };
            let spent = session.spent.get(&asset).copied().unwrap_or(0) - own(asset);
            let most = limit.per_transaction.base_units();
            expect.all_when(total > most, Code::SessionPerTransaction);
            let over = spent + total > limit.total.base_units();
            expect.all_when(over, Code::SessionTotal);
        }
        expect.all_when(!may_do(session, asking), Code::SessionOperation);
        said
    }

    /// A request: refused, signed, waiting, or the same as before.
    pub(super) fn expect_request(&self, request: &Request) -> (Expect, Option<Said>) {
        let mut expect = Expect::default();
        // What the body says of no such chain is refused before anybody asks who says it.
        let of_no_chain = request.asking == Err(Code::SolanaOnly);
        expect.when(of_no_chain, Code::SolanaOnly);
        expect.when(request.spoilt == Spoilt::OtherSigner, Code::SignerMismatch);
        self.usable(request.session, &mut expect);
        let Some(session) = self.session(request.session) else {
            return (expect, None);
        };
        let used = self.used(session.holder(), &request.key);
        if !request.dry_run {
            let (signed, spoilt) = (request.signed.as_ref(), request.spoilt);
            self.proven(session, signed, spoilt, used.is_some(), &mut expect);
        }
        if let (Some((body, transaction)), false) = (used, request.dry_run) {
            let paid = self.paid.get(transaction);
            let credited = paid.is_some_and(|paid| paid.credited);
            expect.when(credited, Code::PaymentCredited);
            let gone = paid.is_some_and(|paid| paid.placed.is_some())
                || (paid.is_some() && self.is_replaced(*transaction));
            expect.when(gone, Code::PaymentReplaced);
            expect.when(*body != request.body, Code::IdempotencyConflict);
            if let Some(wait) = self.waits.get(transaction) {
                expect.when(wait.is_over(self.now()), Code::IntentClosed);
            } else if self.paid.contains_key(transaction) {
                let replayed = self.expect_replay(*transaction);
                expect.early.extend(replayed.early);
                expect.maybe_early.extend(replayed.maybe_early);
                expect.all.extend(replayed.all);
                expect.may.extend(replayed.may);
                expect.late.extend(replayed.late);
                expect.maybe_late.extend(replayed.maybe_late);
            } else {
                expect.when(true, Code::IntentClosed);
            }
            return (expect, None);
        }
        expect.when(self.adopted.is_empty(), Code::PolicyMissing);
        let asking = match &request.asking {
            Ok(asking) => asking,
            Err(code) => {
                expect.when(true, *code);
                self.all_stopped(&mut expect);
                let wallets = self.wallets.iter();
                for wallet in wallets {
                    expect.when(wallet.paused, Code::WalletPaused);
                    expect.when(wallet.closed, Code::WalletClosed);
                }
                return (expect, None);
            }
        };
        self.stopped(asking, &mut expect);
        let wallet = self.wallet(asking.wallet);
        let unbound = !wallet.networks.contains(&asking.chain);
        expect.when(unbound, Code::NetworkNotBound);
        expect.when(!self.knows_mints(asking), Code::AssetNotListed);
        let written = request.written.as_deref();
        spoilt_bytes(request.spoilt, asking, written, &mut expect);
        // Solana's bytes name who pays: a former key's are nobody's.
        let named = matches!(asking.chain, ChainId::Solana(_)) && request.from != wallet.account;
        expect.when(named, Code::TransactionUndecodable);
        self.replaces(session, request.replaces, asking, &mut expect);
        let said = self.judged(session, asking, None, &mut expect);
        self.room(session, asking, &said, &mut expect);
        if request.dry_run {
            expect.late.clear();
            expect.maybe_late.clear();
        }
        (expect, Some(said))
    }

    /// A second try is of a payment that was signed and nothing has replaced, by the same session or the
    /// same agent's key, from the same wallet, of exactly the same; never on a chain of nonces.
    fn replaces(
        &self,
        session: &Session,
        named: Option<TransactionId>,
        asking: &Asking,
        expect: &mut Expect,
    ) {
        let Some(named) = named else {
            return;
        };
        let evm = matches!(asking.chain, ChainId::Evm(_));
        expect.when(evm, Code::ReplacesEvm);
        let Some(paid) = self.paid.get(&named) else {
            return expect.when(true, Code::ReplacesUnknown);
        };
        let first = &paid.asking;
        let key = |one: &Session| match one.holder() {
            Holder::Agent(key) => Some(key),
            Holder::Session(_) => None,
        };
        let of_agent = self.session(first.session).and_then(key);
        let mine = first.session == session.id || (of_agent.is_some() && of_agent == key(session));
        expect.when(
            !mine || first.wallet != asking.wallet,
            Code::ReplacesUnknown,
        );
        expect.when(!first.is_same(asking), Code::ReplacesOther);
        expect.when(paid.credited, Code::ReplacesCredited);
        expect.when(self.is_replaced(named), Code::ReplacesTaken);
    }

    /// Whether one more payment may wait.
    fn room(&self, session: &Session, asking: &Asking, said: &Said, expect: &mut Expect) {
        let now = self.now();
        let waiting = || self.waits.values().filter(|wait| wait.expires > now.wall);
        let of_session = |wait: &&Wait| wait.asking.session == session.id;
        let same = |wait: &Wait| wait.ready.is_none() && wait.asking.is_same(asking);
        let (least, most) = said.tier;
        let asked = waiting().filter(of_session).any(same);
        let duplicate = asked && most == Tier::Approval;
        // One that was approved ends for the new one if that is not enough any more.
        let approved = self.approved_equals(session.id, asking);
        expect.late_when(
            asked && approved.is_empty() && least == Tier::Approval,
            duplicate,
            Code::IntentDuplicate,
        );
        let mine = waiting().filter(of_session).count() >= 16;
        let of_wallet = waiting().filter(|wait| wait.asking.wallet == asking.wallet);
        let wallets = of_wallet.count() >= 64;
        let opened = |longer: u64| {
            let ages = session.opened.iter().map(|at| now.budget - at);
            ages.filter(|age| *age < HOUR + longer).count() >= 60
        };
        let certain = least > Tier::Notify && (mine || wallets || opened(1));
        let possible = most > Tier::Notify && (mine || wallets || opened(MINUTE));
        expect.late_when(certain, possible, Code::IntentTooMany);
    }

    /// Equal payments of the session that were approved and not released.
    pub(super) fn approved_equals(&self, id: SessionId, asking: &Asking) -> Vec<TransactionId> {
        let waits = self.waits.iter().filter(|(_, wait)| {
            let open = wait.expires > self.now().wall && wait.approval.is_some();
            open && wait.asking.session == id && wait.asking.is_same(asking)
        });
        waits.map(|(transaction, _)| *transaction).collect()
    }

    /// The bytes of a signed payment once more.
    pub(super) fn expect_replay(&self, transaction: TransactionId) -> Expect {
        let mut expect = Expect::default();
        let Some(paid) = self.paid.get(&transaction) else {
            expect.when(true, Code::TransactionUnknown);
            return expect;
        };
        expect.when(paid.credited, Code::PaymentCredited);
        let replaced = paid.placed.is_some() || self.is_replaced(transaction);
        expect.when(replaced, Code::PaymentReplaced);
        if expect.is_refused() {
            return expect;
        }
        self.stopped(&paid.asking, &mut expect);
        self.same_key(paid, &mut expect);
        if paid.cancels {
            self.expect_cancellation(paid, paid.asking.fee, &mut expect);
            return expect;
        }
        self.usable(paid.asking.session, &mut expect);
        expect.when(!self.knows_mints(&paid.asking), Code::AssetNotListed);
        let Some(session) = self.session(paid.asking.session) else {
            return expect;
        };
        let said = self.judged(session, &paid.asking, Some(paid.charge), &mut expect);
        self.went_through(paid, &said, true, &mut expect);
        expect
    }

    /// With the key that signed, or not at all.
    pub(super) fn same_key(&self, paid: &Paid, expect: &mut Expect) {
        let wallet = self.wallet(paid.asking.wallet);
        expect.when(wallet.former.len() != paid.key, Code::WalletClosed);
        let at = self.charges.get(paid.charge).at;
        expect.maybe_when(wallet.rotated == Some(at), Code::WalletClosed);
    }

    /// What all binding documents say of a payment that costs the most that it may at its release.
    pub(super) fn judged_at_most(&self, asking: &Asking) -> Said {
        let session = self.session(asking.session);
        let asking = Asking {
            bearer: session.is_some_and(Session::bearer),
            fee: self.fee_ceiling(asking),
            rent: self.rent_ceiling(asking),
            ..asking.clone()
        };
        judge_all(self.binding(), &asking, &self.charges, None, self.now())
    }

    /// Whether a payment that was signed went through what is asked of it now: of the same once more, or of one that
    /// may cost more.
    pub(super) fn went_through(&self, paid: &Paid, said: &Said, same: bool, expect: &mut Expect) {
        let nobody = Vec::new();
        let (since, approved) = match &paid.waited {
            Some((since, approved)) => (Some(*since), approved),
            None => (None, &nobody),
        };
        let behind = Behind {
            highest: paid.tier.max(Tier::Notify),
            since,
            approved,
            told: &paid.told,
            settled: same && self.still_bind(paid.epoch),
        };
        self.suffices(&behind, said, expect);
    }

    /// The same of what was signed at once.
    pub(super) fn suffices_at_once(
        &self,
        (tier, epoch): (Tier, u64),
        said: &Said,
        expect: &mut Expect,
    ) {
        let behind = Behind {
            highest: tier.max(Tier::Notify),
            since: None,
            approved: &[],
            told: &BTreeSet::new(),
            settled: self.still_bind(epoch),
        };
        self.suffices(&behind, said, expect);
    }

    /// Whether a payment went through what is asked of it now.
    fn suffices(&self, behind: &Behind<'_>, said: &Said, expect: &mut Expect) {
        let Behind { highest, since, .. } = *behind;
        let owners = behind
            .approved
            .iter()
            .filter(|owner| self.owners.may_sign(**owner));
        let few = owners.count() < usize::from(said.quorum).max(self.owners.quorum);
        let (mut least, mut most) = said.tier;
        if behind.settled {
            (least, most) = (least.min(highest), most.min(highest));
        }
        let raised = |tier: Tier| tier > highest || (tier == Tier::Approval && few);
        // Owners agreed to the broken rules that they read of, in their place and as far as they read it, and to
        // no other.
        let read = |code: &Code| behind.told.contains(code);
        let unread = !behind.settled && !said.asked.iter().all(read);
        let mut asked = said.asked.union(&said.maybe_asked);
        let maybe_unread = !behind.settled && asked.next().is_some();
        expect.late_when(
            raised(least) || unread,
            raised(most) || maybe_unread,
            Code::TierRaised,
        );
        // A document that was adopted meanwhile may demand a longer wait.
        let early = since.is_some_and(|since| self.now().run < since + said.delay);
        let delays = |tier: Tier| tier == Tier::Delay && early;
        let may_delay = early && least <= Tier::Delay && most >= Tier::Delay;
        expect.late_when(
            delays(least) && delays(most),
            may_delay,
            Code::IntentNotReady,
        );
    }

    /// Fresh bytes for a payment that waits.
    pub(super) fn expect_release(&self, wait: &Wait, fresh: &Asking, spoilt: Spoilt) -> Expect {
        let mut expect = Expect::default();
        let now = self.now();
        if wait.is_over(now) {
            expect.when(true, Code::IntentExpired);
            return expect;
        }
        self.stopped(&wait.asking, &mut expect);
        self.usable(wait.asking.session, &mut expect);
        expect.when(
            wait.ready.is_some_and(|ready| now.run < ready),
            Code::IntentNotReady,
        );
        let signers = wait.approval.iter().flat_map(|(signers, _)| signers);
        let signers: Vec<OwnerId> = signers.copied().collect();
        let standing = signers.iter().filter(|owner| self.owners.may_sign(**owner));
        let approved = standing.count();
        let asks = wait.ready.is_none();
        expect.when(
            asks && approved < usize::from(wait.quorum),
            Code::IntentNotApproved,
        );
        expect.when(!self.knows_mints(fresh), Code::AssetNotListed);
        spoilt_bytes(spoilt, fresh, None, &mut expect);
        expect.when(fresh.fee > wait.fee_ceiling, Code::FeeCeiling);
        expect.when(fresh.rent > wait.rent_ceiling, Code::RentCeiling);
        let Some(session) = self.session(wait.asking.session) else {
            return expect;
        };
        let said = self.judged(session, fresh, None, &mut expect);
        let behind = Behind {
            highest: wait.tier(),
            since: Some(wait.opened),
            approved: &signers,
            told: &wait.told_codes(),
            settled: false,
        };
        self.suffices(&behind, &said, &mut expect);
        expect
    }

    /// The lowest fee ceiling of all binding documents.
    pub(super) fn fee_ceiling(&self, asking: &Asking) -> u128 {
        let ceilings = self.binding().iter().map(|one| {
            let mut rules = one.document.assets.iter();
            let rule = rules.find(|rule| rule.asset == asking.native());
            let ceiling = rule.and_then(|rule| rule.fee_ceiling);
            ceiling.map_or(0, |most| most.base_units())
        });
        ceilings.min().unwrap_or(0)
    }

    /// The most that recipients' accounts may cost: each once, and no more than every binding document lets.
    pub(super) fn rent_ceiling(&self, asking: &Asking) -> u128 {
        let mut owners = token_owners(&asking.parts);
        owners.retain(|_| matches!(asking.chain, ChainId::Solana(_)));
        let accounts = u128::try_from(owners.len()).expect("few");
        let ceilings = self.binding().iter().map(|one| {
            let mut rules = one.document.assets.iter();
            let rule = rules.find(|rule| rule.asset == asking.native());
            let ceiling = rule.and_then(|rule| rule.rent_ceiling);
            ceiling.map_or(0, |most| most.base_units())
        });
        ceilings.min().unwrap_or(0).min(accounts * RENT)
    }

    /// A refused request makes the end of its session durable.
    pub(super) fn see_expiry(&mut self, id: SessionId) {
        let wall = self.now().wall;
        if let Some(session) = self.session_mut(id)
            && session.standing == Standing::Active
            && !session.is_usable(wall)
        {
            session.standing = Standing::Expired;
            self.end_session(id);
            self.watch.begin_anew(id);
        }
    }

    /// The holder of a session's idempotency keys.
    pub(super) fn holder(&self, id: SessionId) -> Holder {
        self.session(id)
            .map_or(Holder::Session(id), Session::holder)
    }
}

/// Whether the session's grant lets it do everything that it does.
fn may_do(session: &Session, asking: &Asking) -> bool {
    let native = asking.native();
    let of = |does: Does, own: bool| match (does, own) {
        (Does::Pays, true) => Operation::NativeTransfer,
        (Does::Pays, false) => Operation::TokenTransfer,
        (Does::LetsTake, _) => Operation::TokenApproval,
        (Does::Carries, _) => Operation::Call,
    };
    asking.parts.iter().all(|part| {
        let operation = of(part.does, part.asset == native);
        match &session.grant.operations {
            Some(listed) => listed.contains(&operation),
            None => part.does == Does::Pays,
        }
    })
}
