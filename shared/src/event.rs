//! The events: everything that matters, as it is written to the log. An event records derived facts
//! (charges, tier, effects, epochs, clocks), so that folding an old log with a newer program gives
//! the same state. A shipped kind never changes; a change is a new kind. Unknown kinds are refused.
//! docs/events.md lists them with their bytes.

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::agent::AgentStage;
use crate::amount::Amount;
use crate::authorization::TransferAuthorization;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::denial::{Code, Violation};
use crate::digest::{Digest, Domain, hash};
use crate::effect::Effect;
use crate::ids::{
    AgentId, MessageId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId,
};
use crate::intent::{Intent, IntentEnd};
use crate::keys::{KeyPath, OwnerKey};
use crate::memo::Memo;
use crate::owner_change::OwnerChange;
use crate::policy::alarm::{Subject, Trigger};
use crate::policy::evaluate::Tier;
use crate::sign_in::SignIn;
use crate::statement::StatementFacts;
use crate::statement::text::StatementText;
use crate::statement::verify::Envelope;
use crate::time::{BudgetTime, Clocks, Millis, RunTime, WallTime};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Event {
    /// The three clocks at the decision.
    #[n(0)]
    pub clocks: Clocks,
    /// What happened.
    #[n(1)]
    pub body: EventBody,
}

/// On which socket something was asked, or that nobody asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Origin {
    /// `gateway.sock`.
    #[n(0)]
    Gateway,
    /// `admin.sock`.
    #[n(1)]
    Admin,
    /// Nobody asked: an alarm went off.
    #[n(2)]
    Signer,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum EventBody {
    /// The log begins.
    #[n(0)]
    Created {
        /// This signer.
        #[n(0)]
        signer: SignerId,
    },
    /// The password opened the keystore.
    #[n(1)]
    Unlocked {
        /// Hash of the locked journal's last entry that this unlock took in.
        #[n(0)]
        journal: Digest,
        /// Time off that the owner vouched for: moves the budget clock.
        #[n(1)]
        vouched: Millis,
        /// Wrong passwords since the last unlock.
        #[n(2)]
        failures: u32,
        /// The journal was missing or broken: the signer starts frozen.
        #[n(3)]
        journal_lost: bool,
    },
    /// Keys are wiped after this event.
    #[n(2)]
    Locked {
        /// Who asked.
        #[n(0)]
        origin: Origin,
    },
    /// The wall clock moved without an explanation: signing is closed.
    #[n(3)]
    ClockStepped {
        /// What the clock showed, before the step was refused.
        #[n(0)]
        seen: WallTime,
    },
    /// An owner's key was rehearsed and enrolled.
    #[n(4)]
    OwnerEnrolled {
        /// The new owner.
        #[n(0)]
        owner: OwnerId,
        /// The key.
        #[n(1)]
        key: OwnerKey,
        /// The envelope that this owner's wallet really produces.
        #[n(2)]
        envelope: Envelope,
        /// Addresses enrolled with the first owner.
        #[n(3)]
        withdrawals: Vec<AccountId>,
        /// The rehearsal.
        #[n(4)]
        statement: StatementId,
    },
    /// A wallet came to be, bound to its networks for ever.
    #[n(5)]
    WalletCreated {
        /// The new wallet.
        #[n(0)]
        wallet: WalletId,
        /// Where its key comes from; given once.
        #[n(1)]
        path: KeyPath,
        /// Its address.
        #[n(2)]
        account: Account,
        /// Its networks; a Solana wallet has exactly one.
        #[n(3)]
        networks: Vec<ChainId>,
        /// The owner's attestation of the first nonce on each EVM network.
        #[n(4)]
        first_nonce: u64,
    },
    /// The signer wrote a text for an owner to sign.
    #[n(6)]
    StatementIssued {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// What it says.
        #[n(1)]
        facts: StatementFacts,
        /// Policy epoch in its text.
        #[n(2)]
        policy_epoch: u64,
        /// Until when it may be signed.
        #[n(3)]
        expires: WallTime,
        /// Where it was drafted.
        #[n(4)]
        origin: Origin,
        /// Exactly what the owner signs.
        #[n(5)]
        text: StatementText,
    },
    /// An `AdoptPolicy` statement was signed.
    #[n(7)]
    PolicyAdopted {
        /// The statement, which holds the document.
        #[n(0)]
        statement: StatementId,
        /// Who signed.
        #[n(1)]
        signers: Vec<OwnerId>,
        /// The document's epoch.
        #[n(2)]
        epoch: u64,
        /// The document's digest.
        #[n(3)]
        digest: Digest,
        /// When it matures and earlier documents stop binding, on the DELAY clock.
        #[n(4)]
        matures: RunTime,
    },
    /// A `GrantSession` statement was signed.
    #[n(8)]
    SessionGranted {
        /// The new session.
        #[n(0)]
        session: SessionId,
        /// The statement, which holds the grant.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// A session was revoked.
    #[n(9)]
    SessionRevoked {
        /// Which.
        #[n(0)]
        session: SessionId,
        /// Who asked.
        #[n(1)]
        origin: Origin,
    },
    /// A session's end was seen to have passed; it stays passed.
    #[n(10)]
    SessionExpired {
        /// Which.
        #[n(0)]
        session: SessionId,
    },
    /// A payment was charged; its signature is an effect of this event.
    #[n(11)]
    SpendCommitted(#[n(0)] Spend),
    /// A `Withdraw` statement was signed and carried out.
    #[n(12)]
    Withdrawn {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// Who signed.
        #[n(1)]
        signers: Vec<OwnerId>,
        /// The payment.
        #[n(2)]
        spend: Spend,
    },
    /// A wallet, or everything, was paused.
    #[n(13)]
    Paused {
        /// Which wallet; none: all.
        #[n(0)]
        wallet: Option<WalletId>,
        /// Who asked.
        #[n(1)]
        origin: Origin,
    },
    /// A `ReleasePause` statement was signed.
    #[n(14)]
    PauseReleased {
        /// Which wallet; none: all.
        #[n(0)]
        wallet: Option<WalletId>,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// The kill switch was thrown: keys are wiped, sessions revoked.
    #[n(15)]
    Killed {
        /// The new kill epoch.
        #[n(0)]
        epoch: u64,
        /// Who threw it.
        #[n(1)]
        origin: Origin,
    },
    /// A `ReleaseKill` statement was signed: recovering, paused until the owner resumes.
    #[n(16)]
    KillReleased {
        /// Which throw of it.
        #[n(0)]
        epoch: u64,
        /// Sessions restored.
        #[n(1)]
        sessions: Vec<SessionId>,
        /// The statement.
        #[n(2)]
        statement: StatementId,
        /// Who signed.
        #[n(3)]
        signers: Vec<OwnerId>,
    },
    /// An `AttestNonce` statement was signed.
    #[n(17)]
    NonceAttested {
        /// Which wallet.
        #[n(0)]
        wallet: WalletId,
        /// Which chain.
        #[n(1)]
        chain: ChainId,
        /// The next nonce.
        #[n(2)]
        next: u64,
        /// The statement.
        #[n(3)]
        statement: StatementId,
        /// Who signed.
        #[n(4)]
        signers: Vec<OwnerId>,
        /// Of a key that the wallet had before: its address.
        #[n(5)]
        from: Option<Account>,
    },
    /// A `StateTime` statement was signed.
    #[n(18)]
    TimeStated {
        /// The stated time.
        #[n(0)]
        wall: WallTime,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// An `EnrolWithdrawal` statement was signed.
    #[n(19)]
    WithdrawalEnrolled {
        /// Which address.
        #[n(0)]
        account: AccountId,
        /// From when on it may receive, on the DELAY clock.
        #[n(1)]
        effective: RunTime,
        /// The statement.
        #[n(2)]
        statement: StatementId,
        /// Who signed.
        #[n(3)]
        signers: Vec<OwnerId>,
    },
    /// Refusals since the last such entry; identical ones count together.
    #[n(20)]
    DenialsCounted {
        /// Whose requests; none if no known session asked.
        #[n(0)]
        session: Option<SessionId>,
        /// The first rule that was broken.
        #[n(1)]
        code: Code,
        /// How many.
        #[n(2)]
        count: u32,
    },
    /// A payment was accepted and waits: for its delay, or for the owner.
    #[n(21)]
    IntentOpened(#[n(0)] Intent),
    /// An `ApprovePayment` statement was signed.
    #[n(22)]
    IntentApproved {
        /// Which payment.
        #[n(0)]
        transaction: TransactionId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
        /// Until when it may be released, on the DELAY clock.
        #[n(3)]
        until: RunTime,
    },
    /// Waiting payments ended without being signed.
    #[n(23)]
    IntentsEnded {
        /// Which.
        #[n(0)]
        transactions: Vec<TransactionId>,
        /// Why.
        #[n(1)]
        cause: IntentEnd,
    },
    /// A change of owners was asked for: announced here, in effect only later.
    #[n(24)]
    OwnerChangeScheduled {
        /// What it does.
        #[n(0)]
        change: OwnerChange,
        /// When it takes effect, on the DELAY clock.
        #[n(1)]
        effective: RunTime,
        /// The statement, which names the change from here on.
        #[n(2)]
        statement: StatementId,
        /// Who signed.
        #[n(3)]
        signers: Vec<OwnerId>,
    },
    /// A change of owners was cancelled by an owner, or by a guardian.
    #[n(25)]
    OwnerChangeCancelled {
        /// Which change.
        #[n(0)]
        change: StatementId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// A change of owners has waited long enough and took effect.
    #[n(26)]
    OwnerChangeEffective {
        /// Which change.
        #[n(0)]
        change: StatementId,
    },
    /// A change of owners has waited long enough but fits no more: it never takes effect.
    #[n(27)]
    OwnerChangeVoided {
        /// Which change.
        #[n(0)]
        change: StatementId,
        /// Why.
        #[n(1)]
        code: Code,
    },
    /// An owner's key was suspended, by another owner or with the password.
    #[n(28)]
    OwnerSuspended {
        /// Whose.
        #[n(0)]
        owner: OwnerId,
        /// Policy documents that never mature because this key signed them, by epoch.
        #[n(1)]
        policies: Vec<u64>,
        /// Sessions that are revoked because this key granted them.
        #[n(2)]
        sessions: Vec<SessionId>,
        /// Changes of owners that are void because this key signed them.
        #[n(3)]
        changes: Vec<StatementId>,
        /// The statement; none: the password alone.
        #[n(4)]
        statement: Option<StatementId>,
        /// Who signed.
        #[n(5)]
        signers: Vec<OwnerId>,
    },
    /// A `LiftSuspension` statement was signed.
    #[n(29)]
    SuspensionLifted {
        /// Whose.
        #[n(0)]
        owner: OwnerId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// A `Credit` statement was signed: the payment counts as never made.
    #[n(30)]
    Credited {
        /// Its entry in the log.
        #[n(0)]
        sequence: u64,
        /// Which wallet was charged.
        #[n(1)]
        wallet: WalletId,
        /// Which session was charged.
        #[n(2)]
        session: SessionId,
        /// When it was charged, on the budget clock.
        #[n(3)]
        charged_at: BudgetTime,
        /// What is given back, sorted by asset.
        #[n(4)]
        amounts: Vec<Charge>,
        /// The statement.
        #[n(5)]
        statement: StatementId,
        /// Who signed.
        #[n(6)]
        signers: Vec<OwnerId>,
    },
    /// A guardian signed a stop; the event of the stop follows.
    #[n(31)]
    GuardianStopped {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// Which guardians signed.
        #[n(1)]
        guardians: Vec<OwnerId>,
    },
    /// A `Retire` statement was signed: the last event of the log, whose signed head is final.
    #[n(32)]
    Retired {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// Who signed.
        #[n(1)]
        signers: Vec<OwnerId>,
    },
    /// The state after the event before this one was kept as a snapshot.
    #[n(33)]
    SnapshotTaken {
        /// How the state is encoded.
        #[n(0)]
        version: u32,
        /// The last event that it holds; this one is the next.
        #[n(1)]
        sequence: u64,
        /// Digest of version, sequence, that event's hash, and the canonical state.
        #[n(2)]
        digest: Digest,
    },
    /// The owner presented a signed head that this log does not go through: everything is paused.
    #[n(34)]
    HeadMissed {
        /// The presented head's last event.
        #[n(0)]
        sequence: u64,
        /// Its hash.
        #[n(1)]
        hash: Digest,
        /// The log key's signature over the presented note: proof that there was another log.
        #[n(2)]
        #[cbor(with = "minicbor::bytes")]
        signature: Vec<u8>,
    },
    /// A session was renewed inside of its grant's bounds; identifier, counters and grant stay.
    #[n(40)]
    SessionRenewed {
        /// Which.
        #[n(0)]
        session: SessionId,
        /// When it ends now.
        #[n(1)]
        ends: WallTime,
        /// The request signature's nonce, of a session that is bound to an agent's key.
        #[n(2)]
        request_nonce: Option<RequestNonce>,
    },
    /// A `CloseWallet` statement was signed.
    #[n(41)]
    WalletClosed {
        /// Which.
        #[n(0)]
        wallet: WalletId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// A `RotateWallet` statement was signed: the wallet has a new key, and the old one is closed.
    #[n(42)]
    WalletRotated {
        /// Which.
        #[n(0)]
        wallet: WalletId,
        /// Where the new key comes from; given once.
        #[n(1)]
        path: KeyPath,
        /// Its address.
        #[n(2)]
        account: Account,
        /// Its first nonce on each EVM network.
        #[n(3)]
        first_nonce: u64,
        /// The statement.
        #[n(4)]
        statement: StatementId,
        /// Who signed.
        #[n(5)]
        signers: Vec<OwnerId>,
    },
    /// A `RegisterAgent` statement was signed.
    #[n(43)]
    AgentRegistered {
        /// The new agent.
        #[n(0)]
        agent: AgentId,
        /// Created, or active at once.
        #[n(1)]
        stage: AgentStage,
        /// The statement.
        #[n(2)]
        statement: StatementId,
        /// Who signed.
        #[n(3)]
        signers: Vec<OwnerId>,
    },
    /// An `ActivateAgent` statement was signed.
    #[n(44)]
    AgentActivated {
        /// Which.
        #[n(0)]
        agent: AgentId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// An agent was suspended, or is terminating.
    #[n(45)]
    AgentStopped {
        /// Which.
        #[n(0)]
        agent: AgentId,
        /// Its new stage.
        #[n(1)]
        stage: AgentStage,
        /// Who asked.
        #[n(2)]
        origin: Origin,
    },
    /// Nothing of a terminating agent waits any more: it is terminated, and its sessions are revoked.
    #[n(46)]
    AgentTerminated {
        /// Which.
        #[n(0)]
        agent: AgentId,
        /// Its sessions that could have been used again.
        #[n(1)]
        sessions: Vec<SessionId>,
    },
    /// A nonce that was issued before was signed once more: the same payment with a higher fee, or a
    /// cancellation. One of its transactions lands at most, so they are charged as one.
    #[n(47)]
    SpendReplaced {
        /// The new transaction, a payment of its own. What it charges replaces what is taken back.
        #[n(0)]
        spend: Spend,
        /// Where it stands among the transactions of its nonce.
        #[n(1)]
        variant: Variant,
    },
    /// A session signs nothing, and what waits under it is not released, until an owner resumes it.
    #[n(35)]
    SessionSuspended {
        /// Which.
        #[n(0)]
        session: SessionId,
    },
    /// A `ResumeSession` statement was signed.
    #[n(36)]
    SessionResumed {
        /// Which.
        #[n(0)]
        session: SessionId,
        /// The statement.
        #[n(1)]
        statement: StatementId,
        /// Who signed.
        #[n(2)]
        signers: Vec<OwnerId>,
    },
    /// An alarm, an escalated violation or the dead-man time went off; what it stops follows as events of
    /// its own.
    #[n(37)]
    AlarmRaised {
        /// What went off, with its remedy.
        #[n(0)]
        trigger: Trigger,
        /// For whom it was counted.
        #[n(1)]
        subject: Subject,
        /// Which session's request set it off; none if no request did.
        #[n(2)]
        session: Option<SessionId>,
        /// What was seen: a number, base units, or milliseconds.
        #[n(3)]
        observed: Amount,
        /// The asset of base units.
        #[n(4)]
        asset: Option<AssetId>,
        /// Where its counting begins anew: the same cause never sets it off twice.
        #[n(5)]
        mark: u64,
    },
    /// A `SignOfLife` statement was signed.
    #[n(38)]
    OwnerAlive {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// Who signed.
        #[n(1)]
        signers: Vec<OwnerId>,
    },
    /// A request that an agent made was refused, and an alarm counts such refusals in a row.
    #[n(39)]
    DenialNoted {
        /// Under which session.
        #[n(0)]
        session: SessionId,
        /// Digest of the request's body: the same request counts once.
        #[n(1)]
        body: Digest,
        /// The first rule that was broken.
        #[n(2)]
        code: Code,
    },
    /// A login at a web site was counted; its signature is an effect of this event.
    #[n(50)]
    SignedIn(#[n(0)] SignedIn),
    /// A transfer that somebody else brings to the chain was charged; its signature is an effect of this event.
    #[n(51)]
    TransferAuthorized {
        /// The payment. Its bytes are those whose hash is signed; it has neither fee nor account nonce.
        #[n(0)]
        spend: Spend,
        /// What is signed, field by field.
        #[n(1)]
        authorization: TransferAuthorization,
    },
}

/// A login as it was counted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedIn {
    /// Its name everywhere.
    #[n(0)]
    pub message: MessageId,
    /// Which session asked.
    #[n(1)]
    pub session: SessionId,
    /// Which wallet signs in.
    #[n(2)]
    pub wallet: WalletId,
    /// What the message says.
    #[n(3)]
    pub fields: SignIn,
    /// Exactly the text that is signed, as the signer wrote it from the fields.
    #[n(4)]
    pub text: String,
    /// How it was released.
    #[n(5)]
    pub tier: Tier,
    /// Epoch of the newest binding policy.
    #[n(6)]
    pub policy_epoch: u64,
    /// Digest of who owns the idempotency key and of the key.
    #[n(7)]
    pub idempotency: Digest,
    /// Digest of the request's body.
    #[n(8)]
    pub body: Digest,
    /// Until when the idempotency key is kept.
    #[n(9)]
    pub kept_until: WallTime,
    /// The request signature's nonce, of a session that is bound to an agent's key.
    #[n(10)]
    pub request_nonce: Option<RequestNonce>,
}

/// A payment as it was charged.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Spend {
    /// Its name everywhere.
    #[n(0)]
    pub transaction: TransactionId,
    /// Which session asked; none for a withdrawal.
    #[n(1)]
    pub session: Option<SessionId>,
    /// Which wallet pays.
    #[n(2)]
    pub wallet: WalletId,
    /// On which chain.
    #[n(3)]
    pub chain: ChainId,
    /// The exact bytes that are signed.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub unsigned: Vec<u8>,
    /// What they do, as derived from them.
    #[n(5)]
    pub effects: Vec<Effect>,
    /// What was charged, sorted by asset.
    #[n(6)]
    pub charges: Vec<Charge>,
    /// How it was released.
    #[n(7)]
    pub tier: Tier,
    /// Epoch of the newest binding policy; 0 for a withdrawal.
    #[n(8)]
    pub policy_epoch: u64,
    /// The nonce that the signer issued, on an EVM chain.
    #[n(9)]
    pub nonce: Option<u64>,
    /// Digest of who owns the idempotency key and of the key.
    #[n(10)]
    pub idempotency: Digest,
    /// Digest of the request's body.
    #[n(11)]
    pub body: Digest,
    /// Until when the idempotency key is kept.
    #[n(12)]
    pub kept_until: WallTime,
    /// The request signature's nonce, of a session that is bound to an agent's key.
    #[n(13)]
    pub request_nonce: Option<RequestNonce>,
    /// Whether the gateway was asked to send it.
    #[n(14)]
    pub submit: bool,
    /// The wallet's former address that pays: a withdrawal after a rotation. None: its own.
    #[n(15)]
    pub from: Option<Account>,
    /// The earlier payment that it replaces, if any.
    #[n(16)]
    pub replaces: Option<Replaces>,
    /// What it had gone through, if it waited: its bytes are given again only where that still suffices.
    #[n(17)]
    pub waited: Option<Waited>,
    /// The fee up to which it was agreed, of a payment that waited.
    #[n(18)]
    pub fee_ceiling: Option<Amount>,
    /// What the bytes write to the chain's log, as derived from them.
    #[n(19)]
    pub memo: Option<Memo>,
}

/// What a payment that waited had gone through when it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Waited {
    /// When its wait began.
    #[n(0)]
    pub since: RunTime,
    /// The owners who had approved it, of whom each was one still.
    #[n(1)]
    pub approved: Vec<OwnerId>,
    /// The rules of policy that it broke when its wait began, about which they were asked; never empty.
    #[n(2)]
    pub asked: Option<Vec<Violation>>,
}

/// One more transaction for a nonce that the signer issued before (invariant 6).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Variant {
    /// The newest transaction of the nonce before: its bytes are not given again.
    #[n(0)]
    pub of: TransactionId,
    /// The payment for which the nonce was issued.
    #[n(1)]
    pub first: TransactionId,
    /// How many there were before, the payment included.
    #[n(2)]
    pub number: u32,
    /// It does nothing but use the nonce up: a transfer of nothing to the wallet itself.
    #[n(3)]
    pub cancels: bool,
    /// When the one before was charged, on the budget clock.
    #[n(4)]
    pub charged_at: BudgetTime,
    /// What is taken back of that charge, sorted by asset.
    #[n(5)]
    pub taken: Vec<Charge>,
    /// What stays of it, sorted by asset: the old bytes may still land.
    #[n(6)]
    pub kept: Vec<Charge>,
}

impl Variant {
    /// What stands for an idempotency key with whatever takes the place of a transaction on its nonce: one
    /// thing ever does.
    #[must_use]
    pub fn key(of: TransactionId) -> Digest {
        hash(Domain::Idempotency, &[b"variant", of.as_bytes(), &[]])
    }
}

/// An earlier payment of the same effect whose end nobody saw. It may still land: both are charged
/// (invariant 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Replaces {
    /// The payment that is replaced.
    #[n(0)]
    pub transaction: TransactionId,
    /// How many payments were signed for the same end before, that one included.
    #[n(1)]
    pub tries: u32,
}

/// Base units charged to an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Charge {
    /// Which asset.
    #[n(0)]
    pub asset: AssetId,
    /// How much.
    #[n(1)]
    pub amount: Amount,
}

/// A request signature's nonce, remembered until its signature can no longer be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RequestNonce {
    /// As the agent made it.
    #[n(0)]
    pub nonce: String,
    /// When its signature is too old.
    #[n(1)]
    pub expires: WallTime,
}
