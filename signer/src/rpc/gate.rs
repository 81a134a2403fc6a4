//! The gate in front of capnp-rpc: which messages of a peer reach it, and what is in flight. An
//! honest client of interfaces that return no capability sends one Bootstrap, calls on it, and gives
//! back what it got; everything else that the protocol knows ends the connection. Does no I/O.
//! Called by `connection`.
//!
//! What capnp-rpc keeps for a call, it keeps until the call has returned *and* was finished by the
//! peer. Neither may depend on a hostile peer: calls are counted here, from the frame to the answer,
//! and the gate itself finishes each call once, after its answer; the peer's own Finish (which an
//! honest client leaves out where the answer says so, and which would leave an entry behind for ever
//! if it came early) goes no further.

use std::collections::HashMap;

use capnp::traits::HasTypeId as _;
use capnp_rpc::rpc_capnp::{call, message, message_target, return_};
use waiaas_schema::{CALLS_IN_FLIGHT, admin_capnp, common_capnp};

/// Calls beyond [`CALLS_IN_FLIGHT`] that only what stops may take: a flood of other calls never
/// keeps a kill out.
const STOPS_IN_FLIGHT: usize = 16;
/// Bytes of frames whose calls are in flight; reading stops above.
const OPEN_BYTES: usize = 1024 * 1024;

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on to capnp-rpc.
    Pass,
    /// It is done with.
    Swallow,
    /// This call is answered `overloaded` at once.
    Overloaded(u32),
    /// The peer said that it ends.
    End,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// A kind of message that no honest client of these interfaces sends.
    #[error("message refused: its kind is not used here")]
    Kind,
    /// One Bootstrap per connection.
    #[error("message refused: one bootstrap per connection")]
    SecondBootstrap,
    /// Calls go to the bootstrap interface: no answer holds another.
    #[error("message refused: calls go to the bootstrap interface only")]
    Target,
    /// Parameters carry no capabilities, results go to the caller.
    #[error("message refused: no capability travels here")]
    Capability,
    /// The question is still open.
    #[error("message refused: the question is open already")]
    Question,
    /// Not a readable message.
    #[error("message refused: malformed")]
    Malformed,
}

impl From<capnp::Error> for Refused {
    fn from(_: capnp::Error) -> Self {
        Self::Malformed
    }
}

impl From<capnp::NotInSchema> for Refused {
    fn from(_: capnp::NotInSchema) -> Self {
        Self::Kind
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bootstrap {
    Awaited,
    Answered(u32),
    Finished,
}

/// What one connection has in flight.
#[derive(Debug)]
pub(super) struct Gate {
    bootstrap: Bootstrap,
    /// Calls without an answer yet, each with the bytes of its frame.
    open: HashMap<u32, usize>,
    open_bytes: usize,
    /// Answered calls that capnp-rpc must still hear a Finish for.
    owed: Vec<u32>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            bootstrap: Bootstrap::Awaited,
            open: HashMap::new(),
            open_bytes: 0,
            owed: Vec::new(),
        }
    }

    /// Whether the peer has asked for the interface yet.
    pub(super) fn is_introduced(&self) -> bool {
        self.bootstrap != Bootstrap::Awaited
    }

    /// Whether one more frame may be read.
    pub(super) fn has_room(&self) -> bool {
        self.open_bytes < OPEN_BYTES
    }

    /// A call for which capnp-rpc must hear a Finish before anything else.
    pub(super) fn take_owed(&mut self) -> Option<u32> {
        self.owed.pop()
    }

    /// Judges a message from the peer in a frame of so many bytes.
    pub(super) fn judge(
        &mut self,
        message: message::Reader<'_>,
        bytes: usize,
    ) -> Result<Verdict, Refused> {
        match message.which()? {
            message::Bootstrap(bootstrap) => {
                if self.is_introduced() {
                    return Err(Refused::SecondBootstrap);
                }
                self.bootstrap = Bootstrap::Answered(bootstrap?.get_question_id());
                Ok(Verdict::Pass)
            }
            message::Call(call) => self.judge_call(call?, bytes),
            message::Finish(finish) => {
                if self.bootstrap != Bootstrap::Answered(finish?.get_question_id()) {
                    return Ok(Verdict::Swallow);
                }
                self.bootstrap = Bootstrap::Finished;
                Ok(Verdict::Pass)
            }
            // The interface is given back.
            message::Release(_) => Ok(Verdict::Pass),
            // Its text is the peer's and goes nowhere.
            message::Abort(_) => Ok(Verdict::End),
            _ => Err(Refused::Kind),
        }
    }

    fn judge_call(&mut self, call: call::Reader<'_>, bytes: usize) -> Result<Verdict, Refused> {
        match call.get_target()?.which()? {
            // capnp-rpc refuses every number but that of the one interface it gave out.
            message_target::ImportedCap(_) => {}
            message_target::PromisedAnswer(answer) => {
                let answer = answer?;
                let own = self.bootstrap == Bootstrap::Answered(answer.get_question_id());
                if !own || !answer.get_transform()?.is_empty() {
                    return Err(Refused::Target);
                }
            }
        }
        if !matches!(
            call.get_send_results_to().which()?,
            call::send_results_to::Caller(())
        ) || !call.get_params()?.get_cap_table()?.is_empty()
        {
            return Err(Refused::Capability);
        }
        let question = call.get_question_id();
        if self.open.contains_key(&question) || self.bootstrap == Bootstrap::Answered(question) {
            return Err(Refused::Question);
        }
        let stops = if stops(call.get_interface_id(), call.get_method_id()) {
            STOPS_IN_FLIGHT
        } else {
            0
        };
        if self.open.len() >= CALLS_IN_FLIGHT + stops {
            return Ok(Verdict::Overloaded(question));
        }
        self.open.insert(question, bytes);
        self.open_bytes = self.open_bytes.saturating_add(bytes);
        Ok(Verdict::Pass)
    }

    /// Notes a message that goes to the peer; says whether a call ended with it.
    pub(super) fn sent(&mut self, message: message::Reader<'_>) -> capnp::Result<bool> {
        let Ok(message::Return(answer)) = message.which() else {
            return Ok(false);
        };
        let answer = answer?;
        let question = answer.get_answer_id();
        let Some(bytes) = self.open.remove(&question) else {
            return Ok(false);
        };
        self.open_bytes = self.open_bytes.saturating_sub(bytes);
        // Results without capabilities close the entry by themselves; exceptions do not.
        if !matches!(answer.which(), Ok(return_::Results(_))) {
            self.owed.push(question);
        }
        Ok(true)
    }
}

/// Whether the method stops something: kill, pause, revokeSession, suspendAgent, terminateAgent, lock.
fn stops(interface: u64, method: u16) -> bool {
    match interface {
        common_capnp::common::Client::TYPE_ID => matches!(method, 8..=10 | 14..=15),
        admin_capnp::admin::Client::TYPE_ID => method == 2,
        _ => false,
    }
}

/// The answer to a call that finds no room. It says that no Finish is needed.
pub(super) fn overloaded(question: u32) -> capnp::message::Builder<capnp::message::HeapAllocator> {
    let allocator = capnp::message::HeapAllocator::new().first_segment_words(16);
    let mut answer = capnp::message::Builder::new(allocator);
    let mut body = answer.init_root::<message::Builder<'_>>().init_return();
    body.set_answer_id(question);
    body.set_release_param_caps(false);
    body.set_no_finish_needed(true);
    let mut exception = body.init_exception();
    exception.set_type(capnp_rpc::rpc_capnp::exception::Type::Overloaded);
    exception.set_reason(waiaas_shared::denial::Code::Overloaded.as_str());
    answer
}

/// The Finish that the gate sends for an answered call.
pub(super) fn finish(question: u32) -> capnp::message::Builder<capnp::message::HeapAllocator> {
    let allocator = capnp::message::HeapAllocator::new().first_segment_words(8);
    let mut finish = capnp::message::Builder::new(allocator);
    let mut body = finish.init_root::<message::Builder<'_>>().init_finish();
    body.set_question_id(question);
    body.set_release_result_caps(true);
    finish
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
