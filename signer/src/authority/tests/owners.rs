//! Who may sign for the owner, through the whole shell: the phrase that a recovery takes, suspension by
//! password, credits from the ledger, and an end that restarts and unlocks do not undo.

use waiaas_shared::denial::Code;
use waiaas_shared::event::{Charge, EventBody, Origin};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::view::SessionState;

use super::super::Vault;
use super::super::simulation::machine::Passing;
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::World;
use super::{bearer, pay, refused, restart, unlock};
use crate::core::command::{Recovery, Rehearsal};
use crate::model::people::{EVM, FEE, owner_public, sign_text, stranger_key};
use crate::vault::PHRASE_MAX_BYTES;

const HOUR: u64 = 3_600_000;
/// Sound by its checksum, and nobody's: the published vector of zeros.
const OTHER_WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                           abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                           abandon abandon abandon abandon abandon art";

/// The 24 words of the open keystore.
fn words(world: &World) -> Vec<u8> {
    let signer = world.signer.as_ref().expect("it runs");
    let Vault::Open(_, unlocked) = &signer.vault else {
        panic!("it is open")
    };
    let mut phrase = signer.arena.take(PHRASE_MAX_BYTES).expect("room");
    let length = unlocked.copy_phrase(&mut phrase).expect("room");
    phrase.expose(|bytes| bytes[..length].to_vec())
}

fn recovery(world: &mut World) -> Recovery {
    let key = stranger_key();
    let facts = StatementFacts::RecoverOwners {
        key: owner_public(&key),
    };
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    Recovery {
        rehearsal: Rehearsal {
            statement,
            envelope: Envelope::Ed25519Plain,
            signature: sign_text(&key, &text),
        },
        guardians: Vec::new(),
    }
}

#[test]
fn invariant_17_a_recovery_takes_the_signers_own_words_and_the_password() {
    let mut world = World::new(1, false);
    let words = words(&world);
    let begun = recovery(&mut world);
    let entries = world.history.entries.len();
    let ask = |world: &mut World, right: bool, phrase: &[u8]| {
        world.one(Asked::Recover(right, phrase.to_vec(), begun.clone()))
    };
    refused(&ask(&mut world, false, &words), Code::PasswordWrong);
    let mut cut = words.clone();
    cut.pop();
    let mut spaced = words.clone();
    spaced.push(b' ');
    for wrong in [OTHER_WORDS.as_bytes(), &cut, &spaced, b"x"] {
        refused(&ask(&mut world, true, wrong), Code::PhraseWrong);
    }
    assert_eq!(world.history.entries.len(), entries, "nothing was begun");
    // Phrase and password of the right signer are of no use without the new key's signature.
    let mut forged = begun.clone();
    forged.rehearsal.signature[9] ^= 1;
    refused(
        &world.one(Asked::Recover(true, words.clone(), forged)),
        Code::StatementSignature,
    );
    let answer = ask(&mut world, true, &words);
    assert!(matches!(answer, Answer::Sequence(_)), "{answer:?}");
    assert_eq!(world.status().owner_changes, 1);

    // It waits on the clock that only runs while the signer does, through a restart and locked.
    restart(&mut world);
    world.pass(Passing::Suspended(100 * HOUR));
    world.pass(Passing::Running(71 * HOUR));
    unlock(&mut world);
    assert_eq!(world.status().owner_changes, 1);
    world.pass(Passing::Running(HOUR));
    refused(&pay(&mut world, "late", 1), Code::SessionRevoked);
    let status = world.status();
    assert!(status.owner_changes == 0 && status.frozen, "{status:?}");
    let last = world.history.entries.iter().rev();
    assert!(
        last.map(|entry| &entry.event.body)
            .any(|body| matches!(body, EventBody::OwnerChangeEffective { .. }))
    );
    let old = world.say(StatementFacts::ReleasePause { wallet: None }, None);
    refused(&old.expect_err("replaced"), Code::OwnerSuspended);
}

#[test]
fn invariant_17_a_suspension_by_password_is_durable() {
    let mut world = World::new(1, false);
    let owner = world.known.owner;
    refused(
        &world.one(Asked::SuspendOwner(false, owner)),
        Code::PasswordWrong,
    );
    pay(&mut world, "a", 1).signed();
    let answer = world.one(Asked::SuspendOwner(true, owner));
    assert!(matches!(answer, Answer::Sequence(_)), "{answer:?}");
    refused(&pay(&mut world, "b", 1), Code::SessionRevoked);
    restart(&mut world);
    unlock(&mut world);
    refused(&pay(&mut world, "b", 1), Code::SessionRevoked);
    let facts = StatementFacts::AttestNonce {
        wallet: world.known.evm,
        chain: EVM,
        next: 90,
        from: None,
    };
    refused(
        &world.say(facts, None).expect_err("suspended"),
        Code::OwnerSuspended,
    );
}

#[test]
fn invariant_05_a_credit_is_checked_against_the_ledger() {
    let mut world = World::new(1, false);
    let paid = pay(&mut world, "a", 1000).signed();
    let facts = |sequence, amount| StatementFacts::Credit {
        sequence,
        transaction: paid.transaction,
        wallet: world.known.evm,
        amounts: vec![Charge {
            asset: EVM.native_asset(),
            amount: waiaas_shared::amount::Amount::from_base_units(amount),
        }],
    };
    let (sound, high, elsewhere) = (
        facts(paid.sequence, 1000 + FEE),
        facts(paid.sequence, 1001 + FEE),
        facts(paid.sequence - 1, 1),
    );
    restart(&mut world);
    unlock(&mut world);
    for wrong in [high, elsewhere] {
        let answer = world.say(wrong, None).expect_err("not what the log says");
        refused(&answer, Code::CreditMismatch);
    }
    world.say(sound.clone(), None).expect("credited");
    let again = world.say(sound, None).expect_err("once");
    refused(&again, Code::CreditUsed);
    refused(
        &world.one(Asked::Resend(paid.transaction)),
        Code::PaymentCredited,
    );
    refused(&pay(&mut world, "a", 1000), Code::PaymentCredited);
    restart(&mut world);
    unlock(&mut world);
    refused(&pay(&mut world, "a", 1000), Code::PaymentCredited);
    let session = bearer(&world).id;
    let Answer::Remaining(Some(view)) = world.one(Asked::Remaining(session)) else {
        panic!("a session")
    };
    assert_eq!(view.state, SessionState::Active);
    assert_eq!(view.usage.count, 0);
}

#[test]
fn invariant_17_a_retired_signer_stays_retired_through_restart_and_unlock() {
    let mut world = World::new(1, false);
    let paid = pay(&mut world, "a", 1).signed();
    world
        .say(StatementFacts::Retire, Some(true))
        .expect("owner and password");
    for started_again in [false, true] {
        if started_again {
            restart(&mut world);
        }
        let status = world.status();
        assert!(status.retired && !status.unlocked, "{status:?}");
        let entries = world.history.entries.len();
        let last = world.history.entries.last().map(|entry| &entry.event.body);
        assert!(matches!(last, Some(EventBody::Retired { .. })), "{last:?}");
        assert!(!status.head.is_empty(), "the final head is signed");
        for asked in [
            Asked::Unlock(true, false),
            Asked::Unlock(false, false),
            Asked::Resend(paid.transaction),
            Asked::Kill(Origin::Gateway),
            Asked::Pause(None, Origin::Admin),
            Asked::Revoke(bearer(&world).id),
            Asked::Lock,
            Asked::Draft(StatementFacts::Retire, Origin::Admin),
            Asked::SuspendOwner(true, world.known.owner),
            Asked::CreateWallet(true, waiaas_shared::caip::Family::Evm, vec![EVM]),
        ] {
            refused(&world.one(asked), Code::Retired);
        }
        refused(&pay(&mut world, "b", 1), Code::Retired);
        refused(&world.one(Asked::Initialize), Code::AlreadyInitialized);
        assert!(matches!(world.one(Asked::Events(0)), Answer::Events(_)));
        assert_eq!(world.history.entries.len(), entries, "the log has ended");
    }
    world.verify_log();
}
