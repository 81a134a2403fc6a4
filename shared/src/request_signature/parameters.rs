//! The signature's parameters, read and written in one form: an inner list of RFC 8941 narrowed until
//! every value has one text. Anything else (blanks, escapes, other order, doubled or further
//! parameters, a second signature) is refused where it differs.

use std::fmt;
use std::str::FromStr;

use super::base::{COMPONENTS, holds};
use super::{LABEL, RequestSignatureError};
use crate::ids::SessionId;

const ALGORITHM: &str = ";alg=\"ed25519\"";
const TAG: &str = ";tag=\"waiaas/v1\"";
/// RFC 8941 integers have at most 15 digits.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A number used once, made by the agent: 16 to 64 visible ASCII characters without quote and
/// backslash, which would need an escape.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNonce(String);

impl RequestNonce {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestNonce {
    type Err = RequestSignatureError;

    fn from_str(text: &str) -> Result<Self, RequestSignatureError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if holds(text, 16..=64, plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RequestSignatureError::Nonce)
        }
    }
}

/// The parameters of a signature. Text form: the value of `@signature-params`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    created_seconds: u64,
    nonce: RequestNonce,
    session: SessionId,
}

impl Parameters {
    /// Parameters for a new signature.
    ///
    /// # Errors
    /// [`RequestSignatureError::Created`] for a time of more than 15 digits.
    pub fn new(
        created_seconds: u64,
        nonce: RequestNonce,
        session: SessionId,
    ) -> Result<Self, RequestSignatureError> {
        if created_seconds > MAX_INTEGER {
            return Err(RequestSignatureError::Created);
        }
        Ok(Self {
            created_seconds,
            nonce,
            session,
        })
    }

    /// Unix time, seconds.
    #[must_use]
    pub const fn created_seconds(&self) -> u64 {
        self.created_seconds
    }

    /// The nonce.
    #[must_use]
    pub const fn nonce(&self) -> &RequestNonce {
        &self.nonce
    }

    /// The nonce, out of the rest.
    #[must_use]
    pub fn into_nonce(self) -> RequestNonce {
        self.nonce
    }

    /// The session that the request claims to belong to; proven only by `verify`.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Reads the whole value of `Signature-Input`.
    ///
    /// # Errors
    /// [`RequestSignatureError`] at the first character that differs from the one form.
    pub fn parse(field: &str) -> Result<Self, RequestSignatureError> {
        use RequestSignatureError as Error;

        let rest = field.strip_prefix(LABEL).ok_or(Error::Label)?;
        let rest = rest.strip_prefix('=').ok_or(Error::Label)?;
        let rest = rest
            .strip_prefix(&component_list())
            .ok_or(Error::Components)?;
        let rest = rest.strip_prefix(";created=").ok_or(Error::Created)?;
        let (digits, rest) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let created_seconds = plain_integer(digits).ok_or(Error::Created)?;
        let (nonce, rest) = quoted(rest, ";nonce=\"").ok_or(Error::Nonce)?;
        let (session, rest) = quoted(rest, ";keyid=\"").ok_or(Error::KeyId)?;
        let rest = rest.strip_prefix(ALGORITHM).ok_or(Error::Algorithm)?;
        let rest = rest.strip_prefix(TAG).ok_or(Error::Tag)?;
        if !rest.is_empty() {
            return Err(Error::Trailing);
        }
        Self::new(
            created_seconds,
            nonce.parse()?,
            session.parse().map_err(|_| Error::KeyId)?,
        )
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{};created={};nonce=\"{}\";keyid=\"{}\"{ALGORITHM}{TAG}",
            component_list(),
            self.created_seconds,
            self.nonce.0,
            self.session
        )
    }
}

fn component_list() -> String {
    format!("({})", COMPONENTS.join(" "))
}

/// Digits without sign and leading zero, at most 15.
fn plain_integer(digits: &str) -> Option<u64> {
    let plain = holds(digits, 1..=15, |byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if plain && !leading_zero {
        digits.parse().ok()
    } else {
        None
    }
}

/// The text between `prefix` and the next quote, and what follows that quote.
fn quoted<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(prefix)?.split_once('"')
}
