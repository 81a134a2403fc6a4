//! Reads, served from the state between batches: what they show is durable.

use std::collections::BTreeSet;

use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Event, EventBody, Variant};
use waiaas_shared::heartbeat::SignedHeartbeat;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::time::{Clocks, WallTime};

use super::ask::{Ask, EventsAnswer, Status, Verdict, refused};
use super::locked::refuse;
use super::system::System;
use super::{Authority, Vault};
use crate::core::clock::ClockKeeper;
use crate::core::command::{
    Command, Context, MessageRequest, Outcome, Prior, PriorAuthorization, PriorLogin,
    SessionRequest, SpendRequest, Used,
};
use crate::core::decide;
use crate::core::state::Freeze;
use crate::ledger::{Ledger, LedgerError, StoredEvent};

/// Most bytes of events in one answer.
const EVENTS_BYTES: usize = 256 * 1024;

impl<L: Ledger, S: System> Authority<L, S> {
    /// Answers a read; whatever else comes here is refused.
    pub(super) fn answer(&mut self, ask: Ask) {
        let now = self
            .clock
            .as_ref()
            .map_or_else(crate::core::clock::zero, |clock| clock.clocks());
        match ask {
            Ask::Status(reply) => drop(reply.send(Ok(self.status(now)))),
            Ask::Heartbeat(reply) => drop(reply.send(self.heartbeat())),
            Ask::Events(after, max_bytes, reply) => {
                let answer = self.ledger.read(after, max_bytes.min(EVENTS_BYTES));
                let last = self.head.map_or(0, |head| head.sequence);
                let answer = answer.map(|page| EventsAnswer { page, last });
                let _gone = reply.send(answer.map_err(|_| Denial::from(Code::StorageFull)));
            }
            Ask::Remaining(session, reply) => {
                drop(reply.send(Ok(self.state.session_view(session, now))))
            }
            Ask::Wallets(reply) => drop(reply.send(Ok(self.state.wallet_views()))),
            Ask::Agents(reply) => drop(reply.send(Ok(self.state.agent_views()))),
            Ask::Owners(reply) => drop(reply.send(Ok(self.state.owner_views(now)))),
            Ask::Policy(reply) => drop(reply.send(Ok(self.state.binding_documents(now)))),
            Ask::Intents(reply) => drop(reply.send(Ok(self.state.intent_views(now)))),
            Ask::Decide(request, reply) => drop(reply.send(self.dry_run(*request))),
            Ask::DecideSignIn(request, reply) => drop(reply.send(self.dry_login(*request))),
            Ask::DecideAuthorization(request, reply) => {
                drop(reply.send(self.dry_authorization(*request)));
            }
            other => refuse(other, Code::Unsupported),
        }
    }

    fn status(&self, now: Clocks) -> Status {
        let kill = self.state.kill();
        let killed = self.journal.killed();
        Status {
            signer: self.state.signer(),
            unlocked: self.unlocked(),
            kill: if killed {
                "ACTIVATED"
            } else {
                kill.phase.as_str()
            },
            kill_epoch: kill.epoch,
            frozen: self.state.frozen() || self.journal.paused(),
            frozen_by: self.frozen_by(),
            clock_closed: self.state.clock_closed(),
            policy_epoch: self.state.policy_epoch(),
            sequence: self.head.map_or(0, |head| head.sequence),
            head: self.note.clone(),
            unlock_failures: self.journal.failures(),
            retired: self.state.retired(),
            owner_changes: u32::try_from(self.state.owner_changes()).unwrap_or(u32::MAX),
            dead_man_left: self.state.dead_man_left(now.run),
            dead_man_paused: self.state.dead_man_paused(),
            suspended: u32::try_from(self.state.suspended_sessions(now)).unwrap_or(u32::MAX),
        }
    }

    /// What the signer says of itself: signed afresh, and only while the log key is there.
    fn heartbeat(&mut self) -> Result<String, Denial> {
        let now = self.observe();
        let (Vault::Open(_, unlocked), Some(head)) = (&self.vault, self.head) else {
            return refused(match self.vault {
                Vault::None => Code::NotInitialized,
                _ if self.state.retired() => Code::Retired,
                _ => Code::Locked,
            });
        };
        let heartbeat = self.state.heartbeat(head, now.ok_or(Code::ClockClosed)?);
        let signature = unlocked
            .sign_note(heartbeat.note_text().as_bytes())
            .map_err(|_| Code::SigningFault)?;
        let log_key = unlocked.log_public_key();
        Ok(SignedHeartbeat::new(heartbeat, &log_key, signature).to_string())
    }

    /// Why everything is paused, or will be once the locked journal is taken in.
    fn frozen_by(&self) -> Vec<Freeze> {
        let mut causes: BTreeSet<Freeze> = self.state.frozen_by().collect();
        causes.extend(self.journal.paused().then_some(Freeze::Asked));
        causes.into_iter().collect()
    }

    /// The lower side of the wall clock whose upper side stands in `clocks`.
    pub(super) fn steady(&self, clocks: Clocks) -> WallTime {
        let steady = self.clock.as_ref().map(ClockKeeper::steady);
        steady.unwrap_or(clocks.wall)
    }

    /// Clocks of a dry run. It gives no identifier: nothing is made from its entropy.
    fn dry_context(&mut self) -> Result<Context, Denial> {
        match self.vault {
            Vault::None => return refused(Code::NotInitialized),
            _ if self.state.retired() => return refused(Code::Retired),
            Vault::Locked(_) => return refused(Code::Locked),
            Vault::Open(..) => {}
        }
        let clocks = self.observe().ok_or(Code::ClockClosed)?;
        Ok(Context {
            clocks,
            steady: self.steady(clocks),
            entropy: [0; 32],
        })
    }

    fn dry_login(&mut self, request: SessionRequest) -> Result<Tier, Denial> {
        let context = self.dry_context()?;
        let command = Command::SignIn(MessageRequest {
            request,
            used: None,
            dry_run: true,
        });
        match decide(&self.state, &command, &context).outcome? {
            Outcome::WouldSignIn(tier) => Ok(tier),
            _ => refused(Code::Unsupported),
        }
    }

    fn dry_authorization(&mut self, request: SessionRequest) -> Result<Tier, Denial> {
        let context = self.dry_context()?;
        let command = Command::AuthorizeTransfer(MessageRequest {
            request,
            used: None,
            dry_run: true,
        });
        match decide(&self.state, &command, &context).outcome? {
            Outcome::WouldSign { tier, .. } => Ok(tier),
            _ => refused(Code::Unsupported),
        }
    }

    fn dry_run(&mut self, request: SpendRequest) -> Result<Verdict, Denial> {
        let context = self.dry_context()?;
        let replaced = self.replaced_by(&request);
        let replaced = replaced.map_err(|_| Denial::from(Code::StorageFull))?;
        let command = Command::Spend(SpendRequest {
            dry_run: true,
            used: None,
            replaced,
            ..request
        });
        match decide(&self.state, &command, &context).outcome? {
            Outcome::WouldSign { tier, fee } => Ok(Verdict { tier, fee }),
            _ => refused(Code::Unsupported),
        }
    }

    /// What already used this idempotency key, if anything did.
    /// An index that cannot be read is not an unused key: that would sign twice.
    pub(super) fn used_by(
        &mut self,
        session: SessionId,
        idempotency_key: &str,
    ) -> Result<Option<Used>, LedgerError> {
        let key = self.state.idempotency(session, idempotency_key);
        let Some(key) = key else { return Ok(None) };
        self.used_key(key)
    }

    /// What took the place of a transaction on its nonce, if anything did.
    pub(super) fn varied(&mut self, of: TransactionId) -> Result<Option<Used>, LedgerError> {
        self.used_key(Variant::key(of))
    }

    fn used_key(&mut self, key: Digest) -> Result<Option<Used>, LedgerError> {
        if let Some(uncommitted) = self.state.uncommitted(&key) {
            return Ok(Some(uncommitted.clone()));
        }
        let stored = self.by_key(&key)?;
        Ok(stored
            .and_then(|stored| used(&stored))
            .filter(|used| *used.idempotency() == key))
    }

    /// The payment that a request says it replaces, if there is one.
    pub(super) fn replaced_by(
        &mut self,
        request: &SpendRequest,
    ) -> Result<Option<Box<Prior>>, LedgerError> {
        // A body that does not read is refused by the core.
        let body = TransferRequest::parse(&request.body).ok();
        match body.and_then(|body| body.replaces) {
            Some(transaction) => self.payment(transaction),
            None => Ok(None),
        }
    }

    /// A committed payment by its name.
    pub(super) fn payment(
        &mut self,
        transaction: TransactionId,
    ) -> Result<Option<Box<Prior>>, LedgerError> {
        if let Some(uncommitted) = self.state.uncommitted_transaction(transaction) {
            return Ok(Some(Box::new(uncommitted.clone())));
        }
        let stored = self.by_name(transaction)?;
        Ok(stored.and_then(|stored| match used(&stored) {
            Some(Used::Paid(prior)) if prior.spend.transaction == transaction => Some(prior),
            _ => None,
        }))
    }
}

fn used(stored: &StoredEvent) -> Option<Used> {
    let event: Event = from_canonical(&stored.body).ok()?;
    let (spend, variant) = match event.body {
        EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => (spend, None),
        EventBody::SpendReplaced { spend, variant } => (spend, Some(variant)),
        EventBody::IntentOpened(intent) => return Some(Used::Waited(Box::new(intent))),
        EventBody::TransferAuthorized {
            spend,
            authorization,
        } => {
            return Some(Used::Authorized(Box::new(PriorAuthorization {
                sequence: stored.sequence,
                charged_at: event.clocks.budget,
                spend,
                authorization,
            })));
        }
        EventBody::SignedIn(entry) => {
            return Some(Used::SignedIn(Box::new(PriorLogin {
                sequence: stored.sequence,
                counted_at: event.clocks.budget,
                entry,
            })));
        }
        _ => return None,
    };
    Some(Used::Paid(Box::new(Prior {
        sequence: stored.sequence,
        charged_at: event.clocks.budget,
        spend,
        variant,
    })))
}
