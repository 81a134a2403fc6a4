//! Where the kill switch stands, and why everything is paused. Parts of the state; only the fold changes
//! them.

use minicbor::{Decode, Encode};

/// Why everything is paused. An owner's release ends it, whatever it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Freeze {
    /// Somebody asked for it.
    #[n(0)]
    Asked,
    /// The locked journal was missing or broken.
    #[n(1)]
    JournalLost,
    /// The log does not go through a head that the owner kept.
    #[n(2)]
    HeadMissed,
    /// The owners were recovered.
    #[n(3)]
    Recovered,
    /// A kill was released.
    #[n(4)]
    KillReleased,
}

impl Freeze {
    /// The name on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::JournalLost => "journal_lost",
            Self::HeadMissed => "head_missed",
            Self::Recovered => "recovered",
            Self::KillReleased => "kill_released",
        }
    }

    /// What an owner reads before signing that it ends.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Asked => "a pause that somebody asked for",
            Self::JournalLost => {
                "the pause since the locked journal was missing or broken: a kill thrown while locked may be lost"
            }
            Self::HeadMissed => {
                "the pause since the log missed a head that you kept: it may have been rolled back"
            }
            Self::Recovered => "the pause since the owners were recovered",
            Self::KillReleased => "the pause after a kill",
        }
    }
}

/// The kill switch: global, durable, released only by an owner's signature and the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Kill {
    /// Where it stands.
    #[n(0)]
    pub phase: KillPhase,
    /// How often it was thrown.
    #[n(1)]
    pub epoch: u64,
}

/// Where the kill switch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum KillPhase {
    /// Not thrown.
    #[n(0)]
    Normal,
    /// Thrown: nothing is signed.
    #[n(1)]
    Activated,
    /// Released: everything paused until the owner resumes; withdrawals are open.
    #[n(2)]
    Recovering,
}

impl KillPhase {
    /// The name on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Activated => "ACTIVATED",
            Self::Recovering => "RECOVERING",
        }
    }
}
