//! Rules that ask instead of refusing: owners read which one is broken, and agree to that one alone.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::evm::UnsignedTransaction;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::intent::IntentEnd;
use waiaas_shared::policy::alarm::{Action, Alarm, Condition, Escalation, Remedy};
use waiaas_shared::policy::document::{PolicyDocument, UsdPrice};
use waiaas_shared::policy::limits::Limits;
use waiaas_shared::policy::scope::{AssetLimits, Scope, ScopeRule};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::intent::{ASKING, asking, release, waiting_policy};
use super::replays::{again, prior};
use super::world::{EVM, FEE, RECIPIENT, World, evm_recipient};
use crate::core::command::{Command, Release};

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
    // With the most that its fee may be at the release: 50,000 instead of 21,000.
    let line = "\nBreaks your rule 1 of 1: the most in any hour: this takes 0.000329001 COIN (329001 base units of eip155:31337/slip44:60), allowed now 0.0003 COIN (300000 base units of eip155:31337/slip44:60)\n";
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
    // The hour's limit was read, and it allows as much as then.
    release(&mut world, beyond, ASKING + 1).expect("agreed to");
    // Its text said "within your policy", and it no longer is.
    assert_eq!(
        release(&mut world, within, ASKING).map(drop),
        Err(vec![Code::TierRaised])
    );
}

/// What was read is agreed to as far as it was read: with less that is allowed the same rule is broken further.
#[test]
fn invariant_12_a_rule_that_is_broken_further_was_not_agreed_to() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    let other = asking(&mut world, "other", ASKING + 2);
    approve(&mut world, beyond);
    approve(&mut world, other);
    world.bearer_pay("h", 1).expect("INSTANT");
    for (waits, amount) in [(beyond, ASKING + 1), (other, ASKING + 2)] {
        assert_eq!(
            release(&mut world, waits, amount).map(drop),
            Err(vec![Code::TierRaised])
        );
    }
    // As soon as the hour allows as much again, what was read is the worst of it.
    let mut world = self::world(&[Code::HourLimit, Code::HourCount]);
    world.bearer_pay("first", 1).expect("INSTANT");
    world.pass(Millis::from_secs(20 * 60));
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    approve(&mut world, beyond);
    world.pass(Millis::from_secs(41 * 60));
    release(&mut world, beyond, ASKING + 1).expect("more is allowed than was read");
}

/// The fee is another one at the release: owners read of the most that it may be.
#[test]
fn a_dearer_release_is_what_was_read() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let beyond = asking(&mut world, "beyond", ASKING + 1);
    approve(&mut world, beyond);
    let unsigned = |price| UnsignedTransaction {
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: price,
        gas_limit: 21_000,
        to: evm_recipient(RECIPIENT),
        value: ASKING + 1,
        data: Vec::new(),
    };
    let mut released = |price| {
        let release = Release {
            transaction: beyond,
            unsigned: unsigned(price).encode(),
            prior: None,
        };
        world.run(&Command::Release(release)).map(drop)
    };
    // 50,000 is the ceiling, and 21,000 gas are paid for.
    assert_eq!(released(3), Err(vec![Code::FeeCeiling]));
    released(2).expect("dearer than when it was asked for, within what was read");
}

/// One code stands for the rule of the asset, of a pool, of everything: each is read by itself.
#[test]
fn invariant_12_the_same_rule_of_another_scope_was_not_agreed_to() {
    let document = |epoch, of_asset: u128, of_all: u128| {
        let mut document = asks(epoch, &[Code::DayLimit, Code::UsdLimit]);
        let native = EVM.native_asset();
        for rule in &mut document.assets {
            rule.counts.hour = None;
            if rule.asset == native {
                rule.day = Amount::from_base_units(of_asset);
                rule.hour = rule.day;
                rule.week = Amount::from_base_units(2_000_000);
                rule.month = rule.week;
            }
        }
        let mut all = ScopeRule::new(Scope::Global);
        all.limits = vec![AssetLimits {
            asset: native,
            limits: Limits {
                day: Some(Amount::from_base_units(of_all)),
                ..Limits::default()
            },
        }];
        document.scopes = vec![all];
        document.escalations.push(Escalation {
            code: Code::HourLimit,
            action: Action::Ask,
        });
        document.sort();
        document
    };
    let mut world = World::new();
    world
        .adopt(&document(2, 500_000, 1_000_000), true)
        .expect("a policy");
    spend(&mut world, &["a", "b", "c"]);
    let beyond = asking(&mut world, "beyond", ASKING);
    let read = text(&mut world, beyond);
    assert!(
        read.contains("the most in any 24 hours: this takes"),
        "{read}"
    );
    assert!(!read.contains("(scope"), "{read}");
    approve(&mut world, beyond);
    // Of this one nothing was read, though its code was.
    world
        .adopt(&document(3, 500_000, 500_000), true)
        .expect("a limit over everything");
    assert_eq!(
        release(&mut world, beyond, ASKING).map(drop),
        Err(vec![Code::TierRaised])
    );
    world
        .adopt(&document(4, 500_000, 1_000_000), true)
        .expect("as before");
    release(&mut world, beyond, ASKING).expect("what was read is all that is broken");
}

/// What is worth too much in USD in a day is not worth too much in a month, under one code.
#[test]
fn invariant_12_the_same_rule_of_another_window_was_not_agreed_to() {
    let document = |epoch, day: u128, month: u128| {
        let mut document = asks(epoch, &[Code::UsdLimit]);
        for rule in &mut document.assets {
            // One base unit is one millionth of a dollar.
            rule.price = Some(UsdPrice(1_000_000_000));
            rule.counts.hour = None;
        }
        let mut all = ScopeRule::new(Scope::Global);
        all.usd = Some(Limits {
            day: Some(Amount::from_base_units(day)),
            month: Some(Amount::from_base_units(month)),
            ..Limits::default()
        });
        document.scopes = vec![all];
        document.sort();
        document
    };
    let mut world = World::new();
    world
        .adopt(&document(2, 250_000, 1_000_000), true)
        .expect("a policy");
    let beyond = asking(&mut world, "beyond", ASKING);
    let read = text(&mut world, beyond);
    let line = "the most in USD, by your ceiling prices, in any 24 hours (scope global): this takes 0.329 USD, allowed now 0.25 USD\n";
    assert!(read.contains(line), "{read}");
    approve(&mut world, beyond);
    world
        .adopt(&document(3, 250_000, 250_000), true)
        .expect("a limit of a month");
    assert_eq!(
        release(&mut world, beyond, ASKING).map(drop),
        Err(vec![Code::TierRaised])
    );
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
    world.pass(Millis::from_secs(61 * 60));
    assert_eq!(world.spends().len(), 11);
}

/// What was signed was charged: a second payment that the owner agreed to takes nothing of the first one's approval,
/// or the first one's nonce would block all others.
#[test]
fn invariant_19_a_later_charge_holds_back_nothing_that_was_approved() {
    let codes = [Code::HourLimit, Code::HourCount];
    let mut world = world(&codes);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    for key in ["h", "i", "j", "k"] {
        world.bearer_pay(key, 1).expect("INSTANT");
    }
    // Beyond the hour's limit, and the twelfth and the thirteenth of eleven.
    let entries = [ASKING, ASKING + 1].map(|amount| {
        let transaction = asking(&mut world, &format!("{amount}"), amount);
        approve(&mut world, transaction);
        release(&mut world, transaction, amount).expect("agreed to");
        let entry = prior(&world);
        world.commit();
        entry
    });
    for entry in &entries {
        assert_eq!(again(&mut world, entry), Ok(entry.spend.unsigned.clone()));
    }
    // Of a document that was adopted since nobody read: what is broken further by it was not agreed to.
    world.adopt(&asks(3, &codes), true).expect("a policy");
    let raised = Err(vec![Code::TierRaised]);
    assert_eq!(again(&mut world, &entries[0]), raised);
    world.pass(Millis::from_secs(61 * 60));
    let [first, _] = entries;
    assert_eq!(again(&mut world, &first), Ok(first.spend.unsigned.clone()));
}

/// An approval that does not suffice any more shuts nothing: the agent asks anew, and what was agreed to is over.
#[test]
fn invariant_12_what_an_approval_no_longer_covers_is_asked_anew() {
    let mut world = world(&[Code::HourLimit, Code::HourCount]);
    spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
    let first = asking(&mut world, "first", ASKING + 1);
    let duplicate = Err(vec![Code::IntentDuplicate]);
    let asked = |world: &mut World, key: &str| world.bearer_pay(key, ASKING + 1).map(drop);
    assert_eq!(asked(&mut world, "again"), duplicate);
    approve(&mut world, first);
    assert_eq!(asked(&mut world, "again"), duplicate);
    world.bearer_pay("h", 1).expect("INSTANT");
    let raised = release(&mut world, first, ASKING + 1).map(drop);
    assert_eq!(raised, Err(vec![Code::TierRaised]));
    let second = asking(&mut world, "again", ASKING + 1);
    assert!(world.events.contains(&EventBody::IntentsEnded {
        transactions: vec![first],
        cause: IntentEnd::Cancelled {
            origin: Origin::Gateway
        },
    }));
    // The approval went with the payment that it was for, also when the hour leaves enough again.
    world.pass(Millis::from_secs(61 * 60));
    let over = release(&mut world, first, ASKING + 1).map(drop);
    assert_eq!(over, Err(vec![Code::IntentUnknown]));
    let open = release(&mut world, second, ASKING + 1).map(drop);
    assert_eq!(open, Err(vec![Code::IntentNotApproved]));
    approve(&mut world, second);
    release(&mut world, second, ASKING + 1).expect("agreed to");
    assert_eq!(world.spends().len(), 9);
}

/// The same of what nobody had to be asked about: what owners agreed to beyond the hour since is none of its business.
#[test]
fn invariant_04_what_was_agreed_to_beyond_a_limit_holds_back_nothing_before_it() {
    let codes = [Code::HourLimit, Code::HourCount];
    let mut world = world(&codes);
    spend(&mut world, &["a"]);
    let first = prior(&world);
    spend(&mut world, &["b", "c", "d", "e", "f", "g"]);
    for key in ["h", "i", "j", "k"] {
        world.bearer_pay(key, 1).expect("INSTANT");
    }
    let beyond = asking(&mut world, "beyond", ASKING);
    approve(&mut world, beyond);
    release(&mut world, beyond, ASKING).expect("agreed to");
    world.commit();
    assert_eq!(again(&mut world, &first), Ok(first.spend.unsigned.clone()));
    world.adopt(&asks(3, &codes), true).expect("a policy");
    assert_eq!(again(&mut world, &first), Err(vec![Code::TierRaised]));
}

/// A payment that an alarm keeps back ends nothing that was approved, and is not counted beside what it would end.
#[test]
fn invariant_12_what_an_alarm_keeps_back_cancels_nothing() {
    let watched = |epoch, count| {
        let mut document = asks(epoch, &[Code::HourLimit, Code::HourCount]);
        document.alarms = vec![Alarm {
            condition: Condition::OpenPayments { count },
            remedy: Remedy::SuspendSession,
        }];
        document
    };
    let waiting = |count| {
        let mut world = world(&[Code::HourLimit, Code::HourCount]);
        spend(&mut world, &["a", "b", "c", "d", "e", "f", "g"]);
        let first = asking(&mut world, "first", ASKING + 1);
        approve(&mut world, first);
        asking(&mut world, "other", ASKING + 2);
        world.bearer_pay("h", 1).expect("INSTANT");
        world
            .adopt(&watched(3, count), true)
            .expect("an alarm over what waits");
        let asked = world.bearer_pay("again", ASKING + 1).map(drop);
        (world, first, asked)
    };
    // Two wait before it and two wait after it.
    let (world, first, asked) = waiting(3);
    assert_eq!(asked, Ok(()));
    assert!(!world.state.intents.contains_key(&first));
    let (world, first, asked) = waiting(2);
    assert_eq!(asked, Err(vec![Code::SessionSuspended]));
    let kept = world.state.intents.get(&first).expect("it waits");
    assert!(kept.approval.is_some(), "and is approved");
    let raised = world.events.iter().rev().take(2).collect::<Vec<_>>();
    assert!(matches!(
        raised[..],
        [
            EventBody::SessionSuspended { .. },
            EventBody::AlarmRaised { .. }
        ]
    ));
}
