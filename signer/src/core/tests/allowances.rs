//! Approvals of tokens: exact, counted in full, and never without the owner.

use waiaas_shared::denial::Code;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::Origin;
use waiaas_shared::evm::build;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::session::Operation;
use waiaas_shared::statement::StatementFacts;

use super::tokens::{bearer, call, grant, pay, refused, request, token, units, world};
use super::world::{RECIPIENT, STRANGER, World};
use crate::core::command::{Command, Outcome, Release, SpendRequest};

/// A request to let `spender` take `amount` later, with bytes that do it.
fn approval(world: &World, key: &str, amount: u128, spender: &str) -> SpendRequest {
    let sound = request(world, key, amount.max(1), spender, r#","type":"approve""#);
    let body = String::from_utf8(sound.body.clone()).expect("text");
    let body = body.replace("\"to\":", "\"spender\":").replace(
        &format!("\"amount_base\":\"{}\"", amount.max(1)),
        &format!("\"amount_base\":\"{amount}\""),
    );
    SpendRequest {
        body: body.into_bytes(),
        unsigned: build::approve(&call(amount, spender)).expect("built"),
        ..sound
    }
}

/// A world whose bearer session may approve.
fn approving() -> World {
    let mut world = world();
    let operations = vec![Operation::TokenTransfer, Operation::TokenApproval];
    let mut grant = grant(&world, Some(operations));
    grant.credential = bearer(b"approving");
    match world
        .say(StatementFacts::GrantSession { grant }, false)
        .expect("a session")
    {
        Outcome::Session(session) => world.bearer = session,
        other => panic!("{other:?}"),
    }
    world
}

fn waiting(outcome: Result<Outcome, Vec<Code>>) -> TransactionId {
    match outcome {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("it does not wait: {other:?}"),
    }
}

fn release(
    world: &mut World,
    transaction: TransactionId,
    unsigned: Vec<u8>,
) -> Result<Outcome, Vec<Code>> {
    world.run(&Command::Release(Release {
        transaction,
        unsigned,
        prior: None,
    }))
}

#[test]
fn invariant_12_an_approval_waits_for_the_owner_and_is_released_as_it_was() {
    let mut world = approving();
    let asked = approval(&world, "a", 700, RECIPIENT);
    let transaction = waiting(world.run(&Command::Spend(asked)));
    assert!(
        world.spends().is_empty(),
        "nothing is charged while it waits"
    );
    let sound = build::approve(&call(700, RECIPIENT)).expect("built");
    assert_eq!(
        release(&mut world, transaction, sound.clone()).map(drop),
        Err(vec![Code::IntentNotApproved])
    );
    let approve = StatementFacts::ApprovePayment { transaction };
    let (_, text) = world.draft(approve.clone(), Origin::Admin).expect("a text");
    assert!(text.contains("lets the spender below take"), "{text}");
    assert!(text.contains(&format!("Spender: {RECIPIENT}")), "{text}");
    world.say(approve, false).expect("approved");
    // Neither a transfer of the same tokens, nor another amount or spender, nor one without limit.
    for (what, bytes) in [
        ("a transfer", build::token_transfer(&call(700, RECIPIENT))),
        ("more", build::approve(&call(701, RECIPIENT))),
        ("another spender", build::approve(&call(700, STRANGER))),
    ] {
        assert_eq!(
            release(&mut world, transaction, bytes.expect("built")).map(drop),
            Err(vec![Code::BodyMismatch]),
            "{what}"
        );
    }
    assert!(matches!(
        release(&mut world, transaction, sound),
        Ok(Outcome::Sign(_))
    ));
    let spend = world.spends().last().copied().cloned().expect("charged");
    assert_eq!(
        spend.effects.first(),
        Some(&Effect::Approval {
            asset: token(),
            spender: RECIPIENT.parse().expect("an address"),
            amount: units(700),
        })
    );
}

#[test]
fn invariant_09_an_approval_counts_in_full() {
    let mut world = approving();
    let asked = approval(&world, "a", 4_000, RECIPIENT);
    let transaction = waiting(world.run(&Command::Spend(asked)));
    let approve = StatementFacts::ApprovePayment { transaction };
    world.say(approve, false).expect("approved");
    let bytes = build::approve(&call(4_000, RECIPIENT)).expect("built");
    release(&mut world, transaction, bytes).expect("signed");
    // The session has 2,000 of its 6,000 left, the hour 4,000 of its 8,000.
    assert_eq!(
        pay(&mut world, "b", 2_001, RECIPIENT).expect_err("too much"),
        [Code::SessionTotal]
    );
    let again = approval(&world, "c", 2_001, RECIPIENT);
    assert_eq!(refused(&mut world, again), [Code::SessionTotal]);
    assert!(pay(&mut world, "d", 2_000, RECIPIENT).is_ok());
    // To nobody but the policy's contacts.
    let stranger = approval(&world, "e", 1, STRANGER);
    let codes = refused(&mut world, stranger);
    assert!(codes.contains(&Code::RecipientNotListed), "{codes:?}");
}

#[test]
fn invariant_02_an_approval_without_limit_has_its_own_refusal() {
    let mut world = approving();
    let mut request = approval(&world, "a", 700, RECIPIENT);
    let start = request.unsigned.len() - 1 - 32;
    request.unsigned[start..start + 32].fill(0xff);
    assert_eq!(refused(&mut world, request), [Code::ApprovalUnlimited]);
    for amount in [(1 << 96) - 1, u128::MAX] {
        let sound = approval(&world, "a", 700, RECIPIENT);
        let body = String::from_utf8(sound.body.clone()).expect("text");
        let request = SpendRequest {
            body: body
                .replace("\"700\"", &format!("\"{amount}\""))
                .into_bytes(),
            ..sound
        };
        assert_eq!(refused(&mut world, request), [Code::ApprovalUnlimited]);
    }
}

#[test]
fn an_approval_needs_its_operation_in_the_grant() {
    let mut world = world();
    let asked = approval(&world, "a", 700, RECIPIENT);
    assert_eq!(refused(&mut world, asked), [Code::SessionOperation]);
}

#[test]
fn what_a_spender_may_take_is_taken_back_with_nothing() {
    let mut world = approving();
    let asked = approval(&world, "a", 0, RECIPIENT);
    let transaction = waiting(world.run(&Command::Spend(asked)));
    let approve = StatementFacts::ApprovePayment { transaction };
    world.say(approve, false).expect("approved");
    let bytes = build::approve(&call(0, RECIPIENT)).expect("built");
    assert!(matches!(
        release(&mut world, transaction, bytes),
        Ok(Outcome::Sign(_))
    ));
    // A transfer of nothing stays none.
    let nothing = request(&world, "b", 0, RECIPIENT, "");
    assert_eq!(refused(&mut world, nothing), [Code::AmountInvalid]);
}
