//! Agents: who sessions may belong to, and the five stages of an agent's life. The values that events,
//! views and the signer's state share; decides nothing. An agent's name is no part of it: names are
//! personal, and nothing personal stands in the log.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::ids::{AgentId, SessionId};

/// Where an agent stands in its life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum AgentStage {
    /// Registered: sessions may be granted to it, nothing is signed for them yet.
    #[n(0)]
    Created,
    /// Its sessions pay within their bounds.
    #[n(1)]
    Active,
    /// Nothing is signed for its sessions until an owner activates it again.
    #[n(2)]
    Suspended,
    /// On its way out: nothing is signed for its sessions any more, none is granted or renewed. What
    /// still waits can be rejected, cancelled, or runs out.
    #[n(3)]
    Terminating,
    /// Over: its sessions are revoked, and nothing brings it back.
    #[n(4)]
    Terminated,
}

impl AgentStage {
    /// The name on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminating => "terminating",
            Self::Terminated => "terminated",
        }
    }

    /// Whether no owner can bring it back.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::Terminating | Self::Terminated)
    }
}

impl fmt::Display for AgentStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One agent, as both sockets show it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AgentView {
    /// Its identifier.
    #[n(0)]
    pub agent: AgentId,
    /// Its stage.
    #[n(1)]
    pub stage: AgentStage,
    /// Sessions that were granted to it, in whatever state.
    #[n(2)]
    pub sessions: Vec<SessionId>,
    /// Payments of theirs that wait.
    #[n(3)]
    pub waiting: u32,
}
