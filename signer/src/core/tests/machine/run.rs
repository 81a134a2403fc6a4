//! A run in progress: the core, driven as the authority drives it, beside the book. Each command is
//! foreseen by the book, carried out by the core, and compared.

use std::collections::{BTreeMap, BTreeSet};

use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Digest, Domain, hash};
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::{OwnerId, SignerId, StatementId, TransactionId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::policy::alarm::{Subject, Trigger};
use waiaas_shared::statement::verify::OwnerSignature;
use waiaas_shared::time::{Millis, WallTime};

use super::authorized::AskedFor;
use super::book::Book;
use super::documents::Names;
use super::expect::Expect;
use super::payments::Request;
use super::step::Step;
use super::time::Passing;
use super::wanted::Wanted;
use crate::core::apply::apply;
use crate::core::clock::ClockKeeper;
use crate::core::command::{
    Command, Context, Outcome, Prior, PriorAuthorization, SpendRequest, UnlockFacts, Used,
};
use crate::core::state::State;
use crate::core::step;
use crate::model::policy::Moment;

pub(super) type Checked<T = ()> = Result<T, String>;
/// What came of a command: its outcome, or the codes of its refusal.
type Came = Result<Outcome, BTreeSet<Code>>;

pub(super) const SIGNER: SignerId = SignerId::from_bytes([5; 16]);

/// A request that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) wanted: Wanted,
    pub(super) request: Request,
    pub(super) proposed: SpendRequest,
}

/// A statement that was signed.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) statement: StatementId,
    pub(super) text: String,
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) state: State,
    keeper: ClockKeeper,
    pub(super) book: Book,
    pub(super) names: Names,
    /// What the ledger's index knows.
    index: BTreeMap<Digest, Used>,
    payments: BTreeMap<TransactionId, Prior>,
    pub(super) names_of_payments: Vec<TransactionId>,
    pub(super) events: Vec<Event>,
    entropy: u64,
    pub(super) sent: Vec<Sent>,
    pub(super) authorizations: Vec<AskedFor>,
    pub(super) held: Vec<Held>,
    /// What was asked to take the place of payments.
    pub(super) asked: Vec<super::variants::Asked>,
    /// Several commands go into one commit.
    batch: bool,
    /// Alarms that went off with the last command.
    pub(super) raised: Vec<(Trigger, Subject, u64)>,
    /// Codes of the last refusal.
    pub(super) refusal: BTreeSet<Code>,
    /// How often what happened.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Run {
    pub(super) fn new(book: Book) -> Checked<Self> {
        let mut run = Self {
            state: State::default(),
            keeper: ClockKeeper::start(crate::core::clock::zero(), book.time.reading),
            book,
            names: Names {
                wallets: Vec::new(),
                sessions: Vec::new(),
                addresses: Vec::new(),
            },
            index: BTreeMap::new(),
            payments: BTreeMap::new(),
            names_of_payments: Vec::new(),
            events: Vec::new(),
            entropy: 0,
            sent: Vec::new(),
            authorizations: Vec::new(),
            held: Vec::new(),
            asked: Vec::new(),
            batch: false,
            raised: Vec::new(),
            refusal: BTreeSet::new(),
            counts: BTreeMap::new(),
        };
        run.accepted(&Command::Create { signer: SIGNER })?;
        Ok(run)
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Carries out a step and compares everything.
    pub(super) fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Pay(pay) => self.pay(pay)?,
            Step::Again { which, how } => self.again(*which, *how)?,
            Step::Authorize { pay, holds } => self.authorize(pay, *holds)?,
            Step::AuthorizeAgain { which, how } => self.authorize_again(*which, *how)?,
            Step::Resend { which } => self.resend(*which)?,
            Step::Release {
                which,
                price,
                spoilt,
            } => self.release(*which, *price, *spoilt)?,
            Step::Vary {
                which,
                more,
                cancels,
                spoilt,
            } => self.vary(*which, *more, *cancels, *spoilt)?,
            Step::VaryAgain { which } => self.vary_again(*which)?,
            Step::Cancel { which, admin } => self.cancel(*which, *admin)?,
            Step::EndExpired => self.end_expired()?,
            Step::Say(say) => self.say(say)?,
            Step::HandIn { which, door } => self.hand_in(*which, *door)?,
            Step::Kill { admin } => self.kill(*admin)?,
            Step::Pause { wallet, admin } => self.pause(*wallet, *admin)?,
            Step::Revoke { session } => self.revoke(*session)?,
            Step::Suspend { owner } => self.suspend_by_password(*owner)?,
            Step::Renew { session, spoilt } => self.renew(*session, *spoilt)?,
            Step::StopAgent { which, ends, admin } => self.stop_agent(*which, *ends, *admin)?,
            Step::Pass(passing) => self.book.time.pass(*passing),
            Step::PassTo { which, beside } => self.pass_to(*which, *beside),
            Step::Restart {
                off,
                stepped,
                vouch,
                journal_lost,
            } => self.restart(*off, *stepped, *vouch, *journal_lost)?,
            Step::Lock => self.lock()?,
            Step::Watch => self.look_around()?,
            Step::Batch(batch) => self.batch = *batch,
        }
        if !self.batch {
            self.state.committed();
        }
        self.book.agents_end();
        self.agrees()
    }

    fn pass_to(&mut self, which: usize, beside: i64) {
        let moments = self.book.moments();
        if let Some(moment) = moments.get(which % moments.len().max(1)) {
            let now = self.book.now().run;
            let millis = moment.saturating_add_signed(beside).saturating_sub(now);
            self.book.time.pass(Passing::Running(millis));
        }
    }

    fn context(&mut self) -> Context {
        self.entropy += 1;
        let clocks = self.keeper.observe(self.book.time.reading);
        self.book.time.look();
        Context {
            clocks,
            steady: self.keeper.steady(),
            entropy: *hash(Domain::Journal, &[&self.entropy.to_be_bytes()]).as_bytes(),
        }
    }

    /// The clocks as the signer will see them at the next command: what expectations are made of.
    pub(super) fn look(&mut self) -> Checked {
        self.observe()?;
        self.book.changes_due();
        self.listen();
        Ok(())
    }

    /// The same before a kill, which voids changes of owners whose time has come.
    pub(super) fn look_before_changes(&mut self) -> Checked {
        self.observe()?;
        self.listen();
        Ok(())
    }

    fn listen(&mut self) {
        if self.book.silence() {
            self.count("silent");
        }
    }

    /// Without what time alone brings.
    fn observe(&mut self) -> Checked {
        let clocks = self.keeper.observe(self.book.time.reading);
        self.book.time.look();
        let now = self.book.now();
        let seen = Moment {
            wall: clocks.wall.millis(),
            run: clocks.run.millis(),
            budget: clocks.budget.millis(),
            steady: self.keeper.steady().millis(),
        };
        if seen != now || self.keeper.stepped() != self.book.time.strange {
            return Err(format!("the clocks say {seen:?}, not {now:?}"));
        }
        self.book.closed |= self.book.time.strange && self.state.created();
        Ok(())
    }

    /// One command; the events it left, but for those that close the clock or come by themselves.
    pub(super) fn command(&mut self, command: &Command) -> Checked<(Vec<EventBody>, Came)> {
        let context = self.context();
        if self.keeper.stepped() && !self.state.clock_closed() && self.state.created() {
            let seen = self.keeper.seen();
            let (events, _) = step(&mut self.state, &Command::ClockStepped { seen }, &context);
            self.took(events)?;
        }
        let (events, outcome) = step(&mut self.state, command, &context);
        let raised = events.iter().filter_map(|event| match &event.body {
            EventBody::AlarmRaised {
                trigger,
                subject,
                mark,
                ..
            } => Some((trigger.clone(), *subject, *mark)),
            _ => None,
        });
        self.raised = raised.collect();
        // A change of owners that was due comes with what it ends.
        let mut by_change = false;
        let own: Vec<EventBody> = events
            .iter()
            .filter(|event| {
                let ends = matches!(&event.body, EventBody::IntentsEnded { cause, .. }
                    if !matches!(cause, IntentEnd::Cancelled { .. }));
                by_change = match event.body {
                    EventBody::OwnerChangeEffective { .. } => true,
                    _ => by_change && ends,
                };
                let by_itself = matches!(
                    event.body,
                    EventBody::OwnerChangeEffective { .. }
                        | EventBody::OwnerChangeVoided { .. }
                        | EventBody::AgentTerminated { .. }
                        | EventBody::AlarmRaised { .. }
                        | EventBody::DenialNoted { .. }
                        | EventBody::SessionSuspended { .. }
                        | EventBody::Paused {
                            origin: Origin::Signer,
                            ..
                        }
                );
                !(by_itself || by_change && ends)
            })
            .map(|event| event.body.clone())
            .collect();
        self.took(events)?;
        let outcome = outcome.map_err(|denial| {
            let codes: BTreeSet<Code> = denial.violations().iter().map(|one| one.code).collect();
            codes
        });
        Ok((own, outcome))
    }

    /// A command that nothing may refuse.
    pub(super) fn accepted(&mut self, command: &Command) -> Checked<(Vec<EventBody>, Outcome)> {
        let (events, outcome) = self.command(command)?;
        match outcome {
            Ok(outcome) => Ok((events, outcome)),
            Err(codes) => Err(format!("refused: {codes:?}")),
        }
    }

    /// A command as it was foreseen; nothing if it was refused, as it had to be.
    pub(super) fn foreseen(
        &mut self,
        command: &Command,
        expect: &Expect,
    ) -> Checked<(Vec<EventBody>, Option<Outcome>)> {
        let (events, outcome) = self.command(command)?;
        expect.judge(outcome.as_ref().err())?;
        match outcome {
            Ok(outcome) => Ok((events, Some(outcome))),
            Err(codes) => {
                for code in &codes {
                    self.count(code.as_str());
                }
                self.refusal = codes;
                Ok((events, None))
            }
        }
    }

    /// Events as the authority stages them.
    fn took(&mut self, events: Vec<Event>) -> Checked {
        for event in events {
            let now = self.book.now();
            let clocks = Moment {
                wall: event.clocks.wall.millis(),
                run: event.clocks.run.millis(),
                budget: event.clocks.budget.millis(),
                // No event has it.
                steady: now.steady,
            };
            if clocks != now {
                return Err(format!("an event at {clocks:?}, not {now:?}"));
            }
            self.book.last = clocks;
            let sequence = self.events.len() as u64 + 1;
            match &event.body {
                EventBody::SpendCommitted(spend)
                | EventBody::Withdrawn { spend, .. }
                | EventBody::SpendReplaced { spend, .. } => {
                    self.state.place(&spend.idempotency, sequence);
                    let variant = match &event.body {
                        EventBody::SpendReplaced { variant, .. } => Some(variant.clone()),
                        _ => None,
                    };
                    let prior = Prior {
                        sequence,
                        charged_at: event.clocks.budget,
                        spend: spend.clone(),
                        variant,
                    };
                    let used = Used::Paid(Box::new(prior.clone()));
                    self.index.insert(spend.idempotency, used);
                    self.payments.insert(spend.transaction, prior);
                }
                EventBody::TransferAuthorized {
                    spend,
                    authorization,
                } => {
                    self.state.place(&spend.idempotency, sequence);
                    let prior = PriorAuthorization {
                        sequence,
                        charged_at: event.clocks.budget,
                        spend: spend.clone(),
                        authorization: authorization.clone(),
                    };
                    let used = Used::Authorized(Box::new(prior));
                    self.index.insert(spend.idempotency, used);
                }
                EventBody::IntentOpened(intent) => {
                    let used = Used::Waited(Box::new(intent.clone()));
                    self.index.insert(intent.idempotency, used);
                }
                EventBody::TimeStated { wall, .. } => {
                    self.keeper.state_time(*wall);
                    self.book.time.stated(wall.millis());
                }
                _ => {}
            }
            self.events.push(event);
        }
        Ok(())
    }

    /// What the ledger's index answers: nothing of a batch that is not committed.
    pub(super) fn used(&self, idempotency: &Digest) -> Option<Used> {
        if self.state.uncommitted(idempotency).is_some() {
            return None;
        }
        self.index.get(idempotency).cloned()
    }

    pub(super) fn prior(&self, transaction: TransactionId) -> Option<Box<Prior>> {
        self.payments.get(&transaction).cloned().map(Box::new)
    }

    pub(super) fn sequence(&self) -> u64 {
        self.events.len() as u64
    }

    fn restart(&mut self, off: u64, stepped: i64, vouch: bool, journal_lost: bool) -> Checked {
        self.state.committed();
        self.batch = false;
        // The process goes on with what a snapshot says: the same state.
        let read: State = from_canonical(&to_canonical(&self.state))
            .map_err(|error| format!("the snapshot: {error}"))?;
        if read != self.state {
            return Err("the snapshot is another state".to_owned());
        }
        self.state = read;
        self.book.time.pass(Passing::Stepped(stepped));
        let last = self.book.last;
        self.book.time.restart(last, off);
        self.keeper = ClockKeeper::start(self.state.clocks(), self.book.time.reading);
        // Unlocking: the password is right, and the owner vouches for the time off or does not.
        let off = if vouch {
            let off = self.book.time.vouch();
            if off != self.keeper.time_off().millis() {
                return Err(format!("time off {:?}, not {off}", self.keeper.time_off()));
            }
            self.keeper.vouch(Millis::from_millis(off));
            off
        } else {
            0
        };
        self.observe()?;
        let facts = UnlockFacts {
            journal: self.state.journal(),
            vouched: Millis::from_millis(off),
            failures: 0,
            journal_lost,
            missed: None,
        };
        // An unlock is a word of its owner: it comes before any silence.
        self.accepted(&Command::Unlocked(facts))?;
        self.book.watch.heard = self.book.now().run;
        if journal_lost {
            self.book.paused(None);
        }
        self.count("restarted");
        Ok(())
    }

    fn lock(&mut self) -> Checked {
        self.look()?;
        self.accepted(&Command::Lock(waiaas_shared::event::Origin::Admin))?;
        Ok(())
    }

    /// The log alone gives the same state, event by event from its bytes.
    pub(super) fn folds(&self) -> Checked {
        let mut folded = State::default();
        for event in &self.events {
            let read: Event = from_canonical(&to_canonical(event)).map_err(|it| it.to_string())?;
            apply(&mut folded, &read);
        }
        folded.committed();
        let mut state = self.state.clone();
        state.committed();
        if folded == state {
            Ok(())
        } else {
            Err("the log alone gives another state".to_owned())
        }
    }

    pub(super) fn wall(&self) -> WallTime {
        WallTime::from_millis(self.book.now().wall)
    }

    pub(super) fn signatures(
        by: &[OwnerId],
        texts: &[(usize, &str)],
        flipped: bool,
    ) -> Vec<OwnerSignature> {
        let pairs = by.iter().zip(texts);
        let mut signatures: Vec<_> = pairs
            .map(|(owner, (hand, text))| OwnerSignature {
                owner: *owner,
                envelope: waiaas_shared::statement::verify::Envelope::Ed25519Plain,
                signature: super::hands::sign(super::hands::hand(*hand), text),
            })
            .collect();
        if let Some(last) = signatures.last_mut().filter(|_| flipped) {
            last.signature[9] ^= 4;
        }
        signatures
    }
}
