//! The gate: which messages of a peer pass.

use capnp::message::{Builder, HeapAllocator};
use capnp_rpc::rpc_capnp::exception;

use super::*;

type Message = Builder<HeapAllocator>;

const GATEWAY_SIGN: (u64, u16) = (waiaas_schema::gateway_capnp::gateway::Client::TYPE_ID, 1);
const COMMON_KILL: (u64, u16) = (common_capnp::common::Client::TYPE_ID, 10);

fn message(fill: impl FnOnce(message::Builder<'_>)) -> Message {
    let mut message = Builder::new_default();
    fill(message.init_root());
    message
}

fn bootstrap(question: u32) -> Message {
    message(|body| body.init_bootstrap().set_question_id(question))
}

fn finish_of(question: u32) -> Message {
    message(|body| body.init_finish().set_question_id(question))
}

fn call_with(question: u32, method: (u64, u16), change: impl FnOnce(call::Builder<'_>)) -> Message {
    message(|body| {
        let mut call = body.init_call();
        call.set_question_id(question);
        call.set_interface_id(method.0);
        call.set_method_id(method.1);
        call.reborrow().init_target().set_imported_cap(0);
        call.reborrow().init_params();
        change(call);
    })
}

fn call(question: u32) -> Message {
    call_with(question, GATEWAY_SIGN, |_| {})
}

fn judge(gate: &mut Gate, message: &Message) -> Result<Verdict, Refused> {
    gate.judge(message.get_root_as_reader().unwrap(), 100)
}

fn introduced() -> Gate {
    let mut gate = Gate::new();
    assert!(!gate.is_introduced());
    assert_eq!(judge(&mut gate, &bootstrap(0)), Ok(Verdict::Pass));
    assert!(gate.is_introduced());
    gate
}

fn answer(gate: &mut Gate, question: u32, exception: bool) {
    let answer = message(|body| {
        let mut answer = body.init_return();
        answer.set_answer_id(question);
        if exception {
            answer.init_exception();
        } else {
            answer.init_results();
        }
    });
    assert!(gate.sent(answer.get_root_as_reader().unwrap()).unwrap());
}

#[test]
fn what_an_honest_client_sends_passes() {
    let mut gate = introduced();
    // Before the interface arrives, calls go to the promised answer.
    let pipelined = call_with(1, GATEWAY_SIGN, |call| {
        call.init_target().init_promised_answer().set_question_id(0);
    });
    assert_eq!(judge(&mut gate, &pipelined), Ok(Verdict::Pass));
    assert_eq!(judge(&mut gate, &finish_of(0)), Ok(Verdict::Pass));
    // The number of the bootstrap is free again.
    assert_eq!(judge(&mut gate, &call(0)), Ok(Verdict::Pass));
    assert_eq!(
        judge(
            &mut gate,
            &message(|body| {
                body.init_release();
            })
        ),
        Ok(Verdict::Pass)
    );
    assert_eq!(
        judge(
            &mut gate,
            &message(|body| {
                body.init_abort();
            })
        ),
        Ok(Verdict::End)
    );
}

#[test]
fn one_bootstrap() {
    for question in [0, 1] {
        assert_eq!(
            judge(&mut introduced(), &bootstrap(question)),
            Err(Refused::SecondBootstrap)
        );
    }
    let mut gate = introduced();
    judge(&mut gate, &finish_of(0)).unwrap();
    assert_eq!(
        judge(&mut gate, &bootstrap(0)),
        Err(Refused::SecondBootstrap)
    );
}

#[test]
fn every_other_kind_of_message_is_refused() {
    // The union's tag is the first 16 bits of the root structure; honest kinds by number.
    let used = [1, 2, 4, 6, 8];
    for kind in (0_u16..=300)
        .chain([u16::MAX])
        .filter(|kind| !used.contains(kind))
    {
        let mut words = capnp::serialize::write_message_to_words(&bootstrap(0));
        words[16..18].copy_from_slice(&kind.to_le_bytes());
        let message =
            capnp::serialize::read_message(&mut words.as_slice(), waiaas_schema::reader_options())
                .unwrap();
        let mut gate = introduced();
        assert_eq!(
            gate.judge(message.get_root().unwrap(), 100),
            Err(Refused::Kind),
            "{kind}"
        );
    }
}

#[test]
fn calls_reach_the_one_interface_only() {
    let promised = |question: u32, transform: u32| {
        call_with(7, GATEWAY_SIGN, |call| {
            let mut answer = call.init_target().init_promised_answer();
            answer.set_question_id(question);
            answer.init_transform(transform);
        })
    };
    assert_eq!(
        judge(&mut introduced(), &promised(1, 0)),
        Err(Refused::Target)
    );
    assert_eq!(
        judge(&mut introduced(), &promised(0, 1)),
        Err(Refused::Target)
    );
    let mut finished = introduced();
    judge(&mut finished, &finish_of(0)).unwrap();
    assert_eq!(judge(&mut finished, &promised(0, 0)), Err(Refused::Target));
    assert_eq!(
        judge(&mut Gate::new(), &promised(0, 0)),
        Err(Refused::Target)
    );
}

#[test]
fn no_capability_travels() {
    let with_table = call_with(1, GATEWAY_SIGN, |call| {
        call.init_params().init_cap_table(1);
    });
    assert_eq!(
        judge(&mut introduced(), &with_table),
        Err(Refused::Capability)
    );
    let yourself = call_with(1, GATEWAY_SIGN, |call| {
        call.init_send_results_to().set_yourself(())
    });
    assert_eq!(
        judge(&mut introduced(), &yourself),
        Err(Refused::Capability)
    );
}

#[test]
fn an_open_question_is_not_asked_again() {
    let mut gate = introduced();
    assert_eq!(judge(&mut gate, &call(0)), Err(Refused::Question));
    judge(&mut gate, &call(1)).unwrap();
    assert_eq!(judge(&mut gate, &call(1)), Err(Refused::Question));
    // The peer's word that it is done with a call frees nothing: only the answer does.
    assert_eq!(judge(&mut gate, &finish_of(1)), Ok(Verdict::Swallow));
    assert_eq!(judge(&mut gate, &call(1)), Err(Refused::Question));
    answer(&mut gate, 1, false);
    assert_eq!(judge(&mut gate, &call(1)), Ok(Verdict::Pass));
}

#[test]
fn too_many_calls_are_told_so_and_stopping_still_passes() {
    let mut gate = introduced();
    let most = u32::try_from(CALLS_IN_FLIGHT).unwrap();
    for question in 1..=most {
        assert_eq!(judge(&mut gate, &call(question)), Ok(Verdict::Pass));
    }
    for question in most + 1..most + 1000 {
        assert_eq!(
            judge(&mut gate, &call(question)),
            Ok(Verdict::Overloaded(question))
        );
    }
    let stops = u32::try_from(STOPS_IN_FLIGHT).unwrap();
    for question in 10_000..10_000 + stops {
        assert_eq!(
            judge(&mut gate, &call_with(question, COMMON_KILL, |_| {})),
            Ok(Verdict::Pass)
        );
    }
    assert_eq!(
        judge(&mut gate, &call_with(9999, COMMON_KILL, |_| {})),
        Ok(Verdict::Overloaded(9999))
    );
    assert_eq!(gate.open.len(), CALLS_IN_FLIGHT + STOPS_IN_FLIGHT);
}

#[test]
fn an_exception_is_finished_by_the_gate_and_results_finish_themselves() {
    let mut gate = introduced();
    judge(&mut gate, &call(1)).unwrap();
    judge(&mut gate, &call(2)).unwrap();
    answer(&mut gate, 1, false);
    assert_eq!(gate.take_owed(), None);
    answer(&mut gate, 2, true);
    assert_eq!(gate.take_owed(), Some(2));
    assert_eq!(gate.take_owed(), None);
    // What answers no open call (the bootstrap's own answer) owes nothing.
    let other = message(|body| {
        body.init_return();
    });
    assert!(!gate.sent(other.get_root_as_reader().unwrap()).unwrap());
    assert_eq!(
        (gate.open.len(), gate.open_bytes, gate.owed.len()),
        (0, 0, 0)
    );
}

#[test]
fn open_bytes_stop_the_reading() {
    let mut gate = introduced();
    let mut question = 0;
    while gate.has_room() {
        question += 1;
        let message = call(question);
        gate.judge(
            message.get_root_as_reader().unwrap(),
            waiaas_schema::FRAME_LIMIT_BYTES,
        )
        .unwrap();
    }
    assert_eq!(gate.open_bytes, OPEN_BYTES);
    answer(&mut gate, question, false);
    assert!(gate.has_room());
}

#[test]
fn overloaded_is_an_answer_that_needs_no_finish() {
    let answer = overloaded(77);
    let message::Return(Ok(answer)) = answer
        .get_root_as_reader::<message::Reader<'_>>()
        .unwrap()
        .which()
        .unwrap()
    else {
        panic!("not an answer")
    };
    assert_eq!(answer.get_answer_id(), 77);
    assert!(answer.get_no_finish_needed());
    let Ok(return_::Exception(Ok(exception))) = answer.which() else {
        panic!("not an exception")
    };
    assert_eq!(exception.get_type().unwrap(), exception::Type::Overloaded);
    assert_eq!(
        exception.get_reason().unwrap().to_str().unwrap(),
        "overloaded"
    );
}
