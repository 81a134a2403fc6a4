//! What is signed: the covered parts of a request and the lines made of them (RFC 9421 section 2.5).
//! Values are held to characters that can neither end a line nor be written in two ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::RequestSignatureError;

/// The covered components, as they stand in `Signature-Input`, in their only order.
pub(super) const COMPONENTS: [&str; 5] = [
    "\"@method\"",
    "\"@path\"",
    "\"@query\"",
    "\"content-digest\"",
    "\"idempotency-key\"",
];

/// The longest path and the longest query, each.
const MAX_TARGET_BYTES: usize = 1024;
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 128;
const MAX_METHOD_BYTES: usize = 16;

/// The parts of a request that the signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// `/v1/transactions`.
    pub path: &'a str,
    /// The query with its question mark; `?` alone if there is none (RFC 9421 section 2.2.7).
    pub query: &'a str,
    /// The body, byte for byte. Its digest is computed here, never taken from the field.
    pub body: &'a [u8],
    /// The value of the `Idempotency-Key` field.
    pub idempotency_key: &'a str,
}

impl Request<'_> {
    /// Each part has exactly one way to be written, and none can break a line.
    pub(super) fn check(&self) -> Result<(), RequestSignatureError> {
        let upper = |byte: u8| byte.is_ascii_uppercase();
        if !holds(self.method, 1..=MAX_METHOD_BYTES, upper) {
            return Err(RequestSignatureError::Method);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
        let segments_are_plain = self
            .path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !["", ".", ".."].contains(&part)));
        if !segments_are_plain || !holds(self.path, 1..=MAX_TARGET_BYTES, plain) {
            return Err(RequestSignatureError::Path);
        }
        let no_fragment = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !self.query.starts_with('?') || !holds(self.query, 1..=MAX_TARGET_BYTES, no_fragment) {
            return Err(RequestSignatureError::Query);
        }
        let visible = |byte: u8| byte.is_ascii_graphic();
        if !holds(self.idempotency_key, 1..=MAX_IDEMPOTENCY_KEY_BYTES, visible) {
            return Err(RequestSignatureError::IdempotencyKey);
        }
        Ok(())
    }
}

pub(super) fn holds(
    text: &str,
    length: std::ops::RangeInclusive<usize>,
    permitted: impl Fn(u8) -> bool,
) -> bool {
    length.contains(&text.len()) && text.bytes().all(permitted)
}

/// The value of `Content-Digest` for this body (RFC 9530), in its only accepted form:
/// `sha-256=:<base64>:`.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// One line for each component, then the parameters; lines end in a line feed, the last does not.
pub(super) fn join<'a>(
    components: impl Iterator<Item = (&'a str, &'a str)>,
    parameters: &str,
) -> String {
    let mut base = String::new();
    for (name, value) in components {
        base.extend([name, ": ", value, "\n"]);
    }
    base + "\"@signature-params\": " + parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9530 sections 2 and B.1.
    #[test]
    fn published_content_digests() {
        for (body, digest) in [
            (
                "{\"hello\": \"world\"}\n",
                "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
            ),
            (
                "{\"hello\": \"world\"}",
                "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            ),
            ("", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        ] {
            assert_eq!(content_digest(body.as_bytes()), digest);
        }
    }
}
