//! The gateway's side of the chains: build and estimate, simulate, send, watch. One adapter for each
//! family behind [`Chain`], chosen once from the configuration; called by the pipeline. Holds no key
//! and decides nothing about policy: the signer derives every effect from the bytes itself.
//!
//! Nodes are hostile (see `rpc`): nothing they say raises a limit, and the three ends of a sent
//! transaction, confirmed, failed and expired, are told apart from "nobody knows" by evidence only.

mod config;
mod endpoints;
mod error;
mod evm;
mod fee_market;
mod health;
mod incoming;
mod landing;
mod name;
mod node_health;
mod offer;
mod quantity;
mod revert;
mod rpc;
mod rpc_error;
mod socket;
mod solana;
mod sought;
pub mod tracker;
mod url;
mod wake;
mod witness;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::evm::{Form, NetworkTerms};
use waiaas_shared::request::{Speed, Transfer};
use waiaas_shared::solana::{WireTransaction, blockhash};
use waiaas_shared::transaction::{DecodeError, Known, decode};

pub use config::{ChainConfig, ChainConfigError, Commitment, Depth, Incomings};
pub use error::ChainError;
pub use name::{ChainTransactionId, ChainTransactionIdError};
pub use rpc::RpcSetupError;
pub use rpc_error::{ChainText, Lie, RpcError};
pub use socket::{SocketFault, SocketHealth};
pub use sought::Sought;
pub use url::{RpcUrl, RpcUrlError, SocketUrl, SocketUrlError};
pub use wake::{Pauses, Wake};

use endpoints::{Endpoint, Endpoints};
use evm::Evm;
pub use fee_market::{FeeMarket, Fees};
pub use health::{EndpointHealth, Health};
pub use incoming::{Cursors, Incoming, Seen, Watched};
pub use landing::{Landing, Sent};
pub use offer::{FeeEstimate, Offer, UnitPrice};
use solana::Solana;
use wake::Topic;

/// A transaction that is ready for the signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// A Solana message, or an EVM transaction with nonce 0 (invariant 6).
    pub unsigned: Vec<u8>,
    /// The most that the chain can take as its fee, in lamports or wei: what the signer will derive.
    pub fee_max: Amount,
    /// What the network would take now for the data beside gas, as far as it says so. For showing only.
    pub data_fee: Option<Amount>,
    /// Until when the chain accepts it.
    pub validity: Validity,
}

/// Until when the chain accepts a transaction. Stored with the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "kind",
    deny_unknown_fields
)]
pub enum Validity {
    /// EVM: a signature does not expire.
    Unlimited,
    /// Solana: up to and including a block height.
    UntilBlockHeight {
        /// The last block that may hold it.
        last_valid: u64,
        /// The slot at which its blockhash was fetched: no earlier block can hold it.
        fetched_at_slot: u64,
    },
}

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    /// Its symbol, if it has a readable one.
    pub symbol: Option<ChainText>,
    /// Places between its unit and its base unit, if it says so.
    pub decimals: Option<u8>,
}

/// Tokens in one account, as a node tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBalance {
    /// Which token.
    pub asset: AssetId,
    /// Base units.
    pub amount: Amount,
    /// The account in which they lie, where that is not the wallet's associated one: nothing is paid
    /// from there.
    pub elsewhere: Option<Account>,
}

/// One configured chain.
#[derive(Debug)]
pub enum Chain {
    /// A Solana cluster.
    Solana(Solana),
    /// An EVM chain.
    Evm(Evm),
}

impl Chain {
    /// Sets the clients up; asks nothing yet ([`Chain::health`] does).
    ///
    /// # Errors
    /// [`RpcSetupError`] if TLS cannot be set up.
    pub fn new(config: ChainConfig) -> Result<Self, RpcSetupError> {
        match config.id {
            ChainId::Solana(_) => Solana::new(config).map(Self::Solana),
            ChainId::Evm(id) => Evm::new(config, id).map(Self::Evm),
        }
    }

    /// How it was configured.
    #[must_use]
    pub const fn config(&self) -> &ChainConfig {
        match self {
            Self::Solana(solana) => solana.config(),
            Self::Evm(evm) => evm.config(),
        }
    }

    /// The chain.
    #[must_use]
    pub const fn id(&self) -> ChainId {
        self.config().id
    }

    /// Builds a transfer with fresh fees (and blockhash), never above the lower of the offer's ceiling and the
    /// configured one (lamports or wei), on the terms that policy states for an EVM network.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn prepare_transfer(
        &self,
        from: Account,
        transfer: &Transfer,
        offer: impl Into<Offer>,
        network: NetworkTerms,
    ) -> Result<Prepared, ChainError> {
        let offer = self.bounded(offer.into());
        match (self, from, transfer.to) {
            (Self::Solana(solana), Account::Solana(from), Account::Solana(to)) => {
                solana.prepare_transfer(from, to, transfer, offer).await
            }
            (Self::Evm(evm), Account::Evm(from), Account::Evm(_)) => {
                evm.prepare_transfer(from, transfer, offer, network).await
            }
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// The lower of a request's ceiling and the configuration's.
    fn ceiling(&self, asked: Option<Amount>) -> Amount {
        let configured = self.config().max_fee;
        asked.map_or(configured, |asked| asked.min(configured))
    }

    /// An offer with the lower of its ceiling and the configuration's.
    fn bounded(&self, offer: Offer) -> (Amount, Speed) {
        (self.ceiling(offer.ceiling), offer.speed)
    }

    /// What sending the network's own coin costs at each speed, under the lower of this ceiling and the
    /// configured one, from the slowest.
    ///
    /// # Errors
    /// [`ChainError`] if no node gives a usable answer.
    pub async fn fee_estimates(
        &self,
        ceiling: Amount,
        network: NetworkTerms,
    ) -> Result<Vec<FeeEstimate>, ChainError> {
        let ceiling = self.ceiling(Some(ceiling));
        match self {
            Self::Solana(solana) => Ok(solana.fee_estimates(ceiling).await?),
            Self::Evm(evm) => evm.fee_estimates(ceiling, network).await,
        }
    }

    /// Lets a node execute the unsigned transaction without keeping the result; `known` has the function that
    /// the owner registered, if it calls one, and the terms of an EVM network.
    ///
    /// # Errors
    /// [`ChainError::WouldFail`] or [`ChainError::InsufficientFunds`] if it would not succeed.
    pub async fn simulate(
        &self,
        unsigned: &[u8],
        from: Account,
        known: Known<'_>,
    ) -> Result<(), ChainError> {
        match (self, from) {
            (Self::Solana(solana), Account::Solana(_)) => solana.simulate(unsigned).await,
            (Self::Evm(evm), Account::Evm(address)) => {
                let transaction = decode(self.id(), from, unsigned, known)?;
                evm.simulate(address, &transaction).await
            }
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// Sends signed bytes; the same bytes may be sent any number of times.
    ///
    /// # Errors
    /// [`ChainError::NotSigned`]: nothing left. Everything else is in [`Sent`].
    pub async fn send(&self, raw: &[u8]) -> Result<Sent, ChainError> {
        match self {
            Self::Solana(solana) => solana.send(raw).await,
            Self::Evm(evm) => evm.send(raw).await,
        }
    }

    /// What became of a transaction, by the word of all nodes where it has ended.
    ///
    /// # Errors
    /// [`ChainError`] if no node gave a usable answer: then nothing is known.
    pub async fn status_of(&self, sought: &Sought) -> Result<Landing, ChainError> {
        match (self, sought.id) {
            (Self::Solana(_), ChainTransactionId::Solana(_))
            | (Self::Evm(_), ChainTransactionId::Evm(_)) => {
                Ok(witness::landing(self, sought).await?)
            }
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// What the chain calls a transaction that carries the sought signature, as a node tells; none if none is found.
    ///
    /// # Errors
    /// [`ChainError`] if no node gave a usable answer.
    pub async fn name_of(&self, sought: &Sought) -> Result<Option<ChainTransactionId>, ChainError> {
        match self {
            Self::Solana(solana) => Ok(solana.name_of(sought).await?),
            Self::Evm(_) => Ok(Some(sought.id)),
        }
    }

    /// Whether any node would still take these signed bytes, by what they say themselves and not by what a node told
    /// when they were made. Always on an EVM chain.
    ///
    /// # Errors
    /// [`ChainError`] if no node was there to say.
    pub async fn takes(&self, raw: &[u8]) -> Result<bool, ChainError> {
        match self {
            Self::Solana(solana) => {
                let wire = WireTransaction::parse(raw).map_err(DecodeError::from)?;
                let blockhash = blockhash(wire.message()).map_err(DecodeError::from)?;
                Ok(solana.takes(blockhash).await?)
            }
            Self::Evm(_) => Ok(true),
        }
    }

    /// A pause between two looks at a transaction, which a websocket's news end.
    pub fn wake(&self, sought: &Sought) -> Wake {
        let topic = match (self, sought.id) {
            (Self::Solana(solana), ChainTransactionId::Solana(name)) if sought.signer.is_none() => {
                Topic::Signature {
                    name,
                    finalized: solana.depth(sought).is_final(),
                }
            }
            (Self::Evm(_), ChainTransactionId::Evm(_)) => Topic::Heads,
            // Nobody knows what to wait for.
            _ => return Wake::never(),
        };
        self.endpoints().sockets.on(topic)
    }

    /// Keeps the websockets open, for ever; ends at once where none is configured.
    pub async fn listen(&self) {
        self.endpoints().sockets.listen().await;
    }

    const fn endpoints(&self) -> &Endpoints {
        match self {
            Self::Solana(solana) => solana.endpoints(),
            Self::Evm(evm) => evm.endpoints(),
        }
    }

    /// What one node knows of a transaction.
    async fn status_at(&self, node: &Endpoint, sought: &Sought) -> Result<Landing, RpcError> {
        match self {
            Self::Solana(solana) => solana.status_at(node, sought).await,
            Self::Evm(evm) => evm.status_at(node, sought).await,
        }
    }

    /// Whether a node that tells of no end has seen enough of the chain to contradict one.
    async fn denies(
        &self,
        node: &Endpoint,
        open: &Landing,
        claim: &Landing,
        sought: &Sought,
    ) -> Result<bool, RpcError> {
        match self {
            Self::Solana(_) => Solana::denies(node, open, claim, sought).await,
            Self::Evm(evm) => evm.denies(node, claim, sought).await,
        }
    }

    /// What the next block of an EVM chain costs in this form, if a node says the truth; nothing on Solana.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn fee_market(&self, form: Form) -> Result<Option<FeeMarket>, ChainError> {
        match self {
            Self::Solana(_) => Ok(None),
            Self::Evm(evm) => evm.fee_market(form).await.map(Some),
        }
    }

    /// Gas for the transaction that uses a nonce up on an EVM chain.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn cancellation_gas(&self, from: Account) -> Result<u64, ChainError> {
        match (self, from) {
            (Self::Evm(evm), Account::Evm(from)) => evm.cancellation_gas(from).await,
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// The native balance in lamports or wei.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn balance(&self, account: Account) -> Result<Amount, ChainError> {
        match (self, account) {
            (Self::Solana(solana), Account::Solana(address)) => solana.balance(address).await,
            (Self::Evm(evm), Account::Evm(address)) => evm.balance(address).await,
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// What an account holds of one token, in its base units; on Solana in its associated accounts.
    ///
    /// # Errors
    /// [`ChainError`]; [`ChainError::NoToken`] where no token answers.
    pub async fn token_balance(
        &self,
        account: Account,
        asset: AssetId,
    ) -> Result<Amount, ChainError> {
        match (self, account) {
            (Self::Evm(evm), Account::Evm(holder)) if asset.chain() == self.id() => {
                evm.holding(asset, holder).await
            }
            (Self::Solana(solana), Account::Solana(holder)) if asset.chain() == self.id() => {
                match asset.token() {
                    Token::Mint(mint) => solana.holding(holder, mint).await,
                    _ => Err(ChainError::FamilyMismatch),
                }
            }
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// What a token says of itself. For showing only: units are those of the owner's policy.
    ///
    /// # Errors
    /// [`ChainError`] if no node gives a usable answer.
    pub async fn token_facts(&self, asset: AssetId) -> Result<TokenFacts, ChainError> {
        match (self, asset.token()) {
            (
                Self::Evm(evm),
                Token::Erc20(token) | Token::Erc721(token, _) | Token::Erc1155(token, _),
            ) => evm.token_facts(token).await,
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// What the account holds of tokens, as a node tells; for showing. Empty on EVM, where no node lists
    /// them.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn token_balances(&self, account: Account) -> Result<Vec<TokenBalance>, ChainError> {
        match (self, account) {
            (Self::Solana(solana), Account::Solana(address)) => {
                solana.token_balances(address).await
            }
            (Self::Evm(_), Account::Evm(_)) => Ok(Vec::new()),
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// The account's next nonce as a node tells it; nothing on Solana. A suggestion to show to the
    /// owner who attests it, never an input of a transaction.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn account_nonce(&self, account: Account) -> Result<Option<u64>, ChainError> {
        match (self, account) {
            (Self::Solana(_), Account::Solana(_)) => Ok(None),
            (Self::Evm(evm), Account::Evm(address)) => evm.account_nonce(address).await.map(Some),
            _ => Err(ChainError::FamilyMismatch),
        }
    }

    /// How the nodes are.
    pub async fn health(&self) -> Health {
        match self {
            Self::Solana(solana) => solana.health().await,
            Self::Evm(evm) => evm.health().await,
        }
    }
}
