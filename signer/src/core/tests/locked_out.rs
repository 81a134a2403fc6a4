//! What would lock an owner out, tried on purpose (invariant 17): times and nonces that are stated too far
//! ahead, stolen keys that void or undo what the others sign, documents and drafts that shut the way out.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::StatementId;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::statement::{
    GuardianStop, OPEN_LIMIT, StatementFacts, TIME_AHEAD, TIME_AHEAD_ALONE, TIME_END,
};
use waiaas_shared::time::{Millis, WallTime};

use super::people::{Hand, account, three_owners, two_owners};
use super::world::{EVM, FEE, RECIPIENT, World, evm_recipient, unsigned};
use crate::core::command::{Command, Outcome, Recovery, Submission, Withdrawal};

const PAUSE: Command = Command::Pause {
    wallet: None,
    origin: Origin::Gateway,
};

/// A signer whose only owner enrolled an address for withdrawals.
pub(super) fn with_address() -> World {
    let mut world = World::new();
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(RECIPIENT),
    };
    world.say(enrol, true).expect("asked");
    world.pass(Millis::from_hours(72));
    world
}

fn handed_in(
    world: &mut World,
    facts: StatementFacts,
    hands: &[&Hand],
) -> (StatementId, Submission) {
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let submission = Submission {
        statement,
        signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
        origin: Origin::Admin,
        with_password: true,
    };
    (statement, submission)
}

#[test]
fn invariant_17_a_stated_time_expires_no_later_statement_for_ever() {
    let closed = || {
        let mut world = with_address();
        let seen = WallTime::from_millis(1);
        world.run(&Command::ClockStepped { seen }).expect("closed");
        world
    };
    let state = |world: &mut World, ahead: Millis, with_password: bool| {
        let wall = world.clocks.wall.after(ahead);
        let said = world.say(StatementFacts::StateTime { wall }, with_password);
        if said.is_ok() {
            // As the clock's keeper takes it in.
            world.clocks.wall = world.clocks.wall.max(wall);
        }
        said.map(drop)
    };
    let beyond = Millis::from_millis(TIME_AHEAD.millis() + 1);
    for ahead in [Millis::from_millis(u64::MAX), beyond] {
        let mut world = closed();
        assert_eq!(state(&mut world, ahead, true), Err(vec![Code::TimeTooFar]));
        world.withdraw(RECIPIENT, 1).expect("the way out is open");
    }
    // Months ahead: with the password over the owner's own socket alone.
    let months = Millis::from_millis(TIME_AHEAD_ALONE.millis() + 1);
    for ahead in [months, TIME_AHEAD] {
        let mut world = closed();
        assert_eq!(state(&mut world, ahead, false), Err(vec![Code::AdminOnly]));
        state(&mut world, ahead, true).expect("with the password");
        world.withdraw(RECIPIENT, 1).expect("the way out is open");
    }
    let mut world = closed();
    state(&mut world, TIME_AHEAD_ALONE, false).expect("a month needs none");
    // No number of years leads past the end.
    let mut world = closed();
    world.clocks.wall = WallTime::from_millis(TIME_END.millis() - 1000);
    let second = Millis::from_secs(1);
    let past = Millis::from_millis(second.millis() + 1);
    assert_eq!(state(&mut world, past, true), Err(vec![Code::TimeTooFar]));
    state(&mut world, second, true).expect("the end itself");
    world.withdraw(RECIPIENT, 1).expect("the way out is open");
}

pub(super) fn withdraw_with(world: &mut World, nonce: Option<u64>) -> Result<u64, Vec<Code>> {
    let facts = StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: EVM.native_asset(),
        to: RECIPIENT.parse().expect("an address"),
        amount: Amount::from_base_units(1000),
        fee_ceiling: Amount::from_base_units(FEE),
        nonce,
        from: None,
    };
    let (statement, text) = world.draft(facts, Origin::Admin)?;
    let signatures = vec![world.signature(&text)];
    let unsigned = unsigned(31_337, 0, 1000, evm_recipient(RECIPIENT));
    match world.run(&Command::Withdraw(Withdrawal {
        statement,
        signatures,
        unsigned,
    }))? {
        Outcome::Sign(order) => Ok(order.transaction().account_nonce().expect("on EVM")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn invariant_17_a_nonce_that_an_attestation_skipped_is_withdrawn_with() {
    let mut world = with_address();
    for key in ["a", "b"] {
        world.bearer_pay(key, 1000).expect("signed");
    }
    let attest = |world: &mut World, next| {
        let facts = StatementFacts::AttestNonce {
            wallet: world.evm_wallet,
            chain: EVM,
            next,
            from: None,
        };
        let (_, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
        world.say(facts, false).expect("attested");
        text
    };
    // The text says what it would cost.
    let text = attest(&mut world, 122);
    assert!(
        text.contains("Signer's own next nonce: 2\nSkips: 2 to 121, never signed here"),
        "{text}"
    );
    let text = attest(&mut world, 122);
    assert!(!text.contains("Skips"), "{text}");
    // The chain is at 2: nothing lands but what carries it.
    assert_eq!(withdraw_with(&mut world, None), Ok(122));
    assert_eq!(withdraw_with(&mut world, Some(2)), Ok(2));
    assert_eq!(withdraw_with(&mut world, Some(121)), Ok(121));
    assert_eq!(
        withdraw_with(&mut world, Some(2)),
        Ok(2),
        "with a higher fee"
    );
    // What agents got stays attested as used up, and no agent gets what was skipped.
    for issued in [0, 1, 124] {
        let refused = withdraw_with(&mut world, Some(issued));
        assert_eq!(refused, Err(vec![Code::NonceLower]), "{issued}");
    }
    world.bearer_pay("c", 1000).expect("signed");
    let nonces: Vec<_> = world.spends().iter().map(|spend| spend.nonce).collect();
    assert_eq!(nonces, [Some(0), Some(1), Some(123)]);
    // A second jump leaves a second gap, and the first one open.
    attest(&mut world, 130);
    assert_eq!(withdraw_with(&mut world, Some(3)), Ok(3));
    assert_eq!(withdraw_with(&mut world, Some(124)), Ok(124));
    assert_eq!(
        withdraw_with(&mut world, Some(123)),
        Err(vec![Code::NonceLower])
    );
}

#[test]
fn invariant_17_suspending_again_voids_nothing_but_the_lift() {
    let (mut world, [one, two, three]) = three_owners();
    let suspend = StatementFacts::SuspendOwner { owner: three.id };
    world
        .say_as(suspend.clone(), &[&one], false)
        .expect("stolen, suspended");
    world.run(&PAUSE).expect("paused");
    let release = StatementFacts::ReleasePause { wallet: None };
    let (_, release) = handed_in(&mut world, release, &[&one, &two]);
    let lift = StatementFacts::LiftSuspension { owner: three.id };
    let (_, lift) = handed_in(&mut world, lift, &[&one]);
    // The stolen key names another one that is suspended already, and so does anybody: nothing changes.
    world
        .run(&Command::SuspendOwner { owner: three.id })
        .expect("once more");
    assert_eq!(
        world.run(&Command::Submit(lift)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    world
        .run(&Command::Submit(release))
        .expect("what the others signed holds");
}

#[test]
fn invariant_17_a_suspension_voids_no_withdrawal_and_no_recovery() {
    let (mut world, [one, two, three]) = three_owners();
    let enrol = StatementFacts::EnrolWithdrawal {
        account: account(RECIPIENT),
    };
    world.say_as(enrol, &[&one, &two], true).expect("asked");
    world.pass(Millis::from_hours(72));
    let facts = StatementFacts::Withdraw {
        wallet: world.evm_wallet,
        asset: EVM.native_asset(),
        to: RECIPIENT.parse().expect("an address"),
        amount: Amount::from_base_units(1000),
        fee_ceiling: Amount::from_base_units(FEE),
        nonce: None,
        from: None,
    };
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let by = |hands: &[&Hand]| Withdrawal {
        statement,
        signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
        unsigned: unsigned(31_337, 0, 1000, evm_recipient(RECIPIENT)),
    };
    let new = Hand::new(9);
    let recover = StatementFacts::RecoverOwners {
        key: new.owner_key(),
    };
    let (recovery, recovery_text) = world.draft(recover, Origin::Admin).expect("a draft");
    let suspend = StatementFacts::SuspendOwner { owner: three.id };
    world.say_as(suspend, &[&two], false).expect("suspended");
    // Who signs is judged when it is handed in.
    let stolen = world.run(&Command::Withdraw(by(&[&one, &three])));
    assert_eq!(stolen.map(drop), Err(vec![Code::OwnerSuspended]));
    world
        .run(&Command::Withdraw(by(&[&one, &two])))
        .expect("withdrawn");
    let recovery = Recovery {
        rehearsal: new.rehearsal(recovery, &recovery_text),
        guardians: Vec::new(),
    };
    world.run(&Command::Recover(recovery)).expect("begun");
}

#[test]
fn invariant_17_no_key_cancels_its_own_removal() {
    let (mut world, [one, two, three]) = three_owners();
    let guardian = world.add_guardian(5, &[&one, &two]);
    let suspend = StatementFacts::SuspendOwner { owner: three.id };
    world.say_as(suspend, &[&one], false).expect("suspended");
    let remove = StatementFacts::RemoveOwner { owner: three.id };
    world.say_as(remove, &[&one, &two], true).expect("asked");
    let change = world.last_scheduled();
    let cancel = StatementFacts::CancelOwnerChange { change };
    for hands in [vec![&three], vec![&three, &one]] {
        let own = world.say_as(cancel.clone(), &hands, false).map(drop);
        assert_eq!(own, Err(vec![Code::RemovalOfItself]));
    }
    let dismiss = StatementFacts::RemoveGuardian {
        guardian: guardian.id,
    };
    world.say_as(dismiss, &[&one, &two], true).expect("asked");
    let dismissed = world.last_scheduled();
    let stop = |change| StatementFacts::GuardianStop {
        stop: GuardianStop::CancelChange { change },
    };
    let own = world.say_as(stop(dismissed), &[&guardian], false).map(drop);
    assert_eq!(own, Err(vec![Code::RemovalOfItself]));
    // Of each other's they may, as of everything else.
    world
        .say_as(stop(change), &[&guardian], false)
        .expect("the guardian stops it");
    let cancel = StatementFacts::CancelOwnerChange { change: dismissed };
    world
        .say_as(cancel, &[&three], false)
        .expect("the suspended owner cancels it");
}

#[test]
fn invariant_17_a_suspended_key_leaves_the_others_their_quorum() {
    let (mut world, [one, two, three]) = three_owners();
    let suspend = |hand: &Hand| StatementFacts::SuspendOwner { owner: hand.id };
    world
        .say_as(suspend(&three), &[&one], false)
        .expect("stolen, suspended");
    for victim in [&one, &two] {
        let last = world.say_as(suspend(victim), &[&three], true).map(drop);
        assert_eq!(last, Err(vec![Code::SuspensionQuorum]));
    }
    world.run(&PAUSE).expect("paused");
    let release = StatementFacts::ReleasePause { wallet: None };
    world
        .say_as(release, &[&one, &two], false)
        .expect("they still are enough");
    // An owner who is not suspended, and the password, still may.
    world
        .say_as(suspend(&two), &[&one, &three], false)
        .expect("one signs too");
    world
        .run(&Command::SuspendOwner { owner: one.id })
        .expect("the password");
    assert_eq!(world.standing(one.id), Standing::Suspended);
    // Where enough are left, a suspended key suspends as before.
    let (mut world, [one, two]) = two_owners();
    world.set_quorum(1, &[&one, &two]);
    let third = world.add_owner(3, &[&one]);
    world
        .say_as(suspend(&third), &[&one], false)
        .expect("suspended");
    world
        .say_as(suspend(&two), &[&third], false)
        .expect("one is left, and enough");
}

#[test]
fn invariant_17_abandoned_drafts_shut_no_way_out() {
    let mut world = with_address();
    let attest = StatementFacts::AttestNonce {
        wallet: world.evm_wallet,
        chain: EVM,
        next: 9,
        from: None,
    };
    for _ in 0..OPEN_LIMIT {
        world
            .draft(attest.clone(), Origin::Admin)
            .expect("within the bound");
    }
    let full = world.draft(attest, Origin::Admin).map(drop);
    assert_eq!(full, Err(vec![Code::StatementTooMany]));
    let recover = StatementFacts::RecoverOwners {
        key: Hand::new(9).owner_key(),
    };
    let suspend = StatementFacts::SuspendOwner { owner: world.owner };
    for _ in 0..OPEN_LIMIT {
        world
            .draft(suspend.clone(), Origin::Admin)
            .expect("places of its own");
    }
    // Its own places are bounded too, and shut nothing else.
    let full = world.draft(suspend.clone(), Origin::Admin).map(drop);
    assert_eq!(full, Err(vec![Code::StatementTooMany]));
    world.draft(recover, Origin::Admin).expect("a recovery");
    world.withdraw(RECIPIENT, 1).expect("the way out is open");
    // The gateway's places stay one number for all.
    for _ in 0..OPEN_LIMIT {
        world
            .draft(suspend.clone(), Origin::Gateway)
            .expect("within the bound");
    }
    let more = StatementFacts::SignOfLife;
    let full = world.draft(more, Origin::Gateway).map(drop);
    assert_eq!(full, Err(vec![Code::StatementTooMany]));
}
