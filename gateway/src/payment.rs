//! One payment as the gateway knows it: the facts that the signer committed and where it stands. Made
//! from the signer's log (the projection) or, a moment earlier, from a signed answer (the pipeline).

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::digest::Digest;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::Spend;
use waiaas_shared::ids::{SessionId, TransactionId, WalletId};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::status::Status;
use waiaas_shared::time::WallTime;

use crate::chain::{ChainText, ChainTransactionId, Validity};

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// What the signer committed.
    pub facts: Facts,
    /// Where it stands.
    pub progress: Progress,
}

/// What the signer committed; never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name everywhere.
    pub id: TransactionId,
    /// The event that charged it.
    pub sequence: u64,
    /// Under which session; none for an owner's withdrawal.
    pub session: Option<SessionId>,
    /// Which wallet pays.
    pub wallet: WalletId,
    /// On which chain.
    pub chain: ChainId,
    /// What moves.
    pub asset: AssetId,
    /// Who receives.
    pub to: Account,
    /// Base units.
    pub amount: Amount,
    /// Worst-case fee in base units of the native asset.
    pub fee_max: Amount,
    /// How it was released.
    pub tier: Tier,
    /// Whether the gateway sends it.
    pub submit: bool,
    /// The nonce that the signer issued, once the log has told it.
    pub nonce: Option<u64>,
    /// Digest of who owns the idempotency key and of the key.
    pub idempotency: Digest,
    /// Digest of the request's body.
    pub body: Digest,
    /// When it was charged.
    pub created: WallTime,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its status.
    pub status: Status,
    /// The chain's own name for it, once signed bytes were seen.
    pub chain_transaction: Option<ChainTransactionId>,
    /// Until when the chain accepts it, once known.
    pub validity: Option<Validity>,
    /// Slot or block number.
    pub position: Option<u64>,
    /// What the chain took, as a node tells.
    pub fee_paid: Option<Amount>,
    /// Why it ended as it did, in plain words.
    pub detail: Option<ChainText>,
    /// When the status last changed.
    pub updated: WallTime,
}

impl Payment {
    /// A committed payment as its event tells it; nothing if the event names no transfer.
    #[must_use]
    pub fn of_spend(spend: &Spend, sequence: u64, at: WallTime) -> Option<Self> {
        let (asset, to, amount) = spend.effects.iter().find_map(|effect| match effect {
            Effect::Transfer { asset, to, amount } => Some((*asset, *to, *amount)),
            _ => None,
        })?;
        let fee_max = spend.effects.iter().find_map(|effect| match effect {
            Effect::Fee { max, .. } => Some(*max),
            _ => None,
        });
        Some(Self {
            facts: Facts {
                id: spend.transaction,
                sequence,
                session: spend.session,
                wallet: spend.wallet,
                chain: spend.chain,
                asset,
                to,
                amount,
                fee_max: fee_max.unwrap_or_default(),
                tier: spend.tier,
                submit: spend.submit,
                nonce: spend.nonce,
                idempotency: spend.idempotency,
                body: spend.body,
                created: at,
            },
            progress: Progress {
                // Bytes that the gateway does not send were handed to whoever asked.
                status: if spend.submit {
                    Status::Executing
                } else {
                    Status::Submitted
                },
                chain_transaction: None,
                validity: None,
                position: None,
                fee_paid: None,
                detail: None,
                updated: at,
            },
        })
    }
}
