//! Statements that owners signed and a gateway kept back until they meant something else: none of them
//! is carried out then, and none of them frees a place for another.

use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::{Amount, Decimals};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::policy::alarm::Remedy;
use waiaas_shared::policy::document::{PolicyDocument, Recipient};
use waiaas_shared::session::{Credential, SessionGrant};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::SessionState;

use super::alarm::{TOO_MUCH, under};
use super::people::account;
use super::suspension::denials;
use super::world::{EVM, RECIPIENT, STRANGER, World, evm_recipient, key_bound, policy, unsigned};
use crate::core::AgentStop;
use crate::core::command::{Command, DerivedKey, Outcome, SpendRequest, Submission};

/// Signed, and kept.
fn signed(world: &mut World, facts: StatementFacts, origin: Origin) -> Submission {
    let (statement, text) = world.draft(facts, origin).expect("a draft");
    Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin,
        with_password: false,
    }
}

fn brought(world: &mut World, kept: Submission) -> Result<(), Vec<Code>> {
    world.run(&Command::Submit(kept)).map(drop)
}

fn rotate(world: &mut World, seed: u8) -> Submission {
    let facts = StatementFacts::RotateWallet {
        wallet: world.evm_wallet,
        first_nonce: 0,
    };
    let submission = signed(world, facts, Origin::Admin);
    let key = DerivedKey {
        path: world.state.next_path(Family::Evm),
        account: Account::Evm(EvmAddress::from_bytes([seed; 20])),
    };
    let command = Command::Rotate {
        submission: submission.clone(),
        key,
    };
    world.run(&command).expect("rotated");
    submission
}

#[test]
fn invariant_06_what_was_attested_for_the_old_address_is_void_for_the_new_one() {
    let mut world = World::new();
    let wallet = world.evm_wallet;
    let attest = |next| StatementFacts::AttestNonce {
        wallet,
        chain: EVM,
        next,
        from: None,
    };
    let kept = signed(&mut world, attest(50), Origin::Gateway);
    let close = signed(
        &mut world,
        StatementFacts::CloseWallet { wallet },
        Origin::Gateway,
    );
    rotate(&mut world, 0x31);
    for kept in [kept, close] {
        assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
    }
    // The new key begins at its own first nonce.
    world.bearer_pay("a", 1000).expect("paid");
    let spends = world.spends();
    assert_eq!(spends.last().expect("a payment").nonce, Some(0));
    // One that is written for the new address counts.
    world.say(attest(7), false).expect("attested");
}

#[test]
fn invariant_13_a_second_rotation_takes_a_text_that_shows_the_present_address() {
    let mut world = World::new();
    let facts = StatementFacts::RotateWallet {
        wallet: world.evm_wallet,
        first_nonce: 0,
    };
    let kept = signed(&mut world, facts, Origin::Gateway);
    rotate(&mut world, 0x31);
    let key = DerivedKey {
        path: world.state.next_path(Family::Evm),
        account: Account::Evm(EvmAddress::from_bytes([0x32; 20])),
    };
    let again = Command::Rotate {
        submission: kept,
        key,
    };
    assert_eq!(
        world.run(&again).map(drop),
        Err(vec![Code::StatementUnknown])
    );
}

#[test]
fn invariant_16_a_resumption_that_was_signed_while_killed_ends_no_recovering() {
    let mut world = World::new();
    world.run(&Command::Kill(Origin::Gateway)).expect("killed");
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("paused");
    let resume = StatementFacts::ReleasePause { wallet: None };
    let kept = signed(&mut world, resume.clone(), Origin::Gateway);
    let release = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![world.bearer],
    };
    world.say(release, true).expect("released");
    assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
    assert!(world.state.frozen(), "the owner looks around first");
    assert!(world.bearer_pay("a", 1000).is_err());
    world.say(resume, false).expect("resumed");
    world.bearer_pay("a", 1000).expect("paid");
}

#[test]
fn invariant_16_suspending_again_and_again_frees_no_place_for_statements() {
    let mut world = World::new();
    world
        .say(StatementFacts::RegisterAgent { active: false }, false)
        .expect("registered");
    let Some(EventBody::AgentRegistered { agent, .. }) = world.events.last() else {
        panic!("registered");
    };
    let agent = *agent;
    let suspend = Command::StopAgent {
        agent,
        stop: AgentStop::Suspend,
        origin: Origin::Gateway,
    };
    let events = world.events.len();
    let mut refused = 0;
    for _ in 0..100 {
        let draft = world.draft(StatementFacts::ActivateAgent { agent }, Origin::Gateway);
        refused += usize::from(draft.map(drop) == Err(vec![Code::StatementTooMany]));
        world.run(&suspend).expect("suspended");
    }
    assert_eq!(refused, 84);
    assert!(world.events.len() - events <= 33);
    world
        .say(StatementFacts::ActivateAgent { agent }, false)
        .expect("the owner's own places are free");
}

/// The signer's own time is an upper bound, at or above every reading: after a step back, or a step
/// ahead that was put right, the true time lies before it.
#[test]
fn invariant_11_the_true_time_may_lie_before_the_bound_and_moves_nothing_back() {
    let mut world = World::new();
    let seen = WallTime::from_millis(world.clocks.wall.millis() - 11 * 60_000);
    let stepped = Command::ClockStepped { seen };
    world.run(&stepped).expect("closed");
    let facts = StatementFacts::StateTime { wall: seen };
    let kept = signed(&mut world, facts.clone(), Origin::Gateway);
    let bound = world.clocks.wall;
    world.pass(Millis::from_secs(60));
    world.say(facts, false).expect("stated");
    assert!(world.state.clocks().wall > bound, "nothing moves back");
    world.bearer_pay("a", 1000).expect("open again");
    // What was signed for this step opens no later one.
    world.run(&stepped).expect("closed again");
    assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
}

/// The log of a signer that forgot a stated time at a start folds as it was decided; the bound is what was stated.
#[test]
fn invariant_11_a_log_that_fell_behind_a_stated_time_keeps_its_decisions() {
    let mut world = World::new();
    let before = world.clocks.wall;
    let seen = WallTime::from_millis(before.millis() - 11 * 60_000);
    world.run(&Command::ClockStepped { seen }).expect("closed");
    let wall = before.after(Millis::from_hours(20 * 24));
    world
        .say(StatementFacts::StateTime { wall }, false)
        .expect("stated");
    assert_eq!(world.state.clocks().wall, wall);
    // So it went on: with the clocks of before the statement.
    assert_eq!(world.clocks.wall, before);
    world.adopt(&policy(2), true).expect("adopted");
    assert_eq!(world.state.policy_epoch(), 2);
    assert_eq!(world.state.clocks().wall, wall);
    world.clocks.wall = wall.after(Millis::from_secs(1));
    world.bearer_pay("a", 1000).expect("paid");
    assert_eq!(world.state.clocks().wall, world.clocks.wall);
}

fn pays_at(world: &mut World, key: &str, fields: &str, amount: u128) -> Result<(), Vec<Code>> {
    let request = world.request(world.bearer, key, amount, RECIPIENT);
    let body = String::from_utf8(request.body).expect("text");
    let plain = format!(r#""to":"{RECIPIENT}","amount_base":"{amount}""#);
    assert!(body.contains(&plain), "{body}");
    let request = SpendRequest {
        body: body.replace(&plain, fields).into_bytes(),
        unsigned: unsigned(31_337, 0, amount, evm_recipient(RECIPIENT)),
        ..request
    };
    world.run(&Command::Spend(request)).map(drop)
}

fn with_contact(epoch: u64, name: &str, address: &str) -> PolicyDocument {
    let mut document = policy(epoch);
    document.recipients_open = true;
    document.recipients = vec![Recipient {
        account: account(address),
        name: name.to_owned(),
    }];
    document
}

#[test]
fn invariant_10_a_later_document_gives_no_name_and_no_unit_another_meaning() {
    let mut world = World::new();
    world
        .wallet(Family::Evm, [9; 32], vec![ChainId::Evm(1)])
        .expect("a main-network wallet: documents wait");
    world
        .adopt(&with_contact(2, "shop", STRANGER), true)
        .expect("a document");
    world.pass(Millis::from_hours(25));
    // A thief's document: the shop is somebody else, and a unit is ten times what it was.
    let mut other = with_contact(3, "shop", RECIPIENT);
    for rule in &mut other.assets {
        rule.decimals = Decimals::new(rule.decimals.places() - 1).expect("places");
    }
    world.adopt(&other, false).expect("a later one");
    let by_name = r#""to":"@shop","amount_base":"1000""#;
    let refused = pays_at(&mut world, "a", by_name, 1000);
    assert_eq!(refused, Err(vec![Code::PoliciesDisagree]));
    let in_units = format!(r#""to":"{RECIPIENT}","amount":"0.0000001""#);
    let refused = pays_at(&mut world, "b", &in_units, 100);
    assert_eq!(refused, Err(vec![Code::PoliciesDisagree]));
    // What both read alike passes.
    let plain = format!(r#""to":"{RECIPIENT}","amount_base":"1000""#);
    pays_at(&mut world, "c", &plain, 1000).expect("paid");
    // Matured, the later one alone says what its names mean.
    world.pass(Millis::from_hours(25));
    pays_at(&mut world, "d", by_name, 1000).expect("paid");
    assert_eq!(
        Amount::from_base_units(1000),
        world.spends()[1].effects[0].amount()
    );
}

#[test]
fn a_rotated_wallet_pays_on() {
    let mut world = World::new();
    rotate(&mut world, 0x31);
    assert!(matches!(world.bearer_pay("a", 1000), Ok(Outcome::Sign(_))));
}

/// One more session for whoever holds these.
fn grant(world: &mut World, credential: Credential) -> Submission {
    let grant = world.a_grant(credential);
    signed(
        world,
        StatementFacts::GrantSession { grant },
        Origin::Gateway,
    )
}

#[test]
fn invariant_14_a_grant_that_was_kept_back_never_undoes_a_revocation() {
    let mut world = World::new();
    let kept = grant(&mut world, key_bound());
    let secret = Credential::Bearer(hash(Domain::SessionSecret, &[b"another"]));
    let others = grant(&mut world, secret);
    let revoke = Command::RevokeSession {
        session: world.keyed,
        origin: Origin::Admin,
    };
    world.run(&revoke).expect("revoked");
    assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
    brought(&mut world, others).expect("somebody else's");
    // Revoked once more, it voids what was written meanwhile; without that nothing is written.
    let kept = grant(&mut world, key_bound());
    world.run(&revoke).expect("once more");
    assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
    let before = world.events.len();
    world.run(&revoke).expect("nothing");
    assert_eq!(world.events.len(), before);
    // What owners sign from now on is meant.
    let meant = grant(&mut world, key_bound());
    brought(&mut world, meant).expect("granted");
}

#[test]
fn invariant_14_a_grant_that_was_kept_back_never_undoes_an_agents_stop() {
    for stop in [AgentStop::Suspend, AgentStop::Terminate] {
        let mut world = World::new();
        let register = StatementFacts::RegisterAgent { active: true };
        world.say(register, false).expect("registered");
        let Some(EventBody::AgentRegistered { agent, .. }) = world.events.last() else {
            panic!("an agent");
        };
        let agent = *agent;
        let secret = |name: &[u8]| Credential::Bearer(hash(Domain::SessionSecret, &[name]));
        let grant_of_agent = SessionGrant {
            agent: Some(agent),
            ..world.a_grant(secret(b"of the agent"))
        };
        let facts = StatementFacts::GrantSession {
            grant: grant_of_agent,
        };
        world.say(facts, false).expect("granted");
        // To the same holder, as nobody's; and to somebody else.
        let kept = grant(&mut world, secret(b"of the agent"));
        let others = grant(&mut world, secret(b"of another"));
        let stops = Command::StopAgent {
            agent,
            stop,
            origin: Origin::Gateway,
        };
        world.run(&stops).expect("stopped");
        assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
        brought(&mut world, others).expect("somebody else's");
        // Suspended once more, what was written meanwhile is void too.
        if stop == AgentStop::Suspend {
            let kept = grant(&mut world, secret(b"of the agent"));
            world.run(&stops).expect("once more");
            assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
        }
    }
}

#[test]
fn invariant_14_a_grant_that_was_kept_back_never_undoes_a_suspension() {
    let mut world = under(&denials(1, Remedy::SuspendSession));
    let kept = grant(&mut world, key_bound());
    world.agent_pays("a", TOO_MUCH).expect_err("too much");
    assert_eq!(world.state_of(world.keyed), SessionState::Suspended);
    assert_eq!(brought(&mut world, kept), Err(vec![Code::StatementUnknown]));
}
