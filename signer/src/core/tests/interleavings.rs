//! Every order in which decisions can reach the one writer: what an owner, an agent, a gateway and the clock do to
//! one payment, in all their permutations, and what stops and tightens beside payments. Whatever the order,
//! nothing is signed behind a no, a stop or a stricter policy that was accepted before it.

use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Denial;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::statement::StatementFacts;

use super::intent::{ASKING, asking, waiting_policy, world};
use super::world::{FEE, RECIPIENT, World, evm_recipient, policy, unsigned};
use crate::core::command::{Command, Context, Outcome, Release, Submission};
use crate::core::state::State;
use crate::core::step;

/// What may happen, and to which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Approve,
    Reject,
    Release,
    Cancel,
    Pause,
    Revoke,
    Kill,
    Pay,
    Tighten,
}

/// One order so far: the state, and what was accepted.
#[derive(Clone)]
struct Path {
    state: State,
    done: Vec<Act>,
    signed: usize,
}

/// Goes through all orders of these commands; how many decisions there were.
fn orders(
    world: &World,
    commands: &[(Act, Command)],
    judge: &impl Fn(&Path, Act, &[EventBody], &Result<Outcome, Denial>),
) -> u64 {
    fn descend(
        world: &World,
        path: &Path,
        left: &[(Act, Command)],
        judge: &impl Fn(&Path, Act, &[EventBody], &Result<Outcome, Denial>),
    ) -> u64 {
        let mut decided = 0;
        for place in 0..left.len() {
            let mut rest = left.to_vec();
            let (act, command) = rest.remove(place);
            let mut next = path.clone();
            let mut entropy = [0; 32];
            entropy[0] = u8::try_from(left.len()).expect("few commands");
            entropy[1] = 0xee;
            let context = Context {
                clocks: world.clocks,
                steady: world.clocks.wall,
                entropy,
            };
            let (events, outcome) = step(&mut next.state, &command, &context);
            let events: Vec<_> = events.into_iter().map(|event| event.body).collect();
            judge(path, act, &events, &outcome);
            next.signed += events.iter().filter(|body| signs(body)).count();
            if outcome.is_ok() {
                next.done.push(act);
            }
            decided += 1 + descend(world, &next, &rest, judge);
        }
        decided
    }
    let path = Path {
        state: world.state.clone(),
        done: Vec::new(),
        signed: 0,
    };
    descend(world, &path, commands, judge)
}

fn signs(body: &EventBody) -> bool {
    matches!(body, EventBody::SpendCommitted(_))
}

/// A statement that was drafted and signed, to be handed in at any time.
fn submitted(world: &mut World, facts: StatementFacts) -> Command {
    let (statement, text) = world.draft(facts, Origin::Admin).expect("a text");
    Command::Submit(Submission {
        statement,
        signatures: vec![world.signature(&text)],
        origin: Origin::Admin,
        with_password: false,
    })
}

fn release(transaction: TransactionId) -> Command {
    Command::Release(Release {
        transaction,
        unsigned: unsigned(31_337, 0, ASKING, evm_recipient(RECIPIENT)),
        prior: None,
    })
}

#[test]
fn invariant_14_in_every_order_a_no_and_a_stop_are_final() {
    let mut world = world();
    let transaction = asking(&mut world, "a", ASKING);
    let yes = StatementFacts::ApprovePayment { transaction };
    let no = StatementFacts::RejectPayment { transaction };
    let commands = [
        (Act::Approve, submitted(&mut world, yes.clone())),
        (Act::Approve, submitted(&mut world, yes)),
        (Act::Reject, submitted(&mut world, no)),
        (Act::Release, release(transaction)),
        (Act::Release, release(transaction)),
        (
            Act::Cancel,
            Command::CancelIntent {
                transaction,
                origin: Origin::Gateway,
            },
        ),
        (
            Act::Pause,
            Command::Pause {
                wallet: Some(world.evm_wallet),
                origin: Origin::Gateway,
            },
        ),
        (
            Act::Revoke,
            Command::RevokeSession {
                session: world.bearer,
                origin: Origin::Gateway,
            },
        ),
    ];
    let decided = orders(&world, &commands, &|path, act, events, outcome| {
        let was = |act| path.done.contains(&act);
        let ended = was(Act::Reject) || was(Act::Cancel) || was(Act::Revoke);
        let may = was(Act::Approve) && !ended && !was(Act::Pause) && path.signed == 0;
        let signs = events.iter().filter(|body| signs(body)).count();
        let order = || format!("{act:?} behind {:?}: {outcome:?}", path.done);
        match act {
            // Exactly then, and once.
            Act::Release => {
                assert_eq!(signs, usize::from(may), "{}", order());
                assert_eq!(outcome.is_ok(), may, "{}", order());
            }
            // A decision of an owner holds as long as it waits, and once.
            Act::Approve | Act::Reject | Act::Cancel => {
                assert_eq!(signs, 0, "{}", order());
                let again = act == Act::Approve && was(Act::Approve);
                let open = !ended && path.signed == 0 && !again;
                assert_eq!(outcome.is_ok(), open, "{}", order());
            }
            _ => assert_eq!(signs, 0, "{}", order()),
        }
    });
    // All 8! orders, by their beginnings: 10^5 decisions and more.
    assert_eq!(decided, 109_600);
}

#[test]
fn invariant_10_in_every_order_what_stops_or_tightens_holds_at_once() {
    let mut world = World::new();
    world
        .adopt(&waiting_policy(2), true)
        .expect("a stricter policy");
    let amount = 40_000 - FEE;
    let mut tighter = policy(3);
    for rule in &mut tighter.assets {
        let most = Amount::from_base_units(40_000 - 1);
        (rule.instant_up_to, rule.notify_up_to) = (most, most);
        (rule.delay_up_to, rule.approve_up_to) = (most, most);
        rule.per_transaction = most;
    }
    let tighten = StatementFacts::AdoptPolicy {
        document: tighter.to_bytes(),
    };
    let pay = |key| {
        let request = world.request(world.bearer, key, amount, RECIPIENT);
        (Act::Pay, Command::Spend(request))
    };
    let mut commands = vec![pay("a"), pay("b"), pay("c")];
    commands.extend([
        (
            Act::Pause,
            Command::Pause {
                wallet: None,
                origin: Origin::Gateway,
            },
        ),
        (
            Act::Revoke,
            Command::RevokeSession {
                session: world.bearer,
                origin: Origin::Gateway,
            },
        ),
        (Act::Kill, Command::Kill(Origin::Admin)),
    ]);
    commands.push((Act::Tighten, submitted(&mut world, tighten)));
    let decided = orders(&world, &commands, &|path, act, events, outcome| {
        let was = |act| path.done.contains(&act);
        let stops = [Act::Pause, Act::Revoke, Act::Kill, Act::Tighten];
        let may = act == Act::Pay && !stops.into_iter().any(was);
        let signs = events.iter().filter(|body| signs(body)).count();
        assert_eq!(
            signs,
            usize::from(may),
            "{act:?} behind {:?}: {outcome:?}",
            path.done
        );
    });
    // All 7! orders, by their beginnings.
    assert_eq!(decided, 13_699);
}
