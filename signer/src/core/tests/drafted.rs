//! What a gateway may have written into the log as statements, in bytes of a day.

use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::people::account;
use super::world::{World, policy};
use crate::core::command::{Command, Outcome};

/// As docs/policy.md says.
const DAY: usize = 1 << 20;

/// A document of more than a hundred thousand bytes that loosens nothing.
fn large() -> StatementFacts {
    let mut document = policy(2);
    for number in 1..=4_000_u32 {
        document.denied.push(account(&format!("0x{number:040}")));
    }
    document.sort();
    StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    }
}

fn written(world: &World, from: usize) -> usize {
    let drafts = world
        .events
        .iter()
        .skip(from)
        .filter_map(|body| match body {
            EventBody::StatementIssued {
                facts,
                text,
                origin: Origin::Gateway,
                ..
            } => Some(to_canonical(facts).len() + text.as_str().len()),
            _ => None,
        });
    drafts.sum()
}

fn draft(world: &mut World, origin: Origin) -> Result<(), Vec<Code>> {
    let facts = large();
    world.run(&Command::Draft { facts, origin }).map(|outcome| {
        assert!(matches!(outcome, Outcome::Drafted { .. }));
    })
}

/// invariant_14: sixteen texts an hour may be open, and each may be large; a day's worth of them is bounded
/// in bytes, a kill does not begin it anew, and an owner's own socket is not concerned.
#[test]
fn invariant_14_what_a_gateway_has_written_in_a_day_is_bounded() {
    let mut world = World::new();
    let begin = world.events.len();
    let mut refused = 0;
    for part in 0..4 {
        for _ in 0..16 {
            match draft(&mut world, Origin::Gateway) {
                Ok(()) => {}
                Err(codes) => {
                    assert_eq!(codes, [Code::StatementTooMany], "part {part}");
                    refused += 1;
                }
            }
        }
        world.pass(Millis::from_hours(6));
        assert!(written(&world, begin) <= DAY, "part {part}");
    }
    assert!(refused > 50, "{refused}");
    assert!(
        written(&world, begin) > DAY - 200_000,
        "no tighter than said"
    );
    draft(&mut world, Origin::Admin).expect("the owner's socket");
    // A day after the last of them as many again.
    world.pass(Millis::from_hours(25));
    let later = world.events.len();
    while draft(&mut world, Origin::Gateway).is_ok() {}
    assert!(written(&world, later) > DAY - 200_000);
    // Whoever throws the switch in between gets no second measure.
    world
        .run(&Command::Kill(Origin::Gateway))
        .expect("the switch");
    assert_eq!(
        draft(&mut world, Origin::Gateway),
        Err(vec![Code::StatementTooMany])
    );
    assert!(written(&world, later) <= DAY);
}
