//! The few questions that a withdrawal asks a chain's node: which chain it is, blockhash or fees, and
//! sending. What a node says is hostile: the owner's fee ceiling binds, whatever it asks.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::caip::{ChainId, Cluster};
use waiaas_shared::evm::build::Message;
use waiaas_shared::evm::{Form, MAX_CALL_GAS_LIMIT, MIN_GAS_LIMIT};

use crate::failure::{Exit, Failure};
use crate::http::{Http, PATIENCE};
use crate::output::printable;

/// How long a withdrawal's end is waited for.
const LANDING_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    http: Http,
    chain: ChainId,
}

/// Fees as a node suggests them, in wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GasPrice {
    /// In all, at most.
    pub(crate) max_fee: u128,
    /// For the block's producer, at most.
    pub(crate) priority: u128,
}

impl Node {
    /// Connects and makes sure that it serves `chain`.
    pub(crate) async fn connect(url: &str, chain: ChainId) -> Result<Self, Failure> {
        let node = Self {
            http: Http::new(url)?,
            chain,
        };
        let serves = match chain {
            ChainId::Evm(id) => {
                quantity(&node.call("eth_chainId", json!([])).await?) == Some(id.into())
            }
            ChainId::Solana(cluster) => {
                let genesis = node.call("getGenesisHash", json!([])).await?;
                let genesis = genesis.as_str().unwrap_or_default();
                // A local chain has another genesis at each start.
                cluster.reference() == Cluster::LOCALNET
                    || genesis.get(..32) == Some(cluster.reference())
            }
        };
        if serves {
            Ok(node)
        } else {
            Err(Failure::new(
                Exit::Failure,
                format!("{} does not serve {chain}", node.http.shown()),
            )
            .next("give the address of a node of that network with --rpc"))
        }
    }

    /// A recent blockhash of Solana.
    pub(crate) async fn blockhash(&self) -> Result<[u8; 32], Failure> {
        let answer = self
            .call("getLatestBlockhash", json!([{ "commitment": "confirmed" }]))
            .await?;
        let text = answer.pointer("/value/blockhash").and_then(Value::as_str);
        text.and_then(|text| text.parse::<SolanaAddress>().ok())
            .map(|hash| *hash.as_bytes())
            .ok_or_else(|| self.not_understood("getLatestBlockhash"))
    }

    /// What the next block costs on an EVM chain, with room for one that costs twice as much; in the legacy
    /// form, where all of the gas price is paid, with an eighth.
    pub(crate) async fn gas_price(&self, form: Form) -> Result<GasPrice, Failure> {
        if form == Form::Legacy {
            let wrong = || self.not_understood("eth_gasPrice");
            let answer = self.call("eth_gasPrice", json!([])).await?;
            let price = quantity(&answer).ok_or_else(wrong)?;
            let price = price.checked_add(price.div_ceil(8)).ok_or_else(wrong)?;
            return Ok(GasPrice {
                max_fee: price,
                priority: price,
            });
        }
        let wrong = || self.not_understood("eth_getBlockByNumber");
        let block = self
            .call("eth_getBlockByNumber", json!(["latest", false]))
            .await?;
        let base = block
            .get("baseFeePerGas")
            .and_then(quantity)
            .ok_or_else(wrong)?;
        // Not every chain knows the method; one gwei gets into a block wherever there is room.
        let priority = match self.call("eth_maxPriorityFeePerGas", json!([])).await {
            Ok(value) => quantity(&value).unwrap_or(1_000_000_000),
            Err(_) => 1_000_000_000,
        };
        let max_fee = base
            .checked_mul(2)
            .and_then(|twice| twice.checked_add(priority))
            .ok_or_else(wrong)?;
        Ok(GasPrice { max_fee, priority })
    }

    /// The gas of a call, a quarter more than the node estimates, as far as a call may have it.
    pub(crate) async fn gas(&self, from: Account, message: &Message) -> Result<u64, Failure> {
        let call = json!([{
            "from": from,
            "to": message.to,
            "data": format!("0x{}", hex::encode(&message.data)),
        }]);
        let answer = self.call("eth_estimateGas", call).await?;
        let estimate = quantity(&answer)
            .and_then(|gas| u64::try_from(gas).ok())
            .ok_or_else(|| self.not_understood("eth_estimateGas"))?;
        let padded = estimate.saturating_add(estimate / 4);
        Ok(padded.clamp(MIN_GAS_LIMIT, MAX_CALL_GAS_LIMIT))
    }

    /// What the account holds, in base units of the chain's own coin.
    pub(crate) async fn balance(&self, account: Account) -> Result<u128, Failure> {
        match self.chain {
            ChainId::Evm(_) => {
                let params = json!([account.to_string(), "latest"]);
                let answer = self.call("eth_getBalance", params).await?;
                quantity(&answer).ok_or_else(|| self.not_understood("eth_getBalance"))
            }
            ChainId::Solana(_) => {
                let params = json!([account.to_string(), { "commitment": "confirmed" }]);
                let answer = self.call("getBalance", params).await?;
                let lamports = answer.get("value").and_then(Value::as_u64);
                lamports
                    .map(u128::from)
                    .ok_or_else(|| self.not_understood("getBalance"))
            }
        }
    }

    /// Base units in one of Solana's token accounts; nothing if there is no such account.
    pub(crate) async fn tokens(&self, account: SolanaAddress) -> Result<Option<u64>, Failure> {
        let options = json!({ "encoding": "jsonParsed", "commitment": "confirmed" });
        let answer = self
            .call("getAccountInfo", json!([account.to_string(), options]))
            .await?;
        let wrong = || self.not_understood("getAccountInfo");
        let found = answer.get("value").ok_or_else(wrong)?;
        if found.is_null() {
            return Ok(None);
        }
        let amount = found.pointer("/data/parsed/info/tokenAmount/amount");
        let amount = amount.and_then(Value::as_str).ok_or_else(wrong)?;
        amount.parse().map(Some).map_err(|_| wrong())
    }

    /// How many transactions of the account an EVM chain has, without and with those that wait.
    pub(crate) async fn transaction_counts(&self, account: Account) -> Result<(u64, u64), Failure> {
        let mut counts = [0, 0];
        for (count, block) in counts.iter_mut().zip(["latest", "pending"]) {
            let params = json!([account.to_string(), block]);
            let answer = self.call("eth_getTransactionCount", params).await?;
            *count = quantity(&answer)
                .and_then(|count| u64::try_from(count).ok())
                .ok_or_else(|| self.not_understood("eth_getTransactionCount"))?;
        }
        let [mined, with_waiting] = counts;
        Ok((mined, with_waiting))
    }

    /// Sends signed bytes.
    pub(crate) async fn send(&self, raw: &[u8]) -> Result<(), Failure> {
        match self.chain {
            ChainId::Evm(_) => {
                self.call(
                    "eth_sendRawTransaction",
                    json!([format!("0x{}", hex::encode(raw))]),
                )
                .await?;
            }
            ChainId::Solana(_) => {
                // At the commitment that the blockhash was fetched at, or a node may not know it yet.
                let options = json!({ "encoding": "base64", "preflightCommitment": "confirmed" });
                self.call("sendTransaction", json!([STANDARD.encode(raw), options]))
                    .await?;
            }
        }
        Ok(())
    }

    /// Whether the transaction is on the chain: waits for it. `Some(false)`: it failed there.
    pub(crate) async fn landed(&self, name: &str) -> Result<Option<bool>, Failure> {
        let since = std::time::Instant::now();
        while since.elapsed() < LANDING_PATIENCE {
            let found = match self.chain {
                ChainId::Evm(_) => {
                    let receipt = self
                        .call("eth_getTransactionReceipt", json!([name]))
                        .await?;
                    receipt
                        .get("status")
                        .and_then(quantity)
                        .map(|status| status == 1)
                }
                ChainId::Solana(_) => {
                    let answer = self.call("getSignatureStatuses", json!([[name]])).await?;
                    let found = answer.pointer("/value/0").filter(|found| !found.is_null());
                    let deep = |found: &&Value| {
                        found.get("confirmationStatus").and_then(Value::as_str) != Some("processed")
                    };
                    found
                        .filter(deep)
                        .map(|found| found.get("err").is_none_or(Value::is_null))
                }
            };
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(None)
    }

    async fn call(&self, method: &'static str, params: Value) -> Result<Value, Failure> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = self
            .http
            .post_base()
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = self.http.send(request, PATIENCE).await?;
        let mut value: Value =
            serde_json::from_slice(&answer.body).map_err(|_| self.not_understood(method))?;
        if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
            let message: String = error
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect();
            return Err(Failure::new(
                Exit::Failure,
                format!("{} refused {method}", self.http.shown()),
            )
            .why(printable(&message)));
        }
        match value.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(self.not_understood(method)),
        }
    }

    fn not_understood(&self, method: &str) -> Failure {
        Failure::new(
            Exit::Failure,
            format!("the answer of {} is not understood", self.http.shown()),
        )
        .why(method)
    }
}

/// A `0x` number of JSON-RPC.
fn quantity(value: &Value) -> Option<u128> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    u128::from_str_radix(digits, 16)
        .ok()
        .filter(|_| !digits.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_hexadecimal_text() {
        assert_eq!(quantity(&json!("0x7a69")), Some(31_337));
        for wrong in [
            json!("7a69"),
            json!(31_337),
            json!("0x"),
            json!("0x+1"),
            json!(null),
            json!("0xg"),
        ] {
            assert_eq!(quantity(&wrong), None, "{wrong}");
        }
    }
}
