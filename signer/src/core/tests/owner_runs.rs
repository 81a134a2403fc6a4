//! Any order of changes of owners, suspensions, lifts, cancellations, recoveries, kills and time, against
//! a small account of its own: invariants 14 and 17 hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::StatementId;
use waiaas_shared::owner_change::{OwnerChange, Standing};
use waiaas_shared::statement::{LIFETIME, OPEN_LIMIT, StatementFacts};
use waiaas_shared::time::{Millis, RunTime};

use super::people::{Hand, account};
use super::world::World;
use crate::core::command::Command;

const WAIT: u64 = 72 * 3_600_000;

/// What the events alone say, by rules written down a second time.
#[derive(Default)]
struct Account {
    read: usize,
    announced: BTreeMap<StatementId, (u64, OwnerChange)>,
    quorum: u32,
}

impl Account {
    fn read(&mut self, world: &World) {
        let run = world.clocks.run.millis();
        for body in &world.events[self.read..] {
            match body {
                EventBody::OwnerChangeScheduled {
                    change,
                    effective,
                    statement,
                    signers,
                } => {
                    assert!(*effective >= RunTime::from_millis(run + WAIT));
                    let recovery = matches!(change, OwnerChange::Recover { .. });
                    let enough = signers.len() >= self.quorum as usize;
                    assert!(recovery || enough, "{change:?} by {signers:?}");
                    self.announced.insert(*statement, (run, change.clone()));
                }
                EventBody::WithdrawalEnrolled {
                    statement, account, ..
                } => {
                    let change = OwnerChange::EnrolWithdrawal { account: *account };
                    self.announced.insert(*statement, (run, change));
                }
                EventBody::OwnerChangeCancelled { change, .. }
                | EventBody::OwnerChangeVoided { change, .. } => {
                    assert!(self.announced.remove(change).is_some());
                }
                EventBody::OwnerSuspended { changes, .. } => {
                    for change in changes {
                        assert!(self.announced.remove(change).is_some());
                    }
                }
                EventBody::Killed { .. } => self
                    .announced
                    .retain(|_, (_, change)| matches!(change, OwnerChange::Recover { .. })),
                EventBody::OwnerChangeEffective { change } => {
                    let (since, change) = self.announced.remove(change).expect("announced");
                    assert!(run >= since + WAIT, "{change:?} too soon");
                    match change {
                        OwnerChange::SetQuorum { quorum } => self.quorum = quorum,
                        OwnerChange::Recover { .. } => {
                            self.quorum = 1;
                            self.announced.clear();
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.read = world.events.len();
    }

    /// Nothing but a change of it moves the quorum, it is never above the keys there are, no key is
    /// there twice or asked for twice, and what waits is what was announced.
    fn agrees(&self, world: &World) {
        let views = world.state.owner_views(world.clocks);
        let first = views.first().expect("an owner");
        assert_eq!(first.quorum, self.quorum);
        assert!(first.quorum as usize <= views.len());
        let waiting: BTreeSet<_> = first.pending.iter().map(|waits| waits.statement).collect();
        assert_eq!(waiting, self.announced.keys().copied().collect());
        let mut keys = BTreeSet::new();
        let registered = views.iter().map(|view| view.key);
        let guardians = first.guardians.iter().map(|guardian| guardian.key);
        let certain = first.pending.iter().map(|waits| &waits.change);
        let new = certain
            .filter(|change| !change.is_recovery())
            .filter_map(OwnerChange::new_key);
        for key in registered.chain(guardians) {
            assert!(keys.insert(key), "{key} twice");
        }
        // A key that is leaving may be asked for anew, and one that a recovery would bring: the removal or the
        // recovery may be cancelled, and then the change that brings the key fits no more.
        let mut asked = BTreeSet::new();
        for key in new.map(|new| new.key) {
            assert!(asked.insert(key), "{key} asked for twice");
        }
    }
}

/// A run in progress: every key that was ever made, found again by its public half.
struct Run {
    world: World,
    hands: Vec<Hand>,
    account: Account,
}

impl Run {
    /// Owners who may sign, some or all of them.
    fn signers(&self, all: bool) -> Vec<Hand> {
        let views = self.world.state.owner_views(self.world.clocks);
        let active = views
            .iter()
            .filter(|view| view.standing == Standing::Active)
            .filter_map(|view| {
                let mut hands = self.hands.iter();
                let hand = hands.find(|hand| hand.owner_key() == view.key)?;
                Some(Hand {
                    id: view.owner,
                    key: hand.key.clone(),
                })
            });
        active.take(if all { usize::MAX } else { 1 }).collect()
    }

    fn step(&mut self, what: u8, which: u8, all: bool) {
        // Texts that a stop voided keep their places until they expire: here nobody is to run out of them.
        if self.world.state.statements.len() + 4 > OPEN_LIMIT {
            self.world.pass(LIFETIME);
        }
        let signers = self.signers(all);
        let hands: Vec<&Hand> = signers.iter().collect();
        let views = self.world.state.owner_views(self.world.clocks);
        let owner = views[usize::from(which) % views.len()].owner;
        let pending = &views[0].pending;
        let change = pending
            .get(usize::from(which) % pending.len().max(1))
            .map(|waits| waits.statement);
        let mut new = Hand::new(100 + which % 40);
        let world = &mut self.world;
        // Refusals are as good as anything else here: the account follows what was written.
        match what % 12 {
            0 | 1 => {
                let key = new.owner_key();
                let facts = if what.is_multiple_of(2) {
                    StatementFacts::AddOwner { key }
                } else {
                    StatementFacts::AddGuardian { key }
                };
                if world.draft(facts.clone(), Origin::Gateway).is_ok() {
                    let _refused = world.register(facts, &hands, &new);
                    self.hands.push(new);
                }
            }
            2 => drop(world.say_as(StatementFacts::RemoveOwner { owner }, &hands, true)),
            3 => {
                let quorum = u32::from(which % 4);
                drop(world.say_as(StatementFacts::SetQuorum { quorum }, &hands, true));
            }
            4 => {
                if let Some(change) = change {
                    let facts = StatementFacts::CancelOwnerChange { change };
                    drop(world.say_as(facts, &hands, false));
                }
            }
            5 => drop(world.run(&Command::SuspendOwner { owner })),
            6 => drop(world.say_as(StatementFacts::SuspendOwner { owner }, &hands, false)),
            7 => drop(world.say_as(StatementFacts::LiftSuspension { owner }, &hands, true)),
            8 if which.is_multiple_of(4) => {
                if world.recover(&mut new, &[]).is_ok() {
                    self.hands.push(new);
                }
            }
            9 if which.is_multiple_of(8) => drop(world.run(&Command::Kill(Origin::Gateway))),
            9 => {
                let account = account(super::world::STRANGER);
                let facts = StatementFacts::EnrolWithdrawal { account };
                drop(world.say_as(facts, &hands, true));
            }
            _ => world.pass(Millis::from_hours(u64::from(which) % 50)),
        }
        self.account.read(&self.world);
        self.account.agrees(&self.world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn invariant_17_any_order_of_changes_keeps_the_rules(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), prop::bool::weighted(0.8)), 1..60)
    ) {
        let world = World::new();
        let first = Hand::first(&world);
        let account = Account { quorum: 1, ..Account::default() };
        let mut run = Run { world, hands: vec![first], account };
        run.account.read(&run.world);
        for (what, which, all) in steps {
            run.step(what, which, all);
        }
    }
}
