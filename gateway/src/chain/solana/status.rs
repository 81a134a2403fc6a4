//! What became of a Solana transaction, as one node tells it. `witness` holds what several nodes tell
//! against each other.

use serde_json::json;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;

use super::super::config::{Commitment, Depth};
use super::super::endpoints::Endpoint;
use super::super::rpc_error::{Lie, RpcError};
use super::super::{ChainTransactionId, Landing, Sought, Validity};
use super::{Failure, Solana, Told};

impl Solana {
    /// Expiry is concluded only from a chain of evidence, all of it from one node: a *finalized* block
    /// height past the transaction's last one, after that a search in a history that goes as far, and
    /// one that reaches back to when the transaction was made.
    pub(in crate::chain) async fn status_at(
        &self,
        node: &Endpoint,
        sought: &Sought,
    ) -> Result<Landing, RpcError> {
        if let Some(signer) = sought.signer {
            return self.countersigned_at(node, signer, sought).await;
        }
        let id = &sought.id;
        if let Some(status) = signature_status(node, id, false, 0).await? {
            return Ok(self.judge(node, sought, status).await);
        }
        let Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } = sought.validity
        else {
            return Ok(Landing::Unknown);
        };
        let finalized = finalized(node).await?;
        if finalized.block_height <= last_valid {
            return Ok(Landing::Unknown);
        }
        let searched = signature_status(node, id, true, finalized.absolute_slot).await?;
        if let Some(status) = searched {
            return Ok(self.judge(node, sought, status).await);
        }
        if reaches_back(node, fetched_at_slot).await? {
            Ok(Landing::Expired)
        } else {
            Ok(Landing::Unknown)
        }
    }

    /// A node that does not know a transaction says no more by it than that it has not seen it yet. One that sees it
    /// on the chain after its time contradicts whoever says that it is not there; one whose history has the block that
    /// it is said to be in, and not the transaction, whoever says that it is.
    pub(in crate::chain) async fn denies(
        node: &Endpoint,
        open: &Landing,
        claim: &Landing,
        sought: &Sought,
    ) -> Result<bool, RpcError> {
        let Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } = sought.validity
        else {
            return Ok(false);
        };
        match (open, claim) {
            (Landing::Unknown, Landing::Confirmed { position, .. }) if sought.signer.is_none() => {
                let seen = finalized(node).await?.absolute_slot;
                if seen < *position {
                    return Ok(false);
                }
                let searched = signature_status(node, &sought.id, true, seen).await?;
                Ok(searched.is_none() && reaches_back(node, fetched_at_slot).await?)
            }
            (Landing::Pending, _) => Ok(finalized(node).await?.block_height > last_valid),
            _ => Ok(false),
        }
    }

    async fn judge(&self, node: &Endpoint, sought: &Sought, status: SignatureStatus) -> Landing {
        if !self.is_deep(status.confirmation_status, sought) {
            return Landing::Pending;
        }
        let position = status.slot;
        if let Some(Failure(reason)) = status.err {
            return Landing::Failed { position, reason };
        }
        // Confirmed either way: what the node says about the fee is for showing.
        let fee = fee_of(node, &sought.id).await.ok().flatten();
        Landing::Confirmed { position, fee }
    }

    /// Whether what a node says of a transaction's block is as deep as is asked for.
    pub(super) fn is_deep(&self, status: ConfirmationStatus, sought: &Sought) -> bool {
        match status {
            ConfirmationStatus::Processed => false,
            ConfirmationStatus::Confirmed => {
                self.depth(sought) == Depth::Commitment(Commitment::Confirmed)
            }
            ConfirmationStatus::Finalized => true,
        }
    }
}

impl Solana {
    /// Whether any node still takes bytes with this blockhash.
    ///
    /// # Errors
    /// If no node was there to say.
    pub(in crate::chain) async fn takes(&self, blockhash: [u8; 32]) -> Result<bool, RpcError> {
        let blockhash = SolanaAddress::from_bytes(blockhash);
        let asked = self.rpc.all().map(async |node| {
            let params = json!([blockhash, { "commitment": "processed" }]);
            let told: Told<bool> = node.call("isBlockhashValid", params).await?;
            Ok::<_, RpcError>(told.value)
        });
        let told = futures::future::join_all(asked).await;
        let mut failure = None;
        let mut heard = false;
        for answer in told {
            match answer {
                Ok(true) => return Ok(true),
                // One that does not know the question says nothing, and is there.
                Ok(false) | Err(RpcError::Rpc { .. }) => heard = true,
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !heard => Err(error),
            _ => Ok(false),
        }
    }
}

/// Whether a node's history goes back to this slot.
pub(super) async fn reaches_back(node: &Endpoint, slot: u64) -> Result<bool, RpcError> {
    let first: u64 = node.call("getFirstAvailableBlock", json!([])).await?;
    Ok(first <= slot)
}

/// The newest block that no fork can undo, as a node knows the chain.
pub(super) async fn finalized(node: &Endpoint) -> Result<EpochInfo, RpcError> {
    let commitment = json!([{ "commitment": "finalized" }]);
    node.call_checked("getEpochInfo", commitment, |told: EpochInfo| {
        // There are never more blocks than slots.
        if told.block_height > told.absolute_slot {
            return Err(RpcError::Lies(Lie::BlockHeight));
        }
        Ok(told)
    })
    .await
}

/// The status that a node tells which has seen at least `slot`.
async fn signature_status(
    node: &Endpoint,
    id: &ChainTransactionId,
    history: bool,
    slot: u64,
) -> Result<Option<SignatureStatus>, RpcError> {
    let params = json!([[id.to_string()], { "searchTransactionHistory": history }]);
    node.call_checked(
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

async fn fee_of(node: &Endpoint, id: &ChainTransactionId) -> Result<Option<Amount>, RpcError> {
    let options = json!({
        "commitment": "confirmed",
        "encoding": "base64",
        "maxSupportedTransactionVersion": 1,
    });
    let found: Option<Transaction> = node
        .call("getTransaction", json!([id.to_string(), options]))
        .await?;
    Ok(found
        .and_then(|transaction| transaction.meta)
        .map(|meta| Amount::from_base_units(meta.fee.into())))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EpochInfo {
    pub(super) absolute_slot: u64,
    pub(super) block_height: u64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureStatus {
    slot: u64,
    err: Option<Failure>,
    confirmation_status: ConfirmationStatus,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ConfirmationStatus {
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

#[cfg(test)]
mod tests {
    use super::*;

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
