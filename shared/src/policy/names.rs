//! What a policy document calls the things that are shown to people: units of assets, contacts, validators. For
//! showing; judges nothing.

use super::document::PolicyDocument;
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};

/// `0.5 SOL`, or base units of an asset that the document does not name.
#[must_use]
pub fn amount_in_words(policy: Option<&PolicyDocument>, asset: AssetId, amount: Amount) -> String {
    match policy.and_then(|policy| policy.asset(asset)) {
        Some(rule) => format!("{} {}", amount.format_decimal(rule.decimals), rule.symbol),
        None => format!("{amount} base units of {asset}"),
    }
}

/// An account of an asset's chain: the address in full, with its contact's or validator's name before it.
#[must_use]
pub fn account_in_words(
    policy: Option<&PolicyDocument>,
    asset: AssetId,
    account: Account,
) -> String {
    let known = AccountId::new(asset.chain(), account).ok();
    let name = known.and_then(|known| {
        let contact = policy?.recipient(known).map(|contact| &contact.name);
        contact.or_else(|| policy?.validator(known).map(|validator| &validator.name))
    });
    match name {
        Some(name) => format!("@{name} ({account})"),
        None => account.to_string(),
    }
}
