//! What an EVM chain asks for its next blocks, and the fee settings that follow from it. Never an input of
//! a limit: ceilings are the owner's.

use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;

use super::ChainError;

/// What the next block costs, in wei per gas, if the nodes say the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeMarket {
    /// Of a chain whose transactions carry a fee with a tip in it.
    Eip1559 {
        /// The base fee.
        base: u128,
        /// The tip of a speed.
        tip: u128,
    },
    /// Of a chain whose transactions are legacy: the gas price, all of which is paid.
    Legacy {
        /// The usual one.
        price: u128,
    },
}

/// The same at every speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Of a chain whose transactions carry a fee with a tip in it.
    Eip1559 {
        /// The base fee.
        base: u128,
        /// The tips, from the slowest speed's.
        tips: [u128; 3],
    },
    /// Of a chain whose transactions are legacy.
    Legacy {
        /// The gas price.
        price: u128,
    },
}

/// Wei per gas, where no node tells of any tip: what costs nearly nothing, and more than nothing.
const LEAST_TIP: u128 = 1_000_000;

impl Quotes {
    /// Of what others tipped (the tenth, the half, and nine tenths of them less), and what a node suggests.
    pub(super) fn of_tips(base: u128, paid: [u128; 3], suggested: u128) -> Self {
        let [low, middle, high] = paid;
        let normal = middle.max(suggested);
        let normal = if normal == 0 { LEAST_TIP } else { normal };
        // Blocks without transactions say nothing of what a slow one takes.
        let slow = if low == 0 { normal } else { low.min(normal) };
        let fast = high.max(normal.saturating_add(normal.div_ceil(4)));
        Self::Eip1559 {
            base,
            tips: [slow, normal, fast],
        }
    }

    /// At one speed.
    pub(super) const fn at(self, speed: Speed) -> FeeMarket {
        match self {
            Self::Eip1559 {
                base,
                tips: [slow, normal, fast],
            } => FeeMarket::Eip1559 {
                base,
                tip: match speed {
                    Speed::Slow => slow,
                    Speed::Normal => normal,
                    Speed::Fast => fast,
                },
            },
            Self::Legacy { price } => FeeMarket::Legacy { price },
        }
    }
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

    /// What is offered where nothing bounds it: room for the base fee to double, for a slow one to rise by a
    /// quarter; of a gas price, which is paid in full, an eighth, for a fast one a quarter.
    #[must_use]
    pub const fn usual(self, speed: Speed) -> Fees {
        match self {
            Self::Eip1559 { base, tip } => Fees {
                max_fee: with_room(base, speed).saturating_add(tip),
                tip,
            },
            Self::Legacy { price } => {
                let more = match speed {
                    Speed::Slow => 0,
                    Speed::Normal => price.div_ceil(8),
                    Speed::Fast => price.div_ceil(4),
                };
                let price = price.saturating_add(more);
                Fees {
                    max_fee: price,
                    tip: price,
                }
            }
        }
    }

    /// The usual, as far as the ceiling (wei for the gas of the whole transaction) goes; with at least room for
    /// one full block's rise of the base fee, an eighth, or with the gas price itself.
    pub(super) fn fees(
        self,
        speed: Speed,
        gas_limit: u64,
        ceiling: Amount,
    ) -> Result<Fees, ChainError> {
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
        let usual = self.usual(speed);
        let max_fee = match self {
            // The tip gives way first.
            Self::Eip1559 { base, tip } => with_room(base, speed).saturating_add(tip.min(left)),
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

/// The base fee with room to rise.
const fn with_room(base: u128, speed: Speed) -> u128 {
    match speed {
        Speed::Slow => base.saturating_add(base.div_ceil(4)),
        Speed::Normal | Speed::Fast => base.saturating_mul(2),
    }
}
