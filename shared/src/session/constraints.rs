//! What a grant may demand beside its limits: who may receive, what a payment may do, and how far the
//! session may be renewed. Each only narrows: policy is judged beside it. Called by the grant.

use minicbor::{Decode, Encode};

use super::ENTRIES_LIMIT;
use crate::caip::{AccountId, ChainId};
use crate::effect::Effect;
use crate::policy::document::PolicyDocument;
use crate::time::{Millis, WallTime};

/// Who may receive: contacts of the policy, by name, and accounts. One of them at least.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionRecipients {
    /// Names of contacts; sorted, each once. A name means what *every* binding document says it does, so
    /// that a document which points it elsewhere loosens nothing before it has matured.
    #[n(0)]
    pub contacts: Vec<String>,
    /// Accounts; sorted, each once.
    #[n(1)]
    pub accounts: Vec<AccountId>,
}

/// What a payment may do. Numbers are given once; what a version cannot do is refused in a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Operation {
    /// The chain's native asset moves.
    #[n(0)]
    NativeTransfer,
    /// A token moves.
    #[n(1)]
    TokenTransfer,
    /// Somebody is let take a token later.
    #[n(2)]
    TokenApproval,
    /// A program or contract is called.
    #[n(3)]
    Call,
    /// A login message is signed.
    #[n(4)]
    SignIn,
    /// Coins are staked, and come back.
    #[n(5)]
    Stake,
    /// A token's transfer is authorized, which somebody else brings to the chain. It is a transfer besides.
    #[n(6)]
    TransferAuthorization,
}

/// How far a session may be renewed without its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Renewal {
    /// How long one renewal lasts, from the moment it is asked for.
    #[n(0)]
    pub extends: Millis,
    /// The session's absolute end: no renewal leads beyond it.
    #[n(1)]
    pub until: WallTime,
    /// Most renewals in its whole life.
    #[n(2)]
    pub count: u32,
}

/// The shortest that one renewal may last: the log is not filled with renewals.
pub const RENEWAL_LEAST: Millis = Millis::from_secs(60);
/// The most renewals that one grant may allow.
pub const RENEWALS_LIMIT: u32 = 10_000;
/// A contact's name, at most, in characters.
const NAME_LIMIT: usize = 32;

impl SessionRecipients {
    pub(super) fn is_well_formed(&self) -> bool {
        let name = |name: &String| {
            (1..=NAME_LIMIT).contains(&name.len())
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        (1..=ENTRIES_LIMIT).contains(&self.contacts.len().saturating_add(self.accounts.len()))
            && self.contacts.is_sorted_by(|one, other| one < other)
            && self.accounts.is_sorted_by(|one, other| one < other)
            && self.contacts.iter().all(name)
    }

    /// Whether an account may receive under all of these documents.
    #[must_use]
    pub fn allow<'a>(
        &self,
        account: AccountId,
        documents: impl IntoIterator<Item = &'a PolicyDocument>,
    ) -> bool {
        if self.accounts.contains(&account) {
            return true;
        }
        let mut documents = documents.into_iter().peekable();
        // Without a document no name means anything.
        documents.peek().is_some()
            && documents.all(|document| {
                let known = document.recipient(account);
                known.is_some_and(|known| self.contacts.contains(&known.name))
            })
    }
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 7] = [
        Self::NativeTransfer,
        Self::TokenTransfer,
        Self::TokenApproval,
        Self::Call,
        Self::SignIn,
        Self::Stake,
        Self::TransferAuthorization,
    ];

    /// What an effect does; none if it is a cost of sending.
    #[must_use]
    pub fn of(effect: &Effect, chain: ChainId) -> Option<Self> {
        match effect {
            Effect::Transfer { asset, .. } if *asset == chain.native_asset() => {
                Some(Self::NativeTransfer)
            }
            Effect::Transfer { .. } => Some(Self::TokenTransfer),
            Effect::Approval { .. } => Some(Self::TokenApproval),
            Effect::Call { .. } | Effect::Program { .. } => Some(Self::Call),
            Effect::Stake { .. } => Some(Self::Stake),
            Effect::Fee { .. } | Effect::Rent { .. } => None,
        }
    }

    /// Whether a grant that names no operations allows it: what moves an asset that the grant limits.
    #[must_use]
    pub const fn is_transfer(self) -> bool {
        matches!(self, Self::NativeTransfer | Self::TokenTransfer)
    }

    /// The name in texts and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NativeTransfer => "native-transfer",
            Self::TokenTransfer => "token-transfer",
            Self::TokenApproval => "token-approval",
            Self::Call => "call",
            Self::SignIn => "sign-in",
            Self::Stake => "stake",
            Self::TransferAuthorization => "transfer-authorization",
        }
    }

    /// The operation of this name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

impl Renewal {
    pub(super) fn is_well_formed(&self, first_end: WallTime) -> bool {
        self.extends >= RENEWAL_LEAST
            && self.until > first_end
            && (1..=RENEWALS_LIMIT).contains(&self.count)
    }
}
