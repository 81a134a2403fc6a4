//! One thing to tell: the event that told of it, or the gateway's own word, with the name under which every
//! channel hears of it, however often.

use serde::{Deserialize, Serialize};
use waiaas_client::EventRecord;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::event::Event;
use waiaas_shared::ids::{TransactionId, WalletId};
use waiaas_shared::time::WallTime;

use super::kind::Kind;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name in every channel: a receiver that has seen it has seen it all. `evt_` and the event's number; of
    /// the gateway's own words `gw_`, what they are about, and when.
    pub name: String,
    /// When it happened: the signer's wall clock, or the gateway's.
    pub at: WallTime,
    /// What happened.
    pub told: Told,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The signer's event, with its number.
    Event(u64, Box<Event>),
    /// The gateway's own word.
    Own(Own),
}

/// What the gateway itself has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "own")]
pub enum Own {
    /// Messages begin here.
    Begins {
        /// Number of the log's newest event.
        sequence: u64,
    },
    /// A channel takes no messages.
    Silent {
        /// Which.
        channel: String,
        /// Since when.
        since: WallTime,
    },
    /// The chain refused a payment that had been sent.
    Failed {
        /// Which.
        transaction: TransactionId,
        /// Whose.
        wallet: WalletId,
        /// Why, as a node told.
        why: Option<String>,
    },
    /// The weekly word.
    Weekly {
        /// The log's signed head, as it may be kept and compared.
        head: String,
        /// Number of the log's newest event.
        sequence: u64,
        /// Payments signed since the last weekly word.
        signed: u64,
        /// Payments that wait now.
        waiting: u64,
    },
    /// A trial of a channel.
    Trial {
        /// Which.
        channel: String,
    },
}

impl Own {
    const fn kind(&self) -> Kind {
        match self {
            Self::Begins { .. } => Kind::Begins,
            Self::Silent { .. } => Kind::Silent,
            Self::Failed { .. } => Kind::PaymentFailed,
            Self::Weekly { .. } => Kind::Weekly,
            Self::Trial { .. } => Kind::Trial,
        }
    }

    /// What it is about, as part of a name.
    fn about(&self) -> String {
        match self {
            Self::Begins { sequence } => format!("begins_{sequence}"),
            Self::Silent { channel, .. } => format!("silent_{channel}"),
            Self::Failed { transaction, .. } => format!("failed_{transaction}"),
            Self::Weekly { sequence, .. } => format!("weekly_{sequence}"),
            Self::Trial { channel } => format!("trial_{channel}"),
        }
    }
}

impl Notice {
    /// What an event tells; none: nothing, or it cannot be read (which the projection refuses before).
    #[must_use]
    pub fn of_event(record: &EventRecord) -> Option<Self> {
        let event: Event = from_canonical(&record.body).ok()?;
        Kind::of(&event.body)?;
        Some(Self {
            name: format!("evt_{}", record.sequence),
            at: event.clocks.wall,
            told: Told::Event(record.sequence, Box::new(event)),
        })
    }

    /// The gateway's own word.
    #[must_use]
    pub fn own(own: Own, at: WallTime) -> Self {
        // A payment fails once, a log begins once at one event; everything else is told again at another time.
        let name = match &own {
            Own::Failed { .. } => format!("gw_{}", own.about()),
            _ => format!("gw_{}_{}", own.about(), at.millis()),
        };
        Self {
            name,
            at,
            told: Told::Own(own),
        }
    }

    /// What it is told as.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match &self.told {
            Told::Event(_, event) => Kind::of(&event.body),
            Told::Own(own) => Some(own.kind()),
        }
    }

    /// As the outbox keeps it: the event's number and bytes, or the gateway's own words as JSON.
    #[must_use]
    pub(super) fn kept(&self) -> (Option<u64>, Vec<u8>) {
        match &self.told {
            Told::Event(sequence, event) => (Some(*sequence), to_canonical(event.as_ref())),
            Told::Own(own) => (None, serde_json::to_vec(own).unwrap_or_default()),
        }
    }

    /// What the outbox kept; none if it is not what this program writes.
    #[must_use]
    pub(super) fn from_kept(
        name: String,
        at: WallTime,
        sequence: Option<u64>,
        bytes: &[u8],
    ) -> Option<Self> {
        let told = match sequence {
            Some(sequence) => Told::Event(sequence, Box::new(from_canonical(bytes).ok()?)),
            None => Told::Own(serde_json::from_slice(bytes).ok()?),
        };
        Some(Self { name, at, told })
    }
}
