//! The EVM adapter: Ethereum's JSON-RPC and what its answers prove. Source: Ethereum's execution
//! API, EIP-1559, EIP-2681. Called through [`super::Chain`].

use serde::Deserialize;
use serde_json::json;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::build::{TransferRequest, transfer};
use waiaas_shared::evm::{MAX_GAS_LIMIT, MIN_GAS_LIMIT};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use super::config::{ChainConfig, Depth};
use super::quantity::{Hash, Quantity};
use super::rpc::{Rpc, RpcSetupError};
use super::rpc_error::{ChainText, Lie, RpcError};
use super::{ChainError, ChainTransactionId, Health, Landing, Prepared, Sent, Validity};

/// Blocks over which the usual tip is taken.
const FEE_HISTORY_BLOCKS: u32 = 5;
/// At one transaction a second this takes 34 000 years.
const MAX_ACCOUNT_NONCE: u128 = 1 << 40;
/// EIP-2718 type of a fee-market transaction.
const FEE_MARKET_TYPE: u8 = 0x02;

/// One EVM chain.
#[derive(Debug)]
pub struct Evm {
    config: ChainConfig,
    rpc: Rpc,
    chain_id: u64,
    confirmations: u64,
}

impl Evm {
    pub(super) fn new(config: ChainConfig, chain_id: u64) -> Result<Self, RpcSetupError> {
        let confirmations = match config.depth {
            Depth::Confirmations(blocks) => blocks.into(),
            // Not made by `ChainConfig`'s reader; too deep loses nothing but time.
            Depth::Commitment(_) => 64,
        };
        Ok(Self {
            rpc: Rpc::new(&config)?,
            config,
            chain_id,
            confirmations,
        })
    }

    pub(super) const fn config(&self) -> &ChainConfig {
        &self.config
    }

    pub(super) async fn prepare_transfer(
        &self,
        from: EvmAddress,
        to: EvmAddress,
        amount: Amount,
        ceiling: Amount,
    ) -> Result<Prepared, ChainError> {
        let gas_limit = self.gas_limit(from, to, amount).await?;
        let market = self.fee_market().await?;
        let fees = market.fees(gas_limit, ceiling)?;
        let unsigned = transfer(&TransferRequest {
            chain_id: self.chain_id,
            from,
            to,
            value: amount.base_units(),
            gas_limit,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
        })
        .map_err(DecodeError::from)?;
        let decoded = decode(
            self.config.id,
            Account::Evm(from),
            &unsigned,
            Known::NOTHING,
        )?;
        Ok(Prepared {
            fee_max: decoded.fee_max(),
            unsigned,
            validity: Validity::Unlimited,
        })
    }

    async fn gas_limit(
        &self,
        from: EvmAddress,
        to: EvmAddress,
        amount: Amount,
    ) -> Result<u64, ChainError> {
        let call = json!([{ "from": from, "to": to, "value": quantity(amount) }]);
        let estimate: Quantity = self
            .rpc
            .call_checked("eth_estimateGas", call, |estimate: Quantity| {
                if estimate.value() < MIN_GAS_LIMIT.into() {
                    return Err(RpcError::Lies(Lie::Gas));
                }
                Ok(estimate)
            })
            .await
            .map_err(would_fail)?;
        padded_gas(estimate.value())
    }

    async fn fee_market(&self) -> Result<FeeMarket, ChainError> {
        let params = json!([format!("{FEE_HISTORY_BLOCKS:#x}"), "latest", [50]]);
        let (base, usual_tip) = self
            .rpc
            .call_checked("eth_feeHistory", params, |history: FeeHistory| {
                // The last one is the next block's.
                let base = history
                    .base_fee_per_gas
                    .last()
                    .ok_or(RpcError::Malformed)?
                    .value();
                Ok((base, history.usual_tip()))
            })
            .await?;
        // Not every node has this method; where it has, chains with a least tip answer with it.
        let asked = match self
            .rpc
            .call::<Quantity>("eth_maxPriorityFeePerGas", json!([]))
            .await
        {
            Ok(tip) => tip.value(),
            Err(RpcError::Rpc { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(FeeMarket {
            base,
            tip: usual_tip.max(asked),
        })
    }

    pub(super) async fn simulate(
        &self,
        from: EvmAddress,
        transaction: &DecodedTransaction,
    ) -> Result<(), ChainError> {
        let mut needed = transaction.fee_max();
        for effect in transaction.effects() {
            if let Effect::Transfer {
                to: Account::Evm(to),
                amount,
                ..
            } = effect
            {
                let call =
                    json!([{ "from": from, "to": to, "value": quantity(*amount) }, "latest"]);
                let _returned: String =
                    self.rpc.call("eth_call", call).await.map_err(would_fail)?;
                needed = needed
                    .checked_add(*amount)
                    .ok_or(ChainError::AmountTooLarge)?;
            }
        }
        let balance = self.balance(from).await?;
        if balance < needed {
            return Err(ChainError::InsufficientFunds { balance, needed });
        }
        Ok(())
    }

    pub(super) async fn send(&self, raw: &[u8]) -> Result<Sent, ChainError> {
        if raw.first() != Some(&FEE_MARKET_TYPE) {
            return Err(ChainError::NotSigned);
        }
        let hash = alloy_primitives::keccak256(raw).0;
        let params = json!([format!("0x{}", hex::encode(raw))]);
        let taken = self
            .rpc
            .call_checked("eth_sendRawTransaction", params, |said: Hash| {
                same(said, &hash)
            })
            .await;
        Ok(Sent {
            id: ChainTransactionId::Evm(hash),
            taken,
        })
    }

    /// There is no expiry: a signed transaction stays valid until its nonce is used. A receipt counts
    /// only when its block is deep enough, a failure no less than a success: a block that is undone
    /// may hold the transaction's failure, and the next one its success.
    pub(super) async fn status_of(
        &self,
        id: &ChainTransactionId,
        hash: &[u8; 32],
    ) -> Result<Landing, ChainError> {
        let params = json!([id.to_string()]);
        let receipt = self
            .rpc
            .call_checked(
                "eth_getTransactionReceipt",
                params.clone(),
                |receipt: Option<Receipt>| receipt.map(|receipt| receipt.read(hash)).transpose(),
            )
            .await?;
        let Some(receipt) = receipt else {
            let seen: Option<PooledTransaction> = self
                .rpc
                .call_checked(
                    "eth_getTransactionByHash",
                    params,
                    |seen: Option<PooledTransaction>| {
                        seen.map(|seen| same(seen.hash, hash).map(|()| seen))
                            .transpose()
                    },
                )
                .await?;
            return Ok(seen.map_or(Landing::Unknown, |_| Landing::Pending));
        };
        let Some(position) = receipt.block else {
            return Ok(Landing::Pending);
        };
        let depth = self
            .head()
            .await?
            .checked_sub(position)
            .map_or(0, |above| above.saturating_add(1));
        if depth < self.confirmations {
            return Ok(Landing::Pending);
        }
        Ok(if receipt.succeeded {
            Landing::Confirmed {
                position,
                fee: receipt.fee,
            }
        } else {
            Landing::Failed {
                position,
                reason: ChainText::new("execution reverted"),
            }
        })
    }

    pub(super) async fn balance(&self, address: EvmAddress) -> Result<Amount, ChainError> {
        let balance: Quantity = self
            .rpc
            .call("eth_getBalance", json!([address, "latest"]))
            .await?;
        Ok(Amount::from_base_units(balance.value()))
    }

    pub(super) async fn account_nonce(&self, address: EvmAddress) -> Result<u64, ChainError> {
        let params = json!([address, "latest"]);
        let nonce = self
            .rpc
            .call_checked("eth_getTransactionCount", params, |nonce: Quantity| {
                if nonce.value() > MAX_ACCOUNT_NONCE {
                    return Err(RpcError::Lies(Lie::AccountNonce));
                }
                narrow(nonce)
            })
            .await?;
        Ok(nonce)
    }

    pub(super) async fn health(&self) -> Result<Health, ChainError> {
        Ok(Health {
            head: self.head().await?,
        })
    }

    async fn head(&self) -> Result<u64, RpcError> {
        self.rpc
            .call_checked("eth_blockNumber", json!([]), narrow)
            .await
    }
}

fn quantity(amount: Amount) -> String {
    format!("{:#x}", amount.base_units())
}

fn narrow(quantity: Quantity) -> Result<u64, RpcError> {
    u64::try_from(quantity.value()).map_err(|_| RpcError::Malformed)
}

fn same(said: Hash, hash: &[u8; 32]) -> Result<(), RpcError> {
    if said.0 == *hash {
        Ok(())
    } else {
        Err(RpcError::Lies(Lie::Transaction))
    }
}

/// Nodes answer an execution that fails with one of these codes: 3 reverted, -32000 invalid input
/// (geth), -32003 transaction rejected (EIP-1474). Any other code is a trouble of the node's.
fn would_fail(error: RpcError) -> ChainError {
    match error {
        RpcError::Rpc {
            code: 3 | -32000 | -32003,
            message: reason,
        } => ChainError::WouldFail { reason },
        other => other.into(),
    }
}

/// Exact for an account without code; a quarter more where code runs, whose use may grow.
fn padded_gas(estimate: u128) -> Result<u64, ChainError> {
    let padded = if estimate == MIN_GAS_LIMIT.into() {
        estimate
    } else {
        estimate.saturating_add(estimate / 4)
    };
    u64::try_from(padded)
        .ok()
        .filter(|gas| *gas <= MAX_GAS_LIMIT)
        .ok_or(ChainError::GasAboveLimit {
            estimated: Amount::from_base_units(estimate),
            limit: MAX_GAS_LIMIT,
        })
}

/// What the next block costs, in wei per gas, if the nodes say the truth.
#[derive(Debug, Clone, Copy)]
struct FeeMarket {
    base: u128,
    tip: u128,
}

/// The fee settings of one transaction, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fees {
    max_fee: u128,
    tip: u128,
}

impl FeeMarket {
    /// Room for the base fee to double, as far as the ceiling (wei for the whole transaction) goes;
    /// at least room for one full block's rise, an eighth.
    fn fees(self, gas_limit: u64, ceiling: Amount) -> Result<Fees, ChainError> {
        let gas = u128::from(gas_limit.max(1));
        let affordable = ceiling.base_units().checked_div(gas).unwrap_or(0);
        let least = self.base.saturating_add(self.base.div_ceil(8));
        let Some(left) = affordable.checked_sub(least) else {
            return Err(ChainError::FeeAboveCeiling {
                needed: Amount::from_base_units(least.saturating_mul(gas)),
                ceiling,
            });
        };
        let tip = self.tip.min(left);
        let wished = self.base.saturating_mul(2).saturating_add(tip);
        Ok(Fees {
            max_fee: wished.min(affordable),
            tip,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    base_fee_per_gas: Vec<Quantity>,
    #[serde(default)]
    reward: Option<Vec<Vec<Quantity>>>,
}

impl FeeHistory {
    /// The middle one of the blocks' median tips.
    fn usual_tip(&self) -> u128 {
        let blocks = self.reward.iter().flatten();
        let mut tips: Vec<u128> = blocks
            .filter_map(|percentiles| percentiles.first())
            .map(|tip| tip.value())
            .collect();
        tips.sort_unstable();
        tips.get(tips.len() / 2).copied().unwrap_or(0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: Hash,
    block_number: Option<Quantity>,
    status: Quantity,
    gas_used: Quantity,
    effective_gas_price: Option<Quantity>,
}

/// A receipt of the right transaction.
struct ReadReceipt {
    block: Option<u64>,
    succeeded: bool,
    fee: Option<Amount>,
}

impl Receipt {
    fn read(self, hash: &[u8; 32]) -> Result<ReadReceipt, RpcError> {
        same(self.transaction_hash, hash)?;
        let succeeded = match self.status.value() {
            0 => false,
            1 => true,
            _ => return Err(RpcError::Malformed),
        };
        let fee = self
            .effective_gas_price
            .and_then(|price| price.value().checked_mul(self.gas_used.value()))
            .map(Amount::from_base_units);
        Ok(ReadReceipt {
            block: self.block_number.map(narrow).transpose()?,
            succeeded,
            fee,
        })
    }
}

#[derive(Deserialize)]
struct PooledTransaction {
    hash: Hash,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GWEI: u128 = 1_000_000_000;

    fn ceiling(wei: u128) -> Amount {
        Amount::from_base_units(wei)
    }

    #[test]
    fn fees_have_room_and_never_leave_the_ceiling() {
        let market = FeeMarket {
            base: 10 * GWEI,
            tip: 2 * GWEI,
        };
        let plenty = market.fees(21_000, ceiling(u128::MAX));
        assert_eq!(
            plenty,
            Ok(Fees {
                max_fee: 22 * GWEI,
                tip: 2 * GWEI
            })
        );
        // 15 gwei a gas: no room to double.
        let tight = market.fees(21_000, ceiling(21_000 * 15 * GWEI));
        assert_eq!(
            tight,
            Ok(Fees {
                max_fee: 15 * GWEI,
                tip: 2 * GWEI
            })
        );
        // 12 gwei: the tip gives way to one block's rise of 11.25.
        let tighter = market.fees(21_000, ceiling(21_000 * 12 * GWEI));
        assert_eq!(
            tighter,
            Ok(Fees {
                max_fee: 12 * GWEI,
                tip: 3 * GWEI / 4
            })
        );
        assert_eq!(
            market.fees(21_000, ceiling(21_000 * 11 * GWEI)),
            Err(ChainError::FeeAboveCeiling {
                needed: ceiling(21_000 * 45 * GWEI / 4),
                ceiling: ceiling(21_000 * 11 * GWEI)
            })
        );
    }

    #[test]
    fn inflated_fees_do_not_overflow() {
        let market = FeeMarket {
            base: u128::MAX,
            tip: u128::MAX,
        };
        assert!(matches!(
            market.fees(100_000, ceiling(1)),
            Err(ChainError::FeeAboveCeiling { .. })
        ));
        let greedy = FeeMarket {
            base: 1,
            tip: u128::MAX,
        };
        let fees = greedy
            .fees(21_000, ceiling(21_000_000))
            .expect("affordable");
        assert_eq!(fees.max_fee, 1000);
        assert!(fees.tip <= fees.max_fee);
    }

    #[test]
    fn gas_is_bounded() {
        assert_eq!(padded_gas(21_000), Ok(21_000));
        assert_eq!(padded_gas(40_000), Ok(50_000));
        for estimate in [80_004, 100_000, 30_000_000, u128::MAX] {
            assert!(matches!(
                padded_gas(estimate),
                Err(ChainError::GasAboveLimit { .. })
            ));
        }
    }
}
