//! The last steps of invariant 4: a charge is durable, so its signature is made, verified and let out.

use waiaas_shared::authorization::AuthorizationMessage;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::SessionId;
use waiaas_shared::sign_in::SignInMessage;
use waiaas_shared::transaction::{
    DecodedTransaction, Signature, SignatureError, SigningPayload, assemble,
};

use super::answers::send;
use super::ask::{Authorized, Paid, Reply, Signed, SignedIn, refused};
use super::pending::Pending;
use super::system::System;
use super::{Authority, Fatal, Vault};
use crate::core::command::{
    Command, MessageRequest, Outcome, SessionRequest, Signable, SigningOrder,
};
use crate::ledger::Ledger;

impl<L: Ledger, S: System> Authority<L, S> {
    /// Answers a payment request once its event is durable: with its signature, or that it waits. How
    /// many events the batch had before the decision tells whether the decision opened the wait.
    pub(super) fn pay_later(
        &mut self,
        pending: &mut Pending<L, S>,
        session: SessionId,
        (before, outcome): (usize, Result<Outcome, Denial>),
        reply: Reply<Paid>,
    ) {
        let own = pending.decided.get(before..).unwrap_or_default();
        let opens = own
            .last()
            .is_some_and(|event| matches!(event.body, EventBody::IntentOpened(_)));
        let newest = pending.events.last().filter(|_| opens);
        let opened = newest.map_or(0, |event| event.sequence);
        match outcome {
            Ok(Outcome::Waiting(view)) => {
                self.later(pending, reply, Ok(Outcome::Done), move |_| {
                    Some(Paid::Waiting(view, opened))
                });
            }
            outcome => self.sign_later(pending, Some(session), outcome, |answer| {
                let _gone = reply.send(answer.map(Paid::Signed));
            }),
        }
    }

    /// Signs once the charge is durable, and answers.
    pub(super) fn sign_later(
        &mut self,
        pending: &mut Pending<L, S>,
        session: Option<SessionId>,
        outcome: Result<Outcome, Denial>,
        reply: impl FnOnce(Result<Signed, Denial>) + 'static,
    ) {
        let order = outcome.and_then(|outcome| match outcome {
            Outcome::Sign(order) => Ok(order),
            _ => refused(Code::Unsupported),
        });
        self.release_later(pending, session, order, reply);
    }

    /// Counts a login, and answers with its signature once the count is durable.
    pub(super) fn sign_in(
        &mut self,
        pending: &mut Pending<L, S>,
        request: SessionRequest,
        reply: Reply<SignedIn>,
    ) -> Result<(), Fatal> {
        let session = request.session;
        let used = self.used_by(session, &request.idempotency_key)?;
        let command = Command::SignIn(MessageRequest {
            request,
            used,
            dry_run: false,
        });
        let outcome = self.decide(pending, &command);
        let order = outcome.and_then(|outcome| match outcome {
            Outcome::SignMessage(order) => Ok(order),
            _ => refused(Code::Unsupported),
        });
        self.release_later(pending, Some(session), order, send(reply));
        Ok(())
    }

    /// Charges a transfer authorization, and answers with its signature once the charge is durable.
    pub(super) fn authorize_transfer(
        &mut self,
        pending: &mut Pending<L, S>,
        request: SessionRequest,
        reply: Reply<Authorized>,
    ) -> Result<(), Fatal> {
        let session = request.session;
        let used = self.used_by(session, &request.idempotency_key)?;
        let command = Command::AuthorizeTransfer(MessageRequest {
            request,
            used,
            dry_run: false,
        });
        let outcome = self.decide(pending, &command);
        let order = outcome.and_then(|outcome| match outcome {
            Outcome::Authorize(order) => Ok(order),
            _ => refused(Code::Unsupported),
        });
        self.release_later(pending, Some(session), order, send(reply));
        Ok(())
    }

    /// Lets what is ordered out once the batch is durable, whose last event charged it if it is no replay.
    fn release_later<T: Released + 'static>(
        &mut self,
        pending: &mut Pending<L, S>,
        session: Option<SessionId>,
        order: Result<Box<SigningOrder<T>>, Denial>,
        reply: impl FnOnce(Result<T::Answer, Denial>) + 'static,
    ) {
        let charged = pending.events.last().map_or(0, |event| event.sequence);
        pending.answers.push(Box::new(move |authority, durable| {
            let answer = match (durable, order) {
                (None, _) => refused(Code::StorageFull),
                (Some(()), Ok(order)) => authority.sign(*order, charged),
                (Some(()), Err(denial)) => Err(denial),
            };
            let fault = matches!(&answer, Err(denial) if denial.violations().iter().any(|one| one.code == Code::SigningFault));
            if let Err(denial) = &answer {
                // Invented names share one bucket: they must not multiply entries.
                let known = session.filter(|session| authority.state.knows_session(*session));
                authority.denials.count(known, denial);
            }
            reply(answer);
            if fault { Err(Fatal::Signing) } else { Ok(()) }
        }));
    }

    /// What the ordered key makes of what was ordered.
    fn sign<T: Released>(&self, order: SigningOrder<T>, charged: u64) -> Result<T::Answer, Denial> {
        let Vault::Open(_, unlocked) = &self.vault else {
            return refused(Code::Locked);
        };
        let signature = match order.payload() {
            SigningPayload::Ed25519Message(message) => unlocked
                .sign_ed25519(order.path(), message)
                .map(Signature::Ed25519),
            SigningPayload::Secp256k1Prehash(prehash) => unlocked
                .sign_secp256k1(order.path(), &prehash)
                .map(|signature| {
                    let mut r_and_s = [0; 64];
                    let both = signature.r.iter().chain(&signature.s);
                    r_and_s
                        .iter_mut()
                        .zip(both)
                        .for_each(|(to, from)| *to = *from);
                    Signature::Secp256k1 {
                        r_and_s,
                        y_is_odd: signature.y_parity,
                    }
                }),
        };
        let signature = signature.map_err(|_| Code::SigningFault)?;
        T::joined(order, &signature, charged).map_err(|_| Code::SigningFault.into())
    }
}

/// What a signature makes of what was ordered. INVARIANT: verified here, against the account and what was
/// judged (invariant 4).
trait Released: Signable + Sized {
    /// What leaves.
    type Answer: 'static;

    fn joined(
        order: SigningOrder<Self>,
        signature: &Signature,
        charged: u64,
    ) -> Result<Self::Answer, SignatureError>;
}

impl Released for DecodedTransaction {
    type Answer = Signed;

    fn joined(
        order: SigningOrder<Self>,
        signature: &Signature,
        charged: u64,
    ) -> Result<Signed, SignatureError> {
        let (raw, chain_transaction) = assemble(order.transaction(), signature)?.into_parts();
        let sealed = order.sealed();
        Ok(Signed {
            transaction: sealed.transaction,
            sequence: sealed.replay_of.unwrap_or(charged),
            raw,
            chain_transaction,
            tier: sealed.tier,
            replay: sealed.replay_of.is_some(),
        })
    }
}

impl Released for SignInMessage {
    type Answer = SignedIn;

    fn joined(
        order: SigningOrder<Self>,
        signature: &Signature,
        charged: u64,
    ) -> Result<SignedIn, SignatureError> {
        let sealed = order.sealed();
        Ok(SignedIn {
            message: sealed.message,
            sequence: sealed.replay_of.unwrap_or(charged),
            signed: order.into_message().assemble(signature)?,
            tier: sealed.tier,
            replay: sealed.replay_of.is_some(),
        })
    }
}

impl Released for AuthorizationMessage {
    type Answer = Authorized;

    fn joined(
        order: SigningOrder<Self>,
        signature: &Signature,
        charged: u64,
    ) -> Result<Authorized, SignatureError> {
        let sealed = order.sealed();
        Ok(Authorized {
            transaction: sealed.transaction,
            sequence: sealed.replay_of.unwrap_or(charged),
            signed: order.into_authorization().assemble(signature)?,
            tier: sealed.tier,
            replay: sealed.replay_of.is_some(),
        })
    }
}
