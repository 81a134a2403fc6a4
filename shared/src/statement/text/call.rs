//! The lines of a waiting call: contract, function, what it carries and what counts as leaving, then every
//! argument with its type. All of it is what the bytes say, in full.

use super::lines::Lines;
use super::unit::Unit;
use crate::caip::AccountId;
use crate::denial::Code;
use crate::evm;
use crate::evm::abi::{Kind, Word, address_word};
use crate::intent::Intent;
use crate::policy::document::PolicyDocument;

pub(super) fn write(
    lines: &mut Lines,
    intent: &Intent,
    policy: Option<&PolicyDocument>,
) -> Result<(), Code> {
    let told = intent.call.as_deref().ok_or(Code::StatementMalformed)?;
    let chain = intent.asset.chain();
    let target = AccountId::new(chain, intent.to).map_err(|_| Code::StatementMalformed)?;
    lines.field("Contract", intent.to);
    let rule = policy
        .and_then(|policy| policy.call(target, &told.function.selector()))
        .and_then(|rule| rule.function(&told.function));
    match policy.and_then(|policy| policy.recipient(target)) {
        Some(contact) => {
            lines.field(
                "The contract is",
                format_args!("@{} in your policy", contact.name),
            );
        }
        None if rule.is_some() => {
            lines.field("The contract is", "named in your policy by its address");
        }
        None => lines.field("The contract is", "not named in your policy"),
    }
    if rule.is_none() {
        lines.field(
            "WARNING",
            "your newest policy does not let this function be called: the call will be refused",
        );
    }
    lines.field("Function", &told.function);
    lines.field(
        "Carries",
        Unit::of(intent.asset, policy).amount_of_asset(intent.amount),
    );
    let outflows = evm::outflows(told).map_err(|_| Code::StatementMalformed)?;
    let leaving: Vec<String> = outflows
        .into_iter()
        .map(|(asset, amount)| Unit::of(asset, policy).amount_of_asset(amount))
        .collect();
    if leaving.is_empty() {
        lines.field("Counted as leaving", "nothing but what it carries");
    }
    lines.list("Counted as leaving", &leaving);
    let own = address_word(told.from);
    let argument = |(kind, word): (Kind, &Word)| {
        let note = if kind == Kind::Address && *word == own {
            ", this wallet"
        } else {
            ""
        };
        format!("{kind} {}{note}", kind.show(word))
    };
    let arguments: Vec<String> = told.typed().map(argument).collect();
    if arguments.is_empty() {
        lines.field("Arguments", "none");
    }
    lines.list("Argument", &arguments);
    lines.field(
        "WARNING",
        "the contract's own code decides what the call does; it may move what it holds for this wallet, or was let take before",
    );
    Ok(())
}
