//! A transaction whose end is asked for: by which name, until when the chain accepts it, and how deep it has to be.
//! Made by the pipeline; read by the adapters and by `witness`.

use waiaas_shared::address::SolanaAddress;

use super::{ChainTransactionId, Depth, Validity};

/// A transaction whose end is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sought {
    /// What the chain calls it; with a `signer`, that one's signature.
    pub id: ChainTransactionId,
    /// Solana: whoever made the signature, where somebody else pays the fee and so names the transaction: it is looked
    /// for among everything that this account has signed.
    pub signer: Option<SolanaAddress>,
    /// Until when the chain accepts it.
    pub validity: Validity,
    /// How deep it has to be; none: as the configuration asks for.
    pub depth: Option<Depth>,
}

impl Sought {
    /// By its name.
    #[must_use]
    pub const fn named(id: ChainTransactionId, validity: Validity) -> Self {
        Self {
            id,
            signer: None,
            validity,
            depth: None,
        }
    }

    /// The same, that deep.
    #[must_use]
    pub const fn at(self, depth: Depth) -> Self {
        Self {
            depth: Some(depth),
            ..self
        }
    }
}
