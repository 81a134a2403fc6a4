//! The one transaction that a wallet sends to itself: nothing, with no data, so that an issued nonce is
//! used up. Built by the signer alone, from fee settings; bytes from outside never pass as one, for
//! `decode` refuses every transfer to the wallet itself. Called by `transaction`.

use super::{
    EvmError, Form, MAX_GAS_LIMIT, MIN_GAS_LIMIT, NetworkTerms, Transaction, UnsignedTransaction,
    with_data_fee,
};
use crate::address::EvmAddress;
use crate::amount::Amount;
use crate::transaction::EvmFees;

/// The cancellation of a nonce; second the worst-case fee in wei.
pub(crate) fn build(
    chain_id: u64,
    wallet: EvmAddress,
    nonce: u64,
    fees: EvmFees,
    (form, network): (Form, NetworkTerms),
) -> Result<(Transaction, Amount), EvmError> {
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
    let gas = u128::from(fees.gas_limit)
        .checked_mul(fees.max_fee_per_gas)
        .ok_or(EvmError::CostOverflow)?;
    let fee_max = with_data_fee(chain_id, Amount::from_base_units(gas), 0, network)?;
    let fields = UnsignedTransaction {
        chain_id,
        nonce,
        max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        max_fee_per_gas: fees.max_fee_per_gas,
        gas_limit: fees.gas_limit,
        to: wallet,
        value: 0,
        data: Vec::new(),
    };
    Ok((Transaction::new(fields, form)?, fee_max))
}

/// Reads a cancellation back from the signer's own log; anything else is refused. The fee is that of its gas.
pub(crate) fn read(
    chain_id: u64,
    wallet: EvmAddress,
    unsigned: &[u8],
) -> Result<(Transaction, Amount), EvmError> {
    let said = Transaction::parse(unsigned, None, NetworkTerms::RECORDED)?;
    let fees = EvmFees {
        gas_limit: said.fields.gas_limit,
        max_fee_per_gas: said.fields.max_fee_per_gas,
        max_priority_fee_per_gas: said.fields.max_priority_fee_per_gas,
    };
    let how = (said.form, NetworkTerms::RECORDED);
    let built = build(chain_id, wallet, said.fields.nonce, fees, how)?;
    if built.0 == said {
        Ok(built)
    } else {
        Err(EvmError::Malformed)
    }
}
