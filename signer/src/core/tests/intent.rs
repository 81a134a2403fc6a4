//! Payments that wait: each rule of invariant 12 broken on purpose, and what ends a wait.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{StatementId, TransactionId};
use waiaas_shared::intent::{Intent, IntentEnd, IntentView};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Clocks, Millis};

use super::people::two_owners;
use super::world::{FEE, RECIPIENT, STRANGER, World, evm_recipient, policy, unsigned};
use crate::core::command::{Command, Outcome, Release, SigningOrder, Submission, Used};

const fn minutes(number: u64) -> Millis {
    Millis::from_secs(60 * number)
}

/// A payment of this many wei, fee included, waits 15 minutes; ten times as much asks the owner.
const DELAYED: u128 = 150_000 - FEE;
pub(super) const ASKING: u128 = 300_000 - FEE;

/// INSTANT to 50,000, NOTIFY to 100,000, DELAY (15 minutes) to 200,000, APPROVAL to 500,000.
pub(super) fn waiting_policy(epoch: u64) -> PolicyDocument {
    let mut document = policy(epoch);
    for rule in &mut document.assets {
        rule.instant_up_to = Amount::from_base_units(50_000);
        rule.notify_up_to = Amount::from_base_units(100_000);
        rule.delay_up_to = Amount::from_base_units(200_000);
        rule.approve_up_to = Amount::from_base_units(500_000);
    }
    document.delay = Millis::from_secs(15 * 60);
    document.approval.lifetime = Millis::from_hours(12);
    document.release_within = Millis::from_hours(1);
    document
}

pub(super) fn world() -> World {
    let mut world = World::new();
    world
        .adopt(&waiting_policy(2), true)
        .expect("a stricter policy");
    world
}

fn waiting(outcome: Result<Outcome, Vec<Code>>) -> IntentView {
    match outcome {
        Ok(Outcome::Waiting(view)) => *view,
        other => panic!("{other:?}"),
    }
}

pub(super) fn codes(outcome: Result<Outcome, Vec<Code>>) -> Vec<Code> {
    outcome.map(drop).expect_err("it must be refused")
}

pub(super) fn delayed(world: &mut World, key: &str) -> TransactionId {
    waiting(world.bearer_pay(key, DELAYED)).intent.transaction
}

pub(super) fn asking(world: &mut World, key: &str, amount: u128) -> TransactionId {
    waiting(world.bearer_pay(key, amount)).intent.transaction
}

pub(super) fn release(
    world: &mut World,
    transaction: TransactionId,
    amount: u128,
) -> Result<Box<SigningOrder>, Vec<Code>> {
    release_bytes(
        world,
        transaction,
        unsigned(31_337, 0, amount, evm_recipient(RECIPIENT)),
    )
}

fn release_bytes(
    world: &mut World,
    transaction: TransactionId,
    unsigned: Vec<u8>,
) -> Result<Box<SigningOrder>, Vec<Code>> {
    let command = Command::Release(Release {
        transaction,
        unsigned,
        prior: None,
    });
    match world.run(&command)? {
        Outcome::Sign(order) => Ok(order),
        other => panic!("{other:?}"),
    }
}

fn approve(world: &mut World, transaction: TransactionId) -> Result<Outcome, Vec<Code>> {
    world.say(StatementFacts::ApprovePayment { transaction }, false)
}

fn reject(world: &mut World, transaction: TransactionId) -> Result<Outcome, Vec<Code>> {
    world.say(StatementFacts::RejectPayment { transaction }, false)
}

fn ends(world: &World) -> Vec<(Vec<TransactionId>, IntentEnd)> {
    world
        .events
        .iter()
        .filter_map(|body| match body {
            EventBody::IntentsEnded {
                transactions,
                cause,
            } => Some((transactions.clone(), cause.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn invariant_12_a_delay_passes_on_the_delay_clock_to_the_millisecond() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    assert!(
        world.spends().is_empty(),
        "nothing is charged while it waits"
    );
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentNotReady])
    );
    world.pass(Millis::from_millis(15 * 60 * 1000 - 1));
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentNotReady])
    );
    world.pass(Millis::from_millis(1));
    let order = release(&mut world, transaction, DELAYED).expect("the delay has passed");
    assert_eq!(order.sealed().transaction, transaction);
    assert_eq!(order.sealed().tier, Tier::Delay);
    assert_eq!(world.spends().len(), 1);
}

/// Suspend and time off move budgets and expiry, and let nobody skip the time to cancel.
#[test]
fn invariant_12_time_that_nobody_lived_through_shortens_no_delay() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.clocks = Clocks {
        wall: world.clocks.wall.after(Millis::from_hours(2)),
        budget: world.clocks.budget.after(Millis::from_hours(2)),
        ..world.clocks
    };
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentNotReady])
    );
    world.pass(minutes(15));
    release(&mut world, transaction, DELAYED).expect("the delay has passed");
}

#[test]
fn invariant_12_only_the_effect_that_waited_is_released() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.pass(minutes(15));
    let to = evm_recipient(RECIPIENT);
    let more = unsigned(31_337, 0, DELAYED + 1, to);
    let less = unsigned(31_337, 0, DELAYED - 1, to);
    let other = unsigned(31_337, 0, DELAYED, evm_recipient(STRANGER));
    for bytes in [more, less, other] {
        assert_eq!(
            release_bytes(&mut world, transaction, bytes).map(drop),
            Err(vec![Code::BodyMismatch])
        );
    }
    for bytes in [unsigned(1, 0, DELAYED, to), vec![], vec![2; 40]] {
        assert_eq!(
            release_bytes(&mut world, transaction, bytes).map(drop),
            Err(vec![Code::TransactionUndecodable])
        );
    }
    let numbered = unsigned(31_337, 3, DELAYED, to);
    assert_eq!(
        release_bytes(&mut world, transaction, numbered).map(drop),
        Err(vec![Code::NonceNotZero])
    );
    release(&mut world, transaction, DELAYED).expect("the effect that waited");
}

#[test]
fn invariant_12_the_fee_at_release_keeps_to_the_ceiling_of_the_opening() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.pass(minutes(15));
    let dear = waiaas_shared::evm::UnsignedTransaction {
        chain_id: 31_337,
        nonce: 0,
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: 3,
        gas_limit: 21_000,
        to: evm_recipient(RECIPIENT),
        value: DELAYED,
        data: Vec::new(),
    };
    let codes = release_bytes(&mut world, transaction, dear.encode())
        .map(drop)
        .expect_err("63,000 is more than 50,000");
    assert_eq!(codes, vec![Code::FeeCeiling]);
}

#[test]
fn invariant_05_one_wait_is_one_signature() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.pass(minutes(15));
    let first = release(&mut world, transaction, DELAYED).expect("released");
    world.commit();
    // Nothing waits under the name any more; the ledger's index leads to the bytes that were signed.
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentUnknown])
    );
    let spend = (*world.spends()[0]).clone();
    let prior = Box::new(crate::core::command::Prior {
        sequence: 9,
        charged_at: world.clocks.budget,
        spend,
        variant: None,
    });
    let again = world.run(&Command::Release(Release {
        transaction,
        unsigned: vec![],
        prior: Some(prior),
    }));
    match again {
        Ok(Outcome::Sign(order)) => {
            assert_eq!(order.transaction().bytes(), first.transaction().bytes());
            assert_eq!(order.sealed().replay_of, Some(9));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.spends().len(), 1);
}

#[test]
fn invariant_12_limits_count_when_it_is_signed() {
    let mut world = world();
    // An hour allows 1,000,000: eight waits of 150,000 do not all fit, whenever they were opened.
    let all: Vec<_> = (0..8)
        .map(|number| delayed(&mut world, &format!("k{number}")))
        .collect();
    world.pass(minutes(16));
    let (mut signed, mut refused) = (0, 0);
    for transaction in all {
        match release(&mut world, transaction, DELAYED) {
            Ok(_) => signed += 1,
            Err(codes) => {
                assert!(codes.contains(&Code::HourLimit), "{codes:?}");
                refused += 1;
            }
        }
    }
    assert_eq!((signed, refused), (6, 2));
}

#[test]
fn invariant_12_what_matured_long_ago_has_ended() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.pass(minutes(15 + 60));
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentExpired])
    );
    // Seen once, it is durable.
    assert_eq!(ends(&world), vec![(vec![transaction], IntentEnd::Expired)]);
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentUnknown])
    );
}

#[test]
fn invariant_11_the_upper_bound_ends_what_waits_too() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    let asked = asking(&mut world, "b", ASKING);
    world.clocks.wall = world.clocks.wall.after(Millis::from_hours(13));
    assert!(world.state.has_expired_intents(world.clocks));
    world.run(&Command::EndExpired).expect("nothing to refuse");
    let mut both = vec![transaction, asked];
    both.sort();
    assert_eq!(ends(&world), vec![(both, IntentEnd::Expired)]);
    assert!(!world.state.has_intents());
    let events = world.events.len();
    world.run(&Command::EndExpired).expect("nothing to do");
    assert_eq!(world.events.len(), events);
}

#[test]
fn invariant_12_without_the_owners_signature_nothing_that_asks_is_released() {
    let mut world = world();
    let transaction = asking(&mut world, "a", ASKING);
    world.pass(Millis::from_hours(11));
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    approve(&mut world, transaction).expect("the owner's word");
    let order = release(&mut world, transaction, ASKING).expect("approved");
    assert_eq!(order.sealed().tier, Tier::Approval);
}

#[test]
fn invariant_14_an_approval_is_for_one_payment_and_used_once() {
    let mut world = world();
    let first = asking(&mut world, "a", ASKING);
    let second = asking(&mut world, "b", ASKING - 1);
    let facts = StatementFacts::ApprovePayment { transaction: first };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    let submission = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    world
        .run(&Command::Submit(submission.clone()))
        .expect("approved");
    assert_eq!(
        codes(world.run(&Command::Submit(submission.clone()))),
        vec![Code::StatementUnknown]
    );
    assert_eq!(
        release(&mut world, second, ASKING - 1).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    assert_eq!(
        release(&mut world, second, ASKING).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    release(&mut world, first, ASKING).expect("approved");
    assert_eq!(codes(approve(&mut world, first)), vec![Code::IntentUnknown]);
    // The same signature under the other payment's statement.
    let facts = StatementFacts::ApprovePayment {
        transaction: second,
    };
    let (other, _) = world.draft(facts, Origin::Gateway).expect("a text");
    let crossed = Submission {
        statement: other,
        ..submission
    };
    assert_eq!(
        codes(world.run(&Command::Submit(crossed))),
        vec![Code::StatementSignature]
    );
}

#[test]
fn invariant_14_a_stranger_approves_nothing() {
    let mut world = world();
    let transaction = asking(&mut world, "a", ASKING);
    let facts = StatementFacts::ApprovePayment { transaction };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    let submit = |world: &mut World, statement: StatementId, bytes: Vec<u8>| {
        let mut signature = world.signature(&text);
        signature.signature = bytes;
        world.run(&Command::Submit(Submission {
            statement,
            signatures: vec![signature],
            origin: Origin::Gateway,
            with_password: false,
        }))
    };
    let stranger = SigningKey::from_bytes(&[99; 32]);
    for bytes in [
        stranger.sign(text.as_bytes()).to_bytes().to_vec(),
        vec![0; 64],
        vec![],
        vec![0xff; 64],
    ] {
        assert_eq!(
            codes(submit(&mut world, statement, bytes)),
            vec![Code::StatementSignature]
        );
    }
    let nobody = world.run(&Command::Submit(Submission {
        statement,
        signatures: vec![],
        origin: Origin::Gateway,
        with_password: false,
    }));
    assert_eq!(codes(nobody), vec![Code::QuorumMissing]);
}

#[test]
fn invariant_14_a_rejection_is_final() {
    let mut world = world();
    let transaction = asking(&mut world, "a", ASKING);
    // An approval was drafted and signed before the rejection, and kept back.
    let facts = StatementFacts::ApprovePayment { transaction };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    let kept = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    reject(&mut world, transaction).expect("the owner's word");
    assert!(matches!(
        ends(&world).as_slice(),
        [(ended, IntentEnd::Rejected { .. })] if *ended == [transaction]
    ));
    assert_eq!(
        codes(world.run(&Command::Submit(kept))),
        vec![Code::IntentUnknown]
    );
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentUnknown])
    );
    // Approved first, then rejected: the rejection wins while nothing is signed.
    let second = asking(&mut world, "b", ASKING);
    approve(&mut world, second).expect("the owner's word");
    reject(&mut world, second).expect("the owner's other word");
    assert_eq!(
        release(&mut world, second, ASKING).map(drop),
        Err(vec![Code::IntentUnknown])
    );
}

#[test]
fn invariant_12_an_approval_does_not_live_for_ever() {
    let mut world = world();
    let transaction = asking(&mut world, "a", ASKING);
    approve(&mut world, transaction).expect("the owner's word");
    world.pass(minutes(60));
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentExpired])
    );
}

/// A policy adopted while something waits judges it, and voids texts that were written before.
#[test]
fn invariant_12_policy_is_judged_again_at_release() {
    let mut world = world();
    let wait = delayed(&mut world, "a");
    let asked = asking(&mut world, "b", ASKING);
    let facts = StatementFacts::ApprovePayment { transaction: asked };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    let mut strict = waiting_policy(3);
    for rule in &mut strict.assets {
        rule.delay_up_to = Amount::from_base_units(100_000);
        rule.approve_up_to = Amount::from_base_units(200_000);
    }
    world.adopt(&strict, false).expect("a stricter policy");
    let kept = Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    assert_eq!(
        codes(world.run(&Command::Submit(kept))),
        vec![Code::StatementUnknown]
    );
    approve(&mut world, asked).expect("asked again");
    assert_eq!(
        release(&mut world, asked, ASKING).map(drop),
        Err(vec![Code::TierNotAvailable])
    );
    world.pass(minutes(15));
    assert_eq!(
        release(&mut world, wait, DELAYED).map(drop),
        Err(vec![Code::TierRaised])
    );
}

#[test]
fn invariant_12_a_longer_delay_adopted_meanwhile_holds() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    let mut slow = waiting_policy(3);
    slow.delay = minutes(40);
    slow.release_within = Millis::from_hours(1);
    world.adopt(&slow, false).expect("a stricter policy");
    world.pass(minutes(15));
    assert_eq!(
        release(&mut world, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentNotReady])
    );
    world.pass(minutes(25));
    release(&mut world, transaction, DELAYED).expect("the longer delay has passed");
}

#[test]
fn invariant_12_what_stops_signing_stops_releases() {
    let mut world = world();
    let transaction = delayed(&mut world, "a");
    world.pass(minutes(15));
    let origin = Origin::Gateway;
    let mut paused = world.clone();
    paused
        .run(&Command::Pause {
            wallet: Some(paused.evm_wallet),
            origin,
        })
        .expect("paused");
    assert_eq!(
        release(&mut paused, transaction, DELAYED).map(drop),
        Err(vec![Code::WalletPaused])
    );
    let mut frozen = world.clone();
    frozen
        .run(&Command::Pause {
            wallet: None,
            origin,
        })
        .expect("frozen");
    assert_eq!(
        release(&mut frozen, transaction, DELAYED).map(drop),
        Err(vec![Code::Frozen])
    );
    let mut revoked = world.clone();
    revoked
        .run(&Command::RevokeSession {
            session: revoked.bearer,
            origin,
        })
        .expect("revoked");
    assert_eq!(
        ends(&revoked),
        vec![(vec![transaction], IntentEnd::SessionEnded)]
    );
    let mut killed = world.clone();
    killed.run(&Command::Kill(origin)).expect("killed");
    assert_eq!(ends(&killed), vec![(vec![transaction], IntentEnd::Killed)]);
    assert!(!killed.state.has_intents());
    let mut cancelled = world.clone();
    cancelled
        .run(&Command::CancelIntent {
            transaction,
            origin,
        })
        .expect("cancelled");
    assert_eq!(
        release(&mut cancelled, transaction, DELAYED).map(drop),
        Err(vec![Code::IntentUnknown])
    );
    assert_eq!(
        codes(cancelled.run(&Command::CancelIntent {
            transaction,
            origin
        })),
        vec![Code::IntentUnknown]
    );
}

#[test]
fn invariant_12_the_numbers_that_wait_are_bounded() {
    let mut world = world();
    for number in 0..16 {
        delayed(&mut world, &format!("k{number}"));
    }
    assert_eq!(
        codes(world.bearer_pay("one-more", DELAYED)),
        vec![Code::IntentTooMany]
    );
    // Opening and ending again and again has its own bound.
    let origin = Origin::Gateway;
    for transaction in world.state.intents.keys().copied().collect::<Vec<_>>() {
        world
            .run(&Command::CancelIntent {
                transaction,
                origin,
            })
            .expect("cancelled");
    }
    let mut opened = 16;
    let refused = loop {
        match world.bearer_pay(&format!("again{opened}"), DELAYED) {
            Ok(Outcome::Waiting(view)) => {
                opened += 1;
                let transaction = view.intent.transaction;
                world
                    .run(&Command::CancelIntent {
                        transaction,
                        origin,
                    })
                    .expect("cancelled");
            }
            other => break codes(other),
        }
    };
    assert_eq!((opened, refused), (60, vec![Code::IntentTooMany]));
    world.pass(minutes(62));
    delayed(&mut world, "an-hour-later");
}

#[test]
fn an_owner_is_asked_once_for_the_same_thing() {
    let mut world = world();
    asking(&mut world, "a", ASKING);
    assert_eq!(
        codes(world.bearer_pay("b", ASKING)),
        vec![Code::IntentDuplicate]
    );
    asking(&mut world, "c", ASKING + 1);
}

#[test]
fn invariant_19_the_same_request_again_is_the_same_wait() {
    let mut world = world();
    let first = waiting(world.bearer_pay("a", DELAYED));
    let events = world.events.len();
    let again = waiting(world.bearer_pay("a", DELAYED));
    assert_eq!(again.intent, first.intent);
    assert_eq!(
        codes(world.bearer_pay("a", DELAYED + 1)),
        vec![Code::IdempotencyConflict]
    );
    world.commit();
    // Later the ledger's index knows it.
    let used = |intent: &Intent| Some(Used::Waited(Box::new(intent.clone())));
    let mut request = world.request(world.bearer, "a", DELAYED, RECIPIENT);
    request.used = used(&first.intent);
    let later = waiting(world.run(&Command::Spend(request.clone())));
    assert_eq!(later.intent, first.intent);
    assert_eq!(world.events.len(), events);
    // Ended: the key never opens another.
    world
        .run(&Command::CancelIntent {
            transaction: first.intent.transaction,
            origin: Origin::Gateway,
        })
        .expect("cancelled");
    assert_eq!(
        codes(world.run(&Command::Spend(request))),
        vec![Code::IntentClosed]
    );
}

#[test]
fn invariant_18_the_agents_nonce_is_used_by_a_wait_too() {
    let mut world = world();
    let request = world.signed_request("a", DELAYED);
    waiting(world.run(&Command::Spend(request.clone())));
    world.commit();
    let mut replayed = request;
    replayed.idempotency_key = "b".to_owned();
    // Another key breaks the signature; the same nonce under a fresh signature breaks the rule.
    assert_eq!(
        codes(world.run(&Command::Spend(replayed))),
        vec![Code::RequestSignatureInvalid]
    );
    let again = world.request(world.keyed, "b", DELAYED, RECIPIENT);
    let again = super::world::sign_request(
        again,
        &super::world::agent_key(),
        "nonce-0000000000000001",
        world.clocks.wall.millis() / 1000,
    );
    assert_eq!(
        codes(world.run(&Command::Spend(again))),
        vec![Code::RequestNonceReused]
    );
}

/// One millisecond decides, and what was decided first stays: no order of cancel and release gives both.
#[test]
fn invariant_12_cancel_and_release_never_both_happen() {
    for cancel_first in [true, false] {
        let mut world = world();
        let transaction = delayed(&mut world, "a");
        world.pass(minutes(15));
        let cancel = Command::CancelIntent {
            transaction,
            origin: Origin::Gateway,
        };
        if cancel_first {
            world.run(&cancel).expect("cancelled");
            assert!(release(&mut world, transaction, DELAYED).is_err());
            assert!(world.spends().is_empty());
        } else {
            release(&mut world, transaction, DELAYED).expect("released");
            assert_eq!(codes(world.run(&cancel)), vec![Code::IntentUnknown]);
            assert_eq!(world.spends().len(), 1);
        }
    }
}

#[test]
fn invariant_14_an_approval_takes_as_many_owners_as_must_sign() {
    let (mut world, [one, two]) = two_owners();
    let document = waiting_policy(2).to_bytes();
    let adopt = StatementFacts::AdoptPolicy { document };
    world
        .say_as(adopt, &[&one, &two], true)
        .expect("a stricter policy");
    let transaction = asking(&mut world, "a", ASKING);
    let facts = StatementFacts::ApprovePayment { transaction };
    for hands in [vec![&one], vec![&one, &one], vec![]] {
        assert_eq!(
            codes(world.say_as(facts.clone(), &hands, false)),
            vec![Code::QuorumMissing]
        );
    }
    world
        .say_as(facts, &[&one, &two], false)
        .expect("both owners");
    release(&mut world, transaction, ASKING).expect("approved");
}

/// A suspended key approves nothing that was not signed yet, and may still reject (invariant 17).
#[test]
fn invariant_17_a_suspension_voids_approvals_that_were_not_used() {
    let (mut world, [one, two]) = two_owners();
    let document = waiting_policy(2).to_bytes();
    let adopt = StatementFacts::AdoptPolicy { document };
    world
        .say_as(adopt, &[&one, &two], true)
        .expect("a stricter policy");
    let transaction = asking(&mut world, "a", ASKING);
    let facts = StatementFacts::ApprovePayment { transaction };
    world
        .say_as(facts, &[&one, &two], false)
        .expect("both owners");
    let suspend = StatementFacts::SuspendOwner { owner: two.id };
    world
        .say_as(suspend, &[&one], false)
        .expect("one owner is enough");
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    let reject = StatementFacts::RejectPayment { transaction };
    world
        .say_as(reject, &[&two], false)
        .expect("a suspended key may still reject");
    assert_eq!(
        release(&mut world, transaction, ASKING).map(drop),
        Err(vec![Code::IntentUnknown])
    );
}
