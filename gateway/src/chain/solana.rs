//! The Solana adapter: methods of the cluster's JSON-RPC API and what their answers prove; `status` for
//! what became of a transaction, `countersigned` of one that somebody else names, `tokens` for what concerns mints, `batch` for several transfers at once,
//! `staking` for stake accounts, `program` for calls of programs, `fees` for what others pay.
//! Source: Solana's HTTP method reference. Called through [`super::Chain`].

mod batch;
mod countersigned;
mod fees;
mod incoming;
mod program;
mod refusal;
mod staking;
mod status;
mod tokens;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::request::{Speed, Transfer};
use waiaas_shared::solana::build::{
    TokenTransferRequest, TransferRequest, token_transfer, transfer,
};
use waiaas_shared::solana::{LAMPORTS_PER_SIGNATURE, SolanaError, WireTransaction};
use waiaas_shared::transaction::{DecodeError, Known, decode};

use self::countersigned::PassedOver;
use self::tokens::Draft;
use super::config::{ChainConfig, Depth};
use super::endpoints::Endpoints;
use super::rpc::RpcSetupError;
use super::rpc_error::{ChainText, Lie, RpcError};
use super::{ChainError, ChainTransactionId, Health, Prepared, Sent, Sought, Validity};

/// What one transfer uses: three built-in instructions of 150 units (limit, price, transfer).
const TRANSFER_UNITS: u32 = 450;
const MICRO_LAMPORTS_PER_LAMPORT: u128 = 1_000_000;
/// INVARIANT: the blockhash is fetched at this commitment, and preflight runs at the same one. A node
/// that preflights at another may not know the blockhash yet.
const BUILD_COMMITMENT: &str = "confirmed";
/// The transaction error of a node that does not know a blockhash, or does not accept it any more.
const BLOCKHASH_NOT_FOUND: &str = "BlockhashNotFound";
/// A blockhash is accepted for 150 blocks; twice that is no mistake of rounding.
const MAX_BLOCKHASH_AGE: u64 = 300;

/// One Solana cluster.
#[derive(Debug)]
pub struct Solana {
    config: ChainConfig,
    rpc: Endpoints,
    passed_over: PassedOver,
}

impl Solana {
    pub(super) fn new(config: ChainConfig) -> Result<Self, RpcSetupError> {
        Ok(Self {
            rpc: Endpoints::new(&config)?,
            passed_over: PassedOver::default(),
            config,
        })
    }

    /// How deep a transaction has to be.
    pub(super) fn depth(&self, sought: &Sought) -> Depth {
        sought.depth.unwrap_or(self.config.depth)
    }

    pub(super) const fn config(&self) -> &ChainConfig {
        &self.config
    }

    pub(super) const fn endpoints(&self) -> &Endpoints {
        &self.rpc
    }

    pub(super) async fn prepare_transfer(
        &self,
        from: SolanaAddress,
        to: SolanaAddress,
        asked: &Transfer,
        (ceiling, speed): (Amount, Speed),
    ) -> Result<Prepared, ChainError> {
        if let (Some(staking), Some(account)) = (asked.staking(), &asked.stake) {
            return self
                .prepare_staking(from, account, staking, (ceiling, speed))
                .await;
        }
        if let Some(told) = &asked.program {
            return self.prepare_call(told, (ceiling, speed)).await;
        }
        let amount =
            u64::try_from(asked.amount.base_units()).map_err(|_| ChainError::AmountTooLarge)?;
        let draft = match asked.mint {
            None => Draft::Lamports,
            Some(token) => self.token_draft(from, to, asked, token).await?,
        };
        let units = draft.units();
        let locked = draft.locked(from, to);
        let (price, latest) = self.terms(&locked, units, (ceiling, speed)).await?;
        let blockhash = *latest.value.blockhash.as_bytes();
        let built = match draft {
            Draft::Lamports => transfer(&TransferRequest {
                from,
                to,
                lamports: amount,
                blockhash,
                compute_unit_limit: units,
                micro_lamports_per_compute_unit: price,
            }),
            Draft::Tokens { token, create } => token_transfer(&TokenTransferRequest {
                from,
                to,
                token,
                amount,
                create,
                blockhash,
                compute_unit_limit: units,
                micro_lamports_per_compute_unit: price,
            }),
        };
        let known = Known::of(&asked.to, &asked.mint);
        self.prepared(from, built, known, &latest)
    }

    /// What a built message becomes: read as the signer will read it.
    fn prepared(
        &self,
        from: SolanaAddress,
        built: Result<Vec<u8>, SolanaError>,
        known: Known<'_>,
        latest: &Told<LatestBlockhash>,
    ) -> Result<Prepared, ChainError> {
        let unsigned = built.map_err(DecodeError::from)?;
        let decoded = decode(self.config.id, Account::Solana(from), &unsigned, known)?;
        Ok(Prepared {
            fee_max: decoded.fee_max(),
            data_fee: None,
            unsigned,
            validity: Validity::UntilBlockHeight {
                last_valid: latest.value.last_valid_block_height,
                fetched_at_slot: latest.context.slot,
            },
        })
    }

    /// What others pay for a unit who lock these accounts, as far as the ceiling goes, and a blockhash.
    async fn terms(
        &self,
        locked: &[SolanaAddress],
        units: u32,
        (ceiling, speed): (Amount, Speed),
    ) -> Result<(u64, Told<LatestBlockhash>), ChainError> {
        let most = affordable_price(ceiling, units)?;
        let usual = fees::price(&self.paid(locked).await?, speed);
        Ok((usual.min(most), self.latest_blockhash().await?))
    }

    async fn latest_blockhash(&self) -> Result<Told<LatestBlockhash>, ChainError> {
        let commitment = json!([{ "commitment": BUILD_COMMITMENT }]);
        let latest = self
            .rpc
            .call_checked(
                "getLatestBlockhash",
                commitment,
                |latest: Told<LatestBlockhash>| {
                    // There are never more blocks than slots. A height from the far future would keep the
                    // transaction from ever counting as expired.
                    let highest = latest.context.slot.saturating_add(MAX_BLOCKHASH_AGE);
                    if latest.value.last_valid_block_height > highest {
                        return Err(RpcError::Lies(Lie::BlockHeight));
                    }
                    Ok(latest)
                },
            )
            .await?;
        Ok(latest)
    }

    pub(super) async fn simulate(&self, unsigned: &[u8]) -> Result<(), ChainError> {
        self.tried(unsigned).await.map(|_| ())
    }

    /// Has a node try a message; how many compute units it took, if the node tells.
    async fn tried(&self, unsigned: &[u8]) -> Result<Option<u64>, ChainError> {
        // Empty signatures stand in for the real ones.
        let wire = WireTransaction::unsigned(unsigned).map_err(DecodeError::from)?;
        let wire = wire.encode();
        let options = json!({
            "encoding": "base64",
            "sigVerify": false,
            "commitment": BUILD_COMMITMENT,
        });
        let told = self
            .rpc
            .call_checked(
                "simulateTransaction",
                json!([BASE64.encode(wire), options]),
                |told: Told<Simulation>| match &told.value.err {
                    // The blockhash may be another node's, and newer than what this one has seen.
                    Some(Failure(reason)) if reason.as_str() == BLOCKHASH_NOT_FOUND => {
                        Err(RpcError::Behind)
                    }
                    _ => Ok(told),
                },
            )
            .await?;
        match told.value.err {
            None => Ok(told.value.units_consumed),
            Some(Failure(reason)) => {
                let logs = told.value.logs.unwrap_or_default();
                let reason = refusal::told(&reason, &logs, unsigned);
                Err(ChainError::WouldFail { reason })
            }
        }
    }

    pub(super) async fn send(&self, raw: &[u8]) -> Result<Sent, ChainError> {
        let wire = WireTransaction::parse(raw).map_err(|_| ChainError::NotSigned)?;
        let name = wire.name().filter(|_| wire.missing().is_empty());
        let id = ChainTransactionId::Solana(name.ok_or(ChainError::NotSigned)?);
        let options = json!({
            "encoding": "base64",
            "skipPreflight": false,
            "preflightCommitment": BUILD_COMMITMENT,
        });
        let taken = self
            .rpc
            .send(
                "sendTransaction",
                json!([BASE64.encode(raw), options]),
                move |said: String| same(&said, &id),
            )
            .await;
        Ok(Sent { id, taken })
    }

    pub(super) async fn balance(&self, address: SolanaAddress) -> Result<Amount, ChainError> {
        let commitment = json!({ "commitment": BUILD_COMMITMENT });
        let told: Told<u64> = self
            .rpc
            .call("getBalance", json!([address, commitment]))
            .await?;
        Ok(Amount::from_base_units(told.value.into()))
    }

    pub(super) async fn health(&self) -> Health {
        let commitment = json!([{ "commitment": BUILD_COMMITMENT }]);
        self.rpc.health("getSlot", commitment, Ok).await
    }
}

fn same(said: &str, id: &ChainTransactionId) -> Result<(), RpcError> {
    if said == id.to_string() {
        Ok(())
    } else {
        Err(RpcError::Lies(Lie::Transaction))
    }
}

/// The highest price per unit (micro-lamports) with which the whole fee stays within the ceiling.
fn affordable_price(ceiling: Amount, units: u32) -> Result<u64, ChainError> {
    let least = Amount::from_base_units(LAMPORTS_PER_SIGNATURE.into());
    let left = ceiling
        .checked_sub(least)
        .ok_or(ChainError::FeeAboveCeiling {
            needed: least,
            ceiling,
        })?;
    let price = left
        .base_units()
        .saturating_mul(MICRO_LAMPORTS_PER_LAMPORT)
        .checked_div(units.into())
        .unwrap_or(0);
    Ok(u64::try_from(price).unwrap_or(u64::MAX))
}

/// A value and the slot at which it held.
#[derive(serde::Deserialize)]
struct Told<T> {
    context: Context,
    value: T,
}

#[derive(serde::Deserialize)]
struct Context {
    slot: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestBlockhash {
    /// 32 bytes in base58, the text form of an address.
    blockhash: SolanaAddress,
    last_valid_block_height: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Simulation {
    err: Option<Failure>,
    units_consumed: Option<u64>,
    #[serde(default)]
    logs: Option<Vec<String>>,
}

/// A transaction error, which is a name or a nested object: kept as its JSON text.
struct Failure(ChainText);

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => Ok(Self(ChainText::new(&name))),
            Value::Object(nested) => Ok(Self(ChainText::new(&Value::Object(nested).to_string()))),
            _ => Err(D::Error::custom("not a transaction error")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_fee_never_leaves_the_ceiling() {
        let price = |lamports| affordable_price(Amount::from_base_units(lamports), TRANSFER_UNITS);
        assert_eq!(price(5000), Ok(0));
        assert!(matches!(
            price(4999),
            Err(ChainError::FeeAboveCeiling { .. })
        ));
        assert_eq!(price(u128::MAX), Ok(u64::MAX));
        for ceiling in [5001, 5002, 10_000, 100_000, 123_457] {
            let units = u128::from(TRANSFER_UNITS) * u128::from(price(ceiling).expect("enough"));
            assert!(5000 + units.div_ceil(MICRO_LAMPORTS_PER_LAMPORT) <= ceiling);
        }
    }
}
