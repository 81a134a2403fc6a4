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
use waiaas_shared::claim::Claim;
use waiaas_shared::evm::{Form, NetworkTerms};
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana::MAX_COMPUTE_UNITS;
use waiaas_shared::solana::build::{TransferRequest, transfer};
use waiaas_shared::transaction::{Known, decode};

use crate::chain::tracker::Pace;
use crate::chain::{
    ChainError, ChainTransactionId, Cursors, FeeEstimate, FeeMarket, Health, Landing, Offer,
    Prepared, Seen, Sent, Sought, TokenBalance, TokenFacts, Validity, Wake, Watched,
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

/// Where `waiaas_shared::solana::build` puts what a node decided: header (3 bytes), count of accounts,
/// accounts, blockhash, count of instructions; the first two instructions have no account and set limit
/// and price. Only used where writing the same again gives the same bytes.
const ACCOUNT_COUNT_AT: usize = 3;
const BLOCKHASH_BYTES: usize = 32;
/// Terms of an EVM network mean nothing on Solana.
const ELSEWHERE: NetworkTerms = NetworkTerms {
    legacy: false,
    data_fee: None,
};
/// From behind the blockhash.
const UNIT_LIMIT_AT: usize = 5;
const UNIT_PRICE_AT: usize = 13;

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

/// Fees depend on the account that pays and on what it offers.
type Key = (Account, Offer);

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
        asked: &Transfer,
        offer: Offer,
    ) -> Result<Prepared, ChainError> {
        if asked.asset.token() != Token::Native || asked.action != Action::Transfer {
            // Whether the recipient has an account, or what lies in a stake, is asked each time.
            let prepared = self
                .chain
                .prepare_transfer(from, asked, offer, ELSEWHERE)
                .await?;
            let known = Known::of(&asked.to, &asked.mint)
                .staking(asked.seed())
                .running(asked.program.as_deref().map(|told| &told.method));
            return Ok(self.vary(from, known, offer, &prepared).unwrap_or(prepared));
        }
        let key = (from, offer);
        let terms = match self.known(&key) {
            Some((terms, renew)) => {
                if renew {
                    let (later, asked) = (Arc::clone(&self), asked.clone());
                    tokio::spawn(async move {
                        if later.fetch(key, &asked).await.is_err() {
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
            None => match self.fetch(key, asked).await? {
                (_, Some(terms)) => terms,
                (prepared, None) => return Ok(prepared),
            },
        };
        match self.build(from, asked, offer, &terms) {
            Some(prepared) => Ok(prepared),
            // Whatever is wrong with these accounts or this amount, the chain's own words tell.
            None => {
                self.chain
                    .prepare_transfer(from, asked, offer, ELSEWHERE)
                    .await
            }
        }
    }

    async fn prepare_batch(
        self: Arc<Self>,
        from: Account,
        claim: &Claim,
        offer: Offer,
    ) -> Result<Prepared, ChainError> {
        let prepared = self.chain.prepare_batch(from, claim, offer).await?;
        let known = Known {
            owners: &claim.owners(),
            tokens: &claim.tokens(),
            ..Known::NOTHING
        };
        Ok(self.vary(from, known, offer, &prepared).unwrap_or(prepared))
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
        asked: &Transfer,
    ) -> Result<(Prepared, Option<Terms>), ChainError> {
        let since = Instant::now();
        let (from, offer) = key;
        let prepared = self
            .chain
            .prepare_transfer(from, asked, offer, ELSEWHERE)
            .await?;
        let terms = Terms::of(&prepared, from, asked);
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
        asked: &Transfer,
        offer: Offer,
        terms: &Terms,
    ) -> Option<Prepared> {
        let known = Known::of(&asked.to, &asked.mint);
        self.variant(from, known, offer, terms, |terms| {
            terms.message(from, asked)
        })
    }

    /// The same message, different from every other under its blockhash.
    fn vary(
        &self,
        from: Account,
        known: Known<'_>,
        offer: Offer,
        prepared: &Prepared,
    ) -> Option<Prepared> {
        let terms = Terms::read(prepared)?;
        self.variant(from, known, offer, &terms, |terms| {
            terms.written(&prepared.unsigned)
        })
    }

    fn variant(
        &self,
        from: Account,
        known: Known<'_>,
        offer: Offer,
        terms: &Terms,
        message: impl Fn(&Terms) -> Option<Vec<u8>>,
    ) -> Option<Prepared> {
        let most = self.chain.max_fee();
        let most = offer.ceiling.map_or(most, |ceiling| ceiling.min(most));
        let number = self.variation.fetch_add(1, Ordering::Relaxed) % VARIATIONS;
        let variants = [terms.dearer(number), terms.cheaper(number)];
        variants.iter().find_map(|terms| {
            let unsigned = message(terms)?;
            let decoded = decode(self.chain.id(), from, &unsigned, known).ok()?;
            let fee_max = decoded.fee_max();
            (fee_max <= most).then_some(Prepared {
                unsigned,
                fee_max,
                data_fee: None,
                validity: terms.validity,
            })
        })
    }
}

impl Terms {
    /// What a node decided about a transfer of lamports; nothing if the message has another form.
    fn of(prepared: &Prepared, from: Account, asked: &Transfer) -> Option<Self> {
        let terms = Self::read(prepared)?;
        (terms.message(from, asked)? == prepared.unsigned).then_some(terms)
    }

    /// What a node decided about a message of ours.
    fn read(prepared: &Prepared) -> Option<Self> {
        let bytes = &prepared.unsigned;
        let at = behind_blockhash(bytes)?;
        let terms = Self {
            blockhash: *bytes.get(at - BLOCKHASH_BYTES..)?.first_chunk()?,
            unit_limit: u32::from_le_bytes(*bytes.get(at + UNIT_LIMIT_AT..)?.first_chunk()?),
            unit_price: u64::from_le_bytes(*bytes.get(at + UNIT_PRICE_AT..)?.first_chunk()?),
            validity: prepared.validity,
        };
        (terms.written(bytes)? == *bytes).then_some(terms)
    }

    /// The message with these settings; nothing where it has no place for them.
    fn written(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = message.to_vec();
        let settings = bytes.get_mut(behind_blockhash(message)? + 1..)?;
        let program = *settings.first()?;
        let limit = self.unit_limit.to_le_bytes();
        let price = self.unit_price.to_le_bytes();
        let head = [program, 0, 5, 2];
        let second = [program, 0, 9, 3];
        let written = [&head[..], &limit, &second, &price].concat();
        let place = settings.get_mut(..written.len())?;
        // The settings' own numbers are all that may differ.
        let fits = place.starts_with(&head) && place.get(8..12)? == second;
        place.copy_from_slice(&written);
        fits.then_some(bytes)
    }

    fn message(&self, from: Account, asked: &Transfer) -> Option<Vec<u8>> {
        let (Account::Solana(from), Account::Solana(to)) = (from, asked.to) else {
            return None;
        };
        let request = TransferRequest {
            from,
            to,
            lamports: u64::try_from(asked.amount.base_units()).ok()?,
            blockhash: self.blockhash,
            compute_unit_limit: self.unit_limit,
            micro_lamports_per_compute_unit: self.unit_price,
        };
        transfer(&request).ok()
    }

    /// A higher price or a higher limit of units, whichever costs less: for a plain transfer less than eight
    /// lamports in all, and nothing where there is no price.
    fn dearer(self, number: u64) -> Self {
        let more = u32::try_from(number).unwrap_or(0);
        let unit_limit = self.unit_limit.saturating_add(more);
        if self.unit_price < self.unit_limit.into() && unit_limit <= MAX_COMPUTE_UNITS {
            return Self { unit_limit, ..self };
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

fn behind_blockhash(message: &[u8]) -> Option<usize> {
    let accounts = usize::from(*message.get(ACCOUNT_COUNT_AT)?);
    Some(ACCOUNT_COUNT_AT + 1 + 32 * accounts + BLOCKHASH_BYTES)
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

    fn prepare_transfer<'a>(
        &'a self,
        from: Account,
        transfer: &'a Transfer,
        offer: Offer,
        network: NetworkTerms,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        match self.id() {
            // An EVM transaction differs by the nonce that the signer issues.
            ChainId::Evm(_) => {
                let chain = &self.inside.chain;
                chain.prepare_transfer(from, transfer, offer, network)
            }
            ChainId::Solana(_) => Box::pin(Arc::clone(&self.inside).prepare(from, transfer, offer)),
        }
    }

    fn prepare_batch<'a>(
        &'a self,
        from: Account,
        claim: &'a Claim,
        offer: Offer,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        Box::pin(Arc::clone(&self.inside).prepare_batch(from, claim, offer))
    }

    fn fee_estimates(
        &self,
        ceiling: Amount,
        network: NetworkTerms,
    ) -> BoxFuture<'_, Result<Vec<FeeEstimate>, ChainError>> {
        self.inside.chain.fee_estimates(ceiling, network)
    }

    fn simulate<'a>(
        &'a self,
        unsigned: &'a [u8],
        from: Account,
        known: Known<'a>,
    ) -> BoxFuture<'a, Result<(), ChainError>> {
        self.inside.chain.simulate(unsigned, from, known)
    }

    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>> {
        self.inside.chain.send(raw)
    }

    fn status_of<'a>(&'a self, sought: &'a Sought) -> BoxFuture<'a, Result<Landing, ChainError>> {
        self.inside.chain.status_of(sought)
    }

    fn name_of<'a>(
        &'a self,
        sought: &'a Sought,
    ) -> BoxFuture<'a, Result<Option<ChainTransactionId>, ChainError>> {
        self.inside.chain.name_of(sought)
    }

    fn takes<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<bool, ChainError>> {
        self.inside.chain.takes(raw)
    }

    fn wake(&self, sought: &Sought) -> Wake {
        self.inside.chain.wake(sought)
    }

    fn listen(&self) -> BoxFuture<'_, ()> {
        self.inside.chain.listen()
    }

    fn fee_market(&self, form: Form) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>> {
        self.inside.chain.fee_market(form)
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

    fn token_balances(
        &self,
        account: Account,
    ) -> BoxFuture<'_, Result<Vec<TokenBalance>, ChainError>> {
        self.inside.chain.token_balances(account)
    }

    fn incoming_every(&self) -> Option<Duration> {
        self.inside.chain.incoming_every()
    }

    fn incoming<'a>(
        &'a self,
        watched: &'a [Watched],
        cursors: &'a Cursors,
    ) -> BoxFuture<'a, Result<Seen, ChainError>> {
        self.inside.chain.incoming(watched, cursors)
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        self.inside.chain.health()
    }
}

#[cfg(test)]
mod tests;
