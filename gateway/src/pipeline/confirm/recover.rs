//! What a crash or a lost `gateway.db` took away, found again: a payment's bytes, which only the signer
//! has, and until when the chain accepts them. Called by the stage that follows payments.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::time::{sleep, timeout};
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::{Code, Next};
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::status::Status;

use super::{RETRY_FIRST, RETRY_LAST, advance};
use crate::app::App;
use crate::chain::{ChainText, Offer, Validity};
use crate::chain_port::ChainPort;
use crate::database::Durability;
use crate::payment::Payment;
use crate::pipeline::{Refusal, vary};
use crate::projection::store::{self, Change};
use crate::signer_client::SignerError;

/// No Solana slot is shorter. A bound for the age of a blockhash whose own slot was not kept.
const SLOT_SHORTEST_MILLIS: u64 = 200;
/// Slots of slack in the same bound.
const SLOT_SLACK: u64 = 512;

/// The bytes are the one thing that only the signer has.
pub(super) async fn obtain(app: &Arc<App>, payment: &mut Payment) -> ControlFlow<(), Vec<u8>> {
    let mut pause = RETRY_FIRST;
    let mut changes = app.tracker.signer_changes();
    loop {
        match app.signer.signed_transaction(payment.facts.id).await {
            Ok(signed) => match signed.chain_transaction.parse() {
                Ok(name) => {
                    payment.progress.chain_transaction = Some(name);
                    return ControlFlow::Continue(signed.raw);
                }
                Err(_) => tracing::error!("the signer names a transaction in an unknown form"),
            },
            Err(SignerError::Denied(denial)) => {
                let code = denial.violations().first().map(|broken| broken.code);
                if let Some(code) = code.filter(|code| never_passes(*code))
                    && never_left(app, payment)
                    && closes(app, payment, code).await
                {
                    let detail = Some(ChainText::new(code.message()));
                    let change = Change {
                        detail,
                        ..Change::default()
                    };
                    if advance(app, payment, Status::Cancelled, change)
                        .await
                        .is_ok()
                    {
                        return ControlFlow::Break(());
                    }
                }
            }
            Err(error) => tracing::debug!(%error, transaction = %payment.facts.id, "no bytes yet"),
        }
        let _ = timeout(pause, changes.changed()).await;
        pause = pause.saturating_mul(2).min(RETRY_LAST);
    }
}

/// Whether nothing keeps a payment open whose bytes will never leave: on an EVM chain its nonce is used up
/// by something else, or is cancelled now.
async fn closes(app: &Arc<App>, payment: &Payment, code: Code) -> bool {
    match payment.facts.chain {
        ChainId::Evm(_) if code != Code::PaymentReplaced => {
            vary::close_nonce(Arc::clone(app), payment.clone()).await
        }
        _ => true,
    }
}

/// Whether the signer's refusal of bytes is for good: no unlocking, resuming or waiting changes it.
fn never_passes(code: Code) -> bool {
    let by_state = [
        Code::Locked,
        Code::NotInitialized,
        Code::Frozen,
        Code::WalletPaused,
        Code::ClockClosed,
        Code::TransactionUnknown,
    ];
    !by_state.contains(&code) && code.next() != Next::Wait
}

/// Whether it is certain that the bytes were never sent: `gateway.db` has known the payment from the
/// start, and a name is written before anything leaves.
fn never_left(app: &App, payment: &Payment) -> bool {
    payment.progress.chain_transaction.is_none()
        && payment.progress.status == Status::Executing
        && app.has_always_known(payment.facts.sequence)
}

/// The bytes for another sending, if the signer gives them now. Kill and pause hold them back.
pub(super) async fn again(app: &App, payment: &Payment) -> Option<Vec<u8>> {
    let signed = app.signer.signed_transaction(payment.facts.id).await.ok()?;
    Some(signed.raw)
}

/// Until when the chain accepts the payment. Where that was lost with `gateway.db`, a bound that is
/// certainly later, so that nothing counts as expired too early.
pub(super) async fn validity(app: &App, chain: &dyn ChainPort, payment: &mut Payment) -> Validity {
    let mut pause = RETRY_FIRST;
    loop {
        if let Some(known) = payment.progress.validity {
            return known;
        }
        match latest_validity(app, chain, payment).await {
            Ok(bound) => {
                payment.progress.validity = Some(bound);
                let stored = payment.clone();
                let put = move |connection: &rusqlite::Connection| store::put(connection, &stored);
                // If it is not stored it is found out again.
                let _ = app.database.run(Durability::Process, put).await;
            }
            Err(error) => {
                tracing::debug!(%error, "the validity of a payment is not known yet");
                sleep(pause).await;
                pause = pause.saturating_mul(2).min(RETRY_LAST);
            }
        }
    }
}

async fn latest_validity(
    app: &App,
    chain: &dyn ChainPort,
    payment: &Payment,
) -> Result<Validity, Refusal> {
    if matches!(payment.facts.chain, ChainId::Evm(_)) {
        return Ok(Validity::Unlimited);
    }
    let wallet = app.views.wallet(&*app.signer, payment.facts.wallet).await?;
    let from = wallet.ok_or(Code::WalletUnknown)?.account;
    // A blockhash of now is younger than the payment's own, whatever moves under it.
    let any = Transfer {
        action: Action::Transfer,
        asset: payment.facts.chain.native_asset(),
        to: payment.facts.to,
        amount: payment.facts.amount,
        mint: None,
        call: None,
        stake: None,
        program: None,
    };
    match chain
        .prepare_transfer(from, &any, Offer::default(), NetworkTerms::default())
        .await?
        .validity
    {
        Validity::Unlimited => Ok(Validity::Unlimited),
        Validity::UntilBlockHeight {
            last_valid,
            fetched_at_slot,
        } => {
            let age = app.clock.now().since(payment.facts.created).millis();
            let slots = (age / SLOT_SHORTEST_MILLIS).saturating_add(SLOT_SLACK);
            let fetched_at_slot = fetched_at_slot.saturating_sub(slots);
            Ok(Validity::UntilBlockHeight {
                last_valid,
                fetched_at_slot,
            })
        }
    }
}
