//! HTTP Message Signatures (RFC 9421) of agents, narrowed to one profile with exactly one form: one
//! signature named `waiaas`, five covered components in fixed order, five parameters in fixed order
//! (invariant 18). The signer verifies and is the authority; the gateway verifies what the signer does
//! not accept or does not see; clients sign. Nothing here reads a clock or remembers a nonce:
//! the caller judges `created` and `nonce`, and compares method and path with the route it serves.

mod base;
mod error;
mod parameters;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

pub use base::{Request, content_digest};
pub use error::RequestSignatureError;
pub use parameters::{Parameters, RequestNonce};

use crate::digest::{Digest, Domain, hash};
use crate::ids::SessionId;
use crate::keys::AgentKey;

/// Name of the signature in both header fields.
pub const LABEL: &str = "waiaas";

/// A request as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedRequest<'a> {
    /// What the signature covers.
    pub request: Request<'a>,
    /// The whole value of the `Signature-Input` field.
    pub signature_input: &'a str,
    /// The whole value of the `Signature` field.
    pub signature: &'a str,
}

/// A request that this agent's key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRequest {
    /// When the agent says it signed: Unix time, seconds. The caller judges it.
    pub created_seconds: u64,
    /// To be remembered until it expires. The caller does.
    pub nonce: RequestNonce,
    /// The session whose key this is.
    pub session: SessionId,
    /// Digest of the body, of [`Domain::RequestBody`].
    pub body_digest: Digest,
}

/// Verifies a request against the key of the session that it names ([`Parameters::parse`] tells the
/// session before).
///
/// # Errors
/// [`RequestSignatureError`]: the first rule that does not hold.
pub fn verify(
    signed: &SignedRequest<'_>,
    key: &AgentKey,
) -> Result<VerifiedRequest, RequestSignatureError> {
    let parameters = Parameters::parse(signed.signature_input)?;
    let signature = parse_signature(signed.signature)?;
    let base = signature_base(&signed.request, &parameters)?;
    verify_base(&base, &signature, key)?;
    Ok(VerifiedRequest {
        created_seconds: parameters.created_seconds(),
        session: parameters.session(),
        body_digest: hash(Domain::RequestBody, &[signed.request.body]),
        nonce: parameters.into_nonce(),
    })
}

/// The text that is signed (RFC 9421 section 2.5). Public so that a refusal can show what was
/// expected.
///
/// # Errors
/// [`RequestSignatureError`] if a part of the request has no canonical form.
pub fn signature_base(
    request: &Request<'_>,
    parameters: &Parameters,
) -> Result<String, RequestSignatureError> {
    request.check()?;
    let digest = content_digest(request.body);
    let values = [
        request.method,
        request.path,
        request.query,
        &digest,
        request.idempotency_key,
    ];
    let components = base::COMPONENTS.iter().copied().zip(values);
    Ok(base::join(components, &parameters.to_string()))
}

/// The three header fields that a signed request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFields {
    /// Value of `Content-Digest`.
    pub content_digest: String,
    /// Value of `Signature-Input`.
    pub signature_input: String,
    /// Value of `Signature`.
    pub signature: String,
}

/// Signs a request; `sign` makes the Ed25519 signature of the bytes it is given.
///
/// # Errors
/// [`RequestSignatureError`] if a part of the request has no canonical form.
pub fn sign_request(
    request: &Request<'_>,
    parameters: &Parameters,
    sign: impl FnOnce(&[u8]) -> [u8; 64],
) -> Result<SignatureFields, RequestSignatureError> {
    let base = signature_base(request, parameters)?;
    Ok(SignatureFields {
        content_digest: content_digest(request.body),
        signature_input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{}:", STANDARD.encode(sign(base.as_bytes()))),
    })
}

/// `waiaas=:<base64 of 64 bytes>:`, an RFC 8941 byte sequence in a dictionary of one.
fn parse_signature(field: &str) -> Result<[u8; 64], RequestSignatureError> {
    field
        .strip_prefix(LABEL)
        .and_then(|rest| rest.strip_prefix("=:"))
        .and_then(|rest| rest.strip_suffix(':'))
        // This engine demands padding and zero trailing bits, so one text per signature.
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(RequestSignatureError::SignatureForm)
}

/// `verify_strict`: keys and nonce points of small order, under which one signature could fit several
/// texts, are refused.
fn verify_base(
    base: &str,
    signature: &[u8; 64],
    key: &AgentKey,
) -> Result<(), RequestSignatureError> {
    VerifyingKey::from_bytes(key.as_bytes())
        .and_then(|key| key.verify_strict(base.as_bytes(), &Signature::from_bytes(signature)))
        .map_err(|_| RequestSignatureError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9421 appendix B.2.6, "Signing a Request Using ed25519", with the key of B.1.4.
    #[test]
    fn the_published_signature_verifies() {
        let components = [
            ("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("\"@method\"", "POST"),
            ("\"@path\"", "/foo"),
            ("\"@authority\"", "example.com"),
            ("\"content-type\"", "application/json"),
            ("\"content-length\"", "18"),
        ];
        let base = base::join(
            components.into_iter(),
            "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
             ;created=1618884473;keyid=\"test-key-ed25519\"",
        );
        let key = STANDARD
            .decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
            .unwrap();
        let key = AgentKey::from_bytes(key.try_into().unwrap());
        let signature = parse_signature(
            "waiaas=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        )
        .unwrap();
        assert_eq!(verify_base(&base, &signature, &key), Ok(()));
        assert_eq!(
            verify_base(&base.replace("POST", "PUT"), &signature, &key),
            Err(RequestSignatureError::Invalid)
        );
    }

    /// A key of small order verifies anything without the strict check.
    #[test]
    fn small_order_keys_verify_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let lax = ed25519_dalek::Verifier::verify(
            &VerifyingKey::from_bytes(&identity).unwrap(),
            b"anything",
            &Signature::from_bytes(&signature),
        );
        assert!(lax.is_ok(), "the case proves nothing");
        assert_eq!(
            verify_base("anything", &signature, &AgentKey::from_bytes(identity)),
            Err(RequestSignatureError::Invalid)
        );
    }
}
