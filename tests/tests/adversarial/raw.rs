//! Cap'n Proto by hand: frames built, spoilt and read without a client, so that nothing of an honest
//! peer stands between the attacker and the socket.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use capnp::message::Builder;
use capnp::traits::HasTypeId as _;
use capnp_rpc::rpc_capnp::{call, message, return_};
use waiaas_client::SpendRequest;
use waiaas_schema::types_capnp::outcome;
use waiaas_schema::{common_capnp, gateway_capnp};
use waiaas_shared::ids::{StatementId, TransactionId};
use waiaas_shared::statement::verify::OwnerSignature;

use crate::stand::{GATEWAY_UID, as_user};

/// First bytes of a connection that carries Cap'n Proto.
pub(crate) const PREFACE: &[u8; 8] = b"WAIASRPC";

/// What came back for a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The method does not exist.
    Unimplemented,
    /// An exception, with its text.
    Refused(String),
    /// Results; signed bytes, if the frame holds a payment that left.
    Results(Option<Vec<u8>>),
}

/// A connection as the gateway's user, with everything that came over it.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: UnixStream,
    /// What was read and not yet understood as frames.
    pending: Vec<u8>,
    /// All that was read.
    pub(crate) captured: Vec<u8>,
}

impl Wire {
    /// Connects and says what the connection is for.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut wire = Self::silent(path, GATEWAY_UID)?;
        // A signer without a free place closes at once; that shows when answers are awaited.
        let _ = wire.stream.write_all(PREFACE);
        Ok(wire)
    }

    /// Connects as a user and says nothing.
    pub(crate) fn silent(path: &Path, uid: u32) -> Result<Self> {
        Ok(Self {
            stream: as_user(uid, || UnixStream::connect(path))??,
            pending: Vec::new(),
            captured: Vec::new(),
        })
    }

    /// Connects and asks for the interface.
    pub(crate) fn introduced(path: &Path) -> Result<Self> {
        let mut wire = Self::open(path)?;
        wire.stream.write_all(&bootstrap(0))?;
        wire.answer_to(0, Duration::from_secs(10))?;
        Ok(wire)
    }

    /// Writes until the other side stops reading for so long; says whether it still reads.
    pub(crate) fn push(&mut self, bytes: &[u8], patience: Duration) -> bool {
        self.stream.set_write_timeout(Some(patience)).is_ok()
            && self.stream.write_all(bytes).is_ok()
    }

    /// Reads once, waiting at most so long; says whether the connection is open.
    fn read(&mut self, patience: Duration) -> Result<bool> {
        self.stream.set_read_timeout(Some(patience))?;
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                let bytes = buffer.get(..count).context("what was read")?;
                self.pending.extend_from_slice(bytes);
                self.captured.extend_from_slice(bytes);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// Reads until so many answers have come, or the connection ends, or the time is over.
    pub(crate) fn answers(
        &mut self,
        wanted: usize,
        patience: Duration,
    ) -> Result<Vec<(u32, Answer)>> {
        let deadline = Instant::now() + patience;
        let mut answers = Vec::new();
        loop {
            while let Some(frame) = self.frame()? {
                answers.extend(read_answer(&frame)?);
            }
            if answers.len() >= wanted || Instant::now() >= deadline {
                return Ok(answers);
            }
            if !self.read(Duration::from_millis(50))? {
                return Ok(answers);
            }
        }
    }

    /// One answer to this question; others are dropped.
    pub(crate) fn answer_to(&mut self, question: u32, patience: Duration) -> Result<Answer> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let open = self.read(Duration::from_millis(20))?;
            while let Some(frame) = self.frame()? {
                if let Some((given, answer)) = read_answer(&frame)?
                    && given == question
                {
                    return Ok(answer);
                }
            }
            if !open {
                bail!("the connection ended");
            }
        }
        bail!("no answer to question {question}")
    }

    /// Whether the other side closes within this time; what it sends until then is kept.
    pub(crate) fn closes(&mut self, patience: Duration) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if !self.read(Duration::from_millis(20))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(length) = frame_length(&self.pending) else {
            return Ok(None);
        };
        if self.pending.len() < length {
            return Ok(None);
        }
        let rest = self.pending.split_off(length);
        Ok(Some(std::mem::replace(&mut self.pending, rest)))
    }
}

fn frame_length(bytes: &[u8]) -> Option<usize> {
    let entry = |place: usize| {
        let bytes = bytes.get(place * 4..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let segments = entry(0)? + 1;
    let mut total = (4 * (segments + 1)).next_multiple_of(8);
    for segment in 1..=segments {
        total += entry(segment)? * 8;
    }
    Some(total)
}

fn read_answer(frame: &[u8]) -> Result<Option<(u32, Answer)>> {
    let mut options = capnp::message::ReaderOptions::new();
    options.traversal_limit_in_words(None);
    let reader = capnp::serialize::read_message(frame, options)?;
    let message::Return(answer) = reader.get_root::<message::Reader<'_>>()?.which()? else {
        return Ok(None);
    };
    let answer = answer?;
    let read = match answer.which()? {
        return_::Exception(exception) => {
            let exception = exception?;
            if exception.get_type()? == capnp_rpc::rpc_capnp::exception::Type::Unimplemented {
                Answer::Unimplemented
            } else {
                Answer::Refused(exception.get_reason()?.to_string()?)
            }
        }
        return_::Results(results) => {
            let content = results?.get_content();
            // Whatever the method was: if it can be read as a payment that left, it is one.
            let signed = content
                .get_as::<gateway_capnp::gateway::sign_results::Reader<'_>>()
                .ok()
                .and_then(|results| results.get_outcome().ok())
                .filter(|outcome| names_a_transaction(*outcome))
                .and_then(|outcome| match outcome.which() {
                    Ok(outcome::Signed(signed)) => Some(signed.get_raw().ok()?.to_vec()),
                    _ => None,
                })
                .filter(|raw| !raw.is_empty());
            Answer::Results(signed)
        }
        _ => Answer::Refused("another kind of return".to_owned()),
    };
    Ok(Some((answer.get_answer_id(), read)))
}

/// Whether a structure is an outcome, and not an answer of another method read as one.
fn names_a_transaction(outcome: outcome::Reader<'_>) -> bool {
    let name = outcome.get_transaction().ok();
    let name = name.and_then(|name| name.to_str().ok());
    name.is_some_and(|name| name.parse::<TransactionId>().is_ok())
}

/// Tallies answers.
pub(crate) fn tally(answers: &[(u32, Answer)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, answer) in answers {
        let name = match answer {
            Answer::Unimplemented => "unimplemented".to_owned(),
            Answer::Refused(text) => text.clone(),
            Answer::Results(Some(_)) => "signed".to_owned(),
            Answer::Results(None) => "results".to_owned(),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

// ---- frames ----

pub(crate) fn frame(fill: impl FnOnce(message::Builder<'_>)) -> Vec<u8> {
    let mut message = Builder::new_default();
    fill(message.init_root());
    capnp::serialize::write_message_to_words(&message)
}

pub(crate) fn bootstrap(question: u32) -> Vec<u8> {
    frame(|body| body.init_bootstrap().set_question_id(question))
}

pub(crate) fn finish(question: u32) -> Vec<u8> {
    frame(|body| body.init_finish().set_question_id(question))
}

pub(crate) fn call(
    question: u32,
    interface: u64,
    method: u16,
    params: impl FnOnce(call::Builder<'_>),
) -> Vec<u8> {
    frame(|body| {
        let mut call = body.init_call();
        call.set_question_id(question);
        call.set_interface_id(interface);
        call.set_method_id(method);
        call.reborrow().init_target().set_imported_cap(0);
        params(call);
    })
}

/// A call without parameters.
pub(crate) fn bare(question: u32, interface: u64, method: u16) -> Vec<u8> {
    call(question, interface, method, |call| {
        call.init_params();
    })
}

/// `status`.
pub(crate) fn status(question: u32) -> Vec<u8> {
    bare(question, common_capnp::common::Client::TYPE_ID, 0)
}

/// `kill`.
pub(crate) fn kill(question: u32) -> Vec<u8> {
    bare(question, common_capnp::common::Client::TYPE_ID, 10)
}

/// A page of events after a wait.
pub(crate) fn events(question: u32, after: u64, wait_millis: u32) -> Vec<u8> {
    call(question, common_capnp::common::Client::TYPE_ID, 1, |call| {
        let params = call.init_params().get_content();
        let mut params = params.init_as::<common_capnp::common::events_params::Builder<'_>>();
        params.set_after(after);
        params.set_max_bytes(u32::MAX);
        params.set_wait_millis(wait_millis);
    })
}

/// `sign` (1) or `decide` (0) with a request.
pub(crate) fn payment(question: u32, method: u16, spend: &SpendRequest) -> Vec<u8> {
    call(
        question,
        gateway_capnp::gateway::Client::TYPE_ID,
        method,
        |call| {
            let params = call.init_params().get_content();
            let mut request = params
                .init_as::<gateway_capnp::gateway::sign_params::Builder<'_>>()
                .init_request();
            request.set_session(spend.session.to_string());
            request.set_method(&spend.method);
            request.set_path(&spend.path);
            request.set_query(&spend.query);
            request.set_idempotency_key(&spend.idempotency_key);
            request.set_body(&spend.body);
            request.set_signature_input(&spend.signature_input);
            request.set_signature(&spend.signature);
            request.set_unsigned(&spend.unsigned);
        },
    )
}

/// `release` of a payment that waited.
pub(crate) fn release(question: u32, transaction: TransactionId, unsigned: &[u8]) -> Vec<u8> {
    call(
        question,
        gateway_capnp::gateway::Client::TYPE_ID,
        3,
        |call| {
            let params = call.init_params().get_content();
            let mut params =
                params.init_as::<gateway_capnp::gateway::release_params::Builder<'_>>();
            params.set_transaction(transaction.to_string());
            params.set_unsigned(unsigned);
        },
    )
}

/// `submitStatement` with these signatures, under whatever names.
pub(crate) fn submission(
    question: u32,
    statement: StatementId,
    signatures: &[(&str, &OwnerSignature)],
) -> Vec<u8> {
    call(question, common_capnp::common::Client::TYPE_ID, 7, |call| {
        let params = call.init_params().get_content();
        let mut params =
            params.init_as::<common_capnp::common::submit_statement_params::Builder<'_>>();
        params.set_statement(statement.to_string());
        let mut list = params.init_signatures(u32::try_from(signatures.len()).unwrap_or(0));
        for (place, (owner, signature)) in (0..).zip(signatures) {
            let mut one = list.reborrow().get(place);
            one.set_owner(*owner);
            one.set_envelope(signature.envelope.as_str());
            one.set_signature(&signature.signature);
        }
    })
}

/// SplitMix64: the same mutations in every run.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }
}
