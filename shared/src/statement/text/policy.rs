//! The text of a policy: what it can cost at worst, and every loosening against the document adopted
//! before it, in words. The document itself stands behind its digest.

use super::StatementView;
use super::lines::Lines;
use super::unit::{Unit, coin_decimals};
use crate::amount::Amount;
use crate::denial::Code;
use crate::policy::diff::{Limit, Loosening, diff};
use crate::policy::document::{AssetRule, PolicyDocument};
use crate::time::Millis;

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
    cautions(lines, &document);
    match newest {
        Some(newest) => changes(lines, newest, &document, view),
        None => whole(lines, &document, view),
    }
}

/// A first document: everything in it is new.
fn whole(
    lines: &mut Lines,
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let assets: Vec<_> = document.assets.iter().collect();
    worst_losses(lines, &assets, document, view)?;
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
    Ok(())
}

/// A later document: what it loosens, in words.
fn changes(
    lines: &mut Lines,
    newest: &PolicyDocument,
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let diff = diff(newest, document);
    // More could not be read with care: the change must be split.
    if diff.loosenings.len() > READABLE {
        return Err(Code::StatementMalformed);
    }
    let words: Vec<_> = diff.loosenings.iter().map(in_words).collect();
    lines.field("Loosenings", words.len());
    lines.list("Loosening", &words);
    lines.field("Tightenings", diff.tightenings);
    // All assets, or, where they are too many, those of which more can be lost than before.
    let all = document.assets.len() <= READABLE;
    let loosened = |rule: &AssetRule| {
        diff.loosenings
            .iter()
            .any(|loosening| loosening.rule().is_some_and(|it| it.asset == rule.asset))
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

/// The worst loss of some of the document's assets; of none, if they are more than can be read.
fn worst_losses(
    lines: &mut Lines,
    shown: &[&AssetRule],
    document: &PolicyDocument,
    view: &dyn StatementView,
) -> Result<(), Code> {
    let shown = if shown.len() > READABLE { &[] } else { shown };
    let words: Vec<_> = shown
        .iter()
        .map(|rule| worst_loss(rule, view))
        .collect::<Result<_, _>>()?;
    if shown.len() == document.assets.len() {
        lines.field("Assets", shown.len());
    } else {
        lines.field(
            "Assets",
            format_args!("{}, {ELSEWHERE}", document.assets.len()),
        );
    }
    lines.list("Worst loss", &words);
    Ok(())
}

/// Limits hold per wallet, so each wallet of the chain can lose them.
fn worst_loss(rule: &AssetRule, view: &dyn StatementView) -> Result<String, Code> {
    let wallets = view.wallets_on(rule.asset.chain());
    let factor = u128::try_from(wallets).map_err(|_| Code::Overflow)?.max(1);
    let unit = Unit::of_rule(rule);
    let lost = |limit: Amount| {
        limit
            .checked_mul(factor)
            .map(|sum| unit.amount(sum))
            .ok_or(Code::Overflow)
    };
    let (day, month) = (lost(rule.day)?, lost(rule.month)?);
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
    Ok(format!(
        "{}, {day} a day, {month} a month, {over}{unsent}",
        rule.asset
    ))
}

/// A document that counts a chain's own coin in another unit than the chain makes every amount of it
/// read wrong.
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
}

fn in_words(loosening: &Loosening<'_>) -> String {
    match loosening {
        Loosening::Maturity { before, after } => {
            format!(
                "later policies wait {} instead of {}",
                duration(*after),
                duration(*before)
            )
        }
        Loosening::NewAsset(rule) => {
            let unit = Unit::of_rule(rule);
            let fee = rule
                .fee_ceiling
                .map(|fee| format!(", fee up to {}", unit.amount(fee)))
                .unwrap_or_default();
            format!(
                "new asset {}, called {} with {} decimals, up to {} a transaction{fee}",
                rule.asset,
                rule.symbol,
                rule.decimals.places(),
                unit.amount(rule.per_transaction)
            )
        }
        Loosening::Unit { before, after } => format!(
            "{} is called {} with {} decimals instead of {} with {}",
            after.asset,
            after.symbol,
            after.decimals.places(),
            before.symbol,
            before.decimals.places()
        ),
        Loosening::Raised {
            rule,
            limit,
            before,
            after,
        } => {
            let unit = Unit::of_rule(rule);
            let name = limit_in_words(*limit);
            format!(
                "{}, {name} raised from {} to {}",
                rule.asset,
                unit.amount(*before),
                unit.amount(*after)
            )
        }
        Loosening::DayCount {
            rule,
            before,
            after,
        } => {
            let after = after.map_or_else(|| "any number".to_owned(), |count| count.to_string());
            format!(
                "{}, transactions a day raised from {before} to {after}",
                rule.asset
            )
        }
        Loosening::SignOnly(rule) => format!("{}, may be signed without being sent", rule.asset),
        Loosening::NewRecipient(known) => {
            format!("new recipient {}, called {}", known.account, known.name)
        }
        Loosening::RenamedRecipient { before, after } => {
            format!(
                "recipient {}, called {} instead of {}",
                after.account, after.name, before.name
            )
        }
    }
}

const fn limit_in_words(limit: Limit) -> &'static str {
    match limit {
        Limit::PerTransaction => "most in one transaction",
        Limit::Hour => "most an hour",
        Limit::Day => "most a day",
        Limit::Week => "most a week",
        Limit::Month => "most a month",
        Limit::InstantUpTo => "most that is signed at once without telling you",
        Limit::NotifyUpTo => "most that is signed at once",
        Limit::FeeCeiling => "highest fee of one transaction",
        Limit::Outstanding => "most signed between two attestations of the nonce",
    }
}

/// In the largest unit that has no remainder.
fn duration(wait: Millis) -> String {
    let millis = wait.millis();
    let units = [(3_600_000, "hour"), (60_000, "minute"), (1000, "second")];
    let whole = units
        .into_iter()
        .find(|(length, _)| millis.is_multiple_of(*length));
    let (length, name) = whole.unwrap_or((1, "millisecond"));
    let count = millis / length;
    if count == 1 {
        format!("1 {name}")
    } else {
        format!("{count} {name}s")
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
