//! Calls in words: what may be called, and what each argument may be.

use std::collections::BTreeSet;

use super::words::Unit;
use super::{Item, Place, Presence, Rank, Section, programs, tier};
use crate::caip::AssetId;
use crate::evm::abi::Kind;
use crate::policy::document::{Accepts, ArgumentRule, CallRule};

/// What an argument without bounds says.
pub(super) const ANYTHING: &str = "anything";
/// What the wallet's own address is called.
pub(super) const WALLET: &str = "this wallet's address";
/// What an argument that is no amount counts as.
pub(super) const NOTHING: &str = "nothing";

pub(super) fn call(rule: &CallRule, unit: &dyn Fn(AssetId) -> Unit) -> Section {
    if let Some(program) = &rule.program {
        return programs::call(rule, program, unit);
    }
    let value = unit(rule.target.chain().native_asset());
    let mut items = vec![
        tier("tier, at least", Some(rule.tier)),
        value.ceiling("most that one carries", Some(rule.value_up_to)),
    ];
    let Some(function) = &rule.function else {
        let method = hex::encode(&rule.method);
        let label = format!("calls of {} with 0x{method}", rule.target);
        return section(format!("{label}, {}", rule.tier.as_str()), label, items);
    };
    let label = format!("calls of {} by {}", rule.target, function.signature);
    let mut summary = format!(
        "{label}, {}, carrying up to {}",
        rule.tier.as_str(),
        value.shown(rule.value_up_to)
    );
    let typed = function.signature.parameters().iter().copied();
    for (number, (kind, argument)) in (1_usize..).zip(typed.zip(&function.arguments)) {
        let name = format!("argument {number} ({kind})");
        let accepts = accepts(&name, kind, argument, unit);
        summary.push_str(&format!(", {name} {}", accepts.value));
        items.push(accepts);
        let spends = spends(&name, argument, unit);
        if argument.spends.is_some() {
            summary.push_str(&format!(" counted as {}", spends.value));
        }
        items.push(spends);
    }
    section(summary, label, items)
}

pub(super) fn section(summary: String, label: String, items: Vec<Item>) -> Section {
    Section {
        place: Place::Other,
        label,
        summary,
        items,
        presence: Presence::Grant,
    }
}

fn accepts(
    name: &str,
    kind: Kind,
    argument: &ArgumentRule,
    unit: &dyn Fn(AssetId) -> Unit,
) -> Item {
    let only = |words: BTreeSet<String>| Rank::Only(Some(words));
    let (value, rank) = match &argument.accepts {
        // A number without bounds is a limit that is not there.
        Accepts::Any if matches!(kind, Kind::Uint(_)) => (ANYTHING.to_owned(), Rank::Ceiling(None)),
        Accepts::Any => (ANYTHING.to_owned(), Rank::Only(None)),
        Accepts::Max(most) => {
            let number = kind.show(most);
            // Where it is an amount, people read it in its unit.
            let value = match (argument.spends, most.number()) {
                (Some(asset), Some(most)) => {
                    let most = crate::amount::Amount::from_base_units(most);
                    format!("up to {number}, which is {}", unit(asset).shown(most))
                }
                _ => format!("up to {number}"),
            };
            // More than is compared as a number is any change.
            let rank = most
                .number()
                .map_or(Rank::Choice, |most| Rank::Ceiling(Some(most)));
            (value, rank)
        }
        Accepts::OneOf(words) => {
            let shown: Vec<String> = words.iter().map(|word| kind.show(word)).collect();
            let value = format!("one of {}", shown.join(" "));
            (value, only(shown.into_iter().collect()))
        }
        Accepts::Wallet => {
            let wallet = WALLET.to_owned();
            (wallet.clone(), only(BTreeSet::from([wallet])))
        }
    };
    Item {
        name: name.to_owned(),
        value,
        rank,
    }
}

/// Counting as less is looser.
fn spends(name: &str, argument: &ArgumentRule, unit: &dyn Fn(AssetId) -> Unit) -> Item {
    let asset = argument.spends.map(|asset| asset.to_string());
    let value = argument.spends.map_or_else(
        || NOTHING.to_owned(),
        |asset| format!("{} leaving, {asset}", unit(asset).symbol()),
    );
    Item {
        name: format!("{name}, counted as"),
        value,
        rank: Rank::Members(asset.into_iter().collect()),
    }
}
