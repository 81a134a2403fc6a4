//! Calls: named with their tier and value, and every argument within its rule.

use super::super::super::call::tests::{VAULT, deposit, rule, vault};
use super::*;
use crate::address::EvmAddress;
use crate::evm::abi::{Invocation, Word};
use crate::policy::document::{Accepts, ArgumentRule, AssetRule, CallFunction, CallRule};

const OWN: &str = STRANGER;

fn own() -> EvmAddress {
    OWN.parse().expect("an address")
}

fn told(function: &str, arguments: &[&str], spends: &[Option<AssetId>]) -> Invocation {
    let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let function = function.parse().expect(function);
    Invocation {
        spends: spends.to_vec(),
        ..Invocation::read(own(), function, &texts).expect("its arguments")
    }
}

fn call(value: u128, told: &Invocation) -> Vec<Effect> {
    let contract = VAULT.parse().expect("an address");
    crate::evm::call_effects(chain(), contract, units(value), told).expect("counted")
}

fn deposits(amount: &str, to: &str) -> Vec<Effect> {
    call(
        0,
        &told("deposit(uint256,address)", &[amount, to], &[None, None]),
    )
}

fn with(rules: Vec<CallRule>) -> PolicyDocument {
    let mut document = sample();
    document.calls = rules;
    document.sort();
    document
}

/// As documents said it of programs before their accounts were named: such a document, once adopted, binds still.
#[test]
fn a_program_is_named_with_its_tier_and_value() {
    let solana: AssetId = "solana:localnet/slip44:501".parse().expect("an asset");
    let target: AccountId = "solana:localnet:7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
        .parse()
        .expect("an account");
    let call = |method: &[u8], value| {
        [Effect::Call {
            target: target.account(),
            method: method.to_vec(),
            asset: solana,
            value: units(value),
            told: None,
        }]
    };
    let judge = |document: &PolicyDocument, effects: &[Effect]| {
        let payment = Payment {
            chain: solana.chain(),
            ..request(effects)
        };
        evaluate(document, &payment, &Past::default(), NOW)
            .map(|verdict| verdict.tier)
            .map_err(|violations| codes(&violations))
    };
    let method = [1, 2, 3, 4];
    assert_eq!(
        judge(&sample(), &call(&method, 0)),
        Err(vec![Code::CallNotListed])
    );
    let mut document = with(vec![CallRule {
        target,
        method: method.to_vec(),
        tier: Tier::Delay,
        value_up_to: units(5),
        function: None,
        program: None,
    }]);
    assert_eq!(judge(&document, &call(&method, 5)), Ok(Tier::Delay));
    assert_eq!(
        judge(&document, &call(&method, 6)),
        Err(vec![Code::CallValue])
    );
    assert_eq!(
        judge(&document, &call(&[1, 2, 3, 5], 0)),
        Err(vec![Code::CallNotListed])
    );
    document.denied = vec![target];
    assert_eq!(
        judge(&document, &call(&method, 0)),
        Err(vec![Code::RecipientDenied])
    );
}

#[test]
fn a_function_is_called_within_the_rules_of_its_arguments() {
    let none = Past::default();
    let document = with(vec![deposit()]);
    assert_eq!(
        judge(&document, &deposits("1000", OWN), &none),
        Ok(Tier::Approval)
    );
    // One more than it may be; a number beyond 128 bits; somebody else's address; both.
    let beyond = "340282366920938463463374607431768211457";
    for (amount, to, broken) in [
        ("1001", OWN, vec![Code::CallArgumentLimit]),
        (beyond, OWN, vec![Code::CallArgumentLimit]),
        ("1000", LISTED, vec![Code::CallArgumentWallet]),
        (
            "1001",
            LISTED,
            vec![Code::CallArgumentLimit, Code::CallArgumentWallet],
        ),
    ] {
        assert_eq!(
            judge(&document, &deposits(amount, to), &none),
            Err(broken),
            "{amount} {to}"
        );
    }
    let refused = evaluate(&document, &request(&deposits("1001", OWN)), &none, NOW);
    let broken = refused.expect_err("too much");
    assert_eq!(broken[0].argument, Some(1));
    let other = evaluate(&document, &request(&deposits("1000", LISTED)), &none, NOW);
    assert_eq!(other.expect_err("another's")[0].argument, Some(2));
    assert_eq!(
        (broken[0].observed, broken[0].allowed),
        (some(1001), some(1000))
    );
    // Without a rule for it, of another contract, with another function, and denied by name.
    assert_eq!(
        judge(&sample(), &deposits("1", OWN), &none),
        Err(vec![Code::CallNotListed])
    );
    let withdraw = call(0, &told("withdraw(uint256)", &["1"], &[None]));
    assert_eq!(
        judge(&document, &withdraw, &none),
        Err(vec![Code::CallNotListed])
    );
    let mut denied = document;
    denied.denied = vec![vault()];
    assert_eq!(
        judge(&denied, &deposits("1", OWN), &none),
        Err(vec![Code::RecipientDenied])
    );
}

#[test]
fn values_out_of_a_list_and_a_value_that_is_carried() {
    let none = Past::default();
    let listed: EvmAddress = LISTED.parse().expect("an address");
    let mut stake = CallRule::of_function(
        vault(),
        CallFunction {
            signature: "stake(address,bool)".parse().expect("a function"),
            arguments: vec![
                rule(Accepts::OneOf(vec![crate::evm::abi::address_word(listed)])),
                rule(Accepts::Any),
            ],
        },
        Tier::Instant,
    );
    stake.value_up_to = units(7);
    let document = with(vec![stake]);
    let stakes = |value, to: &str| {
        call(
            value,
            &told("stake(address,bool)", &[to, "true"], &[None, None]),
        )
    };
    assert_eq!(
        judge(&document, &stakes(7, LISTED), &none),
        Ok(Tier::Instant)
    );
    assert_eq!(
        judge(&document, &stakes(8, LISTED), &none),
        Err(vec![Code::CallValue])
    );
    assert_eq!(
        judge(&document, &stakes(7, OWN), &none),
        Err(vec![Code::CallArgumentValue])
    );
    // What it carries counts against the coin's own limits, with the fee.
    let mut roomy = document;
    roomy.calls[0].value_up_to = units(1000);
    let mut dear = stakes(99, LISTED);
    dear.push(fee(2));
    assert_eq!(
        judge(&roomy, &dear, &none),
        Err(vec![Code::PerTransactionLimit, Code::TierNotAvailable])
    );
}

#[test]
fn a_call_spends_what_it_says() {
    let none = Past::default();
    let token: AssetId = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        .parse()
        .expect("a token");
    let of_token = |document: &mut PolicyDocument| {
        let coin = document.asset(native()).expect("it is there").clone();
        document.assets.push(AssetRule {
            asset: token,
            fee_ceiling: None,
            ..coin
        });
    };
    let mut counted = deposit();
    if let Some(function) = &mut counted.function {
        function.arguments[0] = ArgumentRule {
            accepts: Accepts::Any,
            spends: Some(token),
        };
    }
    let mut document = with(vec![counted]);
    of_token(&mut document);
    document.sort();
    let spends = [Some(token), None];
    let deposits = |amount: &str| {
        call(
            0,
            &told("deposit(uint256,address)", &[amount, OWN], &spends),
        )
    };
    // Up to the token's own limit, and not one unit more, in a window as well.
    assert_eq!(judge(&document, &deposits("80"), &none), Ok(Tier::Approval));
    assert_eq!(
        judge(&document, &deposits("81"), &none),
        Err(vec![Code::TierNotAvailable])
    );
    let sums = charges(&deposits("80")).expect("fits");
    assert_eq!(sums.get(&token), some(80).as_ref());
    let mut past = none.clone();
    for at in 0..3 {
        let effects = deposits("60");
        past.payer.charge(&Charged {
            at: BudgetTime::from_millis(at),
            chain: chain(),
            charges: &charges(&effects).expect("fits"),
            effects: &effects,
        });
    }
    assert_eq!(judge(&document, &deposits("20"), &past), Ok(Tier::Approval));
    assert_eq!(
        judge(&document, &deposits("21"), &past),
        Err(vec![Code::HourLimit])
    );
    // A document that counts it otherwise refuses it: the call must be counted as each of them does.
    let mut uncounted = with(vec![deposit()]);
    of_token(&mut uncounted);
    uncounted.sort();
    assert_eq!(
        judge(&uncounted, &deposits("20"), &none),
        Err(vec![Code::CallConflict])
    );
    let bare = call(
        0,
        &told("deposit(uint256,address)", &["20", OWN], &[None, None]),
    );
    assert_eq!(
        judge(&document, &bare, &none),
        Err(vec![Code::CallConflict])
    );
    // Nor does an outflow pass that was left out, changed, or stands alone.
    let mut effects = deposits("20");
    effects.truncate(1);
    assert_eq!(
        judge(&document, &effects, &none),
        Err(vec![Code::CallConflict])
    );
    let mut effects = deposits("20");
    if let Effect::Call { value, .. } = &mut effects[1] {
        *value = units(19);
    }
    let refused = judge(&document, &effects, &none).expect_err("changed");
    assert_eq!(refused, [Code::CallNotListed, Code::CallConflict]);
    assert_eq!(
        judge(&document, &deposits("20")[1..], &none),
        Err(vec![Code::CallNotListed])
    );
}

#[test]
fn whoever_restricts_recipients_restricts_what_is_called() {
    let none = Past::default();
    let narrowed = |name: &str| {
        let mut document = scoped(Scope::Global, |rule| {
            rule.recipients = Some(vec![name.to_owned()]);
        });
        document.calls = vec![deposit()];
        document.recipients.push(Recipient {
            account: vault(),
            name: "vault".to_owned(),
        });
        document.sort();
        document
    };
    assert_eq!(
        judge(&narrowed("hosting"), &deposits("1", OWN), &none),
        Err(vec![Code::RecipientNotAllowed])
    );
    assert_eq!(
        judge(&narrowed("vault"), &deposits("1", OWN), &none),
        Ok(Tier::Approval)
    );
}

#[test]
fn numbers_of_256_bits_are_compared_whole() {
    let most = Word::from_bytes([0xff; 32]);
    let bound = |word| Accepts::Max(word);
    let told = told("deposit(uint256,address)", &["1", OWN], &[None, None]);
    let mut less = [0xff; 32];
    less[0] = 0xfe;
    let less = Word::from_bytes(less);
    assert!(bound(most).allows(&less, &told) && bound(most).allows(&most, &told));
    assert!(!bound(less).allows(&most, &told));
}

/// Whoever may not receive is paid by no contract's argument either.
#[test]
fn a_denied_address_is_refused_as_an_argument() {
    let function = "send(address,uint256)";
    let any = || rule(Accepts::Any);
    let registered = CallFunction {
        signature: function.parse().expect("a function"),
        arguments: vec![any(), any()],
    };
    let mut document = with(vec![CallRule::of_function(
        vault(),
        registered,
        Tier::Delay,
    )]);
    let effects = call(0, &told(function, &[LISTED, "5"], &[None, None]));
    let none = Past::default();
    assert_eq!(judge(&document, &effects, &none), Ok(Tier::Delay));
    let listed = AccountId::new(chain(), LISTED.parse().expect("an address"));
    document.denied = vec![listed.expect("an account")];
    assert_eq!(
        judge(&document, &effects, &none),
        Err(vec![Code::RecipientDenied])
    );
}
