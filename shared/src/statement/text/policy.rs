//! The text of a policy: what it can cost at worst, and every loosening against the document adopted
//! before it, in words. The document itself stands behind its digest.

use super::StatementView;
use super::lines::Lines;
use super::unit::{Unit, coin_decimals};
use crate::amount::Amount;
use crate::denial::Code;
use crate::policy::diff::{Change, diff};
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::policy::evaluate::Tier;
use crate::policy::items::{Place, duration};
use crate::policy::limits::Limits;
use crate::policy::scope::Scope;
use crate::policy::windows::Window;

/// Entries of one kind that an owner can be asked to read, at most.
const READABLE: usize = 8;
/// Where to find what is only counted.
const ELSEWHERE: &str = "listed in the document of this digest";

/// Writes the fields of a policy.
pub(super) fn write(lines: &mut Lines, bytes: &[u8], view: &dyn StatementView) -> Result<(), Code> {
    let document = PolicyDocument::from_bytes(bytes).map_err(|_| Code::PolicyMalformed)?;
    let newest = view.newest_policy();
    // A voided document is compared with no more, but its epoch was given.
    if Some(document.epoch) != view.policy_epoch().checked_add(1) {
        return Err(Code::PolicyEpoch);
    }
    lines.field("Document", document.digest());
    lines.field("Document epoch", document.epoch);
    lines.field("Later policies wait", duration(document.maturity));
    lines.field("Payments in DELAY wait", duration(document.delay));
    let approval = document.approval;
    lines.field(
        "Payments in APPROVAL ask",
        format_args!(
            "{} of you within {}",
            approval.quorum,
            duration(approval.lifetime)
        ),
    );
    cautions(lines, &document);
    match newest {
        Some(newest) => changes(lines, newest, &document, view),
        None => whole(lines, &document, view),
    }
}

/// A first document: everything in it is new. Assets and recipients have lines of their own.
fn whole(
    lines: &mut Lines,
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let assets: Vec<_> = document.assets.iter().collect();
    worst_losses(lines, &assets, document, view)?;
    let nothing = PolicyDocument {
        assets: Vec::new(),
        recipients: Vec::new(),
        recipients_open: false,
        calls: Vec::new(),
        validators: None,
        tables: None,
        escalations: Vec::new(),
        sign_ins: None,
        ..document.clone()
    };
    let mut others = diff(&nothing, document).loosenings;
    others.retain(|change| matches!(change.place, Place::Document | Place::Other));
    listed(lines, "Leave", &others)?;
    recipients(lines, document);
    Ok(())
}

fn recipients(lines: &mut Lines, document: &PolicyDocument) {
    if document.recipients.len() > READABLE {
        lines.field(
            "Recipients",
            format_args!("{}, {ELSEWHERE}", document.recipients.len()),
        );
    } else {
        let recipients: Vec<_> = document
            .recipients
            .iter()
            .map(|known| format!("{}, called {}", known.account, known.name))
            .collect();
        lines.field("Recipients", recipients.len());
        lines.list("Recipient", &recipients);
    }
}

/// A later document: what it loosens, in words.
fn changes(
    lines: &mut Lines,
    newest: &PolicyDocument,
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let diff = diff(newest, document);
    lines.field("Loosenings", diff.loosenings.len());
    listed(lines, "Loosening", &diff.loosenings)?;
    lines.field("Tightenings", diff.tightenings.len());
    // All assets, or, where they are too many, those of which more can be lost than before.
    let all = document.assets.len() <= READABLE;
    let loosened = |rule: &AssetRule| {
        let mut places = diff.loosenings.iter().map(|change| change.place);
        places.any(|place| place == Place::Asset(rule.asset))
    };
    let assets: Vec<_> = document
        .assets
        .iter()
        .filter(|rule| all || loosened(rule))
        .collect();
    worst_losses(lines, &assets, document, view)?;
    lines.field("Recipients", document.recipients.len());
    Ok(())
}

/// What lets more pass. More than eight could not be read with care: the document must be split.
fn listed(lines: &mut Lines, name: &str, changes: &[Change]) -> Result<(), Code> {
    if changes.len() > READABLE {
        return Err(Code::StatementMalformed);
    }
    let words: Vec<_> = changes.iter().map(|change| &change.words).collect();
    lines.list(name, &words);
    Ok(())
}

/// The worst loss of some of the document's assets. A loss that nobody could read is refused: more
/// than eight assets come one document after the other.
fn worst_losses(
    lines: &mut Lines,
    shown: &[&AssetRule],
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    if shown.len() > READABLE {
        return Err(Code::StatementMalformed);
    }
    if shown.len() == document.assets.len() {
        lines.field("Assets", shown.len());
    } else {
        lines.field(
            "Assets",
            format_args!("{}, {ELSEWHERE}", document.assets.len()),
        );
    }
    let losses: Vec<_> = shown
        .iter()
        .map(|rule| worst_loss(rule, document, view))
        .collect::<Result<_, _>>()?;
    lines.list("Worst loss", &losses);
    Ok(())
}

/// What can be lost in all, and without an approval. Limits hold for each wallet, so each wallet of the
/// chain can lose them, as far as nothing limits all of them together.
fn worst_loss(
    rule: &AssetRule,
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<String, Code> {
    let wallets = view.wallets_on(rule.asset.chain());
    let factor = u128::try_from(wallets).map_err(|_| Code::Overflow)?.max(1);
    let unit = Unit::of_rule(rule);
    let of_each = rule.limits();
    let of_all = document
        .scopes
        .iter()
        .filter(|scope| scope.scope == Scope::Global)
        .find_map(|scope| scope.limits(rule.asset));
    let lost = |bound: &dyn Fn(&Limits) -> Option<Amount>| {
        let each = bound(&of_each).and_then(|each| each.checked_mul(factor));
        let all = of_all.and_then(bound);
        let least = each.into_iter().chain(all).min();
        least.map(|sum| unit.amount(sum)).ok_or(Code::Overflow)
    };
    let over = match wallets {
        0 => "for each wallet, none exists yet".to_owned(),
        1 => "1 wallet".to_owned(),
        more => format!("{more} wallets"),
    };
    let unsent = if rule.sign_only {
        ", may be signed without being sent"
    } else {
        ""
    };
    let losses = |of: &dyn Fn(&Limits, Window) -> Option<Amount>| {
        let day = lost(&|limits| of(limits, Window::Day))?;
        let month = lost(&|limits| of(limits, Window::Month))?;
        Ok::<_, Code>(format!("{day} a day, {month} a month"))
    };
    let in_all = losses(&|limits, window| limits.bound(window))?;
    let alone = losses(&|limits, window| limits.bound_below(Tier::Approval, window))?;
    // A text that says everything twice fits no hardware wallet.
    let alone = if alone == in_all {
        "all of it without you".to_owned()
    } else {
        format!("without you {alone}")
    };
    Ok(format!("{}, {in_all}, {alone}, {over}{unsent}", rule.asset))
}

/// A document that counts a chain's own coin in another unit than the chain makes every amount of it
/// read wrong; one that asks instead of refusing has no worst loss but what its owner approves.
fn cautions(lines: &mut Lines, document: &PolicyDocument) {
    for rule in &document.assets {
        if coin_decimals(rule.asset).is_some_and(|usual| usual != rule.decimals) {
            lines.field(
                "CAUTION",
                format_args!(
                    "{} is counted with {} decimals, which is not its chain's way",
                    rule.asset,
                    rule.decimals.places()
                ),
            );
        }
    }
    let asks = document
        .escalations
        .iter()
        .any(|entry| entry.action == crate::policy::alarm::Action::Ask);
    if asks {
        lines.field("CAUTION", "what you approve may exceed the limits");
    }
    if document.calls.iter().any(|rule| rule.function.is_some()) {
        lines.field(
            "CAUTION",
            "what a called contract moves by its own code is in no worst loss",
        );
    }
    if document.calls.iter().any(|rule| rule.program.is_some()) {
        lines.field(
            "CAUTION",
            "what a called program takes beyond what you count as leaving is in no worst loss",
        );
    }
    if document.tables().next().is_some() {
        lines.field(
            "CAUTION",
            "an address out of a lookup table is read as this document has it, not as the chain does",
        );
    }
    if document.recipients_open {
        lines.field("CAUTION", "anybody may receive, not only contacts");
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
