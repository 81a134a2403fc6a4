//! What a payment offers the network: how soon it should land, and the most that this may cost. And what each
//! speed would cost now, as nodes tell: for showing, never an input of a limit.

use waiaas_shared::amount::Amount;
use waiaas_shared::request::Speed;

/// How soon, and for how much at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Offer {
    /// The most that the fee may be, in lamports or wei, beside what is configured; none: that alone.
    pub ceiling: Option<Amount>,
    /// How soon it should land, as far as the ceilings go.
    pub speed: Speed,
}

impl From<Option<Amount>> for Offer {
    /// A payment as most are.
    fn from(ceiling: Option<Amount>) -> Self {
        Self {
            ceiling,
            speed: Speed::Normal,
        }
    }
}

/// What sending the network's own coin costs at one speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeEstimate {
    /// Which speed.
    pub speed: Speed,
    /// The worst-case fee, in lamports or wei, as such a payment would have it; the least that is needed where that
    /// is above the ceiling.
    pub fee_max: Amount,
    /// What is offered for a unit of work, as far as the ceiling goes.
    pub price: UnitPrice,
    /// Whether nothing can be sent under the ceiling.
    pub above_ceiling: bool,
}

/// The price of a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitPrice {
    /// Wei per gas.
    Gas {
        /// In all, at most.
        max_fee: u128,
        /// For the block's producer, at most.
        tip: u128,
    },
    /// Micro-lamports per compute unit.
    Compute(u64),
}
