//! Calls of Solana programs, read place by place and field by field (O2): which of a document's methods it is,
//! what may stand at each place, and what leaves with it by the owner's word. A call that no document names is
//! nobody's.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::caip::{AssetId, ChainId, Token};
use waiaas_shared::policy::document::{
    AccountAccepts, CallProgram, CallRule, FieldAccepts, FieldRule, PolicyDocument,
};
use waiaas_shared::session::{Operation, SessionGrant};
use waiaas_shared::solana::FieldKind;

use super::account_bytes;
use super::limits::{Case, Demand};
use super::tokens::program_of;
use crate::bytes::{Outflow, ProgramTold, TOKEN, TOKEN_2022, associated};

/// Some of the programs that no caller may put where it chooses.
const NEVER: [&str; 4] = [
    "11111111111111111111111111111111",
    "Stake11111111111111111111111111111111111111",
    TOKEN,
    TOKEN_2022,
];

/// A rule, what it says of the program, and each field's bytes.
struct Found<'a> {
    rule: &'a CallRule,
    program: &'a CallProgram,
    fields: Vec<(&'a FieldRule, &'a [u8])>,
}

const fn length(kind: FieldKind) -> usize {
    match kind {
        FieldKind::Uint(bytes) | FieldKind::Bytes(bytes) => bytes as usize,
        FieldKind::Bool => 1,
        FieldKind::Address => 32,
    }
}

/// Little endian.
fn number(value: &[u8]) -> u128 {
    let digits = value.iter().rev();
    digits.fold(0, |number, digit| number << 8 | u128::from(*digit))
}

/// The method by the longest beginning that fits, with places and fields as it has them.
fn find<'a>(
    document: &'a PolicyDocument,
    chain: ChainId,
    told: &'a ProgramTold,
) -> Result<Found<'a>> {
    let rules = document.calls.iter().filter(|rule| {
        rule.target.chain() == chain
            && account_bytes(rule.target.account()) == told.program
            && told.data.starts_with(&rule.method)
    });
    let rule = rules.max_by_key(|rule| rule.method.len());
    let rule = rule.context("a call that nobody registered")?;
    let program = rule.program.as_ref().context("a method of a program")?;
    let mut rest = told.data.get(rule.method.len()..).unwrap_or_default();
    let mut fields = Vec::new();
    for field in &program.fields {
        let (value, behind) = rest
            .split_at_checked(length(field.kind))
            .context("as many fields as there are")?;
        let flag = field.kind == FieldKind::Bool && value > [1].as_slice();
        ensure!(!flag, "neither true nor false");
        fields.push((field, value));
        rest = behind;
    }
    ensure!(
        rest.len() <= usize::from(program.tail),
        "bytes behind the fields"
    );
    let rights = |(_, writable): &([u8; 32], bool)| *writable;
    ensure!(
        told.accounts
            .iter()
            .map(rights)
            .eq(program.accounts.iter().map(|place| place.writable)),
        "other places, or with other rights"
    );
    Ok(Found {
        rule,
        program,
        fields,
    })
}

/// What leaves, by every document that binds alike.
pub(super) fn agreed(
    documents: &[&PolicyDocument],
    chain: ChainId,
    outflow: &Outflow,
) -> Result<BTreeMap<AssetId, u128>> {
    let Some(told) = &outflow.program else {
        return Ok(BTreeMap::new());
    };
    let mut all = Vec::new();
    for document in documents {
        let found = find(document, chain, told)?;
        let mut leaves = BTreeMap::new();
        let fixed = found.program.outflow.iter();
        let fixed = fixed.map(|one| (one.asset, one.up_to.base_units()));
        let said = found.fields.iter();
        let said = said.filter_map(|(rule, value)| Some((rule.spends?, number(value))));
        for (asset, amount) in fixed.chain(said) {
            let sum: &mut u128 = leaves.entry(asset).or_default();
            *sum = sum.checked_add(amount).context("a sum")?;
        }
        all.push(leaves);
    }
    let first = all.first().cloned().context("a policy")?;
    ensure!(all.iter().all(|one| *one == first), "counted in two ways");
    Ok(first)
}

/// Only a session that names calls makes any.
pub(super) fn may_call(grant: &SessionGrant, outflow: &Outflow) -> Result<()> {
    let mut named = grant.operations.iter().flatten();
    ensure!(
        outflow.program.is_none() || named.any(|operation| *operation == Operation::Call),
        "a session without calls"
    );
    Ok(())
}

/// Whether the document lets this call be, with these accounts and fields.
pub(super) fn judge(case: &Case<'_>, asks: &mut Demand) -> Result<()> {
    let Some(told) = &case.outflow.program else {
        return Ok(());
    };
    let chain = case.spend.chain;
    let found = find(case.document, chain, told)?;
    asks.tier = asks.tier.max(found.rule.tier);
    let wallet = account_bytes(case.account);
    for (rule, value) in &found.fields {
        match &rule.accepts {
            FieldAccepts::Any => {}
            FieldAccepts::Max(most) => {
                ensure!(
                    number(value) <= most.base_units(),
                    "a field above its limit"
                );
            }
            FieldAccepts::OneOf(values) => {
                let known = values.iter().any(|one| one.as_bytes() == *value);
                ensure!(known, "a value that is not listed");
            }
            FieldAccepts::Wallet => ensure!(*value == wallet, "for another than the wallet"),
        }
    }
    let own = own(case, &wallet)?;
    for (place, (key, _)) in found.program.accounts.iter().zip(&told.accounts) {
        let mine = own.iter().any(|one| one == key);
        match &place.accepts {
            AccountAccepts::Wallet => ensure!(key.as_slice() == wallet, "not the wallet"),
            AccountAccepts::TokenAccount(asset) => {
                let Token::Mint(mint) = asset.token() else {
                    bail!("a mint")
                };
                let rule = case.document.asset(*asset).context("a rule of the token")?;
                let theirs = associated(&wallet, mint.as_bytes(), program_of(rule))?;
                ensure!(theirs == *key, "not the wallet's account for the token");
            }
            AccountAccepts::OneOf(listed) => {
                let listed = listed.iter().any(|one| one.as_bytes() == key);
                ensure!(listed && !mine, "an account that is not listed");
            }
            AccountAccepts::Any => {
                let never = NEVER.map(|text| bs58::decode(text).into_vec());
                let never = never
                    .into_iter()
                    .any(|one| one.is_ok_and(|one| one == *key));
                ensure!(!never && !mine, "an account that nobody chooses");
            }
        }
    }
    let denied = |key: &[u8]| {
        let mut denied = case.document.denied.iter();
        denied.any(|one| one.chain() == chain && account_bytes(one.account()) == key)
    };
    let places = told.accounts.iter().map(|(key, _)| key.as_slice());
    let fields = found.fields.iter().map(|(_, value)| *value);
    let mut named = places.chain(fields).chain([told.program.as_slice()]);
    ensure!(!named.any(denied), "somebody who is denied");
    Ok(())
}

/// The wallet, and its accounts for every token of the document.
fn own(case: &Case<'_>, wallet: &[u8]) -> Result<Vec<[u8; 32]>> {
    let Account::Solana(address) = case.account else {
        bail!("a wallet of Solana")
    };
    let mut own = vec![*address.as_bytes()];
    for rule in &case.document.assets {
        if let Token::Mint(mint) = rule.asset.token() {
            own.push(associated(wallet, mint.as_bytes(), program_of(rule))?);
        }
    }
    Ok(own)
}
