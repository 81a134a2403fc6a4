//! The authority's shell, one property at a time, on the simulated machine.

mod alarms;
mod lanes;
mod locked;
mod opening;
mod owners;
mod presented;
mod snapshots;
mod storage;

use waiaas_shared::denial::Code;
use waiaas_shared::time::WallTime;

use super::simulation::machine::Passing;
use super::simulation::post::{Answer, Asked};
use super::simulation::world::{DAY, Session, World};
use crate::model::people::{EVM, FEE};

/// A payment of `amount` wei, its fee of [`FEE`] beside it, as a bearer session asks for it.
fn payment(world: &mut World, key: &str, amount: u128) -> Asked {
    let session = bearer(world);
    Asked::Sign(Box::new(world.request(session, key, EVM, 0, amount)))
}

fn pay(world: &mut World, key: &str, amount: u128) -> Answer {
    let asked = payment(world, key, amount);
    world.one(asked)
}

fn bearer(world: &World) -> Session {
    world.known.sessions[2]
}

fn refused(answer: &Answer, code: Code) {
    assert_eq!(answer.codes(), [code], "{answer:?}");
}

/// Ends the process and starts it again right away.
fn restart(world: &mut World) {
    world.crash();
    world.open().expect("it starts");
}

fn unlock(world: &mut World) {
    let answer = world.one(Asked::Unlock(true, false));
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

/// The upper side of the running signer's wall clock.
fn bound(world: &World) -> WallTime {
    let signer = world.signer.as_ref().expect("alive");
    signer.clock.as_ref().expect("a clock").clocks().wall
}

/// Somebody sets the host's clock back by a day, and a payment meets it.
fn set_back(world: &mut World) {
    world.pass(Passing::Stepped(-(DAY as i64)));
    refused(&pay(world, "set-back", 1), Code::ClockClosed);
}
