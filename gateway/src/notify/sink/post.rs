//! The client that posts JSON to a service: no redirects, no proxies of the environment, bounded in time and size.
//! Addresses may be secrets: no error and no log names one.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use super::SendError;
use crate::notify::config::ChannelError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes that are read of an answer that says no.
const ANSWER_LIMIT: usize = 4096;
/// A shorter part of an address is no secret.
const SECRET_PART: usize = 8;
/// The longest wait that a service is granted.
const WAIT_LIMIT: Duration = Duration::from_secs(3600);

/// A client and where it posts to.
pub(super) struct Post {
    client: reqwest::Client,
    url: Url,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Post").finish_non_exhaustive()
    }
}

impl Post {
    /// For an address; `key` names where it is configured.
    pub(super) fn new(channel: &str, key: &'static str, url: &str) -> Result<Self, ChannelError> {
        let refused = |rule: &str| ChannelError::Value {
            channel: channel.to_owned(),
            key,
            rule: rule.to_owned(),
        };
        let form = "an address that begins with https:// (or http://) and names a host";
        let url = Url::parse(url).map_err(|_| refused(form))?;
        if !["https", "http"].contains(&url.scheme()) || !url.has_host() {
            return Err(refused(form));
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("waiaas/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // A machine without certificate authorities can still reach a receiver over plain HTTP.
        let builder = match url.scheme() {
            "http" => builder.tls_certs_only([]),
            _ => builder.https_only(true),
        };
        let client = builder.build().map_err(|_| {
            refused("TLS could not be set up: are certificate authorities installed?")
        })?;
        Ok(Self { client, url })
    }

    /// Posts once.
    pub(super) async fn json(&self, body: String, headers: HeaderMap) -> Result<(), SendError> {
        let sent = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send();
        let mut answer = sent
            .await
            .map_err(|error| SendError::Away(unreachable(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ANSWER_LIMIT {
                break;
            }
        }
        if names(&self.url, &body) {
            body.clear();
        }
        Err(refusal(status, wait, &body))
    }
}

/// What an answer means that is no yes.
fn refusal(status: StatusCode, wait: Option<Duration>, body: &[u8]) -> SendError {
    let told = format!("HTTP {}{}", status.as_u16(), told(body));
    match status {
        StatusCode::TOO_MANY_REQUESTS => match wait {
            Some(wait) => SendError::Busy(wait.min(WAIT_LIMIT)),
            None => SendError::Away(told),
        },
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => SendError::Refused(told),
        _ => SendError::Away(told),
    }
}

/// Whether an answer repeats a part of the address that may be a secret.
fn names(url: &Url, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let segments = url.path_segments().into_iter().flatten();
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let mut parts = segments.map(str::to_owned).chain(values);
    parts.any(|part| part.len() >= SECRET_PART && text.contains(&part))
}

/// The beginning of an answer, as far as it is printable.
fn told(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let plain: String = text
        .chars()
        .filter(|character| character.is_ascii_graphic() || *character == ' ')
        .take(120)
        .collect();
    if plain.is_empty() {
        plain
    } else {
        format!(": {plain}")
    }
}

/// Why there is no answer, without the address.
fn unreachable(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_repeats_the_address_is_not_told_on() {
        let url = Url::parse("https://x.example/hooks/T0/s3cretS3cret?key=0123456789")
            .expect("an address");
        for body in [
            "Cannot POST /hooks/T0/s3cretS3cret",
            "{\"q\":\"0123456789\"}",
        ] {
            assert!(names(&url, body.as_bytes()), "{body}");
        }
        assert!(!names(&url, b"chat not found in hooks"));
    }

    #[test]
    fn only_what_is_about_the_message_counts_against_it() {
        for (status, wait, refused) in [
            (400, None, true),
            (413, None, true),
            (422, None, true),
            (401, None, false),
            (403, None, false),
            (404, None, false),
            (410, None, false),
            (429, None, false),
            (500, None, false),
            (503, None, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = refusal(status, wait, b"no");
            assert_eq!(matches!(error, SendError::Refused(_)), refused, "{status}");
        }
        let long = Some(Duration::from_secs(1_000_000));
        assert_eq!(
            refusal(StatusCode::TOO_MANY_REQUESTS, long, b""),
            SendError::Busy(WAIT_LIMIT)
        );
        let loud = refusal(
            StatusCode::BAD_GATEWAY,
            None,
            "\u{1b}[31m\u{202e}x".as_bytes(),
        );
        assert_eq!(loud, SendError::Away("HTTP 502: [31mx".to_owned()));
    }
}
