//! What events mean for the gateway: what to write down of payments, views to forget. Pure.

use waiaas_client::EventRecord;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::{Event, EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::status::Status;
use waiaas_shared::time::WallTime;

use super::verify::LogFault;
use crate::payment::Payment;
use crate::views::Stale;

/// What an event says of payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// One was accepted and waits.
    Waits(Payment),
    /// The owners of a waiting one have signed, at this time.
    Approved(TransactionId, WallTime),
    /// One was charged and signed.
    Charged(Payment),
    /// Waiting ones ended without being signed.
    Ended {
        /// Which.
        transactions: Vec<TransactionId>,
        /// CANCELLED or EXPIRED.
        status: Status,
        /// Why.
        why: &'static str,
        /// When.
        at: WallTime,
    },
}

/// What a page brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// What became of payments, in the log's order.
    pub(super) payments: Vec<Told>,
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
                let payment = Payment::of_spend(&spend, record.sequence, event.clocks.wall);
                news.payments.extend(payment.map(Told::Charged));
            }
            EventBody::SpendReplaced { spend, variant } => {
                let at = event.clocks.wall;
                let payment = Payment::of_variant(&spend, &variant, record.sequence, at);
                news.payments.extend(payment.map(Told::Charged));
            }
            EventBody::IntentOpened(intent) => {
                let payment = Payment::of_intent(&intent, record.sequence, event.clocks);
                news.payments.push(Told::Waits(payment));
            }
            EventBody::IntentApproved { transaction, .. } => {
                let approved = Told::Approved(transaction, event.clocks.wall);
                news.payments.push(approved);
            }
            EventBody::IntentsEnded {
                transactions,
                cause,
            } => {
                let (status, why) = end(&cause);
                news.payments.push(Told::Ended {
                    transactions,
                    status,
                    why,
                    at: event.clocks.wall,
                });
            }
            EventBody::WalletCreated { .. }
            | EventBody::WalletClosed { .. }
            | EventBody::WalletRotated { .. } => news.stale.wallets = true,
            EventBody::AgentTerminated { sessions, .. } => news.stale.sessions.extend(sessions),
            EventBody::AgentActivated { .. } => news.unlocked = true,
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
            EventBody::SessionRevoked { session, .. }
            | EventBody::SessionRenewed { session, .. }
            | EventBody::SessionExpired { session }
            | EventBody::SessionSuspended { session } => {
                news.stale.sessions.push(session);
            }
            // What waits under it may be released again.
            EventBody::SessionResumed { session, .. } => {
                news.stale.sessions.push(session);
                news.unlocked = true;
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
            | EventBody::AgentRegistered { .. }
            | EventBody::AgentStopped { .. }
            | EventBody::WithdrawalEnrolled { .. }
            | EventBody::OwnerChangeScheduled { .. }
            | EventBody::OwnerChangeCancelled { .. }
            | EventBody::OwnerChangeVoided { .. }
            | EventBody::SuspensionLifted { .. }
            | EventBody::GuardianStopped { .. }
            | EventBody::AlarmRaised { .. }
            | EventBody::OwnerAlive { .. }
            | EventBody::DenialNoted { .. }
            // What a session has used is asked for afresh; an authorization is brought to the chain by
            // somebody else.
            | EventBody::SignedIn(_)
            | EventBody::TransferAuthorized { .. }
            | EventBody::SnapshotTaken { .. }
            // Follows an `Unlocked`, which is read as everything stale.
            | EventBody::HeadMissed { .. }
            | EventBody::DenialsCounted { .. } => {}
        }
    }
    Ok(news)
}

/// How a wait that ended without a signature is shown.
const fn end(cause: &IntentEnd) -> (Status, &'static str) {
    match cause {
        IntentEnd::Cancelled {
            origin: Origin::Gateway,
        } => (Status::Cancelled, "It was cancelled over the gateway."),
        IntentEnd::Cancelled {
            origin: Origin::Admin,
        } => (Status::Cancelled, "The owner cancelled it."),
        IntentEnd::Cancelled {
            origin: Origin::Signer,
        } => (Status::Cancelled, "An alarm of the signer ended it."),
        IntentEnd::Rejected { .. } => (Status::Cancelled, "An owner rejected it."),
        IntentEnd::Expired => (Status::Expired, "It waited too long."),
        IntentEnd::SessionEnded => (Status::Cancelled, "Its session has ended."),
        IntentEnd::Killed => (Status::Cancelled, "The kill switch was thrown."),
        IntentEnd::WalletClosed => (
            Status::Cancelled,
            "Its wallet was closed, or moved to a new key.",
        ),
    }
}
