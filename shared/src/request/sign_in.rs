//! The body of a login at a web site: `POST /v1/messages/sign-in`. It holds fields, and no text and no
//! bytes to sign: the signer writes the message (invariant 1).

use serde::Deserialize;

use super::BODY_LIMIT_BYTES;
use super::body::object;
use crate::caip::ChainId;
use crate::denial::Code;
use crate::ids::{SignerId, WalletId};
use crate::sign_in::{self, RESOURCES_LIMIT};
use crate::time::Millis;

/// What an agent asks to sign in with. The address, the version and the times are the signer's to write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The signer that the agent means; no other may serve the request.
    pub signer: SignerId,
    /// As which wallet.
    pub wallet: WalletId,
    /// On which network.
    pub network: ChainId,
    /// At which site.
    pub domain: String,
    /// What at the site.
    pub uri: String,
    /// The site's nonce.
    pub nonce: String,
    /// The site's statement.
    pub statement: Option<String>,
    /// Seconds for which the site may take the message; as long as policy lets if absent.
    expires_in: Option<u64>,
    /// The site's own name for the login.
    pub request_id: Option<String>,
    /// What the site may reach besides; each as policy names it.
    #[serde(default)]
    pub resources: Vec<String>,
}

impl SignInRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], [`Code::BodyMalformed`] for anything that is not exactly this shape, or
    /// [`Code::SignInMalformed`] for a field that no message can have.
    pub fn parse(body: &[u8]) -> Result<Self, Code> {
        if body.len() > BODY_LIMIT_BYTES {
            return Err(Code::BodyTooLarge);
        }
        let request: Self = object(body)?;
        let sound = sign_in::is_domain(&request.domain)
            && sign_in::is_web_uri(&request.uri)
            && sign_in::is_nonce(&request.nonce)
            && request
                .statement
                .as_deref()
                .is_none_or(sign_in::is_statement)
            && request
                .request_id
                .as_deref()
                .is_none_or(sign_in::is_request_id)
            && request.resources.len() <= RESOURCES_LIMIT
            && request.resources.iter().all(|uri| sign_in::is_uri(uri))
            && request.expires_in != Some(0);
        if sound {
            Ok(request)
        } else {
            Err(Code::SignInMalformed)
        }
    }

    /// For how long the message is to hold.
    #[must_use]
    pub fn valid_for(&self) -> Option<Millis> {
        self.expires_in.map(Millis::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"eip155:1","domain":"app.example.org","uri":"https://app.example.org/login","nonce":"12345678"}"#;

    fn with(from: &str, to: &str) -> Result<SignInRequest, Code> {
        assert!(LEAST.contains(from), "{from}");
        SignInRequest::parse(LEAST.replacen(from, to, 1).as_bytes())
    }

    fn and(more: &str) -> Result<SignInRequest, Code> {
        with("{", &format!("{{{more},"))
    }

    #[test]
    fn fields_are_read_and_nothing_else() {
        let least = SignInRequest::parse(LEAST.as_bytes()).expect("enough");
        assert_eq!((least.valid_for(), &least.statement), (None, &None));
        let most = and(
            r#""statement":"I accept: https://a.org/tos","expires_in":60,"request_id":"a-1","resources":["ipfs://a"]"#,
        )
        .expect("everything");
        assert_eq!(most.valid_for(), Some(Millis::from_secs(60)));
        assert_eq!(most.resources, ["ipfs://a"]);
        // What would be text to sign, a time or an address of the caller's choice is no field.
        for field in [
            "message",
            "text",
            "raw",
            "digest",
            "address",
            "issued_at",
            "expiration_time",
            "not_before",
            "version",
            "chain_id",
            "prefix",
        ] {
            let broken = and(&format!(r#""{field}":"1""#));
            assert_eq!(broken, Err(Code::BodyMalformed), "{field}");
        }
        assert_eq!(
            and(r#""nonce":"12345678""#),
            Err(Code::BodyMalformed),
            "twice"
        );
        assert_eq!(
            SignInRequest::parse(&[LEAST.as_bytes(), b" {}"].concat()),
            Err(Code::BodyMalformed)
        );
        assert_eq!(SignInRequest::parse(b"[]"), Err(Code::BodyMalformed));
        assert_eq!(
            SignInRequest::parse(&vec![b' '; BODY_LIMIT_BYTES + 1]),
            Err(Code::BodyTooLarge)
        );
    }

    #[test]
    fn a_field_that_no_message_can_have_is_refused() {
        for (from, to) in [
            ("app.example.org", "App.example.org"),
            ("app.example.org", "user@example.org"),
            ("app.example.org", "app.example.org/"),
            ("https://app.example.org/login", "javascript:alert"),
            ("https://app.example.org/login", "https://a/../b"),
            ("12345678", "1234567"),
            ("12345678", "1234567!"),
        ] {
            assert_eq!(with(from, to), Err(Code::SignInMalformed), "{to}");
        }
        for more in [
            r#""statement":"""#,
            r#""statement":"two\nlines""#,
            r#""statement":"\u00e9""#,
            r#""statement":"a|b""#,
            r#""request_id":"""#,
            r#""request_id":"a b""#,
            r#""resources":["plain"]"#,
            r#""expires_in":0"#,
        ] {
            assert_eq!(and(more), Err(Code::SignInMalformed), "{more}");
        }
        for more in [
            r#""expires_in":-1"#,
            r#""expires_in":"60""#,
            r#""resources":"a""#,
        ] {
            assert_eq!(and(more), Err(Code::BodyMalformed), "{more}");
        }
    }
}
