//! What amounts and accounts are called in messages: by the newest adopted policy, as far as the signer tells it.

use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::names::{account_in_words, amount_in_words};

use crate::app::App;
use crate::views::Documents;

/// The documents that bind, if they are known.
#[derive(Debug, Default)]
pub(crate) struct Names(Option<Documents>);

impl Names {
    /// As the signer tells them; without a signer there are base units and addresses alone.
    pub(crate) async fn known(app: &App) -> Self {
        Self(app.views.policy(app.signer.as_ref()).await.ok())
    }

    /// The newest document that binds.
    pub(crate) fn newest(&self) -> Option<&PolicyDocument> {
        self.0.as_ref()?.last()
    }

    /// `0.5 SOL`.
    pub(super) fn amount(&self, asset: AssetId, amount: Amount) -> String {
        amount_in_words(self.newest(), asset, amount)
    }

    /// `@hosting (address)`.
    pub(super) fn account(&self, asset: AssetId, account: Account) -> String {
        account_in_words(self.newest(), asset, account)
    }
}
