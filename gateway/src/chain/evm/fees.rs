//! What the next blocks of an EVM chain ask, at three speeds. A node's word: it moves a fee under its ceiling and
//! nothing else. Source: Ethereum's execution API (`eth_feeHistory`).

use serde::Deserialize;
use serde_json::json;
use waiaas_shared::amount::Amount;
use waiaas_shared::evm::{Form, MIN_GAS_LIMIT, NetworkTerms};
use waiaas_shared::request::Speed;

use super::{Evm, for_gas};
use crate::chain::ChainError;
use crate::chain::fee_market::{FeeMarket, Quotes};
use crate::chain::offer::{FeeEstimate, UnitPrice};
use crate::chain::quantity::Quantity;
use crate::chain::rpc_error::RpcError;

/// Blocks over which tips are taken.
const FEE_HISTORY_BLOCKS: u32 = 5;

impl Evm {
    pub(in crate::chain) async fn fee_market(&self, form: Form) -> Result<FeeMarket, ChainError> {
        Ok(self.quotes(form).await?.at(Speed::Normal))
    }

    /// The least gas that any transaction takes, at each speed.
    pub(in crate::chain) async fn fee_estimates(
        &self,
        ceiling: Amount,
        network: NetworkTerms,
    ) -> Result<Vec<FeeEstimate>, ChainError> {
        let quotes = self.quotes(network.form()).await?;
        Ok(Speed::ALL
            .into_iter()
            .map(|speed| estimate(quotes, speed, ceiling, network))
            .collect())
    }

    pub(super) async fn quotes(&self, form: Form) -> Result<Quotes, ChainError> {
        if form == Form::Legacy {
            let price: Quantity = self.rpc.call("eth_gasPrice", json!([])).await?;
            let price = price.value();
            return Ok(Quotes::Legacy { price });
        }
        let params = json!([format!("{FEE_HISTORY_BLOCKS:#x}"), "latest", [10, 50, 90]]);
        let (base, paid) = self
            .rpc
            .call_checked("eth_feeHistory", params, |history: FeeHistory| {
                // The last one is the next block's.
                let base = history
                    .base_fee_per_gas
                    .last()
                    .ok_or(RpcError::Malformed)?
                    .value();
                Ok((base, history.tips()))
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
        Ok(Quotes::of_tips(base, paid, asked))
    }
}

/// What the least gas costs at one speed.
pub(super) fn estimate(
    quotes: Quotes,
    speed: Speed,
    ceiling: Amount,
    network: NetworkTerms,
) -> FeeEstimate {
    let market = quotes.at(speed);
    let fees = for_gas(ceiling, network)
        .and_then(|for_gas| market.fees(speed, MIN_GAS_LIMIT, for_gas))
        .ok();
    let per_gas = match fees {
        Some(fees) => fees.max_fee,
        None => market.least(),
    };
    let gas = u128::from(MIN_GAS_LIMIT).saturating_mul(per_gas);
    let fee = gas.saturating_add(network.data_fee().base_units());
    let told = fees.unwrap_or(market.usual(speed));
    FeeEstimate {
        speed,
        fee_max: Amount::from_base_units(fee),
        price: UnitPrice::Gas {
            max_fee: told.max_fee,
            tip: told.tip,
        },
        above_ceiling: fees.is_none(),
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
    /// Of each of the three parts that were asked for: the middle one of the blocks' tips. A node that tells fewer
    /// parts tells its last one of all.
    fn tips(&self) -> [u128; 3] {
        [0, 1, 2].map(|part: usize| {
            let blocks = self.reward.iter().flatten();
            let mut tips: Vec<u128> = blocks
                .filter_map(|parts| parts.get(part).or(parts.last()))
                .map(|tip| tip.value())
                .collect();
            tips.sort_unstable();
            tips.get(tips.len() / 2).copied().unwrap_or(0)
        })
    }
}
