//! The checker broken on purpose: a sound history, and every way in which it must not have been. A
//! checker that misses one of these would let the simulator pass for nothing.

use waiaas_shared::amount::Amount;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::{EventBody, Origin, Spend};
use waiaas_shared::policy::document::{AssetRule, PolicyDocument};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::{BudgetTime, RunTime, WallTime};
use waiaas_shared::transaction::{Known, decode};

use super::checker::{Broken, check};
use super::history::{Ack, Acked, History, Release, Seen};
use super::machine::Passing;
use super::post::{Answer, Asked};
use super::world::{HOUR, World, rule_of};
use crate::model::people::{EVM, FEE, account, body_digest, recipient, solana, unsigned};

/// The hour's limit spent to the unit in three payments, one in between on the other chain, one
/// replay, one withdrawal. The revocation before them is a place to put something else.
fn sound() -> History {
    let mut world = World::new(1, false);
    let [keyed, _, bearer, spare] = world.known.sessions[..] else {
        panic!("four sessions")
    };
    world.one(Asked::Revoke(spare.id));
    let mut first = None;
    for (key, session, chain, amount) in [
        ("a", keyed, EVM, 400_000 - FEE),
        ("b", bearer, EVM, 400_000 - FEE),
        ("c", bearer, solana(), 7),
        ("d", keyed, EVM, 200_000 - FEE),
    ] {
        let request = world.request(session, key, chain, 0, amount);
        first.get_or_insert_with(|| request.clone());
        world.one(Asked::Sign(Box::new(request))).signed();
    }
    let again = Asked::Sign(Box::new(first.expect("four payments")));
    assert!(world.one(again).signed().replay);
    let facts = StatementFacts::Withdraw {
        wallet: world.known.evm,
        asset: EVM.native_asset(),
        to: recipient(EVM, 0),
        amount: Amount::from_base_units(9),
        fee_ceiling: Amount::from_base_units(FEE),
        nonce: None,
        from: None,
    };
    let (statement, text) = world.draft(facts.clone(), Origin::Admin).expect("a draft");
    world.remember(statement, facts, false);
    let signatures = vec![world.signature(&text)];
    let bytes = unsigned(EVM, &world.known.evm_address, &recipient(EVM, 0), 9, 0).0;
    world
        .one(Asked::Withdraw(statement, signatures, bytes))
        .signed();
    world.status();
    world.pass(Passing::Running(HOUR));
    assert!(matches!(world.one(Asked::Lock), Answer::Done));
    world.history
}

#[test]
fn a_sound_history_passes() {
    let history = sound();
    assert_eq!(check(&history), Ok(()));
    assert_eq!(history.releases.len(), 6);
}

/// The n-th payment, from 0.
fn spend(history: &mut History, n: usize) -> &mut Spend {
    let mut spends = history
        .entries
        .iter_mut()
        .filter_map(|entry| match &mut entry.event.body {
            EventBody::SpendCommitted(spend) => Some(spend),
            _ => None,
        });
    spends.nth(n).expect("as many payments")
}

/// Puts an event in the spare place before all payments.
fn instead(history: &mut History, body: EventBody) {
    let spare = history
        .entries
        .iter_mut()
        .find(|entry| matches!(entry.event.body, EventBody::SessionRevoked { .. }));
    spare.expect("the revocation").event.body = body;
    // Nobody was told of the revocation then.
    history
        .acks
        .retain(|ack| !matches!(ack.what, Acked::Revoke(_)));
}

fn policy(history: &mut History) -> &mut PolicyDocument {
    let policy = history.policies.values_mut().next().expect("one policy");
    std::sync::Arc::make_mut(policy)
}

/// The rule of the EVM chain's coin.
fn rule(history: &mut History) -> &mut AssetRule {
    rule_of(policy(history), EVM)
}

const fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

fn ack(history: &mut History, what: Acked) {
    let stamp = (history.releases[0].stamp.0, 0);
    let sequence = history.entries[0].sequence;
    history.acks.push(Ack {
        stamp,
        sequence,
        what,
    });
}

fn replay(history: &mut History) -> &mut Release {
    let mut releases = history.releases.iter_mut();
    releases.find(|release| release.replay).expect("a replay")
}

/// Another body for the last payment: a unit more than was left, judged, charged and asked alike.
fn one_unit_more(history: &mut History) {
    let more = 200_000 - FEE + 1;
    let from = account(EVM, 9).account();
    let bytes = unsigned(EVM, &from, &recipient(EVM, 0), more, 0).0;
    let nonce = spend(history, 3).nonce.expect("on EVM");
    let mut numbered = decode(EVM, from, &bytes, Known::NOTHING).expect("sound");
    numbered = numbered.with_nonce(nonce).expect("sound");
    let body = body_digest(b"more");
    let payment = spend(history, 3);
    let (old, session, key) = (payment.body, payment.session, payment.idempotency);
    payment.unsigned = numbered.bytes().to_vec();
    payment.charges[0].amount = Amount::from_base_units(more + FEE);
    payment.body = body;
    let mut asking = history.asked[&old].clone();
    asking.parts[0].amount = more;
    history.asked.insert(body, asking);
    history
        .agents_signed
        .insert((session.expect("a session"), key, body));
}

type Doctor = fn(&mut History);
type Expected = fn(&Broken) -> bool;

macro_rules! broken {
    ($kind:ident, $why:literal) => {
        |broken| matches!(broken, Broken::$kind(_, $why))
    };
    ($kind:ident) => {
        |broken| matches!(broken, Broken::$kind(..))
    };
}

mod kinds;

fn all_are_seen(cases: &[(&str, Doctor, Expected)]) {
    let history = sound();
    for (case, doctor, expected) in cases {
        let mut doctored = history.clone();
        doctor(&mut doctored);
        match check(&doctored) {
            Err(broken) if expected(&broken) => {}
            other => panic!("{case}: {other:?}"),
        }
    }
}

#[test]
fn what_exceeds_a_limit_by_one_unit_is_seen() {
    all_are_seen(&[
        (
            "hour, by the payment",
            one_unit_more,
            broken!(Limit, "hour_limit"),
        ),
        (
            "hour",
            |history| rule(history).hour = units(999_999),
            broken!(Limit, "hour_limit"),
        ),
        (
            "day",
            |history| rule(history).day = units(999_999),
            broken!(Limit, "day_limit"),
        ),
        (
            "week",
            |history| rule(history).week = units(999_999),
            broken!(Limit, "week_limit"),
        ),
        (
            "month",
            |history| rule(history).month = units(999_999),
            broken!(Limit, "month_limit"),
        ),
        (
            "one",
            |history| rule(history).per_transaction = units(399_999),
            broken!(Limit, "per_transaction_limit"),
        ),
        (
            "tier",
            |history| rule(history).approve_up_to = units(399_999),
            broken!(Limit, "tier_not_available"),
        ),
        (
            "wait",
            |history| rule(history).notify_up_to = units(399_999),
            broken!(Limit, "tier"),
        ),
        (
            "fee",
            |history| rule(history).fee_ceiling = Some(units(FEE - 1)),
            broken!(Limit, "fee_ceiling"),
        ),
        (
            "count",
            |history| rule(history).counts.day = Some(2),
            broken!(Limit, "day_count"),
        ),
        (
            "outstanding",
            |history| rule(history).outstanding = Some(units(999_999)),
            broken!(Limit, "outstanding_cap"),
        ),
        (
            "asset",
            |history| {
                let native = solana().native_asset();
                policy(history).assets.retain(|rule| rule.asset != native);
            },
            broken!(Limit, "asset_not_listed"),
        ),
        (
            "recipient",
            |history| policy(history).recipients.clear(),
            broken!(Limit, "recipient_not_listed"),
        ),
    ]);
}

#[test]
fn signatures_while_something_stops_them_are_seen() {
    all_are_seen(&[
        (
            "frozen",
            |history| {
                instead(
                    history,
                    EventBody::Paused {
                        wallet: None,
                        origin: Origin::Admin,
                    },
                )
            },
            broken!(Stopped, "frozen"),
        ),
        (
            "paused",
            |history| {
                let wallet = Some(spend(history, 0).wallet);
                instead(
                    history,
                    EventBody::Paused {
                        wallet,
                        origin: Origin::Admin,
                    },
                );
            },
            broken!(Stopped, "wallet paused"),
        ),
        (
            "killed",
            |history| {
                instead(
                    history,
                    EventBody::Killed {
                        epoch: 1,
                        origin: Origin::Admin,
                    },
                )
            },
            broken!(Stopped, "killed"),
        ),
        (
            "stepped",
            |history| {
                instead(
                    history,
                    EventBody::ClockStepped {
                        seen: WallTime::from_millis(1),
                    },
                )
            },
            broken!(Stopped, "clock closed"),
        ),
        (
            "locked",
            |history| {
                instead(
                    history,
                    EventBody::Locked {
                        origin: Origin::Admin,
                    },
                )
            },
            broken!(Stopped, "locked"),
        ),
        (
            "strange clock",
            |history| {
                history
                    .entries
                    .iter_mut()
                    .for_each(|entry| entry.moment.strange = true)
            },
            broken!(Stopped, "strange clock"),
        ),
        (
            "acknowledged kill",
            |history| ack(history, Acked::Kill),
            broken!(Stopped, "acknowledged kill"),
        ),
        (
            "acknowledged pause",
            |history| ack(history, Acked::Pause(None)),
            broken!(Stopped, "acknowledged pause"),
        ),
        (
            "acknowledged lock",
            |history| {
                let stamp = (history.releases[0].stamp.0, 0);
                history.acks.push(Ack {
                    stamp,
                    sequence: 0,
                    what: Acked::Lock,
                });
            },
            broken!(Stopped, "acknowledged lock"),
        ),
        (
            "revoked",
            |history| {
                let session = spend(history, 0).session.unwrap();
                instead(
                    history,
                    EventBody::SessionRevoked {
                        session,
                        origin: Origin::Admin,
                    },
                );
            },
            broken!(Session, "over"),
        ),
        (
            "acknowledged revocation",
            |history| {
                let session = spend(history, 0).session.unwrap();
                ack(history, Acked::Revoke(session));
            },
            broken!(Stopped, "acknowledged revocation"),
        ),
        (
            "a replay after the lock",
            |history| {
                let last = history.entries.last().unwrap().moment;
                let release = replay(history);
                release.moment.turn = last.turn + 1;
                release.stamp.0 = last.turn + 1;
            },
            |broken| matches!(broken, Broken::Stopped(_, "locked" | "acknowledged lock")),
        ),
        (
            "a replay in another life",
            |history| replay(history).moment.life += 1,
            broken!(Stopped, "locked"),
        ),
        (
            "a status that hides a kill",
            |history| {
                ack(history, Acked::Kill);
                history.releases.clear();
                let stamp = (u64::MAX, 0);
                history.statuses.push(Seen {
                    stamp,
                    kill: "NORMAL",
                    frozen: false,
                });
            },
            broken!(Status, "kill"),
        ),
    ]);
}

#[test]
fn signatures_without_their_record_are_seen() {
    all_are_seen(&[
        (
            "an entry is missing",
            |history| drop(history.entries.remove(9)),
            broken!(Monotone, "sequence"),
        ),
        (
            "the last is missing",
            |history| history.entries.truncate(history.entries.len() - 2),
            broken!(Record),
        ),
        (
            "no payment there",
            |history| history.releases[0].sequence = 1,
            broken!(Record, "no payment"),
        ),
        (
            "recorded only afterwards",
            |history| {
                let turn = history.entries.last().unwrap().moment.turn;
                let sequence = history.releases[0].sequence;
                for entry in &mut history.entries {
                    if entry.sequence >= sequence {
                        entry.moment.turn = turn;
                    }
                }
            },
            broken!(Record, "recorded later"),
        ),
        (
            "a head that was shown is gone",
            |history| history.heads[0].1 = Digest::from_bytes([1; 32]),
            broken!(Head),
        ),
        (
            "a head beyond the log",
            |history| history.heads.push((9999, Digest::from_bytes([1; 32]))),
            broken!(Head),
        ),
        (
            "one bit of the signature",
            |history| *history.releases[0].raw.last_mut().unwrap() ^= 1,
            broken!(Bytes),
        ),
        (
            "one bit of a Solana message",
            |history| *history.releases[2].raw.last_mut().unwrap() ^= 1,
            broken!(Bytes, "signature"),
        ),
        (
            "another payment's bytes",
            |history| history.releases[0].raw = history.releases[1].raw.clone(),
            broken!(Bytes, "other bytes than recorded"),
        ),
        (
            "an answer to another key",
            |history| history.releases[0].key = history.releases[1].key,
            broken!(Bytes, "another key's payment"),
        ),
        (
            "an answer to another body",
            |history| history.releases[0].body = history.releases[2].body,
            broken!(Bytes, "another body's payment"),
        ),
        (
            "one key, two payments",
            |history| {
                let key = spend(history, 0).idempotency;
                spend(history, 1).idempotency = key;
            },
            broken!(Twice),
        ),
    ]);
}

#[test]
fn what_falls_or_repeats_is_seen() {
    all_are_seen(&[
        (
            "a nonce twice",
            |history| {
                let first = spend(history, 0).clone();
                let second = spend(history, 1);
                (second.unsigned, second.nonce) = (first.unsigned, first.nonce);
            },
            broken!(Monotone, "nonce"),
        ),
        (
            "a nonce beside the bytes",
            |history| spend(history, 1).nonce = Some(77),
            broken!(Monotone, "nonce"),
        ),
        (
            "the wall clock falls",
            |history| history.entries[9].event.clocks.wall = WallTime::from_millis(5),
            broken!(Monotone, "a clock fell"),
        ),
        (
            "the run clock runs ahead",
            |history| {
                for entry in &mut history.entries[9..] {
                    entry.event.clocks.run =
                        entry.event.clocks.run.max(RunTime::from_millis(10 * HOUR));
                }
            },
            broken!(Monotone, "run clock ahead"),
        ),
        (
            "the budget clock runs ahead",
            |history| {
                for entry in &mut history.entries[9..] {
                    entry.event.clocks.budget = entry
                        .event
                        .clocks
                        .budget
                        .max(BudgetTime::from_millis(10 * HOUR));
                }
            },
            broken!(Monotone, "budget clock ahead"),
        ),
        (
            "a kill epoch is left out",
            |history| {
                instead(
                    history,
                    EventBody::Killed {
                        epoch: 2,
                        origin: Origin::Admin,
                    },
                )
            },
            broken!(Monotone, "kill epoch"),
        ),
        (
            "a policy epoch is left out",
            |history| {
                for entry in &mut history.entries {
                    if let EventBody::PolicyAdopted { epoch, .. } = &mut entry.event.body {
                        *epoch = 2;
                    }
                }
            },
            broken!(Monotone, "policy epoch"),
        ),
        (
            "a payment under an old epoch",
            |history| spend(history, 1).policy_epoch = 0,
            broken!(Monotone),
        ),
    ]);
}

#[test]
fn what_nobody_signed_or_asked_for_is_seen() {
    all_are_seen(&[
        (
            "no statement was signed",
            |history| history.said.clear(),
            broken!(Authority, "the owner never signed"),
        ),
        (
            "something else was signed",
            |history| {
                let facts = StatementFacts::ReleasePause { wallet: None };
                history
                    .said
                    .values_mut()
                    .for_each(|said| said.facts.clone_from(&facts));
            },
            broken!(Authority, "the owner signed something else"),
        ),
        (
            "without the password",
            |history| {
                history
                    .said
                    .values_mut()
                    .for_each(|said| said.with_password = false)
            },
            broken!(Authority, "first policy without password"),
        ),
        (
            "a pause released by nobody",
            |history| {
                let statement = *history.said.keys().next().unwrap();
                let released = EventBody::PauseReleased {
                    wallet: None,
                    statement,
                    signers: vec![],
                };
                instead(history, released);
            },
            broken!(Authority, "no open statement"),
        ),
        (
            "the agent never signed",
            |history| history.agents_signed.clear(),
            broken!(Session, "the agent never signed"),
        ),
        (
            "nobody asked",
            |history| history.asked.clear(),
            broken!(Bytes, "nobody asked"),
        ),
        (
            "more than was asked",
            |history| {
                history
                    .asked
                    .values_mut()
                    .for_each(|asking| asking.parts[0].amount -= 1)
            },
            broken!(Bytes, "not what was asked"),
        ),
        (
            "charged a unit less",
            |history| spend(history, 0).charges[0].amount = Amount::from_base_units(399_999),
            broken!(Bytes, "charged something else"),
        ),
        (
            "no session's payment",
            |history| spend(history, 0).session = None,
            broken!(Session, "none"),
        ),
        (
            "a withdrawal of another amount",
            |history| {
                for entry in &mut history.entries {
                    if let EventBody::StatementIssued { facts, .. } = &mut entry.event.body
                        && let StatementFacts::Withdraw { amount, .. } = facts
                    {
                        *amount = Amount::from_base_units(8);
                    }
                }
                for said in history.said.values_mut() {
                    if let StatementFacts::Withdraw { amount, .. } = &mut said.facts {
                        *amount = Amount::from_base_units(8);
                    }
                }
            },
            broken!(Bytes, "not the withdrawal that was signed"),
        ),
        (
            "to an address that was never enrolled",
            |history| {
                for entry in &mut history.entries {
                    if let EventBody::OwnerEnrolled { withdrawals, .. } = &mut entry.event.body {
                        withdrawals.clear();
                    }
                }
            },
            broken!(Authority, "address not enrolled"),
        ),
    ]);
}
