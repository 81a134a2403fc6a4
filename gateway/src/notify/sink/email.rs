//! E-mail over SMTP (RFC 5321), plain text.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor};

use super::SendError;
use crate::notify::config::{ChannelError, Email, MailTls, secret};
use crate::notify::message::Message;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A mail server with whom it writes to.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mail").finish_non_exhaustive()
    }
}

impl Mail {
    pub(super) fn new(channel: &str, config: &Email) -> Result<Self, ChannelError> {
        let refused = |key, rule: &str| ChannelError::Value {
            channel: channel.to_owned(),
            key,
            rule: rule.to_owned(),
        };
        let (host, port) = config
            .server
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
            .ok_or_else(|| refused("server", "host:port"))?;
        let parameters = || {
            TlsParameters::new(host.to_owned())
                .map_err(|_| refused("tls", "TLS could not be set up for this host"))
        };
        let tls = match config.tls {
            MailTls::Implicit => Tls::Wrapper(parameters()?),
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        match (&config.user, &config.password_file) {
            (Some(user), Some(path)) => {
                if config.tls == MailTls::None {
                    return Err(refused("tls", "a password goes to a server over TLS only"));
                }
                let password = secret(channel, path)?.join("\n");
                builder = builder.credentials(Credentials::new(user.clone(), password));
            }
            (None, None) => {}
            _ => {
                return Err(refused(
                    "user",
                    "user and password-file together, or neither",
                ));
            }
        }
        let mailbox = |key, text: &str| {
            text.parse::<Mailbox>()
                .map_err(|_| refused(key, "addresses such as wallet@example.org"))
        };
        let to = config.to.iter().map(|text| mailbox("to", text));
        let to = to.collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(refused("to", "one receiver at least"));
        }
        Ok(Self {
            transport: builder.build(),
            from: mailbox("from", &config.from)?,
            to,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let letter = self
            .letter(message)
            .map_err(|_| SendError::Refused("it is no letter".to_owned()))?;
        match self.transport.send(letter).await {
            Ok(_) => Ok(()),
            // Too large, or its content is refused: it is about this message. Everything else, a refused receiver or
            // password included, is about the channel.
            Err(error)
                if error
                    .status()
                    .is_some_and(|code| ["552", "554"].contains(&code.to_string().as_str())) =>
            {
                Err(SendError::Refused("SMTP refuses what it says".to_owned()))
            }
            Err(error) => {
                let what = if error.is_timeout() {
                    "no answer in time".to_owned()
                } else if error.is_tls() {
                    "TLS failed".to_owned()
                } else {
                    match error.status() {
                        Some(code) => format!("SMTP {code}"),
                        None => "no connection".to_owned(),
                    }
                };
                Err(SendError::Away(what))
            }
        }
    }

    fn letter(&self, message: &Message) -> Result<Letter, lettre::error::Error> {
        let mut text = message.text();
        if let Some(link) = &message.link {
            text.push_str("\n\n");
            text.push_str(link);
        }
        text.push('\n');
        let builder = self
            .to
            .iter()
            .fold(Letter::builder(), |builder: MessageBuilder, to| {
                builder.to(to.clone())
            });
        let domain = self.from.email.domain();
        builder
            .from(self.from.clone())
            .subject(format!("WAIaaS: {}", message.title))
            .message_id(Some(format!("<{}@{domain}>", message.name)))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
    }
}
