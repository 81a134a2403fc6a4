//! The texts about who may sign for the owner: owners, guardians, quorum, suspension, recovery, credit
//! and retirement. Keys stand in full beside their identifiers.

use super::lines::Lines;
use super::unit::Unit;
use super::{StatementView, wallet};
use crate::denial::Code;
use crate::event::Charge;
use crate::ids::{OwnerId, StatementId};
use crate::keys::OwnerKey;
use crate::session::ENTRIES_LIMIT;
use crate::statement::{GuardianStop, StatementFacts};

/// When a change takes effect.
pub(super) const WAITS: &str = "after 72 hours of the signer's running time";
const AT_ONCE: &str = "at once";

/// Writes the fields of a statement about owners; any other kind is refused.
pub(super) fn write(
    lines: &mut Lines,
    facts: &StatementFacts,
    view: &dyn StatementView,
) -> Result<(), Code> {
    match facts {
        StatementFacts::AddOwner { key } => {
            new_key(lines, key);
            owners(lines, view);
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::RemoveOwner { owner } => {
            known(
                lines,
                "Owner",
                *owner,
                view.owner_key(*owner),
                Code::OwnerUnknown,
            )?;
            owners(lines, view);
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::SetQuorum { quorum } => {
            if *quorum == 0 {
                return Err(Code::QuorumRange);
            }
            lines.field("Owners who must sign together", quorum);
            owners(lines, view);
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::CancelOwnerChange { change } => cancelled(lines, *change, view)?,
        StatementFacts::SuspendOwner { owner } | StatementFacts::LiftSuspension { owner } => {
            known(
                lines,
                "Owner",
                *owner,
                view.owner_key(*owner),
                Code::OwnerUnknown,
            )?;
            owners(lines, view);
            lines.field("Takes effect", AT_ONCE);
        }
        StatementFacts::Credit {
            sequence,
            transaction,
            wallet: id,
            amounts,
        } => {
            lines.field("Payment", transaction);
            lines.field("Log entry", sequence);
            credit(lines, amounts, view)?;
            wallet(lines, *id, view).map(|_| ())?;
        }
        StatementFacts::RecoverOwners { key } => {
            new_key(lines, key);
            owners(lines, view);
            lines.field("Owners afterwards", "this key alone, the others suspended");
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::AddGuardian { key } => {
            new_key(lines, key);
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::RemoveGuardian { guardian } => {
            let key = view.guardian_key(*guardian);
            known(lines, "Guardian", *guardian, key, Code::GuardianUnknown)?;
            lines.field("Takes effect", WAITS);
        }
        StatementFacts::GuardianStop { stop } => match stop {
            GuardianStop::PauseAll => lines.field("Stop", "pause everything"),
            GuardianStop::Kill => lines.field("Stop", "throw the kill switch"),
            GuardianStop::CancelChange { change } => {
                lines.field("Stop", "cancel the change below");
                cancelled(lines, *change, view)?;
            }
        },
        StatementFacts::Retire => {
            lines.field("Afterwards", "no payment, no withdrawal, no unlock");
            lines.field(
                "Before",
                "withdraw what the wallets hold, or keep the recovery phrase",
            );
        }
        _ => return Err(Code::StatementMalformed),
    }
    Ok(())
}

/// The key as its wallet shows it, and its curve.
pub(super) fn new_key(lines: &mut Lines, key: &OwnerKey) {
    lines.field("Key", key);
    lines.field(
        "Kind of key",
        match key {
            OwnerKey::Ed25519(_) => "Ed25519, a Solana wallet",
            OwnerKey::Secp256k1(_) => "secp256k1, an EVM wallet",
        },
    );
}

fn known(
    lines: &mut Lines,
    whose: &str,
    id: OwnerId,
    key: Option<OwnerKey>,
    unknown: Code,
) -> Result<(), Code> {
    let key = key.ok_or(unknown)?;
    lines.field(whose, id);
    new_key(lines, &key);
    Ok(())
}

fn owners(lines: &mut Lines, view: &dyn StatementView) {
    let quorum = view.quorum();
    lines.field(
        "Owners now",
        format_args!("{}, of whom {} must sign", quorum.owners, quorum.needed),
    );
}

fn cancelled(lines: &mut Lines, change: StatementId, view: &dyn StatementView) -> Result<(), Code> {
    let words = view.pending(change).ok_or(Code::OwnerChangeUnknown)?;
    lines.field("Change", change);
    lines.field("What it would do", words);
    Ok(())
}

fn credit(lines: &mut Lines, amounts: &[Charge], view: &dyn StatementView) -> Result<(), Code> {
    let sorted = amounts.is_sorted_by(|one, other| one.asset < other.asset);
    let some = amounts
        .iter()
        .all(|given| given.amount > crate::amount::Amount::ZERO);
    if !(1..=ENTRIES_LIMIT).contains(&amounts.len()) || !sorted || !some {
        return Err(Code::StatementMalformed);
    }
    let words: Vec<_> = amounts
        .iter()
        .map(|given| Unit::of(given.asset, view.newest_policy()).amount_of_asset(given.amount))
        .collect();
    lines.list("Credit", &words);
    Ok(())
}
