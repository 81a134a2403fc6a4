//! Why bytes are refused as an EVM transaction. Owns the stable codes; one vector each.

/// The rule that a transaction broke. Whose fault: the peer's that built it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvmError {
    /// No bytes.
    #[error("there are no bytes")]
    Empty,
    /// Type 0x01, access lists (EIP-2930).
    #[error("transactions of type 1 (EIP-2930) are not accepted")]
    TypeOne,
    /// Type 0x03, blobs (EIP-4844).
    #[error("blob transactions (EIP-4844) are not accepted")]
    Blob,
    /// Type 0x04, which would hand the account to other code for good (EIP-7702).
    #[error("set-code transactions (EIP-7702) are never accepted")]
    SetCode,
    /// A transaction without type byte, from before EIP-2718, where policy does not register that form.
    #[error("legacy transactions are not accepted on this network")]
    Legacy,
    /// A legacy transaction without chain id, which every chain would take.
    #[error("a legacy transaction without chain id is never accepted")]
    Unprotected,
    /// A fee with a tip, in a form that has one gas price.
    #[error("a legacy transaction has one gas price: both fees per gas must be equal")]
    GasPrice,
    /// A network that takes a fee for data, of which policy does not say how much it may be.
    #[error("policy does not say how much this network's data fee may be")]
    DataFee,
    /// Any other first byte.
    #[error("the transaction type is not known")]
    UnknownType,
    /// Not RLP, or not the expected kind of item at some place.
    #[error("the bytes are not a transaction")]
    Malformed,
    /// A leading zero, or a long form where a short one exists.
    #[error("the bytes are not the canonical encoding of the transaction")]
    NotCanonical,
    /// Fewer or more fields than the type has.
    #[error("the transaction has the wrong number of fields")]
    FieldCount,
    /// Bytes behind the transaction.
    #[error("there are bytes behind the transaction")]
    TrailingBytes,
    /// A number that needs more bits than it may have.
    #[error("a number is too large")]
    NumberTooLarge,
    /// No recipient: the call data would become a contract.
    #[error("contract creation is not accepted")]
    ContractCreation,
    /// A recipient that is not 20 bytes.
    #[error("the recipient is not 20 bytes")]
    RecipientLength,
    /// A call of a method that is not understood.
    #[error("the method that is called is not understood")]
    UnknownMethod,
    /// A call whose data is shorter or longer than its method's.
    #[error("the call's data is not as long as its method asks for")]
    CallDataLength,
    /// Bits that the ABI leaves empty and that are not.
    #[error("the call's data has bytes where none belong")]
    CallDataPadding,
    /// Wei sent along with a call that takes none.
    #[error("the chain's coin is sent along with a call of a token")]
    ValueWithCall,
    /// Leave to take more than anybody counts.
    #[error("the approval is without limit")]
    UnlimitedApproval,
    /// Somebody else's pieces, which the wallet may have been let take.
    #[error("what moves is not the wallet's own")]
    ForeignOwner,
    /// The token's own contract as the recipient or spender of its tokens.
    #[error("the recipient is the token's own contract")]
    RecipientIsToken,
    /// An access list.
    #[error("access lists are not accepted")]
    AccessList,
    /// Another chain than the wallet's.
    #[error("the chain id is not the chain's")]
    ChainId,
    /// The zero address, a precompile or a system contract as recipient.
    #[error("the recipient is the zero address or a system contract")]
    SystemRecipient,
    /// The wallet itself as recipient, spender or contract (it may carry delegated code).
    #[error("the transfer is to the wallet itself")]
    TransferToSelf,
    /// A priority fee above the total fee.
    #[error("the priority fee is above the fee")]
    TipAboveFee,
    /// Gas below 21 000, or above the limit for a plain transfer or for a call.
    #[error("the gas limit is outside of what the transaction may have")]
    GasLimit,
    /// Gas times fee, plus the value, does not fit 128 bits.
    #[error("the worst-case cost is larger than any balance")]
    CostOverflow,
    /// Unsigned bytes from outside with a nonce: only the signer issues nonces.
    #[error("the nonce must be zero: the signer issues it")]
    NonceNotZero,
    /// Nonce 2^64 - 1, which no account can use (EIP-2681).
    #[error("the nonce is beyond the chain's limit")]
    NonceLimit,
}

impl EvmError {
    /// The stable name of the rule.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "evm_empty",
            Self::TypeOne => "evm_type_one",
            Self::Blob => "evm_blob",
            Self::SetCode => "evm_set_code",
            Self::Legacy => "evm_legacy",
            Self::Unprotected => "evm_unprotected",
            Self::GasPrice => "evm_gas_price",
            Self::DataFee => "evm_data_fee",
            Self::UnknownType => "evm_unknown_type",
            Self::Malformed => "evm_malformed",
            Self::NotCanonical => "evm_not_canonical",
            Self::FieldCount => "evm_field_count",
            Self::TrailingBytes => "evm_trailing_bytes",
            Self::NumberTooLarge => "evm_number_too_large",
            Self::ContractCreation => "evm_contract_creation",
            Self::RecipientLength => "evm_recipient_length",
            Self::UnknownMethod => "evm_unknown_method",
            Self::CallDataLength => "evm_call_data_length",
            Self::CallDataPadding => "evm_call_data_padding",
            Self::ValueWithCall => "evm_value_with_call",
            Self::UnlimitedApproval => "evm_unlimited_approval",
            Self::ForeignOwner => "evm_foreign_owner",
            Self::RecipientIsToken => "evm_recipient_is_token",
            Self::AccessList => "evm_access_list",
            Self::ChainId => "evm_chain_id",
            Self::SystemRecipient => "evm_system_recipient",
            Self::TransferToSelf => "evm_transfer_to_self",
            Self::TipAboveFee => "evm_tip_above_fee",
            Self::GasLimit => "evm_gas_limit",
            Self::CostOverflow => "evm_cost_overflow",
            Self::NonceNotZero => "evm_nonce_not_zero",
            Self::NonceLimit => "evm_nonce_limit",
        }
    }
}
