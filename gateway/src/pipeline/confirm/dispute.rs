//! A payment whose end the network's nodes contradict each other about: it stays open until they agree, and says so
//! to whoever asks about it. Decides nothing; `chain/witness.rs` says that they do.

use crate::app::App;
use crate::chain::{ChainText, Landing};
use crate::database::Durability;
use crate::payment::{DISPUTED, Payment};
use crate::projection::store;

/// Whether it was noted.
#[derive(Debug, Default)]
pub(super) struct Dispute {
    noted: bool,
}

impl Dispute {
    /// Notes a contradiction, once; says whether there has been one. What was noted stays until the payment ends, for
    /// a node that tells nothing yet contradicts nobody.
    pub(super) async fn look(&mut self, app: &App, payment: &Payment, landing: &Landing) -> bool {
        if *landing != Landing::Disputed || self.noted {
            return self.noted;
        }
        let id = payment.facts.id;
        tracing::error!(transaction = %id, "the nodes contradict each other about a payment: GET /ready shows which");
        let job = move |connection: &rusqlite::Connection| {
            store::note_stuck(connection, id, Some(&ChainText::new(DISPUTED)))
        };
        // If it is not written it is noted at the next look.
        self.noted = app.database.run(Durability::Process, job).await.is_ok();
        if self.noted {
            app.tracker.tell(id);
        }
        true
    }
}
