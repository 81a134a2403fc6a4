//! A policy as far as it binds one session: everything that is another wallet's, another session's, or no business of
//! an agent's (alarms, what escalates) is taken out, and what is left is told in words. For showing; what is judged is
//! the whole document, by the signer.

use std::collections::BTreeSet;

use waiaas_shared::caip::{AccountId, AssetId, ChainId};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::items::{Place, Section, Style, sections};
use waiaas_shared::policy::scope::{Scope, ScopeRule};
use waiaas_shared::session::{Credential, Operation};
use waiaas_shared::view::WalletView;

use crate::views::KnownSession;

/// What an agent is not told: when a later policy stops the present one from binding, and how long everything waits for
/// its owners.
const OWNERS_BUSINESS: [&str; 2] = [
    "later policies wait",
    "everything pauses without word from an owner for",
];

/// A session with the wallets that it covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered<'a> {
    pub(super) session: &'a KnownSession,
    pub(super) wallets: &'a [&'a WalletView],
    pub(super) documents: &'a [PolicyDocument],
}

impl Covered<'_> {
    /// Whether a rule of this scope holds for a payment of this wallet, or of any that the session covers.
    pub(super) fn holds(&self, scope: &Scope, document: &PolicyDocument, of: &WalletView) -> bool {
        let bearer = matches!(self.session.grant.credential, Credential::Bearer(_));
        scope.holds(document, of.wallet, self.session.id, bearer)
    }

    fn holds_for_any(&self, scope: &Scope, document: &PolicyDocument) -> bool {
        let mut wallets = self.wallets.iter();
        wallets.any(|wallet| self.holds(scope, document, wallet))
    }

    /// Whether the session may spend of an asset at all.
    pub(super) fn names(&self, asset: AssetId) -> bool {
        let mut limits = self.session.grant.limits.iter();
        limits.any(|limit| limit.asset == asset)
    }

    pub(super) fn networks(&self) -> BTreeSet<ChainId> {
        let networks = self.wallets.iter().flat_map(|wallet| &wallet.networks);
        networks.copied().collect()
    }

    /// Whether an account may receive from this session by every document.
    pub(super) fn may_receive(&self, account: AccountId) -> bool {
        let granted = self.session.grant.recipients.as_ref();
        granted.is_none_or(|named| named.allow(account, self.documents))
            && self.documents.iter().all(|document| {
                let listed = document.recipients_open || document.recipient(account).is_some();
                listed && !document.denies(account)
            })
    }

    /// The document as far as it binds the session, in words.
    pub(super) fn words(&self, document: &PolicyDocument) -> Vec<String> {
        let narrowed = self.narrowed(document);
        let sections = sections(&narrowed, Style::Exact);
        sections.iter().filter_map(line).collect()
    }

    fn narrowed(&self, document: &PolicyDocument) -> PolicyDocument {
        let networks = self.networks();
        let here = |account: &AccountId| networks.contains(&account.chain());
        let allows = |operation| self.session.grant.allows(operation);
        let mut kept = document.clone();
        kept.assets.retain(|rule| self.names(rule.asset));
        let granted = self.session.grant.recipients.as_ref();
        kept.recipients.retain(|known| {
            let named = granted.is_none_or(|named| named.allow(known.account, [document]));
            named && here(&known.account)
        });
        kept.denied.retain(here);
        // Whose wallets the others of a pool are is not told; its limits are.
        kept.pools.clear();
        kept.calls
            .retain(|rule| allows(Operation::Call) && here(&rule.target));
        kept.validators = some(kept.validators, |known| {
            allows(Operation::Stake) && here(&known.account)
        });
        kept.sign_ins = some(kept.sign_ins, |site| {
            let mut networks_of = site.networks.iter();
            allows(Operation::SignIn) && networks_of.any(|network| networks.contains(network))
        });
        kept.tables = some(kept.tables, |table| here(&table.account));
        let names: BTreeSet<&str> = kept
            .recipients
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        kept.scopes
            .retain(|rule| self.holds_for_any(&rule.scope, document));
        for rule in &mut kept.scopes {
            self.narrow_scope(rule, &networks, &names);
        }
        kept.alarms.clear();
        kept.escalations.clear();
        kept
    }

    fn narrow_scope(
        &self,
        rule: &mut ScopeRule,
        networks: &BTreeSet<ChainId>,
        names: &BTreeSet<&str>,
    ) {
        rule.limits.retain(|entry| self.names(entry.asset));
        if let Some(listed) = &mut rule.networks {
            listed.retain(|network| networks.contains(network));
        }
        if let Some(listed) = &mut rule.assets {
            listed.retain(|asset| self.names(*asset));
        }
        if let Some(listed) = &mut rule.recipients {
            listed.retain(|name| names.contains(name.as_str()));
        }
    }
}

/// The entries that are kept; none if none is.
fn some<T>(entries: Option<Vec<T>>, keep: impl FnMut(&T) -> bool) -> Option<Vec<T>> {
    let mut entries = entries?;
    entries.retain(keep);
    (!entries.is_empty()).then_some(entries)
}

/// An entry in one line.
fn line(section: &Section) -> Option<String> {
    if section.place == Place::Recipient {
        return Some(section.summary.clone());
    }
    let items = section
        .items
        .iter()
        .filter(|item| item.says_something() && !OWNERS_BUSINESS.contains(&item.name.as_str()));
    let said: Vec<String> = items
        .map(|item| format!("{}: {}", item.name, item.value.replace('\n', " ")))
        .collect();
    match (section.label.as_str(), said.as_slice()) {
        ("", []) => None,
        ("", _) => Some(said.join("; ")),
        (label, []) => Some(label.to_owned()),
        (label, _) => Some(format!("{label}: {}", said.join("; "))),
    }
}
