//! What events mean for the gateway: payments to write down, views to forget. Pure.

use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody};

use super::verify::LogFault;
use crate::payment::Payment;
use crate::views::Stale;

/// What a page brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Payments that were committed.
    pub(super) payments: Vec<Payment>,
    /// What is no longer as it was.
    pub(super) stale: Stale,
    /// Something was unlocked, resumed or restored: what was refused may pass now.
    pub(super) unlocked: bool,
}

/// Reads the events of a page.
pub(super) fn read(records: &[EventRecord]) -> Result<News, LogFault> {
    let mut news = News::default();
    for record in records {
        let event: Event = from_canonical(&record.body).map_err(|_| LogFault::UnknownEvent)?;
        match event.body {
            EventBody::SpendCommitted(spend) | EventBody::Withdrawn { spend, .. } => {
                news.payments.extend(Payment::of_spend(
                    &spend,
                    record.sequence,
                    event.clocks.wall,
                ));
            }
            EventBody::WalletCreated { .. } => news.stale.wallets = true,
            EventBody::Paused { .. } => news.stale.wallets = true,
            EventBody::PauseReleased { .. } => {
                news.stale.wallets = true;
                news.unlocked = true;
            }
            EventBody::NonceAttested { .. } => news.stale.wallets = true,
            EventBody::PolicyAdopted { .. } => news.stale.policy = true,
            // Sessions and policies may have gone with a key.
            EventBody::OwnerSuspended { .. }
            | EventBody::OwnerChangeEffective { .. }
            | EventBody::Retired { .. } => news.stale = Stale::everything(),
            EventBody::Credited { session, .. } => {
                news.stale.sessions.push(session);
                news.stale.wallets = true;
            }
            EventBody::SessionRevoked { session, .. } | EventBody::SessionExpired { session } => {
                news.stale.sessions.push(session);
            }
            EventBody::Unlocked { .. }
            | EventBody::KillReleased { .. }
            | EventBody::TimeStated { .. } => {
                news.stale = Stale::everything();
                news.unlocked = true;
            }
            EventBody::Killed { .. } => news.stale = Stale::everything(),
            EventBody::Created { .. }
            | EventBody::Locked { .. }
            | EventBody::ClockStepped { .. }
            | EventBody::OwnerEnrolled { .. }
            | EventBody::StatementIssued { .. }
            | EventBody::SessionGranted { .. }
            | EventBody::WithdrawalEnrolled { .. }
            | EventBody::OwnerChangeScheduled { .. }
            | EventBody::OwnerChangeCancelled { .. }
            | EventBody::OwnerChangeVoided { .. }
            | EventBody::SuspensionLifted { .. }
            | EventBody::GuardianStopped { .. }
            | EventBody::DenialsCounted { .. } => {}
        }
    }
    Ok(news)
}
