//! The bytes of a committed payment once more, after a crash or a lost answer, when the rules ask for more
//! than the payment went through: a longer delay, more owners. They are withheld, until it suffices again.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::Cumulative;
use waiaas_shared::policy::windows::Window;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, Millis};

use super::intent::{self, ASKING, asking, delayed, release, waiting_policy};
use super::people::{Hand, main_network, three_owners};
use super::world::{FEE, World};
use crate::core::command::{Command, Outcome, Prior, Release};

const DELAYED: u128 = 150_000 - FEE;

/// The entry of the newest payment, as the ledger finds it.
pub(super) fn prior(world: &World) -> Box<Prior> {
    let newest = world.events.iter().rev().find_map(|body| match body {
        EventBody::SpendCommitted(spend) => Some(spend.clone()),
        _ => None,
    });
    Box::new(Prior {
        sequence: 42,
        charged_at: BudgetTime::from_millis(world.clocks.budget.millis()),
        spend: newest.expect("a payment"),
        variant: None,
    })
}

/// Asked for by its name, and as a release that was asked for before: both must answer the same.
pub(super) fn again(world: &mut World, entry: &Prior) -> Result<Vec<u8>, Vec<Code>> {
    let events = world.events.len();
    let bytes = |outcome: Result<Outcome, Vec<Code>>| match outcome? {
        Outcome::Sign(order) => Ok(order.transaction().bytes().to_vec()),
        other => panic!("{other:?}"),
    };
    let by_name = bytes(world.run(&Command::Resend(Box::new(entry.clone()), Origin::Gateway)));
    let released = bytes(world.run(&Command::Release(Release {
        transaction: entry.spend.transaction,
        unsigned: Vec::new(),
        prior: Some(Box::new(entry.clone())),
    })));
    assert_eq!(by_name, released);
    assert_eq!(world.events.len(), events, "a replay writes nothing");
    by_name
}

/// The policy of these tests with another delay.
fn longer(epoch: u64, minutes: u64) -> PolicyDocument {
    let mut document = waiting_policy(epoch);
    document.delay = Millis::from_secs(60 * minutes);
    document
}

/// A payment that waited 15 minutes and was signed; its answer was lost.
fn signed_after_its_delay() -> (World, Box<Prior>) {
    let mut world = intent::world();
    let transaction = delayed(&mut world, "a");
    world.pass(Millis::from_secs(15 * 60));
    release(&mut world, transaction, DELAYED).expect("the delay has passed");
    let entry = prior(&world);
    world.commit();
    (world, entry)
}

#[test]
fn invariant_04_what_was_signed_is_given_again_unless_the_rules_changed() {
    let (mut world, entry) = signed_after_its_delay();
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
    // Nor does a rule that it still keeps hold it back.
    world
        .adopt(&longer(3, 15), true)
        .expect("the same rules again");
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
}

#[test]
fn invariant_10_a_longer_delay_holds_back_what_was_signed_too() {
    let (mut world, entry) = signed_after_its_delay();
    world.adopt(&longer(3, 60), true).expect("a longer delay");
    let waits = Err(vec![Code::IntentNotReady]);
    assert_eq!(again(&mut world, &entry), waits);
    // To the millisecond, from when its wait began.
    world.pass(Millis::from_millis(45 * 60 * 1000 - 1));
    assert_eq!(again(&mut world, &entry), waits);
    world.pass(Millis::from_millis(1));
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
}

/// What waits for a later document is loosened by nothing before: the strictest of those that bind holds.
#[test]
fn invariant_10_every_binding_document_holds_a_replay() {
    let (mut world, entry) = signed_after_its_delay();
    main_network(&mut world);
    world.adopt(&longer(3, 60), true).expect("a longer delay");
    world.adopt(&longer(4, 0), true).expect("none, later");
    assert_eq!(again(&mut world, &entry), Err(vec![Code::IntentNotReady]));
    world.pass(Millis::from_hours(1));
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
}

fn approve(world: &mut World, transaction: TransactionId, hands: &[&Hand]) {
    let facts = StatementFacts::ApprovePayment { transaction };
    world.say_as(facts, hands, false).expect("approved");
}

#[test]
fn invariant_19_a_higher_quorum_holds_back_what_fewer_approved() {
    let mut world = World::new();
    let one = Hand::first(&world);
    world.add_owner(2, &[&one]);
    world
        .adopt_as(&waiting_policy(2), &[&one])
        .expect("a policy");
    let transaction = asking(&mut world, "a", ASKING);
    approve(&mut world, transaction, &[&one]);
    release(&mut world, transaction, ASKING).expect("approved");
    let entry = prior(&world);
    world.commit();
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
    let mut document = waiting_policy(3);
    document.approval.quorum = 2;
    world
        .adopt_as(&document, &[&one])
        .expect("two must approve");
    let raised = Err(vec![Code::TierRaised]);
    assert_eq!(again(&mut world, &entry), raised);
    // Two owners for everything: the same, whatever policy says.
    world
        .adopt_as(&waiting_policy(4), &[&one])
        .expect("one again");
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
    world.set_quorum(2, &[&one]);
    world.run(&Command::EndExpired).expect("the change is due");
    assert_eq!(again(&mut world, &entry), raised);
}

#[test]
fn invariant_19_a_removed_owners_approval_counts_for_no_replay() {
    let (mut world, [one, two, three]) = three_owners();
    world
        .adopt_as(&waiting_policy(2), &[&one, &two])
        .expect("a policy");
    let transaction = asking(&mut world, "a", ASKING);
    approve(&mut world, transaction, &[&one, &three]);
    release(&mut world, transaction, ASKING).expect("approved");
    let entry = prior(&world);
    world.commit();
    assert_eq!(again(&mut world, &entry), Ok(entry.spend.unsigned.clone()));
    world
        .run(&Command::SuspendOwner { owner: three.id })
        .expect("suspended");
    assert_eq!(again(&mut world, &entry), Err(vec![Code::TierRaised]));
}

/// More than 200,000 in a day asks the owner.
fn summed(epoch: u64) -> PolicyDocument {
    let mut document = waiting_policy(epoch);
    for rule in &mut document.assets {
        rule.cumulative = vec![Cumulative {
            window: Window::Day,
            above: Amount::from_base_units(200_000),
            tier: Tier::Approval,
        }];
    }
    document
}

/// What was signed at once was charged: what others took of a window since asks nobody about it, or its nonce would
/// block what owners approved.
#[test]
fn invariant_04_later_charges_hold_back_nothing_that_was_signed_at_once() {
    let mut world = World::new();
    world.adopt(&summed(2), true).expect("a policy");
    let mut entries = Vec::new();
    for (key, amount) in [("a", 40_000 - FEE), ("b", 100_000 - FEE)] {
        world.bearer_pay(key, amount).expect("at once");
        entries.push(prior(&world));
        world.commit();
    }
    let third = asking(&mut world, "c", 80_000 - FEE);
    let owner = Hand::first(&world);
    approve(&mut world, third, &[&owner]);
    release(&mut world, third, 80_000 - FEE).expect("approved");
    entries.push(prior(&world));
    world.commit();
    for entry in &entries {
        assert_eq!(again(&mut world, entry), Ok(entry.spend.unsigned.clone()));
    }
    // Only that: a document that was adopted since binds it as it binds whatever is asked for now.
    world.adopt(&summed(3), true).expect("the same rules again");
    assert_eq!(again(&mut world, &entries[0]), Err(vec![Code::TierRaised]));
    world.pass(Millis::from_hours(25));
    assert_eq!(
        again(&mut world, &entries[0]),
        Ok(entries[0].spend.unsigned.clone())
    );
}
