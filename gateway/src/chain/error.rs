//! Why the chain part of a request cannot be done: the caller's mistakes, what the chain would refuse, and nodes that
//! give no usable answer. Made by the adapters; told by `http/error`.

use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::transaction::DecodeError;

use super::{ChainText, RpcError};

/// Why the chain part of a request cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No node gave a usable answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The caller's: an account of the other family.
    #[error("the account is not of the chain's family")]
    FamilyMismatch,
    /// The caller's: more than the chain can count.
    #[error("the amount is larger than the chain can express")]
    AmountTooLarge,
    /// The caller's: a transaction that the signer would not even read, such as a transfer to oneself.
    #[error(transparent)]
    Unbuildable(#[from] DecodeError),
    /// The chain asks more than the ceiling allows, or a node says so.
    #[error("the fee would be {needed} base units, above the ceiling of {ceiling}")]
    FeeAboveCeiling {
        /// The least fee with which the transaction could land, in lamports or wei.
        needed: Amount,
        /// The lower of the request's and the configuration's ceiling.
        ceiling: Amount,
    },
    /// The network asks more for the transaction's data than policy lets be counted for it, or a node says so.
    #[error(
        "the fee for data would be up to {needed} base units, above policy's data-fee-ceiling of {ceiling}"
    )]
    DataFeeAboveCeiling {
        /// What the network's oracle says, and a quarter more.
        needed: Amount,
        /// What is counted for it.
        ceiling: Amount,
    },
    /// The recipient is code that wants more gas than a plain transfer may have.
    #[error("the recipient would use {estimated} gas, a transfer may have {limit}")]
    GasAboveLimit {
        /// What a node estimates.
        estimated: Amount,
        /// What the signer accepts.
        limit: u64,
    },
    /// The account does not hold what the transaction may cost at worst.
    #[error("the account holds {balance} base units and needs {needed}")]
    InsufficientFunds {
        /// What a node says it holds.
        balance: Amount,
        /// Amount and worst-case fee.
        needed: Amount,
    },
    /// The chain would execute the transaction with an error.
    #[error("the chain would refuse the transaction: {reason}")]
    WouldFail {
        /// The chain's words.
        reason: ChainText,
    },
    /// The account does not hold that much of a token.
    #[error("the account holds {balance} base units of {asset} and needs {needed}")]
    InsufficientTokens {
        /// Which token.
        asset: Box<AssetId>,
        /// What a node says the account holds.
        balance: Amount,
        /// The amount.
        needed: Amount,
    },
    /// No token answers where the asset's name says.
    #[error("no contract of a token answers for {0}")]
    NoToken(Box<AssetId>),
    /// The token takes a part of what is transferred.
    #[error("of {sent} base units of {asset} the recipient would get {received}")]
    TokenTakesFee {
        /// Which token.
        asset: Box<AssetId>,
        /// What would leave the account.
        sent: Amount,
        /// What would arrive.
        received: Amount,
    },
    /// The caller's: bytes that are no signed transaction of this chain.
    #[error("the bytes are not a signed transaction of this chain")]
    NotSigned,
}
