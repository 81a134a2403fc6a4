//! What must come of payments: new ones, those asked for again, and those that waited.

use waiaas_shared::denial::Code;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::policy::evaluate::Tier;

use super::book::{Book, Holder, Kill, Session, Standing, Wait};
use super::expect::Expect;
use super::step::Spoilt;
use crate::model::binding::{Said, judge_all};
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
    pub(super) spoilt: Spoilt,
    /// Of the agent's signature: its nonce and second of creation.
    pub(super) signed: Option<(String, u64)>,
    pub(super) dry_run: bool,
}

impl Book {
    pub(super) fn usable(&self, id: SessionId, expect: &mut Expect) {
        let Some(session) = self.session(id) else {
            return expect.when(true, Code::SessionUnknown);
        };
        let ended = self.now().wall >= session.grant.expires.millis();
        expect.when(
            ended || session.standing == Standing::Expired,
            Code::SessionExpired,
        );
        expect.when(session.standing == Standing::Revoked, Code::SessionRevoked);
    }

    pub(super) fn stopped(&self, asking: &Asking, expect: &mut Expect) {
        expect.when(self.kill == Kill::Activated, Code::Killed);
        expect.when(self.closed, Code::ClockClosed);
        expect.when(self.frozen, Code::Frozen);
        expect.when(self.wallet(asking.wallet).paused, Code::WalletPaused);
    }

    /// What the agent's signature must prove.
    fn proven(&self, session: &Session, request: &Request, expect: &mut Expect) {
        if session.bearer() || request.dry_run {
            return;
        }
        let Some((nonce, created)) = &request.signed else {
            return expect.when(true, Code::RequestSignatureMissing);
        };
        let bad = matches!(request.spoilt, Spoilt::OtherSignature | Spoilt::OtherPath);
        expect.when(bad, Code::RequestSignatureInvalid);
        let apart = self.now().wall.abs_diff(created * 1000);
        expect.when(apart > 2 * MINUTE, Code::RequestTimeSkew);
        let used = self.used(session.holder(), &request.key).is_some();
        let nonce = (request.session, nonce.clone());
        if let (Some(until), false) = (self.request_nonces.get(&nonce), used) {
            // Once its signature could not be accepted any more, it may be forgotten.
            let kept = *until >= self.now().wall;
            expect.when(kept, Code::RequestNonceReused);
            expect.maybe_when(!kept, Code::RequestNonceReused);
        }
    }

    /// Documents and session over one payment.
    pub(super) fn judged(
        &self,
        session: &Session,
        asking: &Asking,
        without: Option<usize>,
        expect: &mut Expect,
    ) -> Said {
        let asking = Asking {
            session: session.id,
            bearer: session.bearer(),
            ..*asking
        };
        let said = judge_all(self.binding(), &asking, &self.charges, without, self.now());
        expect.all.extend(&said.must);
        expect.may.extend(&said.may);
        let own = without.map_or(0, |place| self.charges.get(place).of(asking.asset()));
        let count = session.count - u32::from(without.is_some());
        let grant = &session.grant;
        expect.all_when(!grant.wallets.contains(&asking.wallet), Code::SessionWallet);
        expect.all_when(count >= grant.count, Code::SessionCount);
        let mut limits = grant.limits.iter();
        let Some(limit) = limits.find(|limit| limit.asset == asking.asset()) else {
            expect.all_when(true, Code::SessionAsset);
            return said;
        };
        let spent = session.spent.get(&asking.asset()).copied().unwrap_or(0) - own;
        let total = asking.total();
        let most = limit.per_transaction.base_units();
        expect.all_when(total > most, Code::SessionPerTransaction);
        let over = spent + total > limit.total.base_units();
        expect.all_when(over, Code::SessionTotal);
        said
    }

    /// A request: refused, signed, waiting, or the same as before.
    pub(super) fn expect_request(&self, request: &Request) -> (Expect, Option<Said>) {
        let mut expect = Expect::default();
        expect.when(request.spoilt == Spoilt::OtherSigner, Code::SignerMismatch);
        self.usable(request.session, &mut expect);
        let Some(session) = self.session(request.session) else {
            return (expect, None);
        };
        self.proven(session, request, &mut expect);
        let used = self.used(session.holder(), &request.key);
        if let (Some((body, transaction)), false) = (used, request.dry_run) {
            let paid = self.paid.get(transaction);
            let credited = paid.is_some_and(|paid| paid.credited);
            expect.when(credited, Code::PaymentCredited);
            let replaced = paid.is_some_and(|paid| paid.placed.is_some());
            expect.when(replaced, Code::PaymentReplaced);
            expect.when(*body != request.body, Code::IdempotencyConflict);
            if let Some(wait) = self.waits.get(transaction) {
                expect.when(wait.is_over(self.now()), Code::IntentClosed);
            } else if self.paid.contains_key(transaction) {
                let replayed = self.expect_replay(*transaction);
                expect.early.extend(replayed.early);
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
                self.stopped_everywhere(&mut expect);
                return (expect, None);
            }
        };
        self.stopped(asking, &mut expect);
        let wallet = self.wallet(asking.wallet);
        let unbound = !wallet.networks.contains(&asking.chain());
        expect.when(unbound, Code::NetworkNotBound);
        spoilt_bytes(request.spoilt, &mut expect);
        let said = self.judged(session, asking, None, &mut expect);
        self.room(session, asking, &said, &mut expect);
        if request.dry_run {
            expect.late.clear();
            expect.maybe_late.clear();
        }
        (expect, Some(said))
    }

    fn stopped_everywhere(&self, expect: &mut Expect) {
        for wallet in &self.wallets {
            expect.when(wallet.paused, Code::WalletPaused);
        }
        expect.when(self.kill == Kill::Activated, Code::Killed);
        expect.when(self.closed, Code::ClockClosed);
        expect.when(self.frozen, Code::Frozen);
    }

    /// Whether one more payment may wait.
    fn room(&self, session: &Session, asking: &Asking, said: &Said, expect: &mut Expect) {
        let now = self.now();
        let waiting = || self.waits.values().filter(|wait| wait.expires > now.wall);
        let of_session = |wait: &&Wait| wait.asking.session == session.id;
        let same = |wait: &Wait| {
            let (one, other) = (&wait.asking, asking);
            wait.ready.is_none()
                && (one.wallet, one.to, one.amount) == (other.wallet, other.to, other.amount)
        };
        let (least, most) = said.tier;
        let asked = waiting().filter(of_session).any(same);
        let duplicate = asked && most == Tier::Approval;
        expect.late_when(
            asked && least == Tier::Approval,
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

    /// The bytes of a signed payment once more.
    pub(super) fn expect_replay(&self, transaction: TransactionId) -> Expect {
        let mut expect = Expect::default();
        let Some(paid) = self.paid.get(&transaction) else {
            expect.when(true, Code::TransactionUnknown);
            return expect;
        };
        if paid.credited {
            expect.when(true, Code::PaymentCredited);
            return expect;
        }
        if paid.placed.is_some() {
            expect.when(true, Code::PaymentReplaced);
            return expect;
        }
        self.stopped(&paid.asking, &mut expect);
        if paid.cancels {
            self.expect_cancellation(paid, paid.asking.fee, &mut expect);
            return expect;
        }
        self.usable(paid.asking.session, &mut expect);
        let Some(session) = self.session(paid.asking.session) else {
            return expect;
        };
        let said = self.judged(session, &paid.asking, Some(paid.charge), &mut expect);
        let highest = paid.tier.max(Tier::Notify);
        expect.late_when(
            said.tier.0 > highest,
            said.tier.1 > highest,
            Code::TierRaised,
        );
        expect
    }

    /// Fresh bytes for a payment that waits.
    pub(super) fn expect_release(&self, wait: &Wait, fee: u128, spoilt: Spoilt) -> Expect {
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
        let approved = signers
            .filter(|owner| self.owners.may_sign(**owner))
            .count();
        let asks = wait.ready.is_none();
        expect.when(
            asks && approved < usize::from(wait.quorum),
            Code::IntentNotApproved,
        );
        spoilt_bytes(spoilt, &mut expect);
        expect.when(fee > wait.fee_ceiling, Code::FeeCeiling);
        let Some(session) = self.session(wait.asking.session) else {
            return expect;
        };
        let asking = Asking { fee, ..wait.asking };
        let said = self.judged(session, &asking, None, &mut expect);
        let (least, most) = said.tier;
        let few = approved < usize::from(said.quorum);
        let raised = |tier: Tier| tier > wait.tier() || (tier == Tier::Approval && few);
        expect.late_when(raised(least), raised(most), Code::TierRaised);
        // A document that was adopted meanwhile may demand a longer wait.
        let early = now.run < wait.opened + said.delay;
        let delays = |tier: Tier| tier == Tier::Delay && early;
        let may_delay = early && least <= Tier::Delay && most >= Tier::Delay;
        expect.late_when(
            delays(least) && delays(most),
            may_delay,
            Code::IntentNotReady,
        );
        expect
    }

    /// The lowest fee ceiling of all binding documents.
    pub(super) fn fee_ceiling(&self, asking: &Asking) -> u128 {
        let ceilings = self.binding().iter().map(|one| {
            let mut rules = one.document.assets.iter();
            let rule = rules.find(|rule| rule.asset == asking.asset());
            let ceiling = rule.and_then(|rule| rule.fee_ceiling);
            ceiling.map_or(0, |most| most.base_units())
        });
        ceilings.min().unwrap_or(0)
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
        }
    }

    /// The holder of a session's idempotency keys.
    pub(super) fn holder(&self, id: SessionId) -> Holder {
        self.session(id)
            .map_or(Holder::Session(id), Session::holder)
    }
}

pub(super) fn spoilt_bytes(spoilt: Spoilt, expect: &mut Expect) {
    match spoilt {
        Spoilt::OtherRecipient | Spoilt::OtherAmount => {
            expect.when(true, Code::BodyMismatch);
        }
        Spoilt::TrailingByte | Spoilt::OtherNetwork => {
            expect.when(true, Code::TransactionUndecodable);
        }
        Spoilt::NonceOne => expect.when(true, Code::NonceNotZero),
        _ => {}
    }
}
