//! What asks the core for one more transaction of an issued nonce.

use waiaas_shared::ids::TransactionId;
use waiaas_shared::transaction::EvmFees;

use super::{Prior, Used};

/// One more transaction for an issued nonce.
#[derive(Debug, Clone)]
pub struct VariantRequest {
    /// The newest transaction of the nonce, as whoever asks knows it.
    pub transaction: TransactionId,
    /// What takes its place.
    pub change: Change,
    /// That transaction, as the ledger's index found it.
    pub prior: Option<Box<Prior>>,
    /// What took its place already, as the ledger's index found it.
    pub used: Option<Used>,
}

/// What takes the place of a transaction.
#[derive(Debug, Clone)]
pub enum Change {
    /// The same payment with a higher fee: proposed bytes with nonce 0.
    Pay {
        /// Proposed transaction.
        unsigned: Vec<u8>,
    },
    /// Nothing: the signer builds what uses the nonce up, with these fees.
    Cancel {
        /// Fee settings.
        fees: EvmFees,
    },
}
