//! The texts about agents, and about wallets that are closed or moved to a new key, and nonces of their keys. What goes on, and
//! what ends for good, stands in words.

use super::lines::Lines;
use super::{StatementView, network, require_network, skipped, wallet, wallet_by_key};
use crate::address::Account;
use crate::caip::ChainId;
use crate::denial::Code;
use crate::ids::{AgentId, WalletId};
use crate::statement::StatementFacts;

/// What attesting the nonce of an earlier key does.
pub(super) const OF_FORMER_KEY: &str = "Signing this states the next nonce of an address that the wallet had before, and takes the transactions that key signed out of the wallet's outstanding value.";

/// Writes the fields of such a statement; any other kind is refused.
pub(super) fn write(
    lines: &mut Lines,
    facts: &StatementFacts,
    view: &dyn StatementView,
) -> Result<(), Code> {
    match facts {
        StatementFacts::CloseWallet { wallet: id } => {
            wallet(lines, *id, view)?;
            lines.field("Payments that wait", "cancelled");
            lines.field("Afterwards", "only WITHDRAW pays from it");
            lines.field("Undone by", "nothing");
        }
        StatementFacts::RotateWallet {
            wallet,
            first_nonce,
        } => rotate(lines, *wallet, *first_nonce, view)?,
        StatementFacts::RegisterAgent { active } => lines.field(
            "Stage",
            if *active {
                "active at once: sessions granted to it can spend"
            } else {
                "created: nothing is signed for it before an owner activates it"
            },
        ),
        StatementFacts::ActivateAgent { agent } => {
            known(lines, "Agent", *agent, view)?;
            let stage = view.agent(*agent).ok_or(Code::AgentUnknown)?;
            lines.field("Stage", format_args!("{stage}, then active"));
        }
        _ => return Err(Code::StatementMalformed),
    }
    Ok(())
}

/// An agent that the signer knows.
pub(super) fn known(
    lines: &mut Lines,
    name: &str,
    agent: AgentId,
    view: &dyn StatementView,
) -> Result<(), Code> {
    view.agent(agent).ok_or(Code::AgentUnknown)?;
    lines.field(name, agent);
    Ok(())
}

fn rotate(
    lines: &mut Lines,
    id: WalletId,
    first_nonce: u64,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let facts = view.wallet(id).ok_or(Code::WalletUnknown)?;
    let on_evm = matches!(facts.account, Account::Evm(_));
    if !on_evm && first_nonce != 0 {
        return Err(Code::StatementMalformed);
    }
    lines.field("Wallet", id);
    lines.field("Old address", facts.account);
    lines.field("Old address afterwards", "only WITHDRAW pays from it");
    lines.field("New address", "of a key that this signer derives anew");
    if on_evm {
        lines.field("First nonce of the new address", first_nonce);
        skipped(lines, 0, first_nonce);
    }
    lines.field(
        "Kept",
        "sessions, rules, pools, and what was spent: no limit begins afresh",
    );
    lines.field("Payments that wait", "cancelled");
    lines.field("Funds", "stay at the old address until you withdraw them");
    lines.field("Undone by", "nothing");
    Ok(())
}

/// The next nonce of one of a wallet's keys.
pub(super) fn attest_nonce(
    lines: &mut Lines,
    key: (WalletId, Option<Account>),
    chain: ChainId,
    next: u64,
    view: &dyn StatementView,
) -> Result<(), Code> {
    // Solana has no account nonces.
    if !matches!(chain, ChainId::Evm(_)) {
        return Err(Code::StatementMalformed);
    }
    let (id, from) = key;
    let facts = view.wallet(id).ok_or(Code::WalletUnknown)?;
    require_network(&facts, chain)?;
    if from.is_some_and(|from| !facts.former.contains(&from)) {
        return Err(Code::WalletUnknown);
    }
    let known = view.nonces(id, from, chain);
    let known = known.ok_or(Code::NetworkNotBound)?;
    lines.field("Next nonce", next);
    lines.field("Signer's own next nonce", known.next);
    skipped(lines, known.next, next);
    network(lines, chain);
    wallet_by_key(lines, key, "Its old address", view).map(|_| ())
}
