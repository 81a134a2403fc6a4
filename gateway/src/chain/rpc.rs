//! JSON-RPC 2.0 over HTTP to one node. What it says is hostile input: answers are bounded in size and
//! time, their form and their id are checked, and it has to name the right chain.
//!
//! Knows no method's meaning but the one that names the chain; called by `endpoints`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Value, json};
use tokio::time::Instant;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::caip::{ChainId, Cluster};

use super::quantity::Quantity;
use super::revert::ErrorData;
use super::rpc_error::{ChainText, Lie, RpcError};
use super::url::RpcUrl;

/// Bytes of one answer. The longest honest one is a Solana transaction with its logs.
const ANSWER_LIMIT: usize = 2 * 1024 * 1024;
/// How long a node's word about its chain is believed.
const IDENTITY_LASTS: Duration = Duration::from_secs(300);
/// Part of the request's time that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client could not be set up. Whose fault: our own, or this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RpcSetupError {
    /// The process has not chosen its TLS implementation yet.
    #[error("no TLS implementation is installed in this process")]
    NoTlsProvider,
    /// TLS could not be set up; most likely this machine has no certificate authorities.
    #[error("TLS could not be set up: are certificate authorities (ca-certificates) installed?")]
    Tls,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    url: RpcUrl,
    client: reqwest::Client,
    next_id: AtomicU64,
    /// When the node last named the right chain.
    identified: Mutex<Option<Instant>>,
}

impl Node {
    pub(super) fn new(url: &RpcUrl, timeout: Duration) -> Result<Self, RpcSetupError> {
        // reqwest panics where this is missing.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(RpcSetupError::NoTlsProvider);
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("waiaas/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // A machine without certificate authorities can still reach a node over plain HTTP.
        let builder = if url.is_plain() {
            builder.tls_certs_only([])
        } else {
            builder.https_only(true)
        };
        Ok(Self {
            url: url.clone(),
            client: builder.build().map_err(|_| RpcSetupError::Tls)?,
            next_id: AtomicU64::new(1),
            identified: Mutex::new(None),
        })
    }

    /// Its address, without what may be an access key.
    pub(super) fn shown(&self) -> &RpcUrl {
        &self.url
    }

    /// Makes sure that the node serves `chain`; asks it at first use and every few minutes.
    pub(super) async fn identify(&self, chain: ChainId) -> Result<(), RpcError> {
        let believed = |at: &Instant| at.elapsed() < IDENTITY_LASTS;
        if self.last_identified().as_ref().is_some_and(believed) {
            return Ok(());
        }
        self.identify_now(chain).await
    }

    /// The same, and asks in any case.
    pub(super) async fn identify_now(&self, chain: ChainId) -> Result<(), RpcError> {
        let right = self.names(chain).await.map_err(|error| match error {
            // Whatever it refuses afterwards, it has not said which chain it serves.
            RpcError::Rpc { .. } if !error.is_the_nodes_own() => RpcError::Malformed,
            other => other,
        })?;
        let now = right.then(Instant::now);
        // The lock is held for an assignment only; no panic can happen under it.
        *self
            .identified
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        if right {
            Ok(())
        } else {
            Err(RpcError::Lies(Lie::Chain))
        }
    }

    async fn names(&self, chain: ChainId) -> Result<bool, RpcError> {
        Ok(match chain {
            ChainId::Evm(id) => {
                let said: Quantity = self.call("eth_chainId", &json!([])).await?;
                said.value() == u128::from(id)
            }
            ChainId::Solana(cluster) => {
                let said: GenesisHash = self.call("getGenesisHash", &json!([])).await?;
                // A local chain has another genesis at each start: any well-formed hash will do.
                cluster.reference() == Cluster::LOCALNET
                    || said.0.get(..32) == Some(cluster.reference())
            }
        })
    }

    fn last_identified(&self) -> Option<Instant> {
        *self
            .identified
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks once.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<T, RpcError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let sent = self
            .client
            .post(self.url.as_url().clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(request.to_string())
            .send();
        let mut response = sent.await.map_err(|error| transport(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
            if body.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
                return Err(RpcError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        match read_answer(id, &body) {
            // No answer to this request in the body: what failed is HTTP.
            Err(RpcError::Malformed | RpcError::Lies(Lie::RequestId)) if !status.is_success() => {
                Err(RpcError::Http(status.as_u16()))
            }
            answer => answer,
        }
    }
}

fn transport(error: &reqwest::Error) -> RpcError {
    if error.is_timeout() {
        RpcError::Timeout
    } else {
        RpcError::Unreachable
    }
}

/// The genesis hash in base58 of 32 bytes.
#[derive(Deserialize)]
#[serde(from = "SolanaAddress")]
struct GenesisHash(String);

impl From<SolanaAddress> for GenesisHash {
    fn from(hash: SolanaAddress) -> Self {
        Self(hash.to_string())
    }
}

/// An answer without its result, which an error may come with or without.
#[derive(Deserialize)]
struct Envelope {
    id: Option<u64>,
    #[serde(default)]
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: i64,
    message: ChainText,
    #[serde(default)]
    data: ErrorData,
}

#[derive(Deserialize)]
struct Outcome<T> {
    #[serde(deserialize_with = "present", bound = "T: DeserializeOwned")]
    result: T,
}

/// Without this, a missing result would be read as `null` where `T` is an `Option`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(from)
}

fn read_answer<T: DeserializeOwned>(id: u64, body: &[u8]) -> Result<T, RpcError> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| RpcError::Malformed)?;
    if envelope.id != Some(id) {
        return Err(RpcError::Lies(Lie::RequestId));
    }
    if let Some(ErrorObject {
        code,
        message,
        data,
    }) = envelope.error
    {
        // What a contract says tells more than that it reverted.
        let message = data.words().map_or(message, |words| ChainText::new(&words));
        return Err(RpcError::Rpc { code, message });
    }
    let outcome: Outcome<T> = serde_json::from_slice(body).map_err(|_| RpcError::Malformed)?;
    Ok(outcome.result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_strictly() {
        let read = |body: &str| read_answer::<Option<u64>>(7, body.as_bytes());
        assert_eq!(read(r#"{"jsonrpc":"2.0","id":7,"result":5}"#), Ok(Some(5)));
        assert_eq!(read(r#"{"jsonrpc":"2.0","id":7,"result":null}"#), Ok(None));
        for body in [
            r#"{"id":7}"#,
            r#"{"id":7,"result":5.0}"#,
            r#"{"id":7,"result":-5}"#,
            r#"{"id":7,"result":"5"}"#,
            r#"{"id":7,"result":1e3}"#,
            r#"{"id":7,"result":18446744073709551616}"#,
            r#"{"id":7,"result":5,"result":6}"#,
            r#"{"id":7,"result":5}x"#,
            r#"[{"id":7,"result":5}]"#,
            r#"{"id":7,"error":"no"}"#,
            r#"{"id":7,"error":{"code":1.5,"message":""}}"#,
            "",
            "<html></html>",
            "5",
        ] {
            assert_eq!(read(body), Err(RpcError::Malformed), "{body}");
        }
        for body in [r#"{"id":8,"result":5}"#, r#"{"id":null,"result":5}"#] {
            assert_eq!(read(body), Err(RpcError::Lies(Lie::RequestId)), "{body}");
        }
        let error =
            r#"{"id":7,"result":null,"error":{"code":-32000,"message":"no\n","data":[[]]}}"#;
        let message = ChainText::new("no?");
        assert_eq!(
            read(error),
            Err(RpcError::Rpc {
                code: -32000,
                message
            })
        );
    }

    #[test]
    fn deep_answers_do_not_overflow_the_stack() {
        let deep = "[".repeat(1_000_000);
        let body = format!(r#"{{"id":7,"result":{deep}"#);
        assert_eq!(
            read_answer::<Value>(7, body.as_bytes()),
            Err(RpcError::Malformed)
        );
    }
}
