//! One payment as the gateway knows it: the facts that the signer committed and where it stands. Made
//! from the signer's log (the projection) or, a moment earlier, from the signer's answer (the pipeline).

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::claim::Claim;
use waiaas_shared::digest::Digest;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Spend, Variant};
use waiaas_shared::evm::abi::Invocation;
use waiaas_shared::ids::{SessionId, TransactionId, WalletId};
use waiaas_shared::intent::{Intent, Moved, Wait};
use waiaas_shared::memo::Memo;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana::{ProgramCall, StakeAccount, Staking};
use waiaas_shared::status::Status;
use waiaas_shared::time::{Clocks, WallTime};

use crate::chain::{ChainText, ChainTransactionId, Validity};

/// What a payment says about whose end the nodes contradict each other.
pub const DISPUTED: &str = "The network's nodes contradict each other about what became of it: it stays open until they agree. Tell the owner, and do not pay again.";

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// What the signer committed.
    pub facts: Facts,
    /// Where it stands.
    pub progress: Progress,
}

/// What the signer committed. Changes once, when a payment that waited is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name everywhere.
    pub id: TransactionId,
    /// The event that charged it; while it waits, the one that opened it.
    pub sequence: u64,
    /// The first event that told of it: its place in lists, which never changes.
    pub listed: u64,
    /// Under which session; none for an owner's withdrawal.
    pub session: Option<SessionId>,
    /// Which wallet pays.
    pub wallet: WalletId,
    /// On which chain.
    pub chain: ChainId,
    /// Whether it moves, may be taken, goes with a call, or into or out of a stake.
    pub action: Action,
    /// What moves, or may be taken.
    pub asset: AssetId,
    /// Who receives, may take, or is delegated to; of a stake that is there: its account.
    pub to: Account,
    /// Base units. Of what comes back out of a stake: known once it is signed.
    pub amount: Amount,
    /// What the contract is told, of a call: `to` is called, and the amount goes with it.
    pub call: Option<Box<Invocation>>,
    /// Transfers behind this one, in order, of a payment that makes several.
    pub more: Vec<Moved>,
    /// What it writes to the chain's log.
    pub memo: Option<Memo>,
    /// The stake account with which something is done.
    pub stake: Option<StakeAccount>,
    /// What the program is told, of a call of one: `to` is called, and the amount leaves at worst.
    pub program: Option<Box<ProgramCall>>,
    /// Worst-case fee in base units of the native asset; while it waits, the ceiling for it.
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
    /// The earlier payment that it replaces, if any.
    pub replaces: Option<TransactionId>,
    /// When it was charged; while it waits, when it was accepted.
    pub created: WallTime,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its status.
    pub status: Status,
    /// Until when it waits, of a payment that had to.
    pub waiting: Option<Waiting>,
    /// The chain's own name for it, once signed bytes were seen.
    pub chain_transaction: Option<ChainTransactionId>,
    /// Solana: the wallet's own signature, where somebody else pays the fee: the chain names such a transaction by that
    /// one's, of which there may be several.
    pub own_signature: Option<OwnSignature>,
    /// Until when the chain accepts it, once known.
    pub validity: Option<Validity>,
    /// Slot or block number.
    pub position: Option<u64>,
    /// What the chain took, as a node tells.
    pub fee_paid: Option<Amount>,
    /// Why it ended as it did, or is not signed yet, in plain words.
    pub detail: Option<ChainText>,
    /// The payment that takes its place: one that names it and waits or was signed.
    pub replaced_by: Option<TransactionId>,
    /// When the status last changed.
    pub updated: WallTime,
}

/// The wallet's signature of a transaction that another account's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSignature {
    /// The signature.
    pub id: ChainTransactionId,
    /// The account that made it: after a rotation the wallet has another.
    pub signer: SolanaAddress,
}

/// Until when a payment waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// From when on it may be signed: an estimate, because the delay runs on the signer's own clock; of
    /// an approved payment the moment of the approval. None while it waits for its owners.
    pub ready: Option<WallTime>,
    /// When it ends, at the latest, unless it was signed.
    pub expires: WallTime,
}

impl Facts {
    /// All that is done, as a request asks for it; how mints are registered stands in the policy.
    #[must_use]
    pub fn claim(&self) -> Claim {
        let more = self.more.iter().map(Moved::transfer).collect();
        Claim::new(self.transfer(), more, self.memo.clone())
    }

    /// The first, or only, thing that is done, as a request asks for it; how a mint is registered stands in the policy.
    #[must_use]
    pub fn transfer(&self) -> Transfer {
        Transfer {
            action: self.action,
            asset: self.asset,
            to: self.to,
            amount: self.amount,
            mint: None,
            call: self.call.clone(),
            stake: self.stake.clone(),
            program: self.program.clone(),
        }
    }
}

impl Payment {
    /// Whether it does nothing but use its nonce up: a payment moves something.
    #[must_use]
    pub fn is_cancellation(&self) -> bool {
        matches!(self.facts.chain, ChainId::Evm(_))
            && self.facts.replaces.is_some()
            && self.facts.action == Action::Transfer
            && self.facts.amount == Amount::ZERO
    }

    /// Whether it has left and something holds it up.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.progress.status == Status::Submitted
            && self.progress.detail.is_some()
            && !self.is_disputed()
    }

    /// Whether it has left and the nodes contradict each other about what became of it.
    #[must_use]
    pub fn is_disputed(&self) -> bool {
        let said = self.progress.detail.as_ref().map(ChainText::as_str);
        self.progress.status == Status::Submitted && said == Some(DISPUTED)
    }

    /// One more transaction for an issued nonce, as its event tells it.
    #[must_use]
    pub fn of_variant(
        spend: &Spend,
        variant: &Variant,
        sequence: u64,
        at: WallTime,
    ) -> Option<Self> {
        let mut payment = Self::of_spend(spend, sequence, at)?;
        payment.facts.replaces = Some(variant.of);
        Some(payment)
    }

    /// A payment that waits, as the signer tells at these clocks.
    #[must_use]
    pub fn of_intent(intent: &Intent, sequence: u64, at: Clocks) -> Self {
        Self {
            facts: Facts {
                id: intent.transaction,
                sequence,
                listed: sequence,
                session: Some(intent.session),
                wallet: intent.wallet,
                chain: intent.asset.chain(),
                action: intent.action(),
                asset: intent.asset,
                to: intent.to,
                amount: intent.amount,
                call: intent.call.clone(),
                more: intent.more.clone().unwrap_or_default(),
                memo: intent.memo.clone(),
                stake: intent.stake.clone(),
                program: intent.program.clone(),
                fee_max: intent.fee_ceiling,
                tier: intent.tier(),
                submit: intent.submit,
                nonce: None,
                idempotency: intent.idempotency,
                body: intent.body,
                replaces: intent.replaces.map(|earlier| earlier.transaction),
                created: at.wall,
            },
            progress: Progress {
                status: Status::Queued,
                waiting: Some(Waiting {
                    ready: match intent.wait {
                        Wait::Delay { ready } => Some(at.wall.after(ready.since(at.run))),
                        Wait::Approval { .. } => None,
                    },
                    expires: intent.expires,
                }),
                chain_transaction: None,
                own_signature: None,
                validity: None,
                position: None,
                fee_paid: None,
                detail: None,
                replaced_by: None,
                updated: at.wall,
            },
        }
    }

    /// A committed payment as its event tells it; nothing if the event names no transfer, approval, call or
    /// stake.
    #[must_use]
    pub fn of_spend(spend: &Spend, sequence: u64, at: WallTime) -> Option<Self> {
        let mut paid = spend.effects.iter().filter_map(|effect| match effect {
            Effect::Transfer { asset, to, amount } => {
                Some(((Action::Transfer, *asset, *to, *amount), None))
            }
            Effect::Approval {
                asset,
                spender,
                amount,
            } => Some(((Action::Approve, *asset, *spender, *amount), None)),
            Effect::Call {
                target,
                asset,
                value,
                told: Some(told),
                ..
            } => Some(((Action::Call, *asset, *target, *value), Some(told.clone()))),
            Effect::Program { asset, value, told } => {
                let program = Account::Solana(told.method.program);
                Some(((Action::Call, *asset, program, *value), None))
            }
            Effect::Stake {
                asset,
                account,
                staking,
            } => {
                let own = Account::Solana(account.address());
                let done = match *staking {
                    Staking::Delegate { validator, amount } => {
                        (Action::Stake, *asset, Account::Solana(validator), amount)
                    }
                    Staking::Deactivate => (Action::Unstake, *asset, own, Amount::ZERO),
                    Staking::Withdraw { amount } => (Action::WithdrawStake, *asset, own, amount),
                };
                Some((done, None))
            }
            _ => None,
        });
        let (done, call) = paid.next()?;
        let (action, asset, to, amount) = done;
        let more = paid.map(|((_, asset, to, amount), _)| Moved { asset, to, amount });
        let more = more.collect();
        let stake = spend.effects.iter().find_map(|effect| match effect {
            Effect::Stake { account, .. } => Some(account.clone()),
            _ => None,
        });
        let program = spend.effects.iter().find_map(|effect| match effect {
            Effect::Program { told, .. } => Some(told.clone()),
            _ => None,
        });
        let fee_max = spend.effects.iter().find_map(|effect| match effect {
            Effect::Fee { max, .. } => Some(*max),
            _ => None,
        });
        Some(Self {
            facts: Facts {
                id: spend.transaction,
                sequence,
                listed: sequence,
                session: spend.session,
                wallet: spend.wallet,
                chain: spend.chain,
                action,
                asset,
                to,
                amount,
                call,
                more,
                memo: spend.memo.clone(),
                stake,
                program,
                fee_max: fee_max.unwrap_or_default(),
                tier: spend.tier,
                submit: spend.submit,
                nonce: spend.nonce,
                idempotency: spend.idempotency,
                body: spend.body,
                replaces: spend.replaces.map(|earlier| earlier.transaction),
                created: at,
            },
            progress: Progress {
                // Bytes that the gateway does not send were handed to whoever asked.
                status: if spend.submit {
                    Status::Executing
                } else {
                    Status::Submitted
                },
                waiting: None,
                chain_transaction: None,
                own_signature: None,
                validity: None,
                position: None,
                fee_paid: None,
                detail: None,
                replaced_by: None,
                updated: at,
            },
        })
    }
}
