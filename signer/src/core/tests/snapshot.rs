//! How the state is encoded. Every test of the core reads each of its states back from its snapshot
//! (`World::run`); here is what the bytes are.

use std::path::{Path, PathBuf};

use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::intent::{delayed, waiting_policy, world};
use super::logins::signed_in;
use super::people::{Hand, main_network};
use super::world::{World, policy};
use crate::core::command::{Command, SnapshotName};
use crate::core::state::{STATE_VERSION, State};

/// A state with something in each of its parts.
fn rich() -> World {
    let mut world = world();
    signed_in(&mut world, waiting_policy(3));
    let owner = Hand::first(&world);
    world.add_guardian(4, &[&owner]);
    main_network(&mut world);
    let signed = world.signed_request("keyed", 1_000);
    world.run(&Command::Spend(signed)).expect("signed");
    world.pass(Millis::from_hours(30));
    world.bearer_pay("bearer", 1_000).expect("signed");
    delayed(&mut world, "waits");
    world
        .adopt(&policy(4), true)
        .expect("a document that waits");
    let quorum = StatementFacts::AddOwner {
        key: Hand::new(9).owner_key(),
    };
    world.draft(quorum, Origin::Admin).expect("a draft");
    let pause = Command::Pause {
        wallet: None,
        origin: Origin::Gateway,
    };
    world.run(&pause).expect("paused");
    let revoke = Command::RevokeSession {
        session: world.keyed,
        origin: Origin::Admin,
    };
    world.run(&revoke).expect("revoked");
    world.commit();
    world
}

fn golden() -> PathBuf {
    let name = format!("src/core/tests/golden/state-{STATE_VERSION}.txt");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The bytes of a state stand in a file of their version. Where this test fails, snapshots of before would
/// be read as something else: raise `STATE_VERSION`, write a new file (`WAIAAS_REGENERATE=1`), and leave
/// the fold of the log as it is.
#[test]
fn a_version_of_the_state_has_its_bytes() {
    let state = rich().state;
    let encoded = hex::encode(to_canonical(&state));
    let text: String = encoded
        .as_bytes()
        .chunks(120)
        .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
        .collect();
    if std::env::var_os("WAIAAS_REGENERATE").is_some() {
        std::fs::write(golden(), &text).expect("written");
    }
    let kept = std::fs::read_to_string(golden()).expect("a file of this version");
    assert_eq!(kept, text, "raise STATE_VERSION");
    let bytes = hex::decode(kept.split_whitespace().collect::<String>()).expect("hexadecimal");
    assert_eq!(from_canonical::<State>(&bytes), Ok(state));
}

/// A byte more, less or other is no state, or another one: nothing is read as the same.
#[test]
fn changed_bytes_are_never_the_same_state() {
    let state = rich().state;
    let bytes = to_canonical(&state);
    for end in 0..bytes.len() {
        assert!(from_canonical::<State>(&bytes[..end]).is_err(), "{end}");
    }
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let read = from_canonical::<State>(&changed);
        assert_ne!(read.as_ref(), Ok(&state), "byte {place}");
    }
}

/// The event that names a snapshot changes nothing but the clocks.
#[test]
fn naming_a_snapshot_changes_no_state() {
    let mut world = rich();
    let before = world.state.clone();
    let name = SnapshotName {
        version: STATE_VERSION,
        sequence: 40,
        digest: Digest::from_bytes([1; 32]),
    };
    world.run(&Command::NameSnapshot(name)).expect("named");
    assert_eq!(world.state, before);
}
