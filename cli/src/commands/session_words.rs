//! A session as `waiaas session` shows it: in words, and for programs.

use serde_json::{Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::ids::WalletId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::{Credential, SessionRecipients};
use waiaas_shared::view::{SessionState, SessionView};

use crate::duration;
use crate::signer::decimals;
use crate::table::pairs;

/// For people.
pub(crate) fn human(view: &SessionView, policy: Option<&PolicyDocument>) -> String {
    let wallets: Vec<_> = view.grant.wallets.iter().map(WalletId::to_string).collect();
    let mut words = pairs(&[
        ("session     ", view.session.to_string()),
        ("state       ", state(view.state).to_owned()),
        ("credential  ", credential(&view.grant.credential)),
        ("ends        ", view.ends.to_string()),
        (
            "payments    ",
            format!("{} of {}", view.usage.count, view.grant.count),
        ),
        ("wallets     ", wallets.join(" ")),
    ]);
    if let (Some(agent), Some(stage)) = (view.grant.agent, view.stage) {
        words.push_str(&format!("agent        {agent}, {stage}\n"));
    }
    if let Some(renewal) = view.grant.renewal {
        words.push_str(&format!(
            "renewal      for {} each, {} of {} used, never beyond {}\n",
            duration::words(renewal.extends.millis()),
            view.renewals,
            renewal.count,
            renewal.until,
        ));
    }
    if let Some(named) = &view.grant.recipients {
        words.push_str(&format!("recipients   {}\n", recipients(named).join(" ")));
    }
    if let Some(operations) = &view.grant.operations {
        let names: Vec<_> = operations.iter().map(|known| known.as_str()).collect();
        words.push_str(&format!("operations   {}\n", names.join(" ")));
    }
    let amount = |asset: AssetId, amount: Amount| shown(asset, amount, policy);
    for limit in &view.grant.limits {
        let spent = view
            .usage
            .spent
            .get(&limit.asset)
            .copied()
            .unwrap_or_default();
        words.push_str(&format!(
            "{}: {} of {} spent, at most {} a transaction\n",
            limit.asset,
            amount(limit.asset, spent),
            amount(limit.asset, limit.total),
            amount(limit.asset, limit.per_transaction),
        ));
    }
    for left in &view.remaining {
        words.push_str(&format!(
            "now from {} in {}: {} in one transaction; {} left by the policy's limits, {} by the session\n",
            left.wallet,
            left.asset,
            amount(left.asset, left.per_transaction.min(left.window).min(left.session)),
            amount(left.asset, left.window),
            amount(left.asset, left.session),
        ));
    }
    words
}

/// Contacts with their sign, then accounts.
fn recipients(named: &SessionRecipients) -> Vec<String> {
    let contacts = named.contacts.iter().map(|name| format!("@{name}"));
    let accounts = named.accounts.iter().map(ToString::to_string);
    contacts.chain(accounts).collect()
}

/// An amount in its unit, or in base units where the unit is not known.
pub(crate) fn shown(asset: AssetId, amount: Amount, policy: Option<&PolicyDocument>) -> String {
    let symbol = policy
        .and_then(|document| document.asset(asset))
        .map_or("", |rule| rule.symbol.as_str());
    match decimals(asset, policy) {
        Some(places) => format!("{} {symbol}", amount.format_decimal(places))
            .trim_end()
            .to_owned(),
        None => format!("{amount} base units"),
    }
}

/// The state in words.
pub(crate) const fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Active => "active",
        SessionState::Expired => "expired",
        SessionState::Revoked => "revoked",
        SessionState::Suspended => "SUSPENDED",
    }
}

/// The key, or that there is none.
pub(crate) fn credential(credential: &Credential) -> String {
    match credential {
        Credential::AgentKey(key) => key.to_string(),
        Credential::Bearer(_) => "BEARER".to_owned(),
    }
}

/// For programs.
pub(crate) fn machine(view: &SessionView) -> Value {
    let agent_key = match &view.grant.credential {
        Credential::AgentKey(key) => Some(key.to_string()),
        Credential::Bearer(_) => None,
    };
    json!({
        "session": view.session,
        "state": view.state,
        "agent_key": agent_key,
        "wallets": view.grant.wallets,
        "count": view.grant.count,
        "used_count": view.usage.count,
        "expires_unix_millis": view.ends.millis(),
        "renewal": view.grant.renewal.map(|renewal| json!({
            "extends_millis": renewal.extends.millis(),
            "absolute_end_unix_millis": renewal.until.millis(),
            "used": view.renewals,
            "allowed": renewal.count,
        })),
        "agent": view.grant.agent,
        "agent_stage": view.stage,
        "recipients": view.grant.recipients.as_ref().map(recipients),
        "operations": view.grant.operations.as_ref().map(|operations| {
            operations.iter().map(|known| known.as_str()).collect::<Vec<_>>()
        }),
        "limits": view.grant.limits.iter().map(|limit| json!({
            "asset": limit.asset,
            "per_transaction_base": limit.per_transaction,
            "total_base": limit.total,
            "spent_base": view.usage.spent.get(&limit.asset).copied().unwrap_or_default(),
        })).collect::<Vec<_>>(),
        "remaining": view.remaining.iter().map(|left| json!({
            "wallet": left.wallet,
            "asset": left.asset,
            "per_transaction_base": left.per_transaction,
            "window_base": left.window,
            "session_base": left.session,
        })).collect::<Vec<_>>(),
    })
}
