//! What the pipeline asks of a chain, as a trait: [`Chain`] in the daemon, a script in tests. Adds
//! nothing of its own.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::claim::Claim;
use waiaas_shared::evm::{Form, NetworkTerms};
use waiaas_shared::request::Transfer;
use waiaas_shared::transaction::Known;

use crate::chain::tracker::Pace;
use crate::chain::{
    Chain, ChainError, ChainTransactionId, Cursors, FeeEstimate, FeeMarket, Health, Incomings,
    Landing, Offer, Prepared, Seen, Sent, Sought, TokenBalance, TokenFacts, Wake, Watched,
};

/// One chain; see the methods of [`Chain`].
pub trait ChainPort: Send + Sync + fmt::Debug {
    /// The chain.
    fn id(&self) -> ChainId;
    /// How often to look at a transaction under way.
    fn pace(&self) -> Pace;
    /// The most that one transaction may cost in fees by the configuration, in lamports or wei.
    fn max_fee(&self) -> Amount;
    /// [`Chain::prepare_transfer`].
    fn prepare_transfer<'a>(
        &'a self,
        from: Account,
        transfer: &'a Transfer,
        offer: Offer,
        network: NetworkTerms,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>>;
    /// [`Chain::prepare_batch`].
    fn prepare_batch<'a>(
        &'a self,
        from: Account,
        claim: &'a Claim,
        offer: Offer,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>>;
    /// [`Chain::fee_estimates`].
    fn fee_estimates(
        &self,
        ceiling: Amount,
        network: NetworkTerms,
    ) -> BoxFuture<'_, Result<Vec<FeeEstimate>, ChainError>>;
    /// [`Chain::simulate`].
    fn simulate<'a>(
        &'a self,
        unsigned: &'a [u8],
        from: Account,
        known: Known<'a>,
    ) -> BoxFuture<'a, Result<(), ChainError>>;
    /// [`Chain::send`].
    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>>;
    /// [`Chain::status_of`].
    fn status_of<'a>(&'a self, sought: &'a Sought) -> BoxFuture<'a, Result<Landing, ChainError>>;
    /// [`Chain::name_of`].
    fn name_of<'a>(
        &'a self,
        sought: &'a Sought,
    ) -> BoxFuture<'a, Result<Option<ChainTransactionId>, ChainError>>;
    /// [`Chain::takes`].
    fn takes<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<bool, ChainError>>;
    /// [`Chain::wake`].
    fn wake(&self, sought: &Sought) -> Wake;
    /// [`Chain::listen`].
    fn listen(&self) -> BoxFuture<'_, ()>;
    /// [`Chain::fee_market`].
    fn fee_market(&self, form: Form) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>>;
    /// [`Chain::cancellation_gas`].
    fn cancellation_gas(&self, from: Account) -> BoxFuture<'_, Result<u64, ChainError>>;
    /// [`Chain::account_nonce`].
    fn account_nonce(&self, account: Account) -> BoxFuture<'_, Result<Option<u64>, ChainError>>;
    /// [`Chain::balance`].
    fn balance(&self, account: Account) -> BoxFuture<'_, Result<Amount, ChainError>>;
    /// [`Chain::token_balance`].
    fn token_balance(
        &self,
        account: Account,
        asset: AssetId,
    ) -> BoxFuture<'_, Result<Amount, ChainError>>;
    /// [`Chain::token_facts`].
    fn token_facts(&self, asset: AssetId) -> BoxFuture<'_, Result<TokenFacts, ChainError>>;
    /// [`Chain::token_balances`].
    fn token_balances(
        &self,
        account: Account,
    ) -> BoxFuture<'_, Result<Vec<TokenBalance>, ChainError>>;
    /// How often transfers into the wallets are looked for; none: never.
    fn incoming_every(&self) -> Option<Duration>;
    /// [`Chain::incoming`].
    fn incoming<'a>(
        &'a self,
        watched: &'a [Watched],
        cursors: &'a Cursors,
    ) -> BoxFuture<'a, Result<Seen, ChainError>>;
    /// [`Chain::health`].
    fn health(&self) -> BoxFuture<'_, Health>;
}

impl ChainPort for Chain {
    fn id(&self) -> ChainId {
        Self::id(self)
    }

    fn pace(&self) -> Pace {
        Pace::of(self.config())
    }

    fn max_fee(&self) -> Amount {
        self.config().max_fee
    }

    fn prepare_transfer<'a>(
        &'a self,
        from: Account,
        transfer: &'a Transfer,
        offer: Offer,
        network: NetworkTerms,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        Box::pin(Self::prepare_transfer(self, from, transfer, offer, network))
    }

    fn prepare_batch<'a>(
        &'a self,
        from: Account,
        claim: &'a Claim,
        offer: Offer,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        Box::pin(Self::prepare_batch(self, from, claim, offer))
    }

    fn fee_estimates(
        &self,
        ceiling: Amount,
        network: NetworkTerms,
    ) -> BoxFuture<'_, Result<Vec<FeeEstimate>, ChainError>> {
        Box::pin(Self::fee_estimates(self, ceiling, network))
    }

    fn simulate<'a>(
        &'a self,
        unsigned: &'a [u8],
        from: Account,
        known: Known<'a>,
    ) -> BoxFuture<'a, Result<(), ChainError>> {
        Box::pin(Self::simulate(self, unsigned, from, known))
    }

    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>> {
        Box::pin(Self::send(self, raw))
    }

    fn status_of<'a>(&'a self, sought: &'a Sought) -> BoxFuture<'a, Result<Landing, ChainError>> {
        Box::pin(Self::status_of(self, sought))
    }

    fn name_of<'a>(
        &'a self,
        sought: &'a Sought,
    ) -> BoxFuture<'a, Result<Option<ChainTransactionId>, ChainError>> {
        Box::pin(Self::name_of(self, sought))
    }

    fn takes<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<bool, ChainError>> {
        Box::pin(Self::takes(self, raw))
    }

    fn wake(&self, sought: &Sought) -> Wake {
        Self::wake(self, sought)
    }

    fn listen(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::listen(self))
    }

    fn fee_market(&self, form: Form) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>> {
        Box::pin(Self::fee_market(self, form))
    }

    fn cancellation_gas(&self, from: Account) -> BoxFuture<'_, Result<u64, ChainError>> {
        Box::pin(Self::cancellation_gas(self, from))
    }

    fn account_nonce(&self, account: Account) -> BoxFuture<'_, Result<Option<u64>, ChainError>> {
        Box::pin(Self::account_nonce(self, account))
    }

    fn balance(&self, account: Account) -> BoxFuture<'_, Result<Amount, ChainError>> {
        Box::pin(Self::balance(self, account))
    }

    fn token_balance(
        &self,
        account: Account,
        asset: AssetId,
    ) -> BoxFuture<'_, Result<Amount, ChainError>> {
        Box::pin(Self::token_balance(self, account, asset))
    }

    fn token_facts(&self, asset: AssetId) -> BoxFuture<'_, Result<TokenFacts, ChainError>> {
        Box::pin(Self::token_facts(self, asset))
    }

    fn token_balances(
        &self,
        account: Account,
    ) -> BoxFuture<'_, Result<Vec<TokenBalance>, ChainError>> {
        Box::pin(Self::token_balances(self, account))
    }

    fn incoming_every(&self) -> Option<Duration> {
        let config = self.config();
        (config.incoming != Incomings::Off).then_some(config.incoming_every)
    }

    fn incoming<'a>(
        &'a self,
        watched: &'a [Watched],
        cursors: &'a Cursors,
    ) -> BoxFuture<'a, Result<Seen, ChainError>> {
        Box::pin(Self::incoming(self, watched, cursors))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(Self::health(self))
    }
}
