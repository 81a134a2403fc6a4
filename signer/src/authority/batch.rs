//! One batch: decide each ask in turn, seal the chain, sign its head, make it durable, then sign and
//! answer. The order is invariant 4: charge, make durable, sign, verify, release.

use std::time::Duration;

use waiaas_shared::address::Account;
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::log::{Head, SignedHead, genesis, link};
use waiaas_shared::time::{Clocks, Millis};
use waiaas_shared::transaction::{Signature, SigningPayload, assemble, signing_payload};

use super::ask::{Ask, Drafted, Initialized, Reply, Signed, refused};
use super::open::fold;
use super::password::{Derived, Purpose};
use super::system::System;
use super::{Authority, Fatal, Vault};
use crate::core::clock::ClockKeeper;
use crate::core::command::{
    Command, Context, Outcome, Rehearsal, SigningOrder, Submission, UnlockFacts, WalletRequest,
    Withdrawal,
};
use crate::core::step;
use crate::ledger::{Batch, Ledger, LedgerError, SpendIndex, StoredEvent};
use crate::sys::memory::LockedBytes;
use crate::vault::{
    FileError, KeystoreFolder, NewKeystore, PHRASE_MAX_BYTES, PublicKey, RegisterError,
    UnlockError, WriteError,
};

/// Events decided and not yet durable, and the answers that wait for them.
struct Pending<L, S> {
    events: Vec<StoredEvent>,
    spends: Vec<SpendIndex>,
    answers: Vec<Answer<L, S>>,
    wipe: bool,
    /// Lock or kill: worth the reserve of disk.
    stops: bool,
    clear_journal: bool,
}

/// What is let out after the commit; `None`: the commit was refused.
type Answer<L, S> = Box<dyn FnOnce(&mut Authority<L, S>, Option<()>) -> Result<(), Fatal>>;

impl<L, S> Default for Pending<L, S> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            spends: Vec::new(),
            answers: Vec::new(),
            wipe: false,
            stops: false,
            clear_journal: false,
        }
    }
}

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

    fn command(&mut self, ask: Ask, pending: &mut Pending<L, S>) -> Result<(), Fatal> {
        match ask {
            Ask::Initialize(password, reply) => self.begin_initialize(password, reply),
            Ask::Unlock(password, vouch, reply) => self.begin_unlock(password, vouch, reply),
            Ask::Derived(derived) => return self.derived(*derived, pending),
            other if !self.unlocked() => return self.while_locked(other),
            Ask::Sign(mut request, reply) => {
                request.prior = self.prior_of(&request)?;
                let session = request.session;
                let outcome = self.decide(pending, &Command::Spend(*request));
                self.sign_later(pending, Some(session), outcome, reply);
            }
            Ask::SignedTransaction(transaction, reply) => {
                let outcome = match self.payment(transaction)? {
                    Some(prior) => self.decide(pending, &Command::Resend(prior)),
                    None => refused(Code::TransactionUnknown),
                };
                self.sign_later(pending, None, outcome, reply);
            }
            Ask::Withdraw(statement, signatures, unsigned, reply) => {
                let command = Command::Withdraw(Withdrawal {
                    statement,
                    signatures,
                    unsigned,
                });
                let outcome = self.decide(pending, &command);
                self.sign_later(pending, None, outcome, reply);
            }
            Ask::Draft(facts, origin, reply) => {
                let outcome = self.decide(pending, &Command::Draft { facts, origin });
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
                self.submit(pending, submission, reply);
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
                pending.wipe |= outcome.is_ok();
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
            }
            Ask::Pause(wallet, origin, reply) => {
                let outcome = self.decide(pending, &Command::Pause { wallet, origin });
                pending.stops = true;
                self.answer_sequence(pending, reply, outcome);
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
    fn decide(
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
    fn context(&mut self, stops: bool) -> Result<Context, Denial> {
        let observed = self.observe();
        let known = self.clock.as_ref().map(ClockKeeper::clocks);
        let clocks = observed.or_else(|| known.filter(|_| stops));
        let entropy = match self.system.entropy() {
            Ok(entropy) => entropy,
            Err(_) if stops => [0; 32],
            Err(_) => return refused(Code::EntropyFailed),
        };
        Ok(Context {
            clocks: clocks.ok_or(Code::ClockClosed)?,
            entropy,
        })
    }

    fn decide_in(
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
                EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => {
                    self.state.place(&spend.idempotency, sequence);
                    pending.spends.push(SpendIndex {
                        idempotency: spend.idempotency,
                        transaction: spend.transaction,
                        sequence,
                    });
                }
                EventBody::TimeStated { wall, .. } => {
                    if let Some(clock) = &mut self.clock {
                        clock.state_time(*wall);
                    }
                }
                _ => {}
            }
            pending.events.push(StoredEvent {
                sequence,
                body,
                hash,
            });
        }
    }

    /// Makes the batch durable, then lets its answers out.
    fn commit(&mut self, pending: Pending<L, S>) -> Result<(), Fatal> {
        let Pending {
            events,
            spends,
            answers,
            wipe,
            stops,
            clear_journal,
        } = pending;
        let mut durable = Some(());
        if !events.is_empty() {
            let head = self.head.ok_or(Fatal::Fold)?;
            let note = self.sign_head(head)?;
            let batch = Batch {
                events,
                head: note.clone(),
                spends,
                clear_journal,
            };
            let mut written = self.ledger.append(&batch);
            if stops && matches!(written, Err(LedgerError::Refused)) {
                self.ledger.release_reserve();
                written = self.ledger.append(&batch);
            }
            match written {
                Ok(()) => {
                    self.note = note;
                    self.state.committed();
                    self.published.send_replace(head.sequence);
                }
                Err(LedgerError::Refused) if stops => {
                    self.wipe();
                    return Err(Fatal::Undurable);
                }
                Err(LedgerError::Refused) => {
                    durable = None;
                    self.reload()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if wipe && durable.is_some() {
            self.wipe();
        }
        for answer in answers {
            answer(self, durable)?;
        }
        Ok(())
    }

    /// Nothing of the batch was written: the state is what the log says.
    fn reload(&mut self) -> Result<(), Fatal> {
        let (Vault::Open(keystore, _) | Vault::Locked(keystore)) = &self.vault else {
            return Err(Fatal::Fold);
        };
        let identity = keystore.identity();
        let (state, verifier, note) = fold(
            &mut self.ledger,
            identity.signer_id,
            identity.log_public_key,
        )
        .map_err(|_| Fatal::Fold)?;
        (self.state, self.head, self.note) = (state, Some(verifier.head()), note);
        Ok(())
    }

    fn sign_head(&self, head: Head) -> Result<String, Fatal> {
        let Vault::Open(_, unlocked) = &self.vault else {
            return Err(Fatal::Fold);
        };
        let signature = unlocked
            .sign_head(head.note_text().as_bytes())
            .map_err(|_| Fatal::Signing)?;
        Ok(SignedHead::new(head, &unlocked.log_public_key(), signature).to_string())
    }

    fn submit(&mut self, pending: &mut Pending<L, S>, submission: Submission, reply: Reply<u64>) {
        let outcome = self.decide(pending, &Command::Submit(submission));
        self.answer_sequence(pending, reply, outcome);
    }

    /// Answers with the newest event's number once the batch is durable.
    fn answer_sequence(
        &mut self,
        pending: &mut Pending<L, S>,
        reply: Reply<u64>,
        outcome: Result<Outcome, Denial>,
    ) {
        let sequence = self.head.map_or(0, |head| head.sequence);
        self.later(pending, reply, outcome, move |_| Some(sequence));
    }

    /// Answers once the batch is durable.
    fn later<T: 'static>(
        &mut self,
        pending: &mut Pending<L, S>,
        reply: Reply<T>,
        outcome: Result<Outcome, Denial>,
        shape: impl FnOnce(Outcome) -> Option<T> + 'static,
    ) {
        pending.answers.push(Box::new(move |authority, durable| {
            let answer = match (durable, outcome) {
                (None, _) => refused(Code::StorageFull),
                (Some(()), Ok(outcome)) => shape(outcome).ok_or_else(|| Code::Unsupported.into()),
                (Some(()), Err(denial)) => Err(denial),
            };
            if let Err(denial) = &answer {
                authority.denials.count(None, denial);
            }
            let _gone = reply.send(answer);
            Ok(())
        }));
    }

    /// Signs once the charge is durable, and answers.
    fn sign_later(
        &mut self,
        pending: &mut Pending<L, S>,
        session: Option<SessionId>,
        outcome: Result<Outcome, Denial>,
        reply: Reply<Signed>,
    ) {
        let charged = pending.events.last().map_or(0, |event| event.sequence);
        pending.answers.push(Box::new(move |authority, durable| {
            let answer = match (durable, outcome) {
                (None, _) => refused(Code::StorageFull),
                (Some(()), Ok(Outcome::Sign(order))) => authority.sign(&order, charged),
                (Some(()), Ok(_)) => refused(Code::Unsupported),
                (Some(()), Err(denial)) => Err(denial),
            };
            let fault = matches!(&answer, Err(denial) if denial.violations().iter().any(|one| one.code == Code::SigningFault));
            if let Err(denial) = &answer {
                // Invented names share one bucket: they must not multiply entries.
                let known = session.filter(|session| authority.state.knows_session(*session));
                authority.denials.count(known, denial);
            }
            let _gone = reply.send(answer);
            if fault { Err(Fatal::Signing) } else { Ok(()) }
        }));
    }

    fn sign(&self, order: &SigningOrder, charged: u64) -> Result<Signed, Denial> {
        let Vault::Open(_, unlocked) = &self.vault else {
            return refused(Code::Locked);
        };
        let signature = match signing_payload(order.transaction()) {
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
        // Verified once more against the account and the bytes that were judged (invariant 4).
        let signed = assemble(order.transaction(), &signature).map_err(|_| Code::SigningFault)?;
        let (raw, chain_transaction) = signed.into_parts();
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

    fn begin_initialize(&mut self, password: LockedBytes, reply: Reply<Initialized>) {
        if !matches!(self.vault, Vault::None) {
            let _gone = reply.send(refused(Code::AlreadyInitialized));
            return;
        }
        let made = self.system.entropy().ok().and_then(|entropy| {
            let signer = SignerId::derive(&entropy, 0);
            let keystore = NewKeystore::generate(signer, &self.arena, self.system.source()).ok()?;
            // Unit tests make keystores by the hundred.
            #[cfg(test)]
            let keystore = keystore.with_weak_kdf();
            Some((signer, keystore))
        });
        match made {
            None => drop(reply.send(refused(Code::EntropyFailed))),
            Some((signer, keystore)) => {
                let request = keystore.kdf_request();
                let purpose = Purpose::Initialize(signer, Box::new(keystore), reply);
                if let Err(purpose) = self.kdf.push(password, request, purpose) {
                    refuse_purpose(purpose, Code::Overloaded);
                }
            }
        }
    }

    fn begin_unlock(&mut self, password: LockedBytes, vouch: bool, reply: Reply<()>) {
        let code = match &self.vault {
            Vault::None => Code::NotInitialized,
            Vault::Open(..) => Code::NotLocked,
            Vault::Locked(_) => {
                self.begin_password(password, Purpose::Unlock(vouch, reply));
                return;
            }
        };
        let _gone = reply.send(refused(code));
    }

    fn begin_password(&mut self, password: LockedBytes, purpose: Purpose) {
        let (Vault::Open(keystore, _) | Vault::Locked(keystore)) = &self.vault else {
            refuse_purpose(purpose, Code::NotInitialized);
            return;
        };
        if let Err(purpose) = self.kdf.push(password, keystore.kdf_request(), purpose) {
            refuse_purpose(purpose, Code::Overloaded);
        }
    }

    /// The kdf thread is done with a password.
    fn derived(&mut self, derived: Derived, pending: &mut Pending<L, S>) -> Result<(), Fatal> {
        let Derived { purpose, kek } = derived;
        let Ok(kek) = kek else {
            refuse_purpose(purpose, Code::PasswordWrong);
            return Ok(());
        };
        match purpose {
            Purpose::Initialize(signer, keystore, reply) => {
                return self.initialize(signer, *keystore, &kek, pending, reply);
            }
            Purpose::Unlock(vouch, reply) => return self.unlock(&kek, vouch, pending, reply),
            _ => {}
        }
        // Every other purpose needs open keys and the same password again.
        let Vault::Open(keystore, _) = &self.vault else {
            refuse_purpose(purpose, Code::Locked);
            return Ok(());
        };
        if !keystore.is_key(&kek, &self.arena).unwrap_or(false) {
            self.unlock_failed()?;
            refuse_purpose(purpose, Code::PasswordWrong);
            return Ok(());
        }
        match purpose {
            Purpose::Enrol(statement, envelope, signature, reply) => {
                let rehearsal = Rehearsal {
                    statement,
                    envelope,
                    signature,
                };
                let outcome = self.decide(pending, &Command::Enrol(rehearsal));
                self.later(pending, reply, outcome, |outcome| match outcome {
                    Outcome::Owner(owner) => Some(owner),
                    _ => None,
                });
            }
            Purpose::Submit(statement, signatures, reply) => {
                let origin = waiaas_shared::event::Origin::Admin;
                self.submit(
                    pending,
                    Submission {
                        statement,
                        signatures,
                        origin,
                        with_password: true,
                    },
                    reply,
                );
            }
            Purpose::CreateWallet(family, networks, first_nonce, reply) => {
                let path = self.state.next_path(family);
                let account = match &mut self.vault {
                    Vault::Open(_, unlocked) => unlocked.register(path).ok().map(|key| match key {
                        PublicKey::Ed25519(address) => Account::Solana(address),
                        PublicKey::Secp256k1 { address, .. } => Account::Evm(address),
                    }),
                    _ => None,
                };
                let outcome = match account {
                    None => refused(Code::SigningFault),
                    Some(account) => {
                        let request = WalletRequest {
                            path,
                            account,
                            networks,
                            first_nonce,
                        };
                        self.decide(pending, &Command::CreateWallet(request))
                    }
                };
                let views = self.state.wallet_views();
                self.later(pending, reply, outcome, move |outcome| match outcome {
                    Outcome::Wallet(wallet) => views.into_iter().find(|view| view.wallet == wallet),
                    _ => None,
                });
            }
            Purpose::Initialize(..) | Purpose::Unlock(..) => {}
        }
        Ok(())
    }

    /// Keystore first, then the log's first event: a keystore without a log never starts from zero.
    fn initialize(
        &mut self,
        signer: SignerId,
        keystore: NewKeystore,
        kek: &LockedBytes,
        pending: &mut Pending<L, S>,
        reply: Reply<Initialized>,
    ) -> Result<(), Fatal> {
        if !matches!(self.vault, Vault::None) {
            let _gone = reply.send(refused(Code::AlreadyInitialized));
            return Ok(());
        }
        let (Ok(folder), Some(reading), Ok(mut padded)) = (
            KeystoreFolder::open(&self.folder),
            self.system.clocks(),
            self.arena.take(PHRASE_MAX_BYTES),
        ) else {
            let _gone = reply.send(refused(Code::StorageFull));
            return Ok(());
        };
        // Before anything is written: a keystore whose log cannot begin is of no use.
        self.begin_clock(reading);
        let context = match self.context(false) {
            Ok(context) => context,
            Err(denial) => {
                let _gone = reply.send(Err(denial));
                return Ok(());
            }
        };
        let log_key = keystore.log_public_key();
        let first = genesis(signer, &log_key);
        let written = keystore.write(folder, first, kek, &self.arena, self.system.source());
        let (keystore, unlocked) = match written {
            Ok(pair) => pair,
            // Whether the keystore survives a power cut is unknown: no log may begin on it.
            Err(WriteError::File(FileError::Unknown { .. })) => return Err(Fatal::Keystore),
            Err(error) => {
                let code = match error {
                    WriteError::Entropy(_) => Code::EntropyFailed,
                    WriteError::File(FileError::Exists) => Code::AlreadyInitialized,
                    WriteError::File(_) => Code::StorageFull,
                    _ => Code::SigningFault,
                };
                let _gone = reply.send(refused(code));
                return Ok(());
            }
        };
        let length = unlocked
            .copy_phrase(&mut padded)
            .map_err(|_| Fatal::Signing)?;
        let Ok(mut phrase) = self.arena.take(length) else {
            return Err(Fatal::Signing);
        };
        padded.expose(|from| {
            phrase.fill(|to| to.iter_mut().zip(from).for_each(|(to, from)| *to = *from));
        });
        drop(padded);
        self.vault = Vault::Open(Box::new(keystore), Box::new(unlocked));
        self.head = Some(Head {
            signer,
            sequence: 0,
            hash: first,
        });
        let outcome = self
            .decide_in(pending, &Command::Create { signer }, &context)
            .and_then(|_| self.take_in_journal(pending, Millis::default(), &context));
        self.later(pending, reply, outcome, move |_| {
            Some(Initialized { signer, phrase })
        });
        Ok(())
    }

    fn unlock(
        &mut self,
        kek: &LockedBytes,
        vouch: bool,
        pending: &mut Pending<L, S>,
        reply: Reply<()>,
    ) -> Result<(), Fatal> {
        // Before anything changes: an unlock takes in the whole journal or does not happen.
        let context = match self.context(false) {
            Ok(context) => context,
            Err(denial) => {
                let _gone = reply.send(Err(denial));
                return Ok(());
            }
        };
        let Vault::Locked(keystore) = &self.vault else {
            let _gone = reply.send(refused(Code::NotLocked));
            return Ok(());
        };
        let mut unlocked = match keystore.unlock(kek, &self.arena) {
            Ok(unlocked) => unlocked,
            Err(UnlockError::WrongPassword) => {
                self.unlock_failed()?;
                let _gone = reply.send(refused(Code::PasswordWrong));
                return Ok(());
            }
            Err(_) => {
                let _gone = reply.send(refused(Code::SigningFault));
                return Ok(());
            }
        };
        let registered: Result<Vec<_>, RegisterError> = self
            .state
            .key_paths()
            .map(|path| unlocked.register(path))
            .collect();
        if registered.is_err() {
            let _gone = reply.send(refused(Code::SigningFault));
            return Ok(());
        }
        if let Vault::Locked(keystore) = std::mem::replace(&mut self.vault, Vault::None) {
            self.vault = Vault::Open(keystore, Box::new(unlocked));
        }
        let mut context = context;
        let unvouched = self.clock.clone();
        let mut vouched = Millis::default();
        if let Some(clock) = self.clock.as_mut().filter(|_| vouch) {
            vouched = clock.time_off();
            clock.vouch(vouched);
            context.clocks = clock.clocks();
        }
        let commands = self.journal_commands();
        let outcome = self.take_in_journal(pending, vouched, &context);
        for command in commands {
            // A kill thrown while locked holds from here on; the keys that the owner's password just
            // opened stay, for nothing but its release and the log. All of these tighten; a session
            // that is gone already is the one refusal there can be.
            let _decided_again = self.decide_in(pending, &command, &context);
        }
        pending.answers.push(Box::new(move |authority, durable| {
            if durable.is_none() {
                // Time that no event vouches for is not credited.
                authority.clock = unvouched;
            }
            Ok(())
        }));
        self.later(pending, reply, outcome, |_| Some(()));
        Ok(())
    }

    fn take_in_journal(
        &mut self,
        pending: &mut Pending<L, S>,
        vouched: Millis,
        context: &Context,
    ) -> Result<Outcome, Denial> {
        let facts = UnlockFacts {
            journal: self.journal.tail(),
            vouched,
            failures: self.journal.failures(),
            journal_lost: self.journal.lost(),
        };
        let outcome = self.decide_in(pending, &Command::Unlocked(facts), context)?;
        pending.clear_journal = true;
        pending.answers.push(Box::new(|authority, durable| {
            if durable.is_some() {
                authority.journal_taken();
            } else {
                // An unlock that could not be written is no unlock.
                authority.wipe();
            }
            Ok(())
        }));
        Ok(outcome)
    }
}

/// Answers whoever waits for a password's purpose.
pub(super) fn refuse_purpose(purpose: Purpose, code: Code) {
    match purpose {
        Purpose::Initialize(_, _, reply) => drop(reply.send(refused(code))),
        Purpose::Unlock(_, reply) => drop(reply.send(refused(code))),
        Purpose::Enrol(_, _, _, reply) => drop(reply.send(refused(code))),
        Purpose::CreateWallet(_, _, _, reply) => drop(reply.send(refused(code))),
        Purpose::Submit(_, _, reply) => drop(reply.send(refused(code))),
    }
}
