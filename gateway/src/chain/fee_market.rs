//! What an EVM chain asks for its next blocks, and the fee settings that follow from it. Never an input of
//! a limit: ceilings are the owner's.

use waiaas_shared::amount::Amount;

use super::ChainError;

/// What the next block costs, in wei per gas, if the nodes say the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeMarket {
    /// The base fee.
    pub base: u128,
    /// The usual tip.
    pub tip: u128,
}

/// The fee settings of one transaction, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fees {
    pub(super) max_fee: u128,
    pub(super) tip: u128,
}

impl FeeMarket {
    /// Room for the base fee to double, as far as the ceiling (wei for the whole transaction) goes;
    /// at least room for one full block's rise, an eighth.
    pub(super) fn fees(self, gas_limit: u64, ceiling: Amount) -> Result<Fees, ChainError> {
        let gas = u128::from(gas_limit.max(1));
        let affordable = ceiling.base_units().checked_div(gas).unwrap_or(0);
        let least = self.base.saturating_add(self.base.div_ceil(8));
        let Some(left) = affordable.checked_sub(least) else {
            return Err(ChainError::FeeAboveCeiling {
                needed: Amount::from_base_units(least.saturating_mul(gas)),
                ceiling,
            });
        };
        let tip = self.tip.min(left);
        let wished = self.base.saturating_mul(2).saturating_add(tip);
        Ok(Fees {
            max_fee: wished.min(affordable),
            tip,
        })
    }
}
