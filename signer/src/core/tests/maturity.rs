//! Invariant 10 over every order of adoptions up to four documents: strict and loose ones with short and
//! long maturities, over the gateway or with the password, with time passing between them in several
//! ways, and with a suspension at every place that voids what its key signed. At each moment a payment passes exactly if the definition lets it, in exactly its tier.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{Clocks, Millis};

use super::people::{Hand, main_network};
use super::world::{EVM, FEE, RECIPIENT, World, policy};
use crate::core::command::{Command, Outcome, Submission};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Most in one transaction, most without a word to the owner, and how long later documents wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    most: u128,
    silent: u128,
    maturity: u64,
}

/// The document that every world begins with.
const FIRST: Kind = Kind {
    most: 500_000,
    silent: 100_000,
    maturity: 24 * HOUR,
};
const KINDS: [Kind; 4] = [
    // Strict, and slow to go.
    Kind {
        most: 100_000,
        silent: 40_000,
        maturity: 48 * HOUR,
    },
    // Loose, and gone at once.
    Kind {
        most: 490_000,
        silent: 90_000,
        maturity: 0,
    },
    Kind {
        most: 300_000,
        silent: 200_000,
        maturity: 24 * HOUR,
    },
    Kind {
        most: 400_000,
        silent: 30_000,
        maturity: 30 * MINUTE,
    },
];

/// Time before the next adoption.
#[derive(Debug, Clone, Copy)]
enum Gap {
    Running(u64),
    /// Budgets and expiries move, maturity does not.
    Asleep(u64),
}

const PATTERNS: [[Gap; 4]; 6] = [
    [Gap::Running(0); 4],
    [Gap::Running(HOUR); 4],
    [
        Gap::Running(HOUR - 1),
        Gap::Running(1),
        Gap::Running(23 * HOUR),
        Gap::Running(HOUR),
    ],
    [Gap::Running(24 * HOUR); 4],
    [
        Gap::Asleep(72 * HOUR),
        Gap::Running(20 * MINUTE),
        Gap::Asleep(72 * HOUR),
        Gap::Running(40 * MINUTE),
    ],
    [
        Gap::Running(30 * MINUTE),
        Gap::Running(48 * HOUR),
        Gap::Asleep(HOUR),
        Gap::Running(47 * HOUR),
    ],
];

/// A document in the order of adoption.
#[derive(Debug, Clone, Copy)]
struct Adopted {
    kind: Kind,
    /// None: never, it was voided.
    matures: Option<u64>,
    /// Whether the owner signed it who will be suspended.
    leaving: bool,
}

impl Adopted {
    const fn first() -> Self {
        Self {
            kind: FIRST,
            matures: Some(0),
            leaving: false,
        }
    }
}

/// The definition: a document binds until a later one has matured. One that was voided binds as well, and
/// ends nothing.
fn binding(adopted: &[Adopted], now: u64) -> &[Adopted] {
    let matured = |one: &Adopted| one.matures.is_some_and(|matures| matures <= now);
    let newest = adopted.iter().rposition(matured);
    &adopted[newest.expect("the first one matured at once")..]
}

/// An owner who signs some of the documents and is suspended behind one of them.
#[derive(Clone)]
struct Void {
    hand: Hand,
    /// One bit for each document.
    signs: u32,
    after: usize,
}

fn document(kind: Kind, epoch: u64) -> PolicyDocument {
    let mut document = policy(epoch);
    document.maturity = Millis::from_millis(kind.maturity);
    let rules = document.assets.iter_mut();
    for rule in rules.filter(|rule| rule.asset == EVM.native_asset()) {
        rule.per_transaction = Amount::from_base_units(kind.most);
        rule.approve_up_to = rule.per_transaction;
        rule.delay_up_to = rule.per_transaction;
        rule.notify_up_to = rule.per_transaction;
        rule.instant_up_to = Amount::from_base_units(kind.silent);
    }
    document
}

/// A grown-up world (documents wait) that begins with `FIRST`.
fn world() -> World {
    let mut world = World::new();
    main_network(&mut world);
    world
}

/// Every list of distinct kinds, of every length up to four, in every order.
fn orders() -> Vec<Vec<Kind>> {
    let mut found = vec![Vec::new()];
    let mut longest = found.clone();
    for _ in 0..KINDS.len() {
        let longer = longest.iter().flat_map(|order: &Vec<Kind>| {
            let rest = KINDS.iter().filter(|kind| !order.contains(kind));
            rest.map(|kind| [order.as_slice(), &[*kind]].concat())
        });
        longest = longer.collect();
        found.extend(longest.clone());
    }
    found
}

fn adopt(world: &mut World, kind: Kind, epoch: u64, with_password: bool, hand: &Hand) {
    let origin = if with_password {
        Origin::Admin
    } else {
        Origin::Gateway
    };
    let facts = StatementFacts::AdoptPolicy {
        document: document(kind, epoch).to_bytes(),
    };
    let (statement, text) = world.draft(facts, origin).expect("a draft");
    let signatures = vec![hand.signature(&text)];
    let submission = Submission {
        statement,
        signatures,
        origin,
        with_password,
    };
    world.run(&Command::Submit(submission)).expect("adopted");
}

/// What a payment of `total`, fee included, would get now.
fn asked(world: &mut World, total: u128) -> Result<Tier, Vec<Code>> {
    let mut request = world.request(world.bearer, "dry", total - FEE, RECIPIENT);
    request.dry_run = true;
    match world.run(&Command::Spend(request))? {
        Outcome::WouldSign { tier, .. } => Ok(tier),
        other => panic!("{other:?}"),
    }
}

/// The largest payment passes, one unit more does not; the largest silent one is silent, one unit more
/// is told.
fn holds(world: &mut World, adopted: &[Adopted]) {
    let binding = binding(adopted, world.clocks.run.millis());
    let most = binding.iter().map(|one| one.kind.most).min();
    let silent = binding.iter().map(|one| one.kind.silent).min();
    let (most, silent) = (most.expect("one"), silent.expect("one"));
    // The session lets less pass than some documents do.
    let session = 400_000;
    let tier = |total| {
        if total > silent {
            Tier::Notify
        } else {
            Tier::Instant
        }
    };
    let total = most.min(session);
    assert_eq!(asked(world, total), Ok(tier(total)), "{adopted:?}");
    if most < session {
        let refused = vec![Code::PerTransactionLimit, Code::TierNotAvailable];
        assert_eq!(asked(world, most + 1), Err(refused), "{adopted:?}");
    }
    let silent = silent.min(total);
    assert_eq!(asked(world, silent), Ok(Tier::Instant), "{adopted:?}");
    if silent < total {
        assert_eq!(asked(world, silent + 1), Ok(Tier::Notify), "{adopted:?}");
    }
}

/// Moves the run clock to `moment` and judges there.
fn holds_at(world: &World, adopted: &[Adopted], moment: u64) {
    let mut then = world.clone();
    let passed = moment - then.clocks.run.millis();
    then.pass(Millis::from_millis(passed));
    holds(&mut then, adopted);
}

/// One order over one choice of doors and one pattern of time, with a suspension or without.
fn plays_out(start: &World, order: &[Kind], doors: u32, gaps: [Gap; 4], void: Option<&Void>) {
    let mut world = start.clone();
    let first = Hand::first(&world);
    let mut adopted = vec![Adopted::first()];
    for (place, (kind, gap)) in order.iter().zip(gaps).enumerate() {
        match gap {
            Gap::Running(millis) => world.pass(Millis::from_millis(millis)),
            Gap::Asleep(millis) => {
                world.clocks = Clocks {
                    wall: world.clocks.wall.after(Millis::from_millis(millis)),
                    budget: world.clocks.budget.after(Millis::from_millis(millis)),
                    ..world.clocks
                }
            }
        }
        let now = world.clocks.run.millis();
        let with_password = doors >> place & 1 == 1;
        let binding = binding(&adopted, now).iter();
        let longest = binding.map(|one| one.kind.maturity);
        let wait = if with_password {
            HOUR
        } else {
            longest.max().expect("one")
        };
        let leaves = void.filter(|void| place <= void.after && void.signs >> place & 1 == 1);
        let hand = leaves.map_or(&first, |void| &void.hand);
        adopt(&mut world, *kind, place as u64 + 2, with_password, hand);
        adopted.push(Adopted {
            kind: *kind,
            matures: Some(now + wait),
            leaving: leaves.is_some(),
        });
        holds(&mut world, &adopted);
        if let Some(void) = void.filter(|void| void.after == place) {
            let owner = void.hand.id;
            let suspended = world.run(&Command::SuspendOwner { owner });
            suspended.expect("with the password");
            for one in adopted.iter_mut().filter(|one| one.leaving) {
                one.matures = one.matures.filter(|matures| *matures <= now);
            }
            holds(&mut world, &adopted);
        }
    }
    // A unit of time around every maturity that is still to come.
    let now = world.clocks.run.millis();
    for matures in adopted.iter().filter_map(|one| one.matures) {
        for moment in [matures.saturating_sub(1), matures] {
            if moment >= now {
                holds_at(&world, &adopted, moment);
            }
        }
    }
}

#[test]
fn invariant_10_every_order_of_up_to_four_adoptions() {
    let orders = orders();
    assert_eq!(orders.len(), 1 + 4 + 12 + 24 + 24);
    let start = world();
    let mut played = 0;
    for order in &orders {
        for doors in 0..1 << order.len() {
            for gaps in PATTERNS {
                plays_out(&start, order, doors, gaps, None);
                played += 1;
            }
        }
    }
    assert_eq!(played, 6 * (1 + 4 * 2 + 12 * 4 + 24 * 8 + 24 * 16));
}

/// The same with a key that signs some of the documents, and is suspended behind each of them in turn:
/// those of its documents that had not matured tighten on, and never end what is before them.
#[test]
fn invariant_10_every_order_of_up_to_four_adoptions_with_a_suspension() {
    let mut start = World::new();
    let one = Hand::first(&start);
    let hand = start.add_owner(2, &[&one]);
    main_network(&mut start);
    let mut played = 0;
    for order in &orders() {
        // Over the gateway, with the password, and by turns.
        for doors in [0b0000, 0b1111, 0b1010] {
            for (after, signs) in
                (0..order.len()).flat_map(|after| [(after, 0b1111), (after, 0b0101)])
            {
                let void = Void {
                    hand: hand.clone(),
                    signs,
                    after,
                };
                // The ways in which time passes take turns.
                let gaps = PATTERNS[played % PATTERNS.len()];
                plays_out(&start, order, doors, gaps, Some(&void));
                played += 1;
            }
        }
    }
    assert_eq!(played, 3 * 2 * (4 + 12 * 2 + 24 * 3 + 24 * 4));
}

/// The same over a signer whose wallets are all on test networks: every document matures at once, and
/// the newest alone binds.
#[test]
fn invariant_10_on_test_networks_the_newest_alone_binds() {
    let start = World::new();
    for order in orders() {
        let mut world = start.clone();
        for (place, kind) in order.iter().enumerate() {
            let hand = Hand::first(&world);
            adopt(&mut world, *kind, place as u64 + 2, place % 2 == 1, &hand);
            let newest = Adopted {
                kind: *kind,
                ..Adopted::first()
            };
            holds(&mut world, &[newest]);
        }
    }
}
