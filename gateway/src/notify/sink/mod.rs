//! How a message leaves: one file for each service, and the one client that posts. What a service answers counts as
//! hostile: bounded in size and time, and told on only as a number or a short printable text. Nothing here decides
//! when to try again.

mod chat;
mod email;
mod ntfy;
mod post;
mod webhook;

use std::time::Duration;

use super::config::{ChannelConfig, ChannelError, Service};
use super::message::Message;

/// Why a channel did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It cannot be reached, is out of order, or does not accept who we are: the same message may pass later.
    #[error("{0}")]
    Away(String),
    /// It takes messages again after so long.
    #[error("it asks to wait {} s", .0.as_secs())]
    Busy(Duration),
    /// It will never take this very message.
    #[error("the message is refused: {0}")]
    Refused(String),
}

/// Where messages go.
#[derive(Debug)]
pub enum Sink {
    /// A receiver of webhooks.
    Webhook(webhook::Hook),
    /// Telegram, Discord, Slack.
    Chat(chat::Chat),
    /// An ntfy topic.
    Ntfy(ntfy::Topic),
    /// A mail server.
    Email(email::Mail),
}

impl Sink {
    /// Reads the secrets and sets TLS up; sends nothing.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn new(channel: &ChannelConfig) -> Result<Self, ChannelError> {
        let name = &channel.name;
        Ok(match &channel.service {
            Service::Webhook(config) => Self::Webhook(webhook::Hook::new(name, config)?),
            Service::Telegram(config) => Self::Chat(chat::Chat::telegram(name, config)?),
            Service::Discord(config) => Self::Chat(chat::Chat::discord(name, config)?),
            Service::Slack(config) => Self::Chat(chat::Chat::slack(name, config)?),
            Service::Ntfy(config) => Self::Ntfy(ntfy::Topic::new(name, config)?),
            Service::Email(config) => Self::Email(email::Mail::new(name, config)?),
        })
    }

    /// Sends once, within this time: a mail server may say nothing for ever.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, message: &Message, limit: Duration) -> Result<(), SendError> {
        let sent = async {
            match self {
                Self::Webhook(hook) => hook.send(message).await,
                Self::Chat(chat) => chat.send(message).await,
                Self::Ntfy(topic) => topic.send(message).await,
                Self::Email(mail) => mail.send(message).await,
            }
        };
        let sent = tokio::time::timeout(limit, sent).await;
        sent.unwrap_or_else(|_| Err(SendError::Away("no answer in time".to_owned())))
    }
}

#[cfg(test)]
mod tests;
