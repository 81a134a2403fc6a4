//! What this process remembers of owners' logins: challenges that were given out and not yet answered, and logins
//! that have not ended. In memory alone and bounded: a restart ends them all. Judges no signature; told the time
//! and the randomness by whoever calls.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use waiaas_shared::address::Account;
use waiaas_shared::caip::ChainId;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::{OwnerId, SignerId};
use waiaas_shared::sign_in::{SignIn, SignInMessage};
use waiaas_shared::time::{Millis, WallTime};

use crate::http::token::{Login, OwnerToken};

/// How long a challenge may be answered.
pub(super) const LIFE: Millis = Millis::from_secs(300);
/// Challenges of one owner at once, and logins; the oldest goes for a new one.
const EACH: usize = 64;
/// Bytes of randomness behind a nonce.
const NONCE_BYTES: usize = 20;
/// Of a challenge's key, shown in the text: what tells two logins apart.
const SHOWN_BYTES: usize = 8;
/// The path of the login, at which the text's URI points.
const PATH: &str = "/v1/owner/login";

/// Where owners reach this gateway: the domain and the URI of their logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginOrigin {
    origin: String,
    domain: String,
}

/// The memory.
#[derive(Debug, Default)]
pub struct Logins {
    origin: Option<LoginOrigin>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    challenges: VecDeque<Challenge>,
    logins: VecDeque<(OwnerToken, WallTime)>,
}

/// A challenge that waits for its answer.
#[derive(Debug)]
pub(super) struct Challenge {
    /// SHA-256 of the key that whoever asked for it holds.
    key: [u8; 32],
    /// For whom.
    pub(super) owner: OwnerId,
    /// What is signed.
    pub(super) message: SignInMessage,
    issued: WallTime,
    expires: WallTime,
}

/// Who asks for a challenge, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) account: Account,
    /// Whose account it is; none: nobody's who may log in.
    pub(super) owner: Option<OwnerId>,
    pub(super) chain: ChainId,
    pub(super) signer: SignerId,
    /// From which address the request came.
    pub(super) from: Option<IpAddr>,
}

/// A challenge as it is given out.
#[derive(Debug)]
pub(super) struct Given {
    /// The key, shown once: without it nobody answers.
    pub(super) key: String,
    /// What of the key stands in the text.
    pub(super) shown: String,
    pub(super) text: String,
    pub(super) expires: WallTime,
}

impl LoginOrigin {
    /// The owner-set `approval-origin`, or the address of a listener that only this machine reaches.
    #[must_use]
    pub fn find(approval_origin: Option<&str>, scheme: &str, bound: SocketAddr) -> Option<Self> {
        match approval_origin {
            Some(origin) => Self::of(origin),
            None if !bound.ip().is_loopback() => None,
            None if bound.is_ipv6() => Self::of(&format!("{scheme}://localhost:{}", bound.port())),
            None => Self::of(&format!("{scheme}://{bound}")),
        }
    }

    fn of(origin: &str) -> Option<Self> {
        let (_, domain) = origin.split_once("://")?;
        Some(Self {
            origin: origin.to_owned(),
            domain: domain.to_owned(),
        })
    }
}

impl fmt::Display for LoginOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)
    }
}

impl Logins {
    /// Nobody is logged in.
    #[must_use]
    pub fn new(origin: Option<LoginOrigin>) -> Self {
        Self {
            origin,
            inside: Mutex::default(),
        }
    }

    /// Where owners log in; none: it is not known, and nobody can.
    pub(super) const fn origin(&self) -> Option<&LoginOrigin> {
        self.origin.as_ref()
    }

    /// Writes a challenge. One for an account that nobody logs in with looks like any other, and is not kept: so
    /// nobody learns from it whose account is an owner's, and strangers fill no memory.
    pub(super) fn challenge(
        &self,
        origin: &LoginOrigin,
        asked: Asked,
        random: &[u8; 52],
        now: WallTime,
    ) -> Result<Given, Code> {
        let (nonce, key) = random.split_at(NONCE_BYTES);
        let key = bs58::encode(key).into_string();
        let digest: [u8; 32] = Sha256::digest(&key).into();
        let shown = hex::encode(digest.get(..SHOWN_BYTES).unwrap_or_default());
        let from = asked
            .from
            .map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
        let fields = SignIn {
            chain: asked.chain,
            account: asked.account,
            domain: origin.domain.clone(),
            uri: format!("{}{PATH}", origin.origin),
            nonce: bs58::encode(nonce).into_string(),
            statement: Some(format!(
                "Log in as an owner of {}. Asked for from {from}. This approves nothing and pays nothing.",
                asked.signer
            )),
            issued: now,
            expires: now.after(LIFE),
            request_id: Some(shown.clone()),
            resources: Vec::new(),
        };
        let message = SignInMessage::compose(&fields)?;
        let given = Given {
            key,
            shown,
            text: message.text().to_owned(),
            expires: fields.expires,
        };
        if let Some(owner) = asked.owner {
            self.with(|inside| {
                inside.challenges.retain(|known| now < known.expires);
                drop_oldest(&mut inside.challenges, |known| known.owner == owner);
                inside.challenges.push_back(Challenge {
                    key: digest,
                    owner,
                    message,
                    issued: fields.issued,
                    expires: fields.expires,
                });
            });
        }
        Ok(given)
    }

    /// Whether a challenge waits under this key.
    pub(super) fn knows(&self, key: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(key).into();
        self.with(|inside| inside.challenges.iter().any(|known| known.key == digest))
    }

    /// The challenge under this key, once, and only in its time.
    pub(super) fn take(&self, key: &str, now: WallTime) -> Option<Challenge> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        let taken = self.with(|inside| {
            let mut known = inside.challenges.iter();
            let place = known.position(|known| known.key == digest)?;
            inside.challenges.remove(place)
        })?;
        // A clock that went back makes no challenge young again.
        (taken.issued <= now && now < taken.expires).then_some(taken)
    }

    /// An owner is in until then.
    pub(super) fn begin(&self, token: OwnerToken, ends: WallTime, now: WallTime) {
        self.with(|inside| {
            inside.logins.retain(|(_, ends)| now < *ends);
            drop_oldest(&mut inside.logins, |(known, _)| known.owner == token.owner);
            inside.logins.push_back((token, ends));
        });
    }

    /// Whether this login has not ended.
    pub(super) fn holds(&self, token: OwnerToken, now: WallTime) -> bool {
        self.with(|inside| {
            let mut known = inside.logins.iter();
            known.any(|(known, ends)| *known == token && now < *ends)
        })
    }

    /// Ends one login.
    pub(super) fn end(&self, login: Login) {
        self.with(|inside| inside.logins.retain(|(known, _)| known.login != login));
    }

    /// Ends every login of an owner, and takes back what was given out.
    pub(super) fn end_all(&self, owner: OwnerId) {
        self.with(|inside| {
            inside.logins.retain(|(known, _)| known.owner != owner);
            inside.challenges.retain(|known| known.owner != owner);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inside) -> T) -> T {
        act(&mut self.inside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes room for one more of a kind.
fn drop_oldest<T>(all: &mut VecDeque<T>, of_kind: impl Fn(&T) -> bool) {
    if all.iter().filter(|one| of_kind(one)).count() >= EACH
        && let Some(oldest) = all.iter().position(of_kind)
    {
        all.remove(oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: WallTime = WallTime::from_millis(1_795_219_200_000);

    fn logins() -> Logins {
        let bound = "127.0.0.1:3100".parse().expect("an address");
        Logins::new(LoginOrigin::find(None, "http", bound))
    }

    fn asked(owner: Option<u8>) -> Asked {
        Asked {
            account: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
                .parse()
                .expect("an address"),
            owner: owner.map(|number| OwnerId::from_bytes([number; 16])),
            chain: ChainId::Evm(1),
            signer: SignerId::from_bytes([8; 16]),
            from: Some("203.0.113.7".parse().expect("an address")),
        }
    }

    fn give(logins: &Logins, owner: Option<u8>, number: u8) -> Given {
        let origin = logins.origin().expect("loopback");
        logins
            .challenge(origin, asked(owner), &[number; 52], NOW)
            .expect("sound")
    }

    #[test]
    fn the_text_says_whose_where_and_who_asked() {
        let logins = logins();
        let given = give(&logins, Some(1), 7);
        let text = format!(
            "127.0.0.1:3100 wants you to sign in with your Ethereum account:\n\
             0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n\n\
             Log in as an owner of {}. Asked for from 203.0.113.7. This approves nothing and pays nothing.\n\n\
             URI: http://127.0.0.1:3100/v1/owner/login\nVersion: 1\nChain ID: 1\nNonce: {}\n\
             Issued At: 2026-11-21T00:00:00.000Z\nExpiration Time: 2026-11-21T00:05:00.000Z\nRequest ID: {}",
            SignerId::from_bytes([8; 16]),
            bs58::encode([7; 20]).into_string(),
            given.shown
        );
        assert_eq!(given.text, text);
        const { assert!(NONCE_BYTES * 8 >= 128) };
        assert!(!text.contains(&given.key), "the key is not in the text");
    }

    #[test]
    fn a_challenge_is_answered_once_and_in_its_time() {
        let logins = logins();
        let key = give(&logins, Some(1), 1).key;
        assert!(logins.knows(&key) && !logins.knows(""));
        assert!(logins.take(&key, NOW).is_some());
        assert!(logins.take(&key, NOW).is_none(), "twice");
        for (late, passes) in [(299_999, true), (300_000, false), (u64::MAX, false)] {
            let key = give(&logins, Some(1), 1).key;
            let then = NOW.after(Millis::from_millis(late));
            assert_eq!(logins.take(&key, then).is_some(), passes, "{late}");
            assert!(logins.take(&key, NOW).is_none(), "used up by the try");
        }
        let key = give(&logins, Some(1), 1).key;
        let before = WallTime::from_millis(NOW.millis() - 1);
        assert!(logins.take(&key, before).is_none(), "issued in the future");
    }

    #[test]
    fn strangers_fill_no_memory_and_owners_do_not_push_each_other_out() {
        let logins = logins();
        for number in 0..=u8::MAX {
            let given = give(&logins, None, number);
            assert!(!logins.knows(&given.key));
        }
        let first = give(&logins, Some(2), 200).key;
        let keys: Vec<_> = (0..100)
            .map(|number| give(&logins, Some(1), number).key)
            .collect();
        let known = keys.iter().filter(|key| logins.knows(key)).count();
        assert_eq!(known, EACH);
        assert!(logins.knows(&keys[99]) && !logins.knows(&keys[0]));
        assert!(logins.knows(&first), "another owner's");
        let different: HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), 100);
    }

    #[test]
    fn logins_end_one_by_one_all_at_once_and_by_themselves() {
        let logins = logins();
        let token = |owner: u8, login: u8| OwnerToken {
            owner: OwnerId::from_bytes([owner; 16]),
            login: Login::from_bytes([login; 16]),
        };
        let ends = NOW.after(Millis::from_secs(900));
        for number in 0..4 {
            logins.begin(token(number % 2, number), ends, NOW);
        }
        assert!(logins.holds(token(0, 0), NOW) && !logins.holds(token(1, 0), NOW));
        assert!(!logins.holds(token(0, 0), ends));
        logins.end(Login::from_bytes([0; 16]));
        assert!(!logins.holds(token(0, 0), NOW) && logins.holds(token(0, 2), NOW));
        logins.end_all(OwnerId::from_bytes([1; 16]));
        assert!(!logins.holds(token(1, 1), NOW) && !logins.holds(token(1, 3), NOW));
        assert!(logins.holds(token(0, 2), NOW));
    }

    #[test]
    fn owners_log_in_where_the_owner_said_or_on_this_machine() {
        let find = |approval, bound: &str| {
            LoginOrigin::find(approval, "http", bound.parse().expect("an address"))
                .map(|found| (found.origin, found.domain))
        };
        let pair = |origin: &str, domain: &str| Some((origin.to_owned(), domain.to_owned()));
        assert_eq!(
            find(None, "127.0.0.1:3100"),
            pair("http://127.0.0.1:3100", "127.0.0.1:3100")
        );
        assert_eq!(
            find(None, "[::1]:3100"),
            pair("http://localhost:3100", "localhost:3100")
        );
        assert_eq!(find(None, "192.0.2.1:3100"), None);
        assert_eq!(
            find(Some("https://wallet.example.org"), "0.0.0.0:3100"),
            pair("https://wallet.example.org", "wallet.example.org")
        );
    }
}
