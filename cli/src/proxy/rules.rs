//! What a request's head must hold to before the proxy reads its body: one way to write a target, a Host that is
//! this listener, no Origin, the local token on loopback, a route that is an agent's, and the caller's own
//! Idempotency-Key where something changes. Pure; the gateway judges everything once more.

use hyper::{Method, Uri};
use reqwest::header::{self, HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;
use waiaas_shared::request::{BODY_LIMIT_BYTES, is_idempotency_key};

use super::problem::Reason;

/// Longest target, in bytes; the gateway's own.
const TARGET_LIMIT: usize = 2048;
/// What is served without a token by the gateway itself.
const OPEN: [&str; 3] = ["/openapi.json", "/health", "/ready"];
/// What the proxy does not forward: owners' routes, and the one that would give its token away.
const NOT_FOR_AGENTS: [&str; 2] = ["/v1/owner", "/v1/session/token"];
/// The caller's headers that go on; everything else ends here.
const PASSED: [HeaderName; 4] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    HeaderName::from_static("last-event-id"),
];
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where a caller knocks.
#[derive(Clone, Copy)]
pub(super) enum Door<'a> {
    /// A Unix socket that only this user can open.
    Socket,
    /// A loopback port, which every user of the machine and every page in a browser reaches.
    Loopback {
        port: u16,
        /// What the caller has to bring.
        token: &'a str,
    },
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Open to everybody: goes on without credentials.
    Open,
    /// Changes nothing: goes on with the token.
    Read,
    /// Changes something, or asks what would be decided: goes on with token, name and signature.
    Signed,
}

/// A request as it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) method: Method,
    pub(super) path: String,
    /// With its question mark; `?` alone if there is none.
    pub(super) query: String,
    /// The caller's own name for it, if it brought one.
    pub(super) idempotency_key: Option<String>,
    pub(super) headers: HeaderMap,
}

impl Asked {
    /// Path and query.
    pub(super) fn target(&self) -> String {
        match self.query.as_str() {
            "?" => self.path.clone(),
            query => format!("{}{query}", self.path),
        }
    }
}

/// Judges a head.
pub(super) fn judge(
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
    door: Door<'_>,
) -> Result<Asked, Reason> {
    // An absolute target brings a second host along (RFC 9112 section 3.2.2).
    let whole = target.path_and_query().map_or("", |whole| whole.as_str());
    if target.scheme().is_some()
        || target.authority().is_some()
        || whole.len() > TARGET_LIMIT
        || !is_plain(target.path())
    {
        return Err(Reason::Target);
    }
    let host = single(headers, &header::HOST)?.ok_or(Reason::Host)?;
    if !is_own(host, door) {
        return Err(Reason::Host);
    }
    if headers.contains_key(header::ORIGIN) {
        return Err(Reason::Origin);
    }
    let length = single(headers, &header::CONTENT_LENGTH)?;
    if let Door::Loopback { token, .. } = door {
        authorized(headers, token)?;
    }
    let changes = match *method {
        Method::GET => false,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => true,
        _ => return Err(Reason::Method),
    };
    let path = target.path();
    let kind = kind(path, changes)?;
    let idempotency_key = match single(headers, &IDEMPOTENCY_KEY)? {
        Some(key) if !is_idempotency_key(key) => return Err(Reason::KeyInvalid),
        // What only asks what would be decided is carried out as often as one likes.
        None if kind == Kind::Signed && !path.ends_with("/dry-run") => {
            return Err(Reason::KeyMissing);
        }
        key => key.map(str::to_owned),
    };
    if length
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| length > BODY_LIMIT_BYTES)
    {
        return Err(Reason::BodyTooLarge);
    }
    let mut passed = HeaderMap::new();
    for name in &PASSED {
        if let Some(value) = headers.get(name) {
            single(headers, name)?;
            passed.insert(name.clone(), value.clone());
        }
    }
    Ok(Asked {
        kind,
        method: method.clone(),
        path: path.to_owned(),
        query: format!("?{}", target.query().unwrap_or_default()),
        idempotency_key,
        headers: passed,
    })
}

fn kind(path: &str, changes: bool) -> Result<Kind, Reason> {
    if OPEN.contains(&path) {
        return if changes {
            Err(Reason::Method)
        } else {
            Ok(Kind::Open)
        };
    }
    let below = |parent: &str| {
        path.strip_prefix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if NOT_FOR_AGENTS.into_iter().any(below) {
        return Err(Reason::NotForAgents);
    }
    if !path.starts_with("/v1/") {
        return Err(Reason::NotFound);
    }
    Ok(if changes { Kind::Signed } else { Kind::Read })
}

/// Whether a Host header names this listener, and nothing that only resolves to it.
fn is_own(host: &str, door: Door<'_>) -> bool {
    let host = host.to_ascii_lowercase();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host.as_str(), None),
    };
    let known = ["127.0.0.1", "localhost", "[::1]"].contains(&name);
    let port = port.map(|port| port.parse::<u16>().ok());
    known
        && match (door, port) {
            (Door::Socket, None | Some(Some(_))) => true,
            (Door::Loopback { port: own, .. }, Some(Some(named))) => named == own,
            // Port 80 is not written.
            (Door::Loopback { port: own, .. }, None) => own == 80,
            (_, Some(None)) => false,
        }
}

fn authorized(headers: &HeaderMap, token: &str) -> Result<(), Reason> {
    let value = single(headers, &header::AUTHORIZATION)?.ok_or(Reason::TokenMissing)?;
    let brought = match value.split_once(' ') {
        Some((scheme, brought)) if scheme.eq_ignore_ascii_case("bearer") => brought,
        _ => return Err(Reason::TokenInvalid),
    };
    if bool::from(brought.as_bytes().ct_eq(token.as_bytes())) {
        Ok(())
    } else {
        Err(Reason::TokenInvalid)
    }
}

/// Paths have one form; the rule of the gateway and of signed requests.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let segments = |rest: &str| rest.split('/').all(|part| !["", ".", ".."].contains(&part));
    path.bytes().all(plain) && path.strip_prefix('/').is_some_and(segments)
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Reason> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Reason::Header);
    }
    first
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| Reason::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "local-token";

    struct Knock(Method, &'static str, Vec<(&'static str, &'static str)>);

    impl Knock {
        fn with(mut self, name: &'static str, value: &'static str) -> Self {
            self.2.push((name, value));
            self
        }

        fn at(&self, door: Door<'_>) -> Result<Asked, Reason> {
            let mut headers = HeaderMap::new();
            for (name, value) in &self.2 {
                headers.append(
                    HeaderName::from_static(name),
                    value.parse().expect("a value"),
                );
            }
            judge(&self.0, &self.1.parse().expect("a target"), &headers, door)
        }

        fn socket(&self) -> Result<Asked, Reason> {
            self.at(Door::Socket)
        }

        fn loopback(&self) -> Result<Asked, Reason> {
            self.at(Door::Loopback {
                port: 3111,
                token: TOKEN,
            })
        }
    }

    fn get(target: &'static str) -> Knock {
        Knock(Method::GET, target, vec![("host", "localhost")])
    }

    fn post(target: &'static str) -> Knock {
        Knock(Method::POST, target, vec![("host", "localhost")])
    }

    #[test]
    fn what_changes_something_needs_the_callers_own_name() {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let knock = Knock(method, "/v1/transactions", vec![("host", "localhost")]);
            assert_eq!(knock.socket(), Err(Reason::KeyMissing));
            let named = knock.with("idempotency-key", "invoice 17");
            assert_eq!(named.socket(), Err(Reason::KeyInvalid));
        }
        let asked = post("/v1/transactions?wait=30")
            .with("idempotency-key", "invoice-17")
            .socket()
            .unwrap();
        assert_eq!(
            (asked.kind, asked.query.as_str()),
            (Kind::Signed, "?wait=30")
        );
        assert_eq!(asked.idempotency_key.as_deref(), Some("invoice-17"));
        assert_eq!(asked.target(), "/v1/transactions?wait=30");
        let twice = post("/v1/pause")
            .with("idempotency-key", "a")
            .with("idempotency-key", "b");
        assert_eq!(twice.socket(), Err(Reason::Header));
        // A dry run is no change.
        let asked = post("/v1/transactions/dry-run").socket().unwrap();
        assert_eq!((asked.kind, asked.idempotency_key), (Kind::Signed, None));
    }

    #[test]
    fn owners_routes_tokens_and_everything_outside_are_refused() {
        for (target, reason) in [
            ("/v1/owner", Reason::NotForAgents),
            ("/v1/owner/login", Reason::NotForAgents),
            ("/v1/session/token", Reason::NotForAgents),
            ("/", Reason::Target),
            ("/sign", Reason::NotFound),
            ("/metrics", Reason::NotFound),
            ("/v1", Reason::NotFound),
            ("/v2/transactions", Reason::NotFound),
            ("/v1/%6fwner/login", Reason::Target),
            ("/v1//owner", Reason::Target),
            ("/v1/./owner", Reason::Target),
            ("/v1/x/../owner", Reason::Target),
            ("http://localhost/v1/session", Reason::Target),
            ("http://other.example/v1/session", Reason::Target),
        ] {
            assert_eq!(get(target).socket(), Err(reason), "{target}");
            let knock = post(target).with("idempotency-key", "k");
            assert_eq!(knock.socket(), Err(reason), "{target}");
        }
        // A name that only begins alike is another route; the gateway knows it or not.
        assert_eq!(get("/v1/owners-manual").socket().unwrap().kind, Kind::Read);
        assert_eq!(
            post("/health").with("idempotency-key", "k").socket(),
            Err(Reason::Method)
        );
        let odd = Knock(Method::OPTIONS, "/v1/session", vec![("host", "localhost")]);
        assert_eq!(odd.socket(), Err(Reason::Method));
    }

    #[test]
    fn a_browser_and_a_foreign_name_are_refused_on_both_doors() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "0.0.0.0",
            "localhost:x",
            "",
        ] {
            let knock = Knock(
                Method::GET,
                "/v1/session",
                vec![("host", host), ("authorization", "Bearer local-token")],
            );
            assert_eq!(knock.socket(), Err(Reason::Host), "{host}");
            assert_eq!(knock.loopback(), Err(Reason::Host), "{host}");
        }
        let none = Knock(Method::GET, "/v1/session", vec![]);
        assert_eq!(none.socket(), Err(Reason::Host));
        for origin in ["null", "http://localhost:3111", "https://evil.example"] {
            assert_eq!(
                get("/v1/session").with("origin", origin).socket(),
                Err(Reason::Origin)
            );
        }
        for (host, sound) in [
            ("127.0.0.1:3111", true),
            ("LOCALHOST:3111", true),
            ("[::1]:3111", true),
            ("127.0.0.1:3112", false),
            ("localhost", false),
        ] {
            let knock = Knock(
                Method::GET,
                "/v1/session",
                vec![("host", host), ("authorization", "Bearer local-token")],
            );
            assert_eq!(knock.loopback().is_ok(), sound, "{host}");
        }
    }

    #[test]
    fn loopback_takes_the_local_token_alone_and_passes_it_to_nobody() {
        let knock = |value: &'static str| {
            Knock(
                Method::GET,
                "/v1/session",
                vec![("host", "127.0.0.1:3111"), ("authorization", value)],
            )
        };
        for wrong in [
            "Bearer ",
            "Bearer local-tokem",
            "Bearer local-token2",
            "Basic local-token",
            "local-token",
        ] {
            assert_eq!(
                knock(wrong).loopback(),
                Err(Reason::TokenInvalid),
                "{wrong}"
            );
        }
        let none = Knock(Method::GET, "/health", vec![("host", "127.0.0.1:3111")]);
        assert_eq!(none.loopback(), Err(Reason::TokenMissing));
        let asked = knock("bearer local-token").loopback().unwrap();
        assert!(asked.headers.is_empty());
    }

    #[test]
    fn what_the_caller_says_of_itself_ends_here() {
        let asked = get("/v1/events")
            .with("accept", "text/event-stream")
            .with("last-event-id", "7")
            .with("authorization", "Bearer stolen")
            .with("signature", "waiaas=:AA==:")
            .with("signature-input", "waiaas=()")
            .with("content-digest", "sha-256=:AA==:")
            .with("x-forwarded-for", "10.0.0.1")
            .with("cookie", "a=b")
            .with("connection", "keep-alive")
            .socket()
            .unwrap();
        let mut names: Vec<&str> = asked.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "last-event-id"]);
        let long = get("/v1/session").with("content-length", "65537");
        assert_eq!(long.socket(), Err(Reason::BodyTooLarge));
    }
}
