//! The texts about agents, and about wallets that are closed or moved to a new key. What goes on, and
//! what ends for good, stands in words.

use super::lines::Lines;
use super::{StatementView, skipped, wallet};
use crate::address::Account;
use crate::denial::Code;
use crate::ids::{AgentId, WalletId};
use crate::statement::StatementFacts;

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
