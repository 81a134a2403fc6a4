//! The authority's shell, one property at a time, on the simulated machine.

mod lanes;
mod locked;
mod opening;
mod owners;
mod storage;

use waiaas_shared::denial::Code;

use super::simulation::post::{Answer, Asked};
use super::simulation::world::{Session, World};
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
