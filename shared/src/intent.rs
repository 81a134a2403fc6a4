//! A payment that waits: for its delay to pass, or for the owner. What is kept is its effect, never
//! bytes: fresh ones are judged when it is released (invariant 12). The facts here are those of the
//! event that opened it; how it stands is the fold of the log. Holds no rule and no clock.

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::claim::Claim;
use crate::denial::Violation;
use crate::digest::Digest;
use crate::event::{Origin, Replaces, RequestNonce};
use crate::evm::abi::Invocation;
use crate::ids::{OwnerId, SessionId, StatementId, TransactionId, WalletId};
use crate::memo::Memo;
use crate::policy::evaluate::Tier;
use crate::request::{Action, Transfer};
use crate::solana::{ProgramCall, StakeAccount};
use crate::time::{Clocks, Millis, RunTime, WallTime};

/// A waiting payment as it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Intent {
    /// Its name everywhere, before and after it is signed.
    #[n(0)]
    pub transaction: TransactionId,
    /// Which session asked.
    #[n(1)]
    pub session: SessionId,
    /// Which wallet will pay.
    #[n(2)]
    pub wallet: WalletId,
    /// What moves, and on which chain.
    #[n(3)]
    pub asset: AssetId,
    /// Who receives.
    #[n(4)]
    pub to: Account,
    /// Base units.
    #[n(5)]
    pub amount: Amount,
    /// Most that the chain may take when it is released, base units of its native asset.
    #[n(6)]
    pub fee_ceiling: Amount,
    /// What it waits for.
    #[n(7)]
    pub wait: Wait,
    /// When it was opened, on the DELAY clock.
    #[n(8)]
    pub opened: RunTime,
    /// When it ends unless it was released, on the upper-bound clock.
    #[n(9)]
    pub expires: WallTime,
    /// How long after its delay or approval it may be released, on the DELAY clock.
    #[n(10)]
    pub release_within: Millis,
    /// Epoch of the newest binding policy when it was opened.
    #[n(11)]
    pub policy_epoch: u64,
    /// Digest of who owns the idempotency key and of the key.
    #[n(12)]
    pub idempotency: Digest,
    /// Digest of the request's body.
    #[n(13)]
    pub body: Digest,
    /// Until when the idempotency key is kept.
    #[n(14)]
    pub kept_until: WallTime,
    /// The request signature's nonce, of a session that is bound to an agent's key.
    #[n(15)]
    pub request_nonce: Option<RequestNonce>,
    /// Whether the gateway was asked to send it.
    #[n(16)]
    pub submit: bool,
    /// Whether the wallet never paid this recipient before.
    #[n(17)]
    pub first_payment: bool,
    /// The earlier payment that it replaces, if any.
    #[n(18)]
    pub replaces: Option<Replaces>,
    /// Most that it may lock up as rent for the recipient's token account when it is released, base units
    /// of the native asset; absent: nothing.
    #[n(19)]
    pub rent_ceiling: Option<Amount>,
    /// What it does, if it is no transfer.
    #[n(20)]
    pub action: Option<Action>,
    /// What the contract is told, of a call.
    #[n(21)]
    pub call: Option<Box<Invocation>>,
    /// Transfers behind the first, in order, of a payment that makes several; never empty.
    #[n(22)]
    pub more: Option<Vec<Moved>>,
    /// What it writes to the chain's log.
    #[n(23)]
    pub memo: Option<Memo>,
    /// The stake account with which something is done.
    #[n(24)]
    pub stake: Option<StakeAccount>,
    /// Rules of policy that it broke when it was opened, about which the owner is asked instead; never empty.
    #[n(25)]
    pub asked: Option<Vec<Violation>>,
    /// What the program is told, of a call of one.
    #[n(27)]
    pub program: Option<Box<ProgramCall>>,
}

/// One more transfer of the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Moved {
    /// What moves.
    #[n(0)]
    pub asset: AssetId,
    /// Who receives.
    #[n(1)]
    pub to: Account,
    /// Base units.
    #[n(2)]
    pub amount: Amount,
}

impl Moved {
    /// As a request asks for it.
    #[must_use]
    pub const fn transfer(&self) -> Transfer {
        Transfer {
            action: Action::Transfer,
            asset: self.asset,
            to: self.to,
            amount: self.amount,
            mint: None,
            call: None,
            stake: None,
            program: None,
        }
    }
}

impl From<&Transfer> for Moved {
    fn from(transfer: &Transfer) -> Self {
        Self {
            asset: transfer.asset,
            to: transfer.to,
            amount: transfer.amount,
        }
    }
}

/// What a payment waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Wait {
    /// Time, in which the owner may cancel.
    #[n(0)]
    Delay {
        /// From when on it may be released, on the DELAY clock.
        #[n(0)]
        ready: RunTime,
    },
    /// The owners' signatures over the signer's text.
    #[n(1)]
    Approval {
        /// How many different owners must sign.
        #[n(0)]
        quorum: u8,
    },
}

/// Why a waiting payment ended without being signed. Final.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum IntentEnd {
    /// Somebody stopped it.
    #[n(0)]
    Cancelled {
        /// Over which socket.
        #[n(0)]
        origin: Origin,
    },
    /// An owner signed its rejection.
    #[n(1)]
    Rejected {
        /// The statement.
        #[n(0)]
        statement: StatementId,
        /// Who signed.
        #[n(1)]
        signers: Vec<OwnerId>,
    },
    /// Its time ran out.
    #[n(2)]
    Expired,
    /// Its session was revoked or expired.
    #[n(3)]
    SessionEnded,
    /// The kill switch was thrown.
    #[n(4)]
    Killed,
    /// Its wallet was closed, or moved to a new key.
    #[n(5)]
    WalletClosed,
}

impl Intent {
    /// All that is released, and nothing else.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let more = self.more.iter().flatten().map(Moved::transfer).collect();
        Claim::new(self.transfer(), more, self.memo.clone())
    }

    /// The first, or only, thing that it does.
    #[must_use]
    pub fn transfer(&self) -> Transfer {
        Transfer {
            action: self.action(),
            asset: self.asset,
            to: self.to,
            amount: self.amount,
            mint: None,
            call: self.call.clone(),
            stake: self.stake.clone(),
            program: self.program.clone(),
        }
    }

    /// What it does.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self.action {
            Some(action) => action,
            None => Action::Transfer,
        }
    }

    /// How it is released.
    #[must_use]
    pub const fn tier(&self) -> Tier {
        match self.wait {
            Wait::Delay { .. } => Tier::Delay,
            Wait::Approval { .. } => Tier::Approval,
        }
    }
}

/// How a waiting payment stands, as both sockets show it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct IntentView {
    /// What waits.
    #[n(0)]
    pub intent: Intent,
    /// The signer's clocks at the answer: `ready` and `until` are told on them.
    #[n(1)]
    pub now: Clocks,
    /// Until when it may be released, on the DELAY clock, once owners have approved it.
    #[n(2)]
    pub approved_until: Option<RunTime>,
}

impl IntentView {
    /// How long until it may be released: zero if it may now; none while the owners have not signed.
    #[must_use]
    pub fn ready_in(&self) -> Option<Millis> {
        match (self.intent.wait, self.approved_until) {
            (Wait::Delay { ready }, _) => Some(ready.since(self.now.run)),
            (Wait::Approval { .. }, Some(_)) => Some(Millis::default()),
            (Wait::Approval { .. }, None) => None,
        }
    }
}
