//! What a password opens: a new keystore, the keys, and every ask that demands the password again. The
//! password itself goes to the kdf thread; what comes back is decided here.

use waiaas_shared::address::Account;
use waiaas_shared::caip::Family;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::{Head, LogError, SignedHead, Verifier, genesis};
use waiaas_shared::time::Millis;

use super::ask::{Initialized, Reply, UnlockWish, refused};
use super::fold::goes_through;
use super::password::{Derived, Purpose};
use super::pending::Pending;
use super::system::System;
use super::{Authority, Fatal, Vault};
use crate::core::command::{
    Command, Context, DerivedKey, MissedHead, Outcome, Recovery, Rehearsal, Submission,
    UnlockFacts, WalletRequest,
};
use crate::ledger::Ledger;
use crate::sys::memory::LockedBytes;
use crate::vault::{
    FileError, KeystoreFolder, NewKeystore, PHRASE_MAX_BYTES, PublicKey, RegisterError,
    UnlockError, WriteError,
};

impl<L: Ledger, S: System> Authority<L, S> {
    pub(super) fn begin_initialize(&mut self, password: LockedBytes, reply: Reply<Initialized>) {
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

    pub(super) fn begin_unlock(
        &mut self,
        password: LockedBytes,
        wish: UnlockWish,
        reply: Reply<()>,
    ) {
        let code = match &self.vault {
            Vault::None => Code::NotInitialized,
            // Its log has ended: no unlock is appended to it.
            _ if self.state.retired() => Code::Retired,
            Vault::Open(..) => Code::NotLocked,
            Vault::Locked(keystore) => {
                let identity = keystore.identity();
                let own = (identity.signer_id, identity.log_public_key);
                let presented = wish.presented.as_deref();
                match presented.map(|note| signed(note, own)).transpose() {
                    Ok(presented) => {
                        let presented = presented.map(Box::new);
                        let purpose = Purpose::Unlock(wish.vouch, presented, reply);
                        self.begin_password(password, purpose);
                        return;
                    }
                    // Not a head of this log: whoever presents it is mistaken or was deceived.
                    Err(_) => Code::HeadSignature,
                }
            }
        };
        let _gone = reply.send(refused(code));
    }

    pub(super) fn begin_password(&mut self, password: LockedBytes, purpose: Purpose) {
        let (Vault::Open(keystore, _) | Vault::Locked(keystore)) = &self.vault else {
            refuse_purpose(purpose, Code::NotInitialized);
            return;
        };
        if let Err(purpose) = self.kdf.push(password, keystore.kdf_request(), purpose) {
            refuse_purpose(purpose, Code::Overloaded);
        }
    }

    /// The kdf thread is done with a password.
    pub(super) fn derived(
        &mut self,
        derived: Derived,
        pending: &mut Pending<L, S>,
    ) -> Result<(), Fatal> {
        let Derived { purpose, kek } = derived;
        let Ok(kek) = kek else {
            refuse_purpose(purpose, Code::PasswordWrong);
            return Ok(());
        };
        match purpose {
            Purpose::Initialize(signer, keystore, reply) => {
                return self.initialize(signer, *keystore, &kek, pending, reply);
            }
            Purpose::Unlock(vouch, presented, reply) => {
                return self.unlock(&kek, (vouch, presented), pending, reply);
            }
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
                )?;
            }
            Purpose::Register(signatures, rehearsal, reply) => {
                let submission = Submission {
                    statement: rehearsal.statement,
                    signatures,
                    origin: waiaas_shared::event::Origin::Admin,
                    with_password: true,
                };
                let command = Command::Register {
                    submission,
                    rehearsal,
                };
                let outcome = self.decide(pending, &command);
                self.later(pending, reply, outcome, |outcome| match outcome {
                    Outcome::Owner(owner) => Some(owner),
                    _ => None,
                });
            }
            Purpose::Recover(phrase, recovery, reply) => {
                self.recover(&phrase, recovery, pending, reply)?;
            }
            Purpose::SuspendOwner(owner, reply) => {
                let outcome = self.decide(pending, &Command::SuspendOwner { owner });
                pending.stop();
                self.answer_sequence(pending, reply, outcome);
            }
            Purpose::CreateWallet(family, networks, first_nonce, reply) => {
                let outcome = match self.next_key(family) {
                    None => refused(Code::SigningFault),
                    Some(DerivedKey { path, account }) => {
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

    /// The next key of a family, ready to sign; nothing is given away by deriving it.
    pub(super) fn next_key(&mut self, family: Family) -> Option<DerivedKey> {
        let path = self.state.next_path(family);
        let Vault::Open(_, unlocked) = &mut self.vault else {
            return None;
        };
        let account = match unlocked.register(path).ok()? {
            PublicKey::Ed25519(address) => Account::Solana(address),
            PublicKey::Secp256k1 { address, .. } => Account::Evm(address),
        };
        Some(DerivedKey { path, account })
    }

    /// The phrase is compared where it lies, in locked memory, and wiped.
    fn recover(
        &mut self,
        phrase: &LockedBytes,
        recovery: Recovery,
        pending: &mut Pending<L, S>,
        reply: Reply<u64>,
    ) -> Result<(), Fatal> {
        let known = match &self.vault {
            Vault::Open(_, unlocked) => unlocked.is_phrase(phrase),
            Vault::None | Vault::Locked(_) => Ok(false),
        };
        match known {
            Ok(true) => {
                let outcome = self.decide(pending, &Command::Recover(recovery));
                self.answer_sequence(pending, reply, outcome);
            }
            Ok(false) => {
                self.unlock_failed()?;
                let _gone = reply.send(refused(Code::PhraseWrong));
            }
            Err(_) => drop(reply.send(refused(Code::SigningFault))),
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
        self.settled.head = self.head;
        let outcome = self
            .decide_in(pending, &Command::Create { signer }, &context)
            .and_then(|_| self.take_in_journal(pending, Millis::default(), None, &context));
        self.later(pending, reply, outcome, move |_| {
            Some(Initialized { signer, phrase })
        });
        Ok(())
    }

    fn unlock(
        &mut self,
        kek: &LockedBytes,
        (vouch, presented): (bool, Option<Box<SignedHead>>),
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
        let mut vouched = Millis::default();
        if let Some(clock) = self.clock.as_mut().filter(|_| vouch) {
            pending.moves(clock);
            vouched = clock.time_off();
            clock.vouch(vouched);
            context.clocks = clock.clocks();
        }
        let missed = self.missed(presented.as_deref())?;
        let commands = self.journal_commands();
        let outcome = self.take_in_journal(pending, vouched, missed, &context);
        for command in commands {
            // A kill thrown while locked holds from here on; the keys that the owner's password just
            // opened stay, for nothing but its release and the log. All of these tighten; a session
            // that is gone already is the one refusal there can be.
            let _decided_again = self.decide_in(pending, &command, &context);
        }
        self.later(pending, reply, outcome, |_| Some(()));
        Ok(())
    }

    /// The head that the owner presented, if the log is shorter or another (invariant 16).
    fn missed(&mut self, presented: Option<&SignedHead>) -> Result<Option<MissedHead>, Fatal> {
        let (Some(presented), Some(own)) = (presented, self.settled.head) else {
            return Ok(None);
        };
        let (Vault::Open(keystore, _) | Vault::Locked(keystore)) = &self.vault else {
            return Ok(None);
        };
        let head = presented.head_unverified();
        let log_key = keystore.identity().log_public_key;
        let from = Verifier::after(head, log_key);
        let lies_on_the_way = goes_through(&mut self.ledger, from, own)?;
        Ok((!lies_on_the_way).then(|| MissedHead {
            head,
            signature: *presented.signature(),
        }))
    }

    fn take_in_journal(
        &mut self,
        pending: &mut Pending<L, S>,
        vouched: Millis,
        missed: Option<MissedHead>,
        context: &Context,
    ) -> Result<Outcome, Denial> {
        let facts = UnlockFacts {
            journal: self.journal.tail(),
            vouched,
            failures: self.journal.failures(),
            journal_lost: self.journal.lost(),
            missed,
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

/// A presented note, if it is this signer's and the log key signed it.
fn signed(note: &str, (signer, log_key): (SignerId, [u8; 32])) -> Result<SignedHead, LogError> {
    let signed: SignedHead = note.parse()?;
    match signed.verify(&log_key)? {
        head if head.signer == signer => Ok(signed),
        _ => Err(LogError::NoteSignature),
    }
}

/// Answers whoever waits for a password's purpose.
pub(super) fn refuse_purpose(purpose: Purpose, code: Code) {
    match purpose {
        Purpose::Initialize(_, _, reply) => drop(reply.send(refused(code))),
        Purpose::Unlock(_, _, reply) => drop(reply.send(refused(code))),
        Purpose::Enrol(_, _, _, reply) => drop(reply.send(refused(code))),
        Purpose::CreateWallet(_, _, _, reply) => drop(reply.send(refused(code))),
        Purpose::Submit(_, _, reply)
        | Purpose::Recover(_, _, reply)
        | Purpose::SuspendOwner(_, reply) => drop(reply.send(refused(code))),
        Purpose::Register(_, _, reply) => drop(reply.send(refused(code))),
    }
}
