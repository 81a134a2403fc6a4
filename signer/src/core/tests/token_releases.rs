//! Solana tokens that wait: what the owner reads of their rent, and what is released.

use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{SessionId, TransactionId};
use waiaas_shared::solana::TokenProgram;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::tokens_solana::{
    address, bytes, pay, refused, rule, spl, token, token_policy, world, world_with,
};
use super::world::{World, solana};
use crate::core::command::{Command, Outcome, Release, Submission};

fn waits(stage: &mut (World, SessionId), key: &str, amount: u64) -> TransactionId {
    match pay(stage, key, amount, spl(amount, false)) {
        Ok(Outcome::Waiting(view)) => view.intent.transaction,
        other => panic!("{other:?}"),
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

/// The owner reads what an account may cost, and no more is released than that.
#[test]
fn invariant_12_rent_at_release_keeps_to_what_the_owner_read() {
    let mut stage = world();
    let transaction = waits(&mut stage, "one", 600_000);
    let world = &mut stage.0;
    let facts = StatementFacts::ApprovePayment { transaction };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    assert!(
        text.contains("0.6 USDC") && text.contains("Rent at most: 0.00203928"),
        "{text}"
    );
    let signatures = vec![world.signature(&text)];
    world
        .run(&Command::Submit(Submission {
            statement,
            signatures,
            origin: Origin::Gateway,
            with_password: false,
        }))
        .expect("approved");
    // The document allows more rent than one account takes; the text did not.
    let stranger = bytes(token(TokenProgram::Token), address(0x66), 600_000, true);
    assert_eq!(
        refused(release(world, transaction, stranger)),
        [Code::TransactionUndecodable]
    );
    release(world, transaction, spl(600_000, true)).expect("it is signed");

    // Without a ceiling for rent the text names none, and none is released.
    let mut document = token_policy(1);
    rule(&mut document, solana().native_asset()).rent_ceiling = None;
    let mut stage = world_with(&document);
    let transaction = waits(&mut stage, "one", 600_000);
    let world = &mut stage.0;
    let facts = StatementFacts::ApprovePayment { transaction };
    let (statement, text) = world.draft(facts, Origin::Gateway).expect("a text");
    assert!(!text.contains("Rent"), "{text}");
    let signatures = vec![world.signature(&text)];
    world
        .run(&Command::Submit(Submission {
            statement,
            signatures,
            origin: Origin::Gateway,
            with_password: false,
        }))
        .expect("approved");
    // A later document allows rent; what the owner read stays.
    world
        .adopt(&token_policy(2), true)
        .expect("a looser policy");
    world.pass(Millis::from_secs(1));
    assert_eq!(
        refused(release(world, transaction, spl(600_000, true))),
        [Code::RentCeiling]
    );
    release(world, transaction, spl(600_000, false)).expect("it is signed");
}
