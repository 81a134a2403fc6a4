//! The loop: what stops goes first, one commit carries a batch, reads see only what is durable,
//! floods stay small.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use waiaas_shared::denial::Code;
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{SessionId, StatementId, TransactionId};

use super::super::ask::Ask;
use super::super::lanes::Lanes;
use super::super::simulation::machine::Passing;
use super::super::simulation::post::{Answer, Asked};
use super::super::simulation::world::World;
use super::{bearer, pay, payment, refused};
use crate::ledger::memory::Fault;
use crate::model::people::solana;

fn payments(world: &mut World, count: u32) -> Vec<Asked> {
    (0..count)
        .map(|number| payment(world, &format!("key-{number}"), 1))
        .collect()
}

#[test]
fn sixty_four_payments_take_one_commit() {
    let mut world = World::new(1, false);
    let other = world.known.sessions[3];
    let mut asked = payments(&mut world, 32);
    for number in 0..32 {
        let request = world.request(other, &format!("solana-{number}"), solana(), 0, 1);
        asked.push(Asked::Sign(Box::new(request)));
    }
    let before = world.disk.0.borrow().appends();
    let answers = world.deliver(asked, None);
    assert_eq!(world.disk.0.borrow().appends(), before + 1);
    let signed: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.signed().sequence)
        .collect();
    assert_eq!(signed.len(), 64);
    assert!(
        signed.is_sorted_by(|one, next| one + 1 == *next),
        "in the order in which they came"
    );
}

#[test]
fn a_kill_overtakes_whatever_waits() {
    for (stop, code) in [
        (Asked::Kill(Origin::Gateway), Code::Locked),
        (Asked::Lock, Code::Locked),
        (Asked::Pause(None, Origin::Gateway), Code::Frozen),
    ] {
        let mut world = World::new(1, false);
        let mut asked = payments(&mut world, 50);
        asked.push(stop);
        let mut answers = world.deliver(asked, None);
        assert!(matches!(
            answers.pop(),
            Some(Answer::Sequence(_) | Answer::Done)
        ));
        for answer in &answers {
            refused(answer, code);
        }
    }
}

#[test]
fn a_revocation_overtakes_its_sessions_payments() {
    let mut world = World::new(1, false);
    let mut asked = payments(&mut world, 10);
    asked.push(Asked::Revoke(bearer(&world).id));
    for answer in world.deliver(asked, None).iter().take(10) {
        refused(answer, Code::SessionRevoked);
    }
}

#[test]
fn reads_see_only_what_is_durable() {
    let mut world = World::new(1, false);
    let session = bearer(&world).id;
    let spent = |answer: &Answer| match answer {
        Answer::Remaining(Some(view)) => view.usage.count,
        other => panic!("a session: {other:?}"),
    };
    // In one turn, reads are answered before the batch is decided.
    let asked = vec![
        payment(&mut world, "a", 1),
        Asked::Remaining(session),
        Asked::Status,
    ];
    let answers = world.deliver(asked, None);
    let Answer::Status(status) = &answers[2] else {
        panic!("{answers:?}")
    };
    let signed = answers[0].clone().signed();
    assert_eq!(spent(&answers[1]), 0);
    assert_eq!(status.sequence + 1, signed.sequence);
    assert_eq!(spent(&world.one(Asked::Remaining(session))), 1);
    // What was refused by the disk is seen by nobody.
    let asked = payment(&mut world, "b", 1);
    world.disk.0.borrow_mut().fail_next(Fault::Refused);
    refused(&world.one(asked), Code::StorageFull);
    assert_eq!(spent(&world.one(Asked::Remaining(session))), 1);
    assert_eq!(world.status().sequence, signed.sequence);
    let Answer::Events(events) = world.one(Asked::Events(signed.sequence - 1)) else {
        panic!("a page")
    };
    assert_eq!(
        (events.page.events.len(), events.last),
        (1, signed.sequence)
    );
}

#[test]
fn full_lanes_refuse_and_stopping_still_finds_room() {
    let world = World::new(1, false);
    let status = || {
        let (reply, _gone) = tokio::sync::oneshot::channel();
        Ask::Status(reply)
    };
    let command = || {
        let (reply, _gone) = tokio::sync::oneshot::channel();
        Ask::Draft(
            waiaas_shared::statement::StatementFacts::ReleasePause { wallet: None },
            Origin::Gateway,
            reply,
        )
    };
    for _ in 0..1024 {
        world.lanes.push(status()).expect("room");
        world.lanes.push(command()).expect("room");
    }
    assert!(world.lanes.push(status()).is_err());
    assert!(world.lanes.push(command()).is_err());
    let (reply, _gone) = tokio::sync::oneshot::channel();
    world
        .lanes
        .push(Ask::Kill(Origin::Gateway, reply))
        .expect("room to stop");
}

/// Told when an answer is there, in the middle of the authority's turn.
struct Told(Box<dyn Fn() + Send + Sync>);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// Calls `told` as soon as the answer is given.
fn when_answered<T>(answer: &mut oneshot::Receiver<T>, told: impl Fn() + Send + Sync + 'static) {
    let waker = Waker::from(Arc::new(Told(Box::new(told))));
    let early = Pin::new(answer).poll(&mut TaskContext::from_waker(&waker));
    assert!(early.is_pending());
}

/// However many reads are asked for, a stop that comes in the middle of them waits for none but the one that
/// is being answered.
#[test]
fn invariant_16_a_kill_in_the_middle_of_the_reads_waits_for_one_of_them() {
    const READS: usize = 1024;
    for at in [1, 2, 500, READS] {
        let mut world = World::new(1, false);
        let answered = Arc::new(AtomicUsize::new(0));
        let killed_after = Arc::new(AtomicUsize::new(usize::MAX));
        let mut kept = Vec::new();
        let (reply, mut kill) = oneshot::channel();
        let (count, after) = (Arc::clone(&answered), Arc::clone(&killed_after));
        when_answered(&mut kill, move || {
            after.store(count.load(Ordering::SeqCst), Ordering::SeqCst);
        });
        let kill_ask = Arc::new(Mutex::new(Some(Ask::Kill(Origin::Gateway, reply))));
        for _ in 0..READS {
            let (reply, mut read) = oneshot::channel();
            let (count, lanes) = (Arc::clone(&answered), world.lanes.clone());
            let kill_ask = Arc::clone(&kill_ask);
            when_answered(&mut read, move || {
                if count.fetch_add(1, Ordering::SeqCst) + 1 == at {
                    let ask = kill_ask.lock().expect("one thread").take();
                    lanes.push(ask.expect("once")).expect("room to stop");
                }
            });
            world.lanes.push(Ask::Status(reply)).expect("room");
            kept.push(read);
        }
        let signer = world.signer.as_mut().expect("alive");
        signer.turn(Instant::now()).expect("a turn");
        assert_eq!(answered.load(Ordering::SeqCst), READS, "all are answered");
        assert_eq!(killed_after.load(Ordering::SeqCst), at);
        // What is read from then on says so.
        let statuses = kept.into_iter().map(|mut read| {
            let status = read.try_recv().expect("answered").expect("a status");
            status.kill == "ACTIVATED"
        });
        let killed: Vec<bool> = statuses.collect();
        let expected: Vec<bool> = (0..READS).map(|place| place >= at).collect();
        assert_eq!(killed, expected);
        assert!(kill.try_recv().expect("answered").is_ok());
    }
}

fn counted(world: &World) -> Vec<(Option<SessionId>, Code, u32)> {
    let bodies = world.history.entries.iter().map(|entry| &entry.event.body);
    bodies
        .filter_map(|body| match body {
            EventBody::DenialsCounted {
                session,
                code,
                count,
            } => Some((*session, *code, *count)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_flood_of_refusals_is_one_entry_a_bucket_and_minute() {
    let mut world = World::new(1, false);
    let session = bearer(&world).id;
    let before = counted(&world).len();
    for minute in 1..=3 {
        for second in 0..60 {
            let mut asked = Vec::new();
            for number in 0..10_u8 {
                asked.push(payment(&mut world, "large", 900_000_000));
                // Sessions that were never granted share one bucket.
                let Asked::Sign(mut request) = payment(&mut world, "x", 1) else {
                    continue;
                };
                request.session = SessionId::from_bytes([number + second; 16]);
                asked.push(Asked::Sign(request));
            }
            world.deliver(asked, None);
            world.pass(Passing::Running(1_000));
        }
        let entries = counted(&world).len() - before;
        assert!(entries <= 2 * minute, "{entries} after {minute} minutes");
    }
    world.pass(Passing::Running(60_000));
    world.status();
    world.status();
    let entries = &counted(&world)[before..];
    let sum = |of| {
        entries
            .iter()
            .filter(|(session, ..)| *session == of)
            .map(|(.., count)| count)
            .sum::<u32>()
    };
    assert_eq!(sum(Some(session)), 1800);
    assert_eq!(sum(None), 1800);
}

/// While locked nothing can be written: the loop must not wake up for it again and again.
#[test]
fn counts_that_cannot_be_written_do_not_keep_the_loop_awake() {
    let mut world = World::new(1, false);
    refused(&pay(&mut world, "stranger", 0), Code::AmountInvalid);
    let signer = world.signer.as_mut().expect("alive");
    assert_eq!(signer.denials_wait(), Some(Duration::from_secs(60)));
    world.one(Asked::Lock);
    world.pass(Passing::Running(120_000));
    let signer = world.signer.as_mut().expect("alive");
    assert_eq!(signer.denials_wait(), None);
    assert!(matches!(
        world.one(Asked::Unlock(true, false)),
        Answer::Done
    ));
    assert!(!counted(&world).is_empty(), "written with the next turn");
}

#[test]
fn a_gateway_that_fills_its_lanes_keeps_nothing_of_the_owners_out() {
    let lanes = Lanes::default();
    let owners = lanes.with_reserve();
    let (session, transaction) = (
        SessionId::from_bytes([9; 16]),
        TransactionId::from_bytes([1; 16]),
    );
    loop {
        let (reply, _answer) = oneshot::channel();
        if lanes
            .push(Ask::Revoke(session, Origin::Gateway, reply))
            .is_err()
        {
            break;
        }
    }
    loop {
        let (reply, _answer) = oneshot::channel();
        if lanes
            .push(Ask::SignedTransaction(transaction, Origin::Gateway, reply))
            .is_err()
        {
            break;
        }
    }
    let (reply, _answer) = oneshot::channel();
    owners
        .push(Ask::Kill(Origin::Admin, reply))
        .expect("the owner's kill");
    let (reply, _answer) = oneshot::channel();
    let statement = StatementId::from_bytes([1; 16]);
    owners
        .push(Ask::Withdraw(statement, vec![], vec![], reply))
        .expect("the owner's way out");
}
