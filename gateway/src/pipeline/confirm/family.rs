//! The transactions of one nonce: any of them may land, and then the others never can. And whether one
//! that is under way is stuck, in words for whoever asks about it. Called by the stage that follows
//! payments.

use std::time::Duration;

use waiaas_shared::caip::ChainId;
use waiaas_shared::evm::Form;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::status::Status;
use waiaas_shared::transaction::EvmFees;

use crate::app::App;
use crate::chain::{ChainText, Landing};
use crate::chain_port::ChainPort;
use crate::database::{DatabaseError, Durability};
use crate::payment::Payment;
use crate::pipeline::{Refusal, vary};
use crate::projection::store::{self, Change};

/// Between two looks at what holds a payment up.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// A transaction has landed: whatever else has its nonce never will.
pub(super) async fn landed(app: &App, payment: &Payment) -> Result<(), DatabaseError> {
    if !matches!(payment.facts.chain, ChainId::Evm(_)) {
        return Ok(());
    }
    let (id, now) = (payment.facts.id, app.clock.now());
    let job = move |connection: &rusqlite::Connection| {
        let mut ended = Vec::new();
        for (other, status) in store::family(connection, id)? {
            if other != id && !status.is_final() {
                store::advance(connection, other, Status::Cancelled, &instead(id), now)?;
                ended.push(other);
            }
        }
        Ok(ended)
    };
    for other in app.database.run(Durability::Process, job).await? {
        app.tracker.tell(other);
    }
    Ok(())
}

/// Whether a payment has ended, by its own landing or by that of another transaction of its nonce.
pub(super) async fn has_ended(app: &App, payment: &Payment) -> bool {
    if !matches!(payment.facts.chain, ChainId::Evm(_)) {
        return false;
    }
    let (id, now) = (payment.facts.id, app.clock.now());
    let job = move |connection: &rusqlite::Connection| {
        let family = store::family(connection, id)?;
        let own = family.iter().find(|(other, _)| *other == id);
        if own.is_some_and(|(_, status)| status.is_final()) {
            return Ok((true, false));
        }
        let landed = family
            .iter()
            .find(|(_, status)| matches!(status, Status::Confirmed | Status::Failed));
        let Some((other, _)) = landed else {
            return Ok((false, false));
        };
        store::advance(connection, id, Status::Cancelled, &instead(*other), now)?;
        Ok((true, true))
    };
    match app.database.run(Durability::Process, job).await {
        Ok((ended, told)) => {
            if told {
                app.tracker.tell(id);
            }
            ended
        }
        // Looked at again.
        Err(_) => false,
    }
}

fn instead(landed: TransactionId) -> Change {
    let words = format!("Another transaction of its nonce has landed: {landed}.");
    Change {
        detail: Some(ChainText::new(&words)),
        ..Change::default()
    }
}

/// What holds a payment up.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    fees: Option<(EvmFees, Form)>,
    looked: Option<Duration>,
    told: Option<ChainText>,
}

impl Stuck {
    /// Finds out what holds a payment up that no block has taken at this age, and notes it.
    pub(super) async fn look(
        &mut self,
        app: &App,
        chain: &dyn ChainPort,
        payment: &Payment,
        landing: &Landing,
        age: Duration,
    ) {
        let after = chain.pace().resend;
        let soon = self
            .looked
            .is_some_and(|looked| age < looked.saturating_add(LOOK_AGAIN));
        if age < after || soon || !vary::is_open(payment) {
            return;
        }
        self.looked = Some(age);
        let seen = *landing != Landing::Unknown;
        let Ok(words) = self.why(app, chain, payment, seen).await else {
            return;
        };
        let detail = words.map(|words| ChainText::new(&words));
        if detail == self.told {
            return;
        }
        self.told.clone_from(&detail);
        let id = payment.facts.id;
        let job = move |connection: &rusqlite::Connection| {
            store::note_stuck(connection, id, detail.as_ref())
        };
        // Only words are lost.
        if app.database.run(Durability::Process, job).await.is_ok() {
            app.tracker.tell(id);
        }
    }

    async fn why(
        &mut self,
        app: &App,
        chain: &dyn ChainPort,
        payment: &Payment,
        seen: bool,
    ) -> Result<Option<String>, Refusal> {
        let id = payment.facts.id;
        let find = move |connection: &rusqlite::Connection| store::payment(connection, id);
        let stored = app.database.run(Durability::Process, find).await?;
        let Some(payment) = stored.filter(|stored| stored.progress.replaced_by.is_none()) else {
            return Ok(None);
        };
        let wallet = app.views.wallet(&*app.signer, payment.facts.wallet).await?;
        let (Some(wallet), Some(nonce)) = (wallet, payment.facts.nonce) else {
            return Ok(None);
        };
        let from = wallet.account;
        let (fees, form) = match self.fees {
            Some(fees) => fees,
            None => *self.fees.insert(vary::fees(app, &payment, from).await?),
        };
        let (Some(next), Some(market)) = (
            chain.account_nonce(from).await?,
            chain.fee_market(form).await?,
        ) else {
            return Ok(None);
        };
        let asks = market.least();
        Ok(words(nonce, next, seen, fees.max_fee_per_gas, asks))
    }
}

/// Why no block takes a transaction; nothing if one has, as far as the node says. `seen`: whether a node
/// knows of it.
fn words(nonce: u64, next: u64, seen: bool, max_fee: u128, base: u128) -> Option<String> {
    if nonce < next && seen {
        None
    } else if nonce < next {
        Some(format!(
            "Stuck: the chain is past nonce {nonce} and the node does not know it: another transaction of the wallet may have used its nonce."
        ))
    } else if nonce > next {
        Some(format!(
            "Stuck: it has nonce {nonce}, and the chain waits for the wallet's nonce {next} first."
        ))
    } else if max_fee < base {
        Some(format!(
            "Stuck: it pays at most {max_fee} wei per gas and the chain asks {base}. Speed it up, or cancel it."
        ))
    } else {
        Some("Stuck: no block has taken it yet. Speed it up, or cancel it.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_payment_up_is_told() {
        assert_eq!(words(4, 5, true, 1, 100), None);
        let used = words(4, 5, false, 1, 100).expect("nobody knows it");
        assert!(used.contains("past nonce 4"), "{used}");
        let behind = words(7, 5, true, 1, 100).expect("it waits");
        assert!(behind.contains("nonce 5"), "{behind}");
        let low = words(5, 5, false, 99, 100).expect("it waits");
        assert!(low.contains("asks 100"), "{low}");
        let quiet = words(5, 5, true, 100, 100).expect("it waits");
        assert!(quiet.contains("no block"), "{quiet}");
    }
}
