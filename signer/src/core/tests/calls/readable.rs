//! What waits can be read whole: a payment whose text would not fit does not begin to wait.

use super::*;
use waiaas_shared::amount::Decimals;
use waiaas_shared::caip::Token;
use waiaas_shared::policy::document::AssetRule;
use waiaas_shared::session::SessionLimit;

/// As many as a function may have.
const PARAMETERS: u8 = 12;
/// Nearly the most that an amount can be, none of its digits a zero.
const MOST: u128 = u128::MAX / 100_000 * 100_000 + 11_111;

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
    // More at once would not fit in the text of a policy.
    for (epoch, from, to) in [(4, 0, 3), (5, 3, 6), (6, 6, 9), (7, 9, PARAMETERS)] {
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
    let arguments = (0..PARAMETERS).map(|number| ArgumentRule {
        accepts: Accepts::Any,
        spends: Some(coin(number)),
    });
    document
        .calls
        .push(rule(&spread(), arguments.collect(), Tier::Approval));
    document.epoch = 8;
    document.sort();
    world.adopt(&document, true).expect("the call");
    let mut grant = grant(&world, Some(vec![Operation::Call]));
    grant.credential = bearer(b"spreading");
    match world.say(StatementFacts::GrantSession { grant }, false) {
        Ok(Outcome::Session(session)) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    // So many limits would not fit in the text of one grant: they are put into it by hand.
    let session = world.state.sessions.get_mut(&world.bearer);
    let limits = &mut session.expect("a session").grant.limits;
    limits.extend((0..PARAMETERS).map(|number| SessionLimit {
        asset: coin(number),
        per_transaction: units(MOST),
        total: units(MOST),
    }));
    limits.sort_by_key(|limit| limit.asset);
    world
}

#[test]
fn invariant_13_what_cannot_be_shown_whole_does_not_wait() {
    let mut world = spreading();
    let asked = |world: &World, key: &str, amount: u128| {
        let amount = amount.to_string();
        let arguments = vec![amount.as_str(); PARAMETERS.into()];
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
