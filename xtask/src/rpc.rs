//! The smallest JSON-RPC 2.0 client over HTTP/1.1 (RFC 9112) that local chains need: one request, one connection.
//! Loopback only, no TLS, no chunked answers, bounded and timed out. For set-up and checks in tests and the tour;
//! the product's own chain adapters live in the gateway and share nothing with it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// A local chain answers in milliseconds; ten seconds is a chain that hangs.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one answer, headers included.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

/// One JSON-RPC endpoint on this machine.
#[derive(Debug, Clone)]
pub struct Rpc {
    url: String,
    address: SocketAddr,
}

impl Rpc {
    /// The endpoint at `url`, of the form `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// For any other form, and for an address beyond loopback.
    pub fn new(url: &str) -> Result<Self> {
        let address: SocketAddr = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .and_then(|rest| rest.parse().ok())
            .with_context(|| format!("{url} is not http://ADDRESS:PORT"))?;
        ensure!(address.ip().is_loopback(), "{url} is not on this machine");
        Ok(Self {
            url: format!("http://{address}"),
            address,
        })
    }

    /// `http://ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls `method` and returns its `result`.
    ///
    /// # Errors
    /// When nobody answers in time, the answer is not JSON-RPC, or it is an error (whose code and message the
    /// error shows).
    pub fn call(&self, method: &str, params: Value) -> Result<Value> {
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let answer = self
            .post(&body)
            .with_context(|| format!("{method} at {}", self.url))?;
        let mut answer: Value = serde_json::from_str(&answer)
            .with_context(|| format!("{method}: not JSON: {answer}"))?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            bail!("{method}: {error}");
        }
        answer
            .get_mut("result")
            .map(Value::take)
            .with_context(|| format!("{method}: neither result nor error"))
    }

    fn post(&self, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(ANSWER_LIMIT).read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let head = head.to_ascii_lowercase();
        ensure!(
            head.starts_with("http/1.1 200") || head.starts_with("http/1.0 200"),
            "{head}\n{body}"
        );
        ensure!(
            !head.contains("transfer-encoding: chunked"),
            "a chunked answer is not understood here"
        );
        Ok(body.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers one connection with `answer` and returns where.
    fn server(answer: &'static str) -> Rpc {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(stream.write_all(answer.as_bytes()));
        });
        Rpc::new(&url).unwrap()
    }

    #[test]
    fn a_result_is_returned() {
        let rpc = server(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}",
        );
        assert_eq!(rpc.call("eth_chainId", json!([])).unwrap(), json!("0x1"));
    }

    #[test]
    fn an_error_names_the_method_and_the_reason() {
        let rpc = server(
            "HTTP/1.1 200 OK\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"nonce too low\"}}",
        );
        let error = rpc
            .call("eth_sendRawTransaction", json!([]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("eth_sendRawTransaction") && error.contains("nonce too low"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_an_answer_is_refused() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\n\r\n{}",
            "HTTP/1.1 500 Oops\r\n\r\n{\"result\":1}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{\"result\":1}",
        ] {
            assert!(server(answer).call("any", json!([])).is_err(), "{answer}");
        }
    }

    #[test]
    fn only_loopback_is_called() {
        for url in [
            "http://192.0.2.1:80",
            "https://127.0.0.1:80",
            "http://localhost",
            "127.0.0.1:80",
        ] {
            assert!(Rpc::new(url).is_err(), "{url}");
        }
        assert_eq!(
            Rpc::new("http://127.0.0.1:80/").unwrap().url(),
            "http://127.0.0.1:80"
        );
    }
}
