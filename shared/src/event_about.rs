//! What an event is about: the wallet, session and payments that it names. For filters and for programs; says
//! nothing in words.

use crate::event::EventBody;
use crate::ids::{SessionId, TransactionId, WalletId};
use crate::policy::alarm::Subject;
use crate::statement::StatementFacts;

/// The session, the wallet and the payments that an event names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The session.
    pub session: Option<SessionId>,
    /// The wallet.
    pub wallet: Option<WalletId>,
    /// The payments.
    pub transactions: Vec<TransactionId>,
}

impl EventBody {
    /// What it names.
    #[must_use]
    pub fn about(&self) -> About {
        let mut about = About::default();
        match self {
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
            EventBody::IntentApproved { transaction, .. } => {
                about.transactions = vec![*transaction]
            }
            EventBody::IntentsEnded { transactions, .. } => {
                about.transactions.clone_from(transactions)
            }
            EventBody::StatementIssued { facts, .. } => asked(facts, &mut about),
            _ => {}
        }
        about
    }
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
