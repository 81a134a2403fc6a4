//! What can happen, as plain values that name things by their place: any part of a list of steps is a
//! list of steps, so that a failing one can be cut down.

use super::functions::Calls;
use super::programs::Runs;
use super::time::Passing;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// An agent asks for a payment.
    Pay(Pay),
    /// An earlier request once more.
    Again {
        which: usize,
        how: Again,
    },
    /// An agent asks for an authorization of a transfer, that holds for so many seconds.
    Authorize {
        pay: Pay,
        holds: Option<u64>,
    },
    /// An earlier one once more, the newest first.
    AuthorizeAgain {
        which: usize,
        how: Again,
    },
    /// The bytes of a payment once more.
    Resend {
        which: usize,
    },
    /// Fresh bytes for a payment that waits or waited.
    Release {
        which: usize,
        price: u64,
        spoilt: Spoilt,
    },
    /// The nonce of a payment once more.
    Vary {
        which: usize,
        /// So much more for each gas.
        more: u64,
        cancels: bool,
        spoilt: Spoilt,
    },
    /// The same once more.
    VaryAgain {
        which: usize,
    },
    Cancel {
        which: usize,
        admin: bool,
    },
    EndExpired,
    /// A statement is drafted, signed, and handed in unless it is kept.
    Say(Say),
    /// A kept or used statement is handed in.
    HandIn {
        which: usize,
        door: Door,
    },
    Kill {
        admin: bool,
    },
    Pause {
        wallet: Option<usize>,
        admin: bool,
    },
    Revoke {
        session: usize,
    },
    /// With the password alone.
    Suspend {
        owner: usize,
    },
    /// An agent renews its session, or a gateway tries.
    Renew {
        session: usize,
        spoilt: Spoilt,
    },
    /// Anybody stops an agent.
    StopAgent {
        which: usize,
        ends: bool,
        admin: bool,
    },
    Pass(Passing),
    /// Time runs up to a moment at which something changes, or beside it.
    PassTo {
        which: usize,
        beside: i64,
    },
    /// Crash, time off, start, unlock.
    Restart {
        off: u64,
        stepped: i64,
        vouch: bool,
        journal_lost: bool,
    },
    Lock,
    /// The signer looks by itself.
    Watch,
    /// Whether several commands go into one commit from here on.
    Batch(bool),
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pay {
    pub(super) session: usize,
    pub(super) wallet: usize,
    pub(super) kind: Kind,
    pub(super) to: u8,
    pub(super) by_name: bool,
    /// Of the first amount.
    pub(super) size: Size,
    pub(super) memo: Option<u8>,
    /// So many accounts of recipients are made with it, at most.
    pub(super) creates: usize,
    /// Of gas or compute; the fee grows with it.
    pub(super) price: u64,
    pub(super) submit: bool,
    pub(super) dry_run: bool,
    pub(super) spoilt: Spoilt,
    /// Names an earlier payment, newest first, as replaced; the same again or something else; by whoever
    /// asked for it or another.
    pub(super) replaces: Option<(usize, bool, bool)>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The chain's own coin.
    Coins,
    Tokens,
    /// Several payments in one transaction: the first of coins or of the token, and those behind it.
    Batch {
        first: bool,
        more: Vec<(u8, bool, u64)>,
    },
    /// Leave to take tokens later.
    Allowance,
    Call(Calls),
    Run(Runs),
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Plain(u64),
    /// What takes the payment, fee included, to one of the limits or thresholds, or beside it.
    Edge {
        which: usize,
        beside: i64,
    },
}

/// What is wrong with a request or with the bytes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    Not,
    OtherRecipient,
    OtherAmount,
    /// One unit more than was asked leaves besides.
    Hidden,
    OtherMemo,
    /// A bit is set where an argument has none.
    Dirty,
    TrailingByte,
    NonceOne,
    OtherSigner,
    UnknownSession,
    OtherNetwork,
    NoSignature,
    OtherSignature,
    /// Signed for another path of the gateway.
    OtherPath,
    OldSignature(u64),
    UsedNonce,
}

/// How an earlier request comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Exactly,
    SignedAnew,
    OtherBody,
    OtherSession,
}

/// What an owner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) what: What,
    pub(super) draft_admin: bool,
    pub(super) keep: bool,
    pub(super) door: Door,
}

/// Who signs, and over which socket it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) admin: bool,
    pub(super) password: bool,
    /// So many of the owners who may, beginning with this one.
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) forged: Forged,
}

/// What is wrong with the signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forged {
    Not,
    BitFlipped,
    /// One key twice instead of two.
    Doubled,
    ByStranger,
    /// A suspended or removed key signs as well.
    WithFormer,
    OverAnotherText,
}

/// Kinds of statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Adopt {
        seed: u64,
        epoch: i64,
    },
    Grant {
        seed: u64,
    },
    ReleaseKill {
        sessions: u64,
        epoch: i64,
    },
    ReleasePause {
        wallet: Option<usize>,
    },
    Withdraw {
        wallet: usize,
        to: u8,
        amount: u64,
        nonce: Option<i64>,
        spoilt: Spoilt,
        /// From one of the wallet's former addresses, if it has any.
        former: Option<usize>,
    },
    Attest {
        wallet: usize,
        beside: i64,
        /// Of one of the wallet's former addresses, if it has any.
        former: Option<usize>,
    },
    StateTime {
        beside: i64,
    },
    EnrolAddress {
        to: u8,
    },
    RemoveAddress {
        to: u8,
    },
    Approve {
        which: usize,
    },
    Reject {
        which: usize,
    },
    AddOwner {
        key: usize,
    },
    RemoveOwner {
        which: usize,
    },
    SetQuorum {
        quorum: u32,
    },
    CancelChange {
        which: usize,
    },
    SuspendOwner {
        which: usize,
    },
    Lift {
        which: usize,
    },
    Credit {
        which: usize,
        part: u64,
    },
    Resume {
        which: usize,
    },
    /// An owner says that they are there.
    Alive,
    RegisterAgent {
        active: bool,
    },
    ActivateAgent {
        which: usize,
    },
    CloseWallet {
        wallet: usize,
    },
    RotateWallet {
        wallet: usize,
        first_nonce: u64,
        /// The shell derives a key that was given before.
        known: bool,
    },
}
