//! Calls of contracts: what a call does is derived from its bytes to the last argument, judged by the rule
//! that the owner gave each of them, and nothing else passes for it.

mod later;
mod readable;

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::caip::AccountId;
use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::evm::abi::{Invocation, Word};
use waiaas_shared::evm::{self, Registered, UnsignedTransaction};
use waiaas_shared::ids::{SignerId, TransactionId};
use waiaas_shared::policy::document::{
    Accepts, ArgumentRule, CallFunction, CallRule, PolicyDocument,
};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::Operation;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::transaction::EvmFees;

use super::tokens::{bearer, grant, refused, token, token_policy, units, world};
use super::world::{EVM, RECIPIENT, STRANGER, World};
use crate::core::command::VariantRequest;
use crate::core::command::{Change, Command, Outcome, Prior, Release, SpendRequest, Used};

/// Fee of every call here: 60,000 gas at 1 wei.
const GAS: u64 = 60_000;
const DEPOSIT: &str = "deposit(uint256,address)";
const WITHDRAW: &str = "withdraw(uint256)";

fn vault() -> EvmAddress {
    EvmAddress::from_bytes([0xd4; 20])
}

fn wallet() -> EvmAddress {
    EvmAddress::from_bytes([1; 20])
}

fn rule(signature: &str, arguments: Vec<ArgumentRule>, tier: Tier) -> CallRule {
    let target = AccountId::new(EVM, Account::Evm(vault())).expect("an account");
    let function = CallFunction {
        signature: signature.parse().expect(signature),
        arguments,
    };
    CallRule::of_function(target, function, tier)
}

fn accepts(accepts: Accepts) -> ArgumentRule {
    ArgumentRule {
        accepts,
        spends: None,
    }
}

/// Up to 3,000 of the token into the vault for the wallet itself, at once; out of it with the owner.
fn calls() -> Vec<CallRule> {
    let amount = ArgumentRule {
        accepts: Accepts::Max(Word::from_number(3_000)),
        spends: Some(token()),
    };
    let deposit = rule(
        DEPOSIT,
        vec![amount, accepts(Accepts::Wallet)],
        Tier::Instant,
    );
    let mut withdraw = rule(WITHDRAW, vec![accepts(Accepts::Any)], Tier::Approval);
    withdraw.value_up_to = units(7);
    vec![deposit, withdraw]
}

fn call_policy(epoch: u64) -> PolicyDocument {
    let mut document = token_policy(epoch);
    document.calls = calls();
    document.sort();
    document
}

/// A world whose bearer session may call.
fn calling() -> World {
    let mut world = world();
    world
        .adopt(&call_policy(3), true)
        .expect("a policy of calls");
    let mut grant = grant(
        &world,
        Some(vec![Operation::TokenTransfer, Operation::Call]),
    );
    grant.credential = bearer(b"calling");
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    world
}

fn told(function: &str, arguments: &[&str]) -> Invocation {
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let function = function.parse().expect(function);
    Invocation::read(wallet(), function, &texts).expect("its arguments")
}

fn transaction(to: EvmAddress, value: u128, data: Vec<u8>, price: u128) -> Vec<u8> {
    UnsignedTransaction {
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: price,
        max_fee_per_gas: price,
        gas_limit: GAS,
        to,
        value,
        data,
    }
    .encode()
}

fn bytes(function: &str, arguments: &[&str], value: u128) -> Vec<u8> {
    transaction(vault(), value, told(function, arguments).data(), 1)
}

/// A bearer's call with bytes that do it.
fn asks(world: &World, key: &str, function: &str, arguments: &[&str], value: u128) -> SpendRequest {
    let shown = serde_json::to_string(arguments).expect("texts");
    let body = format!(
        r#"{{"type":"call","signer":"{}","wallet":"{}","network":"{EVM}","contract":"{}","function":"{function}","args":{shown},"value":"{value}"}}"#,
        SignerId::from_bytes([5; 16]),
        world.evm_wallet,
        vault(),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned: bytes(function, arguments, value),
        ..world.request(world.bearer, key, 1, RECIPIENT)
    }
}

fn deposit(world: &World, key: &str, amount: &str) -> SpendRequest {
    asks(world, key, DEPOSIT, &[amount, &wallet().to_string()], 0)
}

fn waiting(outcome: Result<Outcome, Vec<Code>>) -> TransactionId {
    match outcome {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("it does not wait: {other:?}"),
    }
}

fn signed(outcome: Result<Outcome, Vec<Code>>) -> TransactionId {
    match outcome {
        Ok(Outcome::Sign(order)) => order.sealed().transaction,
        other => panic!("it is not signed: {other:?}"),
    }
}

fn entry(world: &World, transaction: TransactionId) -> Option<Box<Prior>> {
    world.moments().find_map(|(sequence, charged_at, body)| {
        let (spend, variant) = match body {
            EventBody::SpendCommitted(spend) => (spend, None),
            EventBody::SpendReplaced { spend, variant } => (spend, Some(variant.clone())),
            _ => return None,
        };
        (spend.transaction == transaction).then(|| {
            Box::new(Prior {
                sequence,
                charged_at,
                spend: spend.clone(),
                variant,
            })
        })
    })
}

fn vary(world: &mut World, of: TransactionId, change: Change) -> Result<Outcome, Vec<Code>> {
    let request = VariantRequest {
        transaction: of,
        change,
        prior: entry(world, of),
        used: None,
    };
    world.run(&Command::Vary(request))
}

#[test]
fn invariant_03_a_call_is_what_its_bytes_say_to_the_last_argument() {
    let mut world = calling();
    let sound = deposit(&world, "a", "700");
    signed(world.run(&Command::Spend(sound)));
    let spend = world.spends().last().copied().cloned().expect("charged");
    let own = wallet().to_string();
    let mut expected = told(DEPOSIT, &["700", &own]);
    expected.spends = vec![Some(token()), None];
    let [
        Effect::Call {
            target,
            asset,
            value,
            told: Some(found),
            ..
        },
        Effect::Call {
            asset: spent,
            value: amount,
            told: None,
            ..
        },
        Effect::Fee { .. },
    ] = spend.effects.as_slice()
    else {
        panic!("{:?}", spend.effects)
    };
    assert_eq!(*target, Account::Evm(vault()));
    assert_eq!((*asset, *value), (EVM.native_asset(), units(0)));
    assert_eq!((*spent, *amount), (token(), units(700)));
    assert_eq!(**found, expected);
    let charges: Vec<_> = spend
        .charges
        .iter()
        .map(|charge| (charge.asset, charge.amount))
        .collect();
    assert_eq!(
        charges,
        [
            (EVM.native_asset(), units(GAS.into())),
            (token(), units(700))
        ]
    );
    // The agent signed one thing; other bytes that policy would let pass are not it.
    let elsewhere = EvmAddress::from_bytes([0xd5; 20]);
    let data = told(DEPOSIT, &["700", &own]).data();
    for (claim, bytes, code) in [
        (
            "amount",
            bytes(DEPOSIT, &["701", &own], 0),
            Code::BodyMismatch,
        ),
        (
            "receiver",
            bytes(DEPOSIT, &["700", STRANGER], 0),
            Code::BodyMismatch,
        ),
        (
            "value",
            transaction(vault(), 1, data.clone(), 1),
            Code::BodyMismatch,
        ),
        (
            "function",
            bytes(WITHDRAW, &["700"], 0),
            Code::TransactionUndecodable,
        ),
        (
            "contract",
            transaction(elsewhere, 0, data, 1),
            Code::TransactionUndecodable,
        ),
        (
            "a transfer",
            transaction(vault(), 700, vec![], 1),
            Code::BodyMismatch,
        ),
    ] {
        let mut request = deposit(&world, "b", "700");
        request.unsigned = bytes;
        assert_eq!(refused(&mut world, request), [code], "{claim}");
    }
    // Nor does a call pass for a payment.
    let mut request = world.request(world.bearer, "b", 700, RECIPIENT);
    request.unsigned = bytes(DEPOSIT, &["700", &own], 0);
    assert_eq!(refused(&mut world, request), [Code::TransactionUndecodable]);
}

#[test]
fn invariant_02_call_data_of_another_form_is_denied() {
    let mut world = calling();
    let own = wallet().to_string();
    let data = told(DEPOSIT, &["700", &own]).data();
    let with = |at: usize, byte: u8| {
        let mut data = data.clone();
        data[at] = byte;
        data
    };
    for (what, data) in [
        ("another selector", with(0, 0)),
        ("a dirty address", with(36, 1)),
        ("more than an address", with(47, 1)),
        ("a number beyond 128 bits", with(4, 1)),
        ("a word less", data[..36].to_vec()),
        ("a byte less", data[..67].to_vec()),
        ("a byte more", [&data[..], &[0]].concat()),
        ("a word more", [&data[..], &[0; 32]].concat()),
        ("the selector alone", data[..4].to_vec()),
    ] {
        let mut request = deposit(&world, "a", "700");
        request.unsigned = transaction(vault(), 0, data, 1);
        assert_eq!(
            refused(&mut world, request),
            [Code::TransactionUndecodable],
            "{what}"
        );
    }
    assert!(world.spends().is_empty());
}

#[test]
fn invariant_08_a_call_keeps_to_what_the_owner_registered() {
    let mut world = calling();
    let own = wallet().to_string();
    for (function, arguments, value, codes) in [
        // Another function, and one that no type of the policy names.
        ("mint(uint256)", vec!["1"], 0, vec![Code::CallNotListed]),
        ("claim()", vec![], 0, vec![Code::CallNotListed]),
        (
            DEPOSIT,
            vec!["3001", own.as_str()],
            0,
            vec![Code::CallArgumentLimit],
        ),
        (
            DEPOSIT,
            vec!["3000", STRANGER],
            0,
            vec![Code::CallArgumentWallet],
        ),
        (
            DEPOSIT,
            vec!["3000", own.as_str()],
            1,
            vec![Code::CallValue],
        ),
        (WITHDRAW, vec!["1"], 8, vec![Code::CallValue]),
    ] {
        let request = asks(&world, "a", function, &arguments, value);
        assert_eq!(
            refused(&mut world, request),
            codes,
            "{function} {arguments:?}"
        );
    }
    let most = deposit(&world, "b", "3000");
    signed(world.run(&Command::Spend(most)));
    // A grant names calls, or covers none.
    let mut world = super::tokens::world();
    world
        .adopt(&call_policy(3), true)
        .expect("a policy of calls");
    let request = deposit(&world, "a", "700");
    assert_eq!(refused(&mut world, request), [Code::SessionOperation]);
}

#[test]
fn invariant_08_a_value_out_of_a_list() {
    let mut world = calling();
    let mut document = call_policy(4);
    let listed = evm::abi::address_word(STRANGER.parse().expect("an address"));
    document.calls.push(rule(
        "stake(address)",
        vec![accepts(Accepts::OneOf(vec![listed]))],
        Tier::Notify,
    ));
    document.sort();
    world.adopt(&document, true).expect("one more call");
    let other = asks(&world, "a", "stake(address)", &[RECIPIENT], 0);
    assert_eq!(refused(&mut world, other), [Code::CallArgumentValue]);
    let sound = asks(&world, "a", "stake(address)", &[STRANGER], 0);
    signed(world.run(&Command::Spend(sound)));
}

#[test]
fn invariant_08_no_wallet_of_the_signer_is_called() {
    let mut world = calling();
    let mut document = call_policy(4);
    let own = AccountId::new(EVM, Account::Evm(wallet())).expect("an account");
    document.calls.push(CallRule {
        target: own,
        ..rule("claim()", vec![], Tier::Instant)
    });
    document.sort();
    world.adopt(&document, true).expect("an unwise policy");
    let mut request = asks(&world, "a", "claim()", &[], 0);
    let body = String::from_utf8(request.body).expect("text");
    request.body = body
        .replace(&vault().to_string(), &wallet().to_string())
        .into_bytes();
    assert_eq!(refused(&mut world, request), [Code::CallTarget]);
}

#[test]
fn invariant_09_what_a_call_spends_counts_against_every_limit() {
    let mut world = calling();
    // The session's total is 6,000, the policy's hour 8,000.
    for key in ["a", "b"] {
        let request = deposit(&world, key, "3000");
        signed(world.run(&Command::Spend(request)));
    }
    let more = deposit(&world, "c", "1");
    assert_eq!(refused(&mut world, more), [Code::SessionTotal]);
    let codes = super::tokens::pay(&mut world, "d", 2_001, RECIPIENT).expect_err("too much");
    assert_eq!(codes, [Code::HourLimit, Code::SessionTotal]);
}

#[test]
fn invariant_10_a_call_is_counted_as_every_binding_document_counts_it() {
    let mut world = calling();
    let mut document = call_policy(4);
    // From now on it is no amount any more: looser, so it waits, and meanwhile nothing passes.
    for call in &mut document.calls {
        if let Some(function) = &mut call.function {
            for argument in &mut function.arguments {
                argument.spends = None;
            }
        }
    }
    world.adopt(&document, false).expect("a looser policy");
    if world.state.binding(world.clocks.run).len() > 1 {
        let request = deposit(&world, "a", "700");
        assert_eq!(refused(&mut world, request), [Code::CallConflict]);
    }
    let mut without = call_policy(5);
    without.calls.clear();
    world.adopt(&without, true).expect("a tighter policy");
    let request = deposit(&world, "b", "700");
    assert_eq!(refused(&mut world, request), [Code::CallNotListed]);
}
