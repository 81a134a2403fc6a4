//! What happens beyond a refusal: alarms over the signer's own events, and what a violation brings with
//! it. Defined here; `judge` says when an alarm goes off, and the signer carries it out.

pub mod judge;

use minicbor::{Decode, Encode};

use super::scope::Hours;
use crate::denial::Code;
use crate::ids::{SessionId, WalletId};
use crate::time::Millis;

/// A condition over the signer's own events, and what it sets off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct Alarm {
    /// When it goes off.
    #[n(0)]
    pub condition: Condition,
    /// What it does.
    #[n(1)]
    pub remedy: Remedy,
}

/// When an alarm goes off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Condition {
    /// A session is refused so many different requests in a row; identical ones count once.
    #[n(0)]
    DenialsInARow {
        /// How many.
        #[n(0)]
        count: u32,
    },
    /// A wallet signs so many payments in the window.
    #[n(1)]
    Signatures {
        /// How many.
        #[n(0)]
        count: u32,
        /// On the budget clock; at most 30 days.
        #[n(1)]
        window: Millis,
    },
    /// A wallet spends so many times what it usually spends in a window of this length.
    #[n(2)]
    Velocity {
        /// How many times.
        #[n(0)]
        times: u32,
        /// On the budget clock; at most 7 days, so that 30 days show what is usual.
        #[n(1)]
        window: Millis,
    },
    /// A payment is signed outside of these hours.
    #[n(3)]
    OutsideHours {
        /// At least one.
        #[n(0)]
        hours: Vec<Hours>,
    },
    /// So many payments of one wallet wait.
    #[n(4)]
    OpenPayments {
        /// How many.
        #[n(0)]
        count: u32,
    },
    /// A wallet that was used signs nothing for so long.
    #[n(5)]
    Idle {
        /// On the budget clock.
        #[n(0)]
        after: Millis,
    },
}

/// What an alarm does, gentlest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Remedy {
    /// The owner is told (low).
    #[n(0)]
    Tell,
    /// The session signs nothing until the owner resumes it (medium).
    #[n(1)]
    SuspendSession,
    /// The wallet signs nothing until the owner resumes it (high).
    #[n(2)]
    PauseWallet,
    /// The kill switch (critical).
    #[n(3)]
    Kill,
}

/// What a violation brings besides its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct Escalation {
    /// Which violation.
    #[n(0)]
    pub code: Code,
    /// What it brings.
    #[n(1)]
    pub action: Action,
}

/// What a violation brings besides, or instead of, its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Action {
    /// The owner is told of the refusal.
    #[n(0)]
    Tell,
    /// The owner is asked: APPROVAL instead of a refusal.
    #[n(1)]
    Ask,
    /// The session signs nothing until the owner resumes it.
    #[n(2)]
    SuspendSession,
}

/// What went off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Trigger {
    /// An alarm of a binding document.
    #[n(0)]
    Alarm(#[n(0)] Alarm),
    /// A violation that a binding document escalates.
    #[n(1)]
    Violation(#[n(0)] Escalation),
    /// No owner was heard of for so long, on the run clock.
    #[n(2)]
    DeadMan {
        /// As the document says.
        #[n(0)]
        after: Millis,
    },
}

/// Whom it went off for: what is counted is counted for it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Subject {
    /// A session.
    #[n(0)]
    Session(#[n(0)] SessionId),
    /// A wallet.
    #[n(1)]
    Wallet(#[n(0)] WalletId),
    /// The whole signer.
    #[n(2)]
    Everything,
}

impl Condition {
    /// The name in a document's form for people.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::DenialsInARow { .. } => "denials-in-a-row",
            Self::Signatures { .. } => "signatures",
            Self::Velocity { .. } => "velocity",
            Self::OutsideHours { .. } => "outside-hours",
            Self::OpenPayments { .. } => "open-payments",
            Self::Idle { .. } => "idle",
        }
    }
}

impl Remedy {
    /// All of them, gentlest first.
    pub const ALL: [Self; 4] = [
        Self::Tell,
        Self::SuspendSession,
        Self::PauseWallet,
        Self::Kill,
    ];

    /// The name in a document's form for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tell => "tell",
            Self::SuspendSession => "suspend-session",
            Self::PauseWallet => "pause-wallet",
            Self::Kill => "kill",
        }
    }

    /// The severity whose remedy it is.
    #[must_use]
    pub const fn severity(self) -> &'static str {
        match self {
            Self::Tell => "low",
            Self::SuspendSession => "medium",
            Self::PauseWallet => "high",
            Self::Kill => "critical",
        }
    }
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tell, Self::Ask, Self::SuspendSession];

    /// The name in a document's form for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tell => "tell",
            Self::Ask => "ask",
            Self::SuspendSession => "suspend-session",
        }
    }
}

/// Whether an owner may be asked about a violation: amounts, counts and recipients only. What was not
/// understood, stopped or forbidden outright stays refused.
#[must_use]
pub const fn may_ask(code: Code) -> bool {
    matches!(
        code,
        Code::PerTransactionLimit
            | Code::HourLimit
            | Code::DayLimit
            | Code::WeekLimit
            | Code::MonthLimit
            | Code::HourCount
            | Code::DayCount
            | Code::WeekCount
            | Code::MonthCount
            | Code::RecipientLimit
            | Code::RecipientCount
            | Code::RecipientNotListed
            | Code::RecipientNotAllowed
            | Code::UsdLimit
            | Code::PaymentCount
    )
}

/// Whether the refusal follows from what an agent asked of its session or its policy, and not from what a
/// gateway made of it. Only such refusals count in a row, and only they may suspend a session.
#[must_use]
pub const fn by_agent(code: Code) -> bool {
    may_ask(code)
        || matches!(
            code,
            Code::SessionWallet
                | Code::SessionAsset
                | Code::SessionPerTransaction
                | Code::SessionTotal
                | Code::SessionCount
                | Code::SessionSignOnly
                | Code::SessionRecipient
                | Code::SessionOperation
                | Code::NetworkNotBound
                | Code::AssetNotListed
                | Code::TierNotAvailable
                | Code::OutstandingCap
                | Code::RecipientDenied
                | Code::NetworkNotAllowed
                | Code::AssetNotAllowed
                | Code::UsdPriceMissing
                | Code::CallNotListed
                | Code::CallValue
                | Code::CallArgumentLimit
                | Code::CallArgumentValue
                | Code::CallArgumentWallet
                | Code::CallAccount
                | Code::CallOwnAccount
                | Code::ValidatorNotListed
                | Code::OutsideHours
                | Code::CoolDown
                | Code::IntentTooMany
                | Code::IntentDuplicate
                | Code::IntentTooLong
                | Code::SignInNotListed
                | Code::SignInNetwork
                | Code::SignInUri
                | Code::SignInResource
                | Code::SignInValidity
                | Code::SignInCount
                | Code::AuthorizationNotListed
                | Code::AuthorizationValidity
                | Code::AuthorizationWaits
        )
}

/// Whether the owner may be told of such a refusal of an agent's request: besides [`by_agent`], what the
/// bytes that a gateway proposed for it bring about.
#[must_use]
pub const fn may_tell(code: Code) -> bool {
    by_agent(code)
        || matches!(
            code,
            Code::FeeCeiling
                | Code::RentCeiling
                | Code::BodyMismatch
                | Code::TransactionUndecodable
                | Code::NonceNotZero
                | Code::DataFeeMissing
        )
}

/// Whether a refusal with this code may bring that.
#[must_use]
pub const fn may_bring(code: Code, action: Action) -> bool {
    match action {
        Action::Tell => may_tell(code),
        Action::Ask => may_ask(code),
        Action::SuspendSession => by_agent(code),
    }
}

impl Trigger {
    /// What it does; none for the dead-man time, which pauses everything.
    #[must_use]
    pub const fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Alarm(alarm) => Some(alarm.remedy),
            Self::Violation(Escalation {
                action: Action::SuspendSession,
                ..
            }) => Some(Remedy::SuspendSession),
            Self::Violation(_) => Some(Remedy::Tell),
            Self::DeadMan { .. } => None,
        }
    }
}
