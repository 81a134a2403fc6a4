//! An agent as the API sees it: its key or its bearer secret, its session, its token. Builds requests and signs them
//! (RFC 9421) with the client code of `waiaas-shared`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::request_signature::{self, Parameters};

use crate::http::{Connection, Request, Response};

/// How requests are proven.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The agent's own key.
    Key(Box<SigningKey>),
    /// The bearer credential as it was printed once.
    Bearer(String),
}

/// An agent with a session.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The gateway, `http://ADDRESS:PORT`.
    pub gateway: String,
    /// The signer that it means.
    pub signer: SignerId,
    /// Its session.
    pub session: SessionId,
    proof: Proof,
    token: String,
}

/// A transfer that an agent asks for.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// From which wallet.
    pub wallet: String,
    /// On which network (CAIP-2).
    pub network: String,
    /// Address or `@contact`.
    pub to: String,
    /// Base units.
    pub amount_base: String,
    /// Whether the gateway sends it.
    pub submit: bool,
}

impl Agent {
    /// Gets a token for the session.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn log_in(
        gateway: &str,
        signer: SignerId,
        session: SessionId,
        proof: Proof,
    ) -> Result<Self> {
        let mut agent = Self {
            gateway: gateway.to_owned(),
            signer,
            session,
            proof,
            token: String::new(),
        };
        agent.renew()?;
        Ok(agent)
    }

    /// Gets a new token.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn renew(&mut self) -> Result<()> {
        let mut request = Request {
            method: "POST",
            target: "/v1/session/token".to_owned(),
            headers: vec![],
            body: vec![],
        };
        match &self.proof {
            Proof::Key(_) => self.sign(&mut request, &fresh()?)?,
            Proof::Bearer(secret) => request
                .headers
                .push(("Authorization", format!("Bearer {secret}"))),
        }
        let answer = Connection::open(&self.gateway)?.send(&request)?;
        ensure!(
            answer.status == 200,
            "no token: {}",
            String::from_utf8_lossy(&answer.body)
        );
        let token = answer
            .json()?
            .get("token")
            .and_then(Value::as_str)
            .map(str::to_owned);
        self.token = token.context("an answer without a token")?;
        Ok(())
    }

    /// The token, for copy-and-paste lines.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A reading request.
    #[must_use]
    pub fn get(&self, target: &str) -> Request {
        Request {
            method: "GET",
            target: target.to_owned(),
            headers: vec![self.authorization()],
            body: vec![],
        }
    }

    /// A mutating request, signed if the session is bound to a key.
    ///
    /// # Errors
    /// When something in it has no canonical form.
    pub fn post(&self, target: &str, idempotency_key: &str, body: &Value) -> Result<Request> {
        self.post_bytes(target, idempotency_key, body.to_string().into_bytes())
    }

    /// The same with a body of bytes.
    ///
    /// # Errors
    /// When something in it has no canonical form.
    pub fn post_bytes(
        &self,
        target: &str,
        idempotency_key: &str,
        body: Vec<u8>,
    ) -> Result<Request> {
        let headers = vec![self.authorization()];
        let mut request = Request {
            method: "POST",
            target: target.to_owned(),
            headers,
            body,
        };
        match &self.proof {
            Proof::Key(_) => self.sign(&mut request, idempotency_key)?,
            Proof::Bearer(_) => request
                .headers
                .push(("Idempotency-Key", idempotency_key.to_owned())),
        }
        Ok(request)
    }

    /// The request for a transfer.
    ///
    /// # Errors
    /// As [`Agent::post`].
    pub fn transfer(
        &self,
        transfer: &Transfer,
        idempotency_key: &str,
        wait_seconds: u32,
    ) -> Result<Request> {
        let target = if wait_seconds == 0 {
            "/v1/transactions".to_owned()
        } else {
            format!("/v1/transactions?wait={wait_seconds}")
        };
        self.post(&target, idempotency_key, &self.transfer_body(transfer))
    }

    /// The body for a transfer.
    #[must_use]
    pub fn transfer_body(&self, transfer: &Transfer) -> Value {
        json!({
            "signer": self.signer,
            "wallet": transfer.wallet,
            "network": transfer.network,
            "to": transfer.to,
            "amount_base": transfer.amount_base,
            "submit": transfer.submit,
        })
    }

    /// Sends a request over a connection of its own.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&self, request: &Request) -> Result<Response> {
        Connection::open(&self.gateway)?.send(request)
    }

    fn authorization(&self) -> (&'static str, String) {
        ("Authorization", format!("Bearer {}", self.token))
    }

    fn sign(&self, request: &mut Request, idempotency_key: &str) -> Result<()> {
        let Proof::Key(key) = &self.proof else {
            return Ok(());
        };
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (request.target.as_str(), "?".to_owned()),
        };
        let parts = request_signature::Request {
            method: request.method,
            path,
            query: &query,
            body: &request.body,
            idempotency_key,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let parameters = Parameters::new(now, fresh()?.parse()?, self.session)?;
        let fields =
            request_signature::sign_request(&parts, &parameters, |base| key.sign(base).to_bytes())?;
        request.headers.extend([
            ("Idempotency-Key", idempotency_key.to_owned()),
            ("Content-Digest", fields.content_digest),
            ("Signature-Input", fields.signature_input),
            ("Signature", fields.signature),
        ]);
        Ok(())
    }
}

/// A fresh nonce or idempotency key: 32 hexadecimal digits.
///
/// # Errors
/// When the system has no randomness.
pub fn fresh() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
