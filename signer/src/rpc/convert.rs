//! Wire to domain, once, and back: every reader is parsed here into values of `shared` and the
//! signer's own requests, strictly (identifiers, sizes, enums, and nothing that this version does not
//! know); readers go no further. Decides nothing. Called by the methods of both sockets.

mod session;

use capnp::traits::{HasStructSize, IntoInternalStructReader};
use waiaas_schema::{BODY_LIMIT_BYTES, types_capnp};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::Family;
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::policy::document;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::transaction::EvmFees;

use crate::authority::ask::{Drafted, EventsAnswer, Paid, Signed, Status, Verdict};
use crate::core::command::SpendRequest;

pub(super) use self::session::{
    session_request, write_authorized, write_renewed, write_signed_in, write_would_authorize,
    write_would_sign_in,
};

/// Owner signatures with one statement, at most.
const SIGNATURES_LIMIT: u32 = 16;
/// The longest owner signature, in bytes.
const SIGNATURE_LIMIT_BYTES: usize = 128;
/// Networks of one wallet, at most.
const NETWORKS_LIMIT: u32 = 16;
/// The longest text of an identifier, name or component of an HTTP request line, in bytes.
const TEXT_LIMIT_BYTES: usize = 2048;
/// The longest `Signature-Input` or `Signature` header, in bytes.
const HEADER_LIMIT_BYTES: usize = 4096;
/// The largest facts: those of a policy, its document inside.
const FACTS_LIMIT_BYTES: usize = document::LIMIT_BYTES + 1024;
/// What a page of events may take of a frame, in bytes.
pub(super) const PAGE_LIMIT_BYTES: usize = 384 * 1024;

/// Parameters that no honest client sends. The answer names the field and repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// Not a readable Cap'n Proto structure.
    #[error("malformed: the message cannot be read")]
    Structure,
    /// A newer peer's fields: they might change what the rest means.
    #[error("malformed: fields that this version does not know")]
    UnknownFields,
    /// This field is too long, or not of its form.
    #[error("malformed: {0}")]
    Field(&'static str),
}

impl From<capnp::Error> for Malformed {
    fn from(_: capnp::Error) -> Self {
        Self::Structure
    }
}

impl From<Malformed> for capnp::Error {
    fn from(malformed: Malformed) -> Self {
        Self::failed(malformed.to_string())
    }
}

/// Why a request is not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Not a request at all.
    Malformed(Malformed),
    /// A request that is refused, with its reasons.
    Denied(Denial),
}

impl From<Malformed> for Unfit {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<capnp::Error> for Unfit {
    fn from(_: capnp::Error) -> Self {
        Self::Malformed(Malformed::Structure)
    }
}

impl From<Code> for Unfit {
    fn from(code: Code) -> Self {
        Self::Denied(code.into())
    }
}

/// Refuses a structure with sections larger than this version of it has: Cap'n Proto would ignore
/// the rest, and nothing that a signature depends on is ignored.
pub(super) fn known<'a, Own: HasStructSize>(
    reader: impl IntoInternalStructReader<'a> + Copy,
) -> Result<(), Malformed> {
    let size = Own::STRUCT_SIZE;
    let data = capnp::raw::get_struct_data_section(reader).len();
    let pointers = capnp::raw::get_struct_pointer_section(reader).len();
    if data > usize::from(size.data) * 8 || pointers > u32::from(size.pointers) {
        return Err(Malformed::UnknownFields);
    }
    Ok(())
}

/// A text of at most so many bytes.
fn text_up_to<'a>(
    text: capnp::text::Reader<'a>,
    limit: usize,
    field: &'static str,
) -> Result<&'a str, Malformed> {
    let text = text.to_str().map_err(|_| Malformed::Field(field))?;
    if text.len() > limit {
        Err(Malformed::Field(field))
    } else {
        Ok(text)
    }
}

/// A value in its text form.
pub(super) fn parsed<T: std::str::FromStr>(
    text: capnp::text::Reader<'_>,
    field: &'static str,
) -> Result<T, Malformed> {
    text_up_to(text, TEXT_LIMIT_BYTES, field)?
        .parse()
        .map_err(|_| Malformed::Field(field))
}

/// A value in its text form, or nothing for the empty text.
pub(super) fn parsed_if_any<T: std::str::FromStr>(
    text: capnp::text::Reader<'_>,
    field: &'static str,
) -> Result<Option<T>, Malformed> {
    if text.is_empty() {
        Ok(None)
    } else {
        parsed(text, field).map(Some)
    }
}

/// A chain family.
pub(super) fn family(text: capnp::text::Reader<'_>) -> Result<Family, Malformed> {
    match text_up_to(text, TEXT_LIMIT_BYTES, "family")? {
        "solana" => Ok(Family::Solana),
        "evm" => Ok(Family::Evm),
        _ => Err(Malformed::Field("family")),
    }
}

/// Names of networks.
pub(super) fn networks<T: std::str::FromStr>(
    list: capnp::text_list::Reader<'_>,
) -> Result<Vec<T>, Malformed> {
    if list.len() > NETWORKS_LIMIT {
        return Err(Malformed::Field("networks"));
    }
    list.iter().map(|text| parsed(text?, "networks")).collect()
}

/// An envelope.
pub(super) fn envelope(text: capnp::text::Reader<'_>) -> Result<Envelope, Malformed> {
    let text = text_up_to(text, TEXT_LIMIT_BYTES, "envelope")?;
    Envelope::from_text(text).ok_or(Malformed::Field("envelope"))
}

/// The bytes of an owner's signature.
pub(super) fn signature(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    if bytes.len() > SIGNATURE_LIMIT_BYTES {
        return Err(Malformed::Field("signature"));
    }
    Ok(bytes.to_vec())
}

/// Owners' signatures.
pub(super) fn signatures(
    list: capnp::struct_list::Reader<'_, types_capnp::owner_signature::Owned>,
) -> Result<Vec<OwnerSignature>, Malformed> {
    if list.len() > SIGNATURES_LIMIT {
        return Err(Malformed::Field("signatures"));
    }
    list.iter()
        .map(|reader| {
            known::<types_capnp::owner_signature::Builder<'_>>(reader)?;
            Ok(OwnerSignature {
                owner: parsed(reader.get_owner()?, "owner")?,
                envelope: envelope(reader.get_envelope()?)?,
                signature: signature(reader.get_signature()?)?,
            })
        })
        .collect()
}

/// What an owner wants to say.
pub(super) fn facts(bytes: &[u8]) -> Result<StatementFacts, Unfit> {
    if bytes.len() > FACTS_LIMIT_BYTES {
        return Err(Code::StatementMalformed.into());
    }
    from_canonical(bytes).map_err(|_| Code::StatementMalformed.into())
}

/// A proposed transaction.
pub(super) fn unsigned(bytes: &[u8]) -> Result<Vec<u8>, Code> {
    if bytes.len() > BODY_LIMIT_BYTES {
        Err(Code::BodyTooLarge)
    } else {
        Ok(bytes.to_vec())
    }
}

/// Fee settings of an EVM transaction.
pub(super) fn evm_fees(reader: types_capnp::evm_fees::Reader<'_>) -> Result<EvmFees, Malformed> {
    known::<types_capnp::evm_fees::Builder<'_>>(reader)?;
    Ok(EvmFees {
        gas_limit: reader.get_gas_limit(),
        max_fee_per_gas: wei(reader.get_max_fee_per_gas()?, "maxFeePerGas")?,
        max_priority_fee_per_gas: wei(
            reader.get_max_priority_fee_per_gas()?,
            "maxPriorityFeePerGas",
        )?,
    })
}

/// A price in its only text form.
fn wei(text: capnp::text::Reader<'_>, field: &'static str) -> Result<u128, Malformed> {
    parsed::<Amount>(text, field).map(Amount::base_units)
}

/// An agent's request.
pub(super) fn spend(
    reader: types_capnp::spend_request::Reader<'_>,
    dry_run: bool,
) -> Result<SpendRequest, Unfit> {
    known::<types_capnp::spend_request::Builder<'_>>(reader)?;
    let line = |text: capnp::text::Reader<'_>, field| {
        text_up_to(text, TEXT_LIMIT_BYTES, field).map(str::to_owned)
    };
    let header = |text: capnp::text::Reader<'_>, field| {
        text_up_to(text, HEADER_LIMIT_BYTES, field).map(str::to_owned)
    };
    let body = reader.get_body()?;
    if body.len() > BODY_LIMIT_BYTES {
        return Err(Code::BodyTooLarge.into());
    }
    Ok(SpendRequest {
        session: parsed(reader.get_session()?, "session")?,
        method: line(reader.get_method()?, "method")?,
        path: line(reader.get_path()?, "path")?,
        query: line(reader.get_query()?, "query")?,
        idempotency_key: line(reader.get_idempotency_key()?, "idempotencyKey")?,
        body: body.to_vec(),
        signature_input: header(reader.get_signature_input()?, "signatureInput")?,
        signature: header(reader.get_signature()?, "signature")?,
        unsigned: unsigned(reader.get_unsigned()?)?,
        used: None,
        replaced: None,
        dry_run,
    })
}

type ViolationList<'a> = capnp::struct_list::Builder<'a, types_capnp::violation::Owned>;

/// Every rule that was broken, into the list that `init` makes.
pub(super) fn write_violations<'a>(denial: &Denial, init: impl FnOnce(u32) -> ViolationList<'a>) {
    let violations = denial.violations();
    let mut list = init(u32::try_from(violations.len()).unwrap_or(u32::MAX));
    for (place, violation) in (0..).zip(violations) {
        let mut entry = list.reborrow().get(place);
        entry.set_code(violation.code.as_str());
        if let Some(asset) = violation.asset {
            entry.set_asset(asset.to_string());
        }
        if let Some(observed) = violation.observed {
            entry.set_observed(observed.to_string());
        }
        if let Some(allowed) = violation.allowed {
            entry.set_allowed(allowed.to_string());
        }
        // 0 on the wire says that waiting does not help.
        entry.set_retry_after_millis(violation.retry_after.map_or(0, |wait| wait.millis().max(1)));
        entry.set_argument(violation.argument.unwrap_or(0));
    }
}

/// The answer to a payment request.
pub(super) fn write_paid(
    answer: &Result<Paid, Denial>,
    mut outcome: types_capnp::outcome::Builder<'_>,
) {
    match answer {
        Ok(Paid::Signed(payment)) => write_signed(payment, outcome),
        Ok(Paid::Waiting(view, sequence)) => {
            outcome.set_transaction(view.intent.transaction.to_string());
            outcome.set_sequence(*sequence);
            outcome.set_waiting(&to_canonical(view.as_ref()));
        }
        Err(denial) => write_violations(denial, |length| outcome.init_denied(length)),
    }
}

/// The answer to a release, or to a payment asked for by its name.
pub(super) fn write_outcome(
    answer: &Result<Signed, Denial>,
    outcome: types_capnp::outcome::Builder<'_>,
) {
    match answer {
        Ok(payment) => write_signed(payment, outcome),
        Err(denial) => write_violations(denial, |length| outcome.init_denied(length)),
    }
}

fn write_signed(payment: &Signed, mut outcome: types_capnp::outcome::Builder<'_>) {
    outcome.set_transaction(payment.transaction.to_string());
    outcome.set_sequence(payment.sequence);
    let mut signed = outcome.init_signed();
    signed.set_raw(&payment.raw);
    signed.set_chain_transaction(&payment.chain_transaction);
    signed.set_tier(payment.tier.as_str());
    signed.set_replay(payment.replay);
}

/// The answer to a dry run.
pub(super) fn write_verdict(
    answer: &Result<Verdict, Denial>,
    verdict: types_capnp::verdict::Builder<'_>,
) {
    match answer {
        Ok(passes) => {
            let mut allowed = verdict.init_allowed();
            allowed.set_tier(passes.tier.as_str());
            allowed.set_fee(passes.fee.to_string());
        }
        Err(denial) => write_violations(denial, |length| verdict.init_denied(length)),
    }
}

/// The answer to a draft.
pub(super) fn write_draft(
    answer: &Result<Drafted, Denial>,
    draft: types_capnp::draft::Builder<'_>,
) {
    match answer {
        Ok(drafted) => {
            let mut issued = draft.init_issued();
            issued.set_statement(drafted.statement.to_string());
            issued.set_text(&drafted.text);
        }
        Err(denial) => write_violations(denial, |length| draft.init_denied(length)),
    }
}

/// The answer to a statement: its event, and the transaction of a withdrawal.
pub(super) fn write_submitted(
    answer: &Result<(u64, Option<Signed>), Denial>,
    result: types_capnp::submit_result::Builder<'_>,
) {
    match answer {
        Ok((sequence, withdrawal)) => {
            let mut accepted = result.init_accepted();
            accepted.set_sequence(*sequence);
            if let Some(signed) = withdrawal {
                accepted.set_raw(&signed.raw);
                accepted.set_chain_transaction(&signed.chain_transaction);
            }
        }
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}

/// The signer's state; what the rpc thread adds to it comes separately.
pub(super) fn write_status(status: &Status, builder: &mut types_capnp::status::Builder<'_>) {
    builder.set_initialized(status.signer.is_some());
    if let Some(signer) = status.signer {
        builder.set_signer_id(signer.to_string());
    }
    builder.set_unlocked(status.unlocked);
    builder.set_kill(status.kill);
    builder.set_kill_epoch(status.kill_epoch);
    builder.set_frozen(status.frozen);
    builder.set_clock_closed(status.clock_closed);
    builder.set_policy_epoch(status.policy_epoch);
    builder.set_sequence(status.sequence);
    builder.set_head(&status.head);
    builder.set_unlock_failures(status.unlock_failures);
    builder.set_retired(status.retired);
    builder.set_owner_changes(status.owner_changes);
    builder.set_has_dead_man(status.dead_man_left.is_some());
    builder.set_dead_man_millis_left(status.dead_man_left.unwrap_or_default().millis());
    builder.set_dead_man_paused(status.dead_man_paused);
    builder.set_suspended_sessions(status.suspended);
    let causes = u32::try_from(status.frozen_by.len()).unwrap_or(0);
    let mut list = builder.reborrow().init_frozen_by(causes);
    for (place, cause) in (0..causes).zip(&status.frozen_by) {
        list.set(place, cause.as_str());
    }
}

/// A page of events: as many of them, from the first, as a frame holds.
pub(super) fn write_page(answer: &EventsAnswer, mut builder: types_capnp::event_page::Builder<'_>) {
    let EventsAnswer { page, last } = answer;
    let mut left = PAGE_LIMIT_BYTES;
    let mut heads = page.heads.iter().peekable();
    let (mut events_fit, mut heads_fit) = (0_u32, 0_u32);
    for event in &page.events {
        // Structure, pointers, hash and padding take less than 80 bytes beside the body.
        let mut cost = event.body.len().saturating_add(80);
        let mut ended = 0;
        while let Some((_, note)) = heads.next_if(|(sequence, _)| *sequence <= event.sequence) {
            cost = cost.saturating_add(note.len().saturating_add(24));
            ended += 1;
        }
        // At least one: a page always goes on.
        if cost > left && events_fit > 0 {
            break;
        }
        left = left.saturating_sub(cost);
        events_fit += 1;
        heads_fit += ended;
    }
    builder.set_last(*last);
    let mut list = builder.reborrow().init_events(events_fit);
    for (place, event) in (0..events_fit).zip(&page.events) {
        let mut entry = list.reborrow().get(place);
        entry.set_sequence(event.sequence);
        entry.set_body(&event.body);
        entry.set_hash(event.hash.as_bytes());
    }
    let mut list = builder.init_heads(heads_fit);
    for (place, (_, note)) in (0..heads_fit).zip(&page.heads) {
        list.set(place, note);
    }
}

/// Byte strings, if they fit a frame together.
pub(super) fn fits<'a>(parts: impl IntoIterator<Item = &'a Vec<u8>>) -> Result<(), capnp::Error> {
    let total = parts.into_iter().fold(0_usize, |sum, part| {
        sum.saturating_add(part.len().saturating_add(16))
    });
    if total > PAGE_LIMIT_BYTES {
        return Err(capnp::Error::failed(
            "the answer is too large for a frame".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
