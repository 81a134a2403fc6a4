//! What came of sending a transaction, and what a chain knows of one that was sent: its three ends told apart from
//! everything that is none. Made by the adapters and `witness`; decides nothing.

use waiaas_shared::amount::Amount;
use waiaas_shared::status::Status;

use super::{ChainText, ChainTransactionId, RpcError};

/// What came of sending. In every case the bytes may have reached the network: only
/// [`super::Chain::status_of`] says what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Computed from the bytes, not taken from the node.
    pub id: ChainTransactionId,
    /// `Ok`: a node took it. An error is for the log and the next attempt; a node also refuses what
    /// it already has ("already known", "already processed", "nonce too low").
    pub taken: Result<(), RpcError>,
}

/// What a chain knows of a transaction that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// No node has seen it, and it could still land.
    Unknown,
    /// Seen, not yet as deep as the configuration asks for; even one that failed there may still be
    /// undone and succeed.
    Pending,
    /// Nodes tell of ends that cannot all be true, more than once: none of them counts.
    Disputed,
    /// Executed, deep enough.
    Confirmed {
        /// Slot or block number.
        position: u64,
        /// What the chain took, in lamports or wei, as far as the node says. For showing only.
        fee: Option<Amount>,
    },
    /// Executed with an error, deep enough. The fee is gone.
    Failed {
        /// Slot or block number.
        position: u64,
        /// The chain's words.
        reason: ChainText,
    },
    /// Not on the chain, and it never can be.
    Expired,
}

impl Landing {
    /// The status that ends the transaction's life, if this does.
    #[must_use]
    pub const fn final_status(&self) -> Option<Status> {
        match self {
            Self::Unknown | Self::Pending | Self::Disputed => None,
            Self::Confirmed { .. } => Some(Status::Confirmed),
            Self::Failed { .. } => Some(Status::Failed),
            Self::Expired => Some(Status::Expired),
        }
    }
}
