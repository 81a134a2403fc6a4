//! Telegram, Discord and Slack: one POST of a JSON body, each in the form in which no text of a message formats,
//! mentions or links anything.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::SendError;
use super::post::Post;
use crate::notify::config::{self, ChannelError, secret};
use crate::notify::message::Message;

/// A chat.
#[derive(Debug)]
pub struct Chat {
    post: Post,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Telegram { chat: String },
    Discord,
    Slack,
}

impl Chat {
    pub(super) fn telegram(channel: &str, config: &config::Telegram) -> Result<Self, ChannelError> {
        let refused = |key, rule: &str| ChannelError::Value {
            channel: channel.to_owned(),
            key,
            rule: rule.to_owned(),
        };
        let token = first(channel, &config.token_file)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_".contains(&byte);
        if !token.bytes().all(plain) {
            return Err(refused(
                "token-file",
                "a bot's token, as BotFather gives it: digits, a colon, letters",
            ));
        }
        let server = config.server.trim_end_matches('/');
        let url = format!("{server}/bot{token}/sendMessage");
        Ok(Self {
            post: Post::new(channel, "server", &url)?,
            form: Form::Telegram {
                chat: config.chat.clone(),
            },
        })
    }

    pub(super) fn discord(channel: &str, config: &config::Hook) -> Result<Self, ChannelError> {
        Self::hook(channel, config, Form::Discord)
    }

    pub(super) fn slack(channel: &str, config: &config::Hook) -> Result<Self, ChannelError> {
        Self::hook(channel, config, Form::Slack)
    }

    fn hook(channel: &str, config: &config::Hook, form: Form) -> Result<Self, ChannelError> {
        let url = first(channel, &config.url_file)?;
        Ok(Self {
            post: Post::new(channel, "url-file", &url)?,
            form,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let body = self.form.body(message);
        self.post.json(body.to_string(), HeaderMap::new()).await
    }
}

/// The only line of a file with a secret.
fn first(channel: &str, path: &std::path::Path) -> Result<String, ChannelError> {
    let mut lines = secret(channel, path)?.into_iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        _ => Err(ChannelError::Secret {
            channel: channel.to_owned(),
            path: path.to_owned(),
            rule: "one line".to_owned(),
        }),
    }
}

impl Form {
    fn body(&self, message: &Message) -> Value {
        let text = message.text();
        let linked = |text: String| match &message.link {
            Some(link) => format!("{text}\n{link}"),
            None => text,
        };
        match self {
            // Telegram makes links of what looks like one, but for a block of code. Offsets count UTF-16.
            Self::Telegram { chat } => json!({
                "chat_id": chat,
                "entities": [{ "type": "pre", "offset": 0, "length": text.encode_utf16().count() }],
                "text": linked(text),
                "link_preview_options": { "is_disabled": true },
                "disable_notification": !message.kind.is_urgent(),
            }),
            Self::Discord => json!({
                "content": linked(markdown_free(&text, DISCORD_LIMIT)),
                "allowed_mentions": { "parse": [] },
                // Links are not unfolded.
                "flags": 4,
            }),
            Self::Slack => json!({
                "text": entities(&message.title),
                "unfurl_links": false,
                "unfurl_media": false,
                "blocks": [{
                    "type": "section",
                    "text": { "type": "plain_text", "text": linked(text), "emoji": false },
                }],
            }),
        }
    }
}

/// Characters of a message that Discord takes, less those of a link.
const DISCORD_LIMIT: usize = 1700;

/// Discord's Markdown with everything in it that formats made text, at most so long.
fn markdown_free(text: &str, limit: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut length = 0_usize;
    for character in text.chars() {
        let special = "\\*_~`|>#[]()<@:-".contains(character);
        length = length.saturating_add(if special { 2 } else { 1 });
        if length > limit {
            escaped.push('…');
            break;
        }
        if special {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Slack's three entities, without which `<!channel>` would call everybody.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
