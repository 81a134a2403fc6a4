//! A chain that does as it is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::claim::Claim;
use waiaas_shared::evm::{Form, NetworkTerms};
use waiaas_shared::request::{Speed, Transfer};
use waiaas_shared::transaction::Known;

use super::{amount, chain_id};
use crate::chain::tracker::Pace;
use crate::chain::{
    ChainError, ChainText, ChainTransactionId, Cursors, Depth, EndpointHealth, FeeEstimate,
    FeeMarket, Health, Landing, Offer, Prepared, RpcError, Seen, Sent, SocketFault, Sought,
    TokenBalance, TokenFacts, UnitPrice, Validity, Wake, Watched,
};
use crate::chain_port::ChainPort;

/// A chain that does as it is told.
#[derive(Debug, Default)]
pub(crate) struct FakeChain {
    pub(crate) down: AtomicBool,
    /// Wallets hold more tokens than a node can list.
    pub(crate) crowded: AtomicBool,
    /// What becomes of everything that was sent.
    pub(crate) landing: Mutex<Option<Landing>>,
    /// What a transaction is called that is looked for by a signature.
    pub(crate) name: Mutex<Option<ChainTransactionId>>,
    /// Its blockhashes live on, whatever heights say.
    pub(crate) takes: AtomicBool,
    /// How deep nothing stands yet.
    pub(crate) deeper: Mutex<Option<Depth>>,
    /// What was asked of.
    pub(crate) sought: Mutex<Vec<Sought>>,
    pub(crate) sent: Mutex<Vec<Vec<u8>>>,
    pub(crate) simulation: Mutex<Option<ChainError>>,
    pub(crate) simulated: AtomicU64,
    pub(crate) prepared: AtomicU64,
    /// What each look at incoming transfers sees.
    pub(crate) seen: Mutex<Seen>,
    /// What was offered for each.
    pub(crate) offers: Mutex<Vec<Offer>>,
    /// Seconds between two sendings; at once if zero.
    pub(crate) resend: AtomicU64,
    /// Milliseconds between two looks at what is old; as quick as at what is new if zero.
    pub(crate) look_slowest: AtomicU64,
    /// Its websocket always rings.
    pub(crate) loud: AtomicBool,
    /// Looks at a depth of the asker's own are never answered.
    pub(crate) hangs: AtomicBool,
}

impl FakeChain {
    fn answer<T: Send + 'static>(
        &self,
        answer: Result<T, ChainError>,
    ) -> BoxFuture<'_, Result<T, ChainError>> {
        let down = self.down.load(Ordering::SeqCst);
        let answer = if down {
            Err(ChainError::Rpc(RpcError::Unreachable))
        } else {
            answer
        };
        Box::pin(std::future::ready(answer))
    }

    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().expect("no panic under it").clone()
    }

    pub(crate) fn land(&self, landing: Landing) {
        *self.landing.lock().expect("no panic under it") = Some(landing);
    }

    fn built(&self, from: Account, claim: &Claim) -> BoxFuture<'_, Result<Prepared, ChainError>> {
        let unsigned = crate::pipeline::evaluate::nominal(chain_id(), from, claim);
        let unsigned = unsigned.ok_or(ChainError::AmountTooLarge);
        self.answer(unsigned.map(|unsigned| Prepared {
            unsigned,
            fee_max: Amount::from_base_units(5000),
            data_fee: None,
            validity: Validity::UntilBlockHeight {
                last_valid: 1000,
                fetched_at_slot: 5000,
            },
        }))
    }
}

impl ChainPort for FakeChain {
    fn id(&self) -> ChainId {
        chain_id()
    }

    fn pace(&self) -> Pace {
        let quick = Duration::from_millis(1);
        let resend = Duration::from_secs(self.resend.load(Ordering::SeqCst)).max(quick);
        let slowest = Duration::from_millis(self.look_slowest.load(Ordering::SeqCst));
        Pace {
            look: quick,
            look_slowest: slowest.max(quick),
            resend,
            resend_slowest: resend,
            soonest_expiry: Duration::ZERO,
        }
    }

    fn max_fee(&self) -> Amount {
        amount(100_000)
    }

    fn prepare_transfer<'a>(
        &'a self,
        from: Account,
        transfer: &'a Transfer,
        offer: Offer,
        _: NetworkTerms,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        self.offers.lock().expect("no panic under it").push(offer);
        self.prepared.fetch_add(1, Ordering::SeqCst);
        self.built(from, &Claim::of(transfer.clone()))
    }

    fn prepare_batch<'a>(
        &'a self,
        from: Account,
        claim: &'a Claim,
        offer: Offer,
    ) -> BoxFuture<'a, Result<Prepared, ChainError>> {
        self.offers.lock().expect("no panic under it").push(offer);
        self.prepared.fetch_add(1, Ordering::SeqCst);
        self.built(from, claim)
    }

    fn fee_estimates(
        &self,
        ceiling: Amount,
        _: NetworkTerms,
    ) -> BoxFuture<'_, Result<Vec<FeeEstimate>, ChainError>> {
        let estimate = |speed| FeeEstimate {
            speed,
            fee_max: ceiling,
            price: UnitPrice::Compute(7),
            above_ceiling: false,
        };
        self.answer(Ok(Speed::ALL.map(estimate).to_vec()))
    }

    fn simulate<'a>(
        &'a self,
        _: &'a [u8],
        _: Account,
        _: Known<'a>,
    ) -> BoxFuture<'a, Result<(), ChainError>> {
        self.simulated.fetch_add(1, Ordering::SeqCst);
        let failure = self.simulation.lock().expect("no panic under it").clone();
        self.answer(failure.map_or(Ok(()), Err))
    }

    fn send<'a>(&'a self, raw: &'a [u8]) -> BoxFuture<'a, Result<Sent, ChainError>> {
        let signature = raw.get(1..65).and_then(|bytes| bytes.try_into().ok());
        let id = ChainTransactionId::Solana(signature.expect("signed bytes"));
        self.sent
            .lock()
            .expect("no panic under it")
            .push(raw.to_vec());
        let down = self.down.load(Ordering::SeqCst);
        let taken = if down {
            Err(RpcError::Unreachable)
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(Ok(Sent { id, taken })))
    }

    fn status_of<'a>(&'a self, sought: &'a Sought) -> BoxFuture<'a, Result<Landing, ChainError>> {
        self.sought.lock().expect("no panic under it").push(*sought);
        if sought.depth.is_some() && self.hangs.load(Ordering::SeqCst) {
            return Box::pin(std::future::pending());
        }
        let name = sought.id.to_string();
        let known = sought.signer.is_some()
            || self
                .sent()
                .iter()
                .any(|raw| bs58::encode(&raw[1..65]).into_string() == name);
        let deeper = *self.deeper.lock().expect("no panic under it");
        if sought.depth.is_some() && sought.depth == deeper {
            return self.answer(Ok(Landing::Pending));
        }
        let landing = self.landing.lock().expect("no panic under it").clone();
        // What was never sent cannot land, but it can lapse.
        let landing = match landing {
            Some(landing) if known || landing == Landing::Expired => landing,
            _ => Landing::Unknown,
        };
        self.answer(Ok(landing))
    }

    fn name_of<'a>(
        &'a self,
        _: &'a Sought,
    ) -> BoxFuture<'a, Result<Option<ChainTransactionId>, ChainError>> {
        self.answer(Ok(*self.name.lock().expect("no panic under it")))
    }

    fn takes<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<bool, ChainError>> {
        self.answer(Ok(self.takes.load(Ordering::SeqCst)))
    }

    fn wake(&self, _: &Sought) -> Wake {
        if self.loud.load(Ordering::SeqCst) {
            Wake::ringing()
        } else {
            Wake::never()
        }
    }

    fn listen(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn fee_market(&self, _: Form) -> BoxFuture<'_, Result<Option<FeeMarket>, ChainError>> {
        self.answer(Ok(None))
    }

    fn cancellation_gas(&self, _: Account) -> BoxFuture<'_, Result<u64, ChainError>> {
        self.answer(Err(ChainError::FamilyMismatch))
    }

    fn account_nonce(&self, _: Account) -> BoxFuture<'_, Result<Option<u64>, ChainError>> {
        self.answer(Ok(None))
    }

    fn balance(&self, _: Account) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.answer(Ok(Amount::from_base_units(123)))
    }

    fn token_balance(&self, _: Account, _: AssetId) -> BoxFuture<'_, Result<Amount, ChainError>> {
        self.answer(Ok(Amount::from_base_units(456)))
    }

    fn token_facts(&self, _: AssetId) -> BoxFuture<'_, Result<TokenFacts, ChainError>> {
        self.answer(Ok(TokenFacts {
            symbol: Some(ChainText::new("FAKE")),
            decimals: Some(7),
        }))
    }

    fn token_balances(&self, _: Account) -> BoxFuture<'_, Result<Vec<TokenBalance>, ChainError>> {
        if self.crowded.load(Ordering::SeqCst) {
            return self.answer(Err(ChainError::Rpc(RpcError::TooLarge)));
        }
        let mint = waiaas_shared::caip::Token::Mint(SolanaAddress::from_bytes([7; 32]));
        self.answer(Ok(vec![TokenBalance {
            asset: AssetId::new(chain_id(), mint).expect("one family"),
            amount: Amount::from_base_units(456),
            elsewhere: None,
        }]))
    }

    fn incoming_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn incoming<'a>(
        &'a self,
        _: &'a [Watched],
        _: &'a Cursors,
    ) -> BoxFuture<'a, Result<Seen, ChainError>> {
        self.answer(Ok(self.seen.lock().expect("no panic under it").clone()))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        let down = self.down.load(Ordering::SeqCst);
        let head = if down {
            Err(RpcError::Unreachable)
        } else {
            Ok(9)
        };
        let latency = Some(Duration::from_micros(1500));
        let endpoints = vec![EndpointHealth {
            head,
            latency,
            contradicts: 0,
        }];
        Box::pin(std::future::ready(Health {
            endpoints,
            sockets: vec![None, Some(Ok(())), Some(Err(SocketFault::Flood))],
        }))
    }
}
