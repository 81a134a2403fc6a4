//! Addresses for withdrawals leave as they come (invariant 17): quorum, password and 72 hours, open to the
//! last moment, and never the last one of a network.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::owner_change::OwnerChange;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::people::{Hand, account, three_owners};
use super::rotation::prior;
use super::world::{FEE, RECIPIENT, STRANGER, World, evm_recipient, unsigned};
use crate::core::command::{Command, Prior, Withdrawal};

fn enrol(to: &str) -> StatementFacts {
    StatementFacts::EnrolWithdrawal {
        account: account(to),
    }
}

fn remove(to: &str) -> StatementFacts {
    StatementFacts::RemoveWithdrawal {
        account: account(to),
    }
}

/// Two of three owners must sign; both addresses are enrolled.
fn with_two_addresses() -> (World, [Hand; 3]) {
    let (mut world, [one, two, three]) = three_owners();
    for to in [RECIPIENT, STRANGER] {
        world.say_as(enrol(to), &[&one, &two], true).expect("asked");
    }
    world.pass(Millis::from_hours(72));
    (world, [one, two, three])
}

#[test]
fn invariant_17_an_address_leaves_by_quorum_password_and_72_hours() {
    let (mut world, [one, two, three]) = with_two_addresses();
    let both = [&one, &two];
    let alone = world.say_as(remove(STRANGER), &[&one], true).map(drop);
    assert_eq!(alone, Err(vec![Code::QuorumMissing]));
    let open = world.say_as(remove(STRANGER), &both, false).map(drop);
    assert_eq!(open, Err(vec![Code::AdminOnly]));
    world.say_as(remove(STRANGER), &both, true).expect("asked");
    let account = account(STRANGER);
    assert!(matches!(
        world.events.last(),
        Some(EventBody::OwnerChangeScheduled {
            change: OwnerChange::RemoveWithdrawal { account: leaves },
            effective,
            ..
        }) if *leaves == account && effective.since(world.clocks.run) == Millis::from_hours(72)
    ));
    // Twice is once.
    let again = world.draft(remove(STRANGER), Origin::Admin).map(drop);
    assert_eq!(again, Err(vec![Code::WithdrawalAddress]));
    // Who has the quorum does not shut the way out at once: until then it is as before, and any owner
    // cancels. Time that only budgets and expiries see brings it no closer.
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(100));
    world.clocks.budget = world.clocks.budget.after(Millis::from_hours(100));
    world.pass(Millis::from_secs(72 * 3600 - 2));
    world.withdraw_as(STRANGER, 1, &both).expect("as before");
    let facts = StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: super::world::EVM.native_asset(),
        to: STRANGER.parse().expect("an address"),
        amount: waiaas_shared::amount::Amount::from_base_units(1),
        fee_ceiling: waiaas_shared::amount::Amount::from_base_units(FEE),
        nonce: None,
        from: None,
    };
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    world.pass(Millis::from_secs(2));
    // Also what was drafted and signed before goes there no more.
    let kept = Command::Withdraw(Withdrawal {
        statement,
        signatures: both.map(|hand| hand.signature(&text)).to_vec(),
        unsigned: unsigned(31_337, 0, 1, evm_recipient(STRANGER)),
    });
    let late = world.run(&kept).map(drop);
    assert_eq!(late, Err(vec![Code::WithdrawalAddress]));
    let gone = world.withdraw_as(STRANGER, 1, &both).map(drop);
    assert_eq!(gone, Err(vec![Code::WithdrawalAddress]));
    world.withdraw_as(RECIPIENT, 1, &both).expect("the other");
    // It may come back as any other comes.
    world.say_as(enrol(STRANGER), &both, true).expect("asked");
    world.pass(Millis::from_hours(72));
    world.withdraw_as(STRANGER, 1, &both).expect("enrolled");

    world.say_as(remove(STRANGER), &both, true).expect("asked");
    let change = world.last_scheduled();
    let cancel = StatementFacts::CancelOwnerChange { change };
    world.say_as(cancel, &[&three], false).expect("cancelled");
    world.pass(Millis::from_hours(72));
    world.withdraw_as(STRANGER, 1, &both).expect("it stayed");
}

/// The bytes of before are the address's as well: whoever reaches the owner's socket gets none of them any more.
#[test]
fn invariant_17_no_bytes_are_given_again_for_an_address_that_left() {
    let (mut world, [one, two, _]) = with_two_addresses();
    let both = [&one, &two];
    let entries = [STRANGER, RECIPIENT].map(|to| {
        world.withdraw_as(to, 1, &both).expect("withdrawn");
        let Some(EventBody::Withdrawn { spend, .. }) = world.events.last() else {
            panic!("{:?}", world.events.last());
        };
        prior(&world, spend.clone())
    });
    let again = |world: &mut World| {
        let resend = |entry: &Prior| Command::Resend(Box::new(entry.clone()), Origin::Admin);
        let [one, two] = [0, 1].map(|place| world.run(&resend(&entries[place])).map(drop));
        (one, two)
    };
    assert_eq!(again(&mut world), (Ok(()), Ok(())));
    world.say_as(remove(STRANGER), &both, true).expect("asked");
    world.pass(Millis::from_secs(72 * 3600 - 1));
    assert_eq!(again(&mut world), (Ok(()), Ok(())));
    world.pass(Millis::from_secs(1));
    let left = Err(vec![Code::WithdrawalAddress]);
    assert_eq!(again(&mut world), (left, Ok(())));
    world.say_as(enrol(STRANGER), &both, true).expect("asked");
    world.pass(Millis::from_hours(72));
    assert_eq!(again(&mut world), (Ok(()), Ok(())));
}

#[test]
fn invariant_17_the_last_address_of_a_network_stays() {
    let (mut world, [one, two, _]) = with_two_addresses();
    let both = [&one, &two];
    world.say_as(remove(STRANGER), &both, true).expect("asked");
    // What waits counts as done: of two removals one shuts the way out.
    let last = world.draft(remove(RECIPIENT), Origin::Admin).map(drop);
    assert_eq!(last, Err(vec![Code::WithdrawalLast]));
    // Beside a new one the last one leaves; without it, it stays after all.
    let third = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";
    world.say_as(enrol(third), &both, true).expect("asked");
    let enrolled = world.last_scheduled();
    world.say_as(remove(RECIPIENT), &both, true).expect("asked");
    let removed = world.last_scheduled();
    let mut carried_out = world.clone();
    let cancel = StatementFacts::CancelOwnerChange { change: enrolled };
    world.say_as(cancel, &[&one], false).expect("cancelled");
    world.pass(Millis::from_hours(72));
    world.withdraw_as(RECIPIENT, 1, &both).expect("it stayed");
    assert!(world.events.contains(&EventBody::OwnerChangeVoided {
        change: removed,
        code: Code::WithdrawalLast
    }));
    carried_out.pass(Millis::from_hours(72));
    carried_out
        .withdraw_as(third, 1, &both)
        .expect("the new one");
    let gone = carried_out.withdraw_as(RECIPIENT, 1, &both).map(drop);
    assert_eq!(gone, Err(vec![Code::WithdrawalAddress]));
    // An address that was never enrolled does not leave.
    let unknown = world.draft(remove(third), Origin::Admin).map(drop);
    assert_eq!(unknown, Err(vec![Code::WithdrawalAddress]));
}

#[test]
fn invariant_17_a_suspension_and_a_kill_void_the_removal_of_an_address() {
    let (world, [one, two, three]) = with_two_addresses();
    let stops: [&dyn Fn(&mut World); 2] = [
        &|world| {
            let suspend = StatementFacts::SuspendOwner { owner: two.id };
            world.say_as(suspend, &[&three], false).expect("suspended");
        },
        &|world| drop(world.run(&Command::Kill(Origin::Gateway)).expect("killed")),
    ];
    for stop in stops {
        let mut world = world.clone();
        let asked = world.say_as(remove(STRANGER), &[&one, &two], true);
        asked.expect("asked");
        stop(&mut world);
        assert_eq!(world.state.owner_changes(), 0);
        world.pass(Millis::from_hours(72));
        let views = world.state.owner_views(world.clocks);
        assert!(views[0].withdrawals.contains(&account(STRANGER)));
    }
}
