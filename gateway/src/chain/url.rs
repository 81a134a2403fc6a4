//! Addresses of nodes as they are configured. They often hold an access key, so only scheme, host and port are ever
//! shown, in messages and in the log.

use std::fmt;

/// The address of a node.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct RpcUrl(reqwest::Url);

/// Not an address of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node's address begins with http:// or https:// and names a host")]
pub struct RpcUrlError;

impl RpcUrl {
    pub(super) fn as_url(&self) -> &reqwest::Url {
        &self.0
    }

    /// Whether it goes without TLS.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl TryFrom<String> for RpcUrl {
    type Error = RpcUrlError;

    fn try_from(text: String) -> Result<Self, RpcUrlError> {
        parsed(&text, ["http", "https"])
            .map(Self)
            .ok_or(RpcUrlError)
    }
}

/// The address of a node's websocket.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct SocketUrl(reqwest::Url);

/// Not an address of a websocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a websocket's address begins with ws:// or wss:// and names a host, and no user")]
pub struct SocketUrlError;

impl SocketUrl {
    /// The whole address.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it goes without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "ws"
    }

    /// Whom a certificate has to name. An IPv6 address stands in brackets in an address, and in no name.
    pub(super) fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }
}

impl TryFrom<String> for SocketUrl {
    type Error = SocketUrlError;

    fn try_from(text: String) -> Result<Self, SocketUrlError> {
        // What stands in front of a host is sent by no one: whoever relies on it should hear so.
        let named = |url: &reqwest::Url| url.username().is_empty() && url.password().is_none();
        parsed(&text, ["ws", "wss"])
            .filter(named)
            .map(Self)
            .ok_or(SocketUrlError)
    }
}

fn parsed(text: &str, schemes: [&str; 2]) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok()?;
    let known = schemes.contains(&url.scheme());
    (known && url.has_host() && url.fragment().is_none()).then_some(url)
}

fn shown(url: &reqwest::Url, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let host = url.host_str().unwrap_or_default();
    write!(formatter, "{}://{host}", url.scheme())?;
    match url.port() {
        Some(port) => write!(formatter, ":{port}"),
        None => Ok(()),
    }
}

macro_rules! shows_no_key {
    ($($url:ident),*) => {$(
        impl fmt::Display for $url {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                shown(&self.0, formatter)
            }
        }

        impl fmt::Debug for $url {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                shown(&self.0, formatter)
            }
        }
    )*};
}

shows_no_key!(RpcUrl, SocketUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_shown() {
        let rpc = RpcUrl::try_from("https://node.example:8443/key?k=secret".to_owned());
        let rpc = rpc.expect("valid");
        assert_eq!(
            format!("{rpc} {rpc:?}"),
            "https://node.example:8443 ".repeat(2).trim()
        );
        let socket = SocketUrl::try_from("wss://node.example/key?k=secret".to_owned());
        let socket = socket.expect("valid");
        assert_eq!(
            format!("{socket} {socket:?}"),
            "wss://node.example ".repeat(2).trim()
        );
        assert_eq!((socket.host(), socket.port()), ("node.example", 443));
        let plain = SocketUrl::try_from("ws://[::1]:9000".to_owned()).expect("valid");
        assert_eq!((plain.host(), plain.port()), ("::1", 9000));
        assert!(plain.is_plain() && !socket.is_plain());
    }
}
