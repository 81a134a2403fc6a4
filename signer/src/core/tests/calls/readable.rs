//! What waits can be read whole: a payment whose text would not fit does not begin to wait.

use super::*;
use waiaas_shared::amount::Decimals;
use waiaas_shared::caip::Token;
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::session::SessionLimit;

/// As many as a function may have.
const PARAMETERS: u8 = 12;
/// So many of them are amounts of a token each: more limits would not fit in the text of a grant.
const SPENDS: u8 = 9;
/// Nearly all that an amount can be: 38 digits.
const MOST: u128 = 10_u128.pow(37);

fn coin(number: u8) -> waiaas_shared::caip::AssetId {
    waiaas_shared::caip::AssetId::new(
        EVM,
        Token::Erc20(EvmAddress::from_bytes([0xa0 + number; 20])),
    )
    .expect("a token")
}

fn spread() -> String {
    format!("spread({})", vec!["uint256"; PARAMETERS.into()].join(","))
}

/// Each argument spends a token of its own, and an owner approves it.
fn spreading() -> World {
    let mut world = calling();
    let mut document = call_policy(4);
    // An owner reads eight changes at once, so it takes three documents.
    for (epoch, from, to) in [(4, 0, 6), (5, 6, SPENDS)] {
        document.epoch = epoch;
        document.assets.extend((from..to).map(|number| AssetRule {
            per_transaction: units(MOST),
            hour: units(MOST),
            day: units(MOST),
            week: units(MOST),
            month: units(MOST),
            approve_up_to: units(MOST),
            outstanding: Some(units(MOST)),
            ..AssetRule::closed(coin(number), "COIN", Decimals::new(18).expect("18"))
        }));
        document.sort();
        world.adopt(&document, true).expect("tokens more");
    }
    let arguments = (0..PARAMETERS).map(|number| match number {
        0..SPENDS => ArgumentRule {
            accepts: Accepts::Max(Word::from_number(MOST)),
            spends: Some(coin(number)),
        },
        _ => accepts(Accepts::Any),
    });
    document
        .calls
        .push(rule(&spread(), arguments.collect(), Tier::Approval));
    document.epoch = 6;
    document.sort();
    world.adopt(&document, true).expect("the call");
    let mut grant = grant(&world, Some(vec![Operation::Call]));
    grant.credential = bearer(b"spreading");
    grant.limits.extend((0..SPENDS).map(|number| SessionLimit {
        asset: coin(number),
        per_transaction: units(MOST),
        total: units(MOST),
    }));
    grant.limits.sort_by_key(|limit| limit.asset);
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    world
}

#[test]
fn invariant_13_what_cannot_be_shown_whole_does_not_wait() {
    let mut world = spreading();
    let asked = |world: &World, key: &str, amount: u128| {
        let amount = amount.to_string();
        let mut arguments = vec![amount.as_str(); PARAMETERS.into()];
        // The greatest number that there is.
        let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        arguments[usize::from(SPENDS)..].fill(if amount.len() > 9 { most } else { "7" });
        asks(world, key, &spread(), &arguments, 0)
    };
    let long = asked(&world, "a", MOST);
    let before = world.moments().count();
    assert_eq!(refused(&mut world, long), [Code::IntentTooLong]);
    let opened = world
        .moments()
        .skip(before)
        .any(|(_, _, body)| matches!(body, EventBody::IntentOpened(_)));
    assert!(!opened);
    // The same call of less can be read, and approved.
    let short = asked(&world, "b", 7);
    let transaction = waiting(world.run(&Command::Spend(short)));
    world
        .say(StatementFacts::ApprovePayment { transaction }, false)
        .expect("its text");
}
