//! The removal of a stolen key, which that key wants to undo (invariant 17): every order of up to four
//! steps of three owners who suspend, lift, remove and cancel. Two of them are honest, one key is stolen.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::StatementId;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;

use super::people::{Hand, main_network, three_owners};
use super::world::{World, policy};
use crate::core::command::{Command, Submission};

/// Who says what. The places of [`Run::hands`]: 0 and 1 are honest, 2 is stolen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Suspends, at once.
    Suspend { by: usize, whom: usize },
    /// Lifts, with the password, which the thief has not.
    Lift { by: usize, whom: usize },
    /// All honest owners ask for the removal of the stolen key.
    Remove,
    /// Cancels the removal.
    Cancel { by: usize },
}

const STOLEN: usize = 2;

/// Everything that one of them can say; who is suspended is refused by the signer, not left out here.
fn steps() -> Vec<Step> {
    let mut steps = vec![Step::Remove];
    for by in 0..3 {
        steps.push(Step::Cancel { by });
        for whom in (0..3).filter(|whom| *whom != by) {
            steps.push(Step::Suspend { by, whom });
            if by != STOLEN {
                steps.push(Step::Lift { by, whom });
            }
        }
    }
    steps
}

#[derive(Clone)]
struct Run {
    world: World,
    hands: [Hand; 3],
    /// The removal that waits, as the events have it.
    removal: Option<StatementId>,
    /// Since it waits an honest owner suspended an honest one: what comes of the quorum is no thief's doing.
    quarrel: bool,
}

impl Run {
    fn waits(&self) -> bool {
        self.removal
            .is_some_and(|change| self.world.state.owners.waiting(change).is_some())
    }

    /// One step; whether it was let pass.
    fn take(&mut self, step: Step) -> bool {
        let waited = self.waits();
        let hands = self.hands.clone();
        let world = &mut self.world;
        let said = match step {
            Step::Suspend { by, whom } => {
                let facts = StatementFacts::SuspendOwner {
                    owner: hands[whom].id,
                };
                world.say_as(facts, &[&hands[by]], false)
            }
            Step::Lift { by, whom } => {
                let facts = StatementFacts::LiftSuspension {
                    owner: hands[whom].id,
                };
                world.say_as(facts, &[&hands[by]], true)
            }
            Step::Remove => {
                let facts = StatementFacts::RemoveOwner {
                    owner: hands[STOLEN].id,
                };
                let active = |hand: &&Hand| world.standing(hand.id) == Standing::Active;
                let honest: Vec<&Hand> = hands[..STOLEN].iter().filter(active).collect();
                world.say_as(facts, &honest, true)
            }
            Step::Cancel { by } => {
                let Some(change) = self.removal else {
                    return false;
                };
                let facts = StatementFacts::CancelOwnerChange { change };
                world.say_as(facts, &[&hands[by]], false)
            }
        };
        let passed = said.is_ok();
        if passed && step == Step::Remove {
            // Nothing stops it twice, and of two the later one is looked at.
            self.removal = Some(self.world.last_scheduled());
            self.quarrel = false;
        }
        let honest = |who: usize| who != STOLEN;
        let by = match step {
            Step::Suspend { by, .. } | Step::Lift { by, .. } | Step::Cancel { by } => by,
            Step::Remove => 0,
        };
        if let Step::Suspend { by, whom } = step {
            self.quarrel |= passed && honest(by) && honest(whom);
        }
        // The law, first half: what waited is ended by honest owners alone.
        assert!(
            !waited || self.waits() || honest(by),
            "{step:?} undid the removal"
        );
        passed
    }

    /// The law, second half: if it waits, and the honest did not quarrel, it takes effect.
    fn plays_out(mut self, path: &[Step]) {
        if !self.waits() || self.quarrel {
            return;
        }
        let stolen = self.hands[STOLEN].id;
        self.world.pass(Millis::from_hours(72));
        self.world
            .run(&Command::SuspendOwner {
                owner: self.hands[0].id,
            })
            .expect("whatever comes next");
        let views = self.world.state.owner_views(self.world.clocks);
        let stays = views.iter().any(|view| view.owner == stolen);
        assert!(!stays, "the stolen key outlived its removal: {path:?}");
    }
}

/// Walks every order; returns how many removals played out.
fn walk(run: &Run, path: &mut Vec<Step>, left: usize, seen: &mut Seen) {
    for step in steps() {
        let mut next = run.clone();
        // What is refused changes nothing: another order has the rest.
        if !next.take(step) {
            continue;
        }
        path.push(step);
        seen.orders += 1;
        let waits = next.waits();
        seen.waiting += usize::from(waits);
        let by_thief = matches!(step, Step::Suspend { by: STOLEN, .. });
        seen.thief_suspended_meanwhile += usize::from(by_thief && waits);
        if left > 1 {
            walk(&next, path, left - 1, seen);
        } else {
            next.plays_out(path);
        }
        path.pop();
    }
}

#[derive(Debug, Default)]
struct Seen {
    orders: usize,
    waiting: usize,
    thief_suspended_meanwhile: usize,
}

fn every_order(quorum: u32) -> Seen {
    let (mut world, hands) = three_owners();
    if quorum == 1 {
        world.set_quorum(1, &[&hands[0], &hands[1]]);
    }
    let run = Run {
        world,
        hands,
        removal: None,
        quarrel: false,
    };
    let mut seen = Seen::default();
    walk(&run, &mut Vec::new(), 4, &mut seen);
    seen
}

#[test]
fn invariant_17_no_order_of_steps_lets_a_stolen_key_outlive_its_removal() {
    let seen = every_order(2);
    assert!(seen.orders > 500 && seen.waiting > 100, "{seen:?}");
    // Both of the others are needed: while it waits to be removed the key suspends neither.
    assert_eq!(seen.thief_suspended_meanwhile, 0);
    let seen = every_order(1);
    assert!(seen.orders > 500 && seen.waiting > 100, "{seen:?}");
    assert!(seen.thief_suspended_meanwhile > 50, "{seen:?}");
}

#[test]
fn invariant_17_a_suspension_leaves_the_removal_of_who_signs_it() {
    let (mut world, [one, two, three]) = three_owners();
    world.set_quorum(1, &[&one, &two]);
    let remove = StatementFacts::RemoveOwner { owner: three.id };
    world.say_as(remove, &[&one], true).expect("asked");
    let removal = world.last_scheduled();
    let raise = StatementFacts::SetQuorum { quorum: 2 };
    world.say_as(raise, &[&two], true).expect("asked");
    let raised = world.last_scheduled();
    let suspend = |hand: &Hand| StatementFacts::SuspendOwner { owner: hand.id };
    // One is enough to sign now, but not when the quorum that waits has come.
    let too_few = world.say_as(suspend(&one), &[&three], false).map(drop);
    assert_eq!(too_few, Err(vec![Code::SuspensionQuorum]));
    let cancel = StatementFacts::CancelOwnerChange { change: raised };
    world.say_as(cancel, &[&three], false).expect("it cancels");
    let address = StatementFacts::EnrolWithdrawal {
        account: super::people::account(super::world::STRANGER),
    };
    world.say_as(address, &[&one], true).expect("asked");
    let enrolled = world.last_scheduled();
    world
        .say_as(suspend(&one), &[&three], false)
        .expect("one is left, and enough");
    let waits = |world: &World, change| world.state.owners.waiting(change).is_some();
    assert!(waits(&world, removal), "its own removal stays");
    assert!(!waits(&world, enrolled), "everything else is void");
    // Somebody else who suspends takes everything with the key, as he could cancel it.
    world.say_as(suspend(&one), &[&two], false).expect("again");
    assert!(!waits(&world, removal));
    // So does the password.
    let remove = StatementFacts::RemoveOwner { owner: three.id };
    world.say_as(remove, &[&two], true).expect("asked");
    let removal = world.last_scheduled();
    world
        .run(&Command::SuspendOwner { owner: two.id })
        .expect("the password");
    assert!(!waits(&world, removal));
}

/// A text says what a document loosens beside the one before it. If that one is void, owners read the wrong text.
#[test]
fn invariant_13_a_void_document_takes_the_texts_with_it_that_were_written_beside_it() {
    let (mut world, [one, two, three]) = three_owners();
    world.set_quorum(1, &[&one, &two]);
    main_network(&mut world);
    let remove = StatementFacts::RemoveOwner { owner: three.id };
    world.say_as(remove, &[&one], true).expect("asked");
    world.pass(Millis::from_hours(71));
    let tenfold = |epoch| {
        let mut document = policy(epoch);
        for rule in &mut document.assets {
            rule.month = Amount::from_base_units(30_000_000);
        }
        document
    };
    let adopt = |document: &PolicyDocument| StatementFacts::AdoptPolicy {
        document: document.to_bytes(),
    };
    world
        .say_as(adopt(&tenfold(2)), &[&three], false)
        .expect("it waits");
    // Read beside the thief's document: nothing is loosened.
    let (statement, text) = world
        .draft(adopt(&tenfold(3)), Origin::Admin)
        .expect("a text");
    assert!(text.contains("Loosenings: 0"), "{text}");
    let sound = world.draft(adopt(&policy(3)), Origin::Admin);
    sound.expect("another text");
    let alive = world
        .draft(StatementFacts::SignOfLife, Origin::Admin)
        .expect("a text");
    world.pass(Millis::from_millis(59 * 60_000 + 59_999));
    world.clocks.run = world.clocks.run.after(Millis::from_millis(1));
    let submission = Submission {
        statement,
        signatures: vec![two.signature(&text)],
        origin: Origin::Gateway,
        with_password: false,
    };
    assert_eq!(
        world.run(&Command::Submit(submission)).map(drop),
        Err(vec![Code::StatementUnknown])
    );
    let views = world.state.owner_views(world.clocks);
    assert!(views.iter().all(|view| view.owner != three.id), "removed");
    // Whatever else was written stays, and a new text says what is loosened.
    let (statement, text) = alive;
    let signatures = vec![two.signature(&text)];
    let submission = Submission {
        statement,
        signatures,
        origin: Origin::Admin,
        with_password: false,
    };
    world.run(&Command::Submit(submission)).expect("alive");
    let (_, text) = world
        .draft(adopt(&tenfold(3)), Origin::Admin)
        .expect("a text");
    assert!(!text.contains("Loosenings: 0"), "{text}");
}
