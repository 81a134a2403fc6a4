//! Stage 5, sign: the chain adapter builds the bytes under the fee ceiling, a node tries them if the
//! gateway is to send them, and the signer charges and signs. Nothing here holds a key.

use std::sync::Arc;

use super::evaluate::{Evaluated, spend_request};
use super::{Asked, Refusal, body_digest, idempotency};
use crate::app::App;
use crate::chain::{ChainTransactionId, Prepared};
use crate::database::Durability;
use crate::payment::{Facts, Payment, Progress};
use crate::projection::store;
use crate::signer_client::SignerError;
use waiaas_shared::status::Status;

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

/// Builds the bytes to be signed, with fresh fees (and blockhash), and lets a node try them.
///
/// Bytes that the agent sends itself are not tried: whoever sends them learns the same from the
/// node, and signing alone needs no node's word.
///
/// # Errors
/// [`Refusal::Chain`], [`Refusal::ChainNotConfigured`].
pub async fn build(app: &App, evaluated: &Evaluated, submit: bool) -> Result<Prepared, Refusal> {
    let transfer = &evaluated.transfer;
    let chain = app.chain(transfer.asset.chain())?;
    let prepared = chain
        .prepare_transfer(
            evaluated.from,
            transfer.to,
            transfer.amount,
            Some(evaluated.fee_ceiling),
        )
        .await?;
    if submit {
        chain.simulate(&prepared.unsigned, evaluated.from).await?;
    }
    Ok(prepared)
}

/// Has the signer charge and sign.
///
/// # Errors
/// [`Refusal`]. After an interrupted call the payment may have been committed: the feed tells, and the
/// same idempotency key gives the same payment.
pub async fn sign(
    app: &Arc<App>,
    asked: &Asked,
    evaluated: &Evaluated,
    prepared: Prepared,
) -> Result<SignedPayment, Refusal> {
    let fresh_validity = prepared.validity;
    let signed = app
        .signer
        .sign(spend_request(asked, prepared.unsigned))
        .await?;
    let name: ChainTransactionId = signed
        .chain_transaction
        .parse()
        .map_err(|_| SignerError::Version)?;
    if signed.replay {
        // The bytes are those of the earlier request: so are fee, validity and status.
        let mut payment = recorded(app, &signed).await?;
        payment.progress.chain_transaction = Some(name);
        return Ok(SignedPayment {
            payment,
            raw: signed.raw,
            replay: true,
        });
    }
    let now = app.clock.now();
    let payment = Payment {
        facts: Facts {
            id: signed.transaction,
            sequence: signed.sequence,
            session: Some(asked.session.id),
            wallet: asked.body.wallet,
            chain: asked.body.network,
            asset: evaluated.transfer.asset,
            to: evaluated.transfer.to,
            amount: evaluated.transfer.amount,
            fee_max: prepared.fee_max,
            tier: signed.tier,
            submit: asked.body.submit,
            nonce: None,
            idempotency: idempotency(&asked.session, &asked.agent.idempotency_key),
            body: body_digest(&asked.agent.body),
            created: now,
        },
        progress: Progress {
            status: if asked.body.submit {
                Status::Executing
            } else {
                Status::Submitted
            },
            chain_transaction: Some(name),
            validity: Some(fresh_validity),
            position: None,
            fee_paid: None,
            detail: None,
            updated: now,
        },
    };
    Ok(SignedPayment {
        payment,
        raw: signed.raw,
        replay: false,
    })
}

/// The earlier payment as the projection has it, or will have in a moment.
async fn recorded(app: &App, signed: &waiaas_client::SignedPayment) -> Result<Payment, Refusal> {
    app.caught_up(signed.sequence).await?;
    let id = signed.transaction;
    let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
    app.database
        .run(Durability::Process, find)
        .await?
        .ok_or(Refusal::Behind)
}
