//! What comes into the core and what leaves it. Passwords were checked before (`with_password`); the
//! proof is a value that only the vault's success can make.

mod message;
mod order;
mod variant;

use waiaas_shared::address::Account;
use waiaas_shared::authorization::AuthorizationMessage;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{Origin, Spend, Variant};
use waiaas_shared::ids::{
    AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use waiaas_shared::intent::{Intent, IntentView};
use waiaas_shared::keys::KeyPath;
use waiaas_shared::log::Head;
use waiaas_shared::policy::evaluate::{Now, Tier};
use waiaas_shared::request_signature::{Request, SignedRequest};
use waiaas_shared::sign_in::SignInMessage;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::text::StatementText;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::{BudgetTime, Clocks, Millis, WallTime};

pub use message::{MessageRequest, PriorAuthorization, PriorLogin};
pub use order::{MessageSeal, Sealed, Signable, SigningOrder};
pub use variant::{Change, VariantRequest};

/// Clocks and entropy of one decision: the core reads no other.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The three clocks.
    pub clocks: Clocks,
    /// The wall clock's lower side, never ahead of what the host's shows (`clock::ClockKeeper::steady`): from when
    /// validity is granted that ends by somebody else's clock, and by which nothing is held too old.
    pub steady: WallTime,
    /// 256 fresh random bits, for identifiers.
    pub entropy: [u8; 32],
}

impl Context {
    /// When a payment is judged.
    pub(super) const fn rules(&self) -> Now {
        Now {
            budget: self.clocks.budget,
            wall: self.clocks.wall,
            steady: self.steady,
        }
    }
}

/// Everything that can be asked of the core.
#[derive(Debug, Clone)]
pub enum Command {
    /// The first event of a new log.
    Create {
        /// The new signer.
        signer: SignerId,
    },
    /// The password opened the keystore.
    Unlocked(UnlockFacts),
    /// Wipe the keys.
    Lock(Origin),
    /// The wall clock moved without an explanation.
    ClockStepped {
        /// What it shows.
        seen: WallTime,
    },
    /// Throw the kill switch.
    Kill(Origin),
    /// Pause a wallet, or everything.
    Pause {
        /// Which wallet; none: all.
        wallet: Option<WalletId>,
        /// Who asks.
        origin: Origin,
    },
    /// Revoke a session.
    RevokeSession {
        /// Which.
        session: SessionId,
        /// Who asks.
        origin: Origin,
    },
    /// Suspend an agent, or begin its end.
    StopAgent {
        /// Which.
        agent: AgentId,
        /// Which of the two.
        stop: AgentStop,
        /// Who asks.
        origin: Origin,
    },
    /// Renew a session inside of its bounds.
    Renew(SessionRequest),
    /// Sign in at a web site.
    SignIn(MessageRequest),
    /// Authorize a transfer that somebody else brings to the chain.
    AuthorizeTransfer(MessageRequest),
    /// Move a wallet to a new key: owners signed.
    Rotate {
        /// What owners signed.
        submission: Submission,
        /// The next key of the wallet's family.
        key: DerivedKey,
    },
    /// Bind a fresh key to its networks; came over `admin.sock` with the password.
    CreateWallet(WalletRequest),
    /// Write a text for an owner to sign.
    Draft {
        /// What it says.
        facts: StatementFacts,
        /// Where it is asked.
        origin: Origin,
    },
    /// Enrol an owner's key; came over `admin.sock` with the password.
    Enrol(Rehearsal),
    /// Carry out what owners signed.
    Submit(Submission),
    /// Register a new owner's or guardian's key: owners signed, and the key signed the same text.
    Register {
        /// What owners signed.
        submission: Submission,
        /// What the new key signed.
        rehearsal: Rehearsal,
    },
    /// Begin a recovery; came over `admin.sock` with password and recovery phrase.
    Recover(Recovery),
    /// Suspend an owner's key; came over `admin.sock` with the password.
    SuspendOwner {
        /// Whose.
        owner: OwnerId,
    },
    /// Write the text of a credit.
    DraftCredit {
        /// What it says.
        facts: StatementFacts,
        /// Where it is asked.
        origin: Origin,
        /// The payment's entry, as the ledger found it.
        entry: Option<Box<Prior>>,
    },
    /// Carry out a signed credit.
    Credit {
        /// What owners signed.
        submission: Submission,
        /// The payment's entry, as the ledger found it.
        entry: Option<Box<Prior>>,
    },
    /// Carry out a signed withdrawal.
    Withdraw(Withdrawal),
    /// An agent's payment.
    Spend(SpendRequest),
    /// The bytes of a committed payment once more.
    Resend(Box<Prior>, Origin),
    /// Sign a payment that waited.
    Release(Release),
    /// Sign an issued nonce once more.
    Vary(VariantRequest),
    /// End a waiting payment.
    CancelIntent {
        /// Which.
        transaction: TransactionId,
        /// Who asks.
        origin: Origin,
    },
    /// End waiting payments whose time ran out.
    EndExpired,
    /// Let what time alone brings go off.
    Watch,
    /// The durable state was encoded as a snapshot: name it.
    NameSnapshot(SnapshotName),
    /// Refusals since the last such entry.
    CountDenials(Vec<(Option<SessionId>, Code, u32)>),
}

impl Command {
    /// Whether it can only stop something: it needs no fresh identifier, and no reading of the clocks
    /// decides about it.
    #[must_use]
    pub const fn stops(&self) -> bool {
        matches!(
            self,
            Self::Kill(_)
                | Self::Pause { .. }
                | Self::RevokeSession { .. }
                | Self::StopAgent { .. }
                | Self::CancelIntent { .. }
                | Self::SuspendOwner { .. }
                | Self::Lock(_)
        )
    }
}

/// What tightens an agent's stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentStop {
    /// Until an owner activates it again.
    Suspend,
    /// For good.
    Terminate,
}

/// A key that the vault derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DerivedKey {
    /// The next index of its family, as [`super::State::next_path`] gave it.
    pub path: KeyPath,
    /// Its address.
    pub account: Account,
}

/// A request of a session that carries no transaction, as it came over HTTP.
#[derive(Debug, Clone)]
pub struct SessionRequest {
    /// Which.
    pub session: SessionId,
    /// `@method` of the HTTP request.
    pub method: String,
    /// `@path`.
    pub path: String,
    /// `@query`.
    pub query: String,
    /// The agent's key for this request.
    pub idempotency_key: String,
    /// Raw body.
    pub body: Vec<u8>,
    /// `Signature-Input`; empty for a bearer session.
    pub signature_input: String,
    /// `Signature`; empty for a bearer session.
    pub signature: String,
}

impl SessionRequest {
    /// What the agent signed, if it did.
    pub(super) fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            request: Request {
                method: &self.method,
                path: &self.path,
                query: &self.query,
                body: &self.body,
                idempotency_key: &self.idempotency_key,
            },
            signature_input: &self.signature_input,
            signature: &self.signature,
        }
    }
}

/// What an unlock takes in.
#[derive(Debug, Clone, Copy)]
pub struct UnlockFacts {
    /// Hash of the locked journal's last entry.
    pub journal: Digest,
    /// Time off that the owner vouches for.
    pub vouched: Millis,
    /// Wrong passwords since the last unlock.
    pub failures: u32,
    /// The journal was missing or broken.
    pub journal_lost: bool,
    /// A head that the owner presented, if the log does not go through it.
    pub missed: Option<MissedHead>,
}

/// A head that the log key signed and that this log does not go through.
#[derive(Debug, Clone, Copy)]
pub struct MissedHead {
    /// How far that log went.
    pub head: Head,
    /// The log key's signature over it.
    pub signature: [u8; 64],
}

/// What names a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotName {
    /// How the state is encoded.
    pub version: u32,
    /// The last event that it holds.
    pub sequence: u64,
    /// Digest over all of it.
    pub digest: Digest,
}

/// A new wallet.
#[derive(Debug, Clone)]
pub struct WalletRequest {
    /// The next index of its family, as [`super::State::next_path`] gave it.
    pub path: KeyPath,
    /// The address that the vault derived for the path.
    pub account: Account,
    /// Its networks.
    pub networks: Vec<ChainId>,
    /// The owner's attestation of the first nonce on each EVM network.
    pub first_nonce: u64,
}

/// A new owner's rehearsal.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The `EnrolOwner` statement.
    pub statement: StatementId,
    /// In which envelope the new key signed it.
    pub envelope: Envelope,
    /// The new key's signature.
    pub signature: Vec<u8>,
}

/// A signed statement.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Which.
    pub statement: StatementId,
    /// Owners' signatures.
    pub signatures: Vec<OwnerSignature>,
    /// Where it came in.
    pub origin: Origin,
    /// Whether the password came with it (only ever over `admin.sock`).
    pub with_password: bool,
}

impl Submission {
    /// Some kinds go over `admin.sock` with the password only.
    ///
    /// # Errors
    /// [`Code::AdminOnly`].
    pub(super) fn require_password(&self) -> Result<(), Code> {
        if self.with_password && self.origin == Origin::Admin {
            Ok(())
        } else {
            Err(Code::AdminOnly)
        }
    }
}

/// A recovery that is begun.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The new key's signature over the `RecoverOwners` statement.
    pub rehearsal: Rehearsal,
    /// Guardians' signatures over the same text, if any.
    pub guardians: Vec<OwnerSignature>,
}

/// A signed withdrawal with the transaction that carries it out.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// The `Withdraw` statement.
    pub statement: StatementId,
    /// Owners' signatures.
    pub signatures: Vec<OwnerSignature>,
    /// Proposed transaction; EVM: nonce 0.
    pub unsigned: Vec<u8>,
}

/// An agent's request with the bytes that the gateway proposes for it.
#[derive(Debug, Clone)]
pub struct SpendRequest {
    /// Under which session.
    pub session: SessionId,
    /// `@method` of the HTTP request.
    pub method: String,
    /// `@path`.
    pub path: String,
    /// `@query`.
    pub query: String,
    /// The agent's key for this request.
    pub idempotency_key: String,
    /// Raw body.
    pub body: Vec<u8>,
    /// `Signature-Input`; empty for a bearer session.
    pub signature_input: String,
    /// `Signature`; empty for a bearer session.
    pub signature: String,
    /// Proposed transaction; EVM: nonce 0.
    pub unsigned: Vec<u8>,
    /// What already used this idempotency key, as the ledger's index found it. The core checks that it
    /// is the right one.
    pub used: Option<Used>,
    /// The payment that the body says it replaces, as the ledger's index found it. The core checks that
    /// it is the right one.
    pub replaced: Option<Box<Prior>>,
    /// A dry run: judged, without the request's signature, and never committed.
    pub dry_run: bool,
}

/// Fresh bytes for a waiting payment.
#[derive(Debug, Clone)]
pub struct Release {
    /// Which.
    pub transaction: TransactionId,
    /// Proposed transaction; EVM: nonce 0.
    pub unsigned: Vec<u8>,
    /// The payment, if it was signed already, as the ledger's index found it.
    pub prior: Option<Box<Prior>>,
}

/// What an idempotency key was used for, from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Used {
    /// A committed payment.
    Paid(Box<Prior>),
    /// A payment that was to wait; whether it still does is in the state.
    Waited(Box<Intent>),
    /// A login.
    SignedIn(Box<PriorLogin>),
    /// A transfer authorization. No payment of its name is found by it: it has no bytes for a chain.
    Authorized(Box<PriorAuthorization>),
}

impl Used {
    /// Whose key it was.
    #[must_use]
    pub const fn idempotency(&self) -> &Digest {
        match self {
            Self::Paid(prior) => &prior.spend.idempotency,
            Self::Waited(intent) => &intent.idempotency,
            Self::SignedIn(login) => &login.entry.idempotency,
            Self::Authorized(prior) => &prior.spend.idempotency,
        }
    }

    /// Digest of the body that it was used with.
    #[must_use]
    pub const fn body(&self) -> &Digest {
        match self {
            Self::Paid(prior) => &prior.spend.body,
            Self::Waited(intent) => &intent.body,
            Self::SignedIn(login) => &login.entry.body,
            Self::Authorized(prior) => &prior.spend.body,
        }
    }
}

/// A committed payment, from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// The event's number.
    pub sequence: u64,
    /// When it was charged.
    pub charged_at: BudgetTime,
    /// The payment.
    pub spend: Spend,
    /// Where it stands among the transactions of its nonce, if it is not the first one.
    pub variant: Option<Variant>,
}

impl Prior {
    /// Whether it does nothing but use its nonce up.
    #[must_use]
    pub fn cancels(&self) -> bool {
        self.variant.as_ref().is_some_and(|variant| variant.cancels)
    }
}

/// What is let out once the decision's events are durable.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing but that it happened.
    Done,
    /// A text for an owner to sign.
    Drafted {
        /// The statement.
        statement: StatementId,
        /// Exactly what the owner signs.
        text: StatementText,
    },
    /// A new wallet.
    Wallet(WalletId),
    /// A new owner.
    Owner(OwnerId),
    /// A new session.
    Session(SessionId),
    /// A session that was renewed, until then.
    Renewed(WallTime),
    /// The kill switch was thrown: wipe the keys.
    WipeKeys,
    /// Sign and let out.
    Sign(Box<SigningOrder>),
    /// Sign a message of the signer's own template and let it out.
    SignMessage(Box<SigningOrder<SignInMessage>>),
    /// Sign a transfer authorization and let it out.
    Authorize(Box<SigningOrder<AuthorizationMessage>>),
    /// Accepted, and waits.
    Waiting(Box<IntentView>),
    /// A dry run that passes.
    WouldSign {
        /// How it would be released.
        tier: Tier,
        /// Worst-case fee, base units of the native asset.
        fee: waiaas_shared::amount::Amount,
    },
    /// A dry run of a login that passes.
    WouldSignIn(Tier),
}
