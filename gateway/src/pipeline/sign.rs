//! Stage 5, sign: the chain adapter builds the bytes under the fee ceiling, a node tries them if the
//! gateway is to send them, and the signer charges and signs, or lets the payment wait. Nothing here
//! holds a key.

use std::sync::Arc;

use waiaas_client::Paid;
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::claim::Claim;
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::{IntentView, Moved};
use waiaas_shared::request::{Action, Speed};
use waiaas_shared::solana::SolanaError;
use waiaas_shared::status::Status;
use waiaas_shared::time::Millis;
use waiaas_shared::transaction::{DecodeError, Known, decode};

use super::evaluate::{Evaluated, spend_request};
use super::{Asked, Refusal, body_digest, brought, find, idempotency, recorded, waiting};
use crate::app::App;
use crate::chain::{ChainError, ChainTransactionId, Offer, Prepared};
use crate::database::Durability;
use crate::payment::{Facts, OwnSignature, Payment, Progress};
use crate::projection::speeds;
use crate::signer_client::SignerError;

/// A payment that the signer committed, with its signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPayment {
    /// What was committed.
    pub payment: Payment,
    /// The signed bytes.
    pub raw: Vec<u8>,
    /// Whether these are the bytes of an earlier payment.
    pub replay: bool,
}

/// What the signer made of a request that it did not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// It is signed.
    Now(SignedPayment),
    /// It waits.
    Later {
        /// What waits.
        payment: Payment,
        /// Whether it did already, by an earlier request.
        replay: bool,
    },
}

/// The bytes to be signed: those that the agent brings, or built. A node tries them if the gateway sends them.
///
/// # Errors
/// As [`build`].
pub async fn prepare(
    app: &App,
    asked: &Asked,
    evaluated: &Evaluated,
    submit: bool,
) -> Result<Prepared, Refusal> {
    match &asked.body.brought {
        Some(brought) => brought::prepare(app, asked, brought, evaluated, submit).await,
        None => {
            let terms = (evaluated.offer(asked), evaluated.network);
            build(app, evaluated.from, &evaluated.claim, terms, submit).await
        }
    }
}

/// Builds the bytes to be signed, with fresh fees (and blockhash), and lets a node try them.
///
/// Bytes that the agent sends itself are not tried: whoever sends them learns the same from the
/// node, and signing alone needs no node's word.
///
/// # Errors
/// [`Refusal::Chain`], [`Refusal::ChainNotConfigured`]; [`Code::BatchTooLarge`] for more than one transaction
/// carries.
pub async fn build(
    app: &App,
    from: Account,
    claim: &Claim,
    (offer, network): (Offer, NetworkTerms),
    submit: bool,
) -> Result<Prepared, Refusal> {
    let chain = app.chain(claim.chain())?;
    let prepared = match claim.single() {
        Some(transfer) => chain.prepare_transfer(from, transfer, offer, network).await,
        None => chain.prepare_batch(from, claim, offer).await,
    };
    let prepared = prepared.map_err(|error| match error {
        ChainError::Unbuildable(DecodeError::Solana(SolanaError::TooLarge)) => {
            Refusal::from(Code::BatchTooLarge)
        }
        other => other.into(),
    })?;
    if submit {
        tried(app, from, claim, network, &prepared).await?;
    }
    Ok(prepared)
}

/// Lets a node try the bytes, without keeping what they do. Refuses early what the chain would refuse; decides
/// nothing about policy.
///
/// # Errors
/// [`Refusal::Chain`], [`Refusal::ChainNotConfigured`].
pub async fn tried(
    app: &App,
    from: Account,
    claim: &Claim,
    network: NetworkTerms,
    prepared: &Prepared,
) -> Result<(), Refusal> {
    let function = claim.function();
    let known = Known::NOTHING.calling(function.as_ref()).on(network);
    let chain = app.chain(claim.chain())?;
    Ok(chain.simulate(&prepared.unsigned, from, known).await?)
}

/// Has the signer charge and sign, or let the payment wait.
///
/// # Errors
/// [`Refusal`]. After an interrupted call the payment may have been committed: the feed tells, and the
/// same idempotency key gives the same payment.
pub async fn sign(
    app: &Arc<App>,
    asked: &Asked,
    evaluated: &Evaluated,
    prepared: Prepared,
) -> Result<Signed, Refusal> {
    let request = spend_request(asked, prepared.unsigned.clone());
    match app.signer.sign(request).await? {
        Paid::Signed(signed) => charged(app, asked, evaluated, prepared, signed)
            .await
            .map(Signed::Now),
        Paid::Waiting { view, opened: 0 } => {
            // What was brought is old by now: bytes of the same effect are built.
            let prepared = asked.body.brought.is_none().then_some(prepared);
            waits_already(app, &view, prepared).await
        }
        Paid::Waiting { view, opened } => {
            keep_speed(app, view.intent.transaction, asked.body.speed).await;
            Ok(Signed::Later {
                payment: Payment::of_intent(&view.intent, opened, view.now),
                replay: false,
            })
        }
    }
}

/// Remembers how soon a payment should land whose bytes are built later.
async fn keep_speed(app: &App, id: TransactionId, speed: Speed) {
    if speed == Speed::default() {
        return;
    }
    let put = move |connection: &rusqlite::Connection| speeds::put(connection, id, speed);
    // If it is lost, it goes as most do; the error is logged where it happened.
    let _ = app.database.run(Durability::Process, put).await;
}

/// The same request again while its payment waits. If it waits no longer and the agent itself sends the
/// bytes, this is when they are made.
async fn waits_already(
    app: &App,
    view: &IntentView,
    prepared: Option<Prepared>,
) -> Result<Signed, Refusal> {
    let id = view.intent.transaction;
    let payment = find(app, id).await?.ok_or(Refusal::Behind)?;
    let over = view.ready_in() == Some(Millis::default());
    if payment.facts.submit || !over || !app.tracker.claim(id) {
        return Ok(Signed::Later {
            payment,
            replay: true,
        });
    }
    let released = waiting::release(app, &payment, prepared).await;
    app.tracker.release(id);
    // To the agent it is the earlier payment of its key, whose bytes it gets for the first time.
    released.map(|signed| {
        Signed::Now(SignedPayment {
            replay: true,
            ..signed
        })
    })
}

async fn charged(
    app: &App,
    asked: &Asked,
    evaluated: &Evaluated,
    prepared: Prepared,
    signed: waiaas_client::SignedPayment,
) -> Result<SignedPayment, Refusal> {
    let mut signed = signed;
    let names = match &asked.body.brought {
        Some(brought) => brought::join(brought, evaluated.from, &mut signed)?,
        None => Names::of(&signed)?,
    };
    if signed.replay {
        // The bytes are those of the earlier request: so are fee, validity and status.
        let mut payment = recorded(app, signed.transaction, signed.sequence).await?;
        names.put(&mut payment.progress);
        return Ok(SignedPayment {
            payment,
            raw: signed.raw,
            replay: true,
        });
    }
    let now = app.clock.now();
    let first = evaluated.claim.first();
    let mut payment = Payment {
        facts: Facts {
            id: signed.transaction,
            sequence: signed.sequence,
            listed: signed.sequence,
            session: Some(asked.session.id),
            wallet: asked.body.wallet,
            chain: asked.body.network,
            action: first.action,
            asset: first.asset,
            to: first.to,
            amount: amount(evaluated, &prepared),
            call: first.call.clone(),
            more: evaluated.claim.more().iter().map(Moved::from).collect(),
            memo: evaluated.claim.memo().cloned(),
            stake: first.stake.clone(),
            program: first.program.clone(),
            fee_max: prepared.fee_max,
            tier: signed.tier,
            submit: asked.body.submit,
            nonce: None,
            idempotency: idempotency(&asked.session, &asked.agent.idempotency_key),
            body: body_digest(&asked.agent.body),
            replaces: asked.body.replaces,
            created: now,
        },
        progress: Progress {
            status: if asked.body.submit {
                Status::Executing
            } else {
                Status::Submitted
            },
            waiting: None,
            chain_transaction: None,
            own_signature: None,
            validity: Some(prepared.validity),
            position: None,
            fee_paid: None,
            detail: None,
            replaced_by: None,
            updated: now,
        },
    };
    names.put(&mut payment.progress);
    Ok(SignedPayment {
        payment,
        raw: signed.raw,
        replay: false,
    })
}

/// By what signed bytes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names {
    /// What the chain calls them, if that is known.
    pub(super) name: Option<ChainTransactionId>,
    /// The wallet's own signature, where somebody else's names them.
    pub(super) own_signature: Option<OwnSignature>,
}

impl Names {
    /// What the signer alone has signed.
    pub(super) fn of(signed: &waiaas_client::SignedPayment) -> Result<Self, Refusal> {
        Ok(Self {
            name: Some(named(signed)?),
            own_signature: None,
        })
    }

    const fn put(self, progress: &mut Progress) {
        progress.chain_transaction = self.name;
        progress.own_signature = self.own_signature;
    }
}

/// What the chain calls it, as the signer tells.
pub(super) fn named(signed: &waiaas_client::SignedPayment) -> Result<ChainTransactionId, Refusal> {
    let name = signed.chain_transaction.parse();
    Ok(name.map_err(|_| SignerError::Version)?)
}

/// What a payment moves. How much comes back out of a stake account stands in the bytes alone.
fn amount(evaluated: &Evaluated, prepared: &Prepared) -> Amount {
    let first = evaluated.claim.first();
    if first.action != Action::WithdrawStake {
        return first.amount;
    }
    let known = Known::NOTHING.staking(first.seed());
    let chain = evaluated.claim.chain();
    let read = decode(chain, evaluated.from, &prepared.unsigned, known);
    let effects = read.iter().flat_map(|transaction| transaction.effects());
    effects.map(Effect::returned).max().unwrap_or_default()
}
