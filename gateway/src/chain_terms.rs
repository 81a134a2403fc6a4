//! Blockhash and fee of a Solana cluster, kept for a moment, so that a payment need not wait for a node;
//! and the difference between any two payments. A Solana transaction is named by its signature: two
//! equal transfers under one blockhash would be *one* transaction, charged twice and paid once. So no
//! two messages built here are equal. Stands in front of another [`ChainPort`]; passes everything else
//! through.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::request::Transfer;
use waiaas_shared::solana::build::{TransferRequest, transfer};
use waiaas_shared::transaction::decode;

use crate::chain::tracker::Pace;
use crate::chain::{
    ChainError, ChainTransactionId, FeeMarket, Health, Landing, Prepared, Sent, TokenFacts,
    Validity,
};
use crate::chain_port::ChainPort;

/// Older terms are renewed while they are still used.
const RENEWED_AFTER: Duration = Duration::from_millis(300);
/// Older terms are not used. A blockhash is accepted for about a minute.
const USED_FOR: Duration = Duration::from_secs(1);
/// Wallets and ceilings remembered at once.
const ENTRIES: usize = 256;
/// How many messages differ from each other before the numbers begin anew. Far more than are made under
/// one blockhash.
const VARIATIONS: u64 = 16_384;

/// Where `waiaas_shared::solana::build` puts what a node decided: after the header (3 bytes) and four
/// account keys with their count, and inside the first two instructions. Only used where building again
/// gives the same bytes.
const BLOCKHASH_AT: usize = 132;
const UNIT_LIMIT_AT: usize = 169;
const UNIT_PRICE_AT: usize = 177;

/// A chain whose Solana terms are kept for a moment.
#[derive(Debug)]
pub struct ChainTerms<C> {
    inside: Arc<Inside<C>>,
}

#[derive(Debug)]
struct Inside<C> {
    chain: C,
    kept: Mutex<HashMap<Key, Kept>>,
    variation: AtomicU64,
}

/// Fees depend on the account that pays and on the ceiling.
type Key = (Account, Option<Amount>);

#[derive(Debug, Clone, Copy)]
struct Kept {
    terms: Terms,
    since: Instant,
    renewing: bool,
}

/// What a node decided about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    blockhash: [u8; 32],
    unit_limit: u32,
    /// Micro-lamports per compute unit.
    unit_price: u64,
    validity: Validity,
}

impl<C: ChainPort + 'static> ChainTerms<C> {
    /// Stands in front of `chain`. `seed` is where the variations begin: random, so that a process that
    /// starts anew does not repeat the one before it.
    #[must_use]
    pub fn new(chain: C, seed: u64) -> Self {
        Self {
            inside: Arc::new(Inside {
                chain,
                kept: Mutex::default(),
                variation: AtomicU64::new(seed),
            }),
        }
    }
}

impl<C: ChainPort + 'static> Inside<C> {
    async fn prepare(
        self: Arc<Self>,
        from: Account,
        transfer: Transfer,
        ceiling: Option<Amount>,
    ) -> Result<Prepared, ChainError> {
        let Transfer { to, amount, .. } = transfer;
        let key = (from, ceiling);
        let terms = match self.known(&key) {
            Some((terms, renew)) => {
                if renew {
                    let later = Arc::clone(&self);
                    tokio::spawn(async move {
                        if later.fetch(key, &transfer).await.is_err() {
                            later.with(|kept| {
                                if let Some(entry) = kept.get_mut(&key) {
                                    entry.renewing = false;
                                }
                            });
                        }
                    });
                }
                terms
            }
            None => match self.fetch(key, &transfer).await? {
                (_, Some(terms)) => terms,
                (prepared, None) => return Ok(prepared),
            },
        };
        match self.build(from, to, amount, ceiling, &terms) {
            Some(prepared) => Ok(prepared),
            // Whatever is wrong with these accounts or this amount, the chain's own words tell.
            None => self.chain.prepare_transfer(from, &transfer, ceiling).await,
        }
    }

    /// Terms that may be used, and whether it is this caller's turn to renew them.
    fn known(&self, key: &Key) -> Option<(Terms, bool)> {
        self.with(|kept| {
            let entry = kept.get_mut(key)?;
            let age = entry.since.elapsed();
            if age >= USED_FOR {
                return None;
            }
            let renew = age >= RENEWED_AFTER && !entry.renewing;
            entry.renewing |= renew;
            Some((entry.terms, renew))
        })
    }

    async fn fetch(
        &self,
        key: Key,
        transfer: &Transfer,
    ) -> Result<(Prepared, Option<Terms>), ChainError> {
        let since = Instant::now();
        let (from, ceiling) = key;
        let prepared = self.chain.prepare_transfer(from, transfer, ceiling).await?;
        let terms = Terms::of(&prepared, from, transfer.to, transfer.amount);
        if let Some(terms) = terms {
            self.with(|kept| {
                if kept.len() >= ENTRIES {
                    kept.clear();
                }
                kept.insert(
                    key,
                    Kept {
                        terms,
                        since,
                        renewing: false,
                    },
                );
            });
        }
        Ok((prepared, terms))
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Key, Kept>) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The message, different from every other under its blockhash.
    fn build(
        &self,
        from: Account,
        to: Account,
        amount: Amount,
        ceiling: Option<Amount>,
        terms: &Terms,
    ) -> Option<Prepared> {
        let most = self.chain.max_fee();
        let most = ceiling.map_or(most, |ceiling| ceiling.min(most));
        let number = self.variation.fetch_add(1, Ordering::Relaxed) % VARIATIONS;
        let variants = [terms.dearer(number), terms.cheaper(number)];
        variants.iter().find_map(|terms| {
            let unsigned = terms.message(from, to, amount)?;
            let decoded = decode(self.chain.id(), from, &unsigned).ok()?;
            let fee_max = decoded.fee_max();
            (fee_max <= most).then_some(Prepared {
                unsigned,
                fee_max,
                validity: terms.validity,
            })
        })
    }
}

impl Terms {
    /// What a node decided about a message of ours; nothing if the message has another form.
    fn of(prepared: &Prepared, from: Account, to: Account, amount: Amount) -> Option<Self> {
        let rest = |at: usize| prepared.unsigned.get(at..);
        let terms = Self {
            blockhash: *rest(BLOCKHASH_AT)?.first_chunk()?,
            unit_limit: u32::from_le_bytes(*rest(UNIT_LIMIT_AT)?.first_chunk()?),
            unit_price: u64::from_le_bytes(*rest(UNIT_PRICE_AT)?.first_chunk()?),
            validity: prepared.validity,
        };
        (terms.message(from, to, amount)? == prepared.unsigned).then_some(terms)
    }

    fn message(&self, from: Account, to: Account, amount: Amount) -> Option<Vec<u8>> {
        let (Account::Solana(from), Account::Solana(to)) = (from, to) else {
            return None;
        };
        let request = TransferRequest {
            from,
            to,
            lamports: u64::try_from(amount.base_units()).ok()?,
            blockhash: self.blockhash,
            compute_unit_limit: self.unit_limit,
            micro_lamports_per_compute_unit: self.unit_price,
        };
        transfer(&request).ok()
    }

    /// A price that is higher by less than eight lamports in all; without a price, a higher limit of
    /// units, which costs nothing.
    fn dearer(self, number: u64) -> Self {
        if self.unit_price == 0 {
            let more = u32::try_from(number).unwrap_or(0);
            return Self {
                unit_limit: self.unit_limit.saturating_add(more),
                ..self
            };
        }
        Self {
            unit_price: self.unit_price.saturating_add(number),
            ..self
        }
    }

    /// Where the ceiling leaves no room above: a lower price.
    fn cheaper(self, number: u64) -> Self {
        let less = number.checked_rem(self.unit_price).unwrap_or(0);
        Self {
            unit_price: self.unit_price.saturating_sub(less),
            ..self
        }
    }
}

impl<C: ChainPort + 'static> ChainPort for ChainTerms<C> {
    fn id(&self) -> ChainId {
        self.inside.chain.id()
    }

    fn pace(&self) -> Pace {
        self.inside.chain.pace()
    }

    fn max_fee(&self) -> Amount {
        self.inside.chain.max_fee()
    }

    fn prepare_transfer(
        &self,
        from: Account,
        transfer: &Transfer,
        fee_ceiling: Option<Amount>,
    ) -> BoxFuture<'_, Result<Prepared, ChainError>> {
        match (self.id(), transfer.asset.token()) {
            (ChainId::Solana(_), Token::Native) => {
                Box::pin(Arc::clone(&self.inside).prepare(from, *transfer, fee_ceiling))
            }
            // An EVM transaction differs by the nonce that the signer issues.
            _ => self
                .inside
                .chain
                .prepare_transfer(from, transfer, fee_ceiling),
        }
    }

    fn simulate<'a>(
        &'a self,
        unsigned: &'a [u8],
        from: Account,
    ) -> BoxFuture<'a, Result<(), ChainError>> {
        self.inside.chain.simulate(unsigned, from)
    }

    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>> {
        self.inside.chain.send(raw)
    }

    fn status_of<'a>(
        &'a self,
        id: &'a ChainTransactionId,
        validity: &'a Validity,
    ) -> BoxFuture<'a, Result<Landing, ChainError>> {
        self.inside.chain.status_of(id, validity)
    }

    fn fee_market(&self) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>> {
        self.inside.chain.fee_market()
    }

    fn cancellation_gas(&self, from: Account) -> BoxFuture<'_, Result<u64, ChainError>> {
        self.inside.chain.cancellation_gas(from)
    }

    fn account_nonce(&self, account: Account) -> BoxFuture<'_, Result<Option<u64>, ChainError>> {
        self.inside.chain.account_nonce(account)
    }

    fn balance(&self, account: Account) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.inside.chain.balance(account)
    }

    fn token_balance(
        &self,
        account: Account,
        asset: AssetId,
    ) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.inside.chain.token_balance(account, asset)
    }

    fn token_facts(&self, asset: AssetId) -> BoxFuture<'_, Result<TokenFacts, ChainError>> {
        self.inside.chain.token_facts(asset)
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, ChainError>> {
        self.inside.chain.health()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::{FakeChain, from_account, to_account};

    fn units(units: u128) -> Amount {
        Amount::from_base_units(units)
    }

    fn transfer() -> Transfer {
        Transfer {
            action: waiaas_shared::request::Action::Transfer,
            asset: crate::testing::chain_id().native_asset(),
            to: to_account(),
            amount: units(5),
        }
    }

    fn terms(unit_price: u64) -> Terms {
        Terms {
            blockhash: [3; 32],
            unit_limit: 450,
            unit_price,
            validity: Validity::Unlimited,
        }
    }

    fn prepared(terms: &Terms) -> Prepared {
        let unsigned = terms
            .message(from_account(), to_account(), units(5))
            .expect("built");
        Prepared {
            unsigned,
            fee_max: units(0),
            validity: terms.validity,
        }
    }

    #[test]
    fn what_the_node_decided_is_read_back() {
        for price in [0, 1, 123_456] {
            let terms = terms(price);
            assert_eq!(
                Terms::of(&prepared(&terms), from_account(), to_account(), units(5)),
                Some(terms)
            );
        }
        let built = prepared(&terms(1));
        assert_eq!(
            Terms::of(&built, from_account(), to_account(), units(6)),
            None
        );
        assert_eq!(
            Terms::of(&built, to_account(), from_account(), units(5)),
            None
        );
        for length in [0, 131, 150, 180] {
            let cut = Prepared {
                unsigned: built.unsigned[..length].to_vec(),
                ..built.clone()
            };
            assert_eq!(
                Terms::of(&cut, from_account(), to_account(), units(5)),
                None
            );
        }
    }

    /// Two equal payments under one blockhash are two transactions.
    #[tokio::test]
    async fn no_two_messages_are_equal() {
        for seed in [0, 16_380, u64::MAX - 5] {
            let chain = ChainTerms::new(FakeChain::default(), seed);
            let mut seen = HashSet::new();
            for _ in 0..200 {
                let prepared = chain
                    .prepare_transfer(from_account(), &transfer(), Some(units(5000)))
                    .await
                    .expect("prepared");
                assert!(prepared.fee_max <= units(5000));
                assert!(seen.insert(prepared.unsigned), "the same message twice");
            }
        }
    }

    #[test]
    fn the_ceiling_holds_for_every_variation() {
        let inside = Inside {
            chain: FakeChain::default(),
            kept: Mutex::default(),
            variation: AtomicU64::new(0),
        };
        // 5000 for the signature, 450 units at 2 222 222 micro-lamports make 1000 more.
        let terms = terms(2_222_222);
        let (from, to) = (from_account(), to_account());
        let mut seen = HashSet::new();
        for ceiling in [6000, 6003, 7000] {
            for _ in 0..100 {
                let built = inside
                    .build(from, to, units(5), Some(units(ceiling)), &terms)
                    .expect("fits");
                assert!(built.fee_max <= units(ceiling), "{}", built.fee_max);
                assert!(built.fee_max >= units(5990), "{}", built.fee_max);
                assert!(seen.insert(built.unsigned));
            }
        }
        assert!(
            inside
                .build(from, to, units(5), Some(units(4999)), &terms)
                .is_none()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn terms_are_kept_for_a_second_and_renewed_before() {
        let chain = ChainTerms::new(FakeChain::default(), 0);
        let asked = || chain.inside.chain.prepared.load(Ordering::SeqCst);
        let prepare = || chain.prepare_transfer(from_account(), &transfer(), None);
        for _ in 0..10 {
            prepare().await.expect("prepared");
        }
        assert_eq!(asked(), 1);
        tokio::time::advance(Duration::from_millis(400)).await;
        for _ in 0..10 {
            prepare().await.expect("prepared");
            tokio::task::yield_now().await;
        }
        assert_eq!(asked(), 2, "renewed once, in the background");
        // A node that is down is noticed within the second.
        chain.inside.chain.down.store(true, Ordering::SeqCst);
        prepare().await.expect("still known");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(prepare().await.is_err());
    }
}
