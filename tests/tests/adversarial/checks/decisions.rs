//! O4 by this program's own record: the log keeps no signatures, so whatever counts there as a decision of
//! owners, each of them must have signed that very text, in this program's hands.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{OwnerId, StatementId};
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::statement::verify::{Envelope, payload};

use super::Checks;
use crate::rig::Rig;

impl Checks {
    /// Of every event since the last time.
    pub(super) fn truly_signed(&mut self, rig: &Rig) -> Result<()> {
        let texts: BTreeMap<_, _> = self
            .log
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::StatementIssued {
                    statement, text, ..
                } => Some((*statement, text.as_str())),
                _ => None,
            })
            .collect();
        let signed = rig.record.owner_signed.borrow();
        for event in self.log.events.iter().skip(self.decided) {
            let Some((statement, signers)) = decision(&event.body) else {
                continue;
            };
            let text = texts.get(&statement).context("a text")?;
            ensure!(!signers.is_empty(), "{statement} counts without a signer");
            for signer in signers {
                let mut hands = rig.cast.owners.iter();
                let hand = hands.find(|hand| hand.id == *signer);
                let key = hand
                    .with_context(|| format!("{statement}: {signer} is nobody"))?
                    .public();
                let mut forms = Envelope::ALL
                    .into_iter()
                    .filter_map(|envelope| payload(text, envelope, &key).ok());
                ensure!(
                    forms.any(|form| signed.contains(&(*signer, form))),
                    "{statement} counts, and {signer} never signed it"
                );
            }
        }
        self.decided = self.log.events.len();
        Ok(())
    }
}

/// The statement that owners signed for an event, and who is said to have.
fn decision(body: &EventBody) -> Option<(StatementId, &[OwnerId])> {
    match body {
        EventBody::PolicyAdopted {
            statement, signers, ..
        }
        | EventBody::SessionGranted {
            statement, signers, ..
        }
        | EventBody::Withdrawn {
            statement, signers, ..
        }
        | EventBody::PauseReleased {
            statement, signers, ..
        }
        | EventBody::KillReleased {
            statement, signers, ..
        }
        | EventBody::NonceAttested {
            statement, signers, ..
        }
        | EventBody::TimeStated {
            statement, signers, ..
        }
        | EventBody::WithdrawalEnrolled {
            statement, signers, ..
        }
        | EventBody::IntentApproved {
            statement, signers, ..
        }
        | EventBody::OwnerChangeScheduled {
            statement, signers, ..
        }
        | EventBody::OwnerChangeCancelled {
            statement, signers, ..
        }
        | EventBody::SuspensionLifted {
            statement, signers, ..
        }
        | EventBody::Credited {
            statement, signers, ..
        }
        | EventBody::Retired {
            statement, signers, ..
        }
        | EventBody::WalletClosed {
            statement, signers, ..
        }
        | EventBody::WalletRotated {
            statement, signers, ..
        }
        | EventBody::AgentRegistered {
            statement, signers, ..
        }
        | EventBody::AgentActivated {
            statement, signers, ..
        }
        | EventBody::SessionResumed {
            statement, signers, ..
        }
        | EventBody::IntentsEnded {
            cause: IntentEnd::Rejected { statement, signers },
            ..
        }
        | EventBody::OwnerSuspended {
            statement: Some(statement),
            signers,
            ..
        } => Some((*statement, signers)),
        _ => None,
    }
}
