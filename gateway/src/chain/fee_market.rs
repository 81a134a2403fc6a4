//! What an EVM chain asks for its next blocks, and the fee settings that follow from it. Never an input of
//! a limit: ceilings are the owner's.

use waiaas_shared::amount::Amount;

use super::ChainError;

/// What the next block costs, in wei per gas, if the nodes say the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeMarket {
    /// Of a chain whose transactions carry a fee with a tip in it.
    Eip1559 {
        /// The base fee.
        base: u128,
        /// The usual tip.
        tip: u128,
    },
    /// Of a chain whose transactions are legacy: the gas price, all of which is paid.
    Legacy {
        /// The usual one.
        price: u128,
    },
}

/// The fee settings of one transaction, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// In all, at most.
    pub max_fee: u128,
    /// For the block's producer, at most; in the legacy form the same.
    pub tip: u128,
}

impl FeeMarket {
    /// What no transaction is taken below.
    #[must_use]
    pub const fn least(self) -> u128 {
        match self {
            Self::Eip1559 { base, .. } => base,
            Self::Legacy { price } => price,
        }
    }

    /// What is offered where nothing bounds it: room for the base fee to double; of a gas price, which is paid
    /// in full, an eighth.
    #[must_use]
    pub const fn usual(self) -> Fees {
        match self {
            Self::Eip1559 { base, tip } => Fees {
                max_fee: base.saturating_mul(2).saturating_add(tip),
                tip,
            },
            Self::Legacy { price } => {
                let price = price.saturating_add(price.div_ceil(8));
                Fees {
                    max_fee: price,
                    tip: price,
                }
            }
        }
    }

    /// The usual, as far as the ceiling (wei for the gas of the whole transaction) goes; with at least room for
    /// one full block's rise of the base fee, an eighth, or with the gas price itself.
    pub(super) fn fees(self, gas_limit: u64, ceiling: Amount) -> Result<Fees, ChainError> {
        let gas = u128::from(gas_limit.max(1));
        let affordable = ceiling.base_units().checked_div(gas).unwrap_or(0);
        let least = match self {
            Self::Eip1559 { base, .. } => base.saturating_add(base.div_ceil(8)),
            Self::Legacy { price } => price,
        };
        let Some(left) = affordable.checked_sub(least) else {
            return Err(ChainError::FeeAboveCeiling {
                needed: Amount::from_base_units(least.saturating_mul(gas)),
                ceiling,
            });
        };
        let usual = self.usual();
        let max_fee = match self {
            // The tip gives way first.
            Self::Eip1559 { base, tip } => base.saturating_mul(2).saturating_add(tip.min(left)),
            Self::Legacy { .. } => usual.max_fee,
        }
        .min(affordable);
        Ok(match self {
            Self::Eip1559 { tip, .. } => Fees {
                max_fee,
                tip: tip.min(left),
            },
            Self::Legacy { .. } => Fees {
                max_fee,
                tip: max_fee,
            },
        })
    }
}
