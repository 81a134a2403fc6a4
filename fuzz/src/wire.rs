//! What a peer writes on a socket: a stream of Cap'n Proto frames. The framing and the gate are the signer's own
//! files, included by their paths, so that the signer need not show them; behind them every field of every
//! method's parameters is read, with the limits that the signer reads with.

#[path = "../../signer/src/rpc/frame.rs"]
mod frame;
#[path = "../../signer/src/rpc/gate.rs"]
mod gate;
#[path = "wire_seeds.rs"]
mod seeds;

pub use self::seeds::{frame_table_seeds, frames_seeds};

use std::collections::HashSet;
use std::fmt::{self, Write as _};

use capnp::any_pointer;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderSegments as _};
use capnp::serialize::{OwnedSegments, read_message, write_message_segments};
use capnp::traits::HasTypeId as _;
use capnp_rpc::rpc_capnp::{call, message};
use waiaas_schema::admin_capnp::admin;
use waiaas_schema::common_capnp::common;
use waiaas_schema::gateway_capnp::gateway;
use waiaas_schema::{CALLS_IN_FLIGHT, FRAME_LIMIT_BYTES, SEGMENT_LIMIT, reader_options};

use gate::{Gate, Verdict};

/// Of a message, what is written out at most.
const SHOWN: usize = 4 * 1024;
/// Calls beyond [`CALLS_IN_FLIGHT`] that the gate keeps for what stops.
const STOPS: usize = 16;

/// The beginning of one frame, whatever stands behind: how long it is, and what is in it.
pub fn frame_table(data: &[u8]) -> bool {
    let said = frame::length(data);
    // More bytes never change what fewer have said.
    let half = data.len() / 2;
    for cut in [half, half / 2, 6] {
        let earlier = frame::length(data.get(..cut).unwrap_or_default());
        assert!(
            earlier == Ok(None) || earlier == said,
            "it changed its mind"
        );
    }
    let Ok(Some(length)) = said else {
        return false;
    };
    assert!((8..=FRAME_LIMIT_BYTES).contains(&length) && length % 8 == 0);
    let Some(own) = data.get(..length) else {
        return false;
    };
    let message = message_of(own);
    message.is_some_and(|message| message.get_root::<any_pointer::Reader<'_>>().is_ok())
}

/// A stream of frames, one after another as far as they are whole.
pub fn frames(data: &[u8]) -> bool {
    let mut rest = data;
    let mut gate = Gate::new();
    let mut open = HashSet::new();
    let mut passed = false;
    // A connection ends with the first that is refused.
    while let Ok(Some(length)) = frame::length(rest) {
        assert!(length <= FRAME_LIMIT_BYTES, "a frame beyond the limit");
        let Some((own, behind)) = rest.split_at_checked(length) else {
            break;
        };
        rest = behind;
        let Some(message) = message_of(own) else {
            break;
        };
        let Ok(body) = message.get_root::<message::Reader<'_>>() else {
            break;
        };
        let Ok(verdict) = gate.judge(body, length) else {
            break;
        };
        match verdict {
            Verdict::Pass => {
                passed = true;
                if let Ok(message::Call(Ok(call))) = body.which() {
                    let question = call.get_question_id();
                    assert!(open.insert(question), "a question is open twice");
                    assert!(open.len() <= CALLS_IN_FLIGHT + STOPS, "too many calls");
                    let _ = parameters(call);
                    if question % 2 == 1 {
                        answered(&mut gate, question, question % 4 == 1);
                        open.remove(&question);
                    }
                }
            }
            Verdict::Swallow => {}
            Verdict::Overloaded(question) => {
                assert!(open.len() >= CALLS_IN_FLIGHT, "refused without need");
                let answer = gate::overloaded(question);
                let answer = answer.get_root_as_reader().expect("its own message");
                assert!(matches!(gate.sent(answer), Ok(false)), "it was counted");
            }
            Verdict::End => break,
        }
        if !gate.has_room() {
            break;
        }
    }
    passed
}

/// The first frame of a stream that is whole and within its limits, and what stands behind it.
pub(crate) fn own_frame(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    match frame::length(stream) {
        Ok(Some(length)) => stream.split_at_checked(length),
        _ => None,
    }
}

/// One frame, which is itself again when its segments are written; the padding of its table is nobody's.
pub(crate) fn message_of(own: &[u8]) -> Option<Reader<OwnedSegments>> {
    let mut left = own;
    let message = read_message(&mut left, reader_options()).ok()?;
    assert!(
        left.is_empty(),
        "a frame ends elsewhere than its table says"
    );
    let segments = message.into_segments();
    assert!(segments.len() <= usize::try_from(SEGMENT_LIMIT).expect("a small number"));
    let mut again = Vec::with_capacity(own.len());
    write_message_segments(&mut again, &segments).expect("memory takes all");
    let mut plain = own.to_vec();
    if segments.len() % 2 == 0 {
        let padding = 4 * (segments.len() + 1);
        let padding = plain.get_mut(padding..padding + 4);
        padding.expect("a table is whole words").fill(0);
    }
    assert!(again == plain, "other bytes than were read");
    Some(Reader::new(segments, reader_options()))
}

/// The answer to a call, of either kind, and what capnp-rpc hears of it.
fn answered(gate: &mut Gate, question: u32, exception: bool) {
    let allocator = HeapAllocator::new().first_segment_words(16);
    let mut answer = Builder::new(allocator);
    let mut body = answer.init_root::<message::Builder<'_>>().init_return();
    body.set_answer_id(question);
    if exception {
        body.init_exception();
    } else {
        body.init_results();
    }
    let answer = answer.get_root_as_reader().expect("its own message");
    assert!(matches!(gate.sent(answer), Ok(true)), "it was not counted");
    assert_eq!(gate.take_owed(), exception.then_some(question));
    let finish = gate::finish(question);
    assert!(
        finish
            .get_root_as_reader::<message::Reader<'_>>()
            .is_ok_and(|root| root.which().is_ok())
    );
}

type Walk = fn(any_pointer::Reader<'_>) -> capnp::Result<()>;

/// Every field that the parameters of the method have.
fn parameters(call: call::Reader<'_>) -> capnp::Result<()> {
    let methods: &[Walk] = match call.get_interface_id() {
        common::Client::TYPE_ID => COMMON,
        gateway::Client::TYPE_ID => GATEWAY,
        admin::Client::TYPE_ID => ADMIN,
        _ => return Ok(()),
    };
    let content = call.get_params()?.get_content();
    match methods.get(usize::from(call.get_method_id())) {
        Some(walk) => walk(content),
        None => Ok(()),
    }
}

/// Takes so many bytes and no more, and keeps none.
struct Sink(usize);

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

macro_rules! walks {
    ($($name:ident: $interface:ident { $($params:ident)* })*) => {
        $(const $name: &[Walk] = &[$(
            |content| {
                let read = content.get_as::<$interface::$params::Reader<'_>>()?;
                // Reads every field, list and pointer behind it.
                let _ = write!(Sink(SHOWN), "{read:?}");
                Ok(())
            }
        ),*];)*
    };
}

walks! {
    COMMON: common {
        status_params events_params remaining_params wallets_params owners_params policy_params
        draft_statement_params submit_statement_params pause_params revoke_session_params kill_params
        intents_params cancel_intent_params agents_params suspend_agent_params terminate_agent_params
        heartbeat_params replace_transaction_params cancel_transaction_params
    }
    GATEWAY: gateway {
        decide_params sign_params signed_transaction_params release_params renew_session_params
        sign_in_params authorize_transfer_params
    }
    ADMIN: admin {
        initialize_params unlock_params lock_params create_wallet_params submit_with_password_params
        enrol_owner_params withdraw_params register_key_params recover_owners_params suspend_owner_params
        audit_params signed_transaction_params
    }
}
