//! The EVM adapter: Ethereum's JSON-RPC and what its answers prove; `token` for what only tokens ask,
//! `data_fee` for what only rollups take, `fees` for what blocks ask.
//! Source: Ethereum's execution API, EIP-1559, EIP-2681. Called through [`super::Chain`].

mod data_fee;
mod fees;
mod incoming;
mod token;

use serde::Deserialize;
use serde_json::{Value, json};
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::Token;
use waiaas_shared::evm::build::{self, Message, Terms};
use waiaas_shared::evm::{MAX_CALL_GAS_LIMIT, MAX_GAS_LIMIT, MIN_GAS_LIMIT, NetworkTerms};
use waiaas_shared::request::{Action, Speed, Transfer};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use super::config::{ChainConfig, Commitment, Depth};
use super::endpoints::{Endpoint, Endpoints};
use super::quantity::{Data, Hash, Quantity};
use super::rpc::RpcSetupError;
use super::rpc_error::{ChainText, Lie, RpcError};
use super::{ChainError, ChainTransactionId, Health, Landing, Prepared, Sent, Sought, Validity};

/// At one transaction a second this takes 34 000 years.
const MAX_ACCOUNT_NONCE: u128 = 1 << 40;
/// EIP-2718 type of a fee-market transaction.
const FEE_MARKET_TYPE: u8 = 0x02;
/// How a signed legacy transaction begins: as an RLP list of 56 to 65,535 bytes, for its signature has 64.
const LONG_LIST: std::ops::RangeInclusive<u8> = 0xf8..=0xf9;

/// One EVM chain.
#[derive(Debug)]
pub struct Evm {
    config: ChainConfig,
    rpc: Endpoints,
    chain_id: u64,
    depth: Depth,
}

impl Evm {
    pub(super) fn new(config: ChainConfig, chain_id: u64) -> Result<Self, RpcSetupError> {
        Ok(Self {
            rpc: Endpoints::new(&config)?,
            depth: config.depth,
            config,
            chain_id,
        })
    }

    pub(super) const fn config(&self) -> &ChainConfig {
        &self.config
    }

    pub(super) const fn endpoints(&self) -> &Endpoints {
        &self.rpc
    }

    pub(super) async fn prepare_transfer(
        &self,
        from: EvmAddress,
        asked: &Transfer,
        (ceiling, speed): (Amount, Speed),
        network: NetworkTerms,
    ) -> Result<Prepared, ChainError> {
        let for_gas = for_gas(ceiling, network)?;
        let (action, asset, amount) = (asked.action, asked.asset, asked.amount);
        if asset.token() != Token::Native {
            // Asked before an approval too: that there is a token at all.
            let balance = self.holding(asset, from).await?;
            if action == Action::Transfer && balance < amount {
                return Err(ChainError::InsufficientTokens {
                    asset: Box::new(asset),
                    balance,
                    needed: amount,
                });
            }
        }
        let effects = asked.effects();
        let message = effects
            .first()
            .and_then(|effect| build::message(from, effect))
            .ok_or(ChainError::FamilyMismatch)?;
        if action == Action::Call {
            self.has_code(message.to).await?;
        }
        let gas_limit = self.gas_limit(from, &message).await?;
        let market = self.quotes(network.form()).await?.at(speed);
        let fees = market.fees(speed, gas_limit, for_gas)?;
        let terms = Terms {
            chain_id: self.chain_id,
            from,
            gas_limit,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
        };
        let function = asked.function();
        let unsigned = build::transaction_as(network.form(), &terms, message, function.as_ref())
            .map_err(DecodeError::from)?;
        let known = Known::NOTHING.calling(function.as_ref()).on(network);
        let decoded = decode(self.config.id, Account::Evm(from), &unsigned, known)?;
        Ok(Prepared {
            fee_max: decoded.fee_max(),
            data_fee: self.data_fee(from, &unsigned, gas_limit, network).await?,
            unsigned,
            validity: Validity::Unlimited,
        })
    }

    /// An address without code answers every call with success, and keeps what came along.
    async fn has_code(&self, contract: EvmAddress) -> Result<(), ChainError> {
        let code: Data = self
            .rpc
            .call("eth_getCode", json!([contract, "latest"]))
            .await?;
        if code.0.is_empty() {
            let reason = ChainText::new("no contract is at this address");
            return Err(ChainError::WouldFail { reason });
        }
        Ok(())
    }

    async fn gas_limit(&self, from: EvmAddress, message: &Message) -> Result<u64, ChainError> {
        let call = json!([call_of(from, message)]);
        let least = intrinsic_gas(&message.data);
        let estimate: Quantity = self
            .rpc
            .call_checked("eth_estimateGas", call, |estimate: Quantity| {
                if estimate.value() < least.into() {
                    return Err(RpcError::Lies(Lie::Gas));
                }
                Ok(estimate)
            })
            .await
            .map_err(would_fail)?;
        let most = if message.data.is_empty() {
            MAX_GAS_LIMIT
        } else {
            MAX_CALL_GAS_LIMIT
        };
        padded_gas(estimate.value(), most)
    }

    /// What a transfer of nothing to itself takes: more than the least only where a rollup adds gas for its
    /// data.
    pub(super) async fn cancellation_gas(&self, from: EvmAddress) -> Result<u64, ChainError> {
        let nothing = Message {
            to: from,
            value: 0,
            data: Vec::new(),
        };
        match self.gas_limit(from, &nothing).await {
            // A node that cannot tell must not keep a nonce open.
            Err(ChainError::WouldFail { .. } | ChainError::GasAboveLimit { .. }) => {
                Ok(MIN_GAS_LIMIT)
            }
            other => other,
        }
    }

    pub(super) async fn simulate(
        &self,
        from: EvmAddress,
        transaction: &DecodedTransaction,
    ) -> Result<(), ChainError> {
        let mut needed = transaction.fee_max();
        for effect in transaction.effects() {
            let Some(message) = build::message(from, effect) else {
                continue;
            };
            let call = json!([call_of(from, &message), "latest"]);
            let returned: Data = self.rpc.call("eth_call", call).await.map_err(would_fail)?;
            if effect.asset().token() == Token::Native {
                needed = needed
                    .checked_add(effect.amount())
                    .ok_or(ChainError::AmountTooLarge)?;
            } else {
                token::not_refused(&returned)?;
                self.arrives_whole(from, effect, &message).await?;
            }
        }
        let balance = self.balance(from).await?;
        if balance < needed {
            return Err(ChainError::InsufficientFunds { balance, needed });
        }
        Ok(())
    }

    pub(super) async fn send(&self, raw: &[u8]) -> Result<Sent, ChainError> {
        let known = |first: &u8| *first == FEE_MARKET_TYPE || LONG_LIST.contains(first);
        if !raw.first().is_some_and(known) {
            return Err(ChainError::NotSigned);
        }
        let hash = alloy_primitives::keccak256(raw).0;
        let params = json!([format!("0x{}", hex::encode(raw))]);
        let taken = self
            .rpc
            .send("eth_sendRawTransaction", params, move |said: Hash| {
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
    pub(super) async fn status_at(
        &self,
        node: &Endpoint,
        sought: &Sought,
    ) -> Result<Landing, RpcError> {
        let ChainTransactionId::Evm(hash) = &sought.id else {
            return Ok(Landing::Unknown);
        };
        let params = json!([sought.id.to_string()]);
        let receipt = node
            .call_checked(
                "eth_getTransactionReceipt",
                params.clone(),
                |receipt: Option<Receipt>| receipt.map(|receipt| receipt.read(hash)).transpose(),
            )
            .await?;
        let Some(receipt) = receipt else {
            let seen: Option<PooledTransaction> = node
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
        if !self.is_deep(node, position, sought).await? {
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

    /// Whether a block is as deep as is asked for, as a node knows the chain: so many blocks stand on it, itself
    /// included, or the chain calls it safe or final.
    async fn is_deep(
        &self,
        node: &Endpoint,
        position: u64,
        sought: &Sought,
    ) -> Result<bool, RpcError> {
        let confirmations = match sought.depth.unwrap_or(self.depth) {
            Depth::Confirmations(blocks) => u64::from(blocks),
            Depth::Commitment(level) => {
                let tag = match level {
                    Commitment::Safe => "safe",
                    Commitment::Confirmed | Commitment::Finalized => "finalized",
                };
                let block: Option<Header> = node
                    .call("eth_getBlockByNumber", json!([tag, false]))
                    .await?;
                let newest = block.map(|block| narrow(block.number)).transpose()?;
                return Ok(newest.is_some_and(|newest| position <= newest));
            }
        };
        let head = node
            .call_checked("eth_blockNumber", json!([]), narrow)
            .await?;
        let depth = head
            .checked_sub(position)
            .map_or(0, |above| above.saturating_add(1));
        Ok(depth >= confirmations)
    }

    /// A node that has the chain as deep has the transaction there, or there is none.
    pub(super) async fn denies(
        &self,
        node: &Endpoint,
        claim: &Landing,
        sought: &Sought,
    ) -> Result<bool, RpcError> {
        match claim {
            Landing::Confirmed { position, .. } | Landing::Failed { position, .. } => {
                self.is_deep(node, *position, sought).await
            }
            _ => Ok(false),
        }
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

    pub(super) async fn health(&self) -> Health {
        self.rpc.health("eth_blockNumber", json!([]), narrow).await
    }
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

/// What a ceiling leaves for gas where the network takes a fee for data.
fn for_gas(ceiling: Amount, network: NetworkTerms) -> Result<Amount, ChainError> {
    let needed = network.data_fee();
    ceiling
        .checked_sub(needed)
        .ok_or(ChainError::FeeAboveCeiling { needed, ceiling })
}

/// What every transaction takes before anything is executed (EIP-2028): with less no block holds it, and its nonce
/// stays open. Some chains take more.
fn intrinsic_gas(data: &[u8]) -> u64 {
    let bytes = data.iter().map(|byte| if *byte == 0 { 4 } else { 16 });
    bytes.fold(MIN_GAS_LIMIT, u64::saturating_add)
}

/// A message as nodes take it.
fn call_of(from: EvmAddress, message: &Message) -> Value {
    let mut call = json!({
        "from": from,
        "to": message.to,
        "value": format!("{:#x}", message.value),
    });
    if let (false, Some(fields)) = (message.data.is_empty(), call.as_object_mut()) {
        let data = format!("0x{}", hex::encode(&message.data));
        fields.insert("data".to_owned(), data.into());
    }
    call
}

/// Exact for an account without code; a quarter more where code runs, whose use may grow.
fn padded_gas(estimate: u128, most: u64) -> Result<u64, ChainError> {
    let padded = if estimate == MIN_GAS_LIMIT.into() {
        estimate
    } else {
        estimate.saturating_add(estimate / 4)
    };
    u64::try_from(padded)
        .ok()
        .filter(|gas| *gas <= most)
        .ok_or(ChainError::GasAboveLimit {
            estimated: Amount::from_base_units(estimate),
            limit: most,
        })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: Hash,
    block_number: Option<Quantity>,
    status: Quantity,
    gas_used: Quantity,
    effective_gas_price: Option<Quantity>,
    /// Of the OP stack: what the data took beside gas.
    l1_fee: Option<Quantity>,
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
            .and_then(|gas| gas.checked_add(data_fee::of_receipt(self.l1_fee)))
            .map(Amount::from_base_units);
        Ok(ReadReceipt {
            block: self.block_number.map(narrow).transpose()?,
            succeeded,
            fee,
        })
    }
}

/// What is read of a block.
#[derive(Deserialize)]
struct Header {
    number: Quantity,
}

#[derive(Deserialize)]
struct PooledTransaction {
    hash: Hash,
}

#[cfg(test)]
mod tests;
