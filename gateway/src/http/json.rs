//! Payments as JSON. Amounts are text in base units, so that no client rounds them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::chain::ChainText;
use crate::clock::rfc3339;
use crate::payment::Payment;

/// A payment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TransactionView {
    /// Its identifier.
    pub(super) transaction: String,
    /// PENDING, QUEUED, EXECUTING, SUBMITTED, CONFIRMED, FAILED, CANCELLED or EXPIRED.
    status: String,
    /// From which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// What moves (CAIP-19).
    asset: String,
    /// Who receives.
    to: String,
    /// Base units.
    amount_base: String,
    /// Worst-case fee, base units of the native asset.
    fee_max_base: String,
    /// What the chain took, as a node tells; once confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_paid_base: Option<String>,
    /// INSTANT or NOTIFY.
    tier: String,
    /// Whether the gateway sends it.
    submit: bool,
    /// The chain's own name for it.
    chain_transaction: Option<String>,
    /// Slot or block number; once confirmed or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// The nonce that the signer issued, on an EVM chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    /// Why it ended as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When it was charged (RFC 3339).
    created_at: String,
    /// When its status last changed (RFC 3339).
    updated_at: String,
    /// Number of its event in the signer's log.
    sequence: u64,
}

impl From<&Payment> for TransactionView {
    fn from(Payment { facts, progress }: &Payment) -> Self {
        Self {
            transaction: facts.id.to_string(),
            status: progress.status.name().to_owned(),
            wallet: facts.wallet.to_string(),
            network: facts.chain.to_string(),
            asset: facts.asset.to_string(),
            to: facts.to.to_string(),
            amount_base: facts.amount.to_string(),
            fee_max_base: facts.fee_max.to_string(),
            fee_paid_base: progress.fee_paid.map(|fee| fee.to_string()),
            tier: facts.tier.as_str().to_owned(),
            submit: facts.submit,
            chain_transaction: progress.chain_transaction.map(|name| name.to_string()),
            position: progress.position,
            nonce: facts.nonce,
            detail: progress.detail.as_ref().map(ChainText::to_string),
            created_at: rfc3339(facts.created),
            updated_at: rfc3339(progress.updated),
            sequence: facts.sequence,
        }
    }
}
