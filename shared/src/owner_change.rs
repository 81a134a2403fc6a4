//! Changes of who may sign for the owner: each waits on the DELAY clock, is visible meanwhile, and can
//! be cancelled. The values that events, views and the signer's state share; decides nothing.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::caip::AccountId;
use crate::ids::{OwnerId, StatementId};
use crate::keys::OwnerKey;
use crate::statement::verify::Envelope;
use crate::time::{Millis, RunTime};

/// How long every change waits, on the DELAY clock.
pub const DELAY: Millis = Millis::from_hours(72);
/// Keys of owners and guardians together, at most.
pub const KEYS_LIMIT: usize = 16;
/// Changes that wait at once, at most; a recovery always finds room beside them.
pub const PENDING_LIMIT: usize = 16;

/// One change, with what was derived when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OwnerChange {
    /// A new owner.
    #[n(0)]
    AddOwner(#[n(0)] NewKey),
    /// An owner leaves.
    #[n(1)]
    RemoveOwner(#[n(0)] KnownKey),
    /// Another number of owners must sign.
    #[n(2)]
    SetQuorum {
        /// How many.
        #[n(0)]
        quorum: u32,
    },
    /// A new guardian.
    #[n(3)]
    AddGuardian(#[n(0)] NewKey),
    /// A guardian leaves.
    #[n(4)]
    RemoveGuardian(#[n(0)] KnownKey),
    /// A new address for withdrawals.
    #[n(5)]
    EnrolWithdrawal {
        /// Which address on which chain.
        #[n(0)]
        account: AccountId,
    },
    /// A new key becomes the only owner that is not suspended, with a quorum of one.
    #[n(6)]
    Recover {
        /// The new key.
        #[n(0)]
        key: NewKey,
        /// Guardians who signed the same text: they are shown and decide nothing. Sorted.
        #[n(1)]
        guardians: Vec<OwnerId>,
    },
}

/// A key that rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct NewKey {
    /// Its identifier from the change on. A guardian's has the same form as an owner's.
    #[n(0)]
    pub id: OwnerId,
    /// The key.
    #[n(1)]
    pub key: OwnerKey,
    /// The envelope that its wallet really produces.
    #[n(2)]
    pub envelope: Envelope,
}

/// A key that is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct KnownKey {
    /// Its identifier.
    #[n(0)]
    pub id: OwnerId,
    /// The key.
    #[n(1)]
    pub key: OwnerKey,
}

impl OwnerChange {
    /// The key that comes with it.
    #[must_use]
    pub const fn new_key(&self) -> Option<&NewKey> {
        match self {
            Self::AddOwner(new) | Self::AddGuardian(new) | Self::Recover { key: new, .. } => {
                Some(new)
            }
            Self::RemoveOwner(_)
            | Self::SetQuorum { .. }
            | Self::RemoveGuardian(_)
            | Self::EnrolWithdrawal { .. } => None,
        }
    }

    /// Whether it takes this owner's or guardian's key away.
    #[must_use]
    pub fn removes(&self, key: OwnerId) -> bool {
        match self {
            Self::RemoveOwner(known) | Self::RemoveGuardian(known) => known.id == key,
            _ => false,
        }
    }

    /// Whether it is a recovery, which no suspended key cancels and no kill voids.
    #[must_use]
    pub const fn is_recovery(&self) -> bool {
        matches!(self, Self::Recover { .. })
    }
}

/// One line, as statements and screens show it: printable ASCII.
impl fmt::Display for OwnerChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddOwner(new) => write!(formatter, "add owner {}, key {}", new.id, new.key),
            Self::RemoveOwner(known) => {
                write!(formatter, "remove owner {}, key {}", known.id, known.key)
            }
            Self::SetQuorum { quorum } => write!(formatter, "set the quorum to {quorum}"),
            Self::AddGuardian(new) => {
                write!(formatter, "add guardian {}, key {}", new.id, new.key)
            }
            Self::RemoveGuardian(known) => {
                write!(formatter, "remove guardian {}, key {}", known.id, known.key)
            }
            Self::EnrolWithdrawal { account } => {
                write!(formatter, "let withdrawals go to {account}")
            }
            Self::Recover { key, guardians } => write!(
                formatter,
                "recovery: {}, key {}, becomes the only owner, guardians who signed: {}",
                key.id,
                key.key,
                guardians.len()
            ),
        }
    }
}

/// A change that waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PendingChange {
    /// The statement that asked for it; its name everywhere.
    #[n(0)]
    pub statement: StatementId,
    /// What it does.
    #[n(1)]
    pub change: OwnerChange,
    /// When it takes effect, on the DELAY clock.
    #[n(2)]
    pub effective: RunTime,
    /// Who signed: owners.
    #[n(3)]
    pub signers: Vec<OwnerId>,
}

/// What an owner's key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum Standing {
    /// Everything that an owner may.
    #[n(0)]
    Active,
    /// Suspended: it may stop things, and nothing else.
    #[n(1)]
    Suspended,
    /// Replaced by a recovery: suspended, and it may not even suspend or cancel, so that a stolen key
    /// cannot undo the recovery.
    #[n(2)]
    Replaced,
}
