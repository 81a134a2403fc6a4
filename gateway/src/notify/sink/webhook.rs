//! Webhooks in the form of Standard Webhooks (standardwebhooks.com, version 1.0): `webhook-id`, `webhook-timestamp`
//! and `webhook-signature`, HMAC-SHA256 over the three with the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use sha2::Sha256;

use super::SendError;
use super::post::Post;
use crate::clock::Clock;
use crate::notify::config::{ChannelError, Webhook, secret};
use crate::notify::message::Message;

/// Bytes of a secret, as the form asks.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A receiver.
pub struct Hook {
    post: Post,
    secrets: Vec<Vec<u8>>,
    clock: Clock,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Hook").finish_non_exhaustive()
    }
}

impl Hook {
    pub(super) fn new(channel: &str, config: &Webhook) -> Result<Self, ChannelError> {
        let lines = secret(channel, &config.secret_file)?;
        let secrets: Option<Vec<Vec<u8>>> = lines.iter().map(|line| key(line)).collect();
        let secrets = secrets
            .filter(|secrets| secrets.len() <= 2)
            .ok_or_else(|| ChannelError::Secret {
                channel: channel.to_owned(),
                path: config.secret_file.clone(),
                rule: "one line, or two while receivers change over: whsec_ and base64 of 24 to 64 bytes"
                    .to_owned(),
            })?;
        Ok(Self {
            post: Post::new(channel, "url", &config.url)?,
            secrets,
            clock: Clock::system(),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut data = message.data.clone();
        data.insert("title".to_owned(), json!(message.title));
        data.insert("text".to_owned(), json!(message.text()));
        if let Some(link) = &message.link {
            data.insert("link".to_owned(), json!(link));
        }
        let body = json!({
            "type": message.kind.as_str(),
            "timestamp": message.at.rfc3339(),
            "data": data,
        })
        .to_string();
        let timestamp = self.clock.seconds().to_string();
        let signatures: Vec<String> = self
            .secrets
            .iter()
            .map(|secret| signature(secret, &message.name, &timestamp, &body))
            .collect();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", message.name.clone()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signatures.join(" ")),
        ] {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| SendError::Refused("its name is no header".to_owned()))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        self.post.json(body, headers).await
    }
}

/// The bytes of a secret.
fn key(line: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(line.strip_prefix("whsec_")?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

fn signature(secret: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    // A key of any length is one (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return String::new();
    };
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn a_signature_is_the_published_one() {
        let secret = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for bad in [
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAA",
            "whsec_***",
            "",
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }
}
