//! The one transaction that a wallet sends to itself: nothing, with no data, so that an issued nonce is
//! used up. Built by the signer alone, from fee settings; bytes from outside never pass as one, for
//! `decode` refuses every transfer to the wallet itself. Called by `transaction`.

use super::{EvmError, MAX_GAS_LIMIT, MIN_GAS_LIMIT, UnsignedTransaction};
use crate::address::EvmAddress;
use crate::amount::Amount;
use crate::transaction::EvmFees;

/// The cancellation of a nonce; second the worst-case fee in wei.
pub(crate) fn build(
    chain_id: u64,
    wallet: EvmAddress,
    nonce: u64,
    fees: EvmFees,
) -> Result<(UnsignedTransaction, Amount), EvmError> {
    if chain_id == 0 {
        return Err(EvmError::ChainId);
    }
    if nonce == u64::MAX {
        return Err(EvmError::NonceLimit);
    }
    if fees.max_priority_fee_per_gas > fees.max_fee_per_gas {
        return Err(EvmError::TipAboveFee);
    }
    if !(MIN_GAS_LIMIT..=MAX_GAS_LIMIT).contains(&fees.gas_limit) {
        return Err(EvmError::GasLimit);
    }
    let fee_max = u128::from(fees.gas_limit)
        .checked_mul(fees.max_fee_per_gas)
        .ok_or(EvmError::CostOverflow)?;
    let transaction = UnsignedTransaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        max_fee_per_gas: fees.max_fee_per_gas,
        gas_limit: fees.gas_limit,
        to: wallet,
        value: 0,
        data: Vec::new(),
    };
    Ok((transaction, Amount::from_base_units(fee_max)))
}

/// Reads a cancellation back from the signer's own log; anything else is refused.
pub(crate) fn read(
    chain_id: u64,
    wallet: EvmAddress,
    unsigned: &[u8],
) -> Result<(UnsignedTransaction, Amount), EvmError> {
    let said = UnsignedTransaction::parse(unsigned, None)?;
    let fees = EvmFees {
        gas_limit: said.gas_limit,
        max_fee_per_gas: said.max_fee_per_gas,
        max_priority_fee_per_gas: said.max_priority_fee_per_gas,
    };
    let built = build(chain_id, wallet, said.nonce, fees)?;
    if built.0 == said {
        Ok(built)
    } else {
        Err(EvmError::Malformed)
    }
}
