//! What an owner reads of payments: units and contacts by the policy, and whose they are.

use crate::address::SolanaAddress;
use crate::amount::Amount;
use crate::codec::{from_canonical, to_canonical};
use crate::digest::Digest;
use crate::effect::Effect;
use crate::event::Charge;
use crate::evm::abi::Invocation;
use crate::ids::{SessionId, StatementId, TransactionId, WalletId};
use crate::policy::evaluate::Tier;
use crate::policy::toml_form;
use crate::solana::{StakeAccount, Staking};
use crate::statement::StatementFacts;
use crate::time::{RunTime, WallTime};

use super::*;

const HOSTING: &str = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";

fn spend() -> Spend {
    let asset = "solana:localnet/slip44:501".parse().expect("an asset");
    let amount = Amount::from_base_units(250_000_000);
    Spend {
        transaction: TransactionId::from_bytes([1; 16]),
        session: Some(SessionId::from_bytes([2; 16])),
        wallet: WalletId::from_bytes([3; 16]),
        chain: "solana:localnet".parse().expect("a network"),
        unsigned: vec![],
        effects: vec![
            Effect::Transfer {
                asset,
                to: HOSTING.parse().expect("an account"),
                amount,
            },
            Effect::Fee {
                asset,
                max: Amount::from_base_units(5000),
            },
        ],
        charges: vec![Charge { asset, amount }],
        tier: Tier::Notify,
        policy_epoch: 1,
        nonce: None,
        idempotency: Digest::from_bytes([0; 32]),
        body: Digest::from_bytes([0; 32]),
        kept_until: WallTime::from_millis(0),
        request_nonce: None,
        submit: false,
        from: None,
        fee_ceiling: None,
        replaces: Some(Replaces {
            transaction: TransactionId::from_bytes([4; 16]),
            tries: 1,
        }),
        waited: None,
        memo: None,
    }
}

#[test]
fn payments_are_told_in_the_policys_units_and_names() {
    let body = EventBody::SpendCommitted(spend());
    let mut names = Names::default();
    let (kind, text) = words(&body, &names);
    assert_eq!(kind, "SpendCommitted");
    assert!(
        text.starts_with(&format!(
            "250000000 base units of solana:localnet/slip44:501 to {HOSTING}, fee up to 5000 base units"
        )),
        "{text}"
    );
    let document = toml_form::parse(include_str!("../../../docs/examples/policy.toml")).unwrap();
    let statement = StatementId::from_bytes([5; 16]);
    names.learn(&EventBody::StatementIssued {
        statement,
        facts: StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        },
        policy_epoch: 0,
        expires: WallTime::from_millis(0),
        origin: Origin::Admin,
        text: from_canonical(&to_canonical(&"text".to_owned())).unwrap(),
    });
    names.learn(&EventBody::PolicyAdopted {
        statement,
        signers: vec![],
        epoch: 1,
        digest: document.digest(),
        matures: RunTime::from_millis(0),
    });
    let spend = spend();
    assert_eq!(
        words(&body, &names).1,
        format!(
            "0.25 SOL to @hosting ({HOSTING}), fee up to 0.000005 SOL, NOTIFY; {} from {}, not sent, replaces {}",
            spend.transaction,
            spend.wallet,
            TransactionId::from_bytes([4; 16])
        )
    );
}

/// What ends a payment names only the payment: whose it was is known from the event that began it.
#[test]
fn filters_follow_a_payment_to_its_end() {
    let mut names = Names::default();
    let ended = EventBody::IntentsEnded {
        transactions: vec![spend().transaction],
        cause: IntentEnd::Expired,
    };
    let wallet = spend().wallet;
    assert!(!names.concerns_wallet(&ended.about(), wallet));
    names.learn(&EventBody::SpendCommitted(spend()));
    assert!(names.concerns_wallet(&ended.about(), wallet));
    assert!(names.concerns_session(&ended.about(), SessionId::from_bytes([2; 16])));
    assert!(!names.concerns_wallet(&ended.about(), WalletId::from_bytes([9; 16])));
    let paused = EventBody::Paused {
        wallet: Some(wallet),
        origin: Origin::Admin,
    };
    assert!(names.concerns_wallet(&paused.about(), wallet));
}

#[test]
fn a_call_is_told_with_every_argument() {
    let chain = "eip155:31337".parse::<crate::caip::ChainId>();
    let chain = chain.unwrap();
    let own = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    let vault = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";
    let token: AssetId = format!("eip155:31337/erc20:{own}").parse().unwrap();
    let function = "deposit(uint256,address)".parse().unwrap();
    let arguments = ["700".to_owned(), own.to_owned()];
    let told = Invocation {
        spends: vec![Some(token), None],
        ..Invocation::read(own.parse().unwrap(), function, &arguments).unwrap()
    };
    let value = Amount::from_base_units(5);
    let effects = crate::evm::call_effects(chain, vault.parse().unwrap(), value, &told).unwrap();
    let body = EventBody::SpendCommitted(Spend {
        chain,
        effects,
        replaces: None,
        ..spend()
    });
    let text = words(&body, &Names::default()).1;
    let expected = format!(
        "call of {vault} by deposit(uint256,address) of 700 {own} with up to 5 base units of eip155:31337/slip44:60, 700 base units of {token} counted as leaving, NOTIFY"
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn stakes_are_told_with_seed_account_and_validator() {
    let account = || {
        StakeAccount::of(
            SolanaAddress::from_bytes([1; 32]),
            "june-1".parse().unwrap(),
        )
    };
    let told = |staking: Staking| {
        let asset = "solana:localnet/slip44:501".parse().expect("an asset");
        let effects = vec![Effect::Stake {
            asset,
            account: account(),
            staking,
        }];
        let body = EventBody::SpendCommitted(Spend { effects, ..spend() });
        words(&body, &Names::default()).1
    };
    let which = format!("stake june-1 at {}", account().address());
    let amount = Amount::from_base_units(7);
    let validator: SolanaAddress = HOSTING.parse().expect("an account");
    for (staking, expected) in [
        (
            Staking::Delegate { validator, amount },
            format!("7 base units of solana:localnet/slip44:501 into {which} with {HOSTING}"),
        ),
        (Staking::Deactivate, format!("end of {which}")),
        (
            Staking::Withdraw { amount },
            format!("7 base units of solana:localnet/slip44:501 back out of {which}"),
        ),
        (
            Staking::Withdraw {
                amount: Amount::ZERO,
            },
            format!("all back out of {which}"),
        ),
    ] {
        let words = told(staking);
        assert!(words.starts_with(&expected), "{words}");
    }
}
