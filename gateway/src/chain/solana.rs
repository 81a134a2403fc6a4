//! The Solana adapter: methods of the cluster's JSON-RPC API and what their answers prove; `tokens` for
//! what concerns mints, `batch` for several transfers at once. Source: Solana's HTTP method reference. Called through [`super::Chain`].

mod batch;
mod tokens;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::request::Transfer;
use waiaas_shared::solana::LAMPORTS_PER_SIGNATURE;
use waiaas_shared::solana::build::{
    TokenTransferRequest, TransferRequest, token_transfer, transfer,
};
use waiaas_shared::transaction::{DecodeError, Known, decode};

use self::tokens::Draft;
use super::config::{ChainConfig, Commitment, Depth};
use super::rpc::{Rpc, RpcSetupError};
use super::rpc_error::{ChainText, Lie, RpcError};
use super::{ChainError, ChainTransactionId, Health, Landing, Prepared, Sent, Validity};

/// What one transfer uses: three built-in instructions of 150 units (limit, price, transfer).
const TRANSFER_UNITS: u32 = 450;
const MICRO_LAMPORTS_PER_LAMPORT: u128 = 1_000_000;
/// INVARIANT: the blockhash is fetched at this commitment, and preflight runs at the same one. A node
/// that preflights at another may not know the blockhash yet.
const BUILD_COMMITMENT: &str = "confirmed";
/// A blockhash is accepted for 150 blocks; twice that is no mistake of rounding.
const MAX_BLOCKHASH_AGE: u64 = 300;

/// One Solana cluster.
#[derive(Debug)]
pub struct Solana {
    config: ChainConfig,
    rpc: Rpc,
    commitment: Commitment,
}

impl Solana {
    pub(super) fn new(config: ChainConfig) -> Result<Self, RpcSetupError> {
        let commitment = match config.depth {
            Depth::Commitment(commitment) => commitment,
            // Not made by `ChainConfig`'s reader; the strictest level loses nothing but time.
            Depth::Confirmations(_) => Commitment::Finalized,
        };
        Ok(Self {
            rpc: Rpc::new(&config)?,
            config,
            commitment,
        })
    }

    pub(super) const fn config(&self) -> &ChainConfig {
        &self.config
    }

    pub(super) async fn prepare_transfer(
        &self,
        from: SolanaAddress,
        to: SolanaAddress,
        asked: &Transfer,
        ceiling: Amount,
    ) -> Result<Prepared, ChainError> {
        let amount =
            u64::try_from(asked.amount.base_units()).map_err(|_| ChainError::AmountTooLarge)?;
        let draft = match asked.mint {
            None => Draft::Lamports,
            Some(token) => self.token_draft(from, to, asked, token).await?,
        };
        let units = draft.units();
        let (price, latest) = self.terms(from, units, ceiling).await?;
        let blockhash = *latest.value.blockhash.as_bytes();
        let unsigned = match draft {
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
        }
        .map_err(DecodeError::from)?;
        let known = Known::of(&asked.to, &asked.mint);
        let decoded = decode(self.config.id, Account::Solana(from), &unsigned, known)?;
        Ok(Prepared {
            fee_max: decoded.fee_max(),
            unsigned,
            validity: Validity::UntilBlockHeight {
                last_valid: latest.value.last_valid_block_height,
                fetched_at_slot: latest.context.slot,
            },
        })
    }

    /// What others pay for a unit, as far as the ceiling goes, and a blockhash.
    async fn terms(
        &self,
        from: SolanaAddress,
        units: u32,
        ceiling: Amount,
    ) -> Result<(u64, Told<LatestBlockhash>), ChainError> {
        let most = affordable_price(ceiling, units)?;
        let paid: Vec<PrioritizationFee> = self
            .rpc
            .call("getRecentPrioritizationFees", json!([[from]]))
            .await?;
        let usual = median(paid.into_iter().map(|fee| fee.prioritization_fee));
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
        // The decoder accepts one signer only: one empty signature stands in for the real one.
        let wire = [&[1_u8][..], &[0; 64], unsigned].concat();
        let options = json!({
            "encoding": "base64",
            "sigVerify": false,
            "commitment": BUILD_COMMITMENT,
        });
        let told: Told<Simulation> = self
            .rpc
            .call("simulateTransaction", json!([BASE64.encode(wire), options]))
            .await?;
        match told.value.err {
            None => Ok(()),
            Some(Failure(reason)) => Err(ChainError::WouldFail {
                reason: tokens::explained(&reason, unsigned),
            }),
        }
    }

    pub(super) async fn send(&self, raw: &[u8]) -> Result<Sent, ChainError> {
        let (count, rest) = raw.split_first().ok_or(ChainError::NotSigned)?;
        let (signature, _) = rest
            .split_first_chunk::<64>()
            .ok_or(ChainError::NotSigned)?;
        if *count != 1 {
            return Err(ChainError::NotSigned);
        }
        let id = ChainTransactionId::Solana(*signature);
        let options = json!({
            "encoding": "base64",
            "skipPreflight": false,
            "preflightCommitment": BUILD_COMMITMENT,
        });
        let taken = self
            .rpc
            .call_checked(
                "sendTransaction",
                json!([BASE64.encode(raw), options]),
                |said: String| same(&said, &id),
            )
            .await;
        Ok(Sent { id, taken })
    }

    /// Expiry is concluded only from a chain of evidence: a *finalized* block height past the
    /// transaction's last one, after that a search in the history of a node that has seen as much,
    /// and a history that reaches back to when the transaction was made.
    pub(super) async fn status_of(
        &self,
        id: &ChainTransactionId,
        validity: &Validity,
    ) -> Result<Landing, ChainError> {
        if let Some(status) = self.signature_status(id, false, 0).await? {
            return self.judge(id, status).await;
        }
        let Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } = *validity
        else {
            return Ok(Landing::Unknown);
        };
        let finalized: EpochInfo = self
            .rpc
            .call("getEpochInfo", json!([{ "commitment": "finalized" }]))
            .await?;
        if finalized.block_height <= last_valid {
            return Ok(Landing::Unknown);
        }
        if let Some(status) = self
            .signature_status(id, true, finalized.absolute_slot)
            .await?
        {
            return self.judge(id, status).await;
        }
        let first: u64 = self.rpc.call("getFirstAvailableBlock", json!([])).await?;
        if first > fetched_at_slot {
            return Ok(Landing::Unknown);
        }
        Ok(Landing::Expired)
    }

    /// The status that a node tells which has seen at least `slot`.
    async fn signature_status(
        &self,
        id: &ChainTransactionId,
        history: bool,
        slot: u64,
    ) -> Result<Option<SignatureStatus>, RpcError> {
        let params = json!([[id.to_string()], { "searchTransactionHistory": history }]);
        self.rpc
            .call_checked(
                "getSignatureStatuses",
                params,
                |told: Told<[Option<SignatureStatus>; 1]>| {
                    let [status] = told.value;
                    // A node that lags behind has not searched where the transaction may be.
                    if status.is_none() && told.context.slot < slot {
                        return Err(RpcError::Behind);
                    }
                    Ok(status)
                },
            )
            .await
    }

    async fn judge(
        &self,
        id: &ChainTransactionId,
        status: SignatureStatus,
    ) -> Result<Landing, ChainError> {
        let deep = match status.confirmation_status {
            ConfirmationStatus::Processed => false,
            ConfirmationStatus::Confirmed => self.commitment == Commitment::Confirmed,
            ConfirmationStatus::Finalized => true,
        };
        if !deep {
            return Ok(Landing::Pending);
        }
        let position = status.slot;
        if let Some(Failure(reason)) = status.err {
            return Ok(Landing::Failed { position, reason });
        }
        // Confirmed either way: what the node says about the fee is for showing.
        let fee = self.fee_of(id).await.ok().flatten();
        Ok(Landing::Confirmed { position, fee })
    }

    async fn fee_of(&self, id: &ChainTransactionId) -> Result<Option<Amount>, RpcError> {
        let options = json!({
            "commitment": "confirmed",
            "encoding": "base64",
            "maxSupportedTransactionVersion": 0,
        });
        let found: Option<Transaction> = self
            .rpc
            .call("getTransaction", json!([id.to_string(), options]))
            .await?;
        Ok(found
            .and_then(|transaction| transaction.meta)
            .map(|meta| Amount::from_base_units(meta.fee.into())))
    }

    pub(super) async fn balance(&self, address: SolanaAddress) -> Result<Amount, ChainError> {
        let commitment = json!({ "commitment": BUILD_COMMITMENT });
        let told: Told<u64> = self
            .rpc
            .call("getBalance", json!([address, commitment]))
            .await?;
        Ok(Amount::from_base_units(told.value.into()))
    }

    pub(super) async fn health(&self) -> Result<Health, ChainError> {
        let commitment = json!([{ "commitment": BUILD_COMMITMENT }]);
        let head = self.rpc.call("getSlot", commitment).await?;
        Ok(Health { head })
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

/// The middle of what others paid; zero where nobody paid.
fn median(prices: impl Iterator<Item = u64>) -> u64 {
    let mut prices: Vec<u64> = prices.collect();
    prices.sort_unstable();
    prices.get(prices.len() / 2).copied().unwrap_or(0)
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
struct PrioritizationFee {
    /// Micro-lamports per compute unit.
    prioritization_fee: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestBlockhash {
    /// 32 bytes in base58, the text form of an address.
    blockhash: SolanaAddress,
    last_valid_block_height: u64,
}

#[derive(serde::Deserialize)]
struct Simulation {
    err: Option<Failure>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct EpochInfo {
    absolute_slot: u64,
    block_height: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureStatus {
    slot: u64,
    err: Option<Failure>,
    confirmation_status: ConfirmationStatus,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum ConfirmationStatus {
    Processed,
    Confirmed,
    Finalized,
}

#[derive(serde::Deserialize)]
struct Transaction {
    meta: Option<TransactionMeta>,
}

#[derive(serde::Deserialize)]
struct TransactionMeta {
    /// Lamports.
    fee: u64,
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

    #[test]
    fn the_median_is_of_what_was_paid() {
        assert_eq!(median([].into_iter()), 0);
        assert_eq!(median([7].into_iter()), 7);
        assert_eq!(median([u64::MAX, 0, 5].into_iter()), 5);
    }

    #[test]
    fn an_error_is_never_read_as_success() {
        let status = |err: &str| {
            let text = format!(r#"{{"slot":1,"err":{err},"confirmationStatus":"confirmed"}}"#);
            serde_json::from_str::<SignatureStatus>(&text)
                .map(|status| status.err.map(|Failure(reason)| reason.to_string()))
                .map_err(|_| ())
        };
        assert_eq!(status("null"), Ok(None));
        assert_eq!(
            status(r#""AccountNotFound""#),
            Ok(Some("AccountNotFound".into()))
        );
        assert_eq!(
            status(r#"{"InstructionError":[2,{"Custom":1}]}"#),
            Ok(Some(r#"{"InstructionError":[2,{"Custom":1}]}"#.into()))
        );
        for other in ["false", "0", "[]"] {
            assert_eq!(status(other), Err(()), "{other}");
        }
    }
}
