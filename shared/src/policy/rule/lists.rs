//! What a scope allows at all: networks, assets, recipients.

use super::{Case, Findings};
use crate::caip::AccountId;
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::policy::scope::ScopeRule;

pub(super) fn judge(rule: &ScopeRule, case: &Case<'_>, findings: &mut Findings) {
    if let Some(networks) = &rule.networks
        && networks.binary_search(&case.payment.chain).is_err()
    {
        findings.refuse(Violation::of(Code::NetworkNotAllowed));
    }
    if let Some(assets) = &rule.assets {
        // Fees and rent are what sending costs, not what is sent.
        let sent = case.payment.effects.iter().filter(|one| !one.is_cost());
        for effect in sent {
            let asset = effect.asset();
            if assets.binary_search(&asset).is_err() {
                findings.refuse(Violation {
                    asset: Some(asset),
                    ..Violation::of(Code::AssetNotAllowed)
                });
            }
        }
    }
    if let Some(names) = &rule.recipients {
        for (_, account) in case.received.keys() {
            let contact = case.document.recipient(*account);
            if contact.is_none_or(|contact| names.binary_search(&contact.name).is_err()) {
                findings.refuse(Violation {
                    recipient: Some(*account),
                    ..Violation::of(Code::RecipientNotAllowed)
                });
            }
        }
        // Whoever restricts recipients restricts what is called, and to whom coins are delegated.
        for target in case.payment.effects.iter().filter_map(Effect::called) {
            let account = AccountId::new(case.payment.chain, target).ok();
            let contact = account.and_then(|account| case.document.recipient(account));
            if contact.is_none_or(|contact| names.binary_search(&contact.name).is_err()) {
                findings.refuse(Violation {
                    recipient: account,
                    ..Violation::of(Code::RecipientNotAllowed)
                });
            }
        }
    }
}
