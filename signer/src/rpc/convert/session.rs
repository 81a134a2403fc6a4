//! Requests of a session that carry no transaction, and their answers: its renewal, its logins, its
//! authorizations of transfers.

use waiaas_schema::{BODY_LIMIT_BYTES, types_capnp};
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::{Code, Denial};
use waiaas_shared::policy::evaluate::Tier;

use super::{
    HEADER_LIMIT_BYTES, TEXT_LIMIT_BYTES, Unfit, known, parsed, text_up_to, write_violations,
};
use crate::authority::ask::{Authorized, Renewed, SignedIn};
use crate::core::command::SessionRequest;

/// An agent's request.
pub(in crate::rpc) fn session_request(
    reader: types_capnp::session_request::Reader<'_>,
) -> Result<SessionRequest, Unfit> {
    known::<types_capnp::session_request::Builder<'_>>(reader)?;
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
    Ok(SessionRequest {
        session: parsed(reader.get_session()?, "session")?,
        method: line(reader.get_method()?, "method")?,
        path: line(reader.get_path()?, "path")?,
        query: line(reader.get_query()?, "query")?,
        idempotency_key: line(reader.get_idempotency_key()?, "idempotencyKey")?,
        body: body.to_vec(),
        signature_input: header(reader.get_signature_input()?, "signatureInput")?,
        signature: header(reader.get_signature()?, "signature")?,
    })
}

/// The answer to a renewal.
pub(in crate::rpc) fn write_renewed(
    answer: &Result<Renewed, Denial>,
    result: types_capnp::renew_result::Builder<'_>,
) {
    match answer {
        Ok(session) => {
            let mut renewed = result.init_renewed();
            renewed.set_sequence(session.sequence);
            renewed.set_ends_unix_millis(session.ends.millis());
        }
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}

/// The answer to a login.
pub(in crate::rpc) fn write_signed_in(
    answer: &Result<SignedIn, Denial>,
    mut result: types_capnp::sign_in_result::Builder<'_>,
) {
    match answer {
        Ok(login) => {
            result.set_message(login.message.to_string());
            result.set_sequence(login.sequence);
            let mut signed = result.init_signed();
            signed.set_text(&login.signed.text);
            signed.set_payload(&login.signed.payload);
            signed.set_signature(&login.signed.signature);
            signed.set_tier(login.tier.as_str());
            signed.set_replay(login.replay);
        }
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}

/// The answer to a login's dry run.
pub(in crate::rpc) fn write_would_sign_in(
    answer: &Result<Tier, Denial>,
    mut result: types_capnp::sign_in_result::Builder<'_>,
) {
    match answer {
        Ok(tier) => result.set_would_sign(tier.as_str()),
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}

/// The answer to an authorization.
pub(in crate::rpc) fn write_authorized(
    answer: &Result<Authorized, Denial>,
    mut result: types_capnp::authorization_result::Builder<'_>,
) {
    match answer {
        Ok(authorized) => {
            result.set_transaction(authorized.transaction.to_string());
            result.set_sequence(authorized.sequence);
            let mut signed = result.init_signed();
            signed.set_authorization(&to_canonical(&authorized.signed.fields));
            signed.set_signature(&authorized.signed.signature);
            signed.set_tier(authorized.tier.as_str());
            signed.set_replay(authorized.replay);
        }
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}

/// The answer to an authorization's dry run.
pub(in crate::rpc) fn write_would_authorize(
    answer: &Result<Tier, Denial>,
    mut result: types_capnp::authorization_result::Builder<'_>,
) {
    match answer {
        Ok(tier) => result.set_would_sign(tier.as_str()),
        Err(denial) => write_violations(denial, |length| result.init_denied(length)),
    }
}
