//! The text of a statement.

use super::{StatementFacts, StatementHeader};
use crate::address::Account;
use crate::caip::ChainId;
use crate::denial::Code;
use crate::ids::{SessionId, WalletId};
use crate::policy::document::PolicyDocument;
use crate::session::SessionGrant;

/// The text of a statement, as the signer wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText(String);

impl StatementText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the text tells of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletFacts {
    /// Its address.
    pub account: Account,
    /// Its networks.
    pub networks: Vec<ChainId>,
}

/// What the text needs to know of the signer's state.
pub trait StatementView {
    /// A wallet.
    fn wallet(&self, wallet: WalletId) -> Option<WalletFacts>;
    /// The newest adopted policy document, matured or not.
    fn newest_policy(&self) -> Option<&PolicyDocument>;
    /// How many wallets are bound to this chain.
    fn wallets_on(&self, chain: ChainId) -> usize;
    /// The grant of a session, also of a revoked one.
    fn session(&self, session: SessionId) -> Option<&SessionGrant>;
}

/// Writes the text.
///
/// # Errors
/// The code of the refusal.
pub fn compose(
    _header: &StatementHeader,
    _facts: &StatementFacts,
    _view: &dyn StatementView,
) -> Result<StatementText, Code> {
    Err(Code::StatementMalformed)
}

/// Whether a text can be a statement's.
pub(super) fn is_statement_text(text: &str) -> bool {
    text.starts_with("WAIaaS ")
}
