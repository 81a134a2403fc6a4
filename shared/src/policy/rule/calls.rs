//! What reaches further than a payment: leave for somebody to take money later, and calls of programs
//! and contracts. Of a contract's function every argument is judged; an argument that is an amount must
//! be counted as this document counts it.

use super::{Case, Findings, programs};
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};
use crate::denial::{Code, Violation};
use crate::effect::Effect;
use crate::evm;
use crate::evm::abi::{Invocation, Kind};
use crate::policy::document::{Accepts, CallFunction, CallRule};
use crate::policy::evaluate::{Reason, Tier};

pub(super) fn judge(case: &Case<'_>, findings: &mut Findings) {
    // What the calls before let leave besides, and which has not been met yet.
    let mut expected: Vec<(AssetId, Amount)> = Vec::new();
    for effect in case.payment.effects {
        match effect {
            Effect::Transfer { .. }
            | Effect::Fee { .. }
            | Effect::Rent { .. }
            | Effect::Stake { .. } => {}
            Effect::Program { asset, value, told } => {
                let native = case.payment.chain.native_asset();
                if programs::judge(case, told, findings) {
                    expected.extend(told.tokens_leaving(case.payment.chain));
                }
                // What leaves of the coin stands with the call itself.
                if (*asset, *value) != (native, told.leaving(native)) {
                    findings.refuse(Violation::of(Code::CallConflict));
                }
            }
            // Counted in full and only for those who may receive; and never without the owner.
            Effect::Approval { .. } => findings.raise(Tier::Approval, Reason::Allowance),
            Effect::Call {
                target,
                method,
                asset,
                value,
                told,
            } => {
                let rule = AccountId::new(case.payment.chain, *target)
                    .ok()
                    .and_then(|target| case.document.call(target, method));
                let Some(rule) = rule else {
                    findings.refuse(Violation::of(Code::CallNotListed));
                    continue;
                };
                if case.document.denies(rule.target) {
                    findings.refuse(Violation::of(Code::RecipientDenied));
                }
                findings.raise(rule.tier, Reason::Call);
                let own = *asset == case.payment.chain.native_asset();
                match (told, &rule.function) {
                    (None, None) if rule.program.is_none() => {
                        carries(rule, *asset, *value, findings);
                    }
                    (Some(told), Some(_)) if own => {
                        carries(rule, *asset, *value, findings);
                        match rule.function(&told.function) {
                            Some(function) => {
                                arguments(function, told, findings);
                                names(case, told, findings);
                                expected.extend(evm::outflows(told).unwrap_or_default());
                            }
                            None => findings.refuse(Violation::of(Code::CallNotListed)),
                        }
                    }
                    // What leaves besides stands behind the call with which it leaves.
                    (None, _) if expected.first() == Some(&(*asset, *value)) => {
                        expected.remove(0);
                    }
                    _ => findings.refuse(Violation::of(Code::CallNotListed)),
                }
            }
        }
    }
    if !expected.is_empty() {
        findings.refuse(Violation::of(Code::CallConflict));
    }
}

fn carries(rule: &CallRule, asset: AssetId, value: Amount, findings: &mut Findings) {
    if value > rule.value_up_to {
        let most = rule.value_up_to;
        findings.refuse(Violation::limit(Code::CallValue, asset, value, most));
    }
}

fn arguments(function: &CallFunction, told: &Invocation, findings: &mut Findings) {
    // Checked documents have a rule for each parameter; what was not checked lets nothing pass.
    if function.arguments.len() != told.arguments.len() {
        findings.refuse(Violation::of(Code::CallNotListed));
    }
    let both = function.arguments.iter().zip(&told.arguments);
    for (place, (rule, word)) in (1_u8..).zip(both) {
        if rule.accepts.allows(word, told) {
            continue;
        }
        let broken = match &rule.accepts {
            Accepts::Max(most) => Violation {
                asset: rule.spends,
                observed: word.number().map(Amount::from_base_units),
                allowed: most.number().map(Amount::from_base_units),
                ..Violation::of(Code::CallArgumentLimit)
            },
            Accepts::Wallet => Violation::of(Code::CallArgumentWallet),
            Accepts::Any | Accepts::OneOf(_) => Violation::of(Code::CallArgumentValue),
        };
        findings.refuse(Violation {
            argument: Some(place),
            ..broken
        });
    }
    // Another document may count it otherwise; a call must pass both.
    if function.spends() != told.spends {
        findings.refuse(Violation::of(Code::CallConflict));
    }
}

/// Whom the call names in its arguments: whoever is denied as a recipient is denied there too.
fn names(case: &Case<'_>, told: &Invocation, findings: &mut Findings) {
    let named = told.typed().filter(|(kind, _)| *kind == Kind::Address);
    let mut accounts = named.filter_map(|(_, word)| {
        AccountId::new(case.payment.chain, Account::Evm(word.address())).ok()
    });
    if accounts.any(|account| case.document.denies(account)) {
        findings.refuse(Violation::of(Code::RecipientDenied));
    }
}
