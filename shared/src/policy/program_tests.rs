//! What an owner may register of programs, and what is refused with a reason.

use super::*;
use crate::caip::ChainId;
use crate::policy::check::PolicyError;
use crate::policy::document::CallRule;
use crate::policy::document::tests::full;
use crate::policy::evaluate::Tier;

/// A program that nobody knows.
pub(crate) const PROGRAM: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
/// The mint of the full document.
const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

pub(crate) fn chain() -> ChainId {
    "solana:localnet".parse().expect("a chain")
}

pub(crate) fn coin() -> AssetId {
    chain().native_asset()
}

pub(crate) fn token() -> AssetId {
    format!("solana:localnet/token:{MINT}")
        .parse()
        .expect("a token")
}

pub(crate) fn program() -> AccountId {
    format!("solana:localnet:{PROGRAM}")
        .parse()
        .expect("an account")
}

pub(crate) fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

pub(crate) const fn account(accepts: AccountAccepts, writable: bool) -> AccountRule {
    AccountRule { accepts, writable }
}

pub(crate) fn one_of(bytes: &[u8]) -> AccountAccepts {
    AccountAccepts::OneOf(bytes.iter().map(|byte| address(*byte)).collect())
}

pub(crate) fn field(kind: &str, accepts: FieldAccepts, spends: Option<AssetId>) -> FieldRule {
    FieldRule {
        kind: kind.parse().expect(kind),
        accepts,
        spends,
    }
}

const fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

/// Up to 1,000 of a token into a vault, for the wallet, with 5 lamports of rent; one account is chosen by the
/// caller, and up to 4 bytes may follow.
pub(crate) fn deposit() -> CallProgram {
    CallProgram {
        accounts: vec![
            account(AccountAccepts::Wallet, true),
            account(AccountAccepts::TokenAccount(token()), true),
            account(one_of(&[0xa1, 0xa2]), true),
            account(AccountAccepts::Any, false),
        ],
        fields: vec![
            field("u64", FieldAccepts::Max(units(1000)), Some(token())),
            field("address", FieldAccepts::Wallet, None),
            field(
                "bytes2",
                FieldAccepts::OneOf(vec![
                    FieldValue::from_bytes(vec![1, 2]),
                    FieldValue::from_bytes(vec![3, 4]),
                ]),
                None,
            ),
            field("bool", FieldAccepts::Any, None),
        ],
        tail: 4,
        outflow: vec![Leaving {
            asset: coin(),
            up_to: units(5),
        }],
    }
}

pub(crate) fn rule(program_rule: CallProgram) -> CallRule {
    CallRule::of_program(program(), vec![0xf2, 0x23], program_rule, Tier::Approval)
}

/// The flaw of the full document with this rule, in canonical bytes, so that sorting repairs nothing.
fn flaw_of(rule: CallRule) -> Option<Flaw> {
    let mut document = full();
    document.calls = vec![rule];
    match PolicyDocument::from_bytes(&document.to_bytes()) {
        Ok(read) => {
            assert_eq!(read, document);
            None
        }
        Err(PolicyError::Flawed { flaw, entry }) => {
            assert!(entry.to_string().starts_with("[[call]]"), "{entry}");
            Some(flaw)
        }
        Err(other) => panic!("{other}"),
    }
}

fn changed(change: impl FnOnce(&mut CallProgram)) -> Option<Flaw> {
    let mut program = deposit();
    change(&mut program);
    flaw_of(rule(program))
}

#[test]
fn what_an_owner_may_register_of_programs() {
    assert_eq!(changed(|_| {}), None);
    // Nothing but the method, and without the wallet's signature nothing is exposed.
    assert_eq!(
        changed(|it| {
            *it = CallProgram {
                accounts: vec![],
                fields: vec![],
                tail: 0,
                outflow: vec![],
            }
        }),
        None
    );
    assert_eq!(
        changed(|it| {
            it.accounts.remove(0);
            it.accounts[2].writable = true;
            it.outflow.clear();
        }),
        None
    );
    // What an argument says of the coin is said of it.
    assert_eq!(
        changed(|it| {
            it.outflow.clear();
            it.fields
                .push(field("u32", FieldAccepts::Any, Some(coin())));
        }),
        None
    );
}

#[test]
fn what_a_program_could_take_is_counted() {
    for (what, change) in [
        (
            "the coin",
            (|it| it.outflow.clear()) as fn(&mut CallProgram),
        ),
        ("the token", |it| it.fields[0].spends = None),
        ("a writable account of any choice", |it| {
            it.accounts[3].writable = true;
        }),
    ] {
        assert_eq!(changed(change), Some(Flaw::Exposed), "{what}");
    }
    // An account that the program may only read exposes nothing.
    assert_eq!(
        changed(|it| {
            it.fields[0].spends = None;
            it.accounts[1].writable = false;
        }),
        None
    );
    // That nothing of it leaves is a word as well.
    assert_eq!(changed(|it| it.outflow[0].up_to = units(0)), None);
}

#[test]
fn what_is_refused_of_programs() {
    let number = FieldValue::from_bytes;
    let elsewhere: AssetId = format!("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1/token:{MINT}")
        .parse()
        .expect("a token");
    let unknown: AssetId = format!("solana:localnet/token:{PROGRAM}")
        .parse()
        .expect("a token");
    type Change = Box<dyn FnOnce(&mut CallProgram)>;
    let cases: Vec<(Flaw, Change)> = vec![
        (Flaw::Places, Box::new(|it| it.accounts[0].writable = false)),
        (
            Flaw::Places,
            Box::new(|it| it.accounts[2].accepts = one_of(&[])),
        ),
        (
            Flaw::Places,
            Box::new(|it| it.accounts[2].accepts = one_of(&[2, 1])),
        ),
        (
            Flaw::Places,
            Box::new(|it| it.accounts[1].accepts = AccountAccepts::TokenAccount(coin())),
        ),
        (
            Flaw::Places,
            Box::new(move |it| it.accounts[1].accepts = AccountAccepts::TokenAccount(elsewhere)),
        ),
        (
            Flaw::Unknown,
            Box::new(move |it| it.accounts[1].accepts = AccountAccepts::TokenAccount(unknown)),
        ),
        (
            Flaw::Field,
            Box::new(|it| it.fields[0].accepts = FieldAccepts::Wallet),
        ),
        (
            Flaw::Field,
            Box::new(|it| it.fields[0].accepts = FieldAccepts::Max(units(1 << 64))),
        ),
        (
            Flaw::Field,
            Box::new(|it| it.fields[1].accepts = FieldAccepts::Max(units(1))),
        ),
        (
            Flaw::Field,
            Box::new(|it| it.fields[2].accepts = FieldAccepts::OneOf(vec![])),
        ),
        (
            Flaw::Field,
            Box::new(move |it| {
                it.fields[2].accepts =
                    FieldAccepts::OneOf(vec![number(vec![2, 2]), number(vec![1, 1])]);
            }),
        ),
        (
            Flaw::Field,
            Box::new(move |it| {
                it.fields[3].accepts = FieldAccepts::OneOf(vec![number(vec![2])]);
            }),
        ),
        (
            Flaw::Outflow,
            Box::new(|it| it.fields[1].spends = Some(token())),
        ),
        (
            Flaw::Outflow,
            Box::new(|it| {
                it.fields[0] = field("u128", FieldAccepts::Any, Some(token()));
            }),
        ),
        (
            Flaw::Outflow,
            Box::new(move |it| it.outflow[0].asset = elsewhere),
        ),
        (
            Flaw::Unknown,
            Box::new(move |it| {
                it.outflow.push(Leaving {
                    asset: unknown,
                    up_to: units(1),
                });
                it.outflow.sort_by_key(|one| one.asset);
            }),
        ),
        (
            Flaw::Outflow,
            Box::new(|it| it.outflow = vec![it.outflow[0], it.outflow[0]]),
        ),
        (
            Flaw::Outflow,
            Box::new(|it| it.outflow[0].up_to = units(1 << 64)),
        ),
        (Flaw::TooMany, Box::new(|it| it.tail = TAIL_LIMIT + 1)),
        (
            Flaw::TooMany,
            Box::new(|it| it.accounts = vec![it.accounts[3].clone(); ACCOUNTS_LIMIT + 1]),
        ),
        (
            Flaw::TooMany,
            Box::new(|it| it.fields = vec![it.fields[3].clone(); FIELDS_LIMIT + 1]),
        ),
    ];
    for (number, (flaw, change)) in cases.into_iter().enumerate() {
        assert_eq!(changed(change), Some(flaw), "case {number}");
    }
}

#[test]
fn some_programs_are_never_registered() {
    for text in [
        "11111111111111111111111111111111",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf",
    ] {
        let target = format!("solana:localnet:{text}").parse().expect(text);
        let refused = flaw_of(CallRule {
            target,
            ..rule(deposit())
        });
        assert_eq!(refused, Some(Flaw::ReservedProgram), "{text}");
    }
    let of = |change: fn(&mut CallRule)| {
        let mut rule = rule(deposit());
        change(&mut rule);
        flaw_of(rule)
    };
    assert_eq!(of(|it| it.method.clear()), Some(Flaw::Method));
    assert_eq!(of(|it| it.value_up_to = units(1)), Some(Flaw::ProgramValue));
    assert_eq!(of(|it| it.program = None), Some(Flaw::Function));
    let contract = super::super::call::tests::deposit();
    let mixed = flaw_of(CallRule {
        program: Some(deposit()),
        ..contract
    });
    assert_eq!(mixed, Some(Flaw::Function));
}
