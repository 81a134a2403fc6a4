//! Calls of contracts, read word by word (O2): which of a document's functions it is, what each argument may
//! be, and of which token it is an amount. A call that a document does not name is nobody's.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::policy::document::{Accepts, CallRule, PolicyDocument};
use waiaas_shared::session::{Operation, SessionGrant};

use super::account_bytes;
use super::limits::{Case, Demand};
use crate::bytes::{Outflow, Told, keccak};

type Word = [u8; 32];

/// The rule of the function that is told, and its words.
fn rule<'a>(
    document: &'a PolicyDocument,
    chain: ChainId,
    told: &Told,
) -> Result<(&'a CallRule, Vec<Word>)> {
    let (begins, rest) = told.data.split_at_checked(4).context("a selector")?;
    let (words, behind) = rest.as_chunks::<32>();
    ensure!(behind.is_empty(), "bytes behind the last argument");
    let named = |rule: &&CallRule| {
        let target =
            rule.target.chain() == chain && account_bytes(rule.target.account()) == told.to;
        let function = rule.function.as_ref();
        target
            && function
                .is_some_and(|it| keccak(it.signature.to_string().as_bytes()).starts_with(begins))
    };
    let rule = document.calls.iter().find(named);
    let rule = rule.context("a call that nobody registered")?;
    let arguments = rule.function.as_ref().map_or(0, |it| it.arguments.len());
    ensure!(words.len() == arguments, "as many arguments as there are");
    Ok((rule, words.to_vec()))
}

/// What the arguments let leave, by every document that binds alike.
pub(super) fn agreed<'a>(
    documents: impl Iterator<Item = &'a PolicyDocument>,
    chain: ChainId,
    outflow: &Outflow,
) -> Result<BTreeMap<AssetId, u128>> {
    let Some(told) = &outflow.told else {
        return Ok(BTreeMap::new());
    };
    let mut all = Vec::new();
    for document in documents {
        let (rule, words) = rule(document, chain, told)?;
        let mut spent = BTreeMap::new();
        let rules = rule.function.iter().flat_map(|it| &it.arguments);
        for (rule, word) in rules.zip(&words) {
            if let Some(asset) = rule.spends {
                let (high, low) = word.split_at(16);
                ensure!(
                    high.iter().all(|byte| *byte == 0),
                    "more than can be counted"
                );
                let sum: &mut u128 = spent.entry(asset).or_default();
                *sum = sum
                    .checked_add(u128::from_be_bytes(low.try_into()?))
                    .context("a sum")?;
            }
        }
        all.push(spent);
    }
    let first = all.first().cloned().context("a policy")?;
    ensure!(
        all.iter().all(|spent| *spent == first),
        "counted in two ways"
    );
    Ok(first)
}

/// Only a session that names calls makes any.
pub(super) fn may_call(grant: &SessionGrant, outflow: &Outflow) -> Result<()> {
    let named = grant.operations.iter().flatten();
    let mut named = named.filter(|operation| **operation == Operation::Call);
    ensure!(
        outflow.told.is_none() || named.next().is_some(),
        "a session without calls"
    );
    Ok(())
}

/// Whether the document lets this call be, with these arguments.
pub(super) fn judge(case: &Case<'_>, asks: &mut Demand) -> Result<()> {
    let Some(told) = &case.outflow.told else {
        return Ok(());
    };
    let chain = case.spend.chain;
    let (rule, words) = rule(case.document, chain, told)?;
    asks.tier = asks.tier.max(rule.tier);
    ensure!(
        told.value <= rule.value_up_to.base_units(),
        "the call's value"
    );
    let denied = |address: &[u8]| {
        let mut denied = case.document.denied.iter();
        denied.any(|one| one.chain() == chain && account_bytes(one.account()) == address)
    };
    ensure!(!denied(&told.to), "a denied contract");
    let function = rule.function.as_ref().context("a function")?;
    let signature = function.signature.to_string();
    let kinds = signature.trim_end_matches(')').split_once('(');
    let kinds = kinds.map_or("", |(_, inside)| inside).split(',');
    for ((rule, word), kind) in function.arguments.iter().zip(&words).zip(kinds) {
        match &rule.accepts {
            Accepts::Any => {}
            Accepts::Max(most) => ensure!(word <= most.as_bytes(), "an argument above its limit"),
            Accepts::OneOf(listed) => {
                let known = listed.iter().any(|one| one.as_bytes() == word);
                ensure!(known, "a value that is not listed");
            }
            Accepts::Wallet => {
                let own = account_bytes(case.account);
                ensure!(word.ends_with(&own), "for another than the wallet");
            }
        }
        // What no bit of the type says is no other way to say it.
        let (front, value) = word.split_at(12);
        let (four, behind) = word.split_at(4);
        match kind {
            "address" => {
                ensure!(front.iter().all(|byte| *byte == 0), "a dirty address");
                ensure!(!denied(value), "a denied account in an argument");
            }
            "bytes4" => ensure!(
                behind.iter().all(|byte| *byte == 0) && four.len() == 4,
                "dirty bytes"
            ),
            _ => {}
        }
    }
    Ok(())
}

/// What a contract is told, by the names that a waiting payment has.
pub(super) fn told_of(
    to: Account,
    value: u128,
    call: &waiaas_shared::evm::abi::Invocation,
) -> Told {
    let begins = keccak(call.function.to_string().as_bytes());
    let words = call.arguments.iter().flat_map(|word| *word.as_bytes());
    Told {
        to: account_bytes(to),
        value,
        data: begins.into_iter().take(4).chain(words).collect(),
    }
}
