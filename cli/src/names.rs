//! Names that a log gives to what its events hold: units and contacts by the newest adopted policy, and
//! whose a payment is. Learns from each event in order; shows, and judges nothing.

use std::collections::BTreeMap;

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::{SessionId, StatementId, TransactionId, WalletId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::names::{account_in_words, amount_in_words};
use waiaas_shared::statement::StatementFacts;

use waiaas_shared::event_about::About;

/// What was learnt so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    drafts: BTreeMap<StatementId, Vec<u8>>,
    policy: Option<PolicyDocument>,
    payments: BTreeMap<TransactionId, (Option<SessionId>, WalletId)>,
}

impl Names {
    /// Learns from the log's next event.
    pub(crate) fn learn(&mut self, body: &EventBody) {
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

    /// `0.5 SOL`, or base units of an asset that no policy names.
    pub(crate) fn amount(&self, asset: AssetId, amount: Amount) -> String {
        amount_in_words(self.policy.as_ref(), asset, amount)
    }

    /// An account of an asset's chain: the address in full, with its contact's or validator's name before it.
    pub(crate) fn account(&self, asset: AssetId, account: Account) -> String {
        account_in_words(self.policy.as_ref(), asset, account)
    }

    /// Whether what an event names is this wallet's.
    pub(crate) fn concerns_wallet(&self, about: &About, wallet: WalletId) -> bool {
        about.wallet == Some(wallet) || self.whose(about).any(|(_, of)| of == wallet)
    }

    /// Whether what an event names is this session's.
    pub(crate) fn concerns_session(&self, about: &About, session: SessionId) -> bool {
        about.session == Some(session) || self.whose(about).any(|(of, _)| of == Some(session))
    }

    fn whose(&self, about: &About) -> impl Iterator<Item = (Option<SessionId>, WalletId)> {
        let named = about.transactions.iter();
        named.filter_map(|transaction| self.payments.get(transaction).copied())
    }
}
