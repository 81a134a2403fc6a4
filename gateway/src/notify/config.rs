//! Channels in the gateway's configuration: `[[channel]]`, each with one table that says what it is, and
//! `approval-origin`. Read once into checked values. What is secret stands in files of its own, which nobody but
//! their owner may read; an address that is a secret itself stands in such a file, too.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use waiaas_shared::time::WallTime;

use super::kind::Choice;

/// Channels at most.
const CHANNELS: usize = 16;
/// Bytes of a file with a secret.
const SECRET_LIMIT: u64 = 4096;

/// All channels.
#[derive(Debug, Clone, Default)]
pub struct NotifyConfig {
    /// The channels, in the file's order.
    pub channels: Vec<ChannelConfig>,
    /// Under which address owners reach the signing page; no message has a link without it.
    pub approval_origin: Option<String>,
}

/// One channel.
#[derive(Debug, Clone)]
pub struct ChannelConfig {
    /// Its name.
    pub name: String,
    /// What it is.
    pub service: Service,
    /// Which language it speaks.
    pub language: Language,
    /// What it is told.
    pub choice: Choice,
    /// When it is told urgent things only.
    pub quiet: Option<Quiet>,
    /// The channels for which it stands in: it is told only what they do not take.
    pub stands_in_for: Vec<String>,
    /// Whether amounts, recipients and names stay out of its messages.
    pub terse: bool,
}

/// What a channel is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Signed POST requests in the form of Standard Webhooks.
    Webhook(Webhook),
    /// The Telegram Bot API.
    Telegram(Telegram),
    /// A Discord webhook.
    Discord(Hook),
    /// A Slack incoming webhook.
    Slack(Hook),
    /// An ntfy topic.
    Ntfy(Ntfy),
    /// SMTP.
    Email(Email),
}

/// See [`Service::Webhook`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Webhook {
    /// Where it is posted to.
    pub url: String,
    /// File with the secret, `whsec_` and base64 of 24 to 64 bytes; a second line is the secret before, with
    /// which messages are signed as well while receivers change over.
    pub secret_file: PathBuf,
}

/// See [`Service::Telegram`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Telegram {
    /// File with the bot's token.
    pub token_file: PathBuf,
    /// The chat, by its number or `@name`.
    pub chat: String,
    /// Another server than Telegram's own.
    #[serde(default = "telegram")]
    pub server: String,
}

fn telegram() -> String {
    "https://api.telegram.org".to_owned()
}

/// An address that is its own secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hook {
    /// File with the address.
    pub url_file: PathBuf,
}

/// See [`Service::Ntfy`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ntfy {
    /// The server.
    pub server: String,
    /// The topic. Whoever knows the name of a public topic reads it: set `terse` there.
    pub topic: String,
    /// File with an access token.
    pub token_file: Option<PathBuf>,
}

/// See [`Service::Email`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Email {
    /// Host and port of the server.
    pub server: String,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who logs in, with the password of `password_file`.
    pub user: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// STARTTLS, and nothing is said without it (port 587).
    Starttls,
    /// None: for a server on this machine.
    None,
}

/// The language of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
}

/// A part of each day at a fixed distance from UTC: `22:00-07:00+09:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Minute of the day, in UTC.
    from: u16,
    /// Minute of the day, in UTC; not part of it.
    to: u16,
}

const DAY: i32 = 24 * 60;

impl Quiet {
    /// Whether a time lies in it.
    #[must_use]
    pub fn contains(self, now: WallTime) -> bool {
        let minute = u16::try_from(now.millis() / 60_000 % DAY.unsigned_abs() as u64).unwrap_or(0);
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, rest) = text.split_once('-')?;
        let (to, sign, offset) = match (rest.split_once('+'), rest.split_once('-')) {
            (Some((to, offset)), None) => (to, 1, minute(offset)?),
            (None, Some((to, offset))) => (to, -1, minute(offset)?),
            _ => (rest.strip_suffix('Z')?, 1, 0),
        };
        let utc = |local: i32| u16::try_from((local - sign * offset).rem_euclid(DAY)).ok();
        let (from, to) = (utc(minute(from)?)?, utc(minute(to)?)?);
        (from != to).then_some(Self { from, to })
    }
}

/// `HH:MM`, in minutes.
fn minute(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let part = |part: &str, below: i32| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i32>()
            .ok()
            .filter(|value| plain && *value < below)
    };
    Some(part(hours, 24)? * 60 + part(minutes, 60)?)
}

/// Why a channel is refused.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A key's value is refused.
    #[error("channel {channel}: {key}: {rule}")]
    Value {
        /// Which channel.
        channel: String,
        /// Which key.
        key: &'static str,
        /// What it has to be.
        rule: String,
    },
    /// A file with a secret.
    #[error("channel {channel}: {}: {rule}", path.display())]
    Secret {
        /// Which channel.
        channel: String,
        /// Which file.
        path: PathBuf,
        /// What it has to be.
        rule: String,
    },
}

/// `[[channel]]` as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RawChannel {
    name: String,
    #[serde(default)]
    language: Language,
    events: Option<Vec<String>>,
    quiet: Option<String>,
    #[serde(default)]
    stands_in_for: Vec<String>,
    #[serde(default)]
    terse: bool,
    webhook: Option<Webhook>,
    telegram: Option<Telegram>,
    discord: Option<Hook>,
    slack: Option<Hook>,
    ntfy: Option<Ntfy>,
    email: Option<Email>,
}

impl NotifyConfig {
    /// Checks what the file says; relative paths start at `folder`.
    pub(crate) fn check(
        raw: Vec<RawChannel>,
        approval_origin: Option<String>,
        folder: &Path,
    ) -> Result<Self, ChannelError> {
        let channels = raw
            .into_iter()
            .map(|channel| channel.check(folder))
            .collect::<Result<Vec<_>, _>>()?;
        let refused = |channel: &ChannelConfig, key, rule: &str| ChannelError::Value {
            channel: channel.name.clone(),
            key,
            rule: rule.to_owned(),
        };
        for (place, channel) in channels.iter().enumerate() {
            if place >= CHANNELS {
                return Err(refused(channel, "channel", "sixteen channels at most"));
            }
            let before = channels.iter().take(place);
            if before.clone().any(|other| other.name == channel.name) {
                return Err(refused(channel, "name", "each name once"));
            }
            let first = |name: &String| before.clone().any(|other| other.name == *name);
            if !channel.stands_in_for.iter().all(first) {
                let rule = "names of channels that stand before it in the file";
                return Err(refused(channel, "stands-in-for", rule));
            }
        }
        Ok(Self {
            channels,
            approval_origin,
        })
    }
}

impl RawChannel {
    fn check(self, folder: &Path) -> Result<ChannelConfig, ChannelError> {
        let refused = |key, rule: String| ChannelError::Value {
            channel: self.name.clone(),
            key,
            rule,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            let rule = "1 to 32 letters, digits, - and _".to_owned();
            return Err(refused("name", rule));
        }
        let choice = match &self.events {
            None => Choice::Usual,
            Some(names) => Choice::parse(names).map_err(|name| {
                refused(
                    "events",
                    format!("{name:?} is no kind of message: see docs/notifications.md"),
                )
            })?,
        };
        let quiet = self.quiet.as_deref().map(|text| {
            let rule = "two different times and the distance from UTC: \"22:00-07:00+09:00\"";
            Quiet::parse(text).ok_or_else(|| refused("quiet", rule.to_owned()))
        });
        let quiet = quiet.transpose()?;
        let mut services = [
            self.webhook.map(Service::Webhook),
            self.telegram.map(Service::Telegram),
            self.discord.map(Service::Discord),
            self.slack.map(Service::Slack),
            self.ntfy.map(Service::Ntfy),
            self.email.map(Service::Email),
        ]
        .into_iter()
        .flatten();
        let (Some(service), None) = (services.next(), services.next()) else {
            return Err(ChannelError::Value {
                channel: self.name,
                key: "service",
                rule: "exactly one of webhook, telegram, discord, slack, ntfy, email".to_owned(),
            });
        };
        Ok(ChannelConfig {
            name: self.name,
            service: service.in_folder(folder),
            language: self.language,
            choice,
            quiet,
            stands_in_for: self.stands_in_for,
            terse: self.terse,
        })
    }
}

impl Service {
    /// What it is called.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Telegram(_) => "telegram",
            Self::Discord(_) => "discord",
            Self::Slack(_) => "slack",
            Self::Ntfy(_) => "ntfy",
            Self::Email(_) => "email",
        }
    }

    /// With its files found.
    fn in_folder(mut self, folder: &Path) -> Self {
        let place = |path: &mut PathBuf| *path = folder.join(&*path);
        match &mut self {
            Self::Webhook(webhook) => place(&mut webhook.secret_file),
            Self::Telegram(telegram) => place(&mut telegram.token_file),
            Self::Discord(hook) | Self::Slack(hook) => place(&mut hook.url_file),
            Self::Ntfy(ntfy) => ntfy.token_file.iter_mut().for_each(place),
            Self::Email(email) => email.password_file.iter_mut().for_each(place),
        }
        self
    }
}

/// The lines of a file with a secret.
pub(super) fn secret(channel: &str, path: &Path) -> Result<Vec<String>, ChannelError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let refused = |rule: String| ChannelError::Secret {
        channel: channel.to_owned(),
        path: path.to_owned(),
        rule,
    };
    let metadata = std::fs::metadata(path)
        .map_err(|error| refused(format!("the file with the secret cannot be read: {error}")))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let rule = "a secret may be readable by its owner only: chmod 600";
        return Err(refused(rule.to_owned()));
    }
    if metadata.size() > SECRET_LIMIT {
        return Err(refused("no secret is longer than 4096 bytes".to_owned()));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| refused(format!("the file with the secret cannot be read: {error}")))?;
    let lines = text.lines().map(|line| line.trim().to_owned());
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Err(refused("the file is empty".to_owned()));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(hours: u64, minutes: u64) -> WallTime {
        WallTime::from_millis((20_000 * 24 * 60 + hours * 60 + minutes) * 60_000 + 59_999)
    }

    #[test]
    fn a_night_ends_where_it_ends() {
        // From 22 to 7 in Seoul is from 13 to 22 in UTC.
        let seoul = Quiet::parse("22:00-07:00+09:00").expect("a night");
        for (hour, minute, quiet) in [
            (12, 59, false),
            (13, 0, true),
            (21, 59, true),
            (22, 0, false),
        ] {
            assert_eq!(
                seoul.contains(minutes(hour, minute)),
                quiet,
                "{hour}:{minute}"
            );
        }
        let over_midnight = Quiet::parse("23:30-01:00-00:30").expect("a night");
        for (hour, minute, quiet) in [(0, 0, true), (1, 29, true), (1, 30, false), (23, 59, false)]
        {
            assert_eq!(over_midnight.contains(minutes(hour, minute)), quiet);
        }
        assert!(Quiet::parse("22:00-07:00Z").is_some());
        for text in [
            "22:00-07:00",
            "22-7+09:00",
            "24:00-07:00Z",
            "22:00-22:00Z",
            "22:60-1:00Z",
            "+2:00-07:00Z",
        ] {
            assert_eq!(Quiet::parse(text), None, "{text}");
        }
    }

    fn check(text: &str) -> Result<NotifyConfig, String> {
        #[derive(Deserialize)]
        struct File {
            channel: Vec<RawChannel>,
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        NotifyConfig::check(file.channel, None, Path::new("/etc/waiaas"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_channel_is_one_thing_and_says_what_it_is_told() {
        let one =
            "[[channel]]\nname = \"phone\"\ntelegram = { token-file = \"bot\", chat = \"7\" }\n";
        let config = check(one).expect("complete");
        let channel = config.channels.first().expect("one");
        let Service::Telegram(telegram) = &channel.service else {
            panic!("{channel:?}");
        };
        assert_eq!(telegram.token_file, Path::new("/etc/waiaas/bot"));
        assert_eq!(telegram.server, "https://api.telegram.org");
        for (more, said) in [
            ("slack = { url-file = \"u\" }\n", "exactly one of"),
            ("events = [\"kill\"]\n", "no kind of message"),
            ("quiet = \"night\"\n", "distance from UTC"),
            ("stands-in-for = [\"phone\"]\n", "stand before it"),
            ("colour = \"red\"\n", "unknown field"),
        ] {
            let said_of = check(&format!("{one}{more}")).expect_err(more);
            assert!(said_of.contains(said), "{said_of}");
        }
        assert!(check("[[channel]]\nname = \"x\"\n").is_err(), "no service");
        assert!(
            check(&format!("{one}{one}"))
                .expect_err("twice")
                .contains("once")
        );
        let named = one.replace("phone", "my phone");
        assert!(check(&named).expect_err("a space").contains("letters"));
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "abc\n\n  def \n").expect("written");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        mode(0o640).expect("set");
        assert!(matches!(
            secret("x", &path),
            Err(ChannelError::Secret { .. })
        ));
        mode(0o600).expect("set");
        assert_eq!(secret("x", &path).expect("read"), ["abc", "def"]);
    }
}
