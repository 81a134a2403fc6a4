//! Stage 2, authenticate: the session can be used, and a request of a session that is bound to an
//! agent's key carries that key's HTTP Message Signature (RFC 9421). Early only: the signer verifies
//! the same bytes again and remembers nonces (invariant 18). Called by the extractors of `http::auth`,
//! and by the pipeline where a payment request was not accepted: the signature of one that was is the
//! signer's to verify, so that an accepted payment costs one verification.

use axum::body::Bytes;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_shared::request_signature::{
    self, Parameters, Request, RequestSignatureError, SignedRequest, VerifiedRequest,
    content_digest,
};
use waiaas_shared::session::Credential;
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::SessionState;

use crate::views::KnownSession;

/// How far a signature's creation may lie from our time, either way; the signer's own value.
pub const SKEW: Millis = Millis::from_secs(120);

/// A request as an agent made it, to be passed on to the signer byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentRequest {
    /// `@method`.
    pub method: String,
    /// `@path`.
    pub path: String,
    /// `@query`, with its leading `?`.
    pub query: String,
    /// `Idempotency-Key`; empty if absent.
    pub idempotency_key: String,
    /// `Content-Digest`; empty if absent.
    pub content_digest: String,
    /// `Signature-Input`; empty if absent.
    pub signature_input: String,
    /// `Signature`; empty if absent.
    pub signature: String,
    /// The body, untouched.
    pub body: Bytes,
}

/// Why a request does not belong to its session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticateError {
    /// The session cannot be used.
    #[error("{0}")]
    Session(Code),
    /// The session is bound to a key and the request carries no signature.
    #[error("the request carries no signature")]
    Missing,
    /// Another body than the one whose digest stands in the request.
    #[error("Content-Digest is missing or not this body's")]
    Digest,
    /// The signature breaks a rule.
    #[error("{error}")]
    Signature {
        /// Which rule.
        error: RequestSignatureError,
        /// What was expected to be signed, where the parameters could be read.
        expected: Option<String>,
    },
    /// Created too far from our time.
    #[error("created too far from the server's time")]
    Skew,
}

/// Whether the session may be used now.
///
/// # Errors
/// [`AuthenticateError::Session`].
pub fn usable(session: &KnownSession, now: WallTime) -> Result<(), AuthenticateError> {
    match session.state {
        SessionState::Revoked => Err(AuthenticateError::Session(Code::SessionRevoked)),
        SessionState::Expired => Err(AuthenticateError::Session(Code::SessionExpired)),
        SessionState::Active | SessionState::Suspended if session.ends <= now => {
            Err(AuthenticateError::Session(Code::SessionExpired))
        }
        // It may still be read, and stop what is its own; what it may not is the pipeline's to say.
        SessionState::Active | SessionState::Suspended => Ok(()),
    }
}

/// Checks a mutating request: nothing more for a bearer session, the agent's signature for a bound one.
///
/// # Errors
/// [`AuthenticateError`].
pub fn authenticate(
    session: &KnownSession,
    request: &AgentRequest,
    now: WallTime,
) -> Result<Option<VerifiedRequest>, AuthenticateError> {
    usable(session, now)?;
    match &session.grant.credential {
        Credential::Bearer(_) => Ok(None),
        Credential::AgentKey(_) => prove(session, request, now).map(Some),
    }
}

/// Everything that [`authenticate`] checks but the signature itself, for a request that goes to the
/// signer, whose verification counts.
///
/// # Errors
/// [`AuthenticateError`].
pub fn complete(
    session: &KnownSession,
    request: &AgentRequest,
    now: WallTime,
) -> Result<(), AuthenticateError> {
    usable(session, now)?;
    match &session.grant.credential {
        Credential::Bearer(_) => Ok(()),
        Credential::AgentKey(_) => {
            present(request)?;
            let parameters = Parameters::parse(&request.signature_input)
                .map_err(|error| request.broken(error))?;
            let (created, named) = (parameters.created_seconds(), parameters.session());
            consistent(session, request, named, created, now)
        }
    }
}

/// Checks that the session's agent key signed the request.
///
/// # Errors
/// [`AuthenticateError`].
pub fn prove(
    session: &KnownSession,
    request: &AgentRequest,
    now: WallTime,
) -> Result<VerifiedRequest, AuthenticateError> {
    let Credential::AgentKey(key) = &session.grant.credential else {
        return Err(AuthenticateError::Missing);
    };
    present(request)?;
    let signed = SignedRequest {
        request: request.covered(),
        signature_input: &request.signature_input,
        signature: &request.signature,
    };
    let verified =
        request_signature::verify(&signed, key).map_err(|error| request.broken(error))?;
    let (created, named) = (verified.created_seconds, verified.session);
    consistent(session, request, named, created, now)?;
    Ok(verified)
}

fn present(request: &AgentRequest) -> Result<(), AuthenticateError> {
    if request.signature.is_empty() || request.signature_input.is_empty() {
        return Err(AuthenticateError::Missing);
    }
    Ok(())
}

/// What the signature's parameters say fits the session, the body and our time.
fn consistent(
    session: &KnownSession,
    request: &AgentRequest,
    named: SessionId,
    created_seconds: u64,
    now: WallTime,
) -> Result<(), AuthenticateError> {
    if named != session.id {
        return Err(request.broken(RequestSignatureError::KeyId));
    }
    // The field itself is covered in its computed form only; a request whose field says something
    // else was changed on its way or made by a broken client.
    if request.content_digest != content_digest(&request.body) {
        return Err(AuthenticateError::Digest);
    }
    let created = WallTime::from_millis(created_seconds.saturating_mul(1000));
    if created.since(now).max(now.since(created)) > SKEW {
        return Err(AuthenticateError::Skew);
    }
    Ok(())
}

impl AgentRequest {
    /// The parts that a signature covers.
    #[must_use]
    pub fn covered(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            body: &self.body,
            idempotency_key: &self.idempotency_key,
        }
    }

    fn broken(&self, error: RequestSignatureError) -> AuthenticateError {
        AuthenticateError::Signature {
            error,
            expected: self.expected_base(),
        }
    }

    fn expected_base(&self) -> Option<String> {
        let parameters = Parameters::parse(&self.signature_input).ok()?;
        request_signature::signature_base(&self.covered(), &parameters).ok()
    }
}
