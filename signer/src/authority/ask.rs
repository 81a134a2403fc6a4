//! What the rpc threads ask the authority, each with the channel for its answer. Typed domain values
//! only: Cap'n Proto readers never travel further than the rpc threads.

use tokio::sync::oneshot;
use waiaas_shared::agent::AgentView;
use waiaas_shared::authorization::SignedAuthorization;
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{
    AgentId, MessageId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use waiaas_shared::intent::IntentView;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::sign_in::SignedMessage;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::Millis;
use waiaas_shared::time::WallTime;
use waiaas_shared::view::{OwnerView, SessionView, WalletView};

use super::lanes::Lane;
use crate::core::command::{AgentStop, Change, Recovery, Rehearsal, SessionRequest, SpendRequest};
use crate::core::state::Freeze;
use crate::ledger::Page;
use crate::sys::memory::LockedBytes;

/// The channel for an answer: refusals are answers too.
pub type Reply<T> = oneshot::Sender<Result<T, Denial>>;

/// One question to the authority.
#[derive(Debug)]
pub enum Ask {
    /// What state the signer is in.
    Status(Reply<Status>),
    /// Events after a sequence, up to so many bytes.
    Events(u64, usize, Reply<EventsAnswer>),
    /// A session with what is left of it.
    Remaining(SessionId, Reply<Option<SessionView>>),
    /// Every wallet.
    Wallets(Reply<Vec<WalletView>>),
    /// Every agent.
    Agents(Reply<Vec<AgentView>>),
    /// Every owner.
    Owners(Reply<Vec<OwnerView>>),
    /// Canonical bytes of every binding document.
    Policy(Reply<Vec<Vec<u8>>>),
    /// What the signer says of itself, signed by the log key.
    Heartbeat(Reply<String>),
    /// Dry run.
    Decide(Box<SpendRequest>, Reply<Verdict>),
    /// Charge and sign, or let it wait.
    Sign(Box<SpendRequest>, Reply<Paid>),
    /// Sign a payment that waited, with fresh bytes.
    Release(TransactionId, Vec<u8>, Reply<Signed>),
    /// Sign the nonce of a payment once more: with a higher fee, or to cancel it.
    Vary(TransactionId, Change, Reply<Signed>),
    /// Count a login at a web site and sign it.
    SignIn(Box<SessionRequest>, Reply<SignedIn>),
    /// Dry run of one.
    DecideSignIn(Box<SessionRequest>, Reply<Tier>),
    /// Charge a transfer authorization and sign it.
    AuthorizeTransfer(Box<SessionRequest>, Reply<Authorized>),
    /// Dry run of one.
    DecideAuthorization(Box<SessionRequest>, Reply<Tier>),
    /// Renew a session.
    Renew(Box<SessionRequest>, Reply<Renewed>),
    /// Suspend an agent, or begin its end.
    StopAgent(AgentId, AgentStop, Origin, Reply<u64>),
    /// End a waiting payment.
    CancelIntent(TransactionId, Origin, Reply<u64>),
    /// Everything that waits.
    Intents(Reply<Vec<IntentView>>),
    /// The bytes of a committed payment; those of a withdrawal over `admin.sock` alone.
    SignedTransaction(TransactionId, Origin, Reply<Signed>),
    /// Write a text for an owner.
    Draft(StatementFacts, Origin, Reply<Drafted>),
    /// Carry out what owners signed; with the password where one came along.
    Submit(
        StatementId,
        Vec<OwnerSignature>,
        Origin,
        Option<LockedBytes>,
        Reply<u64>,
    ),
    /// Carry out a signed withdrawal.
    Withdraw(StatementId, Vec<OwnerSignature>, Vec<u8>, Reply<Signed>),
    /// Enrol an owner: password and rehearsal.
    Enrol(LockedBytes, StatementId, Envelope, Vec<u8>, Reply<OwnerId>),
    /// Register a new owner's or guardian's key: password, owners' signatures, the key's own.
    Register(LockedBytes, Vec<OwnerSignature>, Rehearsal, Reply<OwnerId>),
    /// Begin a recovery: password, recovery phrase, the new key's signature, guardians' if any.
    Recover(LockedBytes, LockedBytes, Recovery, Reply<u64>),
    /// Suspend an owner's key: the password alone.
    SuspendOwner(LockedBytes, OwnerId, Reply<u64>),
    /// Create a wallet: password, family, networks, first nonce.
    CreateWallet(LockedBytes, Family, Vec<ChainId>, u64, Reply<WalletView>),
    /// Create keystore and log.
    Initialize(LockedBytes, Reply<Initialized>),
    /// Open the keystore.
    Unlock(LockedBytes, UnlockWish, Reply<()>),
    /// Fold the whole log once more and compare.
    Audit(Reply<Audited>),
    /// Wipe the keys.
    Lock(Origin, Reply<()>),
    /// Throw the kill switch.
    Kill(Origin, Reply<u64>),
    /// Pause a wallet, or everything.
    Pause(Option<WalletId>, Origin, Reply<u64>),
    /// Revoke a session.
    Revoke(SessionId, Origin, Reply<u64>),
    /// The kdf thread is done with the password of an earlier ask.
    Derived(Box<super::password::Derived>),
}

impl Ask {
    /// Which lane it takes.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Kill(..)
            | Self::Pause(..)
            | Self::Revoke(..)
            | Self::CancelIntent(..)
            | Self::StopAgent(..)
            | Self::Lock(..) => Lane::Urgent,
            Self::Status(..)
            | Self::Events(..)
            | Self::Remaining(..)
            | Self::Wallets(..)
            | Self::Owners(..)
            | Self::Agents(..)
            | Self::Policy(..)
            | Self::Intents(..)
            | Self::Heartbeat(..)
            | Self::Decide(..)
            | Self::DecideSignIn(..)
            | Self::DecideAuthorization(..) => Lane::Read,
            _ => Lane::Command,
        }
    }
}

/// What state the signer is in.
#[derive(Debug, Clone)]
pub struct Status {
    /// Whose log; none before `initialize`.
    pub signer: Option<SignerId>,
    /// Whether keys are open.
    pub unlocked: bool,
    /// NORMAL, ACTIVATED or RECOVERING.
    pub kill: &'static str,
    /// How often the kill switch was thrown.
    pub kill_epoch: u64,
    /// Whether everything is paused.
    pub frozen: bool,
    /// Why.
    pub frozen_by: Vec<Freeze>,
    /// Whether a clock step closed signing.
    pub clock_closed: bool,
    /// Epoch of the newest policy.
    pub policy_epoch: u64,
    /// Newest event.
    pub sequence: u64,
    /// Signed note over it; empty before the first.
    pub head: String,
    /// Wrong passwords since the last unlock.
    pub unlock_failures: u32,
    /// Whether the log has ended for good.
    pub retired: bool,
    /// Changes of owners that wait.
    pub owner_changes: u32,
    /// How long until everything pauses without a word from an owner; none if no policy says so.
    pub dead_man_left: Option<Millis>,
    /// Whether everything is paused for want of one.
    pub dead_man_paused: bool,
    /// Sessions that are suspended.
    pub suspended: u32,
}

/// What an owner says beside the password that opens the keystore.
#[derive(Debug, Clone, Default)]
pub struct UnlockWish {
    /// The time since the signer last ran counts for budgets.
    pub vouch: bool,
    /// The newest head that the owner kept, as a note.
    pub presented: Option<String>,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The newest event that was folded.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
    /// Snapshots that were compared.
    pub snapshots: u32,
    /// What is not as the log says; empty: everything is.
    pub problems: Vec<String>,
}

/// A page of events.
#[derive(Debug, Clone)]
pub struct EventsAnswer {
    /// The page.
    pub page: Page,
    /// Newest event in the log.
    pub last: u64,
}

/// A dry run that passes.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// How the payment would be released.
    pub tier: Tier,
    /// Worst-case fee, base units of the native asset.
    pub fee: waiaas_shared::amount::Amount,
}

/// A renewed session.
#[derive(Debug, Clone, Copy)]
pub struct Renewed {
    /// The event that renewed it.
    pub sequence: u64,
    /// When it ends now.
    pub ends: WallTime,
}

/// What came of a payment request that was not refused.
#[derive(Debug, Clone)]
pub enum Paid {
    /// It is signed.
    Signed(Signed),
    /// It waits, opened by this event; 0 if by an earlier request.
    Waiting(Box<IntentView>, u64),
}

/// A signed payment.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The payment.
    pub transaction: TransactionId,
    /// The event that charged it.
    pub sequence: u64,
    /// Signed bytes.
    pub raw: Vec<u8>,
    /// The chain's own name for it.
    pub chain_transaction: String,
    /// How it was released.
    pub tier: Tier,
    /// Whether these are bytes of an earlier payment.
    pub replay: bool,
}

/// A signed transfer authorization.
#[derive(Debug, Clone)]
pub struct Authorized {
    /// The payment.
    pub transaction: TransactionId,
    /// The event that charged it.
    pub sequence: u64,
    /// What was signed, and the signature.
    pub signed: SignedAuthorization,
    /// How it was released.
    pub tier: Tier,
    /// Whether this is an earlier authorization.
    pub replay: bool,
}

/// A signed login.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The message.
    pub message: MessageId,
    /// The event that counted it.
    pub sequence: u64,
    /// Its text, what the signature is over, and the signature.
    pub signed: SignedMessage,
    /// How it was released.
    pub tier: Tier,
    /// Whether this is an earlier message.
    pub replay: bool,
}

/// A drafted statement.
#[derive(Debug, Clone)]
pub struct Drafted {
    /// Its identifier.
    pub statement: StatementId,
    /// Exactly what the owner signs.
    pub text: String,
}

/// A new signer.
#[derive(Debug)]
pub struct Initialized {
    /// Its identifier.
    pub signer: SignerId,
    /// The 24 words, to be taken once.
    pub phrase: LockedBytes,
}

/// A refusal by one code.
///
/// # Errors
/// Always: it is one.
pub fn refused<T>(code: Code) -> Result<T, Denial> {
    Err(code.into())
}
