//! A day in the life of a policy, through the whole shell, in seconds: the starter policy that comes with
//! the product, agents who pay from morning to night, a delay that waits across a restart, an approval
//! that comes too late, a policy that tightens at once and loosens a day later, a laptop lid that closes,
//! a clock that is set eleven minutes ahead, a kill and its release. Every answer is exactly the one that
//! the second account foresees, and the whole history is judged by it once more.

mod starter;

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{SessionGrant, SessionLimit};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::WallTime;

use self::starter::{UNIT, starter};
use super::checker::check;
use super::machine::Passing;
use super::post::{Answer, Asked};
use super::world::{HOUR, Session, World};
use crate::model::MINUTE;
use crate::model::binding::{Adopted, binding, judge_all};
use crate::model::charges::{Charge, Charges};
use crate::model::people::{
    EVM, FEE, account, bearer, body_digest, key_bound, recipient, unsigned,
};
use crate::model::policy::{Asking, Moment};

/// The day, and what the second account holds of it.
struct Day {
    world: World,
    agent: Session,
    bearer: Session,
    adopted: Vec<Adopted>,
    charges: Charges,
    payments: u64,
    /// When the day began, run and wall clock.
    began: (u64, u64),
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Signed(Tier),
    Waits(TransactionId),
    Refused(Vec<Code>),
}

impl Day {
    fn begin() -> Self {
        let document = starter();
        let world = World::with_policy(24, &document);
        let entries = world.history.entries.iter();
        let mut matures = entries.filter_map(|entry| match entry.event.body {
            EventBody::PolicyAdopted { matures, .. } => Some(matures.millis()),
            _ => None,
        });
        let first = Adopted {
            document: document.into(),
            matures: matures.next(),
            signers: Vec::new(),
        };
        let nobody = Session {
            id: SessionId::from_bytes([0; 16]),
            credential: key_bound(),
        };
        let mut day = Self {
            world,
            agent: nobody,
            bearer: nobody,
            adopted: vec![first],
            charges: Charges::default(),
            payments: 0,
            began: (0, 0),
        };
        day.agent = day.grant(true);
        day.bearer = day.grant(false);
        let now = day.now();
        day.began = (now.run, now.wall);
        day
    }

    /// What the signer's clocks say, from the newest event on and the machine.
    fn now(&mut self) -> Moment {
        let reading = self.world.machine.borrow().reading;
        let signer = self.world.signer.as_ref().expect("it runs");
        let clocks = signer.clock.clone().expect("a clock").observe(reading);
        Moment {
            wall: clocks.wall.millis(),
            run: clocks.run.millis(),
            budget: clocks.budget.millis(),
            steady: clocks.wall.millis(),
        }
    }

    fn pass(&mut self, passing: Passing) {
        self.world.pass(passing);
    }

    /// Runs on until so many hours and minutes of the day's own running time.
    fn until(&mut self, hours: u64, minutes: u64) {
        let now = self.now().run - self.began.0;
        let goal = hours * HOUR + minutes * MINUTE;
        assert!(goal >= now, "{hours}:{minutes:02} has passed");
        self.pass(Passing::Running(goal - now));
    }

    fn grant(&mut self, bound: bool) -> Session {
        let credential = if bound { key_bound() } else { bearer(77) };
        let most = if bound { 500 } else { 10 };
        let limit = SessionLimit {
            asset: EVM.native_asset(),
            per_transaction: Amount::from_base_units(most * UNIT),
            total: Amount::from_base_units(4000 * UNIT),
        };
        let wall = self.now().wall;
        let grant = SessionGrant {
            wallets: vec![self.world.known.evm],
            limits: vec![limit],
            count: 500,
            expires: WallTime::from_millis(wall + 40 * 24 * HOUR),
            credential,
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        };
        self.world.grant_session(grant).expect("a session")
    }

    /// The owner adopts a document, without the password; the second account says when it matures.
    fn adopt(&mut self, document: PolicyDocument) {
        let now = self.now().run;
        let bound = binding(&self.adopted, now).iter();
        let longest = bound.map(|one| one.document.maturity.millis()).max();
        self.world.adopt(&document, None).expect("adopted");
        let entries = self.world.history.entries.iter().rev();
        let mut adopted = entries.filter_map(|entry| match entry.event.body {
            EventBody::PolicyAdopted { matures, .. } => Some(matures.millis()),
            _ => None,
        });
        let matures = adopted.next();
        assert_eq!(matures, longest.map(|longest| now + longest));
        self.adopted.push(Adopted {
            document: document.into(),
            matures,
            signers: Vec::new(),
        });
    }

    /// A payment of so many thousandths of a unit, fee beside it.
    fn asks(&mut self, session: Session, to: u8, thousandths: u128) -> Came {
        self.payments += 1;
        let key = format!("day-{}", self.payments);
        let amount = thousandths * (UNIT / 1000) - FEE;
        let request = self.world.request(session, &key, EVM, to, amount);
        let payer = (self.world.known.evm, session.id, session == self.bearer);
        let judged = Asking::coins(payer, account(EVM, to), amount, FEE);
        let now = self.now();
        let said = judge_all(
            binding(&self.adopted, now.run),
            &judged,
            &self.charges,
            None,
            now,
        );
        assert_eq!(said.tier.0, said.tier.1, "no bucket of the day is in doubt");
        assert!(said.may.is_empty(), "{:?}", said.may);
        let body = body_digest(&request.body);
        let came = match self.world.one(Asked::Sign(Box::new(request))) {
            Answer::Signed(signed) => Came::Signed(signed.tier),
            Answer::Waiting(transaction) => Came::Waits(transaction),
            answer => {
                let mut codes = answer.codes();
                codes.sort();
                Came::Refused(codes)
            }
        };
        match &came {
            Came::Signed(tier) => {
                assert!(said.must.is_empty(), "{:?}", said.must);
                assert_eq!((*tier, *tier), said.tier);
                self.charged(&judged, now.budget);
            }
            Came::Waits(_) => {
                assert!(said.must.is_empty(), "{:?}", said.must);
                assert!(said.tier.0 > Tier::Notify);
            }
            Came::Refused(codes) => {
                let asked = &self.world.history.asked[&body];
                let expected: Vec<Code> = said.must.iter().copied().collect();
                assert_eq!(*codes, expected, "{asked:?}");
            }
        }
        came
    }

    fn charged(&mut self, judged: &Asking, at: u64) {
        self.charges.add(Charge::made_now(judged, at));
    }

    fn pays(&mut self, thousandths: u128, tier: Tier) {
        let agent = self.agent;
        assert_eq!(self.asks(agent, 0, thousandths), Came::Signed(tier));
    }

    fn waits(&mut self, to: u8, thousandths: u128) -> TransactionId {
        let agent = self.agent;
        match self.asks(agent, to, thousandths) {
            Came::Waits(transaction) => transaction,
            other => panic!("it does not wait: {other:?}"),
        }
    }

    fn refused(&mut self, thousandths: u128, codes: &[Code]) {
        let agent = self.agent;
        let expected = Came::Refused(codes.to_vec());
        assert_eq!(self.asks(agent, 0, thousandths), expected);
    }

    /// Fresh bytes for a payment that waits.
    fn release(&mut self, transaction: TransactionId, to: u8, thousandths: u128) -> Answer {
        let amount = thousandths * (UNIT / 1000) - FEE;
        let from = self.world.known.evm_address;
        let bytes = unsigned(EVM, &from, &recipient(EVM, to), amount, 3).0;
        let at = self.now().budget;
        let answer = self.world.one(Asked::Release(transaction, bytes));
        if let Answer::Signed(signed) = &answer {
            assert!(!signed.replay);
            let payer = (self.world.known.evm, self.agent.id, false);
            let judged = Asking::coins(payer, account(EVM, to), amount, FEE);
            self.charged(&judged, at);
        }
        answer
    }

    fn approve(&mut self, transaction: TransactionId) -> Result<u64, Box<Answer>> {
        self.world
            .say(StatementFacts::ApprovePayment { transaction }, None)
    }

    fn restart(&mut self, off: u64) {
        self.world.crash();
        self.world.machine.borrow_mut().gone(off, true);
        self.world.open().expect("it starts");
        let answer = self.world.one(Asked::Unlock(true, false));
        assert!(matches!(answer, Answer::Done), "{answer:?}");
    }

    /// What was spent by the clock that budgets go by, a day back, in thousandths of a unit.
    fn spent_today(&mut self) -> u128 {
        let now = self.now().budget;
        let asset = EVM.native_asset();
        let sum = self
            .charges
            .sum(1, now, None, &|_| true, &|one| one.of(asset));
        assert_eq!(sum.least, sum.most);
        sum.least / (UNIT / 1000)
    }
}

fn refused(answer: &Answer, code: Code) {
    assert_eq!(answer.codes(), [code], "{answer:?}");
}

fn ends_of(day: &Day, transaction: TransactionId) -> Vec<IntentEnd> {
    let entries = day.world.history.entries.iter();
    let ends = entries.filter_map(|entry| match &entry.event.body {
        EventBody::IntentsEnded {
            transactions,
            cause,
        } if transactions.contains(&transaction) => Some(cause.clone()),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_day_of_the_starter_policy() {
    let mut day = Day::begin();

    // 00:00. A first payment to anybody asks, however small it is.
    let first = day.waits(0, 500);
    refused(&day.release(first, 0, 500), Code::IntentNotApproved);
    day.approve(first).expect("approved");
    assert_eq!(day.release(first, 0, 500).signed().tier, Tier::Approval);

    // 01:00 to 05:00. Small ones at once, larger ones told.
    day.until(1, 0);
    for _ in 0..8 {
        day.pays(900, Tier::Instant);
        day.pass(Passing::Running(20 * MINUTE));
    }
    day.pays(1_000, Tier::Instant);
    day.pays(1_001, Tier::Notify);
    day.pays(10_000, Tier::Notify);
    assert_eq!(day.spent_today(), 500 + 8 * 900 + 1_000 + 1_001 + 10_000);

    // 05:00. Above 10 it waits 15 minutes; the machine restarts meanwhile, and the hour that it was off
    // shortens nothing.
    day.until(5, 0);
    let delayed = day.waits(0, 10_001);
    day.pass(Passing::Running(10 * MINUTE));
    refused(&day.release(delayed, 0, 10_001), Code::IntentNotReady);
    day.restart(HOUR);
    refused(&day.release(delayed, 0, 10_001), Code::IntentNotReady);
    // The signer heard of the clock last when it refused: 10 minutes in.
    let left = 15 * MINUTE - lived_since(&mut day, delayed);
    day.pass(Passing::Running(left - 1));
    refused(&day.release(delayed, 0, 10_001), Code::IntentNotReady);
    day.pass(Passing::Running(1));
    assert_eq!(day.release(delayed, 0, 10_001).signed().tier, Tier::Delay);

    // What a bearer token can spend is less, and a stranger asks.
    let bearer = day.bearer;
    let codes = vec![Code::SessionPerTransaction, Code::PerTransactionLimit];
    assert_eq!(day.asks_refused(bearer, 0, 10_001), codes);
    assert_eq!(day.asks(bearer, 0, 9_000), Came::Signed(Tier::Notify));

    // 07:00. 38.702 are spent; the sum of a day above 50 asks the owner, whatever the payment's size.
    day.until(7, 0);
    assert_eq!(day.spent_today(), 38_702);
    day.pays(9_000, Tier::Notify);
    let over = day.waits(0, 5_000);

    // The owner sleeps for twelve hours: the approval comes too late, and no second one is given.
    day.until(7 + 12, 1);
    let late = day.approve(over).expect_err("it has expired");
    assert!(
        late.codes() == [Code::IntentExpired] || late.codes() == [Code::IntentUnknown],
        "{late:?}"
    );
    assert_eq!(ends_of(&day, over), [IntentEnd::Expired]);

    // 19:05. The owner tightens: it holds at once. He takes it back over the gateway's way: that waits.
    day.until(19, 5);
    let starter = day.adopted.last().expect("one").document.as_ref().clone();
    let mut strict = starter.clone();
    strict.epoch += 1;
    for rule in &mut strict.assets {
        rule.per_transaction = rule.per_transaction.min(Amount::from_base_units(2 * UNIT));
        rule.approve_up_to = rule.approve_up_to.min(rule.per_transaction);
        rule.delay_up_to = rule.delay_up_to.min(rule.per_transaction);
        rule.notify_up_to = rule.notify_up_to.min(rule.per_transaction);
    }
    day.adopt(strict.clone());
    let mut loose = starter.clone();
    loose.epoch = strict.epoch + 1;
    day.adopt(loose);
    let matures = day
        .adopted
        .last()
        .and_then(|one| one.matures)
        .expect("it will");
    day.refused(2_001, &[Code::PerTransactionLimit, Code::TierNotAvailable]);
    day.pays(1_500, Tier::Notify);

    // The lid closes for three hours: budgets and expiries see them, maturity does not.
    let before = day.now();
    day.pass(Passing::Suspended(3 * HOUR));
    let after = day.now();
    assert_eq!(after.run, before.run);
    assert_eq!(after.budget, before.budget + 3 * HOUR);

    // Somebody sets the clock eleven minutes ahead: nothing is signed until the owner states the time.
    day.pass(Passing::Stepped(i64::try_from(11 * MINUTE).expect("small")));
    let agent = day.agent;
    let stepped = day.world.request(agent, "stepped", EVM, 0, 1000);
    refused(
        &day.world.one(Asked::Sign(Box::new(stepped))),
        Code::ClockClosed,
    );
    day.restart(MINUTE);
    let closed = day.world.request(agent, "closed", EVM, 0, 1000);
    refused(
        &day.world.one(Asked::Sign(Box::new(closed))),
        Code::ClockClosed,
    );
    let wall = WallTime::from_millis(day.now().wall);
    day.world
        .say(StatementFacts::StateTime { wall }, None)
        .expect("stated");
    let open = day.waits(0, 900);

    // 21:00. The kill switch: the waiting payment is gone, and so is the session until the owner's
    // release names it; then everything is paused until he resumes.
    day.until(21, 0);
    let killed = day
        .world
        .one(Asked::Kill(waiaas_shared::event::Origin::Gateway));
    assert!(matches!(killed, Answer::Sequence(_)), "{killed:?}");
    assert_eq!(ends_of(&day, open), [IntentEnd::Killed]);
    let request = day.world.request(agent, "killed", EVM, 0, 1000);
    refused(&day.world.one(Asked::Sign(Box::new(request))), Code::Locked);
    let answer = day.world.one(Asked::Unlock(true, false));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
    let epoch = day.world.status().kill_epoch;
    let release = StatementFacts::ReleaseKill {
        epoch,
        sessions: vec![agent.id],
    };
    day.world.say(release, Some(true)).expect("released");
    let request = day.world.request(agent, "frozen", EVM, 0, 1000);
    refused(&day.world.one(Asked::Sign(Box::new(request))), Code::Frozen);
    day.world
        .say(StatementFacts::ReleasePause { wallet: None }, None)
        .expect("resumed");
    let bearers = day.world.request(bearer, "bearer", EVM, 0, 1000);
    refused(
        &day.world.one(Asked::Sign(Box::new(bearers))),
        Code::SessionRevoked,
    );

    // 24:00 and beyond. A unit of time before the loosening has matured the strict one still binds.
    let now = day.now().run;
    day.pass(Passing::Running(matures - now - 1));
    day.refused(2_001, &[Code::PerTransactionLimit, Code::TierNotAvailable]);
    day.pass(Passing::Running(1));
    // The day before has left the window: 2.001 are told, no more.
    day.pays(2_001, Tier::Notify);
    assert!(day.now().run - day.began.0 >= 24 * HOUR, "less than a day");

    day.world.verify_log();
    if let Err(broken) = check(&day.world.history) {
        panic!("{broken:?}");
    }
}

/// How much of its delay a waiting payment has lived through.
fn lived_since(day: &mut Day, transaction: TransactionId) -> u64 {
    let now = day.now().run;
    let entries = day.world.history.entries.iter();
    let mut opened = entries.filter_map(|entry| match &entry.event.body {
        EventBody::IntentOpened(intent) if intent.transaction == transaction => {
            Some(entry.event.clocks.run.millis())
        }
        _ => None,
    });
    now - opened.next().expect("it waits")
}

impl Day {
    /// The codes of a refusal by documents and session together.
    fn asks_refused(&mut self, session: Session, to: u8, thousandths: u128) -> Vec<Code> {
        self.payments += 1;
        let key = format!("day-{}", self.payments);
        let amount = thousandths * (UNIT / 1000) - FEE;
        let request = self.world.request(session, &key, EVM, to, amount);
        let mut codes = self.world.one(Asked::Sign(Box::new(request))).codes();
        codes.sort();
        codes.dedup();
        codes
    }
}
