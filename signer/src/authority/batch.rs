//! One batch: decide each ask in turn, seal the chain, sign its head, make it durable, then sign and
//! answer. The order is invariant 4: charge, make durable, sign, verify, release.

use std::time::Duration;

use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::log::{Head, SignedHead, link};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Clocks;

use super::answers::send;
use super::ask::{Ask, Drafted, Renewed, Reply, refused};
use super::password::Purpose;
use super::pending::Pending;
use super::system::System;
use super::{Authority, Fatal, Vault};
use crate::core::clock::ClockKeeper;
use crate::core::command::{
    Command, Context, Outcome, Release, Submission, VariantRequest, Withdrawal,
};
use crate::core::step;
use crate::ledger::{Batch, Ledger, LedgerError, SpendIndex, StoredEvent};

impl<L: Ledger, S: System> Authority<L, S> {
    /// Decides asks in turn and commits them together.
    pub(super) fn commands(&mut self, asks: Vec<Ask>) -> Result<(), Fatal> {
        let mut pending = Pending::default();
        for ask in asks {
            self.command(ask, &mut pending)?;
            if pending.wipe {
                // Nothing is decided on keys that are about to go.
                self.commit(std::mem::take(&mut pending))?;
            }
        }
        self.commit(pending)
    }

    /// Writes due counts of refusals.
    pub(super) fn count_denials(&mut self) -> Result<(), Fatal> {
        if self.denials_wait() != Some(Duration::ZERO) {
            return Ok(());
        }
        let mut pending = Pending::default();
        let counted = self.denials.take();
        let _nothing_to_answer = self.decide(&mut pending, &Command::CountDenials(counted));
        self.commit(pending)
    }

    /// Ends what waited too long.
    pub(super) fn end_expired(&mut self) -> Result<(), Fatal> {
        let over = self.unlocked()
            && self.state.has_intents()
            && self
                .observe()
                .is_some_and(|now| self.state.has_expired_intents(now));
        if !over {
            return Ok(());
        }
        let mut pending = Pending::default();
        let _nothing_to_answer = self.decide(&mut pending, &Command::EndExpired);
        self.commit(pending)
    }

    /// Lets what time alone brings go off: the dead-man pause, wallets that are idle for too long, and a
    /// step of the clock, which must be in the log before a restart could forget it.
    pub(super) fn watch(&mut self) -> Result<(), Fatal> {
        let Some(now) = self.unlocked().then(|| self.observe()).flatten() else {
            return Ok(());
        };
        let strayed = self.clock.as_ref().is_some_and(ClockKeeper::stepped);
        let steps = strayed && !self.state.clock_closed();
        if !steps && !self.state.has_alarms(now) {
            return Ok(());
        }
        let mut pending = Pending::default();
        let _nothing_to_answer = self.decide(&mut pending, &Command::Watch);
        self.commit(pending)
    }

    fn command(&mut self, ask: Ask, pending: &mut Pending<L, S>) -> Result<(), Fatal> {
        match ask {
            Ask::Initialize(password, reply) => self.begin_initialize(password, reply),
            Ask::Unlock(password, wish, reply) => self.begin_unlock(password, wish, reply),
            Ask::Audit(reply) => self.begin_audit(reply),
            Ask::Derived(derived) => return self.derived(*derived, pending),
            other if !self.unlocked() => return self.while_locked(other),
            Ask::Sign(mut request, reply) => {
                request.used = self.used_by(request.session, &request.idempotency_key)?;
                request.replaced = self.replaced_by(&request)?;
                let session = request.session;
                let before = pending.events.len();
                let outcome = self.decide(pending, &Command::Spend(*request));
                self.pay_later(pending, session, (before, outcome), reply);
            }
            Ask::Release(transaction, unsigned, reply) => {
                let prior = self.payment(transaction)?;
                let command = Command::Release(Release {
                    transaction,
                    unsigned,
                    prior,
                });
                let outcome = self.decide(pending, &command);
                self.sign_later(pending, None, outcome, send(reply));
            }
            Ask::Vary(transaction, change, reply) => {
                let command = Command::Vary(VariantRequest {
                    transaction,
                    change,
                    prior: self.payment(transaction)?,
                    used: self.varied(transaction)?,
                });
                let outcome = self.decide(pending, &command);
                self.sign_later(pending, None, outcome, send(reply));
            }
            Ask::SignedTransaction(transaction, origin, reply) => {
                let outcome = match self.payment(transaction)? {
                    Some(prior) => self.decide(pending, &Command::Resend(prior, origin)),
                    None => refused(Code::TransactionUnknown),
                };
                self.sign_later(pending, None, outcome, send(reply));
            }
            Ask::Withdraw(statement, signatures, unsigned, reply) => {
                let command = Command::Withdraw(Withdrawal {
                    statement,
                    signatures,
                    unsigned,
                });
                let outcome = self.decide(pending, &command);
                self.sign_later(pending, None, outcome, send(reply));
            }
            Ask::Draft(facts, origin, reply) => {
                let command = match facts {
                    StatementFacts::Credit { transaction, .. } => Command::DraftCredit {
                        entry: self.payment(transaction)?,
                        facts,
                        origin,
                    },
                    facts => Command::Draft { facts, origin },
                };
                let outcome = self.decide(pending, &command);
                self.later(pending, reply, outcome, |outcome| match outcome {
                    Outcome::Drafted { statement, text } => Some(Drafted {
                        statement,
                        text: text.as_str().to_owned(),
                    }),
                    _ => None,
                });
            }
            Ask::Submit(statement, signatures, origin, None, reply) => {
                let submission = Submission {
                    statement,
                    signatures,
                    origin,
                    with_password: false,
                };
                self.submit(pending, submission, reply)?;
            }
            Ask::Submit(statement, signatures, _, Some(password), reply) => {
                self.begin_password(password, Purpose::Submit(statement, signatures, reply));
            }
            Ask::Enrol(password, statement, envelope, signature, reply) => {
                self.begin_password(
                    password,
                    Purpose::Enrol(statement, envelope, signature, reply),
                );
            }
            Ask::Register(password, signatures, rehearsal, reply) => {
                self.begin_password(password, Purpose::Register(signatures, rehearsal, reply));
            }
            Ask::Recover(password, phrase, recovery, reply) => {
                self.begin_password(password, Purpose::Recover(phrase, recovery, reply));
            }
            Ask::SuspendOwner(password, owner, reply) => {
                self.begin_password(password, Purpose::SuspendOwner(owner, reply));
            }
            Ask::CreateWallet(password, family, networks, first_nonce, reply) => {
                self.begin_password(
                    password,
                    Purpose::CreateWallet(family, networks, first_nonce, reply),
                );
            }
            Ask::Lock(origin, reply) => {
                let outcome = self.decide(pending, &Command::Lock(origin));
                pending.wipe |= outcome.is_ok();
                pending.stops = true;
                self.later(pending, reply, outcome, |_| Some(()));
            }
            Ask::Kill(origin, reply) => {
                let outcome = self.decide(pending, &Command::Kill(origin));
                pending.wipe |= matches!(outcome, Ok(Outcome::WipeKeys));
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            Ask::Pause(wallet, origin, reply) => {
                let outcome = self.decide(pending, &Command::Pause { wallet, origin });
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            Ask::CancelIntent(transaction, origin, reply) => {
                let command = Command::CancelIntent {
                    transaction,
                    origin,
                };
                let outcome = self.decide(pending, &command);
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            Ask::StopAgent(agent, stop, origin, reply) => {
                let command = Command::StopAgent {
                    agent,
                    stop,
                    origin,
                };
                let outcome = self.decide(pending, &command);
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            Ask::Renew(request, reply) => {
                let outcome = self.decide(pending, &Command::Renew(*request));
                let sequence = self.head.map_or(0, |head| head.sequence);
                self.later(pending, reply, outcome, move |outcome| match outcome {
                    Outcome::Renewed(ends) => Some(Renewed { sequence, ends }),
                    _ => None,
                });
            }
            Ask::SignIn(request, reply) => self.sign_in(pending, *request, reply)?,
            Ask::AuthorizeTransfer(request, reply) => {
                self.authorize_transfer(pending, *request, reply)?;
            }
            Ask::Revoke(session, origin, reply) => {
                let outcome = self.decide(pending, &Command::RevokeSession { session, origin });
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            other => self.answer(other),
        }
        Ok(())
    }

    /// The clocks now, and the event that closes signing if the wall clock strayed.
    pub(super) fn observe(&mut self) -> Option<Clocks> {
        let reading = self.system.clocks()?;
        self.clock.as_mut().map(|clock| clock.observe(reading))
    }

    /// One decision: events are staged, the outcome waits for their commit.
    pub(super) fn decide(
        &mut self,
        pending: &mut Pending<L, S>,
        command: &Command,
    ) -> Result<Outcome, Denial> {
        let context = self.context(command.stops())?;
        self.decide_in(pending, command, &context)
    }

    /// Clocks and entropy of a decision. What only stops needs neither to be sound: no broken clock or
    /// random source keeps a kill, a pause or a lock out. Its event then carries the last known clocks
    /// and makes no identifier.
    pub(super) fn context(&mut self, stops: bool) -> Result<Context, Denial> {
        let observed = self.observe();
        let known = self.clock.as_ref().map(ClockKeeper::clocks);
        let clocks = observed.or_else(|| known.filter(|_| stops));
        let entropy = match self.system.entropy() {
            Ok(entropy) => entropy,
            Err(_) if stops => [0; 32],
            Err(_) => return refused(Code::EntropyFailed),
        };
        let clocks = clocks.ok_or(Code::ClockClosed)?;
        Ok(Context {
            clocks,
            steady: self.steady(clocks),
            entropy,
        })
    }

    pub(super) fn decide_in(
        &mut self,
        pending: &mut Pending<L, S>,
        command: &Command,
        context: &Context,
    ) -> Result<Outcome, Denial> {
        let strayed = self
            .clock
            .as_ref()
            .filter(|clock| clock.stepped())
            .map(|clock| clock.seen());
        if let Some(seen) = strayed.filter(|_| !self.state.clock_closed()) {
            let (events, _) = step(&mut self.state, &Command::ClockStepped { seen }, context);
            self.stage(pending, events);
        }
        let (events, outcome) = step(&mut self.state, command, context);
        self.stage(pending, events);
        outcome
    }

    fn stage(&mut self, pending: &mut Pending<L, S>, events: Vec<Event>) {
        for event in events {
            let Some(head) = &mut self.head else { return };
            let sequence = head.sequence.saturating_add(1);
            let body = to_canonical(&event);
            let hash = link(head.hash, sequence, &body);
            *head = Head {
                sequence,
                hash,
                ..*head
            };
            match &event.body {
                EventBody::SpendCommitted(spend)
                | EventBody::Withdrawn { spend, .. }
                | EventBody::SpendReplaced { spend, .. }
                | EventBody::TransferAuthorized { spend, .. } => {
                    self.state.place(&spend.idempotency, sequence);
                }
                EventBody::SignedIn(login) => self.state.place(&login.idempotency, sequence),
                // Nobody asked for it, so nobody's ask wipes the keys.
                EventBody::Killed {
                    origin: Origin::Signer,
                    ..
                } => {
                    pending.wipe = true;
                    pending.stops = true;
                }
                EventBody::TimeStated { wall, .. } => {
                    if let Some(clock) = &mut self.clock {
                        pending.moves(clock);
                        clock.state_time(*wall);
                    }
                }
                _ => {}
            }
            let entry = SpendIndex::of(&event.body, sequence, hash);
            pending.spends.extend(entry);
            pending.events.push(StoredEvent {
                sequence,
                body,
                hash,
            });
            pending.decided.push(event);
        }
    }

    /// Makes the batch durable, then lets its answers out.
    pub(super) fn commit(&mut self, pending: Pending<L, S>) -> Result<(), Fatal> {
        let Pending {
            events,
            decided,
            spends,
            answers,
            wipe,
            stops,
            clear_journal,
            snapshot,
            unmoved,
        } = pending;
        let mut durable = Some(());
        let mut stored = Vec::new();
        if !events.is_empty() {
            let head = self.head.ok_or(Fatal::Fold)?;
            let note = self.sign_head(head)?;
            let batch = Batch {
                events,
                head: note.clone(),
                spends,
                clear_journal,
                snapshot,
            };
            let mut written = self.ledger.append(&batch);
            if stops && matches!(written, Err(LedgerError::Refused)) {
                self.ledger.release_reserve(wipe);
                written = self.ledger.append(&batch);
            }
            match written {
                Ok(()) => {
                    self.note = note;
                    self.state.committed();
                    stored = batch.events;
                }
                Err(LedgerError::Refused) if stops => {
                    self.wipe();
                    return Err(Fatal::Undurable);
                }
                Err(LedgerError::Refused) => {
                    durable = None;
                    self.state = self.settled.folded.state.clone();
                    self.head = self.settled.head;
                    // Time that no event states or vouches for moves nothing.
                    self.clock = unmoved.or_else(|| self.clock.take());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if wipe && durable.is_some() {
            self.wipe();
        }
        // What is durable is signed and answered before anything else; only the next turn needs the fold.
        let answered = answers
            .into_iter()
            .try_for_each(|answer| answer(self, durable));
        if let Some(newest) = stored.last() {
            self.published.send_replace(newest.sequence);
        }
        self.settle(&decided, &stored);
        answered
    }

    /// Folds what has become durable: the state that a refused commit goes back to.
    fn settle(&mut self, decided: &[Event], stored: &[StoredEvent]) {
        if stored.is_empty() {
            return;
        }
        for (event, stored) in decided.iter().zip(stored) {
            let folded = &mut self.settled.folded;
            folded.take(event, stored.sequence, stored.hash);
        }
        self.settled.head = self.head;
        self.snapshots.grown(stored);
    }

    fn sign_head(&self, head: Head) -> Result<String, Fatal> {
        let Vault::Open(_, unlocked) = &self.vault else {
            return Err(Fatal::Fold);
        };
        let signature = unlocked
            .sign_note(head.note_text().as_bytes())
            .map_err(|_| Fatal::Signing)?;
        Ok(SignedHead::new(head, &unlocked.log_public_key(), signature).to_string())
    }

    pub(super) fn submit(
        &mut self,
        pending: &mut Pending<L, S>,
        submission: Submission,
        reply: Reply<u64>,
    ) -> Result<(), Fatal> {
        // A guardian's kill is worth the reserve of disk as everybody's is.
        let stops = self.state.only_stops(submission.statement);
        let credited = self.state.credit_of(submission.statement);
        let rotated = self.state.rotation_of(submission.statement);
        let command = match (credited, rotated) {
            (Some(transaction), _) => Ok(Command::Credit {
                submission,
                entry: self.payment(transaction)?,
            }),
            (None, Some(family)) => self
                .next_key(family)
                .map(|key| Command::Rotate { submission, key })
                .ok_or(Denial::from(Code::SigningFault)),
            (None, None) => Ok(Command::Submit(submission)),
        };
        let outcome = command.and_then(|command| self.decide(pending, &command));
        pending.wipe |= matches!(outcome, Ok(Outcome::WipeKeys));
        pending.stops |= stops && outcome.is_ok();
        self.answer_sequence(pending, reply, outcome);
        Ok(())
    }
}
