//! What a transaction does, as the decoders derive it from its bytes and as policy judges it. Never
//! taken from a caller (invariant 3); a caller's claim is only ever compared with it.

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AssetId;

/// One effect of a transaction. A list of them describes the whole transaction, every instruction
/// included.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Effect {
    /// `amount` base units of `asset` leave the wallet for `to`.
    #[n(0)]
    Transfer {
        /// What moves.
        #[n(0)]
        asset: AssetId,
        /// Who receives: the owner of the receiving account, in full.
        #[n(1)]
        to: Account,
        /// Base units.
        #[n(2)]
        amount: Amount,
    },
    /// The chain may take up to `max` base units of `asset` as its fee.
    #[n(1)]
    Fee {
        /// The chain's native asset.
        #[n(0)]
        asset: AssetId,
        /// Worst case, in base units (lamports, wei).
        #[n(1)]
        max: Amount,
    },
}

impl Effect {
    /// The asset that leaves the wallet.
    #[must_use]
    pub const fn asset(&self) -> AssetId {
        match self {
            Self::Transfer { asset, .. } | Self::Fee { asset, .. } => *asset,
        }
    }

    /// Base units that leave the wallet at worst.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Transfer { amount, .. } => *amount,
            Self::Fee { max, .. } => *max,
        }
    }
}
