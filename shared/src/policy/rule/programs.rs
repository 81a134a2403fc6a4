//! Calls of programs: every field and every account by the rule that the owner gave it, and what leaves as this
//! document counts it.

use super::{Case, Findings};
use crate::address::{Account, SolanaAddress};
use crate::amount::Amount;
use crate::caip::AccountId;
use crate::denial::{Code, Violation};
use crate::policy::document::{
    AccountAccepts, AssetRule, CallProgram, CallRule, FieldAccepts, FieldRule,
};
use crate::policy::evaluate::Reason;
use crate::solana::{ProgramCall, reserved};

/// Judges one call; whether it is one that the document names.
pub(super) fn judge(case: &Case<'_>, told: &ProgramCall, findings: &mut Findings) -> bool {
    let target = AccountId::new(case.payment.chain, Account::Solana(told.method.program)).ok();
    let rule = target.and_then(|target| case.document.call(target, &told.data));
    let Some((rule, program)) = rule.and_then(|rule| Some((rule, rule.program.as_ref()?))) else {
        findings.refuse(Violation::of(Code::CallNotListed));
        return false;
    };
    if case.document.denies(rule.target) {
        findings.refuse(Violation::of(Code::RecipientDenied));
    }
    findings.raise(rule.tier, Reason::Call);
    if !agrees(rule, program, told) {
        // Another document may read or count it otherwise; a call must pass both.
        findings.refuse(Violation::of(Code::CallConflict));
        return true;
    }
    for (rule, (_, value)) in program.fields.iter().zip(told.fields()) {
        field(rule, value, told, findings);
    }
    let own = own_accounts(case, told.from);
    for (rule, (account, _)) in program.accounts.iter().zip(told.uses()) {
        let found = own.contains(&account);
        let sound = match &rule.accepts {
            AccountAccepts::Wallet => account == told.from,
            AccountAccepts::TokenAccount(asset) => {
                let mint = case.document.asset(*asset).and_then(AssetRule::mint);
                mint.is_some_and(|mint| mint.account_of(told.from) == account)
            }
            AccountAccepts::OneOf(_) | AccountAccepts::Any if found => {
                findings.refuse(Violation::of(Code::CallOwnAccount));
                continue;
            }
            AccountAccepts::OneOf(accounts) => accounts.binary_search(&account).is_ok(),
            AccountAccepts::Any => reserved(account).is_none(),
        };
        if !sound {
            findings.refuse(Violation::of(Code::CallAccount));
        }
    }
    names(case, told, findings);
    true
}

/// Whether the call was read as this document has the method registered.
fn agrees(rule: &CallRule, program: &CallProgram, told: &ProgramCall) -> bool {
    program.method(told.method.program, &rule.method) == told.method
        && told.accounts.len() == program.accounts.len()
        && told.fields().count() == program.fields.len()
}

fn field(rule: &FieldRule, value: &[u8], told: &ProgramCall, findings: &mut Findings) {
    if rule.allows(value, told.from) {
        return;
    }
    findings.refuse(match &rule.accepts {
        FieldAccepts::Max(most) => Violation {
            asset: rule.spends,
            observed: rule.kind.number(value).map(Amount::from_base_units),
            allowed: Some(*most),
            ..Violation::of(Code::CallArgumentLimit)
        },
        FieldAccepts::Wallet => Violation::of(Code::CallArgumentWallet),
        FieldAccepts::Any | FieldAccepts::OneOf(_) => Violation::of(Code::CallArgumentValue),
    });
}

/// The wallet, and its accounts for the tokens that the document knows.
fn own_accounts(case: &Case<'_>, wallet: SolanaAddress) -> Vec<SolanaAddress> {
    let assets = case.document.assets.iter();
    let here = assets.filter(|rule| rule.asset.chain() == case.payment.chain);
    let mut own: Vec<_> = here
        .filter_map(AssetRule::mint)
        .map(|mint| mint.account_of(wallet))
        .collect();
    own.push(wallet);
    own
}

/// Whom the call names, as an account or in a field: whoever is denied as a recipient is denied there too.
fn names(case: &Case<'_>, told: &ProgramCall, findings: &mut Findings) {
    let in_fields = told.fields().filter_map(|(_, value)| {
        let address: Option<[u8; 32]> = value.try_into().ok();
        address.map(SolanaAddress::from_bytes)
    });
    let mut named = told.accounts.iter().copied().chain(in_fields);
    let denied = |address| {
        let account = AccountId::new(case.payment.chain, Account::Solana(address)).ok();
        account.is_some_and(|account| case.document.denies(account))
    };
    if named.any(denied) {
        findings.refuse(Violation::of(Code::RecipientDenied));
    }
}
