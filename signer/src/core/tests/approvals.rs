//! Approvals that were given and not used yet, when who may sign changes.

use waiaas_shared::denial::Code;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::intent::{ASKING, asking, release, waiting_policy};
use super::people::{Hand, three_owners};
use super::world::World;

/// Approvals live longer than a change of owners takes.
fn adopt(world: &mut World, hands: &[&Hand]) {
    let mut document = waiting_policy(2);
    document.approval.lifetime = Millis::from_hours(24 * 30);
    document.release_within = Millis::from_hours(24 * 30);
    let document = document.to_bytes();
    world
        .say_as(StatementFacts::AdoptPolicy { document }, hands, true)
        .expect("a stricter policy");
}

fn approve(
    world: &mut World,
    transaction: TransactionId,
    hands: &[&Hand],
) -> Result<(), Vec<Code>> {
    let facts = StatementFacts::ApprovePayment { transaction };
    world.say_as(facts, hands, false).map(drop)
}

#[test]
fn invariant_17_an_approval_counts_by_the_quorum_of_its_release() {
    let (mut world, [one, two, three]) = three_owners();
    adopt(&mut world, &[&one, &two]);
    let transaction = asking(&mut world, "a", ASKING);
    approve(&mut world, transaction, &[&one, &two]).expect("two of three");
    world.set_quorum(3, &[&one, &two]);
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    // It waits again: for as many as must sign now.
    assert_eq!(
        approve(&mut world, transaction, &[&one, &two]),
        Err(vec![Code::QuorumMissing])
    );
    approve(&mut world, transaction, &[&one, &two, &three]).expect("all three");
    release(&mut world, transaction, ASKING).expect("approved anew");
    assert_eq!(world.spends().len(), 1);
}

#[test]
fn invariant_17_a_lower_quorum_voids_no_approval() {
    let (mut world, [one, two, _]) = three_owners();
    adopt(&mut world, &[&one, &two]);
    let transaction = asking(&mut world, "a", ASKING);
    approve(&mut world, transaction, &[&one, &two]).expect("two of three");
    world.set_quorum(1, &[&one, &two]);
    release(&mut world, transaction, ASKING).expect("more than must sign now");
}

#[test]
fn invariant_17_an_approval_goes_with_an_owner_who_is_removed() {
    let (mut world, [one, two, three]) = three_owners();
    adopt(&mut world, &[&one, &two]);
    let (first, second) = (
        asking(&mut world, "a", ASKING),
        asking(&mut world, "b", ASKING + 1),
    );
    approve(&mut world, first, &[&one, &three]).expect("two of three");
    approve(&mut world, second, &[&one, &two]).expect("two of three");
    let remove = StatementFacts::RemoveOwner { owner: three.id };
    world
        .say_as(remove, &[&one, &two], true)
        .expect("asked for");
    world.pass(Millis::from_hours(72));
    assert_eq!(
        release(&mut world, first, ASKING).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    release(&mut world, second, ASKING + 1).expect("its owners are owners still");
    // Whoever is an owner still may approve it anew.
    approve(&mut world, first, &[&one, &two]).expect("two of two");
    release(&mut world, first, ASKING).expect("approved anew");
}
