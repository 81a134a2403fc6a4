//! Waiting for a payment to stand as deep on its chain as whoever asks wants it to. Looks at the chain for that alone:
//! what is recorded of the payment is not touched, and nothing is concluded from it.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::status::Status;

use super::{look, sought};
use crate::app::App;
use crate::chain::{Depth, Landing, Wake};
use crate::payment::Payment;
use crate::pipeline::{Refusal, find};

/// Waits until a payment's transaction stands that deep, whether it succeeded or failed, at most until `deadline`, and
/// no longer than one can come. Returns the payment as it is recorded then, and whether it does.
///
/// # Errors
/// [`Refusal`].
pub async fn reached(
    app: &App,
    mut payment: Payment,
    depth: Depth,
    deadline: Instant,
) -> Result<(Payment, bool), Refusal> {
    let id = payment.facts.id;
    let chain = app.chain(payment.facts.chain)?;
    let pace = chain.pace();
    let started = Instant::now();
    // Who does not wait asks for one look.
    let until = if deadline <= started {
        started + AT_ONCE
    } else {
        deadline
    };
    // No pause lasts beyond this: the last look has the time behind it.
    let last = deadline - (deadline.saturating_duration_since(started) / 8).min(LAST);
    let mut changes = app.tracker.changes();
    let mut wake: Option<Wake> = None;
    loop {
        payment = find(app, id).await?.unwrap_or(payment);
        let status = payment.progress.status;
        if matches!(status, Status::Expired | Status::Cancelled) {
            return Ok((payment, false));
        }
        if let Some(sought) = sought(&payment) {
            let sought = sought.at(depth);
            // Rung while the nodes are asked: not lost.
            wake.get_or_insert_with(|| chain.wake(&sought));
            let looked = timeout_at(until, look(app, &*chain, &sought)).await;
            let landing = looked.unwrap_or_default();
            if let Some(Landing::Confirmed { .. } | Landing::Failed { .. }) = landing {
                return Ok((find(app, id).await?.unwrap_or(payment), true));
            }
        }
        if Instant::now() >= deadline {
            return Ok((payment, false));
        }
        let slowest = pace.look_slowest.min(SLOWEST).max(pace.look);
        let pause = (started.elapsed() / 8).clamp(pace.look, slowest);
        let news = async {
            tokio::select! {
                _ = wake.get_or_insert_with(Wake::never).rest(pause) => {}
                () = changed(&mut changes, id) => {}
            }
        };
        let before = Instant::now() < last;
        let over = timeout_at(if before { last } else { deadline }, news).await;
        if over.is_err() && !before {
            return Ok((find(app, id).await?.unwrap_or(payment), false));
        }
    }
}

/// The one look of who does not wait.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What the last look has for itself of the time that somebody waits, at most.
const LAST: Duration = Duration::from_secs(2);
/// Somebody waits: no pause is longer.
const SLOWEST: Duration = Duration::from_secs(5);

/// Ends when something about the payment changed.
async fn changed(changes: &mut broadcast::Receiver<TransactionId>, id: TransactionId) {
    loop {
        match changes.recv().await {
            Ok(other) if other != id => {}
            // It cannot close: its sender lives as long as the process.
            _ => return,
        }
    }
}
