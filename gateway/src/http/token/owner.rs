//! An owner's token: points at one login that this process remembers, and at whose key it was. Another type,
//! audience and key than a session's, so that neither is ever taken for the other.

use std::fmt;

use serde::{Deserialize, Serialize};
use waiaas_shared::ids::OwnerId;
use waiaas_shared::time::WallTime;

use super::{ISSUER, Issued, Kind, Lives, TokenError, Tokens, life};

/// RFC 8725 section 3.11.
pub(super) const TYPE: &str = "waiaas-owner+jwt";
const AUDIENCE: &str = "waiaas/v1/owner";

/// One login, by 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Login([u8; 16]);

/// Which login, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerToken {
    /// The owner.
    pub owner: OwnerId,
    /// The login.
    pub login: Login,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: OwnerId,
    iat: u64,
    exp: u64,
    jti: String,
}

impl Lives for Claims {
    fn born(&self) -> u64 {
        self.iat
    }

    fn ends(&self) -> u64 {
        self.exp
    }
}

impl Login {
    /// The login of these random bits.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login")
    }
}

impl Tokens {
    /// A token for a login.
    ///
    /// # Errors
    /// [`TokenError`] if it cannot be encoded, which no login is known to cause.
    pub fn issue_owner(&self, token: OwnerToken, now: WallTime) -> Result<Issued, TokenError> {
        let (seconds, expires) = life(now);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: token.owner,
            iat: seconds,
            exp: expires,
            jti: hex::encode(token.login.0),
        };
        let token = self.sign(Kind::Owner, &claims)?;
        Ok(Issued { token, expires })
    }

    /// The login that a token points at. Whether it is still one, the memory of logins says.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn owner(&self, token: &str, now: WallTime) -> Result<OwnerToken, TokenError> {
        let claims: Claims = self.claims(Kind::Owner, AUDIENCE, token, now)?;
        let mut login = [0; 16];
        hex::decode_to_slice(&claims.jti, &mut login).map_err(|_| TokenError)?;
        Ok(OwnerToken {
            owner: claims.sub,
            login: Login(login),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};
    use waiaas_shared::ids::SessionId;

    use super::super::{AUDIENCE as OF_SESSIONS, BASE64URL, TYPE as SESSION_TYPE};
    use super::*;
    use crate::database::Database;

    const NOW: u64 = 1_795_219_200_000;

    fn at(seconds: i64) -> WallTime {
        WallTime::from_millis(NOW.saturating_add_signed(seconds * 1000))
    }

    fn whose() -> OwnerToken {
        OwnerToken {
            owner: OwnerId::from_bytes([1; 16]),
            login: Login::from_bytes([2; 16]),
        }
    }

    async fn tokens() -> (Database, Tokens) {
        let database = Database::in_memory().expect("opens");
        let tokens = Tokens::load(&database, at(0)).await.expect("loads");
        (database, tokens)
    }

    /// With any header and claims, signed with the real key of owners' tokens, or of sessions'.
    fn forge(tokens: &Tokens, kind: Kind, header: &str, claims: &Value) -> String {
        let part = |text: &str| BASE64URL.encode(text);
        let message = format!("{}.{}", part(header), part(&claims.to_string()));
        let secret = tokens.secrets().current;
        let key = &secret.of(kind).encoding;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::HS256);
        format!("{message}.{}", signature.expect("signs"))
    }

    /// The header as its text.
    fn header(tokens: &Tokens, kind: Kind) -> String {
        let text = tokens.secrets().current.of(kind).header_text.clone();
        String::from_utf8(BASE64URL.decode(text).expect("base64")).expect("text")
    }

    fn claims() -> Value {
        let seconds = NOW / 1000;
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": whose().owner, "iat": seconds, "exp": seconds + 900,
            "jti": "02".repeat(16)})
    }

    #[tokio::test]
    async fn a_token_lives_a_quarter_of_an_hour() {
        let (_database, tokens) = tokens().await;
        let issued = tokens.issue_owner(whose(), at(0)).expect("issued");
        assert_eq!(issued.expires, NOW / 1000 + 900);
        for seconds in [0, 899] {
            assert_eq!(tokens.owner(&issued.token, at(seconds)), Ok(whose()));
        }
        for seconds in [900, 86_400, -3] {
            assert_eq!(tokens.owner(&issued.token, at(seconds)), Err(TokenError));
        }
    }

    /// S05, S06: neither kind passes for the other, whichever part of it is taken from the other kind.
    #[tokio::test]
    async fn a_session_is_no_owner_and_an_owner_no_session() {
        let (_database, tokens) = tokens().await;
        let session = SessionId::from_bytes([1; 16]);
        let of_session = tokens.issue(session, at(0)).expect("issued").token;
        let of_owner = tokens.issue_owner(whose(), at(0)).expect("issued").token;
        assert_eq!(tokens.owner(&of_session, at(0)), Err(TokenError));
        assert_eq!(tokens.session(&of_owner, at(0)), Err(TokenError));
        let (owner, other) = (header(&tokens, Kind::Owner), header(&tokens, Kind::Session));
        assert!(owner.contains(TYPE) && other.contains(SESSION_TYPE));
        let real = forge(&tokens, Kind::Owner, &owner, &claims());
        assert_eq!(tokens.owner(&real, at(0)), Ok(whose()));
        let mut with_audience = claims();
        with_audience["aud"] = json!(OF_SESSIONS);
        for (case, forged) in [
            (
                "the other key",
                forge(&tokens, Kind::Session, &owner, &claims()),
            ),
            (
                "the other type",
                forge(&tokens, Kind::Owner, &other, &claims()),
            ),
            (
                "the other audience",
                forge(&tokens, Kind::Owner, &owner, &with_audience),
            ),
            (
                "key and type",
                forge(&tokens, Kind::Session, &other, &claims()),
            ),
        ] {
            assert_eq!(tokens.owner(&forged, at(0)), Err(TokenError), "{case}");
            assert_eq!(tokens.session(&forged, at(0)), Err(TokenError), "{case}");
        }
    }

    /// S05: no other algorithm, header or claim passes, though signed with the real key.
    #[tokio::test]
    async fn no_other_header_or_claims_pass() {
        let (_database, tokens) = tokens().await;
        let real = header(&tokens, Kind::Owner);
        let real_kid = real
            .split("\"kid\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let real_kid = real_kid.expect("a kid").to_owned();
        for (from, to) in [
            ("\"HS256\"", "\"none\""),
            ("\"HS256\"", "\"HS384\""),
            ("\"HS256\"", "\"RS256\""),
            ("\"HS256\"", "\"EdDSA\""),
            (TYPE, "JWT"),
            (&*real_kid, "other"),
            ("{", "{\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},"),
            ("{", "{\"crit\":[\"exp\"],"),
            ("{", "{ "),
        ] {
            assert!(real.contains(from), "{real}");
            let header = real.replacen(from, to, 1);
            let forged = forge(&tokens, Kind::Owner, &header, &claims());
            assert_eq!(tokens.owner(&forged, at(0)), Err(TokenError), "{header}");
        }
        for (name, value) in [
            ("iss", json!("other")),
            ("aud", json!([AUDIENCE, OF_SESSIONS])),
            ("sub", json!("session_00000000000000000000000001")),
            ("jti", json!("")),
            ("jti", json!("02")),
            ("jti", json!(null)),
            ("exp", json!(NOW / 1000 + 901)),
            ("exp", json!(NOW / 1000)),
            ("iat", json!(NOW / 1000 + 60)),
            ("nbf", json!(NOW / 1000)),
            ("role", json!("owner")),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let forged = forge(&tokens, Kind::Owner, &real, &claims);
            assert_eq!(tokens.owner(&forged, at(0)), Err(TokenError), "{claims}");
        }
        let mut without = claims();
        without.as_object_mut().expect("an object").remove("jti");
        let forged = forge(&tokens, Kind::Owner, &real, &without);
        assert_eq!(tokens.owner(&forged, at(0)), Err(TokenError));
    }
}
