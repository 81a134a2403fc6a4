//! What every request passes before anything reads it: one way to write a target, one Host that is
//! ours, no foreign Origin, one length. Protects a loopback listener from browsers (DNS rebinding,
//! cross-site posts) and from requests that two programs could read in two ways. Decides nothing about
//! who asks.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::{GatewayCode, Problem};
use crate::app::App;

/// Longest target, in bytes.
const TARGET_LIMIT: usize = 2048;

/// Which names are ours.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// Loopback names and these; a name without a port stands for every port.
    #[must_use]
    pub const fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { hosts, origins }
    }

    /// Judges a request by its head.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, request: &Request) -> Result<(), GatewayCode> {
        let target = request.uri();
        // An absolute target brings a second host along (RFC 9112 section 3.2.2).
        if target.scheme().is_some() || target.authority().is_some() || !is_plain(target.path()) {
            return Err(GatewayCode::TargetMalformed);
        }
        if target
            .path_and_query()
            .is_some_and(|whole| whole.as_str().len() > TARGET_LIMIT)
        {
            return Err(GatewayCode::TargetMalformed);
        }
        let headers = request.headers();
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(GatewayCode::LengthRequired);
        }
        let _length = single(headers, &header::CONTENT_LENGTH)?;
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(GatewayCode::MediaType);
        }
        let host = single(headers, &header::HOST)?.ok_or(GatewayCode::HostNotAllowed)?;
        if !self.is_own(host) {
            return Err(GatewayCode::HostNotAllowed);
        }
        match single(headers, &header::ORIGIN)? {
            Some(origin) if !self.origins.iter().any(|listed| listed == origin) => {
                Err(GatewayCode::OriginNotAllowed)
            }
            _ => Ok(()),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        let listed = |own: &String| *own == host || own == name;
        ["127.0.0.1", "localhost", "[::1]"].contains(&name) || self.hosts.iter().any(listed)
    }
}

/// The name in front of a port of digits; the whole text if it has none.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

/// Paths have one form; the same rule that a signed request's path has to keep.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let segments = |rest: &str| rest.split('/').all(|part| !["", ".", ".."].contains(&part));
    path == "/" || (path.bytes().all(plain) && path.strip_prefix('/').is_some_and(segments))
}

/// The value of a header that may stand once, as visible ASCII.
///
/// # Errors
/// [`GatewayCode::HeaderMalformed`] if it stands twice or is not ASCII text.
pub fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, GatewayCode> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(GatewayCode::HeaderMalformed);
    }
    first
        .map(HeaderValue::to_str)
        .transpose()
        .map_err(|_| GatewayCode::HeaderMalformed)
}

/// The guard as a layer. Whatever it refuses is read no further: the connection ends.
pub async fn layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Err(code) = app.guard.check(&request) {
        let mut refused = Problem::of(code).into_response();
        refused
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        return refused;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Answers hold balances and payments: no cache, no sniffing, no frame.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
