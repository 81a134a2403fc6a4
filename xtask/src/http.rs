//! A small blocking HTTP/1.1 client with keep-alive (RFC 9112), for the tour, tests and the benchmark: loopback
//! only, answers with a Content-Length only, bounded and timed out. Raw bytes can be sent too, for requests that no
//! honest client makes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// A payment may wait for its confirmation.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Bytes of one answer's body.
const BODY_LIMIT: u64 = 16 * 1024 * 1024;

/// A request, not yet sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Beside Host and Content-Length.
    pub headers: Vec<(&'static str, String)>,
    /// May be empty.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// 100 to 599.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!(
                "status {}: {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A connection that is kept open.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    /// Connects to `http://ADDRESS:PORT`.
    ///
    /// # Errors
    /// When the address is not on this machine or nobody listens.
    pub fn open(url: &str) -> Result<Self> {
        let address: SocketAddr = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .and_then(|rest| rest.parse().ok())
            .with_context(|| format!("{url} is not http://ADDRESS:PORT"))?;
        ensure!(address.ip().is_loopback(), "{url} is not on this machine");
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: address.to_string(),
        })
    }

    /// The bytes of a request for this connection.
    #[must_use]
    pub fn bytes(&self, request: &Request) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            request.method, request.target, self.host
        );
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !request.body.is_empty() {
            head.push_str("Content-Type: application/json\r\n");
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&request.body);
        bytes
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP of this plain kind.
    pub fn send(&mut self, request: &Request) -> Result<Response> {
        let bytes = self.bytes(request);
        self.send_raw(&bytes)
    }

    /// Sends bytes as they are and reads one answer.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<Response> {
        self.stream.get_mut().write_all(bytes)?;
        self.read()
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn read(&mut self) -> Result<Response> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .with_context(|| format!("no status line: {line:?}"))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            ensure!(
                self.stream.read_line(&mut line)? > 0,
                "the connection closed inside the headers"
            );
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            let (name, value) = text
                .split_once(':')
                .with_context(|| format!("not a header: {text:?}"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        ensure!(
            response.header("transfer-encoding").is_none(),
            "a chunked answer is not understood here"
        );
        let length: u64 = response.header("content-length").unwrap_or("0").parse()?;
        ensure!(length <= BODY_LIMIT, "{length} bytes are too many");
        (&mut self.stream)
            .take(length)
            .read_to_end(&mut response.body)?;
        ensure!(
            response.body.len() as u64 == length,
            "the connection closed inside the body"
        );
        Ok(response)
    }
}
