//! What an event is about: its kind's group, and the wallet, session and payments that it names. For
//! filters and for programs; says nothing in words.

use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{SessionId, TransactionId, WalletId};
use waiaas_shared::policy::alarm::Subject;
use waiaas_shared::statement::StatementFacts;

/// Every kind, as `event_words` names it, with its group.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("Created", "signer"),
    ("Unlocked", "signer"),
    ("Locked", "signer"),
    ("ClockStepped", "stops"),
    ("OwnerEnrolled", "owners"),
    ("WalletCreated", "signer"),
    ("StatementIssued", "owners"),
    ("PolicyAdopted", "policy"),
    ("SessionGranted", "sessions"),
    ("SessionRevoked", "sessions"),
    ("SessionExpired", "sessions"),
    ("SpendCommitted", "payments"),
    ("Withdrawn", "payments"),
    ("SpendReplaced", "payments"),
    ("Paused", "stops"),
    ("PauseReleased", "stops"),
    ("Killed", "stops"),
    ("KillReleased", "stops"),
    ("NonceAttested", "owners"),
    ("TimeStated", "owners"),
    ("WithdrawalEnrolled", "owners"),
    ("DenialsCounted", "payments"),
    ("IntentOpened", "payments"),
    ("IntentApproved", "payments"),
    ("IntentsEnded", "payments"),
    ("OwnerChangeScheduled", "owners"),
    ("OwnerChangeCancelled", "owners"),
    ("OwnerChangeEffective", "owners"),
    ("OwnerChangeVoided", "owners"),
    ("OwnerSuspended", "owners"),
    ("SuspensionLifted", "owners"),
    ("Credited", "payments"),
    ("GuardianStopped", "stops"),
    ("Retired", "signer"),
    ("SessionRenewed", "sessions"),
    ("WalletClosed", "signer"),
    ("WalletRotated", "signer"),
    ("AgentRegistered", "sessions"),
    ("AgentActivated", "sessions"),
    ("AgentStopped", "stops"),
    ("AgentTerminated", "sessions"),
    ("SnapshotTaken", "signer"),
    ("HeadMissed", "stops"),
    ("SessionSuspended", "stops"),
    ("SessionResumed", "sessions"),
    ("AlarmRaised", "stops"),
    ("OwnerAlive", "owners"),
    ("DenialNoted", "payments"),
    ("SignedIn", "sessions"),
    ("TransferAuthorized", "payments"),
];

/// What an event names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct About {
    pub(crate) session: Option<SessionId>,
    pub(crate) wallet: Option<WalletId>,
    pub(crate) transactions: Vec<TransactionId>,
}

/// What an event names.
pub(crate) fn about(body: &EventBody) -> About {
    let mut about = About::default();
    match body {
        EventBody::SessionGranted { session, .. }
        | EventBody::SessionRevoked { session, .. }
        | EventBody::SessionRenewed { session, .. }
        | EventBody::SessionExpired { session }
        | EventBody::SessionSuspended { session }
        | EventBody::SessionResumed { session, .. }
        | EventBody::DenialNoted { session, .. } => about.session = Some(*session),
        EventBody::AlarmRaised {
            session, subject, ..
        } => {
            about.session = *session;
            match subject {
                Subject::Session(session) => about.session = Some(*session),
                Subject::Wallet(wallet) => about.wallet = Some(*wallet),
                Subject::Everything => {}
            }
        }
        EventBody::DenialsCounted { session, .. } => about.session = *session,
        EventBody::Credited {
            session, wallet, ..
        } => (about.session, about.wallet) = (Some(*session), Some(*wallet)),
        EventBody::WalletCreated { wallet, .. }
        | EventBody::WalletClosed { wallet, .. }
        | EventBody::WalletRotated { wallet, .. }
        | EventBody::NonceAttested { wallet, .. } => {
            about.wallet = Some(*wallet);
        }
        EventBody::Paused { wallet, .. } | EventBody::PauseReleased { wallet, .. } => {
            about.wallet = *wallet;
        }
        EventBody::SpendCommitted(spend)
        | EventBody::Withdrawn { spend, .. }
        | EventBody::TransferAuthorized { spend, .. } => {
            about.session = spend.session;
            about.wallet = Some(spend.wallet);
            about.transactions = vec![spend.transaction];
        }
        EventBody::SpendReplaced { spend, variant } => {
            about.session = spend.session;
            about.wallet = Some(spend.wallet);
            about.transactions = vec![spend.transaction, variant.of];
        }
        EventBody::SignedIn(login) => {
            about.session = Some(login.session);
            about.wallet = Some(login.wallet);
        }
        EventBody::IntentOpened(intent) => {
            about.session = Some(intent.session);
            about.wallet = Some(intent.wallet);
            about.transactions = vec![intent.transaction];
        }
        EventBody::IntentApproved { transaction, .. } => about.transactions = vec![*transaction],
        EventBody::IntentsEnded { transactions, .. } => about.transactions.clone_from(transactions),
        EventBody::StatementIssued { facts, .. } => asked(facts, &mut about),
        _ => {}
    }
    about
}

/// What an owner was asked to sign.
fn asked(facts: &StatementFacts, about: &mut About) {
    match facts {
        StatementFacts::Withdraw { wallet, .. }
        | StatementFacts::AttestNonce { wallet, .. }
        | StatementFacts::CloseWallet { wallet }
        | StatementFacts::RotateWallet { wallet, .. } => about.wallet = Some(*wallet),
        StatementFacts::ResumeSession { session } => about.session = Some(*session),
        StatementFacts::ReleasePause { wallet } => about.wallet = *wallet,
        StatementFacts::Credit {
            wallet,
            transaction,
            ..
        } => {
            about.wallet = Some(*wallet);
            about.transactions = vec![*transaction];
        }
        StatementFacts::ApprovePayment { transaction }
        | StatementFacts::RejectPayment { transaction } => about.transactions = vec![*transaction],
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the kinds, from the source of the events: none is without a group.
    #[test]
    fn every_kind_has_a_group() {
        let source = include_str!("../../shared/src/event.rs");
        let body = source.split("pub enum EventBody {").nth(1).unwrap();
        let body = body.split("\n}\n").next().unwrap();
        let lines: Vec<&str> = body.lines().collect();
        let mut known = 0;
        for pair in lines.windows(2) {
            if pair[0].starts_with("    #[n(") {
                let name: String = pair[1]
                    .trim_start()
                    .chars()
                    .take_while(char::is_ascii_alphabetic)
                    .collect();
                assert!(KINDS.iter().any(|(kind, _)| *kind == name), "{name}");
                known += 1;
            }
        }
        assert_eq!(known, KINDS.len());
    }
}
