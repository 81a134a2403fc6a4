//! What a document says of calls of Solana programs: a rule for each place and each field, bytes compared with
//! bytes, and what leaves by the owner's word.

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AccountId, AssetId, Token};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::{
    AccountAccepts, CallProgram, CallRule, FieldAccepts, PolicyDocument,
};
use waiaas_shared::solana::FieldKind;

use super::asking::{Asking, Ran, Shape};
use super::decoder::token_account;
use super::people::bytes;
use super::policy::Found;

/// The method by the longest beginning that fits.
pub(crate) fn rule_of<'a>(
    document: &'a PolicyDocument,
    program: AccountId,
    data: &[u8],
) -> Option<(&'a CallRule, &'a CallProgram)> {
    let fits = document
        .calls
        .iter()
        .filter(|rule| rule.target == program && data.starts_with(&rule.method));
    let longest = fits.max_by_key(|rule| rule.method.len())?;
    Some((longest, longest.program.as_ref()?))
}

const fn length(kind: FieldKind) -> usize {
    match kind {
        FieldKind::Uint(bytes) | FieldKind::Bytes(bytes) => bytes as usize,
        FieldKind::Bool => 1,
        FieldKind::Address => 32,
    }
}

fn number(value: &[u8]) -> u128 {
    let digits = value.iter().rev();
    digits.fold(0, |sum, digit| sum * 256 + u128::from(*digit))
}

/// The values of the fields, if the data has the form of the method.
fn values<'a>(rule: &CallRule, program: &CallProgram, data: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut rest = data.strip_prefix(rule.method.as_slice())?;
    let mut values = Vec::new();
    for field in &program.fields {
        let (value, behind) = rest.split_at_checked(length(field.kind))?;
        values.push(value);
        rest = behind;
    }
    (rest.len() <= usize::from(program.tail)).then_some(values)
}

/// Why a call cannot be one of this method.
pub(crate) fn misfit(
    (rule, program): (&CallRule, &CallProgram),
    data: &[u8],
    places: usize,
) -> Option<Code> {
    if values(rule, program, data).is_none() {
        return Some(Code::CallData);
    }
    (program.accounts.len() != places).then_some(Code::CallAccounts)
}

/// How the document has the method registered, whatever it accepts.
pub(crate) fn shape((rule, program): (&CallRule, &CallProgram)) -> Shape {
    let fields = program.fields.iter();
    let outflow = program.outflow.iter();
    Shape {
        method: rule.method.clone(),
        rights: program.accounts.iter().map(|one| one.writable).collect(),
        fields: fields.map(|one| (one.kind, one.spends)).collect(),
        tail: program.tail,
        outflow: outflow
            .map(|one| (one.asset, one.up_to.base_units()))
            .collect(),
    }
}

/// What leaves: of each call, then what its fields say.
pub(crate) fn leaves(
    (rule, program): (&CallRule, &CallProgram),
    data: &[u8],
) -> Vec<(AssetId, u128)> {
    let fixed = program.outflow.iter();
    let fixed = fixed.map(|one| (one.asset, one.up_to.base_units()));
    let values = values(rule, program, data).unwrap_or_default();
    let said = program.fields.iter().zip(values);
    let said = said.filter_map(|(field, value)| Some((field.spends?, number(value))));
    fixed.chain(said).collect()
}

pub(super) fn judge(document: &PolicyDocument, asking: &Asking, found: &mut Found) {
    let (Some(ran), Some(part)) = (&asking.ran, asking.parts.first()) else {
        return;
    };
    let known = rule_of(document, part.to, &ran.data);
    let Some((rule, program)) = known else {
        return found.when(true, Code::CallNotListed);
    };
    found.when(document.denied.contains(&part.to), Code::RecipientDenied);
    found.raise(rule.tier);
    if ran.shape.as_ref() != Some(&shape((rule, program))) {
        return found.when(true, Code::CallConflict);
    }
    let values = values(rule, program, &ran.data).unwrap_or_default();
    for (field, value) in program.fields.iter().zip(&values) {
        match &field.accepts {
            FieldAccepts::Any => {}
            FieldAccepts::Max(most) => {
                found.when(number(value) > most.base_units(), Code::CallArgumentLimit);
            }
            FieldAccepts::OneOf(listed) => {
                let known = listed.iter().any(|one| one.as_bytes() == *value);
                found.when(!known, Code::CallArgumentValue);
            }
            FieldAccepts::Wallet => {
                found.when(*value != ran.from, Code::CallArgumentWallet);
            }
        }
    }
    places(document, asking, ran, program, found);
    let denied = |key: &[u8]| {
        let mut denied = document.denied.iter();
        denied.any(|one| one.chain() == asking.chain && bytes(&one.account()) == key)
    };
    let named = ran.places.iter().map(|(key, _)| key.as_slice());
    let any = named.chain(values).any(denied);
    found.when(any, Code::RecipientDenied);
}

fn places(
    document: &PolicyDocument,
    asking: &Asking,
    ran: &Ran,
    program: &CallProgram,
    found: &mut Found,
) {
    let mints = document
        .assets
        .iter()
        .filter(|rule| rule.asset.chain() == asking.chain);
    let mints = mints.filter_map(|rule| match rule.asset.token() {
        Token::Mint(mint) => Some(token_account(&ran.from, mint.as_bytes())),
        _ => None,
    });
    let own: Vec<Vec<u8>> = mints.chain([ran.from.to_vec()]).collect();
    for (place, (key, _)) in program.accounts.iter().zip(&ran.places) {
        let mine = own.iter().any(|one| one == key);
        let sound = match &place.accepts {
            AccountAccepts::Wallet => *key == ran.from,
            AccountAccepts::TokenAccount(_) => mine && *key != ran.from,
            AccountAccepts::OneOf(_) | AccountAccepts::Any if mine => {
                found.when(true, Code::CallOwnAccount);
                continue;
            }
            AccountAccepts::OneOf(listed) => listed.iter().any(|one| one.as_bytes() == key),
            // Of what nobody may choose the runs know one: the System program.
            AccountAccepts::Any => *key != [0; 32],
        };
        found.when(!sound, Code::CallAccount);
    }
}

/// Its address.
pub(crate) fn key(program: AccountId) -> [u8; 32] {
    match program.account() {
        Account::Solana(address) => *address.as_bytes(),
        Account::Evm(_) => panic!("a program of Solana"),
    }
}
