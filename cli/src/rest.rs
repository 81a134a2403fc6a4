//! The gateway's REST interface as far as this program uses it: health, tokens, payments. An agent's
//! mutating request carries its HTTP Message Signature (RFC 9421), made here. The gateway is not
//! trusted: its texts are shown without what could steer a terminal.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::SessionId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::request_signature::{Parameters, Request, SignatureFields, sign_request};
use zeroize::Zeroizing;

use crate::commands::release::now;
use crate::failure::{Broken, Exit, Failure};
use crate::home::cannot;
use crate::http::{Answer, Http, PATIENCE};
use crate::output::printable;
use crate::owner_key::KeyFile;

/// A bearer secret's file, in bytes: one line of a good hundred characters.
const SECRET_FILE_LIMIT: usize = 512;

/// A gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    http: Http,
}

/// Who asks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AgentArgs {
    /// The agent's key file (waiaas agent keygen); takes --session too
    #[arg(
        long,
        value_name = "FILE",
        requires = "session",
        required_unless_present = "bearer_file",
        conflicts_with = "bearer_file"
    )]
    agent_key: Option<std::path::PathBuf>,
    /// The session that is bound to the key
    #[arg(long, value_name = "SESSION")]
    session: Option<SessionId>,
    /// A file with a bearer session's secret: one line, waiaas_session_...
    #[arg(long, value_name = "FILE", conflicts_with = "session")]
    bearer_file: Option<std::path::PathBuf>,
    /// The gateway; without it: gateway-url of config.toml
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
}

impl AgentArgs {
    /// Where the gateway is, if it is not this one of the configuration.
    pub(crate) fn url<'a>(&'a self, gateway_url: &'a str) -> &'a str {
        self.gateway.as_deref().unwrap_or(gateway_url)
    }

    /// The agent at the gateway.
    pub(crate) fn agent(&self, gateway_url: &str) -> Result<Agent, Failure> {
        let url = self.url(gateway_url);
        if !crate::config::is_gateway_url(url) {
            return Err(Failure::usage(
                "--gateway must be http:// or https:// with a host, without path or query",
            ));
        }
        let gateway = Gateway::new(url)?;
        let proof = match (&self.agent_key, self.session, &self.bearer_file) {
            (Some(path), Some(session), None) => Proof::Key {
                session,
                key: KeyFile::read(path)?,
            },
            (None, _, Some(path)) => Proof::Bearer(read_secret(path)?),
            _ => {
                return Err(Failure::usage(
                    "give --agent-key with --session, or --bearer-file",
                ));
            }
        };
        Ok(Agent { gateway, proof })
    }
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| cannot("read", path, &error);
    let mut text = Zeroizing::new(String::with_capacity(2 * SECRET_FILE_LIMIT));
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(SECRET_FILE_LIMIT as u64)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let line = text.trim();
    if line.starts_with("waiaas_session_") && line.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Zeroizing::new(line.to_owned()))
    } else {
        Err(Failure::new(Exit::Configuration, format!("{} holds no session's secret", path.display()))
            .why("it is one line that begins with waiaas_session_, as `waiaas session grant --bearer` shows it"))
    }
}

/// How an agent proves that a request belongs to its session.
#[derive(Debug)]
enum Proof {
    Key { session: SessionId, key: KeyFile },
    Bearer(Zeroizing<String>),
}

/// An agent at a gateway.
#[derive(Debug)]
pub(crate) struct Agent {
    gateway: Gateway,
    proof: Proof,
}

/// A token for the session.
#[derive(Debug)]
pub(crate) struct Token {
    /// What goes behind `Bearer`.
    pub(crate) text: Zeroizing<String>,
    /// The gateway's whole answer.
    pub(crate) answer: Value,
}

impl Gateway {
    /// The gateway at this address.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::new(url)?,
        })
    }

    /// Whether it answers.
    pub(crate) async fn is_healthy(&self) -> bool {
        let request = self.http.request(Method::GET, "/health");
        let answer = self.http.send(request, Duration::from_secs(2)).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

impl Token {
    /// The token of an answer.
    pub(crate) fn of(answer: Value) -> Result<Self, Failure> {
        match answer.get("token").and_then(Value::as_str) {
            Some(text) => Ok(Self {
                text: Zeroizing::new(text.to_owned()),
                answer,
            }),
            None => Err(Failure::internal("the gateway's answer holds no token")),
        }
    }
}

impl Agent {
    /// Asks for a token, with the secret or with a signature over the very request.
    pub(crate) async fn token(&self) -> Result<Token, Failure> {
        Token::of(accepted("no token", &self.ask_token().await?)?)
    }

    /// The same, with the gateway's answer as it came.
    pub(crate) async fn ask_token(&self) -> Result<Answer, Failure> {
        const PATH: &str = "/v1/session/token";
        let request = self.gateway.http.request(Method::POST, PATH);
        let request = match &self.proof {
            Proof::Bearer(secret) => request.bearer_auth(secret.as_str()),
            Proof::Key { session, key } => {
                let idempotency_key = random_name()?;
                let covered = Request {
                    method: "POST",
                    path: PATH,
                    query: "?",
                    body: b"",
                    idempotency_key: &idempotency_key,
                };
                let fields = sign(*session, key, &covered)?;
                with_signature(request, &fields, &idempotency_key)
            }
        };
        // An empty body has a length too.
        let request = request.header("content-length", "0");
        self.gateway
            .http
            .send(request, PATIENCE)
            .await
            .map_err(unreachable)
    }

    /// A request with its body, its name and, for a session that is bound to a key, its signature.
    pub(crate) fn prove(
        &self,
        request: reqwest::RequestBuilder,
        covered: &Request<'_>,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let request = request.body(covered.body.to_vec());
        Ok(match &self.proof {
            Proof::Bearer(_) => request.header("idempotency-key", covered.idempotency_key),
            Proof::Key { session, key } => {
                let fields = sign(*session, key, covered)?;
                with_signature(request, &fields, covered.idempotency_key)
            }
        })
    }

    /// Its session; of a bearer secret the part that is none.
    pub(crate) fn session(&self) -> String {
        match &self.proof {
            Proof::Key { session, .. } => session.to_string(),
            Proof::Bearer(secret) => {
                let line = secret.strip_prefix("waiaas_").unwrap_or_default();
                let session = line.rsplit_once('_').map(|(session, _)| session);
                printable(session.unwrap_or_default())
            }
        }
    }

    /// The public half of its key; none of a bearer session.
    pub(crate) fn agent_key(&self) -> Option<AgentKey> {
        match &self.proof {
            Proof::Key { key, .. } => Some(key.agent()),
            Proof::Bearer(_) => None,
        }
    }

    /// Reads with a token.
    pub(crate) async fn get(
        &self,
        token: &Token,
        target: &str,
        patience: Duration,
    ) -> Result<Value, Failure> {
        let request = self
            .gateway
            .http
            .request(Method::GET, target)
            .bearer_auth(token.text.as_str());
        let answer = self
            .gateway
            .http
            .send(request, patience)
            .await
            .map_err(unreachable)?;
        accepted("refused", &answer)
    }

    /// Posts a body with a token and, for a session that is bound to a key, its signature.
    pub(crate) async fn post(&self, token: &Token, post: &Post<'_>) -> Result<Value, Failure> {
        let target = format!(
            "{}{}",
            post.path,
            if post.query == "?" { "" } else { post.query }
        );
        let request = self
            .gateway
            .http
            .request(Method::POST, &target)
            .bearer_auth(token.text.as_str())
            .header("content-type", "application/json");
        let covered = Request {
            method: "POST",
            path: post.path,
            query: post.query,
            body: post.body,
            idempotency_key: post.idempotency_key,
        };
        let request = self.prove(request, &covered)?;
        let answer = self
            .gateway
            .http
            .send(request, post.patience)
            .await
            .map_err(unreachable)?;
        accepted("refused", &answer)
    }
}

#[cfg(test)]
impl Agent {
    /// An agent with a key at a gateway.
    pub(crate) fn with_key(url: &str, session: SessionId, key: KeyFile) -> Result<Self, Failure> {
        let proof = Proof::Key { session, key };
        let gateway = Gateway::new(url)?;
        Ok(Self { gateway, proof })
    }
}

/// A mutating request.
#[derive(Debug)]
pub(crate) struct Post<'a> {
    /// `/v1/transactions`.
    pub(crate) path: &'a str,
    /// With its question mark; `?` alone if there is none.
    pub(crate) query: &'a str,
    /// JSON.
    pub(crate) body: &'a [u8],
    /// The agent's name for this request.
    pub(crate) idempotency_key: &'a str,
    /// How long the answer may take.
    pub(crate) patience: Duration,
}

/// A fresh random name, 160 bits in base58: for idempotency keys and nonces.
pub(crate) fn random_name() -> Result<String, Failure> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::internal("the system's random source failed").why(error))?;
    Ok(bs58::encode(bytes).into_string())
}

fn sign(
    session: SessionId,
    key: &KeyFile,
    covered: &Request<'_>,
) -> Result<SignatureFields, Failure> {
    let wrong = |error| Failure::usage("the request cannot be signed").why(error);
    let nonce = random_name()?.parse().map_err(wrong)?;
    let parameters = Parameters::new(now().millis() / 1000, nonce, session).map_err(wrong)?;
    sign_request(covered, &parameters, |base| key.sign(base)).map_err(wrong)
}

fn with_signature(
    request: reqwest::RequestBuilder,
    fields: &SignatureFields,
    idempotency_key: &str,
) -> reqwest::RequestBuilder {
    request
        .header("idempotency-key", idempotency_key)
        .header("content-digest", &fields.content_digest)
        .header("signature-input", &fields.signature_input)
        .header("signature", &fields.signature)
}

fn unreachable(failure: Failure) -> Failure {
    failure.next("waiaas start, if it is the gateway of this machine")
}

/// The body of an answer that is not a refusal.
fn accepted(what: &str, answer: &Answer) -> Result<Value, Failure> {
    let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if (200..300).contains(&answer.status) {
        return value.ok_or_else(|| Failure::internal("the gateway's answer is not JSON"));
    }
    Err(refusal(what, answer.status, &value.unwrap_or(Value::Null)))
}

/// A problem (RFC 9457) as a failure.
fn refusal(what: &str, status: u16, problem: &Value) -> Failure {
    let text = |field: &str| {
        printable(
            problem
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default(),
        )
    };
    let code = text("code");
    let exit = match (Code::from_text(&code), status) {
        (Some(Code::Locked), _) => Exit::Locked,
        // The signer answers, and says no.
        (Some(Code::Killed | Code::Frozen | Code::ClockClosed | Code::NotInitialized), _)
        | (_, 401 | 403 | 409 | 422) => Exit::Denied,
        (_, 408 | 429 | 502..=504 | 507) => Exit::Unavailable,
        (_, 500) => Exit::Internal,
        _ => Exit::Failure,
    };
    let broken = broken(problem);
    let detail = text("detail");
    let mut failure = Failure::new(exit, what).next(text("hint"));
    if broken.is_empty() {
        let title = text("title");
        failure = failure.why(if title.is_empty() {
            format!("HTTP status {status}")
        } else {
            title
        });
    } else if !detail.is_empty() {
        failure = failure.why(detail);
    }
    failure.broken(broken)
}

/// The violations of a problem or of a dry run.
pub(crate) fn broken(answer: &Value) -> Vec<Broken> {
    let list = answer
        .get("violations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.map(|entry| {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).map(printable);
        let mut words = format!(
            "{}: {}",
            text("code").unwrap_or_default(),
            text("message").unwrap_or_default()
        );
        if let Some(place) = entry.get("argument").and_then(Value::as_u64) {
            words.push_str(&format!(" Argument: {place}."));
        }
        for (field, name) in [
            ("observed", "Asked"),
            ("allowed", "Allowed"),
            ("asset", "Asset"),
        ] {
            if let Some(value) = text(field) {
                words.push_str(&format!(" {name}: {value}."));
            }
        }
        if let Some(seconds) = entry.get("retry_after_seconds").and_then(Value::as_u64) {
            words.push_str(&format!(
                " Passes in {}.",
                crate::duration::words(seconds.saturating_mul(1000))
            ));
        }
        Broken {
            words,
            json: json!(entry),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use waiaas_shared::request_signature::{SignedRequest, verify};

    use super::*;

    #[test]
    fn a_request_is_signed_as_the_signer_verifies_it() {
        let key = KeyFile::generate().unwrap();
        let session = SessionId::from_bytes([5; 16]);
        let request = Request {
            method: "POST",
            path: "/v1/transactions",
            query: "?wait=30",
            body: b"{}",
            idempotency_key: "k",
        };
        let fields = sign(session, &key, &request).unwrap();
        let signed = SignedRequest {
            request,
            signature_input: &fields.signature_input,
            signature: &fields.signature,
        };
        let verified = verify(&signed, &key.agent()).unwrap();
        assert_eq!(verified.session, session);
        let other = SignedRequest {
            request: Request {
                body: b"{ }",
                ..request
            },
            ..signed
        };
        assert!(verify(&other, &key.agent()).is_err());
    }

    #[test]
    fn a_problem_becomes_a_failure_with_its_reasons() {
        let problem = json!({
            "type": "urn:waiaas:problem:hour_limit", "title": "More than policy allows in any hour.", "status": 403,
            "code": "hour_limit", "hint": "Wait, or pay less.\u{1b}[2J",
            "violations": [{ "code": "hour_limit", "message": "More.", "argument": 2, "observed": "9", "allowed": "7",
                "retry_after_seconds": 60, "next": "wait" }],
        });
        let failure = refusal("refused", 403, &problem);
        assert_eq!(failure.exit(), Exit::Denied);
        assert_eq!(
            failure.human(),
            "waiaas: refused\n  hour_limit: More. Argument: 2. Asked: 9. Allowed: 7. Passes in 1 minute.\nNext: Wait, or pay less.?[2J"
        );
        for (code, status, exit) in [
            ("locked", 503, Exit::Locked),
            ("killed", 503, Exit::Denied),
            ("signer_unreachable", 503, Exit::Unavailable),
            ("internal", 500, Exit::Internal),
            ("token_invalid", 401, Exit::Denied),
            ("not_found", 404, Exit::Failure),
        ] {
            assert_eq!(
                refusal("x", status, &json!({ "code": code })).exit(),
                exit,
                "{code}"
            );
        }
        assert!(
            refusal("x", 418, &Value::Null)
                .human()
                .contains("HTTP status 418")
        );
    }

    #[test]
    fn random_names_fit_nonces_and_idempotency_keys() {
        let name = random_name().unwrap();
        assert!((16..=64).contains(&name.len()), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(name, random_name().unwrap());
    }
}
