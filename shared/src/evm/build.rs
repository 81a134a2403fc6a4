//! Builds unsigned transactions, always with nonce 0: the signer issues the nonce (invariant 6).

use super::{EvmError, UnsignedTransaction, check};
use crate::address::EvmAddress;

/// A transfer of the chain's own coin with its fee settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRequest {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The wallet.
    pub from: EvmAddress,
    /// The recipient.
    pub to: EvmAddress,
    /// Wei.
    pub value: u128,
    /// Units of gas, 21 000 to 100 000.
    pub gas_limit: u64,
    /// Wei per gas in all, at most.
    pub max_fee_per_gas: u128,
    /// Wei per gas for the block's producer, at most.
    pub max_priority_fee_per_gas: u128,
}

/// The unsigned bytes of a transfer, with nonce 0.
///
/// # Errors
/// [`EvmError`] where `decode` would refuse the transaction.
pub fn transfer(request: &TransferRequest) -> Result<Vec<u8>, EvmError> {
    let transaction = UnsignedTransaction {
        chain_id: request.chain_id,
        nonce: 0,
        max_priority_fee_per_gas: request.max_priority_fee_per_gas,
        max_fee_per_gas: request.max_fee_per_gas,
        gas_limit: request.gas_limit,
        to: request.to,
        value: request.value,
    };
    check(request.chain_id, request.from, &transaction)?;
    Ok(transaction.encode())
}
