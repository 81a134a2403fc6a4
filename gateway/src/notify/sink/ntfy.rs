//! ntfy: JSON to the server's root (docs.ntfy.sh/publish). Its actions are links alone: nothing that is pressed in a
//! topic decides anything.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::json;

use super::SendError;
use super::post::Post;
use crate::notify::config::{ChannelError, Ntfy, secret};
use crate::notify::message::Message;

/// Above the usual one; five is the highest.
const URGENT: u8 = 4;
const USUAL: u8 = 3;

/// A topic.
#[derive(Debug)]
pub struct Topic {
    post: Post,
    topic: String,
    authorization: Option<HeaderValue>,
}

impl Topic {
    pub(super) fn new(channel: &str, config: &Ntfy) -> Result<Self, ChannelError> {
        let refused = |key, rule: &str| ChannelError::Value {
            channel: channel.to_owned(),
            key,
            rule: rule.to_owned(),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=64).contains(&config.topic.len()) || !config.topic.bytes().all(plain) {
            return Err(refused("topic", "1 to 64 letters, digits, - and _"));
        }
        let authorization = match &config.token_file {
            None => None,
            Some(path) => {
                let token = secret(channel, path)?.join("");
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
                        refused("token-file", "an access token of printable characters")
                    })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            post: Post::new(channel, "server", &config.server)?,
            topic: config.topic.clone(),
            authorization,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut body = json!({
            "topic": self.topic,
            "title": message.title,
            "message": message.lines.join("\n"),
            "priority": if message.kind.is_urgent() { URGENT } else { USUAL },
        });
        if let (Some(link), Some(body)) = (&message.link, body.as_object_mut()) {
            body.insert("click".to_owned(), json!(link));
        }
        let mut headers = HeaderMap::new();
        if let Some(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        self.post.json(body.to_string(), headers).await
    }
}
