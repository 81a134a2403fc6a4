//! Transfers into watched accounts, as a node tells of blocks that are deep enough, and whether a second one tells the
//! same. For showing, and never for judging: no limit, no delay and no payment depends on it. What can be missed is told in docs/api.md. Each look is
//! bounded; the caller keeps the cursors and asks again.

use std::collections::BTreeMap;

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::solana::Token;

use super::{Chain, ChainError, ChainTransactionId};

/// One account, and the tokens of the policy in which it may be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub account: Account,
    /// The tokens; of a Solana mint with how it is registered.
    pub tokens: Vec<(AssetId, Option<Token>)>,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Into which account.
    pub account: Account,
    /// In which transaction.
    pub transaction: ChainTransactionId,
    /// Which part of it: a log's number on an EVM chain, an account's place on Solana; 0 for an EVM chain's coin.
    pub place: u32,
    /// What.
    pub asset: AssetId,
    /// From whom, as far as that can be seen.
    pub from: Option<Account>,
    /// Base units.
    pub amount: Amount,
    /// Slot or block number.
    pub position: u64,
    /// How many nodes tell of it. A second one is asked where there is one that does well.
    pub nodes: u32,
}

impl Incoming {
    /// The same with the word of a second node, if that tells of it too.
    pub(super) fn seconded(mut self, by: &[Self]) -> Self {
        if by.contains(&self) {
            self.nodes = self.nodes.saturating_add(1);
        }
        self
    }
}

/// How far each part of a chain was read: an address' newest signature on Solana, the next block on an EVM chain.
pub type Cursors = BTreeMap<String, String>;

/// What one look has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// What came in.
    pub found: Vec<Incoming>,
    /// Cursors that have moved.
    pub cursors: Cursors,
    /// Whether there is more to be read at once.
    pub more: bool,
    /// Whether a part was passed over, because there was too much of it.
    pub gap: bool,
}

impl Chain {
    /// Reads on from where the cursors stand.
    ///
    /// # Errors
    /// [`ChainError`] if no node gives a usable answer; the cursors stay.
    pub async fn incoming(
        &self,
        watched: &[Watched],
        cursors: &Cursors,
    ) -> Result<Seen, ChainError> {
        match self {
            Self::Solana(solana) => Ok(solana.incoming(watched, cursors).await?),
            Self::Evm(evm) => evm.incoming(watched, cursors).await,
        }
    }
}
