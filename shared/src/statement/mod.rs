//! Owner statements: what an owner can say, the text that the signer writes for it, and the check of
//! the signature over exactly that text. Each kind is a domain of its own; none verifies as another.

mod handed_in;
pub mod text;
pub mod verify;

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId, ChainId};
use crate::event::Charge;
use crate::ids::{AgentId, OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId};
use crate::keys::OwnerKey;
use crate::session::SessionGrant;
use crate::time::{Millis, WallTime};

pub use self::handed_in::HandedIn;

/// How long a drafted statement may be signed.
pub const LIFETIME: Millis = Millis::from_hours(1);
/// Statements open at once, per socket on which they were drafted; on `admin.sock` each kind that opens the
/// way out has as many places for itself.
pub const OPEN_LIMIT: usize = 16;
/// A stated time lies no further than this beyond the signer's own: it is never taken back, and every later
/// statement expires by it.
pub const TIME_AHEAD: Millis = Millis::from_hours(24 * 366);
/// Further than this it is stated over `admin.sock` with the password only.
pub const TIME_AHEAD_ALONE: Millis = Millis::from_hours(24 * 30);
/// No stated time lies beyond this one: 2100-01-01 00:00:00 UTC.
pub const TIME_END: WallTime = WallTime::from_millis(4_102_444_800_000);
/// The text of a statement, at most, in characters.
pub const TEXT_LIMIT: usize = 4096;

/// What an owner says. The signer adds the header; the owner signs the text made of both.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum StatementFacts {
    /// The rehearsal of a new owner's key, signed by that key itself.
    #[n(0)]
    EnrolOwner {
        /// The key.
        #[n(0)]
        key: OwnerKey,
        /// Addresses to which withdrawals may go: only with the first owner; later ones by
        /// `EnrolWithdrawal`.
        #[n(1)]
        withdrawals: Vec<AccountId>,
    },
    /// Adopts a policy document.
    #[n(1)]
    AdoptPolicy {
        /// Its canonical bytes.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        document: Vec<u8>,
    },
    /// Grants a session to an agent.
    #[n(2)]
    GrantSession {
        /// Its constraints.
        #[n(0)]
        grant: SessionGrant,
    },
    /// Releases the kill switch.
    #[n(3)]
    ReleaseKill {
        /// Which throw of it.
        #[n(0)]
        epoch: u64,
        /// Sessions to restore; the others stay revoked. Sorted, each once.
        #[n(1)]
        sessions: Vec<SessionId>,
    },
    /// Resumes a paused wallet, or everything.
    #[n(4)]
    ReleasePause {
        /// Which wallet; none: all.
        #[n(0)]
        wallet: Option<WalletId>,
    },
    /// The owner's way out: outside limits and delays, only to an enrolled address.
    #[n(5)]
    Withdraw {
        /// From which wallet.
        #[n(0)]
        wallet: WalletId,
        /// What, and on which chain.
        #[n(1)]
        asset: AssetId,
        /// To which enrolled address.
        #[n(2)]
        to: Account,
        /// Base units.
        #[n(3)]
        amount: Amount,
        /// Most that the chain may take, in base units of its native asset.
        #[n(4)]
        fee_ceiling: Amount,
        /// EVM: an issued nonce to use again, at or above the attested one; none: the next.
        #[n(5)]
        nonce: Option<u64>,
        /// An address of the wallet before a rotation; none: its own.
        #[n(6)]
        from: Option<Account>,
    },
    /// Attests the next nonce of a wallet on an EVM chain; never lowers it.
    #[n(6)]
    AttestNonce {
        /// Which wallet.
        #[n(0)]
        wallet: WalletId,
        /// Which chain.
        #[n(1)]
        chain: ChainId,
        /// The next nonce to be issued.
        #[n(2)]
        next: u64,
        /// Of a key that the wallet had before a rotation: its address.
        #[n(3)]
        from: Option<Account>,
    },
    /// States the time after an unexplained step of the clock; moves only the upper bound.
    #[n(7)]
    StateTime {
        /// Now.
        #[n(0)]
        wall: WallTime,
    },
    /// Enrols an address for withdrawals, after 72 hours on the DELAY clock.
    #[n(8)]
    EnrolWithdrawal {
        /// Which address on which chain.
        #[n(0)]
        account: AccountId,
    },
    /// Removes an address for withdrawals, after 72 hours on the DELAY clock.
    #[n(43)]
    RemoveWithdrawal {
        /// Which address on which chain.
        #[n(0)]
        account: AccountId,
    },
    /// Lets a payment that waits for its owners be signed, once.
    #[n(9)]
    ApprovePayment {
        /// Which.
        #[n(0)]
        transaction: TransactionId,
    },
    /// Ends a waiting payment for good.
    #[n(10)]
    RejectPayment {
        /// Which.
        #[n(0)]
        transaction: TransactionId,
    },
    /// Adds an owner's key after 72 hours; the key rehearses over the same text.
    #[n(11)]
    AddOwner {
        /// The key.
        #[n(0)]
        key: OwnerKey,
    },
    /// Removes an owner after 72 hours.
    #[n(12)]
    RemoveOwner {
        /// Which.
        #[n(0)]
        owner: OwnerId,
    },
    /// Changes how many owners must sign, after 72 hours.
    #[n(13)]
    SetQuorum {
        /// How many.
        #[n(0)]
        quorum: u32,
    },
    /// Cancels a change that has not taken effect.
    #[n(14)]
    CancelOwnerChange {
        /// The statement that asked for the change.
        #[n(0)]
        change: StatementId,
    },
    /// Suspends another owner's key at once.
    #[n(15)]
    SuspendOwner {
        /// Whose.
        #[n(0)]
        owner: OwnerId,
    },
    /// Lets a suspended key sign again.
    #[n(16)]
    LiftSuspension {
        /// Whose.
        #[n(0)]
        owner: OwnerId,
    },
    /// Gives back what one payment was charged: names its entry in the log, counts once.
    #[n(17)]
    Credit {
        /// The entry's number.
        #[n(0)]
        sequence: u64,
        /// The payment.
        #[n(1)]
        transaction: TransactionId,
        /// Which wallet was charged.
        #[n(2)]
        wallet: WalletId,
        /// How much of each asset, at most what was charged; sorted, each once.
        #[n(3)]
        amounts: Vec<Charge>,
    },
    /// Makes a new key the only owner after 72 hours; signed by that key, over `admin.sock` with
    /// recovery phrase and password.
    #[n(18)]
    RecoverOwners {
        /// The key.
        #[n(0)]
        key: OwnerKey,
    },
    /// Adds a guardian's key after 72 hours; the key rehearses over the same text.
    #[n(19)]
    AddGuardian {
        /// The key.
        #[n(0)]
        key: OwnerKey,
    },
    /// Removes a guardian after 72 hours.
    #[n(20)]
    RemoveGuardian {
        /// Which.
        #[n(0)]
        guardian: OwnerId,
    },
    /// What a guardian may say: the only kind that a guardian's key signs alone.
    #[n(21)]
    GuardianStop {
        /// What is stopped.
        #[n(0)]
        stop: GuardianStop,
    },
    /// Ends the signer and its log for good.
    #[n(22)]
    Retire,
    /// Closes a wallet for good: nothing is signed for it any more but withdrawals.
    #[n(35)]
    CloseWallet {
        /// Which.
        #[n(0)]
        wallet: WalletId,
    },
    /// Moves a wallet to a new key and closes the old one: sessions, rules, pools and what was spent
    /// stay with the wallet.
    #[n(36)]
    RotateWallet {
        /// Which.
        #[n(0)]
        wallet: WalletId,
        /// The new address's first nonce on each EVM network; 0 on Solana.
        #[n(1)]
        first_nonce: u64,
    },
    /// Registers an agent. No name: nothing personal stands in the log.
    #[n(37)]
    RegisterAgent {
        /// Whether it is active at once; else it is created and waits for its activation.
        #[n(0)]
        active: bool,
    },
    /// Lets an agent that is created or suspended spend.
    #[n(38)]
    ActivateAgent {
        /// Which.
        #[n(0)]
        agent: AgentId,
    },
    /// Lets a suspended session spend again.
    #[n(30)]
    ResumeSession {
        /// Which.
        #[n(0)]
        session: SessionId,
    },
    /// An owner is there: the dead-man time begins anew. Nothing else changes.
    #[n(31)]
    SignOfLife,
}

/// What a guardian may stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum GuardianStop {
    /// Pauses everything.
    #[n(0)]
    PauseAll,
    /// Throws the kill switch.
    #[n(1)]
    Kill,
    /// Cancels a change of owners that has not taken effect.
    #[n(2)]
    CancelChange {
        /// The statement that asked for the change.
        #[n(0)]
        change: StatementId,
    },
}

impl StatementFacts {
    /// The kind, as the text's first line names it and docs/statements.md lists it.
    #[must_use]
    pub const fn heading(&self) -> &'static str {
        match self {
            Self::EnrolOwner { .. } => "ENROL OWNER KEY",
            Self::AdoptPolicy { .. } => "ADOPT POLICY",
            Self::GrantSession { .. } => "GRANT SESSION",
            Self::ReleaseKill { .. } => "RELEASE KILL SWITCH",
            Self::ReleasePause { .. } => "RELEASE PAUSE",
            Self::Withdraw { .. } => "WITHDRAW",
            Self::AttestNonce { .. } => "ATTEST NONCE",
            Self::StateTime { .. } => "STATE TIME",
            Self::EnrolWithdrawal { .. } => "ENROL WITHDRAWAL ADDRESS",
            Self::RemoveWithdrawal { .. } => "REMOVE WITHDRAWAL ADDRESS",
            Self::ApprovePayment { .. } => "APPROVE PAYMENT",
            Self::RejectPayment { .. } => "REJECT PAYMENT",
            Self::AddOwner { .. } => "ADD OWNER",
            Self::RemoveOwner { .. } => "REMOVE OWNER",
            Self::SetQuorum { .. } => "SET QUORUM",
            Self::CancelOwnerChange { .. } => "CANCEL OWNER CHANGE",
            Self::SuspendOwner { .. } => "SUSPEND OWNER",
            Self::LiftSuspension { .. } => "LIFT SUSPENSION",
            Self::Credit { .. } => "CREDIT",
            Self::RecoverOwners { .. } => "RECOVER OWNERS",
            Self::AddGuardian { .. } => "ADD GUARDIAN",
            Self::RemoveGuardian { .. } => "REMOVE GUARDIAN",
            Self::GuardianStop { .. } => "GUARDIAN STOP",
            Self::Retire => "RETIRE SIGNER",
            Self::CloseWallet { .. } => "CLOSE WALLET",
            Self::RotateWallet { .. } => "ROTATE WALLET",
            Self::RegisterAgent { .. } => "REGISTER AGENT",
            Self::ActivateAgent { .. } => "ACTIVATE AGENT",
            Self::ResumeSession { .. } => "RESUME SESSION",
            Self::SignOfLife => "SIGN OF LIFE",
        }
    }

    /// Whether it can only stop something: no stop that comes later needs to void it.
    #[must_use]
    pub const fn only_stops(&self) -> bool {
        matches!(
            self,
            Self::CancelOwnerChange { .. }
                | Self::SuspendOwner { .. }
                | Self::GuardianStop { .. }
                | Self::RejectPayment { .. }
        )
    }

    /// Whether it must find a place however many others are open: it opens the way out, or stops a key.
    #[must_use]
    pub const fn opens_the_way_out(&self) -> bool {
        matches!(
            self,
            Self::Withdraw { .. }
                | Self::ReleaseKill { .. }
                | Self::LiftSuspension { .. }
                | Self::SuspendOwner { .. }
                | Self::RecoverOwners { .. }
        )
    }

    /// Whether it becomes a change of owners that waits.
    #[must_use]
    pub const fn changes_owners(&self) -> bool {
        matches!(
            self,
            Self::AddOwner { .. }
                | Self::RemoveOwner { .. }
                | Self::SetQuorum { .. }
                | Self::RecoverOwners { .. }
                | Self::AddGuardian { .. }
                | Self::RemoveGuardian { .. }
                | Self::EnrolWithdrawal { .. }
                | Self::RemoveWithdrawal { .. }
        )
    }
}

/// What the signer puts around the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementHeader {
    /// Which signer asks: a statement is of no use to another one.
    pub signer: SignerId,
    /// Used once.
    pub statement: StatementId,
    /// Epoch of the newest adopted policy; 0 if none.
    pub policy_epoch: u64,
    /// Until when it may be signed.
    pub expires: WallTime,
}

impl StatementHeader {
    /// The signer's own time when it was drafted.
    #[must_use]
    pub const fn drafted(&self) -> WallTime {
        WallTime::from_millis(self.expires.millis().saturating_sub(LIFETIME.millis()))
    }
}
