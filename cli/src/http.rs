//! Plain HTTP exchanges, bounded in size and time, without redirects and proxies. Knows neither the
//! gateway's interface nor a chain's.

use std::time::Duration;

use reqwest::{ClientBuilder, RequestBuilder, Response, Url};

use crate::failure::{Exit, Failure};

/// Bytes of one answer, at most.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;
/// Time to connect.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Time for one exchange, beside what the caller waits for on purpose.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Below the time after which a gateway closes an idle connection.
const KEPT_IDLE: Duration = Duration::from_secs(8);

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// A client for `url`, which is never shown whole: it may hold an access key.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Self::build(url, |builder| builder)
    }

    /// The same for answers that are handed on as they come: each part of one within `patience`, and no
    /// connection kept that the server may be about to close.
    pub(crate) fn streaming(url: &str, patience: Duration) -> Result<Self, Failure> {
        Self::build(url, |builder| {
            builder.read_timeout(patience).pool_idle_timeout(KEPT_IDLE)
        })
    }

    fn build(
        url: &str,
        more: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage("not an address: it begins with http:// or https:// and names a host")
        };
        let base = Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong());
        }
        // Another client of this process may have installed it before.
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("waiaas-cli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // A machine without certificate authorities can still reach its own gateway.
        let builder = if base.scheme() == "http" {
            builder.tls_certs_only([])
        } else {
            builder.https_only(true)
        };
        let client = more(builder).build().map_err(|_| {
            Failure::new(Exit::Failure, "TLS could not be set up")
                .next("are certificate authorities (ca-certificates) installed?")
        })?;
        Ok(Self { client, base })
    }

    /// Scheme, host and port: what may be shown.
    pub(crate) fn shown(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// A POST to the address itself.
    pub(crate) fn post_base(&self) -> RequestBuilder {
        self.client.post(self.base.clone())
    }

    /// A request to a path of the server; `target` begins with a slash.
    pub(crate) fn request(&self, method: reqwest::Method, target: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{target}", self.shown()))
    }

    /// Sends, and hands the answer on from its head on.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// Sends, within `patience`.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        let unreachable = |error: reqwest::Error| self.unreachable(&error);
        let mut response = request
            .timeout(patience)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
                return Err(Failure::new(
                    Exit::Failure,
                    format!("the answer of {} is too large", self.shown()),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "nobody answers there"
        } else {
            "the connection broke"
        };
        Failure::new(
            Exit::Unavailable,
            format!("{} cannot be reached", self.shown()),
        )
        .why(why)
    }
}
