//! What a transaction does, as the decoders derive it from its bytes and as policy judges it. Never
//! taken from a caller (invariant 3); a caller's claim is only ever compared with it.

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::evm::abi::Invocation;
use crate::solana::{ProgramCall, StakeAccount, StakeSeed, Staking};

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
    /// `spender` may take up to `amount` base units of `asset` later, whenever it likes: counted in full.
    #[n(2)]
    Approval {
        /// What may be taken.
        #[n(0)]
        asset: AssetId,
        /// Who may take it.
        #[n(1)]
        spender: Account,
        /// Base units.
        #[n(2)]
        amount: Amount,
    },
    /// `amount` base units of `asset` are locked up for accounts that the transaction creates.
    #[n(3)]
    Rent {
        /// The chain's native asset.
        #[n(0)]
        asset: AssetId,
        /// Base units.
        #[n(1)]
        amount: Amount,
    },
    /// A program or contract is called with `value`.
    #[n(4)]
    Call {
        /// The program or contract.
        #[n(0)]
        target: Account,
        /// How the call's data begins, at most 16 bytes.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        method: Vec<u8>,
        /// What the call may carry away.
        #[n(2)]
        asset: AssetId,
        /// Worst case, in base units.
        #[n(3)]
        value: Amount,
        /// Every argument, of the function of a contract that an owner registered. What else the same call
        /// lets leave follows it, one effect an asset, without them.
        #[n(4)]
        told: Option<Box<Invocation>>,
    },
    /// Something is done with a Solana stake account of the wallet's own, which nobody else can move. What goes
    /// into it counts in full as leaving, though it can come back; what comes back counts as nothing.
    #[n(5)]
    Stake {
        /// The chain's native asset.
        #[n(0)]
        asset: AssetId,
        /// Which account.
        #[n(1)]
        account: StakeAccount,
        /// What is done.
        #[n(2)]
        staking: Staking,
    },
    /// A Solana program is called by a method that an owner registered. What the call lets leave of tokens
    /// follows it as calls without arguments, one effect an asset.
    #[n(6)]
    Program {
        /// The chain's native asset.
        #[n(0)]
        asset: AssetId,
        /// What leaves of it at worst, in base units.
        #[n(1)]
        value: Amount,
        /// Who is called, with every account and every byte.
        #[n(2)]
        told: Box<ProgramCall>,
    },
}

impl Effect {
    /// The asset that leaves the wallet.
    #[must_use]
    pub const fn asset(&self) -> AssetId {
        match self {
            Self::Transfer { asset, .. }
            | Self::Fee { asset, .. }
            | Self::Approval { asset, .. }
            | Self::Rent { asset, .. }
            | Self::Call { asset, .. }
            | Self::Stake { asset, .. }
            | Self::Program { asset, .. } => *asset,
        }
    }

    /// Base units that leave the wallet at worst.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Transfer { amount, .. }
            | Self::Approval { amount, .. }
            | Self::Rent { amount, .. } => *amount,
            Self::Fee { max, .. } => *max,
            Self::Call { value, .. } | Self::Program { value, .. } => *value,
            Self::Stake {
                staking: Staking::Delegate { amount, .. },
                ..
            } => *amount,
            Self::Stake { .. } => Amount::ZERO,
        }
    }

    /// Who receives, or may take, what leaves.
    #[must_use]
    pub const fn recipient(&self) -> Option<Account> {
        match self {
            Self::Transfer { to, .. } => Some(*to),
            Self::Approval { spender, .. } => Some(*spender),
            Self::Fee { .. }
            | Self::Rent { .. }
            | Self::Call { .. }
            | Self::Stake { .. }
            | Self::Program { .. } => None,
        }
    }

    /// The program or contract that is called, or the validator to whom coins are delegated.
    #[must_use]
    pub const fn called(&self) -> Option<Account> {
        match self {
            Self::Call { target, .. } => Some(*target),
            Self::Program { told, .. } => Some(Account::Solana(told.method.program)),
            Self::Stake {
                staking: Staking::Delegate { validator, .. },
                ..
            } => Some(Account::Solana(*validator)),
            _ => None,
        }
    }

    /// The seed of the stake account with which something is done.
    #[must_use]
    pub const fn seed(&self) -> Option<&StakeSeed> {
        match self {
            Self::Stake { account, .. } => Some(account.seed()),
            _ => None,
        }
    }

    /// Base units that come back to the wallet.
    #[must_use]
    pub const fn returned(&self) -> Amount {
        match self {
            Self::Stake {
                staking: Staking::Withdraw { amount },
                ..
            } => *amount,
            _ => Amount::ZERO,
        }
    }

    /// Whether it is what was asked for. Nobody asks how much comes back out of a stake account: it comes to
    /// the wallet, whatever it is.
    #[must_use]
    pub fn fulfils(&self, asked: &Self) -> bool {
        match (self, asked) {
            (
                Self::Stake {
                    asset,
                    account,
                    staking: Staking::Withdraw { .. },
                },
                Self::Stake {
                    asset: other_asset,
                    account: other_account,
                    staking: Staking::Withdraw { .. },
                },
            ) => (asset, account) == (other_asset, other_account),
            _ => self == asked,
        }
    }

    /// Whether it is what the chain takes for the transaction.
    #[must_use]
    pub const fn is_fee(&self) -> bool {
        matches!(self, Self::Fee { .. })
    }

    /// Whether it is a cost of sending rather than what was asked for.
    #[must_use]
    pub const fn is_cost(&self) -> bool {
        matches!(self, Self::Fee { .. } | Self::Rent { .. })
    }
}
