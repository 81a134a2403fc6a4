//! Payments as JSON. Amounts are text in base units, so that no client rounds them.

use serde::Serialize;
use utoipa::ToSchema;
use waiaas_shared::request::Transfer;
use waiaas_shared::status::Status;

use crate::chain::ChainText;
use crate::clock::rfc3339;
use crate::payment::Payment;

/// What needs a person's attention: the nodes of a network contradict each other.
pub(super) const NODES_CONTRADICT: &str = "nodes_contradict";

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
    /// `transfer`; `approve`: `to` may take it later; `call`: `to` is the contract, and the amount goes with the
    /// call, or `to` is the program, and the amount is what the owner counts as leaving of the coin; `stake`: `to` is the validator; `unstake` or `withdraw_stake`: `to` is the stake account.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    action: &'static str,
    /// What moves (CAIP-19).
    asset: String,
    /// Who receives, may take, is called or delegated to; or the stake account.
    to: String,
    /// Base units; of `withdraw_stake` what comes back, once it is signed.
    amount_base: String,
    /// The seed of the stake account, derived from it and the wallet.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    /// The stake account's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    stake_account: Option<String>,
    /// Of a call: the function, as Solidity names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    /// Of a call: its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
    /// Of a call of a program: its data as `0x` and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Of a call of a program: its accounts, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<String>>,
    /// All transfers in order, of a payment that makes several in one transaction; the first one is told
    /// above as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transfers: Vec<TransferView>,
    /// The text that it writes to the chain's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<String>,
    /// Worst-case fee, base units of the native asset; while it waits, the most that it may be.
    fee_max_base: String,
    /// What the chain took, as a node tells; once confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_paid_base: Option<String>,
    /// INSTANT, NOTIFY, DELAY or APPROVAL.
    tier: String,
    /// `owner` while it waits for its owners' signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'static str>,
    /// From when on it may be signed (RFC 3339), while it waits: an estimate, because the delay runs on the
    /// signer's own clock; of an approved one the moment of the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_at: Option<String>,
    /// When its wait ends for good, at the latest (RFC 3339); while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Where to ask what becomes of it, as long as something may: the answer is kept back until it has ended, 60
    /// seconds at most. Absent once it has ended; `status` and `detail` say how.
    #[serde(skip_serializing_if = "Option::is_none")]
    follow: Option<String>,
    /// Whether the gateway sends it.
    submit: bool,
    /// The chain's own name for it.
    chain_transaction: Option<String>,
    /// The request's `commitment`, once the transaction stands that deep on its chain; `status` is recorded by the
    /// gateway's own measure and may say less.
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<&'static str>,
    /// Slot or block number; once confirmed or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// The nonce that the signer issued, on an EVM chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    /// The earlier payment that it replaces. On Solana both were charged, for both may land; on an EVM chain
    /// they have the same nonce, of which one lands.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    /// The payment that takes its place: its bytes are not given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
    /// Whether it does nothing but use up the nonce of the payment that it replaces.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cancels: bool,
    /// Whether it was sent a while ago and no block has taken it; `detail` says why, as a node tells.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stuck: bool,
    /// `nodes_contradict`: the network's nodes tell of ends that cannot all be true, and none of them counts until they
    /// agree. Paying again may pay twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    attention: Option<&'static str>,
    /// Why it ended as it did, is not signed yet, is stuck, or needs attention.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// When it was charged; while it waits, when it was accepted (RFC 3339).
    created_at: String,
    /// When its status last changed (RFC 3339).
    updated_at: String,
    /// Number of the event in the signer's log that charged it; while it waits, of the one that let it.
    sequence: u64,
}

/// One transfer of several.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TransferView {
    /// What moves (CAIP-19).
    asset: String,
    /// Who receives.
    to: String,
    /// Base units.
    amount_base: String,
}

impl From<&Transfer> for TransferView {
    fn from(transfer: &Transfer) -> Self {
        Self {
            asset: transfer.asset.to_string(),
            to: transfer.to.to_string(),
            amount_base: transfer.amount.to_string(),
        }
    }
}

impl TransactionView {
    /// The same, standing that deep.
    pub(super) fn standing(self, commitment: Option<&'static str>) -> Self {
        Self { commitment, ..self }
    }
}

/// Of what was signed and is not sent from here nothing more is told.
fn follow(payment: &Payment) -> Option<String> {
    let status = payment.progress.status;
    let told_of = payment.facts.submit || status == Status::Queued;
    (told_of && !status.is_final())
        .then(|| format!("/v1/transactions/{}?wait=60", payment.facts.id))
}

impl From<&Payment> for TransactionView {
    fn from(payment: &Payment) -> Self {
        let Payment { facts, progress } = payment;
        let waiting = progress
            .waiting
            .filter(|_| progress.status == Status::Queued);
        Self {
            transaction: facts.id.to_string(),
            status: progress.status.name().to_owned(),
            wallet: facts.wallet.to_string(),
            network: facts.chain.to_string(),
            action: facts.action.as_str(),
            asset: facts.asset.to_string(),
            to: facts.to.to_string(),
            amount_base: facts.amount.to_string(),
            seed: facts.stake.as_ref().map(|stake| stake.seed().to_string()),
            stake_account: facts
                .stake
                .as_ref()
                .map(|stake| stake.address().to_string()),
            function: facts.call.as_ref().map(|told| told.function.to_string()),
            args: facts.call.as_ref().map(|told| told.shown()),
            data: facts
                .program
                .as_ref()
                .map(|told| format!("0x{}", hex::encode(&told.data))),
            accounts: facts
                .program
                .as_ref()
                .map(|told| told.accounts.iter().map(ToString::to_string).collect()),
            transfers: match facts.more.as_slice() {
                [] => Vec::new(),
                _ => facts.claim().transfers().map(TransferView::from).collect(),
            },
            memo: facts.memo.as_ref().map(ToString::to_string),
            fee_max_base: facts.fee_max.to_string(),
            fee_paid_base: progress.fee_paid.map(|fee| fee.to_string()),
            tier: facts.tier.as_str().to_owned(),
            waits_for: waiting
                .filter(|waiting| waiting.ready.is_none())
                .map(|_| "owner"),
            ready_at: waiting.and_then(|waiting| waiting.ready).map(rfc3339),
            expires_at: waiting.map(|waiting| rfc3339(waiting.expires)),
            follow: follow(payment),
            submit: facts.submit,
            chain_transaction: progress.chain_transaction.map(|name| name.to_string()),
            commitment: None,
            position: progress.position,
            nonce: facts.nonce,
            replaces: facts.replaces.map(|earlier| earlier.to_string()),
            replaced_by: progress.replaced_by.map(|later| later.to_string()),
            cancels: payment.is_cancellation(),
            stuck: payment.is_stuck(),
            attention: payment.is_disputed().then_some(NODES_CONTRADICT),
            detail: progress.detail.as_ref().map(ChainText::to_string),
            created_at: rfc3339(facts.created),
            updated_at: rfc3339(progress.updated),
            sequence: facts.sequence,
        }
    }
}
