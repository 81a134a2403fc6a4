//! Logins at web sites: the fields of a sign-in message and what each of them may hold. Fields come from
//! an agent and are never text to sign: [`SignInMessage`] writes the text from them. Judges nothing.

mod message;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Encode};

use crate::address::Account;
use crate::caip::ChainId;
use crate::denial::Code;
use crate::time::WallTime;

pub use self::message::{SignInMessage, SignedMessage};

/// Characters of a nonce: 8 at least, as EIP-4361 demands.
const NONCE_LENGTH: std::ops::RangeInclusive<usize> = 8..=64;
/// A site's statement, at most, in characters.
const STATEMENT_LIMIT: usize = 256;
/// A URI, at most, in characters.
const URI_LIMIT: usize = 512;
/// A request's identifier, at most, in characters.
const REQUEST_ID_LIMIT: usize = 64;
/// A domain without its port, at most, in characters (RFC 1035).
const HOST_LIMIT: usize = 253;
/// One label of a domain, at most.
const LABEL_LIMIT: usize = 63;
/// What may not stand escaped in a path: a dot, both separators, and the percent sign, which hides any of them
/// from whoever unescapes once.
const ESCAPED: [&str; 4] = ["%2e", "%2f", "%5c", "%25"];
/// Resources of one message, at most.
pub const RESOURCES_LIMIT: usize = 8;

/// Everything that a sign-in message says (EIP-4361 for EVM chains, `solana:signIn` for Solana).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignIn {
    /// On which network the account is shown.
    #[n(0)]
    pub chain: ChainId,
    /// Who signs in: the wallet's own address.
    #[n(1)]
    pub account: Account,
    /// At which site: a host, and its port if it is not the usual one.
    #[n(2)]
    pub domain: String,
    /// What at the site.
    #[n(3)]
    pub uri: String,
    /// The site's own random text, which makes the login its own.
    #[n(4)]
    pub nonce: String,
    /// A sentence of the site.
    #[n(5)]
    pub statement: Option<String>,
    /// When it was signed, by the signer's clock.
    #[n(6)]
    pub issued: WallTime,
    /// Until when the site may take it.
    #[n(7)]
    pub expires: WallTime,
    /// The site's own name for the login.
    #[n(8)]
    pub request_id: Option<String>,
    /// What the site may reach besides; as policy names it.
    #[n(9)]
    pub resources: Vec<String>,
}

impl SignIn {
    /// Checks every field by itself.
    ///
    /// # Errors
    /// [`Code::SignInMalformed`].
    pub fn check(&self) -> Result<(), Code> {
        let sound = self.chain.family() == family(self.account)
            && is_domain(&self.domain)
            && is_web_uri(&self.uri)
            && is_nonce(&self.nonce)
            && self.statement.as_deref().is_none_or(is_statement)
            && self.request_id.as_deref().is_none_or(is_request_id)
            && self.resources.len() <= RESOURCES_LIMIT
            && self.resources.iter().all(|uri| is_uri(uri))
            && self.issued < self.expires;
        if sound {
            Ok(())
        } else {
            Err(Code::SignInMalformed)
        }
    }
}

const fn family(account: Account) -> crate::caip::Family {
    match account {
        Account::Solana(_) => crate::caip::Family::Solana,
        Account::Evm(_) => crate::caip::Family::Evm,
    }
}

/// Whether a text is a host in lower-case ASCII, with a port or without. No user stands before it, so what
/// a site is called is what is compared.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((host, port)) => (host, Some(port)),
    };
    let label = |label: &str| {
        (1..=LABEL_LIMIT).contains(&label.len())
            && label
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let number = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok()
    };
    host.len() <= HOST_LIMIT && host.split('.').all(label) && port.is_none_or(number)
}

/// Whether a text is a URI of RFC 3986 in its plain characters.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let named = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'));
    named && !rest.is_empty() && text.len() <= URI_LIMIT && is_escaped(rest)
}

/// Whether a text is a URI of a web site whose path is what it says: without a step up or aside, and without
/// a dot, separator or percent sign in its escaped form, which a site would resolve to another path.
#[must_use]
pub fn is_web_uri(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let plain = !ESCAPED.iter().any(|escaped| lower.contains(escaped))
        && path.split('/').all(|step| step != "." && step != "..");
    !rest.is_empty() && plain && is_uri(text)
}

/// Whether a URI lies at or below another: equal, or going on where a path, query or fragment begins.
#[must_use]
pub fn is_within(uri: &str, above: &str) -> bool {
    uri.strip_prefix(above).is_some_and(|rest| {
        rest.is_empty() || above.ends_with('/') || rest.starts_with(['/', '?', '#'])
    })
}

/// Characters of a URI, percent signs only before two hexadecimal digits.
fn is_escaped(text: &str) -> bool {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default();
    first.bytes().all(is_of_uri)
        && parts.all(|part| {
            let digits = part.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                && part.bytes().all(is_of_uri)
        })
}

/// `unreserved` and `reserved` of RFC 3986.
const fn is_of_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'/'
                | b'?'
                | b'#'
                | b'['
                | b']'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// Whether a text may be a site's nonce.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    NONCE_LENGTH.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text may be a site's statement: one line, in the characters that EIP-4361 gives it.
#[must_use]
pub fn is_statement(text: &str) -> bool {
    (1..=STATEMENT_LIMIT).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || is_of_uri(byte))
}

/// Whether a text may be a site's name for a login.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    (1..=REQUEST_ID_LIMIT).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}
