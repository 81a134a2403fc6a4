//! Names that a log gives to what its events hold: units and contacts by the newest adopted policy, and
//! whose a payment is. Learns from each event in order; shows, and judges nothing.

use std::collections::BTreeMap;

use crate::address::Account;
use crate::amount::Amount;
use crate::caip::AssetId;
use crate::event::EventBody;
use crate::ids::{SessionId, StatementId, TransactionId, WalletId};
use crate::policy::document::PolicyDocument;
use crate::policy::names::{account_in_words, amount_in_words};
use crate::statement::StatementFacts;

use crate::event_about::About;

/// What was learnt so far.
#[derive(Debug, Default)]
pub struct Names {
    drafts: BTreeMap<StatementId, Vec<u8>>,
    policy: Option<PolicyDocument>,
    payments: BTreeMap<TransactionId, (Option<SessionId>, WalletId)>,
}

impl Names {
    /// Learns from the log's next event.
    pub fn learn(&mut self, body: &EventBody) {
        match body {
            EventBody::StatementIssued {
                statement,
                facts: StatementFacts::AdoptPolicy { document },
                ..
            } => {
                self.drafts.insert(*statement, document.clone());
            }
            EventBody::PolicyAdopted { statement, .. } => {
                let document = self.drafts.remove(statement);
                let document = document.and_then(|bytes| PolicyDocument::adopted(&bytes).ok());
                self.policy = document.or(self.policy.take());
            }
            EventBody::SpendCommitted(spend)
            | EventBody::Withdrawn { spend, .. }
            | EventBody::SpendReplaced { spend, .. }
            | EventBody::TransferAuthorized { spend, .. } => {
                let whose = (spend.session, spend.wallet);
                self.payments.insert(spend.transaction, whose);
            }
            EventBody::IntentOpened(intent) => {
                let whose = (Some(intent.session), intent.wallet);
                self.payments.insert(intent.transaction, whose);
            }
            _ => {}
        }
    }

    /// Names by this policy alone, before any event.
    #[must_use]
    pub fn of(policy: Option<PolicyDocument>) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// `0.5 SOL`, or base units of an asset that no policy names.
    #[must_use]
    pub fn amount(&self, asset: AssetId, amount: Amount) -> String {
        amount_in_words(self.policy.as_ref(), asset, amount)
    }

    /// An account of an asset's chain: the address in full, with its contact's or validator's name before it.
    #[must_use]
    pub fn account(&self, asset: AssetId, account: Account) -> String {
        account_in_words(self.policy.as_ref(), asset, account)
    }

    /// Whether what an event names is this wallet's.
    #[must_use]
    pub fn concerns_wallet(&self, about: &About, wallet: WalletId) -> bool {
        about.wallet == Some(wallet) || self.whose(about).any(|(_, of)| of == wallet)
    }

    /// Whether what an event names is this session's.
    #[must_use]
    pub fn concerns_session(&self, about: &About, session: SessionId) -> bool {
        about.session == Some(session) || self.whose(about).any(|(of, _)| of == Some(session))
    }

    fn whose(&self, about: &About) -> impl Iterator<Item = (Option<SessionId>, WalletId)> {
        let named = about.transactions.iter();
        named.filter_map(|transaction| self.payments.get(transaction).copied())
    }
}
