//! Calls of programs: every account and every argument within its rule, and what leaves counted.

use super::super::super::program::tests::{
    account, address, chain as solana, coin, deposit, program, rule, token,
};
use super::*;
use crate::address::SolanaAddress;
use crate::amount::Decimals;
use crate::policy::document::{AccountAccepts, AssetRule, CallProgram, CallRule};
use crate::solana::{Leaving, ProgramCall, ProgramMethod, program_effects};

fn own() -> SolanaAddress {
    address(0x11)
}

/// The sample with a token of which 2,000 may be spent at once, and these rules.
fn with(rules: Vec<CallRule>) -> PolicyDocument {
    let mut document = sample();
    document.assets.push(AssetRule {
        per_transaction: units(2000),
        hour: units(2000),
        day: units(2000),
        week: units(2000),
        month: units(2000),
        instant_up_to: units(2000),
        notify_up_to: units(2000),
        delay_up_to: units(2000),
        approve_up_to: units(2000),
        ..AssetRule::closed(token(), "USDC", Decimals::new(6).expect("in range"))
    });
    document.calls = rules;
    document.sort();
    assert_eq!(document.check(), Ok(()));
    document
}

fn own_account() -> SolanaAddress {
    let document = with(vec![]);
    let mint = document.asset(token()).and_then(AssetRule::mint);
    mint.expect("a mint").account_of(own())
}

fn accounts() -> [SolanaAddress; 4] {
    [own(), own_account(), address(0xa2), address(0xb1)]
}

/// Data of the deposit: 2 bytes of method, 8 of amount, 32 of wallet, 2 of choice, a bool.
fn data(amount: u64) -> Vec<u8> {
    [
        &[0xf2, 0x23][..],
        &amount.to_le_bytes(),
        own().as_bytes(),
        &[3, 4, 1],
    ]
    .concat()
}

fn method() -> ProgramMethod {
    rule(deposit()).program_method().expect("of a program")
}

fn told(method: &ProgramMethod, accounts: &[SolanaAddress], data: &[u8]) -> Vec<Effect> {
    let told = ProgramCall::read(own(), method, accounts, data).expect("of the method's form");
    program_effects(solana(), &told)
}

fn judged(document: &PolicyDocument, effects: &[Effect]) -> Result<Tier, Vec<Code>> {
    let payment = Payment {
        chain: solana(),
        ..request(effects)
    };
    evaluate(document, &payment, &Past::default(), NOW)
        .map(|verdict| verdict.tier)
        .map_err(|violations| codes(&violations))
}

#[test]
fn a_program_is_called_within_the_rules_of_its_accounts_and_arguments() {
    let document = with(vec![rule(deposit())]);
    let sound = told(&method(), &accounts(), &data(1000));
    assert_eq!(judged(&document, &sound), Ok(Tier::Approval));
    assert_eq!(
        charges(&sound)
            .expect("counted")
            .into_iter()
            .collect::<Vec<_>>(),
        [(coin(), units(5)), (token(), units(1000))]
    );
    // The token's limits count what an argument says of it.
    let mut tight = document.clone();
    let usdc = tight.assets.iter_mut().find(|it| it.asset == token());
    usdc.expect("listed").per_transaction = units(999);
    tight
        .assets
        .iter_mut()
        .filter(|it| it.asset == token())
        .for_each(|it| {
            it.instant_up_to = units(999);
            it.notify_up_to = units(999);
            it.delay_up_to = units(999);
            it.approve_up_to = units(999);
        });
    let refused = judged(&tight, &sound).expect_err("too much");
    assert!(refused.contains(&Code::PerTransactionLimit), "{refused:?}");

    let beyond = told(&method(), &accounts(), &data(1001));
    assert_eq!(
        judged(&document, &beyond),
        Err(vec![Code::CallArgumentLimit])
    );
    let changed = |place: usize, value: u8| {
        let mut data = data(7);
        data[place] = value;
        judged(&document, &told(&method(), &accounts(), &data))
    };
    assert_eq!(changed(10, 0x12), Err(vec![Code::CallArgumentWallet]));
    assert_eq!(changed(42, 9), Err(vec![Code::CallArgumentValue]));
    // What may be anything may be anything.
    assert_eq!(changed(44, 0), Ok(Tier::Approval));
    let longer = [&data(7)[..], b"tail"].concat();
    assert_eq!(
        judged(&document, &told(&method(), &accounts(), &longer)),
        Ok(Tier::Approval)
    );
}

#[test]
fn each_account_stands_where_its_rule_has_it() {
    let document = with(vec![rule(deposit())]);
    let system = SolanaAddress::from_bytes([0; 32]);
    for (place, account, expected) in [
        (0, address(0x12), Err(vec![Code::CallAccount])),
        (1, address(0x12), Err(vec![Code::CallAccount])),
        (2, address(0xa1), Ok(Tier::Approval)),
        (2, address(0xa3), Err(vec![Code::CallAccount])),
        (3, address(0xc9), Ok(Tier::Approval)),
        // Where the caller chooses, neither the wallet's own nor a program that would run for it.
        (3, own(), Err(vec![Code::CallOwnAccount])),
        (3, own_account(), Err(vec![Code::CallOwnAccount])),
        (3, system, Err(vec![Code::CallAccount])),
    ] {
        let mut accounts = accounts();
        accounts[place] = account;
        let effects = told(&method(), &accounts, &data(7));
        assert_eq!(judged(&document, &effects), expected, "{place} {account}");
    }
    // An owner who lists the wallet's own account by its address has not said what it exposes.
    let mut listed = deposit();
    let mut own_ones = vec![address(0xa1), own_account()];
    own_ones.sort_unstable();
    listed.accounts[2] = account(AccountAccepts::OneOf(own_ones), true);
    let document = with(vec![rule(listed)]);
    let mut accounts = accounts();
    accounts[2] = own_account();
    let effects = told(&method(), &accounts, &data(7));
    assert_eq!(judged(&document, &effects), Err(vec![Code::CallOwnAccount]));
}

#[test]
fn what_is_not_registered_like_this_is_refused() {
    let effects = told(&method(), &accounts(), &data(7));
    assert_eq!(
        judged(&with(vec![]), &effects),
        Err(vec![Code::CallNotListed])
    );
    // Another method of the same program, and the same method of another one.
    let another = CallRule {
        method: vec![0xf2, 0x24],
        ..rule(deposit())
    };
    assert_eq!(
        judged(&with(vec![another]), &effects),
        Err(vec![Code::CallNotListed])
    );
    let elsewhere = CallRule {
        target: format!("solana:localnet:{}", address(0x77))
            .parse()
            .expect("an account"),
        ..rule(deposit())
    };
    assert_eq!(
        judged(&with(vec![elsewhere]), &effects),
        Err(vec![Code::CallNotListed])
    );
    // Registered otherwise: rights, fields, what may follow, what is counted. The call must pass both.
    let changes: [fn(&mut CallProgram); 6] = [
        |it| it.accounts[2].writable = false,
        |it| it.fields[3].kind = "u8".parse().expect("a type"),
        |it| it.tail = 5,
        |it| it.outflow[0].up_to = units(6),
        |it| drop(it.accounts.pop()),
        |it| {
            it.fields[0].spends = None;
            it.outflow.push(Leaving {
                asset: token(),
                up_to: units(0),
            });
            it.outflow.sort_by_key(|one| one.asset);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut otherwise = deposit();
        change(&mut otherwise);
        assert_eq!(
            judged(&with(vec![rule(otherwise)]), &effects),
            Err(vec![Code::CallConflict]),
            "change {number}"
        );
    }
}

#[test]
fn what_leaves_is_what_the_call_says() {
    let document = with(vec![rule(deposit())]);
    let sound = told(&method(), &accounts(), &data(700));
    let [Effect::Program { .. }, Effect::Call { .. }] = sound.as_slice() else {
        panic!("{sound:?}")
    };
    let mut less = sound.clone();
    if let Effect::Program { value, .. } = &mut less[0] {
        *value = units(4);
    }
    assert_eq!(judged(&document, &less), Err(vec![Code::CallConflict]));
    let mut less = sound.clone();
    if let Effect::Call { value, .. } = &mut less[1] {
        *value = units(699);
    }
    assert_eq!(
        judged(&document, &less),
        Err(vec![Code::CallNotListed, Code::CallConflict])
    );
    assert_eq!(
        judged(&document, &sound[..1]),
        Err(vec![Code::CallConflict])
    );
    // What leaves alone is no call.
    assert_eq!(
        judged(&document, &sound[1..]),
        Err(vec![Code::CallNotListed])
    );
}

#[test]
fn whoever_is_denied_is_denied_in_a_call() {
    let effects = told(&method(), &accounts(), &data(7));
    for denied in [
        program().account(),
        Account::Solana(address(0xb1)),
        Account::Solana(own()),
    ] {
        let mut document = with(vec![rule(deposit())]);
        document.denied = vec![AccountId::new(solana(), denied).expect("an account")];
        assert_eq!(
            judged(&document, &effects),
            Err(vec![Code::RecipientDenied]),
            "{denied}"
        );
    }
}
