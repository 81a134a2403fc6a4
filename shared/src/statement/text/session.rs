//! The text of a grant: who can spend, up to what, to whom, and for how long. Stands in a statement of
//! its own and, for each session that comes back, in the release of a kill.

use super::lines::Lines;
use super::unit::Unit;
use super::{StatementView, agents};
use crate::denial::Code;
use crate::policy::items::duration;
use crate::session::{Credential, Operation, SessionGrant};

/// `whose` stands before each field name: empty, or which session of several.
pub(super) fn grant(
    lines: &mut Lines,
    whose: &str,
    grant: &SessionGrant,
    view: &dyn StatementView,
) -> Result<(), Code> {
    if !grant.is_well_formed() {
        return Err(Code::StatementMalformed);
    }
    // Who can spend stands before what: a bearer session is the greater risk.
    match grant.credential {
        Credential::AgentKey(key) => lines.field(&format!("{whose}Agent key"), key),
        Credential::Bearer(_) => lines.field(
            &format!("{whose}Credential"),
            "BEARER: anyone who holds the secret, or controls the gateway, can spend this",
        ),
    }
    if let Some(agent) = grant.agent {
        agents::known(lines, &format!("{whose}Agent"), agent, view)?;
    }
    let limits: Vec<_> = grant
        .limits
        .iter()
        .map(|limit| {
            let unit = Unit::of(limit.asset, view.newest_policy());
            format!(
                "{}, {} a transaction, {} in all",
                limit.asset,
                unit.amount(limit.per_transaction),
                unit.amount(limit.total)
            )
        })
        .collect();
    lines.list(&format!("{whose}Limit"), &limits);
    if let Some(operations) = &grant.operations {
        let words: Vec<_> = operations.iter().copied().map(operation).collect();
        lines.list(&format!("{whose}Operation"), &words);
    }
    recipients(lines, whose, grant, view)?;
    lines.field(
        &format!("{whose}Transactions"),
        format_args!("{} at most", grant.count),
    );
    ends(lines, whose, grant);
    let wallets: Vec<_> = grant
        .wallets
        .iter()
        .map(|id| {
            let facts = view.wallet(*id).ok_or(Code::WalletUnknown)?;
            Ok(format!("{id}, {}", facts.account))
        })
        .collect::<Result<_, Code>>()?;
    lines.list(&format!("{whose}Wallet"), &wallets);
    Ok(())
}

/// A contact is shown with what the newest policy takes it for; it must know it.
fn recipients(
    lines: &mut Lines,
    whose: &str,
    grant: &SessionGrant,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let Some(recipients) = &grant.recipients else {
        return Ok(());
    };
    let policy = view.newest_policy().ok_or(Code::PolicyMissing)?;
    let mut words = Vec::new();
    for name in &recipients.contacts {
        let accounts: Vec<_> = policy
            .recipients
            .iter()
            .filter(|known| known.name == *name)
            .map(|known| known.account.to_string())
            .collect();
        if accounts.is_empty() {
            return Err(Code::RecipientNotListed);
        }
        words.push(format!(
            "@{name} in your policy, now {}",
            accounts.join(" ")
        ));
    }
    words.extend(recipients.accounts.iter().map(ToString::to_string));
    lines.list(&format!("{whose}Only recipient"), &words);
    Ok(())
}

fn ends(lines: &mut Lines, whose: &str, grant: &SessionGrant) {
    let Some(renewal) = grant.renewal else {
        lines.field(&format!("{whose}Ends"), grant.expires);
        return;
    };
    lines.field(
        &format!("{whose}Ends"),
        format_args!("{}, unless renewed", grant.expires),
    );
    let by = match grant.credential {
        Credential::AgentKey(_) => "the agent's key",
        Credential::Bearer(_) => "anyone who holds the secret, or controls the gateway",
    };
    lines.field(
        &format!("{whose}Renewal"),
        format_args!(
            "by {by}, without asking you, for {} each, {} at most",
            duration(renewal.extends),
            renewal.count
        ),
    );
    lines.field(
        &format!("{whose}Absolute end"),
        format_args!("{}, no renewal leads beyond it", renewal.until),
    );
}

const fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::NativeTransfer => "transfer of a network's own asset",
        Operation::TokenTransfer => "transfer of a token",
        Operation::TokenApproval => "leave for somebody to take a token later",
        Operation::Call => "call of a program or contract",
        Operation::SignIn => "signing in to a site",
        Operation::Stake => "staking coins, unstaking, and taking them back into the wallet",
        Operation::TransferAuthorization => {
            "authorizing token transfers that others bring to the chain"
        }
    }
}
