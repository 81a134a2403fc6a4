//! What the script asks and how it takes the answers: one enum each, so that any mixture of asks can
//! be put into the lanes together. A caller that went away is a reply channel that nobody holds.

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::view::{SessionView, WalletView};

use crate::authority::ask::{
    Ask, Audited, Drafted, EventsAnswer, Paid, Reply, Signed, Status, UnlockWish, Verdict,
};
use crate::core::command::{Recovery, SpendRequest};
use crate::sys::memory::{LockedBytes, SecretArena};
use crate::vault::testing::locked;

/// The password of every simulated keystore.
pub(crate) const PASSWORD: &[u8] = b"correct horse battery staple";

/// One question; a password is right or wrong.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Sign(Box<SpendRequest>),
    Decide(Box<SpendRequest>),
    Resend(TransactionId),
    Release(TransactionId, Vec<u8>),
    Cancel(TransactionId, Origin),
    Withdraw(StatementId, Vec<OwnerSignature>, Vec<u8>),
    Draft(StatementFacts, Origin),
    Submit(StatementId, Vec<OwnerSignature>, Origin, Option<bool>),
    Enrol(bool, StatementId, Vec<u8>),
    Recover(bool, Vec<u8>, Recovery),
    SuspendOwner(bool, OwnerId),
    CreateWallet(bool, Family, Vec<ChainId>),
    Initialize,
    Unlock(bool, bool),
    /// With a head that the owner kept.
    Present(bool, String),
    Audit,
    Lock,
    Kill(Origin),
    Pause(Option<WalletId>, Origin),
    Revoke(SessionId),
    Status,
    Heartbeat,
    Remaining(SessionId),
    Events(u64),
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Signed(Signed),
    /// Accepted, and waits.
    Waiting(TransactionId),
    Verdict(Verdict),
    Drafted(Drafted),
    Sequence(u64),
    Owner(OwnerId),
    Wallet(WalletView),
    Signer(SignerId),
    Done,
    Status(Status),
    Note(String),
    Audited(Audited),
    Remaining(Option<SessionView>),
    Events(EventsAnswer),
    Refused(Denial),
    /// Nobody will ever know.
    Lost,
}

impl Answer {
    /// The codes of a refusal; nothing for anything else.
    pub(crate) fn codes(&self) -> Vec<Code> {
        match self {
            Self::Refused(denial) => denial.violations().iter().map(|one| one.code).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn signed(self) -> Signed {
        match self {
            Self::Signed(signed) => signed,
            other => panic!("expected a signature: {other:?}"),
        }
    }
}

/// Asks for an answer that came in the meantime.
pub(crate) type Poll = Box<dyn FnMut() -> Option<Answer>>;

fn channel<T: 'static>(wrap: fn(T) -> Answer) -> (Reply<T>, Poll) {
    let (sender, mut receiver) = oneshot::channel::<Result<T, Denial>>();
    let poll = move || match receiver.try_recv() {
        Ok(Ok(value)) => Some(wrap(value)),
        Ok(Err(denial)) => Some(Answer::Refused(denial)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Closed) => Some(Answer::Lost),
    };
    (sender, Box::new(poll))
}

fn paid(paid: Paid) -> Answer {
    match paid {
        Paid::Signed(signed) => Answer::Signed(signed),
        Paid::Waiting(view, _) => Answer::Waiting(view.intent.transaction),
    }
}

fn password(arena: &SecretArena, right: bool) -> LockedBytes {
    locked(arena, if right { PASSWORD } else { b"wrong" })
}

/// The ask as the authority takes it, and where its answer will be.
pub(crate) fn post(asked: Asked, arena: &SecretArena) -> (Ask, Poll) {
    fn both<T: 'static>(wrap: fn(T) -> Answer, ask: impl FnOnce(Reply<T>) -> Ask) -> (Ask, Poll) {
        let (reply, poll) = channel(wrap);
        (ask(reply), poll)
    }
    match asked {
        Asked::Sign(request) => both(paid, |reply| Ask::Sign(request, reply)),
        Asked::Decide(request) => both(Answer::Verdict, |reply| Ask::Decide(request, reply)),
        Asked::Resend(id) => both(Answer::Signed, |reply| {
            Ask::SignedTransaction(id, Origin::Gateway, reply)
        }),
        Asked::Release(id, unsigned) => {
            both(Answer::Signed, |reply| Ask::Release(id, unsigned, reply))
        }
        Asked::Cancel(id, origin) => both(Answer::Sequence, |reply| {
            Ask::CancelIntent(id, origin, reply)
        }),
        Asked::Withdraw(statement, signatures, unsigned) => both(Answer::Signed, |reply| {
            Ask::Withdraw(statement, signatures, unsigned, reply)
        }),
        Asked::Draft(facts, origin) => {
            both(Answer::Drafted, |reply| Ask::Draft(facts, origin, reply))
        }
        Asked::Submit(statement, signatures, origin, with) => {
            let with = with.map(|right| password(arena, right));
            both(Answer::Sequence, |reply| {
                Ask::Submit(statement, signatures, origin, with, reply)
            })
        }
        Asked::Enrol(right, statement, signature) => both(Answer::Owner, |reply| {
            let envelope = Envelope::Ed25519Plain;
            Ask::Enrol(
                password(arena, right),
                statement,
                envelope,
                signature,
                reply,
            )
        }),
        Asked::Recover(right, phrase, recovery) => both(Answer::Sequence, |reply| {
            let phrase = locked(arena, &phrase);
            Ask::Recover(password(arena, right), phrase, recovery, reply)
        }),
        Asked::SuspendOwner(right, owner) => both(Answer::Sequence, |reply| {
            Ask::SuspendOwner(password(arena, right), owner, reply)
        }),
        Asked::CreateWallet(right, family, networks) => both(Answer::Wallet, |reply| {
            Ask::CreateWallet(password(arena, right), family, networks, 0, reply)
        }),
        Asked::Initialize => both(
            |made: crate::authority::ask::Initialized| Answer::Signer(made.signer),
            |reply| Ask::Initialize(password(arena, true), reply),
        ),
        Asked::Unlock(right, vouch) => both(
            |()| Answer::Done,
            |reply| {
                let wish = UnlockWish {
                    vouch,
                    presented: None,
                };
                Ask::Unlock(password(arena, right), wish, reply)
            },
        ),
        Asked::Present(right, note) => both(
            |()| Answer::Done,
            |reply| {
                let wish = UnlockWish {
                    vouch: false,
                    presented: Some(note),
                };
                Ask::Unlock(password(arena, right), wish, reply)
            },
        ),
        Asked::Audit => both(Answer::Audited, Ask::Audit),
        Asked::Lock => both(|()| Answer::Done, |reply| Ask::Lock(Origin::Admin, reply)),
        Asked::Kill(origin) => both(Answer::Sequence, |reply| Ask::Kill(origin, reply)),
        Asked::Pause(wallet, origin) => {
            both(Answer::Sequence, |reply| Ask::Pause(wallet, origin, reply))
        }
        Asked::Revoke(session) => both(Answer::Sequence, |reply| {
            Ask::Revoke(session, Origin::Gateway, reply)
        }),
        Asked::Status => both(Answer::Status, Ask::Status),
        Asked::Heartbeat => both(Answer::Note, Ask::Heartbeat),
        Asked::Remaining(session) => {
            both(Answer::Remaining, |reply| Ask::Remaining(session, reply))
        }
        Asked::Events(after) => both(Answer::Events, |reply| Ask::Events(after, 64 * 1024, reply)),
    }
}
