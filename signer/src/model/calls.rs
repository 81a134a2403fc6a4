//! What a document says of leave to take money later and of calls: a rule for each argument, compared as
//! bytes, and nothing that no rule was given for.

use waiaas_shared::address::Account;
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::{Accepts, CallRule, PolicyDocument};
use waiaas_shared::policy::evaluate::Tier;

use super::asking::{Asking, Does, Told};
use super::policy::Found;

/// The rule of a function at a contract.
pub(crate) fn rule_of<'a>(
    document: &'a PolicyDocument,
    contract: AccountId,
    function: &str,
) -> Option<&'a CallRule> {
    let named = |rule: &&CallRule| {
        let known = rule.function.as_ref();
        rule.target == contract && known.is_some_and(|it| it.signature.to_string() == function)
    };
    document.calls.iter().find(named)
}

pub(crate) fn judge(document: &PolicyDocument, asking: &Asking, found: &mut Found) {
    let lets_take = asking.parts.iter().any(|part| part.does == Does::LetsTake);
    if lets_take {
        found.raise(Tier::Approval);
    }
    let (Some(told), Some(contract)) = (&asking.told, asking.called()) else {
        return;
    };
    let Some(rule) = rule_of(document, contract, &told.function) else {
        found.when(true, Code::CallNotListed);
        return;
    };
    found.when(document.denied.contains(&contract), Code::RecipientDenied);
    found.raise(rule.tier);
    let carried = asking.parts.first().map_or(0, |part| part.amount);
    found.when(carried > rule.value_up_to.base_units(), Code::CallValue);
    arguments(rule, told, found);
    for (kind, word) in kinds(&told.function).zip(&told.words) {
        let address = address_of(word);
        let named = AccountId::new(asking.chain, Account::Evm(address)).expect("of the family");
        let denied = kind == "address" && document.denied.contains(&named);
        found.when(denied, Code::RecipientDenied);
    }
}

fn arguments(rule: &CallRule, told: &Told, found: &mut Found) {
    let rules = rule.function.iter().flat_map(|it| &it.arguments);
    for ((rule, word), spends) in rules.zip(&told.words).zip(&told.spends) {
        match &rule.accepts {
            Accepts::Any => {}
            Accepts::Max(most) => {
                found.when(word > most.as_bytes(), Code::CallArgumentLimit);
            }
            Accepts::OneOf(listed) => {
                let known = listed.iter().any(|one| one.as_bytes() == word);
                found.when(!known, Code::CallArgumentValue);
            }
            Accepts::Wallet => {
                found.when(
                    *word != word_of(told.from.as_bytes()),
                    Code::CallArgumentWallet,
                );
            }
        }
        found.when(rule.spends != *spends, Code::CallConflict);
    }
}

/// The types between the brackets.
pub(crate) fn kinds(function: &str) -> impl Iterator<Item = &str> {
    let inside = function.split_once('(').map_or("", |(_, inside)| inside);
    inside.trim_end_matches(')').split(',')
}

/// Bytes at the end of a word of zeros.
pub(crate) fn word_of(bytes: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[32 - bytes.len()..].copy_from_slice(bytes);
    word
}

fn address_of(word: &[u8; 32]) -> waiaas_shared::address::EvmAddress {
    let mut address = [0; 20];
    address.copy_from_slice(&word[12..]);
    waiaas_shared::address::EvmAddress::from_bytes(address)
}
