//! Tokens: JWT (RFC 7519) by HS256 and nothing else. A session's token only points at a session of the
//! signer, an owner's (`owner`) at a login that this process remembers; neither carries a right of its own, and
//! neither is taken for the other: type, audience and key differ. Secrets are random, kept in `gateway.db`, replaced daily;
//! the one before is accepted for another minute. The header is compared as text with the one form
//! that this file writes, so no algorithm, key or address in a token is ever looked at.

mod owner;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rusqlite::params;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use waiaas_shared::ids::SessionId;
use waiaas_shared::time::WallTime;

use crate::database::{Database, DatabaseError, Durability};

pub use owner::{Login, OwnerToken};

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
#[error("not a valid token")]
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
    session: Signing,
    owner: Signing,
}

/// How tokens of one kind are signed.
struct Signing {
    header: Header,
    /// The header's only text.
    header_text: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// Which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Session,
    Owner,
}

/// When a token begins and ends: Unix time, seconds.
trait Lives {
    fn born(&self) -> u64;
    fn ends(&self) -> u64;
}

impl Lives for Claims {
    fn born(&self) -> u64 {
        self.iat
    }

    fn ends(&self) -> u64 {
        self.exp
    }
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
        let (seconds, expires) = life(now);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: session,
            iat: seconds,
            exp: expires,
        };
        let token = self.sign(Kind::Session, &claims)?;
        Ok(Issued { token, expires })
    }

    /// The session that a token points at.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn session(&self, token: &str, now: WallTime) -> Result<SessionId, TokenError> {
        let claims: Claims = self.claims(Kind::Session, AUDIENCE, token, now)?;
        Ok(claims.sub)
    }

    fn sign(&self, kind: Kind, claims: &impl Serialize) -> Result<String, TokenError> {
        let secret = self.secrets().current;
        let signing = secret.of(kind);
        jsonwebtoken::encode(&signing.header, claims, &signing.encoding).map_err(|_| TokenError)
    }

    /// What a token of this kind says, if it is accepted now.
    fn claims<C: DeserializeOwned + Clone + Lives>(
        &self,
        kind: Kind,
        audience: &str,
        token: &str,
        now: WallTime,
    ) -> Result<C, TokenError> {
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
            .find(|secret| secret.of(kind).header_text == header)
            .ok_or(TokenError)?;
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are judged below, by our own clock.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<C>(token, &secret.of(kind).decoding, &validation)
            .map_err(|_| TokenError)?
            .claims;
        let seconds = now.millis() / 1000;
        let born = claims.born() <= seconds.saturating_add(AHEAD_SECONDS);
        let alive = seconds < claims.ends();
        let short = claims
            .ends()
            .checked_sub(claims.born())
            .is_some_and(|life| life <= LIFE_SECONDS);
        if born && alive && short {
            Ok(claims)
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

/// When a token made now begins and ends, in seconds.
const fn life(now: WallTime) -> (u64, u64) {
    let seconds = now.millis() / 1000;
    (seconds, seconds.saturating_add(LIFE_SECONDS))
}

impl Secret {
    fn new(kid: &str, secret: &[u8; 32], created: WallTime) -> Self {
        Self {
            created,
            session: Signing::new(TYPE, kid, secret),
            owner: Signing::new(owner::TYPE, kid, &derived(secret, owner::TYPE)),
        }
    }

    const fn of(&self, kind: Kind) -> &Signing {
        match kind {
            Kind::Session => &self.session,
            Kind::Owner => &self.owner,
        }
    }
}

impl Signing {
    fn new(kind: &str, kid: &str, secret: &[u8]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(kid.to_owned());
        let json = serde_json::to_vec(&header).unwrap_or_default();
        Self {
            header,
            header_text: BASE64URL.encode(json),
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
        }
    }
}

/// A key for tokens of one kind alone: HMAC-SHA-256 of the kind's name under the secret.
fn derived(secret: &[u8; 32], kind: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(kind.as_bytes());
    mac.finalize().into_bytes().into()
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
