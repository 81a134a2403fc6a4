//! The lines of a waiting call of a program: program, method, what counts as leaving, then every argument and
//! every account with its rights. All of it is what the bytes say, in full, but for what counts as leaving of
//! that which no argument says: that is the owner's own word.

use super::lines::Lines;
use super::unit::Unit;
use crate::address::SolanaAddress;
use crate::caip::{AccountId, ChainId};
use crate::denial::Code;
use crate::intent::Intent;
use crate::policy::document::{AccountAccepts, PolicyDocument};
use crate::solana::{FieldKind, ProgramCall};

/// Of an account that the policy leaves to the agent, where the wallet signs.
const NAMED_BY_AGENT: &str =
    ", the agent's choice: a program there may be given this wallet's signature";

pub(super) fn write(
    lines: &mut Lines,
    intent: &Intent,
    told: &ProgramCall,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let chain = intent.asset.chain();
    let target = AccountId::new(chain, intent.to).map_err(|_| Code::StatementMalformed)?;
    lines.field("Program", intent.to);
    let rule = policy.and_then(|policy| policy.call(target, &told.data));
    let method = rule.and_then(|rule| rule.program_method());
    let known = method.is_some_and(|method| method == told.method);
    match policy.and_then(|policy| policy.recipient(target)) {
        Some(contact) => lines.field(
            "The program is",
            format_args!("@{} in your policy", contact.name),
        ),
        None if known => lines.field("The program is", "named in your policy by its address"),
        None => lines.field("The program is", "not named in your policy"),
    }
    if !known {
        lines.field(
            "WARNING",
            "your newest policy does not let this method be called like this: the call will be refused",
        );
    }
    lines.field(
        "Method",
        format_args!("0x{}", hex::encode(&told.method.begins)),
    );
    let leaving: Vec<String> = told
        .outflows()
        .into_iter()
        .map(|(asset, amount)| Unit::of(asset, policy).amount_of_asset(amount))
        .collect();
    if leaving.is_empty() {
        lines.field("Counted as leaving", "nothing");
    }
    lines.list("Counted as leaving", &leaving);
    let arguments: Vec<String> = told
        .fields()
        .map(|(field, value)| {
            let own = field.kind == FieldKind::Address && value == told.from.as_bytes();
            let note = if own { ", this wallet" } else { "" };
            format!("{} {}{note}", field.kind, field.kind.show(value))
        })
        .collect();
    if arguments.is_empty() {
        lines.field("Arguments", "none");
    }
    lines.list("Argument", &arguments);
    if !told.tail().is_empty() {
        let behind = hex::encode(told.tail());
        lines.field("Behind the arguments", format_args!("0x{behind}"));
    }
    let places = rule.and_then(|rule| rule.program.as_ref());
    let places = places.filter(|_| known && told.signs());
    let is_any = |place: usize| {
        let place = places.and_then(|program| program.accounts.get(place));
        place.is_some_and(|place| place.accepts == AccountAccepts::Any)
    };
    let accounts: Vec<String> = (0..)
        .zip(told.uses())
        .map(|(place, (account, writable))| {
            let access = if writable { "writable" } else { "read-only" };
            let whose = whose(account, told, chain, policy);
            let note = if is_any(place) { NAMED_BY_AGENT } else { "" };
            format!("{account}, {whose}{access}{note}")
        })
        .collect();
    if accounts.is_empty() {
        lines.field("Accounts", "none");
    }
    lines.list("Account", &accounts);
    lines.field(
        "WARNING",
        if told.signs() {
            "the program has this wallet's signature: its own code decides what it takes of the wallet's coin and of every writable account above, also more than is counted"
        } else {
            "the program's own code decides what the call does with the writable accounts above"
        },
    );
    Ok(())
}

/// Whose account it is, as far as the policy knows.
fn whose(
    account: SolanaAddress,
    told: &ProgramCall,
    chain: ChainId,
    policy: Option<&PolicyDocument>,
) -> String {
    if account == told.from {
        return "this wallet, signs, ".to_owned();
    }
    let assets = policy.map_or(&[][..], |policy| policy.assets.as_slice());
    let here = assets.iter().filter(|rule| rule.asset.chain() == chain);
    let held = here
        .filter_map(|rule| Some((rule, rule.mint()?)))
        .find(|(_, mint)| mint.account_of(told.from) == account);
    held.map_or_else(String::new, |(rule, _)| {
        format!("this wallet's account for {}, ", rule.symbol)
    })
}
