//! What can go wrong between the gateway and a node, and the only form in which a node's own words
//! travel further. Decides nothing; `rpc` makes these, the adapters and the HTTP layer read them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// Why a node gave no usable answer. Every variant but [`RpcError::Rpc`] is the node's fault, and
/// another node may do better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No connection, or one that broke before the answer was complete.
    #[error("the node cannot be reached")]
    Unreachable,
    /// Not complete within the time set for a request.
    #[error("the node did not answer in time")]
    Timeout,
    /// More bytes than any honest answer has.
    #[error("the node's answer is too large")]
    TooLarge,
    /// An HTTP status other than success, without a JSON-RPC error in the body.
    #[error("the node answered with HTTP status {0}")]
    Http(u16),
    /// Not JSON-RPC, or a result of another form than the method's.
    #[error("the node's answer is malformed")]
    Malformed,
    /// It has not seen as much of the chain as another node.
    #[error("the node is behind another one")]
    Behind,
    /// A JSON-RPC error object.
    #[error("the node refused with code {code}: {message}")]
    Rpc {
        /// The JSON-RPC error code.
        code: i64,
        /// The node's words, bounded and printable. For people only.
        message: ChainText,
    },
    /// Well-formed, and certainly wrong.
    #[error("the node lies: {0}")]
    Lies(Lie),
}

impl RpcError {
    /// Whether the node has failed, rather than answered with a refusal.
    #[must_use]
    pub(super) const fn is_the_nodes_own(&self) -> bool {
        match self {
            // Solana: the node is behind. EIP-1474: a rate limit is exceeded. Both say -32005.
            Self::Rpc { code, .. } => *code == -32005,
            _ => true,
        }
    }
}

impl RpcError {
    /// One word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Http(_) => "http_status",
            Self::Malformed => "malformed",
            Self::Behind => "behind",
            Self::Rpc { .. } => "refused",
            Self::Lies(Lie::Chain) => "other_chain",
            Self::Lies(_) => "lies",
        }
    }
}

/// A statement of a node that can be seen to be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// It serves another chain than the configured one.
    #[error("it serves another chain")]
    Chain,
    /// The answer belongs to another request.
    #[error("the answer belongs to another request")]
    RequestId,
    /// It names another transaction than the one asked about or sent.
    #[error("it names another transaction")]
    Transaction,
    /// An account nonce that no account can have reached.
    #[error("it claims an impossible account nonce")]
    AccountNonce,
    /// A block height that does not fit the slot it came with.
    #[error("it claims an impossible block height")]
    BlockHeight,
    /// Gas below what any transaction uses.
    #[error("it claims an impossible gas estimate")]
    Gas,
}

/// Words that came from a chain: printable ASCII, at most 200 characters, never interpreted.
#[derive(Clone, PartialEq, Eq)]
pub struct ChainText(Box<str>);

impl ChainText {
    /// Characters kept.
    pub const MAX_LENGTH: usize = 200;

    /// The printable part of `text`; anything else becomes `?`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let printable = |character: char| match character {
            ' '..='~' => character,
            _ => '?',
        };
        Self(text.chars().take(Self::MAX_LENGTH).map(printable).collect())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChainText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ChainText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for ChainText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = ChainText;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }

            fn visit_str<E>(self, text: &str) -> Result<ChainText, E> {
                Ok(ChainText::new(text))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_node_are_bounded_and_printable() {
        let hostile = "\u{1b}[31mred\u{202e}\0\n".to_owned() + &"x".repeat(10_000);
        let text = ChainText::new(&hostile);
        assert_eq!(text.as_str().len(), ChainText::MAX_LENGTH);
        assert!(text.as_str().starts_with("?[31mred???x"));
        let json = serde_json::to_string(&hostile).expect("text is JSON");
        assert_eq!(
            serde_json::from_str::<ChainText>(&json).expect("text"),
            text
        );
        assert!(serde_json::from_str::<ChainText>("{}").is_err());
    }
}
