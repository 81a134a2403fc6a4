//! Methods of programs in words: each account, each argument, what may follow, and what leaves.

use std::collections::BTreeSet;

use super::calls::{ANYTHING, NOTHING, WALLET, section};
use super::words::Unit;
use super::{Item, Rank, Section, tier};
use crate::caip::AssetId;
use crate::policy::document::{
    AccountAccepts, AccountRule, CallProgram, CallRule, FieldAccepts, FieldRule,
};

/// The entry of a program's method.
pub(super) fn call(
    rule: &CallRule,
    program: &CallProgram,
    unit: &dyn Fn(AssetId) -> Unit,
) -> Section {
    let label = format!(
        "calls of {} with 0x{}",
        rule.target,
        hex::encode(&rule.method)
    );
    let mut items = vec![tier("tier, at least", Some(rule.tier))];
    let mut summary = format!("{label}, {}", rule.tier.as_str());
    for leaving in &program.outflow {
        // Counting as less is looser.
        let name = format!("counted as leaving each time, {}", leaving.asset);
        let value = unit(leaving.asset).shown(leaving.up_to);
        summary.push_str(&format!(", {value} counted as leaving each time"));
        items.push(Item {
            name,
            value,
            rank: Rank::Floor(leaving.up_to.base_units()),
        });
    }
    let mut accounts = program.accounts.iter();
    let signs = accounts.any(|one| one.accepts == AccountAccepts::Wallet);
    for (number, one) in (1_usize..).zip(&program.accounts) {
        let item = account(number, one, signs, unit);
        summary.push_str(&format!(", {} {}", item.name, item.value));
        items.push(item);
    }
    for (number, one) in (1_usize..).zip(&program.fields) {
        let name = format!("argument {number} ({})", one.kind);
        let accepts = field(&name, one, unit);
        summary.push_str(&format!(", {name} {}", accepts.value));
        items.push(accepts);
        let counted = spends(&name, one, unit);
        if one.spends.is_some() {
            summary.push_str(&format!(" counted as {}", counted.value));
        }
        items.push(counted);
    }
    if program.tail > 0 {
        summary.push_str(&format!(", then up to {} bytes of anything", program.tail));
    }
    items.push(Item {
        name: "bytes of anything behind the arguments, up to".to_owned(),
        value: program.tail.to_string(),
        rank: Rank::Ceiling(Some(program.tail.into())),
    });
    section(summary, label, items)
}

fn account(number: usize, rule: &AccountRule, signs: bool, unit: &dyn Fn(AssetId) -> Unit) -> Item {
    let access = if rule.writable {
        "writable"
    } else {
        "read-only"
    };
    let (value, rank) = match &rule.accepts {
        AccountAccepts::Any => {
            let what = format!("any but the wallet's and reserved programs, {access}");
            let value = if signs {
                format!("{what} (a program there may be given the wallet's signature)")
            } else {
                what
            };
            (value, Rank::Only(None))
        }
        AccountAccepts::OneOf(accounts) => {
            let known: BTreeSet<String> = accounts.iter().map(ToString::to_string).collect();
            let listed: Vec<&str> = known.iter().map(String::as_str).collect();
            let value = match listed.as_slice() {
                [one] => format!("{one}, {access}"),
                several => format!("one of {}, {access}", several.join(" ")),
            };
            // With other rights it is another thing.
            let ranked = known.into_iter().map(|one| format!("{one} {access}"));
            (value, Rank::Only(Some(ranked.collect())))
        }
        AccountAccepts::Wallet => ("this wallet, which signs".to_owned(), Rank::Choice),
        AccountAccepts::TokenAccount(asset) => (
            format!(
                "this wallet's account for {}, {asset}, {access}",
                unit(*asset).symbol()
            ),
            Rank::Choice,
        ),
    };
    Item {
        name: format!("account {number}"),
        value,
        rank,
    }
}

fn field(name: &str, rule: &FieldRule, unit: &dyn Fn(AssetId) -> Unit) -> Item {
    let only = |values: BTreeSet<String>| Rank::Only(Some(values));
    let (value, rank) = match &rule.accepts {
        // A number without bounds is a limit that is not there.
        FieldAccepts::Any if rule.kind.largest().is_some() => {
            (ANYTHING.to_owned(), Rank::Ceiling(None))
        }
        FieldAccepts::Any => (ANYTHING.to_owned(), Rank::Only(None)),
        FieldAccepts::Max(most) => {
            let value = match rule.spends {
                Some(asset) => format!("up to {most}, which is {}", unit(asset).shown(*most)),
                None => format!("up to {most}"),
            };
            (value, Rank::Ceiling(Some(most.base_units())))
        }
        FieldAccepts::OneOf(values) => {
            let values = values.iter();
            let shown: Vec<String> = values.map(|one| rule.kind.show(one.as_bytes())).collect();
            let value = format!("one of {}", shown.join(" "));
            (value, only(shown.into_iter().collect()))
        }
        FieldAccepts::Wallet => {
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
fn spends(name: &str, rule: &FieldRule, unit: &dyn Fn(AssetId) -> Unit) -> Item {
    let asset = rule.spends.map(|asset| asset.to_string());
    let value = rule.spends.map_or_else(
        || NOTHING.to_owned(),
        |asset| format!("{} leaving, {asset}", unit(asset).symbol()),
    );
    Item {
        name: format!("{name}, counted as"),
        value,
        rank: Rank::Members(asset.into_iter().collect()),
    }
}
