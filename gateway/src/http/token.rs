//! Session tokens: JWT (RFC 7519) by HS256 and nothing else. A token only points at a session of the
//! signer; it carries no right of its own. Secrets are random, kept in `gateway.db`, replaced daily;
//! the one before is accepted for another minute. The header is compared as text with the one form
//! that this file writes, so no algorithm, key or address in a token is ever looked at.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use waiaas_shared::ids::SessionId;
use waiaas_shared::time::WallTime;

use crate::database::{Database, DatabaseError, Durability};

/// A token's life, in seconds.
pub const LIFE_SECONDS: u64 = 15 * 60;
/// A secret is replaced after this time, in milliseconds.
const SECRET_LIFE_MILLIS: u64 = 24 * 3600 * 1000;
/// How long the secret before the current one is accepted, in milliseconds.
const OVERLAP_MILLIS: u64 = 60 * 1000;
/// How far a token's birth may lie ahead of our own clock, in seconds: none is made elsewhere.
const AHEAD_SECONDS: u64 = 2;
/// Longer texts are not looked at.
const TEXT_LIMIT: usize = 1024;
const ISSUER: &str = "waiaas-gateway";
const AUDIENCE: &str = "waiaas/v1";
/// RFC 8725 section 3.11: tokens of one kind are not accepted as another.
const TYPE: &str = "waiaas-session+jwt";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: SessionId,
    iat: u64,
    exp: u64,
}

/// The text is no token that is accepted now. One reason only: a caller learns nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid session token")]
pub struct TokenError;

/// A new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The text.
    pub token: String,
    /// When it ends: Unix time, seconds.
    pub expires: u64,
}

/// The secrets in use.
pub struct Tokens {
    secrets: RwLock<Secrets>,
}

#[derive(Clone)]
struct Secrets {
    current: Arc<Secret>,
    previous: Option<(Arc<Secret>, WallTime)>,
}

struct Secret {
    created: WallTime,
    header: Header,
    /// The header's only text.
    header_text: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens")
    }
}

impl Tokens {
    /// Takes the secrets of `gateway.db`, or makes the first.
    ///
    /// # Errors
    /// [`DatabaseError`]; also if the system gives no randomness.
    pub async fn load(database: &Database, now: WallTime) -> Result<Self, DatabaseError> {
        let find = |connection: &rusqlite::Connection| {
            connection
                .prepare("SELECT kid, secret, created, accepted_until FROM token_secret ORDER BY created DESC LIMIT 2")?
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect::<rusqlite::Result<Vec<(String, [u8; 32], i64, Option<i64>)>>>()
        };
        let stored = database.run(Durability::Process, find).await?;
        let wall = |millis: i64| WallTime::from_millis(millis.cast_unsigned());
        let mut current = None;
        let mut previous = None;
        for (kid, secret, created, accepted_until) in stored {
            let secret = Arc::new(Secret::new(&kid, &secret, wall(created)));
            match accepted_until {
                None => current = current.or(Some(secret)),
                Some(until) => previous = Some((secret, wall(until))),
            }
        }
        let current = match current {
            Some(current) => current,
            None => fresh(database, now).await?,
        };
        Ok(Self {
            secrets: RwLock::new(Secrets { current, previous }),
        })
    }

    /// Replaces the secret if its day is over, or if it was made at a time that is still to come.
    ///
    /// # Errors
    /// [`DatabaseError`]: the old one stays.
    pub async fn rotate_if_due(
        &self,
        database: &Database,
        now: WallTime,
    ) -> Result<bool, DatabaseError> {
        let created = self.secrets().current.created;
        if now >= created && now.since(created).millis() < SECRET_LIFE_MILLIS {
            return Ok(false);
        }
        let current = fresh(database, now).await?;
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let until = WallTime::from_millis(now.millis().saturating_add(OVERLAP_MILLIS));
        let previous = std::mem::replace(&mut secrets.current, current);
        secrets.previous = Some((previous, until));
        Ok(true)
    }

    /// A token for a session.
    ///
    /// # Errors
    /// [`TokenError`] if it cannot be encoded, which no session is known to cause.
    pub fn issue(&self, session: SessionId, now: WallTime) -> Result<Issued, TokenError> {
        let secret = self.secrets().current;
        let seconds = now.millis() / 1000;
        let expires = seconds.saturating_add(LIFE_SECONDS);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: session,
            iat: seconds,
            exp: expires,
        };
        let token = jsonwebtoken::encode(&secret.header, &claims, &secret.encoding)
            .map_err(|_| TokenError)?;
        Ok(Issued { token, expires })
    }

    /// The session that a token points at.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn session(&self, token: &str, now: WallTime) -> Result<SessionId, TokenError> {
        if token.len() > TEXT_LIMIT {
            return Err(TokenError);
        }
        let (header, _) = token.split_once('.').ok_or(TokenError)?;
        let secrets = self.secrets();
        let previous = secrets
            .previous
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
        let secret = std::iter::once(secrets.current)
            .chain(previous)
            .find(|secret| secret.header_text == header)
            .ok_or(TokenError)?;
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are judged below, by our own clock.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &secret.decoding, &validation)
            .map_err(|_| TokenError)?
            .claims;
        let seconds = now.millis() / 1000;
        let born = claims.iat <= seconds.saturating_add(AHEAD_SECONDS);
        let alive = seconds < claims.exp;
        let short = claims
            .exp
            .checked_sub(claims.iat)
            .is_some_and(|life| life <= LIFE_SECONDS);
        if born && alive && short {
            Ok(claims.sub)
        } else {
            Err(TokenError)
        }
    }

    fn secrets(&self) -> Secrets {
        self.secrets
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Secret {
    fn new(kid: &str, secret: &[u8; 32], created: WallTime) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        let json = serde_json::to_vec(&header).unwrap_or_default();
        Self {
            created,
            header,
            header_text: BASE64URL.encode(json),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }
}

/// A new secret, on the disk before it is used; it ends the one before.
async fn fresh(database: &Database, now: WallTime) -> Result<Arc<Secret>, DatabaseError> {
    let mut random = [0_u8; 40];
    getrandom::fill(&mut random).map_err(|_| DatabaseError::Failed)?;
    let (kid, secret) = random
        .split_first_chunk::<8>()
        .ok_or(DatabaseError::Failed)?;
    let kid = hex::encode(kid);
    let secret: [u8; 32] = secret.try_into().map_err(|_| DatabaseError::Failed)?;
    let name = kid.clone();
    let store = move |connection: &rusqlite::Connection| {
        let millis = now.millis().cast_signed();
        let until = now.millis().saturating_add(OVERLAP_MILLIS).cast_signed();
        connection.execute(
            "DELETE FROM token_secret WHERE accepted_until < ?1",
            [millis],
        )?;
        connection.execute(
            "UPDATE token_secret SET accepted_until = ?1 WHERE accepted_until IS NULL",
            [until],
        )?;
        connection.execute(
            "INSERT INTO token_secret VALUES (?1, ?2, ?3, NULL)",
            params![name, secret, millis],
        )?;
        Ok(())
    };
    database.run(Durability::Power, store).await?;
    Ok(Arc::new(Secret::new(&kid, &secret, now)))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
