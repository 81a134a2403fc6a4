//! What owners are told: from the signer's events to messages in their channels. The projection writes down what
//! each channel is to be told in the same commit as the event (`outbox`); one task a channel brings it out, at
//! least once, for as long as it takes (`deliver`). A message tells and decides nothing: what stops a payment is
//! said in it, what approves one is signed elsewhere.

mod config;
mod deliver;
mod kind;
mod message;
mod names;
mod notice;
pub mod outbox;
mod sink;
mod weekly;
mod words;

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::Notify;
use waiaas_client::EventRecord;
use waiaas_shared::time::WallTime;

pub(crate) use config::RawChannel;
pub use config::{ChannelConfig, ChannelError, Language, NotifyConfig};
pub use kind::Kind;
pub(crate) use message::told;
pub(crate) use names::Names;
pub use notice::{Notice, Own, Told};
pub use sink::{SendError, Sink};

use crate::app::App;
use crate::database::Durability;

/// The channels, and what wakes them.
#[derive(Debug, Default)]
pub struct Channels {
    channels: Vec<Arc<Channel>>,
    approval_origin: Option<String>,
    woken: Notify,
}

/// How a channel is configured and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name.
    pub name: String,
    /// What it is: `webhook`, `telegram`, `discord`, `slack`, `ntfy`, `email`.
    pub service: &'static str,
    /// `en` or `ko`.
    pub language: &'static str,
    /// What it is told.
    pub kinds: Vec<Kind>,
    /// Whether it has quiet hours.
    pub quiet_hours: bool,
    /// The channels for which it stands in.
    pub stands_in_for: Vec<String>,
    /// Whether amounts, recipients and names stay out of its messages.
    pub terse: bool,
    /// Since when it takes no messages; none: it does, as far as is known.
    pub away_since: Option<WallTime>,
}

/// One channel as it runs.
#[derive(Debug)]
struct Channel {
    config: ChannelConfig,
    sink: Sink,
    health: deliver::Health,
}

impl Channels {
    /// Makes what sends; sends nothing.
    ///
    /// # Errors
    /// [`ChannelError`]: a secret cannot be read, or TLS cannot be set up.
    pub fn new(config: NotifyConfig) -> Result<Self, ChannelError> {
        let channels = config.channels.into_iter().map(|config| {
            let sink = Sink::new(&config)?;
            Ok(Arc::new(Channel {
                config,
                sink,
                health: deliver::Health::default(),
            }))
        });
        Ok(Self {
            channels: channels.collect::<Result<_, ChannelError>>()?,
            approval_origin: config.approval_origin,
            woken: Notify::new(),
        })
    }

    /// Names of the channels, in the order of the configuration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.channels
            .iter()
            .map(|channel| channel.config.name.as_str())
    }

    /// How each channel is configured and does, without anything that is secret.
    #[must_use]
    pub fn states(&self) -> Vec<ChannelState> {
        let states = self.channels.iter().map(|channel| {
            let config = &channel.config;
            let kinds = Kind::ALL.iter().copied();
            ChannelState {
                name: config.name.clone(),
                service: config.service.name(),
                language: match config.language {
                    Language::English => "en",
                    Language::Korean => "ko",
                },
                kinds: kinds.filter(|kind| config.choice.wants(*kind)).collect(),
                quiet_hours: config.quiet.is_some(),
                stands_in_for: config.stands_in_for.clone(),
                terse: config.terse,
                away_since: channel.health.away_since(),
            }
        });
        states.collect()
    }

    /// Writes down what the channels are to be told of these events, which are in the log's order. Events up to
    /// `rebuilt_through` were told of before gateway.db was lost, or happened before it began: of those only what
    /// still waits is told, under the name that it had.
    ///
    /// # Errors
    /// As SQLite reports.
    pub fn write_down(
        &self,
        connection: &Connection,
        records: &[EventRecord],
        rebuilt_through: u64,
    ) -> rusqlite::Result<()> {
        if self.channels.is_empty() {
            return Ok(());
        }
        for record in records {
            if record.sequence <= rebuilt_through {
                outbox::catch_up(connection, record, self.wanted())?;
            } else if let Some(notice) = Notice::of_event(record) {
                outbox::put(connection, &notice, self.wanted())?;
            }
        }
        Ok(())
    }

    /// Writes down what the gateway itself has to say. `wake` follows once it is committed.
    ///
    /// # Errors
    /// As SQLite reports.
    pub fn say(&self, connection: &Connection, own: Own, at: WallTime) -> rusqlite::Result<()> {
        outbox::put(connection, &Notice::own(own, at), self.wanted())
    }

    /// Something new was committed.
    pub fn wake(&self) {
        self.woken.notify_waiters();
    }

    /// Each channel's name, and whether it wants a kind.
    fn wanted(&self) -> impl Iterator<Item = &ChannelConfig> + Clone {
        self.channels.iter().map(|channel| &channel.config)
    }

    /// Sends one message through a channel, for trying it out.
    ///
    /// # Errors
    /// What the channel answers.
    pub async fn try_out(&self, name: &str, now: WallTime) -> Option<Result<(), SendError>> {
        let found = |channel: &&Arc<Channel>| channel.config.name == name;
        let channel = self.channels.iter().find(found)?;
        let own = Own::Trial {
            channel: name.to_owned(),
        };
        let notice = Notice::own(own, now);
        let names = names::Names::default();
        let message = message::compose(&notice, &channel.config, &names, None, now);
        Some(channel.sink.send(&message, deliver::SEND_TIMEOUT).await)
    }
}

/// Starts a task for each channel, and the weekly word; what a channel was to be told that is gone is forgotten.
pub fn start(app: &Arc<App>) {
    let (database, channels) = (app.database.clone(), Arc::clone(&app.channels));
    tokio::spawn(async move {
        let forget =
            move |connection: &Connection| outbox::forget_others(connection, channels.names());
        if let Err(error) = database.run(Durability::Process, forget).await {
            tracing::error!(%error, "what channels were to be told that are gone is kept");
        }
    });
    for channel in &app.channels.channels {
        tokio::spawn(deliver::serve(Arc::clone(app), Arc::clone(channel)));
    }
    if !app.channels.channels.is_empty() {
        tokio::spawn(weekly::tell(Arc::clone(app)));
    }
}

#[cfg(test)]
mod tests;
