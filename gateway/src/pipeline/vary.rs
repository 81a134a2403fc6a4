//! One more transaction for the nonce of an EVM payment under way: the same payment with a higher fee, or
//! a cancellation that the signer builds itself. The signer decides; here are found the newest transaction
//! of the nonce, what its fees were by the signer's own log, and what the market asks. From there on it is
//! a payment of its own, sent and followed like any other; whichever of them lands ends the others.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::evm::{Form, NetworkTerms, Registered};
use waiaas_shared::policy::network::network_terms;
use waiaas_shared::request::Speed;
use waiaas_shared::status::Status;
use waiaas_shared::transaction::{DecodedTransaction, EvmFees, Known, decode, read_cancellation};

use super::sign::SignedPayment;
use super::{Paid, Refusal, confirm, evaluate, find, recorded};
use crate::app::App;
use crate::chain::{ChainError, Validity};
use crate::chain_port::ChainPort;
use crate::payment::Payment;
use crate::signer_client::SignerError;

/// No nonce has more transactions than this.
const FAMILY_LIMIT: usize = 64;

/// Signs the newest transaction of a payment's nonce again with a higher fee, and sends it.
///
/// # Errors
/// [`Refusal`].
pub async fn speed_up(app: &Arc<App>, payment: Payment) -> Result<Paid, Refusal> {
    spawned(app, payment, |app, newest| async move {
        if newest.is_cancellation() {
            return cancelled(&app, &newest).await;
        }
        let Newest {
            chain,
            from,
            fees: before,
            ceiling,
            network,
            ..
        } = known(&app, &newest).await?;
        let facts = &newest.facts;
        let transfer = facts.transfer();
        let function = transfer.function();
        let prepared = chain
            .prepare_transfer(from, &transfer, Some(ceiling).into(), network)
            .await?;
        let known = Known::NOTHING.calling(function.as_ref()).on(network);
        let fresh =
            decode(facts.chain, from, &prepared.unsigned, known).map_err(ChainError::from)?;
        let market = fresh.evm_fees().ok_or(Code::VariantUnsupported)?;
        let before = in_form(before, network.form());
        let fees = within(highest(before, market), ceiling, network)?;
        let raised = fresh.with_evm_fees(fees).map_err(ChainError::from)?;
        if facts.submit {
            chain.simulate(raised.bytes(), from, known).await?;
        }
        let signed = app
            .signer
            .replace_transaction(facts.id, raised.bytes().to_vec())
            .await?;
        released(&app, signed).await
    })
    .await
}

/// Has the signer cancel a payment on its nonce, and sends that. A cancellation that is under way already
/// is told again.
///
/// # Errors
/// [`Refusal`].
pub async fn cancel(app: &Arc<App>, payment: Payment) -> Result<Paid, Refusal> {
    spawned(app, payment, |app, newest| async move {
        if newest.is_cancellation() {
            return Ok(Paid {
                payment: newest,
                raw: None,
                replay: true,
            });
        }
        cancelled(&app, &newest).await
    })
    .await
}

/// The same for whoever follows a payment whose bytes never left and never will: its nonce must not stay
/// open, or it would hold up everything behind it. Says whether it is closed.
pub(super) fn close_nonce(app: Arc<App>, payment: Payment) -> BoxFuture<'static, bool> {
    Box::pin(async move {
        let id = payment.facts.id;
        match cancelled(&app, &payment).await {
            Ok(_) => true,
            Err(refusal) => {
                tracing::warn!(transaction = %id, %refusal, "its nonce is still open");
                false
            }
        }
    })
}

/// Whether a payment can still be sped up or cancelled on its nonce.
#[must_use]
pub fn is_open(payment: &Payment) -> bool {
    let under_way = matches!(
        payment.progress.status,
        Status::Executing | Status::Submitted
    );
    under_way && matches!(payment.facts.chain, ChainId::Evm(_)) && payment.facts.session.is_some()
}

/// Finds the newest transaction of the nonce and carries on with it, whether or not the client waits.
async fn spawned<F>(
    app: &Arc<App>,
    payment: Payment,
    then: impl FnOnce(Arc<App>, Payment) -> F + Send + 'static,
) -> Result<Paid, Refusal>
where
    F: Future<Output = Result<Paid, Refusal>> + Send + 'static,
{
    app.require_sound_log()?;
    let app = Arc::clone(app);
    let rest = async move {
        let newest = newest(&app, payment).await?;
        then(app, newest).await
    };
    tokio::spawn(rest).await.map_err(|_| Refusal::Internal)?
}

async fn newest(app: &App, payment: Payment) -> Result<Payment, Refusal> {
    let mut newest = payment;
    for _ in 0..FAMILY_LIMIT {
        let Some(later) = newest.progress.replaced_by else {
            break;
        };
        newest = find(app, later).await?.ok_or(Refusal::Behind)?;
    }
    Ok(newest)
}

async fn cancelled(app: &Arc<App>, newest: &Payment) -> Result<Paid, Refusal> {
    let Newest {
        chain,
        from,
        fees: before,
        form,
        ceiling,
        network,
    } = known(app, newest).await?;
    // The signer cancels in the form of what it cancels.
    let market = chain.fee_market(form).await?;
    let market = market.ok_or(Code::VariantUnsupported)?.usual(Speed::Normal);
    let usual = EvmFees {
        gas_limit: chain.cancellation_gas(from).await?,
        max_fee_per_gas: market.max_fee,
        max_priority_fee_per_gas: market.tip,
    };
    let least = EvmFees {
        gas_limit: usual.gas_limit,
        ..before.least_above()
    };
    let fees = within(highest(least, usual), ceiling, network)
        .or_else(|_| within(least, ceiling, network))?;
    let signed = app.signer.cancel_transaction(newest.facts.id, fees).await?;
    released(app, signed).await
}

/// The newest transaction of a nonce, and what the next one keeps to.
struct Newest {
    chain: Arc<dyn ChainPort>,
    from: Account,
    fees: EvmFees,
    form: Form,
    /// The most that the next one may cost.
    ceiling: Amount,
    network: NetworkTerms,
}

async fn known(app: &Arc<App>, newest: &Payment) -> Result<Newest, Refusal> {
    let facts = &newest.facts;
    let chain = app.chain(facts.chain)?;
    let wallet = app.views.wallet(&*app.signer, facts.wallet).await?;
    let from = wallet.ok_or(Code::WalletUnknown)?.account;
    let documents = app.views.policy(&*app.signer).await?;
    let ceiling = evaluate::fee_ceiling(&documents, facts.chain).min(chain.max_fee());
    let (fees, form) = fees(app, newest, from).await?;
    Ok(Newest {
        chain,
        from,
        fees,
        form,
        ceiling,
        network: network_terms(&documents[..], facts.chain),
    })
}

/// What the newest transaction pays, and in which form, as the signer's log has its bytes.
pub(super) async fn fees(
    app: &App,
    payment: &Payment,
    from: Account,
) -> Result<(EvmFees, Form), Refusal> {
    let transaction = logged(app, payment, from).await?;
    let both = transaction.evm_fees().zip(transaction.evm_form());
    Ok(both.ok_or(Code::VariantUnsupported)?)
}

async fn logged(
    app: &App,
    payment: &Payment,
    from: Account,
) -> Result<DecodedTransaction, Refusal> {
    let sequence = payment.facts.sequence;
    let page = app
        .signer
        .events(sequence.saturating_sub(1), 1, Duration::ZERO)
        .await?;
    let record = page
        .events
        .iter()
        .find(|record| record.sequence == sequence);
    let event = record.and_then(|record| from_canonical::<Event>(&record.body).ok());
    let (spend, cancels) = match event.map(|event| event.body) {
        Some(EventBody::SpendCommitted(spend)) => (spend, false),
        Some(EventBody::SpendReplaced { spend, variant }) => (spend, variant.cancels),
        _ => return Err(Code::VariantUnsupported.into()),
    };
    let read = if cancels {
        read_cancellation(spend.chain, from, &spend.unsigned)
    } else {
        let function = Registered::of_effects(&spend.effects);
        let known = Known::NOTHING
            .calling(function.as_ref())
            .on(NetworkTerms::RECORDED);
        decode(spend.chain, from, &spend.unsigned, known)
    };
    Ok(read.map_err(ChainError::from)?)
}

/// What outbids the newest transaction, and what the market asks, whichever is more.
fn highest(before: EvmFees, market: EvmFees) -> EvmFees {
    let least = before.least_above();
    EvmFees {
        gas_limit: market.gas_limit.max(least.gas_limit),
        max_fee_per_gas: market.max_fee_per_gas.max(least.max_fee_per_gas),
        max_priority_fee_per_gas: market
            .max_priority_fee_per_gas
            .max(least.max_priority_fee_per_gas),
    }
}

/// Fees as a transaction of this form can outbid them: where there is one price, it outbids both.
fn in_form(fees: EvmFees, form: Form) -> EvmFees {
    match form {
        Form::Eip1559 => fees,
        Form::Legacy => EvmFees {
            max_priority_fee_per_gas: fees.max_fee_per_gas,
            ..fees
        },
    }
}

fn within(fees: EvmFees, ceiling: Amount, network: NetworkTerms) -> Result<EvmFees, ChainError> {
    let gas = u128::from(fees.gas_limit).saturating_mul(fees.max_fee_per_gas);
    let needed = gas.saturating_add(network.data_fee().base_units());
    let needed = Amount::from_base_units(needed);
    if needed > ceiling {
        return Err(ChainError::FeeAboveCeiling { needed, ceiling });
    }
    Ok(fees)
}

/// Takes the new transaction from the log, which has it before its bytes leave, and lets it out.
async fn released(app: &Arc<App>, signed: waiaas_client::SignedPayment) -> Result<Paid, Refusal> {
    let mut payment = recorded(app, signed.transaction, signed.sequence).await?;
    let name = signed.chain_transaction.parse();
    payment.progress.chain_transaction = Some(name.map_err(|_| SignerError::Version)?);
    payment.progress.validity = Some(Validity::Unlimited);
    tracing::info!(transaction = %payment.facts.id, "signed once more on the same nonce");
    let signed = SignedPayment {
        payment,
        raw: signed.raw,
        replay: signed.replay,
    };
    confirm::release(app, signed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fees(gas_limit: u64, max: u128, tip: u128) -> EvmFees {
        EvmFees {
            gas_limit,
            max_fee_per_gas: max,
            max_priority_fee_per_gas: tip,
        }
    }

    #[test]
    fn the_next_fee_outbids_and_follows_the_market() {
        let before = fees(21_000, 100, 10);
        let calm = highest(before, fees(21_000, 50, 1));
        assert_eq!(calm, fees(21_000, 110, 11));
        let busy = highest(before, fees(30_000, 500, 5));
        assert_eq!(busy, fees(30_000, 500, 11));
        for next in [calm, busy] {
            assert!(next.outbid(&before));
        }
    }

    #[test]
    fn one_price_outbids_both_fees() {
        let before = fees(21_000, 100, 10);
        let market = fees(21_000, 50, 50);
        let next = highest(in_form(before, Form::Legacy), market);
        assert_eq!(next, fees(21_000, 110, 110));
        assert!(next.outbid(&before));
        assert_eq!(in_form(before, Form::Eip1559), before);
    }

    #[test]
    fn no_fee_leaves_the_ceiling() {
        let ceiling = Amount::from_base_units(21_000 * 110);
        let plain = NetworkTerms::default();
        assert!(within(fees(21_000, 110, 11), ceiling, plain).is_ok());
        // What counts for data is within the ceiling too.
        let rollup = NetworkTerms {
            data_fee: Some(Amount::from_base_units(1)),
            ..plain
        };
        assert!(within(fees(21_000, 110, 11), ceiling, rollup).is_err());
        assert!(within(fees(21_000, 109, 11), ceiling, rollup).is_ok());
        assert_eq!(
            within(fees(21_000, 111, 11), ceiling, plain),
            Err(ChainError::FeeAboveCeiling {
                needed: Amount::from_base_units(21_000 * 111),
                ceiling
            })
        );
        let wild = within(fees(u64::MAX, u128::MAX, 0), ceiling, plain);
        assert!(wild.is_err(), "{wild:?}");
    }
}
