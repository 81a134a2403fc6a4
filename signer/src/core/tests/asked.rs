//! Rules that ask instead of refusing: owners read which one is broken, and agree to that one alone.

use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::alarm::{Action, Escalation};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;

use super::intent::{ASKING, asking, release, waiting_policy};
use super::world::{FEE, World};

/// The waiting policy, of which these rules ask.
fn asks(epoch: u64, codes: &[Code]) -> PolicyDocument {
    let mut document = waiting_policy(epoch);
    let ask = |code: &Code| Escalation {
        code: *code,
        action: Action::Ask,
    };
    document.escalations = codes.iter().map(ask).collect();
    for rule in &mut document.assets {
        rule.counts.hour = Some(11);
    }
    document.sort();
    document
}

fn world(codes: &[Code]) -> World {
    let mut world = World::new();
    world.adopt(&asks(2, codes), true).expect("rules that ask");
    world
}

fn text(world: &mut World, transaction: TransactionId) -> String {
    let facts = StatementFacts::ApprovePayment { transaction };
    world.draft(facts, Origin::Admin).expect("a text").1
}

fn approve(world: &mut World, transaction: TransactionId) {
    let facts = StatementFacts::ApprovePayment { transaction };
    world.say(facts, false).expect("approved");
}

/// Payments that nobody is asked about.
fn spend(world: &mut World, keys: &[&str]) {
    for key in keys {
        world.bearer_pay(key, 100_000 - FEE).expect("NOTIFY");
    }
}

#[test]
fn invariant_13_an_owner_reads_which_rule_a_payment_breaks() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    // To the unit: what the hour leaves breaks nothing.
    let within = asking(&mut world, "within", ASKING);
    let read = text(&mut world, within);
    assert!(read.contains("once, within your policy."), "{read}");
    assert!(!read.contains("Breaks"), "{read}");
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    let read = text(&mut world, beyond);
    assert!(!read.contains("within your policy"), "{read}");
    assert!(
        read.contains("once, although it breaks the rules of your policy that are named below."),
        "{read}"
    );
    let line = "\nBreaks your rule 1 of 1: the most in any hour: this takes 0.000300001 COIN (300001 base units of eip155:31337/slip44:60), allowed now 0.0003 COIN (300000 base units of eip155:31337/slip44:60)\n";
    assert!(read.contains(line), "{read}");
    // Rejecting it shows the same.
    let facts = StatementFacts::RejectPayment {
        transaction: beyond,
    };
    let (_, read) = world.draft(facts, Origin::Admin).expect("a text");
    assert!(read.contains(line), "{read}");
}

#[test]
fn invariant_12_an_approval_agrees_to_the_rules_that_were_read_alone() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let within = asking(&mut world, "within", ASKING);
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    approve(&mut world, within);
    approve(&mut world, beyond);
    spend(&mut world, &["h"]);
    // Its text said "within your policy", and it no longer is.
    assert_eq!(
        release(&mut world, within, ASKING).map(drop),
        Err(vec![Code::TierRaised])
    );
    // The hour's limit was read; the hour's number of payments is kept.
    release(&mut world, beyond, ASKING + 1).expect("agreed to");
}

#[test]
fn invariant_12_a_second_broken_rule_was_not_agreed_to() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    approve(&mut world, beyond);
    spend(&mut world, &["h", "i"]);
    for key in ["j", "k"] {
        world.bearer_pay(key, 1000).expect("INSTANT");
    }
    // Eleven an hour, and this would be the twelfth.
    assert_eq!(
        release(&mut world, beyond, ASKING + 1).map(drop),
        Err(vec![Code::TierRaised])
    );
    world.pass(waiaas_shared::time::Millis::from_secs(61 * 60));
    assert_eq!(world.spends().len(), 11);
}
