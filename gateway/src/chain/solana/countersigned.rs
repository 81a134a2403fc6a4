//! What became of a transaction whose fee somebody else pays: the chain names it by that one's signature, which need
//! not be known here and of which there may be several over the same message. What is certain is the wallet's own, so
//! it is looked for among everything that the wallet signed. Called by `status`, for one node at a time.
//!
//! INVARIANT: such a transaction has expired only if its blockhash is too old in a *finalized* block and everything
//! that the wallet signed since it was made was read, up to that block, without finding it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use waiaas_shared::address::SolanaAddress;

use super::super::endpoints::Endpoint;
use super::super::rpc_error::RpcError;
use super::super::{ChainTransactionId, Landing, Sought, Validity};
use super::status::{ConfirmationStatus, finalized, reaches_back};
use super::{Failure, Solana};

/// Names of one answer, the most that nodes give, and how many answers are asked for.
const PAGE: usize = 1000;
const PAGES: usize = 16;
/// Slots by which the search may stay behind the newest block that a node told of, and blocks by which a blockhash has
/// to be too old for that: a block's height grows by one at most in each slot. Some nodes tell of a slot that they have
/// not confirmed yet.
const LAG: u64 = 32;
/// Transactions read at one look, the oldest first. The next look goes on with those behind.
const READ: usize = 200;
/// How many of what was read are remembered, of all that is sought.
const PASSED_OVER: usize = 32_768;

/// What was read at a node and is not what was sought. Anybody can fill an account's history with dust; nobody makes it
/// be read twice.
#[derive(Debug, Default)]
pub(super) struct PassedOver(Mutex<HashSet<(usize, ChainTransactionId, String)>>);

impl PassedOver {
    fn has(&self, node: &Endpoint, sought: &Sought, name: &str) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(&(node.place(), sought.id, name.to_owned()))
    }

    fn note(&self, node: &Endpoint, sought: &Sought, name: String) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= PASSED_OVER {
            seen.clear();
        }
        seen.insert((node.place(), sought.id, name));
    }
}

/// A transaction that an account has to do with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    signature: String,
    slot: u64,
    err: Option<Failure>,
    confirmation_status: ConfirmationStatus,
}

/// What is read of a transaction: who signed it.
#[derive(Deserialize)]
struct Told {
    transaction: Wire,
}

#[derive(Deserialize)]
struct Wire {
    signatures: Vec<String>,
}

/// What is read of a block.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    block_height: Option<u64>,
}

/// What a search has found.
enum Found {
    It(Listed),
    /// It is not there: everything was read.
    Nothing,
    /// There is more than is read.
    More,
}

impl Solana {
    /// What one node knows of it.
    pub(super) async fn countersigned_at(
        &self,
        node: &Endpoint,
        signer: SolanaAddress,
        sought: &Sought,
    ) -> Result<Landing, RpcError> {
        let Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } = sought.validity
        else {
            return Ok(Landing::Unknown);
        };
        // Asked first: what is searched afterwards goes far enough.
        let newest = finalized(node).await?;
        let over = newest.block_height > last_valid.saturating_add(LAG);
        let seen = newest.absolute_slot.saturating_sub(LAG);
        match self.search(node, signer, sought, seen).await? {
            Found::It(listed) if !self.is_deep(listed.confirmation_status, sought) => {
                Ok(Landing::Pending)
            }
            Found::It(listed) => Ok(match listed.err {
                Some(Failure(reason)) => Landing::Failed {
                    position: listed.slot,
                    reason,
                },
                // The fee is somebody else's.
                None => Landing::Confirmed {
                    position: listed.slot,
                    fee: None,
                },
            }),
            Found::Nothing if over && reaches_back(node, fetched_at_slot).await? => {
                Ok(Landing::Expired)
            }
            Found::Nothing | Found::More => Ok(Landing::Unknown),
        }
    }

    /// What the chain calls it, as the first node tells that does well.
    pub(in super::super) async fn name_of(
        &self,
        sought: &Sought,
    ) -> Result<Option<ChainTransactionId>, RpcError> {
        let Some(signer) = sought.signer else {
            return Ok(Some(sought.id));
        };
        let round = self.rpc.round()?;
        let node = round.first().ok_or(RpcError::Unreachable)?;
        match self.search(node, signer, sought, 0).await? {
            Found::It(listed) => Ok(listed.signature.parse().ok()),
            Found::Nothing | Found::More => Ok(None),
        }
    }

    /// Looks for a signature in what an account signed since the transaction was made, at a node that has seen at least
    /// `slot`.
    async fn search(
        &self,
        node: &Endpoint,
        signer: SolanaAddress,
        sought: &Sought,
        slot: u64,
    ) -> Result<Found, RpcError> {
        let Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } = sought.validity
        else {
            return Ok(Found::More);
        };
        let Some(candidates) = listed(node, signer, fetched_at_slot, slot).await? else {
            return Ok(Found::More);
        };
        let own = sought.id.to_string();
        let passed_over = |listed: &Listed| self.passed_over.has(node, sought, &listed.signature);
        let candidates = candidates.into_iter().rev();
        let mut candidates = candidates.filter(|listed| !passed_over(listed));
        for listed in candidates.by_ref().take(READ) {
            if carries(node, &listed.signature, &own).await? {
                return Ok(Found::It(listed));
            }
            self.passed_over.note(node, sought, listed.signature);
        }
        // What was not read does not matter where it stands in blocks that came too late.
        match candidates.next() {
            Some(left) if height(node, left.slot).await? <= last_valid => Ok(Found::More),
            _ => Ok(Found::Nothing),
        }
    }
}

/// Everything of an account from a slot on, newest first; none if there is more than is read.
async fn listed(
    node: &Endpoint,
    signer: SolanaAddress,
    since: u64,
    seen: u64,
) -> Result<Option<Vec<Listed>>, RpcError> {
    let mut all: Vec<Listed> = Vec::new();
    for _ in 0..PAGES {
        let mut options = json!({
            "commitment": "confirmed",
            "limit": PAGE,
            // A node that lags behind has not got what may have landed.
            "minContextSlot": seen,
        });
        if let (Some(last), Some(fields)) = (all.last(), options.as_object_mut()) {
            fields.insert("before".to_owned(), last.signature.clone().into());
        }
        let page: Vec<Listed> = node
            .call("getSignaturesForAddress", json!([signer, options]))
            .await?;
        if page.len() > PAGE {
            return Err(RpcError::Malformed);
        }
        let last = page.len() < PAGE || page.last().is_some_and(|oldest| oldest.slot < since);
        all.extend(page);
        if last {
            all.retain(|listed| listed.slot >= since);
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// Whether a transaction carries a signature.
async fn carries(node: &Endpoint, name: &str, own: &str) -> Result<bool, RpcError> {
    let options = json!({
        "commitment": "confirmed",
        "encoding": "json",
        "maxSupportedTransactionVersion": 1,
    });
    let told: Option<Told> = node.call("getTransaction", json!([name, options])).await?;
    // It is listed: a node that has not got it cannot say what it is.
    let signatures = told.ok_or(RpcError::Behind)?.transaction.signatures;
    if signatures.first().map(String::as_str) != Some(name) {
        return Err(RpcError::Lies(super::super::rpc_error::Lie::Transaction));
    }
    Ok(signatures.iter().any(|signature| signature == own))
}

/// The height of a block.
async fn height(node: &Endpoint, slot: u64) -> Result<u64, RpcError> {
    let options = json!({
        "commitment": "confirmed",
        "transactionDetails": "none",
        "rewards": false,
        "maxSupportedTransactionVersion": 1,
    });
    let block: Option<Block> = node.call("getBlock", json!([slot, options])).await?;
    block
        .and_then(|block| block.block_height)
        .ok_or(RpcError::Behind)
}
