//! How the nodes of a chain are, as `GET /ready` shows it. Said by `endpoints`; decides nothing.

use std::time::Duration;

use super::{RpcError, SocketHealth};

/// How the nodes and websockets of a chain are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Each node, in the order of the configuration.
    pub endpoints: Vec<EndpointHealth>,
    /// Each websocket, in the order of the configuration.
    pub sockets: Vec<SocketHealth>,
}

/// How one node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHealth {
    /// The newest slot or block number that it knows, or why it is not asked or gives no answer.
    pub head: Result<u64, RpcError>,
    /// How long it usually takes to answer.
    pub latency: Option<Duration>,
    /// Payments under way about which it and another one contradict each other.
    pub contradicts: usize,
}

impl Health {
    /// The newest slot or block number, by the first node that answers; none if none does.
    #[must_use]
    pub fn head(&self) -> Option<u64> {
        let mut heads = self.endpoints.iter().flat_map(|endpoint| &endpoint.head);
        heads.next().copied()
    }

    /// Whether nodes contradict each other about a payment under way.
    #[must_use]
    pub fn is_contradictory(&self) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.contradicts > 0)
    }
}
