//! Kill, pause, clock: invariants 11, 15, 16.

use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::SignerId;
use waiaas_shared::log::Head;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Millis, WallTime};

use super::world::World;
use crate::core::command::{Command, MissedHead, Outcome, Submission, UnlockFacts};
use crate::core::state::{Freeze, KillPhase};

const KILL: Command = Command::Kill(Origin::Gateway);

#[test]
fn invariant_16_after_a_kill_nothing_is_signed_until_owner_and_password_release_it() {
    let mut world = World::new();
    assert!(matches!(world.run(&KILL), Ok(Outcome::WipeKeys)));
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::SessionRevoked])
    );
    // Not without the password, not for another epoch.
    let release = |epoch, sessions| StatementFacts::ReleaseKill { epoch, sessions };
    assert_eq!(
        world.say(release(0, vec![]), true).map(drop),
        Err(vec![Code::KillNotActive])
    );
    assert_eq!(
        world.say(release(2, vec![]), true).map(drop),
        Err(vec![Code::KillNotActive])
    );
    assert_eq!(
        world.say(release(1, vec![]), false).map(drop),
        Err(vec![Code::AdminOnly])
    );
    // Nothing else loosens meanwhile.
    let grant = StatementFacts::GrantSession {
        grant: world.a_grant(super::world::key_bound()),
    };
    assert_eq!(world.say(grant, true).map(drop), Err(vec![Code::Killed]));
    let bearer = world.bearer;
    world
        .say(release(1, vec![bearer]), true)
        .expect("owner and password");
    assert_eq!(world.state.kill().phase, KillPhase::Recovering);
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::Frozen])
    );
    world
        .say(StatementFacts::ReleasePause { wallet: None }, false)
        .expect("the owner resumes");
    assert_eq!(world.state.kill().phase, KillPhase::Normal);
    assert!(world.bearer_pay("a", 1000).is_ok());
    // The session that was not listed stays revoked.
    let request = world.signed_request("b", 1000);
    assert_eq!(
        world.run(&Command::Spend(request)).map(drop),
        Err(vec![Code::SessionRevoked])
    );
}

#[test]
fn invariant_16_kill_epochs_rise_and_an_old_release_is_of_no_use() {
    let mut world = World::new();
    world.run(&KILL).expect("killed");
    let facts = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![],
    };
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a draft");
    let old = crate::core::command::Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: true,
    };
    world.run(&Command::Submit(old.clone())).expect("released");
    world.run(&KILL).expect("killed again");
    assert_eq!(world.state.kill().epoch, 2);
    assert_eq!(
        world.run(&Command::Submit(old)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
}

#[test]
fn invariant_16_a_kill_voids_statements_that_were_open() {
    let mut world = World::new();
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Admin,
        })
        .expect("paused");
    let (statement, text) = world
        .draft(
            StatementFacts::ReleasePause { wallet: None },
            Origin::Gateway,
        )
        .expect("a draft");
    world.run(&KILL).expect("killed");
    let submission = crate::core::command::Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: true,
    };
    assert_eq!(
        world.run(&Command::Submit(submission)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
}

#[test]
fn invariant_16_pauses_stop_signing_and_only_an_owner_resumes() {
    let mut world = World::new();
    let wallet = world.evm_wallet;
    world
        .run(&Command::Pause {
            wallet: Some(wallet),
            origin: Origin::Gateway,
        })
        .expect("paused");
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::WalletPaused])
    );
    world
        .say(
            StatementFacts::ReleasePause {
                wallet: Some(wallet),
            },
            false,
        )
        .expect("resumed");
    assert!(world.bearer_pay("a", 1000).is_ok());
    world
        .run(&Command::Pause {
            wallet: None,
            origin: Origin::Gateway,
        })
        .expect("frozen");
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::Frozen])
    );
    let twice = StatementFacts::ReleasePause {
        wallet: Some(wallet),
    };
    assert_eq!(
        world.say(twice, false).map(drop),
        Err(vec![Code::NotPaused])
    );
}

#[test]
fn invariant_16_a_lost_journal_unlocks_into_frozen() {
    let mut world = World::new();
    let facts = |journal_lost| UnlockFacts {
        journal: Digest::from_bytes([3; 32]),
        vouched: Millis::default(),
        failures: 0,
        journal_lost,
        missed: None,
    };
    world
        .run(&Command::Unlocked(facts(false)))
        .expect("unlocked");
    assert!(world.bearer_pay("a", 1000).is_ok());
    world
        .run(&Command::Unlocked(facts(true)))
        .expect("unlocked");
    assert_eq!(
        world.bearer_pay("b", 1000).map(drop),
        Err(vec![Code::Frozen])
    );
}

#[test]
fn invariant_16_a_head_that_the_log_misses_unlocks_into_frozen() {
    let mut world = World::new();
    let release = StatementFacts::ReleasePause { wallet: None };
    let draft = world.draft(release.clone(), Origin::Gateway);
    assert!(draft.is_err(), "nothing is paused");
    let facts = UnlockFacts {
        journal: Digest::from_bytes([3; 32]),
        vouched: Millis::default(),
        failures: 0,
        journal_lost: false,
        missed: Some(MissedHead {
            head: Head {
                signer: SignerId::from_bytes([5; 16]),
                sequence: 900,
                hash: Digest::from_bytes([9; 32]),
            },
            signature: [8; 64],
        }),
    };
    world.run(&Command::Unlocked(facts)).expect("unlocked");
    let recorded = EventBody::HeadMissed {
        sequence: 900,
        hash: Digest::from_bytes([9; 32]),
        signature: vec![8; 64],
    };
    assert_eq!(world.events.last(), Some(&recorded));
    assert!(world.state.frozen_by().eq([Freeze::HeadMissed]));
    let paid = world.bearer_pay("a", 1000).map(drop);
    assert_eq!(paid, Err(vec![Code::Frozen]));
    // A release of before is void; only one that an owner signs now resumes.
    let (early, text) = world
        .draft(release.clone(), Origin::Gateway)
        .expect("drafted");
    world.run(&Command::Unlocked(facts)).expect("unlocked");
    let submission = Submission {
        statement: early,
        signatures: vec![world.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    assert!(world.run(&Command::Submit(submission)).is_err());
    world.say(release, false).expect("resumed");
    assert!(!world.state.frozen());
    world.bearer_pay("a", 1000).expect("signed");
}

#[test]
fn invariant_11_a_clock_step_closes_signing_until_the_owner_states_the_time() {
    let mut world = World::new();
    let seen = WallTime::from_millis(1);
    world.run(&Command::ClockStepped { seen }).expect("closed");
    assert_eq!(
        world.bearer_pay("a", 1000).map(drop),
        Err(vec![Code::ClockClosed])
    );
    world
        .say(
            StatementFacts::StateTime {
                wall: world.clocks.wall,
            },
            false,
        )
        .expect("stated");
    assert!(world.bearer_pay("a", 1000).is_ok());
    let open = StatementFacts::StateTime {
        wall: world.clocks.wall,
    };
    assert_eq!(
        world.say(open, false).map(drop),
        Err(vec![Code::TimeNotClosed])
    );
}

#[test]
fn nothing_passes_before_the_log_begins() {
    let mut state = crate::core::State::default();
    let context = crate::core::Context {
        clocks: crate::core::clock::zero(),
        steady: crate::core::clock::zero().wall,
        entropy: [0; 32],
    };
    for command in [
        KILL,
        Command::Lock(Origin::Admin),
        Command::Pause {
            wallet: None,
            origin: Origin::Admin,
        },
    ] {
        let (events, outcome) = crate::core::step(&mut state, &command, &context);
        assert!(events.is_empty() && outcome.is_err());
    }
}

#[test]
fn invariant_14_a_release_that_was_kept_back_never_undoes_a_later_pause() {
    for resumed_between in [true, false] {
        let mut world = World::new();
        let pause = Command::Pause {
            wallet: None,
            origin: Origin::Admin,
        };
        world.run(&pause).expect("paused");
        // Drafted over the gateway and signed by the owner; the gateway keeps it back.
        let release = StatementFacts::ReleasePause { wallet: None };
        let (statement, text) = world
            .draft(release.clone(), Origin::Gateway)
            .expect("a draft");
        let signatures = vec![world.signature(&text)];
        if resumed_between {
            world
                .say(release, false)
                .expect("resumed by another statement");
        }
        world.pass(Millis::from_secs(1800));
        world.run(&pause).expect("acknowledged");
        let late = crate::core::command::Submission {
            statement,
            signatures,
            origin: Origin::Gateway,
            with_password: false,
        };
        assert_eq!(
            world.run(&Command::Submit(late)).map(drop),
            Err(vec![Code::StatementUnknown])
        );
        assert!(world.state.frozen());
    }
}

#[test]
fn invariant_16_a_gateway_that_kills_again_does_not_hold_up_the_release() {
    let mut world = World::new();
    world.run(&KILL).expect("killed");
    assert!(matches!(world.run(&KILL), Ok(Outcome::Done)));
    assert!(matches!(
        world.run(&Command::Kill(Origin::Admin)),
        Ok(Outcome::WipeKeys)
    ));
    world
        .say(
            StatementFacts::ReleaseKill {
                epoch: 1,
                sessions: vec![],
            },
            true,
        )
        .expect("released");
}

/// A gateway that drafts a release and pauses again, in turn, writes no log without end: a release that
/// a pause voided keeps its place until it expires.
#[test]
fn invariant_16_pausing_again_and_again_frees_no_place_for_statements() {
    for wallet in [None, Some(World::new().evm_wallet)] {
        let mut world = World::new();
        let pause = Command::Pause {
            wallet,
            origin: Origin::Gateway,
        };
        world.run(&pause).expect("paused");
        let events = world.events.len();
        let (mut drafted, mut refused) = (0, 0);
        for _ in 0..100 {
            let facts = StatementFacts::ReleasePause { wallet };
            match world.draft(facts, Origin::Gateway) {
                Ok(_) => drafted += 1,
                Err(codes) => {
                    assert_eq!(codes, vec![Code::StatementTooMany]);
                    refused += 1;
                }
            }
            world.run(&pause).expect("paused already");
        }
        assert_eq!((drafted, refused), (16, 84));
        assert!(world.events.len() - events <= 32, "{drafted} drafts");
        // The owner's own places are free, and an hour later the gateway's are too.
        world
            .say(StatementFacts::ReleasePause { wallet }, false)
            .expect("the owner resumes");
        world.run(&pause).expect("paused");
        world.pass(Millis::from_hours(1));
        world
            .draft(StatementFacts::ReleasePause { wallet }, Origin::Gateway)
            .expect("a place");
    }
}

#[test]
fn invariant_13_a_release_names_every_reason_that_it_ends() {
    let mut world = World::new();
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("paused");
    let release = StatementFacts::ReleasePause { wallet: None };
    let (_, text) = world.draft(release.clone(), Origin::Admin).expect("a text");
    let asked = "\nWallets: ALL\nEnds 1 of 1: a pause that somebody asked for\n";
    assert!(text.contains(asked), "{text}");
    world.run(&KILL).expect("killed");
    let kill = StatementFacts::ReleaseKill {
        epoch: 1,
        sessions: vec![],
    };
    world.say(kill, true).expect("owner and password");
    let (_, text) = world.draft(release, Origin::Admin).expect("a text");
    assert!(
        text.contains("\nEnds 2 of 2: the pause after a kill\n"),
        "{text}"
    );
}
