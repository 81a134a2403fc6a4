//! The checker broken on purpose over several payments in one transaction and a call: each part, the memo,
//! each argument and each count.

use waiaas_shared::address::Account;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::session::SessionGrant;

use super::super::world::{DEPOSIT, DEPOSITS, vault};
use super::*;
use crate::model::asking::{Asking, Does, Part, Told};
use crate::model::calls::word_of;
use crate::model::people::{Terms, bytes, proposed, token_on};

fn pays(asset: AssetId, to: u8, amount: u128) -> Part {
    Part {
        does: Does::Pays,
        asset,
        to: account(asset.chain(), to),
        amount,
    }
}

/// Two payments of coins and one of tokens in one transaction, with a memo; and the largest deposit.
fn several() -> History {
    let mut world = World::new(1, false);
    let session = world.known.sessions[0];
    let payer = (world.known.solana, session.id, session.is_bearer());
    let (coins, tokens) = (solana().native_asset(), token_on(solana()));
    let batch = Asking {
        parts: vec![
            pays(coins, 0, 700),
            pays(coins, 0, 800),
            pays(tokens, 1, 900),
        ],
        memo: Some("order 7".to_owned()),
        ..Asking::coins(payer, account(solana(), 0), 0, 0)
    };
    let from = bytes(&world.known.evm_address);
    let Account::Evm(own) = world.known.evm_address else {
        panic!("an address of the chain")
    };
    let carries = |asset, amount| Part {
        does: Does::Carries,
        asset,
        to: vault(),
        amount,
    };
    let payer = (world.known.evm, session.id, session.is_bearer());
    let deposit = Asking {
        parts: vec![
            carries(EVM.native_asset(), 0),
            carries(token_on(EVM), DEPOSIT),
        ],
        told: Some(Told {
            from: own,
            function: DEPOSITS.to_owned(),
            words: vec![word_of(&DEPOSIT.to_be_bytes()), word_of(&from)],
            spends: vec![Some(token_on(EVM)), None],
        }),
        ..Asking::coins(payer, vault(), 0, 0)
    };
    for (key, asking) in [("a", batch), ("b", deposit)] {
        let (_, from) = world.wallet_on(asking.chain);
        let terms = Terms {
            price: 1,
            salt: 3,
            nonce: 0,
        };
        let bytes = proposed(&from, &asking, terms, 1);
        let request = world.asks(session, key, asking, bytes);
        world.one(Asked::Sign(Box::new(request))).signed();
    }
    world.history
}

/// What the n-th payment was asked to do, from 0.
fn asked(history: &mut History, n: usize) -> &mut Asking {
    let body = spend(history, n).body;
    history.asked.get_mut(&body).expect("it was asked")
}

fn token_rule(history: &mut History, of: ChainId) -> &mut AssetRule {
    let asset = token_on(of);
    let mut rules = policy(history).assets.iter_mut();
    rules.find(|rule| rule.asset == asset).expect("a token")
}

fn limits_of_the_session(history: &mut History, change: fn(&mut SessionGrant)) {
    for said in history.said.values_mut() {
        if let StatementFacts::GrantSession { grant } = &mut said.facts {
            change(grant);
        }
    }
    for entry in &mut history.entries {
        if let EventBody::StatementIssued { facts, .. } = &mut entry.event.body
            && let StatementFacts::GrantSession { grant } = facts
        {
            change(grant);
        }
    }
}

#[test]
fn every_part_memo_argument_and_count_is_seen() {
    let history = several();
    assert_eq!(check(&history), Ok(()));
    let cases: &[(&str, Doctor, Expected)] = &[
        (
            "a payment that was hidden in a batch",
            |history| {
                asked(history, 0).parts.remove(1);
            },
            broken!(Bytes, "not what was asked"),
        ),
        (
            "the last one's recipient",
            |history| asked(history, 0).parts[2].to = account(solana(), 0),
            broken!(Bytes, "not what was asked"),
        ),
        (
            "a memo that nobody asked for",
            |history| asked(history, 0).memo = None,
            broken!(Bytes, "not what was asked"),
        ),
        (
            "another argument",
            |history| asked(history, 1).told.as_mut().expect("a call").words[1][31] ^= 1,
            broken!(Bytes, "not what was asked"),
        ),
        (
            "another contract",
            |history| asked(history, 1).parts[0].to = account(EVM, 1),
            broken!(Bytes, "not what was asked"),
        ),
        (
            "a batch charged without its tokens",
            |history| {
                spend(history, 0).charges.pop();
            },
            broken!(Bytes, "charged something else"),
        ),
        (
            "a call charged without what it spends",
            |history| {
                spend(history, 1).charges.pop();
            },
            broken!(Bytes, "charged something else"),
        ),
        (
            "a batch counts as many",
            |history| rule_of(policy(history), solana()).counts.hour = Some(1),
            broken!(Limit, "hour_count"),
        ),
        (
            "the sum of a batch",
            |history| rule_of(policy(history), solana()).hour = units(1_500 + 4_999),
            broken!(Limit, "hour_limit"),
        ),
        (
            "its tokens",
            |history| token_rule(history, solana()).hour = units(899),
            broken!(Limit, "hour_limit"),
        ),
        (
            "its last recipient",
            |history| {
                policy(history)
                    .recipients
                    .retain(|known| known.name != "contact-1");
            },
            broken!(Limit, "recipient_not_listed"),
        ),
        (
            "what a call spends",
            |history| token_rule(history, EVM).day = units(DEPOSIT - 1),
            broken!(Limit, "day_limit"),
        ),
        (
            "a function that is not registered",
            |history| policy(history).calls.clear(),
            broken!(Limit, "call_not_listed"),
        ),
        (
            "an argument above its limit",
            |history| {
                use waiaas_shared::evm::abi::Word;
                use waiaas_shared::policy::document::Accepts;
                let rule = policy(history).calls[0].function.as_mut();
                rule.expect("a function").arguments[0].accepts =
                    Accepts::Max(Word::from_number(DEPOSIT - 1));
            },
            broken!(Limit, "call_argument_limit"),
        ),
        (
            "a session counts a batch as many",
            |history| limits_of_the_session(history, |grant| grant.count = 3),
            broken!(Session, "count"),
        ),
        (
            "a session without calls",
            |history| limits_of_the_session(history, |grant| grant.operations = None),
            broken!(Session, "operation"),
        ),
    ];
    for (case, doctor, expected) in cases {
        let mut doctored = history.clone();
        doctor(&mut doctored);
        match check(&doctored) {
            Err(broken) if expected(&broken) => {}
            other => panic!("{case}: {other:?}"),
        }
    }
}
