//! Transfers into wallets on an EVM chain: `Transfer` logs of the policy's ERC-20 tokens and, where the configuration
//! asks for it, plain transfers of the chain's coin, read block by block. Only blocks that are as deep as the
//! configuration asks for. A node's word, for showing. Source: ERC-20, Ethereum's execution API.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::json;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Token};

use super::{Commitment, Depth, Evm, Header, narrow};
use crate::chain::config::Incomings;
use crate::chain::endpoints::Endpoint;
use crate::chain::incoming::{Cursors, Incoming, Seen, Watched};
use crate::chain::quantity::{Data, Hash, Quantity};
use crate::chain::rpc_error::RpcError;
use crate::chain::{ChainError, ChainTransactionId};

/// `Transfer(address,address,uint256)`.
const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
/// The cursor of the whole chain.
const BLOCKS: &str = "blocks";
/// Blocks of one look at logs, and of one that reads every block.
const LOG_BLOCKS: u64 = 500;
const WHOLE_BLOCKS: u64 = 24;
/// What is further behind is passed over.
const FURTHEST: u64 = 20_000;

impl Evm {
    pub(in crate::chain) async fn incoming(
        &self,
        watched: &[Watched],
        cursors: &Cursors,
    ) -> Result<Seen, ChainError> {
        // One node for all of it: another one may lag behind the first one's newest block.
        let round = self.rpc.round()?;
        let node = round.first().ok_or(RpcError::Unreachable)?;
        let deep = self.deep(node).await?;
        let known = cursors
            .get(BLOCKS)
            .and_then(|next| next.parse::<u64>().ok());
        let mut seen = Seen::default();
        let Some(next) = known else {
            // Read from now on.
            seen.cursors
                .insert(BLOCKS.to_owned(), deep.saturating_add(1).to_string());
            return Ok(seen);
        };
        let from = next.max(deep.saturating_sub(FURTHEST));
        seen.gap = from > next;
        if from > deep {
            return Ok(seen);
        }
        let whole = self.config.incoming == Incomings::All;
        let most = if whole { WHOLE_BLOCKS } else { LOG_BLOCKS };
        let to = deep.min(from.saturating_add(most - 1));
        seen.found = self
            .moved_in(node, watched, from..=to, &mut seen.gap)
            .await?;
        if let (Some(second), false) = (round.get(1), seen.found.is_empty()) {
            // One that fails, or has not seen that far, says nothing.
            let told = self.second(second, watched, from..=to).await;
            let told = told.unwrap_or_default();
            let found = std::mem::take(&mut seen.found).into_iter();
            seen.found = found.map(|one| one.seconded(&told)).collect();
        }
        seen.more = to < deep;
        seen.cursors
            .insert(BLOCKS.to_owned(), to.saturating_add(1).to_string());
        Ok(seen)
    }

    /// What a node tells of these blocks; `gap`, where one is larger than any answer that is read.
    async fn moved_in(
        &self,
        node: &Endpoint,
        watched: &[Watched],
        blocks: RangeInclusive<u64>,
        gap: &mut bool,
    ) -> Result<Vec<Incoming>, RpcError> {
        let mut found = self.of_tokens(node, watched, blocks.clone()).await?;
        if self.config.incoming == Incomings::All {
            for number in blocks {
                match self.of_coin(node, watched, number).await {
                    Ok(coins) => found.extend(coins),
                    // Its tokens are seen all the same.
                    Err(RpcError::TooLarge) => *gap = true,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }

    /// What a second node tells of these blocks, if it has them.
    async fn second(
        &self,
        node: &Endpoint,
        watched: &[Watched],
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<Incoming>, RpcError> {
        if self.deep(node).await? < *blocks.end() {
            return Err(RpcError::Behind);
        }
        self.moved_in(node, watched, blocks, &mut false).await
    }

    /// The newest block that is deep enough.
    async fn deep(&self, node: &Endpoint) -> Result<u64, RpcError> {
        match self.depth {
            Depth::Confirmations(blocks) => {
                let head = node
                    .call_checked("eth_blockNumber", json!([]), narrow)
                    .await?;
                Ok(head.saturating_add(1).saturating_sub(blocks.into()))
            }
            Depth::Commitment(level) => {
                let tag = if level == Commitment::Safe {
                    "safe"
                } else {
                    "finalized"
                };
                let block: Option<Header> = node
                    .call("eth_getBlockByNumber", json!([tag, false]))
                    .await?;
                narrow(block.ok_or(RpcError::Behind)?.number)
            }
        }
    }

    async fn of_tokens(
        &self,
        node: &Endpoint,
        watched: &[Watched],
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<Incoming>, RpcError> {
        let mut tokens: Vec<EvmAddress> = watched
            .iter()
            .flat_map(|one| &one.tokens)
            .filter_map(|(asset, _)| match asset.token() {
                Token::Erc20(token) => Some(token),
                _ => None,
            })
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        let wallets: Vec<String> = wallets(watched).map(|wallet| padded(&wallet)).collect();
        if tokens.is_empty() || wallets.is_empty() {
            return Ok(Vec::new());
        }
        let asked = json!([{
            "fromBlock": format!("{:#x}", blocks.start()),
            "toBlock": format!("{:#x}", blocks.end()),
            "address": tokens,
            "topics": [TRANSFER, null, wallets],
        }]);
        let logs: Vec<Log> = node.call("eth_getLogs", asked).await?;
        let found = logs.into_iter().map(|log| {
            let found = log.read(self, watched, &tokens)?;
            // A node that answers another question has answered none.
            let asked = found
                .as_ref()
                .is_none_or(|one| blocks.contains(&one.position));
            asked.then_some(found).ok_or(RpcError::Malformed)
        });
        found.filter_map(Result::transpose).collect()
    }

    /// What a block moves into the wallets of the chain's coin.
    async fn of_coin(
        &self,
        node: &Endpoint,
        watched: &[Watched],
        number: u64,
    ) -> Result<Vec<Incoming>, RpcError> {
        let params = json!([format!("{number:#x}"), true]);
        let block: Option<Block> = node.call("eth_getBlockByNumber", params).await?;
        let block = block.ok_or(RpcError::Behind)?;
        if narrow(block.number)? != number {
            return Err(RpcError::Malformed);
        }
        let mut found = Vec::new();
        for moved in block.transactions {
            let to = moved.to.as_ref().and_then(address);
            let own = wallets(watched).find(|wallet| Some(*wallet) == to);
            let (Some(wallet), true) = (own, moved.value.value() > 0) else {
                continue;
            };
            let from = address(&moved.from);
            if from == Some(wallet) || !self.succeeded(node, &moved.hash).await? {
                continue;
            }
            found.push(Incoming {
                account: Account::Evm(wallet),
                transaction: ChainTransactionId::Evm(moved.hash.0),
                place: 0,
                asset: self.config.id.native_asset(),
                from: from.map(Account::Evm),
                amount: Amount::from_base_units(moved.value.value()),
                position: number,
                nodes: 1,
            });
        }
        Ok(found)
    }

    async fn succeeded(&self, node: &Endpoint, hash: &Hash) -> Result<bool, RpcError> {
        let params = json!([ChainTransactionId::Evm(hash.0).to_string()]);
        let receipt: Option<super::Receipt> =
            node.call("eth_getTransactionReceipt", params).await?;
        let receipt = receipt.ok_or(RpcError::Behind)?;
        Ok(receipt.read(&hash.0)?.succeeded)
    }
}

fn wallets(watched: &[Watched]) -> impl Iterator<Item = EvmAddress> + '_ {
    watched.iter().filter_map(|one| match one.account {
        Account::Evm(wallet) => Some(wallet),
        Account::Solana(_) => None,
    })
}

fn padded(address: &EvmAddress) -> String {
    format!("0x{:0>64}", hex::encode(address.as_bytes()))
}

/// An address as nodes write it, in lower case.
fn address(data: &Data) -> Option<EvmAddress> {
    let bytes = <[u8; 20]>::try_from(data.0.as_slice());
    bytes.ok().map(EvmAddress::from_bytes)
}

fn address_of_topic(topic: &Hash) -> Option<EvmAddress> {
    let (zeros, bytes) = topic.0.split_last_chunk::<20>()?;
    let plain = zeros.iter().all(|byte| *byte == 0);
    plain.then_some(EvmAddress::from_bytes(*bytes))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    address: Data,
    topics: Vec<Hash>,
    data: Data,
    transaction_hash: Hash,
    log_index: Quantity,
    block_number: Quantity,
    #[serde(default)]
    removed: bool,
}

impl Log {
    /// The transfer that it tells of; nothing of what moves nothing, was undone, or comes from the wallet itself.
    fn read(
        &self,
        evm: &Evm,
        watched: &[Watched],
        tokens: &[EvmAddress],
    ) -> Result<Option<Incoming>, RpcError> {
        let token = address(&self.address).filter(|token| tokens.contains(token));
        let [kind, from, to] = &self.topics[..] else {
            return Err(RpcError::Malformed);
        };
        let to = address_of_topic(to);
        let own = wallets(watched).find(|wallet| Some(*wallet) == to);
        let is_transfer = TRANSFER.strip_prefix("0x") == Some(hex::encode(kind.0).as_str());
        let (Some(token), Some(wallet), true) = (token, own, is_transfer) else {
            return Err(RpcError::Malformed);
        };
        let word = <&[u8; 32]>::try_from(self.data.0.as_slice());
        let amount = super::token::number(word.map_err(|_| RpcError::Malformed)?);
        let from = address_of_topic(from);
        if self.removed || amount == Amount::ZERO || from == Some(wallet) {
            return Ok(None);
        }
        let asset = AssetId::new(evm.config.id, Token::Erc20(token));
        Ok(Some(Incoming {
            account: Account::Evm(wallet),
            transaction: ChainTransactionId::Evm(self.transaction_hash.0),
            place: u32::try_from(self.log_index.value()).map_err(|_| RpcError::Malformed)?,
            asset: asset.map_err(|_| RpcError::Malformed)?,
            from: from.map(Account::Evm),
            amount,
            position: narrow(self.block_number)?,
            nodes: 1,
        }))
    }
}

#[derive(Deserialize)]
struct Block {
    number: Quantity,
    transactions: Vec<Moved>,
}

/// A transaction of a block, as far as it is read.
#[derive(Deserialize)]
struct Moved {
    hash: Hash,
    from: Data,
    to: Option<Data>,
    value: Wide,
}

/// A quantity that may be beyond 128 bits: then it is the largest.
struct Wide(u128);

impl Wide {
    const fn value(&self) -> u128 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Wide {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or_default();
        let plain = !digits.is_empty()
            && digits.len() <= 64
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(serde::de::Error::custom("not a quantity"));
        }
        Ok(Self(u128::from_str_radix(digits, 16).unwrap_or(u128::MAX)))
    }
}
