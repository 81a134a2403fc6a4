//! What an owner may register, and what is refused with a reason.

use super::*;
use crate::caip::ChainId;
use crate::policy::check::PolicyError;
use crate::policy::document::tests::full;

/// A vault that nobody knows.
pub(crate) const VAULT: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";

pub(crate) fn vault() -> AccountId {
    AccountId::new(ChainId::Evm(31_337), VAULT.parse().expect("an address")).expect("an account")
}

pub(crate) fn rule(accepts: Accepts) -> ArgumentRule {
    ArgumentRule {
        accepts,
        spends: None,
    }
}

/// `deposit(uint256,address)`: up to 1000, to the wallet itself.
pub(crate) fn deposit() -> CallRule {
    let function = CallFunction {
        signature: "deposit(uint256,address)".parse().expect("a function"),
        arguments: vec![
            rule(Accepts::Max(Word::from_number(1000))),
            rule(Accepts::Wallet),
        ],
    };
    CallRule::of_function(vault(), function, Tier::Approval)
}

fn of(signature: &str, arguments: Vec<ArgumentRule>) -> CallRule {
    let function = CallFunction {
        signature: signature.parse().expect(signature),
        arguments,
    };
    CallRule::of_function(vault(), function, Tier::Approval)
}

fn checked(rules: Vec<CallRule>) -> Option<Flaw> {
    let mut document = full();
    document.calls = rules;
    document.sort();
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

#[test]
fn what_an_owner_may_register() {
    let one_of = |words: &[u128]| {
        let words = words.iter().map(|number| Word::from_number(*number));
        rule(Accepts::OneOf(words.collect()))
    };
    for sound in [
        deposit(),
        of("claim()", vec![]),
        of("stake(uint128)", vec![one_of(&[1, 2, 3])]),
        of("vote(int8,bool)", vec![rule(Accepts::Any), one_of(&[0, 1])]),
    ] {
        assert_eq!(checked(vec![sound.clone()]), None, "{sound:?}");
    }
    assert_eq!(checked(vec![deposit(), of("claim()", vec![])]), None);
}

#[test]
fn each_argument_has_a_rule_of_its_type() {
    let number = |number| Word::from_number(number);
    for (signature, arguments, flaw) in [
        (
            "deposit(uint256,address)",
            vec![rule(Accepts::Any)],
            Flaw::Arguments,
        ),
        ("claim()", vec![rule(Accepts::Any)], Flaw::Arguments),
        (
            "f(address)",
            vec![rule(Accepts::Max(number(1)))],
            Flaw::Argument,
        ),
        (
            "f(int256)",
            vec![rule(Accepts::Max(number(1)))],
            Flaw::Argument,
        ),
        (
            "f(uint8)",
            vec![rule(Accepts::Max(number(256)))],
            Flaw::Argument,
        ),
        ("f(uint256)", vec![rule(Accepts::Wallet)], Flaw::Argument),
        (
            "f(uint256)",
            vec![rule(Accepts::OneOf(vec![]))],
            Flaw::Argument,
        ),
        (
            "f(uint256)",
            vec![rule(Accepts::OneOf(vec![number(2), number(1)]))],
            Flaw::Argument,
        ),
        (
            "f(uint256)",
            vec![rule(Accepts::OneOf(vec![number(1), number(1)]))],
            Flaw::Argument,
        ),
        (
            "f(bool)",
            vec![rule(Accepts::OneOf(vec![number(2)]))],
            Flaw::Argument,
        ),
        (
            "f(uint256)",
            vec![rule(Accepts::OneOf((0..65).map(number).collect()))],
            Flaw::Argument,
        ),
    ] {
        // In canonical bytes, so that sorting repairs nothing.
        let mut document = full();
        document.calls = vec![of(signature, arguments)];
        let refused = PolicyDocument::from_bytes(&document.to_bytes());
        assert!(
            matches!(&refused, Err(PolicyError::Flawed { flaw: found, .. }) if *found == flaw),
            "{signature}: {refused:?}"
        );
    }
}

#[test]
fn methods_of_tokens_and_wrappers_are_never_registered() {
    let any = |count| vec![rule(Accepts::Any); count];
    for (signature, count) in [
        ("transfer(address,uint256)", 2),
        ("transferFrom(address,address,uint256)", 3),
        ("approve(address,uint256)", 2),
        ("increaseAllowance(address,uint256)", 2),
        (
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
            7,
        ),
        ("setApprovalForAll(address,bool)", 2),
        ("safeTransferFrom(address,address,uint256)", 3),
        // Begins as transfer(address,uint256) does.
        ("many_msg_babbage(bytes1)", 1),
    ] {
        let refused = checked(vec![of(signature, any(count))]);
        assert_eq!(refused, Some(Flaw::Reserved), "{signature}");
    }
}

#[test]
fn two_functions_that_begin_alike_are_refused() {
    let pair = vec![
        of("burn(uint256)", vec![rule(Accepts::Any)]),
        of(
            "collate_propagate_storage(bytes16)",
            vec![rule(Accepts::Any)],
        ),
    ];
    assert_eq!(checked(pair.clone()), Some(Flaw::Collision));
    assert_eq!(checked(vec![pair[0].clone()]), None);
    // At another contract it is another call.
    let mut other = pair[1].clone();
    other.target = full().recipients[0].account;
    assert_eq!(checked(vec![pair[0].clone(), other]), None);
    assert_eq!(checked(vec![deposit(), deposit()]), Some(Flaw::Order));
}

#[test]
fn a_contract_is_called_by_its_function_and_a_program_by_its_bytes() {
    let bare = CallRule {
        function: None,
        ..deposit()
    };
    assert_eq!(checked(vec![bare]), Some(Flaw::Function));
    let renamed = CallRule {
        method: vec![1, 2, 3, 4],
        ..deposit()
    };
    assert_eq!(checked(vec![renamed]), Some(Flaw::Method));
    let program = |function| CallRule {
        target: full().calls[0].target,
        function,
        ..deposit()
    };
    assert_eq!(checked(vec![program(None)]), Some(Flaw::Function));
    assert_eq!(
        checked(vec![program(deposit().function)]),
        Some(Flaw::Function)
    );
    for system in [
        "0x0000000000000000000000000000000000000000",
        "0x0000000000000000000000000000000000000001",
        "0x0000000000000000000000000000000000000009",
    ] {
        let target = format!("eip155:31337:{system}").parse().expect(system);
        let rule = CallRule {
            target,
            ..deposit()
        };
        assert_eq!(checked(vec![rule]), Some(Flaw::Target), "{system}");
    }
}

#[test]
fn an_amount_is_of_a_token_that_the_document_knows() {
    let spends = |asset: &str, kind: &str| {
        let argument = ArgumentRule {
            accepts: Accepts::Any,
            spends: Some(asset.parse().expect(asset)),
        };
        checked(vec![of(&format!("f({kind})"), vec![argument])])
    };
    let token = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    // Known tokens: see `a_call_spends_what_it_says` of the rules.
    assert_eq!(spends(token, "uint256"), Some(Flaw::Unknown));
    assert_eq!(spends(token, "address"), Some(Flaw::Spends));
    assert_eq!(spends(token, "int256"), Some(Flaw::Spends));
    assert_eq!(
        spends("eip155:31337/slip44:60", "uint256"),
        Some(Flaw::Spends)
    );
    let elsewhere = token.replace("31337", "1");
    assert_eq!(spends(&elsewhere, "uint256"), Some(Flaw::Spends));
}

#[test]
fn a_document_without_functions_has_the_bytes_that_it_had() {
    // The canonical form of a call rule before functions were registered: a map of four.
    let program: AccountId = "solana:localnet:11111111111111111111111111111111"
        .parse()
        .expect("an account");
    let rule = CallRule {
        target: program,
        method: vec![1, 2],
        tier: Tier::Approval,
        value_up_to: Amount::from_base_units(3),
        function: None,
        program: None,
    };
    let bytes = crate::codec::to_canonical(&rule);
    assert_eq!(bytes.first(), Some(&0xa4));
    assert_eq!(crate::codec::from_canonical(&bytes), Ok(rule));
    assert_eq!(crate::codec::to_canonical(&deposit()).first(), Some(&0xa5));
}
